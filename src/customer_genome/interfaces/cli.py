"""The command `genome`: results on stdout, progress on stderr, errors as one line with the next step.

Heavy modules are imported inside the command that needs them, so that `genome --help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_genome.errors import EngineError, GenomeError, SettingsError
from customer_genome.interfaces.commands.audience import audience, similar
from customer_genome.interfaces.commands.backtest import backtest
from customer_genome.interfaces.commands.diff import diff
from customer_genome.interfaces.commands.forecast import forecast
from customer_genome.interfaces.commands.golden import golden
from customer_genome.interfaces.commands.models import models_app
from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    DataArgument,
    JsonOption,
    VersionOption,
    WorkspaceOption,
    level_of,
    progress_told,
)
from customer_genome.interfaces.commands.options import day_of as _day
from customer_genome.interfaces.commands.options import print_json as _print_json
from customer_genome.interfaces.commands.options import settings_of as _settings
from customer_genome.interfaces.commands.options import stop as _stop
from customer_genome.interfaces.commands.parity import parity
from customer_genome.interfaces.commands.playbooks import playbooks
from customer_genome.interfaces.commands.profiles import profiles
from customer_genome.interfaces.commands.recommend import recommend
from customer_genome.interfaces.commands.refresh import refresh
from customer_genome.interfaces.commands.targets import targets
from customer_genome.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from customer_genome.answers.what_if import Outcome
    from customer_genome.settings import Settings
    from customer_genome.sources.customer_level import Level
    from customer_genome.stages.publishing import RunResult

app = typer.Typer(
    name="genome",
    help="Customer Genome: from a shop's raw transactions to every customer's value, risk and next action.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def init(
    file: Annotated[str, typer.Argument(help="A file, or a folder of files, of the shop.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    force: Annotated[bool, typer.Option("--force", help="Replace a genome.toml that is already there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a file, propose which column means what, and write genome.toml."""
    from customer_genome.interfaces import terminal
    from customer_genome.settings import SETTINGS_FILE
    from customer_genome.sources.proposal import propose, render_toml
    from customer_genome.workspace import Workspace, write_atomically

    place = Workspace(workspace)
    target = place.root / SETTINGS_FILE
    if target.exists() and not force:
        _stop(f"{target} exists. Edit it, or replace it with --force.", code=2)
    place.prepare()
    proposal = propose(file, place.tmp)
    write_atomically(target, render_toml(proposal, place.root))
    if as_json:
        _print_json({"settings": str(target), **proposal.as_json()})
    else:
        terminal.show_proposal(proposal, target)


