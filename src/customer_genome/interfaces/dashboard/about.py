"""The page About: what this is, which page answers what, how to read each number, how sure it is, and what it was made from."""

from __future__ import annotations

import datetime as dt

import streamlit as st

from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.key_figures import how_sure
from customer_genome.interfaces.dashboard.ledger_table import show_ledger
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.meanings import CERTAINTY, GROUPS, NUMBERS, QUESTIONS, Words, expectations, facts
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, read_as, show_definitions
from customer_genome.interfaces.views.figures import count, day


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("About", anchor=False)
    st.markdown(
        "Customer Genome reads what a shop's customers bought, keeps account of every row, and says for each customer what they did, "
        "what to expect of them, how sure that is, and what to do next. Every number was computed from your own data, on your own machine, "
        "and published as one version; this dashboard only reads it."
    )
    _show_version(seen)
    left, right = st.columns(2, gap="large")
    with left:
        _show_questions()
    with right:
        _show_certainty(seen)
    _show_meanings(seen)
    left, right = st.columns([7, 5], gap="large")
    with left:
        st.header("Where every input row went", anchor=False)
        show_ledger(seen)
    with right:
        _show_refunds(seen)
    _show_models(seen)


def _show_version(seen: Visit) -> None:
    """Show which version this is, what it was made from, and from when to when it speaks."""
    manifest = seen.manifest
    as_of = dt.date.fromisoformat(manifest["as_of"])
    created = str(manifest.get("created_at", ""))[:16].replace("T", " ")
    kept = manifest.get("ledger", {}).get("kept", {}).get("rows")
    sources = ", ".join(plain(source["label"]) for source in manifest.get("sources", {}).values())
    show_cards(st.grid(4, min_column_width=148, gap="small"), (
        ("As of", day(as_of), _reach(seen), "The cutoff: everything before this day is used, nothing from it on."),
        (
            "Horizon",
            f"{seen.horizon_days} days",
            f"to {day(as_of + dt.timedelta(days=seen.horizon_days - 1))}",
            "The days from the cutoff that risk and expected orders reach.",
        ),
        ("Rows read", count(manifest.get("rows_read")), f"{count(kept)} kept", "Rows of the input; the ledger below adds up to them."),
        ("Customers", count(manifest.get("customers")), f"version {seen.genome.snapshot.version}", "Customers of this version, whatever the filters say."),
    ))  # fmt: skip
    st.markdown(
        aside(
            f"{plain(seen.genome.snapshot.version)}, published {plain(created)} UTC by Customer Genome "
            f"{plain(manifest.get('product_version', ''))} from {sources or 'its sources'}."
        )
    )


def _reach(seen: Visit) -> str:
    """Return from when on orders are known."""
    if is_of_totals(seen):
        return read_as(seen)
    first = seen.genome.query("select min(first_order_on) as first_day from customers").column("first_day")[0].as_py()
    return f"orders from {day(first)}"


def _show_questions() -> None:
    """Show which page answers what."""
    st.header("Where to look", anchor=False)
    for question, name, page in QUESTIONS:
        with st.container(gap=None):
            st.markdown(question)
            st.page_link(page, label=f"{name} →")


def _show_certainty(seen: Visit) -> None:
    """Show how far numbers can be trusted: what was measured, then what the words mean."""
    st.header("How sure is this?", anchor=False)
    measured = "" if is_of_totals(seen) else how_sure(seen, Selection())
    if measured:
        st.markdown(f"**Measured on these data**  \n{plain(measured[:1].upper() + measured[1:])}")
    _say(CERTAINTY)
    st.page_link("quality.py", label="Model quality →")


def _show_meanings(seen: Visit) -> None:
    """Show what each word means."""
    st.header("How to read the numbers", anchor=False)
    left, right = st.columns(2, gap="large")
    if is_of_totals(seen):
        with left:
            show_definitions(seen)
        with right:
            _say(NUMBERS)
        return
    with left:
        _say((*facts(seen), *NUMBERS))
    with right:
        _say((*expectations(seen), *GROUPS))


def _say(words: Words) -> None:
    """Write words with what they mean."""
    for word, meaning in words:
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
        with st.expander("How the models were fitted", expanded=is_of_totals(seen)):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in fit))
    if notices:
        with st.expander(f"What the run noticed ({len(notices)})"):
            st.markdown("\n".join(f"- {plain(sentence)}" for sentence in notices))


show()
