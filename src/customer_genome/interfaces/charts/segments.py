"""Segments beside each other: what sets them apart, where they lie, and how their number was chosen.

Comes in: small Arrow tables as `interfaces.views.segment_figures` makes them. Goes out: finished Altair charts. Segments carry letters, so that
no colour has to tell them apart; more and less are told by arrows and by sides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from customer_genome.interfaces.views.figures import count, share

SPREAD_DECADES = 4
"""Powers of ten below the largest value that the spread still tells apart."""
STEPS = (0.3, 0.8, 1.5, 2.5)
"""Effects from which a cell gets the next colour: worth a word, plain, far, another world."""
_METHODS: Mapping[str, tuple[str, list[int]]] = {
    "kmeans": ("KMeans", [1, 0]),
    "hierarchical": ("Ward", [5, 3]),
    "gmm": ("Mixture", [2, 3]),
}
_FIGURES: Mapping[str, tuple[str, str, str]] = {
    "wcss": ("Elbow", "Sum of squares within the segments; it always falls, the bend counts", "lower"),
    "silhouette": ("Silhouette", "How clearly customers lie nearer to their own segment than to the next, -1 to 1", "higher"),
    "bic": ("Information criterion", "BIC of the mixture: how well it describes customers, less a fine for its size", "lower"),
    "stability": ("Steadiness", "Adjusted Rand index against segments found in resampled customers, 1 = the same", "higher"),
}


def segment_effects(effects: pa.Table, look: Look | None = None) -> Any:
    """Draw how far each segment lies from all other customers, fact by fact; takes `segment_figures.effects`."""
    look = look or Look()
    rows = rows_of(effects)
    if not rows:
        return nothing_to_draw(look, "There is one segment, so nothing sets a part of the customers apart.")
    for row in rows:
        size = abs(row["effect"])
        row["step"] = 1 + sum(size >= bound for bound in STEPS)
        row["figure"] = "·" if size < STEPS[0] / 2 else f"{'▲' if row['effect'] > 0 else '▼'} {size:.1f}"
        row["here"], row["there"] = (
            f"{row[name]:,.2f}" if abs(row[name]) < 10 else f"{row[name]:,.0f}" for name in ("typical", "elsewhere")
        )
    names = {row["letter"]: row["segment_name"] for row in rows}
    facts = list(dict.fromkeys(row["words"] for row in rows))
    strongest = max(rows, key=lambda row: abs(row["effect"]))
    way = "more" if strongest["effect"] > 0 else "less"
    title = f"{strongest['segment_name']} differ most: far {way} in {strongest['words'].lower()} than all others"
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("letter:N", sort=list(names), axis=alt.Axis(title=None, labelAngle=0, orient="top", labelColor=look.palette.ink, labelFontWeight="bold"), scale=alt.Scale(padding=0.04)),
        y=alt.Y("words:N", sort=facts, axis=alt.Axis(title=None, labelColor=look.palette.ink), scale=alt.Scale(padding=0.06)),
        tooltip=tips(("segment_name", "Segment"), ("words", "Fact"), ("figure", "Effect"), ("here", "Typically"), ("there", "All others")),
    )  # fmt: skip
    domain = [1, 2, 3, 4, 5]
    fill = alt.Fill("step:O", scale=alt.Scale(domain=domain, range=look.palette.heat), legend=None)
    ink = alt.Color("step:O", scale=alt.Scale(domain=domain, range=look.palette.on_heat), legend=None)
    size = 11 if look.is_narrow and len(names) > 5 else 12
    layers = (
        drawn.mark_rect(cornerRadius=3).encode(fill=fill),
        drawn.mark_text(fontSize=size).encode(text="figure:N", color=ink),
    )
    subtitle = f"Segment against all other customers in standard deviations: ▲ more, ▼ less. {_named(names)}"
    said = " ".join(f"{row['segment_name']}, {row['words']}: {row['figure']}." for row in rows[:40])
    return finished(
        alt.layer(*layers).resolve_scale(color="independent"),
        look,
        title=title,
        subtitle=subtitle,
        words=said,
        height=alt.Step(32),
    )


def segment_traits(effects: pa.Table, look: Look | None = None) -> Any:
    """Draw what sets one segment apart: bars to the right for more, to the left for less; takes rows of one segment."""
    look = look or Look()
    rows = sorted((row for row in rows_of(effects) if abs(row["effect"]) >= STEPS[0] / 2), key=lambda row: -abs(row["effect"]))
    if not rows:
        return nothing_to_draw(look, "Nothing sets these customers far apart from all others.")
    for row in rows:
        row["figure"] = f"{'+' if row['effect'] > 0 else '−'}{abs(row['effect']):.1f}"
    bound = max(1.5, 1.3 * max(abs(row["effect"]) for row in rows))
    order = [row["words"] for row in rows]
    drawn = alt.Chart(values(rows)).encode(
        y=alt.Y("words:N", sort=order, axis=alt.Axis(title=None, labelColor=look.palette.ink)),
        x=alt.X("effect:Q", scale=alt.Scale(domain=[-bound, bound]), axis=None),
        tooltip=tips(("words", "Fact"), ("figure", "Against all others")),
    )
    zero = alt.Chart(values([{"zero": 0}])).mark_rule(color=look.palette.soft_ink).encode(x="zero:Q")
    more, less = drawn.transform_filter("datum.effect >= 0"), drawn.transform_filter("datum.effect < 0")
    layers = (
        more.mark_bar(color=look.palette.main, height=9, aria=False),
        less.mark_bar(color=look.palette.paper, stroke=look.palette.second, strokeWidth=1.5, height=9, aria=False),
        more.mark_text(align="left", dx=5, color=look.palette.ink).encode(text="figure:N"),
        less.mark_text(align="right", dx=-5, color=look.palette.ink).encode(text="figure:N"),
        zero,
    )
    said = "; ".join(f"{row['words']} {row['figure']}" for row in rows)
    title = "Against all other customers"
    return finished(
        alt.layer(*layers), look, title=title, subtitle="In standard deviations", words=f"{said}.", height=alt.Step(21)
    )


def segment_profiles(effects: pa.Table, look: Look | None = None) -> Any:
    """Draw some segments beside each other, fact by fact, each as a line with its letters; takes rows of `segment_figures.effects`.

    It is a radar chart unrolled: facts below each other, the same scale for all, more to the right. Areas of a radar grow with the
    square and change with the order of its axes; places on a line do not.
    """
    look = look or Look()
    rows = rows_of(effects)
    if not rows:
        return nothing_to_draw(look, "Choose a segment to see its profile.")
    names = {row["letter"]: row["segment_name"] for row in rows}
    facts = list(dict.fromkeys(row["words"] for row in rows))
    for row in rows:
        row["place"] = facts.index(row["words"])
        row["figure"] = f"{'+' if row['effect'] >= 0 else '−'}{abs(row['effect']):.1f}"
        row["named"] = f"{row['letter']} · {row['segment_name']}"
    bound = max(1.5, 1.12 * max(abs(row["effect"]) for row in rows))
    colours = [look.palette.main, look.palette.second, look.palette.ink, look.palette.soft_ink]
    dashes = [[1, 0], [6, 3], [2, 3], [8, 3, 2, 3]]
    domain = [f"{letter} · {name}" for letter, name in names.items()][: len(colours)]
    legend = alt.Legend(
        title=None, symbolType="stroke", symbolStrokeWidth=2, symbolSize=300, labelLimit=300, columns=1 if look.is_narrow else 2
    )
    drawn = alt.Chart(values([row for row in rows if row["named"] in domain])).encode(
        x=alt.X("effect:Q", scale=alt.Scale(domain=[-bound, bound], nice=False), axis=alt.Axis(title="Standard deviations from all other customers", tickCount=7, grid=True, labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.1~f')")),
        y=alt.Y("words:N", sort=facts, axis=alt.Axis(title=None, labelColor=look.palette.ink), scale=alt.Scale(padding=0.5)),
        color=alt.Color("named:N", scale=alt.Scale(domain=domain, range=colours[: len(domain)]), legend=legend),
        tooltip=tips(("segment_name", "Segment"), ("words", "Fact"), ("figure", "Against all others")),
    )  # fmt: skip
    zero = alt.Chart(values([{"zero": 0}])).mark_rule(color=look.palette.soft_ink).encode(x="zero:Q")
    dash = alt.StrokeDash("named:N", scale=alt.Scale(domain=domain, range=dashes[: len(domain)]), legend=legend)
    layers = (
        zero,
        drawn.mark_line(strokeWidth=2).encode(order="place:Q", strokeDash=dash),
        drawn.mark_point(filled=True, size=230, opacity=1, fill=look.palette.paper),
        drawn.mark_text(fontSize=12, fontWeight="bold").encode(text="letter:N"),
    )
    return finished(
        alt.layer(*layers),
        look,
        title=_widest(rows, facts, list(names)),
        subtitle="Each segment against all other customers, in standard deviations; right is more, left is less",
        words=" ".join(f"{row['named']}, {row['words']}: {row['figure']}." for row in rows[:40]),
        height=alt.Step(38),
    )


def _widest(rows: list[dict[str, Any]], facts: list[str], letters: list[str]) -> str:
    """Return by which fact the segments drawn differ most."""
    if len(letters) < 2:
        most = max(rows, key=lambda row: abs(row["effect"]))
        return f"{most['segment_name']}: {most['words'].lower()} sets them apart most, {most['figure']} standard deviations"
    apart = {}
    for fact in facts:
        found = sorted((row for row in rows if row["words"] == fact), key=lambda row: row["effect"])
        apart[fact] = (found[-1]["effect"] - found[0]["effect"], found[-1]["letter"], found[0]["letter"])
    fact = max(apart, key=lambda name: apart[name][0])
    size, more, less = apart[fact]
    return f"{fact} parts them most: {more} lies {size:.1f} standard deviations above {less}"


def segment_spread(spread: pa.Table, look: Look | None = None) -> Any:
    """Draw how value is spread within each segment: most customers, the middle half, and the median; takes `segment_figures.spread`."""
    look = look or Look()
    rows = rows_of(spread)
    if not rows:
        return nothing_to_draw(look, "No customer has a value yet.")
    least = max(max(row["p90"] for row in rows) / 10**SPREAD_DECADES, 0.01)
    for row in rows:
        row |= {f"{name}_drawn": max(row[name], least) for name in ("p10", "p25", "p50", "p75", "p90")}
        row["label"] = f"half above {look.estimate(row['p50'])}"
        row["middle"] = f"{look.estimate(row['p25'])} to {look.estimate(row['p75'])}"
        row["most"] = f"{look.estimate(row['p10'])} to {look.estimate(row['p90'])}"
        row["people"] = count(row["customers"])
    palette = look.palette
    high = max(row["p90_drawn"] for row in rows)
    low = min(least * 1.0 if any(row["p10"] < least for row in rows) else high, *(row["p10_drawn"] for row in rows))
    high = high if high > low else low * 10
    names = [row["segment"] for row in rows]
    scale = alt.Scale(type="log", domain=[low, high], nice=False)
    drawn = alt.Chart(values(rows)).encode(
        y=alt.Y("segment:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0.62, paddingOuter=0.3)),
        tooltip=tips(("segment", "Segment"), ("people", "Customers"), ("label", "Median"), ("middle", "Middle half"), ("most", "8 of 10")),
    )  # fmt: skip
    axis = alt.Axis(title=None, grid=True, values=_ticks(low, high), labelExpr=money_labels(look))
    layers = (
        drawn.mark_rule(color=palette.main, strokeWidth=2).encode(x=alt.X("p10_drawn:Q", scale=scale, axis=axis), x2="p90_drawn:Q"),
        drawn.mark_bar(color=palette.main_soft, stroke=palette.main, strokeWidth=1.5, height=13).encode(x=alt.X("p25_drawn:Q", scale=scale), x2="p75_drawn:Q"),
        drawn.mark_tick(color=palette.second, thickness=3, size=17).encode(x=alt.X("p50_drawn:Q", scale=scale)),
        drawn.mark_text(align="left", dy=-18, color=palette.ink).encode(x=alt.value(0), text="named:N").transform_calculate(named="datum.segment + ': ' + datum.label"),
    )  # fmt: skip
    first, last = rows[0], rows[-1]
    title = f"Half of {first['segment']} are worth more than {look.estimate(first['p50'])}"
    title += f", half of {last['segment']} more than {look.estimate(last['p50'])}" if len(rows) > 1 else ""
    subtitle = f"Expected value over 180 days per customer, {look.money_unit}, equal distances are equal factors: line 8 of 10 customers, box the middle half, mark the median"
    said = "; ".join(f"{row['segment']}: {row['label']}, middle half {row['middle']}" for row in rows)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(48))


def _ticks(low: float, high: float) -> list[float]:
    """Return round amounts between two: 1, 2, 5, 10, ... or, over more than a factor of 300, 1, 10, 100, ...

    Examples
    --------
    >>> _ticks(30, 700), _ticks(1, 5000)
    ([50.0, 100.0, 200.0, 500.0], [1.0, 10.0, 100.0, 1000.0])
    """
    steps = (1, 2, 5) if high / low <= 300 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [float(f"{step}e{power}") for power in powers for step in steps]
    return [amount for amount in found if low <= amount <= high]


def segments_by_recency(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw which segment is commonest by days of silence and orders; takes `segment_figures.by_recency`."""
    look = look or Look()
    rows = rows_of(cells)
    if not rows:
        return nothing_to_draw(look, "No customers to place.")
    words = {0: "0", 1: "1", 2: "2", 3: "3", 4: "4–5", 6: "6–10", 11: "11–20", 21: "21–50", 51: "over 50"}
    for row in rows:
        row["x_to"] = row["x"] + row["step"]
        row["place"], row["y_words"] = row["y"], words[int(row["y"])]
        row["x_words"] = f"{row['x'] + 1:.0f}–{row['x_to']:.0f} days"
    labels = [words[place] for place in sorted({int(row["y"]) for row in rows}, reverse=True)]
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[0, max(row["x_to"] for row in rows)], nice=False),
        axis=alt.Axis(title="Days since the last order", labelExpr=count_labels()),
    )
    y = alt.Y("y_words:O", sort=labels, axis=alt.Axis(title="Orders so far"))
    title = f"Recency and number of orders alone tell the segment of {_told(rows)} of customers"
    return _map(rows, look, x, y, title, ("Last order", "Orders"))


