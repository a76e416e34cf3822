"""The ends of an interval when the parameters are uncertain too: quantiles of a mixture over a few sets of them.

Comes in: per set of parameters the chance of any purchase, a factor and the table of log quantiles. Goes out: the values that are
exceeded with a given probability, averaged over the sets. Solved by bracketing: the answer lies between the smallest
and the largest quantile of the sets. Nothing here knows where the tables come from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.models.btyd.spend_outcomes import SpendOutcomes
from customer_genome.models.estimator import Array

_ROUNDS = 40
_ACCURACY = 1e-5
_TINY = 1e-290


@dataclass(frozen=True)
class Member:
    """What one set of parameters says of some customers and horizons.

    Attributes
    ----------
    outcomes : SpendOutcomes
    logs : array, shape (n_rows, n_horizons, n_steps)
        Log quantiles of the row a customer belongs to.
    chance : array, shape (n, n_horizons)
        Of any purchase.
    unit : array, shape (n, n_horizons)
        What an outcome is multiplied by, money.
    """

    outcomes: SpendOutcomes
    logs: Array
    chance: Array
    unit: Array


def mixed_quantiles(members: list[Member], row: npt.NDArray[np.intp], tail: float) -> Array:
    """Return the value exceeded with probability `tail`, all members equally likely, shape (n, n_horizons); 0 where none is."""
    chance = np.mean([one.chance for one in members], axis=0)
    out = np.zeros(chance.shape)
    at, horizon = np.nonzero(chance > tail)
    if len(at) == 0:
        return out
    with np.errstate(divide="ignore"):
        each = np.array([one.outcomes.read(one.logs, row, tail / one.chance) * one.unit for one in members])[:, at, horizon]
    low = np.log(np.maximum(np.where(each > 0, each, np.inf).min(axis=0), _TINY))
    high = np.log(np.maximum(each.max(axis=0), _TINY))

    def surplus(log_y: Array) -> Array:
        total = np.zeros(len(at))
        for one in members:
            with np.errstate(divide="ignore"):
                in_units = log_y - np.log(one.unit[at, horizon])
            total += one.chance[at, horizon] * one.outcomes.exceeded(one.logs, row[at], horizon, in_units)
        return total / len(members) - tail

    for _ in range(_ROUNDS):  # members without a quantile of their own pull the answer below the smallest of the others
        short = surplus(low) < 0
        if not short.any():
            break
        low = np.where(short, low - 2.0, low)
    out[at, horizon] = np.exp(_solved(surplus, low, high))
    return out


def _solved(surplus: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return the root of a falling function between low and high by regula falsi that halves a side that stays (Illinois)."""
    at_low, at_high = surplus(low), surplus(high)
    side, done = np.zeros(len(low)), np.zeros(len(low), dtype=bool)
    for _ in range(_ROUNDS):
        slope = at_low - at_high
        share = np.clip(np.divide(at_low, slope, out=np.full_like(low, 0.5), where=slope > 0), 0.02, 0.98)
        middle = low + share * (high - low)
        value = surplus(middle)
        above, below = ~done & (value > 0), ~done & ~(value > 0)  # a solved row stays: no row depends on how long others take
        at_high = np.where(above & (side == 1), at_high / 2, np.where(below, value, at_high))
        at_low = np.where(below & (side == -1), at_low / 2, np.where(above, value, at_low))
        low, high = np.where(above, middle, low), np.where(below, middle, high)
        side = np.where(above, 1, np.where(below, -1, side))
        done |= (high - low < _ACCURACY) | (value == 0)
        if done.all():
            break
    answer: Array = np.where(
        at_low - at_high > 0, low + (high - low) * np.clip(at_low / np.maximum(at_low - at_high, 1e-300), 0, 1), low
    )
    return answer
