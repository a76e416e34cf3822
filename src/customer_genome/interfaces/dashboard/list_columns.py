"""What the list of customers can show: every column with its title, unit, SQL and order, and which of them a version has.

Comes in: a visit and a selection. Goes out: `ListColumn` values in the order in which they are offered. SQL stands here and nowhere
else; what a visitor types only ever chooses among these columns. Nothing is asked of the database but the names of its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.dashboard.totals import knows, knows_risk
from customer_genome.interfaces.views.standing import worded

Kind = Literal["text", "count", "money", "share", "date", "number"]
RISK = "case churn_band when 'High' then '▲ High' when 'Medium' then '◆ Medium' when 'Low' then '● Low' end"
VALUE = "case clv_band when 'High' then '★ High' when 'Medium' then '☆ Medium' when 'Low' then '· Low' end"


@dataclass(frozen=True)
class ListColumn:
    """One column of the list.

    Attributes
    ----------
    name : what it is called in the result and in the address
    title : what it is called on the screen, where an order is named after it, and in the address
    sql : the expression that gives it
    needs : the published column it rests on
    rises : whether the least stands first unless turned round (names, the next order)
    order : the expression that orders it, where that is not `sql`
    has_size : whether it is the size of a risk or a value, which a version that borrowed them cannot say
    """

    name: str
    title: str
    sql: str
    needs: str
    kind: Kind
    meaning: str = ""
    rises: bool = False
    order: str = ""
    has_size: bool = False
    is_personal: bool = False

    def order_sql(self, *, is_turned: bool = False, is_backwards: bool = False) -> str:
        """Return the order by this column, empty cells last; backwards the very same order read from its end."""
        rises = self.rises != is_turned
        if is_backwards:
            return f"{self.order or self.sql} {'desc' if rises else 'asc'} nulls first, customer_id desc"
        return f"{self.order or self.sql} {'asc' if rises else 'desc'} nulls last, customer_id"


def _column(name: str, title: str, kind: Kind, meaning: str = "", **more: Any) -> ListColumn:
    """Return a column that is published as it stands."""
    return ListColumn(name, title, more.pop("sql", f'"{name}"'), more.pop("needs", name), kind, meaning, **more)


def _known_columns(horizon: int) -> tuple[ListColumn, ...]:
    """Return the columns that have a name of their own; segment is added by the selection."""
    within = f"within {horizon} days"
    return (
        _column("customer_id", "Customer id", "text", "Select the row to open this customer.", rises=True, is_personal=True),
        _column("expected_value_loss", "Value at risk", "money", "Value times risk: where retention pays first.", has_size=True),
        _column("clv_180d", "Value", "money", "Expected revenue over 180 days, discounted, times the margin.", has_size=True),
        _column("churn_probability", "Risk", "share", f"Probability of no order {within}.", has_size=True),
        _column("risk", "Risk band", "text", "▲ High, ◆ Medium, ● Low.", sql=RISK, needs="churn_band", order="churn_probability"),
        _column("risk_rank", "Riskier than", "share", "The share of your customers with a lower risk."),
        _column("value_band", "Value band", "text", "★ High, ☆ Medium, · Low.", sql=VALUE, needs="clv_band", order="clv_180d"),
        _column("value_rank", "Worth more than", "share", "The share of your customers with less value to come."),
        _column("n_orders", "Orders", "count", "Orders so far."),
        _column("total_spend", "Spent", "money", "Money of all orders so far."),
        _column("last_order_on", "Last order", "date", "Day of the last order."),
        _column("recency_days", "Quiet for, days", "count", "Days since the last order."),
        _column("next_order_on", "Next order", "date", "An order is as likely as not by this day.", rises=True),
        _column("playbook", "Playbook", "text", rises=True),
        _column("recommended_action", "What to do", "text", rises=True),
        _column("confidence_score", "Confidence", "share", f"1 minus the risk: how likely an order is {within}.", has_size=True),
        _column("reliability", "Reliability", "text", "How far forecasts of customers like this one were off.", order=_GRADES),
        _column("predicted_orders", "Orders to come", "number", f"Expected orders {within}.", has_size=True),
        _column("predicted_spend", "Spend to come", "money", f"Expected money {within}.", has_size=True),
        _column("p_alive", "Still active", "share", "Chance that the customer has not left for good.", has_size=True),
        _column("first_order_on", "First order", "date", "Day of the first order."),
        _column("mean_order_value", "Mean order", "money", "Money of the average order."),
        _column("mean_gap_days", "Usual gap, days", "number", "Mean days between purchase days."),
        _column("unique_products", "Products", "count", "Different products bought."),
        _column("total_quantity", "Pieces", "count", "Pieces bought."),
        _column("returned_value", "Brought back", "money", "Money of goods brought back."),
        _column("discount_share", "At a discount", "share", "Share of spend at a discount."),
        _column("primary_country", "Country", "text", "The country most is spent in.", rises=True),
        _column("rfm_segment", "RFM segment", "text", "By recency, frequency and money.", rises=True),
        _column("priority_segment", "Value and risk", "text", "Both bands together.", rises=True),
        _column("reason_1", "Main reason", "text", "What moves this risk most from the average one.", rises=True),
        _column("risk_basis", "Basis", "text", "What risk and value rest on.", rises=True),
    )


_GRADES = "case reliability when 'high' then 3 when 'medium' then 2 when 'low' then 1 end"
ORDERS_SHOWN: Sequence[str] = (
    "expected_value_loss", "clv_180d", "churn_probability", "risk", "playbook", "segment", "n_orders", "total_spend", "last_order_on",
    "next_order_on", "recommended_action",
)  # fmt: skip
"""What is shown unless the visitor chooses, in this order, as far as the version has it."""
TOTALS_SHOWN: Sequence[str] = (
    "risk", "risk_rank", "value_band", "value_rank", "playbook", "segment", "n_orders", "total_spend", "recency_days",
    "recommended_action",
)  # fmt: skip
"""The same of a version that knows bands and ranks only."""


def columns_of(visit: Visit, selection: Selection) -> tuple[ListColumn, ...]:
    """Return the columns that say something in this version, `customer_id` first; personal ones only to those who may see them."""
    published = visit.genome.query("select * from customers limit 0").column_names
    found = list(_known_columns(visit.horizon_days))
    found.insert(8, _column("segment", "Segment", "text", sql=selection.segment_sql, needs="segment_name", rises=True))
    found += [
        _column(item["column"], f"Share: {item['category']}", "share", "Share of spend on this category.")
        for item in visit.manifest.get("category_shares", [])
    ]
    found += [
        _column(name, attribute_title(name), "text", "From your customer table.", rises=True, is_personal=True)
        for name in published
        if name.startswith("attribute_") and '"' not in name
    ]
    has_sizes, level = not visit.genome.is_borrowed, visit.genome.level
    return tuple(
        replace(column, title=worded(level, column.title), meaning=worded(level, column.meaning))
        for column in found
        if column.needs in published
        and (column.name == "customer_id" or knows(visit, column.needs))
        and (has_sizes or not column.has_size)
        and (not visit.masks or not column.is_personal or column.name == "customer_id")
    )


def default_columns(visit: Visit, columns: Sequence[ListColumn]) -> list[str]:
    """Return the names of the columns shown unless the visitor chooses others."""
    names = {column.name for column in columns}
    wanted = ORDERS_SHOWN if knows_risk(visit) else TOTALS_SHOWN
    if "last_order_on" not in names and wanted is ORDERS_SHOWN:
        wanted = (*ORDERS_SHOWN, "recency_days")
    return [name for name in wanted if name in names]


def attribute_title(name: str) -> str:
    """Return what an attribute of the customer table is called.

    Examples
    --------
    >>> attribute_title("attribute_home_town")
    'Home town'
    """
    return name.removeprefix("attribute_").replace("_", " ").capitalize()
