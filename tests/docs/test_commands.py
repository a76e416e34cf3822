"""Every command that the documentation shows exists, and those that are marked are run and say what the page says.

A fenced block of language `console` holds lines that begin with `$ ` (commands) and, below each, what it printed; a block
of language `sh` or `bash` holds commands only. All commands are compared with the command line and the Makefile. A
`console` block that follows the line `<!-- run -->` is executed in an empty folder, its commands one after the other, and
what they print must match: `...` stands for anything. Blocks of one page share the folder, so a page reads as one session.
`<!-- run slow -->` does the same in the slow tests. `<!-- run real-data -->` needs GENOME_DATA, which is `data` in the folder.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
import typer.main

from customer_genome.interfaces.cli import app
from customer_genome.settings import Settings, settings_from_mapping
from repository import ROOT, tracked_files

BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[a-z -]+) -->\n\s*)?^```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^```\s*$", re.MULTILINE | re.DOTALL
)
SHELL = {"console", "sh", "bash", "shell"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    mark: str
    language: str
    body: str


def blocks() -> list[Block]:
    """Return the fenced blocks of every Markdown file of the repository."""
    return [
        Block(page, match["mark"] or "", match["language"], match["body"])
        for page in tracked_files("*.md")
        for match in BLOCK.finditer(page.read_text("utf-8"))
    ]


def steps(block: Block) -> list[tuple[str, str]]:
    """Return (command, what it printed) of a shell block; lines ending in a backslash go on."""
    body = block.body.replace("\\\n", " ")
    if block.language != "console":
        return [(line.strip(), "") for line in body.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
    return [(command.strip(), printed) for part in parts[1:] for command, _, printed in [part.partition("\n")]]


def make_targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def fault(command: str) -> str | None:
    """Return what is wrong with a shown command, or None; commands of other programs pass."""
    words = shlex.split(re.split(r"\s(?:#|\||&&|>)", command)[0])
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if words[:1] == ["make"]:
        unknown = [word for word in words[1:] if "=" not in word and not word.startswith("-") and word not in make_targets()]
        return f"{command}: the Makefile has no {unknown}" if unknown else None
    if words[:1] != ["genome"] or words[1:] in ([], ["--help"], ["--version"]):
        return None
    group = typer.main.get_command(app)
    subcommand = group.commands.get(words[1])  # type: ignore[attr-defined]
    if subcommand is None:
        return f"{command}: there is no `genome {words[1]}`"
    if hasattr(subcommand, "commands") and len(words) > 2 and not words[2].startswith("-"):
        if words[2] not in subcommand.commands:
            return f"{command}: there is no `genome {words[1]} {words[2]}`"
        subcommand = subcommand.commands[words[2]]
    options = {name for parameter in subcommand.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    used = {word.partition("=")[0] for word in words[2:] if word.startswith("-")}
    return f"{command}: no such option {sorted(used - options)}" if used - options else None


@pytest.mark.parametrize("page", sorted({block.page for block in blocks()}), ids=lambda page: str(page.relative_to(ROOT)))
def test_shown_commands_exist(page: Path) -> None:
    shown = [command for block in blocks() if block.page == page and block.language in SHELL for command, _ in steps(block)]
    assert not [text for command in shown if (text := fault(command))]


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("make test", False),
        ("make tset", True),
        ("OPEN=0 make demo", False),
        ("genome run shop.csv --workspace w", False),
        ("genome run shop.csv --workspce w", True),
        ("genome walk", True),
        ("genome playbooks check mine.toml --json", False),
        ("genome playbooks chek", True),
        ("genome playbooks check --jsn", True),
        ("git clone x && cd x", False),
    ],
)
def test_a_wrong_command_is_noticed(command: str, wrong: bool) -> None:
    assert bool(fault(command)) is wrong


@pytest.mark.parametrize("page", sorted({block.page for block in blocks()}), ids=lambda page: str(page.relative_to(ROOT)))
def test_shown_settings_are_accepted(page: Path, tmp_path: Path) -> None:
    """TOML has to be valid; where its tables are those of genome.toml, the product has to accept it."""
    sections = {field.name for field in fields(Settings)}
    for block in blocks():
        if block.page == page and block.language == "toml":
            shown = tomllib.loads(block.body)
            if sections & set(shown):
                settings_from_mapping(shown, tmp_path)


def run_page(page: Path, marks: set[str], folder: Path) -> None:
    """Run the marked console blocks of one page in `folder`, and compare what they print."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for block in blocks():
        if block.page != page or block.mark not in marks:
            continue
        assert steps(block), f"{page.name}: a block marked {block.mark!r} has no line that begins with '$ '"
        for command, wanted in steps(block):
            ended = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
            assert checker.check_output(wanted, ended.stdout, flags), f"$ {command}\nshown:\n{wanted}\nprinted:\n{ended.stdout}"


def marked(*marks: str) -> list[Path]:
    """Return the pages that have blocks with these marks; the contributing page stands in where there is none."""
    return sorted({block.page for block in blocks() if block.mark in marks}) or [ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", marked("run"), ids=lambda page: str(page.relative_to(ROOT)))
def test_transcripts_are_true(page: Path, tmp_path: Path) -> None:
    run_page(page, {"run"}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", marked("run slow"), ids=lambda page: str(page.relative_to(ROOT)))
def test_long_transcripts_are_true(page: Path, tmp_path: Path) -> None:
    run_page(page, {"run", "run slow"}, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", marked("run real-data"), ids=lambda page: str(page.relative_to(ROOT)))
def test_transcripts_on_real_data_are_true(page: Path, tmp_path: Path, genome_data: Path) -> None:
    (tmp_path / "data").symlink_to(genome_data, target_is_directory=True)
    run_page(page, {"run", "run real-data"}, tmp_path)


def test_a_false_transcript_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    body = "$ printf 'one\\ntwo\\n'\none\n...\n$ echo three\nfour\n"
    monkeypatch.setattr(sys.modules[__name__], "blocks", lambda: [Block(page, "run", "console", body)])
    with pytest.raises(AssertionError, match="three"):
        run_page(page, {"run"}, tmp_path)
