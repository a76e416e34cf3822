"""The page Data: its figures equal SQL on what was published, its words say what to do, and roles see what they may."""

from __future__ import annotations

import datetime as dt
import io
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.erasure import forget
from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.serving.uploads import receive
from customer_genome.interfaces.views.coverage import mapped_columns, order_days, remarks, span_of
from customer_genome.interfaces.views.ledger import (
    ADVICE,
    Balance,
    balance_of,
    filled_shares,
    ledger_rows,
    refund_sentences,
    refused_rows,
)
from customer_genome.interfaces.views.row_classes import CLASS_WORDS, TOTALS_WORDS
from customer_genome.interfaces.views.run_history import history, settings_changed
from customer_genome.workspace import Workspace
from published_shops import publish_rows

SECRET = "Mrs Secret"


def rows_of_a_shop() -> list[tuple[object, ...]]:
    """Return lines with every kind of fault, a returned purchase, and a long gap."""
    good = [
        (
            f"c{n}",
            f"o{n}-{m}",
            str(dt.date(2024, 1, 1) + dt.timedelta(days=40 * m + n)),
            f"p{n % 3}",
            1 + n % 2,
            10.0 + n,
            "France" if n % 2 else "",
        )
        for n in range(12)
        for m in range(1 + n % 4)
    ]
    bad = [
        ("", "g1", "2024-01-03", "p1", 1, 7.0, "France"),
        (SECRET, "b1", "yesterday", "p1", 1, 5.0, "France"),
        ("c1", "b2", "2024-01-03", "p1", "many", 5.0, "France"),
        ("c1", "b3", "2024-01-04", "p1", 1, 0, "France"),
    ]
    return [*good, good[0], *bad, ("c3", "C9", "2024-03-01", "p0", -1, 13.0, "France")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published shop with faults in its data."""
    workspace = tmp_path_factory.mktemp("faulty")
    publish_rows(workspace, rows_of_a_shop())
    return workspace


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch):
    """Open the page of a workspace in a role."""

    def look(workspace: Path, part: str = "", role: str = "admin") -> AppTest:
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
        monkeypatch.setattr("customer_genome.interfaces.dashboard.session.role_of_visitor", lambda: role)
        app = AppTest.from_file(APP, default_timeout=60).run()
        if part:
            app.query_params["part"] = part
        return app.switch_page("data.py").run()

    return look


def test_the_ledger_adds_up_to_the_file_and_every_class_says_what_to_do(shop):
    with Genome.open(shop) as genome:
        rows = ledger_rows(genome)
        balance = balance_of(genome)
    assert rows[0]["row_class"] == "kept" and all(row["words"] and row["advice"] for row in rows)
    assert {row["row_class"]: row["n_rows"] for row in rows if row["row_class"] != "kept"} == {
        "duplicate": 1, "cancelled": 1, "no_customer": 1, "bad_date": 1, "bad_quantity": 1, "bad_price": 1,
    }  # fmt: skip
    assert balance.holds and balance.read == len(rows_of_a_shop()) == sum(row["n_rows"] for row in rows)
    assert "add up to all 36 rows" in balance.sentence("GBP")
    assert "1 do not add up" in Balance(10, 9, 0.0).sentence("GBP")


def test_no_class_is_without_words_and_advice():
    assert set(ADVICE) == set(CLASS_WORDS) | set(TOTALS_WORDS)


def test_refused_rows_are_those_of_the_warehouse_and_of_no_other_version(shop):
    place = Workspace(shop)
    with Genome.open(shop) as genome:
        found, why_not = refused_rows(genome, place, "bad_date")
        assert why_not == "" and found is not None
        assert found.column("customer_id").to_pylist() == [SECRET] and "yesterday" in found.column("raw_row")[0].as_py()
        assert found.column("row_number").to_pylist() == [
            rows_of_a_shop().index(next(row for row in rows_of_a_shop() if row[0] == SECRET)) + 1
        ]
        genome.snapshot.manifest["warehouse"] = "another"  # type: ignore[index]
        assert refused_rows(genome, place, "bad_date")[0] is None and filled_shares(genome, place) == {}
        assert "newest version" in refused_rows(genome, place, "bad_date")[1]
        assert "not there" in refused_rows(genome, Workspace(shop / "elsewhere"), "bad_date")[1]


def test_refund_sentences_add_up(shop):
    with Genome.open(shop) as genome:
        manifest, currency = genome.manifest, genome.currency
        refunds = manifest["refunds"]
        assert refunds["returned_lines"] == 1 and refunds["policy"] == "drop"
        text = " ".join(refund_sentences(manifest, currency))
        bought = genome.query("select sum(revenue) as m from orders").column("m")[0].as_py()
    assert f"£{bought:,.2f}" in text and "under policy drop" in text
    assert "neither" not in text and "both refund policies" in refund_sentences({"refunds": {"returned_lines": 0}}, "")[0]
    assert refund_sentences({}, "") == ()


def test_coverage_of_columns_equals_sql(shop):
    place = Workspace(shop)
    with Genome.open(shop) as genome:
        filled = filled_shares(genome, place)
        columns = {column.name: column for column in mapped_columns(genome.manifest, filled)}
    with duckdb.connect(str(place.warehouse), read_only=True) as connection:
        n, named = connection.sql("select count(*), count(customer_id) from lines").fetchall()[0]
    assert filled["customer_id"] == named / n < 1 and columns["customer_id"].filled == filled["customer_id"]
    assert 0 < filled["country"] < 1, "an unknown country is none"
    assert columns["country"].headers == ("country",) and columns["discount"].filled is None
    assert not columns["discount"].is_mapped and "discount" in columns["discount"].without


def test_days_gaps_and_closed_weekdays():
    first = dt.date(2024, 1, 1)  # a Monday
    days = [first + dt.timedelta(days=n) for n in range(140) if n % 7 != 6 and not 50 <= n < 62]
    span = span_of(days)
    assert span is not None and (span.first, span.last, span.days, span.n_open) == (days[0], days[-1], 139, len(days))
    assert span.closed == ("Sunday",) and "Hardly any on Sundays" in span.sentence()
    assert [(gap.first, gap.last, gap.days) for gap in span.gaps] == [
        (first + dt.timedelta(days=50), first + dt.timedelta(days=62), 13)
    ]
    assert span_of([]) is None and span_of([first]).days == 1


def test_remarks_say_what_to_do(shop):
    with Genome.open(shop) as genome:
        span = span_of(order_days(genome).column("ordered_on").to_pylist())
        found = remarks(genome, span, ledger_rows(genome))
    assert all(remark.found.endswith(".") and remark.meaning and remark.do.endswith(".") for remark in found)
    assert [remark.is_serious for remark in found] == sorted((remark.is_serious for remark in found), reverse=True)
    text = " ".join(remark.found for remark in found)
    assert "name no customer" in text and "There are 12 customers" in text and "3 rows" in text


def test_the_calendar_draws_every_day_and_at_most_three_years():
    days = pa.table(
        {
            "ordered_on": [dt.date(2010, 1, 1), dt.date(2020, 1, 1), dt.date(2020, 1, 3)],
            "orders": [5, 1, 100],
            "revenue": [1.0, 1.0, 1.0],
        }
    )
    chart = charts.order_calendar(days)
    drawn = chart.to_dict()
    cells = drawn["datasets"][drawn["data"]["name"]]
    assert len(cells) <= 7 * 157 and cells[-1]["orders"] == 100 and "no orders" in {cell["label"] for cell in cells}
    assert charts.order_calendar(days.slice(0, 0)) is not None
    legend = drawn["layer"][0]["encoding"]["fill"]["legend"]["labelExpr"]
    assert "'65–100'" in legend


def test_erasing_a_customer_takes_files_handed_in_along(shop, tmp_path):
    copied = tmp_path / "copy"
    shutil.copytree(shop, copied)
    place = Workspace(copied)
    given = receive(place, "lines.csv", io.BytesIO(b"customer_id\nc1\n"))
    forget(place, "c1")
    assert not given.path.exists() and not place.uploads.exists()
    with Genome.open(copied) as genome:
        assert "c1" not in str(refused_rows(genome, place, "bad_quantity")[0])


def test_history_says_what_was_set_otherwise(shop):
    runs = history(Workspace(shop))
    assert [run.version for run in runs] == ["v00001"] and runs[0].is_current and runs[0].rows == len(rows_of_a_shop())
    assert runs[0].changes == () and history(Workspace(shop / "nothing")) == []
    assert settings_changed({"segments": {"k": 0}, "shop": {"name": ""}}, {"segments": {"k": 6}, "shop": {"name": "X"}}) == (
        "[segments] k: 0 → 6", "[shop] name: not set → X",
    )  # fmt: skip


@pytest.mark.parametrize("part", ["Rows", "Coverage", "Versions", "New file"])
def test_every_part_shows(page, shop, part):
    app = page(shop, part)
    assert not app.exception and not app.error
    text = " ".join(str(element.value) for element in [*app.markdown, *app.success, *app.info])
    assert {
        "Rows": "add up to all 36 rows",
        "Coverage": "name no customer",
        "Versions": "1 version kept",
        "New file": "The least that works",
    }[part] in text


def test_a_viewer_sees_no_value_of_a_refused_row_and_may_not_run(page, shop):
    app = page(shop, role="viewer")
    assert not app.exception
    shown = " ".join(str(frame.value.to_dict()) for frame in app.dataframe)
    assert SECRET not in shown and "bad_" in shown
    assert [button.disabled for button in app.button if button.label.startswith("Run with refunds")] == [True]
    app = page(shop, "New file", role="analyst")
    assert any("role admin" in info.value for info in app.info) and not app.file_uploader


def test_without_a_version_the_page_begins_with_a_file(page, tmp_path):
    app = page(tmp_path / "nothing")
    assert not app.exception and len(app.file_uploader) == 1
    app = page(tmp_path / "nothing", role="viewer")
    assert not app.exception and not app.file_uploader
