"""Numbers of clusters stay with the customers who had them; tests/decisions/test_names_stay.py shows it on real customers."""

from __future__ import annotations

import numpy as np

from customer_genome.models.segmentation.segment_numbers import fresh_numbers, matched_numbers

PLACES = np.repeat([0, 1, 2], [50, 30, 20])
ONES = np.ones(100)


def test_a_first_run_counts_from_nought() -> None:
    assert fresh_numbers(3).ids.tolist() == [0, 1, 2] and fresh_numbers(3).next_id == 3


def test_the_same_clusters_in_another_order_keep_their_numbers() -> None:
    found = matched_numbers(np.array([2, 0, 1])[PLACES], 3, np.array([4, 0, 7])[PLACES], ONES, [0, 4, 7], 8)
    assert found.ids.tolist() == [0, 7, 4]
    assert (found.kept_share, found.new, found.gone, found.next_id) == (1.0, (), (), 8)


def test_the_larger_half_keeps_the_number_and_the_other_gets_one_nobody_ever_had() -> None:
    before = np.zeros(100, dtype=np.int64)
    now = np.repeat([0, 1], [35, 65])
    found = matched_numbers(now, 2, before, ONES, [0, 3], 9)
    assert found.ids.tolist() == [9, 0]
    assert (found.kept_share, found.new, found.gone, found.next_id) == (0.65, (9,), (3,), 10)


def test_weights_count() -> None:
    weights = np.where(np.arange(100) < 35, 10.0, 1.0)
    found = matched_numbers(np.repeat([0, 1], [35, 65]), 2, np.zeros(100, dtype=np.int64), weights, [0], 1)
    assert found.ids.tolist() == [0, 1]
