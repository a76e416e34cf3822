"""Segments by all three methods: learning them from a sample, putting every customer into them, and telling who they are.

Customers are simulated facts of five overlapping kinds. Each size runs in a process of its own: a weighted sample of at most 250,000
(as `genome run` draws it) goes to `fit_clusters`, all customers are assigned in batches of 100,000, and figures, names and personas
are asked of DuckDB. Wall and CPU seconds and peak memory are printed and held against the goals: 100,000 customers within two minutes,
a million within eight and within 6 GB.

    python benchmarks/bench_segments.py                       100,000 and 1,000,000 customers
    python benchmarks/bench_segments.py --customers 20000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

WANTED_SECONDS = {100_000: 120.0, 1_000_000: 480.0}
MOST_GB = 6.0
SAMPLE, BATCH = 250_000, 100_000


def simulated(n: int, seed: int = 3) -> dict[str, np.ndarray]:
    """Return facts and predictions of customers of five overlapping kinds."""
    chance = np.random.default_rng(seed)
    kind = chance.choice(5, n, p=[0.08, 0.22, 0.15, 0.25, 0.3])
    orders = 1.0 + chance.poisson(np.array([18.0, 6.0, 2.0, 1.0, 0.2])[kind] * chance.gamma(2, 0.5, n))
    order_value = chance.lognormal(np.array([5.8, 5.2, 6.6, 5.0, 4.9])[kind], 0.6)
    tenure = np.round(chance.uniform(30, 730, n))
    churn = np.clip(chance.normal(np.array([0.1, 0.35, 0.6, 0.6, 0.9])[kind], 0.1), 0, 1)
    return {
        "recency_days": np.minimum(np.round(chance.gamma(2, np.array([8.0, 25.0, 90.0, 30.0, 190.0])[kind])) + 1, tenure),
        "n_orders": orders,
        "total_spend": np.round(orders * order_value, 2),
        "mean_order_value": order_value,
        "tenure_days": tenure,
        "unique_products": orders * chance.integers(1, 25, n),
        "churn_probability": churn,
        "clv_180d": orders * order_value * (1 - churn),
        "expected_value_loss": orders * order_value * (1 - churn) * churn,
        "spend_last_90d": chance.gamma(1, 50, n),
        "spend_prior_90d": chance.gamma(1, 50, n),
    }


def measure(n: int) -> dict[str, float]:
    """Return seconds of each step and the peak memory in GB."""
    from customer_genome.models.segmentation.clusters import CLUSTER_FEATURES, fit_clusters
    from customer_genome.models.segmentation.segments import significant
    from customer_genome.stages.segment_tables import name_all, segment_figures, segment_tables
    from customer_genome.warehouse.duckdb import DuckDBEngine

    facts = simulated(n)
    features = np.column_stack([significant(facts[name]) for name in CLUSTER_FEATURES])
    found: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        found[f"{step}_seconds"], found[f"{step}_cpu"] = time.perf_counter() - wall, time.process_time() - cpu

    drawn = np.sort(np.random.default_rng(1).choice(n, min(n, SAMPLE), replace=False))
    with timed("fit"):
        weights = np.full(len(drawn), n / len(drawn))
        clusters = fit_clusters(features[drawn], CLUSTER_FEATURES, facts["total_spend"][drawn], weights=weights)
    table = pa.table(facts)
    with timed("assign"):
        parts = [clusters.assign(features[start : start + BATCH], CLUSTER_FEATURES) for start in range(0, n, BATCH)]
    for name in parts[0]:
        table = table.append_column(name, pa.array(np.concatenate([part[name] for part in parts])))
    engine = DuckDBEngine(threads=2)
    engine.write("everyone", table)
    with timed("tell"):
        figures = segment_figures(engine, "everyone", clusters)
        segment_tables(figures, name_all(figures, clusters, "EUR"), clusters)
    engine.close()
    return found | {"k": clusters.k, "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


def main() -> int:
    """Measure every size in a process of its own; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=list(WANTED_SECONDS))
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return 0
    missed = 0
    print(f"{'customers':>10} {'k':>3} {'learn':>12} {'assign':>12} {'tell':>12} {'in all':>8} {'memory':>8}   (wall s / CPU s)")
    for n in options.customers:
        told = subprocess.run([sys.executable, __file__, "--one", str(n)], check=True, capture_output=True, text=True).stdout
        found = json.loads(told.splitlines()[-1])
        steps = [f"{found[f'{step}_seconds']:.1f} / {found[f'{step}_cpu']:.1f}" for step in ("fit", "assign", "tell")]
        total = sum(found[f"{step}_seconds"] for step in ("fit", "assign", "tell"))
        print(f"{n:>10,} {found['k']:>3.0f} {steps[0]:>12} {steps[1]:>12} {steps[2]:>12} {total:>7.0f}s {found['gb']:>6.1f}GB")
        is_late = n in WANTED_SECONDS and total > WANTED_SECONDS[n]
        if is_late or found["gb"] > MOST_GB:
            missed = 1
            print(f"           missed: wanted {WANTED_SECONDS.get(n, 0):.0f} s and {MOST_GB:.0f} GB")
    return missed


if __name__ == "__main__":
    sys.exit(main())
