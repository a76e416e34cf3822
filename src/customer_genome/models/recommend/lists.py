"""From scores to lists: the best items of each customer within a view, in bounded memory.

Comes in: a fitted recommender and what is known. Goes out: places of items and their scores, best first. The rules that no
recommender may break are kept here and nowhere else: nothing owned under "new", nothing but owned under "again", nothing that may
not be offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, Scores, batches_of

View = Literal["all", "new", "again"]
VIEWS: tuple[View, ...] = get_args(View)
VIEW_WORDS: dict[View, str] = {"all": "All items", "new": "New to the customer", "again": "Buy again"}
MOST_TIED = 8
"""Groups of cells that may reach a bound for each item wanted before ties are told apart otherwise."""
NOTHING = -1
"""Place of an item in a list that is shorter than asked for."""
_LAST = np.uint64(0xFFFFFFFFFFFFFFFF)


def best_in_view(
    scores: Scores, known: Interactions, customers: IntArray, view: View, n: int, offered: npt.NDArray[np.bool_]
) -> tuple[IntArray, Scores]:
    """Return the best items of each customer that belong into the view and may be offered, as `best_of` does.

    `scores` must be the caller's own array: what may not be offered becomes minus infinity in it, so that large arrays need not be copied.
    """
    mine = known.owned[customers]
    rows, places = np.repeat(np.arange(len(customers)), np.diff(mine.indptr)), mine.indices
    if view == "again":
        kept = offered[places]
        return _ranked(rows[kept], places[kept], scores[rows[kept], places[kept]], len(customers), n)
    scores[:, np.flatnonzero(~offered)] = -np.inf
    if view == "all":
        return best_of(scores, n)
    owned = scores[rows, places]
    scores[rows, places] = -np.inf
    found = best_of(scores, n)
    scores[rows, places] = owned
    return found


def best_of(scores: Scores, n: int) -> tuple[IntArray, Scores]:
    """Return the places and values of the `n` largest finite scores of each row, best first; equal ones by place.

    The n-th largest of the maxima of groups of cells is reached by at least n cells, and only groups that reach it need to be looked
    into: one pass over the scores, several times as fast as parting whole rows.

    Examples
    --------
    >>> best_of(np.array([[1.0, 3.0, 3.0, -np.inf]], dtype=np.float32), 3)[0].tolist()
    [[1, 2, 0]]
    """
    rows, width = scores.shape
    if min(rows, width, n) == 0:
        return np.full((rows, n), NOTHING, dtype=np.int64), np.full((rows, n), -np.inf, dtype=np.float32)
    size = max(1, min(64, width // (4 * n)))
    count = width // size
    maxima = scores
    if size > 1:
        maxima = scores[:, : size * count].reshape(rows, size, count).max(axis=1)
        maxima = np.concatenate([maxima, scores[:, size * count :]], axis=1)
    last = max(maxima.shape[1] - n, 0)
    bounds = np.partition(maxima, last, axis=1)[:, last] if last else np.full(rows, -np.inf, dtype=np.float32)
    reached = (maxima >= bounds[:, None]) & (maxima > -np.inf)
    many = np.flatnonzero(np.count_nonzero(reached, axis=1) > MOST_TIED * n)
    reached[many] = False
    row, group = np.nonzero(reached)
    whole = group < count  # the others are the single cells at the end
    steps = count * np.arange(size)
    place = np.concatenate([(group[whole][:, None] + steps).ravel(), group[~whole] + (size - 1) * count])
    row = np.concatenate([np.repeat(row[whole], size), row[~whole]])
    value = scores[row, place]
    kept = (value >= bounds[row]) & (value > -np.inf)
    tied = [np.flatnonzero(_exactly(scores[each], n)) for each in many]  # nearly all equal: of these the first ones
    row = np.concatenate([row[kept], np.repeat(many, [len(one) for one in tied])])
    place = np.concatenate([place[kept], *tied])
    return _ranked(row, place, scores[row, place], rows, n)


def _ranked(row: IntArray, place: IntArray, value: Scores, n_rows: int, n: int) -> tuple[IntArray, Scores]:
    """Return the `n` largest finite values of each row with their places, best first; equal ones by place.

    Value and place become one whole number, the larger value the smaller number: plain sorting of whole numbers is much the fastest.
    """
    kept = value > -np.inf
    row, place, value = row[kept], place[kept], value[kept]
    bits = (0.0 - value.astype(np.float32)).view(np.uint32)
    bits ^= np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    order = np.argsort(row, kind="stable")
    row = row[order]
    counts = np.bincount(row, minlength=n_rows)
    starts = np.cumsum(counts) - counts
    keys = np.full((n_rows, max(n, counts.max(initial=0))), _LAST, dtype=np.uint64)
    keys[row, np.arange(len(row)) - starts[row]] = (bits[order].astype(np.uint64) << np.uint64(32)) | place[order].astype(
        np.uint64
    )
    if keys.shape[1] > 2 * n:
        keys = np.partition(keys, n - 1, axis=1)[:, :n]
    keys = np.sort(keys, axis=1)[:, :n]
    best = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    bits = (keys >> np.uint64(32)).astype(np.uint32)
    bits ^= np.where(bits >> 31, np.uint32(0x80000000), np.uint32(0xFFFFFFFF))
    values = 0.0 - bits.view(np.float32)
    empty = keys == _LAST
    best[empty], values[empty] = NOTHING, -np.inf
    return best, values


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
    return top_in_views({view: fitted}, known, customers, n, offered)[view]


def top_in_views(
    fitted: Mapping[View, Fitted],
    known: Interactions,
    customers: IntArray,
    n: int,
    offered: npt.NDArray[np.bool_] | None = None,
) -> dict[View, tuple[IntArray, Scores]]:
    """Return lists as `top_items` does, of several views: a recommender that serves several of them scores once."""
    allowed = known.n_buyers > 0 if offered is None else offered
    shape = (len(customers), n)
    found = {view: (np.full(shape, NOTHING, dtype=np.int64), np.full(shape, -np.inf, dtype=np.float32)) for view in fitted}
    for part in batches_of(customers, known.n_items):
        scored: dict[int, Scores] = {}
        for view, one in fitted.items():
            if id(one) not in scored:
                scored[id(one)] = one.scores(customers[part])
            best = best_in_view(scored[id(one)], known, customers[part], view, n, allowed)
            found[view][0][part], found[view][1][part] = best
    return found


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
