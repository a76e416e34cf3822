"""How long it takes to find customers who are alike: one among a million, everybody among 100,000, an audience.

    python benchmarks/bench_similarity.py            # 1,000,000 and 100,000 customers
    python benchmarks/bench_similarity.py 200000 20000

Facts are drawn with the shape of a shop's (heavy tails, ties); the matrix is read back memory-mapped, as screens read it.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from customer_genome.models.similarity import Space, all_nearest, likeness, nearest


def facts(n: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Return facts of simulated customers."""
    chance = np.random.default_rng(seed)
    orders = chance.geometric(0.3, n).astype(float)
    tenure = chance.integers(1, 730, n).astype(float)
    shares = chance.dirichlet(np.full(5, 0.5), n)
    spend = orders * chance.lognormal(4, 1, n)
    return {
        "recency_days": tenure * chance.uniform(0, 1, n),
        "n_orders": orders,
        "total_spend": spend,
        "mean_order_value": spend / orders,
        "tenure_days": tenure,
        "unique_products": orders * chance.geometric(0.2, n),
        "spend_trend": chance.uniform(-1, 1, n),
        "return_share": chance.beta(0.3, 5, n),
        **{f"category_share_{place}": shares[:, place] for place in range(5)},
    }


def timed(words: str, work, times: int = 1):
    """Print how long a piece of work takes, the median and the best of several times, and processor time."""
    taken, busy = [], []
    for _ in range(times):
        start, used = time.perf_counter(), time.process_time()
        found = work()
        taken.append(time.perf_counter() - start)
        busy.append(time.process_time() - used)
    print(f"{words:<60} {np.median(taken):8.4f} s   best {min(taken):8.4f} s   processor {np.median(busy):8.4f} s", flush=True)
    return found


def main() -> None:
    """Measure and print."""
    large, medium = (int(text) for text in (sys.argv[1:] or ["1000000", "100000"]))
    known = facts(large)
    space = timed(f"scale of {large:,} customers", lambda: Space.of(known))
    units = timed(f"places of {large:,} customers, {len(space.columns)} facts", lambda: space.place(known))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "similarity.npy"
        np.save(path, units)
        mapped = np.load(path, mmap_mode="r")
        timed(
            f"nearest 10 of one among {large:,}, file first read", lambda: nearest(mapped, np.asarray(mapped[5]), 10, without=5)
        )
        timed(f"nearest 10 of one among {large:,}", lambda: nearest(mapped, np.asarray(mapped[9]), 10, without=9), times=15)
        weights, default = space.weights({"total_spend": 3.0}), space.weights()
        timed(
            "the same with other weights",
            lambda: nearest(mapped, np.asarray(mapped[9]), 10, weights=weights, default=default, without=9),
            times=5,
        )
        timed(f"likeness of {large:,} to 500 seeds", lambda: likeness(mapped, np.asarray(mapped[:500])))
    timed(f"nearest 10 of everybody among {medium:,}", lambda: all_nearest(np.ascontiguousarray(units[:medium]), 10))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
