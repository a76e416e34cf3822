"""Small shops as Arrow tables, staged into an engine in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from customer_genome.contracts import RawColumn, SourceTable
from customer_genome.features.table import build_features
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.build import build_marts, build_refund_effect, stage_lines
from customer_genome.warehouse.duckdb import DuckDBEngine

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("order_id", pa.string()),
        ("ordered_at", pa.timestamp("us")),
        ("product_id", pa.string()),
        ("description", pa.string()),
        ("quantity", pa.float64()),
        ("price", pa.float64()),
        ("country", pa.string()),
        ("discount", pa.float64()),
    ]
)
KINDS = {"string": "text", "double": "double", "timestamp[us]": "timestamp"}
TODAY = dt.date(2026, 1, 1)


def line(
    customer: str | None,
    order: str | None,
    at: str,
    product: str | None = "P",
    quantity: float = 1,
    price: float = 10.0,
    **more: Any,
) -> dict[str, Any]:
    """One order line; `at` is ISO text."""
    row = {
        "customer_id": customer,
        "order_id": order,
        "ordered_at": dt.datetime.fromisoformat(at),
        "product_id": product,
        "description": None,
        "quantity": quantity,
        "price": price,
        "country": None,
        "discount": None,
    }
    return row | more


def source_of(rows: Sequence[Mapping[str, Any]], without: Iterable[str] = ()) -> SourceTable:
    """Describe rows as an Arrow source whose columns are named as in the contract."""
    table = pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMA).drop_columns(list(without))
    columns = tuple(RawColumn(field.name, KINDS[str(field.type)]) for field in table.schema)
    mapping = {field.name: (field.name,) for field in table.schema}
    return SourceTable(
        "order_lines", "the test shop", "arrow", columns, mapping, batches=table.to_reader, date_orders={"ordered_at": "typed"}
    )


def source_with(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> SourceTable:
    """Describe the named columns of rows, also such as `line` does not make; each is mapped to itself."""
    table = pa.Table.from_pylist([dict(row) for row in rows]).select(list(columns))
    kinds = KINDS | {"int64": "integer"}
    raw = tuple(RawColumn(field.name, kinds[str(field.type)]) for field in table.schema)
    mapping = {name: (name,) for name in columns}
    return SourceTable(
        "order_lines", "the test shop", "arrow", raw, mapping, batches=table.to_reader, date_orders={"ordered_at": "typed"}
    )


def staged(rows: Sequence[Mapping[str, Any]], without: Iterable[str] = (), **cleaning: Any) -> DuckDBEngine:
    """Stage rows into a fresh engine."""
    engine = DuckDBEngine(threads=1)
    stage_lines(engine, source_of(rows, without), CleaningSettings(**cleaning), ShopSettings(), today=TODAY)
    return engine


def built(
    rows: Sequence[Mapping[str, Any]], cutoffs: Sequence[dt.date], without: Iterable[str] = (), **cleaning: Any
) -> DuckDBEngine:
    """Stage rows and build marts and facts for the cutoffs."""
    engine = staged(rows, without, **cleaning)
    days = pa.table({"as_of": pa.array(cutoffs, pa.date32()), "horizon_days": pa.array([30] * len(cutoffs), pa.int32())})
    build_marts(engine, days, CleaningSettings(**cleaning))
    build_refund_effect(engine)
    build_features(
        engine,
        (("Bags", ("bag",)),),
        category_key="description",
        has_customers=False,
        has_discounts=True,
        most_categories=5,
        home_country="",
    )
    return engine


def rows_of(engine: DuckDBEngine, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries."""
    return engine.fetch(sql).to_pylist()
