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
NOTHING = -1
"""Place of an item in a list that is shorter than asked for."""


def masked(scores: Scores, known: Interactions, customers: IntArray, view: View, offered: npt.NDArray[np.bool_]) -> Scores:
    """Return the scores with minus infinity for what does not belong into the view or may not be offered."""
    found = np.where(offered[None, :] & np.isfinite(scores), scores, np.float32(-np.inf))
    if view != "all":
        owned = known.owned[customers].toarray() > 0
        found[owned if view == "new" else ~owned] = -np.inf
    return found


def best_of(scores: Scores, n: int) -> tuple[IntArray, Scores]:
    """Return the places and values of the `n` largest finite scores of each row, best first; equal ones by place.

    Examples
    --------
    >>> best_of(np.array([[1.0, 3.0, 3.0, -np.inf]], dtype=np.float32), 3)[0].tolist()
    [[1, 2, 0]]
    """
    rows, width = scores.shape
    count = min(n, width)
    if count == 0 or rows == 0:
        return np.full((rows, n), NOTHING, dtype=np.int64), np.full((rows, n), -np.inf, dtype=np.float32)
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count] if count < width else np.tile(np.arange(width), (rows, 1))
    best.sort(axis=1)
    values = np.take_along_axis(scores, best, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
    best = np.where(np.isfinite(values), best, NOTHING).astype(np.int64)
    if count < n:
        gap = ((0, 0), (0, n - count))
        best, values = np.pad(best, gap, constant_values=NOTHING), np.pad(values, gap, constant_values=-np.inf)
    return best, values


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
