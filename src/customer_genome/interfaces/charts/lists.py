"""How good lists of recommendations are: recommenders of one view side by side, popularity as the yardstick.

Comes in: rows of `interfaces.views.lists.quality_rows`. Goes out: a finished Altair chart, drawn like candidates of forecasts with words of its own.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from customer_genome.interfaces.charts.look import Look
from customer_genome.interfaces.charts.quality import candidates

LABEL = "NDCG@10"
MEANING = "1: the ten listed items are what was bought, first things first; 0: none was."
_HOW = "Filled: the lists that are published; diamonds: popularity; whiskers: two standard errors"


def list_quality(rows: Sequence[Mapping[str, Any]], look: Look | None = None, *, title: str) -> Any:
    """Draw NDCG@10 of every recommender of one view, best first."""
    import altair as alt

    look = look or Look()
    chart = candidates(rows, look, label=LABEL, meaning=MEANING, higher_is_better=True)
    if not rows:
        return chart
    mine = next((row for row in rows if row["is_shipped"]), rows[0])
    usual = max((row["value"] for row in rows if row["kind"] == "naive"), default=None)
    beside = f", popularity at best {usual:.2f}" if usual is not None and mine["kind"] != "naive" else ""
    finding = f"{title}: the lists reach {mine['value']:.2f}{beside}"
    how = f"{LABEL}. {MEANING} {_HOW}"
    letters = max(30, int(look.pixels / 7.2))
    said = str(chart.description).partition("whiskers: two standard errors")[2].lstrip(". ")
    chart.title = alt.TitleParams(text=textwrap.wrap(finding, letters), subtitle=textwrap.wrap(how, int(letters * 1.25)))
    chart.description = f"{finding}. {how}. {said.replace('naive formula', 'popularity')}"
    return chart
