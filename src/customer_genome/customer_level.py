"""The write hall of a business that has one row per customer and no order lines: the same product from totals.

    read → class rows → facts → segments, value and risk → decisions → publish

Comes in: checked settings and a described `customer_totals` table. Goes out: a new published version and a `RunResult`, like those
of a run on order lines; what totals cannot give is empty and said. What value and risk rest on is decided in `value_basis`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.contracts import CUSTOMER_TOTALS, SourceTable
from customer_genome.decisions.priority import churn_band, confidence_score, expected_value_loss
from customer_genome.errors import RegistryError
from customer_genome.features.trials import digest_below
from customer_genome.models.segmentation.clusters import Clusters, fit_clusters
from customer_genome.models.segmentation.segments import rfm_scores, significant
from customer_genome.registry import load_model, make_champion, prune_models, save_model
from customer_genome.rules import read_playbooks
from customer_genome.sources.customer_level import own_results
from customer_genome.stages.fitting import cluster_features, numbers, wanted_counts
from customer_genome.stages.job import Job
from customer_genome.stages.publishing import TOTALS_LARGE, TOTALS_SMALL, RunResult, manifest_of, publish_version
from customer_genome.stages.scoring import RFM_COLUMNS, VALUE_SCHEMA, decide_customers
from customer_genome.stages.staging import stage_side_tables
from customer_genome.stages.summaries import known_columns
from customer_genome.stages.value_basis import Basis, find_basis
from customer_genome.version import __version__
from customer_genome.warehouse.customer_totals import (
    GIVEN,
    Attribute,
    build_customer_facts,
    given_groups,
    oddities,
    profile_facts,
    refuse_unusable,
    stage_totals,
)
from customer_genome.warehouse.engine import Engine, quoted
from customer_genome.warehouse.quantiles import Quantile, values_at
from customer_genome.workspace import Workspace

TABLE = CUSTOMER_TOTALS.name
GENOME_COLUMNS = ("n_orders", "total_quantity", "total_spend", "mean_order_value", "recency_days", "unique_products")
"""What customers are grouped by: the six totals, as far as they are known."""
FEWEST_TOTALS = 3
"""With fewer of them, every further column of numbers joins in: of a profile they say more than one total does."""
CLUSTERS = "totals_clusters"
"""Kind of the stored groups that were found in totals."""
_EXTRA = pa.schema([("risk_basis", pa.string()), ("reliability", pa.string())])
TOTALS_SCHEMA = pa.schema([*VALUE_SCHEMA, *(field for field in _EXTRA if field.name not in VALUE_SCHEMA.names)])
"""What `TotalsValuation` makes of a customer's facts: what a run on order lines publishes, and what it rests on."""
RANKS: Mapping[str, str] = {"risk_rank": "churn_probability", "value_rank": "clv_180d"}
"""Column -> what it ranks: the share of the other customers who stand below, 0..1; equal ones share a rank."""
_RANKS = (
    "select customer_id, "
    + ", ".join(
        f"case when {column} is not null then (rank() over (order by {column} asc nulls last) - 1 + count({column}) over () "
        f"- rank() over (order by {column} desc nulls last)) / 2.0e0 / nullif(count({column}) over () - 1, 0) end as {name}"
        for name, column in RANKS.items()
    )
    + " from customer_values"
)


def _totals_of(job: Job) -> SourceTable:
    """Return the table of totals."""
    return job.sources[TABLE]


def run_on_totals(job: Job, as_of: dt.date, *, refit: bool) -> RunResult:
    """Do everything after the sources are described; the engine is closed at the end.

    Parameters
    ----------
    as_of : date
        The day the totals are of; the table itself holds no date.
    refit : bool
        False puts customers into the groups that the last run on totals found.

    Raises
    ------
    GenomeError
        With what was wrong and what to do; the version published before stays current.
    """
    with job.clock.stage("clean", f"reading and classing {_totals_of(job).label}"):
        attributes = _stage(job)
    with job.clock.stage("facts", "facts about every customer"):
        build_customer_facts(job.engine, as_of, attributes)
        known = known_columns(job.engine, "customer_facts")
    with job.clock.stage("score", "grouping and scoring every customer"):
        clusters, versions = _clusters(job, known, attributes, refit)
        basis = find_basis(job.engine, job.workspace.models, _totals_of(job), job.settings, known, attributes)
        groups = given_groups(job.engine, _totals_of(job))
        if groups is not None:
            job.notices.append(groups.sentence)
        if groups is not None and groups.numbers:
            clusters = replace(clusters, method="kmeans", reason=groups.sentence)
        _value(job, clusters, basis, groups.numbers if groups else {})
        decided = decide_customers(job.engine, clusters, job.settings, read_playbooks(job.settings.segments.playbooks))
        clusters = clusters.with_names(decided.names)  # so that the next run knows what they were called
        job.notices.extend(decided.notices)
    return _publish(job, as_of, clusters, basis, versions, decided.tables)


