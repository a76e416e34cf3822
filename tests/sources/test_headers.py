from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from customer_genome.contracts import CUSTOMERS, INPUT_TABLES, ITEMS, ORDER_LINES, PRODUCTS, PROMOTIONS, RATINGS
from customer_genome.errors import SourceError
from customer_genome.sources.headers import OTHER_LANGUAGES, doubled_headers, find_header, match_headers, normal_header

LEAST = ["customer_id", "ordered_at", "amount"]


def matched(headers: list[str], contract=ORDER_LINES, **more):
    return dict(match_headers(headers, contract, label="t", **more).mapping)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (
            ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"],
            {"order_id": "InvoiceNo", "product_id": "StockCode", "description": "Description", "quantity": "Quantity",
             "ordered_at": "InvoiceDate", "price": "UnitPrice", "customer_id": "CustomerID", "country": "Country"},
        ),
        (
            ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country", "sheet"],
            {"order_id": "Invoice", "product_id": "StockCode", "description": "Description", "quantity": "Quantity",
             "ordered_at": "InvoiceDate", "price": "Price", "customer_id": "Customer ID", "country": "Country"},
        ),
        (
            ["Order ID", "Order Date", "Ship Date", "Customer ID", "Customer Name", "Country", "Product ID", "Category", "Product Name",
             "Sales", "Quantity"],
            {"order_id": "Order ID", "ordered_at": "Order Date", "customer_id": "Customer ID", "country": "Country",
             "product_id": "Product ID", "category": "Category", "description": "Product Name", "amount": "Sales", "quantity": "Quantity"},
        ),
        (
            ["customer_id", "date", "number_of_cds", "dollar_value"],
            {"customer_id": "customer_id", "ordered_at": "date", "quantity": "number_of_cds", "amount": "dollar_value"},
        ),
        (["Id", "Date", "Price"], {"customer_id": "Id", "ordered_at": "Date", "price": "Price"}),
        (["price", "amount", "cust", "day"], {"price": "price", "amount": "amount", "customer_id": "cust", "ordered_at": "day"}),
        (["Order #", "Client-ID", "Created.At", "Total (EUR)"],
         {"order_id": "Order #", "customer_id": "Client-ID", "ordered_at": "Created.At", "amount": "Total (EUR)"}),
    ],
)  # fmt: skip
def test_exports_of_real_shops_are_matched(headers: list[str], wanted: dict[str, str]) -> None:
    assert matched(headers) == {name: (raw,) for name, raw in wanted.items()}


def test_a_specific_header_beats_a_generic_one_wherever_it_stands() -> None:
    headers = ["id", "customer_key", "date", "invoice date", "total", "sales value", "item", "sku", "name", "product name"]
    found = match_headers(headers, ORDER_LINES, label="t")
    assert found.mapping["customer_id"] == ("customer_key",)
    assert found.mapping["ordered_at"] == ("invoice date",)
    assert found.mapping["amount"] == ("sales value",)
    assert found.mapping["product_id"] == ("sku",)
    assert found.mapping["description"] == ("product name",)
    assert set(found.unmapped) == {"id", "date", "total", "item", "name"}
    assert not found.unsure


@pytest.mark.parametrize(
    "headers",
    [
        ["Kundennummer", "Bestelldatum", "Rechnung", "Artikelnummer", "Bezeichnung", "Menge", "Preis", "Betrag", "Land"],
        ["id_client", "Date commande", "Facture", "Code article", "Désignation", "Quantité", "Prix unitaire", "Montant", "Pays"],
        ["Cliente", "Fecha", "Pedido", "Código producto", "Descripción", "Cantidad", "Precio", "Importe", "País"],
    ],
)
def test_shops_write_other_languages_too(headers: list[str]) -> None:
    wanted = ["customer_id", "ordered_at", "order_id", "product_id", "description", "quantity", "price", "amount", "country"]
    assert matched(headers) == {name: (raw,) for name, raw in zip(wanted, headers, strict=True)}


def test_no_name_stands_for_two_columns_of_a_contract() -> None:
    for contract in INPUT_TABLES.values():
        forms = [
            (normal_header(name), column.name)
            for column in contract.columns
            for name in (column.name, *column.synonyms, *OTHER_LANGUAGES.get(column.name, ()))
        ]
        owners: dict[str, set[str]] = {}
        for form, owner in forms:
            owners.setdefault(form, set()).add(owner)
        assert {form: names for form, names in owners.items() if len(names) > 1} == {}


def test_two_good_candidates_are_told() -> None:
    found = match_headers([*LEAST[:1], "invoice date", "order date", "amount"], ORDER_LINES, label="t")
    assert found.mapping["ordered_at"] == ("invoice date",) and "order date" in found.unsure["ordered_at"]


def test_generic_matches_are_unsure_with_a_reason() -> None:
    found = match_headers(["id", "date", "total"], ORDER_LINES, label="t")
    assert found.mapping["customer_id"] == ("id",)
    assert "line" in found.unsure["customer_id"] and "total" in found.unsure["amount"]


def test_parts_of_a_discount_are_added_up_in_any_order() -> None:
    found = matched([*LEAST, "coupon_match_disc", "retail_disc", "coupon_disc"])
    assert set(found["discount"]) == {"retail_disc", "coupon_disc", "coupon_match_disc"}


def test_a_percentage_is_not_an_amount() -> None:
    assert "discount" not in matched([*LEAST, "Discount %"])


