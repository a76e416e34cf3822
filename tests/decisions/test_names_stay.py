"""Numbers and names of segments stay: other rows, another seed, small changes and new customers rename nobody."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.models.segmentation.clusters import CLUSTER_COLUMNS, Clusters, fit_clusters
from customer_genome.models.segmentation.groupings import METHODS, Method
from customer_genome.stages.segment_tables import name_all, names_to_carry, segment_figures
from customer_genome.warehouse.duckdb import DuckDBEngine

FACTS = ("recency_days", "n_orders", "total_spend", "mean_order_value", "tenure_days")
FIGURES = ("churn_probability", "clv_180d", "spend_last_90d", "spend_prior_90d")


def features_of(customers: pa.Table) -> np.ndarray:
    """Return the facts that clusters are found in."""
    return np.column_stack([customers[name].cast(pa.float64()).to_numpy() for name in FACTS])


def with_names(clusters: Clusters, customers: pa.Table) -> Clusters:
    """Return clusters with the names that a run would give them."""
    features = features_of(customers)
    table = customers.select(list(dict.fromkeys((*FACTS, *FIGURES))))
    for column, numbers in clusters.assign(features, FACTS).items():
        table = table.append_column(column, pa.array(numbers))
    engine = DuckDBEngine(threads=1)
    engine.write("everyone", table)
    named = name_all(segment_figures(engine, "everyone", clusters), clusters, "GBP")
    engine.close()
    return clusters.with_names(names_to_carry(named))


@pytest.fixture(scope="module")
def first(online_retail: pa.Table) -> Clusters:
    """Return the clusters of a first run."""
    features = features_of(online_retail)
    return with_names(fit_clusters(features, FACTS, features[:, 2]), online_retail)


def changed(customers: pa.Table, seed: int) -> pa.Table:
    """Return customers whose facts moved by up to 2 %, and 1 % new ones who are like some of them."""
    chance = np.random.default_rng(seed)
    n = customers.num_rows
    new = customers.take(pa.array(chance.integers(0, n, n // 100)))
    later = pa.concat_tables([customers, new])
    columns: dict[str, Any] = {name: later[name] for name in later.column_names}
    for name in FACTS:
        columns[name] = pa.array(later[name].cast(pa.float64()).to_numpy() * chance.uniform(0.98, 1.02, later.num_rows))
    return pa.table(columns)


def agreement(one: Clusters, other: Clusters, customers: pa.Table, method: Method) -> float:
    """Return the share of customers whom both give the same number."""
    features = features_of(customers)
    return float((one.predict(features, FACTS, method) == other.predict(features, FACTS, method)).mean())


def test_another_order_of_rows_and_another_seed(online_retail: pa.Table, first: Clusters) -> None:
    shuffled = online_retail.take(pa.array(np.random.default_rng(3).permutation(online_retail.num_rows)))
    features = features_of(shuffled)
    again = with_names(fit_clusters(features, FACTS, features[:, 2], seed=1234, before=first), shuffled)
    assert again.k == first.k
    for method in METHODS:
        assert agreement(first, again, online_retail, method) > 0.99, method
        assert again.names[method] == first.names[method]


@pytest.mark.parametrize("seed", [5, 6])
def test_small_changes_and_one_percent_new_customers(online_retail: pa.Table, first: Clusters, seed: int) -> None:
    later = changed(online_retail, seed)
    features = features_of(later)
    again = with_names(fit_clusters(features, FACTS, features[:, 2], seed=seed, before=first), later)
    assert again.k == first.k
    for method in ("kmeans", "gmm"):
        assert agreement(first, again, online_retail, method) > 0.95, method
        assert again.names[method] == first.names[method]
    steady = {one.method: one for one in again.steadiness}
    assert steady["kmeans"].kept_share > 0.97 and not steady["kmeans"].new and not steady["kmeans"].gone


def test_clusters_of_other_features_say_nothing_about_numbers(online_retail: pa.Table, first: Clusters) -> None:
    features = features_of(online_retail)[:, :3]
    again = fit_clusters(features, FACTS[:3], features[:, 2], before=first)
    assert np.isnan(again.steadiness[0].kept_share) and not again.names


def test_every_method_is_published(first: Clusters) -> None:
    assert set(first.names) == set(CLUSTER_COLUMNS)
    for method, names in first.names.items():
        assert len({name for _, name in names.values()}) == first.groupings[method].k
