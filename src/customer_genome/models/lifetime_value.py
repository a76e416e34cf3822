"""What customers are worth over a horizon: purchases times spend, discounted to today.

Comes in: a fitted purchase model, a fitted spend model, and per customer the purchase history and the spend so far. Goes out: the
expected value per customer, undiscounted revenue, and an interval for what may really happen. It assumes, as both models do, that how
often somebody buys tells nothing about how much they spend at a time. Nothing here fits a model or knows files or settings.

How it stays fast: everything that costs time depends on (x, T) only, or on (x, T, n) for intervals, and is computed once per
distinct combination; a customer adds one multiplication.

Source
------
Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4), 415-430, for value as discounted expected
transactions times expected spend. The formulas used here are derived in docs/models.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.estimator import Array
from customer_genome.models.histories import Histories, check_histories, distinct_rows, once_per_distinct
from customer_genome.models.purchases import BetaGeometricNBD, check_horizon
from customer_genome.models.spend import GammaGamma

DAYS_PER_YEAR = 365.0
N_TIMES = 16
"""Gauss-Legendre points over the horizon; more change an ordinary value by less than 1e-9 of itself."""
_CHUNK = 512
_EXACT_COUNTS = 64
_STEPS = 16
_MOST_COUNTED = 1e12


@dataclass(frozen=True)
class ValueInterval:
    """Lower end, mean and upper end of each customer's value, each of shape (n_customers,), money."""

    lower: Array
    mean: Array
    upper: Array


def lifetime_value(
    purchases: BetaGeometricNBD,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon_days: float,
    annual_discount: float = 0.10,
    margin: float = 1.0,
    *,
    time_unit_days: float = 1.0,
) -> Array:
    """Return the expected discounted value of each customer over the next `horizon_days`.

    Parameters
    ----------
    purchases, spend : fitted models
        `purchases` fitted in the unit of time that is used here.
    frequency, recency_days, age_days : arrays, shape (n_customers,)
        Purchase history, see `BetaGeometricNBD.fit`.
    n_purchases, mean_spend : arrays, shape (n_customers,)
        Spend so far, see `GammaGamma.fit`.
    horizon_days : float, days, >= 0
    annual_discount : float, > -1
        0.10 makes money a year from now worth 1 / 1.10. Every purchase is discounted from its own day, continuously.
    margin : float
        Share of spend that counts as value; 1 = revenue.
    time_unit_days : float
        Days per unit of time, for the discount: 7 when model, histories and horizon are all in weeks.

    Returns
    -------
    array, shape (n_customers,), money
    """
    orders = discounted_orders(purchases, frequency, recency_days, age_days, horizon_days, annual_discount, time_unit_days)
    return margin * orders * spend.expected_spend(n_purchases, mean_spend)


def expected_spend(
    purchases: BetaGeometricNBD,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon_days: float,
) -> Array:
    """Return the expected revenue of each customer over the horizon, without discount and margin, shape (n_customers,), money."""
    orders = purchases.expected_orders(frequency, recency_days, age_days, horizon_days)
    return orders * spend.expected_spend(n_purchases, mean_spend)


def discounted_orders(
    purchases: BetaGeometricNBD,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    horizon_days: float,
    annual_discount: float = 0.10,
    time_unit_days: float = 1.0,
) -> Array:
    """Return each customer's expected purchase days in the horizon, each worth less the later it falls.

    With E(s) the expected purchases up to s and d the daily discount rate, the integral of exp(-d s) dE(s) up to the horizon H equals
    exp(-d H) E(H) + d times the integral of exp(-d s) E(s). The second part is small and E is smooth, so a few points
    give it exactly enough; they are placed towards s = 0, where E bends most.

    Returns
    -------
    array, shape (n_customers,), purchase days; equal to expected_orders without discount
    """
    histories = check_histories(frequency, recency_days, age_days)
    alive = purchases.probability_alive(histories.frequency, histories.recency_days, histories.age_days)
    active = once_per_distinct(
        lambda x, age: discounted_orders_if_active(purchases, x, age, horizon_days, annual_discount, time_unit_days),
        histories.frequency,
        histories.age_days,
    )
    return alive * active


def discounted_orders_if_active(
    purchases: BetaGeometricNBD,
    frequency: Array,
    age_days: Array,
    horizon_days: float,
    annual_discount: float = 0.10,
    time_unit_days: float = 1.0,
    n_times: int = N_TIMES,
) -> Array:
    """Return `discounted_orders` for customers known to be active, shape (n_customers,)."""
    horizon, rate = check_horizon(horizon_days), daily_rate(annual_discount) * time_unit_days
    if rate == 0 or horizon == 0:
        return purchases.expected_orders_if_active(frequency, age_days, [horizon])[:, 0]
    nodes, weights = np.polynomial.legendre.leggauss(n_times)
    nodes, weights = (nodes + 1) / 2, weights / 2
    times = horizon * nodes**2
    orders = purchases.expected_orders_if_active(frequency, age_days, np.append(times, horizon))
    each = np.append(rate * np.exp(-rate * times) * weights * 2 * horizon * nodes, np.exp(-rate * horizon))
    value: Array = (orders * each).sum(axis=1)  # not a matrix product: its rounding depends on the number of rows
    return value


