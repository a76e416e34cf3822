"""The first minute on Overview: what happened, who matters, what to do and how sure that is, and the key figures with their trend.

Comes in: the visit, the selection and sums of the customers chosen. Goes out: parts of the page. Not a page of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from customer_genome.interfaces.dashboard.cards import Card
from customer_genome.interfaces.dashboard.earlier import earlier_totals
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.readings import ask, next_steps
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, knows, shows_sizes
from customer_genome.interfaces.views.figures import count, day, estimate, quantity, share
from customer_genome.interfaces.views.overview import over_time, segments, totals
from customer_genome.interfaces.views.standing import worded
from customer_genome.interfaces.views.trends import recent, running

CARDS_IN_A_ROW = 5
_NBSP = "\u00a0"


def rise(now: float | None, before: float | None) -> str | None:
    """Return by which part a figure rose or fell, with its sign; None where there is nothing to hold it against.

    Examples
    --------
    >>> rise(110, 100), rise(90, 100), rise(100, 100), rise(1, 0)
    ('+10 %', '-10 %', '0 %', None)
    """
    if now is None or before is None or before <= 0:
        return None
    part = now / before - 1
    if part > 10:
        return f"{now / before:,.0f} times"
    return f"{'+' if part > 0 else '-' if part < 0 else ''}{share(abs(part))}"


def points(now: float, before: float) -> str:
    """Return by how many points of a hundred a share rose or fell.

    Examples
    --------
    >>> points(0.58, 0.52), points(0.52, 0.525), points(0.5, 0.5)
    ('+6.0 points', '-0.5 points', '0 points')
    """
    change = 100 * (now - before)
    return f"{change:+.1f} points" if abs(change) >= 0.05 else "0 points"


def show_first_minute(seen: Visit, selection: Selection, sums: Mapping[str, Any]) -> None:
    """Show in four lines what happened, who matters, what to do and how sure that is."""
    lines = [
        ("What happened", _what_happened(seen, selection, sums)),
        ("Who matters", _who_matters(seen, selection)),
        ("What to do", _what_to_do(seen, selection)),
        ("How sure", how_sure(seen, selection)),
    ]
    told = [f"**{title}:** {plain(text).replace(' %', _NBSP + '%')}" for title, text in lines if text]
    with st.container(border=True):
        st.markdown("  \n".join(told))


def _what_happened(seen: Visit, selection: Selection, sums: Mapping[str, Any]) -> str:
    """Return what the last days, or the days chosen, brought."""
    if seen.genome.level == "ratings":
        rows = seen.manifest.get("ledger", {}).get("kept", {}).get("rows")
        told = f"{quantity(rows, 'ratings')} by {quantity(seen.manifest['customers'], 'customers')}"
        chosen = "" if selection.is_everybody else f", of whom {count(sums['customers'])} are shown"
        return f"{told}{chosen}. Ratings hold no money."
    if not knows(seen, "total_spend"):
        return f"{quantity(sums['customers'], 'customers')}; these data hold no money."
    if is_of_totals(seen):
        return f"{quantity(sums['customers'], 'customers')} have spent {seen.money(sums['revenue'], short=True)} so far."
    found = ask(seen, recent, selection)
    now = found["now"]
    if now is None:
        return f"{quantity(sums['customers'], 'customers')} have spent {seen.money(sums['revenue'], short=True)} so far."
    sentence = (
        f"{_days_in_words(found, selection)} brought {seen.money(now['revenue'], short=True)} from {quantity(now['orders'], 'orders')} "
        f"of {quantity(now['customers'], 'customers')}, {count(now['new_customers'])} of them new"
    )
    parts = [
        f"{rise(now['revenue'], held['revenue'])} {words}"
        for held, words in (
            (found["before"], f"against the {found['days']} days before"),
            (found["year_ago"], "against the same days a year earlier"),
        )
        if held and rise(now["revenue"], held["revenue"])
    ]
    return sentence + (f"; revenue {' and '.join(parts)}." if parts else ".")


def _days_in_words(found: Mapping[str, Any], selection: Selection) -> str:
    """Return which days are meant, as the opening of a sentence."""
    now = found["now"]
    if selection.has_period:
        return f"{day(now['first_on'])} to {day(now['last_on'])}"
    return f"The last {found['days']} days"


def _who_matters(seen: Visit, selection: Selection) -> str:
    """Return which segment brings most money."""
    rows = ask(seen, segments, selection.of_customers).to_pylist()
    if not rows or rows[0]["revenue_share"] is None:
        return ""
    first = rows[0]
    if len(rows) == 1:
        return f"everybody here is in {first['segment']}: {seen.money(first['mean_spend'], short=True)} spent each so far."
    return (
        f"{first['segment']}, {share(first['customer_share'])} of customers, have brought {share(first['revenue_share'])} of revenue: "
        f"{seen.money(first['mean_spend'], short=True)} each so far."
    )


def _what_to_do(seen: Visit, selection: Selection) -> str:
    """Return the first thing to do."""
    steps = ask(seen, next_steps, selection.of_customers)
    if not steps and not knows(seen, "churn_probability", "clv_180d"):
        return "act by segment, as below; what is at risk in money is not known from these data."
    if not steps:
        return "nothing urgent; nobody here has value at risk worth a campaign."
    step = steps[0]
    first = str(step.get("do", "")).partition(". ")[0].rstrip(".")
    stake = f", {seen.money(step['value_at_risk'], short=True)} at risk" if shows_sizes(seen) else ""
    return f"{step['playbook']} first ({quantity(step['customers'], 'customers')}{stake}): {first[:1].lower()}{first[1:]}."


def how_sure(seen: Visit, selection: Selection) -> str:
    """Return how far the forecasts of all customers were off on days they had not seen."""
    known = set(seen.genome.tables())
    parts = []
    if "tracking_error" in known:
        rows = seen.genome.table("tracking_error").to_pylist()
        if rows and rows[0]["error_of_total"] is not None:
            off = rows[0]["error_of_total"]
            how = "as many" if abs(off) < 0.0005 else f"{share(abs(off))} {'more' if off > 0 else 'fewer'}"
            parts.append(
                f"told nothing of the last {rows[0]['holdout_days']} days, the purchase model expected {how} purchases "
                f"{'as' if how == 'as many' else 'than'} came"
            )
    if "reliability_grades" in known and knows(seen, "total_spend"):
        rows = [row for row in seen.genome.table("reliability_grades").to_pylist() if row["inside"] is not None]
        people = sum(row["customers"] for row in rows)
        if people:
            held = sum(row["inside"] * row["customers"] for row in rows) / people
            parts.append(f"spend fell into its 80 % range for {share(held)} of {count(people)} held-out forecasts")
    whom = "" if selection.is_everybody else "of all customers: "
    told = f"{whom}{'; '.join(parts)}. Sums are firmer than single customers." if parts else ""
    return worded(seen.genome.level, told)


def show_key_figures(seen: Visit, selection: Selection, sums: Mapping[str, Any]) -> None:
    """Show the key figures: what has been, with what the last days added, and what is expected, held against the version before."""
    everywhen = selection.of_customers
    found = ask(seen, recent, everywhen)
    periods = ask(seen, over_time, everywhen).to_pylist()
    grid = st.grid(CARDS_IN_A_ROW, min_column_width=150, gap="small")
    for card in [*_so_far(seen, sums, found, periods), *_ahead(seen, selection, sums)]:
        card.show(grid)


def _so_far(seen: Visit, sums: Mapping[str, Any], found: Mapping[str, Any], periods: Sequence[Mapping[str, Any]]) -> list[Card]:
    """Return the cards of what has been."""
    states = running(periods)
    days, now = found["days"], found["now"]
    since = f"in {days} days" if now else "so far"
    reach = f"Orders from {day(sums['first_order_on'])} to {day(sums['last_order_on'])}."
    added = f" Added: in the last {days} days." if now else ""
    whole = [row for row in periods if row["is_complete"]]
    flow = f"The line: per whole {whole[0]['period']}." if whole else ""
    line = "The line: at the end of each period so far."
    spend = orders = None
    if now:
        people = sums["customers"] - now["new_customers"]
        spend = rise(sums["mean_spend"], (sums["revenue"] - now["revenue"]) / people if people else None)
        orders = rise(sums["mean_orders"], (sums["orders"] - now["orders"]) / people if people else None)
    return [
        Card(
            "Customers",
            count(sums["customers"]),
            f"+{count(now['new_customers'])}" if now else None,
            since,
            f"Customers with at least one order before the cutoff; {share(sums['one_order_share'])} ordered once. {reach}{added} {line}",
            [row["customers"] for row in states],
        ),
        Card(
            "Revenue",
            seen.money(sums["revenue"], short=True),
            f"+{seen.money(now['revenue'], short=True)}" if now else None,
            since,
            f"Money of all their orders so far, after cleaning. {reach}{added} {flow}",
            [row["revenue"] for row in whole],
        ),
        Card(
            "Orders",
            count(sums["orders"]),
            f"+{count(now['orders'])}" if now else None,
            since,
            f"Orders so far; one order = one customer and order id. {reach}{added} {flow}",
            [float(row["orders"]) for row in whole],
        ),
        Card(
            "Average spend",
            seen.money(sums["mean_spend"]),
            spend,
            since,
            f"Revenue so far per customer. {reach}{added} {line}",
            [row["mean_spend"] for row in states],
        ),
        Card(
            "Average orders",
            f"{sums['mean_orders']:.1f}",
            orders,
            since,
            f"Orders so far per customer. {reach}{added} {line}",
            [row["mean_orders"] for row in states],
        ),
    ]


def _ahead(seen: Visit, selection: Selection, sums: Mapping[str, Any]) -> list[Card]:
    """Return the cards of what is expected, each held against the version before."""
    horizon, customers = seen.horizon_days, sums["customers"]
    earlier = [row for row in earlier_totals(seen, selection) if row["customers"]]
    rows = [*earlier, sums]
    held = f"since {earlier[-1]['version']}" if earlier else ""
    explained = (
        f" Held against {earlier[-1]['version']}, as of {day(earlier[-1]['as_of'])}."
        if earlier
        else " The next version will show how it moved."
    )

    def ahead(label: str, column: str, value: str, period: str, meaning: str) -> Card:
        trend = [float(_ahead_of(row)[column] or 0) for row in rows]
        change = (points if column == "churn" else rise)(trend[-1], trend[-2]) if earlier else None
        return Card(label, value, change, f"{held} · {period}" if held else period, f"{meaning}{explained}", trend)

    own = _ahead_of(sums)
    return [
        ahead(
            "Average CLV",
            "mean_clv",
            estimate(sums["mean_clv"], seen.genome.currency),
            "over 180 days",
            "Customer lifetime value: revenue expected of a customer over the next 180 days, discounted, times the margin. "
            f"All together: {seen.money(sums['clv'], short=True)}.",
        ),
        ahead(
            "Expected revenue",
            "predicted_spend",
            seen.money(sums["predicted_spend"], short=True),
            f"in the next {horizon} days",
            f"Revenue expected of these customers in the {horizon} days after the cutoff, undiscounted. Customers yet to be won are not in it.",
        ),
        ahead(
            "Expected churn",
            "churn",
            share(own["churn"]),
            f"{count(own['churn'] * customers)} in {horizon} days",
            f"Customers expected to place no order within {horizon} days of the cutoff: the sum of their probabilities.",
        ),
        ahead(
            "Value at risk",
            "value_at_risk",
            seen.money(sums["value_at_risk"], short=True),
            f"of {seen.money(sums['clv'], short=True)} expected",
            f"Sum of value over 180 days times the risk of no order within {horizon} days. It ranks where retention pays; it is no forecast of lost revenue.",
        ),
        Card(
            "Segments",
            count(sums["n_segments"]),
            f"{sums['n_segments'] - earlier[-1]['n_segments']:+d}" if earlier and sums["n_segments"] != earlier[-1]["n_segments"] else None,
            (f"as in {earlier[-1]['version']}" if sums["n_segments"] == earlier[-1]["n_segments"] else held) if earlier else f"by {selection.method.lower()}",
            "Groups these customers fall into, by the method chosen in the side bar." + explained,
        ),
    ]  # fmt: skip


def _ahead_of(sums: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the figures of a version's sums that look ahead."""
    customers = sums["customers"]
    return {
        "mean_clv": sums["mean_clv"],
        "predicted_spend": sums["predicted_spend"],
        "churn": (customers - sums["expected_active"]) / customers if customers else 0.0,
        "value_at_risk": sums["value_at_risk"],
    }


