"""The page Value at risk: where money is at stake, who stands there, and whom to contact within a budget.

The heat map filters the list: a click on a cell, or the two selections beside it, which live in the address. The list of targets
is made from the same customers, by the rules of `genome targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import altair as alt
import pyarrow as pa
import streamlit as st

from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.customer_list import ListRequest
from customer_genome.interfaces.dashboard.drawing import draw, offer_table
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.markup import RISK_MARKS, aside, plain
from customer_genome.interfaces.dashboard.readings import ask
from customer_genome.interfaces.dashboard.session import Visit, masked_id, visit
from customer_genome.interfaces.dashboard.target_builder import show_builder
from customer_genome.interfaces.dashboard.target_terms import bands_of
from customer_genome.interfaces.dashboard.totals import knows, say_how_far_to_trust, show_bands, shows_sizes
from customer_genome.interfaces.views.figures import count, quantity, share
from customer_genome.interfaces.views.overview import value_at_risk

BANDS = ("High", "Medium", "Low")
ROWS_SHOWN, FEW_ROWS, ROW_PIXELS = 25, 10, 35
NOBODY = "No customer fits these filters. Take one off in the side bar, or show all customers."


def show() -> None:
    """Show the page."""
    seen, selection = visit(), chosen()
    st.title("Value at risk", anchor=False)
    words = selection.in_words(seen.money)
    about = f"Filter: {plain(words)}. " if words else "All customers. "
    if not shows_sizes(seen):
        st.markdown(aside(f"{about}Who may leave, and whom to speak to first."))
        _show_without_sizes(seen, selection)
        return
    st.markdown(
        aside(
            f"{about}Value at risk (expected value loss) is what a customer may bring in the next 180 days, times the risk that they do not order in "
            f"{seen.horizon_days} days: it says where a contact may save most, and is no forecast of lost revenue."
        )
    )
    cells = ask(seen, value_at_risk, selection)
    if not cells.num_rows:
        st.info(NOBODY)
        return
    _show_cards(seen, cells)
    left, right = st.columns([5, 4], gap="large")
    with right:
        value, risk = _bands()
        _show_cells(seen, cells)
    with left:
        _show_map(seen, cells, value, risk)
    request = ListRequest(selection, value=value, risk=risk)
    _show_list(seen, request)
    condition, parameters = request.where()
    show_builder(seen, condition, parameters, is_part=not selection.is_everybody or bool(value or risk))


def _show_without_sizes(seen: Visit, selection: Selection) -> None:
    """Show bands and ranks where risk and value are not known in size: the map in customers, and who stands there."""
    say_how_far_to_trust(seen)
    if not knows(seen, "churn_probability", "clv_180d"):
        _say_what_is_missing(seen)
        return
    cells = ask(seen, bands_of, selection)
    if not cells.num_rows:
        st.info(NOBODY)
        return
    show_bands(seen, selection)
    left, right = st.columns([5, 4], gap="large")
    with right:
        value, risk = _bands()
        st.markdown(
            aside(
                "Bands and ranks hold, the size of value and risk does not; so there is no expected gain, and no list is built from it here. Order "
                "lines of this shop would teach it: `genome run orders.csv`."
            )
        )
    with left:
        draw(
            seen,
            lambda look: charts.customers_by_band(cells, look),
            cells,
            "Customers by value and risk",
            note=". Click a cell, or choose Value and Risk",
            selects=partial(_make_clickable, value=value, risk=risk),
        )
    _show_list(seen, ListRequest(selection, value=value, risk=risk))


def _say_what_is_missing(seen: Visit) -> None:
    """Say why nothing is at stake in money here, and where to look instead."""
    if knows(seen, "total_spend"):
        st.markdown(
            "Value at risk needs both value and risk. Who spent most so far, and what to do with them, stands in the list of customers."
        )
        st.page_link("customers.py", label="Customers →")
        return
    st.info(
        "This version holds no money, so nothing is at stake in money, and no list with an expected gain can be built. Order lines (customer, time, "
        "money) would give both: `genome run orders.csv`."
    )
    st.page_link("customers.py", label="Who they are, and how long they have been quiet →")


def _show_cards(seen: Visit, cells: pa.Table) -> None:
    """Show what is at stake in four figures."""
    rows = cells.to_pylist()
    worth, loss = sum(row["clv"] or 0 for row in rows), sum(row["value_at_risk"] or 0 for row in rows)
    urgent = [row for row in rows if row["churn_band"] == "High" and row["clv_band"] in ("High", "Medium")]
    everybody = sum(row["customers"] for row in rows)
    show_cards(st.grid(4, min_column_width=148, gap="small"), (
        ("Value at risk", seen.money(loss, short=True), f"{share(loss / worth if worth else None)} of the value", (
            "Value times risk (expected value loss), added up over these customers: what is at stake. It ranks customers for retention work and is no "
            "forecast of lost revenue, since the value already counts the chance that nothing more is bought.")),
        ("Value, 180 days", seen.money(worth, short=True), quantity(everybody, "customers"),
            "Expected revenue of these customers over the next 180 days, discounted, times the margin."),
        ("High risk, worth it", count(sum(row["customers"] for row in urgent)), "medium or high value",
            "Customers of medium or high value whose risk band is High."),
        ("Their value at risk", seen.money(sum(row["value_at_risk"] or 0 for row in urgent), short=True), "value times risk",
            "Value at risk of those customers alone."),
    ))  # fmt: skip


def _show_map(seen: Visit, cells: pa.Table, value: str, risk: str) -> None:
    """Show money at risk by band of value and risk; a click on a cell chooses it."""
    draw(
        seen,
        lambda look: charts.value_at_risk(cells, look),
        cells,
        "Value at risk by value and risk",
        note=". Click a cell, or choose Value and Risk",
        selects=partial(_make_clickable, value=value, risk=risk),
    )


def _make_clickable(picture: Any, *, value: str, risk: str) -> Mapping[str, Any]:
    """Make the cells of the map selectable, and mark the chosen ones with a frame."""
    cell = alt.selection_point(name="cell", fields=["clv_band", "churn_band"])
    picture.layer[0] = picture.layer[0].add_params(cell)
    tests = [f"datum.{name} == '{band}'" for name, band in (("clv_band", value), ("churn_band", risk)) if band]
    if tests:
        framed = " && ".join(tests)
        ink = picture.config["title"]["color"]
        picture.layer[0] = picture.layer[0].encode(
            stroke=alt.condition(framed, alt.value(ink), alt.value("transparent")), strokeWidth=alt.value(3)
        )
    return {"key": "heat_map", "on_select": _choose_cell, "selection_mode": "cell"}


def _choose_cell() -> None:
    """Take over the cell that was clicked; a click beside the cells takes the choice off."""
    picked = st.session_state["heat_map"]["selection"].get("cell", [])
    for name, band in (("value_band", "clv_band"), ("risk_band", "churn_band")):
        st.session_state[name] = picked[0].get(band) if picked else None


def _bands() -> tuple[str, str]:
    """Show the choice of a band of value and of risk, and return it; empty = all."""
    with st.container(horizontal=True, gap="small"):
        value = st.selectbox(
            "Value", BANDS, index=None, placeholder="All", key="value_band", bind="query-params", width=150,
            help="High: the fifth of customers with the highest expected value; Low: the lower half.",
        )  # fmt: skip
        risk = st.selectbox(
            "Risk", BANDS, index=None, placeholder="All", key="risk_band", bind="query-params", width=150,
            help="Probability of no order within the horizon. Low: below 40 %, High: from 70 %, or as set in genome.toml.",
        )  # fmt: skip
    return value or "", risk or ""


def _show_cells(seen: Visit, cells: pa.Table) -> None:
    """Show the nine priority segments in figures, the most at stake first."""
    rows = sorted(cells.to_pylist(), key=lambda row: -(row["value_at_risk"] or 0))
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    table = pa.table(
        {
            "segment": [f"{row['clv_band'] or 'Unknown'} value / {row['churn_band'] or 'Unknown'} risk" for row in rows],
            "loss": pa.array([row["value_at_risk"] for row in rows], pa.float64()),
            "customers": pa.array([row["customers"] for row in rows], pa.int64()),
            "clv": pa.array([row["clv"] for row in rows], pa.float64()),
        }
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={
            "segment": st.column_config.TextColumn("Priority segment", help="Band of value / band of risk."),
            "customers": number("Customers", format="%,d"),
            "clv": number(f"Value{unit}", format="%,.0f", help="Expected over 180 days."),
            "loss": number(f"At risk{unit}", format="%,.0f", help="Value times risk, also called expected value loss."),
        },
        alt="Priority segments with customers, value and value at risk.",
    )
    offer_table(seen, table, "Priority segments")


_MARKS = " ".join(f"when '{band}' then '{mark} {band}'" for band, (mark, _) in RISK_MARKS.items())


def _most_at_stake(seen: Visit, request: ListRequest) -> pa.Table:
    """Return the customers of the chosen cell with most at stake: with the size of it, or with ranks where no size is known."""
    where, parameters = request.where()
    figures = "expected_value_loss, clv_180d, churn_probability" if shows_sizes(seen) else "value_rank, risk_rank, total_spend"
    return seen.genome.query(
        f"select customer_id, {figures}, case churn_band {_MARKS} end as risk, playbook, recommended_action from customers where {where} "
        f"order by expected_value_loss desc nulls last, customer_id limit {ROWS_SHOWN}",
        parameters,
    )


def _show_list(seen: Visit, request: ListRequest) -> None:
    """Show the customers of the chosen cell with most at stake; a selected row opens the customer."""
    where = " · ".join(f"{band} {what}" for band, what in ((request.value, "value"), (request.risk, "risk")) if band)
    st.header("Who stands there", anchor=False, help="The customers of the chosen cell, the most at stake first.")
    rows = _most_at_stake(seen, request)
    if not rows.num_rows:
        st.info(f"Nobody has {where.replace(' · ', ' and ')} among these customers. Choose another cell.")
        return
    ids = rows["customer_id"].to_pylist()
    shown = rows.set_column(0, "customer_id", pa.array([masked_id(seen, one) for one in ids], pa.string()))
    st.markdown(
        aside(
            f"{plain(where) or 'All cells'} · the {quantity(rows.num_rows, 'customers')} with most at stake; select one to open it"
        )
    )
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    picked = st.dataframe(
        shown,
        hide_index=True,
        height=(FEW_ROWS + 1) * ROW_PIXELS + 2 if rows.num_rows > FEW_ROWS else "content",
        row_height=ROW_PIXELS,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key="at_risk_table",
        column_config={
            "customer_id": text("Customer", help="Select the row to open this customer."),
            "expected_value_loss": number(f"At risk{unit}", format="%,.0f", help="Value times risk."),
            "clv_180d": number(
                f"Value, 180 d{unit}", format="%,.0f", help="Expected revenue over 180 days, discounted, times the margin."
            ),
            "churn_probability": number(
                f"Risk, {seen.horizon_days} d",
                format="percent",
                step=0.01,
                help=f"Probability of no order in {seen.horizon_days} days.",
            ),
            "value_rank": number(
                "Worth more than", format="percent", step=0.01, help="The share of your customers with less value to come."
            ),
            "risk_rank": number(
                "Riskier than", format="percent", step=0.01, help="The share of your customers with a lower risk."
            ),
            "total_spend": number(f"Spent{unit}", format="%,.0f", help="Money of all orders so far."),
            "risk": text("Band", help="▲ High, ◆ Medium, ● Low."),
            "playbook": text("Playbook", width=180),
            "recommended_action": text("What to do", width=420),
        },
        alt="Customers with most value at risk; select a row to open a customer.",
    )
    offer_table(seen, rows, f"Most at stake {where}", names_customers=True)
    if picked["selection"]["rows"]:
        st.switch_page("customer.py", query_params={"customer": masked_id(seen, ids[picked["selection"]["rows"][0]])})


show()
