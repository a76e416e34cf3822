"""The part of the page Predict that asks the models of the published version: orders in four figures, and segment, risk and spend of them.

Comes in: a visit. Goes out: fields, filled in from a customer or by hand, and what the models the version was scored with say of such a
customer. As published they give what was published. What comes out is association, no effect of making somebody order.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import streamlit as st

from customer_genome.answers.what_if import MOST_DAYS, MOST_IMAGINED, History, Outcome, WhatIf, typical_record
from customer_genome.decisions.priority import churn_band
from customer_genome.errors import GenomeError, UnknownCustomerError
from customer_genome.interfaces.charts.quality_reasons import waterfall
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.predict_answer import show_money, show_risk, show_said, warn_of_the_unknown
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.dashboard.why import models_of
from customer_genome.interfaces.views.figures import count, day
from customer_genome.interfaces.views.why_words import ASSOCIATION

BY_HAND, EXISTING = "Enter by hand", "Existing customer"
_BANDS = {"High": "an order is unlikely", "Medium": "an order is uncertain", "Low": "an order is likely"}
_LEARNED = {
    "orders": ("Orders", "n_orders"),
    "first_days": ("Days since the first order", "tenure_days"),
    "last_days": ("Days since the last order", "recency_days"),
    "order_value": ("Money per order", "mean_order_value"),
}


def can_be_asked(seen: Visit) -> bool:
    """Return whether the version was scored with models that orders can be put to."""
    wanted = {"purchases", "spend", "clusters"}
    return seen.genome.level == "orders" and "total_spend" in _columns(seen) and wanted <= set(seen.manifest.get("models", {}))


def _columns(seen: Visit) -> list[str]:
    """Return the columns that say something in this version."""
    published = seen.genome.query("select * from customers limit 0").column_names
    return list(seen.manifest.get("columns_known", published))


def show_shop(seen: Visit) -> None:
    """Show fields and answer."""
    try:
        asked = models_of(seen.key, seen.genome)
    except GenomeError as err:
        st.info(plain(err))
        return
    horizon = seen.horizon_days
    st.markdown(
        aside(
            f"The models that scored version {plain(seen.genome.snapshot.version)}, as of {day(dt.date.fromisoformat(str(seen.manifest['as_of'])[:10]))}, for the {horizon} days that "
            "follow. A customer as published gets what was published."
        )
    )
    record, customer_id = _customer(seen)
    answer = st.container()
    history = _fields(seen, record, customer_id)
    with answer:
        if history is not None:
            try:
                _show_answer(seen, asked, record, history, customer_id)
            except GenomeError as err:
                st.error(plain(err))
    st.markdown(aside(ASSOCIATION))


def _customer(seen: Visit) -> tuple[dict[str, Any], str]:
    """Show who is asked about; return their record and id, the typical customer and no id for nobody in particular."""
    ways = [BY_HAND] if seen.masks else [EXISTING, BY_HAND]
    way = st.segmented_control("Fields", ways, default=ways[0], key="shop_way", label_visibility="collapsed", required=True)
    if way == EXISTING:
        asked = st.selectbox(
            "Customer",
            _first_ids(seen.key, seen),
            accept_new_options=True,
            key="shop_customer",
            help="Type an id; the thousand with most value at risk are listed.",
        )
        try:
            return seen.genome.customer(str(asked)), str(asked)
        except UnknownCustomerError as err:
            st.warning(plain(str(err)) + " The fields show a typical customer.")
    return _typical(seen.key, seen), ""


@st.cache_data(show_spinner=False, max_entries=3)
def _first_ids(key: str, _seen: Visit) -> list[str]:
    """Return the ids offered unasked."""
    del key
    found = _seen.genome.query("select customer_id from customers order by expected_value_loss desc nulls last, 1 limit 1000")
    return list(found.column(0).to_pylist())


@st.cache_data(show_spinner=False, max_entries=3)
def _typical(key: str, _seen: Visit) -> dict[str, Any]:
    """Return the typical customer of a version."""
    del key
    return typical_record(_seen.genome)


@st.cache_data(show_spinner=False, max_entries=3)
def _ranges(key: str, _seen: Visit) -> dict[str, tuple[float, float]]:
    """Return the least and the largest figure of a version's customers by field."""
    del key
    listed = ", ".join(f"min({column}) as {name}_low, max({column}) as {name}_high" for name, (_, column) in _LEARNED.items())
    row = _seen.genome.query(f"select {listed} from customers").to_pylist()[0]
    return {name: (float(row[f"{name}_low"]), float(row[f"{name}_high"])) for name in _LEARNED}


