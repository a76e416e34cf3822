"""What the command line shows: progress on stderr, results on stdout, in words and numbers a shop understands.

Comes in: results of the pipeline and records of the read hall. Goes out: text. Nothing is computed here but wording.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from customer_genome.contracts import INPUT_TABLES
from customer_genome.errors import SettingsError
from customer_genome.interfaces.terminal_totals import facts_of_totals, run_lines
from customer_genome.interfaces.views.figures import count, day, estimate, money, quantity, share, span
from customer_genome.interfaces.views.row_classes import CLASS_WORDS, RATINGS_WORDS, TOTALS_WORDS

if TYPE_CHECKING:
    from customer_genome.answers.prospects import Prospect
    from customer_genome.answers.what_if import Outcome
    from customer_genome.genome import Genome
    from customer_genome.health import Check
    from customer_genome.sources.proposal import Proposal
    from customer_genome.stages.job import Progress
    from customer_genome.stages.publishing import RunResult


@contextmanager
def progress_of(kind: str) -> Iterator[Progress]:
    """Give a progress function: a bar for people, JSON lines for programs, or silence."""
    if kind == "none":
        yield lambda stage, fraction, message: None
    elif kind == "json":

        def tell(stage: str, fraction: float, message: str) -> None:
            sys.stderr.write(json.dumps({"stage": stage, "fraction": round(fraction, 3), "message": message}) + "\n")
            sys.stderr.flush()

        yield tell
    elif kind == "bar":
        with _bar() as tell_bar:
            yield tell_bar
    else:
        raise SettingsError(f"--progress {kind} is not known. Wanted: bar, json or none.")


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show a progress bar on stderr."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    )
    with bar:
        task = bar.add_task("starting", total=1.0)

        def tell(stage: str, fraction: float, message: str) -> None:
            bar.update(task, completed=fraction, description=message)

        yield tell


def _console() -> Console:
    """Return a console on stdout without markup in data."""
    return Console(highlight=False, markup=False, soft_wrap=False)


def show_proposal(proposal: Proposal, target: Path) -> None:
    """Print what a file was taken for, column by column, and what is left to decide."""
    console = _console()
    console.print(f"{proposal.path} looks like {proposal.table}: {proposal.reason}")
    console.print()
    table = Table(box=None, pad_edge=False)
    for name in ("meaning", "column of the file", "for example", "how sure"):
        table.add_column(name, overflow="fold")
    for column in proposal.columns:
        if column.headers:
            sure = column.certainty if not column.reason else f"{column.certainty}: {column.reason}"
            table.add_row(column.name, " + ".join(column.headers), ", ".join(column.examples[:2]), sure)
    console.print(table)
    console.print()
    for column in proposal.columns:
        if not column.headers:
            console.print(f"No {column.name}: {column.reason}")
    for question in proposal.questions:
        console.print(f"? {question}")
    for notice in proposal.notices:
        console.print(f"· {notice}")
    if proposal.unused:
        fate = "Kept as attributes" if INPUT_TABLES[proposal.table].extra_columns else "Not used"
        console.print(f"{fate}: {', '.join(header for header, _ in proposal.unused)}")
    console.print(f"Written to {target}. Look it over, answer what is asked there, then: genome run --workspace {target.parent}")


def show_run(result: RunResult, workspace: Path) -> None:
    """Print what a run did: the result, where every row went, what to know."""
    console = _console()
    if result.level != "orders":
        for line in run_lines(result):
            console.print(line)
        console.print()
        words = TOTALS_WORDS if result.level == "customers" else RATINGS_WORDS
        console.print(ledger_table(result.ledger, result.currency, words, has_money=result.level == "customers"))
        _show_words_and_next(result, workspace)
        return
    console.print(
        f"Published {result.version}: {quantity(result.customers, 'customers')} as of {day(result.as_of)}, {result.horizon_days}-day outlook"
    )
    console.print(
        f"{quantity(result.orders, 'orders')}, {quantity(result.lines, 'lines')}, {money(result.revenue, result.currency)} revenue in {result.seconds['total']:.1f} s"
    )
    console.print()
    console.print(ledger_table(result.ledger, result.currency))
    console.print(_refund_words(result))
    if result.lines_after_as_of:
        console.print(f"{count(result.lines_after_as_of)} kept lines lie on or after {day(result.as_of)} and are not used.")
    _show_words_and_next(result, workspace)


def _refund_words(result: RunResult) -> str:
    """Return what refunds do to revenue under both policies."""
    refunds = result.refunds
    if not refunds["returned_lines"]:
        return "No line takes back an earlier purchase, so both refund policies (drop, net) give the same revenue."
    return (
        f"Refund policy {refunds['policy']}: revenue {money(refunds['revenue_under_drop'], result.currency)} under drop, "
        f"{money(refunds['revenue_under_net'], result.currency)} under net, which takes {money(refunds['matched_value'], result.currency)} off purchases; "
        f"{count(refunds['unmatched_lines'])} of {quantity(refunds['returned_lines'], 'returned lines')} matched by no earlier purchase in full."
    )


def _show_words_and_next(result: RunResult, workspace: Path) -> None:
    """Print what to know of a run, and what to do next."""
    console = _console()
    where = "" if workspace.name == "genome-workspace" else f" --workspace {workspace}"
    for sentence in result.notices:
        console.print(f"· {sentence}")
    if result.fit:
        console.print(
            f"· {quantity(len(result.fit), 'remarks')} on how the models were fitted and how far to trust them: in the report, by `genome models show` and with --json."
        )
    console.print()
    console.print(f"Next: genome show ID{where} · genome report{where} · genome dashboard{where}")


def ledger_table(
    ledger: Mapping[str, Mapping[str, float]], currency: str, words: Mapping[str, str] = CLASS_WORDS, *, has_money: bool = True
) -> Table:
    """Return the row ledger with its total."""
    table = Table(title="Where every input row went", title_justify="left", box=None, pad_edge=False)
    table.add_column("class")
    for name in ("rows", "money") if has_money else ("rows",):
        table.add_column(name, justify="right")
    table.add_column("meaning")
    for name, entry in sorted(ledger.items(), key=lambda item: -item[1]["rows"]):
        table.add_row(
            name, count(entry["rows"]), *([money(entry["revenue"], currency)] if has_money else []), words.get(name, "")
        )
    total_rows = sum(entry["rows"] for entry in ledger.values())
    total = [money(sum(entry["revenue"] for entry in ledger.values()), currency)] if has_money else []
    table.add_row("total", count(total_rows), *total, "every row of the input")
    return table


def show_customer(
    genome: Genome, record: Mapping[str, Any], prospect: Prospect | None = None, imagined: Sequence[Outcome] = ()
) -> None:
    """Print one customer: who they are, what to expect, what to do; with the months to come and what-if where they are known."""
    console = _console()
    currency, horizon = genome.currency, genome.manifest["horizon_days"]
    console.print(
        " · ".join(
            (
                f"Customer {record['customer_id']}",
                record["segment_name"],
                *filter(None, [record["rfm_segment"]]),
                f"as of {day(record['as_of'])}",
            )
        )
    )
    console.print()
    table = Table(box=None, show_header=False, pad_edge=False)
    facts = facts_of_totals(record, currency) if genome.level != "orders" else _facts_of(record, currency, horizon)
    for name, value in facts:
        table.add_row(name, value)
    if prospect is not None:
        table.add_row("", f"80 %: {span(prospect.next_order_lower, prospect.next_order_upper)}")
    console.print(table)
    console.print()
    if prospect is not None:
        console.print(months_table(prospect, currency))
        console.print()
    if record["is_suppressed"]:
        console.print("Do not contact: this customer is on the suppression list.")
    console.print(f"What to do ({record['playbook']}): {record['recommended_action']}")
    console.print(f"Why: {record['playbook_reason']}")
    _print_why(console, record, imagined)
    if genome.level != "orders":
        return
    orders = genome.orders_of(record["customer_id"]).slice(max(0, record["n_orders"] - 5)).to_pylist()
    console.print()
    console.print(f"Latest {len(orders)} of {quantity(record['n_orders'], 'orders')}:")
    for order in reversed(orders):
        console.print(
            f"  {day(order['ordered_at'])}  {money(order['revenue'], currency)}  {quantity(order['n_lines'], 'lines')}  order {order['order_id']}"
        )


def _print_why(console: Console, record: Mapping[str, Any], imagined: Sequence[Outcome]) -> None:
    """Print why the risk is what it is, and what it would be in other circumstances."""
    from customer_genome.interfaces.views.why_words import ASSOCIATION, outcome_words

    reasons = [record[name] for name in ("reason_1", "reason_2", "reason_3") if record.get(name)]
    if reasons:
        console.print()
        console.print("Why this risk, beside that of the average customer:")
        for reason in reasons:
            console.print(f"  {reason}")
    if imagined:
        console.print("What if:")
        for outcome in imagined:
            console.print(f"  {outcome_words(outcome, record['churn_probability'])}")
        console.print(f"  {ASSOCIATION}")


def months_table(prospect: Prospect, currency: str) -> Table:
    """Return a customer's months to come: orders, revenue, and the value so far with its range."""
    table = Table(title="Months to come", title_justify="left", box=None, pad_edge=False)
    table.add_column("until")
    for name in ("orders", "revenue", "value so far", "80 % from", "to"):
        table.add_column(name, justify="right")
    for month in prospect.months:
        figures = (month.revenue, month.value_so_far, month.lower, month.upper)
        table.add_row(day(month.ends_on), f"{month.orders:.2f}", *(estimate(value, currency) for value in figures))
    return table


