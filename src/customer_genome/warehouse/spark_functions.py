"""What Spark's workers do in Python: read times from text through DuckDB, and apply a function to the rows of a select.

Comes in: an expression, or a function of Arrow tables. Goes out: functions that Spark sends to its workers, whose Python
needs this package. They see one batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql.classic.dataframe import DataFrame as ClassicFrame
from pyspark.sql.pandas.functions import arrow_udf
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import TimestampNTZType
from pyspark.sql.udf import UserDefinedFunction
from pyspark.util import PythonEvalType


def text_reader(expression: str) -> Callable[..., Column]:
    """Return a function for SQL that reads times by DuckDB's expression over the column `value`, a batch at a time."""

    def read_times(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        import duckdb
        import pyarrow

        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for batch in batches:
                connection.register("texts", pyarrow.table({"value": batch}))
                times = connection.sql(f"select {expression} as at from texts").to_arrow_table()["at"]
                connection.unregister("texts")
                yield times.combine_chunks()

    reader: Callable[..., Column] = arrow_udf(read_times, TimestampNTZType())  # type: ignore[call-overload]
    return reader


def mapped(rows: DataFrame, function: Callable[[pa.Table], pa.Table], schema: pa.Schema, most_rows: int = 0) -> DataFrame:
    """Return what workers make of their parts of `rows`: the function, batch by batch, its rows cast to `schema`.

    It is `DataFrame.mapInArrow` without its demand for pandas, which plays no part in it.
    """

    def apply(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow

        for batch in batches:
            for start in range(0, batch.num_rows, most_rows or max(batch.num_rows, 1)):
                part = batch.slice(start, most_rows or None)
                yield from function(pyarrow.Table.from_batches([part])).cast(schema).combine_chunks().to_batches()

    mapper = UserDefinedFunction(apply, from_arrow_schema(schema), evalType=PythonEvalType.SQL_MAP_ARROW_ITER_UDF)
    column: Any = mapper(*(rows[quoted_by_ticks(name)] for name in rows.columns))
    frame: Any = rows
    return ClassicFrame(frame._jdf.mapInArrow(column._jc, False, None), rows.sparkSession)


def quoted_by_ticks(name: str) -> str:
    """Return a column name as a frame takes it literally: dots are no fields."""
    return "`" + name.replace("`", "``") + "`"
