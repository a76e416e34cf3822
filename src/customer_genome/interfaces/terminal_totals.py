"""What the command line shows of customers with totals: the run in words, and one customer without dates.

Comes in: results of a run on totals, or a published record. Goes out: lines of text. Nothing is computed here but wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from customer_genome.interfaces.views.figures import count, day, money, quantity, share
from customer_genome.interfaces.views.standing import rank_words

if TYPE_CHECKING:
    from customer_genome.stages.publishing import RunResult

UNKNOWN = "not known"


def run_lines(result: RunResult) -> list[str]:
    """Return the head of what a run on totals or ratings did."""
    if result.level == "ratings":
        return [
            f"Published {result.version}: {quantity(result.customers, 'customers')} as of {day(result.as_of)}, {result.horizon_days}-day outlook",
            f"{quantity(result.lines, 'ratings')}, no money, in {result.seconds['total']:.1f} s",
        ]
    known = [quantity(result.orders, "orders")] if result.orders else []
    known += [f"{money(result.revenue, result.currency)} revenue"] if result.revenue else []
    return [
        f"Published {result.version}: {quantity(result.customers, 'customers')}, one row each and no order lines; as of {day(result.as_of)}",
        f"{', '.join(known) or 'Profiles without totals'}, in {result.seconds['total']:.1f} s",
    ]


def facts_of_totals(record: Mapping[str, Any], currency: str) -> list[tuple[str, str]]:
    """Return the lines of the card of a customer known by totals."""

    def said(name: str, text: str) -> str:
        return UNKNOWN if record.get(name) is None else text

    parts = [
        None if record["total_spend"] is None else money(record["total_spend"], currency),
        None if record["n_orders"] is None else quantity(record["n_orders"], "orders"),
        None if record["mean_order_value"] is None else f"{money(record['mean_order_value'], currency)} an order",
    ]
    spent = ", ".join(part for part in parts if part is not None) or UNKNOWN
    rows = [
        ("So far", spent) if record.get("mean_order_value") is None else ("Bought so far", spent),
        ("Last order", said("recency_days", f"{quantity(record['recency_days'], 'days')} ago")),
        ("Different products", said("unique_products", count(record["unique_products"]))),
    ]
    if record.get("risk_basis") in (None, "borrowed"):
        borrowed = " (borrowed from other shops)" if record.get("risk_basis") else ""
        return [*rows, (f"Risk{borrowed}", rank_words(record, "risk")), (f"Value to come{borrowed}", rank_words(record, "value"))]
    risk = said("churn_probability", f"{share(record['churn_probability'])} ({record['churn_band']})")
    worth = said("clv_180d", f"{money(record['clv_180d'], currency)} ({record['clv_band']})")
    if record.get("predicted_spend") is not None:
        lower, upper = record.get("spend_lower"), record.get("spend_upper")
        within = "" if lower is None else f", 80 % between {money(lower, currency)} and {money(upper, currency)}"
        rows.append((f"Spend expected in {record['horizon_days']} days", f"{money(record['predicted_spend'], currency)}{within}"))
    if record.get("total_spend") is None and record.get("clv_180d") is None:
        return [*rows, ("Risk", risk)]
    return [
        *rows,
        ("Risk", risk),
        ("Value over 180 days", worth),
        ("Value at risk", money(record["expected_value_loss"], currency)),
    ]
