"""Facts of simulated customers, and an engine that holds them: what fitting and scoring start from."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from customer_genome.warehouse.duckdb import DuckDBEngine

AS_OF = dt.date(2024, 1, 1)


def simulated_facts(n: int = 3_000, seed: int = 5) -> pa.Table:
    """Return facts of customers with a BG/NBD history and Gamma-Gamma spend, in no order."""
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 700, n)
    days = 1 + np.minimum(rng.poisson(rng.gamma(0.8, 1 / 60, n) * age), age)
    activity = np.where(days > 1, np.maximum((age * rng.beta(2, 1, n)).astype(int), 1), 0)
    orders = days + rng.poisson(0.1 * days)
    spend = 6.0 / rng.gamma(4.0, 1 / 15.0, n) * rng.gamma(6.0 * days, 1 / (6.0 * days))
    return pa.table(
        {
            "customer_id": [f"c{number:05d}" for number in rng.permutation(n)],
            "as_of": pa.array([AS_OF] * n),
            "n_purchase_days": pa.array(days, pa.int64()),
            "n_orders": pa.array(orders, pa.int64()),
            "activity_days": pa.array(activity, pa.int64()),
            "tenure_days": pa.array(age + 1, pa.int64()),
            "recency_days": pa.array(age + 1 - activity, pa.int64()),
            "mean_spend_per_day": spend,
            "total_spend": spend * days,
            "mean_order_value": spend * days / orders,
            "unique_products": pa.array(orders * 2, pa.int64()),
        }
    )


def engine_with(facts: pa.Table) -> DuckDBEngine:
    """Return an engine that holds these facts, and the cutoff they are of; of single orders it knows nothing."""
    engine = DuckDBEngine(threads=1)
    engine.write("customer_facts", facts)
    orders = [("as_of", pa.date32()), ("customer_id", pa.string()), ("ordered_on", pa.date32())]
    engine.write("known_orders", pa.schema(orders).empty_table())
    engine.write("cutoffs", pa.table({"as_of": pa.array([AS_OF]), "horizon_days": pa.array([90], pa.int32())}))
    return engine
