"""How good forecasts were: candidates side by side, cutoff by cutoff, and chances and money held against what came.

Comes in: rows of `interfaces.views.quality_figures`, all of them figures that a backtest stored. Goes out: finished Altair charts. What is
shipped is a filled circle, other models hollow circles, naive formulas diamonds in the second colour; a dashed line is what a
perfect or a naive forecast would give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from customer_genome.interfaces.charts.look import (
    Look,
    finished,
    money_labels,
    nothing_to_draw,
    percent_labels,
    tips,
    values,
)
from customer_genome.interfaces.views.figures import count, day, share

Rows = Sequence[Mapping[str, Any]]
NO_BACKTEST = "No backtest was run, so there is nothing to compare."
_DASH = [5, 3]
_ERRORS = 2.0
"""How many standard errors a whisker reaches to either side."""


def candidates(rows: Rows, look: Look | None = None, *, label: str, meaning: str, higher_is_better: bool) -> Any:
    """Draw one figure of every candidate with whiskers of two standard errors, best first.

    Parameters
    ----------
    rows : mappings with candidate, kind, is_shipped, value, error
    label, meaning : what the figure is called, and what it says
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, NO_BACKTEST)
    palette = look.palette
    sign = -1.0 if higher_is_better else 1.0
    shown = []
    for row in sorted(rows, key=lambda row: sign * row["value"]):
        error = row["error"] or 0.0
        name = f"{row['candidate']} (published)" if row["is_shipped"] else row["candidate"]
        shown.append(
            {**row, "name": name, "low": row["value"] - _ERRORS * error, "high": row["value"] + _ERRORS * error}
            | {
                "figure": _three(row["value"]),
                "spread": f"± {_three(error)}",
                "what": "naive formula" if row["kind"] == "naive" else "model",
            }
        )
    title, said = (
        _standing(shown, label),
        "; ".join(f"{row['name']}, {row['what']}: {row['figure']} {row['spread']}" for row in shown),
    )
    shown, left_out = _near(shown)
    names = [row["name"] for row in shown]
    lowest, highest = min(row["low"] for row in shown), max(row["high"] for row in shown)
    room = (highest - lowest or 1.0) * 0.06
    scale = alt.Scale(domain=[lowest - room, highest + room], nice=False, zero=False)
    axis = alt.Axis(title=label, grid=True, tickCount=4, format=".2~f", labelFlush=True)
    y = alt.Y("name:N", sort=names, axis=None, scale=alt.Scale(paddingInner=0.5, paddingOuter=0.4))
    drawn = alt.Chart(values(shown)).encode(
        y=y, tooltip=tips(("name", "Candidate"), ("what", "Kind"), ("figure", label), ("spread", "Standard error"))
    )
    x = alt.X("value:Q", axis=axis, scale=scale)
    layers = [
        drawn.mark_rule(strokeWidth=2, color=palette.main).encode(x=alt.X("low:Q", axis=axis, scale=scale), x2="high:Q").transform_filter("datum.kind != 'naive'"),
        drawn.mark_rule(strokeWidth=2, color=palette.second).encode(x=alt.X("low:Q", axis=axis, scale=scale), x2="high:Q").transform_filter("datum.kind == 'naive'"),
        *(mark.encode(x=x) for mark in _marks(drawn, look)),
        drawn.mark_text(align="left", dy=-15, color=palette.ink).encode(text="name:N", x=alt.value(0)),
        drawn.mark_text(align="right", dy=-15, color=palette.ink).encode(text="figure:N", x=alt.value("width")),
    ]  # fmt: skip
    naive = [row for row in shown if row["kind"] == "naive"]
    if naive:
        best = alt.Chart(values([{"value": naive[0]["value"]}])).mark_rule(strokeDash=_DASH, color=palette.soft_ink).encode(x=x)
        layers.insert(0, best)
    subtitle = f"{meaning} {'More' if higher_is_better else 'Less'} is better. Circles: models, filled the one that is published; diamonds: naive formulas; whiskers: two standard errors{left_out}"
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(38))


