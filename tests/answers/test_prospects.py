"""One customer's months to come agree with what was published, for every kind of customer, and end politely without models."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from customer_genome.answers.prospects import prospect_of
from customer_genome.errors import RegistryError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from published_shops import publish_simulated

runner = CliRunner()


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prospects")
    publish_simulated(root)
    return root


@pytest.fixture(scope="module")
def customers(workspace: Path) -> list[str]:
    """Return a frequent, a lapsed and a one-time buyer."""
    with Genome.open(workspace) as genome:
        return [
            genome.query(f"select customer_id from customers order by {order}, customer_id limit 1").column(0)[0].as_py()
            for order in ("n_orders desc", "p_alive", "n_purchase_days, recency_days desc")
        ]


def test_months_agree_with_the_published_figures(workspace, customers):
    with Genome.open(workspace) as genome:
        for one in customers:
            record = genome.customer(one)
            prospect = prospect_of(genome, record, 12)
            assert len(prospect.months) == 12
            assert prospect.months[0].starts_on == record["as_of"]
            assert all(a.ends_on == b.starts_on for a, b in zip(prospect.months, prospect.months[1:], strict=False))
            assert prospect.next_order_on == record["next_order_on"]
            assert prospect.next_order_lower == record["next_order_lower"]
            assert prospect.next_order_upper == record["next_order_upper"]
            half_year = record["as_of"] + dt.timedelta(days=180)
            before = max((month for month in prospect.months if month.ends_on <= half_year), key=lambda month: month.ends_on)
            after = min((month for month in prospect.months if month.ends_on > half_year), key=lambda month: month.ends_on)
            assert before.value_so_far <= record["clv_180d"] * 1.0001
            assert record["clv_180d"] <= after.value_so_far * 1.0001
            assert before.upper <= record["clv_upper"] * 1.01
            assert record["clv_upper"] <= after.upper * 1.01


def test_next_orders_are_in_order(workspace):
    with Genome.open(workspace) as genome:
        wrong = genome.query(
            "select count(*) from customers where next_order_lower > next_order_on or next_order_on > next_order_upper "
            "or (next_order_lower is null and next_order_on is not null) or (next_order_on is null and next_order_upper is not null) "
            "or next_order_lower < as_of"
        )
        assert wrong.column(0)[0].as_py() == 0
        known = genome.query("select count(next_order_lower) from customers")
        assert known.column(0)[0].as_py() > 0


def test_the_command_shows_them(workspace, customers):
    shown = runner.invoke(app, ["show", customers[0], "-w", str(workspace), "--months", "3"], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "Months to come" in shown.stdout
    assert "80 %:" in shown.stdout
    as_json = runner.invoke(app, ["show", customers[0], "-w", str(workspace), "--months", "24", "--json"], catch_exceptions=False)
    ahead = json.loads(as_json.stdout)
    assert len(ahead["months"]) == 24
    assert {"starts_on", "ends_on", "orders", "revenue", "value", "value_so_far", "lower", "upper"} == set(ahead["months"][0])
    assert ahead["months"][-1]["lower"] <= ahead["months"][-1]["value_so_far"] <= ahead["months"][-1]["upper"]


def test_without_the_models_the_published_figures_are_still_shown(workspace, customers, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(workspace, copy)
    shutil.rmtree(copy / "models" / "purchases")
    with Genome.open(copy) as genome, pytest.raises(RegistryError, match="Fit one with"):
        prospect_of(genome, genome.customer(customers[0]))
    shown = runner.invoke(app, ["show", customers[0], "-w", str(copy)], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "Value over 180 days" in shown.output
    assert "No months to come" in shown.output
