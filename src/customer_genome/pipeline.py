"""The write hall: raw transactions in, a published customer genome out, read from top to bottom.

    read → clean → facts → fit and score → decide → publish

Comes in: checked settings, described sources, the cutoff. Goes out: a new published version and a `RunResult`. Every step
is a call into one deep module; this one only puts them in order, times them and tells how far it is.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from customer_genome import __version__
from customer_genome.contracts import SourceTable
from customer_genome.errors import ContractError, SettingsError, SourceError, WorkspaceError
from customer_genome.features.table import build_features, category_key_of, share_column
from customer_genome.registry import prune_models, save_model, set_alias
from customer_genome.rules import read_category_rules, read_not_merchandise, read_playbooks
from customer_genome.scoring import Scores, score_customers
from customer_genome.settings import Settings, settings_as_json
from customer_genome.snapshot import publish
from customer_genome.warehouse.build import (
    NotMerchandise,
    build_marts,
    build_refund_effect,
    published_text,
    stage_lines,
    stage_side_table,
)
from customer_genome.warehouse.checks import check_customer_facts, check_identities
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.workspace import Workspace

Progress = Callable[[str, float, str], None]
STAGES = ("read", "clean", "facts", "score", "publish")
HORIZONS = (180, 90, 30)
FAR_CUTOFF_DAYS = 60
PUBLISHED_TABLES = ("customers", "orders", "daily", "products")
COPIED_TABLES = ("ledger", "refund_effect")


@dataclass(frozen=True)
class RunResult:
    """What a run did; `as_json` is what `genome run --json` prints."""

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

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return asdict(self) | {"as_of": self.as_of.isoformat()}


@dataclass
class _Clock:
    """Times the stages and passes progress on."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[None]:
        """Announce a stage and time it."""
        self.progress(name, STAGES.index(name) / len(STAGES), message)
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


def silent(stage: str, fraction: float, message: str) -> None:
    """Show no progress."""


def run(
    settings: Settings,
    describe: Callable[[Path], Mapping[str, SourceTable]],
    *,
    as_of: dt.date | None = None,
    today: dt.date | None = None,
    progress: Progress = silent,
) -> RunResult:
    """Run the whole path once and publish the result.

    Parameters
    ----------
    describe : function of a folder for work files
        Returns the described source of each input table; `order_lines` must be among them.
    as_of : date, optional
        Exclusive cutoff; by default the day after the last kept line.
    today : date, optional
        Lines dated later than the day after are refused as bad dates; by default the machine's date.

    Raises
    ------
    GenomeError
        With what was wrong and what to do; the version published before stays current.
    """
    workspace = Workspace(settings.workspace)
    workspace.prepare()
    clock = _Clock(progress)
    try:
        with workspace.locked():
            workspace.clear_leftovers()
            with clock.stage("read", "looking at the sources"):
                sources = describe(workspace.tmp)
            return _run_locked(settings, workspace, sources, as_of, today or dt.date.today(), clock)
    except OSError as err:
        raise WorkspaceError(
            f"{err.filename or settings.workspace}: {err.strerror or err}. The run stopped; the version published before is unchanged. "
            "Check free disk space and permissions, then run again."
        ) from err


