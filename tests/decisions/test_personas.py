"""Effect sizes are Cohen's d, and a persona says what sets customers apart in words that hold in every shop."""

from __future__ import annotations

import re

import numpy as np
import pytest

from customer_genome.decisions.personas import (
    LARGEST_EFFECT,
    TRAITS,
    Effect,
    effect_size,
    of_ratings,
    persona,
    short_trait,
    strongest,
)

PROFILE = {"mean_orders": 12.4, "mean_spend": 800.0, "median_recency_days": 1.0, "churn_probability": 0.05}


def effect(fact: str, size: float) -> Effect:
    """Return an effect of a size."""
    return Effect(fact, size, 1.0, 2.0)


def test_an_effect_is_the_difference_in_pooled_standard_deviations() -> None:
    chance = np.random.default_rng(1)
    own, rest = chance.normal(3, 2, 50), chance.normal(1, 1, 200)
    pooled = np.sqrt((49 * own.var(ddof=1) + 199 * rest.var(ddof=1)) / 248)
    found = effect_size(50, own.sum(), (own**2).sum(), 200, rest.sum(), (rest**2).sum())
    assert found == pytest.approx((own.mean() - rest.mean()) / pooled, abs=1e-6)


def test_effects_without_spread_or_without_anybody_are_no_surprise() -> None:
    assert effect_size(2, 4.0, 8.0, 3, 6.0, 12.0) == 0
    assert effect_size(2, 4.0, 8.0, 3, 3.0, 3.0) == LARGEST_EFFECT
    assert effect_size(2, 2.0, 2.0, 3, 6.0, 12.0) == -LARGEST_EFFECT
    assert np.isnan(effect_size(0, 0.0, 0.0, 3, 6.0, 12.0))


def test_a_persona_names_one_fact_of_each_kind_the_strongest_first() -> None:
    found = [effect("unique_products", 2.0), effect("n_orders", 2.5), effect("recency_days", -0.4), effect("total_spend", 0.2)]
    assert [one.fact for one in strongest(found)] == ["n_orders", "recency_days"]
    said = persona(found, PROFILE, "GBP")
    assert said.startswith(
        "They order more often and bought more recently than the others: 12 orders each, £800 spent, the last order 1 day ago"
    )


def test_nothing_apart_and_nothing_known_are_said() -> None:
    unknown = dict.fromkeys(PROFILE, float("nan"))
    assert persona([effect("n_orders", 0.1)], unknown) == "Nothing sets them far apart from all others."
    assert persona([effect("tenure_days", -1.0)], unknown) == "They came later than the others."


def test_facts_without_words_of_their_own_are_named_in_brackets_only() -> None:
    assert strongest([effect("shoe_size", 3.0)]) == []
    assert short_trait("shoe_size", True) == "higher shoe size" and short_trait("recency_days", False) == "more recent"


@pytest.mark.parametrize(
    "fact", [fact for fact in TRAITS if fact not in ("mean_order_value", "discount_share")]
)  # these need money
@pytest.mark.parametrize("size", [1.0, -1.0])
def test_words_on_customers_who_rate_speak_of_no_order(fact: str, size: float) -> None:
    said = of_ratings(persona([effect(fact, size)], PROFILE | {"mean_spend": float("nan"), "median_recency_days": 3.0}))
    assert not re.search("order|bought|buy|product", said), said
    assert "12 visits each, the last rating 3 days ago" in said
