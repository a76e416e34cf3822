"""The folder of one shop: where things lie in it, its format version, and the lock that lets one run write at a time.

genome.toml  categories.toml  playbooks.toml     what the user decides (all optional)
warehouse/warehouse.duckdb                       every input row with its class, and the marts
warehouse/tables/                                instead, after a run on Spark: the refused rows, as Parquet
models/                                          model versions and aliases
profiles/customers.parquet                       the customers of a labelled table, for the page Predict
published/v00001 ... CURRENT                     immutable results
backtest.json                                    how good forecasts were at past cutoffs
forgotten.json                                   salted digests of erased customers
last_run.json                                    what the last `genome run` was told, so that it can be run again
runs/                                            the run that the dashboard started, and how far it is
uploads/                                         files handed in on the dashboard; private, gone when replaced
tmp/                                             spill and work files; emptied by every run
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from customer_genome.errors import WorkspaceError

FORMAT_VERSION = 1


class Workspace:
    """Paths and housekeeping of a workspace folder. Creating the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.warehouse = self.root / "warehouse" / "warehouse.duckdb"
        self.building = self.root / "warehouse" / "building.duckdb"
        self.tables = self.root / "warehouse" / "tables"
        self.building_tables = self.root / "warehouse" / "building"
        self.published = self.root / "published"
        self.models = self.root / "models"
        self.profiles = self.root / "profiles"
        self.backtest = self.root / "backtest.json"
        self.last_run = self.root / "last_run.json"
        self.runs = self.root / "runs"
        self.uploads = self.root / "uploads"
        self.tmp = self.root / "tmp"

    def prepare(self) -> None:
        """Create the folders, or check that this version of the product may write here.

        Raises
        ------
        WorkspaceError
            When the folder cannot be written or was made by a newer format.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.check_format()
            for folder in (self.warehouse.parent, self.published, self.models, self.tmp):
                folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.root / "workspace.json", json.dumps({"format": FORMAT_VERSION}) + "\n")
        except OSError as err:
            raise WorkspaceError(
                f"{self.root} cannot be used as a workspace: {err.strerror}. Choose another folder with --workspace."
            ) from err

    def check_format(self) -> None:
        """Refuse a workspace that another format of the product made."""
        path = self.root / "workspace.json"
        if not path.exists():
            return
        try:
            found = int(json.loads(path.read_text(encoding="utf-8"))["format"])
        except (ValueError, KeyError, TypeError) as err:
            raise WorkspaceError(
                f"{path} is damaged. Wanted: a format number. Restore it, or start a new workspace with --workspace."
            ) from err
        if found > FORMAT_VERSION:
            raise WorkspaceError(
                f"{self.root} has workspace format {found}; this version of Customer Genome writes format {FORMAT_VERSION}. "
                "Upgrade with `pip install --upgrade customer-genome`, or use another workspace."
            )
        if found < FORMAT_VERSION:
            raise WorkspaceError(
                f"{self.root} has workspace format {found}, which is older than format {FORMAT_VERSION} of this version. "
                "Move its genome.toml to a new folder and run `genome run` there; the old results stay readable with the old version."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to write for the time of a run; a killed run releases it by itself.

        Raises
        ------
        WorkspaceError
            When another run holds it, or the folder cannot be written.
        """
        lock = FileLock(str(self.root / "run.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout as err:
            raise WorkspaceError(
                f"Another run is writing to {self.root}. Wait until it has finished, or choose another folder with --workspace."
            ) from err
        except OSError as err:
            raise WorkspaceError(
                f"{self.root} cannot be written: {err.strerror or err}. Check its permissions, or choose another folder with --workspace."
            ) from err
        try:
            yield
        finally:
            lock.release()

    def clear_leftovers(self) -> None:
        """Remove what a killed run left behind: half-written versions, work files, a half-built warehouse."""
        for leftover in [*self.published.glob("*.tmp"), *self.models.glob("*/*.tmp"), self.tmp]:
            shutil.rmtree(leftover, ignore_errors=True)
        for path in self.warehouse.parent.glob("building.duckdb*"):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.building_tables, ignore_errors=True)
        self.tmp.mkdir(parents=True, exist_ok=True)

    def switch_warehouse(self) -> None:
        """Put what a run has built in the place of the warehouse before: a DuckDB file, or tables of another engine."""
        if self.building.exists():
            os.replace(self.building, self.warehouse)
            shutil.rmtree(self.tables, ignore_errors=True)
            return
        shutil.rmtree(self.tables, ignore_errors=True)
        if self.building_tables.exists():
            os.rename(self.building_tables, self.tables)
        self.warehouse.unlink(missing_ok=True)

    def forgotten(self) -> tuple[str, tuple[str, ...]]:
        """Return the salt and the digests of erased customers."""
        path = self.root / "forgotten.json"
        if not path.exists():
            return "", ()
        stored = json.loads(path.read_text(encoding="utf-8"))
        return str(stored["salt"]), tuple(stored["digests"])

    def remember_to_forget(self, customer_id: str) -> None:
        """Add a customer's salted digest, so that the next run does not bring them back."""
        salt, digests = self.forgotten()
        salt = salt or secrets.token_hex(16)
        digest = hashlib.sha256((salt + customer_id).encode()).hexdigest()
        stored = {"salt": salt, "digests": sorted({*digests, digest})}
        write_atomically(self.root / "forgotten.json", json.dumps(stored, indent=1) + "\n")


def store_json(workspace: Path, name: str, values: Mapping[str, Any]) -> Path:
    """Write plain values to a file of a workspace and return its path; readers see the old or the new one whole."""
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / name
    write_atomically(path, json.dumps(values, indent=1) + "\n")
    return path


@contextmanager
def appearing_whole(output: Path) -> Iterator[Path]:
    """Give a file to write beside `output`, which takes its place when the block ends well and goes when it does not.

    Raises
    ------
    WorkspaceError
        When it cannot be written: disk full, read-only, a folder in its place.
    """
    temporary = output.with_name(output.name + ".part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, output)
    except OSError as err:
        raise WorkspaceError(f"{output} cannot be written: {err.strerror or err}. Choose another --output.") from err
    finally:
        with suppress(OSError):  # what went wrong before is what has to be said
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file so that a reader sees the old or the new text, never a part."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
