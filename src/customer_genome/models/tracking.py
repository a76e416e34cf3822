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
from customer_genome.models.estimator import Array
from customer_genome.models.histories import as_column, check_histories
from customer_genome.models.purchase_model import PurchaseModel, check_horizon

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


def expected_repeats(model: PurchaseModel, first_days: npt.ArrayLike, n_customers: npt.ArrayLike, edges: npt.ArrayLike) -> Array:
    """Return the repeat purchase days expected between consecutive edges of customers who first bought on `first_days`.

    This is what the model says of customers before anything is known of them but their first day.

    Parameters
    ----------
    first_days : array, shape (n_cohorts,), whole days from the first day of the data
    n_customers : array, shape (n_cohorts,)
    edges : array, shape (n_periods + 1,), days; period k holds the days edges[k] .. edges[k + 1] - 1

    Returns
    -------
    array, shape (n_periods,), purchase days

    Source
    ------
    Fader, Hardie & Lee (2005), eq. 9, added up over cohorts.
    """
    born, counts, at = as_column(first_days, "first_days"), as_column(n_customers, "n_customers"), as_column(edges, "edges")
    if len(born) != len(counts) or len(at) < 2 or np.any(np.diff(at) <= 0):
        raise ContractError(
            f"tracking: {len(born):,} first days, {len(counts):,} counts, edges {at.tolist()[:4]}. Wanted: as many counts as days, edges ascending."
        )
    elapsed = np.maximum(at[:, None] - 1 - born[None, :], 0.0)
    distinct, place = np.unique(elapsed, return_inverse=True)
    each = model.expected_orders_of_new_customer(distinct)
    up_to = each[place.reshape(elapsed.shape)] @ counts
    return np.diff(up_to)


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


def alive_matrix(model: PurchaseModel, repeats: npt.ArrayLike, quiet_days: npt.ArrayLike, age_days: float) -> Array:
    """Return P(active) of customers first seen `age_days` ago by repeats (rows) and days since the last purchase (columns).

    Returns
    -------
    array, shape (n_repeats, n_quiet), 0..1; NaN where nobody can be: more repeats than days before the silence began
    """
    x, quiet = as_column(repeats, "repeats"), as_column(quiet_days, "quiet_days")
    rows, columns = np.meshgrid(x, quiet, indexing="ij")
    last = np.where(rows == 0, 0.0, age_days - columns)
    possible = (columns <= age_days) & (last >= rows) & ((rows > 0) | (columns == age_days))
    alive = model.probability_alive(
        np.where(possible, rows, 0).ravel(), np.where(possible, last, 0.0).ravel(), np.full(rows.size, float(age_days))
    )
    return np.where(possible, alive.reshape(rows.shape), np.nan)
