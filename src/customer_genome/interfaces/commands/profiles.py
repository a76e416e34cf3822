"""`genome profiles`: learn churn and next spend from a customer table that carries them, and predict other customers.

Comes in: files, the names of columns, a workspace. Goes out: tables and sentences on stdout, or one JSON object, and a file of predictions. The model
is stored in the registry of the workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_genome.interfaces.commands.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption, print_json, stop

if TYPE_CHECKING:
    import pyarrow as pa

    from customer_genome.settings import Settings
    from customer_genome.stages.labelled import LabelledResult, Learned

profiles = typer.Typer(
    help="Customer tables with a label: learn churn and next spend, compare, explain, predict.",
    no_args_is_help=True,
    add_completion=False,
)
FileArgument = Annotated[str, typer.Argument(help="A file (CSV, Parquet, Excel) with one row per customer.")]
IdOption = Annotated[
    str | None, typer.Option("--id", help="The column that names customers; recognised by its name where obvious.")
]
ENDINGS = (".csv", ".parquet")
COLUMNS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "churn": (
        ("AUC", "auc", 3),
        ("PR-AUC", "pr_auc", 2),
        ("Brier", "brier", 3),
        ("ECE", "ece", 3),
        ("slope", "calibration_slope", 2),
        ("lift", "top_decile_lift", 1),
    ),
    "spend": (("MAE", "mae", 2), ("RMSE", "rmse", 2), ("R2", "r2", 3), ("bias", "bias", 2)),
}
"""The figures of each table: header, name, decimals."""
LEADING = {"churn": ("auc", "AUC vs formula", 3), "spend": ("rmse", "RMSE vs formula", 2)}
WITH_ERROR = frozenset({"auc", "ece", "mae", "rmse", "r2"})
"""Figures whose standard error is shown; the JSON has all."""
MOST_IMPORTANT = 10


@profiles.command("train")
def train(
    file: FileArgument,
    churn_label: Annotated[str | None, typer.Option(help="The column that says who churned.")] = None,
    spend_label: Annotated[str | None, typer.Option(help="The column that says what was spent next.")] = None,
    id_column: IdOption = None,
    churn_value: Annotated[
        str | None, typer.Option(help="The value of the churn label that means churn, if its words do not say so.")
    ] = None,
    pca: Annotated[int | None, typer.Option(min=1, help="Also compare a linear model on so many principal components.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Leave a column out; may be repeated.")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="Keep a column although it gives a label away; may be repeated.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 7,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line on stderr) or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Learn the labels of a table, compare what can predict them, and store the best."""
    from customer_genome.interfaces import terminal
    from customer_genome.profile_files import keep_customers, read_table
    from customer_genome.stages.labelled import learn
    from customer_genome.workspace import Workspace

    place = Workspace(workspace)
    place.prepare()
    table, notices = read_table(file, place.tmp)
    labels, chosen_id, said = chosen_columns(table, churn_label, spend_label, id_column)
    with terminal.progress_of(progress) as tell:
        result = learn(
            table,
            id_column=chosen_id,
            label_columns=labels,
            seed=seed,
            drop=drop or (),
            keep=keep or (),
            n_components=pca,
            churn_value=churn_value,
            tell=lambda label, share: tell("profiles", share, f"comparing what predicts {label}"),
        )
    with place.locked():
        version = result.save(place.models)
        n_kept = keep_customers(place, table, result)
    if as_json:
        print_json(
            {
                "version": version,
                "file": file,
                "customers": n_kept,
                **result.as_json(),
                "notices": [*said, *notices, *result.notices],
            }
        )
        return
    show(result, [*said, *notices])
    where = "" if workspace == DEFAULT_WORKSPACE else f" --workspace {workspace}"
    typer.echo(
        f"Stored as profiles {version}. Next: genome profiles predict FILE --output predicted.csv{where} · genome dashboard{where}"
    )


@profiles.command("predict")
def predict(
    file: FileArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .csv or .parquet.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: Annotated[
        str, typer.Option("--version", help="Stored version, such as v00003; the champion by default.")
    ] = "champion",
    as_json: JsonOption = False,
) -> None:
    """Predict every customer of a table with the stored model, with reasons."""
    from customer_genome.interfaces.commands.forecast import write_table
    from customer_genome.profile_files import read_table
    from customer_genome.stages.labelled import LabelledResult
    from customer_genome.workspace import Workspace

    if output.suffix.lower() not in ENDINGS:
        stop(f"--output {output} ends in {output.suffix or 'nothing'}. Wanted: {' or '.join(ENDINGS)}.", code=2)
    place = Workspace(workspace)
    result = LabelledResult.load(place.models, version)
    place.prepare()
    table, notices = read_table(file, place.tmp)
    notices += result.notices_for(table)
    predicted, reasons = result.predict(table), result.reasons(table)
    for name in reasons.column_names[1:]:
        predicted = predicted.append_column(name, reasons.column(name))
    write_table(predicted, output)
    about = {
        "output": str(output),
        "model": result.version,
        "rows": predicted.num_rows,
        "columns": predicted.column_names,
        "exact_reasons": {task: one.model.is_exact for task, one in result.learned.items()},
        "notices": notices,
    }
    if as_json:
        print_json(about)
        return
    typer.echo(f"{predicted.num_rows:,} customers predicted by profiles {result.version}, written to {output}")
    for notice in notices:
        typer.echo(f"· {notice}")


