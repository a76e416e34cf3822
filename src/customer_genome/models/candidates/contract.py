"""What a candidate is: something that learns as of a cutoff, and then forecasts customers one by one.

Comes in: facts of customers as of a cutoff, and pairs of (facts, outcome) of earlier cutoffs whose whole horizon ended by then.
Goes out: expected spend, the chance to order, ranges, and what each fact contributed, as far as the candidate says something
about them. A candidate never sees the outcome of the cutoff it forecasts: it is not among the arguments. What it needs of the
population it learns in `fit`; `Fitted.forecast` is row by row, so any part of the customers gives the same rows, and a
fitted candidate is stored as plain arrays, never as objects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.estimator import Array, Arrays

Kind = Literal["naive", "model"]
_FULL = "own forecast with its range"


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
class Contributions:
    """What each fact adds to the log-odds of an order: base + the sum over facts is the log-odds of the customer.

    Attributes
    ----------
    names : facts, in the order of the columns of `values`
    values : array, shape (n_customers, n_names), log-odds
    base : log-odds of the average customer
    """

    names: tuple[str, ...]
    values: Array
    base: float

    def log_odds(self) -> Array:
        """Return the log-odds of each customer, shape (n_customers,)."""
        return np.asarray(self.base + self.values.sum(axis=1), dtype=np.float64)


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
        What the product's purchase and spend models forecast at this cutoff, fitted as of it.
    worked_out : name -> array
        What candidates have computed from these facts already, so that the next one need not.
    in_full : callable, optional
        Gives `own` with its range for facts of this cutoff, row by row, where the range was left out: it costs most of an own forecast,
        and few cutoffs are asked for it.
    """

    as_of: int
    horizon_days: int
    facts: Mapping[str, Array]
    own: Expected | None = None
    worked_out: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    in_full: Callable[[Mapping[str, Array]], Expected] | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(next(iter(self.facts.values()), np.empty(0)))

    def take(self, rows: npt.NDArray[Any]) -> Known:
        """Return some of the customers."""
        facts = {name: values[rows] for name, values in self.facts.items()}
        own = None if self.own is None else taken(self.own, rows)
        return Known(self.as_of, self.horizon_days, facts, own, in_full=self.in_full)

    def ranged(self) -> Known:
        """Return the customers with the range of the own forecast, worked out now where it was left out."""
        own = self.own
        if own is None or self.in_full is None or (own.lower is not None and own.upper is not None):
            return self
        if _FULL not in self.worked_out:
            full = self.in_full(self.facts)
            self.worked_out[_FULL] = replace(own, lower=full.lower, upper=full.upper)
        return replace(self, own=self.worked_out[_FULL])


@dataclass(frozen=True)
class Past:
    """An earlier cutoff with what came: `spend` in money and `ordered` 0 or 1, each of shape (n_customers,)."""

    known: Known
    spend: Array
    ordered: Array


class Fitted(ABC):
    """A candidate that has learned."""

    @abstractmethod
    def forecast(self, known: Known) -> Expected:
        """Return the forecast of these customers, row by row."""

    def contributions(self, known: Known) -> Contributions | None:
        """Return what each fact adds to the log-odds to order (exact Shapley values), None where that is not told."""
        return None

    @abstractmethod
    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything that was learned as plain arrays."""

    @classmethod
    @abstractmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return what `to_arrays` described."""


class Candidate(ABC):
    """A way to forecast. A new one is a file with a class, and a line in `listed.MEMBERS`.

    Attributes
    ----------
    form : the class of what `fit` returns, so that it can be read back
    ships : whether it may become part of the champion of a run
    explains : whether it tells what each fact contributes to the chance; only such ones have a say in the champion's chance
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    about: ClassVar[str]
    form: ClassVar[type[Fitted]]
    ships: ClassVar[bool] = False
    explains: ClassVar[bool] = True

    @abstractmethod
    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return what was learned, or None where too little is known.

        Parameters
        ----------
        now : the customers to be forecast, as known at their cutoff; what came is not among it
        past : earlier cutoffs, oldest first, whose whole horizon ended at or before `now.as_of`; may be empty
        """

    def unavailable(self) -> str | None:
        """Return in a sentence why this machine cannot fit it, None where it can."""
        return None

    def forecast(self, now: Known, past: Sequence[Past]) -> Expected | None:
        """Learn, and forecast the customers of `now`; None where too little is known."""
        fitted = self.fit(now, past)
        return None if fitted is None else fitted.forecast(now)


def taken(expected: Expected, rows: npt.NDArray[Any]) -> Expected:
    """Return a forecast of some of its customers."""
    columns = (expected.spend, expected.chance, expected.lower, expected.upper)
    return Expected(*(None if column is None else column[rows] for column in columns))


def packed(parts: Mapping[str, Arrays]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of several parts in one mapping, named part/array.

    Examples
    --------
    >>> packed({"a": {"x": np.array(1)}})
    {'a/x': array(1)}
    """
    return {f"{part}/{name}": values for part, arrays in parts.items() for name, values in arrays.items()}


def unpacked(arrays: Arrays, part: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of one part of what `packed` made.

    Raises
    ------
    RegistryError
        Where nothing of that part is stored.
    """
    prefix = part + "/"
    found = {name[len(prefix) :]: np.asarray(values) for name, values in arrays.items() if name.startswith(prefix)}
    if not found:
        raise RegistryError(
            f"Stored forecaster: arrays of {part} are missing. Got: {', '.join(sorted(arrays)[:8]) or 'none'}. "
            "Wanted: what to_arrays() wrote. Fit it again with `genome run`."
        )
    return found
