"""Measures of lists by hand, and the protocol of a backtest: one cut in time, three views, popularity and chance as yardsticks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from customer_genome.errors import SettingsError
from customer_genome.evaluation.ranking import compare, difference_of, draws_of, judge_lists, random_expectation
from customer_genome.models.recommend.study import Effort
from customer_genome.proof.recommendation_backtest import CHAMPION, backtest_lists
from customer_genome.settings import Settings
from customer_genome.sources.files import describe_arrow
from shops_of_taste import two_tastes

WANTED = csr_matrix(np.array([[1, 1, 0, 0], [0, 0, 0, 1]]))


def test_measures_by_hand() -> None:
    found = judge_lists(np.array([[0, 2], [2, 3]]), WANTED, np.array([0.5, 0.25, 0.25, 0.125]), 4)
    discount = 1 / np.log2(3)
    np.testing.assert_allclose(found.per_customer["ndcg"], [1 / (1 + discount), discount])
    np.testing.assert_allclose(found.per_customer["recall"], [0.5, 1.0])
    np.testing.assert_allclose(found.per_customer["map"], [0.5, 0.5])
    np.testing.assert_allclose(found.per_customer["novelty"], [1.5, 2.5])
    assert found.per_customer["hit_rate"].tolist() == [1.0, 1.0] and found.coverage == 0.75


def test_chance_is_what_random_lists_reach() -> None:
    random = np.random.default_rng(4)
    lists = np.array([[random.permutation(4)[:2] for _ in range(20_000)] for _ in range(2)])
    expected = random_expectation(WANTED, np.array([4, 4]), 2)
    for measure in ("ndcg", "recall"):
        each = [judge_lists(lists[:, draw], WANTED, np.full(4, 0.5), 4).means()[measure] for draw in range(2_000)]
        assert np.mean(each) == pytest.approx(expected[measure], abs=0.02)


def test_the_difference_is_paired() -> None:
    random = np.random.default_rng(2)
    easy = random.random(400)
    found = difference_of(easy + 0.01, easy, draws_of(400, 200, 3))
    assert found.lower == pytest.approx(0.01) and found.upper == pytest.approx(0.01)


def test_lifts_are_over_popularity_and_chance() -> None:
    lists = {"popularity": np.array([[2, 0], [0, 1]]), "good": np.array([[0, 1], [3, 0]])}
    figures = {name: judge_lists(one, WANTED, np.full(4, 0.5), 4) for name, one in lists.items()}
    chance = random_expectation(WANTED, np.array([4, 4]), 2)
    first, second = compare("2020-01-01", "all", figures, "popularity", chance, draws_of(2, 50, 1))
    assert (first.candidate, second.candidate) == ("good", "popularity") and second.lift == 1.0
    assert first.lift == pytest.approx(first.figures["ndcg"] / second.figures["ndcg"])
    assert first.lift_random == pytest.approx(1.0 / chance["ndcg"]) and first.as_json()["n"] == 2
    low, high = first.as_json()["lift_over_random_interval"]
    assert low <= first.lift_random <= high and low == pytest.approx(first.lower["ndcg"] / chance["ndcg"])


def table_of_tastes() -> pa.Table:
    """Return the order lines of the shop of two tastes."""
    shop = two_tastes()
    start = dt.datetime(2020, 1, 1, 12)
    return pa.table(
        {
            "customer_id": [f"c{place:03}" for place in shop.customer.tolist()],
            "order_id": [f"o{place}-{day}" for place, day in zip(shop.customer.tolist(), shop.day.tolist(), strict=True)],
            "ordered_at": pa.array([start + dt.timedelta(days=day) for day in shop.day.tolist()], pa.timestamp("us")),
            "product_id": [f"p{place:02}" for place in shop.item.tolist()],
            "quantity": np.ones(len(shop)),
            "price": np.full(len(shop), 2.5),
        }
    )


def test_a_backtest_of_lists_holds_three_views_apart(tmp_path: Path) -> None:
    lines, few = table_of_tastes(), Effort(100, (5.0,), (180.0,), 0, 500, False)
    settings = Settings(workspace=tmp_path)
    found = backtest_lists(settings, lambda tmp: {"order_lines": describe_arrow(lines, "order_lines")}, effort=few, n_draws=50)
    assert found.horizon_days == 30 and len(found.days) == 2 and found.item == "product_id"
    by_view = {view: found.select(found.days[-1].as_of, view) for view in ("all", "new", "again")}
    again = {row.candidate: row for row in by_view["again"]}
    assert again[CHAMPION].figures["ndcg"] == again[found.days[-1].chosen["again"].name].figures["ndcg"]
    assert again[CHAMPION].versus["ndcg"].lower > 0 and again[CHAMPION].lift_random > 1
    assert all(0 <= day.cold_share <= 1 and day.repeat_share > 0.5 for day in found.days)
    assert found.store(tmp_path).exists() and found.as_json()["rows"]
    with pytest.raises(SettingsError, match="wanted days from"):
        backtest_lists(
            settings, lambda tmp: {"order_lines": describe_arrow(lines, "order_lines")}, cutoffs=[dt.date(2030, 1, 1)], effort=few
        )
