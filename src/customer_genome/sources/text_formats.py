"""How times and numbers are written in text: which readings a value allows, and the patterns an engine needs.

Comes in: text values from a column. Goes out: the order of day, month and year; the strptime patterns of that order;
the decimal mark; or the finding that the values allow two readings. Pure: it reads no file and never guesses, it only
says what is possible. The engine does the reading itself with these patterns.

A value such as 03/04/2011 allows day-first and month-first, 13/04/2011 only day-first. What a column means is what
all of its values allow.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Order = Literal["ymd", "dmy", "mdy", "epoch"]
Mark = Literal[".", ","]

EARLIEST_YEAR = 1900

EPOCH_UNITS: tuple[tuple[float, float], ...] = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (9e18, 1e9))
"""(exclusive upper bound of the number, its units per second): seconds, milliseconds, microseconds, nanoseconds."""

# --- patterns ----------------------------------------------------------------------------------------------------

_CLOCKS = (
    "", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p", " %I:%M:%S%p", " %I:%M%p", "T%H:%M:%S", "T%H:%M",
    "T%H:%M:%S.%f", "T%H:%M:%SZ", "T%H:%M:%S.%fZ", ", %H:%M:%S", ", %H:%M", ", %I:%M:%S %p", ", %I:%M %p", " - %H:%M", " %H.%M", " %H:%M:%S,%f",
)  # fmt: skip

_DAYS: Mapping[str, tuple[str, ...]] = {
    "ymd": (
        "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d", "%Y%m%d", "%y-%m-%d", "%y/%m/%d", "%y.%m.%d", "%y%m%d", "%Y-%b-%d", "%Y %b %d",
        "%Y-%B-%d", "%Y %B %d",
    ),
    "dmy": (
        "%d/%m/%y", "%d/%m/%Y", "%d.%m.%y", "%d.%m.%Y", "%d-%m-%y", "%d-%m-%Y", "%d %m %y", "%d %m %Y", "%d%m%y", "%d%m%Y", "%d-%b-%y",
        "%d-%b-%Y", "%d %b %y", "%d %b %Y", "%d/%b/%y", "%d/%b/%Y", "%d.%b.%Y", "%d%b%y", "%d%b%Y", "%d-%B-%Y", "%d %B %Y", "%d. %B %Y",
        "%d %b, %Y", "%d %B, %Y", "%a, %d %b %Y", "%a %d %b %Y", "%A, %d %B %Y", "%A %d %B %Y",
    ),
    "mdy": (
        "%m/%d/%y", "%m/%d/%Y", "%m.%d.%y", "%m.%d.%Y", "%m-%d-%y", "%m-%d-%Y", "%m %d %y", "%m %d %Y", "%m%d%y", "%m%d%Y", "%b-%d-%y",
        "%b-%d-%Y", "%b %d %Y", "%b %d, %Y", "%b. %d, %Y", "%B-%d-%Y", "%B %d %Y", "%B %d, %Y", "%a, %b %d, %Y", "%a %b %d, %Y",
        "%a %b %d %Y", "%A, %B %d, %Y",
    ),
}  # fmt: skip

_ONLY: Mapping[str, tuple[str, ...]] = {
    "ymd": (
        "%Y%m%d%H%M%S",
        "%Y%m%d%H%M",
        "%Y%m%d%H",
        "%Y%m%dT%H%M%S",
        "%Y%m%dT%H%M%SZ",
        "%Y%m%dT%H%M",
        "%Y%m%d %H%M%S",
        "%Y%m%d %H%M",
    ),
    "dmy": ("%a, %d %b %Y %H:%M:%S GMT", "%d/%b/%Y:%H:%M:%S"),
    "mdy": ("%a %b %d %H:%M:%S %Y", "%b %d %H:%M:%S %Y"),
}


def _patterns(order: str) -> tuple[str, ...]:
    return (*(day + clock for day in _DAYS[order] for clock in _CLOCKS), *_ONLY[order])


TIME_PATTERNS: Mapping[str, tuple[str, ...]] = {order: _patterns(order) for order in ("ymd", "dmy", "mdy")}
"""Every strptime pattern of an order. Two-digit years stand before four-digit ones: `%Y` also takes two digits."""

ISO_TIME = re.compile(
    r"\s*\d{4}([-/])\d{1,2}\1\d{1,2}([T ]\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)?)?\s*", re.IGNORECASE
)
"""Times an engine's own cast understands without patterns."""

ZONED_TIME = re.compile(r".*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)\s*", re.IGNORECASE | re.DOTALL)
"""Times that carry their own offset from UTC."""


def time_patterns(order: str, seen: Iterable[str] = ()) -> tuple[str, ...]:
    """Return all patterns of an order, those `seen` in the data first."""
    every = TIME_PATTERNS[order]
    found = set(seen)
    return (*(pattern for pattern in every if pattern in found), *(pattern for pattern in every if pattern not in found))


# --- which readings a time allows --------------------------------------------------------------------------------

