"""Names for clusters, from what their customers do: the five labels a business reads, with a reason and a strategy each.

Comes in: a small table of figures, one row per cluster and one for everybody, and how far each cluster lies from the rest. Goes out:
one `SegmentName` per cluster. The rules below look at a cluster beside all customers; the cluster's number plays no part, but a
name given before stays while it is still about true. Names are presentation only: nothing is computed from them. This module
must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.conditions import Condition, holds, parse_condition
from customer_genome.decisions.customers import Customers, FloatArray
from customer_genome.decisions.personas import Effect, of_ratings, persona, short_trait
from customer_genome.decisions.wording import money_text, percent_text
from customer_genome.errors import ContractError

LOYAL, GROWING, PRICE, AT_RISK, LEAVING = (
    "Loyal & High Value",
    "Growing Customers",
    "Price Sensitive",
    "At Risk",
    "High Churn Risk",
)
LABELS: tuple[str, ...] = (LOYAL, GROWING, PRICE, AT_RISK, LEAVING)

# First rule that holds gives the label. An index is the cluster beside all customers: 2 = twice as much. Recency, order
# value and tenure compare medians, the others means; trend compares spend of the last 90 days to the 90 before.
RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (LOYAL, ("spend_index >= 1.5", "churn_index <= 0.9", "churn_probability < 0.5")),
    (LEAVING, ("churn_probability >= 0.5", "churn_index >= 0.99")),
    (AT_RISK, ("churn_probability >= 0.25", "churn_index >= 1.1", "recency_index >= 1")),
    (AT_RISK, ("churn_index >= 0.8", "trend_index <= 0.8", "recency_index >= 1.25")),
    (PRICE, ("discount_share >= 0.1", "discount_index >= 1.2", "spend_index < 1.5")),
    (PRICE, ("has_discounts = false", "order_value_index <= 0.8", "spend_index < 1")),
    (GROWING, ("trend_index >= 1.05", "churn_probability < 0.5")),
    (LOYAL, ("has_trend = false", "monthly_index >= 1.1", "churn_index <= 0.7", "churn_probability < 0.5")),
    (GROWING, ("churn_index <= 1", "churn_probability < 0.5")),
    (AT_RISK, ("churn_probability >= 0.25",)),
    (LOYAL, ("has_churn = false", "spend_index >= 1.5", "order_index >= 1")),
    (AT_RISK, ("has_churn = false", "recency_index >= 1.5")),
    (GROWING, ()),
)
FIGURES: Mapping[str, tuple[str, Literal["mean", "median", "sum"]]] = {
    "mean_spend": ("total_spend", "mean"),
    "churn_probability": ("churn_probability", "mean"),
    "mean_orders": ("n_orders", "mean"),
    "discount_share": ("discount_share", "mean"),
    "median_recency_days": ("recency_days", "median"),
    "median_order_value": ("mean_order_value", "median"),
    "median_tenure_days": ("tenure_days", "median"),
    "mean_monthly_spend": ("monthly_spend", "mean"),
    "mean_tickets": ("support_tickets", "mean"),
    "median_tenure_months": ("tenure_months", "median"),
    "spend_last_90d": ("spend_last_90d", "sum"),
    "spend_prior_90d": ("spend_prior_90d", "sum"),
}
"""What has to be known of each cluster and of everybody: the figure, of which column. A median is a value that occurs."""
_INDICES: Mapping[str, str] = {
    "mean_spend": "spend_index",
    "churn_probability": "churn_index",
    "mean_orders": "order_index",
    "discount_share": "discount_index",
    "median_recency_days": "recency_index",
    "median_order_value": "order_value_index",
    "median_tenure_days": "tenure_index",
    "mean_monthly_spend": "monthly_index",
    "mean_tickets": "tickets_index",
    "median_tenure_months": "months_index",
}
STRATEGIES: Mapping[str, str] = {
    LOYAL: "Keep them: a loyalty programme, the best service, first access. No discounts they do not need.",
    GROWING: "Build them up: cross-sell, upsell and personal recommendations towards the next order.",
    PRICE: "Serve them with offers, bundles and volume prices, automated; watch the margin.",
    AT_RISK: "Re-engage them now: personal reminders of what they bought, a reason to come back with a date on it.",
    LEAVING: "Reach out at once to those worth it, with a win-back offer; let the others go quietly.",
}
SLACK = 0.1
"""A label given before stays while its rules would hold with bounds eased, and those of other labels fail with bounds tightened, by this share."""
_FACT_OF_INDEX: Mapping[str, str] = {
    "spend_index": "total_spend",
    "recency_index": "recency_days",
    "tenure_index": "tenure_days",
    "order_value_index": "mean_order_value",
}
LEAST_APART, LEAST_APART_IN_EFFECT = 0.05, 0.2
"""How far clusters with one label have to lie apart for a word: in logs of their figures, or in effect sizes where these are known."""


@dataclass(frozen=True)
class SegmentName:
    """What a cluster is called and why.

    Attributes
    ----------
    name : unique within a run; the label, with a distinguishing word where several clusters earn the same label
    label : one of `LABELS`
    reason : what its customers do, in a sentence with figures
    strategy : what to do with them
    persona : who they are, in a sentence with what sets them apart most from all others
    effects : how far they lie from the rest, per fact
    profile : the figures the rules saw, by name; NaN = unknown
    """

    cluster: int
    name: str
    label: str
    reason: str
    strategy: str
    n_customers: int
    profile: Mapping[str, float]
    persona: str = ""
    effects: tuple[Effect, ...] = ()


def name_segments(
    figures: pa.Table,
    *,
    currency: str = "",
    effects: Mapping[int, Sequence[Effect]] | None = None,
    carried: Mapping[int, tuple[str, str]] | None = None,
    shows_risk: bool = True,
    is_rated: bool = False,
) -> tuple[SegmentName, ...]:
    """Name every cluster, by cluster number.

    Parameters
    ----------
    figures : Arrow table, one row per cluster and one for everybody
        cluster (null for everybody), n_customers, and `FIGURES`: means, medians and sums over the customers of whom
        the fact is known; null where that is nobody.
    currency : str
        Code of the money in the reasons.
    effects : by cluster, optional
        How far it lies from the rest, fact by fact.
    carried : by cluster, optional
        (label, name) that the cluster had before. They stay while they are still about true, so that a figure that crosses a bound
        by a hair renames nobody.
    shows_risk : bool
        False where risk was borrowed: the rules compare segments by it, and no sentence quotes its size.
    is_rated : bool
        True where rows were ratings, so that no word speaks of orders.

    Raises
    ------
    ContractError
        When the figures have no row for everybody.
    """
    everybody = pc.is_null(figures["cluster"])
    if pc.sum(everybody).as_py() != 1:
        raise ContractError(
            f"segment names: {pc.sum(everybody).as_py() or 0} rows for everybody among {figures.num_rows}. "
            "Wanted: one row whose cluster is null, beside one per cluster."
        )
    own = figures.filter(pc.invert(everybody)).sort_by("cluster")
    clusters, counts = own["cluster"].to_pylist(), own["n_customers"].to_pylist()
    profiles = _profiles(own, figures.filter(everybody))
    apart = [tuple((effects or {}).get(cluster, ())) for cluster in clusters]
    before = [(carried or {}).get(cluster, ("", "")) for cluster in clusters]
    given = _labels(profiles, [label for label, _ in before])
    said: Callable[[str], str] = of_ratings if is_rated else str
    words = _distinguishing_words(given, profiles, apart, before, said)
    named = []
    for place, (cluster, label) in enumerate(zip(clusters, given, strict=True)):
        profile = {key: float(values[place]) for key, values in profiles.items()}
        named.append(
            SegmentName(
                cluster,
                f"{label} ({words[place]})" if words[place] else label,
                label,
                said(_reason(profile, label, currency, shows_risk)),
                said(STRATEGIES[label]),
                int(counts[place]),
                profile,
                said(persona(apart[place], profile if shows_risk else profile | {"churn_probability": float("nan")}, currency)),
                apart[place],
            )
        )
    return tuple(named)


def segment_column(labels: npt.ArrayLike, names: Sequence[SegmentName]) -> pa.StringArray:
    """Return the segment name of each customer, an Arrow string array of shape (n_customers,)."""
    clusters = np.array([name.cluster for name in names], dtype=np.int64)
    places = np.searchsorted(clusters, np.asarray(labels, dtype=np.int64))
    return pa.array([name.name for name in names], pa.string()).take(pa.array(places))


def _profiles(own: pa.Table, everybody: pa.Table) -> dict[str, FloatArray]:
    """Return what each cluster does, beside all customers; arrays of shape (n_clusters,), NaN = unknown."""
    profiles: dict[str, FloatArray] = {}
    for name, index in _INDICES.items():
        profiles[name] = _column(own, name)
        profiles[index] = _ratio(profiles[name], np.full(own.num_rows, _column(everybody, name)))
    profiles["trend"] = _ratio(_column(own, "spend_last_90d"), _column(own, "spend_prior_90d"))
    overall = _ratio(_column(everybody, "spend_last_90d"), _column(everybody, "spend_prior_90d"))
    profiles["trend_index"] = _ratio(profiles["trend"], np.full(own.num_rows, overall))
    return profiles


def _column(figures: pa.Table, name: str) -> FloatArray:
    """Return a column as floats, NaN where it is empty."""
    return np.asarray(figures[name].cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return above / below; NaN where that says nothing."""
    ratio = np.full(len(above), np.nan)
    np.divide(above, below, out=ratio, where=(below > 0) & ~np.isnan(above))
    return ratio


