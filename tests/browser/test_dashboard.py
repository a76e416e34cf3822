"""The dashboard as people meet it: in a browser, wide and on a phone, light and dark, with its address and its downloads."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import expect

from customer_genome.genome import Genome
from customer_genome.interfaces.serving.server import APP
from customer_genome.interfaces.views.figures import count, estimate, money
from published_shops import HOSTILE_ID, answer

pytestmark = pytest.mark.browser

PATHS = tuple("/" if path == "overview" else f"/{path}" for path in re.findall(r'url_path="(\w+)"', APP.read_text("utf-8")))
"""The addresses that the navigation names, so that a new page is tried from its first day."""

NEED_NO_VERSION = ("/predict", "/data")
"""Pages that work without a published version: what they say there is proven where they are."""
LIGHT_GROUND, DARK_GROUND = "rgb(255, 255, 255)", "rgb(21, 27, 34)"
LIGHT_INKS = {"rgb(31, 95, 153)", "rgb(27, 39, 51)", "rgb(81, 96, 111)"}
DARK_INKS = {"rgb(111, 176, 230)", "rgb(232, 237, 242)", "rgb(169, 182, 195)"}
CLIPPED = """() => [...document.querySelectorAll('[data-testid=stMetricLabel] p, [data-testid=stMetricValue] div, [data-testid=stMetricDeltaDescription] p, h1, h2, h3')]
    .filter(shown => shown.offsetParent && shown.scrollWidth > shown.clientWidth + 1).map(shown => shown.innerText)"""


def address_of(visitor) -> dict[str, list[str]]:
    """Return the parameters of the address."""
    return parse_qs(urlsplit(visitor.page.url).query)


def first_customer(workspace: Path) -> str:
    """Return the id of the customer with most orders."""
    return str(answer(workspace, "select customer_id as c from customers order by n_orders desc, 1 limit 1"))


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_whole_at_every_width_and_in_both_themes(visit, shop, path, width):
    workspace, address = shop
    visitor = visit(address, width, "light")
    visitor.go(f"{path}?customer={quote(first_customer(workspace))}" if path == "/customer" else path)
    page = visitor.page
    assert page.get_by_test_id("stException").count() == 0
    expect(page.locator("h1")).to_have_count(1)
    for scheme, ground in (("light", LIGHT_GROUND), ("dark", DARK_GROUND)):
        page.emulate_media(color_scheme=scheme)
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", ground)
        wide = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= page.get_by_test_id("stMain").evaluate("main => main.clientWidth"), f"the page scrolls sideways, {scheme}"
        assert page.evaluate(CLIPPED) == []


def test_charts_follow_the_theme_at_once(visit, shop):
    _, address = shop
    visitor = visit(address, 1440, "light")
    visitor.go("/")
    inks = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart] svg text, [data-testid=stVegaLiteChart] svg path')]
        .map(drawn => getComputedStyle(drawn).fill)"""
    light = set(visitor.page.evaluate(inks))
    visitor.page.emulate_media(color_scheme="dark")
    expect(visitor.page.get_by_test_id("stApp")).to_have_css("background-color", DARK_GROUND)
    dark = set(visitor.page.evaluate(inks))
    assert light >= LIGHT_INKS and dark >= DARK_INKS
    assert not light & DARK_INKS and not dark & LIGHT_INKS


def test_filters_live_in_the_address_and_come_back_from_it(visit, shop):
    workspace, address = shop
    visitor = visit(address)
    visitor.go("/")
    everybody = visitor.cards()
    minimum = visitor.page.get_by_role("spinbutton", name="Orders, at least")
    minimum.fill("3")
    minimum.press("Enter")
    visitor.settle()
    n = answer(workspace, "select count(*) as n from customers where n_orders >= 3")
    revenue = answer(workspace, "select sum(total_spend) as m from customers where n_orders >= 3")
    few = visitor.cards()
    assert few["Customers"] == count(n) and few["Revenue"] == money(revenue, "GBP", short=True)
    assert few != everybody and address_of(visitor) == {"min_orders": ["3"]}
    other = visit(address)
    other.go(visitor.page.url.removeprefix(address))
    assert other.cards() == few
    other.page.get_by_role("button", name="Clear all filters").click()
    other.settle()
    assert other.cards() == everybody and address_of(other) == {}


def test_filters_hold_across_pages(visit, shop):
    workspace, address = shop
    country = str(answer(workspace, "select primary_country as c from customers group by 1 order by count(*) desc, 1 limit 1"))
    visitor = visit(address)
    visitor.go(f"/?country={quote(country)}")
    few = visitor.cards()
    assert few["Customers"] == count(answer(workspace, "select count(*) as n from customers where primary_country = ?", country))
    for name in ("Customers", "About", "Overview"):
        visitor.turn_to(name)
        assert address_of(visitor) == {"country": [country]}, name
    assert visitor.cards() == few


