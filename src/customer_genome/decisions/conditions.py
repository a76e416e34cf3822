"""The small language of rules: `column op value`, parsed and never evaluated as code.

    recency_days <= p30          the column's own 30 % mark in this run
    clv_180d > mean              or median
    recency_days > 2 * mean_gap_days
    n_orders in [1, 2]
    primary_country = "United Kingdom"

Comes in: the text of a rule, and an Arrow table of customers. Goes out: `Condition` values that print as they were
read, and which rows they hold for. An unknown value never matches. This module must not read files or settings.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.customers import BoolArray, Customers, FloatArray, Kind
from customer_genome.errors import SettingsError

OPERATORS: tuple[str, ...] = ("<=", ">=", "!=", "<", ">", "=", "in")
GRAMMAR = (
    "`column op value` with op one of "
    + ", ".join(OPERATORS)
    + "; value a number, text, date, p0..p100, mean, median, N * column or [list]"
)


@dataclass(frozen=True)
class Quantile:
    """The column's own quantile in this run: `p80` is the smallest value that at least 80 % do not exceed."""

    percent: float

    def __str__(self) -> str:
        """Return it as it is written in a rule."""
        return f"p{self.percent:g}"


@dataclass(frozen=True)
class Average:
    """The column's own mean or median in this run."""

    kind: Literal["mean", "median"]

    def __str__(self) -> str:
        """Return it as it is written in a rule."""
        return self.kind


@dataclass(frozen=True)
class Multiple:
    """A multiple of another column of the same customer."""

    factor: float
    column: str

    def __str__(self) -> str:
        """Return it as it is written in a rule."""
        return f"{_number_text(self.factor)} * {_column_text(self.column)}"


Scalar = float | bool | str | dt.date
Value = Scalar | Quantile | Average | Multiple | tuple[Scalar, ...]


@dataclass(frozen=True)
class Condition:
    """One rule: `column op value`. `str()` gives text that parses to an equal condition."""

    column: str
    op: str
    value: Value

    def __str__(self) -> str:
        """Return the rule as text."""
        if isinstance(self.value, tuple):
            return f"{_column_text(self.column)} in [{', '.join(_scalar_text(item) for item in self.value)}]"
        special = isinstance(self.value, (Quantile, Average, Multiple))
        return f"{_column_text(self.column)} {self.op} {self.value if special else _scalar_text(self.value)}"  # type: ignore[arg-type]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that have to be there."""
        return (self.column, self.value.column) if isinstance(self.value, Multiple) else (self.column,)

    @property
    def statistic(self) -> str:
        """Return the key of the run's own figure this rule needs ("recency_days p30"), or an empty text."""
        return f"{self.column} {self.value}" if isinstance(self.value, (Quantile, Average)) else ""


# --- text to condition -----------------------------------------------------------------------------------------

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NAME = r'[^\W\d]\w*|"[^"]+"'
_CONDITION = re.compile(rf"\s*(?P<column>{_NAME})\s*(?P<op><=|>=|!=|==|<>|<|>|=|in(?![\w]))\s*(?P<value>.*?)\s*", re.DOTALL)
_MULTIPLE = re.compile(rf"({_NUMBER})\s*\*\s*({_NAME})")
_ITEM = re.compile(r"""\s*("[^"]*"|'[^']*'|[^,"'\[\]]+?)\s*(?:,|$)""")
_BARE_TEXT = re.compile(r"[^\W\d][\w &./-]*")


def parse_condition(text: str) -> Condition:
    """Return the condition that `text` spells.

    Raises
    ------
    SettingsError
        Saying what cannot be read and what was wanted.

    Examples
    --------
    >>> parse_condition("recency_days <= p30")
    Condition(column='recency_days', op='<=', value=Quantile(percent=30.0))
    >>> str(parse_condition("n_orders in [1,2]"))
    'n_orders in [1, 2]'
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise SettingsError(f"{text!r} is no rule. Wanted: {GRAMMAR}.")
    column, op, value = found["column"].strip('"'), found["op"], found["value"]
    if op in ("==", "<>"):
        raise SettingsError(
            f'{text!r}: operator {op} is not known. Did you mean "{"=" if op == "==" else "!="}"? Wanted: {GRAMMAR}.'
        )
    if op == "in":
        return Condition(column, op, _parse_list(value, text))
    parsed = _parse_value(value, text)
    if op not in ("=", "!=") and isinstance(parsed, (str, bool)):
        raise SettingsError(
            f"{text!r}: {value} has no order, so {op} says nothing. Wanted: a number, a date, p0..p100, mean or median; "
            f"to compare with another column write `{column} {op} 1 * {value}`."
        )
    return Condition(column, op, parsed)


def _parse_list(value: str, text: str) -> tuple[Scalar, ...]:
    """Return the items of `[a, b]`, all of one kind."""
    if not (value.startswith("[") and value.endswith("]")):
        raise SettingsError(f"{text!r}: `in` needs a list. Wanted: a list in brackets such as [1, 2].")
    items: list[Scalar] = []
    inner, place = value[1:-1].strip(), 0
    while place < len(inner):
        found = _ITEM.match(inner, place)
        if found is None:
            raise SettingsError(
                f"{text!r}: the list cannot be read from {inner[place:]!r} on. Wanted: numbers or texts between commas."
            )
        items.append(_parse_scalar(found[1], text))
        place = found.end()
    kinds = {type(item) for item in items}
    if len(kinds) != 1:
        problem = "is empty" if not items else "mixes kinds"
        raise SettingsError(f"{text!r}: the list {problem}. Wanted: at least one value, all numbers or all texts.")
    return tuple(items)


def _parse_value(value: str, text: str) -> Value:
    """Return the value of a rule that is not a list."""
    if value in ("mean", "median"):
        return Average("mean" if value == "mean" else "median")
    if re.fullmatch(r"p\d+(\.\d+)?", value):
        percent = float(value[1:])
        if percent > 100:
            raise SettingsError(f"{text!r}: {value} is no quantile. Wanted: p0 to p100.")
        return Quantile(percent)
    multiple = _MULTIPLE.fullmatch(value)
    if multiple:
        return Multiple(float(multiple[1]), multiple[2].strip('"'))
    return _parse_scalar(value, text)


def _parse_scalar(value: str, text: str) -> Scalar:
    """Return a number, percentage, date, truth value or text."""
    if re.fullmatch(rf"{_NUMBER}\s*%?", value):
        number = float(value.rstrip("% ")) / (100.0 if value.endswith("%") else 1.0)
        if np.isinf(number):
            raise SettingsError(f"{text!r}: {value} is too large a number. Wanted: one below 1.8e308.")
        return number + 0.0
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError as err:
            raise SettingsError(f"{text!r}: {value} is no day of the calendar. Wanted: a date such as 2011-12-09.") from err
    if value in ("true", "false"):
        return value == "true"
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'" and value[0] not in value[1:-1]:
        return value[1:-1]
    if _BARE_TEXT.fullmatch(value):
        return value
    raise SettingsError(
        f"{text!r}: the value {value!r} cannot be read. Put text in quotes; write numbers as 1234.5. Wanted: {GRAMMAR}."
    )


def _number_text(number: float) -> str:
    return repr(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def _column_text(column: str) -> str:
    return column if re.fullmatch(r"[^\W\d]\w*", column) and column != "in" else f'"{column}"'


def _scalar_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return f"'{value}'" if '"' in value else f'"{value}"'
    return _number_text(value)


# --- condition to rows ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A figure of all customers that a rule compares with: the value at `percent` % of a column, or its mean.

    Attributes
    ----------
    key : as `Condition.statistic`
    percent : 0..100; None for the mean
    is_date : whether the column holds dates; its figure is in days since 1970
    """

    key: str
    column: str
    percent: float | None
    is_date: bool


