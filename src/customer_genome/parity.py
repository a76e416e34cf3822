"""Whether two engines make the same tables: equal keys, integers, decimals, texts and times; doubles within 1e-9.

Comes in: two engines and described sources. Goes out: a report that names every table and column that was compared and
every difference. Rows are matched by key, never by their order. Nothing is published.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.contracts import INPUT_TABLES, SourceTable
from customer_genome.errors import ContractError
from customer_genome.features.table import build_features, category_key_of
from customer_genome.rules import read_category_rules, read_not_merchandise
from customer_genome.settings import Settings
from customer_genome.warehouse.build import NotMerchandise, build_marts, build_refund_effect, stage_lines, stage_side_table
from customer_genome.warehouse.engine import Engine, quoted

TOLERANCE = 1e-9
MOST_EXAMPLES = 3

MARTS: Mapping[str, tuple[str, ...]] = {
    "numbered_lines": ("line_id",),
    "unreadable_lines": ("row_number", "raw_row"),
    "repeated_lines": ("line_id",),
    "returned_lines": ("line_id",),
    "order_lines": ("line_id",),
    "return_matches": ("as_of", "line_id"),
    "refunds": ("as_of", "line_id"),
    "order_days": ("customer_id", "order_id", "ordered_on", "country"),
    "ledger": ("row_class",),
    "quarantine": ("row_number", "reason"),
    "refund_effect": (),
}
"""Tables between the input and the facts, with the columns that name a row."""

FEATURES: Mapping[str, tuple[str, ...]] = {
    "known_days": ("as_of", "customer_id", "order_id", "ordered_on", "country"),
    "known_lines": ("as_of", "line_id"),
    "known_orders": ("as_of", "customer_id", "order_id"),
    **dict.fromkeys(("rfm", "cadence", "basket", "geography", "returns", "trend", "promotion"), ("as_of", "customer_id")),
    "customer_categories": ("as_of", "customer_id", "category"),
    "category_wide": ("as_of", "customer_id"),
    "customer_facts": ("customer_id", "as_of"),
}
"""Facts as of the cutoffs, theme by theme and together."""

_EXACT = pa.decimal256(50, 8)  # whole numbers too: a sum of them is a decimal on one engine and an integer on another
_CATEGORY_TABLES = frozenset({"customer_categories", "category_wide"})
_JSON_COLUMNS = frozenset({"raw_row"})


@dataclass(frozen=True)
class Difference:
    """What differs in one column of one table; `column` is empty where rows are missing on one side."""

    table: str
    column: str
    n_rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class TableParity:
    """How one table compared."""

    table: str
    rows: tuple[int, int]
    columns: tuple[str, ...]
    differences: tuple[Difference, ...]
    max_relative_difference: float


@dataclass(frozen=True)
class ParityReport:
    """What was compared, and what differs.

    Attributes
    ----------
    engines : the names of both
    tables : one entry for each table
    """

    engines: tuple[str, str]
    tables: tuple[TableParity, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Return every difference of every table."""
        return tuple(difference for table in self.tables for difference in table.differences)

    @property
    def max_relative_difference(self) -> float:
        """Return the largest relative difference of two doubles that stand for the same fact."""
        return max((table.max_relative_difference for table in self.tables), default=0.0)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values; `differences` counts the columns that differ."""
        return {
            "engines": list(self.engines),
            "tables": len(self.tables),
            "columns": sum(len(table.columns) for table in self.tables),
            "rows": sum(table.rows[0] for table in self.tables),
            "differences": len(self.differences),
            "max_relative_difference": self.max_relative_difference,
            "compared": [asdict(table) for table in self.tables],
        }


def prove_parity(
    engine_a: Engine,
    engine_b: Engine,
    sources: Mapping[str, SourceTable],
    settings: Settings,
    *,
    as_ofs: Sequence[dt.date] | None = None,
    today: dt.date | None = None,
) -> ParityReport:
    """Build everything from staged lines to customer facts on two engines, and compare it.

    Parameters
    ----------
    as_ofs : dates, optional
        Exclusive cutoffs; by default in the middle of the purchases, at three quarters, and the day after the last.
    """
    day = today or dt.date.today()
    tables = build_tables(engine_a, sources, settings, as_ofs, today=day)
    build_tables(engine_b, sources, settings, as_ofs, today=day)
    return compare(engine_a, engine_b, tables)


def build_tables(
    engine: Engine, sources: Mapping[str, SourceTable], settings: Settings, as_ofs: Sequence[dt.date] | None, *, today: dt.date
) -> Mapping[str, tuple[str, ...]]:
    """Build everything from staged lines to customer facts for the cutoffs; return the tables with their keys."""
    lines = sources["order_lines"]
    rules = NotMerchandise(*read_not_merchandise(settings.cleaning.not_merchandise))
    stage_lines(engine, lines, settings.cleaning, settings.shop, today=today, not_merchandise=rules)
    side = {name: source for name, source in sources.items() if name != "order_lines"}
    for source in side.values():
        stage_side_table(engine, source, settings.shop.timezone)
    days = as_ofs or _usual_cutoffs(engine)
    horizons = pa.array([settings.prediction.horizon_days] * len(days), pa.int32())
    build_marts(engine, pa.table({"as_of": pa.array(days, pa.date32()), "horizon_days": horizons}), settings.cleaning)
    build_refund_effect(engine)
    key = category_key_of(sources)
    build_features(
        engine,
        read_category_rules(settings.features.categories) if key == "description" else (),
        category_key=key,
        has_customers="customers" in sources,
        has_discounts="discount" in lines.mapping,
        most_categories=settings.features.most_categories,
        home_country=settings.shop.home_country,
    )
    features = {name: columns for name, columns in FEATURES.items() if key or name not in _CATEGORY_TABLES}
    return {**{name: INPUT_TABLES[name].key for name in side}, **MARTS, **features}


def _usual_cutoffs(engine: Engine) -> list[dt.date]:
    """Return the middle of the purchases, three quarters of them, and the day after the last."""
    row = engine.fetch("select min(ordered_on) as first_day, max(ordered_on) as last_day from order_lines").to_pylist()[0]
    if row["last_day"] is None:
        raise ContractError(
            "No purchase is left after cleaning, so there is nothing to compare. `genome run` says why rows were refused."
        )
    n_days = (row["last_day"] - row["first_day"]).days + 1
    return sorted({row["first_day"] + dt.timedelta(days=max(1, n_days * part // 4)) for part in (2, 3, 4)})


def compare(engine_a: Engine, engine_b: Engine, tables: Mapping[str, Sequence[str]]) -> ParityReport:
    """Return how the tables of two engines compare.

    Parameters
    ----------
    tables : table -> key columns
        No key: a table of one row.
    """
    found = tuple(_compare_table(engine_a, engine_b, name, tuple(key)) for name, key in tables.items())
    return ParityReport((engine_a.name, engine_b.name), found)


def _compare_table(engine_a: Engine, engine_b: Engine, name: str, key: tuple[str, ...]) -> TableParity:
    """Return how one table compares."""
    tables = [_sorted(engine.fetch(f"select * from {quoted(name)}"), key) for engine in (engine_a, engine_b)]
    a, b = tables
    rows = (a.num_rows, b.num_rows)
    if a.column_names != b.column_names:
        seen = (f"{engine_a.name}: {', '.join(a.column_names)}", f"{engine_b.name}: {', '.join(b.column_names)}")
        return TableParity(name, rows, (), (Difference(name, "", 0, seen),), 0.0)
    columns = tuple(a.column_names)
    missing = _missing_rows(a, b, key, name)
    if missing is not None:
        return TableParity(name, rows, columns, (missing,), 0.0)
    differences, largest = [], 0.0
    for column in columns:
        differs, relative = _compare_column(a[column].combine_chunks(), b[column].combine_chunks(), column in _JSON_COLUMNS)
        largest = max(largest, relative)
        if differs.any():
            places = np.flatnonzero(differs)
            examples = tuple(_example(a, b, key, column, int(place)) for place in places[:MOST_EXAMPLES])
            differences.append(Difference(name, column, len(places), examples))
    return TableParity(name, rows, columns, tuple(differences), largest)


def _sorted(table: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return a table in the order of its key, with one type for each kind of value."""
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    return plain.sort_by([(name, "ascending") for name in key or plain.column_names]) if plain.num_rows > 1 else plain


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values as the widest type of their kind: what is compared is what they mean, not how they are stored."""
    kind = values.type
    if pa.types.is_integer(kind):
        return values.cast(pa.int64()).cast(_EXACT)
    if pa.types.is_decimal(kind):
        return values.cast(_EXACT)
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("us", kind.tz))
    if pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return values.cast(pa.string())
    return values.cast(pa.float64()) if pa.types.is_floating(kind) else values


def _missing_rows(a: pa.Table, b: pa.Table, key: tuple[str, ...], name: str) -> Difference | None:
    """Return the rows that only one side has, None where both have the same keys."""
    if a.num_rows == b.num_rows and a.select(key).equals(b.select(key)):
        return None
    keys = [{tuple(row.values()) for row in table.select(key).to_pylist()} for table in (a, b)]
    only = sorted(map(str, keys[0] - keys[1])), sorted(map(str, keys[1] - keys[0]))
    examples = [f"only first: {row}" for row in only[0][:MOST_EXAMPLES]] + [
        f"only second: {row}" for row in only[1][:MOST_EXAMPLES]
    ]
    return Difference(
        name, "", max(len(only[0]) + len(only[1]), abs(a.num_rows - b.num_rows), 1), tuple(examples or ["a key repeats"])
    )


def _compare_column(a: pa.Array, b: pa.Array, is_json: bool) -> tuple[np.ndarray, float]:
    """Return (where two columns differ, their largest relative difference)."""
    if a.type != b.type:
        return np.ones(max(len(a), 1), dtype=bool), 0.0
    if pa.types.is_floating(a.type):
        return _compare_doubles(a, b)
    if is_json:
        pairs = zip(a.to_pylist(), b.to_pylist(), strict=True)
        return np.array([x != y and _json_values(x) != _json_values(y) for x, y in pairs], dtype=bool), 0.0
    if pa.types.is_null(a.type):
        return np.zeros(len(a), dtype=bool), 0.0
    unequal = pc.fill_null(pc.not_equal(a, b), False).to_numpy(zero_copy_only=False)
    one_null = pc.xor(a.is_null(), b.is_null()).to_numpy(zero_copy_only=False)
    return unequal | one_null, 0.0


def _compare_doubles(a: pa.Array, b: pa.Array) -> tuple[np.ndarray, float]:
    """Return where doubles differ by more than the tolerance, and the largest relative difference of all."""
    one_null = pc.xor(a.is_null(), b.is_null()).to_numpy(zero_copy_only=False)
    x, y = (values.fill_null(0.0).to_numpy(zero_copy_only=False) for values in (a, b))
    is_finite = np.isfinite(x) & np.isfinite(y)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    gap, size = np.zeros(len(x)), np.maximum(np.abs(x), np.abs(y))
    np.subtract(x, y, out=gap, where=is_finite)
    relative = np.divide(np.abs(gap), size, out=np.zeros(len(x)), where=is_finite & ~same)
    differs = one_null | (relative > TOLERANCE) | (~same & ~is_finite)
    return differs, float(relative.max(initial=0.0))


def _json_values(text: str | None) -> object:
    """Return the values of a row kept as JSON; 1.50 and 1.5 are one number. Text that is no JSON stands for itself."""
    if text is None:
        return None
    try:
        return json.loads(text, parse_int=float, parse_constant=str)
    except ValueError:
        return text


def _example(a: pa.Table, b: pa.Table, key: Sequence[str], column: str, place: int) -> str:
    """Return one difference in words."""
    row = ", ".join(f"{name} {a[name][place].as_py()}" for name in key) or "the only row"
    return f"{row}: {a[column][place].as_py()!r} and {b[column][place].as_py()!r}"
