"""Logistic regression for the order, ridge regression for the logarithm of money.

Comes in: lessons of earlier cutoffs. Goes out: two linear functions of scaled columns, stored as coefficients.

Source
------
Duan (1983), Smearing Estimate, JASA 78, for the way back from logarithms; linear Shapley values: Lundberg & Lee (2017), NeurIPS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.learned import HurdleForm, LearnedHurdle, Learner, Lesson
from customer_genome.models.estimator import Array, Arrays


@dataclass(frozen=True)
class Scaling:
    """Columns with empty entries filled by the mean, centred and scaled, as the lesson had them."""

    centre: Array
    scale: Array

    @classmethod
    def of(cls, columns: Array) -> Self:
        """Learn means and spreads; a column without either stays at 0."""
        known = np.isfinite(columns)
        n = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, columns, 0.0).sum(axis=0) / n
        spread = np.sqrt((np.where(known, columns - centre, 0.0) ** 2).sum(axis=0) / n)
        return cls(centre, np.where(spread > 1e-9, spread, np.inf))

    def __call__(self, columns: Array) -> Array:
        """Return the scaled columns."""
        return np.where(np.isfinite(columns), (columns - self.centre) / self.scale, 0.0)


@dataclass(frozen=True)
class Linear(Learner):
    """A linear function of scaled columns."""

    scaling: Scaling
    coefficients: Array
    intercept: float

    def predict(self, columns: Array) -> Array:
        """Return the value of each row; summed row by row, so that a row is the same to the last bit in any batch."""
        return np.asarray((self.scaling(columns) * self.coefficients).sum(axis=1) + self.intercept, dtype=np.float64)

    def shares(self, columns: Array) -> tuple[Array, float]:
        """Return coefficient times distance from the mean, which are the Shapley values of a linear function."""
        return self.scaling(columns) * self.coefficients, self.intercept

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return coefficients and scaling."""
        return {
            "centre": self.scaling.centre,
            "scale": self.scaling.scale,
            "coefficients": self.coefficients,
            "intercept": np.array(self.intercept),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the function that was stored."""
        return cls(Scaling(arrays["centre"], arrays["scale"]), arrays["coefficients"], float(arrays["intercept"]))


@dataclass(frozen=True)
class Exponential(Learner):
    """Money as the exponential of a linear function, within the range that was seen, times Duan's smearing factor."""

    log_money: Linear
    lowest: float
    highest: float
    smearing: float

    def predict(self, columns: Array) -> Array:
        """Return the money of each row."""
        return np.exp(np.clip(self.log_money.predict(columns), self.lowest, self.highest)) * self.smearing

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the linear function and the range."""
        return {**self.log_money.to_arrays(), "range": np.array([self.lowest, self.highest]), "smearing": np.array(self.smearing)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the function that was stored."""
        lowest, highest = (float(value) for value in arrays["range"])
        return cls(Linear.from_arrays(arrays), lowest, highest, float(arrays["smearing"]))


class LinearForm(HurdleForm):
    """Two linear functions."""

    learner, money_learner = Linear, Exponential


class LinearHurdle(LearnedHurdle):
    """Logistic regression for the order, ridge regression for the logarithm of money."""

    name = "logistic + ridge"
    form: ClassVar[type[HurdleForm]] = LinearForm
    ships = True
    about = "logistic regression of ordering and ridge regression of log money on log facts, learned from earlier cutoffs"

    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return a logistic regression."""
        scaling = Scaling.of(lesson.columns)
        model = self.fitted_logistic(scaling(lesson.columns), lesson.ordered)
        return Linear(scaling, np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0]))

    def fitted_logistic(self, columns: Array, ordered: Array) -> Any:
        """Return a fitted logistic regression of scaled columns."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=0.1, solver="newton-cholesky", max_iter=200).fit(columns, ordered)

    def fitted_ridge(self, columns: Array, log_money: Array) -> Any:
        """Return a fitted ridge regression of scaled columns."""
        from sklearn.linear_model import Ridge

        return Ridge(alpha=30.0).fit(columns, log_money)

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return a ridge regression of log money."""
        columns, log_money = lesson.columns[lesson.pays], np.log(lesson.spend[lesson.pays])
        scaling = Scaling.of(columns)
        model = self.fitted_ridge(scaling(columns), log_money)
        linear = Linear(scaling, np.asarray(model.coef_, dtype=np.float64), float(model.intercept_))
        smearing = float(np.exp(log_money).sum() / np.exp(linear.predict(columns)).sum())
        return Exponential(linear, float(log_money.min()), float(log_money.max()), smearing)
