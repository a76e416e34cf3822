"""`genome recommend` and the tables of `genome backtest --recommendations`: lists with reasons, and how good they are.

Comes in: a customer's or a product's id, or what `genome run` takes as data. Goes out: text on stdout or one JSON object. Lists are
those that were published; nothing is fitted here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
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
    usage_errors,
)

if TYPE_CHECKING:
    from rich.console import Console

    from customer_genome.evaluation.ranking import Row
    from customer_genome.proof.recommendation_backtest import ListBacktest
    from customer_genome.settings import Settings

VIEWS = ("all", "new", "again")
WIDEST = 110
"""Letters a line may take: narrower, columns of figures would be folded."""
TITLES = {"again": "Buy again", "new": "New to the customer", "all": "All items"}


def recommend(
    customer_id: Annotated[str | None, typer.Argument(help="The customer's id; leave it out with --item.")] = None,
    view: Annotated[
        str, typer.Option(help="all, new (never bought before) or again (bought before); by default both lists.")
    ] = "",
    top: Annotated[int, typer.Option(help="How many items of each list, at most as many as were published.")] = 10,
    item: Annotated[str | None, typer.Option(help="A product's id or name: what is bought together with it.")] = None,
    ratings: Annotated[
        str | None, typer.Option(help="A folder with ratings and items, as MovieLens ships them: what the customer will like.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a customer may buy again and try next, or what goes with a product."""
    from customer_genome.genome import Genome
    from customer_genome.interfaces.views.lists import lists_of, together_with

    if view and view not in VIEWS:
        stop(f"--view {view} is no list. Wanted: all, new or again.", code=2)
    if top < 1:
        stop(f"--top {top} shows nothing. Wanted: 1 or more.", code=2)
    if (customer_id is None) == (item is None):
        stop("Wanted: either a customer's id (genome recommend 17850) or --item with a product's id or name.", code=2)
    if ratings is not None:
        _recommend_rated(ratings, customer_id or "", top, workspace, as_json)
        return
    with Genome.open(workspace, version) as genome:
        if item is not None:
            found = together_with(genome, item, top)
        else:
            usual = ["new"] if genome.level == "ratings" else ["again", "new"]  # nothing is rated twice
            found = lists_of(genome, customer_id or "", [view] if view else usual, top)
    if as_json:
        print_json(found)
    elif item is not None:
        _show_together(found)
    else:
        _show_lists(found)


def _recommend_rated(folder: str, customer_id: str, top: int, workspace: Path, as_json: bool) -> None:
    """Fit ratings and print what a customer will like."""
    from rich.table import Table

    from customer_genome.interfaces.commands.options import settings_of
    from customer_genome.stages.rating import ratings_at, read_ratings, recommend_rated

    settings = settings_of(workspace, {})
    places = ratings_at(folder, settings)
    if places is None:
        stop(f"--ratings {folder} is no folder with a file called ratings (.csv, .parquet, .tsv, .xlsx).", code=2)
    found = recommend_rated(read_ratings(settings, places), customer_id, top, settings.prediction.seed)
    if as_json:
        print_json(found)
        return
    console = _console()
    scale = f"on a scale of {found['scale'][0]:g} to {found['scale'][1]:g}"
    console.print(
        f"{found['words']} Expected ratings {scale}." if found["words"] else f"Customer {customer_id} may like, {scale}"
    )
    table = Table(box=None, pad_edge=False)
    for name, side in (("", "left"), ("title", "left"), ("genres", "left"), ("expected", "right"), ("why", "left")):
        table.add_column(name, overflow="fold", justify=side)  # type: ignore[arg-type]
    for row in found["items"]:
        table.add_row(
            str(row["rank"]), row["title"], row["genres"].replace("|", ", "), f"{row['expected_rating']:.1f}", row["reason"]
        )
    console.print(table)
    for notice in found["notices"]:
        console.print(f"· {notice}")


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.width >= WIDEST else Console(highlight=False, markup=False, width=WIDEST)


def _show_lists(found: dict[str, Any]) -> None:
    """Print a customer's lists."""
    from rich.table import Table

    console = _console()
    cold = "; nothing is known of this customer's taste, so this is what is popular"
    console.print(
        f"Customer {found['customer_id']}, as of {found['as_of']}{cold if found['is_cold'] and found['is_known'] else ''}"
    )
    if found["words"]:
        console.print(found["words"])
    for view, rows in found["lists"].items():
        if not rows and found["words"]:
            continue
        console.print()
        console.print(f"{TITLES[view]} ({found['quality'][view]})" if found["quality"].get(view) else TITLES[view])
        if not rows:
            console.print("  Nothing: every item of this list is sold no longer, excluded, or does not exist.")
            continue
        table = Table(box=None, pad_edge=False)
        is_named = any(row["description"] != row["product_id"] for row in rows)
        for name in ("", "product", *(["name"] if is_named else []), "why"):
            table.add_column(name, overflow="fold")
        for row in rows:
            names = [row["description"]] if is_named else []
            table.add_row(str(row["rank"]), row["product_id"], *names, row["reason"])
        console.print(table)


def _show_together(found: dict[str, Any]) -> None:
    """Print what goes with an item."""
    from rich.table import Table

    console = _console()
    console.print(f"Bought together with {found['description']} ({found['product_id']})")
    if not found["rows"]:
        console.print("  Nothing beyond chance: no product stands in 5 baskets with it more often than it would anyway.")
        return
    table = Table(box=None, pad_edge=False)
    for name, side in (
        ("product", "left"),
        ("name", "left"),
        ("baskets with both", "right"),
        ("share", "right"),
        ("lift", "right"),
    ):
        table.add_column(name, overflow="fold", justify=side)  # type: ignore[arg-type]
    for row in found["rows"]:
        share, lift = f"{row['share']:.0%}", f"{row['lift']:.1f}"
        table.add_row(row["with_product_id"], row["with_description"], f"{row['baskets']:,}", share, lift)
    console.print(table)
    console.print(
        "Share: of the baskets with this product, those that also hold the other. Lift: how many times more than by chance."
    )