def _run_locked(
    settings: Settings,
    workspace: Workspace,
    sources: Mapping[str, SourceTable],
    as_of: dt.date | None,
    today: dt.date,
    clock: _Clock,
) -> RunResult:
    """Do the run while holding the workspace."""
    engine = DuckDBEngine(workspace.building, settings.engine.memory_limit, settings.engine.threads, workspace.tmp)
    try:
        with clock.stage(
            "clean", f"reading and classing {sources['order_lines'].label}" if "order_lines" in sources else "reading"
        ):
            notices = list(_stage(engine, settings, workspace, sources, today))
            settings = _with_currency(engine, settings, sources["order_lines"])
            cutoff = _cutoff(engine, as_of)
            notices.extend(_far_cutoff(engine, cutoff))
            horizon_days = settings.prediction.horizon_days or _longest_horizon(engine, cutoff)
            cutoffs = pa.table({"as_of": pa.array([cutoff], pa.date32()), "horizon_days": pa.array([horizon_days], pa.int32())})
            build_marts(engine, cutoffs, settings.cleaning)
            build_refund_effect(engine)
        with clock.stage("facts", "facts about every customer"):
            categories = _facts(engine, settings, sources, notices)
        with clock.stage("score", "fitting models and scoring every customer"):
            facts = engine.fetch("select * from customer_facts order by customer_id")
            scores = score_customers(facts, settings, horizon_days, read_playbooks(settings.segments.playbooks))
            engine.write("predictions", scores.predictions)
            notices.extend(scores.notices)
        with clock.stage("publish", "publishing"):
            result = _result(engine, settings, cutoff, horizon_days, notices, scores, clock)
            models = _store_models(workspace, settings, scores, cutoff)
            version = _publish(engine, workspace, settings, sources, result, scores, models, categories)
    finally:
        engine.close()
    clock.progress("publish", 1.0, f"published {version}")
    return _finished(result, version, clock)


def _stage(
    engine: DuckDBEngine, settings: Settings, workspace: Workspace, sources: Mapping[str, SourceTable], today: dt.date
) -> Iterator[str]:
    """Stage order lines and side tables; yield what the user should be told."""
    if "order_lines" not in sources:
        raise SourceError(
            "No order lines to read. Give a file to `genome run FILE`, or set [tables.order_lines] path in genome.toml."
        )
    lines = sources["order_lines"]
    salt, digests = workspace.forgotten()
    rules = NotMerchandise(*read_not_merchandise(settings.cleaning.not_merchandise))
    stage_lines(engine, lines, settings.cleaning, settings.shop, today=today, not_merchandise=rules, salt=salt, forgotten=digests)
    _refuse_bad_rows(engine, settings, lines)
    for name, source in sources.items():
        yield from source.notices
        if name != "order_lines":
            stage_side_table(engine, source, settings.shop.timezone)
    suppressed = (
        "select customer_id from suppressions"
        if "suppressions" in sources
        else "select cast(null as varchar) as customer_id where false"
    )
    engine.create_view("suppressed", suppressed)


def _refuse_bad_rows(engine: DuckDBEngine, settings: Settings, lines: SourceTable) -> None:
    """Stop where nothing is usable, or where the user wants bad rows to stop the run."""
    counts = engine.fetch(
        "select row_class, count(*) as n, min(line_id) + 1 as first_row from numbered_lines group by row_class order by n desc, row_class"
    ).to_pylist()
    listed = ", ".join(f"{row['n']:,} {row['row_class']} (first: row {row['first_row']:,})" for row in counts)
    if not any(row["row_class"] == "kept" for row in counts):
        raise ContractError(
            f"{lines.label}: none of its rows is a usable purchase. Found: {listed or 'no rows'}. Wanted: rows with customer, time and money above 0. "
            f"Check the columns under [tables.order_lines] in genome.toml; now mapped: {_mapping_text(lines)}. "
            f"An order counts as cancelled where its id matches cancelled_order_pattern = {settings.cleaning.cancelled_order_pattern!r} under [cleaning]."
        )
    bad = [row for row in counts if row["row_class"].startswith("bad_") or row["row_class"] == "no_customer"]
    if settings.cleaning.on_bad_rows == "reject" and bad:
        raise ContractError(
            f'{lines.label}: {sum(row["n"] for row in bad):,} rows are refused and on_bad_rows = "reject". Found: {listed}. '
            'Correct them in the source, or set on_bad_rows = "quarantine" under [cleaning] in genome.toml.'
        )


def _mapping_text(source: SourceTable) -> str:
    """Return the mapping of a source in one line."""
    return ", ".join(f"{name} = {' + '.join(raws)}" for name, raws in source.mapping.items())


