"""Segments on screens: page and report equal what was published, for every method; versions without them say what to do."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from markupsafe import escape
from streamlit.testing.v1 import AppTest

from customer_genome.genome import Genome
from customer_genome.interfaces.charts import NARROW, Look, bars
from customer_genome.interfaces.charts import segments as drawings
from customer_genome.interfaces.report.page import render_report
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import count, share
from customer_genome.interfaces.views.segment_figures import (
    METHOD_WORDS,
    ByCluster,
    by_recency,
    by_value,
    effects,
    letters,
    methods,
    profiles,
    readings,
    samples,
    sizes,
    spread,
    steadiness,
    steady_sentence,
    tried,
)
from published_shops import answer, hostile_customers, one_customer, publish, publish_rows, publish_simulated

METHODS = tuple(METHOD_WORDS)
COLUMN = {"kmeans": "cluster_kmeans", "hierarchical": "cluster_hierarchical", "gmm": "cluster_gmm"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("segments")
    publish_simulated(workspace)
    return workspace


def page_of(workspace: Path, monkeypatch: pytest.MonkeyPatch, **address: str) -> AppTest:
    """The page Segments, as a new visitor sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    app = AppTest.from_file(APP, default_timeout=90).run()
    for name, value in address.items():
        app.query_params[name] = value
    app = app.switch_page("segments.py").run()
    assert not app.exception and not app.error
    return app


def said(app: AppTest) -> str:
    """Return the text of a page without the signs that keep it from being Markdown."""
    return "\n".join(mark.value for mark in app.markdown).replace("\\", "")


