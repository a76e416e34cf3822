"""Reasons of a risk: points add up, three reasons are three things, and nothing is said of what a customer does not have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from customer_genome.decisions.reason_words import WORDS, said, words_of
from customer_genome.decisions.reasons import points_of, reasons

NAMES = ("recency_days", "orders_last_30d", "n_orders", "mean_gap_days", "total_spend", "tenure_days", "loyalty_points")
ODDS = st.floats(-6, 6, allow_nan=False)
SHARES = arrays(np.float64, (5, len(NAMES)), elements=ODDS)


def facts_like(values: np.ndarray, **more: float) -> dict[str, np.ndarray]:
    """Facts of as many customers as there are rows, 12 of everything unless said otherwise."""
    return {name: np.full(len(values), more.get(name, 12.0)) for name in NAMES}


def risk_of(log_odds: np.ndarray) -> np.ndarray:
    """The probability not to order."""
    return 1 / (1 + np.exp(log_odds))


@given(SHARES, ODDS)
def test_points_of_all_themes_add_up_to_the_difference_from_the_average(values, base):
    points = points_of(NAMES, values, base)
    risk, average = risk_of(base + values.sum(axis=1)), risk_of(np.array(base))
    assert points.values.sum(axis=1) == pytest.approx(100 * (risk - average), abs=1e-6)
    assert points.risk == pytest.approx(risk) and points.average_risk == pytest.approx(float(average))


@given(SHARES, ODDS)
def test_what_raises_the_odds_to_order_lowers_the_risk(values, base):
    points = points_of(NAMES, values, base)
    by_theme = {theme: sum(values[:, i] for i, n in enumerate(NAMES) if words_of(n).theme == theme) for theme in points.themes}
    for place, theme in enumerate(points.themes):
        assert (points.values[:, place] * by_theme[theme] <= 1e-9).all()


@given(SHARES, ODDS)
def test_reasons_come_strongest_first_and_from_different_themes(values, base):
    found = reasons(NAMES, values, base, facts_like(values), horizon_days=90)
    for row in range(len(values)):
        themes = [theme for theme in found.themes[row] if theme >= 0]
        size = np.abs(found.points.values[row, themes])
        assert len(set(themes)) == len(themes) and (np.diff(size) <= 1e-9).all()
        texts = [text[row].as_py() for text in found.texts]
        assert [text is not None for text in texts] == [theme >= 0 for theme in found.themes[row]]


@given(SHARES, ODDS, st.sets(st.sampled_from([name for name in NAMES if name != "mean_gap_days"])))
def test_nothing_is_said_of_a_fact_the_customer_does_not_have(values, base, missing):
    facts = facts_like(values) | {name: np.full(len(values), np.nan) for name in missing}
    found = reasons(NAMES, values, base, facts, horizon_days=90)
    spoken = {said(words_of(name), np.nan if name in missing else 12.0, 90) for name in NAMES if name not in missing}
    for text in (text for column in found.texts for text in column.to_pylist() if text is not None):
        assert text.rsplit(": ", 1)[0] in spoken


def test_the_sentences_people_read():
    values = np.array([[-1.2, 0.0, 0.6, 0.0, 0.2, 0.0, 0.0], [0.9, 0.3, 0.0, -0.5, 0.0, 0.0, 0.01]])
    facts = facts_like(values) | {"recency_days": np.array([143.0, 3.0]), "orders_last_30d": np.array([0.0, 2.0])}
    facts["mean_gap_days"] = np.array([40.0, np.nan])
    found = reasons(NAMES, values, 0.0, facts, horizon_days=180, currency="GBP")
    said_of = [[column[row].as_py() for column in found.texts] for row in range(2)]
    assert said_of == [
        ["last order 143 days ago: +30 points", "12 orders so far: -15 points", "£12.00 spent so far: -5 points"],
        [
            "last order 3 days ago: -29 points",
            "no rhythm of purchases to go by yet: +12 points",
            "loyalty points at 12: -0.2 points",
        ],
    ]


def test_a_fact_nobody_has_described_appears_by_itself():
    found = reasons(["shoe_size"], np.array([[2.0]]), 0.0, {"shoe_size": np.array([43.0])}, horizon_days=90)
    assert found.texts[0].to_pylist() == ["shoe size at 43: -38 points"]


def test_what_a_model_expects_is_never_a_sentence_but_counts_in_its_theme():
    values = np.array([[-1.0, -0.5]])
    facts = {"p_alive": np.array([0.3]), "mean_gap_days": np.array([20.0])}
    found = reasons(["p_alive", "mean_gap_days"], values, 0.0, facts, horizon_days=90)
    assert found.texts[0].to_pylist() == ["20 days between purchases on average: +32 points"]
    alone = reasons(["p_alive"], values[:, :1], 0.0, facts, horizon_days=90)
    assert [text.to_pylist() for text in alone.texts] == [[None]] * 3


def test_nobody_gives_no_reasons():
    found = reasons(NAMES, np.empty((0, len(NAMES))), 0.3, {name: np.empty(0) for name in NAMES}, horizon_days=90)
    assert [len(text) for text in found.texts] == [0, 0, 0]


@pytest.mark.parametrize(
    "name", [*WORDS, "orders_last_90d", "spend_prior_horizon", "days_last_365d", "category_share_toys", "x{y}"]
)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.37, 1234.5])
def test_every_fact_has_a_whole_sentence(name, value):
    words = words_of(name)
    if words.is_spoken:
        text = said(words, value, 90, "EUR")
        assert text and "{" not in text and text == text.strip()
