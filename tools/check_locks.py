"""Prove, without a network, that the lock files are whole, private and fresh.

Comes in: pyproject.toml and requirements*.lock beside it. Goes out: exit 0, or one line per fault on stderr and exit 1.
`--stamp` writes the digest of the dependency tables into the locks; only `make lock` calls it so.

A lock is fresh when the digest in its first line is that of the dependency tables of today; it is private when it names
no address and no path; it is whole when every pin has a hash, and all locks agree on each version.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FULL, DEMO, INSTALLER = "requirements.lock", "requirements-demo.lock", "requirements-uv.lock"
STAMP = "# dependency tables of pyproject.toml: sha256 "
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")
ADDRESS = re.compile(r"https?:|file:|git\+|\s@\s|^\s*-(?!-hash=)|(?<![\w.])/\w+/", re.MULTILINE)


def tables_digest(pyproject: str) -> str:
    """Return the SHA-256 of everything in pyproject.toml that decides what is locked."""
    document = tomllib.loads(pyproject)
    project = document["project"]
    tables = {
        "python": project["requires-python"],
        "base": sorted(project["dependencies"]),
        "extras": {name: sorted(wanted) for name, wanted in project["optional-dependencies"].items()},
        "groups": {name: sorted(wanted) for name, wanted in document["dependency-groups"].items()},
    }
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def pins(lock: str) -> dict[str, str]:
    """Return package -> version."""
    found = (PIN.match(line) for line in lock.splitlines())
    return {match[1]: match[2] for match in found if match}


def unhashed(lock: str) -> list[str]:
    """Return the pins that are followed by no hash."""
    entries = re.split(r"\n(?=\S)", lock)
    return [match[1] for entry in entries if (match := PIN.match(entry)) and "--hash=sha256:" not in entry]


def faults(name: str, lock: str, digest: str, reference: dict[str, str]) -> list[str]:
    """Return what is wrong with one lock; `reference` holds the pins of requirements.lock."""
    found = []
    if name != INSTALLER and not lock.startswith(STAMP + digest):
        found.append(
            f"{name}: made from other dependency tables than pyproject.toml has now. Run `make lock` and commit the result."
        )
    body = re.sub(r"^#.*$", "", lock, flags=re.MULTILINE)
    if leak := ADDRESS.search(body):
        found.append(f"{name}: contains an address, option or path ({leak[0].strip()!r}); wanted: versions and hashes only.")
    if bare := unhashed(lock):
        found.append(f"{name}: no hash for {', '.join(bare)}.")
    if not (versions := pins(lock)):
        found.append(f"{name}: pins nothing.")
    different = [package for package, version in versions.items() if reference.get(package, version) != version]
    if different:
        found.append(f"{name}: other versions than {FULL} for {', '.join(different)}.")
    if name == DEMO and (unknown := sorted(set(versions) - set(reference))):
        found.append(f"{name}: {', '.join(unknown)} not in {FULL}.")
    return found


def stamp(path: Path, digest: str) -> None:
    """Put the digest into the first line of a lock."""
    body = "".join(line for line in path.read_text().splitlines(keepends=True) if not line.startswith("#"))
    path.write_text(f"{STAMP}{digest}\n{body}")


def main(arguments: list[str]) -> int:
    """Check the locks, or stamp them."""
    digest = tables_digest((ROOT / "pyproject.toml").read_text())
    locks = [ROOT / name for name in (FULL, DEMO, INSTALLER)]
    if missing := [path.name for path in locks if not path.is_file()]:
        print(f"Missing: {', '.join(missing)}. Run `make lock`.", file=sys.stderr)
        return 1
    if arguments == ["--stamp"]:
        for path in locks[:2]:
            stamp(path, digest)
    reference = pins((ROOT / FULL).read_text())
    found = [fault for path in locks for fault in faults(path.name, path.read_text(), digest, reference)]
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
