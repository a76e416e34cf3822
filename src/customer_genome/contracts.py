"""What each table must be: grain, columns, types, units, keys and identities.

Comes in: nothing. Goes out: `Contract` values that `warehouse.checks` proves on an engine, the names that header
matching may map to, and `SourceTable`, the description by which a source tells an engine how to read raw data.
This module touches no file, database or setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

ColumnType = Literal["text", "timestamp", "date", "decimal", "double", "integer", "boolean"]


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    `synonyms` are the other header names under which shops export this column; they are compared without case,
    spaces, underscores, hyphens and dots. `minimum` is inclusive.
    """

    name: str
    type: ColumnType
    about: str
    unit: str = ""
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """A table: its grain in words, its columns, its key, and what must add up."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    extra_columns: bool = False

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError when the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in contract order."""
        return tuple(column.name for column in self.columns)


# --- how a source describes a raw table to an engine ---------------------------------------------------------------

DateOrder = Literal["typed", "ymd", "dmy", "mdy", "epoch"]


@dataclass(frozen=True)
class RawColumn:
    """A column as it stands in the source: its header and its type (`text` for every CSV column)."""

    name: str
    type: Literal["text", "integer", "double", "decimal", "boolean", "date", "timestamp", "timestamp_tz", "other"]


@dataclass(frozen=True)
class CsvFormat:
    """How a delimited text file is read.

    `column_names` are the columns in file order, under which the engine reads them; with `has_header` the header line is
    skipped (its names may be blank or padded). Empty only where a description is made by hand: then the header is used.
    """

    delimiter: str = ","
    quote: str = '"'
    has_header: bool = True
    compression: Literal["none", "gzip", "zstd"] = "none"
    column_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceTable:
    """A raw table: where it is, how it is read, and which of its columns mean what.

    Attributes
    ----------
    table : str
        The contract it feeds ("order_lines", "customers", ...).
    label : str
        What people call it in messages (a file name, "table shop.lines in PostgreSQL"); never holds a password.
    format : str
        "csv" and "parquet" are read by the engine itself from `paths`; "arrow" comes from `batches`.
    mapping : contract column -> raw columns
        One raw column, or several numeric ones that are added up (discounts split over columns).
    date_orders : contract column -> how its text is read
        "typed" when the source has real times. "ymd" also stands for compact dates such as 19970101.
    time_formats : contract column -> strptime patterns
        Those seen in the sample first, then the others of the same order. Empty for "typed", "epoch" and ISO text.
    decimal_mark : "." or ","
        How numbers in text are written; the other mark is then a thousands separator.
    notices : tuple of str
        Things the user should be told: what was assumed, what is switched off and why.
    expected_rows : int, optional
        How many rows the source is known to have (public data); another number stops the run.
    """

    table: str
    label: str
    format: Literal["csv", "parquet", "arrow"]
    columns: tuple[RawColumn, ...]
    mapping: Mapping[str, tuple[str, ...]]
    paths: tuple[str, ...] = ()
    csv: CsvFormat | None = None
    batches: Callable[[], pa.RecordBatchReader] | None = None
    date_orders: Mapping[str, DateOrder] = field(default_factory=dict)
    time_formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decimal_mark: Literal[".", ","] = "."
    notices: tuple[str, ...] = ()
    expected_rows: int | None = None

    def raw_type(self, name: str) -> str:
        """Return the type of the raw column called `name`."""
        for column in self.columns:
            if column.name == name:
                return column.type
        raise KeyError(name)


# --- what comes in ---------------------------------------------------------------------------------------------

