"""A blend: the own forecast sets the level, the learned models have a say in who brings it.

Comes in: what the own forecast and the learned candidates expect. Goes out: their average, each first brought to the total and the
mean chance of the own forecast, which knows the season of the horizon where learned models only know that of earlier ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from customer_genome.models.candidates.contract import Candidate, Expected, Known, Past
from customer_genome.models.candidates.tabular import BoostedHurdle, LinearHurdle
from customer_genome.models.estimator import Array

_SURE = 1e-4
_HALVINGS = 60


class Blend(Candidate):
    """Half the own forecast, a quarter each of the two learned ones, at the level of the own."""

    name, kind = "blend", "model"
    about = "half the own forecast, a quarter each of linear models and boosted trees, at the level of the own forecast"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected | None:
        """Return the blend, None where there is nothing to blend with."""
        own = known.own
        learned = [found for one in (LinearHurdle(), BoostedHurdle()) if (found := one.forecast(known, past)) is not None]
        if own is None or own.spend is None or own.chance is None or not learned:
            return None
        spends = [one.spend * (own.spend.sum() / one.spend.sum()) for one in learned if one.spend is not None]
        log_odds = [at_mean(one.chance, float(own.chance.mean())) for one in learned if one.chance is not None]
        spend = (own.spend + np.mean(spends, axis=0)) / 2
        chance = _chance((_log_odds(own.chance) + np.mean(log_odds, axis=0)) / 2)
        lower = None if own.lower is None else np.minimum(own.lower, spend)
        upper = None if own.upper is None else np.maximum(own.upper, spend)
        return Expected(spend, chance, lower, upper)


def at_mean(chance: Array, wanted: float) -> Array:
    """Return the log-odds of chances, moved by one number so that the mean chance becomes `wanted`.

    Examples
    --------
    >>> _chance(at_mean(np.array([0.2, 0.4]), 0.5)).mean().round(6)
    np.float64(0.5)
    """
    odds = _log_odds(chance)
    low, high = -20.0, 20.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(odds + middle).mean() < wanted else (low, middle)
    return np.asarray(odds + (low + high) / 2, dtype=np.float64)


def _log_odds(chance: Array) -> Array:
    safe = np.clip(chance, _SURE, 1 - _SURE)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)


def _chance(log_odds: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -35, 35))), dtype=np.float64)
