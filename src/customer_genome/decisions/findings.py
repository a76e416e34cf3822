"""Findings: what is true of the customers at hand, computed and put into a sentence each.

Comes in: a crowd of customers, all of them or a filtered part, or an Arrow table with a row for each. Goes out: `Finding` values,
every figure in whose sentence was computed from it. Nothing is quoted from elsewhere, nothing is assumed about the shop, and a
finding the data cannot give says so. This module must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa

from customer_genome.decisions.crowd import (
    LIKELY_TO_RETURN,
    LOW_SPEND_PERCENT,
    MANY_ORDERS,
    Crowd,
    Group,
    SpendBins,
    crowd_of,
)
from customer_genome.decisions.wording import money_text, percent_text

Unit = Literal["share", "index", "customers", "money", ""]
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
    """Return every finding about customers in memory, in reading order.

    Parameters
    ----------
    table : Arrow table, one row per customer
        Uses total_spend, n_orders, primary_country, churn_probability, horizon_days and the segment columns, as far as
        they are there.
    currency : str
        Code of the money in sentences.
    """
    return findings_of(crowd_of(table), currency=currency)


def findings_of(crowd: Crowd, *, currency: str = "") -> tuple[Finding, ...]:
    """Return every finding about a crowd, in reading order."""
    return (
        revenue_concentration(crowd, 10, currency),
        revenue_concentration(crowd, 20, currency),
        revenue_gini(crowd),
        few_purchases(crowd),
        top_country(crowd, currency),
        hidden_potential(crowd, currency),
        *(segment_revenue(crowd, column, currency) for column in SEGMENT_COLUMNS if column in crowd.groups),
    )


def revenue_concentration(crowd: Crowd, percent: int, currency: str = "") -> Finding:
    """Return the share of revenue that comes from the `percent` % of customers who spent most.

    That is `percent` % of the customers, rounded up to whole ones.
    """
    id_, title = f"revenue_top_{percent}", f"Revenue from the top {percent} % of customers"
    n, total = crowd.spend.n, crowd.spend.total
    if n == 0 or total <= 0:
        return _no_finding(id_, title, "There is no revenue among these customers.", n)
    if n == 1:
        return Finding(id_, title, "There is one customer, who brings all the revenue.", 1.0, "share", 1)
    top = -(-n * percent // 100)
    revenue = crowd.spend.of_the_top(top)
    share = revenue / total
    who = (
        f"The one customer who spent most (of {n:,})"
        if top == 1
        else f"The {top:,} customers who spent most ({percent_text(top / n)} of {n:,})"
    )
    verb = "brings" if top == 1 else "bring"
    sentence = (
        f"{who} {verb} {percent_text(share)} of the revenue: {money_text(revenue, currency)} of {money_text(total, currency)}."
    )
    return Finding(
        id_, title, sentence, share, "share", n, {"group": (f"top {percent} %", "everybody else"), "share": (share, 1 - share)}
    )


def revenue_gini(crowd: Crowd) -> Finding:
    """Return how unevenly customers spend: the Gini coefficient, 0 = all alike, near 1 = one has it all.

    The chart is the Lorenz curve, customers from the lowest spend up.
    """
    id_, title = "revenue_gini", "How unevenly customers spend"
    spend = crowd.spend.without_debts()
    n, total = spend.n, spend.total
    if n == 0 or total <= 0:
        return _no_finding(id_, title, "There is no revenue among these customers.", n)
    gini = gini_of(spend)
    customers = np.concatenate([[0], np.cumsum(spend.counts)]) / n
    revenue = np.concatenate([[0.0], np.cumsum(spend.sums) / total])
    at = np.linspace(0.0, 1.0, _LORENZ_POINTS)
    curve = np.minimum(np.interp(at, customers, revenue), 1.0)
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
    sentence = f"The Gini coefficient of spend is {gini:.2f} (0 = all alike, 1 = one has it all): {how}. The half that spent least brings {percent_text(lower_half)}."
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


def gini_of(spend: SpendBins) -> float:
    """Return the Gini coefficient of amounts that are not negative; 0 for none, one or equal amounts.

    Examples
    --------
    >>> gini_of(SpendBins(np.array([3]), np.array([15.0]))), gini_of(SpendBins(np.array([3, 1]), np.array([0.0, 1.0])))
    (0.0, 0.75)
    """
    n, total = spend.n, spend.total
    if n == 0 or total <= 0:
        return 0.0
    before = np.cumsum(spend.counts) - spend.counts
    return max(0.0, float(((2.0 * before + spend.counts - n) * spend.sums).sum() / (n * total)))


def few_purchases(crowd: Crowd) -> Finding:
    """Return the share of customers with one or two orders; the chart counts customers by orders."""
    id_, title = "one_or_two_orders", "Customers with one or two orders"
    n = sum(crowd.orders.values())
    if n == 0:
        return _no_finding(id_, title, "The data has no number of orders per customer.", 0)
    one, two = crowd.orders.get(1, 0), crowd.orders.get(2, 0)
    share = (one + two) / n
    sentence = f"{percent_text(share)} of {_customers(n)} ordered once or twice: {one:,} once, {two:,} twice."
    if n == 1:
        sentence = f"There is one customer, with {crowd.most_orders:,.0f} {'order' if crowd.most_orders == 1 else 'orders'}."
    bins = (
        ("1", 1, 1),
        ("2", 2, 2),
        ("3", 3, 3),
        ("4-5", 4, 5),
        ("6-10", 6, 10),
        ("11-20", 11, 20),
        ("over 20", 21, MANY_ORDERS),
    )
    counts = tuple(float(sum(crowd.orders.get(number, 0) for number in range(low, high + 1))) for _, low, high in bins)
    return Finding(id_, title, sentence, share, "share", n, {"orders": tuple(name for name, _, _ in bins), "customers": counts})


def top_country(crowd: Crowd, currency: str = "") -> Finding:
    """Return the country whose customers bring most revenue, by each customer's main country."""
    id_, title = "top_country", "The strongest country"
    groups = crowd.groups.get("primary_country", ())
    if not groups:
        return _no_finding(id_, title, "The data names no country.", 0)
    groups = tuple(group for group in groups if group.name != "Unknown") or groups
    first, total, n = groups[0], crowd.spend.total, crowd.n
    if total <= 0 or first.name == "Unknown":
        return _no_finding(id_, title, "There is no revenue with a known country among these customers.", n)
    share = min(first.revenue / total, 1.0)
    sentence = (
        f"Customers whose main country is {first.name} bring {percent_text(share)} of the revenue ({money_text(first.revenue, currency)}); "
        f"they are {percent_text(first.n_customers / n)} of {_customers(n)} in {len(groups):,} {'country' if len(groups) == 1 else 'countries'}."
    )
    return Finding(id_, title, sentence, share, "share", n, _chart("country", groups))


