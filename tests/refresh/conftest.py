"""A small published shop to refresh: its models are fitted once, its workspace is copied for every test."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from customer_genome.pipeline import run
from customer_genome.refresh import refresh
from customer_genome.settings import merged, read_settings
from customer_genome.sources.catalog import describe_sources
from customer_genome.sources.synthetic import simulate
from customer_genome.stages.publishing import RunResult

TODAY = dt.date(2026, 1, 1)
HEADER = ("customer_id", "order_id", "ordered_at", "product_id", "quantity", "price", "country")


def write_rows(path: Path, rows: Iterable[Iterable[Any]], header: Iterable[str] = HEADER) -> Path:
    """Write rows as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def append_rows(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Append rows to a CSV file."""
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@dataclass(frozen=True)
class Shop:
    """A workspace, the folder of files behind it, and rows to come."""

    root: Path
    rows: list[list[Any]]
    later: list[list[Any]]

    @property
    def workspace(self) -> Path:
        return self.root / "w"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def first(self) -> Path:
        return self.data / "2023.csv"

    def run(self, data: Any = None, *, refit: bool = False, settings: Mapping[str, Any] | None = None, **given: Any) -> RunResult:
        """Read everything anew."""
        chosen = merged(read_settings(self.workspace), settings or {})
        source = self.data if data is None else data
        return run(chosen, lambda tmp: describe_sources(source, chosen, tmp), refit=refit, **{"today": TODAY, **given})

    def refresh(self, data: Any = None, *, settings: Mapping[str, Any] | None = None, **given: Any) -> RunResult:
        """Read what is new."""
        chosen = merged(read_settings(self.workspace), settings or {})
        return refresh(chosen, self.data if data is None else data, **{"today": TODAY, **given})


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop published once; its last 60 rows are still to come."""
    root = tmp_path_factory.mktemp("refresh")
    table = simulate(n_lines=900, seed=5, refund_rate=0.05).order_lines().read_all().select(list(HEADER))
    rows = sorted(([str(value) for value in row.values()] for row in table.to_pylist()), key=lambda row: (row[2], row))
    shop = Shop(root, rows[:-60], rows[-60:])
    write_rows(shop.first, shop.rows)
    shop.workspace.mkdir()
    shop.run(refit=True)
    return shop


@pytest.fixture
def shop(published: Shop, tmp_path: Path) -> Shop:
    """The published shop, for one test to change."""
    shutil.copytree(published.workspace, tmp_path / "w")
    shutil.copytree(published.data, tmp_path / "data")
    return Shop(tmp_path, published.rows, published.later)


@pytest.fixture
def another(published: Shop, tmp_path: Path) -> Callable[[str], Shop]:
    """Return workspaces of their own that hold the fitted models and nothing else."""

    def made(name: str) -> Shop:
        (tmp_path / name / "w").mkdir(parents=True)
        shutil.copytree(published.workspace / "models", tmp_path / name / "w" / "models")
        return Shop(tmp_path / name, published.rows, published.later)

    return made
