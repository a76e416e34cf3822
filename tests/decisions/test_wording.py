"""Sentences filled with a customer's own facts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.customers import Customers
from customer_genome.decisions.wording import fill, number_text, parse_template
from customer_genome.errors import SettingsError


@pytest.fixture
def two() -> Customers:
    return Customers(
        pa.table(
            {
                "as_of": pa.array([dt.date(2011, 12, 10)] * 2),
                "recency_days": [143, 1],
                "mean_gap_days": pa.array([30.6, None]),
                "n_orders": [4, 1],
                "total_spend": [1234.5, 45.3],
                "primary_country": pa.array(["France", None]),
                "last_order_on": pa.array([dt.date(2011, 7, 20), dt.date(2011, 12, 9)]),
            }
        )
    )


def filled(text: str, customers: Customers, currency: str = "GBP") -> list[str]:
    """Return the sentence of every customer."""
    return fill(parse_template(text), customers, np.arange(len(customers)), currency).to_pylist()


def test_facts_carry_their_units(two: Customers) -> None:
    assert filled("{n_orders}, {recency_days} ago, {total_spend}, {last_order_on}", two) == [
        "4 orders, 143 days ago, £1,234, 20 Jul 2011",
        "1 order, 1 day ago, £45.30, 9 Dec 2011",
    ]


def test_an_optional_part_goes_where_a_fact_is_unknown(two: Customers) -> None:
    assert filled("Win back: last order {recency_days} ago[, usually every {mean_gap_days}].", two) == [
        "Win back: last order 143 days ago, usually every 31 days.",
        "Win back: last order 1 day ago.",
    ]
    assert filled("Hello[ in {primary_country}]", two) == ["Hello in France", "Hello"]
    assert filled("Hello[ until {next_order_on}]", two) == ["Hello", "Hello"], "a column this data does not have"


def test_a_needed_fact_that_is_unknown_says_so(two: Customers) -> None:
    assert filled("From {primary_country}", two) == ["From France", "From not known"]


def test_the_day_to_act_by_follows_the_customers_own_rhythm(two: Customers) -> None:
    assert filled("before {act_by}", two) == ["before 9 Jan 2012", "before 24 Dec 2011"]


def test_rows_are_filled_in_the_order_asked_for(two: Customers) -> None:
    assert fill(parse_template("{recency_days}"), two, np.array([1, 0, 1])).to_pylist() == ["1 day", "143 days", "1 day"]
    assert fill(parse_template("[x {recency_days}]"), two, np.array([], dtype=np.int64)).to_pylist() == []


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a b}", "[a", "a]", "[a [b] c]", "{a.__class__}", "{0}", "{a!r}", "{a:d}"])
def test_broken_templates_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="Wanted"):
        parse_template(text)


@pytest.mark.parametrize(
    ("value", "column", "currency", "text"),
    [
        (0.0, "total_spend", "GBP", "£0"),
        (99.999, "total_spend", "USD", "$100"),
        (0.4, "total_spend", "", "0.40"),
        (-12.5, "clv_180d", "EUR", "-€12.50"),
        (1e6, "clv_180d", "CHF", "CHF 1,000,000"),
        (0.355, "churn_probability", "", "36 %"),
        (0.034, "churn_probability", "", "3.4 %"),
        (0.00004, "churn_probability", "", "under 0.1 %"),
        (0.9999, "p_alive", "", "over 99 %"),
        (0.5, "category_share_bags", "", "50 %"),
        (2.34, "predicted_orders", "", "2.3 orders"),
        (0.25, "spend_trend", "", "0.25"),
        (float("nan"), "total_spend", "GBP", None),
    ],
)
def test_numbers_read_like_their_column(value: float, column: str, currency: str, text: str | None) -> None:
    assert number_text(value, column, currency) == text
