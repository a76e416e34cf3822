"""What a file is taken for: order lines or customers with totals, whatever its headers look like, and never silently the wrong one."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from customer_genome.errors import AskError, SourceError
from customer_genome.interfaces.cli import app
from customer_genome.settings import TableSettings
from customer_genome.sources.customer_level import describe_data
from totals_tables import without

ORDER_LINES = {
    "customer_id": ["a", "a", "b"],
    "date": ["2024-01-01", "2024-01-05", "2024-02-01"],
    "order_id": ["1", "2", "3"],
    "amount": [3.0, 4.0, 5.0],
}


def taken_for(rows, tmp_path, level=None, tables=None):
    return describe_data(pa.table(rows), tables or {}, tmp_path, level)


@pytest.mark.parametrize(
    "headers",
    [
        ["CustomerID", "total_orders", "total_quantity", "total_spend", "avg_order_value", "recency_days", "unique_products"],
        ["customer id", "TOTAL ORDERS", "Total-Quantity", "Total Spend", "Avg. Order Value", "Recency Days", "UNIQUE-PRODUCTS"],
        ["Customer", "Frequency", "Total Items", "Monetary", "AOV", "Recency", "Distinct Products"],
    ],
)
def test_headers_are_recognised_whatever_their_spelling_and_order(totals, tmp_path, headers):
    renamed = dict(zip(headers, totals.values(), strict=True))
    backwards = dict(reversed(renamed.items()))
    name, source = taken_for(backwards, tmp_path)
    assert name == "customer_totals"
    assert {contract: raws[0] for contract, raws in source.mapping.items()} == dict(
        zip(
            [
                "customer_id",
                "total_orders",
                "total_quantity",
                "total_spend",
                "avg_order_value",
                "recency_days",
                "unique_products",
            ],
            headers,
            strict=True,
        )
    )


def test_order_lines_stay_order_lines(tmp_path):
    assert taken_for(ORDER_LINES, tmp_path)[0] == "order_lines"
    assert taken_for({**ORDER_LINES, "total_spend": [7.0, 7.0, 5.0], "recency": [3, 3, 1]}, tmp_path)[0] == "order_lines"


def test_what_can_be_read_both_ways_is_asked_and_can_be_answered(tmp_path):
    both = {**ORDER_LINES, "orders": [2, 2, 1], "total_spend": [7.0, 7.0, 5.0]}
    with pytest.raises(AskError) as found:
        taken_for(both, tmp_path)
    for words in (
        "two ways",
        "As order lines",
        'ordered_at from "date"',
        "As customers",
        'total_spend from "total_spend"',
        "--level",
    ):
        assert words in str(found.value)
    assert taken_for(both, tmp_path, "orders")[0] == "order_lines"
    assert taken_for(both, tmp_path, "customers")[0] == "customer_totals"
    mapped = {"customer_totals": TableSettings(columns={"total_orders": ("orders",)})}
    assert taken_for(both, tmp_path, tables=mapped)[0] == "customer_totals"


def test_a_label_makes_a_profile_of_customers(tmp_path):
    profile = {"customerID": ["a", "b"], "tenure": [3, 9], "MonthlyCharges": [20.0, 30.0], "Churn": ["Yes", "No"]}
    name, source = taken_for(profile, tmp_path)
    assert name == "customer_totals" and source.mapping["churn_label"] == ("Churn",)


def test_ratings_are_a_reading_of_their_own(tmp_path):
    assert taken_for({"userId": [1, 2], "movieId": [3, 4], "rating": [4.0, 5.0]}, tmp_path)[0] == "ratings"


def test_two_of_three_are_enough_and_the_third_is_named(totals, tmp_path):
    for missing, formula in (
        ("total_orders", "total_spend / avg_order_value"),
        ("total_spend", "total_orders x avg_order_value"),
        ("avg_order_value", "total_spend / total_orders"),
    ):
        _, source = taken_for(without(totals, missing), tmp_path)
        assert any(f"No {missing} column: it is {formula}" in notice for notice in source.notices)


def test_one_of_three_is_refused_with_near_names(totals, tmp_path):
    rows = without(totals, "total_spend", "avg_order_value") | {"totl_spend_eur": totals["total_spend"]}
    with pytest.raises(SourceError) as found:
        taken_for(rows, tmp_path)
    for words in (
        "only total_orders was found",
        "two are needed",
        "'totl_spend_eur'",
        "[tables.customer_totals.columns]",
        "--level orders",
    ):
        assert words in str(found.value)


def test_a_missing_customer_is_refused_with_near_names(totals, tmp_path):
    rows = {"custmer_idd": totals["CustomerID"], **without(totals, "CustomerID")}
    with pytest.raises(SourceError, match=r"customer_id \(who bought\) has no column\. Nearest to customer_id: 'custmer_idd'"):
        taken_for(rows, tmp_path)


def test_each_absent_column_says_what_it_switches_off(totals, tmp_path):
    _, source = taken_for(without(totals, "recency_days", "unique_products", "total_quantity"), tmp_path)
    for name in ("recency_days", "unique_products", "total_quantity"):
        assert any(notice.startswith(f"No {name} column: ") for notice in source.notices)


def test_our_own_results_are_no_facts_when_they_come_back(totals, tmp_path):
    exported = totals | {
        "risk_probability": [0.5] * 60,
        "Cluster_KMeans": [0] * 60,
        "Recency": totals["recency_days"],
        "age": [40] * 60,
    }
    _, source = taken_for(exported, tmp_path)
    notice = next(text for text in source.notices if "Not read as facts" in text)
    assert all(name in notice for name in ("risk_probability", "Cluster_KMeans", "Recency")) and "age" not in notice


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_every_kind_of_file_is_recognised(totals, tmp_path, kind):
    path = tmp_path / f"customers.{kind}"
    pa.table(totals).to_pandas().to_csv(path, index=False) if kind == "csv" else None
    if kind == "parquet":
        pa.table(totals).to_pandas().to_parquet(path)
    if kind == "xlsx":
        import xlsxwriter

        with xlsxwriter.Workbook(str(path)) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, list(totals))
            for place, values in enumerate(totals.values()):
                sheet.write_column(1, place, values)
    name, source = describe_data(str(path), {}, tmp_path)
    assert name == "customer_totals" and "total_spend" in source.mapping


def test_init_proposes_such_a_table_and_a_run_takes_it(totals, csv, tmp_path):
    workspace = tmp_path / "workspace"
    path = csv(totals)
    said = CliRunner().invoke(app, ["init", str(path), "--workspace", str(workspace), "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["table"] == "customer_totals"
    ran = CliRunner().invoke(app, ["run", "--workspace", str(workspace), "--clusters", "3", "--progress", "none", "--json"])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.output)["customers"] == 60


def test_an_unknown_level_is_a_usage_error(csv, totals, tmp_path):
    said = CliRunner().invoke(app, ["run", str(csv(totals)), "--workspace", str(tmp_path / "w"), "--level", "lines"])
    assert said.exit_code == 2 and "--level lines is not known" in said.output
