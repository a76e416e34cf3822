"""From facts to fitted models: how often customers buy, what they spend, who behaves alike; or the models stored before.

Comes in: an engine that holds `customer_facts` and `cutoffs`. Goes out: `Models`, and their versions in the registry. What is
brought here does not grow with the customers: purchase histories as counts of distinct ones, spend and behaviour of a
weighted sample. Nothing is scored here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.errors import RegistryError, SettingsError, did_you_mean
from customer_genome.features.table import feature_text
from customer_genome.features.trials import digest_below, known_purchases
from customer_genome.models.btyd.purchase_choice import choose, with_choice
from customer_genome.models.btyd.purchase_model import PurchaseModel, purchase_model_class, purchase_model_from_arrays
from customer_genome.models.btyd.season import Clock, day_number
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.candidates.champion import Champion
from customer_genome.models.estimator import FitReport
from customer_genome.models.segmentation.clusters import CLUSTER_FEATURES, Clusters, fit_clusters
from customer_genome.models.segmentation.groupings import METHODS, Method
from customer_genome.models.segmentation.segments import significant
from customer_genome.registry import StoredModel, aliases, installed_version, load_model, make_champion, prune_models, save_model
from customer_genome.settings import SegmentSettings, Settings
from customer_genome.stages.events import EVENT_FEATURES
from customer_genome.version import __version__
from customer_genome.warehouse.engine import Engine

Array = npt.NDArray[np.float64]
PURCHASE_FEATURES = ("frequency", "recency_days", "age_days")
SPEND_FEATURES = ("n_purchases", "mean_spend")
LIGHTGBM = "lightgbm"


@dataclass(frozen=True)
class ValueModels:
    """The fitted models that say how often customers buy and what they spend; `purchases` was fitted to times on `clock`."""

    purchases: PurchaseModel
    spend: GammaGamma
    clock: Clock = field(default_factory=Clock)

    def sentences(self) -> tuple[str, ...]:
        """Return how the models were fitted and what they say, in plain words."""
        return (*self.purchases.report_.sentences(), *self.clock.sentences(), *self.spend.report_.sentences())


@dataclass(frozen=True)
class Models:
    """The fitted models that score customers; `purchases` was fitted to times on `clock`.

    `champion` was trained to forecast `champion_days`; without one the purchase and spend models forecast alone.
    """

    purchases: PurchaseModel
    spend: GammaGamma
    clusters: Clusters
    clock: Clock = field(default_factory=Clock)
    champion: Champion | None = None
    champion_days: int = 0

    def sentences(self, *, has_money: bool = True) -> tuple[str, ...]:
        """Return how the models were fitted and what they say, in plain words; without money nothing is said of spend."""
        if not has_money:
            return (*self.purchases.report_.sentences(), *self.clock.sentences(), self.clusters.reason)
        chosen = self.champion.words if self.champion else ()
        return (*chosen, *ValueModels(self.purchases, self.spend, self.clock).sentences(), self.clusters.reason)

    def champion_for(self, horizon_days: int) -> Champion | None:
        """Return the champion where it forecasts this horizon."""
        return self.champion if self.champion_days == horizon_days else None

    def parts(self) -> dict[str, tuple[Mapping[str, npt.NDArray[Any]], Mapping[str, Any]]]:
        """Return the arrays and the card of every model, by kind."""
        return self._champion_part() | {
            "purchases": (
                {**self.purchases.to_arrays(), **self.clock.to_arrays()},
                {**_card(self.purchases.report_, PURCHASE_FEATURES), "clock": self.clock.figures()},
            ),
            "spend": (self.spend.to_arrays(), _card(self.spend.report_, SPEND_FEATURES)),
            "clusters": (self.clusters.to_arrays(), {"features": list(self.clusters.features), "reason": self.clusters.reason}),
        }

    def _champion_part(self) -> dict[str, tuple[Mapping[str, npt.NDArray[Any]], Mapping[str, Any]]]:
        """Return the arrays and the card of the champion, nothing without one."""
        if self.champion is None:
            return {}
        card = {
            "model": "champion forecast",
            "features": list(self.champion.features),
            "horizon_days": self.champion_days,
            "sentences": list(self.champion.words),
            "figures": self.champion.figures,
        }
        return {CHAMPION: ({**self.champion.to_arrays(), HORIZON_DAYS: np.array(self.champion_days)}, card)}

    @classmethod
    def from_parts(cls, arrays: Mapping[str, Mapping[str, npt.NDArray[Any]]]) -> Self:
        """Return the models that `parts` described; RegistryError when something else stands there."""
        try:
            return cls(
                purchase_model_from_arrays(arrays["purchases"]),
                GammaGamma.from_arrays(arrays["spend"]),
                Clusters.from_arrays(arrays["clusters"]),
                Clock.from_arrays(arrays["purchases"]),
                Champion.from_arrays(arrays[CHAMPION]) if CHAMPION in arrays else None,
                int(arrays[CHAMPION][HORIZON_DAYS]) if CHAMPION in arrays else 0,
            )
        except KeyError as err:
            raise RegistryError(f"Stored models: {err} is missing. Fit them again with `genome run`.") from err


CHAMPION, HORIZON_DAYS = "champion_forecast", "horizon_days"
KINDS: Mapping[str, tuple[str, ...]] = {
    "purchases": PURCHASE_FEATURES,
    "spend": SPEND_FEATURES,
    "clusters": CLUSTER_FEATURES,
}
"""Every kind of model that always stands, with the features it is fitted on, in order; the champion forecast names its own."""


def store_models(folder: Path, models: Models, as_of: dt.date) -> dict[str, str]:
    """Store every model as a new version; return the versions by kind. The champions stay who they were."""
    shared = {
        "as_of": as_of.isoformat(),
        "fitted_at": dt.datetime.now(dt.UTC).isoformat(),
        "product_version": __version__,
    }
    return {kind: save_model(folder, kind, arrays, {**card, **shared}) for kind, (arrays, card) in models.parts().items()}


def make_champions(folder: Path, versions: Mapping[str, str], keep_versions: int) -> None:
    """Let stored versions score from now on, and remove those that are older than the newest `keep_versions`."""
    for kind, version in versions.items():
        make_champion(folder, kind, version)
        prune_models(folder, kind, keep_versions)


def load_champions(folder: Path) -> tuple[Models, dict[str, str]]:
    """Return the champions and their versions by kind.

    Raises
    ------
    RegistryError
        When a model is missing or damaged, was fitted on other features than this version of the product makes, or was stored
        by a library that reads and writes another form.
    """
    found = {kind: load_model(folder, kind) for kind in KINDS}
    if aliases(folder, CHAMPION):  # workspaces of older products have none
        found[CHAMPION] = load_model(folder, CHAMPION)
        _require_readable(found[CHAMPION], folder)
    for kind, usual in KINDS.items():
        features = tuple(found[kind].card.get("features", ()))
        chosen = found[kind].arrays.get("names") if kind == "clusters" else None  # [segments] features chooses them
        wanted = usual if chosen is None else tuple(map(str, chosen))
        if features != wanted:
            raise RegistryError(
                f"Model {kind} {found[kind].version} in {folder} was fitted on {', '.join(features) or 'unnamed features'}. "
                f"Wanted: {', '.join(wanted)}. Fit again with `genome run` (without --no-refit)."
            )
    return Models.from_parts({kind: model.arrays for kind, model in found.items()}), {
        kind: model.version for kind, model in found.items()
    }


def _require_readable(champion: StoredModel, folder: Path) -> None:
    """Refuse a champion whose card and arrays name other facts, or whose trees another release of their library wrote."""
    named, told = (tuple(str(name) for name in one.get("features", ())) for one in (champion.arrays, champion.card))
    if named != told:
        raise RegistryError(
            f"Model {CHAMPION} {champion.version} in {folder} was trained on {', '.join(named) or 'unnamed facts'}; its card names "
            f"{', '.join(told) or 'none'}. Wanted: the same, in the same order. Train it again with `genome run`."
        )
    if any(name.endswith(f"/{LIGHTGBM}") for name in champion.arrays):
        stored, here = str(champion.card.get("libraries", {}).get(LIGHTGBM, "")), installed_version(LIGHTGBM)
        if stored.split(".")[0] != here.split(".")[0]:
            raise RegistryError(
                f"Model {CHAMPION} {champion.version} in {folder} was stored by LightGBM {stored or 'of an unknown version'}; installed "
                f"is {here or 'none'}. Wanted: LightGBM {stored.split('.')[0] or 'as it was'}. Install it, or train again with `genome run` "
                "(without --no-refit)."
            )


def clusters_before(folder: Path) -> Clusters | None:
    """Return the clusters of the run before, from which numbers and names are taken over; None where there are none that can be read."""
    try:
        return Clusters.from_arrays(load_model(folder, "clusters").arrays)
    except (RegistryError, KeyError):  # a first run, or clusters of an older product: numbers begin anew
        return None


def fit_models(engine: Engine, settings: Settings, before: Clusters | None = None) -> Models:
    """Fit every model as of the last cutoff.

    Parameters
    ----------
    engine : holding `customer_facts`, `known_orders` and `cutoffs`
    settings : uses `prediction` and `segments`
    before : clusters of the run before, whose numbers stay with the customers who had them
    """
    sample = fit_sample(engine, settings.prediction.fit_sample)
    found = fit_value_models(engine, settings, sample)
    features = require_facts(sample, settings.segments.features or (CLUSTER_FEATURES if settings.has_money else EVENT_FEATURES))
    clusters = fit_clusters(
        cluster_features(sample, features),
        features,
        numbers(sample, "total_spend"),
        k=settings.segments.k,
        k_of=wanted_counts(settings.segments),
        method=settings.segments.method,
        seed=settings.prediction.seed,
        weights=numbers(sample, "weight"),
        before=before,
    )
    return Models(found.purchases, found.spend, clusters, found.clock)


def fit_value_models(engine: Engine, settings: Settings, sample: pa.Table | None = None, *, compares: bool = True) -> ValueModels:
    """Fit how often customers buy and what they spend, as of the last cutoff.

    Parameters
    ----------
    sample : from `fit_sample`, optional
        By default it is drawn here.
    compares : bool
        Whether clock and purchase model are put to the test by earlier forecasts, which takes most of the time; without it the learned
        clock and the simplest model are used.
    """
    sample = fit_sample(engine, settings.prediction.fit_sample) if sample is None else sample
    n_days, mean_spend = numbers(sample, "n_purchase_days"), significant(numbers(sample, "mean_spend_per_day"))
    purchases, clock = _fit_purchases(engine, compares)
    return ValueModels(purchases, GammaGamma().fit(n_days, mean_spend, numbers(sample, "weight")), clock)


def _fit_purchases(engine: Engine, compares: bool) -> tuple[PurchaseModel, Clock]:
    """Choose clock and purchase model, and fit the model to all customers."""
    known, trials = known_purchases(engine)
    choice = choose(known, trials if compares else ())
    clock = with_choice(choice)
    histories = purchase_histories(engine)
    frequency, recency_days, age_days = (numbers(histories, name) for name in PURCHASE_FEATURES)
    as_of: dt.date = engine.fetch("select max(as_of) as as_of from cutoffs").column("as_of")[0].as_py()
    recency, age = clock.histories(day_number(as_of), recency_days, age_days)
    model = purchase_model_class(choice.model)()
    return model.fit(frequency, recency, age, numbers(histories, "n_customers")), clock


def purchase_histories(engine: Engine) -> pa.Table:
    """Return the distinct purchase histories as of the last cutoff, with the customers that share each.

    Returns
    -------
    table with frequency, recency_days, age_days, n_customers
    """
    engine.create_view("histories", feature_text("histories"))
    return engine.fetch(
        "select frequency, recency_days, age_days, n_customers from histories where as_of = (select max(as_of) from cutoffs) "
        "order by frequency, recency_days, age_days"
    )


def fit_sample(engine: Engine, most: int) -> pa.Table:
    """Return about `most` customers as of the last cutoff, or all where there are fewer, sorted by customer.

    Every stratum of purchase days gives equally many, as far as it has them: frequent customers are few and say most
    about spend. `weight` is how many customers of the stratum each row stands for.
    """
    engine.create_view("customer_strata", feature_text("customer_strata"))
    counted = engine.fetch("select stratum, count(*) as n from customer_strata group by stratum order by stratum")
    counts = dict(zip(counted["stratum"].to_pylist(), counted["n"].to_pylist(), strict=True))
    marks = {stratum: digest_below(share) for stratum, share in shares_to_draw(counts, most).items()}
    engine.write(
        "fit_strata",
        pa.table({"stratum": pa.array(list(marks), pa.int64()), "digest_below": pa.array(list(marks.values()), pa.string())}),
    )
    engine.create_view("fit_sample", feature_text("fit_sample"))
    sample = engine.fetch("select * from fit_sample order by customer_id")
    drawn = pc.value_counts(sample["stratum"].combine_chunks()).to_pylist()
    stands_for = {row["values"]: counts[row["values"]] / row["counts"] for row in drawn}
    weights = [stands_for[stratum] for stratum in sample["stratum"].to_pylist()]
    return sample.append_column("weight", pa.array(weights, pa.float64()))


def shares_to_draw(counts: Mapping[int, int], most: int) -> dict[int, float]:
    """Return the share of each stratum that makes about `most` customers, equally many of each as far as it has them.

    Examples
    --------
    >>> shares_to_draw({1: 900, 2: 10, 6: 100}, 110)
    {1: 0.0555..., 2: 1.0, 6: 0.5}
    >>> shares_to_draw({1: 900, 2: 10}, 1_000)
    {1: 1.0, 2: 1.0}
    """
    shares: dict[int, float] = {}
    left = most
    smallest_first = sorted(counts, key=lambda stratum: (counts[stratum], stratum))
    for place, stratum in enumerate(smallest_first):
        fair = left / (len(smallest_first) - place)
        shares[stratum] = min(1.0, fair / counts[stratum])
        left -= min(counts[stratum], int(fair))
    return {stratum: shares[stratum] for stratum in counts}


def cluster_features(facts: pa.Table, features: Sequence[str] = CLUSTER_FEATURES) -> Array:
    """Return the features of the clusters, shape (n_customers, n_features)."""
    return np.column_stack([significant(numbers(facts, name)) for name in features])


def wanted_counts(settings: SegmentSettings) -> dict[Method, int]:
    """Return the numbers of clusters that are set for single methods."""
    return {method: settings.k_of[method] for method in METHODS if method in settings.k_of}


def require_facts(facts: pa.Table, features: Sequence[str]) -> tuple[str, ...]:
    """Return the features that segments are to be found in, all of them numbers among the facts.

    Raises
    ------
    SettingsError
        Naming every one that is none, with near names.
    """
    numeric = [field.name for field in facts.schema if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)]
    unknown = [
        f"{name!r} is not a number among the facts.{did_you_mean(name, numeric)}" for name in features if name not in numeric
    ]
    if unknown:
        raise SettingsError(
            f"[segments] features: {' '.join(unknown)} Wanted: columns of numbers of customer_facts, such as {', '.join(CLUSTER_FEATURES)}."
        )
    return tuple(dict.fromkeys(features))


def numbers(facts: pa.Table, name: str) -> Array:
    """Return a column as floats, NaN where it is empty."""
    return np.asarray(pc.cast(facts.column(name), pa.float64()).to_numpy(), dtype=np.float64)


def _card(report: FitReport, features: tuple[str, ...]) -> dict[str, Any]:
    """Return the card of a fitted model: inputs in order, parameters, how well, what is doubtful."""
    return {
        "model": report.model,
        "features": list(features),
        "parameters": dict(report.parameters),
        "standard_errors": dict(report.standard_errors),
        "log_likelihood": report.log_likelihood,
        "n_customers": report.n_customers,
        "converged": report.converged,
        "rung": report.rung,
        "sentences": list(report.sentences()),
    }
