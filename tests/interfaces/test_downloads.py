"""Files of charts: they hold what the chart shows, and name themselves safely."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pyarrow as pa
import pytest

from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.charts.chart_files import csv_of, file_name, picture_of, rows_behind
from customer_genome.interfaces.charts.look import LIGHT


@pytest.fixture
def months() -> pa.Table:
    """Revenue over time, as `overview.over_time` gives it."""
    starts = [dt.date(2011, month, 1) for month in range(1, 6)]
    n = len(starts)
    return pa.table(
        {
            "period": ["month"] * n,
            "starts_on": starts,
            "ends_on": [*starts[1:], dt.date(2011, 6, 1)],
            "days_known": [31, 28, 31, 30, 9],
            "days": [31, 28, 31, 30, 31],
            "is_complete": [True] * (n - 1) + [False],
            "revenue": [100.5, 200.25, 50.0, 75.125, 10.0],
            "orders": [10, 20, 5, 7, 1],
            "customers": [9, 18, 5, 6, 1],
            "new_customers": [9, 10, 1, 0, 0],
        }
    )


def test_the_figures_of_a_file_are_those_of_the_table_behind_the_chart(months: pa.Table) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of(charts.revenue_over_time(months, Look(currency="GBP"))).decode())))
    assert [row["starts_on"] for row in rows] == [str(day) for day in months["starts_on"].to_pylist()]
    assert [float(row["revenue"]) for row in rows] == [float(value) for value in months["revenue"].to_pylist()]
    assert [int(row["orders"]) for row in rows] == months["orders"].to_pylist()


def test_every_cell_of_a_heat_map_is_in_its_file_and_no_colour_is() -> None:
    cells = pa.table(
        {
            "clv_band": ["High", "Low"],
            "churn_band": ["Low", "High"],
            "customers": [3, 4],
            "clv": [30.0, 4.0],
            "value_at_risk": [3.0, 3.5],
        }
    )
    rows = rows_behind(charts.value_at_risk(cells, Look(currency="GBP")))
    assert len(rows) == 9 and "step" not in rows[0]
    assert sum(row["customers"] for row in rows) == 7 and sum(row["value_at_risk"] for row in rows) == 6.5


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
