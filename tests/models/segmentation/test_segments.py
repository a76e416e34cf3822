"""RFM scores: value cut points, few different values, unknown values, and a grid that names every cell once."""

from __future__ import annotations

import itertools
from pathlib import Path

import duckdb
import numpy as np
import pytest

from customer_genome.errors import ContractError
from customer_genome.models.segmentation.segments import (
    RFM_GRID,
    RFM_SEGMENTS,
    quintile_cuts,
    quintile_scores,
    rfm_scores,
    rfm_segment,
    significant,
)


def test_every_cell_of_the_grid_has_one_of_the_eleven_names() -> None:
    scores = np.array(list(itertools.product(range(1, 6), repeat=3)))
    names = rfm_segment(scores[:, 0], scores[:, 1], scores[:, 2])
    assert names.null_count == 0
    assert set(names.to_pylist()) == set(RFM_SEGMENTS)
    assert len(set(RFM_SEGMENTS)) == 11
    assert sorted(RFM_GRID) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("scores", "name"),
    [
        ((5, 5, 5), "Champions"),
        ((4, 5, 4), "Champions"),
        ((4, 4, 4), "Loyal Customers"),
        ((5, 2, 3), "Potential Loyalists"),
        ((5, 1, 1), "New Customers"),
        ((4, 1, 1), "Promising"),
        ((3, 3, 2), "Needs Attention"),
        ((3, 1, 2), "About to Sleep"),
        ((2, 3, 4), "At Risk"),
        ((1, 5, 5), "Can't Lose Them"),
        ((2, 1, 1), "Hibernating"),
        ((1, 1, 2), "Lost"),
    ],
)
def test_names_of_typical_customers(scores: tuple[int, int, int], name: str) -> None:
    assert rfm_segment(*(np.array([score]) for score in scores)).to_pylist() == [name]


def test_fifths_of_distinct_values() -> None:
    values = np.arange(1.0, 101.0)
    scores = quintile_scores(values, quintile_cuts(values))
    assert np.bincount(scores)[1:].tolist() == [20] * 5
    inverted = quintile_scores(values, quintile_cuts(values), lowest_is_best=True)
    assert (inverted == 6 - scores).all()


def test_two_thirds_with_one_order_all_score_one() -> None:
    orders = np.array([1.0] * 66 + [2.0] * 20 + [9.0] * 14)
    scores = quintile_scores(orders, quintile_cuts(orders))
    assert set(scores[:66]) == {1}
    assert set(scores[66:86]) == {4}, "above the three lowest cut points, which all are one order"
    assert set(scores[86:]) == {5}


def test_the_most_recent_share_the_best_score_however_many_they_are() -> None:
    recency = np.array([1.0] * 60 + [30.0] * 20 + [200.0] * 20)
    scores = quintile_scores(recency, quintile_cuts(recency), lowest_is_best=True)
    assert scores[:60].tolist() == [5] * 60
    assert scores[60] > scores[-1]


@pytest.mark.parametrize("values", [[7.0], [7.0, 7.0, 7.0], [0.0] * 10])
def test_equal_customers_stand_in_the_middle(values: list[float]) -> None:
    cuts = quintile_cuts(values)
    assert np.isnan(cuts).all()
    assert set(quintile_scores(values, cuts)) == {3}
    assert set(quintile_scores(values, cuts, lowest_is_best=True)) == {3}


def test_one_customer_needs_attention_rather_than_being_called_lost() -> None:
    assert rfm_scores([5], [2], [10.0]).rfm_segment.to_pylist() == ["Needs Attention"]


def test_unknown_values_have_no_score_and_move_no_cut_point() -> None:
    with_gaps = np.array([1.0, np.nan, 2.0, 3.0, 4.0, 5.0, np.nan])
    cuts = quintile_cuts(with_gaps)
    assert cuts.tolist() == quintile_cuts([1, 2, 3, 4, 5]).tolist()
    assert quintile_scores(with_gaps, cuts).tolist() == [1, 0, 2, 3, 4, 5, 0]
    scored = rfm_scores(with_gaps, np.arange(7.0), np.arange(7.0))
    assert [name is None for name in scored.rfm_segment.to_pylist()] == [False, True, False, False, False, False, True]


def test_noise_in_the_last_bits_splits_no_tie() -> None:
    spend = np.array([0.1 + 0.2, 0.3, 0.3, 0.30000000000000004, 5.0])
    assert len(set(quintile_scores(spend, quintile_cuts(spend))[:4])) == 1


def test_later_customers_are_scored_against_the_stored_cuts() -> None:
    run = rfm_scores(np.arange(1.0, 101.0), np.arange(1.0, 101.0), np.arange(1.0, 101.0))
    later = rfm_scores([1.0], [1000.0], [1000.0], cuts=run.cuts)
    assert later.rfm_segment.to_pylist() == ["Champions"]


def test_scores_outside_the_scale_are_refused() -> None:
    with pytest.raises(ContractError, match=r"found 1\.\.6"):
        rfm_segment(np.array([6]), np.array([1]), np.array([1]))


def test_significant_keeps_what_cannot_be_rounded() -> None:
    kept = significant([0.0, np.nan, np.inf, -np.inf, 1e300, -1234.5])
    assert kept[0] == 0 and np.isnan(kept[1]) and kept[2] == np.inf and kept[3] == -np.inf
    assert kept[4] == pytest.approx(1e300, rel=1e-11) and kept[5] == -1234.5
    assert significant(123456789.0123456) == 123456789.012


def test_online_retail_by_cut_points_that_sql_finds(genome_data: Path) -> None:
    source = str(genome_data / "online_retail.parquet")
    with duckdb.connect() as own:
        customers = own.execute(
            """
            with lines as (
                select distinct * from read_parquet($source)
                where CustomerID is not null and Quantity > 0 and UnitPrice > 0 and InvoiceNo not like 'C%'
            )
            select CustomerID, count(distinct InvoiceNo) as n_orders, sum(cast(Quantity * UnitPrice as decimal(18, 4))) as spend,
                   datediff('day', cast(max(InvoiceDate) as date), date '2011-12-10') as recency
            from lines group by CustomerID order by CustomerID
            """,
            {"source": source},
        ).fetchnumpy()
    assert len(customers["CustomerID"]) == 4338
    spend = np.asarray(customers["spend"], dtype=np.float64)
    scored = rfm_scores(customers["recency"], customers["n_orders"], spend)
    for name, values in (("recency", customers["recency"]), ("frequency", customers["n_orders"]), ("monetary", spend)):
        ordered = np.sort(np.asarray(values, dtype=np.float64))
        assert scored.cuts[name].tolist() == [ordered[int(np.ceil(4338 * fifth / 5)) - 1] for fifth in (1, 2, 3, 4)]
    one_order = scored.frequency_score[customers["n_orders"] == 1]
    assert len(one_order) == 1493 and set(one_order) == {1}, "a third of the customers bought once and share a score"
    assert set(scored.rfm_segment.to_pylist()) == set(RFM_SEGMENTS)
    champions = np.array(scored.rfm_segment.to_pylist()) == "Champions"
    lost = np.array(scored.rfm_segment.to_pylist()) == "Lost"
    assert spend[champions].sum() > 0.5 * spend.sum() > 20 * spend[lost].sum()
