"""Level, bend and ranges: set right where data ask for it, left alone where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.calibration import Bend, bend_of, choose_bend, intercept_for, level_shift
from customer_genome.models.candidates.stacking import Said, odds_weights, prior_weights, spend_weights, taught_share
from customer_genome.models.conformal import Stretch, based


def sigmoid(odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def draw() -> np.random.Generator:
    return np.random.default_rng(4)


def test_the_intercept_meets_the_mean(draw: np.random.Generator) -> None:
    odds = draw.normal(0, 2, 500)
    assert sigmoid(odds + intercept_for(odds, 0.3)).mean() == pytest.approx(0.3, abs=1e-9)


def test_a_bend_is_monotone_and_only_there_where_it_pays(draw: np.random.Generator) -> None:
    odds = draw.normal(0, 1.5, 8_000)
    straight = (draw.random(8_000) < sigmoid(odds)).astype(float)
    assert choose_bend(odds, straight)[0].is_none
    bent = (draw.random(8_000) < sigmoid(np.where(odds > 0, 0.1 * odds, 3 * odds))).astype(float)
    bend, line, better = choose_bend(odds, bent)
    assert not bend.is_none and better < line
    grid = np.linspace(-9, 9, 400)
    assert (np.diff(bend(grid)) >= 0).all() and (np.diff(bend_of(odds, bent)(grid)) >= 0).all()
    assert choose_bend(odds[:500], bent[:500])[0].is_none
    np.testing.assert_array_equal(Bend.none()(grid), grid)


def test_a_shift_is_held_back_where_little_is_known(draw: np.random.Generator) -> None:
    odds = np.zeros(4_000)
    ordered = (np.arange(4_000) % 10 < 3).astype(float)
    money = np.full(4_000, 10.0)
    many = level_shift(odds, ordered, money, money)
    few = level_shift(odds[:50], ordered[:50], money[:50], money[:50])
    assert -0.5 <= many < few < 0
    assert level_shift(odds, np.ones(4_000), money, money) == 0.0 == level_shift(odds, ordered, money * 0, money)


def test_an_error_of_the_whole_level_is_not_carried_over(draw: np.random.Generator) -> None:
    """Where totals were twice too high the odds were so too; only what is left of the error says something of the next forecast."""
    odds, money = draw.normal(0, 1, 4_000), draw.gamma(1.0, 50.0, 4_000)
    ordered = (draw.random(4_000) < sigmoid(odds - 0.2)).astype(float)
    right = level_shift(odds, ordered, money, money)
    assert -0.3 < right < -0.1
    assert level_shift(odds + np.log(2), ordered, 2 * money, money) == pytest.approx(right)


def test_ranges_hold_fifth_by_fifth(draw: np.random.Generator) -> None:
    n = 20_000
    spend = draw.gamma(1.0, 100.0, n)
    came = spend * draw.lognormal(-0.5, 1.0, n) * (draw.random(n) < 0.9)
    lower, upper = based(spend, spend, spend * 0.9, spend * 1.1)  # far too narrow
    stretch = Stretch.of(spend[::2], lower[::2], upper[::2], came[::2], float(spend.mean()))
    low, high = stretch(spend[1::2], lower[1::2], upper[1::2])
    truth, order = came[1::2], np.argsort(spend[1::2])
    assert (low <= spend[1::2]).all() and (spend[1::2] <= high).all()
    for fifth in np.array_split(order, 5):
        assert np.mean(truth[fifth] > high[fifth]) == pytest.approx(0.1, abs=0.03)
        assert np.mean(truth[fifth] < low[fifth]) <= 0.13
    back = Stretch.from_arrays(stretch.to_arrays())
    np.testing.assert_array_equal(back(spend, lower, upper)[1], stretch(spend, lower, upper)[1])
    np.testing.assert_array_equal(Stretch()(spend, lower, upper)[0], lower)


def test_weights_go_to_who_knows_and_stay_equal_where_nothing_is_told(draw: np.random.Generator) -> None:
    n = 30_000
    truth = draw.normal(0, 1.5, n)
    ordered = (draw.random(n) < sigmoid(truth)).astype(float)
    worth = np.exp(truth + 3)
    odds, spend = np.column_stack([truth, draw.normal(0, 1.5, n)]), np.column_stack([worth, draw.permutation(worth)])
    said = [Said(odds, spend, ordered, worth * ordered)]
    equal = np.array([0.5, 0.5])
    chances, money = odds_weights(said, equal), spend_weights(said, equal)
    assert chances[0] > 0.75 > 0.3 > chances[1] and money[0] > 0.75 and money.sum() == pytest.approx(1.0)
    few = [Said(odds[:60], spend[:60], ordered[:60], (worth * ordered)[:60])]
    np.testing.assert_allclose(odds_weights(few, equal), equal, atol=0.1)
    np.testing.assert_array_equal(odds_weights([], equal), equal)
    np.testing.assert_array_equal(spend_weights([], equal), equal)


def test_the_prior_moves_from_the_own_forecast_to_equal_weights_as_customers_grow() -> None:
    shares = [taught_share(n) for n in (0, 100, 700, 5_000, 500_000)]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[2] == 0.5 and shares[-1] > 0.999
    np.testing.assert_allclose(prior_weights(3, 1, 0.0), [0.0, 1.0, 0.0])
    np.testing.assert_allclose(prior_weights(3, 1, 1.0), [1 / 3] * 3)
    assert prior_weights(5, 0, 0.3).sum() == pytest.approx(1.0)
