"""The whole shop's outlook and how far to trust it: forecasts by month and cohort, and actual against expected.

Comes in: an engine that holds `customer_facts`, `known_orders` and `cutoffs`, and fitted models. Goes out: small tables that are
published for the screens. What is brought here are histories and days that customers share, with counts, never one row per
customer. Nothing is scored here.

How well the model fits is judged out of time: the purchase model is fitted once more on what was known some weeks before the
cutoff, and held against what happened in them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.features.table import feature_text
from customer_genome.features.trials import known_before
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.season import EARLY_DAYS, Clock, Part, day_number
from customer_genome.models.btyd.season_fit import fit_clock
from customer_genome.models.btyd.totals import SharedHistories, TotalForecast, add_up, forecast_each, forecast_totals
from customer_genome.models.btyd.tracking import (
    MOST_REPEATS,
    alive_matrix,
    by_frequency,
    expected_after,
    expected_by_frequency,
    expected_histogram,
    expected_repeats,
    tracking_error,
)
from customer_genome.models.estimator import Array
from customer_genome.stages.fitting import Models, numbers
from customer_genome.warehouse.engine import Engine

N_MONTHS, N_WEEKS = 24, 26
FIRST_YEAR_DAYS = 365
WEEK = 7
LEAST_HISTORY_DAYS = 42
"""Shorter histories are not split: neither part would say anything."""
QUIET_DAYS = (1, 7, 14, 30, 60, 90, 180, 365, 730)
REPEATS = (1, 2, 3, 5, 8, 13, 21, 34, 55)
_ENDS = ("", "_lower", "_upper")
_MONEY_AND_DAYS = tuple((f"{name}{end}", pa.float64()) for name in ("purchase_days", "revenue") for end in _ENDS)
SCHEMAS: Mapping[str, pa.Schema] = {
    "forecast": pa.schema(
        [("period", pa.string()), ("starts_on", pa.date32()), ("ends_on", pa.date32()), ("is_complete", pa.bool_()), *_MONEY_AND_DAYS]
    ),
    "cohort_forecast": pa.schema(
        [
            ("cohort", pa.date32()), ("customers", pa.int64()), ("spend_so_far", pa.float64()), ("first_year_known", pa.float64()),
            ("first_year_expected", pa.float64()), *_MONEY_AND_DAYS,
        ]
    ),
    "cohort_months": pa.schema(
        [("cohort", pa.date32()), ("starts_on", pa.date32()), ("ends_on", pa.date32()), ("is_complete", pa.bool_()), *_MONEY_AND_DAYS]
    ),
    "tracking": pa.schema(
        [
            ("starts_on", pa.date32()), ("ends_on", pa.date32()), ("is_holdout", pa.bool_()), ("is_complete", pa.bool_()),
            ("actual", pa.int64()), ("expected", pa.float64()), ("actual_total", pa.int64()), ("expected_total", pa.float64()),
        ]
    ),
    "tracking_error": pa.schema(
        [
            ("model", pa.string()), ("calibration_on", pa.date32()), ("holdout_days", pa.int64()), ("customers", pa.int64()),
            ("actual", pa.float64()), ("expected", pa.float64()), ("error_of_total", pa.float64()), ("error_of_weeks", pa.float64()),
        ]
    ),
    "frequency_fit": pa.schema(
        [
            ("repeats", pa.int64()), ("is_or_more", pa.bool_()), ("customers", pa.int64()), ("expected_customers", pa.float64()),
            ("holdout_days", pa.int64()), ("expected_holdout_days", pa.float64()),
        ]
    ),
    "alive_matrix": pa.schema([("repeats", pa.int64()), ("quiet_days", pa.int64()), ("age_days", pa.int64()), ("p_alive", pa.float64())]),
}  # fmt: skip
"""Every table of this module; a shop too young for one has it without rows."""


def outlook_tables(engine: Engine, models: Models, as_of: dt.date, horizon_days: int, seed: int) -> dict[str, pa.Table]:
    """Return the tables of SCHEMAS; customers must be valued, in `customer_values`.

    Parameters
    ----------
    as_of : date
        The exclusive cutoff of `customer_facts`.
    horizon_days : int, days
        The model is held against at most this many last days, and at most a third of the history.
    """
    found = _forecasts(engine, models, as_of, horizon_days, seed) | _fit(engine, models, as_of, horizon_days)
    return {name: _table(name, found.get(name, ())) for name in SCHEMAS}


def month_ends(as_of: dt.date, n_months: int = N_MONTHS) -> list[dt.date]:
    """Return the exclusive ends of the rest of this month, where one is left, and of the whole months after it.

    Examples
    --------
    >>> [str(day) for day in month_ends(dt.date(2011, 12, 10), 2)]
    ['2012-01-01', '2012-02-01', '2012-03-01']
    >>> [str(day) for day in month_ends(dt.date(2012, 1, 1), 2)]
    ['2012-02-01', '2012-03-01']
    """
    whole = n_months if as_of.day == 1 else n_months + 1
    months = [as_of.month + step for step in range(1, whole + 1)]
    return [dt.date(as_of.year + (month - 1) // 12, (month - 1) % 12 + 1, 1) for month in months]


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows under the schema of a table."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMAS[name])


# --- what is expected -------------------------------------------------------------------------------------------------


def _forecasts(engine: Engine, models: Models, as_of: dt.date, horizon_days: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of `forecast` and `cohort_forecast`.

    Purchase and spend models say how what is expected falls on weeks, months and years; how much it is follows the predictions of the
    customers, cohort by cohort, over the horizon.
    """
    engine.create_view("valued_histories", feature_text("valued_histories"))
    shared = engine.fetch("select * from valued_histories order by frequency, recency_days, age_days")
    engine.create_view("cohorts", feature_text("cohorts"))
    cohorts = engine.fetch("select * from cohorts order by cohort").to_pylist()
    place = {row["cohort"]: number for number, row in enumerate(cohorts)}
    first_days = [as_of - dt.timedelta(days=1 + int(age)) for age in shared.column("age_days").to_pylist()]
    names = ("frequency", "recency_days", "age_days", "n_customers", "spend", "squared_spend")
    x, t_x, age, counts, spend, squares = (numbers(shared, name) for name in names)
    groups = np.array([place[day.replace(day=1)] for day in first_days], dtype=np.intp)

    def histories_of(part: Part) -> SharedHistories:
        rows = part.rows
        return SharedHistories.of(
            part.frequency, part.recency, part.age, counts[rows], spend[rows], squares[rows], groups[rows], len(cohorts)
        )

    parts = [(part, histories_of(part)) for part in models.clock.parts(day_number(as_of), x, t_x, age)]

    def total_up_to(ends: Sequence[int]) -> TotalForecast:
        return add_up([forecast_totals(models.purchases, models.spend, one, part.times(ends), seed=seed) for part, one in parts])

    factors = _factors(engine, place, total_up_to([horizon_days]))

    months, weeks = month_ends(as_of), [as_of + dt.timedelta(days=WEEK * week) for week in range(1, N_WEEKS + 1)]
    by_month, by_week = (total_up_to([(end - as_of).days for end in ends]).scaled(*factors) for ends in (months, weeks))
    periods = _periods(as_of, months, is_whole_first=as_of.day == 1)
    rows = [{"period": "month", **when, **figures} for when, figures in zip(periods, _figures(by_month.in_all())[0], strict=True)]
    rows += [
        {"period": "week", **when, **figures}
        for when, figures in zip(_periods(as_of, weeks, is_whole_first=True), _figures(by_week.in_all())[0], strict=True)
    ]
    rest = np.zeros(len(cohorts))
    for part, one in parts:
        left = part.times(np.maximum(FIRST_YEAR_DAYS - 1 - age[part.rows], 0.0))
        rest += forecast_each(models.purchases, models.spend, one, left)[1]
    rest *= factors[1]
    years = _figures(total_up_to([FIRST_YEAR_DAYS]).scaled(*factors))
    by_cohort = [
        row | {"first_year_expected": float(left)} | year[0] for row, left, year in zip(cohorts, rest, years, strict=True)
    ]
    cohort_months = [
        {"cohort": row["cohort"], **when, **figures}
        for row, group in zip(cohorts, _figures(by_month), strict=True)
        for when, figures in zip(periods, group, strict=True)
    ]
    return {"forecast": rows, "cohort_forecast": by_cohort, "cohort_months": cohort_months}


