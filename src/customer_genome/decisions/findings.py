"""Findings: what is true of the customers at hand, computed and put into a sentence each.

Comes in: an Arrow table with one row per customer, all of them or a filtered part. Goes out: `Finding` values, every figure
in whose sentence was computed from that table. Nothing is quoted from elsewhere, nothing is assumed about the shop, and a
finding the data cannot give says so. This module must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.customers import Customers, FloatArray, value_at
from customer_genome.decisions.wording import money_text

Unit = Literal["share", "index", "customers", "money", ""]
LIKELY_TO_RETURN = 0.6
"""Probability from which a customer counts as likely to order again; the counterpart of the Low risk band (below 40 %)."""
LOW_SPEND_PERCENT = 50.0
SEGMENT_COLUMNS: tuple[str, ...] = ("segment_name", "rfm_segment", "playbook")
_NAMES_OF: Mapping[str, str] = {"segment_name": "segment", "rfm_segment": "RFM segment", "playbook": "playbook"}
_LORENZ_POINTS = 101


@dataclass(frozen=True)
class Finding:
    """One thing the data says.

    Attributes
    ----------
    id : stable name for screens and tests
    title : a few words
    sentence : the finding with its figures
    value : the main figure, in `unit`; None where the data cannot give it, and the sentence says why
    unit : "share" (0..1), "index" (0..1), "customers", "money"
    n : customers it was computed from
    chart : columns of equal length to draw, by name; may be empty
    """

    id: str
    title: str
    sentence: str
    value: float | None
    unit: Unit
    n: int
    chart: Mapping[str, tuple[float | str, ...]] = field(default_factory=dict)


def findings(table: pa.Table, *, currency: str = "") -> tuple[Finding, ...]:
    """Return every finding about the customers of `table`, in reading order.

    Parameters
    ----------
    table : Arrow table, one row per customer
        Uses total_spend, n_orders, primary_country, churn_probability, horizon_days and the segment columns, as far as
        they are there.
    currency : str
        Code of the money in sentences.
    """
    customers = Customers(table)
    return (
        revenue_concentration(customers, 10, currency),
        revenue_concentration(customers, 20, currency),
        revenue_gini(customers),
        few_purchases(customers),
        top_country(customers, currency),
        hidden_potential(customers, currency),
        *(segment_revenue(customers, column, currency) for column in SEGMENT_COLUMNS if column in table.column_names),
    )


def revenue_concentration(customers: Customers, percent: int, currency: str = "") -> Finding:
    """Return the share of revenue that comes from the `percent` % of customers who spent most.

    That is `percent` % of the customers, rounded up to whole ones.
    """
    id_, title = f"revenue_top_{percent}", f"Revenue from the top {percent} % of customers"
    spend = np.sort(_known(customers, "total_spend"))[::-1]
    n, total = len(spend), float(spend.sum())
    if n == 0 or total <= 0:
        return _no_finding(id_, title, "There is no revenue among these customers.", n)
    if n == 1:
        return Finding(id_, title, "There is one customer, who brings all the revenue.", 1.0, "share", 1)
    top = -(-n * percent // 100)
    share = float(spend[:top].sum()) / total
    who = (
        f"The one customer who spent most (of {n:,})"
        if top == 1
        else f"The {top:,} customers who spent most ({_percent(top / n)} of {n:,})"
    )
    verb = "brings" if top == 1 else "bring"
    sentence = f"{who} {verb} {_percent(share)} of the revenue: {money_text(float(spend[:top].sum()), currency)} of {money_text(total, currency)}."
    return Finding(
        id_, title, sentence, share, "share", n, {"group": (f"top {percent} %", "everybody else"), "share": (share, 1 - share)}
    )


def revenue_gini(customers: Customers) -> Finding:
    """Return how unevenly customers spend: the Gini coefficient, 0 = all alike, near 1 = one has it all.

    The chart is the Lorenz curve, customers from the lowest spend up.
    """
    id_, title = "revenue_gini", "How unevenly customers spend"
    spend = np.sort(np.maximum(_known(customers, "total_spend"), 0.0))
    n, total = len(spend), float(spend.sum())
    if n == 0 or total <= 0:
        return _no_finding(id_, title, "There is no revenue among these customers.", n)
    gini = gini_of(spend)
    cumulative = np.concatenate([[0.0], np.cumsum(spend) / total])
    at = np.linspace(0.0, 1.0, _LORENZ_POINTS)
    curve = np.minimum(np.interp(at, np.arange(n + 1) / n, cumulative), 1.0)
    lower_half = float(np.interp(0.5, at, curve))
    how = (
        "all spend nearly alike"
        if gini < 0.2
        else "spend is somewhat uneven"
        if gini < 0.4
        else "spend is uneven"
        if gini < 0.6
        else "spend is very uneven"
    )
    sentence = f"The Gini coefficient of spend is {gini:.2f} (0 = all alike, 1 = one has it all): {how}. The half that spent least brings {_percent(lower_half)}."
    if n == 1:
        sentence = "There is one customer, so spend cannot be uneven."
    return Finding(
        id_,
        title,
        sentence,
        gini,
        "index",
        n,
        {"share_of_customers": tuple(at.tolist()), "share_of_revenue": tuple(curve.tolist())},
    )


def gini_of(values: npt.ArrayLike) -> float:
    """Return the Gini coefficient of amounts that are not negative; 0 for none, one or equal amounts.

    Examples
    --------
    >>> gini_of([5, 5, 5]), gini_of([0, 0, 0, 1])
    (0.0, 0.75)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n, total = len(ordered), float(ordered.sum())
    if n == 0 or total <= 0:
        return 0.0
    ranks = np.arange(1, n + 1, dtype=np.float64)
    return max(0.0, float(((2 * ranks - n - 1) * ordered).sum() / (n * total)))


