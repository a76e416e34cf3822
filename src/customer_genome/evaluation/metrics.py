"""Figures that say how good a prediction was, once the future is known.

Comes in: what was predicted and what came, one entry per customer. Goes out: named figures, every one with a stated range and
direction. Nothing here predicts, fits or knows where the arrays come from.

Two kinds of prediction are judged: money over a horizon (`spend_metrics`) and the chance of at least one order in it
(`order_metrics`); intervals for money have `interval_metrics`. Undefined figures are NaN, never a made-up number: an AUC needs
both buyers and others, a ratio needs something to divide by.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError

Array = npt.NDArray[np.float64]
N_DECILES = 10
_SURE = 1e-6


def normalised_gini(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return how well customers are ranked by money: 1 = in the true order, 0 = at random, below 0 = worse than that.

    The mean of the cumulative share of money, customers from the highest prediction down, less one half, over the same for the
    true order. Customers with equal predictions share their places, so the order of the rows means nothing.

    Source
    ------
    Yitzhaki & Schechtman (2013), The Gini Methodology, on concentration curves; checked by hand in tests/evaluation.

    Examples
    --------
    >>> normalised_gini([0, 0, 10], [1, 2, 9])
    1.0
    """
    y, p = _pair(actual, predicted)
    own, best = _concentration(y, p), _concentration(y, y)
    return own / best if best > 0 else float("nan")


def _concentration(money: Array, order: Array) -> float:
    """Return the area between the share-of-money curve and the diagonal, customers from high to low `order`, ties averaged."""
    total = float(money.sum())
    if len(money) == 0 or total <= 0:
        return 0.0
    _, group, sizes = np.unique(-order, return_inverse=True, return_counts=True)
    shares = np.bincount(group, weights=money) / total
    before = np.cumsum(shares) - shares
    # within a group of ties each customer brings the group's mean, so the curve is a straight line there
    mean_of_curve = float((sizes * before + shares * (sizes + 1) / 2).sum()) / len(money)
    return mean_of_curve - (len(money) + 1) / (2 * len(money))


