"""What is true of all customers together, asked of the engine: nothing here holds a row per customer.

Comes in: an engine and a table or view with facts and predictions of every customer. Goes out: small values that decisions
are worded from: which columns say something, the figures behind playbook rules, and the side tables the screens
read. The same texts run on every engine; sums are of decimals and figures are rounded to 12 digits, so that neither the
engine nor the number of its threads decides anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.decisions.crowd import (
    GROUP_COLUMNS,
    LIKELY_TO_RETURN,
    LOW_SPEND_PERCENT,
    N_CHANCE_BINS,
    Crowd,
    LowSpenders,
    SpendBins,
    in_order,
)
from customer_genome.decisions.customers import Customers
from customer_genome.decisions.findings import Finding, findings_of
from customer_genome.decisions.playbooks import Playbook, PlaybookCheck, check, wanted_figures
from customer_genome.decisions.priority import HeatCell, heat_map
from customer_genome.decisions.segment_names import SegmentName
from customer_genome.models.segmentation.segments import significant
from customer_genome.warehouse.build import sql_text
from customer_genome.warehouse.engine import Engine, quoted
from customer_genome.warehouse.quantiles import Quantile, known_number, values_at

_STORED = "customers_to_summarise"
_NUMBERS = ("total_spend", "churn_probability", "n_orders", "recency_days", "clv_180d", "expected_value_loss", "horizon_days")
_TEXTS = (*GROUP_COLUMNS, "clv_band", "churn_band", "matching")


def known_columns(engine: Engine, table: str) -> frozenset[str]:
    """Return the columns that say something about at least one customer; not a number is nothing."""
    schema = _schema(engine, table)
    counts = engine.fetch(
        "select "
        + ", ".join(
            f"count({f'nullif(cast({quoted(field.name)} as double), {_NOT_A_NUMBER})' if pa.types.is_floating(field.type) else quoted(field.name)}) as c{place}"
            for place, field in enumerate(schema)
        )
        + f" from {quoted(table)}"
    )
    return frozenset(field.name for place, field in enumerate(schema) if counts[f"c{place}"][0].as_py() > 0)


_NOT_A_NUMBER = "cast('NaN' as double)"


def playbook_figures(engine: Engine, table: str, playbooks: Sequence[Playbook]) -> dict[str, float]:
    """Return the figures of all customers that rules compare with ("recency_days p30" -> 17.0).

    The table has to hold every column that rules may name, bands and segment names too.

    Raises
    ------
    SettingsError
        When a rule compares a column with another kind of value, naming its playbook.
    """
    schema = _schema(engine, table)
    nobody = Customers(schema.empty_table(), known_columns(engine, table))
    wanted = wanted_figures(playbooks, nobody)
    number_of = {
        figure.key: f"days_between(date '1970-01-01', cast({quoted(figure.column)} as date))"
        if figure.is_date
        else quoted(figure.column)
        for figure in wanted
    }
    quantiles = [Quantile(figure.key, number_of[figure.key], figure.percent) for figure in wanted if figure.percent is not None]
    figures = {figure.key: float("nan") for figure in wanted}
    figures |= {name: value for (name, _), value in values_at(engine, table, quantiles).items()}
    means = [figure.key for figure in wanted if figure.percent is None]
    if means:
        parts = (
            f"cast(sum(cast({x} as decimal(38, 10))) as double) / nullif(count({x}), 0) as m{place}"
            for place, x in enumerate(known_number(number_of[key]) for key in means)
        )
        row = engine.fetch(f"select {', '.join(parts)} from {quoted(table)}").to_pylist()[0]
        figures |= {key: _rounded(row[f"m{place}"]) for place, key in enumerate(means) if row[f"m{place}"] is not None}
    return figures


def side_tables(
    engine: Engine,
    table: str,
    *,
    named: Sequence[SegmentName],
    playbooks: Sequence[Playbook],
    known: frozenset[str],
    currency: str,
) -> dict[str, pa.Table]:
    """Return the small tables the screens read: segments, playbooks, findings, value by risk.

    Parameters
    ----------
    table : str
        A table or view with facts and predictions, with `matching` of `decisions.playbooks.assign` among them.
    known : frozenset of str
        From `known_columns`.
    """
    columns = set(_schema(engine, table).names)
    _store(engine, table, columns, _NUMBERS, texts=_TEXTS)
    groups: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in GROUP_COLUMNS}
    for row in engine.fetch(_text("groups")).to_pylist():
        groups[row.pop("kind")][row.pop("name")] = {name: _rounded(value) for name, value in row.items()}
    everybody = engine.fetch(_text("everybody")).to_pylist()[0]
    matching = {row["matching"]: row["n"] for row in engine.fetch(_text("matching")).to_pylist()}
    crowd = _crowd(engine, {name: groups[name] for name in GROUP_COLUMNS if name in columns}, everybody, known)
    return {
        "segments": _segments(groups["segment_name"], named),
        "playbooks": _playbooks(groups["playbook"], playbooks, check(playbooks, matching, known)),
        "findings": _findings(findings_of(crowd, currency=currency)),
        "heat_map": _heat_map(engine, everybody["n"]),
    }


def _crowd(
    engine: Engine, groups: Mapping[str, Mapping[str, Mapping[str, Any]]], everybody: Mapping[str, Any], known: frozenset[str]
) -> Crowd:
    """Return what findings are made of."""
    bins = engine.fetch(_text("spend_bins"))
    orders = engine.fetch(_text("orders")).to_pylist()
    return Crowd(
        everybody["n"],
        SpendBins(
            np.asarray(bins["n"].to_numpy(), dtype=np.int64), significant(np.asarray(bins["spend"].to_numpy(), dtype=np.float64))
        ),
        {row["orders"]: row["n"] for row in orders},
        max((row["most_orders"] for row in orders), default=0.0),
        {
            column: in_order({name: (row["customers"], row["total_spend"]) for name, row in rows.items()})
            if "total_spend" in known
            else ()
            for column, rows in groups.items()
        },
        _low_spenders(engine, everybody["horizon_days"]) if {"total_spend", "churn_probability"} <= known else None,
    )


def _low_spenders(engine: Engine, horizon_days: float | None) -> LowSpenders | None:
    """Return who spent little, by their chance to return."""
    bound = values_at(engine, _STORED, [Quantile("spend", "total_spend", LOW_SPEND_PERCENT)]).get(("spend", ""))
    if bound is None:
        return None
    engine.define("low_spend", (), f"cast('{bound!r}' as double)")
    engine.define("likely_to_return", (), f"cast('{LIKELY_TO_RETURN!r}' as double)")
    rows = {row["tenth"]: row for row in engine.fetch(_text("chances")).to_pylist()}
    return LowSpenders(
        sum(row["n"] for row in rows.values()),
        bound,
        tuple(rows[tenth]["n_low"] if tenth in rows else 0 for tenth in range(N_CHANCE_BINS)),
        sum(row["n_likely"] for row in rows.values()),
        horizon_days,
    )


def _totals(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one group's totals under their published names; zeros for a group without customers."""
    nobody = {"customers": 0, "total_spend": 0.0, "clv_180d": 0.0, "expected_value_loss": 0.0}
    unknown = {"churn_probability": None, "median_recency_days": None, "mean_orders": None}
    return {name: row.get(name, default) for name, default in (nobody | unknown).items()}


