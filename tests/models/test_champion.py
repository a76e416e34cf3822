"""The champion: chosen from held-out forecasts, on the right level, explained exactly, and the own forecast where nothing can be learned."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import RegistryError
from customer_genome.models.candidates import OWN, Champion, Expected, Known, Past, choose_champion
from customer_genome.models.candidates.choice import BLEND
from rehearsed_shop import past_at, shop

NOW, PAST = shop()


@pytest.fixture(scope="module")
def champion() -> Champion:
    return choose_champion(NOW.known, PAST)


def test_better_than_its_own_part_and_on_its_level(champion: Champion) -> None:
    expected, own = champion.forecast(NOW.known), NOW.known.own
    assert own is not None and own.spend is not None and own.chance is not None
    assert expected.spend is not None and expected.chance is not None
    assert expected.spend.sum() == pytest.approx(own.spend.sum(), rel=1e-6)
    assert np.mean((expected.chance - NOW.ordered) ** 2) < np.mean((own.chance - NOW.ordered) ** 2)


def test_contributions_add_up_to_the_published_chance(champion: Champion) -> None:
    found, chance = champion.contributions(NOW.known), champion.forecast(NOW.known).chance
    assert chance is not None and OWN in found.names
    np.testing.assert_allclose(1 / (1 + np.exp(-found.log_odds())), chance, rtol=1e-9)


def test_held_out_forecasts_hold_their_ranges(champion: Champion) -> None:
    held = champion.held_out
    assert {"chance", "spend", "lower", "upper", "spend_true", "ordered", "n_purchase_days", "tenure_days"} == held.keys()
    assert (held["lower"] <= held["spend"]).all() and (held["spend"] <= held["upper"]).all()
    assert np.mean(held["spend_true"] < held["lower"]) <= 0.15 and np.mean(held["spend_true"] > held["upper"]) <= 0.15


def test_why_is_said_with_every_rival(champion: Champion) -> None:
    compared = {(one["target"], one["name"]) for one in champion.figures["compared"]}
    assert {("orders", BLEND), ("orders", OWN), ("spend", "last period"), ("orders", "recency rule")} <= compared
    assert any("naive formula" in sentence for sentence in champion.words)


def test_without_history_the_own_forecast_and_why() -> None:
    alone = choose_champion(NOW.known, [])
    expected, own = alone.forecast(NOW.known), NOW.known.own
    assert own is not None
    np.testing.assert_allclose(expected.spend, own.spend)
    np.testing.assert_allclose(expected.chance, own.chance, atol=1e-4)
    assert "alone" in alone.words[0] and not alone.held_out
    few = [past_at(910, 15)]
    assert "alone" in choose_champion(NOW.known, few).words[0]


def test_few_customers_leave_nearly_all_of_the_say_to_the_own_forecast(champion: Champion) -> None:
    now, past = shop(150)
    small = choose_champion(now.known, past)
    for target in ("orders", "spend"):
        own, taught = (one.figures["weights"][target] for one in (small, champion))
        assert own[OWN] / sum(own.values()) > 0.8 > 0.7 > taught[OWN] / sum(taught.values()), target
    assert small.figures["taught_by"] == 150 and "150 customers" in small.words[0]
    assert any("drawn towards equal ones" in one for one in choose_champion(NOW.known, [past_at(910, 2_500)]).words)


def test_without_an_own_forecast_there_is_none() -> None:
    bare = Known(NOW.known.as_of, NOW.known.horizon_days, NOW.known.facts)
    with pytest.raises(RegistryError, match="own forecast is missing"):
        choose_champion(bare, PAST)


def test_a_missing_fact_is_named(champion: Champion) -> None:
    facts = {name: values for name, values in NOW.known.facts.items() if name != "recency_days"}
    with pytest.raises(RegistryError, match="recency_days"):
        champion.forecast(Known(NOW.known.as_of, NOW.known.horizon_days, facts, NOW.known.own))


def test_stored_by_another_version_is_refused(champion: Champion) -> None:
    arrays = champion.to_arrays() | {"format": np.array(1)}
    with pytest.raises(RegistryError, match="format 1"):
        Champion.from_arrays(arrays)


def test_a_naive_formula_that_is_clearly_better_is_used_and_said() -> None:
    """Everybody does exactly what they did last time: nothing beats the formula that says so."""

    def repeated(one: Past) -> Past:
        again = one.known.facts["spend_last_horizon"]
        return Past(one.known, again, (again > 0).astype(np.float64))

    now, past = repeated(NOW), [repeated(one) for one in PAST]
    chosen = choose_champion(now.known, past)
    assert chosen.figures["weights"]["spend"] == {"last period": 1.0}
    assert any("naive formula last period was clearly better" in sentence for sentence in chosen.words)
    np.testing.assert_allclose(chosen.forecast(now.known).spend, now.spend)
    back = Champion.from_arrays(chosen.to_arrays()).forecast(now.known)
    np.testing.assert_array_equal(back.spend, chosen.forecast(now.known).spend)


def test_the_same_facts_give_the_same_champion(champion: Champion) -> None:
    again = choose_champion(NOW.known, PAST)
    for name, values in champion.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], values, err_msg=name)


def test_what_came_is_no_argument(champion: Champion) -> None:
    """The forecast depends on what is known; an own forecast without ranges is refused, not made up."""
    own = NOW.known.own
    assert own is not None
    bare = Known(NOW.known.as_of, NOW.known.horizon_days, NOW.known.facts, Expected(own.spend, own.chance))
    with pytest.raises(RegistryError, match="range"):
        champion.forecast(bare)
