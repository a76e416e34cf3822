"""What customers will do and are worth up to several horizons, with the range of what may really happen.

Comes in: a fitted purchase model, a fitted spend model, horizons; then, per customer, the history and the spend so far. Goes out: expected
purchase days, revenue and discounted value up to every horizon, and the ends of an interval for the realised value. It assumes,
as the models do, that how often somebody buys tells nothing about how much they spend at a time. Nothing here fits a model.

How it stays fast: what is costly depends on (x, T) and on (x, T, n) and is read from tables; what depends on P(active) is computed once
per distinct (x, T, n, t_x); and since spend enters as a factor, a customer costs one multiplication per figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.active_future import ActiveFuture, Horizons
from customer_genome.models.btyd.histories import DistinctRows, Histories, check_histories, distinct_rows
from customer_genome.models.btyd.mixed_intervals import Member, mixed_quantiles
from customer_genome.models.btyd.parameter_points import Models
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.spend import GammaGamma, check_spend
from customer_genome.models.btyd.spend_outcomes import SpendOutcomes
from customer_genome.models.estimator import Array

_PAIRS_AT_ONCE = 512
_CUSTOMERS_AT_ONCE = 4096
_CUSTOMERS_MIXED_AT_ONCE = 4096


@dataclass(frozen=True)
class Forecast:
    """Expectations and intervals up to every horizon, each of shape (n_customers, n_horizons).

    Attributes
    ----------
    orders : purchase days
    revenue : money, without discount and margin
    value : money, discounted and times the margin
    lower, upper : money, ends of the interval of the realised value, at the horizons that intervals were asked for
    """

    orders: Array
    revenue: Array
    value: Array
    lower: Array
    upper: Array


@dataclass
class ValueForecast:
    """A forecaster for given models and horizons; its tables grow with the histories it meets and are kept for the next customers.

    Parameters
    ----------
    purchases, spend : fitted models
    horizons : Horizons
    margin : share of spend that counts as value
    level : probability of the interval, 0.80 gives the quantiles 0.1 and 0.9
    cover_mean : bool
        A customer who most likely buys nothing has the honest interval [0, 0] and yet a positive mean. True widens such an interval
        to its mean, so that lower <= value <= upper always holds; False gives the bare quantiles.
    threads : int
        How many parts of the customers are worked on at a time.
    interval_at : places of horizons, optional
        Which horizons get an interval; by default all. They cost more than the rest.
    points : pairs of models
        Equally likely sets of parameters, see `parameter_points`: the interval is then that of their mixture. Empty: the parameters
        are taken as known.
    """

    purchases: PurchaseModel
    spend: GammaGamma
    horizons: Horizons
    margin: float = 1.0
    level: float = 0.80
    cover_mean: bool = True
    threads: int = 1
    points: tuple[Models, ...] = ()
    interval_at: tuple[int, ...] | None = None
    _members: list[ValueForecast] = field(init=False, repr=False)
    _at: tuple[int, ...] = field(init=False, repr=False)
    _future: ActiveFuture = field(init=False, repr=False)
    _outcomes: SpendOutcomes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ContractError(f"level: got {self.level}. Wanted: between 0 and 1, exclusive; 0.8 gives an 80 % interval.")
        self._future = ActiveFuture(self.purchases, self.horizons)
        is_mixed, tail = len(self.points) > 1, (1 - self.level) / 2
        self._at = tuple(range(len(self.horizons))) if self.interval_at is None else self.interval_at
        chosen = self.horizons.only(self._at)
        self._outcomes = SpendOutcomes(self.purchases, self.spend, chosen, tail)
        self._members = [type(self)(*models, chosen, level=1 - 0.2 * tail) for models in (self.points if is_mixed else ())]

    def of(
        self,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        n_purchases: npt.ArrayLike,
        mean_spend: npt.ArrayLike,
        *,
        with_interval: bool = True,
    ) -> Forecast:
        """Return the forecast of each customer.

        Parameters
        ----------
        frequency, recency_days, age_days : arrays, shape (n_customers,)
            Purchase history, see `PurchaseModel.fit`.
        n_purchases, mean_spend : arrays, shape (n_customers,)
            Spend so far, see `GammaGamma.fit`.
        """
        histories = check_histories(frequency, recency_days, age_days)
        n, mean = check_spend(n_purchases, mean_spend)
        if len(n) != len(histories):
            raise ContractError(
                f"customers: {len(histories):,} histories and {len(n):,} entries of spend. Wanted: one per customer in each."
            )
        is_mixed = with_interval and bool(self._members)
        rate = self.spend.posterior(n, mean)[1]
        rows = distinct_rows(histories.frequency, histories.age_days, n, histories.recency_days)
        unit = self._per_unit(*rows.columns, with_interval=with_interval and not is_mixed)
        out = [np.empty((len(n), source.shape[1])) for source in unit]

        def fill(begin: int) -> None:
            part = slice(begin, begin + _CUSTOMERS_AT_ONCE)
            of_row, factor = rows.inverse[part], rate[part, None]
            for number, (source, target) in enumerate(zip(unit, out, strict=True)):
                np.take(source, of_row, axis=0, out=target[part], mode="clip")  # any other mode goes through a copy
                if number:
                    target[part] *= factor

        self._each(fill, range(0, len(n), _CUSTOMERS_AT_ONCE))
        if is_mixed:
            out += self._mixed(histories, n, mean, out[2][:, list(self._at)])
        ends = out[3:] if with_interval else [np.empty((len(n), 0))] * 2
        return Forecast(out[0], out[1], out[2], ends[0], ends[1])

    def _per_unit(self, x: Array, age: Array, n: Array, t_x: Array, *, with_interval: bool) -> list[Array]:
        """Return orders, and the money figures per unit of the posterior rate of nu, of distinct customers in sorted order."""
        shape = self.spend.parameters_[0] * n + self.spend.parameters_[1]
        spend_per_rate = self.spend.parameters_[0] / (shape - 1.0)
        alive = self.purchases.probability_alive(x, t_x, age)
        is_new = np.ones(len(x), dtype=bool)
        is_new[1:] = (np.diff(x) != 0) | (np.diff(age) != 0) | (np.diff(n) != 0)
        pair_of, begins = np.cumsum(is_new) - 1, np.append(np.flatnonzero(is_new), len(x))
        widths = [len(self.horizons)] * 3 + [len(self._at)] * (2 if with_interval else 0)
        out, chosen = [np.empty((len(x), width)) for width in widths], list(self._at)

        def fill(first: int) -> None:
            last = min(first + _PAIRS_AT_ONCE, len(begins) - 1)
            heads, part = begins[first:last], slice(begins[first], begins[last])
            row, active = pair_of[part] - first, alive[part, None]
            orders, discounted, some = self._future.rows(x[heads], age[heads])
            factor = spend_per_rate[part, None]
            np.multiply(active, orders[row], out=out[0][part])
            np.multiply(factor, out[0][part], out=out[1][part])
            np.multiply(active * factor * self.margin, discounted[row], out=out[2][part])
            if with_interval:
                logs = self._outcomes.rows(x[heads], age[heads], n[heads])
                worth = self.margin * _per(discounted[:, chosen], orders[:, chosen])
                chance, mean = active * some[:, chosen][row], out[2][part][:, chosen]
                self._ends(logs, row, chance, worth[row], mean, out[3][part], out[4][part])

        self._each(fill, range(0, len(begins) - 1, _PAIRS_AT_ONCE))
        return out

    def _ends(
        self, logs: Array, row: npt.NDArray[np.intp], chance: Array, worth: Array, mean: Array, lower: Array, upper: Array
    ) -> None:
        """Write the interval's ends per unit: the quantiles of zero with probability 1 - chance, an outcome otherwise."""
        with np.errstate(divide="ignore"):
            for tail, end in (((1 + self.level) / 2, lower), ((1 - self.level) / 2, upper)):
                end[:] = self._outcomes.read(logs, row, tail / chance) * worth
        if self.margin < 0:
            lower[:], upper[:] = upper.copy(), lower.copy()
        if self.cover_mean:
            np.minimum(lower, mean, out=lower)
            np.maximum(upper, mean, out=upper)

    def _mixed(self, histories: Histories, n: Array, mean: Array, value: Array) -> list[Array]:
        """Return lower and upper ends under all points of parameters."""
        ends = [np.empty_like(value), np.empty_like(value)]

        def fill(begin: int) -> None:
            part = slice(begin, begin + _CUSTOMERS_MIXED_AT_ONCE)
            x, t_x, age = (column[part] for column in (histories.frequency, histories.recency_days, histories.age_days))
            pairs = distinct_rows(x, age, n[part])
            members = [one._as_member(pairs, x, t_x, age, n[part], mean[part], abs(self.margin)) for one in self._members]
            found = [mixed_quantiles(members, pairs.inverse, tail) for tail in ((1 + self.level) / 2, (1 - self.level) / 2)]
            lower, upper = found if self.margin >= 0 else (-found[1], -found[0])
            ends[0][part] = np.minimum(lower, value[part]) if self.cover_mean else lower
            ends[1][part] = np.maximum(upper, value[part]) if self.cover_mean else upper

        self._each(fill, range(0, len(n), _CUSTOMERS_MIXED_AT_ONCE))
        return ends

    def _as_member(self, pairs: DistinctRows, x: Array, t_x: Array, age: Array, n: Array, mean: Array, margin: float) -> Member:
        """Return what this forecaster's parameters say of the customers, for a mixture."""
        orders, discounted, some = self._future.rows(pairs.columns[0], pairs.columns[1])
        worth = margin * _per(discounted, orders)
        alive, rate = self.purchases.probability_alive(x, t_x, age), self.spend.posterior(n, mean)[1]
        return Member(
            self._outcomes,
            self._outcomes.rows(*pairs.columns),
            alive[:, None] * some[pairs.inverse],
            rate[:, None] * worth[pairs.inverse],
        )

    def _each(self, work: Callable[[int], None], parts: Iterable[int]) -> None:
        """Do the work for every part, on several threads where wanted; parts write to places of their own."""
        if self.threads <= 1:
            for part in parts:
                work(part)
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(work, parts))


def _per(part: Array, whole: Array) -> Array:
    """Return part / whole, 0 where whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
