"""Learning a shop's clock: season, level, age profile and the customers the data began with, together with a BG/NBD model.

Comes in: distinct purchase histories with first and last day, how many customers have each, and repeat purchase days counted by day and
by age. Goes out: a `Clock`. The work grows with the distinct histories, not with the customers. It predicts nothing.

The likelihood
--------------
On a clock that runs at rate m on the day of a purchase, a customer's likelihood is that of BG/NBD at the times of the clock, times m for
every repeat purchase. So with W the clock, the whole is

    sum over histories of  n * log L(x, W(t_x), W(T))   +   sum over repeat purchases of  log m(day, age)

which needs histories as counts and repeat purchases as counts only. log m is a sum of four parts that compete to explain the same
purchases, each drawn towards 0 by a normal distribution: the week of the year (neighbours alike, December next to January), the
level (a random walk in steps of four weeks, which goes on as it last stood) with shocks of four weeks that do not last, the age of
the acquisition week (so that the first months of a cohort are not taken for a season), and one factor for the first customers in the
data, most of whom are not new and buy more often. That cohorts were acquired at different times tells age from season, and a
second year tells season from level. With less than a year the three cannot be told apart and the clock tells days.

Source
------
Time-dependent BG/NBD by change of time: Lewis & Shedler (1979) for the thinning argument; age, period and cohort: Holford (1983),
Biometrics 39, 311-324; random-walk level and shocks: Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, ch. 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.models.btyd.season import AGE_EDGES, BLOCK_DAYS, EARLY_DAYS, WEEKS, Clock, week_of_year
from customer_genome.models.descent import descend
from customer_genome.models.estimator import Array

YEAR_DAYS = 365
FEWEST_CUSTOMERS = 100
FEWEST_REPEATS = 400
SEASON_SD, SEASON_STEP_SD = 0.5, 0.15
LEVEL_STEP_SD, SHOCK_SD = 0.03, 0.05
AGE_STEP_SD, EARLY_SD = 0.3, 1.0
EARLY_SHARE = (0.02, 0.90)
"""The early customers have a factor of their own where they are at least and at most this share of all."""
_PIN_SD = 0.001
_MODEL_SD = 3.0
_CENTRE = np.log([0.5, 1.0, 0.5, 2.0])


@dataclass(frozen=True)
class DatedHistories:
    """Distinct histories on the calendar.

    Attributes
    ----------
    frequency : array, shape (n,)
        Repeat purchase days.
    first_day, last_day : whole numbers, shape (n,)
        Of the first and the last purchase, days since 1970-01-01.
    counts : array, shape (n,)
        Customers who share the history.
    repeat_day, repeat_age, repeats : arrays, shape (k,)
        How many repeat purchase days fell on a day, by customers whose acquisition week began so many days before (0 on its first day;
        ages beyond the last edge may be given as any larger number).
    start_day, end_day : first and last day observed
    """

    frequency: Array
    first_day: npt.NDArray[np.int64]
    last_day: npt.NDArray[np.int64]
    counts: Array
    repeat_day: npt.NDArray[np.int64]
    repeat_age: npt.NDArray[np.int64]
    repeats: Array
    start_day: int
    end_day: int


def fit_clock(known: DatedHistories) -> Clock:
    """Return the clock learned from everything known, or one that tells days, with the reason.

    Nothing after `end_day` is looked at. The same data give the same clock.
    """
    reason = _why_not(known)
    if reason:
        return Clock(known.start_day, known.end_day, notes=(reason,))
    problem = _Problem(known)
    point = problem.solve()
    if point is None:
        return Clock(
            known.start_day,
            known.end_day,
            notes=("The season could not be told from the purchases (the fit did not settle); every day counts the same.",),
        )
    return problem.clock(point)


def _why_not(known: DatedHistories) -> str:
    """Return why no clock can be learned, empty where it can."""
    n_days = known.end_day - known.start_day + 1
    n_customers, n_repeats = float(known.counts.sum()), float(known.repeats.sum())
    if n_days < YEAR_DAYS:
        return (
            f"The data cover {n_days} day{'' if n_days == 1 else 's'}. A season can be told from growth and decline only once a whole year has been seen, "
            "so every day of the year counts the same: a forecast made now knows no December."
        )
    if n_customers < FEWEST_CUSTOMERS or n_repeats < FEWEST_REPEATS:
        return (
            f"{n_customers:,.0f} customers with {n_repeats:,.0f} repeat purchase days are too few to learn a season from "
            f"(wanted: {FEWEST_CUSTOMERS} and {FEWEST_REPEATS}); every day of the year counts the same."
        )
    return ""


class _Problem:
    """The penalised likelihood of a clock and a BG/NBD model, as a function of one vector.

    The vector holds log (r, alpha, a, b), then the logs of early, weeks, levels, shocks and ages.
    """

    def __init__(self, known: DatedHistories) -> None:
        self.known = known
        n_days = known.end_day - known.start_day + 1
        self.days = known.start_day + np.arange(n_days)
        self.week = week_of_year(self.days)
        self.block = (known.end_day - self.days) // BLOCK_DAYS
        self.n_blocks = int(self.block[0]) + 1
        self.year = np.bincount(self.week[-YEAR_DAYS:], minlength=WEEKS) / YEAR_DAYS
        is_early = known.first_day - known.start_day < EARLY_DAYS
        share = float(known.counts @ is_early) / float(known.counts.sum())
        self.is_early = is_early.astype(np.float64) * (EARLY_SHARE[0] <= share <= EARLY_SHARE[1])
        self.has_early = bool(self.is_early.any())
        sizes = [4, 1, WEEKS, self.n_blocks, self.n_blocks, len(AGE_EDGES)]
        ends = np.cumsum(sizes)
        self.part = [slice(int(end - size), int(end)) for size, end in zip(sizes, ends, strict=True)]
        self.size = int(ends[-1])
        self._index()
        self._count_repeats()

    def _index(self) -> None:
        """Note where on the days each history's stretches of equal age begin and end."""
        known = self.known
        first, last = known.first_day - known.start_day, known.last_day - known.start_day
        week = first - first % 7 - 1
        end = np.full(len(first), len(self.days) - 1)
        edges = [0, *AGE_EDGES]
        self.bounds: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
        for number in range(len(edges)):
            low = np.maximum(first, week + edges[number]) if number else first
            high = week + edges[number + 1] if number < len(AGE_EDGES) else end
            self.bounds.append((np.minimum(low, end), np.clip(high, low, end), np.clip(np.minimum(high, last), low, None)))
        self.bounds = [(np.minimum(low, top), top, np.minimum(until, top)) for low, top, until in self.bounds]
        self.scale = float(known.counts @ (end - first) / known.counts.sum()) or 1.0

    def _count_repeats(self) -> None:
        known = self.known
        place = known.repeat_day - known.start_day
        by_day = np.bincount(place, weights=known.repeats, minlength=len(self.days))
        self.of_week = np.bincount(self.week, weights=by_day, minlength=WEEKS)
        self.of_block = np.bincount(self.block, weights=by_day, minlength=self.n_blocks)
        age = np.searchsorted(np.asarray(AGE_EDGES), known.repeat_age + 1, side="left")
        self.of_age = np.bincount(age, weights=known.repeats, minlength=len(AGE_EDGES) + 1)[: len(AGE_EDGES)]
        self.of_early = float(known.counts @ (known.frequency * self.is_early))

    # --- the objective -----------------------------------------------------------------------------------------------

    def __call__(self, point: Array) -> tuple[float, Array]:
        """Return the mean negative penalised log-likelihood and its gradient."""
        n = float(self.known.counts.sum())
        value, gradient = self._penalty(point)
        early, weeks, levels, shocks, ages = (point[part] for part in self.part[1:])
        rate = np.exp(weeks[self.week] + (levels + shocks)[self.block])
        passed = np.cumsum(rate)
        multipliers = np.append(np.exp(ages), 1.0)
        factor = np.exp(early[0] * self.is_early)
        spans = [(passed[top] - passed[low], passed[until] - passed[low]) for low, top, until in self.bounds]
        age = factor * sum(v * whole for v, (whole, _) in zip(multipliers, spans, strict=True))
        recency = factor * sum(v * some for v, (_, some) in zip(multipliers, spans, strict=True))
        likelihood, of_model, of_recency, of_age = self._bg_nbd(np.exp(point[:4]), recency, age)
        value += likelihood + early[0] * self.of_early + weeks @ self.of_week + (levels + shocks) @ self.of_block
        value += ages @ self.of_age
        gradient[self.part[0]] += of_model
        gradient[self.part[1]] += self.of_early + self.is_early @ (of_recency * recency + of_age * age)
        by_place = np.zeros(len(passed))
        for number, (v, (low, top, until)) in enumerate(zip(multipliers, self.bounds, strict=True)):
            whole, some = of_age * factor * v, of_recency * factor * v
            by_place += np.bincount(top, whole, len(passed)) + np.bincount(until, some, len(passed))
            by_place -= np.bincount(low, whole + some, len(passed))
            if number < len(AGE_EDGES):
                gradient[self.part[5].start + number] += whole @ spans[number][0] + some @ spans[number][1] + self.of_age[number]
        by_day = np.cumsum(by_place[::-1])[::-1] * rate
        in_block = self.of_block + np.bincount(self.block, by_day, self.n_blocks)
        gradient[self.part[2]] += self.of_week + np.bincount(self.week, by_day, WEEKS)
        gradient[self.part[3]] += in_block
        gradient[self.part[4]] += in_block
        if not self.has_early:
            gradient[self.part[1]] = 0.0
        return -value / n, -gradient / n

    def _bg_nbd(self, parameters: Array, recency: Array, age: Array) -> tuple[float, Array, Array, Array]:
        """Return the log-likelihood and its slopes: in the log-parameters, in recency and in age."""
        from scipy.special import digamma, expit, gammaln

        r, alpha, a, b = parameters
        alpha = alpha * self.scale
        x, counts = self.known.frequency, self.known.counts
        repeat = x > 0
        before = b + np.maximum(x, 1.0) - 1.0
        silence = np.log((alpha + age) / (alpha + recency))
        stopped = (r + x) * silence + np.log(a) - np.log(before)
        dead = counts * repeat * expit(stopped)
        gammas = gammaln(r + x) - gammaln(r) + gammaln(a + b) - gammaln(a + b + x) + gammaln(b + x) - gammaln(b)
        total = counts @ (gammas - r * np.log1p(age / alpha) - x * np.log(alpha + age))
        total += counts @ (repeat * np.logaddexp(0.0, stopped))
        drift = digamma(a + b) - digamma(a + b + x)
        d_r = counts @ (digamma(r + x) - digamma(r) - np.log1p(age / alpha)) + dead @ silence
        in_age = (dead - counts) * (r + x) / (alpha + age)
        in_recency = -dead * (r + x) / (alpha + recency)
        d_alpha = counts.sum() * r / alpha + in_age.sum() + in_recency.sum()
        d_a = counts @ drift + dead.sum() / a
        d_b = counts @ (drift + digamma(b + x) - digamma(b)) - dead @ (1.0 / before)
        return float(total), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b]), in_recency, in_age

    def _penalty(self, point: Array) -> tuple[float, Array]:
        """Return the log of the prior and its gradient."""
        gradient = np.zeros(self.size)
        model, early, weeks, levels, shocks, ages = (point[part] for part in self.part)
        value = 0.0

        def pull(part: slice, values: Array, sd: float) -> None:
            nonlocal value
            value -= 0.5 * float(values @ values) / sd**2
            gradient[part] -= values / sd**2

        def steps(part: slice, values: Array, sd: float, after: Array) -> None:
            nonlocal value
            step = np.append(np.diff(values), after - values[-1] if len(after) else [])
            value -= 0.5 * float(step @ step) / sd**2
            change = np.zeros(len(values) + 1)
            change[: len(step)] += step
            change[1 : len(step) + 1] -= step
            gradient[part] += change[: len(values)] / sd**2

        pull(self.part[0], model - _CENTRE, _MODEL_SD)
        pull(self.part[1], early, EARLY_SD)
        pull(self.part[2], weeks, SEASON_SD)
        pull(self.part[4], shocks, SHOCK_SD)
        steps(self.part[2], weeks, SEASON_STEP_SD, np.empty(0))
        steps(self.part[3], levels, LEVEL_STEP_SD, np.empty(0))
        steps(self.part[5], ages, AGE_STEP_SD, np.zeros(1))
        around = weeks[0] - weeks[-1]
        value -= 0.5 * around**2 / SEASON_STEP_SD**2
        gradient[self.part[2]][[0, -1]] += np.array([-around, around]) / SEASON_STEP_SD**2
        mean = float(self.year @ np.exp(weeks))
        of_block = np.bincount(self.block, minlength=self.n_blocks) / len(self.block)
        for part, off, slope in (
            (self.part[2], np.log(mean), self.year * np.exp(weeks) / mean),
            (self.part[3], float(of_block @ levels), of_block),
        ):
            value -= 0.5 * off**2 / _PIN_SD**2
            gradient[part] -= off * slope / _PIN_SD**2
        return value, gradient

    # --- the optimum -------------------------------------------------------------------------------------------------

    def solve(self) -> Array | None:
        """Return the best vector, or None where the optimiser ends nowhere sensible."""
        start = np.zeros(self.size)
        start[:4] = np.log([0.7, 0.4, 0.2, 3.0])
        reach = np.full(self.size, 3.0)
        reach[:4] = 12.0
        point, value = descend(self, start, -reach, reach, maxiter=600, maxfun=800, ftol=1e-11, gtol=1e-7, maxcor=20)
        learned = point[4:]
        if not (np.isfinite(value) and np.all(np.isfinite(point))) or float(np.abs(learned).max()) > 2.9:
            return None
        return point

    def clock(self, point: Array) -> Clock:
        """Return the clock of a vector."""
        early, weeks, levels, shocks, ages = (np.exp(point[part]) for part in self.part[1:])
        mean = float(self.year @ weeks)
        clock = Clock(
            self.known.start_day,
            self.known.end_day,
            weeks / mean,
            levels * shocks * mean,
            float(levels[0]) * mean,
            ages,
            float(early[0]) if self.has_early else 1.0,
        )
        return Clock(**{**vars(clock), "notes": tuple(_notes(clock))})


