"""`genome audience`: customers like those of a list, and what such an audience would have brought at an earlier day.

Comes in: an open version and the ids of a list (seeds). Goes out: the customers most like them, with the reasons and the actions
of each, and a measured lift: the same search as of one horizon ago, with what was known then, against what came since.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.answers.targeting import read_columns
from customer_genome.decisions.lift import Lift, lift_of
from customer_genome.errors import SettingsError, SourceError, UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.models.similarity import LOGGED, Space, likeness, wanted_columns
from customer_genome.neighbours import Neighbours, weights_of_version

LEAST_SEEDS, LEAST_POOL, LEAST_AUDIENCE = 10, 100, 20
HIGH_SPEND_PERCENT = 80.0
BEST_PERCENT = 10.0
SHOWN_IDS = 5
CARRIED = (
    "segment_name",
    "playbook",
    "recommended_action",
    "clv_180d",
    "churn_probability",
    "expected_value_loss",
    "primary_country",
)
_EARLIER = """
    select
        customer_id,
        cast(count(*) filter (where ordered_on < $day) as double) as n_orders,
        sum(revenue) filter (where ordered_on < $day) as total_spend,
        sum(revenue) filter (where ordered_on < $day) / nullif(count(*) filter (where ordered_on < $day), 0) as mean_order_value,
        cast(datediff('day', max(ordered_on) filter (where ordered_on < $day), $day) as double) as recency_days,
        cast(datediff('day', min(ordered_on), $day) as double) as tenure_days,
        count(*) filter (where ordered_on >= $day) > 0 as ordered_again,
        coalesce(sum(revenue) filter (where ordered_on >= $day), 0)::double as spend_after
    from orders
    group by customer_id
    having min(ordered_on) < $day
    order by customer_id
"""
"""Facts that orders alone tell, as of a day, and what came from that day on."""


@dataclass(frozen=True)
class Evidence:
    """What an audience would have brought, measured on the past.

    Attributes
    ----------
    day : as of which facts were taken
    n_seeds : seeds that were customers by then
    facts : compared by
    outcomes : (words, lift); "ordered again" and the like, from `day` to the cutoff of the version
    """

    day: dt.date
    days: int
    n_seeds: int
    facts: tuple[str, ...]
    outcomes: tuple[tuple[str, Lift], ...]


@dataclass(frozen=True)
class Audience:
    """Customers like those of a list.

    Attributes
    ----------
    table : rank, customer_id, similarity, and what was published about them; the most alike first
    unknown : ids of the list that are no customers of the version
    notices : what the user should know, in words
    """

    table: pa.Table
    n_seeds: int
    unknown: tuple[str, ...]
    evidence: Evidence | None
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything but the rows as plain values."""
        found: dict[str, Any] = {
            "size": self.table.num_rows,
            "seeds": self.n_seeds,
            "unknown_seeds": {"count": len(self.unknown), "first": list(self.unknown[:SHOWN_IDS])},
            "evidence": None,
            "notices": list(self.notices),
        }
        if self.evidence is not None:
            lifts = [
                {"outcome": words, **{k: None if isinstance(v, float) and math.isnan(v) else v for k, v in asdict(lift).items()}}
                for words, lift in self.evidence.outcomes
            ]
            found["evidence"] = {
                "as_of": self.evidence.day.isoformat(),
                "days": self.evidence.days,
                "seeds": self.evidence.n_seeds,
                "facts": list(self.evidence.facts),
                "lift": lifts,
            }
        return found


def read_seeds(path: Path) -> list[str]:
    """Return the ids of a CSV file, each once, in its order: the column customer_id, or the only column.

    Raises
    ------
    SourceError
        When the file cannot be read, has no such column, or names nobody.
    """
    try:
        header = path.read_text(encoding="utf-8-sig").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as err:
        raise SourceError(f"{path} cannot be read: {err}. Wanted: a CSV file with the column customer_id.") from err
    if not header:
        raise SourceError(f"{path} is empty. Wanted: a CSV file with the column customer_id and at least one id.")
    alone = not any(sign in header for sign in ",;\t")
    column = read_columns(path, (header.strip('"') if alone else "customer_id",)).column(0)
    ids = list(dict.fromkeys(text.strip() for text in column.to_pylist() if text and text.strip()))
    if not ids:
        raise SourceError(
            f"{path} names nobody: no id in its column {header if alone else 'customer_id'}. Wanted: at least one customer id."
        )
    return ids


def audience(
    genome: Genome, seeds: Sequence[str], size: int, *, weights: Mapping[str, float] | None = None, seed: int = 7
) -> Audience:
    """Return the customers most like those of a list; the list itself and those who must not be contacted are left out.

    Raises
    ------
    SettingsError
        When the size or a weight is not possible.
    UnknownCustomerError
        When nobody of the list is a customer of this version.
    """
    if size < 1:
        raise SettingsError(f"size {size}: wanted 1 or more customers.")
    everybody = Neighbours.open(genome)
    places = {customer_id: everybody.place_of(customer_id) for customer_id in seeds}
    unknown = tuple(customer_id for customer_id, place in places.items() if place < 0)
    rows = np.array(sorted(place for place in places.values() if place >= 0), dtype=np.int64)
    if not len(rows):
        first = ", ".join(repr(one) for one in unknown[:SHOWN_IDS])
        raise UnknownCustomerError(
            f"None of the {len(unknown):,} ids of the list is a customer of version {genome.snapshot.version} (first: {first}). "
            "Wanted: ids as in the source; `genome export` writes all of them."
        )
    given, default = everybody.weights(weights)
    alike = likeness(everybody.units, np.asarray(everybody.units[rows]), weights=given, default=default)
    alike[rows] = -np.inf
    table = _ranked(genome, everybody, alike, size)
    notices = []
    if unknown:
        first = ", ".join(repr(one) for one in unknown[:SHOWN_IDS])
        more = f" and {len(unknown) - SHOWN_IDS:,} more" if len(unknown) > SHOWN_IDS else ""
        notices.append(f"{len(unknown):,} of {len(places):,} ids of the list are no customers of this version: {first}{more}.")
    if table.num_rows < size:
        notices.append(f"{table.num_rows:,} customers are left to choose from; {size:,} were wanted.")
    evidence, why_not = measured(
        genome, [one for one in places if places[one] >= 0], size / max(len(everybody.ids), 1), weights, seed
    )
    if why_not:
        notices.append(f"The lift cannot be measured: {why_not}.")
    return Audience(table, len(rows), unknown, evidence, tuple(notices))


