"""The champion as it scores: a blend with its level, its bend and its ranges, frozen and stored as plain arrays.

Comes in: customers as known at a cutoff, with the own forecast. Goes out: spend with a range, the chance to order, and what each fact
contributes to it. Row by row: any part of the customers gives the same rows. How it is chosen is in `champion`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import RegistryError
from customer_genome.models.calibration import Bend
from customer_genome.models.candidates.blend import Blended
from customer_genome.models.candidates.contract import Contributions, Expected, Fitted, Known, packed, unpacked
from customer_genome.models.candidates.inputs import chance_of
from customer_genome.models.candidates.listed import FORMS, OWN
from customer_genome.models.conformal import Stretch, based
from customer_genome.models.estimator import Array, Arrays

FORMAT = 2
_HELD_OUT = "held_out/"


@dataclass(frozen=True)
class Champion(Fitted):
    """A frozen, fitted and calibrated forecaster.

    Attributes
    ----------
    blended : the members, and what their log-odds and money are multiplied by
    intercept : what is added to the blended log-odds
    bend : a monotone function of the log-odds after that; usually none
    stretch : what the ends of the own ranges are multiplied by
    features : names of the facts it needs, in order
    words : why this one, in plain words
    figures : what the choice was made by, for the card
    held_out : name -> array, shape (n,)
        The forecasts of earlier cutoffs and the outcomes behind all this: chance, spend, lower, upper, spend_true, ordered,
        n_purchase_days, tenure_days. Empty where history is too short for any.
    """

    blended: Blended
    intercept: float
    bend: Bend
    stretch: Stretch
    features: tuple[str, ...]
    words: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    held_out: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    @property
    def own_weight(self) -> float:
        """Return what the log-odds of the purchase model directly count for in the blend, before any bend."""
        return self.blended.odds_weights.get(OWN, 0.0)

    def forecast(self, known: Known) -> Expected:
        """Return spend, chance and an 80 % range of every customer, with lower <= spend <= upper, row by row.

        Raises
        ------
        RegistryError
            Where the own forecast or a fact is missing.
        """
        own = known.own
        if own is None or own.spend is None or own.chance is None or own.lower is None or own.upper is None:
            raise RegistryError("Champion: the own forecast is missing. Wanted: Known(own=...) with spend, chance and range.")
        odds, spend = self.blended.forecast(known)
        lower, upper = self.stretch(spend, *based(spend, own.spend, own.lower, own.upper))
        return Expected(spend, chance_of(self.bend(self.intercept + odds)), lower, upper)

    def contributions(self, known: Known) -> Contributions:
        """Return what each fact adds to the calibrated log-odds to order: base + the sum of a row are its log-odds."""
        return self.calibrated(self.blended.contributions(known))

    def calibrated(self, found: Contributions) -> Contributions:
        """Return contributions to the log-odds of the blend as contributions to the calibrated ones, each in its proportion."""
        base = found.base + self.intercept
        if self.bend.is_none:
            return Contributions(found.names, found.values, base)
        total = found.values.sum(axis=1)
        bent_base = float(self.bend(np.array([base]))[0])
        difference = self.bend(base + total) - bent_base
        far = np.abs(total) > 1e-9
        factor = np.where(far, difference / np.where(far, total, 1.0), 1.0)
        values: Array = found.values * factor[:, None]
        return Contributions(found.names, values, bent_base)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything as plain arrays."""
        return {
            **self.blended.to_arrays(),
            **packed({"stretch": self.stretch.to_arrays()}),
            "format": np.array(FORMAT),
            "intercept": np.array(self.intercept),
            "bend_at": self.bend.at,
            "bend_to": self.bend.to,
            "features": np.array(self.features, dtype=np.str_),
            "words": np.array(self.words, dtype=np.str_),
            "figures": np.array(json.dumps(self.figures)),
            **{_HELD_OUT + name: values for name, values in self.held_out.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the champion that was stored.

        Raises
        ------
        RegistryError
            Where arrays are missing, or were stored by another version.
        """
        stored = int(arrays["format"]) if "format" in arrays else 0
        if stored != FORMAT:
            raise RegistryError(
                f"Stored champion: format {stored}, and this version reads {FORMAT}. Fit it again with `genome run` (without --no-refit)."
            )
        wanted = ("intercept", "bend_at", "bend_to", "features", "words", "figures")
        missing = [name for name in wanted if name not in arrays]
        if missing:
            raise RegistryError(f"Stored champion: arrays {', '.join(missing)} are missing. Fit it again with `genome run`.")
        features, words = (tuple(str(text) for text in arrays[name]) for name in ("features", "words"))
        return cls(
            Blended.from_arrays(arrays, FORMS),
            float(arrays["intercept"]),
            Bend(np.asarray(arrays["bend_at"], dtype=np.float64), np.asarray(arrays["bend_to"], dtype=np.float64)),
            Stretch.from_arrays(unpacked(arrays, "stretch")),
            features,
            words,
            json.loads(str(arrays["figures"])),
            {name.removeprefix(_HELD_OUT): values for name, values in arrays.items() if name.startswith(_HELD_OUT)},
        )
