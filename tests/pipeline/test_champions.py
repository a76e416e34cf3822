"""The champion forecast of a run: what it learns from, that it is stored and loaded, and what is said where there is none."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from shops import staged

from customer_genome import Genome, run
from customer_genome.errors import RegistryError
from customer_genome.features.labels import build_labels
from customer_genome.features.past import build_past, cutoff_table, mark_before, training_cutoffs
from customer_genome.features.table import build_features
from customer_genome.features.trials import digest_below
from customer_genome.refresh import refresh
from customer_genome.registry import aliases
from customer_genome.settings import CleaningSettings, read_settings
from customer_genome.sources.synthetic import simulate
from customer_genome.stages.champions import build_known_facts, fact_names, facts_at, labels_at
from customer_genome.stages.fitting import CHAMPION, load_champions, numbers
from customer_genome.stages.publishing import RunResult
from customer_genome.warehouse.build import build_marts, build_orders
from customer_genome.warehouse.duckdb import DuckDBEngine
from customer_genome.workspace import Workspace, sha256_of

PREDICTIONS = (
    "p_alive", "predicted_orders", "predicted_spend", "spend_lower", "spend_upper", "clv_180d", "clv_lower", "clv_upper",
    "churn_probability", "next_order_on",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A simulated shop with history enough to learn from, and what its run said."""
    workspace = tmp_path_factory.mktemp("champion")
    lines = simulate(n_lines=5_000, seed=6).order_lines().read_all()
    return workspace, run(lines, workspace)


def predictions(workspace: Path) -> pa.Table:
    with Genome.open(workspace) as genome:
        return genome.query(f"select customer_id, {', '.join(PREDICTIONS)} from customers order by customer_id")


def test_a_run_trains_a_champion_stores_it_and_says_why(shop: tuple[Path, RunResult]) -> None:
    workspace, result = shop
    models, versions = load_champions(Workspace(workspace).models)
    assert models.champion is not None and models.champion_days == result.horizon_days
    assert versions[CHAMPION] == result.models[CHAMPION] and set(models.champion.words) <= set(result.fit)
    assert result.fit[0] == models.champion.words[0], "who forecasts is said first"
    folder = Workspace(workspace).models / CHAMPION / versions[CHAMPION]
    card = json.loads((folder / "card.json").read_text())
    assert tuple(card["features"]) == models.champion.features and card["libraries"]["lightgbm"]
    assert card["horizon_days"] == result.horizon_days and card["figures"]
    assert {path.suffix for path in folder.iterdir()} == {".npz", ".json"}, "arrays and a card, nothing that runs"


def test_no_columns_of_a_customer_contradict_each_other(shop: tuple[Path, RunResult]) -> None:
    found = {name: column.to_numpy() for name, column in zip(PREDICTIONS[:-1], predictions(shop[0]).columns[1:-1], strict=True)}
    chance = 1 - found["churn_probability"]
    assert (found["p_alive"] >= chance - 1e-12).all() and (found["predicted_orders"] >= chance - 1e-12).all()
    for low, middle, high in (("spend_lower", "predicted_spend", "spend_upper"), ("clv_lower", "clv_180d", "clv_upper")):
        assert (found[low] >= 0).all() and (found[low] <= found[middle]).all() and (found[middle] <= found[high]).all()
    assert ((chance < 0.5) | (found["predicted_spend"] > 0)).all()
    own = load_champions(Workspace(shop[0]).models)[0]
    assert own.champion is not None and not np.allclose(chance, own.champion.held_out["chance"].mean())


def test_the_next_order_falls_within_the_horizon_where_it_is_likelier_than_not(shop: tuple[Path, RunResult]) -> None:
    workspace, result = shop
    table = predictions(workspace)
    end = result.as_of + dt.timedelta(days=result.horizon_days)
    likely = pc.less(table["churn_probability"], 0.5).to_numpy()
    within = pc.fill_null(pc.less(table["next_order_on"], pa.scalar(end)), False).to_numpy()
    near = np.abs(table["churn_probability"].to_numpy() - 0.5) < 0.01  # a day more or less
    assert (likely == within)[~near].all() and 0 < likely.sum() < len(likely)


def test_stored_champions_score_the_same(shop: tuple[Path, RunResult]) -> None:
    workspace, result = shop
    before = predictions(workspace)
    again = run(simulate(n_lines=5_000, seed=6).order_lines().read_all(), workspace, refit=False)
    assert again.version != result.version and again.models == result.models
    assert predictions(workspace).equals(before)
    assert not any("alone" in notice for notice in again.notices)


def test_another_horizon_is_forecast_by_the_own_models_and_that_is_said(shop: tuple[Path, RunResult]) -> None:
    workspace, result = shop
    lines = simulate(n_lines=5_000, seed=6).order_lines().read_all()
    again = run(lines, workspace, refit=False, settings={"prediction": {"horizon_days": result.horizon_days - 30}})
    said = next(notice for notice in again.notices if "alone" in notice)
    assert f"{result.horizon_days} days ahead" in said and "genome refresh --refit" in said