def _near(shown: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """Return the candidates that fit one axis, and words for one at the end that would squeeze all others together."""
    found = [row["value"] for row in shown]
    if len(found) < 4 or abs(found[-1] - found[-2]) <= 2 * abs(found[-2] - found[0]) or shown[-1]["is_shipped"]:
        return list(shown), ""
    return list(shown[:-1]), f". Beyond the edge: {shown[-1]['candidate']}, {shown[-1]['figure']}"


def _marks(drawn: Any, look: Look) -> list[Any]:
    """Return the marks of candidates: filled circle, hollow circle, diamond."""
    palette = look.palette
    return [
        drawn.transform_filter("datum.is_shipped").mark_point(shape="circle", filled=True, color=palette.main, size=130),
        drawn.transform_filter("!datum.is_shipped && datum.kind != 'naive'").mark_point(
            shape="circle", filled=False, fill=palette.paper, stroke=palette.main, strokeWidth=2, size=90
        ),
        drawn.transform_filter("!datum.is_shipped && datum.kind == 'naive'").mark_point(
            shape="diamond", filled=False, fill=palette.paper, stroke=palette.second, strokeWidth=2, size=100
        ),
    ]


def _standing(shown: Rows, label: str) -> str:
    """Return where the published forecast stands."""
    mine = next((row for row in shown if row["is_shipped"]), None)
    naive = next((row for row in shown if row["kind"] == "naive"), None)
    if mine is None:
        return f"{label}: {shown[0]['candidate']} is best with {shown[0]['figure']}"
    beside = f", the best naive formula {naive['figure']}" if naive else ""
    place = shown.index(mine) + 1
    return f"{label}: the published forecast has {mine['figure']} (place {place} of {len(shown)}){beside}"


def by_cutoff(rows: Rows, look: Look | None = None, *, label: str, meaning: str) -> Any:
    """Draw a figure of the published forecast and of the best naive formula at every judged cutoff.

    Parameters
    ----------
    rows : mappings with as_of (date), candidate, kind, is_shipped, value, error
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, NO_BACKTEST)
    palette = look.palette
    shown = [
        {**row, "when": day(row["as_of"]), "figure": _three(row["value"]), "spread": f"± {_three(row['error'] or 0.0)}"}
        | {"low": row["value"] - _ERRORS * (row["error"] or 0.0), "high": row["value"] + _ERRORS * (row["error"] or 0.0)}
        for row in rows
    ]
    order = list(dict.fromkeys(row["when"] for row in shown))
    aside = alt.XOffset("kind:N", sort=["model", "naive"], scale=alt.Scale(paddingOuter=1))
    axis = alt.Axis(title=None, grid=True, tickCount=4, format=".2~f")
    scale = alt.Scale(zero=False, nice=True)
    x = alt.X("when:O", sort=order, axis=alt.Axis(title="As of", labelAngle=0, labelOverlap=False))
    drawn = alt.Chart(values(shown)).encode(
        x=x,
        xOffset=aside,
        tooltip=tips(("candidate", "Candidate"), ("when", "As of"), ("figure", label), ("spread", "Standard error")),
    )
    layers = []
    for naive, colour, dash in ((True, palette.second, _DASH), (False, palette.main, [1, 0])):
        part = drawn.transform_filter("datum.kind == 'naive'" if naive else "datum.kind != 'naive'")
        y = alt.Y("value:Q", axis=axis, scale=scale)
        layers += [
            part.mark_line(color=colour, strokeDash=dash).encode(y=y),
            part.mark_rule(color=colour, strokeWidth=2).encode(y=alt.Y("low:Q", axis=axis, scale=scale), y2="high:Q"),
        ]
    layers += [mark.encode(y=alt.Y("value:Q", axis=axis, scale=scale)) for mark in _marks(drawn, look)]
    rival = next((row["candidate"] for row in rows if row["kind"] == "naive"), "")
    better = f"; diamonds and dashes: {rival}, the best naive formula on average" if rival else ""
    mine = [row for row in shown if row["is_shipped"]]
    title = f"{label} at each cutoff: {_range(mine)}" if mine else f"{label} at each cutoff"
    subtitle = f"{meaning} Filled circles: the published forecast{better}; whiskers: two standard errors"
    said = "; ".join(f"{row['when']}, {row['candidate']}: {row['figure']} {row['spread']}" for row in shown)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=230)


def _range(rows: Rows) -> str:
    """Return between which figures the published forecast moves."""
    found = sorted((row["value"], row["figure"]) for row in rows)
    return found[0][1] if found[0][1] == found[-1][1] else f"{found[0][1]} to {found[-1][1]}"


def reliability(rows: Rows, look: Look | None = None) -> Any:
    """Draw the share who ordered against the chance they were given, with 95 % bands and counts.

    Parameters
    ----------
    rows : mappings with chance, share_ordered, lower, upper (all 0..1) and customers
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "No chances were stored with this backtest.")
    palette = look.palette
    most = max(row["customers"] for row in rows)
    shown = [
        {**row, "given": share(row["chance"]), "came": share(row["share_ordered"]), "people": count(row["customers"])}
        | {"band": f"{share(row['lower'])} to {share(row['upper'])}", "bar": 0.16 * row["customers"] / most}
        for row in rows
    ]
    x_axis = alt.Axis(
        labelExpr=percent_labels(), values=[0, 0.25, 0.5, 0.75, 1], title="Chance to order, as forecast", labelFlush=True
    )
    y_axis = alt.Axis(labelExpr=percent_labels(), values=[0, 0.25, 0.5, 0.75, 1], grid=True, title="Share who ordered")
    scale = alt.Scale(domain=[0, 1], nice=False)
    x, y = alt.X("chance:Q", axis=x_axis, scale=scale), alt.Y("share_ordered:Q", axis=y_axis, scale=scale)
    drawn = alt.Chart(values(shown)).encode(
        x=x, tooltip=tips(("given", "Forecast"), ("came", "Ordered"), ("band", "95 % band"), ("people", "Customers"))
    )
    ideal = alt.Chart(values([{"chance": 0, "share_ordered": 0}, {"chance": 1, "share_ordered": 1}]))
    layers = (
        drawn.mark_bar(color=palette.main_soft, opacity=0.8, width=10).encode(y=alt.Y("bar:Q", axis=y_axis, scale=scale)),
        ideal.mark_line(color=palette.soft_ink, strokeDash=_DASH, strokeWidth=1.2).encode(x=x, y=y),
        drawn.mark_line(color=palette.main, strokeWidth=1.2).encode(y=y),
        drawn.mark_rule(color=palette.main, strokeWidth=2).encode(y=alt.Y("lower:Q", axis=y_axis, scale=scale), y2="upper:Q"),
        drawn.mark_point(color=palette.main, filled=True, size=70).encode(y=y),
    )
    total = sum(row["customers"] for row in rows)
    gap = sum(abs(row["chance"] - row["share_ordered"]) * row["customers"] for row in rows) / total
    outside = sum(not row["lower"] <= row["chance"] <= row["upper"] for row in rows)
    title = f"A forecast chance is off by {100 * gap:.1f} points on average; {outside} of {len(rows)} groups lie beyond chance"
    subtitle = f"Dashed: chances that hold exactly. Whiskers: 95 % band of the share; bars below: customers, {count(min(row['customers'] for row in rows))} to {count(most)} a group"
    said = "; ".join(f"forecast {row['given']}: {row['came']} of {row['people']} ordered" for row in shown)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=280)


