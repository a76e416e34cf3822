"""Tables of customers with totals, made from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Rows = dict[str, list[Any]]


def totals_of(n: int, seed: int = 3) -> Rows:
    """Return totals of customers who differ: how often, how lately, how much, how varied."""
    rng = np.random.default_rng(seed)
    orders = 1 + rng.geometric(0.25, n) - 1
    value = np.round(np.exp(rng.normal(3.5, 0.7, n)), 2)
    recency = 1 + np.floor(rng.beta(0.8, 1 + np.log1p(orders), n) * 360)
    spend = np.round(orders * value, 2)
    return {
        "CustomerID": [f"C{number:04d}" for number in range(1, n + 1)],
        "total_orders": orders.tolist(),
        "total_quantity": (orders * rng.integers(1, 9, n)).tolist(),
        "total_spend": spend.tolist(),
        "avg_order_value": (spend / orders).tolist(),
        "recency_days": recency.astype(int).tolist(),
        "unique_products": (1 + rng.poisson(orders * 1.5)).tolist(),
    }


def without(rows: Mapping[str, list[Any]], *names: str) -> Rows:
    """Return a table without some columns."""
    return {name: values for name, values in rows.items() if name not in names}
