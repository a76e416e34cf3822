"""Formulas that need no model: the same for everybody, the same as one column, or by one column alone. A model has to beat them.

Comes in: customers with labels, each column as it stands. Goes out: fitted formulas of the same kind as models. Which column predicts best alone is
found from the customers learned from, never named by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.encoding import View
from customer_genome.models.profiles.learners import Fitted, Learner, Options, Rows, Stored, Task, log_odds

_PARTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_SHRINK = 10.0


@dataclass(frozen=True)
class Constant(Fitted):
    """The same for everybody."""

    level: float
    n_columns: int = 0
    view: View = "raw"
    kind = "constant"

    def score(self, x: Array) -> Array:
        """Return one number for everybody."""
        return np.full(len(x), self.level)

    def column_contributions(self, x: Array) -> tuple[Array, float]:
        """Return zeros: no column has a say."""
        return np.zeros(x.shape), self.level

    def to_arrays(self) -> Stored:
        """Return the number."""
        return {"level": np.array([self.level])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Constant:
        """Return the stored number."""
        return cls(float(arrays["level"][0]))


@dataclass(frozen=True)
class SameAs(Fitted):
    """The value of one column, as it stands."""

    place: int
    fill: float
    base: float
    view: View = "raw"
    kind = "same_as"

    def score(self, x: Array) -> Array:
        """Return the column; its median where a cell is empty."""
        column = x[:, self.place]
        return np.where(np.isnan(column), self.fill, column)

    def column_contributions(self, x: Array) -> tuple[Array, float]:
        """Return the distance from the mean, for this column alone."""
        values = np.zeros(x.shape)
        values[:, self.place] = self.score(x) - self.base
        return values, self.base

    def to_arrays(self) -> Stored:
        """Return the place of the column, its median and its mean."""
        return {"formula": np.array([self.place, self.fill, self.base], dtype=np.float64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> SameAs:
        """Return the stored formula."""
        place, fill, base = (float(value) for value in arrays["formula"])
        return cls(int(place), fill, base)


@dataclass(frozen=True)
class ByColumn(Fitted):
    """What customers with like values of one column did.

    Attributes
    ----------
    cuts : numbers between which values count as alike; of a category its places
    scores : array, shape (len(cuts) + 2,)
        The score of each part; the last one where the cell is empty.
    """

    place: int
    cuts: Array
    scores: Array
    base: float
    view: View = "raw"
    kind = "by_column"

    def score(self, x: Array) -> Array:
        """Return the score of the part that each customer belongs to."""
        return np.asarray(self.scores[parts_of(x[:, self.place], self.cuts)], dtype=np.float64)

    def column_contributions(self, x: Array) -> tuple[Array, float]:
        """Return the distance from the mean, for this column alone."""
        values = np.zeros(x.shape)
        values[:, self.place] = self.score(x) - self.base
        return values, self.base

    def to_arrays(self) -> Stored:
        """Return place, cuts and scores."""
        return {"place": np.array([self.place]), "cuts": self.cuts, "scores": self.scores, "base": np.array([self.base])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ByColumn:
        """Return the stored formula."""
        return cls(int(arrays["place"][0]), np.asarray(arrays["cuts"]), np.asarray(arrays["scores"]), float(arrays["base"][0]))


class Everybody(Learner):
    """All customers are alike."""

    name = "everybody alike"
    about = "the share of churn, or the mean money, of those learned from"
    rank = 0

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Return the mean."""
        mean = float(rows.y.mean())
        return Constant(float(log_odds(np.array([mean]))[0]) if task == "churn" else mean)


class SameAsColumn(Learner):
    """The next is as the last was: the one column that, taken as it stands, is nearest to the money that came."""

    name = "same as one column"
    about = "money as it stands in the one column that is nearest to it, found among the customers learned from"
    rank = 1
    tasks = ("spend",)

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Return the nearest column; the mean where there is no number."""
        x = rows.matrix("raw")
        numbers = [place for place, part in enumerate(rows.encoder.parts) if part.kind in ("number", "yes_no")]
        found = []
        for place in numbers:
            fill = rows.encoder.parts[place].fill
            column = np.where(np.isnan(x[:, place]), fill, x[:, place])
            found.append((float(np.mean((rows.y - column) ** 2)), place, fill, float(column.mean())))
        if not found:
            return Constant(float(rows.y.mean()))
        _, place, fill, base = min(found)
        return SameAs(place, fill, base)


class OneColumn(Learner):
    """By the one column that tells most alone: customers with like values of it did so."""

    name = "one column alone"
    about = (
        "the share of churn among customers with like values of the one column that tells most, found among those learned from"
    )
    rank = 1
    tasks = ("churn",)

    def fit(self, rows: Rows, task: Task, options: Options, seed: int) -> Fitted:
        """Return the column whose parts explain churn best, with what they say."""
        x, y = rows.matrix("raw"), rows.y
        mean = float(y.mean())
        best: tuple[float, Fitted] = (np.inf, Constant(float(log_odds(np.array([mean]))[0])))
        for place, part in enumerate(rows.encoder.parts):
            cuts = cuts_of(x[:, place], part.kind == "category", len(part.levels))
            inside = parts_of(x[:, place], cuts)
            n, n_yes = np.bincount(inside, minlength=len(cuts) + 2), np.bincount(inside, weights=y, minlength=len(cuts) + 2)
            scores = log_odds((n_yes + _SHRINK * mean) / (n + _SHRINK))
            loss = float(np.sum(np.logaddexp(0, scores[inside]) - y * scores[inside])) + 0.5 * np.log(len(y)) * int((n > 0).sum())
            if loss < best[0]:
                best = (loss, ByColumn(place, cuts, scores, float(scores[inside].mean())))
        return best[1]


def cuts_of(values: Array, is_category: bool, n_levels: int) -> Array:
    """Return where values of a column are parted: between categories, at the tenths of numbers."""
    if is_category:
        return np.arange(n_levels, dtype=np.float64) + 0.5
    known = values[np.isfinite(values)]
    distinct = np.unique(known)
    if len(distinct) <= len(_PARTS) + 1:
        return np.asarray((distinct[1:] + distinct[:-1]) / 2, dtype=np.float64)
    return np.unique(np.quantile(known, _PARTS))


def parts_of(values: Array, cuts: Array) -> npt.NDArray[np.int64]:
    """Return the part of each value; the last for empty cells."""
    return np.where(np.isnan(values), len(cuts) + 1, np.searchsorted(cuts, values, side="left")).astype(np.int64)
