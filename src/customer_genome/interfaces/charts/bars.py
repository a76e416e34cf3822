"""Sorted bars with their figures written at the end: segments, countries, categories, number of orders, the row ledger.

Comes in: small Arrow tables as `interfaces.views.overview` makes them. Goes out: finished Altair charts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.charts.look import LETTER_PX, Look, finished, nothing_to_draw, room_for, rows_of, tips, values
from customer_genome.interfaces.views.figures import count, share

MOST_BARS = 10
"""Bars of categories; the others share one more."""
_LEFT_LABEL_PX = 270


def segment_sizes(segments: pa.Table, look: Look | None = None) -> Any:
    """Draw customers per segment, count and share; takes `overview.segments`."""
    look = look or Look()
    rows = sorted(rows_of(segments), key=lambda row: -row["customers"])
    if not rows:
        return nothing_to_draw(look, "No customers, so no segments.")
    for row in rows:
        row["label"] = f"{count(row['customers'])} · {share(row['customer_share'])}"
    first = rows[0]
    title = f"{first['segment']} is the largest segment: {share(first['customer_share'])} of customers"
    if len(rows) == 1:
        title = f"All customers are in one segment: {first['segment']}"
    return _bars(rows, look, name="segment", value="customers", title=title, subtitle="Customers per segment, count and share", tip=[
        ("segment", "Segment"), ("label", "Customers"),
    ])  # fmt: skip


def segment_spend(segments: pa.Table, look: Look | None = None) -> Any:
    """Draw money so far per segment; takes `overview.segments`."""
    look = look or Look()
    rows = rows_of(segments)
    if not rows:
        return nothing_to_draw(look, "No customers, so no spend per segment.")
    for row in rows:
        row["label"] = f"{look.money(row['revenue'], short=True)} · {share(row['revenue_share'])}"
        row["each"] = look.money(row["mean_spend"])
    first = rows[0]
    title = f"{first['segment']}: {share(first['customer_share'])} of customers, {share(first['revenue_share'])} of revenue"
    if len(rows) == 1:
        title = f"All revenue comes from one segment: {first['segment']}"
    return _bars(rows, look, name="segment", value="revenue", title=title, subtitle=f"Revenue so far per segment, {look.money_unit} and share", tip=[
        ("segment", "Segment"), ("label", "Revenue"), ("each", "Per customer"),
    ])  # fmt: skip


def segment_value(segments: pa.Table, look: Look | None = None) -> Any:
    """Draw the expected value of an average customer per segment over 180 days; takes `overview.segments`."""
    look = look or Look()
    rows = sorted((row for row in rows_of(segments) if row["mean_clv"] is not None), key=lambda row: -row["mean_clv"])
    if not rows:
        return nothing_to_draw(look, "No customer has a value yet.")
    for row in rows:
        row["label"] = f"{look.estimate(row['mean_clv'])} · {look.estimate(row['clv'])} in all"
        if row.get("mean_clv_upper") is not None:
            row["reach"] = f"{look.estimate(row['mean_clv_lower'])} to {look.estimate(row['mean_clv_upper'])}"
        row["middle"] = look.estimate(row["median_clv"])
    first = rows[0]
    everybody = sum(row["clv"] for row in rows) / sum(row["customers"] for row in rows)
    title = f"A customer in {first['segment']} is worth {look.estimate(first['mean_clv'])} over 180 days"
    title += f", {first['mean_clv'] / everybody:.1f} times the average" if everybody > 0 and len(rows) > 1 else ""
    subtitle = f"Expected customer value over the next 180 days, mean per customer and segment total, {look.money_unit}{_reach_note(rows)}"
    return _bars(rows, look, name="segment", value="mean_clv", title=title, subtitle=subtitle, tip=[
        ("segment", "Segment"), ("label", "Mean and total value"), ("middle", "Half are worth less than"), *_reach_tip(rows),
    ], reach=("mean_clv_lower", "mean_clv_upper"))  # fmt: skip


def segment_risk(segments: pa.Table, look: Look | None = None) -> Any:
    """Draw the mean risk of the customers of each segment; takes `overview.segments`."""
    look = look or Look()
    rows = sorted(
        (row for row in rows_of(segments) if row["churn_probability"] is not None), key=lambda row: -row["churn_probability"]
    )
    if not rows:
        return nothing_to_draw(look, "No customer has a risk yet.")
    for row in rows:
        row["label"] = f"{share(row['churn_probability'])} · {look.estimate(row['value_at_risk'])} at risk"
        if row.get("risk_upper") is not None:
            row["reach"] = f"{share(row['risk_lower'])} to {share(row['risk_upper'])}"
    first = rows[0]
    title = f"{share(first['churn_probability'])} of customers in {first['segment']} will probably not order in {look.horizon_days} days"
    subtitle = (
        f"Mean risk of no order in {look.horizon_days} days, and the value that hangs on it, {look.money_unit}{_reach_note(rows)}"
    )
    return _bars(rows, look, name="segment", value="churn_probability", title=title, subtitle=subtitle, tip=[
        ("segment", "Segment"), ("label", "Risk and value at risk"), *_reach_tip(rows),
    ], reach=("risk_lower", "risk_upper"))  # fmt: skip


def hidden_potential(chances: pa.Table, look: Look | None = None) -> Any:
    """Draw customers of low spend by their chance to order again; takes `overview.low_spend_chances`."""
    look = look or Look()
    rows = [row | {"label": count(row["customers"])} for row in rows_of(chances)]
    total = sum(row["customers"] for row in rows)
    if not total:
        return nothing_to_draw(look, "No customer of low spend has a chance to return yet.")
    likely = sum(row["customers"] for row in rows if row["is_likely"])
    for row in rows:
        row["is_rest"] = not row["is_likely"]
    title = f"{count(likely)} of {count(total)} customers of low spend are likely to be back: a chance of 60 % or more"
    return _bars(rows, look, name="chance", value="customers", title=title, pale="is_rest", tip=[
        ("chance", "Chance of another order"), ("label", "Customers of low spend"),
    ], subtitle=f"The half that spent least, by chance of an order in {look.horizon_days} days")  # fmt: skip


def revenue_by_country(countries: pa.Table, look: Look | None = None) -> Any:
    """Draw revenue by the customers' main country, largest first, the others in one bar; takes `overview.countries`."""
    look = look or Look()
    rows = rows_of(countries)
    if not rows:
        return nothing_to_draw(look, "No customers, so no countries.")
    for row in rows:
        if row["is_rest"]:
            row["country"] = f"{count(row['n_countries'])} other countries" if row["n_countries"] > 1 else "1 other country"
        row["label"] = f"{look.money(row['revenue'], short=True)} · {share(row['revenue_share'])}"
        row["people"] = count(row["customers"])
    known = [row for row in rows if row["country"] != "Unknown" and not row["is_rest"]]
    title = f"{known[0]['country']} brings {share(known[0]['revenue_share'])} of revenue" if known else "The data name no country"
    return _bars(rows, look, name="country", value="revenue", title=title, pale="is_rest", tip=[
        ("country", "Country"), ("label", "Revenue"), ("people", "Customers"),
    ], subtitle=f"Revenue so far by the country a customer spends most in, {look.money_unit} and share")  # fmt: skip


