"""What the shop's customers are expected to do in all, and how well the model fits: forecasts, cohorts, actual against expected.

Comes in: small Arrow tables as the module `outlook` publishes them. Goes out: finished Altair charts. Actual figures are solid,
expected ones dashed or hollow; the weeks the model had not seen are shaded and named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
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
from customer_genome.interfaces.charts.periods import time_axis
from customer_genome.interfaces.views.figures import count, day, quantity, share

TOO_YOUNG = "The history is too short to hold a part of it back, so the model cannot be held against what it has not seen."
_DASH = [5, 3]
_STEPS = 5


def revenue_forecast(forecast: pa.Table, look: Look | None = None) -> Any:
    """Draw the expected revenue of today's customers per whole month, with its range; takes the table `forecast`."""
    look = look or Look()
    rows = [row for row in rows_of(forecast) if row["period"] == "month" and row["is_complete"]]
    if not rows:
        return nothing_to_draw(look, "This version has no forecast by month.")
    palette = look.palette
    for row in rows:
        start, end = (dt.datetime.combine(row[name], dt.time()) for name in ("starts_on", "ends_on"))
        row |= {
            "middle": start + (end - start) / 2,
            "when": f"{start:%B %Y}",
            "money": look.estimate(row["revenue"]),
            "range": f"{look.estimate(row['revenue_lower'])} to {look.estimate(row['revenue_upper'])}",
            "days": count(row["purchase_days"]),
        }
    axis = alt.Axis(title=None, grid=True, tickCount=5, labelExpr=money_labels(look))
    scale = alt.Scale(zero=True)
    drawn = alt.Chart(values(rows)).encode(
        x=time_axis("middle", look, rows),
        tooltip=tips(("when", "Month"), ("money", "Expected revenue"), ("range", "80 % range"), ("days", "Purchase days")),
    )
    layers = [
        drawn.mark_area(color=palette.main_soft, opacity=0.6).encode(
            y=alt.Y("revenue_lower:Q", axis=axis, scale=scale), y2="revenue_upper:Q"
        ),
        drawn.mark_line(color=palette.main, strokeDash=_DASH).encode(y=alt.Y("revenue:Q", axis=axis, scale=scale)),
        drawn.mark_point(filled=False, fill=palette.paper, stroke=palette.main, size=40).encode(y="revenue:Q"),
    ]
    first, later = rows[0], rows[min(12, len(rows) - 1)]
    title = f"Today's customers are expected to bring {first['money']} in {first['when']} and {later['money']} in {later['when']}"
    subtitle = f"Expected revenue per month, {look.money_unit}; band: holds the true sum in four of five cases if the model is right. Customers yet to be won are not in it"
    said = "; ".join(f"{row['when']}: {row['money']} ({row['range']})" for row in rows[:12])
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=240)


