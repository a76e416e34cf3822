"""Rolling-origin backtest: at past cutoffs, what each candidate would have said, and what then came.

Comes in: checked settings, described sources, cutoffs and horizons. Goes out: a `Backtest` with every figure and sentences. The
data are staged once; facts are built for all cutoffs at once, each from what was known before it, and labels are held apart
until every forecast is made. Candidates learn only from cutoffs whose whole horizon ended at or before the one they forecast.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError
from customer_genome.evaluation.curves import curves
from customer_genome.evaluation.judging import Fold, Scorecard, judge
from customer_genome.evaluation.verdicts import verdicts
from customer_genome.features.labels import build_labels
from customer_genome.features.past import cutoff_table, training_cutoffs
from customer_genome.features.trials import digest_below
from customer_genome.models.btyd.season import day_number
from customer_genome.models.candidates import CANDIDATES, CHAMPION, OWN, Candidate, Champion, Expected, Known, Past
from customer_genome.models.segmentation.segments import rfm_scores
from customer_genome.proof.forecasting import staged
from customer_genome.settings import Settings
from customer_genome.stages.champions import fact_names, facts_at, facts_of, labels_at, own_forecast, past_of
from customer_genome.stages.facts import build_facts
from customer_genome.stages.fitting import fit_value_models
from customer_genome.stages.job import Job, Progress, silent
from customer_genome.warehouse.build import build_marts
from customer_genome.warehouse.engine import Engine
from customer_genome.workspace import store_json

HORIZONS = (180, 90, 30)
EVERY_HORIZON = (30, 90, 180, 365)
MOST_CUTOFFS = 4
MOST_CUSTOMERS = 50_000
"""More customers than this are represented by about as many in the comparison; the own forecast is fitted to all."""
FILE = "backtest.json"
FORMAT = 1


@dataclass(frozen=True)
class Cutoff:
    """One judged cutoff: its customers, what came, what was learned from, and how the own models were fitted."""

    as_of: dt.date
    n_customers: int
    share_ordered: float
    spend: float
    learned_from: tuple[dt.date, ...]
    fit: tuple[str, ...]
    choice: tuple[str, ...] = ()
    choice_figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Backtest:
    """What a backtest found: `scorecard` holds every figure, `words` what it says.

    Attributes
    ----------
    curves : candidate -> name -> rows
        What is drawn: see `evaluation.curves`, and "months": predicted over actual totals by the month of the cutoff.
    further : backtests of other horizons of the same data
    """

    label: str
    currency: str
    horizon_days: int
    cutoffs: tuple[Cutoff, ...]
    candidates: tuple[Candidate, ...]
    scorecard: Scorecard
    words: tuple[str, ...]
    notices: tuple[str, ...]
    seconds: Mapping[str, float]
    curves: Mapping[str, Mapping[str, list[dict[str, Any]]]] = field(default_factory=dict)
    further: tuple[Backtest, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        further = {"further": [one.as_json() for one in self.further]} if self.further else {}
        return {
            "format": FORMAT,
            "data": self.label,
            "currency": self.currency,
            "horizon_days": self.horizon_days,
            "cutoffs": [
                {
                    "as_of": one.as_of.isoformat(),
                    "n_customers": one.n_customers,
                    "share_ordered": one.share_ordered,
                    "spend": one.spend,
                    "learned_from": [day.isoformat() for day in one.learned_from],
                    "fit": list(one.fit),
                    "champion": {"words": list(one.choice), "figures": dict(one.choice_figures)},
                }
                for one in self.cutoffs
            ],
            "candidates": [{"name": one.name, "kind": one.kind, "about": one.about} for one in self.candidates],
            "rows": [row.as_json() for row in self.scorecard.rows],
            "words": list(self.words),
            "notices": list(self.notices),
            "seconds": dict(self.seconds),
            "curves": {name: dict(found) for name, found in self.curves.items()},
            **further,
        }

    def store(self, workspace: Path) -> Path:
        """Write everything to `backtest.json` of a workspace; readers see the old or the new one whole."""
        return store_json(workspace, FILE, self.as_json())


def backtest(
    settings: Settings,
    describe: Callable[[Path], Mapping[str, SourceTable]],
    *,
    cutoffs: Sequence[dt.date] | None = None,
    horizon_days: int | Sequence[int] | None = None,
    candidates: Sequence[Candidate] = CANDIDATES,
    today: dt.date | None = None,
    n_draws: int = 200,
    progress: Progress = silent,
) -> Backtest:
    """Return how candidates would have done at past cutoffs.

    Parameters
    ----------
    describe : function of a folder for work files
        Returns the described source of each input table.
    cutoffs : days, optional
        By default up to four, half a horizon apart, the last one with its horizon just complete.
    horizon_days : int or several, optional
        By default the longest of 180, 90, 30 days of which the data hold three. Of several the first leads, the others stand in
        `further`; none at all means every usual horizon of which the data hold two.
    n_draws : int
        Resamples behind the standard errors.

    Raises
    ------
    SettingsError
        When a cutoff has no earlier purchase or no complete future, or the data are too short; with what is possible.
    """
    with staged(settings, describe, today, progress) as job:
        first_day, end = _span(job.engine)
        horizons = _horizons(first_day, end, horizon_days)
        planned = [
            _checked(cutoffs, first_day, end, horizon) if cutoffs else _usual(first_day, end, horizon) for horizon in horizons
        ]
        found = [
            _over(job, first_day, horizon, sorted(set(judged)), candidates, n_draws)
            for horizon, judged in zip(horizons, planned, strict=True)
        ]
        return replace(found[0], further=tuple(found[1:]))


def _over(
    job: Job, first_day: dt.date, horizon: int, judged: Sequence[dt.date], candidates: Sequence[Candidate], n_draws: int
) -> Backtest:
    """Return the backtest over one horizon."""
    absent = [f"{one.name} is left out. {why}" for one in candidates if (why := one.unavailable())]
    candidates = [one for one in candidates if one.unavailable() is None]
    planned = sorted({*judged, *training_cutoffs(judged, first_day, horizon)})
    _build(job, planned, horizon)
    with job.clock.stage("score", "forecasting at every cutoff"):
        folds, found, months = _forecasts(job, planned, judged, horizon, candidates, first_day)
    with job.clock.stage("publish", "comparing"):
        used = tuple(one for one in candidates if any(one.name in fold.forecasts for fold in folds))
        naive = [one.name for one in used if one.kind == "naive"]
        shown = CHAMPION if any(one.name == CHAMPION for one in used) else OWN
        scorecard = judge(folds, naive, leading=(shown,), n_draws=n_draws, seed=job.settings.prediction.seed)
    names = [one.name for one in candidates if one not in used]
    notices = (*job.notices, *absent, *_missing(names, first_day, horizon))
    return Backtest(
        job.sources["order_lines"].label,
        job.settings.shop.currency,
        horizon,
        tuple(found),
        used,
        scorecard,
        tuple(verdicts(scorecard, naive, shown)),
        notices,
        dict(job.clock.seconds),
        {one.name: _curves(one.name, folds, months if one.name in (CHAMPION, OWN) else []) for one in used},
    )


def _curves(name: str, folds: Sequence[Fold], months: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return what is drawn of a candidate, empty where it has no forecast at some cutoff."""
    if any(name not in fold.forecasts for fold in folds):
        return {}
    found = curves([fold.spend for fold in folds], [fold.ordered for fold in folds], [fold.forecasts[name] for fold in folds])
    return found | ({"months": months} if months else {})


