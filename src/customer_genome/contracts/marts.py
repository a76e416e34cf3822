"""The tables that are made of it: lines, orders and facts, with units and ranges that `warehouse.checks` proves."""

from __future__ import annotations

from customer_genome.contracts.terms import Column, Contract

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
