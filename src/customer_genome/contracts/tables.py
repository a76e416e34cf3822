"""Every table a shop may hand in, by name."""

from __future__ import annotations

from collections.abc import Mapping

from customer_genome.contracts.customer_totals import CUSTOMER_TOTALS
from customer_genome.contracts.inputs import CUSTOMERS, ITEMS, ORDER_LINES, PRODUCTS, PROMOTIONS, RATINGS, SUPPRESSIONS
from customer_genome.contracts.terms import Contract

INPUT_TABLES: Mapping[str, Contract] = {
    contract.name: contract
    for contract in (ORDER_LINES, CUSTOMERS, CUSTOMER_TOTALS, PRODUCTS, PROMOTIONS, RATINGS, ITEMS, SUPPRESSIONS)
}