ORDER_LINES = Contract(
    name="order_lines",
    grain="one line of an order, as the shop recorded it",
    required=("customer_id", "ordered_at"),
    columns=(
        Column(
            "customer_id",
            "text",
            "who bought",
            nullable=False,
            synonyms=(
                "customer",
                "cust id",
                "cust",
                "client id",
                "client",
                "user id",
                "user",
                "buyer id",
                "member id",
                "household id",
                "household key",
                "shopper id",
                "account id",
                "customer no",
                "customer number",
                "customer key",
                "customer code",
                "id",
            ),
        ),
        Column(
            "ordered_at",
            "timestamp",
            "when the line was ordered",
            nullable=False,
            synonyms=(
                "invoice date",
                "order date",
                "date",
                "datetime",
                "timestamp",
                "time",
                "purchase date",
                "transaction date",
                "transaction timestamp",
                "transaction time",
                "order timestamp",
                "order purchase timestamp",
                "order time",
                "created at",
                "created",
                "purchased at",
                "sale date",
                "sales date",
                "invoice timestamp",
                "invoice time",
                "day",
            ),
        ),
        Column(
            "order_id",
            "text",
            "the order (invoice, basket, receipt) the line belongs to",
            synonyms=(
                "invoice no",
                "invoice",
                "invoice number",
                "invoice id",
                "order no",
                "order number",
                "order",
                "basket id",
                "basket",
                "transaction id",
                "transaction no",
                "receipt id",
                "receipt no",
                "receipt",
                "bill no",
                "ticket id",
            ),
        ),
        Column(
            "product_id",
            "text",
            "the product (stock code, SKU)",
            synonyms=(
                "stock code",
                "sku",
                "product code",
                "item id",
                "item code",
                "item",
                "product no",
                "article id",
                "article no",
                "product",
                "upc",
                "ean",
                "material",
                "asin",
                "product key",
            ),
        ),
        Column(
            "description",
            "text",
            "the product's name",
            synonyms=("product name", "item name", "item description", "product description", "product title", "title", "name"),
        ),
        Column(
            "quantity",
            "decimal",
            "how many; negative for returned goods",
            unit="pieces",
            synonyms=(
                "qty",
                "units",
                "unit count",
                "count",
                "number of items",
                "items",
                "pieces",
                "quantity ordered",
                "order quantity",
                "number of cds",
                "amount of units",
                "order qty",
                "item quantity",
            ),
        ),
        Column(
            "price",
            "decimal",
            "money paid for one piece",
            unit="shop currency",
            synonyms=(
                "unit price",
                "price each",
                "item price",
                "unit cost",
                "sale price",
                "selling price",
                "price per unit",
                "unitprice gbp",
                "unit price gbp",
            ),
        ),
        Column(
            "amount",
            "decimal",
            "money paid for the whole line; used instead of quantity x price when it is there",
            unit="shop currency",
            synonyms=(
                "sales value",
                "total price",
                "line total",
                "total",
                "revenue",
                "sales",
                "spend",
                "line amount",
                "total amount",
                "order value",
                "dollar value",
                "value",
                "net amount",
                "sales amount",
                "total sales",
                "payment value",
                "transaction amount",
                "purchase amount",
                "total spent",
                "extended price",
                "gross amount",
                "line revenue",
            ),
        ),
        Column(
            "country",
            "text",
            "where the order went",
            synonyms=(
                "country name",
                "ship country",
                "shipping country",
                "billing country",
                "market",
                "customer country",
                "country code",
            ),
        ),
        Column(
            "category",
            "text",
            "the product's category",
            synonyms=(
                "product category",
                "department",
                "category name",
                "product type",
                "product group",
                "item category",
                "product line",
            ),
        ),
        Column(
            "discount",
            "decimal",
            "money taken off the line by promotions, as a positive amount",
            unit="shop currency",
            synonyms=(
                "discount amount",
                "retail disc",
                "coupon disc",
                "coupon match disc",
                "promo discount",
                "line discount",
                "markdown",
            ),
        ),
        Column("currency", "text", "the currency of the money columns", synonyms=("currency code", "order currency")),
        Column(
            "status",
            "text",
            "order status; cancelled orders are recognised by it",
            synonyms=(
                "order status",
                "invoice status",
            ),
        ),
    ),
)