def lifetime_value_interval(
    purchases: BetaGeometricNBD,
    spend: GammaGamma,
    frequency: npt.ArrayLike,
    recency_days: npt.ArrayLike,
    age_days: npt.ArrayLike,
    n_purchases: npt.ArrayLike,
    mean_spend: npt.ArrayLike,
    horizon_days: float,
    annual_discount: float = 0.10,
    margin: float = 1.0,
    *,
    level: float = 0.80,
    n_draws: int = 1024,
    seed: int = 0,
    cover_mean: bool = True,
    time_unit_days: float = 1.0,
) -> ValueInterval:
    """Return, per customer, a range that the realised value over the horizon falls into with probability `level`.

    The chance of no purchase at all is exact; given that there is one, counts come from their exact distribution and spend from its
    posterior, simulated at `n_draws` points of a scrambled Sobol sequence. All customers share the points, so a
    customer's interval does not depend on who else is in the arrays, and the same seed gives the same intervals. Purchases
    are discounted by the customer's average discount. Parameters are taken as known; what the models miss is not in here.

    Parameters
    ----------
    level : float, between 0 and 1
        0.80 gives the quantiles 0.1 and 0.9.
    n_draws : int
        Simulated outcomes per distinct customer, rounded up to a power of two.
    cover_mean : bool
        A customer who most likely buys nothing has the honest interval [0, 0] and yet a positive mean. True widens such an interval
        to its mean, so that lower <= mean <= upper always holds; False gives the bare quantiles.
    """
    if not 0 < level < 1:
        raise ContractError(f"level: got {level}. Wanted: between 0 and 1, exclusive; 0.8 gives an 80 % interval.")
    histories = check_histories(frequency, recency_days, age_days)
    x, t_x, age = histories.frequency, histories.recency_days, histories.age_days
    shape, rate = spend.posterior(n_purchases, mean_spend)
    expected = purchases.expected_orders(x, t_x, age, horizon_days)
    discounted = discounted_orders(purchases, x, t_x, age, horizon_days, annual_discount, time_unit_days)
    mean = margin * discounted * spend.expected_spend(n_purchases, mean_spend)
    unit = rate * margin * np.divide(discounted, expected, out=np.zeros_like(expected), where=expected > 0)
    some = purchases.probability_of_order(x, t_x, age, horizon_days)
    sides = np.array([(1 - level) / 2, (1 + level) / 2])
    bounds = np.zeros((len(histories), 2))
    open_ended = np.flatnonzero(some > 1 - sides[1])
    if len(open_ended):
        numbers = _Numbers(n_draws, seed)
        picked = Histories(x[open_ended], t_x[open_ended], age[open_ended])
        bounds[open_ended] = _quantiles(
            purchases, spend, picked, shape[open_ended], some[open_ended], horizon_days, sides, numbers
        )
    lower, upper = np.sort(unit[:, None] * bounds, axis=1).T
    if cover_mean:
        lower, upper = np.minimum(lower, mean), np.maximum(upper, mean)
    return ValueInterval(lower, mean, upper)


def daily_rate(annual_discount: float) -> float:
    """Return the continuous discount rate per day that makes a year's discount `annual_discount`."""
    if not (np.isfinite(annual_discount) and annual_discount > -1):
        raise ContractError(
            f"annual_discount: got {annual_discount}. Wanted: a share above -1, for example 0.10 for 10 % a year."
        )
    return float(np.log1p(annual_discount)) / DAYS_PER_YEAR


class _Numbers:
    """The evenly spread random numbers that all customers share: for counts (sorted), for a purchase sum, for nu."""

    def __init__(self, n_draws: int, seed: int) -> None:
        from scipy.stats import qmc

        power = max(int(np.ceil(np.log2(max(n_draws, 2)))), 1)
        points = qmc.Sobol(d=3, scramble=True, rng=np.random.default_rng(seed)).random_base2(power)
        points = np.clip(points[np.argsort(points[:, 0])], 1e-9, 1 - 1e-9)
        self.count, self.sum, self.nu = points.T

    def __len__(self) -> int:
        return len(self.count)


