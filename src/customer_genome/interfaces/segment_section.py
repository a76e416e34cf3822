"""The part of the report on what sets segments apart, how their number was chosen and how far they can be relied on.

Comes in: an open `Genome`. Goes out: pictures and sentences for the template; nothing for versions published without them.
"""

from __future__ import annotations

from typing import Any

from customer_genome.genome import Genome
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.charts import segments as drawings
from customer_genome.interfaces.figures import count
from customer_genome.interfaces.pictures import PAGE_WIDTH, Column, Picture, picture
from customer_genome.interfaces.segment_figures import effects, methods, steadiness, steady_sentence, tried


def segment_section(genome: Genome) -> tuple[dict[str, Picture], dict[str, Any]]:
    """Return the pictures of the section and what its template asks for; `reason` is empty where there is nothing to say."""
    found = methods(genome)
    if not found:
        return {}, {"reason": "", "steady": []}
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    apart, counts, rows = effects(genome, found[0]), tried(genome), steadiness(genome)
    drawn = {}
    if apart.num_rows:
        drawn["segment_effects"] = picture(
            "segment_effects", lambda at: drawings.segment_effects(apart, at), apart, _effect_columns(), look
        )
    if len(set(counts["k"].to_pylist())) > 1:
        for figure in ("silhouette", "stability"):
            name = f"segment_{figure}"
            drawn[name] = picture(
                name, lambda at, figure=figure: drawings.cluster_counts(counts, figure, at), counts, _count_columns(), look  # type: ignore[misc]
            )  # fmt: skip
    reason = next((str(row.get("reason") or "") for row in rows if row["is_naming"]), "")
    return drawn, {"reason": reason, "steady": [steady_sentence(row) for row in rows]}


def _effect_columns() -> list[Column]:
    """Return the columns of what sets segments apart."""
    return [
        ("Segment", lambda row: row["segment_name"]),
        ("Fact", lambda row: row["words"]),
        ("Effect", lambda row: f"{row['effect']:+.2f}"),
        ("Typically", lambda row: _figure(row["typical"])),
        ("All others", lambda row: _figure(row["elsewhere"])),
    ]


def _figure(value: float) -> str:
    """Return a figure with the digits that say something."""
    return f"{value:,.2f}" if abs(value) < 10 else count(value)


def _count_columns() -> list[Column]:
    """Return the columns of the numbers of segments tried."""
    return [
        ("Method", lambda row: row["method"]),
        ("Segments", lambda row: count(row["k"]) + (" (chosen)" if row["is_chosen"] else "")),
        ("Sum of squares", lambda row: count(row["wcss"])),
        ("Silhouette", lambda row: f"{row['silhouette']:.3f}"),
        ("BIC", lambda row: "–" if row["bic"] is None else count(row["bic"])),
        ("Steadiness", lambda row: "–" if row["stability"] is None else f"{row['stability']:.2f}"),
        ("Smallest", lambda row: f"{100 * row['smallest_share']:.0f} %"),
    ]
