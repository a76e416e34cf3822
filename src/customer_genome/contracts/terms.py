"""What a contract is, and how a source describes a raw table to an engine.

Comes in: nothing. Goes out: the types in which tables are described. This module touches no file, database or setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

ColumnType = Literal["text", "timestamp", "date", "decimal", "double", "integer", "boolean"]


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    `synonyms` are the other header names under which shops export this column; they are compared without case,
    spaces, underscores, hyphens and dots. `minimum` is inclusive.
    """

    name: str
    type: ColumnType
    about: str
    unit: str = ""
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """A table: its grain in words, its columns, its key, and what must add up."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    extra_columns: bool = False

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError when the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in contract order."""
        return tuple(column.name for column in self.columns)


DateOrder = Literal["typed", "ymd", "dmy", "mdy", "epoch"]


@dataclass(frozen=True)
class RawColumn:
    """A column as it stands in the source: its header and its type (`text` for every CSV column)."""

    name: str
    type: Literal["text", "integer", "double", "decimal", "boolean", "date", "timestamp", "timestamp_tz", "other"]


@dataclass(frozen=True)
class CsvFormat:
    """How a delimited text file is read.

    `column_names` are the columns in file order, under which the engine reads them; with `has_header` the header line is
    skipped (its names may be blank or padded). Empty only where a description is made by hand: then the header is used.
    """

    delimiter: str = ","
    quote: str = '"'
    has_header: bool = True
    compression: Literal["none", "gzip", "zstd"] = "none"
    column_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceTable:
    """A raw table: where it is, how it is read, and which of its columns mean what.

    Attributes
    ----------
    table : str
        The contract it feeds ("order_lines", "customers", ...).
    label : str
        What people call it in messages (a file name, "table shop.lines in PostgreSQL"); never holds a password.
    format : str
        "csv" and "parquet" are read by the engine itself from `paths`; "arrow" comes from `batches`; "catalog" is a table that
        Spark knows by the name in `paths`.
    mapping : contract column -> raw columns
        One raw column, or several numeric ones that are added up (discounts split over columns).
    date_orders : contract column -> how its text is read
        "typed" when the source has real times. "ymd" also stands for compact dates such as 19970101.
    time_formats : contract column -> strptime patterns
        Those seen in the sample first, then the others of the same order. Empty for "typed", "epoch" and ISO text.
    decimal_mark : "." or ","
        How numbers in text are written; the other mark is then a thousands separator.
    notices : tuple of str
        Things the user should be told: what was assumed, what is switched off and why.
    currency : str
        Code of its money, where the source is known to be in one (public data).
    expected_rows : int, optional
        How many rows the source is known to have (public data); another number stops the run.
    origins : tuple of str
        The files behind the source as the user knows them; `paths` may be clean copies. Empty for databases and Arrow.
    told_once : tuple of str
        Contract columns whose value stands on one line of an order and holds for all of its lines.
    has_money : bool
        False for ratings read as order lines: every line is an event, none has a price.
    """

    table: str
    label: str
    format: Literal["csv", "parquet", "arrow", "catalog"]
    columns: tuple[RawColumn, ...]
    mapping: Mapping[str, tuple[str, ...]]
    paths: tuple[str, ...] = ()
    csv: CsvFormat | None = None
    batches: Callable[[], pa.RecordBatchReader] | None = None
    date_orders: Mapping[str, DateOrder] = field(default_factory=dict)
    time_formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decimal_mark: Literal[".", ","] = "."
    notices: tuple[str, ...] = ()
    currency: str = ""
    expected_rows: int | None = None
    origins: tuple[str, ...] = ()
    told_once: tuple[str, ...] = ()
    has_money: bool = True

    def raw_type(self, name: str) -> str:
        """Return the type of the raw column called `name`."""
        for column in self.columns:
            if column.name == name:
                return column.type
        raise KeyError(name)
