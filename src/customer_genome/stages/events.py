"""What is left out where events carry no money, as ratings do not: which columns, which tables, which sentences.

Comes in: names of columns and small tables. Goes out: the same without money. Inside a run every rating weighs one, so that facts and
models need no second way; what that weight adds up to is no money and never leaves the run: the columns stay, empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

EVENT_FEATURES: tuple[str, ...] = ("recency_days", "n_orders", "n_purchase_days", "tenure_days", "unique_products")
"""What customers are grouped by where there is no money."""
MONEY: frozenset[str] = frozenset(
    {
        "total_spend", "mean_order_value", "mean_spend_per_day", "returned_value", "return_share", "n_returned_lines", "spend_last_90d",
        "spend_prior_90d", "spend_trend", "discount_share", "predicted_spend", "spend_lower", "spend_upper", "clv_180d", "clv_lower", "clv_upper",
        "expected_value_loss", "monetary_score",
    }
)  # fmt: skip
"""Columns of customers that are money, or mean nothing without it."""
_IN_TABLES: frozenset[str] = MONEY | {
    "revenue", "revenue_lower", "revenue_upper", "spend_so_far", "first_year_known", "first_year_expected", "mean_spend", "median_order_value", "clv",
}  # fmt: skip
RISK_BASIS = "champion"
"""What risk rests on: the champion that learned from the ratings themselves."""
BESIDE_VALUES = f"'{RISK_BASIS}' as risk_basis, cast(null as double) as risk_rank, cast(null as double) as value_rank"
"""Columns that a table of customers without money has beside its facts and predictions, as one made from totals has."""
_OF_MONEY = frozenset({"held_out_deciles", "held_out_thresholds", "forecast", "cohort_forecast", "cohort_months"})
"""Small tables that hold nothing but money."""


def without_money(name: str, expression: str) -> str:
    """Return SQL for a column, empty where it is money.

    Examples
    --------
    >>> without_money("n_orders", "f.n_orders"), without_money("clv_180d", "v.clv_180d")
    ('f.n_orders', 'case when false then v.clv_180d end as clv_180d')
    """
    return f"case when false then {expression} end as {name}" if name in MONEY else expression


def tables_without_money(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Return the small tables of a run, their columns of money empty; tables that hold nothing else are left out."""
    kept = {name: _emptied(table) for name, table in tables.items() if name not in _OF_MONEY}
    if "findings" in kept:  # what could not be said without money is not said
        kept["findings"] = kept["findings"].filter(pc.is_valid(kept["findings"]["value"]))
    return kept


def totals_without_money(totals: Mapping[str, Any]) -> dict[str, Any]:
    """Return the totals of a run whose money is nought, since there is none."""
    ledger = {name: {**entry, "revenue": 0.0} for name, entry in totals["ledger"].items()}
    refunds = {name: 0 if isinstance(value, int) else 0.0 for name, value in totals["refunds"].items()}
    return {**totals, "revenue": 0.0, "ledger": ledger, "refunds": refunds}


def _emptied(table: pa.Table) -> pa.Table:
    """Return a table whose columns of money are empty."""
    for place, field in enumerate(table.schema):
        if field.name in _IN_TABLES:
            table = table.set_column(place, field, pa.nulls(table.num_rows, field.type))
    return table
