"""PostgreSQL and SQLite as sources, on a real private server and real files; passwords never show."""

import datetime as dt
import logging
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from customer_genome.errors import AskError, SourceError
from customer_genome.settings import TableSettings
from customer_genome.sources.databases import describe_database, is_database_address, without_password
from customer_genome.sources.synthetic import simulate

pytest.importorskip("adbc_driver_sqlite", reason='needs the extra "sql"')
PASSWORD = "s3cr3t/ß@x"


# --- SQLite ----------------------------------------------------------------------------------------------------------


def sqlite_file(path, create, rows=()):
    with sqlite3.connect(path) as connection:
        connection.execute(create)
        if rows:
            connection.executemany(f"insert into order_lines values ({', '.join('?' * len(rows[0]))})", rows)
    connection.close()
    return f"sqlite:///{path}"


def shop_file(path):
    """A simulated shop as an SQLite table, times as ISO text."""
    shop = simulate(200, days=60, seed=3, refund_rate=0.05).order_lines().read_all()
    rows = [
        (row["order_id"], row["customer_id"], str(row["ordered_at"]), row["quantity"], row["price"]) for row in shop.to_pylist()
    ]
    create = (
        'create table order_lines ("Invoice No" text, "Customer ID" integer, invoice_date text, qty integer, "Unit Price" real)'
    )
    return sqlite_file(path, create, rows), rows


def test_sqlite_table_arrives_whole_and_again(tmp_path):
    uri, rows = shop_file(tmp_path / "shop 1#?.db")
    source = describe_database(uri, "order_lines", TableSettings())
    assert source.format == "arrow" and source.table == "order_lines" and "shop 1#?.db" in source.label
    assert dict(source.mapping) == {
        "customer_id": ("Customer ID",), "ordered_at": ("invoice_date",), "order_id": ("Invoice No",), "quantity": ("qty",),
        "price": ("Unit Price",),
    }  # fmt: skip
    assert [column.type for column in source.columns] == ["text", "integer", "text", "integer", "double"]
    assert source.date_orders == {"ordered_at": "ymd"}
    for _ in range(2):
        assert [tuple(row.values()) for row in source.batches().read_all().to_pylist()] == rows


def test_sqlite_is_read_by_the_engine(tmp_path, read_back):
    uri, rows = shop_file(tmp_path / "shop.db")
    read = read_back(describe_database(uri, "order_lines", TableSettings()))
    assert read["customer_id"] == [str(row[1]) for row in rows]
    assert read["ordered_at"] == [dt.datetime.fromisoformat(row[2]) for row in rows]
    assert read["quantity"] == [row[3] for row in rows] and read["price"] == [row[4] for row in rows]


def test_sqlite_values_of_several_types_and_late_values(tmp_path):
    empty = [(None, None, None, None, None)] * 3_000
    late = [(1, "2024-01-31", 2, "x", 7.5), ("K2", "2024-02-01", 2.5, 3, None)]
    create = "create table order_lines (customer_id, ordered_at, price, category, amount)"
    source = describe_database(sqlite_file(tmp_path / "shop.db", create, empty + late), "order_lines", TableSettings())
    assert [column.type for column in source.columns] == ["text", "text", "double", "text", "double"]
    table = source.batches().read_all()
    assert table.num_rows == 3_002
    assert table.slice(3_000).to_pylist() == [
        {"customer_id": "1", "ordered_at": "2024-01-31", "price": 2.0, "category": "x", "amount": 7.5},
        {"customer_id": "K2", "ordered_at": "2024-02-01", "price": 2.5, "category": "3", "amount": None},
    ]


def test_sqlite_query_with_comment_and_semicolon(tmp_path):
    uri, rows = shop_file(tmp_path / "shop.db")
    query = 'select "Customer ID" as client, invoice_date, qty * "Unit Price" as amount from order_lines where qty > 0; '
    source = describe_database(uri, "order_lines", TableSettings(query=query))
    assert source.label.startswith("query in SQLite file")
    assert source.batches().read_all().num_rows == sum(row[3] > 0 for row in rows)
    commented = describe_database(uri, "order_lines", TableSettings(query=query.replace(";", "") + "-- purchases only"))
    assert commented.batches().read_all().equals(source.batches().read_all())


