"""The clock of a shop: how fast time passes for a customer's purchases, day by day.

Comes in: multipliers of the purchase rate by week of the year, by four-week stretch of the data, by the age of the customer's
acquisition week, and for the customers the data began with. Goes out: times on that clock, which go into a purchase model in place of
days: on a day of multiplier 2 two days pass. BG/NBD and MBG/NBD are exact on it, since they know purchases and the time between them
only. A clock whose multipliers are all 1 tells days. Nothing here fits; `season_fit` does.

Names: a *day* is a whole number, days since 1970-01-01; customers are told by their *first day*.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError, RegistryError
from customer_genome.models.btyd.histories import as_column, check_histories
from customer_genome.models.estimator import Array, Arrays

Days = npt.NDArray[np.int64]

WEEKS = 52
BLOCK_DAYS = 28
AGE_EDGES = (14, 28, 56, 91, 182)
"""Ages, in days since the start of the acquisition week, at which the multiplier of new customers changes; 1 after the last."""
EARLY_DAYS = 56
"""Customers whose first known purchase lies this near the start of the data are mostly not new."""
_EPOCH = dt.date(1970, 1, 1)
_DECADE = 3653
_SETTLED = -1_000_000
"""Code of the part of settled customers; one less for the early ones, while new ones have the number of their four weeks."""
_PREFIX = "clock_"
_ARRAYS = ("weeks", "levels", "level_ahead", "ages", "early", "start_day", "end_day", "notes")


def day_number(date: dt.date) -> int:
    """Return the days since 1970-01-01.

    Examples
    --------
    >>> day_number(dt.date(1970, 1, 11))
    10
    """
    return (date - _EPOCH).days


def week_of_year(days: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """Return 0..51, the seventh of the year each day lies in; the last one also holds 30 and 31 December.

    Examples
    --------
    >>> week_of_year([day_number(dt.date(2024, 1, 7)), day_number(dt.date(2024, 12, 31))]).tolist()
    [0, 51]
    """
    dates = np.asarray(days, dtype=np.int64).astype("datetime64[D]")
    place = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return np.asarray(np.minimum(place // 7, WEEKS - 1), dtype=np.intp)


@dataclass(frozen=True)
class Clock:
    """Multipliers of the purchase rate, and the times they make.

    Attributes
    ----------
    start_day, end_day : first and last day of the data it was learned from
    weeks : array, shape (52,)
        By week of the year, 1 on average over a year.
    levels : array, shape (n,)
        By stretch of 28 days, the newest first, counted back from `end_day`.
    level_ahead : float
        The same for days to come.
    ages : array, shape (len(AGE_EDGES),)
        By age of the acquisition week; 1 beyond the last edge.
    early : float
        Of customers first seen within `EARLY_DAYS` of the start.
    notes : tuple of str
        What was learned, or why nothing was, in plain words.
    """

    start_day: int = 0
    end_day: int = 0
    weeks: Array = field(default_factory=lambda: np.ones(WEEKS))
    levels: Array = field(default_factory=lambda: np.ones(0))
    level_ahead: float = 1.0
    ages: Array = field(default_factory=lambda: np.ones(len(AGE_EDGES)))
    early: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it tells days."""
        learned = np.concatenate([self.weeks, self.levels, self.ages, [self.level_ahead, self.early]])
        return bool(np.all(learned == 1.0))

    def sentences(self) -> tuple[str, ...]:
        """Return what the clock says, in plain words."""
        return self.notes

    def figures(self) -> dict[str, object]:
        """Return what was learned as plain numbers, for a card; empty for a clock that tells days."""
        if self.is_plain:
            return {}
        parts = {name: [float(value) for value in getattr(self, name)] for name in ("weeks", "levels", "ages")}
        return {**parts, "level_ahead": self.level_ahead, "early": self.early}

    # --- time --------------------------------------------------------------------------------------------------------

    def rates(self, first: int, last: int) -> Array:
        """Return the multiplier of every day from `first` to `last` for customers who are neither new nor early."""
        days = np.arange(first, last + 1)
        known = np.append(self.levels, self.level_ahead)
        block = np.clip((self.end_day - days) // BLOCK_DAYS, -1, len(self.levels) - 1)
        return np.asarray(self.weeks[week_of_year(days)] * np.where(block < 0, self.level_ahead, known[block]), dtype=np.float64)

    def elapsed(self, first_days: npt.ArrayLike, from_days: npt.ArrayLike, to_days: npt.ArrayLike) -> Array:
        """Return the time that passes between the ends of two days, for customers first seen on `first_days`.

        Parameters
        ----------
        first_days, from_days, to_days : whole numbers that broadcast, first <= from <= to

        Returns
        -------
        array of their common shape, days on the clock; to - from exactly where the clock is plain
        """
        first, begin, end = (np.asarray(values, dtype=np.int64) for values in (first_days, from_days, to_days))
        if self.is_plain or min(first.size, begin.size, end.size) == 0:
            return np.asarray((end - begin) + 0 * first, dtype=np.float64)
        before = max(0, self.start_day - min(int(begin.min()), int(first.min())))
        origin = self.start_day - 8 - _DECADE * -(-before // _DECADE)  # the same for any part of the customers: sums round alike
        passed = np.concatenate([[0.0], np.cumsum(self.rates(origin + 1, int(end.max())))])
        week = self.week_start(first)
        edges = [0, *AGE_EDGES]
        out = np.zeros(np.broadcast_shapes(first.shape, begin.shape, end.shape))
        for number, multiplier in enumerate([*self.ages, 1.0]):
            low = np.minimum(np.maximum(begin, week + edges[number]), end) if number else begin
            high = np.minimum(end, week + edges[number + 1]) if number < len(AGE_EDGES) else end
            some = np.maximum(high, low)
            out += multiplier * (passed[some - origin] - passed[low - origin])
        return out * np.where(self.is_early(first), self.early, 1.0)

    def week_start(self, first_days: npt.ArrayLike) -> Days:
        """Return the day before each customer's acquisition week; weeks are counted from the start of the data."""
        first = np.asarray(first_days, dtype=np.int64)
        return np.asarray(first - (first - self.start_day) % 7 - 1, dtype=np.int64)

    def is_early(self, first_days: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether customers first seen on these days are mostly not new."""
        return np.asarray(np.asarray(first_days, dtype=np.int64) - self.start_day < EARLY_DAYS)

    def histories(self, as_of: int, recency_days: npt.ArrayLike, age_days: npt.ArrayLike) -> tuple[Array, Array]:
        """Return recency and age on the clock of customers known at the cutoff `as_of` (exclusive)."""
        recency, age = as_column(recency_days, "recency_days"), as_column(age_days, "age_days")
        if self.is_plain:
            return recency, age
        first = (as_of - 1 - age).astype(np.int64)
        on_clock = self.elapsed(first, first, np.full(len(first), as_of - 1))
        return np.minimum(self.elapsed(first, first, first + recency.astype(np.int64)), on_clock), on_clock

    def ahead(self, as_of: int, first_days: npt.ArrayLike, horizons_days: npt.ArrayLike) -> Array:
        """Return the time from the cutoff to each horizon, of the common shape; between whole days time runs evenly.

        Parameters
        ----------
        first_days, horizons_days : arrays that broadcast; horizons in days, >= 0
        """
        days = np.asarray(horizons_days, dtype=np.float64)
        if not np.all(np.isfinite(days) & (days >= 0)):
            raise ContractError(f"horizons_days: got {days.tolist()}. Wanted: finite numbers of days >= 0, for example 180.")
        first = np.asarray(first_days, dtype=np.int64)
        if self.is_plain:
            return np.asarray(days + 0.0 * first, dtype=np.float64)
        whole, last = np.floor(days).astype(np.int64), as_of - 1
        here = self.elapsed(first, last, last + whole)
        rest = days - whole
        if not rest.any():
            return here
        return np.asarray(here + rest * (self.elapsed(first, last, last + whole + 1) - here), dtype=np.float64)

    def parts(self, as_of: int, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike) -> Iterator[Part]:
        """Yield the customers in parts that share one future: the settled, the early, and those won in the same four weeks.

        What each has done stands at the customer's own times. What is to come stands, for new customers, at the mean of the acquisition
        weeks of their four weeks: a few parts, whatever the number of customers, and the same for any batch of them.
        """
        known = check_histories(frequency, recency_days, age_days)
        first = (as_of - 1 - known.age_days).astype(np.int64)
        recency, age = self.histories(as_of, known.recency_days, known.age_days)
        if self.is_plain:
            yield Part(np.arange(len(first)), known.frequency, recency, age, self, as_of, (as_of - 1,), 0)
            return
        block = (first - self.start_day) // BLOCK_DAYS
        is_new = self.start_day + (block + 1) * BLOCK_DAYS + AGE_EDGES[-1] >= as_of + 7
        code = np.where(is_new, block, _SETTLED - self.is_early(first).astype(np.int64))
        for one in np.unique(code).tolist():
            rows = np.flatnonzero(code == one)
            shared = tuple(self._weeks_of(one, as_of)) if one > _SETTLED else (int(first[rows[0]]),)
            yield Part(rows, known.frequency[rows], recency[rows], age[rows], self, as_of, shared, int(one))

    def _weeks_of(self, block: int, as_of: int) -> list[int]:
        """Return the first day of every acquisition week of four weeks that began before the cutoff."""
        begin = self.start_day + block * BLOCK_DAYS
        return [day for day in range(begin, begin + BLOCK_DAYS, 7) if day < as_of]

    # --- storage -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything as arrays of numbers and text, under names that begin with `clock_`."""
        values = {name: getattr(self, name) for name in _ARRAYS if name != "notes"}
        notes = np.array(self.notes, dtype=np.str_) if self.notes else np.empty(0, dtype="<U1")
        return {_PREFIX + name: np.asarray(value) for name, value in {**values, "notes": notes}.items()}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Clock:
        """Return the clock that `to_arrays` described; a plain one where the arrays know of none."""
        if not any(name.startswith(_PREFIX) for name in arrays):
            return cls()
        missing = [_PREFIX + name for name in _ARRAYS if _PREFIX + name not in arrays]
        if missing:
            raise RegistryError(
                f"Stored clock: arrays {', '.join(missing)} are missing. Wanted: what to_arrays() wrote. "
                "Fit the model again with `genome run`."
            )
        found = {name: arrays[_PREFIX + name] for name in _ARRAYS}
        return cls(
            int(found["start_day"]),
            int(found["end_day"]),
            np.asarray(found["weeks"], dtype=np.float64),
            np.asarray(found["levels"], dtype=np.float64),
            float(found["level_ahead"]),
            np.asarray(found["ages"], dtype=np.float64),
            float(found["early"]),
            tuple(str(note) for note in found["notes"]),
        )


@dataclass(frozen=True)
class Part:
    """Customers who share one future from the cutoff on.

    Attributes
    ----------
    rows : where they stand among all customers
    frequency, recency, age : their histories, times on the clock
    first_days : the first days whose clocks are averaged from the cutoff on; any one where all are alike
    code : a number that names the part: the same for every batch of customers at one cutoff
    """

    rows: npt.NDArray[np.intp]
    frequency: Array
    recency: Array
    age: Array
    clock: Clock
    as_of: int
    first_days: tuple[int, ...]
    code: int

    def times(self, horizons_days: npt.ArrayLike) -> Array:
        """Return horizons on the clock, of the shape of `horizons_days`; between whole days time runs evenly."""
        days = np.asarray(horizons_days, dtype=np.float64)[..., None]
        return np.asarray(self.clock.ahead(self.as_of, np.array(self.first_days), days).mean(axis=-1), dtype=np.float64)

    def days(self, times: npt.ArrayLike, most_days: int = 3650) -> Array:
        """Return the days from the cutoff after which these times have passed on the clock, infinite beyond `most_days`."""
        wanted = np.asarray(times, dtype=np.float64)
        if self.clock.is_plain:
            return wanted
        whole = np.arange(most_days + 1)
        passed = self.times(whole)
        found = np.interp(wanted, passed, whole)
        return np.asarray(np.where(wanted <= passed[-1], found, np.inf), dtype=np.float64)
