"""From facts and fitted models to predictions and decisions, row by row, in batches, on the engine.

Comes in: an engine that holds `customer_facts`, fitted models, settings as values. Goes out: `scored_customers`, facts with
every prediction and decision, and `Decided`, the small tables the screens need. What a row has to know about all others
(cut points, averages, names of segments) is asked in SQL and handed to `Valuation` and `Decision` as values, so that a
batch may be any part of the customers and no process holds them all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.decisions.borrowed_risk import BORROWED, UNSIZED
from customer_genome.decisions.playbooks import Playbook, assign, in_use, parse_playbooks
from customer_genome.decisions.priority import (
    CLV_PERCENTS,
    churn_band,
    clv_band,
    confidence_score,
    expected_value_loss,
    priority_segment,
)
from customer_genome.decisions.segment_names import SegmentName, segment_column
from customer_genome.models.agreement import agreed
from customer_genome.models.candidates import Known
from customer_genome.models.candidates.champion import Champion
from customer_genome.models.own_forecast import CLV_DAYS as CLV_DAYS
from customer_genome.models.own_forecast import NEEDS as OWN_NEEDS
from customer_genome.models.own_forecast import OwnForecaster
from customer_genome.models.own_shares import FACTS as HISTORY_FACTS
from customer_genome.models.segmentation.clusters import CLUSTER_COLUMNS, Clusters
from customer_genome.models.segmentation.groupings import Method
from customer_genome.models.segmentation.segments import rfm_scores, significant
from customer_genome.settings import Settings
from customer_genome.stages.champions import LATEST as LATEST
from customer_genome.stages.champions import facts_of, own_forecaster, require_trained_facts
from customer_genome.stages.events import BESIDE_VALUES, without_money
from customer_genome.stages.explaining import EXPLAINED_SCHEMA, Explainer
from customer_genome.stages.fitting import Models, cluster_features, numbers
from customer_genome.stages.segment_tables import name_all, names_to_carry, segment_figures, segment_tables
from customer_genome.stages.summaries import known_columns, playbook_figures, side_tables
from customer_genome.warehouse.engine import Engine, quoted
from customer_genome.warehouse.quantiles import Quantile, values_at

Array = npt.NDArray[np.float64]
DAYS_OF_MEAN_ORDERS_PER_DAY = 5.0
"""How many average purchase days a customer's own orders per day are shrunken with."""
HISTORY_COLUMNS = (
    "n_purchase_days",
    "activity_days",
    "tenure_days",
    "mean_spend_per_day",
    "n_orders",
    "recency_days",
    "total_spend",
)
RFM_COLUMNS: Mapping[str, str] = {"recency": "recency_days", "frequency": "n_orders", "monetary": "total_spend"}
VALUE_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("horizon_days", pa.int32()),
        ("p_alive", pa.float64()),
        ("predicted_orders", pa.float64()),
        ("predicted_spend", pa.float64()),
        ("spend_lower", pa.float64()),
        ("spend_upper", pa.float64()),
        ("clv_180d", pa.float64()),
        ("clv_lower", pa.float64()),
        ("clv_upper", pa.float64()),
        ("churn_probability", pa.float64()),
        ("next_order_on", pa.date32()),
        ("next_order_lower", pa.date32()),
        ("next_order_upper", pa.date32()),
        ("recency_score", pa.int64()),
        ("frequency_score", pa.int64()),
        ("monetary_score", pa.int64()),
        ("rfm_segment", pa.string()),
        ("cluster_kmeans", pa.int64()),
        ("cluster_hierarchical", pa.int64()),
        ("cluster_gmm", pa.int64()),
        ("churn_band", pa.string()),
        ("confidence_score", pa.float64()),
        ("expected_value_loss", pa.float64()),
        *EXPLAINED_SCHEMA,
    ]
)
"""What is published of what `Valuation` makes of a customer's facts."""
VALUED_SCHEMA = VALUE_SCHEMA.append(pa.field("predicted_days", pa.float64()))
"""What `Valuation` makes of a customer's facts; purchase days are added up by the outlook."""
DECISION_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("clv_band", pa.string()),
        ("priority_segment", pa.string()),
        ("segment_name", pa.string()),
        ("playbook", pa.string()),
        ("recommended_action", pa.string()),
        ("playbook_reason", pa.string()),
        ("matching", pa.string()),
    ]
)
"""What `Decision` makes of a customer's facts and values; `matching` names every playbook that fits."""
NAMES_TO_COME = ("clv_band", "priority_segment", "segment_name")
"""Decisions that playbooks may have rules about; they are text."""
SCORE_COLUMNS = (
    *(
        name
        for name in VALUE_SCHEMA.names
        if name not in ("customer_id", "churn_band", "confidence_score", "expected_value_loss")
    ),
    "clv_band",
    "churn_band",
    "confidence_score",
    "expected_value_loss",
    *(name for name in DECISION_SCHEMA.names if name not in ("customer_id", "clv_band", "matching")),
)
"""Every prediction and decision, in the order in which it is published."""


