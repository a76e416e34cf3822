"""Findings of a part of the customers, counted in SQL on the published version: no row per customer leaves the database.

Comes in: an open `Genome` and which customers are meant. Goes out: the findings of `decisions.findings`, computed from exactly
those customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.decisions.crowd import (
    GROUP_COLUMNS,
    LIKELY_TO_RETURN,
    LOW_SPEND_PERCENT,
    MANY_ORDERS,
    N_CHANCE_BINS,
    Crowd,
    LowSpenders,
    SpendBins,
    in_order,
)
from customer_genome.decisions.findings import Finding, findings_of
from customer_genome.genome import Genome
from customer_genome.interfaces.views.overview import Choice

MOST_BINS = 50_000
"""Different amounts up to which each is a bin of its own; above, spend is counted to 4 significant digits."""


def findings_among(genome: Genome, choice: Choice) -> tuple[Finding, ...]:
    """Return every finding about the chosen customers, in reading order."""
    return findings_of(crowd_among(genome, choice), currency=genome.currency)


def low_spend_chances(genome: Genome, choice: Choice) -> pa.Table:
    """Return the chosen customers of low spend by their chance to order again: chance (label), customers, is_likely."""
    chosen, _, parameters = _chosen(genome, choice)
    known = _row(
        genome,
        f"select count(total_spend) as n_spend, count(churn_probability) as n_risk, max(horizon_days) as horizon from {chosen}",
        parameters,
    )
    low = _low_spenders(genome, chosen, parameters, known) if known["n_spend"] and known["n_risk"] else None
    counts = low.chances if low is not None else ()
    step = 100 // N_CHANCE_BINS
    return pa.table(
        {
            "chance": pa.array([f"{step * place}–{step * (place + 1)} %" for place in range(len(counts))], pa.string()),
            "customers": pa.array(list(counts), pa.int64()),
            "is_likely": pa.array([step * place >= 100 * LIKELY_TO_RETURN for place in range(len(counts))], pa.bool_()),
        }
    )


def crowd_among(genome: Genome, choice: Choice) -> Crowd:
    """Return what findings are made of, for the chosen customers."""
    chosen, groups, parameters = _chosen(genome, choice)
    counts = _row(
        genome,
        "select count(*) as n, count(total_spend) as n_spend, count(n_orders) as n_orders, count(churn_probability) as n_risk, "
        f"max(n_orders) as most, max(horizon_days) as horizon, count(distinct total_spend) as amounts from {chosen}",
        parameters,
    )
    return Crowd(
        counts["n"],
        _spend(genome, chosen, parameters, counts["amounts"]),
        {
            row["orders"]: row["n"]
            for row in genome.query(
                f"select cast(least(floor(n_orders), {MANY_ORDERS}) as bigint) as orders, count(*) as n from {chosen} "
                "where n_orders is not null group by 1 order by 1",
                parameters,
            ).to_pylist()
        },
        counts["most"] or 0.0,
        {name: _groups(genome, chosen, parameters, name) if counts["n_spend"] else () for name in groups},
        _low_spenders(genome, chosen, parameters, counts) if counts["n_spend"] and counts["n_risk"] else None,
    )


def _chosen(genome: Genome, choice: Choice) -> tuple[str, list[str], list[Any]]:
    """Return the chosen customers as a table in SQL, the columns that group them, and the parameters of the SQL."""
    where, parameters = choice.where()
    known = set(genome.query("select * from customers limit 0").column_names)
    numbers = ("total_spend", "n_orders", "churn_probability", "horizon_days")
    columns = [f"cast({name} as double) as {name}" if name in known else f"cast(null as double) as {name}" for name in numbers]
    groups = [name for name in GROUP_COLUMNS if name in known]
    return f"(select {', '.join([*columns, *groups])} from customers where {where})", groups, parameters


def _spend(genome: Genome, chosen: str, parameters: Sequence[Any], amounts: int) -> SpendBins:
    """Return the chosen customers by spend, lowest first."""
    amount = "total_spend"
    if amounts > MOST_BINS:
        amount = "trunc(total_spend / pow(10, floor(log10(greatest(abs(total_spend), 1e-4))) - 3)) * pow(10, floor(log10(greatest(abs(total_spend), 1e-4))) - 3)"
    rows = genome.query(
        f"select {amount} as amount, count(*)::bigint as n, sum(total_spend) as spend from {chosen} where total_spend is not null "
        "group by 1 order by 1",
        parameters,
    )
    return SpendBins(np.asarray(rows["n"].to_numpy(), dtype=np.int64), np.asarray(rows["spend"].to_numpy(), dtype=np.float64))


def _groups(genome: Genome, chosen: str, parameters: Sequence[Any], column: str) -> Any:
    """Return the groups of a text column, customers without a text in none."""
    rows = genome.query(
        f"select {column} as name, count(*) as n, coalesce(sum(total_spend), 0)::double as revenue from {chosen} "
        f"where {column} is not null group by 1",
        parameters,
    ).to_pylist()
    return in_order({row["name"]: (row["n"], row["revenue"]) for row in rows})


def _low_spenders(genome: Genome, chosen: str, parameters: Sequence[Any], counts: dict[str, Any]) -> LowSpenders:
    """Return who of the chosen spent little, by their chance to return."""
    place = max(int(np.ceil(round(counts["n_spend"] * LOW_SPEND_PERCENT / 100, 9))), 1)
    bound = _row(
        genome,
        f"select total_spend as bound from {chosen} where total_spend is not null order by total_spend limit 1 offset {place - 1}",
        parameters,
    )["bound"]
    rows = genome.query(
        f"select cast(least(greatest(floor((1 - churn_probability) * {N_CHANCE_BINS}), 0), {N_CHANCE_BINS - 1}) as bigint) as bin, "
        "count(*) as n, count(*) filter (where total_spend <= cast(? as double)) as low, "
        "count(*) filter (where total_spend <= cast(? as double) and 1 - churn_probability >= cast(? as double)) as likely "
        f"from {chosen} where total_spend is not null and churn_probability is not null group by 1",
        [bound, bound, LIKELY_TO_RETURN, *parameters],
    ).to_pylist()
    by_bin = {row["bin"]: row["low"] for row in rows}
    return LowSpenders(
        sum(row["n"] for row in rows),
        bound,
        tuple(by_bin.get(number, 0) for number in range(N_CHANCE_BINS)),
        sum(row["likely"] for row in rows),
        counts["horizon"],
    )


def _row(genome: Genome, sql: str, parameters: Sequence[Any]) -> dict[str, Any]:
    row: dict[str, Any] = genome.query(sql, parameters).to_pylist()[0]
    return row
