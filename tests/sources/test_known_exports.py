"""Exports of shop systems, and order lines that tell what belongs to the whole order on one line only or on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer_genome.errors import SourceError
from customer_genome.settings import Settings
from customer_genome.sources.catalog import describe_sources

SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Currency,Subtotal,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem sku,Shipping Country,Vendor,Id\n"
    "#1001,a@x.com,refunded,2024-01-02 10:00:00 +0000,EUR,30,34.9,0,2024-01-02 10:00:00 +0000,2,Tea,10,T1,DE,V,5001\n"
    "#1001,a@x.com,,,,,,,2024-01-02 10:00:00 +0000,1,Mug,10,M1,,V,\n"
    "#1002,b@x.com,paid,2024-01-03 10:00:00 +0000,EUR,20,24.9,5,2024-01-03 10:00:00 +0000,1,Tea,10,T1,DE,V,5002\n"
    "#1002,b@x.com,,,,,,,2024-01-03 10:00:00 +0000,3,Pot,5,,,V,\n"
)


def test_shopify_names_the_order_and_its_total_is_no_money_of_a_line(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(SHOPIFY)
    source = describe(path)
    assert source.mapping["order_id"] == ("Name",)
    assert source.mapping["customer_id"] == ("Email",)
    assert "amount" not in source.mapping
    assert source.mapping["price"] == ("Lineitem price",)
    rows = read_back(source)
    found = list(zip(rows["customer_id"], rows["status"], strict=True))
    assert sorted(found) == [("a@x.com", "refunded")] * 2 + [("b@x.com", "paid")] * 2
    assert rows["country"] == ["DE"] * 4
    assert any("Shopify" in notice for notice in source.notices)


def test_what_the_user_maps_goes_before_what_is_known(tmp_path: Path, describe) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(SHOPIFY)
    source = describe(path, columns={"customer_id": ("Vendor",), "description": ("Name",)})
    assert source.mapping["customer_id"] == ("Vendor",)
    assert source.mapping["description"] == ("Name",)
    assert source.mapping.get("order_id") != ("Name",)


def test_amazon_gives_the_money_of_the_line(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "orders.txt"
    path.write_text(
        "amazon-order-id\tpurchase-date\torder-status\tproduct-name\tsku\tquantity\tcurrency\titem-price\tbuyer-email\n"
        "306-1\t2024-01-02T10:00:00+00:00\tShipped\tTea\tT1\t2\tEUR\t20.00\ta@x.com\n"
        "306-2\t2024-01-09T10:00:00+00:00\tShipped\tTea\tT1\t1\tEUR\t10.00\tb@x.com\n"
    )
    source = describe(path)
    assert "price" not in source.mapping
    assert read_back(source)["amount"] == [20.0, 10.0]


@pytest.mark.parametrize(
    ("header", "money"),
    [("Order Total Amount", "amount"), ("Order Total Amount,SKU,Item Name,Quantity (- Refund),Item Cost", "price")],
)
def test_woocommerce_with_and_without_items(tmp_path: Path, describe, header: str, money: str) -> None:
    path = tmp_path / "orders.csv"
    items = ",T1,Tea,2,10" if money == "price" else ""
    path.write_text(
        f"Order Number,Order Status,Order Date,Email (Billing),{header}\n"
        f"1,Completed,2024-01-02 10:00,a@x.com,24.9{items}\n2,Completed,2024-01-22 10:00,b@x.com,14.9{items}\n"
    )
    source = describe(path)
    assert {"amount", "price"} & set(source.mapping) == {money}
    assert source.mapping["customer_id"] == ("Email (Billing)",)


@pytest.mark.parametrize("later", ["30", ""])
def test_a_total_of_the_order_does_not_count_for_each_line(tmp_path: Path, describe, later: str) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(
        "order_id,customer,date,sku,qty,unit price,total\n"
        f"1,a,2024-01-02,T1,2,10,30\n1,a,2024-01-02,M1,1,10,{later}\n"
        "2,b,2024-01-13,T1,1,10,10\n"
    )
    source = describe(path)
    assert "amount" not in source.mapping
    assert any('"total" was not taken for amount' in notice for notice in source.notices)


def test_a_total_of_the_line_is_taken(tmp_path: Path, describe) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(
        "order_id,customer,date,sku,qty,unit price,total\n1,a,2024-01-02,T1,2,10,20\n1,a,2024-01-02,M1,1,10,10\n2,b,2024-01-13,T1,1,10,10\n"
    )
    assert describe(path).mapping["amount"] == ("total",)


def test_a_customer_told_on_the_first_line_holds_for_its_order_and_no_other(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "lines.csv"
    path.write_text("order_id,customer,date,amount\n1,a,2024-01-02,5\n1,,2024-01-02,6\n2,,2024-01-13,7\n,,2024-01-14,8\n")
    rows = read_back(describe(path))
    found = dict(zip(rows["amount"], rows["customer_id"], strict=True))
    assert found == {5: "a", 6: "a", 7: None, 8: None}


def test_a_status_of_single_lines_stays_with_them(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "lines.csv"
    path.write_text(
        "order_id,customer,date,amount,status\n1,a,2024-01-02,5,returned\n1,a,2024-01-02,6,\n"
        "2,b,2024-01-13,7,returned\n2,b,2024-01-13,8,returned\n2,b,2024-01-13,8,\n"
    )
    rows = read_back(describe(path))
    assert dict(zip(rows["amount"], rows["status"], strict=True))[6] is None


def test_an_id_that_numbers_the_lines_is_no_customer(tmp_path: Path, describe) -> None:
    path = tmp_path / "lines.csv"
    rows = "".join(f"{number},2024-01-{number % 28 + 1:02d},5\n" for number in range(60))
    path.write_text(f"id,date,amount\n{rows}")
    with pytest.raises(SourceError, match="numbers the lines"):
        describe(path)


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("CustomerID,total_orders,total_spend,recency_days", "a,2,10,3", "one row per customer"),
        ("userId,movieId,rating,timestamp", "1,2,4.5,1700000000", "ratings of items"),
    ],
)
def test_what_needs_order_lines_says_what_was_given_instead(tmp_path: Path, header: str, row: str, words: str) -> None:
    path = tmp_path / "given.csv"
    path.write_text(f"{header}\n{row}\n")
    with pytest.raises(SourceError, match=f"holds {words}") as found:
        describe_sources(str(path), Settings(workspace=tmp_path / "w"), tmp_path / "tmp")
    assert f"genome run {path}" in str(found.value)


def test_words_that_stand_for_nobody_are_no_customer(tmp_path: Path, describe, read_back) -> None:
    path = tmp_path / "lines.csv"
    names = ["Guest", "unknown", "-", "NULL", "(not set)", "guest@x.com", "0"]
    path.write_text("customer,date,amount\n" + "".join(f"{name},2024-01-13,5\n" for name in names))
    assert read_back(describe(path))["customer_id"] == [None] * 5 + ["guest@x.com", "0"]


def test_the_headers_of_etsy_and_of_times_with_a_zone_are_known(tmp_path: Path, describe) -> None:
    path = tmp_path / "sold.csv"
    path.write_text("Sale Date (UTC),Item Name,Buyer,Quantity,Price,Order ID,Listing ID\n01/13/24,Tea,ann,1,5,77,9\n")
    mapping = describe(path).mapping
    assert (mapping["customer_id"], mapping["ordered_at"]) == (("Buyer",), ("Sale Date (UTC)",))


def test_a_web_page_that_calls_itself_a_workbook_is_named_with_the_way_out(tmp_path: Path, describe) -> None:
    path = tmp_path / "orders.xls"
    path.write_text("<table border=1>\n<tr><th>Customer</th></tr>\n</table>")
    with pytest.raises(SourceError, match=r"save it as \.xlsx or CSV"):
        describe(path)
