"""Simulate customers whose parameters are known, fit, and find the parameters and their futures again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from customer_genome.models.btyd.lifetime_value import lifetime_value, lifetime_value_interval
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma

Truth = tuple[float, float, float, float]
# A model and its parameters.
PURCHASE_TRUTHS: dict[str, tuple[type[PurchaseModel], Truth]] = {
    "BG/NBD music store": (BetaGeometricNBD, (0.24, 31.0, 0.79, 2.43)),
    "BG/NBD loyal grocery": (BetaGeometricNBD, (2.5, 40.0, 0.05, 2.0)),
    "BG/NBD short lives": (BetaGeometricNBD, (1.2, 20.0, 2.0, 3.0)),
    "MBG/NBD music store": (ModifiedBetaGeometricNBD, (0.525, 43.0, 0.89, 1.61)),
    "MBG/NBD loyal grocery": (ModifiedBetaGeometricNBD, (2.5, 40.0, 0.1, 2.0)),
    "Pareto/NBD music store": (ParetoNBD, (0.55, 74.0, 0.61, 82.0)),
    "Pareto/NBD loyal grocery": (ParetoNBD, (2.5, 40.0, 0.8, 900.0)),
    "Pareto/NBD short lives": (ParetoNBD, (1.2, 20.0, 2.0, 200.0)),
}


@dataclass(frozen=True)
class World:
    """Customers seen until `age_days` after their first purchase, and their purchase days in the horizon that follows."""

    frequency: np.ndarray
    recency_days: np.ndarray
    age_days: np.ndarray
    future_orders: np.ndarray

    @property
    def history(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.frequency, self.recency_days, self.age_days


def simulate_world(truth: Truth, n: int, horizon: float, seed: int, kind: type[PurchaseModel] = BetaGeometricNBD) -> World:
    """Play every purchase of every customer, straight from the story the model tells (no formula of the product)."""
    r, alpha, third, fourth = truth
    rng = np.random.default_rng(seed)
    age = rng.integers(100, 700, n).astype(float)
    rate = rng.gamma(r, 1 / alpha, n)
    if kind is ParetoNBD:
        until, stop = rng.exponential(size=n) / rng.gamma(third, 1 / fourth, n), np.zeros(n)
    else:
        until, stop = np.full(n, np.inf), rng.beta(third, fourth, n)
    frequency, recency, future, clock = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    active = rng.random(n) >= stop if kind is ModifiedBetaGeometricNBD else np.ones(n, dtype=bool)
    while active.any():
        clock[active] += rng.exponential(1 / np.maximum(rate[active], 1e-12))
        active &= clock <= until
        seen, later = active & (clock <= age), active & (clock > age) & (clock <= age + horizon)
        frequency[seen] += 1
        recency[seen] = clock[seen]
        future[later] += 1
        active &= (clock <= age + horizon) & (rng.random(n) >= stop)
    return World(frequency, recency, age, future)


def simulate_spend(truth: tuple[float, float, float], n_purchases: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each customer's mean spend and nu."""
    p, q, gamma = truth
    rng = np.random.default_rng(seed)
    nu = rng.gamma(q, 1 / gamma, len(n_purchases))
    return rng.gamma(p * n_purchases) / nu / n_purchases, nu


def log_distance(fitted: dict, errors: dict, truth: tuple[float, ...]) -> np.ndarray:
    """Return how many standard errors the fitted parameters are from the truth, on the log scale they are fitted on."""
    values, spread = np.array(list(fitted.values())), np.array(list(errors.values()))
    return np.abs(np.log(values / truth)) / (spread / values)


@pytest.mark.parametrize(("kind", "truth"), PURCHASE_TRUTHS.values(), ids=PURCHASE_TRUTHS.keys())
def test_purchase_parameters_are_found_again(kind, truth):
    world = simulate_world(truth, 6000, 0, seed=5, kind=kind)
    report = kind().fit(*world.history).report_
    assert report.rung == "maximum likelihood"
    assert (log_distance(report.parameters, report.standard_errors, truth) < 3.3).all()
    assert all(error < 0.4 * report.parameters[name] for name, error in report.standard_errors.items())


