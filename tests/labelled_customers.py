"""Small simulated tables of customers with labels whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

Column = Callable[[Mapping[str, Sequence[Any]], np.random.Generator], Sequence[Any]]


def labelled_customers(n: int = 160, seed: int = 1, **columns: Column) -> pa.Table:
    """Return customers whose churn follows `usage` and `plan`, and whose next spend follows `last_spend` and `usage`; all cells are text.

    Parameters
    ----------
    columns : further columns, or others in the place of these, made from what is there
    """
    rng = np.random.default_rng(seed)
    usage, noise = rng.normal(50, 15, n).round(1), rng.normal(size=n)
    plan = rng.choice(["monthly", "yearly", "two years"], n, p=[0.5, 0.3, 0.2])
    last = np.maximum(rng.normal(60, 20, n), 0).round(2)
    score = 1.2 - 0.12 * (usage - 50) - 2.5 * (plan == "two years") - 1.0 * (plan == "yearly") + 0.3 * noise
    churned = rng.random(n) < 1 / (1 + np.exp(-score))
    spend = np.maximum(0.5 * last + 0.6 * usage + 2 * rng.normal(size=n), 0).round(2)
    table: dict[str, Sequence[Any]] = {
        "customer_id": [f"c{number:04d}" for number in range(n)],
        "usage": [f"{value}" for value in usage],
        "plan": plan.tolist(),
        "last_spend": [f"{value}" for value in last],
        "age": [f"{value}" for value in rng.integers(18, 80, n)],
        "Churn": ["Yes" if one else "no" for one in churned],
        "next_month_spend": [f"{value}" for value in spend],
    }
    return pa.table(table | {name: make(table, rng) for name, make in columns.items()})
