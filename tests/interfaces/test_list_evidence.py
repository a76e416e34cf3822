"""The stored backtest of lists, as the page Recommendations shows it: figures are those of the file, and what it lacks is left out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from customer_genome.errors import SnapshotError
from customer_genome.evaluation.ranking import Interval, Row
from customer_genome.interfaces.charts.chart_files import rows_behind
from customer_genome.interfaces.charts.lists_backtest import by_items_owned, list_figure
from customer_genome.interfaces.views import list_evidence as evidence
from customer_genome.proof import recommendation_backtest
from customer_genome.stages import rating

DAY = "2011-09-09"


def one_row(candidate: str, ndcg: float, as_of: str = DAY, view: str = "again", coverage: float = 0.25) -> Row:
    """Return a judged recommender."""
    figures: dict[str, Any] = dict.fromkeys(("recall", "map", "hit_rate", "novelty"), 0.1) | {"ndcg": ndcg, "coverage": coverage}
    spread = {"ndcg": 0.01}
    versus = {"ndcg": Interval(ndcg - 0.4, 0.01, ndcg - 0.42, ndcg - 0.38), "recall": Interval(0.0, 0.0, 0.0, 0.0)}
    bounds = {"ndcg": ndcg - 0.02}, {"ndcg": ndcg + 0.02}
    return Row(as_of, view, candidate, 100, figures, spread, *bounds, versus, ndcg / 0.4, ndcg / 0.2)


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Any]:
    """A backtest of lists as a workspace stores it."""
    rows = [one_row("champion", 0.5), one_row("EASE", 0.45), one_row("popularity", 0.4)]
    sizes = [one_row(name, value, f"{DAY}, {size}", coverage=float("nan")) for name, value, size in (
        ("champion", 0.6, "few items owned"), ("popularity", 0.4, "few items owned"),
        ("champion", 0.5, "many items owned"), ("popularity", 0.45, "many items owned"),
    )]  # fmt: skip
    found = {
        "format": 1, "data": "orders.csv", "item": "product_id", "horizon_days": 90, "list_length": 10,
        "cutoffs": [{
            "as_of": DAY, "n_buyers": 120, "n_known": 100, "n_items": 500, "repeat_share": 0.4, "cold_share": 1 / 6,
            "random": {"again": {"ndcg": 0.2}},
        }],
        "rows": [row.as_json() for row in rows], "segments": [row.as_json() for row in sizes], "words": [], "notices": [],
    }  # fmt: skip
    (tmp_path / evidence.FILE).write_text(json.dumps(found), encoding="utf-8")
    return found


def genome_of(workspace: Path) -> Any:
    """Return what tells where a version lies."""
    return SimpleNamespace(snapshot=SimpleNamespace(folder=workspace / "published" / "v00001"))


def test_it_reads_the_file_that_the_backtest_writes() -> None:
    assert recommendation_backtest.FILE == evidence.FILE and recommendation_backtest.FORMAT in evidence.FORMATS
    assert recommendation_backtest.CHAMPION == evidence.CHAMPION


def test_what_is_drawn_and_listed_are_the_figures_of_the_file(stored: dict[str, Any], tmp_path: Path) -> None:
    found = evidence.list_evidence(genome_of(tmp_path))
    assert found is not None and found.days == [DAY]
    rows = found.rows(DAY, "again", "ndcg")
    assert {row["candidate"]: row["value"] for row in rows} == {"champion": 0.5, "EASE": 0.45, "popularity": 0.4}
    assert [row["kind"] for row in rows] == ["model", "model", "naive"] and [row["is_shipped"] for row in rows] == [
        True,
        False,
        False,
    ]
    chart = list_figure(rows, label="NDCG@10", meaning="", title="Buy again", random=found.random(DAY, "again", "ndcg"))
    assert " ".join(chart.title.text) == "Buy again: NDCG@10 0.500, popularity at best 0.400, drawn at random 0.200"
    assert {row["candidate"]: row["value"] for row in rows_behind(chart)} == {row["candidate"]: row["value"] for row in rows}
    table = found.table(DAY, "again").to_pylist()
    assert [row["recommender"] for row in table] == ["champion", "EASE", "popularity"]
    assert table[0]["less_popularity"] == pytest.approx(0.1) and table[0]["coverage"] == 0.25
    assert found.rows(DAY, "new", "ndcg") == [] and found.table(DAY, "new").num_rows == 0


def test_it_says_for_whom_the_lists_gain_most(stored: dict[str, Any], tmp_path: Path) -> None:
    found = evidence.list_evidence(genome_of(tmp_path))
    assert found is not None
    chart = by_items_owned(found.sizes(DAY, "again"))
    assert " ".join(chart.title.text) == "The lists gain most over popularity with customers of few items: +0.200"
    assert "100 of 120 buyers were known before; 40 %" in found.buyers(DAY)


def test_none_is_none_and_another_file_is_refused_with_the_command(tmp_path: Path) -> None:
    assert evidence.list_evidence(genome_of(tmp_path)) is None
    (tmp_path / evidence.FILE).write_text('{"format": 99}', encoding="utf-8")
    with pytest.raises(SnapshotError, match="genome backtest --recommendations"):
        evidence.list_evidence(genome_of(tmp_path))


def test_a_backtest_of_ratings_is_read_with_its_splits_and_errors(tmp_path: Path) -> None:
    assert evidence.rating_evidence(genome_of(tmp_path)) is None
    held, later = "last 10 liked of each customer", "after one day for all"
    rows = [one_row("EASE", 0.08, held, "new"), one_row("popularity", 0.05, held, "new"), one_row("EASE", 0.11, later, "new")]
    error: dict[str, Any] = {
        "split": "random 5 folds",
        "model": "biases only",
        "rmse": 0.865,
        "mae": 0.66,
        "n": 900,
        "settings": "",
    }
    stored = rating.RatingBacktest("movies", 1000, 60, 90, 4.0, tuple(rows), (error,), (), ())
    assert stored.store(tmp_path).name == evidence.RATING_FILE
    found = evidence.rating_evidence(genome_of(tmp_path))
    assert found is not None and found.days == [held, later] and found.sizes(held, "new") == []
    drawn = found.rows(held, "new", "ndcg")
    assert [(row["candidate"], row["is_shipped"], row["value"]) for row in drawn] == [
        ("EASE", True, 0.08),
        ("popularity", False, 0.05),
    ]
    assert found.random(held, "new", "ndcg") == pytest.approx(0.2) and found.random(held, "new", "recall") is None
    assert found.errors().to_pylist() == [
        {key: error[key] for key in ("split", "model", "rmse", "mae")} | {"ratings": 900, "settings": ""}
    ]
    assert "1,000 ratings by 60 customers of 90 items" in found.lead() and found.buyers(held).startswith("100 customers")
    assert found.told()[-1] == "Expected ratings, random 5 folds: biases only is off by 0.86 points (RMSE)."
    (tmp_path / evidence.RATING_FILE).write_text('{"format": 1}', encoding="utf-8")
    with pytest.raises(SnapshotError, match="genome backtest --recommendations"):
        evidence.rating_evidence(genome_of(tmp_path))
