"""The language of rules: what it reads, what it refuses and how, and which customers a rule holds for."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.conditions import Average, Condition, Multiple, Quantile, holds, parse_condition
from customer_genome.decisions.customers import Customers, value_at
from customer_genome.errors import SettingsError
from in_memory import statistics_of


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("n_orders >= 2", Condition("n_orders", ">=", 2.0)),
        ("  n_orders>=2 ", Condition("n_orders", ">=", 2.0)),
        ("total_spend < 1e3", Condition("total_spend", "<", 1000.0)),
        ("spend_trend > -.5", Condition("spend_trend", ">", -0.5)),
        ("discount_share >= 25 %", Condition("discount_share", ">=", 0.25)),
        ("recency_days <= p30", Condition("recency_days", "<=", Quantile(30.0))),
        ("recency_days <= p97.5", Condition("recency_days", "<=", Quantile(97.5))),
        ("clv_180d > mean", Condition("clv_180d", ">", Average("mean"))),
        ("clv_180d > median", Condition("clv_180d", ">", Average("median"))),
        ("recency_days > 2.5 * mean_gap_days", Condition("recency_days", ">", Multiple(2.5, "mean_gap_days"))),
        ("first_order_on >= 2011-01-31", Condition("first_order_on", ">=", dt.date(2011, 1, 31))),
        ("is_home_country = true", Condition("is_home_country", "=", True)),
        ("churn_band = High", Condition("churn_band", "=", "High")),
        ('primary_country != "United Kingdom"', Condition("primary_country", "!=", "United Kingdom")),
        ('rfm_segment = "Can\'t Lose Them"', Condition("rfm_segment", "=", "Can't Lose Them")),
        ("n_orders in [1, 2]", Condition("n_orders", "in", (1.0, 2.0))),
        ('rfm_segment in [Lost, "At Risk"]', Condition("rfm_segment", "in", ("Lost", "At Risk"))),
        ('"Support Tickets" > 3', Condition("Support Tickets", ">", 3.0)),
        ('primary_country = "p80"', Condition("primary_country", "=", "p80")),
        ("inches > 3", Condition("inches", ">", 3.0)),
    ],
)
def test_rules_are_read_and_print_as_they_mean(text: str, condition: Condition) -> None:
    assert parse_condition(text) == condition
    assert parse_condition(str(condition)) == condition


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no rule"),
        ("n_orders", "is no rule"),
        ("n_orders = ", "cannot be read"),
        ("n_orders ~ 3", "is no rule"),
        ("n_orders == 3", 'Did you mean "="'),
        ("n_orders <> 3", 'Did you mean "!="'),
        ("n_orders >= two", "has no order"),
        ("recency_days > mean_gap_days", r"write `recency_days > 1 \* mean_gap_days`"),
        ("recency_days <= p101", "p0 to p100"),
        ("total_spend > 1,000", "write numbers as 1234.5"),
        ("total_spend > 1e999", "too large"),
        ("first_order_on > 2011-02-30", "no day of the calendar"),
        ("n_orders in 1", "needs a list"),
        ("n_orders in []", "is empty"),
        ("n_orders in [1, x]", "mixes kinds"),
        ("n_orders in [1 2, [3]]", "cannot be read"),
        ("primary_country = 'a\"", "cannot be read"),
        ("__import__('os').system('x') = 1", "is no rule"),
        ("n_orders > (1).__class__", "cannot be read"),
    ],
)
def test_what_is_no_rule_is_refused_with_the_way_out(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_condition(text)


@pytest.fixture
def five() -> Customers:
    return Customers(
        pa.table(
            {
                "n_orders": pa.array([1, 2, 3, None, 10]),
                "spend": pa.array([5.0, float("nan"), 15.0, 20.0, 100.0]),
                "gap": pa.array([None, 4.0, 3.0, 2.0, 1.0]),
                "country": pa.array(["DE", "FR", None, "DE", "GB"]).dictionary_encode(),
                "vip": pa.array([True, False, None, False, True]),
                "since": pa.array([dt.date(2020, 1, day) for day in (1, 2, 3, 4, 5)]),
                "seen": pa.array([dt.datetime(2020, 1, day, 12) for day in (1, 2, 3, 4, 5)]),
                "price": pa.array([None, None, 1, 2, 3], pa.decimal128(10, 2)),
                "nothing": pa.nulls(5, pa.float64()),
                "nan": pa.array([float("nan")] * 5),
            }
        )
    )


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("n_orders >= 2", [1, 2, 4]),
        ("n_orders != 2", [0, 2, 4]),
        ("n_orders in [1, 10, 99]", [0, 4]),
        ("n_orders <= p50", [0, 1]),
        ("n_orders > mean", [4]),
        ("n_orders > median", [2, 4]),
        ("spend < 1000", [0, 2, 3, 4]),
        ("spend > 2 * gap", [2, 3, 4]),
        ("country = DE", [0, 3]),
        ("country != DE", [1, 4]),
        ("country in [FR, GB]", [1, 4]),
        ("vip = true", [0, 4]),
        ("vip != true", [1, 3]),
        ("since >= 2020-01-04", [3, 4]),
        ("since <= p40", [0, 1]),
        ("seen < 2020-01-02", [0]),
        ("price >= 2", [3, 4]),
    ],
)
def test_a_rule_holds_where_it_is_true_and_never_where_a_value_is_unknown(five: Customers, rule: str, rows: list[int]) -> None:
    condition = parse_condition(rule)
    assert np.flatnonzero(holds(condition, five, statistics_of([condition], five))).tolist() == rows


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("country > 3", "country holds text, the rule compares with a number"),
        ("country = mean", "country holds text"),
        ("n_orders = DE", "n_orders holds numbers, the rule compares with a text"),
        ("since > 3", "since holds dates, the rule compares with a number"),
        ("n_orders = true", "n_orders holds numbers, the rule compares with a flag"),
        ("n_orders > 2 * country", "country holds text and cannot be multiplied"),
    ],
)
def test_kinds_that_cannot_be_compared_are_refused(five: Customers, rule: str, says: str) -> None:
    condition = parse_condition(rule)
    with pytest.raises(SettingsError, match=says):
        holds(condition, five, statistics_of([condition], five))


def test_empty_columns_are_as_good_as_missing(five: Customers) -> None:
    assert [five.has(name) for name in ("n_orders", "country", "nothing", "nan", "absent")] == [True, True, False, False, False]


def test_quantiles_are_values_that_occur() -> None:
    values = np.array([1.0, 1.0, 1.0, 7.0, np.nan])
    assert [value_at(values, percent) for percent in (0, 50, 75, 76, 100)] == [1.0, 1.0, 1.0, 7.0, 7.0]
    assert np.isnan(value_at(np.array([np.nan]), 50))
    assert value_at(np.arange(1.0, 101.0), 30) == 30.0, "0.3 * 100 is not exactly 30 in binary"
