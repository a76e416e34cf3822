"""Learners beyond sums of columns: a forest, boosted trees of three libraries, and a small neural net.

Comes in: encoded customers with labels. Goes out: fitted models. LightGBM and XGBoost are stored in their own formats, those of scikit-learn as
skops bytes that are read back only if every type in them is on a fixed list: nothing stored can run code. Exact Shapley values come from
LightGBM and XGBoost themselves; the others have none. Single-threaded and seeded.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.estimator import Array
from customer_genome.models.profiles.learners import Fitted, Learner, Options, Rows, Stored, Task, log_odds

TRUSTED = (
    "numpy.dtype",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.preprocessing._label.LabelBinarizer",
    "sklearn.tree._tree.Tree",
)
"""The types, beside those skops trusts by itself, that a stored model may hold."""
_NET_STEPS = 1000
_MOST_PER_TREE = 5_000
"""Customers each tree of a forest sees at most: more make it slower, and hardly better."""


@dataclass(frozen=True)
class BoosterFitted(Fitted):
    """Trees of LightGBM."""

    booster: Any
    kind = "lightgbm"

    def score(self, x: Array) -> Array:
        """Return the sums over trees."""
        return np.asarray(self.booster.predict(x, raw_score=True, num_threads=1), dtype=np.float64)

    def column_contributions(self, x: Array) -> tuple[Array, float]:
        """Return the exact Shapley values of the trees."""
        found = np.asarray(self.booster.predict(x, pred_contrib=True, num_threads=1), dtype=np.float64)
        return found[:, :-1], float(found[0, -1]) if len(found) else 0.0

    def to_arrays(self) -> Stored:
        """Return the trees as the text that LightGBM writes, which is exact to the bit."""
        return {"text": np.frombuffer(self.booster.model_to_string().encode(), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> BoosterFitted:
        """Return the stored trees."""
        import lightgbm

        return cls(lightgbm.Booster(model_str=arrays["text"].tobytes().decode()))


@dataclass(frozen=True)
class XgbFitted(Fitted):
    """Trees of XGBoost."""

    booster: Any
    kind = "xgboost"

    def score(self, x: Array) -> Array:
        """Return the sums over trees."""
        import xgboost

        return np.asarray(self.booster.predict(xgboost.DMatrix(x, nthread=1), output_margin=True), dtype=np.float64)

    def column_contributions(self, x: Array) -> tuple[Array, float]:
        """Return the exact Shapley values of the trees."""
        import xgboost

        found = np.asarray(self.booster.predict(xgboost.DMatrix(x, nthread=1), pred_contribs=True), dtype=np.float64)
        return found[:, :-1], float(found[0, -1]) if len(found) else 0.0

    def to_arrays(self) -> Stored:
        """Return the trees as the JSON that XGBoost writes."""
        return {"json": np.frombuffer(bytes(self.booster.save_raw("json")), dtype=np.uint8)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> XgbFitted:
        """Return the stored trees."""
        if importlib.util.find_spec("xgboost") is None:
            raise RegistryError(
                "The stored model needs XGBoost, which is not installed. Install it with `pip install 'customer-genome[candidates]'`."
            )
        import xgboost

        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(arrays["json"].tobytes()))
        return cls(booster)


@dataclass(frozen=True)
class SklearnFitted(Fitted):
    """A model of scikit-learn; `is_chance` where it gives chances, else money in units of `scale` from `offset` on."""

    model: Any
    is_chance: bool
    scale: float = 1.0
    offset: float = 0.0
    kind = "sklearn"

    def score(self, x: Array) -> Array:
        """Return log-odds or money."""
        if self.is_chance:
            return log_odds(np.asarray(self.model.predict_proba(x)[:, 1], dtype=np.float64))
        return np.asarray(self.model.predict(x), dtype=np.float64) * self.scale + self.offset

    def to_arrays(self) -> Stored:
        """Return the model as skops bytes."""
        from skops.io import dumps

        about = json.dumps({"is_chance": self.is_chance, "scale": self.scale, "offset": self.offset})
        return {
            "skops": np.frombuffer(dumps(self.model), dtype=np.uint8),
            "about": np.frombuffer(about.encode(), dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> SklearnFitted:
        """Return the stored model; one that holds any other type than a model of ours is refused."""
        from skops.io import get_untrusted_types, loads

        stored, about = arrays["skops"].tobytes(), json.loads(arrays["about"].tobytes())
        foreign = sorted(set(get_untrusted_types(data=stored)) - set(TRUSTED))
        if foreign:
            raise RegistryError(
                f"The stored model holds {', '.join(foreign[:3])}, which no model of this product holds. It is not read; train again."
            )
        return cls(loads(stored, trusted=list(TRUSTED)), bool(about["is_chance"]), float(about["scale"]), float(about["offset"]))


class LightGBM(Learner):
    """Small boosted trees; exact reasons."""

    name = "LightGBM"
    about = "300 boosted trees of 5 leaves (LightGBM)"
    rank = 5

    def missing(self) -> str | None:
        """Return what LightGBM lacks: on some systems the OpenMP library."""
        try:
            import lightgbm  # noqa: F401
        except (ImportError, OSError) as err:
            return f"LightGBM cannot be loaded ({str(err).splitlines()[0]}). On Debian and Ubuntu: apt-get install libgomp1; on macOS: brew install libomp"
        return None

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Grow the trees."""
        import lightgbm

        settings = {
            "objective": "binary" if task == "churn" else "regression",
            "learning_rate": 0.03,
            "num_leaves": 5,
            "min_data_in_leaf": max(5, min(30, len(rows) // 20)),
            "lambda_l2": 5.0,
            "feature_fraction": 0.4,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(rows.matrix("plain"), rows.y, params={"verbosity": -1}, free_raw_data=True)
        return BoosterFitted(lightgbm.train(settings, data, num_boost_round=300))


class XGBoost(Learner):
    """The same with XGBoost, where it is installed."""

    name = "XGBoost"
    about = "200 boosted trees of depth 3 (XGBoost)"
    rank = 6

    def missing(self) -> str | None:
        """Return how to install XGBoost where it is not."""
        if importlib.util.find_spec("xgboost") is None:
            return "XGBoost is not installed: pip install 'customer-genome[candidates]'"
        return None

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Grow the trees."""
        import xgboost

        settings = {
            "objective": "binary:logistic" if task == "churn" else "reg:squarederror",
            "eta": 0.04,
            "max_depth": 3,
            "min_child_weight": 10 if task == "spend" else 5,
            "lambda": 5.0,
            "subsample": 0.8,
            "colsample_bytree": 0.4,
            "seed": seed,
            "nthread": 1,
            "tree_method": "hist",
            "verbosity": 0,
        }
        return XgbFitted(xgboost.train(settings, xgboost.DMatrix(rows.matrix("plain"), rows.y, nthread=1), num_boost_round=200))


class GradientBoosting(Learner):
    """Boosted trees of scikit-learn."""

    name = "gradient boosting"
    about = "120 boosted trees of up to 8 leaves (scikit-learn)"
    rank = 7

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Grow the trees."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        settings: dict[str, Any] = {
            "learning_rate": 0.05,
            "max_iter": 120,
            "max_leaf_nodes": 8,
            "min_samples_leaf": max(5, min(30, len(rows) // 20)),
            "l2_regularization": 5.0,
            "early_stopping": False,
            "random_state": seed,
        }
        x = rows.matrix("plain")
        if task == "churn":
            return SklearnFitted(HistGradientBoostingClassifier(**settings).fit(x, rows.y), True)
        scale = float(rows.y.std()) or 1.0
        return SklearnFitted(HistGradientBoostingRegressor(**settings).fit(x, rows.y / scale), False, scale)


class Forest(Learner):
    """A random forest."""

    name = "random forest"
    about = "100 trees, each on other customers and columns (scikit-learn)"
    rank = 8

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Grow the trees."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        settings: dict[str, Any] = {
            "n_estimators": 100,
            "min_samples_leaf": 10 if len(rows) >= 1000 else 5,
            "max_features": 0.3,
            "max_samples": min(len(rows), _MOST_PER_TREE),
            "random_state": seed,
        }
        x = rows.matrix("plain")
        if task == "churn":
            return SklearnFitted(RandomForestClassifier(**settings).fit(x, rows.y), True)
        return SklearnFitted(RandomForestRegressor(**settings).fit(x, rows.y), False)


class NeuralNet(Learner):
    """One hidden layer of 16 units."""

    name = "neural net"
    about = "one hidden layer of 16 units (scikit-learn)"
    rank = 9

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Train the net."""
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        batch = min(256, max(32, len(rows) // 20), len(rows))
        settings: dict[str, Any] = {
            "hidden_layer_sizes": (16,),
            "alpha": 0.3,
            "learning_rate_init": 0.003,
            "batch_size": batch,
            "max_iter": int(np.clip(_NET_STEPS * batch / len(rows), 20, 200)),
            "random_state": seed,
        }
        x = rows.matrix("plain")
        if task == "churn":
            return SklearnFitted(MLPClassifier(**settings).fit(x, rows.y), True)
        scale, offset = float(rows.y.std()) or 1.0, float(rows.y.mean())
        return SklearnFitted(MLPRegressor(**settings).fit(x, (rows.y - offset) / scale), False, scale, offset)
