"""How a chart is put on a page: as wide as its place, in the colours of the page, with its finding as heading.

Comes in: a function that draws for a `Look`. Goes out: heading, what is drawn in which unit, and the chart with words for
those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import streamlit as st

from customer_genome.interfaces.charts import NARROW, Look, heading_of, untitled
from customer_genome.interfaces.charts.look import DARK, LIGHT, Palette
from customer_genome.interfaces.dashboard.markup import plain
from customer_genome.interfaces.dashboard.session import Visit

PAGE_FONT = '"Source Sans", "Source Sans Pro", sans-serif'


def give_colours() -> None:
    """Give the page the colours that charts name; they change with the theme at once, without a new run."""
    names = [entry.name for entry in fields(Palette)]
    colours = "".join(f"--{name.replace('_', '-')}:light-dark({getattr(LIGHT, name)},{getattr(DARK, name)});" for name in names)
    st.html(f"<style>:root{{{colours}}}</style>")


def draw(visit: Visit, chart_for: Callable[[Look], Any]) -> None:
    """Show a chart.

    It is laid out for the narrowest place (names above bars, room for figures) and then stretched: a column of a wide
    screen and a phone are about equally wide.
    """
    chart = chart_for(Look("page", visit.genome.currency, NARROW, visit.horizon_days))
    title, subtitle = heading_of(chart)
    st.markdown(f"**{plain(title)}**  \n:gray[{plain(subtitle)}]" if subtitle else f"**{plain(title)}**")
    picture = untitled(chart)
    picture.width = "container"
    picture.config = {**picture.config, "font": PAGE_FONT}
    st.altair_chart(picture, width="stretch", theme=None, alt=str(chart.description))
