"""`genome parity` prints what was compared, and its exit code says whether anything differs."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from customer_genome.interfaces.cli import app
from customer_genome.interfaces.commands import parity as parity_command
from customer_genome.proof.parity import compare
from customer_genome.warehouse.duckdb import DuckDBEngine


def engine_with(spend):
    engine = DuckDBEngine(threads=1)
    engine.write("facts", pa.table({"customer_id": ["a", "b"], "spend": spend}))
    return engine


@pytest.fixture
def proven(monkeypatch):
    """Let the command find what two small engines hold instead of building everything on Spark."""

    def give(one, other):
        report = compare(engine_with(one), engine_with(other), {"facts": ("customer_id",)})
        monkeypatch.setattr(parity_command, "_prove", lambda settings, data, tell: report)

    return give


def ask(folder, *options):
    return CliRunner().invoke(app, ["parity", "lines.csv", "-w", str(folder), "--progress", "none", *options])


def test_no_difference_is_success(proven, tmp_path):
    proven([1.0, 2.0], [1.0, 2.0 * (1 + 1e-12)])
    result = ask(tmp_path, "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (said["differences"], said["tables"], said["columns"]) == (0, 1, 2)
    assert said["max_relative_difference"] == pytest.approx(1e-12, rel=1e-3)
    assert "0 differences in 1 tables and 2 columns" in " ".join(ask(tmp_path).stdout.split())


def test_a_difference_is_told_and_fails(proven, tmp_path):
    proven([1.0, 2.0], [1.0, 3.0])
    result = ask(tmp_path)
    assert result.exit_code == 1
    assert "facts.spend: 1 rows differ, such as customer_id b: 2.0 and 3.0" in " ".join(result.stdout.split())
    assert json.loads(ask(tmp_path, "--json").stdout)["differences"] == 1


def test_wrong_options_are_a_usage_error(tmp_path):
    assert ask(tmp_path, "--refunds", "maybe").exit_code == 2
    assert ask(tmp_path, "--progress", "loud").exit_code == 2
