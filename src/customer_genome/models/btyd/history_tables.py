"""Smooth functions of a purchase history, computed at a few points and read for any number of customers.

Comes in: a function of (x, T) that is costly and smooth. Goes out: its values for any customers, as Chebyshev sums over cells: one cell per
count below 16 and per doubling of x above, times one per doubling of T + scale. Within a cell what purchase models compute is
smooth in log x and log(T + scale), so a dozen points per axis give about nine digits. Cells are fixed by the scale and never by the
customers who happen to be asked for, so a customer's value does not depend on the others. Nothing here knows what is computed.

Source
------
Trefethen (2013), Approximation Theory and Approximation Practice, chapters 2-8 (Chebyshev interpolation of analytic functions).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array

Compute = Callable[[Array, Array], Array]

EXACT_BELOW = 16
"""Counts below this have cells of their own."""
_ROWS_AT_ONCE = 64
"""Rows are multiplied in multiples of this, so that the rounding of a row does not depend on how many rows there are."""


class HistoryTable:
    """A smooth function of (x, age) with several values, known by a few points in every cell that was asked for.

    Parameters
    ----------
    compute : (x, age) -> array, shape (n, width)
        Takes columns of equal length; x need not be whole from `EXACT_BELOW` on.
    scale : float, > 0, in the unit of age
        Where the function starts to change with age: the smallest time scale of the model.
    points : int
        Chebyshev points per axis of a cell.
    """

    def __init__(self, compute: Compute, scale: float, points: int = 12) -> None:
        self._compute, self._scale, self._points = compute, scale, points
        self._cells: dict[tuple[int, int], Array] = {}

    def rows(self, frequency: Array, age: Array) -> Array:
        """Return the values of each customer, shape (n, width); give distinct rows, the work grows with their number."""
        cell_x, cell_age = _x_cell(frequency), np.floor(np.log2(1.0 + age / self._scale)).astype(np.int64)
        key = (cell_x << 12) + cell_age
        order = np.argsort(key, kind="stable")
        found, starts = np.unique(key[order], return_index=True)
        out: Array | None = None
        for one, members in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
            cell = (one >> 12, one & 0xFFF)
            basis = self._basis(cell, frequency[members], age[members])
            values = _multiply(basis, self._coefficients(cell))
            if out is None:
                out = np.empty((len(frequency), values.shape[1]))
            out[members] = values
        return np.empty((0, 0)) if out is None else out

    def _coefficients(self, cell: tuple[int, int]) -> Array:
        """Return the Chebyshev coefficients of a cell, shape (points in x * points in age, width)."""
        if cell not in self._cells:
            low_x, high_x = _x_range(cell[0])
            low_age, high_age = self._age_range(cell[1])
            n_x = 1 if low_x == high_x else self._points
            x = np.exp(_points_between(np.log(low_x), np.log(high_x), n_x)) if n_x > 1 else np.array([low_x])
            age = np.exp(_points_between(np.log(low_age), np.log(high_age), self._points)) - self._scale
            grid_x, grid_age = np.repeat(x, self._points), np.tile(np.maximum(age, 0.0), n_x)
            values = self._compute(grid_x, grid_age)
            transform = np.kron(_to_coefficients(n_x), _to_coefficients(self._points))
            self._cells[cell] = transform @ values
        return self._cells[cell]

    def _basis(self, cell: tuple[int, int], x: Array, age: Array) -> Array:
        """Return the Chebyshev polynomials at each customer's place in the cell, shape (n, points in x * points in age)."""
        low, high = np.log(self._age_range(cell[1]))
        along_age = _polynomials((np.log(age + self._scale) - low) / (high - low), self._points)
        low_x, high_x = _x_range(cell[0])
        if low_x == high_x:
            return along_age
        along_x = _polynomials(np.log(x / low_x) / np.log(high_x / low_x), self._points)
        return (along_x[:, :, None] * along_age[:, None, :]).reshape(len(x), -1)

    def _age_range(self, cell: int) -> tuple[float, float]:
        return self._scale * 2.0**cell, self._scale * 2.0 ** (cell + 1)


def _x_cell(x: Array) -> npt.NDArray[np.int64]:
    """Return the cell of each count: itself below `EXACT_BELOW`, then one more with every doubling."""
    doublings = np.floor(np.log2(np.maximum(x, EXACT_BELOW) / EXACT_BELOW))
    return np.where(x < EXACT_BELOW, x, EXACT_BELOW + doublings).astype(np.int64)


def _x_range(cell: int) -> tuple[float, float]:
    if cell < EXACT_BELOW:
        return float(cell), float(cell)
    low = float(EXACT_BELOW * 2 ** (cell - EXACT_BELOW))
    return low, 2 * low


def _points_between(low: float, high: float, n: int) -> Array:
    """Return the n Chebyshev points of an interval."""
    points: Array = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return points


def _to_coefficients(n: int) -> Array:
    """Return the matrix that turns values at the n Chebyshev points into coefficients."""
    angles = np.outer(np.arange(n), np.pi * (np.arange(n) + 0.5) / n)
    matrix: Array = np.cos(angles) * 2.0 / n
    matrix[0] /= 2.0
    return matrix


def _polynomials(place: Array, n: int) -> Array:
    """Return the first n Chebyshev polynomials at places between 0 and 1 of an interval, shape (len(place), n)."""
    at = 2.0 * place - 1.0
    found = np.ones((len(at), n))
    if n > 1:
        found[:, 1] = at
    for degree in range(2, n):
        found[:, degree] = 2.0 * at * found[:, degree - 1] - found[:, degree - 2]
    return found


def _multiply(basis: Array, coefficients: Array) -> Array:
    """Return the product; each row rounds the same however many rows there are."""
    n = len(basis)
    missing = -n % _ROWS_AT_ONCE
    padded = np.concatenate([basis, np.zeros((missing, basis.shape[1]))]) if missing else basis
    product: Array = padded @ coefficients
    return product[:n]
