"""What customers will do and be worth month by month, and when they will order next.

Comes in: fitted models, the day from which to look ahead, histories and spend so far. Goes out: per customer and calendar month the
expected purchase days, revenue and discounted value, their running sums, and an interval for the value so far realised; and the
days between which the next order falls. A month is a calendar month: from 31 January the first ends on 28 or 29 February.
Nothing here fits a model.
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.active_future import Horizons
from customer_genome.models.btyd.parameter_points import parameter_points
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.value_forecast import ValueForecast
from customer_genome.models.estimator import Array

MOST_MONTHS = 24


@dataclass(frozen=True)
class ValuePath:
    """Per customer and month; arrays have shape (n_customers, n_months).

    Attributes
    ----------
    ends_days : array, shape (n_months,), days
        From the cutoff to the end of each month.
    orders : purchase days in the month
    revenue : money in the month, without discount and margin
    value : money in the month, discounted to the cutoff and times the margin
    cumulative : money, value from the cutoff to the end of the month
    lower, upper : money, ends of the interval of what will have been realised by the end of the month
    """

    ends_days: Array
    orders: Array
    revenue: Array
    value: Array
    cumulative: Array
    lower: Array
    upper: Array


@dataclass(frozen=True)
class NextOrder:
    """Days from the last observed day to the next purchase day, each of shape (n_customers,); infinite: not to be expected.

    Attributes
    ----------
    lower, middle, upper : days by which the next order has come with probability (1 - level) / 2, 1/2 and (1 + level) / 2
        A customer who may have stopped has no later end.
    """

    lower: Array
    middle: Array
    upper: Array


def month_ends(as_of: dt.date, n_months: int) -> list[dt.date]:
    """Return the ends of the next calendar months after a day, each exclusive.

    Examples
    --------
    >>> [str(day) for day in month_ends(dt.date(2023, 12, 31), 3)]
    ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    if not 1 <= n_months <= MOST_MONTHS:
        raise ContractError(f"n_months: got {n_months}. Wanted: a whole number from 1 to {MOST_MONTHS}.")
    ends = []
    for ahead in range(1, n_months + 1):
        years, month = divmod(as_of.month - 1 + ahead, 12)
        last = calendar.monthrange(as_of.year + years, month + 1)[1]
        ends.append(dt.date(as_of.year + years, month + 1, min(as_of.day, last)))
    return ends


def month_offsets(as_of: dt.date, n_months: int) -> Array:
    """Return the days from the cutoff to the end of each of the next calendar months.

    Examples
    --------
    >>> month_offsets(dt.date(2011, 12, 10), 3).tolist()
    [31.0, 62.0, 91.0]
    """
    return np.array([(end - as_of).days for end in month_ends(as_of, n_months)], dtype=np.float64)


def value_path(
    purchases: PurchaseModel,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    ends_days: npt.ArrayLike,
    annual_discount: float = 0.10,
    margin: float = 1.0,
    *,
    times: npt.ArrayLike | None = None,
    level: float = 0.80,
    cover_mean: bool = True,
    threads: int = 1,
) -> ValuePath:
    """Return each customer's path over the months that end `ends_days` after the cutoff.

    Parameters
    ----------
    purchases, spend : fitted models
    frequency, recency_days, age_days, n_purchases, mean_spend : arrays, shape (n_customers,)
        As for `lifetime_value`.
    ends_days : array, shape (n_months,), days
        From `month_offsets`, or any rising days.
    annual_discount, margin : float
        As for `lifetime_value`; purchases are discounted from their own day.
    times : array, shape (n_months,), optional
        The same ends in the model's time, where that is not the day (weeks, a clock with seasons).
    level, cover_mean : interval of the running value, as for `lifetime_value_interval`
    threads : int
        How many parts of the customers are worked on at a time; the result is the same.

    Returns
    -------
    ValuePath
    """
    ends = np.asarray(ends_days, dtype=np.float64)
    horizons = Horizons.of(ends if times is None else times, annual_discount, calendar_days=ends)
    forecast = ValueForecast(
        purchases, spend, horizons, margin, level, cover_mean, threads, points=parameter_points(purchases, spend)
    )
    until = forecast.of(frequency, recency_days, age_days, n_purchases, mean_spend)
    orders, revenue, value = (np.diff(sums, axis=1, prepend=0.0) for sums in (until.orders, until.revenue, until.value))
    rising = np.maximum if margin >= 0 else np.minimum  # what has been realised is not lost again
    lower, upper = (rising.accumulate(end, axis=1) if len(end) else end for end in (until.lower, until.upper))
    return ValuePath(ends, orders, revenue, value, until.value, lower, upper)


def next_order(
    purchases: PurchaseModel,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    level: float = 0.80,
) -> NextOrder:
    """Return when each customer will order next: the middle and the ends of an interval, in the model's time.

    The interval is of the time to the next order of a customer who may have stopped: with probability (1 - level) / 2 it comes
    before `lower`, with the same probability after `upper`, or never.
    """
    if not 0 < level < 1:
        raise ContractError(f"level: got {level}. Wanted: between 0 and 1, exclusive; 0.8 gives an 80 % interval.")
    found = [
        purchases.days_until_order(frequency, recency_days, age_days, probability)
        for probability in ((1 - level) / 2, 0.5, (1 + level) / 2)
    ]
    return NextOrder(*found)
