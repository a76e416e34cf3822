"""Small shops are drawn towards public ones, and say so; large ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.btyd import prior
from customer_genome.models.btyd.ladder import POOLED, Likelihood, climb
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.prior import FULL_UP_TO, NONE_FROM, Prior, pooled, small_shop_prior
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma

PURCHASE_MODELS = (BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD)


def shop(n: int, seed: int = 3) -> tuple[np.ndarray, ...]:
    """Return frequency, recency and age of simulated customers, a few purchases each."""
    rng = np.random.default_rng(seed)
    rate, stop, age = rng.gamma(0.8, 1 / 60, n), rng.beta(0.6, 3, n), rng.integers(50, 400, n).astype(float)
    on = np.cumsum(rng.exponential(size=(n, 60)) / rate[:, None], axis=1)
    seen = (on <= age[:, None]) & (np.arange(1, 61) <= rng.geometric(stop)[:, None])
    return seen.sum(axis=1).astype(float), np.floor(np.max(on * seen, axis=1)), age


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_a_shop_of_200_is_pooled_and_says_so(model):
    report = model().fit(*shop(200)).report_
    assert report.rung == POOLED
    assert report.notices[0] == (
        "Only 200 customers: the parameters are drawn towards those of documented public shops; "
        "from 500 customers on the shop speaks for itself."
    )
    assert len(report.covariance) == len(report.parameters)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_a_large_shop_is_fitted_as_if_there_were_no_prior(model, monkeypatch):
    customers = shop(int(NONE_FROM))
    with_prior = model().fit(*customers).report_
    monkeypatch.setattr(prior, "PUBLIC_FITS", {})
    assert model().fit(*customers).report_ == with_prior


def test_the_prior_fades_instead_of_ending():
    for name in prior.PUBLIC_FITS:
        assert small_shop_prior(name, FULL_UP_TO).weight == 1
        assert small_shop_prior(name, (FULL_UP_TO + NONE_FROM) / 2).weight == pytest.approx(0.5)
        assert small_shop_prior(name, NONE_FROM - 1).weight < 0.005
        assert small_shop_prior(name, NONE_FROM) is None
    assert small_shop_prior("another model", 10) is None
    halfway = BetaGeometricNBD().fit(*shop(400)).report_
    assert "at 40% of its weight" in halfway.notices[0]


def test_a_weight_counts_as_that_many_customers():
    once, many = shop(100), shop(100)
    assert BetaGeometricNBD().fit(*once).report_.rung == POOLED
    assert BetaGeometricNBD().fit(*many, weights=np.full(100, 50.0)).report_.rung != POOLED


def test_the_unit_of_time_and_money_does_not_matter():
    x, t_x, age = shop(200)
    days, weeks = BetaGeometricNBD().fit(x, t_x, age), BetaGeometricNBD().fit(x, t_x / 7, age / 7)
    np.testing.assert_allclose(np.array(weeks.parameters_) * [1, 7, 1, 1], days.parameters_, rtol=1e-5)
    mean = np.random.default_rng(1).gamma(2, 20, 200)
    pounds, pence = GammaGamma().fit(x + 1, mean), GammaGamma().fit(x + 1, mean * 100)
    np.testing.assert_allclose(np.array(pence.parameters_) / [1, 1, 100], pounds.parameters_, rtol=1e-5)
    assert pounds.report_.rung == pence.report_.rung == POOLED


def test_a_gaussian_likelihood_and_prior_meet_at_the_weighted_mean():
    def loss(point):
        return float(0.5 * (point[0] - 1.0) ** 2), np.array([point[0] - 1.0])

    likelihood = Likelihood(
        ("one",), loss, 4.0, np.array([-9.0]), np.array([9.0]), np.zeros(1), (np.zeros(1),),
        prior=Prior(np.array([-1.0]), np.array([0.5]), 1.0),
    )  # fmt: skip
    found = climb(likelihood)
    assert found.point[0] == pytest.approx((4.0 * 1.0 + 4.0 * -1.0) / 8.0, abs=1e-9)
    assert found.standard_errors[0] == pytest.approx(8.0**-0.5, rel=1e-6)


def test_where_the_pooled_fit_fails_the_ladder_goes_on():
    def loss(point):
        return float(0.5 * (point[0] - 1.0) ** 2), np.array([point[0] - 1.0])

    far = Prior(np.array([50.0]), np.array([0.001]), 1.0)
    found = climb(Likelihood(("one",), loss, 4.0, np.array([-9.0]), np.array([9.0]), np.zeros(1), (np.zeros(1),), prior=far))
    assert found.rung == "maximum likelihood"
    assert found.notices == ("The fit pooled with public shops did not settle.",)


def test_the_spread_over_shops_is_widened_for_their_number():
    centre, spread = pooled(((1.0, 2.0), (np.e**4, 2.0)))
    np.testing.assert_allclose(centre, [2.0, np.log(2.0)])
    np.testing.assert_allclose(spread, [np.sqrt(8.0 * 1.5), prior.SMALLEST_SPREAD])


def test_the_most_uncertain_parameters_vary_less_from_sample_to_sample(monkeypatch):
    """Forty shops of 100 from one world: the pooled dropout parameters are nearer to the truth, on the log scale."""
    worlds = [shop(100, seed) for seed in range(40)]
    truth = np.log([0.8, 60.0, 0.6, 3.0])

    def error() -> np.ndarray:
        fitted = np.log([BetaGeometricNBD().fit(*world).parameters_ for world in worlds])
        return np.sqrt(((fitted - truth) ** 2).mean(axis=0))

    with_prior = error()
    monkeypatch.setattr(prior, "PUBLIC_FITS", {})
    without = error()
    assert (with_prior[2:] < 0.8 * without[2:]).all()
    assert (with_prior < 1.05 * without).all()
