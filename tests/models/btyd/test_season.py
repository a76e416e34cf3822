"""Clocks: plain ones tell days exactly, learned ones add up, invert, keep the mean, and come back from storage as they were."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_genome.errors import ContractError, RegistryError
from customer_genome.models.btyd.season import AGE_EDGES, Clock, day_number, week_of_year
from customer_genome.models.btyd.season_fit import DatedHistories, _Problem, fit_clock
from seasonal_shop import START, seasonal_shop

AS_OF = START + 600


@pytest.fixture(scope="module")
def learned() -> Clock:
    """Return a clock that differs from day to day in every way it can."""
    rng = np.random.default_rng(1)
    weeks = np.exp(0.3 * rng.normal(size=52))
    levels, ages = np.exp(0.1 * rng.normal(size=22)), np.exp(0.2 * rng.normal(size=len(AGE_EDGES)))
    return Clock(START, AS_OF - 1, weeks / weeks.mean(), levels, 0.9, ages, 1.7, ("Season: learned.",))


@pytest.fixture(scope="module")
def histories() -> DatedHistories:
    """Return two seasonal years of a small shop."""
    return seasonal_shop(1_500, 760, december=2.0, seed=2).known_at(START + 730).histories


def test_a_plain_clock_tells_days_exactly() -> None:
    clock = Clock()
    assert clock.is_plain
    recency, age = [0.0, 12.0, 40.0], [5.0, 30.0, 700.0]
    assert [times.tolist() for times in clock.histories(AS_OF, recency, age)] == [recency, age]
    (part,) = clock.parts(AS_OF, [0, 1, 3], recency, age)
    assert part.rows.tolist() == [0, 1, 2]
    assert part.times([1, 90.5, 180]).tolist() == [1, 90.5, 180]
    assert part.days([7.25]).tolist() == [7.25]


def test_multipliers_of_one_tell_days_too() -> None:
    weeks = np.ones(52)
    weeks[51] = np.nextafter(1.0, 2.0)  # not plain, and yet as good as
    clock = Clock(START, AS_OF - 1, weeks, np.ones(22))
    assert not clock.is_plain
    recency, age = clock.histories(AS_OF, [0.0, 12.0, 40.0], [5.0, 30.0, 590.0])
    np.testing.assert_allclose(recency, [0, 12, 40], rtol=1e-12)
    np.testing.assert_allclose(age, [5, 30, 590], rtol=1e-12)


@given(first=st.integers(0, 599), gaps=st.tuples(st.integers(0, 300), st.integers(0, 300)))
def test_times_add_up(learned: Clock, first: int, gaps: tuple[int, int]) -> None:
    start = START + first
    middle, end = start + gaps[0], start + sum(gaps)
    whole = learned.elapsed(start, start, end)
    assert whole == pytest.approx(
        learned.elapsed(start, start, middle) + learned.elapsed(start, middle, end), rel=1e-12, abs=1e-9
    )
    assert learned.elapsed(start, start, middle) >= 0


def test_a_day_takes_as_long_as_its_multipliers_say(learned: Clock) -> None:
    first, day = START + 100, START + 105  # the acquisition week began at START + 98
    expected = learned.weeks[week_of_year(day)] * learned.levels[(AS_OF - 1 - day) // 28] * learned.ages[0]
    assert learned.elapsed(first, day - 1, day) == pytest.approx(float(expected), rel=1e-12)
    long_ago = START + 3
    later = START + 400
    expected = learned.weeks[week_of_year(later)] * learned.levels[(AS_OF - 1 - later) // 28] * learned.early
    assert learned.elapsed(long_ago, later - 1, later) == pytest.approx(float(expected), rel=1e-12)


def test_the_future_keeps_todays_level(learned: Clock) -> None:
    day = AS_OF + 365
    assert learned.rates(day, day)[0] == pytest.approx(float(learned.weeks[week_of_year(day)]) * 0.9)


def test_parts_hold_every_customer_once_and_agree_with_each_customer_alone(learned: Clock) -> None:
    rng = np.random.default_rng(3)
    age = rng.integers(0, 600, 300).astype(float)
    recency = np.floor(age * rng.random(300))
    frequency = np.where(recency > 0, 2.0, 0.0)
    parts = list(learned.parts(AS_OF, frequency, recency, age))
    assert sorted(np.concatenate([part.rows for part in parts]).tolist()) == list(range(300))
    assert len({part.code for part in parts}) == len(parts)
    for part in parts:
        for row in part.rows[:3]:
            (alone,) = learned.parts(AS_OF, frequency[[row]], recency[[row]], age[[row]])
            assert alone.code == part.code
            np.testing.assert_array_equal(alone.times([1, 30, 180]), part.times([1, 30, 180]))
            first = AS_OF - 1 - int(age[row])
            own = float(learned.elapsed(first, AS_OF - 1, AS_OF + 179))
            assert part.times(180) == pytest.approx(own, rel=1e-12 if age[row] > 220 else 0.05)
    assert len(parts) < 12


def test_new_customers_share_the_mean_of_their_four_weeks(learned: Clock) -> None:
    first = np.arange(START + 560, START + 588)  # four whole acquisition weeks
    (part,) = learned.parts(AS_OF, np.zeros(28), np.zeros(28), (AS_OF - 1 - first).astype(float))
    each = [learned.ahead(AS_OF, day, 180) for day in first]
    assert part.times(180) == pytest.approx(np.mean(each), rel=1e-12)
    own_age = [learned.elapsed(day, day, AS_OF - 1) for day in first]
    np.testing.assert_allclose(part.age, own_age, rtol=1e-12)


def test_days_invert_times(learned: Clock) -> None:
    for part in learned.parts(AS_OF, [0, 1, 2], [0, 10, 300], [3, 150, 590]):
        np.testing.assert_allclose(part.days(part.times([0, 1.5, 90, 400.25])), [0, 1.5, 90, 400.25], rtol=1e-9)
        assert part.days([1e9]).tolist() == [np.inf]
        with pytest.raises(ContractError, match="horizons_days"):
            part.times([-1.0])


def test_less_than_a_year_gives_no_season_and_says_so() -> None:
    known = seasonal_shop(1_500, 300, december=3.0).known_at(START + 300).histories
    clock = fit_clock(known)
    assert clock.is_plain
    assert "knows no December" in clock.sentences()[0]


def test_few_purchases_give_no_season_and_say_so() -> None:
    clock = fit_clock(seasonal_shop(60, 760, december=3.0).known_at(START + 730).histories)
    assert clock.is_plain
    assert "too few to learn a season" in clock.sentences()[0]


def test_a_season_moves_purchases_within_the_year_and_makes_none(histories: DatedHistories) -> None:
    clock = fit_clock(histories)
    year = np.bincount(week_of_year(np.arange(histories.end_day - 364, histories.end_day + 1)), minlength=52) / 365
    assert year @ clock.weeks == pytest.approx(1.0, abs=1e-9)


def test_the_fit_is_the_same_every_time_and_comes_back_from_storage(histories: DatedHistories) -> None:
    clock = fit_clock(histories)
    again = Clock.from_arrays(fit_clock(histories).to_arrays())
    for name, array in clock.to_arrays().items():
        np.testing.assert_array_equal(array, again.to_arrays()[name])
    assert again.sentences() == clock.sentences() != ()


def test_a_damaged_clock_is_refused_and_none_is_plain() -> None:
    assert Clock.from_arrays({"r": np.array(1.0)}).is_plain
    stored = {name: array for name, array in Clock().to_arrays().items() if name != "clock_ages"}
    with pytest.raises(RegistryError, match="clock_ages"):
        Clock.from_arrays(stored)


def test_counts_stand_for_customers(histories: DatedHistories) -> None:
    twice = replace(
        histories,
        **{name: np.repeat(getattr(histories, name), 2) for name in ("frequency", "first_day", "last_day", "counts")},
        repeats=histories.repeats * 2,
    )
    double = replace(histories, counts=histories.counts * 2, repeats=histories.repeats * 2)
    np.testing.assert_allclose(fit_clock(twice).weeks, fit_clock(double).weeks, rtol=1e-4)


def test_the_slope_is_that_of_the_likelihood(histories: DatedHistories) -> None:
    problem = _Problem(histories)
    rng = np.random.default_rng(0)
    point = 0.1 * rng.normal(size=problem.size)
    slope = problem(point)[1]
    for place in range(0, problem.size, 7):
        step = np.zeros(problem.size)
        step[place] = 1e-5
        measured = (problem(point + step)[0] - problem(point - step)[0]) / 2e-5
        assert slope[place] == pytest.approx(measured, rel=1e-5, abs=1e-8)


def test_weeks_of_the_year_are_seven_days_from_new_year() -> None:
    days = [day_number(dt.date(2024, 1, 1)), day_number(dt.date(2024, 12, 30)), day_number(dt.date(2023, 1, 8))]
    assert week_of_year(days).tolist() == [0, 51, 1]
