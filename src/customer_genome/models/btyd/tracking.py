"""How well a purchase model fits a shop: actual against expected, over time, by number of repeats, by history.

Comes in: a fitted purchase model and counts: customers per first day, purchases per day, customers per history. Goes out: expected counts
beside the actual ones, and the error of both. Days are counted from the first day of the data, which is 0. Nothing here fits.

Source
------
Fader, Hardie & Lee (2005), Marketing Science 24(2), figures 1-4: tracking plots, histogram and conditional expectations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.histories import as_column, check_histories
from customer_genome.models.btyd.purchase_model import PurchaseModel, check_horizon
from customer_genome.models.estimator import Array

_MOST_TIMES, _KNOTS = 10_000, 2_000
MOST_REPEATS = 7
"""Customers with this many repeat purchase days or more are counted together."""


@dataclass(frozen=True)
class TrackingError:
    """How far a forecast was off.

    Attributes
    ----------
    actual, expected : purchase days over all periods
    of_total : expected / actual - 1; NaN where nothing happened
    of_periods : mean absolute error of a period, relative to the mean of the actual ones
    """

    actual: float
    expected: float
    of_total: float
    of_periods: float


def expected_repeats(model: PurchaseModel, elapsed: npt.ArrayLike, n_customers: npt.ArrayLike) -> Array:
    """Return the repeat purchase days expected in consecutive periods of customers of whom only the first day is known.

    Parameters
    ----------
    elapsed : array, shape (n_periods + 1, n_cohorts)
        Time since the first purchase of each cohort at the start of the first period and at the end of every one, 0 before it;
        see `elapsed_days`. On a shop's clock where there is one.
    n_customers : array, shape (n_cohorts,)

    Returns
    -------
    array, shape (n_periods,), purchase days

    Source
    ------
    Fader, Hardie & Lee (2005), eq. 9, added up over cohorts.
    """
    times, counts = np.asarray(elapsed, dtype=np.float64), as_column(n_customers, "n_customers")
    if (
        times.ndim != 2
        or times.shape[1] != len(counts)
        or len(times) < 2
        or np.any(np.diff(times, axis=0) < 0)
        or np.any(times < 0)
    ):
        raise ContractError(
            f"tracking: elapsed times of shape {times.shape}, {len(counts):,} counts. "
            "Wanted: one row per end of a period, not decreasing from 0 on, and one column per count."
        )
    up_to: Array = _orders_of_new_customer(model, times) @ counts
    return np.diff(up_to)


def _orders_of_new_customer(model: PurchaseModel, times: Array) -> Array:
    """Return the expected repeats of a new customer at times of any shape; of very many times read off a smooth curve."""
    distinct, place = np.unique(times, return_inverse=True)
    if len(distinct) <= _MOST_TIMES:
        each = model.expected_orders_of_new_customer(distinct)
    else:
        from scipy.interpolate import PchipInterpolator

        knots = np.linspace(0.0, np.sqrt(distinct[-1]), _KNOTS) ** 2  # closer together at first, where the curve bends most
        each = PchipInterpolator(knots, model.expected_orders_of_new_customer(knots))(distinct)
    return np.asarray(each[place.reshape(times.shape)], dtype=np.float64)


def elapsed_days(first_days: npt.ArrayLike, edges: npt.ArrayLike) -> Array:
    """Return the days from each first purchase to the last day before each edge, 0 where that lies before it.

    Examples
    --------
    >>> elapsed_days([0, 5], [0, 7, 14]).tolist()
    [[0.0, 0.0], [6.0, 1.0], [13.0, 8.0]]
    """
    return np.maximum(as_column(edges, "edges")[:, None] - 1 - as_column(first_days, "first_days")[None, :], 0.0)


def expected_after(
    model: PurchaseModel,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_customers: npt.ArrayLike,
    ends_days: npt.ArrayLike,
) -> Array:
    """Return the purchase days expected of known customers in consecutive periods after now, shape (n_periods,)."""
    histories, counts = check_histories(frequency, recency_days, age_days), as_column(n_customers, "n_customers")
    alive = model.probability_alive(histories.frequency, histories.recency_days, histories.age_days)
    active = model.expected_orders_if_active(histories.frequency, histories.age_days, ends_days)
    up_to: Array = (counts * alive) @ active
    return np.diff(up_to, prepend=0.0)


def tracking_error(actual: npt.ArrayLike, expected: npt.ArrayLike) -> TrackingError:
    """Return how far expected counts were off, in total and per period.

    Examples
    --------
    >>> tracking_error([10, 30], [20, 20])
    TrackingError(actual=40.0, expected=40.0, of_total=0.0, of_periods=0.5)
    """
    was, would = as_column(actual, "actual"), as_column(expected, "expected")
    total, forecast = float(was.sum()), float(would.sum())
    if total <= 0:
        return TrackingError(total, forecast, float("nan"), float("nan"))
    return TrackingError(total, forecast, forecast / total - 1, float(np.abs(was - would).sum() / total))


def expected_histogram(
    model: PurchaseModel, age_days: npt.ArrayLike, n_customers: npt.ArrayLike, most: int = MOST_REPEATS
) -> Array:
    """Return how many customers should have 0, 1, ... `most` or more repeat purchase days at their ages.

    Returns
    -------
    array, shape (most + 1,), customers; their sum is the number of customers

    Source
    ------
    Fader, Hardie & Lee (2005), eq. 8, added up over ages.
    """
    ages, counts = as_column(age_days, "age_days"), as_column(n_customers, "n_customers")
    distinct, place = np.unique(ages, return_inverse=True)
    customers = np.bincount(place, weights=counts)
    new = np.zeros(len(distinct))
    at_start = float(model.probability_alive([0], [0], [0])[0])
    tails = at_start * model.at_least_if_active(np.arange(1.0, most + 1), new, new, distinct)
    shares = -np.diff(np.column_stack([np.ones(len(distinct)), tails, np.zeros(len(distinct))]), axis=1)
    return np.asarray(customers @ shares, dtype=np.float64)


def expected_by_frequency(
    model: PurchaseModel,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_customers: npt.ArrayLike,
    horizon_days: float,
    most: int = MOST_REPEATS,
) -> Array:
    """Return the purchase days expected in the horizon of all customers with 0, 1, ... `most` or more repeats, shape (most + 1,)."""
    expected = model.expected_orders(frequency, recency_days, age_days, check_horizon(horizon_days))
    return by_frequency(frequency, expected * as_column(n_customers, "n_customers"), most)


def by_frequency(frequency: npt.ArrayLike, figures: npt.ArrayLike, most: int = MOST_REPEATS) -> Array:
    """Return the sums of figures over 0, 1, ... `most` or more repeats, shape (most + 1,)."""
    place = np.minimum(as_column(frequency, "frequency"), most).astype(np.intp)
    return np.bincount(place, weights=as_column(figures, "figures"), minlength=most + 1).astype(np.float64)


def alive_matrix(model: PurchaseModel, repeats: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: float) -> Array:
    """Return P(active) of customers of one age by repeats (rows) and time from first to last purchase (columns).

    Returns
    -------
    array, shape (n_repeats, n_recency), 0..1
    """
    x, last = np.meshgrid(as_column(repeats, "repeats"), as_column(recency_days, "recency_days"), indexing="ij")
    alive = model.probability_alive(x.ravel(), np.where(x > 0, last, 0.0).ravel(), np.full(x.size, float(age_days)))
    return alive.reshape(x.shape)
