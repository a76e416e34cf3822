"""Helpers that read a description the way a run does: through the engine, with its own expressions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from customer_genome.contracts import INPUT_TABLES, SourceTable
from customer_genome.settings import TableSettings
from customer_genome.sources import describe_file
from customer_genome.warehouse.build import number_expression, text_expression, time_of
from customer_genome.warehouse.duckdb import DuckDBEngine

Describe = Callable[..., SourceTable]
ReadBack = Callable[[SourceTable], dict[str, list[Any]]]


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    opened = DuckDBEngine(threads=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def read_back(engine: DuckDBEngine) -> ReadBack:
    """Return a function: description -> contract column -> values as the engine reads them."""
    numbers = itertools.count()

    def read(source: SourceTable) -> dict[str, list[Any]]:
        contract = INPUT_TABLES[source.table]
        view = f"raw_{next(numbers)}"
        engine.read(source, view)
        parts = []
        for name in source.mapping:
            kind = contract.column(name).type
            if kind == "timestamp":
                expression = time_of(engine, source, name, "UTC")
            elif kind == "text":
                expression = text_expression(source, name)
            else:
                expression = f"cast({number_expression(source, name)} as double)"
            parts.append(f"{expression} as {name}")
        return engine.fetch(f"select {', '.join(parts)} from {view}").to_pydict()

    return read


@pytest.fixture
def describe(tmp_path: Path) -> Describe:
    """Return `describe_file` with a temporary workspace; settings are given as keywords."""

    def call(path: Path | str, table: str = "order_lines", **settings: Any) -> SourceTable:
        return describe_file(path, table, TableSettings(**settings), tmp_path / "workspace" / "tmp")

    return call
