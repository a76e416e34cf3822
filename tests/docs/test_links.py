"""Every relative link and picture in a Markdown file leads to something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import ROOT, tracked_files

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Return the targets of a page's links, those inside code left out."""
    return LINK.findall(CODE.sub("", FENCE.sub("", text)))


def anchor(heading: str) -> str:
    """Return the fragment under which a heading can be linked to.

    >>> anchor("What `genome run` does, in short")
    'what-genome-run-does-in-short'
    """
    words = re.sub(r"[^\w\- ]", "", heading.lower())
    return words.replace(" ", "-")


def fault(page: Path, target: str) -> str | None:
    """Return what is wrong with a link, or None."""
    path_text, _, fragment = target.partition("#")
    path = (page.parent / path_text) if path_text else page
    if not path.exists():
        return f"{target}: no such file"
    if fragment and path.suffix == ".md":
        known = {anchor(heading) for heading in HEADING.findall(FENCE.sub("", path.read_text("utf-8")))}
        if fragment not in known:
            return f"{target}: no such heading"
    return None


@pytest.mark.parametrize("page", tracked_files("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    local = [target for target in links(page.read_text("utf-8")) if not re.match(r"[a-z]+:", target)]
    faults = [text for target in local if (text := fault(page, target))]
    assert not faults


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title here\n[one](page.md#title-here) [two](gone.md) [three](#nowhere) `[not](a-link)`\n")
    found = {target: fault(page, target) for target in links(page.read_text())}
    assert found == {"page.md#title-here": None, "gone.md": "gone.md: no such file", "#nowhere": "#nowhere: no such heading"}