def segments_by_value(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw which segment is commonest by money so far and expected value; takes `segment_figures.by_value`."""
    look = look or Look()
    rows = rows_of(cells)
    if not rows:
        return nothing_to_draw(look, "No customer has both spend and a value.")

    def money(step: float) -> str:
        return look.estimate(float((1, 2, 5)[round(step) % 3] * 10 ** (round(step) // 3)))

    for row in rows:
        row["x_to"], row["x_words"] = row["x"] + 1, f"{money(row['x'])} to {money(row['x'] + 1)}"
        row["y_words"] = f"{money(row['y'])}+"
    labels = [f"{money(place)}+" for place in sorted({row["y"] for row in rows}, reverse=True)]
    marks = {round(row["x"]): money(row["x"]) for row in rows if round(row["x"]) % 3 == 0}
    expression = " : ".join((*(f"datum.value == {place} ? '{text}'" for place, text in marks.items()), "''"))
    low, high = min(row["x"] for row in rows), max(row["x_to"] for row in rows)
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[low, high], nice=False),
        axis=alt.Axis(title="Money so far", values=sorted(marks), labelExpr=expression),
    )
    y = alt.Y("y_words:O", sort=labels, axis=alt.Axis(title="Value, 180 days"))
    title = f"Money so far and value to come alone tell the segment of {_told(rows)} of customers"
    return _map(rows, look, x, y, title, ("Money so far", "Value"))


def _told(rows: list[dict[str, Any]]) -> str:
    """Return the share of customers who are in the commonest segment of their cell."""
    return share(sum(row["customers"] * row["part"] for row in rows) / sum(row["customers"] for row in rows))


def _map(rows: list[dict[str, Any]], look: Look, x: Any, y: Any, title: str, axes: tuple[str, str]) -> Any:
    """Draw cells coloured by customers, each with the letter of its commonest segment."""
    most = max(row["customers"] for row in rows)
    for row in rows:
        row["level"] = min(5, 1 + int(5 * math.log1p(row["customers"]) / math.log1p(most) * 0.999))
        row["people"], row["share"] = count(row["customers"]), share(row["part"])
        row["centre"] = (row["x"] + row["x_to"]) / 2
    names = {row["letter"]: row["segment"] for row in sorted(rows, key=lambda row: row["letter"])}
    tip = tips(
        ("x_words", axes[0]),
        ("y_words", axes[1]),
        ("people", "Customers"),
        ("segment", "Commonest segment"),
        ("share", "Their share"),
    )
    domain = [1, 2, 3, 4, 5]
    boxes = alt.Chart(values(rows)).mark_rect(stroke=look.palette.paper, strokeWidth=1.5).encode(
        x=x, x2="x_to:Q", y=y, tooltip=tip, fill=alt.Fill("level:O", scale=alt.Scale(domain=domain, range=look.palette.heat), legend=None)
    )  # fmt: skip
    text = alt.Chart(values(rows)).mark_text(fontSize=11).encode(
        x="centre:Q", y=y, text="letter:N", tooltip=tip,
        color=alt.Color("level:O", scale=alt.Scale(domain=domain, range=look.palette.on_heat), legend=None),
    )  # fmt: skip
    subtitle = f"Letter: the commonest segment of the cell; the darker, the more customers. {_named(names)}"
    said = " ".join(
        f"{row['x_words']}, {row['y_words']}: {row['people']} customers, mostly {row['segment']}." for row in rows[:40]
    )
    return finished(
        alt.layer(boxes, text).resolve_scale(color="independent", fill="independent"), look, title=title, subtitle=subtitle, words=said, height=alt.Step(26)
    )  # fmt: skip


def cluster_counts(counts: pa.Table, figure: str, look: Look | None = None) -> Any:
    """Draw one figure of every number of clusters tried, by method: "wcss", "silhouette", "bic" or "stability"."""
    look = look or Look()
    name, meaning, better = _FIGURES[figure]
    rows = [row for row in rows_of(counts) if row[figure] is not None]
    if len({row["k"] for row in rows}) < 2:
        return nothing_to_draw(look, f"{name}: only one number of segments was tried.")
    for row in rows:
        row["value"], row["method_words"] = row[figure], _METHODS[row["method"]][0]
        row["text"] = f"{row[figure]:,.0f}" if abs(row[figure]) >= 10 else f"{row[figure]:.3f}"
        row["number"] = f"{row['k']} segments{', chosen' if row['is_chosen'] else ''}"
    drawn = [method for method in _METHODS if any(row["method"] == method for row in rows)]
    domain, dashes = [_METHODS[method][0] for method in drawn], [_METHODS[method][1] for method in drawn]
    colours = dict(zip(_METHODS, (look.palette.main, look.palette.second, look.palette.soft_ink), strict=True))
    legend = alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=2, symbolSize=300) if len(drawn) > 1 else None
    scale = alt.Scale(domain=domain, range=[colours[method] for method in drawn])
    base = alt.Chart(values(rows)).encode(
        x=alt.X("k:Q", axis=alt.Axis(title="Number of segments", values=sorted({row["k"] for row in rows}), format="d"), scale=alt.Scale(zero=False, nice=False, padding=14)),
        y=alt.Y("value:Q", scale=alt.Scale(zero=False, padding=8), axis=alt.Axis(title=None, tickCount=4, grid=True, format="~s" if max(row["value"] for row in rows) >= 1000 else ".2~f")),
        color=alt.Color("method_words:N", scale=scale, legend=legend),
        tooltip=tips(("method_words", "Method"), ("number", "Number"), ("text", name)),
    )  # fmt: skip
    chosen = {row["method"]: row["k"] for row in rows if row["is_chosen"]}
    layers = [
        base.mark_line().encode(
            strokeDash=alt.StrokeDash("method_words:N", scale=alt.Scale(domain=domain, range=dashes), legend=legend)
        ),
        base.mark_point(filled=True, size=45, opacity=1),
    ]
    if chosen:
        layers.append(base.transform_filter("datum.is_chosen").mark_point(filled=False, size=170, strokeWidth=2))
    best = (min if better == "lower" else max)(rows, key=lambda row: row["value"])
    numbers = sorted(set(chosen.values()))
    at = f"{numbers[0]} chosen" if len(numbers) == 1 else ""
    if len(numbers) > 1:
        at = "chosen " + ", ".join(
            f"{_METHODS[method][0]} {k}" for method, k in sorted(chosen.items(), key=lambda pair: list(_METHODS).index(pair[0]))
        )
    title = f"{name}: {at}" if figure == "wcss" or not at else f"{name}: best at {best['k']}, {at}"
    said = " ".join(f"{row['method_words']}, {row['k']}: {row['text']}." for row in rows)
    return finished(
        alt.layer(*layers),
        look,
        title=title,
        subtitle=f"{meaning}; {better} is better{'; ringed: chosen' if chosen else ''}",
        words=said,
        height=170,
    )


def _named(names: Mapping[str, str]) -> str:
    """Return the names behind the letters."""
    return " · ".join(f"{letter}: {name}" for letter, name in names.items())
