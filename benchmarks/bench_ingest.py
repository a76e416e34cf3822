"""Ingest, clean and make facts: the product against hand-written DuckDB SQL and against pandas, as ratios.

Simulates a shop's order lines to Parquet, sorts them by time as shops export them, then lets each contender work on them in
a process of its own. Contenders take turns; the medians of CPU (user + system), wall time and peak memory are printed with
the product's ratio to the others. The results are compared: contenders that do not agree are not reported.

    product        the path of `genome run` up to the facts
    by_hand        one SQL text written for this file that makes the same: rows classed and kept in a warehouse file, exact
                   money, refused rows, matched returns, ledger, facts
    by_hand_lean   one SQL text that makes no more than ledger and facts, in memory, with money as double
    pandas         the same as by_hand with pandas, rows kept as Parquet, money as double

    python benchmarks/bench_ingest.py                                     10 million lines, three rounds
    python benchmarks/bench_ingest.py --lines 1000000 --rounds 5
    python benchmarks/bench_ingest.py --lines 50000000 --only product --memory-limit 4GB --rounds 1
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WANTED = {("by_hand", "CPU"): 1.25, ("pandas", "CPU"): 0.6, ("pandas", "wall"): 0.333}


@dataclass(frozen=True)
class Usage:
    """What one process used."""

    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


# --- contenders ----------------------------------------------------------------------------------------------------


def product(data: Path, folder: Path, threads: int, memory_limit: str) -> None:
    """Take the path of `genome run` from the file to customer_facts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from customer_genome.features.table import build_features
    from customer_genome.settings import CleaningSettings, ShopSettings, TableSettings
    from customer_genome.sources.files import describe_file
    from customer_genome.warehouse.build import build_marts, build_refund_effect, stage_lines
    from customer_genome.warehouse.duckdb import DuckDBEngine

    stages: dict[str, float] = {}

    def lap(name: str, since: float) -> float:
        now = time.process_time()
        stages[name] = round(now - since, 2)
        return now

    at = time.process_time()
    source = describe_file(data, "order_lines", TableSettings(), folder / "tmp")
    cleaning = CleaningSettings()
    engine = DuckDBEngine(folder / "warehouse.duckdb", memory_limit, threads, folder / "spill")
    at = lap("open", at)
    stage_lines(engine, source, cleaning, ShopSettings(), today=dt.date.today())
    at = lap("stage", at)
    cutoff = engine.fetch("select max(ordered_on) as day from order_lines").column("day")[0].as_py() + dt.timedelta(days=1)
    build_marts(
        engine, pa.table({"as_of": pa.array([cutoff], pa.date32()), "horizon_days": pa.array([180], pa.int32())}), cleaning
    )
    build_refund_effect(engine)
    at = lap("marts", at)
    build_features(
        engine, (), category_key="category", has_customers=False, has_discounts=True, most_categories=20, home_country=""
    )
    at = lap("facts", at)
    pq.write_table(engine.fetch("select * from customer_facts"), folder / "facts.parquet")
    pq.write_table(
        engine.fetch("select row_class, n_rows, cast(revenue as double) as revenue from ledger"), folder / "ledger.parquet"
    )
    engine.close()
    lap("close", at)
    (folder / "stages.json").write_text(json.dumps(stages))


def by_hand(data: Path, folder: Path, threads: int, memory_limit: str) -> None:
    """Run the text that makes the same result by hand, with its rows in a warehouse file."""
    _run_text(
        "by_hand.sql", folder / "warehouse.duckdb", ("refund_effect", "ledger", "facts"), data, folder, threads, memory_limit
    )


def by_hand_lean(data: Path, folder: Path, threads: int, memory_limit: str) -> None:
    """Run the text that makes no more than ledger and facts, in memory."""
    _run_text("by_hand_lean.sql", None, ("ledger", "facts"), data, folder, threads, memory_limit)


