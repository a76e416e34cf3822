"""The comparison itself: it must find what differs, or parity proves nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from customer_genome.proof.parity import compare, compare_versions
from customer_genome.warehouse.duckdb import DuckDBEngine

ROWS = {
    "id": pa.array(["a", "b", "c"]),
    "n": pa.array([1, 2, None], pa.int64()),
    "money": pa.array([Decimal("1.5000"), None, Decimal("-2.2500")], pa.decimal128(18, 4)),
    "share": pa.array([0.1, float("nan"), 3e9]),
    "on": pa.array([dt.date(2024, 2, 29), None, dt.date(2025, 1, 1)]),
    "at": pa.array([dt.datetime(2024, 2, 29, 1), None, dt.datetime(2025, 1, 1)], pa.timestamp("us")),
    "is_new": pa.array([True, None, False]),
    "raw_row": pa.array(['{"price":1.50}', None, "x"]),
}


def engine_with(**changes):
    engine = DuckDBEngine(threads=1)
    engine.write("facts", pa.table(ROWS | changes))
    return engine


def report_of(**changes):
    return compare(engine_with(), engine_with(**changes), {"facts": ("id",)})


def test_equal_tables_have_no_difference():
    report = report_of()
    assert report.differences == ()
    assert report.as_json() | {"compared": None} == {
        "engines": ["duckdb", "duckdb"],
        "tables": 1,
        "columns": 8,
        "rows": 3,
        "differences": 0,
        "max_relative_difference": 0.0,
        "compared": None,
    }


def test_storage_and_order_of_rows_are_no_difference():
    turned = {name: values.take(pa.array([2, 0, 1])) for name, values in ROWS.items()}
    other = {
        "n": turned["n"].cast(pa.int32()),
        "money": turned["money"].cast(pa.decimal128(38, 4)),
        "raw_row": pa.array(["x", '{"price": 1.5}', None]),
    }
    assert report_of(**turned | other).differences == ()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("n", pa.array([1, 3, None], pa.int64())),
        ("n", pa.array([1, 2, 0], pa.int64())),
        ("money", pa.array([Decimal("1.5001"), None, Decimal("-2.2500")], pa.decimal128(18, 4))),
        ("share", pa.array([0.1, float("nan"), 3e9 + 10])),
        ("share", pa.array([0.1, None, 3e9])),
        ("share", pa.array([0.1, float("inf"), 3e9])),
        ("on", pa.array([dt.date(2024, 2, 28), None, dt.date(2025, 1, 1)])),
        ("on", pa.array(["2024-02-29", None, "2025-01-01"])),
        ("at", pa.array([dt.datetime(2024, 2, 29, 1, 0, 0, 1), None, dt.datetime(2025, 1, 1)], pa.timestamp("us"))),
        ("is_new", pa.array([False, None, False])),
        ("raw_row", pa.array(['{"price":1.51}', None, "x"])),
    ],
)
def test_every_kind_of_difference_is_found(column, values):
    [found] = report_of(**{column: values}).differences
    assert (found.table, found.column) == ("facts", column)
    assert found.examples


def test_doubles_may_differ_by_a_billionth_and_the_largest_difference_is_told():
    report = report_of(share=pa.array([0.1 * (1 + 5e-10), float("nan"), 3e9]))
    assert report.differences == ()
    assert report.max_relative_difference == pytest.approx(5e-10, rel=1e-3)


def test_missing_and_repeated_rows_and_columns_are_found():
    [found] = report_of(id=pa.array(["a", "b", "d"])).differences
    assert (found.column, found.n_rows, found.examples) == ("", 2, ("only first: ('c',)", "only second: ('d',)"))
    assert report_of(id=pa.array(["a", "b", "b"])).differences
    assert report_of(extra=pa.array([1, 2, 3])).differences


class Version:
    """A published version as far as comparing reads it."""

    def __init__(self, **tables):
        self.engine = DuckDBEngine(threads=1)
        self.names = tuple(tables)
        for name, table in tables.items():
            self.engine.write(name, table)

    def tables(self):
        return self.names

    def query(self, sql):
        return self.engine.fetch(sql)


def test_a_table_that_only_one_version_has_is_a_difference():
    report = compare_versions(
        Version(daily_more=pa.table(ROWS), extra=pa.table({"n": [1, 2]})), Version(daily_more=pa.table(ROWS))
    )
    assert [(found.table, found.n_rows, found.examples) for found in report.differences] == [
        ("extra", 2, ("only one has this table",))
    ]
    turned = compare_versions(Version(), Version(extra=pa.table({"n": [1, 2]})), ("duckdb", "spark"))
    assert turned.differences[0].examples == ("only spark has this table",)
