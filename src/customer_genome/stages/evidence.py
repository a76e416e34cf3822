"""What stands behind a champion, in small tables: which themes move the risk, of whom, and its forecasts held against what came.

Comes in: the champion of a run, the engine that holds the facts, and earlier cutoffs with what followed. Goes out: a champion that
remembers what each theme is worth, and tables to be published with the version. Customers are drawn, so that nothing here grows
with their number; no table names a customer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.decisions.reason_words import said, words_of
from customer_genome.decisions.reasons import Points, points_of
from customer_genome.evaluation.curves import curves
from customer_genome.features.past import mark_before
from customer_genome.models.candidates import OWN, Expected, Known, Past
from customer_genome.models.candidates.blend import Blended
from customer_genome.models.candidates.champion import Champion
from customer_genome.models.candidates.contract import Contributions, Fitted
from customer_genome.models.candidates.learned import teaches
from customer_genome.models.candidates.listed import MEMBERS
from customer_genome.models.estimator import Array
from customer_genome.models.own_shares import FACTS, PurchaseChance, handed_to_facts, history_shares
from customer_genome.models.reliability import measured
from customer_genome.settings import Settings
from customer_genome.stages.champions import known_at
from customer_genome.stages.explaining import Explainer
from customer_genome.stages.fitting import Models
from customer_genome.warehouse.engine import Engine

THEMES = "themes"
MOST_DRAWN = 5_000
"""Customers drawn for the mean size of themes."""
MOST_CHECKED = 12_000
MOST_POINTS = 2_000
"""Points of the beeswarm."""
MOST_THEMES = 10
N_SHUFFLES = 5
_LEVELS = 41


def examined(champion: Champion, models: Models, past: Sequence[Past], seed: int) -> Champion:
    """Return the champion with what is lost when the facts of a theme are exchanged among customers, in its figures.

    Its members learn anew from every second customer of the latest earlier cutoff; what is lost is the AUC among the others, who
    are held out. Nothing is examined where too few of them ordered, or stayed away.

    Parameters
    ----------
    models : of the run; they say only how the purchase model's part is shared among its facts
    past : earlier cutoffs with what came, oldest first
    """
    usable = [one for one in past if one.known.own is not None and one.known.own.chance is not None]
    if not usable:
        return champion
    last = _every(usable[-1], max(1, -(-len(usable[-1].ordered) // MOST_CHECKED)))
    rows = np.arange(len(last.ordered))
    learn, judge = _some(last, rows[::2]), _some(last, rows[1::2])
    if not teaches([learn]) or not teaches([judge]):
        return champion
    fitted: dict[str, Fitted] = {}
    for one in MEMBERS:
        if champion.blended.odds_weights.get(one.name, 0.0) != 0 and (found := one.fit(learn.known, [learn])) is not None:
            fitted[one.name] = found
    if not fitted:
        return champion
    blended = Blended(fitted, {name: champion.blended.odds_weights[name] for name in fitted}, {})
    contributions = blended.contributions(judge.known)
    own = judge.known.own
    assert own is not None and own.chance is not None  # asked for above
    chance = PurchaseChance(models.purchases, models.clock, last.known.as_of, last.known.horizon_days)
    typical = Explainer.of(replace(models, champion=champion), last.known.as_of, last.known.horizon_days, "").typical
    shares = history_shares(chance, [judge.known.facts[name] for name in FACTS], own.chance, typical)
    handed = handed_to_facts(contributions, shares, blended.odds_weights.get(OWN, 0.0), own.chance)
    lost = themes_lost(handed, judge.ordered, seed)
    return replace(champion, figures={**champion.figures, THEMES: {name: list(pair) for name, pair in lost.items()}})


def _every(one: Past, step: int) -> Past:
    """Return every so many-th customer."""
    return one if step == 1 else _some(one, np.arange(0, len(one.ordered), step))


def _some(one: Past, rows: npt.NDArray[np.intp]) -> Past:
    return Past(one.known.take(rows), one.spend[rows], one.ordered[rows])


def themes_lost(found: Contributions, ordered: Array, seed: int) -> dict[str, tuple[float, float]]:
    """Return for every theme the AUC lost when its contributions are shuffled among customers, and how it varies between shuffles.

    Parameters
    ----------
    ordered : array, shape (n_customers,), 0 or 1, both of them there

    Examples
    --------
    >>> odds = np.repeat([[-3.0, 0.0], [3.0, 0.0]], 50, axis=0)
    >>> lost = themes_lost(Contributions(("recency_days", "n_orders"), odds, 0.0), np.repeat([0.0, 1.0], 50), 7)
    >>> lost["recency"][0] > 0.3, lost["frequency"]
    (True, (0.0, 0.0))
    """
    from sklearn.metrics import roc_auc_score

    draw = np.random.default_rng(seed)
    odds = found.values.sum(axis=1)
    whole = float(roc_auc_score(ordered, odds))
    lost = {}
    themes = [words_of(name).theme for name in found.names]
    for theme in dict.fromkeys(themes):
        part = found.values[:, [place for place, one in enumerate(themes) if one == theme]].sum(axis=1)
        aucs = [float(roc_auc_score(ordered, odds - part + part[draw.permutation(len(part))])) for _ in range(N_SHUFFLES)]
        lost[theme] = (whole - float(np.mean(aucs)), float(np.std(aucs)))
    return lost


def evidence_tables(engine: Engine, models: Models, settings: Settings, as_of: dt.date, horizon_days: int) -> dict[str, pa.Table]:
    """Return the tables that stand behind the forecasts of a run; `known_facts` must stand. None without a champion.

    Returns
    -------
    name -> table
        champion_importance and champion_swarm (see `importance_rows`, `swarm_rows`), reliability_grades, and held_out_reliability,
        held_out_roc, held_out_pr, held_out_deciles, held_out_thresholds (see `evaluation.curves`): forecasts of earlier cutoffs
        made without their outcome, by which the champion was chosen. Tables without rows are left out.
    """
    champion = models.champion_for(horizon_days)
    if champion is None:
        return {}
    drawn = known_at(engine, models, settings, as_of, horizon_days, mark_before(engine, as_of, MOST_DRAWN))
    rows: dict[str, Sequence[Mapping[str, Any]]] = {}
    if len(drawn):
        explainer = Explainer.of(models, drawn.as_of, horizon_days, settings.shop.currency, has_money=settings.has_money)
        found = explainer.contributions(drawn)
        if not settings.has_money:
            found = replace(found, names=tuple(explainer.called(found.names)))
            drawn = replace(drawn, facts=dict(zip(explainer.called(list(drawn.facts)), drawn.facts.values(), strict=True)))
        points = points_of(found.names, found.values, found.base)
        rows["champion_importance"] = importance_rows(found, points, champion.figures.get(THEMES, {}))
        rows["champion_swarm"] = swarm_rows(found, points, drawn, settings.shop.currency)
    held = champion.held_out
    if held:
        rows["reliability_grades"] = measured(held)
        expected = Expected(held["spend"], held["chance"], held["lower"], held["upper"])
        for name, curve in curves([held["spend_true"]], [held["ordered"]], [expected]).items():
            rows[f"held_out_{name}"] = curve
    return {name: pa.Table.from_pylist([dict(row) for row in found]) for name, found in rows.items() if found}


def importance_rows(found: Contributions, points: Points, lost: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Return the themes, the one that moves the risk most first.

    Returns
    -------
    rows of theme, facts (their names), mean_points (mean size over customers, percentage points of risk), auc_lost and auc_lost_error
        (null where it could not be examined)
    """
    rows = []
    for place, theme in enumerate(points.themes):
        facts = [name for name in found.names if words_of(name).theme == theme]
        check = lost.get(theme)
        rows.append(
            {
                "theme": theme,
                "facts": ", ".join(facts),
                "mean_points": float(np.abs(points.values[:, place]).mean()),
                "auc_lost": float(check[0]) if check else None,
                "auc_lost_error": float(check[1]) if check else None,
            }
        )
    return sorted(rows, key=lambda row: (-float(row["mean_points"]), str(row["theme"])))


