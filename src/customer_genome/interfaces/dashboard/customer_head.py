"""The first screen of a customer's page: who this is, what they will do, how sure that is, and what to do.

Comes in: a visit and a customer's published record. Goes out: title, badges, six figures, the action with its reason, and what is known of how
far forecasts of such customers were off. Not a page of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from customer_genome.answers.prospects import Prospect
from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.markup import RISK_MARKS, VALUE_MARKS, aside, plain
from customer_genome.interfaces.dashboard.session import Visit, masked_id
from customer_genome.interfaces.dashboard.totals import knows
from customer_genome.interfaces.views.figures import count, day, estimate, quantity, share
from customer_genome.interfaces.views.standing import worded

_BETTER_THAN_NOTHING, _MONTHS_FROM = 0.995, 200


def show_head(seen: Visit, record: dict[str, Any]) -> None:
    """Show who this is, with segment and bands in words."""
    st.title(f"Customer {plain(masked_id(seen, record['customer_id']))}", anchor=False)
    with st.container(horizontal=True, gap="small"):
        if record["segment_name"]:
            st.badge(plain(record["segment_name"]), color="gray", help="Segment: customers who behave alike.")
        for what, band, marks in (("value", record["clv_band"], VALUE_MARKS), ("risk", record["churn_band"], RISK_MARKS)):
            if band in marks:
                sign, color = marks[band]
                st.badge(f"{sign} {band} {what}", color=color)
        if record.get("is_suppressed"):
            st.badge("⊘ Must not be contacted", color="orange")
    known = record["primary_country"] not in (None, "Unknown")
    place = plain(record["primary_country"]) if known else ""
    if record["first_order_on"] is None:
        parts = [place, "known by totals, without dates" if known else "Known by totals, without dates"]
    else:
        since = f"{'customer' if known else 'Customer'} since {day(record['first_order_on'])}"
        parts = [place, since, f"{worded(seen.genome.level, 'last order')} {day(record['last_order_on'])}"]
    parts.append(f"as of {day(record['as_of'])}")
    if not seen.genome.currency and knows(seen, "total_spend"):
        parts.append("money in shop currency")
    st.markdown(aside(" · ".join(part for part in parts if part)))


def show_figures(seen: Visit, record: dict[str, Any], prospect: Prospect | None) -> None:
    """Show the figures that matter, each with its period and what it means."""
    horizon = seen.horizon_days
    sign = RISK_MARKS.get(record["churn_band"], ("", "gray"))[0]
    ends = [estimate(record[name], seen.genome.currency) for name in ("clv_lower", "clv_upper")]
    cards = st.grid(3, min_column_width=148, gap="small")

    def card(label: str, value: str, note: str, meaning: str) -> None:
        show_cards(cards, [(label, value, note, meaning)])

    card(
        f"Risk, {horizon} days",
        share(record["churn_probability"]),
        f"{sign} {record['churn_band']} risk",
        f"Probability that this customer places no order within {horizon} days of the cutoff.",
    )
    when = f"80 %: {_short_span(prospect)}" if prospect else f"{quantity(record['predicted_orders'], 'orders')} expected"
    card(
        "Next order by",
        day(record["next_order_on"]) if record["next_order_on"] else "Open",
        when,
        "The day by which an order is as likely as not; open: that point is never reached. Below it the days between which it falls with a "
        f"probability of 80 %. Orders expected in {horizon} days: {quantity(record['predicted_orders'], 'orders')}.",
    )
    card(
        "Confidence",
        share(record["confidence_score"]),
        f"an order in {horizon} days",
        "1 minus the risk: how likely the customer orders again within the horizon. How sure the forecast is, is another thing: see How "
        "sure is this?",
    )
    card(
        "Value over 180 days",
        estimate(record["clv_180d"], seen.genome.currency),
        f"80 %: {ends[0]} to {ends[1]}",
        "Expected revenue over the next 180 days, discounted, times the margin. What really happens lies in the range with a probability of "
        "80 %, if the models hold.",
    )
    card(
        "Value at risk",
        estimate(record["expected_value_loss"], seen.genome.currency),
        "value times risk",
        "Ranks customers for retention work. It is no forecast of lost revenue: the value already counts the chance that nothing more is "
        "bought.",
    )
    card(
        "Spent so far",
        seen.money(record["total_spend"], short=True),
        f"{quantity(record['n_orders'], 'orders')}, {seen.money(record['mean_order_value'], short=True)} each",
        "Money of all orders known at the cutoff, and the average order.",
    )


def _short_span(prospect: Prospect) -> str:
    """Return between which days the next order falls, short enough for a card: days near, months far ahead."""
    first, last = prospect.next_order_lower, prospect.next_order_upper
    if first is None:
        return "perhaps never"
    if last is None:
        return f"from {first:%b %Y}"
    if first.year != last.year or (last - first).days > _MONTHS_FROM:
        return f"{first:%b ’%y}–{last:%b ’%y}"
    return f"{first.day} {first:%b} to {last.day} {last:%b}"


def show_action(record: dict[str, Any]) -> None:
    """Show what to do and why."""
    with st.container(border=True):
        st.header("What to do", anchor=False)
        if record.get("is_suppressed"):
            st.markdown("**Nothing: this customer must not be contacted.**")
        st.markdown(f"**{plain(record['recommended_action'])}**")
        st.markdown(f"Playbook: {plain(record['playbook'])}")
        why = record.get("playbook_reason")
        if why:
            st.markdown(aside(f"Why: {plain(why)}"))


def show_reasons_in_short(record: dict[str, Any]) -> None:
    """Show the published reasons, strongest first."""
    said = [record[f"reason_{number}"] for number in (1, 2, 3) if record.get(f"reason_{number}")]
    with st.container(border=True):
        st.markdown(
            "**Why this risk**", help="What the forecast rests on, beside the average customer, in percentage points of risk."
        )
        if not said:
            st.markdown(aside("Nothing sets this customer apart from the average one."))
        for reason in said:
            st.markdown(f"{'▲' if ': +' in reason else '▼'} {plain(reason)}")


def show_how_sure(seen: Visit, record: dict[str, Any]) -> None:
    """Show the grade of reliability and what it was measured to mean."""
    grade = record.get("reliability")
    with st.container(border=True):
        st.markdown("**How sure is this?**")
        if not grade:
            st.markdown(
                "Reliability is not known: too few forecasts of earlier days could be held against what came. The ranges are what the "
                "models expect of themselves."
            )
            return
        st.markdown(f"Reliability **{plain(grade)}** {_DOTS.get(grade, '')}")
        rows = [row for row in _grades(seen) if row["grade"] == grade]
        st.markdown(aside(plain(grade_words(rows[0]) if rows else _MEANINGS.get(grade, ""))))


_DOTS: Mapping[str, str] = {"high": "●●●", "medium": "●●○", "low": "●○○"}
_MEANINGS: Mapping[str, str] = {
    "high": "Forecasts of such customers made at most half the error that expecting the average of everybody makes.",
    "medium": "Forecasts of such customers made at most four fifths of the error that expecting the average of everybody makes.",
    "low": "Forecasts of such customers told hardly more than the average of everybody does.",
}


def _grades(seen: Visit) -> list[dict[str, Any]]:
    """Return what was measured of each grade; nothing where the version does not say."""
    if "reliability_grades" not in seen.genome.tables():
        return []
    rows: list[dict[str, Any]] = seen.genome.table("reliability_grades").to_pylist()
    return rows


def grade_words(row: Mapping[str, Any]) -> str:
    """Return what a grade of reliability was measured to mean.

    Examples
    --------
    >>> grade_words({"customers": 4057, "left": 0.32, "inside": 0.91})
    'Earlier forecasts for 4,057 customers like this one were held against what came: 91 % ended within their 80 % range, and the error was 32 % of what expecting the average of everybody would have made.'
    """
    left = row.get("left")
    start = f"Earlier forecasts for {count(row['customers'])} customers like this one were held against what came"
    inside = "" if row.get("inside") is None else f": {share(row['inside'])} ended within their 80 % range"
    if left is None:
        return f"{start}{inside}."
    joint = ", and" if inside else ":"
    if left >= _BETTER_THAN_NOTHING:
        return f"{start}{inside}{joint} they told no more of the spend than the average of everybody does."
    return f"{start}{inside}{joint} the error was {share(left)} of what expecting the average of everybody would have made."
