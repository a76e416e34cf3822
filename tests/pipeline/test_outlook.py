"""The published outlook: equal to the sum over published customers, and actual counts equal to SQL on published orders."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from customer_genome import Genome, run, simulate
from customer_genome.models.btyd.season import day_number
from customer_genome.stages.fitting import Models, load_champions
from customer_genome.stages.outlook import SCHEMAS, month_ends
from customer_genome.stages.scoring import DAYS_OF_MEAN_ORDERS_PER_DAY
from customer_genome.workspace import Workspace
from published_shops import one_customer, publish_rows

AS_OF = dt.date(2025, 3, 15)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated shop, published as of a day before its last line."""
    workspace = tmp_path_factory.mktemp("outlook")
    lines = simulate(n_lines=6_000, seed=4).order_lines().read_all()
    last = pc.max(lines.column("ordered_at")).as_py().date()
    run(lines, workspace, as_of=last - dt.timedelta(days=20))
    return workspace


def column(genome: Genome, table: str, name: str, where: str = "true") -> np.ndarray:
    """A column of a published table."""
    return genome.query(f"select {name} as value from {table} where {where}").column("value").to_numpy()


def expected_of(models: Models, as_of: dt.date, history: list[np.ndarray], horizon_days: int) -> np.ndarray:
    """Expected purchase days of every customer, one by one, on the clock the models were fitted on."""
    out = np.zeros(len(history[0]))
    for part in models.clock.parts(day_number(as_of), *history):
        out[part.rows] = models.purchases.expected_orders(part.frequency, part.recency, part.age, float(part.times(horizon_days)))
    return out


def test_forecasts_are_sums_over_published_customers(shop):
    models, _ = load_champions(Workspace(shop).models)
    with Genome.open(shop) as genome:
        history = [column(genome, "customers", name) for name in ("n_purchase_days - 1", "activity_days", "tenure_days - 1")]
        worth = models.spend.expected_spend(history[0] + 1, column(genome, "customers", "mean_spend_per_day"))
        as_of, horizon = dt.date.fromisoformat(genome.manifest["as_of"]), int(genome.manifest["horizon_days"])
        _, of = np.unique(column(genome, "customers", "cast(date_trunc('month', first_order_on) as date)"), return_inverse=True)
        own = expected_of(models, as_of, history, horizon)
        n_days, n_orders = history[0] + 1, column(genome, "customers", "n_orders")
        prior = DAYS_OF_MEAN_ORDERS_PER_DAY
        orders_a_day = (n_orders + prior * n_orders.sum() / n_days.sum()) / (n_days + prior)
        days = column(genome, "customers", "predicted_orders") / orders_a_day
        spend = column(genome, "customers", "predicted_spend")
        by_days, by_money = (
            np.bincount(of, published) / np.bincount(of, models_say)
            for published, models_say in ((days, own), (spend, own * worth))
        )
        assert not np.allclose(by_money, 1.0), "the champion has a say"
        for period in ("month", "week"):
            end = genome.query(f"select max(ends_on) as e from forecast where period = '{period}'").column(0)[0].as_py()
            each = expected_of(models, as_of, history, (end - as_of).days)
            ahead = np.bincount(of, each) * by_days, np.bincount(of, each * worth) * by_money
            assert column(genome, "forecast", "purchase_days", f"period = '{period}'").sum() == pytest.approx(ahead[0].sum())
            assert column(genome, "forecast", "revenue", f"period = '{period}'").sum() == pytest.approx(ahead[1].sum())
        year = expected_of(models, as_of, history, 365)
        published = genome.query("select purchase_days, revenue from cohort_forecast order by cohort")
        np.testing.assert_allclose(published["purchase_days"].to_numpy(), np.bincount(of, year) * by_days, rtol=1e-9)
        np.testing.assert_allclose(published["revenue"].to_numpy(), np.bincount(of, year * worth) * by_money, rtol=1e-9)


