"""Totals are sums over customers: however customers share histories or stand in groups, nothing is lost or added."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.errors import ContractError
from customer_genome.models.btyd import tracking
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.totals import SharedHistories, add_up, forecast_each, forecast_totals
from customer_genome.models.btyd.tracking import (
    alive_matrix,
    by_frequency,
    elapsed_days,
    expected_after,
    expected_histogram,
    expected_repeats,
)

CUSTOMER = st.tuples(st.integers(0, 6), st.floats(0, 1), st.integers(1, 90), st.floats(0, 500), st.integers(0, 3))
SHOP = st.lists(CUSTOMER, min_size=1, max_size=25)
MODEL = st.sampled_from(
    [
        BetaGeometricNBD.from_values({"r": 0.4, "alpha": 20.0, "a": 0.8, "b": 2.5}),
        ModifiedBetaGeometricNBD.from_values({"r": 0.5, "alpha": 30.0, "a": 0.9, "b": 1.6}),
    ]
)
SPEND = GammaGamma.from_parameters(6.25, 3.74, 15.44)
ENDS = [7.0, 30.0, 31.0, 365.0]


def arrays(shop: list[tuple[int, float, int, float, int]]) -> tuple[np.ndarray, ...]:
    """Frequency, recency, age, mean spend and group of a drawn shop."""
    x, part, age, spend, group = (np.array(column, dtype=float) for column in zip(*shop, strict=True))
    return x, np.where(x > 0, np.floor(part * age), 0.0), age, spend, group.astype(int)


@settings(max_examples=40)
@given(SHOP, MODEL)
def test_totals_are_the_sums_over_customers(shop, model):
    x, t_x, age, spend, group = arrays(shop)
    total = forecast_totals(model, SPEND, SharedHistories.of(x, t_x, age, None, spend, None, group), ENDS)
    each = np.diff(np.stack([model.expected_orders(x, t_x, age, end) for end in ENDS]), axis=0, prepend=0.0)
    worth = SPEND.expected_spend(x + 1, spend)
    np.testing.assert_allclose(total.orders.sum(axis=0), each.sum(axis=1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(total.revenue.sum(axis=0), (each * worth).sum(axis=1), rtol=1e-9, atol=1e-12)
    for number in range(total.orders.shape[0]):
        np.testing.assert_allclose(total.orders[number], each[:, group == number].sum(axis=1), rtol=1e-9, atol=1e-12)
    together = total.in_all()
    np.testing.assert_allclose(together.revenue[0], total.revenue.sum(axis=0))
    lower, upper = together.revenue_interval()
    assert np.all(lower <= upper) and np.all(lower >= 0) and np.all(together.revenue <= upper)


@settings(max_examples=40)
@given(SHOP, MODEL)
def test_customers_who_share_a_history_may_be_counted_together(shop, model):
    x, t_x, age, spend, _ = arrays(shop)
    x, t_x, age = (np.repeat(column, 2) for column in (x, t_x, age))
    spend = np.column_stack([spend, 3 * spend]).ravel()
    apart = forecast_totals(model, SPEND, SharedHistories.of(x, t_x, age, None, spend), ENDS).in_all()
    pairs = spend.reshape(-1, 2)
    shared = SharedHistories.of(x[::2], t_x[::2], age[::2], np.full(len(pairs), 2), pairs.sum(axis=1), (pairs**2).sum(axis=1))
    together = forecast_totals(model, SPEND, shared, ENDS).in_all()
    np.testing.assert_allclose(together.orders, apart.orders, rtol=1e-9)
    np.testing.assert_allclose(together.revenue, apart.revenue, rtol=1e-9)


@settings(max_examples=30)
@given(SHOP, MODEL, st.integers(1, 200))
def test_each_customer_may_have_a_horizon_of_their_own(shop, model, days):
    x, t_x, age, spend, group = arrays(shop)
    horizons = np.maximum(days - age, 0)
    orders, revenue = forecast_each(model, SPEND, SharedHistories.of(x, t_x, age, None, spend, None, group), horizons)
    left = np.array([
        float(model.expected_orders([one], [last], [seen], days - seen)[0]) if seen < days else 0.0
        for one, last, seen in zip(x, t_x, age, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(orders, np.bincount(group, left), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(revenue, np.bincount(group, left * SPEND.expected_spend(x + 1, spend)), rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 50)), min_size=1, max_size=20), MODEL)
def test_a_histogram_counts_every_customer_once_and_grows_with_age(cohorts, model):
    ages, counts = (np.array(column, dtype=float) for column in zip(*cohorts, strict=True))
    found = expected_histogram(model, ages, counts)
    assert found.sum() == pytest.approx(counts.sum()) and np.all(found >= -1e-9)
    older = expected_histogram(model, ages + 50, counts)
    assert older[0] <= found[0] + 1e-9


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=10), MODEL)
def test_expected_repeats_add_up_over_periods_and_cohorts(cohorts, model):
    born, counts = (np.array(column, dtype=float) for column in zip(*cohorts, strict=True))
    weekly = expected_repeats(model, elapsed_days(born, np.arange(0, 71, 7)), counts)
    assert weekly.sum() == pytest.approx(float(counts @ model.expected_orders_of_new_customer(69 - born)))
    apart = sum(
        expected_repeats(model, elapsed_days([one], np.arange(0, 71, 7)), [n]) for one, n in zip(born, counts, strict=True)
    )
    np.testing.assert_allclose(weekly, apart, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "parameters", [{"r": 0.4, "alpha": 20.0, "a": 0.8, "b": 2.5}, {"r": 0.02, "alpha": 0.5, "a": 3.0, "b": 0.2}]
)
def test_of_very_many_times_the_same_is_expected(parameters, monkeypatch):
    model = BetaGeometricNBD.from_values(parameters)
    born = np.linspace(0, 5000, 400) + 0.123
    elapsed = elapsed_days(born, np.arange(0, 5040, 70))
    exactly = expected_repeats(model, elapsed, np.ones(400))
    monkeypatch.setattr(tracking, "_MOST_TIMES", 10)
    np.testing.assert_allclose(expected_repeats(model, elapsed, np.ones(400)), exactly, rtol=1e-5)


@settings(max_examples=30)
@given(SHOP, MODEL)
def test_what_is_expected_after_now_is_the_sum_over_customers(shop, model):
    x, t_x, age, _, _ = arrays(shop)
    weekly = expected_after(model, x, t_x, age, np.ones(len(x)), [7, 14, 21])
    assert weekly.sum() == pytest.approx(float(model.expected_orders(x, t_x, age, 21).sum()))
    assert by_frequency(x, np.ones(len(x)), 3).sum() == len(x)


def test_longer_silence_and_a_busier_past_make_activity_less_likely():
    model = BetaGeometricNBD.from_values({"r": 0.4, "alpha": 20.0, "a": 0.8, "b": 2.5})
    found = alive_matrix(model, [1, 5, 20], [364, 335, 265], 365)
    assert np.all(np.diff(found, axis=1) < 0) and np.all((found > 0) & (found < 1))
    assert found[2, 2] < found[0, 2], "who bought often and then stopped is gone sooner"
    assert alive_matrix(model, [0], [0], 365) == model.probability_alive([0], [0], [365])


@settings(max_examples=25)
@given(SHOP, MODEL, st.integers(1, 24))
def test_parts_of_the_customers_add_up_to_all_of_them(shop, model, cut):
    x, t_x, age, spend, group = arrays(shop)

    def total(rows: slice):
        part = SharedHistories.of(x[rows], t_x[rows], age[rows], None, spend[rows], None, group[rows], 4)
        return forecast_totals(model, SPEND, part, ENDS)

    together, apart = total(slice(None)), add_up([total(slice(0, cut)), total(slice(cut, None))])
    np.testing.assert_allclose(apart.orders, together.orders, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(apart.revenue, together.revenue, rtol=1e-9, atol=1e-12)
    assert apart.orders_sd.shape == together.orders_sd.shape == (4, len(ENDS))


@pytest.mark.parametrize("ends", [[], [0.0], [5.0, 5.0], [5.0, 3.0], [np.inf]])
def test_periods_that_are_none_are_refused(ends):
    with pytest.raises(ContractError, match="ends_days"):
        forecast_totals(
            BetaGeometricNBD.from_values({"r": 1, "alpha": 9, "a": 1, "b": 1}), None, SharedHistories.of([0], [0], [5]), ends
        )


def test_columns_of_other_length_are_refused():
    with pytest.raises(ContractError, match="n_customers has 2 entries"):
        SharedHistories.of([0], [0], [5], [1, 2])
    with pytest.raises(ContractError, match="groups from -1 to -1"):
        SharedHistories.of([0], [0], [5], group=[-1])