def test_sqlite_view_odd_names_and_mapping(tmp_path):
    uri = sqlite_file(tmp_path / "shop.db", 'create table "odd ""name" ("who; drop table x" text, wann text, "1" real)')
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("""insert into "odd ""name" values ('a', '2024-01-31', 1.5)""")
        connection.execute("""create view "Sales.All" as select * from "odd ""name" """)
    connection.close()
    columns = {"customer_id": ("who; drop table x",), "ordered_at": ("wann",), "amount": ("1",)}
    for name in ('odd "name', "Sales.All", "sales.all"):
        source = describe_database(uri, "order_lines", TableSettings(table=name, columns=columns))
        assert source.batches().read_all().num_columns == 3


def test_sqlite_absolute_and_relative_addresses(tmp_path, monkeypatch):
    shop_file(tmp_path / "shop.db")
    monkeypatch.chdir(tmp_path)
    for uri in ("sqlite:///shop.db", f"sqlite:///{tmp_path}/shop.db", f"sqlite://{tmp_path}/shop.db"):
        assert describe_database(uri, "order_lines", TableSettings()).format == "arrow"


def test_sqlite_is_opened_read_only(tmp_path):
    uri, rows = shop_file(tmp_path / "shop.db")
    os.chmod(tmp_path / "shop.db", 0o444)
    source = describe_database(uri, "order_lines", TableSettings())
    assert source.batches().read_all().num_rows == len(rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.db"]


def test_ambiguous_days_are_asked_about(tmp_path):
    create = "create table order_lines (customer_id, ordered_at, amount)"
    uri = sqlite_file(tmp_path / "shop.db", create, [(1, "03/04/2011", 2.0), (2, "05/06/2011", 3.0)])
    with pytest.raises(AskError, match="date_order"):
        describe_database(uri, "order_lines", TableSettings())
    assert describe_database(uri, "order_lines", TableSettings(date_order="dmy")).date_orders == {"ordered_at": "dmy"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"table": "orderlines"}, 'no table "orderlines".*Did you mean "order_lines".*Name it with `table`'),
        ({"query": "delete from order_lines"}, "cannot be read: .*syntax error.*Wanted: one select"),
        ({"query": "select 1) as x; delete from order_lines; --"}, "order_lines"),
        ({"query": "select nope from order_lines"}, "no such column: nope"),
        ({"query": "select * from order_lines where 0"}, "no rows"),
        ({"columns": {"customer_id": ("nobody",)}}, "nobody"),
    ],
)
def test_sqlite_faults_are_named(tmp_path, given, message):
    uri, rows = shop_file(tmp_path / "shop.db")
    with pytest.raises(SourceError, match=f"(?s){message}"):
        describe_database(uri, "order_lines", TableSettings(**given))
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        assert connection.execute("select count(*) from order_lines").fetchone() == (len(rows),)
    connection.close()


def test_missing_damaged_and_foreign_files(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        describe_database(f"sqlite:///{tmp_path}/none.db", "order_lines", TableSettings())
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("customer_id,ordered_at\n1,2024-01-01\n")
    with pytest.raises(SourceError, match="no SQLite database"):
        describe_database(f"sqlite:///{tmp_path}/text.db", "order_lines", TableSettings())
    uri, _ = shop_file(tmp_path / "cut.db")
    with open(tmp_path / "cut.db", "r+b") as file:
        file.truncate(5_000)
    with pytest.raises(SourceError, match="malformed"):
        describe_database(uri, "order_lines", TableSettings())


def test_doubled_columns_of_a_query_are_named(tmp_path):
    create = 'create table order_lines (customer_id, ordered_at, amount, "AMOUNT " real)'
    uri = sqlite_file(tmp_path / "shop.db", create, [(1, "2024-01-31", 2.0, 2.0)])
    with pytest.raises(SourceError, match="stands 2 times"):
        describe_database(uri, "order_lines", TableSettings())


def test_missing_driver_names_the_extra(tmp_path, monkeypatch):
    uri, _ = shop_file(tmp_path / "shop.db")
    for name in [name for name in sys.modules if name.startswith("adbc_driver_sqlite")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "adbc_driver_sqlite", None)
    with pytest.raises(SourceError, match=r"customer-genome\[sql\]"):
        describe_database(uri, "order_lines", TableSettings())


def test_addresses():
    assert is_database_address("postgresql://h/d") and is_database_address("sqlite:///x.db")
    assert not is_database_address("C://lines.csv") and not is_database_address("/data/lines.csv")
    with pytest.raises(SourceError, match=r"mysql://me:\*\*\*@host/x: databases of kind 'mysql'"):
        describe_database("mysql://me:secret@host/x", "order_lines", TableSettings())
    with pytest.raises(SourceError, match='Did you mean "postgresql"'):
        describe_database("postgressql://h/x", "order_lines", TableSettings())
    assert without_password("postgresql://h/d?host=/tmp") == "postgresql://h/d?host=/tmp"
    assert without_password("sqlite:///a.db") == "sqlite:///a.db"


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    port: int

    def uri(self, user="shop", password=None, database="shop", options=""):
        from urllib.parse import quote

        secret = f":{quote(password, safe='')}" if password is not None else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}{options}"


