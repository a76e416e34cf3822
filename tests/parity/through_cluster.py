"""Build the odd shop on DuckDB and on a Spark cluster, compare, and print the report: a driver process of its own.

Arguments: the master, a folder that driver and workers share, "csv" or "parquet", and optionally the process id of a
worker to kill while it works.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from customer_genome.parity import prove_parity
from customer_genome.settings import CleaningSettings, Settings, TableSettings
from customer_genome.sources import describe_file
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.warehouse.spark import SparkEngine
from odd_shop import CUTOFFS, TODAY, odd_rows, write_csv, write_parquet

SMALL = {
    "spark.executor.memory": "600m",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
}


class Disturbed(SparkEngine):
    """A Spark engine that loses a worker while it matches returns."""

    worker = 0

    def n_workers(self) -> int:
        """Return how many executors work for this driver."""
        return int(self._session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1

    def create_table(self, name: str, select: str, *, keep: bool = False) -> None:
        if self.worker and name == "return_matches":
            threading.Timer(0.3, os.kill, (self.worker, signal.SIGKILL)).start()
        super().create_table(name, select, keep=keep)


def main(master: str, shared: str, kind: str, worker: str = "0") -> None:
    folder = Path(shared)
    path = write_csv(odd_rows(), folder / "shop.csv") if kind == "csv" else write_parquet(odd_rows(), folder / "shop.parquet")
    sources = {"order_lines": describe_file(path, "order_lines", TableSettings(), folder)}
    settings = Settings(folder, cleaning=CleaningSettings(refunds="net"))
    duckdb = DuckDBEngine(threads=1)
    spark = Disturbed(folder / "warehouse", master=master, shuffle_partitions=4, options=SMALL)
    spark.worker = int(worker)
    until = time.monotonic() + 60
    while spark.n_workers() < 2 and time.monotonic() < until:  # the second is a moment later
        time.sleep(0.1)
    before = spark.n_workers()
    report = prove_parity(duckdb, spark, sources, settings, as_ofs=CUTOFFS, today=TODAY)
    found = {"found": [str(difference) for difference in report.differences]}
    sys.stdout.write(json.dumps(report.as_json() | found | {"workers": [before, spark.n_workers()]}) + "\n")
    spark.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
