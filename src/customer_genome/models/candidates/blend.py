"""A blend of fitted candidates: chances averaged as log-odds, money as money.

Comes in: fitted candidates and their weights. Goes out: one forecast, and what each fact adds to its log-odds, which are the weighted
contributions of the members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.contract import Contributions, Expected, Fitted, Known, packed
from customer_genome.models.candidates.inputs import chance_of, log_odds
from customer_genome.models.candidates.learned import by_fact
from customer_genome.models.estimator import Array


@dataclass(frozen=True)
class Blended:
    """Fitted members by name, and the weight of each in the log-odds and in the money; weights add up to 1."""

    members: Mapping[str, Fitted]
    odds_weights: Mapping[str, float]
    spend_weights: Mapping[str, float]

    def forecast(self, known: Known) -> Expected:
        """Return the blend of what the members expect; ranges are those of the first member that has some."""
        found = {name: member.forecast(known) for name, member in self.members.items()}
        odds, spend = np.zeros(len(known)), np.zeros(len(known))
        for name, expected in found.items():
            if expected.chance is not None and self.odds_weights.get(name, 0.0) != 0.0:
                odds += self.odds_weights[name] * log_odds(expected.chance)
            if expected.spend is not None and self.spend_weights.get(name, 0.0) != 0.0:
                spend += self.spend_weights[name] * expected.spend
        ranged = next((one for one in found.values() if one.lower is not None and one.upper is not None), Expected())
        return Expected(np.maximum(spend, 0.0), chance_of(odds), ranged.lower, ranged.upper)

    def contributions(self, known: Known) -> Contributions:
        """Return the weighted contributions of the members to the log-odds."""
        names: list[str] = []
        columns: list[Array] = []
        base = 0.0
        for name, member in self.members.items():
            weight = self.odds_weights.get(name, 0.0)
            if weight == 0.0:
                continue
            found = member.contributions(known)
            if found is None:
                chance = member.forecast(known).chance
                odds = log_odds(chance) if chance is not None else np.zeros(len(known))
                found = Contributions((name,), odds[:, None], 0.0)
            names.extend(found.names)
            columns.append(weight * found.values)
            base += weight * found.base
        return by_fact(names, np.hstack(columns), base)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return every member and the weights."""
        names = list(self.members)
        parts = {f"member{place}": member.to_arrays() for place, member in enumerate(self.members.values())}
        return {
            **packed(parts),
            "members": np.array(names, dtype=np.str_),
            "odds_weights": np.array([self.odds_weights.get(name, 0.0) for name in names]),
            "spend_weights": np.array([self.spend_weights.get(name, 0.0) for name in names]),
        }
