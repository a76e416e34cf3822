"""Spend fits at the edges of what data can be, and what they say about it."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import ContractError
from customer_genome.models.btyd import spend
from customer_genome.models.btyd.ladder import Likelihood, maximise
from customer_genome.models.btyd.spend import ANCHORED, GammaGamma


def test_zero_and_negative_means_are_left_out_and_pulled_towards_the_population():
    rng = np.random.default_rng(1)
    n = rng.integers(1, 9, 500).astype(float)
    mean = rng.gamma(6 * n) / n / rng.gamma(4.0, 1 / 15.0, 500)
    clean = GammaGamma().fit(n, mean)
    with_refunds = GammaGamma().fit(np.append(n, [3, 5]), np.append(mean, [0.0, -80.0]))
    assert with_refunds.parameters_ == clean.parameters_
    assert "2 customers with a mean spend of zero or less were left out" in with_refunds.report_.notices[0]
    expected = with_refunds.expected_spend([3, 3, 1], [-80.0, 0.0, 0.0])
    assert expected[0] == expected[1] > 0
    assert expected[1] < expected[2] < clean.population_mean_


def test_nothing_spent_at_all():
    model = GammaGamma().fit([0, 2], [0.0, -1.0])
    assert model.report_.rung == "no spend observed"
    assert model.expected_spend([0, 2], [0.0, 5.0])[0] == 0
    assert any("expected spend is 0" in line for line in model.report_.sentences())


def test_the_mean_of_no_purchases_may_be_missing():
    model = GammaGamma.from_parameters(6.25, 3.74, 15.44)
    assert model.expected_spend([0], [np.nan])[0] == model.population_mean_


def test_heavy_tails_that_want_an_infinite_mean_are_recognised_bounded_and_said():
    rng = np.random.default_rng(4)
    n, mean = np.ones(3000), 1 + rng.pareto(0.6, 3000)
    model = GammaGamma().fit(n, mean)
    _, q, _ = model.parameters_
    assert q >= 1.05
    assert model.report_.rung == ANCHORED
    assert model.population_mean_ == pytest.approx(mean.mean(), rel=1e-6)
    assert any("anchored at the observed mean" in line for line in model.report_.notices)
    assert any("q is at its boundary just above 1" in line for line in model.report_.notices)


def test_equal_values_everywhere():
    model = GammaGamma().fit(np.full(200, 3), np.full(200, 5.0))
    np.testing.assert_allclose(model.expected_spend([0, 1, 50], [0, 5.0, 5.0]), 5.0, rtol=1e-3)
    assert any("boundary" in line for line in model.report_.notices)


def test_one_customer():
    """Others are expected to spend as in public shops, where the mean lies above what most spend; the customer as before."""
    model = GammaGamma().fit([4], [25.0])
    assert 25.0 < model.population_mean_ < 40.0
    assert model.expected_spend([4], [25.0])[0] == pytest.approx(25.0, rel=0.1)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_currency_units_of_any_size(unit):
    rng = np.random.default_rng(6)
    n = rng.integers(1, 9, 800).astype(float)
    mean = rng.gamma(2.5 * n) / n / rng.gamma(3.5, 1 / 380.0, 800)
    model = GammaGamma().fit(n, mean * unit)
    assert model.report_.rung == "maximum likelihood"
    assert model.population_mean_ / unit == pytest.approx(GammaGamma().fit(n, mean).population_mean_, rel=1e-6)


@pytest.mark.parametrize("parameters", [(1, 1, 1), (0, 2, 1), (1, 2, -1), (1, float("inf"), 1)])
def test_parameters_that_make_no_model_are_refused(parameters):
    with pytest.raises(ContractError, match="Wanted: p > 0, q > 1"):
        GammaGamma.from_parameters(*parameters)


def test_faults_are_named_at_once():
    with pytest.raises(ContractError) as caught:
        GammaGamma().fit([1, 2.5, 3], [10.0, 20.0, np.nan])
    assert "n_purchases is not a whole number >= 0 in 1 of 3 rows (first: row 1)" in str(caught.value)
    assert "mean_spend is not a finite number in 1 of 3 rows (first: row 2)" in str(caught.value)


def test_the_report_reads_without_statistics():
    sentences = GammaGamma.from_parameters(6.0, 4.0, 15.0).report_.sentences()
    assert sentences[2:] == (
        "A customer about whom nothing is known is expected to spend 30.00 per purchase.",
        "After one purchase 67% of the expectation is the customer's own mean, after five 91%.",
    )


def test_a_sound_fit_with_a_population_mean_far_from_the_observed_one_is_not_used():
    """Spend from q = 1.12 has a mean that samples do not show: the plain fit would double what new customers are expected to spend."""
    rng = np.random.default_rng(3)
    n = rng.integers(1, 6, 4000).astype(float)
    mean = rng.gamma(4 * n) / n / rng.gamma(1.12, 1 / 30.0, 4000)
    loss = spend._loss(spend._collapse(n, mean, np.ones(4000)))
    plain = maximise(Likelihood(spend.PARAMETERS, loss, 4000.0, spend._LOWER, spend._UPPER, spend._CENTRE, spend._STARTS))
    p, excess, gamma = np.exp(plain.point)
    assert plain.is_sound
    assert p * gamma / excess > 1.5 * mean.mean()
    model = GammaGamma().fit(n, mean)
    assert model.report_.rung == ANCHORED
    assert model.population_mean_ == pytest.approx(mean.mean(), rel=1e-6)


def _shop_of_spenders(n: int, seed: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return purchases and mean spend in a shop with a few very large customers, as wholesale has them."""
    rng = np.random.default_rng(seed)
    purchases = 1.0 + np.minimum(rng.poisson(rng.gamma(0.6, 5.0, n)), 300)
    return purchases, rng.gamma(2.5 * purchases) / purchases / rng.gamma(3.4, 1 / 380.0, n)


@pytest.mark.parametrize("n", [300, 4000])
def test_leaving_out_a_tenth_of_the_customers_changes_little(n):
    """What a customer is expected to spend must not swing with who else is in the data."""
    purchases, mean = _shop_of_spenders(n)
    asked = np.array([0.0, 1, 1, 3, 10, 40]), np.array([0.0, 20.0, 900.0, 150.0, 400.0, 5000.0])
    whole = GammaGamma().fit(purchases, mean).expected_spend(*asked)
    parts = np.random.default_rng(2).permutation(n) % 10
    without = np.array(
        [GammaGamma().fit(purchases[parts != out], mean[parts != out]).expected_spend(*asked) for out in range(10)]
    )
    assert np.abs(np.log(without / whole)).max() < (0.20 if n < 1000 else 0.04)


def test_one_enormous_customer_does_not_decide_for_all():
    purchases, mean = _shop_of_spenders(4000)
    model = GammaGamma().fit(purchases, mean)
    with_giant = GammaGamma().fit(np.append(purchases, 200.0), np.append(mean, 300_000.0))
    assert with_giant.population_mean_ == pytest.approx(model.population_mean_, rel=0.05)
    assert with_giant.expected_spend([200], [300_000.0])[0] == pytest.approx(300_000.0, rel=0.02)


def test_the_fit_to_a_shop_with_refunds_says_how_many_it_left_out():
    purchases, mean = _shop_of_spenders(2000)
    mean[:120] = np.linspace(-50.0, 0.0, 120)
    report = GammaGamma().fit(purchases, mean).report_
    assert report.rung == "maximum likelihood"
    assert report.notices[0].startswith("120 customers with a mean spend of zero or less were left out")
