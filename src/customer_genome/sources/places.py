"""Which files a path means, and what kind of file each is.

Comes in: a path, a folder or a glob as the user wrote it. Goes out: the files in order, and the kind of each by its
first bytes, never by its name alone. Reads a few bytes per file, writes nothing.
"""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from customer_genome.errors import SourceError, did_you_mean

FileKind = Literal["text", "parquet", "excel"]

DATA_SUFFIXES = (
    ".csv", ".tsv", ".tab", ".txt", ".psv", ".dat", ".csv.gz", ".tsv.gz", ".txt.gz", ".csv.zst", ".tsv.zst", ".txt.zst", ".gz", ".zst",
    ".bz2", ".xz", ".parquet", ".pq", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods",
)  # fmt: skip
_SUPPORTED = "CSV and other delimited text (also .gz, .zst), Parquet, Excel"


def files_at(path: str | Path) -> list[Path]:
    """Return the files a path stands for: itself, those of a folder and its sub-folders, or those a glob matches.

    Raises
    ------
    SourceError
        Nothing there (near names of the same folder are offered), or a folder without data files.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        found = sorted(file for file in place.rglob("*") if file.is_file() and _is_data_file(file, place))
        if not found:
            raise SourceError(f"{place} is a folder without data files. Wanted: {_SUPPORTED}.")
        return found
    if place.exists():
        return [place]
    if glob.has_magic(str(place)):
        found = sorted(Path(match) for match in glob.glob(str(place), recursive=True) if Path(match).is_file())
        if not found:
            raise SourceError(f"No file matches {place}. Check the folder and the pattern.")
        return found
    raise SourceError(f"{place} does not exist.{_near(place)}")


def _is_data_file(file: Path, folder: Path) -> bool:
    """Return whether a file in a folder is data: a known ending, nothing hidden, no marker of a writing job."""
    hidden = any(part.startswith((".", "_", "~$")) for part in file.relative_to(folder).parts)
    is_readme = file.stem.lower() in ("readme", "license", "licence", "changelog")
    return not hidden and not is_readme and file.name.lower().endswith(DATA_SUFFIXES)


def _near(place: Path) -> str:
    """Return near names in the folder where a file was looked for, or how far the path exists."""
    folder = place.parent
    if folder.is_dir():
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        near = did_you_mean(place.name, names)
        if near:
            return near
        same_stem = [name for name in names if name.split(".")[0].lower() == place.name.split(".")[0].lower()]
        shown = same_stem[:3] or [name for name in names if name.lower().endswith(DATA_SUFFIXES)][:5]
        return f" In {folder} are: {', '.join(shown)}." if shown else f" {folder} has no data files."
    above = next((parent for parent in place.parents if parent.is_dir()), None)
    return f" There is no folder {folder}; the path exists up to {above}." if above else f" There is no folder {folder}."


def kind_of(file: Path) -> FileKind:
    """Return what kind of file it is, by its first bytes.

    Raises
    ------
    SourceError
        The file is empty, unreadable, or of a kind that holds no table.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(8)
    except OSError as err:
        raise SourceError(f"{file} cannot be opened: {err.strerror or err}. Check its permissions.") from err
    name = file.name.lower()
    if not head:
        raise SourceError(
            f"{file} is empty (0 bytes). Wanted: a header line and at least one data line. Export or copy it again."
        )
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "excel"
    if head.startswith(b"PK"):
        return _kind_of_zip(file)
    if head == b"SQLite f":
        raise SourceError(
            f"{file} is an SQLite database. Write its address instead: sqlite:///{file}, with `table` or `query` under "
            "[tables.order_lines] in genome.toml where the table is not called order_lines."
        )
    if head.startswith(b"ARROW1"):
        raise SourceError(
            f"{file} is an Arrow file. Wanted: {_SUPPORTED}. Rewrite it as Parquet, or hand the Arrow table over from Python."
        )
    if name.endswith((".parquet", ".pq")):
        raise SourceError(
            f"{file} is called Parquet but does not begin like one; it is damaged or something else. Copy or export it again."
        )
    if name.endswith((".xlsx", ".xlsm", ".xlsb", ".ods")):
        raise SourceError(f"{file} is called Excel but does not begin like one; it is damaged or something else. Save it again.")
    return "text"


def _kind_of_zip(file: Path) -> FileKind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as err:
        raise SourceError(
            f"{file} is damaged or cut off (a workbook or ZIP archive without its end). Copy or save it again."
        ) from err
    if any(name.startswith("xl/") for name in names) or "content.xml" in names:
        return "excel"
    raise SourceError(f"{file} is a ZIP archive of {', '.join(names[:3])}. Unpack it and give the file inside.")


def one_kind(files: Sequence[Path]) -> FileKind:
    """Return the kind all files share; SourceError naming one that differs."""
    first = kind_of(files[0])
    for file in files[1:]:
        kind = kind_of(file)
        if kind != first:
            raise SourceError(
                f"{file} is {kind}, but {files[0]} is {first}. Wanted: files of one kind. "
                "Move one of them away, or give a pattern such as folder/*.csv."
            )
    return first


def label_of(path: str | Path, files: Sequence[Path]) -> str:
    """Return what people call a source in messages."""
    return files[0].name if len(files) == 1 else f"{path} ({len(files)} files)"
