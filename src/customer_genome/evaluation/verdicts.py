"""What a comparison of candidates says, in plain sentences computed from its figures.

Comes in: a scorecard, which candidates are naive, and which one is the product's own. Goes out: sentences. A difference counts
as clear beyond two standard errors.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from customer_genome.evaluation.judging import Row, Scorecard, Target, loss_of

QUESTIONS: tuple[tuple[Target, str, str], ...] = (
    ("spend", "gini", "Ranking customers by spend (Gini)"),
    ("spend", "mae_over_mean", "Spend of each customer (mean absolute error over the mean)"),
    ("spend", "abs_log_bias", "Level of total spend (mean |log of predicted over actual|)"),
    ("orders", "auc", "Who orders, ranked (AUC)"),
    ("orders", "brier", "Who orders, as a probability (Brier)"),
    ("orders", "ece", "Calibration of that probability (ECE)"),
    ("interval", "score", "80 % ranges of spend (interval score)"),
)
CLEAR = 2.0
MOST_IN_A_TAIL = 0.15


def verdicts(scorecard: Scorecard, naive: Collection[str], own: str) -> list[str]:
    """Return who wins on what, whether the own forecast beats every naive formula, and what its ranges are worth."""
    said = [sentence for question in QUESTIONS if (sentence := _winner(scorecard, *question, own))]
    return [*said, *_own_against_naive(scorecard, naive, own), *_tails(scorecard, own), *_new_and_old(scorecard, own)]


def _losses(scorecard: Scorecard, target: Target, figure: str) -> list[tuple[float, Row]]:
    """Return the candidates that can be judged, best first."""
    rows = [(loss_of(figure, row.figures.get(figure, np.nan)), row) for row in scorecard.select(target=target)]
    return sorted(((loss, row) for loss, row in rows if loss is not None), key=lambda pair: pair[0])


def _winner(scorecard: Scorecard, target: Target, figure: str, words: str, own: str) -> str:
    """Return who is best on one figure, and where the own forecast stands."""
    ranked = _losses(scorecard, target, figure)
    if not ranked:
        return ""
    best = ranked[0][1]
    said = f"{words}: {best.candidate} is best with {_value(best, figure)}"
    if best.candidate == own:
        second = next((row for _, row in ranked[1:]), None)
        return said + (
            f", before {second.candidate} with {_value(second, figure)}{_near(best, second, figure)}." if second else "."
        )
    place = next((number for number, (_, row) in enumerate(ranked, 1) if row.candidate == own), None)
    mine = scorecard.row(own, target)
    if not mine or not place:
        return said + "."
    return said + f"; {own} has {_value(mine, figure)}, place {place} of {len(ranked)}{_near(best, mine, figure)}."


def _near(best: Row, other: Row, figure: str) -> str:
    """Return that two figures hardly differ, where their gap is smaller than the error of either."""
    gap, error = abs(best.figures[figure] - other.figures[figure]), best.errors.get(figure, np.nan)
    return ", a gap within the standard error of either" if gap < min(error, other.errors.get(figure, np.nan)) else ""


def _value(row: Row, figure: str) -> str:
    """Return a figure with its error."""
    error = row.errors.get(figure, np.nan)
    digits = f"{row.figures[figure]:,.4g}" if figure == "score" else f"{row.figures[figure]:.3f}"
    spread = f"{error:,.{0 if error >= 10 else 1}f}" if figure == "score" else f"{error:.3f}"
    return digits + (f" ± {spread}" if np.isfinite(error) else "")


def _own_against_naive(scorecard: Scorecard, naive: Collection[str], own: str) -> list[str]:
    """Return on which figures the own forecast beats every naive formula, clearly or not, and on which it does not."""
    clear, near, lost = [], [], []
    for target, figure, words in QUESTIONS:
        mine = scorecard.row(own, target)
        if mine is None or figure not in mine.versus:
            continue
        versus, short = mine.versus[figure], words.split(" (")[0].lower()
        loss = loss_of(figure, versus.difference)
        if loss is None or loss >= 0:
            lost.append(f"{short} ({versus.naive} is better by {abs(versus.difference):.3g} ± {versus.error:.2g})")
        elif -loss > CLEAR * versus.error:
            clear.append(short)
        else:
            near.append(f"{short} (by {abs(versus.difference):.3g} ± {versus.error:.2g})")
    if not clear + near + lost:
        return [f"There is nothing to compare {own} with."]
    said = []
    if not lost:
        said.append(f"On average over the cutoffs {own} beats every naive formula on everything above.")
    else:
        said.append(f"On average over the cutoffs {own} does not beat every naive formula on: {'; '.join(lost)}.")
    if clear:
        said.append(f"It is clearly better than the best of them on: {'; '.join(clear)}.")
    if near:
        said.append(f"It is better, but within two standard errors, on: {'; '.join(near)}.")
    return said


def _tails(scorecard: Scorecard, own: str) -> list[str]:
    """Return how often spend falls outside the own ranges."""
    mine = scorecard.row(own, "interval")
    if mine is None:
        return []
    f = mine.figures
    worst = max(f["worst_below"], f["worst_above"])
    judged = "within" if worst <= MOST_IN_A_TAIL else "beyond"
    return [
        f"Of the 80 % ranges of {own}, {f['below']:.1%} of customers spent less and {f['above']:.1%} more (10 % each would be exact); in the "
        f"worst fifth by predicted spend {f['worst_below']:.1%} and {f['worst_above']:.1%}, {judged} the {MOST_IN_A_TAIL:.0%} asked for."
    ]


def _new_and_old(scorecard: Scorecard, own: str) -> list[str]:
    """Return how the own forecast does for new and for old customers."""
    rows = [
        (group, scorecard.row(own, "spend", group=group), scorecard.row(own, "orders", group=group)) for group in ("new", "old")
    ]
    parts = [
        f"{group} customers Gini {spend.figures['gini']:.3f}, predicted over actual {spend.figures['bias']:.2f}, AUC {orders.figures['auc']:.3f}"
        for group, spend, orders in rows
        if spend and orders
    ]
    return [f"{own} by age: {'; '.join(parts)}."] if parts else []
