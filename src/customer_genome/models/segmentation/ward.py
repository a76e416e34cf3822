"""Ward's tree over weighted points.

Comes in: points and how many customers each stands for. Goes out: which two are joined, cheapest first. With weights of 1 it is the
tree of every textbook; no ready-made one takes weights. This module must not read tables, files or settings.
"""

from __future__ import annotations

import numpy as np

from customer_genome.models.segmentation.segments import FloatArray, IntArray, significant


def ward_tree(points: FloatArray, weights: FloatArray) -> IntArray:
    """Return the merges of Ward's tree: each joins the two whose union adds least to the sum of squares within.

    Parameters
    ----------
    points : float array, shape (n, n_features)
    weights : float array, shape (n,), above 0

    Returns
    -------
    int array, shape (n - 1, 2)
        Numbers 0..n-1 are points, n + i is what merge i made; cheapest merges first.

    Source
    ------
    Nearest-neighbour chain: Murtagh (1983), Computer Journal 26(4). Cost w1 w2 / (w1 + w2) * |c1 - c2|^2.
    """
    n = len(points)
    centre, weight = points.astype(np.float64).copy(), weights.astype(np.float64).copy()
    is_open = np.ones(n, dtype=np.bool_)
    joined: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(joined) < n - 1:
        if not chain:
            chain.append(int(np.argmax(is_open)))
        last = chain[-1]
        cost = np.square(centre - centre[last]).sum(axis=1) * (weight * weight[last] / (weight + weight[last]))
        cost[~is_open] = np.inf
        cost[last] = np.inf
        cheapest = int(np.argmin(cost))
        if len(chain) > 1 and cost[chain[-2]] <= cost[cheapest]:
            cheapest = chain[-2]
        if len(chain) < 2 or cheapest != chain[-2]:
            chain.append(cheapest)
            continue
        del chain[-2:]
        keep, gone = sorted((last, cheapest))
        joined.append((float(cost[cheapest]), keep, gone))
        both = weight[keep] + weight[gone]
        centre[keep] = (centre[keep] * weight[keep] + centre[gone] * weight[gone]) / both
        weight[keep], is_open[gone] = both, False
    return _numbered(joined, n)


def _numbered(joined: list[tuple[float, int, int]], n: int) -> IntArray:
    """Return merges cheapest first, each branch named by the number of the merge that made it."""
    costs = significant([cost for cost, _, _ in joined])
    order = np.argsort(costs, kind="stable")  # a chain finds the two parts of a union before the union, at no higher cost
    branch = np.arange(n)
    root = np.arange(n)

    def top(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = int(root[place])
        return place

    merges = np.empty((n - 1, 2), dtype=np.int64)
    for number, place in enumerate(order):
        _, keep, gone = joined[place]
        one, other = top(keep), top(gone)
        merges[number] = branch[one], branch[other]
        root[other] = one
        branch[one] = n + number
    return merges
