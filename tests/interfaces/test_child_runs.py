"""Runs that the dashboard starts: one at a time, followed through files, ended without touching anything else."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from customer_genome.errors import SettingsError, WorkspaceError
from customer_genome.interfaces.recipes import Recipe, as_given, read_mapping, recall, remember
from customer_genome.interfaces.serving import child_runs
from customer_genome.interfaces.serving.child_runs import cancel, latest, put_away, start
from customer_genome.snapshot import current_version
from customer_genome.sources.synthetic import simulate
from customer_genome.workspace import Workspace

PATIENCE = 120.0


def wait(place: Workspace, until=lambda run: not run.is_running):
    """Return the run as soon as something is true of it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        run = latest(place)
        if run is not None and until(run):
            return run
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {latest(place)}")


def is_there(pid: int) -> bool:
    """Return whether a process exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """A workspace folder with nothing in it."""
    return Workspace(tmp_path / "shop")


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A stand-in for Python whose child takes the lock, tells how far it is, and never ends."""
    script = tmp_path / "endless.py"
    script.write_text(
        "import json, sys, time, os\nfrom pathlib import Path\nfrom filelock import FileLock\n"
        "folder = Path(sys.argv[4])\nlock = FileLock(str(folder / 'alive.lock'))\nlock.acquire(timeout=10)\n"
        "sys.stderr.write(json.dumps({'stage': 'clean', 'fraction': 0.2, 'message': 'half way'}) + chr(10)); sys.stderr.flush()\n"
        "(folder / 'started.json').write_text(json.dumps({'pid': os.getpid()}))\ntime.sleep(600)\n"
    )
    runner = tmp_path / "python"
    runner.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    runner.chmod(0o700)
    monkeypatch.setattr(child_runs.sys, "executable", str(runner))
    return script


@pytest.mark.slow
def test_a_run_publishes_and_says_so(place, tmp_path):
    simulate(n_lines=400, seed=3).write_parquet(tmp_path / "lines.parquet")
    recipe = Recipe(str(tmp_path / "lines.parquet"), {"clusters": "3"})
    assert start(place, recipe.arguments(place.root), "First run").is_running
    run = wait(place)
    assert (run.state, run.version, run.label, run.error) == ("published", "v00001", "First run", "")
    assert current_version(place) == "v00001" and run.customers > 10
    assert stat.S_IMODE(place.runs.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) & 0o077 == 0 for file in place.runs.glob("*.jsonl"))
    kept = recall(place)
    assert kept == recipe
    assert kept.changed({"segments.k": "4"}).options["clusters"] == "4"
    put_away(place)
    assert latest(place) is None


def test_a_run_that_fails_says_why_in_the_products_words(place, tmp_path):
    (tmp_path / "odd.csv").write_text("a;b\n1;2\n")
    start(place, Recipe(str(tmp_path / "odd.csv")).arguments(place.root), "Odd")
    run = wait(place)
    assert run.state == "failed" and "odd.csv" in run.error and "\n- " in run.error and not run.error.startswith("Error")
    assert not (place.published / "CURRENT").exists()


def test_the_second_of_two_is_told_and_cancelling_ends_only_the_first(place, endless):
    begun = start(place, ["run"], "Slow")
    assert (begun.state, begun.stage, begun.fraction, begun.message) == ("running", "clean", 0.2, "half way")
    with pytest.raises(WorkspaceError, match="A run is under way in this workspace: Slow"):
        start(place, ["run"], "Second")
    assert latest(Workspace(place.root)).run_id == begun.run_id
    put_away(place)
    assert latest(place).is_running, "a run under way is not put away"
    pid = json.loads((place.runs / "started.json").read_text())["pid"]
    cancel(place)
    assert latest(place).state == "cancelled"
    deadline = time.monotonic() + PATIENCE
    while is_there(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_there(pid)
    cancel(place)
    assert latest(place).state == "cancelled", "cancelling twice does nothing"


def test_a_number_that_belongs_to_another_process_now_is_never_ended(place, endless):
    start(place, ["run"], "Slow")
    cancel(place)
    (place.runs / "cancelled").unlink()
    (place.runs / "started.json").write_text(json.dumps({"pid": os.getpid()}))
    cancel(place)  # would end the tests
    assert latest(place).state == "failed" and "ended without a word" in latest(place).error


def test_a_fault_of_the_product_is_called_so_and_quotes_no_data(place):
    place.runs.mkdir(parents=True)
    (place.runs / "run.json").write_text('{"id": "1", "label": "x", "upload": "", "started_at": "2024-01-01T00:00:00+00:00"}')
    (place.runs / "started.json").write_text('{"pid": 1}')
    (place.runs / "progress.jsonl").write_text("Traceback (most recent call last):\n  File ...\nValueError: customer 4711\n")
    run = latest(place)
    assert run.state == "failed" and "(ValueError)" in run.error and "4711" not in run.error


def test_options_cannot_be_smuggled_in():
    arguments = Recipe("--workspace=/elsewhere", {"clusters": "--refit"}).arguments(Path("/shop"), "2024-01-01")
    assert arguments == ["run", "--workspace=/shop", "--clusters=--refit", "--as-of=2024-01-01", "--", "--workspace=/elsewhere"]
    with pytest.raises(SettingsError, match=r"engine\.name cannot be changed for one run"):
        Recipe().changed({"engine.name": "spark"})


def test_what_cannot_be_run_again_is_said(place, tmp_path):
    place.prepare()
    with pytest.raises(WorkspaceError, match="not known which data"):
        recall(place)
    lines = tmp_path / "lines.csv"
    lines.write_text("x")
    assert recall(place, {"files_read": [str(lines)]}).data == str(lines)
    ledger = {"kept": {"rows": 10}}
    with pytest.raises(WorkspaceError, match="genome refresh --refit"):
        recall(place, {"files_read": [str(lines)], "ledger": ledger, "rows_added": 4})
    remember(place.root, str(lines), as_given({"seed": 3, "clusters": None}))
    assert recall(place) == Recipe(str(lines), {"seed": "3"})
    lines.unlink()
    with pytest.raises(WorkspaceError, match=r"lines\.csv is not there any more"):
        recall(place)
    remember(place.root, "postgresql://me:secret@host/shop", {})
    assert "secret" not in place.last_run.read_text()
    with pytest.raises(WorkspaceError, match="PGPASSWORD"):
        recall(place)
    place.last_run.write_text('{"data": "x", "options": {"debug": "1"}}')
    with pytest.raises(WorkspaceError, match="not known which data"):
        recall(place)


def test_a_mapping_holds_tables_and_nothing_else(tmp_path):
    path = tmp_path / "mapping.toml"
    path.write_text('[tables.order_lines.columns]\ncustomer_id = "Client"\n')
    assert read_mapping(path) == {"order_lines": {"columns": {"customer_id": "Client"}}}
    path.write_text('[engine]\nname = "spark"\n')
    with pytest.raises(SettingsError, match="holds engine"):
        read_mapping(path)
