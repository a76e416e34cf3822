"""Bands, money at stake and the heat map."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.priority import (
    churn_band,
    clv_band,
    confidence_score,
    expected_value_loss,
    heat_map,
    priority_segment,
)
from customer_genome.errors import SettingsError
from in_memory import clv_cuts


def test_the_best_fifth_is_high_and_the_lower_half_low() -> None:
    clv = np.arange(1.0, 101.0)
    bands = clv_band(clv, clv_cuts(clv)).to_pylist()
    assert bands == ["Low"] * 50 + ["Medium"] * 30 + ["High"] * 20


def test_one_giant_does_not_empty_the_band() -> None:
    clv = np.append(np.arange(1.0, 100.0), 1e9)
    assert clv_band(clv, clv_cuts(clv)).to_pylist().count("High") == 20


def test_equal_values_share_a_band_even_when_most_are_worth_nothing() -> None:
    clv = np.array([0.0] * 90 + [5.0] * 10)
    assert clv_band(clv, clv_cuts(clv)).to_pylist() == ["Low"] * 90 + ["High"] * 10


@pytest.mark.parametrize("clv", [[5.0], [5.0, 5.0], [0.0, 0.0], [float("nan"), 5.0]])
def test_customers_who_do_not_differ_are_medium(clv: list[float]) -> None:
    assert set(clv_band(clv, clv_cuts(clv)).to_pylist()) - {None} == {"Medium"}


def test_unknown_is_no_band() -> None:
    assert clv_band([np.nan], (1, 2)).to_pylist() == [None]
    assert churn_band([np.nan]).to_pylist() == [None]
    assert np.isneginf(clv_cuts([np.nan])[0])


def test_risk_has_fixed_edges_that_can_be_set() -> None:
    assert churn_band([0.0, 0.39, 0.4, 0.69, 0.7, 1.0]).to_pylist() == ["Low", "Low", "Medium", "Medium", "High", "High"]
    assert churn_band([0.3, 0.5], (0.2, 0.4)).to_pylist() == ["Medium", "High"]


@pytest.mark.parametrize("cuts", [(0.7, 0.4), (0.5,), (0.1, 0.2, 0.3), (float("nan"), 1.0)])
def test_edges_that_do_not_rise_are_refused(cuts: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError, match="two rising numbers"):
        churn_band([0.5], cuts)


def test_confidence_and_loss_as_they_are_defined() -> None:
    assert confidence_score([0.25, 1.0]).tolist() == [0.75, 0.0]
    assert expected_value_loss([100.0, 50.0], [0.25, 1.0]).tolist() == [25.0, 50.0]


def test_priority_reads_as_both_bands() -> None:
    value, risk = pa.chunked_array([["High"], ["Low"]]), pa.array(["High", None])
    assert priority_segment(value, risk).to_pylist() == ["High value / High risk", "Low value / Unknown risk"]


def test_the_heat_map_has_nine_cells_and_zeros_where_nobody_is() -> None:
    cells = heat_map({("High", "Low"): (3, 900.0, 45.0), ("Low", "High"): (1, 10.0, 9.0)}, 5)
    assert [(cell.clv_band, cell.churn_band) for cell in cells] == [
        (value, risk) for value in ("High", "Medium", "Low") for risk in ("High", "Medium", "Low")
    ]
    assert [cell.n_customers for cell in cells] == [0, 0, 3, 0, 0, 0, 1, 0, 0]
    assert sum(cell.share_of_customers for cell in cells) == pytest.approx(4 / 5), "one customer has no band"
    assert sum(cell.clv for cell in cells) == 910 and cells[2].expected_value_loss == 45
    assert heat_map({}, 0)[0].share_of_customers == 0
