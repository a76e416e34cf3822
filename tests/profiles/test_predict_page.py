"""The page Predict: fields filled in or typed, the answer equals the stored model's, and no published version is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.interfaces.dashboard.predict_profiles import unknown_to
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import money, share
from customer_genome.profile_files import keep_customers
from customer_genome.registry import stored_versions
from customer_genome.stages.labelled import KIND, LabelledResult, learn
from customer_genome.workspace import Workspace
from labelled_customers import labelled_customers


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LabelledResult]:
    """A workspace with a model of profiles and nothing published."""
    place, table = Workspace(tmp_path_factory.mktemp("profiles")), labelled_customers(n=130)
    place.prepare()
    result = learn(table, id_column="customer_id", label_columns=["Churn", "next_month_spend"])
    result.save(place.models)
    keep_customers(place, table, result)
    return place.root, result


def page(monkeypatch: pytest.MonkeyPatch, workspace: Path) -> AppTest:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    return AppTest.from_file(APP, default_timeout=120).run().switch_page("predict.py").run()


def test_an_existing_customer_fills_the_fields_and_gets_the_answer_of_the_model(shop, monkeypatch):
    workspace, result = shop
    table, app = labelled_customers(n=130), page(monkeypatch, workspace)
    app.selectbox(key="predict_customer").set_value("c0009").run()
    assert not app.exception and not app.error
    expected = result.predict(table.slice(9, 1)).to_pylist()[0]
    cards = {card.label: card.value for card in app.metric}
    assert cards == {"Risk of churn": share(expected["churn_probability"]), "Next spend": money(expected["predicted_spend"])}
    assert app.number_input(key="predict.c0009.usage").value == float(table["usage"][9].as_py())
    words = " ".join(one.value for one in app.markdown)
    assert ("High risk" if expected["churn_probability"] >= 0.5 else "Low risk") in words


def test_fields_can_be_typed_and_left_empty(shop, monkeypatch):
    workspace, result = shop
    app = page(monkeypatch, workspace)
    app.segmented_control(key="predict_way").set_value("Enter by hand").run()
    app.number_input(key="predict..usage").set_value(5.0).run()
    app.selectbox(key="predict..plan").set_value("(empty)").run()
    assert not app.exception and not app.error
    row = {column.name: repr(column.typical) for column in result.columns if column.kind == "number"} | {
        "usage": "5.0",
        "plan": None,
    }
    expected = result.predict(result.table_of(row)).to_pylist()[0]
    assert next(card.value for card in app.metric if card.label == "Risk of churn") == share(expected["churn_probability"])


def test_without_a_model_the_page_says_what_to_run(tmp_path, monkeypatch):
    app = page(monkeypatch, tmp_path)
    assert not app.exception and "genome profiles train" in app.code[0].value and not app.metric


def test_what_was_never_learned_is_said(shop, monkeypatch):
    workspace, result = shop
    column = next(one for one in result.columns if one.kind == "number")
    app = page(monkeypatch, workspace)
    assert not app.warning
    app.segmented_control(key="predict_way").set_value("Enter by hand").run()
    app.number_input(key=f"predict..{column.name}").set_value(column.high + 1000).run()
    assert not app.exception and column.name in app.warning[0].value.replace("\\", "")
    app.number_input(key=f"predict..{column.name}").set_value(column.high).run()
    assert not app.warning
    table = result.table_of({"plan": "never heard of"})
    assert any("never heard of" in fault for fault in unknown_to(result, table))


def test_an_older_model_can_be_asked_and_says_what_it_is(shop, monkeypatch):
    workspace, result = shop
    place = Workspace(workspace)
    if len(stored_versions(place.models, KIND)) < 2:
        result.save(place.models)
    older, newer = stored_versions(place.models, KIND)[-2:]
    app = page(monkeypatch, workspace)
    assert app.selectbox(key="model").value == newer
    before = [card.value for card in app.metric]
    app.selectbox(key="model").set_value(older).run()
    assert not app.exception and [card.value for card in app.metric] == before
    assert any(f"Model {older}" in one.value for one in app.markdown)


def test_a_changed_field_is_held_against_the_customer_as_they_are(shop, monkeypatch):
    workspace, _ = shop
    app = page(monkeypatch, workspace)
    app.selectbox(key="predict_customer").set_value("c0009").run()
    assert not any(card.delta for card in app.metric)
    app.number_input(key="predict.c0009.usage").set_value(0.0).run()
    assert not app.exception and any(card.delta for card in app.metric)
