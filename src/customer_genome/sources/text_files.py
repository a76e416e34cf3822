"""What a delimited text file looks like: compression, encoding, delimiter, quotes, header, and a sample of its rows.

Comes in: a path and what the user said about the file. Goes out: a `TextFile`. Reads the head of the file and a few
places further on, never the whole of a large one. It does not judge what the columns mean.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from customer_genome.errors import SourceError
from customer_genome.sources.text_bytes import (
    DAMAGES,
    UNPACKED_BYTES,
    Compression,
    compression_of,
    decoded,
    encoding_of,
    open_bytes,
    refuse_strangers,
)
from customer_genome.sources.text_formats import looks_like_number, possible_orders

BLANKS = "blanks"
HEAD_BYTES = 1 << 18
PLACE_BYTES = 1 << 16
PLACES = 8
SAMPLE_ROWS = 4000

_USUAL_DELIMITERS = (",", ";", "\t", "|")
_RARE_DELIMITERS = ("^", "~", "\x01", "\x1f", "#", ":", "!")
_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", " ": BLANKS, "blank": BLANKS,
                    "space": BLANKS, "whitespace": BLANKS, "blanks": BLANKS}  # fmt: skip
_MOST_TITLE_LINES = 20


@dataclass(frozen=True)
class TextHints:
    """What the user said about a file; None where they said nothing."""

    delimiter: str | None = None
    encoding: str | None = None
    has_header: bool | None = None


@dataclass(frozen=True)
class TextFile:
    """How one delimited text file is written.

    Attributes
    ----------
    delimiter : one character, or `BLANKS` for columns set apart by runs of blanks
    quote : one character, or "" where nothing is quoted
    skipped_lines : lines above the header that are no table (titles, "sep=;")
    header : the names of the columns; None when the first line is data
    first_row : the first line of the table as it stands
    rows : sample of data rows, all of the width of the table
    n_columns : the width of the table
    is_assumed_encoding : the encoding is a fallback, not proven
    has_stray_quotes : a quote stands amid a quoted field and is not doubled; an engine would read on to the next quote, over many lines
    """

    path: Path
    compression: Compression
    encoding: str
    delimiter: str
    quote: str
    header: tuple[str, ...] | None
    first_row: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_columns: int
    skipped_lines: int = 0
    is_assumed_encoding: bool = False
    has_stray_quotes: bool = False

    @property
    def is_readable_as_is(self) -> bool:
        """Return whether an engine can read the file without a clean copy."""
        return (
            self.encoding in ("utf-8", "utf-8-sig")
            and self.compression in ("none", "gzip", "zstd")
            and self.delimiter != BLANKS
            and self.skipped_lines == 0
            and not self.has_stray_quotes
        )

    def with_fewer_rows(self, most: int) -> TextFile:
        """Return the file with at most `most` sampled rows."""
        return replace(self, rows=_thinned(self.rows, most))


def look_at(path: Path, hints: TextHints) -> TextFile:
    """Return how a delimited text file is written.

    Raises
    ------
    SourceError
        Empty file, header only is fine here; binary content, a damaged archive, an unknown encoding.
    """
    compression = compression_of(path)
    try:
        blocks, is_whole = _blocks(path, compression)
        if not blocks or not blocks[0].strip(b"\x00 \t\r\n" + codecs.BOM_UTF8):
            raise SourceError(f"{path} is empty. Wanted: a header line and at least one data line. Export the file again.")
        encoding, is_assumed = encoding_of(path, compression, blocks, hints.encoding)
    except (*DAMAGES, OSError) as err:
        raise SourceError(f"{path}: the {compression} archive is damaged or cut off ({err}). Copy or download it again.") from err
    refuse_strangers(path, blocks[0], encoding)
    head = decoded(blocks[0], encoding, is_start=True)
    file = _table_in(path, compression, encoding, head, is_whole, hints)
    if len(blocks) > 1:
        amid = [decoded(block, encoding, is_start=False) for block in blocks[1:]]
        rows = [row for text in amid for row in _rows_amid(text, file)]
        is_stray = file.has_stray_quotes or any(_may_have_stray_quotes(text, file) for text in amid)
        file = replace(file, rows=_thinned([*file.rows, *rows], SAMPLE_ROWS), has_stray_quotes=is_stray)
    return replace(file, is_assumed_encoding=is_assumed)


def _blocks(path: Path, compression: Compression) -> tuple[list[bytes], bool]:
    """Return the head of a file and a few places further on, and whether the head is the whole file."""
    with open_bytes(path, compression) as file:
        head = _read_up_to(file, HEAD_BYTES + 1)
        if len(head) <= HEAD_BYTES:
            return [head], True
        blocks = [head[:HEAD_BYTES]]
        if compression == "none":
            size = path.stat().st_size
            for place in range(1, PLACES + 1):
                start = HEAD_BYTES + (size - HEAD_BYTES - PLACE_BYTES) * place // PLACES
                file.seek(max(HEAD_BYTES, start - start % 4))
                blocks.append(file.read(PLACE_BYTES))
        else:
            step = UNPACKED_BYTES // PLACES
            for _ in range(PLACES):
                block = _read_up_to(file, step)
                blocks.append(block[:PLACE_BYTES])
                if len(block) < step:
                    break
    return [block for block in blocks if block], False


def _read_up_to(file: BinaryIO, size: int) -> bytes:
    parts, missing = [], size
    while missing > 0:
        part = file.read(missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


# --- dialect -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parsed:
    """One way to cut the head of a file into a table."""

    delimiter: str
    quote: str
    rows: list[list[str]]
    width: int
    share: float
    skipped: int


def delimiter_named(given: str) -> str:
    """Return the delimiter a user means by its name or itself ("tab", "\\t", ";", "whitespace")."""
    delimiter = _DELIMITER_NAMES.get(given.lower(), given)
    if delimiter != BLANKS and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise SourceError(
            f'delimiter = "{given}" cannot be used. Wanted: one character such as "," or ";", or one of '
            f"{', '.join(name for name in _DELIMITER_NAMES if name.isalpha())}. Leave it out to have it found."
        )
    return delimiter


def _table_in(path: Path, compression: Compression, encoding: str, head: str, is_whole: bool, hints: TextHints) -> TextFile:
    """Return the table that the head of a file shows."""
    announced, head = _announced_delimiter(head)
    text = head if is_whole else head[: max(head.rfind("\n"), head.rfind("\r")) + 1] or head
    given = delimiter_named(hints.delimiter) if hints.delimiter else announced
    parsed = _best_cut(text, given)
    table = parsed.rows[parsed.skipped :]
    first = tuple(cell.strip() for cell in table[0])
    is_header = hints.has_header if hints.has_header is not None else looks_like_header(first, table[1:])
    body = [tuple(row) for row in (table[1:] if is_header else table) if len(row) == parsed.width]
    return TextFile(
        path=path,
        compression=compression,
        encoding=encoding,
        delimiter=parsed.delimiter,
        quote=parsed.quote,
        header=tuple(name or f"column {place}" for place, name in enumerate(first, start=1)) if is_header else None,
        first_row=first,
        rows=_thinned(body, SAMPLE_ROWS),
        n_columns=parsed.width,
        skipped_lines=parsed.skipped + (1 if announced else 0),
        has_stray_quotes=has_stray_quotes(text, parsed.delimiter, parsed.quote),
    )


def _announced_delimiter(head: str) -> tuple[str | None, str]:
    """Return the delimiter of a spreadsheet's "sep=;" line, if there is one, and the text below it."""
    first, _, rest = head.partition("\n")
    line = first.strip().strip('"')
    if line.lower().startswith("sep=") and len(line) == 5:
        return line[4], rest
    return None, head


