"""From facts and fitted models to predictions and decisions, row by row, in batches, on the engine.

Comes in: an engine that holds `customer_facts`, fitted models, settings as values. Goes out: the tables `valued` (facts and
what customers will do and are worth) and `predictions` (what follows from it), and `Decided`: the side tables the screens
need. What a row needs to know about all others (cut points, averages, names of segments) is asked in SQL and handed
to `Valuation` and `Decision` as values, so that a batch may be any part of the customers.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.decisions.findings import findings
from customer_genome.decisions.playbooks import Playbook, PlaybookCheck, assign, check, parse_playbooks
from customer_genome.decisions.priority import (
    churn_band,
    clv_band,
    clv_cuts,
    confidence_score,
    expected_value_loss,
    heat_map,
    priority_segment,
)
from customer_genome.decisions.segment_names import SegmentName, name_segments, segment_column
from customer_genome.fitting import Models, cluster_features, numbers
from customer_genome.models.clusters import CLUSTER_FEATURES, Clusters
from customer_genome.models.lifetime_value import lifetime_value_interval
from customer_genome.models.segments import rfm_scores, significant
from customer_genome.settings import Settings
from customer_genome.warehouse.engine import Engine, quoted

Array = npt.NDArray[np.float64]
CLV_DAYS = 180
DAYS_OF_MEAN_ORDERS_PER_DAY = 5.0
"""How many average purchase days a customer's own orders per day are shrunken with."""
HISTORY_COLUMNS = (
    "n_purchase_days",
    "activity_days",
    "tenure_days",
    "mean_spend_per_day",
    "n_orders",
    "recency_days",
    "total_spend",
)
RFM_COLUMNS: Mapping[str, str] = {"recency": "recency_days", "frequency": "n_orders", "monetary": "total_spend"}
VALUE_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("horizon_days", pa.int32()),
        ("p_alive", pa.float64()),
        ("predicted_orders", pa.float64()),
        ("predicted_spend", pa.float64()),
        ("clv_180d", pa.float64()),
        ("clv_lower", pa.float64()),
        ("clv_upper", pa.float64()),
        ("churn_probability", pa.float64()),
        ("next_order_on", pa.date32()),
        ("recency_score", pa.int64()),
        ("frequency_score", pa.int64()),
        ("monetary_score", pa.int64()),
        ("rfm_segment", pa.string()),
        ("cluster_kmeans", pa.int64()),
    ]
)
"""What `Valuation` makes of a customer's facts."""
LATEST = "as_of = (select max(as_of) from cutoffs)"


@dataclass(frozen=True)
class Population:
    """What a row has to know about all customers to be valued.

    Attributes
    ----------
    orders_per_day : float
        Orders on a purchase day, over all purchase days.
    rfm_cuts : name of a score -> float array of shape (4,)
        The values that part all customers into fifths; NaN where all are alike.
    """

    orders_per_day: float
    rfm_cuts: Mapping[str, Array]

    @classmethod
    def of(cls, engine: Engine, table: str = "customer_facts") -> Self:
        """Return the figures of all customers of a table as of the last cutoff."""
        marks = [
            f"percentile_disc({fifth / 5}) within group (order by {column}) as {name}_{fifth}"
            for name, column in RFM_COLUMNS.items()
            for fifth in (1, 2, 3, 4)
        ]
        ends = [
            f"{function}({column}) as {name}_{function}" for name, column in RFM_COLUMNS.items() for function in ("min", "max")
        ]
        row = engine.fetch(
            f"select cast(sum(n_orders) as bigint) as orders, cast(sum(n_purchase_days) as bigint) as days, "
            f"{', '.join([*marks, *ends])} from {quoted(table)} where {LATEST}"
        ).to_pylist()[0]
        cuts = {name: _fifths(*(row[f"{name}_{end}"] for end in (1, 2, 3, 4, "min", "max"))) for name in RFM_COLUMNS}
        return cls(row["orders"] / row["days"], cuts)


