"""Every input row ends in one class; classes add up to the input in rows and money."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from shops import built, line, rows_of, source_of, staged

from customer_genome.errors import SourceError
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.build import NotMerchandise, stage_lines
from customer_genome.warehouse.duckdb import DuckDBEngine

AS_OF = dt.date(2024, 6, 1)


def classes(engine: DuckDBEngine) -> list[str]:
    return [row["row_class"] for row in rows_of(engine, "select row_class from numbered_lines order by line_id")]


def test_the_first_matching_class_wins():
    rows = [
        line("A", "1", "1960-01-01", quantity=0),  # the date is refused before anything else
        line(None, "1", "2024-01-01", price=0),
        line("A", "C1", "2024-01-01", quantity=-1),
        line("A", "C2", "2024-01-01", quantity=5),  # marked as cancelled by its order id alone
        line("A", "1", "2024-01-01", quantity=-2),  # cancelled: quantity below 0 with a price above 0
        line("A", "1", "2024-01-01", quantity=-2, price=0),
        line("A", "1", "2024-01-01", quantity=0),
        line("A", "1", "2024-01-01", price=0),
        line("A", "1", "2024-01-01", price=-1),
        line("A", "1", "2024-01-01", price=float("nan")),
        line("A", "1", "2024-01-01", quantity=float("inf")),
        line("A", "1", "2099-01-01"),
        line("A", "1", "2024-01-01"),
    ]
    assert classes(staged(rows)) == [
        "bad_date",
        "no_customer",
        "cancelled",
        "cancelled",
        "cancelled",
        "bad_quantity",
        "bad_quantity",
        "bad_price",
        "bad_price",
        "bad_price",
        "bad_quantity",
        "bad_date",
        "kept",
    ]


def test_ledger_adds_up_in_rows_and_money():
    rows = [
        line("A", "1", "2024-01-01", quantity=3),
        line("A", "1", "2024-01-01", quantity=3),
        line("A", "C1", "2024-01-05", quantity=-3),
        line(None, "2", "2024-01-01", price=2.5),
    ]
    engine = built(rows, [AS_OF], refunds="net")
    ledger = {row["row_class"]: (row["n_rows"], row["revenue"]) for row in rows_of(engine, "select * from ledger")}
    assert ledger == {
        "refunded": (1, Decimal(30)),
        "duplicate": (1, Decimal(30)),
        "cancelled": (1, Decimal(-30)),
        "no_customer": (1, Decimal("2.5")),
    }


def test_duplicates_need_order_and_product():
    rows = [line("A", "1", "2024-01-01"), line("A", "1", "2024-01-01")]
    assert rows_of(staged(rows), "select count(*) as n from order_lines")[0]["n"] == 1
    assert rows_of(staged(rows, without=["product_id"]), "select count(*) as n from order_lines")[0]["n"] == 2
    assert rows_of(staged(rows, drop_duplicates=False), "select count(*) as n from order_lines")[0]["n"] == 2


def test_rows_that_differ_in_one_mapped_column_are_no_duplicates():
    rows = [
        line("A", "1", "2024-01-01"),
        line("A", "1", "2024-01-01", description="x"),
        line("A", "1", "2024-01-01", price=10.01),
        line("B", "1", "2024-01-01"),
    ]
    assert rows_of(staged(rows), "select count(*) as n from order_lines")[0]["n"] == 4


def test_an_unmapped_column_never_makes_a_difference():
    rows = [line("A", "1", "2024-01-01", country="x"), line("A", "1", "2024-01-01", country="y")]
    assert rows_of(staged(rows, without=["country"]), "select count(*) as n from order_lines")[0]["n"] == 1


def test_not_merchandise_is_off_until_asked_for():
    rows = [
        line("A", "1", "2024-01-01", product="POST"),
        line("A", "1", "2024-01-01", description="NEXT DAY CARRIAGE"),
        line("A", "1", "2024-01-01", description="miscarriage of justice"),
    ]
    assert classes(staged(rows)) == ["kept"] * 3
    engine = DuckDBEngine(threads=1)
    stage_lines(
        engine,
        source_of(rows),
        CleaningSettings(),
        ShopSettings(),
        today=dt.date(2026, 1, 1),
        not_merchandise=NotMerchandise(("post",), ("carriage",)),
    )
    assert classes(engine) == ["not_merchandise", "not_merchandise", "kept"]


def test_without_order_ids_an_order_is_customer_and_time():
    rows = [line("A", None, "2024-01-01 10:00"), line("A", None, "2024-01-01 10:00", "Q"), line("A", None, "2024-01-01 11:00")]
    engine = built(rows, [AS_OF], without=["order_id"])
    assert rows_of(engine, "select n_orders, n_lines, n_purchase_days from customer_facts") == [
        {"n_orders": 2, "n_lines": 3, "n_purchase_days": 1}
    ]


def test_quarantine_keeps_refused_rows_with_their_row_number_and_text():
    rows = [line("A", "1", "2024-01-01"), line("A", "2", "2024-01-01", price=-4)]
    found = rows_of(built(rows, [AS_OF]), "select row_number, reason, raw_row from quarantine")
    assert [(row["row_number"], row["reason"]) for row in found] == [(2, "bad_price")]
    assert '"price":-4.0' in found[0]["raw_row"]


def test_a_source_without_money_is_refused_with_the_columns_it_has():
    with pytest.raises(SourceError, match=r"no column for price or amount\. Found: customer_id, order_id") as caught:
        staged([line("A", "1", "2024-01-01")], without=["price"])
    assert "genome.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "columns", "lines", "customers", "orders", "revenue", "rows"),
    [
        (
            "online_retail.parquet",
            {"order_id": "InvoiceNo", "price": "UnitPrice", "customer_id": "CustomerID"},
            392_692,
            4_338,
            18_532,
            "8887208.8940",
            541_909,
        ),
        (
            "online_retail_ii.parquet",
            {"order_id": "Invoice", "price": "Price", "customer_id": "Customer ID"},
            779_425,
            5_878,
            36_969,
            "17374804.2680",
            1_067_371,
        ),
    ],
)
def test_online_retail_totals(genome_data, tmp_path, file, columns, lines, customers, orders, revenue, rows):
    """Published totals of both sets, duplicates dropped; the two sheets of the second overlap by nine days."""
    from customer_genome.settings import TableSettings
    from customer_genome.sources import describe_file

    source = describe_file(genome_data / file, "order_lines", TableSettings(), tmp_path)
    assert {name: source.mapping[name] for name in columns} == {name: (raw,) for name, raw in columns.items()}
    engine = DuckDBEngine()
    stage_lines(engine, source, CleaningSettings(), ShopSettings(), today=dt.date(2026, 1, 1))
    found = rows_of(
        engine,
        "select count(*) as n, count(distinct customer_id) as c, count(distinct (customer_id, order_id)) as o, sum(revenue) as r from order_lines",
    )[0]
    assert (found["n"], found["c"], found["o"], found["r"]) == (lines, customers, orders, Decimal(revenue))
    assert rows_of(engine, "select count(*) as n from lines")[0]["n"] == rows
