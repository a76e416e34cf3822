"""An independent implementation says the same, wherever it can say anything."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_genome.models.btyd.histories import Histories
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.pareto_likelihood import pareto_loss
from customer_genome.models.btyd.purchase_likelihood import purchase_loss
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma, _Spend
from customer_genome.models.btyd.spend import _loss as spend_loss
from customer_genome.models.estimator import Array

SEEDS = range(25)


@pytest.fixture(scope="module")
def lifetimes():
    """The oracle is archived; its imports and its formulas warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes

        yield lifetimes


@pytest.fixture
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def random_customers(rng: np.random.Generator, n: int = 200) -> tuple[Array, Array, Array]:
    age = rng.uniform(1, 500, n)
    frequency = np.where(rng.random(n) < 0.3, 0, rng.geometric(0.15, n)).astype(float)
    recency = np.where(frequency > 0, age * rng.beta(2, 1, n), 0.0)
    return frequency, recency, age


def random_parameters(rng: np.random.Generator) -> tuple[float, ...]:
    r, alpha, a, b = np.exp(rng.uniform(np.log([0.1, 2, 0.1, 0.5]), np.log([5, 200, 5, 20])))
    return r, alpha, a + 1e-3, b


@st.composite
def customer_and_parameters(draw: st.DrawFn) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """A customer, four parameters (two shapes and scales, or a and b) and a horizon, as wide as the oracle can follow."""

    def logs(low: float, high: float) -> float:
        return float(np.exp(draw(st.floats(np.log(low), np.log(high)))))

    age = logs(0.01, 2000)
    x = draw(st.one_of(st.just(0), st.integers(1, 60)))
    customer = (float(x), age * draw(st.floats(0.01, 1)) if x else 0.0, age)
    return customer, (logs(0.02, 20), logs(0.5, 1000), logs(0.02, 20), logs(0.5, 1000)), logs(0.01, 1000)


def oracle_of(fitter, **parameters):
    import pandas as pd

    fitter.params_ = pd.Series(parameters)
    return fitter


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("quiet")
def test_purchase_predictions_agree(lifetimes, seed):
    rng = np.random.default_rng(seed)
    customers, (r, alpha, a, b), horizon = random_customers(rng), random_parameters(rng), float(rng.uniform(1, 400))
    oracle = oracle_of(lifetimes.BetaGeoFitter(), r=r, alpha=alpha, a=a, b=b)
    model = BetaGeometricNBD.from_parameters(r, alpha, a, b)
    np.testing.assert_allclose(model.probability_alive(*customers), oracle.conditional_probability_alive(*customers), rtol=1e-10)
    theirs = np.asarray(oracle.conditional_expected_number_of_purchases_up_to_time(horizon, *customers))
    usable = np.isfinite(theirs) & (abs(a - 1) > 0.05)
    assert usable.mean() > 0.9 or abs(a - 1) <= 0.05
    np.testing.assert_allclose(model.expected_orders(*customers, horizon)[usable], theirs[usable], rtol=1e-6)
    new = oracle.expected_number_of_purchases_up_to_time(horizon)
    assert model.expected_orders_of_new_customer([horizon])[0] == pytest.approx(new, rel=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("quiet")
def test_purchase_likelihoods_agree(lifetimes, seed):
    rng = np.random.default_rng(seed)
    customers, parameters, weights = random_customers(rng), random_parameters(rng), rng.integers(1, 5, 200).astype(float)
    theirs = lifetimes.BetaGeoFitter._negative_log_likelihood(np.log(parameters), *customers, weights, 0.0)
    ours, _ = purchase_loss(Histories(*customers), weights)(np.log(parameters))
    assert ours == pytest.approx(float(theirs), rel=1e-10)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=customer_and_parameters())
