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
from customer_genome.interfaces.dashboard.totals import shows_sizes

PAGE_ROWS = 25
MOST_CSV_ROWS = 200_000
SORTS: Mapping[str, str] = {
    "Value at risk": "expected_value_loss desc nulls last",
    "Value": "clv_180d desc nulls last",
    "Risk": "churn_probability desc nulls last",
    "Spent": "total_spend desc nulls last",
    "Orders": "n_orders desc nulls last",
    "Latest order": "recency_days asc nulls last",
    "Longest quiet": "recency_days desc nulls last",
    "Next order": "next_order_on asc nulls last",
    "Customer id": "customer_id asc",
}
"""What an order is called (also in the address) -> the SQL; the highest stands first, and the customer id breaks ties."""
_MARKED_RISK = "case churn_band when 'High' then '▲ High' when 'Medium' then '◆ Medium' when 'Low' then '● Low' end"


@dataclass(frozen=True)
class ListRequest:
    """Which customers to list, and how."""

    selection: Selection = field(default_factory=Selection)
    search: str = ""
    playbook: str = ""
    risk: str = ""
    sort: str = "Value at risk"
    value: str = ""

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
        if self.value:
            clauses.append("clv_band = ?")
            parameters.append(self.value)
        return " and ".join(clauses), parameters

    def order(self) -> str:
        """Return the SQL order."""
        return f"{SORTS[self.sort]}, customer_id"


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
        last_order_on, next_order_on, playbook, recommended_action. Of customers known by totals instead: risk_rank, clv_band, value_rank and
        recency_days, and nothing that needs a date or the size of a borrowed figure.
    """
    where, parameters = request.where()
    if not shows_sizes(visit):
        return visit.genome.query(
            f"""
            select customer_id, {_MARKED_RISK} as risk, risk_rank, clv_band, value_rank, {request.selection.segment_sql} as segment,
                n_orders, total_spend, recency_days, playbook, recommended_action
            from customers where {where} order by {request.order()} limit ? offset ?
            """,
            [*parameters, rows, max(0, page - 1) * rows],
        )
    return visit.genome.query(
        f"""
        select customer_id, expected_value_loss, clv_180d, churn_probability,
            {_MARKED_RISK} as risk,
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
