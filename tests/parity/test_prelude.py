"""Every function of the prelude means the same on both engines, for values as shops write them and for odd ones."""

from __future__ import annotations

import datetime as dt
import random

import pyarrow as pa
import pytest

from customer_genome.proof.parity import compare
from customer_genome.sources.text_formats import TIME_PATTERNS
from customer_genome.warehouse.duckdb import DuckDBEngine

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

WRITTEN = [
    None, "", " ", "\t", "\u00a0", "\u2003x\u3000", "\tx\n", " it's ", "a\\d", "\\N", "\\n", "NaN", "nan ", "N/A", "#N/A", "<NA>", "none", "NULL",
    "12346.0", "-12.0", ".0", "1_0.0", "_1.0", "1e5.0", "12.00", "\t7.0", "C-9.0", "C123", "c1", "1C2", "C\u0661",
    "1,234.50", "1.234,50", "1,23,4", "12,3456", "1'234.5", "(12.00)", "( 3 )", "()", "12-", "-12-", "£ 3", "3 €", "USD 5", "5 EUR", "eur 5", "$-4.5",
    "+7", "--1", "1e3", "1E-2", "1e+2", "1.5e-3", "1e", "1e14", "1e99", "1e400", "1_000", "1__0", "1_", "5.", ".5", ".", "-", "0x10", "inf", "1.23455",
    "1.23445", "-1.23455", "0.00005", "0.00004999", "99999999999999", "99999999999999.99995", "100000000000000", "12d", "3f", "１２", "٣",
    "Ünal GmbH & Co.", "CRÈME brûlée", "T-LIGHT_holder 3", "“quoted”", "naïve—dash", "emoji 🎁 bag", "ǅ", "ﬁne", "Straße", "UNSPECIFIED", "unspecified ", "?",
]  # fmt: skip
NUMBERS = [
    None, 0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 12346.0, 1e7, 1e14, 999999999999999.0, 1e15, 1234567890123456.0, 1e16, 1.2e17, 1e22, -1e300, 1e-3, 1e-4, 1.5e-5,
    -2.25e-7, 123456789.125, 0.1, 2.67495, 1.00005, 0.00015, 0.00005, -0.00025, 12.34565, 99999999999999.9, 100000000000000.0, 964982703.0,
    964982703.5, 1.3e12, 1.3e15, 1.3e18, -5e8, float("nan"), float("inf"), float("-inf"),
]  # fmt: skip
TIMES = [
    None, dt.datetime(1970, 1, 1), dt.datetime(2024, 2, 29, 23, 59, 59, 999_999), dt.datetime(1900, 3, 1, 12), dt.datetime(9999, 12, 31, 23, 59, 59),
    dt.datetime(2011, 12, 9, 8, 5, 3), dt.datetime(1582, 10, 15), dt.datetime(1500, 2, 28),
]  # fmt: skip


def scribbles(n, seed=5):
    """Return texts of the letters that numbers and ids are written with."""
    draw = random.Random(seed)
    letters = "0123456789" * 3 + "...,,,--+()_'eE£€$ \u00a0\u202f\tCUSD/nNaA"
    return ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(n)]


def assert_same_answers(local_spark, column, questions):
    """Ask both engines, row by row."""
    engines = DuckDBEngine(threads=1), local_spark()
    asked = ", ".join(f"{question} as answer_{number}" for number, question in enumerate(questions))
    for engine in engines:
        engine.write("given", pa.table({"place": range(len(column)), "x": column}))
        engine.create_table("answers", f"select place, x, {asked} from given")
    report = compare(*engines, {"answers": ("place",)})
    engines[1].close()
    assert {questions[int(found.column.split("_")[1])]: found.examples for found in report.differences if found.column} == {}
    assert report.differences == ()
    return engines[0]


