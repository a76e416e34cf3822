"""Files of customer profiles: read as one table, and kept beside the model so that the dashboard can fill in a customer's fields.

Comes in: a path, or a workspace. Goes out: Arrow tables. Labels are not kept, and who was erased from the workspace is not either.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from customer_genome.errors import SourceError
from customer_genome.models.profiles.tables import ids_of, one_row_each
from customer_genome.settings import TableSettings
from customer_genome.sources.files import look_at_path
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.workspace import Workspace, appearing_whole

if TYPE_CHECKING:
    from customer_genome.stages.labelled import LabelledResult

CUSTOMERS_FILE = "customers.parquet"
"""In the folder `profiles` of a workspace: the customers learned from, without their labels."""


def read_table(path: str | Path, tmp: Path) -> tuple[pa.Table, list[str]]:
    """Return a file (CSV of any dialect, Parquet, Excel), folder or glob as one table, and what was assumed about it.

    Raises
    ------
    SourceError
        It cannot be read, or holds rows that are none.
    """
    source = look_at_path(path, "customers", TableSettings(), tmp).table
    engine = DuckDBEngine()
    try:
        engine.read(source, "profiles")
        table = engine.fetch("select * from profiles")
        broken = engine.unreadable_rows()
    finally:
        engine.close()
    if broken.num_rows:
        first = broken.slice(0, 1).to_pylist()[0]
        raise SourceError(
            f"{source.label}: {broken.num_rows:,} lines cannot be split into columns (first: line {first['row_number']}, {first['reason']}). "
            "Correct or remove them, so that nobody is left out unseen."
        )
    return table, list(source.notices)


def headers_of(path: str | Path, tmp: Path) -> list[str]:
    """Return the names of the columns of a file."""
    return [column.name for column in look_at_path(path, "customers", TableSettings(), tmp).table.columns]


def keep_customers(workspace: Workspace, table: pa.Table, result: LabelledResult) -> int:
    """Keep the columns that predictions read of every customer, so that the dashboard can fill in its fields; return how many.

    Customers that were erased from the workspace are left out, and `genome forget` erases from this file too.
    """
    table, _ = one_row_each(table, result.id_column)
    ids = ids_of(table, result.id_column)
    salt, digests = workspace.forgotten()
    if digests:
        gone = set(digests)
        stays = pa.array([hashlib.sha256((salt + customer).encode()).hexdigest() not in gone for customer in ids.to_pylist()])
        table, ids = table.filter(stays), ids.filter(stays)
    columns = {"customer_id": ids} | {
        column.name: table.column(column.name) for column in result.columns if column.name != "customer_id"
    }
    workspace.profiles.mkdir(parents=True, exist_ok=True)
    with appearing_whole(workspace.profiles / CUSTOMERS_FILE) as temporary:
        pq.write_table(pa.table(columns), temporary)
    return int(table.num_rows)


def kept_customer(workspace: Workspace, customer_id: str) -> pa.Table | None:
    """Return the kept row of a customer, None where there is none."""
    path = workspace.profiles / CUSTOMERS_FILE
    if not path.exists():
        return None
    found = pq.read_table(path, filters=[("customer_id", "=", customer_id)])
    return found if found.num_rows else None


def kept_ids(workspace: Workspace, most: int = 1000) -> list[str]:
    """Return the ids of the first kept customers."""
    path = workspace.profiles / CUSTOMERS_FILE
    return list(pq.read_table(path, columns=["customer_id"]).column(0).slice(0, most).to_pylist()) if path.exists() else []