def _best_cut(text: str, given: str | None) -> _Parsed:
    """Return the way of cutting that gives the most regular table."""
    if given == BLANKS:
        return _cut_at_blanks(text) or _single_column(text)
    if given is not None:
        return _best_quote(text, given) or _single_column(text, given)
    for group in (_USUAL_DELIMITERS, _RARE_DELIMITERS):
        cuts = [cut for cut in (_best_quote(text, mark) for mark in group if mark in text) if cut is not None]
        good = [cut for cut in cuts if cut.width > 1 and cut.share >= 0.8]
        if good:
            return max(good, key=lambda cut: (-cut.skipped, round(cut.share, 2), cut.width))
        if group is _USUAL_DELIMITERS:
            blanks = _cut_at_blanks(text)
            if blanks is not None:
                return blanks
            fair = [cut for cut in cuts if cut.width > 1 and cut.share >= 0.5]
            if fair:
                return max(fair, key=lambda cut: (cut.share, cut.width))
    return _single_column(text)


def _best_quote(text: str, delimiter: str) -> _Parsed | None:
    """Return the cut at `delimiter` with the quote character that fits best."""
    best: _Parsed | None = None
    for quote in ('"', "'", ""):
        if quote == "'" and text.count(f"{delimiter}'") < max(3, text.count("\n") // 2):
            continue
        if quote == "" and '"' not in text:
            continue
        cut = _cut(text, delimiter, quote)
        if cut is not None and (best is None or cut.share > best.share + 0.02 or _tears_lines_less(cut, best)):
            best = cut
    return best


def _tears_lines_less(cut: _Parsed, best: _Parsed) -> bool:
    """Return whether `cut` needs no line breaks inside fields where `best` does, and is as regular (inch marks, not quotes)."""
    is_regular = cut.quote == "" and cut.width == best.width and cut.share >= best.share
    return is_regular and any("\n" in cell for row in best.rows for cell in row)


def _cut(text: str, delimiter: str, quote: str) -> _Parsed | None:
    try:
        rows = list(csv_rows(io.StringIO(text, newline=""), delimiter, quote))
    except csv.Error:
        return None
    return _measured(delimiter, quote, [row for row in rows if any(cell.strip() for cell in row)])


def has_stray_quotes(text: str, delimiter: str, quote: str) -> bool:
    """Return whether a quote that is not doubled stands amid a quoted field.

    Examples
    --------
    >>> has_stray_quotes('a,"12" ruler"', ",", '"'), has_stray_quotes('a,"12"" ruler"', ",", '"')
    (True, False)
    """
    if not quote or delimiter == BLANKS:
        return False
    try:
        deque(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True), maxlen=0)
    except csv.Error as err:
        return "expected after" in str(err)
    return False


