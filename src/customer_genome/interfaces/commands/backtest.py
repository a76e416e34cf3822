"""`genome backtest`: at past cutoffs, how good the forecasts were, beside naive formulas and other models.

Comes in: what `genome run` takes as data, cutoffs, a horizon. Goes out: tables and sentences on stdout or one JSON object, and
everything in `backtest.json` of the workspace. Nothing is published.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_genome.errors import SettingsError, SourceError
from customer_genome.interfaces.commands.options import (
    DEFAULT_WORKSPACE,
    DataArgument,
    JsonOption,
    WorkspaceOption,
    print_json,
    settings_of,
    stop,
)
from customer_genome.interfaces.commands.profiles import labelled_hint
from customer_genome.interfaces.commands.recommend import judge_recommendations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from customer_genome.evaluation.judging import Row, Target
    from customer_genome.proof.backtesting import Backtest

COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "spend": (
        ("Gini", "gini"),
        ("Spearman", "spearman"),
        ("MAE / mean", "mae_over_mean"),
        ("predicted / actual", "bias"),
        ("|log bias|", "abs_log_bias"),
        ("decile MAPE", "decile_mape"),
    ),
    "orders": (
        ("AUC", "auc"),
        ("PR-AUC", "pr_auc"),
        ("Brier", "brier"),
        ("ECE", "ece"),
        ("slope", "calibration_slope"),
        ("top decile lift", "top_decile_lift"),
    ),
    "interval": (
        ("below", "below"),
        ("above", "above"),
        ("worst fifth below", "worst_below"),
        ("worst fifth above", "worst_above"),
        ("score", "score"),
        ("of the grid's", "relative_score"),
    ),
}
"""The figures of each table: header and name."""
LEADING = {"spend": "gini", "orders": "auc", "interval": "score"}
"""The figure whose difference to the best naive formula is shown."""
TITLES = {
    "spend": "Spend of each customer over {days} days",
    "orders": "Whether a customer orders within {days} days",
    "interval": "80 % ranges of spend",
}

WIDE = 132
"""Columns of a table that nobody's terminal limits."""