def few_purchases(customers: Customers) -> Finding:
    """Return the share of customers with one or two orders; the chart counts customers by orders."""
    id_, title = "one_or_two_orders", "Customers with one or two orders"
    orders = _known(customers, "n_orders")
    n = len(orders)
    if n == 0:
        return _no_finding(id_, title, "The data has no number of orders per customer.", 0)
    one, two = int((orders == 1).sum()), int((orders == 2).sum())
    share = (one + two) / n
    sentence = f"{_percent(share)} of {_customers(n)} ordered once or twice: {one:,} once, {two:,} twice."
    if n == 1:
        sentence = f"There is one customer, with {orders[0]:,.0f} {'order' if orders[0] == 1 else 'orders'}."
    bins = (("1", 1, 1), ("2", 2, 2), ("3", 3, 3), ("4-5", 4, 5), ("6-10", 6, 10), ("11-20", 11, 20), ("over 20", 21, np.inf))
    counts = tuple(float(((orders >= low) & (orders <= high)).sum()) for _, low, high in bins)
    return Finding(id_, title, sentence, share, "share", n, {"orders": tuple(name for name, _, _ in bins), "customers": counts})


def top_country(customers: Customers, currency: str = "") -> Finding:
    """Return the country whose customers bring most revenue, by each customer's main country."""
    id_, title = "top_country", "The strongest country"
    if not customers.has("primary_country") or not customers.has("total_spend"):
        return _no_finding(id_, title, "The data names no country.", 0)
    groups = _revenue_by(customers, "primary_country")
    groups = [group for group in groups if group[0] != "Unknown"] or groups
    total = float(np.nansum(customers.numbers("total_spend")))
    if total <= 0 or groups[0][0] == "Unknown":
        return _no_finding(id_, title, "There is no revenue with a known country among these customers.", len(customers))
    name, count, revenue = groups[0]
    chart: dict[str, tuple[float | str, ...]] = {
        "country": tuple(group[0] for group in groups),
        "customers": tuple(float(group[1]) for group in groups),
        "revenue": tuple(group[2] for group in groups),
    }
    share, n = min(revenue / total, 1.0), len(customers)
    sentence = (
        f"Customers whose main country is {name} bring {_percent(share)} of the revenue ({money_text(revenue, currency)}); "
        f"they are {_percent(count / n)} of {_customers(n)} in {len(groups):,} {'country' if len(groups) == 1 else 'countries'}."
    )
    return Finding(id_, title, sentence, share, "share", n, chart)


