"""`genome run` as the dashboard starts it: the same command, in a process that can be watched and ended from outside.

Comes in: a folder of the workspace, and the arguments of `genome`. Goes out: in that folder, a lock that is held exactly as long
as this process lives, its number, and at the end its exit code. Nothing else is done here; the command does the work.

    python -P -m customer_genome.interfaces.watched_run FOLDER run --workspace SHOP --progress json --json -- lines.csv
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from customer_genome.interfaces.serving.child_runs import ALIVE, ENDED, STARTED
from customer_genome.workspace import write_atomically

LOCK_SECONDS = 10.0
BUSY = 3
"""Exit code where another watched run holds the lock."""


def main(arguments: Sequence[str]) -> int:
    """Hold the lock, run `genome` with the arguments after the first, and leave its exit code; return it."""
    folder = Path(arguments[0])
    lock = FileLock(str(folder / ALIVE), mode=0o600)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        return BUSY
    write_atomically(folder / STARTED, json.dumps({"pid": os.getpid()}) + "\n")
    code = _run_genome(arguments[1:])
    write_atomically(folder / ENDED, json.dumps({"code": code}) + "\n")
    return code


def _run_genome(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code."""
    from customer_genome.interfaces import cli

    sys.argv = ["genome", *arguments]
    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
