"""The whole path on real data: totals, ledger, one decision per customer, exports with the documented columns."""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from customer_genome.errors import UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from customer_genome.snapshot import damaged_files, read_snapshot, versions
from customer_genome.sources.synthetic import simulate
from customer_genome.workspace import Workspace

runner = CliRunner()
EXPORT = [
    "CustomerID",
    "Recency",
    "Frequency",
    "Monetary",
    "total_orders",
    "total_quantity",
    "total_spend",
    "avg_order_value",
    "recency_days",
    "unique_products",
    "activity_days",
    "PrimaryCountry",
    "CatShare_HomeDecor",
    "CatShare_Kitchen",
    "CatShare_Bags",
    "CatShare_Toys",
    "CatShare_Other",
    "p_alive",
    "predicted_orders",
    "predicted_value",
    "spend_lower",
    "spend_upper",
    "CLV_6m",
    "clv_lower",
    "clv_upper",
    "clv_band",
    "risk_probability",
    "churn_band",
    "confidence_score",
    "reliability",
    "expected_value_loss",
    "priority_segment",
    "next_order_on",
    "next_order_lower",
    "next_order_upper",
    "Cluster_KMeans",
    "Cluster_Hierarchical",
    "Cluster_GMM",
    "rfm_segment",
    "segment_name",
    "playbook",
    "recommended_action",
    "reason_1",
    "reason_2",
    "reason_3",
]


