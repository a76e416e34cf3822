"""Segments of customers who behave alike, found in three ways side by side, with numbers that stay from run to run.

Comes in: NumPy features with one row per customer. Goes out: a `Clusters` value that can be stored as plain arrays and
puts later customers into the same clusters, row by row. Neither the order of the rows nor any unit changes a result. This module
must not read tables, files or settings, and gives clusters no names: `decisions.segment_names` does, from what their
customers do; the names given last are only carried along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.histories import check_weights
from customer_genome.models.segmentation.behaviour_space import Transformation, checked_features, ordered
from customer_genome.models.segmentation.cluster_counts import (
    CANDIDATE_KS,
    DIFFERENT_CUSTOMERS_PER_CLUSTER,
    ClusterCount,
    choose_count,
    judge_counts,
)
from customer_genome.models.segmentation.groupings import (
    KINDS,
    METHODS,
    ROWS_TO_MIX,
    Grouping,
    KMeansGrouping,
    Method,
    MixtureGrouping,
    WardGrouping,
    WardTree,
    as_memberships,
    fit_kmeans,
    fit_mixture,
    nearest_of_many,
)
from customer_genome.models.segmentation.segment_numbers import Numbering, fresh_numbers, matched_numbers
from customer_genome.models.segmentation.segments import FloatArray, IntArray, significant

CLUSTER_FEATURES: tuple[str, ...] = (
    "recency_days",
    "n_orders",
    "total_spend",
    "mean_order_value",
    "tenure_days",
    "unique_products",
)
CLUSTER_COLUMNS: Mapping[Method, str] = {
    "kmeans": "cluster_kmeans",
    "hierarchical": "cluster_hierarchical",
    "gmm": "cluster_gmm",
}
"""The column in which each method's clusters are published."""
ROWS_TO_FIT = 50_000
ROWS_TO_JUDGE = 2_000
_TO_THE_END: Mapping[str, Any] = {"steps": 400, "tolerance": 1e-5}
SEED_OF_START = 20
"""Where a mixture has a number of groups of its own, it begins from the same KMeans groups whatever the seed of the run."""
BETTER_FIT = 0.005
"""By how much log-likelihood per customer a mixture begun anew has to beat that of the run before to replace it."""


@dataclass(frozen=True)
class Steadiness:
    """How far one method's clusters can be relied on to stay.

    Attributes
    ----------
    stability : mean adjusted Rand index against the clusters of resampled customers; NaN where there is one cluster
    kept_share : share of customers, as they are today, whose number is the one that the run before would have given; NaN without one
    """

    method: Method
    k: int
    stability: float
    kept_share: float
    new: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()


