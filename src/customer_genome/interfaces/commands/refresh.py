"""`genome refresh`: add new rows to the warehouse and publish again, without reading what is loaded.

Comes in: what `genome run` takes as data. Goes out: a new version, and on stdout what was read, or one JSON object.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    DataArgument,
    JsonOption,
    WorkspaceOption,
    day_of,
    print_json,
    progress_told,
    settings_of,
)

if TYPE_CHECKING:
    from customer_genome.stages.publishing import RunResult


def refresh(
    data: DataArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_of: Annotated[
        str | None, typer.Option(help="Exclusive cutoff, YYYY-MM-DD; by default the day after the last line.")
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Fit the models anew; by default the stored ones score.")] = False,
    memory_limit: Annotated[str | None, typer.Option(help="Memory for SQL, such as 4GB; by default half of the machine.")] = None,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line on stderr) or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Add the rows that are new since the last run, and publish again."""
    from customer_genome.refresh import refresh as refresh_genome

    settings = settings_of(workspace, {"engine": {"memory_limit": memory_limit}})
    cutoff = day_of(as_of) if as_of else None
    with progress_told(progress) as tell:
        result = refresh_genome(settings, data, as_of=cutoff, progress=tell, refit=refit)
    if as_json:
        print_json(result.as_json())
    else:
        show_refresh(result, settings.workspace, is_named=data is not None or "order_lines" in settings.tables)


def show_refresh(result: RunResult, workspace: Path, *, is_named: bool = True) -> None:
    """Print what was read, and the version that is current now.

    Parameters
    ----------
    is_named : bool
        Whether the command or genome.toml named data to read; where not, only time could move.
    """
    from customer_genome.interfaces import terminal
    from customer_genome.interfaces.views.figures import day, quantity

    typer.echo(
        f"{quantity(result.rows_read, 'rows')} read: {quantity(result.rows_added, 'new rows')} added, "
        f"{quantity(result.rows_seen, 'rows')} loaded before" + files_text(result) + "."
    )
    if not is_named:
        typer.echo(f"No data were named, so none were read. To read what is new: `genome refresh {_data_of(workspace)}`.")
    if result.is_new:
        terminal.show_run(result, workspace)
        return
    typer.echo(
        f"Nothing is new as of {day(result.as_of)}: {result.version} with {quantity(result.customers, 'customers')} stays current. "
        "Name a later day with --as-of to move recency and windows on."
    )
    for notice in result.notices:
        typer.echo(f"· {notice}")


def _data_of(workspace: Path) -> str:
    """Return what the last run read, as it was given; the word DATA where that is not known."""
    from customer_genome.errors import GenomeError
    from customer_genome.interfaces.recipes import recall
    from customer_genome.workspace import Workspace

    try:
        return recall(Workspace(workspace)).data or "DATA"
    except GenomeError:
        return "DATA"


def files_text(result: RunResult) -> str:
    """Return how many files were read and how many were known, where there are files."""
    from customer_genome.interfaces.views.figures import count, quantity

    if not result.files_read and not result.files_skipped:
        return ""
    return f"; {quantity(len(result.files_read), 'files')} read, {count(len(result.files_skipped))} skipped because their rows are loaded"
