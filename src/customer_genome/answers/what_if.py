"""One customer's forecast explained, and what it would say had they ordered more, or not for longer.

Comes in: an open version and a customer's published record. Goes out: an `Outcome`: risk, expected spend with its range, and the points of
every theme from the average customer to this one. The facts are made anew from the published orders by the texts that made them in the
run, with orders added or days passed, so that all of them change together; the models are those the version was scored with.

What comes out goes with such orders in customers like this one. It is no effect of making somebody order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from customer_genome.decisions.reasons import N_REASONS, Spoken
from customer_genome.errors import RegistryError, SettingsError
from customer_genome.features.past import cutoff_table
from customer_genome.features.table import feature_text
from customer_genome.genome import Genome
from customer_genome.models.btyd.purchase_model import purchase_model_from_arrays
from customer_genome.models.btyd.season import Clock, day_number
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.candidates import Known
from customer_genome.models.candidates.champion import Champion
from customer_genome.models.own_forecast import OwnForecaster
from customer_genome.models.segmentation.clusters import Clusters
from customer_genome.models.segmentation.segments import significant
from customer_genome.registry import load_model
from customer_genome.stages.explaining import Explainer
from customer_genome.stages.fitting import CHAMPION, HORIZON_DAYS, Models, numbers
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.workspace import Workspace

MOST_ORDERS, MOST_QUIET_DAYS = 10, 365
MOST_REASONS = 20
MOST_IMAGINED, MOST_DAYS = 5_000, 20_000
DAYS_BETWEEN = 7
"""Added orders lie so many days apart, the last one on the last known day."""
_THEMES = ("rfm", "cadence", "trend", "lately")
"""Texts that make facts from orders alone; other facts (products, returns, discounts) stay as they are."""


@dataclass(frozen=True)
class Scenario:
    """What is imagined.

    Attributes
    ----------
    orders : 0 to 10, orders that did not happen, the last one on the last known day and the others a week apart before it
    order_value : money of each, by default the customer's mean order
    quiet_days : 0 to 365, days after the cutoff that pass without an order
    """

    orders: int = 0
    order_value: float | None = None
    quiet_days: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be imagined."""
        wrong = []
        if not 0 <= self.orders <= MOST_ORDERS:
            wrong.append(f"{self.orders} orders; wanted 0 to {MOST_ORDERS}")
        if not 0 <= self.quiet_days <= MOST_QUIET_DAYS:
            wrong.append(f"{self.quiet_days} quiet days; wanted 0 to {MOST_QUIET_DAYS}")
        if self.order_value is not None and not 0 < self.order_value < float("inf"):
            wrong.append(f"an order of {self.order_value}; wanted money above 0")
        if wrong:
            raise SettingsError(f"What if: {'; '.join(wrong)}.")