CUSTOMERS = Contract(
    name="customers",
    grain="one customer as the shop describes them; further columns become features",
    key=("customer_id",),
    required=("customer_id",),
    extra_columns=True,
    columns=(Column("customer_id", "text", "who", nullable=False, synonyms=ORDER_LINES.columns[0].synonyms),),
)

PRODUCTS = Contract(
    name="products",
    grain="one product",
    key=("product_id",),
    required=("product_id",),
    extra_columns=True,
    columns=(
        Column("product_id", "text", "the product", nullable=False, synonyms=ORDER_LINES.column("product_id").synonyms),
        Column("description", "text", "the product's name", synonyms=ORDER_LINES.column("description").synonyms),
        Column("category", "text", "the product's category", synonyms=ORDER_LINES.column("category").synonyms),
    ),
)

PROMOTIONS = Contract(
    name="promotions",
    grain="one campaign and the days it ran",
    key=("promotion_id",),
    required=("promotion_id", "starts_on", "ends_on"),
    extra_columns=True,
    columns=(
        Column(
            "promotion_id",
            "text",
            "the campaign",
            nullable=False,
            synonyms=("campaign id", "campaign", "promotion", "promo id", "offer id"),
        ),
        Column(
            "starts_on",
            "timestamp",
            "first day",
            nullable=False,
            synonyms=("start date", "start", "starts", "from", "begin date", "valid from"),
        ),
        Column(
            "ends_on", "timestamp", "last day", nullable=False, synonyms=("end date", "end", "ends", "to", "until", "valid to")
        ),
    ),
)

RATINGS = Contract(
    name="ratings",
    grain="one rating of one item by one customer",
    required=("customer_id", "item_id", "rating"),
    columns=(
        Column("customer_id", "text", "who rated", nullable=False, synonyms=ORDER_LINES.columns[0].synonyms),
        Column(
            "item_id",
            "text",
            "what was rated",
            nullable=False,
            synonyms=("movie id", "item", "product id", "asin", "isbn", "book id", "stock code"),
        ),
        Column(
            "rating",
            "decimal",
            "the rating on its own scale",
            nullable=False,
            synonyms=("score", "stars", "overall", "rating value"),
        ),
        Column("rated_at", "timestamp", "when", synonyms=("timestamp", "time", "date", "unix review time", "rating date")),
    ),
)

ITEMS = Contract(
    name="items",
    grain="one rateable item",
    key=("item_id",),
    required=("item_id",),
    extra_columns=True,
    columns=(
        Column("item_id", "text", "the item", nullable=False, synonyms=RATINGS.column("item_id").synonyms),
        Column("title", "text", "its title", synonyms=("name", "item name", "movie title", "product name", "description")),
        Column("category", "text", "genres or category", synonyms=("genres", "genre", "categories", "product category")),
    ),
)

SUPPRESSIONS = Contract(
    name="suppressions",
    grain="one customer who must not be contacted",
    key=("customer_id",),
    required=("customer_id",),
    extra_columns=True,
    columns=(Column("customer_id", "text", "who", nullable=False, synonyms=ORDER_LINES.columns[0].synonyms),),
)

INPUT_TABLES: Mapping[str, Contract] = {
    contract.name: contract for contract in (ORDER_LINES, CUSTOMERS, PRODUCTS, PROMOTIONS, RATINGS, ITEMS, SUPPRESSIONS)
}

# --- what is made of it --------------------------------------------------------------------------------------------

STAGED_ORDER_LINES = Contract(
    name="order_lines",
    grain="one purchased line, gross of later returns",
    key=("line_id",),
    columns=(
        Column("line_id", "integer", "position of the row in the source, from 0", nullable=False, minimum=0),
        Column("customer_id", "text", "who bought", nullable=False),
        Column("order_id", "text", "the order; customer and time where the source has no order id", nullable=False),
        Column("ordered_at", "timestamp", "when, in the shop's local time", nullable=False),
        Column("quantity", "decimal", "how many", unit="pieces", nullable=False, minimum=0),
        Column("revenue", "decimal", "money paid for the line", unit="shop currency", nullable=False, minimum=0),
    ),
)

