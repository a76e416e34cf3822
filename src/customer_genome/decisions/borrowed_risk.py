"""What may be said of value and risk that were borrowed from other shops: how far they carry, in words with figures.

Comes in: the reference forecast as it is stored, with its measured transfer error. Goes out: sentences and grades. Nothing is
forecast here, and no file is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LABEL, CHAMPION, BORROWED = "label", "champion", "borrowed"
"""What value and risk of a customer may rest on, best first: the table's own labels, the workspace's own order lines, other shops."""
RELIABILITY: Mapping[str, str] = {LABEL: "medium", CHAMPION: "medium", BORROWED: "low"}
"""How far each may be relied on, where nothing better has been measured on this shop."""
UNSIZED: frozenset[str] = frozenset(
    {
        "churn_probability", "confidence_score", "p_alive", "clv_180d", "clv_lower", "clv_upper", "expected_value_loss", "predicted_spend",
        "predicted_orders", "spend_lower", "spend_upper",
    }
)  # fmt: skip
"""Columns whose size says nothing where they were borrowed: rules may hold them against each other, sentences never quote them."""
WHAT_TO_TRUST = "Trust the order of customers (rank and band), not the size of a figure."


def transfer_figures(reference: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest of what was measured on shops the forecast had not seen.

    Returns
    -------
    dict
        auc (chance to order), auc_lost (against a fit to that shop itself), chance_off (points between the mean chance said and the
        share that ordered, as a share), spend_ratio (expected over actual).
    """
    rows: Sequence[Mapping[str, Any]] = reference["transfer"]
    series = {
        "auc": [row["auc"] for row in rows],
        "auc_lost": [row["auc_fitted_here"] - row["auc"] for row in rows],
        "chance_off": [abs(row["chance_said"] - row["ordered"]) for row in rows],
        "spend_ratio": [row["spend_said_over_actual"] for row in rows],
    }
    return {name: (min(values), max(values)) for name, values in series.items()}


def borrowed_sentence(reference: Mapping[str, Any]) -> str:
    """Return where a borrowed forecast comes from and how far it carries.

    Examples
    --------
    >>> row = {"auc": 0.78, "auc_fitted_here": 0.79, "chance_said": 0.5, "ordered": 0.46, "spend_said_over_actual": 1.9}
    >>> print(borrowed_sentence({"shops": [{"shop": "A"}, {"shop": "B"}], "horizon_days": 180, "transfer": [row]}))
    Risk and value are borrowed: learned from what customers of A and B did in the 180 days after a cutoff, from orders so far, ...
    """
    shops = [shop["shop"] for shop in reference["shops"]]
    named = f"{', '.join(shops[:-1])} and {shops[-1]}" if len(shops) > 1 else shops[0]
    found = transfer_figures(reference)
    auc, off, ratio = found["auc"], found["chance_off"], found["spend_ratio"]
    return (
        f"Risk and value are borrowed: learned from what customers of {named} did in the {reference['horizon_days']} days after a cutoff, from orders "
        "so far, days since the last one and money per order. On a shop it had not seen, the ranking of risk kept an AUC of "
        f"{_span(auc, '.2f')} (at most {max(found['auc_lost'][1], 0):.3f} below a fit to that shop itself), the mean risk was off by {_span(tuple(100 * x for x in off), '.0f')} points, "
        f"and expected spend was {_span(ratio, '.1f')} x what came. {WHAT_TO_TRUST} risk_basis = borrowed, reliability = low."
    )


def _span(values: Sequence[float], form: str) -> str:
    """Return the smallest and the largest of figures as one text."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"
