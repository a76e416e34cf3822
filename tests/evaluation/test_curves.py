"""Curves of forecasts: what is drawn says the same as the figures, and counts add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from customer_genome.evaluation.curves import MOST_POINTS, curves, precision_recall, reliability, roc, tenths, thresholds
from customer_genome.models.candidates import Expected

CUSTOMERS = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.floats(0, 1)), min_size=1, max_size=200)


def columns(customers):
    """Outcomes and chances as arrays."""
    return tuple(np.array(column) for column in zip(*customers, strict=True))


@given(CUSTOMERS)
def test_groups_of_the_reliability_diagram_hold_every_customer_once(customers):
    ordered, chance = columns(customers)
    rows = reliability(ordered, chance)
    assert sum(row["customers"] for row in rows) == len(ordered)
    assert sum(row["share_ordered"] * row["customers"] for row in rows) == pytest.approx(ordered.sum())
    assert all(row["lower"] <= row["share_ordered"] + 1e-12 and row["share_ordered"] <= row["upper"] + 1e-12 for row in rows)
    assert [row["chance"] for row in rows] == sorted(row["chance"] for row in rows)


@given(CUSTOMERS)
def test_the_area_under_the_roc_curve_is_the_auc(customers):
    ordered, chance = columns(customers)
    rows = roc(ordered, chance)
    if not 0 < ordered.sum() < len(ordered):
        assert rows == []
    elif len(np.unique(chance)) < MOST_POINTS:
        area = np.trapezoid([row["y"] for row in rows], [row["x"] for row in rows])
        assert area == pytest.approx(roc_auc_score(ordered, chance))


@given(CUSTOMERS)
def test_curves_end_where_everybody_is_named(customers):
    ordered, chance = columns(customers)
    found = precision_recall(ordered, chance)
    if ordered.sum():
        assert found[-1]["x"] == 1.0 and found[-1]["y"] == pytest.approx(found[-1]["base"])
    else:
        assert found == []


@given(CUSTOMERS)
def test_every_threshold_counts_every_customer_once(customers):
    ordered, chance = columns(customers)
    for row in thresholds(ordered, chance, ordered * 10.0):
        assert row["named_gone"] + row["missed_gone"] == (ordered == 0).sum()
        assert row["named_came"] + row["left_came"] == (ordered == 1).sum()
        assert row["named_gone"] + row["named_came"] == (1 - chance >= row["threshold"]).sum()


def test_tenths_keep_the_money():
    draw = np.random.default_rng(1)
    true, predicted = draw.gamma(1, 50, 203), draw.gamma(1, 50, 203)
    rows = tenths(true, predicted)
    assert sum(row["actual"] * row["customers"] for row in rows) == pytest.approx(true.sum())
    assert [row["predicted"] for row in rows] == sorted(row["predicted"] for row in rows)


def test_long_curves_are_thinned_and_a_target_without_forecast_has_none():
    draw = np.random.default_rng(2)
    chance = draw.random(5000)
    ordered = (draw.random(5000) < chance).astype(float)
    found = curves([ordered * 5], [ordered], [Expected(chance=chance)])
    assert set(found) == {"reliability", "roc", "pr", "thresholds"}
    assert all(len(rows) <= MOST_POINTS for rows in found.values())
    assert curves([], [], []) == {}
