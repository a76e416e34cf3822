"""The product's own forecast, and the textbook one beside it: BG/NBD times Gamma-Gamma in plain days.

Comes in: purchase histories and spend so far. Goes out: forecasts with intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_genome.models.candidates.contract import Candidate, Expected, Known, Past
from customer_genome.models.estimator import Array
from customer_genome.models.lifetime_value import lifetime_value_interval
from customer_genome.models.purchases import BetaGeometricNBD
from customer_genome.models.segments import significant
from customer_genome.models.spend import GammaGamma


class OwnForecast(Candidate):
    """What `genome forecast` says at the cutoff."""

    name, kind = "own forecast", "model"
    about = "what `genome forecast` says: purchase model and clock chosen by earlier forecasts, times spend"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected | None:
        """Return the product's forecast."""
        return known.own


@dataclass(frozen=True)
class Plain:
    """BG/NBD and Gamma-Gamma fitted to the customers of one cutoff, and what they say of each."""

    purchases: BetaGeometricNBD
    spend: GammaGamma
    history: tuple[Array, Array, Array]
    n_purchases: Array
    mean_spend: Array

    @classmethod
    def of(cls, known: Known) -> Plain:
        """Fit both to every customer of a cutoff."""
        facts = known.facts
        n_days, mean_spend = facts["n_purchase_days"], significant(facts["mean_spend_per_day"])
        history = (n_days - 1, facts["activity_days"], facts["tenure_days"] - 1)
        return cls(BetaGeometricNBD().fit(*history), GammaGamma().fit(n_days, mean_spend), history, n_days, mean_spend)

    def columns(self, horizon_days: int) -> dict[str, Array]:
        """Return p_alive, the chance to order, expected purchase days, money a day, and money over the horizon."""
        days = self.purchases.expected_orders(*self.history, horizon_days)
        per_day = self.spend.expected_spend(self.n_purchases, self.mean_spend)
        return {
            "p_alive": self.purchases.probability_alive(*self.history),
            "chance": self.purchases.probability_of_order(*self.history, horizon_days),
            "days": days,
            "spend_per_day": per_day,
            "spend": days * per_day,
        }


class PlainPurchaseModel(Candidate):
    """The textbook: BG/NBD in plain days times Gamma-Gamma."""

    name, kind = "BG/NBD + Gamma-Gamma", "model"
    about = "BG/NBD in plain days times Gamma-Gamma, fitted by maximum likelihood to what is known at the cutoff"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected:
        """Return the expectations of both models, and the interval of their product."""
        plain = Plain.of(known)
        columns = plain.columns(known.horizon_days)
        spend = columns["spend"]
        interval = lifetime_value_interval(
            plain.purchases, plain.spend, *plain.history, plain.n_purchases, plain.mean_spend, known.horizon_days, 0.0
        )
        chance = np.clip(columns["chance"], 0.0, 1.0)
        return Expected(spend, chance, np.minimum(interval.lower, spend), np.maximum(interval.upper, spend))
