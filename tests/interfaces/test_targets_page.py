"""The page Value at risk and similar customers on a customer's page: what they say equals SQL and the commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.answers.targeting import TargetRequest, read_contacts, targets
from customer_genome.decisions.targeting import Terms
from customer_genome.errors import SourceError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard import session, target_builder, target_terms
from customer_genome.interfaces.dashboard.drawing import caption_of
from customer_genome.interfaces.dashboard.target_terms import (
    FIRST_ROWS,
    Asked,
    account_of,
    command_of,
    contacts_of,
    digest_of,
    left_out,
    list_of,
)
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, money
from customer_genome.neighbours import Neighbours
from published_shops import answer, one_customer, publish_rows, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("at_risk")
    publish_simulated(workspace)
    return workspace


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch, page: str, **address: str) -> AppTest:
    """Return a page as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=90).run()
    for name, value in address.items():
        app.query_params[name] = value
    app.switch_page(page).run()
    assert not app.exception and not app.error
    return app


def cards(app: AppTest) -> dict[str, str]:
    """Return the figures of the cards by label."""
    return {metric.label: metric.value for metric in app.metric}


def test_cards_and_list_equal_sql_and_follow_the_chosen_cell(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page_of(shop, monkeypatch, "targets.py")
    shown = cards(app)
    assert shown["Value at risk"] == money(
        answer(shop, "select sum(clv_180d * churn_probability) as m from customers"), "GBP", short=True
    )
    urgent = "churn_band = 'High' and clv_band in ('Medium', 'High')"
    assert shown["High risk, worth it"] == count(answer(shop, f"select count(*) as n from customers where {urgent}"))
    app.selectbox(key="value_band").set_value("Low")
    app.selectbox(key="risk_band").set_value("High").run()
    assert not app.exception
    wanted = "select {} from customers where clv_band = 'Low' and churn_band = 'High'"
    listed = next(frame.value for frame in app.dataframe if "recommended_action" in frame.value.columns)
    first = wanted.format("customer_id") + " order by expected_value_loss desc, customer_id limit 1"
    assert listed["customer_id"].iloc[0] == answer(shop, first)
    assert len(listed) == min(25, answer(shop, wanted.format("count(*)")))


def test_the_list_built_is_that_of_the_command(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page_of(shop, monkeypatch, "targets.py")
    fields = {field.label: field for field in app.number_input}
    fields["Cost per contact (GBP)"].set_value(0.2)
    fields["Budget (GBP)"].set_value(6.0)
    fields["Assumed response, %"].set_value(20.0)
    next(button for button in app.button if button.label == "Build the list").click().run()
    assert not app.exception
    with Genome.open(shop) as genome:
        campaign = f"all playbooks {genome.snapshot.version}"
        found = targets(genome, TargetRequest(Terms(0.2, 0.2, 6.0, None, 0.1, campaign)))
    shown = cards(app)
    assert (shown["Contacts"], shown["Control group"]) == (count(found.n_contact), count(found.n_control))
    assert shown["Cost"] == money(found.cost, "GBP") and shown["Expected gain"] == money(found.gain, "GBP")
    assert 0 < found.n_contact <= 30


def test_an_impossible_budget_is_answered_on_the_page(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page_of(shop, monkeypatch, "targets.py")
    fields = {field.label: field for field in app.number_input}
    fields["Budget (GBP)"].set_value(0.0)
    next(button for button in app.button if button.label == "Build the list").click().run()
    assert not app.exception and "0 pays for nobody" in app.warning[0].value


def test_one_customer_alone_has_a_page_and_nobody_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_rows(tmp_path, one_customer())
    page_of(tmp_path, monkeypatch, "targets.py")
    app = page_of(tmp_path, monkeypatch, "customer.py", customer="only")
    assert any("Nobody stands out as similar" in mark.value for mark in app.markdown)


def test_similar_customers_are_those_of_the_command(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = str(answer(shop, "select max(customer_id) as c from customers"))
    app = page_of(shop, monkeypatch, "customer.py", customer=some)
    with Genome.open(shop) as genome:
        wanted = [one.customer_id for one in Neighbours.open(genome).of(some, 8)]
    listed = next(frame.value for frame in app.dataframe if "similarity" in frame.value.columns)
    assert listed["customer"].tolist() == wanted


def test_past_contacts_leave_out_as_in_the_command_and_the_command_is_shown(shop: Path, tmp_path: Path) -> None:
    some = str(answer(shop, "select customer_id from customers order by expected_value_loss desc, customer_id limit 1"))
    file = tmp_path / "mailings.csv"
    file.write_text(f"customer_id,contacted_on\n{some},2100-01-01\n", encoding="utf-8")
    asked = Asked(cost=0.1, response=0.2, contacts=digest_of(file.read_bytes()), contacts_name="my mailings.csv")
    with Genome.open(shop) as genome:
        found = list_of(genome, asked, "true", (), file.read_bytes())
        campaign = f"all playbooks {genome.snapshot.version}"
        wanted = targets(genome, TargetRequest(Terms(0.1, 0.2, None, None, 0.1, campaign), contacted=read_contacts(file)))
    assert found.table.equals(wanted.table) and some not in found.table["customer_id"].to_pylist()
    steps = left_out(found.funnel).to_pylist()
    assert next(row["left_out"] for row in steps if row["step"].startswith("Not contacted")) == 1
    said = shlex.split(command_of(asked, Path("/a shop")))
    assert said[said.index("--contacted") + 1] == "my mailings.csv" and said[-1] == "/a shop"
    assert found.table.num_rows > FIRST_ROWS or account_of(found).table.equals(found.table)


def test_a_file_of_contacts_with_a_fault_is_named_as_the_visitor_names_it() -> None:
    with pytest.raises(SourceError, match=r"^mails\.csv has no column contacted_on"):
        contacts_of(b"customer_id,contacted\n1,2020-01-01\n", "mails.csv")


def test_fields_start_from_what_the_playbook_says(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = SimpleNamespace(cost_per_contact=7.5, response=0.2)
    monkeypatch.setattr(target_terms, "books_of", lambda workspace: dict.fromkeys(playbooks, book))
    monkeypatch.setattr(target_builder, "books_of", target_terms.books_of)
    with Genome.open(shop) as genome:
        playbooks = [row["playbook"] for row in genome.table("playbooks").to_pylist() if row["customers"]]
    app = page_of(shop, monkeypatch, "targets.py")
    app.selectbox(key="target_playbook").set_value(playbooks[0]).run()
    fields = {field.label: field.value for field in app.number_input}
    assert (fields["Cost per contact (GBP)"], fields["Assumed response, %"]) == (7.5, 20.0)


def test_a_viewer_sees_no_ids_and_no_list_to_take(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "role_of_visitor", lambda: "viewer")
    app = page_of(shop, monkeypatch, "targets.py")
    {field.label: field for field in app.number_input}["Cost per contact (GBP)"].set_value(0.1)
    next(button for button in app.button if button.label == "Build the list").click().run()
    assert not app.exception and cards(app)["Contacts"] != "0"
    ids = {*answer_ids(shop)}
    for frame in app.dataframe:
        for column in frame.value.columns:
            assert not ids & set(frame.value[column].astype(str)), column
    assert "Download the list (CSV)" not in [button.proto.label for button in app.get("download_button")]


def test_every_chart_of_a_page_has_its_three_files(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in ("overview.py", "targets.py"):
        app = page_of(shop, monkeypatch, page)
        labels = [found.proto.label for found in app.get("download_button")]
        n_charts = len(app.get("vega_lite_chart"))
        assert n_charts >= 1
        for kind in ("Picture (PNG)", "Drawing (SVG)"):
            assert labels.count(kind) == n_charts
        assert labels.count("Figures (CSV)") >= n_charts


def test_what_a_picture_says_of_itself_names_version_and_day(shop: Path) -> None:
    with Genome.open(shop) as genome:
        said = caption_of(session.Visit(genome, "key"))
        assert genome.snapshot.version in said and str(genome.manifest["as_of"])[:10] in said


def answer_ids(workspace: Path) -> list[str]:
    """Return the ids of all customers."""
    with Genome.open(workspace) as genome:
        return [str(name) for name in genome.query("select customer_id from customers")["customer_id"].to_pylist()]
