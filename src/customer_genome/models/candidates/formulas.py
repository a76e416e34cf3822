"""Naive formulas: what anybody can compute without a model, and what every model has to beat.

Comes in: facts as of a cutoff, and the latest cutoff whose horizon has ended. Goes out: forecasts. Nothing is fitted but
averages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from customer_genome.models.candidates.contract import Candidate, Expected, Known, Past
from customer_genome.models.estimator import Array

FEWEST_IN_A_CELL = 30
_RECENCY_FIFTHS = (0.2, 0.4, 0.6, 0.8)
_DAY_CLASSES = (1, 2, 5, 10)
LOWER, UPPER = 0.1, 0.9


class LastPeriod(Candidate):
    """The next horizon will be as the last one was."""

    name, kind = "last period", "naive"
    about = "every customer spends what they spent in the last horizon, and orders if they ordered in it"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected:
        """Return what each customer did in the last horizon."""
        ordered = (known.facts["orders_last_horizon"] > 0).astype(np.float64)
        return Expected(known.facts["spend_last_horizon"], ordered)


class HistoricalRate(Candidate):
    """Everybody goes on at the pace they had since their first order."""

    name, kind = "historical rate", "naive"
    about = "spend per day since the first order times the horizon; orders come at random at the customer's own rate"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected:
        """Return total spend over tenure times horizon, and the chance that a Poisson count is not 0."""
        share_of_tenure = known.horizon_days / np.maximum(known.facts["tenure_days"], 1.0)
        return Expected(
            known.facts["total_spend"] * share_of_tenure, -np.expm1(-known.facts["n_purchase_days"] * share_of_tenure)
        )


class RecencyRule(Candidate):
    """The longer ago the last order, the less likely the next."""

    name, kind = "recency rule", "naive"
    about = "the chance to order is horizon / (horizon + days since the last order)"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected:
        """Return a chance that falls with the days since the last order: one half where they are as many as the horizon."""
        return Expected(chance=known.horizon_days / (known.horizon_days + known.facts["recency_days"]))


class MeanOfEverybody(Candidate):
    """All customers are alike."""

    name, kind = "mean of everybody", "naive"
    about = "the mean spend and the share of buyers after the latest earlier cutoff, the same for every customer"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected:
        """Return two numbers for everybody; of the last horizon where no earlier cutoff has ended yet."""
        if past:
            spend, chance = past[-1].spend.mean(), past[-1].ordered.mean()
        else:
            spend, chance = known.facts["spend_last_horizon"].mean(), (known.facts["orders_last_horizon"] > 0).mean()
        return Expected(np.full(len(known), max(spend, 0.0)), np.full(len(known), chance))


class RecencyFrequencyGrid(Candidate):
    """Customers of one cell of recency and frequency will do what those of the cell did one horizon earlier."""

    name, kind = "recency x frequency grid", "naive"
    about = "mean spend, share of buyers and the 10 % and 90 % quantiles of each cell of a 5 x 5 grid, one horizon earlier"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected | None:
        """Return what the cell did; a cell of few customers counts as its row of purchase days."""
        if not past:
            return None
        learned = past[-1]
        cuts = np.quantile(learned.known.facts["recency_days"], _RECENCY_FIFTHS)
        then, now = _cells(learned.known, cuts), _cells(known, cuts)
        n_recencies = len(cuts) + 1
        values: dict[str, Array] = {name: np.zeros(len(known)) for name in ("spend", "chance", "lower", "upper")}
        for cell in np.unique(now):
            rows = np.flatnonzero(then == cell)
            if len(rows) < FEWEST_IN_A_CELL:
                rows = np.flatnonzero(then // n_recencies == cell // n_recencies)
            if len(rows) < FEWEST_IN_A_CELL:
                rows = np.arange(len(then))
            here, spend = now == cell, learned.spend[rows]
            values["spend"][here] = max(spend.mean(), 0.0)
            values["chance"][here] = learned.ordered[rows].mean()
            values["lower"][here], values["upper"][here] = np.quantile(spend, [LOWER, UPPER])
        return Expected(**values)


def _cells(known: Known, recency_cuts: Array) -> Array:
    """Return the number of each customer's cell: purchase days by class, then recency by fifth."""
    recency = np.searchsorted(recency_cuts, known.facts["recency_days"], side="left")
    days = np.searchsorted(np.array(_DAY_CLASSES), known.facts["n_purchase_days"], side="left")
    return np.asarray(days * (len(recency_cuts) + 1) + recency)
