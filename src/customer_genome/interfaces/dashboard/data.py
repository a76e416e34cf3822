"""The page Data: where every row went and why, what the data cover, which versions there are, and a new file to begin with.

Rows: the row ledger, which adds up to the input in rows and money; refused rows with their reason; what returns do to revenue.
Coverage: days, gaps and columns, and what to know about the data, each with what it means and what to do.
Versions: every published version, what it was made from and what was set otherwise than before.
New file: hand in a file, say which column is which, see where its rows would go, run, and follow the run. For the role admin.

It shows all rows; the filters of other pages do not apply. Without any version it begins with the new file.
"""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import streamlit as st

from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.cards import Card, show_cards
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.new_file import show_new_file
from customer_genome.interfaces.dashboard.running import offer_run, show_run
from customer_genome.interfaces.dashboard.session import Visit, role_of_visitor, visit, workspace_root
from customer_genome.interfaces.dashboard.versions_list import show_versions
from customer_genome.interfaces.views.coverage import Span, mapped_columns, order_days, remarks, span_of
from customer_genome.interfaces.views.figures import count, day, quantity, share
from customer_genome.interfaces.views.ledger import (
    REFUSED,
    Balance,
    balance_of,
    class_words,
    filled_shares,
    ledger_rows,
    refund_sentences,
    refused_rows,
)
from customer_genome.snapshot import versions
from customer_genome.workspace import Workspace

ROWS, COVERAGE, VERSIONS, NEW_FILE = "Rows", "Coverage", "Versions", "New file"
_HEIGHT = 318  # pixels of a table with its header and eight whole rows
_PARTS = (ROWS, COVERAGE, VERSIONS, NEW_FILE)


def show() -> None:
    """Show the page."""
    st.title("Data", anchor=False)
    role = role_of_visitor()
    place = Workspace(workspace_root())
    if not versions(place):
        st.markdown(
            "Nothing has been published yet. Hand in a file of order lines, or of customers with totals, and make the first version."
        )
        show_run(role)
        show_new_file(place, role)
        return
    seen = visit()
    st.markdown(aside(plain(_head(seen))))
    show_run(role, offers=False)
    part = st.segmented_control(
        "Part", _PARTS, default=ROWS, required=True, key="part", bind="query-params", label_visibility="collapsed"
    )
    if part == COVERAGE:
        _show_coverage(seen, place)
    elif part == VERSIONS:
        show_versions(seen, place)
    elif part == NEW_FILE:
        show_new_file(place, role)
    else:
        _show_rows(seen, place)


def _head(seen: Visit) -> str:
    """Return which version this is about, and what it was made from."""
    sources = seen.manifest.get("sources", {})
    main = sources.get("order_lines") or sources.get("customer_totals") or {}
    made = f", made from {main['label']}" if main.get("label") else ""
    others = len(sources) - 1
    more = f" and {quantity(others, 'further tables')}" if others > 1 else " and one further table" if others == 1 else ""
    as_of = day(dt.date.fromisoformat(str(seen.manifest["as_of"])[:10]))
    return f"{seen.genome.snapshot.version} as of {as_of}{made}{more} · all rows; the filters of other pages do not apply"


# --- rows --------------------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=8, show_spinner=False)
def _ledger(_seen: Visit, key: str) -> tuple[list[dict[str, object]], Balance]:
    """Return the ledger of a version and whether it adds up."""
    return ledger_rows(_seen.genome), balance_of(_seen.genome)


def _show_rows(seen: Visit, place: Workspace) -> None:
    """Show where the rows went, the refused ones, and the refund policy."""
    rows, balance = _ledger(seen, seen.key)
    left, right = st.columns([1, 1], gap="large")
    with left:
        table = pa.Table.from_pylist(
            [{name: row[name] for name in ("row_class", "n_rows", "row_share", "revenue")} for row in rows]
        )
        draw(seen, lambda look: charts.row_ledger(table, class_words(seen.genome), look), name="row ledger")
        (st.success if balance.holds else st.error)(
            money_in_markdown(plain(balance.sentence(seen.genome.currency))),
            icon=":material/check_circle:" if balance.holds else ":material/error:",
        )
    with right:
        _show_refunds(seen)
    _show_classes(seen, rows, balance)
    _show_refused(seen, place, [str(row["row_class"]) for row in rows if row["row_class"] in REFUSED])


