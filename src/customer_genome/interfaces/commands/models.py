"""`genome models`: what is stored, what a model says about itself, which one scores, and the way back.

Comes in: kinds, versions and aliases. Goes out: tables on stdout, or one JSON object. Only aliases are ever changed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from customer_genome.interfaces.commands.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption, print_json

models_app = typer.Typer(
    help="Stored models: list them, read their cards, choose which of them scores.", no_args_is_help=True, add_completion=False
)
KindArgument = Annotated[str, typer.Argument(help="Kind of model, such as purchases; `genome models list` shows them.")]
VersionArgument = Annotated[str, typer.Argument(help="Version or alias, such as v00003, champion or previous.")]
AloneOption = Annotated[
    bool, typer.Option("--alone", help="Leave the models of other kinds that were fitted with it as they are.")
]


@models_app.command("list")
def list_models(workspace: WorkspaceOption = DEFAULT_WORKSPACE, as_json: JsonOption = False) -> None:
    """List every stored version with its aliases, and what it was fitted on."""
    from customer_genome.registry import aliases, card_of, kinds, stored_versions
    from customer_genome.workspace import Workspace

    folder = Workspace(workspace).models
    rows = [
        {
            "kind": kind,
            "version": version,
            "aliases": sorted(alias for alias, named in aliases(folder, kind).items() if named == version),
            **{name: card.get(name) for name in ("model", "as_of", "n_customers", "fitted_at")},
        }
        for kind in kinds(folder)
        for version in stored_versions(folder, kind)
        for card in [card_of(folder, kind, version)]
    ]
    if as_json:
        print_json({"models": rows})
    elif not rows:
        typer.echo(f"No models in {folder}. `genome run DATA --workspace {workspace}` fits and stores them.")
    else:
        titles = {
            "kind": "kind",
            "version": "version",
            "aliases": "alias",
            "model": "model",
            "as_of": "as of",
            "n_customers": "customers",
        }
        _show([{name: _cell(row[name]) for name in titles} for row in rows], titles)


@models_app.command("show")
def show_model(
    kind: KindArgument,
    version: VersionArgument = "champion",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Show the card of one version: data, features in order, parameters, how it was fitted, what is doubtful."""
    from customer_genome.registry import card_of
    from customer_genome.workspace import Workspace

    card = card_of(Workspace(workspace).models, kind, version)
    if as_json:
        print_json(card)
        return
    plain = {name: value for name, value in card.items() if not isinstance(value, (Mapping, list))}
    _show([{"name": name, "value": _cell(value)} for name, value in plain.items()], {"name": "", "value": ""})
    typer.echo(f"features: {', '.join(card.get('features', ())) or 'not stated'}")
    rows = _parameters(card)
    if rows:
        typer.echo("")
        _show(rows, {"name": "parameter", "value": "value", "error": "standard error"})
    for sentence in (*card.get("sentences", ()), *card.get("words", ())):
        typer.echo(f"· {sentence}")
    typer.echo("libraries: " + ", ".join(f"{name} {release}" for name, release in card.get("libraries", {}).items()))


@models_app.command("promote")
def promote_model(
    kind: KindArgument,
    version: Annotated[str, typer.Argument(help="Version, such as v00003.")],
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    alone: AloneOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a stored version score from the next refresh on."""
    from customer_genome.registry import promote

    with _writing(workspace) as folder:
        _tell(promote(folder, kind, version, alone=alone), as_json)


@models_app.command("rollback")
def rollback_model(
    kind: Annotated[str, typer.Argument(help="Kind of model whose champion gives way to the one before.")] = "purchases",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    alone: AloneOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go back to the champion before the present one, with the models that were fitted with it."""
    from customer_genome.registry import rollback

    with _writing(workspace) as folder:
        _tell(rollback(folder, kind, alone=alone), as_json)


@models_app.command("compare")
def compare_models(
    kind: KindArgument,
    before: VersionArgument = "previous",
    after: VersionArgument = "champion",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    as_json: JsonOption = False,
) -> None:
    """Put the cards of two versions side by side: every number that both state, and how far they lie apart."""
    from customer_genome.registry import card_of
    from customer_genome.workspace import Workspace

    folder = Workspace(workspace).models
    cards = [card_of(folder, kind, version) for version in (before, after)]
    first, second = (dict(_numbers(card)) for card in cards)
    rows = [
        {"name": name, "before": first.get(name), "after": second.get(name), "change": _change(first.get(name), second.get(name))}
        for name in dict.fromkeys((*first, *second))
    ]
    features = [list(card.get("features", ())) for card in cards]
    same = features[0] == features[1]
    versions = [card["version"] for card in cards]
    if as_json:
        print_json({"kind": kind, "before": versions[0], "after": versions[1], "same_features": same, "figures": rows})
        return
    typer.echo(f"{kind}: {versions[0]} ({cards[0].get('as_of')}) and {versions[1]} ({cards[1].get('as_of')})")
    typer.echo("Both were fitted on the same features." if same else _feature_sentence(*features))
    titles = {"name": "", "before": versions[0], "after": versions[1], "change": "change"}
    _show([{name: _cell(row[name]) for name in titles} for row in rows], titles)


def _feature_sentence(before: list[str], after: list[str]) -> str:
    """Say how two lists of features differ."""
    gone, new = [name for name in before if name not in after], [name for name in after if name not in before]
    parts = [f"{word} {', '.join(names)}" for word, names in (("gone:", gone), ("new:", new)) if names]
    return f"The features differ ({'; '.join(parts) or 'in their order'})."


@contextmanager
def _writing(workspace: Path) -> Iterator[Path]:
    """Give the folder of the models, held against runs that write at the same time."""
    from customer_genome.workspace import Workspace

    place = Workspace(workspace)
    place.check_format()
    with place.locked():
        yield place.models


def _tell(chosen: Mapping[str, str], as_json: bool) -> None:
    """Say which versions score from now on."""
    if as_json:
        print_json({"champions": dict(chosen)})
        return
    typer.echo(f"Champion now: {', '.join(f'{kind} {version}' for kind, version in chosen.items())}.")
    typer.echo("What is published stays as it is; `genome refresh` and `genome run --no-refit` score with them.")


def _parameters(card: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the parameters of a card with their standard errors, as text."""
    errors = card.get("standard_errors", {})
    return [
        {"name": name, "value": _cell(value), "error": _cell(errors.get(name))}
        for name, value in card.get("parameters", {}).items()
    ]


def _numbers(card: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number of a card with its path as name; versions of libraries are left out."""
    for name, value in card.items():
        if isinstance(value, Mapping) and name != "libraries":
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield prefix + name, float(value)


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _cell(value: Any) -> str:
    """Return a value of a card as text: four significant digits, lists with commas, nothing where there is nothing."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def _show(rows: list[dict[str, str]], titles: Mapping[str, str]) -> None:
    """Print rows as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=any(titles.values()))
    for title in titles.values():
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[name]) for name in titles))
    Console(highlight=False, markup=False, soft_wrap=False).print(table)
