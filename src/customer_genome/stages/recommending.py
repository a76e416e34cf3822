"""Recommendations of a shop: who bought what, lists of every customer, and how good they are.

Comes in: an engine that holds order lines, refunds and cutoffs. Goes out: the table `recommendations` in the engine, and three
small ones (items bought together, what is popular, the comparison behind the choice) or, where that cannot be, a sentence that says why. The models are
those of `models.recommend`; they are learned here from all customers or a draw of them, and the engine applies them to everybody's
own history, part by part. They see places of customers and items only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError, did_you_mean
from customer_genome.features.taste import Taste, build_taste, interactions_of, load_taste
from customer_genome.models.recommend.lists import VIEWS
from customer_genome.models.recommend.serving import Clerk, Listed, offered_items
from customer_genome.models.recommend.study import FULL, LIGHT, Chosen, Study, require_known
from customer_genome.models.recommend.together import Companions, Pairs, baskets_of, bought_together, completing
from customer_genome.settings import RecommendSettings
from customer_genome.warehouse.engine import Engine, quoted

LONGEST_HORIZON_DAYS = 90
MOST_PRODUCTS = 20_000
"""With more products than this, and names in the product table, the name is what is recommended."""
CUSTOMERS_AT_ONCE = 8_192
"""Customers whose lists are held in memory at once, beside those being written."""
COMPLETING = "with"
"""View of the engine's table that is not published as a list: what actions name."""
PHRASE = "what goes with it"
"""Words of an action in whose place an item is named."""
_NO_PRODUCTS = (
    "select cast(null as string) as product_id, cast(null as string) as item, cast(null as string) as description where false"
)


@dataclass(frozen=True)
class Level:
    """What an item is: SQL over (product_id, description, category, item), and the column of the product table behind `item`."""

    words: str
    expression: str
    column: str = ""


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


