"""What recency, frequency and tenure add to what the purchase model says: they add up, and are what a count over all orders gives."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_genome.models.candidates.contract import Contributions
from customer_genome.models.candidates.inputs import log_odds
from customer_genome.models.own_shares import FACTS, Typical, handed_to_facts, history_shares

TYPICAL = Typical(3.0, 90.0, 400.0)


def chance(n_days, recency, tenure):
    """A made-up purchase model: rarer and longer ago is worse, with an interaction."""
    rate = n_days / tenure
    return np.clip((1 - np.exp(-180 * rate)) * np.exp(-recency * rate / 3), 1e-3, 1 - 1e-3)


HISTORY = st.tuples(st.integers(2, 30), st.integers(1, 200), st.integers(0, 500)).map(
    lambda one: (float(one[0]), float(one[1]), float(one[0] + one[1] + one[2]))
)


@given(st.lists(HISTORY, min_size=1, max_size=6))
def test_shares_add_up_to_the_distance_from_the_typical_customer(histories):
    facts = [np.array(column) for column in zip(*histories, strict=True)]
    own = chance(*facts)
    found = history_shares(chance, facts, own, TYPICAL)
    assert found.names == FACTS
    assert found.log_odds() == pytest.approx(log_odds(own), abs=1e-9)


def test_shares_are_the_mean_over_all_orders_of_joining():
    facts = (9.0, 40.0, 300.0)
    reference = (TYPICAL.n_purchase_days, TYPICAL.recency_days, TYPICAL.tenure_days)

    def worth(coalition):
        mixed = [facts[i] if i in coalition else reference[i] for i in range(3)]
        return float(log_odds(chance(*(np.array([one]) for one in mixed)))[0])

    wanted = np.zeros(3)
    for order in permutations(range(3)):
        for place, player in enumerate(order):
            wanted[player] += (worth(order[: place + 1]) - worth(order[:place])) / 6
    own = [np.array([one]) for one in facts]
    assert history_shares(chance, own, chance(*own), TYPICAL).values[0] == pytest.approx(wanted, abs=1e-9)


def test_a_customer_like_the_typical_one_differs_in_nothing():
    facts = [np.array([3.0]), np.array([90.0]), np.array([400.0])]
    assert history_shares(chance, facts, chance(*facts), TYPICAL).values == pytest.approx(np.zeros((1, 3)), abs=1e-12)


def test_every_customer_gets_the_same_alone_as_among_others():
    facts = [np.array([1.0, 5.0, 9.0]), np.array([30.0, 20.0, 200.0]), np.array([30.0, 200.0, 500.0])]
    own = chance(*facts)
    together = history_shares(chance, facts, own, TYPICAL).values
    for row in range(3):
        alone = history_shares(chance, [fact[row : row + 1] for fact in facts], own[row : row + 1], TYPICAL).values
        assert alone[0] == pytest.approx(together[row], rel=1e-12, abs=1e-12)


@given(st.lists(st.tuples(HISTORY, st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=6), st.floats(0, 1))
def test_handing_on_keeps_the_log_odds(customers, weight):
    facts = [np.array(column) for column in zip(*(one[0] for one in customers), strict=True)]
    own = chance(*facts)
    shares = history_shares(chance, facts, own, TYPICAL)
    learned = np.array([[one[1], one[2]] for one in customers])
    values = np.column_stack([weight * log_odds(own), learned])
    found = Contributions(("own forecast", "own_chance", "total_spend"), values, 0.3)
    handed = handed_to_facts(found, shares, weight, own)
    assert handed.log_odds() == pytest.approx(found.log_odds(), abs=1e-8)
    assert set(handed.names) == {*FACTS, "total_spend"}


def test_the_one_order_of_a_customer_is_told_once():
    facts = [np.array([1.0]), np.array([30.0]), np.array([30.0])]
    found = history_shares(chance, facts, chance(*facts), TYPICAL)
    assert found.values[0, FACTS.index("tenure_days")] == 0.0 and found.values[0, FACTS.index("recency_days")] != 0.0
    assert found.log_odds() == pytest.approx(log_odds(chance(*facts)), abs=1e-9)
