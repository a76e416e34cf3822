"""The Engine protocol: where SQL runs.

An engine reads described sources, runs the portable SQL texts, and hands results out as Arrow. Everything above this
module speaks only of tables and of the function names of the prelude, so that one text serves every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from customer_genome.contracts import DateOrder, SourceTable


class Engine(Protocol):
    """What the warehouse, the features and the pipeline need from a place where SQL runs."""

    name: str
    keeps_tables: bool
    """Whether tables stored with `keep` outlive the engine, in the warehouse file of the workspace."""

    def read(self, source: SourceTable, view: str) -> None:
        """Make a described source readable under the name `view`, with the columns it came with."""
        ...

    def unreadable_rows(self) -> pa.Table:
        """Return the rows that the last `read` could not split into columns: row_number, reason, raw_row."""
        ...

    def number_rows(self, table: str, view: str) -> None:
        """Make `view`: the rows of `table` with `line_id`, their position in the source from 0."""
        ...

    def define(self, name: str, arguments: Sequence[str], expression: str) -> None:
        """Give SQL a function `name(arguments)`; the expression uses prelude functions and literals only."""
        ...

    def time_expression(self, column: str, raw_type: str, order: DateOrder, formats: Sequence[str], timezone: str) -> str:
        """Return SQL that turns a quoted raw column into a local timestamp, null where it cannot be read."""
        ...

    def row_json_expression(self, columns: Sequence[str]) -> str:
        """Return SQL for a struct of raw columns that `row_json` turns into text when it is needed."""
        ...

    def run(self, sql: str) -> None:
        """Run one statement."""
        ...

    def create_table(self, name: str, select: str, *, keep: bool = False) -> None:
        """Store the rows of a select under `name` for the time of the run, or for good, replacing what stood there."""
        ...

    def create_view(self, name: str, select: str, *, keep: bool = False) -> None:
        """Name a select for the time of the run, or for good, replacing what stood there."""
        ...

    def write(self, name: str, rows: pa.Table, *, keep: bool = False) -> None:
        """Store Arrow rows under `name` for the time of the run, or for good, replacing what stood there."""
        ...

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
        """Store under `name` what a function makes of the rows of a select, batch by batch.

        Output rows, none or several, depend on their own input row only, so the size of the batches, which the engine
        chooses, changes nothing; `most_rows` limits it where much is made of a row. What the function returns is cast to `schema`; of no rows an empty table is made without calling it.
        """
        ...

    def fetch(self, sql: str) -> pa.Table:
        """Return the rows of a query."""
        ...

    def export(self, folder: Path, small: Mapping[str, str], large: Mapping[str, str]) -> None:
        """Write selects as published tables into a folder: one file `snapshot.duckdb`, or a folder of Parquet files for
        each large table beside it. Rows of a large table never pass through this process on an engine of many machines.

        Parameters
        ----------
        small, large : name -> select
            A large select ends in an order; it becomes the order of the rows in the files.
        """
        ...

    def close(self) -> None:
        """Release files, memory and processes."""
        ...


def quoted(name: str) -> str:
    """Return an identifier in double quotes.

    Examples
    --------
    >>> quoted('Customer "ID"')
    '"Customer ""ID\"""'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a SQL text literal.

    Examples
    --------
    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"
