"""Lists of recommendations are the same on DuckDB and on Spark, learned from everybody or from a draw of customers."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pyarrow as pa
import pytest

from customer_genome.features.past import cutoff_table
from customer_genome.proof.parity import compare
from customer_genome.settings import RecommendSettings
from customer_genome.stages.recommending import name_companions, recommend_all
from customer_genome.warehouse.duckdb import DuckDBEngine
from shops_of_taste import AS_OF, N_EACH, two_tastes

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
START = dt.date(2020, 1, 1)
KEYS = {"recommendations": ("customer_id", "view", "rank", "product_id", "reason"), "scored_customers": ("customer_id",)}
SMALL = ("bought_together", "popular_items", "recommendation_quality")
ACTION = "Suggest what goes with it."


def stand(engine):
    """Put order lines, refunds and the cutoff of the shop of two tastes where a run would have made them."""
    shop = two_tastes()
    rows = list(zip(shop.customer.tolist(), shop.item.tolist(), shop.day.tolist(), strict=True))
    rows += [(place, item, AS_OF - 20) for place in range(40) for item in (21, 22)] + [
        (place, 21, AS_OF - 20) for place in range(40, 45)
    ]
    days = [START + dt.timedelta(days=day) for _, _, day in rows]
    names = [f"item {item}" for _, item, _ in rows]
    customers = [f"c{place:03}" for place, _, _ in rows]
    lines = {
        "line_id": pa.array(range(len(rows)), pa.int64()), "customer_id": customers, "product_id": names, "description": names,
        "category": pa.nulls(len(rows), pa.string()), "ordered_on": pa.array(days, pa.date32()),
        "ordered_at": pa.array([dt.datetime.combine(day, dt.time(12)) for day in days], pa.timestamp("us")),
        "country": ["Catland" if place < N_EACH else "Dogland" for place, _, _ in rows],
    }  # fmt: skip
    engine.write("order_lines", pa.table(lines))
    refunds = {"as_of": pa.date32(), "line_id": pa.int64(), "is_whole": pa.bool_()}
    engine.write("refunds", pa.schema(list(refunds.items())).empty_table())
    engine.write("cutoffs", cutoff_table([START + dt.timedelta(days=AS_OF)], 30))
    decided = {"customer_id": sorted(set(customers)), "recommended_action": [ACTION] * len(set(customers))}
    engine.write("decided_customers", pa.table(decided))


@pytest.mark.parametrize(
    "settings",
    [RecommendSettings(top=5), RecommendSettings(top=5, most_purchases=1_500, most_customers=70)],
    ids=["everybody", "a draw"],
)
def test_lists_are_equal(local_spark, settings):
    sources = {"order_lines": SimpleNamespace(mapping={"product_id": ("product_id",), "description": ("description",)})}
    engines = [DuckDBEngine(), local_spark()]
    found = []
    for engine in engines:
        stand(engine)
        found.append(recommend_all(engine, sources, settings, START + dt.timedelta(days=AS_OF), 30, 7))
        name_companions(engine)
    report = compare(*engines, KEYS)
    assert report.differences == () and report.max_relative_difference < 1e-9
    assert report.tables[0].rows[0] > 5 * min(settings.most_customers, 2 * N_EACH)
    assert found[0].notices == found[1].notices
    assert all(found[0].tables[name].equals(found[1].tables[name]) for name in SMALL)
    named = engines[1].fetch(f"select customer_id from scored_customers where recommended_action <> '{ACTION}'")
    assert {f"c{place:03}" for place in range(40, 45)} & set(named["customer_id"].to_pylist())
    if settings.most_purchases < 10_000:
        said = " ".join(found[0].notices)
        assert "Recommendations were learned from" in said and "the 70 customers who bought last" in said
    for engine in engines:
        engine.close()
