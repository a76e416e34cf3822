"""Two hundred shops, ordinary, odd and degenerate: every model gives a fit, a report and finite predictions, and warns of nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from customer_genome.models import BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD, PurchaseModel

MODELS = (BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD)
Shop = tuple[np.ndarray, np.ndarray, np.ndarray]
N_RANDOM = 180


def _recencies(rng: np.random.Generator, x: np.ndarray, age: np.ndarray) -> np.ndarray:
    """Return days of the last purchase of customers who buy evenly until they stop somewhere."""
    return np.where(x > 0, np.floor(age * rng.beta(1 + rng.gamma(1, 3, len(x)), 1)), 0.0)


def one_time_buyers(n: int) -> Shop:
    return np.zeros(n), np.zeros(n), np.full(n, 365.0)


def on_the_last_day(n: int) -> Shop:
    """Everybody bought on the last day observed: nobody can have stopped."""
    x = np.arange(1.0, n + 1)
    return x, 30 + x, 30 + x


def on_the_first_days_only(n: int) -> Shop:
    """Everybody came back the next day and never again in ten years."""
    return np.ones(n), np.ones(n), np.full(n, 3650.0)


def huge_counts(n: int) -> Shop:
    rng = np.random.default_rng(n)
    age = rng.integers(5000, 6000, n).astype(float)
    return rng.integers(3000, 5000, n).astype(float), age - rng.integers(0, 900, n), age


def in_unit(shop: Shop, per_day: float) -> Shop:
    x, t_x, age = shop
    return x, t_x * per_day, age * per_day


def random_shop(seed: int) -> Shop:
    """A shop of any size, age, purchase rate and unit of time; counts need not look like any of the models."""
    rng = np.random.default_rng(seed)
    n = int(np.exp(rng.uniform(0, np.log(600))))
    age = np.floor(rng.uniform(0, np.exp(rng.uniform(0, 8)), n))
    x = np.floor(rng.pareto(np.exp(rng.normal(0, 1)), n) * np.exp(rng.normal(0, 2)))
    x = np.where(age > 0, np.minimum(x, 5000), 0) * (rng.random(n) < rng.beta(1, 0.5))
    return in_unit((x, _recencies(rng, x, age), age), float(rng.choice([1, 1, 1, 1 / 7, 24, 86400, 1 / 365.25])))


SHOPS: dict[str, Callable[[], Shop]] = {
    "one customer of today": lambda: (np.zeros(1), np.zeros(1), np.zeros(1)),
    "customers of today": lambda: (*one_time_buyers(50)[:2], np.zeros(50)),
    "one one-time buyer": lambda: one_time_buyers(1),
    "one repeat buyer": lambda: (np.array([3.0]), np.array([60.0]), np.array([90.0])),
    "two equal customers": lambda: (np.full(2, 2.0), np.full(2, 10.0), np.full(2, 20.0)),
    "one-time buyers only": lambda: one_time_buyers(3000),
    "everybody bought on the last day": lambda: on_the_last_day(300),
    "everybody came back once at once": lambda: on_the_first_days_only(300),
    "a single repeat buyer among thousands": lambda: tuple(
        np.append(column, value) for column, value in zip(one_time_buyers(3000), (1.0, 90.0, 365.0), strict=True)
    ),
    "thousands of purchases each": lambda: huge_counts(300),
    "one customer with thousands of purchases": lambda: huge_counts(1),
    "hourly": lambda: in_unit(huge_counts(40), 24.0),
    "in seconds": lambda: in_unit(random_shop(1000), 86400.0),
    "in years": lambda: in_unit(random_shop(1001), 1 / 365.25),
    "all alike": lambda: (np.full(500, 5.0), np.full(500, 100.0), np.full(500, 120.0)),
    "alike but for the last day": lambda: (np.full(500, 5.0), np.arange(500.0) / 5, np.full(500, 120.0)),
    "one whale": lambda: (np.append(np.zeros(400), 5000.0), np.append(np.zeros(400), 6000.0), np.full(401, 6001.0)),
    "the whole past in one instant": lambda: (np.full(20, 50.0), np.full(20, 1e-6), np.full(20, 1000.0)),
    "ages from a second to a century": lambda: (np.zeros(60), np.zeros(60), np.geomspace(1e-5, 36500, 60)),
    "every day from the first": lambda: (np.arange(1.0, 400), np.arange(1.0, 400), np.arange(1.0, 400)),
} | {f"random {seed}": (lambda seed=seed: random_shop(seed)) for seed in range(N_RANDOM)}


def cases() -> list:
    """Return every shop with every model; two thirds of the random ones take part in the slow tests only."""
    found = []
    for place, shop in enumerate(SHOPS):
        for turn, model in enumerate(MODELS):
            is_quick = not shop.startswith("random") or place % len(MODELS) == turn
            found.append(pytest.param(model, shop, id=f"{model.name}-{shop}", marks=() if is_quick else pytest.mark.slow))
    return found


@pytest.mark.parametrize(("model", "shop"), cases())
def test_any_shop_is_fitted_and_predicted(model: type[PurchaseModel], shop: str):
    customers = SHOPS[shop]()
    fitted = model().fit(*customers)
    report = fitted.report_
    assert all(np.isfinite(value) and value > 0 for value in report.parameters.values())
    assert np.isfinite(report.log_likelihood)
    assert report.rung in " ".join(report.sentences())
    if report.rung != "maximum likelihood":
        assert any(len(line) > 30 for line in report.notices), "a fit that is not plain says why"
    for values in fitted.predict(*customers, float(customers[2].mean() + 1)).values():
        assert np.isfinite(values).all() and (values >= 0).all()
