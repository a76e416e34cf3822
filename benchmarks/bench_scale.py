"""How the whole run grows: CPU, wall time, peak memory and disk of `genome run` from a million lines up.

Simulates one shop per size, runs the whole path from file to published version in a process of its own, and prints one row per
size with the slope between neighbours: 1.00 is linear growth. What a size needs at most on disk is looked at while it runs.

    python benchmarks/bench_scale.py                                             1 and 10 million lines
    python benchmarks/bench_scale.py --lines 1e6 1e7 5e7 1e8 --memory-limit 4GB
    python benchmarks/bench_scale.py --engine spark --master "local[2]" --lines 1e6 1e7
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

GENOME = Path(sys.executable).with_name("genome")
LOOK_EVERY_SECONDS = 1.0


def measured(command: list[str], watched: Path) -> dict[str, Any]:
    """Run a command; return what its processes used (Java and its workers too), the most disk its folder held, its output.

    CPU seconds are those of all processes of the command's session, each as it was last seen; what a process uses after the
    last look at it, a second at most, is missing. Memory is that of the largest process.
    """
    started, most = time.perf_counter(), 0
    ticks: dict[int, int] = {}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}, start_new_session=True)
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            most = max(most, bytes_in(watched))
            ticks |= ticks_of_session(process.pid)
            time.sleep(LOOK_EVERY_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} stopped with code {process.returncode}: {printed.strip()[-500:]}")
    ticks.pop(process.pid, None)
    others = sum(ticks.values()) / os.sysconf("SC_CLK_TCK")
    return {
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime + others, 1),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
        "most_disk_mb": round(max(most, bytes_in(watched)) / 1e6),
        "printed": printed,
    }


def ticks_of_session(session: int) -> dict[int, int]:
    """Return the CPU time of every running process of a session in clock ticks, by process id (Linux only)."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found[int(place.parent.name)] = int(fields[11]) + int(fields[12])
    return found


def bytes_in(folder: Path) -> int:
    """Return the size of the files below a folder; files that go meanwhile count as nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total


def run_size(lines: int, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Simulate a shop of about `lines` lines when it is not there yet, run the product on it, return what that took."""
    data, workspace = folder / f"shop-{lines}-{given.seed}.parquet", folder / "workspace"
    if not data.exists():
        subprocess.run(
            [GENOME, "simulate", "-o", data, "--lines", str(lines), "--seed", str(given.seed)], check=True, stdout=sys.stderr
        )
    shutil.rmtree(workspace, ignore_errors=True)
    command = [str(GENOME), "run", str(data), "--workspace", str(workspace), "--progress", "none", "--json"]
    command += ["--memory-limit", given.memory_limit] if given.memory_limit else []
    command += ["--engine", "spark", "--spark-master", given.master] if given.engine == "spark" else []
    used = measured(command, workspace)
    result = json.loads(used.pop("printed"))
    row = {
        "lines": sum(entry["rows"] for entry in result["ledger"].values()),
        "customers": result["customers"],
        **used,
        "input_mb": round(data.stat().st_size / 1e6),
        "kept_disk_mb": round(bytes_in(workspace) / 1e6),
        "seconds": result["seconds"],
    }
    shutil.rmtree(workspace, ignore_errors=True)
    if not given.keep:
        data.unlink()
    return row


def slope(before: dict[str, Any], after: dict[str, Any], key: str) -> float:
    """Return the exponent of growth in lines between two sizes."""
    return math.log(after[key] / before[key]) / math.log(after["lines"] / before["lines"])


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table, with the slope of CPU and wall time against the size before."""
    titles = (
        "lines",
        "customers",
        "CPU s",
        "slope",
        "wall s",
        "slope",
        "peak MB",
        "most disk MB",
        "kept disk MB",
        "wall s by stage",
    )
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for place, row in enumerate(rows):
        slopes = [f"{slope(rows[place - 1], row, key):.2f}" if place else "" for key in ("cpu_seconds", "wall_seconds")]
        stages = ", ".join(f"{name} {seconds:.0f}" for name, seconds in row["seconds"].items() if name != "total")
        cells = [
            f"{row['lines']:,}",
            f"{row['customers']:,}",
            f"{row['cpu_seconds']:,.0f}",
            slopes[0],
            f"{row['wall_seconds']:,.0f}",
            slopes[1],
        ]
        cells += [f"{row[key]:,}" for key in ("peak_mb", "most_disk_mb", "kept_disk_mb")]
        print("| " + " | ".join([*cells, stages]) + " |")


def main() -> None:
    """Run the sizes, smallest first; results so far are kept when a later size stops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=float, nargs="+", default=[1e6, 1e7])
    parser.add_argument("--memory-limit", default="", help="for SQL, e.g. 4GB; default: half of the machine")
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    parser.add_argument("--master", default="local[2]", help="Spark master")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, help="where simulated shops and workspaces lie; default: a temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep the simulated shops")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    machine = {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "engine": given.engine,
    }
    rows = []
    with tempfile.TemporaryDirectory(prefix="genome-scale-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for lines in sorted(int(lines) for lines in given.lines):
            rows.append(run_size(lines, folder, given))
            print(json.dumps(rows[-1]), file=sys.stderr)
    print(json.dumps({"machine": machine, "memory_limit": given.memory_limit, "rows": rows})) if given.json else show(rows)


if __name__ == "__main__":
    main()
