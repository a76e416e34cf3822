"""Rows added to a warehouse delivery by delivery make what all rows make at once, whatever the order in which they come."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from shops import line, rows_of, source_of

from customer_genome.features.standing import Store, keep_standing, keep_whole, remember_line_facts
from customer_genome.features.table import THEMES, VIEWS, build_features
from customer_genome.proof.parity import MARTS
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.build import (
    LineRules,
    build_marts,
    build_marts_of_cutoffs,
    build_refund_effect,
    finds_duplicates,
    stage_lines,
)
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.warehouse.increment import AddedLines, add_lines, match_stale_returns

Row = Mapping[str, Any]
NUMBERS = {"line_id", "row_number"}
STANDING = ("return_events", "order_totals", "split_order_days")
TABLES = (*MARTS, *STANDING, *VIEWS, "known_orders", *THEMES, "customer_categories", "customer_facts")
TODAY = dt.date(2024, 3, 1)
LATER = dt.date(2024, 3, 20)
AS_OF = dt.date(2024, 4, 1)
AS_OFS = [dt.date(2024, 1, 3), dt.date(2024, 1, 20), dt.date(2024, 2, 5), dt.date(2024, 3, 3), AS_OF]


# --- two ways to the same warehouse --------------------------------------------------------------------------------


def at_once(
    rows: Sequence[Row], today: dt.date, cleaning: CleaningSettings, without: Sequence[str], as_of: dt.date = AS_OF
) -> DuckDBEngine:
    """Stage all rows and build every mart."""
    engine = DuckDBEngine(threads=1)
    stage_lines(engine, source_of(rows, without), cleaning, ShopSettings(), today=today)
    build_marts(engine, cutoffs_of([as_of]), cleaning)
    with_facts(engine)
    return engine


def bit_by_bit(
    deliveries: Sequence[Sequence[Row]],
    todays: Sequence[dt.date],
    cleaning: CleaningSettings,
    without: Sequence[str],
    as_ofs: Sequence[dt.date] = (),
) -> tuple[DuckDBEngine, list[AddedLines]]:
    """Stage the first delivery and add the others, each as of a day of its own; the last day is that of the facts."""
    as_ofs = as_ofs or [dt.date(2024, 1, 20)] * (len(deliveries) - 1) + [AS_OF]
    engine = DuckDBEngine(threads=1)
    first = source_of(deliveries[0], without)
    stage_lines(engine, first, cleaning, ShopSettings(), today=todays[0])
    build_marts(engine, cutoffs_of([as_ofs[0]]), cleaning)
    with_facts(engine, keep_whole(engine))
    added = []
    for rows, today, as_of in zip(deliveries[1:], todays[1:], as_ofs[1:], strict=True):
        source = source_of(rows, without) if rows else None
        rules = LineRules(cleaning, ShopSettings(), today)
        added.append(add_lines(engine, source, rules, finds_duplicates=finds_duplicates(first, cleaning)))
        build_marts_of_cutoffs(engine, cutoffs_of([as_of]), cleaning, match=match_stale_returns)
        with_facts(engine, keep_standing(engine, "same"))
    return engine, added


def cutoffs_of(days: Sequence[dt.date]) -> pa.Table:
    return pa.table({"as_of": pa.array(days, pa.date32()), "horizon_days": pa.array([30] * len(days), pa.int32())})


def with_facts(engine: DuckDBEngine, store: Store | None = None) -> None:
    build_refund_effect(engine)
    build_features(
        engine,
        (("Bags", ("bag",)),),
        category_key="description",
        has_customers=False,
        has_discounts=True,
        most_categories=5,
        home_country="",
        store=store,
    )
    remember_line_facts(engine, "same")


def contents(engine: DuckDBEngine, table: str) -> Counter[tuple[Any, ...]]:
    """Return the rows of a table without their numbers, each with how often it stands there."""
    found = engine.fetch(f"select * from {table}")
    kept = found.select([name for name in found.column_names if name not in NUMBERS])
    names = sorted(kept.column_names)
    return Counter(tuple((name, plain(row[name])) for name in names) for row in kept.to_pylist())


def plain(value: Any) -> Any:
    """Return a value that compares as tables do: sums of floats depend on the order of their terms."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return value.normalize() if isinstance(value, Decimal) else value


def assert_same(one: DuckDBEngine, other: DuckDBEngine) -> None:
    for table in TABLES:
        assert contents(one, table) == contents(other, table), table


