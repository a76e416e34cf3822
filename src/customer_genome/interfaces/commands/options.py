"""What the commands of `genome` share: options spelled alike, one JSON object on stdout, errors as one line.

Comes in: values of a command. Goes out: text on stdout or stderr, checked settings. Of a workspace only genome.toml is read.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from customer_genome.errors import SettingsError

if TYPE_CHECKING:
    from customer_genome.settings import Settings
    from customer_genome.sources.customer_level import Level
    from customer_genome.stages.job import Progress

DEFAULT_WORKSPACE = Path("genome-workspace")
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="GENOME_WORKSPACE", help="Folder that holds settings, models and results.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
VersionOption = Annotated[
    str | None, typer.Option("--version", help="Published version, such as v00003; the current one by default.")
]
DataArgument = Annotated[
    str | None,
    typer.Argument(help="File, folder, database URI or public data set; by default [tables.order_lines] path of genome.toml."),
]


def stop(message: str, code: int) -> NoReturn:
    """Write an error and leave; code 1: it failed, code 2: it was asked wrongly."""
    typer.echo(f"Error: {message}", err=True)
    raise SystemExit(code)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Let what the settings do not allow end the command as a usage error."""
    try:
        yield
    except SettingsError as err:
        stop(str(err), code=2)


@contextmanager
def progress_told(kind: str) -> Iterator[Progress]:
    """Give a progress function; only a kind that is not known is a usage error, not what goes wrong while it is told."""
    from customer_genome.interfaces.terminal import progress_of

    with ExitStack() as stack:
        with usage_errors():
            tell = stack.enter_context(progress_of(kind))
        yield tell


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; days and times in ISO form."""
    typer.echo(
        json.dumps(
            value, default=lambda item: item.isoformat() if isinstance(item, (dt.date, dt.datetime)) else str(item), indent=1
        )
    )


def settings_of(workspace: Path, overrides: dict[str, dict[str, Any]]) -> Settings:
    """Return the workspace's settings with what the command line says on top; impossible options are a usage error."""
    from customer_genome.settings import merged, read_settings

    given = {section: {key: value for key, value in values.items() if value is not None} for section, values in overrides.items()}
    stored = read_settings(workspace.expanduser().resolve())
    try:
        return merged(stored, {name: values for name, values in given.items() if values})
    except SettingsError as err:
        stop(str(err), code=2)


def day_of(text: str, option: str = "--as-of") -> dt.date:
    """Return a day from YYYY-MM-DD; a usage error otherwise."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        stop(f"{option} {text} is not a day. Wanted: YYYY-MM-DD, such as 2011-06-12.", code=2)


def level_of(text: str | None) -> Level | None:
    """Return what the data are said to be; a usage error for anything but orders, customers and ratings."""
    if text is None or text in ("orders", "customers", "ratings"):
        return cast("Level | None", text)
    stop(
        f"--level {text} is not known. Wanted: orders (each row is an order line), customers (each row is a customer with totals) or ratings "
        "(each row is a rating of an item).",
        code=2,
    )
