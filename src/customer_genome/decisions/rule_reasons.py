"""Why a playbook fits: every rule with the customer's own figure and the bound it was held against.

Comes in: the rules of a playbook and the customers it takes. Goes out: one text per customer. This module must not read files
or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.conditions import Condition, Multiple, right_side
from customer_genome.decisions.customers import Customers, IntArray
from customer_genome.decisions.wording import fact_text, number_text, phrase_of

NOTHING_ELSE_FITS = "no other playbook fits"
NOT_IN_SIZE = "by the order of risk and value among these customers"
_BANDS: Mapping[str, frozenset[str]] = {
    "clv_band": frozenset(
        {"clv_180d", "clv_lower", "clv_upper", "expected_value_loss", "predicted_spend", "spend_lower", "spend_upper"}
    ),
    "churn_band": frozenset({"churn_probability", "confidence_score", "p_alive", "predicted_orders", "expected_value_loss"}),
}
"""Which band is named in place of which figure."""
_BOUNDS: Mapping[str, str] = {"<=": "at most ", "<": "under ", ">=": "at least ", ">": "over ", "!=": "not ", "=": "", "in": ""}


def reason_of(
    when: Sequence[Condition],
    customers: Customers,
    rows: IntArray,
    figures: Mapping[str, float],
    currency: str,
    unsized: frozenset[str] = frozenset(),
) -> pa.Array:
    """Return, per customer, every rule with the customer's own figure and the bound it was held against.

    Parameters
    ----------
    unsized : columns whose size says nothing: the band of the customer is named instead, and no bound
    """
    if not when or not len(rows):
        return pa.repeat(NOTHING_ELSE_FITS, len(rows))
    sized = [condition for condition in when if not unsized & set(condition.columns)]
    clauses = [_clause(condition, customers, rows, figures, currency) for condition in sized]
    said = {condition.column for condition in sized}
    hidden = {column for condition in when if condition not in sized for column in condition.columns}
    for band, columns in _BANDS.items():
        if hidden & columns and band not in said:
            before, after = phrase_of(band)
            clauses.append(
                pc.fill_null(_joined(before, fact_text(band, customers, rows, currency), after, len(rows)), NOT_IN_SIZE)
            )
    if not clauses:
        return pa.repeat(NOT_IN_SIZE, len(rows))
    return clauses[0] if len(clauses) == 1 else pc.binary_join_element_wise(*clauses, "; ")


def _clause(condition: Condition, customers: Customers, rows: IntArray, figures: Mapping[str, float], currency: str) -> pa.Array:
    """Return one rule as a clause per customer: "last order 12 days ago (at most 17 days, p30)"."""
    before, after = phrase_of(condition.column)
    own = fact_text(condition.column, customers, rows, currency)
    if condition.op in ("=", "in") or customers.kind(condition.column) == "text":
        bound: pa.Array | str = "" if condition.op in ("=", "in") else f" (not {condition.value})"
    elif isinstance(condition.value, Multiple):
        other = fact_text(condition.value.column, customers, rows, currency)
        name = condition.value.column.removesuffix("_days").replace("_", " ")
        bound = _joined(f" ({_BOUNDS[condition.op]}{condition.value.factor:g} x {name} of ", other, ")", len(rows))
    else:
        limit = float(right_side(condition, customers, figures))
        text = number_text(limit, condition.column, currency) or ""
        bound = f" ({_BOUNDS[condition.op]}{text}{f', {condition.value}' if condition.statistic else ''})"
    start = _joined(before, own, after, len(rows))
    return pc.binary_join_element_wise(start, bound if isinstance(bound, pa.Array) else pa.repeat(bound, len(rows)), "")


def _joined(before: str, middle: pa.Array, after: str, n: int) -> pa.Array:
    return pc.binary_join_element_wise(pa.repeat(before, n), middle, pa.repeat(after, n), "")
