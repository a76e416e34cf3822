"""Customer value for a million customers: the product against `lifetimes`, as ratios.

Simulates customers with the parameters published for CDNOW (in days), seen for 30 to 730 days; the models are given, not fitted, so that
only the answers are timed. Contenders take turns, each in a process of its own, and read the same arrays.

    lifetimes   customer_lifetime_value over six months: one number a customer
    interval    value over 180 days with its 80 % interval
    path        expected orders, revenue and value for 24 calendar months, and the 80 % interval of the value over 180 days
    bands       expected orders, revenue and value for 24 calendar months, each with the 80 % interval of the value so far

Customers are taken in batches of 100,000, as a run takes them. The means of the product and of lifetimes are compared: the
sums of value over six months of thirty days without a discount.

    python benchmarks/bench_value.py                              one million customers, three rounds
    python benchmarks/bench_value.py --customers 200000 --rounds 1
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PURCHASES = {"r": 0.243, "alpha": 4.414 * 7, "a": 0.793, "b": 2.426}
SPEND = {"p": 6.25, "q": 3.74, "gamma": 15.44}
BATCH = 100_000
CONTENDERS = ("lifetimes", "interval", "path", "bands")
WANTED = 1 / 8


def simulate(n: int, path: Path) -> None:
    """Write frequency, recency, age and mean spend of n customers."""
    import numpy as np

    rng = np.random.default_rng(7)
    age = rng.integers(30, 730, n).astype(float)
    rate, stop = rng.gamma(PURCHASES["r"], 1 / PURCHASES["alpha"], n), rng.beta(PURCHASES["a"], PURCHASES["b"], n)
    frequency, recency, clock, active = np.zeros(n), np.zeros(n), np.zeros(n), np.arange(n)
    while len(active):
        clock[active] += rng.exponential(1 / np.maximum(rate[active], 1e-12))
        active = active[clock[active] <= age[active]]
        frequency[active] += 1
        recency[active] = np.floor(clock[active])
        active = active[rng.random(len(active)) >= stop[active]]
    nu = rng.gamma(SPEND["q"], 1 / SPEND["gamma"], n)
    mean = np.round(rng.gamma(SPEND["p"] * (frequency + 1)) / nu / (frequency + 1), 2)
    np.savez(path, frequency=frequency, recency=recency, age=age, mean=mean)


def work(name: str, data: Path, threads: int) -> dict[str, float]:
    """Let one contender work; return seconds, peak memory and the total value over six months."""
    import numpy as np

    with np.load(data) as stored:
        columns = tuple(stored[key] for key in ("frequency", "recency", "age", "mean"))
    job = _lifetimes(columns) if name == "lifetimes" else _product(name, columns, threads)
    wall, cpu = time.perf_counter(), time.process_time()
    total = job()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "total": total, "peak_mb": _peak_mb()}


def _lifetimes(columns: tuple[Any, ...]) -> Any:
    """Return the job of lifetimes, its models made from the same parameters."""
    import warnings

    warnings.simplefilter("ignore")
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    purchases, spend = BetaGeoFitter(), GammaGammaFitter()
    purchases.params_ = pd.Series(PURCHASES)
    purchases.predict = purchases.conditional_expected_number_of_purchases_up_to_time
    spend.params_ = pd.Series({"p": SPEND["p"], "q": SPEND["q"], "v": SPEND["gamma"]})
    frequency, recency, age, mean = (pd.Series(column) for column in columns)

    def job() -> float:
        value = spend.customer_lifetime_value(purchases, frequency, recency, age, mean, time=6, discount_rate=0.0, freq="D")
        return float(value.sum())

    return job


def _product(name: str, columns: tuple[Any, ...], threads: int) -> Any:
    """Return the job of the product; modules are loaded beforehand, as those of lifetimes are."""
    import datetime as dt

    import numpy as np
    import scipy.special  # noqa: F401

    from customer_genome.models import BetaGeometricNBD, GammaGamma, month_offsets
    from customer_genome.models.btyd.active_future import Horizons
    from customer_genome.models.btyd.value_forecast import ValueForecast

    purchases, spend = BetaGeometricNBD.from_parameters(**PURCHASES), GammaGamma.from_parameters(**SPEND)
    months = month_offsets(dt.date(2011, 12, 10), 24)
    frequency, recency, age, mean = columns

    horizons = {
        "interval": Horizons.of([180.0], 0.0),
        "path": Horizons.of(np.insert(months, 5, 180.0), 0.0),  # the fifth month ends on day 152, the sixth on day 183
        "bands": Horizons.of(months, 0.0),
    }[name]
    interval_at = (5,) if name == "path" else None

    def job() -> float:
        forecast = ValueForecast(purchases, spend, horizons, threads=threads, interval_at=interval_at)
        total = 0.0
        for begin in range(0, len(frequency), BATCH):
            part = slice(begin, begin + BATCH)
            n = frequency[part]  # lifetimes takes the mean of repeat purchases, n = x
            until = forecast.of(frequency[part], recency[part], age[part], n, mean[part])
            total += float(until.value[:, 0 if name == "interval" else 5].sum())
        return total

    return job


def _peak_mb() -> float:
    """Return the peak memory of this process."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measured(name: str, data: Path, threads: int) -> dict[str, float]:
    """Run a contender in a process of its own."""
    command = [sys.executable, __file__, "--one", name, "--data", str(data), "--threads", str(threads)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Simulate, let contenders take turns, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(work(given.one, given.data, given.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "customers.npz"
        simulate(given.customers, data)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for turn in range(given.rounds):
            for name in CONTENDERS if turn % 2 == 0 else CONTENDERS[::-1]:
                runs[name].append(measured(name, data, given.threads))
                print(f"round {turn + 1}: {name} {runs[name][-1]}", file=sys.stderr)
    totals = {name: runs[name][0]["total"] for name in ("lifetimes", "interval")}
    if abs(totals["lifetimes"] / totals["interval"] - 1) > 1e-6:
        sys.exit(f"The contenders do not agree: {totals}")
    result = {
        name: {key: statistics.median(run[key] for run in one) for key in ("wall", "cpu", "peak_mb")}
        for name, one in runs.items()
    }
    print(json.dumps(result)) if given.json else show(result, given.customers, given.threads)


def show(result: dict[str, dict[str, float]], customers: int, threads: int) -> None:
    """Print the table."""
    print(f"{customers:,} customers, {threads} threads, {platform.machine()}, Python {platform.python_version()}; medians")
    print(f"{'':10} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'wall ratio':>11} {'CPU ratio':>10}")
    for name, one in result.items():
        wall, cpu = (one[key] / result["lifetimes"][key] for key in ("wall", "cpu"))
        print(f"{name:10} {one['wall']:8.2f} {one['cpu']:8.2f} {one['peak_mb']:8.0f} {wall:11.3f} {cpu:10.3f}")
    print(f"wanted: path at most {WANTED:.3f} of lifetimes' wall time, under 1,500 MB")


if __name__ == "__main__":
    main()
