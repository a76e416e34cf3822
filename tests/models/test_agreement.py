"""Whatever the champion says of a customer, no two published columns contradict each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from customer_genome.errors import ContractError
from customer_genome.models.agreement import agreed
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.season import Clock
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.candidates import Expected
from customer_genome.models.estimator import Array
from customer_genome.models.own_forecast import CLV_DAYS, OwnForecast, OwnForecaster

N = 6
MONEY = hnp.arrays(np.float64, N, elements=st.floats(0, 1e6))
SHARES = hnp.arrays(np.float64, N, elements=st.floats(0, 1))


@st.composite
def own_forecasts(draw: st.DrawFn) -> OwnForecast:
    """What purchase and spend models may say: chances below being active, days above the chance, ranges around the mean."""
    alive = draw(SHARES)
    chance = alive * draw(SHARES)
    days = chance * (1 + draw(MONEY) / 1e5)
    spend = np.where(days > 0, draw(MONEY), 0.0)
    clv = spend * draw(SHARES)
    down, up = draw(SHARES), 1 + draw(SHARES)
    return OwnForecast(alive, days, chance, spend, spend * down, spend * up, clv, clv * down, clv * up)


@given(own=own_forecasts(), chance=SHARES, spend=MONEY, down=SHARES, up=SHARES, days=st.sampled_from([30, 90, CLV_DAYS]), margin=st.floats(-1, 1))  # fmt: skip
def test_columns_agree(own: OwnForecast, chance: Array, spend: Array, down: Array, up: Array, days: int, margin: float) -> None:
    found = agreed(own, Expected(spend, chance, spend * down, spend * (1 + up)), days, margin)
    np.testing.assert_array_equal(found.chance, chance)
    np.testing.assert_array_equal(found.spend, spend)
    assert (found.p_alive >= found.chance).all() and (found.days >= found.chance).all()
    for low, middle, high in ((found.lower, found.spend, found.upper), (found.clv_lower, found.clv, found.clv_upper)):
        assert (low <= middle).all() and (middle <= high).all()
    assert ((found.clv == 0) | (np.sign(found.clv) == np.sign(margin))).all()


@given(own=own_forecasts(), days=st.sampled_from([30, 90, CLV_DAYS]))
def test_the_own_forecast_stays_as_it_is(own: OwnForecast, days: int) -> None:
    found = agreed(own, own.expected(), days, 1.0)
    for name in ("p_alive", "chance", "spend", "lower", "upper"):
        np.testing.assert_array_equal(getattr(found, name), getattr(own, name))
    told = own.spend > 0
    np.testing.assert_allclose(found.clv[told], own.clv[told], rtol=1e-12)
    np.testing.assert_allclose(found.days, np.where(own.chance > 0, own.days, 0.0), rtol=1e-12)


def test_value_moves_with_spend_and_its_range_with_that_of_spend() -> None:
    one = np.ones(1)
    own = OwnForecast(0.9 * one, 2 * one, 0.5 * one, 100 * one, 0 * one, 250 * one, 96 * one, 0 * one, 240 * one)
    champion = Expected(50 * one, 0.8 * one, 10 * one, 90 * one)
    found = agreed(own, champion, CLV_DAYS, 0.5)
    assert (found.clv[0], found.clv_lower[0], found.clv_upper[0]) == pytest.approx((24.0, 4.8, 43.2))
    assert found.days[0] == pytest.approx(0.8 * 4)
    other = agreed(own, champion, 90, 1.0)
    assert (other.clv[0], other.clv_lower[0], other.clv_upper[0]) == pytest.approx((48.0, 0.0, 120.0))


def test_who_cannot_be_forecast_gets_the_own_forecast() -> None:
    values = np.array([1.0, 1.0])
    own = OwnForecast(values, values, values / 2, values, values * 0, values * 2, values, values * 0, values * 2)
    found = agreed(own, Expected(np.array([np.nan, 7.0]), np.array([0.3, 0.3]), values, values * 9), CLV_DAYS, 1.0)
    np.testing.assert_array_equal(found.chance, [0.5, 0.3])
    np.testing.assert_array_equal(found.spend, [1.0, 7.0])
    with pytest.raises(ContractError, match="missing"):
        agreed(own, Expected(spend=values), CLV_DAYS, 1.0)


@pytest.fixture(scope="module")
def forecaster() -> tuple[OwnForecaster, dict[str, Array]]:
    """A fitted forecaster, and customers of every kind."""
    rng = np.random.default_rng(4)
    age = rng.integers(30, 400, 300).astype(np.float64)
    days = rng.geometric(0.4, 300).astype(np.float64)
    last = np.where(days > 1, np.floor(age * rng.uniform(0.1, 1.0, 300)), 0.0)
    spend = rng.gamma(2.0, 20.0, 300)
    purchases = BetaGeometricNBD().fit(days - 1, last, age)
    facts = {"n_purchase_days": days, "activity_days": last, "tenure_days": age + 1, "mean_spend_per_day": spend}
    return OwnForecaster(purchases, GammaGamma().fit(days, spend), Clock(), 15_000, 90, 0.1), facts


def test_next_orders_follow_the_chance(forecaster: tuple[OwnForecaster, dict[str, Array]]) -> None:
    own, facts = forecaster
    said = own(facts)
    history = (facts["n_purchase_days"] - 1, facts["activity_days"], facts["tenure_days"] - 1)
    for days, level in zip(own.days_until_order(facts, said.chance, said.chance), (0.1, 0.5, 0.9), strict=True):
        np.testing.assert_allclose(days, own.purchases.days_until_order(*history, level), rtol=1e-6)
    for chance in (0.05, 0.3, 0.45, 0.55, 0.95):
        soonest, middle, latest = own.days_until_order(facts, np.full(300, chance), said.chance)
        assert (soonest <= middle).all() and (middle <= latest).all()
        assert ((middle <= 90) == (chance > 0.5)).all(), "half have come by the horizon where the chance is one half"


def test_ranges_and_value_of_the_own_forecast(forecaster: tuple[OwnForecaster, dict[str, Array]]) -> None:
    own, facts = forecaster
    said = own(facts)
    assert (said.lower <= said.spend).all() and (said.spend <= said.upper).all() and (said.upper > 0).all()
    assert (said.clv_lower <= said.clv).all() and (said.clv <= said.clv_upper).all()
    bare = OwnForecaster(own.purchases, own.spend, own.clock, own.as_of, own.horizon_days, 0.0, with_value=False)(facts)
    np.testing.assert_allclose(bare.spend, said.spend, rtol=1e-12)
    np.testing.assert_allclose(bare.upper, said.upper, rtol=2e-3)
    assert np.isnan(bare.clv).all()
