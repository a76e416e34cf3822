"""A source that no longer looks as it did stops a refresh: the column is named, nothing is loaded."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_genome.errors import GenomeError, SettingsError, SourceError, WorkspaceError
from customer_genome.snapshot import current_version
from customer_genome.workspace import Workspace

from .conftest import HEADER, Shop, write_rows


def refused(shop: Shop, message: str, error: type[GenomeError] = SourceError, **given: object) -> str:
    """Refresh, expect a stop, and prove that warehouse and version are as they were."""
    warehouse = shop.workspace / "warehouse" / "warehouse.duckdb"
    before = hashlib.sha256(warehouse.read_bytes()).hexdigest(), current_version(Workspace(shop.workspace))
    with pytest.raises(error, match=message) as caught:
        shop.refresh(**given)
    assert (hashlib.sha256(warehouse.read_bytes()).hexdigest(), current_version(Workspace(shop.workspace))) == before
    assert "genome run" in str(caught.value)
    return str(caught.value)


def with_header(shop: Shop, header: tuple[str, ...], rows: list[list[str]] | None = None) -> Path:
    return write_rows(shop.data / "2024.csv", shop.later if rows is None else rows, header)


def test_a_missing_column(shop):
    said = refused_header(shop, tuple(name for name in HEADER if name != "price"), 5)
    assert 'column "price" (price) is missing' in said
    assert "Found: customer_id, order_id, ordered_at, product_id, quantity, country." in said
    assert "customer_id = customer_id" in said.partition("Wanted: ")[2]


def refused_header(shop: Shop, header: tuple[str, ...], dropped: int) -> str:
    write_rows(shop.data / "2024.csv", [row[:dropped] + row[dropped + 1 :] for row in shop.later], header)
    return refused(shop, "does not look as it did")


def test_a_renamed_column_is_missing_and_its_likely_new_name_is_offered(shop):
    with_header(shop, tuple("Unit Price" if name == "price" else name for name in HEADER))
    said = refused(shop, 'column "price" \\(price\\) is missing')
    assert 'It seems to be called "Unit Price" now' in said


def test_spelling_and_order_of_columns_do_not_matter(shop):
    header = tuple(name.replace("_", " ").title() for name in HEADER)
    write_rows(shop.data / "2024.csv", [row[::-1] for row in shop.later], header[::-1])
    assert shop.refresh().rows_added == 60


def test_a_column_of_another_type(another):
    shop = another("typed")
    shop.data.mkdir()
    text = {name: [row[place] for row in shop.rows] for place, name in enumerate(HEADER)}
    numbers = pa.array([float(value) for value in text["quantity"]])
    pq.write_table(pa.table({**text, "quantity": numbers}), shop.data / "a.parquet")
    shop.run()
    pq.write_table(pa.table(text).slice(0, 50), shop.data / "b.parquet")
    assert 'column "quantity" (quantity) is text, and was double' in refused(shop, "does not look as it did")
    pq.write_table(pa.table({**text, "quantity": numbers.cast(pa.int64())}).slice(0, 50), shop.data / "b.parquet")
    assert (shop.refresh().rows_seen, shop.refresh().rows_read) == (50, 0)


def test_a_new_column_is_a_notice_unless_it_would_mean_something(shop):
    with_header(shop, (*HEADER, "Shelf"), [[*row, "7"] for row in shop.later])
    assert any('new column(s) "Shelf" not used' in notice for notice in shop.refresh().notices)
    write_rows(shop.data / "more.csv", [[*row, "0.5"] for row in shop.later], (*HEADER, "Discount Amount"))
    refused(shop, 'new column "Discount Amount" would be read as discount')


def test_days_and_marks_written_in_another_way(shop):
    turned = [[*row[:2], f"{row[2][8:10]}/{row[2][5:7]}/{row[2][:4]}", *row[3:]] for row in shop.later]
    with_header(shop, HEADER, turned)
    refused(shop, 'times in "ordered_at" \\(ordered_at\\), such as .* are written day first, and were year first')
    with_header(shop, HEADER, [[*row[:5], row[5].replace(".", ","), row[6]] for row in shop.later])
    refused(shop, 'numbers in "price", such as .* are not written with a decimal point as before')


def test_a_column_whose_values_are_of_another_kind(shop):
    with_header(shop, HEADER, [[*row[:4], "abc", *row[5:]] for row in shop.later])
    refused(shop, "\"quantity\" \\(quantity\\) holds no numbers, such as 'abc', and did before")
    with_header(shop, HEADER, [[*row[:2], "soon", *row[3:]] for row in shop.later])
    refused(shop, "\"ordered_at\" \\(ordered_at\\) holds no times, such as 'soon', and did before")
    with_header(shop, HEADER, [[*row[:4], "abc" if place < 3 else row[4], *row[5:]] for place, row in enumerate(shop.later)])
    assert shop.refresh().ledger["bad_quantity"]["rows"] == 3


def test_settings_that_rows_were_read_under(shop):
    write_rows(shop.data / "2024.csv", shop.later)
    for section, key, value in (
        ("shop", "timezone", "Europe/Berlin"),
        ("shop", "currency", "EUR"),
        ("cleaning", "drop_duplicates", False),
        ("cleaning", "cancelled_order_pattern", "^X"),
    ):
        said = refused(shop, "loaded under other settings", SettingsError, settings={section: {key: value}})
        assert f"[{section}] {key} was" in said and f"now {value!r}" in said
    other = {"tables": {"order_lines": {"path": str(shop.data), "columns": {"price": "quantity"}}}}
    refused(shop, 'genome.toml reads price from "quantity", the rows loaded before were read from "price"', settings=other)
    assert shop.refresh().rows_added == 60


def test_a_workspace_without_a_warehouse_or_memory(shop, another):
    import duckdb

    with pytest.raises(WorkspaceError, match="no run on order lines has built one"):
        another("empty").refresh(shop.data)
    with duckdb.connect(str(shop.workspace / "warehouse" / "warehouse.duckdb")) as connection:
        connection.execute("drop table staging")
    refused(shop, "does not say what was loaded into it", WorkspaceError)
    shutil.rmtree(shop.workspace / "models")
    with pytest.raises(GenomeError, match="genome run"):
        shop.refresh()


def test_spark_is_refused(shop):
    refused(shop, "only DuckDB keeps", SettingsError, settings={"engine": {"name": "spark"}})