@app.command()
def run(
    data: DataArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_of: Annotated[
        str | None, typer.Option(help="Exclusive cutoff, YYYY-MM-DD; by default the day after the last line.")
    ] = None,
    horizon_days: Annotated[
        int | None, typer.Option(help="Days to predict; by default 180, 90 or 30 as the history allows.")
    ] = None,
    refunds: Annotated[str | None, typer.Option(help="drop: returns leave. net: returns reduce earlier purchases.")] = None,
    clusters: Annotated[int | None, typer.Option(help="Number of clusters; by default chosen by the data.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="Memory for SQL, such as 4GB; by default half of the machine.")] = None,
    refit: Annotated[
        bool, typer.Option("--refit/--no-refit", help="Fit the models to these data, or score with those stored before.")
    ] = True,
    level: Annotated[
        str | None,
        typer.Option(
            help="orders: each row is an order line. customers: each row is a customer with totals. ratings: each row is a rating. "
            "By default the columns say."
        ),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="File with [tables.NAME] settings that win over those of genome.toml.", dir_okay=False)
    ] = None,
    engine: Annotated[str | None, typer.Option(help="duckdb: this machine. spark: a cluster, or many cores.")] = None,
    spark_master: Annotated[
        str | None, typer.Option(help="Where Spark runs: local[*] (this machine), spark://host:7077, yarn or k8s://...")
    ] = None,
    spark_folder: Annotated[
        Path | None, typer.Option(help="Folder for Spark's tables that every worker sees under the same path.")
    ] = None,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line on stderr) or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Turn order lines, or one row per customer with totals, into a published customer genome."""
    from customer_genome.interfaces import terminal
    from customer_genome.interfaces.recipes import as_given, read_mapping, remember

    settings = _settings(
        workspace,
        {
            "tables": read_mapping(mapping) if mapping else {},
            "prediction": {"horizon_days": horizon_days, "seed": seed},
            "cleaning": {"refunds": refunds},
            "segments": {"k": clusters},
            "engine": {
                "name": engine,
                "memory_limit": memory_limit,
                "spark_master": spark_master,
                "spark_folder": str(spark_folder.expanduser().resolve()) if spark_folder else None,
            },
        },
    )
    result = _run(settings, data, as_of, progress, refit, level_of(level))
    told = {"horizon_days": horizon_days, "refunds": refunds, "clusters": clusters, "seed": seed, "memory_limit": memory_limit}
    places = {"level": level, "engine": engine, "spark_master": spark_master, "mapping": mapping, "spark_folder": spark_folder}
    remember(settings.workspace, data, as_given({**told, **places}))
    _print_json(result.as_json()) if as_json else terminal.show_run(result, settings.workspace)


def _run(
    settings: Settings, data: str | None, as_of: str | None, progress: str, refit: bool = True, level: Level | None = None
) -> RunResult:
    """Run the pipeline with the wanted kind of progress."""
    from customer_genome.pipeline import run as run_pipeline
    from customer_genome.sources.catalog import describe_run
    from customer_genome.warehouse.opening import catalog_sample

    cutoff = _day(as_of) if as_of else None
    with progress_told(progress) as report:
        return run_pipeline(
            settings,
            lambda tmp: describe_run(data, settings, tmp, level, catalog_sample(settings.engine)),
            as_of=cutoff,
            progress=report,
            refit=refit,
        )


@app.command()
def show(
    customer_id: Annotated[str, typer.Argument(help="The customer's id, as in the source.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    months: Annotated[int, typer.Option(min=1, max=24, help="Calendar months to look ahead.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Show one customer: facts, value month by month, risk, segment, what to do."""
    from customer_genome.answers.prospects import prospect_of
    from customer_genome.answers.what_if import usual_outcomes
    from customer_genome.errors import RegistryError
    from customer_genome.genome import Genome
    from customer_genome.interfaces import terminal
    from customer_genome.neighbours import similar_to

    with Genome.open(workspace, version) as genome:
        record, prospect = genome.customer(customer_id), None
        imagined: Sequence[Outcome] = ()
        try:
            if genome.level == "orders":
                prospect = prospect_of(genome, record, months)
                imagined = usual_outcomes(genome, record)
        except RegistryError as err:  # the models of an old version may have been pruned; what was published is still there
            typer.echo(f"No months to come: {err}", err=True)
        if as_json:
            ahead = prospect.as_json() if prospect else {"months": []}
            what_if = {"what_if": [outcome.as_json() for outcome in imagined]}
            alike = {"similar": [one.as_json() for one in similar_to(genome, customer_id, 5)]}
            _print_json(record | {"version": genome.snapshot.version} | ahead | what_if | alike)
        else:
            terminal.show_customer(genome, record, prospect, imagined)
            for one in similar_to(genome, customer_id, 5):
                typer.echo(f"Like {one.customer_id} ({one.similarity:.2f}): {one.words}")


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    format_: Annotated[
        str | None, typer.Option("--format", help="csv, parquet or xlsx; by default the ending of the file.")
    ] = None,
    table: Annotated[str, typer.Option(help="customers, or another published table, or quarantine.")] = "customers",
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one row per customer, with the columns of the documentation."""
    from customer_genome.answers.exports import export_table

    try:
        written = export_table(workspace, output, format_, table, version)
    except SettingsError as err:  # an unknown format, or Excel for more rows than it holds
        _stop(str(err), code=2)
    if as_json:
        _print_json(written)
    else:
        typer.echo(f"{written['rows']:,} rows and {len(written['columns'])} columns written to {output}")


@app.command()
def report(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page to write; by default report.html in the workspace.")
    ] = None,
    version: VersionOption = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML page that works offline."""
    from customer_genome.genome import Genome
    from customer_genome.interfaces.report.page import write_report

    target = output or workspace / "report.html"
    with Genome.open(workspace, version) as genome:
        write_report(genome, target)
    if open_:
        typer.launch(str(target))
    if as_json:
        _print_json({"report": str(target), "bytes": target.stat().st_size})
    else:
        typer.echo(f"Report written to {target}")


@app.command()
def dashboard(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 chooses a free one.")] = 0,
    address: Annotated[
        str, typer.Option(help="Network address to answer on. Any but this machine's own needs sign-in (docs/sign_in.md).")
    ] = "127.0.0.1",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open it in a browser.")] = True,
) -> None:
    """Serve the dashboard until Ctrl-C: on this machine only, unless people sign in."""
    from customer_genome.interfaces.serving.server import serve_dashboard

    serve_dashboard(workspace, port, open_, address)


@app.command()
def demo(
    workspace: WorkspaceOption = Path("demo-workspace"),
    data: Annotated[
        str, typer.Option(help="Public data set: complete-journey, online-retail, online-retail-ii or cdnow.")
    ] = "complete-journey",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the dashboard when done.")] = True,
    progress: Annotated[str, typer.Option(help="bar, json or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Run everything on real public data, write the report, open the dashboard."""
    from customer_genome.genome import Genome
    from customer_genome.interfaces import terminal
    from customer_genome.interfaces.recipes import remember
    from customer_genome.interfaces.report.page import write_report
    from customer_genome.interfaces.serving.server import serve_dashboard

    settings = _settings(workspace, {})
    result = _run(settings, data, None, progress)
    remember(settings.workspace, data, {})
    page = settings.workspace / "report.html"
    with Genome.open(settings.workspace) as genome:
        write_report(genome, page)
    if as_json:
        _print_json(result.as_json() | {"report": str(page)})
    else:
        terminal.show_run(result, settings.workspace)
        typer.echo(f"Report: {page}")
    if open_:
        serve_dashboard(settings.workspace, 0, open_browser=True)


@app.command()
def doctor(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """Check this machine and the workspace, and say what to do about what is wrong."""
    from customer_genome.health import examine
    from customer_genome.interfaces import terminal

    checks = examine(workspace)
    if as_json:
        _print_json({"ok": all(check.ok for check in checks), "checks": [check.as_json() for check in checks]})
    else:
        terminal.show_checks(checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def forget(
    customer_id: Annotated[str, typer.Argument(help="The customer's id, as in the source.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a customer from warehouse, quarantine and every published version."""
    from customer_genome.erasure import forget as erase
    from customer_genome.workspace import Workspace

    if not yes:
        typer.confirm(f"Erase customer {customer_id} from {workspace} for good?", abort=True, err=True)
    erased = erase(Workspace(workspace), customer_id)
    if as_json:
        _print_json(dict(erased))
    else:
        typer.echo(
            f"Erased: {erased['warehouse_rows']:,} lines of the warehouse, {erased['versions']} published version(s). "
            "Later runs leave this customer out; delete them from your source and from exports too."
        )


@app.command()
def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Parquet file to write.")],
    lines: Annotated[int, typer.Option(help="About how many order lines.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Same seed, same shop.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Write the order lines of a simulated shop whose truth is known."""
    from customer_genome.sources.synthetic import simulate as simulate_shop
    from customer_genome.workspace import appearing_whole

    try:
        shop = simulate_shop(n_lines=lines, seed=seed)
    except SettingsError as err:
        _stop(str(err), code=2)
    with appearing_whole(output) as temporary:
        written = shop.write_parquet(temporary)
    if as_json:
        _print_json({"output": str(output), "lines": written})
    else:
        typer.echo(f"{written:,} order lines written to {output}")


@app.callback(invoke_without_command=True)
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback and the SQL of an error.")] = False,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and stop.")] = False,
) -> None:
    """Customer Genome: from a shop's raw transactions to every customer's value, risk and next action."""
    del debug  # taken out and kept by `main`, which sees every error
    if show_version:
        typer.echo(f"customer-genome {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of the product become one line on stderr and exit code 1, wrong options code 2."""
    arguments, is_debug = _without_debug(sys.argv[1:])
    try:
        app(args=arguments)
    except GenomeError as err:
        if is_debug:
            if isinstance(err, EngineError) and err.sql:
                typer.echo(err.sql, err=True)
            raise
        _stop(str(err), code=1)


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Take --debug out wherever it stands among the options, before or after the command; what follows -- is no option."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    kept = [argument for argument in arguments[:end] if argument != "--debug"]
    return kept + arguments[end:], len(kept) < end


app.command("audience")(audience)
app.command("backtest")(backtest)
app.command("diff")(diff)
app.command("forecast")(forecast)
app.command("golden")(golden)
app.add_typer(models_app, name="models")
app.command("parity")(parity)
app.command("recommend")(recommend)
app.command("refresh")(refresh)
app.add_typer(playbooks, name="playbooks")
app.add_typer(profiles, name="profiles")
app.command("similar")(similar)
app.command("targets")(targets)


if __name__ == "__main__":
    main()
