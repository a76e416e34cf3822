"""The page Customers: find the ones that matter; a selected row leads to that customer.

The address holds filters, search, order and page, so any list can be shared.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from customer_genome.interfaces.dashboard.customer_list import (
    MOST_CSV_ROWS,
    PAGE_ROWS,
    SORTS,
    ListRequest,
    count_customers,
    list_as_csv,
    page_of_customers,
)
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, say_how_far_to_trust, shows_sizes
from customer_genome.interfaces.figures import count

CUSTOMER = "customer"


def show() -> None:
    """Show the list; an address that names a customer leads to that customer."""
    customer_id = st.query_params.get(CUSTOMER)
    if customer_id:
        st.switch_page("customer.py", query_params={CUSTOMER: customer_id})
    _show_list(visit(), chosen())


def _show_list(seen: Visit, selection: Selection) -> None:
    """Show search, order, one page of rows, and the download."""
    st.title("Customers", anchor=False)
    request = _request(seen, selection)
    found = count_customers(seen, request)
    words = request.selection.in_words(seen.money)
    st.markdown(
        aside(
            f"{count(found)} of {count(seen.manifest['customers'])} customers" + (f" · filter: {plain(words)}" if words else "")
        )
    )
    say_how_far_to_trust(seen)
    if found == 0:
        st.info("No customer fits. Shorten the search, or take a filter off in the side bar.")
        return
    page = _page_number(found)
    rows = page_of_customers(seen, request, page)
    picked = st.dataframe(
        rows,
        hide_index=True,
        height="content",
        placeholder="–",
        column_config=_columns(seen),
        on_select="rerun",
        selection_mode="single-row",
        key="customer_table",
        alt="Customers with facts, value, risk and what to do; select a row to open a customer.",
    )
    if picked["selection"]["rows"]:
        st.switch_page("customer.py", query_params={CUSTOMER: rows.column("customer_id")[picked["selection"]["rows"][0]].as_py()})
    _show_foot(seen, request, found)


def _request(seen: Visit, selection: Selection) -> ListRequest:
    """Show the controls of the list and return what they ask for."""
    playbooks = [row["playbook"] for row in seen.genome.table("playbooks").to_pylist() if row["customers"]]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        search = st.text_input(
            "Find a customer", placeholder="Part of a customer id", key="q", bind="query-params", type="search", width=240
        )
        playbook = st.selectbox(
            "Playbook", playbooks, index=None, placeholder="All playbooks", key="playbook", bind="query-params", width=240
        )
        risk = st.selectbox(
            "Risk", ["High", "Medium", "Low"], index=None, placeholder="All", key="risk", bind="query-params", width=140
        )
        sort = st.selectbox(
            "Order by",
            [name for name in SORTS if name != "Next order" or not is_of_totals(seen)],
            key="sort",
            bind="query-params",
            width=200,
            help="Highest, latest or soonest first.",
        )
    return ListRequest(selection, search or "", playbook or "", risk or "", sort)


def _page_number(found: int) -> int:
    """Return the page looked at; the control is shown only where there is more than one."""
    pages = -(-found // PAGE_ROWS)
    if pages < 2:
        return 1
    if st.session_state.get("page", 1) > pages:
        st.session_state["page"] = pages
    return int(st.pagination(pages, key="page", bind="query-params"))


def _columns(seen: Visit) -> dict[str, Any]:
    """Return names, units, formats and help of the list's columns."""
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    money = "%,.0f"
    number, text, date = st.column_config.NumberColumn, st.column_config.TextColumn, st.column_config.DateColumn
    return {
        "customer_id": text("Customer", pinned=True, help="Select the row to open this customer."),
        "segment": text("Segment", width=165),
        "n_orders": number("Orders", format="%,d", help="Orders so far."),
        "total_spend": number(f"Spent{unit}", format=money, help="Money of all orders so far."),
        "last_order_on": date("Last order", format="D MMM YYYY"),
        "clv_180d": number(
            f"Value, 180 d{unit}", format=money, help="Expected revenue over 180 days, discounted, times the margin."
        ),
        "churn_probability": number(
            f"Risk, {seen.horizon_days} d",
            format="percent",
            step=0.01,
            help=f"Probability of no order in {seen.horizon_days} days.",
        ),
        "risk": text("Band" if shows_sizes(seen) else "Risk", help="▲ High, ◆ Medium, ● Low."),
        "risk_rank": number("Riskier than", format="percent", step=0.01, help="The share of your customers with a lower risk."),
        "clv_band": text("Value", help="Band of value to come."),
        "value_rank": number(
            "Worth more than", format="percent", step=0.01, help="The share of your customers with less value to come."
        ),
        "recency_days": number("Quiet for, days", format="%,d", help="Days since the last order."),
        "expected_value_loss": number(f"At risk{unit}", format=money, help="Value times risk."),
        "next_order_on": date("Next order by", format="D MMM YYYY", help="An order is as likely as not by this day."),
        "playbook": text("Playbook", width=190),
        "recommended_action": text("What to do", width="large"),
    }


def _show_foot(seen: Visit, request: ListRequest, found: int) -> None:
    """Show the download and its bound."""
    st.download_button(
        "Download this list (CSV)",
        lambda: list_as_csv(seen, request),
        file_name="customers.csv",
        mime="text/csv",
        on_click="ignore",
        key="customers_csv",
    )
    if found > MOST_CSV_ROWS:
        st.markdown(
            aside(
                f"The file holds the first {count(MOST_CSV_ROWS)} customers; `genome export --output customers.csv` writes all."
            )
        )


show()
