"""Value at risk, recommendations and quality of a version made from totals whose risk was borrowed: bands and ranks, no money that nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from published_shops import answer


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> AppTest:
    """Return a page as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=90).run()
    app.switch_page(page).run()
    assert not app.exception and not app.error
    return app


def test_a_cell_of_bands_lists_its_customers_by_rank_and_promises_no_gain(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page_of(published, monkeypatch, "targets.py")
    assert len(app.get("vega_lite_chart")) == 1 and "Build the list" not in [button.label for button in app.button]
    app.selectbox(key="value_band").set_value("Low")
    app.selectbox(key="risk_band").set_value("High").run()
    assert not app.exception
    n = answer(published, "select count(*) as n from customers where clv_band = 'Low' and churn_band = 'High'")
    listed = [frame.value for frame in app.dataframe if "risk_rank" in frame.value.columns]
    assert sum(len(frame) for frame in listed) == min(25, n)
    assert not any("expected_value_loss" in frame.columns for frame in listed)
    assert any("no expected gain" in mark.value for mark in app.markdown)


def test_totals_name_no_product_and_the_page_says_what_would(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page_of(published, monkeypatch, "recommendations.py")
    assert "names no product" in app.info[0].value and not app.get("vega_lite_chart")
