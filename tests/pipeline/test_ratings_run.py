"""A workspace of ratings: every rating is an event, nothing is money, and every screen says so."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from customer_genome import Genome, run
from customer_genome.errors import SourceError, WorkspaceError
from customer_genome.interfaces.report.page import write_report
from customer_genome.refresh import refresh
from customer_genome.settings import read_settings
from customer_genome.sources.catalog import describe_run
from customer_genome.stages.events import MONEY
from customer_genome.stages.publishing import RunResult

N_CUSTOMERS, N_ITEMS = 60, 24
EXPORTED_MONEY = {
    "Monetary",
    "total_spend",
    "avg_order_value",
    "predicted_value",
    "CLV_6m",
    "clv_band",
    "expected_value_loss",
    "value_rank",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ratings of two tastes as MovieLens ships them, with one row of each kind that is refused."""
    chance = np.random.default_rng(3)
    start = int(dt.datetime(2022, 1, 1, tzinfo=dt.UTC).timestamp())
    lines = ["userId,movieId,rating,timestamp"]
    for customer in range(1, N_CUSTOMERS + 1):
        first = start + int(chance.integers(0, 400)) * 86_400
        items = chance.permutation(N_ITEMS)[: int(chance.integers(4, 16))]
        for place, item in enumerate(items.tolist()):
            likes = (item % 2) == (customer % 2)
            when = first + int(place * chance.integers(1, 20)) * 86_400 + place
            lines.append(f"{customer},{item + 1},{5.0 if likes else 1.5},{when}")
    lines += [lines[1], f"1,{N_ITEMS},good,{start}", f",2,4.0,{start}", "2,3,4.0,"]
    path = tmp_path_factory.mktemp("ratings") / "small"
    path.mkdir()
    (path / "ratings.csv").write_text("\n".join(lines) + "\n")
    titles = [f"{item},Title {item},{'Drama|War' if item % 2 else 'Comedy'}" for item in range(1, N_ITEMS + 1)]
    (path / "movies.csv").write_text("\n".join(["movieId,title,genres", *titles]) + "\n")
    return path


@pytest.fixture(scope="module")
def result(folder: Path) -> RunResult:
    """Return what a run on the folder did; its workspace is `shop` beside it."""
    return run(folder, folder.parent / "shop", today=dt.date(2024, 1, 1))


def test_every_row_is_classed_and_nothing_is_money(result: RunResult, folder: Path) -> None:
    assert (result.level, result.customers, result.revenue) == ("ratings", N_CUSTOMERS, 0.0)
    rows = {name: entry["rows"] for name, entry in result.ledger.items()}
    assert {name: n for name, n in rows.items() if name != "kept"} == {
        "duplicate": 1,
        "bad_rating": 1,
        "no_customer": 1,
        "bad_date": 1,
    }
    assert sum(rows.values()) == result.rows_read
    assert any("each rating is an event without money" in notice for notice in result.notices)
    with Genome.open(folder.parent / "shop") as genome:
        schema = genome.query("select * from customers limit 0").column_names
        filled = genome.query(
            f"select {', '.join(f'count({name}) as {name}' for name in MONEY if name in schema)} from customers"
        ).to_pylist()[0]
        assert set(filled.values()) == {0}
        assert not EXPORTED_MONEY & {name for name, _ in genome.export_columns()}
        assert {"risk_probability", "churn_band", "predicted_orders", "segment_name", "playbook", "reason_1"} <= {
            name for name, _ in genome.export_columns()
        }
        for table in ("daily", "orders", "products"):
            assert genome.query(f"select count(revenue) as n from {table}")["n"][0].as_py() == 0


def test_customers_have_risk_segments_playbooks_and_words_of_ratings(result: RunResult, folder: Path) -> None:
    with Genome.open(folder.parent / "shop") as genome:
        rows = genome.table("customers").to_pylist()
        assert all(0 <= row["churn_probability"] <= 1 and row["segment_name"] and row["playbook"] for row in rows)
        said = " ".join(str(row[name]) for row in rows for name in ("reason_1", "reason_2", "reason_3") if row[name])
        assert "rating" in said and "spent" not in said and "bought" not in said
        assert "VIP Loyalists" in " ".join(genome.manifest["notices"])


def test_lists_hold_what_was_not_rated_with_its_title(result: RunResult, folder: Path) -> None:
    with Genome.open(folder.parent / "shop") as genome:
        lists = genome.table("recommendations").to_pylist()
        rated = {(row["customer_id"], row["product_id"]) for row in _ratings(folder)}
        assert lists and not {(row["customer_id"], row["product_id"]) for row in lists} & rated
        assert all(row["description"].startswith("Title ") and "expected rating" in row["reason"] for row in lists)
        first = [row for row in lists if row["rank"] == 1 and not row["is_cold"]]
        alike = [(int(row["product_id"]) - 1) % 2 == int(row["customer_id"]) % 2 for row in first]
        assert np.mean(alike) > 0.8, "the first of a list is of the customer's taste"


def _ratings(folder: Path) -> list[dict[str, str]]:
    """Return who rated what."""
    cells = [line.split(",") for line in (folder / "ratings.csv").read_text().splitlines()[1:]]
    return [{"customer_id": row[0], "product_id": row[1]} for row in cells]


def test_the_report_shows_no_money(result: RunResult, folder: Path, tmp_path: Path) -> None:
    with Genome.open(folder.parent / "shop") as genome:
        write_report(genome, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "events without money" in page and "Spend so far" not in page and '<th scope="col">Money</th>' not in page
    assert "how steady they are" in page and "What to offer" in page


def test_ratings_are_read_whole_and_not_added_to(result: RunResult, folder: Path) -> None:
    with pytest.raises(WorkspaceError, match="made from ratings, which are read whole each time"):
        refresh(read_settings(folder.parent / "shop"), folder)


def test_a_file_alone_is_recognised_and_needs_a_time(folder: Path, tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    found = describe_run(str(folder / "ratings.csv"), settings, tmp_path)
    assert list(found) == ["order_lines"] and not found["order_lines"].has_money
    assert any("they go by their id" in notice for notice in found["order_lines"].notices)
    timeless = tmp_path / "timeless.csv"
    timeless.write_text("userId,movieId,rating\n1,2,4.0\n2,2,3.0\n")
    with pytest.raises(SourceError, match=r"ratings without a time.*rated_at"):
        describe_run(str(timeless), settings, tmp_path)
