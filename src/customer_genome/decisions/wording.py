"""Sentences filled with a customer's own facts.

    Win back: last order {recency_days} ago[, usually every {mean_gap_days}] - write before {act_by}.

Comes in: such a text, and customers. Goes out: one sentence per customer. A name in braces is a column, written with its
unit; a part in square brackets is left out for customers of whom one of its facts is unknown. Nothing is evaluated:
only names are looked up. This module must not read files or settings.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.customers import Customers, FloatArray, IntArray
from customer_genome.errors import SettingsError

ACT_BY = "act_by"
"""A placeholder of its own: `as_of` plus the customer's usual gap, at least 7 and at most 30 days; 14 where it is unknown."""

UNKNOWN = "not known"
MONEY: frozenset[str] = frozenset(
    {
        "total_spend",
        "mean_order_value",
        "mean_spend_per_day",
        "returned_value",
        "spend_last_90d",
        "spend_prior_90d",
        "predicted_spend",
        "spend_lower",
        "spend_upper",
        "clv",
        "clv_180d",
        "clv_lower",
        "clv_upper",
        "expected_value_loss",
        "monthly_spend",
    }
)
SHARES: frozenset[str] = frozenset({"return_share", "discount_share", "p_alive", "churn_probability", "confidence_score"})
COUNTED: Mapping[str, str] = {
    "n_orders": "order",
    "predicted_orders": "order",
    "orders_last_90d": "order",
    "orders_prior_90d": "order",
    "n_purchase_days": "purchase day",
    "unique_products": "product",
    "n_lines": "line",
    "total_quantity": "piece",
    "tenure_months": "month",
    "support_tickets": "ticket",
}
PHRASES: Mapping[str, str] = {
    "recency_days": "last order {} ago",
    "tenure_days": "first order {} ago",
    "mean_gap_days": "usually every {}",
    "activity_days": "active over {}",
    "n_orders": "{} so far",
    "orders_last_90d": "{} in 90 days",
    "total_spend": "spent {}",
    "mean_order_value": "{} per order",
    "unique_products": "{} tried",
    "clv_180d": "expected value {}",
    "churn_probability": "risk of not coming back {}",
    "churn_band": "risk band {}",
    "clv_band": "value band {}",
    "tenure_months": "with us for {}",
    "support_tickets": "{} raised",
    "monthly_spend": "{} a month",
    "p_alive": "{} likely still active",
    "discount_share": "{} of spend at a discount",
    "predicted_orders": "{} expected",
}
_SYMBOLS: Mapping[str, str] = {"GBP": "£", "EUR": "€", "USD": "$"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOKEN = re.compile(r"\{([^{}\[\]]*)\}|([\[\]{}])")


@dataclass(frozen=True)
class Part:
    """A run of literals and column names; (is_column, text) each. An optional part disappears where a fact is unknown."""

    pieces: tuple[tuple[bool, str], ...]
    is_optional: bool = False


@dataclass(frozen=True)
class Template:
    """A sentence with placeholders."""

    text: str
    parts: tuple[Part, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns it names, in order, without `act_by`."""
        return tuple(text for part in self.parts for is_column, text in part.pieces if is_column and text != ACT_BY)


def parse_template(text: str) -> Template:
    """Return the template that `text` spells.

    Raises
    ------
    SettingsError
        When braces or brackets do not match or a name is empty.

    Examples
    --------
    >>> parse_template("Call[ before {act_by}].").parts[1]
    Part(pieces=((False, ' before '), (True, 'act_by')), is_optional=True)
    """
    parts: list[Part] = []
    pieces: list[tuple[bool, str]] = []
    inside, place = False, 0
    for token in _TOKEN.finditer(text):
        if token.start() > place:
            pieces.append((False, text[place : token.start()]))
        place = token.end()
        name, sign = token[1], token[2]
        if name is not None and re.fullmatch(r"[^\W\d]\w*", name):
            pieces.append((True, name))
        elif sign in ("[", "]") and inside == (sign == "]"):
            parts.append(Part(tuple(pieces), inside))
            pieces, inside = [], not inside
        else:
            raise SettingsError(
                f"{text!r} cannot be read at {text[token.start() :][:20]!r}. Wanted: {{column}}, and optional parts in [ ], not nested."
            )
    if inside:
        raise SettingsError(f"{text!r}: a [ is not closed. Wanted: optional parts in [ ], not nested.")
    if place < len(text):
        pieces.append((False, text[place:]))
    parts.append(Part(tuple(pieces)))
    return Template(text, tuple(part for part in parts if part.pieces))


def fill(template: Template, customers: Customers, rows: IntArray, currency: str = "") -> pa.StringArray:
    """Return the sentence of each of the customers at `rows`, an Arrow string array of shape (len(rows),)."""
    sentences = []
    for part in template.parts:
        pieces = [fact_text(text, customers, rows, currency) if is_column else text for is_column, text in part.pieces]
        if part.is_optional:
            sentences.append(pc.fill_null(_joined(pieces, len(rows)), ""))
        else:
            sentences.append(
                _joined([pc.fill_null(piece, UNKNOWN) if isinstance(piece, pa.Array) else piece for piece in pieces], len(rows))
            )
    return _joined(sentences, len(rows))


def _joined(pieces: list[pa.Array | str], n: int) -> pa.Array:
    """Return pieces put together row by row; null where a piece is null."""
    columns = [piece if isinstance(piece, pa.Array) else pa.repeat(piece, n) for piece in pieces]
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, "")


def fact_text(column: str, customers: Customers, rows: IntArray, currency: str = "") -> pa.StringArray:
    """Return a column of the customers at `rows` as text with its unit; null where it is unknown or missing.

    Days, orders and pieces are whole and carry their unit; money has no decimals from 100 on; shares and probabilities
    are whole per cent, with a decimal below 10 %; dates read "9 Dec 2011".
    """
    if column == ACT_BY:
        return _texts(_act_by(customers)[rows], "act_by_on", currency)
    if not customers.has(column):
        return pa.nulls(len(rows), pa.string())
    if customers.kind(column) == "text":
        return customers.texts(column).take(pa.array(rows))
    name = column if customers.kind(column) != "date" or column.endswith("_on") else column + "_on"
    return _texts(customers.numbers(column)[rows], name, currency)


def _act_by(customers: Customers) -> FloatArray:
    """Return the day by which to act for every customer, in days since 1970; NaN without a cutoff."""
    if not customers.has("as_of"):
        return np.full(len(customers), np.nan)
    gap = customers.numbers("mean_gap_days") if customers.has("mean_gap_days") else np.full(len(customers), np.nan)
    return customers.numbers("as_of") + np.round(np.clip(np.where(np.isnan(gap), 14.0, gap), 7.0, 30.0))


def _texts(values: FloatArray, column: str, currency: str) -> pa.StringArray:
    """Return numbers as text, each different number once."""
    different, place = np.unique(values, return_inverse=True)
    texts = pa.array([number_text(float(value), column, currency) for value in different], pa.string())
    return texts.take(pa.array(place.reshape(-1)))


def number_text(value: float, column: str, currency: str = "") -> str | None:
    """Return one number the way the column is written; None where it is NaN.

    Examples
    --------
    >>> number_text(143.0, "recency_days"), number_text(1.0, "n_orders"), number_text(1234.5, "total_spend", "GBP")
    ('143 days', '1 order', '£1,234')
    """
    if np.isnan(value):
        return None
    if column in MONEY:
        return money_text(value, currency)
    if column in SHARES or column.startswith("category_share_"):
        return percent_text(value)
    if column.endswith("_days"):
        return _counted(f"{value:,.0f}", "day")
    if column.endswith("_on"):
        day = dt.date(1970, 1, 1) + dt.timedelta(days=int(value))
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    if column in COUNTED:
        return _counted(f"{value:,.0f}" if value == int(value) else f"{value:,.1f}", COUNTED[column])
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _counted(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def percent_text(share: float) -> str:
    """Return a share as whole per cent, with a decimal below 10 %, never rounded to nothing or to everything that it is not.

    Examples
    --------
    >>> percent_text(0.5), percent_text(0.1), percent_text(0.034), percent_text(0.0001), percent_text(0.9999), percent_text(1.0)
    ('50 %', '10 %', '3.4 %', 'under 0.1 %', 'over 99 %', '100 %')
    """
    percent = 100 * share
    if 0 < percent < 0.1:
        return "under 0.1 %"
    if 99.5 <= percent < 100:
        return "over 99 %"
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def money_text(value: float, currency: str = "") -> str:
    """Return money with its currency: no decimals from 100 on, two below.

    Examples
    --------
    >>> money_text(45.3, "EUR"), money_text(-1200, "CHF"), money_text(99.999)
    ('€45.30', '-CHF 1,200', '100')
    """
    amount = abs(value)
    digits = f"{amount:,.0f}" if round(amount, 2) >= 100 or amount == 0 else f"{amount:,.2f}"
    unit = _SYMBOLS.get(currency.upper(), f"{currency.upper()} " if currency else "")
    return f"{'-' if value < 0 and digits.strip('0.,') else ''}{unit}{digits}"


def phrase_of(column: str) -> tuple[str, str]:
    """Return what stands before and after a column's value in a sentence.

    Examples
    --------
    >>> phrase_of("recency_days"), phrase_of("spend_trend")
    (('last order ', ' ago'), ('spend trend ', ''))
    """
    before, _, after = PHRASES.get(column, column.replace("_", " ") + " {}").partition("{}")
    return before, after
