"""What pages say of a version made from customers with totals: no dates, and risk as band and rank where it was borrowed.

Comes in: a visit and sums of the chosen customers. Goes out: parts of pages. Not a page of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.markup import RISK_MARKS, VALUE_MARKS, plain
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import count, day, estimate, quantity, share
from customer_genome.interfaces.views.standing import CAUTION, no_risk_reason, standing, why_no_dates, worded

IN_A_ROW = {2: 2, 4: 4, 5: 5}
"""How many cards stand beside each other, by how many there are, so that no row ends early; else three."""


def is_of_totals(seen: Visit) -> bool:
    """Return whether the version was made from something else than order lines: customers with totals, or ratings without money."""
    return seen.genome.level != "orders"


def read_as(seen: Visit) -> str:
    """Return what a version was made from, where it was not order lines."""
    if seen.genome.level != "ratings":
        return "customers with totals, no dates"
    first, last = (
        column[0].as_py() for column in seen.genome.query("select min(first_order_on), max(last_order_on) from customers").columns
    )
    return f"ratings from {day(first)} to {day(last)}, no money" if first and last else "ratings, no money"


def knows(seen: Visit, *columns: str) -> bool:
    """Return whether each column says something about at least one customer; a run on order lines always gives all."""
    return not is_of_totals(seen) or set(columns) <= set(seen.manifest.get("columns_known", ()))


def knows_risk(seen: Visit) -> bool:
    """Return whether risk is known in size: not where it was borrowed, nor where there is none."""
    return knows(seen, "churn_probability") and not seen.genome.is_borrowed


def shows_sizes(seen: Visit) -> bool:
    """Return whether both risk and value are known in size."""
    return knows_risk(seen) and knows(seen, "clv_180d")


def say_how_far_to_trust(seen: Visit) -> None:
    """Say once that risk and value are borrowed, or why there are none."""
    if not is_of_totals(seen):
        return
    reason = no_risk_reason(seen.manifest)
    if reason:
        st.info(plain(reason))
    elif seen.genome.is_borrowed:
        st.info(plain(CAUTION))


def say_no_dates(seen: Visit) -> None:
    """Say why there is nothing over time, and what would change that."""
    st.info(
        f"{why_no_dates(seen.manifest)} To see how money runs over time, hand in order lines (customer, time, money): `genome run orders.csv`."
    )


def show_bands(seen: Visit, selection: Selection) -> None:
    """Show how many of the chosen customers stand in the high bands, and what they spent so far."""
    where, parameters = selection.where()
    row = seen.genome.query(
        "select count(*) as n, count(*) filter (where churn_band = 'High') as risk, count(*) filter (where clv_band = 'High') as worth, "
        "count(*) filter (where churn_band = 'High' and clv_band = 'High') as both, "
        f"sum(total_spend) filter (where churn_band = 'High' and clv_band = 'High') as spend from customers where {where}",
        parameters,
    ).to_pylist()[0]
    if not row["n"] or not knows(seen, "churn_probability", "clv_180d"):
        return
    spent = f"spent {seen.money(row['spend'], short=True)} so far" if knows(seen, "total_spend") else "to speak to first"
    figures = [
        (
            "High risk",
            count(row["risk"]),
            f"{share(row['risk'] / row['n'])} of customers",
            "Customers in the highest band of risk.",
        ),
        (
            "High value",
            count(row["worth"]),
            f"{share(row['worth'] / row['n'])} of customers",
            "Customers in the highest band of value to come.",
        ),
        ("High value, high risk", count(row["both"]), spent, "Whom to speak to first."),
    ]
    show_cards(st.grid(3, min_column_width=148, gap="small"), figures)


def show_cards_of_totals(seen: Visit, selection: Selection, sums: dict[str, Any]) -> None:
    """Show the key figures that a table of totals gives, and none of what it does not."""
    level = seen.genome.level
    is_rated = level == "ratings"
    figures = [
        (
            "Customers",
            "customer_id",
            count(sums["customers"]),
            "who rated" if is_rated else "one row each",
            "Everybody whose ratings could be used." if is_rated else "Everybody whose row of totals could be used.",
        ),
        (
            "Revenue",
            "total_spend",
            seen.money(sums["revenue"], short=True),
            f"{seen.money(sums['mean_spend'])} per customer",
            "Spend so far, as the table says.",
        ),
        (
            worded(level, "Orders"),
            "n_orders",
            count(sums["orders"]),
            f"{worded(level, quantity(sums['mean_orders'], 'orders'))} per customer",
            "Times at which they rated, so far." if is_rated else "Orders so far, as the table says.",
        ),
    ]
    if knows_risk(seen):
        lost = sums["customers"] - sums["expected_active"]
        figures += [
            (
                "Average value",
                "clv_180d",
                seen.money(sums["mean_clv"]),
                "over 180 days",
                "What a customer may bring in 180 days, discounted, times the margin.",
            ),
            (
                "Expected churn",
                "churn_probability",
                share(lost / sums["customers"]) if sums["customers"] else "–",
                f"{count(lost)} in {seen.horizon_days} days",
                "Customers expected to leave: the sum of their probabilities.",
            ),
            (
                "Value at risk",
                "expected_value_loss",
                seen.money(sums["value_at_risk"], short=True),
                "value times risk",
                "It ranks where retention pays first.",
            ),
        ]
    if is_rated and knows_risk(seen):
        figures.append(_high_risk(seen, selection, sums["customers"]))
    shown = [(label, value, note, meaning) for label, column, value, note, meaning in figures if knows(seen, column)]
    show_cards(st.grid(IN_A_ROW.get(len(shown), 3), min_column_width=148, gap="small"), shown)
    if not shows_sizes(seen):
        show_bands(seen, selection)


def _high_risk(seen: Visit, selection: Selection, customers: int) -> tuple[str, str, str, str, str]:
    """Return how many of the chosen customers stand in the highest band of risk, as a card with the column it rests on."""
    where, parameters = selection.where()
    rows = seen.genome.query(f"select count(*) as n from customers where churn_band = 'High' and {where}", parameters)
    high = rows.column("n")[0].as_py()
    part = f"{share(high / customers)} of customers" if customers else ""
    return "High risk", "churn_band", count(high), part, "Customers in the highest band of risk."


_STANDINGS = (
    ("Risk", "churn_band", "risk_rank", RISK_MARKS, "Band of risk, and how many of your customers stand lower."),
    ("Value to come", "clv_band", "value_rank", VALUE_MARKS, "Band of value over 180 days, and how many stand lower."),
)


def show_customer_figures(seen: Visit, record: dict[str, Any]) -> None:
    """Show the figures of one customer known by totals: what they did, and where they stand in risk and value."""
    cards = st.grid(3, min_column_width=160, gap="small")

    def card(label: str, value: str, note: str, meaning: str) -> None:
        show_cards(cards, [(label, value, note, meaning)])

    level = seen.genome.level
    is_rated = level == "ratings"
    said = f"as of {day(record['as_of'])}" if is_rated else "as the table says"
    parts = [
        None if record["n_orders"] is None else quantity(record["n_orders"], "orders"),
        None if record["mean_order_value"] is None else f"{seen.money(record['mean_order_value'], short=True)} each",
    ]
    if record["total_spend"] is not None:
        note = ", ".join(part for part in parts if part is not None) or "as the table says"
        card(
            "Spent so far", seen.money(record["total_spend"], short=True), note, "The totals of the table, and the average order."
        )
    elif record["n_orders"] is not None:
        meaning = "Times at which this customer rated." if is_rated else "The totals of the table."
        card(worded(level, "Orders so far"), count(record["n_orders"]), said, meaning)
    ago = "Not known" if record["recency_days"] is None else f"{quantity(record['recency_days'], 'days')} ago"
    last = day(record["last_order_on"]) if record["last_order_on"] else said
    card(
        worded(level, "Last order"),
        ago,
        last,
        "Days of silence" + ("." if record["last_order_on"] else "; the table holds no date."),
    )
    if record["unique_products"] is not None:
        pieces = said if is_rated or record["total_quantity"] is None else f"{count(record['total_quantity'])} pieces"
        card(
            worded(level, "Different products"),
            count(record["unique_products"]),
            pieces,
            "What they rated, each once." if is_rated else "The totals of the table.",
        )
    _show_standing(seen, record, card)


def _show_standing(seen: Visit, record: dict[str, Any], card: Callable[[str, str, str, str], None]) -> None:
    """Show where one customer stands in risk and value, what they may spend, and what that rests on."""
    is_rated = seen.genome.level == "ratings"
    for label, band, rank, marks, meaning in _STANDINGS:
        if record[band] is None and is_rated:
            continue  # ratings hold no money, so there is no value to come
        if record[band] is None:
            card(label, "Not known", "needs more columns", meaning)
            continue
        note = "" if record[rank] is None else standing(record[rank])
        if knows_risk(seen):
            worth = f"{estimate(record['clv_180d'], seen.genome.currency)} in 180 days"
            note = share(record["churn_probability"]) if label == "Risk" else worth
        card(label, f"{marks[record[band]][0]} {record[band]}", note, meaning)
    if shows_sizes(seen) and record.get("predicted_spend") is not None:
        lower, upper = (seen.money(record.get(name), short=True) for name in ("spend_lower", "spend_upper"))
        card(
            f"Spend in {seen.horizon_days} days",
            seen.money(record["predicted_spend"]),
            f"80 %: {lower} to {upper}" if record.get("spend_lower") is not None else "expected",
            "What the labels of the table teach of the period they speak of.",
        )
    basis = record.get("risk_basis")
    if basis:
        said = {
            "borrowed": "learned from other shops",
            "champion": "learned from your ratings" if seen.genome.level == "ratings" else "learned from your order lines",
            "label": "learned from your labels",
        }[basis]
        card(
            "Basis",
            basis.capitalize(),
            f"{said}; reliability {record['reliability']}",
            "What risk and value rest on; About says what was measured.",
        )


def show_what_was_measured(seen: Visit) -> None:
    """Show what is known of how good risk and value are: the sentences of the run, since a table of totals allows no backtest."""
    if seen.genome.level == "ratings":
        st.info(
            "A backtest of value needs money, which ratings do not hold. How good the lists of items are stands on Recommendations; of risk the run says:"
        )
    else:
        st.info(
            "A backtest needs order lines: totals say nothing about what came when. What was measured of risk and value instead:"
        )
    told = [
        text for text in seen.manifest.get("notices", []) if not text.startswith(("Playbook ", "No ", "Customers are grouped"))
    ]
    st.markdown("\n".join(f"- {plain(text)}" for text in told))


def show_definitions(seen: Visit) -> None:
    """Show what each word means in a version made from totals."""
    is_rated = seen.genome.level == "ratings"
    if is_rated:
        st.markdown(plain(why_no_dates(seen.manifest)))
    opening = (
        ("Visit", "A time at which a customer rated one item or several."),
        ("As of", "The cutoff: the day that was named with --as-of, else the day after the last rating. Nothing from it on is known here."),
    ) if is_rated else (
        ("Totals", "What one row of the table says of a customer. Of orders, spend and order value the third follows from the other two."),
        ("As of", "The day that was named with --as-of, else the day of the run. The table holds no date."),
    )  # fmt: skip
    for word, meaning in (
        *opening,
        (
            "Risk",
            f"How likely a customer is not to come back within {seen.horizon_days} days. ● Low, ◆ Medium and ▲ High are fixed bands of it. Where it was borrowed "
            "from other shops, the band and the rank among your customers hold, the size does not.",
        ),
        *(
            ()
            if is_rated
            else (
                (
                    "Value to come",
                    "What a customer may bring in 180 days, discounted, times the margin. High is the fifth with the most, Medium the next 30 %.",
                ),
            )
        ),
        (
            "Basis",
            "What risk rests on: a champion learned from your own ratings."
            if is_rated
            else "What risk and value rest on: label (your own labels), champion (your own order lines, read earlier) or borrowed (public shops).",
        ),
        (
            "Segments",
            "Groups of customers who behave alike, named by what they do; your own grouping where the table holds a complete one.",
        ),
        (
            "Playbook",
            "What to do with one kind of customer, by rules in playbooks.toml. Those that need what totals do not say are off.",
        ),
    ):
        st.markdown(f"**{word}**  \n{meaning}")


def totals_of_customer(seen: Visit, record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the facts of a customer known by totals, those that are known."""
    facts = [
        ("Orders", count(record["n_orders"])),
        ("Spent", seen.money(record["total_spend"])),
        ("Money per order", seen.money(record["mean_order_value"])),
        ("Pieces", count(record["total_quantity"])),
        ("Different products", count(record["unique_products"])),
        ("Days since the last order", count(record["recency_days"])),
        ("RFM segment", record["rfm_segment"] or "–"),
        ("Value and risk", record["priority_segment"] or "–"),
    ]
    return [(worded(seen.genome.level, name), value) for name, value in facts if value != "–"]
