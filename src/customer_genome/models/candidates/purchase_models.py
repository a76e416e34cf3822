"""The product's own forecast, and the textbook one beside it: BG/NBD times Gamma-Gamma in plain days.

Comes in: purchase histories and spend so far. Goes out: forecasts with intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.models.btyd.lifetime_value import lifetime_value_interval
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.candidates.contract import Candidate, Expected, Fitted, Known, Past, packed, unpacked
from customer_genome.models.estimator import Array, Arrays
from customer_genome.models.segmentation.segments import significant


class OwnForm(Fitted):
    """Hands on what the purchase and spend models said of each customer."""

    def forecast(self, known: Known) -> Expected:
        """Return the product's own forecast, which has to be known."""
        return known.own if known.own is not None else Expected()

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return a mark: purchase and spend models are stored by themselves."""
        return {"own": np.array("purchases and spend")}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the form."""
        return cls()


class OwnForecast(Candidate):
    """What the purchase and spend models of the product say at the cutoff."""

    name, kind, form = "own forecast", "model", OwnForm
    ships = True
    about = "purchase model and seasonal clock chosen by earlier forecasts, times spend"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return the product's forecast, None where it is not known."""
        return None if now.own is None else OwnForm()


@dataclass(frozen=True)
class Plain(Fitted):
    """BG/NBD and Gamma-Gamma fitted to the customers of one cutoff."""

    purchases: BetaGeometricNBD
    spend: GammaGamma

    def forecast(self, known: Known) -> Expected:
        """Return the expectations of both models, and the interval of their product."""
        n_days, mean_spend = known.facts["n_purchase_days"], significant(known.facts["mean_spend_per_day"])
        history = (n_days - 1, known.facts["activity_days"], known.facts["tenure_days"] - 1)
        horizon_days = known.horizon_days
        spend: Array = self.purchases.expected_orders(*history, horizon_days) * self.spend.expected_spend(n_days, mean_spend)
        chance = np.clip(self.purchases.probability_of_order(*history, horizon_days), 0.0, 1.0)
        found = lifetime_value_interval(self.purchases, self.spend, *history, n_days, mean_spend, horizon_days, 0.0)
        return Expected(spend, chance, np.minimum(found.lower, spend), np.maximum(found.upper, spend))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the parameters of both models."""
        return packed({"purchases": self.purchases.to_arrays(), "spend": self.spend.to_arrays()})

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the models that were stored."""
        purchases = BetaGeometricNBD.from_arrays(unpacked(arrays, "purchases"))
        return cls(purchases, GammaGamma.from_arrays(unpacked(arrays, "spend")))


class PlainPurchaseModel(Candidate):
    """The textbook: BG/NBD in plain days times Gamma-Gamma."""

    name, kind, form = "BG/NBD + Gamma-Gamma", "model", Plain
    about = "BG/NBD in plain days times Gamma-Gamma, fitted by maximum likelihood to what is known at the cutoff"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted:
        """Fit both to every customer of the cutoff."""
        n_days, mean_spend = now.facts["n_purchase_days"], significant(now.facts["mean_spend_per_day"])
        history = (n_days - 1, now.facts["activity_days"], now.facts["tenure_days"] - 1)
        return Plain(BetaGeometricNBD().fit(*history), GammaGamma().fit(n_days, mean_spend))