def revenue_by_category(categories: pa.Table, look: Look | None = None) -> Any:
    """Draw revenue per product category; takes `overview.categories`."""
    look = look or Look()
    rows = _largest(rows_of(categories), "category", "categories")
    if not rows:
        return nothing_to_draw(look, "The data name neither products nor categories, so revenue cannot be split by category.")
    for row in rows:
        row["label"] = f"{look.money(row['revenue'], short=True)} · {share(row['revenue_share'])}"
        row["is_rest"] = row.get("is_rest") or row["category"] == "Other"
    known = [row for row in rows if not row["is_rest"]] or rows
    title = f"{known[0]['category']} brings {share(known[0]['revenue_share'])} of revenue"
    return _bars(rows, look, name="category", value="revenue", title=title, pale="is_rest", tip=[
        ("category", "Category"), ("label", "Revenue"),
    ], subtitle=f"Revenue so far per product category, {look.money_unit} and share")  # fmt: skip


def _largest(rows: list[dict[str, Any]], name: str, plural: str) -> list[dict[str, Any]]:
    """Return the largest rows and one for the money of all others, where there are many."""
    if len(rows) <= MOST_BARS + 1:
        return rows
    others = rows[MOST_BARS:]
    rest = {
        name: f"{count(len(others))} other {plural}",
        "revenue": sum(row["revenue"] for row in others),
        "revenue_share": sum(row["revenue_share"] or 0 for row in others),
        "is_rest": True,
    }
    return [*rows[:MOST_BARS], rest]


def order_counts(counts: pa.Table, look: Look | None = None) -> Any:
    """Draw how many customers ordered how often; takes `overview.order_counts`."""
    look = look or Look()
    rows = rows_of(counts)
    if not rows:
        return nothing_to_draw(look, "No customers, so no orders to count.")
    for row in rows:
        row["label"] = f"{count(row['customers'])} · {share(row['customer_share'])}"
        row["money"] = f"{look.money(row['revenue'], short=True)} · {share(row['revenue_share'])}"
        row["name"] = f"{row['orders']} order" if row["orders"] == "1" else f"{row['orders']} orders"
    once = next((row["customer_share"] for row in rows if row["orders"] == "1"), 0.0)
    title = f"{share(once)} of customers ordered once" if once < 1 else "Every customer ordered once"
    title = title if once else "Every customer ordered more than once"
    return _bars(rows, look, name="name", value="customers", title=title, subtitle="Customers by number of orders so far, count and share", tip=[
        ("name", "Orders so far"), ("label", "Customers"), ("money", "Their revenue"),
    ])  # fmt: skip


