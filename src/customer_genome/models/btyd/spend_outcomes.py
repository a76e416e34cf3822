"""How the money an active customer brings is spread, given that they buy at all: its quantiles, read from tables.

Comes in: fitted models of purchases and spend, horizons. Goes out: per distinct (x, T, n) and horizon the logarithm of the quantiles of
the sum of all purchases, in units of the customer's posterior rate of nu. The distribution is exact up to interpolation: no draws.

With K purchases of Gamma(p, nu) each and nu ~ Gamma(shape, rate), the sum over rate is a ratio of gamma variables,
P(sum > y rate) = I(1 / (1 + y); shape, p K) with I the regularised incomplete beta function. Its mean over the distribution of K, for
which P(K >= k) is known, is a matrix product. Large counts are taken in blocks of a few percent.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from customer_genome.models.btyd.active_future import Horizons, time_scale
from customer_genome.models.btyd.history_tables import HistoryTable
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.estimator import Array

_POINTS = 4
_MOST_BLOCKS = 128
_PROBES: Array = 2.0 ** np.arange(41.0)
_FIRST_PROBES = 10
_NEGLIGIBLE = 1e-6
_LOWER_HALF, _UPPER_HALF = 20, 64
_STEPS = 64
_HIGHEST = 9.0
_SMALLEST_LOG = -690.0
_NOTHING_LEFT, _FALLING = -41.0, 0.9
"""A tail whose first term has a smaller logarithm, of terms that fall faster, changes no digit of 1."""


class SpendOutcomes:
    """Quantiles of an active customer's total spend up to every horizon, given at least one purchase.

    Parameters
    ----------
    smallest : float, between 0 and 0.5
        No quantile beyond this upper-tail probability will be asked for.
    """

    def __init__(self, purchases: PurchaseModel, spend: GammaGamma, horizons: Horizons, smallest: float) -> None:
        self._purchases, self._spend, self._horizons = purchases, spend, horizons
        self._lowest = float(np.log(0.98 * smallest / (1 - 0.98 * smallest)))
        self._step = (_HIGHEST - self._lowest) / (_STEPS - 1)
        self._tables: dict[float, HistoryTable] = {}

    def rows(self, frequency: Array, age: Array, n_purchases: Array) -> Array:
        """Return log quantiles on the grid of tail log-odds, shape (n, n_horizons, n_steps), of distinct rows."""
        beyond, shape = n_purchases - frequency, (len(frequency), len(self._horizons), _STEPS)
        kinds = np.unique(beyond).tolist()
        if len(kinds) == 1:
            return self._table(kinds[0]).rows(frequency, age).reshape(shape)
        out = np.empty(shape)
        for one in kinds:
            members = np.flatnonzero(beyond == one)
            values = self._table(one).rows(frequency[members], age[members])
            out[members] = values.reshape(len(members), len(self._horizons), _STEPS)
        return out

    def read(self, rows: Array, row: npt.NDArray[np.intp], tail: Array) -> Array:
        """Return quantiles: for entry i the value that `row[i]` exceeds with probability tail[i, j] by horizon j; 0 where tail >= 1.

        Parameters
        ----------
        rows : array, shape (n_rows, n_horizons, n_steps), from `rows`
        row : whole numbers, shape (n,)
        tail : array, shape (n, n_horizons), > 0
        """
        out = np.zeros(tail.shape)
        at, horizon = np.nonzero(tail < 1.0)
        wanted = tail[at, horizon]
        place = (np.log(wanted / (1.0 - wanted)) - self._lowest) / self._step
        below = np.clip(place, 0, _STEPS - 2).astype(np.intp)
        share = place - below
        flat, start = rows.reshape(-1), (row[at] * len(self._horizons) + horizon) * _STEPS + below
        left = flat[start]
        out[at, horizon] = np.exp(left + share * (flat[start + 1] - left))
        return out

    def exceeded(self, rows: Array, row: npt.NDArray[np.intp], horizon: npt.NDArray[np.intp], log_y: Array) -> Array:
        """Return the probability that an outcome lies above exp(log_y), given a purchase: the inverse of `read`.

        Parameters
        ----------
        rows : array, from `rows`
        row, horizon : whole numbers, shape (n,)
        log_y : array, shape (n,)
        """
        flat, start = rows.reshape(-1), (row * len(self._horizons) + horizon) * _STEPS
        low, high = np.zeros(len(log_y), dtype=np.intp), np.full(len(log_y), _STEPS - 1, dtype=np.intp)
        for _ in range(int(np.ceil(np.log2(_STEPS)))):
            middle = (low + high) // 2
            is_above = flat[start + middle] >= log_y
            low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
        left = np.minimum(low, _STEPS - 2)
        upper, lower = flat[start + left], flat[start + left + 1]
        share = np.divide(upper - log_y, upper - lower, out=np.zeros_like(log_y), where=upper > lower)
        odds = self._lowest + self._step * (left + share)
        chance: Array = 1 / (1 + np.exp(-np.clip(odds, -700.0, 700.0)))
        return chance

    def _table(self, beyond: float) -> HistoryTable:
        """Return the table of customers with `beyond` more purchases known to the spend model than repeat purchases."""
        if beyond not in self._tables:
            self._tables[beyond] = HistoryTable(
                lambda x, age: self._compute(x, age, beyond), time_scale(self._purchases), _POINTS
            )
        return self._tables[beyond]

    def _compute(self, frequency: Array, age: Array, beyond: float) -> Array:
        """Return log quantiles at the points of a table, shape (n, n_horizons * n_steps)."""
        out = np.empty((len(frequency), len(self._horizons), _STEPS))
        for one in np.unique(frequency).tolist():
            members = np.flatnonzero(frequency == one)
            out[members] = self._of_count(one, age[members], max(one + beyond, 0.0))
        return out.reshape(len(frequency), -1)

    def _of_count(self, frequency: float, ages: Array, n_purchases: float) -> Array:
        """Return log quantiles for one count and several ages, shape (n_ages, n_horizons, n_steps)."""
        p, q, _ = self._spend.parameters_
        shape = p * n_purchases + q
        tails, counts = self._tails(frequency, ages)
        first = tails[:, :1]
        if not np.any(first > 0):
            return np.full((len(ages), len(self._horizons), _STEPS), _SMALLEST_LOG)
        of_block = np.clip(tails - np.append(tails[:, 1:], np.zeros((len(tails), 1)), axis=1), 0.0, None)
        log_y = self._grid(shape, p, float(counts[0]), self._count_beyond(tails, counts))
        exceeded = of_block @ _exceeds(log_y, shape, p * counts)
        survived = np.divide(exceeded, first, out=np.zeros_like(exceeded), where=first > 0)
        survived = np.minimum.accumulate(np.clip(survived, 1e-15, 1 - 1e-12), axis=1)
        odds = np.log(survived / (1 - survived))[:, ::-1]
        wanted, falling = self._lowest + self._step * np.arange(_STEPS), log_y[::-1]
        found = np.array([np.interp(wanted, row, falling) for row in odds])
        return np.where(first > 0, found, _SMALLEST_LOG).reshape(len(ages), len(self._horizons), _STEPS)

    def _tails(self, frequency: float, ages: Array) -> tuple[Array, Array]:
        """Return P(K >= first count of each block), shape (n_ages * n_horizons, n_blocks), and the middle of each block."""
        at = self._horizons.times
        begins = self._block_begins(frequency, ages)
        age, horizon = np.repeat(ages, len(at)), np.tile(at, len(ages))
        tails = self._purchases.at_least_if_active(begins[:-1], np.full(len(age), frequency), age, horizon)
        return tails, (begins[:-1] + begins[1:] - 1) / 2

    def _block_begins(self, frequency: float, ages: Array) -> Array:
        """Return the first count of every block, and the one after the last: single counts where they are few, else even in log."""
        ends = self._horizons.times[[0, -1]]
        age, horizon = np.repeat(ages, 2), np.tile(ends, len(ages))
        x = np.full(len(age), frequency)
        tails = self._purchases.at_least_if_active(_PROBES[:_FIRST_PROBES], x, age, horizon)
        given = tails / np.maximum(tails[:, :1], 1e-300)
        if (given[:, -1] > _NEGLIGIBLE).any():  # seldom: somebody may buy more than five hundred times
            given = self._purchases.at_least_if_active(_PROBES, x, age, horizon) / np.maximum(tails[:, :1], 1e-300)
        is_sure, is_possible = (given > 1 - _NEGLIGIBLE).all(axis=0), (given > _NEGLIGIBLE).any(axis=0)
        low = _PROBES[max(int(np.argmin(is_sure)) - 1, 0)] if not is_sure.all() else _PROBES[-1]
        high = _PROBES[min(int(is_possible.sum()), len(_PROBES) - 1)]
        last = max(high, low + 1)
        begins: Array = np.unique(np.append(np.round(np.geomspace(low, last, _MOST_BLOCKS)), [1.0, last + 1]))
        return begins

    def _count_beyond(self, tails: Array, counts: Array) -> float:
        """Return a count that is exceeded with less than a tenth of the smallest tail, whatever age and horizon."""
        least = 0.1 / (1 + np.exp(-self._lowest))
        rare = (tails <= least * np.maximum(tails[:, :1], 1e-300)).all(axis=0)
        return float(counts[np.argmax(rare)] if rare.any() else counts[-1])

    def _grid(self, shape: float, p: float, smallest: float, largest: float) -> Array:
        """Return log y from the smallest sums that matter to the largest, ascending."""
        from scipy.special import betaincinv

        low = 1 / (1 + np.exp(-np.linspace(-12.0, 0.0, _LOWER_HALF)))
        smallest_sums = _log_odds(betaincinv(p * smallest, shape, low))
        top = _log_odds(betaincinv(p * largest, shape, 1 - 0.2 / (1 + np.exp(-self._lowest))))
        above = np.linspace(smallest_sums[-1], max(float(top), float(smallest_sums[-1]) + 1e-6), _UPPER_HALF + 1)
        return np.maximum.accumulate(np.append(smallest_sums, above[1:]))


def _log_odds(share: Array) -> Array:
    with np.errstate(divide="ignore"):
        odds: Array = np.clip(np.log(share) - np.log1p(-share), _SMALLEST_LOG, -_SMALLEST_LOG)
    return odds


def _exceeds(log_y: Array, shape: float, sizes: Array) -> Array:
    """Return P(Gamma(size) / Gamma(shape) > y), shape (n_sizes, n_y).

    Nearly half of it is 1 to the last digit, where y lies far below what so many purchases come to: the other tail is below its first
    term over 1 - ratio, the terms of its series falling at least as fast as `ratio` (DLMF 8.17.8). There nothing is worked out.
    """
    from scipy.special import betainc, betaln, expit

    below, above, size = expit(log_y), expit(-log_y), sizes[:, None]
    first = size * np.log(below) + shape * np.log(above) - (betaln(sizes, shape) + np.log(sizes))[:, None]
    ratio = below * np.maximum((size + shape) / (size + 1.0), 1.0)
    rows, columns = np.nonzero((first > _NOTHING_LEFT) | (ratio > _FALLING))
    chance = np.ones(first.shape)
    chance[rows, columns] = betainc(shape, sizes[rows], above[columns])
    return chance
