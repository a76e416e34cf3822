"""What the columns of a raw table mean: headers matched, times and numbers understood.

Comes in: a `Sample`, a contract and the user's settings for the table. Goes out: a `Meaning`, or an error that asks
the user what only they can know. A header that matches but whose values cannot be meant is passed over, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from customer_genome.contracts import Contract, DateOrder
from customer_genome.errors import AskError, SourceError
from customer_genome.settings import TableSettings
from customer_genome.sources.headers import CURRENCY_CODES, NUMERIC_TYPES, HeaderMatch, find_header, match_headers, normal_header
from customer_genome.sources.known_exports import known_export
from customer_genome.sources.order_rows import is_total_of_order, told_once
from customer_genome.sources.samples import Sample, patterns_that_read, telling_numbers, telling_times
from customer_genome.sources.text_formats import (
    ISO_TIME,
    TIME_PATTERNS,
    ZONED_TIME,
    Mark,
    Order,
    OrderFinding,
    describe_reading,
    find_mark,
    find_order,
    looks_like_excel_days,
    looks_like_number,
    readings,
    time_patterns,
)

ORDER_WORDS: Mapping[str, str] = {"ymd": "year first", "dmy": "day first", "mdy": "month first", "epoch": "seconds since 1970"}
TIME_EXAMPLES = "2011-12-31, 31/12/2011 08:26, 31 Dec 2011, 20111231 or seconds since 1970"
_READABLE_SHARE = 0.5


@dataclass(frozen=True)
class Meaning:
    """What an engine needs to know to read a raw table as its contract.

    Attributes
    ----------
    match : which header feeds which contract column, and what is unsure
    date_orders, time_formats : contract column -> see `SourceTable`
    told_once : see `SourceTable`
    """

    match: HeaderMatch
    date_orders: Mapping[str, DateOrder] = field(default_factory=dict)
    time_formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decimal_mark: Mark = "."
    notices: tuple[str, ...] = ()
    told_once: tuple[str, ...] = ()


def understand(sample: Sample, contract: Contract, settings: TableSettings, label: str, today: date | None = None) -> Meaning:
    """Return what the columns of a raw table mean.

    Parameters
    ----------
    today : date
        Times later than next year are not considered possible readings.

    Raises
    ------
    SourceError
        Headers that do not fit the contract, or a required time nobody can read.
    AskError
        Day and month, or the decimal mark, can be read two ways.
    """
    latest_year = (today or date.today()).year + 1
    match, passed_over = match_by_values(sample, contract, settings, label, latest_year)
    notices = [*passed_over, *_match_notices(match, contract, settings)]
    orders: dict[str, DateOrder] = {}
    formats: dict[str, tuple[str, ...]] = {}
    for name, raw in match.mapping.items():
        if name not in contract.names or contract.column(name).type not in ("timestamp", "date"):
            continue
        reader = _TimeReader(sample, contract, name, raw[0], label, latest_year)
        orders[name], formats[name] = reader.read(settings.date_order)
        notices += reader.notices
        notices += _unused_clock(reader.values, match)
    _refuse_several_currencies(sample, contract, match, label)
    mark = _decimal_mark(sample, contract, match, settings, label)
    once = told_once(sample, match.mapping) if contract.name == "order_lines" else ()
    if once:
        notices.append(f"{', '.join(once)}: told on one line of each order only; taken for all lines of the order.")
    return Meaning(match, orders, formats, mark, tuple(notices), once)


# --- headers, with the values' consent ---------------------------------------------------------------------------


def match_by_values(
    sample: Sample, contract: Contract, settings: TableSettings, label: str, latest_year: int, *, is_proposal: bool = False
) -> tuple[HeaderMatch, list[str]]:
    """Match headers until every match that was not given by the user can be meant by its values.

    Returns
    -------
    The match, and one sentence per header that was passed over. With `is_proposal`, required columns may be absent.
    """
    known, told = _known_columns(sample, contract, settings, label, latest_year)
    given = {**known, **settings.columns}
    excluded: dict[tuple[str, str], str] = {}
    while True:
        match = match_headers(
            sample.names, contract, given, label=label, types=sample.types, excluded=excluded, is_proposal=is_proposal
        )
        found = {
            (name, header): why
            for name, raw in match.mapping.items()
            if name in contract.names and name not in given
            for header in raw
            if (why := _objection(sample, contract, name, header, latest_year))
        }
        if not found and "amount" not in given and contract.name == "order_lines" and is_total_of_order(sample, match.mapping):
            found = {("amount", header): _OF_THE_ORDER for header in match.mapping["amount"]}
        if not found:
            return match, [
                *told,
                *(f'"{header}" was not taken for {name}: {why}.' for (name, header), why in excluded.items()),
            ]
        excluded |= {pair: f'"{pair[1]}" ({why})' if pair[0] in contract.required else why for pair, why in found.items()}


_OF_THE_ORDER = "it is the money of the whole order, told once or on each of its lines; price times quantity is used instead"


def _known_columns(
    sample: Sample, contract: Contract, settings: TableSettings, label: str, latest_year: int
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Return what the columns of a known export mean, as far as the user says nothing else and their values allow it."""
    found = (
        known_export(sample.names, [name for name in sample.names if sample.values[name]])
        if contract.name == "order_lines"
        else None
    )
    if found is None:
        return {}, []
    export, mapping = found
    used = {find_header(raw, sample.names) for raws in settings.columns.values() for raw in raws if raw.strip()}
    columns = {
        name: raws
        for name, raws in mapping.items()
        if name not in settings.columns
        and not used & set(raws)
        and not any(_objection(sample, contract, name, header, latest_year) for header in raws)
    }
    return columns, [f"{label} was recognised ({export.name}): {export.remark}."]


