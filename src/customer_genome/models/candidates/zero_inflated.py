"""A zero-inflated lognormal: a chance to pay times a lognormal amount whose spread differs between customers.

Comes in: lessons of earlier cutoffs. Goes out: three linear functions: log-odds, mean of the logarithm, logarithm of its spread.

Source
------
Wang, Liu & Miao (2019), A Deep Probabilistic Model for Customer Lifetime Value Prediction, for the distribution; linear here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.contract import packed, unpacked
from customer_genome.models.candidates.learned import HurdleForm, Learner, Lesson
from customer_genome.models.candidates.linear import Linear, LinearHurdle, Scaling
from customer_genome.models.estimator import Array, Arrays

_MOST_SPREAD = 1.5
_EXPECTED_LOG_SQUARE = -1.2703628454614782
"""Mean of the logarithm of a squared standard normal."""


@dataclass(frozen=True)
class Lognormal(Learner):
    """The mean of a lognormal whose parameters are linear."""

    mean: Linear
    log_spread: Linear
    highest: float

    def predict(self, columns: Array) -> Array:
        """Return the money of each row, at most the largest that was seen."""
        spread = np.minimum(np.exp(self.log_spread.predict(columns)), _MOST_SPREAD)
        return np.exp(np.minimum(self.mean.predict(columns) + spread**2 / 2, self.highest))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return both functions."""
        parts = packed({"mean": self.mean.to_arrays(), "log_spread": self.log_spread.to_arrays()})
        return {**parts, "highest": np.array(self.highest)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return what was stored."""
        mean, spread = (Linear.from_arrays(unpacked(arrays, name)) for name in ("mean", "log_spread"))
        return cls(mean, spread, float(arrays["highest"]))


class ZeroInflatedForm(HurdleForm):
    """A linear chance and a lognormal amount."""

    learner, money_learner = Linear, Lognormal


class ZeroInflatedLognormal(LinearHurdle):
    """Logistic regression times a lognormal with a spread of its own for every customer."""

    name, form = "zero-inflated lognormal", ZeroInflatedForm
    about = "chance to pay times a lognormal amount whose mean and spread are linear in log facts"
    ships = False

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return mean and spread of the logarithm, the spread from the squared errors of the mean."""
        columns, log_money = lesson.columns[lesson.pays], np.log(lesson.spend[lesson.pays])
        scaling = Scaling.of(columns)
        model = self.fitted_ridge(scaling(columns), log_money)
        mean = Linear(scaling, np.asarray(model.coef_, dtype=np.float64), float(model.intercept_))
        errors = np.log(np.maximum((log_money - mean.predict(columns)) ** 2, 1e-6)) - _EXPECTED_LOG_SQUARE
        found = self.fitted_ridge(scaling(columns), errors / 2)
        spread = Linear(scaling, np.asarray(found.coef_, dtype=np.float64), float(found.intercept_))
        return Lognormal(mean, spread, float(log_money.max()))
