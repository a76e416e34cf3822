"""Keep a published genome up to date: read what is new, add it to the warehouse, publish again.

    read (new files, new ends, new rows) → add → facts → score with the champion → publish

Comes in: settings, what the user names as data, the cutoff. Goes out: a new published version that equals what a run on all
rows would publish with the same models, or the word that nothing is new. It works on a copy of the warehouse, which takes
the place of the old one when the version stands; a refresh killed on the way leaves both as they were.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError, WorkspaceError
from customer_genome.pipeline import finish, writing
from customer_genome.rules import read_not_merchandise
from customer_genome.settings import Settings
from customer_genome.snapshot import read_snapshot, versions
from customer_genome.sources.arrivals import known_again
from customer_genome.sources.new_rows import NewRows, find_new_rows
from customer_genome.stages.cutoffs import cutoff_of, longest_horizon
from customer_genome.stages.deliveries import (
    Delivery,
    Staging,
    history_of,
    read_loaded_files,
    read_staging,
    recipe_of,
    remember_refresh,
    require_same_rules,
)
from customer_genome.stages.fitting import load_champions
from customer_genome.stages.job import Clock, Job, Progress, peak_memory_mb, silent
from customer_genome.stages.publishing import RunResult
from customer_genome.stages.staging import bad_classes, name_suppressed, with_currency
from customer_genome.warehouse.build import LineRules, NotMerchandise, stage_side_table
from customer_genome.warehouse.checks import classes_in_words, refuse_rows, rows_by_class
from customer_genome.warehouse.engine import Engine
from customer_genome.warehouse.increment import AddedLines, add_lines
from customer_genome.warehouse.opening import open_engine
from customer_genome.workspace import Workspace


def refresh(
    settings: Settings,
    data: Any = None,
    *,
    as_of: dt.date | None = None,
    today: dt.date | None = None,
    progress: Progress = silent,
    refit: bool = False,
) -> RunResult:
    """Add the new rows of a source and publish as of the cutoff.

    Parameters
    ----------
    data : text, path, pandas or Arrow data, optional
        File, folder, glob, database address or public name; by default [tables.order_lines] path of genome.toml. It may
        hold rows that are loaded already: they add nothing.
    as_of : date, optional
        Exclusive cutoff; by default the day after the last kept line.
    today : date, optional
        Lines dated later than the day after are refused as bad dates; by default the machine's date.
    refit : bool
        Fit the models anew instead of scoring with the stored ones.

    Returns
    -------
    RunResult
        With `is_new` False where neither rows nor the cutoff, settings or models differ from the current version.

    Raises
    ------
    GenomeError
        With what was wrong and what to do; warehouse and current version stay as they were.
    """
    if settings.engine.name != "duckdb":
        raise SettingsError(
            f'[engine] name = "{settings.engine.name}": a refresh adds to the warehouse of this machine, which only DuckDB keeps. '
            "Read everything anew with `genome run`."
        )
    clock = Clock(progress)
    with writing(settings) as workspace:
        _require_warehouse(workspace)
        if not refit:
            load_champions(workspace.models)
        with clock.stage("read", "looking for new rows"):
            _copy_warehouse(settings, workspace)
        engine = open_engine(settings.engine, workspace.building, workspace.tmp)
        try:
            with clock.stage("read", "looking for new rows"):
                job, new, staging = _prepared(engine, settings, workspace, clock, data)
            with clock.stage("clean", f"adding {new.label}" if new.lines else "no new rows"):
                job, is_changed = _load(job, new, staging, today or dt.date.today())
                job = with_currency(job)
                current = None if refit or is_changed else _unchanged(job, as_of)
            if current:
                return _as_it_is(job, current)
            job.notices.extend(_other_horizon(job, as_of))
            return finish(job, as_of, refit=refit)
        finally:
            engine.close()


def _require_warehouse(workspace: Workspace) -> None:
    """Refuse a workspace in which no run has built a warehouse of this machine."""
    if not workspace.warehouse.exists():
        reason = "its tables were made on Spark" if workspace.tables.exists() else "no run on order lines has built one"
        raise WorkspaceError(
            f"{workspace.root} has no warehouse to add rows to: {reason}. Read everything once with `genome run DATA --workspace {workspace.root}`; "
            "a table of customers with totals is read whole each time, with the same command."
        )
    if versions(workspace) and read_snapshot(workspace).manifest.get("level") == "ratings":
        raise WorkspaceError(
            f"{workspace.root} was made from ratings, which are read whole each time: `genome run DATA --workspace {workspace.root}`. "
            "Only order lines are added to."
        )


def _copy_warehouse(settings: Settings, workspace: Workspace) -> None:
    """Copy the warehouse to where a new one is built."""
    if workspace.warehouse.with_name(workspace.warehouse.name + ".wal").exists():  # of an erasure that was killed
        open_engine(settings.engine, workspace.warehouse, workspace.tmp).close()
    shutil.copyfile(workspace.warehouse, workspace.building)


def _prepared(
    engine: Engine, settings: Settings, workspace: Workspace, clock: Clock, data: Any
) -> tuple[Job, NewRows, Staging]:  # fmt: skip
    """Return the job, what is to be read, and how the rows before were read."""
    staging = read_staging(engine)
    require_same_rules(staging, settings)
    new = find_new_rows(data, settings, staging.tables["order_lines"], read_loaded_files(engine), workspace.tmp)
    sources: dict[str, SourceTable] = {**staging.sources(), **new.side_tables}
    if new.lines:
        sources["order_lines"] = new.lines
    notices = [notice for source in (new.lines, *new.side_tables.values()) if source for notice in source.notices]
    return Job(engine, workspace, settings, sources, clock, notices, orders_stand=True), new, staging


def _load(job: Job, new: NewRows, staging: Staging, today: dt.date) -> tuple[Job, bool]:
    """Add new rows and side tables to the warehouse; return the job with what was read, and whether anything changed."""
    engine, settings = job.engine, job.settings
    salt, digests = job.workspace.forgotten()
    not_merchandise = NotMerchandise(*read_not_merchandise(settings.cleaning.not_merchandise))
    rules = LineRules(settings.cleaning, settings.shop, today, not_merchandise, salt, digests)
    held = _held(engine, new) if new.is_whole else 0
    added = add_lines(engine, new.lines, rules, finds_duplicates=staging.finds_duplicates)
    _refuse_bad_rows(job, new.label)
    has_other_tables = _stage_side_tables(job, new.side_tables)
    job.notices.extend(_replaced(new, added, held))
    delivery = Delivery(
        new.label, added.rows_read, added.rows_added, added.first_line + 1, new.arrivals.read, new.arrivals.skipped
    )  # fmt: skip
    is_changed = bool(added.rows_added or added.rows_ripened or has_other_tables)
    files = known_again(new.arrivals.loaded, read_loaded_files(engine))
    remembered = remember_refresh(engine, staging, delivery, files, new.side_tables, is_changed=is_changed)
    return replace(job, delivery=remembered), is_changed


def _held(engine: Engine, new: NewRows) -> int:
    """Return the rows that were loaded from the same source before."""
    return sum(row["rows_added"] for row in history_of(engine).to_pylist() if row["label"] == new.label)


def _replaced(new: NewRows, added: AddedLines, held: int) -> Iterator[str]:
    """Say where rows that were loaded are no longer in the source."""
    remain = "they stay, because a refresh only adds. To leave them out, read everything anew with `genome run`."
    if added.rows_seen < held:
        yield f"{new.label}: {held - added.rows_seen:,} rows loaded before are no longer in it, or have changed; {remain}"
    for path in new.arrivals.replaced:
        yield f"{path} was loaded before with other content. Rows that are no longer in it, or have changed: {remain}"


def _refuse_bad_rows(job: Job, label: str) -> None:
    """Stop where the user wants bad rows to stop a run."""
    if job.settings.cleaning.on_bad_rows != "reject":
        return
    bad = bad_classes(rows_by_class(job.engine, "fresh_lines"))
    refuse_rows(label, bad, f"{classes_in_words(bad)}. Nothing was loaded", of="of the new rows")


def _stage_side_tables(job: Job, side_tables: Mapping[str, SourceTable]) -> bool:
    """Read the tables beside the order lines anew, keep those not given; return whether any holds other rows than before."""
    engine, is_changed = job.engine, False
    for name, source in side_tables.items():
        before = _content_of(engine, name)
        stage_side_table(engine, source, job.settings.shop.timezone)
        is_changed |= before != _content_of(engine, name)
    name_suppressed(engine, job.sources)
    return is_changed


def _content_of(engine: Engine, table: str) -> tuple[Any, ...]:
    """Return columns, number of rows and a checksum of a table; nothing where it is not there."""
    known = engine.fetch(f"select 1 as n from information_schema.tables where table_name = '{table}'")
    if not known.num_rows:
        return ()
    names = engine.fetch(f"select * from {table} limit 0").column_names
    row = engine.fetch(f"select count(*) as n, sum(cast(hash(t) as hugeint)) as checksum from {table} as t").to_pylist()[0]
    return (*names, row["n"], str(row["checksum"]))


def _other_horizon(job: Job, as_of: dt.date | None) -> Iterator[str]:
    """Say that the history has come to allow another horizon than that of the current version: risk then means something else."""
    if not versions(job.workspace):
        return
    before = read_snapshot(job.workspace).manifest["horizon_days"]
    now = job.settings.prediction.horizon_days or longest_horizon(job.engine, cutoff_of(job.engine, as_of))
    if now != before:
        yield (
            f"Predictions now look {now} days ahead, those of the current version {before}: risk and expected orders of both do not compare. "
            f"To stay with {before} days, set horizon_days = {before} under [prediction] in genome.toml."
        )


# --- nothing new ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Current:
    """The version that is current, and what it says of itself."""

    version: str
    manifest: Mapping[str, Any]


def _unchanged(job: Job, as_of: dt.date | None) -> _Current | None:
    """Return the current version where publishing again would make the same: same rows, cutoff, models, settings and rules."""
    if not versions(job.workspace):
        return None
    snapshot = read_snapshot(job.workspace)
    _, models = load_champions(job.workspace.models)
    now = {
        "as_of": cutoff_of(job.engine, as_of).isoformat(),
        "warehouse": job.delivery.warehouse,
        "models": models,
        "recipe": recipe_of(job.settings),
    }
    is_same = all(snapshot.manifest.get(name) == value for name, value in now.items())
    return _Current(snapshot.version, snapshot.manifest) if is_same else None


def _as_it_is(job: Job, current: _Current) -> RunResult:
    """Keep what was learned about files, leave the current version, and return what it says of itself."""
    job.engine.close()
    job.workspace.switch_warehouse()
    shutil.rmtree(job.workspace.tmp, ignore_errors=True)
    told = {item.name: current.manifest[item.name] for item in fields(RunResult) if item.name in current.manifest}
    seconds = job.clock.seconds | {"total": round(sum(job.clock.seconds.values()), 3)}
    job.clock.progress("publish", 1.0, f"nothing is new; {current.version} stays current")
    return RunResult(
        **told
        | job.delivery.figures()
        | {
            "version": current.version,
            "as_of": dt.date.fromisoformat(current.manifest["as_of"]),
            "seconds": seconds,
            "peak_memory_mb": peak_memory_mb(),
            "notices": tuple(job.notices),
            "fit": tuple(told["fit"]),
            "is_new": False,
        }
    )
