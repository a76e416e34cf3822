"""Paths by calendar month: they add up to the value of the whole, month ends are calendar days, units may change."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from customer_genome.errors import ContractError
from customer_genome.models.btyd.lifetime_value import expected_spend, lifetime_value, lifetime_value_interval
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.value_path import ValuePath, month_ends, month_offsets, next_order, value_path

MODELS: dict[str, PurchaseModel] = {
    "BG/NBD": BetaGeometricNBD.from_parameters(0.67, 65.0, 0.16, 3.4),
    "MBG/NBD": ModifiedBetaGeometricNBD.from_values({"r": 0.9, "alpha": 70.0, "a": 0.3, "b": 2.0}),
    "Pareto/NBD": ParetoNBD.from_values({"r": 0.8, "alpha": 60.0, "s": 0.5, "beta": 90.0}),
}
SPEND = GammaGamma.from_parameters(2.5, 3.46, 386.0)
# a steady buyer, a lapsed one, one-time buyers old and new, one whose purchases were all refunded, one below zero
CUSTOMERS = (
    np.array([25.0, 30.0, 0.0, 0.0, 4.0, 3.0]),
    np.array([480.0, 100.0, 0.0, 0.0, 150.0, 100.0]),
    np.array([500.0, 900.0, 400.0, 3.0, 200.0, 120.0]),
    np.array([26.0, 31.0, 1.0, 1.0, 5.0, 4.0]),
    np.array([300.0, 80.0, 40.0, 900.0, 0.0, -25.0]),
)
AS_OF = dt.date(2011, 12, 10)
ENDS = month_offsets(AS_OF, 24)


@pytest.fixture(params=MODELS, scope="module")
def purchases(request) -> PurchaseModel:
    return MODELS[request.param]


@pytest.fixture(scope="module")
def path(purchases) -> ValuePath:
    return value_path(purchases, SPEND, *CUSTOMERS, ENDS, 0.10, 0.4)


def test_a_month_is_a_calendar_month():
    assert month_ends(dt.date(2024, 1, 31), 2) == [dt.date(2024, 2, 29), dt.date(2024, 3, 31)]
    assert month_ends(dt.date(2023, 11, 15), 3)[-1] == dt.date(2024, 2, 15)
    assert ENDS[11] == (dt.date(2012, 12, 10) - AS_OF).days == 366
    for wrong in (0, 25, -1):
        with pytest.raises(ContractError, match="from 1 to 24"):
            month_ends(AS_OF, wrong)


def test_months_add_up_to_the_value_of_the_whole(purchases, path):
    for months in (1, 6, 24):
        end = ENDS[months - 1]
        whole = lifetime_value(purchases, SPEND, *CUSTOMERS, end, 0.10, 0.4)
        np.testing.assert_allclose(path.value[:, :months].sum(axis=1), whole, rtol=1e-6)
        np.testing.assert_allclose(path.cumulative[:, months - 1], whole, rtol=1e-6)
        revenue = expected_spend(purchases, SPEND, *CUSTOMERS, end)
        np.testing.assert_allclose(path.revenue[:, :months].sum(axis=1), revenue, rtol=1e-6)
        orders = purchases.expected_orders(*CUSTOMERS[:3], end)
        np.testing.assert_allclose(path.orders[:, :months].sum(axis=1), orders, rtol=1e-6)


def test_every_customer_has_a_finite_path_whatever_they_spent(path):
    for part in (path.orders, path.revenue, path.value):
        assert part.shape == (6, 24)
        assert np.isfinite(part).all()
        assert (part >= 0).all()
    assert (path.cumulative[:, -1] > 0).all(), "nobody is worth exactly nothing"
    assert (path.lower <= path.cumulative).all()
    assert (path.cumulative <= path.upper).all()
    for end in (path.lower, path.upper):
        assert (np.diff(end, axis=1) >= 0).all(), "what has been realised is not lost again"


def test_a_months_interval_is_that_of_its_horizon(purchases, path):
    for month in (0, 5, 23):
        alone = lifetime_value_interval(purchases, SPEND, *CUSTOMERS, ENDS[month], 0.10, 0.4)
        np.testing.assert_allclose(path.upper[:, month], alone.upper, rtol=2e-3)
        np.testing.assert_allclose(
            path.lower[:, month], alone.lower, rtol=0.03
        )  # early purchases are not discounted like late ones
        assert (path.lower[:, month] >= alone.lower * 0.998).all()


def test_weeks_as_the_models_time_give_the_same_path(path, purchases):
    values = dict(purchases.report_.parameters)
    in_weeks = type(purchases).from_values(
        {name: value / 7 if name in ("alpha", "beta") else value for name, value in values.items()}
    )
    x, t_x, age, n, mean = CUSTOMERS
    weekly = value_path(in_weeks, SPEND, x, t_x / 7, age / 7, n, mean, ENDS, 0.10, 0.4, times=ENDS / 7)
    np.testing.assert_allclose(weekly.value, path.value, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(weekly.upper, path.upper, rtol=1e-6)


def test_a_later_purchase_is_discounted_more(purchases):
    now = value_path(purchases, SPEND, *CUSTOMERS, ENDS, 0.25)
    share = now.value / now.revenue
    middle = (np.append(0.0, ENDS[:-1]) + ENDS) / 2
    np.testing.assert_allclose(share, np.broadcast_to(1.25 ** (-middle / 365), share.shape), rtol=2e-3)


def test_threads_change_nothing(path, purchases):
    again = value_path(purchases, SPEND, *CUSTOMERS, ENDS, 0.10, 0.4, threads=3)
    np.testing.assert_array_equal(again.upper, path.upper)
    np.testing.assert_array_equal(again.value, path.value)


def test_next_order_has_an_interval_that_may_be_open(purchases):
    when = next_order(purchases, *CUSTOMERS[:3])
    assert (when.lower <= when.middle).all()
    assert (when.middle <= when.upper).all()
    steady, lapsed = 0, 1
    assert when.lower[steady] < 10 < when.upper[steady]
    assert np.isinf(when.upper[lapsed]), "who may have stopped has no later end"
    for end, probability in ((when.lower, 0.1), (when.middle, 0.5)):
        for customer in np.flatnonzero(np.isfinite(end)):
            history = [column[[customer]] for column in CUSTOMERS[:3]]
            assert purchases.probability_of_order(*history, end[customer])[0] == pytest.approx(probability, abs=1e-6)
    with pytest.raises(ContractError, match="80 % interval"):
        next_order(purchases, *CUSTOMERS[:3], level=1.0)


def test_nobody_has_no_path(purchases):
    nobody = value_path(purchases, SPEND, *[np.empty(0)] * 5, ENDS)
    assert nobody.value.shape == nobody.upper.shape == (0, 24)


def test_months_in_wrong_order_are_refused(purchases):
    with pytest.raises(ContractError, match="none before the one in front of it"):
        value_path(purchases, SPEND, *CUSTOMERS, [60.0, 30.0])
