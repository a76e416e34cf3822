"""What a choice of clock and model looks at: counted as numpy counts it, nothing after a cutoff, a share where customers are many."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from customer_genome import Genome, run
from customer_genome.features.trials import known_before, known_purchases
from customer_genome.models.btyd.season_fit import DatedHistories
from customer_genome.registry import load_model
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.warehouse.engine import Engine
from customer_genome.workspace import Workspace
from seasonal_shop import START, SeasonalShop, seasonal_shop

AS_OF = START + 640


def date(day: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=int(day))


def dates(days: np.ndarray) -> pa.Array:
    return pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())


def put(engine: Engine, shop: SeasonalShop, as_of: int, horizon_days: int = 180) -> None:
    """Give the engine what a run knows of the shop as of a cutoff."""
    seen = (shop.day >= START) & (shop.day < as_of)
    customer = pa.array(shop.customer[seen]).cast(pa.string())
    cutoff = dates(np.full(int(seen.sum()), as_of))
    engine.write("known_orders", pa.table({"as_of": cutoff, "customer_id": customer, "ordered_on": dates(shop.day[seen])}))
    horizon = pa.array([horizon_days], pa.int32())
    engine.write("cutoffs", pa.table({"as_of": dates(np.array([as_of])), "horizon_days": horizon}))


def sorted_rows(known: DatedHistories, *more: np.ndarray) -> list[tuple[float, ...]]:
    return sorted(zip(known.frequency, known.first_day, known.last_day, known.counts, *more, strict=True))


def as_counts(known: DatedHistories) -> dict[tuple[int, int], float]:
    """Repeat purchases by day and age, old ages together."""
    found: dict[tuple[int, int], float] = {}
    for day, age, n in zip(known.repeat_day.tolist(), known.repeat_age.tolist(), known.repeats.tolist(), strict=True):
        found[day, min(age, 182)] = found.get((day, min(age, 182)), 0.0) + n
    return found


@pytest.fixture(scope="module")
def shop() -> SeasonalShop:
    return seasonal_shop(900, 760, december=3.0, older_days=200, seed=21)


@pytest.fixture
def engine(shop: SeasonalShop) -> DuckDBEngine:
    engine = DuckDBEngine(threads=1)
    put(engine, shop, AS_OF)
    return engine


def test_histories_and_repeats_are_counted_as_numpy_counts_them(shop: SeasonalShop, engine: DuckDBEngine) -> None:
    known, trials = known_purchases(engine)
    truth = shop.known_at(AS_OF).histories
    assert sorted_rows(known) == sorted_rows(truth)
    assert as_counts(known) == as_counts(truth)
    assert (known.start_day, known.end_day) == (truth.start_day, truth.end_day)
    assert [(trial.known.end_day + 1, trial.horizon_days) for trial in trials] == [
        (AS_OF - 180, 180),
        (AS_OF - 270, 180),
        (AS_OF - 360, 180),
    ]
    for trial in trials:
        cutoff = trial.known.end_day + 1
        truth = shop.known_at(cutoff).histories
        assert sum(trial.known.counts) == sum(truth.counts)
        assert as_counts(trial.known) == as_counts(truth)
        each = shop.trial(cutoff, 180)
        assert trial.known.counts @ trial.after == each.after.sum()
        rows, counts = np.unique(
            np.column_stack([each.known.frequency, each.known.first_day, each.known.last_day, each.after]),
            axis=0,
            return_counts=True,
        )
        assert sorted_rows(trial.known, trial.after) == sorted(
            (*row[:3], float(n), row[3]) for row, n in zip(rows.tolist(), counts.tolist(), strict=True)
        )


def test_a_day_before_the_cutoff_can_be_asked_for(shop: SeasonalShop, engine: DuckDBEngine) -> None:
    known, truth = known_before(engine, date(START + 500)), shop.known_at(START + 500).histories
    assert sorted_rows(known) == sorted_rows(truth)
    assert as_counts(known) == as_counts(truth)


def test_many_customers_are_represented_by_some_of_them(engine: DuckDBEngine) -> None:
    everybody, _ = known_purchases(engine)
    some, trials = known_purchases(engine, most_customers=200)
    assert 150 < some.counts.sum() < 250
    assert len(trials) == 3
    assert some.repeats.sum() == some.counts @ some.frequency
    assert (some.start_day, some.end_day) == (everybody.start_day, everybody.end_day)


def test_a_shop_without_purchases_has_nothing_to_look_at() -> None:
    engine = DuckDBEngine(threads=1)
    nothing = np.empty(0, dtype=np.int64)
    put(engine, SeasonalShop(nothing, nothing, np.ones(52)), AS_OF)
    known, trials = known_purchases(engine)
    assert (len(known.counts), trials) == (0, [])


@pytest.mark.spark
@pytest.mark.timeout(600)
def test_spark_counts_the_same(shop: SeasonalShop, engine: DuckDBEngine, local_spark) -> None:
    spark = local_spark()
    put(spark, shop, AS_OF)
    (known, trials), (other, others) = known_purchases(engine), known_purchases(spark)
    for one, two in zip((known, *(trial.known for trial in trials)), (other, *(trial.known for trial in others)), strict=True):
        for field in dataclasses.fields(DatedHistories):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))
    spark.close()


# --- the whole path --------------------------------------------------------------------------------------------------


def published(shop: SeasonalShop, workspace: Path, until: int) -> Genome:
    """Publish the shop's purchases before `until` as of AS_OF."""
    kept = (shop.day >= START) & (shop.day < until)
    lines = pa.table(
        {
            "customer_id": pa.array(shop.customer[kept]).cast(pa.string()),
            "order_id": [f"o{number}" for number in np.flatnonzero(kept)],
            "ordered_at": dates(shop.day[kept]),
            "product_id": [f"p{number % 7}" for number in shop.customer[kept]],
            "quantity": np.ones(int(kept.sum()), dtype=np.int64),
            "price": 5.0 + shop.customer[kept] % 40,
        }
    )
    run(lines, workspace, as_of=date(AS_OF))
    return Genome.open(workspace)


def test_a_line_after_the_cutoff_changes_neither_clock_nor_forecast(shop: SeasonalShop, tmp_path: Path) -> None:
    columns = "customer_id, p_alive, predicted_orders, clv_180d, clv_lower, clv_upper, next_order_on"
    found = []
    for name, until in (("known", AS_OF), ("later", AS_OF + 120)):
        with published(shop, tmp_path / name, until) as genome:
            customers = genome.query(f"select {columns} from customers order by customer_id")
        stored = load_model(Workspace(tmp_path / name).models, "purchases")
        found.append((customers, stored))
    (customers, stored), (later, stored_later) = found
    assert customers.equals(later)
    assert stored.card["clock"] == stored_later.card["clock"] != {}
    assert any(sentence.startswith("Season: learned from 1.8 years") for sentence in stored.arrays["clock_notes"].tolist())
    predicted = sum(customers.column("predicted_orders").to_pylist())
    actual = shop.days_bought(shop.known_at(AS_OF).ids, AS_OF, 180)
    assert abs(np.log(predicted / actual)) < 0.2
    plain = shop.days_bought(shop.known_at(AS_OF).ids, AS_OF - 180, 180)  # the half year before, without a Christmas
    assert predicted > 1.1 * plain
