"""Standard errors of figures by resampling customers: every candidate sees the same resamples, so differences have errors too.

Comes in: what was predicted and what came, one row per customer, and how often each customer is drawn. Goes out: the figures of
`metrics` for the drawn customers. Rows are sorted once; a draw then costs a few passes, where computing the metric of copied
rows would sort each time. Tenths of customers stay those of all rows.

Source
------
Efron (1979), Bootstrap Methods, Annals of Statistics 7.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from customer_genome.evaluation.metrics import _deciles, _pair

Array = npt.NDArray[np.float64]


def draws(n: int, n_draws: int, seed: int) -> Iterator[Array]:
    """Yield how often each of n customers is drawn, float arrays of shape (n,) that add up to n."""
    rng = np.random.default_rng(seed)
    for _ in range(n_draws if n else 0):
        yield np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)


class Ranked:
    """Values of customers in groups of equal ones, from high to low."""

    def __init__(self, values: Array) -> None:
        _, inverse = np.unique(-values, return_inverse=True)
        self._group = inverse
        self._n_groups = int(inverse.max()) + 1 if len(inverse) else 0

    def sums(self, weights: Array) -> Array:
        """Return the sum of weights of each group, from the highest value down."""
        return np.asarray(np.bincount(self._group, weights=weights, minlength=self._n_groups), dtype=np.float64)

    def middle_places(self, counts: Array) -> Array:
        """Return the mean place of each customer's group among the drawn ones."""
        sizes = self.sums(counts)
        return np.asarray((np.cumsum(sizes) - sizes + (sizes + 1) / 2)[self._group], dtype=np.float64)

    def concentration(self, counts: Array, money: Array) -> float:
        """Return the area between the share-of-money curve, customers in this order, and the diagonal."""
        n, total = float(counts.sum()), float(counts @ money)
        if n == 0 or total <= 0:
            return 0.0
        sizes, shares = self.sums(counts), self.sums(counts * money) / total
        before = np.cumsum(shares) - shares
        return float((sizes * before + shares * (sizes + 1) / 2).sum()) / n - (n + 1) / (2 * n)


class Tenths:
    """Customers in tenths by prediction, lowest first."""

    def __init__(self, predicted: Array) -> None:
        parts = _deciles(predicted)
        self._part = np.zeros(len(predicted), dtype=np.intp)
        for number, rows in enumerate(parts):
            self._part[rows] = number
        self._n_parts = len(parts)

    def sums(self, weights: Array) -> Array:
        """Return the sum of weights of each tenth."""
        return np.asarray(np.bincount(self._part, weights=weights, minlength=self._n_parts), dtype=np.float64)


class SpendRows:
    """A prediction of money and what came, ready for any number of draws."""

    def __init__(self, actual: npt.ArrayLike, predicted: npt.ArrayLike) -> None:
        self._y, self._p = _pair(actual, predicted)
        self._by_prediction, self._by_actual, self._tenths = Ranked(self._p), Ranked(self._y), Tenths(self._p)

    def figures(self, counts: Array) -> dict[str, float]:
        """Return the figures of `metrics.spend_metrics` for the drawn customers."""
        y, p = self._y, self._p
        n, total = float(counts.sum()), float(counts @ y)
        best = self._by_actual.concentration(counts, y)
        sizes, came, said = (self._tenths.sums(counts * values) for values in (np.ones(len(y)), y, p))
        some = (came > 0) & (sizes > 0)
        return {
            "gini": self._by_prediction.concentration(counts, y) / best if best > 0 else np.nan,
            "spearman": _correlation(self._by_prediction.middle_places(counts), self._by_actual.middle_places(counts), counts),
            "mae_over_mean": _ratio(float(counts @ np.abs(y - p)), total),
            "bias": _ratio(float(counts @ p), total),
            "decile_mape": float(np.mean(np.abs(said[some] / came[some] - 1))) if some.any() else np.nan,
            "top_decile_lift": _ratio(_ratio(float(came[-1]), float(sizes[-1])), _ratio(total, n)) if n else np.nan,
        }


class OrderRows:
    """A predicted chance to order and what came, ready for any number of draws."""

    def __init__(self, ordered: npt.ArrayLike, probability: npt.ArrayLike) -> None:
        self._y, self._p = _pair(ordered, probability)
        self._ranked, self._tenths = Ranked(self._p), Tenths(self._p)

    def figures(self, counts: Array) -> dict[str, float]:
        """Return the figures of `metrics.order_metrics` but the slope, for the drawn customers."""
        y, p = self._y, self._p
        n, buyers = float(counts.sum()), float(counts @ y)
        yes, no = self._ranked.sums(counts * y), self._ranked.sums(counts * (1 - y))
        above = np.cumsum(yes) - yes
        both = 0 < buyers < n
        seen = np.maximum(np.cumsum(yes) + np.cumsum(no), 1e-300)
        sizes, came, said = (self._tenths.sums(counts * values) for values in (np.ones(len(y)), y, p))
        return {
            "auc": float(no @ (above + yes / 2)) / (buyers * (n - buyers)) if both else np.nan,
            "pr_auc": float(yes @ (np.cumsum(yes) / seen)) / buyers if both else np.nan,
            "brier": float(counts @ (y - p) ** 2) / n if n else np.nan,
            "ece": float(np.abs(said - came).sum()) / n if n else np.nan,
            "bias": _ratio(float(counts @ p), buyers),
            "top_decile_lift": _ratio(_ratio(float(came[-1]), float(sizes[-1])), buyers / n) if n else np.nan,
        }


class IntervalRows:
    """Intervals for money and what came, ready for any number of draws."""

    def __init__(self, actual: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, level: float = 0.8) -> None:
        y, low = _pair(actual, lower)
        _, high = _pair(actual, upper)
        miss = np.maximum(low - y, 0) + np.maximum(y - high, 0)
        self._columns = {
            "below": (y < low).astype(np.float64),
            "above": (y > high).astype(np.float64),
            "coverage": ((y >= low) & (y <= high)).astype(np.float64),
            "mean_width": high - low,
            "score": high - low + 2 / (1 - level) * miss,
        }

    def figures(self, counts: Array) -> dict[str, float]:
        """Return the figures of `metrics.interval_metrics` for the drawn customers."""
        n = float(counts.sum())
        return {name: float(counts @ values) / n if n else np.nan for name, values in self._columns.items()}


def spread(values: Array) -> float:
    """Return the standard deviation of the defined draws, NaN where fewer than two are."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _correlation(a: Array, b: Array, counts: Array) -> float:
    """Return the weighted correlation, NaN where one side never changes."""
    n = max(float(counts.sum()), 1.0)
    one, other = a - float(counts @ a) / n, b - float(counts @ b) / n
    size = float(counts @ one**2) * float(counts @ other**2)
    return float(counts @ (one * other)) / float(np.sqrt(size)) if size > 0 else float("nan")


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else float("nan")
