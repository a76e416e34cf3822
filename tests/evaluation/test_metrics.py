"""Metrics against hand calculation, other libraries and laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from customer_genome.errors import ContractError
from customer_genome.evaluation.metrics import (
    calibration_error,
    calibration_slope,
    interval_metrics,
    normalised_gini,
    order_metrics,
    spend_metrics,
)

MONEY = st.lists(st.integers(0, 50), min_size=3, max_size=40).filter(lambda values: sum(values) > 0 and len(set(values)) > 1)


def gini_by_definition(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Mean cumulative share in the given order less one half, over the same in the true order; no ties allowed."""

    def area(order: np.ndarray) -> float:
        return float(np.mean(np.cumsum(actual[np.argsort(-order, kind="stable")]) / actual.sum())) - (len(actual) + 1) / (
            2 * len(actual)
        )

    return area(predicted) / area(actual)


def test_gini_by_hand() -> None:
    # shares in predicted order: .1, .1 + .6, .1 + .6 + .3; in true order .6, .9, 1
    assert normalised_gini([1, 6, 3], [9, 8, 7]) == pytest.approx(
        ((0.1 + 0.7 + 1.0) / 3 - 2 / 3) / ((0.6 + 0.9 + 1.0) / 3 - 2 / 3)
    )


@given(MONEY, st.randoms(use_true_random=False))
def test_gini_of_distinct_predictions_is_the_definition(money: list[int], random: object) -> None:
    actual = np.array(money, dtype=float)
    predicted = np.random.default_rng(len(money)).permutation(len(money)).astype(float)
    assert normalised_gini(actual, predicted) == pytest.approx(gini_by_definition(actual, predicted), abs=1e-12)


@given(MONEY, st.integers(0, 1000))
def test_order_of_rows_and_scale_mean_nothing(money: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    actual, predicted = np.array(money, dtype=float), rng.integers(0, 5, len(money)).astype(float)
    order = rng.permutation(len(money))
    assert normalised_gini(actual[order], predicted[order]) == pytest.approx(normalised_gini(actual, predicted), abs=1e-12)
    assert normalised_gini(actual * 7, predicted * 3 + 1) == pytest.approx(normalised_gini(actual, predicted), abs=1e-12)
    assert normalised_gini(actual, np.ones(len(money))) == pytest.approx(0, abs=1e-12)
    assert normalised_gini(actual, actual) == pytest.approx(1)


def test_spend_metrics_by_hand() -> None:
    actual = np.arange(20.0)
    found = spend_metrics(actual, actual * 1.5)
    assert found["bias"] == pytest.approx(1.5)
    assert found["mae_over_mean"] == pytest.approx(0.5)
    assert found["decile_mape"] == pytest.approx(0.5)
    assert found["spearman"] == pytest.approx(1)
    assert found["top_decile_lift"] == pytest.approx(18.5 / 9.5)


def test_spearman_is_scipys() -> None:
    rng = np.random.default_rng(3)
    y, p = rng.integers(0, 4, 200).astype(float), rng.integers(0, 6, 200).astype(float)
    assert spend_metrics(y, p)["spearman"] == pytest.approx(stats.spearmanr(y, p).statistic)


def test_a_calibrated_chance_is_seen_as_such() -> None:
    rng = np.random.default_rng(11)
    p = rng.beta(1, 2, 60_000)
    y = (rng.random(60_000) < p).astype(float)
    found = order_metrics(y, p)
    assert found["ece"] < 0.01
    assert found["calibration_slope"] == pytest.approx(1, abs=0.03)
    assert found["bias"] == pytest.approx(1, abs=0.02)
    too_sure = p**2 / (p**2 + (1 - p) ** 2)  # log-odds doubled
    assert calibration_slope(y, too_sure) == pytest.approx(0.5, abs=0.02)
    assert calibration_error(y, too_sure) > 0.05


def test_interval_score_by_hand() -> None:
    found = interval_metrics([0, 5, 12], [1, 4, 4], [3, 6, 10], level=0.8)
    assert found["below"] == pytest.approx(1 / 3)
    assert found["above"] == pytest.approx(1 / 3)
    assert found["coverage"] == pytest.approx(1 / 3)
    assert found["score"] == pytest.approx(((2 + 10 * 1) + 2 + (6 + 10 * 2)) / 3)


def test_undefined_is_nan_not_a_number_made_up() -> None:
    found = order_metrics([0, 0, 0], [0.1, 0.2, 0.3])
    assert np.isnan(found["auc"]) and np.isnan(found["bias"])
    assert np.isnan(spend_metrics([0, 0], [1, 2])["gini"])


@pytest.mark.parametrize(
    ("actual", "predicted", "told"),
    [
        ([1, 2], [1], "shape"),
        ([1, np.nan], [1, 2], "not finite"),
        ([0, 2], [0.5, 0.5], "other values"),
        ([0, 1], [0.5, 1.5], "probability"),
    ],
)
def test_bad_input_is_named(actual: list[float], predicted: list[float], told: str) -> None:
    with pytest.raises(ContractError, match=told):
        order_metrics(actual, predicted)
