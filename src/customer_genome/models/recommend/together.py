"""Frequently bought together: which items stand in the same baskets more often than chance explains.

Comes in: baskets as a sparse 0/1 matrix (baskets, items). Goes out: pairs with support, confidence, lift and a p-value. A basket is
what one customer bought on one day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

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
