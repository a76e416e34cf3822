"""`genome playbooks`: read the playbooks, and try a file on the published customers before a run uses it.

Comes in: a playbook file, by default the workspace's own or the packaged one, and a workspace. Goes out: a table, or one JSON
object; faults as a list with near names. Nothing is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    VersionOption,
    WorkspaceOption,
    print_json,
    stop,
)

if TYPE_CHECKING:
    from customer_genome.answers.playbook_review import PlaybookReview

playbooks = typer.Typer(help="Read the playbooks, or try a file of them on the published customers.", no_args_is_help=True)
FileArgument = Annotated[
    Path | None, typer.Argument(help="A playbook file; by default the one of the workspace, or the packaged one.")
]


@playbooks.command()
def check(
    file: FileArgument = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try playbooks on the published customers: whom each fits, whom it takes, what contradicts or hides what."""
    label, review = _review(file, workspace, version)
    if as_json:
        print_json({"file": label, **review.as_json()})
        return
    _show_check(label, review)


@playbooks.command()
def show(
    name: Annotated[str | None, typer.Argument(help="One playbook; all of them by default.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A playbook file; by default the one in use.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show playbooks in full: who, by which rules, what to do, what to measure, channel and cost."""
    from customer_genome.errors import did_you_mean

    label, review = _review(file, workspace, version)
    names = [book.name for book in review.playbooks]
    wanted = [known for known in names if name is None or known.lower() == name.lower()]
    if not wanted:
        stop(f"{label} has no playbook {name!r}.{did_you_mean(name or '', names)} Playbooks: {', '.join(names)}.", code=2)
    cards = [card for card in _cards(review) if card["name"] in wanted]
    if as_json:
        print_json({"file": label, "customers": review.n_customers, "playbooks": cards})
        return
    typer.echo("\n\n".join(_in_full(card, review.n_customers) for card in cards))


def _review(file: Path | None, workspace: Path, version: str | None) -> tuple[str, PlaybookReview]:
    """Return what the file is called, and how it does on the published customers where there are any."""
    from customer_genome.answers.playbook_review import read_review
    from customer_genome.genome import Genome
    from customer_genome.rules import read_playbooks
    from customer_genome.settings import read_settings
    from customer_genome.snapshot import CURRENT
    from customer_genome.workspace import Workspace

    place = Workspace(workspace)
    path = str(file) if file else read_settings(place.root).segments.playbooks
    label, document = path or "the packaged playbooks", read_playbooks(path)
    if version is None and not (place.published / CURRENT).exists():
        return label, read_review(document, label)
    with Genome.open(workspace, version) as genome:
        return label, read_review(document, label, genome)


def _cards(review: PlaybookReview) -> list[dict[str, Any]]:
    """Return every playbook with its texts and counts as plain values."""
    return [
        {
            "name": book.name,
            "priority": book.priority,
            "who": book.who,
            "when": [{"rule": text, "n_holds": count} for text, count in rules],
            "do": list(book.do),
            "measure": list(book.measure),
            "channel": book.channel,
            "cost": book.cost,
            "action": book.action.text,
            "cost_per_contact": book.cost_per_contact,
            "response": book.response,
            "n_matches": one.n_matches,
            "n_assigned": one.n_assigned,
            "switched_off": one.switched_off,
        }
        for book, one, rules in zip(review.playbooks, review.checks, review.rules, strict=True)
    ]


def _in_full(card: dict[str, Any], n_customers: int) -> str:
    """Return one playbook as text."""
    counted = f"   {card['n_assigned']:,} of {n_customers:,} customers" if n_customers else ""
    lines = [f"{card['name']}  (priority {card['priority']}){counted}", f"  who      {card['who']}"]
    rules = [f"{rule['rule']}" + (f"   ({rule['n_holds']:,})" if n_customers else "") for rule in card["when"]]
    for title, texts in (("when", rules or ["everybody whom no other fits"]), ("do", card["do"]), ("measure", card["measure"])):
        lines += [f"  {title if place == 0 else '':<7}  {text}" for place, text in enumerate(texts)]
    lines += [f"  channel  {card['channel']}", f"  cost     {card['cost']}", f"  says     {card['action']}"]
    if card["switched_off"]:
        lines.append(f"  off      {card['switched_off']}")
    return "\n".join(lines)


def _show_check(label: str, review: PlaybookReview) -> None:
    """Print how playbooks do: counts, overlaps, troubles."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    n = review.n_customers
    if not n:
        console.print(
            f"{label}: {len(review.playbooks)} playbooks, every rule can be read. Nothing is published yet to try them on."
        )
    else:
        table = Table(title=f"{label}, tried on {n:,} customers", title_justify="left", box=None, pad_edge=False)
        table.add_column("playbook", no_wrap=True)
        for name in ("priority", "fits", "takes", "share"):
            table.add_column(name, justify="right")
        table.add_column("shared most with")
        for one in review.checks:
            others = sorted(one.overlaps.items(), key=lambda item: (-item[1], item[0]))
            said = "switched off" if one.switched_off else ", ".join(f"{name} {count:,}" for name, count in others[:1])
            said += f" and {len(others) - 1} more" if len(others) > 1 else ""
            part = f"{100 * one.n_assigned / n:.1f} %"
            table.add_row(one.name, str(one.priority), f"{one.n_matches:,}", f"{one.n_assigned:,}", part, said)
        console.print(table)
        console.print(f"Everybody has exactly one playbook, nobody two. {_moved(review.n_moved)}")
    for trouble in review.troubles:
        console.print(f"· {trouble}")
    if not review.troubles:
        console.print("No rule contradicts another, and no playbook hides behind a broader one.")


def _moved(n: int) -> str:
    """Return how many customers the file gives another playbook."""
    if not n:
        return "These are the playbooks of the published version."
    return f"With this file {n:,} {'customer gets' if n == 1 else 'customers get'} another playbook than was published; the next `genome run` uses it."
