"""The page Overview: what happened, who matters, what to do next, and what the data say, for the customers chosen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces import charts
from customer_genome.interfaces.crowds import low_spend_chances
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.filters import Selection, chosen
from customer_genome.interfaces.dashboard.ledger_table import show_ledger
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.readings import ask, findings, next_steps
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import (
    is_of_totals,
    say_how_far_to_trust,
    say_no_dates,
    show_cards_of_totals,
    shows_sizes,
)
from customer_genome.interfaces.figures import count, day, quantity, share
from customer_genome.interfaces.overview import categories, concentration, countries, order_counts, over_time, segments, totals

RAW_ROWS = 1000
FINDINGS_SHOWN = ("revenue_top_10", "one_or_two_orders", "top_country", "hidden_potential", "top_segment_name", "revenue_gini")


def show() -> None:
    """Show the page."""
    seen = visit()
    selection = chosen()
    sums = ask(seen, totals, selection)
    _show_head(seen, selection, sums)
    if not sums["customers"]:
        st.info("No customer fits these filters. Take one off in the side bar, or show all customers.")
        return
    say_how_far_to_trust(seen)
    if is_of_totals(seen):
        show_cards_of_totals(seen, selection, sums)
    else:
        _show_cards(seen, sums)
    _show_next_steps(seen, selection)
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
    everybody = ask(seen, totals, Selection())
    last = dt.date.fromisoformat(manifest["as_of"])
    reach = f"orders from {day(everybody['first_order_on'])} to {day(everybody['last_order_on'])}"
    st.markdown(
        aside(
            f"As of {day(last)} · {'customers with totals, no dates' if is_of_totals(seen) else reach} · "
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


def _show_cards(seen: Visit, sums: dict[str, Any]) -> None:
    """Show the key figures, each with unit, period and meaning."""
    horizon = seen.horizon_days
    lost = sums["customers"] - sums["expected_active"]
    cards = st.grid(3, min_column_width=148, gap="small")

    def card(label: str, value: str, note: str, meaning: str) -> None:
        cards.metric(
            label, money_in_markdown(value), money_in_markdown(note), delta_color="off", delta_arrow="off",
            border=True, height="stretch", help=meaning,
        )  # fmt: skip

    card(
        "Customers",
        count(sums["customers"]),
        f"{share(sums['one_order_share'])} ordered once",
        "Customers with at least one order before the cutoff.",
    )
    card(
        "Revenue",
        seen.money(sums["revenue"], short=True),
        f"{seen.money(sums['mean_spend'])} per customer",
        "Money of all their orders so far, after cleaning.",
    )
    card(
        "Orders",
        count(sums["orders"]),
        f"{sums['mean_orders']:.1f} per customer",
        "Orders so far; one order = one customer and order id.",
    )
    card(
        "Average CLV",
        seen.money(sums["mean_clv"]),
        "over 180 days",
        "Customer lifetime value: revenue expected of a customer over the next 180 days, discounted, times the margin. "
        f"All together: {money_in_markdown(seen.money(sums['clv'], short=True))}.",
    )
    card(
        "Expected churn",
        share(lost / sums["customers"]),
        f"{count(lost)} in {horizon} days",
        f"Customers expected to place no order within {horizon} days of the cutoff: the sum of their probabilities.",
    )
    card(
        "Value at risk",
        seen.money(sums["value_at_risk"], short=True),
        f"value of 180 days times risk of {horizon}",
        f"Sum of value over 180 days times the risk of no order within {horizon} days. It ranks where retention pays; it is no forecast of lost revenue.",
    )


def _show_next_steps(seen: Visit, selection: Selection) -> None:
    """Show the three things to do next, each with customers and money, and a way to the customers."""
    steps = ask(seen, next_steps, selection)
    st.header(
        "Do next",
        anchor=False,
        help="Playbooks with most value at risk among customers of medium or high value whom you may contact.",
    )
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


def _show_time(seen: Visit, selection: Selection) -> None:
    """Show revenue and active customers over time."""
    if is_of_totals(seen):
        say_no_dates()
        return
    periods = ask(seen, over_time, selection)
    st.header("Over time", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, lambda look: charts.revenue_over_time(periods, look))
    with right:
        draw(seen, lambda look: charts.customers_over_time(periods, look))


def _show_segments(seen: Visit, selection: Selection) -> None:
    """Show how customers and money spread over the segments."""
    rows = ask(seen, segments, selection)
    st.header("Segments", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, lambda look: charts.segment_sizes(rows, look))
    with right:
        draw(seen, lambda look: charts.segment_spend(rows, look))
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
    st.download_button(
        "Download (CSV)",
        lambda: table_as_csv(rows),
        file_name="segments.csv",
        mime="text/csv",
        on_click="ignore",
        key="segments_csv",
    )


def _show_findings_and_origin(seen: Visit, selection: Selection) -> None:
    """Show what the data say of these customers, and where their money comes from: countries, or categories where there is one country."""
    found = ask(seen, findings, selection)
    sentences = [found[name] for name in FINDINGS_SHOWN if name in found]
    places, kinds = ask(seen, countries, selection), ask(seen, categories, selection)
    st.header(
        "What the data say",
        anchor=False,
        help="Each sentence is computed from the customers shown, and changes with the filters.",
    )
    left, right = st.columns(2, gap="large")
    if places.num_rows > 1:
        _say(left, sentences)
        with right:
            draw(seen, lambda look: charts.revenue_by_country(places, look))
    elif kinds.num_rows:
        _say(left, sentences)
        with right:
            draw(seen, lambda look: charts.revenue_by_category(kinds, look))
    else:
        half = -(-len(sentences) // 2)
        _say(left, sentences[:half])
        _say(right, sentences[half:])
    _show_charts_behind(seen, selection, found)


def _show_charts_behind(seen: Visit, selection: Selection, found: Mapping[str, Any]) -> None:
    """Show the charts behind the sentences, of the same customers."""
    drawn: list[Callable[[Any], Any]] = []
    if "revenue_gini" in found:
        curve = ask(seen, concentration, selection)
        drawn.append(lambda look: charts.concentration(curve, look))
    if "one_or_two_orders" in found:
        counts = ask(seen, order_counts, selection)
        drawn.append(lambda look: charts.order_counts(counts, look))
    if "hidden_potential" in found:
        chances = ask(seen, low_spend_chances, selection)
        drawn.append(lambda look: charts.hidden_potential(chances, look))
    if not drawn:
        return
    with st.expander("The charts behind these sentences"):
        places = st.columns(len(drawn), gap="large")
        for place, picture in zip(places, drawn, strict=True):
            with place:
                draw(seen, picture)


def _say(place: Any, sentences: list[tuple[str, str]]) -> None:
    """Write findings into a column."""
    for title, sentence in sentences:
        place.markdown(f"**{plain(title)}**  \n{plain(sentence)}")


def _show_rows(seen: Visit, selection: Selection) -> None:
    """Show the rows behind the numbers where wanted, and where every input row went."""
    if st.toggle("Show the rows behind these numbers", key="rows", bind="query-params"):
        where, parameters = selection.where()
        rows = seen.genome.query(f"select * from customers where {where} order by customer_id limit {RAW_ROWS}", parameters)
        st.dataframe(rows, hide_index=True, height=400, placeholder="–")
        st.markdown(
            aside(
                f"Published table `customers`, {count(rows.num_rows)} rows of {count(ask(seen, totals, selection)['customers'])}. "
                "All of it: `genome export --output customers.csv`."
            )
        )
    with st.expander("Where every input row went"):
        show_ledger(seen)


show()
