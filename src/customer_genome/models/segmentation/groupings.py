"""Three ways to part customers, behind one interface: KMeans, Ward's tree and a Gaussian mixture.

Comes in: points of `behaviour_space`, one row per customer, sorted. Goes out: a `Grouping` of plain arrays that puts any customer into
a group, row by row: which other customers are asked about at the same time changes nothing. Groups have places 0..k-1 here;
the numbers that are published are given in `segment_numbers`. Fits are to run in one thread (`clusters.fit_clusters` sees to that), so that sums
are taken in one order. This module must not read tables, files or settings.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from customer_genome.models.segmentation.mixture import fit_normal_mixture
from customer_genome.models.segmentation.segments import FloatArray, IntArray, significant
from customer_genome.models.segmentation.ward import ward_tree

Method = Literal["kmeans", "hierarchical", "gmm"]
METHODS: tuple[Method, ...] = get_args(Method)
MOST_MICRO_CLUSTERS = 400
ROWS_TO_MIX = 20_000
NARROWEST_VARIANCE = 0.03
"""Added to the variance of a mixture's groups in every direction, in squared spreads: customers with one order all have the same count,
and without it such ties would be groups of no width."""
BETTER_START = 0.005
"""By how much (of the sum of squares) a fresh start has to beat the groups of the run before to replace them."""


@dataclass(frozen=True)
class Grouping(ABC):
    """Customers parted into groups. `places` works row by row."""

    method: ClassVar[Method]

    @property
    @abstractmethod
    def k(self) -> int:
        """Return the number of groups."""

    @abstractmethod
    def places(self, points: FloatArray) -> IntArray:
        """Return the group of each customer, int array of shape (n_customers,), 0..k-1."""

    @abstractmethod
    def reordered(self, order: IntArray) -> Self:
        """Return the groups at the places `order`, which may be fewer, in that order."""

    @abstractmethod
    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything `from_arrays` needs as plain arrays."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the grouping that `to_arrays` wrote."""


@dataclass(frozen=True)
class KMeansGrouping(Grouping):
    """Each customer belongs to the nearest of `centres`, float array of shape (k, n_features)."""

    method: ClassVar[Method] = "kmeans"
    centres: FloatArray

    @property
    def k(self) -> int:
        """Return the number of groups."""
        return len(self.centres)

    def places(self, points: FloatArray) -> IntArray:
        """Return the nearest centre of each customer; the first of equally near ones."""
        return nearest(points, self.centres)

    def reordered(self, order: IntArray) -> Self:
        """Return the groups at some places."""
        return type(self)(self.centres[order])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the centres."""
        return {"centres": self.centres}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the groups of stored centres."""
        return cls(arrays["centres"])


@dataclass(frozen=True)
class WardGrouping(Grouping):
    """Each customer belongs to the group of the nearest micro-cluster, as a tree over the micro-clusters joined them.

    Attributes
    ----------
    micro : float array, shape (n_micro, n_features)
        Centres of micro-clusters; where there are few different customers, the customers themselves.
    group_of : int array, shape (n_micro,), 0..k-1
    centres : float array, shape (k, n_features), optional
        The means of the groups. With them a customer belongs to the nearest mean, without them to the branch of the nearest micro-cluster.
    """

    method: ClassVar[Method] = "hierarchical"
    micro: FloatArray
    group_of: IntArray
    centres: FloatArray | None = None

    @property
    def k(self) -> int:
        """Return the number of groups."""
        return int(self.group_of.max()) + 1

    def places(self, points: FloatArray) -> IntArray:
        """Return the group of the nearest mean of each customer, or of the nearest micro-cluster where means were not taken."""
        if self.centres is not None:
            return nearest(points, self.centres)
        return np.asarray(self.group_of[nearest_of_many(points, self.micro)], dtype=np.int64)

    def settled(self, points: FloatArray) -> Self:
        """Return the groups with the means of these customers: whoever lies nearer to another branch's mean goes there.

        A branch has ragged edges: which side a customer on them is on changes with every sample. Source: Lebart, Morineau & Piron (1995),
        Statistique exploratoire multidimensionnelle, "consolidation" of a tree; here with one step, so that the tree still decides.
        """
        return type(self)(self.micro, self.group_of, group_means(points, self.places(points), self.k))

    def reordered(self, order: IntArray) -> Self:
        """Return the groups at some places; micro-clusters of the others go."""
        new_place = np.full(self.k, -1, dtype=np.int64)
        new_place[order] = np.arange(len(order))
        group_of = new_place[self.group_of]
        centres = None if self.centres is None else self.centres[order]
        return type(self)(self.micro[group_of >= 0], group_of[group_of >= 0], centres)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the micro-clusters, their groups and the means."""
        return {"micro": self.micro, "group_of": self.group_of} | ({} if self.centres is None else {"centres": self.centres})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the groups of stored micro-clusters."""
        return cls(arrays["micro"], np.asarray(arrays["group_of"], dtype=np.int64), arrays.get("centres"))


