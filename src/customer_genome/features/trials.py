"""What a choice among purchase models looks at: purchase histories at the cutoff and at earlier ones, with what followed.

Comes in: an engine that holds `known_orders` and `cutoffs`. Goes out: counts of distinct histories as the models take them. Nothing at
or after the last cutoff is in `known_orders`, so nothing here can look ahead; a trial's history holds what lies before its own
cutoff. Purchases are counted as known at the last cutoff: under refund policy `net` one that was wholly taken back in between
is absent from the earlier histories too.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.features.table import feature_text
from customer_genome.models.btyd.purchase_choice import Trial, trial_cutoffs
from customer_genome.models.btyd.season import day_number
from customer_genome.models.btyd.season_fit import DatedHistories
from customer_genome.warehouse.engine import Engine

MOST_CUSTOMERS = 50_000
"""More customers than this are represented by about as many: a clock and a choice need no more."""
_DIGITS = 8
EVERYBODY = "g"
"""A mark above every hexadecimal digit: everybody is drawn."""


def digest_below(share: float) -> str:
    """Return the digits below which the digests of about this share of customers lie.

    Examples
    --------
    >>> digest_below(0.5), digest_below(1.0)
    ('80000000', 'g')
    """
    return EVERYBODY if share >= 1 else f"{int(share * 16**_DIGITS):0{_DIGITS}x}"


def known_purchases(engine: Engine, most_customers: int = MOST_CUSTOMERS) -> tuple[DatedHistories, list[Trial]]:
    """Return everything known at the last cutoff, and trials at earlier ones, of about `most_customers` customers.

    A shop without purchases gives histories without rows and no trials.
    """
    start, as_of, horizon_days = _draw(engine, most_customers)
    planned = trial_cutoffs(start, as_of, horizon_days)
    histories, repeats = _histories_at(engine, [(as_of, 0), *planned])
    known, _ = _known_at(histories, repeats, start, as_of)
    trials = []
    for cutoff, days in planned:
        at_cutoff, after = _known_at(histories, repeats, start, cutoff)
        trials.append(Trial(at_cutoff, after, days))
    return known, trials


def known_before(engine: Engine, cutoff: dt.date, most_customers: int = MOST_CUSTOMERS) -> DatedHistories:
    """Return everything known before an earlier day, of about `most_customers` customers."""
    start, _, _ = _draw(engine, most_customers)
    day = day_number(cutoff)
    histories, repeats = _histories_at(engine, [(day, 0)])
    return _known_at(histories, repeats, start, day)[0]


def _draw(engine: Engine, most_customers: int) -> tuple[int, int, int]:
    """Make `trial_days`; return the first day of the data (the cutoff where there are none), the cutoff and the horizon."""
    row = engine.fetch(
        "select min(ordered_on) as start_on, count(distinct customer_id) as n, (select max(as_of) from cutoffs) as as_of, "
        "(select max(horizon_days) from cutoffs) as horizon_days from known_orders where as_of = (select max(as_of) from cutoffs)"
    ).to_pylist()[0]
    below = pa.array([digest_below(most_customers / max(row["n"], 1))], pa.string())
    engine.write("trial_share", pa.table({"digest_below": below, "start_on": pa.array([row["start_on"]], pa.date32())}))
    engine.create_table("trial_days", feature_text("trial_days"))
    return day_number(row["start_on"] or row["as_of"]), day_number(row["as_of"]), int(row["horizon_days"])


def _histories_at(engine: Engine, cutoffs: list[tuple[int, int]]) -> tuple[pa.Table, pa.Table]:
    """Return the histories at every (cutoff, horizon in days), and all repeat purchase days by day and age."""
    days = pa.array([cutoff for cutoff, _ in cutoffs], pa.int32()).cast(pa.date32())
    horizons = pa.array([horizon_days for _, horizon_days in cutoffs], pa.int32())
    engine.write("trials", pa.table({"as_of": days, "horizon_days": horizons}))
    engine.create_view("trial_histories", feature_text("trial_histories"))
    engine.create_view("repeat_ages", feature_text("repeat_ages"))
    return (
        engine.fetch("select * from trial_histories order by as_of, frequency, first_on, last_on, n_after"),
        engine.fetch("select ordered_on, age_days, n_repeats from repeat_ages order by ordered_on, age_days"),
    )


def _known_at(histories: pa.Table, repeats: pa.Table, start: int, as_of: int) -> tuple[DatedHistories, npt.NDArray[np.float64]]:
    """Return the histories that stood at a cutoff, and what followed each within the trial's horizon."""
    rows = histories.filter(pa.array(_whole(histories, "as_of") == as_of))
    before = repeats.filter(pa.array(_whole(repeats, "ordered_on") < as_of))
    known = DatedHistories(
        _whole(rows, "frequency").astype(np.float64),
        _whole(rows, "first_on"),
        _whole(rows, "last_on"),
        _whole(rows, "n_customers").astype(np.float64),
        _whole(before, "ordered_on"),
        _whole(before, "age_days"),
        _whole(before, "n_repeats").astype(np.float64),
        start,
        as_of - 1,
    )
    return known, _whole(rows, "n_after").astype(np.float64)


def _whole(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """Return a column of dates or counts as whole numbers, dates as days since 1970-01-01."""
    column = table.column(name)
    if pa.types.is_date(column.type):
        column = pc.cast(pc.cast(column, pa.date32()), pa.int32())
    return np.asarray(pc.cast(column, pa.int64()).to_numpy(), dtype=np.int64)
