"""A small shop with everything that two engines could read or add up differently.

Ties in time, spend and country; nulls; refunds before, after and beyond what was bought; duplicates, also of
cancellations; leap days; orders at, before and over midnight; fractions of pieces; refused rows of every class.
"""

from __future__ import annotations

import csv
import datetime as dt
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TODAY = dt.date(2026, 1, 1)
CUTOFFS = (dt.date(2024, 2, 29), dt.date(2024, 3, 1), dt.date(2024, 9, 1), dt.date(2025, 1, 2))
HEADERS = ("InvoiceNo", "InvoiceDate", "CustomerID", "StockCode", "Description", "Quantity", "UnitPrice", "Country", "Discount")

_DAYS = tuple(
    dt.datetime.fromisoformat(at)
    for at in (
        "2023-12-31 23:59:59", "2024-01-01", "2024-02-28 23:50", "2024-02-29", "2024-02-29 12:30", "2024-03-01", "2024-03-01 00:00:01",
        "2024-03-31 02:30", "2024-06-15 08:00", "2024-08-31 23:59:59", "2024-09-01", "2024-12-31 23:59:59", "2025-01-01", "2025-01-02",
    )
)  # fmt: skip
_PRODUCTS = (
    ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER"),
    ("22423", "REGENCY CAKESTAND 3 TIER"),
    ("20725", "LUNCH BAG RED RETROSPOT"),
    ("CAB", " Cabbage, fresh "),
    ("ÉTÉ", "Crème brûlée – “déjà vu”  ÜBERTASSE"),
    ("NONE", None),
    (None, "Baggage label"),
)
_COUNTRIES = ("Spain", "Italy", "Unspecified", None, "  France ", "EIRE")
_CUSTOMERS = ("12346", "12347", "C-9", "Ünal", "a b", "A B", "0012", "12")


def odd_rows(n_lines: int = 500, seed: int = 11) -> list[dict[str, Any]]:
    """Return rows with the headers above; values are typed, None where empty."""
    draw = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(n_lines):
        customer, (product, description) = draw.choice(_CUSTOMERS), draw.choice(_PRODUCTS)
        at = draw.choice(_DAYS) + dt.timedelta(days=draw.choice((0, 0, 7)))
        quantity = draw.choice((1.0, 1.0, 2.0, 3.0, 0.3333, 12.5, 1000.0))
        price = draw.choice((0.55, 1.25, 2.95, 9.9999, 1234.5, 0.1, 0.0001))
        order = f"{500 + number // 3}"
        if rows and draw.random() < 0.22:
            bought = draw.choice(rows)
            customer, product, description = bought["CustomerID"], bought["StockCode"], bought["Description"]
            quantity, order = -draw.choice((1.0, 2.0, 0.3333, 50.0)), f"C{500 + number}"
        rows.append(
            dict(
                zip(
                    HEADERS,
                    (order, at, customer, product, description, quantity, price, draw.choice(_COUNTRIES), None),
                    strict=True,
                )
            )
        )
        if draw.random() < 0.2:
            rows[-1]["Discount"] = draw.choice((0.1, 1.0, -0.5))
        if draw.random() < 0.08:
            rows.append(dict(draw.choice(rows)))
    return rows + _refused(rows)


def _refused(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for every class of refusal, and one customer who bought once."""
    good = {**rows[0], "InvoiceNo": "1", "Quantity": 1.0, "UnitPrice": 2.0, "CustomerID": "12346"}
    changes: list[dict[str, Any]] = [
        {"CustomerID": None},
        {"Quantity": 0.0},
        {"Quantity": None},
        {"UnitPrice": 0.0},
        {"UnitPrice": -11062.06},
        {"Quantity": -3.0, "UnitPrice": 0.0},
        {"InvoiceDate": dt.datetime(1960, 1, 1)},
        {"InvoiceDate": dt.datetime(2090, 1, 1)},
        {"InvoiceNo": None},
        {"InvoiceNo": "C7", "Quantity": 5.0},
        {"CustomerID": "once", "InvoiceNo": "2", "InvoiceDate": dt.datetime(2024, 2, 29, 23, 59, 59, 999_999)},
    ]
    return [good | change for change in changes]


def write_parquet(rows: list[dict[str, Any]], path: Path) -> Path:
    """Write rows as typed Parquet."""
    types = [
        pa.string(),
        pa.timestamp("us"),
        pa.string(),
        pa.string(),
        pa.string(),
        *[pa.float64()] * 2,
        pa.string(),
        pa.float64(),
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(list(zip(HEADERS, types, strict=True)))), path)
    return path


def write_csv(
    rows: list[dict[str, Any]], path: Path, *, time: str = "%Y-%m-%d %H:%M:%S", mark: str = ".", sep: str = ","
) -> Path:
    """Write rows as text, with numbers as people write them and lines that are no rows among them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=sep)
        writer.writerow(HEADERS)
        for number, row in enumerate(rows):
            written = {**row, "InvoiceDate": row["InvoiceDate"].strftime(time)}
            for name in ("Quantity", "UnitPrice", "Discount"):
                written[name] = _as_written(row[name], number, mark)
            if number % 50 == 7:
                written["Description"] = 'two "words"\nover lines, quoted'
            writer.writerow(["" if value is None else value for value in written.values()])
        broken = list(rows[0].values())
        for place, value in ((1, "yesterday"), (5, "many"), (6, "n/a"), (2, " nan ")):
            writer.writerow([value if place == at else "" if field is None else field for at, field in enumerate(broken)])
        file.write(f"536365{sep}too short\r\n")
        file.write(sep.join(["536366", "2024-05-05", "12346", "X", "one too many", "1", "2", "Spain", "", "more"]) + "\r\n")
    return path


def _as_written(value: float | None, number: int, mark: str) -> str:
    """Return a number as text: plain, with thousands, with a currency, in brackets where negative."""
    if value is None:
        return ""
    text = f"{value:,.4f}" if number % 3 == 0 else f"{value:.4f}".rstrip("0").rstrip(".")
    if mark == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    if number % 5 == 1 and value < 0:
        return f"({text[1:]})"
    return f"£ {text}" if number % 7 == 1 else f" {text}"
