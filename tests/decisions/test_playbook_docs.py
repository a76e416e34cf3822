"""docs/playbooks.md says what the code does: its file parses, its rules are rules, its tables are the ones in use."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from customer_genome.decisions.conditions import parse_condition
from customer_genome.decisions.playbooks import KNOWN_COLUMNS, Playbook, parse_playbooks
from customer_genome.decisions.priority import CHURN_CUTS, CLV_PERCENTS
from customer_genome.decisions.segment_names import LABELS
from customer_genome.models.segmentation.segments import RFM_GRID

PAGE = (Path(__file__).parents[2] / "docs" / "playbooks.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    part = PAGE.split(f"## {heading}\n")[1]
    lines = re.search(r"(?:^\|.*\n)+", part, re.MULTILINE)[0].splitlines()
    return [[cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_example_file_is_a_playbook_file() -> None:
    example = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)[1]
    books = parse_playbooks(tomllib.loads(example))
    assert [book.name for book in books] == ["Big Baskets", "Everybody Else"]
    assert {column for book in books for column in (*book.columns, *book.action.columns)} <= KNOWN_COLUMNS


def test_the_example_rules_are_rules() -> None:
    examples = [rule for row in rows("Rules") for rule in re.findall(r"`([^`]+)`", row[1])]
    assert len(examples) >= 10
    assert {column for rule in examples for column in parse_condition(rule).columns} <= KNOWN_COLUMNS


def test_the_packaged_playbooks_are_the_ones_described(default_playbooks: tuple[Playbook, ...]) -> None:
    assert [row[0] for row in rows("The packaged playbooks")] == [book.name for book in default_playbooks]


def test_the_columns_it_names_exist() -> None:
    listed = PAGE.split("The columns are all")[1].split("**What the data")[0]
    assert set(re.findall(r"`(\w+)`", listed)) <= KNOWN_COLUMNS


def test_the_grid_and_the_bands_are_the_ones_in_use() -> None:
    assert {int(row[0]): tuple(row[1:]) for row in rows("RFM segments")} == dict(RFM_GRID)
    assert (CLV_PERCENTS, CHURN_CUTS) == ((50.0, 80.0), (0.4, 0.7))
    assert {row[0] for row in rows("Clusters and their names")} == set(LABELS)