def _fifths(first: float, second: float, third: float, fourth: float, lowest: float, highest: float) -> Array:
    """Return the cut points of `models.segments.quintile_cuts` from quantiles that occur; NaN where all values are alike."""
    low, high = significant([lowest, highest])
    return np.full(4, np.nan) if low == high else significant([first, second, third, fourth])


@dataclass(frozen=True)
class Valuation:
    """Turns facts into what customers will do and are worth, row by row.

    Attributes
    ----------
    horizon_days : int, days
        Of risk, orders and spend; customer value is always over 180 days.
    as_of : date
        The exclusive cutoff of the facts.
    """

    models: Models
    population: Population
    as_of: dt.date
    horizon_days: int
    annual_discount: float
    margin: float
    seed: int

    def __call__(self, facts: pa.Table) -> pa.Table:
        """Return the columns of `VALUE_SCHEMA` for any part of the customers, in the order of `facts`."""
        columns = {"customer_id": facts.column("customer_id"), **self._value(facts), **self._rfm(facts)}
        columns["cluster_kmeans"] = self.models.clusters.predict(cluster_features(facts), CLUSTER_FEATURES)
        return pa.table(columns).select(VALUE_SCHEMA.names).cast(VALUE_SCHEMA)

    def _value(self, facts: pa.Table) -> dict[str, Any]:
        """Return what each customer will do and is worth; purchase days are turned into orders at the customer's own rate."""
        purchases, spend = self.models.purchases, self.models.spend
        n_days, n_orders = numbers(facts, "n_purchase_days"), numbers(facts, "n_orders")
        mean_spend = significant(numbers(facts, "mean_spend_per_day"))
        history = (n_days - 1, numbers(facts, "activity_days"), numbers(facts, "tenure_days") - 1)
        days = purchases.expected_orders(*history, self.horizon_days)
        prior = DAYS_OF_MEAN_ORDERS_PER_DAY
        own_orders_per_day = (n_orders + prior * self.population.orders_per_day) / (n_days + prior)
        value = lifetime_value_interval(
            purchases, spend, *history, n_days, mean_spend, CLV_DAYS, self.annual_discount, self.margin, seed=self.seed
        )
        return {
            "horizon_days": pa.array(np.full(len(days), self.horizon_days), pa.int32()),
            "p_alive": purchases.probability_alive(*history),
            "predicted_orders": days * own_orders_per_day,
            "predicted_spend": days * spend.expected_spend(n_days, mean_spend),
            "clv_180d": value.mean,
            "clv_lower": value.lower,
            "clv_upper": value.upper,
            "churn_probability": 1 - purchases.probability_of_order(*history, self.horizon_days),
            "next_order_on": _next_order(purchases.days_until_order(*history), self.as_of),
        }

    def _rfm(self, facts: pa.Table) -> dict[str, Any]:
        """Return RFM scores and segment names."""
        recency, frequency, monetary = (numbers(facts, column) for column in RFM_COLUMNS.values())
        rfm = rfm_scores(recency, frequency, monetary, self.population.rfm_cuts)
        return {
            "recency_score": rfm.recency_score,
            "frequency_score": rfm.frequency_score,
            "monetary_score": rfm.monetary_score,
            "rfm_segment": rfm.rfm_segment,
        }