@dataclass(frozen=True)
class Population:
    """What a row has to know about all customers to be valued.

    Attributes
    ----------
    orders_per_day : float
        Orders on a purchase day, over all purchase days.
    rfm_cuts : name of a score -> float array of shape (4,)
        The values that part all customers into fifths; NaN where all are alike.
    """

    orders_per_day: float
    rfm_cuts: Mapping[str, Array]

    @classmethod
    def of(cls, engine: Engine) -> Self:
        """Return the figures of all customers as of the last cutoff."""
        names = ", ".join(dict.fromkeys(RFM_COLUMNS.values()))
        engine.create_view("latest_facts", f"select {names}, n_purchase_days from customer_facts where {LATEST}")
        ends = ", ".join(
            f"{function}({column}) as {name}_{function}" for name, column in RFM_COLUMNS.items() for function in ("min", "max")
        )
        row = engine.fetch(
            "select cast(sum(n_orders) as bigint) as orders, cast(sum(n_purchase_days) as bigint) as days, "
            f"{ends} from latest_facts"
        ).to_pylist()[0]
        wanted = [
            Quantile(f"{name} {fifth}", column, 20.0 * fifth) for name, column in RFM_COLUMNS.items() for fifth in (1, 2, 3, 4)
        ]
        found = values_at(engine, "latest_facts", wanted)
        cuts = {}
        for name in RFM_COLUMNS:
            lowest, highest = significant([row[f"{name}_min"], row[f"{name}_max"]])
            fifths = significant([found[f"{name} {fifth}", ""] for fifth in (1, 2, 3, 4)])
            cuts[name] = np.full(4, np.nan) if lowest == highest else fifths
        return cls(row["orders"] / row["days"], cuts)