def chosen_columns(
    table: pa.Table, churn_label: str | None, spend_label: str | None, id_column: str | None
) -> tuple[dict[Any, str], str | None, list[str]]:
    """Return label columns and id column: those given, else those that can be told by name, and what was taken for granted in words."""
    from customer_genome.models.profiles.labels import recognised, recognised_id

    said = []
    labels: dict[Any, str] = {task: name for task, name in (("churn", churn_label), ("spend", spend_label)) if name}
    if not labels:
        labels = dict(recognised(table.column_names))
        said += [
            f"Taken for the {'churn' if task == 'churn' else 'next spend'} label by its name: {name}."
            for task, name in labels.items()
        ]
    if id_column is None:
        id_column = recognised_id(table.column_names)
        if id_column:
            said.append(f"Taken for the customer's id by its name: {id_column}.")
    if not labels:
        stop(
            f"No column is called like a label. The table has: {', '.join(table.column_names[:30])}. Name it with --churn-label or --spend-label.",
            code=2,
        )
    return labels, id_column, said


def labelled_hint(data: str | None, settings: Settings) -> str:
    """Return what to do with a table that holds no order lines but a label; empty where it is no such table."""
    from customer_genome.errors import GenomeError
    from customer_genome.models.profiles.labels import recognised
    from customer_genome.profile_files import headers_of
    from customer_genome.workspace import Workspace

    try:
        names = headers_of(data, Workspace(settings.workspace).tmp) if data else []
    except GenomeError:
        return ""  # what is wrong with the file has been said already
    labels = recognised(names)
    if not labels:
        return ""
    return (
        f"{data} holds no order lines but one row per customer with {'labels' if len(labels) > 1 else 'a label'} ({', '.join(labels.values())}). "
        f"Compare what predicts {'them' if len(labels) > 1 else 'it'}, on customers held back, with `genome profiles train {data}`."
    )


def show(result: LabelledResult, said: Sequence[str]) -> None:
    """Print what was learned: a table for each label, what matters, and what it says."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for sentence in [*said, *result.notices]:
        console.print(f"· {sentence}")
    for task, one in result.learned.items():
        what = "Who churns" if task == "churn" else "What is spent next"
        title = f"{what} ({one.model.label}): {one.comparison['n_customers']:,} customers, stratified 5-fold, figures of customers held back ± standard error"
        _table(console, title, one.comparison["rows"], task)
        if one.with_alarms:
            _table(console, "The same with the columns of the alarm:", one.with_alarms["rows"], task)
        ranges = one.comparison.get("ranges")
        if ranges:
            console.print(
                f"80 % ranges: {100 * ranges['below']:.1f} % fell below, {100 * ranges['above']:.1f} % above; mean width {ranges['mean_width']:,.2f}."
            )
        _importance(console, one)
        console.print()
        for sentence in one.words:
            console.print(f"· {sentence}")
    console.print()


def _table(console: Any, title: str, rows: Sequence[Mapping[str, Any]], task: str) -> None:
    """Print how every way to predict did; the chosen one is marked."""
    from rich.table import Table

    _, header, digits = LEADING[task]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", width=1)
    table.add_column("predicted by", no_wrap=True)
    for column in (*(name for name, _, _ in COLUMNS[task]), header):
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        versus = row["versus_naive"]
        beside = "" if versus["naive"] == row["candidate"] else _pair(versus["difference"], versus["error"], digits, signed=True)
        cells = [
            _pair(row["figures"].get(name), row["errors"].get(name) if name in WITH_ERROR else None, places)
            for _, name, places in COLUMNS[task]
        ]
        table.add_row("→" if row["is_chosen"] else "", row["candidate"], *cells, beside)
    console.print()
    console.print(title)
    console.print(table)


def _pair(value: float | None, error: float | None, digits: int, *, signed: bool = False) -> str:
    """Return a figure with its standard error."""
    if value is None:
        return ""
    value = 0.0 if abs(value) < 0.5 * 10**-digits else value
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    return _short(text) if error is None else f"{_short(text)} ±{_short(f'{error:,.{digits}f}')}"


def _short(text: str) -> str:
    """Return a decimal without the zero before its point, as tables of figures have it."""
    return text.replace("0.", ".", 1) if text.lstrip("+-").startswith("0.") else text


def _importance(console: Any, one: Learned) -> None:
    """Print what moves predictions, and what shuffling it costs."""
    from rich.table import Table

    moving = [row for row in one.importance if row["mean_size"] > 0][:MOST_IMPORTANT]
    if not moving:
        return
    is_churn = one.model.task == "churn"
    table = Table(box=None, pad_edge=False)
    table.add_column("what matters")
    table.add_column("moves the chance by (points)" if is_churn else "moves the prediction by", justify="right")
    table.add_column("ROC-AUC lost if shuffled" if is_churn else "RMSE gained if shuffled", justify="right")
    for row in moving:
        size = f"{100 * row['mean_size']:.1f}" if is_churn else f"{row['mean_size']:,.2f}"
        table.add_row(row["column"], size, _pair(row["lost_if_shuffled"], row["error"], 4 if is_churn else 2))
    console.print()
    console.print(table)
    if not one.model.is_exact:
        console.print("Contributions come from sampled orders of the columns: this model has no exact way.")
