"""Every rung of the ladder is reached, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import ConvergenceError
from customer_genome.models.btyd import ladder, purchase_likelihood, spend
from customer_genome.models.btyd.histories import Histories, collapse
from customer_genome.models.btyd.ladder import Likelihood, climb, maximise
from customer_genome.models.btyd.purchase_fit import as_likelihood
from customer_genome.models.btyd.purchase_likelihood import beta_geometric_form
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma

HISTORY = (
    np.array([0.0, 3.0, 1.0, 8.0] * 60),
    np.array([0.0, 90.0, 20.0, 170.0] * 60),
    np.array([200.0, 210.0, 180.0, 190.0] * 60),
)


def bowl(bottom=(0.3, -0.2), weight=100.0, **changes) -> Likelihood:
    """A quadratic likelihood whose optimum and curvature are known."""
    at, scale = np.array(bottom), np.array([1.0, 4.0])

    def loss(point):
        return float(0.5 * scale @ (point - at) ** 2), scale * (point - at)

    options = {"loss": loss, "lower": np.array([-5.0, -5.0]), "upper": np.array([5.0, 5.0])} | changes
    return Likelihood(
        names=("one", "two"), weight=weight, centre=np.zeros(2), starts=(np.array([2.0, 2.0]), np.zeros(2)), **options
    )


def test_a_sound_optimum_is_taken_with_its_standard_errors():
    found = climb(bowl())
    np.testing.assert_allclose(found.point, [0.3, -0.2], atol=1e-9)
    np.testing.assert_allclose(found.standard_errors, [0.1, 0.05], rtol=1e-6)
    assert (found.rung, found.converged, found.notices) == ("maximum likelihood", True, ())


def test_an_optimum_at_a_bound_is_named_and_left_for_the_penalty():
    found = climb(bowl(bottom=(9.0, 0.0)))
    assert found.rung == "penalised likelihood"
    assert found.standard_errors is None
    assert found.converged
    assert found.notices[0].startswith("Plain maximum likelihood has no optimum inside its range: one lies at a boundary")
    assert found.notices[1] == "Even so one stayed at the bound of what is tried."


def test_a_flat_direction_is_left_for_the_penalty():
    found = climb(bowl(loss=lambda point: (0.5 * float(point[0] ** 2), np.array([point[0], 0.0]))))
    assert found.rung == "penalised likelihood"
    assert "nearly flat in one direction" in found.notices[0]
    assert found.point[1] == pytest.approx(0.0, abs=1e-6), "the penalty alone decides"
    assert found.standard_errors[1] == pytest.approx(ladder.PENALTY_SD, rel=1e-3)


def test_the_best_of_several_starts_is_kept():
    def two_valleys(point):
        x = point[0]
        return float((x**2 - 1) ** 2 + 0.3 * x), np.array([4 * x * (x**2 - 1) + 0.3])

    problem = Likelihood(
        ("x",), two_valleys, 50.0, np.array([-3.0]), np.array([3.0]), np.zeros(1), (np.array([1.2]), np.array([-1.2]))
    )
    assert maximise(problem).point[0] < 0
    only_the_wrong_one = Likelihood(
        ("x",), two_valleys, 50.0, np.array([-3.0]), np.array([3.0]), np.zeros(1), (np.array([0.95]),)
    )
    assert maximise(only_the_wrong_one).point[0] > 0


@pytest.mark.parametrize(
    "scout",
    [
        lambda point: (float(0.5 * np.sum((point - 4) ** 2)), point - 4),
        lambda point: (float(-0.5 * np.sum(point**2)), -point),
        lambda point: (0.0, np.zeros(2)),
        lambda point: (float(5e-3 * np.sum(point**2)), 1e-2 * point),
    ],
    ids=["has another optimum", "has none", "is flat", "is far too flat"],
)
def test_a_part_of_the_data_that_is_no_guide_does_no_harm(scout):
    found = climb(bowl(scout=scout))
    np.testing.assert_allclose(found.point, [0.3, -0.2], atol=1e-8)
    assert found.rung == "maximum likelihood"


def test_where_the_plain_fit_went_is_kept_when_it_lay_at_a_bound():
    np.testing.assert_allclose(climb(bowl(bottom=(9.0, 0.0))).plain, [5.0, 0.0], atol=1e-6)
    assert climb(bowl()).plain is None


def test_simpler_models_are_tried_in_order_when_nothing_settles():
    broken = bowl(loss=lambda point: (np.nan, np.full(2, np.nan)))
    found = climb(broken, [("first form", lambda: None), ("second form", lambda: np.array([1.0, 2.0]))])
    assert found.rung == "second form"
    assert found.notices == (
        "Plain maximum likelihood gave no finite value; a weak penalty was added.",
        "The penalised fit did not settle either.",
        "The first form failed too.",
        "A simpler model was used: second form.",
    )


def test_only_when_every_rung_fails_there_is_an_error():
    with pytest.raises(ConvergenceError, match="No model could be fitted"):
        climb(bowl(loss=lambda point: (np.nan, np.full(2, np.nan))), [("last form", lambda: np.array([np.nan, 0.0]))])


def test_purchases_fall_back_to_a_model_without_dropout(monkeypatch):
    """The four-parameter problem is made to fail; the two-parameter one is solved for real."""
    monkeypatch.setattr(ladder, "maximise", lambda problem, penalty_sd=None: None)
    model = BetaGeometricNBD().fit(*HISTORY)
    assert model.report_.rung == "purchase model without dropout"
    assert (model.probability_alive(*HISTORY) == 1).all()
    total = model.expected_orders(*HISTORY, 190).sum()
    assert total == pytest.approx(HISTORY[0].sum(), rel=0.1), "as many orders as were seen in about the same time"
    assert "A simpler model was used: purchase model without dropout." in model.report_.notices


def test_purchases_fall_back_to_one_common_rate_at_last(monkeypatch):
    for module in (ladder, purchase_likelihood):
        monkeypatch.setattr(module, "maximise", lambda problem, penalty_sd=None: None)
    model = BetaGeometricNBD().fit(*HISTORY)
    assert model.report_.rung == "one common purchase rate"
    rate = (HISTORY[0].sum() + 0.5) / HISTORY[2].sum()
    np.testing.assert_allclose(model.expected_orders(*HISTORY, 100), rate * 100, rtol=0.01)
    assert any("practically the same rate" in line for line in model.report_.notices)


def test_spend_falls_back_to_the_observed_mean_at_last(monkeypatch):
    for module in (ladder, spend):
        monkeypatch.setattr(module, "maximise", lambda problem, penalty_sd=None: None)
    model = GammaGamma().fit([1, 2, 3], [10.0, 20.0, 30.0])
    assert model.report_.rung == "fixed shrinkage to the observed mean"
    assert model.population_mean_ == pytest.approx(20.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_gradient_of_the_purchase_likelihood_is_its_slope(seed):
    rng = np.random.default_rng(seed)
    age = rng.uniform(0.01, 3, 50)
    frequency = np.where(rng.random(50) < 0.4, 0, rng.integers(1, 200, 50)).astype(float)
    histories = Histories(frequency, np.where(frequency > 0, age * rng.random(50), 0), age)
    _assert_gradient(purchase_likelihood.purchase_loss(histories, rng.uniform(0.1, 5, 50)), rng.normal(0, 2, 4))


@pytest.mark.parametrize("seed", range(20))
def test_the_gradient_of_the_spend_likelihoods_is_their_slope(seed):
    rng = np.random.default_rng(seed)
    rows = spend._Spend(rng.integers(1, 50, 40).astype(float), rng.lognormal(0, 2, 40), rng.uniform(0.1, 5, 40))
    _assert_gradient(spend._loss(rows), rng.normal(0, 2, 3))
    _assert_gradient(spend._anchored(spend._loss(rows), rows.observed_mean), rng.normal(0, 2, 2))


def _assert_gradient(loss, point):
    step = 1e-5
    slope = [(loss(point + step * unit)[0] - loss(point - step * unit)[0]) / (2 * step) for unit in np.eye(len(point))]
    np.testing.assert_allclose(loss(point)[1], slope, rtol=1e-5, atol=1e-7)


def test_choosing_a_start_on_a_part_of_the_data_finds_the_same_optimum():
    rng = np.random.default_rng(2)
    n = 20_000
    rate, stop, age = rng.gamma(0.8, 1 / 40, n), rng.beta(0.6, 3, n), rng.uniform(50, 900, n)
    on = np.cumsum(rng.exponential(size=(n, 60)) / rate[:, None], axis=1)
    seen = (on <= age[:, None]) & (np.arange(1, 61) <= rng.geometric(stop)[:, None])
    histories, counts = collapse(seen.sum(axis=1), np.max(on * seen, axis=1), age)
    with_scout = as_likelihood(beta_geometric_form("BG/NBD", 0), histories, counts, 400.0)
    assert with_scout.scout is not None
    without = Likelihood(**{**with_scout.__dict__, "scout": None})
    np.testing.assert_allclose(maximise(with_scout).point, maximise(without).point, atol=1e-6)
