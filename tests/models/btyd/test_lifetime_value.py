"""Value and intervals in cases that can be worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betainc, expit

from customer_genome.errors import ContractError
from customer_genome.models.btyd import spend_outcomes, value_forecast
from customer_genome.models.btyd.active_future import Horizons
from customer_genome.models.btyd.lifetime_value import discounted_orders, lifetime_value, lifetime_value_interval
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.value_forecast import ValueForecast

PURCHASES = BetaGeometricNBD.from_parameters(0.67, 65.0, 0.16, 3.4)
SPEND = GammaGamma.from_parameters(2.5, 3.46, 386.0)


def test_a_steady_buyer_is_worth_an_annuity():
    """Without dropout purchases flow evenly: rate times (1 - v) / log(1 + d) a year, v the discount factor of the year."""
    steady = BetaGeometricNBD.from_parameters(2.0, 100.0, 0.0, 1.0)
    orders = discounted_orders(steady, [10], [290], [300], 365, 0.10)[0]
    rate_a_year = 365 * 12 / 400
    assert orders == pytest.approx(rate_a_year * (1 - 1 / 1.10) / np.log(1.10), rel=1e-9)


def test_value_by_hand_without_discount():
    value = lifetime_value(PURCHASES, SPEND, [3], [100], [150], [4], [50.0], 90, annual_discount=0.0, margin=0.5)[0]
    per_purchase = 2.5 * (386.0 + 4 * 50.0) / (2.5 * 4 + 3.46 - 1)
    assert value == pytest.approx(0.5 * PURCHASES.expected_orders([3], [100], [150], 90)[0] * per_purchase, rel=1e-8)


def test_intervals_agree_with_brute_force_simulation():
    customers = np.array([[25, 480, 500], [6, 240, 245], [2, 60, 200], [0, 0, 30]], dtype=float).T
    n, mean = customers[0] + 1, np.array([300.0, 60.0, 900.0, 150.0])
    interval = lifetime_value_interval(PURCHASES, SPEND, *customers, n, mean, 180, annual_discount=0.0, cover_mean=False)
    rng = np.random.default_rng(5)
    counts = PURCHASES.simulate_orders(*customers, 180, 100_000, rng)
    shape, rate = SPEND.posterior(n, mean)
    nu = rng.gamma(shape[:, None], 1 / rate[:, None], counts.shape)
    spent = np.where(counts > 0, rng.gamma(2.5 * np.maximum(counts, 1)) / nu, 0.0)
    low, high = np.quantile(spent, [0.1, 0.9], axis=1)
    np.testing.assert_allclose(interval.upper, high, rtol=0.02)
    np.testing.assert_allclose(interval.lower, low, rtol=0.05, atol=1e-9)
    np.testing.assert_allclose(interval.mean, spent.mean(axis=1), rtol=0.03)


def test_counts_of_customers_who_buy_by_the_thousand_stay_quick_and_near():
    steady = BetaGeometricNBD.from_parameters(1.0, 1.0, 0.0, 1.0)
    interval = lifetime_value_interval(
        steady, SPEND, [500_000], [1.0], [1.0], [500_001], [10.0], 100.0, annual_discount=0.0, cover_mean=False
    )
    assert interval.mean[0] == pytest.approx(100 * 500_001 / 2 * 10, rel=0.01)
    assert interval.lower[0] == pytest.approx(interval.mean[0] * 0.998, rel=0.02)
    assert interval.upper[0] == pytest.approx(interval.mean[0] * 1.002, rel=0.02)


def test_a_customer_who_most_likely_buys_nothing_has_the_honest_interval_of_nothing():
    lapsed = [30], [100], [900], [31], [80.0]
    bare = lifetime_value_interval(PURCHASES, SPEND, *lapsed, 180, cover_mean=False)
    covered = lifetime_value_interval(PURCHASES, SPEND, *lapsed, 180)
    assert (bare.lower[0], bare.upper[0]) == (0.0, 0.0)
    assert covered.upper[0] == covered.mean[0] > 0


def test_many_customers_are_handled_in_parts_and_on_threads_like_few(monkeypatch):
    rng = np.random.default_rng(9)
    age = rng.integers(1, 700, 400).astype(float)
    frequency = np.minimum(rng.poisson(4, 400), age)
    customers = frequency, np.where(frequency > 0, age, 0), age, frequency + 1, rng.gamma(2, 60, 400)
    at_once = lifetime_value_interval(PURCHASES, SPEND, *customers, 180)
    monkeypatch.setattr(value_forecast, "_PAIRS_AT_ONCE", 7)
    monkeypatch.setattr(value_forecast, "_CUSTOMERS_AT_ONCE", 11)
    in_parts = ValueForecast(PURCHASES, SPEND, Horizons.of([180]), threads=2).of(*customers)
    np.testing.assert_array_equal(in_parts.upper[:, 0], at_once.upper)
    np.testing.assert_array_equal(in_parts.lower[:, 0], at_once.lower)
    np.testing.assert_array_equal(in_parts.value[:, 0], at_once.mean)


def test_nobody_and_no_time_give_nothing():
    empty = [np.empty(0)] * 5
    assert lifetime_value(PURCHASES, SPEND, *empty, 180).shape == (0,)
    assert lifetime_value_interval(PURCHASES, SPEND, *empty, 180).upper.shape == (0,)
    at_once = lifetime_value_interval(PURCHASES, SPEND, [3], [100], [150], [4], [50.0], 0)
    assert (at_once.lower[0], at_once.mean[0], at_once.upper[0]) == (0, 0, 0)


@pytest.mark.parametrize("discount", [-1.0, np.nan, np.inf])
def test_a_discount_that_is_no_share_is_refused(discount):
    with pytest.raises(ContractError, match="annual_discount"):
        lifetime_value(PURCHASES, SPEND, [0], [0], [1], [1], [1.0], 30, discount)


def test_a_negative_margin_turns_the_interval_around():
    interval = lifetime_value_interval(PURCHASES, SPEND, [25], [480], [500], [26], [300.0], 180, margin=-0.2)
    assert interval.lower[0] < interval.mean[0] < interval.upper[0] <= 0


def test_a_customer_is_worth_the_same_whoever_else_is_asked_for():
    """Engines hand over customers in batches of their own; not a digit may depend on them."""
    random = np.random.default_rng(3)
    n = 900
    frequency = random.geometric(0.3, n) - 1.0
    age = random.uniform(1.0, 700.0, n).round()
    recency = np.where(frequency > 0, (age * random.uniform(0.05, 1.0, n)).round(), 0.0)
    mean = random.lognormal(3.5, 0.8, n).round(2)
    purchases = BetaGeometricNBD().fit(frequency, recency, age)  # fitted: uncertain parameters are mixed
    spend = GammaGamma().fit(frequency + 1, mean)
    columns = (frequency, recency, age, frequency + 1, mean)
    whole = lifetime_value_interval(purchases, spend, *columns, 180, 0.1, 1.0)
    for start, end in ((0, 1), (1, 40), (40, 600), (600, n)):
        part = lifetime_value_interval(purchases, spend, *(column[start:end] for column in columns), 180, 0.1, 1.0)
        for name in ("mean", "lower", "upper"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[start:end])


def test_what_is_not_worked_out_is_what_would_have_come_out():
    """Chances that are 1 to the last digit are written, not computed: at no corner may another digit stand there."""
    random = np.random.default_rng(5)
    for _ in range(300):
        shape, sizes = float(np.exp(random.uniform(-3, 9))), np.sort(np.exp(random.uniform(-6, 13, 30)))
        log_y = np.sort(random.uniform(-60, 60, 40) * random.uniform(0.05, 1.5))
        found = spend_outcomes._exceeds(log_y, shape, sizes)
        np.testing.assert_array_equal(found, betainc(shape, sizes[:, None], expit(-log_y)[None, :]))
