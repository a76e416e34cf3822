"""A refresh killed at any moment leaves warehouse and version as they were, and the next one makes up for it."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from customer_genome.genome import Genome
from customer_genome.snapshot import current_version, damaged_files, read_snapshot
from customer_genome.workspace import Workspace

from .conftest import Shop, write_rows

GENOME = [sys.executable, "-m", "customer_genome.interfaces.cli"]


def killed(shop: Shop, stage: str, delay: float) -> int:
    """Start a refresh, kill it `delay` seconds after it announces a stage, return its exit code."""
    command = [*GENOME, "refresh", str(shop.data), "--workspace", str(shop.workspace), "--progress", "json"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for text in process.stderr:
        assert text.startswith("{"), text
        if json.loads(text)["stage"] == stage:
            break
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.stderr.close()
    return process.wait()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.timeout(600)
def test_killed_refreshes_leave_everything_as_it_was_and_the_next_one_publishes(shop, another):
    workspace = Workspace(shop.workspace)
    write_rows(shop.data / "2024.csv", shop.later)
    before = current_version(workspace), digest(workspace.warehouse)
    for stage, delay in (
        ("read", 0.0),
        ("read", 0.05),
        ("clean", 0.0),
        ("clean", 0.1),
        ("facts", 0.0),
        ("score", 0.2),
        ("publish", 0.0),
    ):
        code = killed(shop, stage, delay)
        assert code == -signal.SIGKILL
        assert (current_version(workspace), digest(workspace.warehouse)) == before, (stage, delay)
        assert damaged_files(read_snapshot(workspace)) == []
    result = shop.refresh()
    assert (result.rows_read, result.rows_added, result.version) == (60, 60, "v00002")
    assert not workspace.building.exists()
    whole = another("whole")
    whole.run(shop.data)
    with Genome.open(shop.workspace) as one, Genome.open(whole.workspace) as other:
        assert one.table("orders").equals(other.table("orders"))


def test_killed_between_the_version_and_its_warehouse_the_next_refresh_adds_the_same_rows(shop, monkeypatch):
    write_rows(shop.data / "2024.csv", shop.later)
    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "switch_warehouse", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shop.refresh()
    assert current_version(Workspace(shop.workspace)) == "v00002"
    with Genome.open(shop.workspace) as genome:
        first = genome.table("orders"), genome.table("ledger")
    result = shop.refresh()
    assert (result.rows_read, result.rows_added, result.is_new) == (60, 60, True)
    with Genome.open(shop.workspace) as genome:
        assert first[0].equals(genome.table("orders")) and first[1].equals(genome.table("ledger"))
