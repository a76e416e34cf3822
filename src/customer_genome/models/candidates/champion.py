"""The champion: the forecaster that scores every customer, chosen, calibrated and frozen.

Comes in: customers as known at a cutoff, and earlier cutoffs whose horizon has ended. Goes out: a `Champion`, which forecasts row by
row, says what each fact contributes, and can be stored as plain arrays. Nothing at or after the cutoff is seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.candidates.blend import Blended
from customer_genome.models.candidates.boosted import LightGBMHurdle
from customer_genome.models.candidates.contract import Candidate, Contributions, Expected, Fitted, Known, Past, unpacked
from customer_genome.models.candidates.inputs import chance_of, log_odds
from customer_genome.models.candidates.learned import SEED, by_fact
from customer_genome.models.candidates.linear import LinearHurdle
from customer_genome.models.candidates.purchase_models import OwnForecast
from customer_genome.models.estimator import Arrays

SHIPPED: tuple[Candidate, ...] = (OwnForecast(), LinearHurdle(), LightGBMHurdle())
"""Who may become (part of) the champion of a run."""
PRIOR = {OwnForecast.name: 0.5, LinearHurdle.name: 0.25, LightGBMHurdle.name: 0.25}
FORMAT = 1


@dataclass(frozen=True)
class Champion(Fitted):
    """A frozen, fitted and calibrated forecaster.

    Attributes
    ----------
    blended : the members and their weights
    odds_line : intercept and slope that turn the log-odds of the blend into calibrated ones
    spend_factor : what expected money is multiplied by
    features : names of the facts it needs, in order
    words : why this one, in plain words
    figures : what the choice was made by, for the card
    held_out : name -> array, shape (n,)
        The out-of-time forecasts and outcomes behind all this: chance, spend, lower, upper, spend_true, ordered, n_purchase_days,
        tenure_days. Empty where history is too short for any.
    """

    blended: Blended
    odds_line: tuple[float, float]
    spend_factor: float
    features: tuple[str, ...]
    words: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    held_out: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def forecast(self, known: Known) -> Expected:
        """Return spend, chance and an 80 % range of every customer, with lower <= spend <= upper, row by row."""
        found = self.blended.forecast(known)
        if found.spend is None or found.chance is None or found.lower is None or found.upper is None:
            raise RegistryError("Champion: the own forecast is missing. Wanted: Known(own=...) with spend, chance and range.")
        intercept, slope = self.odds_line
        spend = found.spend * self.spend_factor
        chance = chance_of(intercept + slope * log_odds(found.chance))
        return Expected(spend, chance, np.minimum(found.lower, spend), np.maximum(found.upper, spend))

    def contributions(self, known: Known) -> Contributions:
        """Return what each fact adds to the calibrated log-odds to order: base + the sum of a row are its log-odds."""
        found = self.blended.contributions(known)
        intercept, slope = self.odds_line
        return by_fact(found.names, slope * found.values, intercept + slope * found.base)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything as plain arrays."""
        return {
            **self.blended.to_arrays(),
            "format": np.array(FORMAT),
            "odds_line": np.array(self.odds_line),
            "spend_factor": np.array(self.spend_factor),
            "features": np.array(self.features, dtype=np.str_),
            "words": np.array(self.words, dtype=np.str_),
            "figures": np.array(json.dumps(self.figures)),
            **{f"held_out/{name}": values for name, values in self.held_out.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the champion that was stored.

        Raises
        ------
        RegistryError
            Where arrays are missing or a member is of a kind that this version does not know.
        """
        forms = {one.name: one.form for one in SHIPPED}
        members = {}
        for place, name in enumerate(str(one) for one in arrays["members"]):
            if name not in forms:
                raise RegistryError(f"Stored champion: member {name!r} is unknown. Wanted: {', '.join(forms)}. Run `genome run`.")
            members[name] = forms[name].from_arrays(unpacked(arrays, f"member{place}"))
        odds, spend = (dict(zip(members, map(float, arrays[name]), strict=True)) for name in ("odds_weights", "spend_weights"))
        prefix = "held_out/"
        held_out = {name[len(prefix) :]: values for name, values in arrays.items() if name.startswith(prefix)}
        intercept, slope = (float(value) for value in arrays["odds_line"])
        features, words = (tuple(str(text) for text in arrays[name]) for name in ("features", "words"))
        figures = json.loads(str(arrays["figures"]))
        factor = float(arrays["spend_factor"])
        return cls(Blended(members, odds, spend), (intercept, slope), factor, features, words, figures, held_out)


def choose_champion(now: Known, past: Sequence[Past], *, candidates: Sequence[Candidate] = SHIPPED, seed: int = SEED) -> Champion:
    """Return the forecaster of the customers of `now`, learned from earlier cutoffs.

    Parameters
    ----------
    now : with `own` filled
    past : earlier cutoffs, oldest first, whose whole horizon ended at or before `now.as_of`, each with `known.own` filled

    Raises
    ------
    RegistryError
        Where the own forecast of `now` is missing.
    """
    if now.own is None:
        raise RegistryError("Champion: the own forecast is missing. Wanted: Known(own=...) with spend, chance and range.")
    usable = [one for one in past if one.known.own is not None]
    members = {one.name: found for one in candidates if (found := one.fit(now, usable)) is not None}
    total = sum(PRIOR[name] for name in members)
    weights = {name: PRIOR[name] / total for name in members}
    if len(members) > 1:
        words = (f"The forecast is a blend: {', '.join(f'{name} {weight:.0%}' for name, weight in weights.items())}.",)
    else:
        words = ("No earlier horizon has ended yet, so the forecast is that of the purchase and spend models.",)
    figures = {"weights": {"orders": weights, "spend": weights}, "learned_from": [one.known.as_of for one in usable]}
    return Champion(Blended(members, weights, weights), (0.0, 1.0), 1.0, tuple(now.facts), words, figures)


class ChampionForecast(Candidate):
    """What a run publishes: the champion chosen at the cutoff from what was known then."""

    name, kind, form = "champion", "model", Champion
    about = "what a run publishes: the blend chosen and calibrated at each cutoff by earlier forecasts"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return the champion, None where the own forecast is not known."""
        return None if now.own is None else choose_champion(now, past)