def ranking_curve(rows: Rows, look: Look | None = None, *, kind: str, area: float | None = None) -> Any:
    """Draw a ROC curve (`kind` "roc") or a precision-recall curve ("pr") of the published forecast, with its baseline.

    Parameters
    ----------
    rows : mappings with x and y, each 0..1
        False positive rate and hit rate, or hit rate and precision; of ordering. `base` is the share of buyers, for "pr".
    area : the area under the curve, for the title
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "No curve was stored with this backtest.")
    palette = look.palette
    roc = kind == "roc"
    across, up = (
        ("Share of others taken for buyers", "Share of buyers found")
        if roc
        else ("Share of buyers found", "Buyers among those named")
    )
    base = 0.0 if roc else float(rows[0].get("base") or 0.0)
    scale = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X(
        "x:Q",
        scale=scale,
        axis=alt.Axis(labelExpr=percent_labels(), values=[0, 0.25, 0.5, 0.75, 1], title=across, labelFlush=True),
    )
    y = alt.Y("y:Q", scale=scale, axis=alt.Axis(labelExpr=percent_labels(), values=[0, 0.25, 0.5, 0.75, 1], grid=True, title=up))
    shown = [{"x": row["x"], "y": row["y"], "across": share(row["x"]), "up": share(row["y"])} for row in rows]
    drawn = alt.Chart(values(shown)).encode(x=x, y=y, tooltip=tips(("across", across), ("up", up)))
    ends = [{"x": 0, "y": base}, {"x": 1, "y": 1.0 if roc else base}]
    layers = (
        alt.Chart(values(ends)).mark_line(color=palette.soft_ink, strokeDash=_DASH, strokeWidth=1.2).encode(x=x, y=y),
        drawn.mark_line(color=palette.main, interpolate="linear" if roc else "step-before"),
    )
    if roc:
        half = next((row for row in shown if row["x"] >= 0.2), shown[-1])
        title = f"With 20 % false alarms {half['up']} of the buyers are found"
        title += f"; AUC {area:.3f}" if area is not None else ""
    else:
        half = next((row for row in sorted(shown, key=lambda row: float(row["x"])) if row["x"] >= 0.5), shown[-1])
        title = f"At half of the buyers found, {half['up']} of those named do order"
        title += f"; PR-AUC {area:.3f}" if area is not None else ""
    baseline = "chance" if roc else f"naming at random, {share(base)}"
    subtitle = f"{'ROC' if roc else 'Precision-recall'} curve of the chance to order, all cutoffs together; dashed: {baseline}"
    said = "; ".join(f"{across} {row['across']}: {up} {row['up']}" for row in shown[:: max(1, len(shown) // 8)])
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=280)


def deciles(rows: Rows, look: Look | None = None) -> Any:
    """Draw mean predicted and mean actual spend per tenth of customers by prediction.

    Parameters
    ----------
    rows : mappings with decile (1 = lowest prediction), predicted, actual (money per customer), customers
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "No tenths were stored with this backtest.")
    palette = look.palette
    shown = [
        {**row, "name": str(row["decile"]), "was": look.estimate(row["actual"]), "would": look.estimate(row["predicted"]), "people": count(row["customers"])}
        for row in rows
    ]  # fmt: skip
    axis = alt.Axis(title=None, grid=True, tickCount=4, labelExpr=money_labels(look))
    names = [row["name"] for row in shown]
    drawn = alt.Chart(values(shown)).encode(
        x=alt.X("name:N", sort=names, axis=alt.Axis(title="Tenth of customers, lowest prediction first", labelAngle=0)),
        tooltip=tips(("name", "Tenth"), ("was", "Actual"), ("would", "Predicted"), ("people", "Customers")),
    )
    layers = (
        drawn.mark_bar(color=palette.main_soft, stroke=palette.main, strokeWidth=1).encode(y=alt.Y("actual:Q", axis=axis)),
        drawn.mark_point(
            shape="diamond", filled=False, fill=palette.paper, stroke=palette.second, strokeWidth=2, size=100
        ).encode(y=alt.Y("predicted:Q", axis=axis)),
    )
    last = shown[-1]
    title = f"The tenth expected to spend most spent {last['was']} each; {last['would']} were predicted"
    subtitle = f"Spend per customer over the horizon, {look.money_unit}; bars: actual, diamonds: predicted; all cutoffs together"
    said = "; ".join(f"tenth {row['name']}: {row['was']} actual, {row['would']} predicted" for row in shown)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=240)


