"""The write hall: raw transactions in, a published customer genome out, read from top to bottom.

    read → clean → facts → fit or load → score → summarise → publish

Comes in: checked settings, described sources, the cutoff. Goes out: a new published version and a `RunResult`. Every step
is a call into one module of `stages/`; this one only puts them in order, times them and tells how far it is. The steps take a
`Job` and are public: a refresh stages in its own way and goes on with `finish`. What differs between engines is in
`open_engine`, `Engine.export` and `Workspace.switch_warehouse`, and nowhere else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from customer_genome.contracts import SourceTable
from customer_genome.customer_level import TABLE as TOTALS
from customer_genome.customer_level import run_on_totals
from customer_genome.errors import WorkspaceError
from customer_genome.features.past import cutoff_table
from customer_genome.models.candidates import Past
from customer_genome.models.similarity import require_weights
from customer_genome.rules import read_playbooks
from customer_genome.settings import Settings
from customer_genome.stages.champions import remember, train
from customer_genome.stages.cutoffs import cutoff_of, far_cutoff, longest_horizon
from customer_genome.stages.deliveries import history_of, recipe_of
from customer_genome.stages.events import tables_without_money
from customer_genome.stages.evidence import evidence_tables, examined
from customer_genome.stages.facts import build_facts
from customer_genome.stages.fitting import Models, clusters_before, fit_models, load_champions, make_champions, store_models
from customer_genome.stages.job import Clock, Job, Progress, peak_memory_mb, silent
from customer_genome.stages.outlook import outlook_tables
from customer_genome.stages.publishing import (
    PUBLISHED_TABLES,
    RunResult,
    figures_of,
    known_without_money,
    manifest_of,
    publish_version,
)
from customer_genome.stages.rated_lists import recommend_rated_items
from customer_genome.stages.recommending import Recommendations, name_companions, recommend_all
from customer_genome.stages.scoring import Decided, decide_customers, value_customers
from customer_genome.stages.staging import stage_sources, with_currency
from customer_genome.stages.value_basis import teach_totals
from customer_genome.warehouse.build import (
    build_marts_of_cutoffs,
    build_orders,
    build_refund_effect,
    match_returns,
)
from customer_genome.warehouse.increment import match_stale_returns
from customer_genome.warehouse.opening import open_engine
from customer_genome.workspace import Workspace


def run(
    settings: Settings,
    describe: Callable[[Path], Mapping[str, SourceTable]],
    *,
    as_of: dt.date | None = None,
    today: dt.date | None = None,
    progress: Progress = silent,
    refit: bool = True,
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
    refit : bool
        False scores with the models stored by the last run that fitted.

    Raises
    ------
    GenomeError
        With what was wrong and what to do; the version published before stays current.
    """
    clock = Clock(progress)
    require_weights(settings.similarity.weights)
    with writing(settings) as workspace:
        with clock.stage("read", "looking at the sources"):
            sources = describe(workspace.tmp)
        if not refit and TOTALS not in sources:
            load_champions(workspace.models)  # said at once, not after the facts are built
        settings = replace(settings, has_money=all(source.has_money for source in sources.values()))
        engine = open_engine(settings.engine, workspace.building, workspace.tmp)
        try:
            job = Job(engine, workspace, settings, sources, clock)
            if TOTALS in sources:
                return run_on_totals(job, as_of or today or dt.date.today(), refit=refit)
            label = sources["order_lines"].label if "order_lines" in sources else ""
            with clock.stage("clean", f"reading and classing {label}" if label else "reading"):
                delivery = stage_sources(job, today or dt.date.today())
            return finish(replace(job, delivery=delivery), as_of, refit=refit)
        finally:
            engine.close()


@contextmanager
def writing(settings: Settings) -> Iterator[Workspace]:
    """Hold the right to write to the workspace, cleared of what a killed run left behind.

    Raises
    ------
    WorkspaceError
        When another run holds it, or a disk gives out on the way.
    """
    workspace = Workspace(settings.workspace)
    workspace.prepare()
    try:
        with workspace.locked():
            workspace.clear_leftovers()
            yield workspace
    except OSError as err:
        raise WorkspaceError(
            f"{err.filename or settings.workspace}: {err.strerror or err}. The run stopped; the version published before is unchanged. "
            "Check free disk space and permissions, then run again."
        ) from err


