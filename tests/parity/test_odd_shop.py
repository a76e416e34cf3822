"""A small shop full of edges is the same on DuckDB and on Spark, from text and typed files, under both refund policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from customer_genome.proof.parity import prove_parity
from customer_genome.settings import CleaningSettings, PredictionSettings, Settings, ShopSettings, TableSettings
from customer_genome.sources import describe_file
from customer_genome.warehouse.checks import check_customer_facts, check_identities
from customer_genome.warehouse.duckdb import DuckDBEngine
from odd_shop import CUTOFFS, TODAY, odd_rows, write_csv, write_parquet

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]


def settings_in(folder, refunds, **shop):
    return Settings(
        folder,
        shop=ShopSettings(**shop),
        cleaning=CleaningSettings(refunds=refunds),
        prediction=PredictionSettings(horizon_days=30),
    )


def assert_parity(local_spark, sources, settings, as_ofs=CUTOFFS, **how):
    """Build everything twice, compare all tables, and return the engine of DuckDB and the report."""
    duckdb, spark = DuckDBEngine(threads=1), local_spark()
    report = prove_parity(duckdb, spark, sources, settings, as_ofs=as_ofs, today=TODAY, **how)
    assert report.differences == ()
    check_customer_facts(spark)
    check_identities(spark)
    spark.close()
    return duckdb, report


def n_of(engine, table):
    return engine.fetch(f"select count(*) as n from {table}").column("n")[0].as_py()


def classes_of(engine):
    return {row["row_class"] for row in engine.fetch("select row_class from ledger").to_pylist()}


def test_text_with_iso_times_under_netting(local_spark, tmp_path):
    path = write_csv(odd_rows(), tmp_path / "shop.csv")
    source = describe_file(path, "order_lines", TableSettings(), tmp_path)
    duckdb, report = assert_parity(local_spark, {"order_lines": source}, settings_in(tmp_path, "net", home_country="Spain"))
    everything = {
        "bad_date",
        "no_customer",
        "bad_quantity",
        "bad_price",
        "cancelled",
        "duplicate",
        "refunded",
        "kept",
        "unreadable",
    }
    assert classes_of(duckdb) == everything
    assert n_of(duckdb, "refunds") > 10 and n_of(duckdb, "split_orders") > 10
    assert len(report.tables) >= 25
    assert {"labels", "histories", "valued", "predictions"} <= {table.table for table in report.tables if table.rows[0]}


def test_text_with_day_first_times_and_decimal_commas(local_spark, tmp_path):
    rows = odd_rows(200, seed=3)
    path = write_csv(rows, tmp_path / "Bestellungen [2024].csv", time="%d.%m.%Y %H:%M", mark=",", sep=";")
    wanted = TableSettings(date_order="dmy", decimal_mark=",")
    source = describe_file(path, "order_lines", wanted, tmp_path)
    duckdb, _ = assert_parity(
        local_spark, {"order_lines": source}, settings_in(tmp_path, "drop", timezone="Europe/Berlin"), scores=False
    )
    assert n_of(duckdb, "order_lines") > 50


def test_typed_files_below_each_other(local_spark, tmp_path):
    rows = odd_rows(300, seed=5)
    folder = tmp_path / "lines"
    folder.mkdir()
    for number, start in enumerate(range(0, len(rows), 100)):
        write_parquet(rows[start : start + 100], folder / f"part {number}.parquet")
    source = describe_file(folder, "order_lines", TableSettings(), tmp_path)
    source = replace(source, mapping={name: raw for name, raw in source.mapping.items() if name != "description"})
    duckdb, _ = assert_parity(local_spark, {"order_lines": source}, settings_in(tmp_path, "net"), as_ofs=None, scores=False)
    assert n_of(duckdb, "repeated_lines") > 5 and n_of(duckdb, "cutoffs") == 3
