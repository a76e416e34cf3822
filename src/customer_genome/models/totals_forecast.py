"""Chance to order, orders and spend to come from totals alone: orders so far, days since the last one, money per order.

Comes in: NumPy arrays of shops whose later orders are known, and for a forecast the totals of one shop with two figures of its whole
crowd. Goes out: a `TotalsForecast` of six coefficients that forecasts row by row. Such totals hide when a customer began, so the
window of the data is taken from the longest silences; every shop weighs alike in a fit. Nothing here reads tables, files or
settings, and no label is ever made from the inputs: what is learned is what customers did after the cutoff.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.segmentation.segments import significant

Array = npt.NDArray[np.float64]
FEATURES: tuple[str, ...] = ("n_orders", "recency_days", "mean_order_value")
"""What a forecast is made from, in this order; a stored one made from others is refused."""
WINDOW_PERCENT = 99.0
"""The share of customers who have not been quiet for longer than the window."""
SHORTEST_WINDOW_DAYS = 30.0
ORDERS_OF_TYPICAL_VALUE = 1.0
"""How many orders of typical value a customer's own order value is drawn in with, on a logarithmic scale."""
_RIDGE = 1e-3
_MOST_STEPS = 100


@dataclass(frozen=True)
class CrowdOfTotals:
    """What a row has to know about its whole shop: the days its data reach back, and the median money per order."""

    window_days: float
    typical_order_value: float


@dataclass(frozen=True)
class SeenShop:
    """A shop at a cutoff: totals known before it, and the orders each customer placed within the horizon after it."""

    crowd: CrowdOfTotals
    n_orders: Array
    recency_days: Array
    orders_later: Array


@dataclass(frozen=True)
class TotalsExpected:
    """What is expected of each customer over the horizon; NaN where recency or orders are unknown."""

    chance: Array
    orders: Array
    spend: Array


@dataclass(frozen=True)
class TotalsForecast:
    """A fitted forecast from totals.

    With W the window, s = log(recency / W):  logit(chance) = c0 + c1 log(orders) + c2 s, and
    log(orders to come) = o0 + o1 log(orders x horizon / W) + o2 s.

    Attributes
    ----------
    chance, orders : float arrays, shape (3,)
    """

    horizon_days: int
    chance: Array
    orders: Array

    @classmethod
    def fit(cls, shops: Sequence[SeenShop], horizon_days: int) -> Self:
        """Learn from shops by maximum likelihood with a weak penalty: logistic for the chance, Poisson for the orders.

        Raises
        ------
        ContractError
            There is no customer, or all of them did the same afterwards.
        """
        rows = [_features(shop.n_orders, shop.recency_days, shop.crowd.window_days, horizon_days) for shop in shops]
        later = significant(np.concatenate([shop.orders_later for shop in shops])) if shops else np.empty(0)
        ordered = (later > 0).astype(np.float64)
        if len(later) == 0 or ordered.min() == ordered.max():
            raise ContractError(
                f"forecast from totals: {len(later):,} customers, of whom {int(ordered.sum()):,} ordered afterwards. "
                "Wanted: some who did and some who did not. Choose an earlier cutoff."
            )
        weights = np.concatenate([np.full(len(shop.n_orders), 1000.0 / max(len(shop.n_orders), 1)) for shop in shops])
        by_count = np.concatenate([chance for chance, _ in rows])
        by_rate = np.concatenate([orders for _, orders in rows])
        return cls(horizon_days, _fit_logistic(by_count, ordered, weights), _fit_poisson(by_rate, later, weights))

    def of(
        self, n_orders: npt.ArrayLike, recency_days: npt.ArrayLike, order_value: npt.ArrayLike, crowd: CrowdOfTotals
    ) -> TotalsExpected:
        """Return the forecast of any part of a shop's customers, row by row.

        Parameters
        ----------
        n_orders, recency_days, order_value : float arrays, shape (n_customers,)
            NaN = unknown.
        """
        orders, recency = np.asarray(n_orders, dtype=np.float64), np.asarray(recency_days, dtype=np.float64)
        by_count, by_rate = _features(orders, recency, crowd.window_days, self.horizon_days)
        chance = 1 / (1 + np.exp(-(by_count @ self.chance)))
        expected = np.exp(by_rate @ self.orders)
        value = drawn_in(np.asarray(order_value, dtype=np.float64), orders, crowd.typical_order_value)
        return TotalsExpected(significant(chance), significant(expected), significant(expected * value))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything `from_arrays` needs as plain arrays."""
        return {
            "horizon_days": np.array(self.horizon_days),
            "chance": self.chance,
            "orders": self.orders,
            "features": np.array(FEATURES, dtype=np.str_),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the forecast that `to_arrays` wrote; ContractError where it was made from other features."""
        names = tuple(str(name) for name in arrays["features"])
        if names != FEATURES:
            raise ContractError(
                f"forecast from totals: stored features are {', '.join(names)}. Wanted, in this order: {', '.join(FEATURES)}. Fit it again with `genome run`."
            )
        return cls(int(arrays["horizon_days"]), np.asarray(arrays["chance"], float), np.asarray(arrays["orders"], float))


