"""A random forest and scikit-learn's gradient boosting, stored in the format of skops, which holds no code.

Comes in: lessons of earlier cutoffs. Goes out: two models of scikit-learn. They are compared in backtests; what ships is smaller.

Source
------
Breiman (2001), Machine Learning 45; Friedman (2001), Annals of Statistics 29.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.candidates.inputs import log_odds
from customer_genome.models.candidates.learned import SEED, HurdleForm, LearnedHurdle, Learner, Lesson
from customer_genome.models.estimator import Array, Arrays

TRUSTED = (
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfGammaLoss",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfGammaLoss",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""The types beside those of numpy and scikit-learn's estimators that a stored model may consist of."""
EMPTY = -99.0
"""Stands for an empty fact in the columns of a forest."""
MOST_ROWS = 12_000
"""Each tree of a forest sees at most this many customers."""


@dataclass(frozen=True)
class Stored(Learner):
    """A model of scikit-learn as bytes; `is_money` where it gives money, times `scale`, else a chance."""

    data: bytes
    is_money: bool
    scale: float = 1.0
    _loaded: list[Any] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, model: Any, is_money: bool, scale: float = 1.0) -> Self:
        """Return a fitted model as bytes."""
        import skops.io

        return cls(skops.io.dumps(model), is_money, scale, [model])

    def predict(self, columns: Array) -> Array:
        """Return log-odds, or money."""
        filled = np.where(np.isfinite(columns), columns, EMPTY)
        if self.is_money:
            return np.asarray(self._model().predict(filled) * self.scale, dtype=np.float64)
        return log_odds(np.asarray(self._model().predict_proba(filled)[:, 1], dtype=np.float64))

    def _model(self) -> Any:
        if not self._loaded:
            import skops.io

            unknown = sorted(set(skops.io.get_untrusted_types(data=self.data)) - set(TRUSTED))
            if unknown:
                raise RegistryError(
                    f"Stored forest: it holds {', '.join(unknown)}, which is none of the types a model consists of. Fit it again."
                )
            self._loaded.append(skops.io.loads(self.data, trusted=list(TRUSTED)))
        return self._loaded[0]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded model behind where a process hands this to another."""
        return {"data": self.data, "is_money": self.is_money, "scale": self.scale, "_loaded": []}

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the bytes."""
        data = np.frombuffer(self.data, dtype=np.uint8)
        return {"skops": data, "is_money": np.array(self.is_money), "scale": np.array(self.scale)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return what was stored."""
        return cls(np.asarray(arrays["skops"], dtype=np.uint8).tobytes(), bool(arrays["is_money"]), float(arrays["scale"]))


class StoredForm(HurdleForm):
    """Two models of scikit-learn."""

    learner, money_learner = Stored, Stored


class RandomForest(LearnedHurdle):
    """A forest of deep trees for both halves."""

    name, form = "random forest", StoredForm
    about = "random forests (scikit-learn) of ordering and of money given an order, learned from earlier cutoffs"

    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return a forest of chances."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(80, max_features=0.3, **_forest(lesson.ordered))
        return Stored.of(model.fit(_filled(lesson.columns), lesson.ordered), False)

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return a forest of money."""
        from sklearn.ensemble import RandomForestRegressor

        columns, money = _filled(lesson.columns[lesson.pays]), lesson.spend[lesson.pays]
        return Stored.of(RandomForestRegressor(50, max_features=0.3, **_forest(money)).fit(columns, money), True)


class HistogramBoosting(LearnedHurdle):
    """Gradient boosting on histograms of scikit-learn for both halves."""

    name, form = "boosting (scikit-learn)", StoredForm
    about = "gradient boosting (scikit-learn) of ordering and of money given an order, learned from earlier cutoffs"

    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return boosted trees of the chance."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return Stored.of(HistGradientBoostingClassifier(**_SMALL_TREES).fit(_filled(lesson.columns), lesson.ordered), False)

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return boosted trees of money, by the gamma likelihood."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        money = lesson.spend[lesson.pays]
        unit = float(money.mean())
        model = HistGradientBoostingRegressor(loss="gamma", **_SMALL_TREES)
        return Stored.of(model.fit(_filled(lesson.columns[lesson.pays]), money / unit), True, unit)


_SMALL_TREES: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_iter": 80,
    "max_leaf_nodes": 10,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "max_bins": 63,
    "early_stopping": False,
    "random_state": SEED,
}


def _forest(wanted: Array) -> dict[str, Any]:
    share = min(1.0, MOST_ROWS / len(wanted))
    return {"min_samples_leaf": 20, "max_samples": share if share < 1 else None, "random_state": SEED, "n_jobs": 1}


def _filled(columns: Array) -> Array:
    return np.where(np.isfinite(columns), columns, EMPTY)
