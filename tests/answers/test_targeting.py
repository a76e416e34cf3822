"""Target lists from a published version: who falls out and why, what the file holds, and that both groups balance on real data."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from customer_genome.answers.targeting import TargetRequest, read_contacts, targets
from customer_genome.decisions.targeting import BALANCED, Terms
from customer_genome.errors import SettingsError, SourceError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from published_shops import answer, publish, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop that must not contact two of its customers."""
    workspace = tmp_path_factory.mktemp("targets")
    publish_simulated(workspace)
    return workspace


def listed(shop: Path, terms: Terms, **more: object):
    with Genome.open(shop) as genome:
        return targets(genome, TargetRequest(terms, **more))


def test_the_list_is_what_sql_says(shop: Path) -> None:
    found = listed(shop, Terms(cost=0.5, response=0.1, control_share=0.0))
    wanted = "not is_suppressed and coalesce(return_share, 0) < 0.4 and expected_value_loss * 0.1 > 0.5"
    assert found.n_contact == answer(shop, f"select count(*) as n from customers where {wanted}") > 0
    assert found.gain == pytest.approx(
        answer(shop, f"select sum(expected_value_loss * 0.1 - 0.5) as n from customers where {wanted}")
    )
    assert found.cost == pytest.approx(0.5 * found.n_contact)
    gains = found.table["expected_gain"].to_pylist()
    assert gains == sorted(gains, reverse=True) and gains[-1] > 0 and not found.n_control
    assert any("cannot be measured" in notice for notice in found.notices)


def test_customers_contacted_lately_or_suppressed_are_left_out_and_counted(tmp_path: Path) -> None:
    publish_simulated(tmp_path / "first", n_lines=2000)
    with Genome.open(tmp_path / "first") as genome:
        on = dt.date.fromisoformat(str(genome.manifest["as_of"])[:10])
        best = targets(genome, TargetRequest(Terms(cost=0.01, control_share=0))).table["customer_id"].to_pylist()
    (tmp_path / "suppressed.csv").write_text(f"customer_id\n{best[0]}\n", "utf-8")
    settings = f'[tables.suppressions]\npath = "{tmp_path / "suppressed.csv"}"\n'
    publish(tmp_path / "second", tmp_path / "first" / "lines.parquet", settings)
    contacted = {best[1]: on - dt.timedelta(days=29), best[2]: on - dt.timedelta(days=30), best[3]: on + dt.timedelta(days=1)}
    found = listed(tmp_path / "second", Terms(cost=0.01, control_share=0), contacted=contacted)
    assert not {best[0], best[1], best[3]} & set(found.table["customer_id"].to_pylist())
    assert best[2] in found.table["customer_id"].to_pylist(), "30 days ago is long enough"
    steps = dict(found.funnel)
    assert steps["customers"] - steps["not on the suppression list"] == 1
    assert list(steps.values()) == sorted(steps.values(), reverse=True), "nobody comes back"


def test_a_filter_limits_who_is_listed(shop: Path) -> None:
    part = listed(shop, Terms(cost=0.01), condition="n_orders >= ?", parameters=(3,))
    assert dict(part.funnel)["within the filters"] == answer(shop, "select count(*) as n from customers where n_orders >= 3")
    ids = part.table["customer_id"].to_pylist()
    assert answer(shop, "select min(n_orders) as n from customers where list_contains(?, customer_id)", ids) >= 3


def test_the_command_writes_the_list_with_reason_and_group(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "list.csv"
    asked = ["targets", "-w", str(shop), "--cost", "0.2", "--response", "0.2", "--budget", "10", "-o", str(out), "--json"]
    said = json.loads(CliRunner().invoke(app, asked).stdout)
    rows = pa_csv.read_csv(out)
    groups = rows["group"].to_pylist()
    assert (groups.count("contact"), groups.count("control")) == (said["contact"], said["control"])
    assert said["contact"] <= 50 and said["cost"] == pytest.approx(0.2 * said["contact"]) and said["control"] > 0
    assert {"customer_id", "rank", "expected_gain", "playbook_reason", "recommended_action", "priority_segment"} <= set(
        rows.column_names
    )
    assert said["formula"] == "expected_gain = expected_value_loss * response - cost"
    again = tmp_path / "list.parquet"
    CliRunner().invoke(app, [*asked[:-3], "-o", str(again)])
    assert pq.read_table(again)["group"].to_pylist() == groups, "the draw is the same every time"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--cost", "1", "--budget", "0"], "0 pays for nobody"),
        (["--cost", "1", "--control-share", "1"], "at 1 nobody would be contacted"),
        ([], "No cost per contact is known"),
        (["--cost", "1", "--playbook", "VIPs Loyalist"], 'Did you mean "VIP Loyalists"'),
        (["--cost", "1", "--on", "soon"], "--on soon is not a day"),
    ],
)
def test_what_is_asked_wrongly_is_said_and_nothing_is_written(shop: Path, tmp_path: Path, options: list[str], says: str) -> None:
    ended = CliRunner().invoke(app, ["targets", "-w", str(shop), "-o", str(tmp_path / "x.csv"), *options])
    assert ended.exit_code == 2 and says in ended.stderr and not list(tmp_path.iterdir())


def test_nobody_worth_a_contact_is_an_empty_list_and_a_sentence(shop: Path) -> None:
    found = listed(shop, Terms(cost=1e9))
    assert found.table.num_rows == 0 and "Nobody is worth a contact" in found.notices[0]


def test_a_file_of_contacts_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("Customer ID;contacted-on\na;2024-03-01\na;2024-04-01 10:00\nb;2024-01-01\n", "utf-8")
    assert read_contacts(path) == {"a": dt.date(2024, 4, 1), "b": dt.date(2024, 1, 1)}
    path.write_text("customer_id,contacted_on\na,2024-03-01\nb,soon\n", "utf-8")
    with pytest.raises(SourceError, match=r"1 of 2 days in contacted_on cannot be read .first: line 3: 'soon'"):
        read_contacts(path)
    path.write_text("customer_id,contacted_at\na,2024-03-01\n", "utf-8")
    with pytest.raises(SourceError, match=r'no column contacted_on\. Did you mean "contacted_at"'):
        read_contacts(path)


def test_an_unknown_playbook_is_refused(shop: Path) -> None:
    with pytest.raises(SettingsError, match="There is no playbook 'Nobody'"):
        listed(shop, Terms(cost=1), playbook="Nobody")


@pytest.mark.slow
def test_on_online_retail_both_groups_balance_on_value_and_risk(genome_data: Path, tmp_path: Path) -> None:
    publish(tmp_path, genome_data / "online_retail.parquet")
    for playbook in ("", "Growing Regulars", "Dormant / One-and-Done", "At-Risk Loyalists"):
        found = listed(tmp_path, Terms(cost=0.5, control_share=0.2), playbook=playbook)
        assert found.n_control >= 3
        if found.n_control >= 50:
            for one in found.balance[:3]:
                assert abs(one.difference) < BALANCED, (playbook, one)
        for _, _, contact, control in found.strata:
            assert abs(control - 0.2 * (contact + control)) <= 2 + 0.01 * (contact + control)