def postgres_program(name):
    found = shutil.which(name)
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return found if found and Path(found).parent.joinpath("postgres").exists() else (str(places[0]) if places else None)


@pytest.fixture(scope="module")
def server():
    """A private PostgreSQL server on a free loopback port, run by an ordinary user, with password logins only."""
    pytest.importorskip("adbc_driver_postgresql", reason='needs the extra "sql"')
    initdb, control = postgres_program("initdb"), postgres_program("pg_ctl")
    if not initdb or not control:
        pytest.skip("no PostgreSQL server here: install the system package postgresql")
    folder = Path(tempfile.mkdtemp(prefix="genome-pg-"))
    options = {}
    if os.geteuid() == 0:
        person = next((name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()}), None)
        if person is None or sys.platform == "win32":
            pytest.skip("PostgreSQL refuses to run as root, and there is no other user")
        options = {"user": person, "group": pwd.getpwnam(person).pw_gid, "extra_groups": ()}
        shutil.chown(folder, person)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def run(*command):
        return subprocess.run(command, check=True, capture_output=True, env=environment, cwd=folder, timeout=60, **options)

    data, log = folder / "data", folder / "log"
    try:
        run(initdb, "-D", data, "-U", "shop", "-A", "scram-sha-256", "--pwfile", folder / "password", "-E", "UTF8", "--no-sync")
        run(control, "-D", data, "-l", log, "-w", "-o", f"-p {port} -k {folder} -h 127.0.0.1 -F", "start")
        try:
            running = Server(port)
            _fill(running)
            yield running
        finally:
            run(control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(server):
    """Create the database, a shop in a schema of its own, a table of many types, and a user who sees little."""
    from adbc_driver_postgresql import dbapi

    with (
        dbapi.connect(server.uri(password=PASSWORD, database="postgres"), autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("create database shop")
        cursor.execute("create role guest login password 'guest'")
    lines = simulate(300, days=60, seed=4, refund_rate=0.05).order_lines().read_all()
    with dbapi.connect(server.uri(password=PASSWORD)) as connection, connection.cursor() as cursor:
        cursor.execute("create schema sales")
        cursor.execute("create schema archive")
        cursor.execute("create table archive.lines (customer_id int)")
        cursor.adbc_ingest("lines", lines, db_schema_name="sales")
        cursor.execute("create type mood as enum ('good', 'bad')")
        cursor.execute(
            'create table "Order Types" (customer_id numeric(12, 0), ordered_at timestamptz, amount numeric(10, 3), price money, '
            "mood mood, key uuid, code char(6), about jsonb, tags text[], day date, qty numeric, seen timestamp, flag boolean)"
        )
        cursor.execute(
            """insert into "Order Types" values (123456789012, '2024-03-31 01:30+02', 12.500, '1234.50', 'good',
               'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ab', '{"a": 1}', array['x'], '2024-02-29', 2, '2024-02-29 23:59:59.5', true),
               (2, null, 'NaN', null, null, null, null, null, null, null, null, null, null)"""
        )
        cursor.execute("create view many as select * from sales.lines")
        connection.commit()


def test_postgres_table_with_schema(server):
    source = describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(table="sales.lines"))
    wanted = simulate(300, days=60, seed=4, refund_rate=0.05).order_lines().read_all()
    assert source.batches().read_all().cast(wanted.schema).equals(wanted)
    assert source.batches().read_all().num_rows == wanted.num_rows
    assert source.date_orders == {"ordered_at": "typed"} and source.label.startswith(
        "table sales.lines in PostgreSQL database shop at 127."
    )
    assert PASSWORD not in repr(source) and "s3cr3t" not in repr(source)


def test_postgres_password_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    source = describe_database(server.uri(), "order_lines", TableSettings(table="many"))
    assert source.batches().read_all().num_rows > 0


def test_postgres_types(server):
    source = describe_database(
        server.uri(password=PASSWORD), "order_lines", TableSettings(table="Order Types", columns={"price": ("price",)})
    )
    assert {column.name: column.type for column in source.columns} == {
        "customer_id": "integer", "ordered_at": "timestamp_tz", "amount": "double", "price": "double", "mood": "text", "key": "text",
        "code": "text", "about": "text", "tags": "text", "day": "date", "qty": "double", "seen": "timestamp", "flag": "boolean",
    }  # fmt: skip
    first, second = source.batches().read_all().to_pylist()
    assert first == {
        "customer_id": 123456789012, "ordered_at": dt.datetime(2024, 3, 30, 23, 30, tzinfo=dt.UTC), "amount": 12.5, "price": 1234.5,
        "mood": "good", "key": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "code": "ab", "about": '{"a": 1}', "tags": "{x}",
        "day": dt.date(2024, 2, 29), "qty": 2.0, "seen": dt.datetime(2024, 2, 29, 23, 59, 59, 500_000), "flag": True,
    }  # fmt: skip
    assert second["amount"] != second["amount"] and second["ordered_at"] is None


def test_postgres_is_read_by_the_engine(server, read_back):
    source = describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(table="Order Types"))
    read = read_back(source)
    assert read["customer_id"] == ["123456789012", "2"] and read["amount"] == [12.5, None]
    assert read["ordered_at"] == [dt.datetime(2024, 3, 30, 23, 30), None]


def test_postgres_query_cannot_write(server):
    query = "with gone as (delete from sales.lines returning *) select * from gone"
    with pytest.raises(SourceError, match="cannot be read"):
        describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(query=query))
    volatile = "select customer_id, ordered_at, price, nextval('counter') from sales.lines"
    with pytest.raises(SourceError, match="counter"):
        describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(query=volatile))
    good = "select customer_id, ordered_at, sum(quantity * price) as amount from sales.lines group by 1, 2;"
    assert (
        describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(query=good)).batches().read_all().num_rows
        > 0
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"table": "sales.line"}, 'Did you mean "sales.lines"'),
        ({"table": "lines"}, "ambiguous in .*: archive.lines and sales.lines"),
        ({}, 'no table "order_lines"'),
        ({"query": "select 1 as customer_id, 2 as customer_id"}, "'customer_id' comes twice"),
        ({"query": "selec 1"}, "syntax error"),
        ({"query": "select * from sales.lines where false"}, "no rows"),
    ],
)
def test_postgres_faults_are_named(server, given, message):
    with pytest.raises(SourceError, match=message):
        describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(**given))


