"""The page Customers: find the ones that matter; a selected row leads to that customer.

Comes in: the filters of the side bar, and search, playbook, risk, order, columns and page, which all live in the address, so that any list
can be shared. Goes out: one page of rows and, when asked for, the whole list as a file. No list is held in the session.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces.dashboard.customer_list import (
    BEST_FIRST,
    MOST_PLAIN_ROWS,
    PAGE_ROWS,
    ListRequest,
    count_customers,
    list_as_csv,
    list_as_zip,
    page_of_customers,
)
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.list_columns import ListColumn, columns_of, default_columns
from customer_genome.interfaces.dashboard.list_place import keep_place
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit, masked_id, visit
from customer_genome.interfaces.dashboard.totals import knows, say_how_far_to_trust
from customer_genome.interfaces.views.figures import count, day

CUSTOMER, OPENED = "customer", "opened_customer"
FIRST, TURNED = "Usual way", "The other way"
_TABLE = "customer_table"
_FORMATS: Mapping[str, str] = {"count": "%,d", "money": "%,.0f", "number": "%.1f", "share": "percent"}
_WIDTHS: Mapping[str, int] = {
    "segment": 190, "playbook": 160, "recommended_action": 420, "reason_1": 260, "risk": 92, "value_band": 92, "customer_id": 95,
    "n_orders": 75, "priority_segment": 190, "rfm_segment": 150,
}  # fmt: skip


def show() -> None:
    """Show the list; an address that names a customer leads to that customer."""
    customer_id = st.query_params.get(CUSTOMER)
    if customer_id and customer_id != st.session_state.get(OPENED):
        st.switch_page("customer.py", query_params={CUSTOMER: customer_id})
    if customer_id:  # the browser's way back from that customer still carries their id
        del st.query_params[CUSTOMER]
    _show_list(visit(), chosen())


def _show_list(seen: Visit, selection: Selection) -> None:
    """Show search, order, one page of rows, and the download."""
    st.title("Customers", anchor=False)
    say_how_far_to_trust(seen)
    columns = columns_of(seen, selection)
    request = _request(seen, selection, columns)
    found = count_customers(seen, request)
    _say_what_is_listed(seen, request, found)
    if found == 0:
        st.info("No customer fits. Shorten the search, or take a filter off here or in the side bar.")
        return
    page = _page_number(found)
    rows = page_of_customers(seen, request, page, n_customers=found)
    picked = st.dataframe(
        _shown(seen, rows),
        hide_index=True,
        height="content",
        placeholder="–",
        column_config=_looks(seen, columns),
        on_select=_order_by_column,
        selection_mode=["single-row", "single-column"],
        key=_TABLE,
        alt="Customers with facts, value, risk and what to do; select a row to open a customer, a column to order all by it.",
    )
    if picked["selection"]["rows"]:
        row = picked["selection"]["rows"][0]
        customer_id = rows.column("customer_id")[row].as_py()
        keep_place(seen, request, (page - 1) * PAGE_ROWS + row)
        st.switch_page("customer.py", query_params={CUSTOMER: masked_id(seen, customer_id)})
    _offer_file(seen, request, found)


def _request(seen: Visit, selection: Selection, columns: tuple[ListColumn, ...]) -> ListRequest:
    """Show the controls of the list and return what they ask for."""
    playbooks = [row["playbook"] for row in seen.genome.table("playbooks").to_pylist() if row["customers"]]
    orders = {column.title: column for column in columns if not (seen.masks and column.is_personal)}
    first = _first_order(seen, orders)
    titles = [first, *(title for title in orders if title != first)]
    search = None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if not seen.masks:
            search = st.text_input(
                "Find a customer", placeholder="Part of a customer id", key="q", bind="query-params", type="search", width=230
            )
        playbook = st.selectbox(
            "Playbook", playbooks, index=None, placeholder="All playbooks", key="playbook", bind="query-params", width=215
        )
        risk, value = None, None
        if knows(seen, "churn_band"):
            risk = st.selectbox(
                "Risk", ["High", "Medium", "Low"], index=None, placeholder="All", key="risk", bind="query-params", width=120
            )
        if knows(seen, "clv_band"):
            value = st.selectbox(
                "Value", ["High", "Medium", "Low"], index=None, placeholder="All", key="worth", bind="query-params", width=120
            )
        sort = st.selectbox(
            "Order by",
            titles,
            key="sort",
            bind="query-params",
            width=180,
            help="Orders all customers, not only those of this page. Selecting the head of a column does the same; once more turns it round.",
        )
        way = st.segmented_control(
            "Direction",
            [FIRST, TURNED],
            default=FIRST,
            required=True,
            format_func=lambda one: _direction(orders.get(sort), is_turned=one == TURNED),
            key="way",
            bind="query-params",
        )
        names = _chosen_columns(seen, columns)
    return ListRequest(selection, search or "", playbook or "", risk or "", sort, value or "", way == TURNED, tuple(names))


def _first_order(seen: Visit, orders: Mapping[str, ListColumn]) -> str:
    """Return what the list is ordered by unless the visitor chooses: value at risk, which ranks even where its size is not known."""
    if knows(seen, "expected_value_loss"):
        return BEST_FIRST
    return next((title for title in ("Spent", "Orders", "Visits") if title in orders), next(iter(orders), BEST_FIRST))


def _direction(column: ListColumn | None, *, is_turned: bool) -> str:
    """Return what stands first, in a word."""
    kind, rises = (column.kind, column.rises) if column else ("money", False)
    names = {"text": ("A to Z", "Z to A"), "date": ("Earliest", "Latest")}.get(kind, ("Lowest", "Highest"))
    return names[0] if rises != is_turned else names[1]


def _chosen_columns(seen: Visit, columns: tuple[ListColumn, ...]) -> list[str]:
    """Let the visitor choose columns; they stand in the order of choosing."""
    titles = {column.name: column.title for column in columns if column.name != "customer_id"}
    usual = default_columns(seen, columns)
    with st.popover("Columns", help="Choose what the table shows."):
        return st.multiselect(
            "Columns shown",
            list(titles),
            default=usual,
            format_func=lambda name: titles.get(name, name),
            key="columns",
            bind="query-params",
            placeholder="The usual columns",
        )


def _order_by_column() -> None:
    """Order by the column whose head was selected; the same one again turns the order round."""
    selected = st.session_state[_TABLE]["selection"]
    if selected["rows"]:
        return
    before = st.session_state.get(_CHOSEN)
    name = selected["columns"][0] if selected["columns"] else before
    titles = st.session_state.get(_TITLES, {})
    if name is None or name not in titles:
        return
    is_same = titles[name] == st.session_state.get("sort")
    st.session_state["sort"] = titles[name]
    st.session_state["way"] = TURNED if is_same and st.session_state.get("way") == FIRST else FIRST
    st.session_state[_CHOSEN] = name
    st.session_state["page"] = 1


_CHOSEN, _TITLES = "customer_table_column", "customer_table_titles"


def _say_what_is_listed(seen: Visit, request: ListRequest, found: int) -> None:
    """Say how many fit, of how many, as of when and in which money."""
    parts = [f"**{count(found)} of {count(seen.manifest['customers'])} customers**"]
    words = request.selection.in_words(seen.money)
    if words:
        parts.append(f"filter: {plain(words)}")
    parts.append(f"facts as of {day(_as_of(seen))}")
    if knows(seen, "total_spend") or knows(seen, "clv_180d"):
        parts.append(f"money in {seen.genome.currency or 'shop currency'}")
    if seen.masks:
        parts.append("ids are masked for your role")
    st.markdown(aside(" · ".join(parts)))


def _as_of(seen: Visit) -> dt.date:
    """Return the cutoff of the version."""
    return dt.date.fromisoformat(str(seen.manifest["as_of"])[:10])


def _page_number(found: int) -> int:
    """Return the page looked at; the control is shown only where there is more than one."""
    pages = -(-found // PAGE_ROWS)
    if pages < 2:
        return 1
    if st.session_state.get("page", 1) > pages:
        st.session_state["page"] = pages
    return int(st.pagination(pages, key="page", bind="query-params"))


def _shown(seen: Visit, rows: pa.Table) -> pa.Table:
    """Return the rows with ids as this visitor may see them."""
    if not seen.masks:
        return rows
    ids = [masked_id(seen, name) for name in rows.column("customer_id").to_pylist()]
    return rows.set_column(0, "customer_id", pa.array(ids, pa.string()))


def _looks(seen: Visit, columns: tuple[ListColumn, ...]) -> dict[str, Any]:
    """Return titles, units, formats and help of the list's columns, and keep their titles for the heads that are selected."""
    st.session_state[_TITLES] = {column.name: column.title for column in columns}
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    found: dict[str, Any] = {}
    for column in columns:
        width = _WIDTHS.get(column.name)
        if column.kind == "text":
            found[column.name] = st.column_config.TextColumn(
                column.title if column.name != "customer_id" else "Customer",
                width=width,
                help=column.meaning or None,
                pinned=column.name == "customer_id",
            )
        elif column.kind == "date":
            found[column.name] = st.column_config.DateColumn(column.title, format="D MMM YYYY", help=column.meaning)
        else:
            found[column.name] = st.column_config.NumberColumn(
                _titled(column, seen.horizon_days, unit),
                format=_FORMATS[column.kind],
                step=0.01 if column.kind == "share" else None,
                help=column.meaning,
                width=width,
            )
    return found


def _titled(column: ListColumn, horizon: int, unit: str) -> str:
    """Return the title of a column of numbers with its period and money."""
    period = {"clv_180d": ", 180 d", "churn_probability": f", {horizon} d"}.get(column.name, "")
    return f"{column.title}{period}{unit if column.kind == 'money' else ''}"


def _offer_file(seen: Visit, request: ListRequest, found: int) -> None:
    """Offer the whole list as a file, made when the button is pressed."""
    if seen.masks:
        return
    is_long = found > MOST_PLAIN_ROWS
    st.download_button(
        f"Download all {count(found)} (CSV{', zipped' if is_long else ''})" if found > 1 else "Download (CSV)",
        (lambda: list_as_zip(seen, request)) if is_long else (lambda: list_as_csv(seen, request)),
        file_name="customers.zip" if is_long else "customers.csv",
        mime="application/zip" if is_long else "text/csv",
        on_click="ignore",
        icon=":material/download:",
        help="Every customer that fits, with every column of `genome export`, in this order. The file is made when you press the button.",
        key="customers_csv",
    )


show()
