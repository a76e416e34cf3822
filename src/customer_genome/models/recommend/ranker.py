"""The re-ranker: boosted trees that order what the other recommenders propose.

Comes in: recommenders fitted at an earlier day with what was bought after it, and the same recommenders fitted now. Goes out:
scores of the proposed items; everything else is minus infinity. It learns from one window (or several) whose end is not after the
day at which its lists are made. LightGBM is needed only when it is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, Scores, batches_of, dense
from customer_genome.models.recommend.lists import VIEWS, View, best_in_view
from customer_genome.models.recommend.popularity import YEAR_DAYS

N_PROPOSED = 60
"""Items taken from each recommender per customer."""
MOST_LEARNERS = 4000
"""Customers a window is learned from."""
MOST_UNWANTED = 100
"""Items that were proposed and not bought, of each list that is learned from: drawn where there are more, for trees learn little from the rest."""
ROUNDS = 150
PAIR_FACTS = ("bought on days", "days since bought", "usual gap", "gaps since bought", "weight lately", "share of shopping days")
ITEM_FACTS = (
    "share of buyers, 7 days",
    "share of buyers, 30 days",
    "share of buyers, 90 days",
    "share of buyers, ever",
    "trend",
    "same season last year",
    "days since first sold",
    "days since last sold",
    "share of buyers who came back for it",
)
CUSTOMER_FACTS = ("items owned", "shopping days", "days since last purchase", "days known", "items per shopping day")


@dataclass(frozen=True)
class Context:
    """Recommenders fitted at a day, with facts of items and customers as known then.

    `item_facts` are given where they come from other customers than those of `known`. `latest` holds what was worked out for the
    batch of customers asked for last; contexts that share one hold one batch among them.
    """

    known: Interactions
    parts: Mapping[str, Fitted]
    item_facts: FloatArray | None = None
    latest: dict[tuple[int, bytes], Any] = field(default_factory=dict, repr=False, compare=False)
    customer_facts: FloatArray = field(init=False)
    first_day: Any = field(init=False)
    last_day: Any = field(init=False)
    lately: Any = field(init=False)

    def __post_init__(self) -> None:
        """Compute the facts once."""
        known = self.known
        age = (known.as_of - known.day).astype(np.float64)
        oldest, newest = known.matrix(np.ones(len(known))), known.matrix(np.ones(len(known)))
        starts, ends = ends_of_pairs(known)
        oldest.data, newest.data = age[starts].astype(np.float32), age[ends].astype(np.float32)
        object.__setattr__(self, "first_day", oldest)
        object.__setattr__(self, "last_day", newest)
        object.__setattr__(self, "lately", known.decayed(60.0))
        if self.item_facts is None:
            object.__setattr__(self, "item_facts", _item_facts(known))
        object.__setattr__(self, "customer_facts", _customer_facts(known))

    def for_others(self, known: Interactions, learned: IntArray) -> Context:
        """Return the same recommenders and items with the histories of others."""
        parts = {name: part.for_others(known, learned) for name, part in self.parts.items()}
        return Context(known, parts, self.facts_of_items)

    def scores(self, customers: IntArray) -> tuple[list[Scores], list[FloatArray]]:
        """Return the scores of every recommender and what was done with every item, dense; kept for the other views of the same batch."""
        key = (id(self), customers.tobytes())
        if key not in self.latest:
            self.latest.clear()
            held = (self.known.days, self.first_day, self.last_day, self.lately)
            self.latest[key] = ([part.scores(customers) for part in self.parts.values()], [dense(one[customers]) for one in held])
        return self.latest[key]  # type: ignore[no-any-return]

    @property
    def facts_of_items(self) -> FloatArray:
        """Return the facts of every item."""
        if self.item_facts is None:
            raise ValueError("a context without facts of items")
        return self.item_facts


def ends_of_pairs(known: Interactions) -> tuple[IntArray, IntArray]:
    """Return the first and the last row of each customer and item; rows are sorted."""
    key = known.customer * known.n_items + known.item
    change = np.flatnonzero(np.diff(key)) + 1
    starts = np.concatenate([[0], change]) if len(key) else np.zeros(0, np.int64)
    ends = np.concatenate([change, [len(key)]]) - 1 if len(key) else np.zeros(0, np.int64)
    return starts.astype(np.int64), ends.astype(np.int64)


def _item_facts(known: Interactions) -> FloatArray:
    """Return the facts of every item, shape (n_items, len(ITEM_FACTS))."""
    end = known.as_of

    def share(days: int) -> FloatArray:
        return known.buyers_between(end - days, end) / max(known.n_active(end - days), 1)

    start = end - YEAR_DAYS
    season = (
        known.buyers_between(start, start + known.horizon_days) if start >= known.first_day else np.full(known.n_items, np.nan)
    )
    first = np.full(known.n_items, end, dtype=np.int64)
    np.minimum.at(first, known.item, known.day)
    month, quarter = share(30), share(90)
    again = np.bincount(known.days.indices[known.days.data > 1], minlength=known.n_items) / np.maximum(known.n_buyers, 1)
    return np.column_stack(
        [
            share(7),
            month,
            quarter,
            known.n_buyers / max(known.n_customers, 1),
            (month - quarter) / np.maximum(month + quarter, 1e-12),
            season / max(float(np.nansum(season)), 1.0),
            end - first,
            end - np.maximum(known.last_day, 0),
            again,
        ]
    ).astype(np.float64)


def _customer_facts(known: Interactions) -> FloatArray:
    """Return the facts of every customer, shape (n_customers, len(CUSTOMER_FACTS))."""
    days = np.unique(known.customer * 100_000 + known.day)
    n_days = np.bincount(days // 100_000, minlength=known.n_customers).astype(np.float64)
    first = np.full(known.n_customers, known.as_of, dtype=np.int64)
    last = np.zeros(known.n_customers, dtype=np.int64)
    np.minimum.at(first, known.customer, known.day)
    np.maximum.at(last, known.customer, known.day)
    rows = np.bincount(known.customer, minlength=known.n_customers)
    return np.column_stack(
        [known.histories(), n_days, known.as_of - last, known.as_of - first, rows / np.maximum(n_days, 1)]
    ).astype(np.float64)


def proposals(
    context: Context, customers: IntArray, view: View, offered: npt.NDArray[np.bool_]
) -> tuple[IntArray, IntArray, npt.NDArray[np.float32]]:
    """Return what the recommenders propose to a batch: row of the batch, item, and facts, shape (n, n_facts)."""
    columns, wanted = [], np.zeros((len(customers), context.known.n_items), dtype=bool)
    scored, held = context.scores(customers)
    for scores in scored:
        best, values = best_in_view(scores, context.known, customers, view, N_PROPOSED, offered)
        rows = np.repeat(np.arange(len(customers)), best.shape[1])[best.ravel() >= 0]
        wanted[rows, best.ravel()[best.ravel() >= 0]] = True
        top = np.maximum(np.where(np.isfinite(values[:, 0]), np.abs(values[:, 0]), 1.0), 1e-12)
        columns.append((scores, top))
    rows, items = np.nonzero(wanted)
    facts = [scores[rows, items] for scores, _ in columns] + [scores[rows, items] / top[rows] for scores, top in columns]
    facts.extend(_pair_facts(context, customers[rows], [one[rows, items].astype(np.float64) for one in held]))
    facts.extend(context.facts_of_items[items].T)
    facts.extend(context.customer_facts[customers[rows]].T)
    return rows, items, np.column_stack(facts).astype(np.float32)


def _pair_facts(context: Context, customers: IntArray, held: Sequence[FloatArray]) -> list[FloatArray]:
    """Return what customers have done with items: `held` are days, age of the first and of the last one, and weight lately."""
    days, first, last, lately = held
    gap = np.where(days > 1, (first - last) / np.maximum(days - 1, 1), np.nan)
    since = np.where(days > 0, last, np.nan)
    shopping = np.maximum(context.customer_facts[customers, 1], 1)
    return [days, since, gap, since / np.maximum(gap, 1), lately, days / shopping]


@dataclass(frozen=True)
class FittedRanker(Fitted):
    """Trees that order proposals, and what proposes now."""

    trees: Any
    context: Context
    view: View
    offered: npt.NDArray[np.bool_]

    def at(self, context: Context, offered: npt.NDArray[np.bool_] | None = None) -> FittedRanker:
        """Return the same trees over recommenders fitted at another day."""
        return FittedRanker(self.trees, context, self.view, context.known.n_buyers > 0 if offered is None else offered)

    def for_others(self, known: Interactions, learned: IntArray) -> FittedRanker:
        """Return the same trees over the histories of others."""
        return FittedRanker(self.trees, self.context.for_others(known, learned), self.view, self.offered)

    def scores(self, customers: IntArray) -> Scores:
        """Return the trees' score of what is proposed, minus infinity for the rest."""
        found = np.full((len(customers), self.context.known.n_items), -np.inf, dtype=np.float32)
        for part in batches_of(customers, self.context.known.n_items):
            rows, items, facts = proposals(self.context, customers[part], self.view, self.offered)
            if len(rows):
                found[part][rows, items] = self.trees.predict(facts, num_threads=1)
        return found


