"""Why a risk is what it is, and what-if: facts made anew give what was published, sums add up, and every screen says the same."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from customer_genome.answers.what_if import USUAL, Scenario, WhatIf
from customer_genome.errors import RegistryError, SettingsError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app as cli
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import share
from customer_genome.interfaces.views.why_words import ASSOCIATION, outcome_words
from customer_genome.models.reliability import GRADES
from customer_genome.stages.explaining import REASON_COLUMNS
from customer_genome.workspace import Workspace
from published_shops import publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop with a champion that learned from earlier days."""
    workspace = tmp_path_factory.mktemp("why")
    publish_simulated(workspace, n_lines=6000)
    return workspace


def some(genome: Genome, n: int = 12) -> list[dict]:
    """Records of a few customers, one-time buyers and regulars."""
    ids = genome.query("select customer_id from customers order by hash(customer_id), customer_id limit ?", [n])
    return [genome.customer(one) for one in ids.column("customer_id").to_pylist()]


def test_facts_made_anew_from_orders_give_the_published_forecast(shop):
    with Genome.open(shop) as genome:
        asked = WhatIf.of(genome)
        for record in some(genome):
            found = asked.outcome(genome, record)
            assert found.risk == pytest.approx(record["churn_probability"], abs=1e-9)
            assert found.spend == pytest.approx(record["predicted_spend"], rel=1e-9, abs=1e-9)
            assert list(found.reasons) == [record[name] for name in REASON_COLUMNS if record[name]]


def test_points_of_all_themes_lead_from_the_average_risk_to_that_of_the_customer(shop):
    with Genome.open(shop) as genome:
        asked = WhatIf.of(genome)
        for record in some(genome, 5):
            for scenario in (Scenario(), *USUAL):
                found = asked.outcome(genome, record, scenario)
                assert sum(found.points.values()) == pytest.approx(100 * (found.risk - found.average_risk), abs=1e-6)
                assert set(found.said) <= set(found.points)


def test_orders_lower_the_risk_of_customers_and_change_their_facts_together(shop):
    with Genome.open(shop) as genome:
        asked = WhatIf.of(genome)
        records = [record for record in some(genome, 40) if record["recency_days"] > 120][:8]
        now = np.mean([record["churn_probability"] for record in records])
        after = [asked.outcome(genome, record, Scenario(orders=1)) for record in records]
        assert np.mean([one.risk for one in after]) < now - 0.05
        said = [text for one in after for text in one.said.values()]
        assert not any(re.search(r"last order \d\d+ days ago", text) for text in said)
        assert not any("no order in the last" in text for text in said)


def test_what_cannot_be_imagined_is_refused_in_one_sentence():
    with pytest.raises(SettingsError, match="11 orders; wanted 0 to 10; -1 quiet days"):
        Scenario(orders=11, quiet_days=-1)
    with pytest.raises(SettingsError, match="money above 0"):
        Scenario(order_value=0.0)


def test_every_customer_has_reasons_from_different_themes_and_a_measured_grade(shop):
    with Genome.open(shop) as genome:
        rows = genome.query(f"select {', '.join(REASON_COLUMNS)}, reliability from customers").to_pylist()
        exported = [name for name, _ in genome.export_columns()]
        measured = genome.table("reliability_grades").to_pylist()
    assert all(row["reason_1"] for row in rows)
    assert all(row["reliability"] in GRADES for row in rows)
    assert {"reliability", *REASON_COLUMNS, "confidence_score"} <= set(exported)
    assert sum(row["customers"] for row in measured) > 0
    for row in rows:
        facts = [row[name].rsplit(": ", 1)[0] for name in REASON_COLUMNS if row[name]]
        assert len(set(facts)) == len(facts)


def test_what_stands_behind_the_champion_is_published_and_names_nobody(shop):
    with Genome.open(shop) as genome:
        themes, swarm = genome.table("champion_importance"), genome.table("champion_swarm")
        bins = genome.table("held_out_reliability").to_pylist()
        columns = {name for table in (themes, swarm) for name in table.column_names}
    assert "customer_id" not in columns and 0 < swarm.num_rows <= 2000
    assert all(row["auc_lost"] is not None for row in themes.to_pylist())
    assert max(themes.to_pylist(), key=lambda row: row["auc_lost"])["theme"] in {"recency", "frequency", "rhythm", "tenure"}
    assert sum(row["customers"] for row in bins) > 0


def page_of(workspace: Path, customer_id: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page of a customer, as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=120)
    app.query_params["customer"] = customer_id
    app.run().switch_page("customer.py").run()
    assert not app.exception and not app.error
    return app


def test_the_page_of_a_customer_says_why_and_answers_what_if(shop, monkeypatch):
    with Genome.open(shop) as genome:
        (record,) = some(genome, 1)
        twice = WhatIf.of(genome).outcome(genome, record, Scenario(2, max(1.0, round(record["mean_order_value"])), 0))
    app = page_of(shop, record["customer_id"], monkeypatch)
    said = " ".join(mark.value for mark in app.markdown).replace("\\", "")
    assert record["reason_1"] in said and ASSOCIATION.split(".")[0] in said
    app.slider(key="what_if_orders").set_value(2).run()
    assert not app.exception
    risks = [card.value for card in app.metric if card.label.startswith("Risk")]
    assert risks == [share(record["churn_probability"]), share(twice.risk)]


def test_the_command_line_says_the_same(shop):
    with Genome.open(shop) as genome:
        (record,) = some(genome, 1)
        outcome = WhatIf.of(genome).outcome(genome, record, USUAL[0])
    shown = CliRunner().invoke(cli, ["show", record["customer_id"], "--workspace", str(shop)])
    assert shown.exit_code == 0
    flat = re.sub(r"\s+", " ", shown.stdout)
    assert record["reason_1"] in flat and outcome_words(outcome, record["churn_probability"]) in flat and ASSOCIATION in flat
    told = json.loads(CliRunner().invoke(cli, ["show", record["customer_id"], "--workspace", str(shop), "--json"]).stdout)
    assert told["what_if"][0]["risk"] == pytest.approx(outcome.risk)
    assert told["reason_1"] == record["reason_1"]


def test_without_the_stored_models_the_page_says_so_and_keeps_the_published_reasons(shop, tmp_path, monkeypatch):
    copy = tmp_path / "shop"
    shutil.copytree(shop, copy)
    shutil.rmtree(Workspace(copy).models)
    with Genome.open(copy) as genome:
        (record,) = some(genome, 1)
        with pytest.raises(RegistryError):
            WhatIf.of(genome)
    app = page_of(copy, record["customer_id"], monkeypatch)
    assert any(record["reason_1"] in mark.value.replace("\\", "") for mark in app.markdown)
    assert app.info
