"""A refresh with 1 % new rows against a run on all rows: reading and cleaning, and the whole.

Simulates a shop (as bench_ingest.py does, sorted by time), keeps its last rows back, publishes the rest once, and then lets
a run on everything and a refresh with the rows kept back take turns, each in a process of its own. Medians of CPU (user +
system) and wall time per stage are printed with their ratios. Both publish the same customers, which is checked.

    python benchmarks/bench_refresh.py                                10 million lines, two rounds
    python benchmarks/bench_refresh.py --lines 1000000 --rounds 3
    python benchmarks/bench_refresh.py --share 0.01 --folder /tmp/b   keep the files there and find them again
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WANTED = {"read and clean": 0.15, "whole": 0.60}


class Laps:
    """CPU and wall seconds between the stages that a run announces."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self.wall: dict[str, float] = {}
        self._stage, self._cpu, self._wall = "", time.process_time(), time.perf_counter()

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """End the stage before and begin this one."""
        cpu, wall = time.process_time(), time.perf_counter()
        if self._stage:
            self.cpu[self._stage] = self.cpu.get(self._stage, 0.0) + cpu - self._cpu
            self.wall[self._stage] = self.wall.get(self._stage, 0.0) + wall - self._wall
        self._stage, self._cpu, self._wall = stage, cpu, wall


def work(task: str, data: Path, workspace: Path) -> None:
    """Run or refresh, and write down what it took."""
    from customer_genome.genome import Genome
    from customer_genome.pipeline import run
    from customer_genome.refresh import refresh
    from customer_genome.settings import read_settings
    from customer_genome.sources.catalog import describe_sources

    settings = read_settings(workspace)
    laps = Laps()
    if task == "refresh":
        result = refresh(settings, data, progress=laps)
    else:
        result = run(settings, lambda tmp: describe_sources(data, settings, tmp), progress=laps)
    with Genome.open(workspace) as genome:
        sums = genome.query(
            "select count(*) as n, sum(n_orders) as orders, sum(total_spend) as spend from customers"
        ).to_pylist()[0]
    told = {"cpu": laps.cpu, "wall": laps.wall, "rows_read": result.rows_read, "rows_added": result.rows_added, "sums": sums}
    (workspace / "laps.json").write_text(json.dumps(told, default=float))


def measured(task: str, data: Path, workspace: Path) -> dict[str, Any]:
    """Do one task in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--data", str(data), "--workspace", str(workspace)]
    subprocess.run(command, check=True, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    told: dict[str, Any] = json.loads((workspace / "laps.json").read_text())
    print(f"{task}: {told}", file=sys.stderr)
    return told


def prepared(folder: Path, lines: int, share: float) -> Path:
    """Return the folder of the shop's files: all but the last rows, and the last rows."""
    import duckdb
    from bench_ingest import simulated

    data = folder / f"shop-{lines}-{share}"
    if data.exists():
        return data
    whole = folder / f"lines-{lines}-7.parquet"
    if not whole.exists():
        simulated(whole, folder, 0, "")
    part = folder / "shop.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with duckdb.connect() as connection:
        n_rows = connection.execute(f"select count(*) from read_parquet('{whole}')").fetchone()[0]  # type: ignore[index]
        first = n_rows - int(n_rows * share)
        for name, rows in (("1-before", f"limit {first}"), ("2-new", f"offset {first}")):
            connection.execute(
                f"copy (select * from read_parquet('{whole}') {rows}) to '{part / name}.parquet' (compression zstd)"
            )
    part.replace(data)
    return data


def compete(folder: Path, data: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Publish what came before once, then let run and refresh take turns."""
    before, full, fresh = (folder / name for name in ("w-before", "w-full", "w-fresh"))
    for workspace in (before, full, fresh):
        shutil.rmtree(workspace, ignore_errors=True)
    for workspace in (before, full):
        workspace.mkdir()
    measured("run", data / "1-before.parquet", before)
    found: dict[str, list[dict[str, Any]]] = {"run": [], "refresh": []}
    for turn in range(rounds):
        for task in ("run", "refresh") if turn % 2 == 0 else ("refresh", "run"):
            if task == "refresh":
                shutil.rmtree(fresh, ignore_errors=True)
                shutil.copytree(before, fresh)
            found[task].append(measured(task, data, fresh if task == "refresh" else full))
    one, other = found["run"][0]["sums"], found["refresh"][0]["sums"]
    if any(abs(one[name] - other[name]) > 1e-9 * abs(one[name]) for name in one):
        raise SystemExit(f"Run and refresh do not agree, so nothing is compared: {one} and {other}")
    return found


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return medians per stage, and the ratios of the refresh to the run."""
    medians = {
        task: {
            kind: {stage: statistics.median(lap[kind][stage] for lap in laps) for stage in laps[0][kind]}
            for kind in ("cpu", "wall")
        }
        for task, laps in found.items()
    }
    ratios = {}
    for kind in ("cpu", "wall"):
        old, new = medians["run"][kind], medians["refresh"][kind]
        ratios[kind] = {
            "read and clean": (new["read"] + new["clean"]) / (old["read"] + old["clean"]),
            "whole": sum(new.values()) / sum(old.values()),
        }
    return {"medians": medians, "ratios": ratios, "rows_read": found["refresh"][0]["rows_read"]}


def show(result: dict[str, Any]) -> None:
    """Print the summary as a table."""
    stages = list(result["medians"]["run"]["cpu"])
    print(f"{'':16}" + "".join(f"{stage:>10}" for stage in (*stages, "whole")))
    for task, kinds in result["medians"].items():
        for kind, laps in kinds.items():
            print(
                f"{task:8} {kind:6} "
                + "".join(f"{laps.get(stage, 0):>10.2f}" for stage in stages)
                + f"{sum(laps.values()):>10.2f}"
            )
    for kind, ratios in result["ratios"].items():
        print(
            f"{kind}: " + ", ".join(f"{name} {ratio:.3f} (wanted: at most {WANTED[name]:.2f})" for name, ratio in ratios.items())
        )


def main() -> None:
    """Run the benchmark, or one task of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--share", type=float, default=0.01, help="rows that are new")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where files are kept and found again; default: a temporary folder")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--task", choices=("run", "refresh"), help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--workspace", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        work(given.task, given.data, given.workspace.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="genome-bench-") as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        result = summary(compete(folder, prepared(folder, given.lines, given.share), given.rounds))
    print(json.dumps(result)) if given.json else show(result)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