def changed_card(workspace: Path, **values: object) -> Workspace:
    """Give the champion's card other values."""
    place = Workspace(workspace)
    folder = place.models / CHAMPION / aliases(place.models, CHAMPION)["champion"]
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, **values, "sha256": sha256_of(folder / "arrays.npz")}))
    return place


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"features": ["recency_days", "shoe_size"]}, "shoe_size"),
        ({"libraries": {"lightgbm": "3.3.5"}}, "stored by LightGBM 3.3.5"),
        ({"libraries": {}}, "an unknown version"),
    ],
)
def test_a_champion_of_other_facts_or_another_library_is_refused(
    values: dict[str, object], said: str, shop: tuple[Path, RunResult], tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(shop[0], copy)
    place = changed_card(copy, **values)
    with pytest.raises(RegistryError, match="genome run") as raised:
        load_champions(place.models)
    assert said in str(raised.value)
    with pytest.raises(RegistryError, match="genome run"):
        refresh(read_settings(copy))


def test_a_short_history_is_forecast_by_the_own_models_and_that_is_said(tmp_path: Path) -> None:
    lines = simulate(n_lines=400, seed=2, days=28).order_lines().read_all()
    result = run(lines, tmp_path)
    champion = load_champions(Workspace(tmp_path).models)[0].champion
    assert champion is not None and champion.words[0] in result.fit
    assert "purchase and spend models" in " ".join(champion.words) or "own" in " ".join(champion.words)
    assert result.customers > 10 and predictions(tmp_path).num_rows == result.customers


# --- what it learns from ---------------------------------------------------------------------------------------------


def lines_of_a_shop() -> list[dict[str, object]]:
    """Forty customers who come now and then over 200 days, and bring something back at times."""
    rng = np.random.default_rng(3)
    rows: list[dict[str, object]] = []
    for customer in range(40):
        for order, day in enumerate(sorted(rng.choice(200, size=rng.integers(1, 9), replace=False))):
            at = dt.datetime(2024, 1, 1, 9) + dt.timedelta(days=int(day))
            price = float(rng.integers(1, 50))
            rows.append(
                {"order_id": f"{customer}-{order}", "customer_id": f"c{customer}", "ordered_at": at, "product_id": "p", "quantity": 2, "price": price}
            )  # fmt: skip
            if rng.random() < 0.2:
                back = at + dt.timedelta(days=int(rng.integers(1, 40)))
                rows.append(
                    {"order_id": f"C{customer}-{order}", "customer_id": f"c{customer}", "ordered_at": back, "product_id": "p", "quantity": -1, "price": price}
                )  # fmt: skip
    return rows


def facts_and_labels(engine: DuckDBEngine, day: dt.date) -> tuple[pa.Table, pa.Table]:
    table = facts_at(engine, day)
    names = ["customer_id", *fact_names(table.schema)]
    return table.select(names), labels_at(engine, day)


@pytest.mark.parametrize("refunds", ["drop", "net"])
def test_earlier_cutoffs_are_as_a_run_of_then_would_have_seen_them(refunds: str) -> None:
    days, horizon = [dt.date(2024, 4, 1), dt.date(2024, 5, 1)], 30
    engine = staged(lines_of_a_shop(), refunds=refunds)
    build_orders(engine)
    build_past(engine, cutoff_table(days, horizon), nets_refunds=refunds == "net", has_discounts=False)
    build_known_facts(engine)
    for day in days:
        other = staged(lines_of_a_shop(), refunds=refunds)
        build_marts(other, cutoff_table([day], horizon), CleaningSettings(refunds=refunds))  # type: ignore[arg-type]
        build_features(other, (), category_key=None, has_customers=False, has_discounts=False, most_categories=0, home_country="")
        build_known_facts(other)
        build_labels(other, nets_refunds=refunds == "net")
        for found, wanted in zip(facts_and_labels(engine, day), facts_and_labels(other, day), strict=True):
            assert found.num_rows > 20 and found.column_names == wanted.column_names
            assert found["customer_id"].equals(wanted["customer_id"])
            for name in found.column_names[1:]:
                np.testing.assert_allclose(numbers(found, name), numbers(wanted, name), rtol=1e-12, err_msg=name)


def test_only_drawn_customers_are_built() -> None:
    engine = staged(lines_of_a_shop())
    build_orders(engine)
    as_of, mark = dt.date(2024, 7, 1), digest_below(0.5)
    assert mark_before(engine, as_of) == "g" and mark_before(engine, as_of, most=10) < "5"
    build_past(engine, cutoff_table([dt.date(2024, 4, 1)], 30, mark), nets_refunds=False, has_discounts=False)
    build_known_facts(engine)
    everybody = "select customer_id from order_days where ordered_on < date '2024-04-01' group by 1"
    drawn = engine.fetch(f"select * from ({everybody}) where left(digest(customer_id), 8) < '{mark}' order by customer_id")
    assert 5 < drawn.num_rows < engine.fetch(everybody).num_rows
    for table in ("customer_facts", "known_facts", "labels"):
        found = engine.fetch(f"select customer_id from {table} order by customer_id")
        assert found["customer_id"].to_pylist() == drawn["customer_id"].to_pylist()


def test_no_horizon_to_learn_from_ends_after_the_cutoff() -> None:
    first, as_of = dt.date(2020, 1, 1), dt.date(2022, 3, 5)
    for horizon in (30, 90, 180):
        days = training_cutoffs([as_of], first, horizon)
        assert days and all(day + dt.timedelta(days=horizon) <= as_of for day in days)
