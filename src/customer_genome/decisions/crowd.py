"""A crowd: what findings need to know of many customers, in a few bounded figures instead of a row each.

Comes in: an Arrow table of customers in memory, or figures that an engine counted. Goes out: a `Crowd`, the same whichever
way it was made but for the width of the spend bins. This module must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.customers import Customers, FloatArray, IntArray, value_at

LIKELY_TO_RETURN = 0.6
"""Probability from which a customer counts as likely to order again; the counterpart of the Low risk band (below 40 %)."""
LOW_SPEND_PERCENT = 50.0
MANY_ORDERS = 21
"""From this number of orders on customers are counted together."""
GROUP_COLUMNS: tuple[str, ...] = ("primary_country", "segment_name", "rfm_segment", "playbook")
N_CHANCE_BINS = 10


@dataclass(frozen=True)
class SpendBins:
    """Customers by spend, lowest first: those in a bin count as spending alike.

    With bins of 4 significant digits the members of a bin differ by less than 0.1 %: the Gini coefficient is at most 0.00025
    too low (all customers in the widest bin), and a share of the top customers is off by less than 0.025 % of what the one bin
    that holds the limit brings. With one bin per different spend both are exact.

    Attributes
    ----------
    counts : int array, shape (n_bins,), customers
    sums : float array, shape (n_bins,), money
    """

    counts: IntArray
    sums: FloatArray

    @property
    def n(self) -> int:
        """Return the customers whose spend is known."""
        return int(self.counts.sum())

    @property
    def total(self) -> float:
        """Return all they spent."""
        return float(self.sums.sum())

    def of_the_top(self, n: int) -> float:
        """Return what the `n` customers spent who spent most; part of a bin brings its part."""
        counts, sums = self.counts[::-1], self.sums[::-1]
        taken = np.clip(n - (np.cumsum(counts) - counts), 0, counts)
        return float((sums * (taken / counts)).sum())

    def without_debts(self) -> SpendBins:
        """Return the bins with a spend below zero counted as zero."""
        return SpendBins(self.counts, np.maximum(self.sums, 0.0))


@dataclass(frozen=True)
class Group:
    """Customers with the same text in a column, and what they spent."""

    name: str
    n_customers: int
    revenue: float


@dataclass(frozen=True)
class LowSpenders:
    """Customers who spent little, by their chance to return.

    Attributes
    ----------
    n : customers whose spend and chance are known
    bound : money; who spent at most that spent little
    chances : customers who spent little per tenth of the chance to return, lowest first
    n_likely : those of them likely to return
    horizon_days : within which; None = not known
    """

    n: int
    bound: float
    chances: tuple[int, ...]
    n_likely: int
    horizon_days: float | None = None


@dataclass(frozen=True)
class Crowd:
    """Everything findings are made of.

    Attributes
    ----------
    n : customers
    orders : customers by number of orders, `MANY_ORDERS` and more together
    most_orders : of one customer; 0 where no number of orders is known
    groups : per column of `GROUP_COLUMNS`, highest revenue first; empty where nothing is known of it, missing where there is
        no such column
    low_spenders : None where no chance to return or no spend is known
    """

    n: int
    spend: SpendBins
    orders: Mapping[int, int] = field(default_factory=dict)
    most_orders: float = 0.0
    groups: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)
    low_spenders: LowSpenders | None = None


def crowd_of(table: pa.Table, *, likely: float = LIKELY_TO_RETURN, low_spend_percent: float = LOW_SPEND_PERCENT) -> Crowd:
    """Return the crowd of customers in memory: total_spend, n_orders, churn_probability, horizon_days, and `GROUP_COLUMNS`."""
    customers = Customers(table)
    orders = _known(customers, "n_orders")
    numbers, counts = np.unique(np.minimum(np.floor(orders), MANY_ORDERS).astype(np.int64), return_counts=True)
    return Crowd(
        len(customers),
        spend_bins(_known(customers, "total_spend")),
        dict(zip(numbers.tolist(), counts.tolist(), strict=True)),
        float(orders.max()) if len(orders) else 0.0,
        {column: _groups(customers, column) for column in GROUP_COLUMNS if column in table.column_names},
        _low_spenders(customers, likely, low_spend_percent),
    )


def spend_bins(spend: npt.ArrayLike) -> SpendBins:
    """Return one bin per different spend.

    Examples
    --------
    >>> spend_bins([5.0, 1.0, 5.0]).sums
    array([ 1., 10.])
    """
    values, counts = np.unique(np.asarray(spend, dtype=np.float64), return_counts=True)
    return SpendBins(counts.astype(np.int64), values * counts)


def in_order(groups: Mapping[str, tuple[int, float]]) -> tuple[Group, ...]:
    """Return (customers, revenue) by name as groups, highest revenue first, then by name."""
    found = [Group(name, count, revenue) for name, (count, revenue) in groups.items()]
    return tuple(sorted(found, key=lambda group: (-group.revenue, group.name)))


def _known(customers: Customers, column: str) -> FloatArray:
    """Return the known values of a column; none where it is missing."""
    if not customers.has(column):
        return np.empty(0)
    values = customers.numbers(column)
    return np.asarray(values[~np.isnan(values)], dtype=np.float64)


def _groups(customers: Customers, column: str) -> tuple[Group, ...]:
    """Return the groups of a text column, customers with an empty text in none."""
    if not customers.has(column) or not customers.has("total_spend"):
        return ()
    encoded = customers.texts(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = np.asarray(pc.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False))
    spend = np.nan_to_num(customers.numbers("total_spend"))
    counts = np.bincount(codes, minlength=len(names) + 1)
    revenue = np.bincount(codes, weights=spend, minlength=len(names) + 1)
    return in_order({str(name): (int(counts[place]), float(revenue[place])) for place, name in enumerate(names)})


def _low_spenders(customers: Customers, likely: float, percent: float) -> LowSpenders | None:
    """Return who spent little."""
    if not customers.has("churn_probability") or not customers.has("total_spend"):
        return None
    spend, returns = customers.numbers("total_spend"), 1 - customers.numbers("churn_probability")
    known, bound = ~np.isnan(spend) & ~np.isnan(returns), value_at(spend, percent)
    chances = returns[known & (spend <= bound)]
    bins = np.clip(np.floor(chances * N_CHANCE_BINS), 0, N_CHANCE_BINS - 1).astype(np.int64)
    counts = tuple(np.bincount(bins, minlength=N_CHANCE_BINS).tolist())
    horizon = float(np.nanmax(customers.numbers("horizon_days"))) if customers.has("horizon_days") else None
    return LowSpenders(int(known.sum()), bound, counts, int((chances >= likely).sum()), horizon)
