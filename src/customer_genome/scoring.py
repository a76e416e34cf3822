"""From facts to predictions and decisions: fits the models, scores every customer, says what to do.

Comes in: `customer_facts` as Arrow, sorted by customer, and settings as values. Goes out: `Scores`: one row per customer,
the side tables the screens need, and the fitted models with their cards. No database, no file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.models.lifetime_value import lifetime_value_interval
from customer_genome.models.purchases import BetaGeometricNBD
from customer_genome.models.segments import CLUSTER_FEATURES, fit_clusters, rfm_scores, significant
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
    rfm = rfm_scores(_numbers(facts, "recency_days"), histories.n_orders, _numbers(facts, "total_spend"))
    columns |= {
        "recency_score": rfm.recency_score,
        "frequency_score": rfm.frequency_score,
        "monetary_score": rfm.monetary_score,
        "rfm_segment": rfm.rfm_segment,
    }
    features = np.column_stack([significant(_numbers(facts, name)) for name in CLUSTER_FEATURES])
    clusters = fit_clusters(
        features, CLUSTER_FEATURES, _numbers(facts, "total_spend"), k=settings.segments.k, seed=settings.prediction.seed
    )
    columns["cluster_kmeans"] = clusters.labels
    raise SystemExit(str(columns))


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
