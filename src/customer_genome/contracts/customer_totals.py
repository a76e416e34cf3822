"""The table of a business that keeps no order lines: one row per customer with totals of what they bought, or with labels."""

from __future__ import annotations

from customer_genome.contracts.inputs import ORDER_LINES
from customer_genome.contracts.terms import Column, Contract

CUSTOMER_TOTALS = Contract(
    name="customer_totals",
    grain="one customer with totals of what they bought so far; further columns describe them",
    key=("customer_id",),
    required=("customer_id",),
    extra_columns=True,
    columns=(
        Column("customer_id", "text", "who bought", nullable=False, synonyms=ORDER_LINES.column("customer_id").synonyms),
        Column(
            "total_orders",
            "decimal",
            "orders so far",
            unit="orders",
            minimum=0,
            synonyms=(
                "orders",
                "order count",
                "orders count",
                "n orders",
                "num orders",
                "number of orders",
                "lifetime orders",
                "frequency",
                "purchases",
                "total purchases",
                "purchase count",
                "number of purchases",
                "num purchases",
                "purchase frequency",
                "transactions",
                "total transactions",
                "transaction count",
                "number of transactions",
                "num transactions",
            ),
        ),
        Column(
            "total_quantity",
            "decimal",
            "pieces bought so far",
            unit="pieces",
            minimum=0,
            synonyms=("total items", "total units", "total pieces", "items bought", "items purchased", "units bought"),
        ),
        Column(
            "total_spend",
            "decimal",
            "money spent so far",
            unit="shop currency",
            minimum=0,
            synonyms=(
                "total spent",
                "total spending",
                "spend",
                "spent",
                "monetary",
                "monetary value",
                "lifetime spend",
                "lifetime revenue",
                "customer revenue",
                "total revenue",
                "total sales",
                "total amount",
                "total purchase amount",
                "total paid",
                "total charges",
                "amount spent",
                "revenue",
            ),
        ),
        Column(
            "avg_order_value",
            "decimal",
            "money per order",
            unit="shop currency",
            minimum=0,
            synonyms=(
                "average order value",
                "mean order value",
                "aov",
                "avg basket",
                "avg basket value",
                "average basket",
                "average basket value",
                "avg purchase value",
                "average purchase value",
                "avg transaction value",
                "average transaction value",
                "avg spend per order",
                "average spend per order",
            ),
        ),
        Column(
            "recency_days",
            "decimal",
            "days since the last order",
            unit="days",
            minimum=0,
            synonyms=(
                "recency",
                "days since last order",
                "days since last purchase",
                "days since last transaction",
                "days since last visit",
                "days inactive",
            ),
        ),
        Column(
            "unique_products",
            "decimal",
            "different products bought so far",
            unit="products",
            minimum=0,
            synonyms=(
                "distinct products",
                "different products",
                "n products",
                "num products",
                "number of products",
                "unique items",
                "distinct items",
                "product variety",
            ),
        ),
        Column(
            "country", "text", "where they live or buy", synonyms=("country name", "primary country", "customer country", "land")
        ),
        Column(
            "cluster", "text", "a grouping the business has already", synonyms=("cluster id", "cluster label", "customer cluster")
        ),
        Column(
            "churn_label",
            "text",
            "whether they left afterwards (1, yes, true) or stayed (0, no, false)",
            synonyms=(
                "churn",
                "churned",
                "is churn",
                "is churned",
                "has churned",
                "churn flag",
                "churn value",
                "exited",
                "attrition",
            ),
        ),
        Column(
            "spend_label",
            "decimal",
            "money they spent afterwards, in the period that is to be forecast",
            unit="shop currency",
            synonyms=("next month spend label", "next month spend", "future spend", "next period spend", "spend next month"),
        ),
    ),
)

SUMS = ("total_orders", "total_spend", "avg_order_value")
"""Any two of these give the third."""
LABELS = ("churn_label", "spend_label")
"""What happened afterwards; never a fact, only something to learn from."""
