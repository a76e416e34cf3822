"""A model of one label, ready for any customers: one ordered list of columns, the encoder, the chosen model, calibration and ranges.

Comes in: values of customers by column. Goes out: chances or money, what each column adds, and plain arrays to store. What it was fitted to cannot be
changed by the customers it is asked about, and each customer's answer depends on that customer alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.calibration import Calibration
from customer_genome.models.profiles.columns import Column, Values
from customer_genome.models.profiles.encoding import Encoder
from customer_genome.models.profiles.explaining import contributions, is_exact, pack, part_of, scores, typical_rows, unpack
from customer_genome.models.profiles.learners import Contributions, Fitted, Rows, Stored, Task
from customer_genome.models.profiles.ranges import Ranges

MOST_REASONS = 3
_LEAST_POINTS = 0.005


@dataclass(frozen=True)
class LabelModel:
    """The model of one label.

    Attributes
    ----------
    name : what was chosen, such as "LightGBM"
    label : the column it predicts
    columns : what it reads, in order
    typical : a few customers to compare with, where reasons have no exact way
    """

    task: Task
    label: str
    name: str
    columns: tuple[Column, ...]
    encoder: Encoder
    fitted: Fitted
    calibration: Calibration
    ranges: Ranges | None = None
    typical: Array | None = None

    def _rows(self, values: Values) -> Rows:
        n = len(next(iter(values.values()), ()))
        return Rows({column.name: values[column.name] for column in self.columns}, self.encoder, np.zeros(n))

    def predict(self, values: Values) -> Array:
        """Return the chance of churn, or money, of each customer."""
        found = scores(self.fitted, self._rows(values))
        if self.task == "churn":
            return self.calibration.chance(found)
        return np.maximum(found, self.ranges.floor) if self.ranges and self.ranges.floor is not None else found

    @property
    def is_exact(self) -> bool:
        """Whether reasons are exact Shapley values."""
        return is_exact(self.fitted)

    def explain(self, values: Values) -> Contributions:
        """Return what each column adds: to the chance of churn as a share (0.18 is 18 points), or to money.

        The distance from the average customer is shared out in proportion to what each column adds to the score, so that base + the sum
        over columns is the prediction.
        """
        rows = self._rows(values)
        found = contributions(self.fitted, rows, self.typical)
        if self.task == "spend":
            return found
        base = float(self.calibration.chance(np.array([found.base]))[0])
        total = found.values.sum(axis=1)
        near = np.abs(total) < 1e-9
        ahead = self.calibration.chance(found.base + np.where(near, 1e-4, total)) - base
        return Contributions(found.values * (ahead / np.where(near, 1e-4, total))[:, None], base, found.is_exact)

    def reasons(self, values: Values) -> list[tuple[str, ...]]:
        """Return for each customer up to three reasons in words, the largest first."""
        found = self.explain(values)
        order = np.argsort(-np.abs(found.values), axis=1, kind="stable")[:, :MOST_REASONS]
        said = []
        for row, places in enumerate(order):
            sizes = [(place, float(found.values[row, place])) for place in places]
            said.append(tuple(self._words(int(place), values, row, size) for place, size in sizes if abs(size) >= self._least()))
        return said

    def _least(self) -> float:
        """Return the size below which a reason is not worth words."""
        return _LEAST_POINTS if self.task == "churn" else 1e-9

    def _words(self, place: int, values: Values, row: int, size: float) -> str:
        """Return one reason: the column, its value, and what it adds."""
        column = self.columns[place]
        added = f"{100 * size:+.0f} points" if self.task == "churn" else f"{size:+,.{0 if abs(size) >= 100 else 2}f}"
        value = values[column.name][row]
        usual = f" (typical {spoken(column, column.typical)})" if column.kind == "number" and value == value else ""
        return f"{column.name} {spoken(column, value)}{usual}: {added}"

    def to_arrays(self) -> Stored:
        """Return everything as plain arrays; texts and numbers of the schema as JSON bytes."""
        about = {
            "task": self.task,
            "label": self.label,
            "name": self.name,
            "columns": [column.as_json() for column in self.columns],
            "encoder": self.encoder.as_json(),
            "calibration": self.calibration.as_json(),
            "ranges": self.ranges.as_json() if self.ranges else None,
        }
        stored: Stored = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
        if self.typical is not None:
            stored["typical"] = self.typical
        return stored | {f"fitted.{name}": values for name, values in pack(self.fitted).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> LabelModel:
        """Return what `to_arrays` stored."""
        about = json.loads(arrays["about"].tobytes())
        return cls(
            about["task"],
            about["label"],
            about["name"],
            tuple(Column.from_json(one) for one in about["columns"]),
            Encoder.from_json(about["encoder"]),
            unpack(part_of(arrays, "fitted.")),
            Calibration.from_json(about["calibration"]),
            Ranges.from_json(about["ranges"]) if about["ranges"] else None,
            np.asarray(arrays["typical"]) if "typical" in arrays else None,
        )


def typical_of(fitted: Fitted, encoder: Encoder, values: Values, seed: int) -> Array | None:
    """Return customers to compare with where reasons need them."""
    return None if is_exact(fitted) else typical_rows(encoder.matrix(values, "plain"), seed)


def spoken(column: Column, value: Any) -> str:
    """Return a value as people write it.

    Examples
    --------
    >>> (
    ...     spoken(Column("Partner", "yes_no", ("No", "Yes")), 1.0),
    ...     spoken(Column("Age", "number"), 41.0),
    ...     spoken(Column("Plan", "category"), None),
    ... )
    ('Yes', '41', 'empty')
    """
    if value is None or value != value:
        return "empty"
    if column.kind == "category":
        return str(value)
    if column.kind == "yes_no":
        return column.levels[int(value)] if len(column.levels) == 2 else ("Yes" if value else "No")
    if column.kind == "date":
        return str(np.datetime64("1970-01-01") + int(value))
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}" if abs(number) < 100 else f"{number:,.1f}"


def named(columns: Sequence[Column]) -> list[str]:
    """Return the names of columns, in order."""
    return [column.name for column in columns]
