"""Which purchase model, and on which clock: chosen by forecasts of what is already known.

Comes in: everything known at the cutoff, as counts, and trials: the same as known at earlier cutoffs, with what customers did afterwards,
all of it before the cutoff. Goes out: a `Choice`: a clock, the name of a purchase model, what was compared, and why, in plain words.
Nothing after the cutoff is ever looked at, and nothing here works customer by customer.

The rules
---------
1. A trial forecasts, for every customer known at an earlier cutoff, how many purchase days follow, from what was known then, the clock
   included. It is judged by the mean log-probability that was given to what happened (higher is better; it rewards level,
   ranking and spread at once) and, for people, by the total forecast over the total that came.
2. The simpler form stays unless another one is clearly better: by more than two standard errors over customers, and by at least a
   thousandth of a nat, over all trials together. In this order: BG/NBD, MBG/NBD, Pareto/NBD.
3. The learned clock is used from one year of data on, and given up where trials show plain days to be clearly better. Only a trial that
   knew a year and a quarter is asked: before that no season has been seen twice, and what is judged is another clock than the one
   to be used, which cannot yet tell the season of its only year from the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from customer_genome.models.btyd.purchase_model import PURCHASE_MODELS, PurchaseModel, purchase_model_class
from customer_genome.models.btyd.season import Clock, Part
from customer_genome.models.btyd.season_fit import DatedHistories, fit_clock
from customer_genome.models.estimator import Array

LEARNED, PLAIN = "learned clock", "plain days"
FEWEST_CUSTOMERS = 200
YEAR_AND_QUARTER = 365 + 91
"""Days a trial has to know to be asked about the clock."""
SHORTEST_TRIAL = 56
HALF_YEAR_DAYS = 182
MOST_TIMES = 3.0
"""A clock that forecasts more than this many times what plain days do for half a year is not believed."""
_MOST_ROWS = 6000
_CLEARLY, _LEAST_GAIN = 2.0, 0.001
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Trial:
    """An earlier cutoff: what was known then, and what came after.

    Attributes
    ----------
    known : DatedHistories
        As known at the cutoff; its `end_day` is the day before.
    after : whole numbers, shape of known.frequency
        Purchase days in [cutoff, cutoff + horizon_days) of the customers of each row.
    horizon_days : int, days
    """

    known: DatedHistories
    after: Array
    horizon_days: int


@dataclass(frozen=True)
class Tried:
    """How one form forecast the trials.

    Attributes
    ----------
    model, clock : names
    score : float
        Mean log-probability of what happened, over trials and customers; nats.
    levels : tuple of float
        Total forecast over the total that came, per trial.
    """

    model: str
    clock: str
    score: float
    levels: tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """What was chosen: `clock` and the name of a purchase model; `tried` is what was compared, `sentences` says why."""

    clock: Clock
    model: str
    tried: tuple[Tried, ...]
    sentences: tuple[str, ...]


def choose(known: DatedHistories, trials: Sequence[Trial], models: Sequence[str] = tuple(PURCHASE_MODELS)) -> Choice:
    """Return the clock and the purchase model for everything known at the cutoff.

    Parameters
    ----------
    known : everything before the cutoff
    trials : earlier cutoffs whose horizon ended before the cutoff; may be empty
    models : names, the simplest first
    """
    clock = _believable(fit_clock(known), known, models[0])
    usable = [trial for trial in trials if trial.known.counts.sum() >= FEWEST_CUSTOMERS and trial.after.any()]
    clocks = [fit_clock(trial.known) for trial in usable]
    tried: list[Tried] = []
    sentences: list[str] = []
    if not clock.is_plain:
        clock = _clock_or_days(clock, usable, clocks, models[0], tried, sentences)
    if clock.is_plain:
        clocks = [_plain(trial) for trial in usable]
    if not usable:
        said = f"Too little has been seen to compare purchase models by their forecasts; {models[0]} is used."
        return Choice(clock, models[0], tuple(tried), (*sentences, said))
    name = _model_of(usable, clocks, models, tried, sentences)
    return Choice(clock, name, tuple(tried), tuple(sentences))


def _believable(clock: Clock, known: DatedHistories, model: str) -> Clock:
    """Return the clock, or plain days where it forecasts more for the next half year than any season could explain.

    A season can at most bring a whole year's purchases into half of it, twice what plain days forecast. More than three times comes from
    parts that run away together, as they do where hundreds of customers bought on the same few days.
    """
    if clock.is_plain:
        return clock
    some = _thinned(Trial(known, known.counts, HALF_YEAR_DAYS)).known
    plain = Clock(clock.start_day, clock.end_day)
    times = _half_year(some, clock, model) / max(_half_year(some, plain, model), _SMALLEST)
    if times <= MOST_TIMES:
        return clock
    note = (
        f"The season could not be told from level and age: with it the next half year would be {times:.1f} times what plain days forecast, "
        "more than a season can do. Every day counts the same."
    )
    return replace(plain, notes=(note,))


def _plain(trial: Trial) -> Clock:
    return Clock(trial.known.start_day, trial.known.end_day)


def _clock_or_days(
    clock: Clock, trials: Sequence[Trial], clocks: Sequence[Clock], model: str, tried: list[Tried], sentences: list[str]
) -> Clock:
    """Return the learned clock, or the plain one where trials speak clearly for it."""
    pairs = [
        (trial, learned)
        for trial, learned in zip(trials, clocks, strict=True)
        if not learned.is_plain and trial.known.end_day - trial.known.start_day + 1 >= YEAR_AND_QUARTER
    ]
    if not pairs:
        sentences.append(
            "The learned clock could not be put to the test yet: that takes forecasts made after a year and a quarter."
        )
        return clock
    with_clock = [_forecast(trial, learned, model) for trial, learned in pairs]
    with_days = [_forecast(trial, _plain(trial), model) for trial, _ in pairs]
    counts = [trial.known.counts for trial, _ in pairs]
    results = [_tried(model, LEARNED, with_clock, counts), _tried(model, PLAIN, with_days, counts)]
    tried.extend(results)
    what = f"{_counted(len(pairs))} made after a year and a quarter: total {_levels(results[0])} with the learned clock, {_levels(results[1])} with plain days"
    if _is_clearly_better(with_days, with_clock, counts):
        sentences.append(f"The learned clock forecast worse than plain days in {what}. Every day counts the same.")
        return Clock(clock.start_day, clock.end_day)
    sentences.append(f"The learned clock is used. In {what} of what came.")
    return clock


def _model_of(
    trials: Sequence[Trial], clocks: Sequence[Clock], models: Sequence[str], tried: list[Tried], sentences: list[str]
) -> str:
    """Return the simplest model that no other one clearly beats."""
    trials = [_thinned(trial) for trial in trials]
    counts = [trial.known.counts for trial in trials]
    name = PLAIN if all(clock.is_plain for clock in clocks) else LEARNED
    best, found = models[0], []
    best_forecasts: list[_Forecast] = []
    for model in models:
        forecasts = [_forecast(trial, clock, model) for trial, clock in zip(trials, clocks, strict=True)]
        found.append(_tried(model, name, forecasts, counts))
        if not best_forecasts or _is_clearly_better(forecasts, best_forecasts, counts):
            best, best_forecasts = model, forecasts
    tried.extend(one for one in found if one not in tried)
    scores = ", ".join(f"{one.model} {one.score:.4f} (total {_levels(one)} of what came)" for one in found)
    why = "the simplest, and none is clearly better" if best == models[0] else "clearly better than the simpler ones"
    sentences.append(f"Purchase models by mean log-probability in {_counted(len(trials))}: {scores}. {best} is used: {why}.")
    return best


def _thinned(trial: Trial) -> Trial:
    """Return a trial of a systematic part of the rows where they are many: a choice among models needs no more."""
    step = -(-len(trial.after) // _MOST_ROWS)
    if step == 1:
        return trial
    part = slice(None, None, step)
    known = trial.known
    thin = replace(
        known,
        frequency=known.frequency[part],
        first_day=known.first_day[part],
        last_day=known.last_day[part],
        counts=known.counts[part],
    )
    return Trial(thin, trial.after[part], trial.horizon_days)


# --- one forecast ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Forecast:
    """Log-probability of what each row did, and the total forecast over the total that came."""

    log_probability: Array
    level: float


def _forecast(trial: Trial, clock: Clock, model_name: str) -> _Forecast:
    """Fit to what was known at the trial's cutoff and forecast what came after."""
    counts, log_probability, total = trial.known.counts, np.zeros(len(trial.after)), 0.0
    model, parts = _fitted(trial.known, clock, model_name)
    for part in parts:
        horizon = float(part.times(trial.horizon_days))
        history = (part.frequency, part.recency, part.age)
        chance = probability_of_count(model, trial.after[part.rows], *history, horizon)
        log_probability[part.rows] = np.log(np.maximum(chance, _SMALLEST))
        total += float(counts[part.rows] @ model.expected_orders(*history, horizon))
    return _Forecast(log_probability, total / float(counts @ trial.after))


