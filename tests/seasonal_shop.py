"""A simulated shop whose truth is known: customers, some older than the data, who buy by BG/NBD on a seasonal clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customer_genome.models.btyd.purchase_choice import Trial
from customer_genome.models.btyd.season import week_of_year
from customer_genome.models.btyd.season_fit import DatedHistories

START = 14610  # 1 January 2010, in days since 1970-01-01
DAYS_AHEAD = 400
Days = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SeasonalShop:
    """Purchase days of every customer, one row each; `weeks` is the true multiplier by week of the year."""

    customer: Days
    day: Days
    weeks: npt.NDArray[np.float64]

    def known_at(self, as_of: int) -> Known:
        """Return what a shop whose books begin at START knows before `as_of`."""
        seen = (self.day >= START) & (self.day < as_of)
        customer, day = self.customer[seen], self.day[seen]
        ids, first_at, place, n_days = np.unique(customer, return_index=True, return_inverse=True, return_counts=True)
        first = day[first_at]
        last = np.zeros_like(first)
        np.maximum.at(last, place, day)
        is_repeat = day > first[place]
        cohort_start = first - (first - START) % 7
        age = (day - cohort_start[place])[is_repeat]
        rows, counts = np.unique(np.column_stack([n_days - 1, first, last]), axis=0, return_counts=True)
        cells, repeats = np.unique(np.column_stack([day[is_repeat], age]), axis=0, return_counts=True)
        histories = DatedHistories(
            rows[:, 0].astype(float), rows[:, 1], rows[:, 2], counts.astype(float),
            cells[:, 0], cells[:, 1], repeats.astype(float), START, as_of - 1,
        )  # fmt: skip
        return Known(ids, (n_days - 1).astype(float), (last - first).astype(float), (as_of - 1 - first).astype(float), histories)

    def trial(self, as_of: int, horizon_days: int) -> Trial:
        """Return what was known before `as_of` with the purchase days of each customer in the horizon after it."""
        known = self.known_at(as_of)
        inside = (self.day >= as_of) & (self.day < as_of + horizon_days) & np.isin(self.customer, known.ids)
        after = np.bincount(np.searchsorted(known.ids, self.customer[inside]), minlength=len(known.ids)).astype(float)
        first = (as_of - 1 - known.age_days).astype(np.int64)
        each = replace(
            known.histories,
            frequency=known.frequency,
            first_day=first,
            last_day=first + known.recency_days.astype(np.int64),
            counts=np.ones(len(first)),
        )
        return Trial(each, after, horizon_days)

    def days_bought(self, ids: Days, begin: int, n_days: int) -> float:
        """Return how many purchase days these customers really had in [begin, begin + n_days)."""
        inside = (self.day >= begin) & (self.day < begin + n_days) & np.isin(self.customer, ids)
        return float(inside.sum())


@dataclass(frozen=True)
class Known:
    """What is known of each customer at a cutoff, and the same as counts."""

    ids: Days
    frequency: npt.NDArray[np.float64]
    recency_days: npt.NDArray[np.float64]
    age_days: npt.NDArray[np.float64]
    histories: DatedHistories


def seasonal_shop(
    n_customers: int,
    n_days: int,
    *,
    december: float = 1.0,
    older_days: int = 0,
    seed: int = 1,
    level_after: tuple[int, float] = (0, 1.0),
    lost_at_once: float = 0.0,
) -> SeasonalShop:
    """Return a shop of customers acquired evenly from `older_days` before START on.

    Parameters
    ----------
    december : multiplier of the purchase rate from mid November to Christmas; the rest of the year is lower, so that the mean is 1
    level_after : (day number after START, multiplier from then on)
    lost_at_once : share of customers who never come back after the first purchase
    """
    rng = np.random.default_rng(seed)
    peak = np.zeros(52, dtype=bool)
    peak[46:51] = True
    weeks = np.where(peak, december, (52 - 5 * december) / 47)
    begin = START - older_days
    days = np.arange(begin, START + n_days + DAYS_AHEAD)
    rate = weeks[week_of_year(days)] * np.where(days - START >= level_after[0], level_after[1], 1.0)
    passed = np.cumsum(rate)
    first = rng.integers(0, older_days + n_days, n_customers)
    buys, stops = rng.gamma(0.9, 1 / 60.0, n_customers), rng.beta(0.6, 5.0, n_customers)
    now, active, rows = passed[first], rng.random(n_customers) >= lost_at_once, [(np.arange(n_customers), first)]
    while active.any():
        who = np.flatnonzero(active)
        now[who] = now[who] + rng.exponential(1.0, len(who)) / buys[who]
        place = np.searchsorted(passed, now[who])
        inside = place < len(days)
        rows.append((who[inside], place[inside]))
        active[who] = inside & (rng.random(len(who)) >= stops[who])
    bought = np.unique(np.column_stack([np.concatenate(part) for part in zip(*rows, strict=True)]), axis=0)
    return SeasonalShop(bought[:, 0], bought[:, 1] + begin, weeks)
