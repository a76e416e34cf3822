"""Simulated shops whose season, level and older customers are known: the clock finds them, and forecasts get the level right."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.season import Clock
from customer_genome.models.btyd.season_fit import fit_clock
from seasonal_shop import START, Known, SeasonalShop, seasonal_shop

HALF_YEAR = 180


def level_error(shop: SeasonalShop, known: Known, as_of: int, clock: Clock) -> float:
    """Return the log of predicted over actual purchase days in the half year after the cutoff."""
    recency, age = clock.histories(as_of, known.recency_days, known.age_days)
    model = BetaGeometricNBD().fit(known.frequency, recency, age)
    predicted = sum(
        float(model.expected_orders(part.frequency, part.recency, part.age, float(part.times(HALF_YEAR))).sum())
        for part in clock.parts(as_of, known.frequency, known.recency_days, known.age_days)
    )
    return float(np.log(predicted / shop.days_bought(known.ids, as_of, HALF_YEAR)))


@pytest.mark.parametrize("as_of", [START + 640, START + 730])  # over eight seeds: -.04 and .05 learned, -.34 and .47 plain
def test_a_forecast_made_in_autumn_or_at_new_year_knows_the_season(as_of: int) -> None:
    shop = seasonal_shop(6_000, 760, december=3.0, seed=3)
    known = shop.known_at(as_of)
    clock = fit_clock(known.histories)
    assert clock.weeks[46:51].mean() == pytest.approx(3.0, rel=0.15)
    assert clock.weeks[5:40].mean() == pytest.approx(shop.weeks[0], rel=0.10)
    plain = level_error(shop, known, as_of, Clock())
    learned = level_error(shop, known, as_of, clock)
    assert abs(plain) > 0.25
    assert abs(learned) < 0.12


def test_a_shop_without_season_gets_none() -> None:
    shop = seasonal_shop(6_000, 760, seed=4)
    known = shop.known_at(START + 730)
    clock = fit_clock(known.histories)
    assert np.abs(np.log(clock.weeks)).max() < 0.2
    assert np.abs(np.log(clock.weeks)).mean() < 0.06
    assert abs(level_error(shop, known, START + 730, clock)) < 0.08


def test_a_lasting_change_of_level_is_not_taken_for_a_season() -> None:
    shop = seasonal_shop(6_000, 760, seed=5, level_after=(450, 0.6))
    known = shop.known_at(START + 730)
    clock = fit_clock(known.histories)
    year_ago = clock.levels[13]
    assert 0.5 < clock.level_ahead / year_ago < 0.8
    assert np.abs(np.log(clock.weeks)).mean() < 0.10
    assert abs(level_error(shop, known, START + 730, clock)) < 0.10


def test_customers_older_than_the_data_are_recognised() -> None:
    shop = seasonal_shop(9_000, 560, older_days=900, seed=6)
    as_of = START + 540
    known = shop.known_at(as_of)
    clock = fit_clock(known.histories)
    assert clock.early > 1.3
    assert abs(level_error(shop, known, as_of, clock)) < min(0.08, abs(level_error(shop, known, as_of, Clock())) + 0.02)


def test_customers_who_are_all_new_get_no_factor_to_speak_of() -> None:
    known = seasonal_shop(6_000, 560, seed=7).known_at(START + 540)
    assert fit_clock(known.histories).early == pytest.approx(1.0, abs=0.25)
