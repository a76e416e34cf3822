"""What customers did in the horizon after each cutoff, against values worked out by hand."""

from __future__ import annotations

import datetime as dt

from shops import built, line, rows_of

from customer_genome.features.labels import build_labels

MARCH, APRIL, MAY = (dt.date(2024, month, 1) for month in (3, 4, 5))
LINES = [
    line("A", "1", "2024-02-10", price=10.0),
    line("A", "2", "2024-02-29 23:59", price=5.0),  # before the first cutoff
    line("A", "2", "2024-03-01 00:01", price=7.0),  # and its rest after midnight: money, but no order of the horizon
    line("A", "3", "2024-03-01 10:00", price=20.0),
    line("A", "4", "2024-03-01 18:00", price=30.0),  # a second order on the same day
    line("A", "5", "2024-03-30 23:59", price=40.0),  # the last day of 30
    line("A", "6", "2024-03-31", price=1000.0),  # the first day beyond
    line("B", "7", "2024-01-05", price=10.0),  # never again
    line("C", "8", "2024-03-15", price=10.0),  # unknown before
    line("D", "9", "2024-02-01", price=10.0),
    line("D", "10", "2024-03-02", quantity=4, price=25.0, product="Q"),
    line("D", "C10", "2024-03-20", quantity=-1, price=25.0, product="Q"),  # back within the horizon
    line("D", "C11", "2024-04-02", quantity=-2, price=25.0, product="Q"),  # back after it
    line("D", "12", "2024-03-05", quantity=1, price=8.0, product="R"),
    line("D", "C12", "2024-03-06", quantity=-1, price=8.0, product="R"),  # wholly taken back
]


def labels_of(cutoffs, refunds):
    engine = built(LINES, cutoffs, refunds=refunds)
    build_labels(engine, nets_refunds=refunds == "net")
    rows = rows_of(engine, "select * from labels order by as_of, customer_id")
    return {
        (row["as_of"], row["customer_id"]): (row["n_orders"], row["n_purchase_days"], row["spend"], row["is_complete"])
        for row in rows
    }


def test_gross_labels_of_two_cutoffs():
    assert labels_of([MARCH, APRIL], "drop") == {
        (MARCH, "A"): (3, 2, 97.0, True),
        (MARCH, "B"): (0, 0, 0.0, True),
        (MARCH, "D"): (2, 2, 108.0, True),
        (APRIL, "A"): (0, 0, 0.0, False),
        (APRIL, "B"): (0, 0, 0.0, False),
        (APRIL, "C"): (0, 0, 0.0, False),
        (APRIL, "D"): (0, 0, 0.0, False),
    }


def test_what_came_back_by_the_end_of_the_horizon_is_taken_off_under_net():
    found = labels_of([MARCH, APRIL], "net")
    assert found[MARCH, "A"] == (3, 2, 97.0, True)
    assert found[MARCH, "D"] == (1, 1, 75.0, True)


def test_the_horizon_is_complete_when_its_last_day_was_seen():
    last_day = dt.date(2024, 3, 31)
    for days_before, is_complete in ((29, True), (28, False)):
        found = labels_of([last_day - dt.timedelta(days=days_before)], "drop")
        assert {entry[3] for entry in found.values()} == {is_complete}


def test_no_fact_changes_with_what_comes_after():
    """Labels know the future, facts do not: they stand in tables of their own."""
    engine = built(LINES, [MARCH], refunds="net")
    before = engine.fetch("select * from customer_facts order by customer_id")
    build_labels(engine, nets_refunds=True)
    assert engine.fetch("select * from customer_facts order by customer_id").equals(before)
