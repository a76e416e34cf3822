"""What the clusters of every method are and do, asked of the engine and told in small tables: nothing here holds a row per customer.

Comes in: an engine, a table with facts and predictions of every customer, and the clusters that they were put into. Goes out: names and
personas by method, and the side tables that screens read: profiles, effects, numbers of clusters tried, steadiness. The same
text runs on every engine; sums are of decimals, so that neither the engine nor the number of its threads decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.decisions.personas import Effect, effect_size
from customer_genome.decisions.segment_names import FIGURES, SegmentName, name_segments
from customer_genome.models.segmentation.clusters import CLUSTER_COLUMNS, Clusters
from customer_genome.models.segmentation.groupings import METHODS, Method
from customer_genome.models.segmentation.segments import significant
from customer_genome.warehouse.engine import Engine, literal, quoted
from customer_genome.warehouse.quantiles import Quantile, known_number, values_at

_STORED = "segments_to_summarise"
_SHARES = ("discount_share", "return_share")
_MONEY = ("clv_180d", "expected_value_loss")
_SUMMED = tuple(dict.fromkeys((*(column for column, kind in FIGURES.values() if kind != "median"), *_MONEY)))
_MEDIANS = tuple(column for column, kind in FIGURES.values() if kind == "median")


@dataclass(frozen=True)
class SegmentFigures:
    """The figures of one method's clusters.

    Attributes
    ----------
    figures : what `decisions.segment_names.name_segments` needs
    effects : by cluster, how far it lies from the rest
    money : by cluster, sums of clv_180d and expected_value_loss; None where unknown
    """

    figures: pa.Table
    effects: Mapping[int, tuple[Effect, ...]]
    money: Mapping[int, Mapping[str, float | None]]


def segment_figures(engine: Engine, table: str, clusters: Clusters) -> dict[Method, SegmentFigures]:
    """Return the figures of every method's clusters, from all customers.

    Parameters
    ----------
    table : str
        A table or view with the columns of `CLUSTER_COLUMNS`, facts and predictions; it is read twice.
    """
    columns = engine.fetch(f"select * from {quoted(table)} limit 0").column_names
    facts = [fact for fact in dict.fromkeys((*clusters.features, *_SHARES)) if fact in columns]
    _store(engine, table, columns, facts, clusters)
    sums = ", ".join(
        (
            *(f"cast(count({name}) as bigint) as {name}_known, {_sum(name, 10 if name not in _RISKS else 18)}" for name in _SUMMED),
            *(f"cast(count(x{place}) as bigint) as x{place}_known, {_sum(f'x{place}', 18)}, {_sum(f'x{place} * x{place}', 18, f'x{place}_squares')}" for place in range(len(facts))),
        )
    )  # fmt: skip
    parts = (
        f"select {literal(method)} as method, {column} as cluster, cast(count(*) as bigint) as n_customers, {sums} "
        f"from {_STORED} where {column} is not null group by {column}"
        for method, column in CLUSTER_COLUMNS.items()
    )
    rows = engine.fetch(" union all ".join(parts)).to_pylist()
    medians = _medians(engine, table, columns)
    found: dict[Method, SegmentFigures] = {}
    for method in METHODS:
        own = sorted((row for row in rows if row["method"] == method), key=lambda row: row["cluster"])
        found[method] = SegmentFigures(_figures(own, method, medians), _effects(own, facts, clusters), _money(own))
    return found


def name_all(
    figures: Mapping[Method, SegmentFigures],
    clusters: Clusters,
    currency: str,
    *,
    shows_risk: bool = True,
    is_rated: bool = False,
) -> dict[Method, tuple[SegmentName, ...]]:
    """Return the names of every method's clusters; `shows_risk` is False where its size says nothing, `is_rated` True of ratings."""
    return {
        method: name_segments(
            own.figures, currency=currency, effects=own.effects, carried=clusters.names.get(method, {}), shows_risk=shows_risk,
            is_rated=is_rated,
        )
        for method, own in figures.items()
    }  # fmt: skip


def names_to_carry(named: Mapping[Method, Sequence[SegmentName]]) -> dict[Method, dict[int, tuple[str, str]]]:
    """Return labels and names by method and cluster, as `Clusters.with_names` takes them into the next run."""
    return {method: {one.cluster: (one.label, one.name) for one in names} for method, names in named.items()}


def segment_tables(
    figures: Mapping[Method, SegmentFigures], named: Mapping[Method, Sequence[SegmentName]], clusters: Clusters
) -> dict[str, pa.Table]:
    """Return the side tables on segments: segment_profiles, segment_effects, cluster_counts, cluster_stability."""
    return {
        "segment_profiles": _profiles(figures, named, clusters),
        "segment_effects": _effect_rows(named),
        "cluster_counts": _counts(clusters),
        "cluster_stability": _stability(clusters),
    }


