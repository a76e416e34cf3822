"""How good forecasts were, on screens: report and page show the figures of `backtest.json`, and say what to do without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.errors import SnapshotError
from customer_genome.genome import BACKTEST_FORMATS, Genome
from customer_genome.interfaces.charts import quality_parts
from customer_genome.interfaces.charts.chart_files import rows_behind
from customer_genome.interfaces.charts.quality_parts import gains_rows
from customer_genome.interfaces.report.page import render_report
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count
from customer_genome.interfaces.views.quality_figures import (
    CURVES,
    FIGURES,
    Evidence,
    age_rows,
    curves_of,
    evidence,
    number,
    segment_rows,
    with_error,
)
from customer_genome.interfaces.views.quality_words import against_formula, beaten_by_formula, segment_levels
from customer_genome.proof import backtesting
from customer_genome.workspace import Workspace
from published_shops import publish_simulated
from stored_backtest import DAYS, stored


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("quality")
    publish_simulated(workspace)
    return workspace


@pytest.fixture
def without(shop: Path) -> Path:
    """The shop before any backtest."""
    Workspace(shop).backtest.unlink(missing_ok=True)
    return shop


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page Model quality, as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=60).run().switch_page("quality.py").run()
    assert not app.exception and not app.error
    return app


def figure_of(found: dict, candidate: str, target: str, name: str) -> float:
    """Return a mean over the cutoffs straight from the stored rows."""
    (row,) = [
        row
        for row in found["rows"]
        if (row["as_of"], row["group"], row["candidate"], row["target"]) == ("mean", "all", candidate, target)
    ]
    return float(row["figures"][name])


def test_the_stored_backtest_is_the_one_that_is_read(tmp_path):
    assert Workspace(tmp_path).backtest.name == backtesting.FILE
    assert backtesting.FORMAT in BACKTEST_FORMATS


def test_without_a_backtest_page_and_report_say_which_command_makes_one(without, monkeypatch):
    app = page_of(without, monkeypatch)
    assert any("genome backtest" in code.value and str(without) in code.value for code in app.code)
    assert "No backtest was run" in app.info[0].value and not app.metric
    said = " ".join(mark.value for mark in app.markdown)
    assert "Forecasts of earlier days made without their outcome" in said and "What moves the risk" in [
        one.value for one in app.header
    ]
    with Genome.open(without) as genome:
        assert evidence(genome) is None
        text = render_report(genome)
    assert "No backtest was run" in text and "<code>genome backtest</code>" in text


def test_cards_equal_the_stored_figures(without, monkeypatch):
    found = stored(without)
    app = page_of(without, monkeypatch)
    cards = {card.label: (card.value, card.proto.delta_description) for card in app.metric}
    for label, target, name in (("Gini", "spend", "gini"), ("AUC", "orders", "auc"), ("Brier", "orders", "brier")):
        assert cards[label] == (
            number(figure_of(found, "champion", target, name)),
            f"best formula {number(figure_of(found, 'last period', target, name))}",
        )


def test_the_report_holds_every_deciding_figure_of_every_candidate(without):
    stored(without)
    with Genome.open(without) as genome:
        held = evidence(genome)
        text = render_report(genome)
    assert held is not None
    section = text[text.index('id="evidence"') :]
    for figure in FIGURES:
        for row in held.rows(figure):
            assert f">{with_error(row)}</td>" in section, (figure.name, row["candidate"])
    for name in (
        "candidates_gini",
        "candidates_brier",
        "cutoffs_gini",
        "cutoffs_brier",
        "level_by_month",
        "reliability",
        "deciles",
    ):
        assert f'<figure id="{name}"' in text
    assert "A sentence &lt;b&gt;of&lt;/b&gt; the backtest." in text


def test_the_verdict_counts_the_figures_on_which_the_published_forecast_wins(without):
    held = Evidence(stored(without))
    wins = 0
    for figure in FIGURES:
        mine = next(row for row in held.rows(figure) if row["is_shipped"])
        if mine["difference"] is not None:
            wins += (mine["difference"] > 0) == figure.higher_is_better
    assert held.shipped == "champion"
    assert re.search(rf"beats the best naive formula on {wins} of ", held.verdict())
    assert [row["as_of"].isoformat() for row in held.each_cutoff(FIGURES[0]) if row["is_shipped"]] == list(DAYS)


def test_a_backtest_of_other_data_or_another_horizon_is_marked(without, monkeypatch):
    stored(without, data="elsewhere.csv", horizon_days=17)
    said = page_of(without, monkeypatch).warning[0].value
    assert "elsewhere" in said and "17 days" in said


def test_curves_are_those_of_the_backtest_where_it_stored_some(without):
    found = stored(without)
    with Genome.open(without) as genome:
        held = evidence(genome)
        curves, of_which = curves_of(genome, held)
        assert held is not None and curves == {name: found["curves"]["champion"][name] for name in CURVES}
        assert "backtest" in of_which
        old, of_which = curves_of(genome, Evidence({**found, "curves": {}}))
        assert "backtest" not in of_which.split(";")[0] and old.keys() == curves.keys()
    assert [row["month"] for row in held.months()] == ["Mar 2024", "Jun 2024"]


def test_errors_stand_for_every_segment_and_for_new_and_old_customers(without, monkeypatch):
    found = stored(without)
    held = Evidence(found)
    assert [row["segment"] for row in segment_rows(held)] == ["At risk", "Champions"]
    (row,) = [
        row
        for row in found["rows"]
        if (row["as_of"], row["group"], row["candidate"], row["target"]) == ("mean", "Champions", "champion", "orders")
    ]
    assert segment_rows(held)[1]["auc"].startswith(number(row["figures"]["auc"]))
    assert {row["figure"] for row in age_rows(held)} == {figure.label for figure in FIGURES}
    assert "Errors by segment" in [one.value for one in page_of(without, monkeypatch).header]


def test_the_threshold_says_who_would_have_been_named_and_what_it_brings(without, monkeypatch):
    found = stored(without)
    app = page_of(without, monkeypatch)
    app.slider(key="quality_threshold").set_value(75).run()
    assert not app.exception
    (row,) = [row for row in found["curves"]["champion"]["thresholds"] if row["threshold"] == 0.75]
    (table,) = [table.value for table in app.table if "No order came" in table.value.columns]
    assert list(table["No order came"]) == [count(row["named_gone"]), count(row["missed_gone"])]
    assert list(table["Ordered"]) == [count(row["named_came"]), count(row["left_came"])]


@pytest.mark.parametrize("text", ["{", '{"format": 999}', "[]"])
def test_a_file_that_is_no_backtest_is_named(without, text):
    Workspace(without).backtest.write_text(text, "utf-8")
    with Genome.open(without) as genome, pytest.raises(SnapshotError, match="genome backtest"):
        genome.backtest()
    Workspace(without).backtest.unlink()


def test_sentences_say_where_the_published_forecast_does_not_beat_a_formula(without):
    found = stored(without)
    held = Evidence(found)
    auc = next(figure for figure in FIGURES if figure.name == "auc")
    said = against_formula(held, auc)
    row = next(row for row in held.rows(auc) if row["is_shipped"])
    assert "clearly better than the naive formula last period" in said and f"{row['difference']:+.3f}" in said
    for one in found["rows"]:
        for name, versus in one["versus"].items():
            if one["candidate"] == "champion" and name == "auc":
                versus["difference"] = -0.001
    assert "no better than" in against_formula(Evidence(found), auc) and "auc" in beaten_by_formula(Evidence(found))


def test_gains_are_the_shares_of_the_tenths(without):
    rows = Evidence(stored(without)).curves()["deciles"]
    found = gains_rows(rows)
    money = [row["customers"] * row["actual"] for row in sorted(rows, key=lambda row: -row["decile"])]
    assert [row["spend_share"] for row in found[1:]] == pytest.approx(
        [sum(money[: n + 1]) / sum(money) for n in range(len(money))]
    )
    assert found[1]["lift"] == pytest.approx(found[1]["spend_share"] / found[1]["customers_share"])


def test_segments_are_drawn_with_their_stored_level(without):
    found = stored(without)
    rows = segment_levels(Evidence(found))
    drawn = {row["segment"]: row["value"] for row in rows_behind(quality_parts.segment_levels(rows))}
    assert drawn == {
        row["group"]: row["figures"]["bias"]
        for row in found["rows"]
        if (row["as_of"], row["candidate"], row["target"]) == ("mean", "champion", "spend")
        and row["group"] in ("Champions", "At risk")
    }
