"""How candidates did at several cutoffs: every figure with its error, beside the best naive formula, for new and old customers.

Comes in: per cutoff what came and what each candidate expected. Goes out: a `Scorecard` of plain values. Customers are resampled
over all cutoffs at once, so the error of a mean over cutoffs knows that they share customers, and every candidate sees
the same resamples.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from customer_genome.evaluation.metrics import _deciles, interval_metrics, order_metrics, spend_metrics
from customer_genome.evaluation.resampling import IntervalRows, OrderRows, SpendRows, draws, spread
from customer_genome.models.candidates import Expected

Array = npt.NDArray[np.float64]
Target = Literal["spend", "orders", "interval"]
Key = tuple[str, str, str, Target]  # as_of, group, candidate, target
TARGETS: tuple[Target, ...] = ("spend", "orders", "interval")
GROUPS = ("all", "new", "old")
MEAN = "mean"
"""Stands for the cutoff in rows that are means over all cutoffs."""
HIGHER_IS_BETTER = frozenset({"gini", "spearman", "auc", "pr_auc", "top_decile_lift"})
LOWER_IS_BETTER = frozenset({"mae_over_mean", "decile_mape", "abs_log_bias", "brier", "ece", "score"})
FEWEST_IN_A_GROUP = 30
N_FIFTHS = 5
_Rows = SpendRows | OrderRows | IntervalRows


@dataclass(frozen=True)
class Fold:
    """One cutoff: what came, and what was expected.

    Attributes
    ----------
    as_of : text, the day
    customers : whole numbers, shape (n,)
        Which customer each row is, the same number at every cutoff.
    is_new : booleans, shape (n,)
        Whether the first order lies within the last horizon before the cutoff.
    spend, ordered : arrays, shape (n,)
    forecasts : candidate -> what it expected
    segments : name -> booleans, shape (n,)
        Further groups, judged for the candidates of `judge(leading=...)` only.
    """

    as_of: str
    customers: npt.NDArray[np.int64]
    is_new: npt.NDArray[np.bool_]
    spend: Array
    ordered: Array
    forecasts: Mapping[str, Expected]
    segments: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)


@dataclass(frozen=True)
class Versus:
    """A figure beside that of the best naive formula: the difference, and its standard error over customers."""

    naive: str
    difference: float
    error: float


@dataclass(frozen=True)
class Row:
    """How one candidate did at one cutoff (or on average: `MEAN`) for one group and target."""

    as_of: str
    group: str
    candidate: str
    target: Target
    n_customers: int
    figures: Mapping[str, float]
    errors: Mapping[str, float]
    versus: Mapping[str, Versus] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return plain values; what is undefined is null."""
        return {
            "as_of": self.as_of,
            "group": self.group,
            "candidate": self.candidate,
            "target": self.target,
            "n_customers": self.n_customers,
            "figures": {name: _defined(value) for name, value in self.figures.items()},
            "errors": {name: _defined(value) for name, value in self.errors.items()},
            "versus": {
                name: {"naive": one.naive, "difference": _defined(one.difference), "error": _defined(one.error)}
                for name, one in self.versus.items()
            },
        }


@dataclass(frozen=True)
class Scorecard:
    """Every row of a comparison."""

    rows: tuple[Row, ...]

    def select(self, as_of: str = MEAN, group: str = "all", target: Target | None = None) -> list[Row]:
        """Return the rows of one cutoff, group and target, in the order of the candidates."""
        return [r for r in self.rows if r.as_of == as_of and r.group == group and target in (None, r.target)]

    def row(self, candidate: str, target: Target, as_of: str = MEAN, group: str = "all") -> Row | None:
        """Return one row, None where the candidate says nothing about the target."""
        return next((r for r in self.select(as_of, group, target) if r.candidate == candidate), None)


def judge(
    folds: Sequence[Fold], naive: Collection[str], *, leading: Collection[str] = (), n_draws: int = 200, seed: int = 7
) -> Scorecard:
    """Return how every candidate did at every cutoff, and on average over those at which it had a forecast.

    Parameters
    ----------
    naive : the names of the naive formulas
    leading : the names of candidates that are judged for every segment too
    n_draws : resamples of customers behind the standard errors
    """
    points: dict[Key, dict[str, float]] = {}
    prepared: dict[Key, tuple[npt.NDArray[np.int64], _Rows]] = {}
    for fold in folds:
        for group, rows in _groups(fold):
            for candidate, expected in fold.forecasts.items():
                if group not in GROUPS and candidate not in leading:
                    continue
                for target, figures, ready in _judged(fold, expected, rows):
                    key = (fold.as_of, group, candidate, target)
                    points[key], prepared[key] = figures, (fold.customers[rows], ready)
    n_customers = 1 + max((int(fold.customers.max(initial=-1)) for fold in folds), default=-1)
    drawn: dict[Key, list[dict[str, float]]] = {key: [] for key in points}
    for counts in draws(n_customers, n_draws, seed):
        for key, (customers, ready) in prepared.items():
            drawn[key].append(_with_level(ready.figures(counts[customers])))
    samples = {key: _columns(found) for key, found in drawn.items()}
    sizes = {key: len(customers) for key, (customers, _) in prepared.items()}
    _add_means([fold.as_of for fold in folds], points, samples, sizes)
    _add_relative_score(naive, points, samples)
    return Scorecard(tuple(_rows(points, samples, sizes, _best_naive(points, naive))))


