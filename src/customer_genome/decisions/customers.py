"""Customers as decisions look at them: the columns of an Arrow table as numbers or text, and their value cut points.

Comes in: an Arrow table with one row per customer. Goes out: NumPy and Arrow arrays in the table's row order. A column
is turned once, when first asked for. This module must not read files or settings.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Kind = Literal["number", "text", "flag", "date"]


class Customers:
    """An Arrow table of customers; NaN counts as unknown, as null does.

    Parameters
    ----------
    table : all customers, or a batch of them
    known : frozenset of str, optional
        The columns that say something about at least one customer of the run. A batch cannot tell; without it the table
        counts as all customers.
    """

    def __init__(self, table: pa.Table, known: frozenset[str] | None = None) -> None:
        self.table = table
        self.known = known
        self._numbers: dict[str, FloatArray] = {}
        self._texts: dict[str, pa.Array] = {}

    def __len__(self) -> int:
        """Return the number of customers."""
        return int(self.table.num_rows)

    def has(self, column: str) -> bool:
        """Return whether the column exists and says something about at least one customer."""
        if column not in self.table.column_names:
            return False
        if self.known is not None:
            return column in self.known
        if self.kind(column) == "text":
            return bool(self.table[column].null_count < len(self))
        return not bool(np.isnan(self.numbers(column)).all())

    def kind(self, column: str) -> Kind:
        """Return what the column holds."""
        type_ = self.table.schema.field(column).type
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        if pa.types.is_boolean(type_):
            return "flag"
        if pa.types.is_temporal(type_):
            return "date"
        if pa.types.is_string(type_) or pa.types.is_large_string(type_):
            return "text"
        return "number"

    def numbers(self, column: str) -> FloatArray:
        """Return a numeric, truth or date column (days since 1970) as floats of shape (n_customers,); NaN = unknown."""
        if column not in self._numbers:
            values = self.table[column].combine_chunks()
            if self.kind(column) == "date":
                values = values.cast(pa.date32(), safe=False).cast(pa.int32())
            self._numbers[column] = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        return self._numbers[column]

    def texts(self, column: str) -> pa.Array:
        """Return a text column as one Arrow string array."""
        if column not in self._texts:
            self._texts[column] = self.table[column].cast(pa.string()).combine_chunks()
        return self._texts[column]


def value_at(values: FloatArray, percent: float) -> float:
    """Return the smallest known value that at least `percent` % of the known values do not exceed; NaN if none is known.

    It is a value that occurs, so equal customers fall on the same side, and unit and row order change nothing.

    Examples
    --------
    >>> value_at(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 80)
    4.0
    """
    known = np.sort(values[~np.isnan(values)])
    if len(known) == 0:
        return float("nan")
    needed = int(np.ceil(round(len(known) * percent / 100, 9)))
    return float(known[max(needed, 1) - 1])
