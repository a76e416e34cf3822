"""Maps of customers in cells: value against risk, recency against frequency, spend against value.

Comes in: small Arrow tables as `interfaces.views.overview` makes them (binned in SQL, never single customers). Goes out:
finished Altair charts. Every cell's figure is in its label, in its tooltip or in the legend's ranges, not in colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

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
from customer_genome.interfaces.views.figures import count, quantity, share

BANDS = ("Low", "Medium", "High")
STEPS = 5


def value_at_risk(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw the money at risk per value band and risk band, with customers; takes `overview.value_at_risk`.

    Nine cells, also those without a customer; the colour is the money at risk and stands in the cell.
    """
    look = look or Look()
    found = {
        (row["clv_band"], row["churn_band"]): row
        for row in rows_of(cells)
        if row["clv_band"] in BANDS and row["churn_band"] in BANDS
    }
    if not found:
        return nothing_to_draw(look, "No customer has both a value band and a risk band yet.")
    empty = {"customers": 0, "clv": 0.0, "value_at_risk": 0.0}
    rows = [dict(found.get((value, risk), empty)) | {"clv_band": value, "churn_band": risk} for value in BANDS for risk in BANDS]
    total, most = sum(row["value_at_risk"] for row in rows), max(row["value_at_risk"] for row in rows)
    for row in rows:
        row["step"] = 1 if most <= 0 else min(STEPS, 1 + int(STEPS * math.sqrt(max(row["value_at_risk"], 0) / most)))
        row["money"] = look.estimate(row["value_at_risk"]) if row["customers"] else "–"
        row["people"] = quantity(row["customers"], "customers")
        row["below"] = count(row["customers"]) if look.is_narrow else row["people"]
        row["worth"] = look.estimate(row["clv"])
        row["part"] = share(row["value_at_risk"] / total if total else None)
    worst = max(rows, key=lambda row: row["value_at_risk"])
    title = f"{look.estimate(total)} of the value of the next 180 days is at risk"
    title += (
        f", {worst['part']} of it with customers of {worst['clv_band'].lower()} value and {worst['churn_band'].lower()} risk"
        if total > 0
        else ""
    )
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("churn_band:O", sort=list(BANDS), axis=alt.Axis(title=f"Risk of no order in {look.horizon_days} days", labelAngle=0, orient="top"), scale=alt.Scale(padding=0.04)),
        y=alt.Y("clv_band:O", sort=list(reversed(BANDS)), axis=alt.Axis(title="Value over 180 days"), scale=alt.Scale(padding=0.06)),
        tooltip=tips(("money", "At risk"), ("part", "Share of all at risk"), ("people", "Who"), ("worth", "Expected value")),
    )  # fmt: skip
    size = 16 if look.is_narrow else 19
    text = drawn.encode(color=_by_step(look, look.palette.on_heat, None))
    layers = (
        drawn.mark_rect(cornerRadius=4).encode(fill=_by_step(look, look.palette.heat, None, "fill")),
        text.mark_text(fontSize=size, fontWeight=600, dy=-8).encode(text="money:N"),
        text.mark_text(dy=14).encode(text="below:N"),
    )
    said = " ".join(
        f"{row['clv_band']} value, {row['churn_band'].lower()} risk: {row['money']}, {row['people']}." for row in rows
    )
    subtitle = f"Expected value times risk, {look.money_unit}, and below it the number of customers"
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said, height=240)


