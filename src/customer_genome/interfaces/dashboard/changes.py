"""The page Changes: what became of customers and their value since an older version, for everybody in both."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import streamlit as st

from customer_genome.answers.comparison import Comparison, Move, compare
from customer_genome.genome import Genome
from customer_genome.interfaces import charts
from customer_genome.interfaces.dashboard.cards import Card
from customer_genome.interfaces.dashboard.customer_list import offer_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.earlier import older_versions
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.session import Visit, hall, masked_id, visit, workspace_root
from customer_genome.interfaces.dashboard.totals import knows
from customer_genome.interfaces.views import changes
from customer_genome.interfaces.views.figures import count, day, share
from customer_genome.workspace import Workspace

MOST_MOVES = 10


@st.cache_data(max_entries=8, show_spinner="Comparing the two versions …")
def compared(_seen: Visit, older: str, older_key: str, newer_key: str, group: str) -> Comparison:
    """Return the comparison of an older version with the one on show; kept until a file of either changes."""
    with Genome.open(Workspace(workspace_root()), older) as before:
        return compare(before, _seen.genome, group=group, most=MOST_MOVES)


def show() -> None:
    """Show the page."""
    seen = visit()
    newer = seen.genome.snapshot.version
    older = {name: dt.date.fromisoformat(manifest["as_of"]) for name, manifest in older_versions(newer).items()}
    st.title("What changed", anchor=False)
    if not older:
        st.info(f"{newer} is the oldest version that is kept, so there is nothing to compare it with.")
        st.markdown("When there are new data, publish again; then this page says who is new, who moved, and why:")
        st.code(f"genome run --workspace {workspace_root()}", language=None, wrap_lines=True)
        return
    chosen, group = _choose(older)
    found = compared(seen, chosen, hall(str(workspace_root())).key(chosen), seen.key, group)
    _show_head(seen, found)
    _show_cards(seen, found)
    flows = changes.flow_table(found)
    left, right = st.columns(2, gap="large") if _knows_money(seen) else (st.container(), None)
    with left:
        draw(seen, lambda look: charts.migration(flows, look, group=changes.GROUP_WORDS[group]), flows, "who moved")
    if right is not None:
        reasons = changes.reason_table(found)
        with right:
            draw(seen, lambda look: charts.value_reasons(reasons, look), reasons, "why value moved")
        _show_totals(found)
    _show_moves(seen, found)


def _knows_money(seen: Visit) -> bool:
    """Return whether there is a value that may have moved; ratings hold no money."""
    return knows(seen, "clv_180d")


def _choose(older: dict[str, dt.date]) -> tuple[str, str]:
    """Let the visitor choose the older version and how customers are grouped."""
    left, right = st.columns(2)
    named = {f"{name}, as of {day(as_of)}": name for name, as_of in older.items()}
    chosen = left.selectbox("Compared with", list(named), key="compared_with", bind="query-params")
    groups = {words.capitalize() if words.islower() else words: column for column, words in changes.GROUP_WORDS.items()}
    group = right.selectbox(
        "Groups",
        list(groups),
        key="change_groups",
        bind="query-params",
        help="Whether a customer moved is asked of these groups.",
    )
    return named[chosen], groups[group]


def _show_head(seen: Visit, found: Comparison) -> None:
    """Show the finding, and what makes figures move beside the data."""
    before, after = found.before, found.after
    st.markdown(
        aside(
            f"{before.version}, as of {day(before.as_of)} → {after.version}, as of {day(after.as_of)} · all customers; the filters of the side bar do not apply here"
        )
    )
    worth = plain(changes.value_sentence(found)) if _knows_money(seen) else "These data hold no money, so no value moved."
    st.markdown(f"**{plain(changes.headline(found))}** {worth}")
    cautions = changes.cautions(found)
    if cautions:
        st.info("  \n".join(plain(sentence) for sentence in cautions))


def _show_cards(seen: Visit, found: Comparison) -> None:
    """Show who came, left and moved, and what became of value and risk."""
    cards = st.grid(3, min_column_width=148, gap="small")
    stayed = found.customers("stayed")
    for label, status, whole, meaning in (
        ("New", "new", found.after.customers, "Customers of the newer version only, of all in it."),
        (
            "Gone",
            "gone",
            found.before.customers,
            "Customers of the older version only, of all in it: corrected away, everything taken back, or an earlier cutoff.",
        ),
        ("Moved", "moved", stayed, "Customers who are in another group now, of those in both versions."),
    ):
        people = found.customers(status)
        part = f"{share(people / whole)} of {count(whole)}" if whole else ""
        Card(label, count(people), note=part, meaning=meaning).show(cards)
    for label, measure, meaning in (
        ("Spend so far", "total_spend", "Money of all orders, new customers included."),
        ("Value, 180 days", "clv_180d", "Value of all customers over the next 180 days."),
        ("Value at risk", "expected_value_loss", "Sum of value times risk."),
    ):
        if not knows(seen, measure):
            continue
        line = found.total(measure)
        change = seen.money(float(line["after"] - line["before"]), short=True)
        Card(
            label,
            seen.money(float(line["after"]), short=True),
            change if change.startswith("-") else f"+{change}",
            f"since {found.before.version}",
            f"{meaning} In {found.before.version}: {seen.money(float(line['before']), short=True)}.",
        ).show(cards)


def _show_totals(found: Comparison) -> None:
    """Show the totals of both versions and the parts between them."""
    with st.expander("Totals that add up"):
        rows = changes.total_rows(found)
        st.table(
            {
                "": [row["measure"] for row in rows],
                "Before": [money_in_markdown(row["before"]) for row in rows],
                "+ new": [money_in_markdown(row["new"]) for row in rows],
                "− gone": [money_in_markdown(row["gone"]) for row in rows],
                "+ rose": [money_in_markdown(row["rose"]) for row in rows],
                "+ fell": [money_in_markdown(row["fell"]) for row in rows],
                "= after": [money_in_markdown(row["after"]) for row in rows],
            }
        )
        st.markdown(aside("Rose and fell: customers of both versions."))


def _show_moves(seen: Visit, found: Comparison) -> None:
    """Show the customers who moved most, each with the facts behind it."""
    st.header("Who moved most", anchor=False)
    lists: dict[str, tuple[Move, ...]] = {
        **({"Value gained": tuple(found.value_up), "Value lost": tuple(found.value_down)} if _knows_money(seen) else {}),
        "Risk rose": tuple(found.risk_up),
        "Risk fell": tuple(found.risk_down),
    }
    for tab, (name, moves) in zip(st.tabs(list(lists)), lists.items(), strict=True):
        with tab:
            if not moves:
                st.markdown("Nobody.")
                continue
            rows = pa.Table.from_pylist(changes.move_rows(moves, seen.genome.currency))
            names = [masked_id(seen, customer_id) for customer_id in rows.column("customer_id").to_pylist()]
            rows = rows.set_column(0, "customer_id", pa.array(names, pa.string()))
            if seen.masks:
                rows = rows.drop_columns(["facts"])
            if not _knows_money(seen):
                rows = rows.drop_columns(["value"])
            picked = st.dataframe(
                rows,
                hide_index=True,
                height="content",
                on_select="rerun",
                selection_mode="single-row",
                key=f"moved_{name}",
                column_config={
                    "customer_id": "Customer",
                    "value": "Value, 180 days",
                    "risk": "Risk",
                    "group": changes.GROUP_WORDS[found.group].capitalize(),
                    "facts": "What happened",
                },
            )
            if picked["selection"]["rows"]:
                st.switch_page("customer.py", query_params={"customer": names[picked["selection"]["rows"][0]]})
            if not seen.masks:
                offer_csv("Download (CSV)", rows, f"{name.lower().replace(' ', '_')}.csv", f"moves_{name}")
    ranked = (
        " Risk is ranked by its change times the larger of both values, so that customers worth nothing do not fill the list."
    )
    st.markdown(aside(f"Select a row to see the customer.{ranked if _knows_money(seen) else ''}"))


show()
