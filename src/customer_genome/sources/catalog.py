"""Which source stands behind each input table: a name, a path or an address becomes a described table.

Comes in: what the user named and the settings of the workspace. Goes out: a `SourceTable` per input table. Order of
precedence: what the command line names, then [tables.*] of genome.toml.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from customer_genome.contracts import SourceTable
from customer_genome.errors import SourceError, did_you_mean
from customer_genome.settings import Settings, TableSettings
from customer_genome.sources.customer_level import Level, describe_data
from customer_genome.sources.databases import describe_database, is_database_address
from customer_genome.sources.files import describe_arrow, describe_file
from customer_genome.sources.public import PUBLIC_DATA, describe_public, public_data


def describe_sources(data: Any, settings: Settings, tmp: Path) -> Mapping[str, SourceTable]:
    """Describe every input table of a run.

    Parameters
    ----------
    data : text, path, None, or a table from Python
        Public name, file, folder, glob or database address of the order lines, or pandas or Arrow data; None takes
        [tables.order_lines].
    tmp : Path
        Folder for clean copies of files that an engine cannot read as they are.

    Raises
    ------
    SourceError
        When there are no order lines, or a source cannot be understood.
    """
    tables = dict(settings.tables)
    if data is not None and not isinstance(data, (str, Path)):
        lines = describe_arrow(data, "order_lines", tables.get("order_lines"), workspace_tmp=tmp)
        return {"order_lines": lines, **describe_side_tables(settings, tmp)}
    given = str(data) if data else tables.get("order_lines", TableSettings()).path
    if given is None:
        raise SourceError(
            f"No order lines to read: {settings.workspace} has no genome.toml with [tables.order_lines] path. "
            "Name a file (`genome run FILE`), write the settings with `genome init FILE`, or try `genome demo`."
        )
    _refuse_near_name(given)
    described: dict[str, SourceTable] = {}
    if is_public(given):
        described |= _public(given, settings, tmp)
        tables.pop("order_lines", None)
    else:
        tables["order_lines"] = replace(tables.get("order_lines", TableSettings()), path=given)
    for name, table in tables.items():
        if table.path is not None and name != "customer_totals":
            described[name] = _described(name, table.path, table, tmp)
    return described


def describe_run(data: Any, settings: Settings, tmp: Path, level: Level | None = None) -> Mapping[str, SourceTable]:
    """Describe every input table of a run, which may also be given one row per customer instead of order lines.

    Parameters
    ----------
    data : as for `describe_sources`; None takes [tables.order_lines] or [tables.customer_totals]
    level : "orders" or "customers", optional
        What the data are; by default what their columns say.

    Raises
    ------
    SourceError
        As for `describe_sources`, and where the settings name both kinds of data.
    AskError
        When the columns can be read both ways.
    """
    paths = {name: settings.tables[name].path for name in ("order_lines", "customer_totals") if name in settings.tables}
    named = [name for name, path in paths.items() if path is not None]
    if data is None and len(named) == 2:
        raise SourceError(
            f"genome.toml of {settings.workspace} names order lines ({paths['order_lines']}) and customers with totals ({paths['customer_totals']}). "
            "Wanted: one of them. Take the other path out, or name the file: `genome run FILE`."
        )
    if data is None and named == ["customer_totals"]:
        data, level = paths["customer_totals"], "customers"
    if data is None or (isinstance(data, (str, Path)) and (is_public(str(data)) or is_database_address(str(data)))):
        return describe_sources(data, settings, tmp)
    if isinstance(data, (str, Path)):
        _refuse_near_name(str(data))
    name, described = describe_data(data, settings.tables, tmp, level)
    side = {"suppressions"} if name == "customer_totals" else None  # products and promotions say nothing about totals
    return {name: described, **describe_side_tables(settings, tmp, only=side)}


def describe_side_tables(settings: Settings, tmp: Path, only: Collection[str] | None = None) -> dict[str, SourceTable]:
    """Describe every table of the settings beside the order lines or customers, or some of them."""
    return {
        name: _described(name, table.path, table, tmp)
        for name, table in settings.tables.items()
        if name not in ("order_lines", "customer_totals") and table.path is not None and (only is None or name in only)
    }


def is_public(given: str) -> bool:
    """Return whether a text names public data and no file."""
    return given in PUBLIC_DATA and not Path(given).exists()


def _refuse_near_name(given: str) -> None:
    """Refuse what is neither a file nor public data but is spelled almost like the latter."""
    hint = did_you_mean(given, PUBLIC_DATA)
    if hint and given not in PUBLIC_DATA and not Path(given).exists():
        raise SourceError(f'"{given}" is neither a file nor a public data set.{hint} Public: {", ".join(PUBLIC_DATA)}.')


def _described(name: str, path: str, table: TableSettings, tmp: Path) -> SourceTable:
    """Describe one table at a path or an address."""
    if is_database_address(path):
        return describe_database(path, name, table)
    return describe_file(path, name, table, tmp)


def _public(name: str, settings: Settings, tmp: Path) -> dict[str, SourceTable]:
    """Describe the tables of a public data set, with the rows that the published data have."""
    cache = settings.workspace / "public"
    tables = describe_public(name, cache=cache, download=True)
    data = public_data(name)
    described = {}
    for table, source in tables.items():
        ready = source if isinstance(source, SourceTable) else _described(table, source.path or "", source, tmp)
        described[table] = replace(ready, expected_rows=data.rows.get(table), currency=data.currency)
    return described
