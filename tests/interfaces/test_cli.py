"""The command line: one-line errors with exit codes, JSON on stdout, progress on stderr, settings by option."""

from __future__ import annotations

import errno
import gzip
import json
import sys
from pathlib import Path

import pytest

from customer_genome.errors import SourceError, WorkspaceError
from customer_genome.interfaces import cli
from customer_genome.sources.synthetic import Simulation, simulate
from customer_genome.workspace import Workspace

HEADER = "customer,date,amount\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated shop as Parquet."""
    path = tmp_path_factory.mktemp("shop") / "lines.parquet"
    simulate(n_lines=3_000, seed=2).write_parquet(path)
    return path


@pytest.fixture
def genome(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run a command as `genome` does; return exit code, stdout and stderr."""
    monkeypatch.setenv("GENOME_WORKSPACE", str(tmp_path / "w"))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["genome", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        (HEADER, "no data lines"),
        ("when,what\n2024-01-01,5\n", "customer_id"),
        ("customer,customer,date,amount\na,b,2024-01-01,5\n", "the same header stands 2 times"),
        (HEADER + "a,1/2/2024,5\nb,3/4/2024,6\n", "date_order"),
        (HEADER + 'a,2024-01-01,"1,234"\n', "decimal_mark"),
        (HEADER + ",2024-01-01,5\n,2024-01-02,6\n", "customer"),
        (HEADER + "a,2024-01-01,-5\n", "none of its rows is a usable purchase"),
        (HEADER + "a,2024-01-01,-5\n", "quantity and money are negative"),
        (HEADER.strip() + ",status\na,2024-01-01,5,voided\n", "its status is one of cancelled"),
        (HEADER + "a,2099-01-01,5\n", "2099-01-01"),
    ],
)
def test_bad_files_end_in_one_error_and_publish_nothing(genome, tmp_path, content, said):
    (tmp_path / "lines.csv").write_text(content)
    code, out, err = genome("run", str(tmp_path / "lines.csv"), "--progress", "none")
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "w" / "published" / "CURRENT").exists()


def test_damaged_files_name_themselves(genome, tmp_path, shop):
    (tmp_path / "cut.parquet").write_bytes(shop.read_bytes()[:2000])
    assert "cut.parquet" in genome("run", str(tmp_path / "cut.parquet"))[2]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.csv").write_text(HEADER + "a,2024-01-01,5\n")
    (folder / "b.csv").write_text("customer,date\na,2024-01-01\n")
    code, _, err = genome("run", str(folder))
    assert code == 1
    assert "b.csv" in err
    assert 'Did you mean "online-retail"' in genome("run", "onlin-retail")[2]
    code, _, err = genome("run", str(tmp_path / "lnies.csv"))
    assert code == 1
    assert "lnies.csv" in err


def test_numbers_and_dates_of_the_world(genome, tmp_path):
    rows = "Kunde;Datum;Betrag\nMüller;15.01.2024 10:30;1.234,50\nMüller;16.02.2024 09:00;12,50\nJäger;17.03.2024 08:00;abc\n"
    settings = '[tables.order_lines]\npath = "../lines.csv.gz"\n[tables.order_lines.columns]\ncustomer_id = "Kunde"\nordered_at = "Datum"\namount = "Betrag"\n'
    with gzip.open(tmp_path / "lines.csv.gz", "wb") as file:
        file.write(rows.encode("cp1252"))
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "genome.toml").write_text(settings)
    code, out, err = genome("run", "--json", "--progress", "none")
    assert code == 0, err
    result = json.loads(out)
    assert result["revenue"] == 1247.0
    assert result["ledger"]["bad_price"]["rows"] == 1
    code, out, _ = genome("show", "Müller", "--json")
    assert json.loads(out)["n_orders"] == 2


def test_json_is_one_object_and_progress_stays_on_stderr(genome, shop):
    code, out, err = genome("run", str(shop), "--json", "--progress", "json", "--horizon-days", "30", "--refunds", "net")
    assert code == 0
    result = json.loads(out)
    assert {"version", "as_of", "lines", "orders", "customers", "revenue", "ledger", "seconds", "peak_memory_mb"} <= set(result)
    assert (result["horizon_days"], result["refunds"]["policy"]) == (30, "net")
    stages = [json.loads(line)["stage"] for line in err.splitlines()]
    assert list(dict.fromkeys(stages)) == ["read", "clean", "facts", "score", "publish"]


def test_wrong_options_are_said_in_one_line(genome, shop):
    assert genome("run", str(shop), "--refunds", "nett")[0] == 2
    code, _, err = genome("run", str(shop), "--as-of", "12.06.2011")
    assert code == 2
    assert "YYYY-MM-DD" in err
    code, _, err = genome("run", str(shop), "--as-of", "1990-01-01")
    assert code == 1
    assert "leaves nothing to learn from" in err


def test_before_the_first_run_every_reader_says_what_to_do(genome, tmp_path):
    for arguments in (("show", "1"), ("export", "-o", str(tmp_path / "x.csv")), ("report",)):
        code, _, err = genome(*arguments)
        assert code == 1
        assert "genome run" in err
    assert genome("doctor")[0] == 0


def test_export_explains_unknown_formats_and_tables(genome, shop, tmp_path):
    genome("run", str(shop), "--progress", "none")
    assert 'Did you mean "parquet"?' in genome("export", "-o", str(tmp_path / "x.parqet"))[2]
    assert 'Did you mean "orders"?' in genome("export", "-o", str(tmp_path / "x.csv"), "--table", "order")[2]
    assert not (tmp_path / "x.csv").exists()
    code, out, _ = genome("export", "-o", str(tmp_path / "q.csv"), "--table", "quarantine", "--json")
    assert code == 0
    assert json.loads(out)["table"] == "quarantine"


def test_doctor_finds_a_changed_snapshot(genome, shop, tmp_path):
    genome("run", str(shop), "--progress", "none")
    database = next((tmp_path / "w" / "published").rglob("snapshot.duckdb"))
    database.write_bytes(database.read_bytes() + b"x")
    code, out, _ = genome("doctor", "--json")
    assert code == 1
    assert [check["name"] for check in json.loads(out)["checks"] if not check["ok"]] == ["Published"]


def test_init_proposes_and_a_run_follows(genome, shop, tmp_path):
    code, out, _ = genome("init", str(shop), "--json")
    assert code == 0
    assert json.loads(out)["is_complete"]
    assert genome("run", "--progress", "none")[0] == 0
    code, _, err = genome("init", str(shop))
    assert code == 2
    assert "--force" in err


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_an_export_that_cannot_be_written_says_so_and_leaves_nothing(genome, shop, tmp_path, ending):
    genome("run", str(shop), "--progress", "none")
    output = tmp_path / f"x.{ending}"
    output.with_name(output.name + ".part").mkdir()
    code, out, err = genome("export", "-o", str(output))
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: {output} cannot be written: ")
    assert "Choose another --output" in err
    assert not output.exists()


def test_a_full_disk_leaves_no_simulated_file(genome, tmp_path, monkeypatch):
    def full(self, path: Path, **_: object) -> int:
        path.write_bytes(b"")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Simulation, "write_parquet", full)
    code, _, err = genome("simulate", "-o", str(tmp_path / "s.parquet"), "--lines", "100")
    assert code == 1
    assert err == f"Error: {tmp_path / 's.parquet'} cannot be written: No space left on device. Choose another --output.\n"
    assert list(tmp_path.glob("s.parquet*")) == []


def test_a_workspace_that_cannot_be_locked_says_so(tmp_path, monkeypatch):
    def read_only(self, **_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("customer_genome.workspace.FileLock.acquire", read_only)
    with pytest.raises(WorkspaceError, match="cannot be written: Read-only file system"), Workspace(tmp_path).locked():
        pass


@pytest.mark.parametrize(
    ("option", "value"),
    [("--refunds", "bogus"), ("--progress", "weird"), ("--clusters", "1"), ("--memory-limit", "lots"), ("--seed", "-1")],
)
def test_impossible_options_are_usage_errors(genome, shop, tmp_path, option, value):
    code, out, err = genome("run", str(shop), option, value)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert value in err
    assert not (tmp_path / "w" / "published").exists()


def test_impossible_settings_in_the_file_are_no_usage_errors(genome, shop, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "genome.toml").write_text("[segments]\nk = 1\n")
    assert genome("run", str(shop), "--progress", "none")[0] == 1


def test_impossible_values_of_other_commands_are_usage_errors(genome, tmp_path):
    assert genome("simulate", "-o", str(tmp_path / "s.parquet"), "--lines", "0")[0] == 2
    assert genome("export", "-o", str(tmp_path / "x.parqet"))[0] == 2


@pytest.mark.parametrize("arguments", [("--debug", "run", "none.csv"), ("run", "none.csv", "--debug")])
def test_debug_shows_where_an_error_comes_from_on_both_sides_of_the_command(genome, arguments):
    with pytest.raises(SourceError, match=r"none\.csv"):
        genome(*arguments)
    assert genome("run", "--", "--debug")[0] == 1
