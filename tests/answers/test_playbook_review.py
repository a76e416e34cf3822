"""A playbook file tried on what was published: counts equal the run's own, hidden playbooks are named, nothing is changed."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from customer_genome.answers.playbook_review import read_review
from customer_genome.errors import SettingsError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from published_shops import publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("playbooks")
    publish_simulated(workspace)
    return workspace


def book(name: str, priority: int, *rules: str) -> dict:
    """Return a playbook as TOML gives it."""
    texts = {"who": "They.", "do": ["this"], "measure": ["that"], "channel": "mail", "cost": "low", "action": "Do."}
    return {"name": name, "priority": priority, "when": list(rules), **texts}


def reviewed(shop: Path, *books: dict):
    with Genome.open(shop) as genome:
        return read_review({"playbook": [*books, book("Rest", 999)]}, "mine.toml", genome)


def test_the_packaged_file_gives_what_the_run_gave(shop: Path) -> None:
    document = tomllib.loads(files("customer_genome.decisions").joinpath("playbooks.toml").read_text("utf-8"))
    with Genome.open(shop) as genome:
        review = read_review(document, "packaged", genome)
        published = {row["playbook"]: row for row in genome.table("playbooks").to_pylist()}
        assert review.n_customers == genome.manifest["customers"] and review.n_moved == 0
    stand_ins = {entry["name"] for entry in document["playbook"] if "only_without" in entry}
    assert {one.name for one in review.checks if one.name not in published} == stand_ins
    assert all(one.switched_off for one in review.checks if one.name in stand_ins)
    for one in review.checks:
        if one.name not in published:
            continue
        assert (one.n_assigned, one.n_matches) == (published[one.name]["customers"], published[one.name]["matches"])
        assert one.switched_off == published[one.name]["switched_off"]


def test_every_rule_is_counted_by_itself_and_moves_are_counted(shop: Path) -> None:
    review = reviewed(shop, book("Often", 1, "n_orders >= 3", "total_spend > mean"))
    with Genome.open(shop) as genome:
        rows = genome.query("select n_orders, total_spend from customers").to_pylist()
    mean = sum(row["total_spend"] for row in rows) / len(rows)
    often, much = [row["n_orders"] >= 3 for row in rows], [row["total_spend"] > mean for row in rows]
    assert [count for _, count in review.rules[0]] == [sum(often), sum(much)]
    both = sum(a and b for a, b in zip(often, much, strict=True))
    assert [one.n_assigned for one in review.checks] == [both, len(rows) - both] and both > 0
    assert review.n_moved == len(rows), "no customer had one of these before"


def test_hidden_and_empty_playbooks_are_named_with_their_reason(shop: Path) -> None:
    review = reviewed(
        shop,
        book("Broad", 1, "n_orders >= 2"),
        book("Narrow", 2, "n_orders >= 4", "total_spend > 0"),
        book("Never", 3, "recency_days > 100000"),
        book("Today", 4, "total_spend > p90", "total_spend < 0.01"),
        book("Off", 5, "discount_share > 0.1"),
    )
    text = "\n".join(review.troubles)
    assert 'playbook "Narrow" never gets anybody: "Broad" comes first and fits everybody it fits.' in text
    assert 'playbook "Never" fits nobody today: `recency_days > 100000` holds for nobody.' in text
    assert (
        'playbook "Today": as customers are today, rules 1 `total_spend > p90` and 2 `total_spend < 0.01` can never both hold.'
        in text
    )
    assert 'playbook "Broad"' not in text


def test_an_unknown_column_is_refused_with_a_near_name_published_or_not(shop: Path) -> None:
    wanted = 'playbook "A", rule 1 `recencey_days > 3`: there is no column recencey_days. Did you mean "recency_days"'
    with pytest.raises(SettingsError, match=wanted):
        reviewed(shop, book("A", 1, "recencey_days > 3"))
    with pytest.raises(SettingsError, match=wanted):
        read_review({"playbook": [book("A", 1, "recencey_days > 3"), book("Rest", 2)]}, "mine.toml")


def test_the_command_says_the_same_as_json_and_in_words(shop: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    said = json.loads(run(app, ["playbooks", "check", "--workspace", str(shop), "--json"]).stdout)
    assert said["customers"] == said["assigned"] == sum(one["n_assigned"] for one in said["playbooks"])
    text = run(app, ["playbooks", "check", "--workspace", str(shop)]).stdout
    assert "Everybody has exactly one playbook, nobody two" in text
    shown = json.loads(run(app, ["playbooks", "show", "vip loyalists", "-w", str(shop), "--json"]).stdout)
    assert [card["name"] for card in shown["playbooks"]] == ["VIP Loyalists"] and shown["playbooks"][0]["measure"]
    assert "every rule can be read" in run(app, ["playbooks", "check", "-w", str(tmp_path)]).stdout
    wrong = run(app, ["playbooks", "show", "VIP Loyalist", "-w", str(shop)])
    assert wrong.exit_code == 2 and 'Did you mean "VIP Loyalists"' in wrong.stderr
