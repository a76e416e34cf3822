"""`genome parity`: build everything on DuckDB and on Spark, and say what differs.

Comes in: data, and the settings of a workspace. Goes out: tables compared and differences on stdout, or one JSON object. It
works in a temporary folder; nothing of the workspace changes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    WorkspaceOption,
    print_json,
    usage_errors,
)

if TYPE_CHECKING:
    from customer_genome.proof.parity import ParityReport
    from customer_genome.settings import Settings
    from customer_genome.stages.job import Progress


def parity(
    data: Annotated[str | None, typer.Argument(help="What `genome run` takes; by default what genome.toml names.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    master: Annotated[
        str | None, typer.Option(help="Where Spark runs: local[2] (this machine, two cores), spark://host:port, ...")
    ] = None,
    spark_folder: Annotated[
        Path | None, typer.Option(help="Folder for Spark's tables that every worker sees under the same path.")
    ] = None,
    refunds: Annotated[str | None, typer.Option(help="drop: returns leave. net: returns reduce earlier purchases.")] = None,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line on stderr) or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Prove that DuckDB and Spark give the same tables; exit code 1 where they do not."""
    from customer_genome.interfaces import terminal
    from customer_genome.settings import merged, read_settings

    settings = read_settings(workspace.expanduser().resolve())
    folder = str(spark_folder.expanduser().resolve()) if spark_folder else settings.engine.spark_folder
    engine = {"spark_master": master or "local[2]", **({"spark_folder": folder} if folder else {})}
    with usage_errors():
        settings = merged(settings, {"engine": engine, **({"cleaning": {"refunds": refunds}} if refunds else {})})
        with terminal.progress_of(progress) as tell:
            report = _prove(settings, data, tell)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    if report.differences:
        raise typer.Exit(1)


def _prove(settings: Settings, data: str | None, tell: Progress) -> ParityReport:
    """Build and publish on both engines in a temporary folder, and compare."""
    from dataclasses import replace

    from customer_genome.proof.parity import prove_parity
    from customer_genome.sources.catalog import describe_sources
    from customer_genome.warehouse.opening import open_engine

    with tempfile.TemporaryDirectory(prefix="genome-parity-") as name:
        folder = Path(name)
        sources = describe_sources(data, settings, folder)
        spark = open_engine(replace(settings.engine, name="spark"), folder / "no.duckdb", folder)
        duckdb = open_engine(replace(settings.engine, name="duckdb"), folder / "parity.duckdb", folder)
        try:
            return prove_parity(duckdb, spark, sources, settings, folder=folder / "published", progress=tell)
        finally:
            duckdb.close()
            spark.close()


def _show(report: ParityReport) -> None:
    """Print every table with its rows, columns and largest difference, then what differs."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, header in enumerate(("table", "rows", "columns", "that differ", "largest relative difference")):
        table.add_column(header, justify="right" if place else "left", overflow="fold")
    for one in report.tables:
        largest = f"{one.max_relative_difference:.1e}" if one.max_relative_difference else "0"
        table.add_row(one.table, f"{one.rows[0]:,}", str(len(one.columns)), str(len(one.differences)), largest)
    console = Console(highlight=False, markup=False)
    console.print(table)
    for difference in report.differences:
        where = f"{difference.table}.{difference.column}" if difference.column else difference.table
        console.print(f"{where}: {difference.n_rows:,} rows differ, such as {'; '.join(difference.examples)[:400]}")
    n_columns = sum(len(one.columns) for one in report.tables)
    console.print(
        f"{len(report.differences)} differences in {len(report.tables)} tables and {n_columns} columns on {' and '.join(report.engines)}; "
        f"largest relative difference {report.max_relative_difference:.1e}."
    )
