"""Tables that are wrong in part or in whole: every row is accounted for, and every refusal says what, where, wanted and the next step."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from customer_genome import Genome, run, simulate
from customer_genome.answers.exports import export_table
from customer_genome.erasure import forget
from customer_genome.errors import ContractError, SourceError
from customer_genome.refresh import refresh
from customer_genome.settings import read_settings
from customer_genome.sources.customer_level import describe_data, own_results
from customer_genome.warehouse.customer_totals import oddities, refuse_unusable, stage_totals
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.workspace import Workspace
from totals_tables import totals_of, without

FEW = {"segments": {"k": 2}}


class Read:
    """A table read and classed in memory."""

    def __init__(self, rows, tmp_path: Path) -> None:
        data = rows if isinstance(rows, (str, Path)) else pa.table(rows)
        _, self.source = describe_data(data, {}, tmp_path)
        self.engine = DuckDBEngine()
        self.attributes = stage_totals(self.engine, self.source, leave_out=own_results(self.source))

    def classes(self) -> dict[str, int]:
        return {row["row_class"]: row["n_rows"] for row in self.engine.fetch("select * from ledger").to_pylist()}

    def rows(self) -> list[dict]:
        return self.engine.fetch("select * from totals where row_class = 'kept' order by line_id").to_pylist()

    def oddities(self) -> str:
        return " ".join(oddities(self.engine, self.source))


def changed(rows, place, **values):
    """Return a table with some cells of one row replaced."""
    return {name: [*column[:place], values.get(name, column[place]), *column[place + 1 :]] for name, column in rows.items()}


@pytest.mark.parametrize(
    ("cells", "row_class"),
    [
        ({"CustomerID": None}, "no_customer"),
        ({"total_spend": -5.0}, "negative"),
        ({"recency_days": -1}, "negative"),
        ({"total_orders": 0, "total_spend": 0.0}, "no_orders"),
        ({"total_orders": None, "total_spend": None}, "no_totals"),
    ],
)
def test_a_row_that_cannot_be_used_is_classed_and_kept_apart(totals, tmp_path, cells, row_class):
    read = Read(changed(totals, 7, **cells), tmp_path)
    assert read.classes() == {"kept": 59, row_class: 1}
    refused = read.engine.fetch("select * from quarantine").to_pylist()
    assert [(row["row_number"], row["reason"]) for row in refused] == [(8, row_class)]
    assert "total_orders=" in refused[0]["raw_row"]


def test_a_number_nobody_can_read_is_refused_row_by_row(totals, tmp_path):
    texts = {name: [str(value) for value in column] for name, column in totals.items()}
    read = Read(changed(texts, 3, unique_products="many"), tmp_path)
    assert read.classes() == {"kept": 59, "bad_number": 1}


def test_money_written_as_text_is_read(tmp_path):
    rows = {
        "CustomerID": ["a", "b", "c"],
        "total_orders": ["2", "1", "4"],
        "total_spend": ["1.234,50 EUR", "12,00 EUR", "2.000,00 EUR"],
        "avg_order_value": ["617,25 EUR", "12,00 EUR", "500,00 EUR"],
    }
    assert [row["total_spend"] for row in Read(rows, tmp_path).rows()] == [1234.5, 12.0, 2000.0]


def test_equal_rows_are_taken_once_and_different_ones_refused(totals, tmp_path):
    twice = {name: [*column, column[4]] for name, column in totals.items()}
    assert Read(twice, tmp_path).classes() == {"kept": 60, "duplicate": 1}
    with pytest.raises(ContractError) as found:
        Read(changed(twice, 60, total_orders=99), tmp_path)
    for words in (
        'column "CustomerID"',
        "1 customers stand in several rows",
        "'C0005' in 2 rows, from row 5 to 61",
        "--level orders",
    ):
        assert words in str(found.value)


def test_the_third_of_three_follows_whichever_is_missing(totals, tmp_path):
    whole = Read(totals, tmp_path).rows()
    for missing in ("total_orders", "total_spend", "avg_order_value"):
        rows = Read(without(totals, missing), tmp_path).rows()
        for row, other in zip(rows, whole, strict=True):
            assert row["n_orders"] == other["n_orders"]
            assert row["total_spend"] == pytest.approx(other["total_spend"], rel=1e-3)
            assert row["mean_order_value"] == pytest.approx(other["mean_order_value"], rel=1e-3)


def test_totals_that_disagree_are_counted_with_the_first_of_them(totals, tmp_path):
    read = Read(changed(totals, 9, avg_order_value=1.0, total_orders=5, total_spend=100.0), tmp_path)
    said = read.oddities()
    assert "In 1 of 60 rows total_spend is not total_orders x avg_order_value (first: row 10, 100.00 against 5 x 1.00)" in said
    assert read.rows()[9]["mean_order_value"] == 20.0, "orders and spend hold"


def test_swapped_columns_are_suspected(totals, tmp_path):
    swapped = totals | {"total_spend": totals["avg_order_value"], "avg_order_value": totals["total_spend"]}
    said = Read(swapped, tmp_path).oddities()
    assert "look swapped" in said and 'total_spend = "avg_order_value"' in said


def test_parts_of_orders_are_noticed(totals, tmp_path):
    rows = totals | {"total_orders": [value + 0.5 for value in totals["total_orders"]]}
    assert "total_orders is no whole number in 60 of 60 rows" in Read(rows, tmp_path).oddities()


def test_nothing_usable_or_reject_stops_the_run(totals, tmp_path):
    none = totals | {"total_orders": [0] * 60}
    read = Read(none, tmp_path)
    with pytest.raises(ContractError, match=r"none of its rows is a usable customer\. Found: 60 no_orders \(first: row 1\)"):
        refuse_unusable(read.engine, read.source, "quarantine")
    read = Read(changed(totals, 7, total_spend=-5.0), tmp_path)
    refuse_unusable(read.engine, read.source, "quarantine")
    with pytest.raises(ContractError, match='on_bad_rows = "reject"'):
        refuse_unusable(read.engine, read.source, "reject")


def test_further_columns_become_facts_of_their_kind(totals, tmp_path):
    more = totals | {"Age": ["41"] * 59 + ["17"], "Post code": ["01234"] * 60, "Plan": ["gold"] * 60, "clv_band": ["High"] * 60}
    read = Read(more, tmp_path)
    assert {one.name: one.is_number for one in read.attributes} == {
        "attribute_age": True,
        "attribute_post_code": False,
        "attribute_plan": False,
    }


@pytest.mark.parametrize("n", [1, 3])
def test_a_handful_of_customers_gets_a_result(tmp_path, n):
    result = run(pa.table(totals_of(n)), tmp_path)
    assert result.customers == n
    with Genome.open(tmp_path) as genome:
        for row in genome.table("customers").to_pylist():
            assert 0 <= row["churn_probability"] <= 1 and row["recommended_action"] and row["segment_name"]


def test_customers_who_are_all_alike_are_one_group_without_rank(tmp_path):
    rows = {
        name: ([f"C{i}" for i in range(20)] if name == "CustomerID" else [column[0]] * 20)
        for name, column in totals_of(2).items()
    }
    run(pa.table(rows), tmp_path)
    with Genome.open(tmp_path) as genome:
        found = genome.query(
            "select count(distinct cluster_kmeans) as k, min(risk_rank) as low, max(risk_rank) as high from customers"
        )
    assert found.to_pylist() == [{"k": 1, "low": 0.5, "high": 0.5}]


def test_without_recency_there_is_no_risk_and_the_reason_stands_in_words(totals, tmp_path):
    result = run(pa.table(without(totals, "recency_days")), tmp_path, settings=FEW)
    assert any("Risk and value to come are empty: they need recency_days" in notice for notice in result.notices)
    with Genome.open(tmp_path) as genome:
        row = genome.query(
            "select count(churn_probability) as risk, count(clv_180d) as clv, count(rfm_segment) as rfm, count(segment_name) as named from customers"
        )
        assert row.to_pylist() == [{"risk": 0, "clv": 0, "rfm": 0, "named": 60}]
        assert "risk_probability" not in [name for name, _ in genome.export_columns()]


def test_a_cluster_that_is_complete_is_used_and_one_with_gaps_is_not(totals, tmp_path):
    given = ["gold" if spend > 300 else "silver" for spend in totals["total_spend"]]
    result = run(pa.table(totals | {"cluster": given}), tmp_path / "whole", settings=FEW)
    assert any('column "cluster" of the table is used' in notice for notice in result.notices)
    with Genome.open(tmp_path / "whole") as genome:
        pairs = genome.query("select distinct attribute_cluster, cluster_kmeans from customers").to_pylist()
    assert len(pairs) == 2
    result = run(pa.table(totals | {"cluster": [None, *given[1:]]}), tmp_path / "gaps", settings=FEW)
    assert any("cluster is filled for 59 of 60 customers (first empty: row 1)" in notice for notice in result.notices)


def test_a_file_of_the_wrong_kind_is_refused_whole(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("CustomerID,total_orders,total_spend\n")
    with pytest.raises(SourceError, match="no data lines"):
        describe_data(str(path), {}, tmp_path)


@pytest.mark.slow
def test_refused_rows_stand_in_the_version_and_order_lines_stay_for_a_refresh(totals, tmp_path):
    lines = simulate(n_lines=1_500, seed=2).order_lines().read_all()
    run(lines, tmp_path / "w", settings=FEW)
    warehouse = Workspace(tmp_path / "w").warehouse
    before = warehouse.stat()
    run(pa.table(changed(totals, 7, total_spend=-5.0)), tmp_path / "w", settings=FEW)
    assert warehouse.stat() == before
    written = export_table(tmp_path / "w", tmp_path / "refused.csv", None, "quarantine")
    assert written["rows"] == 1 and "negative" in (tmp_path / "refused.csv").read_text()
    assert refresh(read_settings(tmp_path / "w")).level == "orders"


def test_an_erased_customer_does_not_come_back(totals, tmp_path):
    run(pa.table(totals), tmp_path, settings=FEW)
    forget(Workspace(tmp_path), "C0003")
    result = run(pa.table(totals), tmp_path, settings=FEW)
    assert result.customers == 59 and result.ledger["forgotten"]["rows"] == 1
    with Genome.open(tmp_path) as genome:
        assert "C0003" not in genome.query("select customer_id from customers").column(0).to_pylist()
