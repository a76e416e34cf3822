"""Which source stands behind each input table: a name, a path or an address becomes a described table.

Comes in: what the user named and the settings of the workspace. Goes out: a `SourceTable` per input table. Order of
precedence: what the command line names, then [tables.*] of genome.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.errors import SourceError, did_you_mean
from customer_genome.settings import Settings, TableSettings
from customer_genome.sources.customer_level import Level, describe_data
from customer_genome.sources.databases import describe_database, is_database_address
from customer_genome.sources.files import describe_arrow, describe_file, describe_look, look_at_arrow
from customer_genome.sources.public import PUBLIC_DATA, describe_public, public_data
from customer_genome.sources.ratings import as_events, describe_ratings

CatalogSample = Callable[[str], pa.Table]
"""Returns some rows of a table that Spark's catalog knows, with all its columns."""
_SPARK_TABLE = "spark-table:"


def describe_sources(
    data: Any, settings: Settings, tmp: Path, catalog_sample: CatalogSample | None = None
) -> Mapping[str, SourceTable]:
    """Describe every input table of a run.

    Parameters
    ----------
    data : text, path, None, or a table from Python
        Public name, file, folder, glob or database address of the order lines, or pandas or Arrow data; None takes
        [tables.order_lines].
    tmp : Path
        Folder for clean copies of files that an engine cannot read as they are.
    catalog_sample : function of the name of a table, optional
        How to look at `spark-table:NAME`; without it such an address is refused.

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
            try:
                described[name] = _described(name, table.path, table, tmp, catalog_sample)
            except SourceError as err:
                if name == "order_lines" and (other := _no_lines(table.path, settings, tmp)):
                    raise SourceError(other) from err
                raise
    return described


def _no_lines(given: str, settings: Settings, tmp: Path) -> str:
    """Return what to say of data that are no order lines but customers with totals or ratings; empty where they are neither."""
    if _holds_order_lines(given):
        return ""
    try:
        held = "ratings" if describe_ratings(given, settings, tmp) else describe_data(given, settings.tables, tmp)[0]
    except SourceError:
        return ""
    words = {"ratings": "ratings of items", "customer_totals": "one row per customer"}.get(held)
    return (
        f"{given} holds {words}. Wanted here: order lines, one row per thing bought, with customer, time and money. "
        f"`genome run {given}` reads {words}; forecasts from a day on, backtests and comparisons of engines need order lines."
        if words
        else ""
    )


def describe_run(
    data: Any, settings: Settings, tmp: Path, level: Level | None = None, catalog_sample: CatalogSample | None = None
) -> Mapping[str, SourceTable]:
    """Describe every input table of a run, which may also be given one row per customer, or ratings, instead of order lines.

    Parameters
    ----------
    data : as for `describe_sources`; None takes [tables.order_lines] or [tables.customer_totals]
    level : "orders", "customers" or "ratings", optional
        What the data are; by default what their columns say.
    catalog_sample : as for `describe_sources`

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
    if level in (None, "ratings") and (data is None or isinstance(data, (str, Path))):
        rated = describe_ratings(data, settings, tmp)
        if rated is not None:
            return _with_side(rated, settings, tmp, catalog_sample)
    if data is None or (isinstance(data, (str, Path)) and _holds_order_lines(str(data))):
        return describe_sources(data, settings, tmp, catalog_sample)
    if isinstance(data, (str, Path)):
        _refuse_near_name(str(data))
    name, described = describe_data(data, settings.tables, tmp, level)
    if name == "ratings":
        items = describe_side_tables(settings, tmp, only={"items"}, catalog_sample=catalog_sample).get("items")
        return _with_side(as_events(described, items), settings, tmp, catalog_sample)
    side = {"suppressions"} if name == "customer_totals" else None  # products and promotions say nothing about totals
    return {name: described, **describe_side_tables(settings, tmp, only=side, catalog_sample=catalog_sample)}


def _with_side(
    rated: Mapping[str, SourceTable], settings: Settings, tmp: Path, catalog_sample: CatalogSample | None
) -> dict[str, SourceTable]:
    """Return ratings read as order lines with the tables that may stand beside them."""
    return {**rated, **describe_side_tables(settings, tmp, only={"customers", "suppressions"}, catalog_sample=catalog_sample)}


def describe_side_tables(
    settings: Settings, tmp: Path, only: Collection[str] | None = None, catalog_sample: CatalogSample | None = None
) -> dict[str, SourceTable]:
    """Describe every table of the settings beside the order lines or customers, or some of them."""
    return {
        name: _described(name, table.path, table, tmp, catalog_sample)
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


def _holds_order_lines(given: str) -> bool:
    """Return whether data are of a kind that is never taken for customers with totals."""
    return is_public(given) or is_database_address(given) or given.startswith(_SPARK_TABLE)


def _described(name: str, path: str, table: TableSettings, tmp: Path, catalog_sample: CatalogSample | None = None) -> SourceTable:
    """Describe one table at a path or an address."""
    if path.startswith(_SPARK_TABLE):
        return _in_catalog(name, path.removeprefix(_SPARK_TABLE), table, catalog_sample)
    if is_database_address(path):
        return describe_database(path, name, table)
    return describe_file(path, name, table, tmp)


def _in_catalog(name: str, table_name: str, table: TableSettings, catalog_sample: CatalogSample | None) -> SourceTable:
    """Describe a table that Spark's catalog knows, by some of its rows; the rows themselves stay on the cluster."""
    if catalog_sample is None:
        raise SourceError(
            f"{_SPARK_TABLE}{table_name} is a table of Spark's catalog, which only `genome run --engine spark` reads "
            '(or name = "spark" under [engine] in genome.toml). Run that, or name a file.'
        )
    look = look_at_arrow(catalog_sample(table_name), name, f"table {table_name} of Spark's catalog")
    return replace(describe_look(look, name, table), format="catalog", paths=(table_name,), batches=None)


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
