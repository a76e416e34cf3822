"""Purchase fits at the edges of what data can be, and what they say about it."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import ContractError
from customer_genome.models.btyd.ladder import POOLED
from customer_genome.models.btyd.purchases import BetaGeometricNBD


def said(model: BetaGeometricNBD) -> str:
    return " ".join(model.report_.sentences())


def assert_usable(model: BetaGeometricNBD, *customers) -> dict[str, np.ndarray]:
    predicted = model.predict(*customers, 180)
    assert all(np.isfinite(values).all() and (values >= 0).all() for values in predicted.values())
    return predicted


def test_one_customer():
    model = BetaGeometricNBD().fit([3], [60], [90])
    predicted = assert_usable(model, [3], [60], [90])
    assert 0.5 < predicted["expected_orders"][0] < 20
    assert model.report_.rung == POOLED


def test_all_one_time_buyers_are_expected_to_buy_little_but_not_never():
    age = np.full(1000, 365)
    model = BetaGeometricNBD().fit(np.zeros(1000), np.zeros(1000), age)
    predicted = assert_usable(model, np.zeros(1000), np.zeros(1000), age)
    assert 0 < predicted["expected_orders"].sum() < 5
    assert "Nobody has bought on a second day yet" in said(model)


def test_customers_of_today_only():
    model = BetaGeometricNBD().fit([0, 0], [0, 0], [0, 0])
    assert_usable(model, [0, 0], [0, 0], [0, 0])
    assert "No time has passed" in said(model)


def test_nobody_ever_stops():
    rng = np.random.default_rng(1)
    age = np.full(3000, 400.0)
    frequency = rng.poisson(rng.gamma(2, 0.02, 3000) * age).astype(float)
    recency = np.where(frequency > 0, age * rng.beta(np.maximum(frequency, 1), 1), 0)
    model = BetaGeometricNBD().fit(frequency, recency, age)
    predicted = assert_usable(model, frequency, recency, age)
    assert predicted["p_alive"].mean() > 0.97
    assert predicted["expected_orders"].sum() == pytest.approx(frequency.sum() * 180 / 400, rel=0.05)


def test_everybody_buys_at_the_same_rate():
    rng = np.random.default_rng(2)
    age = np.full(3000, 400.0)
    frequency = rng.poisson(0.02 * age).astype(float)
    recency = np.where(frequency > 0, age * rng.beta(np.maximum(frequency, 1), 1), 0)
    model = BetaGeometricNBD().fit(frequency, recency, age)
    assert_usable(model, frequency, recency, age)
    assert model.parameters_[0] > 50
    assert "hardly differ" in said(model)


def test_very_frequent_buyers():
    rng = np.random.default_rng(3)
    age = rng.integers(5000, 6000, 300).astype(float)
    frequency = rng.integers(4000, 5000, 300).astype(float)
    model = BetaGeometricNBD().fit(frequency, age - rng.integers(0, 3, 300), age)
    predicted = assert_usable(model, frequency, age - 1, age)
    np.testing.assert_allclose(predicted["expected_orders"], 180 * frequency / age, rtol=0.15)


def test_a_stable_fit_where_parameters_are_extreme():
    model = BetaGeometricNBD.from_parameters(1e-4, 1e-3, 1e4, 1e-3)
    for customer in ((5000, 1, 1), (5000, 0.5, 30000), (0, 0, 0), (0, 0, 1e6), (1, 1e-6, 1e6)):
        assert_usable(model, *([value] for value in customer))


@pytest.mark.parametrize("horizon", [-1, np.nan, np.inf])
def test_a_horizon_that_is_no_time_is_refused(horizon):
    model = BetaGeometricNBD.from_parameters(1, 1, 1, 1)
    for ask in (model.expected_orders, model.probability_of_order):
        with pytest.raises(ContractError, match="Wanted: a finite number of days >= 0"):
            ask([1], [1], [2], horizon)


def test_parameters_that_make_no_model_are_refused():
    with pytest.raises(ContractError, match=r"r = 0.0, b = nan"):
        BetaGeometricNBD.from_parameters(0, 1, 1, float("nan"))


def test_every_fault_of_the_histories_is_named_at_once():
    with pytest.raises(ContractError) as caught:
        BetaGeometricNBD().fit([1.5, 0, 2, -1], [1, 3, 9, 1], [2, 5, 5, np.nan])
    message = str(caught.value)
    for part in (
        "frequency is not a whole number >= 0 in 2 of 4 rows (first: row 0)",
        "age_days is not a finite number >= 0 in 1 of 4 rows (first: row 3)",
        "recency_days is larger than age_days in 1 of 4 rows (first: row 2)",
        "recency_days is above 0 for a customer without repeat purchase in 1 of 4 rows (first: row 1)",
        "Wanted:",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1], [1, 2], [3]), "frequency has 1 entries, recency_days 2, age_days 1"),
        (([["a"]], [1], [3]), "frequency: got values that are not numbers"),
        (([[1]], [1], [3]), r"frequency: got an array of shape \(1, 1\)"),
        (([], [], []), "got no customers"),
    ],
)
def test_arrays_that_are_no_histories_are_refused(columns, message):
    with pytest.raises(ContractError, match=message):
        BetaGeometricNBD().fit(*columns)


def test_customers_without_weight_do_not_count():
    with pytest.raises(ContractError, match="got no customers"):
        BetaGeometricNBD().fit([1], [1], [2], weights=[0])
    some = BetaGeometricNBD().fit([1, 4, 0], [10, 30, 0], [40, 60, 50], weights=[1, 1, 0])
    assert some.report_.n_customers == 2


def test_the_report_reads_without_statistics():
    model = BetaGeometricNBD.from_parameters(0.5, 91.25, 1.0, 4.0)
    assert model.report_.sentences()[2:] == (
        "An active customer buys on 2 days a year on average, and customers differ widely in this (coefficient of variation 1.4).",
        "After each repeat purchase 20.0% stop for good on average.",
    )
