"""Customers to decide on: a simulated shop, and Online Retail with predictions of the product's own models."""

from __future__ import annotations

import datetime as dt
import tomllib
from importlib.resources import files
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.playbooks import Playbook, parse_playbooks
from customer_genome.decisions.priority import churn_band
from customer_genome.models import BetaGeometricNBD, GammaGamma, lifetime_value

ONLINE_RETAIL = """
with lines as (
    select distinct * from read_parquet($source)
    where CustomerID is not null and Quantity > 0 and UnitPrice > 0 and InvoiceNo not like 'C%'
),
orders as (
    select CustomerID as customer, InvoiceNo, min(cast(InvoiceDate as date)) as day, sum(Quantity * UnitPrice) as spend, any_value(Country) as country
    from lines group by all
),
gaps as (
    select customer, day, sum(spend) as spend, datediff('day', lag(day) over (partition by customer order by day), day) as gap
    from orders group by customer, day
),
rhythm as (select customer, count(*) as n_purchase_days, avg(spend) as mean_spend_per_day, avg(gap) as mean_gap_days from gaps group by customer)
select
    cast(customer as varchar) as customer_id, date '2011-12-10' as as_of, count(*) as n_orders, sum(spend) as total_spend,
    avg(spend) as mean_order_value, min(day) as first_order_on, max(day) as last_order_on,
    datediff('day', max(day), date '2011-12-10') as recency_days, datediff('day', min(day), date '2011-12-10') as tenure_days,
    datediff('day', min(day), max(day)) as activity_days, any_value(n_purchase_days) as n_purchase_days,
    any_value(mean_spend_per_day) as mean_spend_per_day, any_value(mean_gap_days) as mean_gap_days, min(country) as primary_country,
    coalesce(sum(spend) filter (where datediff('day', day, date '2011-12-10') <= 90), 0) as spend_last_90d,
    coalesce(sum(spend) filter (where datediff('day', day, date '2011-12-10') between 91 and 180), 0) as spend_prior_90d,
    cast(null as double) as discount_share
from orders join rhythm using (customer)
group by customer order by customer
"""


@pytest.fixture(scope="session")
def default_document() -> dict:
    """Return the packaged playbook file, parsed."""
    return tomllib.loads(files("customer_genome.decisions").joinpath("playbooks.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def default_playbooks(default_document: dict) -> tuple[Playbook, ...]:
    """Return the packaged playbooks."""
    return parse_playbooks(default_document)


@pytest.fixture(scope="session")
def shop() -> pa.Table:
    """Return 1,000 simulated customers with facts and predictions; one in three bought once."""
    chance = np.random.default_rng(11)
    n = 1000
    orders = np.where(np.arange(n) % 3 == 0, 1, chance.geometric(0.25, n) + 1)
    tenure = chance.integers(20, 366, n)
    recency = np.where(orders == 1, tenure, np.maximum(1, (tenure * chance.uniform(0, 1, n) ** 2).astype(int)))
    spend = np.round(orders * chance.lognormal(4, 0.8, n), 2)
    gap = np.where(orders > 1, (tenure - recency) / np.maximum(orders - 1, 1), np.nan)
    moving_away = np.where(np.arange(n) % 17 == 0, 0.5, 0.0)  # whom facts alone would not give away
    churn = np.clip(recency / 450 + 0.15 / orders + moving_away, 0.01, 0.99)
    lately, before = spend * chance.uniform(0, 0.5, n) * (recency <= 90), spend * chance.uniform(0, 0.5, n)
    as_of = dt.date(2024, 7, 1)
    return pa.table(
        {
            "customer_id": [f"c{place:04}" for place in range(n)],
            "as_of": pa.array([as_of] * n),
            "n_orders": orders,
            "total_spend": spend,
            "mean_order_value": spend / orders,
            "first_order_on": pa.array([as_of - dt.timedelta(days=int(days)) for days in tenure]),
            "recency_days": recency,
            "tenure_days": tenure,
            "mean_gap_days": pa.array(gap, from_pandas=True),
            "spend_last_90d": lately,
            "spend_prior_90d": before,
            "spend_trend": pa.array((lately - before) / np.where(lately + before > 0, lately + before, np.nan), from_pandas=True),
            "discount_share": chance.beta(1, 4, n),
            "primary_country": pa.array(
                np.array(["France", "Germany", None], dtype=object)[chance.choice(3, n, p=[0.6, 0.3, 0.1])]
            ),
            "is_home_country": chance.uniform(0, 1, n) < 0.5,
            "churn_probability": churn,
            "churn_band": churn_band(churn),
            "clv_180d": spend * (1 - churn) * 0.7,
            "horizon_days": pa.array(np.full(n, 180), pa.int32()),
        }
    )


@pytest.fixture(scope="session")
def online_retail(genome_data: Path) -> pa.Table:
    """Return the 4,338 customers of Online Retail with facts and predictions over 180 days."""
    with duckdb.connect() as connection:
        facts = connection.sql(ONLINE_RETAIL, params={"source": str(genome_data / "online_retail.parquet")}).to_arrow_table()

    def numbers(name: str) -> np.ndarray:
        return facts[name].cast(pa.float64()).to_numpy()

    history = (numbers("n_purchase_days") - 1, numbers("activity_days"), numbers("tenure_days") - 1)
    purchases = BetaGeometricNBD().fit(*history)
    spend = GammaGamma().fit(numbers("n_purchase_days"), numbers("mean_spend_per_day"))
    lately, before = numbers("spend_last_90d"), numbers("spend_prior_90d")
    trend = np.divide(lately - before, lately + before, out=np.full(len(lately), np.nan), where=lately + before > 0)
    value = lifetime_value(purchases, spend, *history, numbers("n_purchase_days"), numbers("mean_spend_per_day"), 180)
    churn = 1 - purchases.probability_of_order(*history, 180)
    predicted = {
        "spend_trend": pa.array(trend, from_pandas=True),
        "churn_probability": pa.array(churn),
        "churn_band": churn_band(churn),
        "clv_180d": pa.array(value),
        "horizon_days": pa.array(np.full(len(lately), 180), pa.int32()),
    }
    for name, values in predicted.items():
        facts = facts.append_column(name, values)
    return facts