def finish(job: Job, as_of: dt.date | None, *, refit: bool) -> RunResult:
    """Do everything after staging: marts, facts, models, predictions, decisions, publication.

    Parameters
    ----------
    job : of an engine in which the order lines and side tables are staged
        Its engine is closed at the end.
    """
    clock = job.clock
    with clock.stage("clean", "orders and refunds"):
        job = with_currency(job)
        cutoff, horizon_days = plan(job, as_of)
    past = look_back(job, cutoff, horizon_days) if refit else ()
    with clock.stage("clean", "orders and refunds"):
        build_tables(job, cutoff, horizon_days)
    with clock.stage("facts", "facts about every customer"):
        categories = build_facts(job)
    predicted = predict(job, cutoff, horizon_days, refit=refit, past=past)
    if refit:
        teach_totals(job.workspace.models, past, cutoff, job.settings.publish.keep_versions)
    return conclude(job, cutoff, horizon_days, categories, predicted)


@dataclass(frozen=True)
class Predicted:
    """What stands beside the table `predictions`: the models, their stored versions (none yet where fitted now), decisions.

    `large` names further tables that the engine holds and a version publishes.
    """

    models: Models
    versions: Mapping[str, str]
    decided: Decided
    large: tuple[str, ...] = ()


def predict(job: Job, cutoff: dt.date, horizon_days: int, *, refit: bool, past: Sequence[Past] = ()) -> Predicted:
    """Fit or load the models, and build `predictions`: value, risk and next action of every customer.

    Parameters
    ----------
    past : from `look_back`; earlier cutoffs that the champion forecast learns from
    """
    with job.clock.stage("score", "fitting models and scoring every customer" if refit else "scoring every customer"):
        models, versions = (fit(job, cutoff, horizon_days, past), {}) if refit else load(job, horizon_days)
        value_customers(job.engine, models, job.settings, cutoff, horizon_days)
        decided = decide_customers(job.engine, models.clusters, job.settings, read_playbooks(job.settings.segments.playbooks))
        job.notices.extend(decided.notices)
        if refit:  # so that the next run knows what its clusters were called
            models = replace(models, clusters=models.clusters.with_names(decided.names))
        outlook = outlook_tables(job.engine, models, cutoff, horizon_days, job.settings.prediction.seed)
        evidence = evidence_tables(job.engine, models, job.settings, cutoff, horizon_days)
        lists = recommend(job, cutoff, horizon_days)
    tables = {**decided.tables, **outlook, **evidence}
    if not job.settings.has_money:
        tables = tables_without_money(tables)
    return Predicted(models, versions, replace(decided, tables={**tables, **lists.tables}), lists.large)


def recommend(job: Job, cutoff: dt.date, horizon_days: int) -> Recommendations:
    """Make the lists of recommendations and return what stands behind them; what cannot be said becomes a notice."""
    job.clock.progress("score", 0.75, "lists of what each customer may want next")
    settings, seed = job.settings.recommend, job.settings.prediction.seed
    if job.settings.has_money:
        found = recommend_all(job.engine, job.sources, settings, cutoff, horizon_days, seed)
        if found.large:
            name_companions(job.engine)
    else:
        has_titles = "products" in job.sources
        found = recommend_rated_items(job.engine, settings, cutoff, horizon_days, seed, has_titles=has_titles)
    job.notices.extend(found.notices)
    return found