def figures_wanted(conditions: Iterable[Condition], customers: Customers) -> tuple[Figure, ...]:
    """Return every figure the rules compare with, once; columns that say nothing need none.

    Raises
    ------
    SettingsError
        When the column holds another kind of value than the rule compares with.
    """
    wanted: dict[str, Figure] = {}
    for condition in conditions:
        key, value, column = condition.statistic, condition.value, condition.column
        if not key or key in wanted or not customers.has(column):
            continue
        _check_kind(condition, customers)
        percent = value.percent if isinstance(value, Quantile) else 50.0 if value == Average("median") else None
        wanted[key] = Figure(key, column, percent, customers.kind(column) == "date")
    return tuple(wanted.values())


def holds(condition: Condition, customers: Customers, statistics: Mapping[str, float]) -> BoolArray:
    """Return for which customers the condition holds, bool array of shape (n_customers,); never where a value is unknown.

    Raises
    ------
    SettingsError
        When the column holds another kind of value than the rule compares with.
    """
    _check_kind(condition, customers)
    value = condition.value
    if customers.kind(condition.column) == "text":
        wanted = value if isinstance(value, tuple) else (value,)
        texts = customers.texts(condition.column)
        found = pc.is_in(texts, value_set=pa.array([str(item) for item in wanted]))
        found = pc.and_(pc.is_valid(texts), pc.invert(found) if condition.op == "!=" else found)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)
    left = customers.numbers(condition.column)
    if isinstance(value, tuple):
        return np.asarray(np.isin(left, [_as_number(item) for item in value]), dtype=np.bool_)
    right = right_side(condition, customers, statistics)
    return np.asarray(_COMPARE[condition.op](left, right) & ~np.isnan(left) & ~np.isnan(right), dtype=np.bool_)


def right_side(condition: Condition, customers: Customers, statistics: Mapping[str, float]) -> FloatArray:
    """Return the number each customer is compared with: shape () or, for a multiple of a column, (n_customers,)."""
    value = condition.value
    if isinstance(value, Multiple):
        return value.factor * customers.numbers(value.column)
    if condition.statistic:
        return np.asarray(statistics.get(condition.statistic, np.nan), dtype=np.float64)
    return np.asarray(_as_number(value), dtype=np.float64)


_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "!=": np.not_equal,
}


def _as_number(value: Value) -> float:
    """Return a scalar as the number `Customers.numbers` would give it."""
    if isinstance(value, dt.date):
        return float((value - dt.date(1970, 1, 1)).days)
    return float(value)  # type: ignore[arg-type]


def _check_kind(condition: Condition, customers: Customers) -> None:
    """Raise where the rule compares a column with a value of another kind."""
    held = customers.kind(condition.column)
    sample = condition.value[0] if isinstance(condition.value, tuple) else condition.value
    given: Kind = "number"
    if isinstance(sample, Multiple):
        if customers.kind(sample.column) == "text":
            raise SettingsError(
                f"`{condition}`: column {sample.column} holds text and cannot be multiplied. Wanted: a column of numbers."
            )
    elif isinstance(sample, bool):
        given = "flag"
    elif isinstance(sample, dt.date):
        given = "date"
    elif isinstance(sample, str):
        given = "text"
    if held != given and not (held == "date" and isinstance(sample, Quantile)):
        raise SettingsError(
            f"`{condition}`: column {condition.column} holds {_PLURAL[held]}, the rule compares with a {given}. Wanted: a value of that kind."
        )


_PLURAL: Mapping[Kind, str] = {"number": "numbers", "text": "text", "flag": "true or false", "date": "dates"}
