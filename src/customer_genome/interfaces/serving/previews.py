"""What a file would become, before anything is run: its columns, the mapping proposed, and where its first rows would go.

Comes in: an uploaded file and what the visitor said about it. Goes out: a `Draft` to correct and a `Preview` to judge, in the product's
own words and by its own rules: the same header matching, the same text that classes rows. Nothing is published or kept but the
mapping, beside the file.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from customer_genome.contracts import INPUT_TABLES, SourceTable
from customer_genome.errors import GenomeError
from customer_genome.interfaces.recipes import Recipe
from customer_genome.interfaces.serving.uploads import Upload
from customer_genome.settings import Settings, TableSettings, read_settings
from customer_genome.workspace import Workspace

Table = Literal["order_lines", "customer_totals"]
TABLES: Mapping[Table, str] = {"order_lines": "a line of an order", "customer_totals": "a customer with totals"}
LEVELS: Mapping[Table, str] = {"order_lines": "orders", "customer_totals": "customers"}
MOST_ROWS = 200_000
"""Rows that a preview classes; a smaller file is classed whole."""
SHOWN_ROWS, SHOWN_PER_CLASS = 8, 3
_MEMORY, _THREADS = "600MB", 1
_AS_READ = (
    "customer_id",
    "ordered_at",
    "order_id",
    "product_id",
    "description",
    "quantity",
    "price",
    "revenue",
    "country",
    "category",
)
_NO_REFUNDS = "select cast(null as boolean) as is_whole, cast(0 as decimal(18, 4)) as revenue where false"


@dataclass(frozen=True)
class Reading:
    """How a file is read where it cannot tell by itself; empty values leave it to the file."""

    date_order: str = ""
    decimal_mark: str = ""
    delimiter: str = ""
    encoding: str = ""

    def settings(self, columns: Mapping[str, tuple[str, ...]] | None = None, has_header: bool | None = None) -> TableSettings:
        """Return the same as settings of a table."""
        given: dict[str, Any] = {name: value for name, value in self.__dict__.items() if value}
        return TableSettings(columns=columns or {}, has_header=has_header, **given)


@dataclass(frozen=True)
class Field:
    """One column of the contract in the mapping form."""

    name: str
    about: str
    headers: tuple[str, ...]
    examples: tuple[str, ...]
    remark: str
    is_required: bool
    can_add: bool


@dataclass(frozen=True)
class Draft:
    """What a file is taken for.

    Attributes
    ----------
    looks_like : the table it most likely is, also where that is neither of the two that can be run
    headers : all columns of the file -> some of their values
    has_header : False where the file has no header line; None where it has
    """

    table: Table
    looks_like: str
    reason: str
    headers: Mapping[str, tuple[str, ...]]
    fields: tuple[Field, ...]
    questions: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    has_header: bool | None = None


def propose_mapping(upload: Upload, table: Table | None, reading: Reading) -> Draft:
    """Return what a file is taken for.

    Parameters
    ----------
    table : what each row is, when the visitor says so

    Raises
    ------
    GenomeError
        When the file cannot be read as a table at all.
    """
    from customer_genome.sources.proposal import propose

    seen = propose(upload.path, upload.tmp, settings=reading.settings())
    looks_like = seen.table
    wanted: Table = table or ("customer_totals" if looks_like == "customer_totals" else "order_lines")
    if wanted != looks_like:
        seen = propose(upload.path, upload.tmp, table=wanted, settings=reading.settings())
    contract = INPUT_TABLES[wanted]
    fields = tuple(
        Field(
            column.name,
            column.about,
            column.headers,
            column.examples,
            column.reason,
            column.name in contract.required,
            contract.column(column.name).type in ("decimal", "double", "integer"),
        )
        for column in seen.columns
    )
    mapped = {header: one.examples for one in fields for header in one.headers}
    return Draft(
        wanted,
        looks_like,
        seen.reason,
        mapped | dict(seen.unused),
        fields,
        seen.questions,
        seen.notices,
        seen.settings.has_header,
    )


@dataclass(frozen=True)
class Preview:
    """Where the rows of a file would go.

    Attributes
    ----------
    n_rows : rows looked at
    is_whole : whether these are all
    classes : row_class, n_rows, revenue; in rows and money they add up to `n_rows`
    rows : some rows as they were read: the first, and a few of every class that is not kept
    customers, first_day, last_day : of the kept rows; the days are None for totals
    """

    n_rows: int
    is_whole: bool
    classes: tuple[Mapping[str, Any], ...]
    rows: pa.Table
    customers: int
    notices: tuple[str, ...] = ()
    first_day: dt.date | None = None
    last_day: dt.date | None = None
    mapping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """Rows that would count."""
        return sum(int(row["n_rows"]) for row in self.classes if row["row_class"] == "kept")


def preview(
    upload: Upload,
    workspace: Workspace,
    table: Table,
    columns: Mapping[str, tuple[str, ...]],
    reading: Reading,
    has_header: bool | None,
) -> Preview:
    """Return where the first rows of a file would go under a mapping.

    Raises
    ------
    GenomeError
        When a run would stop: a column is missing, or only the visitor can say how times or numbers are meant.
    """
    settings = reading.settings(columns, has_header)
    work = upload.tmp / "preview"
    shutil.rmtree(work, ignore_errors=True)
    try:
        if table == "customer_totals":
            return _of_totals(upload, workspace, settings, work)
        return _of_lines(upload, read_settings(workspace.root), workspace, settings, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _of_lines(upload: Upload, settings: Settings, workspace: Workspace, table: TableSettings, work: Path) -> Preview:
    """Return the preview of order lines."""
    from customer_genome.rules import read_not_merchandise
    from customer_genome.sources.files import describe_file
    from customer_genome.warehouse.build import NotMerchandise, mart_text, stage_lines
    from customer_genome.warehouse.duckdb import DuckDBEngine

    source = describe_file(upload.path, "order_lines", table, upload.tmp)
    head, unreadable, is_whole = _head(source, work)
    salt, digests = workspace.forgotten()
    rules = NotMerchandise(*read_not_merchandise(settings.cleaning.not_merchandise))
    engine = DuckDBEngine(None, _MEMORY, _THREADS, work)
    with closing(engine):
        stage_lines(
            engine,
            head,
            settings.cleaning,
            settings.shop,
            today=dt.date.today(),
            not_merchandise=rules,
            salt=salt,
            forgotten=digests,
        )
        engine.write("unreadable_lines", unreadable)
        engine.create_view("refunds_now", _NO_REFUNDS)
        classes = engine.fetch(mart_text("ledger")).to_pylist()
        kept = engine.fetch(
            "select count(distinct customer_id) as n, min(ordered_on) as a, max(ordered_on) as b from order_lines"
        ).to_pylist()[0]
        known = [name for name in _AS_READ if name in source.mapping or name == "revenue"]
        rows = engine.fetch(_shown_rows(known))
    return Preview(
        sum(row["n_rows"] for row in classes),
        is_whole,
        tuple(classes),
        rows,
        kept["n"],
        source.notices,
        kept["a"],
        kept["b"],
        source.mapping,
    )


def _shown_rows(columns: Sequence[str]) -> str:
    """Return SQL for the first rows and a few of every class that is not kept."""
    return (
        "with classed as (select l.*, coalesce(case when l.row_class = 'kept' and r.line_id is not null then 'duplicate' end, l.row_class) as found "
        "from numbered_lines as l left join (select distinct line_id from repeated_lines where row_class = 'kept') as r on l.line_id = r.line_id), "
        "placed as (select *, row_number() over (partition by found order by line_id) as place from classed) "
        f"select line_id + 1 as row_number, found as row_class, {', '.join(columns)} from placed "
        f"where line_id < {SHOWN_ROWS} or (found <> 'kept' and place <= {SHOWN_PER_CLASS}) order by line_id limit 40"
    )


def _of_totals(upload: Upload, workspace: Workspace, table: TableSettings, work: Path) -> Preview:
    """Return the preview of customers with totals."""
    from customer_genome.sources.customer_level import describe_data, own_results
    from customer_genome.warehouse.customer_totals import stage_totals
    from customer_genome.warehouse.duckdb import DuckDBEngine

    _, source = describe_data(str(upload.path), {"customer_totals": table}, upload.tmp, "customers")
    head, unreadable, is_whole = _head(source, work)
    salt, digests = workspace.forgotten()
    engine = DuckDBEngine(None, _MEMORY, _THREADS, work)
    with closing(engine):
        stage_totals(engine, head, leave_out=own_results(source), salt=salt, forgotten=digests)
        classes = engine.fetch("select * from ledger").to_pylist()
        if unreadable.num_rows:
            classes.append({"row_class": "unreadable", "n_rows": unreadable.num_rows, "revenue": 0})
        rows = engine.fetch(
            "with placed as (select *, row_number() over (partition by row_class order by line_id) as place from totals) "
            "select line_id + 1 as row_number, row_class, customer_id, n_orders, total_spend, mean_order_value, recency_days from placed "
            f"where line_id < {SHOWN_ROWS} or (row_class <> 'kept' and place <= {SHOWN_PER_CLASS}) order by line_id limit 40"
        )
        customers = engine.fetch("select count(distinct customer_id) as n from totals where row_class = 'kept'").to_pylist()[0][
            "n"
        ]
    return Preview(
        sum(row["n_rows"] for row in classes), is_whole, tuple(classes), rows, customers, source.notices, mapping=source.mapping
    )


def _head(source: SourceTable, work: Path) -> tuple[SourceTable, pa.Table, bool]:
    """Return the first rows of a source as a source, its rows that cannot be split into columns, and whether these are all rows."""
    from customer_genome.warehouse.duckdb import DuckDBEngine

    work.mkdir(parents=True, exist_ok=True)
    with closing(DuckDBEngine(None, _MEMORY, _THREADS, work)) as engine:
        engine.read(source, "raw_head")
        head = engine.fetch(f"select * from raw_head limit {MOST_ROWS + 1}")
        unreadable = engine.unreadable_rows()
    is_whole = head.num_rows <= MOST_ROWS
    head = head.slice(0, MOST_ROWS)
    return replace(source, format="arrow", paths=(), csv=None, batches=head.to_reader, expected_rows=None), unreadable, is_whole


def write_mapping(
    upload: Upload, table: Table, columns: Mapping[str, tuple[str, ...]], reading: Reading, has_header: bool | None
) -> Path:
    """Write the mapping beside the file, for `genome run --mapping`; return its path."""
    from customer_genome.sources.proposal import toml_text

    lines = [f"[tables.{table}]"]
    lines += [f"{name} = {toml_text(value)}" for name, value in reading.__dict__.items() if value]
    if has_header is not None:
        lines.append(f"has_header = {str(has_header).lower()}")
    lines += ["", f"[tables.{table}.columns]"]
    lines += [f"{name} = [{', '.join(toml_text(header) for header in headers)}]" for name, headers in columns.items()]
    path = upload.folder / "mapping.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    path.chmod(0o600)
    return path


def recipe_of(upload: Upload, table: Table, mapping: Path) -> Recipe:
    """Return what `genome run` is told to read the file as it was mapped."""
    return Recipe(str(upload.path), {"mapping": str(mapping), "level": LEVELS[table]})


def words_of(upload: Upload, err: GenomeError) -> str:
    """Return an error about a file in the visitor's terms: its own name, and the place on this page where an answer is given."""
    text = upload.in_words(str(err))
    if "date_order" in text or "decimal_mark" in text:
        text += "\nOn this page: answer it under How dates and numbers are written."
    elif "in the header of" in text or "has no column" in text:
        text += "\nOn this page: choose the columns in the form."
    return text
