"""Values of customers as rows of numbers that models can read: filled, scaled, one column for each category.

Comes in: values by column, of the customers that are learned from. Goes out: an `Encoder` that has learned medians, means, spreads, knots and
categories from these customers alone and turns any customers into a matrix. It never sees a label, and it is fitted anew in every
training part of a comparison, so nothing of the customers held back is known.

Three matrices: `plain` has every number once, `smooth` has it in pieces as well (how far it lies above each of a few of its own
quantiles), so that a linear model can bend, and `raw` is for formulas: one column for each of the table, numbers as they stand (NaN where empty),
categories as their place among those learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.columns import Column, Values

View = Literal["raw", "plain", "smooth"]
RARE_SHARE, RARE_ROWS = 0.005, 10
"""A category of fewer customers than either counts as rare; all rare and never seen ones share a column."""
_KNOTS = (1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6)
_FEWEST_FOR_KNOTS = 8
OTHER = "another value"


@dataclass(frozen=True)
class Part:
    """What was learned of one column.

    Attributes
    ----------
    low, high : the range seen; what lies beyond counts as its end
    fill : what stands for an empty cell: the median
    has_missing : whether empty cells were seen, so that being empty has a column of its own
    knots : in units of spreads from the mean
    hinges : mean and spread of what lies above each knot
    levels : the categories with a column each
    has_other : whether rare ones share a column
    """

    name: str
    kind: str
    low: float = 0.0
    high: float = 0.0
    fill: float = 0.0
    mean: float = 0.0
    spread: float = 1.0
    has_missing: bool = False
    knots: tuple[float, ...] = ()
    hinges: tuple[tuple[float, float], ...] = ()
    levels: tuple[str, ...] = ()
    has_other: bool = False

    def labels(self, view: View) -> list[str]:
        """Return the names of the matrix columns this column becomes."""
        if view == "raw":
            return [self.name]
        if self.kind == "category":
            named = [f"{self.name} = {level}" for level in self.levels]
            named += [f"{self.name} = {OTHER}"] if self.has_other else []
        else:
            named = [self.name]
            if view == "smooth":
                named += [f"{self.name} above {self.mean + knot * self.spread:.4g}" for knot in self.knots]
        return [*named, f"{self.name} is empty"] if self.has_missing else named

    def columns(self, values: npt.NDArray[Any], view: View) -> list[Array]:
        """Return the matrix columns of the values."""
        if view == "raw":
            return [self._raw(values)]
        if self.kind == "category":
            empty = np.array([value is None for value in values], dtype=bool)
            found = [(values == level).astype(np.float64) for level in self.levels]
            if self.has_other:
                known = np.sum(found, axis=0) if found else np.zeros(len(values))
                found.append(np.asarray(1.0 - known - empty, dtype=np.float64))
        else:
            empty = np.isnan(values)
            scaled = (np.clip(np.where(empty, self.fill, values), self.low, self.high) - self.mean) / self.spread
            found = [scaled]
            if view == "smooth":
                found += [(np.maximum(scaled - k, 0.0) - m) / s for k, (m, s) in zip(self.knots, self.hinges, strict=True)]
        return [*found, empty.astype(np.float64)] if self.has_missing else found

    def _raw(self, values: npt.NDArray[Any]) -> Array:
        """Return numbers as they stand, categories by their place; the place after the last is for all others."""
        if self.kind != "category":
            return np.asarray(values, dtype=np.float64)
        places = {level: float(place) for place, level in enumerate(self.levels)}
        other = float(len(self.levels))
        return np.array([np.nan if value is None else places.get(value, other) for value in values], dtype=np.float64)


@dataclass(frozen=True)
class Encoder:
    """What was learned of all columns, in their order."""

    parts: tuple[Part, ...]

    @classmethod
    def fit(cls, values: Values, columns: Sequence[Column]) -> Encoder:
        """Learn medians, ranges, knots and categories from the customers given."""
        return cls(tuple(_part(column, values[column.name]) for column in columns))

    def matrix(self, values: Values, view: View) -> Array:
        """Return the customers as rows of numbers, shape (n_customers, n_columns of the view)."""
        found = [one for part in self.parts for one in part.columns(values[part.name], view)]
        n_rows = len(next(iter(values.values()), ()))
        return np.ascontiguousarray(np.column_stack(found), dtype=np.float64) if found else np.zeros((n_rows, 0))

    def labels(self, view: View) -> list[str]:
        """Return the names of the matrix columns."""
        return [label for part in self.parts for label in part.labels(view)]

    def sources(self, view: View) -> npt.NDArray[np.int64]:
        """Return for each matrix column the place of the column it was made from."""
        return np.repeat(np.arange(len(self.parts)), [len(part.labels(view)) for part in self.parts])

    def as_json(self) -> list[dict[str, Any]]:
        """Return plain values."""
        return [asdict(part) for part in self.parts]

    @classmethod
    def from_json(cls, stored: Sequence[Mapping[str, Any]]) -> Encoder:
        """Return what `as_json` stored."""
        return cls(
            tuple(
                Part(
                    **{
                        **one,
                        "knots": tuple(one["knots"]),
                        "hinges": tuple((mean, spread) for mean, spread in one["hinges"]),
                        "levels": tuple(one["levels"]),
                    }
                )
                for one in stored
            )
        )


def _part(column: Column, values: npt.NDArray[Any]) -> Part:
    """Learn one column."""
    if column.kind == "category":
        return _categories(column, values)
    known = values[np.isfinite(values)]
    has_missing = bool(len(known) < len(values))
    if len(known) == 0:
        return Part(column.name, column.kind, has_missing=has_missing)
    low, high, fill = float(known.min()), float(known.max()), float(np.median(known))
    filled = np.where(np.isfinite(values), values, fill)
    mean, spread = float(filled.mean()), float(filled.std()) or 1.0
    scaled = (filled - mean) / spread
    knots: tuple[float, ...] = ()
    if column.kind != "yes_no" and len(np.unique(known)) >= _FEWEST_FOR_KNOTS:
        inside = np.unique(np.quantile(scaled, _KNOTS))
        knots = tuple(float(knot) for knot in inside if scaled.min() < knot < scaled.max())
    above = [np.maximum(scaled - knot, 0.0) for knot in knots]
    hinges = tuple((float(one.mean()), float(one.std()) or 1.0) for one in above)
    return Part(column.name, column.kind, low, high, fill, mean, spread, has_missing, knots, hinges)


def _categories(column: Column, values: npt.NDArray[Any]) -> Part:
    """Learn which categories are frequent enough for a column of their own."""
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    n_known = sum(counts.values())
    fewest = max(min(RARE_ROWS, n_known / 10), RARE_SHARE * n_known)
    frequent = sorted((level for level, n in counts.items() if n >= fewest), key=lambda level: (-counts[level], level))
    has_other = n_known > sum(counts[level] for level in frequent)
    has_missing = n_known < len(values)
    if len(frequent) == 2 and not has_other and not has_missing:
        frequent = sorted(frequent)[1:]  # two values: one column says it all
    return Part(column.name, "category", has_missing=has_missing, levels=tuple(frequent), has_other=has_other)