@dataclass(frozen=True)
class Clusters:
    """Clusters of customers by every method. In a first run 0 is the cluster with the highest mean spend; later, numbers stay.

    Attributes
    ----------
    transformation : the space they were found in, with the names of the features in order
    groupings, numbering : by method
    method : the method whose clusters are named as the shop's segments
    mean_spend : float array, shape (k,), money; of that method, by place
    labels : int array, shape (n_customers,)
        That method's numbers of the customers it was fitted on; empty after `from_arrays`.
    tried : every number of clusters that was compared
    steadiness : one per method
    reason : why there are k clusters of that method, in a sentence
    reasons : the same of every method
    names : method -> number -> (label, name) as last given, so that names stay too
    """

    transformation: Transformation
    groupings: Mapping[Method, Grouping]
    numbering: Mapping[Method, Numbering]
    method: Method
    mean_spend: FloatArray
    labels: IntArray
    tried: tuple[ClusterCount, ...]
    steadiness: tuple[Steadiness, ...]
    reason: str
    names: Mapping[Method, Mapping[int, tuple[str, str]]] = field(default_factory=dict)
    reasons: Mapping[Method, str] = field(default_factory=dict)

    @property
    def k(self) -> int:
        """Return the number of clusters of the method that names them."""
        return self.groupings[self.method].k

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of the features, in order."""
        return self.transformation.names

    def ids(self, method: Method | None = None) -> IntArray:
        """Return the numbers of a method's clusters, ascending."""
        return np.sort(self.numbering[method or self.method].ids)

    def predict(self, features: npt.ArrayLike, names: Sequence[str], method: Method | None = None) -> IntArray:
        """Return the cluster of each customer, int array of shape (n_customers,), by one method.

        Raises
        ------
        ContractError
            When `names` are not the names of the fit, in that order.
        """
        self.transformation.require(names)
        return self._numbers(self.transformation.apply(checked_features(features, names)), method or self.method)

    def assign(self, features: npt.ArrayLike, names: Sequence[str]) -> dict[str, IntArray]:
        """Return the cluster of each customer by every method, under the names of `CLUSTER_COLUMNS`."""
        self.transformation.require(names)
        points = self.transformation.apply(checked_features(features, names))
        return {CLUSTER_COLUMNS[method]: self._numbers(points, method) for method in METHODS}

    def _numbers(self, points: FloatArray, method: Method) -> IntArray:
        """Return the published numbers of points."""
        return np.asarray(self.numbering[method].ids[self.groupings[method].places(points)], dtype=np.int64)

    def with_names(self, names: Mapping[Method, Mapping[int, tuple[str, str]]]) -> Self:
        """Return the clusters carrying the names they were given."""
        return replace(self, names=names)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything `from_arrays` needs as plain arrays (numbers, booleans and text; no objects)."""
        arrays = self.transformation.to_arrays() | {
            "method": np.array(self.method, dtype=np.str_),
            "mean_spend": self.mean_spend,
            "reason": np.array(self.reason, dtype=np.str_),
            "tried_method": np.array([count.method for count in self.tried], dtype=np.str_),
            "tried": np.array([_figures(count) for count in self.tried], dtype=np.float64).reshape(-1, 7),
        }
        steady = {one.method: one for one in self.steadiness}
        for method in METHODS:
            numbering, one = self.numbering[method], steady[method]
            arrays |= {f"{method}_{name}": values for name, values in self.groupings[method].to_arrays().items()}
            carried = self.names.get(method, {})
            arrays |= {
                f"{method}_reason": np.array(self.reasons.get(method, ""), dtype=np.str_),
                f"{method}_ids": numbering.ids,
                f"{method}_next_id": np.array(numbering.next_id),
                f"{method}_steadiness": np.array([one.stability, one.kept_share]),
                f"{method}_new": np.array(one.new, dtype=np.int64),
                f"{method}_gone": np.array(one.gone, dtype=np.int64),
                f"{method}_named": np.array(sorted(carried), dtype=np.int64),
                f"{method}_names": np.array([carried[number] for number in sorted(carried)], dtype=np.str_).reshape(-1, 2),
            }
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the clusters that `to_arrays` wrote; they predict identically. `labels` are empty."""
        groupings: dict[Method, Grouping] = {}
        numbering: dict[Method, Numbering] = {}
        steadiness, names, reasons = [], {}, {}
        for method, kind in KINDS.items():
            own = {name.removeprefix(f"{method}_"): values for name, values in arrays.items() if name.startswith(f"{method}_")}
            groupings[method] = kind.from_arrays(own)
            stability, kept = (float(value) for value in own["steadiness"])
            new, gone = tuple(own["new"].tolist()), tuple(own["gone"].tolist())
            numbering[method] = Numbering(np.asarray(own["ids"], dtype=np.int64), int(own["next_id"]), kept, new, gone)
            reasons[method] = str(own.get("reason", ""))
            steadiness.append(Steadiness(method, groupings[method].k, stability, kept, new, gone))
            names[method] = {
                int(number): (str(label), str(name)) for number, (label, name) in zip(own["named"], own["names"], strict=True)
            }
        tried = tuple(
            ClusterCount(_method(str(method)), int(k), *(float(value) for value in figures))
            for method, (k, *figures) in zip(arrays["tried_method"], arrays["tried"], strict=True)
        )
        return cls(
            Transformation.from_arrays(arrays),
            groupings,
            numbering,
            _method(str(arrays["method"])),
            arrays["mean_spend"],
            np.empty(0, dtype=np.int64),
            tried,
            tuple(steadiness),
            str(arrays["reason"]),
            names,
            reasons,
        )