@pytest.mark.parametrize("truth", [(6.25, 3.74, 15.4), (2.0, 3.0, 300.0), (0.8, 8.0, 40.0)])
def test_spend_parameters_are_found_again(truth):
    n = np.random.default_rng(1).integers(1, 10, 8000).astype(float)
    mean, _ = simulate_spend(truth, n, seed=6)
    report = GammaGamma().fit(n, mean).report_
    assert report.rung == "maximum likelihood"
    assert (log_distance(report.parameters, report.standard_errors, truth) < 3.3).all()


def _covered(kind: type[PurchaseModel], truth: Truth, replications: int) -> np.ndarray:
    hits = []
    for seed in range(replications):
        report = kind().fit(*simulate_world(truth, 1500, 0, seed=100 + seed, kind=kind).history).report_
        if report.rung == "maximum likelihood":
            hits.append(log_distance(report.parameters, report.standard_errors, truth) < 1.96)
    assert len(hits) > 0.9 * replications
    return np.array(hits)


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["BG/NBD music store", "MBG/NBD music store", "Pareto/NBD music store"])
def test_95_percent_intervals_of_the_parameters_hold_the_truth_95_percent_of_the_time(shop):
    hits = _covered(*PURCHASE_TRUTHS[shop], 200)
    assert (hits.mean(axis=0) > 0.90).all()
    assert (hits.mean(axis=0) < 0.99).all()


@pytest.mark.parametrize(("kind", "truth"), PURCHASE_TRUTHS.values(), ids=PURCHASE_TRUTHS.keys())
def test_predictions_come_true(kind, truth):
    horizon = 180.0
    world = simulate_world(truth, 20_000, horizon, seed=8, kind=kind)
    model = kind().fit(*world.history)
    expected = model.expected_orders(*world.history, horizon)
    chance = model.probability_of_order(*world.history, horizon)
    bought = world.future_orders > 0
    error = np.sqrt(len(bought) * world.future_orders.var())
    assert abs(world.future_orders.sum() - expected.sum()) < 3.3 * error
    assert abs(bought.sum() - chance.sum()) < 3.3 * np.sqrt((chance * (1 - chance)).sum())
    for part in np.array_split(np.argsort(chance), 10):
        spread = np.sqrt((chance[part] * (1 - chance[part])).sum()) + 1
        assert abs(bought[part].sum() - chance[part].sum()) < 4 * spread


def test_simulated_orders_follow_the_exact_distribution():
    model = BetaGeometricNBD.from_parameters(0.8, 60, 0.4, 3)
    customer = np.array([7.0]), np.array([350.0]), np.array([380.0])
    draws = model.simulate_orders(*customer, 365, 200_000, seed=3)[0]
    assert draws.dtype.kind == "i"
    for n in (1, 2, 3, 5, 8, 13):
        exact = model.probability_of_at_least(n, *customer, 365)[0]
        assert abs((draws >= n).mean() - exact) < 4.5 * np.sqrt(exact * (1 - exact) / len(draws))
    assert draws.mean() == pytest.approx(model.expected_orders(*customer, 365)[0], abs=4.5 * draws.std() / np.sqrt(len(draws)))


def test_a_simulation_is_reproducible_whole_and_in_parts():
    model = BetaGeometricNBD.from_parameters(0.8, 60, 0.4, 3)
    customers = np.array([0.0, 3.0, 9.0]), np.array([0.0, 100.0, 300.0]), np.array([50.0, 200.0, 320.0])

    def in_parts(seed):
        rng = np.random.default_rng(seed)
        return [
            model.simulate_orders(*(column[part] for column in customers), 90, 50, rng) for part in (slice(0, 2), slice(2, 3))
        ]

    np.testing.assert_array_equal(model.simulate_orders(*customers, 90, 50, 1), model.simulate_orders(*customers, 90, 50, 1))
    np.testing.assert_array_equal(np.concatenate(in_parts(1)), np.concatenate(in_parts(1)))
    assert (np.concatenate(in_parts(1)) != np.concatenate(in_parts(2))).any()