def _labels(profiles: Mapping[str, FloatArray], before: Sequence[str]) -> list[str]:
    """Return the label of each cluster: that of the first of `RULES` that holds, or the one it had `before` while that is near enough."""
    n = len(before)
    columns: dict[str, pa.Array] = {name: pa.array(values) for name, values in profiles.items()}
    columns["has_discounts"] = pa.array([not np.isnan(profiles["discount_share"]).all()] * n, pa.bool_())
    columns["has_trend"] = pa.array([not np.isnan(profiles["trend_index"]).all()] * n, pa.bool_())
    columns["has_churn"] = pa.array([not np.isnan(profiles["churn_probability"]).all()] * n, pa.bool_())
    seen = Customers(pa.table(columns))
    labels = _first_that_holds(seen, n)
    for kept in set(before) & set(LABELS):
        eased = _first_that_holds(seen, n, kept)
        labels = [kept if was == kept and near == kept else label for label, was, near in zip(labels, before, eased, strict=True)]
    return labels


def _first_that_holds(seen: Customers, n: int, favoured: str = "") -> list[str]:
    """Return the label of the first rule that holds for each cluster; with a favoured label, by eased and tightened bounds."""
    labels: list[str] = [""] * n
    for label, rules in RULES:
        fits = np.ones(n, dtype=np.bool_)
        for rule in rules:
            condition = parse_condition(rule)
            if favoured:
                condition = _moved(condition, SLACK if label == favoured else -SLACK)
            fits &= holds(condition, seen, {})
        labels = [already or (label if fit else "") for already, fit in zip(labels, fits.tolist(), strict=True)]
    return labels


