"""What value and risk rest on: labels before the workspace's own order lines before other shops; and how far the last of these carries."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest

from customer_genome import Genome, run, simulate
from customer_genome.errors import ContractError
from customer_genome.models.totals_forecast import CrowdOfTotals, SeenShop, TotalsForecast
from totals_tables import totals_of, without

TOTALS = ["CustomerID", "total_orders", "total_quantity", "total_spend", "avg_order_value", "recency_days", "unique_products"]
QUICK = {"segments": {"k": 3}}


def stored():
    return json.loads(files("customer_genome.models").joinpath("reference_forecast.json").read_text())


def shop(n, seed, slope=-1.0):
    """Return a shop whose customers order the less, the longer they were quiet."""
    rng = np.random.default_rng(seed)
    orders = 1.0 + rng.geometric(0.3, n)
    recency = np.floor(1 + rng.uniform(0, 365, n))
    chance = 1 / (1 + np.exp(-(0.8 * np.log(orders) + slope * np.log(recency / 365) - 0.5)))
    later = (rng.uniform(size=n) < chance) * rng.poisson(orders, n)
    return SeenShop(CrowdOfTotals(365.0, 20.0), orders, recency, later.astype(float))


def test_a_fit_finds_what_made_the_data():
    found = TotalsForecast.fit([shop(20_000, 1), shop(20_000, 2)], 180)
    assert found.chance[1] > 0.5 and found.chance[2] < -0.5
    assert found.orders[1] > 0.5


@pytest.mark.slow
def test_every_shop_weighs_alike_however_large():
    small, large = shop(500, 1, slope=-2.0), shop(50_000, 2, slope=-0.2)
    both = TotalsForecast.fit([small, large], 180).chance[2]
    alone = [TotalsForecast.fit([one], 180).chance[2] for one in (small, large)]
    assert abs(both - np.mean(alone)) < 0.35


def test_a_longer_silence_never_raises_the_chance_and_more_orders_never_lower_it():
    reference = stored()
    forecast = TotalsForecast(180, np.array(reference["chance"]), np.array(reference["orders"]))
    crowd = CrowdOfTotals(360.0, 30.0)
    quiet = forecast.of(np.full(50, 4.0), np.arange(1.0, 400.0, 8.0), np.full(50, 30.0), crowd)
    assert (np.diff(quiet.chance) <= 1e-12).all() and (np.diff(quiet.spend) <= 1e-9).all()
    often = forecast.of(np.arange(1.0, 51.0), np.full(50, 60.0), np.full(50, 30.0), crowd)
    assert (np.diff(often.chance) > 0).all() and (np.diff(often.orders) > 0).all()


def test_money_in_another_currency_changes_no_chance_and_scales_spend():
    reference = stored()
    forecast = TotalsForecast(180, np.array(reference["chance"]), np.array(reference["orders"]))
    orders, recency, value = np.array([1.0, 5.0]), np.array([10.0, 90.0]), np.array([20.0, 33.0])
    one = forecast.of(orders, recency, value, CrowdOfTotals(300.0, 25.0))
    other = forecast.of(orders, recency, 100 * value, CrowdOfTotals(300.0, 2500.0))
    assert one.chance.tolist() == other.chance.tolist()
    assert other.spend == pytest.approx(100 * one.spend)


def test_nobody_to_learn_from_is_refused():
    with pytest.raises(ContractError, match="forecast from totals: 0 customers"):
        TotalsForecast.fit([], 180)
    everybody = SeenShop(CrowdOfTotals(100.0, 10.0), np.ones(5), np.ones(5), np.ones(5))
    with pytest.raises(ContractError, match="5 customers, of whom 5 ordered"):
        TotalsForecast.fit([everybody], 180)


def test_the_reference_carries_its_provenance_and_measured_transfer():
    reference = stored()
    assert reference["made_by"] == "tools/reference_forecast.py"
    assert {row["shop"] for row in reference["transfer"]} == {row["shop"] for row in reference["shops"]}
    for row in reference["transfer"]:
        assert row["auc"] > row["auc_fitted_here"] - 0.02, "the ranking carries over"
        assert 0.3 < row["spend_said_over_actual"] < 3.5, "the level does not: that is why ranks and bands are shown"


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Publish order lines, then totals, in one workspace."""
    workspace = tmp_path_factory.mktemp("taught")
    lines = simulate(n_lines=6_000, seed=4).order_lines().read_all()
    run(lines, workspace, settings=QUICK)
    result = run(pa.table(totals_of(80)), workspace, settings=QUICK)
    return workspace, result


@pytest.mark.slow
def test_own_order_lines_come_before_other_shops(taught):
    workspace, result = taught
    with Genome.open(workspace) as genome:
        assert genome.query("select distinct risk_basis, reliability from customers").to_pylist() == [
            {"risk_basis": "champion", "reliability": "medium"}
        ]
    assert any("this workspace's own order lines taught about totals" in notice for notice in result.notices)


@pytest.mark.slow
def test_labels_come_first_and_are_no_facts(tmp_path):
    rows = totals_of(240)
    chance = np.array(rows["recency_days"]) / 400
    rows["Churn"] = ["Yes" if flip else "No" for flip in np.random.default_rng(0).uniform(size=240) < chance]
    result = run(pa.table(rows), tmp_path, settings=QUICK)
    assert any("come from this table's own labels (Churn)" in notice for notice in result.notices)
    with Genome.open(tmp_path) as genome:
        found = genome.table("customers")
        assert set(found["risk_basis"].to_pylist()) == {"label"}
        assert not any("churn_label" in name or name == "attribute_churn" for name in found.column_names)
        assert genome.query("select count(reason_1) as n from customers").column("n")[0].as_py() > 0
        assert genome.query("select count(clv_180d) as n from customers").column("n")[0].as_py() == 240, (
            "value still comes from totals"
        )


def test_a_label_that_teaches_nothing_gives_way_with_the_reason(tmp_path):
    rows = totals_of(30) | {"Churn": ["Yes"] * 3 + ["No"] * 27}
    result = run(pa.table(rows), tmp_path, settings=QUICK)
    assert any(notice.startswith("Nothing was learned from the label Churn: ") for notice in result.notices)
    with Genome.open(tmp_path) as genome:
        assert genome.query("select distinct risk_basis from customers").to_pylist() == [{"risk_basis": "borrowed"}]


def test_refitting_is_refused_where_the_columns_are_others(tmp_path):
    rows = totals_of(40)
    run(pa.table(rows), tmp_path, settings=QUICK)
    again = run(pa.table(rows), tmp_path, settings=QUICK, refit=False)
    assert again.customers == 40
    with pytest.raises(Exception, match=r"Stored groups v00001 were found in .*same columns in the same order"):
        run(pa.table(without(rows, "unique_products")), tmp_path, settings=QUICK, refit=False)
