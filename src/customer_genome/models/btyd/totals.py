"""What all customers together will do: purchase days and revenue by period, by cohort and in all, with intervals.

Comes in: fitted models and purchase histories that customers share, with how many share each, their spend, and a group (such
as the month of the first purchase). Goes out: per group and period the sum over its customers, and the interval in which the realised
sum will lie. Sums are those of the customers: nothing is estimated anew. Nothing here fits a model or knows a calendar.

How the sum over customers is had from shared histories: expected purchase days depend on (x, t_x, T) only, and the expected spend of
a purchase is linear in a customer's mean spend, so the sum of the means is enough; its variance needs their squares, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.histories import as_column, check_histories
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.estimator import Array

_DRAWS = 200_000
"""How many futures of shared histories are drawn, in all, to learn how far counts scatter."""
_SAMPLED = 1_000
"""How many histories the effect of the parameters is judged by."""
_STEP = 1e-3
_SMALLEST_EXCESS = 0.5
"""Where fewer purchases than this are known (p n + q - 2), spend has next to no variance a model could state; it is capped here."""


@dataclass(frozen=True)
class SharedHistories:
    """Purchase histories, and what the customers who share each have in common and in sum; all of shape (n_histories,).

    Attributes
    ----------
    frequency, recency_days, age_days : see `PurchaseModel.fit`
    n_customers : how many customers share the history
    spend, squared_spend : sums of their mean spend per purchase day, and of its square; money
    group : whole numbers from 0 below n_groups, such as a cohort
    """

    frequency: Array
    recency_days: Array
    age_days: Array
    n_customers: Array
    spend: Array
    squared_spend: Array
    group: npt.NDArray[np.intp]
    n_groups: int

    @classmethod
    def of(
        cls,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        n_customers: npt.ArrayLike | None = None,
        spend: npt.ArrayLike | None = None,
        squared_spend: npt.ArrayLike | None = None,
        group: npt.ArrayLike | None = None,
        n_groups: int | None = None,
    ) -> SharedHistories:
        """Return checked histories; by default one customer each, no spend, one group, and as many groups as are named.

        Raises
        ------
        ContractError
            Not histories, or columns of different length.
        """
        histories = check_histories(frequency, recency_days, age_days)
        n = len(histories)
        counts = np.ones(n) if n_customers is None else as_column(n_customers, "n_customers")
        sums = np.zeros(n) if spend is None else as_column(spend, "spend")
        squares = sums**2 / np.maximum(counts, 1) if squared_spend is None else as_column(squared_spend, "squared_spend")
        groups = np.zeros(n, dtype=np.intp) if group is None else np.asarray(group, dtype=np.intp)
        named = int(groups.max()) + 1 if len(groups) else 0
        lengths = {"n_customers": len(counts), "spend": len(sums), "squared_spend": len(squares), "group": len(groups)}
        wrong = [f"{name} has {length:,} entries" for name, length in lengths.items() if length != n]
        if n and (groups.min() < 0 or named > (n_groups or named)):
            wrong.append(f"groups from {groups.min()} to {named - 1}")
        if wrong:
            raise ContractError(
                f"histories: {n:,} of them, and {', '.join(wrong)}. Wanted: one entry per history, groups from 0 below {n_groups or 'their number'}."
            )
        return cls(
            histories.frequency, histories.recency_days, histories.age_days, counts, sums, squares, groups, n_groups or named
        )

    def __len__(self) -> int:
        return len(self.frequency)


@dataclass(frozen=True)
class TotalForecast:
    """Sums over customers, each of shape (n_groups, n_periods); `in_all` adds the groups up.

    Attributes
    ----------
    orders : expected purchase days
    revenue : expected revenue, undiscounted
    orders_sd, revenue_sd : standard deviations of the realised sums from outcomes
    orders_unsure, revenue_unsure : relative standard deviation from parameters, shape (n_periods,); it moves all groups together
    level : probability that the realised sum lies between the ends of `interval`
    """

    orders: Array
    revenue: Array
    orders_sd: Array
    revenue_sd: Array
    orders_unsure: Array
    revenue_unsure: Array
    level: float

    def in_all(self) -> TotalForecast:
        """Return the forecast of all groups together, shape (1, n_periods); outcomes of different customers are independent."""
        return replace(
            self,
            orders=self.orders.sum(axis=0, keepdims=True),
            revenue=self.revenue.sum(axis=0, keepdims=True),
            orders_sd=np.sqrt((self.orders_sd**2).sum(axis=0, keepdims=True)),
            revenue_sd=np.sqrt((self.revenue_sd**2).sum(axis=0, keepdims=True)),
        )

    def scaled(self, orders: Array, revenue: Array) -> TotalForecast:
        """Return the forecast with the expectations and ranges of every group multiplied, by factors of shape (n_groups,)."""
        days, money = orders[:, None], revenue[:, None]
        return replace(
            self,
            orders=self.orders * days,
            revenue=self.revenue * money,
            orders_sd=self.orders_sd * days,
            revenue_sd=self.revenue_sd * money,
        )

    def orders_interval(self) -> tuple[Array, Array]:
        """Return the ends of the interval of purchase days."""
        return _ends(self.orders, self.orders_sd, self.orders_unsure, self.level)

    def revenue_interval(self) -> tuple[Array, Array]:
        """Return the ends of the interval of revenue."""
        return _ends(self.revenue, self.revenue_sd, self.revenue_unsure, self.level)


def forecast_totals(
    purchases: PurchaseModel,
    spend: GammaGamma | None,
    histories: SharedHistories,
    ends_days: npt.ArrayLike,
    *,
    level: float = 0.80,
    seed: int = 7,
) -> TotalForecast:
    """Return what the customers of each group will do in consecutive periods.

    Parameters
    ----------
    purchases, spend : fitted models
        Without a spend model revenue is 0.
    ends_days : array, shape (n_periods,), days from now, ascending and above 0
        Period k reaches from the end of the one before (0 at first) to ends_days[k]. Calendar months are given by their ends in
        days; a model of season is given its own days.

    Returns
    -------
    TotalForecast
        The interval holds what is left to chance, with customers independent of each other, and what is uncertain about the parameters
        where the fit states a covariance. It does not hold that the world may change: hold it against the error that
        `tracking` measures.
    """
    ends = as_column(ends_days, "ends_days")
    if not (len(ends) and ends[0] > 0 and np.all(np.diff(ends) > 0) and np.all(np.isfinite(ends))):
        raise ContractError(
            f"ends_days: got {ends.tolist()[:5]}. Wanted: at least one finite number of days, ascending, above 0."
        )
    if not 0 < level < 1:
        raise ContractError(f"level: got {level}. Wanted: between 0 and 1, exclusive.")
    each = _each_period(purchases, histories, ends)
    excess = _excess(purchases, histories, each.sum(axis=1), ends[-1], seed)
    reach = np.divide(each, each.sum(axis=1, keepdims=True), out=np.zeros_like(each), where=each > 0)
    variance = each + excess[:, None] * reach**2
    worth, scatter = _spend_factors(spend, histories)
    weight = histories.n_customers[:, None]
    money = worth[:, None] * each
    money_variance = scatter[0][:, None] * each + scatter[1][:, None] * (variance + each**2) + scatter[2][:, None] * variance
    unsure = _unsure(purchases, spend, histories, ends)
    return TotalForecast(
        orders=_by_group(weight * each, histories),
        revenue=_by_group(money, histories),
        orders_sd=np.sqrt(np.maximum(_by_group(weight * variance, histories), 0.0)),
        revenue_sd=np.sqrt(np.maximum(_by_group(money_variance, histories), 0.0)),
        orders_unsure=unsure[0],
        revenue_unsure=unsure[1],
        level=level,
    )


def add_up(parts: Sequence[TotalForecast]) -> TotalForecast:
    """Return the forecast of several parts of the customers together, such as those whose clocks differ; at least one part."""
    orders, revenue = (np.sum([getattr(part, name) for part in parts], axis=0) for name in ("orders", "revenue"))
    return TotalForecast(
        orders=orders,
        revenue=revenue,
        orders_sd=np.sqrt(np.sum([part.orders_sd**2 for part in parts], axis=0)),
        revenue_sd=np.sqrt(np.sum([part.revenue_sd**2 for part in parts], axis=0)),
        orders_unsure=_mean_unsure([(part.orders, part.orders_unsure) for part in parts]),
        revenue_unsure=_mean_unsure([(part.revenue, part.revenue_unsure) for part in parts]),
        level=parts[0].level,
    )


def _mean_unsure(parts: Sequence[tuple[Array, Array]]) -> Array:
    """Return the relative deviation of the sum: the parameters move all parts together."""
    moved = np.sum([mean.sum(axis=0) * unsure for mean, unsure in parts], axis=0)
    total = np.sum([mean.sum(axis=0) for mean, _ in parts], axis=0)
    return np.asarray(np.divide(moved, total, out=np.zeros_like(total), where=total > 0))


def forecast_each(
    purchases: PurchaseModel, spend: GammaGamma, histories: SharedHistories, horizons_days: npt.ArrayLike
) -> tuple[Array, Array]:
    """Return what customers will do within horizons of their own, one per history: purchase days and revenue per group."""
    left = as_column(horizons_days, "horizons_days")
    young = np.flatnonzero(left > 0)
    each = np.zeros(len(histories))
    if len(young):
        x, age = histories.frequency[young], histories.age_days[young]
        active = purchases.expected_orders_if_active(x, age, left[young][:, None])[:, 0]
        each[young] = purchases.probability_alive(x, histories.recency_days[young], age) * active
    worth, _ = _spend_factors(spend, histories)
    orders, revenue = _by_group(np.stack([histories.n_customers * each, worth * each], axis=1), histories).T
    return orders, revenue


def _each_period(purchases: PurchaseModel, histories: SharedHistories, ends: Array) -> Array:
    """Return the expected purchase days of one customer of each history in each period, shape (n_histories, n_periods)."""
    alive = purchases.probability_alive(histories.frequency, histories.recency_days, histories.age_days)
    up_to = purchases.expected_orders_if_active(histories.frequency, histories.age_days, ends)
    return np.maximum(alive[:, None] * np.diff(up_to, axis=1, prepend=0.0), 0.0)


def _excess(purchases: PurchaseModel, histories: SharedHistories, mean: Array, horizon_days: float, seed: int) -> Array:
    """Return by how much the variance of a customer's purchase days up to the horizon exceeds their mean, per history, as drawn.

    Counts scatter more than a Poisson count of the same mean because rates and stopping are not known. Of a part of the horizon
    that holds the share s of the mean, the excess is s squared: rates are wrong by the same factor everywhere.
    """
    if not len(histories):
        return np.zeros(0)
    n_draws = int(np.clip(_DRAWS // len(histories), 12, 2000))
    rng, out, at_once = np.random.default_rng(seed), np.empty(len(histories)), max(1, 2_000_000 // n_draws)
    for begin in range(0, len(histories), at_once):
        part = slice(begin, begin + at_once)
        x, t_x, age = histories.frequency[part], histories.recency_days[part], histories.age_days[part]
        drawn = purchases.simulate_orders(x, t_x, age, horizon_days, n_draws, rng)
        out[part] = ((drawn - mean[part, None]) ** 2).mean(axis=1) - mean[part]
    return out


def _spend_factors(spend: GammaGamma | None, histories: SharedHistories) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return per history the customers' summed spend per purchase, and the summed factors of the variance of revenue.

    With N purchases at values of mean m and own variance v, both uncertain, Var(revenue) = E(N) E(v) + E(N^2) Var(m) + Var(N) E(m)^2.
    """
    if spend is None:
        zero = np.zeros(len(histories))
        return zero, (zero, zero, zero)
    p, q, gamma = spend.parameters_
    n, customers = histories.frequency + 1, histories.n_customers
    shape = p * n + q
    rate = customers * gamma + n * histories.spend
    squared_rate = customers * gamma**2 + 2 * gamma * n * histories.spend + n**2 * histories.squared_spend
    ahead = np.maximum(shape - 2.0, _SMALLEST_EXCESS)
    own = p * squared_rate / ((shape - 1) * ahead)
    of_mean = p**2 * squared_rate / ((shape - 1) ** 2 * ahead)
    return p * rate / (shape - 1), (own, of_mean, p**2 * squared_rate / (shape - 1) ** 2)


