"""Gradient boosting with LightGBM: small trees for the order and for money given an order.

Comes in: lessons of earlier cutoffs. Goes out: two boosters, stored as LightGBM's own text. One thread and fixed seeds: the same
facts give the same trees on every machine. What each column adds to the log-odds is exact (TreeSHAP).

Source
------
Ke et al. (2017), LightGBM, NeurIPS; Lundberg et al. (2020), Nature Machine Intelligence 2, for TreeSHAP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import EngineError
from customer_genome.models.candidates.learned import SEED, HurdleForm, LearnedHurdle, Learner, Lesson
from customer_genome.models.estimator import Array, Arrays

SMALL_TREES = {
    "learning_rate": 0.04,
    "num_leaves": 10,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": SEED,
}
N_TREES = 120


def lightgbm() -> Any:
    """Return the library.

    Raises
    ------
    EngineError
        Where it cannot be loaded, with what to install.
    """
    try:
        import lightgbm as library
    except (ImportError, OSError) as err:
        raise EngineError(
            f"LightGBM cannot be loaded: {err}. Wanted: the package lightgbm and the system's OpenMP "
            "(Debian: apt install libgomp1; macOS: brew install libomp)."
        ) from err
    return library


@dataclass(frozen=True)
class Trees(Learner):
    """A booster as text; `is_log` where it gives the logarithm of what is wanted, times `scale`."""

    text: str
    is_log: bool = False
    scale: float = 1.0
    _loaded: list[Any] = field(default_factory=list, compare=False, repr=False)

    def predict(self, columns: Array) -> Array:
        """Return the value of each row."""
        raw = np.asarray(self._booster().predict(columns, raw_score=True, num_threads=1), dtype=np.float64)
        return np.exp(raw) * self.scale if self.is_log else raw

    def shares(self, columns: Array) -> tuple[Array, float]:
        """Return the Shapley values of every column, and the base; rows are shared among processors, each is the same on any number."""
        found = np.asarray(self._booster().predict(columns, pred_contrib=True, num_threads=0), dtype=np.float64)
        return found[:, :-1], float(found[0, -1]) if len(found) else 0.0

    def _booster(self) -> Any:
        if not self._loaded:
            self._loaded.append(lightgbm().Booster(model_str=self.text))
        return self._loaded[0]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded booster behind where a process hands this to another."""
        return {"text": self.text, "is_log": self.is_log, "scale": self.scale, "_loaded": []}

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the text as bytes."""
        text = np.frombuffer(self.text.encode(), dtype=np.uint8)
        return {"lightgbm": text, "is_log": np.array(self.is_log), "scale": np.array(self.scale)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the trees that were stored."""
        text = np.asarray(arrays["lightgbm"], dtype=np.uint8).tobytes().decode()
        return cls(text, bool(arrays["is_log"]), float(arrays["scale"]))


class TreesForm(HurdleForm):
    """Two boosters."""

    learner, money_learner = Trees, Trees


class LightGBMHurdle(LearnedHurdle):
    """Gradient boosting of both halves with LightGBM."""

    name, form = "LightGBM", TreesForm
    ships = True
    about = "gradient boosting (LightGBM) of ordering and of money given an order, learned from earlier cutoffs"

    def unavailable(self) -> str | None:
        """Return why LightGBM cannot be loaded."""
        return missing()

    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return a booster of the log-odds."""
        return taught("binary", lesson.columns, lesson.ordered)

    def teach_money(self, lesson: Lesson) -> Learner:
        """Return a booster of money given an order, by the gamma likelihood."""
        return taught("gamma", lesson.columns[lesson.pays], lesson.spend[lesson.pays])


def missing() -> str | None:
    """Return in a sentence why LightGBM cannot be used here, None where it can."""
    try:
        lightgbm()
    except EngineError as err:
        return str(err)
    return None


def taught(objective: str, columns: Array, wanted: Array, **more: Any) -> Trees:
    """Return boosted trees; those with a logarithmic link keep the total of the lesson."""
    library = lightgbm()
    is_log = objective in ("gamma", "tweedie", "poisson")
    unit = float(wanted.mean()) if is_log else 1.0
    data = library.Dataset(columns, label=wanted / unit, params={"max_bin": SMALL_TREES["max_bin"], "verbosity": -1})
    text = library.train({**SMALL_TREES, "objective": objective, **more}, data, num_boost_round=N_TREES).model_to_string()
    trees = Trees(text, is_log, unit)
    return Trees(text, is_log, unit * float(wanted.sum() / trees.predict(columns).sum())) if is_log else trees
