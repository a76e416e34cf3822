"""The page Segments: who the customers of each segment are, what to do with them, and how far the segments can be relied on.

The method is chosen on the page and kept in the address; sizes, money and maps follow the filters of the side bar, personas are those
of all customers.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from customer_genome.comparison import Comparison, compare_with_previous
from customer_genome.errors import SnapshotError
from customer_genome.interfaces import changes, charts
from customer_genome.interfaces.charts import segments as drawings
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.readings import ask
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import knows
from customer_genome.interfaces.figures import count, quantity, share
from customer_genome.interfaces.segment_figures import (
    METHOD_MEANING,
    METHOD_WORDS,
    ByCluster,
    by_recency,
    by_value,
    effects,
    headline,
    methods,
    profiles,
    samples,
    sizes,
    steadiness,
    steady_sentence,
    tried,
)

FIGURES = ("silhouette", "stability", "wcss", "bic")


def show() -> None:
    """Show the page."""
    seen, selection = visit(), chosen()
    st.title("Segments", anchor=False)
    found = methods(seen.genome)
    if not found:
        st.info(
            f"{seen.genome.snapshot.version} was published without segments of several methods. Publish again and they are here:"
        )
        st.code(f"genome run --workspace {seen.genome.snapshot.folder.parent.parent}", language="bash")
        return
    words = {METHOD_WORDS[method]: method for method in found}
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    with left:
        wanted = st.selectbox(
            "Found by", list(words), key="found_by", bind="query-params", help="The first one names the segments everywhere else."
        )
    method = words[wanted]
    rows = profiles(seen.genome, method)
    with right:
        st.markdown(aside(f"{quantity(len(rows), 'segments')}. {wanted}: {METHOD_MEANING[method]}."))
    st.markdown(f"**{plain(headline(seen.genome, method))}**")
    _show_personas(seen, method, rows)
    _show_differences(seen, method)
    _show_money(seen, method, selection)
    _show_choice(seen, method)
    _show_migration(seen)
    _show_samples(seen, method, rows)


def _show_personas(seen: Visit, method: str, rows: list[dict[str, Any]]) -> None:
    """Show a card for every segment: who they are, their figures, what to do."""
    apart = effects(seen.genome, method)
    columns = st.columns(2, gap="medium")
    for place, row in enumerate(rows):
        with columns[place % 2], st.container(border=True):
            st.markdown(f"#### {row['letter']} · {plain(row['segment_name'])}")
            st.markdown(plain(row["persona"]))
            st.markdown(f"**What to do:** {plain(row['strategy'])}")
            st.markdown(_figures(seen, row))
            if apart.num_rows and len(rows) > 1:
                own = apart.filter(pc.equal(apart["cluster"], row["cluster"]))
                draw(seen, lambda look, own=own: drawings.segment_traits(own, look))  # type: ignore[misc]
            st.markdown(aside(f"Why this name: {plain(row['reason'])}"))


def _figures(seen: Visit, row: dict[str, Any]) -> str:
    """Return the figures of a card in one line."""
    parts = [f"{quantity(row['customers'], 'customers')} ({share(row['customer_share'])})"]
    if row["total_spend"] is not None:
        parts.append(f"{seen.money(row['total_spend'], short=True)} revenue")
    if row["clv_180d"] is not None:
        parts.append(f"{seen.money(row['clv_180d'], short=True)} value over 180 days")
    if row["churn_probability"] is not None:
        parts.append(f"{share(row['churn_probability'])} risk")
    return money_in_markdown(" · ".join(parts))


def _show_differences(seen: Visit, method: str) -> None:
    """Show what sets the segments apart, beside each other."""
    apart = effects(seen.genome, method)
    if not apart.num_rows:
        return
    st.header("What sets them apart", anchor=False)
    draw(seen, lambda look: drawings.segment_effects(apart, look))


def _show_money(seen: Visit, method: str, selection: Selection) -> None:
    """Show sizes, money and value per segment, and where the segments lie, for the customers chosen in the side bar."""
    choice = ByCluster.of(method, selection)
    parts = ask(seen, sizes, choice)
    st.header("Size, money and value", anchor=False)
    about = selection.in_words(seen.money)
    st.markdown(aside(f"Only {plain(about)}." if about else "All customers; the filters of the side bar apply here."))
    if not parts.num_rows:
        st.info("No customer fits these filters. Take one off in the side bar, or show all customers.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, lambda look: charts.segment_sizes(parts, look))
        draw(seen, lambda look: charts.segment_value(parts, look))
        if knows(seen, "n_orders", "recency_days"):
            draw(seen, lambda look: drawings.segments_by_recency(ask(seen, by_recency, choice), look))
    with right:
        draw(seen, lambda look: charts.segment_spend(parts, look))
        draw(seen, lambda look: charts.segment_risk(parts, look))
        if knows(seen, "total_spend", "clv_180d"):
            draw(seen, lambda look: drawings.segments_by_value(ask(seen, by_value, choice), look))
    with st.expander("The segments in figures"):
        _show_table(seen, parts)


def _show_table(seen: Visit, parts: pa.Table) -> None:
    """Show the segments as a table, and as a download."""
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number = st.column_config.NumberColumn
    shown: dict[str, Any] = {
        "segment": "Segment",
        "customers": number("Customers", format="%,d"),
        "customer_share": number("Share", format="percent", step=0.001),
        "revenue": number(f"Spent{unit}", format="%,.0f"),
        "clv": number(f"Value, 180 days{unit}", format="%,.0f"),
        "churn_probability": number(f"Risk, {seen.horizon_days} days", format="percent", step=0.01),
        "value_at_risk": number(f"At risk{unit}", format="%,.0f"),
    }
    st.dataframe(parts.select(list(shown)), hide_index=True, height="content", column_config=shown, placeholder="–")
    st.download_button(
        "Download (CSV)", table_as_csv(parts), file_name="segments.csv", mime="text/csv", on_click="ignore", key="method_csv"
    )


def _show_choice(seen: Visit, method: str) -> None:
    """Show how the number of segments was chosen, and how steady they are."""
    rows = steadiness(seen.genome)
    counts = tried(seen.genome)
    st.header("Why so many, and how steady", anchor=False)
    reason = next((row.get("reason") for row in rows if row["is_naming"]), "")
    if reason:
        st.markdown(plain(reason))
    for row in sorted(rows, key=lambda row: row["method"] != method):
        st.markdown(f"- {plain(steady_sentence(row))}")
    if counts.num_rows and len(set(counts["k"].to_pylist())) > 1:
        left, right = st.columns(2, gap="large")
        for place, figure in enumerate(FIGURES):
            with left if place % 2 == 0 else right:
                draw(seen, lambda look, figure=figure: drawings.cluster_counts(counts, figure, look))  # type: ignore[misc]
    st.markdown(
        aside(
            'Another number or method: `k = 6` and `method = "gmm"` under `[segments]` in genome.toml, or `genome run --clusters 6`; '
            "the facts that count are set by `features`. Figures are of an evenly spaced part of 2,000 customers."
        )
    )


@st.cache_data(max_entries=4, show_spinner="Comparing with the version before …")
def _compared(_seen: Visit, key: str) -> Comparison | None:
    """Return the comparison with the version before; None where there is none that can be read."""
    try:
        return compare_with_previous(_seen.genome, most=0)
    except SnapshotError:
        return None


def _show_migration(seen: Visit) -> None:
    """Show who moved from segment to segment since the version before."""
    st.header("Who moved since the version before", anchor=False)
    found = _compared(seen, seen.key)
    if found is None:
        st.markdown("There is no earlier version that can be read. Publish again and this shows who moved where.")
        return
    st.markdown(
        aside(
            f"Named segments, {plain(found.before.version)} to {plain(found.after.version)}. More on the page Changes. The letters of this chart are its own."
        )
    )
    draw(seen, lambda look: charts.migration(changes.flow_table(found), look, group="segment"))


def _show_samples(seen: Visit, method: str, rows: list[dict[str, Any]]) -> None:
    """Show some customers of a segment."""
    st.header("Some of them", anchor=False)
    names = {f"{row['letter']} · {row['segment_name']}": row["cluster"] for row in rows}
    wanted = st.selectbox("Segment to look into", list(names), key="look_into")
    found = samples(seen.genome, method, names[wanted])
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number = st.column_config.NumberColumn
    st.dataframe(
        found,
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            "customer_id": "Customer",
            "n_orders": number("Orders", format="%,d"),
            "total_spend": number(f"Spent{unit}", format="%,.2f"),
            "recency_days": number("Days of silence", format="%,d"),
            "mean_order_value": number(f"Per order{unit}", format="%,.2f"),
            "clv_180d": number(f"Value, 180 days{unit}", format="%,.0f"),
            "churn_probability": number(f"Risk, {seen.horizon_days} days", format="percent", step=0.01),
            "playbook": "Playbook",
        },
    )
    st.markdown(
        aside(f"{count(found.num_rows)} customers, drawn by the digest of their ids: the same ones every time, no favourites.")
    )


show()
