"""The engine for many machines: the same SQL texts on Spark, its tables as Parquet in a folder.

Comes in: descriptions of sources and portable SQL. Goes out: Parquet tables and Arrow. Only what is fetched reaches this
process. Tables are stored, views are asked again whenever they are read, as on DuckDB; the folder has to be one that
all workers see under the same path. Only this module and the spark_* modules beside it import pyspark.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import ClassVar, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.types import StringType, StructField, StructType

from customer_genome.contracts import CsvFormat, DateOrder, SourceTable
from customer_genome.errors import SourceError
from customer_genome.warehouse.duckdb import DuckDBEngine, text_time_expression
from customer_genome.warehouse.engine import literal, quoted
from customer_genome.warehouse.spark_functions import mapped, text_reader
from customer_genome.warehouse.spark_session import SQL_OPTIONS, open_session
from customer_genome.warehouse.spark_text import RAW_ROW, engine_error, is_readable, standard

T = TypeVar("T")
UNREADABLE = pa.schema([("row_number", pa.int64()), ("reason", pa.string()), ("raw_row", pa.string())])
_FILE, _LINE = "raw__file", "raw__line"
_PLAIN_PATH = re.compile(r"(/(?![_.])[\w.-]+)+")
_SUFFIXES = {"none": "", "gzip": ".gz", "zstd": ".zst"}
_EXPORT = {
    "compression": "zstd",
    "parquet.block.size": str(16 * 2**20),
}  # small row groups: one customer is found by their ranges
_PACKED = (".gz", ".zst", ".zstd", ".bz2", ".snappy", ".lz4", ".deflate")


@dataclass(frozen=True)
class _Unreadable:
    """Where to look for rows that could not be split: all rows as read, SQL that is true of good ones, the first row's number."""

    rows: DataFrame
    readable: str
    first_row: int


