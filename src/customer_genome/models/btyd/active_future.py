"""What an active customer will do up to several horizons: purchase days, each discounted from its own day, the chance of any.

Comes in: a fitted purchase model, horizons, a discount. Goes out: three numbers per horizon for any (x, T), read from tables. The work
follows the distinct (x, T); a customer's P(active) is multiplied in by the caller. Nothing here knows money.

With E(s) the expected purchase days up to s and R(s) the discount exponent, the discounted count up to h is the integral of exp(-R) dE,
that is exp(-R(h)) E(h) plus the integral of E exp(-R) dR. E is interpolated in log(1 + s / (T + scale)), where it is smooth whatever
the parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.histories import as_column
from customer_genome.models.btyd.history_tables import HistoryTable
from customer_genome.models.btyd.purchase_model import PurchaseModel, check_horizons
from customer_genome.models.estimator import Array

DAYS_PER_YEAR = 365.0
_POINTS = 8
_MOST_POINTS, _VANISHED = 256, 1e-9
_INSIDE_FIRST, _INSIDE_LATER = 32, 6
_TIME_SCALES = ("alpha", "beta")
_OrdersAt = Callable[[Array], Array]


@dataclass(frozen=True)
class Horizons:
    """Horizons in the model's time, and the same in days.

    Attributes
    ----------
    times : array, shape (n_horizons,)
        Not decreasing, in the unit the model was fitted in (and on its clock, where seasons stretch time).
    days : array, shape (n_horizons,), days
        The same on the calendar, for the discount.
    daily_discount : float
        Continuous rate per day.
    """

    times: Array
    days: Array
    daily_discount: float

    @classmethod
    def of(
        cls,
        times: npt.ArrayLike,
        annual_discount: float = 0.10,
        time_unit_days: float = 1.0,
        calendar_days: npt.ArrayLike | None = None,
    ) -> Horizons:
        """Return checked horizons.

        Parameters
        ----------
        times : array, shape (n_horizons,), >= 0, not decreasing
        annual_discount : float, > -1
            0.10 makes money a year from now worth 1 / 1.10.
        time_unit_days : float
            Days per unit of `times`; 7 for weeks.
        calendar_days : array, shape (n_horizons,), optional
            Days on the calendar, where they are not `times` times `time_unit_days`.
        """
        at = check_horizons(times, -1)[0]
        days = at * time_unit_days if calendar_days is None else as_column(calendar_days, "calendar_days")
        if len(at) == 0 or np.any(np.diff(at) < 0) or len(days) != len(at) or np.any(np.diff(days) < 0):
            raise ContractError(
                f"horizons: got {at.tolist()[:5]} on days {days.tolist()[:5]}. Wanted: at least one, none before the one in front of it."
            )
        return cls(at, days, daily_rate(annual_discount))

    def __len__(self) -> int:
        return len(self.times)

    def only(self, places: tuple[int, ...]) -> Horizons:
        """Return some of the horizons."""
        chosen = list(places)
        return Horizons(self.times[chosen], self.days[chosen], self.daily_discount)


class ActiveFuture:
    """Expected purchase days, discounted purchase days and the chance of any, of active customers at every horizon."""

    def __init__(self, purchases: PurchaseModel, horizons: Horizons) -> None:
        self.purchases, self.horizons = purchases, horizons
        self._scale = time_scale(purchases)
        self._table = HistoryTable(self._compute, self._scale, _POINTS)

    def rows(self, frequency: Array, age: Array) -> tuple[Array, Array, Array]:
        """Return orders, discounted orders and P(any order), each of shape (n, n_horizons), of distinct (x, age)."""
        n = len(self.horizons)
        if len(frequency) == 0:
            return np.empty((0, n)), np.empty((0, n)), np.empty((0, n))
        values = self._table.rows(frequency, age)
        orders, discounted, some = values[:, :n], values[:, n : 2 * n], values[:, 2 * n :]
        return np.maximum(orders, 0.0), np.maximum(discounted, 0.0), np.clip(some, 0.0, 1.0)

    def _compute(self, frequency: Array, age: Array) -> Array:
        """Return the three at the points of a table, side by side."""
        at = self.horizons.times
        orders, discounted = self._expected(frequency, age)
        n, one = len(frequency), np.ones(1)
        some = self.purchases.at_least_if_active(one, np.repeat(frequency, len(at)), np.repeat(age, len(at)), np.tile(at, n))
        return np.concatenate([orders, discounted, some.reshape(n, len(at))], axis=1)

    def _expected(self, frequency: Array, age: Array) -> tuple[Array, Array]:
        """Return expected and discounted purchase days at every horizon by interpolation in time."""
        at, last = self.horizons.times, float(self.horizons.times[-1])
        if last == 0:
            return np.zeros((len(age), len(at))), np.zeros((len(age), len(at)))
        start = (age + self._scale)[:, None]
        length = np.log1p(last / start)
        n_points, coefficients = self._in_time(frequency, age, start, length)

        def orders_at(when: Array) -> Array:
            place = 2.0 * np.log1p(when / start) / length - 1.0
            sums: Array = np.cos(np.arccos(np.clip(place, -1, 1))[:, :, None] * np.arange(n_points)) @ coefficients[:, :, None]
            return np.where(when > 0, sums[:, :, 0], 0.0)

        ends = orders_at(at[None, :])
        return ends, ends if self.horizons.daily_discount == 0 else self._discounted(ends, orders_at)

    def _in_time(self, frequency: Array, age: Array, start: Array, length: Array) -> tuple[int, Array]:
        """Return E as Chebyshev sums in log(1 + s / start), of as many terms as it takes until the last ones vanish."""
        n_points = 14 + 2 * int(np.ceil(float(length.max())))
        while True:
            angles = np.pi * (np.arange(n_points) + 0.5) / n_points
            times = np.minimum(start * np.expm1(length * (1 + np.cos(angles)) / 2), self.horizons.times[-1])
            transform = np.cos(np.outer(np.arange(n_points), angles)) * 2.0 / n_points
            transform[0] /= 2.0
            coefficients = self.purchases.expected_orders_if_active(frequency, age, times) @ transform.T
            left = np.abs(coefficients[:, -3:]).max(axis=1) / np.maximum(np.abs(coefficients).max(axis=1), 1e-300)
            if n_points >= _MOST_POINTS or float(left.max()) < _VANISHED:
                return n_points, coefficients
            n_points *= 2

    def _discounted(self, ends: Array, orders_at: _OrdersAt) -> Array:
        """Return discounted purchase days from E at the horizons and between them."""
        horizons, rate = self.horizons, self.horizons.daily_discount
        worth = np.exp(-rate * horizons.days)
        first, later = _gauss(_INSIDE_FIRST, towards_zero=True), _gauss(_INSIDE_LATER, towards_zero=False)
        out, running, before = np.empty_like(ends), np.zeros(len(ends)), (0.0, 0.0)
        for j, (time, day) in enumerate(zip(horizons.times, horizons.days, strict=True)):
            if time > before[0]:
                nodes, weights = later if j else first
                inside = orders_at((before[0] + (time - before[0]) * nodes)[None, :])
                on = before[1] + (day - before[1]) * nodes
                running = running + (inside * (weights * np.exp(-rate * on))).sum(axis=1) * rate * (day - before[1])
            out[:, j] = worth[j] * ends[:, j] + running
            before = (time, day)
        return out


@cache
def _gauss(n: int, *, towards_zero: bool) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights of 0..1, drawn towards 0, where E bends most, or not."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    nodes, weights = (nodes + 1) / 2, weights / 2
    return (nodes**2, 2 * nodes * weights) if towards_zero else (nodes, weights)


def time_scale(purchases: PurchaseModel) -> float:
    """Return the smallest time scale among a model's parameters, within a range in which tables stay small."""
    values = purchases.report_.parameters
    return float(np.clip(min((values[name] for name in _TIME_SCALES if name in values), default=1.0), 1e-6, 1e9))


def daily_rate(annual_discount: float) -> float:
    """Return the continuous discount rate per day that makes a year's discount `annual_discount`."""
    if not (np.isfinite(annual_discount) and annual_discount > -1):
        raise ContractError(
            f"annual_discount: got {annual_discount}. Wanted: a share above -1, for example 0.10 for 10 % a year."
        )
    return float(np.log1p(annual_discount)) / DAYS_PER_YEAR
