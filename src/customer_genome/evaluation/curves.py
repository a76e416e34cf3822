"""Forecasts against what came, in as few points as a picture needs: reliability, ROC, precision and recall, tenths, thresholds.

Comes in: chances and money of customers, and what they did. Goes out: rows of plain numbers, at most about a hundred a curve. Nothing here
predicts or draws.

Source
------
Wilson (1927), JASA 22, for the band of a share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates import Expected

Array = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]
MOST_POINTS = 100
N_BINS = 10
N_TENTHS = 10
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
_Z = 1.959963984540054


def curves(spend: Sequence[Array], ordered: Sequence[Array], forecasts: Sequence[Expected]) -> dict[str, Rows]:
    """Return every curve of a candidate, all cutoffs together; those of a target it says nothing about are left out.

    Parameters
    ----------
    spend, ordered : one array per cutoff, each of shape (n_customers,), what came: money, and 0 or 1
    forecasts : one per cutoff
    """
    if not forecasts:
        return {}
    found: dict[str, Rows] = {}
    came, money = np.concatenate(list(ordered)), np.concatenate(list(spend))
    chances, spends = [one.chance for one in forecasts], [one.spend for one in forecasts]
    known_chances, known_spends = [one for one in chances if one is not None], [one for one in spends if one is not None]
    if len(known_chances) == len(forecasts):
        chance = np.concatenate(known_chances)
        found |= {
            "reliability": reliability(came, chance),
            "roc": roc(came, chance),
            "pr": precision_recall(came, chance),
            "thresholds": thresholds(came, chance, money),
        }
    if len(known_spends) == len(forecasts):
        found["deciles"] = tenths(money, np.concatenate(known_spends))
    return found


def reliability(ordered: Array, chance: Array, n_bins: int = N_BINS) -> Rows:
    """Return the share who ordered in groups of about equally many customers by chance, each with its 95 % band.

    Returns
    -------
    rows of chance (mean), share_ordered, lower, upper, customers
        Customers with equal chances share a group.

    Examples
    --------
    >>> [
    ...     (row["chance"], row["share_ordered"], row["customers"])
    ...     for row in reliability(np.array([0.0, 1, 1, 1]), np.array([0.2, 0.2, 0.9, 0.9]), 2)
    ... ]
    [(0.2, 0.5, 2), (0.9, 1.0, 2)]
    """
    rows = []
    for group in _groups(chance, n_bins):
        n, came = len(group), float(ordered[group].sum())
        low, high = wilson(came, n)
        rows.append(
            {"chance": float(chance[group].mean()), "share_ordered": came / n, "lower": low, "upper": high, "customers": n}
        )
    return rows


def wilson(hits: float, n: int) -> tuple[float, float]:
    """Return the 95 % band of a share.

    Examples
    --------
    >>> [round(one, 3) for one in wilson(5, 10)]
    [0.237, 0.763]
    """
    share, square = hits / n, _Z**2
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = _Z / (1 + square / n) * float(np.sqrt(share * (1 - share) / n + square / (4 * n * n)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _groups(values: Array, n: int) -> list[npt.NDArray[np.intp]]:
    """Return rows in about `n` groups of equally many from low to high; equal values stay together."""
    if not len(values):
        return []
    order = np.argsort(values, kind="stable")
    rank = np.searchsorted(values[order], values, side="left")  # equal values share the lowest rank
    group = np.minimum(rank * n // len(values), n - 1)
    return [np.flatnonzero(group == one) for one in np.unique(group)]


def roc(ordered: Array, chance: Array) -> Rows:
    """Return the ROC curve of naming the likeliest: x = share of others named, y = share of buyers named; empty where all are alike."""
    named, hits, _ = _named(ordered, chance)
    buyers = float(ordered.sum())
    others = len(ordered) - buyers
    if not buyers or not others:
        return []
    points = [{"x": 0.0, "y": 0.0}, *({"x": (n - hit) / others, "y": hit / buyers} for n, hit in zip(named, hits, strict=True))]
    return _thinned(points)


def precision_recall(ordered: Array, chance: Array) -> Rows:
    """Return precision (y) by recall (x) of naming the likeliest, and the share of buyers (`base`); empty where nobody ordered."""
    named, hits, _ = _named(ordered, chance)
    buyers = float(ordered.sum())
    if not buyers:
        return []
    base = buyers / len(ordered)
    return _thinned([{"x": hit / buyers, "y": hit / n, "base": base} for n, hit in zip(named, hits, strict=True)])


def _named(ordered: Array, chance: Array) -> tuple[Array, Array, Array]:
    """Return, at every different chance from high to low: how many are named, buyers among them, and the chance."""
    order = np.argsort(-chance, kind="stable")
    hits = np.cumsum(ordered[order])
    last = np.append(np.flatnonzero(np.diff(chance[order])), len(order) - 1) if len(order) else np.empty(0, dtype=np.intp)
    return (last + 1).astype(np.float64), hits[last], chance[order][last]


def _thinned(points: Rows) -> Rows:
    """Return about a hundred points of a curve, both ends among them."""
    if len(points) <= MOST_POINTS:
        return points
    kept = np.unique(np.round(np.linspace(0, len(points) - 1, MOST_POINTS)).astype(int))
    return [points[place] for place in kept]


def tenths(spend_true: Array, spend: Array) -> Rows:
    """Return mean predicted and mean actual money of tenths of customers by prediction: decile (1 = lowest), predicted, actual, customers."""
    if not len(spend):
        return []
    order = np.argsort(spend, kind="stable")
    return [
        {
            "decile": place,
            "predicted": float(spend[part].mean()),
            "actual": float(spend_true[part].mean()),
            "customers": len(part),
        }
        for place, part in enumerate(np.array_split(order, N_TENTHS), 1)
        if len(part)
    ]


def thresholds(ordered: Array, chance: Array, spend_true: Array) -> Rows:
    """Return what naming everybody whose risk is at least a threshold would have hit.

    Returns
    -------
    rows of threshold (risk = 1 - chance), named_gone (named, and no order came), named_came, missed_gone, left_came (counts), and
    mean_spend (money of the average customer who ordered)
    """
    gone = ordered == 0
    mean = float(spend_true[~gone].mean()) if (~gone).any() else 0.0
    rows = []
    for threshold in THRESHOLDS:
        named = 1 - chance >= threshold
        rows.append(
            {
                "threshold": threshold,
                "named_gone": int((named & gone).sum()),
                "named_came": int((named & ~gone).sum()),
                "missed_gone": int((~named & gone).sum()),
                "left_came": int((~named & ~gone).sum()),
                "mean_spend": mean,
            }
        )
    return rows
