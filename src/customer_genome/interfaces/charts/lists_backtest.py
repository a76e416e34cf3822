"""Lists of recommendations held against later purchases: recommenders of one day side by side, and by how much customers owned.

Comes in: rows of `interfaces.views.list_evidence`. Goes out: finished Altair charts. What would have been published is a filled circle, other
recommenders are hollow circles, popularity is a diamond; whiskers are 95 % intervals over customers.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from customer_genome.interfaces.charts.look import Look, finished, nothing_to_draw, tips, values
from customer_genome.interfaces.charts.quality import candidates
from customer_genome.interfaces.views.figures import count

Rows = Sequence[Mapping[str, Any]]
CHAMPION = "champion"


def list_figure(
    rows: Rows, look: Look | None = None, *, label: str, meaning: str, title: str, random: float | None = None
) -> Any:
    """Draw one figure of every recommender of a day and view, best first.

    Parameters
    ----------
    rows : mappings with candidate, kind, is_shipped, value, error
    random : what lists drawn at random reach, said in words
    """
    look = look or Look()
    chart = candidates(rows, look, label=label, meaning=meaning, higher_is_better=True)
    if not rows:
        return nothing_to_draw(look, "No recommender was judged in this view.")
    mine = next((row for row in rows if row["is_shipped"]), None)
    usual = max((row["value"] for row in rows if row["kind"] == "naive"), default=None)
    finding = f"{title}: {label} {_figure(mine['value'])}" if mine else f"{title}: {label}"
    finding += f", popularity at best {_figure(usual)}" if usual is not None else ""
    finding += f", drawn at random {_figure(random)}" if random is not None else ""
    how = f"{meaning} Filled: what a run would have published; diamonds: popularity; whiskers: two standard errors"
    letters = max(30, int(look.pixels / 7.2))
    said = str(chart.description).partition("whiskers: two standard errors")[2].lstrip(". ")
    chart.title = alt.TitleParams(text=textwrap.wrap(finding, letters), subtitle=textwrap.wrap(how, int(letters * 1.25)))
    chart.description = f"{finding}. {how}. {said.replace('naive formula', 'popularity')}"
    return chart


def by_items_owned(rows: Rows, look: Look | None = None) -> Any:
    """Draw NDCG of champion and popularity by how much customers owned.

    Parameters
    ----------
    rows : mappings with size, candidate, value, lower, upper, customers
    """
    look = look or Look()
    if not rows:
        return nothing_to_draw(look, "This backtest stored no figures by how much customers owned.")
    palette = look.palette
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    shown = [
        {**row, "who": row["size"].capitalize(), "figure": _figure(row["value"]), "people": count(row["customers"])}
        | {
            "range": f"{_figure(row['lower'])} to {_figure(row['upper'])}",
            "what": "the lists" if row["candidate"] == CHAMPION else row["candidate"],
        }
        for row in rows
    ]
    order = [size.capitalize() for size in sizes]
    scale = alt.Scale(domainMin=0, nice=True)
    axis = alt.Axis(title="NDCG@10", grid=True, tickCount=4, format=".2~f")
    drawn = alt.Chart(values(shown)).encode(
        y=alt.Y("who:N", sort=order, axis=alt.Axis(title=None, labelLimit=200)),
        yOffset=alt.YOffset("candidate:N", sort=[CHAMPION, "popularity"], scale=alt.Scale(paddingOuter=1)),
        tooltip=tips(
            ("who", "Customers with"),
            ("what", "Lists of"),
            ("figure", "NDCG@10"),
            ("range", "95 % interval"),
            ("people", "Customers"),
        ),
    )
    x = alt.X("value:Q", axis=axis, scale=scale)
    mine, others = "datum.candidate == 'champion'", "datum.candidate != 'champion'"
    layers = [
        part.mark_rule(color=colour, strokeWidth=2).encode(x=alt.X("lower:Q", axis=axis, scale=scale), x2="upper:Q")
        for part, colour in ((drawn.transform_filter(mine), palette.main), (drawn.transform_filter(others), palette.second))
    ]
    layers += [
        drawn.transform_filter(mine).mark_point(filled=True, color=palette.main, size=120).encode(x=x),
        drawn.transform_filter(others)
        .mark_point(shape="diamond", filled=False, fill=palette.paper, stroke=palette.second, strokeWidth=2, size=100)
        .encode(x=x),
    ]
    title = _who_gains(shown, order)
    subtitle = "NDCG@10 by how many items customers owned; filled: what a run would have published; diamonds: popularity; whiskers: 95 % intervals"
    said = "; ".join(f"{row['who']}, {row['what']}: {row['figure']} ({row['range']}), {row['people']} customers" for row in shown)
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(20))


def _who_gains(shown: Rows, order: Sequence[str]) -> str:
    """Return for which customers the lists gain most over popularity."""
    gains = {}
    for who in order:
        pair = {row["candidate"]: row["value"] for row in shown if row["who"] == who}
        if {CHAMPION, "popularity"} <= set(pair):
            gains[who] = pair[CHAMPION] - pair["popularity"]
    if not gains:
        return "By how many items customers owned"
    best = max(gains, key=lambda who: gains[who])
    if gains[best] <= 0:
        return "The lists gain on popularity with no group of customers"
    return f"The lists gain most over popularity with customers of {best.lower()}: {gains[best]:+.3f}"


def _figure(value: float | None) -> str:
    """Return a figure with three decimals, a larger one with fewer."""
    return "–" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
