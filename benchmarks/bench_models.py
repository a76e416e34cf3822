"""Fitting purchase models: the product against lifetimes on the same simulated customers, as ratios.

Customers of a shop two years old are simulated day by day. Each task runs in a process of its own, which imports everything and warms
up on a few customers before the clock starts; the product's time includes collapsing customers to distinct histories. Tasks
take turns; medians of CPU (user + system), wall time and peak memory are printed, with lifetimes' time over the product's. Both
BG/NBD fits must agree, else nothing is reported.

    python benchmarks/bench_models.py                                   200,000 and 1,000,000 customers, three rounds
    python benchmarks/bench_models.py --customers 50000 --rounds 1
    python benchmarks/bench_models.py --only bg_nbd pareto_nbd          without lifetimes
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TRUTH = {"r": 0.24, "alpha": 31.0, "a": 0.79, "b": 2.43}
DAYS = 730
WARM_UP = 3000
WANTED = {200_000: 20.0, 1_000_000: 30.0}
MOST_PARETO_SECONDS = 60.0
Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def simulated(n_customers: int, seed: int) -> Columns:
    """Return frequency, recency and age in days of customers who arrive evenly over two years and follow the BG/NBD."""
    rng = np.random.default_rng(seed)
    age = rng.integers(1, DAYS, n_customers).astype(float)
    rate = rng.gamma(TRUTH["r"], 1 / TRUTH["alpha"], n_customers)
    stop = rng.beta(TRUTH["a"], TRUTH["b"], n_customers)
    frequency, recency, clock = np.zeros(n_customers), np.zeros(n_customers), np.zeros(n_customers)
    active = np.arange(n_customers)
    while len(active):
        clock[active] += np.ceil(rng.exponential(1 / np.maximum(rate[active], 1e-12)))
        active = active[clock[active] <= age[active]]
        frequency[active] += 1
        recency[active] = clock[active]
        active = active[rng.random(len(active)) >= stop[active]]
    return frequency, recency, age


# --- tasks: what is timed, and what it gives -------------------------------------------------------------------------


def bg_nbd(customers: Columns) -> dict[str, float]:
    """Fit the product's BG/NBD."""
    from customer_genome.models import BetaGeometricNBD

    return dict(BetaGeometricNBD().fit(*customers).report_.parameters)


def mbg_nbd(customers: Columns) -> dict[str, float]:
    """Fit the product's MBG/NBD."""
    from customer_genome.models import ModifiedBetaGeometricNBD

    return dict(ModifiedBetaGeometricNBD().fit(*customers).report_.parameters)


def pareto_nbd(customers: Columns) -> dict[str, float]:
    """Fit the product's Pareto/NBD."""
    from customer_genome.models import ParetoNBD

    return dict(ParetoNBD().fit(*customers).report_.parameters)


def lifetimes_bg_nbd(customers: Columns) -> dict[str, float]:
    """Fit the BG/NBD of lifetimes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lifetimes

        fitted = lifetimes.BetaGeoFitter().fit(*customers)
    return {name: float(fitted.params_[name]) for name in TRUTH}


TASKS: dict[str, Callable[[Columns], dict[str, float]]] = {
    "bg_nbd": bg_nbd,
    "mbg_nbd": mbg_nbd,
    "pareto_nbd": pareto_nbd,
    "lifetimes_bg_nbd": lifetimes_bg_nbd,
}


def run_task(name: str, data: Path) -> None:
    """Run one task on the customers of a file and print what it took as JSON."""
    with np.load(data) as stored:
        customers = tuple(stored[column] for column in ("frequency", "recency", "age"))
    TASKS[name](tuple(column[:WARM_UP] for column in customers))
    cpu, wall = time.process_time(), time.perf_counter()
    parameters = TASKS[name](customers)
    print(
        json.dumps(
            {
                "cpu_seconds": time.process_time() - cpu,
                "wall_seconds": time.perf_counter() - wall,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "parameters": parameters,
            }
        )
    )


def measured(name: str, data: Path) -> dict[str, Any]:
    """Run one task in a process of its own."""
    command = [sys.executable, __file__, "--task", name, "--data", str(data)]
    done = subprocess.run(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name} stopped with code {done.returncode}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# --- report --------------------------------------------------------------------------------------------------------


def compete(data: Path, names: list[str], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Let the tasks take turns."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else names[::-1]:
            runs[name].append(measured(name, data))
            took = runs[name][-1]
            print(f"round {turn + 1}: {name} {took['cpu_seconds']:.2f} CPU s, {took['wall_seconds']:.2f} s", file=sys.stderr)
    if {"bg_nbd", "lifetimes_bg_nbd"} <= set(names):
        ours, theirs = (runs[name][0]["parameters"] for name in ("bg_nbd", "lifetimes_bg_nbd"))
        apart = {name: abs(ours[name] / theirs[name] - 1) for name in TRUTH}
        if max(apart.values()) > 0.01:
            raise SystemExit(f"The two BG/NBD fits do not agree, so nothing is compared: {ours} and {theirs}")
    return runs


def summary(runs: dict[str, list[dict[str, Any]]], n_customers: int, n_distinct: int) -> dict[str, Any]:
    """Return medians, and how many times as long lifetimes takes, as the median over the rounds."""
    kinds = ("cpu_seconds", "wall_seconds", "peak_mb")
    medians = {
        name: {kind: round(statistics.median(run[kind] for run in each), 3) for kind in kinds} for name, each in runs.items()
    }
    times = {}
    if {"bg_nbd", "lifetimes_bg_nbd"} <= set(runs):
        pairs = list(zip(runs["lifetimes_bg_nbd"], runs["bg_nbd"], strict=True))
        times = {kind: round(statistics.median(slow[kind] / fast[kind] for slow, fast in pairs), 1) for kind in kinds[:2]}
    return {"customers": n_customers, "distinct_histories": n_distinct, "medians": medians, "lifetimes_over_product": times}


def show(result: dict[str, Any]) -> None:
    """Print the summary as a table."""
    n = result["customers"]
    print(f"\n{n:,} customers, {result['distinct_histories']:,} distinct histories")
    print(f"{'':18}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}")
    for name, row in result["medians"].items():
        print(f"{name:18}{row['cpu_seconds']:>9.2f}{row['wall_seconds']:>9.2f}{row['peak_mb']:>9,.0f}")
    if result["lifetimes_over_product"]:
        times, wanted = result["lifetimes_over_product"], WANTED.get(n)
        told = f" (wanted: {wanted:.0f})" if wanted else ""
        print(
            f"lifetimes BG/NBD takes {times['cpu_seconds']} times the CPU and {times['wall_seconds']} times the wall time{told}"
        )
    if "pareto_nbd" in result["medians"]:
        print(f"Pareto/NBD (wanted at a million: under {MOST_PARETO_SECONDS:.0f} s)")


def main() -> None:
    """Run the benchmark, or one task of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        run_task(given.task, given.data)
        return
    results = []
    with tempfile.TemporaryDirectory(prefix="genome-bench-") as folder:
        for n_customers in given.customers:
            data = Path(folder) / f"customers-{n_customers}.npz"
            frequency, recency, age = simulated(n_customers, given.seed)
            n_distinct = len(np.unique(np.column_stack([frequency, recency, age]), axis=0))
            np.savez(data, frequency=frequency, recency=recency, age=age)
            results.append(summary(compete(data, given.only, given.rounds), n_customers, n_distinct))
            if not given.json:
                show(results[-1])
    if given.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
