"""What the columns of a customer table are, and their values as numbers or names.

Comes in: an Arrow table whose cells may all be text. Goes out: for each column one of a few kinds (number, yes/no, category, date), or
the reason why nothing can be learned from it (constant, empty, an id, free text), and arrays of values. What a column is, is decided once, from
the table that is learned from; later tables are read by that decision and refused by name where they do not fit it. Nothing is fitted here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.errors import ContractError, did_you_mean
from customer_genome.models.segmentation.segments import significant

Kind = Literal["number", "yes_no", "category", "date"]
Values = Mapping[str, npt.NDArray[Any]]
"""Column -> floats (NaN where empty), or texts (None where empty) of a category."""

MISSING_WORDS = frozenset({"", "na", "n/a", "#n/a", "nan", "nat", "null", "<na>", "-", "?"})
YES, NO = frozenset({"yes", "y", "true", "t", "1"}), frozenset({"no", "n", "false", "f", "0"})
MOST_LEVELS = 50
"""A text column with more different values than this counts as free text, unless few of them cover nearly all rows."""
_COVERED, _READABLE, _ID_SHARE, _FEWEST_FOR_ID = 0.5, 0.98, 0.9, 20
_ID_NAME = re.compile(
    r"(^|[_\s-])(id|ids|uuid|guid|key|nr|no|number|phone|email|e-mail|name|surname|address)$|id$", re.IGNORECASE
)
_POINT = re.compile(r"[-+]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][-+]?\d+)?")
_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+)?(,\d*)?")
_UNITS = re.compile(r"[\s\u00a0£$€¥₹%]")
_DAY_ORDERS: Mapping[str, tuple[str, ...]] = {
    "ymd": ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"),
    "dmy": ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d/%m/%Y %H:%M", "%d %b %Y", "%d-%b-%Y"),
    "mdy": ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%Y %H:%M", "%b %d %Y", "%b %d, %Y"),
}
_EPOCH = dt.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Column:
    """A column that something can be learned from.

    Attributes
    ----------
    levels : texts
        Of a category every value seen, as first spelled, most frequent first; of yes/no the two spellings, no first.
    format : text
        The decimal mark of a number, the order of day and month of a date.
    low, typical, high : numbers
        The least, the middle and the largest value seen; of a category unused.
    n_missing : int, cells
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    format: str = ""
    low: float = 0.0
    typical: float = 0.0
    high: float = 0.0
    n_missing: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"levels": list(self.levels)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Column:
        """Return what `as_json` stored."""
        return cls(**{**stored, "levels": tuple(stored["levels"])})


