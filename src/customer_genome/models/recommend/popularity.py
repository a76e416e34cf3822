"""Popularity: what most customers bought lately, in the customer's group, or in the same season a year before.

Comes in: interactions. Goes out: the same scores for everybody, or for everybody of a group. It is the yardstick of every other
recommender and what customers without history get.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, Recommender, Scores

YEAR_DAYS = 364
"""Whole weeks, so that weekdays meet weekdays."""


@dataclass(frozen=True)
class FittedPopularity(Fitted):
    """Shares of customers per group (last row: everybody)."""

    by_group: FloatArray
    group: IntArray

    def for_others(self, known: Interactions, learned: IntArray) -> FittedPopularity:
        """Return the same counts, looked up by the groups of others."""
        return FittedPopularity(self.by_group, group_rows(known, len(self.by_group)))

    def scores(self, customers: IntArray) -> Scores:
        """Return each customer's row; unknown groups get everybody's."""
        return np.asarray(self.by_group[self.group[customers]], dtype=np.float32)


def group_rows(known: Interactions, n_rows: int) -> IntArray:
    """Return the row of each customer's group among `n_rows`; the last one is everybody's."""
    inside = (known.group >= 0) & (known.group < n_rows - 1)
    return np.where(inside, known.group, n_rows - 1)


def recent_shares(known: Interactions, window_days: int) -> FloatArray:
    """Return the share of the window's customers who bought each item; of all customers as far as nobody bought lately.

    A thousandth of the all-time share breaks ties.
    """
    recent = known.buyers_between(known.as_of - window_days, known.as_of)
    return recent / max(known.n_active(known.as_of - window_days), 1) + 1e-3 * known.n_buyers / max(known.n_customers, 1)


class Popularity(Recommender):
    """Customers who bought the item in the last days."""

    name = "popularity"

    def __init__(self, window_days: int = 30) -> None:
        self.window_days = window_days
        self.about = f"what most customers bought in the last {window_days} days"

    def fit(self, known: Interactions) -> FittedPopularity:
        """Count."""
        return FittedPopularity(recent_shares(known, self.window_days)[None, :], np.zeros(known.n_customers, dtype=np.int64))


class GroupPopularity(Recommender):
    """The same within the customer's country or segment, drawn to everybody's where the group is small."""

    name = "popularity in the group"

    def __init__(self, window_days: int = 30, prior_customers: float = 100.0) -> None:
        self.window_days, self.prior_customers = window_days, prior_customers
        self.about = f"what most customers of the same country or segment bought in the last {window_days} days"

    def fit(self, known: Interactions) -> FittedPopularity:
        """Count per group; `prior_customers` of everybody's average are added to each."""
        overall = recent_shares(known, self.window_days)
        n_groups = int(known.group.max(initial=-1)) + 1
        lately = known.day >= known.as_of - self.window_days
        pairs = np.unique(known.customer[lately] * known.n_items + known.item[lately])
        groups, items = known.group[pairs // known.n_items], pairs % known.n_items
        inside = groups >= 0
        counts = np.bincount(groups[inside] * known.n_items + items[inside], minlength=n_groups * known.n_items)
        active = np.unique(known.customer[lately])
        sizes = np.bincount(known.group[active][known.group[active] >= 0], minlength=n_groups)
        shares = (counts.reshape(n_groups, known.n_items) + self.prior_customers * overall) / (
            sizes[:, None] + self.prior_customers
        )
        return FittedPopularity(np.vstack([shares, overall[None, :]]), group_rows(known, n_groups + 1))


class SeasonPopularity(Recommender):
    """What was bought a year before in the days that lie ahead now, of items still bought lately; else recent popularity."""

    name = "same season last year"
    about = "what most customers bought a year ago in the season that comes now, of what is still sold"

    def fit(self, known: Interactions) -> FittedPopularity:
        """Count the season a year back and recent days, on an equal footing."""
        start = known.as_of - YEAR_DAYS
        season = known.buyers_between(start, start + known.horizon_days) if start >= known.first_day else np.zeros(known.n_items)
        total = max(float(season.sum()), 1.0)
        recent = recent_shares(known, 30)
        shares = season / total * float(recent.sum()) * (recent > 1e-3 * known.n_buyers / max(known.n_customers, 1)) + recent
        return FittedPopularity(shares[None, :], np.zeros(known.n_customers, dtype=np.int64))
