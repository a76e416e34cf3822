"""What rules say together without any customer: whether they can all hold, and whether one set takes all that another would.

Comes in: rules as `Condition` values and, where there is data, the figures behind p30, mean and median. Goes out: a sentence
about what cannot be, or an empty text. Each rule allows a span of values on a scale: numbers, quantiles of a column, multiples
of another column. Only what is certain is said: two quantiles of a column may be the same value, so `x >= p60` and `x <= p30`
can both hold, `x > p60` and `x <= p30` never. This module must not read files or settings.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from customer_genome.decisions.conditions import Average, Condition, Multiple, Quantile
from customer_genome.decisions.priority import BANDS
from customer_genome.decisions.wording import COUNTED, SHARES

Item = float | str
Scale = tuple[str, str]
"""A column, and what its values are compared with: nothing more (a number or text), its quantiles, or another column."""


@dataclass(frozen=True)
class Span:
    """Values that rules allow on one scale.

    Attributes
    ----------
    low, high : the ends; infinite where there is none
    low_open, high_open : whether the end itself is left out
    only : the values there may be; None = all between the ends
    never : values that are left out
    is_tied : whether different numbers of the scale can be the same value (quantiles, multiples)
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    only: frozenset[Item] | None = None
    never: frozenset[Item] = frozenset()
    is_tied: bool = False

    def both(self, other: Span) -> Span:
        """Return what both allow; of a tied scale perhaps more: an open end further out is forgotten."""
        low = max((self.low, self.low_open), (other.low, other.low_open))
        high = min((self.high, not self.high_open), (other.high, not other.high_open))
        only = other.only if self.only is None else self.only if other.only is None else self.only & other.only
        return Span(low[0], high[0], low[1], not high[1], only, self.never | other.never, self.is_tied)

    @property
    def is_empty(self) -> bool:
        """Return whether no value is allowed."""
        if self.only is not None:
            return not any(self._allows(item) for item in self.only)
        if self.low > self.high:
            return not self.is_tied or self.low_open or self.high_open
        return self.low == self.high and (self.low_open or self.high_open or self.low in self.never)

    def _allows(self, item: Item) -> bool:
        """Return whether a value is within the ends and not left out."""
        if item in self.never:
            return False
        if isinstance(item, str):
            return True
        above = item > self.low if self.low_open else item >= self.low
        return above and (item < self.high if self.high_open else item <= self.high)

    def holds_all_of(self, narrow: Span) -> bool:
        """Return whether everything that `narrow` allows is allowed here."""
        if narrow.only is not None:
            return all(
                self._allows(item) and (self.only is None or item in self.only) for item in narrow.only if narrow._allows(item)
            )
        if self.only is not None:
            return False
        if self.is_tied:
            low = narrow.low >= self.low and (narrow.low_open or not self.low_open)
            high = narrow.high <= self.high and (narrow.high_open or not self.high_open)
        else:
            low = narrow.low > self.low or (narrow.low == self.low and (narrow.low_open or not self.low_open))
            high = narrow.high < self.high or (narrow.high == self.high and (narrow.high_open or not self.high_open))
        return low and high and all(item in narrow.never or not narrow._allows(item) for item in self.never)


def contradiction(conditions: Sequence[Condition], figures: Mapping[str, float] | None = None) -> str:
    """Return why the rules of a playbook can never hold together, or an empty text.

    Parameters
    ----------
    figures : mapping, optional
        The figures of all customers behind p30, mean and median; with them "today" is judged, without them "ever".

    Examples
    --------
    >>> from customer_genome.decisions.conditions import parse_condition
    >>> contradiction([parse_condition("n_orders > 5"), parse_condition("n_orders <= 2")])
    'rules 1 `n_orders > 5` and 2 `n_orders <= 2` can never both hold'
    >>> contradiction([parse_condition("churn_probability > 40")])
    'rule 1 `churn_probability > 40` can never hold: churn_probability is between 0 and 1 (40 % is written 0.4 or 40 %)'
    """
    placed = [(number, condition, *_span(condition, figures or {})) for number, condition in enumerate(conditions, start=1)]
    for number, condition, scale, span in placed:
        if span.both(_natural(scale, span)).is_empty:
            return f"rule {number} `{condition}` can never hold: {_natural_words(condition.column)}"
    for (n1, c1, scale1, span1), (n2, c2, scale2, span2) in combinations(placed, 2):
        if scale1 == scale2 and span1.both(span2).both(_natural(scale1, span1)).is_empty:
            return f"rules {n1} `{c1}` and {n2} `{c2}` can never both hold"
    for scale in dict.fromkeys(scale for _, _, scale, _ in placed):
        together = [(number, condition) for number, condition, other, _ in placed if other == scale]
        if _all_of(scale, placed_spans(placed, scale)).is_empty:
            listed = " and ".join(f"{number} `{condition}`" for number, condition in together)
            return f"rules {listed} can never all hold"
    return ""


