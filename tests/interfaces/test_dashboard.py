"""Every page of the dashboard, run in Python: what it says equals SQL on the published version, whatever is published."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.decisions.findings import findings
from customer_genome.erasure import forget
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard.customer_list import ListRequest, count_customers
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.markup import plain
from customer_genome.interfaces.dashboard.session import Hall, Visit
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, estimate, money
from customer_genome.workspace import Workspace
from published_shops import (
    HOSTILE_ID,
    SETTINGS,
    answer,
    hostile_customers,
    one_customer,
    publish,
    publish_rows,
    publish_simulated,
)

PAGES = tuple(dict.fromkeys(re.findall(r'st\.Page\("(\w+\.py)"', APP.read_text("utf-8"))))
"""The pages that the navigation names, so that a new one is tried from its first day."""

OF_CHOSEN_CUSTOMERS = ("overview.py", "customers.py", "segments.py", "targets.py")
"""Pages whose numbers follow the filters of the side bar."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("shop")
    publish_simulated(workspace)
    return workspace


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published shop whose texts try to be something else."""
    workspace = tmp_path_factory.mktemp("hostile")
    publish_rows(workspace, hostile_customers())
    return workspace


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published shop with one customer and one order."""
    workspace = tmp_path_factory.mktemp("lonely")
    publish_rows(workspace, one_customer())
    return workspace


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of a workspace as a new visitor."""

    def open_page(workspace: Path, page: str = "overview.py", **address: str | list[str]) -> AppTest:
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
        app = AppTest.from_file(APP, default_timeout=60).run()
        for name, value in address.items():
            app.query_params[name] = value
        return app.switch_page(page).run() if page != "overview.py" or address else app

    return open_page


def visit_of(workspace: Path) -> Visit:
    """Return the version a page would read."""
    return Hall(workspace).visit("v00001")


def shown(app: AppTest) -> str:
    """Return all text of a page."""
    parts = [
        element.value for kind in (app.title, app.header, app.markdown, app.info, app.warning, app.error) for element in kind
    ]
    return "\n".join(str(part) for part in parts)


def cards(app: AppTest) -> dict[str, str]:
    """Return the figures of the cards by label."""
    return {metric.label: metric.value for metric in app.metric}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", ["shop", "hostile", "lonely"])
def test_every_page_shows_whatever_was_published(request, look, name, page):
    workspace = request.getfixturevalue(name)
    address = {"customer": str(answer(workspace, "select min(customer_id) as c from customers"))} if page == "customer.py" else {}
    app = look(workspace, page, **address)
    assert not app.exception and not app.error
    assert app.title


def test_the_navigation_names_every_page_there_is():
    drawn = {path.name for path in APP.parent.glob("*.py") if re.search(r"^show\(\)$", path.read_text("utf-8"), re.MULTILINE)}
    assert drawn == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_version_every_page_says_what_to_do(look, tmp_path, page):
    app = look(tmp_path / "nothing", page)
    assert not app.exception and app.title
    if app.get("file_uploader"):  # the page that takes a file is itself what to do
        return
    command = "genome profiles train" if page == "predict.py" else "genome run"
    assert any(command in code.value and str(tmp_path / "nothing") in code.value for code in app.code)
    assert page == "predict.py" or any("genome demo" in code.value for code in app.code)


@pytest.mark.parametrize("page", PAGES)
def test_a_choice_that_fits_nobody_breaks_no_page_and_is_said(look, shop, page):
    app = look(shop)
    app.number_input(key="min_orders").set_value(100_000).run()
    if page == "customer.py":
        app.query_params["customer"] = str(answer(shop, "select min(customer_id) as c from customers"))
    app.switch_page(page).run()
    assert not app.exception and not app.error and app.title
    if page in OF_CHOSEN_CUSTOMERS:
        assert re.search(r"no customer|nobody|take one off", shown(app), re.IGNORECASE), shown(app)


def test_a_damaged_version_is_reported_and_not_shown(look, tmp_path):
    publish_rows(tmp_path, one_customer())
    (tmp_path / "published" / "v00001" / "snapshot.duckdb").write_bytes(b"not a database")
    app = look(tmp_path)
    assert not app.exception and not app.metric
    assert "v00001" in app.error[0].value and any("genome doctor" in code.value for code in app.code)


def test_cards_equal_sql(look, shop):
    figures = cards(look(shop))
    assert figures["Customers"] == count(answer(shop, "select count(*) as n from customers"))
    assert figures["Orders"] == count(answer(shop, "select count(*) as n from orders"))
    assert figures["Revenue"] == money(answer(shop, "select sum(revenue) as m from orders"), "GBP", short=True)
    assert figures["Average CLV"] == estimate(answer(shop, "select avg(clv_180d) as m from customers"), "GBP")
    assert figures["Value at risk"] == money(
        answer(shop, "select sum(clv_180d * churn_probability) as m from customers"), "GBP", short=True
    )


def test_filters_change_every_number_and_equal_sql(look, shop):
    app = look(shop)
    country = answer(shop, "select primary_country as c from customers group by 1 order by count(*) desc, 1 limit 1 offset 1")
    app.multiselect(key="country").set_value([country])
    app.number_input(key="min_orders").set_value(2)
    app.number_input(key="min_clv").set_value(50)
    app.run()
    assert not app.exception
    condition = "primary_country = ? and n_orders >= 2 and clv_180d >= 50"
    n = answer(shop, f"select count(*) as n from customers where {condition}", country)
    assert 0 < n < answer(shop, "select count(*) as n from customers")
    figures = cards(app)
    assert figures["Customers"] == count(n)
    assert figures["Orders"] == count(answer(shop, f"select sum(n_orders) as n from customers where {condition}", country))
    assert figures["Revenue"] == money(
        answer(shop, f"select sum(total_spend) as m from customers where {condition}", country), "GBP", short=True
    )
    with Genome.open(shop) as genome:
        part = genome.query(f"select * from customers where {condition} order by customer_id", [country])
    expected = {finding.id: finding.sentence for finding in findings(part, currency="GBP")}
    assert plain(expected["revenue_top_10"]) in shown(app) and plain(expected["one_or_two_orders"]) in shown(app)


def test_filters_hold_from_page_to_page_and_are_taken_off_at_once(look, shop):
    app = look(shop)
    everybody = cards(app)["Customers"]
    app.number_input(key="min_orders").set_value(4)
    app.run()
    n = answer(shop, "select count(*) as n from customers where n_orders >= 4")
    app.switch_page("customers.py").run()
    assert f"{count(n)} of {everybody} customers" in shown(app)
    app.switch_page("about.py").run()
    app.switch_page("overview.py").run()
    assert cards(app)["Customers"] == count(n)
    app.button(key="clear").click().run()
    assert cards(app)["Customers"] == everybody


def test_a_filter_that_fits_nobody_says_so(look, shop):
    app = look(shop)
    app.number_input(key="min_orders").set_value(100_000)
    app.run()
    assert not app.exception and "Take one off" in app.info[0].value
    app.switch_page("customers.py").run()
    assert not app.exception and "No customer fits" in app.info[0].value


@pytest.mark.parametrize("method", ["RFM", "KMeans"])
def test_segments_can_be_made_in_other_ways(look, shop, method):
    app = look(shop)
    app.selectbox(key="method").set_value(method).run()
    assert not app.exception
    sql = Selection(method).segment_sql
    largest = answer(shop, f"select {sql} as s from customers group by 1 order by count(*) desc, 1 limit 1")
    assert plain(f"{largest} is the largest segment") in shown(app)
    app.multiselect(key="segment").set_value([largest]).run()
    assert cards(app)["Customers"] == count(answer(shop, f"select count(*) as n from customers where {sql} = ?", largest))


def test_things_to_do_leave_out_those_who_must_not_be_contacted(look, tmp_path):
    publish_simulated(tmp_path)
    with Genome.open(tmp_path) as genome:
        ids = genome.query("select customer_id from customers").column(0).to_pylist()
    (tmp_path / "no.csv").write_text("\n".join(["customer_id", *ids]) + "\n")
    assert re.search(r"\*\*1\\?\. ", shown(look(tmp_path)))
    publish(tmp_path, tmp_path / "lines.parquet", SETTINGS + '[tables.suppressions]\npath = "no.csv"\n')
    assert "Nobody here has value at risk worth a campaign" in shown(look(tmp_path))


def test_one_customer_shows_what_was_published(look, shop):
    customer_id = answer(shop, "select customer_id as c from customers order by n_orders desc, 1 limit 1")
    app = look(shop, "customer.py", customer=customer_id)
    with Genome.open(shop) as genome:
        record = genome.customer(customer_id)
    figures = cards(app)
    assert figures["Spent so far"] == money(record["total_spend"], "GBP", short=True)
    assert figures["Value over 180 days"] == estimate(record["clv_180d"], "GBP")
    assert figures["Value at risk"] == estimate(record["expected_value_loss"], "GBP")
    assert plain(record["recommended_action"]) in shown(app) and plain(record["playbook"]) in shown(app)
    months, *_, orders = (table.value for table in app.dataframe)
    assert len(months) == 12 and "Next order, 80 %: " in shown(app)
    assert len(orders) == record["n_orders"]


def test_an_address_of_the_list_that_names_a_customer_leads_there(look, shop):
    customer_id = answer(shop, "select max(customer_id) as c from customers")
    app = look(shop, "customers.py", customer=customer_id)
    assert app.title[0].value == f"Customer {plain(customer_id)}"


def test_an_unknown_customer_gets_the_nearest_ids(look, shop):
    customer_id = answer(shop, "select max(customer_id) as c from customers")
    app = look(shop, "customer.py", customer=customer_id + "x")
    assert not app.exception and plain(customer_id) in app.warning[0].value


def test_texts_of_the_data_are_never_markdown(look, hostile):
    for page in PAGES:
        app = look(hostile, page, customer=HOSTILE_ID) if page == "customer.py" else look(hostile, page)
        words = re.sub(r"\\.", "", shown(app))
        assert "](http" not in words and "<img" not in words and "<b>" not in words and ":red[" not in words, page
    assert app.title


def test_a_newer_version_is_offered_and_never_mixed_in(look, tmp_path):
    publish_simulated(tmp_path)
    app = look(tmp_path)
    before = cards(app)
    publish_rows(tmp_path, one_customer())
    app.run()
    assert cards(app) == before and "v00001" in shown(app)
    app.button(key="show_newest").click().run()
    assert cards(app)["Customers"] == "1" and "v00002" in shown(app)
    assert not [button for button in app.button if button.key == "show_newest"]


def test_an_erased_customer_is_gone_at_once(look, tmp_path):
    publish_simulated(tmp_path)
    customer_id = answer(tmp_path, "select max(customer_id) as c from customers")
    app = look(tmp_path, "customer.py", customer=customer_id)
    assert app.title
    forget(Workspace(tmp_path), customer_id)
    app.run()
    assert not app.exception and "is not among" in app.warning[0].value.replace("\\", "")


@pytest.mark.parametrize("search", ["1", "'; drop table customers; --", "%", "", "  "])
def test_search_finds_parts_of_ids_and_nothing_else(shop, search):
    visit = visit_of(shop)
    with Genome.open(shop) as genome:
        ids = genome.query("select customer_id from customers").column(0).to_pylist()
    assert count_customers(visit, ListRequest(search=search)) == sum(search.strip().lower() in name.lower() for name in ids)


def test_a_selection_in_words_names_every_filter():
    selection = Selection(segments=("A", "B"), countries=("France",), min_orders=2, min_clv=10)
    assert selection.in_words(lambda value: f"£{value:.0f}") == "A or B · France · 2 orders or more · value of £10 or more"
    assert Selection().in_words(str) == "" and Selection().is_everybody and not selection.is_everybody


def asked(monkeypatch, workspace: Path, **address: str) -> Selection:
    """Return what the side bar makes of an address somebody arrives at."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    selection: Selection = app.session_state["selection"]
    return selection


