"""Figures over time: periods without gaps, the last days against the days before, and what earlier versions said.

Comes in: an open `Genome` and which customers are meant, with the days wanted where the choice names them. Goes out: Arrow tables
and records of bounded size. All adding up happens in SQL: customers are counted once per period by one mask of bits per customer,
since a distinct count over all orders takes ten times as long. Nothing here trains, writes or words a sentence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from customer_genome.genome import Genome

MONTHS_FROM_DAYS = 180
WEEKS_FROM_DAYS = 28
LAST_DAYS = (90, 28, 7)
"""Lengths of "the last days": the longest whose double fits into the history."""
_BITS = 60
"""Periods in one mask; a customer has a mask for each so many periods."""


class Choice(Protocol):
    """Which customers are meant; a choice may also say from when (`since`) to when (`until`, exclusive)."""

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition on the table `customers` and its parameters, in order."""


@dataclass(frozen=True)
class Span:
    """Days from `first` to before `end`."""

    first: dt.date
    end: dt.date

    @property
    def days(self) -> int:
        """How many days it holds."""
        return (self.end - self.first).days

    def earlier(self, days: int) -> Span:
        """Return as many days, so many days earlier."""
        return Span(self.first - dt.timedelta(days=days), self.end - dt.timedelta(days=days))


def history(genome: Genome) -> Span:
    """Return the days with data: from the first order to the cutoff, exclusive."""
    row = genome.query("select min(first_order_on) as first_day, max(as_of) as as_of from customers").to_pylist()[0]
    return Span(row["first_day"], row["as_of"])


def wanted(genome: Genome, choice: Choice) -> Span:
    """Return the days of the history that a choice asks for; all of them where it names none."""
    known = history(genome)
    since, until = getattr(choice, "since", None), getattr(choice, "until", None)
    first = max(known.first, since) if since else known.first
    end = min(known.end, until) if until else known.end
    return Span(min(first, end), end)


def over_time(genome: Genome, choice: Choice) -> pa.Table:
    """Return revenue, orders and active customers per month (from 180 days), week (from 28) or day of the days wanted.

    Returns
    -------
    Arrow table, one row per period without gaps, oldest first
        period ("month", "week", "day"), starts_on, ends_on (exclusive), days_known, days (of the period), is_complete,
        revenue, orders, customers (each counted once per period), new_customers (first order in it).
        A period is incomplete where the days wanted begin after its first day or end before its last.
    """
    span = wanted(genome, choice)
    period = "month" if span.days >= MONTHS_FROM_DAYS else "week" if span.days >= WEEKS_FROM_DAYS else "day"
    starts = list(_starts(span, period))
    sums = _sums(genome, choice, span, period)
    active = _active(genome, choice, span, period, starts)
    joined = _joined(genome, choice, span, period)
    rows = []
    for place, start in enumerate(starts):
        end = _next(start, period)
        revenue, orders = sums.get(start, (0.0, 0))
        known = (min(end, span.end) - max(start, span.first)).days
        rows.append(
            {
                "period": period,
                "starts_on": start,
                "ends_on": end,
                "days_known": known,
                "days": (end - start).days,
                "is_complete": known == (end - start).days,
                "revenue": revenue,
                "orders": orders,
                "customers": active[place],
                "new_customers": joined.get(start, 0),
            }
        )
    return pa.Table.from_pylist(rows, schema=_PERIODS)


_PERIODS = pa.schema(
    [
        ("period", pa.string()),
        ("starts_on", pa.date32()),
        ("ends_on", pa.date32()),
        ("days_known", pa.int64()),
        ("days", pa.int64()),
        ("is_complete", pa.bool_()),
        ("revenue", pa.float64()),
        ("orders", pa.int64()),
        ("customers", pa.int64()),
        ("new_customers", pa.int64()),
    ]
)


def recent(genome: Genome, choice: Choice) -> dict[str, Any]:
    """Return what happened in the days wanted (by default the last 90, 28 or 7) and in the days they are held against.

    Returns
    -------
    dict
        days; now, before (as many days, just before) and year_ago (the same days, 364 days earlier, so that weekdays match): each a
        dict of first_on, last_on, revenue, orders, customers, new_customers, or None where the data do not reach back so far. Without
        a history of twice seven days `now` is None too.
    """
    known, span = history(genome), wanted(genome, choice)
    if span == known:
        days = next((days for days in LAST_DAYS if 2 * days <= known.days), 0)
        span = Span(known.end - dt.timedelta(days=days), known.end)
    if span.days < 1:
        return {"days": 0, "now": None, "before": None, "year_ago": None}
    spans = {"now": span, "before": span.earlier(span.days), "year_ago": span.earlier(364)}
    spans = {name: one for name, one in spans.items() if one.first >= known.first}
    found = _of_spans(genome, choice, list(spans.values()))
    told = dict(zip(spans, found, strict=True))
    return {"days": span.days, **{name: told.get(name) for name in ("now", "before", "year_ago")}}


