"""How much each member of a blend counts: weights that fit earlier forecasts, drawn towards a stated prior.

Comes in: what members said at earlier cutoffs before the outcome was known, and what came. Goes out: weights of log-odds and of money.
The level of each cutoff is left free, so weights are told by shape and ranking alone: who is more likely than whom, and by how
much. Few customers say little: the prior counts like a sample of `PRIOR_STRENGTH` of them. The prior itself gives every member the same
where many customers taught those that learn, and nearly everything to the own forecast where few did.

Source
------
Wolpert (1992), Stacked Generalization, Neural Networks 5; Le Blanc & Hastie (2016) on drawing weights towards a prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_genome.models.candidates.inputs import chance_of
from customer_genome.models.descent import descend
from customer_genome.models.estimator import Array

PRIOR_STRENGTH = 6000.0
"""Customers that the prior weights count for."""
HALF_TAUGHT = 700.0
"""From so many customers on what learns from outcomes has half of the say it has in a large shop; squared, so a few hundred give little."""
MOST_WEIGHT = 1.5
_POWER = 1.5


@dataclass(frozen=True)
class Said:
    """What the members said at one earlier cutoff, and what came.

    Attributes
    ----------
    odds : array, shape (n_customers, n_members), log-odds to order
    spend : array, shape (n_customers, n_members), money, on one level
    ordered, spend_true : arrays, shape (n_customers,)
    """

    odds: Array
    spend: Array
    ordered: Array
    spend_true: Array


def taught_share(n_customers: float) -> float:
    """Return the part of an equal say that members have which learned from so many customers, 0..1.

    Trees and regressions of some sixty facts that saw a few hundred customers rank worse than a purchase model of four parameters,
    and held-out forecasts of so few cannot show it.

    Examples
    --------
    >>> taught_share(700), round(taught_share(250), 2), round(taught_share(5_000), 2)
    (0.5, 0.11, 0.98)
    """
    return n_customers**2 / (n_customers**2 + HALF_TAUGHT**2)


def prior_weights(n_members: int, own: int, share: float) -> Array:
    """Return weights adding up to 1: `share` of an equal say for every member, and the rest for the own forecast.

    Parameters
    ----------
    own : place of the own forecast among the members
    share : from `taught_share`

    Examples
    --------
    >>> prior_weights(4, 0, 0.5).tolist()
    [0.625, 0.125, 0.125, 0.125]
    """
    weights = np.full(n_members, share / n_members)
    weights[own] += 1 - share
    return weights


def odds_weights(said: Sequence[Said], prior: Array, strength: float = PRIOR_STRENGTH) -> Array:
    """Return the weights of the members' log-odds, each within 0..1.5; their sum is the sharpness of the blend.

    Parameters
    ----------
    prior : array, shape (n_members,), adding up to 1
    """
    usable = [one for one in said if 0 < one.ordered.sum() < len(one.ordered)]
    if not usable:
        return np.asarray(prior, dtype=np.float64)
    centred = [one.odds - one.odds.mean(axis=0) for one in usable]
    information = float(
        np.mean([(one.ordered.mean() * (1 - one.ordered.mean())) * x.var() for one, x in zip(usable, centred, strict=True)])
    )
    pull = strength * max(information, 1e-6)

    def loss(point: Array) -> tuple[float, Array]:
        weights, levels = point[: len(prior)], point[len(prior) :]
        total, slope = 0.5 * pull * float(((weights - prior) ** 2).sum()), np.zeros_like(point)
        slope[: len(prior)] = pull * (weights - prior)
        for place, (one, x) in enumerate(zip(usable, centred, strict=True)):
            odds = x @ weights + levels[place]
            total += float(np.logaddexp(0.0, odds).sum() - one.ordered @ odds)
            error = chance_of(odds) - one.ordered
            slope[: len(prior)] += x.T @ error
            slope[len(prior) + place] = error.sum()
        return total, slope

    start = np.concatenate([prior, [np.log(one.ordered.mean() / (1 - one.ordered.mean())) for one in usable]])
    lower = np.concatenate([np.zeros(len(prior)), np.full(len(usable), -20.0)])
    upper = np.concatenate([np.full(len(prior), MOST_WEIGHT), np.full(len(usable), 20.0)])
    point, _ = descend(loss, start, lower, upper)
    return np.asarray(np.round(point[: len(prior)], 4), dtype=np.float64)


def spend_weights(said: Sequence[Said], prior: Array, strength: float = PRIOR_STRENGTH) -> Array:
    """Return the weights of the members' money, which add up to 1 and are not negative.

    They make the deviance of a compound Poisson with power 1.5 small: errors count relative to the square root of the cube of what is
    expected, so neither the largest customers nor the smallest decide alone.
    """
    usable = [one for one in said if one.spend_true.sum() > 0 and (one.spend.sum(axis=0) > 0).all()]
    if not usable:
        return prior.copy()
    parts = []
    for one in usable:
        unit = one.spend_true.sum()
        spend = one.spend / one.spend.sum(axis=0) * len(one.spend)
        parts.append((np.maximum(spend, 1e-6), np.maximum(one.spend_true, 0.0) / unit * len(one.spend)))
    spread = float(
        np.mean([((x - x.mean(axis=1, keepdims=True)) ** 2 / x.mean(axis=1, keepdims=True) ** _POWER).mean() for x, _ in parts])
    )
    pull = strength * max(spread, 1e-9)

    def loss(free: Array) -> tuple[float, Array]:
        weights = free / free.sum()
        total, slope = 0.5 * pull * float(((weights - prior) ** 2).sum()), pull * (weights - prior)
        for x, y in parts:
            mean = np.maximum(x @ weights, 1e-6)
            total += float((y * mean ** (1 - _POWER) / (_POWER - 1) + mean ** (2 - _POWER) / (2 - _POWER)).sum())
            slope += x.T @ (mean ** (1 - _POWER) - y * mean**-_POWER)
        return total, (slope - slope @ weights) / free.sum()

    point, _ = descend(loss, prior, np.full(len(prior), 1e-6), np.full(len(prior), 10.0))
    weights = np.asarray(point / point.sum(), dtype=np.float64)
    weights = np.where(weights < 0.005, 0.0, np.round(weights, 4))
    return np.asarray(weights / weights.sum(), dtype=np.float64)
