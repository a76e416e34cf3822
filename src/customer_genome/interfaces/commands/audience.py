"""`genome similar` and `genome audience`: customers who are alike, one by one or as an audience for a list.

Comes in: a published version, an id or a file of ids, and what facts shall count. Goes out: a table on stdout or a file that
appears whole or not at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_genome.errors import SettingsError
from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    VersionOption,
    WorkspaceOption,
    print_json,
    stop,
)

if TYPE_CHECKING:
    from customer_genome.answers.audience import Audience

ENDINGS = (".csv", ".parquet")
WeightOption = Annotated[
    list[str] | None,
    typer.Option(
        "--weight", help="FACT=NUMBER, how much a fact counts, such as total_spend=2; 0 leaves it out. May be repeated."
    ),
]


def similar(
    customer_id: Annotated[str | None, typer.Argument(help="The customer's id; with --all nobody's.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="The nearest customers of everybody, into a file.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=1000, help="How many per customer.")] = 10,
    weight: WeightOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="With --all: the file to write, .csv or .parquet.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the customers most like one, and what they have in common."""
    from customer_genome.genome import Genome
    from customer_genome.interfaces.commands.forecast import write_table
    from customer_genome.neighbours import Neighbours

    if (customer_id is None) != all_:
        stop("name one customer, or ask for everybody with --all and --output.", code=2)
    target = _target(output, wanted=all_)
    with Genome.open(workspace, version) as genome:
        if customer_id is not None:
            genome.customer(customer_id)  # names the nearest ids when there is no such customer
        try:
            everybody = Neighbours.open(genome)
            if target is not None:
                if weight:
                    stop("--weight goes with one customer or an audience; --all compares by the usual weights.", code=2)
                table = everybody.all(most)
            else:
                found = everybody.of(str(customer_id), most, weights_of(weight))
        except SettingsError as err:
            stop(str(err), code=2)
    if target is not None:
        write_table(table, target)
        if as_json:
            print_json({"output": str(target), "rows": table.num_rows, "customers": len(everybody.ids)})
        else:
            typer.echo(f"The {most} nearest of {len(everybody.ids):,} customers written to {target}")
    elif as_json:
        rows = [one.as_json() for one in found]
        print_json({"customer_id": customer_id, "facts": list(everybody.space.columns), "similar": rows})
    else:
        typer.echo(
            f"Most like customer {customer_id} in {len(everybody.space.columns)} facts (1 = the same direction from average):"
        )
        for one in found:
            typer.echo(f"  {one.similarity:5.2f}  {one.customer_id}  {one.words}")
        if not found:
            typer.echo("  nobody: this customer is average in every fact, or all are alike")


def audience(
    seeds: Annotated[Path, typer.Argument(help="CSV with the column customer_id: the customers to find more of.")],
    size: Annotated[int, typer.Option("--size", help="How many customers.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .csv or .parquet.")],
    weight: WeightOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the bootstrap interval.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Find customers like those of a list, and measure on the past what such an audience brings."""
    from customer_genome.answers.audience import audience as find
    from customer_genome.answers.audience import read_seeds
    from customer_genome.genome import Genome
    from customer_genome.interfaces.commands.forecast import write_table

    target = _target(output, wanted=True)
    ids = read_seeds(seeds)
    with Genome.open(workspace, version) as genome:
        try:
            found = find(genome, ids, size, weights=weights_of(weight), seed=seed)
        except SettingsError as err:
            stop(str(err), code=2)
        currency = genome.currency
    if target is not None:
        write_table(found.table, target)
    if as_json:
        print_json({"output": str(output), **found.as_json()})
    else:
        _show(found, output, currency)


def weights_of(given: list[str] | None) -> dict[str, float] | None:
    """Return weights from FACT=NUMBER texts.

    Raises
    ------
    SettingsError
        When one is not of that form.
    """
    found: dict[str, float] = {}
    for text in given or []:
        name, sign, number = text.partition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            sign = ""
        if not sign or not name.strip():
            raise SettingsError(f"--weight {text}: wanted FACT=NUMBER, such as total_spend=2.")
    return found or None


def _target(output: Path | None, *, wanted: bool) -> Path | None:
    """Return the file to write, or say what is wrong with it."""
    if not wanted:
        return None
    if output is None:
        stop("--all writes a file: name it with --output, .csv or .parquet.", code=2)
    if output.suffix.lower() not in ENDINGS:
        stop(f"--output {output} ends in {output.suffix or 'nothing'}. Wanted: {' or '.join(ENDINGS)}.", code=2)
    return output


def _show(found: Audience, output: Path, currency: str) -> None:
    """Print what an audience is and what it would have brought."""
    from rich.console import Console
    from rich.table import Table

    from customer_genome.interfaces.views.figures import money, quantity, share

    console = Console(highlight=False)
    console.print(f"{quantity(found.table.num_rows, 'customers')} like the {found.n_seeds:,} of the list, written to {output}")
    evidence = found.evidence
    if evidence is not None:
        console.print(
            f"The same search as of {evidence.day}, with {evidence.n_seeds:,} of the list as customers then, by {len(evidence.facts)} facts "
            f"that orders tell; what came in the {evidence.days} days since:"
        )
        table = Table(box=None, pad_edge=False)
        table.add_column("per customer")
        for name in ("audience", "random", "lift", "95 % from", "to"):
            table.add_column(name, justify="right")
        for words, lift in evidence.outcomes:
            figures = [money(value, currency) if words == "money spent" else share(value) for value in (lift.chosen, lift.random)]
            table.add_row(words, *figures, f"{lift.ratio:.2f}", f"{lift.lower:.2f}", f"{lift.upper:.2f}")
        console.print(table)
        first = evidence.outcomes[0][1]
        if not first.is_certain:
            console.print(
                "· Whether the audience orders again more often than a random one cannot be told from so few customers."
            )
    for notice in found.notices:
        console.print(f"· {notice}")
