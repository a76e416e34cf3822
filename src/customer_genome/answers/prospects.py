"""One customer's months to come, computed on demand from the models that the published version was scored with.

Comes in: an open version and a customer's published record. Goes out: expected orders, revenue and value by calendar month with the
interval of the running value, and the days between which the next order falls. The read hall stays free of models; this
module reads them from the registry of the same workspace. Nothing is fitted, stored or published here.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from customer_genome.errors import RegistryError
from customer_genome.genome import Genome
from customer_genome.models.btyd.purchase_model import PurchaseModel, purchase_model_from_arrays
from customer_genome.models.btyd.season import Clock, day_number
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.value_path import ValuePath, month_ends, value_path
from customer_genome.models.estimator import Array
from customer_genome.models.own_forecast import CLV_DAYS, NEEDS, OwnForecast, OwnForecaster
from customer_genome.registry import load_model
from customer_genome.workspace import Workspace

N_MONTHS = 12
LEVEL = 0.80
_MOST_DAYS = 3650


@dataclass(frozen=True)
class Month:
    """What is expected of one customer in a calendar month counted from the cutoff.

    Attributes
    ----------
    starts_on, ends_on : date
        The second is exclusive.
    orders : orders in the month
    revenue : money in the month, without discount and margin
    value : money in the month, discounted to the cutoff and times the margin
    value_so_far : money, value from the cutoff to the end of the month
    lower, upper : money, between which the value so far will lie with a probability of 80 %
    """

    starts_on: dt.date
    ends_on: dt.date
    orders: float
    revenue: float
    value: float
    value_so_far: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Prospect:
    """A customer's months to come, and when the next order falls.

    Attributes
    ----------
    next_order_lower, next_order_on, next_order_upper : date or None
        The next order has come by these days with probability 0.1, 0.5 and 0.9; None: not within ten years.
    """

    months: tuple[Month, ...]
    next_order_lower: dt.date | None
    next_order_on: dt.date | None
    next_order_upper: dt.date | None

    def as_json(self) -> dict[str, Any]:
        """Return plain values; days in ISO form."""
        days = {name: getattr(self, name) for name in ("next_order_lower", "next_order_on", "next_order_upper")}
        months = [
            {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in asdict(month).items()}
            for month in self.months
        ]
        return {name: day.isoformat() if day else None for name, day in days.items()} | {"months": months}


def prospect_of(genome: Genome, record: Mapping[str, Any], n_months: int = N_MONTHS) -> Prospect:
    """Return the months to come of a customer of the version.

    Parameters
    ----------
    record : what `Genome.customer` returned
    n_months : int, 1 to 24, calendar months

    Raises
    ------
    RegistryError
        The models the version was scored with are no longer stored.
    """
    purchases, spend, clock = _models_of(genome)
    as_of: dt.date = record["as_of"]
    wanted: Mapping[str, Any] = genome.manifest["settings"]["prediction"]
    discount, margin = float(wanted["annual_discount"]), float(wanted["margin"])
    facts = {name: np.array([record[name]], dtype=np.float64) for name in NEEDS}
    forecaster = OwnForecaster(purchases, spend, clock, day_number(as_of), int(record["horizon_days"]), discount)
    own = forecaster(facts)
    history = (facts["n_purchase_days"] - 1, facts["activity_days"], facts["tenure_days"] - 1)
    part = next(iter(clock.parts(day_number(as_of), *history)))
    ends = month_ends(as_of, n_months)
    days = [float((end - as_of).days) for end in ends]
    path = value_path(
        purchases,
        spend,
        part.frequency,
        part.recency,
        part.age,
        facts["n_purchase_days"],
        facts["mean_spend_per_day"],
        days,
        discount,
        margin,
        times=part.times(days),
        level=LEVEL,
    )
    agreed = _as_published(path, own, record, margin)
    months = [
        Month(start, end, *(float(column[place]) for column in agreed))
        for place, (start, end) in enumerate(zip([as_of, *ends[:-1]], ends, strict=True))
    ]
    chance = np.array([1.0 - record["churn_probability"]])
    when = forecaster.days_until_order(facts, chance, own.chance)
    soonest, middle, latest = (_day_of(float(one[0]), as_of) for one in when)
    return Prospect(tuple(months), soonest, middle, latest)


def _as_published(path: ValuePath, own: OwnForecast, record: Mapping[str, Any], margin: float) -> tuple[Array, ...]:
    """Return orders, revenue, value, value so far and its range by month, moved to what was published of the customer.

    Purchase and spend models say how it falls on the months; how much it is stands in the record. The range is moved so that
    after the days of the published value it is the published one.
    """
    money = _factor(record["predicted_spend"], own.spend)
    value, so_far = (column[0] * money for column in (path.value, path.cumulative))
    orders = path.orders[0] * _factor(record["predicted_orders"], own.days)
    worth = [one[0] * margin for one in (own.clv_lower, own.clv_upper)]
    own_ends = sorted(worth)  # a margin below 0 turns the range round
    ranges = []
    for column, own_end, name in zip((path.lower[0], path.upper[0]), own_ends, ("clv_lower", "clv_upper"), strict=True):
        share = record[name] / record["clv_180d"] if record["clv_180d"] else 1.0
        by_days = np.minimum(path.ends_days / CLV_DAYS, 1.0)
        ranges.append(column * record[name] / own_end if own_end else so_far * share * by_days)
    lower, upper = np.minimum(ranges[0], so_far), np.maximum(ranges[1], so_far)
    rising = np.maximum if margin >= 0 else np.minimum
    return orders, path.revenue[0] * money, value, so_far, rising.accumulate(lower), rising.accumulate(upper)


def _factor(published: float, own: Array) -> float:
    """Return by what the own figure of one customer is multiplied to be the published one."""
    return float(published) / float(own[0]) if own[0] > 0 else 1.0


def _models_of(genome: Genome) -> tuple[PurchaseModel, GammaGamma, Clock]:
    """Return the models a version was scored with."""
    snapshot = genome.snapshot
    versions: Mapping[str, str] = snapshot.manifest.get("models", {})
    folder = Workspace(snapshot.folder.parent.parent).models
    if not {"purchases", "spend"} <= set(versions):
        raise RegistryError(
            f"Version {snapshot.version} does not say which models scored it, so no months to come can be computed. "
            "Publish a new one with `genome run`."
        )
    purchases, spend = (load_model(folder, kind, versions[kind]).arrays for kind in ("purchases", "spend"))
    return purchase_model_from_arrays(purchases), GammaGamma.from_arrays(spend), Clock.from_arrays(purchases)


def _day_of(days: float, as_of: dt.date) -> dt.date | None:
    """Return the day after so many days from the last observed one; None beyond ten years."""
    return as_of + dt.timedelta(days=math.ceil(days) - 1) if math.isfinite(days) and days <= _MOST_DAYS else None