def _facts_of(record: Mapping[str, Any], currency: str, horizon: int) -> list[tuple[str, str]]:
    """Return the lines of a customer's card."""
    rows = [
        (
            "Bought so far",
            f"{money(record['total_spend'], currency)} in {quantity(record['n_orders'], 'orders')}, {money(record['mean_order_value'], currency)} an order",
        ),
        (
            "Last order",
            f"{day(record['last_order_on'])}, {quantity(record['recency_days'], 'days')} ago; first {day(record['first_order_on'])}",
        ),
        (
            "Usual gap",
            quantity(record["mean_gap_days"], "days") if record["mean_gap_days"] is not None else "one purchase day so far",
        ),
        ("Country", record["primary_country"]),
        (f"Risk of no order in {horizon} days", f"{share(record['churn_probability'])} ({record['churn_band']})"),
        (
            f"Expected in {horizon} days",
            f"{quantity(record['predicted_orders'], 'orders')}, {money(record['predicted_spend'], currency)}",
        ),
        (
            "Value over 180 days",
            f"{money(record['clv_180d'], currency)} ({record['clv_band']}), 80 % between {money(record['clv_lower'], currency)} and {money(record['clv_upper'], currency)}",
        ),
        ("Value at risk", money(record["expected_value_loss"], currency)),
        ("Next order", day(record["next_order_on"]) if record["next_order_on"] else "more likely never than at any date"),
    ]
    return rows


def show_checks(checks: Sequence[Check]) -> None:
    """Print the checks of `genome doctor`."""
    console = _console()
    for check in checks:
        console.print(f"{'ok   ' if check.ok else 'WRONG'} {check.name}: {check.found}")
        if check.next_step and not check.ok:
            console.print(f"      → {check.next_step}")
