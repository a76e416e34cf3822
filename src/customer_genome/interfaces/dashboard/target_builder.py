"""The form of a target list and what came of it: whom to contact within a budget, who is left out and why, whom to hold out.

Comes in: a visit, and the condition that filters and the chosen cell set. Goes out: parts of the page Value at risk. The rules are those of
`genome targets`; the account of a list is kept for all visitors, its rows are made anew when somebody takes the file.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.answers.targeting import TargetList
from customer_genome.decisions.targeting import DEFAULT_CONTROL_SHARE, DEFAULT_RESPONSE
from customer_genome.errors import GenomeError, SettingsError, SourceError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.drawing import offer_table
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit, masked_id, workspace_root
from customer_genome.interfaces.dashboard.target_terms import (
    QUIET_DAYS,
    USUAL_COST,
    Asked,
    account_of,
    books_of,
    command_of,
    digest_of,
    left_out,
    list_of,
)
from customer_genome.interfaces.views.figures import count, quantity, share

MOST_MEGABYTES = 20
_ASKED, _FILE = "target_terms", "target_contacts"


@st.fragment
def show_builder(seen: Visit, condition: str, parameters: list[Any], *, is_part: bool) -> None:
    """Show the form, and the list made from what it says.

    Parameters
    ----------
    condition, parameters : which customers of the version the list is made from
    is_part : whether that leaves somebody out
    """
    st.header("Build a target list", anchor=False)
    st.markdown(
        aside(
            f"From {'the customers chosen above' if is_part else 'all customers'}. Expected gain of a contact = value at risk × assumed "
            "response − cost; only gains above 0 are listed, the highest first. The response is an assumption until a control group has measured it."
        )
    )
    names = [row["playbook"] for row in seen.genome.table("playbooks").to_pylist() if row["customers"]]
    playbook = st.selectbox(
        "Playbook", names, index=None, placeholder="All playbooks", key="target_playbook", width=420,
        help="Whose customers. Cost and response below start from what the playbook says, where it says something.",
    )  # fmt: skip
    _show_form(seen, playbook or "")
    asked: Asked | None = st.session_state.get(_ASKED)
    if asked is None:
        return
    file = st.session_state.get(_FILE)
    content = file.getvalue() if file is not None else b""
    if asked.contacts and digest_of(content) != asked.contacts:
        st.info("The file of past contacts is not there any more, or is another one. Build the list again.")
        return
    try:
        found, n_listed = _account(seen.key, asked, condition, tuple(parameters), seen.genome, content)
    except (SettingsError, SourceError) as err:
        st.warning(plain(err))
        return
    _show_account(seen, found, n_listed)
    if n_listed:
        _offer_list(seen, asked, condition, parameters, content)
        _show_groups(seen, found)
        _show_first_rows(seen, found, n_listed)
    _show_command(asked, is_part=is_part)


def _show_form(seen: Visit, playbook: str) -> None:
    """Show what can be asked for; the fields of cost and response belong to the playbook."""
    book = _books(playbook)
    unit = f" ({seen.genome.currency})" if seen.genome.currency else ""
    cost, response = getattr(book, "cost_per_contact", None), getattr(book, "response", None)
    with st.form("target_form"):
        fields = st.grid(3, min_column_width=200, gap="small")
        paid = fields.number_input(
            f"Cost per contact{unit}", 0.0, None, USUAL_COST if cost is None else float(cost), step=0.5, key=f"target_cost_{playbook}",
            help=("0 is allowed." if cost is None else "As the playbook says; 0 is allowed."),
        )  # fmt: skip
        budget = fields.number_input(
            f"Budget{unit}",
            0.0,
            None,
            None,
            step=100.0,
            placeholder="No limit",
            key="target_budget",
            help="Money for all contacts.",
        )
        most = fields.number_input("Contacts, at most", 1, None, None, placeholder="No limit", key="target_most")
        answered = fields.number_input(
            "Assumed response, %", 0.1, 100.0, 100 * (DEFAULT_RESPONSE if response is None else float(response)), step=1.0, format="%.1f",
            key=f"target_response_{playbook}",
            help="Share of the value at risk that a contact keeps. An assumption of yours, the same for everybody.",
        )  # fmt: skip
        control = fields.number_input(
            "Control group, %", 0.0, 99.0, 100 * DEFAULT_CONTROL_SHARE, step=5.0, format="%.0f", key="target_control",
            help="Share of the list that is not contacted, so that the effect can be measured.",
        )  # fmt: skip
        on = fields.date_input(
            "Day of the contact", None, format="YYYY-MM-DD", key="target_on",
            help="Past contacts are counted back from this day; by default the cutoff of the version.",
        )  # fmt: skip
        with st.expander("Leave out who was contacted lately"):
            file = st.file_uploader(
                "Past contacts (CSV)", type=["csv"], key=_FILE, max_upload_size=MOST_MEGABYTES,
                help="Columns customer_id and contacted_on (YYYY-MM-DD). It is read for this list and not stored.",
            )  # fmt: skip
            quiet = st.number_input(
                "Days without a contact before the next one", 1, None, QUIET_DAYS, key="target_quiet", width=320
            )
            st.markdown(aside("Whoever stands on the suppression list of the settings is left out always."))
        if st.form_submit_button("Build the list", type="primary"):
            st.session_state[_ASKED] = Asked(
                cost=float(paid), playbook=playbook, budget=budget, response=answered / 100, control_share=control / 100, max_contacts=most,
                contacts=digest_of(file.getvalue()) if file else "", contacts_name=file.name if file else "", quiet_days=int(quiet), on=on,
            )  # fmt: skip


def _books(playbook: str) -> Any:
    """Return a playbook of the workspace's file, None where there is none or the file has a fault (a run says which)."""
    try:
        return books_of(workspace_root()).get(playbook) if playbook else None
    except GenomeError:
        return None