_PARTS = re.compile(r"\s*(\d{1,4})([-/. ])\s?(\d{1,2})\2\s?(\d{1,4})(?!\d)")
_DIGITS = re.compile(r"\s*(\d+)(?:\.\d+)?\s*")
_COMPACT = re.compile(r"\s*(\d{8}|\d{6})(?:[T ]\d{4}(?:\d{2})?Z?|(?:T|,? | - )\s*\d{1,2}[:.]\d{2}.*)\s*", re.IGNORECASE)
_MONTHS = {name.casefold(): number for number, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.casefold(): number for number, name in enumerate(calendar.month_abbr) if name}
_WORD = re.compile(r"[^\W\d_]+")
_CLOCK = re.compile(r"(?<![\d.])\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:[.,]\d+)?(?!\d)(?:\s*[+-]\d{2}:?\d{2}\b)?")

Parts = tuple[int, int, int]


def possible_orders(value: str, latest_year: int) -> frozenset[Order]:
    """Return every order in which a text can be read as a time; empty when in none.

    Parameters
    ----------
    latest_year : int
        Years after it are not considered possible; this is what tells 31/12/10 from 2031-12-10.

    Examples
    --------
    >>> sorted(possible_orders("03/04/2011", 2030)), sorted(possible_orders("13/04/2011", 2030))
    (['dmy', 'mdy'], ['dmy'])
    >>> sorted(possible_orders("19970131", 2030)), sorted(possible_orders("964982703", 2030))
    (['ymd'], ['epoch'])
    """
    return frozenset(order for order, _ in readings(value, latest_year))


def readings(value: str, latest_year: int) -> Iterator[tuple[Order, Parts]]:
    """Yield (order, (year, month, day)) for every way to read a text as a time."""
    digits = _DIGITS.fullmatch(value)
    if digits:
        yield from _number_readings(digits.group(1), float(value), latest_year)
        return
    compact = _COMPACT.fullmatch(value)
    if compact:
        yield from _number_readings(compact.group(1), 0.0, latest_year)
        return
    parts = _PARTS.match(value)
    if parts:
        yield from _ordered((parts.group(1), parts.group(3), parts.group(4)), latest_year)
        return
    named = _named_reading(value)
    if named and EARLIEST_YEAR <= named[1][0] <= latest_year:
        yield named


def _ordered(texts: tuple[str, str, str], latest_year: int) -> Iterator[tuple[Order, Parts]]:
    first, second, third = (int(text) for text in texts)
    widths = tuple(len(text) for text in texts)
    if widths[0] == 4 or (widths[0] == 2 and widths[2] <= 2):
        yield from _valid("ymd", _full_year(first, widths[0]), second, third, latest_year)
    if widths[0] <= 2 and widths[2] in (2, 4):
        year = _full_year(third, widths[2])
        yield from _valid("dmy", year, second, first, latest_year)
        yield from _valid("mdy", year, first, second, latest_year)


def _valid(order: Order, year: int, month: int, day: int, latest_year: int) -> Iterator[tuple[Order, Parts]]:
    if EARLIEST_YEAR <= year <= latest_year and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]:
        yield order, (year, month, day)


def _full_year(year: int, width: int) -> int:
    """Return a two-digit year as strptime reads it: 69-99 are 1969-1999, 0-68 are 2000-2068."""
    if width == 4:
        return year
    return year + (1900 if year >= 69 else 2000)


def _number_readings(text: str, value: float, latest_year: int) -> Iterator[tuple[Order, Parts]]:
    """Yield the readings of a bare number: yyyymmdd[hh[mm[ss]]], ddmmyyyy, yymmdd, or time since 1970."""
    if len(text) in (8, 10, 12, 14):
        hours = text[8:10] or "0"
        compact = list(_valid("ymd", int(text[:4]), int(text[4:6]), int(text[6:8]), latest_year)) if int(hours) < 24 else []
        yield from compact
        if compact:
            return
    if len(text) == 8:
        yield from _valid("dmy", int(text[4:]), int(text[2:4]), int(text[:2]), latest_year)
        yield from _valid("mdy", int(text[4:]), int(text[:2]), int(text[2:4]), latest_year)
    if len(text) == 6:
        yield from _ordered((text[:2], text[2:4], text[4:]), latest_year)
    if len(text) >= 9:
        per_second = next((units for bound, units in EPOCH_UNITS if value < bound), None)
        if per_second is None:
            return
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value / per_second)
        if 1971 <= moment.year <= latest_year:
            yield "epoch", (moment.year, moment.month, moment.day)


