"""The section of the report on how good the forecasts were, on the user's own data.

Comes in: an open `Genome`. Goes out: pictures and sentences for the template; every figure is one that `genome backtest` stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from customer_genome.genome import Genome
from customer_genome.interfaces.charts import Look, quality
from customer_genome.interfaces.charts.quality_reasons import beeswarm, importance
from customer_genome.interfaces.report.pictures import PAGE_WIDTH, Column, Picture, picture
from customer_genome.interfaces.views.figures import count, day, share
from customer_genome.interfaces.views.quality_figures import (
    AGE_WORDS,
    FIGURES,
    GRADE_NOTE,
    GRADE_WORDS,
    SEGMENT_NOTE,
    SEGMENT_WORDS,
    Evidence,
    age_note,
    age_rows,
    caution,
    curves_of,
    evidence,
    grade_rows,
    number,
    rows_in_order,
    segment_rows,
    side_by_side,
    table_of,
    tails_sentence,
    with_error,
    without_backtest,
)

RANKED, CHANCE = FIGURES[0], FIGURES[2]
_Wanted = tuple[str, Callable[[Look], Any], Sequence[dict[str, Any]], list[Column]]


def quality_section(genome: Genome) -> tuple[dict[str, Picture], dict[str, Any]]:
    """Return the pictures of the section, those without data left out, and what its template asks for."""
    found = evidence(genome)
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    wanted = [*(_compared(found) if found else []), *_held_against(genome, found, look)]
    drawn = {name: picture(name, draw, table_of(rows), columns, look) for name, draw, rows, columns in wanted if rows}
    behind = {
        "grades": grade_rows(genome),
        "grade_words": GRADE_WORDS,
        "grade_note": GRADE_NOTE,
        "of_which": curves_of(genome, found)[1],
    }
    if found is None:
        return drawn, behind | {"has_backtest": False, "missing": without_backtest(genome)}
    return drawn, behind | {
        "has_backtest": True,
        "lead": found.lead(),
        "caution": caution(found, genome),
        "verdict": found.verdict(),
        "tails": tails_sentence(found),
        "words": found.found["words"],
        "notices": found.found["notices"],
        "figures": FIGURES,
        "rows": side_by_side(found),
        "shipped": found.shipped,
        "ages": age_rows(found),
        "age_words": AGE_WORDS,
        "age_note": age_note(found),
        "segments": segment_rows(found),
        "segment_words": SEGMENT_WORDS,
        "segment_note": SEGMENT_NOTE,
    }


def _compared(found: Evidence) -> list[_Wanted]:
    """Return the charts of candidates side by side: name, how to draw it, its rows, and the columns of its table."""
    wanted: list[_Wanted] = []
    for figure in (RANKED, CHANCE):
        rows, times = found.rows(figure), found.each_cutoff(figure)
        words = {"label": figure.label, "meaning": figure.meaning}
        wanted += [
            (f"candidates_{figure.name}", lambda at, r=rows, w=words, f=figure: quality.candidates(r, at, **w, higher_is_better=bool(f.higher_is_better)), rows, _candidate_columns()),  # type: ignore[misc]
            (f"cutoffs_{figure.name}", lambda at, r=times, w=words: quality.by_cutoff(r, at, **w), times, _cutoff_columns()),  # type: ignore[misc]
        ]  # fmt: skip
    months = found.months()
    return [*wanted, ("level_by_month", lambda at: quality.level_by_month(months, at), months, _month_columns())]


def _held_against(genome: Genome, found: Evidence | None, look: Look) -> list[_Wanted]:
    """Return the charts of the published forecast against what came, and of what it rests on."""
    curves, _ = curves_of(genome, found)
    bins, tenths = curves["reliability"], curves["deciles"]
    themes, swarm = rows_in_order(genome, "champion_importance"), rows_in_order(genome, "champion_swarm")
    return [
        ("reliability", lambda at: quality.reliability(bins, at), bins, _bin_columns()),
        ("deciles", lambda at: quality.deciles(tenths, at), tenths, _decile_columns(look)),
        ("importance", lambda at: importance(table_of(themes), at), themes, _theme_columns()),
        ("swarm", lambda at: beeswarm(table_of(swarm), at), _spread_of(swarm), _spread_columns()),
    ]


def _spread_of(swarm: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return between which points the drawn customers of each theme lie."""
    themes: dict[str, list[float]] = {}
    for row in swarm:
        themes.setdefault(row["theme"], []).append(row["points"])
    return [
        {"theme": theme, "lowest": min(found), "middle": median(found), "highest": max(found)} for theme, found in themes.items()
    ]


def _spread_columns() -> list[Column]:
    """Return the columns of the spread of themes."""
    return [
        ("Theme", lambda row: row["theme"]),
        ("Lowest", lambda row: f"{row['lowest']:+.1f} points"),
        ("Middle", lambda row: f"{row['middle']:+.1f} points"),
        ("Highest", lambda row: f"{row['highest']:+.1f} points"),
    ]


def _candidate_columns() -> list[Column]:
    """Return the columns of candidates side by side."""
    return [
        ("Candidate", lambda row: row["candidate"]),
        ("Kind", lambda row: "naive formula" if row["kind"] == "naive" else "model"),
        ("Figure", with_error),
        ("Against the best naive formula", lambda row: "" if row["difference"] is None else f"{row['difference']:+.3f} ± {number(row['difference_error'])}"),
    ]  # fmt: skip


def _cutoff_columns() -> list[Column]:
    """Return the columns of a figure at each cutoff."""
    return [
        ("As of", lambda row: day(row["as_of"])),
        ("Candidate", lambda row: row["candidate"]),
        ("Figure", with_error),
        ("Customers", lambda row: count(row["customers"])),
    ]


def _bin_columns() -> list[Column]:
    """Return the columns of the reliability diagram."""
    return [
        ("Forecast chance", lambda row: share(row["chance"])),
        ("Ordered", lambda row: share(row["share_ordered"])),
        ("95 % band", lambda row: f"{share(row['lower'])} to {share(row['upper'])}"),
        ("Customers", lambda row: count(row["customers"])),
    ]


def _decile_columns(look: Look) -> list[Column]:
    """Return the columns of predicted and actual spend per tenth."""
    return [
        ("Tenth by prediction", lambda row: str(row["decile"])),
        ("Predicted each", lambda row: look.estimate(row["predicted"])),
        ("Actual each", lambda row: look.estimate(row["actual"])),
        ("Customers", lambda row: count(row["customers"])),
    ]


def _theme_columns() -> list[Column]:
    """Return the columns of what moves the risk."""
    return [
        ("Theme", lambda row: row["theme"]),
        ("Moves the risk by", lambda row: f"{row['mean_points']:.1f} points"),
        ("AUC lost when shuffled", lambda row: "" if row["auc_lost"] is None else f"{row['auc_lost']:+.3f} ± {row['auc_lost_error']:.3f}"),
        ("Facts", lambda row: row["facts"]),
    ]  # fmt: skip


def _month_columns() -> list[Column]:
    """Return the columns of the level by month."""
    return [("Month", lambda row: row["month"]), ("Predicted / actual", lambda row: share(row["bias"]))]
