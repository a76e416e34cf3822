"""Lift of a chosen group: the ratio, and an interval that covers the truth as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from customer_genome.decisions import lift
from customer_genome.decisions.lift import lift_of


def test_the_ratio_is_of_the_group_to_everybody_it_was_chosen_from() -> None:
    found = lift_of([1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    assert (found.chosen, found.random, found.n_chosen, found.n_pool) == (pytest.approx(2 / 3), pytest.approx(3 / 7), 3, 7)
    assert found.ratio == pytest.approx((2 / 3) / (3 / 7)) and found.lower <= found.ratio <= found.upper


@pytest.mark.parametrize("limit", [20_000, 10])
def test_the_interval_holds_the_truth_about_95_times_in_100(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(lift, "MOST_RESAMPLED", limit)
    chance = np.random.default_rng(2)
    truth = 0.5 / ((150 * 0.5 + 600 * 0.3) / 750)
    held = [
        found.lower <= truth <= found.upper
        for number in range(200)
        for found in [lift_of(chance.binomial(1, 0.5, 150), chance.binomial(1, 0.3, 600), seed=number, n_draws=400)]
    ]
    assert 0.89 < np.mean(held) < 0.99


def test_a_random_group_has_no_lift_and_an_empty_one_none_at_all() -> None:
    chance = np.random.default_rng(3)
    found = lift_of(chance.binomial(1, 0.4, 300), chance.binomial(1, 0.4, 900))
    assert not found.is_certain and math.isnan(lift_of([], [1.0]).ratio) and math.isnan(lift_of([0.0], [0.0]).ratio)