@dataclass(frozen=True)
class Examples:
    """Lists to learn from: facts and whether each item was wanted, list after list, and how long each list is."""

    facts: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    sizes: IntArray


def fit_ranker(windows: Sequence[Examples], context: Context, view: View, seed: int = 7) -> FittedRanker | None:
    """Return trees learned from earlier days, or None where nobody bought anything that was proposed.

    Parameters
    ----------
    windows : of a view, as `examples_of` returns them
    context : what proposes now; move the result with `at`

    Source
    ------
    Bruch, Han, Bendersky & Najork (2020), An alternative cross entropy loss for learning-to-rank: as good as LambdaRank here, at half the cost.
    """
    import lightgbm

    windows = [one for one in windows if len(one.sizes)]
    if not windows:
        return None
    parts = [np.concatenate([getattr(one, name) for one in windows]) for name in ("facts", "labels", "sizes")]
    table = lightgbm.Dataset(parts[0], parts[1], group=parts[2], free_raw_data=True)
    settings = {
        "objective": "rank_xendcg",
        "learning_rate": 0.06,
        "num_leaves": 31,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    trees = lightgbm.train(settings, table, num_boost_round=ROUNDS)
    return FittedRanker(trees, context, view, context.known.n_buyers > 0)


def examples_of(context: Context, bought: Any) -> dict[View, Examples]:
    """Return for every view what was proposed to customers at an earlier day, and what of it they bought in the horizon after it.

    Parameters
    ----------
    bought : sparse 0/1, shape (n_customers, n_items)
    """
    known = context.known
    offered = known.n_buyers > 0
    truths = {view: wanted_of(known, bought, view) for view in VIEWS}
    some = np.flatnonzero((known.histories() > 0) & (np.diff(truths["all"].indptr) > 0))
    if len(some) > MOST_LEARNERS:
        some = some[np.linspace(0, len(some) - 1, MOST_LEARNERS).astype(np.int64)]
    found: dict[View, list[Examples]] = {view: [] for view in VIEWS}
    random = np.random.default_rng(known.as_of)
    for part in batches_of(some, known.n_items):
        for view, truth in truths.items():
            rows, items, facts = proposals(context, some[part], view, offered)
            labels = dense(truth[some[part]])[rows, items]
            hits = np.bincount(rows, weights=labels, minlength=len(some[part]))
            unwanted = np.maximum(np.bincount(rows, minlength=len(some[part])) - hits, 1)
            drawn = random.random(len(rows)) < MOST_UNWANTED / unwanted[rows]
            kept = (hits[rows] > 0) & ((labels > 0) | drawn)  # a list without a hit teaches no order
            sizes = np.bincount(rows[kept], minlength=len(some[part])).astype(np.int64)
            found[view].append(Examples(facts[kept], labels[kept].astype(np.int32), sizes[sizes > 0]))
    return {view: _joined(parts) for view, parts in found.items()}


def _joined(parts: Sequence[Examples]) -> Examples:
    """Return lists of several batches as one."""
    if not parts:
        return Examples(np.zeros((0, 0), np.float32), np.zeros(0, np.int32), np.zeros(0, np.int64))
    return Examples(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("facts", "labels", "sizes")))


def wanted_of(known: Interactions, bought: Any, view: View) -> Any:
    """Return what counts as a hit in a view: of what was bought later, items known before, owned or not as the view says."""
    found = bought.multiply((known.n_buyers > 0).astype(np.float32)[None, :]).tocsr()
    if view == "new":
        found = (found - found.multiply(known.owned)).tocsr()
    elif view == "again":
        found = found.multiply(known.owned).tocsr()
    found.eliminate_zeros()
    return found
