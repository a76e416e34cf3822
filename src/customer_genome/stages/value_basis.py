"""What value and risk of customers with totals rest on: the first of three that is there, and what has to be said of it.

Comes in: an engine that holds `customer_facts` and `totals`, stored models, settings. Goes out: a `Basis` that turns facts into value and risk
row by row. In order: the labels of the table itself; the forecast from totals that this workspace learned from its own order lines; the
reference forecast learned from public shops, with low reliability. Without recency and without a label there is none, and why is said. Nothing
here is published, and no label is made from the inputs.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.decisions.borrowed_risk import BORROWED, CHAMPION, LABEL, RELIABILITY, borrowed_sentence
from customer_genome.decisions.customers import value_at
from customer_genome.errors import ContractError, RegistryError
from customer_genome.evaluation.metrics import order_metrics
from customer_genome.features.trials import digest_below
from customer_genome.models.candidates import Past
from customer_genome.models.segmentation.segments import significant
from customer_genome.models.totals_forecast import FEATURES, WINDOW_PERCENT, CrowdOfTotals, SeenShop, TotalsForecast, drawn_in
from customer_genome.registry import load_model, make_champion, prune_models, save_model
from customer_genome.rules import read_reference_forecast
from customer_genome.settings import Settings
from customer_genome.stages.fitting import numbers
from customer_genome.stages.labelled import LabelledResult, learn
from customer_genome.version import __version__
from customer_genome.warehouse.customer_totals import Attribute
from customer_genome.warehouse.engine import Engine, quoted
from customer_genome.warehouse.quantiles import Quantile, values_at

Array = npt.NDArray[np.float64]
CLV_DAYS = 180
FORECAST = "totals_forecast"
"""Kind of the stored model that order lines of the workspace taught about totals."""
MOST_LEARNED = 50_000
LABEL_DAYS = 30
"""The period a label speaks of where the settings name none."""
_TOTALS = ("n_orders", "recency_days", "mean_order_value")
_LABEL_OF: Mapping[str, str] = {"churn_label": "churn", "spend_label": "spend"}
_HEADER_OF: Mapping[str, str] = {
    "n_orders": "total_orders",
    "total_quantity": "total_quantity",
    "total_spend": "total_spend",
    "mean_order_value": "avg_order_value",
    "recency_days": "recency_days",
    "unique_products": "unique_products",
    "primary_country": "country",
}
"""Fact -> the contract column whose header names it in words."""


class Basis(ABC):
    """What value and risk rest on. `name` is published as risk_basis; empty where there is none."""

    name: str
    horizon_days: int
    sentences: tuple[str, ...]
    needs: tuple[str, ...]

    @abstractmethod
    def expected(self, facts: pa.Table) -> dict[str, Any]:
        """Return value, risk and what they rest on for any part of the customers; NaN where unknown. Columns not named stay empty."""


@dataclass(frozen=True)
class Nothing(Basis):
    """No value and no risk, for a reason."""

    sentences: tuple[str, ...]
    name: str = ""
    horizon_days: int = CLV_DAYS
    needs: tuple[str, ...] = ()

    def expected(self, facts: pa.Table) -> dict[str, Any]:
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class FromTotals(Basis):
    """Value and risk forecast from orders so far, days since the last one and money per order."""

    name: str
    sentences: tuple[str, ...]
    forecast: TotalsForecast
    crowd: CrowdOfTotals
    worth_per_spend: float
    horizon_days: int
    needs: tuple[str, ...] = _TOTALS

    def expected(self, facts: pa.Table) -> dict[str, Any]:
        """Return value and risk."""
        orders, recency, order_value = (numbers(facts, name) for name in _TOTALS)
        said = self.forecast.of(orders, recency, order_value, self.crowd)
        risk = significant(1 - said.chance)
        return {
            "predicted_orders": said.orders,
            "predicted_spend": said.spend,
            "clv_180d": significant(said.spend * self.worth_per_spend * CLV_DAYS / self.horizon_days),
            "churn_probability": risk,
            **_words(self.name, risk),
        }


@dataclass(frozen=True)
class FromLabels(Basis):
    """Risk and spend to come learned from the table's labels; what no label speaks of comes from totals where that is possible."""

    result: LabelledResult
    sentences: tuple[str, ...]
    header_of: Mapping[str, str]
    horizon_days: int
    worth_per_spend: float
    otherwise: Basis
    needs: tuple[str, ...]
    name: str = LABEL

    def expected(self, facts: pa.Table) -> dict[str, Any]:
        """Return value and risk, with reasons."""
        named = facts.select(["customer_id", *self.header_of]).rename_columns(["customer_id", *self.header_of.values()])
        said, why = self.result.predict(named), self.result.reasons(named)
        found = {
            name: values for name, values in self.otherwise.expected(facts).items() if name not in ("risk_basis", "reliability")
        }
        if "churn_probability" in said.column_names:
            found["churn_probability"] = numbers(said, "churn_probability")
            for name in ("reason_1", "reason_2", "reason_3"):
                if name in why.column_names:
                    found[name] = why.column(name)
        if "predicted_spend" in said.column_names:
            spend = np.maximum(numbers(said, "predicted_spend"), 0.0)
            found |= {
                "predicted_spend": spend,
                "clv_180d": significant(spend * self.worth_per_spend * CLV_DAYS / self.horizon_days),
            }
            for name in ("spend_lower", "spend_upper"):
                if name in said.column_names:
                    found[name] = np.maximum(numbers(said, name), 0.0)
            found.pop("predicted_orders", None)
        return found | _words(self.name, np.zeros(facts.num_rows))