@dataclass(frozen=True)
class MixtureGrouping(Grouping):
    """Each customer belongs to the group under whose normal distribution, times its share, they are likeliest.

    Attributes
    ----------
    means : float array, shape (k, n_features)
    factors : float array, shape (k, n_features, n_features)
        Upper triangular Cholesky factors of the precision matrices.
    shares : float array, shape (k,), of all customers, adding up to 1
    """

    method: ClassVar[Method] = "gmm"
    means: FloatArray
    factors: FloatArray
    shares: FloatArray

    @property
    def k(self) -> int:
        """Return the number of groups."""
        return len(self.means)

    def places(self, points: FloatArray) -> IntArray:
        """Return the likeliest group of each customer; the first of equally likely ones."""
        return np.asarray(np.argmax(self._log_likely(points), axis=1), dtype=np.int64)

    def memberships(self, points: FloatArray) -> FloatArray:
        """Return how likely each customer belongs to each group, shape (n_customers, k); rows add up to 1."""
        likely = self._log_likely(points)
        parts = np.exp(likely - likely.max(axis=1, keepdims=True))
        return np.asarray(parts / parts.sum(axis=1, keepdims=True), dtype=np.float64)

    def _log_likely(self, points: FloatArray) -> FloatArray:
        """Return the log of share times density, but for a constant, to 12 digits; shape (n_customers, k)."""
        found = np.empty((len(points), self.k))
        for place, (mean, factor, part) in enumerate(zip(self.means, self.factors, self.shares, strict=True)):
            away = points - mean
            distance = np.zeros(len(points))
            for j in range(factor.shape[1]):  # no matrix product: its last bits depend on how many rows are asked about
                along = np.zeros(len(points))
                for i in range(j + 1):
                    along += away[:, i] * factor[i, j]
                distance += np.square(along)
            found[:, place] = significant(np.log(part) + np.log(np.diagonal(factor)).sum() - distance / 2)
        return found

    def reordered(self, order: IntArray) -> Self:
        """Return the groups at some places."""
        return type(self)(self.means[order], self.factors[order], self.shares[order])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return means, factors and shares."""
        return {"means": self.means, "factors": self.factors, "shares": self.shares}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the groups of stored distributions."""
        return cls(arrays["means"], arrays["factors"], arrays["shares"])


KINDS: Mapping[Method, type[Grouping]] = {kind.method: kind for kind in (KMeansGrouping, WardGrouping, MixtureGrouping)}


def fit_kmeans(points: FloatArray, k: int, seed: int, *, start: IntArray | None = None, n_init: int = 4) -> KMeansGrouping:
    """Part customers by KMeans.

    Parameters
    ----------
    start : int array, shape (n_customers,), optional
        Groups 0..k-1 of the run before: they stay unless a fresh start is clearly better.

    Source
    ------
    Lloyd (1982), IEEE Trans. Inf. Theory 28(2), as in scikit-learn.
    """
    from sklearn.cluster import KMeans

    found = KMeans(n_clusters=k, n_init=n_init, random_state=seed).fit(points)
    if start is not None and _fills(start, k):
        kept = KMeans(n_clusters=k, n_init=1, init=group_means(points, start, k), random_state=seed).fit(points)
        found = found if found.inertia_ < kept.inertia_ * (1 - BETTER_START) else kept
    return KMeansGrouping(np.asarray(found.cluster_centers_, dtype=np.float64))


