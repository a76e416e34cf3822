"""What one customer is expected to be worth, month by month, with the range of what may really happen.

Comes in: months as `prospects.Prospect` holds them. Goes out: a finished Altair chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from customer_genome.interfaces.charts.look import Look, finished, money_labels, nothing_to_draw, tips, values
from customer_genome.interfaces.views.figures import day, quantity


def value_path(months: Sequence[Mapping[str, Any]], look: Look | None = None) -> Any:
    """Draw the running value of a customer from the cutoff on, with its 80 % range.

    Parameters
    ----------
    months : mappings with starts_on, ends_on, orders, value, value_so_far, lower, upper
    """
    look = look or Look()
    if not months:
        return nothing_to_draw(look, "No months to come are known of this customer.")
    palette = look.palette
    start = months[0]["starts_on"]
    rows: list[dict[str, Any]] = [{"by": start, "value_so_far": 0.0, "lower": 0.0, "upper": 0.0, "when": day(start)}]
    for month in months:
        rows.append(
            {
                "by": month["ends_on"],
                "value_so_far": month["value_so_far"],
                "lower": month["lower"],
                "upper": month["upper"],
                "when": day(month["ends_on"]),
                "money": look.estimate(month["value_so_far"]),
                "range": f"{look.estimate(month['lower'])} to {look.estimate(month['upper'])}",
                "n_orders": quantity(month["orders"], "orders"),
            }
        )
    rows[0] |= {"money": look.estimate(0.0), "range": look.estimate(0.0), "n_orders": quantity(0, "orders")}
    money = alt.Axis(title=None, grid=True, tickCount=4, labelExpr=money_labels(look))
    scale = alt.Scale(zero=True)
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("by:T", axis=alt.Axis(title=None, labelExpr=_labels(), tickCount=4 if look.is_narrow else 8)),
        tooltip=tips(("when", "Until"), ("money", "Value so far"), ("range", "80 % range"), ("n_orders", "Orders in the month")),
    )
    layers = [
        drawn.mark_area(color=palette.main_soft, opacity=0.6).encode(y=alt.Y("lower:Q", axis=money, scale=scale), y2="upper:Q"),
        drawn.mark_line(color=palette.main, strokeDash=[5, 3]).encode(y=alt.Y("value_so_far:Q", axis=money, scale=scale)),
        drawn.mark_point(filled=False, fill=palette.paper, stroke=palette.main, size=40).encode(y="value_so_far:Q"),
    ]
    last = rows[-1]
    title = f"Expected to be worth {last['money']} until {last['when']}; four in five end between {last['range'].replace(' to ', ' and ')}"
    subtitle = f"Value from {day(start)} on, discounted and times the margin, {look.money_unit}; band: 80 % range of what may really happen"
    said = "; ".join(f"until {row['when']} {row['money']} ({row['range']})" for row in rows[1:])
    return finished(alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=200)


def _labels() -> str:
    """Return the expression for months; the year stands under the first label and in January."""
    return "[timeFormat(datum.value, '%b'), datum.index == 0 || month(datum.value) == 0 ? timeFormat(datum.value, '%Y') : '']"


def months_of(months: Sequence[Any]) -> list[dict[str, Any]]:
    """Return months as mappings, from objects that hold them."""
    names = ("starts_on", "ends_on", "orders", "revenue", "value", "value_so_far", "lower", "upper")
    return [{name: getattr(month, name) for name in names} for month in months]
