"""Clusters: groups that are there are found, tiny shops work, numbers mean something, a stored model predicts alike."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import ContractError
from customer_genome.models.segmentation import clusters as module
from customer_genome.models.segmentation.behaviour_space import Transformation
from customer_genome.models.segmentation.clusters import Clusters, fit_clusters
from customer_genome.models.segmentation.groupings import METHODS

NAMES = ("recency_days", "n_orders", "total_spend")


def three_groups(n: int = 300, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return features and the true group (0 = spends most) of customers whose groups nobody could miss."""
    chance = np.random.default_rng(seed)
    group = np.arange(n) % 3
    recency = np.array([10.0, 60.0, 300.0])[group] * chance.uniform(0.9, 1.1, n)
    orders = np.round(np.array([30.0, 6.0, 1.0])[group] * chance.uniform(0.9, 1.1, n))
    spend = np.array([9000.0, 600.0, 40.0])[group] * chance.uniform(0.9, 1.1, n)
    return np.column_stack([recency, orders, spend]), group


def test_groups_that_are_there_are_found_and_numbered_by_spend() -> None:
    features, group = three_groups()
    found = fit_clusters(features, NAMES, features[:, 2])
    assert found.k == 3
    assert (found.labels == group).all()
    assert found.mean_spend.tolist() == sorted(found.mean_spend, reverse=True)
    for method in METHODS:
        assert [count.k for count in found.tried if count.method == method] == [3, 4, 5, 6, 7, 8]
        assert (found.predict(features, NAMES, method) == group).all(), "every method finds what nobody could miss"
    assert "3 clusters part the customers most clearly" in found.reason
    assert found.tried[0].silhouette == max(count.silhouette for count in found.tried)


def test_the_number_can_be_asked_for() -> None:
    features, _ = three_groups()
    found = fit_clusters(features, NAMES, features[:, 2], k=5)
    assert found.k == 5 and set(found.labels) == set(range(5))
    assert found.reason == "5 clusters were asked for."


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_tiny_shops_are_one_cluster_and_are_told_so(n: int) -> None:
    features, _ = three_groups(n)
    found = fit_clusters(features, NAMES, features[:, 2])
    assert found.k == 1 and found.labels.tolist() == [0] * n
    assert "one cluster" in found.reason
    assert found.predict(features, NAMES).tolist() == [0] * n


def test_equal_customers_are_one_cluster_whatever_is_asked_for() -> None:
    features = np.full((50, 3), 7.0)
    for k in (0, 4):
        found = fit_clusters(features, NAMES, features[:, 2], k=k)
        assert found.k == 1
        assert found.reason == "All customers are alike in these features, so there is one cluster."


def test_no_more_clusters_than_different_customers() -> None:
    features = np.array([[1.0, 1.0, 5.0], [9.0, 3.0, 80.0]] * 20)
    found = fit_clusters(features, NAMES, features[:, 2], k=6)
    assert found.k == 2
    assert found.reason == "6 were asked for, but only 2 different customers exist."


def test_a_silhouette_does_not_buy_a_cluster_of_three_customers() -> None:
    chance = np.random.default_rng(1)
    crowd = chance.normal(0, 1, (400, 2))
    found = fit_clusters(np.vstack([crowd, [[40.0, 40.0]] * 3]), ("a", "b"), np.arange(403.0))
    sizes = np.bincount(found.labels)
    assert sizes.min() >= 0.01 * 403 or all(count.smallest_share < 0.01 for count in found.tried)


def test_stored_clusters_predict_identically() -> None:
    features, _ = three_groups()
    found = fit_clusters(features, NAMES, features[:, 2])
    arrays = found.to_arrays()
    assert all(values.dtype.kind in "fbiU" for values in arrays.values()), "numbers, booleans and text only"
    again = Clusters.from_arrays(arrays)
    later, _ = three_groups(seed=8)
    for method in METHODS:
        assert (again.predict(later, NAMES, method) == found.predict(later, NAMES, method)).all()
    assert (found.predict(features, NAMES) == found.labels).all()
    assert (str(again.tried), again.reason, again.k) == (str(found.tried), found.reason, found.k)


def test_stored_clusters_survive_a_file(tmp_path) -> None:
    features, _ = three_groups(5)
    found = fit_clusters(features, NAMES, features[:, 2])
    np.savez(tmp_path / "clusters.npz", **found.to_arrays())
    with np.load(tmp_path / "clusters.npz", allow_pickle=False) as stored:
        again = Clusters.from_arrays(stored)
    assert again.tried == () and again.reason == found.reason
    assert (again.predict(features, NAMES) == found.labels).all()


