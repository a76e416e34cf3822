"""What a backtest asks of a candidate: a forecast from what was known at a cutoff, and from earlier cutoffs that have ended.

Comes in: facts of customers as of a cutoff, and pairs of (facts, outcome) of earlier cutoffs whose whole horizon ended by then.
Goes out: expected spend, the chance to order, and intervals, as far as the candidate says something about them. A candidate
never sees the outcome of the cutoff it forecasts: it is not among the arguments.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from customer_genome.models.estimator import Array

Kind = Literal["naive", "model"]


@dataclass(frozen=True)
class Expected:
    """What a candidate expects of each customer; None where it says nothing.

    Attributes
    ----------
    spend : array, shape (n_customers,), money over the horizon, >= 0
    chance : array, shape (n_customers,), 0..1
        Of at least one order in the horizon.
    lower, upper : arrays, shape (n_customers,), money
        An 80 % range of spend.
    """

    spend: Array | None = None
    chance: Array | None = None
    lower: Array | None = None
    upper: Array | None = None


@dataclass(frozen=True)
class Known:
    """Customers as known before a cutoff.

    Attributes
    ----------
    as_of : int
        The exclusive cutoff, days since 1970-01-01.
    horizon_days : int, days
    facts : name -> float array, shape (n_customers,)
        NaN where a fact is empty.
    own : Expected, optional
        What the product itself forecasts at this cutoff.
    worked_out : name -> array
        What candidates have computed from these facts already, so that the next one need not.
    """

    as_of: int
    horizon_days: int
    facts: Mapping[str, Array]
    own: Expected | None = None
    worked_out: dict[str, Array] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(next(iter(self.facts.values()), np.empty(0)))


@dataclass(frozen=True)
class Past:
    """An earlier cutoff with what came: `spend` in money and `ordered` 0 or 1, each of shape (n_customers,)."""

    known: Known
    spend: Array
    ordered: Array


class Candidate(ABC):
    """A way to forecast. A new one is a class and a line in `listed.CANDIDATES`."""

    name: ClassVar[str]
    kind: ClassVar[Kind]
    about: ClassVar[str]

    @abstractmethod
    def forecast(self, known: Known, past: Sequence[Past]) -> Expected | None:
        """Return the forecast, or None where too little is known for one.

        Parameters
        ----------
        past : earlier cutoffs, oldest first, whose whole horizon ended at or before `known.as_of`; may be empty
        """
