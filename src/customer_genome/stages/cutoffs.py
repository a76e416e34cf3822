"""Which day a run looks at, and how far ahead.

Comes in: an engine whose order lines are staged. Goes out: the exclusive cutoff, the horizon in days, and what is odd about them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from customer_genome.errors import SettingsError
from customer_genome.warehouse.engine import Engine

HORIZONS = (180, 90, 30)
"""Days ahead, the longest first."""
FAR_CUTOFF_DAYS = 60


def cutoff_of(engine: Engine, as_of: dt.date | None) -> dt.date:
    """Return the cutoff, by default the day after the last kept line.

    Raises
    ------
    SettingsError
        When no purchase lies before the wanted cutoff.
    """
    row = purchase_days(engine)
    if as_of is None:
        last_day: dt.date = row["last_day"]
        return last_day + dt.timedelta(days=1)
    if as_of <= row["first_day"]:
        raise SettingsError(
            f"--as-of {as_of} leaves nothing to learn from: the purchases run from {row['first_day']} to {row['last_day']} and the cutoff is exclusive. "
            f"Choose a day after {row['first_day']}."
        )
    return as_of


def longest_horizon(engine: Engine, cutoff: dt.date) -> int:
    """Return the longest horizon of which the history holds at least two."""
    first_day = purchase_days(engine)["first_day"]
    history_days = (cutoff - first_day).days
    return next((days for days in HORIZONS if history_days >= 2 * days), HORIZONS[-1])


def far_cutoff(engine: Engine, cutoff: dt.date) -> Iterator[str]:
    """Warn of a cutoff long after the last purchase, at which everybody looks lost."""
    last_day = purchase_days(engine)["last_day"]
    silent_days = (cutoff - last_day).days
    if silent_days > FAR_CUTOFF_DAYS:
        yield f"The cutoff {cutoff} lies {silent_days:,} days after the last purchase ({last_day}): every customer looks quiet for at least as long."


def purchase_days(engine: Engine) -> dict[str, dt.date]:
    """Return the first and the last day of purchases; copies of lines have the days of their originals."""
    days: dict[str, dt.date] = engine.fetch(
        "select cast(min(ordered_at) as date) as first_day, cast(max(ordered_at) as date) as last_day from lines where row_class = 'kept'"
    ).to_pylist()[0]
    return days
