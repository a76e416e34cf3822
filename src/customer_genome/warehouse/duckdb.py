"""The engine for one machine: DuckDB in a file of the workspace, within a memory limit, spilling to the workspace.

Comes in: descriptions of sources and portable SQL. Goes out: tables in the warehouse file and Arrow. It reads CSV and
Parquet itself, so a file may be larger than memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa

from customer_genome.contracts import DateOrder, SourceTable
from customer_genome.errors import EngineError, SourceError
from customer_genome.warehouse.engine import literal, quoted

EXPORTED = "snapshot.duckdb"
"""The file in which `export` writes its tables."""
ROWS_PER_BATCH = 200_000
"""Rows that `map_rows` hands to a function at once: few enough for memory, enough to share work among equal rows."""
_UNREADABLE = pa.schema([("row_number", pa.int64()), ("reason", pa.string()), ("raw_row", pa.string())])


class DuckDBEngine:
    """A DuckDB warehouse.

    Parameters
    ----------
    path : Path or None
        The warehouse file; None keeps everything in memory (tests, small look-ups).
    memory_limit : str
        Such as "4GB"; empty for half of the machine.
    threads : int
        0 for all processors.
    spill : Path or None
        Folder for what does not fit in memory.
    """

    name = "duckdb"
    keeps_tables = True

    def __init__(self, path: Path | None = None, memory_limit: str = "", threads: int = 0, spill: Path | None = None) -> None:
        self._connection = duckdb.connect(str(path) if path else ":memory:")
        self._set("TimeZone", "UTC")
        self._set("memory_limit", memory_limit or f"{half_of_memory_mb()}MB")
        self._set("autoinstall_known_extensions", False)
        self._set("autoload_known_extensions", False)
        self._set("disabled_optimizers", "in_clause")  # it turns `in` lists into joins, which lose the order of the source
        if threads:
            self._set("threads", threads)
        if spill:
            self._set("temp_directory", str(spill))
        self._has_rejects = False
        prelude = files("customer_genome.warehouse").joinpath("prelude_duckdb.sql").read_text(encoding="utf-8")
        self.run(prelude)

    def _set(self, name: str, value: str | int | bool) -> None:
        """Set one DuckDB option for this connection."""
        rendered = literal(value) if isinstance(value, str) else str(value).lower()
        self._connection.execute(f"set {name} = {rendered}")

    def read(self, source: SourceTable, view: str) -> None:
        """Make a described source readable under the name `view`."""
        self._has_rejects = False
        if source.format == "arrow":
            if source.batches is None:
                raise SourceError(f"{source.label} has no batches to read.")
            self._connection.register(view, source.batches())
            return
        if source.format == "catalog":
            raise SourceError(f"{source.label} can be read by the Spark engine only. Run with --engine spark.")
        paths = "[" + ", ".join(literal(path) for path in source.paths) + "]"
        if source.format == "parquet":
            self.create_view(view, f"select * from read_parquet({paths}, union_by_name = true)")
            return
        self._has_rejects = True
        self.run("drop table if exists reject_errors")  # of an earlier read; each scan of the view adds its own
        self.create_view(view, f"select * from read_csv({paths}, {_csv_options(source)})")

    def unreadable_rows(self) -> pa.Table:
        """Return the CSV rows that could not be split into columns."""
        if not self._has_rejects:
            return _UNREADABLE.empty_table()
        return self.fetch(
            "select cast(line as bigint) as row_number, min(error_type) as reason, trim(min(csv_line), chr(13) || chr(10)) as raw_row "
            "from reject_errors where scan_id = (select max(scan_id) from reject_errors) group by file_id, line order by line"
        ).cast(_UNREADABLE)

    def number_rows(self, table: str, view: str) -> None:
        """Number rows by their place in the table, which keeps the order of the source."""
        self.create_view(view, f"select rowid as line_id, * from {quoted(table)}", keep=True)

    def define(self, name: str, arguments: Sequence[str], expression: str) -> None:
        """Give SQL a function."""
        self.run(f"create or replace macro {name}({', '.join(arguments)}) as ({expression})")

    def time_expression(self, column: str, raw_type: str, order: DateOrder, formats: Sequence[str], timezone: str) -> str:
        """Return SQL that turns a quoted raw column into a local timestamp."""
        zone = literal(timezone)
        if raw_type == "timestamp_tz":
            return f"timezone({zone}, {column})"
        if raw_type in ("timestamp", "date"):
            return f"cast({column} as timestamp)"
        if order == "epoch":
            return f"timezone({zone}, timezone('UTC', time_from_epoch(try_cast({column} as double))))"
        return text_time_expression(column, order, formats, timezone)

    def row_json_expression(self, columns: Sequence[str]) -> str:
        """Return SQL for a struct of raw columns."""
        return "struct_pack(" + ", ".join(f"{quoted(name)} := {quoted(name)}" for name in columns) + ")"

    def run(self, sql: str) -> None:
        """Run one statement or several."""
        try:
            self._connection.execute(sql)
        except duckdb.Error as err:
            raise _engine_error(err, sql) from err

    def create_table(self, name: str, select: str, *, keep: bool = False) -> None:
        """Store the rows of a select under `name`; without `keep` they are not written to the warehouse file."""
        self.run(f"create or replace {'' if keep else 'temp '}table {quoted(name)} as {select}")

    def create_view(self, name: str, select: str, *, keep: bool = False) -> None:
        """Name a select."""
        self.run(f"create or replace {'' if keep else 'temp '}view {quoted(name)} as {select}")

    def write(self, name: str, rows: pa.Table, *, keep: bool = False) -> None:
        """Store Arrow rows under `name`."""
        self._connection.register("rows_to_write", rows)
        try:
            self.create_table(name, "select * from rows_to_write", keep=keep)
        finally:
            self._connection.unregister("rows_to_write")

    def map_rows(
        self,
        name: str,
        select: str,
        function: Callable[[pa.Table], pa.Table],
        schema: pa.Schema,
        *,
        keep: bool = False,
        most_rows: int = 0,
    ) -> None:
        """Store what a function makes of the rows of a select, in their order; never more than one batch is held as Arrow."""
        self.create_table("rows_to_map", select)
        self.write(name, schema.empty_table(), keep=keep)
        n_rows = self.fetch("select count(*) as n from rows_to_map").column("n")[0].as_py()
        step = most_rows or ROWS_PER_BATCH
        for start in range(0, n_rows, step):
            batch = self.fetch(f"select * from rows_to_map where rowid >= {start} and rowid < {start + step}")
            self._connection.register("rows_to_write", function(batch).cast(schema))
            try:
                self.run(f"insert into {quoted(name)} select * from rows_to_write")
            finally:
                self._connection.unregister("rows_to_write")
        self.run("drop table rows_to_map")

    def fetch(self, sql: str) -> pa.Table:
        """Return the rows of a query."""
        try:
            return self._connection.sql(sql).to_arrow_table()
        except duckdb.Error as err:
            raise _engine_error(err, sql) from err

    def export(self, folder: Path, small: Mapping[str, str], large: Mapping[str, str]) -> None:
        """Write selects as the tables of one file `snapshot.duckdb`."""
        self.run(f"attach {literal(str(folder / EXPORTED))} as published")
        for name, select in {**large, **small}.items():
            self.run(f"create table published.{quoted(name)} as {select}")
        self.run("checkpoint published")
        self.run("detach published")

    def close(self) -> None:
        """Close the warehouse file."""
        self._connection.close()


def text_time_expression(column: str, order: DateOrder, formats: Sequence[str], timezone: str) -> str:
    """Return DuckDB's SQL that reads times written as text; engines that read text otherwise run it through DuckDB."""
    zone = literal(timezone)
    text = f"trim(cast({column} as varchar))"
    readings = []
    if order == "ymd":
        # A plain cast drops an offset and takes 8 PM for 8, both without a word.
        spelled = (
            f"regexp_replace(regexp_replace({text}, '\\s*(z|utc|gmt)$', '+00', 'i'), '\\s+([+-]\\d{{2}}(:?\\d{{2}})?)$', '\\1')"
        )
        readings.append(
            f"case when lower(right({text}, 1)) = 'm' then null "
            f"when regexp_matches({text}, '\\d\\s*(z|utc|gmt|[+-]\\d{{2}}(:?\\d{{2}})?)$', 'i') and contains({text}, ':') "
            f"then timezone({zone}, try_cast({spelled} as timestamptz)) else try_cast({text} as timestamp) end"
        )
    if formats:
        readings.append(f"try_strptime({text}, [{', '.join(literal(pattern) for pattern in formats)}])")
    if not readings:
        raise EngineError(f"No way to read times of column {column} was described (order {order!r}).")
    return f"coalesce({', '.join(readings)})" if len(readings) > 1 else readings[0]


