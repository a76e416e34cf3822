"""A forecast of every customer from what was known before a cutoff: orders, spend with its range, risk, segment.

Comes in: checked settings, described sources, a cutoff and a horizon. Goes out: one row per customer. The steps are those of a
run (pipeline, fitting, scoring) in a temporary warehouse; nothing is published and nothing at or after the cutoff is seen.
The money here is plain revenue over the horizon: no discount, no margin.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError
from customer_genome.models.segmentation.clusters import CLUSTER_COLUMNS
from customer_genome.pipeline import build_tables, fit, look_back, plan
from customer_genome.settings import Settings
from customer_genome.stages.facts import build_facts
from customer_genome.stages.fitting import Models
from customer_genome.stages.job import Clock, Job, Progress, silent
from customer_genome.stages.scoring import value_customers
from customer_genome.stages.segment_tables import name_all, segment_figures
from customer_genome.stages.staging import stage_sources, with_currency
from customer_genome.warehouse.engine import Engine
from customer_genome.warehouse.opening import open_engine
from customer_genome.workspace import Workspace

FORECAST_COLUMNS = (
    "customer_id",
    "predicted_orders",
    "predicted_spend",
    "spend_lower",
    "spend_upper",
    "churn_probability",
    "p_alive",
    "segment",
)


@dataclass(frozen=True)
class Forecast:
    """A forecast: `customers` has the columns of `FORECAST_COLUMNS`, sorted by customer; `fit` and `notices` are sentences."""

    as_of: dt.date
    horizon_days: int
    customers: pa.Table
    fit: tuple[str, ...]
    notices: tuple[str, ...]


def forecast(
    settings: Settings,
    describe: Callable[[Path], Mapping[str, SourceTable]],
    as_of: dt.date,
    horizon_days: int,
    *,
    today: dt.date | None = None,
    progress: Progress = silent,
) -> Forecast:
    """Return what every customer known before `as_of` will do in the `horizon_days` from then on.

    Parameters
    ----------
    describe : function of a folder for work files
        Returns the described source of each input table.

    Raises
    ------
    SettingsError
        When nobody bought before the cutoff, or the horizon is longer than the history before it.
    """
    settings = replace(settings, prediction=replace(settings.prediction, horizon_days=horizon_days))
    with staged(settings, describe, today, progress) as job:
        require_history(job.engine, as_of, horizon_days)
        with job.clock.stage("clean", "orders and refunds"):
            plan(job, as_of)
        past = look_back(job, as_of, horizon_days)
        with job.clock.stage("clean", "orders and refunds"):
            build_tables(job, as_of, horizon_days)
        with job.clock.stage("facts", "facts about every customer"):
            build_facts(job)
        with job.clock.stage("score", "fitting models and forecasting every customer"):
            models = fit(job, as_of, horizon_days, past)
            customers = forecast_customers(job.engine, models, job.settings, as_of, horizon_days)
        return Forecast(as_of, horizon_days, customers, models.sentences(), tuple(job.notices))


@contextmanager
def staged(
    settings: Settings, describe: Callable[[Path], Mapping[str, SourceTable]], today: dt.date | None, progress: Progress
) -> Iterator[Job]:
    """Give a job in a temporary folder with the order lines staged; folder and engine go at the end.

    Customers who were erased from the workspace of the settings are left out here too.
    """
    with tempfile.TemporaryDirectory(prefix="genome-") as name:
        workspace = Workspace(Path(name))
        workspace.prepare()
        forgotten = settings.workspace / "forgotten.json"
        if forgotten.exists():
            shutil.copy(forgotten, workspace.root)
        clock = Clock(progress)
        with clock.stage("read", "looking at the sources"):
            sources = describe(workspace.tmp)
        engine = open_engine(settings.engine, workspace.building, workspace.tmp)
        try:
            job = Job(engine, workspace, settings, sources, clock)
            with clock.stage("clean", f"reading and classing {sources['order_lines'].label}"):
                stage_sources(job, today or dt.date.today())
            yield with_currency(job)
        finally:
            engine.close()


def forecast_customers(engine: Engine, models: Models, settings: Settings, as_of: dt.date, horizon_days: int) -> pa.Table:
    """Return the forecast of every customer as of the last cutoff, sorted by customer; facts must stand."""
    value_customers(engine, models, settings, as_of, horizon_days)
    clusters = models.clusters
    named = name_all(segment_figures(engine, "valued", clusters), clusters, settings.shop.currency)[clusters.method]
    names = {"cluster": [one.cluster for one in named], "segment": [one.name for one in named]}
    engine.write("cluster_names", pa.table(names))
    return engine.fetch(
        f"select {', '.join(f'v.{name}' for name in FORECAST_COLUMNS[:-1])}, n.segment from valued as v "
        f"left join cluster_names as n on v.{CLUSTER_COLUMNS[clusters.method]} = n.cluster order by v.customer_id"
    )


def require_history(engine: Engine, as_of: dt.date, horizon_days: int) -> None:
    """Refuse a forecast further ahead than anything was seen behind.

    Raises
    ------
    SettingsError
        With what is possible.
    """
    if horizon_days < 1:
        raise SettingsError(f"--horizon-days {horizon_days} is no horizon. Wanted: 1 or more days, such as 90.")
    row = engine.fetch("select min(ordered_on) as first_day, max(ordered_on) as last_day from order_lines").to_pylist()[0]
    known_days = (as_of - row["first_day"]).days
    if known_days <= 0:
        raise SettingsError(
            f"--as-of {as_of} leaves nothing to learn from: the purchases run from {row['first_day']} to {row['last_day']} and the "
            f"cutoff is exclusive. Choose a day after {row['first_day']}."
        )
    if horizon_days > known_days:
        raise SettingsError(
            f"--horizon-days {horizon_days} looks further ahead than the data look back: {known_days:,} days are known before "
            f"{as_of} (first purchase {row['first_day']}). Wanted: at most {known_days:,} days, or a later --as-of."
        )
