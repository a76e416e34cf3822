"""Charts: readable in light and dark, true titles, no broken drawing for any data, and never more than a page can hold."""

from __future__ import annotations

import datetime as dt
import html
import re
from dataclasses import replace

import pyarrow as pa
import pytest
import vl_convert

from customer_genome.interfaces import charts
from customer_genome.interfaces.charts import heat
from customer_genome.interfaces.charts.look import DARK, LIGHT, PAGE, Look, Palette, heading_of, room_for, untitled
from customer_genome.interfaces.views.row_classes import CLASS_WORDS

LOOK = Look(currency="GBP")
NAUGHTY = "<script>alert('x')</script> & Söhne \"GmbH\""


def periods(*months: tuple[str, float, int, bool]) -> pa.Table:
    """Months as `overview.over_time` gives them: first day, revenue, customers, whether whole."""
    rows = []
    for text, revenue, customers, is_complete in months:
        start = dt.date.fromisoformat(text)
        end = (start + dt.timedelta(days=32)).replace(day=1)
        days = (end - start).days
        rows.append(
            {
                "period": "month", "starts_on": start, "ends_on": end, "days": days, "days_known": days if is_complete else 9,
                "is_complete": is_complete, "revenue": revenue, "orders": customers, "customers": customers, "new_customers": 1,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows)


def segments(*names: str) -> pa.Table:
    """Segments as `overview.segments` gives them, each half as large as the one before."""
    sizes = [1000 / 2**place for place in range(len(names))]
    rows = [
        {
            "segment": name, "customers": int(size), "customer_share": size / sum(sizes), "revenue": 50 * size,
            "revenue_share": size / sum(sizes), "mean_spend": 50.0, "mean_orders": 2.0, "median_recency_days": 30.0,
            "churn_probability": 0.3, "clv": 20 * size, "mean_clv": 20.0, "median_clv": 9.0, "clv_share": size / sum(sizes), "value_at_risk": 6 * size,
        }
        for name, size in zip(names, sizes, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


CELLS = pa.Table.from_pylist(
    [
        {"clv_band": "High", "churn_band": "High", "customers": 2, "clv": 900.0, "value_at_risk": 700.0},
        {"clv_band": "High", "churn_band": "Low", "customers": 1, "clv": 500.0, "value_at_risk": 50.0},
    ]
)
COUNTS = pa.Table.from_pylist(
    [
        {"place": 0, "orders": "1", "customers": 75, "customer_share": 0.75, "revenue": 750.0, "revenue_share": 0.3},
        {"place": 4, "orders": "6–10", "customers": 25, "customer_share": 0.25, "revenue": 1750.0, "revenue_share": 0.7},
    ]
)
CURVE = pa.Table.from_pylist([{"customer_share": share / 100, "revenue_share": (share / 100) ** 0.25} for share in range(101)])
RECENCY = pa.Table.from_pylist(
    [
        {"recency_from": 30 * bin_, "recency_to": 30 * bin_ + 30, "place": place, "orders": label, "customers": 1 + 500 * bin_, "revenue": 9.0, "value_at_risk": 1.0}
        for bin_ in range(4)
        for place, label in ((0, "1"), (4, "6–10"))
    ]
)  # fmt: skip
SPENT = pa.Table.from_pylist(
    [
        {"spend_from": 10.0, "spend_to": 21.5, "clv_from": 4.6, "clv_to": 10.0, "customers": 9, "n_as_much_again": 0, "revenue": 150.0, "clv": 70.0},
        {"spend_from": 100.0, "spend_to": 215.0, "clv_from": 100.0, "clv_to": 215.0, "customers": 1, "n_as_much_again": 1, "revenue": 110.0, "clv": 120.0},
    ]
)  # fmt: skip
PLACES = pa.Table.from_pylist(
    [
        {"country": NAUGHTY, "is_rest": False, "n_countries": 1, "customers": 3, "revenue": 800.0, "revenue_share": 0.8},
        {
            "country": "Other countries",
            "is_rest": True,
            "n_countries": 27,
            "customers": 3,
            "revenue": 200.0,
            "revenue_share": 0.2,
        },
    ]
)
KINDS = pa.Table.from_pylist(
    [
        {"category": "Other", "revenue": 800.0, "revenue_share": 0.8},
        {"category": "Bags", "revenue": 200.0, "revenue_share": 0.2},
    ]
)
LEDGER = pa.Table.from_pylist(
    [
        {"row_class": "kept", "n_rows": 900, "row_share": 0.9, "revenue": 9000.0},
        {"row_class": "cancelled", "n_rows": 100, "row_share": 0.1, "revenue": -50.0},
    ]
)
DAYS = pa.Table.from_pylist(
    [
        {"ordered_on": dt.date(2024, 1, 3), "orders": 1, "revenue": 20.0, "n_lines": 2},
        {"ordered_on": dt.date(2024, 5, 9), "orders": 2, "revenue": 90.0, "n_lines": 3},
    ]
)
MONTHS = periods(
    ("2024-01-01", 500, 40, False), ("2024-02-01", 900, 70, True), ("2024-03-01", 800, 80, True), ("2024-04-01", 2000, 90, False)
)
FLOWS = pa.Table.from_pylist(
    [
        {"source": "Loyal", "target": "Loyal", "customers": 300, "clv_before": 900.0, "clv_after": 950.0},
        {"source": "Loyal", "target": NAUGHTY, "customers": 12_345, "clv_before": 500.0, "clv_after": 200.0},
        {"source": "(new)", "target": "Loyal", "customers": 1, "clv_before": 0.0, "clv_after": 20.0},
        {"source": "Loyal", "target": "(gone)", "customers": 2, "clv_before": 30.0, "clv_after": 0.0},
    ]
)
REASONS = pa.Table.from_pylist(
    [
        {"reason": "New customers", "meaning": "won", "customers": 1, "clv_before": 0.0, "clv_after": 20.0, "change": 20.0},
        {
            "reason": "No order since",
            "meaning": "quiet",
            "customers": 900,
            "clv_before": 500.0,
            "clv_after": 200.0,
            "change": -300.0,
        },
    ]
)
FORECAST = pa.Table.from_pylist(
    [
        {
            "period": period, "starts_on": dt.date(2024, month, 1), "ends_on": dt.date(2024, month + 1, 1), "is_complete": month > 1,
            "purchase_days": 30.0, "revenue": 900.0 - month, "revenue_lower": 700.0, "revenue_upper": 1100.0,
        }
        for period in ("month", "week")
        for month in (1, 2, 3)
    ]
)  # fmt: skip
COHORTS = pa.Table.from_pylist(
    [
        {
            "cohort": dt.date(2023, 11, 1),
            "customers": 10,
            "spend_so_far": 900.0,
            "first_year_known": 500.0,
            "first_year_expected": 0.0,
        },
        {
            "cohort": dt.date(2024, 1, 1),
            "customers": 20,
            "spend_so_far": 500.0,
            "first_year_known": 500.0,
            "first_year_expected": 300.0,
        },
    ]
)
TRACKING = pa.Table.from_pylist(
    [
        {
            "starts_on": dt.date(2024, 1, 1) + dt.timedelta(weeks=week), "ends_on": dt.date(2024, 1, 8) + dt.timedelta(weeks=week),
            "is_holdout": week > 6, "is_complete": True, "actual": 10, "expected": 11.0, "actual_total": 10 * week, "expected_total": 11.0 * week,
        }
        for week in range(10)
    ]
)  # fmt: skip
FIT = pa.Table.from_pylist(
    [
        {
            "repeats": repeats, "is_or_more": repeats == 7, "customers": 80 - repeats, "expected_customers": 75.0, "holdout_days": 10 * repeats,
            "expected_holdout_days": 9.0 * repeats,
        }
        for repeats in range(8)
    ]
)  # fmt: skip
ALIVE = pa.Table.from_pylist(
    [
        {"repeats": repeats, "quiet_days": days, "age_days": 365, "p_alive": 1 / (1 + repeats * days / 100)}
        for repeats in (1, 5)
        for days in (1, 30, 180)
    ]
)
DRAWINGS = {
    "revenue_forecast": (charts.revenue_forecast, FORECAST),
    "cohort_value": (charts.cohort_value, COHORTS),
    "tracking_by_week": (charts.tracking_by_week, TRACKING),
    "tracking_in_all": (charts.tracking_in_all, TRACKING),
    "frequency_fit": (charts.frequency_fit, FIT),
    "conditional_fit": (charts.conditional_fit, FIT),
    "alive_matrix": (charts.alive_matrix, ALIVE),
    "migration": (charts.migration, FLOWS),
    "value_reasons": (charts.value_reasons, REASONS),
    "revenue_over_time": (charts.revenue_over_time, MONTHS),
    "customers_over_time": (charts.customers_over_time, MONTHS),
    "customer_timeline": (charts.customer_timeline, DAYS),
    "segment_sizes": (charts.segment_sizes, segments("Loyal", NAUGHTY, "Away")),
    "segment_spend": (charts.segment_spend, segments("Loyal", NAUGHTY, "Away")),
    "segment_value": (charts.segment_value, segments("Loyal", NAUGHTY, "Away")),
    "value_at_risk": (charts.value_at_risk, CELLS),
    "order_counts": (charts.order_counts, COUNTS),
    "concentration": (charts.concentration, CURVE),
    "recency_frequency": (charts.recency_frequency, RECENCY),
    "spend_value": (charts.spend_value, SPENT),
    "revenue_by_country": (charts.revenue_by_country, PLACES),
    "revenue_by_category": (charts.revenue_by_category, KINDS),
    "row_ledger": (lambda table, look: charts.row_ledger(table, CLASS_WORDS, look), LEDGER),
}


def svg(chart) -> str:
    """The chart as SVG."""
    return vl_convert.vegalite_to_svg(untitled(chart).to_dict())


def texts(drawn: str) -> list[str]:
    """Everything that is written in an SVG."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", drawn)


def data_of(chart) -> list[dict]:
    """The rows of every data set of a chart, in one list."""
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


@pytest.mark.parametrize("width", [640, 330])
@pytest.mark.parametrize("name", DRAWINGS)
def test_every_chart_is_drawn_whole_on_screen_and_phone(name, width):
    draw, table = DRAWINGS[name]
    chart = draw(table, replace(LOOK, width=width))
    title, _ = heading_of(chart)
    drawn = svg(chart)
    assert title and chart.description.startswith(title.rstrip("."))
    assert "NaN" not in drawn and "undefined" not in drawn and "null" not in "".join(texts(drawn))
    assert re.search(r'<svg [^>]*width="(\d+)', drawn).group(1) == str(width)
    assert "<script" not in drawn
    for shape in re.findall(r'transform="translate\((-?[\d.]+),', drawn):
        assert float(shape) < width + 1


@pytest.mark.parametrize("name", DRAWINGS)
def test_without_rows_a_chart_says_so_instead_of_failing(name):
    draw, table = DRAWINGS[name]
    chart = draw(table.slice(0, 0), LOOK)
    assert heading_of(chart)[0].endswith(".")
    assert svg(chart).startswith("<svg")


@pytest.mark.parametrize("name", DRAWINGS)
def test_colours_come_from_the_palette_of_the_mode(name):
    draw, table = DRAWINGS[name]
    for mode, palette, other in (("light", LIGHT, DARK), ("dark", DARK, LIGHT)):
        drawn = svg(draw(table, replace(LOOK, mode=mode)))
        assert palette.main in drawn or any(colour in drawn for colour in palette.heat)
        assert other.main not in drawn
    page = svg(draw(table, replace(LOOK, mode="page")))
    named = set(re.findall(r"var\(--([a-z0-9-]+)\)", page))
    assert named <= {colour[6:-1] for colour in vars(PAGE).values()} and named
    assert not re.findall(r'(?:fill|stroke)="#(?!000)[0-9a-f]{3,6}"', page), "a colour that does not follow the page"


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable_on_every_ground(palette: Palette):
    for text in (palette.ink, palette.soft_ink, palette.second, palette.main):
        assert contrast(text, palette.paper) >= 4.5
    for text, ground in zip(palette.on_heat, palette.heat, strict=True):
        assert contrast(text, ground) >= 4.5
    assert contrast(palette.ink, palette.main_soft) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_steps_of_a_map_grow_away_from_the_paper(palette: Palette):
    away = [contrast(colour, palette.paper) for colour in palette.heat]
    assert away == sorted(away)


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2 defines it, 1..21."""

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_a_period_that_is_not_whole_is_never_the_finding_nor_on_the_line():
    title, note = heading_of(charts.revenue_over_time(MONTHS, LOOK))
    assert title == "February 2024 was the strongest month: £900.00"
    assert "9 of 31 days of January 2024, 9 of 30 days of April 2024" in note
    line = charts.customers_over_time(MONTHS, LOOK).to_dict()["layer"][0]
    assert line["mark"]["type"] == "line" and line["transform"] == [{"filter": "datum.is_complete"}]


def test_without_two_whole_periods_nothing_is_called_the_strongest():
    for months in (MONTHS.slice(0, 1), MONTHS.slice(0, 2)):
        assert heading_of(charts.revenue_over_time(months, LOOK))[0] == "Revenue over time"


def test_days_stay_in_their_month_in_every_time_zone():
    rows = [row for row in data_of(charts.revenue_over_time(MONTHS, LOOK)) if "starts_on" in row]
    assert rows and all(row["starts_on"].endswith("T00:00:00") for row in rows), "a bare date would be read as UTC"


def test_bars_stand_in_order_and_carry_their_figures():
    drawn = texts(svg(charts.segment_sizes(segments("Loyal", "Growing", "Away"), LOOK)))
    assert [text for text in drawn if "·" in text] == ["1,000 · 57 %", "500 · 29 %", "250 · 14 %"]


def test_the_rest_and_what_does_not_count_are_told_apart_without_colour():
    for chart in (charts.revenue_by_country(PLACES, LOOK), charts.row_ledger(LEDGER, CLASS_WORDS, LOOK)):
        assert 'stroke-dasharray="3,2"' in svg(chart)


def test_names_from_the_data_are_written_out_not_read():
    assert "&lt;script&gt;" in svg(charts.revenue_by_country(PLACES, replace(LOOK, width=330)))
    assert heading_of(charts.revenue_by_country(PLACES, LOOK))[0].startswith(NAUGHTY[:20])


def test_money_has_its_sign_on_axis_and_label_and_none_when_unknown():
    priced = texts(svg(charts.revenue_over_time(MONTHS, LOOK)))
    assert "£1k" in priced and "£0" in priced
    assert "CHF 1k" in texts(svg(charts.revenue_over_time(MONTHS, replace(LOOK, currency="CHF"))))
    assert "1k" in texts(svg(charts.revenue_over_time(MONTHS, replace(LOOK, currency=""))))
    assert "shop currency" in heading_of(charts.revenue_over_time(MONTHS, replace(LOOK, currency="")))[1]


def test_a_currency_cannot_leave_its_quotes():
    odd = "'+alert(1)+\""
    written = texts(svg(charts.revenue_over_time(MONTHS, replace(LOOK, currency=odd))))
    assert any(html.unescape(text) == f"{odd} 1k" for text in written)


def test_the_map_of_risk_names_all_nine_cells():
    rows = [row for row in data_of(charts.value_at_risk(CELLS, LOOK)) if "clv_band" in row]
    assert {(row["clv_band"], row["churn_band"]) for row in rows} == {
        (value, risk) for value in heat.BANDS for risk in heat.BANDS
    }
    assert {row["money"] for row in rows} == {"£700", "£50", "–"}
    assert (
        heading_of(charts.value_at_risk(CELLS, LOOK))[0]
        == "£750 of the value of the next 180 days is at risk, 93 % of it with customers of high value and high risk"
    )


def test_concentration_names_the_tenth_that_spends_most():
    assert heading_of(charts.concentration(CURVE, LOOK))[0] == "The largest 10 % of customers bring 56 % of revenue"
    few = pa.Table.from_pylist([{"customer_share": part, "revenue_share": part**0.5} for part in (0.0, 0.5, 1.0)])
    assert heading_of(charts.concentration(few, LOOK))[0] == "The largest customer brings 71 % of revenue"


@pytest.mark.parametrize("most", [1, 2, 5, 6, 7, 30, 999, 1_000_000])
def test_steps_of_a_map_cover_every_count_once(most):
    bounds = heat._bounds(most)
    assert bounds == sorted(set(bounds)) and bounds[-1] == most and len(bounds) <= heat.STEPS
    assert [heat._step(bound, bounds) for bound in bounds] == list(range(1, len(bounds) + 1))
    assert heat._step(1, bounds) == 1


def test_a_bar_leaves_room_for_its_label():
    look = Look(width=500)
    end = room_for(["1,234,567 · 100 %"], 10.0, look, used_px=150)
    assert (1 - 10 / end) * (500 - 150) >= 6.5 * len("1,234,567 · 100 %")


def test_the_timeline_names_cutoff_and_next_order():
    chart = charts.customer_timeline(DAYS, LOOK, as_of=dt.date(2024, 6, 1), next_order_on=dt.date(2024, 7, 4))
    written = texts(svg(chart))
    assert "as of 1 Jun 2024" in written and "next order as likely as not by 4 Jul 2024" in written
    assert heading_of(chart)[0] == "3 orders since 3 Jan 2024, £110.00 in all"
    far = charts.customer_timeline(DAYS, LOOK, next_order_on=dt.date(2034, 1, 1))
    assert not any("2034" in text for text in texts(svg(far))), "a date in ten years would squeeze the past"


def test_the_value_path_says_the_range_it_ends_in():
    months = [
        {"starts_on": dt.date(2024, 1, 31), "ends_on": dt.date(2024, 2, 29), "orders": 0.4, "revenue": 21.0, "value": 20.0,
         "value_so_far": 20.0, "lower": 0.0, "upper": 44.0},
        {"starts_on": dt.date(2024, 2, 29), "ends_on": dt.date(2024, 3, 31), "orders": 0.3, "revenue": 16.0, "value": 15.0,
         "value_so_far": 35.0, "lower": 0.0, "upper": 90.0},
    ]  # fmt: skip
    chart = charts.value_path(months, LOOK)
    assert heading_of(chart)[0] == "Expected to be worth £35 until 31 Mar 2024; four in five end between £0 and £90"
    rows = next(iter(chart.to_dict()["datasets"].values()))
    assert [row["value_so_far"] for row in rows] == [0.0, 20.0, 35.0], "from nothing on"
    assert "until 29 Feb 2024 £20 (£0 to £44)" in chart.description
    assert heading_of(charts.value_path([], LOOK))[0] == "No months to come are known of this customer."


def test_the_migration_names_the_largest_move_and_outlines_who_stayed():
    chart = charts.migration(FLOWS, LOOK)
    assert heading_of(chart)[0].startswith("12,345 of 12,645 customers moved to another segment, most of them from Loyal to ")
    rows = [row for row in data_of(chart) if "figure" in row]
    assert {row["figure"] for row in rows} == {"300", "12k", "1", "2"}
    assert [row["source"] for row in rows if row["stays"]] == ["Loyal"]
    assert LIGHT.second in svg(chart), "those who stayed are outlined"


def test_a_fall_of_value_is_told_from_a_rise_without_colour():
    chart = charts.value_reasons(REASONS, LOOK)
    assert heading_of(chart)[0] == "The value of all customers fell by 56 %: £280 less"
    drawn = svg(chart)
    assert 'stroke-dasharray="3,2"' in drawn and {"+£20 · 1 customer", "-£300 · 900 customers"} <= set(texts(drawn))


def test_the_forecast_shows_whole_months_only_with_their_range():
    chart = charts.revenue_forecast(FORECAST, LOOK)
    assert heading_of(chart)[0] == "Today's customers are expected to bring £898 in February 2024 and £897 in March 2024"
    rows = [row for row in data_of(chart) if "range" in row]
    assert {row["range"] for row in rows} == {"£700 to £1,100"} and len({row["when"] for row in rows}) == 2


def test_what_a_cohort_is_still_expected_to_bring_is_told_from_what_it_brought():
    chart = charts.cohort_value(COHORTS, LOOK)
    assert heading_of(chart)[0] == "A new customer brings £43 in the first year; those of November 2023 most: £50"
    assert 'stroke-dasharray="3,2"' in svg(chart)


def test_tracking_speaks_of_the_weeks_the_model_had_not_seen():
    weekly, running = charts.tracking_by_week(TRACKING, LOOK), charts.tracking_in_all(TRACKING, LOOK)
    assert heading_of(weekly)[0] == "A week's forecast was off by 10 % on average, in weeks the model had not seen"
    assert heading_of(running)[0] == "In 3 weeks it had not seen, the model expected 10 % more purchases than came"
    assert "not seen by the model" in texts(svg(weekly)) and 'stroke-dasharray="5,3"' in svg(weekly)


def test_silence_says_more_of_a_frequent_customer():
    assert (
        heading_of(charts.alive_matrix(ALIVE, LOOK))[0]
        == "A customer with 5 repeats is more likely gone than not after 30 days of silence"
    )
