"""Exact quantiles of any number of rows, on any engine, in little memory.

Comes in: an engine, a table, and numeric SQL expressions. Goes out: values that occur in the rows. The range of each
expression is cut into equal bins, the bin that holds the wanted row is cut again, and so on until it holds one value; no
engine sorts or keeps all rows, as its own percentile functions do, and the count decides without a rounded position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from customer_genome.warehouse.build import sql_text
from customer_genome.warehouse.engine import Engine, literal, quoted

N_BINS = 1024
LARGEST, SMALLEST = "1.0e27", "1.0e-280"
"""Numbers from the one on, and what is no number, count as unknown; numbers below the other as 0."""


@dataclass(frozen=True)
class Quantile:
    """What is looked for: the smallest value that at least `percent` % of the known values do not exceed.

    Attributes
    ----------
    name : what it is called in the result
    expression : SQL of a number
    percent : 0..100
    by : SQL of what groups are told by; empty for all rows together
    """

    name: str
    expression: str
    percent: float
    by: str = ""


@dataclass(frozen=True)
class _Search:
    """A value looked for among those from `low` to `high`: the `rank`-th from below, from 1."""

    name: str
    series: str
    place: str
    rank: int
    low: float
    high: float

    def into(self, bins: Sequence[tuple[int, int, float, float]]) -> _Search:
        """Return the search inside the one of (bin, n, low, high) that holds the value."""
        rank = self.rank
        for _, n, low, high in sorted(bins):
            if rank <= n:
                return replace(self, rank=rank, low=low, high=high)
            rank -= n
        return replace(self, low=self.high)


def known_number(expression: str) -> str:
    """Return SQL of a number as double, null where it is none: not a number, infinite, or beyond all money."""
    number = f"cast({expression} as double)"
    return f"case when abs({number}) < {SMALLEST} then 0.0e0 when abs({number}) < {LARGEST} then {number} end"


def values_at(engine: Engine, table: str, wanted: Sequence[Quantile]) -> dict[tuple[str, str], float]:
    """Return the value of each quantile by (name, group); the group is an empty text where it covers all rows.

    A quantile without known values is missing. The same as `decisions.customers.value_at`, for rows that stay where they are.

    Parameters
    ----------
    table : str
        A table or view; the expressions are read once.
    """
    series = {key: f"series_{place}" for place, key in enumerate(dict.fromkeys((item.expression, item.by) for item in wanted))}
    if not series:
        return {}
    _store_values(engine, table, series)
    _show_values(engine, sorted(series.values()))
    ranges: dict[str, list[tuple[str, int, float, float]]] = {}
    for row in engine.fetch(_text("ranges")).to_pylist():
        ranges.setdefault(row["series"], []).append((row["place"], row["n"], row["low"], row["high"]))
    open_searches = [
        _Search(item.name, series[item.expression, item.by], place, _rank(item.percent, n), low, high)
        for item in wanted
        for place, n, low, high in ranges.get(series[item.expression, item.by], [])
    ]
    found: dict[tuple[str, str], float] = {}
    while open_searches:
        found |= {(search.name, search.place): search.low for search in open_searches if search.low == search.high}
        open_searches = _narrowed(engine, [search for search in open_searches if search.low < search.high])
    return found


def _rank(percent: float, n: int) -> int:
    """Return how many of `n` values are at most the quantile."""
    return max(1, math.ceil(round(n * percent / 100, 9)))


def _store_values(engine: Engine, table: str, series: dict[tuple[str, str], str]) -> None:
    """Store every expression and what its groups are told by, once."""
    columns = []
    for (expression, by), name in series.items():
        columns.append(f"{known_number(expression)} as {name}_x")
        columns.append(f"{f'cast({by} as string)' if by else literal('')} as {name}_place")
    engine.create_table("quantile_columns", f"select {', '.join(columns)} from {quoted(table)}")


def _show_values(engine: Engine, names: Sequence[str]) -> None:
    """Make `quantile_values` one long list of the named series: series, place, value."""
    parts = (
        f"select {literal(name)} as series, {name}_place as place, {name}_x as x from quantile_columns "
        f"where {name}_x is not null and {name}_place is not null"
        for name in names
    )
    engine.create_view("quantile_values", " union all ".join(parts))


def _narrowed(engine: Engine, searches: Sequence[_Search]) -> list[_Search]:
    """Return the searches, each in a part of its range."""
    if not searches:
        return []
    _show_values(engine, sorted({search.series for search in searches}))
    engine.write(
        "quantile_searches",
        pa.table(
            {
                "search": pa.array(range(len(searches)), pa.int64()),
                "series": [search.series for search in searches],
                "place": [search.place for search in searches],
                "low": [search.low for search in searches],
                "high": [search.high for search in searches],
                "bins_per_unit": [(N_BINS - 1) / (search.high - search.low) for search in searches],
            }
        ),
    )
    bins: dict[int, list[tuple[int, int, float, float]]] = {}
    for row in engine.fetch(_text("narrow")).to_pylist():
        bins.setdefault(row["search"], []).append((row["bin"], row["n"], row["low"], row["high"]))
    return [search.into(bins[number]) for number, search in enumerate(searches)]


def _text(name: str) -> str:
    """Return a SQL text of this module."""
    return sql_text("customer_genome.warehouse", "sql/summaries", name)
