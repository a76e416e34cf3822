"""Facts as of earlier cutoffs, with what followed: what forecasts that learn from outcomes are fitted to.

Comes in: an engine whose orders stand, and the cutoff of the run. Goes out: `customer_facts` and `labels` of earlier cutoffs
whose whole horizon ended by then, made by the texts that make those of the run. The facts of the run itself are built afterwards
under the same names, so no reader of them ever sees two cutoffs. Nothing here is kept in the warehouse. Of many customers
about as many are drawn at each cutoff as a fit needs, the same ones on every engine and every day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from customer_genome.features.labels import build_labels
from customer_genome.features.table import build_features
from customer_genome.features.trials import EVERYBODY, digest_below
from customer_genome.warehouse.build import mart_text
from customer_genome.warehouse.engine import Engine

MOST_CUSTOMERS = 50_000
"""More customers than this are represented by about as many at each earlier cutoff."""
TRAINING_CUTOFFS = 3
"""How many cutoffs a sixth of a horizon apart are built for each one that is forecast, beside one long ago."""
_YEAR_DAYS = 365
_ALONE = {"basket": "past_basket"}
"""Themes that a run keeps in the warehouse: those of earlier cutoffs have names of their own."""


def training_cutoffs(judged: Sequence[dt.date], first_day: dt.date, horizon: int) -> list[dt.date]:
    """Return cutoffs to learn from: for every judged one the day a horizon before it and earlier ones, a sixth of a horizon apart.

    One more lies two horizons before it, or a year where that is about as long, which has the season of the judged one: what learned
    from it can be held against what came a horizon later. A quarter of a horizon has to be known at each. Days near one another
    are taken once.

    Examples
    --------
    >>> [str(day) for day in training_cutoffs([dt.date(2011, 6, 12)], dt.date(2009, 12, 1), 180)]
    ['2010-06-12', '2010-10-15', '2010-11-14', '2010-12-14']
    """
    earliest = first_day + dt.timedelta(days=max(1, horizon // 4))
    step = max(1, horizon // 6)
    long_ago = _YEAR_DAYS if abs(2 * horizon - _YEAR_DAYS) <= step else 2 * horizon
    exact = {day - dt.timedelta(days=days) for day in judged for days in (horizon, long_ago)}
    more = {day - dt.timedelta(days=horizon + step * number) for day in judged for number in range(1, TRAINING_CUTOFFS)}
    apart = {day for day in more if all(abs((day - other).days) > step // 4 for other in exact)}
    return sorted(day for day in exact | apart if day >= earliest)


def cutoff_table(days: Sequence[dt.date], horizon: int, mark: str = EVERYBODY) -> pa.Table:
    """Return rows for the table `cutoffs`.

    Parameters
    ----------
    mark : text
        Customers whose digest begins with less are seen at these cutoffs (`features.trials.digest_below`); by default everybody.
    """
    return pa.table(
        {
            "as_of": pa.array(days, pa.date32()),
            "horizon_days": pa.array([horizon] * len(days), pa.int32()),
            "digest_below": pa.array([mark] * len(days), pa.string()),
        }
    )


def mark_before(engine: Engine, as_of: dt.date, most: int = MOST_CUSTOMERS) -> str:
    """Return the digits below which the digests of about `most` of the customers who bought before a day lie."""
    n = engine.fetch(f"select count(distinct customer_id) as n from order_days where ordered_on < date '{as_of}'")
    return digest_below(most / max(n.column("n")[0].as_py(), 1))


def build_past(engine: Engine, cutoffs: pa.Table, *, nets_refunds: bool, has_discounts: bool) -> None:
    """Build `customer_facts`, `lately` and `labels` of earlier cutoffs for the time of the run.

    Parameters
    ----------
    cutoffs : from `cutoff_table`
    nets_refunds, has_discounts : bool
        As for the facts of the run; each cutoff has the refunds that were known at it.
    """
    engine.write("cutoffs", cutoffs)
    engine.define("nets_refunds", (), "true" if nets_refunds else "false")
    engine.create_table("past_matches", f"select * from ({mart_text('return_matches')}) as m where nets_refunds()")
    engine.create_table("refunds", mart_text("refunds").replace("from return_matches", "from past_matches"))
    build_features(
        engine,
        (),
        category_key=None,
        has_customers=False,
        has_discounts=has_discounts,
        most_categories=0,
        home_country="",
        alone=_ALONE,
    )
    build_labels(engine, nets_refunds=nets_refunds)