def _moved(condition: Condition, slack: float) -> Condition:
    """Return a condition whose bound is easier to meet by a share, or harder where that is negative."""
    if not isinstance(condition.value, float) or condition.op == "=":
        return condition
    return replace(condition, value=condition.value * (1 - slack if condition.op.startswith(">") else 1 + slack))


def _distinguishing_words(
    labels: Sequence[str],
    profiles: Mapping[str, FloatArray],
    effects: Sequence[Sequence[Effect]],
    before: Sequence[tuple[str, str]],
    said: Callable[[str], str] = str,
) -> list[str]:
    """Return a word for each cluster that shares its label, else an empty text; no two words of one label are equal.

    A cluster is told apart by what sets it off most from the middle of those with its label; those that stand out most
    choose first, and where no single word is left, two are joined. A word it had before stays while it is true.
    """
    words = [""] * len(labels)
    for label in set(labels):
        places = [place for place, other in enumerate(labels) if other == label]
        if len(places) < 2:
            continue
        choices = {place: [(far, said(word)) for far, word in _choices(place, places, profiles, effects)] for place in places}
        taken: set[str] = set()
        for place in places:
            word = _word_before(label, before[place], choices[place])
            if word and word not in taken:
                words[place] = word
                taken.add(word)
        open_places = [place for place in places if not words[place]]
        for place in sorted(open_places, key=lambda place: (-max((far for far, _ in choices[place]), default=0.0), place)):
            single = [word for far, word in choices[place] if far > 1]
            pairs = [f"{one}, {other}" for number, one in enumerate(single) for other in single[number + 1 :]]
            last = f"spend rank {1 + sum(profiles['mean_spend'][other] > profiles['mean_spend'][place] for other in places)}, no. {place}"
            words[place] = next(word for word in (*single, *pairs, last) if word not in taken)
            taken.add(words[place])
    return words