@dataclass(frozen=True)
class Valuation:
    """Turns facts into what customers will do and are worth, row by row.

    Attributes
    ----------
    own : what purchase and spend models say, over the horizon and of customer value, which is always over 180 days
    champion : forecasts chance and spend over the horizon from the facts and the own forecast; None: the own one is published
    """

    models: Models
    population: Population
    own: OwnForecaster
    champion: Champion | None
    margin: float
    churn_cuts: tuple[float, float]
    explainer: Explainer

    @classmethod
    def of(cls, engine: Engine, models: Models, settings: Settings, as_of: dt.date, horizon_days: int) -> Self:
        """Return the valuation of all customers of `customer_facts` as of the last cutoff."""
        own = own_forecaster(models, settings, as_of, horizon_days, with_value=True)
        champion = models.champion_for(horizon_days)
        explainer = Explainer.of(models, own.as_of, horizon_days, settings.shop.currency, has_money=settings.has_money)
        cuts = _two(settings.segments.churn_bands)
        return cls(models, Population.of(engine), own, champion, settings.prediction.margin, cuts, explainer)

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the facts that a row has to bring, beside the customer."""
        learned = self.champion.features if self.champion else ()
        return tuple(dict.fromkeys((*HISTORY_COLUMNS, *self.models.clusters.features, *learned)))

    def __call__(self, facts: pa.Table) -> pa.Table:
        """Return the columns of `VALUED_SCHEMA` for any part of the customers, in the order of `facts`."""
        columns = {"customer_id": facts.column("customer_id"), **self._value(facts), **self._rfm(facts)}
        features = self.models.clusters.features
        columns |= self.models.clusters.assign(cluster_features(facts, features), features)
        clv, risk = columns["clv_180d"], columns["churn_probability"]
        columns |= {
            "churn_band": churn_band(risk, self.churn_cuts),
            "confidence_score": confidence_score(risk),
            "expected_value_loss": expected_value_loss(clv, risk),
        }
        return pa.table(columns).select(VALUED_SCHEMA.names).cast(VALUED_SCHEMA)

    def _value(self, facts: pa.Table) -> dict[str, Any]:
        """Return what each customer will do and is worth; purchase days are turned into orders at the customer's own rate."""
        learned = self.champion.features if self.champion else ()
        known = facts_of(facts, tuple(dict.fromkeys((*OWN_NEEDS, *HISTORY_FACTS, *learned))))
        own, horizon_days = self.own(known), self.own.horizon_days
        customers = Known(self.own.as_of, horizon_days, known, own.expected())
        expected = self.champion.forecast(customers) if self.champion else own.expected()
        value = agreed(own, expected, horizon_days, self.margin)
        soonest, middle, latest = self.own.days_until_order(known, value.chance, own.chance)
        n_days, n_orders, prior = known["n_purchase_days"], numbers(facts, "n_orders"), DAYS_OF_MEAN_ORDERS_PER_DAY
        own_orders_per_day = (n_orders + prior * self.population.orders_per_day) / (n_days + prior)
        return {
            "horizon_days": pa.array(np.full(len(n_days), horizon_days), pa.int32()),
            "p_alive": value.p_alive,
            "predicted_orders": value.days * own_orders_per_day,
            "predicted_days": value.days,
            "predicted_spend": value.spend,
            "spend_lower": value.lower,
            "spend_upper": value.upper,
            "clv_180d": value.clv,
            "clv_lower": value.clv_lower,
            "clv_upper": value.clv_upper,
            "churn_probability": 1 - value.chance,
            "next_order_on": _next_order(middle, self.own.as_of),
            "next_order_lower": _next_order(soonest, self.own.as_of),
            "next_order_upper": _next_order(latest, self.own.as_of),
            **self.explainer.columns(customers, expected),
        }

    def _rfm(self, facts: pa.Table) -> dict[str, Any]:
        """Return RFM scores and segment names."""
        recency, frequency, monetary = (numbers(facts, column) for column in RFM_COLUMNS.values())
        rfm = rfm_scores(recency, frequency, monetary, self.population.rfm_cuts)
        return {
            "recency_score": rfm.recency_score,
            "frequency_score": rfm.frequency_score,
            "monetary_score": rfm.monetary_score,
            "rfm_segment": rfm.rfm_segment,
        }


