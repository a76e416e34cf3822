"""Money in one step: boosted trees and a linear model that expect a compound Poisson, many customers at 0 and few far above.

Comes in: lessons of earlier cutoffs. Goes out: expected money. Neither says anything about the chance to order.

Source
------
Jorgensen (1987), Exponential Dispersion Models, JRSS B 49; Yang, Qian & Zou (2018), JBES 36, for boosted Tweedie models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.boosted import Trees, missing, taught
from customer_genome.models.candidates.contract import Candidate, Expected, Fitted, Known, Past, packed, unpacked
from customer_genome.models.candidates.inputs import Inputs
from customer_genome.models.candidates.learned import Learner, Lesson, teaches
from customer_genome.models.candidates.linear import Exponential, Linear, Scaling
from customer_genome.models.estimator import Array, Arrays

POWER = 1.5


@dataclass(frozen=True)
class MoneyForm(Fitted):
    """Expected money of every customer."""

    inputs: Inputs
    money: Learner
    learner: ClassVar[type[Learner]]

    def forecast(self, known: Known) -> Expected:
        """Return expected money."""
        return Expected(np.maximum(self.money.predict(self.inputs.matrix(known)), 0.0))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return columns and learner."""
        return packed({"inputs": self.inputs.to_arrays(), "money": self.money.to_arrays()})

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return what was stored."""
        return cls(Inputs.from_arrays(unpacked(arrays, "inputs")), cls.learner.from_arrays(unpacked(arrays, "money")))


class TweedieTreesForm(MoneyForm):
    """Boosted trees of money."""

    learner = Trees


class TweedieLinearForm(MoneyForm):
    """The exponential of a linear function."""

    learner = Exponential


class LearnedMoney(Candidate):
    """Money taught by all earlier cutoffs together."""

    kind = "model"
    form: ClassVar[type[MoneyForm]]

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return what was learned, None where earlier cutoffs have too few buyers or too few others."""
        from threadpoolctl import threadpool_limits

        if not teaches(past):
            return None
        inputs = Inputs.of(now, past)
        lesson = Lesson.of(inputs, past)
        with threadpool_limits(1):
            return self.form(inputs, self.teach(lesson.columns, np.maximum(lesson.spend, 0.0)))

    def teach(self, columns: Array, spend: Array) -> Learner:
        """Return a learner of money."""
        raise NotImplementedError


class TweedieTrees(LearnedMoney):
    """Gradient boosting of money with LightGBM."""

    name, form = "Tweedie trees", TweedieTreesForm
    ships = True
    about = "gradient boosting (LightGBM) of money in one step, by the Tweedie likelihood of power 1.5"

    def unavailable(self) -> str | None:
        """Return why LightGBM cannot be loaded."""
        return missing()

    def teach(self, columns: Array, spend: Array) -> Learner:
        """Return boosted trees."""
        return taught("tweedie", columns, spend, tweedie_variance_power=POWER)


class TweedieLinear(LearnedMoney):
    """A generalised linear model of money."""

    name, form = "Tweedie regression", TweedieLinearForm
    about = "generalised linear model of money with a logarithmic link, by the Tweedie likelihood of power 1.5"

    def teach(self, columns: Array, spend: Array) -> Learner:
        """Return a linear function; what it says stays within the range that was seen."""
        from sklearn.linear_model import TweedieRegressor

        scaling, unit = Scaling.of(columns), float(spend.mean())
        model = TweedieRegressor(power=POWER, link="log", alpha=0.1, max_iter=1000, tol=1e-5).fit(scaling(columns), spend / unit)
        linear = Linear(scaling, np.asarray(model.coef_, dtype=np.float64), float(model.intercept_) + float(np.log(unit)))
        return Exponential(linear, float(np.log(unit)) - 12.0, float(np.log(max(spend.max(), unit))), 1.0)
