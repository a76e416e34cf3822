"""Purchase histories as arrays: checked, and collapsed to the distinct ones.

Comes in: frequency (x), recency_days (t_x) and age_days (T), one entry per customer. Goes out: the same as float arrays
whose every fault has been reported at once, or the distinct rows in sorted order with the way back. Purchase models depend
on a history only through these three numbers, so everything they compute is computed once per distinct history. Nothing
here fits or predicts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.estimator import Array

Indices = npt.NDArray[np.intp]

_SHORT_TABLE = 1 << 16


@dataclass(frozen=True)
class Histories:
    """Checked histories: three float arrays of one length."""

    frequency: Array
    recency_days: Array
    age_days: Array

    def __len__(self) -> int:
        return len(self.frequency)


@dataclass(frozen=True)
class DistinctRows:
    """The distinct rows of several columns.

    `columns` are sorted lexicographically; `inverse[i]` is the distinct row of input row i, so `values[inverse]` brings
    values computed per distinct row back to the input's order.
    """

    columns: tuple[Array, ...]
    inverse: Indices

    def __len__(self) -> int:
        return len(self.columns[0])


def check_histories(frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike) -> Histories:
    """Return the histories as float arrays, or raise one ContractError that lists every fault.

    Parameters
    ----------
    frequency : array, shape (n_customers,)
        Repeat purchase days (x): whole numbers >= 0.
    recency_days, age_days : array, shape (n_customers,)
        First to last purchase day (t_x) and first purchase day to the end of observation (T), 0 <= t_x <= T.

    Raises
    ------
    ContractError
        Not numbers, unequal lengths, not finite, not whole, negative, later than the end, or a one-time buyer with a recency.
    """
    x, t_x, age = (
        as_column(values, name)
        for values, name in ((frequency, "frequency"), (recency_days, "recency_days"), (age_days, "age_days"))
    )
    if not len(x) == len(t_x) == len(age):
        raise ContractError(
            f"histories: frequency has {len(x):,} entries, recency_days {len(t_x):,}, age_days {len(age):,}. "
            "Wanted: one entry per customer in each. Pass columns of the same table."
        )
    slack = 1e-9 * (1.0 + np.abs(age))
    report_faults(
        "histories",
        [
            ("frequency is not a whole number >= 0", ~(np.isfinite(x) & (x >= 0) & (x == np.floor(x)))),
            ("recency_days is not a finite number >= 0", ~(np.isfinite(t_x) & (t_x >= 0))),
            ("age_days is not a finite number >= 0", ~(np.isfinite(age) & (age >= 0))),
            ("recency_days is larger than age_days", t_x > age + slack),
            ("recency_days is above 0 for a customer without repeat purchase", (x == 0) & (t_x > 0)),
        ],
        "Wanted: x repeat purchase days, 0 <= recency_days <= age_days. Rebuild the customer facts.",
    )
    return Histories(x, np.minimum(t_x, age), age)


def check_weights(weights: npt.ArrayLike | None, n_rows: int) -> Array:
    """Return the weights (ones when None); ContractError when they are negative, not finite or of another length."""
    if weights is None:
        return np.ones(n_rows)
    values = as_column(weights, "weights")
    if len(values) != n_rows:
        raise ContractError(f"weights: got {len(values):,} entries for {n_rows:,} customers. Wanted: one per customer.")
    faults: list[tuple[str, npt.NDArray[np.bool_]]] = [
        ("weight is not a finite number >= 0", ~(np.isfinite(values) & (values >= 0)))
    ]
    report_faults("weights", faults, "Wanted: how often each customer counts.")
    return values


def as_column(values: npt.ArrayLike, name: str) -> Array:
    """Return `values` as a float array of one dimension; ContractError when that is not possible."""
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise ContractError(
            f"{name}: got values that are not numbers ({err}). Wanted: a numeric array, one entry per customer."
        ) from err
    if column.ndim != 1:
        raise ContractError(f"{name}: got an array of shape {column.shape}. Wanted: one dimension, one entry per customer.")
    return column


def report_faults(table: str, faults: list[tuple[str, npt.NDArray[np.bool_]]], wanted: str) -> None:
    """Raise one ContractError naming every fault that occurs, how often, and the first row; do nothing without faults."""
    found = [
        f"{about} in {int(mask.sum()):,} of {len(mask):,} rows (first: row {int(np.argmax(mask))})"
        for about, mask in faults
        if mask.any()
    ]
    if found:
        raise ContractError(f"{table}: {'; '.join(found)}. {wanted}")


@dataclass(frozen=True)
class Coded:
    """A column as places in a short table of values, so that a function of it is computed once per value."""

    values: Array
    place: Indices


def code(column: Array) -> Coded:
    """Return the column as places in a table: of all days up to the largest for whole numbers, of the distinct values otherwise."""
    whole = _as_whole(column)
    if whole is not None and len(whole) and int(whole.max()) <= max(_SHORT_TABLE, len(whole)):
        return Coded(np.arange(int(whole.max()) + 1, dtype=np.float64), whole.astype(np.intp))
    values, place = np.unique(column, return_inverse=True)
    return Coded(values, place)


def weigh(coded: Coded, weight: Array) -> Array:
    """Return the sum of the weights of the rows with each value of the table."""
    return np.bincount(coded.place, weights=weight, minlength=len(coded.values)).astype(np.float64)


def dot(one: Array, other: Array) -> float:
    """Return the sum of products; unlike a BLAS dot product it is the same whatever the number of threads, and never waits for them."""
    return float(np.einsum("i,i->", one, other))


def distinct_rows(*columns: Array) -> DistinctRows:
    """Return the distinct rows of `columns`, sorted by the first column, then the second and so on.

    Whole numbers of moderate size (days, counts) are packed into one integer per row, which is several times faster than
    sorting by several columns; anything else is sorted column by column. Both give the same rows in the same order.
    """
    packed = _pack(columns)
    if packed is not None:
        if packed.capacity <= max(_SHORT_TABLE, 4 * len(packed.keys)):
            there = np.zeros(packed.capacity, dtype=bool)
            there[packed.keys] = True
            return DistinctRows(packed.unpack(np.flatnonzero(there)), (np.cumsum(there) - 1)[packed.keys])
        keys, inverse = np.unique(packed.keys, return_inverse=True)
        return DistinctRows(packed.unpack(keys), inverse)
    order = np.lexsort(columns[::-1])
    new_row = np.zeros(len(order), dtype=bool)
    new_row[:1] = True
    for column in columns:
        new_row[1:] |= np.diff(column[order]) != 0
    inverse = np.empty(len(order), dtype=np.intp)
    inverse[order] = np.cumsum(new_row) - 1
    return DistinctRows(tuple(column[order][new_row] for column in columns), inverse)


def collapse(
    frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[Histories, Array]:
    """Return the distinct histories, sorted, and how many customers (or how much weight) each stands for.

    Parameters
    ----------
    frequency, recency_days, age_days : arrays, shape (n_customers,)
        See `check_histories`.
    weights : array, shape (n_customers,), optional
        How often each customer counts; rows of weight 0 are left out.

    Returns
    -------
    Histories, array of shape (n_distinct,)
        The same whatever the order of the rows.

    Examples
    --------
    >>> histories, counts = collapse([0, 2, 0], [0, 14, 0], [30, 28, 30])
    >>> histories.frequency.tolist(), counts.tolist()
    ([0.0, 2.0], [2.0, 1.0])
    """
    if weights is None:
        counted = _count_equal(frequency, recency_days, age_days)
        if counted is not None:
            return counted
    histories = check_histories(frequency, recency_days, age_days)
    weight = check_weights(weights, len(histories))
    rows = distinct_rows(histories.frequency, histories.recency_days, histories.age_days)
    counts = np.bincount(rows.inverse, weights=weight, minlength=len(rows)).astype(np.float64)
    kept = counts > 0
    return Histories(*(column[kept] for column in rows.columns)), counts[kept]


def once_per_distinct(compute: Callable[..., Array], *columns: Array) -> Array:
    """Return `compute(*columns)` row by row, calling it with the distinct rows only."""
    if len(columns[0]) == 0:
        return np.empty(0)
    rows = distinct_rows(*columns)
    values: Array = compute(*rows.columns)[rows.inverse]
    return values


def _count_equal(
    frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike
) -> tuple[Histories, Array] | None:
    """Return distinct histories and their counts by sorting packed integers; None where that is not possible or a row is faulty."""
    columns = as_column(frequency, "frequency"), as_column(recency_days, "recency_days"), as_column(age_days, "age_days")
    packed = _pack(columns) if len({len(column) for column in columns}) == 1 else None
    if packed is None:
        return None
    keys = np.sort(packed.keys)
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    x, t_x, age = packed.unpack(keys[starts])
    if np.any(t_x > age) or np.any((x == 0) & (t_x > 0)):
        return None
    return Histories(x, t_x, age), np.diff(np.append(starts, len(keys))).astype(np.float64)


@dataclass(frozen=True)
class _Packed:
    """One integer per row that sorts like the columns, which hold whole numbers below `sizes`."""

    keys: npt.NDArray[Any]
    sizes: tuple[int, ...]

    @property
    def capacity(self) -> int:
        """Return how many different rows there could be."""
        return math.prod(self.sizes)

    def unpack(self, keys: npt.NDArray[Any]) -> tuple[Array, ...]:
        """Return the columns of some keys."""
        columns: list[Array] = []
        for size in self.sizes[:0:-1]:
            keys, column = np.divmod(keys, keys.dtype.type(size))
            columns.append(column.astype(np.float64))
        return (keys.astype(np.float64), *columns[::-1])


def _as_whole(column: Array) -> npt.NDArray[np.int64] | None:
    """Return the column as integers, or None where it holds anything but moderate whole numbers >= 0."""
    if len(column) == 0 or not (float(column.min()) >= 0 and float(column.max()) < 2**40):
        return None
    whole = column.astype(np.int64)
    return whole if np.array_equal(whole, column) else None


def _pack(columns: tuple[Array, ...]) -> _Packed | None:
    """Return one integer per row, or None where the columns are not moderate whole numbers >= 0."""
    whole, sizes = [], []
    for column in columns:
        values = _as_whole(column)
        if values is None:
            return None
        whole.append(values)
        sizes.append(int(values.max()) + 1)
    capacity = math.prod(sizes)
    if capacity >= 2**62:
        return None
    keys = whole[0]
    for values, size in zip(whole[1:], sizes[1:], strict=True):
        keys = keys * size + values
    return _Packed(keys.astype(np.uint32) if capacity < 2**32 else keys, tuple(sizes))
