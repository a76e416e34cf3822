"""Time fitting and listing against bare `implicit` on a simulated shop: CPU seconds, memory, the same factors.

    python benchmarks/bench_recommend.py --customers 100000 --items 20000 --pairs 2000000
    python benchmarks/bench_recommend.py --customers 1000000 --items 100000 --pairs 20000000 --contenders bare,als

Each contender runs in a process of its own, so that peak memory is its own. The shop: items with Zipf popularity, customers with
one of twenty tastes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

TOP = 20
TASTES = 20


def shop(n_customers: int, n_items: int, n_pairs: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return customer, item and day of simulated purchases."""
    random = np.random.default_rng(seed)
    customer = random.integers(0, n_customers, n_pairs)
    rank = np.minimum(n_items * random.random(n_pairs) ** 2.5, n_items - 1).astype(np.int64)
    taste = customer % TASTES
    own = random.random(n_pairs) < 0.7
    item = np.where(own, (rank // TASTES) * TASTES + taste, rank) % n_items
    return customer, item, random.integers(0, 365, n_pairs)


def bare(customer: np.ndarray, item: np.ndarray, n_customers: int, n_items: int, threads: int) -> None:
    """Fit and list with the library alone."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    table = csr_matrix((np.ones(len(customer), np.float32), (customer, item)), shape=(n_customers, n_items))
    with threadpool_limits(1):
        model = AlternatingLeastSquares(
            factors=64, regularization=10.0, alpha=1.0, iterations=15, random_state=7, num_threads=threads
        )
        model.fit(table, show_progress=False)
        for start in range(0, n_customers, 1000):
            rows = np.arange(start, min(start + 1000, n_customers))
            model.recommend(rows, table[rows], N=TOP, filter_already_liked_items=True)


def ours(customer: np.ndarray, item: np.ndarray, day: np.ndarray, n_customers: int, n_items: int, name: str) -> None:
    """Fit a recommender of the product and list what is new to every customer."""
    from customer_genome.models.recommend.contract import interactions
    from customer_genome.models.recommend.items import Als, Ease
    from customer_genome.models.recommend.lists import top_items
    from customer_genome.models.recommend.personal import UserNeighbours

    known = interactions(customer, item, day, n_customers=n_customers, n_items=n_items, as_of=365, horizon_days=90)
    recommender = {"als": Als, "ease": lambda: Ease(1500), "neighbours": UserNeighbours}[name]()
    fitted = recommender.fit(known)
    size = 10_000
    for start in range(0, n_customers, size):
        top_items(fitted, known, np.arange(start, min(start + size, n_customers)), "new", TOP)


def main() -> None:
    """Run every contender in its own process, or one of them in this one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--contenders", default="bare,als,ease", help="in this order, out of bare, als, ease, neighbours")
    parser.add_argument("--only", choices=["bare", "als", "ease", "neighbours"])
    given = parser.parse_args()
    if given.only is None:
        print(f"{given.customers:,} customers, {given.items:,} items, {given.pairs:,} pairs; fit and top {TOP}")
        usual = 0.0
        for name in given.contenders.split(","):
            command = [
                sys.executable,
                __file__,
                "--only",
                name,
                *(f"--{key}={getattr(given, key)}" for key in ("customers", "items", "pairs")),
            ]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            usual = found["cpu"] if name == "bare" else usual
            times = f"  {found['cpu'] / usual:5.2f} x bare" if usual else ""
            figures = f"{found['cpu']:8.1f} CPU s  {found['wall']:8.1f} s  {found['memory_mb']:8.0f} MB"
            print(f"  {name:<12} {figures}{times}", flush=True)
        return
    customer, item, day = shop(given.customers, given.items, given.pairs)
    started, cpu = time.perf_counter(), time.process_time()
    if given.only == "bare":
        bare(customer, item, given.customers, given.items, 1)
    else:
        ours(customer, item, day, given.customers, given.items, given.only)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - started, "memory_mb": memory}))


if __name__ == "__main__":
    main()
