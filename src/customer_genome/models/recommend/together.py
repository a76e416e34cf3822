"""Frequently bought together: which items stand in the same baskets more often than chance explains.

Comes in: baskets as a sparse 0/1 matrix (baskets, items). Goes out: pairs with support, confidence, lift and a p-value. A basket is
what one customer bought on one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.contract import FloatArray, IntArray, Interactions

FEWEST_BASKETS = 5
"""Baskets that must hold both items."""
FALSE_CHANCE = 0.01
"""Chance that any kept pair is one by chance alone."""


@dataclass(frozen=True)
class Pairs:
    """Items bought with an item, best first within each item.

    Attributes
    ----------
    item, other : places
    baskets : baskets with both
    share : share of the item's baskets that also hold the other
    lift : that share over the share of all baskets that hold the other
    p_value : chance of as many common baskets if the two had nothing to do with one another (one-sided, binomial)
    """

    item: IntArray
    other: IntArray
    baskets: IntArray
    share: FloatArray
    lift: FloatArray
    p_value: FloatArray
    n_baskets: int


@dataclass(frozen=True)
class Companions:
    """For customers, what completes what they bought: one item each, with the owned one it goes with; places."""

    customer: IntArray
    item: IntArray
    owned: IntArray
    share: FloatArray


def completing(pairs: Pairs, known: Interactions, offered: npt.NDArray[np.bool_]) -> Companions:
    """Return for each customer the item they do not own that stands most often in baskets with one they own.

    Customers for whom there is none are left out; of equal ones the lower place counts.

    Examples
    --------
    >>> from customer_genome.models.recommend.contract import interactions
    >>> one = np.ones(2)
    >>> pairs = Pairs(np.array([0, 0]), np.array([1, 2]), np.array([9, 8]), np.array([0.9, 0.8]), one, one, 10)
    >>> known = interactions([0, 1, 1], [0, 0, 1], [5, 5, 5], n_customers=3, n_items=3, as_of=9, horizon_days=7)
    >>> found = completing(pairs, known, np.ones(3, dtype=bool))
    >>> found.customer.tolist(), found.item.tolist(), found.owned.tolist()
    ([0, 1], [1, 2], [0, 0])
    """
    kept = offered[pairs.other]
    item, other, share = pairs.item[kept], pairs.other[kept], pairs.share[kept]
    starts = np.searchsorted(item, np.arange(known.n_items + 1))
    matrix = known.owned
    who = np.repeat(np.arange(known.n_customers), np.diff(matrix.indptr))
    counts = starts[matrix.indices + 1] - starts[matrix.indices]
    rows = np.repeat(np.arange(len(who)), counts)
    at = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts) + starts[matrix.indices][rows]
    customer, wanted, owned = who[rows], other[at], matrix.indices[rows].astype(np.int64)
    mine = np.sort(who * known.n_items + matrix.indices)
    key = customer * known.n_items + wanted
    new = mine[np.minimum(np.searchsorted(mine, key), max(len(mine) - 1, 0))] != key if len(mine) else np.zeros(0, dtype=bool)
    customer, wanted, owned, likely = customer[new], wanted[new], owned[new], share[at][new]
    order = np.lexsort((owned, wanted, -likely, customer))
    first = order[np.append(True, np.diff(customer[order]) != 0)[: len(order)]]
    return Companions(customer[first], wanted[first], owned[first], likely[first])


def baskets_of(known: Interactions) -> Any:
    """Return what each customer bought on each day: sparse 0/1, shape (n_baskets, n_items)."""
    from scipy.sparse import csr_matrix

    keys = known.customer * 100_000 + known.day
    _, rows = np.unique(keys, return_inverse=True)
    n = int(rows.max(initial=-1)) + 1
    return csr_matrix((np.ones(len(known), dtype=np.float32), (rows, known.item)), shape=(n, known.n_items))


def bought_together(baskets: Any, most: int = 5, rows: int = 256) -> Pairs:
    """Return for each item up to `most` others that stand with it in more baskets than chance explains.

    Pairs need 5 common baskets, and a p-value so small that fewer than one in a hundred such tables would hold a single false
    pair (Bonferroni over all pairs with 5 common baskets). Order: the lower end of the lift (common baskets less two standard
    deviations), so that rare pairs do not lead by luck.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> table = np.array([[1, 1, 0]] * 20 + [[0, 0, 1]] * 60 + [[1, 0, 1]] * 5)
    >>> found = bought_together(csr_matrix(table.astype(np.float32)))
    >>> found.item.tolist(), found.other.tolist(), found.baskets.tolist()
    ([0, 1], [1, 0], [20, 20])
    """
    from scipy.special import bdtrc

    n_baskets, n_items = baskets.shape
    sizes = np.asarray(baskets.sum(axis=0)).ravel().astype(np.int64)
    by_item = baskets.T.tocsr()
    cells: list[tuple[IntArray, IntArray, IntArray]] = []
    n_looked_at = 0
    for start in range(0, n_items, rows):
        common = (by_item[start : start + rows] @ baskets).tocoo()
        kept = (common.data >= FEWEST_BASKETS) & (common.row + start != common.col)
        item, other, count = common.row[kept] + start, common.col[kept], np.rint(common.data[kept]).astype(np.int64)
        n_looked_at += len(item)
        more = count * n_baskets > sizes[item] * sizes[other]
        cells.append((item[more].astype(np.int64), other[more].astype(np.int64), count[more]))
    if not cells:
        cells.append((np.zeros(0, np.int64),) * 3)
    item, other, count = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    expected = sizes[item] * sizes[other] / max(n_baskets, 1)
    careful = (count - 2 * np.sqrt(count)) / np.maximum(expected, 1e-12)
    order = np.lexsort((other, -careful, item))
    place = np.arange(len(order)) - np.searchsorted(item[order], item[order])
    order = order[place < most]
    p_value = np.asarray(bdtrc(count[order] - 1.0, sizes[item[order]], sizes[other[order]] / max(n_baskets, 1)), dtype=np.float64)
    sure = p_value * max(n_looked_at, 1) < FALSE_CHANCE
    order, p_value = order[sure], p_value[sure]
    return Pairs(
        item[order],
        other[order],
        count[order],
        count[order] / np.maximum(sizes[item[order]], 1),
        count[order] / np.maximum(expected[order], 1e-12),
        p_value,
        n_baskets,
    )