def cohort_value(cohorts: pa.Table, look: Look | None = None) -> Any:
    """Draw what a new customer brings in the first year, by month of the first purchase; takes the table `cohort_forecast`.

    What is known is solid, what is still expected pale with a dashed outline.
    """
    look = look or Look()
    rows = [row for row in rows_of(cohorts) if row["customers"]]
    if not rows:
        return nothing_to_draw(look, "No customers, so no cohorts.")
    rows = rows[-36:]
    palette = look.palette
    for row in rows:
        start = row["cohort"]
        end = (start + dt.timedelta(days=32)).replace(day=1)
        width = dt.datetime.combine(end, dt.time()) - dt.datetime.combine(start, dt.time())
        known, total = (
            row["first_year_known"] / row["customers"],
            (row["first_year_known"] + row["first_year_expected"]) / row["customers"],
        )
        row |= {
            "period": "month",
            "starts_on": start,
            "ends_on": end,
            "middle": dt.datetime.combine(start, dt.time()) + width / 2,
            "from_": dt.datetime.combine(start, dt.time()) + 0.09 * width,
            "to_": dt.datetime.combine(end, dt.time()) - 0.09 * width,
            "known": known,
            "total": total,
            "when": f"{start:%B %Y}",
            "people": quantity(row["customers"], "customers"),
            "known_money": look.estimate(known),
            "total_money": look.estimate(total),
        }
    axis = alt.Axis(title=None, grid=True, tickCount=5, labelExpr=money_labels(look))
    drawn = alt.Chart(values(rows)).encode(
        x=time_axis("from_", look, rows),
        x2="to_:T",
        tooltip=tips(
            ("when", "First purchase in"),
            ("people", "Who"),
            ("known_money", "Known so far, each"),
            ("total_money", "First year, each"),
        ),
    )
    layers = [
        drawn.mark_rect(color=palette.main).encode(y=alt.Y("known:Q", axis=axis), y2=alt.datum(0)),
        drawn.transform_filter("datum.total > datum.known")
        .mark_rect(color=palette.main_soft, stroke=palette.main, strokeWidth=1, strokeDash=[3, 2])
        .encode(y=alt.Y("known:Q", axis=axis), y2="total:Q"),
    ]
    people = sum(row["customers"] for row in rows)
    mean = sum(row["total"] * row["customers"] for row in rows) / people
    best = max(rows, key=lambda row: row["total"])
    title = f"A new customer brings {look.estimate(mean)} in the first year"
    title += f"; those of {best['when']} most: {best['total_money']}" if len(rows) > 1 else ""
    subtitle = f"Revenue within 365 days of the first purchase, per customer, {look.money_unit}, by month of the first purchase; dashed: still expected"
    said = "; ".join(f"{row['when']}: {row['total_money']} each, {row['people']}" for row in rows[-12:])
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=240)


def tracking_by_week(tracking: pa.Table, look: Look | None = None) -> Any:
    """Draw repeat purchases per week, actual and expected, the weeks held back shaded; takes the table `tracking`."""
    return _tracked(tracking, look or Look(), ("actual", "expected"), "per week", is_running=False)


def tracking_in_all(tracking: pa.Table, look: Look | None = None) -> Any:
    """Draw repeat purchases added up over the weeks, actual and expected; takes the table `tracking`."""
    return _tracked(tracking, look or Look(), ("actual_total", "expected_total"), "added up", is_running=True)


def _tracked(tracking: pa.Table, look: Look, columns: tuple[str, str], what: str, *, is_running: bool) -> Any:
    """Draw actual against expected over the weeks."""
    rows = [row for row in rows_of(tracking) if is_running or row["is_complete"]]
    if not rows:
        return nothing_to_draw(look, TOO_YOUNG)
    palette, held = look.palette, [row for row in rows if row["is_holdout"]]
    for row in rows:
        row |= {"when": f"the week of {day(row['starts_on'])}", "was": count(row[columns[0]]), "would": count(row[columns[1]])}
    lines = [{"at": row["ends_on"] if is_running else row["starts_on"], "what": name, "figure": row[column], **{key: row[key] for key in ("when", "was", "would")}} for row in rows for name, column in zip(("actual", "expected"), columns, strict=True)]  # fmt: skip
    months = alt.Axis(title=None, tickCount=4 if look.is_narrow else 8, format="%b %Y", labelOverlap="greedy")
    drawn = alt.Chart(values(lines)).mark_line(strokeWidth=1.8).encode(
        x=alt.X("at:T", axis=months),
        y=alt.Y("figure:Q", axis=alt.Axis(title=None, grid=True, tickCount=5, labelExpr=count_labels()), scale=alt.Scale(zero=True)),
        color=alt.Color("what:N", scale=alt.Scale(domain=["actual", "expected"], range=[palette.main, palette.second]), legend=alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=2)),
        strokeDash=alt.StrokeDash("what:N", scale=alt.Scale(domain=["actual", "expected"], range=[[1, 0], _DASH]), legend=alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=2)),
        tooltip=tips(("when", "Week"), ("was", "Actual"), ("would", "Expected")),
    )  # fmt: skip
    layers: list[Any] = []
    if held:
        edges = [{"from": held[0]["starts_on"], "to": held[-1]["ends_on"], "text": "not seen by the model"}]
        shade = alt.Chart(values(edges))
        layers.append(shade.mark_rect(color=palette.grid, opacity=0.6).encode(x="from:T", x2="to:T"))
        layers.append(
            shade.mark_text(align="right", baseline="bottom", color=palette.soft_ink, fontSize=11).encode(
                x="to:T", y=alt.value(-3), text="text:N"
            )
        )
    subtitle = (
        f"Repeat purchase days {what} of customers known on {day(held[0]['starts_on'])}; shaded: the weeks after it"
        if held
        else f"Repeat purchase days {what}"
    )
    return finished(
        alt.layer(*layers, drawn),
        look,
        title=_off(held, is_running=is_running),
        subtitle=subtitle,
        words=_said_of(held),
        height=240,
    )


