"""Items that go together: item-item neighbours and EASE, and the factors of alternating least squares.

Comes in: interactions. Goes out: scores from what the customer owns. `Ease` (Steck 2019, "Embarrassingly shallow autoencoders for
sparse data") inverts a matrix as wide as its items and is capped by buyers; `Als` is the one of the optional library `implicit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from customer_genome.errors import SettingsError
from customer_genome.models.recommend.contract import (
    Fitted,
    IntArray,
    Interactions,
    Recommender,
    Scores,
    dense,
    normalised,
    one_thread,
)

IMPLICIT_MISSING = (
    'The factor model needs the library implicit, which is not installed. Install it with: pip install "customer-genome[recommend]"; '
    "every other recommender works without it."
)


def weights_of(known: Interactions, half_life_days: float) -> Any:
    """Return what a customer's history counts: 1 for an item bought often or lately, less for one bought once long ago."""
    found = known.decayed(half_life_days)
    found.data = np.log1p(found.data * 4).astype(np.float32)
    return found


@dataclass(frozen=True)
class FittedItems(Fitted):
    """A matrix of what one item says about another, over the kept items."""

    history: Any
    strength: Any
    places: IntArray
    n_items: int
    half_life_days: float

    def for_others(self, known: Interactions, learned: IntArray) -> FittedItems:
        """Return the same matrix for the histories of others."""
        history = weights_of(known, self.half_life_days)
        kept = history if len(self.places) == self.n_items else history[:, self.places].tocsr()
        return FittedItems(kept, self.strength, self.places, self.n_items, self.half_life_days)

    def scores(self, customers: IntArray) -> Scores:
        """Return history times strength; items that were left out get 0."""
        with one_thread():
            found = np.asarray(dense(self.history[customers] @ self.strength))
        if len(self.places) == self.n_items:
            return found
        whole = np.zeros((len(customers), self.n_items), dtype=np.float32)
        whole[:, self.places] = found
        return whole


class ItemNeighbours(Recommender):
    """Cosine or BM25 between items by their buyers, each item keeping its nearest ones."""

    def __init__(self, n_neighbours: int = 100, bm25: bool = False, half_life_days: float = 365.0) -> None:
        self.n_neighbours, self.bm25, self.half_life_days = n_neighbours, bm25, half_life_days
        self.name = "items alike, BM25" if bm25 else "items alike, cosine"
        self.about = f"items bought by the same customers as what this one bought; the {n_neighbours} nearest of each item"

    def fit(self, known: Interactions) -> FittedItems:
        """Compare items by their buyers."""
        by_item = (bm25(known.days) if self.bm25 else known.owned).T.tocsr()
        if not self.bm25:
            by_item = normalised(by_item, 2.0)
        nearest = nearest_items(by_item, self.n_neighbours)
        history, everything = weights_of(known, self.half_life_days), np.arange(known.n_items)
        return FittedItems(history, nearest.T.tocsr(), everything, known.n_items, self.half_life_days)


def bm25(matrix: Any, k1: float = 1.2, b: float = 0.75) -> Any:
    """Return purchases weighted as words in documents: many purchases count less and less, large customers are damped."""
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    mean = max(float(sizes.mean()), 1e-12)
    buyers = np.bincount(matrix.indices, minlength=matrix.shape[1])
    rarity = np.log1p(matrix.shape[0] / np.maximum(buyers, 1))
    found = matrix.copy()
    damp = np.repeat(k1 * (1 - b + b * sizes / mean), np.diff(matrix.indptr))
    found.data = (found.data * (k1 + 1) / (found.data + damp) * rarity[found.indices]).astype(np.float32)
    return found


def nearest_items(by_item: Any, n_neighbours: int, rows: int = 512) -> Any:
    """Return the largest products of each row with the others: sparse, shape (n_items, n_items), nothing on the diagonal."""
    from scipy.sparse import csr_matrix, vstack

    parts = []
    transposed = by_item.T.tocsr()
    for start in range(0, by_item.shape[0], rows):
        likeness = dense(by_item[start : start + rows] @ transposed)
        n = len(likeness)
        likeness[np.arange(n), start + np.arange(n)] = 0
        count = min(n_neighbours, likeness.shape[1])
        best = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(likeness, best, axis=1)
        part = csr_matrix((values.ravel(), (np.repeat(np.arange(n), count), best.ravel())), shape=likeness.shape)
        part.eliminate_zeros()
        parts.append(part)
    return vstack(parts).tocsr() if parts else csr_matrix(by_item.shape)