@pytest.mark.usefixtures("quiet")
def test_pareto_nbd_agrees_for_any_customer_and_parameters(lifetimes, drawn):
    customer, (r, alpha, s, beta), horizon = drawn
    oracle = oracle_of(lifetimes.ParetoNBDFitter(), r=r, alpha=alpha, s=s, beta=beta)
    model, columns = ParetoNBD.from_parameters(r, alpha, s, beta), [np.array([value]) for value in customer]
    agrees(model.probability_alive(*columns), oracle.conditional_probability_alive(*columns), 1e-7)
    if abs(s - 1) > 1e-3:
        theirs = oracle.conditional_expected_number_of_purchases_up_to_time(horizon, *columns)
        agrees(model.expected_orders(*columns, horizon), theirs, 1e-6)
        agrees(model.expected_orders_of_new_customer([horizon]), oracle.expected_number_of_purchases_up_to_time(horizon), 1e-6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=customer_and_parameters(), n=st.integers(1, 6))
@pytest.mark.usefixtures("quiet")
def test_pareto_nbd_counts_agree(lifetimes, drawn, n):
    """Their formula for exactly n is a difference of large terms, so it is compared where it leaves digits."""
    customer, (r, alpha, s, beta), horizon = drawn
    oracle = oracle_of(lifetimes.ParetoNBDFitter(), r=r, alpha=alpha, s=s, beta=beta)
    model, columns = ParetoNBD.from_parameters(r, alpha, s, beta), [np.array([value]) for value in customer]
    exactly = model.probability_of_at_least(n, *columns, horizon) - model.probability_of_at_least(n + 1, *columns, horizon)
    theirs = np.atleast_1d(oracle.conditional_probability_of_n_purchases_up_to_time(n, horizon, *customer))
    usable = np.isfinite(theirs) & (theirs > 1e-6) & (customer[0] < 30)
    np.testing.assert_allclose(exactly[usable], theirs[usable], rtol=1e-4)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=customer_and_parameters())
@pytest.mark.usefixtures("quiet")
def test_mbg_nbd_agrees_for_any_customer_and_parameters(lifetimes, drawn):
    customer, (r, alpha, a, wide), horizon = drawn
    b = wide / 25
    oracle = oracle_of(lifetimes.ModifiedBetaGeoFitter(), r=r, alpha=alpha, a=a, b=b)
    model, columns = ModifiedBetaGeometricNBD.from_parameters(r, alpha, a, b), [np.array([value]) for value in customer]
    agrees(model.probability_alive(*columns), oracle.conditional_probability_alive(*columns), 1e-9)
    if abs(a - 1) > 0.05:
        theirs = oracle.conditional_expected_number_of_purchases_up_to_time(horizon, *columns)
        agrees(model.expected_orders(*columns, horizon), theirs, 1e-6)
        agrees(model.expected_orders_of_new_customer([horizon]), oracle.expected_number_of_purchases_up_to_time(horizon), 1e-6)