def test_a_forecast_knows_december_and_so_did_the_one_it_is_judged_by(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("seasonal")
    busy = (0.8, 0.8, 1, 1, 1, 1, 0.8, 0.8, 1, 1.2, 1.6, 2.2)
    shop = simulate(n_lines=30_000, seed=3, days=900, month_multipliers=busy)
    run(shop.order_lines().read_all(), workspace)
    models, _ = load_champions(Workspace(workspace).models)
    with Genome.open(workspace) as genome:
        rows = genome.query("select * from forecast where period = 'month' and is_complete order by starts_on").to_pylist()
        error = genome.table("tracking_error").to_pylist()[0]
    assert not models.clock.is_plain, "two and a half years and thousands of repeats are enough to learn from"
    a_day = [row["purchase_days"] / (row["ends_on"] - row["starts_on"]).days for row in rows]
    december = next(place for place, row in enumerate(rows) if row["starts_on"].month == 12)
    assert a_day[december] == max(a_day[:12]) and max(a_day[:12]) / min(a_day[:12]) > 1.5
    assert abs(error["error_of_total"]) < 0.25


def test_the_months_of_all_cohorts_add_up_to_the_months_of_the_shop(shop):
    with Genome.open(shop) as genome:
        by_cohort = genome.query(
            "select starts_on, sum(revenue) as r, count(*) as n from cohort_months group by 1 order by 1"
        ).to_pylist()
        months = genome.query("select starts_on, revenue as r from forecast where period = 'month' order by 1").to_pylist()
        cohorts = len(column(genome, "cohort_forecast", "cohort"))
    assert [row["starts_on"] for row in by_cohort] == [row["starts_on"] for row in months]
    assert [row["r"] for row in by_cohort] == pytest.approx([row["r"] for row in months])
    assert {row["n"] for row in by_cohort} == {cohorts}


def test_cohorts_hold_every_customer_and_all_their_money(shop):
    with Genome.open(shop) as genome:
        assert column(genome, "cohort_forecast", "customers").sum() == genome.manifest["customers"]
        assert column(genome, "cohort_forecast", "spend_so_far").sum() == pytest.approx(genome.manifest["revenue"])
        known = genome.query(
            "select sum(o.revenue) as value from orders as o inner join customers as c using (customer_id) "
            "where o.ordered_on < c.first_order_on + 365"
        ).column(0)[0].as_py()  # fmt: skip
        assert column(genome, "cohort_forecast", "first_year_known").sum() == pytest.approx(float(known))


def test_actual_counts_are_those_of_the_published_orders(shop):
    with Genome.open(shop) as genome:
        error = genome.table("tracking_error").to_pylist()[0]
        cut = error["calibration_on"].isoformat()
        days = (
            "with days as (select distinct customer_id, ordered_on, min(ordered_on) over (partition by customer_id) as first_on from orders), "
            f"known as (select * from days where first_on < date '{cut}')"
        )
        held = genome.query(f"{days} select count(*) as n from known where ordered_on >= date '{cut}'").column(0)[0].as_py()
        repeats = genome.query(f"{days} select count(*) as n from known where ordered_on > first_on").column(0)[0].as_py()
        customers = genome.query(f"{days} select count(distinct customer_id) as n from known").column(0)[0].as_py()
        tracking, fit = genome.table("tracking"), genome.table("frequency_fit")
    assert pc.sum(pc.filter(tracking["actual"], tracking["is_holdout"])).as_py() == held == error["actual"]
    assert tracking["actual_total"].to_pylist()[-1] == repeats == pc.sum(tracking["actual"]).as_py()
    assert pc.sum(fit["customers"]).as_py() == customers == error["customers"]
    assert pc.sum(fit["holdout_days"]).as_py() == held
    assert pc.sum(fit["expected_customers"]).as_py() == pytest.approx(customers)
    expected = pc.sum(pc.filter(tracking["expected"], tracking["is_holdout"])).as_py()
    assert pc.sum(fit["expected_holdout_days"]).as_py() == pytest.approx(expected) == pytest.approx(error["expected"])
    assert error["error_of_total"] == pytest.approx(expected / held - 1)


def test_weeks_follow_each_other_and_meet_where_the_model_stopped_learning(shop):
    with Genome.open(shop) as genome:
        rows = genome.table("tracking").to_pylist()
        error = genome.table("tracking_error").to_pylist()[0]
        as_of = dt.date.fromisoformat(genome.manifest["as_of"])
    assert all(one["ends_on"] == other["starts_on"] for one, other in pairwise(rows))
    assert rows[-1]["ends_on"] == as_of
    first_held = next(row for row in rows if row["is_holdout"])
    assert first_held["starts_on"] == error["calibration_on"] == as_of - dt.timedelta(days=error["holdout_days"])
    assert all(row["is_complete"] for row in rows[1:])


def test_what_comes_after_the_cutoff_changes_nothing(shop, tmp_path):
    lines = simulate(n_lines=6_000, seed=4).order_lines().read_all()
    with Genome.open(shop) as genome:
        as_of = dt.date.fromisoformat(genome.manifest["as_of"])
        run(lines.filter(pc.less(lines.column("ordered_at"), dt.datetime.combine(as_of, dt.time()))), tmp_path, as_of=as_of)
        with Genome.open(tmp_path) as other:
            for name in SCHEMAS:
                one, also = genome.table(name), other.table(name)
                assert one.num_rows == also.num_rows
                for title in one.column_names:
                    was, would = one[title].to_pylist(), also[title].to_pylist()
                    assert was == (pytest.approx(would, rel=1e-9) if isinstance(was[0], float) else would)


def test_a_shop_too_young_has_the_tables_without_what_nobody_can_know(tmp_path):
    publish_rows(tmp_path, one_customer())
    with Genome.open(tmp_path) as genome:
        assert {name: genome.table(name).num_rows for name in ("tracking", "tracking_error", "frequency_fit", "alive_matrix")} == {
            "tracking": 0, "tracking_error": 0, "frequency_fit": 0, "alive_matrix": 0,
        }  # fmt: skip
        assert genome.table("forecast").num_rows >= 50
        for name, schema in SCHEMAS.items():
            assert genome.table(name).column_names == schema.names


def test_months_end_where_calendar_months_do():
    assert month_ends(dt.date(2024, 1, 31), 2) == [dt.date(2024, 2, 1), dt.date(2024, 3, 1), dt.date(2024, 4, 1)]
    assert month_ends(dt.date(2023, 12, 1), 1) == [dt.date(2024, 1, 1)]
    assert len(month_ends(AS_OF)) == 25
