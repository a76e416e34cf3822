"""Figures of the chosen customers, asked once per version and selection and kept for every visitor.

Comes in: a visit, a question of `interfaces.views.overview` and a selection. Goes out: what the question returns. Only sums and
counts are kept; rows that name customers are read anew each time, so that an erased customer is gone at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.crowds import findings_among
from customer_genome.interfaces.views.overview import Choice, actions

T = TypeVar("T")


def ask(visit: Visit, question: Callable[[Genome, Choice], T], choice: Choice) -> T:
    """Return the answer of a question about the chosen customers."""
    answer: T = _kept(question.__name__, visit.key, choice, question, visit.genome)
    return answer


@st.cache_data(max_entries=500, show_spinner="Adding up …")
def _kept(name: str, key: str, choice: Choice, _question: Callable[[Genome, Choice], Any], _genome: Genome) -> Any:
    """Keep one answer per question, version and choice."""
    return _question(_genome, choice)


def findings(genome: Genome, choice: Choice) -> dict[str, tuple[str, str]]:
    """Return what is true of the chosen customers by the finding's id: title and sentence; what they cannot give is left out.

    Of everybody it is what was published; of a part it is computed by the same functions from that part alone, counted in SQL.
    """
    if not choice.where()[1]:
        rows = genome.query("select id, title, sentence from findings where value is not null").to_pylist()
        return {row["id"]: (row["title"], row["sentence"]) for row in rows}
    found = findings_among(genome, choice)
    return {finding.id: (finding.title, finding.sentence) for finding in found if finding.value is not None}


def next_steps(genome: Genome, choice: Choice, most: int = 3) -> list[dict[str, Any]]:
    """Return the playbooks with most value at risk among customers worth reaching, with what each says to do."""
    texts = {row["playbook"]: row for row in genome.table("playbooks").to_pylist()}
    return [row | texts.get(row["playbook"], {}) | row for row in actions(genome, choice)[:most]]
