"""The page Model quality: candidates side by side against naive formulas, on the user's own data, and where forecasts are wrong.

What a backtest of the workspace stored is shown as it is; without one the page says which command makes it.
"""

from __future__ import annotations

import streamlit as st

from customer_genome.interfaces.charts import quality
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.drawing import draw
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.figures import count
from customer_genome.interfaces.quality_figures import (
    FIGURES,
    Evidence,
    Figure,
    caution,
    evidence,
    number,
    side_by_side,
    table_of,
    tails_sentence,
    with_error,
    without_backtest,
)

CARDS = ("gini", "auc", "brier", "ece", "abs_log_bias", "relative_score")


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("Model quality", anchor=False)
    found = evidence(seen.genome)
    if found is None:
        _show_what_is_missing(seen)
        return
    st.markdown(aside(f"{found.lead()} The filters of other pages do not apply."))
    warning = caution(found, seen.genome)
    if warning:
        st.warning(plain(warning))
    st.markdown(f"**{plain(found.verdict())}** {plain(tails_sentence(found))}")
    _show_cards(found)
    _show_candidates(seen, found)
    _show_where_it_is_wrong(seen, found)
    _show_ages(found)
    _show_words(found)


def _show_what_is_missing(seen: Visit) -> None:
    """Say what a backtest would add, and which command makes one."""
    root = seen.genome.snapshot.folder.parent.parent
    st.info(without_backtest(seen.genome))
    label = seen.manifest["sources"]["order_lines"]["label"]
    st.markdown("Run it with the data of this version, then reload this page; it takes a few minutes and publishes nothing:")
    st.code(f"genome backtest {label} --workspace {root}", language="bash")


def _show_cards(found: Evidence) -> None:
    """Show the deciding figures of what is published, each beside the best naive formula."""
    cards = st.grid(3, min_column_width=148, gap="small")
    for figure in (one for one in FIGURES if one.name in CARDS):
        mine = next((row for row in found.rows(figure) if row["is_shipped"]), None)
        rival = found.best_naive(figure)
        if mine is None:
            continue
        cards.metric(
            figure.label,
            number(mine["value"]),
            f"best formula {number(rival['value'])}" if rival else "no formula to compare",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=f"{figure.meaning} ± {number(mine['error'])} standard error, mean over the cutoffs. "
            + (f"Best naive formula: {rival['candidate']}." if rival else ""),
        )


def _show_candidates(seen: Visit, found: Evidence) -> None:
    """Let the visitor choose a figure; show it for all candidates and at every cutoff."""
    st.header("Candidates side by side", anchor=False)
    labels = {figure.label: figure for figure in FIGURES}
    chosen: Figure = labels[
        st.selectbox("Figure", list(labels), key="quality_figure", help="Which figure the charts below compare.")
    ]
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            seen,
            lambda look: quality.candidates(
                found.rows(chosen),
                look,
                label=chosen.label,
                meaning=chosen.meaning,
                higher_is_better=bool(chosen.higher_is_better),
            ),
        )
    with right:
        draw(seen, lambda look: quality.by_cutoff(found.each_cutoff(chosen), look, label=chosen.label, meaning=chosen.meaning))
    rows = side_by_side(found)
    st.dataframe(
        table_of(rows),
        hide_index=True,
        height="content",
        column_config={
            "candidate": st.column_config.TextColumn("Candidate", pinned=True),
            "kind": "Kind",
            **{
                one.name: st.column_config.TextColumn(f"{one.label} {'↑' if one.higher_is_better else '↓'}", help=one.meaning)
                for one in FIGURES
            },
        },
    )
    st.markdown(aside("Mean over the cutoffs ± standard error over customers; ↑ more is better, ↓ less is better."))
    st.download_button(
        "Download (CSV)",
        table_as_csv(table_of(rows)),
        file_name="candidates.csv",
        mime="text/csv",
        on_click="ignore",
        key="candidates",
    )


def _show_where_it_is_wrong(seen: Visit, found: Evidence) -> None:
    """Show chances and money of the published forecast against what came, as far as the backtest stored them."""
    bins, tenths, months = found.curves("reliability"), found.curves("deciles"), found.curves("months")
    roc, pr = found.curves("roc"), found.curves("pr")
    if not bins and not tenths and not months:
        return
    st.header("Where it is right and where it is wrong", anchor=False)
    areas = {figure.name: next((r["value"] for r in found.rows(figure) if r["is_shipped"]), None) for figure in FIGURES}
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, lambda look: quality.reliability(bins, look))
        if roc:
            draw(seen, lambda look: quality.ranking_curve(roc, look, kind="roc", area=areas.get("auc")))
    with right:
        draw(seen, lambda look: quality.deciles(tenths, look))
        if pr:
            draw(seen, lambda look: quality.ranking_curve(pr, look, kind="pr"))
    if months:
        draw(seen, lambda look: quality.level_by_month(months, look))


def _show_ages(found: Evidence) -> None:
    """Show new against old customers."""
    rows = [
        {"customers": f"{row['group'].capitalize()} ({count(row['customers'])})", "figure": figure.label, "candidate": row["candidate"], "value": with_error(row)}
        for figure in FIGURES
        for row in found.by_age(figure)
    ]  # fmt: skip
    if not rows:
        return
    st.header("New and old customers", anchor=False)
    st.markdown(
        aside("New: first order within the last horizon before the cutoff. The published forecast and the best naive formula.")
    )
    wide = {"customers": "Customers", "figure": "Figure", "candidate": "Candidate", "value": "Value ± error"}
    st.dataframe(table_of(rows), hide_index=True, height="content", column_config=dict(wide))


def _show_words(found: Evidence) -> None:
    """Show every sentence of the backtest, and who took part."""
    with st.expander("What the backtest says, figure by figure"):
        for sentence in [*found.found["words"], *found.found["notices"]]:
            st.markdown(f"- {plain(sentence)}")
    with st.expander("Who took part"):
        for one in found.found["candidates"]:
            st.markdown(
                f"- **{plain(one['name'])}** ({'naive formula' if one['kind'] == 'naive' else 'model'}): {plain(one['about'])}"
            )


show()
