"""Every page on two real shops, Online Retail II and Complete Journey: whole, readable for everybody, and true to the published version."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Locator, expect

from customer_genome.genome import Genome
from customer_genome.interfaces.serving.server import APP
from customer_genome.interfaces.views.figures import count, estimate, money
from published_shops import answer

pytestmark = pytest.mark.browser

PATHS = tuple("/" if path == "overview" else f"/{path}" for path in re.findall(r'url_path="(\w+)"', APP.read_text("utf-8")))
"""The addresses that the navigation names, so that a new page is tried from its first day."""

SHOPS = ("retail", "grocer")
MOST_TABS = 60
BROKEN = """() => [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].filter(chart => !chart.querySelector('svg, canvas')).length"""


@pytest.fixture(params=SHOPS)
def real(request: pytest.FixtureRequest) -> tuple[Path, str, str]:
    """A real shop: its workspace, its address, its currency."""
    workspace, address = request.getfixturevalue(request.param)
    with Genome.open(workspace) as genome:
        return workspace, address, genome.currency


def with_customer(workspace: Path, path: str) -> str:
    """Return the address of a page; that of one customer names the one who spent most."""
    if path != "/customer":
        return path
    return f"/customer?customer={quote(str(answer(workspace, 'select customer_id as c from customers order by total_spend desc, 1 limit 1')))}"


def rows_of(download: Any, folder: Path) -> list[dict[str, str]]:
    """Return the rows of a downloaded CSV file."""
    path = folder / "file.csv"
    download.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def download(visitor: Any, button: Locator, folder: Path) -> list[dict[str, str]]:
    """Press a button and return the rows of the file that comes."""
    with visitor.page.expect_download() as started:
        button.click()
    return rows_of(started.value, folder)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole_and_readable_for_everybody_in_light_and_dark(visit, real, path):
    workspace, address, _ = real
    visitor = visit(address)
    visitor.go(with_customer(workspace, path))
    page = visitor.page
    assert page.get_by_test_id("stException").count() == 0
    expect(page.locator("h1")).to_have_count(1)
    assert page.evaluate(BROKEN) == 0, "a chart is not drawn"
    assert not re.search(r"\b(None|NaN|NaT|nan|undefined)\b", page.get_by_test_id("stMain").inner_text())
    faults = {"light": visitor.faults_of_access()}
    page.emulate_media(color_scheme="dark")
    visitor.settle()
    faults["dark"] = visitor.faults_of_access()
    assert faults == {"light": [], "dark": []}


def test_filters_change_the_numbers_of_overview_and_equal_sql(visit, real):
    workspace, address, currency = real
    segment = str(answer(workspace, "select segment_name as s from customers group by 1 order by count(*) desc, 1 limit 1"))
    visitor = visit(address)
    visitor.go("/")
    everybody = visitor.cards()
    assert everybody["Customers"] == count(answer(workspace, "select count(*) as n from customers"))
    assert everybody["Revenue"] == money(answer(workspace, "select sum(revenue) as m from orders"), currency, short=True)
    visitor.go(f"/?segment={quote(segment)}&min_orders=3&min_clv=20")
    few = visitor.cards()
    chosen = "from customers where segment_name = ? and n_orders >= 3 and clv_180d >= 20"
    assert few["Customers"] == count(answer(workspace, f"select count(*) as n {chosen}", segment)) != everybody["Customers"]
    assert few["Orders"] == count(answer(workspace, f"select sum(n_orders) as n {chosen}", segment))
    assert few["Revenue"] == money(answer(workspace, f"select sum(total_spend) as m {chosen}", segment), currency, short=True)
    assert few["Average CLV"] == estimate(answer(workspace, f"select avg(clv_180d) as m {chosen}", segment), currency)
    loss = answer(workspace, f"select sum(clv_180d * churn_probability) as m {chosen}", segment)
    assert few["Value at risk"] == money(loss, currency, short=True)


def test_filters_hold_from_page_to_page_and_an_address_brings_them_back(visit, real):
    workspace, address, _ = real
    visitor = visit(address)
    visitor.go("/?min_orders=5&min_clv=50")
    n = count(answer(workspace, "select count(*) as n from customers where n_orders >= 5 and clv_180d >= 50"))
    assert visitor.cards()["Customers"] == n
    for name in ("Customers", "Segments", "Value at risk", "Overview"):
        visitor.turn_to(name)
        kept = parse_qs(urlsplit(visitor.page.url).query)
        assert (kept["min_orders"], kept["min_clv"]) == (["5"], ["50"]), name
        if name == "Customers":
            assert f"{n} of " in visitor.page.inner_text("body")
    again = visit(address)
    again.go(visitor.page.url.removeprefix(address))
    assert again.cards() == visitor.cards()


@pytest.mark.parametrize("where", ["n_orders >= 12", "churn_band = 'High' and n_orders >= 2"])
def test_the_file_of_the_list_is_the_answer_of_sql(visit, real, tmp_path, where):
    workspace, address, _ = real
    visitor = visit(address)
    visitor.go("/customers?min_orders=12" if "12" in where else "/customers?risk=High&min_orders=2")
    rows = download(visitor, visitor.page.get_by_role("button", name=re.compile("^Download")).last, tmp_path)
    assert len(rows) == answer(workspace, f"select count(*) as n from customers where {where}")
    spent = float(answer(workspace, f"select sum(total_spend) as m from customers where {where}"))
    assert sum(float(row["total_spend"]) for row in rows) == pytest.approx(spent, rel=1e-9)


def test_segments_in_figures_are_those_of_sql(visit, real, tmp_path):
    workspace, address, _ = real
    visitor = visit(address)
    visitor.go("/segments?min_orders=2")
    visitor.page.get_by_text("The segments in figures").click()
    visitor.settle()
    rows = download(visitor, visitor.page.get_by_role("button", name="Download (CSV)").first, tmp_path)
    sql = "select count(*) as n from customers where n_orders >= 2"
    assert sum(int(row["customers"]) for row in rows) == answer(workspace, sql)
    assert len(rows) == answer(workspace, "select count(distinct cluster_kmeans) as n from customers where n_orders >= 2")


def test_value_at_risk_counts_the_customers_of_a_cell(visit, real):
    workspace, address, currency = real
    visitor = visit(address)
    visitor.go("/targets?value_band=High&risk_band=High&min_orders=2")
    where = "clv_band = 'High' and churn_band = 'High' and n_orders >= 2"
    n = int(str(answer(workspace, f"select count(*) as n from customers where {where}")))
    text = visitor.page.inner_text("body")
    assert (f"the {min(25, n)} customers with most at stake" if n else "Nobody has High value") in text
    everything = answer(workspace, "select sum(expected_value_loss) as m from customers where n_orders >= 2")
    assert money(everything, currency, short=True) in visitor.cards().values()


def test_one_customer_is_who_was_asked_for(visit, real):
    workspace, address, currency = real
    customer_id = str(answer(workspace, "select customer_id as c from customers order by n_orders desc, 1 limit 1 offset 3"))
    visitor = visit(address)
    visitor.go(f"/customers?customer={quote(customer_id)}")
    visitor.page.wait_for_url("**/customer?*")
    visitor.settle()
    expect(visitor.page.locator("h1")).to_have_text(f"Customer {customer_id}")
    spent = answer(workspace, "select total_spend as m from customers where customer_id = ?", customer_id)
    assert visitor.cards()["Spent so far"] == money(spent, currency, short=True)


def test_the_forecast_comes_as_a_file(visit, real, tmp_path):
    workspace, address, _ = real
    visitor = visit(address)
    visitor.go("/value")
    visitor.page.get_by_text("Forecast and cohorts in figures").click()
    visitor.settle()
    rows = download(visitor, visitor.page.get_by_role("button", name="Download (CSV)").first, tmp_path)
    assert len(rows) == answer(workspace, "select count(*) as n from forecast")


def focused(visitor: Any) -> dict[str, Any]:
    """Return what has the focus: its name, and whether one sees that it has it."""
    found: dict[str, Any] = visitor.page.evaluate(
        """() => {
            const one = document.activeElement, box = one.getBoundingClientRect();
            const by = (one.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id)?.innerText || '');
            const name = one.getAttribute('aria-label') || by.join(' ').trim() || one.innerText || one.title || one.placeholder || '';
            return {name: name.trim().split('\\n')[0], tag: one.tagName, wide: box.width, high: box.height};
        }"""
    )
    return found


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", ["Segments by", "Segment", "Country", "Orders, at least", "Value over 180 days, at least", "Show these customers"]),
        ("/customers", ["Orders, at least", "Find a customer", "Playbook", "Risk", "Order by"]),
        ("/targets", ["Orders, at least", "Value", "Risk"]),
        ("/segments", ["Orders, at least", "Found by"]),
    ],
)
def test_the_keyboard_reaches_filters_and_what_a_page_is_for_in_reading_order(visit, retail, path, wanted):
    visitor = visit(retail[1])
    visitor.go(path)
    names: list[str] = []
    for _ in range(MOST_TABS):
        visitor.page.keyboard.press("Tab")
        one = focused(visitor)
        names.append(str(one["name"]))
        if all(any(name in reached for reached in names) for name in wanted):
            break
    places = [next((at for at, reached in enumerate(names) if name in reached), None) for name in wanted]
    assert None not in places, names
    assert places == sorted(places), names


def test_enter_on_the_keyboard_follows_a_thing_to_do(visit, retail):
    visitor = visit(retail[1])
    visitor.go("/")
    visitor.page.get_by_role("link", name=re.compile("Show these customers")).first.focus()
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**/customers?*")
    visitor.settle()
    expect(visitor.page.locator("h1")).to_have_text("Customers")
