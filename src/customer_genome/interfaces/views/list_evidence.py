"""How good lists of recommendations would have been, as the workspace's latest backtest of lists stored it, put in order for people.

Comes in: an open `Genome`. Goes out: a `ListEvidence` whose rows are those of `recommendation_backtest.json`, or a `RatingEvidence` of
`rating_backtest.json` where the version was made from ratings. Nothing is computed anew; what the file does not say is left out.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from customer_genome.errors import SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces.views.figures import count, day, share
from customer_genome.interfaces.views.lists import NAIVE

FILE, FORMATS = "recommendation_backtest.json", (1,)
"""Where `genome backtest --recommendations` stores what it found, and which formats of it can be read here."""
RATING_FILE = "rating_backtest.json"
"""Where the same command stores what it found about a folder of ratings; its formats have the same numbers."""
RATED = "EASE"
"""The recommender that makes the lists of ratings, whatever the backtest says."""
CHAMPION = "champion"
VIEWS: Mapping[str, str] = {"again": "Buy again", "new": "Try next", "all": "All items"}


@dataclass(frozen=True)
class ListFigure:
    """A figure of lists: what it is called and what it means; more is better, save for novelty, of which nobody wants too much."""

    name: str
    label: str
    meaning: str


LIST_FIGURES: tuple[ListFigure, ...] = (
    ListFigure("ndcg", "NDCG@10", "1: the ten listed items are what was bought, first things first; 0: none was."),
    ListFigure("recall", "Recall@10", "Share of what a customer bought that stood in their list of ten."),
    ListFigure("map", "MAP@10", "Mean precision at every hit: hits that stand early count more."),
    ListFigure("hit_rate", "Hit rate", "Share of customers who bought something of their list of ten."),
    ListFigure("coverage", "Coverage", "Share of all items that stand in at least one list: low means that everybody is offered the same."),
    ListFigure("novelty", "Novelty, bits", "Mean surprise of the listed items: 1 bit more is an item half as many customers own."),
)  # fmt: skip


@dataclass(frozen=True)
class ListEvidence:
    """A stored backtest of lists: `found` is the whole file."""

    found: Mapping[str, Any]

    @property
    def days(self) -> list[str]:
        """The judged days, the latest first."""
        return sorted((one["as_of"] for one in self.found["cutoffs"]), reverse=True)

    def rows(self, as_of: str, view: str, figure: str) -> list[dict[str, Any]]:
        """Return a figure of every recommender of a day and view as charts take it: what is naive, and what a run would have published."""
        return [
            {
                "candidate": row["candidate"],
                "kind": "naive" if row["candidate"] in NAIVE else "model",
                "is_shipped": row["candidate"] == CHAMPION,
                "value": float(row["figures"][figure]),
                "error": row["errors"].get(figure),
                "lower": row["lower"].get(figure),
                "upper": row["upper"].get(figure),
                "customers": row["n"],
            }
            for row in self.found["rows"]
            if (row["as_of"], row["view"]) == (as_of, view) and row["figures"].get(figure) is not None
        ]

    def table(self, as_of: str, view: str) -> pa.Table:
        """Return every figure of every recommender of a day and view, best NDCG first, in numbers."""
        mine = [row for row in self.found["rows"] if (row["as_of"], row["view"]) == (as_of, view)]
        rows = []
        for row in sorted(mine, key=lambda one: -(one["figures"].get("ndcg") or 0.0)):
            versus = row["versus_popularity"].get("ndcg") or {}
            rows.append(
                {"recommender": row["candidate"], "customers": row["n"]}
                | {figure.name: row["figures"].get(figure.name) for figure in LIST_FIGURES}
                | {"ndcg_lower": row["lower"].get("ndcg"), "ndcg_upper": row["upper"].get("ndcg")}
                | {"less_popularity": versus.get("mean"), "less_lower": versus.get("lower"), "less_upper": versus.get("upper")}
                | {"times_popularity": row.get("lift_over_popularity"), "times_random": row.get("lift_over_random")}
            )
        return pa.Table.from_pylist(rows)

    def sizes(self, as_of: str, view: str) -> list[dict[str, Any]]:
        """Return NDCG of champion and popularity by how much customers owned: size, candidate, value, lower, upper, customers."""
        found = []
        for row in self.found.get("segments", []):
            of_day, _, size = row["as_of"].partition(", ")
            if (of_day, row["view"]) == (as_of, view) and size and row["figures"].get("ndcg") is not None:
                found.append(
                    {
                        "size": size.removesuffix(" owned"),
                        "candidate": row["candidate"],
                        "value": float(row["figures"]["ndcg"]),
                        "lower": row["lower"].get("ndcg"),
                        "upper": row["upper"].get("ndcg"),
                        "customers": row["n"],
                    }
                )
        return found

    def random(self, as_of: str, view: str, figure: str) -> float | None:
        """Return what lists drawn at random would have reached, None where that is not stored."""
        of_day: Mapping[str, Any] = next((one for one in self.found["cutoffs"] if one["as_of"] == as_of), {})
        value = (of_day.get("random") or {}).get(view, {}).get(figure)
        return None if value is None else float(value)

    def lead(self) -> str:
        """Return what was compared, in one sentence."""
        days = " and ".join(day(dt.date.fromisoformat(one)) for one in reversed(self.days))
        return (
            f"Backtest of {self.found['data']}: as of {days} every recommender made lists of {self.found.get('list_length', 10)} items (by {self.found['item']}) from what "
            f"was known before, and was held against what customers bought in the next {count(self.found['horizon_days'])} days."
        )

    def buyers(self, as_of: str) -> str:
        """Return who was judged at a day, in one sentence."""
        one = next(one for one in self.found["cutoffs"] if one["as_of"] == as_of)
        return (
            f"{count(one['n_known'])} of {count(one['n_buyers'])} buyers were known before; {share(one['repeat_share'])} of what these bought they had bought before. "
            f"{share(one['cold_share'])} of the buyers nobody knew, and they get what is popular. {count(one['n_items'])} items competed."
        )


@dataclass(frozen=True)
class RatingEvidence(ListEvidence):
    """A stored backtest of ratings: lists judged by what was liked later, and how near expected ratings came."""

    @property
    def days(self) -> list[str]:
        """Return what was held back, in the order of the file."""
        return list(dict.fromkeys(row["as_of"] for row in self.found["rows"]))

    def rows(self, as_of: str, view: str, figure: str) -> list[dict[str, Any]]:
        """Return a figure of every recommender of a split as charts take it."""
        return [row | {"is_shipped": row["candidate"] == RATED} for row in super().rows(as_of, view, figure)]

    def random(self, as_of: str, view: str, figure: str) -> float | None:
        """Return the NDCG that lists drawn at random would have reached."""
        for row in self.found["rows"]:
            if row["as_of"] == as_of and figure == "ndcg" and row["lift_over_random"]:
                return float(row["figures"]["ndcg"] / row["lift_over_random"])
        return None

    def errors(self) -> pa.Table:
        """Return how far expected ratings were off: split, model, RMSE, MAE, ratings and settings."""
        names = {"split": "split", "model": "model", "rmse": "rmse", "mae": "mae", "n": "ratings", "settings": "settings"}
        return pa.Table.from_pylist([{new: row.get(old) for old, new in names.items()} for row in self.found["rating_errors"]])

    def told(self) -> list[str]:
        """Return what the backtest says, in sentences: which lists lead, and how near the best expected ratings come."""
        sentences = [self.lead(), *self.found.get("words", [])]
        for split in dict.fromkeys(row["split"] for row in self.found["rating_errors"]):
            best = min((row for row in self.found["rating_errors"] if row["split"] == split), key=lambda row: row["rmse"])
            sentences.append(f"Expected ratings, {split}: {best['model']} is off by {best['rmse']:.2f} points (RMSE).")
        return sentences

    def lead(self) -> str:
        """Return what was compared, in one sentence."""
        found = self.found
        return (
            f"Backtest of {found['data']}: {count(found['n_ratings'])} ratings by {count(found['n_customers'])} customers of {count(found['n_items'])} items. Lists of ten items "
            f"never rated before were held against what the same customers later rated {found['liked_from']:g} or more."
        )

    def buyers(self, as_of: str) -> str:
        """Return who was judged, in one sentence."""
        n = next(row["n"] for row in self.found["rows"] if row["as_of"] == as_of)
        return f"{count(n)} customers are judged: with liked ratings before and among what was held back."


def rating_evidence(genome: Genome) -> RatingEvidence | None:
    """Return the backtest of ratings of the workspace, None where none was run.

    Raises
    ------
    SnapshotError
        When the file is none that this version of the product can read.
    """
    found = _read(genome, RATING_FILE, {"rows", "rating_errors", "n_ratings"})
    return None if found is None else RatingEvidence(found)


def list_evidence(genome: Genome) -> ListEvidence | None:
    """Return the backtest of lists of the workspace, None where none was run.

    Raises
    ------
    SnapshotError
        When the file is none that this version of the product can read.
    """
    found = _read(genome, FILE, {"cutoffs", "rows"})
    return None if found is None else ListEvidence(found)


def _read(genome: Genome, name: str, needed: set[str]) -> dict[str, Any] | None:
    """Return what a file of the workspace says, None where there is none."""
    path = genome.snapshot.folder.parent.parent / name
    try:
        found: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as err:
        raise SnapshotError(f"{path} cannot be read: {err}. Make it anew with `genome backtest --recommendations`.") from err
    if not isinstance(found, dict) or found.get("format") not in FORMATS or not needed <= set(found):
        raise SnapshotError(
            f"{path} is no backtest of lists that this version can read. Make it anew with `genome backtest --recommendations`."
        )
    return found
