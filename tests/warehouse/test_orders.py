"""Orders are counted once and placed at their earliest line, also when they run over midnight or into two countries."""

from __future__ import annotations

import datetime as dt

import pytest
from shops import built, line, rows_of

ROWS = [
    line("A", "1", "2024-02-28 23:50", "P", price=10.0, country="Italy"),
    line("A", "1", "2024-02-29 00:10", "Q", price=30.0, country="Italy"),
    line("A", "1", "2024-03-01 00:00", "R", price=5.0, country="France"),
    line("B", "1", "2024-02-29 00:00", "P", price=7.0, country="France"),
]


@pytest.mark.parametrize(
    ("cutoff", "expected"),
    [
        (dt.date(2024, 2, 29), {"A": (1, 1, 10.0, "2024-02-28", 1)}),
        (dt.date(2024, 3, 1), {"A": (1, 2, 40.0, "2024-02-28", 2), "B": (1, 1, 7.0, "2024-02-29", 1)}),
        (dt.date(2024, 3, 2), {"A": (1, 3, 45.0, "2024-02-28", 3), "B": (1, 1, 7.0, "2024-02-29", 2)}),
    ],
)
def test_an_order_over_midnight_shows_only_what_is_known(cutoff, expected):
    """A line at midnight belongs to the day that begins; the cutoff is exclusive."""
    found = rows_of(
        built(ROWS, [cutoff]),
        "select customer_id, n_orders, n_lines, total_spend, cast(first_order_on as varchar) as first_day, recency_days from customer_facts",
    )
    assert {row["customer_id"]: tuple(row.values())[1:] for row in found} == expected


def test_several_cutoffs_at_once_equal_one_at_a_time():
    days = [dt.date(2024, 2, 29), dt.date(2024, 3, 1), dt.date(2024, 3, 2)]
    wanted = "select * exclude (category_share_other) from customer_facts order by as_of, customer_id"
    together = rows_of(built(ROWS, days), wanted)
    alone = [row for day in days for row in rows_of(built(ROWS, [day]), wanted)]
    assert together == alone


def test_the_country_is_where_most_is_spent_and_ties_go_by_name():
    rows = [
        line("A", "1", "2024-01-01", country="Spain", price=5),
        line("A", "2", "2024-01-02", "Q", country="Italy", price=5),
        line("B", "3", "2024-01-01", country="unspecified"),
    ]
    found = rows_of(built(rows, [dt.date(2024, 2, 1)]), "select customer_id, primary_country from customer_facts order by 1")
    assert [row["primary_country"] for row in found] == ["Italy", "Unknown"]


def test_a_part_of_a_split_order_taken_back():
    rows = [*ROWS[:3], line("A", "C9", "2024-03-05", "Q", quantity=-1)]
    found = rows_of(
        built(rows, [dt.date(2024, 4, 1)], refunds="net"),
        "select n_orders, n_lines, total_spend, n_purchase_days, primary_country from customer_facts",
    )
    assert found == [{"n_orders": 1, "n_lines": 2, "total_spend": 15.0, "n_purchase_days": 1, "primary_country": "Italy"}]
