"""Target lists: only contacts that are worth it, never over budget, and a control group that is alike and always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.decisions.priority import churn_band, clv_band
from customer_genome.decisions.targeting import (
    BALANCED,
    Reachable,
    Terms,
    balance_of,
    choose,
    expected_gain,
    hold_out,
    n_control,
    smallest_visible_effect,
)
from customer_genome.errors import SettingsError


def people(n: int, seed: int = 1) -> Reachable:
    """Return customers with uneven value and any risk."""
    chance = np.random.default_rng(seed)
    value, risk = chance.lognormal(4, 1.2, n), chance.uniform(0, 1, n)
    cuts = (float(np.quantile(value, 0.5)), float(np.quantile(value, 0.8))) if n else (1.0, 2.0)
    bands = clv_band(value, cuts).to_pylist(), churn_band(risk).to_pylist()
    return Reachable([f"c{place:05}" for place in range(n)], value * risk, value, risk, *bands)


def test_only_contacts_that_are_worth_it_are_listed_the_best_first() -> None:
    some = people(500)
    terms = Terms(cost=3, response=0.05, control_share=0.0)
    chosen = choose(some, terms)
    gain = expected_gain(some.value_loss, terms)
    assert set(chosen.rows) == set(np.flatnonzero(gain > 0)) and chosen.n_worthwhile == (gain > 0).sum() > 0
    assert (np.diff(chosen.gain) <= 0).all() and not chosen.is_control.any()


@settings(max_examples=60)
@given(st.integers(0, 300), st.floats(0, 20), st.floats(0.01, 500), st.floats(0, 0.99), st.one_of(st.none(), st.integers(1, 200)))
def test_budget_and_limit_hold_and_the_share_is_kept(n: int, cost: float, budget: float, share: float, most: int | None) -> None:
    if budget < cost:
        with pytest.raises(SettingsError, match="pays for no contact"):
            Terms(cost, 0.2, budget, most, share)
        return
    terms = Terms(cost, 0.2, budget, most, share)
    chosen = choose(people(n), terms)
    contacts = int((~chosen.is_control).sum())
    assert contacts * cost <= budget * (1 + 1e-9) and (most is None or contacts <= most)
    assert chosen.is_control.sum() == n_control(len(chosen.rows), share)
    if len(chosen.rows) < chosen.n_worthwhile:  # one more customer on the list would have been one contact too many
        assert len(chosen.rows) + 1 - n_control(len(chosen.rows) + 1, share) > terms.most_contacts


def test_the_same_list_gives_the_same_groups_in_any_order_and_another_campaign_others() -> None:
    some = people(400)
    first = hold_out(some, 0.2, "spring")
    order = np.random.default_rng(3).permutation(400)
    assert (hold_out(some.at(order), 0.2, "spring") == first[order]).all()
    assert (hold_out(some, 0.2, "summer") != first).any()


@pytest.mark.parametrize("share", [0.05, 0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_both_groups_are_alike_in_value_and_risk_and_in_every_band(share: float, seed: int) -> None:
    some = people(1500, seed)
    held = hold_out(some, share, f"campaign {seed}")
    for values in (some.value_loss, some.value, some.risk):
        assert abs(balance_of("x", values, held).difference) < BALANCED
    for value in ("Low", "Medium", "High"):
        for risk in ("Low", "Medium", "High"):
            cell = (np.array(some.clv_bands) == value) & (np.array(some.churn_bands) == risk)
            wanted = cell.sum() * share
            assert abs(held[cell].sum() - wanted) <= 2 + 0.05 * wanted, (value, risk)


def test_everybody_may_be_held_out() -> None:
    """Over many campaigns each customer is in the control group about as often as its share says."""
    some = people(60)
    often = sum(hold_out(some, 0.2, f"campaign {number}").astype(int) for number in range(300))
    assert often.sum() == 300 * 12 and often.min() > 0.08 * 300 and often.max() < 0.35 * 300


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"budget": 0}, "budget 0: wanted money above 0, or none for no limit; 0 pays for nobody"),
        ({"budget": -3}, "budget -3: wanted money above 0"),
        ({"cost": 5, "budget": 4}, "budget 4 pays for no contact at 5 each"),
        ({"cost": -1}, "cost -1: wanted money per contact, 0 or more"),
        ({"cost": float("nan")}, "cost nan"),
        ({"control_share": 1}, "control-share 1: wanted 0 to below 1, such as 0.1; at 1 nobody would be contacted"),
        ({"response": 0}, "at 0 no contact is worth anything"),
        ({"max_contacts": 0}, "max-contacts 0: wanted 1 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(values: dict, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Terms(**{"cost": 1.0, **values})
    assert says in str(caught.value)


def test_free_contacts_know_no_budget() -> None:
    assert Terms(cost=0, budget=10).most_contacts is None and Terms(cost=0, budget=10, max_contacts=3).most_contacts == 3


def test_the_smallest_visible_effect_is_that_of_a_simulated_test() -> None:
    """A rise of just that size is found in about 80 % of simulated experiments, by a test at 5 %."""
    rate, n, m = 0.3, 2000, 400
    rise = smallest_visible_effect(rate, n, m)
    chance = np.random.default_rng(5)
    a, b = chance.binomial(n, rate + rise, 4000) / n, chance.binomial(m, rate, 4000) / m
    pooled = (a * n + b * m) / (n + m)
    found = np.abs(a - b) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m)) > 1.96
    assert 0.75 < found.mean() < 0.86