def _by_group(figures: Array, histories: SharedHistories) -> Array:
    """Return the sums of the rows of each group, shape (n_groups, n_periods)."""
    columns = [np.bincount(histories.group, weights=column, minlength=histories.n_groups) for column in figures.T]
    return np.stack(columns, axis=1)


def _unsure(purchases: PurchaseModel, spend: GammaGamma | None, histories: SharedHistories, ends: Array) -> tuple[Array, Array]:
    """Return the relative standard deviation of the totals that comes from the parameters: orders and revenue, per period.

    The delta method on the logarithms of total and parameters, judged by an even part of the histories.
    """
    part = slice(None, None, max(1, len(histories) // _SAMPLED))
    few = replace(
        histories,
        frequency=histories.frequency[part],
        recency_days=histories.recency_days[part],
        age_days=histories.age_days[part],
        n_customers=histories.n_customers[part],
        spend=histories.spend[part],
        squared_spend=histories.squared_spend[part],
        group=histories.group[part],
    )

    def orders_of(model: PurchaseModel) -> Array:
        total: Array = (few.n_customers[:, None] * _each_period(model, few, ends)).sum(axis=0)
        return total

    of_orders = _relative_variance(purchases, purchases.parameter_names, orders_of)
    if spend is None:
        return np.sqrt(of_orders), np.sqrt(of_orders)
    each = _each_period(purchases, few, ends)

    def revenue_of(model: Any) -> Array:
        total: Array = (_spend_factors(model, few)[0][:, None] * each).sum(axis=0)
        return total

    of_spend = _relative_variance(spend, ("p", "q", "gamma"), revenue_of)
    return np.sqrt(of_orders), np.sqrt(of_orders + of_spend)


def _relative_variance(model: Any, names: tuple[str, ...], total_of: Callable[[Any], Array]) -> Array:
    """Return the variance of log(total) that the covariance of the log-parameters gives, per period."""
    covariance = np.array(model.report_.covariance)
    centre = total_of(model)
    if covariance.shape != (len(names), len(names)):
        return np.zeros_like(centre)
    slopes = []
    for place in range(len(names)):
        sides = [np.log(np.maximum(total_of(_moved(model, names, place, step)), 1e-300)) for step in (-_STEP, _STEP)]
        slopes.append((sides[1] - sides[0]) / (2 * _STEP))
    slope = np.stack(slopes)
    variance: Array = np.maximum(np.einsum("ik,ij,jk->k", slope, covariance, slope), 0.0)
    return np.where(centre > 0, variance, 0.0)


def _moved(model: Any, names: tuple[str, ...], place: int, step: float) -> Any:
    """Return the model with one of its fitted coordinates moved: log-parameters, log(q - 1) for q of Gamma-Gamma."""
    values = dict(zip(names, model.parameters_, strict=True))
    name = names[place]
    if isinstance(model, GammaGamma):
        values[name] = 1 + (values[name] - 1) * np.exp(step) if name == "q" else values[name] * np.exp(step)
        return GammaGamma.from_parameters(**values)
    values[name] *= np.exp(step)
    return type(model).from_values(values)


def _ends(mean: Array, sd: Array, unsure: Array, level: float) -> tuple[Array, Array]:
    """Return the interval of a sum that cannot be negative: the quantiles of the Gamma with its mean and variance.

    A sum that will most likely be 0 has its mean above the quantile; the interval is then widened to hold it, as for customers.
    """
    from scipy.special import gammaincinv

    variance = sd**2 + (mean * unsure) ** 2
    known = (mean > 0) & (variance > 0)
    safe_mean, safe_variance = np.where(known, mean, 1.0), np.where(known, variance, 1.0)
    shape = safe_mean**2 / safe_variance
    ends = [safe_mean / shape * gammaincinv(shape, tail) for tail in ((1 - level) / 2, (1 + level) / 2)]
    return np.minimum(np.where(known, ends[0], mean), mean), np.maximum(np.where(known, ends[1], mean), mean)