def _quantiles(
    purchases: BetaGeometricNBD,
    spend: GammaGamma,
    histories: Histories,
    shape: Array,
    some: Array,
    horizon_days: float,
    sides: Array,
    numbers: _Numbers,
) -> Array:
    """Return quantiles of spend in units of the customer's posterior rate, shape (n_customers, 2), for customers who may buy.

    With probability `some` there is a purchase, so the q-quantile of all outcomes is the (q - 1 + some) / some quantile of those with one.
    """
    rows = distinct_rows(histories.frequency, histories.age_days, shape)
    members = np.argsort(rows.inverse, kind="stable")
    ends = np.searchsorted(rows.inverse[members], np.arange(len(rows) + 1))
    place = (sides[None, :] - 1 + some[:, None]) / some[:, None]
    out = np.zeros((len(some), 2))
    for begin in range(0, len(rows), _CHUNK):
        end = min(begin + _CHUNK, len(rows))
        x, age, nu_shape = (column[begin:end] for column in rows.columns)
        outcomes = _outcomes(purchases, spend, x, age, nu_shape, horizon_days, numbers)
        customers = members[ends[begin] : ends[end]]
        row = rows.inverse[customers] - begin
        for side in (0, 1):
            out[customers, side] = _read_sorted(outcomes, row, place[customers, side])
    return out


def _outcomes(
    purchases: BetaGeometricNBD, spend: GammaGamma, x: Array, age: Array, nu_shape: Array, horizon_days: float, numbers: _Numbers
) -> Array:
    """Return sorted outcomes, given at least one purchase, of each distinct customer: shape (n_rows, n_draws)."""
    from scipy.special import gammaincinv

    counts = _counts_if_any(purchases, x, age, horizon_days, numbers.count)
    p = spend.parameters_[0]
    few = gammaincinv(p * np.arange(_EXACT_COUNTS + 1.0)[:, None], numbers.sum[None, :])
    sums = few[np.minimum(counts, _EXACT_COUNTS).astype(np.intp), np.arange(len(numbers))]
    row, draw = np.nonzero(counts > _EXACT_COUNTS)
    sums[row, draw] = gammaincinv(p * counts[row, draw], numbers.sum[draw])
    shapes, which = np.unique(nu_shape, return_inverse=True)
    nus = np.maximum(gammaincinv(shapes[:, None], numbers.nu[None, :]), np.finfo(np.float64).tiny)
    values: Array = sums / nus[which]
    values.sort(axis=1)
    return values


def _counts_if_any(purchases: BetaGeometricNBD, x: Array, age: Array, horizon_days: float, uniform: Array) -> Array:
    """Return the count at each upper-tail probability in `uniform` (ascending), given at least one: shape (n_rows, n_draws)."""
    counts = np.ones((len(x), len(uniform)))
    first = purchases.at_least_if_active(np.ones(1), x, age, horizon_days)
    n, active = 2, np.flatnonzero(first[:, 0] > 0)
    while len(active) and n <= _EXACT_COUNTS:
        steps = np.arange(n, n + _STEPS, dtype=np.float64)
        tails = purchases.at_least_if_active(steps, x[active], age[active], horizon_days) / first[active]
        for tail in tails.T:
            counts[active] += uniform < tail[:, None]
        active = active[tails[:, -1] > uniform[0]]
        n += _STEPS
    if len(active):
        large = _large_counts(purchases, x[active], age[active], horizon_days, uniform, first[active])
        counts[active] = np.where(counts[active] >= n - 1, np.maximum(large, n - 1), counts[active])
    return counts


def _large_counts(purchases: BetaGeometricNBD, x: Array, age: Array, horizon_days: float, uniform: Array, first: Array) -> Array:
    """Return the same for customers who may buy very often, by bisection at some probabilities and straight lines between them."""
    last = len(uniform) - 1
    picked = np.unique(np.round(last * np.append(np.linspace(0, 1, 49) ** 3, np.linspace(0, 1, 33))).astype(int))
    level = uniform[picked] * first
    low, high = np.ones_like(level), np.full_like(level, 2.0 * _EXACT_COUNTS)
    while True:
        beyond = (purchases.at_least_if_active(high, x, age, horizon_days) > level) & (high < _MOST_COUNTED)
        if not beyond.any():
            break
        low, high = np.where(beyond, high, low), np.where(beyond, 2 * high, high)
    while np.any(high - low > np.maximum(1.0, 1e-6 * low)):
        middle = np.floor((low + high) / 2)
        reached = purchases.at_least_if_active(middle, x, age, horizon_days) > level
        low, high = np.where(reached, middle, low), np.where(reached, high, middle)
    return np.array([np.round(np.interp(uniform, uniform[picked], row)) for row in low])


def _read_sorted(outcomes: Array, row: npt.NDArray[np.intp], place: Array) -> Array:
    """Return the `place` quantile of the sorted `row` of outcomes; 0 where place <= 0, since then no purchase is the answer."""
    last = outcomes.shape[1] - 1
    position = np.clip(place * outcomes.shape[1] - 0.5, 0.0, last)
    below = np.floor(position).astype(np.intp)
    above = np.minimum(below + 1, last)
    share = position - below
    value = (1 - share) * outcomes[row, below] + share * outcomes[row, above]
    return np.where(place <= 0, 0.0, value)
