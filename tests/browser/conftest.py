"""A real server and a real browser: Chromium of the system, without a screen, that may talk to this machine only."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from customer_genome.interfaces.serving.server import served
from published_shops import hostile_customers, publish, publish_rows, publish_simulated

PATIENCE = 90_000.0
"""Milliseconds: a busy machine takes its time, and no test asserts one."""
expect.set_options(timeout=PATIENCE / 3)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SPARKLINE = "metric_chart_"
"""The marks of the small line in a card: Streamlit draws them without a name of their own, beside the words that say the same."""
PROBES = re.compile(r"/\w+/_stcore/(health|host-config)$")
"""A page opened by its own address makes Streamlit look for its server below that address first, and find none there."""


@dataclass
class Visitor:
    """A page in the browser, and everything it said or asked for."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a path and wait until it is drawn."""
        self.page.goto(self.address + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the server has finished and the page has stood still for a moment."""
        self.page.wait_for_selector("[data-testid=stApp]")
        self.page.wait_for_timeout(400)
        self.page.wait_for_function(
            "() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
            " && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]')"
        )
        self.page.wait_for_timeout(400)

    def turn_to(self, name: str) -> None:
        """Follow the navigation to a page; where it stands in a group, open the group first."""
        link = self.page.get_by_role("link", name=name, exact=True).or_(self.page.get_by_role("menuitem", name=name, exact=True))
        groups = self.page.get_by_role("navigation").get_by_role("button").all()
        while not link.count() and groups:
            groups.pop(0).click()
            self.page.wait_for_timeout(200)
        link.first.click()
        self.settle()

    def faults_of_access(self) -> list[str]:
        """Return what keeps people from reading or using the page: serious and critical findings of axe, with where they are."""
        self.page.add_script_tag(content=_axe())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{fault['id']} ({fault['impact']}): {node['html'][:200]} | {node['failureSummary']}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
            if not (fault["id"] == "svg-img-alt" and SPARKLINE in node["html"])
        ]

    def cards(self) -> dict[str, str]:
        """Return the figures of the cards by label."""
        return {
            card.get_by_test_id("stMetricLabel").inner_text().strip(): card.get_by_test_id("stMetricValue").inner_text().strip()
            for card in self.page.get_by_test_id("stMetric").all()
        }


@cache
def _axe() -> str:
    """Return the script that judges accessibility."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    path = (
        os.environ.get("CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if not path:
        pytest.fail("The browser tests need Chromium. On Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A published simulated shop and its address."""
    workspace = tmp_path_factory.mktemp("shop")
    publish_simulated(workspace)
    with served(workspace) as server:
        yield workspace, server.shown


@pytest.fixture(scope="session")
def retail(tmp_path_factory: pytest.TempPathFactory, genome_data: Path) -> Iterator[tuple[Path, str]]:
    """Online Retail II, published, and its address."""
    workspace = tmp_path_factory.mktemp("retail")
    publish(workspace, genome_data / "online_retail_ii.parquet", '[shop]\nname = "Online Retail II"\ncurrency = "GBP"\n')
    with served(workspace) as server:
        yield workspace, server.shown


@pytest.fixture(scope="session")
def grocer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Complete Journey, published, and its address."""
    workspace = tmp_path_factory.mktemp("grocer")
    publish(workspace, Path("complete-journey"), '[shop]\nname = "Complete Journey"\ncurrency = "USD"\n')
    with served(workspace) as server:
        yield workspace, server.shown


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A published shop whose texts try to be something else, and its address."""
    workspace = tmp_path_factory.mktemp("hostile")
    publish_rows(workspace, hostile_customers())
    with served(workspace) as server:
        yield workspace, server.shown


@pytest.fixture(scope="session")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A workspace without a version, and its address."""
    workspace = tmp_path_factory.mktemp("nothing")
    with served(workspace) as server:
        yield workspace, server.shown


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A workspace without a version, in which a test may publish, and its address."""
    workspace = tmp_path_factory.mktemp("begun")
    with served(workspace) as server:
        yield workspace, server.shown


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Open a browser window of a width and colour scheme on an address; every fault it shows fails the test at its end."""
    visitors: list[Visitor] = []

    def arrive(address: str, width: int = 1440, scheme: Any = "light") -> Visitor:
        height = 900 if width > 600 else 844
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True)
        context.set_default_timeout(PATIENCE)
        visitor = Visitor(context.new_page(), address)
        _listen(visitor)
        visitors.append(visitor)
        return visitor

    yield arrive
    for visitor in visitors:
        visitor.page.context.close()
    assert not [fault for visitor in visitors for fault in visitor.faults]


def _listen(visitor: Visitor) -> None:
    """Write down errors in the console, failed requests, and requests that leave this machine."""
    page, faults = visitor.page, visitor.faults
    allowed = (visitor.address, visitor.address.replace("http", "ws", 1), "data:", "blob:")

    def asked(request: Any) -> None:
        if not request.url.startswith(allowed):
            faults.append(f"a request leaves this machine: {request.url}")

    def answered(response: Any) -> None:
        if response.status >= 400 and not PROBES.search(response.url):
            faults.append(f"{response.status} {response.url}")

    def said(message: Any) -> None:
        if message.type == "error" and not PROBES.search(message.location.get("url", "")):
            faults.append(f"console: {message.text}")

    page.on("request", asked)
    page.on("response", answered)
    page.on("console", said)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