def _objection(sample: Sample, contract: Contract, name: str, header: str, latest_year: int) -> str:
    """Return why the values of a header cannot be meant for a contract column, or an empty text."""
    values, kind = sample.values[header], contract.column(name).type
    if not values:
        return ""
    if kind in NUMERIC_TYPES and sample.types[header] == "text":
        n_numbers = sum(1 for value in values if looks_like_number(value))
        if n_numbers < _READABLE_SHARE * len(values):
            return f"its values are no numbers, e.g. {values[0]!r}"
    if kind in ("timestamp", "date") and sample.types[header] not in ("date", "timestamp", "timestamp_tz"):
        finding = find_order(values, latest_year)
        if looks_like_excel_days(values):
            return f"it holds spreadsheet day numbers such as {values[0]}; format the column as a date before exporting"
        if finding.n_read < _READABLE_SHARE * len(values):
            return f"its values are no times, e.g. {(finding.unread_example or values[0])!r}; wanted: such as {TIME_EXAMPLES}"
    if name == "customer_id" and normal_header(header) == "id" and contract.name == "order_lines" and _numbers_lines(values):
        return "it is another one on every line, so it numbers the lines; map it yourself if it is the customer"
    if name == "discount" and normal_header(header) == "discount" and _looks_like_shares(sample, header):
        return "its values lie between 0 and 1, so they look like a share and not like money; map it yourself if it is money"
    return ""


_LINES_TO_JUDGE = 50


def _numbers_lines(values: Sequence[str]) -> bool:
    """Return whether no value stands twice among enough of them."""
    return len(values) >= _LINES_TO_JUDGE and len(set(values)) == len(values)


def _looks_like_shares(sample: Sample, header: str) -> bool:
    """Return whether numbers all lie in 0..1 with fractions among them."""
    numbers = []
    for value in sample.values[header]:
        try:
            numbers.append(float(value.replace(",", ".")))
        except ValueError:
            return False
    return all(0 <= number <= 1 for number in numbers) and any(0 < number < 1 for number in numbers)


def _match_notices(match: HeaderMatch, contract: Contract, settings: TableSettings) -> list[str]:
    """Return what the user should know about the matching."""
    notices = [f"{name}: {reason}." for name, reason in match.unsure.items() if name not in settings.columns]
    if contract.name != "order_lines":
        return notices
    notices += [f"No {name} column: {effect}." for name, effect in WITHOUT.items() if name in match.absent]
    if "amount" in match.absent and "quantity" in match.absent:
        notices.append("No quantity column: every line counts as one piece at its price.")
    return notices


WITHOUT: Mapping[str, str] = {
    "order_id": "one order is one customer at one time, and the duplicate rule is off",
    "product_id": "facts and recommendations about products are off, and the duplicate rule is off",
}
"""What is switched off when a column of order_lines is absent, where it matters enough to be said on every run."""


