"""From scores to lists: the best items of each customer within a view, in bounded memory.

Comes in: a fitted recommender and what is known. Goes out: places of items and their scores, best first. The rules that no
recommender may break are kept here and nowhere else: nothing owned under "new", nothing but owned under "again", nothing that may
not be offered.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, Scores, batches_of

View = Literal["all", "new", "again"]
VIEWS: tuple[View, ...] = get_args(View)
VIEW_WORDS: dict[View, str] = {"all": "All items", "new": "New to the customer", "again": "Buy again"}
MOST_TIED = 50
"""Cells that may reach a bound for each one wanted before ties are told apart otherwise."""
NOTHING = -1
"""Place of an item in a list that is shorter than asked for."""


def masked(scores: Scores, known: Interactions, customers: IntArray, view: View, offered: npt.NDArray[np.bool_]) -> Scores:
    """Return the scores with minus infinity for what does not belong into the view or may not be offered."""
    nothing = np.float32(-np.inf)
    mine = known.owned[customers]
    rows = np.repeat(np.arange(len(customers)), np.diff(mine.indptr))
    if view == "again":
        found = np.full_like(scores, nothing)
        kept = offered[mine.indices]
        rows, places = rows[kept], mine.indices[kept]
        found[rows, places] = scores[rows, places]
        return found
    found = scores.copy() if offered.all() else np.where(offered[None, :], scores, nothing)
    if view == "new":
        found[rows, mine.indices] = nothing
    return found


def best_of(scores: Scores, n: int) -> tuple[IntArray, Scores]:
    """Return the places and values of the `n` largest finite scores of each row, best first; equal ones by place.

    Examples
    --------
    >>> best_of(np.array([[1.0, 3.0, 3.0, -np.inf]], dtype=np.float32), 3)[0].tolist()
    [[1, 2, 0]]
    """
    rows, width = scores.shape
    best, values = np.full((rows, n), NOTHING, dtype=np.int64), np.full((rows, n), -np.inf, dtype=np.float32)
    if min(rows, width, n) == 0:
        return best, values
    bounds = _bounds(scores, n)
    above = scores >= bounds[:, None]
    empty = np.flatnonzero(~np.isfinite(bounds))
    above[empty] &= scores[empty] > -np.inf
    many = np.flatnonzero(np.count_nonzero(above, axis=1) > MOST_TIED * n)
    for each in many:  # nearly all equal: of these the first ones
        above[each] = _exactly(scores[each], n)
    row, place = np.nonzero(above)
    value = scores[row, place]
    order = np.lexsort((-value, row))  # stable: places of a row are in order
    row, place, value = row[order], place[order], value[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < n
    best[row[kept], rank[kept]], values[row[kept], rank[kept]] = place[kept], value[kept]
    return best, values


def _bounds(scores: Scores, n: int) -> Scores:
    """Return for each row a value that at least its `n` largest scores reach and few others do.

    The n-th largest of the maxima of groups of cells: as many groups hold a cell that reaches it. Several times as fast as parting whole rows.
    """
    rows, width = scores.shape
    size = max(1, min(64, width // (4 * n)))
    count = width // size
    groups = scores[:, : size * count].reshape(rows, size, count).max(axis=1) if size > 1 else scores
    if size * count < width and size > 1:
        groups = np.concatenate([groups, scores[:, size * count :]], axis=1)
    if groups.shape[1] <= n:
        return np.full(rows, -np.inf, dtype=np.float32)
    last = groups.shape[1] - n
    return np.asarray(np.partition(groups, last, axis=1)[:, last], dtype=np.float32)


def _exactly(row: Scores, n: int) -> npt.NDArray[np.bool_]:
    """Return where the `n` largest scores of one row are, of equal ones the first."""
    bound = np.partition(row, len(row) - n)[len(row) - n]
    found = row > bound
    equal = np.flatnonzero((row == bound) & (row > -np.inf))
    found[equal[: n - int(found.sum())]] = True
    return np.asarray(found)


def top_items(
    fitted: Fitted,
    known: Interactions,
    customers: IntArray,
    view: View,
    n: int,
    offered: npt.NDArray[np.bool_] | None = None,
) -> tuple[IntArray, Scores]:
    """Return the list of each customer: places of items, shape (len(customers), n), and scores; -1 where a list ends early.

    Parameters
    ----------
    offered : bool array, shape (n_items,), optional
        What may be offered; by default every item that was ever bought.
    """
    allowed = known.n_buyers > 0 if offered is None else offered
    places = np.full((len(customers), n), NOTHING, dtype=np.int64)
    values = np.full((len(customers), n), -np.inf, dtype=np.float32)
    for part in batches_of(customers, known.n_items):
        found = masked(fitted.scores(customers[part]), known, customers[part], view, allowed)
        places[part], values[part] = best_of(found, n)
    return places, values


def standardised(scores: Scores) -> Scores:
    """Return each row with mean 0 and spread 1, so that scores of different recommenders can be added up."""
    mean = scores.mean(axis=1, keepdims=True)
    spread = scores.std(axis=1, keepdims=True)
    return np.asarray((scores - mean) / np.maximum(spread, 1e-12), dtype=np.float32)


class FittedBlend(Fitted):
    """A weighted sum of standardised scores."""

    def __init__(self, parts: list[Fitted], weights: FloatArray) -> None:
        self.parts, self.weights = parts, weights

    def for_others(self, known: Interactions, learned: IntArray) -> FittedBlend:
        """Return the same sum for others."""
        return FittedBlend([part.for_others(known, learned) for part in self.parts], self.weights)

    def scores(self, customers: IntArray) -> Scores:
        """Return the weighted sum."""
        found: Scores | None = None
        for part, weight in zip(self.parts, self.weights, strict=True):
            one = np.float32(weight) * standardised(part.scores(customers))
            found = one if found is None else found + one
        if found is None:
            raise ValueError("a blend of nothing")
        return found


def hits_of(lists: IntArray, wanted: Any) -> FloatArray:
    """Return 1 where a listed item was wanted, shape of `lists`; places of -1 are empty, `wanted` is sparse 0/1."""
    n, length = lists.shape
    rows = np.repeat(np.arange(n), length)
    flat = lists.ravel()
    found = np.zeros(n * length)
    listed = flat >= 0
    if listed.any():
        found[listed] = np.asarray(wanted.tocsr()[rows[listed], flat[listed]]).ravel() > 0
    return found.reshape(n, length)


def ndcg_of_hits(hits: FloatArray, n_wanted: IntArray) -> FloatArray:
    """Return NDCG of each list: its discounted hits over those of the best list of as many wanted items.

    Source
    ------
    Järvelin & Kekäläinen (2002), ACM Transactions on Information Systems 20(4).
    """
    length = hits.shape[1]
    discount = 1 / np.log2(np.arange(2, length + 2))
    best = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(n_wanted, length)]
    return np.asarray((hits * discount).sum(axis=1) / np.maximum(best, 1e-12), dtype=np.float64)
