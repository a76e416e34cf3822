"""A version whose large tables are folders of Parquet files reads, exports, is checked and erased like one in a single file."""

from __future__ import annotations

import json
import re
import shutil

import duckdb
import pytest
from typer.testing import CliRunner

from customer_genome.answers.exports import export_table
from customer_genome.errors import UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.health import examine
from customer_genome.interfaces.cli import app
from customer_genome.interfaces.report.page import write_report
from customer_genome.snapshot import damaged_files, parquet_select, parquet_tables, read_snapshot, replace_files
from customer_genome.workspace import Workspace
from published_shops import publish_simulated

LARGE = ("customers", "orders", "daily", "products")
ROWS_PER_FILE = 60


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return a workspace with a version in one file, under a name full of signs that patterns and SQL use."""
    folder = tmp_path_factory.mktemp("shop") / "it's [20]24 *"
    publish_simulated(folder)
    return folder


def as_folders(workspace):
    """Write the large tables of the current version as Parquet files, as a run on Spark does."""

    def write(folder):
        shutil.copy2(snapshot.database, folder / "snapshot.duckdb")
        with duckdb.connect(str(folder / "snapshot.duckdb")) as connection:
            for name in LARGE:
                (folder / name).mkdir()
                n_rows = connection.execute(f"select count(*) from {name}").fetchone()[0]
                for part, start in enumerate(range(0, n_rows, ROWS_PER_FILE)):
                    path = str(folder / name / f"part-{part:05d}.parquet").replace("'", "''")
                    rows = f"select * from {name} limit {ROWS_PER_FILE} offset {start}"
                    connection.execute(f"copy ({rows}) to '{path}' (format parquet)")
                connection.execute(f"drop table {name}")

    snapshot = read_snapshot(Workspace(workspace))
    replace_files(snapshot, write)


@pytest.fixture
def folders(plain, tmp_path):
    """Return a copy of the workspace whose version is of the other kind."""
    copy = tmp_path / plain.name
    shutil.copytree(plain, copy)
    as_folders(copy)
    return copy


def page(path):
    """Return a report; doubles in drawings are added up in another order and differ in the last places."""
    return re.sub(r"\d+\.\d{4,}", lambda found: f"{float(found[0]):.3f}", path.read_text("utf-8"))


def test_everything_that_is_read_is_the_same(plain, folders, tmp_path):
    with Genome.open(plain) as one, Genome.open(folders) as other:
        assert set(other.snapshot.parquet) == set(LARGE)
        assert one.tables() == other.tables()
        for name in one.tables():
            assert one.table(name).equals(other.table(name)), name
        who = one.table("customers")["customer_id"][7].as_py()
        assert one.customer(who) == other.customer(who)
        assert one.orders_of(who).equals(other.orders_of(who))
        assert one.export().read_all().equals(other.export().read_all())
        with pytest.raises(UnknownCustomerError, match="Nearest ids"):
            other.customer("nobody")
        write_report(one, tmp_path / "one.html")
        write_report(other, tmp_path / "other.html")
    assert page(tmp_path / "one.html") == page(tmp_path / "other.html")
    for workspace in (plain, folders):
        export_table(workspace, tmp_path / f"{workspace is plain}.csv", None, "orders")
    assert (tmp_path / "True.csv").read_bytes() == (tmp_path / "False.csv").read_bytes()


def test_published_files_are_checked(folders):
    snapshot = read_snapshot(Workspace(folders))
    assert {name.split("/")[0] for name in snapshot.manifest["checksums"]} == {*LARGE, "snapshot.duckdb"}
    assert all(check.ok for check in examine(folders) if check.name == "Published")
    victim = snapshot.parquet["customers"][1]
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    assert damaged_files(snapshot) == ["customers/part-00001.parquet"]
    [found] = [check for check in examine(folders) if check.name == "Published"]
    assert not found.ok and "customers/part-00001.parquet" in found.found


def test_a_customer_is_erased_from_the_files_they_stand_in_and_from_no_other(folders):
    before = read_snapshot(Workspace(folders))
    with Genome.open(folders) as genome:
        who = genome.table("customers")["customer_id"][100].as_py()
        n_customers = genome.table("customers").num_rows
    untouched = before.manifest["checksums"]["customers/part-00000.parquet"]
    result = CliRunner().invoke(app, ["forget", who, "--workspace", str(folders), "--yes", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["versions"] == 1
    after = read_snapshot(Workspace(folders))
    assert damaged_files(after) == []
    assert after.manifest["checksums"]["customers/part-00000.parquet"] == untouched
    with Genome.open(folders) as genome:
        assert genome.table("customers").num_rows == n_customers - 1 == genome.manifest["customers"]
        assert genome.orders_of(who).num_rows == 0
        assert genome.table("orders").num_rows == sum(genome.table("customers")["n_orders"].to_pylist())
    left = [path for path in folders.rglob("*") if path.is_file() and path.suffix != ".parquet" and path.suffix != ".html"]
    assert not [path for path in [*left, *after.folder.rglob("*.parquet")] if f'"{who}"'.encode() in path.read_bytes()]


def test_refused_rows_of_a_run_elsewhere_are_exported_and_erased(folders, tmp_path):
    """Such a run leaves no warehouse file here, only the refused rows."""
    workspace = Workspace(folders)
    (workspace.tables / "quarantine").mkdir(parents=True)
    path = workspace.tables / "quarantine" / "part-00000.parquet"
    with duckdb.connect() as connection, Genome.open(folders) as genome:
        who = genome.table("customers")["customer_id"][3].as_py()
        rows = [
            (1, "bad_price", who, "{}"),
            (2, "unreadable", None, f"x,{who},y"),
            (3, "unreadable", None, "other"),
            (4, "bad_date", "z", "{}"),
        ]
        connection.execute("create table q (row_number bigint, reason text, customer_id text, raw_row text)")
        connection.executemany("insert into q values (?, ?, ?, ?)", rows)
        target = str(path).replace("'", "''")
        connection.execute(f"copy q to '{target}' (format parquet)")
    written = export_table(folders, tmp_path / "refused.csv", None, "quarantine")
    assert written["rows"] == 4
    CliRunner().invoke(app, ["forget", who, "--workspace", str(folders), "--yes"], catch_exceptions=False)
    with duckdb.connect() as connection:
        left = connection.sql(parquet_select(parquet_tables(workspace.tables)["quarantine"])).fetchall()
    assert left == [(2, "unreadable", None, None), (3, "unreadable", None, "other"), (4, "bad_date", "z", "{}")]
    assert who.encode() not in path.read_bytes()