_CLOCK = re.compile(r"\d{1,2}:\d{2}|T\d{4}|\d{9,}")
_CLOCK_HEADERS = frozenset(
    {"time", "ordertime", "invoicetime", "transactiontime", "purchasetime", "saletime", "timeofday", "hour"}
)


def _unused_clock(values: Sequence[str], match: HeaderMatch) -> list[str]:
    """Return a notice when times have no time of day while another column seems to hold it."""
    clocks = [header for header in match.unmapped if normal_header(header) in _CLOCK_HEADERS]
    if not clocks or any(_CLOCK.search(value) and not value.endswith("00:00:00") for value in values):
        return []
    return [
        f'The time of day in "{clocks[0]}" is not used: a time is read from one column. Join both into one if orders have no number.'
    ]


# --- times -------------------------------------------------------------------------------------------------------


_BROUGHT = "they are brought to [shop] timezone, which is UTC unless genome.toml sets it"


class _TimeReader:
    """How one column's times are read."""

    def __init__(self, sample: Sample, contract: Contract, name: str, header: str, label: str, latest_year: int) -> None:
        self.sample = sample
        self.contract = contract
        self.name = name
        self.header = header
        self.label = label
        self.latest_year = latest_year
        self.values: Sequence[str] = sample.values[header]
        self.notices: list[str] = []

    @property
    def where(self) -> str:
        return f'{self.label}, column "{self.header}" ({self.contract.name}.{self.name})'

    def is_typed(self) -> bool:
        return self.sample.types[self.header] in ("date", "timestamp", "timestamp_tz")

    def is_zoned(self) -> bool:
        """Return whether any text in the sample carries an offset from UTC."""
        return not self.is_typed() and any(ZONED_TIME.fullmatch(value) for value in self.values)

    def read(self, given: Order | None) -> tuple[DateOrder, tuple[str, ...]]:
        """Return the order of the column and the strptime patterns of that order, seen ones first."""
        if self.is_typed():
            if self.sample.types[self.header] == "timestamp_tz":
                self.notices.append(f"{self.name}: the times carry a time zone; {_BROUGHT}.")
            return "typed", ()
        order = given or self._order()
        if order == "epoch":
            return "epoch", ()
        is_iso = order == "ymd" and all(ISO_TIME.fullmatch(value) for value in self.values)
        if self.is_zoned():
            effect = _BROUGHT if is_iso else "it is not applied; only ISO times (2011-12-31T08:26:00Z) are moved"
            self.notices.append(f"{self.name}: the times carry their offset from UTC; {effect}.")
        if is_iso:
            return "ymd", ()
        seen, unread = patterns_that_read(self.values, TIME_PATTERNS[order]) if self.values else ([], [])
        unread = [value for value in unread if not (order == "ymd" and ISO_TIME.fullmatch(value))]
        if unread:
            share = sum(1 for value in self.values if value in set(unread)) / len(self.values)
            if share > _READABLE_SHARE and not given:
                raise SourceError(
                    f"{self.where}: {share:.0%} of the values looked at cannot be read as times, e.g. {unread[0]!r}. "
                    f"Wanted: times such as {TIME_EXAMPLES}. "
                    "Map another column, or write the dates in one of these ways."
                )
            self.notices.append(
                f"{self.name}: some values cannot be read as times, e.g. {unread[0]!r}; their lines become bad_date."
            )
        return order, time_patterns(order, seen)

    def _order(self) -> Order:
        """Return the one order all values allow; asks where there are two."""
        if not self.values:
            self.notices.append(f"{self.name}: the values looked at are all empty.")
            return "ymd"
        finding = find_order(self.values, self.latest_year)
        if len(finding.possible) > 1:
            finding = find_order([*self.values, *telling_times(self.sample, self.header)], self.latest_year)
        if len(finding.possible) == 1:
            return next(iter(finding.possible))
        if finding.n_read == 0:
            raise SourceError(
                f"{self.where}: no value can be read as a time, e.g. {finding.unread_example!r}. Wanted: times "
                f"such as {TIME_EXAMPLES}. Map another column in genome.toml."
            )
        raise AskError(self._both_orders(finding) if not finding.possible else self._either_order(finding))

    def _either_order(self, finding: OrderFinding) -> str:
        orders = sorted(finding.possible)
        example = next((value for value in self.values if self._is_telling(value)), finding.examples[orders[0]])
        meant = " or ".join(f"{describe_reading(example, order, self.latest_year)} ({order})" for order in orders)
        settings = " or ".join(f'date_order = "{order}"' for order in orders)
        return (
            f"{self.where}: the order of day and month cannot be told. {example!r} is {meant}, and no value of the column settles it. "
            f"Write {settings} under [tables.{self.contract.name}] in genome.toml."
        )

    def _is_telling(self, value: str) -> bool:
        """Return whether the readings of a value are different days (01/01 is not)."""
        return len({parts for _, parts in readings(value, self.latest_year)}) > 1

    def _both_orders(self, finding: OrderFinding) -> str:
        shown = "; ".join(f"{value!r} is {ORDER_WORDS[order]} ({order})" for order, value in sorted(finding.examples.items()))
        settings = " or ".join(f'date_order = "{order}"' for order in sorted(finding.examples) if order != "epoch")
        return (
            f"{self.where}: the times are written in more than one order: {shown}. Wanted: one order. Correct the file, or write "
            f"{settings} under [tables.{self.contract.name}] in genome.toml; values that do not fit it become bad_date."
        )


