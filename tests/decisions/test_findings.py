"""Findings: the figures are those of the data handed in, also for one customer, none, and none with a country."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.crowd import crowd_of, spend_bins
from customer_genome.decisions.findings import (
    Finding,
    findings,
    gini_of,
    hidden_potential,
    revenue_concentration,
    segment_revenue,
    top_country,
)


def by_id(table: pa.Table, currency: str = "GBP") -> dict[str, Finding]:
    """Return the findings by id."""
    return {finding.id: finding for finding in findings(table, currency=currency)}


def test_the_top_tenth_of_ten_customers_is_one() -> None:
    found = revenue_concentration(crowd_of(pa.table({"total_spend": [10.0] * 9 + [110.0]})), 10, "EUR")
    assert found.value == pytest.approx(0.55)
    assert found.sentence == "The one customer who spent most (of 10) brings 55 % of the revenue: €110 of €200."


def test_parts_of_customers_are_rounded_up_to_whole_ones() -> None:
    found = revenue_concentration(crowd_of(pa.table({"total_spend": [5.0, 4.0, 3.0, 2.0, 1.0, 1.0, 1.0]})), 20)
    assert found.value == pytest.approx(9 / 17)
    assert found.sentence.startswith("The 2 customers who spent most (29 % of 7) bring 53 % of the revenue")


@pytest.mark.parametrize(
    ("values", "gini"),
    [([], 0.0), ([3.0], 0.0), ([2.0, 2.0], 0.0), ([0.0, 1.0], 0.5), ([0.0, 0.0], 0.0), ([1.0, 2.0, 3.0, 4.0], 0.25)],
)
def test_gini_of_cases_known_by_hand(values: list[float], gini: float) -> None:
    assert gini_of(spend_bins(values)) == pytest.approx(gini)


def test_gini_is_half_the_mean_difference_over_the_mean() -> None:
    spend = np.random.default_rng(4).lognormal(3, 1.5, 200)
    assert gini_of(spend_bins(spend)) == pytest.approx(np.abs(spend[:, None] - spend[None, :]).mean() / (2 * spend.mean()))


def test_the_lorenz_curve_starts_ends_and_sags() -> None:
    chart = by_id(pa.table({"total_spend": [1.0, 2.0, 7.0]}))["revenue_gini"].chart
    customers, revenue = np.array(chart["share_of_customers"]), np.array(chart["share_of_revenue"])
    assert (revenue[0], revenue[-1]) == (0.0, 1.0)
    assert (np.diff(revenue) >= 0).all() and (revenue <= customers + 1e-12).all()


def test_one_customer_is_described_without_pretending_a_crowd() -> None:
    one = pa.table(
        {
            "total_spend": [80.0],
            "n_orders": [3],
            "primary_country": ["France"],
            "churn_probability": [0.2],
            "segment_name": ["At Risk"],
        }
    )
    found = by_id(one)
    assert found["revenue_top_20"].sentence == "There is one customer, who brings all the revenue."
    assert found["revenue_gini"].sentence == "There is one customer, so spend cannot be uneven."
    assert (
        found["one_or_two_orders"].sentence == "There is one customer, with 3 orders." and found["one_or_two_orders"].value == 0
    )
    assert (
        found["top_country"].sentence
        == "Customers whose main country is France bring 100 % of the revenue (£80.00); they are 100 % of 1 customer in 1 country."
    )
    assert found["hidden_potential"].value == 1
    assert found["top_segment_name"].value == 1


def test_what_the_data_cannot_say_is_said() -> None:
    bare = by_id(pa.table({"total_spend": [1.0, 2.0]}))
    assert bare["top_country"].value is None and bare["top_country"].sentence == "The data names no country."
    assert bare["hidden_potential"].value is None and bare["one_or_two_orders"].value is None
    nobody = findings(pa.table({"total_spend": pa.array([], pa.float64()), "n_orders": pa.array([], pa.int64())}))
    assert all(finding.value is None and finding.n == 0 for finding in nobody)
    free = by_id(pa.table({"total_spend": [0.0, 0.0], "primary_country": ["A", "B"]}))
    assert free["revenue_top_10"].value is None and free["revenue_gini"].value is None and free["top_country"].value is None


def test_an_unknown_country_is_never_the_strongest() -> None:
    table = pa.table({"total_spend": [90.0, 5.0, 5.0], "primary_country": ["Unknown", "France", None]})
    found = top_country(crowd_of(table))
    assert "France bring 5.0 % of the revenue" in found.sentence
    assert top_country(crowd_of(table.slice(0, 1))).value is None


def test_hidden_potential_counts_low_spend_with_a_high_chance() -> None:
    table = pa.table(
        {"total_spend": [10.0, 20.0, 30.0, 40.0], "churn_probability": [0.3, 0.5, 0.1, 0.1], "horizon_days": [180] * 4}
    )
    found = hidden_potential(crowd_of(table), "GBP")
    assert found.value == 1
    assert found.sentence == (
        "1 customer (25 % of 4) spent little and has a high chance to return (at most £20.00 so far, 50 % of customers spent no more; "
        "chance of another order within 180 days at least 60 %)."
    )
    assert sum(found.chart["customers"]) == 2
    assert hidden_potential(crowd_of(table, likely=0.95)).sentence.startswith("No customer of 4 combines")


def test_segments_add_up_to_the_revenue(shop: pa.Table) -> None:
    bands = pa.array(np.array(["A", "B", "C"])[np.arange(shop.num_rows) % 3])
    found = segment_revenue(crowd_of(shop.append_column("playbook", bands)), "playbook")
    assert sum(found.chart["revenue"]) == pytest.approx(shop["total_spend"].to_numpy().sum())
    assert list(found.chart["revenue"]) == sorted(found.chart["revenue"], reverse=True)


def test_findings_are_true_of_the_part_that_is_handed_in(shop: pa.Table) -> None:
    germany = shop.filter(pa.compute.equal(shop["primary_country"], "Germany"))
    found = by_id(germany, "")
    assert f"of {germany.num_rows:,})" in found["revenue_top_10"].sentence
    assert found["top_country"].value == 1.0
    assert found["one_or_two_orders"].value == pytest.approx((germany["n_orders"].to_numpy() <= 2).mean())


def test_online_retail_as_sql_counts_it(genome_data: Path, online_retail: pa.Table) -> None:
    found = by_id(online_retail)
    with duckdb.connect() as own:
        top, few, home = own.execute(
            """
            with lines as (
                select distinct * from read_parquet($source)
                where CustomerID is not null and Quantity > 0 and UnitPrice > 0 and InvoiceNo not like 'C%'
            ),
            customers as (
                select CustomerID, sum(cast(Quantity * UnitPrice as decimal(18, 4))) as spend, count(distinct InvoiceNo) as orders, min(Country) as country
                from lines group by CustomerID
            )
            select
                (select sum(spend) from (select spend from customers order by spend desc limit 868)) / sum(spend),
                avg(case when orders <= 2 then 1 else 0 end),
                sum(case when country = 'United Kingdom' then spend end) / sum(spend)
            from customers
            """,
            {"source": str(genome_data / "online_retail.parquet")},
        ).fetchone()
    assert found["revenue_top_20"].value == pytest.approx(float(top), rel=1e-9)
    assert found["one_or_two_orders"].value == pytest.approx(few) == pytest.approx(0.5367, abs=1e-4), (
        "a good half, not three quarters"
    )
    assert found["top_country"].value == pytest.approx(float(home), rel=1e-9)
    assert "United Kingdom" in found["top_country"].sentence
    assert (
        found["revenue_top_20"].sentence
        == "The 868 customers who spent most (20 % of 4,338) bring 75 % of the revenue: £6,637,301 of £8,887,209."
    )
    assert 0 < found["hidden_potential"].value < 2169
    shares = [float(number) for number in re.findall(r"([\d.]+) %", found["revenue_gini"].sentence)]
    assert found["revenue_gini"].value == pytest.approx(0.716, abs=0.001) and shares == [pytest.approx(7.8, abs=0.1)]
