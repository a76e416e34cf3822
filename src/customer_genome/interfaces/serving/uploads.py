"""Files handed in on the dashboard: kept in a private folder of the workspace, within limits, and gone when they are replaced.

Comes in: a name as the browser tells it, and bytes. Goes out: an `Upload`. A file is written under a name of our own making, never run,
and looked at only after it is known how large it becomes when it is unpacked. At most two stay: the one that is being mapped, and
the one that the version on show was made from, which another run may need.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from customer_genome.errors import SourceError, WorkspaceError
from customer_genome.workspace import Workspace

MOST_MB = 200
"""The largest file that is taken. Larger ones are read where they are by `genome run FILE`."""
MOST_UNPACKED_MB = 2000
"""What a packed file or a workbook may become; more is taken for a trap."""
MOST_ENTRIES = 10_000
MOST_ROWS = 50_000_000
"""Rows of a Parquet file, which can hold billions of equal ones in a few bytes."""
DRAFT_SECONDS = 24 * 3600
ENDINGS = (
    "csv",
    "tsv",
    "tab",
    "txt",
    "psv",
    "dat",
    "gz",
    "zst",
    "bz2",
    "xz",
    "parquet",
    "pq",
    "xlsx",
    "xlsm",
    "xlsb",
    "xls",
    "ods",
)
_DRAFT, _ABOUT = "draft.json", "upload.json"
_BLOCK = 1 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz"}


@dataclass(frozen=True)
class Upload:
    """A file handed in.

    Attributes
    ----------
    name : as the browser told it, for people; never used as a path
    path : where it lies
    """

    upload_id: str
    name: str
    path: Path
    size: int

    @property
    def folder(self) -> Path:
        """The private folder of this file, for what is made from it."""
        return self.path.parent

    @property
    def tmp(self) -> Path:
        """The folder for work files of previews."""
        return self.folder / "tmp"

    def in_words(self, message: str) -> str:
        """Return a message that names the file as the visitor knows it, not where it lies."""
        return (
            message.replace(str(self.path), self.name).replace(self.path.name, self.name).replace(str(self.folder), "its folder")
        )


def safe_name(name: str) -> str:
    """Return a file name without a path, odd signs or a leading dot; the ending stays, since it tells how a file is packed.

    Examples
    --------
    >>> safe_name("../../etc/pass wd*.csv"), safe_name(".bashrc"), safe_name("C:\\\\x\\\\Umsätze 2024.XLSX")
    ('pass_wd_.csv', 'bashrc', 'Ums_tze_2024.xlsx')
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = _UNSAFE.sub("_", last).strip(".") or "data"
    stem, dot, ending = kept.rpartition(".")
    return f"{stem[-80:].lstrip('.-')}.{ending.lower()[:10]}" if dot else kept[-80:].lstrip("-") or "data"


def receive(workspace: Workspace, name: str, source: IO[bytes]) -> Upload:
    """Keep a file that was handed in; it takes the place of the one that was being mapped.

    Raises
    ------
    SourceError
        When it is empty, too large, or becomes too large when it is unpacked; nothing of it stays.
    WorkspaceError
        When it cannot be written.
    """
    upload_id = secrets.token_hex(8)
    folder = workspace.uploads / upload_id
    path = folder / safe_name(name)
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        workspace.uploads.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        size = _copied(source, path, name)
        refuse_traps(path, name)
        upload = Upload(upload_id, name, path, size)
        _write(folder / _ABOUT, {"name": name, "file": path.name, "size": size})
        _write(workspace.uploads / _DRAFT, {"id": upload_id})
    except (OSError, SourceError) as err:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(err, SourceError):
            raise
        raise WorkspaceError(
            f"{workspace.uploads} cannot be written: {err.strerror or err}. Check free disk space and permissions."
        ) from err
    tidy(workspace)
    return upload


def _copied(source: IO[bytes], path: Path, name: str) -> int:
    """Write the bytes to a new file that only this user can read; return their number."""
    size = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > MOST_MB * 1_000_000:
                raise SourceError(
                    f"{name} is larger than {MOST_MB} MB, the most that is taken here. Read it where it is: `genome run FILE` knows no limit; "
                    "or hand it in as Parquet or packed with gzip."
                )
            file.write(block)
    if size == 0:
        raise SourceError(
            f"{name} is empty (0 bytes). Wanted: a header line and at least one data line. Export or copy it again."
        )
    return size


