"""Scores of any fitted model, blends of several, and what each column of the table contributes to a score.

Comes in: a fitted model and customers. Goes out: scores, and contributions that add up to them. For sums, for trees of LightGBM and XGBoost, for
formulas and for blends of these they are exact Shapley values; for the rest they come from a few random orders of the columns against typical
customers, still add up, and are marked as approximate.

Source
------
Lundberg & Lee (2017), NeurIPS; Strumbelj & Kononenko (2014), KAIS 41, for sampled orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.descent import descend
from customer_genome.models.estimator import Array
from customer_genome.models.profiles.learners import Contributions, Fitted, Linear, Rows, Stored, Task, chance_of
from customer_genome.models.profiles.naive import ByColumn, Constant, SameAs
from customer_genome.models.profiles.trees import BoosterFitted, SklearnFitted, XgbFitted

N_ORDERS = 8
_SHRINK = 0.02


@dataclass(frozen=True)
class Mixture(Fitted):
    """A weighted sum of the scores of several models."""

    weights: tuple[float, ...]
    intercept: float
    members: tuple[Fitted, ...]
    names: tuple[str, ...] = ()
    kind = "blend"

    def score(self, x: Array) -> Array:
        """Not asked: members read different matrices; see `scores`."""
        raise NotImplementedError("a blend is scored by `scores`")

    def to_arrays(self) -> Stored:
        """Return weights and the members one after the other."""
        stored: Stored = {"weights": np.array([self.intercept, *self.weights]), "names": np.array(self.names)}
        for number, member in enumerate(self.members):
            stored |= {f"member{number}.{name}": values for name, values in pack(member).items()}
        return stored

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Mixture:
        """Return the stored blend."""
        intercept, *weights = (float(value) for value in arrays["weights"])
        members = tuple(unpack(part_of(arrays, f"member{number}.")) for number in range(len(weights)))
        return cls(tuple(weights), intercept, members, tuple(str(name) for name in arrays["names"]))


_KINDS: Mapping[str, Any] = {
    one.kind: one for one in (Linear, Constant, SameAs, ByColumn, BoosterFitted, XgbFitted, SklearnFitted, Mixture)
}


def pack(fitted: Fitted) -> Stored:
    """Return a fitted model as arrays, with its kind."""
    return {"kind": np.array([fitted.kind]), **fitted.to_arrays()}


def unpack(arrays: Mapping[str, npt.NDArray[Any]]) -> Fitted:
    """Return a stored model; RegistryError where its kind is unknown."""
    kind = str(arrays["kind"][0])
    if kind not in _KINDS:
        raise RegistryError(f'The stored model is of kind "{kind}", which this version does not know. Upgrade, or train again.')
    fitted: Fitted = _KINDS[kind].from_arrays(arrays)
    return fitted


def part_of(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Stored:
    """Return the arrays whose names begin with a prefix, without it."""
    return {name[len(prefix) :]: values for name, values in arrays.items() if name.startswith(prefix)}


def scores(fitted: Fitted, rows: Rows) -> Array:
    """Return the log-odds or the money of customers."""
    if isinstance(fitted, Mixture):
        total = np.full(len(rows), fitted.intercept)
        for weight, member in zip(fitted.weights, fitted.members, strict=True):
            total = total + weight * scores(member, rows)
        return total
    return fitted.score(rows.matrix(fitted.view))


def is_exact(fitted: Fitted) -> bool:
    """Return whether contributions of a model are exact."""
    if isinstance(fitted, Mixture):
        return all(is_exact(member) for member in fitted.members)
    return not isinstance(fitted, SklearnFitted)


def contributions(fitted: Fitted, rows: Rows, typical: Array | None = None, seed: int = 7) -> Contributions:
    """Return what each column of the table adds to each score.

    Parameters
    ----------
    typical : array, shape (n_typical, n_plain_columns)
        Customers to compare with, for models without an exact way.
    """
    if isinstance(fitted, Mixture):
        parts = [contributions(member, rows, typical, seed) for member in fitted.members]
        values = np.sum([weight * part.values for weight, part in zip(fitted.weights, parts, strict=True)], axis=0)
        base = fitted.intercept + sum(weight * part.base for weight, part in zip(fitted.weights, parts, strict=True))
        return Contributions(values, float(base), all(part.is_exact for part in parts))
    x, sources = rows.matrix(fitted.view), rows.encoder.sources(fitted.view)
    found = fitted.column_contributions(x)
    n_sources = len(rows.encoder.parts)
    if found is not None:
        per_column, base = found
        together = np.zeros((len(x), n_sources))
        np.add.at(together.T, sources, per_column.T)
        return Contributions(together, base)
    background = x.mean(axis=0, keepdims=True) if typical is None or not len(typical) else typical
    return _sampled(fitted, x, sources, n_sources, background, seed)


def _sampled(
    fitted: Fitted, x: Array, sources: npt.NDArray[np.int64], n_sources: int, typical: Array, seed: int
) -> Contributions:
    """Return contributions from random orders: columns turn one after the other from a typical customer's into the customer's own."""
    rng = np.random.default_rng([seed, 5])
    values, base = np.zeros((len(x), n_sources)), 0.0
    for number in range(N_ORDERS // 2):
        order, start = rng.permutation(n_sources), typical[number % len(typical)]
        for sequence in (order, order[::-1]):
            current = np.tile(start, (len(x), 1))
            before = fitted.score(current)
            base += float(before[0]) / N_ORDERS if len(before) else 0.0
            for source in sequence:
                columns = np.flatnonzero(sources == source)
                current[:, columns] = x[:, columns]
                after = fitted.score(current)
                values[:, source] += (after - before) / N_ORDERS
                before = after
    return Contributions(values, base, is_exact=False)


@dataclass(frozen=True)
class Weights:
    """How much each member of a blend counts."""

    weights: tuple[float, ...]
    intercept: float
    names: tuple[str, ...] = field(default=())


def blend_weights(found: Mapping[str, Array], y: Array, task: Task) -> Weights:
    """Return weights of at least 0 that fit predictions made without the customer, drawn towards equal ones.

    Parameters
    ----------
    found : name -> scores of customers the model had not learned from, shape (n,)
    """
    names = tuple(found)
    x = np.column_stack([found[name] for name in names])
    scale = float(np.var(y)) or 1.0
    equal = 1 / len(names)

    def loss(at: Array) -> tuple[float, Array]:
        weights, intercept = at[:-1], at[-1]
        score = x @ weights + intercept
        if task == "churn":
            fit, slope = float(np.mean(np.logaddexp(0, score) - y * score)), (chance_of(score) - y) / len(y)
        else:
            fit, slope = float(np.mean((score - y) ** 2)) / scale, 2 * (score - y) / (len(y) * scale)
        gradient = np.append(x.T @ slope + 2 * _SHRINK * (weights - equal), slope.sum() if task == "churn" else 0.0)
        return fit + _SHRINK * float(np.sum((weights - equal) ** 2)), gradient

    start = np.append(np.full(len(names), equal), 0.0)
    lower = np.append(np.zeros(len(names)), -np.inf)
    point, _ = descend(loss, start, lower, np.full(len(start), np.inf))
    return Weights(tuple(point[:-1].tolist()), float(point[-1]), names)


def mixed(weights: Weights, members: Sequence[Fitted]) -> Mixture:
    """Return the blend of fitted members."""
    return Mixture(weights.weights, weights.intercept, tuple(members), weights.names)


def mixed_scores(weights: Weights, found: Mapping[str, Array]) -> Array:
    """Return the blended scores."""
    total = sum((weight * found[name] for weight, name in zip(weights.weights, weights.names, strict=True)), np.zeros(1))
    return np.asarray(total + weights.intercept, dtype=np.float64)


def typical_rows(x: Array, seed: int, n: int = 8) -> Array:
    """Return a few customers to compare with."""
    rng = np.random.default_rng([seed, 3])
    return np.asarray(x[np.sort(rng.choice(len(x), min(n, len(x)), replace=False))])
