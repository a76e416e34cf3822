"""The page Value: what all customers together are expected to do, what new ones are worth, and how well the model fits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.customer_list import offer_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, say_no_dates
from customer_genome.interfaces.views.figures import count, day, share
from customer_genome.interfaces.views.value_figures import TRUST, fit_sentence, next_year, outlook


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
        st.code(f"genome run --workspace {seen.genome.snapshot.folder.parent.parent}", language=None, wrap_lines=True)
        return
    st.markdown(
        aside(
            f"All customers; the filters of the side bar do not apply here. From {day(dt.date.fromisoformat(seen.manifest['as_of']))} on, "
            "summed over today's customers, each with their own history."
        )
    )
    _show_cards(seen, tables)
    _in_pairs(seen, tables, [(charts.revenue_forecast, "forecast"), (charts.cohort_value, "cohort_forecast")])
    st.markdown(aside(TRUST))
    _show_tables(seen, tables)
    _show_fit(seen, tables)


def _show_cards(seen: Visit, tables: dict[str, pa.Table]) -> None:
    """Show the next year, a new customer's first one, and how far a forecast was off."""
    year, cohorts = next_year(seen.genome), tables["cohort_forecast"].to_pylist()
    low, high = (sum(row[f"revenue_{side}"] or 0 for row in cohorts) for side in ("lower", "upper"))
    reach = f"{seen.money(low, short=True)} to {seen.money(high, short=True)}" if high else ""
    customers = sum(row["customers"] for row in cohorts)
    first_year = sum(row["first_year_known"] + row["first_year_expected"] for row in cohorts)
    errors = tables["tracking_error"].to_pylist()
    off = errors[0]["error_of_total"] if errors else None
    show_cards(st.grid(3, min_column_width=148, gap="small"), (
        ("Next 365 days", seen.money(year["revenue"], short=True), reach or "expected revenue",
            f"Revenue expected of today's customers, undiscounted, on {count(year['purchase_days'])} purchase days. Customers yet to be won are not in "
            "it. The range adds up the 80 % ranges of the cohorts, so it is a little wider than 80 %; it holds chance and parameters, not a changed world."),
        ("A new customer", seen.money(first_year / customers if customers else None), "in the first year",
            "Revenue within 365 days of the first purchase, the first one included: known so far plus still expected, over all cohorts."),
        ("Forecast error", "–" if off is None else f"{'+' if off > 0 else '-' if off < 0 else ''}{share(abs(off))}",
            f"in {count(errors[0]['holdout_days'])} days held back" if errors else "history too short",
            "Expected against actual repeat purchase days in the last days, of a model that had not seen them. + means too many expected."),
    ))  # fmt: skip


def _show_tables(seen: Visit, tables: dict[str, pa.Table]) -> None:
    """Show forecast and cohorts as tables, and as downloads."""
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    number = st.column_config.NumberColumn
    shown: dict[str, Any] = {
        "period": "Period",
        "cohort": "First purchase in",
        "starts_on": "From",
        "ends_on": st.column_config.DateColumn("To before"),
        "customers": number("Customers", format="%,d"),
        "purchase_days": number("Purchase days", format="%,.0f"),
        "revenue": number(f"Expected{unit}", format="%,.0f"),
        "revenue_lower": number(f"80 % from{unit}", format="%,.0f"),
        "revenue_upper": number(f"80 % to{unit}", format="%,.0f"),
        "spend_so_far": number(f"Spent so far{unit}", format="%,.0f"),
        "first_year_known": number(f"First year, known{unit}", format="%,.0f"),
        "first_year_expected": number(f"First year, expected{unit}", format="%,.0f"),
    }
    with st.expander("Forecast and cohorts in figures"):
        for name, title, file in (
            ("forecast", "Forecast by month and week", "forecast.csv"),
            ("cohort_forecast", "Cohorts, the next 365 days", "cohorts.csv"),
            ("cohort_months", "Cohorts by month", "cohort_months.csv"),
        ):
            st.markdown(f"**{title}**")
            columns = [column for column in tables[name].column_names if column in shown]
            st.dataframe(
                tables[name],
                hide_index=True,
                height=320,
                placeholder="–",
                column_order=columns,
                column_config={column: shown[column] for column in columns},
            )
            offer_csv("Download (CSV)", tables[name], file, f"download_{name}")


def _show_fit(seen: Visit, tables: dict[str, pa.Table]) -> None:
    """Show the model against what happened."""
    st.header("How well does the model fit this shop?", anchor=False)
    if not tables["tracking"].num_rows:
        st.markdown(
            "The history is too short to hold a part of it back. From six weeks of history on this part shows how far the model is off."
        )
    else:
        st.markdown(plain(fit_sentence(tables["tracking_error"])))
    if tables["tracking"].num_rows:
        _in_pairs(
            seen,
            tables,
            [
                (charts.tracking_by_week, "tracking"),
                (charts.tracking_in_all, "tracking"),
                (charts.frequency_fit, "frequency_fit"),
                (charts.conditional_fit, "frequency_fit"),
            ],
        )
    if tables["alive_matrix"].num_rows:
        draw(
            seen, partial(charts.alive_matrix, tables["alive_matrix"]), tables["alive_matrix"], "chance of still being a customer"
        )


def _in_pairs(seen: Visit, tables: dict[str, pa.Table], pictures: Sequence[tuple[Callable[..., Any], str]]) -> None:
    """Show charts of tables two beside each other."""
    for place in range(0, len(pictures), 2):
        for column, (picture, name) in zip(st.columns(2, gap="large"), pictures[place : place + 2], strict=False):
            with column:
                draw(seen, partial(picture, tables[name]), tables[name], name.replace("_", " "))


show()
