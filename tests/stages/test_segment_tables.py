"""What the engine says of clusters is what plain arithmetic says of the same customers, for every method."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.models.segmentation.clusters import CLUSTER_COLUMNS, CLUSTER_FEATURES, Clusters, fit_clusters
from customer_genome.models.segmentation.groupings import METHODS
from customer_genome.stages.segment_tables import name_all, names_to_carry, segment_figures, segment_tables
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.warehouse.engine import Engine
from in_memory import figures_of_clusters


@pytest.fixture(params=["duckdb", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.timeout(600)])])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    opened = DuckDBEngine(threads=2) if request.param == "duckdb" else request.getfixturevalue("local_spark")()
    yield opened
    opened.close()


def shop(n: int = 600, seed: int = 5) -> tuple[pa.Table, Clusters]:
    """Return customers with facts, predictions and clusters."""
    chance = np.random.default_rng(seed)
    kind = np.arange(n) % 4
    orders = chance.poisson(np.array([12.0, 4.0, 2.0, 0.3])[kind]) + 1.0
    facts = {
        "recency_days": np.round(chance.gamma(4, np.array([3.0, 20.0, 8.0, 70.0])[kind])) + 1,
        "n_orders": orders,
        "total_spend": np.round(orders * chance.lognormal(3, 0.4, n), 2),
        "tenure_days": np.round(chance.gamma(6, np.array([90.0, 80.0, 10.0, 60.0])[kind])) + 300,
        "unique_products": orders * chance.integers(1, 9, n),
        "churn_probability": np.clip(chance.normal(np.array([0.1, 0.4, 0.3, 0.9])[kind], 0.05), 0, 1),
        "discount_share": np.where(chance.uniform(0, 1, n) < 0.1, np.nan, chance.uniform(0, 1, n)),
        "spend_last_90d": chance.uniform(0, 50, n),
        "spend_prior_90d": chance.uniform(0, 50, n),
    }
    facts["mean_order_value"] = facts["total_spend"] / orders
    facts["clv_180d"] = facts["total_spend"] * (1 - facts["churn_probability"])
    facts["expected_value_loss"] = facts["clv_180d"] * facts["churn_probability"]
    table = pa.table({"customer_id": [f"c{place}" for place in range(n)], **facts})
    features = np.column_stack([facts[name] for name in CLUSTER_FEATURES])
    clusters = fit_clusters(features, CLUSTER_FEATURES, facts["total_spend"], k=4)
    for name, labels in clusters.assign(features, CLUSTER_FEATURES).items():
        table = table.append_column(name, pa.array(labels))
    return table, clusters


def test_figures_and_effects_are_those_of_the_customers(engine: Engine) -> None:
    table, clusters = shop()
    engine.write("everyone", table)
    found = segment_figures(engine, "everyone", clusters)
    for method in METHODS:
        labels = table[CLUSTER_COLUMNS[method]].to_numpy()
        expected = figures_of_clusters(labels, table)
        assert found[method].figures.schema == expected.schema
        for name in expected.column_names:
            ours, theirs = (pa.compute.fill_null(one[name], -1).to_pylist() for one in (found[method].figures, expected))
            assert ours == pytest.approx(theirs, rel=1e-11), name
        for cluster, effects in found[method].effects.items():
            for effect in effects:
                values = table[effect.fact].to_numpy()
                if effect.fact in clusters.features:
                    unit = clusters.transformation.unit[clusters.features.index(effect.fact)]
                    values = np.log1p(values / unit)
                own, rest = values[(labels == cluster) & ~np.isnan(values)], values[(labels != cluster) & ~np.isnan(values)]
                within = ((own - own.mean()) ** 2).sum() + ((rest - rest.mean()) ** 2).sum()
                d = (own.mean() - rest.mean()) / np.sqrt(within / (len(own) + len(rest) - 2))
                assert effect.size == pytest.approx(d, abs=2e-6), (method, cluster, effect.fact)


def test_every_method_has_unique_names_personas_and_strategies(engine: Engine) -> None:
    table, clusters = shop()
    engine.write("everyone", table)
    figures = segment_figures(engine, "everyone", clusters)
    named = name_all(figures, clusters, "EUR")
    tables = segment_tables(figures, named, clusters)
    profiles = tables["segment_profiles"].to_pylist()
    for method in METHODS:
        rows = [row for row in profiles if row["method"] == method]
        assert len({row["segment_name"] for row in rows}) == len(rows) == clusters.groupings[method].k
        assert all(row["persona"] and row["strategy"] and row["reason"] for row in rows)
        assert sum(row["customers"] for row in rows) == table.num_rows
        assert sum(row["customer_share"] for row in rows) == pytest.approx(1)
        for column in ("total_spend", "clv_180d", "expected_value_loss"):
            assert sum(row[column] for row in rows) == pytest.approx(table[column].to_numpy().sum(), rel=1e-11)
    assert {row["method"] for row in profiles if row["is_naming"]} == {"kmeans"}
    loyal = max((row for row in profiles if row["method"] == "kmeans"), key=lambda row: row["mean_spend"])
    assert loyal["persona"].startswith("They order more often, ") and "bought more recently than the others: " in loyal["persona"]
    assert tables["cluster_counts"]["is_chosen"].to_pylist() == [True] * 3
    assert tables["cluster_stability"]["kept_share"].null_count == 3, "there was no run before"


def test_names_given_before_stay_where_a_figure_crosses_a_bound_by_a_hair() -> None:
    engine = DuckDBEngine(threads=2)
    table, clusters = shop()
    engine.write("everyone", table)
    figures = segment_figures(engine, "everyone", clusters)
    first = name_all(figures, clusters, "EUR")["kmeans"]
    renamed = {"kmeans": {one.cluster: ("Loyal & High Value", f"Loyal & High Value (no. {one.cluster})") for one in first}}
    again = name_all(figures, clusters.with_names(renamed), "EUR")["kmeans"]
    assert [one.label for one in again] == [one.label for one in first], "a name that is not true does not stay"
    kept = name_all(figures, clusters.with_names(names_to_carry({"kmeans": first})), "EUR")["kmeans"]
    assert [one.name for one in kept] == [one.name for one in first]
    engine.close()


def test_nobody_and_missing_facts_are_described() -> None:
    engine = DuckDBEngine(threads=2)
    table, clusters = shop()
    engine.write("bare", table.select(["customer_id", "total_spend", *CLUSTER_COLUMNS.values()]))
    figures = segment_figures(engine, "bare", clusters)
    named = name_all(figures, clusters, "")
    assert all("spent" in one.persona for one in named["gmm"])
    assert segment_tables(figures, named, clusters)["segment_profiles"]["clv_180d"].null_count == 12
    engine.close()
