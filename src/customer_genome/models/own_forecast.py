"""The own forecast: what the purchase and spend models say of each customer over a horizon, and when the next order falls.

Comes in: fitted models, a cutoff, facts of customers. Goes out: chances, purchase days, money with its range, value with its range, days
until the next order; row by row. It is what forecasts that learn from outcomes start from, and what is published where they
have nothing to learn from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from customer_genome.models.btyd.active_future import Horizons
from customer_genome.models.btyd.parameter_points import parameter_points
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.season import Clock, Part
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.value_forecast import ValueForecast
from customer_genome.models.candidates.contract import Expected
from customer_genome.models.estimator import Array
from customer_genome.models.segmentation.segments import significant

CLV_DAYS = 180
LEVEL = 0.80
NEEDS = ("n_purchase_days", "activity_days", "tenure_days", "mean_spend_per_day")
"""The facts it reads."""
_CERTAIN = 1e-12


@dataclass(frozen=True)
class OwnForecast:
    """What purchase and spend models say of each customer; arrays of shape (n_customers,).

    Attributes
    ----------
    p_alive : 0..1
    days : purchase days over the horizon
    chance : 0..1, of at least one order within the horizon
    spend, lower, upper : money over the horizon, plain revenue, with an 80 % range; not a number where no range was asked for
    clv, clv_lower, clv_upper : money over CLV_DAYS, discounted, at a margin of 1; not a number where value was not asked for
    """

    p_alive: Array
    days: Array
    chance: Array
    spend: Array
    lower: Array
    upper: Array
    clv: Array
    clv_lower: Array
    clv_upper: Array

    def expected(self) -> Expected:
        """Return it as candidates take it."""
        return Expected(self.spend, self.chance, self.lower, self.upper)


@dataclass(frozen=True)
class OwnForecaster:
    """Turns facts into the own forecast, row by row.

    Attributes
    ----------
    purchases, spend, clock : fitted models; `purchases` was fitted to times on `clock`
    as_of : int
        The exclusive cutoff of the facts, days since 1970-01-01.
    horizon_days : int, days
    annual_discount : float
        Of customer value; spend over the horizon is not discounted.
    with_value : bool
        Whether customer value is wanted too.
    with_range : bool
        Whether ranges are wanted, which cost far more than the rest; value always has one.
    """

    purchases: PurchaseModel
    spend: GammaGamma
    clock: Clock
    as_of: int
    horizon_days: int
    annual_discount: float
    with_value: bool = True
    with_range: bool = True
    _parts: dict[int, ValueForecast] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, facts: Mapping[str, Array]) -> OwnForecast:
        """Return the forecast of any part of the customers, in their order; the facts of NEEDS have to be there."""
        n_days, mean_spend = facts["n_purchase_days"], significant(facts["mean_spend_per_day"])
        found = {name: np.full(len(n_days), np.nan) for name in OwnForecast.__dataclass_fields__}
        for part in self._parts_of(facts):
            columns = self._of_part(part, n_days[part.rows], mean_spend[part.rows])
            for name, values in columns.items():
                found[name][part.rows] = values
        return OwnForecast(**found)

    def days_until_order(self, facts: Mapping[str, Array], chance: Array, own_chance: Array) -> tuple[Array, Array, Array]:
        """Return the days by which the next order has come with a probability of 10, 50 and 90 %, where the chance is another.

        Parameters
        ----------
        chance, own_chance : arrays, 0..1
            Of an order within the horizon, as it is held to be and as the models say. The hazard of the next order is multiplied
            by what turns the second into the first, so half of the orders have come by the horizon where the chance is one half.

        Returns
        -------
        three arrays, shape (n_customers,), days; infinite where the next order is not to be expected
        """
        stays, own_stays = (np.log1p(-np.clip(one, _CERTAIN, 1 - _CERTAIN)) for one in (chance, own_chance))
        levels = [-np.expm1(np.log1p(-level) * own_stays / stays) for level in ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)]
        found = [np.full(len(chance), np.inf) for _ in levels]
        for part in self._parts_of(facts):
            for days, level in zip(found, levels, strict=True):
                wanted = np.clip(level[part.rows], _CERTAIN, 1 - _CERTAIN)
                days[part.rows] = part.days(self.purchases.days_until_order(part.frequency, part.recency, part.age, wanted))
        return found[0], found[1], found[2]

    def _parts_of(self, facts: Mapping[str, Array]) -> list[Part]:
        """Return the customers by the clock they share."""
        return list(self.clock.parts(self.as_of, facts["n_purchase_days"] - 1, facts["activity_days"], facts["tenure_days"] - 1))

    def _of_part(self, part: Part, n_days: Array, mean_spend: Array) -> dict[str, Array]:
        """Return what customers who share one clock will do; the models see times on that clock."""
        history = (part.frequency, part.recency, part.age)
        days_ahead = sorted({self.horizon_days, CLV_DAYS} if self.with_value else {self.horizon_days})
        times = part.times(days_ahead)
        at = days_ahead.index(self.horizon_days)
        horizon = float(times[at])
        days = self.purchases.expected_orders(*history, horizon)
        spend = days * self.spend.expected_spend(n_days, mean_spend)
        columns = {
            "p_alive": self.purchases.probability_alive(*history),
            "days": days,
            "chance": np.clip(self.purchases.probability_of_order(*history, horizon), 0.0, 1.0),
            "spend": spend,
        }
        if not (self.with_range or self.with_value):
            return columns
        value = self._value_forecast(part.code, times, days_ahead).of(*history, n_days, mean_spend)
        plain = np.divide(value.revenue[:, at], value.value[:, at], out=np.ones(len(days)), where=value.value[:, at] > 0)
        columns["lower"] = np.minimum(value.lower[:, at] * plain, spend)
        columns["upper"] = np.maximum(value.upper[:, at] * plain, spend)
        if self.with_value:
            worth = days_ahead.index(CLV_DAYS)
            ends = {"clv": value.value, "clv_lower": value.lower, "clv_upper": value.upper}
            columns |= {name: values[:, worth] for name, values in ends.items()}
        return columns

    def _value_forecast(self, code: int, times: Array, days: list[int]) -> ValueForecast:
        """Return what forecasts value in a part of the customers; its tables are kept for the batches to come."""
        if code not in self._parts:
            horizons = Horizons.of(times, self.annual_discount, calendar_days=np.asarray(days, dtype=np.float64))
            points = parameter_points(self.purchases, self.spend)
            self._parts[code] = ValueForecast(self.purchases, self.spend, horizons, level=LEVEL, points=points)
        return self._parts[code]
