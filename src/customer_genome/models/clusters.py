"""KMeans clusters of customers who behave alike.

Comes in: NumPy features with one row per customer. Goes out: a `Clusters` value that can be stored as plain arrays and
puts later customers into the same clusters. Neither the order of the rows nor any unit changes a result. This module
must not read tables, files or settings, and gives clusters no names: `decisions.segment_names` does, from what their
customers do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.histories import check_weights
from customer_genome.models.segments import FloatArray, IntArray, significant

CLUSTER_FEATURES: tuple[str, ...] = (
    "recency_days",
    "n_orders",
    "total_spend",
    "mean_order_value",
    "tenure_days",
    "unique_products",
)
CANDIDATE_KS: tuple[int, ...] = (3, 4, 5, 6, 7, 8)
ROWS_TO_FIT = 50_000
ROWS_TO_JUDGE = 3_000
DIFFERENT_CUSTOMERS_PER_CLUSTER = 5
SMALLEST_SHARE = 0.01
NEAR_TIE = 0.05
WIDEST_SPREADS = 4.0


@dataclass(frozen=True)
class Transformation:
    """How raw features become the space in which KMeans measures distance.

    A column that is never negative and, by its name, no share or probability is divided by the median of its positive values and logged
    (log1p), so a doubling counts alike for every customer and no unit matters. Then every column is centred on its
    median, divided by its spread (interquartile range / 1.349; the standard deviation where that is 0) and held within
    four spreads, so that a few giants do not become a cluster of their own. Unknown values take the median.
    Columns that are the same for everybody have spread 0 and are left out.
    """

    names: tuple[str, ...]
    is_logged: npt.NDArray[np.bool_]
    unit: FloatArray
    fill: FloatArray
    centre: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, features: FloatArray, names: Sequence[str], weights: FloatArray | None = None) -> Self:
        """Learn the transformation from features of shape (n_customers, n_features), each customer counting `weights` times."""
        width = features.shape[1]
        weights = np.ones(len(features)) if weights is None else weights
        is_logged, unit, fill = np.zeros(width, dtype=np.bool_), np.ones(width), np.zeros(width)
        for j in range(width):
            known, weight = _ordered(features[:, j], weights)
            if len(known) == 0:
                continue
            fill[j] = _value_at(known, weight, 1, 2)
            is_logged[j] = known[0] >= 0 and known[-1] > 0 and not _is_share(names[j])
            if is_logged[j]:
                unit[j] = _value_at(known[known > 0], weight[known > 0], 1, 2)
        start = cls(tuple(names), is_logged, unit, fill, np.zeros(width), np.ones(width))
        levelled = [_ordered(column, weights) for column in start._levelled(features).T]
        centre = np.array([_value_at(known, weight, 1, 2) for known, weight in levelled])
        spread = np.array([_spread(known, weight) for known, weight in levelled])
        return cls(tuple(names), is_logged, unit, fill, centre, spread)

    def _levelled(self, features: FloatArray) -> FloatArray:
        """Return features filled and logged, not yet scaled."""
        filled = np.where(np.isnan(features), self.fill, features)
        logged = np.log1p(np.maximum(filled, 0.0) / self.unit)
        return significant(np.where(self.is_logged, logged, filled))

    def apply(self, features: FloatArray) -> FloatArray:
        """Return features in units of spread, shape (n_customers, n_features), within -4..4, to 12 significant digits."""
        scale = np.where(self.spread > 0, self.spread, 1.0)
        scaled = np.where(self.spread > 0, (self._levelled(features) - self.centre) / scale, 0.0)
        return significant(np.clip(scaled, -WIDEST_SPREADS, WIDEST_SPREADS))


def _is_share(name: str) -> bool:
    """Return whether a column's name says that it lies between 0 and 1."""
    return name.startswith("p_") or "share" in name or "probability" in name


