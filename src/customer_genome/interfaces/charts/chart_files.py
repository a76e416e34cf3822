"""A chart as a file to keep: a picture with its heading and what it speaks of, or the rows behind it.

Comes in: a finished Altair chart and a line that says which customers and which version it shows. Goes out: bytes of a PNG, SVG or
CSV file, and a name for it. Nothing is fetched from anywhere; all data of a chart stand in the chart.
"""

from __future__ import annotations

import csv
import io
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from customer_genome.interfaces.charts.look import Palette

Kind = Literal["png", "svg", "csv"]
MIME: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv"}
PNG_SCALE = 2.0
LETTERS_OF_NAME = 70
LETTERS_OF_LINE = 105
ONLY_DRAWN = frozenset({"step", "from_", "to_", "middle", "centre"})
"""Columns that say which colour a mark has or where it stands, and nothing else."""


def picture_of(chart: Any, kind: Literal["png", "svg"], caption: str, palette: Palette) -> bytes:
    """Return a finished chart as a picture on paper, with its title, its subtitle and a line that says what it speaks of.

    Parameters
    ----------
    caption : such as "Germany · version v00003, as of 9 Dec 2011"
    palette : colours of the picture; its paper is the background
    """
    import altair as alt
    import vl_convert

    drawn = chart.copy(deep=False)
    heading = [list(chart.title.text), list(chart.title.subtitle)]
    drawn.title = alt.TitleParams(text=heading[0], subtitle=[*heading[1], *textwrap.wrap(caption, LETTERS_OF_LINE)])
    spec = drawn.to_dict()
    spec["background"] = palette.paper
    spec["padding"] = 16
    spec["config"] = {**spec.get("config", {}), "background": palette.paper}
    if kind == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=PNG_SCALE))
    return str(vl_convert.vegalite_to_svg(spec)).encode("utf-8")


def rows_behind(chart: Any) -> list[dict[str, Any]]:
    """Return the rows a chart is drawn from; where it has several tables (guides, means), the longest, and of equal ones the first.

    Days come as YYYY-MM-DD. Columns that only choose a colour or a place are left out.
    """
    spec = chart.to_dict()
    named = spec.get("datasets", {})
    tables = [_values(data, named) for data in _data_of(spec)]
    rows: Sequence[Mapping[str, Any]] = max(tables, key=len, default=[])
    return [{name: _cell(value) for name, value in row.items() if name not in ONLY_DRAWN} for row in rows if row]


def csv_of(chart: Any) -> bytes:
    """Return the rows a chart is drawn from as CSV, with all columns that any row has."""
    rows = rows_behind(chart)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8")


def file_name(kind: Kind, *parts: str) -> str:
    """Return a name for a file that every system takes.

    Examples
    --------
    >>> file_name("png", "Revenue by month: £8.9M", "Germany · 3 orders or more")
    'revenue-by-month-8-9m_germany-3-orders-or-more.png'
    >>> file_name("csv", "", "売上")
    'chart.csv'
    """
    words = [re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:LETTERS_OF_NAME].strip("-") for part in parts]
    return f"{'_'.join(word for word in words if word) or 'chart'}.{kind}"


def _data_of(spec: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the data of a chart and of its layers, the outermost first."""
    if isinstance(spec, dict):
        found = spec.get("data")
        if isinstance(found, dict):
            yield found
        for key in ("layer", "concat", "hconcat", "vconcat", "spec"):
            yield from _data_of(spec.get(key))
    elif isinstance(spec, list):
        for part in spec:
            yield from _data_of(part)


def _values(data: Mapping[str, Any], named: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of inline or named data."""
    found = data.get("values", named.get(data.get("name", ""), []))
    return found if isinstance(found, list) else []


def _cell(value: Any) -> Any:
    """Return a value as a cell of a file."""
    if isinstance(value, str):
        return value.removesuffix("T00:00:00")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
