"""Lists of recommendations inside pages: what a customer may buy again, what they may try next, and both in one order, with reasons."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.lists import has_lists, lists_of

TITLES = {"again": "Buy again", "new": "Try next", "all": "All items"}
MOST_LISTED = 8


def show_recommended(seen: Visit, record: dict[str, Any]) -> None:
    """Show what a customer may buy again, try next, and both in one order; nothing where the version has no lists."""
    if not has_lists(seen.genome):
        return
    found = lists_of(seen.genome, record["customer_id"], list(TITLES), MOST_LISTED)
    st.header("What to offer", anchor=False)
    if not any(found["lists"].values()):
        st.markdown(aside("No list was made for this customer: lists go to those who bought last, see the notices of the run."))
        return
    if found["is_cold"]:
        st.markdown(aside("Nothing is known of this customer's taste, so this is what is popular."))
    always = ("new",) if seen.genome.level == "ratings" else ("again", "new")  # nothing is rated twice
    views = [view for view in TITLES if found["lists"][view] or view in always]
    for place, view in zip(st.tabs([TITLES[view] for view in views]), views, strict=True):
        with place:
            show_list(found["lists"][view])
            if found["quality"].get(view):
                text = plain(found["quality"][view])
                st.markdown(aside(text[:1].upper() + text[1:] + "."))


def show_list(rows: list[dict[str, Any]]) -> None:
    """Show one list as a table."""
    if not rows:
        st.markdown(aside("Nothing: no item of this kind is still sold."))
        return
    table = pa.table(
        {"Product": [sentence(row["description"]) for row in rows], "Why": [sentence_of_reason(row) for row in rows]}
    )
    st.table(table, border="horizontal")  # its text wraps, so that no reason is cut off on a phone


def sentence_of_reason(row: dict[str, Any]) -> str:
    """Return the reason as it is shown, names of products in it as in the list."""
    reason: str = row["reason"]
    start = "goes with "
    return start + sentence(reason.removeprefix(start)) if reason.startswith(start) else reason


def sentence(text: str) -> str:
    """Return a name in capitals as people write it; other names stay.

    Examples
    --------
    >>> sentence("RED  RETROSPOT CUP"), sentence("iPad mini")
    ('Red retrospot cup', 'iPad mini')
    """
    joined = " ".join(text.split())
    return joined.capitalize() if joined.isupper() else joined
