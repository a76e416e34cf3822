"""Ratings predicted: averages with biases, and biased matrix factorisation by alternating least squares, in NumPy.

Comes in: who rated what how, as places and numbers. Goes out: an expected rating of any customer for any item, held to the scale.
The factorisation is that of Koren, Bell and Volinsky (2009), "Matrix factorization techniques for recommender systems", each
customer's (item's) bias and factors solved at once with the others held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.contract import FloatArray, IntArray

SCALES: tuple[tuple[float, float], ...] = ((0.5, 5), (1, 5), (0, 1), (1, 7), (1, 10), (0, 10), (-10, 10), (0, 100))
"""Scales that ratings usually have, the narrower ones first."""
WITHIN = 0.98
"""Share of the ratings that must lie within their scale."""
SIZES = ((8, 0.08), (16, 0.1), (32, 0.1), (32, 0.15))
"""Factors and penalty per rating that are tried."""
SWEEPS = 8


@dataclass(frozen=True)
class Ratings:
    """Ratings by place of customer and item; `day` is days since 1970-01-01, 0 where unknown."""

    customer: IntArray
    item: IntArray
    rating: FloatArray
    day: IntArray
    n_customers: int
    n_items: int
    scale: tuple[float, float]

    def __len__(self) -> int:
        """Return the number of ratings."""
        return len(self.rating)

    def take(self, rows: npt.NDArray[np.bool_] | IntArray) -> Ratings:
        """Return some of the ratings; places stay."""
        return replace(self, customer=self.customer[rows], item=self.item[rows], rating=self.rating[rows], day=self.day[rows])


def scale_of(rating: FloatArray) -> tuple[float, float]:
    """Return the narrowest usual scale that holds nearly all ratings; their own range where none does.

    Examples
    --------
    >>> scale_of(np.array([1.0, 5.0, 3.0])), scale_of(np.array([0.5, 4.5])), scale_of(np.array([3.0, 9.0]))
    ((1, 5), (0.5, 5), (1, 10))
    """
    whole = bool(np.all(rating == np.round(rating)))
    for low, high in SCALES:
        if whole and low == 0.5:
            continue
        if np.mean((rating >= low) & (rating <= high)) >= WITHIN:
            return low, high
    return float(rating.min()), float(rating.max())


@dataclass(frozen=True)
class RatingModel:
    """Mean, biases and factors; without factors the bias-only model."""

    mean: float
    customer_bias: FloatArray
    item_bias: FloatArray
    customers: FloatArray
    items: FloatArray
    scale: tuple[float, float]

    def predict(self, customer: IntArray, item: IntArray) -> FloatArray:
        """Return expected ratings, within the scale; who or what was never rated has no bias and no factors."""
        found = self.mean + self.customer_bias[customer] + self.item_bias[item]
        found = found + np.einsum("ij,ij->i", self.customers[customer], self.items[item])
        clipped: FloatArray = np.clip(found, *self.scale)
        return clipped

    def predict_unknown(self, item: IntArray) -> FloatArray:
        """Return the ratings to expect of somebody of whom nothing is known: mean and the item's bias."""
        clipped: FloatArray = np.clip(self.mean + self.item_bias[item], *self.scale)
        return clipped


def fit_biases(known: Ratings, customer_penalty: float = 5.0, item_penalty: float = 3.0, sweeps: int = 10) -> RatingModel:
    """Return the mean with shrunken biases of customers and items, no factors."""
    mean = float(known.rating.mean())
    customer_bias, item_bias = np.zeros(known.n_customers), np.zeros(known.n_items)
    by_customer = np.bincount(known.customer, minlength=known.n_customers) + customer_penalty
    by_item = np.bincount(known.item, minlength=known.n_items) + item_penalty
    for _ in range(sweeps):
        rest = known.rating - mean - customer_bias[known.customer]
        item_bias = np.bincount(known.item, weights=rest, minlength=known.n_items) / by_item
        rest = known.rating - mean - item_bias[known.item]
        customer_bias = np.bincount(known.customer, weights=rest, minlength=known.n_customers) / by_customer
    none = np.zeros((1, 0))
    return RatingModel(
        mean, customer_bias, item_bias, np.repeat(none, known.n_customers, 0), np.repeat(none, known.n_items, 0), known.scale
    )


