"""Customers of a simulated shop as known at several cutoffs, with what came: what candidates and the champion learn from."""

from __future__ import annotations

import numpy as np

from customer_genome.models.candidates import Expected, Known, Past

HORIZON = 90


def past_at(as_of: int, n: int = 900, seed: int = 1, level: float = 1.0, own_error: float = 1.0) -> Past:
    """Return customers who buy at gamma rates until they stop, as known at a cutoff, and what they did after it.

    Parameters
    ----------
    level : what the rates are multiplied by after the cutoff
    own_error : what the own forecast is too high by
    """
    draw = np.random.default_rng(seed * 1000 + as_of)
    tenure = np.floor(draw.uniform(20, 400, n)) + 1
    rate, worth = draw.gamma(1.2, 1 / 60, n), draw.gamma(4.0, 12.0, n)
    leaves = draw.exponential(500, n)
    lived = np.minimum(tenure, leaves)
    days = np.minimum(1 + draw.poisson(rate * lived), tenure)
    activity = np.where(days > 1, np.floor(lived * days / (days + 1.0)), 0.0)
    activity = np.minimum(np.maximum(activity, days - 1), tenure - 1)
    recency = tenure - activity
    alive = leaves > tenure
    came = draw.poisson(np.where(alive, rate * HORIZON * level, 0.0)).astype(np.float64)
    mean_spend = worth * draw.lognormal(0, 0.2, n)
    spend = came * worth * draw.lognormal(0, 0.3, n)
    last = draw.binomial(days.astype(int), np.minimum(1.0, HORIZON / tenure)).astype(np.float64)
    facts = {
        "n_orders": days,
        "n_purchase_days": days,
        "total_spend": days * mean_spend,
        "mean_spend_per_day": mean_spend,
        "recency_days": recency,
        "tenure_days": tenure,
        "activity_days": activity,
        "orders_last_horizon": last,
        "spend_last_horizon": last * mean_spend,
        "mean_gap_days": np.where(days > 1, activity / np.maximum(days - 1, 1), np.nan),
    }
    mean = own_error * np.where(recency < 3 * tenure / days, (days + 0.5) / (tenure + 40) * HORIZON, 0.3)
    money = mean * mean_spend
    own = Expected(money, -np.expm1(-mean), money * 0.2, money * 2.5)
    return Past(Known(as_of, HORIZON, facts, own), spend, (came > 0).astype(np.float64))


def shop(n: int = 900, seed: int = 1) -> tuple[Past, list[Past]]:
    """Return the cutoff to be forecast with what came, and three earlier ones, one of them a horizon before the others."""
    return past_at(1000, n, seed), [past_at(day, n, seed) for day in (820, 895, 910)]