def _word_before(label: str, before: tuple[str, str], choices: Sequence[tuple[float, str]]) -> str:
    """Return the word in brackets that a cluster had before, where it had this label and each part of the word is still true of it."""
    was, name = before
    if was != label or not name.startswith(f"{label} ("):
        return ""
    word = name.removeprefix(f"{label} (").removesuffix(")")
    return word if set(word.split(", ")) <= {choice for _, choice in choices} else ""


def _choices(
    place: int, places: Sequence[int], profiles: Mapping[str, FloatArray], effects: Sequence[Sequence[Effect]]
) -> list[tuple[float, str]]:
    """Return (distance, word) for every way this cluster differs from the middle of `places`, farthest first; above 1 it is worth a word."""
    found = []
    if effects[place]:
        sizes = {other: {effect.fact: effect.size for effect in effects[other]} for other in places}
        for fact, size in sizes[place].items():
            middle = np.mean([sizes[other].get(fact, np.nan) for other in places])
            distance = float(size - middle) / LEAST_APART_IN_EFFECT
            if abs(distance) > SLACK:
                found.append((abs(distance), short_trait(fact, distance > 0)))
    else:
        for key, fact in _FACT_OF_INDEX.items():
            values = profiles[key][list(places)]
            if (values > 0).all():
                distance = float(np.log(profiles[key][place]) - np.log(values).mean()) / LEAST_APART
                if abs(distance) > SLACK:
                    found.append((abs(distance), short_trait(fact, distance > 0)))
    return sorted(found, key=lambda choice: (-choice[0], choice[1]))


def _reason(profile: Mapping[str, float], label: str, currency: str, shows_risk: bool) -> str:
    """Return what the cluster's customers do, as far as it is known."""
    days = profile["median_recency_days"]
    parts = [
        (profile["mean_spend"], f"spend {money_text(profile['mean_spend'], currency)} each{_beside(profile['spend_index'])}"),
        (
            profile["churn_probability"],
            f"risk of not coming back {percent_text(profile['churn_probability'])}{_beside(profile['churn_index'])}"
            if shows_risk
            else _risk_beside(profile["churn_index"]),
        ),
        (days, f"last order typically {days:,.0f} {'day' if days == 1 else 'days'} ago{_beside(profile['recency_index'])}"),
        (
            profile["median_order_value"],
            f"{money_text(profile['median_order_value'], currency)} per order{_beside(profile['order_value_index'])}",
        ),
        (
            profile["median_tenure_months"],
            f"customers for typically {profile['median_tenure_months']:,.0f} months{_beside(profile['months_index'])}",
        ),
        (
            profile["mean_monthly_spend"],
            f"{money_text(profile['mean_monthly_spend'], currency)} a month{_beside(profile['monthly_index'])}",
        ),
        (profile["mean_tickets"], f"{profile['mean_tickets']:.1f} problems raised each{_beside(profile['tickets_index'])}"),
        (profile["trend_index"], _trend(profile)),
        (
            profile["discount_share"],
            f"{percent_text(profile['discount_share'])} bought at a discount{_beside(profile['discount_index'])}",
        ),
    ]
    known = [text for figure, text in parts if text and not np.isnan(figure)]
    if label == PRICE and np.isnan(profile["discount_share"]):
        known.append("the data shows no discounts, so this is judged by small orders")
    text = "; ".join(known) or "nothing is known about them but that they are alike"
    return f"{text[0].upper()}{text[1:]}."


def _risk_beside(index: float) -> str:
    """Return how a risk whose size is not known stands beside that of all customers."""
    if np.isnan(index):
        return ""
    return f"risk {'about as high as' if 0.95 <= index <= 1.05 else 'higher than' if index > 1 else 'lower than'} everybody's"


def _trend(profile: Mapping[str, float]) -> str:
    """Return how spend moved lately, beside that of all customers."""
    trend, index = profile["trend"], profile["trend_index"]
    overall = f" (everybody: {trend / index:.1f} x)" if index > 0 else ""
    return f"spend of the last 90 days {trend:.1f} x the 90 before{overall}"


def _beside(index: float) -> str:
    """Return how a cluster's figure compares with that of all customers."""
    if np.isnan(index):
        return ""
    if 0.95 <= index <= 1.05:
        return " (as everybody)"
    if index > 1:
        return f" ({index:.1f} x everybody's)"
    return f" ({f'{100 * index:.0f}' if index >= 0.005 or index == 0 else 'under 1'} % of everybody's)"
