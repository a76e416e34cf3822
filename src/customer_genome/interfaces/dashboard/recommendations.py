"""The page Recommendations: lists for a customer, what goes with a product, and how good the lists are against popularity."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import streamlit as st

from customer_genome.errors import SnapshotError, UnknownCustomerError
from customer_genome.genome import Genome
from customer_genome.interfaces.charts.lists import list_quality
from customer_genome.interfaces.charts.lists_backtest import by_items_owned, list_figure
from customer_genome.interfaces.dashboard.drawing import draw, offer_table
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.recommended import MOST_LISTED, sentence, show_recommended
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals
from customer_genome.interfaces.views.figures import count, day
from customer_genome.interfaces.views.list_evidence import (
    LIST_FIGURES,
    VIEWS,
    ListEvidence,
    RatingEvidence,
    list_evidence,
    rating_evidence,
)
from customer_genome.interfaces.views.lists import NO_LISTS, has_lists, lists_of, quality_rows, together_with

MOST_PRODUCTS = 2_000
MOST_COMPANIONS = 10
NO_TOTALS = (
    "This version was made from one row per customer with totals. It names no product, so nothing can be recommended. Order lines (customer, "
    "time, product, money) would give lists: `genome run orders.csv`."
)


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("Recommendations", anchor=False)
    if not has_lists(seen.genome):
        st.info(NO_TOTALS if is_of_totals(seen) else NO_LISTS)
        return
    st.markdown(
        "What each customer may like of what they have not rated, held against simply offering what most people like."
        if seen.genome.level == "ratings"
        else "What each customer may buy again, and what they have never bought but may want. The two are never mixed, "
        "and each is held against simply offering what is popular."
    )
    _show_customer(seen)
    _show_product(seen)
    st.header("How good the lists are", anchor=False)
    st.markdown(aside("Of all customers; the filters do not apply."))
    view = _view(seen)
    _show_quality(seen, view)
    _show_backtest(seen, view)


def _view(seen: Visit) -> str:
    """Show the choice of a view among those that were measured, and return it."""
    known = quality_rows(seen.genome)
    views = [view for view in VIEWS if view in known] or list(VIEWS)
    chosen: str = st.segmented_control(
        "Lists", views, format_func=lambda view: VIEWS[view], default=views[0], required=True, key="list_view", bind="query-params",
        help="Buy again: bought before. Try next: never bought. All items: both in one order.",
    )  # fmt: skip
    return chosen


def _show_customer(seen: Visit) -> None:
    """Show the lists of the customer who is asked for."""
    if seen.masks:
        st.markdown(aside("Lists of one customer stand on the customer's own page: choose one in the list of customers."))
        return
    first = seen.genome.query("select customer_id from customers order by total_spend desc, customer_id limit 1")["customer_id"]
    asked = st.text_input(
        "Customer", value=first[0].as_py() if len(first) else "", key="recommended_customer", max_chars=200, width=420,
        help="A customer's id; at first the one who spent most.",
    )  # fmt: skip
    try:
        record = seen.genome.customer(asked.strip())
    except UnknownCustomerError as err:
        st.warning(plain(err))
        return
    show_recommended(seen, record)
    if any(lists_of(seen.genome, record["customer_id"], list(VIEWS), 1)["lists"].values()):
        offer_table(seen, lambda: _lists_table(seen.genome, record["customer_id"]), "Lists of a customer", names_customers=True)


def _lists_table(genome: Genome, customer_id: str) -> pa.Table:
    """Return a customer's lists as one table, the items that the page shows."""
    found = lists_of(genome, customer_id, list(VIEWS), MOST_LISTED)["lists"]
    rows = [{"customer_id": customer_id, "list": VIEWS[view]} | row for view, listed in found.items() for row in listed]
    return pa.Table.from_pylist(rows)


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
        width=420,
    )
    rows = together_with(seen.genome, chosen[0], MOST_COMPANIONS)["rows"]
    table = pa.table(
        {
            "product": [sentence(row["with_description"]) for row in rows],
            "baskets": pa.array([row["baskets"] for row in rows], pa.int64()),
            "support": pa.array([row["support"] for row in rows], pa.float64()),
            "share": pa.array([row["share"] for row in rows], pa.float64()),
            "lift": pa.array([row["lift"] for row in rows], pa.float64()),
            "test": [chance_in_words(row["p_value"]) for row in rows],
        }
    )
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={
            "product": text("Goes with"),
            "baskets": number("Baskets with both", format="%,d"),
            "support": number("Support", format="percent", step=0.0001, help="Of all baskets, those with both."),
            "share": number(
                "Share", format="percent", step=0.001, help="Of the baskets with this product, those that also hold the other."
            ),
            "lift": number("Lift", format="%.1f ×", help="How many times more often than by chance."),
            "test": text(
                "By chance",
                help="How likely so many baskets with both would be if the two had nothing to do with each other (p-value).",
            ),
        },
    )
    offer_table(seen, table, f"Bought together with {chosen[0]}")
    st.markdown(
        aside(
            "A basket is what one customer bought on one day. Only pairs are kept that chance would hardly make in such a table."
        )
    )


