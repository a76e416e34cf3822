"""Candidates that learn from earlier cutoffs what follows from facts: a chance to order times money given an order.

Comes in: facts as of a cutoff, and facts with outcomes of earlier cutoffs that have ended. Goes out: a hurdle of two learners that
were taught by those cutoffs alone. A learner is any pair of classes below with `teach` and `predict`; this file knows only how
lessons are put together and how a hurdle is stored.

Source
------
Cragg (1971), Econometrica 39, for the hurdle.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.contract import (
    Candidate,
    Contributions,
    Expected,
    Fitted,
    Known,
    Past,
    packed,
    unpacked,
)
from customer_genome.models.candidates.inputs import Inputs, chance_of
from customer_genome.models.estimator import Array, Arrays

FEWEST_BUYERS = 20
"""Fewer buyers, or others, among all earlier cutoffs teach nothing."""
SEED = 7


class Learner(ABC):
    """A fitted function of the columns of a matrix."""

    @abstractmethod
    def predict(self, columns: Array) -> Array:
        """Return one number a row: log-odds, or money."""

    def shares(self, columns: Array) -> tuple[Array, float] | None:
        """Return what each column adds (n_rows, n_columns) and the base, None where this learner cannot tell."""
        return None

    @abstractmethod
    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was learned."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return what was stored."""


@dataclass(frozen=True)
class Lesson:
    """Customers of all earlier cutoffs together, with what came; `cutoff` is the place of each customer's cutoff."""

    columns: Array
    spend: Array
    ordered: Array
    cutoff: npt.NDArray[np.int64]

    @classmethod
    def of(cls, inputs: Inputs, past: Sequence[Past]) -> Self:
        """Return the lesson of earlier cutoffs, oldest first."""
        return cls(
            np.vstack([inputs.matrix(one.known) for one in past]),
            np.concatenate([one.spend for one in past]),
            np.concatenate([one.ordered for one in past]),
            np.repeat(np.arange(len(past)), [len(one.ordered) for one in past]),
        )

    def means(self, values: Array) -> Array:
        """Return for every customer the mean of values over the customers of the same cutoff."""
        n = np.maximum(np.bincount(self.cutoff), 1)
        return np.asarray((np.bincount(self.cutoff, weights=values) / n)[self.cutoff], dtype=np.float64)

    @property
    def pays(self) -> npt.NDArray[np.bool_]:
        """Return who ordered and brought money."""
        return (self.ordered > 0) & (self.spend > 0)


def teaches(past: Sequence[Past]) -> bool:
    """Return whether earlier cutoffs hold enough buyers and enough others."""
    buyers = sum(float(((one.ordered > 0) & (one.spend > 0)).sum()) for one in past)
    others = sum(float(len(one.ordered) - one.ordered.sum()) for one in past)
    return min(buyers, others) >= FEWEST_BUYERS


@dataclass(frozen=True)
class HurdleForm(Fitted):
    """Chance times money given an order; `money` gives the mean money of buyers, or of everybody where it says so itself."""

    inputs: Inputs
    chance: Learner
    money: Learner
    learner: ClassVar[type[Learner]]
    money_learner: ClassVar[type[Learner]]
    is_direct: ClassVar[bool] = False

    def forecast(self, known: Known) -> Expected:
        """Return chance and expected money."""
        columns = self.inputs.matrix(known)
        chance, money = chance_of(self.chance.predict(columns)), np.maximum(self.money.predict(columns), 0.0)
        return Expected(money if self.is_direct else chance * money, chance)

    def contributions(self, known: Known) -> Contributions | None:
        """Return what each fact adds to the log-odds to order."""
        found = self.chance.shares(self.inputs.matrix(known))
        return None if found is None else by_fact(self.inputs.names, *found)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return columns and both learners."""
        return packed({"inputs": self.inputs.to_arrays(), "chance": self.chance.to_arrays(), "money": self.money.to_arrays()})

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the hurdle that was stored."""
        return cls(
            Inputs.from_arrays(unpacked(arrays, "inputs")),
            cls.learner.from_arrays(unpacked(arrays, "chance")),
            cls.money_learner.from_arrays(unpacked(arrays, "money")),
        )


class LearnedHurdle(Candidate):
    """A hurdle whose halves are taught by all earlier cutoffs together."""

    kind = "model"
    form: ClassVar[type[HurdleForm]]

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return the hurdle, None where earlier cutoffs have too few buyers or too few others."""
        from threadpoolctl import threadpool_limits

        if not teaches(past):
            return None
        inputs = Inputs.of(now, past)
        lesson = Lesson.of(inputs, past)
        with threadpool_limits(1):  # small tables: threads that wait for one another cost more than they bring
            return self.form(inputs, self.teach_chance(lesson), self.teach_money(lesson))

    @abstractmethod
    def teach_chance(self, lesson: Lesson) -> Learner:
        """Return a learner of the log-odds to order."""

    @abstractmethod
    def teach_money(self, lesson: Lesson) -> Learner:
        """Return a learner of money given an order."""


def by_fact(names: Sequence[str], values: Array, base: float) -> Contributions:
    """Return contributions with the columns of one fact added up, facts in the order of their first column."""
    order: Mapping[str, int] = {name: place for place, name in enumerate(dict.fromkeys(names))}
    summed = np.zeros((len(values), len(order)))
    for column, name in enumerate(names):
        summed[:, order[name]] += values[:, column]
    return Contributions(tuple(order), summed, base)
