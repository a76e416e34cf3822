"""The space in which customers are near or far from each other: logged, centred and scaled features, learned once.

Comes in: NumPy features with one row per customer, in one fixed order of columns. Goes out: a `Transformation` that is stored beside
the segments and puts later customers into the same space. This module must not read tables, files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.segmentation.segments import FloatArray, significant

WIDEST_SPREADS = 4.0


@dataclass(frozen=True)
class Transformation:
    """How raw features become the space in which segments are found.

    A column that is never negative and, by its name, no share or probability is divided by the median of its positive values and logged
    (log1p), so a doubling counts alike for every customer and no unit matters. Then every column is centred on its
    median, divided by its spread (interquartile range / 1.349; the standard deviation where that is 0) and held within
    four spreads, so that a few giants do not become a cluster of their own. Unknown values take the median.
    Columns that are the same for everybody have spread 0 and are left out.
    """

    names: tuple[str, ...]
    is_logged: npt.NDArray[np.bool_]
    unit: FloatArray
    fill: FloatArray
    centre: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, features: FloatArray, names: Sequence[str], weights: FloatArray | None = None) -> Self:
        """Learn the transformation from features of shape (n_customers, n_features), each customer counting `weights` times."""
        width = features.shape[1]
        weights = np.ones(len(features)) if weights is None else weights
        is_logged, unit, fill = np.zeros(width, dtype=np.bool_), np.ones(width), np.zeros(width)
        for j in range(width):
            known, weight = ordered(features[:, j], weights)
            if len(known) == 0:
                continue
            fill[j] = _value_at(known, weight, 1, 2)
            is_logged[j] = known[0] >= 0 and known[-1] > 0 and not _is_share(names[j])
            if is_logged[j]:
                unit[j] = _value_at(known[known > 0], weight[known > 0], 1, 2)
        start = cls(tuple(names), is_logged, unit, fill, np.zeros(width), np.ones(width))
        levelled = [ordered(column, weights) for column in start._levelled(features).T]
        centre = np.array([_value_at(known, weight, 1, 2) for known, weight in levelled])
        spread = np.array([_spread(known, weight) for known, weight in levelled])
        return cls(tuple(names), is_logged, unit, fill, centre, spread)

    def _levelled(self, features: FloatArray) -> FloatArray:
        """Return features filled and logged, not yet scaled."""
        filled = np.where(np.isnan(features), self.fill, features)
        logged = np.log1p(np.maximum(filled, 0.0) / self.unit)
        return significant(np.where(self.is_logged, logged, filled))

    def apply(self, features: FloatArray) -> FloatArray:
        """Return features in units of spread, shape (n_customers, n_features), within -4..4, to 12 significant digits."""
        scale = np.where(self.spread > 0, self.spread, 1.0)
        scaled = np.where(self.spread > 0, (self._levelled(features) - self.centre) / scale, 0.0)
        return significant(np.clip(scaled, -WIDEST_SPREADS, WIDEST_SPREADS))

    def require(self, names: Sequence[str]) -> None:
        """Refuse features that are not those of the fit, in that order.

        Raises
        ------
        ContractError
            Saying which were handed in and which are wanted.
        """
        if tuple(names) != self.names:
            raise ContractError(
                f"clusters: features are {', '.join(names)}. Wanted, in this order: {', '.join(self.names)}. "
                "Hand in the columns the clusters were made from, or fit again."
            )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything `from_arrays` needs as plain arrays."""
        return {
            "names": np.array(self.names, dtype=np.str_),
            "is_logged": self.is_logged,
            "unit": self.unit,
            "fill": self.fill,
            "centre": self.centre,
            "spread": self.spread,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the transformation that `to_arrays` wrote."""
        parts = (arrays[part] for part in ("is_logged", "unit", "fill", "centre", "spread"))
        return cls(tuple(str(name) for name in arrays["names"]), *parts)


def checked_features(features: npt.ArrayLike, names: Sequence[str]) -> FloatArray:
    """Return features as a float table of shape (n_customers, n_features).

    Raises
    ------
    ContractError
        When shape and names do not go together, nobody is in it, or values are infinite.
    """
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(names) or len(names) == 0 or len(set(names)) != len(names):
        raise ContractError(
            f"clusters: features have shape {table.shape} and {len(names)} names. Wanted: one different name per column."
        )
    if len(table) == 0:
        raise ContractError("clusters: no customers. Wanted: at least one row of features.")
    endless = np.isinf(table).any(axis=0)
    if endless.any():
        where = ", ".join(name for name, bad in zip(names, np.atleast_1d(endless), strict=True) if bad)
        raise ContractError(
            f"clusters: infinite values in {where}. Wanted: finite numbers, or NaN for unknown. Correct the features."
        )
    return table


def ordered(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the known values in ascending order, with their weights."""
    known = np.flatnonzero(~np.isnan(values))
    places = known[np.argsort(values[known], kind="stable")]
    return values[places], weights[places]


def _is_share(name: str) -> bool:
    """Return whether a column's name says that it lies between 0 and 1."""
    return name.startswith("p_") or "share" in name or "probability" in name


def _value_at(known: FloatArray, weights: FloatArray, part: int, parts: int) -> float:
    """Return the smallest of sorted values that at least `part` in `parts` of the weight does not exceed; 1 in 2 is the lower median."""
    reached = np.cumsum(weights)
    place = np.searchsorted(reached * parts, float(reached[-1]) * part * (1 - 1e-12), side="left")
    return float(known[place])


def _spread(known: FloatArray, weights: FloatArray) -> float:
    """Return a robust spread of sorted values; 0 when they are all equal."""
    if known[0] == known[-1]:
        return 0.0
    middle_half = (_value_at(known, weights, 3, 4) - _value_at(known, weights, 1, 4)) / 1.349
    if middle_half > 0:
        return middle_half
    mean = np.average(known, weights=weights)
    return float(np.sqrt(np.average(np.square(known - mean), weights=weights)))
