"""Where a visitor stands in a list of customers, so that the page of one customer can lead to the next one.

Comes in: a list's request and a place in it. Goes out: the ids before and after. Only the request is remembered, never the list.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from customer_genome.interfaces.dashboard.customer_list import ListRequest, neighbours_in_list
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import count

_PLACE = "list_place"


@dataclass(frozen=True)
class ListPlace:
    """A place in a list: 0 is the first customer."""

    key: str
    request: ListRequest
    place: int


def keep_place(seen: Visit, request: ListRequest, place: int) -> None:
    """Remember from which place of which list a customer is opened."""
    st.session_state[_PLACE] = ListPlace(seen.key, request, place)


def show_neighbours(seen: Visit, customer_id: str) -> str | None:
    """Show buttons to the customers before and after in the list this one was opened from; return the id that was asked for.

    Nothing is shown where the customer was not opened from a list, or stands elsewhere in it by now.
    """
    kept: ListPlace | None = st.session_state.get(_PLACE)
    if kept is None or kept.key != seen.key:
        return None
    near = neighbours_in_list(seen, kept.request, kept.place)
    if near.get(kept.place) != customer_id:
        return None
    wanted = None
    for step, label, icon in ((-1, "Previous", ":material/arrow_back:"), (1, "Next", ":material/arrow_forward:")):
        place = kept.place + step
        if st.button(
            label,
            icon=icon,
            icon_position="right" if step > 0 else "left",
            type="tertiary",
            disabled=place not in near,
            key=f"list_{label.lower()}",
            help=f"Number {count(place + 1)} of the list you came from" if place in near else "The list ends here",
        ):
            keep_place(seen, kept.request, place)
            wanted = near[place]
    return wanted
