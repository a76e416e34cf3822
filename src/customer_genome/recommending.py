"""Recommendations of a shop: who bought what, lists of every customer, and how good they are.

Comes in: an engine that holds order lines, refunds and cutoffs. Goes out: three small tables (lists with reasons, items bought
together, the comparison behind the choice) or, where that cannot be, a sentence that says why. The models are those of
`models.recommend`; they see places of customers and items only.
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

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError, did_you_mean
from customer_genome.features.table import feature_text
from customer_genome.models.recommend.contract import Interactions, interactions
from customer_genome.models.recommend.lists import VIEWS
from customer_genome.models.recommend.serving import Clerk, Listed, offered_items
from customer_genome.models.recommend.study import FULL, LIGHT, Chosen, Study, require_known
from customer_genome.models.recommend.together import baskets_of, bought_together
from customer_genome.models.season import day_number
from customer_genome.settings import RecommendSettings
from customer_genome.warehouse.engine import Engine, literal, quoted

LONGEST_HORIZON_DAYS = 90
MOST_PRODUCTS = 20_000
"""With more products than this, and names in the product table, the name is what is recommended."""
MOST_ROWS = 10_000_000
MOST_ROWS_OF_A_CLUSTER = 150_000
"""On an engine of many machines no more may come to this process, whatever the shop; lists are made here."""
"""Purchases (customer, item, day) that are fetched into this process."""
_NO_PRODUCTS = (
    "select cast(null as string) as product_id, cast(null as string) as item, cast(null as string) as description where false"
)


@dataclass(frozen=True)
class Level:
    """What an item is: SQL over (product_id, description, category, item), and the column of the product table behind `item`."""

    words: str
    expression: str
    column: str = ""


@dataclass(frozen=True)
class Loaded:
    """Interactions with the names behind the places."""

    known: Interactions
    customers: pa.Array
    items: pa.Array
    descriptions: tuple[str, ...]
    groups: tuple[str, ...]

    def places_of(
        self, customers: pa.ChunkedArray, items: pa.ChunkedArray
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return places of customers and items; -1 for those that are not known."""
        found = [
            pc.fill_null(pc.index_in(column, value_set=names), -1)
            for column, names in ((customers, self.customers), (items, self.items))
        ]
        who, what = (np.asarray(one.cast(pa.int64()).to_numpy(), dtype=np.int64) for one in found)
        return who, what


# --- what an item is -------------------------------------------------------------------------------------------------


def level_of(engine: Engine, sources: Mapping[str, SourceTable], wanted: str) -> Level:
    """Return what an item is.

    Parameters
    ----------
    wanted : text
        "product_id", "description", "category", a column of the product table under its own or its contract's name, or empty:
        products, or where there are very many the names in the product table.

    Raises
    ------
    SettingsError
        When the data have no such column; with those they have.
    """
    levels = _levels(engine, sources)
    if not levels:
        raise SettingsError(
            "There is nothing to recommend: the order lines name no product. Map product_id, description or category under "
            "[tables.order_lines.columns], or set enabled = false under [recommend]."
        )
    if not wanted:
        return _usual(engine, levels)
    if wanted.lower() not in levels:
        raise SettingsError(
            f"[recommend] item = {wanted!r} is no column that items can be told by.{did_you_mean(wanted, levels)} Wanted one of: {', '.join(levels)}."
        )
    return levels[wanted.lower()]


def _levels(engine: Engine, sources: Mapping[str, SourceTable]) -> dict[str, Level]:
    """Return every level by the names it can be asked for."""
    lines, products = sources["order_lines"], sources.get("products")
    found = {name: Level(name, name) for name in ("product_id", "description", "category") if name in lines.mapping}
    if products is not None and "product_id" in lines.mapping:
        for name in engine.fetch("select * from products limit 0").column_names:
            short = name.removeprefix("attribute_")
            if name == "product_id" or (name in ("description", "category") and name not in products.mapping):
                continue
            raw = products.mapping.get(name, (short,))[0]
            level = Level(raw, "item", name)
            found.setdefault(short.lower(), level)
            found.setdefault(raw.lower(), level)
    return found


def _usual(engine: Engine, levels: Mapping[str, Level]) -> Level:
    """Return products; their names where there are very many products; else descriptions or categories."""
    named = levels.get("description")
    if "product_id" in levels and named is not None and named.column:
        n = engine.fetch("select count(distinct product_id) as n from order_lines").column("n")[0].as_py()
        return named if n > MOST_PRODUCTS else levels["product_id"]
    return next(levels[name] for name in ("product_id", "description", "category", *levels) if name in levels)


def name_interactions(engine: Engine, level: Level, *, has_products: bool) -> None:
    """Give SQL what an item is, and make the view `recommended_products` behind it."""
    engine.define("recommended_item", ("product_id", "description", "category", "item"), level.expression)
    item = f"cast({quoted(level.column)} as string)" if level.column else "cast(null as string)"
    named = f"select product_id, {item} as item, description from products"
    engine.create_view("recommended_products", named if has_products else _NO_PRODUCTS)


