"""Ranges of money that hold eight times in ten, from how far predictions were off for customers not learned from.

Comes in: predictions made without the customer, and what came. Goes out: for each fifth of predictions the distance below and above that one
customer in ten falls out of. Measured on customers whose own error was not used.

Source
------
Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, on conformal ranges by group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array

TAIL = 0.1
FEWEST_IN_A_FIFTH = 40


@dataclass(frozen=True)
class Ranges:
    """Distances from a prediction to both ends of its range, by the size of the prediction.

    Attributes
    ----------
    cuts : predictions at which the next part begins
    below, above : money, shape (len(cuts) + 1,); below is at most 0, above at least 0
    floor : the least money there can be
    """

    cuts: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]
    floor: float | None = None

    @classmethod
    def fit(cls, predicted: Array, y: Array) -> Ranges:
        """Learn distances from customers the predictions were made without."""
        n_parts = max(1, min(5, len(y) // FEWEST_IN_A_FIFTH))
        cuts = np.unique(np.quantile(predicted, np.arange(1, n_parts) / n_parts)) if n_parts > 1 else np.empty(0)
        parts = np.searchsorted(cuts, predicted, side="right")
        below, above = [], []
        for part in range(len(cuts) + 1):
            errors = (y - predicted)[parts == part] if (parts == part).any() else y - predicted
            below.append(min(_quantile(errors, TAIL, "lower"), 0.0))
            above.append(max(_quantile(errors, 1 - TAIL, "higher"), 0.0))
        return cls(tuple(float(cut) for cut in cuts), tuple(below), tuple(above), 0.0 if y.min() >= 0 else None)

    def around(self, predicted: Array) -> tuple[Array, Array]:
        """Return lower and upper ends; lower <= prediction <= upper."""
        parts = np.searchsorted(np.asarray(self.cuts), predicted, side="right")
        lower, upper = predicted + np.asarray(self.below)[parts], predicted + np.asarray(self.above)[parts]
        if self.floor is not None:
            lower = np.minimum(np.maximum(lower, self.floor), predicted)
        return np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"cuts": list(self.cuts), "below": list(self.below), "above": list(self.above), "floor": self.floor}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Ranges:
        """Return what `as_json` stored."""
        return cls(tuple(stored["cuts"]), tuple(stored["below"]), tuple(stored["above"]), stored["floor"])


def held_out_ranges(predicted: Array, y: Array, folds: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the range of every customer from the errors of the other parts only."""
    lower, upper = np.empty(len(y)), np.empty(len(y))
    for fold in np.unique(folds):
        test = folds == fold
        lower[test], upper[test] = Ranges.fit(predicted[~test], y[~test]).around(predicted[test])
    return lower, upper


def _quantile(errors: Array, share: float, side: Any) -> float:
    """Return a quantile taken one customer further out, as a finite sample asks for."""
    n = len(errors)
    wanted = share - (1 - share) / n if side == "lower" else share + share / n
    return float(np.quantile(errors, np.clip(wanted, 0, 1), method=side))
