"""How often customers will buy: the BG/NBD model.

Comes in: per customer the repeat purchase days (frequency, x in the paper), the days from first to last purchase (recency_days, t_x) and
from first purchase to the end of observation (age_days, T). Goes out: the chance that a customer is still active, expected
purchase days in any horizon, the chance of at least n of them, and simulated counts. A purchase day is one event, however many
orders fall on it. Nothing here knows money, files or settings.

The unit of time is the day by name only: give all three times and the horizon in weeks and every prediction is the same.

Source
------
Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from customer_genome.models.btyd.dropout import NO_DROPOUT, at_least_while_active, expected_while_active
from customer_genome.models.btyd.histories import Histories, collapse
from customer_genome.models.btyd.purchase_fit import fit_purchases
from customer_genome.models.btyd.purchase_likelihood import PARAMETERS, beta_geometric_form, reading
from customer_genome.models.btyd.purchase_model import PurchaseModel, check_horizon
from customer_genome.models.estimator import Array, FitReport

__all__ = ["BetaGeometricNBD", "check_horizon", "collapse"]


class BetaGeometricFamily(PurchaseModel):
    """Models of customers who may stop after a purchase: the rate is Gamma(r, alpha), the chance to stop Beta(a, b).

    `first_chance` is 0 when the first chance to stop comes with the first repeat purchase, 1 when it comes with the first purchase.
    """

    parameter_names: ClassVar[tuple[str, ...]] = PARAMETERS
    zero_allowed: ClassVar[frozenset[str]] = frozenset({"a"})
    first_chance: ClassVar[int]

    @classmethod
    def from_parameters(cls, r: float, alpha: float, a: float, b: float) -> Self:
        """Return a model with the given parameters; `alpha` in the unit of time that will be used (a = 0: nobody stops)."""
        return cls.from_values({"r": r, "alpha": alpha, "a": a, "b": b})

    @classmethod
    def reading_of(cls, values: Mapping[str, float]) -> tuple[str, ...]:
        """Return what the parameters mean, in plain words."""
        return reading(values, cls.first_chance)

    def _fit_distinct(self, histories: Histories, counts: Array) -> FitReport:
        """Fit on the ladder. Checked: tests/golden/test_purchases.py."""
        return fit_purchases(beta_geometric_form(self.name, self.first_chance), histories, counts)

    def _alive(self, histories: Histories) -> Array:
        """Fader, Hardie & Lee (2008), Computing P(alive) Using the BG/NBD Model; 1 where there was no occasion to stop."""
        from scipy.special import expit

        r, alpha, a, b = self.parameters_
        x = histories.frequency
        if a < NO_DROPOUT:
            return np.ones(len(x))
        occasions = x + self.first_chance
        silence = np.log1p((histories.age_days - histories.recency_days) / (alpha + histories.recency_days))
        stopped = np.log(a) - np.log(b + np.maximum(occasions, 1.0) - 1.0) + (r + x) * silence
        alive: Array = expit(-stopped)
        return np.where(occasions == 0, 1.0, alive)

    def _expected_if_active(self, frequency: Array, age_days: Array, horizons_days: Array) -> Array:
        """Eq. 9 and 10 of Fader, Hardie & Lee (2005), in the form of `dropout`. Checked: tests/golden/test_purchases.py."""
        r, alpha, a, b = self.parameters_
        beta = b + self.first_chance + frequency
        return expected_while_active(r + frequency, a, beta, horizons_days / (alpha + age_days)[:, None])

    def _at_least_if_active(self, n_orders: Array, frequency: Array, age_days: Array, horizon_days: Array) -> Array:
        r, alpha, a, b = self.parameters_
        beta = b + self.first_chance + frequency
        return at_least_while_active(n_orders, r + frequency, a, beta, horizon_days / (alpha + age_days))

    def _days_until_chance(self, frequency: Array, age_days: Array, chance: Array) -> Array:
        r, alpha, _, _ = self.parameters_
        with np.errstate(over="ignore"):
            days: Array = (alpha + age_days) * np.expm1(-np.log1p(-chance) / (r + frequency))
        return days

    def _draw_if_active(
        self, frequency: Array, age_days: Array, horizon_days: float, n_draws: int, rng: np.random.Generator
    ) -> Array:
        r, alpha, a, b = self.parameters_
        x, shape = frequency[:, None], (len(frequency), n_draws)
        rate = rng.gamma(r + x, 1.0, shape) / (alpha + age_days)[:, None]
        bought = rng.poisson(np.minimum(rate * horizon_days, 1e15)).astype(np.float64)
        if a >= NO_DROPOUT:
            stop = rng.beta(a, b + self.first_chance + x, shape)
            tiny = 1e-300
            last = np.ceil(np.log(np.maximum(rng.random(shape), tiny)) / np.log1p(-np.clip(stop, tiny, 1 - 1e-16)))
            bought = np.minimum(bought, np.maximum(last, 1.0))
        return bought


class BetaGeometricNBD(BetaGeometricFamily):
    """The BG/NBD model of repeat purchases.

    While active, a customer buys at random with a rate of their own; after each repeat purchase they stop for good with a chance of
    their own. Rates vary over customers as Gamma(r, alpha), chances as Beta(a, b). A customer without a repeat purchase has had no
    occasion to stop and counts as active: read their `probability_of_order` rather than `probability_alive`.

    Examples
    --------
    >>> model = BetaGeometricNBD.from_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> model.expected_orders([2], [30.43], [38.86], horizon_days=39).round(3).tolist()
    [1.226]
    """

    name: ClassVar[str] = "BG/NBD"
    first_chance: ClassVar[int] = 0