class Ease(Recommender):
    """A linear model of each item on all others, in closed form; over the items with most buyers."""

    name = "EASE"

    def __init__(self, most_items: int = 4000, penalty: float = 300.0, half_life_days: float = 365.0) -> None:
        self.most_items, self.penalty, self.half_life_days = most_items, penalty, half_life_days
        self.about = f"a linear model of each item on all others, over the {most_items:,} items with most buyers"

    def fit(self, known: Interactions) -> FittedItems:
        """Invert the matrix of items bought by the same customers."""
        from scipy.linalg.lapack import spotrf, spotri

        order = np.lexsort((np.arange(known.n_items), -known.n_buyers))
        kept = np.sort(order[: self.most_items][known.n_buyers[order[: self.most_items]] > 0])
        history = weights_of(known, self.half_life_days)[:, kept].tocsr()
        if not len(kept):
            return FittedItems(history, np.zeros((0, 0), np.float32), kept, known.n_items, self.half_life_days)
        plain = known.owned[:, kept].tocsr()
        gram = np.asarray((plain.T @ plain).toarray(order="F"), dtype=np.float32)  # whole numbers: exact
        gram[np.diag_indices_from(gram)] += np.float32(self.penalty)
        with one_thread():  # single precision is enough: the penalty keeps the matrix far from singular
            factor, wrong = spotrf(gram, lower=1, overwrite_a=1)
            inverse, also_wrong = spotri(factor, lower=1, overwrite_c=1)
        if wrong or also_wrong:
            raise np.linalg.LinAlgError(f"EASE: the matrix of {len(kept):,} items is not positive definite")
        inverse = np.tril(inverse)
        strength = -(inverse + np.tril(inverse, -1).T) / np.diag(inverse)[None, :]
        np.fill_diagonal(strength, 0.0)
        return FittedItems(history, strength.astype(np.float32), kept, known.n_items, self.half_life_days)


@dataclass(frozen=True)
class FittedFactors(Fitted):
    """Factors of customers and items."""

    customers: Scores
    items: Scores
    penalty: float
    alpha: float

    def for_others(self, known: Interactions, learned: IntArray) -> FittedFactors:
        """Return factors of others, folded in: the step that the fit repeats, solved for them with the items as they are."""
        return FittedFactors(fold_in(known.days, self.items, self.penalty, self.alpha), self.items, self.penalty, self.alpha)

    def scores(self, customers: IntArray) -> Scores:
        """Return the products; customers without history have zero factors and get zeros."""
        with one_thread():
            return np.asarray(self.customers[customers] @ self.items.T, dtype=np.float32)


class Als(Recommender):
    """Alternating least squares on implicit feedback, through `implicit`."""

    name = "ALS"

    def __init__(
        self,
        factors: int = 64,
        penalty: float = 10.0,
        alpha: float = 1.0,
        iterations: int = 15,
        half_life_days: float = 365.0,
        seed: int = 7,
    ) -> None:
        self.factors, self.penalty, self.alpha = factors, penalty, alpha
        self.iterations, self.half_life_days, self.seed = iterations, half_life_days, seed
        self.about = f"{factors} factors of customers and items by alternating least squares"

    def fit(self, known: Interactions) -> FittedFactors:
        """Fit on one thread.

        Raises
        ------
        SettingsError
            When `implicit` is not installed.
        """
        try:
            from implicit.cpu.als import AlternatingLeastSquares
        except ImportError as err:
            raise SettingsError(IMPLICIT_MISSING) from err
        with one_thread():
            model = AlternatingLeastSquares(
                factors=min(self.factors, max(1, known.n_items - 1)),
                regularization=self.penalty,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=self.seed,
                num_threads=1,
            )
            model.fit(known.days, show_progress=False)
        users = np.array(model.user_factors, dtype=np.float32)
        users[known.histories() == 0] = 0
        items = np.array(model.item_factors, dtype=np.float32)
        items[known.n_buyers == 0] = 0
        return FittedFactors(users, items, self.penalty, self.alpha)


def fold_in(days: Any, items: Scores, penalty: float, alpha: float) -> Scores:
    """Return the factors of customers by least squares, given those of items; none bought, none.

    Source
    ------
    Hu, Koren & Volinsky (2008), Collaborative filtering for implicit feedback datasets, eq. 4; confidence alpha times purchase days.
    """
    found = np.zeros((days.shape[0], items.shape[1]), dtype=np.float32)
    with one_thread():
        gram = items.T @ items + np.float32(penalty) * np.eye(items.shape[1], dtype=np.float32)
        for row in np.flatnonzero(np.diff(days.indptr)):
            mine = slice(days.indptr[row], days.indptr[row + 1])
            bought, confidence = items[days.indices[mine]], np.float32(alpha) * days.data[mine]
            found[row] = np.linalg.solve(gram + (bought.T * (confidence - 1)) @ bought, confidence @ bought)
    return found
