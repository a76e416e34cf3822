"""The outlook on screens: what report and page say equals what was published, and versions without it say what to do."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.genome import Genome
from customer_genome.interfaces.report.page import render_report
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, money, share
from customer_genome.interfaces.views.value_figures import OUTLOOK_TABLES, fit_sentence, outlook
from published_shops import answer, one_customer, publish_rows, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("value")
    publish_simulated(workspace)
    return workspace


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page Value, as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=60).run().switch_page("value.py").run()
    assert not app.exception and not app.error
    return app


def test_cards_and_sentence_equal_what_was_published(shop, monkeypatch):
    app = page_of(shop, monkeypatch)
    cards = {metric.label: metric.value for metric in app.metric}
    assert cards["Next 365 days"] == money(answer(shop, "select sum(revenue) as r from cohort_forecast"), "GBP", short=True)
    off = answer(shop, "select error_of_total as e from tracking_error")
    assert cards["Forecast error"] == f"{'+' if off > 0 else '-'}{share(abs(off))}"
    said = " ".join(mark.value for mark in app.markdown).replace("\\", "")
    assert f"{count(answer(shop, 'select actual as a from tracking_error'))} came" in said


def test_the_report_draws_forecast_and_fit_with_their_figures(shop):
    with Genome.open(shop) as genome:
        text, sentence = render_report(genome), fit_sentence(outlook(genome)["tracking_error"])
    for name in (
        "revenue_forecast",
        "cohort_value",
        "tracking_by_week",
        "tracking_in_all",
        "frequency_fit",
        "conditional_fit",
        "alive_matrix",
    ):
        assert f'<figure id="{name}"' in text
    assert sentence and sentence in re.sub(r"\s+", " ", text)


def test_a_shop_too_young_is_told_so_without_empty_drawings(tmp_path, monkeypatch):
    publish_rows(tmp_path, one_customer())
    with Genome.open(tmp_path) as genome:
        text = render_report(genome)
    assert "too short to hold a part of it back" in text and 'id="tracking_by_week"' not in text
    app = page_of(tmp_path, monkeypatch)
    assert "too short" in " ".join(mark.value for mark in app.markdown)


def test_a_version_of_an_older_product_has_no_outlook_and_says_what_to_run(tmp_path, monkeypatch):
    publish_rows(tmp_path, one_customer())
    file = tmp_path / "published" / "v00001" / "snapshot.duckdb"
    with duckdb.connect(str(file)) as connection:
        for name in OUTLOOK_TABLES:
            connection.execute(f"drop table {name}")
    with Genome.open(tmp_path) as genome:
        assert "What to expect in all" not in render_report(genome)
    app = page_of(tmp_path, monkeypatch)
    assert "without forecasts" in app.info[0].value and "genome run" in app.code[0].value


def test_rows_are_read_in_order_however_they_are_stored(shop):
    with Genome.open(shop) as genome:
        found = outlook(genome)
    assert found["tracking"]["starts_on"].to_pylist() == sorted(found["tracking"]["starts_on"].to_pylist())
    assert found["cohort_forecast"]["cohort"].to_pylist() == sorted(found["cohort_forecast"]["cohort"].to_pylist())
