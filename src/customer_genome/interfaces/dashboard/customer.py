"""The page of one customer: who they are, what they did, what to expect, how sure that is, what to do.

The address names the customer: `/customer?customer=ID`. Every figure is a published column or an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.errors import GenomeError, UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts.prospects import months_of
from customer_genome.interfaces.dashboard.alike import show_alike
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import RISK_MARKS, VALUE_MARKS, aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.recommended import show_recommended
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import (
    is_of_totals,
    say_how_far_to_trust,
    say_no_dates,
    show_customer_figures,
    totals_of_customer,
)
from customer_genome.interfaces.dashboard.why import show_reasons, show_why
from customer_genome.interfaces.figures import count, day, estimate, quantity, share, span
from customer_genome.interfaces.overview import order_days
from customer_genome.prospects import Month, Prospect, prospect_of

MOST_ORDERS_LISTED = 500


def show() -> None:
    """Show the customer the address names, or the nearest ids when there is none."""
    st.page_link("customers.py", label="← All customers")
    customer_id = st.query_params.get("customer", "")
    if not customer_id:
        st.info("Select a customer in the list to see everything about them here.")
        return
    seen = visit()
    try:
        record = seen.genome.customer(customer_id)
    except UnknownCustomerError as err:
        st.warning(plain(err))
        return
    _show_head(record)
    if is_of_totals(seen):
        say_how_far_to_trust(seen)
        show_customer_figures(seen, record)
        _show_action(record)
        show_reasons(record)
        show_alike(seen, record)
        _show_totals(seen, record)
        return
    _show_figures(seen, record)
    _show_action(record)
    show_why(seen, record)
    show_recommended(seen, record)
    _show_timeline(seen, record)
    _show_months(seen, record)
    show_alike(seen, record)
    _show_facts(seen, record)
    _show_orders(seen, record)


def _show_head(record: dict[str, Any]) -> None:
    """Show who this is, with segment and bands in words."""
    st.title(f"Customer {plain(record['customer_id'])}", anchor=False)
    with st.container(horizontal=True, gap="small"):
        st.badge(plain(record["segment_name"]), color="gray")
        for what, band, marks in (("value", record["clv_band"], VALUE_MARKS), ("risk", record["churn_band"], RISK_MARKS)):
            if band in marks:
                sign, color = marks[band]
                st.badge(f"{sign} {band} {what}", color=color)
        if record.get("is_suppressed"):
            st.badge("⊘ Must not be contacted", color="orange")
    if record["first_order_on"] is None:
        place = f"{plain(record['primary_country'])} · " if record["primary_country"] not in (None, "Unknown") else ""
        st.markdown(aside(f"{place}known by totals, without dates · as of {day(record['as_of'])}"))
        return
    where = "Customer" if record["primary_country"] in (None, "Unknown") else f"{plain(record['primary_country'])} · customer"
    st.markdown(
        aside(
            f"{where} since {day(record['first_order_on'])} · last order {day(record['last_order_on'])} · "
            f"as of {day(record['as_of'])}"
        )
    )


def _show_figures(seen: Visit, record: dict[str, Any]) -> None:
    """Show the figures that matter, each with its period and what it means."""
    horizon = seen.horizon_days
    low, high = seen.money(record["clv_lower"], short=True), seen.money(record["clv_upper"], short=True)
    sign = RISK_MARKS.get(record["churn_band"], ("", "gray"))[0]
    cards = st.grid(3, min_column_width=160, gap="small")
    cards.metric(
        "Spent so far",
        money_in_markdown(seen.money(record["total_spend"], short=True)),
        f"{quantity(record['n_orders'], 'orders')}, {money_in_markdown(seen.money(record['mean_order_value'], short=True))} each",
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help="Money of all orders known at the cutoff, and the average order.",
    )  # fmt: skip
    cards.metric(
        "Value over 180 days",
        money_in_markdown(seen.money(record["clv_180d"], short=True)),
        f"80 %: {money_in_markdown(low)} to {money_in_markdown(high)}",
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help="Expected revenue over the next 180 days, discounted, times the margin. What really happens lies in the range "
        "with a probability of 80 %, if the models hold.",
    )  # fmt: skip
    cards.metric(
        f"Risk, {horizon} days",
        share(record["churn_probability"]),
        f"{sign} {record['churn_band']} risk",
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help=f"Probability that this customer places no order within {horizon} days of the cutoff.",
    )  # fmt: skip
    cards.metric(
        "Value at risk",
        money_in_markdown(seen.money(record["expected_value_loss"], short=True)),
        "value times risk",
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help="Ranks customers for retention work. It is no forecast of lost revenue: the value already counts the chance "
        "that nothing more is bought.",
    )  # fmt: skip
    cards.metric(
        "Next order by",
        day(record["next_order_on"]) if record["next_order_on"] else "None expected",
        f"{quantity(record['predicted_orders'], 'orders')} expected",
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help="The day by which an order is as likely as not. None expected: that point is never reached. "
        f"Below it: orders expected in {horizon} days.",
    )  # fmt: skip
    cards.metric(
        "Confidence",
        share(record["confidence_score"]),
        f"reliability {record['reliability']}" if record.get("reliability") else f"an order in {horizon} days",
        delta_color="off", delta_arrow="off", border=True, height="stretch",
        help="1 minus the risk: how likely the customer orders again within the horizon. Reliability is another thing: by how much "
        "forecasts of similar customers were off; Model quality says what each grade measured.",
    )  # fmt: skip


def _show_action(record: dict[str, Any]) -> None:
    """Show what to do and why."""
    with st.container(border=True):
        st.header("What to do", anchor=False)
        st.markdown(f"**{plain(record['recommended_action'])}**")
        st.markdown(f"Playbook: {plain(record['playbook'])}")
        why = record.get("playbook_reason")
        if why:
            st.markdown(aside(f"Why: {plain(why)}"))


def _show_timeline(seen: Visit, record: dict[str, Any]) -> None:
    """Show the orders over time, and what is expected next."""
    days = order_days(seen.genome, record["customer_id"])
    st.header("Orders over time", anchor=False)
    draw(
        seen,
        lambda look: charts.customer_timeline(days, look, as_of=record["as_of"], next_order_on=record["next_order_on"]),
    )


def _show_months(seen: Visit, record: dict[str, Any]) -> None:
    """Show the value to come month by month with its range, and between which days the next order falls."""
    st.header("Months to come", anchor=False)
    try:
        prospect = months_to_come(seen.key, record["customer_id"], seen.genome)
    except GenomeError as err:
        st.info(plain(err))
        return
    draw(seen, lambda look: charts.value_path(months_of(prospect.months), look))
    st.markdown(aside(f"Next order, 80 %: {span(prospect.next_order_lower, prospect.next_order_upper)}."))
    with st.expander("Month by month"):
        st.dataframe(months_table(prospect.months, seen.genome.currency), hide_index=True, height="content")


@st.cache_data(max_entries=64, show_spinner=False)
def months_to_come(key: str, customer_id: str, _genome: Genome) -> Prospect:
    """Return a customer's months to come; kept per version and customer."""
    del key
    return prospect_of(_genome, _genome.customer(customer_id))