# --- loading ---------------------------------------------------------------------------------------------------------


def load_known(engine: Engine, as_of: dt.date, horizon_days: int) -> Loaded:
    """Return everything known at a cutoff whose `interactions` stand.

    Raises
    ------
    SettingsError
        When there are more purchases than one process should hold.
    """
    where = f"where as_of = date {literal(as_of.isoformat())}"
    n = engine.fetch(f"select count(*) as n from interactions {where}").column("n")[0].as_py()
    most = MOST_ROWS if engine.keeps_tables else MOST_ROWS_OF_A_CLUSTER
    if n > most:
        raise SettingsError(
            f"Recommendations are made where the purchases fit one machine: {n:,} pairs of customer, item and day, at most {most:,} with this engine. "
            "Choose a coarser [recommend] item, such as category, or set enabled = false."
        )
    rows = engine.fetch(f"select customer_id, item, ordered_on from interactions {where} order by customer_id, item, ordered_on")
    people = engine.fetch(
        "select customer_id, country from (select customer_id, country, row_number() over (partition by customer_id order by ordered_at, "
        f"line_id) as place from order_lines where ordered_on < date {literal(as_of.isoformat())}) as firsts where place = 1 order by customer_id"
    )
    customers = people["customer_id"].combine_chunks()
    items = pc.unique(rows["item"]).sort()
    countries = people["country"].to_pylist()
    groups = tuple(sorted({name for name in countries if name and name != "Unknown"}))
    place = {name: number for number, name in enumerate(groups)}
    loaded = Loaded(
        interactions([], [], [], n_customers=0, n_items=0, as_of=0, horizon_days=1),
        customers,
        items,
        _descriptions(engine, items),
        groups,
    )
    who, what = loaded.places_of(rows["customer_id"], rows["item"])
    known = interactions(
        who,
        what,
        _days(rows["ordered_on"]),
        n_customers=len(customers),
        n_items=len(items),
        as_of=day_number(as_of),
        horizon_days=horizon_days,
        group=[place.get(name, -1) for name in countries] if len(groups) > 1 else None,
    )
    return Loaded(known, customers, items, loaded.descriptions, groups)


