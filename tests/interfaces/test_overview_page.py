"""Overview and Changes as pages: their figures equal SQL under filters and periods, and earlier versions are held against this one."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, money, share
from published_shops import answer, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of two versions; in the older one every value was a fifth lower, and the first ten customers were not known."""
    workspace = tmp_path_factory.mktemp("overview-page")
    publish_simulated(workspace)
    published = workspace / "published"
    shutil.copytree(published / "v00001", published / "v00002")
    manifest = json.loads((published / "v00001" / "manifest.json").read_text())
    (published / "v00002" / "manifest.json").chmod(0o644)
    (published / "v00002" / "manifest.json").write_text(json.dumps(manifest | {"version": "v00002"}))
    pointer = (published / "CURRENT").read_text()
    (published / "CURRENT").write_text(pointer.replace("v00001", "v00002"))
    file = published / "v00001" / "snapshot.duckdb"
    file.chmod(0o644)
    with duckdb.connect(str(file)) as connection:
        connection.execute("update customers set clv_180d = 0.8 * clv_180d")
        connection.execute("delete from customers where customer_id in (select customer_id from customers order by 1 limit 10)")
    return workspace


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch, page: str = "", **address: str) -> AppTest:
    """A page, as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=90)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    if page:
        app.switch_page(page).run()
    assert not app.exception and not app.error
    return app


def said(app: AppTest) -> str:
    """The text of a page without the signs that keep it from being Markdown."""
    return "\n".join(mark.value for mark in app.markdown).replace("\\", "").replace("\u00a0", " ")


def test_the_first_minute_and_the_cards_of_the_last_days_equal_sql(shop, monkeypatch):
    app = page_of(shop, monkeypatch)
    end = answer(shop, "select max(as_of) as d from customers")
    start = end - dt.timedelta(days=90)
    inside = f"ordered_on >= date '{start}' and ordered_on < date '{end}'"
    cards = {metric.label: metric for metric in app.metric}
    assert cards["Revenue, 90 days"].value == money(
        answer(shop, f"select sum(revenue) as m from orders where {inside}"), "GBP", short=True
    )
    people = answer(shop, f"select count(distinct customer_id) as n from orders where {inside}")
    assert cards["Active customers, 90 days"].value == count(people)
    new = answer(shop, f"select count(*) as n from customers where {inside.replace('ordered_on', 'first_order_on')}")
    assert cards["New customers, 90 days"].value == count(new) and cards["Customers"].delta == f"+{count(new)}"
    for opening in ("What happened", "Who matters", "What to do", "How sure"):
        assert f"**{opening}:**" in said(app)
    assert f"of {count(people)} customers, {count(new)} of them new" in said(app)
    mean = answer(shop, "select sum(total_spend) / count(*) as m from customers")
    assert cards["Average spend"].value == money(mean, "GBP")
    assert cards["Segments"].value == count(answer(shop, "select count(distinct segment_name) as n from customers"))


def test_the_period_changes_what_is_over_time_and_no_fact_of_customers(shop, monkeypatch):
    everything = {metric.label: metric.value for metric in page_of(shop, monkeypatch).metric}
    app = page_of(shop, monkeypatch, period="Last 180 days", min_orders="2")
    end = answer(shop, "select max(as_of) as d from customers")
    orders = answer(
        shop,
        "select count(*) as n from orders where ordered_on >= ? and customer_id in (select customer_id from customers where n_orders >= 2)",
        end - dt.timedelta(days=180),
    )
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Orders in the period"] == count(orders)
    assert figures["Customers"] == count(answer(shop, "select count(*) as n from customers where n_orders >= 2"))
    assert figures["Orders"] == count(answer(shop, "select sum(n_orders) as n from customers where n_orders >= 2"))
    assert "the other figures of this page are facts of customers" in said(app)
    whole = {metric.label: metric.value for metric in page_of(shop, monkeypatch, period="Last 180 days").metric}
    assert all(whole[label] == everything[label] for label in ("Customers", "Revenue", "Orders", "Average CLV", "Value at risk"))


def test_figures_ahead_are_held_against_the_version_before_of_the_same_customers(shop, monkeypatch):
    app = page_of(shop, monkeypatch)
    cards = {metric.label: metric for metric in app.metric}
    with duckdb.connect(str(shop / "published" / "v00001" / "snapshot.duckdb"), read_only=True) as connection:
        (before,) = connection.execute("select avg(clv_180d) from customers").fetchone()
    rise = answer(shop, "select avg(clv_180d) as m from customers") / before - 1
    assert cards["Average CLV"].delta == f"+{100 * rise:.0f} %"
    assert "**10 customers more**" in said(app) and "Against v00001" in said(app)
    part = said(page_of(shop, monkeypatch, min_orders="3"))
    assert "Against v00001" in part and "**10 customers more**" not in part


def test_changes_says_how_much_is_how_much_of_what_and_keeps_its_choice_in_the_address(shop, monkeypatch):
    app = page_of(shop, monkeypatch, "changes.py")
    cards = {metric.label: metric for metric in app.metric}
    n = answer(shop, "select count(*) as n from customers")
    assert cards["New"].value == "10" and cards["Gone"].value == "0"
    assert cards["New"].proto.delta_description == f"{share(10 / n)} of {count(n)}"
    app.selectbox(key="change_groups").set_value("Risk band").run()
    assert not app.exception and "moved to another risk band" in said(app)
