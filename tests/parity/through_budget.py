"""Run the whole path on Spark with a small driver and count the rows that reach this process: a process of its own.

Arguments: a Parquet file of order lines, a workspace, the customers of whom spend and clusters are learned, those of whom clock and
choice of model are, and the purchases that recommendations are learned from. Prints one JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from pyspark.sql.classic.dataframe import DataFrame

from customer_genome.features import past, trials
from customer_genome.pipeline import run
from customer_genome.settings import Settings, merged
from customer_genome.sources.catalog import describe_sources

OPTIONS = {
    "spark.driver.maxResultSize": "64m",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "4",
}
WAYS = ("toArrow", "collect", "toPandas", "toLocalIterator", "take", "head", "first", "tail", "show")
arrived: list[tuple[int, list[str]]] = []


def watch(way: str) -> None:
    """Count the rows that a method of frames hands to this process; inner calls of one method by another count once."""
    usual = getattr(DataFrame, way)

    def watched(frame: DataFrame, *arguments: Any, **named: Any) -> Any:
        before = len(arrived)
        found = usual(frame, *arguments, **named)
        n_rows = found.num_rows if way == "toArrow" else len(found) if hasattr(found, "__len__") else 1
        if way == "toArrow" and "codes" in frame.columns:  # a customer's row holds as many purchases
            n_rows += sum(len(part.flatten()) for part in found["codes"].chunks)
        if len(arrived) == before:
            arrived.append((n_rows, frame.columns))
        return found

    setattr(DataFrame, way, watched)


def peak_of_java() -> float:
    """Return the most memory a child of this process called java has held, in MB."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines() if ":" in line)
        except OSError:
            continue
        if lines["Name"].strip() == "java" and int(lines["PPid"]) in (_me(), *_children()):
            return float(lines["VmHWM"].split()[0]) / 1e3
    return 0.0


def _me() -> int:
    return int(Path("/proc/self/stat").read_text("utf-8").split()[0])


def _children() -> list[int]:
    return [int(one) for one in Path(f"/proc/self/task/{_me()}/children").read_text("utf-8").split()]


def main(lines: str, workspace: str, fit_sample: str, most_in_trials: str, most_purchases: str) -> None:
    for drawn in (trials.known_purchases, trials.known_before, past.mark_before):
        drawn.__defaults__ = (int(most_in_trials),)
    for way in WAYS:
        watch(way)
    engine = {"name": "spark", "spark_master": "local[2]", "memory_limit": "1GB", "spark_options": OPTIONS}
    learned = {"prediction": {"fit_sample": int(fit_sample)}, "recommend": {"most_purchases": int(most_purchases)}}
    settings = merged(Settings(Path(workspace)), {"engine": engine, **learned})
    peak = 0.0

    def note(stage: str, share: float, message: str) -> None:
        nonlocal peak
        peak = max(peak, peak_of_java())

    started = time.monotonic()
    result = run(settings, lambda tmp: describe_sources(lines, settings, tmp), progress=note)
    answer = {
        "customers": result.customers,
        "lines": result.lines,
        "arrived": sorted(arrived, reverse=True),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "java_mb": round(peak),
        "python_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
