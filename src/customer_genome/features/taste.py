"""Who bought what on which day, as a cutoff knew it: what recommendations are learned from, and what lists are made of.

Comes in: an engine that holds order lines, refunds and cutoffs, and knows what an item is (`recommended_item`). Goes out: the tables
`interactions`, `item_places` and `item_histories` (one row per customer), and a `Taste`: the purchases of all customers, or of as many
as may be learned from, drawn by the digest of their ids so that every engine draws the same ones. What comes to this process is
one row per drawn customer and one per item; everybody else's histories stay where they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.features.table import feature_text
from customer_genome.features.trials import digest_below
from customer_genome.models.btyd.season import day_number
from customer_genome.models.recommend.contract import IntArray, Interactions, interactions
from customer_genome.warehouse.engine import Engine, literal

CODE = 100_000
"""Days in a code of item_histories.sql: place of the item times this, plus the day."""
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Taste:
    """Purchases of the customers learned from, with the names behind the places, and how every item sells to everybody.

    Attributes
    ----------
    customers : who is learned from, in order
    items : every item ever bought, in order
    descriptions : what each item is called
    groups : the countries that are told apart, none where there is only one
    mark : customers whose digest begins with less are learned from
    n_purchases : purchases (customer, item, day) of everybody
    last_day, recent_buyers : per item, of everybody: the last day it was bought, and by how many in the last 30 days
    """

    known: Interactions
    customers: pa.Array
    items: pa.Array
    descriptions: tuple[str, ...]
    groups: tuple[str, ...]
    mark: str
    n_purchases: int
    last_day: IntArray
    recent_buyers: IntArray

    @property
    def is_whole(self) -> bool:
        """Return whether everybody is learned from."""
        return len(self.known) == self.n_purchases


def build_taste(engine: Engine, *, with_outcomes: bool = False) -> None:
    """Build `interactions`, `item_places` and `item_histories` at every cutoff; with outcomes also what was bought after each."""
    engine.create_table("interactions", feature_text("interactions"))
    if with_outcomes:
        engine.create_table("interactions_after", feature_text("interactions_after"))
    items = pc.unique(engine.fetch("select item from interactions group by item")["item"].cast(pa.string())).sort()
    engine.write("item_places", pa.table({"item": items, "place": pa.array(np.arange(len(items)), pa.int64())}))
    engine.create_table("item_histories", feature_text("item_histories"))


def load_taste(engine: Engine, as_of: dt.date, horizon_days: int, most_purchases: int) -> Taste:
    """Return what is known at a cutoff, of everybody or of so many customers that they hold about `most_purchases`."""
    where = f"where as_of = date {literal(as_of.isoformat())}"
    n = int(engine.fetch(f"select count(*) as n from interactions {where}").column("n")[0].as_py())
    mark = digest_below(most_purchases / max(n, 1))
    rows = engine.fetch(
        f"select customer_id, country, codes from item_histories {where} and {drawn(mark)} order by customer_id"
    ).combine_chunks()
    places = engine.fetch("select item, place from item_places order by place")
    items = places["item"].cast(pa.string()).combine_chunks()
    countries = set(pc.unique(rows["country"]).to_pylist()) - {None, "", UNKNOWN}
    groups = tuple(sorted(countries)) if len(countries) > 1 else ()
    known = interactions_of(rows, len(items), as_of, horizon_days, groups)
    last_day, recent_buyers = _sales(engine, where, items)
    customers = rows["customer_id"].cast(pa.string()).combine_chunks()
    return Taste(known, customers, items, _descriptions(engine, items), groups, mark, n, last_day, recent_buyers)


def drawn(mark: str) -> str:
    """Return SQL that is true of customers below a mark; everybody is below the last one."""
    return f"left(digest(customer_id), 8) < {literal(mark)}"


def interactions_of(
    rows: pa.Table, n_items: int, as_of: dt.date, horizon_days: int, groups: Sequence[str] | Mapping[str, int]
) -> Interactions:
    """Return the histories of customers as interactions, in the order of the rows.

    Parameters
    ----------
    rows : table with country and codes, as `item_histories` holds them
    groups : names in the order of their places
    """
    lists = rows["codes"].combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
    codes = np.asarray(pc.list_flatten(lists).cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    item, day = np.divmod(codes, CODE)
    group = pc.fill_null(pc.index_in(rows["country"].cast(pa.string()), value_set=pa.array(groups, pa.string())), -1)
    return interactions(
        np.repeat(np.arange(rows.num_rows), lengths),
        item,
        day,
        n_customers=rows.num_rows,
        n_items=n_items,
        as_of=day_number(as_of),
        horizon_days=horizon_days,
        group=np.asarray(group.to_numpy(zero_copy_only=False), dtype=np.int64),
    )


def _sales(engine: Engine, where: str, items: pa.Array) -> tuple[IntArray, IntArray]:
    """Return the last day and the number of recent buyers of every item."""
    rows = engine.fetch(f"select item, n_buyers_lately, last_on from ({feature_text('item_sales')}) as sales {where}")
    place = _places(rows["item"], items)
    last, recent = np.full(len(items), -1, dtype=np.int64), np.zeros(len(items), dtype=np.int64)
    last[place] = np.asarray(rows["last_on"].cast(pa.date32()).cast(pa.int32()).to_numpy(), dtype=np.int64)
    recent[place] = np.asarray(rows["n_buyers_lately"].cast(pa.int64()).to_numpy(), dtype=np.int64)
    return last, recent


def _places(column: pa.ChunkedArray, names: pa.Array) -> IntArray:
    """Return places among names, -1 for what is not there."""
    found = pc.fill_null(pc.index_in(column.cast(pa.string()), value_set=names), -1)
    return np.asarray(found.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _descriptions(engine: Engine, items: pa.Array) -> tuple[str, ...]:
    """Return what each item is called: its most frequent description, else itself."""
    rows = engine.fetch(f"select item, description from ({feature_text('interaction_names')}) as named")
    called = dict(zip(rows["item"].to_pylist(), rows["description"].to_pylist(), strict=True))
    return tuple(called.get(name) or name for name in items.to_pylist())


def load_after(engine: Engine, taste: Taste, as_of: dt.date) -> tuple[Any, int]:
    """Return what the customers below the mark bought in the horizon after a cutoff, and how many of them bought.

    Returns
    -------
    bought : sparse 0/1, shape (n_customers, n_items), of customers and items known before
    n_buyers : int
        Customers who bought in the window, known before or not.
    """
    from scipy.sparse import csr_matrix

    where = f"where as_of = date {literal(as_of.isoformat())} and {drawn(taste.mark)}"
    rows = engine.fetch(f"select customer_id, item from interactions_after {where}")
    who, what = _places(rows["customer_id"], taste.customers), _places(rows["item"], taste.items)
    both: npt.NDArray[np.bool_] = (who >= 0) & (what >= 0)
    shape = (taste.known.n_customers, taste.known.n_items)
    bought = csr_matrix((np.ones(int(both.sum()), np.float32), (who[both], what[both])), shape=shape)
    bought.data[:] = 1
    return bought, int(pc.count_distinct(rows["customer_id"]).as_py())
