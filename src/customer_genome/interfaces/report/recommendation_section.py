"""The section of the report on recommendations: what is bought together, and how good the lists are against popularity.

Comes in: an open `Genome`. Goes out: pictures and rows for the template; nothing where the version has no lists.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa

from customer_genome.errors import SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces.charts import Look
from customer_genome.interfaces.charts.lists import list_quality
from customer_genome.interfaces.charts.lists_backtest import list_figure
from customer_genome.interfaces.report.pictures import PAGE_WIDTH, Column, Picture, picture
from customer_genome.interfaces.views.list_evidence import LIST_FIGURES, RatingEvidence, rating_evidence
from customer_genome.interfaces.views.lists import has_lists, quality_rows

TITLES = {"again": "Buy again", "new": "Try next", "all": "All items"}
MOST_PAIRS = 10


def recommendation_section(genome: Genome) -> tuple[dict[str, Picture], dict[str, Any]]:
    """Return the pictures of the section and what its template asks for."""
    if not has_lists(genome):
        return {}, {"has_lists": False}
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    found = quality_rows(genome)
    drawn = {}
    for view, (_, rows) in found.items():
        if rows and view != "all":
            name = f"lists_{view}"
            chart = partial(list_quality, rows, title=TITLES[view])
            drawn[name] = picture(name, chart, pa.Table.from_pylist(rows), _columns(), look)
    words = [(TITLES[view], words) for view, (words, _) in found.items()]
    if genome.level == "ratings" and (judged := _judged_ratings(genome)) is not None:
        words += [("Backtest", text) for text in judged.told()]
        if rows := judged.rows(judged.days[0], "new", "ndcg") if judged.days else []:
            meaning, random = LIST_FIGURES[0].meaning, judged.random(judged.days[0], "new", "ndcg")
            chart = partial(list_figure, rows, label="NDCG@10", meaning=meaning, title=judged.days[0].capitalize(), random=random)
            drawn["lists_judged"] = picture("lists_judged", chart, pa.Table.from_pylist(rows), _columns(), look)
    pairs = genome.query(
        "select description, with_description, baskets, share, lift from bought_together where product_id < with_product_id "
        "order by baskets desc, product_id, with_product_id limit ?",
        [MOST_PAIRS],
    ).to_pylist()
    return drawn, {
        "has_lists": True,
        "is_rated": genome.level == "ratings",
        "words": words,
        "pairs": pairs,
        "pictures": list(drawn),
    }


def _judged_ratings(genome: Genome) -> RatingEvidence | None:
    """Return the stored backtest of ratings, None where there is none that can be read."""
    try:
        return rating_evidence(genome)
    except SnapshotError:
        return None


def _columns() -> list[Column]:
    """Return the columns behind a chart."""
    return [
        ("Recommender", lambda row: row["candidate"]),
        ("Published", lambda row: "yes" if row["is_shipped"] else "no"),
        ("NDCG@10", lambda row: f"{row['value']:.3f}"),
        ("Standard error", lambda row: f"{row['error']:.3f}"),
    ]
