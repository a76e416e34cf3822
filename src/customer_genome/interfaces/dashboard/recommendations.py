"""The page Recommendations: lists for a customer, what goes with a product, and how good the lists are against popularity."""

from __future__ import annotations

from functools import partial

import pyarrow as pa
import streamlit as st

from customer_genome.errors import UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.interfaces.charts.lists import LABEL, MEANING, list_quality
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.recommended import TITLES, sentence, show_recommended
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.figures import count, share
from customer_genome.interfaces.lists import NO_LISTS, has_lists, quality_rows, together_with

MOST_PRODUCTS = 2_000


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("Recommendations", anchor=False)
    if not has_lists(seen.genome):
        st.info(NO_LISTS)
        return
    st.markdown(
        "What each customer may buy again, and what they have never bought but may want. The two are never mixed, "
        "and each is held against simply offering what is popular."
    )
    _show_customer(seen)
    _show_product(seen)
    _show_quality(seen)


def _show_customer(seen: Visit) -> None:
    """Show the lists of the customer who is asked for."""
    first = seen.genome.query("select customer_id from customers order by total_spend desc, customer_id limit 1")["customer_id"]
    asked = st.text_input("Customer", value=first[0].as_py() if len(first) else "", key="recommended_customer", max_chars=200)
    try:
        record = seen.genome.customer(asked.strip())
    except UnknownCustomerError as err:
        st.warning(plain(err))
        return
    show_recommended(seen, record)


@st.cache_data(max_entries=8, show_spinner=False)
def products_with_companions(key: str, _genome: Genome) -> list[tuple[str, str]]:
    """Return id and name of the products with companions, most baskets first."""
    del key
    rows = _genome.query(
        "select product_id, description, sum(baskets) as n from bought_together group by 1, 2 order by n desc, 1 limit ?",
        [MOST_PRODUCTS],
    )
    return [(row["product_id"], row["description"]) for row in rows.to_pylist()]


def _show_product(seen: Visit) -> None:
    """Show what is bought together with a product."""
    st.header("Bought together", anchor=False)
    products = products_with_companions(seen.key, seen.genome)
    if not products:
        st.markdown(aside("No two products stand in the same baskets more often than chance explains."))
        return
    chosen = st.selectbox(
        "Product",
        products,
        format_func=lambda one: f"{sentence(one[1])} ({one[0]})" if one[1] != one[0] else one[0],
        key="together_product",
    )
    rows = together_with(seen.genome, chosen[0], 5)["rows"]
    table = pa.table(
        {
            "Goes with": [sentence(row["with_description"]) for row in rows],
            "Baskets with both": [count(row["baskets"]) for row in rows],
            "Share": [share(row["share"]) for row in rows],
            "Lift": [f"{row['lift']:.1f} ×" for row in rows],
        }
    )
    st.dataframe(table, hide_index=True, height="content", width="stretch")
    st.markdown(
        aside(
            "A basket is what one customer bought on one day. Share: of the baskets with this product, those that also hold the other. "
            "Lift: how many times more often than by chance. Only pairs far beyond chance are shown."
        )
    )


def _show_quality(seen: Visit) -> None:
    """Show how good each view's recommenders were on the last days."""
    st.header("How good the lists are", anchor=False)
    found = quality_rows(seen.genome)
    places = st.columns(max(1, len(found)), gap="large")
    for place, (view, (words, rows)) in zip(places, found.items(), strict=True):
        with place:
            if rows:
                draw(seen, partial(list_quality, rows, title=TITLES[view]))
            st.markdown(aside(plain(words)))
    st.markdown(aside(f"{LABEL}. {MEANING} Measured on what customers bought in the last days, from what was known before them."))


show()