def test_a_period_moves_time_and_never_customers(monkeypatch, shop):
    as_of = dt.date.fromisoformat(visit_of(shop).manifest["as_of"])
    last = asked(monkeypatch, shop, period="Last 90 days")
    assert (last.since, last.until) == (as_of - dt.timedelta(days=90), None) and last.where() == Selection(min_orders=1).where()
    assert last.is_everybody and last.has_period and last.of_customers == Selection(min_orders=1)
    first = as_of - dt.timedelta(days=60)
    own = asked(monkeypatch, shop, period="Own dates", since=str(first), until=str(first + dt.timedelta(days=9)))
    assert (own.since, own.until) == (first, first + dt.timedelta(days=10))
    assert (
        asked(monkeypatch, shop, period="Own dates", since=str(as_of - dt.timedelta(days=5)), until=str(first)).has_period
        is False
    )


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"country": "Atlantis"}, "Atlantis"),
        ({"segment": "nobody", "method": "Zodiac"}, "Zodiac"),
        ({"period": "yesterday"}, "yesterday"),
        ({"min_orders": "-3", "min_clv": "nan"}, "no number from 0 up"),
        ({"period": "Own dates", "since": "3000-01-01", "until": "<b>"}, "no day of these data"),
    ],
)
def test_what_an_address_asks_in_vain_is_left_out_and_said(monkeypatch, shop, address, said):
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(shop))
    app = AppTest.from_file(APP, default_timeout=60)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception and said in "".join(warning.value for warning in app.warning)
    assert app.session_state["selection"] == Selection(min_orders=1)