def _run_text(
    text: str, warehouse: Path | None, results: Sequence[str], data: Path, folder: Path, threads: int, memory_limit: str
) -> None:
    import duckdb
    import pyarrow.parquet as pq

    with duckdb.connect(str(warehouse or ":memory:")) as connection:
        connection.execute(f"set temp_directory = '{folder / 'spill'}'")
        if threads:
            connection.execute(f"set threads = {threads:d}")
        if memory_limit:
            connection.execute(f"set memory_limit = '{memory_limit}'")
        connection.execute((HERE / text).read_text().replace("{path}", str(data).replace("'", "''")))
        for name in results:
            table = "customer_facts" if name == "facts" else name
            pq.write_table(connection.sql(f"select * from {table}").to_arrow_table(), folder / f"{name}.parquet")


def pandas(data: Path, folder: Path, threads: int, memory_limit: str) -> None:
    """Do it with pandas; it knows neither threads nor a memory limit."""
    from in_pandas import results_of

    for name, table in results_of(data, folder / "rows.parquet").items():
        table.to_parquet(folder / f"{name}.parquet")


Task = Callable[[Path, Path, int, str], None]
CONTENDERS: dict[str, Task] = {"product": product, "by_hand": by_hand, "by_hand_lean": by_hand_lean, "pandas": pandas}


# --- measuring -----------------------------------------------------------------------------------------------------


