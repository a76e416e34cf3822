"""Laws of the spend model that hold for every parameter and every customer."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.models.btyd.spend import SMALLEST_EXCESS, GammaGamma


def logs(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda value: float(np.exp(value)))


models = st.builds(
    GammaGamma.from_parameters, p=logs(1e-2, 1e3), q=logs(1e-2, 1e3).map(lambda excess: 1 + excess), gamma=logs(1e-3, 1e6)
)


@st.composite
def spenders(draw: st.DrawFn, most_customers: int = 12, positive: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of purchases and mean values, with zero, negative and very large ones among them."""
    value = logs(1e-4, 1e7) if positive else st.one_of(logs(1e-4, 1e7), st.just(0.0), st.floats(-1e4, 0))
    rows = draw(st.lists(st.tuples(st.integers(1 if positive else 0, 5000), value), min_size=1, max_size=most_customers))
    n, mean = np.array(rows, dtype=float).T
    return n, mean


@given(models, spenders())
def test_expectation_lies_between_the_customers_own_mean_and_the_populations(model, customers):
    n, mean = customers
    expected = model.expected_spend(n, mean)
    own = np.where(n > 0, np.maximum(mean, 0), model.population_mean_)
    low, high = np.minimum(own, model.population_mean_), np.maximum(own, model.population_mean_)
    assert np.isfinite(expected).all()
    assert (expected >= low * (1 - 1e-9)).all()
    assert (expected <= high * (1 + 1e-9)).all()


@given(models, spenders(positive=True))
def test_more_purchases_of_the_same_mean_bring_the_expectation_nearer_to_it(model, customers):
    n, mean = customers
    few, many = model.expected_spend(n, mean), model.expected_spend(n + 1, mean)
    assert (np.abs(many - mean) <= np.abs(few - mean) * (1 + 1e-9) + 1e-9 * mean).all()


@given(models, spenders(), logs(1e-3, 1e3))
def test_another_currency_unit_changes_the_expectation_by_its_factor_only(model, customers, factor):
    n, mean = customers
    p, q, gamma = model.parameters_
    other = GammaGamma.from_parameters(p, q, gamma * factor)
    np.testing.assert_allclose(other.expected_spend(n, mean * factor), factor * model.expected_spend(n, mean), rtol=1e-9)


@settings(max_examples=40)
@given(spenders(most_customers=60))
def test_a_fit_never_fails_and_never_gives_an_infinite_or_negative_mean(customers):
    n, mean = customers
    model = GammaGamma().fit(n, mean)
    p, q, gamma = model.parameters_
    assert np.isfinite([p, q, gamma]).all()
    assert q >= 1 + SMALLEST_EXCESS * (1 - 1e-9)
    usable = mean[(n > 0) & (mean > 0)]
    highest = usable.max() if len(usable) else 0.0
    expected = model.expected_spend(n, mean)
    assert (expected >= 0).all()
    assert (expected <= 1.6 * highest).all()


@settings(max_examples=20)
@given(spenders(most_customers=30), st.data())
def test_weights_repetition_and_row_order_give_the_same_fit(customers, data):
    n, mean = customers
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(n), max_size=len(n))))
    weighted = GammaGamma().fit(n, mean, weights=times)
    repeated = GammaGamma().fit(np.repeat(n, times)[::-1], np.repeat(mean, times)[::-1])
    assert weighted.report_ == repeated.report_


@settings(max_examples=20)
@given(spenders(most_customers=60, positive=True), logs(1e-2, 1e2))
def test_fitting_in_another_currency_unit_predicts_the_same_value(customers, factor):
    n, mean = customers
    one, other = GammaGamma().fit(n, mean), GammaGamma().fit(n, mean * factor)
    np.testing.assert_allclose(other.expected_spend(n, mean * factor), factor * one.expected_spend(n, mean), rtol=1e-3)


@given(models, spenders())
def test_draws_of_a_customers_mean_spend_are_positive_and_centred_on_the_expectation(model, customers):
    n, mean = customers
    p = model.parameters_[0]
    draws = model.simulate_spend(n, mean, 400, seed=1)
    assert draws.shape == (len(n), 400)
    assert (draws > 0).all()
    shape, rate = model.posterior(n, mean)
    steady = shape > 5  # with fewer the mean of 400 draws says little
    error = p * rate / ((shape - 1) * np.sqrt(np.maximum(shape - 2, 1e-9)) * 20)
    assert (np.abs(draws.mean(axis=1) - model.expected_spend(n, mean))[steady] < 6 * error[steady]).all()
