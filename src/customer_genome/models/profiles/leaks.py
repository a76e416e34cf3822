"""Columns that give the answer away: one column, or a short rule of columns, that alone predicts the label almost perfectly.

Comes in: values and labels. Goes out: alarms with the column, the rule in words, and how often it is right. A real prediction is never that good:
such a column was written after the fact, or the label was computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.columns import Column, Values, without
from customer_genome.models.profiles.comparing import N_FOLDS, dealt
from customer_genome.models.profiles.encoding import Encoder
from customer_genome.models.profiles.learners import Task, elastic, log_odds, logistic
from customer_genome.models.profiles.naive import cuts_of, parts_of

ALONE_AUC, RULE_AUC = 0.97, 0.99
"""A column alone, and a rule of several, that rank customers better than this are alarms."""
ALONE_R2, RULE_R2 = 0.995, 0.9995
MOST_IN_A_RULE = 3
_FINE = tuple(np.arange(1, 40) / 40)


@dataclass(frozen=True)
class Alarm:
    """A rule that predicts the label too well.

    Attributes
    ----------
    columns : the columns of the rule, the strongest first
    rule : in words
    strength : ROC-AUC of churn or R2 of money, of customers the rule was not fitted to
    right : share of customers for whom the rule says the right thing; None for money
    """

    columns: tuple[str, ...]
    rule: str
    strength: float
    right: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"columns": list(self.columns)}

    def sentence(self, label: str) -> str:
        """Return the alarm in words."""
        named = " and ".join(self.columns) if len(self.columns) < 3 else ", ".join(self.columns[:-1]) + " and " + self.columns[-1]
        measure = f"ROC-AUC {self.strength:.3f}" if self.right is not None else f"R2 {self.strength:.4f}"
        alone = "alone tells" if len(self.columns) == 1 else "together tell"
        right = (
            f' The rule "{self.rule}" is right for {100 * self.right:.1f} % of customers.'
            if self.right is not None
            else f" The rule: {self.rule}."
        )
        return f"{named} {alone} {label} almost perfectly ({measure}).{right}"


def alarms(values: Values, columns: Sequence[Column], y: Array, task: Task, seed: int) -> list[Alarm]:
    """Return every column that alone is too good, and the shortest rule of a few columns that is."""
    folds = dealt(y, N_FOLDS, seed)
    alone = [(strength, column) for column in columns if (strength := _alone(values, column, y, task, folds)) is not None]
    alone.sort(key=lambda pair: (-pair[0], pair[1].name))
    limit = ALONE_AUC if task == "churn" else ALONE_R2
    found = []
    for strength, column in alone:
        if strength >= limit:
            words, right = _rule_of_one(values, column, y, task)
            found.append(Alarm((column.name,), words, strength, right))
    rule = _rule_of_several(values, columns, y, task, folds)
    return [*found, *([rule] if rule and len(rule.columns) > 1 else [])]


def _alone(values: Values, column: Column, y: Array, task: Task, folds: npt.NDArray[np.int64]) -> float | None:
    """Return how well a column alone predicts customers it was not read off: ROC-AUC of its parts, or R2 of a line."""
    encoder = Encoder.fit(values, (column,))
    x = encoder.matrix(values, "raw")[:, 0]
    found = np.empty(len(y))
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        if task == "spend":
            if column.kind == "category":
                return None
            line = _line(np.where(np.isnan(x), np.nanmedian(x), x), y, train)
            found[test] = line[test]
            continue
        part = encoder.parts[0]
        cuts = _fine_cuts(x[train]) if part.kind != "category" else cuts_of(x, True, len(part.levels))
        inside = parts_of(x, cuts)
        n, n_yes = (np.bincount(inside[train], weights=w, minlength=len(cuts) + 2) for w in (np.ones(train.sum()), y[train]))
        found[test] = log_odds((n_yes + y[train].mean()) / (n + 1))[inside[test]]
    return auc(y, found) if task == "churn" else r2(y, found)


def _fine_cuts(values: Array) -> Array:
    known = np.unique(values[np.isfinite(values)])
    if len(known) <= len(_FINE):
        return np.asarray((known[1:] + known[:-1]) / 2, dtype=np.float64)
    return np.unique(np.quantile(values[np.isfinite(values)], _FINE))


def _line(x: Array, y: Array, train: Array) -> Array:
    """Return the least-squares line through the training customers, for everybody."""
    spread = float(x[train].std())
    slope = float(np.mean((x[train] - x[train].mean()) * (y[train] - y[train].mean()))) / spread**2 if spread > 0 else 0.0
    return np.asarray(y[train].mean() + slope * (x - x[train].mean()), dtype=np.float64)


def _rule_of_one(values: Values, column: Column, y: Array, task: Task) -> tuple[str, float | None]:
    """Return the rule of one column in words, and the share of customers it is right for (None for money)."""
    if task == "spend":
        x = np.where(np.isnan(values[column.name]), np.nanmedian(values[column.name]), values[column.name])
        slope = float(np.cov(x, y)[0, 1] / max(float(x.var(ddof=1)), 1e-300))
        return f"{_times(slope)}{column.name} {_plus(float(y.mean() - slope * x.mean()))}", None
    if column.kind == "category":
        levels = {
            level: float(y[values[column.name] == level].mean())
            for level in column.levels
            if (values[column.name] == level).any()
        }
        churning = [level for level, rate in levels.items() if rate >= 0.5]
        said = np.isin(values[column.name], churning).astype(np.float64) if churning else np.zeros(len(y))
        empty = np.array([value is None for value in values[column.name]])
        if empty.any() and y[empty].mean() >= 0.5:
            said, churning = np.where(empty, 1.0, said), [*churning, "empty"]
        return f"{column.name} is {' or '.join(churning[:4]) or 'anything else'}", float(np.mean(said == y))
    x = values[column.name]
    known = np.isfinite(x)
    threshold, is_above, right = best_split(x[known], y[known])
    empty_right = float(max(y[~known].mean(), 1 - y[~known].mean())) if (~known).any() else 0.0
    share = (right * known.sum() + empty_right * (~known).sum()) / len(y)
    words = f"{column.name} {'above' if is_above else 'at most'} {threshold:,.6g}"
    return (f"{words}, or empty" if (~known).any() and y[~known].mean() > 0.5 else words), float(share)


def best_split(x: Array, y: Array) -> tuple[float, bool, float]:
    """Return the threshold, whether churn lies above it, and the share of customers that this is right for."""
    order = np.argsort(x, kind="stable")
    values, came = x[order], y[order]
    ends = np.append(np.flatnonzero(np.diff(values) > 0), len(values) - 1)
    yes_below, n_below = np.cumsum(came)[ends], ends + 1.0
    right_above = (n_below - yes_below + came.sum() - yes_below) / len(y)
    right_below = 1 - right_above
    is_above = bool(right_above.max() >= right_below.max())
    place = int((right_above if is_above else right_below).argmax())
    upper = values[min(int(ends[place]) + 1, len(values) - 1)]
    return float((values[ends[place]] + upper) / 2), is_above, float((right_above if is_above else right_below)[place])


def _rule_of_several(
    values: Values, columns: Sequence[Column], y: Array, task: Task, folds: npt.NDArray[np.int64]
) -> Alarm | None:
    """Return the shortest sum of columns that tells the label almost perfectly, of all of them where three do not; None where even all do not."""
    limit = RULE_AUC if task == "churn" else RULE_R2
    if not columns or _sum_of(values, columns, y, task, folds) < limit:
        return None
    chosen: tuple[Column, ...] = ()
    strength = -1.0
    while strength < limit and len(chosen) < MOST_IN_A_RULE:
        rest = without(columns, [one.name for one in chosen])
        if not rest:
            break
        tried = [(_sum_of(values, (*chosen, one), y, task, folds), one) for one in rest]
        strength, best = max(tried, key=lambda pair: (pair[0], pair[1].name))
        chosen = (*chosen, best)
    if strength < limit:
        chosen = (*chosen, *without(columns, [one.name for one in chosen]))
        strength = _sum_of(values, chosen, y, task, folds)
    return _said(values, chosen, y, task, strength)


def _sum_of(values: Values, columns: Sequence[Column], y: Array, task: Task, folds: npt.NDArray[np.int64]) -> float:
    """Return how well a weighted sum of columns predicts customers it was not fitted to."""
    x = Encoder.fit(values, columns).matrix(values, "plain")
    found = np.empty(len(y))
    for fold in range(N_FOLDS):
        train, test = folds != fold, folds == fold
        weights, intercept = _weights(x[train], y[train], task)
        found[test] = x[test] @ weights + intercept
    return auc(y, found) if task == "churn" else r2(y, found)


def _weights(x: Array, y: Array, task: Task) -> tuple[Array, float]:
    if task == "spend":
        return elastic(x, y, {"alpha": 0.0, "l1_ratio": 0.0})
    return logistic(x, y, {"C": 100.0, "penalty": "l2", "solver": "newton-cholesky", "class_weight": "none"}, 0)


def _said(values: Values, columns: Sequence[Column], y: Array, task: Task, strength: float) -> Alarm:
    """Return the alarm of a sum of a few columns, its rule in units of the strongest column."""
    encoder = Encoder.fit(values, columns)
    x = encoder.matrix(values, "plain")
    weights, intercept = _weights(x, y, task)
    names = tuple(column.name for column in columns)
    score = x @ weights + intercept
    right = float(np.mean((score > 0) == (y > 0.5))) if task == "churn" else None
    if len(columns) > MOST_IN_A_RULE:
        return Alarm(names, f"a weighted sum of all columns, led by {', '.join(names[:MOST_IN_A_RULE])}", strength, right)
    if any(column.kind in ("category", "date") for column in columns):
        return Alarm(names, f"a weighted sum of {', '.join(names)}", strength, right)
    slopes = [float(weights[encoder.labels("plain").index(part.name)]) / part.spread for part in encoder.parts]
    level = intercept - sum(slope * part.mean for slope, part in zip(slopes, encoder.parts, strict=True))
    unit = abs(slopes[0]) if task == "churn" else 1.0
    terms = " + ".join(f"{_times(slope / unit)}{name}" for slope, name in zip(slopes, names, strict=True)).replace("+ -", "- ")
    rule = f"{terms} above {-level / unit:,.4g}" if task == "churn" else f"{terms} {_plus(level)}"
    return Alarm(names, rule, strength, right)


def _times(factor: float) -> str:
    return "" if abs(factor - 1) < 5e-4 else "-" if abs(factor + 1) < 5e-4 else f"{factor:,.3g} × "


def _plus(value: float) -> str:
    return f"{'+' if value >= 0 else '-'} {abs(value):,.4g}"


def auc(y: Array, score: Array) -> float:
    """Return how often a churner ranks above another customer, ties counting half."""
    from scipy.stats import rankdata

    n_yes = float(y.sum())
    n_no = len(y) - n_yes
    return float((rankdata(score)[y > 0.5].sum() - n_yes * (n_yes + 1) / 2) / (n_yes * n_no)) if n_yes and n_no else float("nan")


def r2(y: Array, predicted: Array) -> float:
    """Return the share of variance that is explained."""
    spread = float(np.mean((y - y.mean()) ** 2))
    return 1 - float(np.mean((y - predicted) ** 2)) / spread if spread > 0 else float("nan")
