"""The part of a customer's page that names the customers most like them; a selected row opens that customer.

Comes in: a visit and a customer's record. Goes out: a table. Not a page of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.errors import SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard.markup import aside
from customer_genome.interfaces.dashboard.session import Visit, masked_id
from customer_genome.interfaces.views.standing import worded
from customer_genome.neighbours import Neighbour, Neighbours

MOST_SHOWN = 8


@st.cache_resource(max_entries=2, show_spinner=False)
def _everybody(key: str, _genome: Genome) -> Neighbours | None:
    """Return the customers of a version ready to be compared, kept per version; None where there are too many."""
    del key
    try:
        return Neighbours.open(_genome)
    except SnapshotError:
        return None


def show_alike(seen: Visit, record: dict[str, Any]) -> None:
    """Show the customers most like this one, and what they have in common."""
    everybody = _everybody(seen.key, seen.genome)
    if everybody is None:
        return
    found = everybody.of(record["customer_id"], MOST_SHOWN)
    st.header(
        "Similar customers",
        anchor=False,
        help="Cosine between their facts, each measured from the average customer in its own spread: 1 = the same direction from "
        "average, 0 = nothing in common.",
    )
    if not found:
        st.markdown(
            aside("Nobody stands out as similar: this customer is average in every fact, or there is nobody to compare with.")
        )
        return
    rows = seen.genome.query(
        "select customer_id, segment_name, n_orders, total_spend, clv_180d, playbook from customers "
        "where list_contains(cast(? as varchar[]), customer_id)",
        [[one.customer_id for one in found]],
    ).to_pylist()
    known = {row["customer_id"]: row for row in rows}
    listed = [(one, known[one.customer_id]) for one in found if one.customer_id in known]
    picked = st.dataframe(
        _table(seen, listed),
        hide_index=True,
        height="content",
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key=f"alike_{masked_id(seen, record['customer_id'])}",
        column_config=_columns(seen.genome.level, f", {seen.genome.currency}" if seen.genome.currency else ""),
        alt="Customers most like this one; select a row to open a customer.",
    )
    if picked["selection"]["rows"]:
        st.switch_page(
            "customer.py", query_params={"customer": masked_id(seen, listed[picked["selection"]["rows"][0]][0].customer_id)}
        )


def _table(seen: Visit, listed: Sequence[tuple[Neighbour, Mapping[str, Any]]]) -> pa.Table:
    """Return similar customers with what was published about them, a row each."""
    published = (
        ("segment_name", pa.string()),
        ("n_orders", pa.float64()),
        ("total_spend", pa.float64()),
        ("clv_180d", pa.float64()),
        ("playbook", pa.string()),
    )
    found = pa.table(
        {
            "customer": [masked_id(seen, one.customer_id) for one, _ in listed],
            "similarity": [one.similarity for one, _ in listed],
            "shared": [one.words for one, _ in listed],
            **{name: pa.array([row[name] for _, row in listed], type_) for name, type_ in published},
        }
    )
    return found.select([name for name in found.column_names if found[name].null_count < found.num_rows])


def _columns(level: str, unit: str) -> dict[str, Any]:
    """Return names, formats and help of the table's columns."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "customer": text("Customer", pinned=True, help="Select the row to open this customer."),
        "similarity": number("Alike", format="%.2f"),
        "shared": text("In common", width="medium", help="What brings both together most."),
        "segment_name": "Segment",
        "n_orders": number(worded(level, "Orders"), format="%,d"),
        "total_spend": number(f"Spent{unit}", format="%,.0f"),
        "clv_180d": number(f"Value, 180 d{unit}", format="%,.0f"),
        "playbook": "Playbook",
    }
