"""One forecast in all columns: orders, value and ranges of a customer follow the chance and the spend that are published.

Comes in: the own forecast of each customer, and the chance and spend of the champion. Goes out: the columns that agree with them. Row by
row; nothing is fitted. Why each rule is as it is: docs/decisions/0018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from customer_genome.errors import ContractError
from customer_genome.models.candidates.contract import Expected
from customer_genome.models.estimator import Array
from customer_genome.models.own_forecast import CLV_DAYS, OwnForecast

_NOTHING = 1e-9
"""Own spend below this part of the spend that is published says nothing about its range."""


@dataclass(frozen=True)
class Agreed:
    """What is published of each customer; arrays of shape (n_customers,).

    Attributes
    ----------
    p_alive, chance : 0..1, the first not below the second
    days : purchase days over the horizon, not below the chance of one
    spend, lower, upper : money over the horizon, lower <= spend <= upper
    clv, clv_lower, clv_upper : money over CLV_DAYS, discounted, times the margin, in the same order
    """

    p_alive: Array
    chance: Array
    days: Array
    spend: Array
    lower: Array
    upper: Array
    clv: Array
    clv_lower: Array
    clv_upper: Array


def whole(expected: Expected, own: OwnForecast) -> Expected:
    """Return a forecast with the own one in the place of customers of whom it says nothing that is a number.

    Raises
    ------
    ContractError
        Where it lacks chance, spend or range for everybody.
    """
    columns = (expected.spend, expected.chance, expected.lower, expected.upper)
    if any(column is None for column in columns):
        raise ContractError(
            "Forecast: chance, spend or its range is missing. Wanted: all of them. This is a fault of the product; report it."
        )
    spend, chance, lower, upper = (np.asarray(column, dtype=np.float64) for column in columns)
    usable = np.isfinite(spend) & np.isfinite(chance) & np.isfinite(lower) & np.isfinite(upper) & (spend >= 0)
    pairs = ((spend, own.spend), (chance, own.chance), (lower, own.lower), (upper, own.upper))
    return Expected(*(np.where(usable, new, old) for new, old in pairs))


def agreed(own: OwnForecast, expected: Expected, horizon_days: int, margin: float) -> Agreed:
    """Return every column of a customer, moved with the chance and the spend that are published.

    Parameters
    ----------
    own : with customer value
    expected : chance, spend and range over the horizon; what is not a number is the own forecast's
    horizon_days : int, days
    margin : float
        Share of spend that counts as value.
    """
    found = whole(expected, own)
    spend, chance, lower, upper = (
        np.asarray(one, dtype=np.float64) for one in (found.spend, found.chance, found.lower, found.upper)
    )
    chance = np.clip(chance, 0.0, 1.0)
    lower, upper = np.clip(lower, 0.0, spend), np.maximum(upper, spend)
    days_if_any = np.maximum(np.divide(own.days, own.chance, out=np.ones(len(chance)), where=own.chance > 0), 1.0)
    share = np.divide(own.clv, own.spend, out=np.full(len(spend), CLV_DAYS / horizon_days), where=own.spend > 0)
    clv = spend * share
    if horizon_days == CLV_DAYS:  # the same days: the range of value is that of spend, discounted
        ends = lower * share, upper * share
    else:
        moved = np.divide(spend, own.spend, out=np.ones(len(spend)), where=own.spend > spend * _NOTHING)
        ends = own.clv_lower * moved, own.clv_upper * moved
    low, high = np.minimum(ends[0], clv), np.maximum(ends[1], clv)
    worth = (low, high) if margin >= 0 else (high, low)
    return Agreed(
        p_alive=np.maximum(own.p_alive, chance),
        chance=chance,
        days=chance * days_if_any,
        spend=spend,
        lower=lower,
        upper=upper,
        clv=clv * margin,
        clv_lower=worth[0] * margin,
        clv_upper=worth[1] * margin,
    )
