"""Shapley values of trees: they add up to what is predicted, and are the same on any number of processors."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.candidates.boosted import taught


@pytest.fixture(scope="module")
def lesson() -> tuple[np.ndarray, np.ndarray]:
    """Columns, some of them empty, and what came."""
    draw = np.random.default_rng(5)
    columns = draw.normal(size=(1500, 6))
    ordered = (columns[:, 0] + 0.5 * columns[:, 1] * columns[:, 2] + draw.normal(size=1500) > 0).astype(float)
    columns[draw.random((1500, 6)) < 0.1] = np.nan
    return columns, ordered


def test_shares_add_up_to_the_log_odds_of_every_row(lesson):
    trees = taught("binary", *lesson)
    shares, base = trees.shares(lesson[0])
    assert base + shares.sum(axis=1) == pytest.approx(trees.predict(lesson[0]), abs=1e-9)


def test_shares_are_the_same_on_one_processor_and_on_several_and_row_by_row(lesson):
    trees = taught("binary", *lesson)
    shares, _ = trees.shares(lesson[0])
    for n_threads in (1, 2, 3):
        found = trees._booster().predict(lesson[0], pred_contrib=True, num_threads=n_threads)
        assert (found[:, :-1] == shares).all()
    assert (trees.shares(lesson[0][7:8])[0] == shares[7:8]).all()
