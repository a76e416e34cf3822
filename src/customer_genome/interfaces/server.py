"""The dashboard as a process of its own: started on this machine only, watched until it answers, ended with its parent.

Comes in: a workspace, a port and whether to open a browser. Goes out: one line with the address on stdout, and a server
that runs until Ctrl-C or SIGTERM. Nothing is read from the workspace here; the pages do that.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from customer_genome.errors import GenomeError, SettingsError

HOST = "127.0.0.1"
WORKSPACE_VARIABLE = "GENOME_WORKSPACE"
APP = Path(__file__).parent / "dashboard" / "app.py"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
_OPTIONS: dict[str, str | tuple[str, ...]] = {
    "server.address": HOST,
    "server.headless": "true",
    "server.allowedHosts": (HOST, "localhost"),
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.enableStaticServing": "false",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.showEmailPrompt": "false",
    "browser.serverAddress": HOST,
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "type",
    "client.showErrorLinks": "false",
    "global.developmentMode": "false",
    "logger.level": "error",
    "logger.enableRich": "false",
}


def serve_dashboard(workspace: Path, port: int, open_browser: bool) -> None:
    """Serve the dashboard of a workspace on this machine until Ctrl-C or SIGTERM.

    Parameters
    ----------
    workspace : Path
        Handed to the pages through the environment of the child; it may be empty, then the pages say what to run.
    port : int, 0..65535
        0 takes a free one.

    Raises
    ------
    SettingsError
        When Streamlit is missing, or the port is taken or none.
    GenomeError
        When the server does not come up, or ends by itself.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise SettingsError(
            "The dashboard needs Streamlit, which is not installed. Install it with `pip install 'customer-genome[dashboard]'`; "
            "`genome report` works without it."
        )
    chosen = free_port(port)
    with _ended_by_signals(), _running(server_command(chosen), workspace) as child:
        _wait_until_healthy(child, chosen)
        address = f"http://{HOST}:{chosen}"
        typer.echo(f"Dashboard: {address} (on this machine only; Ctrl-C ends it)")
        sys.stdout.flush()
        if open_browser:
            typer.launch(address)
        code = child.wait()
    raise GenomeError(
        f"The dashboard ended by itself with code {code}; what it said stands above. Start it again with `genome dashboard`."
    )


def server_command(port: int) -> list[str]:
    """Return the command that serves the pages; its options win over every configuration file and variable.

    `-P` keeps modules that lie in the current folder out.
    """
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(APP), f"--server.port={port}"]
    for name, value in _OPTIONS.items():
        values = value if isinstance(value, tuple) else (value,)
        command += [f"--{name}={item}" for item in values]
    return command


def free_port(port: int) -> int:
    """Return `port` if it can be had on the loopback address, or a free one for 0.

    Raises
    ------
    SettingsError
        When it is taken, needs more rights, or is no port.
    """
    if not 0 <= port <= 65535:
        raise SettingsError(f"--port {port} is no port. Wanted: 1 to 65535, or 0 for a free one.")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as err:
            raise SettingsError(
                f"--port {port}: {err.strerror or err} on {HOST}. Choose another port, or leave --port out to take a free one."
            ) from err
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server in a session of its own, so that Ctrl-C reaches it through us only, and end it on the way out."""
    environment = {**os.environ, WORKSPACE_VARIABLE: str(workspace.expanduser().resolve())}
    child = subprocess.Popen(
        command, env=environment, cwd=APP.parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield child
    except KeyboardInterrupt:
        raise SystemExit(0) from None
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the server, first kindly."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the server as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    names = ("SIGTERM", "SIGHUP")
    before = {number: signal.signal(number, stop) for name in names if (number := getattr(signal, name, None)) is not None}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_until_healthy(child: subprocess.Popen[bytes], port: int) -> None:
    """Return when the server answers.

    Raises
    ------
    GenomeError
        When it ends or stays silent.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise GenomeError(
                f"The dashboard could not start on port {port} and ended with code {child.returncode}; what it said stands above. "
                "Try another --port, or check the installation with `genome doctor`."
            )
        if is_healthy(port):
            return
        time.sleep(0.1)
    raise GenomeError(
        f"The dashboard did not answer on {HOST}:{port} within {START_SECONDS:.0f} s. Try again, or use `genome report`."
    )


def is_healthy(port: int) -> bool:
    """Return whether a dashboard server answers on the port; proxies of the environment are left aside."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{HOST}:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
