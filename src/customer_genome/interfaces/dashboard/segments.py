"""The page Segments: who the customers of each segment are, what to do with them, and how far the segments can be relied on.

The method is chosen on the page and kept in the address; sizes, money and maps follow the filters of the side bar, personas are those
of all customers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from customer_genome.answers.comparison import Comparison, compare_with_previous
from customer_genome.errors import SnapshotError
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import segments as drawings
from customer_genome.interfaces.dashboard.customer_list import offer_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.readings import ask
from customer_genome.interfaces.dashboard.running import offer_run
from customer_genome.interfaces.dashboard.session import Visit, masked_id, visit
from customer_genome.interfaces.dashboard.totals import knows, knows_risk, shows_sizes
from customer_genome.interfaces.views import changes
from customer_genome.interfaces.views.figures import count, quantity, share
from customer_genome.interfaces.views.segment_figures import (
    METHOD_MEANING,
    METHOD_WORDS,
    ByCluster,
    by_recency,
    by_value,
    effects,
    headline,
    methods,
    profiles,
    readings,
    samples,
    sizes,
    spread,
    steadiness,
    steady_sentence,
    tried,
)

FIGURES = ("silhouette", "stability", "wcss", "bic")
MOST_COMPARED = 4
CLUSTERS_ALLOWED = (2, 20)


def show() -> None:
    """Show the page."""
    seen, selection = visit(), chosen()
    st.title("Segments", anchor=False)
    found = methods(seen.genome)
    if not found:
        st.info(
            f"{seen.genome.snapshot.version} was published without segments of several methods. Publish again and they are here:"
        )
        st.code(f"genome run --workspace {seen.genome.snapshot.folder.parent.parent}", language=None, wrap_lines=True)
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
    _show_differences(seen, method, rows)
    _show_money(seen, method, selection)
    _show_choice(seen, method, len(rows))
    _show_migration(seen)
    _show_samples(seen, method, rows)


def _show_personas(seen: Visit, method: str, rows: list[dict[str, Any]]) -> None:
    """Show a card for every segment: who they are, their figures, what to do, and what sets them apart."""
    st.header(
        "Who they are, and what to do", anchor=False, help="Of all customers; the filters of the side bar do not apply here."
    )
    sizes_told = f" · value over 180 days · risk of no order in {seen.horizon_days} days" if shows_sizes(seen) else ""
    spend_told = " · revenue so far" if knows(seen, "total_spend") else ""
    st.markdown(aside(f"All customers{spend_told}{sizes_told}"))
    apart = effects(seen.genome, method)
    for row in rows:
        with st.container(border=True):
            st.markdown(f"### {row['letter']} · {plain(row['segment_name'])}")
            left, right = st.columns([3, 2], gap="large")
            with left:
                st.markdown(f"**{_figures(seen, row)}**")
                st.markdown(plain(row["persona"]))
                st.markdown(f"**What to do:** {plain(row['strategy'])}")
                st.markdown(aside(f"Why this name: {plain(row['reason'])}"))
            if apart.num_rows and len(rows) > 1:
                own = apart.filter(pc.equal(apart["cluster"], row["cluster"]))
                with right:
                    draw(seen, partial(drawings.segment_traits, own), own, f"traits of {row['letter']}")


def _figures(seen: Visit, row: dict[str, Any]) -> str:
    """Return the figures of a card in one line."""
    parts = [f"{quantity(row['customers'], 'customers')} ({share(row['customer_share'])})"]
    if row["total_spend"] is not None:
        parts.append(f"{seen.money(row['total_spend'], short=True)} revenue")
    if row["clv_180d"] is not None and shows_sizes(seen):
        parts.append(f"{seen.money(row['clv_180d'], short=True)} value")
    if row["churn_probability"] is not None and knows_risk(seen):
        parts.append(f"{share(row['churn_probability'])} risk")
    return money_in_markdown(" · ".join(parts))


def _show_differences(seen: Visit, method: str, rows: list[dict[str, Any]]) -> None:
    """Show what sets the segments apart: all of them in figures, and a few as profiles over each other."""
    apart = effects(seen.genome, method)
    if not apart.num_rows or len(rows) < 2:
        return
    st.header("What sets them apart", anchor=False)
    draw(seen, partial(drawings.segment_effects, apart), apart, "segments against all others")
    names = {f"{row['letter']} · {row['segment_name']}": row["cluster"] for row in rows}
    wanted = st.multiselect(
        "Compare",
        list(names),
        default=[next(iter(names)), list(names)[-1]],
        max_selections=MOST_COMPARED,
        key=f"compare_{method}",
        help="Up to four segments over each other, on one scale: a radar chart unrolled. The areas of a radar grow with the square and "
        "change with the order of its axes; places on a line do not.",
    )
    chosen_rows = apart.filter(pc.is_in(apart["cluster"], pa.array([names[name] for name in wanted], apart["cluster"].type)))
    draw(seen, partial(drawings.segment_profiles, chosen_rows), chosen_rows, "segments compared")


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
    pictures = [(charts.segment_sizes, parts, "segment sizes")]
    if knows(seen, "total_spend"):
        pictures.append((charts.segment_spend, parts, "spend per segment"))
    if shows_sizes(seen):
        pictures += [(charts.segment_value, parts, "value per segment"), (charts.segment_risk, parts, "risk per segment")]
    _in_pairs(seen, pictures)
    if shows_sizes(seen):
        st.markdown(
            aside(
                "Ranges hold chance alone: what comes true in four of five cases if every customer's own figures are right. "
                "How far the model itself may be off stands on Model quality."
            )
        )
    maps: list[tuple[Callable[..., Any], pa.Table, str]] = []
    if knows(seen, "n_orders", "recency_days"):
        maps.append((drawings.segments_by_recency, ask(seen, by_recency, choice), "segments by recency and orders"))
    if knows(seen, "total_spend", "clv_180d"):
        maps.append((drawings.segments_by_value, ask(seen, by_value, choice), "segments by spend and value"))
    if maps:
        st.header("Where they lie", anchor=False)
        _in_pairs(seen, maps)
    if shows_sizes(seen):
        spread_rows = ask(seen, spread, choice)
        draw(seen, partial(drawings.segment_spread, spread_rows), spread_rows, "spread of value per segment")
    with st.expander("The segments in figures"):
        _show_table(seen, parts)


def _in_pairs(seen: Visit, pictures: Sequence[tuple[Callable[..., Any], pa.Table, str]]) -> None:
    """Show charts two beside each other."""
    for place in range(0, len(pictures), 2):
        for column, (picture, rows, name) in zip(st.columns(2, gap="large"), pictures[place : place + 2], strict=False):
            with column:
                draw(seen, partial(picture, rows), rows, name)


def _show_table(seen: Visit, parts: pa.Table) -> None:
    """Show the segments as a table, and as a download."""
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number = st.column_config.NumberColumn
    shown: dict[str, Any] = {
        "segment": "Segment",
        "customers": number("Customers", format="%,d"),
        "customer_share": number("Share", format="percent", step=0.001),
        "revenue": number(f"Spent{unit}", format="%,.0f"),
        "mean_spend": number(f"Spent each{unit}", format="%,.0f"),
        "mean_orders": number("Orders each", format="%,.1f"),
    }
    if shows_sizes(seen):
        shown |= {
            "clv": number(f"Value, 180 days{unit}", format="%,.0f"),
            "mean_clv": number(f"Value each{unit}", format="%,.0f"),
            "churn_probability": number(f"Risk, {seen.horizon_days} days", format="percent", step=0.01),
            "risk_lower": number("80 % from", format="percent", step=0.001),
            "risk_upper": number("80 % to", format="percent", step=0.001),
            "value_at_risk": number(f"At risk{unit}", format="%,.0f"),
        }
    st.dataframe(parts.select(list(shown)), hide_index=True, height="content", column_config=shown, placeholder="–")
    offer_csv("Download (CSV)", parts, "segments.csv", "method_csv")


def _show_choice(seen: Visit, method: str, n_segments: int) -> None:
    """Show how the number of segments was chosen and how steady they are, each figure with its reading, and let another be tried."""
    rows = steadiness(seen.genome)
    counts = tried(seen.genome)
    st.header("Why so many, and how steady", anchor=False)
    for row in sorted(rows, key=lambda row: row["method"] != method):
        st.markdown(f"- {plain(steady_sentence(row))}")
    own = next((row.get("reason") for row in rows if row["method"] == method), "")
    reason = own or next((row.get("reason") for row in rows if row["is_naming"]), "")
    if counts.num_rows and len(set(counts["k"].to_pylist())) > 1:
        said = readings(counts, method)
        columns = st.columns(2, gap="large")
        for place, figure in enumerate(FIGURES):
            with columns[place % 2]:
                draw(seen, partial(drawings.cluster_counts, counts, figure), counts, f"{figure} by number of segments")
                if figure in said:
                    st.markdown(aside(plain(said[figure])))
    if reason:
        st.markdown(f"**How it was chosen.** {plain(reason)}")
    _show_other_number(seen, n_segments)


def _show_other_number(seen: Visit, n_segments: int) -> None:
    """Let an admin try another number of segments: a run that publishes a new version."""
    with st.expander("Try another number of segments", key="other_number", expanded=False):
        st.markdown(
            "A run reads the same data up to the same day and publishes a new version; this one stays. Segments, playbooks and what is "
            "learned per segment are made anew."
        )
        wanted = st.number_input(
            "Segments", *CLUSTERS_ALLOWED, value=min(max(n_segments, CLUSTERS_ALLOWED[0]), CLUSTERS_ALLOWED[1]), key="other_k"
        )
        offer_run(seen, {"segments.k": str(wanted)}, f"Run with {wanted} segments")
        st.markdown(
            aside(
                f'The same by hand: `genome run --clusters {wanted}`, or `k = {wanted}` and `method = "gmm"` under `[segments]` in genome.toml, where '
                "`features` sets the facts that count. Figures above are of an evenly spaced part of 2,000 customers."
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
    flows = changes.flow_table(found)
    draw(seen, lambda look: charts.migration(flows, look, group="segment"), flows, "who moved between segments")


def _show_samples(seen: Visit, method: str, rows: list[dict[str, Any]]) -> None:
    """Show some customers of a segment."""
    st.header("Some of them", anchor=False)
    names = {f"{row['letter']} · {row['segment_name']}": row["cluster"] for row in rows}
    wanted = st.selectbox("Segment to look into", list(names), key="look_into")
    found = samples(seen.genome, method, names[wanted])
    ids = found.column("customer_id").to_pylist()
    named = pa.array([masked_id(seen, name) for name in ids], pa.string())
    found = found.set_column(found.schema.get_field_index("customer_id"), "customer_id", named)
    unknown = {name for name in found.column_names if found.column(name).null_count == found.num_rows}
    unknown |= set() if shows_sizes(seen) else {"clv_180d", "churn_probability"}
    found = found.select([name for name in found.column_names if name not in unknown])
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number = st.column_config.NumberColumn
    picked = st.dataframe(
        found,
        hide_index=True,
        height="content",
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key=f"samples_{method}_{names[wanted]}",
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
        aside(
            f"{count(found.num_rows)} customers, drawn by the digest of their ids: the same ones every time, no favourites. Select a row to see the customer."
        )
    )
    if picked["selection"]["rows"]:
        st.switch_page("customer.py", query_params={"customer": named[picked["selection"]["rows"][0]].as_py()})


show()
