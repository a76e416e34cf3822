"""The dashboard on a million customers: server time of each page, time until its charts stand still, and memory of further visitors.

Serves a published workspace (`--workspace`, or a simulated shop that is run first, which takes minutes), and measures

    server   seconds from asking for a page to its last message, over the page's own connection, in a new session of a warm server
    settled  seconds from a click in headless Chromium to the last change of the page, everything drawn
    memory   how much the server's resident memory grows per further session, each of which looks at every page
    peer     the figures of Overview on a page of plain pandas and Streamlit that keeps the same customers and orders in memory

Warm: each page was asked for once before. Medians of `--rounds`; the two servers stand on the same machine and are asked in turn.

    python benchmarks/bench_dashboard.py --workspace genome-workspace
    python benchmarks/bench_dashboard.py --customers 100000 --rounds 1
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from customer_genome.genome import Genome
from customer_genome.interfaces.serving.server import APP, free_port
from customer_genome.interfaces.serving.server import served as serve

PAGES = list(dict.fromkeys(["overview", *re.findall(r'url_path="(\w+)"', APP.read_text("utf-8"))]))
PEER = Path(__file__).with_name("page_in_pandas.py")
LINES_PER_CUSTOMER = 11.34
WANTED = {"server": 1.0, "settled": 2.0, "memory": 5.0}
SETTLED = """(link) => new Promise(done => {
    const began = performance.now();
    let last = began;
    const watch = new MutationObserver(() => { last = performance.now(); });
    watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
    link.click();
    const look = setInterval(() => {
        const app = document.querySelector('[data-testid=stApp]');
        const busy = app.dataset.testScriptState !== 'notRunning' || document.querySelector('[data-stale=true], [data-testid=stSkeleton]');
        if (!busy && performance.now() - last > 700) { clearInterval(look); watch.disconnect(); done((last - began) / 1000); }
        if (performance.now() - began > 60000) { clearInterval(look); watch.disconnect(); done(60); }
    }, 50);
})"""


def simulated(customers: int, folder: Path) -> Path:
    """Run a simulated shop of about so many customers; return its workspace."""
    lines = folder / "lines.parquet"
    command = [sys.executable, "-m", "customer_genome.interfaces.cli"]
    subprocess.run([*command, "simulate", "-o", str(lines), "--lines", str(int(customers * LINES_PER_CUSTOMER))], check=True)
    workspace = folder / "workspace"
    options = ["--memory-limit", "2GB", "--progress", "none"]
    subprocess.run([*command, "run", str(lines), "--workspace", str(workspace), *options], check=True, stdout=subprocess.DEVNULL)
    return workspace


@dataclass(frozen=True)
class Server:
    """A server that was started here: where it answers, and the process that does."""

    port: int
    pid: int


@contextmanager
def product(workspace: Path) -> Iterator[Server]:
    """Serve a workspace as `genome dashboard` does."""
    with serve(workspace) as started:
        yield Server(started.port, started.process.pid)


@contextmanager
def peer(workspace: Path, folder: Path) -> Iterator[Server]:
    """Serve the page in pandas over the same customers and orders as Parquet."""
    with Genome.open(workspace) as genome:
        import pyarrow.parquet as pq

        for name in ("customers", "orders"):
            found = genome.batches(f"select * from {name}")
            with pq.ParquetWriter(folder / f"{name}.parquet", found.schema) as writer:
                for batch in found:
                    writer.write_batch(batch)
    port = free_port(0)
    options = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1", "--server.fileWatcherType=none"]
    command = [sys.executable, "-m", "streamlit", "run", str(PEER), *options, "--browser.gatherUsageStats=false"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PAGE_IN_PANDAS": str(folder)}
    )
    try:
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                    break
            except OSError:
                time.sleep(0.1)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


class Session:
    """A visitor without a browser: speaks the protocol of the pages and notes how long an answer takes."""

    def __init__(self, port: int) -> None:
        from websockets.sync.client import connect

        self._stay = ExitStack()
        address = f"ws://127.0.0.1:{port}/_stcore/stream"
        self._socket = self._stay.enter_context(connect(address, subprotocols=["streamlit"], max_size=None))

    def ask(self, page: str, query: str = "") -> float:
        """Ask for a page; return the seconds until the server has said it is finished.

        Raises
        ------
        RuntimeError
            When the page shows an exception.
        """
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        asked = BackMsg()
        asked.rerun_script.page_name = "" if page == "overview" else page
        asked.rerun_script.query_string = query
        began = time.perf_counter()
        self._socket.send(asked.SerializeToString())
        while True:
            told = ForwardMsg.FromString(self._socket.recv(timeout=120))
            kind = told.WhichOneof("type")
            if kind == "delta" and told.delta.new_element.HasField("exception"):
                raise RuntimeError(f"page {page!r}: {told.delta.new_element.exception.message}")
            if kind == "page_not_found":
                raise RuntimeError(f"the server has no page {page!r}")
            if kind == "script_finished" and told.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return time.perf_counter() - began

    def close(self) -> None:
        """Leave."""
        self._stay.close()


def served(server: Server, page: str, query: str = "") -> tuple[float, float]:
    """Return the server's wall and CPU seconds for a page in a new session."""
    visitor = Session(server.port)
    try:
        before = cpu_seconds(server.pid)
        wall = visitor.ask(page, query)
        return wall, cpu_seconds(server.pid) - before
    finally:
        visitor.close()


