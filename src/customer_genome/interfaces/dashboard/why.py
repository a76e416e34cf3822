"""Why a customer's risk is what it is, and what it would be after other orders: a part of the page of one customer."""

from __future__ import annotations

from typing import Any

import streamlit as st

from customer_genome.answers.what_if import USUAL, Outcome, Scenario, WhatIf
from customer_genome.errors import GenomeError
from customer_genome.genome import Genome
from customer_genome.interfaces.charts.quality_reasons import waterfall
from customer_genome.interfaces.dashboard.cards import Card
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import share
from customer_genome.interfaces.views.why_words import ASSOCIATION, outcome_words

MOST_ADDED_ORDERS, MOST_SILENCE = 5, 180


def show_why(seen: Visit, record: dict[str, Any]) -> None:
    """Show the risk theme by theme, and what-if."""
    st.header("From the average customer to this one, and what if", anchor=False)
    try:
        asked = models_of(seen.key, seen.genome)
        as_is = answered(seen.key, record["customer_id"], Scenario(), seen.genome, asked)
    except GenomeError as err:
        st.info(plain(err))
        return
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            seen,
            lambda look: waterfall(as_is.points, as_is.average_risk, as_is.risk, look, said=as_is.said),
            name="why this risk",
        )
    with right:
        _show_what_if(seen, record, asked)


@st.fragment
def _show_what_if(seen: Visit, record: dict[str, Any], asked: WhatIf) -> None:
    """Let the visitor imagine orders and silence, and show risk and spend beside those of today."""
    st.markdown("**What if**")
    orders = st.slider(
        "Orders more",
        0,
        MOST_ADDED_ORDERS,
        1,
        key="what_if_orders",
        help="The last one on the last known day, others a week apart before it.",
    )
    quiet = st.slider(
        "Then days of silence", 0, MOST_SILENCE, 0, step=10, key="what_if_quiet", help="Days after the cutoff without an order."
    )
    usual = max(1.0, round(float(record["mean_order_value"]), 0))
    value = st.number_input(
        "Money of each order",
        min_value=0.01,
        value=usual,
        step=max(1.0, float(round(usual / 10))),
        key="what_if_value",
        help="By default the customer's mean order.",
    )
    found = answered(seen.key, record["customer_id"], Scenario(orders, value, quiet), seen.genome, asked)
    cards = st.grid(2, min_column_width=130, gap="small")
    points = 100 * (found.risk - record["churn_probability"])
    moves = abs(points) >= 0.5
    Card(
        f"Risk, {seen.horizon_days} days",
        share(found.risk),
        f"{points:+.0f} points" if moves else None,
        "" if moves else "as it is",
        "Probability of no order within the horizon, in the scenario; below it the difference from today.",
    ).show(cards)
    Card(
        "Expected spend",
        seen.money(found.spend, short=True),
        note=f"today {seen.money(record['predicted_spend'], short=True)}",
        meaning=f"Over the {seen.horizon_days} days that follow; imagined orders themselves are not in it.",
    ).show(cards)
    st.markdown(aside(ASSOCIATION))
    with st.expander("Usual questions"):
        for scenario in USUAL:
            one = answered(seen.key, record["customer_id"], scenario, seen.genome, asked)
            st.markdown(f"- {plain(outcome_words(one, record['churn_probability']))}")


@st.cache_resource(max_entries=4, show_spinner=False)
def models_of(key: str, _genome: Genome) -> WhatIf:
    """Return the models of a version, loaded once for all visitors."""
    del key
    return WhatIf.of(_genome)


@st.cache_data(max_entries=256, show_spinner=False)
def answered(key: str, customer_id: str, scenario: Scenario, _genome: Genome, _asked: WhatIf) -> Outcome:
    """Return what is forecast in a scenario; kept per version, customer and scenario."""
    del key
    return _asked.outcome(_genome, _genome.customer(customer_id), scenario)
