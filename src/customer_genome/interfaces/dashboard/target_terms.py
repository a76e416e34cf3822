"""What a list of targets was asked for: terms with the playbook's own defaults, the file of past contacts, and the same on the command line.

Comes in: what a visitor typed and the file they handed in. Goes out: plain values, a `TargetList` and a command. No page is drawn here,
and a file that was handed in is read and forgotten.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from customer_genome.answers.targeting import TargetList, TargetRequest, read_contacts, targets, terms_for
from customer_genome.decisions.playbooks import Playbook, parse_playbooks
from customer_genome.decisions.targeting import DEFAULT_CONTROL_SHARE, DEFAULT_RESPONSE
from customer_genome.errors import SourceError
from customer_genome.genome import Genome
from customer_genome.interfaces.views.overview import Choice
from customer_genome.rules import read_playbooks
from customer_genome.settings import read_settings

USUAL_COST = 1.0
QUIET_DAYS = 30
FIRST_ROWS = 100


@dataclass(frozen=True)
class Asked:
    """What a visitor wants listed; `contacts` is the digest of the file of past contacts, empty without one."""

    cost: float = USUAL_COST
    playbook: str = ""
    budget: float | None = None
    response: float = DEFAULT_RESPONSE
    control_share: float = DEFAULT_CONTROL_SHARE
    max_contacts: int | None = None
    contacts: str = ""
    contacts_name: str = ""
    quiet_days: int = QUIET_DAYS
    on: dt.date | None = None


def books_of(workspace: Path) -> dict[str, Playbook]:
    """Return the playbooks of the file in use by name, for the cost and response they name."""
    path = read_settings(workspace).segments.playbooks
    return {book.name: book for book in parse_playbooks(read_playbooks(path), path or "playbooks.toml")}


def digest_of(content: bytes) -> str:
    """Return what tells one file from another."""
    return hashlib.sha256(content).hexdigest()


def contacts_of(content: bytes, name: str) -> dict[str, dt.date]:
    """Return the last contact of each customer from the content of a file; a fault names the file as the visitor does.

    Raises
    ------
    SourceError
        When the file or one of its columns cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="genome-contacts-") as folder:
        path = Path(folder) / "contacts.csv"
        path.write_bytes(content)
        try:
            return read_contacts(path)
        except SourceError as err:
            raise SourceError(str(err).replace(str(path), name)) from err


def list_of(genome: Genome, asked: Asked, condition: str, parameters: Sequence[object], content: bytes = b"") -> TargetList:
    """Return whom to contact and whom to hold out among the customers a condition leaves.

    Raises
    ------
    SettingsError
        When the terms are not possible.
    SourceError
        When the file of past contacts cannot be read.
    """
    terms = terms_for(
        genome,
        asked.playbook,
        (),
        cost=asked.cost,
        response=asked.response,
        budget=asked.budget,
        max_contacts=asked.max_contacts,
        control_share=asked.control_share,
    )
    return targets(
        genome,
        TargetRequest(
            terms,
            asked.playbook,
            contacts_of(content, asked.contacts_name) if asked.contacts else {},
            asked.quiet_days,
            asked.on,
            condition,
            tuple(parameters),
        ),
    )


def account_of(found: TargetList) -> TargetList:
    """Return a list's account with its first rows only: what a page shows, small enough to be kept."""
    return replace(found, table=found.table.take(pa.array(range(min(FIRST_ROWS, found.table.num_rows)), pa.int64())))


def bands_of(genome: Genome, choice: Choice) -> pa.Table:
    """Return how many of the chosen customers stand in each band of value and risk: clv_band, churn_band, customers."""
    where, parameters = choice.where()
    return genome.query(
        f"select clv_band, churn_band, count(*) as customers from customers where {where} group by all order by clv_band, churn_band",
        parameters,
    )


def left_out(funnel: Sequence[tuple[str, int]]) -> pa.Table:
    """Return the steps of a list with how many each left out.

    Examples
    --------
    >>> left_out([("customers", 10), ("not on the suppression list", 8)])["left_out"].to_pylist()
    [None, 2]
    """
    numbers = [number for _, number in funnel]
    return pa.table(
        {
            "step": [words.capitalize() if words.islower() else words for words, _ in funnel],
            "customers": pa.array(numbers, pa.int64()),
            "left_out": pa.array([None, *(before - after for before, after in pairwise(numbers))][: len(numbers)], pa.int64()),
        }
    )


def command_of(asked: Asked, workspace: Path) -> str:
    """Return the command that makes the same list of a whole version.

    Examples
    --------
    >>> command_of(Asked(1.5, "At-Risk Loyalists", 300.0), Path("shop"))
    "genome targets --playbook 'At-Risk Loyalists' --cost 1.5 --budget 300 --response 0.05 --control-share 0.1 --output targets.csv --workspace shop"
    """
    words = ["genome", "targets"]
    words += ["--playbook", asked.playbook] if asked.playbook else []
    words += ["--cost", f"{asked.cost:g}"]
    words += ["--budget", f"{asked.budget:.12g}"] if asked.budget is not None else []
    words += ["--max-contacts", str(asked.max_contacts)] if asked.max_contacts is not None else []
    words += ["--response", f"{asked.response:g}", "--control-share", f"{asked.control_share:g}"]
    words += ["--contacted", asked.contacts_name, "--quiet-days", str(asked.quiet_days)] if asked.contacts else []
    words += ["--on", asked.on.isoformat()] if asked.on is not None else []
    return shlex.join([*words, "--output", "targets.csv", "--workspace", str(workspace)])