def show_recent(seen: Visit, selection: Selection) -> None:
    """Show what the last days, or the days chosen, brought against as many days before and the same days a year earlier."""
    found = ask(seen, recent, selection)
    now, before, year_ago = found["now"], found["before"], found["year_ago"]
    if now is None:
        return
    held = before or year_ago
    words = f"on the {found['days']} days before" if before else "on the same days a year earlier"
    grid = st.grid(4, min_column_width=148, gap="small")
    for label, column in (
        ("Revenue", "revenue"),
        ("Orders", "orders"),
        ("Active customers", "customers"),
        ("New customers", "new_customers"),
    ):
        written = seen.money(now[column], short=True) if column == "revenue" else count(now[column])
        Card(
            f"{label}, {found['days']} days" if not selection.has_period else f"{label} in the period",
            written,
            rise(now[column], held[column]) if held else None,
            words if held and rise(now[column], held[column]) else "nothing earlier to hold it against" if not held else words,
            _meaning(column, found) + (f" Against the same days a year earlier: {rise(now[column], year_ago[column]) or 'not known'}." if year_ago else "")
        ).show(grid)  # fmt: skip


def _meaning(column: str, found: Mapping[str, Any]) -> str:
    """Return what a figure of some days is."""
    now = found["now"]
    reach = f"from {day(now['first_on'])} to {day(now['last_on'])}"
    return {
        "revenue": f"Money of the orders {reach}.",
        "orders": f"Orders {reach}.",
        "customers": f"Customers with at least one order {reach}.",
        "new_customers": f"Customers whose first order fell {reach}.",
    }[column]


