"""Runs that the dashboard starts: one at a time per workspace, as child processes, followed through files of the workspace.

Comes in: a workspace and the arguments of `genome run`. Goes out: a `ChildRun` that says how far it is, what it published or why
it failed. What is known of a run lies in `runs/`, so that every visitor sees it, also after the server was started anew. A run
holds a lock as long as it lives, by which the living are told from the dead; only a process that holds it is ever ended.

This module starts no shell and reads no data.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from customer_genome.errors import WorkspaceError
from customer_genome.workspace import Workspace

State = Literal["running", "published", "failed", "cancelled"]
ALIVE, STARTED, ENDED = "alive.lock", "started.json", "ended.json"
REQUEST, PROGRESS, RESULT, CANCELLED = "run.json", "progress.jsonl", "result.json", "cancelled"
STARTING_SECONDS = 60.0
KIND_SECONDS = 5.0
_MOST_BYTES = 256_000
_OWN_SESSION = os.name != "nt"


@dataclass(frozen=True)
class ChildRun:
    """A run that the dashboard started: the one under way, or the last.

    Attributes
    ----------
    label : what it is for, in the words of who started it
    upload : the handed-in file it reads, empty for none
    fraction : 0..1, how far it is by its own account
    version : what it published; empty while it runs and where it failed
    error : why it failed, in the product's own words
    """

    run_id: str
    label: str
    upload: str
    started_at: dt.datetime
    state: State
    stage: str = ""
    fraction: float = 0.0
    message: str = ""
    seconds: float = 0.0
    version: str = ""
    error: str = ""
    customers: int = 0

    @property
    def is_running(self) -> bool:
        """Whether it is still under way."""
        return self.state == "running"


def start(workspace: Workspace, arguments: Sequence[str], label: str, upload: str = "") -> ChildRun:
    """Start `genome` with the arguments as a child process, and return when it lives.

    Parameters
    ----------
    arguments : the command and its options, such as `["run", "--workspace", "/shops/corner"]`; progress and result are asked for
        here as JSON.

    Raises
    ------
    WorkspaceError
        When a run is under way, or the folder cannot be written.
    """
    folder = _prepared(workspace)
    with _starting(folder):
        before = latest(workspace)
        if before is not None and before.is_running:
            raise WorkspaceError(
                f"A run is under way in this workspace: {before.label}, started {before.started_at:%H:%M} UTC. "
                "Wait until it has finished, or cancel it first."
            )
        for name in (STARTED, ENDED, CANCELLED, PROGRESS, RESULT):
            (folder / name).unlink(missing_ok=True)
        request = {
            "id": secrets.token_hex(8),
            "label": label,
            "upload": upload,
            "started_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        }
        _write_privately(folder / REQUEST, json.dumps(request) + "\n")
        child = _spawned(folder, arguments)
        deadline = time.monotonic() + STARTING_SECONDS
        while not (folder / STARTED).exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        threading.Thread(target=child.wait, daemon=True, name="genome-run").start()  # so that it leaves no zombie
    begun = latest(workspace)
    assert begun is not None
    return begun


def _prepared(workspace: Workspace) -> Path:
    """Return the folder of runs, made for this user only."""
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        workspace.runs.mkdir(mode=0o700, exist_ok=True)
    except OSError as err:
        raise WorkspaceError(f"{workspace.runs} cannot be written: {err.strerror}. Check the permissions of the folder.") from err
    return workspace.runs


def _starting(folder: Path) -> Any:
    """Hold the right to start a run for a moment; two visitors who press at once come one after the other."""
    return FileLock(str(folder / "start.lock"), timeout=STARTING_SECONDS, mode=0o600)


def _spawned(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the child in a session of its own, so that it outlives the server and can be ended with all it started."""
    command, *rest = arguments
    watched = [sys.executable, "-P", "-m", "customer_genome.interfaces.watched_run", str(folder)]
    with _private(folder / RESULT) as out, _private(folder / PROGRESS) as err:
        return subprocess.Popen(
            [*watched, command, "--progress", "json", "--json", *rest],
            cwd=folder.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=_OWN_SESSION,
        )


