"""Clean copies of text files an engine cannot read as they stand.

Comes in: a `TextFile` and the form wanted. Goes out: the path of a UTF-8 file with one plain delimiter, written as a
stream beside the other temporary files. A copy is named for its source's path, size and time, so that it is made only
once; it appears under its name only when it is complete.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TextIO

from customer_genome.errors import SourceError
from customer_genome.sources.text_bytes import DAMAGES, open_bytes
from customer_genome.sources.text_files import BLANKS, TextFile, csv_rows

_BLOCK = 1 << 20


def _undefined_as_latin1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("customer_genome.latin1", _undefined_as_latin1)


def clean_copy(file: TextFile, folder: Path, *, delimiter: str, quote: str = '"', order: Sequence[int] | None = None) -> Path:
    """Write a UTF-8 copy of a text file with the delimiter and column order wanted, and return its path.

    Parameters
    ----------
    folder : Path
        Where temporary files of the workspace lie; made when missing.
    order : places of the source's columns in the order wanted; None keeps theirs

    Raises
    ------
    SourceError
        When the source cannot be decoded or the copy cannot be written (disk full).
    """
    target = folder / _copy_name(file, delimiter, quote, order)
    if target.exists():
        return target
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", newline="") as out:
            if _only_recoded(file, delimiter, quote, order):
                _recode(file, out)
            else:
                _rewrite(file, out, delimiter, quote, order)
        part.replace(target)
    except UnicodeDecodeError as err:
        raise SourceError(
            f"{file.path} is not {file.encoding} throughout: byte {err.object[err.start]:#04x}. "
            'Say which encoding it has in genome.toml, e.g. encoding = "cp1252".'
        ) from err
    except csv.Error as err:
        raise SourceError(
            f"{file.path} cannot be cut into columns: {err}. Often a quote that is never closed. Export it again."
        ) from err
    except DAMAGES as err:
        raise SourceError(
            f"{file.path}: the {file.compression} archive is damaged or cut off ({err}). Copy or download it again."
        ) from err
    except OSError as err:
        raise SourceError(
            f"A readable copy of {file.path} could not be written to {folder}: {err.strerror or err}. Free some space there."
        ) from err
    finally:
        with suppress(OSError):
            part.unlink()
    return target


def _copy_name(file: TextFile, delimiter: str, quote: str, order: Sequence[int] | None) -> str:
    stat = file.path.stat()
    told = (
        str(file.path.resolve()), stat.st_size, stat.st_mtime_ns, file.encoding, file.delimiter, file.quote, file.skipped_lines,
        delimiter, quote, tuple(order or ()),
    )  # fmt: skip
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    return f"{file.path.name.split('.')[0]}-{digest}.csv"


def _only_recoded(file: TextFile, delimiter: str, quote: str, order: Sequence[int] | None) -> bool:
    is_alike = file.delimiter == delimiter and file.quote == quote and not file.has_stray_quotes
    return is_alike and order is None and file.skipped_lines == 0


def open_text(file: TextFile) -> TextIOWrapper:
    """Open a text file decoded as it was found to be encoded; line ends stay as they are."""
    errors = "customer_genome.latin1" if file.is_assumed_encoding else "strict"
    return TextIOWrapper(open_bytes(file.path, file.compression), encoding=file.encoding, errors=errors, newline="")


def _recode(file: TextFile, out: TextIO) -> None:
    with open_text(file) as source:
        text = source.read(_BLOCK).removeprefix("\ufeff")
        while text:
            out.write(text)
            text = source.read(_BLOCK)


def _rewrite(file: TextFile, out: TextIO, delimiter: str, quote: str, order: Sequence[int] | None) -> None:
    writer = csv.writer(out, delimiter=delimiter, quotechar=quote, lineterminator="\n")
    with open_text(file) as source:
        for row in islice(_rows(source, file), file.skipped_lines, None):
            writer.writerow(row if order is None else [row[place] if place < len(row) else "" for place in order])


def _rows(source: TextIO, file: TextFile) -> Iterator[list[str]]:
    """Yield the rows of a file that hold anything."""
    if file.delimiter == BLANKS:
        rows: Iterator[list[str]] = (line.removeprefix("\ufeff").split() for line in source)
    else:
        rows = csv_rows(source, file.delimiter, file.quote)
    return (row for row in rows if any(cell.strip() for cell in row))