def _half_year(known: DatedHistories, clock: Clock, model_name: str) -> float:
    """Return the purchase days forecast for the next half year."""
    model, parts = _fitted(known, clock, model_name)
    totals = [
        known.counts[part.rows] @ model.expected_orders(part.frequency, part.recency, part.age, float(part.times(HALF_YEAR_DAYS)))
        for part in parts
    ]
    return float(sum(totals))


def _fitted(known: DatedHistories, clock: Clock, model_name: str) -> tuple[PurchaseModel, list[Part]]:
    """Return a model fitted to everything known, and the customers in parts that share a future."""
    as_of = known.end_day + 1
    recency_days = (known.last_day - known.first_day).astype(np.float64)
    age_days = (known.end_day - known.first_day).astype(np.float64)
    recency, age = clock.histories(as_of, recency_days, age_days)
    model = purchase_model_class(model_name)().fit(known.frequency, recency, age, known.counts)
    return model, list(clock.parts(as_of, known.frequency, recency_days, age_days))


def probability_of_count(
    model: PurchaseModel, n_orders: Array, frequency: Array, recency: Array, age: Array, horizon: float
) -> Array:
    """Return the chance of exactly `n_orders` purchase days up to the horizon, one per history, 0..1."""
    both = np.column_stack([n_orders, n_orders + 1.0])
    at_least = model.at_least_if_active(both, frequency, age, horizon)
    alive = model.probability_alive(frequency, recency, age)
    exactly = alive * np.clip(at_least[:, 0] - at_least[:, 1], 0.0, 1.0)
    return np.asarray(exactly + np.where(n_orders == 0, 1.0 - alive, 0.0), dtype=np.float64)


