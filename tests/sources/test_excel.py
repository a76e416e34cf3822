from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter

from customer_genome.errors import SourceError

HEADER = ["Invoice", "StockCode", "Quantity", "InvoiceDate", "Price", "Customer ID"]
MOMENT = dt.datetime(2010, 12, 1, 8, 26)


def workbook(path: Path, **sheets: list[list]) -> Path:
    with xlsxwriter.Workbook(str(path), {"default_date_format": "dd/mm/yyyy hh:mm", "nan_inf_to_errors": True}) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name.replace("_", " "))
            for place, line in enumerate(lines):
                sheet.write_row(place, 0, line)
    return path


def lines(n: int = 4, first: int = 536365) -> list[list]:
    return [
        [
            first + k if k % 3 else f"C{first + k}",
            85048 if k % 2 else "79323P",
            6,
            MOMENT + dt.timedelta(days=k),
            2.55,
            None if k == 1 else 17850,
        ]
        for k in range(n)
    ]


def test_sheets_are_put_below_each_other(tmp_path: Path, describe, read_back) -> None:
    file = workbook(tmp_path / "retail.xlsx", Year_2009=[HEADER, *lines()], Year_2010=[HEADER[::-1], *(line[::-1] for line in lines(3, 600000))],
                    Notes=[["made by hand"]], Empty=[])  # fmt: skip
    source = describe(file)
    found = read_back(source)
    assert found["customer_id"] == ["17850", None, "17850", "17850", "17850", None, "17850"]
    assert found["order_id"] == ["C536365", "536366", "536367", "C536368", "C600000", "600001", "600002"]
    assert found["product_id"][:2] == ["79323P", "85048"]
    assert found["ordered_at"][1] == MOMENT + dt.timedelta(days=1)
    assert source.date_orders["ordered_at"] == "typed"
    assert any("Notes" in notice and "Empty" in notice for notice in source.notices)


def test_sheets_can_be_chosen(tmp_path: Path, describe, read_back) -> None:
    file = workbook(tmp_path / "retail.xlsx", Year_2009=[HEADER, *lines()], Year_2010=[HEADER, *lines(3)])
    assert len(read_back(describe(file, sheets=("Year 2010",)))["order_id"]) == 3
    with pytest.raises(SourceError, match='Did you mean "Year 2010"'):
        describe(file, sheets=("Year 2011",))


def test_types_that_differ_between_sheets_meet_in_text(tmp_path: Path, describe, read_back) -> None:
    file = workbook(
        tmp_path / "r.xlsx",
        a=[["customer", "date", "amount"], [1, MOMENT, 2]],
        b=[["customer", "date", "amount"], ["x1", MOMENT, 2.5]],
    )
    found = read_back(describe(file))
    assert found["customer_id"] == ["1", "x1"] and found["amount"] == [2.0, 2.5]


def test_text_dates_and_numbers_in_cells(tmp_path: Path, describe, read_back) -> None:
    body = [[f"c{k}", f"{13 + k}/01/2010", f"1.234,{k}5"] for k in range(5)]
    source = describe(workbook(tmp_path / "r.xlsx", a=[["customer", "date", "amount"], *body]))
    assert source.date_orders["ordered_at"] == "dmy" and source.decimal_mark == ","
    assert read_back(source)["amount"][1] == 1234.15


def test_titles_above_the_header(tmp_path: Path, describe, read_back) -> None:
    file = workbook(tmp_path / "r.xlsx", a=[["Sales report"], [], ["customer", "date", "amount"], ["a", MOMENT, 2.5]])
    assert read_back(describe(file)) == {"customer_id": ["a"], "ordered_at": [MOMENT], "amount": [2.5]}


def test_blank_rows_are_no_rows(tmp_path: Path, describe, read_back) -> None:
    file = workbook(
        tmp_path / "r.xlsx", a=[["customer", "date", "amount"], ["a", MOMENT, 1], [], [None, None, "  "], ["b", MOMENT, 2]]
    )
    assert read_back(describe(file))["customer_id"] == ["a", "b"]


def test_faults_are_named(tmp_path: Path, describe) -> None:
    header = ["customer", "date", "amount"]
    with pytest.raises(SourceError, match=r"header line but no data"):
        describe(workbook(tmp_path / "a.xlsx", a=[header]))
    with pytest.raises(SourceError, match="every sheet is empty"):
        describe(workbook(tmp_path / "b.xlsx", a=[]))
    with pytest.raises(SourceError, match=r'sheet "b" has other columns than sheet "a".*Only in a: nothing.*Only in b: country'):
        describe(workbook(tmp_path / "c.xlsx", a=[header, ["a", MOMENT, 1]], b=[[*header, "country"], ["a", MOMENT, 1, "UK"]]))
    with pytest.raises(SourceError, match="stands 2 times"):
        describe(workbook(tmp_path / "d.xlsx", a=[["customer", "date", "amount", "Amount"], ["a", MOMENT, 1, 1]]))
    with pytest.raises(SourceError, match=r"has no column"):
        describe(workbook(tmp_path / "e.xlsx", a=[["x", "y"], ["a", 1]]))
    whole = workbook(tmp_path / "f.xlsx", a=[header, ["a", MOMENT, 1]])
    whole.write_bytes(whole.read_bytes()[:-300])
    with pytest.raises(SourceError, match=r"f\.xlsx is damaged or cut off"):
        describe(whole)
