"""The page Value: what all customers together are expected to do, what new ones are worth, and how well the model fits."""

from __future__ import annotations

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, say_no_dates
from customer_genome.interfaces.figures import count, share
from customer_genome.interfaces.value_figures import TRUST, fit_sentence, next_year, outlook


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("Value of all customers", anchor=False)
    if is_of_totals(seen):
        say_no_dates(seen)
        return
    tables = outlook(seen.genome)
    if not tables["forecast"].num_rows:
        st.info(f"{seen.genome.snapshot.version} was published without forecasts. Publish again and they are here:")
        st.code(f"genome run --workspace {seen.genome.snapshot.folder.parent.parent}", language="bash")
        return
    st.markdown(
        aside("All customers; the filters of other pages do not apply. Sums over today's customers, each with their own history.")
    )
    _show_cards(seen, tables)
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, lambda look: charts.revenue_forecast(tables["forecast"], look))
    with right:
        draw(seen, lambda look: charts.cohort_value(tables["cohort_forecast"], look))
    st.markdown(aside(TRUST))
    _show_tables(tables)
    _show_fit(seen, tables)


def _show_cards(seen: Visit, tables: dict[str, pa.Table]) -> None:
    """Show the next year, a new customer's first one, and how far a forecast was off."""
    year, cohorts = next_year(seen.genome), tables["cohort_forecast"].to_pylist()
    customers = sum(row["customers"] for row in cohorts)
    first_year = sum(row["first_year_known"] + row["first_year_expected"] for row in cohorts)
    cards = st.grid(3, min_column_width=148, gap="small")
    cards.metric(
        "Next 365 days",
        money_in_markdown(seen.money(year["revenue"], short=True)),
        f"{count(year['purchase_days'])} purchase days",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help="Revenue expected of today's customers, undiscounted. Customers yet to be won are not in it.",
    )
    cards.metric(
        "A new customer",
        money_in_markdown(seen.money(first_year / customers if customers else None)),
        "in the first year",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help="Revenue within 365 days of the first purchase, the first one included: known so far plus still expected, over all cohorts.",
    )
    errors = tables["tracking_error"].to_pylist()
    off = errors[0]["error_of_total"] if errors else None
    cards.metric(
        "Forecast error",
        "–" if off is None else f"{'+' if off > 0 else '-' if off < 0 else ''}{share(abs(off))}",
        f"in {count(errors[0]['holdout_days'])} days held back" if errors else "history too short",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help="Expected against actual repeat purchase days in the last days, of a model that had not seen them. + means too many expected.",
    )


def _show_tables(tables: dict[str, pa.Table]) -> None:
    """Show forecast and cohorts as tables, and as downloads."""
    with st.expander("Forecast and cohorts in figures"):
        for name, file in (
            ("forecast", "forecast.csv"),
            ("cohort_forecast", "cohorts.csv"),
            ("cohort_months", "cohort_months.csv"),
        ):
            st.dataframe(tables[name], hide_index=True, height=320, placeholder="–")
            st.download_button(
                "Download (CSV)",
                table_as_csv(tables[name]),
                file_name=file,
                mime="text/csv",
                on_click="ignore",
                key=f"download_{name}",
            )


def _show_fit(seen: Visit, tables: dict[str, pa.Table]) -> None:
    """Show the model against what happened."""
    st.header("How well does the model fit this shop?", anchor=False)
    if not tables["tracking"].num_rows:
        st.markdown(
            "The history is too short to hold a part of it back. From six weeks of history on this part shows how far the model is off."
        )
    else:
        st.markdown(plain(fit_sentence(tables["tracking_error"])))
    left, right = st.columns(2, gap="large")
    if tables["tracking"].num_rows:
        with left:
            draw(seen, lambda look: charts.tracking_by_week(tables["tracking"], look))
            draw(seen, lambda look: charts.frequency_fit(tables["frequency_fit"], look))
        with right:
            draw(seen, lambda look: charts.tracking_in_all(tables["tracking"], look))
            draw(seen, lambda look: charts.conditional_fit(tables["frequency_fit"], look))
    if tables["alive_matrix"].num_rows:
        with left:
            draw(seen, lambda look: charts.alive_matrix(tables["alive_matrix"], look))


show()
