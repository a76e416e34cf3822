"""What a comparison asks of a way to predict, and the linear ones: log-odds of churn or money, from rows of numbers.

Comes in: encoded customers and their labels. Goes out: fitted models that give a score (log-odds, or money), what each column
contributes to it, and plain arrays to store. Seeded; nothing here knows a file, a table or the customers held back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.columns import Values
from customer_genome.models.profiles.encoding import Encoder, View

Task = Literal["churn", "spend"]
Options = Mapping[str, Any]
Stored = dict[str, npt.NDArray[Any]]
_SURE = 1e-6


@dataclass(frozen=True)
class Rows:
    """Customers of one part of a comparison, under the encoder of its training half.

    Attributes
    ----------
    values : what the columns hold
    y : 1 for churn, or money; of customers to predict it is never looked at
    """

    values: Values
    encoder: Encoder
    y: Array
    _views: dict[str, Array] = field(default_factory=dict, compare=False, repr=False)

    def matrix(self, view: View) -> Array:
        """Return the customers as rows of numbers; worked out once."""
        if view not in self._views:
            self._views[view] = self.encoder.matrix(self.values, view)
        return self._views[view]

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.y)


class Split(NamedTuple):
    """A training part and the customers held back from it, by their places among all."""

    train: Rows
    test: Rows
    held_out: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contributions:
    """What each source column adds to a score, so that base + the sum over columns is the score.

    Attributes
    ----------
    values : array, shape (n_customers, n_source_columns)
    base : float, the score of the average customer
    is_exact : whether these are exact Shapley values, or come from sampled orders of the columns
    """

    values: Array
    base: float
    is_exact: bool = True


class Fitted(ABC):
    """A model that has learned."""

    kind: ClassVar[str]
    view: View = "plain"

    @abstractmethod
    def score(self, x: Array) -> Array:
        """Return log-odds of churn, or money, for rows of `view`."""

    @abstractmethod
    def to_arrays(self) -> Stored:
        """Return what has to be stored, as plain arrays."""

    def column_contributions(self, x: Array) -> tuple[Array, float] | None:
        """Return exact Shapley values per matrix column and their base, None where there is no exact way."""
        return None


class Learner(ABC):
    """A way to learn. A new one is a class and a line in `listed.py`."""

    name: ClassVar[str]
    about: ClassVar[str]
    rank: ClassVar[int]
    """How much there is to explain: where two are equally good the one with less is taken."""
    tasks: ClassVar[tuple[Task, ...]] = ("churn", "spend")

    def options(self, task: Task, seed: int) -> Sequence[Options]:
        """Return the settings to choose from inside the training part; one means that nothing is chosen."""
        return ({},)

    def missing(self) -> str | None:
        """Return what has to be installed first, None where everything is there."""
        return None

    @abstractmethod
    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Learn from customers."""


