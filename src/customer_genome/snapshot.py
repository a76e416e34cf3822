"""Published versions: write one whole, switch to it atomically, read it.

    published/v00007/snapshot.duckdb   customers, orders, daily totals, ledger, ... (read-only)
    published/v00007/customers/*.parquet   instead of tables in that file, where a run on Spark published large ones
    published/v00007/manifest.json     what it is: data window, settings, model versions, checksums
    published/CURRENT                  the name of the version that readers open

A version is written as vNNNNN.tmp, synced, renamed, and only then named in CURRENT. A run killed at any moment leaves
the previous version current and readable.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer_genome.errors import SnapshotError, did_you_mean
from customer_genome.workspace import Workspace, sha256_of, sync_folder, write_atomically

DATABASE = "snapshot.duckdb"
MANIFEST = "manifest.json"
CURRENT = "CURRENT"


@dataclass(frozen=True)
class Snapshot:
    """One published version on disk."""

    version: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def database(self) -> Path:
        """The read-only DuckDB file."""
        return self.folder / DATABASE

    @property
    def parquet(self) -> dict[str, list[Path]]:
        """The tables that are folders of Parquet files, with their files in the order of their rows."""
        return parquet_tables(self.folder)


def parquet_tables(folder: Path) -> dict[str, list[Path]]:
    """Return the tables in a folder that are folders of Parquet files, with their files in the order of their rows."""
    if not folder.is_dir():
        return {}
    found = {path.name: sorted(path.glob("*.parquet")) for path in sorted(folder.iterdir()) if path.is_dir()}
    return {name: files for name, files in found.items() if files and name.isidentifier()}


def parquet_select(files: Sequence[Path]) -> str:
    """Return DuckDB's SQL that reads Parquet files below each other; signs that patterns use stand for themselves."""
    escaped = ("".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path)) for path in files)
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in escaped)
    return f"select * from read_parquet([{listed}])"


def publish(workspace: Workspace, write: Callable[[Path], None], manifest: Mapping[str, Any], keep_versions: int) -> Snapshot:
    """Write a new version and make it current.

    Parameters
    ----------
    write : function of the folder
        Writes the files of the version; whatever it raises leaves the current version untouched.
    manifest : mapping
        What the version is; version name and checksums are added here.
    """
    version = _next_version(workspace)
    temporary = workspace.published / f"{version}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write(temporary)
    final = workspace.published / version
    _seal(temporary, {"version": version, **manifest})
    os.rename(temporary, final)
    sync_folder(workspace.published)
    write_atomically(workspace.published / CURRENT, version + "\n")
    _prune(workspace, keep_versions)
    return read_snapshot(workspace, version)


def replace_files(snapshot: Snapshot, write: Callable[[Path], None]) -> None:
    """Write the files of a version anew under the same name (erasure of a customer); readers see old or new, never a mix."""
    temporary = snapshot.folder.with_name(snapshot.version + ".tmp")
    retired = snapshot.folder.with_name(snapshot.version + ".old.tmp")
    for folder in (temporary, retired):
        shutil.rmtree(folder, ignore_errors=True)
    temporary.mkdir()
    write(temporary)
    _seal(temporary, dict(snapshot.manifest))
    os.rename(snapshot.folder, retired)
    os.rename(temporary, snapshot.folder)
    sync_folder(snapshot.folder.parent)
    shutil.rmtree(retired)


def _seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write manifest and checksums, and make every file durable."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST]
    manifest["checksums"] = {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, default=str) + "\n")
    for path in [*paths, folder / MANIFEST]:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for inner in sorted({path.parent for path in paths} | {folder}):
        sync_folder(inner)


def versions(workspace: Workspace) -> list[str]:
    """Return the published versions, oldest first."""
    if not workspace.published.exists():
        return []
    return sorted(path.name for path in workspace.published.iterdir() if path.is_dir() and path.name[1:].isdigit())


def current_version(workspace: Workspace) -> str:
    """Return the version that CURRENT names.

    Raises
    ------
    SnapshotError
        When nothing has been published.
    """
    path = workspace.published / CURRENT
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as err:
        raise SnapshotError(
            f"Nothing has been published in {workspace.root} yet. Run `genome run DATA --workspace {workspace.root}`, "
            "or name the right folder with --workspace."
        ) from err


def read_snapshot(workspace: Workspace, version: str | None = None) -> Snapshot:
    """Return a published version, by default the current one.

    Raises
    ------
    SnapshotError
        When it does not exist or its manifest cannot be read.
    """
    workspace.check_format()
    name = version or current_version(workspace)
    folder = workspace.published / name
    if version is not None and not folder.exists():
        known = versions(workspace)
        raise SnapshotError(
            f"{workspace.root} has no version {name!r}.{did_you_mean(name, known)} Published: {', '.join(known) or 'none'}."
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise SnapshotError(
            f"Version {name} in {workspace.root} has no readable manifest. Publish again with `genome run`."
        ) from err
    return Snapshot(name, folder, manifest)


def damaged_files(snapshot: Snapshot) -> list[str]:
    """Return the files of a version whose checksum is not the published one."""
    expected: Mapping[str, str] = snapshot.manifest.get("checksums", {})
    return [
        name
        for name, digest in expected.items()
        if not (snapshot.folder / name).exists() or sha256_of(snapshot.folder / name) != digest
    ]


def _next_version(workspace: Workspace) -> str:
    """Return the name after the newest version, published or half-written."""
    workspace.published.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.name[1:6]) for path in workspace.published.iterdir() if path.name[1:6].isdigit()]
    return f"v{max(numbers, default=0) + 1:05d}"


def _prune(workspace: Workspace, keep_versions: int) -> None:
    """Remove versions older than the newest `keep_versions`, never the current one."""
    current = current_version(workspace)
    for name in versions(workspace)[:-keep_versions]:
        if name != current:
            shutil.rmtree(workspace.published / name, ignore_errors=True)