def _stage(job: Job) -> tuple[Attribute, ...]:
    """Read totals and the list of those who must not be contacted; refuse what cannot be used."""
    engine, source = job.engine, _totals_of(job)
    salt, digests = job.workspace.forgotten()
    attributes = stage_totals(engine, source, leave_out=own_results(source), salt=salt, forgotten=digests)
    refuse_unusable(engine, source, job.settings.cleaning.on_bad_rows)
    stage_side_tables(job, TABLE)
    job.notices.extend(oddities(engine, source))
    return attributes


# --- groups ----------------------------------------------------------------------------------------------------------


def _clusters(job: Job, known: frozenset[str], attributes: Sequence[Attribute], refit: bool) -> tuple[Clusters, dict[str, str]]:
    """Return the groups, found now or those stored by the last run on totals, and the versions of stored ones."""
    wanted = job.settings.segments.features or GENOME_COLUMNS
    features = tuple(name for name in wanted if name in known)
    told = profile_facts(attributes)
    if told and not job.settings.segments.features:
        features += tuple(fact for fact in told if fact in known)
        job.notices.append(f"Taken from the profile: {', '.join(f'{fact} from {one.header}' for fact, one in told.items())}.")
    if len(features) < FEWEST_TOTALS:
        twins = {one.name for one in told.values()}
        features += tuple(one.name for one in attributes if one.is_number and one.name in known and one.name not in twins)
    missing = [name for name in wanted if name not in known]
    if missing:
        job.notices.append(
            f"Customers are grouped by {', '.join(features) or 'nothing, so all are one group'}; this table does not give {', '.join(missing)}."
        )
    if not refit:
        stored = load_model(job.workspace.models, CLUSTERS)
        clusters = Clusters.from_arrays(stored.arrays)
        if clusters.features != features:
            raise RegistryError(
                f"Stored groups {stored.version} were found in {', '.join(clusters.features)}. This table gives {', '.join(features) or 'none of them'}. "
                "Wanted: the same columns in the same order. Run without --no-refit to find groups anew."
            )
        return clusters, {CLUSTERS: stored.version}
    n = job.engine.fetch("select count(*) as n from customer_facts").column("n")[0].as_py()
    mark = digest_below(job.settings.prediction.fit_sample / n)
    facts = job.engine.fetch(f"select * from customer_facts where left(digest(customer_id), 8) < '{mark}' order by customer_id")
    features = features or ("total_spend",)
    return fit_clusters(
        cluster_features(facts, features),
        features,
        np.nan_to_num(numbers(facts, "total_spend")),
        k=job.settings.segments.k,
        k_of=wanted_counts(job.settings.segments),
        method=job.settings.segments.method,
        seed=job.settings.prediction.seed,
        before=_clusters_before(job.workspace),
    ), {}


def _clusters_before(workspace: Workspace) -> Clusters | None:
    """Return the groups of the last run on totals, whose numbers stay; None where there is none that can be read."""
    try:
        return Clusters.from_arrays(load_model(workspace.models, CLUSTERS).arrays)
    except (RegistryError, KeyError):  # a first run, or groups stored by an older product: numbers begin anew
        return None


# --- value and risk --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TotalsValuation:
    """Turns facts from totals into groups, scores, value and risk, row by row.

    Attributes
    ----------
    rfm_cuts : what a row has to know about all customers
    given : the number of each group of the table's own grouping; empty where clusters were made
    """

    clusters: Clusters
    basis: Basis
    rfm_cuts: Mapping[str, npt.NDArray[np.float64]]
    churn_cuts: tuple[float, float]
    given: Mapping[str, int]

    def __call__(self, facts: pa.Table) -> pa.Table:
        """Return the columns of `TOTALS_SCHEMA` for any part of the customers, empty where totals say nothing."""
        n, features = facts.num_rows, self.clusters.features
        columns: dict[str, Any] = {field.name: pa.nulls(n, field.type) for field in TOTALS_SCHEMA}
        columns["customer_id"] = facts.column("customer_id")
        columns["horizon_days"] = pa.array(np.full(n, self.basis.horizon_days), pa.int32())
        columns |= self.clusters.assign(cluster_features(facts, features), features)
        if self.given:
            columns["cluster_kmeans"] = pa.array([self.given[name] for name in facts.column(GIVEN).to_pylist()], pa.int64())
        recency, frequency, monetary = (numbers(facts, column) for column in RFM_COLUMNS.values())
        rfm = rfm_scores(recency, frequency, monetary, self.rfm_cuts)
        for name in ("recency_score", "frequency_score", "monetary_score"):
            score = getattr(rfm, name)
            columns[name] = pa.array(score, mask=score == 0)
        columns["rfm_segment"] = rfm.rfm_segment
        columns |= self._expected(facts)
        return pa.table({name: columns[name] for name in TOTALS_SCHEMA.names}).cast(TOTALS_SCHEMA)

    def _expected(self, facts: pa.Table) -> dict[str, Any]:
        """Return value and risk, with what follows from both."""
        found = self.basis.expected(facts)
        if "churn_probability" in found:
            risk = found["churn_probability"]
            found |= {"confidence_score": confidence_score(risk), "churn_band": churn_band(risk, self.churn_cuts)}
            if "clv_180d" in found:
                found["expected_value_loss"] = expected_value_loss(found["clv_180d"], risk)
        return {
            name: pa.array(values, mask=np.isnan(values)) if isinstance(values, np.ndarray) else values
            for name, values in found.items()
        }