def _with_currency(engine: DuckDBEngine, settings: Settings, lines: SourceTable) -> Settings:
    """Return the settings with the currency of the data where they name none.

    Raises
    ------
    SettingsError
        When money of several currencies would be added up without rates.
    """
    if "currency" not in lines.mapping:
        return settings if settings.shop.currency else replace(settings, shop=replace(settings.shop, currency=lines.currency))
    found = engine.fetch(
        "select upper(currency) as currency, count(*) as n from numbered_lines where row_class = 'kept' and currency is not null group by 1 order by n desc, 1"
    ).to_pylist()
    codes = [row["currency"] for row in found]
    rates = {code.upper() for code in settings.shop.exchange_rates}
    unknown = [code for code in codes if code not in rates and code != settings.shop.currency.upper()]
    if unknown and (len(codes) > 1 or settings.shop.currency):
        listed = ", ".join(f"{row['currency']} ({row['n']:,} lines)" for row in found)
        raise SettingsError(
            f"{lines.label} holds money in {len(codes)} {'currency' if len(codes) == 1 else 'currencies'}: {listed}. Wanted: the shop's currency alone, or a rate for each of {', '.join(unknown)}. "
            "Set currency and exchange_rates = {EUR = 0.86, ...} (shop currency per unit) under [shop] in genome.toml."
        )
    if settings.shop.currency or not codes:
        return settings
    return replace(settings, shop=replace(settings.shop, currency=codes[0]))


def _cutoff(engine: DuckDBEngine, as_of: dt.date | None) -> dt.date:
    """Return the cutoff, by default the day after the last kept line.

    Raises
    ------
    SettingsError
        When no purchase lies before the wanted cutoff.
    """
    row = engine.fetch("select min(ordered_on) as first_day, max(ordered_on) as last_day from order_lines").to_pylist()[0]
    if as_of is None:
        last_day: dt.date = row["last_day"]
        return last_day + dt.timedelta(days=1)
    if as_of <= row["first_day"]:
        raise SettingsError(
            f"--as-of {as_of} leaves nothing to learn from: the purchases run from {row['first_day']} to {row['last_day']} and the cutoff is exclusive. "
            f"Choose a day after {row['first_day']}."
        )
    return as_of


def _far_cutoff(engine: DuckDBEngine, cutoff: dt.date) -> Iterator[str]:
    """Warn of a cutoff long after the last purchase, at which everybody looks lost."""
    last_day = engine.fetch("select max(ordered_on) as day from order_lines").column("day")[0].as_py()
    silent_days = (cutoff - last_day).days
    if silent_days > FAR_CUTOFF_DAYS:
        yield f"The cutoff {cutoff} lies {silent_days:,} days after the last purchase ({last_day}): every customer looks quiet for at least as long."


def _longest_horizon(engine: DuckDBEngine, cutoff: dt.date) -> int:
    """Return the longest horizon of which the history holds at least two."""
    first_day = engine.fetch("select min(ordered_on) as day from order_lines").column("day")[0].as_py()
    history_days = (cutoff - first_day).days
    return next((days for days in HORIZONS if history_days >= 2 * days), HORIZONS[-1])


def _facts(engine: DuckDBEngine, settings: Settings, sources: Mapping[str, SourceTable], notices: list[str]) -> tuple[str, ...]:
    """Build and prove customer_facts; return the categories with a share column and note what is left out."""
    lines = sources["order_lines"]
    key = category_key_of(sources)
    categories = build_features(
        engine,
        read_category_rules(settings.features.categories) if key == "description" else (),
        category_key=key,
        has_customers="customers" in sources,
        has_discounts="discount" in lines.mapping,
        most_categories=settings.features.most_categories,
        home_country=settings.shop.home_country,
    )
    if key is None:
        notices.append("Neither category nor description: shares per category are left out.")
    check_customer_facts(engine)
    check_identities(engine)
    return categories


