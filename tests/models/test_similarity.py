"""Customers who are alike: the nearest are those of a plain calculation, whatever the unit, order or part they are read in."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import SettingsError
from customer_genome.models import similarity
from customer_genome.models.similarity import Space, all_nearest, likeness, nearest, shared_facts


def facts(n: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Return facts of customers with ties and unknown values."""
    chance = np.random.default_rng(seed)
    orders = chance.geometric(0.4, n).astype(float)
    spend = orders * np.round(chance.lognormal(3, 1, n), 1)
    trend = np.where(chance.uniform(0, 1, n) < 0.3, np.nan, chance.uniform(-1, 1, n))
    shares = chance.dirichlet(np.ones(3), n)
    return {
        "recency_days": chance.integers(1, 400, n).astype(float),
        "n_orders": orders,
        "total_spend": spend,
        "spend_trend": trend,
        "return_share": np.zeros(n),
        **{f"category_share_{place}": shares[:, place] for place in range(3)},
    }


def by_hand(units: np.ndarray, row: int) -> np.ndarray:
    """Return cosines with one customer, -inf for the customer."""
    cosines = units.astype(float) @ units[row].astype(float)
    cosines[row] = -np.inf
    return cosines


def test_the_nearest_are_those_of_a_plain_calculation(monkeypatch: pytest.MonkeyPatch) -> None:
    known = facts(900)
    units = Space.of(known).place(known)
    assert units.dtype == np.float32 and np.allclose(np.linalg.norm(units, axis=1), 1, atol=1e-6)
    monkeypatch.setattr(similarity, "ROWS_AT_ONCE", 64)
    places, cosines = all_nearest(units, 7)
    for row in (0, 63, 64, 899):
        wanted = np.sort(by_hand(units, row))[::-1][:7]
        place, cosine = nearest(units, units[row], 7, without=row)
        assert row not in place and np.allclose(cosine, wanted, atol=1e-5) and (np.diff(cosine) <= 0).all()
        assert row not in places[row] and np.allclose(cosines[row], wanted, atol=1e-4)


def test_a_fact_that_says_nothing_is_left_out_and_no_unit_matters() -> None:
    known = facts(300)
    space = Space.of(known)
    assert "return_share" not in space.columns
    pence = {**known, "total_spend": known["total_spend"] * 100}
    assert np.allclose(Space.of(pence).place(pence), space.place(known), atol=1e-6)
    assert Space.from_json(space.as_json()) == space


def test_a_customer_is_placed_alike_alone_and_among_all() -> None:
    known = facts(200)
    space = Space.of(known)
    alone = space.place({name: values[17:18] for name, values in known.items()})
    assert np.array_equal(alone[0], space.place(known)[17])


def test_weights_are_those_of_a_space_made_with_them() -> None:
    known = facts(400)
    space = Space.of(known)
    units, default = space.place(known), space.weights()
    weights = space.weights({"total_spend": 5, "category_share": 0})
    other = similarity._units(units * np.sqrt(weights / default))
    place, cosine = nearest(units, units[3], 5, weights=weights, default=default, without=3)
    wanted = by_hand(other, 3)
    assert np.allclose(cosine, np.sort(wanted)[::-1][:5], atol=1e-5)
    assert np.allclose(likeness(units, units[:9], weights=weights, default=default), likeness(other, other[:9]), atol=1e-5)
    assert sum(default[[name.startswith("category") for name in space.columns]]) == pytest.approx(similarity.WEIGHT_OF_SHARES)
    assert len(place) == 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"total_spnd": 1}, 'weight of total_spnd: these customers are not compared by that. Did you mean "total_spend"'),
        ({"n_orders": -1}, "weight of n_orders = -1: wanted 0 .leave it out. or more"),
        (dict.fromkeys(("recency_days", "n_orders", "total_spend", "spend_trend", "category_share"), 0), "Every weight is 0"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(given: dict, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Space.of(facts(50)).weights(given)


def test_likeness_is_the_mean_of_the_nearest_seeds_not_of_their_middle() -> None:
    """Seeds of two opposite kinds: a customer like one of them is alike; one between them is not."""
    units = np.array([[1, 0], [1, 0.01], [-1, 0.01], [-1, 0], [0, 1]], dtype=np.float32)
    units /= np.linalg.norm(units, axis=1)[:, None]
    found = likeness(units, units[[0, 2]], n_nearest=1)
    assert found[1] > 0.99 and found[3] > 0.99 and found[4] < 0.1


def test_customers_who_are_all_alike_have_nothing_to_be_compared_by() -> None:
    same = {name: np.full(5, 3.0) for name in ("n_orders", "total_spend")}
    space = Space.of(same)
    assert space.columns == () and space.place(same).shape == (5, 0)


def test_equals_are_found_in_the_order_of_their_places() -> None:
    units = np.tile(np.array([[0.6, 0.8]], dtype=np.float32), (40, 1))
    assert nearest(units, units[7], 3, without=7)[0].tolist() == [0, 1, 2]
    places, _ = all_nearest(units, 4)
    assert all(row not in places[row] and len(set(places[row])) == 4 for row in range(40))


def test_shared_facts_are_those_both_have_most_of() -> None:
    space = Space(("n_orders", "total_spend", "recency_days"), (1.0, 1.0, 1.0), (0.0,) * 3, (1.0,) * 3)
    one, other = np.array([0.1, 0.9, -0.4], np.float32), np.array([-0.3, 0.8, -0.5], np.float32)
    assert shared_facts(space, one, other) == [("total_spend", True), ("recency_days", False)]
