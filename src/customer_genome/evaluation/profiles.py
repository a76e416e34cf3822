"""How every way to predict a label did: figures with their standard errors, beside the best formula.

Comes in: predictions made without the customer, and what came. Goes out: plain rows, one for each way. All ways see the same resamples of
customers, so differences have errors too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.evaluation.metrics import calibration_slope
from customer_genome.evaluation.resampling import OrderRows, draws, spread

Array = npt.NDArray[np.float64]
N_DRAWS = 100
_LEAST_DIFFERENCE = 0.01
"""Chances closer together than this have no slope worth a name."""
LEADING = {"churn": "auc", "spend": "rmse"}
"""The figure whose difference to the best formula is given."""


def label_figures(
    predicted: Mapping[str, Array],
    y: Array,
    task: str,
    naive: Collection[str],
    folds: npt.NDArray[np.int64],
    chosen: str,
    seed: int,
) -> list[dict[str, Any]]:
    """Return a row for each way to predict.

    Returns
    -------
    list of dict
        candidate, kind (naive, model or choice), is_chosen, figures, errors, versus_naive {naive, difference, error} of the leading figure.
        Churn: auc, auc_mean (of the parts held back), pr_auc, brier, ece, calibration_slope, top_decile_lift, bias. Spend: mae, rmse, r2, bias.
    """
    rows = {name: (OrderRows(y, values) if task == "churn" else MoneyRows(y, values)) for name, values in predicted.items()}
    points = {name: one.figures(np.ones(len(y))) for name, one in rows.items()}
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    for counts in draws(len(y), N_DRAWS, seed):
        for name, one in rows.items():
            samples[name].append(one.figures(counts))
    drawn = {
        name: {figure: np.array([one[figure] for one in found]) for figure in points[name]} for name, found in samples.items()
    }
    leading = LEADING[task]
    sign = 1 if task == "churn" else -1
    best = max((name for name in predicted if name in naive), key=lambda name: sign * points[name][leading])
    found = []
    for name in predicted:
        figures = dict(points[name])
        if task == "churn":
            differ = float(np.ptp(predicted[name])) > _LEAST_DIFFERENCE
            figures["calibration_slope"] = calibration_slope(y, predicted[name]) if differ else float("nan")
            figures["auc_mean"] = _mean_over_parts(y, predicted[name], folds)
        difference = drawn[name][leading] - drawn[best][leading]
        found.append(
            {
                "candidate": name,
                "kind": "naive" if name in naive else "model",
                "is_chosen": name == chosen,
                "figures": {figure: _defined(value) for figure, value in figures.items()},
                "errors": {figure: _defined(spread(values)) for figure, values in drawn[name].items()},
                "versus_naive": {
                    "naive": best,
                    "difference": _defined(points[name][leading] - points[best][leading]),
                    "error": _defined(spread(difference)),
                },
            }
        )
    return found


def threshold_counts(y: Array, chance: Array) -> list[dict[str, float]]:
    """Return for thresholds of 1 to 99 % who would be called at risk: true_positives, false_positives, false_negatives, true_negatives.

    Examples
    --------
    >>> threshold_counts(np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.6, 0.2]))[49]
    {'threshold': 0.5, 'true_positives': 1, 'false_positives': 1, 'false_negatives': 1, 'true_negatives': 0}
    """
    churned, rows = y > 0.5, []
    for percent in range(1, 100):
        called = chance >= percent / 100
        rows.append(
            {
                "threshold": percent / 100,
                "true_positives": int((called & churned).sum()),
                "false_positives": int((called & ~churned).sum()),
                "false_negatives": int((~called & churned).sum()),
                "true_negatives": int((~called & ~churned).sum()),
            }
        )
    return rows


class MoneyRows:
    """A prediction of money and what came, ready for any number of draws."""

    def __init__(self, actual: Array, predicted: Array) -> None:
        self._y, self._error = actual, predicted - actual

    def figures(self, counts: Array) -> dict[str, float]:
        """Return mae, rmse, r2 and bias (mean predicted less mean actual) of the drawn customers."""
        n = float(counts.sum())
        mean = float(counts @ self._y) / n
        squared, variance = float(counts @ self._error**2) / n, float(counts @ (self._y - mean) ** 2) / n
        return {
            "mae": float(counts @ np.abs(self._error)) / n,
            "rmse": float(np.sqrt(squared)),
            "r2": 1 - squared / variance if variance > 0 else float("nan"),
            "bias": float(counts @ self._error) / n,
        }


def _mean_over_parts(y: Array, chance: Array, folds: npt.NDArray[np.int64]) -> float:
    """Return the mean over the parts held back of the ROC-AUC within each."""
    found = [
        OrderRows(y[folds == fold], chance[folds == fold]).figures(np.ones(int((folds == fold).sum())))["auc"]
        for fold in np.unique(folds)
    ]
    return float(np.mean(found))


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
