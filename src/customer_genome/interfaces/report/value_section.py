"""The sections of the report on what to expect in all and how well the model fits this shop.

Comes in: an open `Genome`. Goes out: pictures and sentences for the template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.report.pictures import PAGE_WIDTH, Column, Picture, picture
from customer_genome.interfaces.views.figures import count, day, share
from customer_genome.interfaces.views.value_figures import TRUST, fit_sentence, outlook


def value_section(genome: Genome) -> tuple[dict[str, Picture], dict[str, Any]]:
    """Return the pictures of both sections, those without data left out, and what their template asks for."""
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    tables = outlook(genome)
    wanted: Sequence[tuple[str, Callable[[pa.Table, Look], Any], str, list[Column]]] = (
        ("revenue_forecast", charts.revenue_forecast, "forecast", _forecast_columns(look)),
        ("cohort_value", charts.cohort_value, "cohort_forecast", _cohort_columns(look)),
        ("tracking_by_week", charts.tracking_by_week, "tracking", _tracking_columns()),
        ("tracking_in_all", charts.tracking_in_all, "tracking", _running_columns()),
        ("frequency_fit", charts.frequency_fit, "frequency_fit", _frequency_columns()),
        ("conditional_fit", charts.conditional_fit, "frequency_fit", _frequency_columns()),
        ("alive_matrix", charts.alive_matrix, "alive_matrix", _alive_columns()),
    )
    drawn = {}
    for name, draw, table, columns in wanted:
        rows = tables[table]
        if rows.num_rows:
            drawn[name] = picture(name, lambda at, draw=draw, rows=rows: draw(rows, at), rows, columns, look)  # type: ignore[misc]
    return drawn, {
        "has_forecast": tables["forecast"].num_rows > 0,
        "has_fit": tables["tracking"].num_rows > 0,
        "fit": fit_sentence(tables["tracking_error"]),
        "trust": TRUST,
    }


def _forecast_columns(look: Look) -> list[Column]:
    """Return the columns of the forecast."""
    return [
        ("From", lambda row: day(row["starts_on"])),
        ("To, exclusive", lambda row: day(row["ends_on"])),
        ("Expected revenue", lambda row: look.estimate(row["revenue"])),
        ("80 % range", lambda row: f"{look.estimate(row['revenue_lower'])} to {look.estimate(row['revenue_upper'])}"),
        ("Expected purchase days", lambda row: count(row["purchase_days"])),
    ]


def _cohort_columns(look: Look) -> list[Column]:
    """Return the columns of value by month of the first purchase."""
    return [
        ("First purchase in", lambda row: f"{row['cohort']:%b %Y}"),
        ("Customers", lambda row: count(row["customers"])),
        ("Spend so far", lambda row: look.money(row["spend_so_far"])),
        ("First year, known", lambda row: look.money(row["first_year_known"])),
        ("First year, still expected", lambda row: look.estimate(row["first_year_expected"])),
        ("Next 365 days", lambda row: look.estimate(row["revenue"])),
        ("80 % range", lambda row: f"{look.estimate(row['revenue_lower'])} to {look.estimate(row['revenue_upper'])}"),
    ]


def _tracking_columns() -> list[Column]:
    """Return the columns of actual and expected purchases per week."""
    return [
        ("Week of", lambda row: day(row["starts_on"])),
        ("Actual", lambda row: count(row["actual"])),
        ("Expected", lambda row: count(row["expected"])),
        ("Seen by the model", lambda row: "no" if row["is_holdout"] else "yes"),
    ]


def _running_columns() -> list[Column]:
    """Return the columns of purchases added up."""
    return [
        ("Up to", lambda row: day(row["ends_on"])),
        ("Actual", lambda row: count(row["actual_total"])),
        ("Expected", lambda row: count(row["expected_total"])),
    ]


def _frequency_columns() -> list[Column]:
    """Return the columns of customers and later purchases by number of repeats."""
    return [
        ("Repeat purchase days", lambda row: f"{row['repeats']}{' or more' if row['is_or_more'] else ''}"),
        ("Customers", lambda row: count(row["customers"])),
        ("Expected", lambda row: count(row["expected_customers"])),
        ("Purchase days afterwards", lambda row: count(row["holdout_days"])),
        ("Expected", lambda row: count(row["expected_holdout_days"])),
    ]


def _alive_columns() -> list[Column]:
    """Return the columns of the chance of still being a customer."""
    return [
        ("Repeat purchase days", lambda row: count(row["repeats"])),
        ("Days of silence", lambda row: count(row["quiet_days"])),
        ("Still a customer", lambda row: share(row["p_alive"])),
    ]
