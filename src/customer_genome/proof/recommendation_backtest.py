"""How good recommendations would have been: at past days, lists made from what was known, judged by what was bought after.

Comes in: checked settings, described sources, cutoffs and a horizon. Goes out: a `ListBacktest` with every figure and sentence.
Protocol: a global cut in time, the full catalogue, no sampled negatives; judged are customers with a purchase before and in the
window, by items known before it. Three views are kept apart: all items, items new to the customer, items bought before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.errors import SettingsError
from customer_genome.evaluation.ranking import Row, compare, draws_of, judge_lists, random_expectation
from customer_genome.features.taste import Taste, build_taste, load_after, load_taste
from customer_genome.models.btyd.season import day_number
from customer_genome.models.recommend.lists import VIEW_WORDS, VIEWS, View, top_in_views
from customer_genome.models.recommend.ranker import wanted_of
from customer_genome.models.recommend.study import FULL, LENGTH, POPULARITY, Chosen, Effort, Study, require_known
from customer_genome.proof.forecasting import staged
from customer_genome.settings import Settings
from customer_genome.stages.job import Job, Progress, silent
from customer_genome.stages.recommending import level_of, name_interactions
from customer_genome.warehouse.build import build_marts
from customer_genome.workspace import store_json

FILE = "recommendation_backtest.json"
FORMAT = 1
HORIZONS = (90, 30, 14, 7)
HISTORY = 6
"""Horizons the data must hold for the usual choice of one."""
N_CUTOFFS = 2
CHAMPION = "champion"
SIZES = ("few items owned", "some items owned", "many items owned")


@dataclass(frozen=True)
class Judged:
    """One day: who was judged, what could be known of them, and the champion of each view."""

    as_of: dt.date
    n_buyers: int
    n_known: int
    n_items: int
    repeat_share: float
    cold_share: float
    chosen: Mapping[View, Chosen]
    random: Mapping[View, Mapping[str, float]]


@dataclass(frozen=True)
class ListBacktest:
    """What was found: `rows` per day, view and recommender; `segments` of champion and popularity by how much a customer owned."""

    label: str
    item: str
    horizon_days: int
    days: tuple[Judged, ...]
    rows: tuple[Row, ...]
    segments: tuple[Row, ...]
    about: Mapping[str, str]
    words: tuple[str, ...]
    notices: tuple[str, ...]
    seconds: Mapping[str, float]

    def select(self, as_of: dt.date, view: View) -> list[Row]:
        """Return the rows of a day and view, best first."""
        return [row for row in self.rows if row.as_of == as_of.isoformat() and row.view == view]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "format": FORMAT,
            "data": self.label,
            "item": self.item,
            "horizon_days": self.horizon_days,
            "list_length": LENGTH,
            "cutoffs": [
                {
                    "as_of": day.as_of.isoformat(),
                    "n_buyers": day.n_buyers,
                    "n_known": day.n_known,
                    "n_items": day.n_items,
                    "repeat_share": day.repeat_share,
                    "cold_share": day.cold_share,
                    "champions": {view: {"name": one.name, "why": one.words} for view, one in day.chosen.items()},
                    "random": {view: dict(figures) for view, figures in day.random.items()},
                }
                for day in self.days
            ],
            "candidates": dict(self.about),
            "rows": [row.as_json() for row in self.rows],
            "segments": [row.as_json() for row in self.segments],
            "words": list(self.words),
            "notices": list(self.notices),
            "seconds": dict(self.seconds),
        }

    def store(self, workspace: Path) -> Path:
        """Write everything to a file of a workspace; readers see the old or the new one whole."""
        return store_json(workspace, FILE, self.as_json())


def backtest_lists(
    settings: Settings,
    describe: Callable[[Path], Mapping[str, SourceTable]],
    *,
    cutoffs: Sequence[dt.date] | None = None,
    horizon_days: int | None = None,
    item: str | None = None,
    effort: Effort = FULL,
    today: dt.date | None = None,
    n_draws: int = 1000,
    progress: Progress = silent,
) -> ListBacktest:
    """Return how good lists would have been at past days.

    Parameters
    ----------
    cutoffs : days, optional
        By default two, a horizon apart, the last one with its window just complete.
    horizon_days : int, optional
        By default the longest of 90, 30, 14, 7 days of which the data hold six.
    item : text, optional
        What is recommended, as in [recommend] item.

    Raises
    ------
    SettingsError
        When the data are too short, a cutoff is impossible, or there is nothing to recommend.
    """
    with staged(settings, describe, today, progress) as job:
        planned, horizon = _planned(job, cutoffs, horizon_days)
        level = level_of(job.engine, job.sources, settings.recommend.item if item is None else item)
        with job.clock.stage("clean", "orders and refunds"):
            table = {"as_of": pa.array(planned, pa.date32()), "horizon_days": pa.array([horizon] * len(planned), pa.int32())}
            build_marts(job.engine, pa.table(table), job.settings.cleaning)
            name_interactions(job.engine, level, has_products="products" in job.sources)
            build_taste(job.engine, with_outcomes=True)
        found, rows, segments, about, notices = _judge_all(job, planned, horizon, effort, n_draws)
        return ListBacktest(
            job.sources["order_lines"].label,
            level.words,
            horizon,
            tuple(found),
            tuple(rows),
            tuple(segments),
            about,
            tuple(_words(found, rows, horizon)),
            (*job.notices, *notices),
            dict(job.clock.seconds),
        )


def _planned(job: Job, cutoffs: Sequence[dt.date] | None, wanted: int | None) -> tuple[list[dt.date], int]:
    """Return the days to judge, and the horizon."""
    row = job.engine.fetch(
        "select cast(min(ordered_at) as date) as first_day, cast(max(ordered_at) as date) as last_day from lines where row_class = 'kept'"
    ).to_pylist()[0]
    first_day, end = row["first_day"], row["last_day"] + dt.timedelta(days=1)
    n_days = (end - first_day).days
    horizon = wanted or next((days for days in HORIZONS if n_days >= HISTORY * days), HORIZONS[-1])
    last = end - dt.timedelta(days=horizon)
    if horizon < 1 or last <= first_day:
        raise SettingsError(
            f"Lists over {horizon} days cannot be judged: the purchases run over {n_days:,} days, from {first_day} to {row['last_day']}. "
            f"Wanted: --horizon-days of at most {max(n_days // 2, 1)}."
        )
    if cutoffs:
        wrong = [day for day in cutoffs if not first_day < day <= last]
        if wrong:
            raise SettingsError(
                f"--cutoffs {', '.join(map(str, wrong))}: wanted days from {first_day + dt.timedelta(days=1)} to {last}, "
                f"with a purchase before and {horizon} days after them."
            )
        return sorted(set(cutoffs)), horizon
    usual = [last - dt.timedelta(days=horizon * number) for number in range(N_CUTOFFS)]
    return sorted(day for day in usual if (day - first_day).days >= horizon) or [last], horizon


def _judge_all(
    job: Job, planned: Sequence[dt.date], horizon: int, effort: Effort, n_draws: int
) -> tuple[list[Judged], list[Row], list[Row], dict[str, str], list[str]]:
    """Return what was found at every day. What was fitted to the same earlier purchases is fitted once."""
    found: list[Judged] = []
    rows: list[Row] = []
    segments: list[Row] = []
    about: dict[str, str] = {}
    notices: list[str] = []
    nets = job.settings.cleaning.refunds == "net"  # then an earlier day knew other purchases
    most = job.settings.recommend.most_purchases
    loaded = load_taste(job.engine, planned[-1], horizon, most)
    if not loaded.is_whole:
        notices.append(
            f"Learned from and judged on {len(loaded.known):,} of {loaded.n_purchases:,} purchases, those of {len(loaded.customers):,} customers drawn "
            "by the digest of their ids. Raise most_purchases under [recommend] for more."
        )
    kept: dict[tuple[Any, ...], Any] = {}
    for place, day in enumerate(planned):
        job.clock.progress("score", 0.3 + 0.6 * place / len(planned), f"lists as of {day}: fitting, choosing, judging")
        with job.clock.stage("score", f"lists as of {day}"):
            here = load_taste(job.engine, day, horizon, most) if nets else loaded
            known = here.known.before(day_number(day))
            require_known(known)
            study = Study(known, effort, job.settings.prediction.seed, kept={} if nets else kept)
            one, day_rows, day_segments = _judge_day(job, here, study, day, n_draws)
            found.append(one)
            rows.extend(day_rows)
            segments.extend(day_segments)
            about |= study.about()
            notices += [text for text in study.notices if text not in notices]
    return found, rows, segments, about, notices


def _judge_day(job: Job, loaded: Taste, study: Study, day: dt.date, n_draws: int) -> tuple[Judged, list[Row], list[Row]]:
    """Return the figures of every candidate in every view at one day."""
    known = study.known
    chosen = study.choose()
    bought, n_buyers = load_after(job.engine, loaded, day)
    everything = wanted_of(known, bought, "all")
    n_known = int(((known.histories() > 0) & (np.diff(bought.indptr) > 0)).sum())
    repeated = float(everything.multiply(known.owned).sum())
    shares = known.n_buyers / max(int((known.histories() > 0).sum()), 1)
    n_catalogue = int((known.n_buyers > 0).sum())
    rows: list[Row] = []
    segments: list[Row] = []
    chances: dict[View, Mapping[str, float]] = {}
    everybody = np.flatnonzero((known.histories() > 0) & (np.diff(everything.indptr) > 0))
    names = {view: study.names(view) for view in VIEWS}
    once = dict.fromkeys(name for view in VIEWS for name in names[view])
    lists = {name: top_in_views(study.in_views(name), known, everybody, LENGTH) for name in once}
    for view in VIEWS:
        wanted = wanted_of(known, bought, view)
        customers = np.flatnonzero((known.histories() > 0) & (np.diff(wanted.indptr) > 0))
        if not len(customers):
            continue
        owned = known.histories()[customers]
        choices = {"all": np.full(len(customers), n_catalogue), "new": n_catalogue - owned, "again": owned}[view]
        chances[view] = random_expectation(wanted[customers], choices, LENGTH)
        mine = np.isin(everybody, customers)
        figures = {
            name: judge_lists(lists[name][view][0][mine], wanted[customers], shares, n_catalogue)
            for name in names[view]
            if view in lists[name]
        }
        figures[CHAMPION] = figures[chosen[view].name]
        draws = draws_of(len(customers), n_draws, study.seed)
        rows += compare(day.isoformat(), view, figures, POPULARITY, chances[view], draws)
        segments += _by_size(day, view, figures, owned, wanted[customers], choices, study.seed)
    total = float(everything.sum())
    one = Judged(
        day, n_buyers, n_known, n_catalogue, repeated / total if total else 0.0, 1 - n_known / max(n_buyers, 1), chosen, chances
    )
    return one, rows, segments


def _by_size(
    day: dt.date, view: View, figures: Mapping[str, Any], owned: Any, wanted: Any, choices: Any, seed: int
) -> Iterator[Row]:
    """Yield champion and popularity for thirds of the customers by how many items they owned, each third with its own chance."""
    edges = np.quantile(owned, [1 / 3, 2 / 3])
    part = np.searchsorted(edges, owned, side="left")
    for number, name in enumerate(SIZES):
        mine = part == number
        if mine.sum() < 2:
            continue
        two = {
            one: type(figures[one])({key: values[mine] for key, values in figures[one].per_customer.items()}, np.nan)
            for one in (CHAMPION, POPULARITY)
        }
        random = random_expectation(wanted[mine], choices[mine], LENGTH)
        yield from compare(f"{day.isoformat()}, {name}", view, two, POPULARITY, random, draws_of(int(mine.sum()), 200, seed))


def _words(found: Sequence[Judged], rows: Sequence[Row], horizon: int) -> Iterator[str]:
    """Yield what the comparison says."""
    for view in VIEWS:
        champions = [row for row in rows if row.view == view and row.candidate == CHAMPION]
        if not champions:
            yield f"{VIEW_WORDS[view]}: nobody bought anything of it in the window."
            continue
        sure = all(row.versus["ndcg"].lower > 0 for row in champions)
        gains = ", ".join(
            f"{row.figures['ndcg']:.3f} against {row.figures['ndcg'] - row.versus['ndcg'].mean:.3f}" for row in champions
        )
        verdict = (
            "better than popularity beyond doubt at every day" if sure else "not better than popularity beyond doubt at every day"
        )
        names = sorted({day.chosen[view].name for day in found})
        yield f"{VIEW_WORDS[view]}: {' / '.join(names)}, NDCG@{LENGTH} {gains}; {verdict}."
    for day in found:
        yield (
            f"{day.as_of}: {day.n_known:,} of {day.n_buyers:,} buyers of the next {horizon} days were known before "
            f"({day.cold_share:.0%} were not and get what is popular); {day.repeat_share:.0%} of what the known ones bought they had bought before."
        )
