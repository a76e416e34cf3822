"""Who the customers of a cluster are, in one sentence, from what sets them apart from all others.

Comes in: effect sizes of facts, cluster against rest. Goes out: words and sentences. The cluster's number plays no part. This module
must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from customer_genome.decisions.wording import money_text, percent_text

SMALL_EFFECT, LARGE_EFFECT = 0.3, 0.8
"""From the one on a difference is worth a word; from the other on everybody sees it. In standard deviations."""
LARGEST_EFFECT = 9.9
MOST_TRAITS = 3
TRAITS: Mapping[str, tuple[str, str]] = {
    "recency_days": ("have been quiet for longer", "bought more recently"),
    "n_orders": ("order more often", "order less often"),
    "n_purchase_days": ("come on more days", "come on fewer days"),
    "total_spend": ("spend more", "spend less"),
    "mean_order_value": ("place larger orders", "place smaller orders"),
    "tenure_days": ("came earlier", "came later"),
    "unique_products": ("buy more different products", "buy fewer different products"),
    "total_quantity": ("buy more pieces", "buy fewer pieces"),
    "tenure_months": ("have been customers for longer", "came later"),
    "monthly_spend": ("pay more a month", "pay less a month"),
    "support_tickets": ("raise more problems", "raise fewer problems"),
    "discount_share": ("buy more at a discount", "buy more at the full price"),
    "return_share": ("give more back", "give less back"),
}
FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({"n_orders", "n_purchase_days", "unique_products", "total_quantity"}),
    frozenset({"total_spend", "mean_order_value"}),
)
"""Facts that say nearly the same: a persona names the strongest of each family only."""
SHORT_TRAITS: Mapping[str, tuple[str, str]] = {
    "recency_days": ("longer quiet", "more recent"),
    "n_orders": ("more orders", "fewer orders"),
    "n_purchase_days": ("more days", "fewer days"),
    "total_spend": ("higher spend", "lower spend"),
    "mean_order_value": ("larger orders", "smaller orders"),
    "tenure_days": ("long-standing", "newer"),
    "unique_products": ("more products", "fewer products"),
    "total_quantity": ("more pieces", "fewer pieces"),
    "tenure_months": ("long-standing", "newer"),
    "monthly_spend": ("higher monthly spend", "lower monthly spend"),
    "support_tickets": ("more problems", "fewer problems"),
    "discount_share": ("more discounts", "fewer discounts"),
    "return_share": ("more returns", "fewer returns"),
}
OF_RATINGS: Sequence[tuple[str, str]] = (
    ("order more often", "rate more often"),
    ("order less often", "rate less often"),
    ("bought more recently", "rated more recently"),
    ("buy more", "rate more"),
    ("buy fewer", "rate fewer"),
    ("what they bought", "what they liked"),
    ("next order", "next rating"),
    ("last order", "last rating"),
    ("orders", "visits"),
    ("products", "items"),
    ("pieces", "items"),
)
"""How words on orders read where rows were ratings: what counts as an order is a visit, a time at which somebody rated."""


def of_ratings(text: str) -> str:
    """Return words on customers who order as words on customers who rate.

    Examples
    --------
    >>> of_ratings("They order more often than the others: 12 orders each, the last order 3 days ago.")
    'They rate more often than the others: 12 visits each, the last rating 3 days ago.'
    """
    for ours, theirs in OF_RATINGS:
        text = text.replace(ours, theirs)
    return text


@dataclass(frozen=True)
class Effect:
    """How far a cluster lies from the rest in one fact.

    Attributes
    ----------
    size : difference of the means in pooled standard deviations (Cohen's d), of logs where the fact is logged; within -9.9..9.9
    typical, elsewhere : the mean of the cluster and of all others, turned back into the unit of the fact; NaN = unknown
    """

    fact: str
    size: float
    typical: float
    elsewhere: float


def effect_size(n: int, total: float, squares: float, n_rest: int, total_rest: float, squares_rest: float) -> float:
    """Return Cohen's d from counts, sums and sums of squares of a cluster and of the rest; NaN where one of them has nobody.

    Source
    ------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd ed., with the pooled standard deviation.
    """
    if n == 0 or n_rest == 0:
        return float("nan")
    mean, mean_rest = total / n, total_rest / n_rest
    within = max(squares - n * mean**2, 0.0) + max(squares_rest - n_rest * mean_rest**2, 0.0)
    spread = float(np.sqrt(within / max(n + n_rest - 2, 1)))
    difference = mean - mean_rest
    if abs(difference) < 1e-9 * max(abs(mean), abs(mean_rest), 1e-9):
        return 0.0
    size = difference / spread if spread > abs(difference) / LARGEST_EFFECT else np.sign(difference) * LARGEST_EFFECT
    return round(float(size), 6)


def strongest(effects: Sequence[Effect], least: float = SMALL_EFFECT) -> list[Effect]:
    """Return the effects of at least a size, the largest first, one of each family; those without words of their own are left out."""
    known = [effect for effect in effects if effect.fact in TRAITS and abs(effect.size) >= least]
    found: list[Effect] = []
    for effect in sorted(known, key=lambda effect: (-abs(effect.size), effect.fact)):
        kin = next((family for family in FAMILIES if effect.fact in family), frozenset({effect.fact}))
        if not kin & {other.fact for other in found}:
            found.append(effect)
    return found


def short_trait(fact: str, is_more: bool) -> str:
    """Return a trait as it stands in brackets behind a name."""
    name = fact.removeprefix("attribute_").replace("_", " ")
    more, less = SHORT_TRAITS.get(fact, (f"higher {name}", f"lower {name}"))
    return more if is_more else less


def persona(effects: Sequence[Effect], profile: Mapping[str, float], currency: str = "") -> str:
    """Return one sentence on who these customers are: what sets them apart most, and their typical figures.

    Parameters
    ----------
    profile : `mean_orders`, `mean_spend`, `median_recency_days`, `churn_probability`; NaN = unknown
    """
    traits = [TRAITS[effect.fact][0 if effect.size > 0 else 1] for effect in strongest(effects)[:MOST_TRAITS]]
    who = f"They {_listed(traits)} than the others" if traits else "Nothing sets them far apart from all others"
    orders, spend, days = profile["mean_orders"], profile["mean_spend"], profile["median_recency_days"]
    figures = []
    if not np.isnan(orders):
        figures.append(f"{orders:,.0f} orders each" if orders >= 9.5 else f"{orders:.1f} orders each")
    if not np.isnan(spend):
        figures.append(f"{money_text(spend, currency)} spent")
    if not np.isnan(days):
        figures.append(f"the last order {days:,.0f} {'day' if days == 1 else 'days'} ago")
    if not np.isnan(profile["churn_probability"]):
        figures.append(f"{percent_text(profile['churn_probability'])} risk of not coming back")
    return f"{who}: {', '.join(figures)}." if figures else f"{who}."


def _listed(parts: Sequence[str]) -> str:
    """Return parts as one list in words."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