def spend_metrics(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """Return how good a prediction of money was.

    Parameters
    ----------
    actual, predicted : arrays, shape (n_customers,), money over the horizon

    Returns
    -------
    dict
        gini (see `normalised_gini`, higher is better), spearman (-1..1), mae_over_mean (mean absolute error over mean actual
        money, lower is better), bias (predicted over actual total, 1 is right), decile_mape (mean over tenths of customers by
        prediction of |mean predicted / mean actual - 1|), top_decile_lift (money of the tenth with the highest predictions over
        that of an average tenth).

    Raises
    ------
    ContractError
        When the arrays differ in length or hold anything but finite numbers.
    """
    y, p = _pair(actual, predicted)
    total = float(y.sum())
    means = [(float(p[rows].mean()), float(y[rows].mean())) for rows in _deciles(p)]
    gaps = [abs(mean_p / mean_y - 1) for mean_p, mean_y in means if mean_y > 0]
    return {
        "gini": normalised_gini(y, p),
        "spearman": _spearman(y, p),
        "mae_over_mean": _ratio(float(np.abs(y - p).sum()), total),
        "bias": _ratio(float(p.sum()), total),
        "decile_mape": float(np.mean(gaps)) if len(gaps) else float("nan"),
        "top_decile_lift": _ratio(means[-1][1], total / len(y)) if len(y) else float("nan"),
    }


def order_metrics(ordered: npt.ArrayLike, probability: npt.ArrayLike) -> dict[str, float]:
    """Return how good a predicted chance of ordering was.

    Parameters
    ----------
    ordered : array, shape (n_customers,), 0 or 1
    probability : array, shape (n_customers,), 0..1

    Returns
    -------
    dict
        auc and pr_auc (higher is better), brier (mean squared error of the chance, lower is better), ece (mean gap between chance
        and share in tenths of customers, 0..1), calibration_slope (1 is right, below 1 = too sure of itself), bias (expected
        over actual buyers), top_decile_lift (buyers among the tenth with the highest chance over those of an average tenth).

    Raises
    ------
    ContractError
        When the arrays differ in length, an outcome is not 0 or 1, or a chance lies outside 0..1.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    y, p = _pair(ordered, probability)
    if not np.isin(y, (0, 1)).all():
        raise ContractError("order metrics: `ordered` holds other values than 0 and 1. Wanted: 1 for customers who ordered.")
    if ((p < 0) | (p > 1)).any():
        raise ContractError(f"order metrics: a probability of {p[(p < 0) | (p > 1)][0]:g}. Wanted: 0..1.")
    both = 0 < y.sum() < len(y)
    return {
        "auc": float(roc_auc_score(y, p)) if both else float("nan"),
        "pr_auc": float(average_precision_score(y, p)) if both else float("nan"),
        "brier": float(np.mean((y - p) ** 2)) if len(y) else float("nan"),
        "ece": calibration_error(y, p),
        "calibration_slope": calibration_slope(y, p) if both else float("nan"),
        "bias": _ratio(float(p.sum()), float(y.sum())),
        "top_decile_lift": _ratio(float(y[_deciles(p)[-1]].mean()), float(y.mean())) if len(y) else float("nan"),
    }


def calibration_error(ordered: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the expected calibration error: the gap between mean chance and share of buyers, averaged over tenths of customers.

    Source
    ------
    Naeini, Cooper & Hauskrecht (2015), AAAI; bins hold equally many customers here.
    """
    y, p = _pair(ordered, probability)
    if len(y) == 0:
        return float("nan")
    return float(sum(abs(p[rows].mean() - y[rows].mean()) * len(rows) for rows in _deciles(p)) / len(y))


def calibration_slope(ordered: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the slope of a logistic regression of the outcome on the log-odds of the chance; 1 is right, NaN where all chances are equal.

    Source
    ------
    Cox (1958), Two further applications of a model for binary regression, Biometrika 45.
    """
    y, p = _pair(ordered, probability)
    safe = np.clip(p, _SURE, 1 - _SURE)
    log_odds = np.log(safe) - np.log1p(-safe)
    if np.ptp(log_odds) < 1e-12:
        return float("nan")
    x = np.column_stack([np.ones(len(y)), log_odds])
    beta = np.array([0.0, 1.0])
    for _ in range(50):  # Newton's method on a concave function of two numbers
        fitted = 1 / (1 + np.exp(-np.clip(x @ beta, -35, 35)))
        weight = np.maximum(fitted * (1 - fitted), 1e-12)
        step = np.linalg.solve((x * weight[:, None]).T @ x + 1e-12 * np.eye(2), x.T @ (y - fitted))
        beta = beta + np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[1])


def interval_metrics(actual: npt.ArrayLike, lower: npt.ArrayLike, upper: npt.ArrayLike, level: float = 0.8) -> dict[str, float]:
    """Return how good intervals for money were.

    Coverage alone rewards a constant where many customers buy nothing, so both tails are told apart.

    Returns
    -------
    dict
        below and above (share of customers outside on either side; each should be at most (1 - level) / 2), coverage, mean_width
        (money), score (mean interval score, money, lower is better).

    Source
    ------
    Gneiting & Raftery (2007), Strictly Proper Scoring Rules, JASA 102, eq. 43.
    """
    y, low = _pair(actual, lower)
    _, high = _pair(actual, upper)
    alpha = 1 - level
    score = (high - low) + 2 / alpha * np.maximum(low - y, 0) + 2 / alpha * np.maximum(y - high, 0)
    return {
        "below": float(np.mean(y < low)),
        "above": float(np.mean(y > high)),
        "coverage": float(np.mean((y >= low) & (y <= high))),
        "mean_width": float(np.mean(high - low)),
        "score": float(np.mean(score)),
    }


def _deciles(predicted: Array, n: int = N_DECILES) -> list[npt.NDArray[np.intp]]:
    """Return rows in about n parts of equal size by prediction, lowest first; equal predictions are never torn apart."""
    order = np.argsort(predicted, kind="stable")
    if len(order) == 0:
        return []
    ranked = predicted[order]
    ends = np.searchsorted(ranked, ranked[(np.arange(1, n + 1) * len(order) + n - 1) // n - 1], side="right")
    return [order[begin:end] for begin, end in zip(np.append(0, np.unique(ends)[:-1]), np.unique(ends), strict=True)]


def _spearman(y: Array, p: Array) -> float:
    """Return the rank correlation, ties sharing their mean rank; NaN where one side never changes."""
    from scipy.stats import rankdata

    if len(y) < 2 or np.ptp(y) == 0 or np.ptp(p) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(y), rankdata(p))[0, 1])


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else float("nan")


def _pair(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Array, Array]:
    """Return two float arrays of one length."""
    y, p = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if y.ndim != 1 or y.shape != p.shape:
        raise ContractError(f"metrics: actual has shape {y.shape}, predicted {p.shape}. Wanted: one entry per customer in both.")
    bad = int((~np.isfinite(y)).sum() + (~np.isfinite(p)).sum())
    if bad:
        raise ContractError(
            f"metrics: {bad:,} values are not finite numbers. Wanted: a number for every customer; score them again."
        )
    return y, p