def swarm_rows(found: Contributions, points: Points, known: Known, currency: str) -> list[dict[str, Any]]:
    """Return points of drawn customers for the themes that move the risk most, at most 2,000 in all.

    Returns
    -------
    rows of theme, fact (its main one), said (its value in words), percentile (0..1, of the value among the drawn), points, and
        offset (-1..1, where the point lies beside its like)
    """
    strongest = np.argsort(-np.abs(points.values).mean(axis=0), kind="stable")[:MOST_THEMES]
    kept = np.unique(np.linspace(0, len(known) - 1, min(len(known), MOST_POINTS // max(1, len(strongest)))).astype(int))
    rows = []
    for place in strongest.tolist():
        theme = points.themes[place]
        columns = [
            column
            for column, name in enumerate(found.names)
            if words_of(name).theme == theme and words_of(name).is_spoken and name in known.facts
        ]
        if not columns:
            continue
        main = found.names[max(columns, key=lambda column: float(np.abs(found.values[:, column]).mean()))]
        value = known.facts[main][kept]
        rank = _percentiles(value)
        offset = _offsets(points.values[kept, place])
        for one, number in enumerate(kept.tolist()):
            text = said(words_of(main), float(value[one]), known.horizon_days, currency)
            rows.append(
                {
                    "theme": theme,
                    "fact": main,
                    "said": text or "not known",
                    "percentile": float(rank[one]),
                    "points": float(points.values[number, place]),
                    "offset": float(offset[one]),
                }
            )
    return rows


def _percentiles(values: Array) -> Array:
    """Return the share of values below each, ties in the middle; an empty one counts as the lowest."""
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.sort(filled)
    below, to = np.searchsorted(order, filled, side="left"), np.searchsorted(order, filled, side="right")
    return np.asarray((below + to) / 2 / max(1, len(values)), dtype=np.float64)


def _offsets(points: Array) -> Array:
    """Return where points lie beside one another: those of about equal size fan out from the middle."""
    if not len(points):
        return np.empty(0)
    low, high = float(points.min()), float(points.max())
    level = np.round((points - low) / (high - low or 1.0) * (_LEVELS - 1)).astype(int)
    offset = np.zeros(len(points))
    widest = max(2, int(np.bincount(level).max()))
    for one in np.unique(level):
        rows = np.flatnonzero(level == one)
        place = np.arange(len(rows))
        offset[rows] = (place + 1) // 2 * np.where(place % 2, 1, -1) * 2 / widest
    return np.clip(offset, -1.0, 1.0)