def _fields(seen: Visit, record: dict[str, Any], customer_id: str) -> History | None:
    """Show the four fields; return what is in them, None where it cannot be."""
    own, ranges = History.of(record), _ranges(seen.key, seen)
    st.header("Fields", anchor=False)
    st.markdown(
        aside(
            "Other facts, such as products and returns, stay as they are"
            + (" with this customer." if customer_id else ", those of a typical customer; orders lie evenly spaced.")
        )
    )
    grid = st.grid(4, min_column_width=170, gap="small")
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    filled: dict[str, float] = {}
    for name, (title, _) in _LEARNED.items():
        low, high = ranges[name]
        is_money = name == "order_value"
        most = None if is_money else MOST_IMAGINED if name == "orders" else MOST_DAYS
        value = float(getattr(own, name)) if is_money else int(getattr(own, name))
        filled[name] = grid.number_input(
            f"{title}{unit if is_money else ''}",
            min_value=0.01 if is_money else 1,
            max_value=most,
            value=value,
            step=None if not is_money else max(1.0, float(round(value / 10))),
            format="%.2f" if is_money else "%d",
            key=f"shop.{customer_id}.{name}",
            help=f"{count(low) if low >= 1 else f'{low:.2f}'} to {count(high)} among the customers of this version",
        )
    money = filled["order_value"] if abs(filled["order_value"] - round(own.order_value, 2)) > 1e-9 else own.order_value
    try:
        return History(int(filled["orders"]), int(filled["first_days"]), int(filled["last_days"]), float(money))
    except GenomeError as err:
        st.warning(plain(err))
        return None


def unknown_to(history: History, ranges: dict[str, tuple[float, float]]) -> list[str]:
    """Return which figures lie outside those of the customers of the version."""
    faults = []
    for name, (title, _) in _LEARNED.items():
        value, (low, high) = float(getattr(history, name)), ranges[name]
        if not low <= value <= high:
            faults.append(f"{title}: {count(value)}; learned from {count(low)} to {count(high)}.")
    return faults


def _show_answer(seen: Visit, asked: WhatIf, record: dict[str, Any], history: History, customer_id: str) -> None:
    """Show segment, risk, spend and reasons."""
    found, segment = _answered(seen.key, customer_id, history, seen, asked, record)
    is_changed = bool(customer_id) and history != History.of(record)
    cuts = seen.manifest["settings"]["segments"]["churn_bands"]
    band = churn_band([found.risk], cuts)[0].as_py()
    st.header(f"Prediction for {plain(customer_id)}" if customer_id else "Prediction", anchor=False)
    warn_of_the_unknown(unknown_to(history, _ranges(seen.key, seen)))
    was = f" {aside('published: ' + plain(record['segment_name']))}" if is_changed and segment != record["segment_name"] else ""
    st.markdown(f"Segment: **{plain(segment)}**{was}")
    left, right = st.columns(2, gap="medium")
    with left:
        with st.container(border=True):
            show_risk(
                f"Risk, {seen.horizon_days} days", found.risk, band, _BANDS[band], found.average_risk, "the risk of the average customer",
                was=float(record["churn_probability"]) if is_changed else None,
            )  # fmt: skip
            show_said(found.reasons)
        with st.container(border=True):
            show_money(
                f"Spend in {seen.horizon_days} days",
                seen.money(found.spend),
                seen.money(found.lower),
                seen.money(found.upper),
                "Expected money of orders within the horizon, without discount and margin.",
                was=seen.money(record["predicted_spend"]) if is_changed else None,
            )
    with right:
        draw(
            seen,
            lambda look: waterfall(found.points, found.average_risk, found.risk, look, said=found.said),
            name="why this risk",
        )


@st.cache_data(max_entries=256, show_spinner=False)
def _answered(
    key: str, customer_id: str, history: History, _seen: Visit, _asked: WhatIf, _record: dict[str, Any]
) -> tuple[Outcome, str]:
    """Return what is forecast of a history; kept per version, customer and history."""
    del key, customer_id
    return _asked.predicted(_seen.genome, _record, history)