def row_ledger(ledger: pa.Table, words: Mapping[str, str], look: Look | None = None) -> Any:
    """Draw where every input row went; takes `overview.ledger` and the words per class.

    Rows that count are solid, rows that do not are pale with an outline.
    """
    look = look or Look()
    rows = rows_of(ledger)
    if not rows:
        return nothing_to_draw(look, "The row ledger is empty.")
    total = sum(row["n_rows"] for row in rows)
    for row in rows:
        row["name"] = _sentence_case(words.get(row["row_class"], row["row_class"]))
        row["label"] = f"{count(row['n_rows'])} · {share(row['n_rows'] / total)}"
        row["money"] = look.money(row["revenue"])
        row["is_out"] = row["row_class"] != "kept"
    kept = sum(row["n_rows"] for row in rows if not row["is_out"])
    title = f"{share(kept / total)} of {count(total)} input rows are purchases that count"
    title = title if kept < total else "Every input row is a purchase that counts"
    return _bars(rows, look, name="name", value="n_rows", title=title, subtitle="Input rows by what became of them, count and share", pale="is_out", tip=[
        ("name", "Became"), ("label", "Rows"), ("money", "Money (signed)"),
    ])  # fmt: skip


def _reach_tip(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the line of the tooltip that names the range, where there is one."""
    return [("reach", "80 % by chance alone")] if any("reach" in row for row in rows) else []


def _reach_note(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the whiskers mean, where there are some."""
    return "; whiskers: 80 % range by chance alone" if any("reach" in row for row in rows) else ""


def _sentence_case(text: str) -> str:
    """Return text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def _bars(
    rows: Sequence[Mapping[str, Any]],
    look: Look,
    *,
    name: str,
    value: str,
    title: str,
    subtitle: str,
    tip: Sequence[tuple[str, str]],
    pale: str = "",
    reach: tuple[str, str] | None = None,
) -> Any:
    """Draw horizontal bars in the order of `rows`: name on the left (above the bar on a phone), figure at the end.

    `reach` names the columns of a range, drawn as whiskers where a row has it.
    """
    palette = look.palette
    shown = [{**row, "_place": place, "_pale": bool(pale and row[pale])} for place, row in enumerate(rows)]
    names = [row[name] for row in rows]
    used = 0 if look.is_narrow else min(_LEFT_LABEL_PX, LETTER_PX * max(len(text) for text in names) + 20)
    end = room_for(
        [row["label"] for row in rows],
        max(max(row[value] or 0, (row.get(reach[1]) or 0) if reach else 0) for row in rows),
        look,
        used,
    )
    axis = (
        None if look.is_narrow else alt.Axis(title=None, labelColor=palette.ink, labelLimit=_LEFT_LABEL_PX, minExtent=used - 14)
    )
    y = alt.Y(
        f"{name}:N", sort=names, axis=axis, scale=alt.Scale(paddingInner=0.62 if look.is_narrow else 0.34, paddingOuter=0.2)
    )
    scale = alt.Scale(domain=[0, end], nice=False, zero=True)
    x = alt.X(f"{value}:Q", axis=None, scale=scale)
    drawn = alt.Chart(values(shown)).encode(y=y, x=x, tooltip=tips(*tip))
    solid = drawn.transform_filter("!datum._pale").mark_bar(color=palette.main, cornerRadiusEnd=2)
    outlined = drawn.transform_filter("datum._pale").mark_bar(
        color=palette.main_soft, stroke=palette.main, strokeWidth=1, strokeDash=[3, 2], cornerRadiusEnd=2
    )
    figure = drawn.mark_text(align="left", dx=6, color=palette.ink).encode(text="label:N")
    layers = [solid, outlined, figure]
    if reach and any(row.get(reach[1]) is not None for row in rows):
        ranged = drawn.transform_filter(f"isValid(datum['{reach[1]}'])")
        layers[2] = drawn.transform_calculate(
            _end=f"max(datum['{value}'], isValid(datum['{reach[1]}']) ? datum['{reach[1]}'] : 0)"
        )
        layers[2] = (
            layers[2]
            .mark_text(align="left", dx=6, color=palette.ink)
            .encode(text="label:N", x=alt.X("_end:Q", axis=None, scale=scale))
        )
        layers.append(
            ranged.mark_rule(color=palette.second, strokeWidth=2).encode(
                x=alt.X(f"{reach[0]}:Q", axis=None, scale=scale), x2=f"{reach[1]}:Q"
            )
        )
    if look.is_narrow:
        layers.append(drawn.mark_text(align="left", dy=-19, color=palette.ink).encode(text=f"{name}:N", x=alt.value(0)))
    said = "; ".join(f"{row[name]}: {row['label']}" for row in rows[:12])
    return finished(
        alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(42 if look.is_narrow else 30)
    )