def test_every_segment_has_a_card_with_its_published_figures(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method, words in METHOD_WORDS.items():
        text = said(page_of(shop, monkeypatch, found_by=words))
        with Genome.open(shop) as genome:
            rows = profiles(genome, method)
        for row in rows:
            assert f"### {row['letter']} · {row['segment_name']}" in text
            assert row["persona"] in text and row["strategy"] in text
            n = answer(shop, f"select count(*) as n from customers where {COLUMN[method]} = ?", row["cluster"])
            assert row["customers"] == n
            assert f"{count(n)} customer" in text and f"({share(row['customer_share'])})" in text


def test_the_naming_method_comes_first_and_its_names_are_those_of_the_customers(shop: Path) -> None:
    with Genome.open(shop) as genome:
        assert methods(genome)[0] == "kmeans" and set(methods(genome)) == set(METHODS)
        named = {row["cluster"]: row["segment_name"] for row in profiles(genome, "kmeans")}
        found = genome.query("select distinct cluster_kmeans as c, segment_name as n from customers").to_pylist()
        assert {row["c"]: row["n"] for row in found} == named


@pytest.mark.parametrize("method", METHODS)
def test_figures_add_up_to_the_customers_chosen(shop: Path, method: str) -> None:
    with Genome.open(shop) as genome:
        everybody = ByCluster.of(method)
        n = genome.manifest["customers"]
        assert sum(sizes(genome, everybody)["customers"].to_pylist()) == n
        for cells in (by_recency(genome, everybody), by_value(genome, everybody)):
            assert sum(cells["customers"].to_pylist()) == n
            assert all(0 < row["part"] <= 1 for row in cells.to_pylist())
        some = ByCluster(COLUMN[method], "n_orders >= ?", (2,))
        expected = answer(shop, "select count(*) as n from customers where n_orders >= 2")
        assert sum(by_recency(genome, some)["customers"].to_pylist()) == expected
        for row in profiles(genome, method):
            found = samples(genome, method, row["cluster"])["customer_id"].to_pylist()
            assert len(found) == min(10, row["customers"])
            assert found == samples(genome, method, row["cluster"])["customer_id"].to_pylist()


@pytest.mark.parametrize("least", [1, 3])
def test_ranges_and_spread_are_those_of_the_customers_chosen(shop: Path, least: int) -> None:
    with Genome.open(shop) as genome:
        chosen = ByCluster("cluster_kmeans", "n_orders >= ?", (least,))
        names = {f"{row['letter']} · {row['segment_name']}": row["cluster"] for row in profiles(genome, "kmeans")}
        sized = {row["segment"]: row for row in sizes(genome, chosen).to_pylist()}
        spreads = {row["segment"]: row for row in spread(genome, chosen).to_pylist()}
        assert set(sized) == set(spreads) <= set(names)
        for name, row in sized.items():
            people = genome.query(
                "select churn_probability as p, clv_180d as clv, clv_upper - clv_lower as wide from customers where cluster_kmeans = ? and n_orders >= ?",
                [names[name], least],
            )
            p, clv, wide = (people[column].to_numpy() for column in ("p", "clv", "wide"))
            reach = 1.2816 * np.sqrt(np.sum(p * (1 - p))) / len(p)
            assert row["risk_lower"] == pytest.approx(max(p.mean() - reach, 0)) and row["risk_upper"] == pytest.approx(
                min(p.mean() + reach, 1)
            )
            reach = np.sqrt(np.sum((wide / 2) ** 2)) / len(p)
            assert row["mean_clv_upper"] == pytest.approx(clv.mean() + reach)
            found = [spreads[name][key] for key in ("p10", "p25", "p50", "p75", "p90")]
            assert found == pytest.approx(list(np.percentile(clv, [10, 25, 50, 75, 90]))) and spreads[name]["customers"] == len(p)


def test_each_figure_of_the_choice_is_read_in_words() -> None:
    rows = [
        {
            "method": "kmeans",
            "k": k,
            "wcss": wcss,
            "silhouette": 0.6 - 0.1 * k,
            "bic": None,
            "stability": 0.9,
            "is_chosen": k == 3,
        }
        for k, wcss in ((2, 100.0), (3, 60.0), (4, 57.0))
    ]
    rows += [{**row, "method": "gmm", "bic": bic, "is_chosen": False} for row, bic in zip(rows, (30.0, 20.0, 10.0), strict=True)]
    said = readings(pa.Table.from_pylist(rows), "kmeans")
    assert "from 2 to 3 it falls by 40 %, from 3 to 4 it falls by 5.0 %" in said["wcss"]
    assert "0.30" in said["silhouette"] and "edges that overlap" in said["silhouette"] and "nearly the same" in said["stability"]
    assert "best with 4, the most that were tried" in said["bic"]
    assert readings(pa.Table.from_pylist(rows), "hierarchical") == {}


@pytest.mark.slow
def test_a_second_version_keeps_numbers_and_names_and_shows_who_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = tmp_path / "shop"
    publish_simulated(shop)
    publish(shop, shop / "lines.parquet")
    with Genome.open(shop, "v00001") as first, Genome.open(shop) as second:
        for method in METHODS:
            before, after = ({row["cluster"]: row["segment_name"] for row in profiles(one, method)} for one in (first, second))
            assert before == after, method
        kept = {row["method"]: row["kept_share"] for row in steadiness(second)}
        assert all(value > 0.99 for value in kept.values()) and steadiness(first)[0]["kept_share"] is None
    text = said(page_of(shop, monkeypatch))
    assert "Named segments, v00001 to v00002" in text
    assert "Since the run before" in text and "adjusted Rand index" in text


def test_the_report_says_it_too(shop: Path) -> None:
    with Genome.open(shop) as genome:
        text = re.sub(r"\s+", " ", render_report(genome))
        rows = profiles(genome, "kmeans")
        sentences = [steady_sentence(row) for row in steadiness(genome)]
    for name in ("segment_effects", "segment_silhouette", "segment_stability"):
        assert f'<figure id="{name}"' in text
    assert "Why so many segments, and how steady they are" in text
    assert all(str(escape(row["persona"])) in text for row in rows)
    assert all(str(escape(sentence)) in text for sentence in sentences)


def test_charts_can_be_drawn_for_a_screen_and_a_phone(shop: Path) -> None:
    import vl_convert

    with Genome.open(shop) as genome:
        apart, counts, everybody = effects(genome, "gmm"), tried(genome), ByCluster.of("gmm")
        one = apart.filter(pa.compute.equal(apart["cluster"], apart["cluster"][0]))
        for look in (Look("light", "GBP"), Look("dark", "GBP", NARROW)):
            charts = [
                drawings.segment_effects(apart, look),
                drawings.segment_traits(one, look),
                drawings.segment_profiles(apart, look),
                drawings.segment_profiles(one, look),
                drawings.segment_spread(spread(genome, everybody), look),
                bars.segment_risk(sizes(genome, everybody), look),
                bars.segment_value(sizes(genome, everybody), look),
                drawings.segments_by_recency(by_recency(genome, everybody), look),
                drawings.segments_by_value(by_value(genome, everybody), look),
                *(drawings.cluster_counts(counts, figure, look) for figure in ("wcss", "silhouette", "bic", "stability")),
            ]
            for chart in charts:
                assert vl_convert.vegalite_to_svg(chart.to_dict()).startswith("<svg")
                assert chart.description


def test_nothing_to_draw_is_said() -> None:
    empty = pa.table({"k": pa.array([], pa.int64())})
    assert "one segment" in drawings.segment_effects(empty).title.text[0]
    for chart in (
        drawings.segments_by_recency(empty),
        drawings.segments_by_value(empty),
        drawings.segment_traits(empty),
        drawings.segment_profiles(empty),
        drawings.segment_spread(empty),
    ):
        assert chart.title.text[0]
    assert "only one number" in " ".join(drawings.cluster_counts(empty, "wcss").title.text)


def test_one_customer_and_hostile_texts_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, rows in (("one", one_customer()), ("hostile", hostile_customers())):
        publish_rows(tmp_path / name, rows)
        text = said(page_of(tmp_path / name, monkeypatch))
        assert "one segment, so nothing can move" in text


def test_a_version_of_an_older_product_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_rows(tmp_path, one_customer())
    path = tmp_path / "published" / "v00001" / "snapshot.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("drop table segment_profiles")
    app = page_of(tmp_path, monkeypatch)
    assert "without segments of several methods" in app.info[0].value
    assert any("genome run" in code.value for code in app.code)
    with Genome.open(tmp_path) as genome:
        assert "Why so many segments" not in render_report(genome)


def test_letters_go_on_after_the_alphabet() -> None:
    assert letters(28)[-3:] == ["Z", "AA", "AB"]