def show_since_last_run(seen: Visit, selection: Selection) -> None:
    """Show in a line what became of these customers since the version before, and lead to who moved and why."""
    earlier = earlier_totals(seen, selection)
    st.header("Since the last run", anchor=False)
    if not earlier:
        st.markdown(
            aside("No earlier version compares with this one. Publish again when there are new data, and this says what changed.")
        )
        return
    sums = ask(seen, totals, selection.of_customers)
    last = earlier[-1]
    people = sums["customers"] - last["customers"]
    parts = [
        f"**{'as many customers' if not people else quantity(abs(people), 'customers') + (' more' if people > 0 else ' fewer')}** "
        f"({count(last['customers'])} → {count(sums['customers'])})"
    ]
    for words, column in (("value over 180 days", "clv"), ("value at risk", "value_at_risk"), ("revenue so far", "revenue")):
        change = rise(sums[column], last[column])
        parts.append(
            f"{words} **{change or 'new'}** ({plain(seen.money(last[column], short=True))} → "
            f"{plain(seen.money(sums[column], short=True))})"
        )
    as_of = dt.date.fromisoformat(seen.manifest["as_of"])
    days = (as_of - last["as_of"]).days
    apart = f"{quantity(days, 'days')} later" if days > 0 else "as of the same day" if days == 0 else "as of an earlier day"
    st.markdown(f"Against {plain(last['version'])} of {day(last['as_of'])}, {apart}: {', '.join(parts)}.")
    st.page_link("changes.py", label="Who moved, and why →")
