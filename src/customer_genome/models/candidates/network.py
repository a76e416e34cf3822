"""A small neural net for the chance and one for money, stored as its weights.

Comes in: lessons of earlier cutoffs. Goes out: two nets of one hidden layer, applied by a few lines of numpy.

Source
------
Glorot & Bengio (2010), AISTATS, for the start of the weights; Kingma & Ba (2015), ICLR, for the steps (as in scikit-learn).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.learned import SEED, HurdleForm, LearnedHurdle, Learner, Lesson
from customer_genome.models.candidates.linear import Scaling
from customer_genome.models.estimator import Array, Arrays

N_HIDDEN = 12
MOST_AT_ONCE = 500
_MOST_SCALED = 5.0
_SETTINGS: dict[str, Any] = {
    "hidden_layer_sizes": (N_HIDDEN,),
    "alpha": 3.0,
    "learning_rate_init": 0.01,
    "max_iter": 25,
    "random_state": SEED,
}


@dataclass(frozen=True)
class Net(Learner):
    """One hidden layer of rectified units; the exponential of the outcome where `is_log`, times `scale`."""

    scaling: Scaling
    hidden: Array
    hidden_bias: Array
    out: Array
    bias: float
    is_log: bool = False
    scale: float = 1.0
    lowest: float = -np.inf
    highest: float = np.inf

    def predict(self, columns: Array) -> Array:
        """Return the value of each row; summed unit by unit, so that a row is the same to the last bit in any batch."""
        scaled = np.clip(self.scaling(columns), -_MOST_SCALED, _MOST_SCALED)
        found = np.full(len(columns), self.bias)
        for unit in range(len(self.out)):
            found += self.out[unit] * np.maximum((scaled * self.hidden[:, unit]).sum(axis=1) + self.hidden_bias[unit], 0.0)
        found = np.clip(found, self.lowest, self.highest)
        return np.asarray(np.exp(found) * self.scale if self.is_log else found, dtype=np.float64)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the weights."""
        numbers = [self.bias, float(self.is_log), self.scale, self.lowest, self.highest]
        return {
            "centre": self.scaling.centre,
            "spread": self.scaling.scale,
            "hidden": self.hidden,
            "hidden_bias": self.hidden_bias,
            "out": self.out,
            "numbers": np.array(numbers),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the net that was stored."""
        bias, is_log, scale, lowest, highest = (float(value) for value in arrays["numbers"])
        scaling = Scaling(arrays["centre"], arrays["spread"])
        return cls(scaling, arrays["hidden"], arrays["hidden_bias"], arrays["out"], bias, bool(is_log), scale, lowest, highest)


class NetForm(HurdleForm):
    """Two nets."""

    learner, money_learner = Net, Net


class NeuralNet(LearnedHurdle):
    """A small net for both halves."""

    name, form = "neural net", NetForm
    ships, explains = True, False
    about = "a net of one hidden layer (12 units) for the order and one for log money, learned from earlier cutoffs"

    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return a net of the log-odds."""
        from sklearn.neural_network import MLPClassifier

        scaling = Scaling.of(lesson.columns)
        return _net(scaling, _fitted(MLPClassifier(**_SETTINGS), scaling(lesson.columns), lesson.ordered))

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return a net of the logarithm of money, its total kept."""
        from sklearn.neural_network import MLPRegressor

        columns, money = lesson.columns[lesson.pays], lesson.spend[lesson.pays]
        scaling, wanted = Scaling.of(columns), np.log(money)
        centre = float(wanted.mean())
        model = _fitted(MLPRegressor(**_SETTINGS), scaling(columns), wanted - centre)
        ends = (float(wanted.min()) - centre, float(wanted.max()) - centre)
        net = _net(scaling, model, True, 1.0, *ends)
        return _net(scaling, model, True, float(money.sum() / net.predict(columns).sum()), *ends)


def _fitted(model: Any, scaled: Array, wanted: Array) -> Any:
    """Return the fitted net; that it is stopped after its steps is meant."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(batch_size=min(MOST_AT_ONCE, len(wanted)))
        return model.fit(np.clip(scaled, -_MOST_SCALED, _MOST_SCALED), wanted)


def _net(
    scaling: Scaling, model: Any, is_log: bool = False, scale: float = 1.0, lowest: float = -np.inf, highest: float = np.inf
) -> Net:
    hidden, out = (np.asarray(one, dtype=np.float64) for one in model.coefs_)
    hidden_bias, bias = (np.asarray(one, dtype=np.float64) for one in model.intercepts_)
    return Net(scaling, hidden, hidden_bias, out[:, 0], float(bias[0]), is_log, scale, lowest, highest)
