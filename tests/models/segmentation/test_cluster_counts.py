"""Figures that choose the number of clusters equal those of scikit-learn, and the choice is made and told as stated."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from customer_genome.models.segmentation.cluster_counts import (
    ClusterCount,
    adjusted_rand,
    choose_count,
    elbow,
    judge_counts,
    pairwise_distances,
    silhouette,
    within_squares,
)
from customer_genome.models.segmentation.groupings import (
    METHODS,
    NARROWEST_VARIANCE,
    MixtureGrouping,
    WardGrouping,
    WardTree,
    as_memberships,
    fit_kmeans,
    fit_mixture,
)
from customer_genome.models.segmentation.mixture import fit_normal_mixture
from customer_genome.models.segmentation.ward import ward_tree

KS = (2, 3, 5)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """Return four groups, not too far apart, sorted."""
    chance = np.random.default_rng(1)
    found = np.vstack([chance.normal(middle, 1, (90, 3)) for middle in ((0, 0, 0), (4, 0, 1), (0, 4, 2), (3, 4, -2))])
    return np.unique(np.round(found, 6), axis=0)


@pytest.mark.parametrize("k", KS)
def test_kmeans_has_the_squares_and_the_silhouette_of_scikit_learn(points: np.ndarray, k: int) -> None:
    theirs = KMeans(k, n_init=4, random_state=3).fit(points)
    places = fit_kmeans(points, k, 3).places(points)
    assert adjusted_rand_score(places, theirs.labels_) == 1
    assert within_squares(points, places) == pytest.approx(theirs.inertia_, rel=1e-9)
    assert silhouette(pairwise_distances(points), places) == pytest.approx(silhouette_score(points, places), rel=1e-12)


@pytest.mark.parametrize("k", [2, 3, 5, 9])
def test_the_tree_over_customers_is_that_of_scikit_learn(points: np.ndarray, k: int) -> None:
    theirs = AgglomerativeClustering(k, linkage="ward").fit_predict(points)
    assert adjusted_rand_score(WardTree.of(points, 7).cut(k).places(points), theirs) == 1


def test_a_weight_of_three_in_the_tree_is_three_customers_at_one_place() -> None:
    chance = np.random.default_rng(2)
    some = chance.normal(0, 1, (40, 2))
    weights = chance.integers(1, 4, 40)
    for k in (2, 4, 6):
        theirs = AgglomerativeClustering(k, linkage="ward").fit_predict(np.repeat(some, weights, axis=0))
        tree = WardTree(some, ward_tree(some, weights.astype(float)))
        assert adjusted_rand_score(np.repeat(tree.cut(k).places(some), weights), theirs) == 1


def test_above_the_limit_the_tree_stands_on_micro_clusters_and_still_finds_the_groups(points: np.ndarray) -> None:
    far = np.vstack([points + shift for shift in (0.0, 60.0, 120.0)])
    tree = WardTree.of(far[np.lexsort(far.T[::-1])], 7, most=50)
    assert len(tree.micro) <= 50
    found = tree.cut(3).places(far)
    assert adjusted_rand(found, np.repeat(np.arange(3), len(points))) == 1


@pytest.mark.parametrize("k", KS)
def test_the_mixture_is_that_of_scikit_learn(points: np.ndarray, k: int) -> None:
    grouping, score, bic = fit_mixture(points, as_memberships(fit_kmeans(points, k, 3).places(points)))
    theirs = GaussianMixture(k, reg_covar=NARROWEST_VARIANCE)
    theirs.means_, theirs.weights_, theirs.precisions_cholesky_ = grouping.means, grouping.shares, grouping.factors
    theirs.covariances_ = np.linalg.inv(grouping.factors @ grouping.factors.transpose(0, 2, 1))
    assert bic == pytest.approx(theirs.bic(points), rel=1e-9)
    assert score == pytest.approx(theirs.score(points), rel=1e-9)
    assert (grouping.places(points) == theirs.predict(points)).all()
    parts = np.concatenate([grouping.places(points[:7]), grouping.places(points[7:])])
    assert (parts == grouping.places(points)).all(), "row by row"


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
@pytest.mark.parametrize("k", KS)
def test_the_mixture_stops_where_scikit_learn_stops(points: np.ndarray, k: int, tolerance: float) -> None:
    shifted = points * [1.0, 0.3, 2.0] + [40.0, -7.0, 0.0]
    start = as_memberships(fit_kmeans(shifted, k, 3).places(shifted))
    found = fit_normal_mixture(shifted, start, narrowest=NARROWEST_VARIANCE, steps=200, tolerance=tolerance)
    means = start.T @ shifted / start.sum(axis=0)[:, None]
    spreads = [np.cov(shifted.T, aweights=own, bias=True) + NARROWEST_VARIANCE * np.eye(3) for own in start.T]
    theirs = GaussianMixture(
        k,
        reg_covar=NARROWEST_VARIANCE,
        max_iter=200,
        tol=tolerance,
        weights_init=start.mean(axis=0),
        means_init=means,
        precisions_init=np.linalg.inv(spreads),
    ).fit(shifted)
    np.testing.assert_allclose(found.means, theirs.means_, rtol=1e-9)
    np.testing.assert_allclose(found.factors, theirs.precisions_cholesky_, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.shares, theirs.weights_, rtol=1e-8)
    assert found.bic(len(shifted)) == pytest.approx(theirs.bic(shifted), rel=1e-9)


def test_one_wide_group_takes_nobody_from_others_because_of_rounding() -> None:
    one = MixtureGrouping(np.zeros((2, 2)), np.stack([np.eye(2)] * 2), np.array([0.5, 0.5]))
    assert one.places(np.ones((5, 2))).tolist() == [0] * 5, "equally likely: the first"


def test_alikeness_is_that_of_scikit_learn() -> None:
    chance = np.random.default_rng(4)
    for k in (1, 2, 5):
        one, other = chance.integers(0, k, 200), chance.integers(0, 4, 200)
        assert adjusted_rand(one, other) == pytest.approx(adjusted_rand_score(one, other), abs=1e-12)
        assert adjusted_rand(one, one) == 1


def test_groups_that_are_there_are_steady_and_chosen(points: np.ndarray) -> None:
    tried, _ = judge_counts(points, dict.fromkeys(METHODS, (3, 4, 5)), 7)
    own = {count.k: count for count in tried if count.method == "kmeans"}
    assert own[4].stability > 0.95 and own[4].stability > own[5].stability
    assert all(choose_count(tried, method)[0] == 4 for method in METHODS), "each method finds them by its own figures"
    k, reason = choose_count(tried, "kmeans")
    assert k == 4
    assert reason.startswith("4 clusters part the customers most clearly (silhouette 3: ")
    assert (
        "Each other figure alone would choose: the elbow 4, the information criterion 4, steadiness under resampling 4" in reason
    )


def count(k: int, silhouette: float, stability: float = 0.9, share: float = 0.1) -> ClusterCount:
    """Return a number of clusters with these figures."""
    return ClusterCount("kmeans", k, 100.0 / k, 1.0, silhouette, float("nan"), stability, share)


def test_the_number_of_the_run_before_stays_while_it_is_as_good() -> None:
    tried = [count(3, 0.300), count(4, 0.298), count(5, 0.296), count(6, 0.2)]
    assert choose_count(tried, "kmeans")[0] == 5, "of equally clear ones the most clusters"
    assert choose_count(tried, "kmeans", before=4)[0] == 4
    assert "as many as in the run before" in choose_count(tried, "kmeans", before=4)[1]
    assert choose_count(tried, "kmeans", before=6)[0] == 5, "6 is clearly worse now"
    assert choose_count([count(3, 0.3), count(4, 0.28, stability=0.7)], "kmeans", before=4)[0] == 4, "it has twice the room"


def test_small_and_unsteady_numbers_are_passed_over() -> None:
    k, reason = choose_count([count(3, 0.2), count(4, 0.5, share=0.001), count(5, 0.4, stability=0.3)], "kmeans")
    assert k == 3
    assert reason.startswith("3 clusters part the customers most clearly of those that are steady and large enough (silhouette")
    assert "under 1% of the customers: 4." in reason and "part otherwise (adjusted Rand index): 5 (0.30)." in reason


def mixture(k: int, bic: float, stability: float = 0.9, share: float = 0.1) -> ClusterCount:
    """Return a number of groups of a mixture with these figures."""
    return ClusterCount("gmm", k, 100.0 / k, 1.0, 0.2, bic, stability, share)


def test_a_mixture_takes_the_number_of_its_own_criterion_among_steady_ones() -> None:
    tried = [mixture(3, 900.0), mixture(4, 500.0, 0.88), mixture(5, 480.0, 0.7), mixture(6, 400.0, share=0.001)]
    k, reason = choose_count(tried, "gmm")
    assert k == 4 and reason.startswith("4 groups describe the customers best")
    assert "under 1% of the customers: 6." in reason and "5 (0.70)" in reason
    assert choose_count([*tried, mixture(7, 460.0)], "gmm", before=4)[0] == 4, "nearly as good, and as many as before"
    assert choose_count([*tried, mixture(7, 460.0)], "gmm", before=3)[0] == 7


def test_settled_branches_are_steadier_and_keep_their_number() -> None:
    chance = np.random.default_rng(8)
    middles = np.array([[0.0, 0], [2.2, 0], [0, 2.2]])
    drawn = [middles[chance.integers(0, 3, 300)] + chance.normal(0, 0.7, (300, 2)) for _ in range(2)]
    one, other = (WardTree.of(points, 7).cut(3) for points in drawn)
    ragged = adjusted_rand(one.places(drawn[0]), other.places(drawn[0]))
    settled = one.settled(drawn[0])
    assert adjusted_rand(settled.places(drawn[0]), other.settled(drawn[1]).places(drawn[0])) > ragged
    again = WardGrouping.from_arrays(settled.to_arrays())
    assert again.k == 3 and again.places(drawn[1]).tolist() == settled.places(drawn[1]).tolist()
    assert settled.reordered(np.array([2, 0, 1])).places(settled.centres).tolist() == [1, 2, 0]


def test_the_elbow_is_where_the_curve_bends() -> None:
    curve = {3: 100.0, 4: 40.0, 5: 36.0, 6: 33.0}
    assert elbow([ClusterCount("kmeans", k, squares, 1, 0, 0, 1, 1) for k, squares in curve.items()]) == 4
