"""Settings choose which method names the segments and in which facts they are found; names travel with the stored clusters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from customer_genome.errors import SettingsError
from customer_genome.models.segmentation.clusters import CLUSTER_FEATURES
from customer_genome.rules import read_playbooks
from customer_genome.settings import SegmentSettings, Settings
from customer_genome.stages.fitting import clusters_before, fit_models, make_champions, store_models
from customer_genome.stages.scoring import decide_customers, value_customers
from simulated_facts import AS_OF, engine_with, simulated_facts

FEATURES = ("recency_days", "n_orders", "total_spend")


def test_a_mixture_of_three_facts_names_the_segments_and_its_names_are_known_to_the_next_run(tmp_path):
    engine = engine_with(simulated_facts(400, seed=9))
    settings = Settings(None, segments=SegmentSettings(k=4, method="gmm", features=FEATURES))
    models = fit_models(engine, settings)
    assert (models.clusters.method, models.clusters.features, models.clusters.k) == ("gmm", FEATURES, 4)
    value_customers(engine, models, settings, AS_OF, 90)
    decided = decide_customers(engine, models.clusters, settings, read_playbooks(None))
    pairs = engine.fetch("select distinct cluster_gmm as c, segment_name as n from scored_customers").to_pylist()
    names = {row["cluster"]: row["segment_name"] for row in decided.tables["segments"].to_pylist()}
    assert {pair["c"]: pair["n"] for pair in pairs} == names
    assert {number: name for number, (_, name) in decided.names["gmm"].items()} == names
    naming = decided.tables["segment_profiles"].filter(decided.tables["segment_profiles"]["is_naming"])
    assert set(naming["method"].to_pylist()) == {"gmm"}
    named = replace(models, clusters=models.clusters.with_names(decided.names))
    make_champions(tmp_path, store_models(tmp_path, named, AS_OF), 3)
    before = clusters_before(tmp_path)
    assert before is not None and before.names == decided.names
    again = fit_models(engine, settings, before)
    assert {one.method: one.kept_share > 0.99 for one in again.clusters.steadiness} == dict.fromkeys(decided.names, True)


def test_facts_that_are_not_there_are_refused_with_near_names():
    engine = engine_with(simulated_facts(60, seed=9))
    settings = Settings(None, segments=SegmentSettings(features=("recency_day", "customer_id")))
    with pytest.raises(
        SettingsError, match=r"'recency_day' is not a number among the facts\. Did you mean .recency_days.*'customer_id'"
    ):
        fit_models(engine, settings)


def test_without_stored_clusters_numbers_begin_anew(tmp_path):
    assert clusters_before(tmp_path) is None
    engine = engine_with(simulated_facts(60, seed=9))
    clusters = fit_models(engine, Settings(None), clusters_before(tmp_path)).clusters
    assert clusters.features == CLUSTER_FEATURES
    assert clusters.ids().tolist() == list(range(clusters.k))
