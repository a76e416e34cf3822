"""Charts as they stand in a page that works offline: drawn as SVG for screen and phone, with words and figures beside them.

Comes in: an open `Genome`. Goes out: `Picture` values, ready for a template. Colours stay names that the page's style
sheet fills in, so one drawing serves light, dark and paper. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import vl_convert

from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import NARROW, Look, heading_of, untitled
from customer_genome.interfaces.views import overview
from customer_genome.interfaces.views.figures import count, day, share
from customer_genome.interfaces.views.row_classes import CLASS_WORDS

PAGE_WIDTH = 512
"""Pixels of a drawing in a column of the page on a screen."""

Column = tuple[str, Callable[[dict[str, Any]], str]]
Draw = Callable[[Look], Any]


@dataclass(frozen=True)
class Picture:
    """One chart in a page.

    Attributes
    ----------
    title, note : the finding, and what is drawn in which unit
    words : what a screen reader says instead of the drawing
    wide, narrow : SVG for a screen and for a phone
    headers, rows : the same figures as a table
    """

    name: str
    title: str
    note: str
    words: str
    wide: str
    narrow: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def pictures_of(genome: Genome) -> dict[str, Picture]:
    """Return every chart of the page by name; countries and categories only where there are several."""
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    periods, parts, over_time, per_segment = (
        overview.over_time(genome),
        overview.segments(genome),
        _period_columns(look),
        _segment_columns(look),
    )
    drawn = [
        _drawn(charts.revenue_over_time, periods, over_time),
        _drawn(charts.customers_over_time, periods, over_time),
        _drawn(charts.segment_sizes, parts, per_segment),
        _drawn(charts.segment_spend, parts, per_segment),
        _drawn(charts.segment_value, parts, per_segment),
        _drawn(charts.value_at_risk, overview.value_at_risk(genome), _risk_columns(look)),
        _drawn(charts.order_counts, overview.order_counts(genome), _order_columns(look)),
        _drawn(charts.concentration, overview.concentration(genome), _curve_columns()),
        _drawn(charts.recency_frequency, overview.recency_frequency(genome), _recency_columns(look)),
        _drawn(charts.spend_value, overview.spend_value(genome), _spend_columns(look)),
    ]
    places, kinds, ledger = overview.countries(genome), overview.categories(genome), overview.ledger(genome)
    if places.num_rows > 1:
        drawn.append(_drawn(charts.revenue_by_country, places, _share_columns("country", "Country", look)))
    if kinds.num_rows > 1:
        drawn.append(_drawn(charts.revenue_by_category, kinds, _share_columns("category", "Category", look)))
    drawn.append(("row_ledger", lambda at: charts.row_ledger(ledger, CLASS_WORDS, at), ledger, _ledger_columns(look)))
    return {name: picture(name, draw, table, columns, look) for name, draw, table, columns in drawn}


def pictures_of_totals(genome: Genome) -> dict[str, Picture]:
    """Return the charts that a version made from customers with totals can give; none over time, none of the size of borrowed money."""
    look = Look("page", genome.currency, PAGE_WIDTH, int(genome.manifest["horizon_days"]))
    known, parts = set(genome.manifest.get("columns_known", ())), overview.segments(genome)
    per_segment = [column for column in _segment_columns(look) if "alue" not in column[0]]
    drawn = [_drawn(charts.segment_sizes, parts, per_segment)]
    if "total_spend" in known:
        drawn.append(_drawn(charts.segment_spend, parts, per_segment))
        drawn.append(_drawn(charts.concentration, overview.concentration(genome), _curve_columns()))
    if {"n_orders", "total_spend"} <= known:
        drawn.append(_drawn(charts.order_counts, overview.order_counts(genome), _order_columns(look)))
    if {"n_orders", "total_spend", "recency_days"} <= known:
        drawn.append(_drawn(charts.recency_frequency, overview.recency_frequency(genome), _recency_columns(look)))
    places = overview.countries(genome)
    if places.num_rows > 1 and "total_spend" in known:
        drawn.append(_drawn(charts.revenue_by_country, places, _share_columns("country", "Country", look)))
    return {name: picture(name, draw, table, columns, look) for name, draw, table, columns in drawn}


def picture(name: str, draw: Draw, table: pa.Table, columns: Sequence[Column], look: Look) -> Picture:
    """Return a chart drawn for screen and phone, with its words and its table."""
    chart = draw(look)
    title, note = heading_of(chart)
    rows = table.to_pylist()
    return Picture(
        name=name,
        title=title,
        note=note,
        words=chart.description,
        wide=svg(chart, f"{name}-wide"),
        narrow=svg(draw(replace(look, width=NARROW)), f"{name}-narrow"),
        headers=tuple(header for header, _ in columns),
        rows=tuple(tuple(text(row) for _, text in columns) for row in rows),
    )


def svg(chart: Any, name: str) -> str:
    """Return a chart without its title as SVG that can stand inside a page.

    Ids become `name` and a number, so that none is there twice and the same chart always gives the same text. Texts from the
    data were escaped by Vega.
    """
    text: str = vl_convert.vegalite_to_svg(untitled(chart).to_dict())
    numbers = {found: place for place, found in enumerate(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text)))}
    text = re.sub(r'\bid="([^"]+)"', lambda match: f'id="{name}-{numbers[match[1]]}"', text)
    text = re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{name}-{numbers[match[1]]})", text)
    text = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", text)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def _drawn(
    draw: Callable[[pa.Table, Look], Any], table: pa.Table, columns: Sequence[Column]
) -> tuple[str, Draw, pa.Table, Sequence[Column]]:
    """Return the entry of a chart that is drawn from one table."""
    return draw.__name__, lambda look: draw(table, look), table, columns


def _period_columns(look: Look) -> list[Column]:
    """Return the columns of figures over time."""
    return [
        ("From", lambda row: day(row["starts_on"])),
        ("Days known", lambda row: f"{row['days_known']} of {row['days']}"),
        ("Revenue", lambda row: look.money(row["revenue"])),
        ("Orders", lambda row: count(row["orders"])),
        ("Active customers", lambda row: count(row["customers"])),
        ("First order ever", lambda row: count(row["new_customers"])),
    ]


def _segment_columns(look: Look) -> list[Column]:
    """Return the columns of segments."""
    return [
        ("Segment", lambda row: row["segment"]),
        ("Customers", lambda row: f"{count(row['customers'])} ({share(row['customer_share'])})"),
        ("Revenue so far", lambda row: f"{look.money(row['revenue'])} ({share(row['revenue_share'])})"),
        ("Spend per customer", lambda row: look.money(row["mean_spend"])),
        ("Value, 180 days", lambda row: f"{look.estimate(row['clv'])} ({share(row['clv_share'])})"),
        ("Value per customer", lambda row: look.estimate(row["mean_clv"])),
        ("Value at risk", lambda row: look.estimate(row["value_at_risk"])),
    ]


def _risk_columns(look: Look) -> list[Column]:
    """Return the columns of value against risk."""
    return [
        ("Value band", lambda row: row["clv_band"]),
        ("Risk band", lambda row: row["churn_band"]),
        ("Customers", lambda row: count(row["customers"])),
        ("Value, 180 days", lambda row: look.estimate(row["clv"])),
        ("Value at risk", lambda row: look.estimate(row["value_at_risk"])),
    ]


def _order_columns(look: Look) -> list[Column]:
    """Return the columns of customers by number of orders."""
    return [
        ("Orders so far", lambda row: row["orders"]),
        ("Customers", lambda row: f"{count(row['customers'])} ({share(row['customer_share'])})"),
        ("Their revenue", lambda row: f"{look.money(row['revenue'])} ({share(row['revenue_share'])})"),
    ]


def _curve_columns() -> list[Column]:
    """Return the columns of the concentration of revenue."""
    return [
        ("Customers, largest first", lambda row: share(row["customer_share"])),
        ("Share of revenue", lambda row: share(row["revenue_share"])),
    ]


def _recency_columns(look: Look) -> list[Column]:
    """Return the columns of recency against frequency."""
    return [
        ("Days since the last order", lambda row: f"{row['recency_from'] + 1:,}–{row['recency_to']:,}"),
        ("Orders so far", lambda row: row["orders"]),
        ("Customers", lambda row: count(row["customers"])),
        ("Their revenue", lambda row: look.money(row["revenue"])),
    ]


def _spend_columns(look: Look) -> list[Column]:
    """Return the columns of spend against value."""
    return [
        ("Money so far", lambda row: f"{look.estimate(row['spend_from'])} to {look.estimate(row['spend_to'])}"),
        ("Expected value, 180 days", lambda row: f"{look.estimate(row['clv_from'])} to {look.estimate(row['clv_to'])}"),
        ("Customers", lambda row: count(row["customers"])),
    ]


def _share_columns(column: str, header: str, look: Look) -> list[Column]:
    """Return the columns of revenue by something."""
    return [
        (header, lambda row: row[column]),
        ("Revenue so far", lambda row: look.money(row["revenue"])),
        ("Share", lambda row: share(row["revenue_share"])),
    ]


def _ledger_columns(look: Look) -> list[Column]:
    """Return the columns of the row ledger."""
    return [
        ("Class", lambda row: row["row_class"]),
        ("What it is", lambda row: CLASS_WORDS.get(row["row_class"], "")),
        ("Rows", lambda row: count(row["n_rows"])),
        ("Share", lambda row: share(row["row_share"])),
        ("Money", lambda row: look.money(row["revenue"])),
    ]