def _factors(engine: Engine, place: Mapping[dt.date, int], own: TotalForecast) -> tuple[Array, Array]:
    """Return by what the purchase days and the revenue of each cohort are multiplied, so that they are the sums over its customers.

    Parameters
    ----------
    own : what purchase and spend models expect of every cohort over the horizon
    """
    engine.create_view("cohort_values", feature_text("cohort_values"))
    published = np.zeros((2, len(place)))
    for row in engine.fetch("select cohort, days, spend from cohort_values").to_pylist():
        published[:, place[row["cohort"]]] = row["days"], row["spend"]
    models = np.stack([own.orders[:, 0], own.revenue[:, 0]])
    days, revenue = np.divide(published, models, out=np.ones_like(models), where=models > 0)
    return days, revenue


def _periods(as_of: dt.date, ends: Sequence[dt.date], *, is_whole_first: bool) -> list[dict[str, Any]]:
    """Return start, end and whether it is whole of every period."""
    starts = [as_of, *ends[:-1]]
    return [
        {"starts_on": start, "ends_on": end, "is_complete": is_whole_first or place > 0}
        for place, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _figures(total: TotalForecast) -> list[list[dict[str, float]]]:
    """Return expectation and interval of every period of every group."""
    columns = {"purchase_days": (total.orders, *total.orders_interval()), "revenue": (total.revenue, *total.revenue_interval())}
    named = [(f"{name}{end}", figures) for name, three in columns.items() for end, figures in zip(_ENDS, three, strict=True)]
    groups, periods = total.orders.shape
    return [
        [{name: float(figures[group, period]) for name, figures in named} for period in range(periods)] for group in range(groups)
    ]


# --- how well the model fits ------------------------------------------------------------------------------------------


def _fit(engine: Engine, models: Models, as_of: dt.date, horizon_days: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the tables that hold a model of the champion's kind against what happened."""
    engine.create_table("purchase_days", feature_text("purchase_days"))
    first_day: dt.date = engine.fetch("select min(first_on) as day from purchase_days").column("day")[0].as_py()
    history_days = (as_of - first_day).days
    most = engine.fetch("select max(frequency) as n from valued_histories").column("n")[0].as_py()
    found = {"alive_matrix": _alive_rows(models, as_of, history_days, most)}
    holdout_days = min(horizon_days, history_days // 3) // WEEK * WEEK
    if history_days < LEAST_HISTORY_DAYS or holdout_days < WEEK:
        return found
    calibration_on = as_of - dt.timedelta(days=holdout_days)
    clock = _earlier_clock(engine, models.clock, first_day, calibration_on)
    engine.write("calibration", pa.table({"calibration_on": pa.array([calibration_on], pa.date32())}))
    engine.create_view("split_histories", feature_text("split_histories"))
    known = engine.fetch("select * from split_histories order by frequency, recency_days, age_days")
    engine.create_view("repeat_days", feature_text("repeat_days"))
    repeats = engine.fetch("select ordered_on, n_repeats from repeat_days order by ordered_on")
    x, t_x, age = numbers(known, "frequency"), numbers(known, "recency_days"), numbers(known, "age_days")
    counts, at = numbers(known, "n_customers"), day_number(calibration_on)
    model = type(models.purchases)().fit(x, *clock.histories(at, t_x, age), counts)
    parts = list(clock.parts(at, x, t_x, age))
    tracking = _tracking_rows(model, clock, parts, age, counts, repeats, (first_day, calibration_on, as_of))
    return found | {
        "tracking": tracking,
        "tracking_error": [_error_row(model, tracking, calibration_on, holdout_days, int(counts.sum()))],
        "frequency_fit": _frequency_rows(model, parts, counts, numbers(known, "n_after"), holdout_days),
    }


def _earlier_clock(engine: Engine, champion: Clock, first_day: dt.date, calibration_on: dt.date) -> Clock:
    """Return the clock that could have been learned by then; plain days where the champion's tells days."""
    if champion.is_plain:
        return Clock(day_number(first_day), day_number(calibration_on) - 1)
    return fit_clock(known_before(engine, calibration_on))


def _tracking_rows(
    model: PurchaseModel,
    clock: Clock,
    parts: Sequence[Part],
    age: Array,
    counts: Array,
    repeats: pa.Table,
    days: tuple[dt.date, dt.date, dt.date],
) -> list[dict[str, Any]]:
    """Return actual and expected repeat purchase days per week; weeks meet on the day of calibration, the second of `days`.

    Up to it the model says what it expects of customers of whom only the first day is known; from it on what it expects of
    each given their history.
    """
    first_day, calibration_on, as_of = days
    before = (calibration_on - first_day).days
    early = list(range(before % WEEK, before + 1, WEEK))
    edges = np.array([*([] if early[0] == 0 else [0]), *early], dtype=np.int64)
    later = np.arange(WEEK, (as_of - calibration_on).days + 1, WEEK)
    first_days, place = np.unique((before - 1 - age).astype(np.int64), return_inverse=True)
    start = day_number(first_day)
    ends = np.maximum(edges[:, None] - 1, first_days[None, :]) + start
    born = np.broadcast_to(first_days[None, :] + start, ends.shape)
    unknown = expected_repeats(model, clock.elapsed(born, born, ends), np.bincount(place, weights=counts))
    known = np.zeros(len(later))
    for part in parts:
        known += expected_after(model, part.frequency, part.recency, part.age, counts[part.rows], part.times(later))
    edges, expected = np.concatenate([edges, before + later]), np.concatenate([unknown, known])
    happened = np.array([(day - first_day).days for day in repeats.column("ordered_on").to_pylist()], dtype=np.float64)
    actual, _ = np.histogram(happened, bins=edges - 0.5, weights=numbers(repeats, "n_repeats"))
    return [
        {
            "starts_on": first_day + dt.timedelta(days=int(begin)),
            "ends_on": first_day + dt.timedelta(days=int(end)),
            "is_holdout": bool(begin >= before),
            "is_complete": bool(end - begin == WEEK),
            "actual": round(was),
            "expected": float(would),
            "actual_total": round(was_total),
            "expected_total": float(would_total),
        }
        for begin, end, was, would, was_total, would_total in zip(
            edges[:-1], edges[1:], actual, expected, np.cumsum(actual), np.cumsum(expected), strict=True
        )
    ]


def _error_row(
    model: PurchaseModel, tracking: Sequence[Mapping[str, Any]], calibration_on: dt.date, holdout_days: int, customers: int
) -> dict[str, Any]:
    """Return how far the forecast of the last weeks was off."""
    held = [row for row in tracking if row["is_holdout"]]
    error = tracking_error([row["actual"] for row in held], [row["expected"] for row in held])
    return {
        "model": model.name,
        "calibration_on": calibration_on,
        "holdout_days": holdout_days,
        "customers": customers,
        "actual": error.actual,
        "expected": error.expected,
        "error_of_total": error.of_total if np.isfinite(error.of_total) else None,
        "error_of_weeks": error.of_periods if np.isfinite(error.of_periods) else None,
    }


def _frequency_rows(
    model: PurchaseModel, parts: Sequence[Part], counts: Array, after: Array, holdout_days: int
) -> list[dict[str, Any]]:
    """Return customers by repeats before the day of calibration, and purchase days after it, actual and expected."""
    figures = np.zeros((4, MOST_REPEATS + 1))
    for part in parts:
        n = counts[part.rows]
        horizon = float(part.times(holdout_days))
        figures += (
            by_frequency(part.frequency, n),
            expected_histogram(model, part.age, n),
            by_frequency(part.frequency, after[part.rows]),
            expected_by_frequency(model, part.frequency, part.recency, part.age, n, horizon),
        )
    return [
        {
            "repeats": repeats,
            "is_or_more": repeats == MOST_REPEATS,
            "customers": round(customers),
            "expected_customers": float(expected),
            "holdout_days": round(did),
            "expected_holdout_days": float(would),
        }
        for repeats, (customers, expected, did, would) in enumerate(figures.T)
    ]


def _alive_rows(models: Models, as_of: dt.date, history_days: int, most: int) -> list[dict[str, Any]]:
    """Return P(active) by repeats and days since the last purchase, of customers first seen at the start of the data.

    On a learned clock the first customers of the data are a kind of their own; those first seen after them are shown.
    """
    age_days = history_days - 1 - (0 if models.clock.is_plain else EARLY_DAYS)
    quiet, known = [days for days in QUIET_DAYS if days < age_days], [repeats for repeats in REPEATS if repeats <= most]
    if not quiet or not known:
        return []
    recency_days = age_days - np.array(quiet, dtype=np.float64)
    recency, age = models.clock.histories(day_number(as_of), recency_days, np.full(len(quiet), float(age_days)))
    found = alive_matrix(models.purchases, known, recency, float(age[0]))
    return [
        {"repeats": repeats, "quiet_days": days, "age_days": age_days, "p_alive": float(found[row, column])}
        for row, repeats in enumerate(known)
        for column, days in enumerate(quiet)
        if recency_days[column] >= repeats
    ]
