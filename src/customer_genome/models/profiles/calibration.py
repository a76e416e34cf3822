"""From scores to chances that mean what they say: Platt's line, or a rising step function, whichever does better on customers not fitted to.

Comes in: log-odds of customers that a model had not learned from, and what they did. Goes out: a calibration as plain numbers.

Source
------
Platt (1999), Probabilistic Outputs for Support Vector Machines; Zadrozny & Elkan (2002), KDD, for the step function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.learners import chance_of, log_odds

FEWEST_FOR_STEPS = 500
"""Fewer customers of either kind do not carry a step function."""
_NEWTON_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """A way from log-odds to chances.

    Attributes
    ----------
    slope, intercept : of Platt's line
    at, chances : arrays
        Corners of the step function, joined by lines; empty for Platt.
    """

    kind: Literal["Platt", "isotonic"]
    slope: float = 1.0
    intercept: float = 0.0
    at: Array | None = None
    chances: Array | None = None

    def chance(self, score: Array) -> Array:
        """Return the chance of each score."""
        if self.at is not None and self.chances is not None:
            return np.asarray(np.interp(score, self.at, self.chances), dtype=np.float64)
        return chance_of(self.slope * score + self.intercept)

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        corners = [] if self.at is None or self.chances is None else [self.at.tolist(), self.chances.tolist()]
        return {"kind": self.kind, "slope": self.slope, "intercept": self.intercept, "corners": corners}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Return what `as_json` stored."""
        corners = [np.asarray(one, dtype=np.float64) for one in stored["corners"]]
        at, chances = corners if corners else (None, None)
        return cls(stored["kind"], float(stored["slope"]), float(stored["intercept"]), at, chances)


def platt(score: Array, y: Array) -> Calibration:
    """Return Platt's line: a logistic regression on the score alone, by Newton's method with halved steps, its slope kept from turning negative."""
    if np.ptp(score) < 1e-12:
        rate = (float(y.sum()) + 0.5) / (len(y) + 1)
        return Calibration("Platt", 1.0, float(log_odds(np.array([rate]))[0] - score[0]))
    centre, spread = float(score.mean()), float(score.std())
    x = np.column_stack([(score - centre) / spread, np.ones(len(y))])
    beta, belief = np.array([spread, centre]), np.array([spread, 0.0])
    weight_of_belief = np.array([1 / spread**2, 0.0])  # one customer's worth of belief in a slope of 1

    def loss(at: Array) -> float:
        line = x @ at
        return float(np.sum(np.logaddexp(0, line) - y * line) + 0.5 * np.sum(weight_of_belief * (at - belief) ** 2))

    for _ in range(_NEWTON_STEPS):
        fitted = chance_of(x @ beta)
        weight = np.maximum(fitted * (1 - fitted), 1e-9)
        curvature = (x * weight[:, None]).T @ x + np.diag(weight_of_belief + 1e-9)
        step = np.linalg.solve(curvature, x.T @ (y - fitted) - weight_of_belief * (beta - belief))
        before = loss(beta)
        while np.abs(step).max() > 1e-10 and loss(beta + step) > before:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            break
    slope = max(float(beta[0]) / spread, 0.01)
    return Calibration("Platt", slope, float(beta[1]) - slope * centre)


def isotonic(score: Array, y: Array) -> Calibration:
    """Return the rising step function nearest to what came, kept away from 0 and 1."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.5 / len(y), y_max=1 - 0.5 / len(y), out_of_bounds="clip").fit(score, y)
    return Calibration(
        "isotonic", 1.0, 0.0, np.asarray(model.X_thresholds_, dtype=np.float64), np.asarray(model.y_thresholds_, dtype=np.float64)
    )


def choose_calibration(score: Array, y: Array, folds: Array) -> Calibration:
    """Return the calibration with the smaller log loss on customers it was not fitted to.

    Parameters
    ----------
    folds : whole numbers, shape (n,), which part each customer is held back in
    """
    if min(float(y.sum()), float(len(y) - y.sum())) < FEWEST_FOR_STEPS:
        return platt(score, y)
    losses = dict.fromkeys(("Platt", "isotonic"), 0.0)
    for fold in np.unique(folds):
        test = folds == fold
        for kind, fit in (("Platt", platt), ("isotonic", isotonic)):
            losses[kind] += float(log_losses(y[test], fit(score[~test], y[~test]).chance(score[test])).sum())
    return isotonic(score, y) if losses["isotonic"] < losses["Platt"] else platt(score, y)


def log_losses(y: Array, chance: Array) -> Array:
    """Return minus the log of the chance given to what happened, for each customer."""
    safe = np.clip(chance, 1e-9, 1 - 1e-9)
    return np.asarray(-(y * np.log(safe) + (1 - y) * np.log1p(-safe)), dtype=np.float64)