def _may_have_stray_quotes(text: str, file: TextFile) -> bool:
    """Return the same of a text that may begin amid a field: whether a quote has other letters on both sides."""
    if not file.quote or file.delimiter == BLANKS:
        return False
    quote, delimiter = re.escape(file.quote), re.escape(file.delimiter)
    return re.search(rf"[^\s{quote}{delimiter}]{quote}(?!{quote})(?!\s*(?:{delimiter}|[\r\n]|$))", text) is not None


def csv_rows(lines: Iterable[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    """Yield the rows of delimited text; `quote` is "" where nothing is quoted."""
    if quote:
        return csv.reader(lines, delimiter=delimiter, quotechar=quote, doublequote=True)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def _measured(delimiter: str, quote: str, rows: list[list[str]]) -> _Parsed | None:
    """Return rows with their usual width and the share that has it; None when the first line fits no table."""
    if not rows:
        return None
    width, count = max(Counter(len(row) for row in rows).items(), key=lambda item: (item[1], item[0]))
    rows, width = _with_full_header(rows, width)
    skipped = next((place for place, row in enumerate(rows[:_MOST_TITLE_LINES]) if len(row) == width), None)
    if skipped is None or any(len([cell for cell in row if cell.strip()]) > 2 for row in rows[:skipped]):
        return None
    if skipped and count < 2 * skipped:
        return None
    return _Parsed(delimiter, quote, rows, width, count / (len(rows) - skipped), skipped)


def _with_full_header(rows: list[list[str]], width: int) -> tuple[list[list[str]], int]:
    """Return rows whose header has one name too few made whole.

    Two programs write such files: one ends every data line with a delimiter, the other puts row names before them.
    """
    head = rows[0]
    if len(head) != width - 1 or len(head) < 2 or any(not cell.strip() or _is_datum(cell.strip()) for cell in head):
        return rows, width
    if all(not row[-1].strip() for row in rows[1:] if len(row) == width):
        return [row[:-1] if len(row) == width else row for row in rows], width - 1
    return [["", *head], *rows[1:]], width


def _cut_at_blanks(text: str) -> _Parsed | None:
    """Return the table of columns set apart by runs of blanks, when every line has the same number of them."""
    lines = [line for line in text.splitlines() if line.strip()]
    cut = _measured(BLANKS, "", [line.split() for line in lines])
    if cut is None or cut.width < 2 or cut.share < 0.98 or cut.skipped:
        return None
    is_aligned = any("  " in line.strip() or "\t" in line or line[0] == " " for line in lines)
    return cut if is_aligned or cut.width > 2 else None


def _single_column(text: str, given: str | None = None) -> _Parsed:
    """Return a file of one column, cut at a character that does not stand in it."""
    delimiter = given or next((mark for mark in (*_USUAL_DELIMITERS, "\x1f") if mark not in text), "\x1f")
    rows = [[line.strip().strip('"')] for line in text.splitlines() if line.strip()]
    return _Parsed(delimiter, '"', rows or [[""]], 1, 1.0, 0)


def _rows_amid(text: str, file: TextFile) -> list[tuple[str, ...]]:
    """Return the whole rows of a block from the middle of a file."""
    start = min((place for place in (text.find("\n"), text.find("\r")) if place >= 0), default=-1)
    end = max(text.rfind("\n"), text.rfind("\r"))
    if start < 0 or end <= start:
        return []
    body = text[start + 1 : end]
    if file.delimiter == BLANKS:
        rows = [line.split() for line in body.splitlines()]
    else:
        try:
            rows = list(csv_rows(io.StringIO(body, newline=""), file.delimiter, file.quote))
        except csv.Error:
            return []
    return [tuple(row[: file.n_columns]) for row in rows if len(row) == file.n_columns or (row and not row[-1])]


def _thinned(rows: Sequence[tuple[str, ...]], most: int) -> tuple[tuple[str, ...], ...]:
    """Return at most `most` rows, spread evenly."""
    if len(rows) <= most:
        return tuple(rows)
    return tuple(rows[place * len(rows) // most] for place in range(most))


def looks_like_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether the first line names columns: no cell is a number or a time, or most are unlike what is below."""
    if not first or (any(not cell for cell in first) and all(not cell or _is_datum(cell) for cell in first)):
        return False
    data_like = [place for place, cell in enumerate(first) if _is_datum(cell)]
    if not data_like:
        return True
    words = [cell for cell in first if cell and not _is_datum(cell)]
    under = [row for row in below if len(row) == len(first)][:200]
    unlike = sum(1 for place, cell in enumerate(first) if cell and not _is_datum(cell) and _mostly_data(under, place))
    return len(words) > len(data_like) and unlike > 0


def _is_datum(cell: str) -> bool:
    return looks_like_number(cell) or bool(possible_orders(cell, 2100))


def _mostly_data(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = [row[place].strip() for row in rows if row[place].strip()]
    return bool(cells) and sum(1 for cell in cells if _is_datum(cell)) > 0.8 * len(cells)