_RISKS = ("churn_probability", "discount_share")


def _sum(expression: str, scale: int, name: str = "") -> str:
    """Return SQL that adds up exactly, in whatever order."""
    return f"cast(sum(cast({expression} as decimal(38, {scale}))) as double) as {name or f'{expression}_sum'}"


def _store(engine: Engine, table: str, columns: Sequence[str], facts: Sequence[str], clusters: Clusters) -> None:
    """Store what is added up: clusters, figures, and facts as the clusters see them (divided by their unit and logged)."""
    parts = [
        f"cast({quoted(column)} as bigint) as {column}" if column in columns else f"cast(null as bigint) as {column}"
        for column in CLUSTER_COLUMNS.values()
    ]
    parts += [
        f"{known_number(quoted(name)) if name in columns else 'cast(null as double)'} as {name}" for name in _SUMMED
    ]  # fmt: skip
    for place, fact in enumerate(facts):
        value, unit = known_number(quoted(fact)), _unit(clusters, fact)
        if unit is not None:
            value = f"ln(1.0e0 + (case when ({value}) < 0 then 0.0e0 else ({value}) end) / cast('{unit!r}' as double))"
        parts.append(f"{value} as x{place}")
    engine.create_table(_STORED, f"select {', '.join(parts)} from {quoted(table)}")


def _unit(clusters: Clusters, fact: str) -> float | None:
    """Return by what a fact is divided before it is logged; None where it is not logged."""
    if fact not in clusters.features:
        return None
    place = clusters.features.index(fact)
    return float(clusters.transformation.unit[place]) if clusters.transformation.is_logged[place] else None


def _medians(engine: Engine, table: str, columns: Sequence[str]) -> dict[tuple[str, str], float]:
    """Return the medians of everybody and per method and cluster, by ("column method", cluster)."""
    wanted = [
        Quantile(f"{column} {method}", quoted(column), 50.0, by)
        for column in _MEDIANS
        if column in columns
        for method, by in (("", ""), *CLUSTER_COLUMNS.items())
        if not by or by in columns
    ]
    return values_at(engine, table, wanted)


def _figures(rows: Sequence[Mapping[str, Any]], method: Method, medians: Mapping[tuple[str, str], float]) -> pa.Table:
    """Return one row per cluster, and one for everybody."""
    everybody = {
        name: sum(row[name] or 0 for row in rows) for name in (rows[0] if rows else {}) if name not in ("method", "cluster")
    }
    lines = [*rows, {"cluster": None, "n_customers": 0} | everybody]
    columns: dict[str, pa.Array] = {
        "cluster": pa.array([line["cluster"] for line in lines], pa.int64()),
        "n_customers": pa.array([line["n_customers"] for line in lines], pa.int64()),
    }
    for name, (column, kind) in FIGURES.items():
        if kind == "median":
            keys = [
                (f"{column} ", "") if line["cluster"] is None else (f"{column} {method}", str(line["cluster"])) for line in lines
            ]
            values = [medians.get(key) for key in keys]
        else:
            values = [_figure(line, column, kind) for line in lines]
        columns[name] = pa.array(values, pa.float64())
    return pa.table(columns)


def _figure(row: Mapping[str, Any], column: str, kind: str = "sum") -> float | None:
    """Return the mean or sum of a column; None where nothing is known."""
    known = row.get(f"{column}_known", 0)
    if not known:
        return None
    return float(significant(row[f"{column}_sum"] / (known if kind == "mean" else 1)))


def _money(rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float | None]]:
    """Return the sums of money per cluster."""
    return {row["cluster"]: {column: _figure(row, column) for column in ("total_spend", *_MONEY)} for row in rows}


def _effects(rows: Sequence[Mapping[str, Any]], facts: Sequence[str], clusters: Clusters) -> dict[int, tuple[Effect, ...]]:
    """Return how far each cluster lies from all others, fact by fact."""
    found: dict[int, tuple[Effect, ...]] = {row["cluster"]: () for row in rows}
    for place, fact in enumerate(facts):
        names = (f"x{place}_known", f"x{place}_sum", f"x{place}_squares")
        whole = [sum(row[name] or 0 for row in rows) for name in names]
        for row in rows:
            own = [row[name] or 0 for name in names]
            rest = [one - other for one, other in zip(whole, own, strict=True)]
            size = effect_size(own[0], own[1], own[2], rest[0], rest[1], rest[2])
            if np.isnan(size):
                continue
            unit = _unit(clusters, fact)
            typical, elsewhere = (_turned_back(part[1] / part[0], unit) for part in (own, rest))
            found[row["cluster"]] += (Effect(fact, size, typical, elsewhere),)
    return found