_TOTALS = pa.schema(
    [
        ("customers", pa.int64()),
        ("total_spend", pa.float64()),
        ("clv_180d", pa.float64()),
        ("expected_value_loss", pa.float64()),
        ("churn_probability", pa.float64()),
        ("median_recency_days", pa.float64()),
        ("mean_orders", pa.float64()),
    ]
)
_SEGMENTS = pa.schema(
    [
        ("segment_name", pa.string()),
        ("label", pa.string()),
        ("cluster", pa.int64()),
        ("persona", pa.string()),
        ("reason", pa.string()),
        ("strategy", pa.string()),
        *_TOTALS,
    ]
)
_PLAYBOOKS = pa.schema(
    [
        ("playbook", pa.string()),
        ("priority", pa.int64()),
        ("who", pa.string()),
        ("do", pa.string()),
        ("measure", pa.string()),
        ("channel", pa.string()),
        ("cost", pa.string()),
        ("matches", pa.int64()),
        ("switched_off", pa.string()),
        *_TOTALS,
    ]
)


def _segments(groups: Mapping[str, Mapping[str, Any]], named: Sequence[SegmentName]) -> pa.Table:
    """Return one row per named segment: totals, why it is called so, what to do."""
    rows = [
        {
            "segment_name": one.name,
            "label": one.label,
            "cluster": one.cluster,
            "persona": one.persona,
            "reason": one.reason,
            "strategy": one.strategy,
        }
        | _totals(groups.get(one.name, {}))
        for one in named
    ]
    return pa.Table.from_pylist(rows, _SEGMENTS)


