"""The page Value at risk: where money is at stake, who stands there, and whom to contact within a budget.

The heat map filters the list: a click on a cell, or the two selections above it, which live in the address. The list of targets
is made from the same customers, by the rules of `genome targets`.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import pyarrow as pa
import streamlit as st

from customer_genome.errors import SettingsError
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import NARROW, Look, heading_of, untitled
from customer_genome.interfaces.dashboard.customer_list import ListRequest, page_of_customers, table_as_csv
from customer_genome.interfaces.dashboard.drawing import PAGE_FONT
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.readings import ask
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import say_how_far_to_trust, show_bands, shows_sizes
from customer_genome.interfaces.figures import count, quantity, share
from customer_genome.interfaces.overview import value_at_risk
from customer_genome.targeting import TargetList, TargetRequest, targets, terms_for

BANDS = ("High", "Medium", "Low")
ROWS_SHOWN, TARGETS_SHOWN = 25, 100
_TERMS = "target_terms"


def show() -> None:
    """Show the page."""
    seen, selection = visit(), chosen()
    st.title("Value at risk", anchor=False)
    words = selection.in_words(seen.money)
    st.markdown(
        aside(f"Filter: {plain(words)}" if words else "All customers. What a contact may save, and whom to contact first.")
    )
    if not shows_sizes(seen):
        say_how_far_to_trust(seen)
        show_bands(seen, selection)
        return
    cells = ask(seen, value_at_risk, selection)
    if not cells.num_rows:
        st.info("No customer fits these filters. Take one off in the side bar, or show all customers.")
        return
    _show_cards(seen, cells)
    left, right = st.columns([5, 4], gap="large")
    with left:
        _show_map(seen, cells)
    with right:
        value, risk = _bands()
        _show_cells(seen, cells)
    _show_list(seen, ListRequest(selection, value=value, risk=risk))
    _show_builder(seen, selection, value, risk)


def _show_cards(seen: Visit, cells: pa.Table) -> None:
    """Show what is at stake in four figures."""
    rows = cells.to_pylist()
    worth, loss = sum(row["clv"] or 0 for row in rows), sum(row["value_at_risk"] or 0 for row in rows)
    urgent = [row for row in rows if row["churn_band"] == "High" and row["clv_band"] in ("High", "Medium")]
    everybody = sum(row["customers"] for row in rows)
    cards = st.grid(4, min_column_width=148, gap="small")
    for label, value, note, meaning in (
        ("Expected value loss", seen.money(loss, short=True), f"{share(loss / worth if worth else None)} of the value", (
            "Value times risk, added up over these customers: what is at stake. It ranks customers for retention work and is no "
            "forecast of lost revenue, since the value already counts the chance that nothing more is bought.")),
        ("Value, 180 days", seen.money(worth, short=True), quantity(everybody, "customers"),
            "Expected revenue of these customers over the next 180 days, discounted, times the margin."),
        ("Worth it and at high risk", count(sum(row["customers"] for row in urgent)), "medium or high value",
            "Customers of medium or high value whose risk band is High."),
        ("Their value loss", seen.money(sum(row["value_at_risk"] or 0 for row in urgent), short=True), "value times risk",
            "Expected value loss of those customers alone."),
    ):  # fmt: skip
        cards.metric(
            label, money_in_markdown(value), money_in_markdown(note), help=meaning,
            delta_color="off", delta_arrow="off", border=True, height="stretch",
        )  # fmt: skip


def _show_map(seen: Visit, cells: pa.Table) -> None:
    """Show money at risk by band of value and risk; a click on a cell chooses it."""
    chart = charts.value_at_risk(cells, Look("page", seen.genome.currency, NARROW, seen.horizon_days))
    title, subtitle = heading_of(chart)
    st.markdown(f"**{plain(title)}**  \n:gray[{plain(subtitle)}. A click on a cell lists its customers.]")
    picture = untitled(chart)
    picture.width = "container"
    picture.config = {**picture.config, "font": PAGE_FONT}
    cell = alt.selection_point(name="cell", fields=["clv_band", "churn_band"])
    picture.layer[0] = picture.layer[0].add_params(cell)
    st.altair_chart(
        picture,
        width="stretch",
        theme=None,
        alt=str(chart.description),
        key="heat_map",
        on_select=_choose_cell,
        selection_mode="cell",
    )


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
            "segment": "Priority segment",
            "customers": number("Customers", format="%,d"),
            "clv": number(f"Value{unit}", format="%,.0f", help="Expected over 180 days."),
            "loss": number(f"At risk{unit}", format="%,.0f", help="Expected value loss: value times risk."),
        },
        alt="Priority segments with customers, value and value at risk.",
    )


def _show_list(seen: Visit, request: ListRequest) -> None:
    """Show the customers of the chosen cell with most at stake; a selected row opens the customer."""
    where = " · ".join(f"{band} {what}" for band, what in ((request.value, "value"), (request.risk, "risk")) if band)
    st.header("Who stands there", anchor=False, help="The customers of the chosen cell, the most at stake first.")
    rows = page_of_customers(seen, request, 1, ROWS_SHOWN)
    if not rows.num_rows:
        st.info(f"Nobody has {where.replace(' · ', ' and ')} among these customers. Choose another cell.")
        return
    st.markdown(aside(f"{plain(where) or 'All cells'} · the {count(rows.num_rows)} customers with most at stake"))
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    picked = st.dataframe(
        rows.select(
            ["customer_id", "expected_value_loss", "clv_180d", "churn_probability", "risk", "playbook", "recommended_action"]
        ),
        hide_index=True,
        height=318,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key="at_risk_table",
        column_config={
            "customer_id": text("Customer", pinned=True, help="Select the row to open this customer."),
            "expected_value_loss": number(f"At risk{unit}", format="%,.0f", help="Value times risk."),
            "clv_180d": number(f"Value, 180 d{unit}", format="%,.0f"),
            "churn_probability": number(f"Risk, {seen.horizon_days} d", format="percent", step=0.01),
            "risk": text("Band", help="▲ High, ◆ Medium, ● Low."),
            "playbook": text("Playbook", width=180),
            "recommended_action": text("What to do", width="large"),
        },
        alt="Customers with most value at risk; select a row to open a customer.",
    )
    if picked["selection"]["rows"]:
        st.switch_page("customer.py", query_params={"customer": rows["customer_id"][picked["selection"]["rows"][0]].as_py()})


def _show_builder(seen: Visit, selection: Selection, value: str, risk: str) -> None:
    """Show the form of a target list, and the list made from what it says."""
    st.header("Build a target list", anchor=False)
    st.markdown(
        aside(
            "From the customers above. Expected gain of a contact = expected value loss × assumed response − cost; only gains above 0 are "
            "listed, the highest first. The response is an assumption until a control group has measured it."
        )
    )
    names = [row["playbook"] for row in seen.genome.table("playbooks").to_pylist() if row["customers"]]
    unit = f" ({seen.genome.currency})" if seen.genome.currency else ""
    with st.form("target_form"):
        fields = st.grid(3, min_column_width=200, gap="small")
        playbook = fields.selectbox("Playbook", names, index=None, placeholder="All playbooks")
        cost = fields.number_input(f"Cost per contact{unit}", 0.0, None, 1.0, step=0.5, help="0 is allowed.")
        budget = fields.number_input(f"Budget{unit}", 0.0, None, None, step=100.0, placeholder="No limit")
        response = fields.number_input(
            "Assumed response, %", 0.1, 100.0, 5.0, step=1.0, help="Share of the value at risk that a contact keeps."
        )
        control = fields.number_input(
            "Control group, %",
            0.0,
            99.0,
            10.0,
            step=5.0,
            help="Share of the list that is not contacted, so that the effect can be measured.",
        )
        most = fields.number_input("Contacts, at most", 1, None, None, placeholder="No limit")
        if st.form_submit_button("Build the list", type="primary"):
            st.session_state[_TERMS] = {
                "playbook": playbook or "", "cost": cost, "budget": budget, "response": response / 100,
                "control_share": control / 100, "max_contacts": most,
            }  # fmt: skip
    asked = st.session_state.get(_TERMS)
    if asked:
        try:
            _show_targets(seen, _target_list(seen, selection, value, risk, dict(asked)))
        except SettingsError as err:
            st.warning(plain(err))


def _target_list(seen: Visit, selection: Selection, value: str, risk: str, asked: dict[str, Any]) -> TargetList:
    """Return the list of targets among the chosen customers."""
    playbook = asked.pop("playbook")
    condition, parameters = ListRequest(selection, value=value, risk=risk).where()
    request = TargetRequest(
        terms_for(seen.genome, playbook, (), **asked), playbook, condition=condition, parameters=tuple(parameters)
    )
    return targets(seen.genome, request)


def _show_targets(seen: Visit, found: TargetList) -> None:
    """Show a list of targets: what it costs and may bring, how it came about, how alike both groups are, and the file."""
    cards = st.grid(4, min_column_width=148, gap="small")
    money = {"cost": money_in_markdown(seen.money(found.cost)), "gain": money_in_markdown(seen.money(found.gain))}
    look: dict[str, Any] = {"delta_color": "off", "delta_arrow": "off", "border": True, "height": "stretch"}
    cards.metric("Contacts", count(found.n_contact), f"of {quantity(found.table.num_rows, 'customers')} listed", **look)
    cards.metric("Control group", count(found.n_control), "held out, not contacted", **look)
    cards.metric("Cost", money["cost"], f"{money_in_markdown(seen.money(found.terms.cost))} each", **look)
    cards.metric("Expected gain", money["gain"], f"if {100 * found.terms.response:g} % respond", **look)
    for notice in found.notices:
        st.info(plain(notice))
    if not found.table.num_rows:
        return
    st.download_button(
        "Download the list (CSV)", lambda: table_as_csv(found.table), file_name="targets.csv", mime="text/csv", on_click="ignore",
        key="targets_csv", type="primary",
    )  # fmt: skip
    if found.n_control:
        rate = share(found.expected_rate)
        st.markdown(
            aside(
                f"{rate} of the list are expected to order by themselves within {seen.horizon_days} days; a difference from "
                f"{100 * found.smallest_effect:.1f} percentage points on will be seen in four of five such tests."
            )
        )
    left, right = st.columns(2, gap="large")
    left.markdown("**How the list came about**")
    left.dataframe(
        pa.table({"Step": [words.capitalize() for words, _ in found.funnel], "Customers": [number for _, number in found.funnel]}),
        hide_index=True, height="content", column_config={"Customers": st.column_config.NumberColumn(format="%,d")},
    )  # fmt: skip
    if found.balance:
        right.markdown("**How alike both groups are**")
        right.dataframe(
            pa.table(
                {
                    "Mean of": [one.measure.capitalize() for one in found.balance],
                    "Contact": [one.contact for one in found.balance],
                    "Control": [one.control for one in found.balance],
                    "Apart": [one.difference for one in found.balance],
                }
            ),
            hide_index=True,
            height="content",
            column_config={
                "Contact": st.column_config.NumberColumn(format="%,.2f"),
                "Control": st.column_config.NumberColumn(format="%,.2f"),
                "Apart": st.column_config.NumberColumn(format="%+.3f", help="In standard deviations; below 0.1 counts as alike."),
            },
        )
    with st.expander(f"The first {count(min(TARGETS_SHOWN, found.table.num_rows))} of the list"):
        columns = ["rank", "customer_id", "group", "expected_gain", "expected_value_loss", "playbook", "recommended_action"]
        st.dataframe(found.table.slice(0, TARGETS_SHOWN).select(columns), hide_index=True)


show()
