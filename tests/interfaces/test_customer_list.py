"""The list of customers: under every filter, search, order and page its rows are those of plain SQL, and its file is the whole list."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard import customer_list, session
from customer_genome.interfaces.dashboard.customer_list import (
    ListRequest,
    count_customers,
    list_as_csv,
    list_as_zip,
    neighbours_in_list,
    page_of_customers,
)
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.list_columns import columns_of
from customer_genome.interfaces.dashboard.session import Hall, Visit
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from published_shops import answer, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("shop")
    publish_simulated(workspace)
    return workspace


def visit_of(workspace: Path) -> Visit:
    """Return the version a page would read."""
    return Hall(workspace).visit("v00001")


def whole(visit: Visit, request: ListRequest, rows: int = 40) -> list[str]:
    """Return the ids of all pages."""
    found = count_customers(visit, request)
    pages = range(1, found // rows + 3)  # the last one lies behind the end
    return [name for page in pages for name in page_of_customers(visit, request, page, rows).column("customer_id").to_pylist()]


def test_every_column_orders_both_ways_and_every_page_follows_the_one_before(shop):
    visit = visit_of(shop)
    for column in columns_of(visit, Selection()):
        for is_turned in (False, True):
            request = ListRequest(sort=column.title, is_turned=is_turned)
            ids = whole(visit, request, 100)
            with Genome.open(shop) as genome:
                values = dict(
                    zip(
                        *genome.query(
                            f"select customer_id, {column.order or column.sql} as v from customers order by customer_id"
                        ).to_pydict().values(),
                        strict=True,
                    )
                )  # fmt: skip
            known = sorted(
                (name for name in sorted(values) if values[name] is not None),
                key=lambda name: values[name],
                reverse=column.rises == is_turned,
            )
            same_last = [name for name in sorted(values) if values[name] is None]
            assert ids == known + same_last, (column.title, is_turned)


@pytest.mark.parametrize(
    ("request_", "condition"),
    [
        (ListRequest(search="1", sort="Spent"), "customer_id like '%1%'"),
        (ListRequest(risk="High", sort="Orders", is_turned=True), "churn_band = 'High'"),
        (ListRequest(Selection(min_orders=3, min_clv=20.0), value="High", sort="Spent"), "n_orders >= 3 and clv_180d >= 20 and clv_band = 'High'"),
        (ListRequest(search="nobody at all"), "false"),
    ],
)  # fmt: skip
def test_filters_and_search_equal_sql(shop, request_, condition):
    visit = visit_of(shop)
    with Genome.open(shop) as genome:
        expected = genome.query(f"select customer_id from customers where {condition}").column(0).to_pylist()
    assert count_customers(visit, request_) == len(expected)
    assert sorted(whole(visit, request_)) == sorted(expected)


def test_the_columns_asked_for_are_the_columns_given(shop):
    visit = visit_of(shop)
    names = ("segment", "mean_gap_days", "value_band", "no such column")
    rows = page_of_customers(visit, ListRequest(sort="Customer id", columns=names), 1)
    assert rows.column_names == ["customer_id", *names[:3]]
    with Genome.open(shop) as genome:
        plain = genome.query("select customer_id, segment_name, mean_gap_days, clv_band from customers order by 1 limit 25")
    assert rows.column("mean_gap_days").to_pylist() == plain.column("mean_gap_days").to_pylist()
    assert [text.split()[-1] for text in rows.column("value_band").to_pylist()] == plain.column("clv_band").to_pylist()


@pytest.mark.parametrize("place", [0, 1, 30])
def test_the_next_customer_is_the_next_one_of_the_list(shop, place):
    visit, request = visit_of(shop), ListRequest(Selection(min_orders=2), sort="Spent")
    ids = whole(visit, request)
    near = neighbours_in_list(visit, request, place)
    assert near == {at: ids[at] for at in (place - 1, place, place + 1) if 0 <= at < len(ids)}
    assert neighbours_in_list(visit, request, len(ids) - 1) == {len(ids) - 2: ids[-2], len(ids) - 1: ids[-1]}


def test_both_files_hold_the_whole_list_in_its_order(shop):
    visit, request = visit_of(shop), ListRequest(Selection(min_orders=2), sort="Spent", is_turned=True)
    plain = list_as_csv(visit, request)
    with zipfile.ZipFile(io.BytesIO(list_as_zip(visit, request))) as packed:
        assert packed.namelist() == ["customers.csv"] and packed.read("customers.csv") == plain
    as_text = pa_csv.ConvertOptions(column_types={"CustomerID": pa.string()})
    table = pa_csv.read_csv(io.BytesIO(plain), convert_options=as_text)
    assert table.column("CustomerID").to_pylist() == whole(visit, request)
    assert table.column_names == [name for name, _ in visit.genome.export_columns()]


def page(monkeypatch: pytest.MonkeyPatch, workspace: Path, role: str = "admin", **address: str) -> AppTest:
    """The page Customers as a visitor with a role sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=60)
    monkeypatch.setattr(session, "role_of_visitor", lambda: role)
    app.run()
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page("customers.py").run()


def test_the_page_lists_in_the_order_asked_for(shop, monkeypatch):
    app = page(monkeypatch, shop)
    app.selectbox(key="sort").set_value("Spent").run()
    first = app.dataframe[0].value
    assert not app.exception and len(first) == customer_list.PAGE_ROWS
    assert first["customer_id"].iloc[0] == answer(
        shop, "select customer_id as c from customers order by total_spend desc, 1 limit 1"
    )
    app.multiselect(key="columns").set_value(["mean_gap_days"]).run()
    assert list(app.dataframe[0].value.columns) == ["customer_id", "mean_gap_days"]


def test_a_viewer_sees_no_id_and_takes_none_along(shop, monkeypatch):
    app = page(monkeypatch, shop, "viewer")
    assert not app.exception and not app.text_input and not app.get("download_button")
    ids = set(app.dataframe[0].value["customer_id"])
    with Genome.open(shop) as genome:
        real = set(genome.query("select customer_id from customers").column(0).to_pylist())
    assert len(ids) == customer_list.PAGE_ROWS and not ids & real
    assert "Customer id" not in app.selectbox(key="sort").options