# --- money -------------------------------------------------------------------------------------------------------

_SIGNS: Mapping[str, str] = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY", "₹": "INR", "₺": "TRY", "zł": "PLN", "₩": "KRW"}


def currency_written(value: str) -> str:
    """Return the currency that stands beside a number, empty where none does.

    Examples
    --------
    >>> currency_written("€ 12,50"), currency_written("12.50 gbp"), currency_written("12.50")
    ('EUR', 'GBP', '')
    """
    word = re.sub(r"[\d\s.,'()+-]", "", value)
    return word.upper() if word.casefold() in CURRENCY_CODES else _SIGNS.get(word.casefold(), "")


def _refuse_several_currencies(sample: Sample, contract: Contract, match: HeaderMatch, label: str) -> None:
    """Refuse money that is written in several currencies, where no column of currencies says how to add it up."""
    if contract.name not in ("order_lines", "customer_totals") or "currency" in match.mapping:
        return
    found: dict[str, str] = {}
    for name in ("amount", "price", "total_spend", "avg_order_value"):
        for header in match.mapping.get(name, ()):
            for value in sample.values[header] if sample.types[header] == "text" else ():
                found.setdefault(currency_written(value), value)
    found.pop("", None)
    if len(found) > 1:
        shown = ", ".join(f"{value!r} ({code})" for code, value in sorted(found.items()))
        raise SourceError(
            f"{label}: money is written in {len(found)} currencies: {shown}. Wanted: one currency, because they cannot be added up. Export one file per "
            "currency, or add a column `currency` with their codes and write exchange_rates under [shop] in genome.toml."
        )


# --- numbers -----------------------------------------------------------------------------------------------------


def _decimal_mark(sample: Sample, contract: Contract, match: HeaderMatch, settings: TableSettings, label: str) -> Mark:
    """Return the decimal mark that the numbers in text prove; asks where they allow or prove both."""
    if settings.decimal_mark:
        return settings.decimal_mark
    texts = [
        header
        for name, raw in match.mapping.items()
        if name in contract.names and contract.column(name).type in NUMERIC_TYPES
        for header in raw
        if sample.types[header] == "text"
    ]
    finding = find_mark(value for header in texts for value in sample.values[header])
    if finding.ambiguous and not finding.point and not finding.comma:
        told = [value for header in texts for value in telling_numbers(sample, header)]
        finding = find_mark([*told, finding.ambiguous])
    setting = f'decimal_mark = "." or decimal_mark = "," under [tables.{contract.name}] in genome.toml'
    if finding.point and finding.comma:
        raise AskError(
            f"{label}: numbers are written in two ways: {finding.point!r} has a decimal point, {finding.comma!r} a decimal comma. "
            f"Wanted: one way. Correct the file, or write {setting}; values that do not fit it become bad_quantity or bad_price."
        )
    if finding.ambiguous and not finding.point and not finding.comma:
        raise AskError(
            f"{label}: the decimal mark cannot be told. {finding.ambiguous!r} can be about one or above a thousand, and no value "
            f"of its column settles it. Write {setting}."
        )
    return "," if finding.comma else "."
