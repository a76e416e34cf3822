"""Lift: how much better a chosen group does than customers picked at random, with an interval.

Comes in: what came of the chosen and of everybody else they were chosen from. Goes out: the ratio of the means and what it may
be by chance. This module must not read files or settings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
N_DRAWS = 2000
MOST_RESAMPLED = 20_000
"""Above so many customers the mean of a resample is drawn from its normal limit instead of adding up resampled customers."""


@dataclass(frozen=True)
class Lift:
    """How a chosen group does beside a random one.

    Attributes
    ----------
    chosen, random : means of the group and of everybody it was chosen from, who are what a random choice gives on average
    ratio : chosen over random; NaN where random is 0
    lower, upper : ends of the 95 % bootstrap interval of the ratio
    n_chosen, n_pool : customers
    """

    chosen: float
    random: float
    ratio: float
    lower: float
    upper: float
    n_chosen: int
    n_pool: int

    @property
    def is_certain(self) -> bool:
        """Return whether the whole interval lies on one side of 1."""
        return self.lower > 1 or self.upper < 1


def lift_of(chosen: npt.ArrayLike, others: npt.ArrayLike, *, seed: int = 7, n_draws: int = N_DRAWS) -> Lift:
    """Return the lift of a chosen group over a random choice from the group and the others together.

    Parameters
    ----------
    chosen, others : float arrays
        What came of each customer: 0 or 1, or money.

    Source
    ------
    Efron (1979), Bootstrap Methods, Annals of Statistics 7; percentile interval, both groups resampled.

    Examples
    --------
    >>> lift_of([1, 1, 0, 1], [0, 0, 1, 0, 0, 0]).ratio
    1.875
    """
    a, b = np.asarray(chosen, dtype=np.float64), np.asarray(others, dtype=np.float64)
    n = len(a) + len(b)
    if not len(a) or not n:
        return Lift(math.nan, math.nan, math.nan, math.nan, math.nan, len(a), n)
    chance = np.random.default_rng(seed)
    means_a, means_b = _means(a, chance, n_draws), _means(b, chance, n_draws)
    random = (len(a) * means_a + len(b) * means_b) / n
    ratios = np.divide(means_a, random, out=np.full(n_draws, np.nan), where=random > 0)
    lower, upper = np.nanpercentile(ratios, [2.5, 97.5]) if not np.isnan(ratios).all() else (math.nan, math.nan)
    mean, pool = float(a.mean()), float(np.concatenate([a, b]).mean())
    return Lift(mean, pool, mean / pool if pool > 0 else math.nan, float(lower), float(upper), len(a), n)


def _means(values: Array, chance: np.random.Generator, n_draws: int) -> Array:
    """Return the means of resamples."""
    n = len(values)
    if not n:
        return np.zeros(n_draws)
    if n > MOST_RESAMPLED:
        return np.asarray(chance.normal(values.mean(), values.std() / math.sqrt(n), n_draws), dtype=np.float64)
    rows = max(1, 4_000_000 // n)
    parts = [values[chance.integers(0, n, (min(rows, n_draws - start), n))].mean(axis=1) for start in range(0, n_draws, rows)]
    return np.concatenate(parts)
