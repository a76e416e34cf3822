"""A real cluster, one master and two workers on this machine, gives what DuckDB gives, also when a worker dies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from customer_genome.proof.parity import compare_versions
from customer_genome.sources.synthetic import simulate
from repository import ROOT

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]
PACKAGE = "org.apache.spark.deploy"


@dataclass
class Cluster:
    """A running cluster: its address, the master's process and the workers'."""

    master: str
    processes: list[subprocess.Popen[bytes]]
    log: Path

    def started(self, *arguments: str) -> subprocess.Popen[bytes]:
        import pyspark

        home = Path(pyspark.__file__).parent
        environment = os.environ | {
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "TZ": "America/St_Johns",  # neither workers nor driver live in UTC, nor in one zone
            "SPARK_DAEMON_MEMORY": "200m",
            "SPARK_DAEMON_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [home / "bin" / "spark-class", *arguments], env=environment, stdout=log, stderr=log, cwd=self.log.parent
            )
        self.processes.append(process)
        return process

    def add_worker(self, folder: Path) -> subprocess.Popen[bytes]:
        size = ("--cores", "1", "--memory", "700m", "--webui-port", "0", "--work-dir", str(folder))
        return self.started(f"{PACKAGE}.worker.Worker", "--host", "127.0.0.1", *size, self.master)

    def wait_for(self, text: str, times: int = 1, seconds: float = 60) -> None:
        """Wait until the log says something as often as wanted."""
        until = time.monotonic() + seconds
        while self.log.read_text("utf-8").count(text) < times:
            assert time.monotonic() < until, f"{text!r} is not in {self.log.read_text('utf-8')[-3000:]}"
            assert self.processes[0].poll() is None, self.log.read_text("utf-8")[-3000:]
            time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start a master and two workers on free ports of this machine; stop each by its own process in the end."""
    folder = tmp_path_factory.mktemp("cluster")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Cluster(f"spark://127.0.0.1:{port}", [], folder / "cluster.log")
    try:
        running.started(f"{PACKAGE}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
        running.wait_for("I have been elected leader")
        for number in (1, 2):
            running.add_worker(folder / f"worker-{number}")
        running.wait_for("Successfully registered with master", times=2)
        yield running
    finally:
        for process in reversed(running.processes):
            process.terminate()
        for process in running.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=20)


def report_through(cluster: Cluster, folder: Path, kind: str) -> dict[str, object]:
    """Run the comparison in a driver process of its own and return its report."""
    script = ROOT / "tests" / "parity" / "through_cluster.py"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT / "src"))), "TZ": "Asia/Kathmandu"}
    command = [sys.executable, str(script), cluster.master, str(folder), kind]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    report: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return report


def test_a_cluster_gives_the_same_tables(cluster, tmp_path):
    report = report_through(cluster, tmp_path, "csv")
    assert (report["found"], report["workers"]) == ([], 2)
    assert report["differences"] == 0 and report["tables"] >= 20
    assert report["max_relative_difference"] < 1e-9


SMALL = """
[engine.spark_options]
"spark.executor.memory" = "600m"
"spark.executor.extraJavaOptions" = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"spark.driver.extraJavaOptions" = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m"
"spark.sql.shuffle.partitions" = "4"
"""


def test_a_run_that_loses_a_worker_publishes_what_one_machine_does(cluster, tmp_path):
    victim = cluster.processes[2]
    lines, alone, together = tmp_path / "lines.parquet", tmp_path / "alone", tmp_path / "together"
    simulate(n_lines=4_000, seed=5).write_parquet(lines)
    assert (
        CliRunner().invoke(app, ["run", str(lines), "-w", str(alone), "--progress", "none"], catch_exceptions=False).exit_code
        == 0
    )
    together.mkdir()
    (together / "genome.toml").write_text(SMALL, "utf-8")
    where = [
        "--engine",
        "spark",
        "--spark-master",
        cluster.master,
        "--spark-folder",
        str(tmp_path / "shared"),
        "-w",
        str(together),
    ]
    command = [sys.executable, "-m", "customer_genome.interfaces.cli", "run", str(lines), *where, "--progress", "json", "--json"]
    environment = os.environ | {"TZ": "Asia/Kathmandu"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        said = ""
        for line in running.stderr:
            said += line
            if '"stage": "facts"' in line:
                victim.kill()
        result = json.loads(running.stdout.read() or "{}")
    assert running.returncode == 0, said[-3000:]
    assert victim.wait(timeout=20) == -9
    with Genome.open(alone) as one, Genome.open(together) as other:
        report = compare_versions(one, other)
        assert set(other.snapshot.parquet) == {"customers", "orders", "daily", "products", "returns", "recommendations"}
        assert result["customers"] == other.manifest["customers"] == one.manifest["customers"]
    assert report.differences == ()
    assert len(report.tables) >= 10 and report.max_relative_difference < 1e-9
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_master_without_workers_is_told(tmp_path_factory):
    """Spark itself would wait for ever."""
    folder = tmp_path_factory.mktemp("idle")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    idle = Cluster(f"spark://127.0.0.1:{port}", [], folder / "cluster.log")
    try:
        idle.started(f"{PACKAGE}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
        idle.wait_for("I have been elected leader")
        script = (
            "from customer_genome.errors import EngineError\n"
            "from customer_genome.warehouse import spark, spark_session\n"
            "spark_session.WORKER_SECONDS = 3\n"
            f"try:\n    spark.SparkEngine(master={idle.master!r})\n"
            "except EngineError as err:\n    print(err)\n"
        )
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=True)
        assert "gave no worker within 3 seconds" in ran.stdout
    finally:
        idle.processes[0].terminate()
        idle.processes[0].wait(timeout=20)
