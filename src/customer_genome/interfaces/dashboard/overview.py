"""The page Overview: what happened, who matters, what to do next, and what the data say, for the customers chosen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.customer_list import ListRequest, list_as_csv, offer_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.key_figures import show_first_minute, show_key_figures, show_recent, show_since_last_run
from customer_genome.interfaces.dashboard.ledger_table import show_ledger
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.readings import ask, findings, next_steps
from customer_genome.interfaces.dashboard.session import Visit, masked_id, visit
from customer_genome.interfaces.dashboard.totals import (
    is_of_totals,
    knows,
    read_as,
    say_how_far_to_trust,
    say_no_dates,
    show_cards_of_totals,
    shows_sizes,
)
from customer_genome.interfaces.views.crowds import low_spend_chances
from customer_genome.interfaces.views.figures import count, day, quantity
from customer_genome.interfaces.views.overview import (
    categories,
    concentration,
    countries,
    order_counts,
    over_time,
    segments,
    totals,
)

RAW_ROWS = 1000
FINDINGS_SHOWN = ("revenue_top_10", "one_or_two_orders", "top_country", "hidden_potential", "top_segment_name", "revenue_gini")


def show() -> None:
    """Show the page."""
    seen = visit()
    selection = chosen()
    sums = ask(seen, totals, selection.of_customers)
    _show_head(seen, selection, sums)
    if not sums["customers"]:
        st.info("No customer fits these filters. Take one off in the side bar, or show all customers.")
        return
    say_how_far_to_trust(seen)
    show_first_minute(seen, selection, sums)
    if is_of_totals(seen):
        show_cards_of_totals(seen, selection, sums)
    else:
        show_key_figures(seen, selection, sums)
    _show_next_steps(seen, selection)
    if not is_of_totals(seen):
        show_since_last_run(seen, selection)
    _show_time(seen, selection)
    _show_segments(seen, selection)
    _show_findings_and_origin(seen, selection)
    _show_rows(seen, selection)


def _show_head(seen: Visit, selection: Selection, sums: dict[str, Any]) -> None:
    """Show whose numbers these are, from when to when, and which customers they speak of."""
    manifest = seen.manifest
    shop = manifest.get("settings", {}).get("shop", {}).get("name", "")
    labels = [source["label"] for source in manifest.get("sources", {}).values()]
    label = labels[0] if labels else ""
    st.title(plain(shop or label or "Overview"), anchor=False)
    everybody = ask(seen, totals, Selection(selection.method))
    last = dt.date.fromisoformat(manifest["as_of"])
    reach = f"orders from {day(everybody['first_order_on'])} to {day(everybody['last_order_on'])}"
    st.markdown(
        aside(
            f"As of {day(last)} · {read_as(seen) if is_of_totals(seen) else reach} · "
            f"{plain(seen.genome.snapshot.version)}" + (f" · source: {plain(label)}" if shop and label else "")
        )
    )
    words = selection.in_words(seen.money)
    if words:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":blue-background[{count(sums['customers'])} of {count(everybody['customers'])} customers: "
                f"{plain(words)}] Every number below speaks of these."
            )


def _show_next_steps(seen: Visit, selection: Selection) -> None:
    """Show the three things to do next, each with customers and money, and a way to the customers."""
    steps = ask(seen, next_steps, selection.of_customers)
    st.header(
        "Do next",
        anchor=False,
        help="Playbooks with most value at risk among customers of medium or high value whom you may contact.",
    )
    if not steps and not knows(seen, "churn_probability", "clv_180d"):
        _show_strategies(seen, selection)
        return
    if not steps:
        st.markdown("Nobody here has value at risk worth a campaign. Look at all customers, or lower the filters.")
        return
    for place, (column, step) in enumerate(zip(st.columns(len(steps)), steps, strict=True), start=1):
        with column.container(border=True, height="stretch"):
            at_stake = (
                f"**{money_in_markdown(seen.money(step['value_at_risk'], short=True))} at risk** "
                f"of {money_in_markdown(seen.money(step['clv'], short=True))} expected"
                if shows_sizes(seen)
                else f"spent {money_in_markdown(seen.money(step['revenue'], short=True))} so far"
            )
            st.markdown(f"**{place}. {plain(step['playbook'])}**  \n{quantity(step['customers'], 'customers')} · {at_stake}")
            first = str(step.get("do", "")).partition(". ")[0].rstrip(".")
            if first:
                st.markdown(f"{plain(first)}.")
            st.page_link(
                "customers.py",
                label="Show these customers →",
                query_params={"playbook": step["playbook"]},
            )


def _show_strategies(seen: Visit, selection: Selection) -> None:
    """Show what to do with the segments that brought most, where nobody knows who is about to leave."""
    told = {row["segment_name"]: row["strategy"] for row in seen.genome.table("segments").to_pylist()}
    rows = [row for row in ask(seen, segments, selection.of_customers).to_pylist() if told.get(row["segment"])][:3]
    if not rows:
        st.markdown("These data do not say who is about to leave, so nobody comes first. Days since the last order would tell.")
        return
    for place, (column, row) in enumerate(zip(st.columns(len(rows)), rows, strict=True), start=1):
        with column.container(border=True, height="stretch"):
            spent = (
                f" · spent **{money_in_markdown(seen.money(row['revenue'], short=True))}** so far"
                if row["revenue"] is not None
                else ""
            )
            st.markdown(f"**{place}. {plain(row['segment'])}**  \n{quantity(row['customers'], 'customers')}{spent}")
            st.markdown(plain(told[row["segment"]]))
            st.page_link("customers.py", label="Show these customers →", query_params={"segment": row["segment"]})


def _show_time(seen: Visit, selection: Selection) -> None:
    """Show revenue and active customers over time."""
    if is_of_totals(seen):
        say_no_dates(seen)
        return
    periods = ask(seen, over_time, selection)
    st.header(
        "Over time", anchor=False, help="The period of the side bar chooses the days shown here, and nothing else on this page."
    )
    if selection.has_period:
        last = dt.date.fromisoformat(seen.manifest["as_of"])
        st.markdown(
            aside(
                f"Only {selection.period_in_words()}; the other figures of this page are facts of customers, as of {day(last)}."
            )
        )
    show_recent(seen, selection)
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, partial(charts.revenue_over_time, periods), periods, "revenue over time")
    with right:
        draw(seen, partial(charts.customers_over_time, periods), periods, "active customers over time")


def _show_segments(seen: Visit, selection: Selection) -> None:
    """Show how customers and money spread over the segments."""
    rows = ask(seen, segments, selection.of_customers)
    st.header("Segments", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, partial(charts.segment_sizes, rows), rows, "segment sizes")
    if knows(seen, "total_spend"):
        with right:
            draw(seen, partial(charts.segment_spend, rows), rows, "spend per segment")
    with st.expander("Segments in figures"):
        _show_segment_table(seen, rows)


def _show_segment_table(seen: Visit, rows: pa.Table) -> None:
    """Show the segments as a table with units, and as a download."""
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number = st.column_config.NumberColumn
    shown: dict[str, Any] = {
        "segment": "Segment",
        "customers": number("Customers", format="%,d"),
        "customer_share": number("Share", format="percent", step=0.001),
        "revenue": number(f"Spent{unit}", format="%,.0f"),
        "mean_spend": number(f"Spent each{unit}", format="%,.0f"),
        "mean_orders": number("Orders each", format="%,.1f"),
        "mean_clv": number(f"Value each, 180 days{unit}", format="%,.0f"),
        "churn_probability": number(f"Risk, {seen.horizon_days} days", format="percent", step=0.01),
        "value_at_risk": number(f"At risk{unit}", format="%,.0f"),
    }
    if not shows_sizes(seen):
        shown = {name: look for name, look in shown.items() if name not in ("mean_clv", "churn_probability", "value_at_risk")}
    st.dataframe(rows.select(list(shown)), hide_index=True, height="content", column_config=shown)
    offer_csv("Download (CSV)", rows, "segments.csv", "segments_csv")


def _show_findings_and_origin(seen: Visit, selection: Selection) -> None:
    """Show what the data say of these customers, and where their money comes from: countries, or categories where there is one country."""
    everywhen = selection.of_customers
    found = {} if seen.genome.level == "ratings" else ask(seen, findings, everywhen)
    plain_already = {"top_country"} if len(selection.countries) == 1 else set()
    plain_already |= {"top_segment_name"} if len(selection.segments) == 1 else set()
    sentences = [found[name] for name in FINDINGS_SHOWN if name in found and name not in plain_already]
    places, kinds = ask(seen, countries, everywhen), ask(seen, categories, everywhen)
    if not knows(seen, "total_spend"):
        places, kinds = places.slice(0, 0), kinds.slice(0, 0)
    if not (sentences or places.num_rows > 1 or kinds.num_rows):
        return
    st.header(
        "What the data say",
        anchor=False,
        help="Each sentence is computed from the customers shown, and changes with the filters.",
    )
    left, right = st.columns(2, gap="large")
    if places.num_rows > 1:
        _say(left, sentences)
        with right:
            draw(seen, partial(charts.revenue_by_country, places), places, "revenue by country")
    elif kinds.num_rows:
        _say(left, sentences)
        with right:
            draw(seen, partial(charts.revenue_by_category, kinds), kinds, "revenue by category")
    else:
        half = -(-len(sentences) // 2)
        _say(left, sentences[:half])
        _say(right, sentences[half:])
    _show_charts_behind(seen, everywhen, found)


def _show_charts_behind(seen: Visit, selection: Selection, found: Mapping[str, Any]) -> None:
    """Show the charts behind the sentences, of the same customers; nothing is counted before they are asked for."""
    drawn: list[tuple[Callable[..., pa.Table], Callable[..., Any], str]] = []
    if "revenue_gini" in found:
        drawn.append((concentration, charts.concentration, "concentration of revenue"))
    if "one_or_two_orders" in found:
        drawn.append((order_counts, charts.order_counts, "customers by orders"))
    if "hidden_potential" in found:
        drawn.append((low_spend_chances, charts.hidden_potential, "hidden potential"))
    if not drawn:
        return
    behind = st.expander("The charts behind these sentences", key="behind", on_change="rerun")
    if not behind.open:
        return
    with behind:
        places = st.columns(len(drawn), gap="large")
        for place, (question, picture, name) in zip(places, drawn, strict=True):
            rows = ask(seen, question, selection)
            with place:
                draw(seen, partial(picture, rows), rows, name)


def _say(place: Any, sentences: list[tuple[str, str]]) -> None:
    """Write findings into a column."""
    for title, sentence in sentences:
        place.markdown(f"**{plain(title)}**  \n{plain(sentence)}")


def _show_rows(seen: Visit, selection: Selection) -> None:
    """Show the rows behind the numbers where wanted, and where every input row went."""
    if st.toggle(
        "Show the customers behind these numbers",
        key="rows",
        bind="query-params",
        help="The published table `customers`, every column of it, for the customers chosen.",
    ):
        _show_customers(seen, selection)
    with st.expander("Where every input row went"):
        show_ledger(seen)


def _show_customers(seen: Visit, selection: Selection) -> None:
    """Show the first rows of the published table of the customers chosen, and all of them as a file."""
    where, parameters = selection.where()
    rows = seen.genome.query(
        f"select * from customers where {where} order by total_spend desc nulls last, customer_id limit {RAW_ROWS}", parameters
    )
    if seen.masks:
        place = rows.schema.get_field_index("customer_id")
        names = [masked_id(seen, name) for name in rows.column("customer_id").to_pylist()]
        rows = rows.set_column(place, "customer_id", pa.array(names, pa.string()))
    st.dataframe(rows, hide_index=True, height=400, placeholder="–")
    everybody = ask(seen, totals, selection.of_customers)["customers"]
    note = (
        f"The {count(rows.num_rows)} who spent most of {count(everybody)}."
        if rows.num_rows < everybody
        else f"All {count(everybody)}."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(aside(f"{note} Table `customers` of {plain(seen.genome.snapshot.version)}."), width="stretch")
        if not seen.masks:
            st.download_button(
                "Download these customers (CSV)",
                lambda: list_as_csv(seen, ListRequest(selection)),
                file_name="customers.csv",
                mime="text/csv",
                on_click="ignore",
                key="rows_csv",
            )


show()