def _playbooks(
    groups: Mapping[str, Mapping[str, Any]], playbooks: Sequence[Playbook], checks: Sequence[PlaybookCheck]
) -> pa.Table:
    """Return one row per playbook: who, what to do, what to measure, and how many customers it takes."""
    rows = [
        {
            "playbook": book.name,
            "priority": book.priority,
            "who": book.who,
            "do": " ".join(book.do),
            "measure": "; ".join(book.measure),
            "channel": book.channel,
            "cost": book.cost,
            "matches": found.n_matches,
            "switched_off": found.switched_off,
        }
        | _totals(groups.get(book.name, {}))
        for book, found in zip(playbooks, checks, strict=True)
    ]
    return pa.Table.from_pylist(rows, _PLAYBOOKS)


def _findings(found: Sequence[Finding]) -> pa.Table:
    """Return findings as a table, charts as JSON."""
    return pa.table(
        {
            "id": pa.array([one.id for one in found], pa.string()),
            "title": pa.array([one.title for one in found], pa.string()),
            "sentence": pa.array([one.sentence for one in found], pa.string()),
            "value": pa.array([one.value for one in found], pa.float64()),
            "unit": pa.array([one.unit for one in found], pa.string()),
            "n_customers": pa.array([one.n for one in found], pa.int64()),
            "chart": pa.array([json.dumps(dict(one.chart)) for one in found], pa.string()),
        }
    )


def _heat_map(engine: Engine, n_customers: int) -> pa.Table:
    """Return value by risk, nine cells."""
    found = {
        (row["clv_band"], row["churn_band"]): (row["n"], _rounded(row["clv"]), _rounded(row["expected_value_loss"]))
        for row in engine.fetch(_text("heat")).to_pylist()
    }
    cells: tuple[HeatCell, ...] = heat_map(found, n_customers)
    return pa.Table.from_pylist([asdict(cell) for cell in cells])


def _store(
    engine: Engine,
    table: str,
    columns: set[str],
    numbers: Sequence[str],
    *,
    texts: Sequence[str] = (),
) -> None:
    """Store the columns the texts read, so that a view is read once; a column that is not there is empty."""
    parts = [f"{known_number(quoted(name)) if name in columns else 'cast(null as double)'} as {name}" for name in numbers]
    parts += [f"{quoted(name) if name in columns else 'cast(null as string)'} as {name}" for name in texts]
    engine.create_table(_STORED, f"select {', '.join(parts)} from {quoted(table)}")


def _schema(engine: Engine, table: str) -> pa.Schema:
    """Return names and types of a table's columns."""
    return engine.fetch(f"select * from {quoted(table)} limit 0").schema


def _rounded(value: Any) -> Any:
    """Return a float to 12 significant digits; anything else as it is."""
    return float(significant(value)) if isinstance(value, float) else value


def _text(name: str) -> str:
    """Return a SQL text of this module."""
    return sql_text("customer_genome.warehouse", "sql/summaries", name)
