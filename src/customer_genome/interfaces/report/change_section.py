"""The section "What changed" of the report: the version before, read through the same hall, compared and worded.

Comes in: an open `Genome`. Goes out: pictures and plain values for the template. With one version only it says what to do next.
"""

from __future__ import annotations

from typing import Any

from customer_genome.answers.comparison import Comparison, compare_with_previous
from customer_genome.errors import SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.report.pictures import PAGE_WIDTH, Column, Picture, picture
from customer_genome.interfaces.views import changes
from customer_genome.interfaces.views.figures import count, day

MOST_MOVES = 5


def change_section(genome: Genome) -> tuple[dict[str, Picture], dict[str, Any]]:
    """Return the pictures of the section and what its template asks for; `since` is empty where there is nothing to compare."""
    try:
        found = compare_with_previous(genome, most=MOST_MOVES)
    except SnapshotError as err:
        return {}, {"since": "", "why_not": str(err)}
    if found is None:
        return {}, {"since": "", "why_not": "This is the only version that is kept, so nothing can have changed yet."}
    return _pictures(found, genome), {
        "since": found.before.version,
        "since_as_of": day(found.before.as_of),
        "headline": changes.headline(found),
        "value": changes.value_sentence(found),
        "cautions": changes.cautions(found),
        "totals": changes.total_rows(found),
        "lists": [
            {"title": title, "rows": changes.move_rows(moves, found.currency)}
            for title, moves in (
                ("Most value gained", found.value_up),
                ("Most value lost", found.value_down),
                ("Risk rose where most money hangs on it", found.risk_up),
            )
            if moves
        ],
    }


def _pictures(found: Comparison, genome: Genome) -> dict[str, Picture]:
    """Return the charts of the section."""
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    flows, reasons = changes.flow_table(found), changes.reason_table(found)
    return {
        "migration": picture("migration", lambda at: charts.migration(flows, at), flows, _flow_columns(look), look),
        "value_reasons": picture(
            "value_reasons", lambda at: charts.value_reasons(reasons, at), reasons, _reason_columns(look), look
        ),
    }


def _flow_columns(look: Look) -> list[Column]:
    """Return the columns of the migration."""
    return [
        ("From", lambda row: row["source"]),
        ("To", lambda row: row["target"]),
        ("Customers", lambda row: count(row["customers"])),
        ("Value before", lambda row: look.estimate(row["clv_before"])),
        ("Value after", lambda row: look.estimate(row["clv_after"])),
    ]


def _reason_columns(look: Look) -> list[Column]:
    """Return the columns of what moved value."""
    return [
        ("Why", lambda row: row["reason"]),
        ("That is", lambda row: row["meaning"]),
        ("Customers", lambda row: count(row["customers"])),
        ("Value before", lambda row: look.estimate(row["clv_before"])),
        ("Value after", lambda row: look.estimate(row["clv_after"])),
    ]
