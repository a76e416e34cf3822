"""Which cluster keeps which number from run to run.

Comes in: the clusters that the rules of the run before and those found now give to the same customers. Goes out: a number for every
cluster found now. A number goes to the cluster that has most customers in common with the one that had it, and to no other: it never
comes to mean other people. This module must not read tables, files or settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_genome.models.segmentation.segments import FloatArray, IntArray

MOST_IN_COMMON = 0.5
"""A cluster keeps a number where twice the customers in common are more than this share of both sizes together (Dice's coefficient)."""


@dataclass(frozen=True)
class Numbering:
    """The numbers of the clusters found now.

    Attributes
    ----------
    ids : int array, shape (k,), by place
    next_id : the first number that no cluster ever had
    kept_share : share of customers whose number the rules of the run before and those of now agree on; NaN without a run before
    new, gone : numbers that are new now, and that nobody has any more
    """

    ids: IntArray
    next_id: int
    kept_share: float = float("nan")
    new: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()


def fresh_numbers(k: int) -> Numbering:
    """Return 0..k-1: there is no run before."""
    return Numbering(np.arange(k, dtype=np.int64), k)


def matched_numbers(
    places: IntArray, k: int, ids_before: IntArray, weights: FloatArray, known_ids: Sequence[int], next_id: int
) -> Numbering:
    """Return the numbers of k clusters found now.

    Parameters
    ----------
    places : int array, shape (n_customers,), 0..k-1
        Of the clusters found now.
    ids_before : int array, shape (n_customers,)
        The number that the rules of the run before give to the same customers, as they are today.
    weights : float array, shape (n_customers,)
    known_ids : every number of the run before
    next_id : the first number that no cluster ever had

    Source
    ------
    Optimal assignment: Kuhn (1955), Naval Research Logistics 2, as in SciPy.
    """
    from scipy.optimize import linear_sum_assignment

    known = np.array(sorted(known_ids), dtype=np.int64)
    column = np.searchsorted(known, ids_before)
    common = np.zeros((k, len(known)))
    np.add.at(common, (places, column), weights)
    sizes = common.sum(axis=1)[:, None] + common.sum(axis=0)[None, :]
    alike = np.divide(2 * common, sizes, out=np.zeros_like(common), where=sizes > 0)
    ids = np.full(k, -1, dtype=np.int64)
    for place, number in zip(*linear_sum_assignment(-alike), strict=True):
        if alike[place, number] > MOST_IN_COMMON:
            ids[place] = known[number]
    new = np.flatnonzero(ids < 0)
    ids[new] = next_id + np.arange(len(new))
    total = float(weights.sum())
    kept = float(weights[ids[places] == ids_before].sum()) / total if total > 0 else float("nan")
    gone = tuple(int(number) for number in known if number not in ids)
    return Numbering(ids, next_id + len(new), kept, tuple(int(number) for number in ids[new]), gone)
