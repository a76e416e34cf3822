"""A run killed at any moment leaves the version published before current, whole and readable."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from customer_genome.genome import Genome
from customer_genome.registry import aliases
from customer_genome.snapshot import current_version, damaged_files, read_snapshot, versions
from customer_genome.sources.synthetic import simulate
from customer_genome.stages.fitting import KINDS
from customer_genome.workspace import Workspace

GENOME = [sys.executable, "-m", "customer_genome.interfaces.cli"]
STAGES = ("read", "clean", "facts", "score", "publish")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace with one published version, and the file it was made from."""
    folder = tmp_path_factory.mktemp("kill")
    data = folder / "lines.parquet"
    simulate(n_lines=60_000, seed=3).write_parquet(data)
    subprocess.run(
        [*GENOME, "run", str(data), "--workspace", str(folder / "w"), "--progress", "none"], check=True, capture_output=True
    )
    return folder / "w", data


def run_until(workspace: Path, data: Path, stage: str, delay: float) -> int:
    """Start a run, kill it `delay` seconds after it announces a stage, return its exit code."""
    process = subprocess.Popen(
        [*GENOME, "run", str(data), "--workspace", str(workspace), "--progress", "json"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for text in process.stderr:
        if text.startswith("{") and json.loads(text)["stage"] == stage:
            break
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.stderr.close()
    return process.wait()


def champions_of(workspace: Workspace) -> dict[str, str]:
    """Return which version of each kind of model scores from now on."""
    return {kind: aliases(workspace.models, kind)["champion"] for kind in KINDS}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("delay", [0.0, 0.08])
def test_killed_run_leaves_the_old_version(published: tuple[Path, Path], stage: str, delay: float) -> None:
    folder, data = published
    workspace = Workspace(folder)
    before, champions = current_version(workspace), champions_of(workspace)
    code = run_until(folder, data, stage, delay)
    after = current_version(workspace)
    assert after != before or champions_of(workspace) == champions
    if code == 0:  # the run was faster than the kill: it must then have published whole
        assert after != before
    snapshot = read_snapshot(workspace)
    assert snapshot.version in versions(workspace)
    assert damaged_files(snapshot) == []
    with Genome.open(folder) as genome:
        assert genome.query("select count(*) as n from customers")["n"][0].as_py() == genome.manifest["customers"]


def test_a_run_after_the_kills_cleans_up_and_publishes(published: tuple[Path, Path]) -> None:
    folder, data = published
    run_until(folder, data, "score", 0.0)
    subprocess.run([*GENOME, "run", str(data), "--workspace", str(folder), "--progress", "none"], check=True, capture_output=True)
    assert list((folder / "published").glob("*.tmp")) == []
    assert not (folder / "warehouse" / "building.duckdb").exists()


def test_two_runs_at_once_on_one_workspace(published: tuple[Path, Path]) -> None:
    folder, data = published
    with Workspace(folder).locked():
        second = subprocess.run(
            [*GENOME, "run", str(data), "--workspace", str(folder), "--progress", "none"], capture_output=True, text=True
        )
    assert second.returncode == 1
    assert second.stderr.startswith("Error: Another run is writing to")
    assert "Traceback" not in second.stderr
