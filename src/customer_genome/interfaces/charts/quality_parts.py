"""How good forecasts were for parts of the customers: for those at the top of the list, and for segments.

Comes in: rows that a backtest stored. Goes out: finished Altair charts; what an exact forecast or a list without order would give is dashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from customer_genome.interfaces.charts.look import Look, finished, nothing_to_draw, percent_labels, tips, values
from customer_genome.interfaces.views.figures import count, share

Rows = Sequence[Mapping[str, Any]]
_DASH = [5, 3]
_ERRORS = 2.0
NO_BACKTEST = "No backtest was run, so there is nothing to compare."


def gains_rows(rows: Rows) -> list[dict[str, Any]]:
    """Return the share of all spend that comes from the customers with the highest prediction, tenth by tenth.

    Parameters
    ----------
    rows : mappings with decile (1 = lowest prediction), actual (money per customer), customers

    Examples
    --------
    >>> found = gains_rows([{"decile": 1, "actual": 1.0, "customers": 10}, {"decile": 2, "actual": 3.0, "customers": 10}])
    >>> [(row["customers_share"], row["spend_share"]) for row in found]
    [(0.0, 0.0), (0.5, 0.75), (1.0, 1.0)]
    """
    people, money = sum(row["customers"] for row in rows), sum(row["customers"] * row["actual"] for row in rows)
    found: list[dict[str, Any]] = [{"customers_share": 0.0, "spend_share": 0.0, "lift": None}]
    reached, spent = 0.0, 0.0
    for row in sorted(rows, key=lambda one: -int(one["decile"])):
        reached += row["customers"]
        spent += row["customers"] * row["actual"]
        part = spent / money if money else reached / people
        found.append({"customers_share": reached / people, "spend_share": part, "lift": part / (reached / people)})
    return found


def gains(rows: Rows, look: Look | None = None) -> Any:
    """Draw which share of all spend the customers with the highest prediction brought; takes the tenths of a backtest.

    Parameters
    ----------
    rows : mappings with decile (1 = lowest prediction), actual (money per customer), customers
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "No tenths were stored with this backtest.")
    palette = look.palette
    shown = [
        {**row, "who": share(row["customers_share"]), "part": share(row["spend_share"])}
        | {"times": "–" if row["lift"] is None else f"{row['lift']:.1f} times an average customer's"}
        for row in gains_rows(rows)
    ]
    scale = alt.Scale(domain=[0, 1], nice=False)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    x = alt.X(
        "customers_share:Q",
        scale=scale,
        axis=alt.Axis(labelExpr=percent_labels(), values=ticks, title="Customers, highest prediction first", labelFlush=True),
    )
    y = alt.Y(
        "spend_share:Q",
        scale=scale,
        axis=alt.Axis(labelExpr=percent_labels(), values=ticks, grid=True, title="Share of what was spent"),
    )
    drawn = alt.Chart(values(shown)).encode(
        x=x, y=y, tooltip=tips(("who", "Customers"), ("part", "Share of spend"), ("times", "Each spent"))
    )
    even = alt.Chart(values([{"customers_share": 0, "spend_share": 0}, {"customers_share": 1, "spend_share": 1}]))
    layers = (
        even.mark_line(color=palette.soft_ink, strokeDash=_DASH, strokeWidth=1.2).encode(x=x, y=y),
        drawn.mark_line(color=palette.main),
        drawn.mark_point(filled=True, color=palette.main, size=60),
    )
    first = shown[1]
    title = f"The {first['who']} with the highest prediction brought {first['part']} of what was spent: {first['times']}"
    subtitle = "Cumulative gains and lift, all cutoffs together; dashed: customers in no order"
    said = "; ".join(f"{row['who']} of customers: {row['part']} of spend" for row in shown[1:])
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=240)


def segment_levels(rows: Rows, look: Look | None = None) -> Any:
    """Draw total predicted over total actual spend per segment of the published forecast; 100 % is right.

    Parameters
    ----------
    rows : mappings with segment, value (ratio), error (standard error or None), customers
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, NO_BACKTEST)
    palette = look.palette
    ordered = sorted(rows, key=lambda row: -row["value"])
    shown = []
    for row in ordered:
        error = row["error"] or 0.0
        low, high = row["value"] - _ERRORS * error, row["value"] + _ERRORS * error
        shown.append(
            {**row, "low": max(low, 0.0), "high": high, "figure": share(row["value"]), "people": count(row["customers"])}
        )
    names = [row["segment"] for row in shown]
    end = max(1.0, *(row["high"] for row in shown)) * 1.02
    scale = alt.Scale(domain=[0, end], nice=False)
    axis = alt.Axis(title="Predicted over actual spend", labelExpr=percent_labels(), grid=True, tickCount=4, labelFlush=True)
    drawn = alt.Chart(values(shown)).encode(
        y=alt.Y("segment:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0.5, paddingOuter=0.4)),
        tooltip=tips(("segment", "Segment"), ("figure", "Predicted / actual"), ("people", "Customers and cutoffs")),
    )
    x = alt.X("value:Q", axis=axis, scale=scale)
    layers = (
        alt.Chart(values([{"value": 1.0}])).mark_rule(strokeDash=_DASH, color=palette.soft_ink).encode(x=x),
        drawn.mark_rule(strokeWidth=2, color=palette.main).encode(x=alt.X("low:Q", axis=axis, scale=scale), x2="high:Q"),
        drawn.mark_point(filled=True, color=palette.main, size=90).encode(x=x),
        drawn.mark_text(align="left", dy=-14, color=palette.ink).encode(text="segment:N", x=alt.value(0)),
        drawn.mark_text(align="right", dy=-14, color=palette.ink).encode(text="figure:N", x=alt.value("width")),
    )
    off = [row for row in shown if not row["low"] <= 1.0 <= row["high"]]
    title = (
        f"The total is off beyond chance for {len(off)} of {len(shown)} segments"
        if off
        else "For no segment is the total off beyond chance"
    )
    subtitle = (
        "Total predicted over total actual spend by RFM segment at the cutoff; dashed: right; whiskers: two standard errors"
    )
    said = "; ".join(f"{row['segment']}: {row['figure']}" for row in shown)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(34))