def hidden_potential(
    customers: Customers, currency: str = "", *, likely: float = LIKELY_TO_RETURN, low_spend_percent: float = LOW_SPEND_PERCENT
) -> Finding:
    """Return the customers who spent little so far and are likely to order again.

    Little = at most the `low_spend_percent` % mark of spend among these customers; likely = a probability of an order within
    the horizon of at least `likely`.
    """
    id_, title = "hidden_potential", "Hidden potential: low spend, likely to return"
    if not customers.has("churn_probability") or not customers.has("total_spend"):
        return _no_finding(id_, title, "The data gives no probability to return, so hidden potential cannot be told.", 0)
    spend, returns = customers.numbers("total_spend"), 1 - customers.numbers("churn_probability")
    known = ~np.isnan(spend) & ~np.isnan(returns)
    n, bound = int(known.sum()), value_at(spend, low_spend_percent)
    found = known & (spend <= bound) & (returns >= likely)
    count = int(found.sum())
    horizon = f" within {customers.numbers('horizon_days')[0]:,.0f} days" if customers.has("horizon_days") else ""
    rule = f"at most {money_text(bound, currency)} so far, {low_spend_percent:.0f} % of customers spent no more; chance of another order{horizon} at least {_percent(likely)}"
    if count == 0:
        sentence = f"No customer of {n:,} combines low spend with a high chance to return ({rule})."
    else:
        verb = "has" if count == 1 else "have"
        sentence = (
            f"{_customers(count)} ({_percent(count / n)} of {n:,}) spent little and {verb} a high chance to return ({rule})."
        )
    chart: dict[str, tuple[float | str, ...]] = {
        "return_probability": _bin_names(),
        "customers": _binned(returns[known & (spend <= bound)]),
    }
    return Finding(id_, title, sentence, float(count), "customers", n, chart)


def segment_revenue(customers: Customers, column: str, currency: str = "") -> Finding:
    """Return the segment that brings most revenue; the chart has all of them."""
    kind = _NAMES_OF.get(column, column.replace("_", " "))
    id_, title = f"top_{column}", f"The strongest {kind}"
    if not customers.has(column) or not customers.has("total_spend"):
        return _no_finding(id_, title, f"These customers have no {kind}.", 0)
    groups, n = _revenue_by(customers, column), len(customers)
    total = float(np.nansum(customers.numbers("total_spend")))
    if total <= 0:
        return _no_finding(id_, title, "There is no revenue among these customers.", n)
    name, count, revenue = groups[0]
    share = min(revenue / total, 1.0)
    sentence = f"The {kind} {name} brings {_percent(share)} of the revenue ({money_text(revenue, currency)}) with {_percent(count / n)} of {_customers(n)}."
    chart: dict[str, tuple[float | str, ...]] = {
        "segment": tuple(group[0] for group in groups),
        "customers": tuple(float(group[1]) for group in groups),
        "revenue": tuple(group[2] for group in groups),
    }
    return Finding(id_, title, sentence, share, "share", n, chart)


def _known(customers: Customers, column: str) -> FloatArray:
    """Return the known values of a column; none where it is missing."""
    if not customers.has(column):
        return np.empty(0)
    values = customers.numbers(column)
    return np.asarray(values[~np.isnan(values)], dtype=np.float64)


def _revenue_by(customers: Customers, column: str) -> Sequence[tuple[str, int, float]]:
    """Return (name, customers, revenue) per known value of a text column, highest revenue first, then by name."""
    encoded = customers.texts(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = np.asarray(pc.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False))
    spend = np.nan_to_num(customers.numbers("total_spend"))
    counts = np.bincount(codes, minlength=len(names) + 1)
    revenue = np.bincount(codes, weights=spend, minlength=len(names) + 1)
    groups = [(str(name), int(counts[place]), float(revenue[place])) for place, name in enumerate(names)]
    return sorted(groups, key=lambda group: (-group[2], group[0]))


def _bin_names() -> tuple[str, ...]:
    return tuple(f"{low}-{low + 10} %" for low in range(0, 100, 10))


def _binned(probabilities: FloatArray) -> tuple[float, ...]:
    counts, _ = np.histogram(probabilities, bins=np.linspace(0.0, 1.0, 11))
    return tuple(float(count) for count in counts)


def _no_finding(id_: str, title: str, sentence: str, n: int) -> Finding:
    return Finding(id_, title, sentence, None, "", n)


def _customers(n: int) -> str:
    return f"{n:,} customer" if n == 1 else f"{n:,} customers"


def _percent(share: float) -> str:
    """Return a share as per cent with one decimal, never rounded to nothing or to everything that it is not.

    Examples
    --------
    >>> _percent(0.5), _percent(0.0001), _percent(0.9999), _percent(1.0)
    ('50.0 %', 'under 0.1 %', 'over 99.9 %', '100 %')
    """
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    if share < 0.0005:
        return "under 0.1 %"
    return "over 99.9 %" if 0.9995 <= share < 1 else f"{share * 100:.1f} %"
