"""The files of this repository, for the tests that judge them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked_files(pattern: str = "*") -> list[Path]:
    """Return the files that git tracks or would add, so that caches and environments stay out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    return sorted(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
