"""The dashboard's server: on this machine only, hardened, found when it answers, gone when its parent is."""

from __future__ import annotations

import http.client
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from customer_genome.errors import SettingsError
from customer_genome.interfaces.serving.server import APP, HOST, free_port, is_healthy, serve_dashboard, server_command

SERVE = [sys.executable, "-m", "customer_genome.interfaces.cli", "dashboard", "--no-open"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start `genome dashboard` on an empty workspace; give the process and its port."""
    command = [*SERVE, "--workspace", str(tmp_path / "nothing yet")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"no address in {line!r}: {process.stderr.read() if process.stderr and process.poll() is not None else ''}"
        yield process, int(found[1])
    finally:
        process.terminate()
        process.communicate(timeout=30)


def status(port: int, path: str, **headers: str) -> int:
    """Return the status of a request with these headers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def handshake(**headers: str) -> dict[str, str]:
    """Return the headers that ask for a WebSocket."""
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        **headers,
    }


def until(condition, seconds: float = 20) -> bool:
    """Wait until a condition holds."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_it_answers_only_those_who_mean_this_machine(served):
    _, port = served
    assert is_healthy(port)
    page = status(port, "/")
    assert page == 200
    assert status(port, "/_stcore/stream", **handshake(Host=f"127.0.0.1:{port}")) == 101
    assert status(port, "/_stcore/stream", **handshake(Host="rebound.example")) >= 400
    assert status(port, "/_stcore/stream", **handshake(Host=f"127.0.0.1:{port}", Origin="http://elsewhere.example")) >= 400


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the sockets of Linux")
def test_it_listens_on_the_loopback_address_only(served):
    _, port = served
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = {row[1].rpartition(":")[0] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    assert listening == {"0100007F"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_parent(served, how):
    process, port = served
    process.send_signal(how)
    assert process.wait(30) == 0
    assert until(lambda: not is_healthy(port))
    assert free_port(port) == port
    assert process.stderr is not None and "Traceback" not in process.stderr.read()


def test_a_server_that_ends_by_itself_is_an_error(served):
    process, _ = served
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("finds the server's process through Linux")
    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
    assert process.wait(30) == 1
    assert process.stderr is not None and "ended by itself" in process.stderr.read()


def test_a_taken_port_is_said_at_once(tmp_path):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"--port {port}.*leave --port out"):
            serve_dashboard(tmp_path, port, open_browser=False)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_number_that_is_no_port_is_refused(tmp_path, port):
    with pytest.raises(SettingsError, match="is no port"):
        serve_dashboard(tmp_path, port, open_browser=False)


def test_without_streamlit_it_says_what_to_install(tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "streamlit" else find_spec(name))
    with pytest.raises(SettingsError, match=r"pip install 'customer-genome\[dashboard\]'"):
        serve_dashboard(tmp_path, 0, open_browser=False)


def test_a_free_port_is_found_and_the_wanted_one_kept():
    port = free_port(0)
    assert 1024 <= port <= 65_535
    assert free_port(port) == port


def test_nothing_is_told_to_anybody_and_no_file_is_watched():
    options = set(server_command(8765))
    assert {
        "--server.address=127.0.0.1",
        "--browser.gatherUsageStats=false",
        "--server.fileWatcherType=none",
        "--server.enableXsrfProtection=true",
        "--server.enableCORS=true",
        "--server.headless=true",
        "--client.showErrorLinks=false",
    } <= options
    assert str(APP) in options and APP.exists()
