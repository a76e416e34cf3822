"""What forecasts rest on: from the average customer to one, and over all customers which themes move the risk.

Comes in: points per theme (percentage points of the risk of no order), or small published tables of them. Goes out: finished Altair charts.
What raises the risk is orange with a plus, what lowers it blue with a minus: the sign says the same as the colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.charts.look import Look, finished, nothing_to_draw, rows_of, tips, values
from customer_genome.interfaces.views.figures import count, share

MOST_THEMES = 7
_LEAST = 0.05


def waterfall(
    points: Mapping[str, float],
    average_risk: float,
    risk: float,
    look: Look | None = None,
    *,
    said: Mapping[str, str] | None = None,
) -> Any:
    """Draw how the risk of a customer comes about, theme by theme from that of the average customer.

    Parameters
    ----------
    points : theme -> percentage points, adding up to the difference of the risks
    average_risk, risk : 0..1
    said : theme -> the fact behind it in words, shown instead of the theme
    """
    look = look or Look()
    ranked = sorted(((name, value) for name, value in points.items() if abs(value) >= _LEAST), key=lambda one: -abs(one[1]))
    shown, rest = (
        ranked[:MOST_THEMES],
        sum(value for name, value in points.items()) - sum(value for _, value in ranked[:MOST_THEMES]),
    )
    parts = [*shown, *([("everything else", rest)] if abs(rest) >= _LEAST else [])]
    palette = look.palette
    rows: list[dict[str, Any]] = [_bar("Average customer", 0.0, 100 * average_risk, share(average_risk), "whole")]
    at = 100 * average_risk
    for name, value in parts:
        label = (said or {}).get(name, name)
        rows.append(_bar(label[:1].upper() + label[1:], at, at + value, _signed(value), "up" if value > 0 else "down"))
        at += value
    rows.append(_bar("This customer", 0.0, 100 * risk, share(risk), "whole"))
    for place, row in enumerate(rows):
        row["place"] = place
    scale = alt.Scale(domain=[0, 100], nice=False)
    axis = alt.Axis(
        title=f"Risk of no order within {look.horizon_days} days, percent",
        values=[0, 25, 50, 75, 100],
        grid=True,
        labelFlush=True,
    )
    y = alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0.62, paddingOuter=0.25))
    drawn = alt.Chart(values(rows)).encode(y=y, tooltip=tips(("name", "What"), ("label", "Points")))
    x, x2 = alt.X("low:Q", scale=scale, axis=axis), "high:Q"
    layers = (
        drawn.transform_filter("datum.kind == 'whole'").mark_bar(color=palette.soft_ink, opacity=0.55).encode(x=x, x2=x2),
        drawn.transform_filter("datum.kind == 'up'").mark_bar(color=palette.second).encode(x=x, x2=x2),
        drawn.transform_filter("datum.kind == 'down'").mark_bar(color=palette.main).encode(x=x, x2=x2),
        drawn.mark_text(align="left", dy=-17, color=palette.ink).encode(text="name:N", x=alt.value(0)),
        drawn.mark_text(align="right", dy=-17, color=palette.ink).encode(text="label:N", x=alt.value("width")),
    )
    title = f"From {share(average_risk)} for the average customer to {share(risk)}"
    subtitle = "Percentage points of risk, one bar per theme: orange raises it, blue lowers it. What goes with the risk, not what causes it"
    words = "; ".join(f"{row['name']}: {row['label']}" for row in rows)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=words + ".", height=alt.Step(40))


def _bar(name: str, start: float, end: float, label: str, kind: str) -> dict[str, Any]:
    """Return one bar; what lies beyond 0 or 100 is cut off."""
    low, high = sorted((min(max(start, 0.0), 100.0), min(max(end, 0.0), 100.0)))
    return {"name": name, "low": low, "high": high, "label": label, "kind": kind}


def _signed(value: float) -> str:
    """Return points with their sign."""
    return f"{value:+.0f} points" if abs(value) >= 0.95 else f"{value:+.1f} points"


def importance(table: pa.Table, look: Look | None = None) -> Any:
    """Draw how far each theme moves the risk of customers, and what is lost when it is shuffled; takes `champion_importance`."""
    look = look or Look()
    rows = [row for row in rows_of(table) if row["mean_points"] >= _LEAST][:12]
    if not rows:
        return nothing_to_draw(look, "No theme moves the risk of anybody.")
    palette = look.palette
    has_check = any(row["auc_lost"] is not None for row in rows)
    for place, row in enumerate(rows):
        lost = row["auc_lost"]
        row |= {"place": place, "name": row["theme"][:1].upper() + row["theme"][1:], "figure": f"{row['mean_points']:.1f} points"}
        row["lost"] = "–" if lost is None else f"{lost:+.3f} ± {row['auc_lost_error']:.3f}"
        row["label"] = row["figure"] + (
            "" if lost is None else f" · AUC {-lost:+.3f}" if abs(lost) >= 0.0005 else " · AUC as before"
        )
    drawn = alt.Chart(values(rows)).encode(
        y=alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0.62, paddingOuter=0.25)),
        tooltip=tips(("name", "Theme"), ("figure", "Moves the risk by"), ("lost", "AUC lost when shuffled"), ("facts", "Facts")),
    )
    x = alt.X("mean_points:Q", axis=None, scale=alt.Scale(domain=[0, max(row["mean_points"] for row in rows)], nice=False))
    layers = (
        drawn.mark_bar(color=palette.main, cornerRadiusEnd=2).encode(x=x),
        drawn.mark_text(align="left", dy=-17, color=palette.ink).encode(text="name:N", x=alt.value(0)),
        drawn.mark_text(align="right", dy=-17, color=palette.ink).encode(text="label:N", x=alt.value("width")),
    )
    first = rows[0]
    title = f"{first['name']} moves the risk most: by {first['figure']} on average"
    check = ". AUC: what is lost when the theme is shuffled among customers the check had not learned from" if has_check else ""
    subtitle = f"Mean size of what a theme adds to or takes from the risk of a customer, in percentage points{check}"
    words = "; ".join(f"{row['name']}: {row['label']}" for row in rows)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=words + ".", height=alt.Step(40))


def beeswarm(points: pa.Table, look: Look | None = None) -> Any:
    """Draw drawn customers' points per theme, coloured by whether their value of its main fact is high or low; takes `champion_swarm`."""
    look = look or Look()
    rows = rows_of(points)
    if not rows:
        return nothing_to_draw(look, "No customers to draw.")
    palette = look.palette
    sizes: dict[str, list[float]] = {}
    for row in rows:
        sizes.setdefault(row["theme"], []).append(abs(row["points"]))
    themes = sorted(sizes, key=lambda theme: (-sum(sizes[theme]) / len(sizes[theme]), theme))
    for row in rows:
        row |= {
            "name": row["theme"][:1].upper() + row["theme"][1:],
            "label": _signed(row["points"]),
            "rank": share(row["percentile"]),
        }
    names = [theme[:1].upper() + theme[1:] for theme in themes]
    lowest, highest = min(row["points"] for row in rows), max(row["points"] for row in rows)
    room = max(1.0, 0.04 * (highest - lowest))
    axis = alt.Axis(title="Percentage points of risk; right of 0 raises it", grid=True, tickCount=5)
    drawn = alt.Chart(values(rows)).encode(
        y=alt.Y(
            "name:N",
            sort=names,
            axis=alt.Axis(title=None, domain=False, ticks=False, grid=False),
            scale=alt.Scale(paddingInner=0.1),
        ),
        tooltip=tips(("name", "Theme"), ("fact", "Main fact"), ("said", "Value"), ("rank", "Higher than"), ("label", "Points")),
    )
    x = alt.X("points:Q", axis=axis, scale=alt.Scale(domain=[lowest - room, highest + room], nice=False))
    low, high = drawn.transform_filter("datum.percentile < 0.5"), drawn.transform_filter("datum.percentile >= 0.5")
    height = len(names) * 46
    layers = (
        alt.Chart(values([{"points": 0}])).mark_rule(color=palette.soft_ink, strokeDash=[5, 3]).encode(x=x),
        low.mark_point(shape="circle", filled=False, stroke=palette.second, size=16, strokeWidth=1, opacity=0.7).encode(
            x=x, yOffset=alt.YOffset("offset:Q", scale=alt.Scale(domain=[-1.6, 1.6]))
        ),
        high.mark_point(shape="circle", filled=True, color=palette.main, size=16, opacity=0.6).encode(
            x=x, yOffset=alt.YOffset("offset:Q", scale=alt.Scale(domain=[-1.6, 1.6]))
        ),
    )
    title = "Who is moved by what"
    subtitle = f"{count(len(rows))} points, one per drawn customer and theme. Filled blue: the theme's main fact is in the upper half of customers, hollow orange: in the lower half"
    words = ". ".join(_spread(row_theme, rows) for row_theme in themes)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=words + ".", height=height)


def _spread(theme: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return between which points a theme lies."""
    found = [row["points"] for row in rows if row["theme"] == theme]
    return f"{theme}: {_signed(min(found))} to {_signed(max(found))}"