def test_other_features_or_another_order_are_refused() -> None:
    features, _ = three_groups()
    found = fit_clusters(features, NAMES, features[:, 2])
    with pytest.raises(ContractError, match="Wanted, in this order: recency_days, n_orders, total_spend"):
        found.predict(features[:, [1, 0, 2]], ("n_orders", "recency_days", "total_spend"))


def test_unknown_values_take_the_median_and_empty_columns_are_left_out() -> None:
    features, group = three_groups()
    features[::7, 1] = np.nan
    with_empty = np.column_stack([features, np.full(len(features), np.nan)])
    found = fit_clusters(with_empty, (*NAMES, "discount_share"), features[:, 2], k=3)
    assert (found.labels == group)[~np.isnan(features[:, 1])].all()
    assert found.transformation.spread[3] == 0


@pytest.mark.parametrize(
    ("features", "names", "spend", "says"),
    [
        (np.ones((3, 2)), ("a",), np.ones(3), "shape"),
        (np.ones((3, 2)), ("a", "a"), np.ones(3), "one different name per column"),
        (np.ones((0, 1)), ("a",), np.ones(0), "no customers"),
        (np.array([[1.0], [np.inf]]), ("a",), np.ones(2), "infinite values in a"),
        (np.ones((3, 1)), ("a",), np.ones(2), "one number for each of the 3 customers"),
    ],
)
def test_wrong_tables_are_refused(features: np.ndarray, names: tuple[str, ...], spend: np.ndarray, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        fit_clusters(features, names, spend)


def test_a_giant_does_not_squeeze_everybody_else_into_one_cluster() -> None:
    features, group = three_groups()
    features[0] = [1.0, 5000.0, 9e7]
    found = fit_clusters(features, NAMES, features[:, 2], k=3)
    assert (found.labels == group).mean() > 0.98


def test_money_is_logged_and_trends_are_not() -> None:
    chance = np.random.default_rng(2)
    features = np.column_stack([chance.lognormal(4, 2, 500), chance.uniform(-1, 1, 500), chance.uniform(0, 1, 500)])
    learned = Transformation.of(features, ("total_spend", "spend_trend", "return_share"))
    assert learned.is_logged.tolist() == [True, False, False]
    assert np.abs(learned.apply(features)).max() <= 4


def test_large_shops_learn_from_a_spread_of_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    features, group = three_groups(3000)
    monkeypatch.setattr(module, "ROWS_TO_FIT", 150)
    monkeypatch.setattr(module, "ROWS_TO_JUDGE", 60)
    found = fit_clusters(features, NAMES, features[:, 2])
    assert found.k == 3 and (found.labels == group).all()


@pytest.mark.slow
def test_a_million_customers() -> None:
    features, group = three_groups(1_000_000)
    found = fit_clusters(features, NAMES, features[:, 2])
    assert found.k == 3 and (found.labels == group).all()


def test_a_weight_of_three_is_three_equal_customers() -> None:
    features, _ = three_groups()
    spend, weights = features[:, 2], np.random.default_rng(4).integers(0, 4, len(features))
    weighted = fit_clusters(features, NAMES, spend, weights=weights)
    repeated = fit_clusters(np.repeat(features, weights, axis=0), NAMES, np.repeat(spend, weights))
    ours, theirs = weighted.to_arrays(), repeated.to_arrays()
    for name, values in ours.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, theirs[name], rtol=1e-12, err_msg=name)
        else:
            assert np.array_equal(values, theirs[name]), name
    assert np.array_equal(np.repeat(weighted.labels, weights), repeated.labels)


def test_weights_let_a_sample_speak_for_its_population() -> None:
    """A third of one kind was sampled, all of the other: only with weights the middle is that of everybody."""
    features = (np.r_[np.full(500, 1.0), np.full(400, 5.0)] + np.arange(900) * 1e-6)[:, None]
    sample = np.r_[0:500:3, 500:900]
    weights = np.where(sample < 500, 3.0, 1.0)
    everybody = Transformation.of(features, ("spend_trend",))
    assert Transformation.of(features[sample], ("spend_trend",), weights).fill == pytest.approx(everybody.fill, rel=1e-4)
    assert Transformation.of(features[sample], ("spend_trend",)).fill > 4 * everybody.fill


@pytest.mark.parametrize("weights", [[0.0] * 30, [-1.0] * 30, [1.0] * 29])
def test_weights_that_say_nothing_are_refused(weights: list[float]) -> None:
    features, _ = three_groups(30)
    with pytest.raises(ContractError, match="weight"):
        fit_clusters(features, NAMES, features[:, 2], weights=weights)
