"""The list of customers: searched, filtered, sorted and paged in SQL, so that a million rows cost no more than a page.

Comes in: a selection and what the visitor asked for. Goes out: one page of rows, the number of all that fit, the customers next to one
in the list, or the whole list as a file, written a batch at a time. Columns and orders come from `list_columns`; everything else
travels as parameters.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import streamlit as st

from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.list_columns import ListColumn, columns_of, default_columns
from customer_genome.interfaces.dashboard.session import Visit

PAGE_ROWS = 25
BATCH_ROWS = 10_000
MOST_PLAIN_ROWS = 100_000
"""Longer lists come as a ZIP file that holds the CSV file: a tenth of the size."""
BEST_FIRST = "Value at risk"


@dataclass(frozen=True)
class ListRequest:
    """Which customers to list, and how.

    Attributes
    ----------
    sort : title of the column the list is ordered by; one the version does not have means by value at risk
    is_turned : whether the order is the other way round
    columns : names of the columns wanted beside the id; empty means the usual ones
    """

    selection: Selection = field(default_factory=Selection)
    search: str = ""
    playbook: str = ""
    risk: str = ""
    sort: str = BEST_FIRST
    value: str = ""
    is_turned: bool = False
    columns: tuple[str, ...] = ()

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


_BY_LOSS = ListColumn("expected_value_loss", BEST_FIRST, "expected_value_loss", "expected_value_loss", "money")
"""The order that is always there: where a version cannot say the size of a loss, it still ranks by it."""


def order_of(request: ListRequest, columns: tuple[ListColumn, ...]) -> ListColumn:
    """Return the column a list is ordered by."""
    return next((column for column in columns if column.title == request.sort), _BY_LOSS)


def count_customers(visit: Visit, request: ListRequest) -> int:
    """Return how many customers fit."""
    where, parameters = request.where()
    return int(visit.genome.query(f"select count(*) as n from customers where {where}", parameters).column("n")[0].as_py())


def page_of_customers(
    visit: Visit, request: ListRequest, page: int, rows: int = PAGE_ROWS, n_customers: int | None = None
) -> pa.Table:
    """Return one page of the list: customer_id and the columns asked for, by default the usual ones.

    Only ids and what orders them are sorted; the rest is read for the rows of the page alone. A page of the second half is sought from
    the end, which costs as little as one of the first.

    Parameters
    ----------
    page : int, from 1
    n_customers : how many customers fit, where that is known
    """
    columns = columns_of(visit, request.selection)
    order = order_of(request, columns)
    names = request.columns or tuple(default_columns(visit, columns))
    by_name = {column.name: column for column in columns}
    shown = ", ".join(f'{by_name[name].sql} as "{name}"' for name in dict.fromkeys(("customer_id", *names)) if name in by_name)
    where, parameters = request.where()
    n = count_customers(visit, request) if n_customers is None else n_customers
    first = max(0, page - 1) * rows
    wanted = max(0, min(rows, n - first))
    is_late = first > n // 2
    offset = max(0, n - first - wanted) if is_late else first
    return visit.genome.query(
        f"""
        with page as (
            select customer_id from customers where {where}
            order by {order.order_sql(is_turned=request.is_turned, is_backwards=is_late)} limit ? offset ?
        )
        select {shown} from customers where customer_id in (select customer_id from page)
        order by {order.order_sql(is_turned=request.is_turned)}
        """,
        [*parameters, wanted, offset],
    )


def neighbours_in_list(visit: Visit, request: ListRequest, place: int) -> dict[int, str]:
    """Return the ids at a place of the list and on both sides of it, by place (0 = first); those that are there."""
    order = order_of(request, columns_of(visit, request.selection))
    where, parameters = request.where()
    first = max(0, place - 1)
    rows = visit.genome.query(
        f"select customer_id from customers where {where} order by {order.order_sql(is_turned=request.is_turned)} limit ? offset ?",
        [*parameters, place + 2 - first, first],
    )
    return dict(enumerate(rows.column(0).to_pylist(), start=first))


def list_as_csv(visit: Visit, request: ListRequest) -> bytes:
    """Return the whole list under the export names of the documentation, in the list's order."""
    buffer = io.BytesIO()
    _write(visit, request, buffer)
    return buffer.getvalue()


def list_as_zip(visit: Visit, request: ListRequest) -> bytes:
    """Return the same file inside a ZIP file, so that a million customers never stand in memory as text."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open("customers.csv", "w", force_zip64=True) as file,
    ):
        _write(visit, request, file)
    return buffer.getvalue()


def _write(visit: Visit, request: ListRequest, file: IO[bytes]) -> None:
    """Write the list as CSV, a batch at a time."""
    columns = ", ".join(f'{source} as "{name}"' for name, source in visit.genome.export_columns())
    order = order_of(request, columns_of(visit, request.selection)).order_sql(is_turned=request.is_turned)
    where, parameters = request.where()
    found = visit.genome.batches(f"select {columns} from customers where {where} order by {order}", parameters, BATCH_ROWS)
    with pa_csv.CSVWriter(file, found.schema) as writer:
        for batch in found:
            writer.write_batch(batch)


def offer_csv(label: str, rows: pa.Table, file_name: str, key: str) -> None:
    """Show a button that gives a table as CSV, made when it is pressed."""
    st.download_button(label, partial(table_as_csv, rows), file_name=file_name, mime="text/csv", on_click="ignore", key=key)


def table_as_csv(rows: pa.Table) -> bytes:
    """Return a table as CSV."""
    buffer = io.BytesIO()
    pa_csv.write_csv(rows, buffer)
    return buffer.getvalue()
