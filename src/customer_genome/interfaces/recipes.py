"""What the last run was told, so that it can be run again with one thing changed: another number of clusters, say.

Comes in: the data and the options of `genome run`. Goes out: the same as arguments of a command. Kept in `last_run.json` of the
workspace; no password and no row of data stands in it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customer_genome.errors import SettingsError, WorkspaceError
from customer_genome.workspace import Workspace, write_atomically

SETTING_OPTIONS: Mapping[str, str] = {
    "prediction.horizon_days": "horizon_days",
    "prediction.seed": "seed",
    "cleaning.refunds": "refunds",
    "segments.k": "clusters",
    "engine.memory_limit": "memory_limit",
}
"""Setting, as in genome.toml -> the option of `genome run` that changes it for one run."""
_OPTIONS = frozenset({*SETTING_OPTIONS.values(), "level", "engine", "spark_master", "mapping", "spark_folder"})


@dataclass(frozen=True)
class Recipe:
    """What to run: the data (None takes the path in genome.toml) and the options, by their name without dashes."""

    data: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def changed(self, change: Mapping[str, str]) -> Recipe:
        """Return the recipe with settings changed.

        Parameters
        ----------
        change : setting, such as "segments.k" -> its value

        Raises
        ------
        SettingsError
            When a run cannot be told the setting.
        """
        unknown = [name for name in change if name not in SETTING_OPTIONS]
        if unknown:
            raise SettingsError(f"{', '.join(unknown)} cannot be changed for one run. Wanted: {', '.join(SETTING_OPTIONS)}.")
        return Recipe(self.data, {**self.options, **{SETTING_OPTIONS[name]: str(value) for name, value in change.items()}})

    def arguments(self, workspace: Path, as_of: str = "") -> list[str]:
        """Return the arguments of `genome` that run it; every value is bound to its option, so none can pass for another."""
        told = {"workspace": str(workspace), **self.options} | ({"as_of": as_of} if as_of else {})
        options = [f"--{name.replace('_', '-')}={value}" for name, value in told.items()]
        return ["run", *options, *(["--", self.data] if self.data else [])]


def as_given(options: Mapping[str, object]) -> dict[str, str]:
    """Return the options that were given, as text; paths whole, so that they hold from anywhere.

    Examples
    --------
    >>> as_given({"seed": 3, "clusters": None})
    {'seed': '3'}
    """
    given = {name: value for name, value in options.items() if value is not None}
    return {name: str(value.expanduser().resolve() if isinstance(value, Path) else value) for name, value in given.items()}


def remember(workspace: Path, data: str | None, options: Mapping[str, str]) -> None:
    """Keep what a run was told; it has published already, so that a failure here is none of the run."""
    from customer_genome.sources.databases import is_database_address, without_password

    if data and is_database_address(data):
        data = without_password(data)
    elif data and Path(data).expanduser().exists():
        data = str(Path(data).expanduser().resolve())
    with suppress(OSError):
        write_atomically(Workspace(workspace).last_run, json.dumps({"data": data, "options": dict(options)}, indent=1) + "\n")


def recall(workspace: Workspace, manifest: Mapping[str, Any] | None = None) -> Recipe:
    """Return what the last run was told; where that was not kept, what the settings or the version say.

    Raises
    ------
    WorkspaceError
        When nothing says what to run, or the file has gone.
    """
    from customer_genome.settings import read_settings

    kept = _kept(workspace)
    recipe = kept or Recipe()
    tables = read_settings(workspace.root).tables
    is_named = any(tables[name].path for name in ("order_lines", "customer_totals") if name in tables)
    if kept is None and not is_named:
        read = list((manifest or {}).get("files_read", ()))
        recipe = Recipe(read[0]) if len(read) == 1 else recipe
    if recipe.data is None and not is_named:
        raise WorkspaceError(
            "It is not known which data this version was made from. Run once more with `genome run DATA`, or write their path under "
            "[tables.order_lines] in genome.toml; later runs can be started from here."
        )
    if recipe.data and "***" in recipe.data:
        raise WorkspaceError(
            f"The password of {recipe.data} was part of the address and is not kept. Put it into PGPASSWORD and the address under "
            "[tables.order_lines] in genome.toml, then run `genome run` once more."
        )
    if recipe.data and Path(recipe.data).is_file() and _was_refreshed(manifest or {}):
        raise WorkspaceError(
            f"Rows were added to this version by `genome refresh`, and a new run would read {Path(recipe.data).name} alone. "
            "Write the setting into genome.toml and run `genome refresh --refit`."
        )
    for place in (recipe.data, recipe.options.get("mapping")):
        if place and Path(place).is_absolute() and not Path(place).exists():
            raise WorkspaceError(
                f"{Path(place).name} is not there any more, and the run needs it. Put it back, or run `genome run DATA` once more with another file."
            )
    return recipe


def _was_refreshed(manifest: Mapping[str, Any]) -> bool:
    """Return whether a version holds rows that came before its last delivery."""
    held = sum(int(entry["rows"]) for entry in manifest.get("ledger", {}).values())
    return 0 <= int(manifest.get("rows_added", held)) < held and manifest.get("level", "orders") == "orders"


def _kept(workspace: Workspace) -> Recipe | None:
    """Return the recipe in the workspace; None where there is none that can be read."""
    try:
        found = json.loads(workspace.last_run.read_text("utf-8"))
        data, options = found["data"], found["options"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(options, dict) or not isinstance(data, str | None) or not set(options) <= _OPTIONS:
        return None
    return Recipe(data, {str(name): str(value) for name, value in options.items()})


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the [tables.NAME] settings of a file.

    Raises
    ------
    SettingsError
        When it is no TOML, or says something besides tables.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise SettingsError(
            f"--mapping {path} cannot be read: {err}. Wanted: TOML with [tables.order_lines] and the like."
        ) from err
    if set(raw) != {"tables"} or not isinstance(raw["tables"], dict):
        found = ", ".join(raw) or "nothing"
        raise SettingsError(f"--mapping {path} holds {found}. Wanted: [tables.order_lines] or other tables, and nothing else.")
    tables: dict[str, Any] = raw["tables"]
    return tables