@st.cache_data(max_entries=30, show_spinner="Choosing whom to contact")
def _account(
    key: str, asked: Asked, condition: str, parameters: tuple[Any, ...], _genome: Genome, _content: bytes
) -> tuple[TargetList, int]:
    """Return the account of a list with its first rows, and how many it lists."""
    del key
    found = list_of(_genome, asked, condition, parameters, _content)
    return account_of(found), found.table.num_rows


def _whole_list(genome: Genome, asked: Asked, condition: str, parameters: list[Any], content: bytes) -> bytes:
    """Return the whole list as CSV."""
    return table_as_csv(list_of(genome, asked, condition, parameters, content).table)


def _show_account(seen: Visit, found: TargetList, n_listed: int) -> None:
    """Show what a list costs and may bring."""
    show_cards(st.grid(4, min_column_width=148, gap="small"), (
        ("Contacts", count(found.n_contact), f"of {count(n_listed)} listed", "Customers to contact; the others listed are the control group."),
        ("Control group", count(found.n_control), "held out, not contacted",
            "Customers drawn at random who are not contacted, so that what the contacts bring can be measured."),
        ("Cost", seen.money(found.cost), f"{seen.money(found.terms.cost)} each", "Contacts times the cost of one."),
        ("Expected gain", seen.money(found.gain), f"if {100 * found.terms.response:g} % is kept",
            "Value at risk of the contacted × assumed response − cost, over 180 days. It says who comes first; it is no forecast of what will be earned."),
    ))  # fmt: skip
    for notice in found.notices:
        st.info(plain(notice))


def _offer_list(seen: Visit, asked: Asked, condition: str, parameters: list[Any], content: bytes) -> None:
    """Offer the whole list as a file, made when it is asked for."""
    if seen.masks:
        st.markdown(aside("The list names customers, so that only analysts can download it."))
        return
    st.download_button(
        "Download the list (CSV)",
        partial(_whole_list, seen.genome, asked, condition, list(parameters), content),
        file_name="targets.csv",
        mime="text/csv",
        on_click="ignore",
        key="targets_csv",
        type="primary",
    )


def _show_groups(seen: Visit, found: TargetList) -> None:
    """Show who is left out and why, and how alike both groups are."""
    if found.n_control:
        st.markdown(
            aside(
                f"{share(found.expected_rate)} of the list are expected to order by themselves within {seen.horizon_days} days; a difference from "
                f"{100 * found.smallest_effect:.1f} percentage points on will be seen in four of five such tests."
            )
        )
    left, right = st.columns(2, gap="large")
    number = st.column_config.NumberColumn
    with left:
        st.markdown("**Who is left out, and why**")
        steps = left_out(found.funnel)
        st.dataframe(
            steps,
            hide_index=True,
            height="content",
            column_config={
                "step": st.column_config.TextColumn("Step"),
                "customers": number("Left", format="%,d", width=70),
                "left_out": number("Left out", format="%,d", width=80),
            },
            placeholder="–",
        )
        offer_table(seen, steps, "Who is left out")
    if not found.balance:
        return
    with right:
        st.markdown("**How alike both groups are**")
        balance = pa.table(
            {
                "measure": [one.measure.capitalize() for one in found.balance],
                "contact": [one.contact for one in found.balance],
                "control": [one.control for one in found.balance],
                "apart": [one.difference for one in found.balance],
            }
        )
        st.dataframe(
            balance,
            hide_index=True,
            height="content",
            column_config={
                "measure": "Mean of",
                "contact": number("Contact", format="%,.2f"),
                "control": number("Control", format="%,.2f"),
                "apart": number("Apart", format="%+.3f", help="In standard deviations; below 0.1 counts as alike."),
            },
        )
        offer_table(seen, balance, "How alike both groups are")


def _show_first_rows(seen: Visit, found: TargetList, n_listed: int) -> None:
    """Show the first customers of the list."""
    with st.expander(f"The first {count(found.table.num_rows)} of {quantity(n_listed, 'customers')}"):
        rows = found.table.select(
            ["rank", "customer_id", "group", "expected_gain", "expected_value_loss", "playbook", "recommended_action"]
        )
        ids = pa.array([masked_id(seen, customer_id) for customer_id in rows["customer_id"].to_pylist()], pa.string())
        unit = f", {seen.genome.currency}" if seen.genome.currency else ""
        number = st.column_config.NumberColumn
        st.dataframe(
            rows.set_column(1, "customer_id", ids),
            hide_index=True,
            column_config={
                "rank": number("Rank", width=60),
                "customer_id": "Customer",
                "group": "Group",
                "expected_gain": number(f"Expected gain{unit}", format="%,.2f"),
                "expected_value_loss": number(f"At risk{unit}", format="%,.2f"),
                "playbook": "Playbook",
                "recommended_action": st.column_config.TextColumn("What to do", width="large"),
            },
        )


def _show_command(asked: Asked, *, is_part: bool) -> None:
    """Show the command that makes the same list."""
    with st.expander("The same on the command line"):
        st.code(command_of(asked, workspace_root()), language=None, wrap_lines=True)
        if is_part:
            st.markdown(
                aside("The command takes all customers of the version: it knows no filters of this page and no cell of the map.")
            )
