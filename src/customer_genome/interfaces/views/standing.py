"""How risk and value are worded where they were borrowed from other shops: as band and rank among the shop's own customers.

Comes in: a published record, or the manifest of a version. Goes out: text. A figure whose size is not known is never shown as if it were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from customer_genome.decisions.personas import of_ratings
from customer_genome.interfaces.views.figures import share

What = Literal["risk", "value"]
_BAND: Mapping[What, str] = {"risk": "churn_band", "value": "clv_band"}
NO_DATES = "This version was made from one row per customer with totals. It knows no order, no day and no product, so nothing over time is shown."
NO_MONEY = (
    "This version was made from ratings: events without money. A visit is a time at which somebody rated, and nothing is shown in money. "
    "Charts of revenue over time need order lines."
)
CAUTION = (
    "Risk and value are borrowed from other shops: trust who comes before whom (rank and band), not the size of a figure. "
    "What was measured is under About."
)


def why_no_dates(manifest: Mapping[str, Any]) -> str:
    """Return why a version shows nothing over time."""
    return NO_MONEY if manifest.get("level") == "ratings" else NO_DATES


def worded(level: str, text: str) -> str:
    """Return words on orders as they read in a version of a level: of ratings, an order is a visit, and a product an item.

    Examples
    --------
    >>> worded("ratings", "Days since the last order"), worded("ratings", "Orders so far"), worded("orders", "Orders so far")
    ('Days since the last rating', 'Visits so far', 'Orders so far')
    """
    if level != "ratings":
        return text
    for ours, theirs in _OF_RATINGS:
        text = text.replace(ours, theirs)
    return of_ratings(text)


_OF_RATINGS = (
    ("Last order", "Last rating"),
    ("Next order", "Next rating"),
    ("First order", "First rating"),
    ("first order", "first rating"),
    ("Orders", "Visits"),
    ("Products", "Items"),
    ("Pieces", "Items"),
    ("Purchase days", "Rating days"),
    ("Usual days between purchases", "Usual days between rating days"),
    ("purchase model", "model of visits"),
    ("purchases", "visits"),
)


def rank_words(record: Mapping[str, Any], what: What) -> str:
    """Return band and rank of a customer, or why there is none.

    Examples
    --------
    >>> rank_words({"churn_band": "High", "risk_rank": 0.83}, "risk")
    'High, above 83 % of customers'
    >>> rank_words({"churn_band": None, "risk_rank": None}, "risk")
    'not known'
    """
    band, rank = record.get(_BAND[what]), record.get(f"{what}_rank")
    if band is None:
        return "not known"
    return str(band) if rank is None else f"{band}, {standing(rank)}"


def standing(rank: float) -> str:
    """Return a rank 0..1 in words.

    Examples
    --------
    >>> standing(0.0), standing(0.834), standing(1.0)
    ('below all others', 'above 83 % of customers', 'above all others')
    """
    if rank <= 0:
        return "below all others"
    return "above all others" if rank >= 1 else f"above {share(rank)} of customers"


def no_risk_reason(manifest: Mapping[str, Any]) -> str:
    """Return why a version holds no risk, in the words of its run; an empty text where it holds one."""
    if manifest.get("level") != "customers" or manifest.get("risk_basis"):
        return ""
    return next((text for text in manifest.get("notices", []) if text.startswith("Risk and value to come are empty")), "")
