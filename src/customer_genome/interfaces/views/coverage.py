"""What the data cover and what they lack: days, columns, customers, each with what it means and what to do.

Comes in: an open `Genome`, and the share of input rows that hold each column where it is known. Goes out: plain values and sentences.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa

from customer_genome.contracts import INPUT_TABLES
from customer_genome.genome import Genome
from customer_genome.interfaces.views.figures import count, day, money, quantity, share

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CLOSED_SHARE = 0.05
"""A weekday with orders on at most this share of its dates counts as closed."""
LEAST_GAP_DAYS, LONG_GAP_DAYS = 4, 7
NOTABLE_SHARE = 0.01
OLD_DAYS = 45


@dataclass(frozen=True)
class Gap:
    """Days without any order: the first, the last, how many, closed weekdays included."""

    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """How many days it is."""
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        """Return it in words."""
        return f"{day(self.first)} to {day(self.last)} ({quantity(self.days, 'days')})"


@dataclass(frozen=True)
class Span:
    """The days that the data cover.

    Attributes
    ----------
    n_open : days with orders
    closed : weekdays on which there are hardly ever orders
    gaps : longest first, of at least `LEAST_GAP_DAYS`
    """

    first: dt.date
    last: dt.date
    n_open: int
    closed: tuple[str, ...]
    gaps: tuple[Gap, ...]

    @property
    def days(self) -> int:
        """Days from the first to the last."""
        return (self.last - self.first).days + 1

    def sentence(self) -> str:
        """Return the span in words."""
        text = f"Orders on {count(self.n_open)} of {quantity(self.days, 'days')}, from {day(self.first)} to {day(self.last)}."
        if self.closed:
            text += f" Hardly any on {' and '.join(f'{name}s' for name in self.closed)}: the shop seems closed then."
        return text


def order_days(genome: Genome) -> pa.Table:
    """Return the days with orders: ordered_on, orders, revenue; none for a version that knows no days."""
    if genome.level == "customers" or "daily" not in genome.tables():
        return pa.table(
            {"ordered_on": pa.array([], pa.date32()), "orders": pa.array([], pa.int64()), "revenue": pa.array([], pa.float64())}
        )
    return genome.query(
        "select ordered_on, cast(sum(orders) as bigint) as orders, sum(revenue) as revenue from daily group by ordered_on order by ordered_on"
    )


def span_of(days: Sequence[dt.date]) -> Span | None:
    """Return what the days cover; None where there are none.

    Parameters
    ----------
    days : with orders, in order, each once
    """
    if not days:
        return None
    first, last = days[0], days[-1]
    length = (last - first).days + 1
    every, found = [0] * 7, [0] * 7
    for place in range(length):
        every[(first.weekday() + place) % 7] += 1
    for one in days:
        found[one.weekday()] += 1
    closed = tuple(
        name for place, name in enumerate(WEEKDAYS) if every[place] >= 8 and found[place] <= CLOSED_SHARE * every[place]
    )
    one_day = dt.timedelta(days=1)
    gaps = [Gap(a + one_day, b - one_day) for a, b in pairwise(days) if (b - a).days > LEAST_GAP_DAYS]
    gaps.sort(key=lambda gap: (-gap.days, gap.first))
    return Span(first, last, len(days), closed, tuple(gaps))


# --- columns ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MappedColumn:
    """One column of a contract: the headers it was read from, and the share of input rows that hold it (None: not known)."""

    table: str
    name: str
    about: str
    headers: tuple[str, ...]
    filled: float | None
    without: str

    @property
    def is_mapped(self) -> bool:
        """Whether anything is read from it."""
        return bool(self.headers)


def mapped_columns(manifest: Mapping[str, Any], filled: Mapping[str, float]) -> list[MappedColumn]:
    """Return every column of the tables that were read, those of the main table first."""
    from customer_genome.sources.proposal import WITHOUT

    rows = []
    for table, source in manifest.get("sources", {}).items():
        contract = INPUT_TABLES.get(table)
        if contract is None:
            continue
        mapping: Mapping[str, Sequence[str]] = source["mapping"]
        known = filled if table == "order_lines" else {}
        for column in contract.columns:
            headers = tuple(mapping.get(column.name, ()))
            effect = "" if headers else WITHOUT.get(table, {}).get(column.name, "")
            held = known.get(column.name) if headers else None
            rows.append(MappedColumn(table, column.name, column.about, headers, held, effect))
        rows += [
            MappedColumn(table, name, "a column of yours", tuple(headers), None, "")
            for name, headers in mapping.items()
            if name not in contract.names
        ]
    return rows


# --- what to know ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Remark:
    """Something to know about the data: what was found, what it means, what to do. `is_serious` where figures may mislead."""

    found: str
    meaning: str
    do: str
    is_serious: bool = False


def remarks(genome: Genome, span: Span | None, ledger_rows: Sequence[Mapping[str, Any]]) -> list[Remark]:
    """Return what to know about the data of a version, the serious things first."""
    manifest = genome.manifest
    found = [
        *_about_rows(ledger_rows, genome.currency),
        *_about_days(manifest, span),
        *_about_customers(genome),
        *_about_columns(manifest),
    ]
    return sorted(found, key=lambda remark: not remark.is_serious)


def _about_rows(rows: Sequence[Mapping[str, Any]], currency: str) -> list[Remark]:
    """Return remarks about rows that do not count."""
    by_class = {row["row_class"]: row for row in rows}
    total = sum(row["n_rows"] for row in rows) or 1
    found = []
    guests = by_class.get("no_customer")
    if guests and guests["n_rows"] > NOTABLE_SHARE * total:
        part, theirs = guests["n_rows"] / total, float(guests["revenue"] or 0.0)
        found.append(
            Remark(
                f"{share(part)} of rows name no customer; {money(theirs, currency, short=True)} of sales are theirs.",
                "They are in no figure of this product: revenue here is less than the shop's.",
                "Ask for a customer number where these sales are made.",
                part > 0.1,
            )
        )
    bad = [row for name, row in by_class.items() if name.startswith("bad_") or name == "unreadable"]
    n_bad = sum(row["n_rows"] for row in bad)
    if n_bad:
        found.append(
            Remark(
                f"{quantity(n_bad, 'rows')} ({share(n_bad / total)}) cannot be read or make no sense.",
                "They are refused and kept aside; nothing was guessed.",
                "Look at them under Rows, and correct them in the source.",
                n_bad > NOTABLE_SHARE * total,
            )
        )
    copies = by_class.get("duplicate")
    if copies and copies["n_rows"] > NOTABLE_SHARE * total:
        found.append(
            Remark(
                f"{share(copies['n_rows'] / total)} of rows are equal to an earlier line of the same order.",
                "They count once.",
                "If a till writes equal lines for real sales: drop_duplicates = false under [cleaning].",
            )
        )
    return found


def _about_days(manifest: Mapping[str, Any], span: Span | None) -> list[Remark]:
    """Return remarks about gaps, a short history and old data."""
    if span is None:
        return []
    found = []
    long = [gap for gap in span.gaps if gap.days >= LONG_GAP_DAYS]
    if long:
        listed = ", ".join(str(gap) for gap in long[:3]) + (f" and {count(len(long) - 3)} more" if len(long) > 3 else "")
        found.append(
            Remark(
                f"No orders at all: {listed}.",
                "A holiday looks like this, and so does an export that was forgotten. Customers seem quieter than they were.",
                "If the shop was open, add the missing file: genome refresh FILE.",
                long[0].days >= 4 * LONG_GAP_DAYS,
            )
        )
    horizon = int(manifest["horizon_days"])
    if span.days < 2 * horizon:
        found.append(
            Remark(
                f"The history of {quantity(span.days, 'days')} is shorter than twice the {count(horizon)} days that are predicted.",
                "There is no second period of that length on which forecasts could be judged.",
                "Add older orders, or predict fewer days: horizon_days under [prediction].",
                True,
            )
        )
    published = dt.datetime.fromisoformat(manifest["created_at"]).date()
    age = (published - span.last).days
    if age > OLD_DAYS:
        found.append(
            Remark(
                f"The last order was {_age(age)} old when this was published.",
                f"Everything is said as of {day(dt.date.fromisoformat(str(manifest['as_of'])[:10]))}, not as of today.",
                "Hand in newer data, unless you look at the past on purpose.",
            )
        )
    if manifest.get("lines_after_as_of"):
        found.append(
            Remark(
                f"{count(manifest['lines_after_as_of'])} lines lie on or after the day of the version and are not used.",
                "The version looks at the past as it was known then.",
                "Run without --as-of to use all lines.",
            )
        )
    return found


def _age(days: int) -> str:
    """Return an age in days or years."""
    return quantity(days, "days") if days < 730 else quantity(round(days / 365.25), "years")


def _about_customers(genome: Genome) -> list[Remark]:
    """Return remarks about customers of whom little is known."""
    row = genome.query(
        "select count(*) as n, count(*) filter (where n_orders = 1) as once, count(n_orders) as known from customers"
    ).to_pylist()[0]
    if not row["known"]:
        return []
    part = row["once"] / row["known"]
    found = []
    if part > 0.5:
        found.append(
            Remark(
                f"{share(part)} of customers ordered once ({count(row['once'])}).",
                "Of them only one order is known, so what they do next is mostly what customers like them did.",
                "Read their forecasts as averages; the reliability grade beside each says so.",
            )
        )
    if row["n"] < 200:
        found.append(
            Remark(
                f"There are {quantity(row['n'], 'customers')}.",
                "With fewer than 200, models lean on simple formulas and ranges are wide.",
                "Add more history; every figure says how sure it is.",
                True,
            )
        )
    return found


def _about_columns(manifest: Mapping[str, Any]) -> list[Remark]:
    """Return remarks about the currency and columns that are missing."""
    found = []
    if not manifest.get("currency") and manifest.get("level") != "ratings":
        found.append(
            Remark(
                "The currency of the money is not known.",
                "Amounts are shown without a sign.",
                'Write currency = "EUR" under [shop] in genome.toml.',
            )
        )
    mapping = manifest.get("sources", {}).get("order_lines", {}).get("mapping")
    if mapping is not None and "product_id" not in mapping and "description" not in mapping:
        found.append(
            Remark(
                "The data name no products.",
                "There are no recommendations, no product facts and no search for duplicate lines.",
                "Export the product of each line too, and map it to product_id.",
            )
        )
    return found