ORDERS = Contract(
    name="known_orders",
    grain="one order as known at a cutoff",
    key=("as_of", "customer_id", "order_id"),
    columns=(
        Column("as_of", "date", "exclusive cutoff", nullable=False),
        Column("customer_id", "text", "who bought", nullable=False),
        Column("order_id", "text", "the order", nullable=False),
        Column("ordered_at", "timestamp", "its earliest line", nullable=False),
        Column("n_lines", "integer", "lines that are left of it", unit="lines", nullable=False, minimum=1),
        Column("revenue", "decimal", "money that is left of it", unit="shop currency", nullable=False, minimum=0),
    ),
)

CUSTOMER_FACTS = Contract(
    name="customer_facts",
    grain="one customer as known at a cutoff",
    key=("customer_id", "as_of"),
    extra_columns=True,
    columns=(
        Column("customer_id", "text", "the customer", nullable=False),
        Column("as_of", "date", "exclusive cutoff: nothing on or after this day is known", nullable=False),
        Column("n_orders", "integer", "orders so far", unit="orders", nullable=False, minimum=1),
        Column("n_lines", "integer", "order lines so far", unit="lines", nullable=False, minimum=1),
        Column("total_quantity", "double", "pieces bought so far", unit="pieces", nullable=False, minimum=0),
        Column("total_spend", "double", "money spent so far", unit="shop currency", nullable=False, minimum=0),
        Column("mean_order_value", "double", "money per order", unit="shop currency", nullable=False, minimum=0),
        Column("first_order_on", "date", "day of the first order", nullable=False),
        Column("last_order_on", "date", "day of the last order", nullable=False),
        Column("recency_days", "integer", "days from the last order to the cutoff", unit="days", nullable=False, minimum=1),
        Column("tenure_days", "integer", "days from the first order to the cutoff", unit="days", nullable=False, minimum=1),
        Column("activity_days", "integer", "days from the first to the last order", unit="days", nullable=False, minimum=0),
        Column("n_purchase_days", "integer", "different days with an order", unit="days", nullable=False, minimum=1),
        Column("mean_spend_per_day", "double", "money per purchase day", unit="shop currency", nullable=False, minimum=0),
        Column("mean_gap_days", "double", "average days between purchase days; empty with one", unit="days", minimum=0),
        Column(
            "gap_cv", "double", "irregularity: spread of the gaps over their mean; empty under three purchase days", minimum=0
        ),
        Column("unique_products", "integer", "different products bought", unit="products", nullable=False, minimum=0),
        Column("mean_lines_per_order", "double", "lines per order", unit="lines", nullable=False, minimum=0),
        Column("primary_country", "text", "where they spend most", nullable=False),
        Column("n_returned_lines", "integer", "lines brought back", unit="lines", nullable=False, minimum=0),
        Column("returned_value", "double", "money of lines brought back", unit="shop currency", nullable=False, minimum=0),
        Column("return_share", "double", "returned money over bought and returned money", minimum=0, maximum=1),
        Column("orders_last_90d", "integer", "orders in the last 90 days", unit="orders", nullable=False, minimum=0),
        Column("orders_prior_90d", "integer", "orders in the 90 days before those", unit="orders", nullable=False, minimum=0),
        Column("spend_last_90d", "double", "money in the last 90 days", unit="shop currency", nullable=False, minimum=0),
        Column("spend_prior_90d", "double", "money in the 90 days before those", unit="shop currency", nullable=False, minimum=0),
        Column(
            "spend_trend",
            "double",
            "from -1 (all before) to 1 (all lately); empty without spend in 180 days",
            minimum=-1,
            maximum=1,
        ),
        Column(
            "discount_share",
            "double",
            "share of spend in discounted lines; empty where the data have no discounts",
            minimum=0,
            maximum=1,
        ),
    ),
)
