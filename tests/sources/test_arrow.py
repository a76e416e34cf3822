from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from customer_genome.errors import AskError, SourceError
from customer_genome.sources import describe_arrow

DAY = dt.datetime(2011, 1, 2)
TABLE = pa.table({"Customer ID": [1.0, None, 3.0], "Date": [DAY] * 3, "Amount": [1, 2, 3], "tags": [["x"], [], None]})
WANTED = {"customer_id": ["1", None, "3"], "ordered_at": [DAY] * 3, "amount": [1.0, 2.0, 3.0]}


def frame() -> pd.DataFrame:
    return pd.DataFrame({"Customer ID": [1, None, 3], "Date": [DAY] * 3, "Amount": [1, 2, 3]})


@pytest.mark.parametrize(
    "make",
    [
        lambda: TABLE,
        TABLE.to_reader,
        lambda: TABLE.to_batches()[0],
        frame,
        lambda: TABLE.to_reader,
        lambda: frame().set_index("Customer ID"),
    ],
    ids=["table", "reader", "batch", "pandas", "function", "named index"],
)
@pytest.mark.parametrize("has_folder", [True, False])
def test_every_kind_of_data_from_python(make, has_folder: bool, tmp_path: Path, read_back) -> None:
    source = describe_arrow(make(), "order_lines", workspace_tmp=tmp_path / "tmp" if has_folder else None)
    for _ in range(2):
        assert read_back(source) == WANTED


def test_mixed_objects_become_text(read_back) -> None:
    data = pd.DataFrame({"customer": ["a", 1, None], "date": ["2011-01-02"] * 3, "amount": [1.5, "2", None]})
    source = describe_arrow(data, "order_lines")
    assert read_back(source) == {"customer_id": ["a", "1", None], "ordered_at": [DAY] * 3, "amount": [1.5, 2.0, None]}


def test_categories_and_time_zones(read_back) -> None:
    data = pd.DataFrame(
        {"customer": pd.Categorical(["a", "b"]), "date": pd.to_datetime(["2011-01-02T00:00Z"] * 2), "amount": [1, 2]}
    )
    source = describe_arrow(data, "order_lines", label="my frame")
    assert source.raw_type("customer") == "text" and source.raw_type("date") == "timestamp_tz" and source.label == "my frame"
    assert read_back(source)["customer_id"] == ["a", "b"]


def test_days_in_text_are_looked_up_in_all_batches() -> None:
    days = [f"{1 + k % 12:02d}/{1 + k // 12 % 12:02d}/2010" for k in range(30_000)]
    data = pa.table({"customer": ["a"] * len(days), "date": days, "amount": [1.5] * len(days)})
    with pytest.raises(AskError):
        describe_arrow(lambda: data.to_reader(max_chunksize=1000), "order_lines")
    days[20_001] = "25/01/2010"
    data = data.set_column(1, "date", [days])
    assert describe_arrow(lambda: data.to_reader(max_chunksize=1000), "order_lines").date_orders["ordered_at"] == "dmy"


def test_what_cannot_be_read() -> None:
    with pytest.raises(SourceError, match="no rows"):
        describe_arrow(TABLE.slice(0, 0), "order_lines")
    with pytest.raises(SourceError, match="type list cannot be read"):
        describe_arrow([1, 2], "order_lines")
    with pytest.raises(SourceError, match="stands 2 times"):
        describe_arrow(pa.table([[1], [2], [DAY], [1]], names=["customer", "Customer", "date", "amount"]), "order_lines")
    with pytest.raises(SourceError, match="has no column"):
        describe_arrow(TABLE.drop_columns(["Date"]), "order_lines")


def test_zoned_times_say_which_zone_they_are_brought_to() -> None:
    times = pa.array([0, 86_400], pa.timestamp("s", tz="Europe/Berlin"))
    table = describe_arrow(pa.table({"customer_id": ["a", "b"], "ordered_at": times, "amount": [1.0, 2.0]}), "order_lines")
    text = pa.table({"customer_id": ["a"], "ordered_at": ["2011-12-31T08:26:00Z"], "amount": [1.0]})
    for notices in (table.notices, describe_arrow(text, "order_lines").notices):
        assert any("brought to [shop] timezone, which is UTC unless genome.toml sets it" in notice for notice in notices)


def test_a_column_whose_type_cannot_be_read_is_named_with_that_reason() -> None:
    data = pd.DataFrame(
        {"customer_id": ["a", "b"], "ordered_at": pd.period_range("2011-01", periods=2, freq="M"), "amount": [1.0, 2.0]}
    )
    with pytest.raises(SourceError, match=r'"ordered_at" is of a type that cannot be read\. Wanted: text') as refused:
        describe_arrow(data, "order_lines")
    assert "has no column" not in str(refused.value)


def test_uuids_and_unreadable_money_are_named_with_their_type() -> None:
    ids = pa.array([bytes(16), bytes(range(16))], pa.uuid())
    with pytest.raises(SourceError, match=r'"customer_id" is of a type that cannot be read'):
        describe_arrow(pa.table({"customer_id": ids, "ordered_at": [DAY] * 2, "amount": [1.0, 2.0]}), "order_lines")
    with pytest.raises(SourceError, match=r'no money.*"amount" is date, which cannot be read as'):
        describe_arrow(pa.table({"customer_id": ["a"], "ordered_at": [DAY], "amount": [DAY.date()]}), "order_lines")