def test_postgres_rights_are_respected(server):
    with pytest.raises(SourceError, match="permission denied"):
        describe_database(server.uri("guest", "guest"), "order_lines", TableSettings(query="select * from sales.lines"))


@pytest.mark.parametrize(
    "make",
    [
        lambda server: server.uri(password=PASSWORD + "wrong"),
        lambda server: server.uri(password=PASSWORD, database="nowhere"),
        lambda server: server.uri(password=PASSWORD, options="?nonsense=1"),
        lambda server: server.uri(password=PASSWORD).replace("%2F", "%zz"),
        lambda server: server.uri(options=f"?password={PASSWORD}&sslmode=maybe"),
        lambda server: f"postgresql://shop:s3cr3t@127.0.0.1:{server.port}:x/shop",
        lambda server: "postgresql://shop:s3cr3t@127.0.0.1:1/shop",
    ],
)
def test_passwords_never_show(server, make, caplog, capfd):
    with caplog.at_level(logging.DEBUG), pytest.raises(SourceError) as caught:
        describe_database(make(server), "order_lines", TableSettings(table="sales.lines"))
    assert "cannot be opened" in str(caught.value)
    told = [str(caught.value), caplog.text, *capfd.readouterr()]
    assert not any("s3cr3t" in text for text in told)
    assert caught.value.__cause__ is None


def test_a_server_that_stops_is_said(server):
    from adbc_driver_postgresql import dbapi

    source = describe_database(server.uri(password=PASSWORD), "order_lines", TableSettings(table="sales.lines"))
    with dbapi.connect(server.uri(password=PASSWORD), autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("alter table sales.lines rename to gone")
        try:
            with pytest.raises((SourceError, pa.ArrowException), match="reading stopped"):
                source.batches().read_all()
        finally:
            cursor.execute("alter table sales.gone rename to lines")
