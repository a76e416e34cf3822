"""What a warehouse remembers of what was loaded into it: which files, how they were read, which rows came when.

Comes in: an engine whose warehouse holds staged lines, settings and described sources. Goes out: three small tables that
travel with the warehouse (`deliveries`, `loaded_files`, `staging`), and what they say. A run writes them anew, a refresh adds
to them; `deliveries` is published. No row of a customer stands in them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError, WorkspaceError
from customer_genome.rules import read_category_rules, read_not_merchandise, read_playbooks
from customer_genome.settings import Settings, settings_as_json
from customer_genome.sources.arrivals import FileMark, LoadedFile, known_again
from customer_genome.sources.same_schema import StagedTable
from customer_genome.version import __version__
from customer_genome.warehouse.build import finds_duplicates
from customer_genome.warehouse.engine import Engine

_MOST_NAMES = 20
_DELIVERIES = pa.schema(
    [
        ("delivery", pa.int64()),
        ("delivered_at", pa.timestamp("us")),
        ("label", pa.string()),
        ("files", pa.string()),
        ("n_files", pa.int64()),
        ("rows_read", pa.int64()),
        ("rows_added", pa.int64()),
        ("rows_seen", pa.int64()),
        ("first_row", pa.int64()),
    ]
)
_FILES = pa.schema([("path", pa.string()), ("size", pa.int64()), ("modified_ns", pa.int64()), ("digest", pa.string())])


@dataclass(frozen=True)
class Delivery:
    """What one run or refresh read.

    Attributes
    ----------
    rows_read : input rows parsed, unreadable ones included
    rows_added : rows that the warehouse did not hold
    first_row : row number of the first added row; the others follow it
    files_skipped : files of the source whose rows are all loaded; they are not opened as tables
    warehouse : name of the state of the warehouse after it
    """

    label: str = ""
    rows_read: int = 0
    rows_added: int = 0
    first_row: int = 1
    files_read: tuple[str, ...] = ()
    files_skipped: tuple[str, ...] = ()
    warehouse: str = ""

    @property
    def rows_seen(self) -> int:
        """Rows that the warehouse held already."""
        return self.rows_read - self.rows_added

    def figures(self) -> dict[str, Any]:
        """Return what a result says of the delivery."""
        return {
            "rows_read": self.rows_read,
            "rows_added": self.rows_added,
            "rows_seen": self.rows_seen,
            "files_read": self.files_read,
            "files_skipped": self.files_skipped,
        }


@dataclass(frozen=True)
class Staging:
    """How the rows of a warehouse were read and classed.

    Attributes
    ----------
    warehouse : name of this state of the warehouse; a version says from which one it was made
    tables : input table -> how it was read
    rules : every setting on which the class or the money of a row depends
    finds_duplicates : whether equal lines are one line sent twice
    """

    warehouse: str
    tables: Mapping[str, StagedTable]
    rules: Mapping[str, Any]
    finds_duplicates: bool

    def sources(self) -> dict[str, SourceTable]:
        """Return descriptions that say what the columns of every table mean; their rows are loaded already."""
        return {name: table.without_rows() for name, table in self.tables.items()}


def marks_of(source: SourceTable) -> tuple[FileMark, ...]:
    """Return the marks of the files of a source, to be taken before they are read."""
    return tuple(FileMark.of(path) for path in source.origins)


def remember_run(engine: Engine, settings: Settings, sources: Mapping[str, SourceTable], marks: Sequence[FileMark]) -> Delivery:
    """Remember the rows of a run as the first delivery of a new warehouse; return it.

    Parameters
    ----------
    marks : of the files of the order lines, taken before they were read
    """
    lines = sources["order_lines"]
    counted = engine.fetch("select (select count(*) from lines) + (select count(*) from unreadable_lines) as n").to_pylist()[0]
    staging = Staging(
        _new_name(),
        {name: StagedTable.of(source) for name, source in sources.items()},
        staging_rules(settings),
        finds_duplicates(lines, settings.cleaning),
    )
    delivery = Delivery(lines.label, counted["n"], counted["n"], 1, lines.origins, (), staging.warehouse)
    files = known_again([mark.digested() for mark in marks], ()) if engine.keeps_tables else ()
    engine.write("loaded_files", pa.Table.from_pylist([asdict(file) for file in files], schema=_FILES), keep=True)
    engine.write("deliveries", pa.Table.from_pylist([_row_of(delivery, 1)], schema=_DELIVERIES), keep=True)
    _remember_staging(engine, staging)
    return delivery


def remember_refresh(
    engine: Engine,
    staging: Staging,
    delivery: Delivery,
    files: Sequence[LoadedFile],
    side_tables: Mapping[str, SourceTable],
    *,
    is_changed: bool,
) -> Delivery:
    """Add a delivery to what is remembered; return it.

    Parameters
    ----------
    files : all that are loaded now
    side_tables : those that were read anew
    is_changed : whether any row of the warehouse is new or another
    """
    engine.write("loaded_files", pa.Table.from_pylist([asdict(file) for file in files], schema=_FILES), keep=True)
    if delivery.rows_read:
        known = history_of(engine).cast(_DELIVERIES)
        row = pa.Table.from_pylist([_row_of(delivery, known.num_rows + 1)], schema=_DELIVERIES)
        engine.write("deliveries", pa.concat_tables([known, row]), keep=True)
    anew = {name: StagedTable.of(source) for name, source in side_tables.items()}
    name = _new_name() if is_changed else staging.warehouse
    _remember_staging(engine, replace(staging, warehouse=name, tables={**staging.tables, **anew}))
    return replace(delivery, warehouse=name)


def _remember_staging(engine: Engine, staging: Staging) -> None:
    """Store how rows were read."""
    told = {
        "warehouse": staging.warehouse,
        "tables": {name: table.as_json() for name, table in staging.tables.items()},
        "rules": dict(staging.rules),
        "finds_duplicates": staging.finds_duplicates,
    }
    engine.write("staging", pa.table({"told": pa.array([json.dumps(told, sort_keys=True)], pa.string())}), keep=True)


def read_staging(engine: Engine) -> Staging:
    """Return how the rows of the warehouse were read.

    Raises
    ------
    WorkspaceError
        When the warehouse was built by a version of the product that did not remember it.
    """
    known = engine.fetch("select table_name from information_schema.tables where table_name in ('staging', 'loaded_files')")
    if known.num_rows < 2:
        raise WorkspaceError(
            "The warehouse of this workspace does not say what was loaded into it: an earlier version of Customer Genome built it. "
            "Build it once more with `genome run`; later refreshes read new rows only."
        )
    told = json.loads(engine.fetch("select told from staging").column("told")[0].as_py())
    tables = {name: StagedTable.from_json(table) for name, table in told["tables"].items()}
    return Staging(told["warehouse"], tables, told["rules"], told["finds_duplicates"])


def read_loaded_files(engine: Engine) -> tuple[LoadedFile, ...]:
    """Return every file whose rows are loaded."""
    return tuple(LoadedFile(**row) for row in engine.fetch("select * from loaded_files").to_pylist())


def history_of(engine: Engine) -> pa.Table:
    """Return which rows came when, oldest first."""
    return engine.fetch("select * from deliveries order by delivery")


def staging_rules(settings: Settings) -> dict[str, Any]:
    """Return every setting on which the class, the time or the money of a stored row depends, by its name in genome.toml."""
    cleaning, shop = settings.cleaning, settings.shop
    product_ids, keywords = read_not_merchandise(cleaning.not_merchandise)
    return {
        "[shop] timezone": shop.timezone,
        "[shop] currency": shop.currency,
        "[shop] exchange_rates": dict(sorted(shop.exchange_rates.items())),
        "[cleaning] drop_duplicates": cleaning.drop_duplicates,
        "[cleaning] cancelled_order_pattern": cleaning.cancelled_order_pattern,
        "[cleaning] cancelled_statuses": list(cleaning.cancelled_statuses),
        "[cleaning] not_merchandise": [list(product_ids), list(keywords)],
    }


def require_same_rules(staging: Staging, settings: Settings) -> None:
    """Refuse to mix rows that were read under other settings.

    Raises
    ------
    SettingsError
        Naming every setting that has changed, its value before and now.
    """
    now = staging_rules(settings)
    changed = [
        f"{name} was {staging.rules.get(name)!r}, now {value!r}"
        for name, value in now.items()
        if staging.rules.get(name) != value
    ]
    if changed:
        raise SettingsError(
            f"The rows of this workspace were loaded under other settings: {'; '.join(changed)}. Nothing was loaded. "
            "Set them back, or apply them to every row with `genome run`."
        )


def recipe_of(settings: Settings) -> str:
    """Return a digest of everything beside rows and models that shapes a version: settings, rule files, the product."""
    told = [
        settings_as_json(settings),
        read_category_rules(settings.features.categories),
        read_playbooks(settings.segments.playbooks),
        __version__,
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _row_of(delivery: Delivery, number: int) -> dict[str, Any]:
    """Return a delivery as a row of its table."""
    names = "; ".join(Path(file).name for file in delivery.files_read[:_MOST_NAMES]) + (
        "; ..." if len(delivery.files_read) > _MOST_NAMES else ""
    )
    return {
        "delivery": number,
        "delivered_at": dt.datetime.now(dt.UTC).replace(tzinfo=None),
        "label": delivery.label,
        "files": names,
        "n_files": len(delivery.files_read),
        "rows_read": delivery.rows_read,
        "rows_added": delivery.rows_added,
        "rows_seen": delivery.rows_seen,
        "first_row": delivery.first_row,
    }


def _new_name() -> str:
    """Return a name that no other state of a warehouse has."""
    return uuid.uuid4().hex
