"""What a run leaves behind: its result in figures, and the published version that every screen reads.

Comes in: an engine that holds facts, predictions and side tables as of the cutoff. Goes out: a `RunResult` and a new
version in the workspace, to which readers are switched at once. Nothing is computed about customers here.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.features.table import share_column
from customer_genome.neighbours import write_neighbours
from customer_genome.settings import Settings, settings_as_json
from customer_genome.snapshot import publish
from customer_genome.stages.events import RISK_BASIS, totals_without_money
from customer_genome.stages.summaries import known_columns
from customer_genome.version import __version__
from customer_genome.warehouse.build import published_text
from customer_genome.warehouse.engine import Engine
from customer_genome.workspace import Workspace

PUBLISHED_TABLES = ("customers", "orders", "returns", "daily", "products")
COPIED_TABLES = ("ledger", "refund_effect")
TOTALS_LARGE, TOTALS_SMALL = ("customers",), ("ledger", "quarantine")
"""The same of a run on totals, which knows no order, day or product, and keeps its refused rows in the version."""


@dataclass(frozen=True)
class RunResult:
    """What a run or a refresh did; `as_json` is what `genome run --json` prints.

    `level` is "orders" where order lines were read, "customers" where customers with totals were, and "ratings" where ratings were: those
    have no money, and `revenue` is 0.
    `is_new` is False where a refresh found nothing new, so that the version current before was left as it is.
    """

    version: str
    as_of: dt.date
    horizon_days: int
    currency: str
    lines: int
    orders: int
    customers: int
    revenue: float
    lines_after_as_of: int
    ledger: Mapping[str, Mapping[str, float]]
    refunds: Mapping[str, Any]
    seconds: Mapping[str, float]
    peak_memory_mb: float
    notices: tuple[str, ...] = ()
    fit: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    rows_read: int = 0
    rows_added: int = 0
    rows_seen: int = 0
    files_read: tuple[str, ...] = ()
    files_skipped: tuple[str, ...] = ()
    is_new: bool = True
    level: str = "orders"

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}


def totals_of(engine: Engine, as_of: dt.date) -> dict[str, Any]:
    """Return the totals as of the last cutoff: lines, orders, customers, revenue, lines_after_as_of, ledger, refund effect."""
    totals = engine.fetch(
        "select count(*) as orders, count(distinct customer_id) as customers, cast(sum(n_lines) as bigint) as lines, "
        "cast(sum(revenue) as double) as revenue from known_orders where as_of = (select max(as_of) from cutoffs)"
    ).to_pylist()[0]
    later = engine.fetch(f"select count(*) as n from order_lines where ordered_on >= date '{as_of.isoformat()}'")
    return {
        **totals,
        "revenue": round(totals["revenue"], 4),
        "lines_after_as_of": later.column("n")[0].as_py(),
        "ledger": {
            row["row_class"]: {"rows": row["n_rows"], "revenue": float(row["revenue"])}
            for row in engine.fetch("select * from ledger").to_pylist()
        },
        "refunds": engine.fetch("select * from refund_effect").to_pylist()[0],
    }


def figures_of(engine: Engine, as_of: dt.date, *, has_money: bool) -> dict[str, Any]:
    """Return the totals of a run, and let published tables show money where there is any."""
    totals = totals_of(engine, as_of)
    engine.define("published_money", ("x",), "cast(x as double)" if has_money else "cast(null as double)")
    if has_money:
        return totals
    engine.write("ledger", engine.fetch("select row_class, n_rows, cast(0 as double) as revenue from ledger"))
    return totals_without_money(totals)


def known_without_money(engine: Engine) -> dict[str, Any]:
    """Return what a version of ratings says of itself beside its totals: which columns say something, and what risk rests on."""
    return {"columns_known": sorted(known_columns(engine, "scored_customers")), "risk_basis": RISK_BASIS}


def manifest_of(
    result: RunResult, settings: Settings, sources: Mapping[str, SourceTable], categories: Sequence[str]
) -> dict[str, Any]:
    """Return what a version says about itself; `categories` are those with a share column."""
    manifest = {
        **result.as_json(),
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "product_version": __version__,
        "sources": {
            name: {"label": source.label, "mapping": {k: list(v) for k, v in source.mapping.items()}}
            for name, source in sources.items()
        },
        "settings": settings_as_json(settings),
        "has_suppressions": "suppressions" in sources,
        "category_shares": [{"category": name, "column": share_column(name)} for name in categories],
    }
    del manifest["version"]
    return manifest


def publish_version(
    engine: Engine,
    workspace: Workspace,
    tables: Mapping[str, pa.Table],
    manifest: Mapping[str, Any],
    keep_versions: int,
    *,
    large: Sequence[str] = PUBLISHED_TABLES,
    small: Sequence[str] = COPIED_TABLES,
    keeps_warehouse: bool = True,
    weights: Mapping[str, float] | None = None,
) -> str:
    """Write a version, switch readers over, put the new warehouse in place; return the version. The engine is closed.

    The warehouse comes last: where a run is killed between the two, the one before stands, and a refresh adds the same rows
    to it once more.

    Parameters
    ----------
    tables : name -> small table, published beside the large ones
    manifest : from `manifest_of`
    large, small : names of the tables that the engine holds, drawn from the texts of sql/published or copied as they are
    keeps_warehouse : bool
        False leaves the warehouse of the workspace as it is: totals are read whole each time, and order lines stay for a refresh.
    weights : by which facts customers are compared, where the shop has set them
    """
    for name, rows in tables.items():
        engine.write(name, rows)
    copied = {name: f"select * from {name}" for name in (*small, *tables)}
    drawn = {name: published_text(name) for name in large}

    def write(folder: Path) -> None:
        engine.export(folder, copied, drawn)
        if keeps_warehouse and not engine.keeps_tables:
            refused = {"quarantine": "select * from quarantine order by row_number"}
            engine.export(workspace.building_tables, {}, refused)
        engine.close()
        write_neighbours(folder, weights)

    version = publish(workspace, write, manifest, keep_versions).version
    if keeps_warehouse:
        workspace.switch_warehouse()
    else:
        workspace.building.unlink(missing_ok=True)
    shutil.rmtree(workspace.tmp, ignore_errors=True)
    return version
