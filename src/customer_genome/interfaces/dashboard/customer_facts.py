"""The facts of a customer's page: orders over time, facts beside those of the segment, everything known, and the orders themselves.

Comes in: a visit and a customer's published record. Goes out: parts of the page. Orders are personal: where personal data are masked,
neither they nor attributes of the customer table are shown. Not a page of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.customer_list import offer_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.list_columns import attribute_title
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.dashboard.totals import knows, knows_risk, say_no_dates, totals_of_customer
from customer_genome.interfaces.views.figures import count, quantity, share
from customer_genome.interfaces.views.overview import order_days
from customer_genome.interfaces.views.standing import worded

MOST_ORDERS_LISTED = 500
COMPARED: Mapping[str, tuple[str, str]] = {
    "total_spend": ("Spent so far", "money"),
    "n_orders": ("Orders so far", "count"),
    "mean_order_value": ("Money per order", "money"),
    "recency_days": ("Days since the last order", "count"),
    "mean_gap_days": ("Usual days between purchases", "number"),
    "tenure_days": ("Days since the first order", "count"),
    "unique_products": ("Different products", "count"),
    "spend_last_90d": ("Spent in the last 90 days", "money"),
    "return_share": ("Brought back, share of spend", "share"),
    "churn_probability": ("Risk", "share"),
    "clv_180d": ("Value over 180 days", "money"),
}
"""Facts held against the segment: what they are called, and how they are written."""


def show_timeline(seen: Visit, record: dict[str, Any]) -> None:
    """Show the orders over time, goods brought back, and what is expected next."""
    days = order_days(seen.genome, record["customer_id"])
    returns = returns_of(seen.genome, record["customer_id"])

    def drawn(look: Any) -> Any:
        return charts.customer_timeline(days, look, as_of=record["as_of"], next_order_on=record["next_order_on"], returns=returns)

    draw(seen, drawn, name="orders over time")
    if returns is None and record.get("n_returned_lines"):
        st.markdown(
            aside(
                f"Brought back so far: {plain(seen.money(record['returned_value']))} in {quantity(record['n_returned_lines'], 'lines')}. "
                "This version does not say on which days; the next run will."
            )
        )


def returns_of(genome: Genome, customer_id: str) -> pa.Table | None:
    """Return the days on which a customer brought goods back; None where the version does not know days."""
    if "returns" not in genome.tables():
        return None
    return genome.query(
        "select returned_on, n_lines, money from returns where customer_id = ? order by returned_on", [customer_id]
    )


def show_beside_segment(seen: Visit, record: dict[str, Any]) -> None:
    """Show the main facts beside the median of the segment, and how many of the segment stand lower."""
    rows = beside_segment(seen, record)
    if not rows or not record["segment_name"]:
        return
    st.header(
        "Beside their segment",
        anchor=False,
        help="The median: half of the segment stands below it. Higher than: the share of the segment with a lower figure.",
    )
    st.dataframe(
        pa.table(
            {name: [row[name] for row in rows] for name in ("fact", "own", "median")}
            | {"higher": [math.floor(100 * row["higher"]) for row in rows]}
        ),
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            "fact": st.column_config.TextColumn("Fact", width="medium"),
            "own": st.column_config.TextColumn("This customer", alignment="right"),
            "median": st.column_config.TextColumn("Segment median", alignment="right"),
            "higher": st.column_config.ProgressColumn(
                "Higher than", format="%d %%", min_value=0, max_value=100, help="Share of the segment with a lower figure."
            ),
        },
        alt=f"Facts of this customer beside the median of the segment {record['segment_name']}.",
    )
    st.markdown(aside(f"{plain(record['segment_name'])}: {count(rows[0]['customers'])} customers."))


def beside_segment(seen: Visit, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return fact, own figure, median of the segment, and the share of the segment that stands lower, for facts that are known."""
    risky = {"churn_probability", "clv_180d"}
    names = [
        name
        for name in COMPARED
        if record.get(name) is not None and knows(seen, name) and (name not in risky or knows_risk(seen))
    ]
    if not names or record["segment_name"] is None:
        return []
    medians = _medians(seen.key, str(record["segment_name"]), tuple(names), seen.genome)
    below = seen.genome.query(
        "select " + ", ".join(f'count(*) filter (where "{name}" < ?) as "{name}"' for name in names) + " from customers "
        "where segment_name = ?",
        [*(record[name] for name in names), record["segment_name"]],
    ).to_pylist()[0]
    return [
        {
            "fact": worded(seen.genome.level, COMPARED[name][0]),
            "own": _written(seen, record[name], COMPARED[name][1]),
            "median": _written(seen, medians[name], COMPARED[name][1]),
            "higher": below[name] / max(medians["customers"], 1),
            "customers": medians["customers"],
        }
        for name in names
    ]


