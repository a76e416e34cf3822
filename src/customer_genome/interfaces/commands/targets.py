"""`genome targets`: a list of whom to contact within a budget, with a control group, as a CSV or Parquet file.

Comes in: a published version, a playbook, cost and limits. Goes out: a file that appears whole or not at all, and on stdout how
it came about. What is asked wrongly ends with code 2 before anything is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_genome.errors import SettingsError
from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    VersionOption,
    WorkspaceOption,
    day_of,
    print_json,
    stop,
)

if TYPE_CHECKING:
    from customer_genome.answers.targeting import TargetList

ENDINGS = (".csv", ".parquet")


def targets(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .csv or .parquet.")],
    playbook: Annotated[str, typer.Option("--playbook", "-p", help="Whose customers; all playbooks by default.")] = "",
    cost: Annotated[float | None, typer.Option("--cost", help="Money per contact; by default what the playbook says.")] = None,
    budget: Annotated[float | None, typer.Option("--budget", help="Money for all contacts; no limit by default.")] = None,
    max_contacts: Annotated[int | None, typer.Option("--max-contacts", help="Contacts at most; no limit by default.")] = None,
    response: Annotated[
        float | None,
        typer.Option(
            "--response", help="Share of the value at risk a contact is assumed to keep; 0.05 where the playbook is silent."
        ),
    ] = None,
    control_share: Annotated[
        float | None, typer.Option("--control-share", help="Share of the list that is held out to measure the effect; 0.1.")
    ] = None,
    contacted: Annotated[
        Path | None, typer.Option("--contacted", help="CSV of past contacts: customer_id, contacted_on (YYYY-MM-DD).")
    ] = None,
    quiet_days: Annotated[int, typer.Option("--quiet-days", min=1, help="Days without a contact before the next one.")] = 30,
    on: Annotated[
        str | None, typer.Option("--on", help="Day of the contact, YYYY-MM-DD; by default the version's cutoff.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="Names the draw of the control group; playbook and version by default.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """List whom to contact within a budget, the highest expected gain first, with a control group."""
    from customer_genome.answers.targeting import TargetRequest, playbook_of, read_contacts, terms_for
    from customer_genome.answers.targeting import targets as find
    from customer_genome.genome import Genome
    from customer_genome.interfaces.commands.forecast import write_table

    if output.suffix.lower() not in ENDINGS:
        stop(f"--output {output} ends in {output.suffix or 'nothing'}. Wanted: {' or '.join(ENDINGS)}.", code=2)
    day = day_of(on, "--on") if on else None
    last = read_contacts(contacted) if contacted else {}
    with Genome.open(workspace, version) as genome:
        try:
            name = playbook_of(genome, playbook)
            said: dict[str, Any] = {"cost": cost, "response": response, "budget": budget, "max_contacts": max_contacts}
            said |= {"control_share": control_share, "campaign": campaign}
            terms = terms_for(genome, name, _books(workspace), **said)
            found = find(genome, TargetRequest(terms, name, last, quiet_days, day))
        except SettingsError as err:
            stop(str(err), code=2)
        currency, shown = genome.currency, genome.snapshot.version
    write_table(found.table, output)
    if as_json:
        print_json({"output": str(output), "version": shown, **found.as_json()})
    else:
        _show(found, output, currency)


def _books(workspace: Path) -> tuple[object, ...]:
    """Return the playbooks of the file in use, for the cost and response they name."""
    from customer_genome.decisions.playbooks import parse_playbooks
    from customer_genome.rules import read_playbooks
    from customer_genome.settings import read_settings

    path = read_settings(workspace.expanduser().resolve()).segments.playbooks
    return parse_playbooks(read_playbooks(path), path or "playbooks.toml")


def _show(found: TargetList, output: Path, currency: str) -> None:
    """Print how the list came about."""
    from rich.console import Console
    from rich.table import Table

    from customer_genome.interfaces.views.figures import count, money, quantity, share

    console = Console(highlight=False)
    terms = found.terms
    console.print(f"{found.playbook or 'All playbooks'}, contacts on {found.on}")
    console.print(
        f"Expected gain = value at risk x {100 * terms.response:g} % assumed response - {money(terms.cost, currency)} a contact"
    )
    console.print()
    for words, number in found.funnel:
        console.print(f"{count(number):>12}  {words}")
    console.print()
    console.print(
        f"{quantity(found.n_contact, 'contacts')} cost {money(found.cost, currency)} for {money(found.value_loss, currency)} at risk; "
        f"expected gain {money(found.gain, currency)} after cost, if the response is as assumed."
    )
    if found.n_control:
        table = Table(
            title=f"{quantity(found.n_control, 'customers')} held out as control group",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        table.add_column("mean of")
        for name in ("contact", "control", "apart by (standard deviations)"):
            table.add_column(name, justify="right")
        for one in found.balance:
            table.add_row(one.measure, f"{one.contact:,.2f}", f"{one.control:,.2f}", f"{one.difference:+.3f}")
        console.print(table)
        console.print(
            f"{share(found.expected_rate)} are expected to order by themselves; a difference from "
            f"{100 * found.smallest_effect:.1f} percentage points on will be seen in four of five such tests."
        )
    for notice in found.notices:
        console.print(f"· {notice}")
    console.print(f"Written to {output}: contact those of group 'contact', leave those of group 'control' alone.")