def backtest(
    data: DataArgument = None,
    cutoffs: Annotated[
        str | None, typer.Option(help="Exclusive cutoffs, YYYY-MM-DD,YYYY-MM-DD,...; by default up to four that the data allow.")
    ] = None,
    horizon_days: Annotated[
        list[str] | None,
        typer.Option(
            help="Days to forecast from each cutoff; by default 180, 90 or 30 as the data allow. Give it several times, or all: 30, 90, 180 and 365 as the data allow."
        ),
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="Show every cutoff too, not only the means over them.")] = False,
    recommendations: Annotated[
        bool, typer.Option("--recommendations", help="Judge lists of recommendations instead of forecasts.")
    ] = False,
    item: Annotated[
        str | None, typer.Option(help="With --recommendations: product_id, description, category or a column of the products.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    refunds: Annotated[str | None, typer.Option(help="drop: returns leave. net: returns reduce earlier purchases.")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="Memory for SQL, such as 4GB; by default half of the machine.")] = None,
    progress: Annotated[str, typer.Option(help="bar, json (one object a line on stderr) or none.")] = "bar",
    as_json: JsonOption = False,
) -> None:
    """Say how good forecasts were at past cutoffs, beside naive formulas and other models."""
    from customer_genome.interfaces import terminal
    from customer_genome.proof.backtesting import backtest as run_backtest
    from customer_genome.sources.catalog import describe_sources

    days = days_of(cutoffs) if cutoffs is not None else None
    horizons = horizons_of(horizon_days) if horizon_days else None
    settings = settings_of(workspace, {"cleaning": {"refunds": refunds}, "engine": {"memory_limit": memory_limit}})
    if recommendations:
        judge_recommendations(
            data, settings, progress, cutoffs=days, horizon_days=horizons[0] if horizons else None, item=item, as_json=as_json
        )
        return
    try:
        with terminal.progress_of(progress) as tell:
            found = run_backtest(
                settings,
                lambda tmp: describe_sources(data, settings, tmp),
                cutoffs=days,
                horizon_days=horizons,
                progress=tell,
            )
    except SourceError as err:
        stop(labelled_hint(data, settings) or str(err), code=1)
    except SettingsError as err:
        stop(str(err), code=2)
    path = found.store(settings.workspace)
    if as_json:
        print_json({**found.as_json(), "stored": str(path)})
    else:
        for one in (found, *found.further):
            show(one, each)
        print_stored(path)


def horizons_of(texts: list[str]) -> list[int]:
    """Return horizons in days, none for "all"; a usage error that names what is no number.

    Examples
    --------
    >>> horizons_of(["30", "90"]), horizons_of(["all"])
    ([30, 90], [])
    """
    if "all" in (text.strip().lower() for text in texts):
        return []
    wrong = [text for text in texts if not text.strip().lstrip("-").isdigit()]
    if wrong:
        stop(
            f"--horizon-days {', '.join(wrong)}: no number of days. Wanted: a whole number such as 90, several times, or all.",
            code=2,
        )
    return [int(text) for text in texts]


def days_of(text: str) -> list[dt.date]:
    """Return days from a list with commas; a usage error that names everything that is no day."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    days, wrong = [], []
    for part in parts:
        try:
            days.append(dt.date.fromisoformat(part))
        except ValueError:
            wrong.append(part)
    if wrong or not days:
        stop(
            f"--cutoffs {', '.join(wrong) or 'is empty'}: no day. Wanted: YYYY-MM-DD,YYYY-MM-DD, such as 2011-03-12,2011-06-12.",
            code=2,
        )
    return days


def print_stored(path: Path) -> None:
    """Say where everything stands."""
    from rich.console import Console

    Console(highlight=False, markup=False).print(f"Stored in {path}")


def show(found: Backtest, each: bool) -> None:
    """Print what was compared, a table for each target, new and old customers and segments, and what it says."""
    from rich.console import Console

    from customer_genome.evaluation.judging import MEAN, TARGETS
    from customer_genome.interfaces.views.figures import day, quantity, share

    console = Console(highlight=False, markup=False)
    if not console.is_terminal and console.width < WIDE:  # into a file or a pipe: rows stay whole
        console = Console(highlight=False, markup=False, width=WIDE)
    console.print(
        f"Backtest of {found.label}: {quantity(len(found.cutoffs), 'cutoffs')}, {found.horizon_days} days ahead of each"
    )
    for one in found.cutoffs:
        learned = (
            f"learned from {', '.join(day(earlier) for earlier in one.learned_from)}"
            if one.learned_from
            else "nothing earlier to learn from"
        )
        console.print(
            f"  {day(one.as_of)}: {quantity(one.n_customers, 'customers')}, {share(one.share_ordered)} ordered; {learned}"
        )
    for as_of in [*(one.as_of.isoformat() for one in found.cutoffs if each), MEAN]:
        for target in TARGETS:
            where = "mean over the cutoffs" if as_of == MEAN else f"as of {as_of}"
            _table(
                console,
                f"{TITLES[target].format(days=found.horizon_days)}, {where}",
                found.scorecard.select(as_of, "all", target),
                target,
            )
    _ages(console, found)
    _segments(console, found)
    _months(console, found)
    console.print()
    for sentence in [*found.words, *found.notices]:
        console.print(f"· {sentence}")
    last = found.cutoffs[-1]
    if last.choice:
        console.print()
        console.print(f"Why the champion as of {day(last.as_of)} is what it is")
        for sentence in last.choice:
            console.print(f"· {sentence}")


def _table(console: Console, title: str, rows: Sequence[Row], target: Target) -> None:
    """Print the candidates of one target, figures with their standard errors."""
    from rich.table import Table

    if not rows:
        return
    leading = LEADING[target]
    table = Table(box=None, pad_edge=False)
    table.add_column("candidate", overflow="fold")
    header = next(header for header, name in COLUMNS[target] if name == leading)
    for column in (*(header for header, _ in COLUMNS[target]), f"{header} - best naive"):
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        versus = row.versus.get(leading)
        beside = f"{_signed(versus.difference)} ± {_number(versus.error)}" if versus else ""
        table.add_row(row.candidate, *(_figure(row, name) for _, name in COLUMNS[target]), beside)
    console.print()
    console.print(title)
    console.print(table)


def _ages(console: Console, found: Backtest) -> None:
    """Print the leading figures for customers whose first order lies within the last horizon, and for the others."""
    from rich.table import Table

    from customer_genome.evaluation.judging import MEAN

    wanted = (
        ("Gini", "spend", "gini"),
        ("predicted / actual", "spend", "bias"),
        ("AUC", "orders", "auc"),
        ("Brier", "orders", "brier"),
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("candidate", overflow="fold")
    for header, _, _ in wanted:
        for group in ("new", "old"):
            table.add_column(f"{header}, {group}", justify="right", overflow="fold")
    for one in found.candidates:
        cells = []
        for _, target, name in wanted:
            for group in ("new", "old"):
                row = found.scorecard.row(one.name, target, MEAN, group)  # type: ignore[arg-type]
                cells.append(_number(row.figures[name]) if row else "")
        if any(cells):
            table.add_row(one.name, *cells)
    console.print()
    console.print(f"New customers (first order in the last {found.horizon_days} days) and old ones, mean over the cutoffs")
    console.print(table)


def _segments(console: Console, found: Backtest) -> None:
    """Print how the published forecast did in every RFM segment."""
    from rich.table import Table

    from customer_genome.evaluation.judging import GROUPS, MEAN

    rows = [row for row in found.scorecard.rows if row.as_of == MEAN and row.group not in GROUPS]
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("segment", overflow="fold")
    for header in ("customers", "predicted / actual", "Gini", "chance / share", "Brier", "below", "above"):
        table.add_column(header, justify="right", overflow="fold")
    wanted = (
        ("spend", "bias"),
        ("spend", "gini"),
        ("orders", "bias"),
        ("orders", "brier"),
        ("interval", "below"),
        ("interval", "above"),
    )
    for group in dict.fromkeys(row.group for row in rows):
        here = {row.target: row for row in rows if row.group == group}
        cells = [_figure(here[target], name) if target in here else "" for target, name in wanted]
        table.add_row(group, f"{max(row.n_customers for row in here.values()):,}", *cells)
    console.print()
    console.print(f"The {rows[0].candidate} by RFM segment, mean over the cutoffs (customers of all cutoffs together)")
    console.print(table)


def _months(console: Console, found: Backtest) -> None:
    """Print predicted over actual totals by the month of the cutoff."""
    from customer_genome.models.candidates import OWN

    rows = found.curves.get(OWN, {}).get("months", [])
    if rows:
        said = ", ".join(f"{row['month']} {row['bias']:.2f} (buyers {row['buyers_bias']:.2f})" for row in rows)
        console.print()
        console.print(f"Level by month of the cutoff, total predicted / actual by the {OWN}: {said}")


def _figure(row: Row, name: str) -> str:
    """Return a figure with its standard error, where there is one."""
    value, error = row.figures.get(name), row.errors.get(name)
    if value is None or value != value:
        return ""
    return _number(value) + (f" ± {_number(error)}" if error is not None and error == error else "")


def _number(value: float) -> str:
    """Return a figure with three decimals, larger ones with fewer."""
    if value != value:
        return ""
    value = value if abs(value) >= 0.0005 else 0.0  # no minus before a zero
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def _signed(value: float) -> str:
    """Return a difference with its sign."""
    return ("+" if value >= 0 else "-") + _number(abs(value))
