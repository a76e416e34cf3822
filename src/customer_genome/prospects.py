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

from customer_genome.errors import RegistryError
from customer_genome.genome import Genome
from customer_genome.models.purchase_model import PurchaseModel, purchase_model_from_arrays
from customer_genome.models.season import Clock, Part, day_number
from customer_genome.models.spend import GammaGamma
from customer_genome.models.value_path import month_ends, next_order, value_path
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
    history = ([record["n_purchase_days"] - 1], [record["activity_days"]], [record["tenure_days"] - 1])
    part = next(iter(clock.parts(day_number(as_of), *history)))
    known = (part.frequency, part.recency, part.age)
    ends = month_ends(as_of, n_months)
    days = [float((end - as_of).days) for end in ends]
    path = value_path(
        purchases,
        spend,
        *known,
        [record["n_purchase_days"]],
        [record["mean_spend_per_day"]],
        days,
        float(wanted["annual_discount"]),
        float(wanted["margin"]),
        times=part.times(days),
        level=LEVEL,
    )
    orders_a_day = _orders_a_day(purchases, part, record)
    months = [
        Month(
            start, end, *(float(one[0, place]) for one in (path.orders * orders_a_day, path.revenue, path.value)),
            *(float(one[0, place]) for one in (path.cumulative, path.lower, path.upper)),
        )
        for place, (start, end) in enumerate(zip([as_of, *ends[:-1]], ends, strict=True))
    ]  # fmt: skip
    when = next_order(purchases, *known, level=LEVEL)
    return Prospect(tuple(months), *(_day_of(float(part.days(one)[0]), as_of) for one in (when.lower, when.middle, when.upper)))


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


def _orders_a_day(purchases: PurchaseModel, part: Part, record: Mapping[str, Any]) -> float:
    """Return the orders on a purchase day that the published forecast reckons with."""
    horizon = part.times([float(record["horizon_days"])])[0]
    days = float(purchases.expected_orders(part.frequency, part.recency, part.age, float(horizon))[0])
    return float(record["predicted_orders"]) / days if days > 0 else 1.0


def _day_of(days: float, as_of: dt.date) -> dt.date | None:
    """Return the day after so many days from the last observed one; None beyond ten years."""
    return as_of + dt.timedelta(days=math.ceil(days) - 1) if math.isfinite(days) and days <= _MOST_DAYS else None