def _show_classes(seen: Visit, rows: list[dict[str, object]], balance: Balance) -> None:
    """Show the classes with money, what they mean and what to do."""
    st.subheader("Every class, in rows and money", anchor=False)
    everything = {"row_class": "all rows", "n_rows": balance.classed, "row_share": 1.0, "revenue": balance.revenue}
    shown = [*rows, {**everything, "words": "every row of the input", "advice": ""}]
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    st.table(
        {
            "Class": [plain(str(row["row_class"]).replace("_", " ")) for row in shown],
            "Rows": [count(float(str(row["n_rows"]))) for row in shown],
            **({} if balance.revenue is None else {f"Money{unit}": [plain(count(float(str(row["revenue"])))) for row in shown]}),
            "What it is, and what to do": [
                plain(_sentence(str(row["words"]))) + (f" :gray[{plain(row['advice'])}]" if row["advice"] else "")
                for row in shown
            ],
        },
        border="horizontal",
    )
    if balance.revenue is not None:
        st.markdown(aside("Money is signed: what was taken back counts against it."))


def _sentence(words: str) -> str:
    """Return words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _show_refunds(seen: Visit) -> None:
    """Show what returns do to revenue, and offer the other policy."""
    sentences = refund_sentences(seen.manifest, seen.genome.currency)
    if not sentences:
        return
    refunds = seen.manifest["refunds"]
    st.markdown("**Refunds: what returns do to revenue**")
    if len(sentences) > 1:
        cards = st.grid(2, min_column_width=148, gap="small")
        for policy, meaning in (
            ("drop", "Returns leave; purchases count in full."),
            ("net", "Returns reduce earlier purchases, newest first."),
        ):
            used = "used in this version" if refunds["policy"] == policy else f"with refunds = {policy}"
            value = seen.money(float(refunds[f"revenue_under_{policy}"]), short=True)
            told = f"{meaning} Money of all orders before {day(dt.date.fromisoformat(str(seen.manifest['as_of'])[:10]))}."
            Card(f"Revenue, returns {policy if policy == 'net' else 'dropped'}", value, note=used, meaning=told).show(cards)
    for sentence in sentences:
        st.markdown(money_in_markdown(plain(sentence)))
    if len(sentences) > 1:
        other = "net" if refunds["policy"] == "drop" else "drop"
        offer_run(seen, {"cleaning.refunds": other}, f"Run with refunds = {other}", follows=False)


def _show_refused(seen: Visit, place: Workspace, classes: list[str]) -> None:
    """Show some refused rows with their reason; values only for those who may see them."""
    st.subheader("Refused rows", anchor=False)
    if not classes:
        st.markdown("No row was refused.")
        return
    words = class_words(seen.genome)
    chosen = st.segmented_control(
        "Reason", classes, default=classes[0], required=True, key="refused_class", format_func=lambda name: name.replace("_", " ")
    )
    st.markdown(
        f"**{plain(str(chosen).replace('_', ' '))}**: {plain(words.get(str(chosen), ''))}. The first 50, as they were read; “as it came” is the row in the file."
    )
    found, why_not = refused_rows(seen.genome, place, str(chosen))
    if found is None:
        st.info(plain(why_not))
        return
    if seen.masks:
        found = found.select(["row_number", "reason"])
        st.markdown(aside("The role viewer sees which rows were refused and why, and none of their values."))
    st.dataframe(
        found.drop_columns([name for name in found.column_names if name != "row_number" and found.column(name).null_count == found.num_rows]),
        hide_index=True,
        height=_HEIGHT if found.num_rows > 8 else "content",
        placeholder="–",
        column_config={
            "row_number": st.column_config.NumberColumn("Row", format="%d", help="Its number in the input, the first row after the header is 1."),
            "reason": "Reason", "customer_id": "Customer", "order_id": "Order", "ordered_at": "When", "product_id": "Product",
            "description": "Description", "quantity": "Pieces", "price": "Price", "revenue": "Money", "country": "Country", "raw_row": "As it came",
        },
        alt=f"The first refused rows of the class {chosen}.",
    )  # fmt: skip
    if not seen.masks:
        st.markdown(aside("All of them: `genome export --table quarantine --output refused.csv`"))


# --- coverage --------------------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=8, show_spinner="Looking at what the data cover …")
def _covered(_seen: Visit, key: str, root: str) -> tuple[pa.Table, Span | None, dict[str, float]]:
    """Return the days with orders, what they cover, and the share of rows that hold each column."""
    days = order_days(_seen.genome)
    return days, span_of(days.column("ordered_on").to_pylist()), filled_shares(_seen.genome, Workspace(workspace_root()))


def _show_coverage(seen: Visit, place: Workspace) -> None:
    """Show days, remarks and columns."""
    days, span, filled = _covered(seen, seen.key, str(place.root))
    _show_cards(seen, span)
    if span is not None:
        draw(seen, lambda look: charts.order_calendar(days, look), days, name="days with orders")
        st.markdown(plain(span.sentence()))
    st.subheader("What to know about these data", anchor=False)
    rows, _ = _ledger(seen, seen.key)
    found = remarks(seen.genome, span, rows)
    for remark in found:
        mark = ":orange-badge[▲ check this]" if remark.is_serious else ":gray-badge[● to know]"
        st.markdown(
            f"{mark} **{money_in_markdown(plain(remark.found))}** {plain(remark.meaning)}  \n:gray[What to do: {plain(remark.do)}]"
        )
    for notice in seen.manifest.get("notices", ()):
        st.markdown(f":gray-badge[● said by the run] {plain(notice)}")
    if not found and not seen.manifest.get("notices"):
        st.markdown("Nothing stands out.")
    _show_columns(seen, filled)


def _show_cards(seen: Visit, span: Span | None) -> None:
    """Show the span, the days and the customers of whom only one order is known."""
    facts = seen.genome.query(
        "select count(*) as n, count(*) filter (where n_orders = 1) as once, count(n_orders) as known from customers"
    ).to_pylist()[0]
    cards = st.grid(4, min_column_width=148, gap="small")
    if span is not None:
        show_cards(cards, (
            ("First order", day(span.first), "earliest row that counts", "The earliest day with a row that counts."),
            ("Last order", day(span.last), "latest row that counts", "The latest day with a row that counts."),
            ("Days with orders", share(span.n_open / span.days), f"{count(span.n_open)} of {count(span.days)} days",
                "Of the days from the first to the last order."),
        ))  # fmt: skip
    known = f"{count(facts['once'])} of {count(facts['known'])} customers"
    show_cards(cards, (("Bought once", share(facts["once"] / facts["known"]) if facts["known"] else "not known", known,
        "Customers with one order, of those whose orders are known. What they do next is the hardest to say."),))  # fmt: skip


def _show_columns(seen: Visit, filled: dict[str, float]) -> None:
    """Show which column of the file became which, how many rows hold it, and what is off without it."""
    st.subheader("Which column is which", anchor=False)
    columns = mapped_columns(seen.manifest, filled)
    several = len({column.table for column in columns}) > 1
    st.table(
        {
            **({"Table": [plain(column.table.replace("_", " ")) for column in columns]} if several else {}),
            "Column": [f"`{column.name}`" if column.name.isidentifier() else plain(column.name) for column in columns],
            "Read from": [plain(" + ".join(column.headers)) if column.is_mapped else "–" for column in columns],
            **({"Rows that hold it": [plain(share(column.filled)) for column in columns]} if filled else {}),
            "What it is": [
                plain(_sentence(column.about))
                + ("" if column.is_mapped else f" :gray[Not in the data: {plain(column.without or 'not needed')}.]")
                for column in columns
            ],
        },
        border="horizontal",
    )
    if not filled and seen.genome.level == "orders":
        st.markdown(
            aside("How many rows hold a column is known for the newest version only, whose rows are still in the warehouse.")
        )


show()