def test_other_tables() -> None:
    assert matched(["userId", "movieId", "rating", "timestamp"], RATINGS) == {
        "customer_id": ("userId",), "item_id": ("movieId",), "rating": ("rating",), "rated_at": ("timestamp",)}  # fmt: skip
    assert matched(["movieId", "title", "genres"], ITEMS) == {
        "item_id": ("movieId",),
        "title": ("title",),
        "category": ("genres",),
    }
    assert matched(["SKU", "Product Description", "Department"], PRODUCTS) == {
        "product_id": ("SKU",), "description": ("Product Description",), "category": ("Department",)}  # fmt: skip
    assert matched(["campaign_id", "start_date", "end_date"], PROMOTIONS) == {
        "promotion_id": ("campaign_id",), "starts_on": ("start_date",), "ends_on": ("end_date",)}  # fmt: skip
    found = match_headers(["customerID", "gender", "tenure"], CUSTOMERS, label="t")
    assert found.mapping == {"customer_id": ("customerID",)} and found.unmapped == ("gender", "tenure")


@given(st.sampled_from([(c, s) for c in ORDER_LINES.columns for s in (c.name, *c.synonyms)]), st.data())
def test_spelling_makes_no_difference(pair, data) -> None:
    column, synonym = pair
    others = [name for name in ("customer_id", "ordered_at", "amount") if name != column.name]
    words = synonym.replace("_", " ").split(" ")
    glue = data.draw(st.sampled_from(["", " ", "_", "-", ".", " _ "]))
    style = data.draw(st.sampled_from([str.lower, str.upper, str.title]))
    accented = data.draw(st.booleans())
    header = style(glue.join(words))
    if accented:
        header = "\ufeff" + header.replace("e", "é").replace("E", "É") + " "
    assert matched([header, *others])[column.name] == (header,)


@given(
    st.permutations(
        ["CustomerID", "InvoiceDate", "Invoice", "Price", "Total", "id", "date", "Stock Code", "item", "value", "Qty", "notes"]
    )
)
def test_column_order_makes_no_difference(headers: list[str]) -> None:
    found = matched(headers)
    assert found == {
        "customer_id": ("CustomerID",), "ordered_at": ("InvoiceDate",), "order_id": ("Invoice",), "product_id": ("Stock Code",),
        "quantity": ("Qty",), "price": ("Price",), "amount": ("Total",)}  # fmt: skip


@given(
    st.lists(st.text(string.printable, min_size=1, max_size=12), min_size=0, max_size=8), st.sampled_from(sorted(INPUT_TABLES))
)
def test_no_raw_column_is_used_twice_and_all_are_accounted_for(extra: list[str], table: str) -> None:
    contract = INPUT_TABLES[table]
    headers = [*dict.fromkeys([*contract.required, *(["amount"] if table == "order_lines" else []), *extra])]
    assume(not doubled_headers(headers))
    found = match_headers(headers, contract, label="t")
    used = [header for raw in found.mapping.values() for header in raw]
    assert len(used) == len(set(used))
    assert sorted([*used, *found.unmapped]) == sorted(headers)
    assert {*found.mapping, *found.absent} == set(contract.names)


@given(st.text(max_size=20))
def test_normalising_twice_changes_nothing(header: str) -> None:
    assert normal_header(normal_header(header)) == normal_header(header)


def test_overrides_win_and_are_found_in_any_spelling() -> None:
    headers = ["cust", "Account Number", "when", "date", "amount"]
    found = matched(headers, overrides={"customer_id": ("account_number",), "ordered_at": ("When",)})
    assert found["customer_id"] == ("Account Number",) and found["ordered_at"] == ("when",)


def test_a_column_can_be_mapped_to_nothing_and_by_its_place() -> None:
    found = matched(["a", "b", "c", "discount"], overrides={
        "customer_id": ("column 1",), "ordered_at": ("column 2",), "amount": ("column 3",), "discount": ()})  # fmt: skip
    assert found == {"customer_id": ("a",), "ordered_at": ("b",), "amount": ("c",)}
    assert find_header("column 5", ["a"]) is None


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SourceError) as caught:
        match_headers(["Custmer ID", "Price", "price "], ORDER_LINES, label="orders.csv")
    assert "orders.csv: 1 fault" in str(caught.value) and '"Price" (column 2)' in str(caught.value)
    with pytest.raises(SourceError) as caught:
        match_headers(["Custmer ID", "Ordered When", "Weight"], ORDER_LINES, label="orders.csv")
    text = str(caught.value)
    assert "3 faults" in text and "'Custmer ID'" in text and "ordered_at" in text and "no money" in text
    assert "genome.toml" in text and "genome init" in text


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"custmer_id": ("cust",)}, 'Did you mean "customer_id"'),
        ({"customer_id": ("custt",)}, 'Did you mean "cust"'),
        ({"customer_id": ("cust",), "country": ("cust",)}, "mapped twice"),
        ({"customer_id": ("cust", "date")}, "single column"),
        ({"customer_id": ()}, "mapped to nothing"),
    ],
)
def test_wrong_overrides_are_refused(overrides: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        match_headers(["cust", "date", "amount"], ORDER_LINES, overrides, label="t")


def test_types_that_cannot_serve_are_passed_over() -> None:
    found = matched(["cust", "date", "order date", "amount"], types={"order date": "boolean", "date": "date"})
    assert found["ordered_at"] == ("date",)