def _off(held: Sequence[dict[str, Any]], *, is_running: bool) -> str:
    """Return how far the forecast of the weeks held back was off."""
    actual, expected = sum(row["actual"] for row in held), sum(row["expected"] for row in held)
    if not held or not actual:
        return "Nobody known before bought in the weeks held back"
    if is_running:
        error = expected / actual - 1
        size = f"{share(abs(error))} {'more' if error > 0 else 'fewer'}" if share(abs(error)) != "0 %" else "as many"
        return f"In {quantity(len(held), 'weeks')} it had not seen, the model expected {size} purchases {'than' if 'as' not in size else 'as'} came"
    off = sum(abs(row["actual"] - row["expected"]) for row in held) / actual
    return f"A week's forecast was off by {share(off)} on average, in weeks the model had not seen"


def _said_of(held: Sequence[dict[str, Any]]) -> str:
    """Return the figures of the weeks held back."""
    if not held:
        return ""
    actual, expected = sum(row["actual"] for row in held), sum(row["expected"] for row in held)
    return f"{count(expected)} repeat purchase days were expected, {count(actual)} came."


def frequency_fit(fit: pa.Table, look: Look | None = None) -> Any:
    """Draw customers by number of repeat purchases, actual as bars, expected as diamonds; takes the table `frequency_fit`."""
    look = look or Look()
    rows = _by_repeats(fit)
    if not rows:
        return nothing_to_draw(look, TOO_YOUNG)
    for row in rows:
        row |= {"was": count(row["customers"]), "would": count(row["expected_customers"])}
    total = sum(row["customers"] for row in rows)
    wrong = sum(abs(row["customers"] - row["expected_customers"]) for row in rows) / 2 / total
    title = f"The model puts {share(1 - wrong)} of customers where they are"
    subtitle = "Customers by repeat purchase days so far; bars: actual, diamonds: expected"
    return _bars_and_diamonds(rows, look, ("customers", "expected_customers"), title, subtitle, [("was", "Customers"), ("would", "Expected")], count_labels())  # fmt: skip


def conditional_fit(fit: pa.Table, look: Look | None = None) -> Any:
    """Draw later purchases per customer by number of repeats before, actual and expected; takes the table `frequency_fit`."""
    look = look or Look()
    rows = [row for row in _by_repeats(fit) if row["customers"]]
    if not rows:
        return nothing_to_draw(look, TOO_YOUNG)
    for row in rows:
        row |= {"each": row["holdout_days"] / row["customers"], "each_expected": row["expected_holdout_days"] / row["customers"]}
        row |= {"was": f"{row['each']:.2f}", "would": f"{row['each_expected']:.2f}", "people": count(row["customers"])}
    last = rows[-1]
    title = f"Customers with {last['name']} repeats bought on {last['was']} days afterwards; {last['would']} were expected"
    subtitle = (
        "Purchase days per customer in the weeks the model had not seen, by repeats before; bars: actual, diamonds: expected"
    )
    said = [("people", "Customers"), ("was", "Days each"), ("would", "Expected")]
    return _bars_and_diamonds(rows, look, ("each", "each_expected"), title, subtitle, said, "format(datum.value, '~g')")