def _named_reading(value: str) -> tuple[Order, Parts] | None:
    """Return the reading of a time with an English month name, or None."""
    text = _CLOCK.sub(" ", value.strip())
    months = [word for word in _WORD.finditer(text) if word.group().casefold() in _MONTHS]
    numbers = list(re.finditer(r"\d+", text))
    if len(months) != 1 or len(numbers) < 2:
        return None
    month = _MONTHS[months[0].group().casefold()]
    first, last = numbers[0], numbers[-1]
    if len(first.group()) == 4:
        return "ymd", (int(first.group()), month, int(numbers[1].group()))
    order: Order = "dmy" if first.start() < months[0].start() else "mdy"
    return order, (_full_year(int(last.group()), len(last.group())), month, int(first.group()))


@dataclass(frozen=True)
class OrderFinding:
    """What a column's values say about their order.

    Attributes
    ----------
    possible : orders that all readable values allow; empty when they contradict each other or none is readable
    n_read, n_unread : how many values allow any reading, and how many none
    examples : order -> a value that allows it; for contradictions, one value of each side
    unread_example : a value that allows no reading
    """

    possible: frozenset[Order]
    n_read: int
    n_unread: int
    examples: Mapping[Order, str]
    unread_example: str = ""


def find_order(values: Iterable[str], latest_year: int) -> OrderFinding:
    """Return the orders that all values allow together."""
    groups: dict[frozenset[Order], str] = {}
    n_read = n_unread = 0
    unread = ""
    for value in values:
        orders = possible_orders(value, latest_year)
        if orders:
            n_read += 1
            groups.setdefault(orders, value)
        else:
            n_unread += 1
            unread = unread or value
    possible = frozenset.intersection(*groups) if groups else frozenset()
    examples: dict[Order, str] = {}
    for orders, value in sorted(groups.items(), key=lambda item: len(item[0])):
        for order in sorted(orders):
            examples.setdefault(order, value)
    return OrderFinding(possible, n_read, n_unread, examples, unread)


def describe_reading(value: str, order: Order, latest_year: int) -> str:
    """Return what a value means in an order, in words ("3 April 2011"), or an empty text."""
    for found, (year, month, day) in readings(value, latest_year):
        if found == order:
            return f"{day} {calendar.month_name[month]} {year}"
    return ""


def looks_like_excel_days(values: Sequence[str]) -> bool:
    """Return whether all values are numbers that spreadsheets use for days (20000 = 1954 ... 60000 = 2064)."""
    return bool(values) and all(re.fullmatch(r"\s*[2-5]\d{4}(\.\d+)?\s*", value) for value in values)


# --- numbers -----------------------------------------------------------------------------------------------------

STRIP_NUMBER = r"[^0-9.,]"
POINT_DECIDES = r"^\d*\.(\d{1,2}|\d{4,})$|^0?\.\d+$|^\d{4,}\.\d+$|^\d{1,3}(,\d{3})+\.\d*$|^\d{1,3}(,\d{3}){2,}$"
COMMA_DECIDES = r"^\d*,(\d{1,2}|\d{4,})$|^0?,\d+$|^\d{4,},\d+$|^\d{1,3}(\.\d{3})+,\d*$|^\d{1,3}(\.\d{3}){2,}$"
MARK_AMBIGUOUS = r"^[1-9]\d{0,2}[.,]\d{3}$"
"""Regular expressions that mean the same to Python and to DuckDB, over a value stripped of all but digits and marks."""

_NUMBER = re.compile(
    r"""\s*[-+(]?\s*(?:[A-Za-z]{3}\s?|[^\w\s.,()+-]\s?)?[-+]?\s*
        (?:\d[\d.,\s'\u2019\u00a0\u202f]*|[.,]\d+)(?:[eE][-+]?\d+)?
        \s*(?:[A-Za-z]{3}|[^\w\s.,()+-])?\s*[-)]?\s*""",
    re.VERBOSE,
)


def looks_like_number(value: str) -> bool:
    """Return whether a text is a number as shops write it: signs, currency, thousands marks, accounting brackets.

    Examples
    --------
    >>> [looks_like_number(text) for text in ("1,234.50", "(12.00)", "£ 3", "12,5-", "nan", "Berlin")]
    [True, True, True, True, False, False]
    """
    return _NUMBER.fullmatch(value) is not None


@dataclass(frozen=True)
class MarkFinding:
    """What the values say about the decimal mark: an example that decides for each, and one that allows both."""

    point: str = ""
    comma: str = ""
    ambiguous: str = ""


def find_mark(values: Iterable[str]) -> MarkFinding:
    """Return which decimal marks the values prove.

    Examples
    --------
    >>> find_mark(["1,234.50"]).point, find_mark(["12,5"]).comma, find_mark(["1,234"]).ambiguous
    ('1,234.50', '12,5', '1,234')
    """
    point = comma = ambiguous = ""
    for value in values:
        bare = re.sub(STRIP_NUMBER, "", value)
        if not point and re.search(POINT_DECIDES, bare):
            point = value
        elif not comma and re.search(COMMA_DECIDES, bare):
            comma = value
        elif not ambiguous and re.search(MARK_AMBIGUOUS, bare):
            ambiguous = value
        if point and comma:
            break
    return MarkFinding(point, comma, ambiguous)
