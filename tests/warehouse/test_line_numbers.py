"""`line_id` is the place of a row in its source, also when several threads read and class it."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq

from customer_genome.contracts import RawColumn, SourceTable
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.build import NotMerchandise, stage_lines
from customer_genome.warehouse.duckdb import DuckDBEngine

N_ROWS = 600_000
KINDS = {
    "customer_id": "text",
    "ordered_at": "timestamp",
    "quantity": "integer",
    "price": "double",
    "country": "text",
    "status": "text",
}


def test_rows_are_numbered_as_they_stand_in_the_file(tmp_path):
    """Lists of statuses, countries, products and erased customers are looked up in every row."""
    path = tmp_path / "lines.parquet"
    columns = {
        "customer_id": [f"c{n % 9}" for n in range(N_ROWS)],
        "ordered_at": pa.array([dt.datetime(2024, 1, 1)] * N_ROWS, pa.timestamp("us")),
        "quantity": pa.array(range(1, N_ROWS + 1), pa.int64()),
        "price": [1.0] * N_ROWS,
        "country": ["Spain"] * N_ROWS,
        "status": ["paid"] * N_ROWS,
    }
    pq.write_table(pa.table(columns), path, row_group_size=60_000)
    source = SourceTable(
        "order_lines",
        path.name,
        "parquet",
        tuple(RawColumn(name, kind) for name, kind in KINDS.items()),
        {name: (name,) for name in KINDS},
        paths=(str(path),),
        date_orders={"ordered_at": "typed"},
    )
    engine = DuckDBEngine(threads=4)
    stage_lines(
        engine,
        source,
        CleaningSettings(),
        ShopSettings(),
        today=dt.date(2026, 1, 1),
        not_merchandise=NotMerchandise(tuple("ABCDEFGH"), ()),
        salt="s",
        forgotten=[str(n) for n in range(20)],
    )
    apart = engine.fetch("select count(*) as n from numbered_lines where quantity <> line_id + 1").column("n")[0].as_py()
    assert apart == 0
