"""Files of every dialect, described and then read back through the engine."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_genome.errors import AskError, SourceError
from customer_genome.settings import TableSettings
from customer_genome.sources import describe_file
from customer_genome.warehouse.build import time_of

HEADER = ["Customer ID", "InvoiceDate", "Invoice", "Description", "Quantity", "Price"]


def rows(n: int = 40) -> list[list[str]]:
    """Return order lines in English notation, day first, with umlauts and quoted line breaks among them."""
    start = dt.datetime(2010, 12, 1, 8, 26)
    moments = [start + dt.timedelta(days=k, minutes=7 * k) for k in range(n)]
    texts = ["Täglich, Größe 5", 'Haken "klein"', "zwei\nZeilen", "plain", "  padded  ", "€ Preis"]
    return [
        [
            f"C{k % 7:03d}",
            moment.strftime("%d/%m/%Y %H:%M"),
            f"{5000 + k}",
            texts[k % len(texts)],
            str(1 + k % 5),
            f"{1.25 + k:.2f}",
        ]
        for k, moment in enumerate(moments)
    ]


def as_text(lines: list[list[str]], delimiter: str = ",", header: list[str] | None = HEADER, end: str = "\n") -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerows([header, *lines] if header else lines)
    return out.getvalue()


def check(found: dict[str, list], lines: list[list[str]]) -> None:
    assert found["customer_id"] == [line[0] for line in lines]
    assert found["ordered_at"] == [dt.datetime.strptime(line[1], "%d/%m/%Y %H:%M") for line in lines]
    assert [text or "" for text in found["description"]] == [line[3].strip() for line in lines]
    assert found["quantity"] == [float(line[4]) for line in lines]
    assert found["price"] == pytest.approx([float(line[5]) for line in lines])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_line_ends(delimiter: str, end: str, tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(as_text(rows(), delimiter, end=end).encode())
    source = describe(file)
    assert source.csv.delimiter == delimiter and source.paths == (str(file),)
    check(read_back(source), rows())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"])
@pytest.mark.parametrize("packing", ["plain", "gz", "zst"])
def test_encodings_and_packings(encoding: str, packing: str, tmp_path: Path, describe, read_back) -> None:
    data = as_text(rows(), ";").encode(encoding)
    file = tmp_path / f"orders.csv{'' if packing == 'plain' else '.' + packing}"
    if packing == "gz":
        data = gzip.compress(data)
    if packing == "zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    file.write_bytes(data)
    source = describe(file)
    is_utf8 = encoding.startswith("utf-8")
    assert (source.paths == (str(file),)) == is_utf8
    assert any("Windows-1252" in notice for notice in source.notices) == (encoding == "cp1252")
    check(read_back(source), rows())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([file.name] + ([] if is_utf8 else ["workspace"]))


def test_an_encoding_can_be_said(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes("customer;date;amount;country\n1;2011-01-31;2,50;Česko\n".encode("cp1250"))
    assert read_back(describe(file, encoding="cp1250"))["country"] == ["Česko"]
    with pytest.raises(SourceError, match='Did you mean "cp125'):
        describe(file, encoding="cp1205")
    with pytest.raises(SourceError, match="not utf-8 throughout"):
        describe(file, encoding="utf-8")


def test_one_umlaut_far_from_every_sampled_place_is_found(tmp_path: Path, describe, read_back) -> None:
    lines = [b"customer,date,amount,country"] + [b"c%d,2011-01-%02d,%d.50,UK" % (k, 1 + k % 28, k) for k in range(60_000)]
    lines[20_001] = b"c,2011-01-02,1.50,\xd6sterreich"
    file = tmp_path / "orders.csv"
    file.write_bytes(b"\n".join(lines))
    found = read_back(describe(file))
    assert found["country"][20_000] == "Österreich" and len(found["country"]) == 60_000


def test_decimal_commas_and_semicolons(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "umsatz.csv"
    file.write_text(
        "customer;date;quantity;amount\na;31.12.2010;1;1.234,50\nb;01.12.2010;2;12,5\nc;02.12.2010;3;-3,00 €\n", encoding="utf-8"
    )
    source = describe(file)
    assert (source.csv.delimiter, source.decimal_mark, source.date_orders["ordered_at"]) == (";", ",", "dmy")
    assert read_back(source)["amount"] == [1234.5, 12.5, -3.0]


@pytest.mark.parametrize(("given", "mark"), [("tab", "\t"), ("\\t", "\t"), ("\t", "\t"), ("pipe", "|"), (";", ";")])
def test_a_delimiter_can_be_said(given: str, mark: str, tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.txt"
    file.write_text(as_text(rows(), mark))
    check(read_back(describe(file, delimiter=given)), rows())


@pytest.mark.parametrize("given", ["||", "", '"'])
def test_a_delimiter_that_cannot_be_used_is_refused(given: str, tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.txt"
    file.write_text(as_text(rows(), "|"))
    if given == "":
        assert describe(file, delimiter=given).csv.delimiter == "|"
    else:
        with pytest.raises(SourceError, match="cannot be used"):
            describe(file, delimiter=given)


def test_a_spreadsheet_s_sep_line_and_titles_are_left_out(tmp_path: Path, describe, read_back) -> None:
    body = "customer;date;amount\na;2011-01-02;1,5\nb;2011-01-03;2,5\nc;2011-01-03;2,5\n"
    for name, above in [("sep.csv", "sep=;\n"), ("title.csv", "Sales report\n\nprinted 2011-02-01\n")]:
        file = tmp_path / name
        file.write_text(above + body)
        source = describe(file)
        assert read_back(source)["amount"] == [1.5, 2.5, 2.5], name
        assert any("above the header" in notice for notice in source.notices)


def test_blank_separated_columns(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(b" cust  date   value\r\n 0001 19970101  11.77\r\n 0002  19970112 12.00\r\n")
    source = describe(file)
    found = read_back(source)
    assert found == {
        "customer_id": ["0001", "0002"],
        "ordered_at": [dt.datetime(1997, 1, 1), dt.datetime(1997, 1, 12)],
        "amount": [11.77, 12.0],
    }
    assert read_back(describe(file, delimiter="whitespace")) == found


def test_blank_headers_and_padding_keep_their_columns(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(", Customer ID , date,amount\n0,a,2011-01-02,1\n1,b,2011-01-03,2\n")
    source = describe(file)
    assert source.columns[0].name == "column 1"
    assert read_back(source)["customer_id"] == ["a", "b"]


def test_headers_with_one_name_too_few(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer,date,amount\na,2011-01-02,1,\nb,2011-01-03,2,\n")
    assert read_back(describe(file))["amount"] == [1.0, 2.0]
    file.write_text('"customer","date","amount"\n"1","a",2011-01-02,1\n"2","b",2011-01-03,2\n')
    assert read_back(describe(file))["customer_id"] == ["a", "b"]


def test_a_time_of_day_in_a_column_of_its_own_is_told(tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer,date,time,amount\na,2011-01-02,10:15,1\nb,2011-01-03,11:30,2\n")
    assert any('"time" is not used' in notice for notice in describe(file).notices)
    file.write_text("customer,date,time,amount\na,2011-01-02 10:15,10:15,1\nb,2011-01-03 11:30,11:30,2\n")
    assert not any("is not used" in notice for notice in describe(file).notices)


def test_quotes_that_are_inch_marks(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.tsv"
    file.write_text("customer\tdate\tdescription\tamount\n" + "".join(f'c{k}\t2011-01-02\t"{k} inch\t{k}.5\n' for k in range(30)))
    found = read_back(describe(file))
    assert found["description"][3] == '"3 inch' and len(found["amount"]) == 30


def test_a_table_of_one_column(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "suppressed.csv"
    file.write_text("Customer ID\n17850\n13047\n")
    assert read_back(describe(file, "suppressions"))["customer_id"] == ["17850", "13047"]


# --- headerless files ------------------------------------------------------------------------------------------------


def test_a_file_without_header_asks_for_a_mapping_by_place(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "log.csv"
    file.write_text("00004,19970101,2,29.33\n00005,19970118,2,29.73\n")
    with pytest.raises(SourceError, match=r"no header line.*column 2 = '19970101'.*has_header = false"):
        describe(file)
    by_place = {"customer_id": ("column 1",), "ordered_at": ("column 2",), "amount": ("column 4",)}
    for said in ({}, {"has_header": False}):
        found = read_back(describe(file, columns=by_place, **said))
        assert found["customer_id"] == ["00004", "00005"] and found["amount"] == [29.33, 29.73]


def test_a_header_of_years_is_a_header_when_it_is_said(tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("1,2,3\na,2011-01-02,5\nb,2011-01-02,5\n")
    columns = {"customer_id": ("1",), "ordered_at": ("2",), "amount": ("3",)}
    assert describe(file, has_header=True, columns=columns).csv.has_header
    assert describe(file, columns=columns).csv.has_header


# --- times and numbers that need the whole column, or the user -------------------------------------------------------


def ambiguous(tmp_path: Path, deciding: str = "", n: int = 50_000) -> Path:
    lines = [f"c{k % 90},{1 + k % 12:02d}/{1 + k // 12 % 12:02d}/2010,{1 + k % 9}" for k in range(n)]
    if deciding:
        lines[n // 3] = f"c1,{deciding},1"
    file = tmp_path / "orders.csv"
    file.write_text("customer,date,amount\n" + "\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(("deciding", "order"), [("13/01/2010", "dmy"), ("01/13/2010", "mdy")])
def test_the_whole_column_is_asked_when_the_sample_cannot_tell(deciding: str, order: str, tmp_path: Path, describe) -> None:
    assert describe(ambiguous(tmp_path, deciding)).date_orders["ordered_at"] == order


def test_an_order_nobody_can_tell_is_asked_for(tmp_path: Path, describe, read_back) -> None:
    file = ambiguous(tmp_path, n=300)
    with pytest.raises(AskError) as caught:
        describe(file)
    text = str(caught.value)
    assert 'date_order = "dmy"' in text and 'date_order = "mdy"' in text and "[tables.order_lines]" in text and '"date"' in text
    assert "1 February 2010" in text or "2 January 2010" in text
    assert read_back(describe(file, date_order="mdy"))["ordered_at"][1] == dt.datetime(2010, 2, 1)
    assert read_back(describe(file, date_order="dmy"))["ordered_at"][1] == dt.datetime(2010, 1, 2)


@pytest.mark.parametrize("other", ["01/13/2010", "2010-01-13"])
def test_two_orders_in_one_column_are_told_with_an_example_of_each(other: str, tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"customer,date,amount\na,13/01/2010,1\nb,{other},2\n")
    with pytest.raises(AskError, match="more than one order") as caught:
        describe(file)
    assert "'13/01/2010'" in str(caught.value) and f"'{other}'" in str(caught.value)


def test_decimal_marks_are_looked_for_in_the_whole_column_and_then_asked_for(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.csv"
    lines = [f'c{k % 90},2010-01-{1 + k % 28:02d},"{1 + k % 9},{k % 1000:03d}"' for k in range(40_000)]
    file.write_text("customer,date,amount\n" + "\n".join(lines) + "\n")
    with pytest.raises(AskError, match="decimal mark cannot be told") as caught:
        describe(file)
    assert 'decimal_mark = ","' in str(caught.value)
    assert read_back(describe(file, decimal_mark="."))["amount"][1] == 2001.0
    assert read_back(describe(file, decimal_mark=","))["amount"][1] == 2.001
    lines[15_000] = 'c1,2010-01-01,"1,234.50"'
    file.write_text("customer,date,amount\n" + "\n".join(lines) + "\n")
    assert describe(file).decimal_mark == "."


def test_two_decimal_marks_are_told_with_an_example_of_each(tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text('customer,date,amount\na,2010-01-13,"1,234.50"\nb,2010-01-13,"1.234,50"\n')
    with pytest.raises(AskError, match="two ways") as caught:
        describe(file)
    assert "'1,234.50'" in str(caught.value) and "'1.234,50'" in str(caught.value)


def test_text_where_a_time_or_number_was_hoped_for(tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer,date,order date,total,revenue\na,soon,2010-01-02,high,1.5\nb,later,2010-01-03,low,2.5\n")
    source = describe(file)
    assert source.mapping["ordered_at"] == ("order date",) and source.mapping["amount"] == ("revenue",)
    file.write_text("customer,date,total\na,soon,high\nb,later,low\n")
    with pytest.raises(SourceError) as caught:
        describe(file)
    assert "no times, e.g. 'soon'" in str(caught.value) and "no numbers, e.g. 'high'" in str(caught.value)


def test_a_header_whose_values_cannot_be_meant_is_passed_over_for_the_next(tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer,invoice date,order date,amount,discount\na,n/a,2010-01-02,1,0.1\nb,open,2010-01-03,2,0\n")
    source = describe(file)
    assert source.mapping["ordered_at"] == ("order date",)
    assert "discount" not in source.mapping and any("share" in notice for notice in source.notices)
    assert describe(file, columns={"discount": ("discount",)}).mapping["discount"] == ("discount",)


def test_spreadsheet_day_numbers_are_named(tmp_path: Path, describe) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer,date,amount\na,40513.35,1\nb,40514.5,2\n")
    with pytest.raises(SourceError, match=r"spreadsheet day numbers such as 40513\.35"):
        describe(file)


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("2011-12-09T12:50:00Z", "ymd", dt.datetime(2011, 12, 9, 12, 50)),
        ("2011-12-09 12:50:00+02:00", "ymd", dt.datetime(2011, 12, 9, 10, 50)),
        ("2011.12.09", "ymd", dt.datetime(2011, 12, 9)),
        ("20111209", "ymd", dt.datetime(2011, 12, 9)),
        ("20111209125000", "ymd", dt.datetime(2011, 12, 9, 12, 50)),
        ("31/12/11 8:05", "dmy", dt.datetime(2011, 12, 31, 8, 5)),
        ("31-Dec-2011", "dmy", dt.datetime(2011, 12, 31)),
        ("12/31/2011 8:05:09 PM", "mdy", dt.datetime(2011, 12, 31, 20, 5, 9)),
        ("Dec 31, 2011", "mdy", dt.datetime(2011, 12, 31)),
        ("1323435000", "epoch", dt.datetime(2011, 12, 9, 12, 50)),
        ("1323435000000", "epoch", dt.datetime(2011, 12, 9, 12, 50)),
    ],
)
def test_times_arrive_as_they_were_meant(text: str, order: str, moment: dt.datetime, tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f'customer,date,amount\na,"{text}",1.5\nb,"{text}",2.5\n')
    source = describe(file)
    assert source.date_orders["ordered_at"] == order
    assert read_back(source)["ordered_at"] == [moment, moment]


@pytest.mark.parametrize(
    ("text", "berlin"),
    [
        ("2011-12-09 08:05:09 PM", "20:05:09"),
        ("2011-12-09 08:05:09", "08:05:09"),
        ("2011-12-09 08:05:09 +02:00", "07:05:09"),
        ("2011-12-09 08:05:09-0500", "14:05:09"),
        ("2011-12-09 08:05:09 UTC", "09:05:09"),
        ("2011-12-09 08:05:09 GMT", "09:05:09"),
        ("2011-12-09T08:05:09Z", "09:05:09"),
        ("1323417909000000", "09:05:09"),
        ("1323417909000000000", "09:05:09"),
    ],
)
def test_offsets_and_halves_of_the_day_are_kept(text: str, berlin: str, tmp_path: Path, describe, engine) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(f"customer,date,amount\na,{text},1.5\nb,{text},2.5\n")
    source = describe(file)
    engine.read(source, "raw_offsets")
    sql = f"select {time_of(engine, source, 'ordered_at', 'Europe/Berlin')} as t from raw_offsets"
    assert [moment.isoformat() for moment in engine.fetch(sql).column("t").to_pylist()] == [f"2011-12-09T{berlin}"] * 2


# --- several files ---------------------------------------------------------------------------------------------------


def folder_of(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "export"
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


JANUARY = "customer,date,amount\na,2011-01-02,1.5\n"


def test_a_folder_is_one_table_whatever_the_order_of_its_columns(tmp_path: Path, describe, read_back) -> None:
    folder = folder_of(
        tmp_path, jan=JANUARY, feb="Amount,DATE,Customer\n2.5,2011-02-03,b\n", mar="customer;date;amount\nc;2011-03-04;3.5\n"
    )
    (folder / "sub").mkdir()
    (folder / "sub" / "apr.csv").write_text(JANUARY.replace("a,", "d,").replace("01-02", "04-02"))
    (folder / "README.txt").write_text("these are the orders")
    (folder / "_SUCCESS").write_text("")
    with gzip.open(folder / "may.csv.gz", "wt") as packed:
        packed.write("customer,date,amount\ne,2011-05-02,5.5\n")
    source = describe(folder)
    found = read_back(source)
    assert dict(zip(found["customer_id"], found["amount"], strict=True)) == {"a": 1.5, "b": 2.5, "c": 3.5, "d": 1.5, "e": 5.5}
    assert source.label.endswith("(5 files)")
    assert sorted(describe(str(folder / "*.csv")).paths) != sorted(source.paths)


def test_a_file_with_other_columns_is_named(tmp_path: Path, describe) -> None:
    folder = folder_of(tmp_path, feb="customer,date,money\na,2011-01-02,1.5\n", jan=JANUARY)
    with pytest.raises(SourceError) as caught:
        describe(folder)
    assert "jan.csv" in str(caught.value) and "it lacks money" in str(caught.value) and "also has amount" in str(caught.value)


@pytest.mark.parametrize("broken", [b"", b"\x00\x01\x02\x03\x04" * 500, b"PAR1 but no more", b"PK\x03\x04 but no more"])
def test_the_one_broken_file_of_a_folder_is_named(broken: bytes, tmp_path: Path, describe) -> None:
    folder = folder_of(tmp_path, feb=JANUARY, jan=JANUARY)
    (folder / "mar.csv").write_bytes(broken)
    with pytest.raises(SourceError, match=r"mar\.csv"):
        describe(folder)


def test_an_empty_month_is_no_fault(tmp_path: Path, describe, read_back) -> None:
    folder = folder_of(tmp_path, feb="customer,date,amount\n", jan=JANUARY)
    assert read_back(describe(folder))["customer_id"] == ["a"]


# --- Parquet ---------------------------------------------------------------------------------------------------------


def parquet(path: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_keeps_its_types(tmp_path: Path, describe, read_back) -> None:
    moment = dt.datetime(2011, 1, 2, 3, 4)
    file = parquet(
        tmp_path / "orders.parquet",
        customer=[17850.0, None],
        date=pa.array([moment] * 2, pa.timestamp("us", "UTC")),
        amount=[1.5, 2.5],
    )
    source = describe(file)
    assert source.date_orders == {"ordered_at": "typed"} and source.raw_type("date") == "timestamp_tz"
    assert read_back(source) == {"customer_id": ["17850", None], "ordered_at": [moment] * 2, "amount": [1.5, 2.5]}


@pytest.mark.parametrize(("number", "order"), [(20110102, "ymd"), (1293937440, "epoch")])
def test_whole_numbers_as_times(number: int, order: str, tmp_path: Path, describe, read_back) -> None:
    source = describe(parquet(tmp_path / "o.parquet", customer=["a"], date=[number], amount=[1.5]))
    assert source.date_orders["ordered_at"] == order
    assert read_back(source)["ordered_at"][0].date() == dt.date(2011, 1, 2)


def test_text_days_in_parquet_ask_the_whole_column(tmp_path: Path, describe) -> None:
    days = [f"{1 + k % 12:02d}/{1 + k // 12 % 12:02d}/2010" for k in range(60_000)]
    days[30_111] = "25/01/2010"
    file = tmp_path / "o.parquet"
    pq.write_table(
        pa.table({"customer": ["a"] * len(days), "date": days, "amount": [1.5] * len(days)}), file, row_group_size=20_000
    )
    assert describe(file).date_orders["ordered_at"] == "dmy"


def test_damaged_parquet_is_named(tmp_path: Path, describe) -> None:
    file = parquet(tmp_path / "orders.parquet", customer=["a"] * 5000, date=[dt.date(2011, 1, 2)] * 5000, amount=[1.5] * 5000)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(SourceError, match=r"orders\.parquet is a damaged or cut-off Parquet file"):
        describe(file)
    file.write_text("not parquet")
    with pytest.raises(SourceError, match="called Parquet but"):
        describe(file)


def test_parquet_folders_agree_in_names_and_kinds(tmp_path: Path, describe, read_back) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    day = [dt.date(2011, 1, 2)]
    parquet(folder / "1.parquet", customer=[1], date=day, amount=[1])
    parquet(folder / "2.parquet", amount=[2.5], customer=[2], date=day)
    source = describe(folder)
    assert source.raw_type("amount") == "double"
    assert read_back(source)["amount"] == [1.0, 2.5]
    parquet(folder / "3.parquet", customer=["x"], date=day, amount=[1])
    with pytest.raises(SourceError, match=r'3\.parquet: column "customer" is text, but integer'):
        describe(folder)


# --- what is no table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("o.csv", b"", "empty"),
        ("o.csv", b"\n\n  \n", "empty"),
        ("o.csv", b"customer,date,amount\n", "no data lines"),
        ("o.csv", bytes(range(256)) * 40, "not text"),
        ("o.csv", b"<!DOCTYPE html><html><body>log in</body></html>", "web page"),
        ("o.csv", b'{"customer": 1}', "JSON"),
        ("o.csv", b"%PDF-1.4 ...", "PDF"),
        ("o.csv.gz", gzip.compress(random.Random(1).randbytes(30_000).hex().encode())[:-3000], "damaged or cut off"),
        ("o.xlsx", b"customer,date", "called Excel but"),
        ("o.xlsx", b"PK\x03\x04 rubbish", "damaged or cut off"),
    ],
)
def test_what_is_no_table_is_refused_with_a_next_step(name: str, content: bytes, said: str, tmp_path: Path, describe) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(SourceError, match=said) as caught:
        describe(file)
    assert name in str(caught.value)


def test_missing_files_offer_near_names(tmp_path: Path, describe) -> None:
    (tmp_path / "orders_2011.csv").write_text(JANUARY)
    with pytest.raises(SourceError, match=r'Did you mean "orders_2011\.csv"'):
        describe(tmp_path / "order_2011.csv")
    with pytest.raises(SourceError, match="There is no folder"):
        describe(tmp_path / "nowhere" / "orders.csv")
    with pytest.raises(SourceError, match="No file matches"):
        describe(tmp_path / "*.tsv")
    (tmp_path / "void").mkdir()
    with pytest.raises(SourceError, match="without data files"):
        describe(tmp_path / "void")
    with pytest.raises(SourceError, match='Did you mean "order_lines"'):
        describe(tmp_path / "orders_2011.csv", "order_line")


def test_a_file_may_have_glob_characters_in_its_name(tmp_path: Path, describe, read_back) -> None:
    file = tmp_path / "orders [2011].csv"
    file.write_text(JANUARY)
    assert read_back(describe(file))["customer_id"] == ["a"]


def test_copies_are_made_once_and_again_when_the_source_changes(tmp_path: Path, describe) -> None:
    file = tmp_path / "o.csv"
    file.write_bytes(JANUARY.encode("utf-16"))
    first = describe(file).paths
    written = Path(first[0]).stat().st_mtime_ns
    assert describe(file).paths == first and Path(first[0]).stat().st_mtime_ns == written
    file.write_bytes((JANUARY + "b,2011-01-05,2.5\n").encode("utf-16"))
    assert describe(file).paths != first
    assert not [entry for entry in Path(first[0]).parent.iterdir() if entry.name.endswith(".part")]


def test_a_copy_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    file = tmp_path / "o.csv"
    file.write_bytes(JANUARY.encode("utf-16"))
    (tmp_path / "blocked").write_text("a file where a folder should be")
    with pytest.raises(SourceError, match=r"could not be written to .*blocked"):
        describe_file(file, "order_lines", TableSettings(), tmp_path / "blocked" / "tmp")


# --- any table of text survives ---------------------------------------------------------------------------------------

cell = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff"), max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.integers(1, 9999), st.dates(dt.date(1990, 1, 1), dt.date(2020, 1, 1)), cell, st.integers(0, 99999)),
        min_size=3,
        max_size=25,
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    mark=st.sampled_from([".", ","]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_any_table_comes_back_as_it_was_written(lines, delimiter, encoding, mark, quoting, tmp_path_factory, read_back) -> None:
    folder = tmp_path_factory.mktemp("any")
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow(["customer", "date", "description", "amount"])
    for customer, day, text, cents in lines:
        writer.writerow([f"C{customer}", day.isoformat(), text, f"{cents / 100:.2f}".replace(".", mark)])
    file = folder / "o.csv"
    file.write_bytes(out.getvalue().encode(encoding))
    found = read_back(describe_file(file, "order_lines", TableSettings(), folder / "tmp"))
    assert found["customer_id"] == [f"C{customer}" for customer, *_ in lines]
    assert [moment.date() for moment in found["ordered_at"]] == [day for _, day, *_ in lines]
    assert found["amount"] == pytest.approx([cents / 100 for *_, cents in lines])


# --- any damage is told, never a crash ---------------------------------------------------------------------------------

WHOLE = as_text(rows(12), ";").encode()
SEEDS = {
    "plain.csv": WHOLE,
    "wide.csv": WHOLE.decode().encode("utf-16"),
    "packed.csv.gz": gzip.compress(WHOLE),
    "packed.csv.zst": pa.compress(WHOLE, codec="zstd", asbytes=True),
    "blanks.txt": b" cust date value\n 1 19970101 2.50\n 2 19970102 3.50\n",
}


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(name=st.sampled_from(sorted(SEEDS)), at=st.floats(0, 1), cut=st.integers(0, 60), put=st.binary(max_size=12))
def test_damage_is_an_error_with_the_file_s_name_or_no_error(name, at, cut, put, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    seed = SEEDS[name]
    place = int(at * len(seed))
    file = folder / name
    file.write_bytes(seed[:place] + put + seed[place + cut :])
    try:
        source = describe_file(file, "order_lines", TableSettings(), folder / "tmp")
    except SourceError as err:
        assert name in str(err)  # noqa: PT017
    else:
        assert {"customer_id", "ordered_at"} <= set(source.mapping)


def test_a_quote_that_is_not_doubled_swallows_no_lines(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "lines.csv"
    rows = "".join(f'c{n},2024-01-{n + 10},"12" ruler",{n}\nd{n},2024-01-{n + 10},pen,{n}\n' for n in range(1, 11))
    path.write_text(f"customer,date,product name,amount\n{rows}")
    amounts = read_back(describe(path))["amount"]
    assert len(amounts) == 20
    assert sum(amounts) == 110


def test_a_stray_quote_far_from_the_start_is_seen(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "lines.csv"
    good = [f'c{n},2024-01-{n % 28 + 1:02d},"a pencil of an ordinary kind",1\n' for n in range(20_000)]
    good[15_000] = 'odd,2024-01-05,"12" ruler",1\n'
    good[15_001:17_000] = [row.replace("pencil of", 'pencil" of') for row in good[15_001:17_000]]
    path.write_text("customer,date,product name,amount\n" + "".join(good))
    assert len(read_back(describe(path))["amount"]) == 20_000


def test_money_in_several_currencies_is_refused_with_an_example_of_each(tmp_path: Path, describe) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("customer,date,amount\na,2024-01-13,€5.00\nb,2024-01-14,£6.00\nc,2024-01-15,7.00\n")
    with pytest.raises(SourceError, match=r"'€5.00' \(EUR\), '£6.00' \(GBP\)"):
        describe(path)


def test_one_currency_in_several_spellings_is_read(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("customer,date,amount\na,2024-01-13,€5.00\nb,2024-01-14,EUR 6.00\nc,2024-01-15,7.00\n")
    assert read_back(describe(path))["amount"] == [5.0, 6.0, 7.0]