def _groups(fold: Fold) -> Iterator[tuple[str, npt.NDArray[np.intp]]]:
    """Yield the rows of everybody, of new and of old customers, of segments; a group of very few is left out."""
    yield "all", np.arange(len(fold.spend))
    for group, chosen in (("new", fold.is_new), ("old", ~fold.is_new), *fold.segments.items()):
        rows = np.flatnonzero(chosen)
        if len(rows) >= FEWEST_IN_A_GROUP:
            yield group, rows


def _judged(fold: Fold, expected: Expected, rows: npt.NDArray[np.intp]) -> Iterator[tuple[Target, dict[str, float], _Rows]]:
    """Yield for each target the figures of a forecast, and the rows that figures of draws are made of."""
    y, ordered = fold.spend[rows], fold.ordered[rows]
    if expected.spend is not None:
        spend = expected.spend[rows]
        yield "spend", _with_level(spend_metrics(y, spend)), SpendRows(y, spend)
    if expected.chance is not None:
        chance = expected.chance[rows]
        yield "orders", _with_level(order_metrics(ordered, chance)), OrderRows(ordered, chance)
    if expected.lower is not None and expected.upper is not None:
        lower, upper = expected.lower[rows], expected.upper[rows]
        order = expected.spend[rows] if expected.spend is not None else upper
        fifths = [interval_metrics(y[part], lower[part], upper[part]) for part in _deciles(order, N_FIFTHS)]
        worst = {f"worst_{side}": max(one[side] for one in fifths) for side in ("below", "above")}
        yield "interval", interval_metrics(y, lower, upper) | worst, IntervalRows(y, lower, upper)


def _with_level(figures: dict[str, float]) -> dict[str, float]:
    """Return the figures with |log bias| where there is a bias."""
    bias = figures.get("bias", np.nan)
    if "bias" not in figures:
        return figures
    return figures | {"abs_log_bias": abs(float(np.log(bias))) if bias > 0 else float("nan")}


def _columns(found: list[dict[str, float]]) -> dict[str, Array]:
    """Return draws figure by figure, each an array of shape (n_draws,)."""
    return {name: np.array([one[name] for one in found]) for name in found[0]} if found else {}


def _add_means(
    cutoffs: list[str], points: dict[Key, dict[str, float]], samples: dict[Key, dict[str, Array]], sizes: dict[Key, int]
) -> None:
    """Add the mean over cutoffs of every candidate that has a forecast at all of them."""
    for _, group, candidate, target in list(points):
        keys = [(as_of, group, candidate, target) for as_of in cutoffs]
        if (MEAN, group, candidate, target) in points or any(key not in points for key in keys):
            continue
        mean: Key = (MEAN, group, candidate, target)
        points[mean] = {name: float(np.mean([points[key][name] for key in keys])) for name in points[keys[0]]}
        samples[mean] = {name: np.mean([samples[key][name] for key in keys], axis=0) for name in samples[keys[0]]}
        sizes[mean] = sum(sizes[key] for key in keys)


def _add_relative_score(
    naive: Collection[str], points: dict[Key, dict[str, float]], samples: dict[Key, dict[str, Array]]
) -> None:
    """Add to every interval its score over that of the naive interval."""
    for as_of, group, candidate, target in list(points):
        rival = next((n for n in naive if (as_of, group, n, "interval") in points), None)
        if target != "interval" or rival is None:
            continue
        key: Key = (as_of, group, candidate, target)
        other: Key = (as_of, group, rival, target)
        if points[other]["score"] > 0:
            points[key]["relative_score"] = points[key]["score"] / points[other]["score"]
            if samples[key]:
                samples[key]["relative_score"] = samples[key]["score"] / np.maximum(samples[other]["score"], 1e-300)


def _best_naive(points: Mapping[Key, Mapping[str, float]], naive: Collection[str]) -> dict[tuple[str, Target, str], str]:
    """Return the best naive formula of every (group, target, figure), by the mean over cutoffs."""
    best: dict[tuple[str, Target, str], tuple[float, str]] = {}
    for (as_of, group, candidate, target), figures in points.items():
        if as_of != MEAN or candidate not in naive:
            continue
        for name, value in figures.items():
            loss = loss_of(name, value)
            if loss is not None and loss < best.get((group, target, name), (np.inf, ""))[0]:
                best[group, target, name] = (loss, candidate)
    return {key: candidate for key, (_, candidate) in best.items()}


def loss_of(figure: str, value: float) -> float | None:
    """Return a figure as a number of which less is better; None where it cannot be told or the figure is no judgement."""
    if not np.isfinite(value) or figure not in HIGHER_IS_BETTER | LOWER_IS_BETTER:
        return None
    return -value if figure in HIGHER_IS_BETTER else value


def _rows(
    points: Mapping[Key, Mapping[str, float]],
    samples: Mapping[Key, Mapping[str, Array]],
    sizes: Mapping[Key, int],
    best: Mapping[tuple[str, Target, str], str],
) -> Iterator[Row]:
    """Yield every row with errors and differences."""
    for key, figures in points.items():
        as_of, group, candidate, target = key
        versus = {}
        for name, value in figures.items():
            rival = best.get((group, target, name), candidate)
            other: Key = (as_of, group, rival, target)
            if rival != candidate and other in points and name in samples[key]:
                error = spread(samples[key][name] - samples[other][name])
                versus[name] = Versus(rival, value - points[other][name], error)
        errors = {name: spread(values) for name, values in samples[key].items()}
        yield Row(as_of, group, candidate, target, sizes[key], dict(figures), errors, versus)


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
