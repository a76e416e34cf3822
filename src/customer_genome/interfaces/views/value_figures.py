"""Forecasts of the shop and the fit of the model, as report and dashboard show them.

Comes in: an open `Genome`. Goes out: the published tables of the outlook, empty where a version has none, and sentences on how far
to trust them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from customer_genome.genome import Genome
from customer_genome.interfaces.views.figures import count, day, quantity, share

OUTLOOK_TABLES: Mapping[str, str] = {
    "forecast": "period, starts_on",
    "cohort_forecast": "cohort",
    "cohort_months": "cohort, starts_on",
    "tracking": "starts_on",
    "tracking_error": "calibration_on",
    "frequency_fit": "repeats",
    "alive_matrix": "repeats, quiet_days",
}
"""Every table of the outlook with its order; rows of a published table have none of their own."""


def outlook(genome: Genome) -> dict[str, pa.Table]:
    """Return every table of the outlook by name; one that the version does not have is empty."""
    known = set(genome.tables())
    return {
        name: genome.query(f"select * from {name} order by {order}") if name in known else pa.table({})
        for name, order in OUTLOOK_TABLES.items()
    }


def next_year(genome: Genome) -> dict[str, Any]:
    """Return what today's customers are expected to do in the next 365 days: purchase_days, revenue (sums over the cohorts)."""
    if "cohort_forecast" not in genome.tables():
        return {"purchase_days": None, "revenue": None}
    found: dict[str, Any] = genome.query(
        "select sum(purchase_days) as purchase_days, sum(revenue) as revenue from cohort_forecast"
    ).to_pylist()[0]
    return found


def fit_sentence(tracking_error: pa.Table) -> str:
    """Return how the model did on days it had not seen, in plain words; empty where nothing could be held back."""
    rows = tracking_error.to_pylist()
    if not rows:
        return ""
    row = rows[0]
    opening = (
        f"A {row['model']} model that knew nothing after {day(row['calibration_on'])} was held against the {quantity(row['holdout_days'], 'days')} "
        f"that followed, for the {quantity(row['customers'], 'customers')} known then: "
    )
    if row["error_of_total"] is None:
        return f"{opening}none of them bought again, {count(row['expected'])} purchase days were expected."
    off = row["error_of_total"]
    how = "as many" if abs(off) < 0.0005 else f"{share(abs(off))} {'more' if off > 0 else 'fewer'}"
    return (
        f"{opening}it expected {count(row['expected'])} purchase days and {count(row['actual'])} came, so it expected {how}. "
        f"A single week was off by {share(row['error_of_weeks'])} on average."
    )


TRUST = (
    "The band of a forecast holds chance and what is uncertain about the parameters, not that the world may change: a season unlike the last, "
    "campaigns, a new assortment. Hold it against how far the model was off in the weeks it had not seen."
)
"""What a band does not hold."""
