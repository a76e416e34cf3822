"""How many clusters? Every candidate is judged by elbow, silhouette, information criterion and steadiness; one is chosen, in words.

Comes in: points of `behaviour_space`, sorted, few enough to look at every pair of customers. Goes out: one `ClusterCount` per method and
number of clusters, the chosen number and why. This module must not read tables, files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from customer_genome.models.segmentation.groupings import (
    METHODS,
    Grouping,
    KMeansGrouping,
    Method,
    WardTree,
    as_memberships,
    fit_kmeans,
    fit_mixture,
    group_means,
)
from customer_genome.models.segmentation.segments import FloatArray, IntArray

CANDIDATE_KS: tuple[int, ...] = (3, 4, 5, 6, 7, 8)
DIFFERENT_CUSTOMERS_PER_CLUSTER = 5
SMALLEST_SHARE = 0.01
NEAR_TIE = 0.05
STEADY = 0.15
"""How far below the steadiest number's adjusted Rand index a number may lie."""
STEADY_MIXTURE = 0.05
"""The same for a mixture, whose criterion nearly always asks for more groups than come again in another sample."""
NEAR_CRITERION = 0.1
"""How much worse than the best, as a share of the span of the criterion, the number of the run before may be and stay."""
N_RESAMPLES = 10
RESAMPLE_SEED = 20
ROWS_TO_RESAMPLE = 1_500
MICRO_CLUSTERS_OF_RESAMPLES = 150


@dataclass(frozen=True)
class ClusterCount:
    """One number of clusters that was tried with one method, judged on an evenly spaced part of the customers.

    Attributes
    ----------
    wcss : sum of squared distances to the own cluster's mean, in squared spreads (the elbow chart)
    inertia : the same per customer
    silhouette : -1..1, higher = better parted
    bic : Bayesian information criterion of a mixture, lower = better; NaN for the other methods
    stability : mean adjusted Rand index between these clusters and those found in resamples of the customers; 1 = the same clusters
        every time, 0 = no more alike than by chance; NaN where it was not asked
    smallest_share : share of customers in the smallest cluster
    """

    method: Method
    k: int
    wcss: float
    inertia: float
    silhouette: float
    bic: float
    stability: float
    smallest_share: float


def judge_counts(
    points: FloatArray, ks: Mapping[Method, Sequence[int]], seed: int
) -> tuple[tuple[ClusterCount, ...], dict[int, KMeansGrouping]]:
    """Judge every number of clusters with every method, by silhouette, sum of squares, steadiness and, of the mixture, its criterion.

    Returns
    -------
    one figure per method and k, and the KMeans clusters of each k
    """
    tree = WardTree.of(points, seed)
    distances = pairwise_distances(points)
    drawn = [Resample.of(points, rows, seed) for rows in _resamples(points)]
    tried: dict[Method, list[ClusterCount]] = {name: [] for name in METHODS}
    centres: dict[int, KMeansGrouping] = {}
    for k in sorted({k for wanted in ks.values() for k in wanted}):
        kmeans = centres[k] = fit_kmeans(points, k, seed)
        start = kmeans.places(points)
        mixture, _, bic = fit_mixture(points, as_memberships(start))
        places: dict[Method, IntArray] = {
            "kmeans": start,
            "hierarchical": tree.cut(k).settled(points).places(points),
            "gmm": mixture.places(points),
        }
        steady_of = steadiness(points, places, k, drawn)
        for name in (one for one in METHODS if k in ks[one]):
            own, steady = places[name], steady_of[name]
            wcss = within_squares(points, own)
            tried[name].append(
                ClusterCount(
                    name,
                    k,
                    wcss,
                    wcss / len(points),
                    silhouette(distances, own),
                    bic if name == "gmm" else float("nan"),
                    steady,
                    float(np.bincount(own, minlength=k).min()) / len(points),
                )
            )
    return tuple(count for name in METHODS for count in tried[name]), centres


@dataclass(frozen=True)
class Resample:
    """Customers drawn with replacement, and Ward's tree over them, which serves every number of clusters."""

    points: FloatArray
    n_different: int
    tree: WardTree
    seed: int

    @classmethod
    def of(cls, points: FloatArray, rows: IntArray, seed: int) -> Self:
        """Return the customers at these rows."""
        drawn = points[rows]
        tree = WardTree.of(drawn, seed, most=MICRO_CLUSTERS_OF_RESAMPLES)
        return cls(drawn, len(np.unique(drawn, axis=0)), tree, seed)

    def groupings(self, k: int) -> dict[Method, Grouping]:
        """Return these customers parted by every method, quickly."""
        kmeans = fit_kmeans(self.points, k, self.seed, n_init=1)
        mixture = fit_mixture(self.points, as_memberships(kmeans.places(self.points)))[0]
        return {"kmeans": kmeans, "hierarchical": self.tree.cut(k).settled(self.points), "gmm": mixture}


