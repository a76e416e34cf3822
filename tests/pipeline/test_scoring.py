"""Scoring is row by row: who else is in a batch, in which order and how many, changes no prediction and no decision."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.customers import value_at
from customer_genome.errors import SettingsError
from customer_genome.models.btyd.season import Clock, day_number
from customer_genome.models.segmentation.segments import quintile_cuts, rfm_scores
from customer_genome.rules import read_playbooks
from customer_genome.settings import SegmentSettings, Settings
from customer_genome.stages.fitting import Models, fit_models, numbers
from customer_genome.stages.scoring import (
    DECISION_SCHEMA,
    RFM_COLUMNS,
    SCORE_COLUMNS,
    VALUED_SCHEMA,
    Population,
    Valuation,
    decide_customers,
    value_customers,
)
from customer_genome.warehouse.duckdb import DuckDBEngine
from in_memory import clv_cuts
from simulated_facts import AS_OF, engine_with, simulated_facts

SETTINGS = Settings(None)


@pytest.fixture(scope="module")
def facts() -> pa.Table:
    return simulated_facts(1_200, seed=9)


@pytest.fixture(scope="module")
def models(facts) -> Models:
    return fit_models(engine_with(facts), SETTINGS)


def valuation_of(facts: pa.Table, models: Models) -> Valuation:
    return Valuation.of(engine_with(facts), models, SETTINGS, AS_OF, 90)


def seasonal(models: Models) -> Models:
    """Return the models on a clock on which weeks, levels, new and early customers differ."""
    end = day_number(AS_OF) - 1
    plain = Clock()
    weeks = 1 + 0.5 * np.sin(np.arange(len(plain.weeks)) / len(plain.weeks) * 2 * np.pi)
    ages = np.linspace(1.5, 1.0, len(plain.ages))
    clock = Clock(end - 700, end, weeks / weeks.mean(), np.linspace(0.8, 1.2, 25), 0.9, ages, 1.3, ("Season: given.",))
    return replace(models, clock=clock)


def scored(facts: pa.Table, models: Models, playbooks: dict | None = None, settings: Settings = SETTINGS):
    """Return an engine that holds the scored customers, and what was decided."""
    engine = engine_with(facts)
    value_customers(engine, models, settings, AS_OF, 90)
    return engine, decide_customers(engine, models.clusters, settings, playbooks or read_playbooks(None))


def customers_of(engine: DuckDBEngine) -> pa.Table:
    return engine.fetch("select * from scored_customers order by customer_id")


# --- one row depends on itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_clock", [lambda models: models, seasonal], ids=["days", "season"])
@pytest.mark.parametrize("pieces", [2, 15])
def test_any_split_of_the_customers_gives_identical_values(facts, models, pieces, on_clock):
    value = valuation_of(facts, on_clock(models))
    whole = value(facts)
    assert whole.schema == VALUED_SCHEMA
    order = np.random.default_rng(pieces).permutation(facts.num_rows)
    parts = [value(facts.take(pa.array(rows))) for rows in np.array_split(order, pieces)]
    again = pa.concat_tables(parts).sort_by("customer_id")
    assert again.equals(whole.sort_by("customer_id"))


def test_values_do_not_depend_on_giants_in_the_batch(facts, models):
    """Customers who buy daily, or once in years, make neither finer nor coarser grids for others."""
    value = valuation_of(facts, models)
    giant = facts.slice(0, 2).to_pydict() | {
        "customer_id": ["giant", "ghost"],
        "n_purchase_days": [3_000, 1],
        "n_orders": [9_000, 1],
        "activity_days": [3_100, 0],
        "tenure_days": [3_102, 9_000],
        "recency_days": [2, 9_000],
        "mean_spend_per_day": [1e7, 1e-4],
        "total_spend": [3e10, 1e-4],
    }
    beside = pa.concat_tables([facts, pa.table(giant, schema=facts.schema)])
    assert value(beside).slice(0, facts.num_rows).equals(value(facts))


@pytest.mark.parametrize("rows_per_batch", [11, 100, 100_000])
def test_the_size_of_batches_changes_no_decision(facts, models, monkeypatch, rows_per_batch):
    few = facts.slice(0, 150)
    expected = customers_of(scored(few, models)[0])
    monkeypatch.setattr("customer_genome.warehouse.duckdb.ROWS_PER_BATCH", rows_per_batch)
    engine, decided = scored(few, models)
    assert customers_of(engine).equals(expected)
    assert sum(decided.tables["playbooks"]["customers"].to_pylist()) == 150


# --- what a row knows about all ----------------------------------------------------------------------------------


def test_cut_points_asked_in_sql_are_those_of_counting(facts, models):
    population = Population.of(engine_with(facts))
    for name, column in RFM_COLUMNS.items():
        assert np.array_equal(population.rfm_cuts[name], quintile_cuts(numbers(facts, column)))
    assert population.orders_per_day == numbers(facts, "n_orders").sum() / numbers(facts, "n_purchase_days").sum()
    engine, _ = scored(facts, models)
    customers = customers_of(engine)
    rfm = rfm_scores(*(numbers(customers, column) for column in RFM_COLUMNS.values()))
    assert customers["monetary_score"].to_pylist() == rfm.monetary_score.tolist()
    clv, (low, high) = numbers(customers, "clv_180d"), clv_cuts(numbers(customers, "clv_180d"))
    assert low == value_at(clv, 50)
    bands = np.where(clv > high, "High", np.where(clv > low, "Medium", "Low"))
    assert customers["clv_band"].to_pylist() == bands.tolist()


def test_customers_who_are_all_alike_stand_in_the_middle(facts, models):
    alike = pa.concat_tables([facts.slice(0, 1)] * 5).set_column(0, "customer_id", pa.array(list("abcde")))
    customers = customers_of(scored(alike, models)[0])
    for name in ("recency_score", "frequency_score", "monetary_score"):
        assert set(customers[name].to_pylist()) == {3}
    assert set(customers["clv_band"].to_pylist()) == {"Medium"}


def test_bounds_of_the_settings_go_before_counting(facts, models):
    settings = Settings(None, segments=SegmentSettings(clv_bands=(1.0, 1e9), churn_bands=(0.001, 0.999)))
    customers = customers_of(scored(facts, models, settings=settings)[0])
    clv = numbers(customers, "clv_180d")
    assert customers["clv_band"].to_pylist() == np.where(clv > 1, "Medium", "Low").tolist()
    assert "High" not in customers["clv_band"].to_pylist()
    assert set(customers["churn_band"].to_pylist()) <= {"Low", "Medium", "High"}


# --- tables ------------------------------------------------------------------------------------------------------


def test_only_customers_of_the_last_cutoff_are_scored(facts, models):
    earlier = facts.set_column(1, "as_of", pa.array([AS_OF - dt.timedelta(days=30)] * facts.num_rows))
    both, alone = (customers_of(scored(table, models)[0]) for table in (pa.concat_tables([earlier, facts]), facts))
    assert both.equals(alone)
    assert both.num_rows == facts.num_rows
    assert both.column_names[-len(SCORE_COLUMNS) :] == list(SCORE_COLUMNS)


def test_side_tables_add_up_to_the_customers(facts, models):
    engine, decided = scored(facts, models)
    customers = customers_of(engine)
    assert engine.fetch("select * from predictions limit 0").schema.names == DECISION_SCHEMA.names
    for name in ("segments", "playbooks"):
        table = decided.tables[name]
        assert sum(table["customers"].to_pylist()) == facts.num_rows
        assert sum(table["clv_180d"].to_pylist()) == pytest.approx(sum(customers["clv_180d"].to_pylist()))
    assert sum(decided.tables["heat_map"]["n_customers"].to_pylist()) == facts.num_rows


def playbooks_with(rule: str) -> dict:
    last = {
        "name": "Rest",
        "priority": 2,
        "who": "w",
        "when": [],
        "do": ["d"],
        "measure": ["m"],
        "channel": "c",
        "cost": "c",
        "action": "a",
    }
    return {
        "playbook": [last | {"name": "First", "priority": 1, "when": [rule], "action": "{segment_name}: {total_spend}"}, last]
    }


@pytest.mark.parametrize(
    ("rule", "share"),
    [
        ("clv_band = High", 0.2),
        ("expected_value_loss > p75", 0.25),
        ("confidence_score <= p50", 0.5),
        ("churn_band != Nonsense", 1.0),
        ("priority_segment = 'Low value / Low risk'", None),
    ],
)
def test_rules_may_speak_of_bands_and_stakes(facts, models, rule, share):
    engine, decided = scored(facts, models, playbooks_with(rule))
    taken = decided.tables["playbooks"]["customers"].to_pylist()[0]
    if share is not None:
        assert taken / facts.num_rows == pytest.approx(share, abs=0.01)
    customers = customers_of(engine)
    for row in customers.filter(pa.compute.equal(customers["playbook"], "First")).slice(0, 5).to_pylist():
        assert row["recommended_action"].startswith(row["segment_name"] + ": ")


@pytest.mark.parametrize("rule", ["shoe_size > 3", "segment_name > 3", "total_spend = red"])
def test_faults_of_playbooks_are_named_before_the_work(facts, models, rule):
    with pytest.raises(SettingsError, match=rule.split()[0]):
        scored(facts, models, playbooks_with(rule))


def test_a_playbook_the_data_cannot_feed_is_switched_off(facts, models):
    _, decided = scored(facts, models, playbooks_with("discount_share > 0.5"))
    assert decided.notices == ("Playbook First is switched off: this data has no discount_share",)
