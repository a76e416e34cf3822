"""What the commands of `genome` share: options spelled alike, one JSON object on stdout, errors as one line.

Comes in: values of a command. Goes out: text on stdout or stderr. Nothing here reads a workspace.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

DEFAULT_WORKSPACE = Path("genome-workspace")
WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="GENOME_WORKSPACE", help="Folder that holds settings, models and results.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
VersionOption = Annotated[
    str | None, typer.Option("--version", help="Published version, such as v00003; the current one by default.")
]


def stop(message: str, code: int) -> NoReturn:
    """Write an error and leave; code 1: it failed, code 2: it was asked wrongly."""
    typer.echo(f"Error: {message}", err=True)
    raise SystemExit(code)


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; days and times in ISO form."""
    typer.echo(
        json.dumps(
            value, default=lambda item: item.isoformat() if isinstance(item, (dt.date, dt.datetime)) else str(item), indent=1
        )
    )
