"""Published recommendations as plain values: a customer's lists, what goes with an item, and how good the lists are.

Comes in: an open `Genome`. Goes out: dictionaries that the command line, the report and the dashboard word alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from customer_genome.errors import SnapshotError, UnknownCustomerError, did_you_mean
from customer_genome.genome import Genome

NAIVE = ("popularity", "popularity in the group", "same season last year")
NO_LISTS = (
    "This version has no recommendations. They are made by `genome run` where [recommend] enabled is true and the order lines name "
    "products; what stood in the way is among the notices of the run."
)


def has_lists(genome: Genome) -> bool:
    """Return whether the version holds recommendations."""
    return {"recommendations", "recommendation_quality", "bought_together"} <= set(genome.tables())


def lists_of(genome: Genome, customer_id: str, views: Sequence[str], top: int) -> dict[str, Any]:
    """Return a customer's lists; somebody the version does not know gets what is popular, and `words` say so.

    Raises
    ------
    SnapshotError
        When the version has no recommendations.
    UnknownCustomerError
        With the nearest ids, where the version does not hold what is popular either.
    """
    _require(genome)
    try:
        record = genome.customer(customer_id)
    except UnknownCustomerError as err:
        if "popular_items" not in genome.tables():
            raise
        return _popular(genome, customer_id, views, top, str(err))
    rows = genome.query(
        "select view, rank, product_id, description, score, reason, is_cold from recommendations where customer_id = ? and rank <= ? "
        "order by view, rank",
        [customer_id, top],
    ).to_pylist()
    return {
        "customer_id": customer_id,
        "as_of": record["as_of"].isoformat() if record.get("as_of") else genome.manifest["as_of"],
        "is_known": True,
        "is_cold": any(row["is_cold"] for row in rows),
        "words": "" if rows else "No lists were made for this customer; the notices of the run say for whom they were.",
        "lists": {view: [_without(row, "view", "is_cold") for row in rows if row["view"] == view] for view in views},
        "quality": {view: text for view, text in quality_words(genome).items() if view in views},
    }


def _popular(genome: Genome, customer_id: str, views: Sequence[str], top: int, complaint: str) -> dict[str, Any]:
    """Return what is popular, as the lists of somebody of whom nothing is known: all of it is new to them."""
    rows = genome.query(
        "select rank, product_id, description, score, reason from popular_items where rank <= ? order by rank", [top]
    ).to_pylist()
    return {
        "customer_id": customer_id,
        "as_of": genome.manifest["as_of"],
        "is_known": False,
        "is_cold": True,
        "words": f"{complaint} What is popular with everybody is listed instead.",
        "lists": {view: [] if view == "again" else rows for view in views},
        "quality": {},
    }


def quality_words(genome: Genome) -> dict[str, str]:
    """Return per view which recommender made the lists and how good it was on the last days."""
    rows = genome.query("select view, candidate, ndcg, difference, lower, n_judged from recommendation_quality where is_champion")
    found = {}
    for row in rows.to_pylist():
        if row["ndcg"] is None:
            found[row["view"]] = f"made by {row['candidate']}; too few customers to measure how good it is"
            continue
        usual = row["ndcg"] - row["difference"]
        better = f"{row['difference'] / usual:.0%} better than what is popular" if usual > 0 else "better than what is popular"
        standing = (
            ""
            if row["candidate"] in NAIVE
            else f", {better if (row['lower'] or 0) > 0 else 'not clearly better than what is popular'}"
        )
        figures = f"NDCG@10 {row['ndcg']:.3f}" + (f" against {usual:.3f}" if standing else "")
        found[row["view"]] = f"made by {row['candidate']}{standing}: {figures}; judged on {row['n_judged']:,} customers"
    return found


def quality_rows(genome: Genome) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return per view what it says, and the recommenders as charts take them: popularity is what is naive."""
    rows = genome.query(
        "select view, candidate, is_champion, ndcg, error, words from recommendation_quality order by ndcg desc nulls last, candidate"
    ).to_pylist()
    found: dict[str, tuple[str, list[dict[str, Any]]]] = {}
    for view in ("again", "new", "all"):
        mine = [row for row in rows if row["view"] == view]
        if mine:
            found[view] = (
                mine[0]["words"],
                [
                    {
                        "candidate": row["candidate"],
                        "kind": "naive" if row["candidate"] in NAIVE else "model",
                        "is_shipped": row["is_champion"],
                        "value": row["ndcg"],
                        "error": row["error"],
                    }
                    for row in mine
                    if row["ndcg"] is not None
                ],
            )
    return found


def together_with(genome: Genome, item: str, top: int) -> dict[str, Any]:
    """Return what is bought together with an item, named by its id or its name without regard to case.

    Raises
    ------
    SnapshotError
        When the version has no recommendations, or no such item; with near names.
    """
    _require(genome)
    known = genome.query(
        "select distinct product_id, description from (select product_id, description from bought_together union all "
        "select product_id, description from recommendations) where product_id = ? or lower(description) = lower(?) order by product_id",
        [item, item],
    ).to_pylist()
    if not known:
        names = genome.query(
            "select distinct product_id from bought_together union select distinct description from bought_together"
        )
        hint = did_you_mean(item, [name for name in names.column(0).to_pylist() if name])
        raise SnapshotError(
            f"{item!r} is not among the items with a companion or in a list of version {genome.snapshot.version}.{hint} "
            "Wanted: a product's id or its whole name."
        )
    rows = genome.query(
        "select rank, with_product_id, with_description, baskets, support, share, lift, p_value from bought_together "
        "where product_id = ? and rank <= ? order by rank",
        [known[0]["product_id"], top],
    ).to_pylist()
    return {**known[0], "rows": rows}


def _require(genome: Genome) -> None:
    if not has_lists(genome):
        raise SnapshotError(NO_LISTS)


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
