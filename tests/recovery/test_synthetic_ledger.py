"""The warehouse finds in a simulated shop exactly what was put in: every row's class, its money, and the clean customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from customer_genome.features.table import build_features
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.sources.synthetic import Promotion, Simulation, simulate
from customer_genome.warehouse.build import build_marts, stage_lines
from customer_genome.warehouse.duckdb import DuckDBEngine

FAULTS = {
    "refund_rate": 0.04, "duplicate_rate": 0.02, "missing_customer_rate": 0.03, "zero_price_rate": 0.01, "zero_quantity_rate": 0.01,
    "missing_date_rate": 0.01, "null_rate": 0.05,
}  # fmt: skip
SALE = Promotion("spring", dt.date(2024, 3, 1), dt.date(2024, 3, 20))


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    opened = DuckDBEngine(threads=1)
    yield opened
    opened.close()


def stage(engine: DuckDBEngine, shop: Simulation, **cleaning: Any) -> CleaningSettings:
    """Stage a simulated shop and build the marts as of the day after its data."""
    settings = CleaningSettings(**cleaning)
    stage_lines(engine, shop.source_tables()["order_lines"], settings, ShopSettings(), today=dt.date(2026, 1, 1))
    cutoffs = pa.table({"as_of": pa.array([shop.ends_before], pa.date32()), "horizon_days": pa.array([90], pa.int32())})
    build_marts(engine, cutoffs, settings)
    return settings


@pytest.mark.parametrize(
    "more", [{}, {"unreadable_rate": 0.03}, {"edge_cases": ["ties", "midnight", "leap_days"]}, {"customer_ids": "text"}]
)
def test_every_row_gets_the_class_it_was_made_for(engine, more):
    shop = simulate(1_500, start=dt.date(2024, 1, 1), days=120, seed=31, **(FAULTS | more))
    stage(engine, shop)
    found = engine.fetch("select row_class, n_rows, cast(revenue as double) as revenue from ledger").to_pylist()
    wanted = shop.ledger()
    assert {row["row_class"]: row["n_rows"] for row in found} == {name: rows for name, (rows, _) in wanted.items()}
    for row in found:
        assert row["revenue"] == pytest.approx(wanted[row["row_class"]][1], abs=0.01)


def test_facts_are_those_of_the_clean_shop(engine):
    options = {"n_customers": 1_200, "start": dt.date(2024, 1, 1), "days": 150, "seed": 32, "promotions": [SALE]}
    shop = simulate(**options, **FAULTS)
    stage(engine, shop)
    build_features(
        engine,
        (),
        category_key="category",
        has_customers=False,
        has_discounts=True,
        most_categories=10,
        home_country="United Kingdom",
    )
    facts = {row["customer_id"]: row for row in engine.fetch("select * from customer_facts").to_pylist()}
    clean = simulate(**options).order_lines().read_all()
    clean = clean.append_column("money", pc.multiply(clean["quantity"], clean["price"]))
    clean = clean.append_column("day", clean["ordered_at"].cast(pa.date32()))
    truth = clean.group_by("customer_id").aggregate(
        [
            ("money", "sum"),
            ("order_id", "count_distinct"),
            ("day", "count_distinct"),
            ("day", "max"),
            ("product_id", "count_distinct"),
        ]
    )
    assert len(facts) == truth.num_rows
    for row in truth.to_pylist():
        fact = facts[str(row["customer_id"])]
        assert fact["total_spend"] == pytest.approx(row["money_sum"], abs=0.01)
        assert fact["n_orders"] == row["order_id_count_distinct"]
        assert fact["n_purchase_days"] == row["day_count_distinct"]
        assert fact["recency_days"] == (shop.ends_before - row["day_max"]).days
        assert fact["unique_products"] == row["product_id_count_distinct"]


def test_netting_takes_back_what_was_sent_back(engine):
    shop = simulate(1_500, start=dt.date(2024, 1, 1), days=120, seed=33, refund_rate=0.08)
    stage(engine, shop, refunds="net")
    refunded = engine.fetch(
        "select cast(sum(money) as double) as money, cast(sum(quantity) as double) as pieces from refunds_now"
    ).to_pylist()[0]
    lines = shop.order_lines().read_all()
    back = lines.filter(pc.less(lines["quantity"], 0))
    assert refunded["pieces"] == -pc.sum(back["quantity"]).as_py()
    assert refunded["money"] == pytest.approx(-pc.sum(pc.multiply(back["quantity"], back["price"])).as_py(), rel=0.01)