def _notes(clock: Clock) -> list[str]:
    """Return what was learned, in plain words."""
    years = (clock.end_day - clock.start_day + 1) / YEAR_DAYS
    middle = np.convolve(np.concatenate([clock.weeks[-2:], clock.weeks, clock.weeks[:2]]), np.full(5, 0.2), "valid")
    high, low = int(np.argmax(middle)), int(np.argmin(middle))
    said = [
        f"Season: learned from {years:.1f} years. Customers buy most around {_about(high)} ({middle[high]:.2f} times their average "
        f"over five weeks) and least around {_about(low)} ({middle[low]:.2f} times)."
    ]
    if years < 2:
        said.append("No season has been seen twice yet: the season may partly be the story of one year.")
    year_ago = clock.levels[min(YEAR_DAYS // BLOCK_DAYS, len(clock.levels) - 1)]
    change = clock.level_ahead / float(year_ago) - 1.0
    said.append(
        f"Level: beside the season, customers now buy {abs(change):.0%} {'more' if change > 0 else 'less'} than a year ago; "
        "forecasts keep today's level."
    )
    said.append(
        f"New customers buy {clock.ages[0]:.2f} times as often in their first two weeks, and {clock.ages[-1]:.2f} times between three and six "
        "months, as later on."
    )
    if clock.early != 1.0:
        said.append(
            f"Customers first seen in the first {EARLY_DAYS // 7} weeks of the data are mostly not new; they buy {clock.early:.2f} times as often "
            "as others."
        )
    return said


def _about(week: int) -> str:
    """Return the middle of a week of the year as people say it, for example 'mid December'."""
    middle = np.datetime64("2023-01-01") + np.timedelta64(7 * week + 3, "D")
    name = (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    )
    month, day = int(str(middle)[5:7]), int(str(middle)[8:10])
    return f"{'early' if day <= 10 else 'mid' if day <= 20 else 'late'} {name[month - 1]}"
