"""Every page of the dashboard with a million customers: it opens, its numbers are those of SQL, and no chart gets more than it can draw."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, money
from many_customers import multiply
from published_shops import answer, publish_simulated

pytestmark = pytest.mark.slow

PAGES = tuple(dict.fromkeys(re.findall(r'st\.Page\("(\w+\.py)"', APP.read_text("utf-8"))))
MANY = 1_000_000
MOST_POINTS = 5_000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published version with a million customers."""
    folder = tmp_path_factory.mktemp("crowd")
    publish_simulated(folder / "few", n_lines=800)
    multiply(folder / "few", folder / "many", MANY)
    return folder / "many"


@pytest.fixture
def look(crowd: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of a million customers as a new visitor."""

    def open_page(page: str, **address: str) -> AppTest:
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(crowd))
        app = AppTest.from_file(APP, default_timeout=120).run()
        for name, value in address.items():
            app.query_params[name] = value
        app = app.switch_page(page).run() if page != "overview.py" or address else app
        assert not app.exception and not app.error, page
        return app

    return open_page


def points(app: AppTest) -> list[int]:
    """Return how many rows each data set of each chart has."""
    drawn: list[int] = []
    for chart in app.get("vega_lite_chart"):
        proto: Any = chart.proto
        held = [data.data.data for data in proto.datasets] + ([proto.data.data] if proto.HasField("data") else [])
        drawn += [pa.ipc.open_stream(stream).read_all().num_rows for stream in held if stream]
        spec = json.loads(proto.spec)
        drawn += [len(rows) for rows in spec.get("datasets", {}).values()]
    return drawn


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_million_customers_opens_and_draws_no_more_than_a_chart_can_bear(look, crowd, page):
    customer = str(
        answer(
            crowd,
            "select customer_id as c from customers where not contains(customer_id, '-') order by total_spend desc, 1 limit 1",
        )
    )
    app = look(page, **({"customer": customer} if page == "customer.py" else {}))
    assert app.title
    assert max(points(app), default=0) <= MOST_POINTS
    assert max((len(table.value) for table in app.dataframe), default=0) <= MOST_POINTS


def test_cards_of_a_million_customers_equal_sql(look, crowd):
    app = look("overview.py")
    app.number_input(key="min_orders").set_value(2).run()
    figures = {card.label: card.value for card in app.metric}
    assert figures["Customers"] == count(answer(crowd, "select count(*) as n from customers where n_orders >= 2"))
    revenue = answer(crowd, "select sum(total_spend) as m from customers where n_orders >= 2")
    assert figures["Revenue"] == money(revenue, "GBP", short=True)