@dataclass(frozen=True)
class WardTree:
    """Ward's tree over micro-clusters: cut at any k, it gives the groups of that k.

    Attributes
    ----------
    micro : float array, shape (n_micro, n_features)
    merges : int array, shape (n_micro - 1, 2)
        Which two are joined, cheapest first; number n_micro + i is what merge i made.
    """

    micro: FloatArray
    merges: IntArray

    @classmethod
    def of(cls, points: FloatArray, seed: int, *, start: IntArray | None = None, most: int = MOST_MICRO_CLUSTERS) -> Self:
        """Grow the tree. Above `most` different customers it stands on micro-clusters, each weighing its customers.

        Parameters
        ----------
        start : int array, shape (n_customers,), optional
            The micro-cluster of each customer in the run before, from which the new ones are found.

        Source
        ------
        Ward (1963), JASA 58; Murtagh & Legendre (2014), J. Classification 31, with weights.
        """
        from sklearn.cluster import KMeans

        micro, counts = np.unique(points, axis=0, return_counts=True)
        if len(micro) > most:
            if start is not None:
                present, start = np.unique(start, return_inverse=True)
                first, n_micro = group_means(points, start, len(present)), len(present)
            else:
                first, n_micro = spread_out(points, most), most
            found = KMeans(n_clusters=n_micro, init=first, n_init=1, max_iter=12, tol=1e-3).fit(points)
            centres = np.asarray(found.cluster_centers_, dtype=np.float64)
            sizes = np.bincount(nearest_of_many(points, centres), minlength=len(centres))
            micro, counts = centres[sizes > 0], sizes[sizes > 0]
        return cls(micro, ward_tree(micro, counts.astype(np.float64)))

    def cut(self, k: int) -> WardGrouping:
        """Return the groups where k branches remain."""
        n = len(self.micro)
        k = min(k, n)
        root = np.arange(2 * n - 1)
        for number, (one, other) in enumerate(self.merges[: n - k]):
            root[one] = root[other] = n + number
        for place in range(2 * n - 2, -1, -1):  # from the top down, so that a branch finds its root in one step
            root[place] = root[root[place]]
        _, group_of = np.unique(root[:n], return_inverse=True)
        return WardGrouping(self.micro, group_of.astype(np.int64))


def fit_mixture(
    points: FloatArray, start: FloatArray, *, steps: int = 100, tolerance: float = 1e-3
) -> tuple[MixtureGrouping, float, float]:
    """Part customers by a mixture of k normal distributions with free covariances.

    Parameters
    ----------
    start : float array, shape (n_customers, k)
        How far each customer belongs to each group to begin with; no group without anybody.

    Returns
    -------
    the grouping, the mean log-likelihood per customer, and the Bayesian information criterion
    """
    found = fit_normal_mixture(points, start, narrowest=NARROWEST_VARIANCE, steps=steps, tolerance=tolerance)
    return MixtureGrouping(found.means, found.factors, found.shares), found.score, found.bic(len(points))


def as_memberships(places: IntArray) -> FloatArray:
    """Return groups as memberships of 0 and 1, shape (n_customers, k); groups without anybody are left out."""
    present, own = np.unique(places, return_inverse=True)
    return np.asarray(own[:, None] == np.arange(len(present)), dtype=np.float64)


def nearest(points: FloatArray, centres: FloatArray) -> IntArray:
    """Return the position of the nearest centre of each point; the first of equally near ones."""
    found = np.zeros(len(points), dtype=np.int64)
    smallest = np.full(len(points), np.inf)
    for number, centre in enumerate(centres):
        distance = np.square(points - centre).sum(axis=1)
        nearer = distance < smallest
        found[nearer], smallest[nearer] = number, distance[nearer]
    return found


def nearest_of_many(points: FloatArray, centres: FloatArray) -> IntArray:
    """Return the position of the nearest of many centres, by a tree over them."""
    from scipy.spatial import cKDTree

    _, found = cKDTree(centres).query(points)
    return np.asarray(found, dtype=np.int64)


def group_means(points: FloatArray, places: IntArray, k: int) -> FloatArray:
    """Return the mean of each group, shape (k, n_features); NaN where nobody is in it."""
    sizes = np.bincount(places, minlength=k).astype(np.float64)
    sums = np.column_stack([np.bincount(places, weights=column, minlength=k) for column in points.T])
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / sizes[:, None], dtype=np.float64)


def spread_out(points: FloatArray, n: int) -> FloatArray:
    """Return `n` centres spread over the customers: the part with most squares is cut at its mean along its widest feature, again and again.

    No chance is in it. Source: Su & Dy (2007), Intelligent Data Analysis 11(4), "Var-Part".
    """
    import heapq

    def part(rows: IntArray) -> tuple[float, int, IntArray]:
        own = points[rows]
        squares = np.square(own - own.mean(axis=0)).sum(axis=0)
        return -float(squares.sum()), int(np.argmax(squares)), rows

    number = 0
    squares, feature, rows = part(np.arange(len(points)))
    heap = [(squares, number, feature, rows)]
    while len(heap) < n and heap[0][0] < 0:
        _, _, feature, rows = heapq.heappop(heap)
        values = points[rows, feature]
        low = values <= values.mean()
        for half in (rows[low], rows[~low]):
            number += 1
            squares, feature, own = part(half)
            heapq.heappush(heap, (squares, number, feature, own))
    return np.array([points[rows].mean(axis=0) for _, _, _, rows in sorted(heap, key=lambda item: item[1])])


def _fills(places: IntArray, k: int) -> bool:
    """Return whether every one of k groups has members."""
    return len(places) > 0 and len(np.unique(places)) == k