def customers_by_band(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw customers per value band and risk band, where money at risk is not known in size.

    Parameters
    ----------
    cells : clv_band, churn_band, customers
    """
    look = look or Look()
    found = {(row["clv_band"], row["churn_band"]): row["customers"] for row in rows_of(cells)}
    if not any(value in BANDS and risk in BANDS for value, risk in found):
        return nothing_to_draw(look, "No customer has both a value band and a risk band yet.")
    rows: list[dict[str, Any]] = [
        {"clv_band": value, "churn_band": risk, "customers": found.get((value, risk), 0)} for value in BANDS for risk in BANDS
    ]
    total, most = sum(row["customers"] for row in rows), max(row["customers"] for row in rows)
    for row in rows:
        row["step"] = min(STEPS, 1 + int(STEPS * math.sqrt(row["customers"] / most)))
        row["people"] = count(row["customers"]) if row["customers"] else "–"
        row["part"] = share(row["customers"] / total)
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("churn_band:O", sort=list(BANDS), axis=alt.Axis(title="Risk", labelAngle=0, orient="top"), scale=alt.Scale(padding=0.04)),
        y=alt.Y("clv_band:O", sort=list(reversed(BANDS)), axis=alt.Axis(title="Value to come"), scale=alt.Scale(padding=0.06)),
        tooltip=tips(("people", "Customers"), ("part", "Share of customers")),
    )  # fmt: skip
    text = drawn.encode(color=_by_step(look, look.palette.on_heat, None))
    layers = (
        drawn.mark_rect(cornerRadius=4).encode(fill=_by_step(look, look.palette.heat, None, "fill")),
        text.mark_text(fontSize=16 if look.is_narrow else 19, fontWeight=600, dy=-8).encode(text="people:N"),
        text.mark_text(dy=14).encode(text="part:N"),
    )
    urgent = found.get(("High", "High"), 0)
    title = f"{quantity(urgent, 'customers')} of high value {'stands' if urgent == 1 else 'stand'} at high risk"
    said = " ".join(f"{row['clv_band']} value, {row['churn_band'].lower()} risk: {row['people']} customers." for row in rows)
    subtitle = "Customers by band of value and risk, and their share"
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said, height=240)


def recency_frequency(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw customers by days since the last order and number of orders; takes `overview.recency_frequency`."""
    look = look or Look()
    rows = rows_of(cells)
    if not rows:
        return nothing_to_draw(look, "No customers to place.")
    bounds = _bounds(max(row["customers"] for row in rows))
    for row in rows:
        row["step"] = _step(row["customers"], bounds)
        row["people"] = count(row["customers"])
        row["days"] = f"{row['recency_from'] + 1}–{row['recency_to']} days ago"
        row["money"] = look.money(row["revenue"], short=True)
        row["risk"] = look.estimate(row["value_at_risk"])
    labels = [row["orders"] for row in sorted({row["place"]: row for row in rows}.values(), key=lambda row: -row["place"])]
    last = max(row["recency_to"] for row in rows)
    fits = not look.is_narrow
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("recency_from:Q", scale=alt.Scale(domain=[0, last], nice=False), axis=alt.Axis(title="Days since the last order", tickCount=5 if look.is_narrow else 8, labelExpr=count_labels())),
        y=alt.Y("orders:O", sort=labels, axis=alt.Axis(title="Orders so far")),
        tooltip=tips(("orders", "Orders so far"), ("days", "Last order"), ("people", "Customers"), ("money", "Their revenue"), ("risk", "Value at risk")),
    )  # fmt: skip
    boxes = drawn.mark_rect(stroke=look.palette.paper, strokeWidth=2).encode(
        x2="recency_to:Q", fill=_legend(look, bounds, "fill")
    )
    layers = [boxes]
    if fits:
        middle = [row | {"centre": (row["recency_from"] + row["recency_to"]) / 2} for row in rows]
        text = alt.Chart(values(middle)).mark_text(fontSize=11).encode(
            x="centre:Q", y=alt.Y("orders:O", sort=labels), text="people:N", color=_by_step(look, look.palette.on_heat, None)
        )  # fmt: skip
        layers.append(text.transform_filter(f"length(datum.people) <= {_letters_that_fit(rows, look)}"))
    title = _away_sentence(rows)
    subtitle = "Customers by days since the last order and number of orders so far"
    return finished(
        alt.layer(*layers).resolve_scale(color="independent", fill="independent"),
        look,
        title=title,
        subtitle=subtitle,
        height=alt.Step(34),
    )


