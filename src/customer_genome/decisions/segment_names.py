"""Names for clusters, from what their customers do: the five labels a business reads, with a reason and a strategy each.

Comes in: the cluster of each customer and an Arrow table of their facts and predictions. Goes out: one `SegmentName` per
cluster. The rules below look at a cluster beside all customers; the cluster's number plays no part. Names are
presentation only: nothing is computed from them. This module must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.decisions.conditions import holds, parse_condition
from customer_genome.decisions.customers import Customers, FloatArray, IntArray, value_at
from customer_genome.decisions.wording import money_text
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
    (GROWING, ("churn_index <= 1", "churn_probability < 0.5")),
    (AT_RISK, ("churn_probability >= 0.25",)),
    (LOYAL, ("has_churn = false", "spend_index >= 1.5", "order_index >= 1")),
    (AT_RISK, ("has_churn = false", "recency_index >= 1.5")),
    (GROWING, ()),
)
STRATEGIES: Mapping[str, str] = {
    LOYAL: "Keep them: a loyalty programme, the best service, first access. No discounts they do not need.",
    GROWING: "Build them up: cross-sell, upsell and personal recommendations towards the next order.",
    PRICE: "Serve them with offers, bundles and volume prices, automated; watch the margin.",
    AT_RISK: "Re-engage them now: personal reminders of what they bought, a reason to come back with a date on it.",
    LEAVING: "Reach out at once to those worth it, with a win-back offer; let the others go quietly.",
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "spend_index": ("higher spend", "lower spend"),
    "recency_index": ("longer quiet", "more recent"),
    "tenure_index": ("long-standing", "newer"),
    "order_value_index": ("larger orders", "smaller orders"),
}


@dataclass(frozen=True)
class SegmentName:
    """What a cluster is called and why.

    Attributes
    ----------
    name : unique within a run; the label, with a distinguishing word where several clusters earn the same label
    label : one of `LABELS`
    reason : what its customers do, in a sentence with figures
    strategy : what to do with them
    profile : the figures the rules saw, by name; NaN = unknown
    """

    cluster: int
    name: str
    label: str
    reason: str
    strategy: str
    n_customers: int
    profile: Mapping[str, float]


def name_segments(labels: npt.ArrayLike, table: pa.Table, *, currency: str = "") -> tuple[SegmentName, ...]:
    """Name every cluster, by cluster number.

    Parameters
    ----------
    labels : int array, shape (n_customers,)
        The cluster of each customer.
    table : Arrow table, one row per customer in the same order
        Uses total_spend, churn_probability, recency_days, mean_order_value, n_orders, tenure_days, spend_last_90d,
        spend_prior_90d and discount_share, as far as they are there.
    currency : str
        Code of the money in the reasons.

    Raises
    ------
    ContractError
        When labels and table differ in length.
    """
    of = np.asarray(labels, dtype=np.int64)
    if len(of) != table.num_rows:
        raise ContractError(f"segment names: {len(of)} cluster labels for {table.num_rows} customers. Wanted: one label per row.")
    clusters = [int(cluster) for cluster in np.unique(of)]
    profiles = _profiles(of, clusters, Customers(table))
    given = _labels(profiles, len(clusters))
    words = _distinguishing_words(given, profiles)
    return tuple(
        SegmentName(
            cluster,
            f"{label} ({words[place]})" if words[place] else label,
            label,
            _reason({key: float(values[place]) for key, values in profiles.items()}, label, currency),
            STRATEGIES[label],
            int((of == cluster).sum()),
            {key: float(values[place]) for key, values in profiles.items()},
        )
        for place, (cluster, label) in enumerate(zip(clusters, given, strict=True))
    )


def segment_column(labels: npt.ArrayLike, names: Sequence[SegmentName]) -> pa.StringArray:
    """Return the segment name of each customer, an Arrow string array of shape (n_customers,)."""
    clusters = np.array([name.cluster for name in names], dtype=np.int64)
    places = np.searchsorted(clusters, np.asarray(labels, dtype=np.int64))
    return pa.array([name.name for name in names], pa.string()).take(pa.array(places))


def _profiles(of: IntArray, clusters: Sequence[int], customers: Customers) -> dict[str, FloatArray]:
    """Return what each cluster does, beside all customers; arrays of shape (n_clusters,), NaN = unknown."""
    members = [of == cluster for cluster in clusters]
    everybody = np.ones(len(of), dtype=np.bool_)

    def both(column: str, kind: str) -> tuple[FloatArray, float]:
        if not customers.has(column):
            return np.full(len(members), np.nan), float("nan")
        values = customers.numbers(column)
        return np.array([_summary(values[rows], kind) for rows in members]), _summary(values[everybody], kind)

    figures: dict[str, FloatArray] = {}
    for key, column, kind in (
        ("spend", "total_spend", "mean"),
        ("churn", "churn_probability", "mean"),
        ("order", "n_orders", "mean"),
        ("discount", "discount_share", "mean"),
        ("recency", "recency_days", "median"),
        ("order_value", "mean_order_value", "median"),
        ("tenure", "tenure_days", "median"),
    ):
        own, overall = both(column, kind)
        figures[_OWN_NAMES[key]], figures[f"{key}_index"] = own, _ratio(own, np.full(len(own), overall))
    recent, before = both("spend_last_90d", "sum"), both("spend_prior_90d", "sum")
    figures["trend"] = _ratio(recent[0], before[0])
    figures["trend_index"] = _ratio(
        figures["trend"], np.full(len(members), _ratio(np.array([recent[1]]), np.array([before[1]]))[0])
    )
    return figures


_OWN_NAMES: Mapping[str, str] = {
    "spend": "mean_spend",
    "churn": "churn_probability",
    "order": "mean_orders",
    "discount": "discount_share",
    "recency": "median_recency_days",
    "order_value": "median_order_value",
    "tenure": "median_tenure_days",
}


def _summary(values: FloatArray, kind: str) -> float:
    """Return mean, median or sum of the known values; NaN if none is known."""
    known = np.sort(values[~np.isnan(values)])
    if len(known) == 0:
        return float("nan")
    return value_at(known, 50) if kind == "median" else float(known.mean()) if kind == "mean" else float(known.sum())


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return above / below; NaN where that says nothing."""
    ratio = np.full(len(above), np.nan)
    np.divide(above, below, out=ratio, where=(below > 0) & ~np.isnan(above))
    return ratio