# --- genome backtest --recommendations ---------------------------------------------------------------------------------


def judge_recommendations(
    data: str | None,
    settings: Settings,
    progress: str,
    *,
    cutoffs: Sequence[dt.date] | None,
    horizon_days: int | None,
    item: str | None,
    as_json: bool,
) -> None:
    """Judge lists at past days, store what was found, and print it."""
    from customer_genome.interfaces import terminal
    from customer_genome.proof.recommendation_backtest import backtest_lists
    from customer_genome.sources.catalog import describe_sources
    from customer_genome.stages.rating import ratings_at

    if (places := ratings_at(data, settings)) is not None:
        _judge_ratings(places, settings, as_json)
        return
    with usage_errors(), terminal.progress_of(progress) as tell:
        found = backtest_lists(
            settings,
            lambda tmp: describe_sources(data, settings, tmp),
            cutoffs=cutoffs,
            horizon_days=horizon_days,
            item=item,
            progress=tell,
        )
    path = found.store(settings.workspace)
    if as_json:
        print_json({**found.as_json(), "stored": str(path)})
    else:
        show_lists(found, path)


def _judge_ratings(places: tuple[str, str | None], settings: Settings, as_json: bool) -> None:
    """Judge lists and expected ratings, store what was found, and print it."""
    from rich.table import Table

    from customer_genome.stages.rating import backtest_ratings, read_ratings

    found = backtest_ratings(read_ratings(settings, places), settings.prediction.seed)
    path = found.store(settings.workspace)
    if as_json:
        print_json({**found.as_json(), "stored": str(path)})
        return
    console = _console()
    console.print(
        f"Ratings of {found.label}: {found.n_ratings:,} by {found.n_customers:,} customers of {found.n_items:,} items; liked from {found.liked_from:g}"
    )
    for split in dict.fromkeys(row.as_of for row in found.rows):
        rows = [row for row in found.rows if row.as_of == split]
        console.print()
        console.print(f"Lists of 10 never rated before, held back: {split}; {rows[0].n:,} customers")
        _table(console, rows, rows[0].figures["ndcg"] / rows[0].lift_random if rows[0].lift_random else 0.0)
    table = Table(box=None, pad_edge=False)
    for header in ("expected rating", "split", "RMSE", "MAE", "settings"):
        table.add_column(header, overflow="fold")
    for row in found.errors:
        table.add_row(row["model"], row["split"], f"{row['rmse']:.4f}", f"{row['mae']:.4f}", row["settings"])
    console.print()
    console.print(table)
    for sentence in [*found.words, *found.notices]:
        console.print(f"· {sentence}")
    console.print(f"Stored in {path}")


def show_lists(found: ListBacktest, path: Path) -> None:
    """Print a table per day and view, and what it says."""
    from customer_genome.models.recommend.lists import VIEW_WORDS

    console = _console()
    console.print(f"Recommendations of {found.label}: items by {found.item}, lists of 10 over {found.horizon_days} days")
    for day in found.days:
        for view, title in VIEW_WORDS.items():
            rows = found.select(day.as_of, view)
            if rows:
                console.print()
                console.print(f"{title}, as of {day.as_of}: {rows[0].n:,} customers, {day.n_items:,} items")
                _table(console, rows, day.random[view]["ndcg"])
    _segments(console, found.segments)
    console.print()
    console.print(
        "- popular: NDCG less that of popularity; hits: lists with a bought item; bits: surprise of the items; all lists of 10"
    )
    for sentence in [*found.words, *found.notices]:
        console.print(f"· {sentence}")
    console.print(f"Stored in {path}")


def _table(console: Console, rows: Sequence[Row], random: float) -> None:
    """Print the recommenders of one view."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("recommender", overflow="fold")
    for header in ("NDCG@10", "95 %", "- popular", "x popular", "x random", "recall", "MAP", "hits", "coverage", "bits"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in rows:
        versus, figures = row.versus["ndcg"], row.figures
        table.add_row(
            row.candidate,
            f"{figures['ndcg']:.3f}",
            f"{row.lower['ndcg']:.3f}-{row.upper['ndcg']:.3f}",
            f"{versus.mean:+.3f}",
            f"{row.lift:.1f}",
            f"{row.lift_random:.0f}",
            f"{figures['recall']:.3f}",
            f"{figures['map']:.3f}",
            f"{figures['hit_rate']:.0%}",
            f"{figures['coverage']:.1%}",
            f"{figures['novelty']:.1f}",
        )
    table.add_row("at random", f"{random:.3f}")
    console.print(table)


def _segments(console: Console, rows: Sequence[Row]) -> None:
    """Print the champion against popularity for customers who own few, some and many items."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for header in ("list", "day and customers", "n", "champion", "popularity"):
        table.add_column(header, overflow="fold")
    champions = [row for row in rows if row.candidate == "champion"]
    for row in champions:
        ndcg = row.figures["ndcg"]
        table.add_row(TITLES[row.view], row.as_of, f"{row.n:,}", f"{ndcg:.3f}", f"{ndcg - row.versus['ndcg'].mean:.3f}")
    if champions:
        console.print()
        console.print("NDCG@10 by how much customers owned")
        console.print(table)
