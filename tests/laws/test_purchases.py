"""Laws of the purchase model that hold for every parameter and every history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.models.btyd.histories import collapse
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchases import BetaGeometricNBD

MODELS = (BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD)


def logs(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda value: float(np.exp(value)))


def geometric(model) -> st.SearchStrategy:
    return st.builds(
        model.from_parameters,
        r=logs(1e-3, 1e3),
        alpha=logs(1e-2, 1e4),
        a=st.one_of(st.just(0.0), logs(1e-5, 1e3)),
        b=logs(1e-3, 1e4),
    )


bg_models = geometric(BetaGeometricNBD)
models = st.one_of(
    bg_models,
    geometric(ModifiedBetaGeometricNBD),
    st.builds(
        ParetoNBD.from_parameters,
        r=logs(1e-3, 1e3),
        alpha=logs(1e-2, 1e4),
        s=st.one_of(st.just(0.0), st.just(1.0), logs(1e-5, 1e3)),
        beta=logs(1e-2, 1e4),
    ),
)
horizons = st.one_of(st.just(0.0), logs(1e-3, 4000))


@st.composite
def histories(draw: st.DrawFn, most_customers: int = 12, most_orders: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Valid histories: one-time buyers, customers of today, and heavy buyers among them."""
    rows = []
    for _ in range(draw(st.integers(1, most_customers))):
        age = draw(st.one_of(st.just(0), st.integers(0, 1000)))
        frequency = draw(st.one_of(st.just(0), st.integers(0, most_orders))) if age else 0
        recency = draw(st.integers(1, age)) if frequency else 0
        rows.append((frequency, recency, age))
    return tuple(np.array(rows, dtype=float).T)


@given(models, histories(), horizons)
def test_predictions_stay_in_their_ranges(model, customers, horizon):
    predicted = model.predict(*customers, horizon)
    assert all(np.isfinite(values).all() for values in predicted.values())
    assert ((predicted["p_alive"] >= 0) & (predicted["p_alive"] <= 1)).all()
    assert (
        (predicted["probability_of_order"] >= 0) & (predicted["probability_of_order"] <= predicted["p_alive"] * (1 + 1e-12))
    ).all()
    assert (predicted["expected_orders"] >= predicted["probability_of_order"] * (1 - 1e-7)).all()


@given(bg_models, histories())
def test_in_the_bg_nbd_a_customer_without_repeat_purchase_is_active_by_definition(model, customers):
    alive = model.probability_alive(*customers)
    assert (alive[customers[0] == 0] == 1.0).all()


@given(models, histories())
def test_who_bought_on_the_last_day_observed_is_active_unless_that_purchase_was_the_last(model, customers):
    frequency, recency, _ = customers
    alive = model.probability_alive(frequency, recency, recency)
    if isinstance(model, ParetoNBD):
        assert (alive == 1.0).all()
    else:
        _, _, a, b = model.parameters_
        chances = frequency + model.first_chance
        np.testing.assert_allclose(alive, np.where(chances > 0, 1 - a / (a + b + np.maximum(chances, 1) - 1), 1.0), rtol=1e-9)


@given(models, histories(), horizons, horizons)
def test_a_longer_horizon_never_means_fewer_orders(model, customers, one, other):
    short, long = sorted((one, other))
    near, far = model.predict(*customers, short), model.predict(*customers, long)
    slack = 1 + 1e-6  # the quadrature's error where z is extreme
    assert (near["expected_orders"] <= far["expected_orders"] * slack).all()
    assert (near["probability_of_order"] <= far["probability_of_order"] * slack).all()


@given(models, histories())
def test_nothing_happens_in_no_time(model, customers):
    predicted = model.predict(*customers, 0)
    assert (predicted["expected_orders"] == 0).all()
    assert (predicted["probability_of_order"] == 0).all()


@given(models, histories(), st.integers(1, 400))
def test_silence_never_raises_the_chance_of_being_active(model, customers, more_days):
    frequency, recency, age = customers
    earlier, later = model.probability_alive(*customers), model.probability_alive(frequency, recency, age + more_days)
    assert (later <= earlier * (1 + 1e-12)).all()


@given(models, histories(), horizons)
def test_nobody_is_expected_to_buy_more_than_if_nobody_ever_stopped(model, customers, horizon):
    r, alpha = model.parameters_[:2]
    frequency, _, age = customers
    assert (model.expected_orders(*customers, horizon) <= (r + frequency) * horizon / (alpha + age) * (1 + 1e-9)).all()


@given(
    st.one_of(
        st.builds(BetaGeometricNBD.from_parameters, r=logs(0.05, 20), alpha=logs(1, 300), a=logs(1e-3, 20), b=logs(0.05, 100)),
        st.builds(
            ModifiedBetaGeometricNBD.from_parameters, r=logs(0.05, 20), alpha=logs(1, 300), a=logs(1e-3, 20), b=logs(0.05, 100)
        ),
        st.builds(ParetoNBD.from_parameters, r=logs(0.05, 20), alpha=logs(1, 300), s=logs(1e-3, 20), beta=logs(1, 300)),
    ),
    histories(most_customers=3, most_orders=30),
    logs(1, 200),
)
def test_the_mean_is_the_sum_of_the_chances_of_one_or_more_two_or_more_and_so_on(model, customers, horizon):
    """Two ways of counting. Differences of the tails are the chances of exactly n, so these are >= 0 and sum to 1."""
    frequency, _, age = customers
    counts = np.arange(1.0, 1200.0)
    tails = model.at_least_if_active(counts, frequency, age, horizon)
    assert (tails[:, 1:] <= tails[:, :-1] * (1 + 1e-9) + 1e-13).all()
    complete = tails[:, -1] < 1e-13
    expected = model.expected_orders_if_active(frequency, age, [horizon])[:, 0]
    np.testing.assert_allclose(tails.sum(axis=1)[complete], expected[complete], rtol=1e-8)


