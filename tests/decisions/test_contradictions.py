"""Rules that can never hold together, and playbooks that never get anybody: only what is certain is said, and it is true."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.decisions.conditions import holds, parse_condition
from customer_genome.decisions.contradictions import contradiction, takes_all_of
from customer_genome.decisions.customers import Customers
from in_memory import statistics_of


def rules(*texts: str) -> list:
    return [parse_condition(text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("n_orders > 5", "n_orders <= 5"), "rules 1 `n_orders > 5` and 2 `n_orders <= 5` can never both hold"),
        (("n_orders >= 5", "n_orders <= 5"), ""),
        (("total_spend > p60", "total_spend <= p30"), "can never both hold"),
        (("total_spend >= p60", "total_spend <= p30"), ""),
        (("total_spend < p30", "total_spend >= p30"), "can never both hold"),
        (("recency_days > 2 * mean_gap_days", "recency_days <= 1 * mean_gap_days"), "can never both hold"),
        (("total_spend > 2 * spend_trend", "total_spend < 1 * spend_trend"), ""),
        (("churn_band = High", "churn_band = Low"), "can never both hold"),
        (("churn_band in [High, Low]", "churn_band != High", "churn_band != Low"), "rules 1 `churn_band in"),
        (("churn_band = Higher",), 'rule 1 `churn_band = "Higher"` can never hold: churn_band is Low, Medium or High'),
        (("churn_probability >= 40",), "churn_probability is between 0 and 1"),
        (("recency_days < -1",), "recency_days is never below 0"),
        (("n_orders in [1, 2]", "n_orders > 2"), "can never both hold"),
        (("n_orders in [1, 3]", "n_orders > 2"), ""),
        (("first_order_on >= 2011-02-01", "first_order_on < 2011-01-01"), "can never both hold"),
        (("is_home_country = true", "is_home_country = false"), "can never both hold"),
        (("clv_180d > mean", "clv_180d < mean"), "can never both hold"),
        (("clv_180d > mean", "clv_180d < median"), ""),
        (("clv_180d > 3", "clv_180d < p10"), ""),
        (("recency_days < 2 * mean_gap_days", "recency_days = 1 * mean_gap_days"), ""),
        (("total_spend >= p90", "total_spend <= p30", "total_spend < p60"), "can never both hold"),
    ],
)
def test_what_can_never_hold_is_said_and_nothing_else(texts: tuple[str, ...], says: str) -> None:
    found = contradiction(rules(*texts))
    assert (says in found) if says else found == ""


def test_with_the_figures_of_today_marks_and_numbers_are_one_scale() -> None:
    texts = rules("clv_180d > 100", "clv_180d < p10")
    assert contradiction(texts, {"clv_180d p10": 40.0}) and not contradiction(texts, {"clv_180d p10": 140.0})


@pytest.mark.parametrize(
    ("broad", "narrow", "wanted"),
    [
        (("n_orders >= 2",), ("n_orders >= 3", "total_spend > p80"), True),
        (("n_orders > 2",), ("n_orders >= 2",), False),
        (("n_orders in [1, 2, 3]",), ("n_orders in [2, 3]",), True),
        (("recency_days <= p60",), ("recency_days <= p30",), True),
        (("recency_days < p60",), ("recency_days <= p30",), False),
        (("recency_days < p40",), ("recency_days <= p30", "recency_days < p60"), False),
        (("churn_band != Low",), ("churn_band = High",), True),
        (("churn_band != Low",), ("churn_band != High",), False),
        (("churn_probability <= 1",), ("churn_probability >= 50 %",), True),
        (("n_orders >= 2", "total_spend > 3"), ("n_orders >= 2",), False),
        (("recency_days > 1 * mean_gap_days",), ("recency_days > 2 * mean_gap_days",), True),
    ],
)
def test_a_playbook_behind_a_broader_one_is_known(broad: tuple[str, ...], narrow: tuple[str, ...], wanted: bool) -> None:
    assert takes_all_of(rules(*broad), rules(*narrow)) is wanted


texts = st.one_of(
    st.builds(
        lambda op, value: f"x {op} {value}",
        st.sampled_from(["<", "<=", ">", ">=", "=", "!="]),
        st.sampled_from(["1", "2", "3", "p0", "p25", "p50", "p100", "2 * y_days", "1 * y_days"]),
    ),
    st.sampled_from(["x in [1, 2]", "x in [3]"]),
)


@settings(max_examples=200)
@given(st.lists(texts, min_size=1, max_size=3), st.lists(texts, min_size=1, max_size=3), st.integers(0, 10**6))
def test_no_customer_ever_proves_it_wrong(first: list[str], second: list[str], seed: int) -> None:
    chance = np.random.default_rng(seed)
    n = 30
    table = pa.table({"x": chance.integers(0, 5, n).astype(float), "y_days": chance.integers(0, 3, n).astype(float)})
    customers = Customers(table)

    def fits(conditions: list) -> np.ndarray:
        figures = statistics_of(conditions, customers)
        return np.logical_and.reduce([holds(condition, customers, figures) for condition in conditions])

    one, two = rules(*first), rules(*second)
    for conditions in (one, two):
        for figures in (None, statistics_of(conditions, customers)):
            assert not contradiction(conditions, figures) or not fits(conditions).any()
    for broad, narrow in itertools.permutations((one, two)):
        for figures in (None, statistics_of([*one, *two], customers)):
            if takes_all_of(broad, narrow, figures):
                assert not (fits(narrow) & ~fits(broad)).any()
