"""How every chart looks: colours, type, sizes, number formats, and how a chart gets its title and its words.

Comes in: light, dark or page; a currency; a width. Goes out: `Look`, the Vega-Lite configuration of it, and small builders
the chart modules share. Colours are told apart by colour-blind people (blue and orange, never red and green) and never
carry a meaning alone: labels, outlines or dashes say the same.
"""

from __future__ import annotations

import datetime as dt
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.views import figures

Mode = Literal["light", "dark", "page"]
WIDE, NARROW = 640, 330
"""Widths in pixels for a screen and for a phone."""
FONT = "Arial, 'Helvetica Neue', 'Liberation Sans', sans-serif"
LETTER_PX = 6.8
"""About how wide a letter of a label is; a little more than it is in most fonts, so that nothing is clipped."""


@dataclass(frozen=True)
class Palette:
    """Colours by what they are for; contrasts hold on `paper`."""

    paper: str
    ink: str
    soft_ink: str
    grid: str
    main: str
    main_soft: str
    second: str
    heat_1: str
    heat_2: str
    heat_3: str
    heat_4: str
    heat_5: str
    on_heat_1: str
    on_heat_2: str
    on_heat_3: str
    on_heat_4: str
    on_heat_5: str

    @property
    def heat(self) -> list[str]:
        """The steps from little to much."""
        return [self.heat_1, self.heat_2, self.heat_3, self.heat_4, self.heat_5]

    @property
    def on_heat(self) -> list[str]:
        """The colour of text on each step."""
        return [self.on_heat_1, self.on_heat_2, self.on_heat_3, self.on_heat_4, self.on_heat_5]


LIGHT = Palette(
    paper="#ffffff", ink="#1b2733", soft_ink="#51606f", grid="#e3e8ed", main="#1f5f99", main_soft="#b9d2e8", second="#b4530a",
    heat_1="#e6eff7", heat_2="#bcd5ea", heat_3="#80b1d8", heat_4="#2f78b3", heat_5="#123f68",
    on_heat_1="#1b2733", on_heat_2="#1b2733", on_heat_3="#10202f", on_heat_4="#ffffff", on_heat_5="#ffffff",
)  # fmt: skip
DARK = Palette(
    paper="#151b22", ink="#e8edf2", soft_ink="#a9b6c3", grid="#2b3641", main="#6fb0e6", main_soft="#2d4c68", second="#f0a35e",
    heat_1="#1f2d3b", heat_2="#274763", heat_3="#32668f", heat_4="#63a6dc", heat_5="#c3e0f7",
    on_heat_1="#e8edf2", on_heat_2="#e8edf2", on_heat_3="#ffffff", on_heat_4="#0d1a26", on_heat_5="#0d1a26",
)  # fmt: skip
PAGE = Palette(**{entry.name: f"var(--{entry.name.replace('_', '-')})" for entry in fields(Palette)})
"""Names instead of colours: the style sheet of the page that holds the picture decides."""
_PALETTES: Mapping[Mode, Palette] = {"light": LIGHT, "dark": DARK, "page": PAGE}


@dataclass(frozen=True)
class Look:
    """What a chart must know besides its numbers.

    Attributes
    ----------
    mode : "light", "dark", or "page" (colours come from the style sheet around the picture)
    currency : code of the money, empty where unknown
    width : int, pixels of the whole picture; None fills the place it is put into
    horizon_days : int, days that risk reaches
    """

    mode: Mode = "light"
    currency: str = ""
    width: int | None = WIDE
    horizon_days: int = 180

    @property
    def palette(self) -> Palette:
        """The colours."""
        return _PALETTES[self.mode]

    @property
    def is_narrow(self) -> bool:
        """Whether it must be readable on a phone."""
        return self.width is not None and self.width < 480

    @property
    def pixels(self) -> int:
        """The width to reckon with where room for text is left."""
        return self.width or WIDE

    def money(self, value: float | None, *, short: bool = False) -> str:
        """Return money in the currency of the chart."""
        return figures.money(value, self.currency, short=short)

    def estimate(self, value: float | None) -> str:
        """Return expected money: a model knows no pennies."""
        return figures.estimate(value, self.currency)

    @property
    def money_unit(self) -> str:
        """What axis titles call money."""
        return self.currency or "shop currency"