@given(bg_models, histories(), horizons)
def test_at_least_one_order_is_the_probability_of_order(model, customers, horizon):
    r, alpha, _, _ = model.parameters_
    frequency, _, age = customers
    closed_form = model.probability_alive(*customers) * -np.expm1(-(r + frequency) * np.log1p(horizon / (alpha + age)))
    np.testing.assert_allclose(model.probability_of_order(*customers, horizon), closed_form, rtol=1e-9, atol=1e-300)


@given(models, histories(), horizons)
def test_days_and_weeks_predict_the_same(model, customers, horizon):
    per_unit = {name: 7.0 if name in ("alpha", "beta") else 1.0 for name in model.parameter_names}
    in_weeks = type(model).from_values({name: value / per_unit[name] for name, value in model.report_.parameters.items()})
    frequency, recency, age = customers
    for name, values in model.predict(*customers, horizon).items():
        other = in_weeks.predict(frequency, recency / 7, age / 7, horizon / 7)[name]
        np.testing.assert_allclose(other, values, rtol=1e-9, atol=1e-250)


@given(models, histories(), horizons, st.randoms(use_true_random=False))
def test_a_customer_is_predicted_the_same_in_any_company(model, customers, horizon, random):
    order = list(range(len(customers[0])))
    random.shuffle(order)
    part = order[: max(1, len(order) // 2)]
    for name, values in model.predict(*customers, horizon).items():
        np.testing.assert_array_equal(model.predict(*(column[part] for column in customers), horizon)[name], values[part])


@given(models, histories(), st.floats(0.01, 0.99))
def test_the_day_of_the_next_order_inverts_the_probability_of_order(model, customers, probability):
    days = model.days_until_order(*customers, probability)
    alive = model.probability_alive(*customers)
    assert (np.isinf(days[alive <= probability])).all()
    ever = model.probability_of_order(*customers, 1e12)
    assert (ever[np.isinf(days)] <= probability * (1 + 1e-9)).all()
    for index in np.flatnonzero(np.isfinite(days) & (days < 1e12)):
        customer = [column[index : index + 1] for column in customers]
        assert model.probability_of_order(*customer, days[index])[0] == pytest.approx(probability, rel=1e-6)


@given(histories(), st.data())
def test_collapse_keeps_every_customer_once_in_sorted_order(customers, data):
    weights = np.array(
        data.draw(st.lists(st.integers(0, 5), min_size=len(customers[0]), max_size=len(customers[0]))), dtype=float
    )
    distinct, counts = collapse(*customers, weights)
    rows = list(zip(distinct.frequency, distinct.recency_days, distinct.age_days, strict=True))
    assert rows == sorted(set(rows))
    assert counts.sum() == weights.sum()
    for row, count in zip(rows, counts, strict=True):
        same = np.all(row == np.array(customers).T, axis=1)
        assert weights[same].sum() == count > 0


@settings(max_examples=25)
@given(st.sampled_from(MODELS), histories(most_customers=40, most_orders=20))
def test_a_fit_never_fails_and_always_predicts(kind, customers):
    model = kind().fit(*customers)
    assert np.isfinite(model.parameters_).all()
    assert np.isfinite(model.report_.log_likelihood)
    assert model.report_.sentences()
    assert np.isfinite(model.expected_orders(*customers, 180)).all()


@settings(max_examples=15)
@given(st.sampled_from(MODELS), histories(most_customers=25, most_orders=20), st.data())
def test_weights_repetition_and_row_order_give_the_same_fit(kind, customers, data):
    times = np.array(data.draw(st.lists(st.integers(1, 4), min_size=len(customers[0]), max_size=len(customers[0]))))
    weighted = kind().fit(*customers, weights=times)
    repeated = kind().fit(*(np.repeat(column, times)[::-1] for column in customers))
    assert weighted.parameters_ == repeated.parameters_
    assert weighted.report_ == repeated.report_


@settings(max_examples=15)
@given(st.sampled_from(MODELS), histories(most_customers=40, most_orders=20), logs(0.01, 100))
def test_fitting_in_another_unit_of_time_predicts_the_same(kind, customers, unit):
    frequency, recency, age = customers
    if not age.any():
        return  # without any time the unit has to be assumed, and the report says so
    one = kind().fit(*customers)
    other = kind().fit(frequency, recency / unit, age / unit)
    np.testing.assert_allclose(
        other.expected_orders(frequency, recency / unit, age / unit, 90 / unit),
        one.expected_orders(*customers, 90),
        rtol=1e-3,
        atol=1e-9,
    )
