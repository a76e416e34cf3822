"""Figures of resampled customers are those of `metrics` on rows copied as often as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.evaluation.judging import MEAN, Fold, judge
from customer_genome.evaluation.metrics import interval_metrics, order_metrics, spend_metrics
from customer_genome.evaluation.resampling import IntervalRows, OrderRows, SpendRows, draws
from customer_genome.evaluation.verdicts import verdicts
from customer_genome.models.candidates import Expected

TENTHS = {"decile_mape", "ece", "top_decile_lift", "calibration_slope"}  # tenths stay those of all rows when customers are drawn
N = 400


def shop(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return spend, whether they ordered, predicted spend with ties, predicted chance with ties."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(0.5, 2.0, N)
    ordered = (rng.random(N) < 1 - np.exp(-rate)).astype(float)
    spend = ordered * rng.gamma(1.0, 50.0, N) * (1 + rate)
    return spend, ordered, np.round(rate * 40, -1), np.round(1 - np.exp(-rate), 1)


def test_every_row_once_gives_the_metrics() -> None:
    spend, ordered, predicted, chance = shop()
    ones = np.ones(N)
    pairs = [
        (SpendRows(spend, predicted).figures(ones), spend_metrics(spend, predicted)),
        (OrderRows(ordered, chance).figures(ones), order_metrics(ordered, chance)),
        (IntervalRows(spend, predicted / 2, predicted * 2).figures(ones), interval_metrics(spend, predicted / 2, predicted * 2)),
    ]
    for found, wanted in pairs:
        assert {**wanted, **found} == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drawn_rows_give_the_metrics_of_copies(seed: int) -> None:
    spend, ordered, predicted, chance = shop(seed)
    counts = next(draws(N, 1, seed))
    assert counts.sum() == N and counts.max() > 1
    copies = np.repeat(np.arange(N), counts.astype(int))
    lower, upper = predicted / 2, predicted * 2
    pairs = [
        (SpendRows(spend, predicted).figures(counts), spend_metrics(spend[copies], predicted[copies])),
        (OrderRows(ordered, chance).figures(counts), order_metrics(ordered[copies], chance[copies])),
        (IntervalRows(spend, lower, upper).figures(counts), interval_metrics(spend[copies], lower[copies], upper[copies])),
    ]
    for found, wanted in pairs:
        names = set(wanted) - TENTHS
        assert {name: found[name] for name in names} == pytest.approx({name: wanted[name] for name in names}, rel=1e-9)


def folds() -> list[Fold]:
    """Return two cutoffs with a forecast that knows something, a naive one that does not, and the naive ranges."""
    made = []
    for place, seed in enumerate((1, 2)):
        spend, ordered, predicted, chance = shop(seed)
        forecasts = {
            "own": Expected(predicted, chance, predicted * 0.1, predicted * 4),
            "flat": Expected(np.full(N, 60.0), np.full(N, 0.4), np.zeros(N), np.full(N, 300.0)),
        }
        made.append(Fold(f"day {place}", np.arange(N), np.arange(N) < N // 4, spend, ordered, forecasts))
    return made


def test_a_scorecard_holds_means_errors_and_differences() -> None:
    card = judge(folds(), ["flat"], n_draws=40)
    mean, parts = card.row("own", "spend"), [card.row("own", "spend", f"day {place}") for place in (0, 1)]
    assert mean is not None and all(parts)
    assert mean.figures["gini"] == pytest.approx(np.mean([part.figures["gini"] for part in parts if part]))
    assert 0 < mean.errors["gini"] < min(part.errors["gini"] for part in parts if part) * 1.1
    versus = mean.versus["gini"]
    assert versus.naive == "flat" and versus.difference == pytest.approx(mean.figures["gini"])
    assert {row.group for row in card.rows} == {"all", "new", "old"}
    grid = card.row("flat", "interval")
    assert grid is not None and grid.figures["relative_score"] == 1.0 and not grid.versus


def test_the_words_follow_the_figures() -> None:
    card = judge(folds(), ["flat"], n_draws=40)
    said = " ".join(verdicts(card, ["flat"], "own"))
    assert "Ranking customers by spend (Gini): own is best" in said
    other = [
        Fold(f.as_of, f.customers, f.is_new, f.spend, f.ordered, {"own": f.forecasts["flat"], "sharp": f.forecasts["own"]})
        for f in folds()
    ]
    worse = " ".join(verdicts(judge(other, ["sharp"], n_draws=40), ["sharp"], "own"))
    assert "own does not beat every naive formula on: ranking customers by spend (sharp is better by" in worse
    assert "sharp is best" in worse


def test_without_draws_there_are_figures_and_no_errors() -> None:
    row = judge(folds(), ["flat"], n_draws=0).row("own", "orders", MEAN)
    assert row is not None and row.figures["auc"] > 0.5 and not row.errors
