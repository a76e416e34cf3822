"""The page of one customer: who they are, what they will do, how sure that is, what to do; then why, what if, and what they did.

The address names the customer: `/customer?customer=ID` (`?id=ID` does too). Every figure is a published column, an order, or an
answer of the models the version was scored with. A visitor for whom personal data are masked sees a pseudonym and no orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.answers.prospects import Month, Prospect, prospect_of
from customer_genome.errors import GenomeError, UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts.prospects import months_of
from customer_genome.interfaces.dashboard.alike import show_alike
from customer_genome.interfaces.dashboard.customer_facts import (
    show_all_facts,
    show_beside_segment,
    show_orders,
    show_timeline,
    show_totals,
)
from customer_genome.interfaces.dashboard.customer_head import (
    show_action,
    show_figures,
    show_head,
    show_how_sure,
    show_reasons_in_short,
)
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.list_place import show_neighbours
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.masking import id_behind
from customer_genome.interfaces.dashboard.recommended import show_recommended
from customer_genome.interfaces.dashboard.session import Visit, masked_id, visit, workspace_root
from customer_genome.interfaces.dashboard.totals import is_of_totals, say_how_far_to_trust, show_customer_figures
from customer_genome.interfaces.dashboard.why import show_why
from customer_genome.interfaces.views.figures import day, estimate, span
from customer_genome.workspace import Workspace

CUSTOMER, OPENED = "customer", "opened_customer"


def show() -> None:
    """Show the customer the address names, or the nearest ids when there is none."""
    seen = visit()
    named = st.query_params.get(CUSTOMER) or st.query_params.get("id") or ""
    top = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with top:
        st.page_link("customers.py", label="← All customers")
    if not named:
        st.title("Customer", anchor=False)
        st.info("Select a customer in the list to see everything about them here.")
        return
    st.session_state[OPENED] = named
    record = _record(seen, named)
    if record is None:
        return
    with top:
        wanted = show_neighbours(seen, record["customer_id"])
    if wanted is not None:
        st.switch_page("customer.py", query_params={CUSTOMER: masked_id(seen, wanted)})
    show_head(seen, record)
    if is_of_totals(seen):
        _show_known_by_totals(seen, record)
    else:
        _show_known_by_orders(seen, record)


def _record(seen: Visit, named: str) -> dict[str, Any] | None:
    """Return what is published of the customer the address names; where there is nobody, say so."""
    customer_id = id_behind(seen, named)
    try:
        if customer_id is not None:
            return seen.genome.customer(customer_id)
        st.title("Customer", anchor=False)
        st.warning(f"Nobody here is called {plain(named)}. Your role sees pseudonyms in place of ids: choose in the list.")
    except UnknownCustomerError as err:
        st.title("Customer", anchor=False)
        gone = " They were erased from this workspace, and nothing about them is kept." if _is_erased(named) else ""
        st.warning(plain(str(err)) + gone)
    return None


def _is_erased(customer_id: str) -> bool:
    """Return whether a customer was erased from the workspace; only a salted digest of them is kept."""
    salt, digests = Workspace(workspace_root()).forgotten()
    return bool(digests) and hashlib.sha256((salt + customer_id).encode()).hexdigest() in digests


def _show_known_by_totals(seen: Visit, record: dict[str, Any]) -> None:
    """Show a customer of a version made from totals."""
    say_how_far_to_trust(seen)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show_customer_figures(seen, record)
    with right:
        show_action(record)
        if record.get("reason_1"):
            show_reasons_in_short(record)
    show_beside_segment(seen, record)
    show_alike(seen, record)
    show_totals(seen, record)


def _show_known_by_orders(seen: Visit, record: dict[str, Any]) -> None:
    """Show a customer of a version made from orders."""
    prospect, fault = _prospect(seen, record["customer_id"])
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show_figures(seen, record, prospect)
        show_reasons_in_short(record)
    with right:
        show_action(record)
        show_how_sure(seen, record)
    show_why(seen, record)
    st.header("Orders so far, months to come", anchor=False)
    places = st.columns(2, gap="large") if not seen.masks else [st.container(), st.container()]
    with places[0]:
        if seen.masks:
            st.markdown(aside("Orders of one person are not shown to your role."))
        else:
            show_timeline(seen, record)
    with places[1]:
        _show_months(seen, prospect, fault)
    show_recommended(seen, record)
    show_beside_segment(seen, record)
    show_alike(seen, record)
    show_all_facts(seen, record)
    if not seen.masks:
        show_orders(seen, record)


def _prospect(seen: Visit, customer_id: str) -> tuple[Prospect | None, str]:
    """Return the months to come, or why they cannot be computed."""
    try:
        return months_to_come(seen.key, customer_id, seen.genome), ""
    except GenomeError as err:
        return None, str(err)


def _show_months(seen: Visit, prospect: Prospect | None, fault: str) -> None:
    """Show the value to come month by month with its range, and between which days the next order falls."""
    if prospect is None:
        st.info(plain(fault))
        return
    months = prospect.months
    draw(seen, lambda look: charts.value_path(months_of(months), look), name="value by month")
    st.markdown(aside(f"Next order, 80 %: {span(prospect.next_order_lower, prospect.next_order_upper)}."))
    with st.expander("Month by month"):
        st.dataframe(months_table(months, seen.genome.currency), hide_index=True, height="content")


@st.cache_data(max_entries=64, show_spinner=False)
def months_to_come(key: str, customer_id: str, _genome: Genome) -> Prospect:
    """Return a customer's months to come; kept per version and customer."""
    del key
    return prospect_of(_genome, _genome.customer(customer_id))


def months_table(months: Sequence[Month], currency: str) -> pa.Table:
    """Return the months as people read them."""
    return pa.table(
        {
            "Until": [day(month.ends_on) for month in months],
            "Orders": [f"{month.orders:.2f}" for month in months],
            "Revenue": [estimate(month.revenue, currency) for month in months],
            "Value so far": [estimate(month.value_so_far, currency) for month in months],
            "80 % from": [estimate(month.lower, currency) for month in months],
            "to": [estimate(month.upper, currency) for month in months],
        }
    )


show()
