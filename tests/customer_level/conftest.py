"""Small tables of customers with totals, and one published workspace made from such a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from customer_genome import run
from totals_tables import Rows, totals_of


@pytest.fixture
def totals() -> Rows:
    """Give totals of 60 customers."""
    return totals_of(60)


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    """Write a table as CSV and return its path."""

    def write(rows: Mapping[str, list[Any]], name: str = "customers.csv") -> Path:
        path = tmp_path / name
        pa_csv.write_csv(pa.table(dict(rows)), path)
        return path

    return write


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish 120 customers twice, the second time with some of them changed, so that there is something to compare."""
    workspace = tmp_path_factory.mktemp("totals") / "workspace"
    before = totals_of(120)
    settings = {"segments": {"k": 3}, "shop": {"currency": "EUR"}}
    run(pa.table(before), workspace, settings=settings)
    after = {name: list(values) for name, values in before.items()}
    for place in range(0, 120, 7):
        after["total_orders"][place] += 1
        after["total_spend"][place] = round(after["total_spend"][place] * 1.3, 2)
        after["avg_order_value"][place] = after["total_spend"][place] / after["total_orders"][place]
        after["recency_days"][place] = 1
    run(pa.table(after), workspace, settings=settings)
    return workspace