def _private(path: Path) -> Any:
    """Open a file for writing that only this user can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _write_privately(path: Path, text: str) -> None:
    """Write a small file that only this user can read; readers see all of it or nothing."""
    part = path.with_name(path.name + ".part")
    with _private(part) as file:
        file.write(text.encode())
    os.replace(part, path)


def latest(workspace: Workspace) -> ChildRun | None:
    """Return the run under way or the last one; None where none was started or it has been put away."""
    folder = workspace.runs
    request = _json_of(folder / REQUEST)
    if not request:
        return None
    started_at = dt.datetime.fromisoformat(request["started_at"])
    age = (dt.datetime.now(dt.UTC) - started_at).total_seconds()
    run = ChildRun(request["id"], request["label"], request["upload"], started_at, "running", seconds=max(age, 0.0))
    told, said = _progress_of(folder / PROGRESS)
    run = replace(run, stage=told.get("stage", ""), fraction=float(told.get("fraction", 0.0)), message=told.get("message", ""))
    ended = _json_of(folder / ENDED)
    if not ended and (is_alive(folder) or (not (folder / STARTED).exists() and age < STARTING_SECONDS)):
        return run
    return _ended(folder, run, ended or _json_of(folder / ENDED), said)


def _ended(folder: Path, run: ChildRun, ended: dict[str, Any], said: str) -> ChildRun:
    """Return a run that is over, with what came of it."""
    lasted = max((_last_written(folder) - run.started_at).total_seconds(), 0.0)
    run = replace(run, seconds=lasted)
    result = _json_of(folder / RESULT)
    if ended.get("code") == 0 and result.get("version"):
        return replace(run, state="published", fraction=1.0, version=result["version"], customers=int(result.get("customers", 0)))
    if (folder / CANCELLED).exists():
        return replace(run, state="cancelled")
    silent = (
        "The run ended without a word: it was ended from outside, or the machine ran out of memory. What was published before is "
        'unchanged. Run again; less memory is used with memory_limit = "1GB" under [engine] in genome.toml.'
    )
    return replace(run, state="failed", error=said or silent)


def _last_written(folder: Path) -> dt.datetime:
    """Return when the run wrote last."""
    times = [(folder / name).stat().st_mtime for name in (REQUEST, ENDED, PROGRESS, CANCELLED) if (folder / name).exists()]
    return dt.datetime.fromtimestamp(max(times), dt.UTC)


def is_alive(folder: Path) -> bool:
    """Return whether the child lives: whether its lock is held."""
    if not (folder / ALIVE).exists():
        return False
    lock = FileLock(str(folder / ALIVE), timeout=0, mode=0o600)
    try:
        with lock:
            return False
    except Timeout:
        return True


def cancel(workspace: Workspace) -> None:
    """End the run under way, and only it; what it left half done is cleared, the version before stays current."""
    folder = workspace.runs
    with _starting(folder):
        pid = _json_of(folder / STARTED).get("pid")
        if not isinstance(pid, int) or not is_alive(folder):
            return
        _write_privately(folder / CANCELLED, "")
        _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + KIND_SECONDS
        while is_alive(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        if is_alive(folder):
            _signal(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        while is_alive(folder) and time.monotonic() < deadline + KIND_SECONDS:
            time.sleep(0.05)
    with suppress(WorkspaceError), workspace.locked():
        workspace.clear_leftovers()


def _signal(pid: int, number: int) -> None:
    """Send a signal to the child and what it started."""
    with suppress(ProcessLookupError, PermissionError):
        if _OWN_SESSION:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def put_away(workspace: Workspace) -> None:
    """Forget a run that is over; one under way stays."""
    run = latest(workspace)
    if run is not None and not run.is_running:
        for name in (REQUEST, STARTED, ENDED, CANCELLED, PROGRESS, RESULT):
            (workspace.runs / name).unlink(missing_ok=True)


def _json_of(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one where there is none yet."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _progress_of(path: Path) -> tuple[dict[str, Any], str]:
    """Return the last line of progress, and the error where one was written, without the word before it."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return {}, ""
    told: dict[str, Any] = {}
    said: list[str] = []
    for line in lines:
        found = _told(line)
        if found is not None:
            told = found
        elif line.startswith("Error: "):
            said = [line.removeprefix("Error: ")]
        elif said:
            said.append(line)
    if not said and any(line.startswith("Traceback (most recent call last)") for line in lines):
        kind = lines[-1].partition(":")[0]  # what follows may quote the data
        said = [
            f"The run stopped on a fault of the product ({kind}), not of your data. What was published before is unchanged. "
            f"The details stand in {path}; please report them."
        ]
    return told, "\n".join(said).strip()


def _told(line: str) -> dict[str, Any] | None:
    """Return a line of progress, or None for any other."""
    if not line.startswith('{"stage"'):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