class SparkEngine:
    """A warehouse on Spark.

    Parameters
    ----------
    folder : Path or None
        Where tables are kept; on a cluster, a folder that driver and workers share. None for a temporary one.
    master : str
        "local[2]" (this machine, two cores), "spark://host:port", "yarn" or "k8s://...".
    memory_limit : str
        Memory of Java in this process, such as "4GB"; taken when Spark starts, empty for Spark's default (1 GB).
    shuffle_partitions : int
        Parts into which joins and groups are cut; 0 for 4 on this machine and Spark's default on a cluster.
    worker_python : str
        The workers' Python; it needs duckdb and pyarrow where times are read from text. Empty for this one.
    options : mapping
        Further Spark options (`spark.executor.memory`, ...), taken when Spark starts.
    is_temporary : bool or None
        Whether the folder goes when the engine is closed; by default one that was not given does.
    database : str
        Database of Spark's catalog that gets every exported table, too; empty for none.

    Raises
    ------
    SettingsError
        Java is missing or too old, or the master's address is none.
    EngineError
        The master cannot be reached, has no worker, or this process works for another master.
    """

    name = "spark"
    keeps_tables = False
    _open: ClassVar[int] = 0

    def __init__(
        self,
        folder: Path | None = None,
        *,
        master: str = "local[2]",
        memory_limit: str = "",
        shuffle_partitions: int = 0,
        worker_python: str = "",
        options: Mapping[str, str] | None = None,
        is_temporary: bool | None = None,
        database: str = "",
    ) -> None:
        self._session = open_session(master, memory_limit, options or {}, worker_python or sys.executable)
        SparkEngine._open += 1
        self._is_open = True
        self._database = database
        self._is_temporary = folder is None if is_temporary is None else is_temporary
        self._folder = (folder or Path(tempfile.mkdtemp(prefix="genome-spark-"))).absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._numbers = count()
        self._stored: dict[str, tuple[Path, StructType]] = {}
        self._unreadable: _Unreadable | None = None
        self._raw_view = ""
        partitions = shuffle_partitions or (4 if master.startswith("local") else 0)
        for name, value in {**SQL_OPTIONS, **({"spark.sql.shuffle.partitions": str(partitions)} if partitions else {})}.items():
            self._session.conf.set(name, value)
        prelude = files("customer_genome.warehouse").joinpath("prelude_spark.sql").read_text(encoding="utf-8")
        for statement in prelude.split(";\n"):
            if statement.strip():
                self.run(statement)

    # --- reading sources ---------------------------------------------------------------------------------------------

    def read(self, source: SourceTable, view: str) -> None:
        """Make a described source readable under the name `view`."""
        self._unreadable, self._raw_view = None, view
        if source.format == "csv":
            self._read_csv(source, view)
            return
        if source.format == "catalog":
            names = [quoted(name) for name in _used_columns(source)]
            self._guarded(lambda: self._session.table(source.paths[0]).selectExpr(*names).createOrReplaceTempView(view))
            return
        paths = (str(self._keep_batches(source, view)),) if source.format == "arrow" else source.paths
        names = _used_columns(source)
        self._guarded(lambda: self._union([self._parquet(path, names) for path in paths]).createOrReplaceTempView(view))

    def _keep_batches(self, source: SourceTable, view: str) -> Path:
        """Keep a stream of Arrow batches as a Parquet file, batch by batch."""
        if source.batches is None:
            raise SourceError(f"{source.label} has no batches to read.")
        folder = self._new_path(view)
        folder.mkdir(parents=True)
        path = folder / "batches.parquet"
        with (
            source.batches() as reader,
            pq.ParquetWriter(path, reader.schema, coerce_timestamps="us", allow_truncated_timestamps=True) as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)
        return path

    def _parquet(self, path: str, names: Sequence[str]) -> DataFrame:
        """Return the columns of one Parquet file; times in nanoseconds come as microseconds."""
        schema = pq.read_schema(path)
        columns = []
        for name in names:
            kind = schema.field(name).type
            if pa.types.is_timestamp(kind) and kind.unit == "ns" and self._frame_has_long(path, name):
                at = f"timestamp_micros({quoted(name)} div 1000)"
                columns.append(f"{at if kind.tz else f'cast({at} as timestamp)'} as {quoted(name)}")
            else:
                columns.append(quoted(name))
        return self._session.read.parquet(self._reachable(path, "")).selectExpr(*columns)

    def _frame_has_long(self, path: str, name: str) -> bool:
        """Return whether Spark sees a column as a plain number (INT96 times are times to it)."""
        return self._session.read.parquet(self._reachable(path, "")).schema[name].dataType.simpleString() == "bigint"

    def _read_csv(self, source: SourceTable, view: str) -> None:
        """Read delimited files as text; rows that could not be split are looked for when they are asked for."""
        form = source.csv
        if form is None:
            raise SourceError(f"{source.label} is described as CSV without a format.")
        names = [column.name for column in source.columns]
        rows = self._guarded(lambda: self._union([self._csv_rows(n, path, form, names) for n, path in enumerate(source.paths)]))
        readable = is_readable(form, names)
        self._guarded(lambda: rows.where(standard(readable)).selectExpr(*map(quoted, names)).createOrReplaceTempView(view))
        self._unreadable = _Unreadable(rows, readable, 2 if form.has_header else 1)

    def _csv_rows(self, number: int, path: str, form: CsvFormat, names: Sequence[str]) -> DataFrame:
        """Return the rows of one delimited file as text, with the raw row where its width is another."""
        reachable = self._reachable(path, _SUFFIXES[form.compression])
        rows = (
            self._session.read.schema(StructType([StructField(name, StringType()) for name in (*names, RAW_ROW)]))
            .option("sep", form.delimiter)
            .option("quote", form.quote)
            .option("escape", form.quote)
            .option("header", form.has_header)
            .option("multiLine", self._has_long_rows(reachable, form))
            .option("mode", "PERMISSIVE")
            .option("columnNameOfCorruptRecord", RAW_ROW)
            .option("encoding", "UTF-8")
        )
        return rows.csv(reachable).selectExpr("*", f"{number} as {_FILE}")

    def _has_long_rows(self, reachable: str, form: CsvFormat) -> bool:
        """Return whether quoted texts run over line ends: then one worker has to read the file from start to end."""
        if not form.quote:
            return False
        odd = f"(length(value) - length(replace(value, {literal(form.quote)}, ''))) % 2 = 1"
        return bool(self._session.read.text(reachable).where(standard(odd)).limit(1).count())

    def _reachable(self, path: str, suffix: str) -> str:
        """Return a file's URI, by a link with a plain name where Spark would take its own for a pattern, hidden or packed."""
        real = Path(path).absolute()
        is_honest = real.name.endswith(suffix) if suffix else not real.name.lower().endswith(_PACKED)
        if _PLAIN_PATH.fullmatch(str(real)) and is_honest:
            return real.as_uri()
        folder = self._new_path("link")
        folder.mkdir(parents=True)
        link = folder / f"source{suffix}"
        link.symlink_to(real)
        return link.as_uri()

    def _union(self, frames: Sequence[DataFrame]) -> DataFrame:
        """Return frames below each other, in order: file by file, so that row order is source order."""
        whole = frames[0]
        for frame in frames[1:]:
            whole = whole.unionByName(frame)
        return whole

    def unreadable_rows(self) -> pa.Table:
        """Return the CSV rows that could not be split into columns; the header is row 1 of its file."""
        asked = self._unreadable
        if asked is None or not self._guarded(lambda: asked.rows.where(standard(f"not {asked.readable}")).limit(1).count()):
            return UNREADABLE.empty_table()
        self._store("raw_rows", lambda: asked.rows)
        self._guarded(lambda: self._numbered("raw_rows", _LINE).createOrReplaceTempView("numbered_raw_rows"))
        found = self.fetch(
            f"with firsts as (select {_FILE}, min({_LINE}) as first_line from numbered_raw_rows group by {_FILE}) "
            f"select cast(r.{_LINE} - f.first_line + {asked.first_row} as bigint) as row_number, r.{RAW_ROW} as raw_row "
            f"from numbered_raw_rows as r inner join firsts as f on r.{_FILE} = f.{_FILE} "
            f"where not {asked.readable} order by r.{_LINE}"
        )
        raw_rows = pc.utf8_trim(found["raw_row"], "\r\n")
        return pa.table([found["row_number"], ["MISSING COLUMNS"] * found.num_rows, raw_rows], schema=UNREADABLE)

    def number_rows(self, table: str, view: str) -> None:
        """Number the stored rows by file and place in it: parts are written in the order in which they were read."""
        self._guarded(lambda: self._numbered(table, "line_id").createOrReplaceTempView(view))

    def _numbered(self, table: str, column: str) -> DataFrame:
        """Return a stored table with the position of each row from 0."""
        path, schema = self._stored[table]
        parts = {int(part.name.split("-")[1]): pq.read_metadata(part).num_rows for part in path.glob("part-*.parquet")}
        firsts, so_far = [], 0
        for number in range(max(parts, default=-1) + 1):
            firsts.append(f"{so_far}L")
            so_far += parts.get(number, 0)
        part = "cast(split_part(_metadata.file_name, '-', 2) as int)"
        place = f"element_at(array({', '.join(firsts) or '0L'}), {part} + 1) + _metadata.row_index as {column}"
        return self._session.read.schema(schema).parquet(path.as_uri()).selectExpr(place, "*")

    # --- expressions -------------------------------------------------------------------------------------------------

    def define(self, name: str, arguments: Sequence[str], expression: str) -> None:
        """Give SQL a function of texts."""
        typed = ", ".join(f"{argument} string" for argument in arguments)
        self.run(f"create or replace temporary function {name}({typed}) return ({expression})")

    def time_expression(self, column: str, raw_type: str, order: DateOrder, formats: Sequence[str], timezone: str) -> str:
        """Return SQL that turns a quoted raw column into a local timestamp; text is read by DuckDB on the workers."""
        zone = literal(timezone)
        if raw_type == "timestamp_tz":
            return f"convert_timezone('UTC', {zone}, cast({column} as timestamp))"
        if raw_type in ("timestamp", "date"):
            return f"cast({column} as timestamp)"
        if order == "epoch":
            return f"convert_timezone('UTC', {zone}, time_from_epoch(try_cast({column} as double)))"
        name = f"time_of_text_{next(self._numbers)}"
        self._session.udf.register(name, text_reader(text_time_expression("value", order, formats, timezone)))
        return f"{name}({f'number_text({column})' if raw_type == 'double' else f'cast({column} as string)'})"

    def row_json_expression(self, columns: Sequence[str]) -> str:
        """Return SQL for a struct of raw columns, and give `row_json` the type of this struct."""
        types = {field.name: field.dataType.simpleString() for field in self._session.table(self._raw_view).schema}
        kept = {name: kind if kind in _JSON_TYPES or kind.startswith("decimal") else "string" for name, kind in types.items()}
        fields = ", ".join(f"{quoted(name)}: {kept[name]}" for name in columns)
        self.run(
            f"create or replace temporary function row_json(s struct<{fields}>) returns string "
            "return to_json(s, map('ignoreNullFields', 'false'))"
        )
        values = ", ".join(f"{literal(name)}, cast({quoted(name)} as {kept[name]})" for name in columns)
        return f"named_struct({values})"

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, sql: str) -> None:
        """Run one statement."""
        self._guarded(lambda: self._session.sql(standard(sql)), sql)

    def create_table(self, name: str, select: str, *, keep: bool = False) -> None:
        """Store the rows of a select as Parquet under `name`; all tables last until the engine's folder goes."""
        self._store(name, lambda: self._session.sql(standard(select)), select)

    def create_view(self, name: str, select: str, *, keep: bool = False) -> None:
        """Name a select."""
        self.run(f"create or replace temporary view {quoted(name)} as {select}")

    def write(self, name: str, rows: pa.Table, *, keep: bool = False) -> None:
        """Store Arrow rows under `name`."""
        self._store(name, lambda: self._session.createDataFrame(rows))

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
        """Store what a function makes of the rows of a select; the workers apply it to their parts, nothing comes here."""
        self._store(name, lambda: mapped(self._session.sql(standard(select)), function, schema, most_rows), select)

    def fetch(self, sql: str) -> pa.Table:
        """Return the rows of a query."""
        return self._guarded(lambda: self._session.sql(standard(sql)).toArrow(), sql)

    def export(self, folder: Path, small: Mapping[str, str], large: Mapping[str, str]) -> None:
        """Write large selects as folders of Parquet files, sorted, and fetch the small ones into `snapshot.duckdb`.

        The workers write into the shared folder; from there the files are moved, so only this process needs to see `folder`.
        """
        for name, select in large.items():
            self._export_files(select, folder / name)
        if small:
            file = DuckDBEngine(folder / "snapshot.duckdb", threads=1)
            try:
                for name, select in small.items():
                    file.write(name, self.fetch(select), keep=True)
            finally:
                file.close()
        if self._database:
            self._guarded(lambda: self._export_to_catalog({**small, **large}))

    def _export_to_catalog(self, tables: Mapping[str, str]) -> None:
        """Replace tables of the catalog's database, one after another; other tables in it stay."""
        self._session.sql(f"create database if not exists {self._database}")
        for name, select in tables.items():
            rows = self._session.sql(standard(select))
            rows.write.mode("overwrite").saveAsTable(f"{self._database}.{name}")

    def _export_files(self, select: str, target: Path) -> None:
        """Write a select as Parquet files in order of its rows."""
        written = self._new_path("export")
        self._guarded(lambda: self._session.sql(standard(select)).write.options(**_EXPORT).parquet(written.as_uri()), select)
        target.mkdir(parents=True)
        for number, part in enumerate(sorted(written.glob("part-*.parquet"))):
            shutil.move(part, target / f"part-{number:05d}.parquet")
        shutil.rmtree(written)

    def close(self) -> None:
        """Forget the tables; stop Spark when no other engine of this process uses it."""
        if not self._is_open:
            return
        self._is_open = False
        SparkEngine._open -= 1
        if SparkEngine._open == 0:
            self._session.stop()
        if self._is_temporary:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _store(self, name: str, frame: Callable[[], DataFrame], sql: str = "") -> None:
        """Write a frame to a new folder, let `name` mean it, and remove what `name` meant before."""
        path = self._new_path(name)

        def store() -> StructType:
            rows = frame()
            rows.write.parquet(path.as_uri())
            self._session.read.schema(rows.schema).parquet(path.as_uri()).createOrReplaceTempView(name)
            return rows.schema

        schema = self._guarded(store, sql)
        before = self._stored.pop(name, None)
        self._stored[name] = path, schema
        if before is not None:
            shutil.rmtree(before[0], ignore_errors=True)

    def _new_path(self, name: str) -> Path:
        """Return a folder that nothing has used yet."""
        while (path := self._folder / f"{name}-{next(self._numbers)}").exists():
            pass
        return path

    def _guarded(self, work: Callable[[], T], sql: str = "") -> T:
        """Do something with Spark and turn its complaints into ours."""
        try:
            return work()
        except (PySparkException, Py4JError) as err:
            raise engine_error(err, sql) from err


def _used_columns(source: SourceTable) -> list[str]:
    """Return the columns of a typed source that are mapped, or of a kind that SQL can keep."""
    used = {raw for names in source.mapping.values() for raw in names}
    return [column.name for column in source.columns if column.type != "other" or column.name in used]


_JSON_TYPES = frozenset({"boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "string"})
