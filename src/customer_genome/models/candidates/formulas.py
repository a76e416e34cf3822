"""Naive formulas: what anybody can compute without a model, and what every model has to beat.

Comes in: facts as of a cutoff, and the latest cutoff whose horizon has ended. Goes out: forecasts. Nothing is fitted but
averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.contract import Candidate, Expected, Fitted, Known, Past
from customer_genome.models.estimator import Array, Arrays

FEWEST_IN_A_CELL = 30
_RECENCY_FIFTHS = (0.2, 0.4, 0.6, 0.8)
_DAY_CLASSES = (1, 2, 5, 10)
LOWER, UPPER = 0.1, 0.9


class _Formula(Fitted):
    """A formula that learns nothing."""

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return a mark: there is nothing to store."""
        return {"formula": np.array(type(self).__name__)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the formula."""
        return cls()


class _SameAgain(_Formula):
    def forecast(self, known: Known) -> Expected:
        """Return what each customer did in the last horizon."""
        ordered = (known.facts["orders_last_horizon"] > 0).astype(np.float64)
        return Expected(known.facts["spend_last_horizon"], ordered)


class LastPeriod(Candidate):
    """The next horizon will be as the last one was."""

    name, kind, form = "last period", "naive", _SameAgain
    about = "every customer spends what they spent in the last horizon, and orders if they ordered in it"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted:
        """Return the formula."""
        return _SameAgain()


class _SamePace(_Formula):
    def forecast(self, known: Known) -> Expected:
        """Return total spend over tenure times horizon, and the chance that a Poisson count is not 0."""
        share_of_tenure = known.horizon_days / np.maximum(known.facts["tenure_days"], 1.0)
        return Expected(
            known.facts["total_spend"] * share_of_tenure, -np.expm1(-known.facts["n_purchase_days"] * share_of_tenure)
        )


class HistoricalRate(Candidate):
    """Everybody goes on at the pace they had since their first order."""

    name, kind, form = "historical rate", "naive", _SamePace
    about = "spend per day since the first order times the horizon; orders come at random at the customer's own rate"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted:
        """Return the formula."""
        return _SamePace()


class _Recency(_Formula):
    def forecast(self, known: Known) -> Expected:
        """Return a chance that falls with the days since the last order: one half where they are as many as the horizon."""
        return Expected(chance=known.horizon_days / (known.horizon_days + known.facts["recency_days"]))


class RecencyRule(Candidate):
    """The longer ago the last order, the less likely the next."""

    name, kind, form = "recency rule", "naive", _Recency
    about = "the chance to order is horizon / (horizon + days since the last order)"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted:
        """Return the formula."""
        return _Recency()


@dataclass(frozen=True)
class _Mean(Fitted):
    spend: float
    chance: float

    def forecast(self, known: Known) -> Expected:
        """Return two numbers for everybody."""
        return Expected(np.full(len(known), self.spend), np.full(len(known), self.chance))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return both numbers."""
        return {"spend": np.array(self.spend), "chance": np.array(self.chance)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the means that were stored."""
        return cls(float(arrays["spend"]), float(arrays["chance"]))


class MeanOfEverybody(Candidate):
    """All customers are alike."""

    name, kind, form = "mean of everybody", "naive", _Mean
    about = "the mean spend and the share of buyers after the latest earlier cutoff, the same for every customer"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted:
        """Return two numbers; of the last horizon where no earlier cutoff has ended yet."""
        if past:
            spend, chance = past[-1].spend.mean(), past[-1].ordered.mean()
        else:
            spend, chance = now.facts["spend_last_horizon"].mean(), (now.facts["orders_last_horizon"] > 0).mean()
        return _Mean(max(float(spend), 0.0), float(chance))


@dataclass(frozen=True)
class _Grid(Fitted):
    """What the cells of the grid did: `columns` has spend, chance, lower and upper, one entry a cell."""

    recency_cuts: Array
    columns: Arrays

    def forecast(self, known: Known) -> Expected:
        """Return what the cell of each customer did."""
        cells = _cells(known, self.recency_cuts)
        return Expected(**{name: values[cells] for name, values in self.columns.items()})

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the cuts and what the cells did."""
        return {"recency_cuts": self.recency_cuts, **self.columns}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the grid that was stored."""
        return cls(arrays["recency_cuts"], {name: arrays[name] for name in ("spend", "chance", "lower", "upper")})


class RecencyFrequencyGrid(Candidate):
    """Customers of one cell of recency and frequency will do what those of the cell did one horizon earlier."""

    name, kind, form = "recency x frequency grid", "naive", _Grid
    about = "mean spend, share of buyers and the 10 % and 90 % quantiles of each cell of a 5 x 5 grid, one horizon earlier"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return what every cell did; a cell of few customers counts as its row of purchase days."""
        if not past:
            return None
        learned = past[-1]
        cuts = np.quantile(learned.known.facts["recency_days"], _RECENCY_FIFTHS)
        then = _cells(learned.known, cuts)
        n_recencies = len(cuts) + 1
        n_cells = n_recencies * (len(_DAY_CLASSES) + 1)
        columns: dict[str, Array] = {name: np.zeros(n_cells) for name in ("spend", "chance", "lower", "upper")}
        for cell in range(n_cells):
            rows = np.flatnonzero(then == cell)
            if len(rows) < FEWEST_IN_A_CELL:
                rows = np.flatnonzero(then // n_recencies == cell // n_recencies)
            if len(rows) < FEWEST_IN_A_CELL:
                rows = np.arange(len(then))
            spend = learned.spend[rows]
            columns["spend"][cell] = max(spend.mean(), 0.0)
            columns["chance"][cell] = learned.ordered[rows].mean()
            columns["lower"][cell], columns["upper"][cell] = np.quantile(spend, [LOWER, UPPER])
        return _Grid(cuts, columns)


def _cells(known: Known, recency_cuts: Array) -> npt.NDArray[np.int64]:
    """Return the number of each customer's cell: purchase days by class, then recency by fifth."""
    recency = np.searchsorted(recency_cuts, known.facts["recency_days"], side="left")
    days = np.searchsorted(np.array(_DAY_CLASSES), known.facts["n_purchase_days"], side="left")
    return np.asarray(days * (len(recency_cuts) + 1) + recency, dtype=np.int64)