def genome(*arguments: str) -> dict:
    """Run a command with --json and return its object."""
    result = runner.invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def online_retail(genome_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """Online Retail, published without any settings."""
    workspace = tmp_path_factory.mktemp("online-retail")
    return workspace, genome(
        "run", str(genome_data / "online_retail.parquet"), "--workspace", str(workspace), "--progress", "none"
    )


def test_totals_are_the_published_ones(online_retail):
    _, result = online_retail
    assert (result["lines"], result["customers"], result["orders"], round(result["revenue"], 2)) == (
        392_692,
        4_338,
        18_532,
        8_887_208.89,
    )
    assert result["as_of"] == "2011-12-10"
    assert result["ledger"]["duplicate"]["rows"] == 5_192
    assert sum(entry["rows"] for entry in result["ledger"].values()) == 541_909


def test_every_customer_has_a_value_a_risk_and_an_action(online_retail):
    workspace, _ = online_retail
    with Genome.open(workspace) as published:
        rows = published.query(
            "select clv_180d, clv_lower, clv_upper, churn_probability, confidence_score, expected_value_loss, playbook, recommended_action, "
            "segment_name, rfm_segment from customers"
        ).to_pylist()
    assert len(rows) == 4_338
    for row in rows:
        assert all(value is not None for value in row.values())
        assert 0 <= row["churn_probability"] <= 1
        assert row["clv_lower"] <= row["clv_180d"] <= row["clv_upper"]
        assert math.isclose(row["confidence_score"], 1 - row["churn_probability"])
        assert math.isclose(row["expected_value_loss"], row["clv_180d"] * row["churn_probability"])
    assert len({row["clv_180d"] for row in rows}) > 4_000
    assert len({row["playbook"] for row in rows}) >= 4


def test_export_has_the_documented_columns_in_every_format(online_retail, tmp_path):
    workspace, _ = online_retail
    for kind in ("csv", "parquet", "xlsx"):
        written = genome("export", "--workspace", str(workspace), "--format", kind, "--output", str(tmp_path / f"out.{kind}"))
        assert written["columns"] == EXPORT
        assert written["rows"] == 4_338
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == EXPORT
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column("CustomerID").to_pylist() == sorted(table.column("CustomerID").to_pylist())


def test_an_earlier_cutoff_knows_nothing_later(online_retail, genome_data, tmp_path):
    result = genome(
        "run",
        str(genome_data / "online_retail.parquet"),
        "--workspace",
        str(tmp_path),
        "--as-of",
        "2011-06-12",
        "--progress",
        "none",
    )
    assert result["as_of"] == "2011-06-12"
    assert result["lines"] + result["lines_after_as_of"] == 392_692
    with Genome.open(tmp_path) as published:
        latest = published.query("select max(last_order_on) as day from customers")["day"][0].as_py()
    assert latest < dt.date(2011, 6, 12)


def test_show_names_near_ids_for_an_unknown_customer(online_retail):
    workspace, _ = online_retail
    assert genome("show", "17850", "--workspace", str(workspace))["customer_id"] == "17850"
    result = runner.invoke(app, ["show", "1785O", "--workspace", str(workspace)])
    assert result.exit_code == 1
    assert "17850" in str(result.exception)


def test_the_same_input_gives_the_same_result(online_retail, genome_data, tmp_path):
    workspace, _ = online_retail
    genome("run", str(genome_data / "online_retail.parquet"), "--workspace", str(tmp_path), "--progress", "none")
    with Genome.open(workspace) as first, Genome.open(tmp_path) as second:
        assert first.table("customers").equals(second.table("customers"))


def files_holding(folder: Path, text: bytes) -> list[str]:
    """Return the database files whose bytes hold a text."""
    return sorted(path.name for path in folder.rglob("*.duckdb") if text in path.read_bytes())


def test_forget_erases_a_customer_everywhere(tmp_path):
    shop = simulate(n_lines=4_000, seed=11)
    table = shop.order_lines().read_all()
    victim = table.column("customer_id")[0].as_py()
    unique = "erase-me-4711-please"
    names = [unique if name == victim else str(name) for name in table.column("customer_id").to_pylist()]
    pq.write_table(
        table.set_column(table.column_names.index("customer_id"), "customer_id", pa.array(names)), tmp_path / "lines.parquet"
    )
    workspace = tmp_path / "w"
    data = str(tmp_path / "lines.parquet")
    first = genome("run", data, "--workspace", str(workspace), "--progress", "none")
    genome("run", data, "--workspace", str(workspace), "--progress", "none")
    assert files_holding(workspace, unique.encode()) == ["snapshot.duckdb", "snapshot.duckdb", "warehouse.duckdb"]
    erased = genome("forget", unique, "--workspace", str(workspace), "--yes")
    assert erased == {"warehouse_rows": names.count(unique), "versions": 2}
    assert files_holding(workspace, unique.encode()) == []
    assert all(damaged_files(read_snapshot(Workspace(workspace), version)) == [] for version in versions(Workspace(workspace)))
    with pytest.raises(UnknownCustomerError):
        runner.invoke(app, ["show", unique, "--workspace", str(workspace)], catch_exceptions=False)
    again = genome("run", data, "--workspace", str(workspace), "--progress", "none")
    assert again["customers"] == first["customers"] - 1
    assert again["ledger"]["forgotten"]["rows"] == names.count(unique)
    assert sum(entry["rows"] for entry in again["ledger"].values()) == len(names)
    assert files_holding(workspace, unique.encode()) == []


def test_forget_leaves_no_trace_in_refused_rows(tmp_path):
    """An id also stands in rows that could not be read, in the text of refused rows, and comes back with the next run."""
    good = "".join(f"c{number},2024-01-{1 + number % 27:02d},{5 + number}\n" for number in range(40))
    broken = "alice@shop.example,notadate,7\nalice@shop.example,2024-01-05,abc\nalice@shop.example,2024-01-06\n"
    (tmp_path / "lines.csv").write_text("customer,date,amount\n" + good + "alice@shop.example,2024-01-03,9\n" + broken)
    workspace = tmp_path / "w"
    data = str(tmp_path / "lines.csv")
    genome("run", data, "--workspace", str(workspace), "--progress", "none")
    assert files_holding(workspace, b"alice@shop.example") == ["snapshot.duckdb", "warehouse.duckdb"]
    genome("forget", "alice@shop.example", "--workspace", str(workspace), "--yes")
    assert files_holding(workspace, b"alice@shop.example") == []
    with Genome.open(workspace) as published:
        assert published.manifest["customers"] == published.table("customers").num_rows == 40
    again = genome("run", data, "--workspace", str(workspace), "--progress", "none")
    assert again["ledger"]["forgotten"]["rows"] == 3
    assert files_holding(workspace, b"alice@shop.example") == []
    assert genome("forget", "c1", "--workspace", str(workspace), "--yes")["versions"] == 2


def test_columns_of_the_customer_table_are_exported_under_names_of_their_own(tmp_path):
    (tmp_path / "lines.csv").write_text("customer,date,amount\na,2024-01-01,5\nb,2024-01-02,6\na,2024-02-02,6\n")
    (tmp_path / "people.csv").write_text("customer,age,segment_name,Recency\na,31,x,1\nb,44,y,2\n")
    (tmp_path / "calm.csv").write_text("customer\nb\n")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "genome.toml").write_text(
        '[tables.order_lines]\npath = "../lines.csv"\n[tables.customers]\npath = "../people.csv"\n[tables.suppressions]\npath = "../calm.csv"\n'
    )
    genome("run", "--workspace", str(tmp_path / "w"), "--progress", "none")
    written = genome("export", "--workspace", str(tmp_path / "w"), "--output", str(tmp_path / "x.parquet"))
    assert {"age", "attribute_segment_name", "attribute_recency", "is_suppressed"} <= set(written["columns"])
    assert len({name.lower() for name in written["columns"]}) == len(written["columns"])
    assert pq.read_table(tmp_path / "x.parquet").column("is_suppressed").to_pylist() == [False, True]


