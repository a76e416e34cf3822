"""Files of charts: they hold what the chart shows, name themselves safely, and stand beside every chart of a page."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.genome import Genome
from customer_genome.interfaces import charts, overview
from customer_genome.interfaces.chart_files import csv_of, file_name, picture_of, rows_behind
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.charts.look import LIGHT
from customer_genome.interfaces.dashboard.drawing import caption_of
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.server import APP, WORKSPACE_VARIABLE
from published_shops import publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("taken_along")
    publish_simulated(workspace)
    return workspace


@pytest.fixture(scope="module")
def months(shop: Path) -> pa.Table:
    """Revenue over time as it was published."""
    with Genome.open(shop) as genome:
        return overview.over_time(genome)


def test_the_figures_of_a_file_are_those_of_the_table_behind_the_chart(months: pa.Table) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of(charts.revenue_over_time(months, Look(currency="GBP"))).decode())))
    assert [row["starts_on"] for row in rows] == [str(day) for day in months["starts_on"].to_pylist()]
    assert [float(row["revenue"]) for row in rows] == [float(value) for value in months["revenue"].to_pylist()]
    assert [int(row["orders"]) for row in rows] == months["orders"].to_pylist()


def test_every_cell_of_a_heat_map_is_in_its_file_and_no_colour_is(shop: Path) -> None:
    with Genome.open(shop) as genome:
        cells = overview.value_at_risk(genome)
    rows = rows_behind(charts.value_at_risk(cells, Look(currency="GBP")))
    assert len(rows) == 9 and "step" not in rows[0]
    assert sum(row["customers"] for row in rows) == sum(cells["customers"].to_pylist())


def test_an_empty_chart_gives_no_rows() -> None:
    assert rows_behind(charts.value_path([], Look())) == []


def test_a_picture_says_its_title_its_unit_and_what_it_speaks_of(months: pa.Table) -> None:
    chart = charts.revenue_over_time(months, Look(currency="GBP"))
    drawn = picture_of(chart, "svg", "Germany · Customer Genome v00001, as of 2011-12-10", LIGHT).decode()
    assert " ".join(chart.title.text) in drawn and "GBP" in drawn and "Germany · Customer Genome v00001" in drawn
    assert LIGHT.paper in drawn and "var(--" not in drawn
    assert picture_of(chart, "png", "Germany", LIGHT).startswith(b"\x89PNG")


def test_a_file_name_holds_nothing_a_system_could_read_as_a_path() -> None:
    assert file_name("csv", "../../etc/passwd", "a\\b:c*?") == "etc-passwd_a-b-c.csv"


def test_what_a_picture_says_of_itself_names_version_and_day(shop: Path) -> None:
    with Genome.open(shop) as genome:
        said = caption_of(Visit(genome, "key"))
        assert genome.snapshot.version in said and str(genome.manifest["as_of"])[:10] in said


@pytest.mark.parametrize("page", ["overview.py", "value.py"])
def test_every_chart_of_a_page_has_its_three_files(shop: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(shop))
    app = AppTest.from_file(APP, default_timeout=90).run()
    app.switch_page(page).run()
    assert not app.exception
    labels = [found.proto.label for found in app.get("download_button")]
    n_charts = len(app.get("vega_lite_chart"))
    assert n_charts > 2
    for kind in ("Picture (PNG)", "Drawing (SVG)", "Figures (CSV)"):
        assert labels.count(kind) == n_charts