@dataclass(frozen=True)
class Lister:
    """Makes lists of customers out of their histories, any number at a time.

    Attributes
    ----------
    clerk : without customers of its own
    learned : ids of those it has learned from
    items, descriptions : what each place is
    groups : names of groups in the order of their places
    top : length of a list
    """

    clerk: Clerk
    learned: pa.Array
    items: pa.Array
    descriptions: pa.Array
    groups: tuple[str, ...]
    pairs: Pairs
    as_of: dt.date
    top: int

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Return the rows of `RECOMMENDATIONS` for customers with their histories, and one of the view `COMPLETING` for each."""
        known = interactions_of(rows, len(self.items), self.as_of, self.clerk.known.horizon_days, self.groups)
        ids = rows["customer_id"].cast(pa.string()).combine_chunks()
        places = pc.fill_null(pc.index_in(ids, value_set=self.learned), -1)
        clerk = self.clerk.for_others(known, np.asarray(places.to_numpy(zero_copy_only=False), dtype=np.int64))
        parts = [self._table(ids, part) for part in clerk.lists(np.arange(rows.num_rows), self.top)]
        return pa.concat_tables([*parts, self._completing(ids, completing(self.pairs, known, self.clerk.offered))])

    def _completing(self, ids: pa.Array, found: Companions) -> pa.Table:
        """Return what completes what customers bought, as a table."""
        n, items = len(found.customer), pa.array(found.item)
        goes_with = [f"goes with {name}" for name in self.descriptions.take(pa.array(found.owned)).to_pylist()]
        return pa.table(
            {
                "customer_id": ids.take(pa.array(found.customer)),
                "view": pa.repeat(pa.scalar(COMPLETING), n),
                "rank": pa.repeat(pa.scalar(1, pa.int32()), n),
                "product_id": self.items.take(items),
                "description": self.descriptions.take(items),
                "score": pa.array(np.round(found.share, 6)),
                "reason": pa.array(goes_with, pa.string()),
                "is_cold": pa.repeat(pa.scalar(False), n),
            }
        ).cast(RECOMMENDATIONS)

    def _table(self, ids: pa.Array, part: Listed) -> pa.Table:
        """Return lists as a table."""
        items = pa.array(part.item)
        return pa.table(
            {
                "customer_id": ids.take(pa.array(part.customer)),
                "view": pa.array(part.view, pa.string()),
                "rank": pa.array(part.rank, pa.int32()),
                "product_id": self.items.take(items),
                "description": self.descriptions.take(items),
                "score": pa.array(np.round(part.score, 6)),
                "reason": pa.array(part.reason, pa.string()),
                "is_cold": pa.array(part.is_cold),
            }
        ).cast(RECOMMENDATIONS)


@dataclass(frozen=True)
class Recommendations:
    """What a run has to say: names of large tables that the engine holds, small tables, and what the user should be told."""

    large: tuple[str, ...] = ()
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def recommend_all(
    engine: Engine, sources: Mapping[str, SourceTable], settings: RecommendSettings, as_of: dt.date, horizon_days: int, seed: int
) -> Recommendations:
    """Make `recommendations` in the engine; return it with `bought_together`, `popular_items` and `recommendation_quality`.

    Where nothing can be recommended there are no tables, and the notice says why.
    """
    if not settings.enabled:
        return Recommendations()
    horizon = min(horizon_days, LONGEST_HORIZON_DAYS)
    try:
        name_interactions(engine, level_of(engine, sources, settings.item), has_products="products" in sources)
        build_taste(engine)
        taste = load_taste(engine, as_of, horizon, settings.most_purchases)
        require_known(taste.known)
    except SettingsError as err:
        if settings.item:
            raise  # the user has asked for this level
        return Recommendations(notices=(f"No recommendations. {err}",))
    study = Study(taste.known, FULL if settings.effort == "full" else LIGHT, seed)
    chosen = study.choose()
    excluded, unknown = excluded_items(taste, settings.exclude)
    champions = {view: study.fitted(one.name, view) for view, one in chosen.items()}
    clerk = Clerk(
        taste.known,
        {view: one for view, one in champions.items() if one is not None},
        taste.descriptions,
        taste.groups,
        offered_items(taste.last_day, taste.known.as_of, settings.sold_within_days, excluded),
        taste.recent_buyers,
    )
    descriptions = pa.array(taste.descriptions, pa.string())
    pairs = bought_together(baskets_of(taste.known))
    lister = Lister(clerk.alone(), taste.customers, taste.items, descriptions, taste.groups, pairs, as_of, settings.top)
    n_customers, served = _served(engine, settings.most_customers)
    engine.map_rows("recommendations", served, lister, RECOMMENDATIONS, most_rows=CUSTOMERS_AT_ONCE)
    notices = [f"[recommend] exclude names nothing that was sold: {', '.join(unknown)}."] if unknown else []
    if n_customers > settings.most_customers:
        notices.append(
            f"Lists of recommendations were made for the {settings.most_customers:,} customers who bought last; "
            f"{n_customers - settings.most_customers:,} others have none. Raise most_customers under [recommend] for more."
        )
    if not taste.is_whole:
        notices.append(
            f"Recommendations were learned from {len(taste.known):,} of {taste.n_purchases:,} purchases, those of {len(taste.customers):,} customers drawn by "
            "the digest of their ids; every list is made from the customer's own history. Raise most_purchases under [recommend] to learn from more."
        )
    small = {
        "bought_together": together_table(taste, pairs),
        "popular_items": popular_table(taste, clerk, settings.top),
        "recommendation_quality": _quality_table(list(chosen.values()), horizon),
    }
    return Recommendations(("recommendations",), small, tuple(notices))


def name_companions(engine: Engine) -> None:
    """Let actions that say `PHRASE` name an item that goes with what the customer bought; needs `recommendations`."""
    words = "description || ' (' || reason || ')'"
    engine.create_table("companions", f"select customer_id, {words} as words from recommendations where view = '{COMPLETING}'")
    names = engine.fetch("select * from decided_customers limit 0").column_names
    named = f"replace(d.recommended_action, '{PHRASE}', coalesce(g.words, '{PHRASE}')) as recommended_action"
    columns = ", ".join(named if name == "recommended_action" else f"d.{quoted(name)}" for name in names)
    joined = "from decided_customers as d left join companions as g on d.customer_id = g.customer_id"
    engine.create_view("scored_customers", f"select {columns} {joined}")


def _served(engine: Engine, most: int) -> tuple[int, str]:
    """Return how many customers there are, and SQL for the histories of those who get lists, in order of their ids."""
    columns, latest = "customer_id, country, codes", "as_of = (select max(as_of) from cutoffs)"
    n = int(engine.fetch(f"select count(*) as n from item_histories where {latest}").column("n")[0].as_py())
    if n <= most:
        return n, f"select {columns} from item_histories where {latest} order by customer_id"
    numbered = f"select {columns}, row_number() over (order by last_on desc nulls last, customer_id asc) as place from item_histories where {latest}"
    return n, f"select {columns} from ({numbered}) as numbered where place <= {most} order by customer_id"


def excluded_items(taste: Taste, exclude: Sequence[str]) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return which items the user leaves out, by id or name without regard to case, and the names that fit nothing."""
    wanted = {name.strip().casefold(): name for name in exclude}
    found = np.zeros(len(taste.items), dtype=bool)
    used = set()
    for place, names in enumerate(zip(taste.items.to_pylist(), taste.descriptions, strict=True)):
        hit = {name.casefold() for name in names} & set(wanted)
        found[place] = bool(hit)
        used |= hit
    return found, [name for key, name in wanted.items() if key not in used]


def together_table(taste: Taste, pairs: Pairs) -> pa.Table:
    """Return items bought together on the same day by the same customer, with lift, support and p-value."""
    descriptions = pa.array(taste.descriptions, pa.string())
    item, other = pa.array(pairs.item), pa.array(pairs.other)
    place = np.arange(len(pairs.item)) - np.searchsorted(pairs.item, pairs.item) + 1
    return pa.table(
        {
            "product_id": taste.items.take(item),
            "description": descriptions.take(item),
            "rank": pa.array(place, pa.int32()),
            "with_product_id": taste.items.take(other),
            "with_description": descriptions.take(other),
            "baskets": pa.array(pairs.baskets, pa.int64()),
            "support": pa.array(pairs.baskets / max(pairs.n_baskets, 1), pa.float64()),
            "share": pa.array(pairs.share, pa.float64()),
            "lift": pa.array(pairs.lift, pa.float64()),
            "p_value": pa.array(pairs.p_value, pa.float64()),
        }
    )


def popular_table(taste: Taste, clerk: Clerk, top: int) -> pa.Table:
    """Return what is popular with everybody: what somebody of whom nothing is known gets."""
    places, scores, reasons = clerk.popular_items(top)
    rows = pa.array(places)
    return pa.table(
        {
            "rank": pa.array(np.arange(1, len(places) + 1), pa.int32()),
            "product_id": taste.items.take(rows),
            "description": pa.array(taste.descriptions, pa.string()).take(rows),
            "score": pa.array(np.round(scores, 6), pa.float64()),
            "reason": pa.array(reasons, pa.string()),
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