def query_of(page: str, customer: str) -> str:
    """Return what the address of a page has to name."""
    return f"customer={quote(customer)}" if page == "customer" else ""


def settled(port: int, rounds: int) -> dict[str, float]:
    """Return the seconds from a click to the last change of each page, in a browser."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        return {}
    found: dict[str, list[float]] = {page: [] for page in PAGES if page != "customer"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"])
        window = browser.new_page(viewport={"width": 1440, "height": 900})
        for turn in range(rounds + 1):
            for page in found:
                window.goto(f"http://127.0.0.1:{port}/about" if page != "about" else f"http://127.0.0.1:{port}/value")
                window.wait_for_selector("h1")
                window.wait_for_timeout(1500)
                here = f"a[href$=':{port}/']" if page == "overview" else f"a[href$='/{page}']"
                for group in window.get_by_role("navigation").get_by_role("button").all():
                    if window.locator(here).count():
                        break
                    group.click()
                    window.wait_for_timeout(200)
                link = window.locator(here).first
                taken = float(link.evaluate(SETTLED))
                print(f"{page}: settled after {taken:.2f} s", file=sys.stderr)
                if turn:
                    found[page].append(taken)
        browser.close()
    return {page: statistics.median(taken) for page, taken in found.items()}


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def memory_per_session(server: Server, customer: str, sessions: int) -> float:
    """Return how many MB each further session adds, all of them open and each having looked at every page."""

    def come() -> Session:
        visitor = Session(server.port)
        for page in PAGES:
            visitor.ask(page, query_of(page, customer))
        return visitor

    with ExitStack() as stay:
        for _ in range(3):  # what the first visitors fill is shared
            stay.callback(come().close)
        before = resident_mb(server.pid)
        for _ in range(sessions):
            stay.callback(come().close)
        grown = (resident_mb(server.pid) - before) / sessions
    print(f"a further session: {grown:.1f} MB", file=sys.stderr)
    return grown


def main() -> None:
    """Serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, help="a published workspace; without it a shop is simulated and run")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stay:
        workspace = given.workspace or simulated(given.customers, Path(folder))
        with Genome.open(workspace) as genome:
            customers = int(genome.manifest["customers"])
            customer = str(genome.query("select customer_id from customers order by total_spend desc, 1 limit 1")[0][0].as_py())
        mine = stay.enter_context(product(workspace))
        other = stay.enter_context(peer(workspace, Path(folder)))
        cold = {}
        for page in PAGES:
            cold[page] = served(mine, page, query_of(page, customer))[0]
            print(f"{page}: first answer after {cold[page]:.2f} s", file=sys.stderr)
        served(other, "")
        warm: dict[str, list[tuple[float, float]]] = {page: [] for page in [*PAGES, "in pandas"]}
        for _ in range(given.rounds):
            for page in PAGES:
                warm[page].append(served(mine, page, query_of(page, customer)))
                print(f"{page}: {warm[page][-1][0]:.2f} s, {warm[page][-1][1]:.2f} CPU s", file=sys.stderr)
            warm["in pandas"].append(served(other, ""))
            print(f"in pandas: {warm['in pandas'][-1][0]:.2f} s, {warm['in pandas'][-1][1]:.2f} CPU s", file=sys.stderr)
        result: dict[str, Any] = {
            "customers": customers,
            "cold": cold,
            "server": {page: statistics.median(wall for wall, _ in taken) for page, taken in warm.items()},
            "cpu": {page: statistics.median(cpu for _, cpu in taken) for page, taken in warm.items()},
            "memory": {
                "product": memory_per_session(mine, customer, given.sessions),
                "server": resident_mb(mine.pid),
                "in pandas": resident_mb(other.pid),
            },
            "settled": settled(mine.port, given.rounds),
        }
    print(json.dumps(result)) if given.json else show(result, given.sessions)


def show(result: dict[str, Any], sessions: int) -> None:
    """Print the table."""
    print(
        f"{result['customers']:,} customers, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; medians"
    )
    print(f"{'page':16} {'first s':>8} {'warm s':>8} {'warm CPU s':>11} {'settled s':>10}")
    for page, warm in result["server"].items():
        first, drawn = result["cold"].get(page), result["settled"].get(page)
        told = [
            f"{'' if one is None else f'{one:.2f}':>{width}}"
            for one, width in ((first, 8), (warm, 8), (result["cpu"][page], 11), (drawn, 10))
        ]
        print(f"{page:16} {' '.join(told)}")
    for name in ("server", "cpu"):
        print(f"Overview to the same figures in pandas, {name}: {result[name]['overview'] / result[name]['in pandas']:.2f}")
    memory = result["memory"]
    print(
        f"per further session, {sessions} of them: {memory['product']:.1f} MB; server {memory['server']:.0f} MB, pandas {memory['in pandas']:.0f} MB"
    )
    print(f"wanted: {WANTED['server']} s warm, {WANTED['settled']} s settled, {WANTED['memory']} MB a session")


if __name__ == "__main__":
    main()
