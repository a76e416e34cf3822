"""Erase one customer from everything a workspace holds: warehouse, quarantine, every published version.

Their rows keep nothing but their class in the ledger; totals per day stay, since they name nobody. Files are written anew,
so that nothing is left in freed blocks; the report of the workspace and files handed in on the dashboard, which may name them, are removed; a salted
digest keeps the next run from bringing the customer back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer_genome.errors import UnknownCustomerError, WorkspaceError
from customer_genome.neighbours import MATRIX, write_neighbours
from customer_genome.snapshot import Snapshot, parquet_select, parquet_tables, read_snapshot, replace_files, versions
from customer_genome.workspace import Workspace, sync_file

_BLANKED = ("customer_id", "order_id", "ordered_at", "product_id", "description", "raw_row")


def forget(workspace: Workspace, customer_id: str) -> Mapping[str, int]:
    """Erase a customer; return how many rows were touched in the warehouse and in how many versions they stood.

    Raises
    ------
    UnknownCustomerError
        When no table of the workspace holds them.
    WorkspaceError
        When a run is writing.
    """
    try:
        return _forget_locked(workspace, customer_id)
    except (duckdb.Error, OSError) as err:
        raise WorkspaceError(
            f"{workspace.root}: the erasure stopped: {str(err).splitlines()[0]}. Check free disk space and permissions, then run `genome forget` again."
        ) from err


def _forget_locked(workspace: Workspace, customer_id: str) -> Mapping[str, int]:
    """Erase while holding the workspace."""
    with workspace.locked():
        rows = _erase_from_warehouse(workspace, customer_id) + _erase_from_tables(workspace, customer_id)
        rows += _erase_from_files(workspace.profiles.glob("*.parquet"), customer_id)
        touched = [name for name in versions(workspace) if _erase_from_version(read_snapshot(workspace, name), customer_id)]
        if not rows and not touched:
            raise UnknownCustomerError(
                f"Customer {customer_id!r} is neither in the warehouse nor in a published version of {workspace.root}. "
                "Check the id with `genome show ID`; ids are compared exactly."
            )
        workspace.remember_to_forget(customer_id)
        (workspace.root / "report.html").unlink(missing_ok=True)
        shutil.rmtree(workspace.uploads, ignore_errors=True)
    return {"warehouse_rows": rows, "versions": len(touched)}


def _erase_from_warehouse(workspace: Workspace, customer_id: str) -> int:
    """Blank the customer's lines and drop them from every other table; return the number of lines."""
    if not workspace.warehouse.exists():
        return 0
    fresh = workspace.warehouse.with_name("building.duckdb")
    fresh.unlink(missing_ok=True)
    with duckdb.connect(str(workspace.warehouse)) as connection:
        found = connection.execute("select count(*) from lines where customer_id = ?", [customer_id]).fetchone()
        n_rows = int(found[0]) if found else 0
        blanks = ", ".join(f"{name} = null" for name in _BLANKED)
        connection.execute(f"update lines set {blanks}, row_class = 'forgotten' where customer_id = ?", [customer_id])
        connection.execute("update unreadable_lines set raw_row = null where contains(raw_row, ?)", [customer_id])
        _delete_everywhere(connection, customer_id, keep="lines")
        connection.execute("checkpoint")
        _copy(connection, fresh)
    os.replace(fresh, workspace.warehouse)
    return n_rows


def _erase_from_tables(workspace: Workspace, customer_id: str) -> int:
    """Drop the customer from the tables that a run on Spark left, and the text of unreadable rows that name them."""
    return sum(_erase_from_files(files, customer_id) for files in parquet_tables(workspace.tables).values())


def _erase_from_files(files: Iterable[Path], customer_id: str) -> int:
    """Write Parquet files anew without the customer; return the rows that were touched."""
    n_rows = 0
    for path in files:
        fresh = path.with_suffix(".tmp")
        n_erased = copy_without(path, fresh, customer_id)
        if n_erased:
            sync_file(fresh)
            os.replace(fresh, path)
        fresh.unlink(missing_ok=True)
        n_rows += n_erased
    return n_rows


