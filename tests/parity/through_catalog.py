"""Read order lines from a table of Spark's catalog and export into another database of it: a process of its own.

Arguments: a folder. Prints one JSON object: what was read, and what the catalog holds afterwards.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from customer_genome import simulate
from customer_genome.errors import SourceError
from customer_genome.settings import EngineSettings, Settings
from customer_genome.sources.catalog import describe_run
from customer_genome.warehouse.opening import catalog_sample, open_engine
from customer_genome.warehouse.spark_session import open_session

QUIET = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"


def main(place: str) -> None:
    folder = Path(place)
    options = {
        "spark.driver.extraJavaOptions": f"{QUIET} -Dderby.system.home={folder}",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(folder / "tables"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
    }
    session = open_session("local[2]", "", options, sys.executable)
    session.sql("create database shop")
    lines = simulate(n_lines=3_000, seed=5).order_lines().read_all()
    session.createDataFrame(lines).write.saveAsTable("shop.order_lines")
    chosen = EngineSettings(name="spark", spark_master="local[2]", spark_options=options, spark_database="genome")
    settings = Settings(folder / "workspace", engine=chosen)
    try:
        describe_run("spark-table:shop.order_line", settings, folder, None, catalog_sample(chosen))
        refused = ""
    except SourceError as err:
        refused = str(err)
    source = describe_run("spark-table:shop.order_lines", settings, folder, None, catalog_sample(chosen))["order_lines"]
    engine = open_engine(chosen, folder / "building", folder / "spill")
    engine.read(source, "raw_lines")
    customer, time = (source.mapping[name][0] for name in ("customer_id", "ordered_at"))
    for _ in range(2):  # a table that is there is replaced
        (folder / "version").mkdir(exist_ok=True)
        customers = f'select "{customer}" as customer_id, max("{time}") as last_at from raw_lines group by 1 order by 1'
        engine.export(folder / "version", {"ledger": "select count(*) as n from raw_lines"}, {"customers": customers})
        for written in sorted((folder / "version").rglob("*"), reverse=True):
            written.rmdir() if written.is_dir() else written.unlink()
    found = {
        "n_lines": len(lines),
        "n_customers": len(lines["customer_id"].unique()),
        "lines": engine.fetch("select n from genome.ledger")["n"][0].as_py(),
        "customers": engine.fetch("select count(distinct customer_id) as n from genome.customers")["n"][0].as_py(),
        "last_at": str(engine.fetch("select max(last_at) as at from genome.customers")["at"][0].as_py()),
        "wanted_last_at": str(max(lines["ordered_at"].to_pylist())),
        "refused": refused,
    }
    engine.close()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
