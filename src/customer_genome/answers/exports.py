"""Write published tables to files: CSV, Parquet, Excel; one row per customer under the documented names.

Comes in: a workspace and a target. Goes out: a file that appears whole or not at all. CSV and Parquet are streamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from customer_genome.errors import SettingsError, SnapshotError, did_you_mean
from customer_genome.genome import Genome
from customer_genome.snapshot import parquet_select, parquet_tables
from customer_genome.workspace import Workspace, appearing_whole

EXCEL_ROWS = 1_048_575
QUARANTINE = "quarantine"


def export_table(
    workspace: Path, output: Path, format_: str | None, table: str = "customers", version: str | None = None
) -> dict[str, Any]:
    """Write a table and return what was written: file, format, rows, columns.

    Raises
    ------
    SettingsError
        When the format is unknown, or Excel cannot hold the rows.
    SnapshotError
        When nothing is published or the table is unknown.
    WorkspaceError
        When the file cannot be written: disk full, read-only, a folder in its place.
    """
    kind = _format(output, format_)
    with Genome.open(workspace, version) as genome:
        reader = _reader(genome, Workspace(workspace), table)
        columns = reader.schema.names
        with appearing_whole(output) as temporary:
            rows = _WRITERS[kind](reader, temporary, table)
        return {
            "output": str(output),
            "format": kind,
            "table": table,
            "version": genome.snapshot.version,
            "rows": rows,
            "columns": columns,
        }


def _format(output: Path, given: str | None) -> str:
    """Return the wanted format, by default from the ending of the file."""
    kind = (given or output.suffix.removeprefix(".")).lower()
    if kind not in _WRITERS:
        raise SettingsError(
            f"Format {kind!r} is not known.{did_you_mean(kind, _WRITERS)} Wanted: --format {', '.join(_WRITERS)}, or an --output that ends so."
        )
    return kind


def _reader(genome: Genome, workspace: Workspace, table: str) -> pa.RecordBatchReader:
    """Return the rows of a published table, or of the quarantine in the warehouse."""
    if table == "customers":
        return genome.export()
    if table == QUARANTINE and QUARANTINE not in genome.tables():
        return _quarantine(workspace)
    if table not in genome.tables():
        known = [*genome.tables(), QUARANTINE]
        raise SnapshotError(f"No table {table!r} to export.{did_you_mean(table, known)} Tables: {', '.join(known)}.")
    return genome.table(table).to_reader()


def _quarantine(workspace: Workspace) -> pa.RecordBatchReader:
    """Return every refused row of the latest run."""
    files = parquet_tables(workspace.tables).get(QUARANTINE, [])  # where the latest run was on Spark
    try:
        with duckdb.connect() if files else duckdb.connect(str(workspace.warehouse), read_only=True) as connection:
            refused = f"({parquet_select(files)})" if files else QUARANTINE
            rows = connection.sql(f"select * from {refused} order by row_number").to_arrow_table()
    except duckdb.Error as err:
        raise SnapshotError(
            f"The quarantine of {workspace.root} cannot be read: {str(err).splitlines()[0]}. Run `genome run` again."
        ) from err
    return rows.to_reader()


def _write_csv(reader: pa.RecordBatchReader, path: Path, table: str) -> int:
    """Stream rows to CSV; return their number."""
    with pa_csv.CSVWriter(path, reader.schema) as writer:
        return _stream(reader, writer)


def _write_parquet(reader: pa.RecordBatchReader, path: Path, table: str) -> int:
    """Stream rows to Parquet; return their number."""
    with pa_parquet.ParquetWriter(path, reader.schema) as writer:
        return _stream(reader, writer)


def _stream(reader: pa.RecordBatchReader, writer: pa_csv.CSVWriter | pa_parquet.ParquetWriter) -> int:
    """Write batch after batch; return the number of rows."""
    rows = 0
    for batch in reader:
        writer.write_batch(batch)
        rows += batch.num_rows
    return rows


def _write_xlsx(reader: pa.RecordBatchReader, path: Path, table: str) -> int:
    """Write rows to one Excel sheet with a frozen header; return their number. What cannot be written is an OSError."""
    from xlsxwriter.exceptions import FileCreateError

    try:
        return _fill_xlsx(reader, path, table)
    except FileCreateError as err:
        raise OSError(str(err)) from err


def _fill_xlsx(reader: pa.RecordBatchReader, path: Path, table: str) -> int:
    """Write rows to one Excel sheet; the file appears when the workbook is closed."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "default_date_format": "yyyy-mm-dd",
        "nan_inf_to_errors": True,
    }
    row = 0
    with path.open("wb") as file, xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(table[:31])
        sheet.freeze_panes(1, 1)
        sheet.write_row(0, 0, reader.schema.names, book.add_format({"bold": True}))
        for batch in reader:
            for record in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                row += 1
                if row > EXCEL_ROWS:
                    raise SettingsError(f"Excel holds {EXCEL_ROWS:,} rows, this table has more. Use --format csv or parquet.")
                for place, value in enumerate(record):
                    if value is not None:
                        _write_cell(sheet, row, place, value)
        sheet.autofilter(0, 0, row, len(reader.schema.names) - 1)
    return row


def _write_cell(sheet: Any, row: int, place: int, value: Any) -> None:
    """Write one value with its Excel type."""
    import datetime as dt
    from decimal import Decimal

    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, (int, float, Decimal)):
        sheet.write_number(row, place, float(value))
    elif isinstance(value, (dt.date, dt.datetime)):
        sheet.write_datetime(row, place, value)
    else:
        sheet.write_string(row, place, str(value))


_WRITERS: Mapping[str, Callable[[pa.RecordBatchReader, Path, str], int]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": _write_xlsx,
}
