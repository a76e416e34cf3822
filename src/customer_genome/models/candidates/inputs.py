"""What learned candidates look at: every fact on a logarithmic scale, a few ratios of rhythm, and the own forecast.

Comes in: facts of customers as of a cutoff. Goes out: a matrix with one row per customer, NaN where a fact is empty, and for every
column the fact it stands for. Row by row: no column knows another customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.candidates.contract import Known, Past
from customer_genome.models.estimator import Array, Arrays
from customer_genome.models.segmentation.segments import significant

SURE = 1e-4
"""A chance is held this far from 0 and 1 before its logarithm is taken."""
OWN_ODDS, OWN_SPEND = "own_chance", "own_spend"


@dataclass(frozen=True)
class Inputs:
    """The columns of a matrix.

    Attributes
    ----------
    facts : names of the facts, in order
    has_own : whether the own forecast is among the columns
    """

    facts: tuple[str, ...]
    has_own: bool

    @classmethod
    def of(cls, now: Known, past: Sequence[Past]) -> Self:
        """Return the columns that are known now and differ among the customers to learn from."""
        shared = [name for name in now.facts if all(name in one.known.facts for one in past)]
        kept = tuple(name for name in shared if any(_differs(one.known.facts[name]) for one in past))
        has_own = now.own is not None and all(one.known.own is not None for one in past)
        return cls(kept, has_own)

    @property
    def names(self) -> tuple[str, ...]:
        """Return for every column the fact it stands for."""
        own = (OWN_ODDS, OWN_SPEND) if self.has_own else ()
        return (*self.facts, "recency_days", "recency_days", "n_purchase_days", "total_spend", *own)

    def matrix(self, known: Known) -> Array:
        """Return the columns of these customers, shape (n_customers, n_columns).

        Raises
        ------
        RegistryError
            Where a fact is missing that was learned from.
        """
        key = f"inputs {self.facts} {self.has_own}"
        if key not in known.worked_out:
            known.worked_out[key] = self._columns(known)
        found: Array = known.worked_out[key]
        return found

    def _columns(self, known: Known) -> Array:
        missing = [name for name in self.facts if name not in known.facts]
        if missing:
            raise RegistryError(
                f"Forecaster: facts {', '.join(missing)} are missing. Got: {', '.join(known.facts)}. "
                "Wanted: the facts it was fitted on. Fit it again with `genome run`."
            )
        facts = known.facts
        tenure, recency = np.maximum(facts["tenure_days"], 1.0), facts["recency_days"]
        per_day = facts["n_purchase_days"] / tenure
        columns = [signed_log(facts[name]) for name in self.facts]
        columns += [recency / tenure, signed_log(recency * per_day), signed_log(per_day * known.horizon_days)]
        columns.append(signed_log(facts["total_spend"] / tenure * known.horizon_days))
        if self.has_own:
            own = known.own
            if own is None or own.chance is None or own.spend is None:
                raise RegistryError("Forecaster: the own forecast is missing that it was fitted on. Wanted: Known(own=...).")
            columns += [log_odds(own.chance), signed_log(own.spend)]
        stacked = np.column_stack(columns)
        return np.where(np.isfinite(stacked), significant(stacked), np.nan)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the names of the facts."""
        return {"facts": np.array(self.facts, dtype=np.str_), "has_own": np.array(self.has_own)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the columns that were stored."""
        return cls(tuple(str(name) for name in arrays["facts"]), bool(arrays["has_own"]))


def signed_log(values: Array) -> Array:
    """Return sign(x) * log(1 + |x|)."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)


def log_odds(chance: Array) -> Array:
    """Return the log-odds of chances, those near 0 and 1 held back.

    Examples
    --------
    >>> float(log_odds(np.array([0.5]))[0])
    0.0
    """
    safe = np.clip(chance, SURE, 1 - SURE)
    return np.asarray(np.log(safe) - np.log1p(-safe), dtype=np.float64)


def chance_of(odds: Array) -> Array:
    """Return the chances of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -35, 35))), dtype=np.float64)


def _differs(values: Array) -> bool:
    """Return whether a fact holds at least two values: a constant or empty one teaches nothing."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool(known.min() < known.max())