def months_table(months: Sequence[Month], currency: str) -> pa.Table:
    """Return the months as people read them."""
    return pa.table(
        {
            "Until": [day(month.ends_on) for month in months],
            "Orders": [f"{month.orders:.2f}" for month in months],
            "Revenue": [estimate(month.revenue, currency) for month in months],
            "Value so far": [estimate(month.value_so_far, currency) for month in months],
            "80 % from": [estimate(month.lower, currency) for month in months],
            "to": [estimate(month.upper, currency) for month in months],
        }
    )


def _show_facts(seen: Visit, record: dict[str, Any]) -> None:
    """Show the facts the models and rules saw."""
    facts = [
        ("Orders", count(record["n_orders"])),
        ("Order lines", count(record["n_lines"])),
        ("Pieces", count(record["total_quantity"])),
        ("Different products", count(record["unique_products"])),
        ("Usual gap between purchase days", quantity(record["mean_gap_days"], "days")),
        ("Days since the last order", count(record["recency_days"])),
        ("Spent in the last 90 days", seen.money(record["spend_last_90d"])),
        ("Spent in the 90 days before", seen.money(record["spend_prior_90d"])),
        ("Brought back", f"{seen.money(record['returned_value'])} in {quantity(record['n_returned_lines'], 'lines')}"),
        ("RFM scores (1 to 5)", f"{record['recency_score']} · {record['frequency_score']} · {record['monetary_score']}"),
        ("RFM segment", record["rfm_segment"]),
        ("Chance to be still active", share(record["p_alive"])),
        ("Value and risk", record["priority_segment"]),
    ]
    if record.get("discount_share") is not None:
        facts.append(("Share of spend at a discount", share(record["discount_share"])))
    shares = [(item["category"], record.get(item["column"])) for item in seen.manifest.get("category_shares", [])]
    facts += [(f"Share of spend: {name}", share(value)) for name, value in shares if value]
    facts += [
        (name.removeprefix("attribute_").replace("_", " ").capitalize(), str(value))
        for name, value in record.items()
        if name.startswith("attribute_") and value is not None
    ]
    with st.expander("All facts about this customer"):
        st.dataframe(
            pa.table({"Fact": [name for name, _ in facts], "Value": [value for _, value in facts]}),
            hide_index=True,
            height="content",
        )


def _show_totals(seen: Visit, record: dict[str, Any]) -> None:
    """Show what the table says of a customer, its further columns too."""
    facts = totals_of_customer(seen, record)
    facts += [
        (name.removeprefix("attribute_").replace("_", " ").capitalize(), f"{value:g}" if isinstance(value, float) else str(value))
        for name, value in record.items()
        if name.startswith("attribute_") and value is not None
    ]
    st.header("What the table says", anchor=False)
    st.dataframe(
        pa.table({"Fact": [name for name, _ in facts], "Value": [value for _, value in facts]}), hide_index=True, height="content"
    )
    say_no_dates()


def _show_orders(seen: Visit, record: dict[str, Any]) -> None:
    """Show the latest orders as a table, all of them as a download."""
    orders = seen.genome.orders_of(record["customer_id"])
    latest = orders.slice(max(0, orders.num_rows - MOST_ORDERS_LISTED)).sort_by([("ordered_at", "descending")])
    sign = seen.genome.currency
    with st.expander(f"Orders ({count(orders.num_rows)})"):
        st.dataframe(
            latest.select(["ordered_at", "order_id", "n_lines", "quantity", "revenue"]),
            hide_index=True,
            column_config={
                "ordered_at": st.column_config.DatetimeColumn("Ordered", format="D MMM YYYY, HH:mm"),
                "order_id": "Order",
                "n_lines": st.column_config.NumberColumn("Lines", format="%,d"),
                "quantity": st.column_config.NumberColumn("Pieces", format="%,.0f"),
                "revenue": st.column_config.NumberColumn(f"Money ({sign})" if sign else "Money", format="%,.2f"),
            },
        )
        st.download_button(
            "Download all orders (CSV)",
            lambda: table_as_csv(orders),
            file_name="orders.csv",
            mime="text/csv",
            on_click="ignore",
            key="orders_csv",
        )


show()
