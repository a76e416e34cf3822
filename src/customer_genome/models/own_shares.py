"""What recency, frequency and tenure each add to what the purchase model says: exact Shapley values of a function of three facts.

Comes in: a function from histories to the chance to order, and a typical history. Goes out: what each of the three facts adds to the
log-odds, adding up to the customer's log-odds less the typical one's; and contributions in which the share of the purchase model is
handed to these facts. Row by row; the model is asked once per different history.

Source
------
Shapley (1953); Lundberg & Lee (2017), NeurIPS, for one typical customer as the background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np

from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.season import Clock
from customer_genome.models.candidates.contract import Contributions
from customer_genome.models.candidates.inputs import OWN_ODDS, log_odds
from customer_genome.models.candidates.learned import by_fact
from customer_genome.models.candidates.purchase_models import OwnForecast
from customer_genome.models.estimator import Array

FACTS = ("n_purchase_days", "recency_days", "tenure_days")
ChanceOf = Callable[[Array, Array, Array], Array]
"""(purchase days, recency in days, tenure in days), each of shape (n,), to the chance to order."""
_NEAR = 0.05
"""Log-odds this near to the typical ones say nothing about how strongly another model leans on them."""


@dataclass(frozen=True)
class Typical:
    """A typical customer: purchase days, days since the last and since the first order."""

    n_purchase_days: float
    recency_days: float
    tenure_days: float

    @classmethod
    def of(cls, n_purchase_days: Array, recency_days: Array, tenure_days: Array) -> Typical:
        """Return the medians of customers, as whole days."""
        found = [float(np.floor(np.median(one))) if len(one) else 1.0 for one in (n_purchase_days, recency_days, tenure_days)]
        return cls(*found)

    def as_tuple(self) -> tuple[float, float, float]:
        """Return the values in the order of FACTS."""
        return (self.n_purchase_days, self.recency_days, self.tenure_days)


@dataclass(frozen=True)
class PurchaseChance:
    """What the purchase model says of histories at a cutoff, called as `ChanceOf`."""

    purchases: PurchaseModel
    clock: Clock
    as_of: int
    horizon_days: int

    def __call__(self, n_days: Array, recency: Array, tenure: Array) -> Array:
        """Return the chance to order within the horizon, shape (n,)."""
        found = np.empty(len(n_days))
        for part in self.clock.parts(self.as_of, n_days - 1, tenure - recency, tenure - 1):
            horizon = float(part.times([self.horizon_days])[0])
            found[part.rows] = self.purchases.probability_of_order(part.frequency, part.recency, part.age, horizon)
        return np.clip(found, 0.0, 1.0)


def history_shares(chance_of: ChanceOf, facts: Sequence[Array], own_chance: Array, typical: Typical) -> Contributions:
    """Return the Shapley values of purchase days, recency and tenure.

    Parameters
    ----------
    facts : purchase days, recency and tenure of the customers, each of shape (n_customers,)
    own_chance : array, shape (n_customers,), 0..1
        What `chance_of` says of them; given, because it is known already.
    """
    n = len(own_chance)
    reference = typical.as_tuple()
    players = range(len(FACTS))
    worth: dict[tuple[int, ...], Array] = {tuple(players): log_odds(own_chance)}
    base = log_odds(_asked(chance_of, [np.array([value]) for value in reference]))
    worth[()] = np.full(n, float(base[0]))
    for size in (1, 2):
        for coalition in combinations(players, size):
            mixed = [facts[one] if one in coalition else np.full(n, reference[one]) for one in players]
            worth[coalition] = log_odds(_asked(chance_of, mixed))
    values = np.zeros((n, len(FACTS)))
    for player in players:
        for coalition in (one for one in worth if player not in one):
            weight = factorial(len(coalition)) * factorial(len(FACTS) - len(coalition) - 1) / factorial(len(FACTS))
            joined = tuple(sorted((*coalition, player)))
            values[:, player] += weight * (worth[joined] - worth[coalition])
    once = (facts[0] <= 1) & (facts[1] == facts[2])  # the first order is the last: one fact, not two
    values[once, 1] += values[once, 2]
    values[once, 2] = 0.0
    return Contributions(FACTS, values, float(base[0]))


def _asked(chance_of: ChanceOf, facts: Sequence[Array]) -> Array:
    """Return the chance of histories, each different one asked once; a mixture that cannot be is brought to the nearest that can."""
    n_days, recency, tenure = np.maximum(facts[0], 1.0), np.maximum(facts[1], 1.0), np.maximum(facts[2], 1.0)
    recency = np.minimum(recency, tenure)
    recency = np.where(n_days <= 1, tenure, np.minimum(recency, np.maximum(tenure - (n_days - 1), 1.0)))
    rows = np.column_stack([n_days, recency, tenure])
    span = rows.max(axis=0) + 1 if len(rows) else np.ones(3)
    code = (rows[:, 0] * span[1] + rows[:, 1]) * span[2] + rows[:, 2]
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return chance_of(*rows[first].T)[place.reshape(-1)] if len(rows) else np.empty(0)


def handed_to_facts(found: Contributions, own: Contributions, own_weight: float, own_chance: Array) -> Contributions:
    """Return contributions in which purchase days, recency and tenure carry what the purchase model had.

    Parameters
    ----------
    found : of a forecaster that blends the purchase model in, directly (`OwnForecast.name`) or as an input (`OWN_ODDS`)
    own : from `history_shares`
    own_weight : float
        What the log-odds of the purchase model count for in the blend.
    own_chance : array, shape (n_customers,), 0..1

    Notes
    -----
    The direct part is linear, so its Shapley values are exact. A tree's part of the input is handed on in the proportion of the three
    facts as far as it leans on it in their direction, and by their size as to the rest.
    """
    names, columns, base = list(found.names), [found.values], found.base
    drop = []
    if OwnForecast.name in names:
        drop.append(names.index(OwnForecast.name))
        columns.append(own_weight * own.values)
        names += own.names
        base += own_weight * own.base
    if OWN_ODDS in names:
        place = names.index(OWN_ODDS)
        drop.append(place)
        columns.append(_in_proportion(found.values[:, place], own.values, log_odds(own_chance) - own.base))
        names += own.names
    kept = [place for place in range(len(names)) if place not in drop]
    return by_fact([names[place] for place in kept], np.hstack(columns)[:, kept], base)


def _in_proportion(given: Array, shares: Array, distance: Array) -> Array:
    """Return what each share gets of what is given; rows add up to it."""
    far = np.abs(distance) > _NEAR
    lean = np.where(far, np.clip(given / np.where(far, distance, 1.0), 0.0, 1.0), 0.0)
    size = np.abs(shares)
    total = size.sum(axis=1)
    equal = np.full_like(shares, 1.0 / shares.shape[1])
    part = np.where(total[:, None] > 0, size / np.where(total > 0, total, 1.0)[:, None], equal)
    rest = given - lean * shares.sum(axis=1)
    return np.asarray(lean[:, None] * shares + rest[:, None] * part, dtype=np.float64)
