"""Lists of a run that read ratings: what every customer will like, with the expected rating and a reason, and how good such lists are.

Comes in: an engine that holds ratings as order lines, the rating in `price`. Goes out: the same small tables that a shop's lists come in. The
models are those of `genome recommend`: what was liked teaches the lists, and nothing that somebody has rated is ever listed again.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.errors import SourceError
from customer_genome.evaluation.ranking import Row
from customer_genome.models.recommend.contract import Fitted, IntArray, Interactions
from customer_genome.models.recommend.items import Ease, FittedItems
from customer_genome.models.recommend.lists import View, top_items
from customer_genome.models.recommend.popularity import Popularity
from customer_genome.models.recommend.ratings import fit_factors, later_rows
from customer_genome.settings import RecommendSettings
from customer_genome.stages.rating import EVER, LENGTH, POPULARITY, RatingData, checked, judge_split, liked
from customer_genome.stages.recommending import QUALITY, RECOMMENDATIONS, Recommendations
from customer_genome.warehouse.engine import Engine

VIEW: View = "new"
N_DRAWS = 200
_TOGETHER = pa.schema(
    [
        *((name, pa.string()) for name in ("product_id", "description")),
        ("rank", pa.int32()),
        *((name, pa.string()) for name in ("with_product_id", "with_description")),
        ("baskets", pa.int64()),
        *((name, pa.float64()) for name in ("support", "share", "lift", "p_value")),
    ]
)


def recommend_rated_items(
    engine: Engine, settings: RecommendSettings, as_of: dt.date, horizon_days: int, seed: int, *, has_titles: bool
) -> Recommendations:
    """Return the lists of every customer and their quality; where nothing can be listed, the notice says why.

    Parameters
    ----------
    has_titles : bool
        Whether `products` names what was rated.
    """
    if not settings.enabled:
        return Recommendations()
    where = f"where ordered_on < date '{as_of.isoformat()}' and product_id is not null"
    n = engine.fetch(f"select count(*) as n from order_lines {where}").column("n")[0].as_py()
    if n > settings.most_purchases:
        return Recommendations(
            notices=(
                f"No lists of what customers will like: {n:,} ratings are more than the {settings.most_purchases:,} that one process should hold. "
                "Raise most_purchases under [recommend].",
            )
        )
    rows = engine.fetch(
        "select customer_id, product_id as item_id, cast(price as double) as rating, ordered_at as rated_at "
        f"from order_lines {where} order by customer_id, product_id, ordered_at, line_id"
    )
    try:
        data = checked(rows, _titles(engine) if has_titles else {}, "the ratings")
    except SourceError as err:
        return Recommendations(notices=(f"No lists of what customers will like. {err}",))
    tables = {
        "recommendations": _lists(data, settings.top, seed),
        "bought_together": _TOGETHER.empty_table(),
        "recommendation_quality": _quality(data, horizon_days, seed),
    }
    return Recommendations((), tables, data.notices)


def _titles(engine: Engine) -> dict[str, tuple[str, str]]:
    """Return title and genres by item."""
    rows = engine.fetch("select product_id, description, category from products").to_pylist()
    return {row["product_id"]: (row["description"] or "", row["category"] or "") for row in rows}


def _lists(data: RatingData, top: int, seed: int) -> pa.Table:
    """Return what every customer will like, sorted by customer and rank."""
    known, seen = liked(data, data.ratings)
    model, ease, popular = fit_factors(data.ratings, seed=seed), Ease(6000, 300.0, EVER).fit(known), Popularity(EVER).fit(known)
    assert isinstance(ease, FittedItems)  # it is a matrix over items
    is_cold = known.histories() == 0
    speak = _Speaker(data, known, ease)
    columns: dict[str, list[Any]] = {name: [] for name in RECOMMENDATIONS.names}
    for cold in (False, True):
        who = np.flatnonzero(is_cold == cold)
        fitted: Fitted = popular if cold else ease
        places, _ = top_items(fitted, seen, who, VIEW, top, offered=known.n_buyers > 0)
        for customer, items in zip(who.tolist(), places, strict=True):
            listed = items[items >= 0]
            expected = model.predict(np.full(len(listed), customer), listed)
            for rank, (item, rating) in enumerate(zip(listed.tolist(), expected.tolist(), strict=True), start=1):
                row = (
                    data.customers[customer], VIEW, rank, data.items[item], data.titles[item], round(float(rating), 4),
                    speak.reason(customer, item, float(rating), is_cold=cold), cold,
                )  # fmt: skip
                for name, value in zip(RECOMMENDATIONS.names, row, strict=True):
                    columns[name].append(value)
    return pa.table({name: pa.array(columns[name], RECOMMENDATIONS.field(name).type) for name in columns}).sort_by(
        [("customer_id", "ascending"), ("rank", "ascending")]
    )


class _Speaker:
    """Says why an item is listed: the liked item that speaks most for it, else how many like it."""

    def __init__(self, data: RatingData, known: Interactions, ease: FittedItems) -> None:
        self.data, self.known, self.ease = data, known, ease
        self.history = ease.history.tocsr()
        self.column = np.full(known.n_items, -1, dtype=np.int64)
        self.column[ease.places] = np.arange(len(ease.places))
        ratings = data.ratings
        self.key: IntArray = ratings.customer * ratings.n_items + ratings.item
        self.order = np.argsort(self.key, kind="stable")

    def reason(self, customer: int, item: int, rating: float, *, is_cold: bool) -> str:
        """Return the reason with the expected rating."""
        high = self.data.ratings.scale[1]
        start = f"expected rating {rating:.1f} of {high:g}"
        column = int(self.column[item])
        mine = self.history.indices[self.history.indptr[customer] : self.history.indptr[customer + 1]]
        if not is_cold and column >= 0 and len(mine):
            weights = self.history.data[self.history.indptr[customer] : self.history.indptr[customer + 1]]
            said = weights * np.asarray(self.ease.strength[mine, column]).ravel()
            best = int(np.argmax(said))
            if said[best] > 0:
                other = int(self.ease.places[mine[best]])
                return f"{start}; liked by those who like {self.data.titles[other]}, which they rated {self._rated(customer, other):g}"
        n = int(self.known.n_buyers[item])
        return f"{start}; liked by {n:,} customer{'' if n == 1 else 's'}"

    def _rated(self, customer: int, item: int) -> float:
        """Return how somebody rated an item."""
        wanted = customer * self.data.ratings.n_items + item
        place = self.order[int(np.searchsorted(self.key, wanted, sorter=self.order))]
        return float(self.data.ratings.rating[place])


def _quality(data: RatingData, horizon_days: int, seed: int) -> pa.Table:
    """Return how the lists stood against other ways on the last fifth of the ratings, which they had not seen."""
    later = later_rows(data.ratings)
    is_split = bool(data.ratings.day.any()) and 0 < int(later.sum()) < len(later)
    found: list[Row] = judge_split(data, "last fifth by time", later, seed, N_DRAWS) if is_split else []
    shared = {"view": VIEW, "horizon_days": horizon_days}
    if not found:
        words = (
            "Too few customers liked something both before and in the last fifth of the ratings to tell how good these lists are."
        )
        return pa.Table.from_pylist(
            [shared | {"candidate": Ease.name, "is_champion": True, "n_judged": 0, "words": words}], QUALITY
        )
    used = next(row for row in found if row.candidate == Ease.name)
    words = (
        f"{Ease.name} learned from the first four fifths of the ratings; of {used.n:,} customers who liked something new in the last fifth, its lists had "
        f"NDCG@{LENGTH} {used.figures['ndcg']:.3f}, {used.lift:.1f} times those of what is popular."
    )
    rows = [
        shared
        | {
            "candidate": one.candidate,
            "is_champion": one.candidate == Ease.name,
            "ndcg": one.figures["ndcg"],
            "error": one.errors["ndcg"],
            "difference": one.versus["ndcg"].mean if one.candidate != POPULARITY else 0.0,
            "lower": one.versus["ndcg"].lower,
            "upper": one.versus["ndcg"].upper,
            "n_judged": one.n,
            "words": words,
        }
        for one in found
    ]
    return pa.Table.from_pylist(rows, QUALITY)
