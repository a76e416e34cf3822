"""Ratings read as events without money, so that they go the way of order lines: each rating is a line of its own time.

Comes in: a described table of ratings, or a folder as MovieLens ships it, with the titles beside it. Goes out: described `order_lines`
whose `has_money` is False, and the rated items as `products`. The rating itself travels in the column `price`; nothing adds it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from customer_genome.contracts import SourceTable
from customer_genome.errors import SourceError
from customer_genome.settings import Settings, TableSettings
from customer_genome.sources.databases import describe_database, is_database_address
from customer_genome.sources.files import describe_file

RATING_FILES, ITEM_FILES = ("ratings",), ("items", "movies", "books", "products", "titles")
SUFFIXES = (".csv", ".parquet", ".tsv", ".xlsx")
AS_LINES: Mapping[str, str] = {"customer_id": "customer_id", "rated_at": "ordered_at", "item_id": "product_id", "rating": "price"}
"""Column of ratings -> the column of order lines that it is read as."""
AS_PRODUCTS: Mapping[str, str] = {"item_id": "product_id", "title": "description", "category": "category"}
_READ_AS = (
    "Read as ratings: each rating is an event without money. An order is a time at which somebody rated, a line is one rating, a product what was "
    "rated. There is no revenue, no value to come and nothing counted in money."
)


def ratings_at(data: str | Path | None, settings: Settings) -> tuple[str, str | None] | None:
    """Return the paths of ratings and items in a folder or in the settings, or None where there are no ratings."""
    if data is not None and (folder := Path(data)).is_dir():
        found = {path.stem.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
        ratings = next((str(found[name]) for name in RATING_FILES if name in found), None)
        return (ratings, next((str(found[name]) for name in ITEM_FILES if name in found), None)) if ratings else None
    tables = settings.tables
    if data is None and "order_lines" not in tables and "ratings" in tables and tables["ratings"].path:
        return tables["ratings"].path or "", tables["items"].path if "items" in tables else None
    return None


def describe_ratings(data: str | Path | None, settings: Settings, tmp: Path) -> dict[str, SourceTable] | None:
    """Return order lines without money and products from a folder or the settings; None where there are no ratings.

    Raises
    ------
    SourceError
        When a source cannot be read, or the ratings lack what a run needs.
    """
    places = ratings_at(data, settings)
    if places is None:
        return None
    tables = settings.tables
    ratings = _described(places[0], "ratings", tables.get("ratings", TableSettings()), tmp)
    items = _described(places[1], "items", tables.get("items", TableSettings()), tmp) if places[1] else None
    return as_events(ratings, items)


def _described(path: str, table: str, settings: TableSettings, tmp: Path) -> SourceTable:
    """Return the description of a file or of a table in a database."""
    if is_database_address(path):
        return describe_database(path, table, settings)
    return describe_file(path, table, settings, tmp)


def as_events(ratings: SourceTable, items: SourceTable | None) -> dict[str, SourceTable]:
    """Return ratings as order lines without money, and their items as products.

    Raises
    ------
    SourceError
        When the ratings carry no time.
    """
    if "rated_at" not in ratings.mapping:
        found = ", ".join(column.name for column in ratings.columns)
        raise SourceError(
            f"{ratings.label} holds ratings without a time. Found: {found}. Wanted: a column such as timestamp, since a run tells who came back. "
            'Name it: rated_at = "..." under [tables.ratings.columns] in genome.toml. Lists of what somebody will like need no time: `genome recommend`.'
        )
    notices = [*ratings.notices, _READ_AS]
    if items is None:
        notices.append(
            "No table of rated items: they go by their id. Give the folder that holds both files, or name the titles under [tables.items] path in genome.toml."
        )
    lines = replace(
        ratings,
        table="order_lines",
        mapping=_renamed(ratings.mapping, AS_LINES),
        date_orders=_renamed(ratings.date_orders, AS_LINES),
        time_formats=_renamed(ratings.time_formats, AS_LINES),
        notices=tuple(notices),
        has_money=False,
    )
    return {"order_lines": lines} | ({"products": _as_products(items)} if items is not None else {})


def _as_products(items: SourceTable) -> SourceTable:
    """Return rated items as products."""
    return replace(items, table="products", mapping=_renamed(items.mapping, AS_PRODUCTS))


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what is known of columns, under other names; others are left out."""
    return {names[name]: value for name, value in values.items() if name in names}
