"""What every recommender takes and gives: who bought what on which day, and a score of every item for a batch of customers.

Comes in: an `Interactions` table of whole numbers. Goes out: dense scores of a batch; lists are made of them by `lists.top_items`.
This module must not read tables, files or settings, and knows no names: customers and items are places 0..n-1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
BATCH_CELLS = 4_000_000
"""Scores held at once: 16 MB. Larger arrays are asked of the system anew each time, which costs more than filling them."""


@dataclass(frozen=True)
class Interactions:
    """Purchases known before a day: one row per customer, item and day, sorted by (customer, item, day).

    Attributes
    ----------
    customer, item : int64 arrays, shape (n,)
        Places in the lists of customers and items.
    day : int64 array, shape (n,)
        Days since 1970-01-01, all before `as_of`.
    group : int64 array, shape (n_customers,)
        The country or segment of each customer; -1 where it is not known.
    horizon_days : int
        How far ahead a list is meant to hold.
    """

    customer: IntArray
    item: IntArray
    day: IntArray
    n_customers: int
    n_items: int
    as_of: int
    horizon_days: int
    group: IntArray

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.customer)

    def before(self, as_of: int) -> Interactions:
        """Return what was known before an earlier day; places of customers and items stay."""
        kept = self.day < as_of
        return replace(self, customer=self.customer[kept], item=self.item[kept], day=self.day[kept], as_of=as_of)

    def bought(self, start: int, end: int) -> Any:
        """Return what was bought from day `start` to before `end`: sparse 0/1, shape (n_customers, n_items)."""
        kept = (self.day >= start) & (self.day < end)
        found = self.matrix(np.ones(int(kept.sum())), kept)
        found.data[:] = 1
        return found

    def matrix(self, values: FloatArray, kept: npt.NDArray[np.bool_] | None = None) -> Any:
        """Return a sparse matrix (n_customers, n_items) of values added up per pair, float32."""
        from scipy.sparse import csr_matrix

        rows = slice(None) if kept is None else kept
        cells = (np.asarray(values, dtype=np.float32), (self.customer[rows], self.item[rows]))
        found = csr_matrix(cells, shape=(self.n_customers, self.n_items), dtype=np.float32)
        found.sum_duplicates()
        return found

    def decayed(self, half_life_days: float) -> Any:
        """Return purchase days per pair, each half as much for every half-life that has passed since."""
        age = self.as_of - self.day
        return self.matrix(np.exp2(-age / half_life_days))

    @cached_property
    def days(self) -> Any:
        """Return purchase days per pair: sparse, shape (n_customers, n_items)."""
        return self.matrix(np.ones(len(self)))

    @cached_property
    def owned(self) -> Any:
        """Return 1 where a customer has bought an item."""
        found = self.days.copy()
        found.data[:] = 1
        return found

    @cached_property
    def n_buyers(self) -> IntArray:
        """Return how many customers have bought each item."""
        return np.bincount(self.owned.indices, minlength=self.n_items).astype(np.int64)

    @cached_property
    def last_day(self) -> IntArray:
        """Return the last day on which each item was bought, -1 for never."""
        found = np.full(self.n_items, -1, dtype=np.int64)
        np.maximum.at(found, self.item, self.day)
        return found

    def buyers_between(self, start: int, end: int) -> FloatArray:
        """Return how many customers bought each item from day `start` to before `end`."""
        kept = (self.day >= start) & (self.day < end)
        customer, item = self.customer[kept], self.item[kept]
        first = np.append(True, (np.diff(item) != 0) | (np.diff(customer) != 0))[: len(item)]  # rows are sorted
        return np.bincount(item[first], minlength=self.n_items).astype(np.float64)

    def n_active(self, start: int) -> int:
        """Return how many customers bought anything from a day on."""
        return int(np.count_nonzero(np.diff(self.customer[self.day >= start], prepend=-1)))

    @property
    def first_day(self) -> int:
        """Return the first day of the data, `as_of` where there are none."""
        return int(self.day.min()) if len(self) else self.as_of

    def histories(self) -> IntArray:
        """Return how many items each customer has bought; 0 for customers without history."""
        return np.asarray(np.diff(self.owned.indptr), dtype=np.int64)


def interactions(
    customer: npt.ArrayLike,
    item: npt.ArrayLike,
    day: npt.ArrayLike,
    *,
    n_customers: int,
    n_items: int,
    as_of: int,
    horizon_days: int,
    group: npt.ArrayLike | None = None,
) -> Interactions:
    """Return checked interactions: sorted, each customer, item and day once.

    Examples
    --------
    >>> known = interactions([1, 0, 1], [0, 2, 0], [5, 3, 5], n_customers=2, n_items=3, as_of=10, horizon_days=7)
    >>> len(known), known.owned.toarray().tolist()
    (2, [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    """
    who, what, days = (np.asarray(part, dtype=np.int64).reshape(-1) for part in (customer, item, day))
    groups = np.full(n_customers, -1, dtype=np.int64) if group is None else np.asarray(group, dtype=np.int64)
    first = int(days.min(initial=0))
    n_days = int(days.max(initial=0)) - first + 1
    key = (who * n_items + what) * n_days + (days - first)  # one whole number per row sorts several times as fast as three
    if len(key) and (np.diff(key) <= 0).any():
        key.sort()
        key = key[np.append(True, np.diff(key) > 0)]
    pair, days = np.divmod(key, n_days)
    who, what = np.divmod(pair, max(n_items, 1))
    return Interactions(who, what, days + first, n_customers, n_items, as_of, horizon_days, groups)


class Fitted(ABC):
    """A recommender that has learned: larger scores come first. Zero says nothing, minus infinity is never listed."""

    @abstractmethod
    def scores(self, customers: IntArray) -> Scores:
        """Return a score of every item for each of the customers, shape (len(customers), n_items)."""

    @abstractmethod
    def for_others(self, known: Interactions, learned: IntArray) -> Fitted:
        """Return the same recommender for other customers: what it has learned stays, their own histories are `known`.

        Parameters
        ----------
        known : Interactions
            Of the other customers, with the items, the day and the groups of those that were learned from.
        learned : int64 array, shape (known.n_customers,)
            Place of each among the customers that were learned from, -1 for the others.
        """


class Recommender(ABC):
    """A way to recommend; it holds its settings only."""

    name: str
    about: str

    @abstractmethod
    def fit(self, known: Interactions) -> Fitted:
        """Return the recommender fitted to everything known."""


def batches_of(customers: IntArray, n_items: int) -> Iterator[slice]:
    """Yield slices of customers whose dense scores fit into bounded memory."""
    size = max(1, min(4096, BATCH_CELLS // max(n_items, 1)))
    for start in range(0, len(customers), size):
        yield slice(start, start + size)


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold linear algebra to one thread: the same sums everywhere, and no fight for cores inside `implicit`."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def dense(matrix: Any) -> Scores:
    """Return a sparse matrix as a dense array of scores."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float32)


def normalised(matrix: Any, power: float = 1.0) -> Any:
    """Return a sparse matrix with rows divided by their sum (power 1) or their length (power 2); empty rows stay empty."""
    from scipy.sparse import diags

    sums = np.asarray(matrix.power(power).sum(axis=1), dtype=np.float64).ravel() ** (1 / power)
    return (diags(np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)) @ matrix).tocsr().astype(np.float32)