def _turned_back(mean: float, unit: float | None) -> float:
    """Return a mean of logs in the unit of the fact."""
    return float(significant(mean if unit is None else unit * np.expm1(mean), 9))


def _profiles(
    figures: Mapping[Method, SegmentFigures], named: Mapping[Method, Sequence[SegmentName]], clusters: Clusters
) -> pa.Table:
    """Return one row per method and cluster: who they are, how many, what they are worth, what to do."""
    rows = []
    for method, names in named.items():
        n = sum(one.n_customers for one in names)
        for one in names:
            rows.append(
                {
                    "method": method,
                    "cluster": one.cluster,
                    "segment_name": one.name,
                    "label": one.label,
                    "is_naming": method == clusters.method,
                    "persona": one.persona,
                    "reason": one.reason,
                    "strategy": one.strategy,
                    "customers": one.n_customers,
                    "customer_share": one.n_customers / n,
                }
                | dict(figures[method].money[one.cluster])
                | {name: _known(one.profile[name]) for name in _PROFILE_FIGURES}
            )
    return pa.Table.from_pylist(rows, _PROFILES)


_PROFILE_FIGURES = (
    "churn_probability",
    "mean_orders",
    "mean_spend",
    "median_recency_days",
    "median_order_value",
    "median_tenure_days",
)
_PROFILES = pa.schema(
    [
        ("method", pa.string()),
        ("cluster", pa.int64()),
        ("segment_name", pa.string()),
        ("label", pa.string()),
        ("is_naming", pa.bool_()),
        ("persona", pa.string()),
        ("reason", pa.string()),
        ("strategy", pa.string()),
        ("customers", pa.int64()),
        ("customer_share", pa.float64()),
        ("total_spend", pa.float64()),
        ("clv_180d", pa.float64()),
        ("expected_value_loss", pa.float64()),
        *((name, pa.float64()) for name in _PROFILE_FIGURES),
    ]
)


def _known(value: float) -> float | None:
    """Return a figure, None where it is unknown."""
    return None if np.isnan(value) else value


def _effect_rows(named: Mapping[Method, Sequence[SegmentName]]) -> pa.Table:
    """Return one row per method, cluster and fact."""
    rows = [
        {
            "method": method,
            "cluster": one.cluster,
            "segment_name": one.name,
            "fact": effect.fact,
            "effect": effect.size,
            "typical": effect.typical,
            "elsewhere": effect.elsewhere,
        }
        for method, names in named.items()
        for one in names
        for effect in one.effects
    ]
    texts = [(name, pa.string()) for name in ("segment_name", "fact")]
    figures = [(name, pa.float64()) for name in ("effect", "typical", "elsewhere")]
    return pa.Table.from_pylist(rows, pa.schema([("method", pa.string()), ("cluster", pa.int64()), *texts, *figures]))


def _counts(clusters: Clusters) -> pa.Table:
    """Return one row per method and number of clusters that was tried."""
    tried = clusters.tried
    figures = ("wcss", "inertia", "silhouette", "bic", "stability", "smallest_share")
    return pa.table(
        {
            "method": pa.array([count.method for count in tried], pa.string()),
            "k": pa.array([count.k for count in tried], pa.int64()),
            **{
                name: pa.array([getattr(count, name) for count in tried], pa.float64(), from_pandas=True)
                for name in figures
            },
            "is_chosen": pa.array([count.k == clusters.groupings[count.method].k for count in tried], pa.bool_()),
        }
    )  # fmt: skip


def _stability(clusters: Clusters) -> pa.Table:
    """Return one row per method: how far its clusters can be relied on to stay."""
    rows = clusters.steadiness
    return pa.table(
        {
            "method": pa.array([row.method for row in rows], pa.string()),
            "k": pa.array([row.k for row in rows], pa.int64()),
            "is_naming": pa.array([row.method == clusters.method for row in rows], pa.bool_()),
            "stability": pa.array([row.stability for row in rows], pa.float64(), from_pandas=True),
            "kept_share": pa.array([row.kept_share for row in rows], pa.float64(), from_pandas=True),
            "new_clusters": pa.array([", ".join(map(str, row.new)) for row in rows], pa.string()),
            "gone_clusters": pa.array([", ".join(map(str, row.gone)) for row in rows], pa.string()),
            "reason": pa.array(
                [
                    clusters.reasons.get(row.method, "") or (clusters.reason if row.method == clusters.method else "")
                    for row in rows
                ],
                pa.string(),
            ),
        }
    )