def test_a_thing_to_do_leads_to_its_customers(visit, shop):
    workspace, address = shop
    visitor = visit(address)
    visitor.go("/")
    visitor.page.get_by_text("Show these customers").first.click()
    visitor.settle()
    (playbook,) = address_of(visitor)["playbook"]
    n = answer(workspace, "select count(*) as n from customers where playbook = ?", playbook)
    expect(visitor.page.get_by_text(f"{count(n)} of ")).to_be_visible()


def test_a_selected_row_opens_its_customer_and_the_way_back_keeps_the_list(visit, shop):
    workspace, address = shop
    visitor = visit(address)
    visitor.go("/customers?sort=Spent&min_orders=2")
    table = visitor.page.get_by_test_id("stDataFrame")
    box = table.bounding_box()
    assert box is not None
    visitor.page.mouse.click(box["x"] + 16, box["y"] + 55)
    visitor.page.wait_for_url("**/customer?*")
    visitor.settle()
    customer_id = str(
        answer(workspace, "select customer_id as c from customers where n_orders >= 2 order by total_spend desc, 1 limit 1")
    )
    assert address_of(visitor)["customer"] == [customer_id]
    expect(visitor.page.locator("h1")).to_have_text(f"Customer {customer_id}")
    with Genome.open(workspace) as genome:
        assert visitor.cards()["Value over 180 days"] == estimate(genome.customer(customer_id)["clv_180d"], "GBP")
    visitor.page.get_by_text("← All customers").click()
    visitor.settle()
    assert address_of(visitor) == {"sort": ["Spent"], "min_orders": ["2"]}


def test_search_finds_a_customer(visit, shop):
    workspace, address = shop
    customer_id = first_customer(workspace)
    visitor = visit(address)
    visitor.go("/customers")
    search = visitor.page.get_by_role("searchbox", name="Find a customer")
    search.fill(customer_id)
    search.press("Enter")
    visitor.settle()
    n = answer(workspace, "select count(*) as n from customers where contains(customer_id, ?)", customer_id)
    expect(visitor.page.get_by_text(f"{n} of ")).to_be_visible()
    assert address_of(visitor) == {"q": [customer_id]}


def test_the_download_is_the_list(visit, shop, tmp_path):
    workspace, address = shop
    visitor = visit(address)
    visitor.go("/customers?min_orders=4&sort=Orders")
    with visitor.page.expect_download() as started:
        visitor.page.get_by_role("button", name=re.compile("^Download all")).click()
    started.value.save_as(tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with Genome.open(workspace) as genome:
        expected = genome.query("select customer_id from customers where n_orders >= 4 order by n_orders desc, customer_id")
    assert [row["CustomerID"] for row in rows] == expected.column(0).to_pylist()


@pytest.mark.parametrize("path", ["/?rows=true", "/customers", f"/customer?customer={quote(HOSTILE_ID)}", "/about"])
def test_texts_of_the_data_load_nothing_and_are_shown_as_they_are(visit, hostile, path):
    workspace, address = hostile
    assert answer(workspace, "select count(*) as n from customers where customer_id = ?", HOSTILE_ID) == 1
    visitor = visit(address)
    visitor.go(path)
    page = visitor.page
    assert page.locator("h1").count() == 1
    assert page.locator("[data-testid=stMain] img, [data-testid=stMain] a[href*='198.51']").count() == 0
    if "customer?" in path:
        shown = page.locator("h1").inner_text().replace("\u2060", "")
        assert shown == f"Customer {HOSTILE_ID}"


@pytest.mark.parametrize("path", [path for path in PATHS if path not in NEED_NO_VERSION])
def test_without_a_version_the_page_says_what_to_run(visit, nothing, path):
    workspace, address = nothing
    visitor = visit(address, 390)
    visitor.go(path)
    expect(visitor.page.get_by_text("Nothing has been published yet")).to_be_visible()
    expect(visitor.page.get_by_text(f"genome run orders.csv --workspace {workspace}")).to_be_visible()


def test_the_first_page_answers_to_its_name_too(visit, shop):
    workspace, address = shop
    visitor = visit(address)
    visitor.go("/overview?min_orders=3&period=Last+90+days")
    assert visitor.page.get_by_text("Page not found").count() == 0
    assert address_of(visitor) == {"min_orders": ["3"], "period": ["Last 90 days"]}
    assert visitor.cards()["Customers"] == count(answer(workspace, "select count(*) as n from customers where n_orders >= 3"))