def fit_clusters(
    features: npt.ArrayLike,
    names: Sequence[str],
    spend: npt.ArrayLike,
    *,
    k: int = 0,
    k_of: Mapping[Method, int] | None = None,
    method: Method = "kmeans",
    seed: int = 7,
    weights: npt.ArrayLike | None = None,
    before: Clusters | None = None,
) -> Clusters:
    """Part customers into clusters of like behaviour, by every method.

    How many there are is decided on an evenly spaced part of 2,000 customers. Above 50,000 customers the clusters are learned from
    customers evenly spaced in the sorted table; all are assigned. Ward's tree stands on 400 micro-clusters where more customers differ.

    Parameters
    ----------
    features : float array, shape (n_customers, n_features); NaN = unknown
    names : one name per column; `CLUSTER_FEATURES` are the usual ones
    spend : float array, shape (n_customers,), money
        Orders the cluster numbers of a first run: 0 spends most on average.
    k : int
        Wanted number of clusters; 0 lets the data choose among 3..8, for every method by its own figures, see `cluster_counts.choose_count`.
    k_of : by method, optional
        Wanted number of its clusters, which goes before `k`.
    method : the method whose clusters become the shop's named segments
    weights : float array, shape (n_customers,), optional
        How many customers each row stands for; 3 means the same as three equal rows.
    before : clusters of the run before, optional
        New ones are begun from them and take their numbers. Of other features, they say nothing.

    Returns
    -------
    Clusters
        With fewer than k clusters where fewer than k different customers exist; `reason` says so.
    """
    import sklearn.cluster  # before the limit, which holds for the libraries that are loaded  # noqa: F401
    from threadpoolctl import threadpool_limits

    table = checked_features(features, names)
    money, weight = _checked_money(spend, len(table)), check_weights(weights, len(table))
    wanted = {name: (k_of or {}).get(name, k) for name in METHODS}
    if min(wanted.values()) < 0:
        raise ContractError(f"clusters: k = {min(wanted.values())}. Wanted: 0 (let the data choose) or a number from 1 up.")
    stands = weight > 0
    if not stands.any():
        raise ContractError("clusters: no customer has weight. Wanted: at least one weight above 0.")
    before = before if before is not None and before.features == tuple(names) else None
    transformation = Transformation.of(table[stands], names, weight[stands])
    points = transformation.apply(table)
    sorted_rows = np.flatnonzero(stands)[np.lexsort(points[stands].T[::-1])]
    rows = sorted_rows[_spaced_by_weight(weight[sorted_rows], ROWS_TO_FIT)]
    with threadpool_limits(limits=1):  # sums in one order, so the last bits do not depend on the machine's cores
        found = _groupings(points[rows], _Wanted(wanted, method, seed), _Before.of(before, table[rows]))
    groupings, numbering, places = {}, {}, {}
    for name in METHODS:
        grouping = found.groupings[name]
        order, spent = _by_spend(grouping.places(points), money, weight)
        groupings[name] = grouping = grouping.reordered(order)
        places[name] = grouping.places(points)
        numbering[name] = _numbering(grouping, places[name], weight, before, table)
        if name == method:
            mean_spend = spent
    steadiness = tuple(
        Steadiness(
            name, groupings[name].k, found.stability[name], numbering[name].kept_share, numbering[name].new, numbering[name].gone
        )
        for name in METHODS
    )
    labels = numbering[method].ids[places[method]]
    carried = before.names if before is not None else {}
    return Clusters(
        transformation, groupings, numbering, method, mean_spend, labels, found.tried, steadiness, found.reasons[method], carried,
        found.reasons,
    )  # fmt: skip