def hidden_potential(crowd: Crowd, currency: str = "") -> Finding:
    """Return the customers who spent little so far and are likely to order again.

    Little = at most what `LOW_SPEND_PERCENT` % of these customers spent; likely = a probability of an order within the horizon
    of at least `LIKELY_TO_RETURN`.
    """
    id_, title = "hidden_potential", "Hidden potential: low spend, likely to return"
    low = crowd.low_spenders
    if low is None:
        return _no_finding(id_, title, "The data gives no probability to return, so hidden potential cannot be told.", 0)
    horizon = f" within {low.horizon_days:,.0f} days" if low.horizon_days is not None else ""
    rule = (
        f"at most {money_text(low.bound, currency)} so far, {LOW_SPEND_PERCENT:.0f} % of customers spent no more; "
        f"chance of another order{horizon} at least {percent_text(LIKELY_TO_RETURN)}"
    )
    count, n = low.n_likely, low.n
    if count == 0:
        sentence = f"No customer of {n:,} combines low spend with a high chance to return ({rule})."
    else:
        verb = "has" if count == 1 else "have"
        sentence = (
            f"{_customers(count)} ({percent_text(count / n)} of {n:,}) spent little and {verb} a high chance to return ({rule})."
        )
    chart: dict[str, tuple[float | str, ...]] = {
        "return_probability": tuple(f"{tenth}-{tenth + 10} %" for tenth in range(0, 100, 10)),
        "customers": tuple(float(count) for count in low.chances),
    }
    return Finding(id_, title, sentence, float(count), "customers", n, chart)


def segment_revenue(crowd: Crowd, column: str, currency: str = "") -> Finding:
    """Return the segment that brings most revenue; the chart has all of them."""
    kind = _NAMES_OF.get(column, column.replace("_", " "))
    id_, title = f"top_{column}", f"The strongest {kind}"
    groups, n, total = crowd.groups.get(column, ()), crowd.n, crowd.spend.total
    if not groups:
        return _no_finding(id_, title, f"These customers have no {kind}.", 0)
    if total <= 0:
        return _no_finding(id_, title, "There is no revenue among these customers.", n)
    first = groups[0]
    share = min(first.revenue / total, 1.0)
    sentence = (
        f"The {kind} {first.name} brings {percent_text(share)} of the revenue ({money_text(first.revenue, currency)}) "
        f"with {percent_text(first.n_customers / n)} of {_customers(n)}."
    )
    return Finding(id_, title, sentence, share, "share", n, _chart("segment", groups))


def _chart(name: str, groups: Sequence[Group]) -> dict[str, tuple[float | str, ...]]:
    """Return groups as columns to draw."""
    return {
        name: tuple(group.name for group in groups),
        "customers": tuple(float(group.n_customers) for group in groups),
        "revenue": tuple(group.revenue for group in groups),
    }


def _no_finding(id_: str, title: str, sentence: str, n: int) -> Finding:
    return Finding(id_, title, sentence, None, "", n)


def _customers(n: int) -> str:
    return f"{n:,} customer" if n == 1 else f"{n:,} customers"
