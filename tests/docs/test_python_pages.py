"""Pages whose Python blocks hold a session (lines that begin with >>>) are run from top to bottom and must print what they show."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from repository import ROOT, tracked_files

SESSION = re.compile(r"^```python\n(>>> .*?)^```\s*$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def pages() -> list[Path]:
    """Return the pages with at least one session."""
    return sorted(page for page in tracked_files("*.md") if SESSION.search(page.read_text("utf-8")))


def test_the_walk_through_on_a_pandas_frame_is_among_them() -> None:
    assert "customer_value_from_pandas.md" in {page.name for page in pages()}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_sessions_print_what_is_shown(page: Path) -> None:
    session = "\n".join(block.group(1) for block in SESSION.finditer(page.read_text("utf-8")))
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=said.append)
    assert result.attempted > 3
    assert not result.failed, "".join(said)