def _ordered(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the known values in ascending order, with their weights."""
    known = np.flatnonzero(~np.isnan(values))
    places = known[np.argsort(values[known], kind="stable")]
    return values[places], weights[places]


def _value_at(ordered: FloatArray, weights: FloatArray, part: int, parts: int) -> float:
    """Return the smallest of sorted values that at least `part` in `parts` of the weight does not exceed; 1 in 2 is the lower median."""
    reached = np.cumsum(weights)
    place = np.searchsorted(reached * parts, float(reached[-1]) * part * (1 - 1e-12), side="left")
    return float(ordered[place])


def _spread(ordered: FloatArray, weights: FloatArray) -> float:
    """Return a robust spread of sorted values; 0 when they are all equal."""
    if ordered[0] == ordered[-1]:
        return 0.0
    middle_half = (_value_at(ordered, weights, 3, 4) - _value_at(ordered, weights, 1, 4)) / 1.349
    if middle_half > 0:
        return middle_half
    mean = np.average(ordered, weights=weights)
    return float(np.sqrt(np.average(np.square(ordered - mean), weights=weights)))


@dataclass(frozen=True)
class ClusterCount:
    """One number of clusters that was tried.

    `silhouette` is in -1..1 (higher = better parted), `inertia` the mean squared distance to the own centre (the elbow
    chart), `smallest_share` the share of customers in the smallest cluster.
    """

    k: int
    silhouette: float
    inertia: float
    smallest_share: float


@dataclass(frozen=True)
class Clusters:
    """KMeans clusters of customers. 0 is the cluster with the highest mean spend.

    Attributes
    ----------
    centres : float array, shape (k, n_features), in the units of `transformation`
    mean_spend : float array, shape (k,), money, descending
    labels : int array, shape (n_customers,)
        Of the customers it was fitted on; empty after `from_arrays`.
    tried : every number of clusters that was compared
    reason : why there are k clusters, in a sentence
    """

    centres: FloatArray
    mean_spend: FloatArray
    transformation: Transformation
    labels: IntArray
    tried: tuple[ClusterCount, ...]
    reason: str

    @property
    def k(self) -> int:
        """Return the number of clusters."""
        return len(self.centres)

    def predict(self, features: npt.ArrayLike, names: Sequence[str]) -> IntArray:
        """Return the nearest cluster of each customer, int array of shape (n_customers,), 0..k-1.

        Raises
        ------
        ContractError
            When `names` are not the names of the fit, in that order.
        """
        wanted = self.transformation.names
        if tuple(names) != wanted:
            raise ContractError(
                f"clusters: features are {', '.join(names)}. Wanted, in this order: {', '.join(wanted)}. "
                "Hand in the columns the clusters were made from, or fit again."
            )
        return _nearest(self.transformation.apply(_checked(features, names)), self.centres)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything `from_arrays` needs as plain arrays (numbers, booleans and text; no objects)."""
        t = self.transformation
        return {
            "centres": self.centres,
            "mean_spend": self.mean_spend,
            "names": np.array(t.names, dtype=np.str_),
            "is_logged": t.is_logged,
            "unit": t.unit,
            "fill": t.fill,
            "centre": t.centre,
            "spread": t.spread,
            "tried": np.array([(c.k, c.silhouette, c.inertia, c.smallest_share) for c in self.tried]).reshape(-1, 4),
            "reason": np.array(self.reason, dtype=np.str_),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the clusters that `to_arrays` wrote; they predict identically. `labels` are empty."""
        names = tuple(str(name) for name in arrays["names"])
        rest = (arrays[part] for part in ("is_logged", "unit", "fill", "centre", "spread"))
        tried = tuple(ClusterCount(int(k), float(s), float(i), float(m)) for k, s, i, m in arrays["tried"])
        no_labels = np.empty(0, dtype=np.int64)
        return cls(arrays["centres"], arrays["mean_spend"], Transformation(names, *rest), no_labels, tried, str(arrays["reason"]))


def fit_clusters(
    features: npt.ArrayLike,
    names: Sequence[str],
    spend: npt.ArrayLike,
    *,
    k: int = 0,
    seed: int = 7,
    weights: npt.ArrayLike | None = None,
) -> Clusters:
    """Part customers into clusters of like behaviour.

    Above 50,000 customers the centres are learned from customers evenly spaced in the sorted table; all are assigned.

    Parameters
    ----------
    features : float array, shape (n_customers, n_features); NaN = unknown
    names : one name per column; `CLUSTER_FEATURES` are the usual ones
    spend : float array, shape (n_customers,), money
        Orders the cluster numbers: 0 spends most on average.
    k : int
        Wanted number of clusters; 0 lets the silhouette choose among 3..8, passing over a k whose smallest cluster
        holds under 1 % of the customers.
    weights : float array, shape (n_customers,), optional
        How many customers each row stands for; 3 means the same as three equal rows.

    Returns
    -------
    Clusters
        With fewer than k clusters where fewer than k different customers exist; `reason` says so.

    Source
    ------
    Lloyd (1982), IEEE Trans. Inf. Theory 28(2); silhouette: Rousseeuw (1987), J. Comput. Appl. Math. 20.
    """
    table = _checked(features, names)
    money = np.asarray(spend, dtype=np.float64)
    if money.shape != (len(table),):
        raise ContractError(
            f"clusters: spend has shape {money.shape}. Wanted: one number for each of the {len(table)} customers."
        )
    if k < 0:
        raise ContractError(f"clusters: k = {k}. Wanted: 0 (let the data choose) or a number from 1 up.")
    weight = check_weights(weights, len(table))
    stands = weight > 0
    if not stands.any():
        raise ContractError("clusters: no customer has weight. Wanted: at least one weight above 0.")
    transformation = Transformation.of(table[stands], names, weight[stands])
    points = transformation.apply(table)
    sorted_rows = np.flatnonzero(stands)[np.lexsort(points[stands].T[::-1])]
    centres, tried, reason = _centres(points[sorted_rows[_spaced_by_weight(weight[sorted_rows], ROWS_TO_FIT)]], k, seed)
    order, mean_spend = _by_spend(_nearest(points, centres), money, centres, weight)
    return Clusters(centres[order], mean_spend, transformation, _nearest(points, centres[order]), tried, reason)


def _checked(features: npt.ArrayLike, names: Sequence[str]) -> FloatArray:
    """Return features as a float table, or say what is wrong with them."""
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(names) or len(names) == 0 or len(set(names)) != len(names):
        raise ContractError(
            f"clusters: features have shape {table.shape} and {len(names)} names. Wanted: one different name per column."
        )
    if len(table) == 0:
        raise ContractError("clusters: no customers. Wanted: at least one row of features.")
    endless = np.isinf(table).any(axis=0)
    if endless.any():
        where = ", ".join(name for name, bad in zip(names, np.atleast_1d(endless), strict=True) if bad)
        raise ContractError(
            f"clusters: infinite values in {where}. Wanted: finite numbers, or NaN for unknown. Correct the features."
        )
    return table


def _spaced(n: int, most: int) -> IntArray:
    """Return at most `most` evenly spaced positions of 0..n-1."""
    return np.arange(n, dtype=np.int64) if n <= most else np.arange(most, dtype=np.int64) * n // most


def _spaced_by_weight(weights: FloatArray, most: int) -> IntArray:
    """Return at most `most` positions, evenly spaced in weight: a row of weight 3 is taken as three equal rows would be."""
    reached = np.cumsum(weights)
    n = min(max(int(np.rint(reached[-1])), 1), most)
    steps = np.arange(n) * (float(reached[-1]) / n)
    places = np.searchsorted(reached, steps * (1 + 1e-12), side="right")
    return np.minimum(places, len(weights) - 1).astype(np.int64)


def _centres(points: FloatArray, k: int, seed: int) -> tuple[FloatArray, tuple[ClusterCount, ...], str]:
    """Return centres (k, n_features), what was tried, and the reason for k. `points` are sorted."""
    different = 1 + int((points[1:] != points[:-1]).any(axis=1).sum())
    if different == 1:
        who = "There is one customer" if len(points) == 1 else "All customers are alike in these features"
        return points[:1], (), f"{who}, so there is one cluster."
    if k:
        fitted = _fit_counts(points, (min(k, different),), seed)[0]
        reason = (
            f"{k} clusters were asked for."
            if k <= different
            else f"{k} were asked for, but only {different} different customers exist."
        )
        return fitted[1], (fitted[0],), reason
    candidates = tuple(c for c in CANDIDATE_KS if c * DIFFERENT_CUSTOMERS_PER_CLUSTER <= different)
    if not candidates:
        needed = CANDIDATE_KS[0] * DIFFERENT_CUSTOMERS_PER_CLUSTER
        return (
            points.mean(axis=0, keepdims=True),
            (),
            f"{different} different customers are too few to part (from {needed} on), so there is one cluster.",
        )
    fitted_all = _fit_counts(points, candidates, seed)
    tried = tuple(count for count, _ in fitted_all)
    best, reason = _choose(tried)
    return {count.k: centres for count, centres in fitted_all}[best], tried, reason


def _fit_counts(points: FloatArray, ks: Sequence[int], seed: int) -> list[tuple[ClusterCount, FloatArray]]:
    """Fit KMeans for every k and judge it on an evenly spaced part of the points."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    judged = _spaced(len(points), ROWS_TO_JUDGE)
    found = []
    with threadpool_limits(limits=1):  # sums in one order, so the last bits do not depend on the machine's cores
        for k in ks:
            model = KMeans(n_clusters=k, n_init=4, random_state=seed).fit(points)
            centres = np.asarray(model.cluster_centers_, dtype=np.float64)
            labels = _nearest(points, centres)
            share = float(np.bincount(labels, minlength=k).min()) / len(points)
            parts = len(np.unique(labels[judged]))
            can_judge = 1 < parts < len(judged)
            silhouette = float(silhouette_score(points[judged], labels[judged])) if can_judge else 0.0
            found.append((ClusterCount(k, silhouette, float(model.inertia_) / len(points), share), centres))
    return found


def _choose(tried: Sequence[ClusterCount]) -> tuple[int, str]:
    """Return the best number of clusters and why: the clearest parting whose clusters are all big enough to act on.

    The silhouette differs by less than `NEAR_TIE` between samples of the same shop; among partings that close, the one with
    most clusters tells most customers apart.
    """
    usable = [count for count in tried if count.smallest_share >= SMALLEST_SHARE] or list(tried)
    clearest = max(count.silhouette for count in usable)
    near = [count for count in usable if count.silhouette >= clearest - NEAR_TIE * abs(clearest)]
    best = max(near, key=lambda count: count.k)
    compared = ", ".join(f"{count.k}: {count.silhouette:.3f}" for count in tried)
    passed = [str(count.k) for count in tried if count not in usable]
    left_out = f" Passed over for a cluster under {SMALLEST_SHARE:.0%} of the customers: {', '.join(passed)}." if passed else ""
    how = (
        "most clearly" if best.silhouette == clearest else f"as clearly as any within {NEAR_TIE:.0%} and tell most of them apart"
    )
    return best.k, f"{best.k} clusters part the customers {how} (silhouette {compared}).{left_out}"


def _nearest(points: FloatArray, centres: FloatArray) -> IntArray:
    """Return the position of the nearest centre of each point; the first of equally near ones."""
    nearest = np.zeros(len(points), dtype=np.int64)
    smallest = np.full(len(points), np.inf)
    for number, centre in enumerate(centres):
        distance = np.square(points - centre).sum(axis=1)
        nearer = distance < smallest
        nearest[nearer], smallest[nearer] = number, distance[nearer]
    return nearest


def _by_spend(labels: IntArray, spend: FloatArray, centres: FloatArray, weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the clusters that have members, by mean spend descending (then by centre), and those means."""
    present = [int(c) for c in np.unique(labels[weights > 0])]
    means = {}
    for cluster in present:
        known, weight = _ordered(spend[labels == cluster], weights[labels == cluster])
        means[cluster] = float(significant(np.average(known, weights=weight))) if weight.sum() > 0 else 0.0
    order = sorted(present, key=lambda cluster: (-means[cluster], tuple(centres[cluster])))
    return np.array(order, dtype=np.int64), np.array([means[cluster] for cluster in order])
