"""The page About: what this is, how to read each number, and what was done with the data."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from customer_genome.interfaces.dashboard.ledger_table import show_ledger
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, show_definitions
from customer_genome.interfaces.figures import count, day


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("About", anchor=False)
    st.markdown(
        "Customer Genome reads a shop's order lines, keeps account of every row, and says for each customer what they did, "
        "what to expect of them, how sure that is, and what to do next. "
        "Every number here was computed from your own data, on your own machine, and published as one version; "
        "this dashboard only reads it."
    )
    left, right = st.columns([5, 7], gap="large")
    with left:
        st.header("How to read the numbers", anchor=False)
        if is_of_totals(seen):
            show_definitions(seen)
        else:
            _show_definitions(seen)
    with right:
        st.header("Where every input row went", anchor=False)
        show_ledger(seen)
        _show_refunds(seen)
    _show_models(seen)
    _show_version(seen)


def _show_definitions(seen: Visit) -> None:
    """Show what each word means, with this version's horizon, discount and margin."""
    horizon = seen.horizon_days
    prediction = seen.manifest.get("settings", {}).get("prediction", {})
    discount, margin = float(prediction.get("annual_discount", 0.1)), float(prediction.get("margin", 1.0))
    as_of = dt.date.fromisoformat(seen.manifest["as_of"])
    for word, meaning in (
        ("Order", "One customer and one order id, placed at its earliest line; without order ids, one customer and one time."),
        ("As of", f"The cutoff, {day(as_of)}. Nothing on or after that day is known here; recency is counted back from it."),
        (
            f"Risk (no order in {horizon} days)",
            f"The probability that a customer places no order in the {horizon} days from the cutoff. ● Low, ◆ Medium and ▲ High "
            "are fixed bands of it, the same in every shop and month unless you set your own.",
        ),
        (
            "Value over 180 days",
            f"Revenue expected of a customer in the next 180 days, discounted by {100 * discount:g} % a year, times a margin of "
            f"{margin:g}. The range beside it holds what really happens with a probability of 80 %, if the models hold.",
        ),
        (
            "Value at risk",
            "Value times risk. It says where retention work pays first. It is not lost revenue: the value already counts the "
            "chance that a customer buys nothing more.",
        ),
        ("Next order by", "The day by which an order is as likely as not; empty where that point is never reached."),
        ("Confidence", "1 minus the risk: how likely the customer orders again. It is no measure of how well the models fit."),
        (
            "Segments",
            "Groups of customers who behave alike, named by what they do. Recency, frequency and money give a second grouping; "
            "the side bar switches between them.",
        ),
        ("Playbook", "What to do with one kind of customer, given by rules you can read and change in playbooks.toml."),
        ("Country", "The country a customer spends most in. All their spend counts there."),
    ):
        st.markdown(f"**{word}**  \n{meaning}")


def _show_refunds(seen: Visit) -> None:
    """Show the refund policy and what it does to revenue."""
    refunds = seen.manifest.get("refunds", {})
    if not refunds:
        return
    meaning = {
        "drop": "Returns are left out, and purchases count in full.",
        "net": "A return reduces the customer's earlier purchases of that product, the newest first.",
    }
    under = ", ".join(
        f"{money_in_markdown(seen.money(refunds[f'revenue_under_{policy}']))} under **{policy}**"
        for policy in ("drop", "net")
        if f"revenue_under_{policy}" in refunds
    )
    st.markdown(f"**Refund policy: {plain(refunds['policy'])}**  \n{meaning.get(refunds['policy'], '')} Revenue: {under}.")
    st.markdown(
        aside(
            f"{count(refunds['unmatched_lines'])} of {count(refunds['returned_lines'])} returned lines match no earlier purchase in full."
        )
    )


def _show_models(seen: Visit) -> None:
    """Show what the fits say about themselves, and what the run noticed."""
    fit, notices = seen.manifest.get("fit", []), seen.manifest.get("notices", [])
    if fit:
        st.header("How the models were fitted", anchor=False)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in fit))
    if notices:
        st.header("What the run noticed", anchor=False)
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in notices))


def _show_version(seen: Visit) -> None:
    """Show which version this is and what it was made from."""
    st.header("This version", anchor=False)
    created = str(seen.manifest.get("created_at", ""))[:16].replace("T", " ")
    sources = ", ".join(plain(source["label"]) for source in seen.manifest.get("sources", {}).values())
    st.markdown(
        f"{plain(seen.genome.snapshot.version)}, published {plain(created)} UTC by Customer Genome "
        f"{plain(seen.manifest.get('product_version', ''))} from {sources or 'its sources'}."
    )


show()
