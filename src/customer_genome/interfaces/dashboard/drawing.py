"""How a chart is put on a page: as wide as its place, in the colours of the page, with its finding as heading and files to take along.

Comes in: a function that draws for a `Look`. Goes out: heading, what is drawn in which unit, the chart with words for those who
cannot see it, and a small menu of its files. Files are made when they are asked for, from the same function, so that a page that
nobody takes anything from pays nothing, and a file shows what the page shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

import altair as alt
import pyarrow as pa
import streamlit as st
from streamlit.errors import StreamlitDuplicateElementKey

from customer_genome.interfaces.charts import NARROW, WIDE, Look, heading_of, untitled
from customer_genome.interfaces.charts.chart_files import MIME, Kind, csv_of, file_name, picture_of
from customer_genome.interfaces.charts.look import DARK, LIGHT, Palette
from customer_genome.interfaces.dashboard.customer_list import table_as_csv
from customer_genome.interfaces.dashboard.filters import chosen
from customer_genome.interfaces.dashboard.markup import plain
from customer_genome.interfaces.dashboard.session import Visit

PAGE_FONT = '"Source Sans", "Source Sans Pro", sans-serif'
FILTERED_PAGES = ("", "overview", "segments", "targets", "customers")
"""Addresses of pages whose charts follow the filters of the side bar; the others speak of everybody or of one customer."""
_KINDS: Mapping[Kind, tuple[str, str]] = {
    "png": ("Picture (PNG)", ":material/image:"),
    "svg": ("Drawing (SVG)", ":material/draw:"),
    "csv": ("Figures (CSV)", ":material/table:"),
}
_QUIET_MENUS = (
    ".stPopover button[data-testid=stPopoverButton][kind=tertiary]{min-height:1.75rem;min-width:1.75rem;padding:0 .25rem;justify-content:center}"
    ".stPopover button[data-testid=stPopoverButton][kind=tertiary] [aria-hidden=true]{display:none}"
)
"""Menus of files show an arrow down, and no second arrow beside it."""

MOST_DRAWINGS = 200
_TOLD = (pa.Table, str, int, float, list, tuple, type(None))
"""What tells by itself all that it holds."""

Draw = Callable[[Look], Any]


def give_colours() -> None:
    """Give the page the colours that charts name; they change with the theme at once, without a new run."""
    names = [entry.name for entry in fields(Palette)]
    colours = "".join(f"--{name.replace('_', '-')}:light-dark({getattr(LIGHT, name)},{getattr(DARK, name)});" for name in names)
    st.html(f"<style>:root{{{colours}}}{_QUIET_MENUS}</style>")


def draw(
    visit: Visit,
    chart_for: Draw,
    table: pa.Table | Callable[[], pa.Table] | None = None,
    name: str = "",
    *,
    note: str = "",
    selects: Callable[[Any], Mapping[str, Any]] | None = None,
) -> None:
    """Show a chart, and beside its heading a menu of its files.

    It is laid out for the narrowest place (names above bars, room for figures) and then stretched: a column of a wide
    screen and a phone are about equally wide. Drawing takes most of a page's time, so a drawing is kept where it says itself
    what it is made of: a `functools.partial` of a chart and its tables, rows, words and numbers. Charts that may name a customer
    come as another function and are drawn anew.

    Parameters
    ----------
    table : the rows behind it, where they are more than the chart draws; by default those it draws
    name : what its files are called; by default its title
    note : Markdown behind the subtitle
    selects : makes marks selectable: takes the chart, changes it and returns what `st.vega_lite_chart` needs for it
    """
    look = Look("page", visit.genome.currency, NARROW, visit.horizon_days)
    mark = "" if selects else _mark(chart_for, look)
    found = _kept(mark, chart_for, look) if mark else _finished(chart_for, look, selects)
    title, subtitle = found.title, found.subtitle
    heading = f"**{plain(title)}**  \n:gray[{plain(subtitle)}{note}]" if subtitle else f"**{plain(title)}**"
    if subtitle:
        with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
            st.markdown(heading, width="stretch")
            _offer_files(visit, chart_for, table, name or title, f"{title} {subtitle}")
    else:  # nothing is drawn, so there is nothing to take along
        st.markdown(heading)
    st.vega_lite_chart(spec=json.loads(found.spec), width="stretch", theme=None, alt=found.said, **found.extra)


@dataclass(frozen=True)
class Drawing:
    """A chart as a page shows it.

    Attributes
    ----------
    said : what it shows, for those who cannot see it
    spec : the Vega-Lite specification as JSON, so that nobody who is handed it changes what is kept
    extra : what else `st.vega_lite_chart` needs
    """

    title: str
    subtitle: str
    said: str
    spec: str
    extra: Mapping[str, Any]


def _finished(chart_for: Draw, look: Look, selects: Callable[[Any], Mapping[str, Any]] | None = None) -> Drawing:
    """Return a chart as a page shows it: as wide as its place, without the heading that stands above it."""
    chart = _drawn(chart_for, look)
    title, subtitle = heading_of(chart)
    picture = untitled(chart)
    said, picture.description = str(chart.description), alt.Undefined
    picture.width = "container"
    picture.config = {**picture.config, "font": PAGE_FONT}
    with _unchecked():
        extra = selects(picture) if selects else {}
        return Drawing(title, subtitle, said, json.dumps(picture.to_dict(validate=False)), extra)


@st.cache_resource(max_entries=MOST_DRAWINGS, show_spinner=False)
def _kept(mark: str, _chart_for: Draw, _look: Look) -> Drawing:
    """Return a drawing, made once for all visitors."""
    del mark
    return _finished(_chart_for, _look)


def _mark(chart_for: Draw, look: Look) -> str:
    """Return a digest of all a drawing is made of; an empty text where that cannot be told."""
    if not isinstance(chart_for, partial):
        return ""
    parts = [*chart_for.args, *(part for pair in sorted(chart_for.keywords.items()) for part in pair)]
    if not all(isinstance(part, _TOLD) for part in parts):
        return ""
    digest = hashlib.sha256(f"{chart_for.func.__module__}.{chart_for.func.__qualname__} {look!r}".encode())
    for part in parts:
        digest.update(b"\0")
        if isinstance(part, pa.Table):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, part.schema) as writer:
                writer.write_table(part)
            digest.update(sink.getvalue())
        else:
            digest.update(repr(part).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _unchecked() -> AbstractContextManager[None]:
    """Return a block in which Altair leaves out its check against the Vega-Lite schema: half of a page's time, and the tests have made it."""
    return alt.utils.schemapi.debug_mode(False)