@dataclass(frozen=True)
class _Wanted:
    """What was asked for; a number of 0 is chosen by the data."""

    k: Mapping[Method, int]
    method: Method
    seed: int


@dataclass(frozen=True)
class _Before:
    """Where the rules of the run before put the customers of the fit, from which the new clusters are begun."""

    k: Mapping[Method, int] = field(default_factory=dict)
    places: Mapping[Method, IntArray] = field(default_factory=dict)
    micro: IntArray | None = None
    memberships: FloatArray | None = None

    @classmethod
    def of(cls, clusters: Clusters | None, features: FloatArray) -> Self:
        """Return it for customers with these raw features."""
        if clusters is None:
            return cls()
        points = clusters.transformation.apply(features)
        places = {method: grouping.places(points) for method, grouping in clusters.groupings.items()}
        tree, mixture = clusters.groupings["hierarchical"], clusters.groupings["gmm"]
        micro = nearest_of_many(points, tree.micro) if isinstance(tree, WardGrouping) else None
        memberships = mixture.memberships(points) if isinstance(mixture, MixtureGrouping) else None
        return cls({method: grouping.k for method, grouping in clusters.groupings.items()}, places, micro, memberships)

    def start(self, method: Method, k: int) -> IntArray | None:
        """Return the groups to begin k clusters from, None where there were not as many."""
        places = self.places.get(method)
        return places if places is not None and len(np.unique(places)) == k else None


@dataclass(frozen=True)
class _Found:
    """Every method's groups, and what they are judged by."""

    groupings: Mapping[Method, Grouping]
    stability: Mapping[Method, float]
    tried: tuple[ClusterCount, ...]
    reasons: Mapping[Method, str]


def _groupings(points: FloatArray, wanted: _Wanted, before: _Before) -> _Found:
    """Return the groups of sorted points, and why there are that many."""
    different = 1 + int((points[1:] != points[:-1]).any(axis=1).sum())
    if different == 1:
        who = "There is one customer" if len(points) == 1 else "All customers are alike in these features"
        return _one_group(points, f"{who}, so there is one cluster.")
    usual = tuple(c for c in CANDIDATE_KS if c * DIFFERENT_CUSTOMERS_PER_CLUSTER <= different)
    if set(wanted.k.values()) == {1}:
        return _one_group(points, "1 cluster was asked for.")
    if not usual and not any(wanted.k.values()):
        needed = CANDIDATE_KS[0] * DIFFERENT_CUSTOMERS_PER_CLUSTER
        return _one_group(
            points, f"{different} different customers are too few to part (from {needed} on), so there is one cluster."
        )
    judged = points[_spaced(len(points), ROWS_TO_JUDGE)]
    most = len(np.unique(judged, axis=0))
    candidates: dict[Method, tuple[int, ...]] = {}
    for method, asked in wanted.k.items():
        ks = (min(asked, different),) if asked else usual or (1,)
        candidates[method] = tuple(c for c in ks if c <= most) or (most,)
    tried, first = judge_counts(judged, candidates, wanted.seed)
    chosen, reasons = {}, {}
    for method in METHODS:
        if wanted.k[method]:
            chosen[method], reasons[method] = candidates[method][0], _asked_for(wanted.k[method], different)
        elif candidates[method] == (1,):
            chosen[method], reasons[method] = 1, f"{different} different customers are too few to part."
        else:
            chosen[method], reasons[method] = choose_count(tried, method, before.k.get(method, 0))
    groupings = _fit_all(points, chosen, wanted.seed, before, first)
    stability = {count.method: count.stability for count in tried if count.k == chosen[count.method]}
    return _Found(groupings, {method: stability.get(method, float("nan")) for method in METHODS}, tried, reasons)


