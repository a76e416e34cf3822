"""The list of customers: searched, filtered, sorted and paged in SQL, so that a million rows cost no more than a page.

Comes in: a selection and what the visitor typed. Goes out: one page of rows, the number of all that fit, or the whole list as
a CSV file up to a bound. Sort orders come from a fixed list; everything else travels as parameters.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.session import Visit

PAGE_ROWS = 25
MOST_CSV_ROWS = 200_000
SORTS: Mapping[str, tuple[str, str]] = {
    "at_risk": ("Value at risk, highest first", "expected_value_loss desc nulls last"),
    "value": ("Value over 180 days, highest first", "clv_180d desc nulls last"),
    "risk": ("Risk, highest first", "churn_probability desc nulls last"),
    "spent": ("Spent so far, most first", "total_spend desc nulls last"),
    "orders": ("Orders so far, most first", "n_orders desc nulls last"),
    "latest": ("Last order, latest first", "last_order_on desc nulls last"),
    "quiet": ("Last order, longest ago first", "last_order_on asc nulls last"),
    "next": ("Next order, soonest first", "next_order_on asc nulls last"),
    "id": ("Customer id", "customer_id asc"),
}
"""Key in the address -> what it is called, and the SQL order; the customer id always breaks ties."""


@dataclass(frozen=True)
class ListRequest:
    """Which customers to list, and how."""

    selection: Selection = field(default_factory=Selection)
    search: str = ""
    playbook: str = ""
    risk: str = ""
    sort: str = "at_risk"

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition on `customers` and its parameters."""
        condition, parameters = self.selection.where()
        clauses = [condition]
        if self.search.strip():
            clauses.append("contains(lower(customer_id), lower(?))")
            parameters.append(self.search.strip())
        if self.playbook:
            clauses.append("playbook = ?")
            parameters.append(self.playbook)
        if self.risk:
            clauses.append("churn_band = ?")
            parameters.append(self.risk)
        return " and ".join(clauses), parameters

    def order(self) -> str:
        """Return the SQL order."""
        return f"{SORTS[self.sort][1]}, customer_id"


def count_customers(visit: Visit, request: ListRequest) -> int:
    """Return how many customers fit."""
    where, parameters = request.where()
    return int(visit.genome.query(f"select count(*) as n from customers where {where}", parameters).column("n")[0].as_py())


def page_of_customers(visit: Visit, request: ListRequest, page: int, rows: int = PAGE_ROWS) -> pa.Table:
    """Return one page of the list.

    Parameters
    ----------
    page : int, from 1

    Returns
    -------
    Arrow table
        customer_id, expected_value_loss, clv_180d, churn_probability, risk (mark and band), segment, n_orders, total_spend,
        last_order_on, next_order_on, playbook, recommended_action.
    """
    where, parameters = request.where()
    return visit.genome.query(
        f"""
        select customer_id, expected_value_loss, clv_180d, churn_probability,
            case churn_band when 'High' then '▲ High' when 'Medium' then '◆ Medium' when 'Low' then '● Low' end as risk,
            {request.selection.segment_sql} as segment, n_orders, total_spend, last_order_on, next_order_on, playbook,
            recommended_action
        from customers where {where} order by {request.order()} limit ? offset ?
        """,
        [*parameters, rows, max(0, page - 1) * rows],
    )


def list_as_csv(visit: Visit, request: ListRequest) -> bytes:
    """Return the list under the export names of the documentation, at most `MOST_CSV_ROWS` customers, in the list's order."""
    columns = ", ".join(f'{source} as "{name}"' for name, source in visit.genome.export_columns())
    where, parameters = request.where()
    rows = visit.genome.query(
        f"select {columns} from customers where {where} order by {request.order()} limit {MOST_CSV_ROWS}", parameters
    )
    return table_as_csv(rows)


def table_as_csv(rows: pa.Table) -> bytes:
    """Return a table as CSV."""
    buffer = io.BytesIO()
    pa_csv.write_csv(rows, buffer)
    return buffer.getvalue()
