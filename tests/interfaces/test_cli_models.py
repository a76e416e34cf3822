"""`genome models` on a workspace with two fits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from customer_genome.interfaces.cli import app
from customer_genome.registry import make_champion, save_model

CARD = {"model": "BG/NBD", "features": ["frequency"], "as_of": "2011-12-10", "n_customers": 2357}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for run, r in enumerate((0.243, 0.25)):
        card = {
            **CARD,
            "fitted_at": f"run {run}",
            "parameters": {"r": r},
            "standard_errors": {"r": 0.01},
            "log_likelihood": -9582.43,
        }
        make_champion(tmp_path / "models", "purchases", save_model(tmp_path / "models", "purchases", {"r": np.array([r])}, card))
    return tmp_path


def genome(workspace: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments, "--workspace", str(workspace)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_shows_versions_and_aliases(workspace: Path) -> None:
    rows = json.loads(genome(workspace, "list", "--json"))["models"]
    assert [(row["version"], row["aliases"]) for row in rows] == [("v00001", ["previous"]), ("v00002", ["champion"])]
    assert "2,357" in genome(workspace, "list")


def test_show_prints_parameters_with_errors(workspace: Path) -> None:
    shown = genome(workspace, "show", "purchases", "v00001")
    assert "0.243" in shown and "0.01" in shown and "-9,582.43" in shown and "features: frequency" in shown
    assert json.loads(genome(workspace, "show", "purchases", "--json"))["version"] == "v00002"


def test_compare_puts_numbers_side_by_side(workspace: Path) -> None:
    found = json.loads(genome(workspace, "compare", "purchases", "--json"))
    assert (found["before"], found["after"], found["same_features"]) == ("v00001", "v00002", True)
    [r] = [row for row in found["figures"] if row["name"] == "parameters.r"]
    assert (r["before"], r["after"]) == (0.243, 0.25) and r["change"] == pytest.approx(0.007)
    assert "same features" in genome(workspace, "compare", "purchases")


def test_rollback_and_promote_say_who_scores_now(workspace: Path) -> None:
    assert "purchases v00001" in genome(workspace, "rollback")
    assert json.loads(genome(workspace, "promote", "purchases", "v00002", "--json")) == {"champions": {"purchases": "v00002"}}


def test_an_empty_workspace_says_what_to_do(tmp_path: Path) -> None:
    assert "genome run DATA" in genome(tmp_path, "list")
