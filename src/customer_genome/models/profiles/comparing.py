"""Every way to predict a label, held against customers it has not learned from; which one is used, and why.

Comes in: values and labels of customers. Goes out: predictions for every customer by models that did not see them, the choice with its
reason in numbers, and the chosen model fitted to everybody. Customers are dealt into five parts alike in their labels; settings, blend weights and
calibration are found inside the four parts learned from (in five parts again), so nothing of the fifth is known. The choice itself is judged the
same way: made anew inside each training part.

The rule: the model with the smallest loss (log loss, or squared error) if it beats the best formula by more than two standard errors; else that
formula.

Source
------
Stone (1974) for choosing inside and judging outside; Wolpert (1992) for blending on predictions made without the customer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.calibration import Calibration, choose_calibration, log_losses, platt
from customer_genome.models.profiles.columns import Column, Values
from customer_genome.models.profiles.encoding import Encoder
from customer_genome.models.profiles.explaining import Mixture, blend_weights, mixed, mixed_scores, scores
from customer_genome.models.profiles.learners import Fitted, Learner, Options, Rows, Split, Task

N_FOLDS = 5
FEWER_INNER_FROM = 20_000
"""From so many customers the parts inside a training part are three."""
BLEND = "blend"
BLENDED = ("logistic regression", "logistic, bent", "linear regression", "linear, bent", "LightGBM")
CHOICE = "choosing anew"
BLEND_RANK = 10
CLEAR = 2.0
"""Standard errors by which a model must beat the best formula."""
Tell = Callable[[float], None]


@dataclass(frozen=True)
class Choice:
    """What was chosen and what it was held against.

    Attributes
    ----------
    gain, gain_error : by how much the loss is below that of the best formula, and its standard error
    rejected : the model that would have been chosen if it had beaten the formula; empty where one did
    """

    name: str
    best: str
    naive: str
    gain: float
    gain_error: float
    rejected: str = ""


@dataclass(frozen=True)
class Part:
    """What one training part gave: predictions for the part held back, and the choice made inside."""

    raw: Mapping[str, Array]
    predicted: Mapping[str, Array]
    fitted: Mapping[str, Fitted]
    calibrations: Mapping[str, Calibration]
    choice: Choice
    split: Split


@dataclass(frozen=True)
class Compared:
    """A comparison of every way to predict one label.

    Attributes
    ----------
    y : array, shape (n,)
    folds : whole numbers, shape (n,), the part each customer was held back in
    predicted : name -> chances or money by models that had not seen the customer, shape (n,)
    naive : names of formulas
    fitted : the chosen model, fitted to everybody
    options : the settings found for it
    parts : what each training part gave
    """

    task: Task
    y: Array
    folds: npt.NDArray[np.int64]
    predicted: Mapping[str, Array]
    naive: tuple[str, ...]
    choice: Choice
    encoder: Encoder
    fitted: Fitted
    calibration: Calibration
    options: Mapping[str, Options]
    parts: tuple[Part, ...] = field(repr=False, default=())


def compare(
    values: Values,
    columns: Sequence[Column],
    y: Array,
    task: Task,
    learners: Sequence[Learner],
    seed: int,
    tell: Tell | None = None,
) -> Compared:
    """Compare all learners on customers held back, choose, and fit the chosen one to everybody.

    Parameters
    ----------
    learners : those whose libraries are there
    tell : told the share of the work that is done, 0..1
    """
    from threadpoolctl import threadpool_limits

    folds = dealt(y, N_FOLDS, seed)
    done: list[int] = []

    def work(fold: int) -> Part:
        with threadpool_limits(1):
            found = one_part(
                split_of(values, columns, y, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)),
                columns,
                task,
                learners,
                seed + fold,
            )
        done.append(fold)
        if tell:
            tell(len(done) / (N_FOLDS + 1))
        return found

    with threadpool_limits(1), ThreadPoolExecutor(min(N_FOLDS, os.cpu_count() or 1)) as workers:
        parts = list(workers.map(work, range(N_FOLDS)))
        names = [name for name in parts[0].raw if all(name in part.raw for part in parts)]
        raw = {name: _joined(y, parts, lambda part, name=name: part.raw[name]) for name in names}  # type: ignore[misc]
        predicted = {name: _joined(y, parts, lambda part, name=name: part.predicted[name]) for name in names}  # type: ignore[misc]
        choice = choose(predicted, y, task, learners)
        predicted[CHOICE] = _joined(y, parts, lambda part: part.predicted[part.choice.name])
        everybody = Rows(values, Encoder.fit(values, columns), y)
        fitted, options = _final(choice.name, raw, everybody, [part.split for part in parts], task, learners, seed)
    calibration = choose_calibration(raw[choice.name], y, folds.astype(np.float64)) if task == "churn" else Calibration("Platt")
    naive = tuple(learner.name for learner in learners if learner.rank <= 1 and learner.name in predicted)
    return Compared(task, y, folds, predicted, naive, choice, everybody.encoder, fitted, calibration, options, tuple(parts))


def dealt(y: Array, n_parts: int, seed: int) -> npt.NDArray[np.int64]:
    """Return a part for each customer, the parts alike in their labels: shuffled, sorted by label, dealt out in turn."""
    rng = np.random.default_rng([seed, 1])
    shuffled = rng.permutation(len(y))
    by_label = np.searchsorted(np.quantile(y, np.linspace(0.1, 0.9, 9)), y) if len(np.unique(y)) > 2 else y
    order = shuffled[np.argsort(by_label[shuffled], kind="stable")]
    folds = np.empty(len(y), dtype=np.int64)
    folds[order] = np.arange(len(y)) % n_parts
    return folds


def split_of(
    values: Values, columns: Sequence[Column], y: Array, train: npt.NDArray[np.int64], test: npt.NDArray[np.int64]
) -> Split:
    """Return customers to learn from and customers held back, encoded by what is known of the former."""
    known = {column.name: values[column.name][train] for column in columns}
    encoder = Encoder.fit(known, columns)
    held = {column.name: values[column.name][test] for column in columns}
    return Split(Rows(known, encoder, y[train]), Rows(held, encoder, y[test]), test)


def one_part(split: Split, columns: Sequence[Column], task: Task, learners: Sequence[Learner], seed: int) -> Part:
    """Learn everything from one training part, and predict the part held back."""
    train, test = split.train, split.test
    inner_folds = dealt(train.y, 3 if len(train) >= FEWER_INNER_FROM else N_FOLDS, seed)
    inner = [
        split_of(train.values, columns, train.y, np.flatnonzero(inner_folds != fold), np.flatnonzero(inner_folds == fold))
        for fold in range(int(inner_folds.max()) + 1)
    ]
    within: dict[str, Array] = {}
    raw: dict[str, Array] = {}
    fitted: dict[str, Fitted] = {}
    for learner in learners:
        options, within[learner.name] = tuned(learner, inner, train.y, task, seed)
        fitted[learner.name] = learner.fit(train, task, options, seed)
        raw[learner.name] = scores(fitted[learner.name], test)
    members = [name for name in BLENDED if name in raw]
    if len(members) > 1:
        weights = blend_weights({name: within[name] for name in members}, train.y, task)
        fitted[BLEND] = mixed(weights, [fitted[name] for name in members])
        within[BLEND], raw[BLEND] = mixed_scores(weights, within), mixed_scores(weights, raw)
    if task == "spend":
        return Part(raw, raw, fitted, {}, choose(within, train.y, task, learners), split)
    calibrations = {name: choose_calibration(score, train.y, inner_folds.astype(np.float64)) for name, score in within.items()}
    inside = {name: calibrations[name].chance(score) for name, score in within.items()}
    predicted = {name: calibrations[name].chance(score) for name, score in raw.items()}
    return Part(raw, predicted, fitted, calibrations, choose(inside, train.y, task, learners), split)


def tuned(learner: Learner, splits: Sequence[Split], y: Array, task: Task, seed: int) -> tuple[Options, Array]:
    """Return the settings with the smallest loss on customers held back, and the scores of these customers.

    The loss of log-odds is taken after Platt's line, so that settings that shift the level (class weights) are judged fairly.
    """
    best: tuple[float, Options, Array] | None = None
    for options in learner.options(task, seed):
        found = np.empty(len(y))
        for split in splits:
            found[split.held_out] = scores(learner.fit(split.train, task, options, seed), split.test)
        loss = float(losses(platt(found, y).chance(found) if task == "churn" else found, y, task).mean())
        if best is None or loss < best[0]:
            best = (loss, options, found)
    if best is None:
        raise ValueError(f"{learner.name} has no settings to try")
    return best[1], best[2]


def losses(predicted: Array, y: Array, task: Task) -> Array:
    """Return the loss of each customer: log loss, or squared error."""
    return log_losses(y, predicted) if task == "churn" else np.asarray((predicted - y) ** 2, dtype=np.float64)


def choose(predicted: Mapping[str, Array], y: Array, task: Task, learners: Sequence[Learner]) -> Choice:
    """Return the choice by the rule of this module."""
    ranks = {learner.name: learner.rank for learner in learners} | {BLEND: BLEND_RANK}
    found = {name: losses(values, y, task) for name, values in predicted.items() if name in ranks}
    means = {name: float(loss.mean()) for name, loss in found.items()}
    naive = min((name for name in found if ranks[name] <= 1), key=lambda name: (means[name], name))
    models = [name for name in found if ranks[name] > 1]
    if not models:
        return Choice(naive, naive, naive, 0.0, 0.0)
    best = min(models, key=lambda name: (means[name], ranks[name]))
    gain, error = means[naive] - means[best], _error(found[naive] - found[best])
    if gain > CLEAR * error:
        return Choice(best, best, naive, gain, error)
    return Choice(naive, best, naive, gain, error, rejected=best)


def _error(differences: Array) -> float:
    """Return the standard error of a mean of differences between two models for the same customers."""
    return float(differences.std(ddof=1) / np.sqrt(len(differences))) if len(differences) > 1 else float("inf")


def _joined(y: Array, parts: Sequence[Part], of: Callable[[Part], Array]) -> Array:
    """Return one array for all customers from those of the parts held back."""
    joined = np.empty(len(y))
    for part in parts:
        joined[part.split.held_out] = of(part)
    return joined


def _final(
    name: str,
    raw: Mapping[str, Array],
    everybody: Rows,
    splits: Sequence[Split],
    task: Task,
    learners: Sequence[Learner],
    seed: int,
) -> tuple[Fitted, dict[str, Options]]:
    """Return the chosen model fitted to everybody, and the settings found for it and its members."""
    by_name = {learner.name: learner for learner in learners}
    members = [one for one in BLENDED if one in by_name] if name == BLEND else [name]
    options: dict[str, Options] = {}
    fitted: list[Fitted] = []
    for one in members:
        choices = by_name[one].options(task, seed)
        options[one] = tuned(by_name[one], splits, everybody.y, task, seed)[0] if len(choices) > 1 else choices[0]
        fitted.append(by_name[one].fit(everybody, task, options[one], seed))
    if name != BLEND:
        return fitted[0], options
    whole: Mixture = mixed(blend_weights({one: raw[one] for one in members}, everybody.y, task), fitted)
    return whole, options
