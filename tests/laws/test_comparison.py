"""Two versions compared: whatever they hold, the parts add up to the whole, and every customer stands in exactly one cell."""

from __future__ import annotations

import datetime as dt
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.answers.comparison import MEASURES, Comparison, compare
from customer_genome.genome import Genome
from customer_genome.snapshot import Snapshot

SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()), ("segment_name", pa.string()), ("n_orders", pa.int64()), ("total_spend", pa.float64()),
        ("last_order_on", pa.date32()), ("recency_days", pa.int64()), ("mean_order_value", pa.float64()), ("unique_products", pa.int64()),
        ("returned_value", pa.float64()), ("clv_180d", pa.float64()), ("churn_probability", pa.float64()), ("expected_value_loss", pa.float64()),
    ]
)  # fmt: skip
MONEY = st.floats(0, 1e7, allow_nan=False).map(lambda value: round(value, 2)) | st.floats(0, 1e-3)
CUSTOMER = st.fixed_dictionaries(
    {
        "segment_name": st.sampled_from(["Loyal", "Away", "'quoted'", None]),
        "n_orders": st.integers(1, 4),
        "total_spend": MONEY,
        "last_order_on": st.dates(dt.date(2024, 1, 1), dt.date(2024, 1, 4)),
        "recency_days": st.integers(1, 3),
        "mean_order_value": MONEY,
        "unique_products": st.integers(1, 2),
        "returned_value": st.sampled_from([0.0, 5.0]),
        "clv_180d": MONEY,
        "churn_probability": st.floats(0, 1),
        "expected_value_loss": MONEY,
    }
)
SIDE = st.dictionaries(st.sampled_from([f"c{n}" for n in range(12)]), CUSTOMER, max_size=12)


def genome_of(folder: Path, version: str, side: dict[str, dict[str, Any]], **manifest: Any) -> Genome:
    """A published version that holds the customers of a dictionary."""
    place = folder / version
    place.mkdir(parents=True, exist_ok=True)
    rows = pa.Table.from_pylist([{"customer_id": name, **facts} for name, facts in side.items()], schema=SCHEMA)
    with duckdb.connect(str(place / "snapshot.duckdb")) as connection:
        connection.register("rows", rows)
        connection.execute("create table customers as select * from rows")
    said = {"as_of": "2024-02-01", "horizon_days": 180, "customers": len(side), "currency": "GBP", "models": {}, **manifest}
    return Genome(Snapshot(version, place, said))


def compared(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], **options: Any) -> Comparison:
    """The comparison of two dictionaries of customers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        genome_of(Path(folder), "v00001", before) as one,
        genome_of(Path(folder), "v00002", after) as other,
    ):
        return compare(one, other, **options)


def exact(value: float) -> Decimal:
    """Money as it is added up."""
    return Decimal(value).quantize(Decimal("0.0001"))


@settings(max_examples=25)
@given(SIDE, SIDE)
def test_before_and_new_and_gone_and_changes_make_after(before, after):
    found = compared(before, after)
    for measure in MEASURES:
        line = found.total(measure)
        assert line["before"] + line["new"] - line["gone"] + line["rose"] + line["fell"] == line["after"]
        assert line["rose"] >= 0 >= line["fell"]
    for column, name in (("clv_180d", "clv"), ("total_spend", "spend"), ("expected_value_loss", "loss")):
        for cells in (found.migration, found.reasons):
            assert sum(cell[f"{name}_before"] for cell in cells) == found.total(column)["before"]
            assert sum(cell[f"{name}_after"] for cell in cells) == found.total(column)["after"]
    worth = sum(exact(row["clv_180d"]) for row in after.values())
    assert abs(found.total("clv_180d")["after"] - worth) <= Decimal("0.0001") * len(after)


@settings(max_examples=12)
@given(SIDE, SIDE)
def test_every_customer_stands_in_one_cell_and_has_one_reason(before, after):
    found = compared(before, after)
    stayed = before.keys() & after.keys()
    moved = [name for name in stayed if before[name]["segment_name"] != after[name]["segment_name"]]
    assert found.customers("new") == len(after.keys() - before.keys())
    assert found.customers("gone") == len(before.keys() - after.keys())
    assert found.customers("stayed") == len(stayed) and found.customers("moved") == len(moved)
    assert sum(row["customers"] for row in found.reasons) == len(before.keys() | after.keys())
    ordered = [name for name in stayed if after[name]["n_orders"] > before[name]["n_orders"]]
    assert sum(row["customers"] for row in found.reasons if row["reason"] == "ordered") == len(ordered)


@settings(max_examples=12)
@given(SIDE, SIDE, st.integers(0, 5))
def test_the_lists_hold_the_largest_moves_and_only_moves(before, after, most):
    found = compared(before, after, most=most)
    stayed = before.keys() & after.keys()
    change = {name: after[name]["clv_180d"] - before[name]["clv_180d"] for name in stayed}
    rising = sorted((name for name in stayed if change[name] > 0), key=lambda name: (-change[name], name))
    falling = sorted((name for name in stayed if change[name] < 0), key=lambda name: (change[name], name))
    assert [move.customer_id for move in found.value_up] == rising[:most]
    assert [move.customer_id for move in found.value_down] == falling[:most]
    for move in (*found.value_up, *found.value_down, *found.risk_up, *found.risk_down):
        facts = {
            name
            for name in move.before
            if name in SCHEMA.names and name not in ("clv_180d", "churn_probability", "expected_value_loss")
        }
        assert set(move.changed_facts) == {
            name for name in facts if before[move.customer_id][name] != after[move.customer_id][name]
        }
    assert all(move.change("churn_probability") > 0 for move in found.risk_up)
    assert all(move.change("churn_probability") < 0 for move in found.risk_down)


@settings(max_examples=8)
@given(SIDE, SIDE)
def test_backwards_the_same_moves_are_undone(before, after):
    there, back = compared(before, after), compared(after, before)
    for measure in MEASURES:
        one, other = there.total(measure), back.total(measure)
        assert (one["new"], one["gone"], one["rose"], one["fell"]) == (
            other["gone"],
            other["new"],
            -other["fell"],
            -other["rose"],
        )


@settings(max_examples=8)
@given(SIDE)
def test_a_version_does_not_differ_from_itself(side):
    found = compared(side, side)
    assert found.customers("stayed") == len(side) and found.customers("moved") == 0
    assert {row["reason"] for row in found.reasons} <= {"same"}
    assert not (*found.value_up, *found.value_down, *found.risk_up, *found.risk_down, *found.differences)
