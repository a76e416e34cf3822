"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from customer_genome.warehouse.spark import SparkEngine

# No test asserts a time: a shared machine would make it fail now and then.
settings.register_profile("genome", deadline=None)
settings.load_profile("genome")


@pytest.fixture(scope="session")
def genome_data() -> Path:
    """Return the folder of real data sets named by GENOME_DATA; skip where it is not set."""
    folder = os.environ.get("GENOME_DATA")
    if not folder:
        pytest.skip("real data: set GENOME_DATA to the folder that holds cdnow/, online_retail.parquet, ...")
    return Path(folder)


@pytest.fixture(scope="session")
def local_spark() -> Iterator[Callable[[], SparkEngine]]:
    """Return a function that opens an engine on this machine; all share one Spark, which starts once."""
    from customer_genome.warehouse.spark import SparkEngine

    # Small data: what counts is how soon Java is warm, not how fast it then runs.
    java = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"}
    keeper = SparkEngine(master="local[2]", memory_limit="2GB", options=java)
    yield lambda: SparkEngine(master="local[2]")
    keeper.close()
