"""What comes to the driver does not grow with the customers: collapsed counts, a sample, small summaries, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from customer_genome.genome import Genome
from customer_genome.sources.synthetic import simulate
from repository import ROOT

pytestmark = [pytest.mark.spark]
SMALL_TABLES = 6_000
"""Rows that summaries, cuts, findings and checks may bring, however many customers there are."""


def run_within_budget(folder, n_lines, fit_sample, seconds):
    """Run in a process with 1 GB for Java and 64 MB for results; return what it counted."""
    lines, workspace = folder / "lines.parquet", folder / "workspace"
    simulate(n_lines=n_lines, seed=3).write_parquet(lines)
    script = ROOT / "tests" / "parity" / "through_budget.py"
    command = [sys.executable, str(script), str(lines), str(workspace), str(fit_sample)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, env=dict(os.environ))
    assert ran.returncode == 0, ran.stderr[-3000:]
    counted = json.loads(ran.stdout.splitlines()[-1])
    with Genome.open(workspace) as genome:
        customers = "select n_purchase_days, activity_days, tenure_days from customers"
        n_histories = genome.query(f"select count(*) as n from (select distinct * from ({customers}))")["n"][0].as_py()
        assert genome.query("select count(*) as n from customers")["n"][0].as_py() == counted["customers"]
        assert set(genome.snapshot.parquet) == {"customers", "orders", "daily", "products"}
    budget = n_histories + 1.1 * fit_sample + SMALL_TABLES
    assert budget < counted["customers"] + n_histories, "the shop is too small to tell"
    assert counted["arrived"] <= budget, counted
    return counted


@pytest.mark.timeout(1200)
def test_the_driver_sees_counts_and_a_sample_only(tmp_path):
    counted = run_within_budget(tmp_path, n_lines=200_000, fit_sample=2_000, seconds=1100)
    assert counted["customers"] > 15_000


@pytest.mark.slow
@pytest.mark.timeout(14_400)
def test_two_million_customers_pass_through_a_driver_of_one_gigabyte(tmp_path):
    counted = run_within_budget(tmp_path, n_lines=20_000_000, fit_sample=250_000, seconds=14_000)
    assert counted["customers"] > 1_500_000
    sys.stdout.write(json.dumps(counted) + "\n")
