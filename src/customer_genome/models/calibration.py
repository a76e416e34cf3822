"""Chances that mean what they say: the level of a forecast, a line through its log-odds, and a bend where a line is clearly not enough.

Comes in: chances with outcomes of earlier cutoffs. Goes out: a level for the cutoff to be forecast, and a `Bend`, a monotone function of
log-odds. Nothing here knows which model the chances are from.

Source
------
Platt (1999) for the line; Zadrozny & Elkan (2002), KDD, for isotonic calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from customer_genome.models.estimator import Array

USUAL_SPREAD = 0.15
"""How far apart such errors lie from cutoff to cutoff, log-odds; what is known less well than that is carried over less."""
MOST_SHIFT = 0.5
_SURE = 1e-4
_HALVINGS = 60
_CLEARLY = 2.0
_KNOTS = 12
_FEWEST = 1000
"""Fewer held-out customers never bend a line."""


@dataclass(frozen=True)
class Bend:
    """A monotone function of log-odds through knots, straight between them and going on at slope 1 outside; empty = none."""

    at: Array
    to: Array

    @classmethod
    def none(cls) -> Self:
        """Return the function that changes nothing."""
        return cls(np.empty(0), np.empty(0))

    @property
    def is_none(self) -> bool:
        """Whether nothing is changed."""
        return len(self.at) == 0

    def __call__(self, odds: Array) -> Array:
        """Return the bent log-odds."""
        if self.is_none:
            return odds
        inside = np.interp(odds, self.at, self.to)
        beyond = np.minimum(odds - self.at[0], 0.0) + np.maximum(odds - self.at[-1], 0.0)
        return np.asarray(inside + beyond, dtype=np.float64)


def mean_odds(chance: Array) -> float:
    """Return the log-odds of the mean chance."""
    mean = float(np.clip(chance.mean(), _SURE, 1 - _SURE))
    return float(np.log(mean) - np.log1p(-mean))


def level_shift(own_odds: Array, ordered: Array, own_spend: Array, spend: Array) -> float:
    """Return by how much log-odds were off at an earlier cutoff, once the total is set right, held back by what is not known well.

    Where a whole forecast was too high, the chance was so for the same reason, which the model may know better by now (a season, a
    change of level). So the odds are first multiplied by actual over predicted spend: they are proportional to the rate of purchases
    where rates vary as an exponential distribution does. What is left tells how buyers hang together with totals, and stays.

    Parameters
    ----------
    own_odds : array, shape (n_customers,), log-odds to order
    ordered : array, shape (n_customers,), 0 or 1
    own_spend, spend : arrays, shape (n_customers,), money predicted and money that came

    Returns
    -------
    float
        To be added to the log-odds of the next forecast, within +-0.5.
    """
    n = len(ordered)
    predicted, came = float(own_spend.sum()), float(spend.sum())
    if n == 0 or not 0 < ordered.sum() < n or predicted <= 0 or came <= 0:
        return 0.0
    neutral = 1 / (1 + np.exp(-np.clip(own_odds + np.log(came / predicted), -35, 35)))
    left = mean_odds(ordered) - mean_odds(neutral)
    share = float(ordered.mean())
    missed = spend - own_spend * came / predicted  # what of the total is chance: not what customers of any size bring anyway
    doubt = 1 / (n * share * (1 - share)) + float(missed.var()) / (n * float(spend.mean()) ** 2)
    known = USUAL_SPREAD**2 / (USUAL_SPREAD**2 + doubt)
    return float(np.clip(known * left, -MOST_SHIFT, MOST_SHIFT))


def intercept_for(odds: Array, wanted: float) -> float:
    """Return what has to be added to log-odds so that the mean chance becomes `wanted`.

    Examples
    --------
    >>> round(intercept_for(np.array([0.0, 0.0]), 0.75), 6)
    1.098612
    """
    low, high = -20.0, 20.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        mean = float((1 / (1 + np.exp(-np.clip(odds + middle, -35, 35)))).mean())
        low, high = (middle, high) if mean < wanted else (low, middle)
    return (low + high) / 2


def bend_of(odds: Array, ordered: Array) -> Bend:
    """Return an isotonic bend of log-odds with few knots, on the level of the odds as they are."""
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(odds, kind="stable")
    steps = np.array_split(order, _KNOTS)
    weight = np.array([len(step) for step in steps], dtype=np.float64)
    at = np.array([odds[step].mean() for step in steps])
    # one customer's worth of the line itself keeps shares off 0 and 1
    line = 1 / (1 + np.exp(-at))
    share = np.array([(ordered[step].sum() + line[place]) / (len(step) + 1) for place, step in enumerate(steps)])
    smooth = IsotonicRegression(y_min=_SURE, y_max=1 - _SURE).fit(at, share, sample_weight=weight).predict(at)
    to = np.log(smooth) - np.log1p(-smooth)
    keep = np.append(True, np.diff(at) > 1e-9)
    return Bend(at[keep], to[keep])


def choose_bend(odds: Array, ordered: Array) -> tuple[Bend, float, float]:
    """Return a bend where it predicts held-out customers clearly better than the line, else none; and both mean log losses.

    The two halves of the customers judge what the other half says, and a bend has to win by more than two standard errors.
    """
    n = len(odds)
    if n < _FEWEST or not 0 < ordered.sum() < n:
        return Bend.none(), float("nan"), float("nan")
    half = np.arange(n) % 2 == 0
    bent = np.empty(n)
    for part in (half, ~half):
        bent[part] = bend_of(odds[~part], ordered[~part])(odds[part])
    gain = _log_loss(odds, ordered) - _log_loss(bent, ordered)
    error = float(gain.std(ddof=1)) / np.sqrt(n)
    chosen = bend_of(odds, ordered) if gain.mean() > _CLEARLY * error else Bend.none()
    return chosen, float(_log_loss(odds, ordered).mean()), float(_log_loss(bent, ordered).mean())


def _log_loss(odds: Array, ordered: Array) -> Array:
    return np.asarray(np.logaddexp(0.0, odds) - ordered * odds, dtype=np.float64)