def _resamples(points: FloatArray) -> list[IntArray]:
    """Return rows drawn with replacement, several times; the same ones whatever the seed of a run."""
    chance = np.random.default_rng(RESAMPLE_SEED)
    n = min(len(points), ROWS_TO_RESAMPLE)
    return [np.sort(chance.integers(0, len(points), n)) for _ in range(N_RESAMPLES)]


def steadiness(points: FloatArray, places: Mapping[Method, IntArray], k: int, drawn: Sequence[Resample]) -> dict[Method, float]:
    """Return by method the mean adjusted Rand index between `places` and the clusters found in each resample; NaN where none has k different customers."""
    found: dict[Method, list[float]] = {method: [] for method in METHODS}
    for one in drawn:
        if one.n_different > k:
            for method, grouping in one.groupings(k).items():
                found[method].append(adjusted_rand(places[method], grouping.places(points)))
    return {method: float(np.mean(values)) if values else float("nan") for method, values in found.items()}


def pairwise_distances(points: FloatArray) -> FloatArray:
    """Return the distance of every two customers, shape (n_customers, n_customers)."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(points, points), dtype=np.float64)


def silhouette(distances: FloatArray, places: IntArray) -> float:
    """Return the mean silhouette, -1..1; 0 where there are not at least two clusters, or nothing but single customers.

    Source
    ------
    Rousseeuw (1987), J. Comput. Appl. Math. 20. Checked against scikit-learn: tests/models/segmentation/test_cluster_counts.py
    """
    _, own = np.unique(places, return_inverse=True)
    sizes = np.bincount(own).astype(np.float64)
    if not 1 < len(sizes) < len(own):
        return 0.0
    rows = np.arange(len(own))
    member = np.zeros((len(own), len(sizes)))
    member[rows, own] = 1.0
    to_all = distances @ member
    within = to_all[rows, own] / np.maximum(sizes[own] - 1, 1)
    to_others = to_all / sizes
    to_others[rows, own] = np.inf
    nearest_other = to_others.min(axis=1)
    larger = np.maximum(within, nearest_other)
    each = np.divide(nearest_other - within, larger, out=np.zeros(len(own)), where=(larger > 0) & (sizes[own] > 1))
    return float(each.mean())


def within_squares(points: FloatArray, places: IntArray) -> float:
    """Return the sum of squared distances to the own cluster's mean."""
    k = int(places.max()) + 1
    return float(np.square(points - group_means(points, places, k)[places]).sum())


def adjusted_rand(one: IntArray, other: IntArray) -> float:
    """Return how alike two partings of the same customers are: 1 = the same, 0 = as by chance.

    Source
    ------
    Hubert & Arabie (1985), J. Classification 2. Checked against scikit-learn: tests/models/segmentation/test_cluster_counts.py
    """
    _, first = np.unique(one, return_inverse=True)
    _, second = np.unique(other, return_inverse=True)
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1.0)
    pairs = (np.square(table) - table).sum() / 2
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    of_one, of_other = (np.square(rows) - rows).sum() / 2, (np.square(columns) - columns).sum() / 2
    n = len(first)
    by_chance = of_one * of_other / max(n * (n - 1) / 2, 1)
    most = (of_one + of_other) / 2
    return 1.0 if most == by_chance else float((pairs - by_chance) / (most - by_chance))


def elbow(counts: Sequence[ClusterCount]) -> int:
    """Return the k at which the curve of `wcss` bends most: the point farthest below the line from its first to its last."""
    if len(counts) < 3:
        return counts[0].k
    ks = np.array([count.k for count in counts], dtype=np.float64)
    squares = np.array([count.wcss for count in counts])
    along = (ks - ks[0]) / (ks[-1] - ks[0])
    fall = (squares[0] - squares) / max(squares[0] - squares[-1], 1e-300)
    return counts[int(np.argmax(fall - along))].k


