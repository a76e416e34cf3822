from __future__ import annotations

import datetime as dt
import re
from contextlib import closing

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_genome.sources.samples import patterns_that_read
from customer_genome.sources.text_formats import (
    COMMA_DECIDES,
    ISO_TIME,
    MARK_AMBIGUOUS,
    POINT_DECIDES,
    TIME_PATTERNS,
    ZONED_TIME,
    find_mark,
    find_order,
    looks_like_excel_days,
    looks_like_number,
    possible_orders,
    readings,
    time_patterns,
)

LATEST = 2027
days = st.dates(dt.date(1950, 1, 1), dt.date(2026, 12, 31))


@pytest.mark.parametrize(
    ("value", "orders"),
    [
        ("2011-12-09 12:50:00", {"ymd"}),
        ("2011-12-09T12:50:00Z", {"ymd"}),
        ("2011-12-09 12:50:00.123+02:00", {"ymd"}),
        ("2011/1/4", {"ymd"}),
        ("19970101", {"ymd"}),
        ("199701010826", {"ymd"}),
        ("20110905T082600Z", {"ymd"}),
        ("31121997", {"dmy"}),
        ("12/1/2010 8:26", {"dmy", "mdy"}),
        ("13/1/2010 8:26", {"dmy"}),
        ("1/13/2010 8:26 PM", {"mdy"}),
        ("1.2.2010", {"dmy", "mdy"}),
        ("12.2.1975", {"dmy", "mdy"}),
        ("31/12/10", {"dmy"}),
        ("97-01-31", {"ymd"}),
        ("5-Sep-11", {"dmy"}),
        ("Sep 5, 2011 8:26 PM", {"mdy"}),
        ("Mon, 12 Jan 2011 08:26:00", {"dmy"}),
        ("964982703", {"epoch"}),
        ("1609459200000", {"epoch"}),
        ("1609459200000000000", {"epoch"}),
        ("hello", set()),
        ("12:50", set()),
        ("2011-13-09", set()),
        ("32/13/2010", set()),
        ("30/02/2010", set()),
        ("", set()),
        ("12", set()),
        ("99999999999999999999999999", set()),
    ],
)
def test_readings_of_single_values(value: str, orders: set[str]) -> None:
    assert possible_orders(value, LATEST) == orders


@given(days, st.sampled_from(sorted(TIME_PATTERNS)), st.data())
def test_what_was_written_in_an_order_can_be_read_in_it(day: dt.date, order: str, data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from([p for p in TIME_PATTERNS[order] if "%y" not in p or day.year >= 1969]))
    moment = dt.datetime(day.year, day.month, day.day, 13, 5, 9)
    text = moment.strftime(pattern)
    assert (order, (day.year, day.month, day.day)) in set(readings(text, LATEST)), (text, pattern)


@given(st.lists(days, min_size=1, max_size=30), st.sampled_from(["dmy", "mdy"]), st.sampled_from("/.-"))
def test_an_order_is_decided_only_when_no_other_fits(values: list[dt.date], order: str, mark: str) -> None:
    pattern = {"dmy": f"%d{mark}%m{mark}%Y", "mdy": f"%m{mark}%d{mark}%Y"}[order]
    finding = find_order([value.strftime(pattern) for value in values], LATEST)
    assert order in finding.possible
    assert (len(finding.possible) == 1) == any(value.day > 12 for value in values)


def test_contradicting_values_leave_no_order_and_an_example_of_each() -> None:
    finding = find_order(["13/01/2011", "01/13/2011", "rubbish"], LATEST)
    assert not finding.possible
    assert finding.examples == {"dmy": "13/01/2011", "mdy": "01/13/2011"}
    assert finding.n_unread == 1 and finding.unread_example == "rubbish"


