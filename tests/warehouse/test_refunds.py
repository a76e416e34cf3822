"""Returns reduce the newest earlier purchase of the product, as each cutoff knew it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import built, line, rows_of

AS_OF = dt.date(2024, 12, 1)


def spend(engine, as_of=AS_OF):
    rows = rows_of(
        engine, f"select customer_id, total_spend from customer_facts where as_of = date '{as_of}' order by customer_id"
    )
    return {row["customer_id"]: row["total_spend"] for row in rows}


def test_newest_purchase_first_at_its_own_price():
    rows = [
        line("A", "1", "2024-01-01", quantity=2, price=10),
        line("A", "2", "2024-02-01", quantity=2, price=20),
        line("A", "C3", "2024-03-01", quantity=-3, price=99),
    ]
    assert spend(built(rows, [AS_OF], refunds="net")) == {"A": 10.0}
    assert spend(built(rows, [AS_OF], refunds="drop")) == {"A": 60.0}


def test_what_cannot_be_matched_is_reported_and_takes_nothing():
    rows = [
        line("A", "C1", "2024-01-01", quantity=-5),
        line("A", "2", "2024-02-01", quantity=1),
        line("B", "C3", "2024-03-01", quantity=-1, product=None),
    ]
    engine = built(rows, [AS_OF], refunds="net")
    assert spend(engine) == {"A": 10.0}
    effect = rows_of(engine, "select returned_lines, unmatched_lines, matched_value, unmatched_value from refund_effect")
    assert effect == [{"returned_lines": 2, "unmatched_lines": 2, "matched_value": 0.0, "unmatched_value": 60.0}]


def test_a_cancellation_line_that_an_overlap_repeats_counts_once():
    back = line("A", "C2", "2024-02-01", quantity=-1)
    assert spend(built([line("A", "1", "2024-01-01", quantity=3), back, back], [AS_OF], refunds="net")) == {"A": 20.0}


def test_an_order_wholly_taken_back_is_no_order():
    rows = [line("A", "1", "2024-01-01"), line("A", "2", "2024-02-01"), line("A", "C3", "2024-03-01", quantity=-1)]
    engine = built(rows, [AS_OF], refunds="net")
    assert rows_of(engine, "select n_orders, cast(last_order_on as varchar) as last_day from customer_facts") == [
        {"n_orders": 1, "last_day": "2024-01-01"}
    ]


events = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from("AB"), st.sampled_from("PQ"), st.integers(-4, 4).filter(bool)),
    min_size=1,
    max_size=25,
)


def as_lines(drawn):
    return [
        line(who, f"{'C' if quantity < 0 else ''}{number}", f"2024-01-01T00:{number:02d}:00", product, quantity, price=1 + number)
        for number, (_, who, product, quantity) in enumerate(drawn)
    ]


def by_loop(rows):
    """Spend per customer with an explicit stack of purchases per customer and product."""
    stacks: dict[tuple[str, str], list[list[float]]] = {}
    for row in rows:
        stack = stacks.setdefault((row["customer_id"], row["product_id"]), [])
        if row["quantity"] > 0:
            stack.append([row["quantity"], row["price"]])
            continue
        back = -row["quantity"]
        while back and stack:
            taken = min(back, stack[-1][0])
            stack[-1][0] -= taken
            back -= taken
            if not stack[-1][0]:
                stack.pop()
    totals: dict[str, float] = {}
    for (who, _), stack in stacks.items():
        left = sum(quantity * price for quantity, price in stack)
        if left:
            totals[who] = totals.get(who, 0.0) + left
    return totals


@settings(max_examples=40, deadline=None)
@given(events)
def test_equals_a_loop_over_a_stack(drawn):
    rows = as_lines(drawn)
    if not any(row["quantity"] > 0 for row in rows):
        return
    assert spend(built(rows, [AS_OF], refunds="net")) == pytest.approx(by_loop(rows))


@settings(max_examples=25, deadline=None)
@given(
    events,
    st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("PQ"), st.integers(-4, 4).filter(bool)), max_size=8),
    st.sampled_from(["drop", "net"]),
)
def test_nothing_after_a_cutoff_changes_a_fact_before_it(drawn, later, policy):
    cutoff = dt.date(2024, 2, 1)
    before = as_lines(drawn)
    if not any(row["quantity"] > 0 for row in before):
        return
    after = [
        line(who, f"{'C' if quantity < 0 else ''}L{number}", "2024-02-01T00:00:00", product, quantity, description="a bag")
        for number, (who, product, quantity) in enumerate(later)
    ]
    facts = "select * from customer_facts where as_of = date '2024-02-01' order by customer_id"
    alone = rows_of(built(before, [cutoff], refunds=policy), facts)
    known_later = rows_of(built(before + after, [cutoff, AS_OF], refunds=policy), facts)
    shared = alone[0].keys() if alone else ()
    assert [{name: row[name] for name in shared} for row in known_later] == alone
