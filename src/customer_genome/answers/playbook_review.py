"""`genome playbooks check`: what a playbook file does to the customers that were published, before it is used in a run.

Comes in: a parsed playbook file and an open version. Goes out: per playbook how many customers it fits and takes, which it
shares with others, and what is wrong with it in words. Customers are read in batches and only counted; nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from customer_genome.decisions.conditions import holds
from customer_genome.decisions.contradictions import contradiction, takes_all_of
from customer_genome.decisions.customers import Customers, value_at
from customer_genome.decisions.playbooks import (
    Playbook,
    PlaybookCheck,
    check,
    matching_of,
    parse_playbooks,
    switched_off,
    wanted_figures,
)
from customer_genome.errors import SettingsError
from customer_genome.genome import Genome


@dataclass(frozen=True)
class PlaybookReview:
    """A playbook file tried on customers.

    Attributes
    ----------
    checks : per playbook, by priority
    rules : per playbook, every rule as text with the customers it holds for by itself
    troubles : what is wrong or doubtful, a sentence each
    n_customers : customers it was tried on; 0 where nothing has been published
    n_moved : of them, those who would change their playbook
    figures : what p30, mean and median of the rules are today
    """

    playbooks: tuple[Playbook, ...]
    checks: tuple[PlaybookCheck, ...]
    rules: tuple[tuple[tuple[str, int], ...], ...]
    troubles: tuple[str, ...]
    n_customers: int
    n_moved: int
    figures: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        found = [
            asdict(one) | {"rules": [{"rule": text, "n_holds": count} for text, count in rules]}
            for one, rules in zip(self.checks, self.rules, strict=True)
        ]
        return {
            "customers": self.n_customers,
            "assigned": sum(one.n_assigned for one in self.checks),
            "moved": self.n_moved,
            "figures": dict(self.figures),
            "playbooks": found,
            "troubles": list(self.troubles),
        }


def read_review(document: Mapping[str, Any], label: str, genome: Genome | None = None) -> PlaybookReview:
    """Return what the playbooks of a file do to the published customers; without a version only what rules alone tell.

    Raises
    ------
    SettingsError
        Listing every fault of the file, unknown columns with near names among them.
    """
    playbooks = parse_playbooks(document, label)
    if genome is None:
        empty = pa.table({"customer_id": pa.array([], pa.string())})
        matching_of(playbooks, empty, {}, frozenset())  # names every column that no run makes
        checks = tuple(PlaybookCheck(book.name, book.priority, 0, 0) for book in playbooks)
        rules = tuple(tuple((str(rule), 0) for rule in book.when) for book in playbooks)
        return PlaybookReview(playbooks, checks, rules, _hidden(playbooks, {}, {}), 0, 0, {})
    return _tried(playbooks, genome)


def _tried(playbooks: Sequence[Playbook], genome: Genome) -> PlaybookReview:
    """Return the review of playbooks on the customers of a version."""
    schema = genome.query("select * from customers limit 0").schema
    used = dict.fromkeys(column for book in playbooks for column in (*book.columns, *book.action.columns))
    names = [name for name in used if name in schema.names]
    columns = ", ".join(f'"{name}"' for name in ["customer_id", *(name for name in names if name != "customer_id")])
    matching_of(playbooks, schema.empty_table(), {}, frozenset())  # every fault of the file before anything is read
    known = _known(genome, schema, names)
    figures = _figures(playbooks, genome, schema, known)
    matching: Counter[str] = Counter()
    alone = [np.zeros(len(book.when), dtype=np.int64) for book in playbooks]
    n_moved = 0
    for batch in genome.batches(f"select {columns}, playbook as published_playbook from customers"):
        table = pa.Table.from_batches([batch])
        texts = matching_of(playbooks, table, figures, known)
        matching.update({row["values"]: row["counts"] for row in texts.value_counts().to_pylist()})
        sets = texts.dictionary_encode()
        given = pa.array([_first_of(text, playbooks) for text in sets.dictionary.to_pylist()], pa.string()).take(sets.indices)
        n_moved += sum(a != b for a, b in zip(given.to_pylist(), table["published_playbook"].to_pylist(), strict=True))
        customers = Customers(table, known)
        for book, counts in zip(playbooks, alone, strict=True):
            if not switched_off(book, known):
                counts += np.array([holds(rule, customers, figures).sum() for rule in book.when], dtype=np.int64)
    checks = check(playbooks, matching, known)
    rules = tuple(
        tuple((str(rule), int(count)) for rule, count in zip(book.when, counts, strict=True))
        for book, counts in zip(playbooks, alone, strict=True)
    )
    n = sum(matching.values())
    troubles = (*_hidden(playbooks, figures, {one.name: one for one in checks}), *_doubtful(playbooks, checks, rules, n))
    return PlaybookReview(tuple(playbooks), checks, rules, troubles, n, n_moved, figures)


def _first_of(text: str, playbooks: Sequence[Playbook]) -> str:
    """Return the first playbook among those that fit."""
    fitting = set(text.strip("|").split("|"))
    return next(book.name for book in playbooks if book.name in fitting)


def _known(genome: Genome, schema: pa.Schema, names: Sequence[str]) -> frozenset[str]:
    """Return the used columns that say something about at least one customer; not a number is nothing."""
    if not names:
        return frozenset()
    parts = [
        f"count(*) filter (where not isnan({_quoted(name)})) as {_quoted(name)}"
        if pa.types.is_floating(schema.field(name).type)
        else f"count({_quoted(name)}) as {_quoted(name)}"
        for name in names
    ]
    row = genome.query(f"select {', '.join(parts)} from customers").to_pylist()[0]
    return frozenset(name for name, count in row.items() if count)


def _figures(playbooks: Sequence[Playbook], genome: Genome, schema: pa.Schema, known: frozenset[str]) -> dict[str, float]:
    """Return the figures of all customers that rules compare with, a column at a time."""
    found: dict[str, float] = {}
    for figure in wanted_figures(playbooks, Customers(schema.empty_table(), known)):
        column = Customers(genome.query(f"select {_quoted(figure.column)} from customers")).numbers(figure.column)
        found[figure.key] = float(np.nanmean(column)) if figure.percent is None else value_at(column, figure.percent)
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _hidden(playbooks: Sequence[Playbook], figures: Mapping[str, float], checks: Mapping[str, PlaybookCheck]) -> tuple[str, ...]:
    """Return the playbooks that never get anybody, whoever comes: earlier ones take all they fit, or no figure of today allows it."""
    troubles = []
    for place, book in enumerate(playbooks):
        if not book.when or (book.name in checks and checks[book.name].switched_off):
            continue
        before = next((other for other in playbooks[:place] if takes_all_of(other.when, book.when)), None)
        if before is not None:
            troubles.append(
                f'playbook "{book.name}" never gets anybody: "{before.name}" comes first and fits everybody it fits. '
                f"Give it a lower priority number than {before.priority}, or narrow the rules of {before.name}."
            )
        elif contradiction(book.when, figures):
            troubles.append(f'playbook "{book.name}": as customers are today, {contradiction(book.when, figures)}.')
    return tuple(troubles)


def _doubtful(
    playbooks: Sequence[Playbook], checks: Sequence[PlaybookCheck], rules: Sequence[Sequence[tuple[str, int]]], n: int
) -> tuple[str, ...]:
    """Return what the customers at hand say: playbooks switched off, without anybody, or behind others."""
    troubles = []
    assigned = sum(one.n_assigned for one in checks)
    if assigned != n:
        raise SettingsError(f"playbooks: {assigned:,} of {n:,} customers have exactly one playbook. Wanted: all of them.")
    for book, one, alone in zip(playbooks, checks, rules, strict=True):
        if one.switched_off:
            troubles.append(f'playbook "{one.name}" is switched off: {one.switched_off}.')
        elif not one.n_matches and book.when:
            nobody = [text for text, count in alone if not count]
            why = f"`{nobody[0]}` holds for nobody" if nobody else "each rule holds for somebody, all of them together for nobody"
            troubles.append(f'playbook "{one.name}" fits nobody today: {why}.')
        elif not one.n_assigned and book.when:
            names = sorted(one.overlaps.items(), key=lambda item: -item[1])
            earlier = [f"{name} ({count:,})" for name, count in names if _priority(checks, name) < one.priority]
            troubles.append(
                f'playbook "{one.name}" fits {one.n_matches:,} and gets nobody today: earlier ones take them all, {", ".join(earlier[:3])}.'
            )
    return tuple(troubles)


def _priority(checks: Sequence[PlaybookCheck], name: str) -> int:
    return next(one.priority for one in checks if one.name == name)