def spend_value(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw customers by money so far and expected value, both axes in powers of ten; takes `overview.spend_value`."""
    look = look or Look()
    rows = rows_of(cells)
    if not rows:
        return nothing_to_draw(look, "No customer has both spend and a value yet.")
    bounds = _bounds(max(row["customers"] for row in rows))
    for row in rows:
        row["step"] = _step(row["customers"], bounds)
        row["people"] = count(row["customers"])
        row["spent"] = f"{look.money(row['spend_from'], short=True)} to {look.money(row['spend_to'], short=True)}"
        row["worth"] = f"{look.money(row['clv_from'], short=True)} to {look.money(row['clv_to'], short=True)}"
    x, y = (_log_axis(rows, name, look) for name in ("spend", "clv"))
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("spend_from:Q", scale=x[0], axis=alt.Axis(title=f"Money so far, {look.money_unit}", **x[1])),
        x2="spend_to:Q",
        y=alt.Y("clv_from:Q", scale=y[0], axis=alt.Axis(title=f"Expected value, 180 days, {look.money_unit}", **y[1])),
        y2="clv_to:Q",
        fill=_legend(look, bounds, "fill"),
        tooltip=tips(("spent", "Money so far"), ("worth", "Expected value"), ("people", "Customers")),
    )
    diagonal = _even_line(rows, look)
    boxes = drawn.mark_rect(stroke=look.palette.paper, strokeWidth=1.5)
    ahead = sum(row["n_as_much_again"] for row in rows) / sum(row["customers"] for row in rows)
    title = (
        f"{share(ahead)} of customers are expected to spend as much again within 180 days"
        if ahead
        else "No customer is expected to spend as much again within 180 days"
    )
    subtitle = "Customers by money so far and expected value; dashed line: as much again"
    return finished(alt.layer(boxes, diagonal), look, title=title, subtitle=subtitle, height=300)


def _even_line(rows: Sequence[Mapping[str, Any]], look: Look) -> Any:
    """Return the dashed line on which expected value equals money so far."""
    low = max(min(row["spend_from"] for row in rows), min(row["clv_from"] for row in rows))
    high = min(max(row["spend_to"] for row in rows), max(row["clv_to"] for row in rows))
    ends = [{"spend_from": amount, "clv_from": amount} for amount in (low, high)] if high > low else []
    return (
        alt.Chart(values(ends))
        .mark_line(color=look.palette.second, strokeDash=[5, 3], strokeWidth=1.5)
        .encode(x="spend_from:Q", y="clv_from:Q")
    )


def _log_axis(rows: Sequence[Mapping[str, Any]], name: str, look: Look) -> tuple[alt.Scale, dict[str, Any]]:
    """Return scale and axis settings in powers of ten over the filled cells."""
    low, high = min(row[f"{name}_from"] for row in rows), max(row[f"{name}_to"] for row in rows)
    ticks = [10.0**power for power in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)]
    return alt.Scale(type="log", domain=[low, high], nice=False), {"values": ticks, "grid": True, "labelExpr": money_labels(look)}


def _away_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of the frequent customers have been away for longer than half of the time span shown."""
    frequent = [row for row in rows if row["place"] >= 4]
    limit = max(row["recency_to"] for row in rows) / 2
    away = [row for row in frequent if row["recency_from"] >= limit]
    if not frequent:
        return "No customer ordered more than five times"
    first = min((row["recency_from"] for row in away), default=0)
    if not away:
        longest = max(row["recency_to"] for row in frequent)
        return f"Nobody with six orders or more has been away longer than {longest:,} days"
    return (
        f"{count(sum(row['customers'] for row in away))} customers with six orders or more have been away for over {first:,} days"
    )


def _letters_that_fit(rows: Sequence[Mapping[str, Any]], look: Look) -> int:
    """Return how many figures fit into a cell."""
    bins = max(row["recency_to"] for row in rows) / (rows[0]["recency_to"] - rows[0]["recency_from"])
    return int((look.pixels - 60) / bins / 6.2)


def _bounds(most: int) -> list[int]:
    """Return the largest count of each step, in about even ratios, as round numbers.

    Examples
    --------
    >>> _bounds(3), _bounds(1000)
    ([1, 2, 3], [4, 20, 60, 250, 1000])
    """
    if most <= STEPS:
        return list(range(1, most + 1))
    bounds: list[int] = []
    for step in range(1, STEPS):
        size = most ** (step / STEPS)
        unit = 10 ** max(0, math.floor(math.log10(size)) - (1 if size >= 100 else 0))
        bounds.append(max(round(size / unit) * unit, (bounds[-1] + 1) if bounds else 1))
    return [*bounds, most]


def _step(value: int, bounds: Sequence[int]) -> int:
    """Return the step of a count, from 1."""
    return next((place for place, bound in enumerate(bounds, start=1) if value <= bound), len(bounds))


def _by_step(look: Look, colours: Sequence[str], legend: alt.Legend | None, channel: str = "color") -> Any:
    """Return the encoding of the column `step`."""
    kind = alt.Fill if channel == "fill" else alt.Color
    return kind("step:O", scale=alt.Scale(domain=list(range(1, STEPS + 1)), range=list(colours)), legend=legend)


def _legend(look: Look, bounds: Sequence[int], channel: str) -> Any:
    """Return the encoding of the column `step` with the ranges of customers in its legend."""
    starts = [1, *[bound + 1 for bound in bounds[:-1]]]
    texts = [count(low) if low == high else f"{count(low)}–{count(high)}" for low, high in zip(starts, bounds, strict=True)]
    expression = "[" + ", ".join(f"'{text}'" for text in ("", *texts)) + "][datum.value]"
    steps = list(range(1, len(bounds) + 1))
    legend = alt.Legend(
        title="Customers in a cell", labelExpr=expression, values=steps, columns=3 if look.is_narrow else len(steps)
    )
    colours = look.palette.heat[: len(steps)]
    kind = alt.Fill if channel == "fill" else alt.Color
    return kind("step:O", scale=alt.Scale(domain=steps, range=list(colours)), legend=legend)
