"""Which members a champion blends for each target, and whether anything simpler did better, by held-out forecasts.

Comes in: what candidates and naive formulas said at earlier cutoffs without knowing what came. Goes out: weights per target, and every
figure the choice was made by. Chances are compared on the level of the actual mean and money on the actual total: who is
ranked and told apart well; the level is decided elsewhere. A formula is taken as it is, on its own level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from customer_genome.models.calibration import intercept_for
from customer_genome.models.candidates.held_out import HeldOut
from customer_genome.models.candidates.inputs import chance_of, log_odds
from customer_genome.models.candidates.listed import OWN
from customer_genome.models.candidates.stacking import Said, odds_weights, prior_weights, spend_weights, taught_share
from customer_genome.models.estimator import Array

Target = Literal["orders", "spend"]
BLEND = "blend"
CLEARLY = 2.0
LEAST_EXPECTED = 0.01
"""Of the mean spend: so little is expected of a customer even by a formula that says nothing will come, or its loss would have no end."""


@dataclass(frozen=True)
class Compared:
    """How one candidate did on held-out customers: mean loss, and the difference to the blend with its standard error."""

    target: Target
    name: str
    is_naive: bool
    loss: float
    difference: float
    error: float

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "target": self.target,
            "name": self.name,
            "is_naive": self.is_naive,
            "loss": self.loss,
            "difference": self.difference,
            "error": self.error,
        }

    @property
    def is_clearly_better(self) -> bool:
        """Whether it beats the blend by more than two standard errors."""
        return self.difference < -CLEARLY * self.error and self.difference < 0


@dataclass(frozen=True)
class Chosen:
    """Weights of members in log-odds and in money.

    Attributes
    ----------
    keeps_level : whether money is that of a formula, on its own level
    replaced : target -> the naive formula that took the place of the blend
    compared : figures, the blend first
    n_held_out : customers behind them
    n_taught : customers that the members learned from, at the cutoff with the most of them
    """

    odds: Mapping[str, float]
    spend: Mapping[str, float]
    keeps_level: bool = False
    replaced: Mapping[str, str] | None = None
    compared: tuple[Compared, ...] = ()
    n_held_out: int = 0
    n_taught: int = 0


def choose(
    tried: Sequence[HeldOut], formulas: Sequence[HeldOut], members: Sequence[str], explaining: Sequence[str], n_taught: int
) -> Chosen:
    """Return the weights of the members; the own forecast alone where nothing was held out.

    Parameters
    ----------
    tried : what members said
    formulas : what naive formulas said at the same cutoffs
    members : names of those that are fitted now
    explaining : names of those that may have a say in the chance
    n_taught : customers that members learned from, at the cutoff with the most of them
    """
    odds_names = [name for name in explaining if tried and all(_says(one, name, "chance") for one in tried)]
    spend_names = [name for name in members if tried and all(_says(one, name, "spend") for one in tried)]
    if len(odds_names) < 2 and len(spend_names) < 2:
        return Chosen({OWN: 1.0}, {OWN: 1.0})
    said = [_said(one, odds_names, spend_names) for one in tried]
    odds = dict(zip(odds_names, odds_weights(said, _prior(odds_names, n_taught)).tolist(), strict=True))
    spend = dict(zip(spend_names, spend_weights(said, _prior(spend_names, n_taught)).tolist(), strict=True))
    compared = (*_compared("orders", tried, formulas, odds), *_compared("spend", tried, formulas, spend))
    replaced: dict[str, str] = {}
    keeps_level = False
    for target in ("orders", "spend"):
        better = [one for one in compared if one.target == target and one.is_naive and one.is_clearly_better]
        if not better:
            continue
        best = min(better, key=lambda one: (one.loss, one.name))
        replaced[target] = best.name
        if target == "orders":
            odds = {best.name: 1.0}
        else:
            spend, keeps_level = {best.name: 1.0}, True
    odds = {name: weight for name, weight in odds.items() if weight != 0}
    spend = {name: weight for name, weight in spend.items() if weight != 0}
    return Chosen(odds, spend, keeps_level, replaced, compared, sum(len(one.ordered) for one in tried), n_taught)


def _prior(names: Sequence[str], n_taught: int) -> Array:
    """Return the weights that are held until customers say otherwise; the own forecast is always among the members."""
    return prior_weights(len(names), list(names).index(OWN), taught_share(n_taught))


def _says(held: HeldOut, name: str, what: str) -> bool:
    return name in held.said and getattr(held.said[name], what) is not None


def _said(held: HeldOut, odds_names: Sequence[str], spend_names: Sequence[str]) -> Said:
    odds = [log_odds(chance) for name in odds_names if (chance := held.said[name].chance) is not None]
    spend = [money for name in spend_names if (money := held.said[name].spend) is not None]
    return Said(np.column_stack(odds), np.column_stack(spend), held.ordered, held.spend)


def _compared(
    target: Target, tried: Sequence[HeldOut], formulas: Sequence[HeldOut], weights: Mapping[str, float]
) -> list[Compared]:
    """Return the blend, every member alone and every naive formula, by their losses on held-out customers."""
    lost = _orders_lost if target == "orders" else _spend_lost
    blend = np.concatenate([lost(one, weights, True) for one in tried])
    found = [Compared(target, BLEND, False, float(blend.mean()), 0.0, 0.0)]
    what = "chance" if target == "orders" else "spend"
    rivals = [(name, False, tried) for name in weights]
    rivals += [(name, True, formulas) for name in (formulas[0].said if formulas else {})]
    for name, is_naive, held in rivals:
        if len(held) != len(tried) or not all(_says(one, name, what) for one in held):
            continue
        loss = np.concatenate([lost(one, {name: 1.0}, not is_naive) for one in held])
        gap = loss - blend
        error = float(gap.std(ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else 0.0
        found.append(Compared(target, name, is_naive, float(loss.mean()), float(gap.mean()), error))
    return found


def _orders_lost(held: HeldOut, weights: Mapping[str, float], is_levelled: bool) -> Array:
    """Return the squared error of each chance."""
    odds = np.zeros(len(held.ordered))
    for name, weight in weights.items():
        chance = held.said[name].chance
        odds += weight * log_odds(chance) if chance is not None else 0.0
    if is_levelled:
        odds = odds + intercept_for(odds, float(held.ordered.mean()))
    return np.asarray((chance_of(odds) - held.ordered) ** 2, dtype=np.float64)


def _spend_lost(held: HeldOut, weights: Mapping[str, float], is_levelled: bool) -> Array:
    """Return the deviance of each spend, a compound Poisson's of power 1.5: 4 (root of spend - root of expected)^2 / root of expected.

    Money is in units of the mean. The mean is what makes it small, so a formula gains nothing by expecting too little of everybody, as it
    would by errors of roots or absolute ones where most customers spend nothing. No expectation counts as less than `LEAST_EXPECTED`.

    Source
    ------
    Jorgensen (1987), Exponential Dispersion Models, JRSS B 49; Gneiting (2011), Making and Evaluating Point Forecasts, JASA 106.
    """
    unit = max(float(held.spend.mean()), 1e-300)
    spend = np.zeros(len(held.spend))
    for name, weight in weights.items():
        money = held.said[name].spend
        if money is not None and money.sum() > 0:
            spend += weight * money * (float(held.spend.sum()) / float(money.sum()) if is_levelled else 1.0)
    expected = np.sqrt(np.maximum(spend / unit, LEAST_EXPECTED))
    return np.asarray(4 * (np.sqrt(np.maximum(held.spend / unit, 0.0)) - expected) ** 2 / expected, dtype=np.float64)
