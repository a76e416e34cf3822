"""How good lists of items are: measured over the full catalogue after a day, per customer, with what chance could explain.

Comes in: lists (places of items, best first) and what was bought after the day, as sparse 0/1. Goes out: NDCG, recall, MAP, hit
rate, coverage and novelty with bootstrap intervals over customers. No negatives are sampled: an item counts as wanted or not,
whatever else is in the catalogue. Nothing here knows names, files or models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.lists import hits_of, ndcg_of_hits

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ListFigures:
    """Figures of one set of lists: the value per customer of each measure, and what only all lists together tell.

    Attributes
    ----------
    per_customer : measure -> float array, shape (n_customers,)
        NDCG, recall, average precision, hit or not; novelty = mean surprise of the listed items in bits, NaN for empty lists.
    coverage : float
        Share of the catalogue that stands in at least one list.
    """

    per_customer: Mapping[str, FloatArray]
    coverage: float

    def means(self) -> dict[str, float]:
        """Return the mean of every measure over customers, and coverage."""
        found = {
            name: float(np.nanmean(values)) if np.isfinite(values).any() else np.nan for name, values in self.per_customer.items()
        }
        return {**found, "coverage": self.coverage}


def judge_lists(lists: IntArray, wanted: Any, item_shares: FloatArray, n_catalogue: int) -> ListFigures:
    """Return how good lists are.

    Parameters
    ----------
    lists : shape (n_customers, length)
        Places of items, best first; -1 where a list ends early.
    wanted : sparse, shape (n_customers, n_items)
        1 where the customer bought the item; every customer wanted something.
    item_shares : shape (n_items,)
        Share of customers who bought each item before; surprise is -log2 of it.
    n_catalogue : int
        Items that could have been listed.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> lists = np.array([[0, 1], [2, -1]])
    >>> found = judge_lists(lists, csr_matrix([[1, 0, 0], [1, 0, 0]]), np.array([0.5, 0.5, 0.25]), 3)
    >>> found.per_customer["ndcg"].tolist(), found.per_customer["hit_rate"].tolist(), found.coverage
    ([1.0, 0.0], [1.0, 0.0], 1.0)
    """
    n, length = lists.shape
    hits = hits_of(lists, wanted)
    n_wanted = np.diff(wanted.tocsr().indptr)
    places = np.arange(1, length + 1)
    reachable = np.maximum(np.minimum(n_wanted, length), 1)
    precision = np.cumsum(hits, axis=1) / places
    listed = lists >= 0
    surprise = -np.log2(np.maximum(item_shares, 1e-9))
    told = np.where(listed, surprise[np.maximum(lists, 0)], 0.0).sum(axis=1)
    counts = listed.sum(axis=1)
    return ListFigures(
        {
            "ndcg": ndcg_of_hits(hits, n_wanted),
            "recall": hits.sum(axis=1) / np.maximum(n_wanted, 1),
            "map": (precision * hits).sum(axis=1) / reachable,
            "hit_rate": (hits.sum(axis=1) > 0).astype(np.float64),
            "novelty": np.divide(told, counts, out=np.full(n, np.nan), where=counts > 0),
        },
        len(np.unique(lists[listed])) / max(n_catalogue, 1),
    )


@dataclass(frozen=True)
class Interval:
    """A mean over customers with its standard error and the middle 95 % of resampled means."""

    mean: float
    error: float
    lower: float
    upper: float


def draws_of(n: int, n_draws: int, seed: int) -> FloatArray:
    """Return how often each customer is drawn in each resample, shape (n_draws, n); the same seed gives the same draws."""
    random = np.random.default_rng(seed)
    found = np.empty((n_draws, n))
    for row in range(n_draws):
        found[row] = np.bincount(random.integers(0, n, n), minlength=n) if n else 0
    return found


def interval_of(values: FloatArray, draws: FloatArray) -> Interval:
    """Return the mean of one value per customer with its interval; NaN throughout where there are no customers.

    Examples
    --------
    >>> interval_of(np.array([1.0, 1.0]), draws_of(2, 50, 7))
    Interval(mean=1.0, error=0.0, lower=1.0, upper=1.0)
    """
    known = np.isfinite(values)
    if not known.any() or not len(draws):
        return Interval(np.nan, np.nan, np.nan, np.nan)
    filled = np.where(known, values, 0.0)
    sizes = draws.sum(axis=1) if known.all() else draws @ known.astype(draws.dtype)
    means = (draws @ filled) / np.maximum(sizes, 1)
    lower, upper = np.quantile(means, [0.025, 0.975])
    return Interval(float(values[known].mean()), float(means.std(ddof=1)) if len(means) > 1 else 0.0, float(lower), float(upper))


def difference_of(values: FloatArray, others: FloatArray, draws: FloatArray) -> Interval:
    """Return the paired difference of two recommenders over the same customers, with its interval."""
    return interval_of(values - others, draws)


def random_expectation(wanted: Any, n_choices: IntArray, length: int) -> dict[str, float]:
    """Return what lists drawn at random from the choices of each customer would score on average.

    Parameters
    ----------
    n_choices : shape (n_customers,)
        Items of the view that could be listed for each customer.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> random_expectation(csr_matrix([[1, 0, 0, 0]]), np.array([4]), 2)["recall"]
    0.5
    """
    n_wanted = np.diff(wanted.tocsr().indptr).astype(np.float64)
    choices = np.maximum(n_choices.astype(np.float64), 1)
    chance = np.minimum(n_wanted / choices, 1.0)
    shown = np.minimum(length, choices)
    discount = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, length + 2)))])
    gained = chance * discount[shown.astype(np.int64)]
    best = discount[np.minimum(n_wanted, length).astype(np.int64)]
    return {
        "ndcg": float(np.mean(gained / np.maximum(best, 1e-12))) if len(n_wanted) else np.nan,
        "recall": float(np.mean(shown / choices)) if len(n_wanted) else np.nan,
        "hit_rate": float(np.mean(1 - (1 - chance) ** shown)) if len(n_wanted) else np.nan,
    }


@dataclass(frozen=True)
class Row:
    """Figures of one recommender in one view at one day.

    Attributes
    ----------
    n : int
        Customers who bought before and, of the view, in the window.
    figures, errors : measure -> mean over customers, bootstrap standard error
    lower, upper : measure -> 95 % interval of the mean
    versus : measure -> paired difference to popularity with its interval
    lift, lift_random : NDCG over that of popularity, and over that of lists drawn at random
    """

    as_of: str
    view: str
    candidate: str
    n: int
    figures: Mapping[str, float]
    errors: Mapping[str, float]
    lower: Mapping[str, float]
    upper: Mapping[str, float]
    versus: Mapping[str, Interval]
    lift: float
    lift_random: float

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values; what is not a number is null."""
        return {
            "as_of": self.as_of,
            "view": self.view,
            "candidate": self.candidate,
            "n": self.n,
            "figures": _plain(self.figures),
            "errors": _plain(self.errors),
            "lower": _plain(self.lower),
            "upper": _plain(self.upper),
            "versus_popularity": {name: _plain(asdict(one)) for name, one in self.versus.items()},
            "lift_over_popularity": _finite(self.lift),
            "lift_over_random": _finite(self.lift_random),
            "lift_over_random_interval": [_finite(value) for value in self.span_over_random()],
        }

    def span_over_random(self) -> tuple[float, float]:
        """Return the 95 % interval of the lift over lists drawn at random, whose mean is known exactly."""
        mean = self.figures["ndcg"]
        per_unit = self.lift_random / mean if mean > 0 else np.nan
        return self.lower["ndcg"] * per_unit, self.upper["ndcg"] * per_unit


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def compare(
    as_of: str,
    view: str,
    found: Mapping[str, ListFigures],
    popularity: str,
    random: Mapping[str, float],
    draws: FloatArray,
) -> list[Row]:
    """Return a row per recommender, best NDCG first; all lists are of the same customers.

    Parameters
    ----------
    found : recommender -> its figures; `popularity` names the one that lifts are over
    random : from `random_expectation`
    """
    rows = []
    usual = found[popularity]
    for name, one in found.items():
        spans = {measure: interval_of(values, draws) for measure, values in one.per_customer.items()}
        versus = {
            measure: difference_of(one.per_customer[measure], usual.per_customer[measure], draws)
            for measure in ("ndcg", "recall")
        }
        ndcg, base = spans["ndcg"].mean, float(np.mean(usual.per_customer["ndcg"])) if draws.shape[1] else np.nan
        rows.append(
            Row(
                as_of,
                view,
                name,
                draws.shape[1],
                one.means(),
                {measure: span.error for measure, span in spans.items()},
                {measure: span.lower for measure, span in spans.items()},
                {measure: span.upper for measure, span in spans.items()},
                versus,
                ndcg / base if base > 0 else np.nan,
                ndcg / random["ndcg"] if random["ndcg"] > 0 else np.nan,
            )
        )
    return sorted(rows, key=lambda row: (-row.figures["ndcg"], row.candidate))
