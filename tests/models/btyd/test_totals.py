"""Intervals of totals: as wide as simulated futures scatter, wider where parameters are uncertain, and at nominal coverage."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.totals import SharedHistories, forecast_totals

R, ALPHA, A, B = 0.6, 25.0, 0.7, 2.5
P, Q, GAMMA = 6.0, 4.0, 15.0
MONTHS = np.array([30.0, 60.0, 90.0, 120.0])


def shop(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Customers of the model's own world: histories of up to 200 days, and their purchases in the four months after."""
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 200, n).astype(float)
    rate, stop = rng.gamma(R, 1 / ALPHA, n), rng.beta(A, B, n)
    last_number = rng.geometric(np.clip(stop, 1e-12, 1))  # the repeat purchase after which the customer stops
    x, t_x = np.zeros(n), np.zeros(n)
    after = np.zeros((n, len(MONTHS)))
    for customer in range(n):
        at, number = 0.0, 0
        while number < last_number[customer]:
            at += rng.exponential(1 / rate[customer])
            number += 1
            if at <= age[customer]:
                x[customer], t_x[customer] = number, at
            elif at - age[customer] <= MONTHS[-1]:
                after[customer, np.searchsorted(MONTHS, at - age[customer])] += 1
            else:
                break
    nu = rng.gamma(Q, 1 / GAMMA, n)
    spend = rng.gamma(P * (x + 1)) / nu / (x + 1)
    money = np.where(after > 0, rng.gamma(np.maximum(P * after, 1e-9)) / nu[:, None], 0.0)
    return x, t_x, age, spend, after, money


def test_the_interval_scatters_as_the_world_does():
    model, spend = BetaGeometricNBD.from_parameters(R, ALPHA, A, B), GammaGamma.from_parameters(P, Q, GAMMA)
    scores: dict[str, list[float]] = {"orders": [], "revenue": []}
    inside: list[float] = []
    for seed in range(40):
        x, t_x, age, mean_spend, after, money = shop(300, seed)
        total = forecast_totals(model, spend, SharedHistories.of(x, t_x, age, None, mean_spend), MONTHS).in_all()
        scores["orders"] += ((after.sum(axis=0) - total.orders[0]) / total.orders_sd[0]).tolist()
        scores["revenue"] += ((money.sum(axis=0) - total.revenue[0]) / total.revenue_sd[0]).tolist()
        lower, upper = total.orders_interval()
        inside += ((after.sum(axis=0) >= lower[0]) & (after.sum(axis=0) <= upper[0])).tolist()
    assert abs(np.mean(scores["orders"])) < 0.25 and abs(np.mean(scores["revenue"])) < 0.25
    assert np.std(scores["orders"]) == pytest.approx(1.0, abs=0.15)
    assert np.std(scores["revenue"]) == pytest.approx(1.0, abs=0.25)
    assert np.mean(inside) == pytest.approx(0.8, abs=0.08)


def test_the_scatter_of_a_period_equals_that_of_drawn_futures():
    model = BetaGeometricNBD.from_parameters(R, ALPHA, A, B)
    x, t_x, age = np.array([0.0, 3.0, 12.0]), np.array([0.0, 100.0, 180.0]), np.array([150.0, 190.0, 190.0])
    drawn = model.simulate_orders(x, t_x, age, 90.0, 40_000, 3).var(axis=1)
    for place in range(3):
        total = forecast_totals(model, None, SharedHistories.of(x[[place]], t_x[[place]], age[[place]]), [90.0])
        assert total.orders_sd[0, 0] ** 2 == pytest.approx(drawn[place], rel=0.12)


def test_uncertain_parameters_widen_the_interval_and_more_customers_narrow_it():
    def fitted(n: int) -> tuple[float, float]:
        x, t_x, age, spend, *_ = shop(n, 5)
        model, money = BetaGeometricNBD().fit(x, t_x, age), GammaGamma().fit(x + 1, spend)
        assert model.report_.covariance, "the fit states what is uncertain"
        histories = SharedHistories.of(x, t_x, age, None, spend)
        known = BetaGeometricNBD.from_values(dict(model.report_.parameters))
        unsure = forecast_totals(model, money, histories, MONTHS).in_all()
        sure = forecast_totals(known, GammaGamma.from_parameters(*money.parameters_), histories, MONTHS).in_all()
        widths = [
            (upper - lower)[0, 0] / unsure.orders[0, 0] for lower, upper in (unsure.orders_interval(), sure.orders_interval())
        ]
        assert widths[0] > widths[1]
        assert np.all(unsure.revenue_unsure > 0) and not sure.revenue_unsure.any()
        return widths[0], float(unsure.orders_unsure[0])

    few, many = fitted(300), fitted(2000)
    assert many[0] < few[0] and many[1] < few[1]


def test_the_same_seed_gives_the_same_interval_and_no_customers_give_none():
    model = BetaGeometricNBD.from_parameters(R, ALPHA, A, B)
    histories = SharedHistories.of([0, 2], [0, 30], [50, 60])
    one, other = (forecast_totals(model, None, histories, [30.0]) for _ in range(2))
    assert one.orders_sd.tolist() == other.orders_sd.tolist() and one.revenue.tolist() == [[0.0]]
    assert forecast_totals(model, None, SharedHistories.of([], [], []), [30.0]).orders.shape == (0, 1)
