"""One row per customer on Spark: the same groups, bands and actions as on DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from customer_genome import Genome, run

if TYPE_CHECKING:
    from customer_genome.warehouse.spark import SparkEngine

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]
COMPARED = (
    "customer_id, n_orders, total_spend, recency_days, cluster_kmeans, cluster_hierarchical, cluster_gmm, rfm_segment, segment_name, churn_band, "
    "clv_band, risk_basis, playbook, recommended_action, playbook_reason"
)


def test_totals_say_the_same_on_both_engines(local_spark: Callable[[], SparkEngine], tmp_path: Path) -> None:
    local_spark().close()  # the Spark that all tests share is there
    rows = ["CustomerID,total_orders,total_quantity,total_spend,recency_days,unique_products"]
    rows += [f"C{n:04d},{1 + n % 9},{3 * n % 50 + 1},{20 + n * 7 % 900}.5,{1 + n * 11 % 300},{1 + n % 6}" for n in range(240)]
    path = tmp_path / "customers.csv"
    path.write_text("\n".join(rows) + "\n")
    found = []
    for engine in ("duckdb", "spark"):
        result = run(path, tmp_path / engine, settings={"engine": {"name": engine, "spark_master": "local[2]"}})
        assert (result.level, result.customers) == ("customers", 240)
        with Genome.open(tmp_path / engine) as genome:
            found.append(genome.query(f"select {COMPARED} from customers order by customer_id").to_pylist())
    assert found[0] == found[1]
