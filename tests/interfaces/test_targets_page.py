"""The page Value at risk and similar customers on a customer's page: what they say equals SQL and the commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.decisions.targeting import Terms
from customer_genome.genome import Genome
from customer_genome.interfaces.figures import count, money
from customer_genome.interfaces.server import APP, WORKSPACE_VARIABLE
from customer_genome.neighbours import Neighbours
from customer_genome.targeting import TargetRequest, targets
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
    assert shown["Expected value loss"] == money(
        answer(shop, "select sum(clv_180d * churn_probability) as m from customers"), "GBP", short=True
    )
    urgent = "churn_band = 'High' and clv_band in ('Medium', 'High')"
    assert shown["Worth it and at high risk"] == count(answer(shop, f"select count(*) as n from customers where {urgent}"))
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
