"""The dashboard as a process of its own: for this machine only unless people sign in, watched until it answers, ended with its parent.

Comes in: a workspace, a port, an address and whether to open a browser. Goes out: one line with the address on stdout, and a
server that runs until Ctrl-C or SIGTERM. Of the workspace only `sign_in.toml` is read here; the pages read the rest.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import typer

from customer_genome.errors import GenomeError, SettingsError
from customer_genome.interfaces.serving.roles import (
    SECRET_VARIABLES,
    SIGN_IN_FILE,
    SIGN_IN_VARIABLE,
    SignIn,
    is_loopback,
    read_sign_in,
    write_secrets,
)

HOST = "127.0.0.1"
WORKSPACE_VARIABLE = "GENOME_WORKSPACE"
APP = Path(__file__).parent.parent / "dashboard" / "app.py"
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
    "runner.magicEnabled": "false",
    "logger.level": "error",
    "logger.enableRich": "false",
}


def serve_dashboard(workspace: Path, port: int, open_browser: bool, address: str = HOST) -> None:
    """Serve the dashboard of a workspace until Ctrl-C or SIGTERM.

    Parameters
    ----------
    workspace : Path
        Handed to the pages through the environment of the child; it may be empty, then the pages say what to run.
    port : int, 0..65535
        0 takes a free one.
    address : str
        The network address to answer on. Any but this machine's own needs sign-in.

    Raises
    ------
    SettingsError
        When Streamlit is missing, the port is taken or none, or sign-in is wanted or needed and not set up.
    GenomeError
        When the server does not come up, or ends by itself.
    """
    with _ended_by_signals(), served(workspace, port, address) as server:
        typer.echo(f"Dashboard: {server.shown} ({server.reach}; Ctrl-C ends it)")
        sys.stdout.flush()
        if open_browser:
            typer.launch(server.shown)
        code = server.process.wait()
    raise GenomeError(
        f"The dashboard ended by itself with code {code}; what it said stands above. Start it again with `genome dashboard`."
    )


@dataclass(frozen=True)
class Served:
    """A dashboard that answers.

    Attributes
    ----------
    shown : str
        The address people come to.
    reach : str
        Who can come, in words.
    """

    process: subprocess.Popen[bytes]
    port: int
    shown: str
    reach: str


@contextmanager
def served(workspace: Path, port: int = 0, address: str = HOST) -> Iterator[Served]:
    """Serve the dashboard of a workspace for as long as the block lasts: all that `genome dashboard` does but talk and open a browser.

    Parameters and errors are those of `serve_dashboard`. Ctrl-C within the block ends the server and the process.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise SettingsError(
            "The dashboard needs Streamlit, which is not installed. Install it with `pip install 'customer-genome[dashboard]'`; "
            "`genome report` works without it."
        )
    sign_in = read_sign_in(workspace.expanduser())
    _refuse_open_doors(address, sign_in, workspace)
    chosen = free_port(port or _port_people_come_to(sign_in), address)
    with tempfile.TemporaryDirectory(prefix="genome-dashboard-") as private:
        command = server_command(chosen, address, sign_in, _secrets_file(sign_in, Path(private)))
        with _running(command, workspace, sign_in is not None) as child:
            _wait_until_healthy(child, chosen, _reached(address))
            shown = sign_in.address if sign_in else f"http://{HOST}:{chosen}"
            reach = f"listening on {address}:{chosen}, people sign in" if sign_in else "on this machine only"
            yield Served(child, chosen, shown, reach)


def _refuse_open_doors(address: str, sign_in: SignIn | None, workspace: Path) -> None:
    """Refuse to answer other machines without sign-in, and sign-in without what it needs.

    Raises
    ------
    SettingsError
        Saying what is missing.
    """
    try:
        ipaddress.ip_address(address)
    except ValueError as err:
        raise SettingsError(f"--address {address!r} is no network address. Wanted: one such as {HOST} or 0.0.0.0.") from err
    if sign_in is None and not is_loopback(address):
        raise SettingsError(
            f"--address {address} would show every customer to whoever reaches this machine, since nobody has to sign in. "
            f"Write {workspace / SIGN_IN_FILE} first (docs/sign_in.md has an example), or leave --address out."
        )
    if sign_in is not None and importlib.util.find_spec("authlib") is None:
        raise SettingsError(
            f"{workspace / SIGN_IN_FILE} asks people to sign in, which needs Authlib. Install it with "
            "`pip install 'customer-genome[dashboard,sign-in]'`, or take the file away to serve this machine only."
        )


def _secrets_file(sign_in: SignIn | None, private: Path) -> Path:
    """Return the only file of secrets that the server looks at; without sign-in there is none."""
    return private / "none.toml" if sign_in is None else write_secrets(sign_in, private, os.environ)


def _port_people_come_to(sign_in: SignIn | None) -> int:
    """Return the port that sign-in on this machine returns people to; 0 where a server before this one takes them."""
    return (urlsplit(sign_in.address).port or 0) if sign_in is not None and is_loopback(sign_in.host) else 0


def _reached(address: str) -> str:
    """Return where a server that answers on an address is reached from this machine."""
    parsed = ipaddress.ip_address(address)
    if not parsed.is_unspecified:
        return address
    return HOST if parsed.version == 4 else "::1"


def server_command(port: int, address: str = HOST, sign_in: SignIn | None = None, secrets: Path | None = None) -> list[str]:
    """Return the command that serves the pages; its options win over every configuration file and variable.

    `-P` keeps modules that lie in the current folder out. With sign-in, browsers may also call the server by its public name.
    """
    options = dict(_OPTIONS)
    if sign_in is not None:
        options |= {"server.allowedHosts": (HOST, "localhost", sign_in.host), "browser.serverAddress": sign_in.host}
    options["server.address"] = address
    if secrets is not None:
        options["secrets.files"] = (str(secrets),)
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(APP), f"--server.port={port}"]
    for name, value in options.items():
        values = value if isinstance(value, tuple) else (value,)
        command += [f"--{name}={item}" for item in values]
    return command


def free_port(port: int, address: str = HOST) -> int:
    """Return `port` if it can be had on the address, or a free one for 0.

    Raises
    ------
    SettingsError
        When it is taken, needs more rights, or is no port.
    """
    if not 0 <= port <= 65535:
        raise SettingsError(f"--port {port} is no port. Wanted: 1 to 65535, or 0 for a free one.")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name != "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as err:
            raise SettingsError(
                f"--port {port}: {err.strerror or err} on {address}. Choose another port, or leave --port out to take a free one."
            ) from err
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], workspace: Path, signs_in: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server in a session of its own, so that Ctrl-C reaches it through us only, and end it on the way out.

    It gets its secrets from a private file, and its environment, which runs started from it share, holds none.
    """
    environment = {name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES}
    environment[WORKSPACE_VARIABLE] = str(workspace.expanduser().resolve())
    environment[SIGN_IN_VARIABLE] = "on" if signs_in else "off"
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


def _wait_until_healthy(child: subprocess.Popen[bytes], port: int, host: str) -> None:
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
        if is_healthy(port, host):
            return
        time.sleep(0.1)
    raise GenomeError(
        f"The dashboard did not answer on {host}:{port} within {START_SECONDS:.0f} s. Try again, or use `genome report`."
    )


def is_healthy(port: int, host: str = HOST) -> bool:
    """Return whether a dashboard server answers on the port; proxies of the environment are left aside."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    name = f"[{host}]" if ":" in host else host
    try:
        with opener.open(f"http://{name}:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