def _result(
    engine: DuckDBEngine,
    settings: Settings,
    cutoff: dt.date,
    horizon_days: int,
    notices: list[str],
    scores: Scores,
    clock: _Clock,
) -> RunResult:
    """Collect the totals as of the cutoff."""
    totals = engine.fetch(
        "select count(*) as orders, count(distinct customer_id) as customers, cast(sum(n_lines) as bigint) as n_lines, "
        "cast(sum(revenue) as double) as revenue from known_orders"
    ).to_pylist()[0]
    later = (
        engine.fetch(f"select count(*) as n from order_lines where ordered_on >= date '{cutoff.isoformat()}'")
        .column("n")[0]
        .as_py()
    )
    ledger = {
        row["row_class"]: {"rows": row["n_rows"], "revenue": float(row["revenue"])}
        for row in engine.fetch("select * from ledger").to_pylist()
    }
    effect = engine.fetch("select * from refund_effect").to_pylist()[0]
    return RunResult(
        version="",
        as_of=cutoff,
        horizon_days=horizon_days,
        currency=settings.shop.currency,
        lines=totals["n_lines"],
        orders=totals["orders"],
        customers=totals["customers"],
        revenue=round(totals["revenue"], 4),
        lines_after_as_of=later,
        ledger=ledger,
        refunds={"policy": settings.cleaning.refunds, **effect},
        seconds=dict(clock.seconds),
        peak_memory_mb=_peak_memory_mb(),
        notices=tuple(notices),
        fit=scores.fit_sentences,
    )


def _store_models(workspace: Workspace, settings: Settings, scores: Scores, cutoff: dt.date) -> dict[str, str]:
    """Store every fitted model with its card and make it the champion of its kind."""
    stored = {}
    for kind, (arrays, card) in scores.models.items():
        version = save_model(
            workspace.models, kind, arrays, {**card, "as_of": cutoff.isoformat(), "product_version": __version__}
        )
        set_alias(workspace.models, kind, "champion", version)
        prune_models(workspace.models, kind, settings.publish.keep_versions)
        stored[kind] = version
    return stored


def _publish(
    engine: DuckDBEngine,
    workspace: Workspace,
    settings: Settings,
    sources: Mapping[str, SourceTable],
    result: RunResult,
    scores: Scores,
    models: Mapping[str, str],
    categories: tuple[str, ...],
) -> str:
    """Write the snapshot, put the new warehouse in place, switch readers over."""

    def write(folder: Path) -> None:
        engine.attach(folder / "snapshot.duckdb", "published")
        for name in PUBLISHED_TABLES:
            engine.run(f"create table published.{name} as {published_text(name)}")
        for name in COPIED_TABLES:
            engine.run(f"create table published.{name} as select * from {name}")
        for name, rows in scores.tables.items():
            engine.write(name, rows)
            engine.run(f"create table published.{name} as select * from {name}")
        engine.detach("published")
        engine.close()
        os.replace(workspace.building, workspace.warehouse)

    manifest = {
        **result.as_json(),
        "created_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "product_version": __version__,
        "sources": {
            name: {"label": source.label, "mapping": {k: list(v) for k, v in source.mapping.items()}}
            for name, source in sources.items()
        },
        "settings": settings_as_json(settings),
        "models": dict(models),
        "has_suppressions": "suppressions" in sources,
        "category_shares": [{"category": name, "column": share_column(name)} for name in categories],
    }
    del manifest["version"]
    snapshot = publish(workspace, write, manifest, settings.publish.keep_versions)
    shutil.rmtree(workspace.tmp, ignore_errors=True)
    return snapshot.version


def _finished(result: RunResult, version: str, clock: _Clock) -> RunResult:
    """Return the result with its version and the time of every stage."""
    seconds = clock.seconds | {"total": round(sum(clock.seconds.values()), 3)}
    return replace(result, version=version, seconds=seconds, peak_memory_mb=_peak_memory_mb())


def _peak_memory_mb() -> float:
    """Return the most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3), 1)