def _by_repeats(fit: pa.Table) -> list[dict[str, Any]]:
    """Return the rows with the name of their number of repeats."""
    rows = rows_of(fit)
    for row in rows:
        row["name"] = f"{row['repeats']}+" if row["is_or_more"] else str(row["repeats"])
    return rows


def _bars_and_diamonds(
    rows: Sequence[dict[str, Any]],
    look: Look,
    columns: tuple[str, str],
    title: str,
    subtitle: str,
    said: Sequence[tuple[str, str]],
    labels: str,
) -> Any:
    """Draw actual figures as bars and expected ones as hollow diamonds on them."""
    palette = look.palette
    axis = alt.Axis(title=None, grid=True, tickCount=5, labelExpr=labels)
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("name:N", sort=[row["name"] for row in rows], axis=alt.Axis(title="Repeat purchase days", labelAngle=0)),
        tooltip=tips(("name", "Repeats"), *said),
    )
    layers = (
        drawn.mark_bar(color=palette.main_soft, stroke=palette.main, strokeWidth=1).encode(y=alt.Y(f"{columns[0]}:Q", axis=axis)),
        drawn.mark_point(shape="diamond", filled=False, fill=palette.paper, stroke=palette.second, strokeWidth=2, size=90).encode(
            y=alt.Y(f"{columns[1]}:Q", axis=axis)
        ),
    )
    words = "; ".join(f"{row['name']} repeats: {row['was']} actual, {row['would']} expected" for row in rows)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=words + ".", height=240)


def alive_matrix(cells: pa.Table, look: Look | None = None) -> Any:
    """Draw the chance of still being a customer by repeats and days of silence; takes the table `alive_matrix`."""
    look = look or Look()
    rows = rows_of(cells)
    if not rows:
        return nothing_to_draw(look, "The data reach back too few days for silence to say anything.")
    palette = look.palette
    for row in rows:
        row |= {
            "figure": f"{100 * row['p_alive']:.0f}",
            "chance": share(row["p_alive"]),
            "quiet": quantity(row["quiet_days"], "days"),
            "step": min(_STEPS, 1 + int(_STEPS * row["p_alive"])),
        }
    steps = list(range(1, _STEPS + 1))
    quiet = sorted({row["quiet_days"] for row in rows})
    repeats = sorted({row["repeats"] for row in rows})
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("quiet_days:O", sort=quiet, axis=alt.Axis(title="Days since the last purchase", labelAngle=0, orient="top"), scale=alt.Scale(padding=0.04)),
        y=alt.Y("repeats:O", sort=repeats[::-1], axis=alt.Axis(title="Repeat purchase days"), scale=alt.Scale(padding=0.06)),
        tooltip=tips(("repeats", "Repeats"), ("quiet", "Quiet for"), ("chance", "Still a customer")),
    )  # fmt: skip
    layers = (
        drawn.mark_rect(cornerRadius=3).encode(
            fill=alt.Fill("step:O", scale=alt.Scale(domain=steps, range=list(palette.heat)), legend=None)
        ),
        drawn.mark_text(fontSize=11).encode(
            text="figure:N", color=alt.Color("step:O", scale=alt.Scale(domain=steps, range=list(palette.on_heat)), legend=None)
        ),
    )
    title = _silence(rows)
    subtitle = f"Chance in percent of still being a customer, of one first seen {count(rows[0]['age_days'])} days ago"
    said = "; ".join(
        f"{row['repeats']} repeats, quiet for {row['quiet']}: {row['chance']}" for row in rows[:: max(1, len(rows) // 12)]
    )
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(30))


def _silence(rows: Sequence[dict[str, Any]]) -> str:
    """Return after how long a silence a frequent customer is more likely gone than not."""
    most = max(row["repeats"] for row in rows)
    gone = [row["quiet_days"] for row in rows if row["repeats"] == most and row["p_alive"] < 0.5]
    if gone:
        return f"A customer with {most} repeats is more likely gone than not after {quantity(min(gone), 'days')} of silence"
    return f"A customer with {most} repeats is more likely still there than not, however long the silence shown"
