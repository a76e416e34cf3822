"""Simulate a shop, fit the models on its facts, and find the truth again: parameters, orders to come, who is still there."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.sources.synthetic import PurchaseParameters, Simulation, SpendParameters, simulate

Floats = npt.NDArray[np.float64]
TRUE_PURCHASES = PurchaseParameters(r=0.8, alpha=30.0, a=0.8, b=2.5)
TRUE_SPEND = SpendParameters(p=6.0, q=4.0, gamma=20.0)


@dataclass(frozen=True)
class Known:
    """What a shop knows at a cutoff, one entry per customer seen so far, and what comes after it."""

    customer: npt.NDArray[np.int64]
    frequency: Floats
    recency_days: Floats
    age_days: Floats
    mean_spend_per_day: Floats
    later_days: Floats


def known_at(shop: Simulation, cutoff_day: int, horizon_days: int = 0) -> Known:
    """Return purchase days before the cutoff (days since `start`), and those in the horizon after it."""
    lines = shop.order_lines().read_all()
    first = np.datetime64(shop.start)
    day = (lines["ordered_at"].to_numpy().astype("datetime64[D]") - first).astype(np.int64)
    money = lines["quantity"].to_numpy() * lines["price"].to_numpy()
    key = lines["customer_id"].to_numpy() * 100_000 + day
    keys, place = np.unique(key, return_inverse=True)
    spend = np.bincount(place, money)
    customer, on = np.divmod(keys, 100_000)
    past = on < cutoff_day
    people, index, counts = np.unique(customer[past], return_index=True, return_counts=True)
    last = on[past][index + counts - 1]
    ahead = customer[(on >= cutoff_day) & (on < cutoff_day + horizon_days)]
    later = np.bincount(np.searchsorted(people, ahead[np.isin(ahead, people)]), minlength=len(people))
    total = np.bincount(np.searchsorted(people, customer[past]), spend[past])
    start = on[past][index]
    return Known(
        people,
        counts - 1.0,
        (last - start).astype(float),
        (cutoff_day - 1 - start).astype(float),
        total / counts,
        later.astype(float),
    )


@pytest.fixture(scope="module")
def shop() -> Simulation:
    return simulate(25_000, days=730, arrival_days=200, seed=41, purchases=TRUE_PURCHASES, spend=TRUE_SPEND, mean_lines=1.0)


@pytest.fixture(scope="module")
def known(shop: Simulation) -> Known:
    return known_at(shop, 545, 180)


@pytest.fixture(scope="module")
def model(known: Known) -> BetaGeometricNBD:
    return BetaGeometricNBD().fit(known.frequency, known.recency_days, known.age_days)


def test_purchase_parameters_are_found_again(model):
    """Two orders on one day count once, so the rate is found slightly low; everything else within sampling error."""
    r, alpha, a, b = model.parameters_
    assert r == pytest.approx(TRUE_PURCHASES.r, rel=0.06)
    assert r / alpha == pytest.approx(TRUE_PURCHASES.r / TRUE_PURCHASES.alpha, rel=0.06)
    assert a / (a + b) == pytest.approx(TRUE_PURCHASES.a / (TRUE_PURCHASES.a + TRUE_PURCHASES.b), rel=0.06)
    assert (a, b) == (pytest.approx(TRUE_PURCHASES.a, rel=0.15), pytest.approx(TRUE_PURCHASES.b, rel=0.2))


def test_purchase_days_to_come_are_foretold(model, known):
    expected = model.expected_orders(known.frequency, known.recency_days, known.age_days, horizon_days=180)
    assert expected.sum() == pytest.approx(known.later_days.sum(), rel=0.04)
    groups = np.array_split(np.argsort(expected, kind="stable"), 10)
    for group in groups[3:]:
        assert expected[group].sum() == pytest.approx(known.later_days[group].sum(), rel=0.15)


def test_chance_of_being_there_is_the_share_that_is_there(model, known, shop):
    truth = shop.truth().to_pydict()
    cutoff = dt.datetime.combine(shop.start, dt.time()) + dt.timedelta(days=545)
    left = {
        customer: until is not None and until < cutoff
        for customer, until in zip(truth["customer_id"], truth["alive_until"], strict=True)
    }
    is_alive = np.array([not left[customer] for customer in known.customer.tolist()])
    chance = model.probability_alive(known.frequency, known.recency_days, known.age_days)
    assert chance.mean() == pytest.approx(is_alive.mean(), abs=0.01)
    bands = np.digitize(chance, np.linspace(0.0, 1.0, 6)[1:-1])
    for band in range(5):
        inside = bands == band
        if inside.sum() > 200:
            assert chance[inside].mean() == pytest.approx(is_alive[inside].mean(), abs=0.05)


def test_spend_parameters_are_found_again(known):
    repeat = known.frequency > 0
    model = GammaGamma().fit(known.frequency[repeat] + 1, known.mean_spend_per_day[repeat])
    p, q, gamma = model.parameters_
    assert p * gamma / (q - 1) == pytest.approx(TRUE_SPEND.p * TRUE_SPEND.gamma / (TRUE_SPEND.q - 1), rel=0.04)
    assert (p, q) == (pytest.approx(TRUE_SPEND.p, rel=0.12), pytest.approx(TRUE_SPEND.q, rel=0.08))


def test_each_customers_spend_is_foretold_without_bias(known, shop):
    repeat = known.frequency > 0
    model = GammaGamma().fit(known.frequency[repeat] + 1, known.mean_spend_per_day[repeat])
    expected = model.expected_spend(known.frequency + 1, known.mean_spend_per_day)
    truth = dict(zip(*[shop.truth()[name].to_pylist() for name in ("customer_id", "mean_spend")], strict=True))
    real = np.array([truth[customer] for customer in known.customer.tolist()])
    for group in np.array_split(np.argsort(expected, kind="stable"), 5):
        assert expected[group].mean() == pytest.approx(real[group].mean(), rel=0.06)


def test_a_shop_older_than_its_data_misleads_the_fit_as_it_does_in_real_shops():
    """Customers who only look new make the shop seem busier: the known trap of data that begin in the middle."""
    options = {
        "n_customers": 12_000,
        "days": 365,
        "arrival_days": 120,
        "seed": 43,
        "purchases": TRUE_PURCHASES,
        "mean_lines": 1.0,
    }
    whole, cut = known_at(simulate(**options), 365), known_at(simulate(**options, hidden_days=400), 365)
    fits = [BetaGeometricNBD().fit(data.frequency, data.recency_days, data.age_days).parameters_ for data in (whole, cut)]
    dropout = [a / (a + b) for _, _, a, b in fits]
    assert dropout[0] == pytest.approx(TRUE_PURCHASES.a / (TRUE_PURCHASES.a + TRUE_PURCHASES.b), rel=0.1)
    assert dropout[1] < 0.8 * dropout[0]
