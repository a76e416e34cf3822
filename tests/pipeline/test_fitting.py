"""Models learn from collapsed histories and a weighted sample, and come back from the registry as they went in."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.errors import RegistryError
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.segmentation.clusters import CLUSTER_FEATURES
from customer_genome.settings import PredictionSettings, Settings
from customer_genome.stages.fitting import (
    PURCHASE_FEATURES,
    Models,
    cluster_features,
    fit_models,
    fit_sample,
    load_champions,
    make_champions,
    numbers,
    purchase_histories,
    shares_to_draw,
    store_models,
)
from simulated_facts import AS_OF, engine_with, simulated_facts


@pytest.fixture(scope="module")
def facts() -> pa.Table:
    return simulated_facts()


def test_histories_hold_every_customer_once(facts):
    earlier = facts.set_column(1, "as_of", pa.array([AS_OF - dt.timedelta(days=90)] * facts.num_rows))
    histories = purchase_histories(engine_with(pa.concat_tables([facts, earlier])))
    assert sum(histories["n_customers"].to_pylist()) == facts.num_rows
    assert histories.num_rows < facts.num_rows
    expanded = [np.repeat(numbers(histories, name), histories["n_customers"].to_pylist()) for name in PURCHASE_FEATURES]
    expected = [numbers(facts, "n_purchase_days") - 1, numbers(facts, "activity_days"), numbers(facts, "tenure_days") - 1]
    assert sorted(zip(*expanded, strict=True)) == sorted(zip(*expected, strict=True))


def test_counts_of_histories_give_the_fit_of_all_customers(facts):
    models = fit_models(engine_with(facts), Settings(None))
    n_days = numbers(facts, "n_purchase_days")
    everybody = BetaGeometricNBD().fit(n_days - 1, numbers(facts, "activity_days"), numbers(facts, "tenure_days") - 1)
    np.testing.assert_allclose(models.purchases.parameters_, everybody.parameters_, rtol=1e-6)
    assert models.purchases.report_.n_customers == models.spend.report_.n_customers == facts.num_rows


def test_a_sample_is_of_the_wanted_size_and_stands_for_all(facts):
    sample = fit_sample(engine_with(facts), 400)
    assert 300 < sample.num_rows < 500
    assert sum(sample["weight"].to_pylist()) == pytest.approx(facts.num_rows)
    counts = sample.group_by("stratum").aggregate([("weight", "sum"), ("customer_id", "count")]).to_pylist()
    days = numbers(facts, "n_purchase_days")
    in_stratum = {1: days == 1, 2: days == 2, 3: (days >= 3) & (days <= 5), 6: days >= 6}
    for row in counts:
        assert row["weight_sum"] == pytest.approx(in_stratum[row["stratum"]].sum())
        assert 70 < row["customer_id_count"] < 130
    assert sample["customer_id"].to_pylist() == sorted(sample["customer_id"].to_pylist())


def test_the_same_customers_are_drawn_whatever_stands_beside_them(facts):
    shuffled = facts.take(pa.array(np.random.default_rng(1).permutation(facts.num_rows)))
    first, second = (fit_sample(engine_with(table), 400) for table in (facts, shuffled))
    assert first.equals(second)
    smaller, larger = (set(fit_sample(engine_with(facts), most)["customer_id"].to_pylist()) for most in (200, 400))
    assert smaller < larger


def test_fewer_customers_than_the_sample_are_all_taken(facts):
    sample = fit_sample(engine_with(facts), facts.num_rows)
    assert sample["customer_id"].to_pylist() == sorted(facts["customer_id"].to_pylist())
    assert set(sample["weight"].to_pylist()) == {1.0}


@pytest.mark.parametrize("counts", [{1: 10**7, 2: 10**6, 3: 10**5, 6: 5}, {1: 4}, {1: 100, 6: 100}])
@pytest.mark.parametrize("most", [100, 250_000])
def test_shares_use_the_sample_and_never_exceed_a_stratum(counts, most):
    shares = shares_to_draw(counts, most)
    assert set(shares) == set(counts)
    assert all(0 < share <= 1 for share in shares.values())
    drawn = sum(share * counts[stratum] for stratum, share in shares.items())
    assert drawn == pytest.approx(min(most, sum(counts.values())), rel=0.02)


def test_a_sample_gives_nearly_the_models_of_everybody():
    facts = simulated_facts(20_000)
    engine = engine_with(facts)
    whole = fit_models(engine, Settings(None))
    part = fit_models(engine, Settings(None, prediction=PredictionSettings(fit_sample=4_000)))
    assert part.purchases.parameters_ == whole.purchases.parameters_
    assert part.spend.population_mean_ == pytest.approx(whole.spend.population_mean_, rel=0.05)
    assert part.clusters.transformation.centre == pytest.approx(whole.clusters.transformation.centre, abs=0.15)
    assert part.clusters.transformation.spread == pytest.approx(whole.clusters.transformation.spread, rel=0.15)


# --- stored models -----------------------------------------------------------------------------------------------


def stored(folder: Path, models: Models) -> dict[str, str]:
    """Store models and let them score."""
    versions = store_models(folder, models, AS_OF)
    make_champions(folder, versions, 10)
    return versions


def test_stored_models_come_back_as_they_were(facts, tmp_path):
    fitted = fit_models(engine_with(facts), Settings(None))
    versions = stored(tmp_path, fitted)
    loaded, found = load_champions(tmp_path)
    assert found == versions == {"purchases": "v00001", "spend": "v00001", "clusters": "v00001"}
    assert loaded.sentences() == fitted.sentences()
    features = cluster_features(facts)
    assert np.array_equal(
        loaded.clusters.predict(features, CLUSTER_FEATURES), fitted.clusters.predict(features, CLUSTER_FEATURES)
    )
    assert loaded.purchases.parameters_ == fitted.purchases.parameters_
    assert loaded.spend.parameters_ == fitted.spend.parameters_
    card = json.loads((tmp_path / "purchases" / "v00001" / "card.json").read_text(encoding="utf-8"))
    assert card["as_of"] == "2024-01-01"
    assert card["features"] == list(PURCHASE_FEATURES)


def test_models_of_a_run_that_was_not_published_do_not_score(facts, tmp_path):
    models = fit_models(engine_with(facts), Settings(None))
    store_models(tmp_path, models, AS_OF)
    with pytest.raises(RegistryError):
        load_champions(tmp_path)
    stored(tmp_path, models)
    store_models(tmp_path, models, AS_OF)
    assert load_champions(tmp_path)[1]["spend"] == "v00002"


def test_without_stored_models_the_next_step_is_named(tmp_path):
    with pytest.raises(RegistryError, match=r"No usable model purchases.*`genome run`"):
        load_champions(tmp_path)


def test_models_of_other_features_are_refused(facts, tmp_path):
    stored(tmp_path, fit_models(engine_with(facts), Settings(None)))
    path = tmp_path / "clusters" / "v00001" / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(card | {"features": ["recency_days", "shoe_size"]}), encoding="utf-8")
    with pytest.raises(
        RegistryError, match=r"clusters v00001 .* fitted on recency_days, shoe_size.*Wanted: recency_days, n_orders"
    ):
        load_champions(tmp_path)