def measured(name: str, data: Path, folder: Path, threads: int, memory_limit: str) -> Usage:
    """Run one task in a process of its own and return what it used, its threads included.

    This process imports nothing heavy, because a child's peak memory starts at its parent's.
    """
    for stale in folder.glob("warehouse.duckdb*"):
        stale.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, "--task", name, "--data", str(data), "--folder", str(folder)]
    command += ["--threads", str(threads), "--memory-limit", memory_limit]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{name} stopped with code {process.returncode}.")
    return Usage(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def simulated(data: Path, folder: Path, threads: int, memory_limit: str) -> None:
    """Write a messy shop, sorted by time; lines and seed are in the name of the file."""
    import duckdb

    from customer_genome.sources.synthetic import Promotion, simulate

    lines, seed = (int(part) for part in data.stem.split("-")[1:3])
    shop = simulate(
        n_lines=lines, seed=seed, start=dt.date(2022, 1, 1), days=730, arrival_days=600, refund_rate=0.02, duplicate_rate=0.01,
        missing_customer_rate=0.1, zero_price_rate=0.005, zero_quantity_rate=0.005, missing_date_rate=0.001,
        month_multipliers=(0.9, 0.8, 0.9, 0.9, 1.0, 1.0, 0.9, 0.9, 1.1, 1.2, 1.5, 1.4),
        promotions=[
            Promotion("summer", dt.date(2023, 6, 1), dt.date(2023, 6, 21)), Promotion("winter", dt.date(2023, 11, 20), dt.date(2023, 11, 30))
        ],
    )  # fmt: skip
    drawn, part = data.with_suffix(".drawn"), data.with_suffix(".part")
    shop.write_parquet(drawn)
    with duckdb.connect() as connection:
        connection.execute(f"set temp_directory = '{folder / 'spill'}'")
        connection.execute(
            f"copy (select * from read_parquet('{drawn}') order by ordered_at nulls first, order_id) to '{part}' (format parquet, compression zstd)"
        )
    drawn.unlink()
    part.replace(data)


def compared(data: Path, folder: Path, threads: int, memory_limit: str) -> None:
    """Stop when the contenders whose results lie in the folder do not agree."""
    import pandas as pd

    found = []
    for title, key in (("facts", "customer_id"), ("ledger", "row_class"), ("refund_effect", "returned_lines")):
        names = [name for name in CONTENDERS if (folder / name / f"{title}.parquet").exists()]
        first, *others = (pd.read_parquet(folder / name / f"{title}.parquet").set_index(key).sort_index() for name in names)
        for name, other in zip(names[1:], others, strict=True):
            if set(first.columns) != set(other.columns) or not first.index.equals(other.index):
                found.append(
                    f"{title} of {name} and {names[0]} have other rows or columns {set(first.columns) ^ set(other.columns)}"
                )
                continue
            found += [
                f"{title} of {name} and {names[0]}: {column}" for column in first if not _same(first[column], other[column])
            ]
    if found:
        raise SystemExit("The contenders do not agree, so nothing is compared: " + "; ".join(found))


def _same(left: Any, right: Any) -> bool:
    """Return whether two columns hold the same values, numbers to nine digits."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(left):
        return bool(np.allclose(left.astype(float), right.astype(float), rtol=1e-9, atol=1e-6, equal_nan=True))
    return bool((left.astype(str).str[:10] == right.astype(str).str[:10]).all())


TASKS: dict[str, Task] = {**CONTENDERS, "simulated": simulated, "compared": compared}


# --- report --------------------------------------------------------------------------------------------------------


def summary(runs: dict[str, list[Usage]], lines: int, folder: Path) -> dict[str, Any]:
    """Return medians and the medians of the paired ratios."""
    medians = {
        name: {
            "cpu_seconds": round(statistics.median(run.cpu_seconds for run in each), 2),
            "wall_seconds": round(statistics.median(run.wall_seconds for run in each), 2),
            "peak_mb": round(statistics.median(run.peak_mb for run in each)),
        }
        for name, each in runs.items()
    }
    ratios = {
        f"product / {name}": {
            kind: round(
                statistics.median(
                    getattr(mine, kind) / getattr(other, kind) for mine, other in zip(runs["product"], each, strict=True)
                ),
                3,
            )
            for kind in ("cpu_seconds", "wall_seconds", "peak_mb")
        }
        for name, each in runs.items()
        if name != "product" and "product" in runs
    }
    stages = folder / "product" / "stages.json"
    return {
        "lines": lines,
        "rounds": len(next(iter(runs.values()))),
        "machine": {
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "duckdb": version("duckdb"),
            "pandas": version("pandas"),
        },
        "medians": medians,
        "ratios": ratios,
        "product_cpu_seconds": json.loads(stages.read_text()) if stages.exists() else {},
        "runs": {name: [vars(run) for run in each] for name, each in runs.items()},
    }


def show(result: dict[str, Any]) -> None:
    """Print the summary as a table."""
    print(f"about {result['lines']:,} lines, {result['rounds']} rounds, {result['machine']}")
    print(f"{'':12}{'CPU s':>10}{'wall s':>10}{'peak MB':>10}")
    for name, row in result["medians"].items():
        print(f"{name:12}{row['cpu_seconds']:>10.2f}{row['wall_seconds']:>10.2f}{row['peak_mb']:>10,}")
    for pair, row in result["ratios"].items():
        limits = [f"{kind} at most {limit:.2f}" for (name, kind), limit in WANTED.items() if pair == f"product / {name}"]
        told = f"   (wanted: {', '.join(limits)})" if limits else ""
        print(f"{pair:24} CPU {row['cpu_seconds']:.2f}, wall {row['wall_seconds']:.2f}, peak {row['peak_mb']:.2f}{told}")
    print(f"product, CPU seconds per stage: {result['product_cpu_seconds']}")


def main() -> None:
    """Run the benchmark, or one contender of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0 = all processors")
    parser.add_argument("--memory-limit", default="", help="for both DuckDB contenders, e.g. 4GB")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--folder", type=Path, help="where the simulated file is kept and found again; default: a temporary folder"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        TASKS[given.task](given.data, given.folder, given.threads, given.memory_limit)
        return
    with tempfile.TemporaryDirectory(prefix="genome-bench-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / f"lines-{given.lines}-{given.seed}.parquet"
        if not data.exists():
            measured("simulated", data, folder, given.threads, given.memory_limit)
        result = compete(data, folder, given)
    print(json.dumps(result)) if given.json else show(result)


def compete(data: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Let the contenders take turns; after the first round their results are compared."""
    runs: dict[str, list[Usage]] = {name: [] for name in given.only}
    for stale in (stale for name in CONTENDERS for stale in (folder / name).glob("*.[pj]*")):
        stale.unlink()
    for turn in range(given.rounds):
        for name in given.only if turn % 2 == 0 else given.only[::-1]:
            runs[name].append(measured(name, data, folder / name, given.threads, given.memory_limit))
            print(f"round {turn + 1}: {name} {runs[name][-1]}", file=sys.stderr)
        if turn == 0 and len(given.only) > 1:
            measured("compared", data, folder, given.threads, given.memory_limit)
    return summary(runs, given.lines, folder)


if __name__ == "__main__":
    main()