def all_rows(deliveries: Sequence[Sequence[Row]]) -> list[Row]:
    """Return each row as often as the delivery that holds most copies of it, in the order of arrival."""
    most: Counter[Any] = Counter()
    rows: list[Row] = []
    for delivery in deliveries:
        copies: Counter[Any] = Counter()
        for row in delivery:
            key = tuple(row.items())
            copies[key] += 1
            if copies[key] > most[key]:
                most[key] += 1
                rows.append(row)
    return rows


# --- the law -------------------------------------------------------------------------------------------------------


lines = st.builds(
    line,
    st.sampled_from(["A", "A", "B", "C", None]),
    st.sampled_from(["1", "2", "3", "C4", "C5", None]),
    st.sampled_from(
        ["2024-01-05 10:00", "2024-01-05 11:30", "2024-01-06", "2024-02-03", "2024-03-02 09:00", "2024-03-10", "2030-01-01", "1950-01-01"]
    ),
    st.sampled_from(["P", "P", "Q", None]),
    quantity=st.sampled_from([1.0, 2.0, 3.0, -1.0, -2.0, 0.0, float("nan")]).map(lambda x: None if x != x else x),
    price=st.sampled_from([5.0, 5.0, 7.5, 0.0, -1.0]),
    country=st.sampled_from(["x", "y", None]),
    discount=st.sampled_from([None, 1.0]),
    description=st.sampled_from([None, "red bag", "mug"]),
)  # fmt: skip
good = line("A", "1", "2024-01-05 10:00")


@st.composite
def shops(draw: st.DrawFn) -> list[list[Row]]:
    """Draw the rows of a shop in deliveries that overlap, come twice, or come out of order."""
    rows = [good, *draw(st.lists(lines, min_size=3, max_size=30))]
    rows += draw(st.lists(st.sampled_from(rows), max_size=4))
    n_deliveries = draw(st.integers(2, 4))
    places = draw(st.lists(st.integers(0, n_deliveries - 1), min_size=len(rows), max_size=len(rows)))
    deliveries: list[list[Row]] = [
        [row for row, place in zip(rows, places, strict=True) if place == n] for n in range(n_deliveries)
    ]
    overlaps = draw(st.lists(st.tuples(st.integers(0, n_deliveries - 1), st.sampled_from(rows)), max_size=6))
    for place, row in overlaps:
        deliveries[place].append(row)
    if draw(st.booleans()):
        deliveries.append(list(deliveries[draw(st.integers(0, n_deliveries - 1))]))
    deliveries[0].append(good)
    return deliveries


LAW = settings(deadline=None, phases=[Phase.explicit, Phase.generate])  # a failure is told at once, not made small first
drawn = given(
    shops(), st.sampled_from(["drop", "net"]), st.booleans(), st.sampled_from([(), ("order_id",), ("product_id",)]), st.data()
)


@settings(LAW, max_examples=10)
@drawn
def test_deliveries_add_up_to_the_whole(deliveries, refunds, drop_duplicates, without, data):
    prove_the_law(deliveries, refunds, drop_duplicates, without, data)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(LAW, max_examples=100)
@drawn
def test_deliveries_add_up_to_the_whole_at_length(deliveries, refunds, drop_duplicates, without, data):
    prove_the_law(deliveries, refunds, drop_duplicates, without, data)


def prove_the_law(deliveries, refunds, drop_duplicates, without, data):
    cleaning = CleaningSettings(refunds=refunds, drop_duplicates=drop_duplicates)
    ripe_from = data.draw(st.integers(0, len(deliveries)))
    todays = [TODAY if number < ripe_from else LATER for number in range(len(deliveries))]
    kept = [[{name: value for name, value in row.items() if name not in without} for row in rows] for rows in deliveries]
    together = all_rows(kept)
    as_ofs = [
        *data.draw(st.lists(st.sampled_from(AS_OFS), min_size=len(kept) - 1, max_size=len(kept) - 1)),
        data.draw(st.sampled_from(AS_OFS[1:])),
    ]
    whole = at_once(together, todays[-1], cleaning, without, as_ofs[-1])
    built, added = bit_by_bit(kept, todays, cleaning, without, as_ofs)
    assert_same(built, whole)
    assert len(kept[0]) + sum(each.rows_added for each in added) == len(together)
    assert [each.rows_read for each in added] == [len(rows) for rows in kept[1:]]
    for engine in (whole, built):
        engine.close()