@st.cache_data(max_entries=100, show_spinner=False)
def _medians(key: str, segment: str, names: tuple[str, ...], _genome: Genome) -> dict[str, Any]:
    """Return the medians of a segment, and how many customers it has; kept per version."""
    del key
    row: dict[str, Any] = _genome.query(
        "select count(*) as customers, " + ", ".join(f'median("{name}") as "{name}"' for name in names) + " from customers "
        "where segment_name = ?",
        [segment],
    ).to_pylist()[0]
    return row


def _written(seen: Visit, value: float | None, kind: str) -> str:
    """Return a figure as people write it."""
    if kind == "money":
        return seen.money(value)
    if kind == "share":
        return share(value)
    if value is None or kind == "count":
        return count(value)
    return f"{value:,.1f}" if abs(value) < 100 else count(value)


def show_all_facts(seen: Visit, record: dict[str, Any]) -> None:
    """Show the facts the models and rules saw."""
    facts = [
        ("Order lines", count(record["n_lines"])),
        ("Pieces", count(record["total_quantity"])),
        ("Purchase days", count(record["n_purchase_days"])),
        ("Spent in the 90 days before the last 90", seen.money(record["spend_prior_90d"])),
        ("Brought back", f"{seen.money(record['returned_value'])} in {quantity(record['n_returned_lines'], 'lines')}"),
        ("RFM scores (1 to 5)", f"{record['recency_score']} · {record['frequency_score']} · {record['monetary_score']}"),
        ("RFM segment", record["rfm_segment"] or "–"),
        ("Chance to be still active", share(record["p_alive"])),
        ("Orders to come", f"{quantity(record['predicted_orders'], 'orders')} in {seen.horizon_days} days"),
        ("Spend to come", f"{seen.money(record['predicted_spend'])} in {seen.horizon_days} days"),
        ("Value and risk", record["priority_segment"] or "–"),
    ]
    if record.get("discount_share") is not None:
        facts.append(("Share of spend at a discount", share(record["discount_share"])))
    shares = [(item["category"], record.get(item["column"])) for item in seen.manifest.get("category_shares", [])]
    facts += [(f"Share of spend: {name}", share(value)) for name, value in shares if value]
    with st.expander("All other facts"):
        _table_of(facts + _attributes(seen, record))


def show_totals(seen: Visit, record: dict[str, Any]) -> None:
    """Show what the table says of a customer, its further columns too."""
    st.header("What the ratings say" if seen.genome.level == "ratings" else "What the table says", anchor=False)
    _table_of(totals_of_customer(seen, record) + _attributes(seen, record))
    say_no_dates(seen)


def _attributes(seen: Visit, record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the further columns of the customer table; none where personal data are masked."""
    if seen.masks:
        return []
    return [
        (attribute_title(name), f"{value:g}" if isinstance(value, float) else str(value))
        for name, value in record.items()
        if name.startswith("attribute_") and value is not None
    ]


def _table_of(facts: Sequence[tuple[str, str]]) -> None:
    """Show facts as a table of two columns."""
    st.dataframe(
        pa.table({"Fact": [name for name, _ in facts], "Value": [value for _, value in facts]}), hide_index=True, height="content"
    )


def show_orders(seen: Visit, record: dict[str, Any]) -> None:
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
        offer_csv("Download all orders (CSV)", orders, "orders.csv", "orders_csv")
