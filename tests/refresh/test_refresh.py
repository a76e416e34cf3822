"""A refresh reads new rows only, and publishes what a run on all rows would publish."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from customer_genome.erasure import forget
from customer_genome.errors import ContractError
from customer_genome.genome import Genome
from customer_genome.interfaces.cli import app
from customer_genome.interfaces.recipes import remember
from customer_genome.snapshot import current_version
from customer_genome.workspace import Workspace

from .conftest import HEADER, Shop, append_rows, write_rows

runner = CliRunner()
NUMBERS = {"line_id", "row_number"}


def published_tables(shop: Shop, without: Sequence[str] = ("deliveries",)) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of every published table, sorted, numbers to ten digits."""
    found = {}
    with Genome.open(shop.workspace) as genome:
        for name in genome.tables():
            if name in without:
                continue
            table = genome.table(name)
            rows = table.select([column for column in table.column_names if column not in NUMBERS]).to_pylist()
            found[name] = sorted(tuple(plain(value) for value in row.values()) for row in rows)
    return found


def plain(value: Any) -> str:
    """Return a value as text; floats to ten digits, because their sums depend on the order of terms."""
    if isinstance(value, (list, tuple)):
        return "|".join(plain(part) for part in value)
    return f"{value:.10g}" if isinstance(value, float) else f"{value!r}"


def assert_same(one: Shop, other: Shop) -> None:
    first, second = published_tables(one), published_tables(other)
    assert first.keys() == second.keys()
    for name in first:
        assert first[name] == second[name], name


# --- the law -------------------------------------------------------------------------------------------------------


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[int]]:
    """Draw which of 40 blocks of rows come in which delivery: in any order, some of them again."""
    order = draw(st.permutations(range(40)))
    cuts = sorted(draw(st.lists(st.integers(8, 38), min_size=1, max_size=2, unique=True)))
    parts = [list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, 40], strict=True)]
    return [part + draw(st.lists(st.sampled_from(order), max_size=5, unique=True)) for part in parts]


def prove_the_law(another: Any, deliveries: list[list[int]], refunds: str) -> None:
    name = uuid.uuid4().hex[:8]
    bit, whole = another(f"bit-{name}"), another(f"whole-{name}")
    rows = bit.rows + bit.later
    rows += rows[:7]
    size = len(rows) // 40 + 1
    blocks = [rows[place * size : (place + 1) * size] for place in range(40)]
    chosen = {"cleaning": {"refunds": refunds}}
    came: list[list[Any]] = []
    seen: set[int] = set()
    as_of = dt.date(2024, 2, 1)
    for place, delivery in enumerate(deliveries):
        new = [block for block in dict.fromkeys(delivery) if block not in seen]
        seen.update(new)
        came += [row for block in new for row in blocks[block]]
        file = write_rows(bit.data / f"{place}.csv", [row for block in dict.fromkeys(delivery) for row in blocks[block]])
        go = bit.refresh if place else bit.run
        go(file, settings=chosen, as_of=as_of)
    whole.run(write_rows(whole.data / "all.csv", came), settings=chosen, as_of=as_of)
    tables = () if len({tuple(row) for row in came}) == len(came) else ("ledger",)
    first, second = published_tables(bit, ("deliveries", *tables)), published_tables(whole, ("deliveries", *tables))
    assert first == second
    for shop in (bit, whole):
        shutil.rmtree(shop.root)