# --- one case each -------------------------------------------------------------------------------------------------


def added_to(
    first: Sequence[Row], *others: Sequence[Row], today: dt.date = LATER, **cleaning: Any
) -> tuple[DuckDBEngine, list[AddedLines]]:
    """Build bit by bit, prove that it equals the whole, return both."""
    cleaned = CleaningSettings(**cleaning)
    built, added = bit_by_bit([first, *others], [today] * (1 + len(others)), cleaned, ())
    assert_same(built, at_once(all_rows([first, *others]), today, cleaned, ()))
    return built, added


def test_an_order_whose_lines_come_in_two_deliveries_on_two_days_in_two_countries():
    first = [good, line("B", "7", "2024-01-05 10:00", country="x"), line("B", "7", "2024-01-05 10:00", "Q", country="x")]
    second = [line("B", "7", "2024-01-06 09:00", "R", country="y"), line("B", "7", "2024-01-04 08:00", "S", country="x")]
    built, _ = added_to(first, second)
    assert rows_of(built, "select n_orders, n_lines from customer_facts where customer_id = 'B'") == [
        {"n_orders": 1, "n_lines": 4}
    ]


@pytest.mark.parametrize("refunds", ["drop", "net"])
def test_a_return_that_comes_before_its_purchase(refunds):
    back = line("B", "C9", "2024-02-01", quantity=-2)
    built, _ = added_to([good, back], [line("B", "8", "2024-01-15", quantity=3)], refunds=refunds)
    assert rows_of(built, "select sum(matched_quantity) as n from return_matches where is_return = 0") == [{"n": Decimal(2)}]


def test_a_late_row_is_placed_in_its_time():
    late = line("A", "0", "2024-01-02")
    built, _ = added_to([good, line("A", "2", "2024-02-03")], [late])
    found = rows_of(built, "select cast(first_order_on as varchar) as day, tenure_days from customer_facts")
    assert found == [{"day": "2024-01-02", "tenure_days": 90}]


def test_copies_above_those_held_are_added_and_are_copies():
    built, added = added_to([good, good], [good, good, good], [good])
    assert [each.rows_added for each in added] == [1, 0]
    assert [each.rows_seen for each in added] == [2, 1]
    assert rows_of(built, "select row_class, n_rows from ledger") == [
        {"row_class": "duplicate", "n_rows": 2},
        {"row_class": "kept", "n_rows": 1},
    ]


def test_equal_lines_of_a_shop_without_order_ids_are_purchases_of_their_own():
    rows = [good, good]
    built, added = bit_by_bit([[good], rows], [LATER, LATER], CleaningSettings(), ("order_id",))
    assert added[0].rows_added == 1
    assert rows_of(built, "select n_lines from customer_facts") == [{"n_lines": 2}]


def test_a_row_dated_ahead_becomes_an_order_when_its_day_has_come():
    ahead = [line("B", "8", "2024-03-10"), line("B", "8", "2024-03-10"), line("B", "9", "2024-03-10", price=-1)]
    built, _ = bit_by_bit([[good, *ahead], []], [TODAY, LATER], CleaningSettings(), ())
    assert_same(built, at_once([good, *ahead], LATER, CleaningSettings(), ()))
    assert {row["row_class"]: row["n_rows"] for row in rows_of(built, "select * from ledger")} == {
        "kept": 2,
        "duplicate": 1,
        "bad_price": 1,
    }


def test_rows_of_an_erased_customer_stay_out():
    import hashlib

    digest = hashlib.sha256(b"saltB").hexdigest()
    engine = DuckDBEngine(threads=1)
    stage_lines(engine, source_of([good]), CleaningSettings(), ShopSettings(), today=LATER, salt="salt", forgotten=[digest])
    build_marts(engine, cutoffs_of([AS_OF]), CleaningSettings())
    rules = LineRules(CleaningSettings(), ShopSettings(), LATER, salt="salt", forgotten=(digest,))
    rows = [line("B", "5", "2024-01-09"), line("C", "6", "2024-01-09")]
    for expected in (2, 0):
        assert add_lines(engine, source_of(rows), rules, finds_duplicates=True).rows_added == expected
    assert rows_of(engine, "select customer_id from lines order by 1 nulls last") == [
        {"customer_id": who} for who in ("A", "C", None)
    ]
