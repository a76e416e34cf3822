"""What each table must be: grain, columns, types, units, keys and identities."""

from customer_genome.contracts.customer_totals import CUSTOMER_TOTALS, LABELS, SUMS
from customer_genome.contracts.inputs import (
    CUSTOMERS,
    ITEMS,
    ORDER_LINES,
    PRODUCTS,
    PROMOTIONS,
    RATINGS,
    SUPPRESSIONS,
)
from customer_genome.contracts.marts import CUSTOMER_FACTS, ORDERS, STAGED_ORDER_LINES
from customer_genome.contracts.tables import INPUT_TABLES
from customer_genome.contracts.terms import Column, ColumnType, Contract, CsvFormat, DateOrder, RawColumn, SourceTable

__all__ = [
    "CUSTOMERS",
    "CUSTOMER_FACTS",
    "CUSTOMER_TOTALS",
    "INPUT_TABLES",
    "ITEMS",
    "LABELS",
    "ORDERS",
    "ORDER_LINES",
    "PRODUCTS",
    "PROMOTIONS",
    "RATINGS",
    "STAGED_ORDER_LINES",
    "SUMS",
    "SUPPRESSIONS",
    "Column",
    "ColumnType",
    "Contract",
    "CsvFormat",
    "DateOrder",
    "RawColumn",
    "SourceTable",
]
