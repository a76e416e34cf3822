"""How often customers will buy: the Pareto/NBD model, in which a customer may stop at any time.

Comes in: per customer the repeat purchase days (frequency, x in the papers), the days from first to last purchase (recency_days, t_x)
and from first purchase to the end of observation (age_days, T). Goes out: what every purchase model answers, see `purchase_model`.
Nothing here knows money, files or settings.

Source
------
Schmittlein, Morrison & Colombo (1987), Counting Your Customers, Management Science 33(1), 1-24; Fader & Hardie (2005), A Note on Deriving
the Pareto/NBD Model and Related Expressions, brucehardie.com.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np

from customer_genome.models.btyd.dropout import NO_DROPOUT
from customer_genome.models.btyd.histories import Histories, once_per_distinct
from customer_genome.models.btyd.lapse import at_least_until_stop, expected_until_stop, log_integral
from customer_genome.models.btyd.pareto_likelihood import PARAMETERS, log_odds_stopped, pareto_form, reading
from customer_genome.models.btyd.purchase_fit import fit_purchases
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.estimator import Array, FitReport

_EVER = 1e60
_NEWTON_STEPS = 60


class ParetoNBD(PurchaseModel):
    """The Pareto/NBD model of repeat purchases.

    While active, a customer buys at random with a rate of their own, and stops for good at a moment that comes with a rate of their own,
    whether they buy or not. Purchase rates vary over customers as Gamma(r, alpha), dropout rates as Gamma(s, beta).

    Examples
    --------
    >>> model = ParetoNBD.from_parameters(r=0.553, alpha=10.578, s=0.606, beta=11.669)
    >>> model.probability_alive([0, 2], [0, 30.43], [38.86, 38.86]).round(3).tolist()
    [0.295, 0.869]
    """

    name: ClassVar[str] = "Pareto/NBD"
    parameter_names: ClassVar[tuple[str, ...]] = PARAMETERS
    zero_allowed: ClassVar[frozenset[str]] = frozenset({"s"})

    @classmethod
    def from_parameters(cls, r: float, alpha: float, s: float, beta: float) -> Self:
        """Return a model with the given parameters; alpha and beta in the unit of time that will be used (s = 0: nobody stops)."""
        return cls.from_values({"r": r, "alpha": alpha, "s": s, "beta": beta})

    @classmethod
    def reading_of(cls, values: Mapping[str, float]) -> tuple[str, ...]:
        """Return what the parameters mean, in plain words."""
        return reading(values)

    def _fit_distinct(self, histories: Histories, counts: Array) -> FitReport:
        """Fit on the ladder. Checked: tests/golden/test_purchases.py."""
        return fit_purchases(pareto_form(self.name), histories, counts)

    def _alive(self, histories: Histories) -> Array:
        """Fader & Hardie (2005), eq. 11, as 1 / (1 + odds of having stopped)."""
        from scipy.special import expit

        r, alpha, s, beta = self.parameters_
        if s < NO_DROPOUT:
            return np.ones(len(histories))

        def alive(x: Array, last: Array, age: Array) -> Array:
            chance: Array = expit(-log_odds_stopped(r, alpha, s, beta, Histories(x, last, age))[0])
            return chance

        return once_per_distinct(alive, histories.frequency, histories.recency_days, histories.age_days)

    def _expected_if_active(self, frequency: Array, age_days: Array, horizons_days: Array) -> Array:
        r, alpha, s, beta = self.parameters_
        age = age_days[:, None]
        return expected_until_stop(r + frequency[:, None], s, alpha + age, beta + age, horizons_days)

    def _at_least_if_active(self, n_orders: Array, frequency: Array, age_days: Array, horizon_days: Array) -> Array:
        r, alpha, s, beta = self.parameters_
        return at_least_until_stop(n_orders, r + frequency, s, alpha + age_days, beta + age_days, horizon_days)

    def _days_until_chance(self, frequency: Array, age_days: Array, chance: Array) -> Array:
        """Newton steps in log(1 + h/A), towards the logarithm of what is left of the chance to buy ever again.

        Without stopping the day would come sooner, and has a formula: the steps begin there. In these coordinates the curve is straight
        but for a bend; brackets are kept, and a step that leaves them is halved instead.
        """
        r, alpha, s, beta = self.parameters_
        shape, a, b = r + frequency, alpha + age_days, beta + age_days
        q = np.full_like(shape, s)

        def chance_within(days: Array) -> Array:
            reached: Array = shape / a * np.exp(log_integral(shape + 1.0, q, a, b, days))
            return np.minimum(reached, 1.0)

        low = np.minimum(-np.log1p(-chance) / shape, 300.0)
        if s < NO_DROPOUT:
            soonest: Array = a * np.expm1(low)
            return np.where(low < 300.0, soonest, np.inf)
        high = np.full_like(low, np.log(_EVER))
        ever = chance_within(a * _EVER)
        goal = ever - chance
        never = (goal <= 1e-12 * ever) | (low >= high)
        goal, at = np.where(never, 1.0, goal), np.where(never, 1.0, low)
        for _ in range(_NEWTON_STEPS):
            days = a * np.expm1(at)
            left = np.maximum(ever - chance_within(days), 1e-300)
            low, high = np.where(left > goal, at, low), np.where(left > goal, high, at)
            slope = shape * np.exp(-shape * at - s * np.log1p(days / b)) / left
            step = np.log(left / goal) / np.maximum(slope, 1e-300)
            trial = at + step
            at = np.where((trial >= low) & (trial <= high), trial, (low + high) / 2)
            if np.all(never | (np.abs(step) < 1e-11 * np.maximum(at, 1e-300))):
                break
        return np.where(never, np.inf, a * np.expm1(at))

    def _draw_if_active(
        self, frequency: Array, age_days: Array, horizon_days: float, n_draws: int, rng: np.random.Generator
    ) -> Array:
        r, alpha, s, beta = self.parameters_
        shape = (len(frequency), n_draws)
        rate = rng.gamma(r + frequency[:, None], 1.0, shape) / (alpha + age_days)[:, None]
        stays = np.full(shape, horizon_days)
        if s >= NO_DROPOUT:
            stays = np.minimum(
                stays, (beta + age_days)[:, None] * np.expm1(np.minimum(rng.standard_exponential(shape) / s, 600.0))
            )
        bought: Array = rng.poisson(np.minimum(rate * stays, 1e15)).astype(np.float64)
        return bought
