"""`genome diff`: what changed between two published versions.

Comes in: two version names, by default the current one and the one before it. Goes out: tables on stdout, or one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from customer_genome.errors import SettingsError
from customer_genome.interfaces.commands.options import DEFAULT_WORKSPACE, JsonOption, WorkspaceOption, print_json, stop

if TYPE_CHECKING:
    from rich.console import Console

    from customer_genome.answers.comparison import Comparison

MOST_FLOWS = 15


def diff(
    before: Annotated[str | None, typer.Argument(help="Older version, such as v00003; the one before B by default.")] = None,
    after: Annotated[str | None, typer.Argument(help="Newer version; the current one by default.")] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    by: Annotated[
        str,
        typer.Option(
            help="Groups of the migration: segment_name, rfm_segment, clv_band, churn_band, playbook or priority_segment."
        ),
    ] = "segment_name",
    top: Annotated[int, typer.Option(help="How many customers each list of moves holds.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show what changed between two versions: customers, segments, value, risk, and the facts behind it."""
    from customer_genome.answers.comparison import compare, two_versions
    from customer_genome.genome import Genome
    from customer_genome.workspace import Workspace

    place = Workspace(workspace)
    older, newer = two_versions(place, before, after)
    with Genome.open(place, older) as first, Genome.open(place, newer) as second:
        try:
            found = compare(first, second, group=by, most=top)
        except SettingsError as err:
            stop(str(err), code=2)
    if as_json:
        print_json(found.as_json())
    else:
        show_comparison(found)


def show_comparison(found: Comparison) -> None:
    """Print a comparison: the finding, totals that add up, why, who moved."""
    from rich.console import Console

    from customer_genome.interfaces.views import changes
    from customer_genome.interfaces.views.figures import day

    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.print(f"{found.before.version} ({day(found.before.as_of)}) → {found.after.version} ({day(found.after.as_of)})")
    console.print(changes.headline(found))
    console.print(changes.value_sentence(found))
    for sentence in changes.cautions(found):
        console.print(f"· {sentence}")
    _show_totals(console, found)
    _show_reasons(console, found)
    _show_flows(console, found)
    lists = (
        ("Most value gained", found.value_up),
        ("Most value lost", found.value_down),
        ("Risk rose, where most value hangs on it", found.risk_up),
        ("Risk fell, where most value hangs on it", found.risk_down),
    )
    for title, moves in lists:
        rows = changes.move_rows(moves, found.currency)
        if rows:
            columns = {
                "customer_id": "customer",
                "value": "value, 180 days",
                "risk": "risk",
                "group": changes.GROUP_WORDS[found.group],
                "facts": "facts",
            }
            _show(console, title, columns, rows)


def _show_totals(console: Console, found: Comparison) -> None:
    """Print the totals: before + new - gone + rose + fell = after."""
    from customer_genome.interfaces.views import changes

    names = {
        "measure": "",
        "before": "before",
        "new": "+ new",
        "gone": "- gone",
        "rose": "+ rose",
        "fell": "+ fell",
        "after": "= after",
    }
    _show(
        console, "Totals: rose and fell are those of customers in both versions", names, changes.total_rows(found), first_right=1
    )


def _show_reasons(console: Console, found: Comparison) -> None:
    """Print why value changed."""
    from customer_genome.interfaces.views import changes
    from customer_genome.interfaces.views.figures import count, estimate

    rows = [
        row
        | {
            "customers": count(row["customers"]),
            "clv_before": estimate(row["clv_before"], found.currency),
            "clv_after": estimate(row["clv_after"], found.currency),
        }
        for row in changes.reason_rows(found)
    ]
    names = {"reason": "", "customers": "customers", "clv_before": "value before", "clv_after": "value after", "meaning": ""}
    _show(console, "Why value moved", names, rows, first_right=1, last_left=1)


def _show_flows(console: Console, found: Comparison) -> None:
    """Print who moved from group to group."""
    from customer_genome.interfaces.views import changes
    from customer_genome.interfaces.views.figures import count, estimate

    moved = [flow for flow in changes.flows(found) if flow.source != flow.target]
    rows = [
        {
            "source": flow.source,
            "target": flow.target,
            "customers": count(flow.customers),
            "before": estimate(flow.clv_before, found.currency),
            "after": estimate(flow.clv_after, found.currency),
        }
        for flow in moved[:MOST_FLOWS]
    ]
    title = f"From {changes.GROUP_WORDS[found.group]} to {changes.GROUP_WORDS[found.group]}"
    if len(moved) > MOST_FLOWS:
        title += f", the {MOST_FLOWS} largest of {len(moved)} moves (all: --json)"
    if rows:
        names = {"source": "from", "target": "to", "customers": "customers", "before": "value before", "after": "value after"}
        _show(console, title, names, rows, first_right=2)


def _show(
    console: Console, title: str, names: dict[str, str], rows: list[dict[str, str]], *, first_right: int = 99, last_left: int = 0
) -> None:
    """Print rows as a table under a title; columns from `first_right` on are aligned right, the last `last_left` left."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for place, header in enumerate(names.values()):
        is_right = first_right <= place < len(names) - last_left
        table.add_column(header, justify="right" if is_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in names))
    console.print()
    console.print(table)