@dataclass(frozen=True)
class History:
    """A customer's orders in four figures.

    Attributes
    ----------
    orders : 1 to 5,000
    first_days, last_days : whole days from the first and the last order to the cutoff, 1 or more
    order_value : money of the mean order
    """

    orders: int
    first_days: int
    last_days: int
    order_value: float

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        wrong = []
        if not 1 <= self.orders <= MOST_IMAGINED:
            wrong.append(f"{self.orders:,} orders; wanted 1 to {MOST_IMAGINED:,}")
        if not 1 <= self.last_days <= self.first_days <= MOST_DAYS:
            wrong.append(
                f"the first order {self.first_days:,} and the last {self.last_days:,} days ago; wanted the last no longer ago than the "
                f"first, 1 to {MOST_DAYS:,} days"
            )
        if self.orders == 1 and self.last_days != self.first_days:
            wrong.append("one order that is first and last on different days; wanted the same day, or two orders")
        if not 0 < self.order_value < float("inf"):
            wrong.append(f"a mean order of {self.order_value}; wanted money above 0")
        if wrong:
            raise SettingsError(f"Such a customer cannot be: {'; '.join(wrong)}.")

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Return the history of a published customer."""
        first, last = ((record["as_of"] - record[name]).days for name in ("first_order_on", "last_order_on"))
        return cls(int(record["n_orders"]), first, last, float(record["mean_order_value"]))


@dataclass(frozen=True)
class Outcome:
    """What is forecast of a customer in a scenario.

    Attributes
    ----------
    risk, average_risk : 0..1, of no order within the horizon: of this customer, and of the average one
    spend, lower, upper : money over the horizon, with its 80 % range
    points : theme -> percentage points of risk; they add up to the difference of the two risks
    said : theme -> the fact behind it in words, for themes that have one, strongest first
    reasons : the strongest three, with their points
    """

    scenario: Scenario
    risk: float
    average_risk: float
    spend: float
    lower: float
    upper: float
    points: Mapping[str, float]
    said: Mapping[str, str]
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


USUAL = (Scenario(orders=1), Scenario(orders=2), Scenario(quiet_days=30), Scenario(quiet_days=90))
"""What is told of a customer unasked."""


@dataclass(frozen=True)
class WhatIf:
    """The models of a version, ready to be asked about its customers."""

    models: Models
    horizon_days: int
    annual_discount: float
    currency: str

    @classmethod
    def of(cls, genome: Genome) -> Self:
        """Load the models a version was scored with.

        Raises
        ------
        RegistryError
            Where the version has none, or they are no longer stored.
        """
        manifest = genome.manifest
        versions: Mapping[str, str] = manifest.get("models", {})
        folder = Workspace(genome.snapshot.folder.parent.parent).models
        if not {"purchases", "spend", "clusters"} <= set(versions):
            raise RegistryError(
                f"Version {genome.snapshot.version} does not say which models scored it, so nothing can be asked of them. "
                "Publish a new one with `genome run`."
            )
        stored = {kind: load_model(folder, kind, version).arrays for kind, version in versions.items()}
        champion, days = None, 0
        if CHAMPION in stored:
            champion, days = Champion.from_arrays(stored[CHAMPION]), int(stored[CHAMPION][HORIZON_DAYS])
        models = Models(
            purchase_model_from_arrays(stored["purchases"]),
            GammaGamma.from_arrays(stored["spend"]),
            Clusters.from_arrays(stored["clusters"]),
            Clock.from_arrays(stored["purchases"]),
            champion,
            days,
        )
        discount = float(manifest["settings"]["prediction"]["annual_discount"])
        return cls(models, int(manifest["horizon_days"]), discount, genome.currency)

    def outcome(self, genome: Genome, record: Mapping[str, Any], scenario: Scenario | None = None) -> Outcome:
        """Return what is forecast of a customer in a scenario; by default as things are.

        Parameters
        ----------
        record : what `Genome.customer` returned
        """
        scenario = scenario or Scenario()
        as_of: dt.date = record["as_of"] + dt.timedelta(days=scenario.quiet_days)
        orders = pa.concat_tables([_plain(genome.orders_of(record["customer_id"])), _added(genome, record, scenario)])
        return self._forecast(self._facts(orders, record, as_of), as_of, scenario)

    def predicted(self, genome: Genome, record: Mapping[str, Any], history: History) -> tuple[Outcome, str]:
        """Return what is forecast of a customer with such a history, and the segment they would belong to.

        Parameters
        ----------
        record : what `Genome.customer` returned, or `typical_record`; facts that are not of orders are taken from it
        history : the record's own one gives what was published; another one moves the orders to it
        """
        as_of: dt.date = record["as_of"]
        own = genome.orders_of(record["customer_id"])
        as_is = own.num_rows > 0 and history == History.of(record)
        facts = self._facts(_plain(own) if as_is else imagined_orders(history, record, own), record, as_of)
        clusters = self.models.clusters
        (cluster,) = clusters.predict(np.column_stack([facts[name] for name in clusters.features]), clusters.features).tolist()
        named = genome.query("select segment_name from segments where cluster = ?", [cluster]).column(0).to_pylist()
        return self._forecast(facts, as_of, Scenario()), str(named[0]) if named else f"Cluster {cluster}"

    def _forecast(self, facts: dict[str, Any], as_of: dt.date, scenario: Scenario) -> Outcome:
        """Return what is forecast from facts as of a day."""
        day = day_number(as_of)
        own = OwnForecaster(
            self.models.purchases,
            self.models.spend,
            self.models.clock,
            day,
            self.horizon_days,
            self.annual_discount,
            with_value=False,
        )
        known = Known(day, self.horizon_days, facts, own(facts).expected())
        champion = self.models.champion_for(self.horizon_days)
        expected = champion.forecast(known) if champion else known.own
        spoken = Explainer.of(self.models, day, self.horizon_days, self.currency).reasons(known, MOST_REASONS)
        assert expected is not None and expected.chance is not None and expected.spend is not None
        assert expected.lower is not None and expected.upper is not None
        told = [
            (spoken.points.themes[int(spoken.themes[0, place])], str(text[0].as_py()))
            for place, text in enumerate(spoken.texts)
            if text[0].is_valid
        ]
        ends = sorted((float(expected.lower[0]), float(expected.spend[0]), float(expected.upper[0])))
        return Outcome(
            scenario,
            float(1 - expected.chance[0]),
            spoken.points.average_risk,
            float(expected.spend[0]),
            ends[0],
            ends[2],
            _points(spoken),
            {theme: text.rsplit(": ", 1)[0] for theme, text in told},
            tuple(text for _, text in told[:N_REASONS]),
        )

    def _facts(self, orders: pa.Table, record: Mapping[str, Any], as_of: dt.date) -> dict[str, Any]:
        """Return every fact of the customer as of a day, each of shape (1,): from orders anew, the others as published."""
        facts: dict[str, Any] = {}
        for name, value in record.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                facts[name] = np.array([float(value)])
            elif value is None:
                facts[name] = np.array([np.nan])
        engine = DuckDBEngine(memory_limit="256MB", threads=1)
        try:
            engine.write("imagined_orders", orders)
            engine.create_table(
                "known_orders",
                f"select *, date '{as_of}' as as_of, cast(money as decimal(18, 4)) as revenue from imagined_orders",
            )
            engine.write("cutoffs", cutoff_table([as_of], self.horizon_days))
            for theme in _THEMES:
                made = engine.fetch(feature_text(theme))
                for field in made.schema:
                    if field.name not in ("as_of", "customer_id") and not pa.types.is_date(field.type):
                        facts[field.name] = numbers(made, field.name)
        finally:
            engine.close()
        facts["mean_lines_per_order"] = facts["n_lines"] / facts["n_orders"]
        learned = self.models.champion.features if self.models.champion else ()
        missing = [name for name in learned if name not in facts]
        if missing:
            raise RegistryError(
                f"The champion forecast looks at {', '.join(missing)}, which this version did not publish. Publish again with `genome run`."
            )
        return {name: significant(values) for name, values in facts.items()}


def _plain(orders: pa.Table) -> pa.Table:
    """Return published orders as the texts of features read them."""
    return pa.table(
        {
            "customer_id": orders["customer_id"],
            "order_id": orders["order_id"],
            "ordered_on": orders["ordered_on"],
            "n_lines": orders["n_lines"],
            "quantity": orders["quantity"],
            "money": orders["revenue"],
        }
    ).cast(_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("order_id", pa.string()),
        ("ordered_on", pa.date32()),
        ("n_lines", pa.int64()),
        ("quantity", pa.float64()),
        ("money", pa.float64()),
    ]
)


def _added(genome: Genome, record: Mapping[str, Any], scenario: Scenario) -> pa.Table:
    """Return the imagined orders: the customer's mean order, the last on the last known day, none before the first order."""
    last: dt.date = record["as_of"] - dt.timedelta(days=1)
    money = scenario.order_value if scenario.order_value is not None else float(record["mean_order_value"])
    n = max(int(record["n_orders"]), 1)
    lines = max(1, round(float(record["n_lines"]) / n))
    rows = [
        {
            "customer_id": record["customer_id"],
            "order_id": f"imagined {number}",
            "ordered_on": max(last - dt.timedelta(days=DAYS_BETWEEN * number), record["first_order_on"]),
            "n_lines": lines,
            "quantity": float(record["total_quantity"]) / n,
            "money": money,
        }
        for number in range(scenario.orders)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def imagined_orders(history: History, record: Mapping[str, Any], orders: pa.Table) -> pa.Table:
    """Return orders with a history: those of the customer moved to it, evenly spaced and alike where there are none.

    The first and the last order fall on the days wanted; those between keep their place in the customer's time, and their share of the
    money. Where their number changes, places and money are read off between those there are.

    Parameters
    ----------
    orders : what `Genome.orders_of` returned, oldest first
    """
    orders = _plain(orders)
    as_of: dt.date = record["as_of"]
    n = history.orders
    at = np.linspace(0.0, 1.0, n) if n > 1 else np.zeros(1)
    columns = {name: np.asarray(orders[name].to_numpy(), dtype=np.float64) for name in ("money", "n_lines", "quantity")}
    if orders.num_rows:
        days = np.array([(day - as_of).days for day in orders["ordered_on"].to_pylist()], dtype=np.float64)
        span = days[-1] - days[0]
        known = np.linspace(0.0, 1.0, len(days)) if len(days) > 1 else np.zeros(1)
        places = np.interp(at, known, (days - days[0]) / span) if span > 0 else at
        drawn = {name: np.interp(at, known, values) for name, values in columns.items()}
    else:
        places = at
        lines, pieces = (
            float(record[name] or 0.0) / max(float(record["n_orders"] or 1), 1.0) for name in ("n_lines", "total_quantity")
        )
        drawn = {"money": np.ones(n), "n_lines": np.full(n, lines), "quantity": np.full(n, pieces)}
    money = drawn["money"] if drawn["money"].mean() > 0 else np.ones(n)
    money = money * history.order_value / money.mean()
    ago = np.rint(history.first_days - places * (history.first_days - history.last_days)).astype(int)
    return pa.table(
        {
            "customer_id": pa.array([str(record["customer_id"])] * n, pa.string()),
            "order_id": [f"imagined {number}" for number in range(n)],
            "ordered_on": [as_of - dt.timedelta(days=int(days)) for days in ago],
            "n_lines": np.maximum(np.rint(drawn["n_lines"]), 1).astype(np.int64),
            "quantity": drawn["quantity"],
            "money": money,
        }
    ).cast(_SCHEMA)


def typical_record(genome: Genome) -> dict[str, Any]:
    """Return a customer who is like no one: of every fact the median of all customers, of the number of orders too."""
    schema = genome.query("select * from customers limit 0").schema
    numeric = [field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)]
    listed = ", ".join(f'median("{name}") as "{name}"' for name in numeric)
    found: dict[str, Any] = genome.query(f"select {listed}, max(as_of) as as_of from customers").to_pylist()[0]
    as_of: dt.date = found["as_of"]
    n_orders = max(1, round(found["n_orders"]))
    last = max(1, round(found["recency_days"]))
    first = max(last, round(found["tenure_days"])) if n_orders > 1 else last
    return found | {
        "customer_id": "",
        "n_orders": n_orders,
        "first_order_on": as_of - dt.timedelta(days=first),
        "last_order_on": as_of - dt.timedelta(days=last),
    }


def _points(spoken: Spoken) -> dict[str, float]:
    """Return the points of every theme, the strongest first."""
    found = dict(zip(spoken.points.themes, spoken.points.values[0].tolist(), strict=True))
    return dict(sorted(found.items(), key=lambda one: -abs(one[1])))


def usual_outcomes(genome: Genome, record: Mapping[str, Any]) -> tuple[Outcome, ...]:
    """Return what is told of a customer unasked: one and two orders more, a month and three of silence.

    Raises
    ------
    RegistryError
        See `WhatIf.of`.
    """
    asked = WhatIf.of(genome)
    return tuple(asked.outcome(genome, record, scenario) for scenario in USUAL)
