"""`genome diff`: two real versions compared, in words, as JSON, and with what is missing or asked wrongly said."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner, Result

from customer_genome.answers.comparison import compare, previous_version, two_versions
from customer_genome.errors import SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from customer_genome.interfaces.report.page import render_report
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views import changes
from customer_genome.workspace import Workspace
from published_shops import SETTINGS, publish_rows

EARLY = [
    ("stays", "a1", "2024-01-05", "p1", 1, 10.0, "France"),
    ("stays", "a2", "2024-02-05", "p1", 1, 10.0, "France"),
    ("buys", "b1", "2024-01-09", "p1", 1, 10.0, "France"),
    ("leaves", "c1", "2024-01-12", "p1", 1, 10.0, "France"),
    ("corrected", "d1", "2024-01-15", "p1", 4, 10.0, "France"),
]
LATE = [
    *EARLY[:3],
    ("buys", "b2", "2024-03-01", "p2", 2, 20.0, "France"),
    ("corrected", "d1", "2024-01-15", "p1", 3, 10.0, "France"),
    ("comes", "e1", "2024-03-09", "p1", 1, 10.0, "France"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop published twice; in between one customer came, one left, one bought, one was corrected."""
    workspace = tmp_path_factory.mktemp("twice")
    publish_rows(workspace, EARLY)
    publish_rows(workspace, LATE, SETTINGS + "[prediction]\nmargin = 0.5\n")
    return workspace


def genome(workspace: Path, *words: str) -> Result:
    """Run `genome diff` as a person would."""
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["diff", "--workspace", str(workspace), *words])


def test_the_reasons_say_what_happened_to_each_customer(shop):
    with Genome.open(shop, "v00001") as before, Genome.open(shop, "v00002") as after:
        found = compare(before, after)
    counted = {row["reason"]: row["customers"] for row in found.reasons}
    assert counted == {"new": 1, "gone": 1, "ordered": 1, "fewer": 1, "quiet": 1}
    assert (found.before.as_of, found.after.as_of) == (dt.date(2024, 2, 6), dt.date(2024, 3, 10))
    line = found.total("total_spend")
    assert [float(line[name]) for name in ("before", "new", "gone", "rose", "fell", "after")] == [80, 10, 10, 40, -10, 110]
    spoken = {move.customer_id: changes.facts_behind(move, "GBP") for move in (*found.value_up, *found.value_down)}
    assert spoken["buys"] == "1 order more, £40.00; last on 1 Mar 2024, before 9 Jan 2024"
    assert spoken["stays"] == "no order since; quiet for 34 days, before 1 day"
    assert "£10.00 less spent" in spoken["corrected"]


def test_settings_that_move_numbers_are_said(shop):
    with Genome.open(shop, "v00001") as before, Genome.open(shop, "v00002") as after:
        found = compare(before, after)
        unchanged = compare(before, before)
    assert [(one.name, one.before, one.after) for one in found.differences] == [("prediction.margin", "1.0", "0.5")]
    said = " ".join(changes.cautions(found))
    assert "Setting prediction.margin was 1.0 and is 0.5." in said and "fitted anew" in said
    assert not unchanged.differences and not unchanged.refitted


def test_the_newest_two_versions_are_compared_unless_others_are_named(shop):
    place = Workspace(shop)
    assert two_versions(place) == ("v00001", "v00002") == two_versions(place, "v00001")
    assert two_versions(place, "v00002", "v00001") == ("v00002", "v00001")
    assert previous_version(place, "v00001") is None
    with pytest.raises(SnapshotError, match="v00009"):
        two_versions(place, None, "v00009")
    with pytest.raises(SnapshotError, match=r"Both sides are v00002.*v00001, v00002"):
        two_versions(place, "v00002")


def test_one_version_alone_says_what_to_do_next(tmp_path):
    publish_rows(tmp_path, EARLY)
    with pytest.raises(SnapshotError, match=r"nothing older than v00001.*genome run"):
        two_versions(Workspace(tmp_path))
    failed = genome(tmp_path)
    assert failed.exit_code == 1 and isinstance(failed.exception, SnapshotError)


