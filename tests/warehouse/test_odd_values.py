"""Values a shop should never record, and does."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from shops import TODAY, line, rows_of, source_with, staged

from customer_genome.contracts import SourceTable
from customer_genome.features.table import build_features
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.stages.staging import torn_lines
from customer_genome.warehouse.build import build_marts, stage_lines
from customer_genome.warehouse.duckdb import DuckDBEngine

LINE = ("customer_id", "order_id", "ordered_at", "product_id", "quantity", "price")


def engine_of(source: SourceTable, refunds: str = "drop", shop: ShopSettings | None = None) -> DuckDBEngine:
    """Stage a source and build its marts as of June 2024."""
    engine = DuckDBEngine(threads=1)
    cleaning = CleaningSettings(refunds=refunds)
    stage_lines(engine, source, cleaning, shop or ShopSettings(), today=TODAY)
    cutoffs = pa.table({"as_of": pa.array([dt.date(2024, 6, 1)]), "horizon_days": pa.array([30], pa.int32())})
    build_marts(engine, cutoffs, cleaning)
    return engine


def test_an_absurd_quantity_refuses_its_row_and_no_other():
    rows = [
        line("A", "1", "2024-01-01"),
        line("A", "2", "2024-01-01", quantity=4006381333931, price=25000.0),
        line("A", "3", "2024-01-01", price=1e13),
    ]
    found = rows_of(staged(rows), "select row_class from numbered_lines order by line_id")
    assert [row["row_class"] for row in found] == ["kept", "bad_price", "bad_price"]


def test_large_money_of_small_coins_is_converted():
    source = source_with([line("A", "1", "2024-01-01", price=5e9) | {"currency": "VND"}], (*LINE, "currency"))
    engine = engine_of(source, shop=ShopSettings(currency="EUR", exchange_rates={"VND": 0.00004}))
    assert float(rows_of(engine, "select revenue from order_lines")[0]["revenue"]) == pytest.approx(200_000)


def test_rows_that_differ_in_status_are_no_duplicates():
    rows = [line("A", "1", "2024-01-01") | {"status": status} for status in ("shipped", "delivered", "shipped")]
    engine = engine_of(source_with(rows, (*LINE, "status")))
    assert rows_of(engine, "select count(*) as n from order_lines") == [{"n": 2}]


def test_a_return_is_netted_at_the_money_paid_not_at_the_list_price():
    """Ten pieces of list price 10 were sold for 80 after a discount; five came back: 40 stays."""
    rows = [
        line("A", "1", "2024-01-01", quantity=10, price=10.0) | {"amount": 80.0},
        line("A", "C2", "2024-02-01", quantity=-5, price=10.0) | {"amount": -40.0},
    ]
    engine = engine_of(source_with(rows, (*LINE, "amount")), refunds="net")
    assert float(rows_of(engine, "select money from refunds")[0]["money"]) == 40.0


def test_categories_spelled_alike_are_one_and_shares_add_up_to_one():
    names = ["Baby Food", "BABY-FOOD", "food", "Food", "other", "Other", "!!!", None]
    rows = [line("A", str(number), "2024-01-01", f"P{number}") | {"category": name} for number, name in enumerate(names)]
    engine = engine_of(source_with(rows, (*LINE, "category")))
    shares = build_features(
        engine, (), category_key="category", has_customers=False, has_discounts=False, most_categories=20, home_country=""
    )
    assert len(shares) == 3
    wanted = (
        "select category_share_baby_food as baby, category_share_food as food, category_share_other as other from customer_facts"
    )
    assert rows_of(engine, wanted) == [{"baby": 0.25, "food": 0.25, "other": 0.5}]


def test_refused_rows_that_hold_line_breaks_are_told_and_kept_ones_are_not():
    torn = line("B", "2", "2024-01-02", quantity=None) | {"description": 'mug",1,5\nC,3,2024-01-03,p,pot,1,5'}
    whole = line("A", "1", "2024-01-01") | {"description": "a mug\nof blue glass"}
    told = torn_lines(staged([whole, torn]))
    assert len(told) == 1
    assert told[0].startswith("1 refused rows hold line breaks (first: row 2)")
    assert torn_lines(staged([whole])) == []
