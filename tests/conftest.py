"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
