"""The days on which orders came in, as a calendar: one column per week, one row per weekday.

Comes in: the table of `coverage.order_days`. Goes out: a finished Altair chart. Days without orders are empty cells with an outline,
so that a gap is seen without colours.
"""

from __future__ import annotations

import datetime as dt
import math
from itertools import pairwise
from typing import Any

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.charts.look import Look, finished, nothing_to_draw, rows_of, values
from customer_genome.interfaces.views.figures import count, day, quantity

MOST_WEEKS = 157
"""Weeks that are drawn, the last ones: three years, about a thousand cells."""
STEPS = 5
_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def order_calendar(days: pa.Table, look: Look | None = None) -> Any:
    """Draw on which days how many orders came in; takes `coverage.order_days`."""
    look = look or Look()
    found = {row["ordered_on"]: row for row in rows_of(days)}
    if not found:
        return nothing_to_draw(look, "These data know no days of orders.")
    first, last = min(found), max(found)
    start = max(first - dt.timedelta(days=first.weekday()), last - dt.timedelta(days=last.weekday() + 7 * (MOST_WEEKS - 1)))
    most = max(row["orders"] for row in found.values())
    cells = []
    for place in range((last - start).days + 1):
        here = start + dt.timedelta(days=place)
        if here < first:
            continue
        orders = int(found[here]["orders"]) if here in found else 0
        step = min(STEPS, 1 + int(STEPS * math.sqrt(orders / most) * 0.999)) if orders else 0
        cells.append(
            {"week": here - dt.timedelta(days=here.weekday()), "weekday": _NAMES[here.weekday()], "step": step, "orders": orders}
            | {"date": f"{_NAMES[here.weekday()]}, {day(here)}", "label": quantity(orders, "orders") if orders else "no orders"}
        )
    return _drawn(cells, look, most, first, last, is_cut=start > first)


def _drawn(cells: list[dict[str, Any]], look: Look, most: int, first: dt.date, last: dt.date, *, is_cut: bool) -> Any:
    """Return the chart of the cells."""
    palette = look.palette
    n_open = sum(1 for cell in cells if cell["orders"])
    title = f"{count(n_open)} of {quantity(len(cells), 'days')} have orders"
    over = f"the last three years up to {day(last)}" if is_cut else f"{day(first)} to {day(last)}"
    base = alt.Chart(values(cells)).encode(
        x=alt.X(
            "week:O",
            timeUnit="yearmonthdate",
            axis=alt.Axis(
                title=None,
                format="%b %Y",
                labelAngle=0,
                labelExpr="date(datum.value) <= 7 && month(datum.value) % 3 == 0 ? timeFormat(datum.value, '%b %Y') : ''",
                labelOverlap="greedy",
            ),
            scale=alt.Scale(paddingInner=0.12 if len(cells) < 400 else 0.05),
        ),
        y=alt.Y(
            "weekday:O", sort=list(_NAMES), axis=alt.Axis(title=None, labelOverlap=False), scale=alt.Scale(paddingInner=0.12)
        ),
        tooltip=[alt.Tooltip("date:N", title="Day"), alt.Tooltip("label:N", title="Orders")],
    )
    with_orders = base.transform_filter("datum.step > 0").mark_rect().encode(
        fill=alt.Fill(
            "step:O",
            scale=alt.Scale(domain=list(range(1, STEPS + 1)), range=palette.heat),
            legend=alt.Legend(title="Orders a day", labelExpr=_ranges(most), symbolType="square", symbolStrokeWidth=0),
        )
    )  # fmt: skip
    without = base.transform_filter("datum.step == 0").mark_rect(fillOpacity=0, stroke=palette.second, strokeWidth=0.7)
    return finished(
        alt.layer(with_orders, without),
        look,
        title=title,
        subtitle=f"Orders per day, {over}; outlined: no orders",
        words=f"Most orders on one day: {count(most)}.",
        height=7 * 19 + 62,
    )


def _ranges(most: int) -> str:
    """Return the expression that writes the orders a step stands for."""
    edges = [max(1, math.ceil(most * (step / STEPS) ** 2)) for step in range(STEPS)] + [most + 1]
    words = [f"{count(low)}–{count(high - 1)}" if high - 1 > low else count(low) for low, high in pairwise(edges)]
    return "[" + ", ".join(f"'{word}'" for word in ["", *words]) + "][datum.value]"
