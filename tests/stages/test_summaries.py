"""What is asked of the engine about all customers is what the same customers give in memory, on every engine."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.crowd import SpendBins, crowd_of, spend_bins
from customer_genome.decisions.customers import value_at
from customer_genome.decisions.findings import findings, gini_of
from customer_genome.decisions.playbooks import parse_playbooks
from customer_genome.decisions.priority import churn_band, clv_band
from customer_genome.decisions.segment_names import segment_column
from customer_genome.errors import SettingsError
from customer_genome.stages.summaries import known_columns, playbook_figures, side_tables
from customer_genome.warehouse.build import sql_text
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.warehouse.engine import Engine
from customer_genome.warehouse.quantiles import Quantile, values_at
from in_memory import assigned, figures_of, known_in, named

PLAYBOOKS = parse_playbooks(
    tomllib.loads(files("customer_genome.decisions").joinpath("playbooks.toml").read_text(encoding="utf-8"))
)
RULES = ("n_orders >= p28", "clv_180d > mean", "clv_180d < median", "first_order_on >= p7", "total_spend <= p99.5")
PERCENTS = (0, 7, 14, 28, 30, 50, 55, 56, 80, 99.9, 100)


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.timeout(600)])])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    opened = DuckDBEngine(threads=2) if request.param == "duckdb" else request.getfixturevalue("local_spark")()
    yield opened
    opened.close()


@pytest.fixture
def duckdb() -> Iterator[Engine]:
    """Return an engine for what one test of both engines already holds to be the same on the other."""
    opened = DuckDBEngine(threads=2)
    yield opened
    opened.close()


def customers(n: int, seed: int = 3, *, without: tuple[str, ...] = ()) -> pa.Table:
    """Return customers with facts and predictions, some of them unknown, with everything that is decided about them."""
    chance = np.random.default_rng(seed)

    def holes(values: np.ndarray, share: float = 0.05) -> pa.Array:
        return pa.array(values, mask=chance.uniform(0, 1, n) < share)

    orders, churn = chance.geometric(0.4, n), chance.uniform(0, 1, n)
    spend = np.round(orders * chance.lognormal(3, 1.5, n), 4)
    clv = spend * (1 - churn) * 0.7
    table = pa.table(
        {
            "customer_id": pa.array([f"c{place:05}" for place in range(n)], pa.string()),
            "as_of": pa.array([dt.date(2020, 1, 1)] * n, pa.date32()),
            "n_orders": orders,
            "total_spend": spend,
            "mean_order_value": spend / orders,
            "first_order_on": pa.array([dt.date(2018, 1, 1) + dt.timedelta(days=int(day)) for day in chance.integers(0, 700, n)], pa.date32()),
            "recency_days": chance.integers(1, 400, n),
            "tenure_days": chance.integers(1, 800, n),
            "mean_gap_days": holes(chance.uniform(1, 100, n), 0.3),
            "spend_last_90d": np.round(spend * chance.uniform(0, 1, n), 2),
            "spend_prior_90d": np.round(spend * chance.uniform(0, 1, n), 2),
            "spend_trend": holes(chance.uniform(-1, 1, n), 0.3),
            "discount_share": pa.nulls(n, pa.float64()),
            "primary_country": holes(np.array(["France", "Japan", "Unknown", "Österreich"], dtype=object)[chance.integers(0, 4, n)]),
            "next_order_on": pa.nulls(n, pa.date32()),
            "horizon_days": pa.array(np.full(n, 180), pa.int32()),
            "churn_probability": churn,
            "churn_band": churn_band(churn),
            "clv_180d": clv,
            "clv_band": clv_band(clv, (10.0, 50.0)),
            "expected_value_loss": clv * churn,
            "rfm_segment": holes(np.array(["Champions", "Lost"], dtype=object)[chance.integers(0, 2, n)]),
            "cluster_kmeans": pa.array(np.minimum(chance.geometric(0.5, n), 4) - 1, pa.int64()),
        }
    )  # fmt: skip
    names = named(table["cluster_kmeans"].to_numpy(), table, "EUR")
    table = table.append_column("segment_name", segment_column(table["cluster_kmeans"].to_numpy(), names)).drop_columns(without)
    given = assigned(PLAYBOOKS, table, "EUR")
    return table.append_column("playbook", given.playbook).append_column("matching", given.matching)


def sides(engine: Engine, table: pa.Table) -> dict[str, pa.Table]:
    """Return the side tables of customers."""
    engine.write("everyone", table)
    own = table["cluster_kmeans"].to_numpy() if table.num_rows else np.empty(0, dtype=np.int64)
    names = named(own, table, "EUR")
    known = known_columns(engine, "everyone")
    return side_tables(engine, "everyone", named=names, playbooks=PLAYBOOKS, known=known, currency="EUR")


# --- quantiles ----------------------------------------------------------------------------------------------------

ODD = {
    "ties": np.repeat([3.0, 1.0, 2.0, 7.0], [50, 1, 49, 100]),
    "spread": np.random.default_rng(2).lognormal(0, 8, 1500),
    "below zero": np.random.default_rng(3).normal(0, 1e-9, 300),
    "near": 1 + np.arange(100) * 2.0**-52,
    "far": np.array([-1e26, 0.0, 1e-280, 1.0000000000000002e-280, 1.0, 1e26]),
    "denormal": np.array([5e-324, 1e-300, 0.0]),
    "one": np.array([42.0]),
    "hundred": np.arange(1.0, 101.0),
}


def test_quantiles_are_the_values_that_counting_finds(engine: Engine) -> None:
    values = np.concatenate(list(ODD.values()))
    names = np.repeat(list(ODD), [len(series) for series in ODD.values()])
    unknown = pa.table(
        {
            "x": pa.array([None, float("nan"), float("inf"), -float("inf")]),
            "name": ["ties"] * 4,
            "nothing": pa.nulls(4, pa.float64()),
        }
    )
    rows = pa.table({"x": values, "name": pa.array(names.tolist(), pa.string()), "nothing": pa.nulls(len(values), pa.float64())})
    engine.write("given", pa.concat_tables([rows, unknown]))
    wanted = [Quantile(f"{by or 'all'} {percent}", "x", percent, by) for by in ("", "name") for percent in PERCENTS]
    found = values_at(engine, "given", [*wanted, Quantile("nothing", "nothing", 50)])
    seen = {name: np.where(np.abs(series) < 1e-280, 0.0, series) for name, series in ODD.items()}
    expected = {(f"all {percent}", ""): value_at(np.concatenate(list(seen.values())), percent) for percent in PERCENTS}
    expected |= {(f"name {percent}", name): value_at(series, percent) for name, series in seen.items() for percent in PERCENTS}
    assert found == expected
    assert values_at(engine, "given", []) == {}


# --- figures ------------------------------------------------------------------------------------------------------


def test_columns_that_say_nothing_are_told(engine: Engine) -> None:
    table = pa.table(
        {
            "text": pa.array([None, "a"]),
            "no text": pa.nulls(2, pa.string()),
            "number": [float("nan"), 0.0],
            "no number": pa.array([float("nan"), None]),
            "day": pa.array([None, dt.date(2020, 1, 1)]),
            "flag": [False, None],
            'Odd "name"': [1, 2],
        }
    )
    engine.write("given", table)
    assert known_columns(engine, "given") == {"text", "number", "day", "flag", 'Odd "name"'} == known_in(table)
    engine.write("given", table.slice(0, 0))
    assert known_columns(engine, "given") == frozenset()


def filled(column: pa.ChunkedArray) -> list[float]:
    """Return the values of a column, -1 where there is none."""
    return pa.compute.fill_null(column, -1).to_pylist()


def test_rules_get_the_figures_of_all_customers(engine: Engine) -> None:
    rest = {"who": "w", "do": ["d"], "measure": ["m"], "channel": "c", "cost": "c", "action": "a"}
    books = parse_playbooks({"playbook": [{"name": "A", "priority": 1, "when": [*RULES, "discount_share > p20"], **rest}, {"name": "B", "priority": 2, "when": [], **rest}]})  # fmt: skip
    table = customers(701)
    engine.write("everyone", table)
    for playbooks in (books, PLAYBOOKS):
        found, expected = playbook_figures(engine, "everyone", playbooks), figures_of(playbooks, table)
        assert found == pytest.approx(expected, rel=1e-11)
        marks = [key for key in expected if not key.endswith("mean")]
        assert [found[key] for key in marks] == [expected[key] for key in marks], "values that occur are not rounded"


def test_a_rule_on_the_wrong_kind_of_column_is_refused(duckdb: Engine) -> None:
    rest = {"who": "w", "do": ["d"], "measure": ["m"], "channel": "c", "cost": "c", "action": "a"}
    books = parse_playbooks({"playbook": [{"name": "A", "priority": 1, "when": ["primary_country > p20"], **rest}, {"name": "B", "priority": 2, "when": [], **rest}]})  # fmt: skip
    duckdb.write("everyone", customers(20))
    with pytest.raises(SettingsError, match='playbook "A": `primary_country > p20`: column primary_country holds text'):
        playbook_figures(duckdb, "everyone", books)


# --- side tables --------------------------------------------------------------------------------------------------


def test_findings_say_what_the_same_customers_say_in_memory(duckdb: Engine) -> None:
    table = customers(1203)
    expected = findings(table, currency="EUR")
    rows = sides(duckdb, table)["findings"].to_pylist()
    assert [row["id"] for row in rows] == [one.id for one in expected]
    for row, one in zip(rows, expected, strict=True):
        assert (row["sentence"], row["unit"], row["n_customers"]) == (one.sentence, one.unit, one.n)
        assert row["value"] == pytest.approx(one.value, abs=1e-6)
        chart = json.loads(row["chart"])
        assert list(chart) == list(one.chart)
        for name, column in one.chart.items():
            texts = [item for item in column if isinstance(item, str)]
            assert chart[name] == (texts or pytest.approx(list(column), rel=1e-6, abs=1e-5)), name


def test_segments_and_playbooks_add_up_their_customers(duckdb: Engine) -> None:
    table = customers(1203)
    found = sides(duckdb, table)
    for name, key in (("segments", "segment_name"), ("playbooks", "playbook")):
        rows = {row[key]: row for row in found[name].to_pylist()}
        assert sum(row["customers"] for row in rows.values()) == table.num_rows
        for text in set(table[key].to_pylist()):
            part = table.filter(pa.compute.equal(table[key], text))
            for column in ("total_spend", "clv_180d", "expected_value_loss"):
                assert rows[text][column] == pytest.approx(part[column].to_numpy().sum(), rel=1e-11)
            assert rows[text]["customers"] == part.num_rows
            assert rows[text]["median_recency_days"] == np.median(part["recency_days"].to_numpy())
            assert rows[text]["mean_orders"] == pytest.approx(part["n_orders"].to_numpy().mean())
            assert rows[text]["churn_probability"] == pytest.approx(part["churn_probability"].to_numpy().mean())
    sale = found["playbooks"].filter(pa.compute.equal(found["playbooks"]["playbook"], "Discount-Driven Shoppers")).to_pylist()[0]
    assert sale["switched_off"] == "this data has no discount_share"
    assert (sale["customers"], sale["matches"], sale["total_spend"], sale["mean_orders"]) == (0, 0, 0.0, None)
    place = [book.name for book in PLAYBOOKS].index("Steady Regulars")
    fits = (table["n_orders"].to_numpy() >= 2) & (table["churn_probability"].to_numpy() < 0.5)
    assert found["playbooks"]["matches"][place].as_py() == fits.sum()


def test_the_heat_map_holds_everybody_with_two_bands(duckdb: Engine) -> None:
    table = customers(1203)
    cells = sides(duckdb, table)["heat_map"].to_pylist()
    assert len(cells) == 9 and sum(cell["n_customers"] for cell in cells) == table.num_rows
    assert sum(cell["share_of_customers"] for cell in cells) == pytest.approx(1)
    assert sum(cell["clv"] for cell in cells) == pytest.approx(table["clv_180d"].to_numpy().sum())
    top = table.filter((pa.compute.field("clv_band") == "High") & (pa.compute.field("churn_band") == "Low"))
    assert cells[2]["n_customers"] == top.num_rows
    assert cells[2]["expected_value_loss"] == pytest.approx(top["expected_value_loss"].to_numpy().sum())


def test_nobody_and_one_customer_are_described(duckdb: Engine) -> None:
    table = customers(2)
    nobody = sides(duckdb, table.slice(0, 0))
    assert nobody["segments"].num_rows == 0 and sum(nobody["playbooks"]["customers"].to_pylist()) == 0
    assert nobody["findings"]["value"].null_count == nobody["findings"].num_rows
    one = sides(duckdb, table.slice(0, 1))
    assert one["findings"]["sentence"].to_pylist() == [found.sentence for found in findings(table.slice(0, 1), currency="EUR")]
    assert {name: rows.schema for name, rows in nobody.items()} == {name: rows.schema for name, rows in one.items()}


def test_a_run_without_chances_and_bands_still_says_what_it_can(duckdb: Engine) -> None:
    table = customers(300, without=("churn_probability", "churn_band", "primary_country"))
    found = {row["id"]: row for row in sides(duckdb, table)["findings"].to_pylist()}
    assert "top_country" in found and found["top_country"]["value"] is None
    assert found["hidden_potential"]["value"] is None and found["revenue_gini"]["value"] > 0


def test_neither_the_order_of_the_rows_nor_threads_change_a_bit() -> None:
    table = customers(5000)
    shuffled = table.take(pa.array(np.random.default_rng(9).permutation(table.num_rows)))
    results = []
    for rows, threads in ((table, 1), (shuffled, 4)):
        opened = DuckDBEngine(threads=threads)
        results.append(sides(opened, rows))
        opened.close()
    assert results[0] == results[1]


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_both_engines_publish_the_same_to_the_last_bit(local_spark, duckdb: Engine) -> None:
    table = customers(4000, seed=8)
    spark = local_spark()
    assert sides(spark, table) == sides(duckdb, table)
    assert sides(spark, table.slice(0, 0)) == sides(duckdb, table.slice(0, 0)), "nobody"
    spark.close()


# --- spend in bins ------------------------------------------------------------------------------------------------


def binned(engine: Engine, spend: np.ndarray) -> SpendBins:
    """Return spend as the engine puts it into bins."""
    engine.write("customers_to_summarise", pa.table({"total_spend": spend}))
    rows = engine.fetch(sql_text("customer_genome.warehouse", "sql/summaries", "spend_bins"))
    return SpendBins(rows["n"].to_numpy(), rows["spend"].to_numpy())


def test_bins_keep_four_digits_also_at_powers_of_ten(engine: Engine) -> None:
    near = [10.0**power * factor for power in range(-4, 14) for factor in (1 - 2e-4, 1.0, 1.0001, 1.0011, 9.998, 9.9995)]
    spend = np.sort(np.round(np.array([0.0, -3.0, *near]), 4))
    found = binned(engine, spend)
    assert found.n == len(spend) and found.sums.sum() == pytest.approx(spend.sum())
    members = np.split(spend, np.cumsum(found.counts)[:-1])
    assert [part.sum() for part in members] == pytest.approx(found.sums.tolist()), "lowest first, and nobody between others"
    assert all(part[-1] - part[0] < 1e-3 * abs(part[0]) or len(set(part)) == 1 for part in members)
    assert any(len(set(part)) > 1 for part in members)


def test_spend_beyond_all_shops_is_one_bin(engine: Engine) -> None:
    found = binned(engine, np.array([5.0, 1e15, 3e15, 2e26]))
    assert found.counts.tolist() == [1, 3] and found.total == pytest.approx(2e26)


@pytest.mark.parametrize(("low", "width"), [(1000.0, 1.0), (1000.0, 9000.0), (100.0, 1e5)])
def test_bins_lose_no_more_than_is_promised(engine: Engine, low: float, width: float) -> None:
    chance = np.random.default_rng(7)
    spend = np.round(low + width * chance.uniform(0, 1, 3000) ** 4, 4)
    rough, exact = binned(engine, spend), spend_bins(spend)
    assert gini_of(exact) - 2.5e-4 <= gini_of(rough) <= gini_of(exact) + 1e-12
    for top in (1, 300, 600, 3000):
        assert rough.of_the_top(top) == pytest.approx(exact.of_the_top(top), abs=2.5e-4 * exact.total)
    assert crowd_of(pa.table({"total_spend": spend})).spend.total == pytest.approx(rough.total)
