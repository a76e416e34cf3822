"""Files handed in on the dashboard: kept apart, within limits, previewed by the product's own rules before anything is run."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import stat
import struct
import time
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_genome.errors import AskError, SourceError, WorkspaceError
from customer_genome.interfaces.recipes import read_mapping, remember
from customer_genome.interfaces.serving import uploads
from customer_genome.interfaces.serving.previews import Reading, preview, propose_mapping, recipe_of, words_of, write_mapping
from customer_genome.interfaces.serving.uploads import draft, named, receive, refuse_traps, release, safe_name
from customer_genome.settings import merged, read_settings
from customer_genome.workspace import Workspace

LINES = (
    "Kunde;Gebucht am;Beleg;Artikel;Stk;EUR\n"
    "K1;31.12.2023;B1;A1;2;3,50\n"
    "K1;31.12.2023;B1;A1;2;3,50\n"
    "K2;01.01.2024;B2;A2;-1;3,50\n"
    ";02.01.2024;B3;A2;1;3,50\n"
    "=1+1;03.01.2024;B4;=cmd|'/C calc'!A0;1;4,00\n"
    "K3;kaputt;B5;A2;1;3,50\n"
)
ALL_COLUMNS = {
    "customer_id": ("Kunde",), "ordered_at": ("Gebucht am",), "order_id": ("Beleg",), "product_id": ("Artikel",), "quantity": ("Stk",), "price": ("EUR",),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """A workspace folder with nothing in it."""
    return Workspace(tmp_path / "shop")


def hand_in(place: Workspace, content: str | bytes, name: str = "lines.csv") -> uploads.Upload:
    """Hand in a file."""
    return receive(place, name, io.BytesIO(content.encode() if isinstance(content, str) else content))


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "..\\..\\x.csv",
        "/abs/olute.csv",
        "a/../../b.csv",
        "...",
        "",
        "~/.ssh/x",
        "-rf.csv",
        "*?[x].csv",
        "x" * 300 + ".csv",
        "é\n.csv",
    ],
)
def test_no_name_leads_out_of_the_folder(place, name):
    found = hand_in(place, "a,b\n1,2\n", name)
    assert found.path.resolve().parent.parent == place.uploads.resolve() and found.path.is_file()
    assert found.name == name and len(found.path.name) < 100
    assert not set(found.path.name) & set("*?[]~/\\ \n") and not found.path.name.startswith((".", "-"))
    assert stat.S_IMODE(found.path.stat().st_mode) == 0o600 and not os.access(found.path, os.X_OK)
    assert stat.S_IMODE(place.uploads.stat().st_mode) == stat.S_IMODE(found.folder.stat().st_mode) == 0o700


def test_safe_names_keep_their_ending():
    assert safe_name("Umsatz (final).CSV.GZ") == "Umsatz_final_.CSV.gz"


def test_a_new_file_takes_the_place_of_the_one_before_and_what_a_run_needs_stays(place):
    first = hand_in(place, LINES)
    second = hand_in(place, LINES)
    assert draft(place) == second and not first.folder.exists()
    remember(place.root, str(second.path), {})
    assert draft(place) is None, "a run has made a version of it, so there is nothing left to map"
    third = hand_in(place, LINES)
    assert second.path.exists() and named(place, second.upload_id) == second
    release(place)
    assert draft(place) is None and not third.folder.exists() and second.path.exists()


def test_a_file_nobody_came_back_to_is_gone_after_a_day(place):
    found = hand_in(place, LINES)
    before = time.time() - uploads.DRAFT_SECONDS - 5
    os.utime(place.uploads / "draft.json", (before, before))
    assert draft(place) is None
    uploads.tidy(place)
    assert not found.folder.exists()


def test_an_id_cannot_name_another_folder(place):
    hand_in(place, LINES)
    assert named(place, "../models") is None and named(place, "0" * 16) is None


def test_too_large_and_empty_files_leave_nothing(place, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_MB", 1)
    with pytest.raises(SourceError, match="larger than 1 MB"):
        hand_in(place, b"x" * 1_000_001)
    with pytest.raises(SourceError, match="is empty"):
        hand_in(place, b"")
    assert list(place.uploads.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "shop").write_text("a file in its place")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        hand_in(Workspace(tmp_path / "shop"), LINES)


def bomb(tmp_path: Path, claims: int | None = None) -> Path:
    """Return a workbook whose sheet becomes 40 MB, and may claim to become less."""
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 40_000_000)
    if claims is not None:
        size = struct.pack("<I", 40_000_000)
        path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", claims)))
    return path


@pytest.mark.parametrize("claims", [None, 100])
def test_a_workbook_that_explodes_is_refused_whatever_it_claims(tmp_path, monkeypatch, claims):
    path = bomb(tmp_path, claims)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(uploads, "MOST_UNPACKED_MB", 10)
    with pytest.raises(SourceError, match=r"becomes larger than 10 MB when it is unpacked"):
        refuse_traps(path, "bomb.xlsx")
    monkeypatch.setattr(uploads, "MOST_UNPACKED_MB", 100)
    refuse_traps(path, "bomb.xlsx")


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_packed_text_that_explodes_is_refused(tmp_path, monkeypatch, ending, pack):
    path = tmp_path / f"lines.csv{ending}"
    path.write_bytes(pack(b"0" * 12_000_000))
    monkeypatch.setattr(uploads, "MOST_UNPACKED_MB", 10)
    with pytest.raises(SourceError, match="larger than 10 MB"):
        refuse_traps(path, "lines.csv")
    path.write_bytes(b"not packed at all")
    with pytest.raises(SourceError, match="damaged"):
        refuse_traps(path, "lines.csv")


def test_a_parquet_file_of_too_many_rows_and_a_damaged_one_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "lines.parquet"
    pq.write_table(pa.table({"a": pa.array([1] * 1000)}), path)
    monkeypatch.setattr(uploads, "MOST_ROWS", 999)
    with pytest.raises(SourceError, match="holds 1,000 rows"):
        refuse_traps(path, "lines.parquet")
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SourceError, match="damaged"):
        refuse_traps(path, "lines.parquet")


# --- previews ------------------------------------------------------------------------------------------------------------


def test_the_form_is_filled_by_the_headers(place):
    found = propose_mapping(hand_in(place, LINES), None, Reading())
    proposed = {one.name: one.headers for one in found.fields}
    assert (found.table, found.looks_like) == ("order_lines", "order_lines")
    assert proposed["customer_id"] == ("Kunde",) and proposed["product_id"] == ("Artikel",) and proposed["ordered_at"] == ()
    assert set(found.headers) == {"Kunde", "Gebucht am", "Beleg", "Artikel", "Stk", "EUR"}
    assert next(one for one in found.fields if one.name == "ordered_at").is_required
    totals = propose_mapping(hand_in(place, "CustomerID,Orders,Total Spend\n1,2,30\n2,1,10\n"), None, Reading())
    assert totals.table == "customer_totals"


def test_a_preview_says_where_every_row_would_go(place):
    found = preview(hand_in(place, LINES), place, "order_lines", ALL_COLUMNS, Reading(), None)
    classes = {row["row_class"]: (row["n_rows"], row["revenue"]) for row in found.classes}
    assert classes == {
        "kept": (2, Decimal("11.0000")), "duplicate": (1, Decimal("7.0000")), "cancelled": (1, Decimal("-3.5000")),
        "no_customer": (1, Decimal("3.5000")), "bad_date": (1, Decimal("3.5000")),
    }  # fmt: skip
    assert (found.n_rows, found.kept, found.customers, found.is_whole) == (6, 2, 2, True)
    assert str(found.first_day) == "2023-12-31" and str(found.last_day) == "2024-01-03"
    rows = found.rows.to_pylist()
    assert [row["row_class"] for row in rows] == ["kept", "duplicate", "cancelled", "no_customer", "kept", "bad_date"]
    assert rows[4]["product_id"] == "=cmd|'/C calc'!A0", "text that looks like a formula stays text"
    assert not (place.root / "warehouse").exists() and not (place.root / "published").exists()


def test_a_preview_of_totals(place):
    given = hand_in(place, "CustomerID,Orders,Total Spend\n1,2,30\n2,-1,10\n,1,5\n")
    columns = {"customer_id": ("CustomerID",), "total_orders": ("Orders",), "total_spend": ("Total Spend",)}
    found = preview(given, place, "customer_totals", columns, Reading(), None)
    assert {row["row_class"]: row["n_rows"] for row in found.classes} == {"kept": 1, "negative": 1, "no_customer": 1}


def test_a_large_file_is_judged_by_its_head(place, monkeypatch):
    monkeypatch.setattr("customer_genome.interfaces.serving.previews.MOST_ROWS", 4)
    found = preview(hand_in(place, LINES), place, "order_lines", ALL_COLUMNS, Reading(), None)
    assert (found.n_rows, found.is_whole) == (4, False)


def test_what_a_run_would_ask_is_asked_in_place(place):
    given = hand_in(place, "customer_id,date,amount\na,01/02/2024,3.50\nb,03/04/2024,4.50\n")
    columns = {"customer_id": ("customer_id",), "ordered_at": ("date",), "amount": ("amount",)}
    with pytest.raises(AskError) as asked:
        preview(given, place, "order_lines", columns, Reading(), None)
    assert "How dates and numbers are written" in words_of(given, asked.value)
    found = preview(given, place, "order_lines", columns, Reading(date_order="mdy"), None)
    assert str(found.first_day) == "2024-01-02"


@pytest.mark.parametrize(
    ("content", "name", "wanted"),
    [
        (b"%PDF-1.7 nothing", "lines.csv", "PDF"),
        (b"customer,date\n", "lines.csv", "no data"),
        (b"<html><body>no</body></html>", "lines.csv", "web page"),
        (b"\xd0\xcf\x11\xe0 broken", "book.xls", "Excel"),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_in_the_products_words_without_a_path(place, content, name, wanted):
    given = hand_in(place, content, name)
    with pytest.raises(SourceError) as refused:
        propose_mapping(given, None, Reading())
    told = words_of(given, refused.value)
    assert wanted.lower() in told.lower() and name in told and str(place.root) not in told


def test_the_run_is_told_exactly_what_was_previewed(place):
    given = hand_in(place, LINES, 'odd "name".csv')
    columns = {**ALL_COLUMNS, "country": (), "product_id": ('Art"ikel\\',)}
    mapping = write_mapping(given, "order_lines", columns, Reading(date_order="dmy", delimiter=";"), None)
    settings = merged(read_settings(place.root), {"tables": read_mapping(mapping)}).tables["order_lines"]
    assert dict(settings.columns) == columns and (settings.date_order, settings.delimiter, settings.has_header) == (
        "dmy",
        ";",
        None,
    )
    arguments = recipe_of(given, "order_lines", mapping).arguments(place.root)
    assert arguments[-2:] == ["--", str(given.path)] and "--level=orders" in arguments and f"--mapping={mapping}" in arguments
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
