"""What every purchase model answers, and how a stored one is found again."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import ContractError, NotFittedError, RegistryError
from customer_genome.models import (
    BetaGeometricNBD,
    ModifiedBetaGeometricNBD,
    ParetoNBD,
    PurchaseModel,
    purchase_model_from_arrays,
)
from customer_genome.models.btyd.purchase_model import PURCHASE_MODELS, purchase_model_class

MODELS = (
    BetaGeometricNBD.from_parameters(0.243, 30.9, 0.793, 2.426),
    ModifiedBetaGeometricNBD.from_parameters(0.525, 43.3, 0.891, 1.614),
    ParetoNBD.from_parameters(0.553, 74.0, 0.606, 81.7),
)
CUSTOMERS = (
    np.array([0.0, 0.0, 1.0, 2.0, 9.0]),
    np.array([0.0, 0.0, 30.0, 213.0, 270.0]),
    np.array([5.0, 272.0, 240.0, 272.0, 271.0]),
)


@pytest.fixture(params=MODELS, ids=lambda model: model.name)
def model(request) -> PurchaseModel:
    return request.param


def test_a_stored_model_comes_back_as_the_class_that_wrote_it(model):
    again = purchase_model_from_arrays(model.to_arrays())
    assert type(again) is type(model)
    assert again.report_ == model.report_


def test_every_listed_model_is_where_the_list_says():
    assert {purchase_model_class(name).name for name in PURCHASE_MODELS} == set(PURCHASE_MODELS)


@pytest.mark.parametrize(("arrays", "got"), [({"model": np.array("NBD/XY")}, "NBD/XY"), ({}, "arrays without a model name")])
def test_arrays_of_no_known_model_are_refused(arrays, got):
    with pytest.raises(RegistryError, match=f"got {got}. Wanted: one of BG/NBD"):
        purchase_model_from_arrays(arrays)


def test_parameters_by_name_make_the_same_model(model):
    assert type(model).from_values(model.report_.parameters).parameters_ == model.parameters_


def test_wrong_parameters_are_all_named(model):
    first, second, *_ = model.parameter_names
    with pytest.raises(ContractError) as caught:
        type(model).from_values({first: -1.0, "x": 2.0})
    for part in (f"{first} = -1.0", f"no {second}", "x, which is not one of its parameters", "finite and above 0"):
        assert part in str(caught.value)


def test_nothing_is_answered_before_the_fit(model):
    empty = type(model)()
    for ask in (
        lambda: empty.probability_alive(*CUSTOMERS),
        lambda: empty.expected_orders_if_active(*CUSTOMERS[::2], [30]),
        lambda: empty.at_least_if_active(np.ones(1), *CUSTOMERS[::2], 30.0),
        lambda: empty.days_until_order(*CUSTOMERS),
        lambda: empty.simulate_orders(*CUSTOMERS, 30, 2, 1),
    ):
        with pytest.raises(NotFittedError):
            ask()


def test_several_horizons_equal_one_after_the_other(model):
    x, _, age = CUSTOMERS
    horizons = [0.0, 1.0, 30.0, 365.0]
    together = model.expected_orders_if_active(x, age, horizons)
    assert together.shape == (5, 4)
    for column, horizon in enumerate(horizons):
        np.testing.assert_array_equal(together[:, column], model.expected_orders_if_active(x, age, [horizon])[:, 0])


def test_customers_may_have_horizons_of_their_own(model):
    x, _, age = CUSTOMERS
    horizons = np.array([1.0, 20.0, 90.0, 180.0, 3650.0])
    orders = model.expected_orders_if_active(x, age, horizons[:, None])[:, 0]
    chances = model.at_least_if_active(np.array([1.0, 2.0]), x, age, horizons)
    for row, horizon in enumerate(horizons):
        one = slice(row, row + 1)
        assert orders[row] == pytest.approx(model.expected_orders_if_active(x[one], age[one], [horizon])[0, 0], rel=1e-12)
        np.testing.assert_allclose(
            chances[row], model.at_least_if_active(np.array([1.0, 2.0]), x[one], age[one], horizon)[0], rtol=1e-12
        )


@pytest.mark.parametrize("horizon", [-1.0, np.nan, np.inf])
def test_a_horizon_that_is_no_time_is_refused(model, horizon):
    for ask in (model.expected_orders, model.probability_of_order):
        with pytest.raises(ContractError, match="Wanted: a finite number of days >= 0"):
            ask(*CUSTOMERS, horizon)


def test_the_general_search_for_the_next_order_agrees_with_the_models_own(model):
    x, _, age = (column[2:] for column in CUSTOMERS)
    chance = np.array([0.1, 0.3, 0.6])
    np.testing.assert_allclose(
        PurchaseModel._days_until_chance(model, x, age, chance), model._days_until_chance(x, age, chance), rtol=1e-9
    )


def test_in_the_pareto_nbd_an_active_customer_may_never_buy_again():
    model = ParetoNBD.from_parameters(0.5, 100.0, 3.0, 20.0)
    ever = model.probability_of_order([1], [50], [50], 1e15)[0]
    assert ever < 0.9
    assert np.isinf(model.days_until_order([1], [50], [50], ever + 0.01)[0])
    assert np.isfinite(model.days_until_order([1], [50], [50], ever - 0.01)[0])


def test_silence_counts_against_one_time_buyers_except_in_the_bg_nbd():
    alive = {model.name: model.probability_alive([0, 0], [0, 0], [10, 2000]) for model in MODELS}
    assert alive["BG/NBD"].tolist() == [1.0, 1.0]
    assert alive["MBG/NBD"][1] < 0.3 < alive["MBG/NBD"][0]
    assert alive["Pareto/NBD"][1] < 0.3 < alive["Pareto/NBD"][0]


def test_simulated_counts_follow_the_exact_distribution(model):
    customer = tuple(column[3:4] for column in CUSTOMERS)
    draws = model.simulate_orders(*customer, 365, 100_000, seed=3)[0]
    for n in (1, 2, 3, 5):
        exact = model.probability_of_at_least(n, *customer, 365)[0]
        assert abs((draws >= n).mean() - exact) < 4.5 * np.sqrt(exact * (1 - exact) / len(draws))
    assert draws.mean() == pytest.approx(model.expected_orders(*customer, 365)[0], abs=4.5 * draws.std() / np.sqrt(len(draws)))


def test_what_the_parameters_mean_is_said():
    said = [model.report_.sentences()[-1] for model in MODELS]
    assert said == [
        "After each repeat purchase 24.6% stop for good on average.",
        "After each purchase, the first one included, 35.6% stop for good on average.",
        "Of new customers 64.3% have stopped for good after a year, whether they bought again or not.",
    ]


def test_the_chances_of_exactly_none_one_two_and_so_on_sum_to_one(model):
    chances = [model.probability_of_exactly(n, *CUSTOMERS, 120) for n in range(-1, 200)]
    assert (chances[0] == 0).all()
    np.testing.assert_allclose(np.sum(chances, axis=0), 1.0, atol=1e-9)
    mean = np.sum([n * chance for n, chance in enumerate(chances[1:])], axis=0)
    np.testing.assert_allclose(mean, model.expected_orders(*CUSTOMERS, 120), rtol=1e-6)


def test_a_model_shows_its_parameters():
    assert repr(ParetoNBD()) == "ParetoNBD()"
    assert repr(MODELS[2]) == "ParetoNBD(r=0.553, alpha=74, s=0.606, beta=81.7)"


def test_a_fit_says_how_well_it_describes_its_customers():
    rng = np.random.default_rng(8)
    age = rng.integers(100, 600, 4000).astype(float)
    x = rng.poisson(rng.gamma(0.8, 1 / 60, 4000) * age).astype(float)
    t_x = np.where(x > 0, np.floor(age * rng.beta(np.maximum(x, 1), 1)), 0.0)
    report = ParetoNBD().fit(x, t_x, age).report_
    assert f"seen were {x.mean():.3g} and {np.mean(x == 0):.1%}." in report.reading[-1]
    assert not any("only roughly" in line for line in report.notices)


def test_a_fit_says_when_it_describes_its_customers_badly():
    """Half of the customers have bought for long and often when the data begin, and look as old as the others."""
    rng = np.random.default_rng(9)
    age = np.append(np.full(2000, 700.0), rng.integers(10, 700, 2000))
    x = np.append(rng.poisson(30, 2000), rng.poisson(0.2, 2000)).astype(float)
    t_x = np.where(x > 0, np.floor(age * rng.beta(np.maximum(x, 1), 1)), 0.0)
    report = BetaGeometricNBD().fit(x, t_x, age).report_
    assert any("describes these customers only roughly" in line for line in report.notices)
