"""CDNOW as the papers use it: 2,357 customers, calibration to 1997-09-30, one row per purchase day. And Online Retail II."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CALIBRATION_ENDS = date(1997, 9, 30)


@dataclass(frozen=True)
class Cdnow:
    """Repeat purchase days x, days t_x and T, and the mean spend per repeat purchase day (0 without one), in the order of the sample."""

    frequency: np.ndarray
    recency_days: np.ndarray
    age_days: np.ndarray
    mean_spend: np.ndarray

    @property
    def weeks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.frequency, self.recency_days / 7, self.age_days / 7


@pytest.fixture(scope="session")
def cdnow_days(genome_data: Path) -> dict[str, dict[date, float]]:
    """Spend per purchase day of each customer. Columns of the file: master id, sample id, date, number of CDs, dollars."""
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in (genome_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        if not line.strip():
            continue
        _, customer, day, _, dollars = line.split()
        on = datetime.strptime(day, "%Y%m%d").date()
        if on <= CALIBRATION_ENDS:
            days[customer][on] += float(dollars)
    return days


@pytest.fixture(scope="session")
def cdnow(cdnow_days: dict[str, dict[date, float]]) -> Cdnow:
    rows = []
    for _, spent in sorted(cdnow_days.items()):
        first, *rest = sorted(spent)
        last = rest[-1] if rest else first
        mean = float(np.mean([spent[day] for day in rest])) if rest else 0.0
        rows.append((len(rest), (last - first).days, (CALIBRATION_ENDS - first).days, mean))
    return Cdnow(*np.array(rows, dtype=float).T)


@pytest.fixture(scope="session")
def online_retail_ii(genome_data: Path) -> Iterator[Any]:
    """A connection with the table purchase_days(customer, on_day, spend) after the usual rules, without duplicates."""
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table purchase_days as
            with lines as (
                select distinct Invoice, StockCode, Description, Quantity, InvoiceDate, Price, "Customer ID" as customer, Country
                from read_parquet(?)
                where "Customer ID" is not null and not starts_with(upper(Invoice), 'C') and Quantity > 0 and Price > 0
            )
            select customer, cast(InvoiceDate as date) as on_day, sum(Quantity * Price) as spend
            from lines group by all
            """,
            [str(genome_data / "online_retail_ii.parquet")],
        )
        yield connection
