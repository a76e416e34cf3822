"""How far to trust the forecast of one customer: high, medium or low, by how far the forecasts of similar customers were off.

Comes in: forecasts made before the outcome was known, and what then came. Goes out: a `Reliability`, which grades customers row by
row, and a table of what each grade measured. Similar are customers whose 80 % range is about as wide beside what is expected, who are
expected to spend about as much beside the average customer, and behind whom stand about as many purchase days.

A grade says how much of the error somebody makes who knows nothing (everybody spends the mean) is left when the forecast is used:
high: at most half, medium: at most four fifths, low: more. It is no probability, and no part of `confidence_score`, which is 1 - risk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array

GRADES = ("high", "medium", "low")
MOST_ERROR = (0.5, 0.8)
"""The most that may be left of the error of knowing nothing, for high and for medium."""
FEWEST = 200
"""Fewer held-out customers say nothing about the reliability of any."""
FEWEST_IN_A_CELL = 60
DAY_EDGES = (2.0, 5.0)
"""Purchase days from which the second and the third class of data begin."""
LEVEL_EDGES = (0.25, 2.0)
"""Expected spend over that of the average customer, from which the second and the third class begin."""
_WIDTH_FIFTHS = (0.25, 0.5, 0.75)
HeldOut = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Reliability:
    """What was measured of customers of each kind.

    Attributes
    ----------
    mean_spend : money that the average held-out customer was expected to spend
    width_cuts : array, shape (3,)
        Quarters of the width of the range over expected plus average spend.
    left : array, shape (4, 3, 3), by width, purchase days and level
        What is left of the error of knowing nothing; a kind of few customers counts as the kinds of its width and days, or as
        everybody.
    customers : array, shape (4, 3, 3), held-out customers of each kind
    """

    mean_spend: float
    width_cuts: Array
    left: Array
    customers: Array

    @classmethod
    def of(cls, held_out: HeldOut) -> Self | None:
        """Learn from out-of-time forecasts and outcomes; None where they are too few or nobody spent.

        Parameters
        ----------
        held_out : spend, lower, upper, spend_true, n_purchase_days, each of shape (n,)
        """
        if any(name not in held_out for name in ("spend", "lower", "upper", "spend_true", "n_purchase_days")):
            return None
        spend, true = held_out["spend"], held_out["spend_true"]
        if len(spend) < FEWEST or not true.sum() > 0 or not spend.mean() > 0:
            return None
        mean = float(spend.mean())
        cuts = np.quantile(_width(held_out, mean), _WIDTH_FIFTHS)
        empty = cls(mean, cuts, np.ones(_SHAPE), np.zeros(_SHAPE))
        places = empty._places(spend, held_out["lower"], held_out["upper"], held_out["n_purchase_days"])
        off, blind = np.abs(true - spend), np.abs(true - true.mean())
        sums = [np.zeros(_SHAPE) for _ in range(3)]
        for total, what in zip(sums, (off, blind, np.ones(len(spend))), strict=True):
            np.add.at(total, places, what)
        return cls(mean, cuts, _left(*sums), sums[2])

    def grades(self, spend: Array, lower: Array, upper: Array, n_purchase_days: Array) -> npt.NDArray[np.str_]:
        """Return the grade of each customer, shape (n_customers,): "high", "medium" or "low"."""
        left = self.left[self._places(spend, lower, upper, n_purchase_days)]
        return np.array(GRADES)[np.searchsorted(np.array(MOST_ERROR), left, side="left")]

    def _places(self, spend: Array, lower: Array, upper: Array, n_days: Array) -> tuple[npt.NDArray[np.intp], ...]:
        """Return the kind of each customer."""
        width = _width({"spend": spend, "lower": lower, "upper": upper}, self.mean_spend)
        return (
            np.searchsorted(self.width_cuts, width, side="left"),
            np.searchsorted(np.array(DAY_EDGES), n_days, side="right"),
            np.searchsorted(np.array(LEVEL_EDGES), spend / self.mean_spend, side="right"),
        )


_SHAPE = (len(_WIDTH_FIFTHS) + 1, len(DAY_EDGES) + 1, len(LEVEL_EDGES) + 1)


def _width(forecast: HeldOut, mean: float) -> Array:
    """Return the width of the range beside what is expected."""
    return np.asarray((forecast["upper"] - forecast["lower"]) / (forecast["spend"] + mean), dtype=np.float64)


def _left(off: Array, blind: Array, n: Array) -> Array:
    """Return what is left of the error of knowing nothing per kind, kinds of few customers by wider ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(blind > 0, off / blind, np.nan)
        wider_n = n.sum(axis=2, keepdims=True)
        wider = np.where(wider_n >= FEWEST_IN_A_CELL, off.sum(axis=2, keepdims=True) / blind.sum(axis=2, keepdims=True), np.nan)
    everybody = float(off.sum() / blind.sum()) if blind.sum() > 0 else 1.0
    found = np.where((n >= FEWEST_IN_A_CELL) & np.isfinite(own), own, wider)
    return np.asarray(np.where(np.isfinite(found), found, everybody), dtype=np.float64)


def measured(held_out: HeldOut) -> list[dict[str, Any]]:
    """Return what each grade measured: customers and errors, each half of the customers graded by what the other half taught.

    Returns
    -------
    list of mappings
        grade, customers, left (of the error of knowing nothing), off (mean absolute error over mean predicted spend), inside (share of
        customers within their 80 % range), brier (of the chance to order). Empty where there are too few customers.
    """
    n = len(held_out.get("spend", ()))
    even = np.arange(n) % 2 == 0
    graded = np.full(n, "", dtype="U6")
    for learn, judge in ((even, ~even), (~even, even)):
        found = Reliability.of({name: values[learn] for name, values in held_out.items()})
        if found is None:
            return []
        part = {name: values[judge] for name, values in held_out.items()}
        graded[judge] = found.grades(part["spend"], part["lower"], part["upper"], part["n_purchase_days"])
    return list(_by_grade(held_out, graded))


def _by_grade(held_out: HeldOut, graded: npt.NDArray[np.str_]) -> Iterator[dict[str, Any]]:
    """Yield the figures of each grade that somebody has."""
    spend, true, chance, ordered = (held_out[name] for name in ("spend", "spend_true", "chance", "ordered"))
    off, blind = np.abs(true - spend), np.abs(true - true.mean())
    inside = (held_out["lower"] <= true) & (true <= held_out["upper"])
    for grade in GRADES:
        rows = graded == grade
        if rows.any():
            yield {
                "grade": grade,
                "customers": int(rows.sum()),
                "left": float(off[rows].sum() / blind[rows].sum()) if blind[rows].sum() > 0 else float("nan"),
                "off": float(off[rows].sum() / spend[rows].sum()) if spend[rows].sum() > 0 else float("nan"),
                "inside": float(inside[rows].mean()),
                "brier": float(np.mean((ordered[rows] - chance[rows]) ** 2)),
            }