def value_customers(engine: Engine, models: Models, settings: Settings, as_of: dt.date, horizon_days: int) -> None:
    """Make `valued`: the facts of every customer as of the last cutoff, with the columns of `VALUE_SCHEMA`.

    Rows with equal histories stand together, so that a batch computes what they share once.
    """
    valuation = Valuation(
        models,
        Population.of(engine),
        as_of,
        horizon_days,
        settings.prediction.annual_discount,
        settings.prediction.margin,
        settings.prediction.seed,
    )
    columns = ", ".join(dict.fromkeys(("customer_id", *HISTORY_COLUMNS, *CLUSTER_FEATURES)))
    engine.map_rows(
        "customer_values",
        f"select {columns} from customer_facts where {LATEST} order by n_purchase_days, tenure_days, customer_id",
        valuation,
        VALUE_SCHEMA,
    )
    values = ", ".join(f"v.{name}" for name in VALUE_SCHEMA.names if name != "customer_id")
    engine.create_table(
        "valued",
        f"select f.*, {values} from customer_facts as f inner join customer_values as v on f.customer_id = v.customer_id "
        f"where f.{LATEST}",
    )


@dataclass(frozen=True)
class Decided:
    """What follows for the shop.

    Attributes
    ----------
    tables : name -> small table for the screens
    notices : what the user should know
    """

    tables: Mapping[str, pa.Table]
    notices: tuple[str, ...]


def decide_customers(engine: Engine, clusters: Clusters, settings: Settings, playbook_file: Mapping[str, Any]) -> Decided:
    """Make `predictions` from `valued`: one row per customer with every prediction and decision; return the side tables.

    Parameters
    ----------
    playbook_file : mapping
        The parsed playbook file.
    """
    known = engine.fetch("select * from valued order by customer_id")
    columns: dict[str, Any] = {name: known[name] for name in VALUE_SCHEMA.names}
    labels = numbers(known, "cluster_kmeans").astype(np.int64)
    columns |= _stakes(known, settings)
    known = _with(known, columns)
    named = name_segments(labels, known, currency=settings.shop.currency)
    columns["segment_name"] = segment_column(labels, named)
    books = parse_playbooks(playbook_file)
    known = _with(known, columns)
    assigned = assign(books, known, currency=settings.shop.currency)
    columns |= {
        "playbook": assigned.playbook,
        "recommended_action": assigned.recommended_action,
        "playbook_reason": assigned.reason,
    }
    known = _with(known, columns)
    checks = check(books, known)
    engine.write("predictions", pa.table(columns))
    return Decided(
        _side_tables(known, named, books, checks, clusters, settings.shop.currency),
        tuple(f"Playbook {found.name} is switched off: {found.switched_off}" for found in checks if found.switched_off),
    )


def _side_tables(
    known: pa.Table,
    named: Sequence[SegmentName],
    books: Sequence[Playbook],
    checks: Sequence[PlaybookCheck],
    clusters: Clusters,
    currency: str,
) -> dict[str, pa.Table]:
    """Return the small tables the screens read: segments, playbooks, findings, value by risk, cluster counts tried."""
    cells = heat_map(
        numbers(known, "clv_180d"), numbers(known, "churn_probability"), known.column("clv_band"), known.column("churn_band")
    )
    found = findings(known, currency=currency)
    return {
        "segments": _segments(known, named),
        "playbooks": _playbooks(known, books, checks),
        "findings": pa.table(
            {
                "id": pa.array([one.id for one in found], pa.string()),
                "title": pa.array([one.title for one in found], pa.string()),
                "sentence": pa.array([one.sentence for one in found], pa.string()),
                "value": pa.array([one.value for one in found], pa.float64()),
                "unit": pa.array([one.unit for one in found], pa.string()),
                "n_customers": pa.array([one.n for one in found], pa.int64()),
                "chart": pa.array([json.dumps(dict(one.chart)) for one in found], pa.string()),
            }
        ),
        "heat_map": pa.Table.from_pylist([asdict(cell) for cell in cells]),
        "cluster_counts": pa.table(
            {
                "k": pa.array([tried.k for tried in clusters.tried], pa.int64()),
                "silhouette": pa.array([tried.silhouette for tried in clusters.tried], pa.float64()),
                "inertia": pa.array([tried.inertia for tried in clusters.tried], pa.float64()),
                "smallest_share": pa.array([tried.smallest_share for tried in clusters.tried], pa.float64()),
                "is_chosen": pa.array([tried.k == clusters.k for tried in clusters.tried], pa.bool_()),
            }
        ),
    }