def chance_in_words(p_value: float | None) -> str:
    """Return a p-value as people read it.

    Examples
    --------
    >>> chance_in_words(0.0), chance_in_words(3e-12), chance_in_words(0.004), chance_in_words(None)
    ('< 1 in a billion', '< 1 in a billion', '1 in 250', '–')
    """
    if p_value is None:
        return "–"
    return "< 1 in a billion" if p_value < 1e-9 else f"1 in {count(1 / p_value)}"


def _show_quality(seen: Visit, view: str) -> None:
    """Show how good a view's recommenders were on the days by which the lists were chosen."""
    found = quality_rows(seen.genome).get(view)
    if found is None:
        st.markdown(aside(f"Nothing was measured of {VIEWS[view].lower()}: too few customers bought in the last days."))
        return
    words, rows = found
    st.subheader("What chose the published lists", anchor=False)
    st.markdown(aside(f"{plain(words)} Measured on what customers bought in the last days, from what was known before them."))
    table = _quality_table(seen.genome, view)
    left, right = st.columns(2, gap="large")
    if rows:
        with left:
            draw(seen, lambda look: list_quality(rows, look, title=VIEWS[view]), table, f"Recommenders {VIEWS[view]}")
    number = st.column_config.NumberColumn
    with right:
        st.dataframe(
            table,
            hide_index=True,
            height="content",
            placeholder="–",
            column_config={
                "recommender": st.column_config.TextColumn("Recommender"),
                "ndcg": number("NDCG@10", format="%.3f", help=LIST_FIGURES[0].meaning),
                "less_popularity": number("Above popularity", format="%+.3f", help="NDCG@10 less that of popularity."),
                "lower": number("from", format="%+.3f", help="95 % interval of that difference, over customers."),
                "upper": number("to", format="%+.3f", help="95 % interval of that difference, over customers."),
                "customers": number("Customers", format="%,d"),
            },
        )
        offer_table(seen, table, f"Recommenders {VIEWS[view]} compared")


def _quality_table(genome: Genome, view: str) -> pa.Table:
    """Return the comparison that chose a view's lists."""
    return genome.query(
        "select candidate as recommender, ndcg, difference as less_popularity, lower, upper, n_judged as customers "
        "from recommendation_quality where view = ? order by ndcg desc nulls last, candidate",
        [view],
    )


def _show_backtest(seen: Visit, view: str) -> None:
    """Show the stored backtest of lists, or which command makes one."""
    st.subheader("At past days", anchor=False)
    try:
        found = rating_evidence(seen.genome) if seen.genome.level == "ratings" else list_evidence(seen.genome)
    except SnapshotError as err:
        st.warning(plain(err))
        return
    if found is None and seen.genome.level == "ratings":
        st.info(
            "How good lists from ratings are, and how near expected ratings come, is told by a backtest of the folder of ratings. Run it, then reload this page:"
        )
        st.code(
            f"genome backtest FOLDER --recommendations --workspace {seen.genome.snapshot.folder.parent.parent}",
            language=None,
            wrap_lines=True,
        )
        return
    if found is None:
        sources = seen.manifest.get("sources", {})
        label = next((one["label"] for one in sources.values()), "orders.csv")
        st.info(
            "No backtest of lists was run in this workspace. It makes lists as of past days, the choice of the recommender included, and counts what came of them."
        )
        st.markdown("Run it with the data of this version, then reload this page; it takes some minutes and publishes nothing:")
        root = seen.genome.snapshot.folder.parent.parent
        st.code(f"genome backtest {label} --recommendations --workspace {root}", language=None, wrap_lines=True)
        return
    st.markdown(aside(plain(found.lead())))
    if isinstance(found, RatingEvidence):
        _show_rated(seen, found)
        return
    said = [text for text in found.found.get("words", []) if text.startswith(_title_of(view))]
    if said:
        st.markdown(f"**{plain(said[0])}**")
    _show_day(seen, found, view)