def placed_spans(placed: Iterable[tuple[int, Condition, Scale, Span]], scale: Scale) -> list[Span]:
    """Return the spans on one scale."""
    return [span for _, _, other, span in placed if other == scale]


def takes_all_of(broad: Sequence[Condition], narrow: Sequence[Condition], figures: Mapping[str, float] | None = None) -> bool:
    """Return whether every customer whom the rules `narrow` fit is certain to fit `broad` too.

    Examples
    --------
    >>> from customer_genome.decisions.conditions import parse_condition
    >>> broad, narrow = (
    ...     [parse_condition("n_orders >= 2")],
    ...     [parse_condition("n_orders >= 5"), parse_condition("total_spend >= p80")],
    ... )
    >>> takes_all_of(broad, narrow), takes_all_of(narrow, broad)
    (True, False)
    """
    allowed: dict[Scale, list[Span]] = {}
    for condition in narrow:
        scale, span = _span(condition, figures or {})
        allowed.setdefault(scale, []).append(span)
    for condition in broad:
        scale, span = _span(condition, figures or {})
        if scale not in allowed or not span.holds_all_of(_all_of(scale, allowed[scale])):
            return False
    return True


def _all_of(scale: Scale, spans: Sequence[Span]) -> Span:
    """Return what every one of the spans allows, within what the column can be."""
    found = _natural(scale, spans[0])
    for span in spans:
        found = found.both(span)
    return found


def _span(condition: Condition, figures: Mapping[str, float]) -> tuple[Scale, Span]:
    """Return the scale a rule is on, and what it allows there."""
    value, column = condition.value, condition.column
    if isinstance(value, tuple):
        return (column, ""), Span(only=frozenset(_item(item) for item in value))
    known = figures.get(condition.statistic, math.nan) if condition.statistic else math.nan
    if isinstance(value, Multiple):
        scale, number = (column, f"times {value.column}"), value.factor
    elif not math.isnan(known):
        scale, number = (column, ""), known
    elif isinstance(value, Quantile):
        scale, number = (column, "quantile"), value.percent
    elif isinstance(value, Average):
        scale, number = (column, value.kind), 0.0
    else:
        item = _item(value)
        if condition.op in ("=", "!="):
            return (column, ""), Span(only=frozenset({item})) if condition.op == "=" else Span(never=frozenset({item}))
        scale, number = (column, ""), float(item)
    # Rules from which nothing is certain are held apart, each on a scale of its own: a multiple of a column that may be below
    # zero turns around, and what is not one quantile may still be equal to another.
    if (isinstance(value, Multiple) and _range(value.column)[0] < 0) or (scale[1] and condition.op == "!="):
        scale = (column, f"{scale[1]} {condition}")
    return scale, _bounded(condition.op, number, is_tied=scale[1] not in ("", "mean", "median"))


def _bounded(op: str, number: float, is_tied: bool) -> Span:
    """Return what `op number` allows."""
    nothing = Span(is_tied=is_tied)
    if op in ("<", "<="):
        return replace(nothing, high=number, high_open=op == "<")
    if op in (">", ">="):
        return replace(nothing, low=number, low_open=op == ">")
    if op == "=":
        return replace(nothing, low=number, high=number)
    return nothing if is_tied else replace(nothing, never=frozenset({number}))


def _item(value: object) -> Item:
    """Return a number, truth value or date as a number, a text as it is."""
    if isinstance(value, dt.date):
        return float((value - dt.date(1970, 1, 1)).days)
    return value if isinstance(value, str) else float(value)  # type: ignore[arg-type]


def _natural(scale: Scale, like: Span) -> Span:
    """Return what the column can be at all; the whole scale where it is no scale of values."""
    column, kind = scale
    if kind:
        return Span(is_tied=like.is_tied)
    if column in ("clv_band", "churn_band"):
        return Span(only=frozenset(BANDS))
    low, high = _range(column)
    return Span(low, high)


def _range(column: str) -> tuple[float, float]:
    """Return the least and the most that a column of numbers can be; infinite where nothing is certain."""
    if column in SHARES or column.startswith("category_share_"):
        return (0.0, 1.0)
    if column == "spend_trend":
        return (-1.0, 1.0)
    if column.endswith("_score") and column != "confidence_score":
        return (1.0, 5.0)
    if column.endswith("_days") or column in COUNTED:
        return (0.0, math.inf)
    return (-math.inf, math.inf)


def _natural_words(column: str) -> str:
    """Return what a column can be, in words."""
    low, high = _range(column)
    if column in ("clv_band", "churn_band"):
        return f"{column} is {', '.join(BANDS[:-1])} or {BANDS[-1]}"
    if high == 1.0 and low == 0.0:
        return f"{column} is between 0 and 1 (40 % is written 0.4 or 40 %)"
    if high < math.inf:
        return f"{column} is between {low:g} and {high:g}"
    return f"{column} is never below {low:g}" if low > -math.inf else f"no value of {column} fits"