def _value(job: Job, clusters: Clusters, basis: Basis, given: Mapping[str, int]) -> None:
    """Make `valued`: the facts of every customer with groups, scores, value, risk, and their ranks among all."""
    engine = job.engine
    low, high = job.settings.segments.churn_bands
    valuation = TotalsValuation(clusters, basis, _rfm_cuts(engine), (low, high), given)
    needed = dict.fromkeys(("customer_id", GIVEN, *RFM_COLUMNS.values(), *clusters.features, *basis.needs))
    engine.map_rows(
        "customer_values",
        f"select {', '.join(map(quoted, needed))} from customer_facts order by customer_id",
        valuation,
        TOTALS_SCHEMA,
    )
    values = ", ".join(f"v.{name}" for name in TOTALS_SCHEMA.names if name != "customer_id")
    engine.create_table("ranked", _RANKS)
    ranks = ", ".join(f"r.{name}" for name in RANKS)
    engine.create_table(
        "valued",
        f"select f.*, {values}, {ranks} from customer_facts as f inner join customer_values as v on f.customer_id = v.customer_id "
        "left join ranked as r on f.customer_id = r.customer_id",
    )


def _rfm_cuts(engine: Engine) -> dict[str, npt.NDArray[np.float64]]:
    """Return the values that part all customers into fifths by recency, frequency and money; NaN where all are alike or unknown."""
    wanted = [
        Quantile(f"{name} {fifth}", column, 20.0 * fifth) for name, column in RFM_COLUMNS.items() for fifth in (0, 1, 2, 3, 4, 5)
    ]
    found = values_at(engine, "customer_facts", wanted)
    cuts = {}
    for name in RFM_COLUMNS:
        edges = significant([found.get((f"{name} {fifth}", ""), np.nan) for fifth in range(6)])
        cuts[name] = edges[1:5] if edges[0] < edges[5] else np.full(4, np.nan)
    return cuts


# --- publication -----------------------------------------------------------------------------------------------------


def _publish(
    job: Job, as_of: dt.date, clusters: Clusters, basis: Basis, versions: Mapping[str, str], tables: Mapping[str, pa.Table]
) -> RunResult:
    """Store the groups and publish a version; the engine is closed."""
    job.notices.extend(basis.sentences)
    with job.clock.stage("publish", "publishing"):
        stored = dict(versions) or {CLUSTERS: _store(job, clusters, as_of)}
        totals = _totals(job.engine)
        result = RunResult(
            version="",
            as_of=as_of,
            horizon_days=basis.horizon_days,
            currency=job.settings.shop.currency or _totals_of(job).currency,
            lines=0,
            lines_after_as_of=0,
            refunds={},
            seconds=dict(job.clock.seconds),
            peak_memory_mb=0.0,
            notices=tuple(job.notices),
            fit=(clusters.reason,),
            models=stored,
            level="customers",
            **totals,
        )
        manifest = {
            **manifest_of(result, job.settings, job.sources, ()),
            "risk_basis": basis.name,
            "columns_known": sorted(known_columns(job.engine, "scored_customers")),
        }
        keep = job.settings.publish.keep_versions
        version = publish_version(
            job.engine,
            job.workspace,
            tables,
            manifest,
            keep,
            large=TOTALS_LARGE,
            small=TOTALS_SMALL,
            keeps_warehouse=False,
            weights=job.settings.similarity.weights,
        )
        make_champion(job.workspace.models, CLUSTERS, stored[CLUSTERS])
        prune_models(job.workspace.models, CLUSTERS, keep)
    job.clock.progress("publish", 1.0, f"published {version}")
    seconds = job.clock.seconds | {"total": round(sum(job.clock.seconds.values()), 3)}
    return replace(result, version=version, seconds=seconds)


def _store(job: Job, clusters: Clusters, as_of: dt.date) -> str:
    """Store the groups as a new version."""
    card = {
        "features": list(clusters.features),
        "reason": clusters.reason,
        "as_of": as_of.isoformat(),
        "product_version": __version__,
    }
    return save_model(job.workspace.models, CLUSTERS, clusters.to_arrays(), card)


def _totals(engine: Engine) -> dict[str, Any]:
    """Return customers, orders, revenue and ledger."""
    row = engine.fetch(
        "select count(*) as customers, cast(coalesce(sum(n_orders), 0) as bigint) as orders, coalesce(sum(cast(total_spend as decimal(38, 4))), 0) as revenue "
        "from customer_facts"
    ).to_pylist()[0]
    ledger = {
        entry["row_class"]: {"rows": entry["n_rows"], "revenue": float(entry["revenue"])}
        for entry in engine.fetch("select * from ledger").to_pylist()
    }
    rows = sum(int(entry["rows"]) for entry in ledger.values())
    return {**row, "revenue": float(row["revenue"]), "ledger": ledger, "rows_read": rows, "rows_added": rows}
