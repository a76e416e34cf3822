"""Build the odd shop on DuckDB and on a Spark cluster, compare, and print the report: a driver process of its own.

Arguments: the master, a folder that driver and workers share, "csv" or "parquet".
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from customer_genome.proof.parity import prove_parity
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


def n_workers(engine: SparkEngine) -> int:
    """Return how many executors work for this driver."""
    return int(engine._session.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1


def main(master: str, shared: str, kind: str) -> None:
    folder = Path(shared)
    path = write_csv(odd_rows(), folder / "shop.csv") if kind == "csv" else write_parquet(odd_rows(), folder / "shop.parquet")
    sources = {"order_lines": describe_file(path, "order_lines", TableSettings(), folder)}
    settings = Settings(folder, cleaning=CleaningSettings(refunds="net"))
    duckdb = DuckDBEngine(threads=1)
    spark = SparkEngine(folder / "warehouse", master=master, shuffle_partitions=4, options=SMALL)
    until = time.monotonic() + 60
    while n_workers(spark) < 2 and time.monotonic() < until:  # the second is a moment later
        time.sleep(0.1)
    report = prove_parity(duckdb, spark, sources, settings, as_ofs=CUTOFFS, today=TODAY, scores=False)
    found = {"found": [str(difference) for difference in report.differences]}
    sys.stdout.write(json.dumps(report.as_json() | found | {"workers": n_workers(spark)}) + "\n")
    spark.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
