"""Laws of scores and clusters: ties share, order of rows and unit of money change nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.models.segmentation.clusters import fit_clusters
from customer_genome.models.segmentation.groupings import METHODS
from customer_genome.models.segmentation.segments import quintile_cuts, quintile_scores, rfm_scores

amounts = st.integers(min_value=0, max_value=10_000_000).map(lambda cents: cents / 100)
few_values = st.lists(st.sampled_from([1.0, 2.0, 3.0, 10.0]), min_size=1, max_size=60)
columns = st.one_of(few_values, st.lists(amounts, min_size=1, max_size=80))
seeds = st.integers(min_value=0, max_value=2**32 - 1)
factors = st.floats(min_value=0.001, max_value=1000)


@given(columns, st.booleans())
def test_scores_are_one_to_five_and_follow_the_values(values: list[float], lowest_is_best: bool) -> None:
    scores = quintile_scores(values, quintile_cuts(values), lowest_is_best=lowest_is_best)
    assert scores.min() >= 1 and scores.max() <= 5
    order = np.argsort(values, kind="stable")
    steps = np.diff(scores[order])
    assert (steps <= 0).all() if lowest_is_best else (steps >= 0).all()


@given(columns)
def test_equal_values_share_a_score(values: list[float]) -> None:
    scores = quintile_scores(values, quintile_cuts(values))
    for value in set(values):
        assert len({int(score) for score, other in zip(scores, values, strict=True) if other == value}) == 1


@given(columns)
def test_a_score_says_how_many_are_worse(values: list[float]) -> None:
    scores = quintile_scores(values, quintile_cuts(values))
    if len(set(values)) > 1:
        worse = (np.asarray(values)[None, :] < np.asarray(values)[:, None]).mean(axis=1)
        assert (worse >= (scores - 1) / 5 - 1e-12).all() and (worse < scores / 5 + 1e-12).all()


@given(columns, seeds)
def test_rows_in_another_order_get_the_same_scores(values: list[float], seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(values))
    there = np.asarray(values)[shuffled]
    assert (quintile_scores(there, quintile_cuts(there)) == quintile_scores(values, quintile_cuts(values))[shuffled]).all()


@given(st.lists(amounts, min_size=1, max_size=80), factors)
def test_the_unit_of_money_changes_no_segment(spend: list[float], factor: float) -> None:
    place = np.arange(len(spend))
    here = rfm_scores(1 + place % 7, 1 + place % 3, spend)
    there = rfm_scores(1 + place % 7, 1 + place % 3, np.asarray(spend) * factor)
    assert here.rfm_segment.equals(there.rfm_segment)


def shop(seed: int, n: int) -> np.ndarray:
    """Return recency, orders, spend and trend of a simulated shop."""
    chance = np.random.default_rng(seed)
    orders = chance.geometric(0.3, n)
    spend = np.round(orders * chance.lognormal(3, 1, n), 2)
    return np.column_stack([chance.integers(1, 365, n), orders, spend, chance.uniform(-1, 1, n)])


NAMES = ("recency_days", "n_orders", "total_spend", "spend_trend")


@settings(max_examples=8, deadline=None)
@given(seeds, st.integers(min_value=1, max_value=120), st.sampled_from([0, 3]))
def test_rows_in_another_order_get_the_same_clusters(seed: int, n: int, k: int) -> None:
    features = shop(seed, n)
    shuffled = np.random.default_rng(seed).permutation(n)
    here = fit_clusters(features, NAMES, features[:, 2], k=k)
    there = fit_clusters(features[shuffled], NAMES, features[shuffled, 2], k=k)
    assert (there.labels == here.labels[shuffled]).all()
    for name, values in here.to_arrays().items():
        assert np.array_equal(values, there.to_arrays()[name], equal_nan=values.dtype.kind == "f"), name


@settings(max_examples=8, deadline=None)
@given(seeds, st.sampled_from([1e-9, 0.01, 0.5, 100.0, 117.3]), st.sampled_from([0, 4]))
def test_the_units_change_no_cluster(seed: int, factor: float, k: int) -> None:
    features = shop(seed, 90)
    here = fit_clusters(features, NAMES, features[:, 2], k=k)
    there = fit_clusters(features * [7.0, 1.0, factor, 1.0], NAMES, features[:, 2] * factor, k=k)
    assert (there.labels == here.labels).all()
    for method in METHODS:
        assert (there.predict(features * [7.0, 1.0, factor, 1.0], NAMES, method) == here.predict(features, NAMES, method)).all()


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(min_value=1, max_value=100), st.integers(min_value=0, max_value=8))
def test_cluster_numbers_fall_with_spend_and_everybody_has_one(seed: int, n: int, k: int) -> None:
    features = shop(seed, n)
    found = fit_clusters(features, NAMES, features[:, 2], k=k)
    assert set(found.labels) == set(range(found.k))
    assert (np.diff(found.mean_spend) <= 0).all()
    assert (found.predict(features, NAMES) == found.labels).all()
