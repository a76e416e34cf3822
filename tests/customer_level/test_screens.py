"""Every screen of a version that knows no date: it says what it knows, says why the rest is missing, and never breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from customer_genome import Genome, run
from customer_genome.interfaces.cli import app
from customer_genome.interfaces.report.page import render_report
from customer_genome.interfaces.serving.server import WORKSPACE_VARIABLE
from repository import ROOT

DASHBOARD = ROOT / "src" / "customer_genome" / "interfaces" / "dashboard" / "app.py"
PAGES = tuple(dict.fromkeys(re.findall(r'st\.Page\("(\w+\.py)"', DASHBOARD.read_text("utf-8"))))


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of a workspace as a new visitor."""

    def open_page(workspace: Path, page: str, **address: str) -> AppTest:
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
        opened = AppTest.from_file(str(DASHBOARD), default_timeout=60).run()
        for name, value in address.items():
            opened.query_params[name] = value
        return opened.switch_page(page).run()

    return open_page


def shown(opened: AppTest) -> str:
    """Return all text of a page."""
    kinds = (opened.title, opened.header, opened.markdown, opened.info, opened.warning, opened.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(look, published, page):
    opened = look(published, page, **({"customer": "C0001"} if page == "customer.py" else {}))
    assert not opened.exception and not opened.error
    assert opened.title and not re.search(r"\b(None|NaT|nan|null)\b", shown(opened))


def test_model_quality_says_what_was_measured_elsewhere(look, published):
    said = shown(look(published, "quality.py"))
    assert "A backtest needs order lines" in said and "AUC of" in said


def test_overview_says_that_risk_is_borrowed_and_shows_no_borrowed_sum(look, published):
    opened = look(published, "overview.py")
    assert "borrowed from other shops" in shown(opened) and "no order, no day" in shown(opened)
    labels = {metric.label for metric in opened.metric}
    assert {"Customers", "High risk", "High value, high risk"} <= labels
    assert not {"Average CLV", "Expected churn", "Value at risk"} & labels


def test_a_customer_stands_by_band_and_rank(look, published):
    opened = look(published, "customer.py", customer="C0001")
    figures = {card.label: (card.value, card.proto.delta_description) for card in opened.metric}
    with Genome.open(published) as genome:
        record = genome.customer("C0001")
    assert record["churn_band"] in figures["Risk"][0]
    assert "customers" in figures["Risk"][1] or "others" in figures["Risk"][1]
    assert figures["Basis"][0] == "Borrowed" and "low" in figures["Basis"][1]


def test_the_report_holds_no_empty_date_and_says_why(published):
    with Genome.open(published) as genome:
        page = render_report(genome)
    assert "None" not in page and "– to –" not in page and "nan" not in page.lower().split()
    assert "borrowed from other shops" in page and "no order, no day and no product" in page
    assert "What changed since v00001" in page


def test_commands_work_without_dates(published, tmp_path):
    def call(*words: str) -> str:
        result = CliRunner().invoke(app, [*words, "--workspace", str(published)])
        assert result.exit_code == 0, result.output
        return result.output

    said = call("show", "C0001")
    assert "borrowed from other shops" in said and "Months to come" not in said
    assert json.loads(call("show", "C0001", "--json"))["risk_basis"] == "borrowed"
    assert "v00001" in call("diff", "v00001", "v00002")
    assert "120 customers" in call("doctor")
    call("export", "--output", str(tmp_path / "out.csv"))
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    assert "risk_rank" in header and "risk_basis" in header
    assert "next_order_on" not in header and "p_alive" not in header, "columns nobody can know are left out"


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """Publish a profile of 30 customers whose label teaches nothing: neither totals, nor risk, nor value."""
    workspace = tmp_path_factory.mktemp("bare")
    rows = {
        "CustomerID": [f"P{number:02d}" for number in range(30)],
        "tenure": [float(number % 7) for number in range(30)],
        "Plan": ["gold", "silver", "bronze"] * 10,
        "Churn": ["Yes"] * 3 + ["No"] * 27,
    }
    run(pa.table(rows), workspace, settings={"segments": {"k": 2}})
    return workspace


@pytest.mark.parametrize("page", ["overview.py", "customers.py", "customer.py", "segments.py", "targets.py"])
def test_a_profile_that_knows_next_to_nothing_breaks_no_page(look, bare, page):
    opened = look(bare, page, **({"customer": "P03"} if page == "customer.py" else {}))
    assert not opened.exception and not opened.error
    assert "Risk and value to come are empty" in shown(opened) or page == "segments.py"


def test_a_profile_that_knows_next_to_nothing_has_a_report_and_a_card(bare):
    with Genome.open(bare) as genome:
        page = render_report(genome)
    assert "Risk and value to come are empty" in page and "spent 0.00" not in page
    said = CliRunner().invoke(app, ["show", "P03", "--workspace", str(bare)])
    assert said.exit_code == 0 and "not known" in said.output
