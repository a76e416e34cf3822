"""A simulated shop, and the same shop with another future: cut off, shuffled, or made up."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer_genome.sources.synthetic import simulate

TODAY = dt.date(2030, 1, 1)


def simulated_lines(n_lines: int = 6_000, seed: int = 3) -> pa.Table:
    """Return the order lines of a simulated shop, in the order of time."""
    return simulate(n_lines=n_lines, seed=seed).order_lines().read_all().sort_by("ordered_at")


def day_at(lines: pa.Table, share: float) -> dt.date:
    """Return the day before which this share of the time of the data lies."""
    first, last = (moment(lines["ordered_at"]).as_py().date() for moment in (pc.min, pc.max))
    return first + dt.timedelta(days=int((last - first).days * share))


def parted(lines: pa.Table, day: dt.date) -> tuple[pa.Table, pa.Table]:
    """Return the lines before a day, and those from it on."""
    is_before = pc.less(lines["ordered_at"], pa.scalar(dt.datetime.combine(day, dt.time()), lines["ordered_at"].type))
    known = pc.fill_null(is_before, True)
    return lines.filter(known), lines.filter(pc.invert(known))


def shuffled_future(lines: pa.Table, day: dt.date) -> pa.Table:
    """Return the same past, and a future in which other customers buy other things at other prices and times."""
    known, ahead = parted(lines, day)
    rng = np.random.default_rng(5)
    columns = {
        name: ahead[name].take(pa.array(rng.permutation(ahead.num_rows)))
        for name in ahead.column_names
        if name not in ("order_id", "ordered_at")
    }
    return pa.concat_tables([known, pa.table({name: columns.get(name, ahead[name]) for name in ahead.column_names})])


def written(lines: pa.Table, path: Path) -> Path:
    """Write lines to a Parquet file."""
    pq.write_table(lines, path)
    return path
