"""The page Model quality: candidates side by side against naive formulas, on the user's own data, and where forecasts are wrong.

What a backtest of the workspace stored is shown as it is; without one the page says which command makes it.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any

import streamlit as st

from customer_genome.interfaces.charts import quality, quality_parts
from customer_genome.interfaces.charts.quality_reasons import beeswarm, importance
from customer_genome.interfaces.dashboard.cards import Card
from customer_genome.interfaces.dashboard.drawing import draw, offer_table
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.session import Visit, visit
from customer_genome.interfaces.dashboard.totals import is_of_totals, show_what_was_measured
from customer_genome.interfaces.views.figures import count
from customer_genome.interfaces.views.quality_figures import (
    AGE_WORDS,
    FIGURES,
    FURTHER,
    GRADE_NOTE,
    GRADE_WORDS,
    SEGMENT_NOTE,
    SEGMENT_WORDS,
    Evidence,
    Figure,
    age_note,
    age_rows,
    caution,
    curves_of,
    evidence,
    grade_rows,
    number,
    rows_in_order,
    segment_rows,
    side_by_side,
    table_of,
    tails_sentence,
    without_backtest,
)
from customer_genome.interfaces.views.quality_words import (
    against_formula,
    beaten_by_formula,
    new_against_old,
    segment_levels,
    threshold_sentence,
)

CARDS = ("gini", "auc", "brier", "ece", "abs_log_bias", "relative_score")


def show() -> None:
    """Show the page."""
    seen = visit()
    st.title("Model quality", anchor=False)
    if is_of_totals(seen):
        show_what_was_measured(seen)
        return
    found = evidence(seen.genome)
    if found is None:
        _show_what_is_missing(seen)
    else:
        _show_comparison(seen, found)
    _show_where_it_is_wrong(seen, found)
    _show_what_moves_the_risk(seen)
    _show_grades(seen)
    if found is not None:
        _show_ages(seen, found)
        _show_words(found)


def _show_comparison(seen: Visit, found: Evidence) -> None:
    """Show the verdict of the backtest, and candidates side by side."""
    st.markdown(aside(f"{found.lead()} The filters of other pages do not apply."))
    warning = caution(found, seen.genome)
    if warning:
        st.warning(plain(warning))
    st.markdown(f"**{plain(found.verdict())}** {plain(beaten_by_formula(found))} {plain(tails_sentence(found))}")
    _show_cards(found)
    _show_candidates(seen, found)


def _show_what_is_missing(seen: Visit) -> None:
    """Say what a backtest would add, and which command makes one."""
    root = seen.genome.snapshot.folder.parent.parent
    st.info(without_backtest(seen.genome))
    label = shlex.quote(str(seen.manifest["sources"]["order_lines"]["label"]))
    st.markdown("Run it with the data of this version, then reload this page; it takes a few minutes and publishes nothing:")
    st.code(f"genome backtest {label} --workspace {root}", language=None, wrap_lines=True)


def _show_cards(found: Evidence) -> None:
    """Show the deciding figures of what is published, each beside the best naive formula."""
    cards = st.grid(3, min_column_width=148, gap="small")
    for figure in (one for one in FIGURES if one.name in CARDS):
        mine = next((row for row in found.rows(figure) if row["is_shipped"]), None)
        rival = found.best_naive(figure)
        if mine is None:
            continue
        Card(
            figure.label,
            number(mine["value"]),
            note=f"best formula {number(rival['value'])}" if rival else "no formula to compare",
            meaning=f"{figure.meaning} ± {number(mine['error'])} standard error, mean over the cutoffs. "
            + (f"Best naive formula: {rival['candidate']}." if rival else ""),
        ).show(cards)


def _show_candidates(seen: Visit, found: Evidence) -> None:
    """Let the visitor choose a figure; show it for all candidates and at every cutoff."""
    st.header("Candidates side by side", anchor=False)
    labels = {figure.label: figure for figure in FIGURES}
    chosen: Figure = labels[
        st.selectbox(
            "Figure",
            list(labels),
            key="quality_figure",
            bind="query-params",
            width=300,
            help="Which figure the charts below compare.",
        )
    ]
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            seen,
            partial(
                quality.candidates,
                found.rows(chosen),
                label=chosen.label,
                meaning=chosen.meaning,
                higher_is_better=bool(chosen.higher_is_better),
            ),
            table_of(found.rows(chosen)),
            f"Candidates by {chosen.label}",
        )
    with right:
        draw(
            seen,
            partial(quality.by_cutoff, found.each_cutoff(chosen), label=chosen.label, meaning=chosen.meaning),
            name=f"{chosen.label} at each cutoff",
        )
        said = [against_formula(found, one) for one in FIGURES]
        st.markdown("**Against the best formula**\n\n" + "\n".join(f"- {plain(text)}" for text in said if text))
    rows = side_by_side(found)
    st.dataframe(
        table_of(rows),
        hide_index=True,
        height="content",
        column_config={
            "candidate": st.column_config.TextColumn("Candidate"),
            "kind": "Kind",
            **{
                one.name: st.column_config.TextColumn(f"{one.label} {'↑' if one.higher_is_better else '↓'}", help=one.meaning)
                for one in FIGURES
            },
        },
    )
    st.markdown(aside("Mean over the cutoffs ± standard error over customers; ↑ more is better, ↓ less is better."))
    offer_table(seen, table_of(rows), "Candidates side by side")


def _show_where_it_is_wrong(seen: Visit, found: Evidence | None) -> None:
    """Show chances and money of the published forecast against what came."""
    curves, of_which = curves_of(seen.genome, found)
    months = found.months() if found else []
    if not any(curves.values()) and not months:
        return
    st.header("Where it is right and where it is wrong", anchor=False)
    st.markdown(aside(of_which))
    is_of_backtest = found is not None and bool(found.curves()["reliability"])
    areas = {figure.name: _published(found, figure) if is_of_backtest else None for figure in (*FIGURES, *FURTHER)}
    left, right = st.columns(2, gap="large")
    with left:
        if curves["reliability"]:
            draw(seen, partial(quality.reliability, curves["reliability"]), name="Reliability diagram")
        if curves["roc"]:
            draw(seen, partial(quality.ranking_curve, curves["roc"], kind="roc", area=areas["auc"]), name="ROC curve")
        if months:
            draw(seen, partial(quality.level_by_month, months), name="Level by month")
    with right:
        if curves["deciles"]:
            draw(seen, partial(quality.deciles, curves["deciles"]), name="Tenths of customers")
        if curves["pr"]:
            draw(
                seen,
                partial(quality.ranking_curve, curves["pr"], kind="pr", area=areas["pr_auc"]),
                name="Precision and recall",
            )
    if curves["deciles"]:
        with right if months else st.container():
            draw(seen, partial(quality_parts.gains, curves["deciles"]), name="Cumulative gains and lift")
    if curves["thresholds"]:
        _show_threshold(seen, curves["thresholds"])


def _published(found: Evidence | None, figure: Figure) -> float | None:
    """Return a figure of the published forecast, None without a backtest."""
    return next((row["value"] for row in found.rows(figure) if row["is_shipped"]), None) if found else None


@st.fragment
def _show_threshold(seen: Visit, rows: list[dict[str, Any]]) -> None:
    """Let the visitor choose from which risk on customers are named, and show who would have been hit and what it would have brought."""
    st.subheader("From which risk on to act", anchor=False)
    left, right = st.columns(2, gap="large")
    unit = f", {seen.genome.currency}" if seen.genome.currency else ""
    with left:
        threshold = (
            st.slider(
                "Name customers with a risk of at least, percent", 5, 95, 50, step=5, key="quality_threshold", bind="query-params"
            )
            / 100
        )
        fields = st.grid(2, min_column_width=180, gap="small")
        cost = fields.number_input(
            f"Cost of a contact{unit}", min_value=0.0, value=1.0, step=0.5, key="quality_cost", bind="query-params"
        )
        back = fields.number_input(
            "Won back, percent", min_value=0.0, max_value=100.0, value=5.0, step=1.0, format="%.1f", key="quality_back", bind="query-params",
            help="Of those named who would stay away. An assumption of yours: only a test with a control group tells. Who is won back spends what an "
            "average buyer does.",
        )  # fmt: skip
        row = min(rows, key=lambda one: abs(one["threshold"] - threshold))
        st.table(
            {
                "": ["Named", "Not named"],
                "No order came": [count(row["named_gone"]), count(row["missed_gone"])],
                "Ordered": [count(row["named_came"]), count(row["left_came"])],
            }
        )
        money = {
            "saved": row["named_gone"] * back / 100 * row["mean_spend"],
            "cost": (row["named_gone"] + row["named_came"]) * cost,
            "net": quality.net_of(row, cost, back / 100),
        }
        said = {name: money_in_markdown(seen.money(value, short=True)) for name, value in money.items()}
        st.markdown(
            f"{plain(threshold_sentence(row))} {said['saved']} won back less {said['cost']} of contacts: **{said['net']}** left."
        )
    with right:
        draw(
            seen,
            partial(quality.threshold_money, rows, threshold=threshold, cost=cost, won_back=back / 100),
            name="Money by threshold",
        )


def _show_what_moves_the_risk(seen: Visit) -> None:
    """Show which themes move the risk, and of whom."""
    themes = rows_in_order(seen.genome, "champion_importance")
    if not themes:
        return
    st.header("What moves the risk", anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        draw(seen, partial(importance, table_of(themes)), table_of(themes), "What moves the risk")
    with right:
        draw(seen, partial(beeswarm, table_of(rows_in_order(seen.genome, "champion_swarm"))), name="Who is moved by what")
    with st.expander("Themes and their facts"):
        st.dataframe(table_of(themes), hide_index=True, height="content")
        offer_table(seen, table_of(themes), "Themes and their facts")


def _show_grades(seen: Visit) -> None:
    """Show what each grade of reliability measured."""
    rows = grade_rows(seen.genome)
    if not rows:
        return
    st.header("What each grade of reliability measured", anchor=False)
    st.dataframe(table_of(rows), hide_index=True, height="content", column_config=dict(GRADE_WORDS))
    offer_table(seen, table_of(rows), "Grades of reliability")
    st.markdown(aside(GRADE_NOTE))


def _show_ages(seen: Visit, found: Evidence) -> None:
    """Show new against old customers, and segments."""
    rows = age_rows(found)
    if not rows:
        return
    st.header("New and old customers", anchor=False)
    st.markdown(plain(new_against_old(found)))
    st.dataframe(table_of(rows), hide_index=True, height="content", column_config=dict(AGE_WORDS))
    offer_table(seen, table_of(rows), "New and old customers")
    st.markdown(aside(age_note(found)))
    parts = segment_rows(found)
    if not parts:
        return
    st.header("Errors by segment", anchor=False)
    left, right = st.columns([4, 7], gap="large")
    levels = segment_levels(found)
    with left:
        draw(seen, partial(quality_parts.segment_levels, levels), table_of(levels), "Level by segment")
    with right:
        st.dataframe(table_of(parts), hide_index=True, height="content", column_config=dict(SEGMENT_WORDS))
        offer_table(seen, table_of(parts), "Errors by segment")
        st.markdown(aside(SEGMENT_NOTE))


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