def _days(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return days since 1970-01-01."""
    return np.asarray(column.cast(pa.date32()).cast(pa.int32()).to_numpy(), dtype=np.int64)


def _descriptions(engine: Engine, items: pa.Array) -> tuple[str, ...]:
    """Return what each item is called: its most frequent description, else itself."""
    rows = engine.fetch(f"select item, description from ({feature_text('interaction_names')}) as named")
    called = dict(zip(rows["item"].to_pylist(), rows["description"].to_pylist(), strict=True))
    return tuple(called.get(name) or name for name in items.to_pylist())


def load_after(engine: Engine, loaded: Loaded, as_of: dt.date) -> Any:
    """Return what was bought in the horizon after a cutoff, as sparse 0/1, and what cannot be in a list.

    Returns
    -------
    bought : sparse 0/1, shape (n_customers, n_items)
    n_buyers : int
        Customers who bought in the window, known before or not.
    """
    from scipy.sparse import csr_matrix

    rows = engine.fetch(f"select customer_id, item from interactions_after where as_of = date {literal(as_of.isoformat())}")
    who, what = loaded.places_of(rows["customer_id"], rows["item"])
    both = (who >= 0) & (what >= 0)
    bought = csr_matrix(
        (np.ones(int(both.sum()), np.float32), (who[both], what[both])), shape=(loaded.known.n_customers, loaded.known.n_items)
    )
    bought.data[:] = 1
    return bought, int(pc.count_distinct(rows["customer_id"]).as_py())


# --- what a run publishes --------------------------------------------------------------------------------------------

RECOMMENDATIONS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("view", pa.string()),
        ("rank", pa.int32()),
        ("product_id", pa.string()),
        ("description", pa.string()),
        ("score", pa.float64()),
        ("reason", pa.string()),
        ("is_cold", pa.bool_()),
    ]
)
QUALITY = pa.schema(
    [
        ("view", pa.string()),
        ("candidate", pa.string()),
        ("is_champion", pa.bool_()),
        ("ndcg", pa.float64()),
        ("error", pa.float64()),
        ("difference", pa.float64()),
        ("lower", pa.float64()),
        ("upper", pa.float64()),
        ("n_judged", pa.int64()),
        ("horizon_days", pa.int32()),
        ("words", pa.string()),
    ]
)


def recommendation_tables(
    engine: Engine, sources: Mapping[str, SourceTable], settings: RecommendSettings, as_of: dt.date, horizon_days: int, seed: int
) -> tuple[dict[str, pa.Table], tuple[str, ...]]:
    """Return the tables `recommendations`, `bought_together` and `recommendation_quality`, and what the user should be told.

    Where nothing can be recommended there are no tables, and the notice says why.
    """
    if not settings.enabled:
        return {}, ()
    horizon = min(horizon_days, LONGEST_HORIZON_DAYS)
    try:
        name_interactions(engine, level_of(engine, sources, settings.item), has_products="products" in sources)
        engine.create_table("interactions", feature_text("interactions"))
        loaded = load_known(engine, as_of, horizon)
        require_known(loaded.known)
    except SettingsError as err:
        if settings.item:
            raise  # the user has asked for this level
        return {}, (f"No recommendations. {err}",)
    study = Study(loaded.known, FULL if settings.effort == "full" else LIGHT, seed)
    chosen = study.choose()
    excluded, unknown = excluded_items(loaded, settings.exclude)
    champions = {view: study.fitted(one.name, view) for view, one in chosen.items()}
    offered = offered_items(loaded.known, settings.sold_within_days, excluded)
    clerk = Clerk(
        loaded.known,
        {view: one for view, one in champions.items() if one is not None},
        loaded.descriptions,
        loaded.groups,
        offered,
    )
    served, left_out = _served(loaded.known, settings.most_customers)
    tables = {
        "recommendations": _list_table(loaded, list(clerk.lists(served, settings.top))),
        "bought_together": together_table(loaded),
        "recommendation_quality": _quality_table(list(chosen.values()), horizon),
    }
    notices = [f"[recommend] exclude names nothing that was sold: {', '.join(unknown)}."] if unknown else []
    if left_out:
        notices.append(
            f"Lists of recommendations were made for the {len(served):,} customers who bought last; {left_out:,} others have none. "
            "Raise most_customers under [recommend] for more."
        )
    return tables, tuple(notices)


def _served(known: Interactions, most: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return who gets lists, in order of their ids, and how many do not."""
    if known.n_customers <= most:
        return np.arange(known.n_customers), 0
    last = np.full(known.n_customers, -1, dtype=np.int64)
    np.maximum.at(last, known.customer, known.day)
    return np.sort(np.argsort(-last, kind="stable")[:most]), known.n_customers - most


def excluded_items(loaded: Loaded, exclude: Sequence[str]) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return which items the user leaves out, by id or name without regard to case, and the names that fit nothing."""
    wanted = {name.strip().casefold(): name for name in exclude}
    found = np.zeros(len(loaded.items), dtype=bool)
    used = set()
    for place, names in enumerate(zip(loaded.items.to_pylist(), loaded.descriptions, strict=True)):
        hit = {name.casefold() for name in names} & set(wanted)
        found[place] = bool(hit)
        used |= hit
    return found, [name for key, name in wanted.items() if key not in used]


def _list_table(loaded: Loaded, parts: Sequence[Listed]) -> pa.Table:
    """Return lists as a table."""
    tables = []
    descriptions = pa.array(loaded.descriptions, pa.string())
    for part in parts:
        items = pa.array(part.item)
        tables.append(
            pa.table(
                {
                    "customer_id": loaded.customers.take(pa.array(part.customer)),
                    "view": pa.array(part.view, pa.string()),
                    "rank": pa.array(part.rank, pa.int32()),
                    "product_id": loaded.items.take(items),
                    "description": descriptions.take(items),
                    "score": pa.array(np.round(part.score, 6)),
                    "reason": pa.array(part.reason, pa.string()),
                    "is_cold": pa.array(part.is_cold),
                }
            ).cast(RECOMMENDATIONS)
        )
    return pa.concat_tables(tables) if tables else RECOMMENDATIONS.empty_table()


def together_table(loaded: Loaded) -> pa.Table:
    """Return items bought together on the same day by the same customer, with lift, support and p-value."""
    pairs = bought_together(baskets_of(loaded.known))
    descriptions = pa.array(loaded.descriptions, pa.string())
    item, other = pa.array(pairs.item), pa.array(pairs.other)
    place = np.arange(len(pairs.item)) - np.searchsorted(pairs.item, pairs.item) + 1
    return pa.table(
        {
            "product_id": loaded.items.take(item),
            "description": descriptions.take(item),
            "rank": pa.array(place, pa.int32()),
            "with_product_id": loaded.items.take(other),
            "with_description": descriptions.take(other),
            "baskets": pa.array(pairs.baskets, pa.int64()),
            "support": pa.array(pairs.baskets / max(pairs.n_baskets, 1), pa.float64()),
            "share": pa.array(pairs.share, pa.float64()),
            "lift": pa.array(pairs.lift, pa.float64()),
            "p_value": pa.array(pairs.p_value, pa.float64()),
        }
    )


def _quality_table(chosen: Sequence[Chosen], horizon_days: int) -> pa.Table:
    """Return what was compared for each view; a view without a comparison has one row with its words."""
    rows: list[dict[str, Any]] = []
    for one in sorted(chosen, key=lambda each: VIEWS.index(each.view)):
        shared = {"view": one.view, "n_judged": one.n_judged, "horizon_days": horizon_days, "words": one.words}
        rows += [
            shared
            | {
                "candidate": each.name,
                "is_champion": each.name == one.name,
                "ndcg": each.ndcg,
                "error": each.error,
                "difference": each.difference,
                "lower": each.lower,
                "upper": each.upper,
            }
            for each in one.tried
        ] or [shared | {"candidate": one.name, "is_champion": True}]
    return pa.Table.from_pylist(rows, QUALITY)
