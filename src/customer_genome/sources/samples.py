"""What a raw table shows of itself: its columns, a sample of its values, and a way to ask about a whole column.

Comes in: files or Arrow data already found readable. Goes out: a `Sample`. Only the sample is held in memory; a whole
column is looked at by the SQL engine, and only when the sample leaves a question open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from customer_genome.contracts import CsvFormat, RawColumn
from customer_genome.errors import SourceError
from customer_genome.sources.text_formats import COMMA_DECIDES, POINT_DECIDES, STRIP_NUMBER

if TYPE_CHECKING:
    import duckdb

SAMPLE_ROWS = 4000
PLACES = 8

T = TypeVar("T")
RawType = Literal["text", "integer", "double", "decimal", "boolean", "date", "timestamp", "timestamp_tz", "other"]

OpenTable = Callable[["duckdb.DuckDBPyConnection"], str]
"""Makes a table known to a connection and returns the SQL that stands for it after `from`."""


@dataclass(frozen=True)
class Sample:
    """A raw table as far as it was looked at.

    Attributes
    ----------
    values : raw column -> non-blank values as text, at most `SAMPLE_ROWS`
    open_table : how the whole table is reached; None when it can be read only once
    """

    columns: tuple[RawColumn, ...]
    values: Mapping[str, Sequence[str]]
    open_table: OpenTable | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the raw column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def types(self) -> dict[str, str]:
        """Return the raw type of every column."""
        return {column.name: column.type for column in self.columns}


# --- making samples ----------------------------------------------------------------------------------------------


def sample_of_rows(names: Sequence[str], rows: Sequence[Sequence[str]], open_table: OpenTable | None) -> Sample:
    """Return the sample of a text table from some of its rows."""
    values = {name: [cell for cell in (row[place].strip() for row in rows) if cell] for place, name in enumerate(names)}
    return Sample(tuple(RawColumn(name, "text") for name in names), values, open_table)


def sample_of_arrow(table: pa.Table, open_table: OpenTable | None) -> Sample:
    """Return the sample of an Arrow table: rows from its start, its end and in between."""
    if table.num_rows > SAMPLE_ROWS:
        width = SAMPLE_ROWS // PLACES
        starts = [(table.num_rows - width) * place // (PLACES - 1) for place in range(PLACES)]
        table = pa.concat_tables([table.slice(start, width) for start in starts])
    columns = raw_columns(table.schema)
    values = {column.name: [] if column.type == "other" else _texts(table.column(place)) for place, column in enumerate(columns)}
    return Sample(columns, values, open_table)


def _texts(column: pa.ChunkedArray) -> list[str]:
    """Return the non-blank values of a column as text; whole numbers without a decimal point."""
    if raw_type(column.type) in ("date", "timestamp", "timestamp_tz"):
        column = column.cast(pa.string())
        return [value.removesuffix(".000000").removesuffix(".000") for value in column.to_pylist() if value]
    texts = []
    for value in column.to_pylist():
        if value is None or value != value:
            continue
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
        if text:
            texts.append(text)
    return texts


def raw_columns(schema: pa.Schema) -> tuple[RawColumn, ...]:
    """Return the columns of an Arrow or Parquet schema with their raw types."""
    return tuple(RawColumn(field.name, raw_type(field.type)) for field in schema)


def raw_type(kind: pa.DataType) -> RawType:
    """Return the raw type that stands for an Arrow type."""
    if pa.types.is_dictionary(kind):
        return raw_type(kind.value_type)
    if pa.types.is_timestamp(kind):
        return "timestamp_tz" if kind.tz else "timestamp"
    for is_kind, name in _KINDS:
        if is_kind(kind):
            return name
    return "other"


_KINDS: tuple[tuple[Callable[[pa.DataType], bool], RawType], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "double"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_date, "date"),
    (pa.types.is_string, "text"),
    (pa.types.is_large_string, "text"),
    (pa.types.is_string_view, "text"),
    (pa.types.is_null, "text"),
)


def sample_of_parquet(paths: Sequence[Path], columns: tuple[RawColumn, ...]) -> Sample:
    """Return the sample of Parquet files: the start of a few row groups, never a whole one."""
    pieces: list[pa.RecordBatch] = []
    width = SAMPLE_ROWS // PLACES
    places = _spread(paths, PLACES)
    for path in places:
        with pq.ParquetFile(path) as file:
            groups = _spread(range(file.num_row_groups), max(1, PLACES // len(places)))
            for group in groups:
                pieces.extend(_first_batch(file, group, width))
    values: dict[str, list[str]] = {column.name: [] for column in columns}
    for piece in pieces:
        sample = sample_of_arrow(pa.Table.from_batches([piece]), None)
        for name, texts in sample.values.items():
            values[name].extend(texts)
    return Sample(
        columns, values, lambda _: f"read_parquet([{', '.join(sql_text(str(path)) for path in paths)}], union_by_name=true)"
    )


def _first_batch(file: pq.ParquetFile, group: int, width: int) -> list[pa.RecordBatch]:
    return [batch for _, batch in zip(range(1), file.iter_batches(batch_size=width, row_groups=[group]), strict=False)]


def _spread(items: Sequence[T], most: int) -> list[T]:
    """Return at most `most` items from the first to the last."""
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[0]]
    return [items[(len(items) - 1) * place // (most - 1)] for place in range(most)]


# --- asking about a whole column -----------------------------------------------------------------------------------


def csv_as_table(paths: Sequence[Path], form: CsvFormat) -> OpenTable:
    """Return how text files are reached as one table of text columns."""
    files = ", ".join(sql_text(str(path)) for path in paths)
    columns = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in form.column_names)
    sql = (
        f"read_csv([{files}], auto_detect=false, delim={sql_text(form.delimiter)}, quote={sql_text(form.quote)}, "
        f"escape={sql_text(form.quote)}, header={str(form.has_header).lower()}, columns={{{columns}}}, "
        f"compression={sql_text(form.compression)}, strict_mode=false, ignore_errors=true)"
    )
    return lambda _: sql


def arrow_as_table(batches: Callable[[], pa.RecordBatchReader]) -> OpenTable:
    """Return how Arrow data that can be read again is reached as a table."""

    def register(connection: duckdb.DuckDBPyConnection) -> str:
        connection.register("raw_batches", batches())
        return "raw_batches"

    return register


def sql_text(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """Return a column name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


