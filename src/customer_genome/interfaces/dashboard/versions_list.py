"""The versions of a workspace as a table: what each was made from, what was set otherwise, which one is current."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.running import show_version
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import quantity
from customer_genome.interfaces.views.run_history import PastRun, history
from customer_genome.workspace import Workspace


def show_versions(seen: Visit, place: Workspace) -> None:
    """Show the versions, the newest first; let the visitor look at another, or compare."""
    runs = history(place)
    shown = seen.genome.snapshot.version
    st.markdown(
        f"{quantity(len(runs), 'versions')} kept. What is published stays as it is; a new run adds a version and never changes one."
    )
    st.dataframe(
        _table(runs, shown),
        hide_index=True,
        height="content",
        column_config={
            "version": "Version",
            "mark": "",
            "published": st.column_config.DatetimeColumn("Published, UTC", format="D MMM YYYY, HH:mm"),
            "as_of": st.column_config.DateColumn("As of", format="D MMM YYYY", help="Nothing on or after this day is used."),
            "source": "Made from",
            "rows": st.column_config.NumberColumn("Rows", format="%,d", help="Rows of the input, those that do not count included."),
            "customers": st.column_config.NumberColumn("Customers", format="%,d"),
            "revenue": st.column_config.NumberColumn("Revenue", format="%,.0f", help="Money of all orders up to the day of the version, in the shop's currency."),
            "seconds": st.column_config.NumberColumn("Seconds", format="%.0f", help="What the run took, without writing the version."),
            "changes": st.column_config.TextColumn("Set otherwise than before", width="medium"),
        },
        alt=f"The {len(runs)} published versions, the newest first.",
    )  # fmt: skip
    with st.expander("What was set, models and notices of each version"):
        for run in runs:
            models = ", ".join(f"{kind.replace('_', ' ')} {version}" for kind, version in run.models.items()) or "none"
            changes = "".join(f"  \nSet otherwise than before: {plain(change)}" for change in run.changes)
            notices = "".join(f"  \n· {plain(notice)}" for notice in run.notices)
            st.markdown(f"**{plain(run.version)}**{changes}  \nModels: {plain(models)}{notices}")
    others = [run.version for run in runs if run.version != shown]
    if not others:
        st.markdown(aside("There is one version. The next run makes a second, and Changes compares the two."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.selectbox("Look at", others, key="look_at_version", width=180)
        if st.button(f"Show {wanted}", key="look_at"):
            show_version(str(wanted))
            st.rerun()
        older = [run.version for run in runs if run.version < shown]
        if older:
            st.page_link("changes.py", label=f"Compare {older[0]} with {shown}", icon=":material/compare_arrows:")
    deliveries = _deliveries(seen)
    if deliveries is not None and deliveries.num_rows > 1:
        st.subheader("Deliveries in this version", anchor=False)
        st.dataframe(
            deliveries,
            hide_index=True,
            height="content",
            column_config={
                "delivered_at": st.column_config.DatetimeColumn("Read, UTC", format="D MMM YYYY, HH:mm"),
                "label": "From",
                "rows_read": st.column_config.NumberColumn("Rows read", format="%,d"),
                "rows_added": st.column_config.NumberColumn("New rows", format="%,d"),
                "rows_seen": st.column_config.NumberColumn("Known rows", format="%,d"),
            },
        )


def _table(runs: list[PastRun], shown: str) -> pa.Table:
    """Return the versions as they are shown."""

    def mark(run: PastRun) -> str:
        marks = [*(["current"] if run.is_current else []), *(["on show"] if run.version == shown else [])]
        return ", ".join(marks)

    return pa.table(
        {
            "version": [run.version for run in runs],
            "mark": [mark(run) for run in runs],
            "published": pa.array([run.published_at.replace(tzinfo=None) for run in runs], pa.timestamp("s")),
            "as_of": [run.as_of for run in runs],
            "source": [run.source for run in runs],
            "rows": [run.rows for run in runs],
            "customers": [run.customers for run in runs],
            "revenue": [run.revenue for run in runs],
            "seconds": [run.seconds for run in runs],
            "changes": ["; ".join(run.changes) or "–" for run in runs],
        }
    )


def _deliveries(seen: Visit) -> pa.Table | None:
    """Return which rows came when; None where the version does not say."""
    if "deliveries" not in seen.genome.tables():
        return None
    return seen.genome.query("select delivered_at, label, rows_read, rows_added, rows_seen from deliveries order by delivery")
