"""Whether two engines make the same tables: equal keys, integers, decimals, texts and times; doubles within 1e-9.

Comes in: two engines and described sources. Goes out: a report that names every table and column that was compared and
every difference: marts, facts, labels, collapsed histories, predictions and, where a folder is given for two versions, what
was published. Each engine fits its own models. Rows are matched by key, never by their order. What is compared is held in
memory, so this is for shops of some millions of lines.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.contracts import INPUT_TABLES, SourceTable
from customer_genome.errors import ContractError
from customer_genome.features.labels import build_labels
from customer_genome.features.past import cutoff_table
from customer_genome.features.table import category_key_of
from customer_genome.genome import Genome
from customer_genome.models.candidates import Past
from customer_genome.pipeline import Predicted, conclude, look_back, predict
from customer_genome.settings import Settings
from customer_genome.stages.cutoffs import longest_horizon
from customer_genome.stages.facts import build_facts
from customer_genome.stages.job import Clock, Job, Progress, silent
from customer_genome.stages.staging import stage_sources, with_currency
from customer_genome.warehouse.build import build_marts_of_cutoffs, build_orders, build_refund_effect
from customer_genome.warehouse.engine import Engine, quoted
from customer_genome.workspace import Workspace

TOLERANCE = 1e-9
MOST_EXAMPLES = 3

MARTS: Mapping[str, tuple[str, ...]] = {
    "numbered_lines": ("line_id",),
    "unreadable_lines": ("row_number", "raw_row"),
    "repeated_lines": ("line_id",),
    "returned_lines": ("line_id",),
    "order_lines": ("line_id",),
    "return_events": ("line_id", "is_return"),
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
    "lately": ("as_of", "customer_id"),
    "labels": ("as_of", "customer_id"),
}
"""Facts as of the cutoffs, theme by theme and together."""

PREDICTIONS: Mapping[str, tuple[str, ...]] = {
    "histories": ("as_of", "frequency", "recency_days", "age_days"),
    "customer_strata": ("customer_id",),
    "valued": ("customer_id",),
    "predictions": ("customer_id",),
}
"""What models learn from, and what they say about each customer."""

PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer_id",),
    "orders": ("customer_id", "order_id"),
    "returns": ("customer_id", "returned_on"),
    "daily": ("ordered_on", "country", "segment_name"),
    "products": ("product_id",),
    "ledger": ("row_class",),
    "refund_effect": (),
}
"""Published tables with their keys; small tables not named here are matched by everything in them that is no double."""

_EXACT = pa.decimal256(50, 8)  # whole numbers too: a sum of them is a decimal on one engine and an integer on another
_CATEGORY_TABLES = frozenset({"customer_categories", "category_wide"})
_MOMENTS = frozenset({"delivered_at"})
_JSON_COLUMNS = frozenset({"raw_row", "chart"})


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


class Tables(Protocol):
    """A place that answers queries: an engine, or a published version."""

    @property
    def name(self) -> str:
        """What it is called in a report."""
        ...

    def fetch(self, sql: str) -> pa.Table:
        """Return the rows of a query."""
        ...


@dataclass(frozen=True)
class _Version:
    """A published version as a place that answers queries."""

    name: str
    genome: Genome

    def fetch(self, sql: str) -> pa.Table:
        """Return the rows of a query, without the moment at which a run took place."""
        rows = self.genome.query(sql)
        return rows.drop_columns([name for name in rows.column_names if name in _MOMENTS])


@dataclass(frozen=True)
class _Side:
    """One engine with facts and labels built on it."""

    job: Job
    as_of: dt.date
    horizon_days: int
    categories: tuple[str, ...]
    past: tuple[Past, ...]

    def predicted(self) -> Predicted:
        """Fit the models and score every customer."""
        return predict(self.job, self.as_of, self.horizon_days, refit=True, past=self.past)

    def publish(self, predicted: Predicted) -> Genome:
        """Publish to the workspace of the job, which closes the engine; return what was published."""
        self.job.workspace.prepare()
        conclude(self.job, self.as_of, self.horizon_days, self.categories, predicted)
        return Genome.open(self.job.workspace)


def prove_parity(
    engine_a: Engine,
    engine_b: Engine,
    sources: Mapping[str, SourceTable],
    settings: Settings,
    *,
    as_ofs: Sequence[dt.date] | None = None,
    today: dt.date | None = None,
    folder: Path | None = None,
    scores: bool = True,
    progress: Progress = silent,
) -> ParityReport:
    """Build everything from staged lines to decisions on two engines, and compare it.

    Parameters
    ----------
    as_ofs : dates, optional
        Exclusive cutoffs; by default in the middle of the purchases, at three quarters, and the day after the last. Customers
        are scored as of the latest.
    folder : Path, optional
        Two workspaces are made in it, one for each engine; what they publish is compared too, and the engines are closed.
    scores : bool
        False stops at facts and labels: no models, nothing published.
    """
    day, place = today or dt.date.today(), folder or settings.workspace
    a, b = (_built(engine, sources, settings, as_ofs, day, place, progress, scores=scores) for engine in (engine_a, engine_b))
    tables = tables_of(sources)
    if not scores:
        return compare(engine_a, engine_b, tables)
    first, second = a.predicted(), b.predicted()
    progress("score", 0.9, "comparing")
    report = compare(engine_a, engine_b, {**tables, **PREDICTIONS})
    if folder is None:
        return report
    with a.publish(first) as one, b.publish(second) as other:
        return replace(report, tables=report.tables + compare_versions(one, other, (engine_a.name, engine_b.name)).tables)


def compare_versions(one: Genome, other: Genome, names: tuple[str, str] = ("one", "other")) -> ParityReport:
    """Return how the tables of two published versions compare; `names` are what they are called in the report."""
    both = set(one.tables()) & set(other.tables())
    keys = {name: PUBLISHED[name] if name in PUBLISHED else _matching_columns(one, name) for name in one.tables() if name in both}
    report = compare(_Version(names[0], one), _Version(names[1], other), keys)
    lone = tuple(
        _lone_table(name, genome, called)
        for genome, called in zip((one, other), names, strict=True)
        for name in genome.tables()
        if name not in both
    )
    return replace(report, tables=tuple(replace(table, table=f"published.{table.table}") for table in report.tables + lone))


def _lone_table(name: str, genome: Genome, called: str) -> TableParity:
    """Return how a table compares that only one version has."""
    n_rows = genome.query(f"select count(*) as n from {quoted(name)}").column("n")[0].as_py()
    difference = Difference(name, "", max(n_rows, 1), (f"only {called} has this table",))
    return TableParity(name, (n_rows, 0), (), (difference,), 0.0)


def _matching_columns(genome: Genome, name: str) -> tuple[str, ...]:
    """Return the columns of a published table that are no doubles and no drawings."""
    schema = genome.query(f"select * from {quoted(name)} limit 0").schema
    left_out = _JSON_COLUMNS | _MOMENTS
    return tuple(field.name for field in schema if not pa.types.is_floating(field.type) and field.name not in left_out)


def tables_of(sources: Mapping[str, SourceTable]) -> Mapping[str, tuple[str, ...]]:
    """Return the tables that an engine holds before models are fitted, with their keys."""
    has_categories = category_key_of(sources) is not None
    features = {name: columns for name, columns in FEATURES.items() if has_categories or name not in _CATEGORY_TABLES}
    side = {name: INPUT_TABLES[name].key for name in sources if name != "order_lines"}
    return {**side, **MARTS, **features}


def _built(
    engine: Engine,
    sources: Mapping[str, SourceTable],
    settings: Settings,
    as_ofs: Sequence[dt.date] | None,
    today: dt.date,
    folder: Path,
    progress: Progress,
    *,
    scores: bool,
) -> _Side:
    """Build everything up to facts and labels on one engine, by the steps of a run."""
    place = Workspace(folder / engine.name)
    job = Job(
        engine, place, settings, sources, Clock(lambda stage, share, text: progress(stage, share, f"{engine.name}: {text}"))
    )
    with job.clock.stage("clean", "reading and classing"):
        stage_sources(job, today)
        job = with_currency(job)
        days = as_ofs or _usual_cutoffs(engine)
        horizon_days = settings.prediction.horizon_days or longest_horizon(engine, max(days))
        build_orders(engine)
    past = look_back(job, max(days), horizon_days) if scores else ()
    with job.clock.stage("clean", "orders and refunds"):
        build_marts_of_cutoffs(engine, cutoff_table(days, horizon_days), settings.cleaning)
        build_refund_effect(engine)
    with job.clock.stage("facts", "facts about every customer"):
        categories = build_facts(job)
        build_labels(engine, nets_refunds=settings.cleaning.refunds == "net")
    return _Side(job, max(days), horizon_days, categories, past)


def _usual_cutoffs(engine: Engine) -> list[dt.date]:
    """Return the middle of the purchases, three quarters of them, and the day after the last."""
    row = engine.fetch("select min(ordered_on) as first_day, max(ordered_on) as last_day from order_lines").to_pylist()[0]
    if row["last_day"] is None:
        raise ContractError(
            "No purchase is left after cleaning, so there is nothing to compare. `genome run` says why rows were refused."
        )
    n_days = (row["last_day"] - row["first_day"]).days + 1
    return sorted({row["first_day"] + dt.timedelta(days=max(1, n_days * part // 4)) for part in (2, 3, 4)})


def compare(engine_a: Tables, engine_b: Tables, tables: Mapping[str, Sequence[str]]) -> ParityReport:
    """Return how the tables of two engines compare.

    Parameters
    ----------
    tables : table -> key columns
        No key: a table of one row.
    """
    found = tuple(_compare_table(engine_a, engine_b, name, tuple(key)) for name, key in tables.items())
    return ParityReport((engine_a.name, engine_b.name), found)


def _compare_table(engine_a: Tables, engine_b: Tables, name: str, key: tuple[str, ...]) -> TableParity:
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
    names = list(key or plain.column_names)  # rows that share a key of a small table are told apart by their doubles
    names += [one.name for one in plain.schema if one.name not in names and pa.types.is_floating(one.type)]
    return plain.sort_by([(name, "ascending") for name in names]) if plain.num_rows > 1 else plain


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
        return np.array([x != y and not _same_json(_json_values(x), _json_values(y)) for x, y in pairs], dtype=bool), 0.0
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


def _same_json(x: Any, y: Any) -> bool:
    """Return whether two values from JSON are the same, numbers within the tolerance."""
    if isinstance(x, float) and isinstance(y, float):
        return abs(x - y) <= TOLERANCE * max(abs(x), abs(y))
    if isinstance(x, dict) and isinstance(y, dict):
        return x.keys() == y.keys() and all(_same_json(x[key], y[key]) for key in x)
    if isinstance(x, list) and isinstance(y, list):
        return len(x) == len(y) and all(_same_json(one, other) for one, other in zip(x, y, strict=True))
    return type(x) is type(y) and bool(x == y)


def _example(a: pa.Table, b: pa.Table, key: Sequence[str], column: str, place: int) -> str:
    """Return one difference in words."""
    row = ", ".join(f"{name} {a[name][place].as_py()}" for name in key) or "the only row"
    return f"{row}: {a[column][place].as_py()!r} and {b[column][place].as_py()!r}"
