"""How facts are said in a reason, and which facts belong together.

Comes in: the name of a fact. Goes out: its theme, its unit and its sentence. Facts of one theme say nearly the same (days since the
last order, orders of the last month), so a reason stands for a theme, not for a column. A fact nobody has described gets a
theme of its own and a generic sentence: what is added to the facts appears by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.decisions.wording import money_text, percent_text

FloatArray = npt.NDArray[np.float64]
MONEY, SHARE, NUMBER = "money", "share", "number"


@dataclass(frozen=True)
class FactWords:
    """How a fact is said.

    Attributes
    ----------
    theme : what it is about; facts of a theme share one reason
    unit : "money", "share", "number", or the noun that is counted ("day", "order")
    text : the sentence, with {} for the value, {horizon} for the days of the horizon and {twice} for two horizons
    zero : the sentence where the value is 0; empty: as any other value
    unknown : the sentence where the fact is empty, true of every customer without it; empty: nothing can be said
    is_spoken : False where the value means nothing to people (a fading sum, the output of a model)
    """

    theme: str
    unit: str = NUMBER
    text: str = ""
    zero: str = ""
    unknown: str = ""
    is_spoken: bool = True


_NO_RHYTHM = "no rhythm of purchases to go by yet"
WORDS: Mapping[str, FactWords] = {
    "recency_days": FactWords("recency", "day", "last order {} ago"),
    "n_orders": FactWords("frequency", "order", "{} so far"),
    "n_purchase_days": FactWords("frequency", "purchase day", "{} so far"),
    "n_lines": FactWords("basket", "line", "{} bought so far"),
    "total_quantity": FactWords("basket", "piece", "{} bought so far"),
    "unique_products": FactWords("breadth", "different product", "{} so far"),
    "mean_lines_per_order": FactWords("basket", NUMBER, "{} lines per order"),
    "total_spend": FactWords("spend", MONEY, "{} spent so far", zero="nothing spent so far"),
    "mean_order_value": FactWords("spend", MONEY, "{} per order"),
    "mean_spend_per_day": FactWords("spend", MONEY, "{} per purchase day"),
    "largest_order_value": FactWords("spend", MONEY, "largest order {}"),
    "spend_last_day": FactWords("spend", MONEY, "{} on the last purchase day"),
    "tenure_days": FactWords("tenure", "day", "first order {} ago"),
    "activity_days": FactWords("tenure", "day", "{} between first and last order", zero="first and last order on one day"),
    "mean_gap_days": FactWords("rhythm", "day", "{} between purchases on average", unknown=_NO_RHYTHM),
    "gap_cv": FactWords("rhythm", SHARE, "gaps between purchases vary by {}", zero="equal gaps between purchases"),
    "last_gap_days": FactWords("rhythm", "day", "{} between the last two purchases", unknown=_NO_RHYTHM),
    "second_last_gap_days": FactWords("rhythm", "day", "{} between the two purchases before the last"),
    "longest_gap_days": FactWords("rhythm", "day", "longest gap between purchases {}", unknown=_NO_RHYTHM),
    "spend_trend": FactWords("trend", NUMBER, "spend trend {}"),
    "discount_share": FactWords("promotion", SHARE, "{} of spend at a discount", zero="nothing bought at a discount"),
    "n_returned_lines": FactWords("returns", "line", "{} returned", zero="nothing returned"),
    "returned_value": FactWords("returns", MONEY, "{} returned", zero="nothing returned"),
    "return_share": FactWords("returns", SHARE, "{} of spend returned", zero="nothing returned"),
    "days_same_season": FactWords("season", "purchase day", "{} in these months a year ago", zero="no purchase in these months a year ago"),
    "spend_same_season": FactWords("season", MONEY, "{} spent in these months a year ago", zero="nothing spent in these months a year ago"),
    "is_home_country": FactWords("country", NUMBER, "in the home country", zero="outside the home country"),
    "p_alive": FactWords("rhythm", SHARE, is_spoken=False),
}  # fmt: skip
"""Every fact that has words of its own. A new one is a line here; without it the generic sentence is used."""

RATED = "rated "
"""How the name of a fact begins where it was counted from ratings, which have no money."""
_OF_MONEY = frozenset(
    {
        "mean_order_value", "mean_spend_per_day", "largest_order_value", "spend_last_day", "mean_lines_per_order", "spend_trend", "discount_share",
        "return_share", "returned_value", "n_returned_lines",
    }
)  # fmt: skip
"""Facts of which nothing can be said where there is no money."""
_WINDOW = re.compile(r"(orders|days|spend)_(last|prior)_(\d+d|horizon|month|quarter|year)")
_FADING = re.compile(r"(orders|days|spend)_fading_.*")
_CATEGORY, _ATTRIBUTE = "category_share_", "attribute_"
_NOUNS = {"orders": "order", "days": "purchase day", "spend": MONEY}
_RECENT_DAYS = 60
MODEL_MARKS = ("plain ", "own ", "purchase model ", "model ")
"""How names of what a model expects begin: they belong to the rhythm, from which purchase models reckon."""


def words_of(fact: str) -> FactWords:
    """Return how a fact is said.

    Examples
    --------
    >>> words_of("orders_last_90d").text, words_of("orders_last_90d").theme
    ('{} in the last 90 days', 'frequency')
    >>> words_of("loyalty_points").text, words_of("loyalty_points").theme
    ('loyalty points at {}', 'loyalty points')
    """
    if fact.startswith(RATED):
        return _of_ratings(fact.removeprefix(RATED))
    known = WORDS.get(fact)
    if known is not None:
        return known
    window = _WINDOW.fullmatch(fact)
    if window is not None:
        return _window(*window.groups())
    name = fact.replace("_", " ").strip() or fact
    if _FADING.fullmatch(fact):
        return FactWords("spend" if fact.startswith("spend") else "frequency", is_spoken=False)
    if fact.startswith(_CATEGORY):
        category = fact.removeprefix(_CATEGORY).replace("_", " ")
        return FactWords("categories", SHARE, f"{{}} of spend in {category}", zero=f"nothing bought in {category}")
    if fact.startswith(_ATTRIBUTE):
        return FactWords(name.removeprefix("attribute "), NUMBER, f"{name.removeprefix('attribute ')} at {{}}")
    if name.startswith(MODEL_MARKS):
        return FactWords("rhythm", is_spoken=False)
    text = name.replace("{", "(").replace("}", ")")
    return FactWords(name, NUMBER, f"{text} at {{}}", zero=f"{text} at 0")


def _of_ratings(fact: str) -> FactWords:
    """Return how a fact is said where an order is a time at which somebody rated: nothing is bought and nothing is money."""
    words = words_of(fact)
    unit = {MONEY: "rating", "order": "rating", "line": "rating", "piece": "rating", "purchase day": "rating day"}.get(words.unit)
    said_as = (("different product", "different item"), ("purchase day", "rating day"), ("purchase", "rating"))

    def of_ratings(text: str) -> str:
        for ours, theirs in (*said_as, (" spent", " rated"), (" bought", ""), ("{} rated", "{}"), ("order", "rating")):
            text = text.replace(ours, theirs)
        return text

    theme = {"spend": "frequency", "basket": "frequency"}.get(words.theme, words.theme)
    noun = unit or words.unit.replace("product", "item")
    text, zero, unknown = of_ratings(words.text), of_ratings(words.zero), of_ratings(words.unknown)
    return FactWords(theme, noun, text, zero=zero, unknown=unknown, is_spoken=words.is_spoken and fact not in _OF_MONEY)


def _window(what: str, when: str, days: str) -> FactWords:
    """Return the words of what was done in the last days, or in as many days before those."""
    span = f"{days[:-1]} days" if days.endswith("d") and days[:-1].isdigit() else "{horizon} days" if days == "horizon" else days
    if when == "last":
        where = f"in the last {span}"
    elif span == "{horizon} days":
        where = "{horizon} to {twice} days ago"
    else:
        where = f"{int(days[:-1])} to {2 * int(days[:-1])} days ago" if span != days else f"in the {span} before the last"
    none = f"{'nothing spent' if what == 'spend' else 'no order'} {where}"
    spent = " spent" if what == "spend" else ""
    if when == "prior":
        theme = "trend"
    elif days.endswith("d") and days[:-1].isdigit() and int(days[:-1]) <= _RECENT_DAYS:
        theme = "recency"
    else:
        theme = "spend" if what == "spend" else "frequency"
    return FactWords(theme, _NOUNS[what], f"{{}}{spent} {where}", zero=none)


def rounded(values: FloatArray, unit: str) -> FloatArray:
    """Return values as finely as they are said: money and plain numbers to three digits, shares to a tenth of a per cent, counts whole."""
    if unit == SHARE:
        return np.round(values, 3)
    if unit not in (MONEY, NUMBER):
        return np.round(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.where(values == 0, 0, np.floor(np.log10(np.abs(values))))
    unit_of_last = 10.0 ** (digits - 2)
    found = np.round(values / unit_of_last) * unit_of_last
    return np.asarray(np.where(np.abs(values) >= 100, np.round(values), found), dtype=np.float64)


def said(words: FactWords, value: float, horizon_days: int, currency: str = "") -> str:
    """Return a fact of one customer in words.

    Examples
    --------
    >>> said(words_of("recency_days"), 143.0, 180), said(words_of("n_purchase_days"), 1.0, 180)
    ('last order 143 days ago', '1 purchase day so far')
    >>> said(words_of("spend_last_horizon"), 340.0, 180, "GBP"), said(words_of("orders_last_90d"), 0.0, 180)
    ('£340 spent in the last 180 days', 'no order in the last 90 days')
    >>> said(words_of("orders_prior_90d"), 2.0, 180), said(words_of("spend_prior_horizon"), 0.0, 180)
    ('2 orders 90 to 180 days ago', 'nothing spent 180 to 360 days ago')
    """
    if value != value:
        text = words.unknown
    elif value == 0 and words.zero:
        text = words.zero
    else:
        text = words.text.replace("{}", _value(value, words.unit, currency))
    return text.replace("{horizon}", str(horizon_days)).replace("{twice}", str(2 * horizon_days))


def _value(value: float, unit: str, currency: str) -> str:
    """Return a value with its unit."""
    if unit == MONEY:
        return money_text(value, currency)
    if unit == SHARE:
        return percent_text(value)
    if unit == NUMBER:
        return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,.0f} {unit}{'' if round(value) == 1 else 's'}"