_PARTS_IN_SQL = r"^\s*(\d{1,2})[-/. ]\s?(\d{1,2})[-/. ]\s?(\d{2,4})"


def telling_times(sample: Sample, column: str) -> list[str]:
    """Return the values of a whole column that restrict its day and month most.

    A reading is ruled out by a large part (a month above 12, a day above 31), so the values with the largest first,
    second and third part say as much as all of them.
    """
    name = sql_name(column)
    sql = f"""
        with parts as (
            select cast({name} as varchar) as v, regexp_extract(cast({name} as varchar), $1, ['a', 'b', 'c']) as p from {{table}}
        ),
        numbers as (select v, cast(p.a as int) as a, cast(p.b as int) as b, cast(p.c as int) as c from parts where p.a <> '')
        select arg_max(v, a), arg_max(v, b), arg_max(v, c) from numbers"""
    return _asked(sample, sql, [_PARTS_IN_SQL])


def telling_numbers(sample: Sample, column: str) -> list[str]:
    """Return a value of a whole column that proves a decimal point, and one that proves a comma, where there are any."""
    name = sql_name(column)
    sql = f"""
        with bare as (
            select cast({name} as varchar) as v, regexp_replace(cast({name} as varchar), $1, '', 'g') as b from {{table}}
        )
        select min(v) filter (where regexp_matches(b, $2)), min(v) filter (where regexp_matches(b, $3)) from bare"""
    return _asked(sample, sql, [STRIP_NUMBER, POINT_DECIDES, COMMA_DECIDES])


def _asked(sample: Sample, sql: str, parameters: Sequence[str]) -> list[str]:
    """Return the values of the one row a question about the whole table gives."""
    if sample.open_table is None:
        return []
    import duckdb

    with closing(duckdb.connect()) as connection:
        try:
            table = sample.open_table(connection)
            rows = connection.execute(sql.format(table=table), list(parameters)).fetchall()
        except duckdb.Error as err:
            raise SourceError(f"The column could not be read through: {str(err).splitlines()[0]}") from err
    return [value for row in rows for value in row if value]


def patterns_that_read(values: Sequence[str], patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the strptime patterns that read any of the values as a year from 1900 on, and the values none of them reads.

    The SQL engine itself tries them, so that "reads" means here what it means later. All patterns are tried on a few
    values of every shape (digits and letters alike), the patterns that read one of those on all values.
    """
    import duckdb

    distinct = sorted(set(values))
    tries = ", ".join(f"coalesce(try_strptime(v, {sql_text(pattern)}) >= date '1900-01-01', false)" for pattern in patterns)
    with closing(duckdb.connect()) as connection:
        rows = connection.execute(f"select {tries} from (select unnest($1) as v)", [_of_every_shape(distinct)]).fetchall()
        used = [pattern for pattern, *hits in zip(patterns, *rows, strict=True) if any(hits)]
        if not used:
            return [], distinct
        unread = connection.execute(
            "select v from (select unnest($1) as v) where try_strptime(v, $2) is null order by v", [distinct, used]
        ).fetchall()
    return used, [value for (value,) in unread]


def _of_every_shape(values: Sequence[str], per_shape: int = 3, most: int = 60) -> list[str]:
    """Return a few values of every shape, such as 99/99/9999 99:99 or 9-aaa-99."""
    shapes: dict[str, list[str]] = {}
    for value in values:
        shapes.setdefault(re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value)), []).append(value)
    return [value for same in list(shapes.values())[:most] for value in _spread(same, per_shape)][:most]
