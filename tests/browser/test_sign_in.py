"""Signing in as people do: a real browser, the real server and a provider of OpenID Connect on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from customer_genome.interfaces.serving.roles import CLIENT_SECRET_VARIABLE, COOKIE_SECRET_VARIABLE, SIGN_IN_FILE
from customer_genome.interfaces.serving.server import free_port
from published_shops import answer

pytestmark = pytest.mark.browser

CLIENT_SECRET = "the-secret-of-the-client-5d0c"
COOKIE_SECRET = "a-secret-that-signs-cookies-and-is-long-enough-7b1e"
WAIT = 60_000
PEOPLE = ("ann@shop.example", "vic@shop.example", "eve@elsewhere.example")


@dataclass
class Door:
    """A dashboard that asks people to sign in."""

    workspace: Path
    address: str
    provider: str
    said: Path


@pytest.fixture(scope="module")
def door(shop: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Serve a copy of the shop with sign-in: Ann is an admin, others of her shop are viewers, and nobody else comes in."""
    workspace = tmp_path_factory.mktemp("door") / "workspace"
    shutil.copytree(shop[0], workspace)
    said = workspace.parent / "said.txt"
    address = f"http://127.0.0.1:{free_port(0)}"
    with provided() as provider, said.open("w") as words:
        (workspace / SIGN_IN_FILE).write_text(
            f'client_id = "genome"\naddress = "{address}"\nmetadata_url = "{provider}/.well-known/openid-configuration"\n'
            '[roles]\n"ann@shop.example" = "admin"\n"@shop.example" = "viewer"\n'
        )
        command = [
            sys.executable,
            "-m",
            "customer_genome.interfaces.cli",
            "dashboard",
            "--no-open",
            "--workspace",
            str(workspace),
        ]
        environment = {**os.environ, CLIENT_SECRET_VARIABLE: CLIENT_SECRET, COOKIE_SECRET_VARIABLE: COOKIE_SECRET}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words, text=True, env=environment)
        try:
            assert process.stdout is not None
            assert address in process.stdout.readline()
            yield Door(workspace, address, provider, said)
        finally:
            process.terminate()
            process.communicate(timeout=30)


@contextmanager
def provided() -> Iterator[str]:
    """Run a provider that vouches for the addresses of the people, in a process of its own, and give its address."""
    port = free_port(0)
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    for email in PEOPLE:
        command += ["--user-claims", json.dumps({"sub": email, "email": email, "email_verified": True})]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/.well-known/openid-configuration", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def arrive(chromium: Browser) -> Iterator[Callable[[], Page]]:
    """Open a window of somebody new."""
    contexts: list[Any] = []

    def somebody() -> Page:
        contexts.append(chromium.new_context(viewport={"width": 1440, "height": 900}))
        page: Page = contexts[-1].new_page()
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
        return page

    yield somebody
    for context in contexts:
        context.close()


def sign_in(page: Page, door: Door, email: str, path: str = "") -> None:
    """Come to the dashboard, go to the provider, and come back."""
    page.goto(door.address + path)
    page.get_by_role("button", name="Sign in").click(timeout=WAIT)
    page.wait_for_url(f"{door.provider}/**", timeout=WAIT)
    page.get_by_role("button", name=email).click()
    page.wait_for_url(f"{door.address}/**", timeout=WAIT)


def test_nobody_sees_anything_before_signing_in(arrive, door):
    page = arrive()
    for path in ("/", "/customers", "/about?country=France"):
        page.goto(door.address + path)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=WAIT)
        assert page.get_by_test_id("stMetric").count() == 0 and page.get_by_test_id("stDataFrame").count() == 0


def test_an_admin_sees_customers_and_leaves_again(arrive, door):
    page = arrive()
    sign_in(page, door, "ann@shop.example")
    expect(page.get_by_test_id("stMetric").first).to_be_visible(timeout=WAIT)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("shop.example · admin", timeout=WAIT)
    customer = str(answer(door.workspace, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))
    page.goto(f"{door.address}/customer?customer={customer}")
    expect(page.get_by_role("heading", name=f"Customer {customer}")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{door.provider}/**", timeout=WAIT)  # the session at the provider ends too
    page.goto(door.address)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=WAIT)


def test_a_link_leads_where_it_says_after_signing_in_too(arrive, door):
    page = arrive()
    customer = str(answer(door.workspace, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))
    sign_in(page, door, "ann@shop.example", f"/customer?customer={customer}")
    expect(page.get_by_role("heading", name=f"Customer {customer}")).to_be_visible(timeout=WAIT)
    assert page.url == f"{door.address}/customer?customer={customer}"
    page.goto(door.address)  # once: the first page is the first page again
    expect(page.get_by_text("What happened")).to_be_visible(timeout=WAIT)


def test_a_viewer_sees_sums_and_no_customer_and_loses_the_role_at_once(arrive, door):
    page = arrive()
    sign_in(page, door, "vic@shop.example")
    expect(page.get_by_test_id("stMetric").first).to_be_visible(timeout=WAIT)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("viewer", timeout=WAIT)
    customer = str(answer(door.workspace, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))
    page.goto(f"{door.address}/customer?customer={customer}")
    expect(page.get_by_test_id("stSidebar")).to_contain_text("viewer", timeout=WAIT)
    expect(page.locator("h1")).to_be_visible(timeout=WAIT)
    expect(page.get_by_test_id("stMain")).to_contain_text("Nobody here is called", timeout=WAIT)
    assert page.get_by_test_id("stMetric").count() == 0
    settings = door.workspace / SIGN_IN_FILE
    before = settings.read_text()
    settings.write_text(before.replace('"@shop.example" = "viewer"\n', ""))
    try:
        page.goto(door.address)
        expect(page.get_by_text("has no role for you")).to_be_visible(timeout=WAIT)
        settings.rename(settings.with_suffix(".away"))
        page.goto(door.address)
        expect(page.get_by_text("Nobody can come in at the moment")).to_be_visible(timeout=WAIT)
    finally:
        settings.write_text(before)


def test_somebody_without_a_role_stays_outside(arrive, door):
    page = arrive()
    sign_in(page, door, "eve@elsewhere.example")
    expect(page.get_by_text("has no role for you")).to_be_visible(timeout=WAIT)
    assert page.get_by_test_id("stMetric").count() == 0


def test_secrets_are_in_no_log_and_no_file_of_the_workspace(door):
    texts = [door.said.read_text(errors="replace")]
    texts += [
        path.read_text(errors="replace") for path in door.workspace.rglob("*") if path.is_file() and path.suffix != ".parquet"
    ]
    assert not [text for text in texts if CLIENT_SECRET in text or COOKIE_SECRET in text]