def _words(name: str, risk: Array) -> dict[str, pa.Array]:
    """Return the basis and how far it may be relied on; empty where there is no risk."""
    unknown = np.isnan(risk)
    return {
        "risk_basis": pa.array([name] * len(risk), pa.string(), mask=unknown),
        "reliability": pa.array([RELIABILITY[name]] * len(risk), pa.string(), mask=unknown),
    }


def find_basis(
    engine: Engine, models: Path, source: SourceTable, settings: Settings, known: frozenset[str], attributes: Sequence[Attribute]
) -> Basis:
    """Return what value and risk rest on, the best that is there.

    Parameters
    ----------
    known : facts that say something about at least one customer
    """
    totals = _from_totals(engine, models, source, settings, known)
    labels = [name for name in _LABEL_OF if name in source.mapping]
    return _from_labels(engine, source, settings, known, attributes, labels, totals) if labels else totals


def worth_per_spend(settings: Settings) -> float:
    """Return what expected spend of 180 days is worth: times the margin, discounted to the middle of the period."""
    return settings.prediction.margin * float((1 + settings.prediction.annual_discount) ** (-CLV_DAYS / 2 / 365))


# --- totals ----------------------------------------------------------------------------------------------------------


def _from_totals(engine: Engine, models: Path, source: SourceTable, settings: Settings, known: frozenset[str]) -> Basis:
    """Return the workspace's own forecast from totals, else the reference forecast; nothing where orders or recency are unknown."""
    lacking = _lacking(known)
    if lacking:
        return Nothing(
            (
                f"Risk and value to come are empty: they need {lacking}, which {source.label} does not give, or a label such as Churn.",
            )
        )
    crowd, worth = crowd_of(engine), worth_per_spend(settings)
    try:
        stored = load_model(models, FORECAST)
    except RegistryError:  # this workspace never learned from order lines
        reference = read_reference_forecast()
        chance, orders = (np.asarray(reference[name], dtype=np.float64) for name in ("chance", "orders"))
        forecast = TotalsForecast(int(reference["horizon_days"]), chance, orders)
        return FromTotals(BORROWED, (borrowed_sentence(reference),), forecast, crowd, worth, forecast.horizon_days)
    own = TotalsForecast.from_arrays(stored.arrays)
    return FromTotals(CHAMPION, tuple(stored.card["sentences"]), own, crowd, worth, own.horizon_days)


def teach_totals(models: Path, past: Sequence[Past], as_of: dt.date, keep_versions: int) -> str | None:
    """Learn from a workspace's own order lines what totals say of the time after, and store it; return the version.

    Nothing is stored where history is too short, or where everybody did the same afterwards.

    Parameters
    ----------
    past : earlier cutoffs with what came, oldest first
    """
    cutoffs = [one for one in past if len(one.known)]
    try:
        forecast = TotalsForecast.fit([_seen(one) for one in cutoffs], cutoffs[-1].known.horizon_days) if cutoffs else None
    except ContractError:  # nobody, or everybody, came back: such a history teaches no difference
        forecast = None
    if forecast is None:
        return None
    n, horizon = sum(len(one.known) for one in cutoffs), forecast.horizon_days
    days = ", ".join(str(dt.date(1970, 1, 1) + dt.timedelta(days=one.known.as_of)) for one in cutoffs)
    sentences = [
        f"Risk and value come from what this workspace's own order lines taught about totals, as of {as_of}: {n:,} customers as known at {days}, and what "
        f"they did in the {horizon} days after. The table knows less than order lines do, so reliability is medium at best.",
        *_held_out(cutoffs),
    ]
    card = {
        "features": list(FEATURES),
        "as_of": as_of.isoformat(),
        "product_version": __version__,
        "n_customers": n,
        "sentences": sentences,
    }
    version = save_model(models, FORECAST, forecast.to_arrays(), card)
    make_champion(models, FORECAST, version)
    prune_models(models, FORECAST, keep_versions)
    return version


