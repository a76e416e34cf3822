"""Erase one customer from everything a workspace holds: warehouse, quarantine, every published version.

Their rows keep nothing but their class in the ledger; totals per day stay, since they name nobody. Files are written anew,
so that nothing is left in freed blocks; the report of the workspace, which may name them, is removed; a salted digest keeps the next run from bringing the customer back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb

from customer_genome.errors import UnknownCustomerError, WorkspaceError
from customer_genome.snapshot import Snapshot, read_snapshot, replace_files, versions
from customer_genome.workspace import Workspace

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
        rows = _erase_from_warehouse(workspace, customer_id)
        touched = [name for name in versions(workspace) if _erase_from_version(read_snapshot(workspace, name), customer_id)]
        if not rows and not touched:
            raise UnknownCustomerError(
                f"Customer {customer_id!r} is neither in the warehouse nor in a published version of {workspace.root}. "
                "Check the id with `genome show ID`; ids are compared exactly."
            )
        workspace.remember_to_forget(customer_id)
        (workspace.root / "report.html").unlink(missing_ok=True)
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


def _erase_from_version(snapshot: Snapshot, customer_id: str) -> bool:
    """Write a version anew without the customer; return whether they stood in it."""
    with duckdb.connect(str(snapshot.database), read_only=True) as connection:
        found = connection.execute("select count(*) from customers where customer_id = ?", [customer_id]).fetchone()
    if not found or not found[0]:
        return False

    def write(folder: Path) -> None:
        working = folder / "working.duckdb"
        working.write_bytes(snapshot.database.read_bytes())
        with duckdb.connect(str(working)) as connection:
            _delete_everywhere(connection, customer_id)
            _copy(connection, folder / snapshot.database.name)
        working.unlink()

    left = int(snapshot.manifest["customers"]) - 1
    replace_files(replace(snapshot, manifest={**snapshot.manifest, "customers": left}), write)
    return True


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