def test_80_percent_intervals_leave_a_tenth_of_outcomes_on_each_side():
    """Realised value, purchase by purchase, of customers from a known world, against intervals that know only their history."""
    purchase_truth, spend_truth, horizon = (1.5, 30.0, 0.15, 3.0), (4.0, 4.0, 90.0), 180.0
    world = simulate_world(purchase_truth, 12_000, horizon, seed=21)
    n = world.frequency + 1
    mean, nu = simulate_spend(spend_truth, n, seed=22)
    rng = np.random.default_rng(23)
    spent = np.where(world.future_orders > 0, rng.gamma(spend_truth[0] * np.maximum(world.future_orders, 1)) / nu, 0.0)
    models = BetaGeometricNBD().fit(*world.history), GammaGamma().fit(n, mean)
    interval = lifetime_value_interval(*models, *world.history, n, mean, horizon, annual_discount=0.0, cover_mean=False)
    assert (spent > interval.upper).mean() == pytest.approx(0.10, abs=0.012)
    for part in np.array_split(np.argsort(interval.mean), 5)[1:]:
        assert (spent[part] > interval.upper[part]).mean() == pytest.approx(0.10, abs=0.025)
    has_lower = interval.lower > 0
    assert has_lower.sum() > 1000
    assert (spent < interval.lower)[has_lower].mean() == pytest.approx(0.10, abs=0.025)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [(0.24, 31.0, 0.79, 2.43), (1.5, 30.0, 0.15, 3.0)], ids=["music store", "regulars"])
def test_intervals_of_small_shops_leave_a_tenth_on_each_side(truth):
    """Shops of 200, each fitted by itself: what happens to their customers lies beyond either end as often as promised."""
    spend_truth, horizon = (4.0, 4.0, 90.0), 180.0
    above, below, promised = [], [], []
    for seed in range(12):
        world = simulate_world(truth, 200, horizon, seed=500 + seed)
        n = world.frequency + 1
        mean, nu = simulate_spend(spend_truth, n, seed=600 + seed)
        rng = np.random.default_rng(700 + seed)
        spent = np.where(world.future_orders > 0, rng.gamma(spend_truth[0] * np.maximum(world.future_orders, 1)) / nu, 0.0)
        models = BetaGeometricNBD().fit(*world.history), GammaGamma().fit(n, mean)
        assert len(models[0].report_.covariance) == 4
        interval = lifetime_value_interval(*models, *world.history, n, mean, horizon, annual_discount=0.0, cover_mean=False)
        above.append((spent > interval.upper)[interval.upper > 0].mean())  # above [0, 0] there is less than a tenth
        has_lower = interval.lower > 0
        below.append((spent < interval.lower)[has_lower].sum())
        promised.append(has_lower.sum())
    error = np.std(above) / np.sqrt(len(above))
    assert np.mean(above) == pytest.approx(0.10, abs=0.01 + 2 * error)
    if sum(promised) > 500:
        assert sum(below) / sum(promised) == pytest.approx(0.10, abs=0.025)


def test_total_value_comes_true_with_discount_and_margin():
    """Every purchase discounted from its own day, in a world that is played out."""
    purchase_truth, spend_truth, horizon, discount = (2.0, 40.0, 0.1, 2.0), (4.0, 5.0, 120.0), 365.0, 0.25
    rng = np.random.default_rng(31)
    n, (r, alpha, a, b) = 40_000, purchase_truth
    rate, stop = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    nu = rng.gamma(spend_truth[1], 1 / spend_truth[2], n)
    worth, clock, active = np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    while active.any():
        clock[active] += rng.exponential(1 / rate[active])
        inside = active & (clock <= horizon)
        worth[inside] += (
            0.3 * rng.gamma(spend_truth[0], size=inside.sum()) / nu[inside] * (1 + discount) ** (-clock[inside] / 365)
        )
        active = inside & (rng.random(n) >= stop)
    models = BetaGeometricNBD.from_parameters(*purchase_truth), GammaGamma.from_parameters(*spend_truth)
    expected = lifetime_value(*models, [0], [0], [0], [0], [0.0], horizon, discount, 0.3)[0]
    assert worth.mean() == pytest.approx(expected, abs=4 * worth.std() / np.sqrt(n))