def running(periods: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the state at the end of each period: customers known so far, their revenue and orders in all, and both per customer.

    Takes the rows of `over_time` of the whole history.

    Examples
    --------
    >>> months = [{"revenue": 10.0, "orders": 2, "new_customers": 1}, {"revenue": 5.0, "orders": 1, "new_customers": 0}]
    >>> running(months)[-1]
    {'customers': 1, 'revenue': 15.0, 'orders': 3, 'mean_spend': 15.0, 'mean_orders': 3.0}
    """
    customers, revenue, orders, rows = 0, 0.0, 0, []
    for row in periods:
        customers, revenue, orders = customers + row["new_customers"], revenue + row["revenue"], orders + row["orders"]
        each = customers or 1
        rows.append(
            {
                "customers": customers,
                "revenue": revenue,
                "orders": orders,
                "mean_spend": revenue / each,
                "mean_orders": orders / each,
            }
        )
    return rows


def _sums(genome: Genome, choice: Choice, span: Span, period: str) -> dict[dt.date, tuple[float, int]]:
    """Return revenue and number of orders by the first day of their period."""
    chosen, parameters = _orders_of(choice)
    rows = genome.query(
        f"select date_trunc('{period}', ordered_on)::date as starts_on, sum(revenue)::double as revenue, count(*) as orders from {chosen} "
        "where ordered_on >= ? and ordered_on < ? group by 1",
        [*parameters, span.first, span.end],
    ).to_pylist()
    return {row["starts_on"]: (row["revenue"], row["orders"]) for row in rows}


def _active(genome: Genome, choice: Choice, span: Span, period: str, starts: Sequence[dt.date]) -> list[int]:
    """Return how many customers ordered in each period."""
    if not starts:
        return []
    first = starts[0]
    place = {
        "month": f"(year(ordered_on) * 12 + month(ordered_on) - {first.year * 12 + first.month})",
        "week": f"(datediff('day', date '{first.isoformat()}', ordered_on) // 7)",
        "day": f"datediff('day', date '{first.isoformat()}', ordered_on)",
    }[period]
    is_long = len(starts) > _BITS
    mask = f"bit_or(1::bigint << ({place} % {_BITS})::int)" if is_long else f"bit_or(1::bigint << ({place})::int)"
    block = f"({place} // {_BITS})" if is_long else "0"
    counts = ", ".join(f"sum((mask >> {bit}) & 1)::bigint as b{bit}" for bit in range(min(_BITS, len(starts))))
    chosen, parameters = _orders_of(choice)
    rows = genome.query(
        f"select block, {counts} from (select {block} as block, {mask} as mask from {chosen} where ordered_on >= ? and ordered_on < ? "
        f"group by customer_id{', 1' if is_long else ''}) group by block",
        [*parameters, span.first, span.end],
    ).to_pylist()
    by_block = {row["block"]: row for row in rows}
    return [int(by_block.get(number // _BITS, {}).get(f"b{number % _BITS}") or 0) for number in range(len(starts))]


def _joined(genome: Genome, choice: Choice, span: Span, period: str) -> dict[dt.date, int]:
    """Return how many customers placed their first order, by the first day of its period."""
    where, parameters = choice.where()
    rows = genome.query(
        f"select date_trunc('{period}', first_order_on)::date as starts_on, count(*) as n from customers where {where} "
        "and first_order_on >= ? and first_order_on < ? group by 1",
        [*parameters, span.first, span.end],
    ).to_pylist()
    return {row["starts_on"]: row["n"] for row in rows}


def _of_spans(genome: Genome, choice: Choice, spans: Sequence[Span]) -> list[dict[str, Any]]:
    """Return what happened in each of some spans of days, which may overlap."""
    inside = [f"ordered_on >= date '{span.first.isoformat()}' and ordered_on < date '{span.end.isoformat()}'" for span in spans]
    sums = ", ".join(
        f"sum(case when {one} then revenue else 0 end) as r{number}, sum(case when {one} then 1 else 0 end) as o{number}"
        for number, one in enumerate(inside)
    )
    totals = ", ".join(
        f"coalesce(sum(r{number}), 0)::double as r{number}, coalesce(sum(o{number}), 0)::bigint as o{number}, "
        f"count(case when o{number} > 0 then 1 end) as c{number}"
        for number in range(len(spans))
    )
    chosen, parameters = _orders_of(choice)
    row = genome.query(
        f"select {totals} from (select {sums} from {chosen} where {' or '.join(f'({one})' for one in inside)} group by customer_id)",
        parameters,
    ).to_pylist()[0]
    where, parameters = choice.where()
    firsts = ", ".join(
        f"count(case when {one.replace('ordered_on', 'first_order_on')} then 1 end) as n{number}"
        for number, one in enumerate(inside)
    )
    new = genome.query(f"select {firsts} from customers where {where}", parameters).to_pylist()[0]
    return [
        {
            "first_on": span.first,
            "last_on": span.end - dt.timedelta(days=1),
            "revenue": row[f"r{number}"],
            "orders": row[f"o{number}"],
            "customers": row[f"c{number}"],
            "new_customers": new[f"n{number}"],
        }
        for number, span in enumerate(spans)
    ]


def _orders_of(choice: Choice) -> tuple[str, list[Any]]:
    """Return the orders of the chosen customers as a table in SQL, with its parameters; all of them where everybody is meant."""
    where, parameters = choice.where()
    if not parameters:
        return "orders", []
    return f"(from orders semi join (select customer_id from customers where {where}) using (customer_id))", parameters


def _starts(span: Span, period: str) -> Iterator[dt.date]:
    """Yield the first day of every period that the days touch."""
    start = span.first
    if period == "month":
        start = start.replace(day=1)
    elif period == "week":
        start -= dt.timedelta(days=start.weekday())
    while start < span.end:
        yield start
        start = _next(start, period)


def _next(start: dt.date, period: str) -> dt.date:
    """Return the first day of the period after the one that begins at `start`."""
    if period == "month":
        return (start + dt.timedelta(days=32)).replace(day=1)
    return start + dt.timedelta(days=7 if period == "week" else 1)
