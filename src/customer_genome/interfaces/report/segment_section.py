"""The part of the report on what sets segments apart, how their number was chosen and how far they can be relied on.

Comes in: an open `Genome`. Goes out: pictures and sentences for the template; nothing for versions published without them.
"""

from __future__ import annotations

from typing import Any

from customer_genome.answers.audience import BEST_PERCENT, best_before, measured
from customer_genome.decisions.lift import Lift
from customer_genome.genome import Genome
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.charts import segments as drawings
from customer_genome.interfaces.report.pictures import PAGE_WIDTH, Column, Picture, picture
from customer_genome.interfaces.views.figures import count, day
from customer_genome.interfaces.views.segment_figures import effects, methods, steadiness, steady_sentence, tried


def segment_section(genome: Genome) -> tuple[dict[str, Picture], dict[str, Any]]:
    """Return the pictures of the section and what its template asks for; `reason` is empty where there is nothing to say."""
    found = methods(genome)
    alike = (
        alike_sentences(genome)
        if genome.level == "orders"
        else ["What customers like the best ones bring can be measured where order lines say what came when."]
    )
    if not found:
        return {}, {"reason": "", "steady": [], "alike": alike}
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
    return drawn, {"reason": reason, "steady": [steady_sentence(row) for row in rows], "alike": alike}


def alike_sentences(genome: Genome) -> list[str]:
    """Return what looking for customers like the best ones would have brought a horizon ago, or why that cannot be told."""
    evidence, why_not = measured(genome, best_before(genome), BEST_PERCENT / 100)
    if evidence is None:
        return [f"What customers like the best ones bring cannot be measured: {why_not}."]
    who = (
        f"On {day(evidence.day)} the {count(evidence.outcomes[0][1].n_chosen)} customers most like the tenth that had spent most by then, without that tenth itself, "
        f"were chosen by what was known on that day. In the {evidence.days} days since, beside as many picked at random:"
    )
    return [who, *(f"{words}: {_times(lift)}" for words, lift in evidence.outcomes)]


def _times(lift: Lift) -> str:
    """Return a lift with its interval."""
    if lift.ratio != lift.ratio:
        return "nobody to compare with"
    return f"{lift.ratio:.2f} times the random ones (95 % interval {lift.lower:.2f} to {lift.upper:.2f})"


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
