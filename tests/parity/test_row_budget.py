"""What comes to the driver does not grow with the customers: collapsed counts, a sample, small summaries, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from customer_genome.genome import Genome
from customer_genome.settings import RecommendSettings
from customer_genome.sources.synthetic import simulate
from repository import ROOT

pytestmark = [pytest.mark.spark]
MOST_EXAMINED = 5_000
"""Customers on whom reasons are looked over for a whole shop, however large it is."""
MOST_TRIALS = 8
"""Cutoffs at which models are tried, and the last one."""
MOST_PAST = 5
"""Earlier cutoffs that the champion forecast learns from."""


def run_within_budget(folder, n_lines, fit_sample, most_in_trials, most_purchases, largest_table, seconds):
    """Run in a process with 1 GB for Java and 64 MB for results; hold what came to the driver to what may come."""
    lines, workspace = folder / "lines.parquet", folder / "workspace"
    simulate(n_lines=n_lines, seed=3).write_parquet(lines)
    script = ROOT / "tests" / "parity" / "through_budget.py"
    command = [sys.executable, str(script), str(lines), str(workspace), *map(str, (fit_sample, most_in_trials, most_purchases))]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=dict(os.environ))
    assert ran.returncode == 0, ran.stderr[-3000:]
    counted = json.loads(ran.stdout.splitlines()[-1])
    with Genome.open(workspace) as genome:
        customers = "select distinct n_purchase_days, activity_days, tenure_days from customers"
        n_histories = genome.query(f"select count(*) as n from ({customers})")["n"][0].as_py()
        assert genome.query("select count(*) as n from customers")["n"][0].as_py() == counted["customers"]
        assert set(genome.snapshot.parquet) == {"customers", "orders", "daily", "products", "returns", "recommendations"}
        listed = genome.query("select count(distinct customer_id) as n from recommendations")["n"][0].as_py()
        assert listed == min(counted["customers"], RecommendSettings().most_customers)
    rows = {
        kind: [n for n, columns in counted["arrived"] if kind_of(columns) == kind]
        for kind in ("sample", "learned", "taste", "trial", "histories", "small")
    }
    drawn = 1.3 * most_in_trials  # a draw by digest is about as large as it should be
    assert sum(rows["sample"]) <= 1.1 * fit_sample + MOST_PAST * drawn, counted["arrived"]
    assert sum(rows["learned"]) <= (2 * MOST_PAST + 1) * drawn + 1.3 * MOST_EXAMINED, counted["arrived"]
    assert len(rows["taste"]) == 1 and rows["taste"][0] <= 1.3 * 2 * most_purchases, counted["arrived"]  # with their customers
    assert sum(rows["trial"]) <= MOST_TRIALS * 2 * most_in_trials * (1 + MOST_PAST), counted["arrived"]
    assert max(rows["histories"]) <= n_histories and len(rows["histories"]) <= 3 + MOST_PAST, counted["arrived"]
    assert max(rows["small"]) <= largest_table < counted["customers"] / 1.5, counted["arrived"]
    assert sum(rows["small"]) <= 4 * largest_table, counted["arrived"]
    return counted | {"rows": {kind: sum(found) for kind, found in rows.items()}, "arrived": counted["arrived"][:12]}


def kind_of(columns):
    """Return what rows with these columns are: customers, those a champion learns from, purchases that recommendations are learned
    from, dated histories of a draw, or collapsed ones."""
    if {"customer_id", "orders_last_horizon"} <= set(columns) or columns == ["customer_id", "n_orders", "spend"]:
        return "learned"
    if "codes" in columns:
        return "taste"
    if "customer_id" in columns:
        return "sample"
    if "first_on" in columns or {"age_days", "n_repeats"} <= set(columns):
        return "trial"
    return "histories" if {"frequency", "recency_days", "age_days", "n_customers"} <= set(columns) else "small"


@pytest.mark.timeout(1200)
def test_the_driver_sees_counts_and_a_sample_only(tmp_path):
    counted = run_within_budget(
        tmp_path, 300_000, fit_sample=2_000, most_in_trials=500, most_purchases=20_000, largest_table=16_000, seconds=1100
    )
    assert counted["customers"] > 15_000


@pytest.mark.slow
@pytest.mark.timeout(14_400)
def test_two_million_customers_pass_through_a_driver_of_one_gigabyte(tmp_path):
    counted = run_within_budget(
        tmp_path,
        20_000_000,
        fit_sample=250_000,
        most_in_trials=50_000,
        most_purchases=400_000,
        largest_table=60_000,
        seconds=14_000,
    )
    assert counted["customers"] > 1_500_000
    sys.stdout.write(json.dumps(counted) + "\n")
