"""RFM: quintile scores of recency, frequency and monetary value, and the eleven names the field gives them.

Comes in: NumPy arrays with one entry per customer. Goes out: scores 1..5, segment names, and the cut points, by which
later customers can be scored against the same population. Neither the order of the rows nor the unit of money changes
a result. This module must not read tables, files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.errors import ContractError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Rows are recency scores, columns are FM = the mean of frequency and monetary score, halves rounded up.
RFM_GRID: Mapping[int, tuple[str, str, str, str, str]] = {
    5: ("New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"),
    4: ("Promising", "Potential Loyalists", "Potential Loyalists", "Loyal Customers", "Champions"),
    3: ("About to Sleep", "About to Sleep", "Needs Attention", "Loyal Customers", "Loyal Customers"),
    2: ("Hibernating", "Hibernating", "At Risk", "At Risk", "Can't Lose Them"),
    1: ("Lost", "Lost", "At Risk", "Can't Lose Them", "Can't Lose Them"),
}
RFM_SEGMENTS: tuple[str, ...] = (
    "Champions",
    "Loyal Customers",
    "Potential Loyalists",
    "New Customers",
    "Promising",
    "Needs Attention",
    "About to Sleep",
    "At Risk",
    "Can't Lose Them",
    "Hibernating",
    "Lost",
)


def significant(values: npt.ArrayLike, digits: int = 12) -> FloatArray:
    """Return values rounded to `digits` significant decimal digits, so that noise in the last bits decides nothing.

    Examples
    --------
    >>> significant([0.1 + 0.2, 123456.7890123456])
    array([3.00000000e-01, 1.23456789e+05])
    >>> bool(significant(0.1 + 0.2) == 0.3)
    True
    """
    array = np.asarray(values, dtype=np.float64)
    usable = np.isfinite(array) & (np.abs(array) > 1e-280)
    exponent = np.floor(np.log10(np.abs(np.where(usable, array, 1.0))))
    shift = digits - 1 - exponent
    up, down = np.power(10.0, np.maximum(shift, 0.0)), np.power(10.0, np.maximum(-shift, 0.0))
    return np.where(usable, np.round(array * up / down) / up * down, np.where(np.isfinite(array), 0.0, array))


def quintile_cuts(values: npt.ArrayLike) -> FloatArray:
    """Return the four values that part customers into fifths.

    Cut i is the smallest observed value that at least i fifths of the customers do not exceed, found by counting, so
    it is the same whatever the unit and the order of the rows.

    Parameters
    ----------
    values : float array, shape (n_customers,)
        NaN = unknown, left out.

    Returns
    -------
    float array, shape (4,), ascending. All NaN when every known value is the same: such a column tells nothing.

    Examples
    --------
    >>> quintile_cuts([1, 2, 3, 4, 5])
    array([1., 2., 3., 4.])
    """
    known = np.sort(significant(values))
    known = known[~np.isnan(known)]
    if len(known) == 0 or known[0] == known[-1]:
        return np.full(4, np.nan)
    positions = [(len(known) * fifth + 4) // 5 - 1 for fifth in (1, 2, 3, 4)]
    return known[positions]


def quintile_scores(values: npt.ArrayLike, cuts: FloatArray, *, lowest_is_best: bool = False) -> IntArray:
    """Score every value by the cut points it exceeds; equal values always share a score.

    Parameters
    ----------
    values : float array, shape (n_customers,)
    cuts : float array, shape (4,)
        From `quintile_cuts` of this population, or of an earlier one.
    lowest_is_best : bool
        For recency: the score is inverted, few days are 5.

    Returns
    -------
    int array, shape (n_customers,), 1..5, 5 = best. 0 where the value is unknown. 3 for everybody when the cuts are
    NaN, since no customer differs from another.

    Examples
    --------
    >>> quintile_scores([1, 1, 1, 2, 9], quintile_cuts([1, 1, 1, 2, 9]))
    array([1, 1, 1, 4, 5])
    """
    rounded = significant(values)
    if np.isnan(cuts).any():
        score = np.full(len(rounded), 3, dtype=np.int64)
    else:
        score = 1 + np.searchsorted(cuts, rounded, side="left").astype(np.int64)
        if lowest_is_best:
            score = 6 - score
    score[np.isnan(rounded)] = 0
    return score


@dataclass(frozen=True)
class RfmScores:
    """RFM scores (1..5, 0 = unknown), the segment of each customer, and the cut points that made them."""

    recency_score: IntArray
    frequency_score: IntArray
    monetary_score: IntArray
    rfm_segment: pa.StringArray
    cuts: Mapping[str, FloatArray]


def rfm_scores(
    recency_days: npt.ArrayLike,
    n_orders: npt.ArrayLike,
    total_spend: npt.ArrayLike,
    cuts: Mapping[str, FloatArray] | None = None,
) -> RfmScores:
    """Score and name every customer.

    Parameters
    ----------
    recency_days : float array, shape (n_customers,), days since the last order
    n_orders : float array, shape (n_customers,), orders
    total_spend : float array, shape (n_customers,), money
    cuts : mapping, optional
        `RfmScores.cuts` of an earlier run, to score new customers against that population.
    """
    columns = {"recency": recency_days, "frequency": n_orders, "monetary": total_spend}
    cuts = cuts or {name: quintile_cuts(values) for name, values in columns.items()}
    scores = {name: quintile_scores(values, cuts[name], lowest_is_best=name == "recency") for name, values in columns.items()}
    return RfmScores(
        scores["recency"],
        scores["frequency"],
        scores["monetary"],
        rfm_segment(scores["recency"], scores["frequency"], scores["monetary"]),
        cuts,
    )


def rfm_segment(recency_score: IntArray, frequency_score: IntArray, monetary_score: IntArray) -> pa.StringArray:
    """Name customers by the cell of `RFM_GRID` they stand in: the recency score, and FM rounded half up.

    Returns
    -------
    pyarrow string array, shape (n_customers,); null where a score is unknown (0).

    Examples
    --------
    >>> rfm_segment(np.array([5, 1]), np.array([5, 1]), np.array([4, 1])).to_pylist()
    ['Champions', 'Lost']
    """
    scores = np.stack([np.asarray(s, dtype=np.int64) for s in (recency_score, frequency_score, monetary_score)])
    if scores.size and (scores.min() < 0 or scores.max() > 5):
        raise ContractError(
            f"RFM scores: found {scores.min()}..{scores.max()}. Wanted: 1..5, or 0 for unknown. Take them from quintile_scores."
        )
    recency, fm = scores[0], (scores[1] + scores[2] + 1) // 2
    code_of = np.zeros((6, 6), dtype=np.int32)
    for row, names in RFM_GRID.items():
        code_of[row, 1:] = [RFM_SEGMENTS.index(name) for name in names]
    codes = pa.array(code_of[recency, fm], mask=(scores == 0).any(axis=0))
    return pa.array(RFM_SEGMENTS).take(codes)
