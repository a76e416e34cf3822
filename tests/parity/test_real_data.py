"""Real shops are the same on DuckDB and on Spark, for two cutoffs at once: every mart, fact, label, prediction, published table."""

from __future__ import annotations

import datetime as dt

import pytest

from customer_genome.proof.parity import prove_parity
from customer_genome.settings import CleaningSettings, Settings
from customer_genome.sources.catalog import describe_sources
from customer_genome.warehouse.duckdb import DuckDBEngine

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]


def report_of(local_spark, data, folder, as_ofs, **cleaning):
    settings = Settings(folder, cleaning=CleaningSettings(**cleaning))
    sources = describe_sources(data, settings, folder)
    published = folder / "published"
    report = prove_parity(
        DuckDBEngine(), local_spark(), sources, settings, as_ofs=as_ofs, today=dt.date(2026, 1, 1), folder=published
    )
    tables = {table.table for table in report.tables}
    assert {"labels", "histories", "valued", "predictions"} <= tables
    assert {f"published.{name}" for name in ("customers", "orders", "daily", "products", "segments", "findings")} <= tables
    return report


def test_online_retail_ii(local_spark, genome_data, tmp_path):
    """Two years of a wholesaler, cancellations netted as each cutoff knew them."""
    as_ofs = [dt.date(2011, 3, 1), dt.date(2011, 12, 10)]
    report = report_of(local_spark, genome_data / "online_retail_ii.parquet", tmp_path, as_ofs, refunds="net")
    assert report.differences == ()
    assert report.max_relative_difference < 1e-9
    rows = {table.table: table.rows[0] for table in report.tables}
    assert rows["numbered_lines"] == 1_067_371
    assert rows["refunds"] > 5_000 and rows["customer_facts"] > 9_000


def test_complete_journey(local_spark, tmp_path):
    """A grocer with products, demographics, discounts and times in UTC."""
    as_ofs = [dt.date(2017, 7, 1), dt.date(2018, 1, 1)]
    report = report_of(local_spark, "complete-journey", tmp_path, as_ofs)
    assert report.differences == ()
    assert report.max_relative_difference < 1e-9
    rows = {table.table: table.rows[0] for table in report.tables}
    assert rows["numbered_lines"] == 1_469_307
    assert rows["products"] > 90_000 and rows["customers"] > 800