def _missing(names: Sequence[str], first_day: dt.date, horizon: int) -> Iterator[str]:
    """Say which candidates had nothing to learn from."""
    if names:
        day = first_day + dt.timedelta(days=horizon + horizon // 4)
        yield (
            f"Left out: {', '.join(names)}. They learn from an earlier cutoff whose horizon has ended, which takes a cutoff after about {day}."
        )


# --- cutoffs ---------------------------------------------------------------------------------------------------------


def _span(engine: Engine) -> tuple[dt.date, dt.date]:
    """Return the first day of the purchases and the day after the last."""
    row = engine.fetch("select min(ordered_on) as first_day, max(ordered_on) as last_day from order_lines").to_pylist()[0]
    return row["first_day"], row["last_day"] + dt.timedelta(days=1)


def _horizons(first_day: dt.date, end: dt.date, wanted: int | Sequence[int] | None) -> list[int]:
    """Return the horizons, the leading one first."""
    if wanted is None or isinstance(wanted, int):
        return [_horizon(first_day, end, wanted)]
    if not wanted:
        leading = _horizon(first_day, end, None)
        return [leading, *(days for days in EVERY_HORIZON if days != leading and (end - first_day).days >= 2 * days)]
    return [_horizon(first_day, end, days) for days in dict.fromkeys(wanted)]


def _horizon(first_day: dt.date, end: dt.date, wanted: int | None) -> int:
    """Return the horizon; SettingsError where the data do not hold as much behind a cutoff as ahead of it."""
    n_days = (end - first_day).days
    if wanted is None:
        wanted = next((days for days in HORIZONS if n_days >= 3 * days), HORIZONS[-1])
    if wanted < 1:
        raise SettingsError(f"--horizon-days {wanted} is no horizon. Wanted: 1 or more days, such as 90.")
    if wanted >= n_days:
        possible = f"--horizon-days of at most {n_days // 2}" if n_days >= 2 else "data of several months"
        raise SettingsError(
            f"A backtest over {wanted} days needs purchases before a cutoff and {wanted} days of data after it; the purchases run over "
            f"{n_days:,} days, from {first_day} to {end - dt.timedelta(days=1)}. Wanted: {possible}."
        )
    return wanted


def _usual(first_day: dt.date, end: dt.date, horizon: int) -> list[dt.date]:
    """Return the last cutoff whose horizon is complete, and earlier ones half a horizon apart, with a horizon of history each."""
    last = end - dt.timedelta(days=horizon)
    step = max(1, horizon // 2)
    found = [last - dt.timedelta(days=step * number) for number in range(MOST_CUTOFFS)]
    long_enough = [day for day in found if (day - first_day).days >= horizon]
    return long_enough or [last]


def _checked(cutoffs: Sequence[dt.date], first_day: dt.date, end: dt.date, horizon: int) -> list[dt.date]:
    """Return the cutoffs; SettingsError that names all that are impossible and says what is possible."""
    last = end - dt.timedelta(days=horizon)
    faults = [f"{day} has no purchase before it" for day in cutoffs if day <= first_day]
    faults += [f"{day} has only {(end - day).days:,} of {horizon} days after it" for day in cutoffs if day > last]
    if faults:
        raise SettingsError(
            f"--cutoffs: {'; '.join(faults)}. The purchases run from {first_day} to {end - dt.timedelta(days=1)}. "
            f"Wanted: days from {first_day + dt.timedelta(days=1)} to {last} for a horizon of {horizon} days, or a shorter --horizon-days."
        )
    return list(cutoffs)


# --- tables ----------------------------------------------------------------------------------------------------------


def _build(job: Job, planned: Sequence[dt.date], horizon: int) -> None:
    """Build marts, facts, recent windows and labels of every cutoff at once."""
    with job.clock.stage("clean", "orders and refunds"):
        build_marts(job.engine, cutoff_table(planned, horizon), job.settings.cleaning)
    with job.clock.stage("facts", "facts about every customer at every cutoff"):
        build_facts(job)
        build_labels(job.engine, nets_refunds=job.settings.cleaning.refunds == "net")


# --- forecasts -------------------------------------------------------------------------------------------------------


def _forecasts(
    job: Job,
    planned: Sequence[dt.date],
    judged: Sequence[dt.date],
    horizon: int,
    candidates: Sequence[Candidate],
    first_day: dt.date,
) -> tuple[list[Fold], list[Cutoff], list[dict[str, Any]]]:
    """Return every forecast at every judged cutoff with what came, and the level of the own forecast month by month."""
    engine = job.engine
    n = engine.fetch("select count(*) as n from customer_facts group by as_of order by n desc limit 1").column("n")[0].as_py()
    mark = digest_below(MOST_CUSTOMERS / n)
    tables = {day: facts_at(engine, day, mark) for day in planned}
    names = fact_names(tables[planned[-1]].schema)
    ids = {name: number for number, name in enumerate(sorted({i for t in tables.values() for i in t["customer_id"].to_pylist()}))}
    pasts: dict[dt.date, Past] = {}
    folds, found = [], []
    for place, day in enumerate(planned):
        job.clock.progress("score", 0.6 + 0.3 * place / len(planned), f"forecasting as of {day}")
        bare = Known(day_number(day), horizon, facts_of(tables[day], names))
        known, fit = _with_own_forecast(job, bare, day, horizon, is_judged=day in judged)
        outcome = pasts[day] = past_of(known, labels_at(engine, day, mark))
        if day not in judged:
            continue
        learned = [earlier for earlier in pasts if earlier + dt.timedelta(days=horizon) <= day]
        forecasts, chosen = _said(candidates, outcome.known, [pasts[earlier] for earlier in learned])
        customers = np.array([ids[name] for name in tables[day]["customer_id"].to_pylist()], dtype=np.int64)
        facts = outcome.known.facts
        is_new: npt.NDArray[np.bool_] = facts["tenure_days"] <= horizon
        folds.append(
            Fold(day.isoformat(), customers, is_new, outcome.spend, outcome.ordered, forecasts, _segments(outcome.known))
        )
        mean, total = float(outcome.ordered.mean()), float(outcome.spend.sum())
        words, figures = (chosen.words, chosen.figures) if chosen else ((), {})
        found.append(Cutoff(day, len(outcome.known), mean, total, tuple(learned), fit, words, figures))
    long_enough = [day for day in planned if (day - first_day).days >= horizon]
    months = {one["month"]: one for day in long_enough if (one := _month(day, pasts[day]))}
    return folds, found, list(months.values())


def _said(candidates: Sequence[Candidate], now: Known, past: Sequence[Past]) -> tuple[dict[str, Expected], Champion | None]:
    """Return the forecasts of all candidates that have one, and the champion among them."""
    forecasts: dict[str, Expected] = {}
    chosen: Champion | None = None
    for one in candidates:
        fitted = one.fit(now, past)
        if fitted is not None:
            forecasts[one.name] = fitted.forecast(now)
        if isinstance(fitted, Champion):
            chosen = fitted
    return forecasts, chosen


def _segments(known: Known) -> dict[str, npt.NDArray[np.bool_]]:
    """Return the customers of every RFM segment, fifths being those of all customers of the cutoff."""
    facts = known.facts
    names = rfm_scores(facts["recency_days"], facts["n_orders"], facts["total_spend"]).rfm_segment.to_numpy(zero_copy_only=False)
    return {str(name): np.asarray(names == name) for name in sorted({one for one in names if one is not None})}


def _month(day: dt.date, one: Past) -> dict[str, Any] | None:
    """Return predicted over actual spend and buyers of the own forecast as of a day; None where nothing came."""
    own, total, buyers = one.known.own, float(one.spend.sum()), float(one.ordered.sum())
    if own is None or own.spend is None or own.chance is None or total <= 0 or buyers <= 0:
        return None
    gap = one.spend - own.spend
    return {
        "month": f"{day:%Y-%m}",
        "as_of": day.isoformat(),
        "bias": float(own.spend.sum()) / total,
        "error": float(gap.std() * np.sqrt(len(gap))) / total,
        "buyers_bias": float(own.chance.sum()) / buyers,
    }


def _with_own_forecast(job: Job, known: Known, as_of: dt.date, horizon: int, *, is_judged: bool) -> tuple[Known, tuple[str, ...]]:
    """Return customers with what purchase and spend models say of them, and how these were fitted: to everybody, as of the cutoff.

    Cutoffs that are only learned from are fitted as a run fits them, without comparing models at each, and have ranges when asked for them.
    """
    job.engine.write("cutoffs", cutoff_table([as_of], horizon))
    models = fit_value_models(job.engine, job.settings, compares=is_judged)
    forecast = partial(own_forecast, models, job.settings, as_of, horizon)
    own = forecast(known.facts, with_range=is_judged)
    return replace(known, own=own, in_full=forecast), models.sentences()