LAW = settings(deadline=None, database=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


@settings(LAW, max_examples=2)
@given(deliveries=arrivals(), refunds=st.sampled_from(["net", "drop"]))
def test_refreshes_equal_a_run_on_all_rows(another, deliveries, refunds):
    prove_the_law(another, deliveries, refunds)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(LAW, max_examples=8)
@given(deliveries=arrivals(), refunds=st.sampled_from(["net", "drop"]))
def test_refreshes_equal_a_run_on_all_rows_at_length(another, deliveries, refunds):
    prove_the_law(another, deliveries, refunds)


# --- rows read are the new rows ------------------------------------------------------------------------------------


def test_of_a_folder_only_the_new_file_is_read(shop, another):
    write_rows(shop.data / "2024.csv", shop.later)
    result = shop.refresh()
    assert (result.rows_read, result.rows_added, result.rows_seen) == (60, 60, 0)
    assert [Path(file).name for file in result.files_read] == ["2024.csv"]
    assert [Path(file).name for file in result.files_skipped] == ["2023.csv"]
    whole = another("whole")
    whole.run(shop.data)
    assert_same(shop, whole)
    with Genome.open(shop.workspace) as genome:
        assert genome.manifest["rows_read"] == 60
        found = genome.query(
            "select delivery, rows_read, rows_added, first_row, files from deliveries order by delivery"
        ).to_pylist()
    assert found == [
        {"delivery": 1, "rows_read": len(shop.rows), "rows_added": len(shop.rows), "first_row": 1, "files": "2023.csv"},
        {"delivery": 2, "rows_read": 60, "rows_added": 60, "first_row": len(shop.rows) + 1, "files": "2024.csv"},
    ]


def test_of_a_file_that_grew_only_the_end_is_read(shop):
    append_rows(shop.first, shop.later)
    result = shop.refresh()
    assert (result.rows_read, result.rows_added) == (60, 60)
    append_rows(shop.first, [["only", "o1", "2024-01-01 10:00:00", "p", "1", "5", "x"]])
    assert shop.refresh().rows_read == 1
    with Genome.open(shop.workspace) as genome:
        assert genome.customer("only")["n_orders"] == 1


def test_a_file_whose_rows_changed_is_read_whole_and_said_so(shop):
    changed = [[*row[:5], "1234.5", *row[6:]] if place == 3 else row for place, row in enumerate(shop.rows)]
    assert shop.refresh().is_new is False
    write_rows(shop.first, changed)
    result = shop.refresh()
    assert (result.rows_read, result.rows_added) == (len(shop.rows), 1)
    assert any("loaded before with other content" in notice for notice in result.notices)


def test_replayed_renamed_and_overlapping_files_add_nothing(shop):
    before = current_version(Workspace(shop.workspace))
    shutil.copy(shop.first, shop.data / "again.csv")
    result = shop.refresh()
    assert (result.rows_read, len(result.files_skipped), result.is_new) == (0, 2, False)
    write_rows(shop.data / "overlap.csv", shop.rows[-50:])
    result = shop.refresh()
    assert (result.rows_read, result.rows_added, result.rows_seen, result.is_new) == (50, 0, 50, False)
    assert shop.refresh().rows_read == 0
    assert current_version(Workspace(shop.workspace)) == before


def test_tables_from_python_and_databases_are_known_by_their_rows(shop):
    sqlite3 = pytest.importorskip("sqlite3")
    pytest.importorskip("adbc_driver_sqlite")
    address = f"sqlite:///{shop.root / 'shop.db'}"
    with sqlite3.connect(shop.root / "shop.db") as connection:
        connection.execute(f"create table order_lines ({', '.join(f'{name} text' for name in HEADER)})")
        rows = shop.rows[:-2] + shop.later[:30]
        connection.executemany(f"insert into order_lines values ({', '.join('?' * len(HEADER))})", rows)
    connection.close()
    result = shop.refresh(address)
    assert (result.rows_read, result.rows_added) == (len(rows), 30)
    frame = pa.table({name: [row[place] for row in shop.later] for place, name in enumerate(HEADER)})
    result = shop.refresh(frame)
    assert (result.rows_read, result.rows_added) == (60, 30)


def test_parquet_folders_and_days_without_sales(shop, another):
    typed = another("typed")
    columns = {name: [row[place] for row in shop.rows + shop.later] for place, name in enumerate(HEADER)}
    table = pa.table(columns).set_column(4, "quantity", pa.array([float(row[4]) for row in shop.rows + shop.later]))
    typed.data.mkdir()
    pq.write_table(table.slice(0, len(shop.rows)), typed.data / "a.parquet")
    typed.run()
    pq.write_table(table.slice(len(shop.rows)), typed.data / "b.parquet")
    assert typed.refresh().rows_read == 60
    write_rows(shop.data / "sunday.csv", [])
    result = shop.refresh()
    assert (result.rows_read, len(result.files_read), result.is_new) == (0, 1, False)
    assert len(shop.refresh().files_skipped) == 2


# --- what else moves -----------------------------------------------------------------------------------------------


def test_a_day_later_recency_moves_although_nothing_came(shop, another):
    with Genome.open(shop.workspace) as genome:
        before = genome.query("select customer_id, recency_days from customers order by 1").to_pylist()
        day = dt.date.fromisoformat(genome.manifest["as_of"]) + dt.timedelta(days=1)
    result = shop.refresh(as_of=day)
    assert (result.rows_read, result.is_new) == (0, True)
    with Genome.open(shop.workspace) as genome:
        after = genome.query("select customer_id, recency_days from customers order by 1").to_pylist()
    assert [row["recency_days"] + 1 for row in before] == [row["recency_days"] for row in after]
    assert shop.refresh(as_of=day).is_new is False
    whole = another("whole")
    whole.run(shop.data, as_of=day)
    assert_same(shop, whole)


def test_another_refund_policy_publishes_although_nothing_came(shop, another):
    net = {"cleaning": {"refunds": "net"}}
    result = shop.refresh(settings=net)
    assert (result.is_new, result.rows_read, result.refunds["policy"]) == (True, 0, "net")
    assert shop.refresh(settings=net).is_new is False
    whole = another("whole")
    whole.run(shop.data, settings=net)
    assert_same(shop, whole)


def test_refit_fits_and_publishes(shop):
    result = shop.refresh(refit=True)
    assert result.is_new
    assert result.models == dict.fromkeys(("purchases", "spend", "clusters", "champion_forecast"), "v00002")


def test_side_tables_are_read_anew_where_given_and_kept_where_not(shop):
    first, second = sorted({row[0] for row in shop.rows})[:2]
    people = write_rows(shop.root / "people.csv", [[first, 31], [second, 44]], ("customer", "age"))
    calm = write_rows(shop.root / "calm.csv", [[first]], ("customer",))
    tables = {"tables": {"customers": {"path": str(people)}, "suppressions": {"path": str(calm)}}}
    assert shop.refresh(settings=tables).is_new
    assert shop.refresh(settings=tables).is_new is False
    write_rows(calm, [[second]], ("customer",))
    assert shop.refresh(settings=tables).is_new
    write_rows(shop.data / "2024.csv", shop.later)
    shop.refresh()
    with Genome.open(shop.workspace) as genome:
        assert genome.manifest["has_suppressions"]
        known = genome.query(
            "select customer_id, is_suppressed, attribute_age as age from customers where attribute_age is not null order by 1"
        ).to_pylist()
    assert known == [
        {"customer_id": first, "is_suppressed": False, "age": "31"},
        {"customer_id": second, "is_suppressed": True, "age": "44"},
    ]


def test_an_erased_customer_stays_out_of_a_refresh(shop):
    who = "erase-me-4711-please"
    rows = [[who, "o1", "2024-01-02 10:00:00", "p", "2", "5", "x"], [who, "o1", "2024-01-03 10:00:00", "q", "1", "5", "y"]]
    returned = [[who, "o2", "2024-01-04 10:00:00", "p", "-1", "5", "x"], ["c2", "C9", "2024-01-04 10:00:00", "p", "-1", "5", "x"]]
    write_rows(shop.data / "2024.csv", rows + returned + rows)
    shop.refresh()
    forget(Workspace(shop.workspace), who)
    write_rows(shop.data / "more.csv", [*rows, [who, "o3", "2024-01-05 10:00:00", "q", "7", "5", "y"], *shop.later])
    result = shop.refresh()
    assert result.ledger["forgotten"]["rows"] == 6
    assert sum(entry["rows"] for entry in result.ledger.values()) == len(shop.rows) + 6 + 1 + 60
    assert not [path for path in shop.workspace.rglob("*.duckdb") if who.encode() in path.read_bytes()]
    with Genome.open(shop.workspace) as genome:
        assert not genome.query("select 1 as n from customers where customer_id = ?", [who]).num_rows


def test_bad_rows_stop_a_refresh_where_the_user_wants_that(shop):
    digest = hashlib.sha256((shop.workspace / "warehouse" / "warehouse.duckdb").read_bytes()).hexdigest()
    write_rows(shop.data / "2024.csv", [["c", "o", "not a day", "p", "1", "5", "x"], *shop.later])
    with pytest.raises(ContractError, match=r"1 of the new rows are refused .* Found: 1 bad_date"):
        shop.refresh(settings={"cleaning": {"on_bad_rows": "reject"}})
    assert hashlib.sha256((shop.workspace / "warehouse" / "warehouse.duckdb").read_bytes()).hexdigest() == digest
    assert shop.refresh().ledger["bad_date"]["rows"] == 1


def test_the_command_prints_what_was_read(shop):
    write_rows(shop.data / "2024.csv", shop.later)
    command = ["refresh", str(shop.data), "--workspace", str(shop.workspace), "--progress", "none"]
    told = runner.invoke(app, command, catch_exceptions=False)
    assert told.exit_code == 0
    assert "60 rows read: 60 new rows added, 0 rows loaded before; 1 file read, 1 skipped" in told.stdout
    again = json.loads(runner.invoke(app, [*command, "--json"], catch_exceptions=False).stdout)
    assert (again["rows_read"], again["is_new"], again["version"], len(again["files_skipped"])) == (0, False, "v00002", 2)
    assert "Nothing is new as of" in runner.invoke(app, command, catch_exceptions=False).stdout
    remember(shop.workspace, str(shop.data), {})
    unnamed = runner.invoke(app, ["refresh", *command[2:]], catch_exceptions=False).stdout
    assert f"No data were named, so none were read. To read what is new: `genome refresh {shop.data}`" in unnamed
