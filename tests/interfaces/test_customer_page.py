"""The page of one customer: every figure is the published one, whoever asks, and whatever is known of the customer."""

from __future__ import annotations

import datetime as dt
import shutil
import statistics
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.erasure import forget
from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard import session
from customer_genome.interfaces.dashboard.customer_facts import COMPARED, beside_segment, returns_of
from customer_genome.interfaces.dashboard.customer_head import grade_words
from customer_genome.interfaces.dashboard.customer_list import ListRequest, page_of_customers
from customer_genome.interfaces.dashboard.list_place import ListPlace
from customer_genome.interfaces.dashboard.session import Hall
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, money, share
from customer_genome.interfaces.views.overview import order_days
from customer_genome.workspace import Workspace
from published_shops import answer, publish_rows, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("shop")
    publish_simulated(workspace)
    return workspace


def page(monkeypatch: pytest.MonkeyPatch, workspace: Path, role: str = "admin", **address: str) -> AppTest:
    """The page as a visitor with a role sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=120)
    monkeypatch.setattr(session, "role_of_visitor", lambda: role)
    app.run()
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page("customer.py").run()


def said(app: AppTest) -> str:
    """Everything in words on a page, without escapes."""
    parts = [str(one.value) for kind in (app.title, app.markdown, app.info, app.warning, app.dataframe) for one in kind]
    return "\n".join(parts).replace("\\", "")


def test_facts_stand_beside_the_median_of_the_segment(shop):
    seen = Hall(shop).visit("v00001")
    with Genome.open(shop) as genome:
        record = genome.customer(str(answer(shop, "select customer_id as c from customers order by total_spend desc limit 1")))
        everybody = genome.query("select * from customers where segment_name = ?", [record["segment_name"]]).to_pylist()
    rows = {row["fact"]: row for row in beside_segment(seen, record)}
    for name, (title, kind) in COMPARED.items():
        if record[name] is None:
            assert title not in rows
            continue
        values = [one[name] for one in everybody if one[name] is not None]
        middle = statistics.median(values)
        write = {"money": lambda value: money(value, "GBP"), "share": share, "count": count}.get(kind)
        assert write is None or rows[title]["median"] == write(middle), name
        assert rows[title]["higher"] == sum(value < record[name] for value in values) / len(everybody), name


def test_both_names_of_the_address_lead_to_the_customer_and_grades_are_explained(shop, monkeypatch):
    customer_id = str(answer(shop, "select max(customer_id) as c from customers where reliability is not null"))
    for name in ("customer", "id"):
        app = page(monkeypatch, shop, **{name: customer_id})
        assert not app.exception and app.title[0].value == f"Customer {customer_id}"
    with Genome.open(shop) as genome:
        record = genome.customer(customer_id)
    assert f"Reliability **{record['reliability']}**" in said(app) and grade_words(
        {"customers": 4, "left": 1.0, "inside": None}
    ).startswith("Earlier forecasts for 4 customers")


def test_goods_brought_back_are_published_by_day_drawn_and_add_up_to_the_facts(tmp_path):
    rows = [("a", "1", "2024-01-05", "p1", 4, 5.0, "France"), ("b", "2", "2024-01-06", "p1", 2, 5.0, "France")]
    back = [("a", "C3", "2024-01-09", "p1", -1, 5.0, "France"), ("a", "C4", "2024-01-09", "p1", -2, 5.0, "France")]
    publish_rows(tmp_path, [*rows, *back, ("a", "5", "2024-02-01", "p2", 1, 7.0, "France")])
    with Genome.open(tmp_path) as genome:
        returns, record = returns_of(genome, "a"), genome.customer("a")
        assert returns is not None and returns.to_pylist() == [
            {"returned_on": dt.date(2024, 1, 9), "n_lines": 2, "money": pytest.approx(15.0)}
        ]
        assert (record["n_returned_lines"], record["returned_value"]) == (2, pytest.approx(15.0))
        drawn = charts.customer_timeline(order_days(genome, "a"), returns=returns)
        assert "15.00 brought back" in " ".join(drawn.title.text) and drawn.to_dict()
        assert returns_of(genome, "b") == returns.slice(0, 0)


def test_a_viewer_sees_a_pseudonym_no_orders_and_no_file(shop, monkeypatch):
    customer_id = str(answer(shop, "select max(customer_id) as c from customers"))
    app = page(monkeypatch, shop, "viewer", customer=customer_id)
    assert not app.exception and "Nobody here is called" in said(app)  # an id is no pseudonym, and no near id is told
    listed = AppTest.from_file(APP, default_timeout=120)
    pseudonym = listed.run().switch_page("customers.py").run().dataframe[0].value["customer_id"].iloc[0]
    app = page(monkeypatch, shop, "viewer", customer=pseudonym)
    with Genome.open(shop) as genome:
        ids = set(genome.query("select customer_id from customers").column(0).to_pylist())
    assert not app.exception and app.title[0].value.replace("\\", "") == f"Customer {pseudonym}"
    shown = {str(value) for table in app.dataframe for column in table.value for value in table.value[column]}
    assert not shown & ids and "Orders of one person are not shown" in said(app)
    assert not [one for one in app.expander if one.label.startswith("Orders")]


def test_an_erased_customer_is_named_as_such(shop, tmp_path, monkeypatch):
    copy = tmp_path / "shop"
    shutil.copytree(shop, copy)
    customer_id = str(answer(copy, "select max(customer_id) as c from customers"))
    forget(Workspace(copy), customer_id)
    app = page(monkeypatch, copy, customer=customer_id)
    assert not app.exception and "were erased from this workspace" in said(app)
    assert "were erased" not in said(page(monkeypatch, copy, customer=customer_id + "x"))


def test_next_leads_through_the_list_one_came_from(shop, monkeypatch):
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(shop))
    seen, request = Hall(shop).visit("v00001"), ListRequest(sort="Spent")
    ids = page_of_customers(seen, request, 1).column("customer_id").to_pylist()
    app = AppTest.from_file(APP, default_timeout=120).run()
    app.session_state["list_place"] = ListPlace(seen.key, request, 0)
    app.query_params["customer"] = ids[0]
    app.switch_page("customer.py").run()
    assert app.button(key="list_previous").disabled
    app.button(key="list_next").click().run()
    assert not app.exception and app.title[0].value == f"Customer {ids[1]}"
    assert not app.button(key="list_previous").disabled