def _show_rated(seen: Visit, found: RatingEvidence) -> None:
    """Show how good lists from ratings were, and how near expected ratings came."""
    _show_day(seen, found, "new")
    table = found.errors()
    if not table.num_rows:
        return
    st.subheader("How near expected ratings come", anchor=False)
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        column_config={
            "split": text("Held back"),
            "model": text("Model"),
            "rmse": number("RMSE", format="%.3f", help="Typical error in points of the scale; large errors count more."),
            "mae": number("MAE", format="%.3f", help="Mean error in points of the scale."),
            "ratings": number("Ratings", format="%,d"),
            "settings": text("Settings"),
        },
    )
    offer_table(seen, table, "Errors of expected ratings")
    st.markdown(aside("Later ratings are harder than ratings drawn at random: tastes and raters change."))


def _day(text: str) -> str:
    """Return a day of the file as people write it; other words stay."""
    return day(dt.date.fromisoformat(text)) if text[:1].isdigit() else text.capitalize()


def _title_of(view: str) -> str:
    """Return how the sentences of the backtest call a view."""
    return {"again": "Buy again", "new": "New to the customer", "all": "All items"}[view]


def _show_day(seen: Visit, found: ListEvidence, view: str) -> None:
    """Show recommenders of a day side by side, who gains, and all figures."""
    labels = {figure.label: figure for figure in LIST_FIGURES}
    with st.container(horizontal=True, gap="small"):
        is_rated = isinstance(found, RatingEvidence)
        as_of = st.selectbox(
            "Held back" if is_rated else "As of", found.days, format_func=_day, key="list_day", width=320 if is_rated else 200
        )
        figure = labels[
            st.selectbox("Figure", list(labels), key="list_figure", width=200, help="Which figure the chart compares.")
        ]
    rows = found.rows(as_of, view, figure.name)
    if not rows:
        st.info(f"Nobody could be judged in {VIEWS[view].lower()} as of {_day(as_of)}.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            seen,
            lambda look: list_figure(
                rows,
                look,
                label=figure.label,
                meaning=figure.meaning,
                title=VIEWS[view],
                random=found.random(as_of, view, figure.name),
            ),
            name=f"{figure.label} {VIEWS[view]} {as_of}",
        )
    with right:
        if sizes := found.sizes(as_of, view):
            draw(seen, lambda look: by_items_owned(sizes, look), name=f"By items owned {VIEWS[view]} {as_of}")
        st.markdown(aside(plain(found.buyers(as_of))))
    _show_figures(seen, found, view, as_of)


def _show_figures(seen: Visit, found: ListEvidence, view: str, as_of: str) -> None:
    """Show every figure of every recommender."""
    table = found.table(as_of, view)
    number = st.column_config.NumberColumn
    shares = {"hit_rate": "percent", "coverage": "percent", "novelty": "%.1f"}
    st.dataframe(
        table.select(
            ["recommender", *(one.name for one in LIST_FIGURES), "less_popularity", "less_lower", "less_upper", "times_random"]
        ),
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            "recommender": st.column_config.TextColumn("Recommender"),
            **{
                one.name: number(one.label, format=shares.get(one.name, "%.3f"), step=0.001, help=one.meaning)
                for one in LIST_FIGURES
            },
            "less_popularity": number("Above popularity", format="%+.3f", help="NDCG@10 less that of popularity."),
            "less_lower": number("from", format="%+.3f", help="95 % interval of that difference, over customers."),
            "less_upper": number("to", format="%+.3f", help="95 % interval of that difference, over customers."),
            "times_random": number("Times chance", format="%.1f ×", help="NDCG@10 over that of lists drawn at random."),
        },
    )
    offer_table(seen, table, f"Backtest of lists {VIEWS[view]} {as_of}")


show()