def _erase_from_version(snapshot: Snapshot, customer_id: str) -> bool:
    """Write a version anew without the customer; return whether they stood in it."""
    if not _is_in(snapshot, customer_id):
        return False

    def write(folder: Path) -> None:
        working = folder / "working.duckdb"
        working.write_bytes(snapshot.database.read_bytes())
        with duckdb.connect(str(working)) as connection:
            _delete_everywhere(connection, customer_id)
            _copy(connection, folder / snapshot.database.name)
        working.unlink()
        for name, files in snapshot.parquet.items():
            (folder / name).mkdir()
            for path in files:
                if not copy_without(path, folder / name / path.name, customer_id):
                    shutil.copy2(path, folder / name / path.name)
        if (snapshot.folder / MATRIX).exists():
            write_neighbours(folder)

    left = int(snapshot.manifest["customers"]) - 1
    replace_files(replace(snapshot, manifest={**snapshot.manifest, "customers": left}), write)
    return True


def _is_in(snapshot: Snapshot, customer_id: str) -> bool:
    """Return whether a customer stands in a version."""
    files = snapshot.parquet.get("customers", [])
    with duckdb.connect() if files else duckdb.connect(str(snapshot.database), read_only=True) as connection:
        customers = f"({parquet_select(files)})" if files else "customers"
        found = connection.execute(f"select count(*) from {customers} where customer_id = ?", [customer_id]).fetchone()
    return bool(found and found[0])


def copy_without(path: Path, target: Path, customer_id: str) -> int:
    """Copy a Parquet file without a customer, a batch at a time; return the rows that were touched.

    Where none is, nothing is kept at `target`. A customer's rows go; other rows that came with their id somewhere in the
    text (unreadable ones) lose this text.
    """
    n_touched = 0
    with pq.ParquetFile(path) as file:
        if "customer_id" not in file.schema_arrow.names:
            return 0
        schema = pa.schema([field.with_nullable(True) for field in file.schema_arrow], file.schema_arrow.metadata)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for rows in file.iter_batches():
                batch = pa.RecordBatch.from_arrays(rows.columns, schema=schema)
                kept = batch.filter(pc.fill_null(pc.not_equal(batch.column("customer_id"), customer_id), True))
                place = kept.schema.get_field_index("raw_row")
                if place >= 0:
                    names = pc.fill_null(pc.match_substring(kept.column(place), customer_id), False)
                    n_touched += pc.sum(names).as_py() or 0
                    blank = pc.if_else(names, pa.scalar(None, schema.field(place).type), kept.column(place))
                    kept = kept.set_column(place, schema.field(place), blank)
                n_touched += batch.num_rows - kept.num_rows
                writer.write_batch(kept)
    if not n_touched:
        target.unlink()
    return n_touched


def _delete_everywhere(connection: duckdb.DuckDBPyConnection, customer_id: str, keep: str = "") -> None:
    """Delete the customer's rows from every table that has their id."""
    tables = connection.execute(
        "select c.table_name from information_schema.columns as c inner join information_schema.tables as t "
        "on c.table_name = t.table_name and c.table_catalog = t.table_catalog "
        "where c.column_name = 'customer_id' and t.table_type = 'BASE TABLE' and c.table_catalog = current_database()"
    ).fetchall()
    for (table,) in tables:
        if table != keep:
            connection.execute(f'delete from "{table}" where customer_id = ?', [customer_id])


def _copy(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Copy a database into a new file, so that deleted rows leave no bytes behind."""
    name = connection.execute("select current_database()").fetchone()
    escaped = str(target).replace("'", "''")
    connection.execute(f"attach '{escaped}' as fresh")
    connection.execute(f'copy from database "{name[0] if name else ""}" to fresh')
    connection.execute("detach fresh")