def theme(mode: Mode = "light") -> dict[str, Any]:
    """Return the Vega-Lite configuration; charts made here carry it already.

    Parameters
    ----------
    mode : "light", "dark" or "page"
    """
    colours = _PALETTES[mode]
    text = {
        "labelColor": colours.soft_ink,
        "titleColor": colours.soft_ink,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return {
        "background": "transparent",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "font": FONT,
        "padding": {"left": 4, "right": 8, "top": 4, "bottom": 4},
        "view": {"stroke": None},
        "axis": text | {
            "grid": False, "gridColor": colours.grid, "domain": False, "ticks": False, "labelPadding": 6, "titlePadding": 10, "labelLimit": 270,
            "labelOverlap": "greedy", "labelSeparation": 8,
        },
        "legend": text | {"orient": "bottom", "symbolType": "square", "symbolStrokeWidth": 0, "titleLimit": 400, "columnPadding": 14},
        "title": {
            "anchor": "start", "color": colours.ink, "fontSize": 15, "fontWeight": 600, "offset": 14, "subtitleColor": colours.soft_ink,
            "subtitleFontSize": 12, "subtitlePadding": 5, "frame": "bounds",
        },
        "text": {"color": colours.ink, "fontSize": 12},
        "bar": {"color": colours.main},
        "line": {"color": colours.main, "strokeWidth": 2},
        "point": {"color": colours.main, "filled": True, "size": 45},
        "rule": {"color": colours.soft_ink},
        "range": {"category": [colours.main, colours.second, colours.soft_ink], "ordinal": colours.heat, "heatmap": colours.heat},
    }  # fmt: skip


def finished(chart: Any, look: Look, *, title: str, subtitle: str, words: str = "", height: Any = 260) -> Any:
    """Return the chart with size, title, spoken description and configuration.

    `title` is the finding, `subtitle` says what is drawn, in which unit, over which time; `words` adds to the description.
    """
    letters = max(30, int(look.pixels / 7.2))
    heading = alt.TitleParams(text=textwrap.wrap(title, letters) or [""], subtitle=textwrap.wrap(subtitle, int(letters * 1.25)))
    done = chart.properties(
        width=look.width or "container",
        height=height,
        title=heading,
        description=" ".join(part for part in (title.rstrip(".") + ".", subtitle.rstrip(".") + ".", words) if part.strip(". ")),
    )
    done.config = theme(look.mode)
    return done


def heading_of(chart: Any) -> tuple[str, str]:
    """Return the title and the subtitle of a finished chart, for a page that shows them itself."""
    return " ".join(chart.title.text), " ".join(chart.title.subtitle)


def untitled(chart: Any) -> Any:
    """Return a copy without title and subtitle."""
    copied = chart.copy(deep=False)
    copied.title = alt.Undefined
    return copied


def nothing_to_draw(look: Look, sentence: str) -> Any:
    """Return an empty picture whose title says why there is nothing to see."""
    empty = alt.Chart(values([{}])).mark_point(opacity=0)
    return finished(empty, look, title=sentence, subtitle="", height=1)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values; decimals as floats."""
    return [
        {name: float(value) if hasattr(value, "as_tuple") else value for name, value in row.items()} for row in table.to_pylist()
    ]


def values(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Return rows as data of a chart; days become local midnights, so that no time zone moves them."""
    return alt.InlineData(values=[{name: _plain(value) for name, value in row.items()} for row in rows])


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it."""
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="seconds")
    return f"{value.isoformat()}T00:00:00" if isinstance(value, dt.date) else value


def tips(*pairs: tuple[str, str]) -> list[alt.Tooltip]:
    """Return tooltips of (column, title); columns hold finished text."""
    return [alt.Tooltip(f"{column}:N", title=title) for column, title in pairs]


def money_labels(look: Look) -> str:
    """Return the expression that writes money on an axis: £0, £500, £1.2k, £3M."""
    sign = json.dumps(figures.money(0, look.currency).removesuffix("0"))
    number = "(datum.value < 1000 ? format(datum.value, ',~r') : replace(format(datum.value, '~s'), 'G', 'B'))"
    return f"{sign} + {number}"


def percent_labels() -> str:
    """Return the expression that writes shares on an axis as everywhere else: 25 %."""
    return "format(100 * datum.value, ',.0f') + '\u00a0%'"


def count_labels() -> str:
    """Return the expression that writes counts on an axis; half customers get no label."""
    return "datum.value % 1 ? '' : datum.value < 10000 ? format(datum.value, ',') : replace(format(datum.value, '~s'), 'G', 'B')"


def room_for(labels: Sequence[str], largest: float, look: Look, used_px: float = 0) -> float:
    """Return the end of a bar axis that leaves room for the longest label behind the longest bar."""
    label_px = 12 + LETTER_PX * max((len(label) for label in labels), default=0)
    drawn = max(look.pixels - used_px, 120.0)
    return (largest or 1.0) * drawn / max(drawn - label_px, 0.3 * drawn)
