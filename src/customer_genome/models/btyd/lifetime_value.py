"""What customers are worth over one horizon: expected discounted purchases times expected spend, with an interval.

Comes in: a fitted purchase model, a fitted spend model, and per customer the purchase history and the spend so far. Goes out: the
expected value per customer, undiscounted revenue, and an interval for what may really happen. These are the functions for
one horizon; `value_forecast` does the work and takes several, `value_path` goes month by month.

Source
------
Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4), 415-430, for value as discounted expected
transactions times expected spend. The formulas used here are derived in docs/models.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.models.btyd.active_future import DAYS_PER_YEAR, ActiveFuture, Horizons, daily_rate
from customer_genome.models.btyd.histories import check_histories, distinct_rows
from customer_genome.models.btyd.parameter_points import parameter_points
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.value_forecast import ValueForecast
from customer_genome.models.estimator import Array

__all__ = [
    "DAYS_PER_YEAR",
    "ValueInterval",
    "daily_rate",
    "discounted_orders",
    "expected_spend",
    "lifetime_value",
    "lifetime_value_interval",
]


@dataclass(frozen=True)
class ValueInterval:
    """Lower end, mean and upper end of each customer's value, each of shape (n_customers,), money."""

    lower: Array
    mean: Array
    upper: Array


def lifetime_value(
    purchases: PurchaseModel,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon_days: float,
    annual_discount: float = 0.10,
    margin: float = 1.0,
    *,
    time_unit_days: float = 1.0,
) -> Array:
    """Return the expected discounted value of each customer over the next `horizon_days`.

    Parameters
    ----------
    purchases, spend : fitted models
        `purchases` fitted in the unit of time that is used here.
    frequency, recency_days, age_days : arrays, shape (n_customers,)
        Purchase history, see `PurchaseModel.fit`.
    n_purchases, mean_spend : arrays, shape (n_customers,)
        Spend so far, see `GammaGamma.fit`.
    horizon_days : float, days, >= 0
    annual_discount : float, > -1
        0.10 makes money a year from now worth 1 / 1.10. Every purchase is discounted from its own day, continuously.
    margin : float
        Share of spend that counts as value; 1 = revenue.
    time_unit_days : float
        Days per unit of time, for the discount: 7 when model, histories and horizon are all in weeks.

    Returns
    -------
    array, shape (n_customers,), money
    """
    horizons = Horizons.of([horizon_days], annual_discount, time_unit_days)
    forecast = ValueForecast(purchases, spend, horizons, margin)
    return forecast.of(frequency, recency_days, age_days, n_purchases, mean_spend, with_interval=False).value[:, 0]


def expected_spend(
    purchases: PurchaseModel,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon_days: float,
) -> Array:
    """Return the expected revenue of each customer over the horizon, without discount and margin, shape (n_customers,), money."""
    forecast = ValueForecast(purchases, spend, Horizons.of([horizon_days], 0.0))
    return forecast.of(frequency, recency_days, age_days, n_purchases, mean_spend, with_interval=False).revenue[:, 0]


def discounted_orders(
    purchases: PurchaseModel,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    horizon_days: float,
    annual_discount: float = 0.10,
    time_unit_days: float = 1.0,
) -> Array:
    """Return each customer's expected purchase days in the horizon, each worth less the later it falls.

    Returns
    -------
    array, shape (n_customers,), purchase days; equal to expected_orders without discount
    """
    histories = check_histories(frequency, recency_days, age_days)
    if len(histories) == 0:
        return np.empty(0)
    rows = distinct_rows(histories.frequency, histories.age_days)
    future = ActiveFuture(purchases, Horizons.of([horizon_days], annual_discount, time_unit_days))
    active: Array = future.rows(*rows.columns)[1][rows.inverse, 0]
    alive: Array = purchases.probability_alive(histories.frequency, histories.recency_days, histories.age_days)
    return active * alive


def lifetime_value_interval(
    purchases: PurchaseModel,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon_days: float,
    annual_discount: float = 0.10,
    margin: float = 1.0,
    *,
    level: float = 0.80,
    cover_mean: bool = True,
    time_unit_days: float = 1.0,
    with_parameters: bool = True,
) -> ValueInterval:
    """Return, per customer, a range that the realised value over the horizon falls into with probability `level`.

    Two things are uncertain: what a customer does and spends when the parameters are known, whose distribution is computed without
    draws, and the parameters themselves, over which it is averaged at a few points of their covariance. Purchases are
    discounted by the customer's average discount. What the models miss is not in here.

    Parameters
    ----------
    level : float, between 0 and 1
        0.80 gives the quantiles 0.1 and 0.9.
    cover_mean : bool
        A customer who most likely buys nothing has the honest interval [0, 0] and yet a positive mean. True widens such an interval
        to its mean, so that lower <= mean <= upper always holds; False gives the bare quantiles.
    with_parameters : bool
        False takes the parameters as known.
    """
    horizons = Horizons.of([horizon_days], annual_discount, time_unit_days)
    points = parameter_points(purchases, spend) if with_parameters else ()
    forecast = ValueForecast(purchases, spend, horizons, margin, level, cover_mean, points=points)
    found = forecast.of(frequency, recency_days, age_days, n_purchases, mean_spend)
    return ValueInterval(found.lower[:, 0], found.value[:, 0], found.upper[:, 0])