def _ranked(genome: Genome, everybody: Neighbours, alike: np.ndarray[Any, np.dtype[np.float64]], size: int) -> pa.Table:
    """Return the customers most alike who may be contacted, with what was published about them."""
    columns = genome.query("select * from customers limit 0").column_names
    if "is_suppressed" in columns:
        for one in genome.query("select customer_id from customers where is_suppressed")["customer_id"].to_pylist():
            alike[everybody.place_of(one)] = -np.inf
    order = np.lexsort((np.arange(len(alike)), -alike))[:size]
    order = order[np.isfinite(alike[order])]
    ids = everybody.ids.take(pa.array(order))
    carried = [name for name in CARRIED if name in columns]
    found = genome.query(
        f"select customer_id, {', '.join(carried)} from customers where list_contains(cast(? as varchar[]), customer_id)"
        if len(ids) <= 1000
        else f"select customer_id, {', '.join(carried)} from customers",
        [ids.to_pylist()] if len(ids) <= 1000 else [],
    )
    found = found.take(pc.index_in(ids, value_set=found["customer_id"].combine_chunks()))
    ranks = pa.array(np.arange(1, len(ids) + 1), pa.int64())
    return found.add_column(0, "rank", ranks).add_column(2, "similarity", pa.array(np.round(alike[order], 6)))


def best_before(genome: Genome, percent: float = BEST_PERCENT) -> list[str]:
    """Return the ids of the customers who had spent most one horizon before the cutoff, as known then; none without orders by day."""
    if "orders" not in genome.tables():
        return []
    found = genome.query(
        "with before as (select customer_id, sum(revenue) as spent from orders where ordered_on < ? group by customer_id) "
        "select customer_id from before qualify percent_rank() over (order by spent, customer_id) >= ? order by customer_id",
        [one_horizon_before(genome), 1 - percent / 100],
    )
    return list(found["customer_id"].to_pylist())


def one_horizon_before(genome: Genome) -> dt.date:
    """Return the day that lies one horizon before the cutoff of the version."""
    return dt.date.fromisoformat(str(genome.manifest["as_of"])[:10]) - dt.timedelta(days=int(genome.manifest["horizon_days"]))


def measured(
    genome: Genome, seeds: Sequence[str], share: float, weights: Mapping[str, float] | None = None, seed: int = 7
) -> tuple[Evidence | None, str]:
    """Return what an audience would have brought from one horizon ago until now, or why that cannot be told.

    Facts are those that the orders before that day tell. The audience is chosen from all customers of that day but the seeds, as
    large a share of them as is wanted now, and held against a random choice from the same customers.
    """
    days, day = int(genome.manifest["horizon_days"]), one_horizon_before(genome)
    if "orders" not in genome.tables():
        return None, "this version has no orders by day"
    rows = genome.query(_EARLIER.replace("$day", f"date '{day.isoformat()}'"))
    facts = {name: np.asarray(rows[name].cast(pa.float64()).to_numpy()) for name in LOGGED if name in rows.column_names}
    is_seed = np.asarray(pc.is_in(rows["customer_id"], value_set=pa.array(list(seeds), pa.string())).to_numpy(), dtype=np.bool_)
    if is_seed.sum() < LEAST_SEEDS:
        return None, f"{is_seed.sum():,} of the list were customers by {day}, {LEAST_SEEDS} are needed"
    if (~is_seed).sum() < LEAST_POOL:
        return None, f"{(~is_seed).sum():,} others were customers by {day}, {LEAST_POOL} are needed"
    space = Space.of(facts, weights_of_version(genome))
    units = space.place(facts)
    kept = {name: value for name, value in (weights or {}).items() if name in wanted_columns(space.columns)}
    given = space.weights(kept) if kept else None
    alike = likeness(units, units[is_seed], weights=given, default=space.weights())
    pool = np.flatnonzero(~is_seed)
    size = min(max(LEAST_AUDIENCE, round(share * len(rows))), len(pool) // 2)
    chosen = np.zeros(len(rows), dtype=np.bool_)
    chosen[pool[np.lexsort((pool, -alike[pool]))][:size]] = True
    others = ~is_seed & ~chosen
    again, spend = (np.asarray(rows[name].cast(pa.float64()).to_numpy()) for name in ("ordered_again", "spend_after"))
    high = (spend > max(float(np.percentile(spend, HIGH_SPEND_PERCENT)), 0.0)).astype(np.float64)
    outcomes = tuple(
        (words, lift_of(values[chosen], values[others], seed=seed))
        for words, values in (("ordered again", again), ("spent among the top fifth", high), ("money spent", spend))
    )
    return Evidence(day, days, int(is_seed.sum()), space.columns, outcomes), ""