def _drawn(chart_for: Draw, look: Look) -> Any:
    """Return a chart, not checked anew."""
    with _unchecked():
        return chart_for(look)


def offer_table(visit: Visit, table: pa.Table | Callable[[], pa.Table], name: str, *, names_customers: bool = False) -> None:
    """Show a small button that gives a table of a page as CSV; nothing where it names customers and the visitor may not see them.

    Parameters
    ----------
    table : the rows, or what makes them once they are asked for
    names_customers : whether it holds ids of customers
    """
    if names_customers and visit.masks:
        return
    _button(
        "Figures (CSV)",
        partial(_table_csv, table),
        file_name("csv", name, *_filter_words(visit)),
        "csv",
        f"table {name}",
        "small",
    )


def caption_of(visit: Visit) -> str:
    """Return what a picture says of itself: filters, version and day."""
    as_of = str(visit.manifest["as_of"])[:10]
    return " · ".join([*_filter_words(visit), f"Customer Genome {visit.genome.snapshot.version}, as of {as_of}"])


def _filter_words(visit: Visit) -> tuple[str, ...]:
    """Return the filters that the charts of this page follow."""
    page = urlsplit(st.context.url or "").path.rstrip("/").rpartition("/")[2]
    words = chosen().in_words(visit.money)
    return (words,) if words and page in FILTERED_PAGES else ()


def _offer_files(
    visit: Visit, chart_for: Draw, table: pa.Table | Callable[[], pa.Table] | None, name: str, identity: str
) -> None:
    """Show the menu of a chart's files."""
    look = Look("light", visit.genome.currency, WIDE, visit.horizon_days)
    makers: Mapping[Kind, Callable[[], bytes]] = {
        "png": partial(_picture, chart_for, look, "png", caption_of(visit)),
        "svg": partial(_picture, chart_for, look, "svg", caption_of(visit)),
        "csv": partial(_csv, chart_for, look) if table is None else partial(_table_csv, table),
    }
    with st.popover(":material/download:", type="tertiary"):
        for kind, maker in makers.items():
            words, icon = _KINDS[kind]
            _button(words, maker, file_name(kind, name, *_filter_words(visit)), kind, identity, "menu", icon)


def _button(
    label: str, maker: Callable[[], bytes], file: str, kind: Kind, identity: str, place: Literal["menu", "small"], icon: str = ""
) -> None:
    """Show a button that makes a file when it is pressed; two alike on a page get keys of their own."""
    mark = hashlib.sha256(identity.encode()).hexdigest()[:12]
    for again in range(50):
        try:
            st.download_button(
                label,
                maker,
                file_name=file,
                mime=MIME[kind],
                on_click="ignore",
                key=f"take_{kind}_{mark}" + (f"_{again}" if again else ""),
                type="tertiary",
                icon=icon or ":material/download:",
                width="stretch" if place == "menu" else "content",
            )
            return
        except StreamlitDuplicateElementKey:
            continue


def _whole_pandas() -> None:
    """Wait until another thread has finished importing pandas, if one is at it: Altair takes the half-made module for the whole."""
    import pandas  # noqa: F401


def _picture(chart_for: Draw, look: Look, kind: Literal["png", "svg"], caption: str) -> bytes:
    """Return a chart as a picture."""
    _whole_pandas()
    return picture_of(_drawn(chart_for, look), kind, caption, look.palette)


def _csv(chart_for: Draw, look: Look) -> bytes:
    """Return the rows a chart draws."""
    _whole_pandas()
    return csv_of(_drawn(chart_for, look))


def _table_csv(table: pa.Table | Callable[[], pa.Table]) -> bytes:
    """Return a table as CSV."""
    return table_as_csv(table() if callable(table) else table)
