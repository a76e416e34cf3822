"""A whole run, as CPU seconds: `genome run` against a notebook of well-known libraries that answers the same questions once.

Simulates a shop's order lines to Parquet; then each contender works on them in a process of its own, on its own imports. They take turns;
medians of CPU (user + system) and peak memory are printed with the product's ratio to the others.

    product    `genome run` from the file to a published version
    before     the same of another tree of sources, where one is given (`git worktree add /tmp/before COMMIT`, then --before /tmp/before/src)
    notebook   pandas for ledger and facts, lifetimes for purchases and value, LightGBM for churn learned at one earlier cutoff, scikit-learn
               for KMeans, Ward and a mixture with 3 to 8 groups, SciPy for what is bought together; see in_notebook.py

The notebook forecasts once, without ranges, reasons, a choice among models, held-out evidence, totals by month or checks: it is
what a run is measured by, not a run.

    python benchmarks/bench_run.py                                        3,000 and 100,000 lines, three rounds
    python benchmarks/bench_run.py --lines 1000000 --rounds 1
    python benchmarks/bench_run.py --data FILE --only product before --before /tmp/before/src
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent / "src"
CONTENDERS = ("product", "before", "notebook")
RUN = "import sys; from customer_genome.interfaces.cli import main; sys.exit(main())"
SIMULATE = (
    "import sys; from customer_genome.sources.synthetic import simulate; "
    "simulate(n_lines=int(sys.argv[1]), seed=2).write_parquet(sys.argv[2])"
)


def simulated(lines: int, folder: Path) -> Path:
    """Write a simulated shop and return its file."""
    data = folder / f"lines-{lines}.parquet"
    command = [sys.executable, "-c", SIMULATE, str(lines), str(data)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(SOURCES)})
    return data


def command_of(name: str, data: Path, folder: Path) -> list[str]:
    """Return what a contender is started with."""
    if name == "notebook":
        return [sys.executable, str(HERE / "in_notebook.py"), str(data), str(folder)]
    return [sys.executable, "-c", RUN, "run", str(data), "--workspace", str(folder)]


def measured(name: str, data: Path, folder: Path, before: Path | None) -> tuple[float, float]:
    """Return CPU seconds and peak MB of one contender, its threads included."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sources = before if name == "before" and before is not None else SOURCES
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}  # compiling is not running
    more = {"PYTHONPATH": str(sources), "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled"), "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command_of(name, data, folder), env=kept | more, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{name} stopped with code {process.returncode}.")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(data: Path, folder: Path, names: list[str], rounds: int, before: Path | None) -> None:
    """Let contenders take turns and print medians and ratios."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(measured(name, data, folder / name, before))
    print(f"{'':12}{'CPU s':>10}{'peak MB':>10}{'product to it':>16}")
    for name, each in runs.items():
        cpu, peak = (statistics.median(column) for column in zip(*each, strict=True))
        ratio = statistics.median(mine[0] / other[0] for mine, other in zip(runs["product"], each, strict=True))
        print(f"{name:12}{cpu:>10.1f}{peak:>10,.0f}{ratio:>16.2f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=[3_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="a file of order lines instead; the notebook reads simulated ones only")
    parser.add_argument("--before", type=Path, help="another tree of sources")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS)
    options = parser.parse_args()
    known = [name for name in CONTENDERS if name != "before" or options.before]
    names = ["product", *(name for name in options.only or known if name != "product" and name in known)]
    names = [name for name in names if not (options.data and name == "notebook")]
    print(f"{os.cpu_count()} processors, Python {platform.python_version()}, {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        for lines in [0] if options.data else options.lines:
            data = options.data or simulated(lines, folder)
            if not (folder / "compiled").exists():
                for name in names:  # a first turn, which compiles, does not count
                    measured(name, data, folder / name, options.before)
            print(f"\n{options.data.name if options.data else f'about {lines:,} simulated lines'}")
            compare(data, folder, names, options.rounds, options.before)


if __name__ == "__main__":
    main()
