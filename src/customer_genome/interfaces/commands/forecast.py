"""`genome forecast`: what every customer will do after a day, from what was known before it, as a CSV or Parquet file.

Comes in: what `genome run` takes as data, a cutoff, a horizon. Goes out: a file that appears whole or not at all. Nothing is
published.
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
    settings_of,
    stop,
    usage_errors,
)

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".csv", ".parquet")


def forecast(
    as_of: Annotated[str, typer.Option(help="Exclusive cutoff, YYYY-MM-DD: only what was known before it is used.")],
    horizon_days: Annotated[int, typer.Option(help="Days to forecast from the cutoff on.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .csv or .parquet.")],
    data: DataArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    refunds: Annotated[str | None, typer.Option(help="drop: returns leave. net: returns reduce earlier purchases.")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="Memory for SQL, such as 4GB; by default half of the machine.")] = None,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line on stderr) or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Forecast every customer from what was known before a day; nothing is published."""
    from customer_genome.interfaces import terminal
    from customer_genome.proof.forecasting import forecast as forecast_customers
    from customer_genome.sources.catalog import describe_sources

    if output.suffix.lower() not in ENDINGS:
        stop(f"--output {output} ends in {output.suffix or 'nothing'}. Wanted: {' or '.join(ENDINGS)}.", code=2)
    cutoff = day_of(as_of)
    if horizon_days < 1:
        stop(f"--horizon-days {horizon_days} is no horizon. Wanted: 1 or more days, such as 90.", code=2)
    settings = settings_of(workspace, {"cleaning": {"refunds": refunds}, "engine": {"memory_limit": memory_limit}})
    with usage_errors(), terminal.progress_of(progress) as tell:
        found = forecast_customers(
            settings, lambda tmp: describe_sources(data, settings, tmp), cutoff, horizon_days, progress=tell
        )
    write_table(found.customers, output)
    if as_json:
        totals = {name: sum(found.customers[name].to_pylist()) for name in ("predicted_orders", "predicted_spend")}
        print_json(
            {
                "output": str(output),
                "as_of": found.as_of,
                "horizon_days": found.horizon_days,
                "rows": found.customers.num_rows,
                "columns": found.customers.column_names,
                **totals,
                "fit": list(found.fit),
                "notices": list(found.notices),
            }
        )
        return
    typer.echo(f"{what_was_forecast(found.customers.num_rows, found.horizon_days, found.as_of)}, written to {output}")
    for notice in found.notices:
        typer.echo(f"· {notice}")


def what_was_forecast(n_customers: int, horizon_days: int, as_of: object) -> str:
    """Return in words who was forecast for which days.

    Examples
    --------
    >>> what_was_forecast(1, 30, "2024-06-01"), what_was_forecast(2811, 1, "2024-06-01")
    ('1 customer forecast for the 30 days from 2024-06-01', '2,811 customers forecast for the day 2024-06-01')
    """
    from customer_genome.interfaces.views.figures import quantity

    when = f"the day {as_of}" if horizon_days == 1 else f"the {horizon_days:,} days from {as_of}"
    return f"{quantity(n_customers, 'customers')} forecast for {when}"


def write_table(table: pa.Table, output: Path) -> None:
    """Write a table as CSV or Parquet, by the ending of the file, whole or not at all."""
    from pyarrow import csv, parquet

    from customer_genome.workspace import appearing_whole

    with appearing_whole(output) as temporary:
        if output.suffix.lower() == ".csv":
            csv.write_csv(table, temporary)
        else:
            parquet.write_table(table, temporary)
