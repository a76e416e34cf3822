"""Reliability grades: learned from what forecasts missed, better grades missed less, and a customer is graded alike alone and among others."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.reliability import FEWEST, GRADES, MOST_ERROR, Reliability, measured


def held_out(n: int = 3000, seed: int = 4) -> dict[str, np.ndarray]:
    """Customers of three kinds: gone and known to be, steady and known well, and new ones of whom nothing is known."""
    draw = np.random.default_rng(seed)
    kind = np.arange(n) % 3
    spend = np.select([kind == 0, kind == 1], [2.0, 900.0], 300.0)
    true = np.select([kind == 0, kind == 1], [np.zeros(n), draw.normal(900, 100, n)], draw.gamma(0.3, 1000.0, n))
    width = np.select([kind == 0, kind == 1], [20.0, 300.0], 2500.0)
    return {
        "spend": spend,
        "lower": np.maximum(spend - width / 2, 0.0),
        "upper": spend + width / 2,
        "spend_true": true,
        "ordered": (true > 0).astype(float),
        "chance": np.select([kind == 0, kind == 1], [0.02, 0.98], 0.6),
        "n_purchase_days": np.select([kind == 0, kind == 1], [1.0, 12.0], 1.0),
        "tenure_days": np.full(n, 300.0),
    }


def test_grades_follow_what_forecasts_of_similar_customers_missed():
    known = held_out()
    found = Reliability.of(known)
    assert found is not None
    grades = found.grades(known["spend"], known["lower"], known["upper"], known["n_purchase_days"])
    assert set(grades[0::3]) == {"high"} and set(grades[1::3]) == {"high"} and set(grades[2::3]) == {"low"}


def test_what_a_grade_measured_keeps_its_promise_on_customers_it_was_not_learned_from():
    found = {row["grade"]: row for row in measured(held_out())}
    assert sum(row["customers"] for row in found.values()) == 3000
    assert found["high"]["left"] <= MOST_ERROR[0] and found["low"]["left"] > MOST_ERROR[1]
    assert [grade for grade in GRADES if grade in found] == list(found)


def test_a_row_is_graded_alike_alone_and_among_others():
    known = held_out()
    found = Reliability.of(known)
    assert found is not None
    columns = [known[name] for name in ("spend", "lower", "upper", "n_purchase_days")]
    together = found.grades(*columns)
    for row in (0, 1, 2, 2999):
        assert found.grades(*(column[row : row + 1] for column in columns))[0] == together[row]


def test_the_order_of_held_out_customers_means_nothing_to_the_grades():
    known = held_out()
    order = np.random.default_rng(1).permutation(3000)
    one, other = Reliability.of(known), Reliability.of({name: values[order] for name, values in known.items()})
    assert one is not None and other is not None
    assert other.left == pytest.approx(one.left) and (other.customers == one.customers).all()


@pytest.mark.parametrize("spoilt", [{}, {"spend": np.empty(0)}])
def test_without_forecasts_that_were_held_against_what_came_nobody_is_graded(spoilt):
    assert Reliability.of(spoilt) is None and measured(spoilt) == []


def test_too_few_customers_or_no_money_at_all_grade_nobody():
    few = {name: values[: FEWEST - 1] for name, values in held_out().items()}
    assert Reliability.of(few) is None
    assert Reliability.of(held_out() | {"spend_true": np.zeros(3000)}) is None