def test_people_read_totals_reasons_and_moves(shop):
    shown = genome(shop)
    assert shown.exit_code == 0, shown.output
    assert "v00001 (6 Feb 2024) → v00002 (10 Mar 2024)" in shown.output
    assert "1 customer is new, 1 is gone" in shown.output
    spend = re.search(r"Spend so far\s+(.*)", shown.output)
    assert spend and spend[1].split() == ["£80.00", "£10.00", "£10.00", "£40.00", "£-10.00".replace("£-", "-£"), "£110.00"]
    assert "1 order more, £40.00" in shown.output and "prediction.margin" in shown.output


def test_programs_read_json_that_adds_up(shop):
    for by in ("segment_name", "rfm_segment", "churn_band"):
        said = json.loads(genome(shop, "--json", "--by", by, "--top", "2").stdout)
        assert said["counts"] == {"new": 1, "gone": 1, "stayed": 3, "moved": said["counts"]["moved"]}
        assert max(len(said["value_up"]), len(said["value_down"])) in (1, 2), "three customers stayed, two at most are listed"
        facts = {move["customer_id"]: move["changed_facts"] for move in (*said["value_up"], *said["value_down"])}
        assert facts.get("stays", ["recency_days"]) == ["recency_days"] and set(facts) <= {"stays", "buys", "corrected"}
        for line in said["totals"]:
            parts = line["before"] + line["new"] - line["gone"] + line["rose"] + line["fell"]
            assert parts == pytest.approx(line["after"], abs=1e-9)
        assert sum(cell["customers"] for cell in said["migration"]) == 5


@pytest.mark.parametrize("words", [["--by", "shoe_size"], ["--top", "-1"]])
def test_impossible_wishes_are_a_usage_error(shop, words):
    asked = genome(shop, *words)
    assert asked.exit_code == 2 and "Wanted:" in asked.output


def test_the_report_says_what_changed_since_the_version_before(shop):
    with Genome.open(shop, "v00002") as newer, Genome.open(shop, "v00001") as older:
        page, first = render_report(newer), render_report(older)
    assert "What changed since v00001" in page and 'id="migration"' in page and 'id="value_reasons"' in page
    assert "1 order more, £40.00; last on 1 Mar 2024, before 9 Jan 2024" in page
    assert "What changed since" not in first and "This is the only version" in first
    assert 'id="migration"' not in first


def test_a_damaged_older_version_is_said_and_does_not_stop_the_report(tmp_path):
    publish_rows(tmp_path, EARLY)
    publish_rows(tmp_path, LATE)
    (tmp_path / "published" / "v00001" / "snapshot.duckdb").write_bytes(b"not a database")
    with Genome.open(tmp_path) as genome_:
        page = render_report(genome_)
    assert "Version v00001 cannot be opened" in page


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page Changes, as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=60).run().switch_page("changes.py").run()
    assert not app.exception and not app.error
    return app


def test_the_page_counts_as_sets_do_and_follows_the_groups(shop, monkeypatch):
    app = page_of(shop, monkeypatch)
    cards = {metric.label: metric.value for metric in app.metric}
    assert (cards["New"], cards["Gone"], cards["Spend so far"]) == ("1", "1", "£110.00")
    assert "1 customer is new, 1 is gone" in "".join(mark.value for mark in app.markdown)
    assert any("prediction" in box.value for box in app.info), "a changed setting is said above the figures"
    app.selectbox(key="change_groups").set_value("RFM segment").run()
    assert not app.exception and "another RFM segment" in "".join(mark.value for mark in app.markdown)


def test_the_page_without_an_older_version_says_what_to_run(tmp_path, monkeypatch):
    publish_rows(tmp_path, EARLY)
    app = page_of(tmp_path, monkeypatch)
    assert "v00001 is the oldest version" in app.info[0].value and "genome run" in app.code[0].value
