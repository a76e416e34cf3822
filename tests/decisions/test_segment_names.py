"""Cluster names follow what customers do, never the number of the cluster."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.segment_names import LABELS, STRATEGIES, name_segments, segment_column
from customer_genome.errors import ContractError
from customer_genome.models.segmentation.clusters import fit_clusters
from in_memory import figures_of_clusters, named


def cluster(n: int, **facts: float) -> dict[str, list[float]]:
    """Return n equal customers."""
    usual = {
        "total_spend": 100.0,
        "churn_probability": 0.3,
        "recency_days": 50.0,
        "mean_order_value": 50.0,
        "n_orders": 2.0,
        "tenure_days": 200.0,
        "spend_last_90d": 20.0,
        "spend_prior_90d": 20.0,
        "discount_share": 0.2,
    }
    return {name: [value] * n for name, value in (usual | facts).items()}


def table(*clusters: dict[str, list[float]], without: tuple[str, ...] = ()) -> tuple[np.ndarray, pa.Table]:
    """Return labels and facts of several clusters."""
    labels = np.repeat(np.arange(len(clusters)), [len(facts["total_spend"]) for facts in clusters])
    columns = {name: np.concatenate([facts[name] for facts in clusters]) for name in clusters[0] if name not in without}
    return labels, pa.table(columns)


BEST = cluster(20, total_spend=1000.0, churn_probability=0.05, recency_days=8.0, n_orders=12.0)
RISING = cluster(60, churn_probability=0.2, recency_days=20.0, spend_last_90d=60.0)
BARGAIN = cluster(60, total_spend=80.0, discount_share=0.7, mean_order_value=30.0)
SLOWING = cluster(40, churn_probability=0.45, recency_days=110.0, spend_last_90d=4.0)
GONE = cluster(80, total_spend=40.0, churn_probability=0.9, recency_days=300.0, spend_last_90d=0.0, spend_prior_90d=5.0)


def test_each_kind_of_cluster_earns_its_label() -> None:
    names = named(*table(BEST, RISING, BARGAIN, SLOWING, GONE))
    assert [segment.name for segment in names] == [
        "Loyal & High Value",
        "Growing Customers",
        "Price Sensitive",
        "At Risk",
        "High Churn Risk",
    ]
    assert [segment.n_customers for segment in names] == [20, 60, 60, 40, 80]
    assert all(segment.strategy == STRATEGIES[segment.label] for segment in names)


def test_the_number_of_the_cluster_plays_no_part() -> None:
    labels, facts = table(BEST, RISING, BARGAIN, SLOWING, GONE)
    here = segment_column(labels, named(labels, facts))
    renumbered = np.array([3, 0, 4, 2, 1])[labels]
    assert segment_column(renumbered, named(renumbered, facts)).equals(here)


def test_without_discounts_small_orders_stand_in_and_the_reason_says_so() -> None:
    labels, facts = table(BEST, RISING, BARGAIN, GONE, without=("discount_share",))
    names = named(labels, facts)
    assert names[2].label == "Price Sensitive"
    assert "no discounts, so this is judged by small orders" in names[2].reason
    assert "no discounts" not in names[0].reason


def test_a_shop_that_loses_nobody_has_no_high_churn_risk() -> None:
    names = named(
        *table(
            cluster(30, total_spend=900.0, churn_probability=0.001),
            cluster(60, churn_probability=0.02),
            cluster(60, churn_probability=0.05),
        )
    )
    assert "High Churn Risk" not in {segment.label for segment in names}


def test_clusters_that_earn_the_same_label_are_told_apart_by_what_differs() -> None:
    old = cluster(50, churn_probability=0.2, recency_days=20.0, spend_last_90d=60.0, tenure_days=700.0)
    new = cluster(50, churn_probability=0.2, recency_days=20.0, spend_last_90d=60.0, tenure_days=70.0)
    names = named(*table(BEST, old, new, GONE))
    assert [segment.name for segment in names][1:3] == ["Growing Customers (long-standing)", "Growing Customers (newer)"]


@pytest.mark.parametrize("n", [1, 2, 6, 9, 12])
def test_names_are_unique_however_many_clusters_there_are(n: int) -> None:
    chance = np.random.default_rng(n)
    same = [cluster(5) for _ in range(n // 2)]
    names = named(*table(*same, *(cluster(5, total_spend=float(chance.uniform(50, 150))) for _ in range(n - n // 2))))
    assert len({segment.name for segment in names}) == n
    assert {segment.label for segment in names} <= set(LABELS)


def test_a_file_without_recency_and_risk_still_gets_names() -> None:
    labels, facts = table(BEST, RISING, GONE)
    names = named(labels, facts.select(["total_spend", "n_orders"]))
    assert names[0].label == "Loyal & High Value"
    bare = named(np.zeros(3, dtype=int), pa.table({"customer_id": ["a", "b", "c"]}))
    assert bare[0].reason == "Nothing is known about them but that they are alike."


def test_the_reason_gives_the_figures() -> None:
    names = named(*table(BEST, GONE), "GBP")
    assert names[0].reason.startswith(
        "Spend £1,000 each (4.3 x everybody's); risk of not coming back 5.0 % (7 % of everybody's); last order typically 8 days ago"
    )
    assert names[0].profile["mean_spend"] == 1000


@pytest.mark.parametrize(("rows", "found"), [([0, 1], 0), ([0, 2, 2], 2)])
def test_figures_need_one_row_for_everybody(rows: list[int], found: int) -> None:
    figures = figures_of_clusters(*table(BEST, GONE)).take(pa.array(rows))
    with pytest.raises(ContractError, match=f"{found} rows for everybody among {len(rows)}"):
        name_segments(figures)


def test_online_retail_has_readable_segments(online_retail: pa.Table) -> None:
    features = ("recency_days", "n_orders", "total_spend", "mean_order_value", "tenure_days")
    numbers = [online_retail[name].cast(pa.float64()).to_numpy() for name in features]
    found = fit_clusters(np.column_stack(numbers), features, numbers[2])
    names = named(found.labels, online_retail, "GBP")
    assert names[0].label == "Loyal & High Value", "those who spend most come first"
    assert len({segment.name for segment in names}) == found.k
    leaving = [segment for segment in names if segment.label == "High Churn Risk"]
    assert leaving and all(segment.profile["churn_probability"] > 0.5 for segment in leaving)
    assert segment_column(found.labels, names).null_count == 0
