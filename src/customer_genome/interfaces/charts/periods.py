"""Money and customers over time, and one customer's purchases: a period that is not whole is marked, never drawn as a drop.

Comes in: small Arrow tables as `interfaces.views.overview` makes them. Goes out: finished Altair charts.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.charts.look import (
    Look,
    count_labels,
    finished,
    money_labels,
    nothing_to_draw,
    rows_of,
    tips,
    values,
)
from customer_genome.interfaces.views.figures import count, day, quantity

_GAP = 0.09
"""Part of a period left free on either side of its bar."""
_EDGE = {"left": "from_", "right": "to_", "center": "middle"}


def revenue_over_time(periods: pa.Table, look: Look | None = None) -> Any:
    """Draw revenue per period as bars; periods that are not whole are outlined and dashed. Takes `overview.over_time`."""
    look = look or Look()
    rows = _worded(periods, look)
    if not rows:
        return nothing_to_draw(look, "No orders, so nothing over time.")
    palette, period = look.palette, rows[0]["period"]
    drawn = alt.Chart(values(rows)).encode(
        x=time_axis("from_", look, rows),
        x2="to_:T",
        y=alt.Y("revenue:Q", axis=alt.Axis(title=None, grid=True, tickCount=5, labelExpr=money_labels(look))),
        tooltip=tips(
            ("when", _name(period)),
            ("money", "Revenue"),
            ("n_orders", "Orders"),
            ("people", "Active customers"),
            ("known", "Known"),
        ),
    )
    bars = drawn.encode(y2=alt.datum(0))
    whole = bars.transform_filter("datum.is_complete").mark_rect(color=palette.main)
    part = bars.transform_filter("!datum.is_complete").mark_rect(
        color=palette.main_soft, stroke=palette.main, strokeWidth=1, strokeDash=[3, 2]
    )
    subtitle = f"Revenue per {period}, {look.money_unit}{_note(rows)}"
    title = _best(
        rows, "revenue", lambda row: f"{row['when']} was the strongest {period}: {look.money(row['revenue'], short=True)}"
    )
    return finished(
        alt.layer(whole, part, *_bar_notes(rows, look)),
        look,
        title=title or "Revenue over time",
        subtitle=subtitle,
        words=_span(rows, look),
        height=240,
    )


def customers_over_time(periods: pa.Table, look: Look | None = None) -> Any:
    """Draw active customers per period as a line; periods that are not whole are hollow points off the line. Takes `overview.over_time`."""
    look = look or Look()
    rows = _worded(periods, look)
    if not rows:
        return nothing_to_draw(look, "No orders, so no active customers.")
    palette, period = look.palette, rows[0]["period"]
    drawn = alt.Chart(values(rows)).encode(
        x=time_axis("middle", look, rows),
        y=alt.Y(
            "customers:Q", scale=alt.Scale(zero=True), axis=alt.Axis(title=None, grid=True, tickCount=5, labelExpr=count_labels())
        ),
        tooltip=tips(
            ("when", _name(period)), ("people", "Active customers"), ("newcomers", "First order ever"), ("known", "Known")
        ),
    )
    whole = drawn.transform_filter("datum.is_complete")
    part = drawn.transform_filter("!datum.is_complete").mark_point(
        filled=False, fill=palette.paper, stroke=palette.main, strokeWidth=1.5, size=60
    )
    points = whole.mark_point(color=palette.main, filled=True, size=40)
    layers = alt.layer(whole.mark_line(color=palette.main), points, part, *_point_notes(rows, look))
    title = _best(rows, "customers", lambda row: f"Most customers were active in {row['when']}: {count(row['customers'])}")
    subtitle = f"Customers with at least one order in the {period}{_note(rows, 'hollow points')}"
    return finished(
        layers, look, title=title or "Active customers over time", subtitle=subtitle, words=_span(rows, look), height=240
    )


def customer_timeline(
    order_days: pa.Table,
    look: Look | None = None,
    *,
    as_of: dt.date | None = None,
    next_order_on: dt.date | None = None,
    returns: pa.Table | None = None,
) -> Any:
    """Draw one customer's purchase days with their money; takes `overview.order_days`.

    Parameters
    ----------
    as_of : date, optional
        The cutoff, drawn as a thin line.
    next_order_on : date, optional
        The day by which another order is as likely as not, drawn as a dashed line.
    returns : table, optional
        Days on which goods were brought back: returned_on, n_lines, money; drawn downwards, hollow and dashed.
    """
    look = look or Look()
    rows = rows_of(order_days)
    if not rows:
        return nothing_to_draw(look, "No orders of this customer are published.")
    palette = look.palette
    for row in rows:
        row |= {
            "when": day(row["ordered_on"]),
            "money": look.money(row["revenue"]),
            "n_orders": quantity(row["orders"], "orders"),
        }
    axis = alt.Axis(title=None, grid=True, tickCount=4, labelExpr=money_labels(look))
    days = alt.X(
        "ordered_on:T",
        axis=alt.Axis(title=None, labelExpr=_day_labels(), tickCount=4 if look.is_narrow else 8),
        scale=alt.Scale(padding=14),
    )
    drawn = alt.Chart(values(rows)).encode(x=days, tooltip=tips(("when", "Day"), ("money", "Money"), ("n_orders", "Orders")))
    stems = drawn.mark_rule(color=palette.main, strokeWidth=1.5).encode(
        y=alt.Y("revenue:Q", axis=axis, scale=alt.Scale(zero=True)), y2=alt.datum(0)
    )
    tops = drawn.mark_point(color=palette.main, filled=True, size=45).encode(y="revenue:Q")
    top = max(row["revenue"] for row in rows) or 1.0
    marks = [(as_of, "as of", [1, 0])] if as_of else []
    if next_order_on and (next_order_on - rows[-1]["ordered_on"]).days < 3 * 365:
        marks.append((next_order_on, "next order as likely as not by", [5, 3]))
    room = alt.Chart(values([{"ordered_on": rows[0]["ordered_on"], "revenue": top * (1 + 0.14 * len(marks))}])).mark_point(
        opacity=0
    )
    back = _brought_back(returns, look)
    layers = [room.encode(x="ordered_on:T", y="revenue:Q"), stems, tops, *_returned_marks(back, look)]
    for place, mark in enumerate(marks):
        layers += _marked_day(*mark, look, row=place, is_late=_is_late(mark[0], [row["ordered_on"] for row in rows], marks))
    total = sum(row["revenue"] for row in rows)
    orders = quantity(sum(row["orders"] for row in rows), "orders")
    title = (
        f"{orders} since {rows[0]['when']}, {look.money(total)} in all"
        if len(rows) > 1
        else f"{orders} on {rows[0]['when']}, {look.money(total)}"
    )
    subtitle = f"Money per purchase day, {look.money_unit}"
    if back:
        title += f"; {look.money(sum(row['money'] for row in back))} brought back"
        subtitle += "; hollow and dashed, downwards: goods brought back"
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, height=200)


def _brought_back(returns: pa.Table | None, look: Look) -> list[dict[str, Any]]:
    """Return the days on which goods were brought back, with the words of their tooltips."""
    rows = rows_of(returns) if returns is not None else []
    for row in rows:
        row |= {
            "below": -row["money"],
            "when": day(row["returned_on"]),
            "money_back": look.money(row["money"]),
            "lines": quantity(row["n_lines"], "lines"),
        }
    return rows


def _returned_marks(rows: Sequence[dict[str, Any]], look: Look) -> list[Any]:
    """Return the marks of goods brought back."""
    if not rows:
        return []
    said = tips(("when", "Brought back on"), ("money_back", "Money"), ("lines", "Lines"))
    drawn = alt.Chart(values(rows)).encode(x="returned_on:T", tooltip=said)
    colour = look.palette.second
    return [
        drawn.mark_rule(color=colour, strokeWidth=1.5, strokeDash=[3, 2]).encode(y="below:Q", y2=alt.datum(0)),
        drawn.mark_point(shape="triangle-down", filled=False, fill=look.palette.paper, stroke=colour, size=50).encode(
            y="below:Q"
        ),
    ]


def _marked_day(on: dt.date, name: str, dash: list[int], look: Look, *, row: int, is_late: bool) -> list[Any]:
    """Return a vertical line at a day with its name and date, written towards the middle of the picture."""
    drawn = alt.Chart(values([{"ordered_on": on, "text": f"{name} {day(on)}"}])).encode(x="ordered_on:T")
    line = drawn.mark_rule(color=look.palette.second, strokeDash=dash)
    align: Literal["left", "right"] = "right" if is_late else "left"
    text = drawn.mark_text(align=align, dx=-6 if is_late else 6, y=7 + 16 * row, color=look.palette.second)
    return [line, text.encode(text="text:N")]


def _is_late(on: dt.date, ordered: Sequence[dt.date], marks: Sequence[tuple[dt.date, str, list[int]]]) -> bool:
    """Return whether a day lies in the later half of the time drawn."""
    last = max([*ordered, *(mark[0] for mark in marks)])
    return (on - ordered[0]).days * 2 > (last - ordered[0]).days


def _worded(periods: pa.Table, look: Look) -> list[dict[str, Any]]:
    """Return the periods with the words of their tooltips and the edges of their bars."""
    rows = rows_of(periods)
    for row in rows:
        start, end = (dt.datetime.combine(row[name], dt.time()) for name in ("starts_on", "ends_on"))
        row |= {
            "from_": start + _GAP * (end - start),
            "to_": end - _GAP * (end - start),
            "middle": start + (end - start) / 2,
            "when": _when(row["starts_on"], row["period"]),
            "money": look.money(row["revenue"]),
            "n_orders": count(row["orders"]),
            "people": count(row["customers"]),
            "newcomers": count(row["new_customers"]),
            "known": "whole " + row["period"] if row["is_complete"] else f"{row['days_known']} of {row['days']} days",
        }
    return rows


def _when(start: dt.date, period: str) -> str:
    """Return the name of a period."""
    return f"{start:%B %Y}" if period == "month" else f"the week of {day(start)}" if period == "week" else day(start)


def _name(period: str) -> str:
    """Return what a tooltip calls the period."""
    return period[:1].upper() + period[1:]


def _best(rows: Sequence[dict[str, Any]], column: str, words: Any) -> str:
    """Return the sentence on the strongest whole period, empty where fewer than two are whole."""
    whole = [row for row in rows if row["is_complete"]]
    best = max(whole, key=lambda row: row[column], default=None)
    text = str(words(best)) if best is not None and len(whole) > 1 and best[column] > 0 else ""
    return text[:1].upper() + text[1:]


def _note(rows: Sequence[dict[str, Any]], mark: str = "dashed bars") -> str:
    """Return what the mark of periods that are not whole means, empty where all are."""
    parts = [f"{row['days_known']} of {row['days']} days of {row['when']}" for row in rows if not row["is_complete"]]
    return f"; {mark} are not whole: {', '.join(parts)}" if parts else ""


def _span(rows: Sequence[dict[str, Any]], look: Look) -> str:
    """Return the description of first and last period."""
    first, last = rows[0], rows[-1]
    return f"From {first['when']} ({first['money']}, {first['people']} customers) to {last['when']} ({last['money']}, {last['people']} customers)."


def _bar_notes(rows: Sequence[dict[str, Any]], look: Look) -> list[Any]:
    """Return the days known, written upwards in the bars that are not whole, where bars are wide enough."""
    if look.pixels / len(rows) < 16:
        return []
    notes = alt.Chart(values([row for row in rows if not row["is_complete"]]))
    text = notes.mark_text(angle=270, align="left", baseline="middle", dx=6, fontSize=11, color=look.palette.ink)
    return [text.encode(x="middle:T", y=alt.datum(0), text="known:N")]


def _point_notes(rows: Sequence[dict[str, Any]], look: Look) -> list[Any]:
    """Return the days known above points that are not whole, written towards the middle of the picture."""
    layers = []
    for place, row in enumerate(rows):
        if not row["is_complete"]:
            align: Literal["left", "right", "center"] = "center" if len(rows) < 4 else "left" if place == 0 else "right"
            note = alt.Chart(values([row])).mark_text(align=align, dy=-13, fontSize=11, color=look.palette.soft_ink)
            layers.append(note.encode(x=f"{_EDGE[align]}:T", y="customers:Q", text="known:N"))
    return layers


def time_axis(column: str, look: Look, rows: Sequence[dict[str, Any]]) -> alt.X:
    """Return the time axis: every period or every n-th named, the year below its first label."""
    is_months, most = rows[0]["period"] == "month", max(4, look.pixels // 48)
    steps = (1, 2, 3, 6, 12, 24, 60) if is_months else (1, 2, 4, 8, 13, 26)
    step = next((step for step in steps if len(rows) <= step * most), len(rows))
    named = [row for place, row in enumerate(rows) if ((row["starts_on"].month - 1) if is_months else place) % step == 0] or [
        rows[0]
    ]
    labels, year = [], 0
    for row in named:
        start = row["starts_on"]
        labels.append([f"{start:%b}" if is_months else f"{start.day} {start:%b}", f"{start.year}" if start.year != year else ""])
        year = start.year
    at = [row["middle"] if is_months else dt.datetime.combine(row["starts_on"], dt.time()) for row in named]
    ends = [dt.datetime.combine(moment, dt.time()).isoformat() for moment in (rows[0]["starts_on"], rows[-1]["ends_on"])]
    return alt.X(
        f"{column}:T",
        scale=alt.Scale(domain=ends, nice=False),
        axis=alt.Axis(
            title=None,
            values=[moment.isoformat() for moment in at],
            labelExpr=f"{json.dumps(labels)}[round(datum.index * {len(labels) - 1})]",
            labelAlign="center" if is_months else "left",
            labelFlush=False,
        ),
    )


def _day_labels() -> str:
    """Return the expression for days; the year stands under the first label and where it changes."""
    return "[timeFormat(datum.value, '%-d %b'), datum.index == 0 || (month(datum.value) == 0 && date(datum.value) < 8) ? timeFormat(datum.value, '%Y') : '']"
