"""How good the forecasts were, as report and dashboard show it: the backtest of the workspace, read and put in order.

Comes in: an open `Genome`. Goes out: an `Evidence`, whose rows are those of `backtest.json`, and words for its figures. Nothing is
computed anew: what a screen says is what the backtest stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from customer_genome.genome import Genome
from customer_genome.interfaces.views.figures import count, day, share

MEAN = "mean"
CHAMPION, OWN = "champion", "own forecast"


@dataclass(frozen=True)
class Figure:
    """How a figure of the backtest is called, which way is better, and what it means.

    Attributes
    ----------
    best : float or None
        The value of a perfect forecast, None where there is none to name.
    """

    target: str
    name: str
    label: str
    higher_is_better: bool | None
    meaning: str
    best: float | None = None


FIGURES: tuple[Figure, ...] = (
    Figure("spend", "gini", "Gini", True, "Ranking customers by spend: 1 is the true order, 0 is chance.", 1.0),
    Figure("orders", "auc", "AUC", True, "Who orders, ranked: how often one who ordered stood above one who did not; 0.5 is chance.", 1.0),
    Figure("orders", "brier", "Brier", False, "Mean squared error of the chance to order; 0 is perfect.", 0.0),
    Figure("orders", "ece", "Calibration error", False, "Mean gap between the chance and the share who ordered, over tenths of customers (ECE).", 0.0),
    Figure("spend", "mae_over_mean", "Error of spend", False, "Mean absolute error of a customer's spend, over the mean spend.", 0.0),
    Figure("spend", "abs_log_bias", "Error of the total", False, "|log| of total predicted over total actual spend, mean over the cutoffs; 0.1 is about 10 %.", 0.0),
    Figure("interval", "relative_score", "Range score", False, "Interval score of the 80 % ranges, over that of the grid of recency and frequency: narrow ranges that hold are small."),
)  # fmt: skip
"""The figures that decide, in the order of the tables."""
FURTHER: tuple[Figure, ...] = (
    Figure("spend", "bias", "Predicted / actual", None, "Total predicted over total actual spend; 1 is right.", 1.0),
    Figure("spend", "spearman", "Spearman", True, "Rank correlation of predicted and actual spend."),
    Figure("spend", "top_decile_lift", "Lift of the top tenth", True, "Spend of the tenth with the highest prediction, over an average tenth."),
    Figure("orders", "pr_auc", "PR-AUC", True, "Mean precision over all thresholds."),
    Figure("orders", "calibration_slope", "Calibration slope", None, "1 is right; below 1 the chances are too sure of themselves.", 1.0),
    Figure("interval", "below", "Below the range", None, "Share of customers who spent less than their 80 % range; 0.1 would be exact."),
    Figure("interval", "above", "Above the range", None, "Share of customers who spent more than their 80 % range; 0.1 would be exact."),
)  # fmt: skip

CURVES = ("reliability", "deciles", "roc", "pr", "thresholds")
"""What is drawn of a forecast held against what came; rows as `evaluation.curves` makes them."""


@dataclass(frozen=True)
class Evidence:
    """A backtest as stored: `found` is the whole of `backtest.json`."""

    found: Mapping[str, Any]

    @property
    def kinds(self) -> dict[str, str]:
        """Candidates in their order, each with "model" or "naive"."""
        return {one["name"]: one["kind"] for one in self.found["candidates"]}

    @property
    def shipped(self) -> str:
        """The candidate that a run publishes: the champion, or the own forecast of an older backtest."""
        return CHAMPION if CHAMPION in self.kinds else OWN

    @property
    def cutoffs(self) -> list[str]:
        """The judged cutoffs, oldest first."""
        return [one["as_of"] for one in self.found["cutoffs"]]

    def rows(self, figure: Figure, as_of: str = MEAN, group: str = "all") -> list[dict[str, Any]]:
        """Return candidate, kind, value, error and the difference to the best naive formula, in the order of the candidates.

        Candidates that say nothing about the target, and undefined figures, are left out.
        """
        order = {name: place for place, name in enumerate(self.kinds)}
        found = []
        for row in self.found["rows"]:
            value = row["figures"].get(figure.name)
            if (row["as_of"], row["group"], row["target"]) != (as_of, group, figure.target) or value is None:
                continue
            versus = row["versus"].get(figure.name) or {}
            found.append(
                {
                    "candidate": row["candidate"],
                    "kind": self.kinds.get(row["candidate"], "model"),
                    "is_shipped": row["candidate"] == self.shipped,
                    "value": float(value),
                    "error": row["errors"].get(figure.name),
                    "rival": versus.get("naive"),
                    "difference": versus.get("difference"),
                    "difference_error": versus.get("error"),
                    "customers": row["n_customers"],
                }
            )
        return sorted(found, key=lambda row: order.get(row["candidate"], len(order)))

    def best_naive(self, figure: Figure) -> dict[str, Any] | None:
        """Return the row of the best naive formula on average over the cutoffs, None where there is none."""
        rows = [row for row in self.rows(figure) if row["kind"] == "naive"]
        if not rows or figure.higher_is_better is None:
            return None
        sign = -1.0 if figure.higher_is_better else 1.0
        return min(rows, key=lambda row: sign * row["value"])

    def each_cutoff(self, figure: Figure) -> list[dict[str, Any]]:
        """Return the shipped forecast and the best naive formula at every cutoff: as_of, candidate, kind, value, error."""
        rival = self.best_naive(figure)
        wanted = {self.shipped, *([rival["candidate"]] if rival else [])}
        return [
            {"as_of": dt.date.fromisoformat(as_of)} | row
            for as_of in self.cutoffs
            for row in self.rows(figure, as_of)
            if row["candidate"] in wanted
        ]

    def by_age(self, figure: Figure) -> list[dict[str, Any]]:
        """Return the shipped forecast and the best naive formula for new and for old customers: group and the row."""
        rival = self.best_naive(figure)
        wanted = {self.shipped, *([rival["candidate"]] if rival else [])}
        return [
            {"group": group} | row
            for group in ("new", "old")
            for row in self.rows(figure, group=group)
            if row["candidate"] in wanted
        ]

    def curves(self) -> dict[str, list[dict[str, Any]]]:
        """Return every curve of the shipped forecast by name (see `CURVES`); none of a backtest that stored none."""
        stored = (self.found.get("curves") or {}).get(self.shipped) or {}
        return {name: [dict(row) for row in stored.get(name) or []] for name in CURVES}

    def months(self) -> list[dict[str, Any]]:
        """Return predicted over actual total spend by month: stored ones, or those of the judged cutoffs; month, bias, error."""
        held = self.found.get("curves") or {}
        stored = next((found["months"] for name in (self.shipped, OWN) if (found := held.get(name) or {}).get("months")), None)
        if stored:
            return [{**row, "month": f"{dt.date.fromisoformat(row['as_of']):%b %Y}"} for row in stored]
        bias = next(figure for figure in FURTHER if figure.name == "bias")
        mine = [(as_of, row) for as_of in self.cutoffs for row in self.rows(bias, as_of) if row["is_shipped"]]
        return [
            {"month": f"{dt.date.fromisoformat(as_of):%b %Y}", "bias": row["value"], "error": row["error"]} for as_of, row in mine
        ]

    def lead(self) -> str:
        """Return what was compared, over how many days and customers, in one sentence."""
        cutoffs = self.found["cutoffs"]
        days = ", ".join(day(dt.date.fromisoformat(one["as_of"])) for one in cutoffs)
        people = max((one["n_customers"] for one in cutoffs), default=0)
        return (
            f"Backtest of {self.found['data']}: at {count(len(cutoffs))} past {'day' if len(cutoffs) == 1 else 'days'} ({days}) every candidate forecast the next "
            f"{count(self.found['horizon_days'])} days of up to {count(people)} customers from what was known before, and was compared with what came."
        )

    def verdict(self) -> str:
        """Return in one sentence whether the shipped forecast beats the naive formulas, counted over the deciding figures."""
        won, clear, lost = 0, 0, []
        for figure in FIGURES:
            mine = next((row for row in self.rows(figure) if row["is_shipped"]), None)
            if mine is None or mine["difference"] is None or figure.higher_is_better is None:
                continue
            gain = mine["difference"] if figure.higher_is_better else -mine["difference"]
            if gain > 0:
                won += 1
                clear += gain > 2 * (mine["difference_error"] or 0.0)
            else:
                lost.append(figure.label.lower())
        if not won and not lost:
            return "There is no naive formula to compare with."
        said = f"The {self.shipped} beats the best naive formula on {count(won)} of {count(won + len(lost))} figures, on {count(clear)} of them clearly (by more than two standard errors)"
        return said + (f"; it does not on: {', '.join(lost)}." if lost else ".")


def evidence(genome: Genome) -> Evidence | None:
    """Return the backtest of the workspace, None where none was run."""
    found = genome.backtest()
    return None if found is None else Evidence(found)


def curves_of(genome: Genome, found: Evidence | None) -> tuple[dict[str, list[dict[str, Any]]], str]:
    """Return the curves of the published forecast by name, and of which forecasts they are.

    Those of the backtest; where none was run, or an older one stored none, those published with the version: held-out forecasts of
    earlier cutoffs, by which the champion was chosen and calibrated.
    """
    stored = found.curves() if found else {}
    if found is not None and stored.get("reliability"):
        return stored, f"Forecasts of the backtest ({found.shipped}), all cutoffs together."
    known = set(genome.tables())
    published = {name: rows_in_order(genome, f"held_out_{name}") if f"held_out_{name}" in known else [] for name in CURVES}
    return published, (
        "Forecasts of earlier days made without their outcome, by which the champion was chosen and calibrated; so they look a little better than "
        "those of a backtest."
    )


_ORDERS = {
    "held_out_reliability": "chance",
    "held_out_deciles": "decile",
    "held_out_roc": "x, y",
    "held_out_pr": "x, y desc",
    "held_out_thresholds": "threshold",
    "champion_importance": "mean_points desc, theme",
    "champion_swarm": 'theme, points, "offset", percentile',
    "reliability_grades": "case grade when 'high' then 1 when 'medium' then 2 else 3 end",
}


def rows_in_order(genome: Genome, name: str) -> list[dict[str, Any]]:
    """Return the rows of a small table of evidence, none where the version does not have it."""
    if name not in genome.tables():
        return []
    found: list[dict[str, Any]] = genome.query(f"select * from {name} order by {_ORDERS[name]}").to_pylist()
    return found


def grade_rows(genome: Genome) -> list[dict[str, str]]:
    """Return what each grade of reliability measured, in words."""
    return [
        {
            "grade": row["grade"],
            "customers": count(row["customers"]),
            "left": share(row["left"]),
            "off": share(row["off"]),
            "inside": share(row["inside"]),
            "brier": number(row["brier"]),
        }
        for row in rows_in_order(genome, "reliability_grades")
    ]


GRADE_WORDS = {
    "grade": "Reliability",
    "customers": "Held-out customers",
    "left": "Error left",
    "off": "Off by",
    "inside": "In their 80 % range",
    "brier": "Brier",
}
GRADE_NOTE = (
    "Held-out customers of each grade, each half graded by what the other half taught. Error left: of the error of somebody who expects the mean of everybody "
    "(high: at most half, medium: at most four fifths). Off by: mean error of spend over mean predicted spend."
)


def caution(evidence: Evidence, genome: Genome) -> str:
    """Return a word of caution where the backtest was made of other data or another horizon than the version; empty otherwise."""
    said = []
    label = genome.manifest["sources"]["order_lines"]["label"]
    if label != evidence.found["data"]:
        said.append(f"it was made with {evidence.found['data']}, this version with {label}")
    if int(genome.manifest["horizon_days"]) != evidence.found["horizon_days"]:
        said.append(
            f"it looks {count(evidence.found['horizon_days'])} days ahead, this version {count(int(genome.manifest['horizon_days']))}"
        )
    return f"Mind that {' and '.join(said)}." if said else ""


def without_backtest(genome: Genome) -> str:
    """Return what is missing where no backtest was run, and what it would add."""
    return (
        "No backtest was run in this workspace. It goes back to past days, forecasts from what was known then, and compares every model and naive "
        "formula with what came: who ranks customers best, whether a chance of 70 % means 70 %, how wide the ranges must be, and where the forecasts are wrong."
    )


def number(value: float | None) -> str:
    """Return a figure with three decimals, larger ones with fewer; no minus before a zero.

    Examples
    --------
    >>> number(0.8664), number(12.34), number(-0.0001), number(None)
    ('0.866', '12.3', '0.000', '–')
    """
    if value is None:
        return "–"
    value = value if abs(value) >= 0.0005 else 0.0
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"


def with_error(row: Mapping[str, Any]) -> str:
    """Return the value of a row with its standard error.

    Examples
    --------
    >>> with_error({"value": 0.8664, "error": 0.0132}), with_error({"value": 0.5, "error": None})
    ('0.866 ± 0.013', '0.500')
    """
    return number(row["value"]) + (f" ± {number(row['error'])}" if row.get("error") is not None else "")


AGE_WORDS = {
    "figure": "Figure",
    "new": "New, published",
    "new_formula": "New, best formula",
    "old": "Old, published",
    "old_formula": "Old, best formula",
}


def age_rows(evidence: Evidence) -> list[dict[str, str]]:
    """Return a row per figure: the published forecast and the best naive formula for new and for old customers, in words."""
    rows = []
    for figure in FIGURES:
        found = evidence.by_age(figure)
        cells = {f"{row['group']}{'' if row['is_shipped'] else '_formula'}": with_error(row) for row in found}
        if cells:
            rows.append(dict.fromkeys(AGE_WORDS, "") | {"figure": figure.label} | cells)
    return rows


def age_note(evidence: Evidence) -> str:
    """Return who is new and who is old, and how many they are."""
    counted = {row["group"]: row["customers"] for figure in FIGURES for row in evidence.by_age(figure)}
    return (
        f"New: first order within the last horizon before the cutoff ({count(counted.get('new'))} of {count(sum(counted.values()))} customers and cutoffs). "
        "Mean over the cutoffs ± standard error; the best formula is the best on average over everybody."
    )


SEGMENT_WORDS = {
    "segment": "RFM segment",
    "customers": "Customers",
    "bias": "Predicted / actual",
    "mae_over_mean": "Error of spend",
    "auc": "AUC",
    "brier": "Brier",
    "outside": "Outside the range",
}
SEGMENT_NOTE = "The published forecast, mean over the cutoffs ± standard error; segments as of the cutoff, customers counted at each. Outside the range: spent less or more than their 80 % range; 20 % would be exact."


def segment_rows(evidence: Evidence) -> list[dict[str, str]]:
    """Return a row per segment with the errors of the published forecast, in words; none of a backtest that did not part customers."""
    figures = {figure.name: figure for figure in (*FIGURES, *FURTHER)}
    groups = sorted({row["group"] for row in evidence.found["rows"]} - {"all", "new", "old"})
    rows = []
    for group in groups:
        mine = {
            name: next((row for row in evidence.rows(figure, group=group) if row["is_shipped"]), None)
            for name, figure in figures.items()
        }
        known = {name: row for name, row in mine.items() if row is not None}
        if not known:
            continue
        cells: dict[str, str] = {
            name: with_error(known[name]) for name in ("bias", "mae_over_mean", "auc", "brier") if name in known
        }
        if "below" in known and "above" in known:
            cells["outside"] = share(known["below"]["value"] + known["above"]["value"])
        people = count(max(row["customers"] for row in known.values()))
        rows.append(dict.fromkeys(SEGMENT_WORDS, "") | {"segment": group, "customers": people} | cells)
    return rows


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table; an empty one where there are none."""
    return pa.Table.from_pylist([dict(row) for row in rows]) if rows else pa.table({})


def side_by_side(evidence: Evidence) -> list[dict[str, str]]:
    """Return a row per candidate with its kind and every deciding figure with its error, in words."""
    cells: dict[str, dict[str, str]] = {name: {"candidate": name, "kind": kind} for name, kind in evidence.kinds.items()}
    for figure in FIGURES:
        for row in evidence.rows(figure):
            if row["candidate"] in cells:
                cells[row["candidate"]][figure.name] = with_error(row)
    return [
        {"candidate": row["candidate"], "kind": row["kind"]} | {one.name: row.get(one.name, "") for one in FIGURES}
        for row in cells.values()
    ]


def tails_sentence(evidence: Evidence) -> str:
    """Return how often spend fell outside the 80 % ranges of the shipped forecast; empty where it has none."""
    found = {
        f.name: next((r["value"] for r in evidence.rows(f) if r["is_shipped"]), None) for f in FURTHER if f.target == "interval"
    }
    if found["below"] is None or found["above"] is None:
        return ""
    return f"Of the 80 % ranges of spend, {share(found['below'])} of customers spent less and {share(found['above'])} more; 10 % each would be exact."