@dataclass(frozen=True)
class Cells:
    """The cells of one column: texts without blanks around them, or numbers where the table has them.

    Attributes
    ----------
    codes : whole numbers, shape (n_rows,), -1 where the cell is empty
    words : what the codes stand for
    numbers : floats where the column came as numbers, else None
    """

    codes: npt.NDArray[np.int64]
    words: tuple[str, ...]
    numbers: npt.NDArray[np.float64] | None = None
    is_time: bool = False

    @property
    def is_empty(self) -> npt.NDArray[np.bool_]:
        """Which cells hold nothing."""
        return self.codes < 0

    def spread(self, values: Sequence[float]) -> npt.NDArray[np.float64]:
        """Return a number for each row from one for each word."""
        return np.append(np.asarray(values, dtype=np.float64), np.nan)[self.codes]

    def counts(self) -> npt.NDArray[np.int64]:
        """Return how many rows hold each word."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.words)).astype(np.int64)


def cells_of(table: pa.Table, name: str) -> Cells:
    """Return the cells of a column of an Arrow table."""
    column = table.column(name).combine_chunks()
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        days = np.asarray(pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64()).fill_null(0), dtype=np.float64) / 86_400e6
        days[np.asarray(pc.is_null(column))] = np.nan
        return _numeric(np.floor(days), is_time=True)
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
        kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numeric(np.asarray(pc.cast(column, pa.float64(), safe=False).fill_null(np.nan), dtype=np.float64))
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
    if not any(
        is_text(column.type)
        for is_text in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    ):
        raise ContractError(
            f'Column "{name}" holds {column.type}. Wanted: numbers, texts or days. Leave it out, or export it as text.'
        )
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    encoded = text.dictionary_encode()
    words = tuple(encoded.dictionary.to_pylist())
    codes = np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)
    kept = [place for place, word in enumerate(words) if word.casefold() not in MISSING_WORDS]
    renumbered = np.full(len(words) + 1, -1, dtype=np.int64)
    renumbered[kept] = np.arange(len(kept))
    return Cells(renumbered[codes], tuple(words[place] for place in kept))


def _numeric(numbers: npt.NDArray[np.float64], *, is_time: bool = False) -> Cells:
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    distinct, codes = np.unique(numbers, return_inverse=True)
    codes = np.where(np.isnan(numbers), -1, codes).astype(np.int64)
    known = distinct[np.isfinite(distinct)]
    words = tuple(f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(float(value)) for value in known)
    return Cells(codes, words, significant(numbers), is_time)


def typed(table: pa.Table, names: Iterable[str]) -> tuple[tuple[Column, ...], dict[str, str]]:
    """Return what can be learned from, in the order of the table, and why the other columns are left out."""
    columns: list[Column] = []
    left_out: dict[str, str] = {}
    for name in names:
        found = _typed(name, cells_of(table, name), table.num_rows)
        if isinstance(found, Column):
            columns.append(found)
        else:
            left_out[name] = found
    return tuple(columns), left_out


def _typed(name: str, cells: Cells, n_rows: int) -> Column | str:
    """Return the column, or the words that say why it is left out."""
    n_missing, n_distinct = int(cells.is_empty.sum()), len({word.casefold() for word in cells.words})
    if n_distinct == 0:
        return "no cell holds a value"
    if n_distinct == 1 and n_missing == 0:
        return f'every row holds the same value ("{cells.words[0]}")'
    if n_distinct == 1:
        return Column(name, "category", cells.words[:1], n_missing=n_missing)
    folded = {word.casefold() for word in cells.words}
    if folded <= YES | NO and n_distinct == 2 and len(folded & YES) == 1:
        spelled = sorted(cells.words, key=lambda word: word.casefold() in YES)
        return Column(name, "yes_no", tuple(spelled), n_missing=n_missing, high=1.0)
    for kind, form, numbers in _readings(cells):
        if kind == "number" and _counts_rows(name, numbers, n_rows):
            return "it looks like an id: every row holds another whole number"
        known = numbers[np.isfinite(numbers)]
        low, typical, high = float(known.min()), float(np.median(known)), float(known.max())
        return Column(name, kind, (), form, low, typical, high, int(np.isnan(numbers).sum()))
    return _category(name, cells, n_rows, n_missing, n_distinct)


def _category(name: str, cells: Cells, n_rows: int, n_missing: int, n_distinct: int) -> Column | str:
    """Return a column of names, or why these texts are no categories."""
    counts = cells.counts()
    order = np.lexsort((np.array(cells.words), -counts))
    n_known = max(int(counts.sum()), 1)
    if n_distinct > _ID_SHARE * n_known and n_known > _FEWEST_FOR_ID:
        return "it looks like an id or free text: nearly every row holds another value"
    if n_distinct > MOST_LEVELS and counts[order[:MOST_LEVELS]].sum() < _COVERED * n_known:
        return f"it looks like free text: {n_distinct:,} different values, few of them repeated"
    levels: dict[str, str] = {}
    for place in order:
        levels.setdefault(cells.words[place].casefold(), cells.words[place])
    return Column(name, "category", tuple(levels.values())[:MOST_LEVELS], n_missing=n_missing)


def _readings(cells: Cells) -> Iterable[tuple[Kind, str, npt.NDArray[np.float64]]]:
    """Yield the reading as numbers or as days that holds for nearly all cells, if there is one."""
    if cells.numbers is not None:
        yield ("date", "ymd", cells.numbers) if cells.is_time else ("number", ".", cells.numbers)
        return
    counts, n_known = cells.counts(), int((~cells.is_empty).sum())
    for kind, forms in (("number", (".", ",")), ("date", tuple(_DAY_ORDERS))):
        for form in forms:
            values = [_read(word, kind, form) for word in cells.words]
            if counts[np.isfinite(values)].sum() >= _READABLE * n_known:
                yield kind, form, cells.spread(values)  # type: ignore[misc]
                return


def _read(word: str, kind: str, form: str) -> float:
    """Return the number or the day that a text stands for, NaN where it stands for none."""
    return number_in(word, form) if kind == "number" else _day_in(word, form)


def number_in(word: str, mark: str = ".") -> float:
    """Return the number a text stands for, NaN where it is none; currency signs, blanks and thousands are taken off.

    Examples
    --------
    >>> number_in("$ 1,234.50"), number_in("1.234,5", ","), number_in("12 apples")
    (1234.5, 1234.5, nan)
    """
    bare = _UNITS.sub("", word)
    pattern, thousands = (_POINT, ",") if mark == "." else (_COMMA, ".")
    if not any(letter.isdigit() for letter in bare) or not pattern.fullmatch(bare):
        return float("nan")
    value = float(bare.replace(thousands, "").replace(mark, "."))
    return float(significant(value)) if np.isfinite(value) else float("nan")


def _day_in(word: str, order: str) -> float:
    """Return a day as days since 1970-01-01, NaN where the text is no day."""
    if not 8 <= len(word) <= 25 or not any(letter.isdigit() for letter in word):
        return float("nan")
    for pattern in _DAY_ORDERS[order]:
        try:
            return float((dt.datetime.strptime(word, pattern) - _EPOCH).days)
        except ValueError:
            continue
    return float("nan")


def _counts_rows(name: str, numbers: npt.NDArray[np.float64], n_rows: int) -> bool:
    """Return whether whole numbers name the rows: all different, and in sequence or called an id."""
    known = numbers[np.isfinite(numbers)]
    if len(known) < n_rows or n_rows <= _FEWEST_FOR_ID or not np.all(known == np.floor(known)) or len(np.unique(known)) < n_rows:
        return False
    return bool(np.ptp(known) == n_rows - 1) or _ID_NAME.search(name) is not None


def read_values(table: pa.Table, columns: Sequence[Column]) -> tuple[dict[str, npt.NDArray[Any]], list[str]]:
    """Return the values of a table by the columns a model knows, and what should be said about them.

    Raises
    ------
    ContractError
        Columns are missing, stand twice, or hold something of another kind; every fault is named.
    """
    faults = _missing(table, columns)
    values: dict[str, npt.NDArray[Any]] = {}
    notices: list[str] = []
    for column in columns:
        if column.name not in table.column_names or table.column_names.count(column.name) > 1:
            continue
        cells = cells_of(table, column.name)
        values[column.name], n_unread = _values(column, cells)
        n_known = int((~cells.is_empty).sum())
        if n_unread and (n_unread > n_known / 2 or table.num_rows == 1):
            shown = ", ".join(f'"{word}"' for word in cells.words[:3])
            faults.append(f'"{column.name}" holds {shown}. Wanted: {_wanted(column)}')
        elif n_unread:
            notices.append(f"{column.name}: {n_unread:,} of {n_known:,} cells are not {_wanted(column)} and count as empty.")
        if column.kind == "category":
            notices += _unseen(column, values[column.name])
    if faults:
        raise ContractError(f"The table does not fit the columns the model has learned from: {'; '.join(faults)}.")
    return values, notices


def _missing(table: pa.Table, columns: Sequence[Column]) -> list[str]:
    """Return the faults of the header."""
    faults = []
    for column in columns:
        n_times = table.column_names.count(column.name)
        if n_times == 0:
            faults.append(
                f'column "{column.name}" ({_wanted(column)}) is missing.{did_you_mean(column.name, table.column_names)}'.rstrip(
                    "?"
                )
            )
        elif n_times > 1:
            faults.append(f'column "{column.name}" stands {n_times} times')
    return faults


def _wanted(column: Column) -> str:
    """Return in words what cells of a column look like."""
    if column.kind == "category":
        return "one of " + ", ".join(column.levels[:4]) + (", ..." if len(column.levels) > 4 else "")
    return {"number": "a number", "date": "a day", "yes_no": f"{' or '.join(column.levels)}"}[column.kind]


def _values(column: Column, cells: Cells) -> tuple[npt.NDArray[Any], int]:
    """Return the values of a column, and how many cells are of another kind."""
    if column.kind == "category":
        spelled = {level.casefold(): level for level in column.levels}
        words = [spelled.get(word.casefold(), word) for word in cells.words]
        return np.array([*words, None], dtype=object)[cells.codes], 0
    if column.kind == "yes_no":
        numbers = cells.spread(
            [1.0 if word.casefold() in YES else 0.0 if word.casefold() in NO else np.nan for word in cells.words]
        )
    elif cells.numbers is not None:
        numbers = cells.numbers
    else:
        numbers = cells.spread([_read(word, column.kind, column.format) for word in cells.words])
    return numbers, int((np.isnan(numbers) & ~cells.is_empty).sum())


def _unseen(column: Column, values: npt.NDArray[Any]) -> list[str]:
    """Return a notice where a category holds names the model has never seen."""
    new = sorted({value for value in values if value is not None and value not in column.levels})
    if not new or len(column.levels) >= MOST_LEVELS:
        return []
    shown = ", ".join(f'"{value}"' for value in new[:3]) + (", ..." if len(new) > 3 else "")
    return [f"{column.name}: {shown} was not among the values learned from; it counts as another, rare one."]


def without(columns: Sequence[Column], names: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns but those named."""
    gone = set(names)
    return tuple(replace(column) for column in columns if column.name not in gone)