def _is_clearly_better(one: Sequence[_Forecast], other: Sequence[_Forecast], counts: Sequence[Array]) -> bool:
    """Return whether `one` gave what happened clearly more probability than `other`, over all trials together."""
    gain = np.concatenate([a.log_probability - b.log_probability for a, b in zip(one, other, strict=True)])
    weight = np.concatenate(list(counts))
    mean = float(weight @ gain) / float(weight.sum())
    error = float(np.sqrt(weight @ (gain - mean) ** 2)) / float(weight.sum()) * np.sqrt(len(counts))
    return bool(mean > max(_CLEARLY * error, _LEAST_GAIN))


def _tried(model: str, clock: str, forecasts: Sequence[_Forecast], counts: Sequence[Array]) -> Tried:
    total = sum(float(weight @ one.log_probability) for weight, one in zip(counts, forecasts, strict=True))
    return Tried(model, clock, total / sum(float(weight.sum()) for weight in counts), tuple(one.level for one in forecasts))


def _levels(one: Tried) -> str:
    return ", ".join(f"{level:.0%}" for level in one.levels)


def _counted(n: int) -> str:
    return f"{n} earlier forecast" + ("" if n == 1 else "s")


def with_choice(choice: Choice) -> Clock:
    """Return the chosen clock with the reasons of the choice among its notes, so that they are stored with it."""
    return replace(choice.clock, notes=(*choice.clock.notes, *choice.sentences))


def trial_cutoffs(start_day: int, as_of: int, horizon_days: int) -> list[tuple[int, int]]:
    """Return earlier cutoffs with their horizons, every one complete before `as_of`; few where the data are short.

    Half a horizon lies between two of them. Where none comes after a year of data but a shorter forecast can, that one is added,
    for the clock.

    Examples
    --------
    >>> trial_cutoffs(0, 800, 180)
    [(620, 180), (530, 180), (440, 180)]
    >>> trial_cutoffs(0, 530, 180)
    [(350, 180), (260, 180), (456, 74)]
    """
    found = []
    for halves in (2, 3, 4):
        cutoff = as_of - halves * horizon_days // 2
        if cutoff - start_day >= horizon_days:
            found.append((cutoff, horizon_days))
    enough = start_day + YEAR_AND_QUARTER
    if as_of - enough >= SHORTEST_TRIAL and not any(cutoff >= enough for cutoff, _ in found):
        found.append((enough, min(as_of - enough, horizon_days)))
    return found