def _sums(known: pa.Table, column: str) -> dict[str, dict[str, Any]]:
    """Return customers, money and risk per value of a text column."""
    grouped = known.group_by(column).aggregate(
        [
            ("customer_id", "count"),
            ("total_spend", "sum"),
            ("clv_180d", "sum"),
            ("expected_value_loss", "sum"),
            ("churn_probability", "mean"),
            ("n_orders", "mean"),
        ]
    )
    rows = {row[column]: row for row in grouped.to_pylist()}
    recency, names = numbers(known, "recency_days"), np.asarray(known.column(column).to_pylist(), dtype=object)
    for name, row in rows.items():
        row["recency_days_median"] = float(np.median(recency[names == name]))
    return rows


def _totals(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one group's totals under their published names; zeros for a group without customers."""
    return {
        "customers": row.get("customer_id_count", 0),
        "total_spend": row.get("total_spend_sum", 0.0),
        "clv_180d": row.get("clv_180d_sum", 0.0),
        "expected_value_loss": row.get("expected_value_loss_sum", 0.0),
        "churn_probability": row.get("churn_probability_mean"),
        "median_recency_days": row.get("recency_days_median"),
        "mean_orders": row.get("n_orders_mean"),
    }


def _segments(known: pa.Table, named: Sequence[SegmentName]) -> pa.Table:
    """Return one row per named segment: totals, why it is called so, what to do."""
    sums = _sums(known, "segment_name")
    return pa.Table.from_pylist(
        [
            {
                "segment_name": one.name,
                "label": one.label,
                "cluster_kmeans": one.cluster,
                "reason": one.reason,
                "strategy": one.strategy,
            }
            | _totals(sums.get(one.name, {}))
            for one in named
        ]
    )


def _playbooks(known: pa.Table, books: Sequence[Playbook], checks: Sequence[PlaybookCheck]) -> pa.Table:
    """Return one row per playbook: who, what to do, what to measure, and how many customers it takes."""
    sums = _sums(known, "playbook")
    return pa.Table.from_pylist(
        [
            {
                "playbook": book.name,
                "priority": book.priority,
                "who": book.who,
                "do": " ".join(book.do),
                "measure": "; ".join(book.measure),
                "channel": book.channel,
                "cost": book.cost,
                "matches": found.n_matches,
                "switched_off": found.switched_off,
            }
            | _totals(sums.get(book.name, {}))
            for book, found in zip(books, checks, strict=True)
        ]
    )


def _stakes(valued: pa.Table, settings: Settings) -> dict[str, Any]:
    """Return bands of value and risk and the money at stake."""
    clv, risk = numbers(valued, "clv_180d"), numbers(valued, "churn_probability")
    value_bands = clv_band(clv, settings.segments.clv_bands or clv_cuts(clv))
    risk_bands = churn_band(risk, settings.segments.churn_bands)
    return {
        "clv_band": value_bands,
        "churn_band": risk_bands,
        "confidence_score": confidence_score(risk),
        "expected_value_loss": expected_value_loss(clv, risk),
        "priority_segment": priority_segment(value_bands, risk_bands),
    }


def _with(facts: pa.Table, columns: Mapping[str, Any]) -> pa.Table:
    """Return facts and predictions side by side."""
    known = facts
    for name, values in columns.items():
        if name not in facts.column_names:
            known = known.append_column(name, values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values))
    return known


def _next_order(days: Array, as_of: dt.date) -> pa.Array:
    """Return the day by which an order is as likely as not, empty where it never becomes so within ten years."""
    within = np.isfinite(days) & (days <= 3650)
    start = np.datetime64(as_of - dt.timedelta(days=1), "D")
    dates = start + np.ceil(np.where(within, days, 0)).astype("timedelta64[D]")
    return pa.array(dates, mask=~within)