def conclude(job: Job, cutoff: dt.date, horizon_days: int, categories: tuple[str, ...], predicted: Predicted) -> RunResult:
    """Store the models and publish a version; the engine is closed."""
    clock, models = job.clock, predicted.models
    with clock.stage("publish", "publishing"):
        totals = figures_of(job.engine, cutoff, has_money=job.settings.has_money)
        stored = predicted.versions or store_models(job.workspace.models, models, cutoff)
        result = RunResult(
            **totals | {"refunds": {"policy": job.settings.cleaning.refunds, **totals["refunds"]}},
            **job.delivery.figures(),
            version="",
            as_of=cutoff,
            horizon_days=horizon_days,
            currency=job.settings.shop.currency,
            seconds=dict(clock.seconds),
            peak_memory_mb=peak_memory_mb(),
            notices=tuple(job.notices),
            fit=models.sentences(has_money=job.settings.has_money),
            level="orders" if job.settings.has_money else "ratings",
            models=stored,
        )
        manifest = {
            **manifest_of(result, job.settings, job.sources, categories),
            "warehouse": job.delivery.warehouse,
            "recipe": recipe_of(job.settings),
            **({} if job.settings.has_money else known_without_money(job.engine)),
        }
        keep_versions = job.settings.publish.keep_versions
        history = {"deliveries": history_of(job.engine)} if job.delivery.label else {}
        small, large = {**predicted.decided.tables, **history}, (*PUBLISHED_TABLES, *predicted.large)
        version = publish_version(
            job.engine, job.workspace, small, manifest, keep_versions, large=large, weights=job.settings.similarity.weights
        )
        make_champions(job.workspace.models, stored, keep_versions)  # last: a run that dies before has changed nothing
    clock.progress("publish", 1.0, f"published {version}")
    seconds = clock.seconds | {"total": round(sum(clock.seconds.values()), 3)}
    return replace(result, version=version, seconds=seconds, peak_memory_mb=peak_memory_mb())


def plan(job: Job, as_of: dt.date | None) -> tuple[dt.date, int]:
    """Return the cutoff and the horizon in days, and build the orders where they do not stand yet."""
    cutoff = cutoff_of(job.engine, as_of)
    job.notices.extend(far_cutoff(job.engine, cutoff))
    if not job.orders_stand:
        build_orders(job.engine)
    return cutoff, job.settings.prediction.horizon_days or longest_horizon(job.engine, cutoff)


def look_back(job: Job, cutoff: dt.date, horizon_days: int) -> tuple[Past, ...]:
    """Return earlier cutoffs with what followed, for a champion forecast; orders must stand, the tables of the run come after."""
    with job.clock.stage("facts", "facts as of earlier days, and what followed"):
        has_discounts = "discount" in job.sources["order_lines"].mapping
        return remember(job.engine, job.settings, cutoff, horizon_days, has_discounts=has_discounts)


def build_tables(job: Job, cutoff: dt.date, horizon_days: int) -> None:
    """Build the marts as of the cutoff, from orders that stand."""
    match = match_stale_returns if job.orders_stand else match_returns
    build_marts_of_cutoffs(job.engine, cutoff_table([cutoff], horizon_days), job.settings.cleaning, match=match)
    build_refund_effect(job.engine)


def fit(job: Job, cutoff: dt.date, horizon_days: int, past: Sequence[Past]) -> Models:
    """Return models fitted now, with the champion forecast chosen among them."""
    models = fit_models(job.engine, job.settings, clusters_before(job.workspace.models))
    champion = train(job.engine, models, job.settings, cutoff, horizon_days, past)
    champion = examined(champion, models, past, job.settings.prediction.seed)
    return replace(models, champion=champion, champion_days=horizon_days)


def load(job: Job, horizon_days: int) -> tuple[Models, dict[str, str]]:
    """Return the models that were stored before, and their versions by kind."""
    models, versions = load_champions(job.workspace.models)
    listed = ", ".join(f"{kind} {version}" for kind, version in versions.items())
    job.notices.append(
        f"Scored with the stored models: {listed}. `genome run` and `genome refresh --refit` fit them to these data."
    )
    if not models.champion_for(horizon_days):
        looks = f"looks {models.champion_days} days ahead" if models.champion else "is not there"
        job.notices.append(
            f"These predictions look {horizon_days} days ahead and the stored champion forecast {looks}: chances and spend are those of the "
            "purchase and spend models alone until `genome run` or `genome refresh --refit` trains it anew."
        )
    return models, versions
