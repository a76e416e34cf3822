"""Who is like whom in a published version, audiences for a list, and what they would have brought."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from customer_genome.answers.audience import audience, best_before, measured, one_horizon_before, read_seeds
from customer_genome.erasure import forget
from customer_genome.errors import SourceError, UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from customer_genome.interfaces.report.page import render_report
from customer_genome.neighbours import MATRIX, NAMES, Neighbours
from customer_genome.snapshot import damaged_files
from customer_genome.workspace import Workspace
from published_shops import answer, one_customer, publish, publish_rows, publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("alike")
    publish_simulated(workspace, n_lines=4000)
    return workspace


def test_files_and_memory_give_the_same_neighbours(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Genome.open(shop) as genome:
        stored = Neighbours.open(genome)
        assert isinstance(stored.units, np.memmap) and {MATRIX, NAMES} <= set(genome.manifest["checksums"])
        assert not damaged_files(genome.snapshot)
        monkeypatch.setattr("customer_genome.neighbours._stored", lambda folder: None)
        placed = Neighbours.open(genome)
    assert placed.ids.equals(stored.ids) and np.array_equal(placed.units, stored.units) and placed.space == stored.space
    some = stored.ids[3].as_py()
    assert [one.customer_id for one in stored.of(some, 5)] == [one.customer_id for one in placed.of(some, 5)]
    assert stored.place_of("nobody") == -1 and stored.of(some, 5)[0].words


def test_a_version_of_parquet_folders_is_read_alike(shop: Path, tmp_path: Path) -> None:
    with Genome.open(shop) as genome:
        wanted = Neighbours.open(genome)
        folder = tmp_path / "published" / "v00001"
        (folder / "customers").mkdir(parents=True)
        pq.write_table(genome.table("customers"), folder / "customers" / "0.parquet")
        with duckdb.connect(str(folder / "snapshot.duckdb")) as connection:
            connection.execute("create table ledger as select 1 as one")
        (folder / "manifest.json").write_text(json.dumps(dict(genome.manifest), default=str), "utf-8")
    (tmp_path / "published" / "CURRENT").write_text("v00001\n", "utf-8")
    with Genome.open(tmp_path) as genome:
        found = Neighbours.open(genome)
    assert found.ids.equals(wanted.ids) and np.allclose(found.units, wanted.units, atol=1e-6)


def test_an_erased_customer_is_in_no_file(tmp_path: Path) -> None:
    publish_simulated(tmp_path, n_lines=1500)
    victim = str(answer(tmp_path, "select min(customer_id) as c from customers"))
    forget(Workspace(tmp_path), victim)
    with Genome.open(tmp_path) as genome:
        left = Neighbours.open(genome)
        assert (genome.snapshot.folder / NAMES).exists() and left.place_of(victim) == -1
        assert len(left.ids) == len(left.units) == genome.manifest["customers"] and not damaged_files(genome.snapshot)


def test_one_customer_is_like_nobody(tmp_path: Path) -> None:
    publish_rows(tmp_path, one_customer())
    said = CliRunner().invoke(app, ["similar", "only", "-w", str(tmp_path)])
    assert said.exit_code == 0 and "nobody" in said.stdout


def test_show_and_similar_name_the_same_customers(shop: Path, tmp_path: Path) -> None:
    run, some = CliRunner().invoke, str(answer(shop, "select max(customer_id) as c from customers"))
    alone = json.loads(run(app, ["similar", some, "-w", str(shop), "--most", "5", "--json"]).stdout)
    shown = json.loads(run(app, ["show", some, "-w", str(shop), "--json"]).stdout)
    assert shown["similar"] == alone["similar"] and len(alone["similar"]) == 5
    out = tmp_path / "all.parquet"
    run(app, ["similar", "--all", "--most", "5", "-w", str(shop), "-o", str(out)])
    mine = pq.read_table(out).filter(pa.compute.field("customer_id") == some)
    assert np.allclose(mine["similarity"].to_pylist(), [one["similarity"] for one in alone["similar"]], atol=1e-3)
    for options, says in (
        (["--all"], "--output"),
        ([], "name one customer"),
        ([some, "--weight", "n_orders=x"], "wanted FACT=NUMBER"),
    ):
        ended = run(app, ["similar", *options, "-w", str(shop)])
        assert ended.exit_code == 2 and says in ended.stderr


def test_an_audience_leaves_out_the_list_and_those_who_must_not_be_contacted(tmp_path: Path) -> None:
    publish_simulated(tmp_path / "a", n_lines=2500)
    with Genome.open(tmp_path / "a") as genome:
        seeds = genome.query("select customer_id from customers order by total_spend desc limit 12")["customer_id"].to_pylist()
        first = audience(genome, [*seeds, "ghost"], 15)
    assert first.n_seeds == 12 and first.unknown == ("ghost",) and "1 of 13 ids of the list are no customers" in first.notices[0]
    ids = first.table["customer_id"].to_pylist()
    assert len(set(ids)) == 15 and not set(ids) & set(seeds)
    assert first.table["similarity"].to_pylist() == sorted(first.table["similarity"].to_pylist(), reverse=True)
    (tmp_path / "no.csv").write_text(f"customer_id\n{ids[0]}\n", "utf-8")
    publish(tmp_path / "b", tmp_path / "a" / "lines.parquet", f'[tables.suppressions]\npath = "{tmp_path / "no.csv"}"\n')
    with Genome.open(tmp_path / "b") as genome:
        assert audience(genome, seeds, 14).table["customer_id"].to_pylist() == ids[1:]
        n = genome.manifest["customers"]
        everybody = audience(genome, seeds, 10 * n)
        assert everybody.table.num_rows == n - 12 - 1 and any("are left to choose from" in notice for notice in everybody.notices)


def test_the_lift_is_that_of_orders_counted_by_hand(shop: Path) -> None:
    with Genome.open(shop) as genome:
        as_of, days = str(genome.manifest["as_of"])[:10], genome.manifest["horizon_days"]
        day = f"(date '{as_of}' - {days})"
        seeds = genome.query(
            f"select customer_id from orders where ordered_on < {day} group by 1 order by sum(revenue) desc, 1 limit 30"
        )["customer_id"].to_pylist()
        evidence, why = measured(genome, seeds, 0.2)
        assert evidence is not None and not why and evidence.n_seeds == 30
        again = evidence.outcomes[0][1]
        counted = genome.query(
            f"select count(*) as n, count(*) filter (where later) as again from (select bool_or(ordered_on >= {day}) as later from orders "
            f"where not list_contains(cast(? as varchar[]), customer_id) group by customer_id having min(ordered_on) < {day})",
            [seeds],
        ).to_pylist()[0]
        assert again.n_pool == counted["n"] and again.random == pytest.approx(counted["again"] / counted["n"])
        assert measured(genome, seeds[:3], 0.2)[1].startswith("3 of the list were customers by")


def test_the_report_says_what_customers_like_the_best_brought(shop: Path) -> None:
    with Genome.open(shop) as genome:
        day = one_horizon_before(genome)
        orders = [
            row
            for row in genome.query("select customer_id, ordered_on, revenue from orders").to_pylist()
            if row["ordered_on"] < day
        ]
        spent: dict[str, float] = {}
        for row in orders:
            spent[row["customer_id"]] = spent.get(row["customer_id"], 0.0) + float(row["revenue"])
        best = best_before(genome)
        assert 0.08 * len(spent) <= len(best) <= 0.12 * len(spent)
        assert min(spent[one] for one in best) >= max(spend for one, spend in spent.items() if one not in set(best))
        evidence, why_not = measured(genome, best, 0.1)
        assert evidence is not None and not why_not
        page = render_report(genome)
    assert "Customers like your best" in page
    assert all(f"{words}: {lift.ratio:.2f} times the random ones" in page for words, lift in evidence.outcomes)


def test_lists_that_name_nobody_say_so(tmp_path: Path, shop: Path) -> None:
    path = tmp_path / "seeds.csv"
    for text, says in (("", "is empty"), ("customer_id\n\n", "names nobody"), ("a,b\n1,2\n", "has no column customer_id")):
        path.write_text(text, "utf-8")
        with pytest.raises(SourceError, match=says):
            read_seeds(path)
    path.write_text("Customer-ID;note\n7;x\n 7 ;y\n8;z\n", "utf-8")
    assert read_seeds(path) == ["7", "8"]
    path.write_text("anything\n9\n", "utf-8")
    assert read_seeds(path) == ["9"]
    with Genome.open(shop) as genome, pytest.raises(UnknownCustomerError, match=r"None of the 2 ids .*first: 'x', 'y'"):
        audience(genome, ["x", "y"], 5)


def test_the_command_writes_the_audience(shop: Path, tmp_path: Path) -> None:
    with Genome.open(shop) as genome:
        seeds = genome.query("select customer_id from customers order by n_orders desc, customer_id limit 40")[
            "customer_id"
        ].to_pylist()
    (tmp_path / "seeds.csv").write_text("customer_id\n" + "\n".join(seeds) + "\n", "utf-8")
    asked = ["audience", str(tmp_path / "seeds.csv"), "--size", "25", "-o", str(tmp_path / "a.csv"), "-w", str(shop)]
    said = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert said["size"] == pa_csv.read_csv(tmp_path / "a.csv").num_rows == 25 and said["seeds"] == 40
    lift = said["evidence"]["lift"][0]
    assert lift["outcome"] == "ordered again" and lift["lower"] <= lift["ratio"] <= lift["upper"]
    assert "as of" in CliRunner().invoke(app, asked).stdout
    wrong = CliRunner().invoke(app, [*asked[:3], "0", *asked[4:]])
    assert wrong.exit_code == 2 and "size 0" in wrong.stderr


@pytest.mark.slow
def test_on_online_retail_the_best_customers_have_a_lift_and_random_ones_none(genome_data: Path, tmp_path: Path) -> None:
    publish(tmp_path, genome_data / "online_retail_ii.parquet")
    with Genome.open(tmp_path) as genome:
        best = genome.query(
            "select customer_id from customers where playbook = 'VIP Loyalists' order by md5(customer_id) limit 150"
        )
        anybody = genome.query("select customer_id from customers order by md5(customer_id) limit 150")
        good, none = (measured(genome, rows["customer_id"].to_pylist(), 0.08)[0] for rows in (best, anybody))
    assert good is not None and none is not None
    assert good.outcomes[0][1].lower > 1.5 and good.outcomes[2][1].lower > 2, "they order again, and spend more"
    assert none.outcomes[0][1].lower < 1 < none.outcomes[0][1].upper + 0.05
