"""Values a shop should never record, and does."""

from __future__ import annotations

import datetime as dt

import pytest
from shops import KINDS, TODAY, line, rows_of, source_of, staged

from customer_genome.contracts import RawColumn, SourceTable
from customer_genome.features.table import build_features
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.build import build_marts, stage_lines
from customer_genome.warehouse.duckdb import DuckDBEngine

AS_OF = dt.date(2024, 6, 1)


def test_an_absurd_quantity_refuses_its_row_and_no_other():
    rows = [
        line("A", "1", "2024-01-01"),
        line("A", "2", "2024-01-01", quantity=4006381333931, price=25000.0),
        line("A", "3", "2024-01-01", price=1e13),
    ]
    engine = staged(rows)
    assert [row["row_class"] for row in rows_of(engine, "select row_class from numbered_lines order by line_id")] == [
        "kept",
        "bad_price",
        "bad_price",
    ]


def test_large_money_of_small_coins_is_converted():
    rows = [line("A", "1", "2024-01-01", quantity=1, price=5e9) | {"currency": "VND"}]
    source = source_of(rows)
    import pyarrow as pa

    table = pa.Table.from_pylist(rows)
    columns = tuple(RawColumn(field.name, KINDS.get(str(field.type), "integer")) for field in table.schema)
    source = SourceTable(
        "order_lines",
        "x",
        "arrow",
        columns,
        {**source.mapping, "currency": ("currency",)},
        batches=table.to_reader,
        date_orders={"ordered_at": "typed"},
    )
    source = SourceTable(
        **{
            **source.__dict__,
            "mapping": {name: raw for name, raw in source.mapping.items() if name not in ("country", "discount", "description")},
        }
    )
    engine = DuckDBEngine(threads=1)
    stage_lines(engine, source, CleaningSettings(), ShopSettings(currency="EUR", exchange_rates={"VND": 0.00004}), today=TODAY)
    assert float(rows_of(engine, "select revenue from order_lines")[0]["revenue"]) == pytest.approx(200_000)


def test_rows_that_differ_in_status_are_no_duplicates():
    import pyarrow as pa

    rows = [line("A", "1", "2024-01-01") | {"status": status} for status in ("shipped", "delivered", "shipped")]
    table = pa.Table.from_pylist(rows).select(["customer_id", "order_id", "ordered_at", "product_id", "price", "status"])
    columns = tuple(RawColumn(field.name, KINDS.get(str(field.type), "text")) for field in table.schema)
    source = SourceTable(
        "order_lines",
        "x",
        "arrow",
        columns,
        {name: (name,) for name in table.column_names},
        batches=table.to_reader,
        date_orders={"ordered_at": "typed"},
    )
    engine = DuckDBEngine(threads=1)
    stage_lines(engine, source, CleaningSettings(), ShopSettings(), today=TODAY)
    assert rows_of(engine, "select count(*) as n from order_lines") == [{"n": 2}]


def test_a_return_is_netted_at_the_money_paid_not_at_the_list_price():
    """Ten pieces of list price 10 were sold for 80 after a discount; five came back: 40 stays."""
    import pyarrow as pa

    rows = [
        line("A", "1", "2024-01-01", quantity=10, price=10.0) | {"amount": 80.0},
        line("A", "C2", "2024-02-01", quantity=-5, price=10.0) | {"amount": -40.0},
    ]
    table = pa.Table.from_pylist(rows).select(
        ["customer_id", "order_id", "ordered_at", "product_id", "quantity", "price", "amount"]
    )
    kinds = KINDS | {"int64": "integer"}
    columns = tuple(RawColumn(field.name, kinds[str(field.type)]) for field in table.schema)
    source = SourceTable(
        "order_lines",
        "x",
        "arrow",
        columns,
        {name: (name,) for name in table.column_names},
        batches=table.to_reader,
        date_orders={"ordered_at": "typed"},
    )
    engine = DuckDBEngine(threads=1)
    cleaning = CleaningSettings(refunds="net")
    stage_lines(engine, source, cleaning, ShopSettings(), today=TODAY)
    build_marts(engine, pa.table({"as_of": pa.array([AS_OF]), "horizon_days": pa.array([30], pa.int32())}), cleaning)
    assert float(rows_of(engine, "select money from refunds")[0]["money"]) == 40.0


def test_categories_spelled_alike_are_one_and_shares_add_up_to_one():
    import pyarrow as pa

    names = ["Baby Food", "BABY-FOOD", "food", "Food", "other", "Other", "!!!", None]
    rows = [line("A", str(number), "2024-01-01", f"P{number}") | {"category": name} for number, name in enumerate(names)]
    table = pa.Table.from_pylist(rows).select(["customer_id", "order_id", "ordered_at", "product_id", "price", "category"])
    columns = tuple(RawColumn(field.name, KINDS[str(field.type)]) for field in table.schema)
    source = SourceTable(
        "order_lines",
        "x",
        "arrow",
        columns,
        {name: (name,) for name in table.column_names},
        batches=table.to_reader,
        date_orders={"ordered_at": "typed"},
    )
    engine = DuckDBEngine(threads=1)
    stage_lines(engine, source, CleaningSettings(), ShopSettings(), today=TODAY)
    build_marts(engine, pa.table({"as_of": pa.array([AS_OF]), "horizon_days": pa.array([30], pa.int32())}), CleaningSettings())
    shares = build_features(
        engine, (), category_key="category", has_customers=False, has_discounts=False, most_categories=20, home_country=""
    )
    assert len(shares) == 3
    found = rows_of(
        engine,
        "select category_share_baby_food as baby, category_share_food as food, category_share_other as other from customer_facts",
    )
    assert found == [{"baby": 0.25, "food": 0.25, "other": 0.5}]
