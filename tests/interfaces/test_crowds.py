"""Findings of a part of the customers, counted in SQL, equal those computed from the same customers one by one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from customer_genome.decisions.findings import Finding, findings
from customer_genome.genome import Genome
from customer_genome.interfaces.charts import hidden_potential
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.views import crowds
from published_shops import publish, publish_simulated

PARTS = (
    Selection(),
    Selection(min_orders=2),
    Selection(min_clv=50.0),
    Selection(method="RFM", segments=("Champions", "Lost")),
    Selection(min_orders=3, min_clv=10.0),
    Selection(min_clv=1e12),
)


def direct(genome: Genome, selection: Selection) -> tuple[Finding, ...]:
    """Return the findings of the rows themselves."""
    where, parameters = selection.where()
    return findings(
        genome.query(f"select * from customers where {where} order by customer_id", parameters), currency=genome.currency
    )


def same(counted: tuple[Finding, ...], plain: tuple[Finding, ...]) -> None:
    """Hold every finding to the plain one."""
    assert [one.id for one in counted] == [one.id for one in plain]
    for one, other in zip(counted, plain, strict=True):
        assert (one.sentence, one.title, one.unit, one.n) == (other.sentence, other.title, other.unit, other.n)
        assert one.value == (None if other.value is None else pytest.approx(other.value, rel=1e-9))
        assert set(one.chart) == set(other.chart)
        for name, values in one.chart.items():
            assert list(values) == [v if isinstance(v, str) else pytest.approx(v, rel=1e-9, abs=1e-9) for v in other.chart[name]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("crowds")
    publish_simulated(workspace)
    return workspace


@pytest.mark.parametrize("selection", PARTS, ids=str)
def test_findings_of_a_part_equal_those_of_its_rows(shop: Path, selection: Selection) -> None:
    with Genome.open(shop) as genome:
        same(crowds.findings_among(genome, selection), direct(genome, selection))


def test_every_country_alone(shop: Path) -> None:
    with Genome.open(shop) as genome:
        for name in genome.query("select distinct primary_country as c from customers")["c"].to_pylist():
            same(crowds.findings_among(genome, Selection(countries=(name,))), direct(genome, Selection(countries=(name,))))


def test_many_different_amounts_are_counted_to_four_digits(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "MOST_BINS", 5)
    with Genome.open(shop) as genome:
        counted, plain = crowds.findings_among(genome, Selection()), direct(genome, Selection())
        assert len(crowds.crowd_among(genome, Selection()).spend.counts) <= genome.manifest["customers"]
    for one, other in zip(counted, plain, strict=True):
        assert one.n == other.n and (one.value is None or one.value == pytest.approx(other.value, abs=3e-4))


def test_a_version_without_risk_or_country_says_so(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = "(select customer_id, n_orders, total_spend, cast(null as double) as churn_probability from customers) as customers"
    with Genome.open(shop) as genome:
        query = genome.query
        monkeypatch.setattr(genome, "query", lambda sql, given=(): query(sql.replace("from customers", f"from {bare}"), given))
        found = {one.id: one for one in crowds.findings_among(genome, Selection(min_orders=2))}
    assert found["hidden_potential"].value is None and found["top_country"].value is None and found["revenue_top_10"].value


def test_the_chart_of_hidden_potential_draws_the_counts(shop: Path) -> None:
    with Genome.open(shop) as genome:
        table = crowds.low_spend_chances(genome, Selection())
        low = crowds.crowd_among(genome, Selection()).low_spenders
    assert low is not None and tuple(table["customers"].to_pylist()) == low.chances
    assert sum(n for n, likely in zip(low.chances, table["is_likely"].to_pylist(), strict=True) if likely) == low.n_likely
    assert "of low spend" in str(hidden_potential(table).to_dict())
    assert hidden_potential(table.slice(0, 0)).to_dict() and isinstance(table, pa.Table)


@pytest.mark.slow
def test_on_online_retail_the_country_and_the_rest(genome_data: Path, tmp_path: Path) -> None:
    publish(tmp_path, genome_data / "online_retail.parquet")
    with Genome.open(tmp_path) as genome:
        for selection in (Selection(countries=("Germany",)), Selection(min_orders=5)):
            same(crowds.findings_among(genome, selection), direct(genome, selection))
