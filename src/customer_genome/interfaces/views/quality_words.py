"""What the figures of a backtest say, in one sentence each: also that the published forecast does not beat a formula.

Comes in: an `Evidence`. Goes out: sentences for report and dashboard; a figure that is not stored gives an empty one.
"""

from __future__ import annotations

from typing import Any

from customer_genome.interfaces.views.figures import count, share
from customer_genome.interfaces.views.quality_figures import FIGURES, FURTHER, Evidence, Figure, number

CLEARLY = 2.0
"""Standard errors beyond which a difference counts as clear."""


def against_formula(found: Evidence, figure: Figure) -> str:
    """Return whether the published forecast beats the best naive formula on a figure, and how surely."""
    mine = next((row for row in found.rows(figure) if row["is_shipped"]), None)
    rival = found.best_naive(figure)
    if mine is None or rival is None or mine["difference"] is None or figure.higher_is_better is None:
        return ""
    gain = mine["difference"] if figure.higher_is_better else -mine["difference"]
    error = mine["difference_error"] or 0.0
    is_clear = abs(gain) > CLEARLY * error
    if gain > 0:
        said = "clearly better than" if is_clear else "no more than chance would explain better than"
    else:
        said = "clearly worse than" if is_clear else "no better than"
    name = mine["rival"] or rival["candidate"]
    at_best = "" if name == rival["candidate"] else f" (best of all formulas on average: {rival['candidate']})"
    return f"{figure.label}: {number(mine['value'])}, {said} the naive formula {name} ({mine['difference']:+.3f} ± {number(error)}){at_best}."


def beaten_by_formula(found: Evidence) -> str:
    """Return on which deciding figures the published forecast does not clearly beat the best naive formula; empty where it does on all."""
    doubtful = []
    for figure in FIGURES:
        said = against_formula(found, figure)
        if said and "clearly better" not in said:
            doubtful.append(figure.label.lower())
    return (
        f"Mind that it does not clearly beat the best naive formula on: {', '.join(doubtful)}. There the formula would do as well."
        if doubtful
        else ""
    )


def segment_levels(found: Evidence) -> list[dict[str, Any]]:
    """Return predicted over actual spend of the published forecast per segment: segment, value, error, customers."""
    bias = next(figure for figure in FURTHER if figure.name == "bias")
    groups = sorted({row["group"] for row in found.found["rows"]} - {"all", "new", "old"})
    mine = [(group, next((row for row in found.rows(bias, group=group) if row["is_shipped"]), None)) for group in groups]
    return [
        {"segment": group, "value": row["value"], "error": row["error"], "customers": row["customers"]}
        for group, row in mine
        if row is not None
    ]


def new_against_old(found: Evidence) -> str:
    """Return how much better customers are ranked who have been there for longer, and how much of the spend was predicted of either."""
    auc = next(figure for figure in FIGURES if figure.name == "auc")
    bias = next(figure for figure in FURTHER if figure.name == "bias")
    ranked = {row["group"]: row["value"] for row in found.by_age(auc) if row["is_shipped"]}
    level = {row["group"]: row["value"] for row in found.by_age(bias) if row["is_shipped"]}
    if set(ranked) != {"new", "old"} or set(level) != {"new", "old"}:
        return ""
    better = "better" if ranked["old"] > ranked["new"] else "no better"
    return (
        f"Who orders is told {better} of old customers (AUC {number(ranked['old'])}) than of new ones ({number(ranked['new'])}); "
        f"of what new customers spent {share(level['new'])} was predicted, of old ones {share(level['old'])}."
    )


def threshold_sentence(row: dict[str, Any]) -> str:
    """Return who would have been named from a threshold on.

    Examples
    --------
    >>> threshold_sentence({"named_gone": 75, "named_came": 25, "missed_gone": 25, "left_came": 75, "threshold": 0.5})
    'From a risk of 50 % on, 100 customers are named. 75 % of them stayed away; 75 % of all who stayed away were named.'
    """
    named, gone = row["named_gone"] + row["named_came"], row["named_gone"] + row["missed_gone"]
    if not named:
        return f"From a risk of {share(row['threshold'])} on, nobody is named."
    return (
        f"From a risk of {share(row['threshold'])} on, {count(named)} customers are named. {share(row['named_gone'] / named)} of them stayed away; "
        f"{share(row['named_gone'] / gone if gone else None)} of all who stayed away were named."
    )