def choose_count(tried: Sequence[ClusterCount], method: Method, before: int = 0) -> tuple[int, str]:
    """Return the best number of clusters and why: the clearest parting that is steady and whose clusters are big enough to act on.

    Of a mixture it is the number with the lowest information criterion among those, since its groups may overlap and be no clear parting.

    The silhouette differs by less than `NEAR_TIE` between samples of the same shop; among partings that close, the one with
    most clusters tells most customers apart. The number of the run before stays while it is nearly as clear and steady.

    Parameters
    ----------
    before : int
        The number of clusters of the run before, 0 for none.
    """
    own = [count for count in tried if count.method == method]
    big = [count for count in own if count.smallest_share >= SMALLEST_SHARE] or own
    known = [count.stability for count in big if not np.isnan(count.stability)]
    steadiest = max(known, default=0.0)
    usable = [count for count in big if np.isnan(count.stability) or count.stability >= steadiest - STEADY]
    if method == "gmm" and not np.isnan([count.bic for count in usable]).any():
        return _by_criterion(tried, own, big, usable, before, steadiest)
    clearest = max(count.silhouette for count in usable)
    near = [count for count in usable if count.silhouette >= clearest - NEAR_TIE * abs(clearest)]
    kept = next((count for count in own if count.k == before and _is_good_enough(count, clearest, steadiest)), None)
    best = kept or max(near, key=lambda count: count.k)
    if best.silhouette == clearest:
        is_first = best.silhouette >= max(count.silhouette for count in own)
        how = "most clearly" if is_first else "most clearly of those that are steady and large enough"
    elif kept:
        how = f"about as clearly as any (within {2 * NEAR_TIE:.0%}), and are as many as in the run before"
    else:
        how = f"as clearly as any within {NEAR_TIE:.0%} and tell most of them apart"
    silhouettes = ", ".join(f"{count.k}: {count.silhouette:.3f}" for count in own)
    return best.k, " ".join(
        (
            f"{best.k} clusters part the customers {how} (silhouette {silhouettes}).",
            *_passed_over(own, big, usable, best.k),
            *_other_views(tried, own),
        )
    )


def _by_criterion(
    tried: Sequence[ClusterCount],
    own: Sequence[ClusterCount],
    big: Sequence[ClusterCount],
    usable: Sequence[ClusterCount],
    before: int,
    steadiest: float,
) -> tuple[int, str]:
    """Return the number of groups of a mixture, by its own criterion among those that are steady and large enough."""
    steady = [count for count in usable if np.isnan(count.stability) or count.stability >= steadiest - STEADY_MIXTURE]
    best = min(steady or usable, key=lambda count: count.bic)
    span = max(count.bic for count in own) - min(count.bic for count in own)
    kept = next((count for count in own if count.k == before and count.bic <= best.bic + NEAR_CRITERION * span), None)
    if kept is not None and _is_still_steady(kept, steadiest):
        best = kept
    how = "nearly as well as any, and as many as in the run before" if best is kept else "best, less a fine for their number"
    figures = ", ".join(f"{count.k}: {count.bic:,.0f}" for count in own)
    told = (f"{best.k} groups describe the customers {how} (BIC {figures}).", *_passed_over(own, big, steady or usable, best.k))
    return best.k, " ".join((*told, *_other_views(tried, own)))


def _is_good_enough(count: ClusterCount, clearest: float, steadiest: float) -> bool:
    """Return whether a number of the run before may stay: it has twice the room, so that chance does not move it to and fro."""
    return count.silhouette >= clearest - 2 * NEAR_TIE * abs(clearest) and _is_still_steady(count, steadiest)


def _is_still_steady(count: ClusterCount, steadiest: float) -> bool:
    """Return whether a number of the run before is steady and its clusters are large enough to stay, with twice the room."""
    is_steady = np.isnan(count.stability) or count.stability >= steadiest - 2 * STEADY
    return bool(is_steady and count.smallest_share >= SMALLEST_SHARE / 2)


def _passed_over(
    own: Sequence[ClusterCount], big: Sequence[ClusterCount], usable: Sequence[ClusterCount], chosen: int
) -> list[str]:
    """Return which numbers were left out, and why."""
    small = [str(count.k) for count in own if count not in big]
    unsteady = [f"{count.k} ({count.stability:.2f})" for count in big if count not in usable and count.k != chosen]
    words = []
    if small:
        words.append(f"Passed over for a cluster under {SMALLEST_SHARE:.0%} of the customers: {', '.join(small)}.")
    if unsteady:
        words.append(f"Passed over because resampled customers part otherwise (adjusted Rand index): {', '.join(unsteady)}.")
    return words


def _other_views(tried: Sequence[ClusterCount], own: Sequence[ClusterCount]) -> list[str]:
    """Return what each other figure alone would choose."""
    mixtures = [count for count in tried if count.method == "gmm"]
    steady = [count for count in own if not np.isnan(count.stability)]
    views = [f"the elbow {elbow(own)}"]
    if mixtures:
        views.append(f"the information criterion {min(mixtures, key=lambda count: count.bic).k}")
    if steady:
        best = max(steady, key=lambda count: count.stability)
        views.append(f"steadiness under resampling {best.k} (adjusted Rand index {best.stability:.2f})")
    return [f"Each other figure alone would choose: {', '.join(views)}."]