def test_texts(local_spark):
    column = pa.array([*WRITTEN, *(f"{a}{b}" for a, b in zip(WRITTEN[1:], WRITTEN[:0:-1], strict=True)), *scribbles(4000)])
    duckdb = assert_same_answers(
        local_spark,
        column,
        [
            "clean_text(x)", "clean_id(x)", "words_of(x)", "number_from_point_text(x)", "number_from_comma_text(x)", "country_name(x)",
            "matches_pattern(x, '^C\\d')", "digest(x)", "contains(words_of(x), ' bag ')", "coalesce(x, 'it''s')",
        ],
    )  # fmt: skip
    read = duckdb.fetch("select count(answer_3) as points, count(answer_4) as commas from answers").to_pylist()[0]
    assert read["points"] > 300 and read["commas"] > 300


def test_numbers(local_spark):
    draw = random.Random(2)
    drawn = [round(draw.uniform(-9e6, 9e6), draw.randint(0, 6)) for _ in range(2000)]
    halves = [draw.randint(-(10**9), 10**9) / 20_000 for _ in range(2000)]
    assert_same_answers(
        local_spark,
        pa.array([*NUMBERS, *drawn, *halves], pa.float64()),
        ["id_from_number(x)", "number_text(x)", "number_from_double(x)", "time_from_epoch(x)"],
    )


def test_times(local_spark):
    days = "cast(x as date)"
    assert_same_answers(
        local_spark,
        pa.array(TIMES, pa.timestamp("us")),
        ["time_text(x)", days, f"days_between(date '2024-02-28', {days})", f"days_between({days}, date '1969-12-31')"],
    )


@pytest.mark.parametrize("order", ["ymd", "dmy", "mdy"])
def test_times_in_text(local_spark, order):
    """Every pattern of the order, and what no pattern fits."""
    moments = [dt.datetime(2011, 12, 9, 8, 26, 1), dt.datetime(1997, 2, 28, 20, 5), dt.datetime(2024, 2, 29)]
    texts = [moment.strftime(pattern) for pattern in TIME_PATTERNS[order][::7] for moment in moments]
    iso = [
        "2011-12-31T08:26:00Z",
        "2011-12-31 08:26:00 +02:00",
        "2024-03-31 02:30",
        "2024-07-01 12:00+0530",
        "2024-07-01 8:00 PM",
    ]
    texts += [None, "", "yesterday", "31.02.2011", "2023-02-29", *iso, *(f" {text} " for text in texts[:20])]
    engines = DuckDBEngine(threads=1), local_spark()
    for engine in engines:
        engine.write("given", pa.table({"place": range(len(texts)), "x": texts}))
        at = engine.time_expression('"x"', "text", order, TIME_PATTERNS[order], "Europe/Berlin")
        engine.create_table("answers", f"select place, x, {at} as read_at from given")
    assert compare(*engines, {"answers": ("place",)}).differences == ()
    read = engines[0].fetch("select count(read_at) as n from answers").column("n")[0].as_py()
    assert read > len(texts) * 0.7
    engines[1].close()


@pytest.mark.parametrize(
    ("raw_type", "order"), [("timestamp_tz", "typed"), ("timestamp", "typed"), ("integer", "epoch"), ("text", "epoch")]
)
def test_typed_and_epoch_times_in_a_zone(local_spark, raw_type, order):
    seconds = [964982703, 1711846800, 1711850400, 0, None]
    moments = [None if second is None else dt.datetime.fromtimestamp(second, dt.UTC) for second in seconds]
    column = {
        "timestamp_tz": pa.array(moments, pa.timestamp("us", "UTC")),
        "timestamp": pa.array([None if at is None else at.replace(tzinfo=None) for at in moments], pa.timestamp("us")),
        "integer": pa.array(seconds, pa.int64()),
        "text": pa.array([None if second is None else str(second) for second in seconds]),
    }[raw_type]
    engines = DuckDBEngine(threads=1), local_spark()
    for engine in engines:
        engine.write("given", pa.table({"place": range(len(seconds)), "x": column}))
        at = engine.time_expression('"x"', raw_type, order, (), "Europe/Berlin")
        engine.create_table("answers", f"select place, {at} as read_at from given")
    assert compare(*engines, {"answers": ("place",)}).differences == ()
    engines[1].close()
