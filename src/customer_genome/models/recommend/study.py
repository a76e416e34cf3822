"""Which recommender is best for which view: fitted a horizon earlier, judged by what came, then fitted to everything known.

Comes in: what is known at a day. Goes out: a champion per view with the comparison behind it. Nothing after the day is used; the
day's own horizon stays unseen. Settings of each recommender are chosen on the same earlier window. The re-ranker is judged by trees
that learned still earlier. Popularity is a candidate: what does not beat it beyond doubt is not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from customer_genome.errors import SettingsError
from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, Recommender
from customer_genome.models.recommend.items import IMPLICIT_MISSING, Als, Ease, ItemNeighbours
from customer_genome.models.recommend.lists import VIEWS, FittedBlend, View, hits_of, ndcg_of_hits, top_in_views, top_items
from customer_genome.models.recommend.personal import PersonalDecay, UserNeighbours
from customer_genome.models.recommend.popularity import GroupPopularity, Popularity, SeasonPopularity
from customer_genome.models.recommend.ranker import Context, Examples, FittedRanker, examples_of, fit_ranker, wanted_of

POPULARITY, PERSONAL, NEIGHBOURS = Popularity.name, PersonalDecay.name, "personal and similar customers"
SIMILAR, BLEND, RANKER = "similar customers", "blend of EASE and ALS", "re-ranker"
FEWEST_JUDGED = 30
"""Customers who must have bought in the earlier window before anything is chosen by it."""
LENGTH = 10
N_DRAWS = 500
BLENDED = {Ease.name: 2.0, Als.name: 1.0}
"""Weights of standardised scores: EASE is the better of the two on every shop tried, at earlier days too."""


@dataclass(frozen=True)
class Effort:
    """How much is tried: `light` within seconds as part of a run, `full` for a comparison.

    Attributes
    ----------
    n_windows : earlier windows that the re-ranker learns from; 0 leaves it out
    most_judged : customers by whom the choice is made, of each judged window
    n_judged : judged windows, one horizon each, the latest last; quick candidates are judged by two, so that one odd season decides less
    """

    most_ease_items: int
    penalties: tuple[float, ...]
    half_lives: tuple[float, ...]
    n_windows: int
    most_judged: int
    has_all: bool
    n_judged: int = 1


FULL = Effort(6000, (300.0, 1000.0), (60.0, 180.0, 365.0), 2, 50_000, True)
LIGHT = Effort(1500, (1000.0,), (180.0,), 0, 600, False, 2)


@dataclass(frozen=True)
class Tried:
    """One candidate on the earlier window: mean NDCG@10 with its standard error, and its paired difference to popularity (95 %)."""

    name: str
    ndcg: float
    error: float
    difference: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Chosen:
    """The champion of a view, why, and what was compared on the earlier window (best first)."""

    view: View
    name: str
    words: str
    n_judged: int
    tried: tuple[Tried, ...]


@dataclass
class Study:
    """Everything learned at one day. Parts are fitted when they are asked for and kept.

    Parameters
    ----------
    known : Interactions
        Everything known; `known.as_of` is the day, `known.horizon_days` how far lists reach.
    """

    known: Interactions
    effort: Effort = FULL
    seed: int = 7
    notices: list[str] = field(default_factory=list)
    kept: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    settings: dict[str, float] = field(default_factory=dict)
    has_als: bool = True

    def __post_init__(self) -> None:
        """Choose settings on the earlier window."""
        self.has_als = self.effort.has_all and has_implicit()
        if self.effort.has_all and not self.has_als:
            self.notices.append(IMPLICIT_MISSING)
        self.settings = {
            "half_life_days": self.effort.half_lives[len(self.effort.half_lives) // 2],
            "penalty": self.effort.penalties[-1],
        }
        if self.can_judge:
            self._tune()

    @property
    def earlier(self) -> int:
        """Return the day of the earlier window."""
        return self.known.as_of - self.known.horizon_days

    @property
    def can_judge(self) -> bool:
        """Return whether enough customers bought before and in the earlier window."""
        return len(self._judged("all", self.earlier)[0]) >= FEWEST_JUDGED

    @property
    def judged_from(self) -> list[int]:
        """Return the first days of the windows that the choice is made by, the latest first; only windows with enough customers."""
        starts = [self.known.as_of - self.known.horizon_days * (number + 1) for number in range(self.effort.n_judged)]
        return [start for start in starts if start > self.known.first_day and len(self._judged("all", start)[0]) >= FEWEST_JUDGED]

    def at(self, day: int) -> Interactions:
        """Return what was known before a day."""
        return self._once(("known", day), lambda: self.known if day == self.known.as_of else self.known.before(day))  # type: ignore[no-any-return]

    def _once(self, key: tuple[Any, ...], make: Any) -> Any:
        """Return what was made under a key before, or make it."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    # --- parts -------------------------------------------------------------------------------------------------------

    def recommenders(self) -> list[Recommender]:
        """Return the recommenders with the chosen settings."""
        half_life, penalty = self.settings["half_life_days"], self.settings["penalty"]
        found: list[Recommender] = [
            Popularity(),
            GroupPopularity(),
            SeasonPopularity(),
            PersonalDecay(half_life),
            UserNeighbours(half_life, name=NEIGHBOURS),
            ItemNeighbours(),
            Ease(self.effort.most_ease_items, penalty),
        ]
        if self.effort.has_all:
            found += [UserNeighbours(365.0, own_weight=0.0, name=SIMILAR), ItemNeighbours(bm25=True)]
        if self.has_als:
            found.append(Als(seed=self.seed))
        return found

    def part(self, recommender: Recommender, day: int) -> Fitted:
        """Return a recommender fitted before a day."""
        key = ("part", day, recommender.name, *sorted(vars(recommender).items()))
        return self._once(key, lambda: recommender.fit(self.at(day)))  # type: ignore[no-any-return]

    def context(self, day: int) -> Context:
        """Return everything the re-ranker looks at, as of a day."""
        skipped = (POPULARITY, PERSONAL, ItemNeighbours(bm25=True).name)
        parts = [one for one in self.recommenders() if one.name not in skipped]
        return self._once(  # type: ignore[no-any-return]
            ("context", day, tuple(self.settings.items())),
            lambda: Context(self.at(day), {one.name: self.part(one, day) for one in parts}, latest=self._once(("latest",), dict)),
        )

    def names(self, view: View) -> list[str]:
        """Return the candidates of a view."""
        found = [one.name for one in self.recommenders()]
        if self.has_als:
            found.append(BLEND)
        if self.effort.n_windows and self._ranker(view, self.known.as_of) is not None:
            found.append(RANKER)
        return found

    def fitted(self, name: str, view: View, day: int | None = None) -> Fitted | None:
        """Return a candidate fitted before a day (by default now); None where there was too little to learn from."""
        day = self.known.as_of if day is None else day
        if name == RANKER:
            ranker = self._ranker(view, day)
            return ranker.at(self.context(day)) if ranker is not None else None
        by_name = {one.name: one for one in self.recommenders()}
        if name == BLEND:
            parts = [self.part(by_name[part], day) for part in BLENDED]
            blend = FittedBlend(parts, np.array(list(BLENDED.values())))
            return self._once(("blend", day, *self.settings.values()), lambda: blend)  # type: ignore[no-any-return]
        return self.part(by_name[name], day)

    def in_views(self, name: str, day: int | None = None) -> dict[View, Fitted]:
        """Return a candidate fitted before a day (by default now) for every view for which there was enough to learn from."""
        found = {view: self.fitted(name, view, day) for view in VIEWS}
        return {view: one for view, one in found.items() if one is not None}

    def _ranker(self, view: View, day: int) -> FittedRanker | None:
        """Return trees learned from windows that end at or before a day."""
        return self._once(("ranker", view, day, *self.settings.values()), lambda: self._learned(view, day))  # type: ignore[no-any-return]

    def _learned(self, view: View, day: int) -> FittedRanker | None:
        horizon = self.known.horizon_days
        starts = [day - horizon * (number + 1) for number in range(self.effort.n_windows)]
        usable = [start for start in starts if start - horizon >= self.known.first_day]
        windows = [self._examples(start)[view] for start in reversed(usable)]
        return fit_ranker(windows, self.context(usable[0]), view, self.seed) if windows else None

    def _examples(self, start: int) -> Mapping[View, Examples]:
        """Return what was proposed on a day, with what was bought in the horizon after it."""

        def make() -> Mapping[View, Examples]:
            return examples_of(self.context(start), self.known.bought(start, start + self.known.horizon_days))

        return self._once(("examples", start, tuple(self.settings.items())), make)  # type: ignore[no-any-return]

    # --- choosing ----------------------------------------------------------------------------------------------------

    def _judged(self, view: View, start: int) -> tuple[IntArray, Any]:
        """Return who is judged on an earlier window, and what each of them wanted."""
        return self._once(("judged", self.known.as_of, start, view), lambda: self._find_judged(view, start))  # type: ignore[no-any-return]

    def _find_judged(self, view: View, start: int) -> tuple[IntArray, Any]:
        then = self.at(start)
        wanted = wanted_of(then, self.known.bought(start, start + self.known.horizon_days), view)
        some = np.flatnonzero((then.histories() > 0) & (np.diff(wanted.indptr) > 0))
        if view != "all":  # of the same customers
            some = np.intersect1d(some, self._judged("all", start)[0])
        elif len(some) > self.effort.most_judged:
            some = some[np.linspace(0, len(some) - 1, self.effort.most_judged).astype(np.int64)]
        return some, wanted[some]

    def ndcg(self, fitted: Fitted, view: View) -> FloatArray:
        """Return NDCG of each judged customer on the latest earlier window."""
        customers, wanted = self._judged(view, self.earlier)
        lists, _ = top_items(fitted, self.at(self.earlier), customers, view, LENGTH)
        return ndcg_of(lists, wanted)

    def _ndcg_in_views(self, name: str, start: int) -> dict[View, FloatArray]:
        """Return NDCG of a candidate in every view on an earlier window; views for which there was too little to learn from are left out."""
        everybody = self._judged("all", start)[0]
        lists = top_in_views(self.in_views(name, start), self.at(start), everybody, LENGTH)
        found = {}
        for view, (places, _) in lists.items():
            some, wanted = self._judged(view, start)
            found[view] = ndcg_of(places[np.isin(everybody, some)], wanted)
        return found

    def _tune(self) -> None:
        """Choose the half-life by what is bought again, the penalty by what is new."""
        if len(self.effort.half_lives) > 1:
            found = {days: self._mean(PersonalDecay(days), "again") for days in self.effort.half_lives}
            self.settings["half_life_days"] = max(found, key=lambda days: (found[days], -days))
        if len(self.effort.penalties) > 1:
            found = {size: self._mean(Ease(self.effort.most_ease_items, size), "new") for size in self.effort.penalties}
            self.settings["penalty"] = max(found, key=lambda size: (found[size], size))

    def _mean(self, recommender: Recommender, view: View) -> float:
        values = self.ndcg(self.part(recommender, self.earlier), view)
        return float(values.mean()) if len(values) else 0.0

    def choose(self) -> dict[View, Chosen]:
        """Return the champion of every view."""
        return {view: self._choose(view) for view in VIEWS}

    def _choose(self, view: View) -> Chosen:
        usual = POPULARITY if view == "new" else PERSONAL
        who, place = np.unique(
            np.concatenate([self._judged(view, start)[0] for start in self.judged_from] or [np.zeros(0, np.int64)]),
            return_inverse=True,
        )
        n, days = len(who), self.known.horizon_days
        if n < FEWEST_JUDGED:
            words = (
                f"{usual}: fewer than {FEWEST_JUDGED} customers bought both before and within the last {days} days, "
                "so nothing can be compared yet."
            )
            return Chosen(view, usual, words, n, ())
        span = f"the last {days * len(self.judged_from)} days" + (", in two parts" if len(self.judged_from) > 1 else "")
        values = dict(self._compared(view))
        draws = _draws(n, self.seed)[:, place]  # a customer who was judged twice is drawn twice
        draws /= draws.sum(axis=1, keepdims=True)
        tried = []
        for name, each in values.items():
            difference = each - values[POPULARITY]
            lower, upper = np.quantile(draws @ difference, [0.025, 0.975])
            error = float((draws @ each).std(ddof=1))
            tried.append(Tried(name, float(each.mean()), error, float(difference.mean()), float(lower), float(upper)))
        tried.sort(key=lambda one: (-one.ndcg, one.name))
        best = next((one for one in tried if one.lower > 0), None)
        if best is None:
            words = f"popularity: nothing beat it beyond doubt for {n:,} customers over {span}."
            return Chosen(view, POPULARITY, words, n, tuple(tried))
        words = (
            f"{best.name}: NDCG@{LENGTH} {best.ndcg:.3f} for {n:,} customers over {span}, "
            f"{best.difference:+.3f} against popularity (95 %: {best.lower:+.3f} to {best.upper:+.3f})."
        )
        return Chosen(view, best.name, words, n, tuple(tried))

    def _compared(self, view: View) -> Iterator[tuple[str, FloatArray]]:
        """Yield every candidate of a view on the earlier windows."""
        for name in self.names(view):
            found = []
            for start in self.judged_from:
                key = ("ndcg", self.known.as_of, start, name, *self.settings.values())
                found.append(self._once(key, partial(self._ndcg_in_views, name, start)))
            if all(view in one for one in found):
                yield name, np.concatenate([one[view] for one in found])

    def about(self) -> Mapping[str, str]:
        """Return what each candidate does, in words."""
        return {one.name: one.about for one in self.recommenders()} | {
            BLEND: "standardised scores of EASE and ALS, EASE counting twice",
            RANKER: "boosted trees that order what the others propose, learned from earlier windows",
        }


def ndcg_of(lists: IntArray, wanted: Any) -> FloatArray:
    """Return NDCG of each list; `wanted` is sparse 0/1 with at least one entry per row."""
    return ndcg_of_hits(hits_of(lists, wanted), np.diff(wanted.indptr))


def _draws(n: int, seed: int) -> FloatArray:
    """Return how often each customer is drawn in each of the resamples."""
    random = np.random.default_rng(seed)
    return np.stack([np.bincount(random.integers(0, n, n), minlength=n) for _ in range(N_DRAWS)]).astype(np.float64)


def has_implicit() -> bool:
    """Return whether the optional library of the factor model is installed."""
    return find_spec("implicit") is not None


def require_known(known: Interactions) -> None:
    """Refuse to recommend from nothing.

    Raises
    ------
    SettingsError
        With what is needed.
    """
    if not len(known) or known.n_items < 2:
        raise SettingsError(
            f"Recommendations need at least two different items bought before the cutoff; found {len(np.unique(known.item))}. "
            "Map the product column ([tables.order_lines.columns] product_id), or choose another level under [recommend] item."
        )
