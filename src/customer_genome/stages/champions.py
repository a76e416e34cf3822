"""The champion forecast of a run: facts as it takes them, what it learns from, how it is trained and stored.

Comes in: the engine of a run whose orders stand. Goes out: earlier cutoffs with what followed, drawn customers as known now, and the
`Champion` that was chosen from both. A run that scores with stored models builds none of it. How customers are forecast row by
row is in scoring; how the champion is chosen in models/candidates/champion.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pyarrow as pa

from customer_genome.errors import RegistryError
from customer_genome.features.past import build_past, cutoff_table, mark_before, training_cutoffs
from customer_genome.features.table import feature_text
from customer_genome.features.trials import EVERYBODY
from customer_genome.models.btyd.season import day_number
from customer_genome.models.candidates import Expected, Known, Past
from customer_genome.models.candidates.champion import Champion, choose_champion
from customer_genome.models.estimator import Array
from customer_genome.models.own_forecast import OwnForecaster
from customer_genome.models.segmentation.segments import significant
from customer_genome.settings import Settings
from customer_genome.stages.explaining import with_typical
from customer_genome.stages.fitting import Models, ValueModels, fit_value_models, numbers
from customer_genome.warehouse.engine import Engine, quoted

TIMELESS = ("category_share_", "attribute_", "is_home_country")
"""Facts that are left out: which categories have a column is decided at the last cutoff, attributes carry no date."""
LATEST = "as_of = (select max(as_of) from cutoffs)"


def build_known_facts(engine: Engine) -> None:
    """Make `lately`, and the view `known_facts`: every fact of `customer_facts` with those of recent windows beside it."""
    engine.create_table("lately", feature_text("lately"))
    windows = [name for name in engine.fetch("select * from lately limit 0").column_names if name not in ("as_of", "customer_id")]
    engine.create_view(
        "known_facts",
        f"select f.*, {', '.join(f'l.{quoted(name)}' for name in windows)} from customer_facts as f "
        "inner join lately as l on f.as_of = l.as_of and f.customer_id = l.customer_id",
    )


def facts_at(engine: Engine, as_of: dt.date, mark: str = EVERYBODY) -> pa.Table:
    """Return the facts of the drawn customers at one cutoff of `known_facts`, sorted by customer."""
    drawn = "" if mark == EVERYBODY else f"and left(digest(customer_id), 8) < '{mark}' "
    return engine.fetch(f"select * from known_facts where as_of = date '{as_of}' {drawn}order by customer_id")


def labels_at(engine: Engine, as_of: dt.date, mark: str = EVERYBODY) -> pa.Table:
    """Return what the drawn customers did after one cutoff, sorted by customer."""
    drawn = "" if mark == EVERYBODY else f"and left(digest(customer_id), 8) < '{mark}' "
    return engine.fetch(
        f"select customer_id, n_orders, spend from labels where as_of = date '{as_of}' {drawn}order by customer_id"
    )


def fact_names(schema: pa.Schema) -> tuple[str, ...]:
    """Return the facts that forecasts may look at: every number that was known at its cutoff, in order."""
    return tuple(
        field.name
        for field in schema
        if (pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type))
        and not field.name.startswith(TIMELESS)
    )


def facts_of(table: pa.Table, names: Sequence[str]) -> dict[str, Array]:
    """Return facts as arrays of 12 significant digits, so that both engines hand on the same numbers; NaN where one is empty."""
    return {name: significant(numbers(table, name)) for name in names}


def own_forecaster(
    models: ValueModels | Models,
    settings: Settings,
    as_of: dt.date,
    horizon_days: int,
    *,
    with_value: bool,
    with_range: bool = True,
) -> OwnForecaster:
    """Return the own forecaster of fitted models."""
    discount, day = settings.prediction.annual_discount, day_number(as_of)
    return OwnForecaster(
        models.purchases, models.spend, models.clock, day, horizon_days, discount, with_value=with_value, with_range=with_range
    )


def own_forecast(
    models: ValueModels | Models,
    settings: Settings,
    as_of: dt.date,
    horizon_days: int,
    facts: Mapping[str, Array],
    *,
    with_range: bool = True,
) -> Expected:
    """Return what purchase and spend models say of customers over the horizon."""
    found = own_forecaster(models, settings, as_of, horizon_days, with_value=False, with_range=with_range)(facts)
    return found.expected() if with_range else Expected(found.spend, found.chance)


def known_at(
    engine: Engine, models: ValueModels | Models, settings: Settings, as_of: dt.date, horizon_days: int, mark: str
) -> Known:
    """Return the drawn customers at one cutoff, with what models fitted as of it say of them; ranges when they are asked for."""
    table = facts_at(engine, as_of, mark)
    facts = facts_of(table, fact_names(table.schema))
    forecast = partial(own_forecast, models, settings, as_of, horizon_days)
    return Known(day_number(as_of), horizon_days, facts, forecast(facts, with_range=False), in_full=forecast)


def past_of(known: Known, labels: pa.Table) -> Past:
    """Return customers with what came; both are sorted by customer."""
    return Past(known, numbers(labels, "spend"), (numbers(labels, "n_orders") > 0).astype(np.float64))


def remember(engine: Engine, settings: Settings, as_of: dt.date, horizon_days: int, *, has_discounts: bool) -> tuple[Past, ...]:
    """Return earlier cutoffs whose horizon ended by `as_of`, each with its own forecast and what came; none where history is short.

    It leaves tables of earlier cutoffs under the names of those of the run, which are to be built afterwards.
    """
    first_day: dt.date = engine.fetch("select min(ordered_on) as day from order_days").column("day")[0].as_py()
    days = training_cutoffs([as_of], first_day, horizon_days)
    if not days:
        return ()
    mark = mark_before(engine, as_of)
    nets_refunds = settings.cleaning.refunds == "net"
    build_past(engine, cutoff_table(days, horizon_days, mark), nets_refunds=nets_refunds, has_discounts=has_discounts)
    build_known_facts(engine)
    found = []
    for day in days:
        labels = labels_at(engine, day)
        if not labels.num_rows:
            continue
        engine.write("cutoffs", cutoff_table([day], horizon_days, mark))
        models = fit_value_models(engine, settings, compares=False)
        found.append(past_of(known_at(engine, models, settings, day, horizon_days, EVERYBODY), labels))
    return tuple(found)


def train(
    engine: Engine, models: Models, settings: Settings, as_of: dt.date, horizon_days: int, past: Sequence[Past]
) -> Champion:
    """Return the champion of the customers as of the last cutoff; `known_facts` must stand.

    Parameters
    ----------
    models : fitted as of the cutoff
    past : from `remember`
    """
    now = known_at(engine, models, settings, as_of, horizon_days, mark_before(engine, as_of))
    return with_typical(choose_champion(now, past, seed=settings.prediction.seed), now.facts)


def require_trained_facts(columns: Sequence[str], champion: Champion) -> None:
    """Refuse a champion that was trained on facts which these data do not give.

    Raises
    ------
    RegistryError
        Naming them.
    """
    missing = [name for name in champion.features if name not in columns]
    if missing:
        raise RegistryError(
            f"The stored champion forecast was trained on facts that are no longer made: {', '.join(missing)}. "
            "Train it again with `genome run` (without --no-refit)."
        )