def level_by_month(rows: Rows, look: Look | None = None) -> Any:
    """Draw total predicted over total actual spend by the month of the cutoff; 100 % is right.

    Parameters
    ----------
    rows : mappings with month (text), bias (ratio) and error (standard error or None)
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "No months were stored with this backtest.")
    palette = look.palette
    shown = [
        {**row, "figure": share(row["bias"]), "low": row["bias"] - _ERRORS * (row.get("error") or 0.0), "high": row["bias"] + _ERRORS * (row.get("error") or 0.0)}
        for row in rows
    ]  # fmt: skip
    axis = alt.Axis(title=None, grid=True, tickCount=5, labelExpr=percent_labels())
    scale = alt.Scale(zero=False, nice=True)
    drawn = alt.Chart(values(shown)).encode(
        x=alt.X("month:O", sort=[row["month"] for row in shown], axis=alt.Axis(title=None, labelAngle=0)),
        tooltip=tips(("month", "Month"), ("figure", "Predicted / actual")),
    )
    layers = (
        alt.Chart(values([{"bias": 1.0}])).mark_rule(strokeDash=_DASH, color=palette.soft_ink).encode(y=alt.Y("bias:Q", axis=axis, scale=scale)),
        drawn.mark_rule(color=palette.main, strokeWidth=2).encode(y=alt.Y("low:Q", axis=axis, scale=scale), y2="high:Q"),
        drawn.mark_point(color=palette.main, filled=True, size=90).encode(y=alt.Y("bias:Q", axis=axis, scale=scale)),
    )  # fmt: skip
    worst = max(shown, key=lambda row: abs(row["bias"] - 1))
    title = f"Furthest off as of {worst['month']}: {worst['figure']} of what came was predicted"
    subtitle = "Total predicted spend over total actual spend, by month; dashed: right; whiskers: two standard errors"
    said = "; ".join(f"{row['month']}: {row['figure']}" for row in shown)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=220)


def threshold_money(rows: Rows, look: Look | None = None, *, threshold: float, cost: float, won_back: float) -> Any:
    """Draw what naming everybody above a risk would have brought, by threshold.

    Parameters
    ----------
    rows : of `evaluation.curves.thresholds`
    threshold : the one that is marked
    cost : money of a contact
    won_back : 0..1, of named customers who would have stayed away, how many come back and spend what an average buyer does
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "No thresholds were stored.")
    palette = look.palette
    shown: list[dict[str, Any]] = []
    for row in rows:
        net = net_of(row, cost, won_back)
        shown.append({**row, "net": net, "risk": share(row["threshold"]), "money": look.estimate(net)})
    best = max(shown, key=lambda row: row["net"])
    chosen = min(shown, key=lambda row: abs(row["threshold"] - threshold))
    axis = alt.Axis(title=None, grid=True, tickCount=4, labelExpr=money_labels(look))
    drawn = alt.Chart(values(shown)).encode(
        x=alt.X("threshold:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(labelExpr=percent_labels(), title="Named from this risk on", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=True)),
        tooltip=tips(("risk", "Risk of at least"), ("money", "Net")),
    )  # fmt: skip
    y = alt.Y("net:Q", axis=axis)
    layers = (
        alt.Chart(values([{"net": 0}])).mark_rule(color=palette.soft_ink, strokeDash=_DASH).encode(y=y),
        drawn.mark_line(color=palette.main).encode(y=y),
        drawn.transform_filter(f"datum.threshold == {chosen['threshold']}").mark_point(color=palette.second, shape="diamond", filled=True, size=130).encode(y=y),
    )  # fmt: skip
    title = (
        f"Most would have been left from a risk of {best['risk']} on: {best['money']}"
        if best["net"] > 0
        else "At these figures no threshold pays"
    )
    subtitle = (
        f"Money won back less contacts, by the risk from which customers are named, {look.money_unit}; diamond: the chosen one"
    )
    said = "; ".join(f"from {row['risk']}: {row['money']}" for row in shown[::3])
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=220)


def net_of(row: Mapping[str, Any], cost: float, won_back: float) -> float:
    """Return money won back less what contacts cost, for one threshold.

    Examples
    --------
    >>> net_of({"named_gone": 100, "named_came": 50, "mean_spend": 80.0}, 1.0, 0.05)
    250.0
    """
    return float(row["named_gone"] * won_back * row["mean_spend"] - (row["named_gone"] + row["named_came"]) * cost)


def _three(value: float) -> str:
    """Return a figure with three decimals, larger ones with fewer."""
    value = value if abs(value) >= 0.0005 else 0.0
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"