def _seen(past: Past) -> SeenShop:
    """Return an earlier cutoff as totals would have shown it; orders to come are spend to come over the customer's own order value."""
    facts = past.known.facts
    crowd = CrowdOfTotals(value_at(facts["recency_days"], WINDOW_PERCENT), value_at(facts["mean_order_value"], 50.0))
    own = drawn_in(facts["mean_order_value"], facts["n_orders"], crowd.typical_order_value)
    later = np.divide(past.spend, own, out=np.zeros(len(past.known)), where=own > 0)
    return SeenShop(crowd, facts["n_orders"], facts["recency_days"], np.where(past.ordered > 0, np.maximum(later, 1e-6), 0.0))


def _held_out(cutoffs: Sequence[Past]) -> list[str]:
    """Return how a forecast learned at the earlier cutoffs does at the last one, where there are several."""
    if len(cutoffs) < 2:
        return []
    *earlier, last = cutoffs
    seen = _seen(last)
    try:
        forecast = TotalsForecast.fit([_seen(one) for one in earlier], last.known.horizon_days)
        said = forecast.of(seen.n_orders, seen.recency_days, last.known.facts["mean_order_value"], seen.crowd)
        ranking = order_metrics(last.ordered, said.chance)["auc"]
    except ContractError:  # one of the two has customers who all did the same
        return []
    return [
        f"Learned at the earlier of these days and held against the last one, it has an AUC of {ranking:.3f}; it says {said.chance.mean():.0%} order again and "
        f"{last.ordered.mean():.0%} did, and expects {said.spend.sum() / max(float(last.spend.sum()), 1e-9):.2f} x the spend that came."
    ]


def _lacking(known: frozenset[str]) -> str:
    """Return which columns a forecast from totals needs and the table does not give."""
    return " and ".join(_HEADER_OF[name] for name in ("n_orders", "recency_days") if name not in known)


def crowd_of(engine: Engine, table: str = "customer_facts") -> CrowdOfTotals:
    """Return the figures of all customers that a forecast from totals needs."""
    wanted = [Quantile("window", "recency_days", WINDOW_PERCENT), Quantile("value", "mean_order_value", 50.0)]
    found = values_at(engine, table, wanted)
    return CrowdOfTotals(found.get(("window", ""), 0.0), found.get(("value", ""), 0.0))


# --- labels ----------------------------------------------------------------------------------------------------------


def _from_labels(
    engine: Engine,
    source: SourceTable,
    settings: Settings,
    known: frozenset[str],
    attributes: Sequence[Attribute],
    labels: Sequence[str],
    otherwise: Basis,
) -> Basis:
    """Return what the table's labels teach; where they teach nothing, what stands below them on the ladder, with the reason."""
    header_of = {fact: source.mapping[name][0] for fact, name in _HEADER_OF.items() if fact in known and name in source.mapping}
    header_of |= {one.name: one.header for one in attributes if one.name in known}
    n = engine.fetch("select count(*) as n from customer_facts").column("n")[0].as_py()
    columns = [f"f.{quoted(fact)} as {quoted(header)}" for fact, header in header_of.items()]
    columns += [f"t.{name} as {quoted(source.mapping[name][0])}" for name in labels]
    table = engine.fetch(
        f"select f.customer_id, {', '.join(columns)} from customer_facts as f inner join totals as t on f.customer_id = t.customer_id and t.row_class = 'kept' "
        f"where left(digest(f.customer_id), 8) < '{digest_below(MOST_LEARNED / n)}' order by f.customer_id"
    )
    named = {_LABEL_OF[name]: source.mapping[name][0] for name in labels}
    try:
        result = learn(table, id_column="customer_id", label_columns=named, seed=settings.prediction.seed)  # type: ignore[arg-type]
    except ContractError as err:
        reason = f"Nothing was learned from the label {' and '.join(named.values())}: {err}"
        return _said_first(otherwise, reason)
    days = settings.prediction.horizon_days or LABEL_DAYS
    period = (
        f"Risk and value come from this table's own labels ({', '.join(named.values())}). The table does not say which period they speak of: {days} days are written "
        "as the horizon. Another one: horizon_days under [prediction] in genome.toml."
        if not settings.prediction.horizon_days
        else f"Risk and value come from this table's own labels ({', '.join(named.values())}), which speak of {days} days."
    )
    if isinstance(otherwise, Nothing) and "spend" not in named:
        otherwise = Nothing(
            (f"Value to come is empty: without a label for it, it needs {_lacking(known)}, which {source.label} does not give.",)
        )
    more = (
        (f"Value over 180 days is the spend expected in {days} days, taken to go on like that.",)
        if "spend" in named
        else otherwise.sentences
    )
    used = {fact: header for fact, header in header_of.items() if header in {column.name for column in result.columns}}
    needs = tuple(dict.fromkeys((*used, *otherwise.needs)))
    return FromLabels(result, (period, *result.words, *more), used, days, worth_per_spend(settings), otherwise, needs)


def _said_first(basis: Basis, sentence: str) -> Basis:
    """Return a basis that says one more sentence, before its own."""
    sentences = (sentence, *basis.sentences)
    return replace(basis, sentences=sentences) if isinstance(basis, FromTotals) else Nothing(sentences)