def _csv_options(source: SourceTable) -> str:
    """Return the read_csv options of a described delimited file."""
    csv = source.csv
    if csv is None:
        raise SourceError(f"{source.label} is described as CSV without a format.")
    columns = ", ".join(f"{literal(column.name)}: 'VARCHAR'" for column in source.columns)
    return (
        f"delim = {literal(csv.delimiter)}, quote = {literal(csv.quote)}, escape = {literal(csv.quote)}, "
        f"header = {str(csv.has_header).lower()}, compression = {literal(csv.compression)}, columns = {{{columns}}}, "
        "auto_detect = false, strict_mode = false, max_line_size = 16777216, ignore_errors = true, store_rejects = true, rejects_limit = 0"
    )


def _engine_error(err: duckdb.Error, sql: str) -> EngineError:
    """Return DuckDB's complaint in our words, with the SQL kept for --debug."""
    first_line = str(err).strip().splitlines()[0]
    if isinstance(err, duckdb.OutOfMemoryException):
        return EngineError(
            f"The engine ran out of memory or disk: {first_line}. Raise memory_limit under [engine] in genome.toml, "
            "or free space on the disk that holds the workspace.",
            sql,
        )
    if isinstance(err, duckdb.IOException):
        return EngineError(
            f"The engine could not read or write a file: {first_line}. Check the path, the permissions and the free disk space.",
            sql,
        )
    return EngineError(f"The engine refused a statement: {first_line}. Run again with --debug to see the SQL.", sql)


def half_of_memory_mb() -> int:
    """Return half of this machine's memory in MB, at least 512."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2048
    return max(512, total // 2_000_000)
