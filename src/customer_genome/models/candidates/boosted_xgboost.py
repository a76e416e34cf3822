"""Gradient boosting with XGBoost, where it is installed (the extra `candidates`).

Comes in: lessons of earlier cutoffs. Goes out: two boosters, stored in XGBoost's own binary JSON.

Source
------
Chen & Guestrin (2016), XGBoost, KDD.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.learned import SEED, HurdleForm, LearnedHurdle, Learner, Lesson
from customer_genome.models.estimator import Array, Arrays

N_TREES = 120
_SETTINGS: dict[str, Any] = {
    "eta": 0.05,
    "max_depth": 4,
    "min_child_weight": 15.0,
    "lambda": 5.0,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "max_bin": 64,
    "tree_method": "hist",
    "nthread": 1,
    "seed": SEED,
    "verbosity": 0,
}


@dataclass(frozen=True)
class Boosters(Learner):
    """A booster as bytes; `is_log` where it gives the logarithm of what is wanted, times `scale`."""

    data: bytes
    is_log: bool
    scale: float = 1.0
    _loaded: list[Any] = field(default_factory=list, compare=False, repr=False)

    def predict(self, columns: Array) -> Array:
        """Return the value of each row."""
        import xgboost

        if not self._loaded:
            self._loaded.append(xgboost.Booster(params={"nthread": 1}, model_file=bytearray(self.data)))
        raw = np.asarray(self._loaded[0].predict(xgboost.DMatrix(columns, nthread=1), output_margin=True), dtype=np.float64)
        return np.exp(raw) * self.scale if self.is_log else raw

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded booster behind where a process hands this to another."""
        return {"data": self.data, "is_log": self.is_log, "scale": self.scale, "_loaded": []}

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the bytes."""
        data = np.frombuffer(self.data, dtype=np.uint8)
        return {"xgboost": data, "is_log": np.array(self.is_log), "scale": np.array(self.scale)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the booster that was stored."""
        return cls(np.asarray(arrays["xgboost"], dtype=np.uint8).tobytes(), bool(arrays["is_log"]), float(arrays["scale"]))


class BoostersForm(HurdleForm):
    """Two boosters."""

    learner, money_learner = Boosters, Boosters


class XGBoostHurdle(LearnedHurdle):
    """Gradient boosting of both halves with XGBoost."""

    name, form = "XGBoost", BoostersForm
    about = "gradient boosting (XGBoost) of ordering and of money given an order, learned from earlier cutoffs"

    def unavailable(self) -> str | None:
        """Return how to install XGBoost where it is absent."""
        if find_spec("xgboost") is not None:
            return None
        return "XGBoost is not installed. Wanted: pip install 'customer-genome[candidates]'."

    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return a booster of the log-odds."""
        return _taught("binary:logistic", lesson.columns, lesson.ordered, 1.0)

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return a booster of money given an order, by the gamma likelihood."""
        money = lesson.spend[lesson.pays]
        return _taught("reg:gamma", lesson.columns[lesson.pays], money, float(money.mean()))


def _taught(objective: str, columns: Array, wanted: Array, unit: float) -> Boosters:
    """Return boosted trees; those of money keep the total of the lesson."""
    import xgboost

    data = xgboost.QuantileDMatrix(columns, label=wanted / unit, nthread=1, max_bin=_SETTINGS["max_bin"])
    booster = xgboost.train({**_SETTINGS, "objective": objective}, data, num_boost_round=N_TREES)
    is_log = objective == "reg:gamma"
    found = Boosters(bytes(booster.save_raw("ubj")), is_log, unit)
    if not is_log:
        return found
    return Boosters(found.data, True, unit * float(wanted.sum() / found.predict(columns).sum()))