def _write(path: Path, about: dict[str, Any]) -> None:
    """Write a small file that only this user can read."""
    part = path.with_name(path.name + ".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(about) + "\n")
    os.replace(part, path)


def draft(workspace: Workspace) -> Upload | None:
    """Return the file that is being mapped, whoever handed it in.

    None where there is none, nobody came back to it in a day, or a run has made a version of it.
    """
    try:
        if time.time() - (workspace.uploads / _DRAFT).stat().st_mtime > DRAFT_SECONDS:
            return None
        upload_id = json.loads((workspace.uploads / _DRAFT).read_text("utf-8"))["id"]
        return None if upload_id == _needed_by_recipe(workspace) else named(workspace, upload_id)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def named(workspace: Workspace, upload_id: str) -> Upload | None:
    """Return an upload by its id; None where it has gone."""
    if not re.fullmatch(r"[0-9a-f]{16}", upload_id):
        return None
    folder = workspace.uploads / upload_id
    try:
        about = json.loads((folder / _ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    path = folder / Path(about["file"]).name
    return Upload(upload_id, about["name"], path, int(about["size"])) if path.is_file() else None


def release(workspace: Workspace) -> None:
    """Stop mapping the file; it goes, unless a run reads it or the version on show was made from it."""
    (workspace.uploads / _DRAFT).unlink(missing_ok=True)
    tidy(workspace)


def tidy(workspace: Workspace) -> None:
    """Delete every file that neither is being mapped nor is needed to run again."""
    if not workspace.uploads.is_dir():
        return
    needed = {_needed_by_recipe(workspace), _needed_by_run(workspace)}
    mapped = draft(workspace)
    for folder in workspace.uploads.iterdir():
        if folder.is_dir() and folder.name not in needed and (mapped is None or folder.name != mapped.upload_id):
            shutil.rmtree(folder, ignore_errors=True)


def _needed_by_recipe(workspace: Workspace) -> str:
    """Return the id of the upload that the last run read; empty where it read something else."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        place = Path(json.loads(workspace.last_run.read_text("utf-8"))["data"])
        if place.parent.parent == workspace.uploads:
            return place.parent.name
    return ""


def _needed_by_run(workspace: Workspace) -> str:
    """Return the id of the upload that the run under way reads; empty where none does."""
    from customer_genome.interfaces.serving.child_runs import latest

    run = latest(workspace)
    return run.upload if run is not None and run.is_running else ""


# --- what a file becomes when it is unpacked --------------------------------------------------------------------------


def refuse_traps(path: Path, name: str) -> None:
    """Refuse a file that becomes too large when it is unpacked, whatever its own headers claim.

    Raises
    ------
    SourceError
        When it does, or is too damaged to tell.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(b"PK"):
        _require_small(_unpacked_zip(path, name), name)
    elif head == b"PAR1":
        _require_few_rows(path, name)
    elif path.suffix in _PACKED:
        _require_small(_unpacked(path, _PACKED[path.suffix], name), name)


def _require_small(blocks: Iterator[int], name: str) -> None:
    """Refuse what grows beyond the limit; no more of it is unpacked than that."""
    size = 0
    for block in blocks:
        size += block
        if size > MOST_UNPACKED_MB * 1_000_000:
            raise SourceError(
                f"{name} becomes larger than {MOST_UNPACKED_MB:,} MB when it is unpacked, which is the most that is taken here. If that is meant, "
                "unpack it yourself and read it where it is: `genome run FILE`."
            )


def _unpacked(path: Path, packing: str, name: str) -> Iterator[int]:
    """Yield the sizes of the unpacked blocks of a packed text."""
    import lzma

    import pyarrow as pa

    try:
        with lzma.open(path) if packing == "xz" else pa.input_stream(str(path), compression=packing) as stream:
            while block := stream.read(_BLOCK):
                yield len(block)
    except (OSError, EOFError, lzma.LZMAError, pa.ArrowInvalid) as err:
        raise SourceError(f"{name} is damaged or is not packed as its ending says. Copy or pack it again.") from err


def _unpacked_zip(path: Path, name: str) -> Iterator[int]:
    """Yield the sizes of the unpacked blocks of a workbook; what its directory claims is not believed."""
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as raw:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise SourceError(
                    f"{name} holds {len(entries):,} parts, more than the {MOST_ENTRIES:,} that are taken. Export it as CSV."
                )
            for entry in entries:
                yield from _inflated(raw, entry)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError) as err:
        raise SourceError(
            f"{name} is damaged or cut off (a workbook or ZIP archive that cannot be unpacked). Copy or save it again."
        ) from err


def _inflated(raw: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[int]:
    """Yield the sizes of the unpacked blocks of one part."""
    raw.seek(entry.header_offset)
    header = raw.read(30)
    if len(header) < 30:
        raise ValueError("cut off")
    raw.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
    left = entry.compress_size
    if entry.compress_type == zipfile.ZIP_STORED:
        yield left
        return
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        raise ValueError("packed in another way")
    inflate = zlib.decompressobj(-15)
    while left > 0 and not inflate.eof and (block := raw.read(min(_BLOCK, left))):
        left -= len(block)
        while block:
            yield len(inflate.decompress(block, 16 * _BLOCK))
            block = inflate.unconsumed_tail


def _require_few_rows(path: Path, name: str) -> None:
    """Refuse a Parquet file with more rows than are taken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as err:
        raise SourceError(f"{name} is a damaged or cut-off Parquet file. Copy or export it again.") from err
    if rows > MOST_ROWS:
        raise SourceError(
            f"{name} holds {rows:,} rows, more than the {MOST_ROWS:,} that are taken here. Read it where it is: `genome run FILE`."
        )
