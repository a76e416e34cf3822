"""The product from Python: run it on a frame or a file, and read what it published.

Comes in: pandas, Arrow, a path or the name of public data, and settings as plain values. Goes out: a `RunResult`; results
are read with `Genome.open`. It is the same path that `genome run` takes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customer_genome.errors import SettingsError
from customer_genome.pipeline import run as run_pipeline
from customer_genome.settings import merged, read_settings
from customer_genome.sources.catalog import describe_run
from customer_genome.sources.customer_level import LEVELS, Level
from customer_genome.stages.job import Progress, silent
from customer_genome.stages.publishing import RunResult
from customer_genome.warehouse.opening import catalog_sample


def run(
    data: Any,
    workspace: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    as_of: dt.date | str | None = None,
    level: Level | None = None,
    today: dt.date | None = None,
    progress: Progress = silent,
    refit: bool = True,
) -> RunResult:
    """Turn order lines, or one row per customer with totals, into a published customer genome.

    Parameters
    ----------
    data : pandas DataFrame, pyarrow Table or RecordBatchReader, path, database address, or public name
        Order lines or customers with totals. Headers are matched as for files; public names and databases hold order lines.
    workspace : path
        Folder for results; made when needed. A genome.toml in it holds.
    settings : mapping, optional
        Sections as in genome.toml, on top of the file: {"cleaning": {"refunds": "net"},
        "tables": {"order_lines": {"columns": {"customer_id": "Client"}}}}.
    as_of : date, or text such as "2011-12-10", optional
        Exclusive cutoff; by default the day after the last kept line, and today for customers with totals.
    level : "orders", "customers" or "ratings", optional
        What the data are; by default what their columns say.
    refit : bool
        False scores with the models stored by the last run that fitted.

    Returns
    -------
    RunResult

    Raises
    ------
    GenomeError
        With what was wrong, where, and the next step.

    Examples
    --------
    >>> import tempfile
    >>> from customer_genome import Genome, run, simulate
    >>> lines = simulate(n_lines=2_000, seed=1).order_lines().read_all()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = run(lines, folder)
    ...     with Genome.open(folder) as genome:
    ...         n_customers = genome.table("customers").num_rows
    >>> result.version, result.customers == n_customers
    ('v00001', True)
    """
    if level is not None and level not in LEVELS:
        raise SettingsError(f"level={level!r} is not known. Wanted: {', '.join(LEVELS)}; leave it out to let the columns say.")
    cutoff = _day(as_of)
    folder = Path(workspace).expanduser().resolve()
    chosen = merged(read_settings(folder), settings or {})
    return run_pipeline(
        chosen,
        lambda tmp: describe_run(data, chosen, tmp, level, catalog_sample(chosen.engine)),
        as_of=cutoff,
        today=today,
        progress=progress,
        refit=refit,
    )


def _day(as_of: dt.date | str | None) -> dt.date | None:
    """Return a cutoff as a day; SettingsError for what is none."""
    try:
        day = dt.date.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    except ValueError as err:
        raise SettingsError(f"as_of={as_of!r} is not a day. Wanted: a date, or text such as 2011-06-12.") from err
    if isinstance(day, dt.datetime):
        return day.date()
    if day is not None and not isinstance(day, dt.date):
        raise SettingsError(f"as_of={as_of!r} is not a day. Wanted: a date, or text such as 2011-06-12.")
    return day