def _labels(profiles: Mapping[str, FloatArray], n: int) -> list[str]:
    """Return the label of each cluster: that of the first of `RULES` that holds."""
    columns: dict[str, pa.Array] = {name: pa.array(values) for name, values in profiles.items()}
    columns["has_discounts"] = pa.array([not np.isnan(profiles["discount_share"]).all()] * n)
    columns["has_churn"] = pa.array([not np.isnan(profiles["churn_probability"]).all()] * n)
    seen = Customers(pa.table(columns))
    labels: list[str] = [""] * n
    for label, rules in RULES:
        fits = np.ones(n, dtype=np.bool_)
        for rule in rules:
            condition = parse_condition(rule)
            fits &= holds(condition, seen, {})
        labels = [already or (label if fit else "") for already, fit in zip(labels, fits.tolist(), strict=True)]
    return labels


def _distinguishing_words(labels: Sequence[str], profiles: Mapping[str, FloatArray]) -> list[str]:
    """Return a word for each cluster that shares its label, else an empty text; no two words of one label are equal.

    A cluster is told apart by what sets it off most from the middle of those with its label; those that stand out most
    choose first, and where no single word is left, two are joined.
    """
    words = [""] * len(labels)
    for label in set(labels):
        places = [place for place, other in enumerate(labels) if other == label]
        if len(places) < 2:
            continue
        choices = {place: _choices(place, places, profiles) for place in places}
        taken: set[str] = set()
        for place in sorted(places, key=lambda place: (-max((far for far, _ in choices[place]), default=0.0), place)):
            single = [word for _, word in choices[place]]
            pairs = [f"{one}, {other}" for number, one in enumerate(single) for other in single[number + 1 :]]
            last = f"spend rank {1 + sum(profiles['mean_spend'][other] > profiles['mean_spend'][place] for other in places)}, no. {place}"
            words[place] = next(word for word in (*single, *pairs, last) if word not in taken)
            taken.add(words[place])
    return words


def _choices(place: int, places: Sequence[int], profiles: Mapping[str, FloatArray]) -> list[tuple[float, str]]:
    """Return (distance, word) for every way this cluster differs by over 5 % from the middle of `places`, farthest first."""
    found = []
    for key, (more, less) in _WORDS.items():
        values = profiles[key][list(places)]
        if (values > 0).all():
            distance = float(np.log(profiles[key][place]) - np.log(values).mean())
            if abs(distance) > 0.05:
                found.append((abs(distance), more if distance > 0 else less))
    return sorted(found, key=lambda choice: (-choice[0], choice[1]))


def _reason(profile: Mapping[str, float], label: str, currency: str) -> str:
    """Return what the cluster's customers do, as far as it is known."""
    days = profile["median_recency_days"]
    parts = [
        (profile["mean_spend"], f"spend {money_text(profile['mean_spend'], currency)} each{_beside(profile['spend_index'])}"),
        (
            profile["churn_probability"],
            f"risk of not coming back {_percent(profile['churn_probability'])}{_beside(profile['churn_index'])}",
        ),
        (days, f"last order typically {days:,.0f} {'day' if days == 1 else 'days'} ago{_beside(profile['recency_index'])}"),
        (
            profile["median_order_value"],
            f"{money_text(profile['median_order_value'], currency)} per order{_beside(profile['order_value_index'])}",
        ),
        (profile["trend_index"], _trend(profile)),
        (
            profile["discount_share"],
            f"{_percent(profile['discount_share'])} bought at a discount{_beside(profile['discount_index'])}",
        ),
    ]
    known = [text for figure, text in parts if not np.isnan(figure)]
    if label == PRICE and np.isnan(profile["discount_share"]):
        known.append("the data shows no discounts, so this is judged by small orders")
    text = "; ".join(known) or "nothing is known about them but that they are alike"
    return f"{text[0].upper()}{text[1:]}."


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
    return f" ({index:.1f} x everybody's)" if index > 1 else f" ({_percent(index)} of everybody's)"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"