def value_customers(engine: Engine, models: Models, settings: Settings, as_of: dt.date, horizon_days: int) -> None:
    """Make `valued`: the facts of every customer as of the last cutoff, with the columns of `VALUE_SCHEMA`.

    Rows with equal histories stand together, so that a batch computes what they share once. A champion needs `known_facts`.
    """
    valuation = Valuation.of(engine, models, settings, as_of, horizon_days)
    source = "customer_facts"
    if valuation.champion:
        source = "known_facts"
        require_trained_facts(engine.fetch("select * from known_facts limit 0").column_names, valuation.champion)
    engine.map_rows(
        "customer_values",
        f"select {', '.join(('customer_id', *map(quoted, valuation.needs)))} from {source} where {LATEST} "
        "order by n_purchase_days, tenure_days, customer_id",
        valuation,
        VALUED_SCHEMA,
    )
    facts, values = "f.*", ", ".join(f"v.{name}" for name in VALUE_SCHEMA.names if name != "customer_id")
    if not settings.has_money:
        columns = engine.fetch("select * from customer_facts limit 0").column_names
        facts = ", ".join(without_money(name, f"f.{quoted(name)}") for name in columns)
        values = ", ".join(without_money(name, f"v.{name}") for name in VALUE_SCHEMA.names if name != "customer_id")
        values = f"{values}, {BESIDE_VALUES}"
    engine.create_table(
        "valued",
        f"select {facts}, {values} from customer_facts as f inner join customer_values as v on f.customer_id = v.customer_id "
        f"where f.{LATEST}",
    )


@dataclass(frozen=True)
class Decision:
    """Turns facts and values into what follows from them, row by row.

    Attributes
    ----------
    clv_cuts : (money, money)
        A customer above the first is at least Medium, above the second High.
    named : the segments by cluster
    cluster_column : the column that holds those clusters
    figures, known : figures behind the rules, and the columns that say something, of all customers
    currency : code of the money in sentences
    unsized : columns that no sentence may quote
    """

    clv_cuts: tuple[float, float]
    named: tuple[SegmentName, ...]
    cluster_column: str
    playbooks: tuple[Playbook, ...]
    figures: Mapping[str, float]
    known: frozenset[str]
    currency: str
    unsized: frozenset[str] = frozenset()

    def __call__(self, valued: pa.Table) -> pa.Table:
        """Return the columns of `DECISION_SCHEMA` for any part of the customers, in the order of `valued`."""
        bands = clv_band(numbers(valued, "clv_180d"), self.clv_cuts)
        columns: dict[str, Any] = {
            "clv_band": bands,
            "priority_segment": priority_segment(bands, valued.column("churn_band")),
            "segment_name": segment_column(valued.column(self.cluster_column).to_numpy(), self.named),
        }
        for name, values in columns.items():
            valued = valued.append_column(name, values)
        assigned = assign(
            self.playbooks, valued, currency=self.currency, figures=self.figures, known=self.known, unsized=self.unsized
        )
        columns |= {
            "customer_id": valued.column("customer_id"),
            "playbook": assigned.playbook,
            "recommended_action": assigned.recommended_action,
            "playbook_reason": assigned.reason,
            "matching": assigned.matching,
        }
        return pa.table(columns).select(DECISION_SCHEMA.names).cast(DECISION_SCHEMA)


@dataclass(frozen=True)
class Decided:
    """What follows for the shop.

    Attributes
    ----------
    tables : name -> small table for the screens
    notices : what the user should know
    names : labels and names of every method's clusters, for `Clusters.with_names`
    """

    tables: Mapping[str, pa.Table]
    notices: tuple[str, ...]
    names: Mapping[Method, Mapping[int, tuple[str, str]]]