def _fit_all(
    points: FloatArray, k: Mapping[Method, int], seed: int, before: _Before, first: Mapping[int, KMeansGrouping]
) -> dict[Method, Grouping]:
    """Return the groups of every method; KMeans is begun from the run before or, where there was none like it, from `first`."""
    start = before.start("kmeans", k["kmeans"])
    kmeans = fit_kmeans(points, k["kmeans"], seed, start=first[k["kmeans"]].places(points) if start is None else start)
    tree = WardTree.of(points, seed, start=before.micro)
    part = _spaced(len(points), ROWS_TO_MIX)
    mixed, k_mixed = points[part], k["gmm"]
    begin = kmeans if k_mixed == kmeans.k else fit_kmeans(points, k_mixed, SEED_OF_START)
    mixture = fit_mixture(mixed, as_memberships(begin.places(mixed)), **_TO_THE_END)
    if (
        before.memberships is not None
        and before.memberships.shape[1] == k_mixed
        and before.memberships[part].sum(axis=0).min() > 1
    ):
        kept = fit_mixture(mixed, before.memberships[part], steps=1)  # more steps would move groups that fit as they are
        if mixture[1] > kept[1] + BETTER_FIT:
            kept = fit_mixture(mixed, before.memberships[part], **_TO_THE_END)
        mixture = mixture if mixture[1] > kept[1] + BETTER_FIT else kept
    return {"kmeans": kmeans, "hierarchical": tree.cut(k["hierarchical"]).settled(points), "gmm": mixture[0]}


def _one_group(points: FloatArray, reason: str) -> _Found:
    """Return everybody as one group, for every method."""
    middle, width = points.mean(axis=0, keepdims=True), points.shape[1]
    groupings: dict[Method, Grouping] = {
        "kmeans": KMeansGrouping(middle),
        "hierarchical": WardGrouping(middle, np.zeros(1, dtype=np.int64)),
        "gmm": MixtureGrouping(middle, np.eye(width)[None, :, :], np.ones(1)),
    }
    return _Found(groupings, dict.fromkeys(METHODS, float("nan")), (), dict.fromkeys(METHODS, reason))


def _asked_for(k: int, different: int) -> str:
    """Return why there are k clusters where k was asked for."""
    if k > different:
        return f"{k} were asked for, but only {different} different customers exist."
    return f"{k} clusters were asked for."


def _numbering(
    grouping: Grouping, places: IntArray, weights: FloatArray, before: Clusters | None, features: FloatArray
) -> Numbering:
    """Return the numbers of one method's clusters, those of the run before where they are the same customers."""
    if before is None:
        return fresh_numbers(grouping.k)
    method = grouping.method
    known = before.numbering[method]
    ids_before = before.predict(features, before.features, method)
    return matched_numbers(places, grouping.k, ids_before, weights, known.ids.tolist(), known.next_id)


def _checked_money(spend: npt.ArrayLike, n: int) -> FloatArray:
    """Return spend as an array, one number per customer."""
    money = np.asarray(spend, dtype=np.float64)
    if money.shape != (n,):
        raise ContractError(f"clusters: spend has shape {money.shape}. Wanted: one number for each of the {n} customers.")
    return money


def _method(name: str) -> Method:
    """Return a stored name as a method."""
    return next(method for method in METHODS if method == name)


def _figures(count: ClusterCount) -> tuple[float, ...]:
    """Return the figures of a count, as stored."""
    return (count.k, count.wcss, count.inertia, count.silhouette, count.bic, count.stability, count.smallest_share)


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


def _by_spend(places: IntArray, spend: FloatArray, weights: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the groups that have members, by mean spend descending, and those means."""
    present = [int(place) for place in np.unique(places[weights > 0])]
    means = {}
    for place in present:
        known, weight = ordered(spend[places == place], weights[places == place])
        means[place] = float(significant(np.average(known, weights=weight))) if weight.sum() > 0 else 0.0
    order = sorted(present, key=lambda place: (-means[place], place))
    return np.array(order, dtype=np.int64), np.array([means[place] for place in order])
