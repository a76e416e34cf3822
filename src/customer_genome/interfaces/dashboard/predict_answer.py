"""How a prediction is shown: risk in figures, colour, shape and words; money with its range; reasons; and what was never learned.

Comes in: plain figures. Goes out: parts of the page Predict. Not a page of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import streamlit as st

from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.views.figures import share

RISKS: Mapping[str, tuple[str, Literal["red", "violet", "green"]]] = {
    "High": ("▲", "red"),
    "Medium": ("◆", "violet"),
    "Low": ("●", "green"),
}
"""Shape and colour of a band of risk; the word stands beside them."""


def show_risk(label: str, chance: float, band: str, words: str, mean: float, everybody: str, *, was: float | None = None) -> None:
    """Show a risk.

    Parameters
    ----------
    band : High, Medium or Low
    words : what the band means
    mean : the risk it is held against, which `everybody` names
    was : the risk before fields were changed, where they were
    """
    points = None if was is None else 100 * (chance - was)
    st.metric(
        label,
        share(chance),
        None
        if points is None
        else f"{points:+.1f} points by the changed fields"
        if abs(points) >= 0.05
        else "as before the change",
        delta_color="inverse" if points is not None and abs(points) >= 0.05 else "off",
        delta_arrow="auto" if points is not None and abs(points) >= 0.05 else "off",
    )
    sign, color = RISKS[band]
    st.badge(f"{sign} {band} risk: {words}", color=color)
    beside = "as high as" if abs(chance - mean) < 0.005 else "above" if chance > mean else "below"
    st.markdown(aside(f"{share(chance)} is {beside} {plain(everybody)} ({share(mean)})."))


def show_money(label: str, amount: str, lower: str | None, upper: str | None, meaning: str, *, was: str | None = None) -> None:
    """Show money to come with its range."""
    st.metric(label, money_in_markdown(amount), None if was is None else f"before the change {money_in_markdown(was)}", delta_color="off", delta_arrow="off", help=meaning)  # fmt: skip
    if lower is not None and upper is not None:
        st.markdown(f"Eight times in ten between {money_in_markdown(lower)} and {money_in_markdown(upper)}.")


def show_said(said: Sequence[str], *, is_exact: bool = True) -> None:
    """Show reasons, strongest first; a plus raises what is predicted."""
    st.markdown("**Why**" if said else "Nothing about this customer sets them apart from the average one.")
    for sentence in said:
        st.markdown(f"{'▲' if ': +' in sentence else '▼'} {plain(sentence)}")
    if said and not is_exact:
        st.markdown(aside("Shares of the columns are estimated: this model has no exact way."))


def warn_of_the_unknown(faults: Sequence[str]) -> None:
    """Say what lies outside what was learned."""
    if faults:
        listed = "\n".join(f"- {plain(fault)}" for fault in faults)
        st.warning(
            f"Outside what the model has learned from, so take the answer with care:\n\n{listed}", icon=":material/explore:"
        )
