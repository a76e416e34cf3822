"""Small shops carried through the real path and published, for the tests of what people look at."""

from __future__ import annotations

import atexit
import csv
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from customer_genome.genome import Genome
from customer_genome.pipeline import run
from customer_genome.settings import read_settings
from customer_genome.sources.catalog import describe_sources
from customer_genome.sources.synthetic import simulate

SETTINGS = '[shop]\nname = "Corner Shop"\ncurrency = "GBP"\n'
HOSTILE_ID = "![x](http://198.51.100.7/x.png)<img src=http://198.51.100.7/y.png> $a$ :red[b] 'or 1=1--"
HOSTILE_COUNTRY = "[Land](http://198.51.100.7) & <b>bold</b>"


def publish(workspace: Path, data: Path, settings: str = SETTINGS) -> None:
    """Run the whole path on a file."""
    workspace.mkdir(parents=True, exist_ok=True)
    (workspace / "genome.toml").write_text(settings, "utf-8")
    read = read_settings(workspace)
    run(read, lambda tmp: describe_sources(str(data), read, tmp))


def publish_simulated(workspace: Path, n_lines: int = 3000, seed: int = 2) -> None:
    """Publish a simulated shop of a few hundred customers in several countries, as the first version of a workspace.

    The whole path is run once per process for the same shop; every workspace gets a copy of what came out.
    """
    assert not (workspace / "published").exists(), "this workspace has a version: use `publish` for the next"
    shutil.copytree(_simulated_once(n_lines, seed), workspace, dirs_exist_ok=True)


@cache
def _simulated_once(n_lines: int, seed: int) -> Path:
    """Return a workspace that nobody else writes to, with a simulated shop published; it is there until the process ends."""
    workspace = Path(tempfile.mkdtemp(prefix="genome-shop-"))
    atexit.register(shutil.rmtree, workspace, ignore_errors=True)
    simulate(n_lines=n_lines, seed=seed).write_parquet(workspace / "lines.parquet")
    publish(workspace, workspace / "lines.parquet")
    return workspace


def publish_rows(workspace: Path, rows: Iterable[Sequence[object]], settings: str = SETTINGS) -> None:
    """Publish lines of (customer, order, day, product, quantity, price, country)."""
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / "lines.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "order_id", "ordered_at", "product_id", "quantity", "price", "country"])
        writer.writerows(rows)
    publish(workspace, workspace / "lines.csv", settings)


def one_customer() -> list[tuple[object, ...]]:
    """Return the lines of a shop with one customer and one order."""
    return [("only", "o1", "2024-03-01", "p1", 2, 5.0, "France")]


def hostile_customers() -> list[tuple[object, ...]]:
    """Return lines whose texts try to be Markdown, HTML and SQL."""
    return [
        (
            HOSTILE_ID if n == 0 else f"{n}*_`",
            f"o{n}{m}",
            f"2024-{m:02}-1{n % 9}",
            "p1",
            1,
            10.0 + n,
            HOSTILE_COUNTRY if n % 2 else "France",
        )
        for n in range(12)
        for m in range(1, 2 + n % 5)
    ]


def answer(workspace: Path, sql: str, *parameters: object) -> object:
    """Return the single value of a query on the current version, asked without the dashboard."""
    with Genome.open(workspace) as genome:
        return genome.query(sql, parameters).column(0)[0].as_py()
