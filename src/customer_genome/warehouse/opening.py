"""Open the engine that the settings name.

Comes in: engine settings, the file in which a warehouse on one machine is built, a folder for work files. Goes out: an
engine. Spark is loaded only where it is asked for.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa

from customer_genome.errors import SettingsError
from customer_genome.settings import EngineSettings
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.warehouse.engine import Engine


def open_engine(settings: EngineSettings, building: Path, spill: Path) -> Engine:
    """Return the engine of a run.

    Parameters
    ----------
    building : Path
        The warehouse file that DuckDB builds.
    spill : Path
        Folder for what does not fit in memory, and for Spark's tables where no shared folder is named.

    Raises
    ------
    SettingsError
        When Spark is asked for and PySpark or Java is missing.
    EngineError
        When the Spark master cannot be reached or has no worker.
    """
    if settings.name == "duckdb":
        return DuckDBEngine(building, settings.memory_limit, settings.threads, spill)
    _require_pyspark()
    from customer_genome.warehouse.spark import SparkEngine

    shared = Path(settings.spark_folder) if settings.spark_folder else spill
    own = shared / f"genome-{hashlib.sha256(str(building).encode()).hexdigest()[:12]}"
    shutil.rmtree(own, ignore_errors=True)  # of a run that was killed: its workspace writes one run at a time
    return SparkEngine(
        own,
        master=settings.spark_master,
        memory_limit=settings.memory_limit,
        worker_python=settings.worker_python,
        options=settings.spark_options,
        is_temporary=True,
        database=settings.spark_database,
    )


def catalog_sample(settings: EngineSettings) -> Callable[[str], pa.Table] | None:
    """Return what looks at a table of Spark's catalog; None where the engine is another.

    The Spark that is started for it is the one that the run goes on with.
    """
    if settings.name != "spark":
        return None

    def sample(name: str) -> pa.Table:
        _require_pyspark()
        from customer_genome.warehouse.spark_session import sample_of_table

        return sample_of_table(name, settings.spark_master, settings.memory_limit, settings.spark_options, settings.worker_python)

    return sample


def _require_pyspark() -> None:
    if find_spec("pyspark") is None:
        raise SettingsError(
            "The Spark engine needs PySpark, which is not installed. Install it with `pip install 'customer-genome[spark]'`, "
            'or run with --engine duckdb (name = "duckdb" under [engine] in genome.toml).'
        )
