"""Laws of lifetime value and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.models.btyd.lifetime_value import (
    daily_rate,
    discounted_orders,
    expected_spend,
    lifetime_value,
    lifetime_value_interval,
)
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma


def logs(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda value: float(np.exp(value)))


purchase_models = st.builds(
    BetaGeometricNBD.from_parameters,
    r=logs(0.01, 100),
    alpha=logs(0.1, 1e3),
    a=st.one_of(st.just(0.0), logs(1e-4, 100)),
    b=logs(0.01, 1e3),
)
spend_models = st.builds(
    GammaGamma.from_parameters, p=logs(0.2, 100), q=logs(0.1, 100).map(lambda excess: 1 + excess), gamma=logs(0.1, 1e3)
)
horizons = logs(0.1, 4000)
discounts = st.floats(0, 0.5)


@st.composite
def customers(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """frequency, recency_days, age_days, n_purchases, mean_spend."""
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        age = draw(st.integers(0, 900))
        frequency = draw(st.integers(0, 60)) if age else 0
        rows.append((frequency, draw(st.integers(1, age)) if frequency else 0, age, frequency + 1, draw(logs(0.1, 1e4))))
    return tuple(np.array(rows, dtype=float).T)


@given(purchase_models, spend_models, customers(), horizons, discounts)
def test_value_is_between_nothing_and_undiscounted_revenue(purchases, spend, who, horizon, discount):
    value = lifetime_value(purchases, spend, *who, horizon, discount)
    revenue = expected_spend(purchases, spend, *who, horizon)
    worst = (1 + discount) ** (-horizon / 365)
    assert (value <= revenue * (1 + 1e-9)).all()
    assert (value >= revenue * worst * (1 - 1e-9)).all()


@given(purchase_models, spend_models, customers(), horizons)
def test_without_discount_value_is_revenue_and_margin_is_a_factor(purchases, spend, who, horizon):
    value = lifetime_value(purchases, spend, *who, horizon, annual_discount=0.0)
    np.testing.assert_allclose(value, expected_spend(purchases, spend, *who, horizon), rtol=1e-12)
    with_margin = lifetime_value(purchases, spend, *who, horizon, annual_discount=0.0, margin=0.4)
    np.testing.assert_allclose(with_margin, 0.4 * value, rtol=1e-12)


@given(purchase_models, spend_models, customers(), horizons, discounts)
def test_days_and_weeks_give_the_same_value(purchases, spend, who, horizon, discount):
    r, alpha, a, b = purchases.parameters_
    in_weeks = BetaGeometricNBD.from_parameters(r, alpha / 7, a, b)
    frequency, recency, age, n, mean = who
    weekly = lifetime_value(in_weeks, spend, frequency, recency / 7, age / 7, n, mean, horizon / 7, discount, time_unit_days=7)
    np.testing.assert_allclose(weekly, lifetime_value(purchases, spend, *who, horizon, discount), rtol=1e-9)


@given(purchase_models, customers(), horizons, discounts)
def test_reading_from_tables_changes_nothing_that_matters(purchases, who, horizon, discount):
    """Against the integral by parts with sixty points and E computed for each customer anew."""
    frequency, recency, age, _, _ = who
    nodes, weights = np.polynomial.legendre.leggauss(60)
    times, rate = horizon * ((nodes + 1) / 2) ** 2, daily_rate(discount)
    orders = purchases.expected_orders_if_active(frequency, age, np.append(times, horizon))
    each = np.append(rate * np.exp(-rate * times) * weights * horizon * (nodes + 1) / 2, np.exp(-rate * horizon))
    direct = (orders * each).sum(axis=1) * purchases.probability_alive(frequency, recency, age)
    np.testing.assert_allclose(discounted_orders(purchases, frequency, recency, age, horizon, discount), direct, rtol=1e-6)


@given(purchase_models, customers(), logs(1, 2000), discounts)
def test_discounting_purchase_by_purchase_agrees_with_daily_slices(purchases, who, horizon, discount):
    """The integral by parts against the plain sum over thin slices of time."""
    frequency, recency, age, _, _ = who
    edges = np.linspace(0, horizon, 2001)
    increments = np.diff(purchases.expected_orders_if_active(frequency, age, edges), axis=1)
    middle = (edges[1:] + edges[:-1]) / 2
    sliced = increments @ (1 + discount) ** (-middle / 365) * purchases.probability_alive(frequency, recency, age)
    np.testing.assert_allclose(discounted_orders(purchases, frequency, recency, age, horizon, discount), sliced, rtol=1e-4)


@settings(max_examples=60)
@given(purchase_models, spend_models, customers(), horizons)
def test_the_mean_lies_in_its_interval_and_a_wider_level_contains_a_narrower(purchases, spend, who, horizon):
    interval = lifetime_value_interval(purchases, spend, *who, horizon)
    np.testing.assert_allclose(interval.mean, lifetime_value(purchases, spend, *who, horizon), rtol=1e-12)
    assert np.isfinite(interval.upper).all()
    assert ((interval.lower >= 0) & (interval.lower <= interval.mean) & (interval.mean <= interval.upper)).all()
    wide = lifetime_value_interval(purchases, spend, *who, horizon, level=0.95)
    assert ((wide.lower <= interval.lower) & (wide.upper >= interval.upper)).all()


@settings(max_examples=60)
@given(purchase_models, spend_models, customers(), horizons, st.randoms(use_true_random=False))
def test_a_customers_interval_does_not_depend_on_the_company(purchases, spend, who, horizon, random):
    whole = lifetime_value_interval(purchases, spend, *who, horizon)
    order = list(range(len(who[0])))
    random.shuffle(order)
    part = order[: max(1, len(order) // 2)]
    alone = lifetime_value_interval(purchases, spend, *(column[part] for column in who), horizon)
    np.testing.assert_array_equal(alone.lower, whole.lower[part])
    np.testing.assert_array_equal(alone.upper, whole.upper[part])


@settings(max_examples=40)
@given(purchase_models, spend_models, customers(), horizons)
def test_bare_quantiles_are_zero_exactly_where_buying_nothing_is_likely_enough(purchases, spend, who, horizon):
    frequency, recency, age, _, _ = who
    bare = lifetime_value_interval(purchases, spend, *who, horizon, cover_mean=False)
    none = 1 - purchases.probability_of_order(frequency, recency, age, horizon)
    assert ((bare.upper == 0) == (none >= 0.9)).all()
    assert ((bare.lower == 0) == (none >= 0.1)).all()


@given(purchase_models, spend_models, customers(), horizons, logs(0.01, 100))
def test_another_currency_unit_multiplies_value_and_interval(purchases, spend, who, horizon, factor):
    p, q, gamma = spend.parameters_
    other = GammaGamma.from_parameters(p, q, gamma * factor)
    frequency, recency, age, n, mean = who
    one = lifetime_value_interval(purchases, spend, *who, horizon)
    two = lifetime_value_interval(purchases, other, frequency, recency, age, n, mean * factor, horizon)
    for name in ("lower", "mean", "upper"):
        np.testing.assert_allclose(getattr(two, name), factor * getattr(one, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 1.0, -1, 80])
def test_a_level_that_is_no_share_is_refused(level):
    models = BetaGeometricNBD.from_parameters(1, 1, 1, 1), GammaGamma.from_parameters(1, 2, 1)
    with pytest.raises(ValueError, match=r"0\.8 gives an 80 % interval"):
        lifetime_value_interval(*models, [0], [0], [1], [1], [1.0], 30, level=level)