def agrees(ours: Array, theirs, rtol: float) -> None:
    """Ours are finite always; theirs are compared where they are a number at all."""
    theirs = np.atleast_1d(np.asarray(theirs, dtype=float))
    assert np.isfinite(ours).all()
    usable = np.isfinite(theirs)
    np.testing.assert_allclose(ours[usable], theirs[usable], rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("quiet")
def test_mbg_nbd_likelihoods_agree(lifetimes, seed):
    rng = np.random.default_rng(seed)
    customers, parameters, weights = random_customers(rng), random_parameters(rng), rng.integers(1, 5, 200).astype(float)
    theirs = lifetimes.ModifiedBetaGeoFitter._negative_log_likelihood(np.log(parameters), *customers, weights, 0.0)
    ours, _ = purchase_loss(Histories(*customers), weights, first_chance=1)(np.log(parameters))
    assert ours == pytest.approx(float(theirs), rel=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("quiet")
def test_pareto_nbd_likelihoods_agree_where_theirs_is_a_number(lifetimes, seed):
    rng = np.random.default_rng(seed)
    customers, (r, alpha, s, b), weights = random_customers(rng), random_parameters(rng), rng.integers(1, 5, 200).astype(float)
    parameters = r, alpha, s, 20 * b
    each = lifetimes.ParetoNBDFitter._conditional_log_likelihood(parameters, *customers)
    usable = np.isfinite(each)
    assert usable.mean() > 0.5
    part = Histories(*(column[usable] for column in customers))
    theirs = -(each[usable] @ weights[usable]) / weights[usable].sum()
    assert pareto_loss(part, weights[usable])(np.log(parameters))[0] == pytest.approx(float(theirs), rel=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("quiet")
def test_spend_predictions_and_likelihoods_agree(lifetimes, seed):
    rng = np.random.default_rng(seed)
    n, mean, weights = rng.integers(1, 30, 200).astype(float), rng.gamma(2, 30, 200), rng.integers(1, 5, 200).astype(float)
    p, excess, gamma = np.exp(rng.uniform(np.log([0.5, 0.2, 1]), np.log([20, 10, 500])))
    oracle = oracle_of(lifetimes.GammaGammaFitter(), p=p, q=1 + excess, v=gamma)
    model = GammaGamma.from_parameters(p, 1 + excess, gamma)
    np.testing.assert_allclose(model.expected_spend(n, mean), oracle.conditional_expected_average_profit(n, mean), rtol=1e-10)
    theirs = lifetimes.GammaGammaFitter._negative_log_likelihood(np.log([p, 1 + excess, gamma]), n, mean, weights, 0.0)
    ours, _ = spend_loss(_Spend(n, mean, weights))(np.log([p, excess, gamma]))
    assert ours == pytest.approx(float(theirs), rel=1e-10)


@pytest.mark.usefixtures("quiet")
def test_fits_of_the_same_customers_agree(lifetimes):
    from lifetimes.generate_data import beta_geometric_nbd_model

    np.random.seed(5)  # noqa: NPY002 - the oracle's generator knows no other source of chance
    table = beta_geometric_nbd_model(40, 0.5, 6.0, 0.8, 2.5, size=3000)
    customers = table["frequency"], table["recency"], table["T"]
    oracle = lifetimes.BetaGeoFitter().fit(*customers)
    model = BetaGeometricNBD().fit(*(column.to_numpy() for column in customers))
    np.testing.assert_allclose(model.parameters_, oracle.params_[["r", "alpha", "a", "b"]], rtol=5e-3)
    loss = purchase_loss(Histories(*(column.to_numpy(dtype=float) for column in customers)), np.ones(3000))
    assert loss(np.log(model.parameters_))[0] <= loss(np.log(oracle.params_[["r", "alpha", "a", "b"]].to_numpy()))[0] + 1e-12


# Where the oracle's formula is 0/0 or minus times minus infinity, ours has to be right and not only finite: the sum of the chances of
# one or more, two or more, ... purchases is the judge.
BEYOND = {
    "a is 1": ((0.243, 30.9, 1.0, 2.4), (3.0, 5.0, 20.0), 10.0),
    "a + b + x is 1": ((0.243, 30.9, 0.1, 0.9), (0.0, 0.0, 20.0), 10.0),
}


@pytest.mark.parametrize(("parameters", "customer", "horizon"), BEYOND.values(), ids=BEYOND.keys())
@pytest.mark.usefixtures("quiet")
def test_ours_goes_on_where_the_oracle_stops(lifetimes, parameters, customer, horizon):
    oracle = oracle_of(lifetimes.BetaGeoFitter(), **dict(zip(("r", "alpha", "a", "b"), parameters, strict=True)))
    assert not np.isfinite(oracle.conditional_expected_number_of_purchases_up_to_time(horizon, *customer)).any()
    model, columns = BetaGeometricNBD.from_parameters(*parameters), [np.array([value]) for value in customer]
    tails = model.at_least_if_active(np.arange(1.0, 2000.0), columns[0], columns[2], horizon)
    judged = model.probability_alive(*columns)[0] * tails.sum()
    assert model.expected_orders(*columns, horizon)[0] == pytest.approx(judged, rel=1e-9)