# --- stored models -----------------------------------------------------------------------------------------------


@pytest.fixture
def small_shop(tmp_path: Path) -> str:
    path = tmp_path / "lines.parquet"
    pq.write_table(simulate(n_lines=4_000, seed=3).order_lines().read_all(), path)
    return str(path)


def test_stored_models_score_without_a_fit(small_shop, tmp_path):
    workspace = tmp_path / "w"
    first = genome("run", small_shop, "--workspace", str(workspace), "--progress", "none")
    again = genome("run", small_shop, "--workspace", str(workspace), "--no-refit", "--progress", "none")
    assert again["version"] == "v00002"
    assert again["models"] == first["models"] == dict.fromkeys(("purchases", "spend", "clusters", "champion_forecast"), "v00001")
    assert "purchases v00001" in " ".join(again["notices"])
    assert again["fit"] == first["fit"]
    assert sorted(path.name for path in (workspace / "models" / "spend").iterdir()) == ["aliases.json", "v00001"]
    with Genome.open(workspace, version="v00001") as fitted, Genome.open(workspace) as scored:
        assert scored.table("customers").equals(fitted.table("customers"))
        assert scored.manifest["models"] == fitted.manifest["models"]
    assert genome("run", small_shop, "--workspace", str(workspace), "--progress", "none")["models"]["spend"] == "v00002"


def test_stored_models_score_what_they_have_not_seen(small_shop, tmp_path):
    """Fitted at an earlier cutoff, the models stay as they were; counted figures are those of the new cutoff."""
    workspace = tmp_path / "w"
    earlier = genome("run", small_shop, "--workspace", str(workspace), "--as-of", "2023-02-01", "--progress", "none")
    later = genome("run", small_shop, "--workspace", str(workspace), "--no-refit", "--progress", "none")
    assert later["customers"] > earlier["customers"]
    assert later["fit"] == earlier["fit"]
    with Genome.open(workspace) as published:
        segments = published.table("segments").to_pylist()
        scores = published.query("select recency_score, count(*) as n from customers group by 1 order by 1").to_pylist()
    assert sum(row["customers"] for row in segments) == later["customers"]
    assert [row["recency_score"] for row in scores] == [1, 2, 3, 4, 5]
    assert all(0.1 < row["n"] / later["customers"] < 0.3 for row in scores)


def test_without_stored_models_nothing_is_run(small_shop, tmp_path):
    result = runner.invoke(app, ["run", small_shop, "--workspace", str(tmp_path / "w"), "--no-refit", "--progress", "none"])
    assert result.exit_code == 1
    assert "Fit one with `genome run`" in str(result.exception)
    assert versions(Workspace(tmp_path / "w")) == []


def test_a_sample_fits_what_everybody_is_scored_with(small_shop, tmp_path):
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "genome.toml").write_text("[prediction]\nfit_sample = 100\n")
    result = genome("run", small_shop, "--workspace", str(workspace), "--progress", "none")
    with Genome.open(workspace) as published:
        customers = published.table("customers")
    assert customers.num_rows == result["customers"] > 200
    assert customers["clv_180d"].null_count == customers["cluster_kmeans"].null_count == 0
