"""A real shop at a real day: none of its later buyers is shown under "new" what they had bought before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import numpy as np

from customer_genome.models.btyd.season import day_number
from customer_genome.models.recommend.contract import Interactions, interactions
from customer_genome.models.recommend.items import Ease, ItemNeighbours
from customer_genome.models.recommend.lists import top_items
from customer_genome.models.recommend.personal import PersonalDecay
from customer_genome.models.recommend.popularity import Popularity
from customer_genome.models.recommend.serving import Clerk, offered_items

CUTOFF = dt.date(2011, 9, 9)


def known_and_buyers(path: Path) -> tuple[Interactions, np.ndarray, set[tuple[int, int]]]:
    """Return what is known at the cutoff, the places of later buyers, and who owned what, counted by other means."""
    found = (
        "with bought as (select distinct \"Customer ID\" as customer, StockCode as item, datediff('day', date '1970-01-01', "
        f"cast(InvoiceDate as date)) as day from read_parquet('{path}') where \"Customer ID\" is not null and Quantity > 0), "
        "placed as (select *, dense_rank() over (order by customer) - 1 as who, dense_rank() over (order by item) - 1 as what from bought) "
        "select who, what, day from placed"
    )
    with duckdb.connect() as own:
        rows = own.execute(found).fetchnumpy()
    who, what, day = (np.asarray(rows[name], dtype=np.int64) for name in ("who", "what", "day"))
    as_of = day_number(CUTOFF)
    past = day < as_of
    known = interactions(
        who[past], what[past], day[past], n_customers=who.max() + 1, n_items=what.max() + 1, as_of=as_of, horizon_days=90
    )
    return known, np.intersect1d(who[~past], who[past]), set(zip(who[past].tolist(), what[past].tolist(), strict=True))


def test_no_later_buyer_sees_an_owned_item_under_new(genome_data: Path) -> None:
    known, buyers, owned = known_and_buyers(genome_data / "online_retail_ii.parquet")
    assert len(buyers) > 2_000
    ease = Ease(600).fit(known)
    for fitted in (Popularity().fit(known), PersonalDecay().fit(known), ItemNeighbours(30).fit(known), ease):
        lists, _ = top_items(fitted, known, buyers, "new", 10)
        shown = {(who, what) for who, one in zip(buyers.tolist(), lists.tolist(), strict=True) for what in one if what >= 0}
        assert len(shown) == 10 * len(buyers) and not shown & owned
    offered = offered_items(known.last_day, known.as_of, 90, np.zeros(known.n_items, dtype=bool))
    clerk = Clerk(
        known, {"new": ease, "again": PersonalDecay().fit(known)}, [str(one) for one in range(known.n_items)], (), offered
    )
    for part in clerk.lists(buyers, 10):
        rows = list(zip(part.view, part.customer.tolist(), part.item.tolist(), strict=True))
        assert not {(who, what) for view, who, what in rows if view == "new"} & owned
        assert {(who, what) for view, who, what in rows if view == "again"} <= owned
        assert offered[part.item].all()