@dataclass(frozen=True)
class Linear(Fitted):
    """A weighted sum of columns.

    Attributes
    ----------
    weights, centre : arrays, shape (n_columns,)
        The centre is the mean of the columns learned from.
    """

    weights: Array
    intercept: float
    centre: Array
    view: View = "plain"
    kind = "linear"

    def score(self, x: Array) -> Array:
        """Return the weighted sums, row by row: a matrix product rounds a customer's sum by who stands beside them."""
        return np.asarray((x * self.weights).sum(axis=1) + self.intercept, dtype=np.float64)

    def column_contributions(self, x: Array) -> tuple[Array, float]:
        """Return weight times distance from the mean: the exact Shapley values of a sum."""
        return (x - self.centre) * self.weights, float(self.centre @ self.weights + self.intercept)

    def to_arrays(self) -> Stored:
        """Return weights, intercept and centre."""
        return {
            "weights": self.weights,
            "intercept": np.array([self.intercept]),
            "centre": self.centre,
            "view": np.array([self.view]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Linear:
        """Return the stored sum."""
        view: View = "smooth" if str(arrays["view"][0]) == "smooth" else "plain"
        return cls(np.asarray(arrays["weights"]), float(arrays["intercept"][0]), np.asarray(arrays["centre"]), view)


class LinearModel(Learner):
    """Logistic regression with settings drawn at random and chosen by 5-fold search; the class for money draws an elastic net."""

    name = "logistic regression"
    about = "logistic regression; penalty, strength, solver and class weight by randomised 5-fold search"
    rank = 2
    tasks: ClassVar[tuple[Task, ...]] = ("churn",)
    n_draws: ClassVar[int] = 10
    view: ClassVar[View] = "plain"

    def options(self, task: Task, seed: int) -> Sequence[Options]:
        """Return settings drawn at random, the same for the same seed; the plain default is always among them."""
        rng = np.random.default_rng([seed, 11])
        drawn: list[Options] = [{"C": 1.0, "penalty": "l2", "solver": "lbfgs", "class_weight": "none"}]
        if task == "spend":
            drawn = [{"alpha": 0.0, "l1_ratio": 0.0}]
        while len(drawn) < self.n_draws:
            if task == "spend":
                drawn.append(
                    {
                        "alpha": float(f"{10 ** rng.uniform(-4, 0.5):.3g}"),
                        "l1_ratio": float(rng.choice([0.0, 0.2, 0.5, 0.8, 1.0])),
                    }
                )
                continue
            penalty, solver = _PENALTIES[int(rng.integers(len(_PENALTIES)))]
            weight = str(rng.choice(["none", "balanced"]))
            drawn.append(
                {"C": float(f"{10 ** rng.uniform(-2.5, 1.5):.3g}"), "penalty": penalty, "solver": solver, "class_weight": weight}
            )
        return drawn

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Fit with the settings given."""
        x = rows.matrix(self.view)
        if x.shape[1] == 0:
            return Linear(np.zeros(0), _level(rows.y, task), np.zeros(0), self.view)
        weights, intercept = logistic(x, rows.y, options, seed) if task == "churn" else elastic(x, rows.y, options)
        return Linear(weights, intercept, x.mean(axis=0), self.view)


_PENALTIES = (("l2", "lbfgs"), ("l2", "newton-cholesky"), ("l1", "liblinear"), ("l2", "liblinear"), ("elasticnet", "saga"))


class SmoothLinearModel(LinearModel):
    """The same with numbers in pieces, so that an effect may rise, flatten and fall."""

    name = "logistic, bent"
    about = "logistic regression, every number bent at five of its quantiles; strength by 5-fold search"
    rank = 3
    view: ClassVar[View] = "smooth"

    def options(self, task: Task, seed: int) -> Sequence[Options]:
        """Return a grid of strengths."""
        if task == "spend":
            return [{"alpha": alpha, "l1_ratio": 0.0} for alpha in (0.001, 0.01, 0.1, 1.0)]
        return [
            {"C": c, "penalty": "l2", "solver": "newton-cholesky", "class_weight": "none"} for c in (0.01, 0.03, 0.1, 0.3, 1.0)
        ]


class LinearRegression(LinearModel):
    """Least squares with an elastic net for money."""

    name = "linear regression"
    about = "linear regression; penalty (none, ridge, lasso, between) and strength by randomised 5-fold search"
    tasks: ClassVar[tuple[Task, ...]] = ("spend",)


class SmoothLinearRegression(SmoothLinearModel):
    """The same with numbers in pieces."""

    name = "linear, bent"
    about = "ridge regression, every number bent at five of its quantiles; strength by 5-fold search"
    tasks: ClassVar[tuple[Task, ...]] = ("spend",)


class Components(LinearModel):
    """A linear model on a few principal components of all columns."""

    name = "on components"
    about = "logistic or linear regression on the first principal components of the scaled columns"
    rank = 4
    tasks: ClassVar[tuple[Task, ...]] = ("churn", "spend")

    def __init__(self, n_components: int) -> None:
        self.n_components = n_components

    def options(self, task: Task, seed: int) -> Sequence[Options]:
        """Return the number of components asked for."""
        return ({"n_components": self.n_components},)

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Turn the columns, fit on the first components, and turn the weights back."""
        x = rows.matrix("plain")
        mean, spread, axes, _ = components(x, self.n_components)
        turned = (x - mean) / spread @ axes
        if turned.shape[1] == 0:
            return Linear(np.zeros(x.shape[1]), _level(rows.y, task), mean)
        plain = {"C": 1.0, "penalty": "l2", "solver": "lbfgs", "class_weight": "none"}
        weights, intercept = (
            logistic(turned, rows.y, plain, seed) if task == "churn" else elastic(turned, rows.y, {"alpha": 0.0, "l1_ratio": 0.0})
        )
        back = axes @ weights / spread
        return Linear(back, float(intercept - mean @ back), mean)


def components(x: Array, n: int) -> tuple[Array, Array, Array, Array]:
    """Return mean, spread, the first n principal axes of the scaled columns, and the share of variance each explains."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    _, sizes, axes = np.linalg.svd((x - mean) / spread, full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])  # an axis has no direction of its own
    variance = sizes**2 / max(float((sizes**2).sum()), 1e-300)
    kept = min(n, int((sizes > 1e-9).sum()))
    return mean, spread, np.asarray((axes * signs[:, None])[:kept].T), np.asarray(variance[:kept])


def logistic(x: Array, y: Array, options: Options, seed: int) -> tuple[Array, float]:
    """Return weights and intercept of a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    ratio = {"l2": 0.0, "l1": 1.0, "elasticnet": 0.5}[options["penalty"]]
    model = LogisticRegression(
        C=options["C"],
        l1_ratio=ratio,
        solver=options["solver"],
        class_weight="balanced" if options["class_weight"] == "balanced" else None,
        max_iter=300,
        tol=1e-3 if options["solver"] == "saga" else 1e-4,
        random_state=seed,
    ).fit(x, y)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def elastic(x: Array, y: Array, options: Options) -> tuple[Array, float]:
    """Return weights and intercept of least squares, with a penalty relative to the spread of the money."""
    from sklearn.linear_model import ElasticNet, LinearRegression, Ridge

    scale = float(y.std()) or 1.0
    alpha, ratio = options["alpha"], options["l1_ratio"]
    if alpha == 0:
        model: Any = LinearRegression()
    elif ratio == 0:
        model = Ridge(alpha=alpha * len(y))
    else:
        model = ElasticNet(alpha=alpha * 0.1, l1_ratio=ratio, max_iter=5000)
    model.fit(x, y / scale)
    return np.asarray(model.coef_, dtype=np.float64) * scale, float(model.intercept_) * scale


def _level(y: Array, task: Task) -> float:
    """Return the score of everybody alike."""
    mean = float(y.mean())
    return float(log_odds(np.array([mean]))[0]) if task == "churn" else mean


def log_odds(chance: Array) -> Array:
    """Return log(p / (1 - p)), kept finite."""
    safe = np.clip(chance, _SURE, 1 - _SURE)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)


def chance_of(score: Array) -> Array:
    """Return the chance of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -35, 35))), dtype=np.float64)
