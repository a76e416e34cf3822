"""A blend of fitted candidates: chances averaged as log-odds, money as money.

Comes in: fitted candidates and their weights. Goes out: one forecast, and what each fact adds to its log-odds, which are the weighted
contributions of the members.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.candidates.contract import Contributions, Fitted, Known, packed, unpacked
from customer_genome.models.candidates.inputs import SURE, log_odds
from customer_genome.models.candidates.learned import by_fact
from customer_genome.models.estimator import Array, Arrays


@dataclass(frozen=True)
class Blended:
    """Fitted members by name, and what the log-odds and the money of each are multiplied by; absent = 0."""

    members: Mapping[str, Fitted]
    odds_weights: Mapping[str, float]
    spend_weights: Mapping[str, float]

    def forecast(self, known: Known) -> tuple[Array, Array]:
        """Return the blended log-odds to order and the blended money, each of shape (n_customers,)."""
        odds, spend = np.zeros(len(known)), np.zeros(len(known))
        for name, member in self.members.items():
            of_odds, of_spend = self.odds_weights.get(name, 0.0), self.spend_weights.get(name, 0.0)
            if of_odds == 0 and of_spend == 0:
                continue
            expected = member.forecast(known)
            if expected.chance is not None and of_odds != 0:
                odds += of_odds * log_odds(expected.chance)
            if expected.spend is not None and of_spend != 0:
                spend += of_spend * expected.spend
        return odds, np.maximum(spend, 0.0)

    def contributions(self, known: Known) -> Contributions:
        """Return the weighted contributions of the members to the log-odds; a member that cannot tell has one column in its name."""
        names: list[str] = []
        columns: list[Array] = [np.zeros((len(known), 0))]
        base = 0.0
        for name, member in self.members.items():
            weight = self.odds_weights.get(name, 0.0)
            if weight == 0:
                continue
            found = member.contributions(known)
            if found is None:
                chance = member.forecast(known).chance
                odds = log_odds(chance) if chance is not None else np.zeros(len(known))
                found = Contributions((name,), odds[:, None], 0.0)
            found = _held_back(found)
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

    @classmethod
    def from_arrays(cls, arrays: Arrays, forms: Mapping[str, type[Fitted]]) -> Self:
        """Return the blend that was stored.

        Raises
        ------
        RegistryError
            Where arrays are missing or a member is of a kind that this version does not know.
        """
        missing = [name for name in ("members", "odds_weights", "spend_weights") if name not in arrays]
        if missing:
            raise RegistryError(f"Stored champion: arrays {', '.join(missing)} are missing. Fit it again with `genome run`.")
        members: dict[str, Fitted] = {}
        for place, name in enumerate(str(one) for one in arrays["members"]):
            if name not in forms:
                raise RegistryError(
                    f"Stored champion: member {name!r} is unknown. Wanted: {', '.join(forms)}. Fit it again with `genome run`."
                )
            members[name] = forms[name].from_arrays(unpacked(arrays, f"member{place}"))
        odds, spend = (
            dict(zip(members, (float(one) for one in arrays[name]), strict=True)) for name in ("odds_weights", "spend_weights")
        )
        return cls(members, odds, spend)


def _held_back(found: Contributions) -> Contributions:
    """Return contributions of which no sum goes beyond the log-odds that `log_odds` gives at most."""
    most = float(np.log1p(-SURE) - np.log(SURE))
    total = found.values.sum(axis=1)
    odds = found.base + total
    over = np.abs(odds) > most
    if not over.any():
        return found
    factor = np.where(over, (np.clip(odds, -most, most) - found.base) / np.where(over, total, 1.0), 1.0)
    return Contributions(found.names, found.values * factor[:, None], found.base)
