"""Facts exported from order lines and fed back as totals: the same customers, the same segments, and the same order of risk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from customer_genome import Genome, run, simulate
from customer_genome.answers.exports import export_table
from customer_genome.customer_level import GENOME_COLUMNS

SETTINGS = {"segments": {"features": list(GENOME_COLUMNS)}}
GROUPS = "cluster_kmeans, cluster_hierarchical, cluster_gmm"
FACTS = "n_orders, total_quantity, total_spend, mean_order_value, recency_days, unique_products"


def round_trip(data, folder: Path, settings) -> tuple[list, list]:
    """Return what is published of order lines, and of their export fed back as totals, both by customer."""
    run(data, folder / "lines", settings=settings)
    export_table(folder / "lines", folder / "customers.csv", None)
    result = run(str(folder / "customers.csv"), folder / "totals", settings=settings)
    assert result.level == "customers"
    found = []
    for name in ("lines", "totals"):
        with Genome.open(folder / name) as genome:
            sql = f"select customer_id, {FACTS}, {GROUPS}, rfm_segment, churn_probability, clv_180d from customers order by customer_id"
            found.append(genome.query(sql).to_pylist())
    return found[0], found[1]


def same(one, other, columns) -> None:
    assert [row["customer_id"] for row in one] == [row["customer_id"] for row in other]
    for column in columns.split(", "):
        assert [row[column] for row in one] == [row[column] for row in other], column


def agreement(one, other, column) -> float:
    """Return the rank correlation of a figure between the two."""
    return float(spearmanr([row[column] for row in one], [row[column] for row in other])[0])


@pytest.mark.slow
def test_facts_and_segments_of_a_small_shop_come_back(tmp_path):
    lines = simulate(n_lines=5_000, seed=11).order_lines().read_all()
    one, other = round_trip(lines, tmp_path, {"segments": {**SETTINGS["segments"], "k": 3}})
    same(one, other, "n_orders, recency_days, unique_products, rfm_segment, cluster_kmeans, cluster_hierarchical, cluster_gmm")
    assert np.allclose([row["total_spend"] for row in one], [row["total_spend"] for row in other])
    assert agreement(one, other, "churn_probability") > 0.4, "totals hide when a customer began, which counts in a simulated shop"


@pytest.mark.slow
def test_segments_of_online_retail_come_back_and_borrowed_risk_agrees(genome_data, tmp_path):
    one, other = round_trip(str(genome_data / "online_retail.parquet"), tmp_path, SETTINGS)
    assert len(one) == 4_338
    same(one, other, f"n_orders, recency_days, unique_products, rfm_segment, {GROUPS}")
    assert agreement(one, other, "churn_probability") > 0.8
    assert agreement(one, other, "clv_180d") > 0.8
