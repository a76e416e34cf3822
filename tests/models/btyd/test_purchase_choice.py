"""The choice of clock and purchase model: by earlier forecasts, the simpler unless another is clearly better, and said plainly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchase_choice import (
    LEARNED,
    PLAIN,
    Trial,
    choose,
    probability_of_count,
    trial_cutoffs,
    with_choice,
)
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.season import Clock
from seasonal_shop import START, SeasonalShop, seasonal_shop

AS_OF = START + 730
TWO = ("BG/NBD", "MBG/NBD")


@pytest.fixture(scope="module")
def christmas() -> SeasonalShop:
    """Return two years of a shop with a strong Christmas."""
    return seasonal_shop(4_000, 760, december=3.0, seed=11)


def test_a_season_is_used_and_the_comparison_is_said(christmas: SeasonalShop) -> None:
    trials = [christmas.trial(AS_OF - 180, 180), christmas.trial(AS_OF - 270, 180)]
    choice = choose(christmas.known_at(AS_OF).histories, trials, TWO)
    assert not choice.clock.is_plain
    assert choice.model == "BG/NBD"
    by_clock = {one.clock: one for one in choice.tried if one.model == "BG/NBD"}
    assert by_clock[LEARNED].score > by_clock[PLAIN].score
    errors = {name: np.abs(np.log(one.levels)).mean() for name, one in by_clock.items()}
    assert errors[LEARNED] < errors[PLAIN]
    assert any(line.startswith("The learned clock is used. In 2 earlier forecasts") for line in choice.sentences)
    assert set(choice.sentences) <= set(with_choice(choice).sentences())


def test_less_than_a_year_means_plain_days(christmas: SeasonalShop) -> None:
    trial = christmas.trial(START + 200, 90)
    choice = choose(christmas.known_at(START + 300).histories, [trial], TWO)
    assert choice.clock.is_plain
    assert {one.clock for one in choice.tried} == {PLAIN}
    assert any("knows no December" in line for line in with_choice(choice).sentences())


def test_without_trials_the_simplest_model_is_used(christmas: SeasonalShop) -> None:
    choice = choose(christmas.known_at(START + 90).histories, [])
    assert (choice.model, choice.tried) == ("BG/NBD", ())
    assert "Too little has been seen" in choice.sentences[-1]


def test_a_clock_that_forecast_clearly_worse_is_given_up(christmas: SeasonalShop) -> None:
    trial = christmas.trial(AS_OF - 100, 90)
    known, plain = trial.known, BetaGeometricNBD()
    history = (known.frequency, (known.last_day - known.first_day).astype(float), (known.end_day - known.first_day).astype(float))
    without_season = np.random.default_rng(1).poisson(plain.fit(*history).expected_orders(*history, 90)).astype(float)
    choice = choose(christmas.known_at(AS_OF).histories, [replace(trial, after=without_season)], TWO)
    assert choice.clock.is_plain
    assert choice.sentences[0].startswith("The learned clock forecast worse than plain days")


def test_a_trial_before_a_year_and_a_quarter_is_not_asked_about_the_clock(christmas: SeasonalShop) -> None:
    choice = choose(christmas.known_at(START + 500).histories, [christmas.trial(START + 400, 90)], TWO)
    assert not choice.clock.is_plain
    assert "could not be put to the test yet" in choice.sentences[0]


def test_customers_lost_at_once_call_for_another_model() -> None:
    shop = seasonal_shop(6_000, 340, seed=12, lost_at_once=0.6)
    choice = choose(shop.known_at(START + 330).histories, [shop.trial(START + 200, 130), shop.trial(START + 150, 130)], TWO)
    assert choice.model == "MBG/NBD"
    assert "MBG/NBD is used: clearly better than the simpler ones." in choice.sentences[-1]


def test_rows_or_counts_give_the_same_choice(christmas: SeasonalShop) -> None:
    trial = christmas.trial(START + 600, 120)
    known = trial.known
    rows, place, counts = np.unique(
        np.column_stack([known.frequency, known.first_day, known.last_day, trial.after]),
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    first, last = rows[:, 1].astype(np.int64), rows[:, 2].astype(np.int64)
    collapsed = Trial(
        replace(known, frequency=rows[:, 0], first_day=first, last_day=last, counts=counts.astype(float)), rows[:, 3], 120
    )
    histories = christmas.known_at(AS_OF).histories
    one, other = choose(histories, [trial], TWO), choose(histories, [collapsed], TWO)
    assert len(place) > len(rows)
    assert one.model == other.model
    for a, b in zip(one.tried, other.tried, strict=True):
        assert a.score == pytest.approx(b.score, rel=1e-5)
        assert a.levels == pytest.approx(b.levels, rel=1e-4)


@pytest.mark.parametrize(
    "model",
    [BetaGeometricNBD.from_parameters(0.6, 60, 0.3, 3.0), ParetoNBD.from_parameters(0.6, 60, 0.5, 100)],
    ids=lambda model: str(model.name),
)
def test_the_chances_of_all_counts_add_up_to_one(model: BetaGeometricNBD | ParetoNBD) -> None:
    counts = np.arange(200.0)
    for x, recency, age in ((0.0, 0.0, 100.0), (3.0, 80.0, 200.0), (3.0, 200.0, 200.0)):
        history = (np.full(200, x), np.full(200, recency), np.full(200, age))
        assert probability_of_count(model, counts, *history, 180.0).sum() == pytest.approx(1.0, abs=1e-9)


def test_every_trial_is_over_before_the_cutoff() -> None:
    for as_of in range(30, 1_500, 37):
        for horizon in (30, 90, 180):
            for cutoff, days in trial_cutoffs(0, as_of, horizon):
                assert cutoff + days <= as_of
                assert cutoff >= horizon or days < horizon
    assert trial_cutoffs(0, 100, 180) == []


def test_a_clock_that_no_season_could_explain_is_not_believed() -> None:
    n, weeks = 689, 95
    same_days = SeasonalShop(np.repeat(np.arange(n), weeks), START + np.tile(7 * np.arange(weeks), n), np.ones(52))
    choice = choose(same_days.known_at(START + 665).histories, [], TWO)
    assert choice.clock.is_plain
    assert "more than a season can do" in choice.clock.sentences()[0]


def test_a_choice_without_a_clock_keeps_the_reason() -> None:
    choice = choose(seasonal_shop(300, 200).known_at(START + 200).histories, [])
    stored = Clock.from_arrays(with_choice(choice).to_arrays())
    assert stored.is_plain
    assert stored.sentences() == with_choice(choice).sentences()
