"""Starting Spark: one for each process, quiet, with the options that make SQL mean what it means on DuckDB.

Comes in: the master's address, sizes and further options. Goes out: a session of its own in the one Spark of this process.
It knows nothing of tables.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from customer_genome.errors import EngineError, SourceError, did_you_mean
from customer_genome.warehouse.spark_places import is_loopback, java_size, require_java, require_master
from customer_genome.warehouse.spark_text import engine_error

WORKER_SECONDS = 60
_DRIVER_OPTIONS, _EXECUTOR_OPTIONS = "spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions"
_IN_UTC = (
    "-Duser.timezone=UTC"  # else a day goes from a driver to workers of another zone as an instant, and is another day there
)

# What makes a statement mean on Spark what it means on DuckDB.
SQL_OPTIONS: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.datetime.java8API.enabled": "true",  # days travel as days, whatever the zone of a machine
    "spark.sql.csv.parser.columnPruning.enabled": "false",  # else a line's width goes unseen
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


def open_session(master: str, memory_limit: str, options: Mapping[str, str], worker_python: str) -> SparkSession:
    """Return a session of its own in the one Spark of this process, started when there is none."""
    active = SparkContext._active_spark_context
    if active is not None and active.master == master:
        return SparkSession.builder.getOrCreate().newSession()
    if active is not None:
        raise EngineError(
            f"This process already works for the Spark master {active.master}; {master} was asked for. "
            "Close the first engine, or start another process."
        )
    require_java()
    require_master(master)
    try:
        session = _start(master, memory_limit, options)
        session.sparkContext.pythonExec = worker_python
        _require_worker(session, master)
    except (PySparkException, Py4JError) as err:
        raise engine_error(err, "") from err
    return session


def sample_of_table(
    name: str, master: str, memory_limit: str, options: Mapping[str, str], worker_python: str, most: int = 16_000
) -> pa.Table:
    """Return up to `most` rows of a table that the catalog knows.

    Raises
    ------
    SourceError
        When the catalog knows no such table, with near names of its database.
    """
    session = open_session(master, memory_limit, options, worker_python or sys.executable)
    for option, value in SQL_OPTIONS.items():
        session.conf.set(option, value)
    try:
        if not session.catalog.tableExists(name):
            raise SourceError(_unknown_table(session, name))
        return session.table(name).limit(most).toArrow()
    except (PySparkException, Py4JError) as err:
        raise engine_error(err, f"select * from {name}") from err


def _unknown_table(session: SparkSession, name: str) -> str:
    """Say that the catalog knows no such table, and which ones it knows."""
    database, _, table = name.rpartition(".")
    place = database or session.catalog.currentDatabase()
    if not session.catalog.databaseExists(place):
        known = sorted(found.name for found in session.catalog.listDatabases())
        return f"Spark's catalog has no database {place}.{did_you_mean(place, known)} Databases: {', '.join(known)}."
    known = sorted(found.name for found in session.catalog.listTables(place) if not found.isTemporary)
    listed = ", ".join(known[:10]) or "none; is the metastore named under [engine.spark_options]?"
    return f"Spark's catalog has no table {table} in {place}.{did_you_mean(table, known)} Tables there: {listed}"


def _start(master: str, memory_limit: str, options: Mapping[str, str]) -> SparkSession:
    """Start Spark, quiet, with no web page of its own."""
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)  # else every refused statement is told twice
    settings = Path(str(files("customer_genome.warehouse").joinpath("log4j2_spark.properties"))).as_uri()
    builder = (
        SparkSession.builder.master(master)
        .appName("customer-genome")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.log.level", "ERROR")
        .config(_DRIVER_OPTIONS, f"{_IN_UTC} -Dlog4j2.configurationFile={settings} {options.get(_DRIVER_OPTIONS, '')}".strip())
        .config(_EXECUTOR_OPTIONS, f"{_IN_UTC} {options.get(_EXECUTOR_OPTIONS, '')}".strip())
    )
    if is_loopback(master):
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    if memory_limit:
        builder = builder.config("spark.driver.memory", java_size(memory_limit))
    for name, value in options.items():
        if name not in (_DRIVER_OPTIONS, _EXECUTOR_OPTIONS):
            builder = builder.config(name, value)
    return builder.getOrCreate()


def _require_worker(session: SparkSession, master: str) -> None:
    """Raise when a standalone master has given no worker within `WORKER_SECONDS`; Spark itself would wait for ever."""
    if not master.startswith("spark://"):
        return
    context: Any = session.sparkContext._jsc
    until = time.monotonic() + WORKER_SECONDS
    while context.sc().getExecutorMemoryStatus().size() < 2:  # the driver counts as one
        if time.monotonic() > until:
            session.stop()
            raise EngineError(
                f"The Spark master {master} gave no worker within {WORKER_SECONDS} seconds. Check on its web page that workers are "
                "registered and have free cores, and as much memory as spark.executor.memory asks for."
            )
        time.sleep(0.1)