def fit_factors(known: Ratings, n_factors: int = 16, penalty: float = 0.08, sweeps: int = SWEEPS, seed: int = 7) -> RatingModel:
    """Return the biased factorisation.

    Parameters
    ----------
    penalty : float
        Per rating of the customer (item): who rated much is held back as much per rating as who rated little.
    """
    start = fit_biases(known)
    random = np.random.default_rng(seed)
    customers = np.zeros((known.n_customers, n_factors))
    items = random.normal(0, 0.1, (known.n_items, n_factors))
    items[np.bincount(known.item, minlength=known.n_items) == 0] = 0
    customer_bias, item_bias = start.customer_bias.copy(), start.item_bias.copy()
    groups = (_grouped(known.customer, known.n_customers), _grouped(known.item, known.n_items))
    for _ in range(sweeps):
        _solve(groups[0], known.item, known.rating - start.mean - item_bias[known.item], items, customers, customer_bias, penalty)
        _solve(
            groups[1],
            known.customer,
            known.rating - start.mean - customer_bias[known.customer],
            customers,
            items,
            item_bias,
            penalty,
        )
    return RatingModel(start.mean, customer_bias, item_bias, customers, items, known.scale)


def _grouped(place: IntArray, n: int) -> list[IntArray]:
    """Return the rows of each place."""
    order = np.argsort(place, kind="stable")
    return np.split(order, np.searchsorted(place[order], np.arange(1, n)))


def _solve(
    groups: Sequence[IntArray],
    other: IntArray,
    rest: FloatArray,
    fixed: FloatArray,
    moved: FloatArray,
    bias: FloatArray,
    penalty: float,
) -> None:
    """Solve bias and factors of every place with those of the other side held; writes into `moved` and `bias`."""
    width = fixed.shape[1] + 1
    shrink = np.eye(width)
    for place, rows in enumerate(groups):
        if not len(rows):
            continue
        known = np.column_stack([np.ones(len(rows)), fixed[other[rows]]])
        found = np.linalg.solve(known.T @ known + (penalty * len(rows) + 1.0) * shrink, known.T @ rest[rows])
        bias[place], moved[place] = found[0], found[1:]


def best_size(known: Ratings, seed: int = 7) -> tuple[int, float]:
    """Return the number of factors and the penalty that were best on a tenth of the known ratings."""
    if len(known) < 100:
        return SIZES[0]
    held = np.random.default_rng(seed).random(len(known)) < 0.1
    found = [rmse(fit_factors(known.take(~held), size, penalty, seed=seed), known.take(held)) for size, penalty in SIZES]
    return SIZES[int(np.argmin(found))]


def rmse(model: RatingModel, asked: Ratings) -> float:
    """Return the root mean squared error."""
    return float(np.sqrt(np.mean((model.predict(asked.customer, asked.item) - asked.rating) ** 2))) if len(asked) else np.nan


def mae(model: RatingModel, asked: Ratings) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(model.predict(asked.customer, asked.item) - asked.rating))) if len(asked) else np.nan


def random_folds(n: int, n_folds: int = 5, seed: int = 7) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield for each fold which rows are held out."""
    part = np.random.default_rng(seed).permutation(n) % n_folds
    for fold in range(n_folds):
        yield part == fold


def later_rows(known: Ratings, share: float = 0.2) -> npt.NDArray[np.bool_]:
    """Return which ratings are the latest of all, about `share` of them."""
    return known.day >= np.quantile(known.day, 1 - share, method="higher")
