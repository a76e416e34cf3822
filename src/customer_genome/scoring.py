"""From facts to predictions and decisions: fits the models, scores every customer, says what to do.

Comes in: `customer_facts` as Arrow, sorted by customer, and settings as values. Goes out: `Scores`: one row per customer,
the side tables the screens need, and the fitted models with their cards. No database, no file.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
from customer_genome.models.clusters import CLUSTER_FEATURES, Clusters, fit_clusters
from customer_genome.models.estimator import FitReport
from customer_genome.models.lifetime_value import lifetime_value_interval
from customer_genome.models.purchases import BetaGeometricNBD
from customer_genome.models.segments import rfm_scores, significant
from customer_genome.models.spend import GammaGamma
from customer_genome.settings import Settings

Array = npt.NDArray[np.float64]
CLV_DAYS = 180
DAYS_OF_MEAN_ORDERS_PER_DAY = 5.0
"""How many average purchase days a customer's own orders per day are shrunken with."""


@dataclass(frozen=True)
class Scores:
    """Everything that is known about customers beyond the facts."""

    predictions: pa.Table
    tables: Mapping[str, pa.Table]
    models: Mapping[str, tuple[Mapping[str, npt.NDArray[Any]], Mapping[str, Any]]]
    fit_sentences: tuple[str, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Histories:
    """The numbers the value models need, one entry per customer."""

    frequency: Array
    span_days: Array
    observed_days: Array
    n_days: Array
    mean_spend: Array
    n_orders: Array

    @classmethod
    def of(cls, facts: pa.Table) -> _Histories:
        """Return the histories of customer_facts; the last day before the cutoff is the last observed one."""
        n_days = _numbers(facts, "n_purchase_days")
        return cls(
            frequency=n_days - 1,
            span_days=_numbers(facts, "activity_days"),
            observed_days=_numbers(facts, "tenure_days") - 1,
            n_days=n_days,
            mean_spend=significant(_numbers(facts, "mean_spend_per_day")),
            n_orders=_numbers(facts, "n_orders"),
        )


def _numbers(facts: pa.Table, name: str) -> Array:
    """Return a column as floats, NaN where it is empty."""
    return np.asarray(pc.cast(facts.column(name), pa.float64()).to_numpy(), dtype=np.float64)


def score_customers(facts: pa.Table, settings: Settings, horizon_days: int, playbook_file: Mapping[str, Any]) -> Scores:
    """Fit on all customers of `facts` and score them.

    Parameters
    ----------
    facts : customer_facts of one cutoff, sorted by customer_id
    horizon_days : int, days
        Of risk, orders and spend; customer value is always over 180 days.
    playbook_file : mapping
        The parsed playbook file.

    Returns
    -------
    Scores
        `predictions` has one row per row of `facts`, in the same order.
    """
    histories = _Histories.of(facts)
    purchases = BetaGeometricNBD().fit(histories.frequency, histories.span_days, histories.observed_days)
    spend = GammaGamma().fit(histories.n_days, histories.mean_spend)
    columns: dict[str, Any] = {"customer_id": facts.column("customer_id")}
    columns |= _value(purchases, spend, histories, settings, horizon_days, facts.column("as_of")[0].as_py())
    columns |= _rfm(facts)
    clusters = _clusters(facts, settings)
    columns["cluster_kmeans"] = clusters.labels
    columns |= _stakes(columns, settings)
    known = _with(facts, columns)
    named = name_segments(clusters.labels, known, currency=settings.shop.currency)
    columns["segment_name"] = segment_column(clusters.labels, named)
    books = parse_playbooks(playbook_file)
    known = _with(facts, columns)
    assigned = assign(books, known, currency=settings.shop.currency)
    columns |= {
        "playbook": assigned.playbook,
        "recommended_action": assigned.recommended_action,
        "playbook_reason": assigned.reason,
    }
    known = _with(facts, columns)
    checks = check(books, known)
    return Scores(
        predictions=pa.table(columns),
        tables=_side_tables(known, named, books, checks, clusters, settings.shop.currency),
        models={
            "purchases": (purchases.to_arrays(), _card(purchases.report_, ("frequency", "recency_days", "age_days"))),
            "spend": (spend.to_arrays(), _card(spend.report_, ("n_purchases", "mean_spend"))),
            "clusters": (clusters.to_arrays(), {"features": list(CLUSTER_FEATURES), "reason": clusters.reason}),
        },
        fit_sentences=(*purchases.report_.sentences(), *spend.report_.sentences(), clusters.reason),
        notices=tuple(f"Playbook {found.name} is switched off: {found.switched_off}" for found in checks if found.switched_off),
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
        _numbers(known, "clv_180d"), _numbers(known, "churn_probability"), known.column("clv_band"), known.column("churn_band")
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
    recency, names = _numbers(known, "recency_days"), np.asarray(known.column(column).to_pylist(), dtype=object)
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


def _rfm(facts: pa.Table) -> dict[str, Any]:
    """Return RFM scores and segment names."""
    rfm = rfm_scores(_numbers(facts, "recency_days"), _numbers(facts, "n_orders"), _numbers(facts, "total_spend"))
    return {
        "recency_score": rfm.recency_score,
        "frequency_score": rfm.frequency_score,
        "monetary_score": rfm.monetary_score,
        "rfm_segment": rfm.rfm_segment,
    }


def _clusters(facts: pa.Table, settings: Settings) -> Clusters:
    """Fit the KMeans clusters."""
    features = np.column_stack([significant(_numbers(facts, name)) for name in CLUSTER_FEATURES])
    return fit_clusters(
        features, CLUSTER_FEATURES, _numbers(facts, "total_spend"), k=settings.segments.k, seed=settings.prediction.seed
    )


def _stakes(columns: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return bands of value and risk and the money at stake."""
    clv, risk = columns["clv_180d"], columns["churn_probability"]
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


def _card(report: FitReport, features: tuple[str, ...]) -> dict[str, Any]:
    """Return the card of a fitted model: inputs in order, parameters, how well, what is doubtful."""
    return {
        "model": report.model,
        "features": list(features),
        "parameters": dict(report.parameters),
        "standard_errors": dict(report.standard_errors),
        "log_likelihood": report.log_likelihood,
        "n_customers": report.n_customers,
        "converged": report.converged,
        "rung": report.rung,
        "sentences": list(report.sentences()),
    }


def _value(
    purchases: BetaGeometricNBD, spend: GammaGamma, histories: _Histories, settings: Settings, horizon_days: int, as_of: dt.date
) -> dict[str, Any]:
    """Return what each customer will do and is worth; purchase days are turned into orders at the customer's own rate."""
    history = (histories.frequency, histories.span_days, histories.observed_days)
    days = purchases.expected_orders(*history, horizon_days)
    orders_per_day = histories.n_orders.sum() / histories.n_days.sum()
    prior = DAYS_OF_MEAN_ORDERS_PER_DAY
    own_orders_per_day = (histories.n_orders + prior * orders_per_day) / (histories.n_days + prior)
    value = lifetime_value_interval(
        purchases,
        spend,
        *history,
        histories.n_days,
        histories.mean_spend,
        CLV_DAYS,
        settings.prediction.annual_discount,
        settings.prediction.margin,
        seed=settings.prediction.seed,
    )
    return {
        "horizon_days": pa.array(np.full(len(days), horizon_days), pa.int32()),
        "p_alive": purchases.probability_alive(*history),
        "predicted_orders": days * own_orders_per_day,
        "predicted_spend": days * spend.expected_spend(histories.n_days, histories.mean_spend),
        "clv_180d": value.mean,
        "clv_lower": value.lower,
        "clv_upper": value.upper,
        "churn_probability": 1 - purchases.probability_of_order(*history, horizon_days),
        "next_order_on": _next_order(purchases.days_until_order(*history), as_of),
    }


def _next_order(days: Array, as_of: dt.date) -> pa.Array:
    """Return the day by which an order is as likely as not, empty where it never becomes so within ten years."""
    within = np.isfinite(days) & (days <= 3650)
    start = np.datetime64(as_of - dt.timedelta(days=1), "D")
    dates = start + np.ceil(np.where(within, days, 0)).astype("timedelta64[D]")
    return pa.array(dates, mask=~within)
