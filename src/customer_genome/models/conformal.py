"""Ranges of spend that hold what they promise: base ranges stretched by what earlier forecasts missed, fifth by fifth.

Comes in: forecasts made before the outcome was known, each with the range of the purchase and spend models, and what came. Goes out:
a `Stretch`, which turns such a range into one whose tails were a tenth each at the earlier cutoffs, in every fifth of customers by
predicted spend. Row by row; lower <= predicted <= upper always.

Source
------
Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, for conformal and Mondrian prediction; Romano, Patterson & Candes
(2019), NeurIPS, for ranges that are stretched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array, Arrays

TAIL = 0.1
N_FIFTHS = 5
FEWEST = 100
"""Fewer held-out customers in a fifth leave its range as it is."""
PRIOR_CUSTOMERS = 200.0
"""Customers that the unstretched range counts for."""
_LEAST, _MOST = 0.2, 5.0
_MOST_RATIO = 4.0


@dataclass(frozen=True)
class Stretch:
    """Factors of the lower and upper end, by fifth of predicted spend.

    Attributes
    ----------
    cuts : array, shape (4,), predicted spend over the mean of everybody's
    mean_spend : money
    lower, upper : arrays, shape (5,)
    """

    cuts: Array = field(default_factory=lambda: np.full(N_FIFTHS - 1, np.inf))
    mean_spend: float = 1.0
    lower: Array = field(default_factory=lambda: np.ones(N_FIFTHS))
    upper: Array = field(default_factory=lambda: np.ones(N_FIFTHS))

    @classmethod
    def of(cls, spend: Array, base_lower: Array, base_upper: Array, came: Array, mean_now: float) -> Self:
        """Learn from held-out forecasts.

        Parameters
        ----------
        spend, base_lower, base_upper : arrays, shape (n,), from `based`
        came : array, shape (n,), money
        mean_now : money that the customers to be forecast are expected to spend on average
        """
        mean = float(spend.mean()) if len(spend) else 0.0
        if mean <= 0 or mean_now <= 0:
            return cls()
        cuts = np.quantile(spend / mean, np.arange(1, N_FIFTHS) / N_FIFTHS)
        fifth = np.searchsorted(cuts, spend / mean, side="right")
        lower, upper = np.ones(N_FIFTHS), np.ones(N_FIFTHS)
        for place in range(N_FIFTHS):
            rows = np.flatnonzero(fifth == place)
            if len(rows) >= FEWEST:
                hold = len(rows) / (len(rows) + PRIOR_CUSTOMERS)
                upper[place] = _upper_factor(base_upper[rows], came[rows]) ** hold
                lower[place] = _lower_factor(base_lower[rows], came[rows]) ** hold
        return cls(cuts, mean_now, lower, upper)

    def __call__(self, spend: Array, base_lower: Array, base_upper: Array) -> tuple[Array, Array]:
        """Return the ends of the ranges, lower <= spend <= upper."""
        fifth = np.searchsorted(self.cuts, spend / self.mean_spend, side="right")
        return np.minimum(base_lower * self.lower[fifth], spend), np.maximum(base_upper * self.upper[fifth], spend)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the factors."""
        return {"cuts": self.cuts, "mean_spend": np.array(self.mean_spend), "lower": self.lower, "upper": self.upper}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the factors that were stored."""
        return cls(arrays["cuts"], float(arrays["mean_spend"]), arrays["lower"], arrays["upper"])


def based(spend: Array, own_spend: Array, own_lower: Array, own_upper: Array) -> tuple[Array, Array]:
    """Return the range of the own forecast moved to another expectation: multiplied, and never empty above it.

    Returns
    -------
    lower, upper : arrays, shape (n_customers,), money
    """
    ratio = np.clip(spend / np.maximum(own_spend, 1e-9), 1 / _MOST_RATIO, _MOST_RATIO)
    return np.minimum(own_lower * ratio, spend), np.maximum(own_upper * ratio, spend)


def _upper_factor(upper: Array, came: Array) -> float:
    """Return what the upper ends have to be multiplied by so that a tenth of the customers spent more."""
    n = len(came)
    level = min(1.0, (1 - TAIL) * (1 + 1 / n))
    over = np.where(came <= 0, 0.0, came / np.maximum(upper, 1e-9))
    return float(np.clip(np.quantile(over, level, method="higher"), _LEAST, _MOST))


def _lower_factor(lower: Array, came: Array) -> float:
    """Return what the lower ends have to be multiplied by so that at most a tenth of the customers spent less."""
    some = lower > 0
    n = int(some.sum())
    if n < FEWEST / 2:
        return 1.0
    level = min(0.5, TAIL * len(came) / n) * (1 - 1 / n)
    return float(
        np.clip(np.quantile(came[some] / lower[some], level, method="lower"), 0.0 if level < TAIL else _LEAST / 4, _MOST)
    )
