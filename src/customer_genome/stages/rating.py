"""From ratings to what somebody will like: read and checked, fitted, listed with titles and reasons, judged.

Comes in: a folder as MovieLens ships it, or any ratings with their items, and settings. Goes out: lists with expected ratings, and a
comparison over two splits. What is wrong with the ratings is counted and said; what cannot be used stops with the next step.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.errors import SourceError, did_you_mean
from customer_genome.evaluation.ranking import Row, compare, draws_of, judge_lists, random_expectation
from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, Recommender, interactions
from customer_genome.models.recommend.items import Als, Ease, FittedItems, ItemNeighbours
from customer_genome.models.recommend.lists import FittedBlend, top_items
from customer_genome.models.recommend.personal import UserNeighbours
from customer_genome.models.recommend.popularity import Popularity
from customer_genome.models.recommend.ratings import (
    RatingModel,
    Ratings,
    best_size,
    fit_biases,
    fit_factors,
    later_rows,
    mae,
    random_folds,
    rmse,
    scale_of,
)
from customer_genome.models.recommend.study import has_implicit
from customer_genome.settings import Settings, TableSettings
from customer_genome.sources.files import describe_file
from customer_genome.sources.ratings import ratings_at as ratings_at
from customer_genome.warehouse.build import stage_side_table
from customer_genome.warehouse.engine import Engine
from customer_genome.warehouse.opening import open_engine
from customer_genome.workspace import store_json

LIKED = 0.7778
"""Where on the scale liking begins: 4 of 0.5 to 5."""
HELD_BACK = 10
LENGTH = 10
EVER = 10**6
POPULARITY, BLEND = "popularity", "blend of EASE and ALS"


@dataclass(frozen=True)
class RatingData:
    """Ratings with names and titles, and what should be told about them."""

    ratings: Ratings
    customers: tuple[str, ...]
    items: tuple[str, ...]
    titles: tuple[str, ...]
    genres: tuple[str, ...]
    label: str
    notices: tuple[str, ...]

    @property
    def liked_from(self) -> float:
        """Return the rating from which an item counts as liked."""
        low, high = self.ratings.scale
        return round((low + LIKED * (high - low)) * 2) / 2 if high - low > 2 else low + LIKED * (high - low)


def read_ratings(settings: Settings, places: tuple[str, str | None]) -> RatingData:
    """Return ratings, each customer and item once, within their scale.

    Raises
    ------
    SourceError
        When there is nothing to learn from.
    """
    tables = settings.tables
    with tempfile.TemporaryDirectory(prefix="genome-") as name:
        folder = Path(name)
        engine = open_engine(settings.engine, folder / "ratings.duckdb", folder)
        try:
            source = describe_file(places[0], "ratings", tables.get("ratings", TableSettings()), folder)
            stage_side_table(engine, source, settings.shop.timezone)
            rows = engine.fetch(
                "select customer_id, item_id, cast(rating as double) as rating, "
                "days_between(date '1970-01-01', cast(rated_at as date)) as day, rated_at from ratings"
            )
            titles = _titles(engine, settings, places[1], folder)
        finally:
            engine.close()
    return checked(rows, titles, source.label)


def _titles(engine: Engine, settings: Settings, path: str | None, folder: Path) -> dict[str, tuple[str, str]]:
    """Return title and genres by item."""
    if path is None:
        return {}
    source = describe_file(path, "items", settings.tables.get("items", TableSettings()), folder)
    stage_side_table(engine, source, settings.shop.timezone)
    rows = engine.fetch("select item_id, title, category from items")
    return {row["item_id"]: (row["title"] or "", row["category"] or "") for row in rows.to_pylist()}


def checked(rows: pa.Table, titles: Mapping[str, tuple[str, str]], label: str) -> RatingData:
    """Return the ratings that count, with what was left out."""
    notices = []
    values = np.asarray(pc.fill_null(rows["rating"], np.nan).to_numpy(), dtype=np.float64)
    read = np.isfinite(values)
    if not read.any():
        raise SourceError(f"{label}: none of its {rows.num_rows:,} ratings is a number. Wanted: numbers such as 4.5.")
    low, high = scale_of(values[read])
    inside = read & (values >= low) & (values <= high)
    if not inside.all():
        notices.append(f"{int((~inside).sum()):,} ratings outside the scale {low:g} to {high:g} or unreadable were left out.")
    time = np.asarray(rows["rated_at"].cast(pa.timestamp("us")).cast(pa.int64()).fill_null(0).to_numpy(), dtype=np.int64)
    who, what = (column.combine_chunks().dictionary_encode() for column in (rows["customer_id"], rows["item_id"]))
    customer_names, customer = _sorted(who)
    item_names, item = _sorted(what)
    kept = np.flatnonzero(inside)
    kept = kept[np.lexsort((kept, time[kept], item[kept], customer[kept]))]
    last = np.append(np.diff(customer[kept] * len(item_names) + item[kept]) != 0, True) if len(kept) else np.zeros(0, bool)
    if not last.all():
        notices.append(f"{int((~last).sum()):,} earlier ratings of an item by the same customer were replaced by the last one.")
    kept = kept[last]
    if len(np.unique(customer[kept])) < 2 or len(np.unique(item[kept])) < 2:
        raise SourceError(
            f"{label}: {len(np.unique(customer[kept])):,} customer(s) and {len(np.unique(item[kept])):,} item(s) with ratings. "
            "Wanted: at least two of each; what one customer likes is learned from others."
        )
    if (untitled := sum(1 for name in item_names if not titles.get(name, ("",))[0])) and titles:
        notices.append(f"{untitled:,} rated items have no title and go by their id.")
    if not time.any():
        notices.append("The ratings carry no time: splits by time are left out.")
    day = (time // 86_400_000_000).astype(np.int64)
    ratings = Ratings(customer[kept], item[kept], values[kept], day[kept], len(customer_names), len(item_names), (low, high))
    shown = [titles.get(name, ("", "")) for name in item_names]
    return RatingData(
        ratings,
        customer_names,
        item_names,
        tuple(title or name for (title, _), name in zip(shown, item_names, strict=True)),
        tuple(genres for _, genres in shown),
        label,
        tuple(notices),
    )


def _sorted(encoded: pa.DictionaryArray) -> tuple[tuple[str, ...], IntArray]:
    """Return the names in order and the place of every row."""
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda place: (len(names[place]), names[place]))
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return tuple(names[number] for number in order), place[
        np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    ]


# --- lists -----------------------------------------------------------------------------------------------------------


def liked(data: RatingData, ratings: Ratings) -> tuple[Interactions, Interactions]:
    """Return what was liked, to learn from, and everything rated, never to be listed again."""
    as_of = int(data.ratings.day.max()) + 1
    is_liked = ratings.rating >= data.liked_from
    shape = {"n_customers": ratings.n_customers, "n_items": ratings.n_items, "as_of": as_of, "horizon_days": 30}
    return (
        interactions(ratings.customer[is_liked], ratings.item[is_liked], ratings.day[is_liked], **shape),
        interactions(ratings.customer, ratings.item, ratings.day, **shape),
    )


def recommenders(seed: int) -> list[Recommender]:
    """Return the recommenders for liked items; time does not fade taste here."""
    found: list[Recommender] = [
        Popularity(EVER),
        UserNeighbours(EVER, n_neighbours=100, own_weight=0.0, name="similar customers"),
        ItemNeighbours(half_life_days=EVER),
        Ease(6000, 300.0, EVER),
    ]
    return [*found, Als(factors=32, penalty=5.0, alpha=3.0, half_life_days=EVER, seed=seed)] if has_implicit() else found


def fit_all(known: Interactions, seed: int) -> dict[str, Fitted]:
    """Return every recommender fitted, and the blend where ALS is there."""
    found = {one.name: one.fit(known) for one in recommenders(seed)}
    if Als.name in found:
        found[BLEND] = FittedBlend([found[Ease.name], found[Als.name]], np.ones(2))
    return found


def recommend_rated(data: RatingData, customer_id: str, top: int, seed: int) -> dict[str, Any]:
    """Return what a customer will like: unrated items with title, expected rating and a reason; somebody who has rated nothing
    gets what is liked by most, and `words` say so.
    """
    known, seen = liked(data, data.ratings)
    model = fit_factors(data.ratings, seed=seed)
    words = ""
    if customer_id in data.customers:
        place = data.customers.index(customer_id)
        if is_cold := bool(known.histories()[place] == 0):
            words = f"Customer {customer_id} has rated nothing {data.liked_from:g} or more: this is what most customers like."
        fitted: Fitted = Popularity(EVER).fit(known) if is_cold else Ease(6000, 300.0, EVER).fit(known)
    else:
        words = (
            f"Customer {customer_id} has rated nothing: this is what most of the {len(data.customers):,} customers with ratings like."
            f"{did_you_mean(customer_id, data.customers)}"
        )
        nobody = np.zeros(0, dtype=np.int64)
        seen = replace(seen, customer=nobody, item=nobody, day=nobody, group=np.full(1, -1, dtype=np.int64), n_customers=1)
        place, is_cold = 0, True
        fitted = Popularity(EVER).fit(known).for_others(seen, np.full(1, -1, dtype=np.int64))
    lists, _ = top_items(fitted, seen, np.array([place]), "new", top, offered=known.n_buyers > 0)
    items = lists[0][lists[0] >= 0]
    is_known = customer_id in data.customers
    expected = model.predict(np.full(len(items), place), items) if is_known else model.predict_unknown(items)
    return {
        "customer_id": customer_id,
        "is_known": is_known,
        "is_cold": is_cold,
        "words": words,
        "scale": list(data.ratings.scale),
        "items": [
            {
                "rank": rank,
                "item_id": data.items[item],
                "title": data.titles[item],
                "genres": data.genres[item],
                "expected_rating": round(float(rating), 2),
                "reason": _reason(data, known, fitted, place, int(item)),
            }
            for rank, (item, rating) in enumerate(zip(items.tolist(), expected.tolist(), strict=True), start=1)
        ],
        "notices": list(data.notices),
    }


def _reason(data: RatingData, known: Interactions, fitted: Fitted, place: int, item: int) -> str:
    """Return why an item is listed: the liked item that speaks most for it; without any, how many like it."""
    if isinstance(fitted, FittedItems) and item in fitted.places:
        column = fitted.strength[:, np.searchsorted(fitted.places, item)]
        said = np.asarray(fitted.history[place].toarray()).ravel() * column
        best = int(np.argmax(said))
        if said[best] > 0:
            other = int(fitted.places[best])
            mine = data.ratings.rating[(data.ratings.customer == place) & (data.ratings.item == other)]
            return f"liked by those who like {data.titles[other]}, which they rated {mine[0]:g}"
    return f"liked by {int(known.n_buyers[item]):,} customers"


# --- judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RatingBacktest:
    """What was found: lists over two splits, expected ratings over two splits."""

    label: str
    n_ratings: int
    n_customers: int
    n_items: int
    liked_from: float
    rows: tuple[Row, ...]
    errors: tuple[Mapping[str, Any], ...]
    words: tuple[str, ...]
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "format": 1,
            "data": self.label,
            "n_ratings": self.n_ratings,
            "n_customers": self.n_customers,
            "n_items": self.n_items,
            "liked_from": self.liked_from,
            "rows": [row.as_json() for row in self.rows],
            "rating_errors": [dict(one) for one in self.errors],
            "words": list(self.words),
            "notices": list(self.notices),
        }

    def store(self, workspace: Path) -> Path:
        """Write everything to a file of a workspace."""
        return store_json(workspace, "rating_backtest.json", self.as_json())


def backtest_ratings(data: RatingData, seed: int, n_draws: int = 1000) -> RatingBacktest:
    """Return how good lists and expected ratings are: the last 10 liked items of each customer held back, and a global cut in time."""
    ratings = data.ratings
    rows, errors = [], []
    for name, held in _splits(data):
        rows += judge_split(data, name, held, seed, n_draws)
    for name, folds in (("random 5 folds", list(random_folds(len(ratings), 5, seed))), ("last fifth by time", _by_time(data))):
        if folds:
            errors += _errors(ratings, name, folds, seed)
    words = [
        f"{name}: {best.candidate} leads with NDCG@{LENGTH} {best.figures['ndcg']:.3f}, {best.lift:.1f} times popularity."
        for name, best in reversed({row.as_of: row for row in reversed(rows)}.items())
    ]
    return RatingBacktest(
        data.label,
        len(ratings),
        len(data.customers),
        len(data.items),
        data.liked_from,
        tuple(rows),
        tuple(errors),
        tuple(words),
        data.notices,
    )


def _by_time(data: RatingData) -> list[Any]:
    """Return the one fold of the latest ratings, none where the ratings carry no time."""
    later = later_rows(data.ratings)
    return [later] if data.ratings.day.any() and 0 < later.sum() < len(later) else []


def _splits(data: RatingData) -> Iterator[tuple[str, Any]]:
    """Yield which ratings are held back: the last liked ones of each customer, then those after one day for all."""
    ratings = data.ratings
    if not ratings.day.any():
        return
    order = np.lexsort((ratings.item, ratings.day, ratings.customer))
    is_liked = ratings.rating[order] >= data.liked_from
    behind = np.zeros(len(order), dtype=np.int64)  # liked ratings of the same customer from here on
    counts = np.cumsum(is_liked[::-1])[::-1]
    ends = np.append(np.flatnonzero(np.diff(ratings.customer[order])), len(order) - 1)
    after = np.append(counts[1:], 0)[ends]
    behind = counts - np.repeat(after, np.diff(np.concatenate([[-1], ends])))
    held = np.zeros(len(order), dtype=bool)
    held[order] = is_liked & (behind <= HELD_BACK)
    enough = np.bincount(ratings.customer[held], minlength=ratings.n_customers) == HELD_BACK
    more = np.bincount(ratings.customer[~held], minlength=ratings.n_customers) >= HELD_BACK
    yield f"last {HELD_BACK} liked of each customer", held & (enough & more)[ratings.customer]
    for later in _by_time(data):
        yield "after one day for all", later


def judge_split(data: RatingData, name: str, held: Any, seed: int, n_draws: int) -> list[Row]:
    """Return the figures of every recommender for what was held back and liked."""
    known, seen = liked(data, data.ratings.take(~held))
    later, _ = liked(data, data.ratings.take(held))
    wanted = later.owned.multiply((known.n_buyers > 0)[None, :]).tocsr()
    wanted = (wanted - wanted.multiply(seen.owned)).tocsr()
    wanted.eliminate_zeros()
    customers = np.flatnonzero((known.histories() > 0) & (np.diff(wanted.indptr) > 0))
    if len(customers) < 2:
        return []
    n_catalogue = int((known.n_buyers > 0).sum())
    shares = known.n_buyers / max(known.n_customers, 1)
    figures = {}
    for one, fitted in fit_all(known, seed).items():
        lists, _ = top_items(fitted, seen, customers, "new", LENGTH, offered=known.n_buyers > 0)
        figures[one] = judge_lists(lists, wanted[customers], shares, n_catalogue)
    random = random_expectation(wanted[customers], n_catalogue - known.histories()[customers], LENGTH)
    return compare(name, "new", figures, POPULARITY, random, draws_of(len(customers), n_draws, seed))


def _errors(ratings: Ratings, name: str, folds: Sequence[Any], seed: int) -> list[dict[str, Any]]:
    """Return RMSE and MAE of each rating model, averaged over folds by their ratings."""
    found: dict[str, list[tuple[float, float, int]]] = {}
    size, penalty = best_size(ratings.take(~folds[0]), seed)
    for held in folds:
        known, asked = ratings.take(~held), ratings.take(held)
        models: dict[str, RatingModel] = {
            "mean": _mean_only(fit_biases(known)),
            "biases only": fit_biases(known),
            "biased factors, tuned": fit_factors(known, size, penalty, seed=seed),
        }
        for one, model in models.items():
            found.setdefault(one, []).append((rmse(model, asked), mae(model, asked), len(asked)))
    rows = []
    for one, values in found.items():
        weights: FloatArray = np.array([value[2] for value in values], dtype=np.float64)
        rows.append(
            {
                "split": name,
                "model": one,
                "rmse": float(np.sqrt(np.average([value[0] ** 2 for value in values], weights=weights))),
                "mae": float(np.average([value[1] for value in values], weights=weights)),
                "n": int(weights.sum()),
                "settings": f"{size} factors, penalty {penalty:g} per rating" if one.endswith("tuned") else "",
            }
        )
    return rows


def _mean_only(model: RatingModel) -> RatingModel:
    """Return the model without biases."""
    return RatingModel(
        model.mean, np.zeros_like(model.customer_bias), np.zeros_like(model.item_bias), model.customers, model.items, model.scale
    )
