"""What each table must be: grain, columns, types, units, keys and identities."""

from customer_genome.contracts.inputs import (
    CUSTOMERS,
    INPUT_TABLES,
    ITEMS,
    ORDER_LINES,
    PRODUCTS,
    PROMOTIONS,
    RATINGS,
    SUPPRESSIONS,
)
from customer_genome.contracts.marts import CUSTOMER_FACTS, ORDERS, STAGED_ORDER_LINES
from customer_genome.contracts.terms import Column, ColumnType, Contract, CsvFormat, DateOrder, RawColumn, SourceTable

__all__ = [
    "CUSTOMERS",
    "CUSTOMER_FACTS",
    "INPUT_TABLES",
    "ITEMS",
    "ORDERS",
    "ORDER_LINES",
    "PRODUCTS",
    "PROMOTIONS",
    "RATINGS",
    "STAGED_ORDER_LINES",
    "SUPPRESSIONS",
    "Column",
    "ColumnType",
    "Contract",
    "CsvFormat",
    "DateOrder",
    "RawColumn",
    "SourceTable",
]
