"""How unevenly revenue is spread over customers.

Comes in: the curve `interfaces.views.overview.concentration` makes. Goes out: a finished Altair chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.charts.look import Look, finished, nothing_to_draw, percent_labels, rows_of, tips, values
from customer_genome.interfaces.views.figures import share

_NAMED_SHARES = (0.1, 0.2, 0.5)


def concentration(curve: pa.Table, look: Look | None = None) -> Any:
    """Draw the share of revenue that the largest customers bring; takes `overview.concentration`.

    The dashed line is what equal customers would bring.
    """
    look = look or Look()
    rows = rows_of(curve)
    if len(rows) < 3:
        return nothing_to_draw(look, "With fewer than two paying customers there is nothing to compare.")
    for row in rows:
        row["who"], row["brings"] = f"largest {share(row['customer_share'])}", share(row["revenue_share"])
    palette = look.palette
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("customer_share:Q", scale=alt.Scale(domain=[0, 1]), axis=_share_axis("Customers, largest first")),
        y=alt.Y("revenue_share:Q", scale=alt.Scale(domain=[0, 1]), axis=_share_axis("Share of revenue")),
        tooltip=tips(("who", "Customers"), ("brings", "of revenue")),
    )
    equal = alt.Chart(values([{"customer_share": 0, "revenue_share": 0}, {"customer_share": 1, "revenue_share": 1}]))
    named = _named_points(rows, _NAMED_SHARES[:2] if look.is_narrow else _NAMED_SHARES)
    points = alt.Chart(values(named)).encode(
        x="customer_share:Q", y="revenue_share:Q", tooltip=tips(("who", "Customers"), ("brings", "of revenue"))
    )
    layers = (
        drawn.mark_area(color=palette.main_soft, opacity=0.45),
        equal.mark_line(color=palette.soft_ink, strokeDash=[5, 3], strokeWidth=1.2).encode(
            x="customer_share:Q", y="revenue_share:Q"
        ),
        drawn.mark_line(color=palette.main),
        points.mark_point(color=palette.main, filled=True, size=60),
        points.mark_text(align="left", dx=10, dy=12, color=palette.ink).encode(text="text:N"),
    )
    subtitle = "Share of revenue by share of customers, largest first; dashed line: if all spent alike"
    return finished(
        alt.layer(*layers),
        look,
        title=_sentence(rows, named),
        subtitle=subtitle,
        words=". ".join(row["text"] for row in named),
        height=280,
    )


def _share_axis(title: str) -> alt.Axis:
    """Return an axis from 0 to 100 %."""
    return alt.Axis(labelExpr=percent_labels(), values=[0, 0.25, 0.5, 0.75, 1], grid=True, title=title, labelFlush=True)


def _named_points(rows: Sequence[dict[str, Any]], shares: Sequence[float]) -> list[dict[str, Any]]:
    """Return the points that get a label: those nearest to 10, 20 and 50 % of customers."""
    found = []
    for wanted in shares:
        row = min(rows, key=lambda row: abs(row["customer_share"] - wanted))
        if abs(row["customer_share"] - wanted) < 0.02:
            found.append(row | {"text": f"{row['who']} bring {row['brings']}"})
    return found


def _sentence(rows: Sequence[dict[str, Any]], named: Sequence[dict[str, Any]]) -> str:
    """Return the finding: the tenth that spends most, or the largest customer where there are few."""
    if named and abs(named[0]["customer_share"] - 0.1) < 0.02:
        return f"The {named[0]['who']} of customers bring {named[0]['brings']} of revenue"
    return f"The largest customer brings {rows[1]['brings']} of revenue"