def _features(n_orders: Array, recency_days: Array, window_days: float, horizon_days: int) -> tuple[Array, Array]:
    """Return the inputs of chance and of orders, each of shape (n_customers, 3), to 12 digits."""
    window = max(window_days, SHORTEST_WINDOW_DAYS)
    orders = np.maximum(np.asarray(n_orders, dtype=np.float64), 1.0)
    silence = np.log(np.clip(np.asarray(recency_days, dtype=np.float64), 1.0, window) / window)
    one = np.ones(len(orders))
    by_count = np.column_stack([one, np.log(orders), silence])
    by_rate = np.column_stack([one, np.log(orders * horizon_days / window), silence])
    return significant(by_count), significant(by_rate)


def drawn_in(order_value: Array, n_orders: Array, typical: float) -> Array:
    """Return each customer's money per order, drawn towards the typical one the more the fewer orders there are.

    Examples
    --------
    >>> drawn_in(np.array([40.0, 40.0]), np.array([1.0, 9.0]), 10.0)
    array([20.        , 34.82202253])
    """
    if not typical > 0:
        return np.where(np.isnan(order_value), np.nan, np.maximum(order_value, 0.0))
    own = np.log(np.maximum(order_value, typical * 1e-4))
    drawn = (n_orders * own + ORDERS_OF_TYPICAL_VALUE * np.log(typical)) / (n_orders + ORDERS_OF_TYPICAL_VALUE)
    return np.where(order_value == 0, 0.0, np.exp(drawn))


def _fit_logistic(x: Array, y: Array, weights: Array) -> Array:
    """Return the coefficients of a logistic regression by Newton steps."""

    def pieces(beta: Array) -> tuple[Array, Array]:
        mean = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        return y - mean, mean * (1 - mean)

    return _newton(x, weights, pieces)


def _fit_poisson(x: Array, y: Array, weights: Array) -> Array:
    """Return the coefficients of a Poisson regression by Newton steps, begun at the mean."""

    def pieces(beta: Array) -> tuple[Array, Array]:
        mean = np.exp(np.clip(x @ beta, -30, 30))
        return y - mean, mean

    start = np.zeros(x.shape[1])
    start[0] = np.log(max(float(np.average(y, weights=weights)), 1e-9))
    return _newton(x, weights, pieces, start)


def _newton(x: Array, weights: Array, pieces: Any, start: Array | None = None) -> Array:
    """Return the coefficients at which the gradient of the penalised likelihood is nil; steps are held within 1."""
    beta = np.zeros(x.shape[1]) if start is None else start
    ridge = np.diag([0.0, *[_RIDGE * float(weights.sum())] * (x.shape[1] - 1)])
    for _ in range(_MOST_STEPS):
        residual, curve = pieces(beta)
        gradient = x.T @ (weights * residual) - ridge @ beta
        hessian = (x * (weights * curve)[:, None]).T @ x + ridge + 1e-9 * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, gradient)
        step /= max(1.0, float(np.abs(step).max()))
        beta = beta + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return significant(beta)