@pytest.mark.parametrize("order", sorted(TIME_PATTERNS))
def test_the_engine_reads_every_pattern_of_an_order(order: str) -> None:
    moment = dt.datetime(2011, 9, 5, 13, 26, 11)
    patterns = list(TIME_PATTERNS[order])
    rows = ", ".join(
        f"try_strptime('{moment.strftime(pattern)}', '{pattern}') = '{_as_far_as(moment, pattern)}'" for pattern in patterns
    )
    with closing(duckdb.connect()) as connection:
        read = connection.execute(f"select {rows}").fetchall()[0]
    assert [pattern for pattern, right in zip(patterns, read, strict=True) if right is not True] == []


def _as_far_as(moment: dt.datetime, pattern: str) -> dt.datetime:
    """Return what a pattern keeps of a moment."""
    has_hour = "%H" in pattern or "%I" in pattern
    return moment.replace(
        hour=moment.hour * has_hour, minute=moment.minute * ("%M" in pattern), second=moment.second * ("%S" in pattern)
    )


def test_two_digit_years_are_not_read_as_the_first_century() -> None:
    seen, _ = patterns_that_read(["1/2/10 8:26"], TIME_PATTERNS["dmy"])
    assert seen == ["%d/%m/%y %H:%M"]
    for order, patterns in TIME_PATTERNS.items():
        for pattern in patterns:
            if "%Y" in pattern and (short := pattern.replace("%Y", "%y")) in patterns and order != "ymd":
                assert patterns.index(short) < patterns.index(pattern)


def test_seen_patterns_come_first_and_none_is_lost() -> None:
    ordered = time_patterns("dmy", ["%d.%m.%Y"])
    assert ordered[0] == "%d.%m.%Y" and sorted(ordered) == sorted(TIME_PATTERNS["dmy"])
    assert len(set(TIME_PATTERNS["dmy"])) == len(TIME_PATTERNS["dmy"])


def test_iso_and_zones() -> None:
    assert ISO_TIME.fullmatch("2011-12-01T08:26:00.000Z") and ISO_TIME.fullmatch("2011/12/1")
    assert not ISO_TIME.fullmatch("2011-12-01 08:26 PM") and not ISO_TIME.fullmatch("2011.12.01")
    assert ZONED_TIME.fullmatch("2011-12-01T08:26:00+0200") and not ZONED_TIME.fullmatch("2011-12-01T08:26:00")


def test_spreadsheet_days() -> None:
    assert looks_like_excel_days(["40513", "40513.35"])
    assert not looks_like_excel_days(["40513", "2011"]) and not looks_like_excel_days([])


@given(st.decimals(0, 10**7, places=2, allow_nan=False, allow_infinity=False))
def test_amounts_with_two_decimals_prove_their_mark(amount) -> None:
    english = f"{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert find_mark([english]).point == english and not find_mark([english]).comma
    assert find_mark([german]).comma == german and not find_mark([german]).point
    assert looks_like_number(english) and looks_like_number(german)


@given(st.integers(1, 999), st.integers(0, 999), st.sampled_from(".,"))
def test_three_digits_after_one_mark_prove_nothing(whole: int, rest: int, mark: str) -> None:
    value = f"{whole}{mark}{rest:03d}"
    finding = find_mark([value])
    assert finding.ambiguous == value and not finding.point and not finding.comma


@given(st.text("0123456789.,", max_size=12))
def test_no_value_proves_both_marks(bare: str) -> None:
    hits = [bool(re.search(pattern, bare)) for pattern in (POINT_DECIDES, COMMA_DECIDES, MARK_AMBIGUOUS)]
    assert sum(hits) <= 1


@pytest.mark.parametrize("text", ["1", "-1", "+1.5", "1,234.50", "1.234,50", "12,5", "£3.20", "3.20 €", "EUR 3", "$ 1,000", "(12.00)",
                                  "12.00-", "1 234,50", "1'234.50", "1e5", ".5", "-$3.00", "1\u00a0234,5"])  # fmt: skip
def test_numbers_as_shops_write_them(text: str) -> None:
    assert looks_like_number(text)


@pytest.mark.parametrize("text", ["", "abc", "12 Jan 2011", "1/2/2011", "A12", "85123A", "nan", "--", "1:30"])
def test_what_is_no_number(text: str) -> None:
    assert not looks_like_number(text)