def decide_customers(engine: Engine, clusters: Clusters, settings: Settings, playbook_file: Mapping[str, Any]) -> Decided:
    """Make `scored_customers` from `valued`: every fact, prediction and decision; return the tables of all customers.

    `decided_customers` are the same; what is known later may refine `scored_customers` out of them.

    Parameters
    ----------
    clusters : those that gave the columns of `CLUSTER_COLUMNS`
    playbook_file : mapping
        The parsed playbook file.

    Raises
    ------
    SettingsError
        When a playbook names a column nobody knows, or compares text with a number.
    """
    playbooks, currency = parse_playbooks(playbook_file), settings.shop.currency
    nameless = ", ".join(f"'' as {name}" for name in NAMES_TO_COME)
    engine.create_view("nameless_customers", f"select v.*, {nameless} from valued as v")
    known = known_columns(engine, "nameless_customers")
    playbooks, unsized = in_use(playbooks, known), _unsized(engine, known)
    segments = segment_figures(engine, "valued", clusters)
    named = name_all(segments, clusters, currency, shows_risk="churn_probability" not in unsized, is_rated=not settings.has_money)
    figures = playbook_figures(engine, "nameless_customers", playbooks)
    own, column = named[clusters.method], CLUSTER_COLUMNS[clusters.method]
    decision = Decision(_clv_cuts(engine, settings), own, column, playbooks, figures, known, currency, unsized)
    facts = engine.fetch("select * from valued limit 0")
    decision(facts)  # names every fault of the playbooks before the work begins
    used = {column for book in playbooks for column in (*book.columns, *book.action.columns)}
    needed = [name for name in facts.column_names if name in used | DECISION_NEEDS]
    engine.map_rows("predictions", f"select {', '.join(map(quoted, needed))} from valued", decision, DECISION_SCHEMA)
    columns = [f"f.{quoted(name)}" for name in facts.column_names if name not in SCORE_COLUMNS]
    columns += [f"{'p' if name in DECISION_SCHEMA.names else 'f'}.{name}" for name in SCORE_COLUMNS]
    joined = "from valued as f inner join predictions as p on f.customer_id = p.customer_id"
    engine.create_view("decided_customers", f"select {', '.join(columns)} {joined}")
    engine.create_view("scored_customers", "select * from decided_customers")
    engine.create_view("matched_customers", f"select {', '.join(columns)}, p.matching {joined}")
    tables = side_tables(engine, "matched_customers", named=own, playbooks=playbooks, known=known, currency=currency)
    tables |= segment_tables(segments, named, clusters)
    off = [row for row in tables["playbooks"].select(["playbook", "switched_off"]).to_pylist() if row["switched_off"]]
    notices = tuple(f"Playbook {row['playbook']} is switched off: {row['switched_off']}" for row in off)
    return Decided(tables, notices, names_to_carry(named))


def _unsized(engine: Engine, known: frozenset[str]) -> frozenset[str]:
    """Return the columns that no sentence may quote: those of risk and value where they were borrowed from other shops."""
    if "risk_basis" not in known:
        return frozenset()
    n = engine.fetch(f"select count(*) as n from valued where risk_basis = '{BORROWED}'").column("n")[0].as_py()
    return UNSIZED if n else frozenset()


DECISION_NEEDS = frozenset({"customer_id", "as_of", "clv_180d", "churn_band", "mean_gap_days", *CLUSTER_COLUMNS.values()})
"""Columns that `Decision` reads whatever the playbooks name."""


def _clv_cuts(engine: Engine, settings: Settings) -> tuple[float, float]:
    """Return the bounds of Medium and High value: those of the settings, or by counting customers."""
    if settings.segments.clv_bands:
        return _two(settings.segments.clv_bands)
    ends = engine.fetch("select min(clv_180d) as lowest, max(clv_180d) as highest from valued").to_pylist()[0]
    if ends["lowest"] == ends["highest"]:
        return (-np.inf, np.inf)
    found = values_at(engine, "valued", [Quantile(str(percent), "clv_180d", percent) for percent in CLV_PERCENTS])
    low, high = (found[str(percent), ""] for percent in CLV_PERCENTS)
    return (low, high)


def _two(cuts: tuple[float, ...]) -> tuple[float, float]:
    """Return two bounds, of which the settings have checked that they are two."""
    low, high = cuts
    return (low, high)


def _next_order(days: Array, as_of: int) -> pa.Array:
    """Return the day after so many days, empty where it is not within ten years; the cutoff in days since 1970-01-01."""
    within = np.isfinite(days) & (days <= 3650)
    start = np.datetime64(as_of - 1, "D")
    dates = start + np.ceil(np.where(within, days, 0)).astype("timedelta64[D]")
    return pa.array(dates, mask=~within)
