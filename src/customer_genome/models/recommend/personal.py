"""Personal history: what the customer bought before, lately more than long ago, and what similar customers did.

Comes in: interactions. Goes out: scores from own decayed shares (`PersonalDecay`) and from the shares of the nearest customers
added to them (`UserNeighbours`; Faggioli, Polato and Aiolli 2020, "Recency aware collaborative filtering for next basket
recommendation", with days decayed instead of a window of baskets). Neighbours are looked for among a bounded number of customers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from customer_genome.models.recommend.contract import (
    Fitted,
    FloatArray,
    IntArray,
    Interactions,
    Recommender,
    Scores,
    batches_of,
    dense,
    normalised,
)
from customer_genome.models.recommend.lists import best_of
from customer_genome.models.recommend.popularity import recent_shares

TIE = 1e-4
"""Weight of popularity where personal scores are equal, as for everything never bought."""
MOST_NEIGHBOURS_FROM = 20_000


@dataclass(frozen=True)
class FittedPersonal(Fitted):
    """Own shares plus a trace of popularity."""

    own: Any
    popular: FloatArray
    half_life_days: float

    def for_others(self, known: Interactions, learned: IntArray) -> FittedPersonal:
        """Return the same for the histories of others."""
        return FittedPersonal(normalised(known.decayed(self.half_life_days)), self.popular, self.half_life_days)

    def scores(self, customers: IntArray) -> Scores:
        """Return own shares; ties go by popularity."""
        return dense(self.own[customers]) + np.float32(TIE) * self.popular.astype(np.float32)


class PersonalDecay(Recommender):
    """Own purchase days per item, decayed."""

    name = "personal frequency"

    def __init__(self, half_life_days: float = 180.0) -> None:
        self.half_life_days = half_life_days
        self.about = f"what the customer bought most often, a purchase counting half as much after {half_life_days:g} days"

    def fit(self, known: Interactions) -> FittedPersonal:
        """Add up."""
        return FittedPersonal(normalised(known.decayed(self.half_life_days)), recent_shares(known, 30), self.half_life_days)


@dataclass(frozen=True)
class FittedNeighbours(Fitted):
    """Shares of all customers, and those of the customers among whom neighbours are looked for (`other_units` by item)."""

    own: Any
    unit: Any
    others: Any
    other_units: Any
    other_places: IntArray
    places: IntArray
    rarity: FloatArray
    popular: FloatArray
    half_life_days: float
    n_neighbours: int
    own_weight: float
    locality: float

    def for_others(self, known: Interactions, learned: IntArray) -> FittedNeighbours:
        """Return the same neighbours for the histories of others."""
        weights = known.decayed(self.half_life_days)
        unit = normalised(_damped(weights, self.rarity), 2.0)
        return replace(self, own=normalised(weights), unit=unit, places=learned)

    def scores(self, customers: IntArray) -> Scores:
        """Return own shares times their weight, the weighted mean of the neighbours' shares, and a trace of popularity."""
        found = np.empty((len(customers), self.own.shape[1]), dtype=np.float32)
        for part in batches_of(customers, max(found.shape[1], len(self.other_places))):
            found[part] = dense(self._nearest(customers[part]) @ self.others)
            if self.own_weight:
                found[part] += np.float32(self.own_weight) * dense(self.own[customers[part]])
        return np.asarray(found + np.float32(TIE) * self.popular.astype(np.float32))

    def _nearest(self, customers: IntArray) -> Any:
        """Return the weights of each customer's neighbours, which add up to 1: sparse, shape (len(customers), n_others)."""
        from scipy.sparse import csr_matrix

        likeness = dense(self.unit[customers] @ self.other_units)
        mine = self.places[customers]
        at = np.minimum(np.searchsorted(self.other_places, mine), max(len(self.other_places) - 1, 0))
        rows = np.flatnonzero(self.other_places[at] == mine) if len(self.other_places) else np.zeros(0, np.int64)
        likeness[rows, at[rows]] = 0  # nobody is their own neighbour
        likeness[likeness <= 0] = -np.inf
        best, values = best_of(likeness, min(self.n_neighbours, likeness.shape[1]))
        weights = np.where(best >= 0, values, 0).astype(np.float64) ** self.locality
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        held = best >= 0
        ends = np.concatenate([[0], np.cumsum(held.sum(axis=1))])
        return csr_matrix((weights[held].astype(np.float32), best[held], ends), shape=likeness.shape)


class UserNeighbours(Recommender):
    """Own share and the shares of similar customers; own weight 0 leaves the neighbours alone."""

    def __init__(
        self,
        half_life_days: float = 180.0,
        n_neighbours: int = 300,
        own_weight: float = 1.0,
        locality: float = 1.0,
        name: str = "personal and similar customers",
    ) -> None:
        self.half_life_days, self.n_neighbours = half_life_days, n_neighbours
        self.own_weight, self.locality, self.name = own_weight, locality, name
        own = "what the customer bought, and " if own_weight else ""
        self.about = f"{own}what the {n_neighbours} most similar customers bought"

    def fit(self, known: Interactions) -> FittedNeighbours:
        """Keep the shares; neighbours come from the customers with most purchases where there are many."""
        own = normalised(known.decayed(self.half_life_days))
        rarity = np.log((1 + known.n_customers) / (1 + known.n_buyers))
        unit = normalised(_damped(known.decayed(self.half_life_days), rarity), 2.0)
        sizes = known.histories()
        some = np.flatnonzero(sizes > 0)
        if len(some) > MOST_NEIGHBOURS_FROM:
            some = np.sort(some[np.argsort(-sizes[some], kind="stable")[:MOST_NEIGHBOURS_FROM]])
        popular = recent_shares(known, 30)
        return FittedNeighbours(
            own,
            unit,
            own[some],
            unit[some].T.tocsr(),
            some,
            np.arange(known.n_customers),
            rarity,
            popular,
            self.half_life_days,
            self.n_neighbours,
            self.own_weight,
            self.locality,
        )


def _damped(weights: Any, rarity: FloatArray) -> Any:
    """Return purchase weights with the rarer item counting more: square root of purchases times inverse buyer frequency."""
    from scipy.sparse import diags

    return (weights.sqrt() @ diags(rarity.astype(np.float32))).tocsr()
