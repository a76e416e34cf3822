"""What changed between two versions: customers from group to group, and what moved their value.

Comes in: small Arrow tables as `interfaces.views.changes` makes them. Goes out: finished Altair charts. Groups are told apart by a
letter that stands before their name, so that the picture also fits a phone; figures stand in the cells.
"""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pyarrow as pa

from customer_genome.interfaces.charts.look import LETTER_PX, Look, finished, nothing_to_draw, rows_of, tips, values
from customer_genome.interfaces.views.changes import GONE, NEW
from customer_genome.interfaces.views.figures import count, quantity, share

_STEPS = 5
_LEFT_LABEL_PX = 230


def migration(flows: pa.Table, look: Look | None = None, *, group: str = "segment") -> Any:
    """Draw who went from which group to which; takes `changes.flow_table`.

    One cell per pair of groups with the number of customers; an outline marks those who stayed where they were.
    """
    look = look or Look()
    rows = rows_of(flows)
    if not rows:
        return nothing_to_draw(look, "No customers in either version, so nobody moved.")
    letters = _letters(rows)
    for row in rows:
        row |= {
            "from_": _named(row["source"], letters),
            "to_": letters.get(row["target"], "gone"),
            "stays": row["source"] == row["target"],
            "people": quantity(row["customers"], "customers"),
            "figure": _brief(row["customers"]),
            "worth": f"{look.estimate(row['clv_before'])} → {look.estimate(row['clv_after'])}",
        }
    _give_steps(rows)
    order = [*letters, NEW, GONE]
    sources = [name for name in order if any(row["source"] == name for row in rows)]
    targets = [letters.get(name, "gone") for name in order if any(row["target"] == name for row in rows)]
    chart = alt.layer(*_cells(rows, look, [_named(name, letters) for name in sources], targets))
    moved, stayed = _moved(rows)
    subtitle = f"Customers by {group} in the older version (rows) and in the newer one (columns, by letter); outlined: stayed in their {group}"
    gone_only = [name for name in letters if name not in sources]
    if gone_only:
        subtitle += (
            ". New name" + ("s: " if len(gone_only) > 1 else ": ") + ", ".join(_named(name, letters) for name in gone_only)
        )
    title = (
        f"{count(moved)} of {quantity(stayed, 'customers')} moved to another {group}"
        if stayed
        else "No customer is in both versions"
    )
    most = max((row for row in rows if _is_move(row)), key=lambda row: row["customers"], default=None)
    if most is not None:
        title += f", most of them from {most['source']} to {most['target']}: {count(most['customers'])}"
    said = "; ".join(f"from {row['source']} to {row['target']}: {row['people']}" for row in rows[:20])
    return finished(chart, look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(44 if look.is_narrow else 34))


def value_reasons(reasons: pa.Table, look: Look | None = None) -> Any:
    """Draw what moved the value of all customers, by reason; takes `changes.reason_table`.

    Rises go right, falls left with a dashed outline; the label has the sign.
    """
    look = look or Look()
    rows = rows_of(reasons)
    if not rows:
        return nothing_to_draw(look, "No customers in either version, so no value moved.")
    palette = look.palette
    for place, row in enumerate(rows):
        sign = "+" if row["change"] > 0 else ""
        row |= {
            "_place": place,
            "rises": row["change"] >= 0,
            "label": f"{sign}{look.estimate(row['change'])} · {_brief(row['customers'])} customers"
            if row["customers"] != 1
            else f"{sign}{look.estimate(row['change'])} · 1 customer",
            "worth": f"{look.estimate(row['clv_before'])} → {look.estimate(row['clv_after'])}",
            "top": max(row["change"], 0.0),
        }
    used = 0 if look.is_narrow else min(_LEFT_LABEL_PX, LETTER_PX * max(len(row["reason"]) for row in rows) + 20)
    low, high = min(0.0, *(row["change"] for row in rows)), max(0.0, *(row["change"] for row in rows))
    drawn_px = look.pixels - used
    label_px = 14 + LETTER_PX * max(len(row["label"]) for row in rows)
    span = (high - low) or 1.0
    end = low + max(span * drawn_px / max(drawn_px - label_px, 0.3 * drawn_px), (high - low) or 1.0)
    names = [row["reason"] for row in rows]
    axis = (
        None if look.is_narrow else alt.Axis(title=None, labelColor=palette.ink, labelLimit=_LEFT_LABEL_PX, minExtent=used - 14)
    )
    y = alt.Y("reason:N", sort=names, axis=axis, scale=alt.Scale(paddingInner=0.62 if look.is_narrow else 0.34, paddingOuter=0.2))
    x = alt.X("change:Q", axis=None, scale=alt.Scale(domain=[low, end], nice=False, zero=True))
    drawn = alt.Chart(values(rows)).encode(
        y=y, x=x, tooltip=tips(("reason", "Why"), ("meaning", "That is"), ("label", "Change of value"), ("worth", "Value"))
    )
    layers = [
        drawn.transform_filter("datum.rises").mark_bar(color=palette.main, cornerRadiusEnd=2),
        drawn.transform_filter("!datum.rises").mark_bar(
            color=palette.main_soft, stroke=palette.second, strokeWidth=1.5, strokeDash=[3, 2], cornerRadiusEnd=2
        ),
        drawn.mark_text(align="left", dx=6, color=palette.ink).encode(x="top:Q", text="label:N"),
    ]
    if look.is_narrow:
        layers.append(drawn.mark_text(align="left", dy=-19, color=palette.ink).encode(text="reason:N", x=alt.value(0)))
    else:
        layers.append(alt.Chart(values([{"zero": 0}])).mark_rule(color=palette.soft_ink).encode(x="zero:Q"))
    total = sum(row["change"] for row in rows)
    before = sum(row["clv_before"] for row in rows)
    part = f" by {share(abs(total) / before)}" if before > 0 else ""
    title = (
        "The value of all customers is as it was"
        if total == 0
        else f"The value of all customers {'rose' if total > 0 else 'fell'}{part}: {look.estimate(abs(total))} {'more' if total > 0 else 'less'}"
    )
    subtitle = f"Change of value over 180 days by what happened to the customers, {look.money_unit}"
    said = "; ".join(f"{row['reason']}: {row['label']}" for row in rows)
    return finished(
        alt.layer(*layers), look, title=title, subtitle=subtitle, words=said + ".", height=alt.Step(42 if look.is_narrow else 30)
    )


def _letters(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return a letter for every group, the largest in the newer version first."""
    sizes: dict[str, float] = {}
    for row in rows:
        for name, size in ((row["target"], row["customers"]), (row["source"], 0)):
            if name not in (NEW, GONE):
                sizes[name] = sizes.get(name, 0) + size
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    letters = [*string.ascii_uppercase, *(f"{one}{other}" for one in string.ascii_uppercase for other in string.ascii_uppercase)]
    return dict(zip(names, letters, strict=False))


def _named(name: str, letters: Mapping[str, str]) -> str:
    """Return a group with its letter; new customers have none."""
    return f"{letters[name]} · {name}" if name in letters else "new in this version"


def _is_move(row: Mapping[str, Any]) -> bool:
    """Return whether customers of both versions changed their group."""
    return bool(row["source"] != NEW and row["target"] != GONE and row["source"] != row["target"])


def _moved(rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many customers moved, of how many in both versions."""
    both = [row for row in rows if row["source"] != NEW and row["target"] != GONE]
    return sum(row["customers"] for row in both if _is_move(row)), sum(row["customers"] for row in both)


def _give_steps(rows: Sequence[dict[str, Any]]) -> None:
    """Colour by the share of customers of the row's group that went this way, so that small groups show too."""
    sizes: dict[str, int] = {}
    for row in rows:
        sizes[row["source"]] = sizes.get(row["source"], 0) + row["customers"]
    for row in rows:
        part = row["customers"] / sizes[row["source"]]
        row["part"] = f"{share(part)} of {'the new ones' if row['source'] == NEW else row['source']}"
        row["step"] = min(_STEPS, 1 + math.floor(_STEPS * part))


def _brief(number: float) -> str:
    """Return a count that fits a cell.

    Examples
    --------
    >>> _brief(999), _brief(12_345), _brief(1_234_567)
    ('999', '12k', '1.2M')
    """
    if number < 10_000:
        return count(number)
    return f"{number / 1e3:.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"


def _cells(rows: Sequence[dict[str, Any]], look: Look, sources: Sequence[str], targets: Sequence[str]) -> list[Any]:
    """Return the layers of the matrix."""
    palette = look.palette
    axis = None if look.is_narrow else alt.Axis(title=None, labelColor=palette.ink, labelLimit=_LEFT_LABEL_PX)
    padding = alt.Scale(paddingInner=0.45, paddingOuter=0.3) if look.is_narrow else alt.Scale(padding=0.08)
    drawn = alt.Chart(values(rows)).encode(
        x=alt.X("to_:N", sort=list(targets), scale=alt.Scale(padding=0.05), axis=alt.Axis(title=None, labelAngle=0, orient="top", labelColor=palette.ink)),
        y=alt.Y("from_:N", sort=list(sources), axis=axis, scale=padding),
        tooltip=tips(("source", "From"), ("target", "To"), ("people", "Customers"), ("part", "That is"), ("worth", "Their value")),
    )  # fmt: skip
    steps = alt.Scale(domain=list(range(1, _STEPS + 1)), range=list(palette.heat))
    on_steps = alt.Scale(domain=list(range(1, _STEPS + 1)), range=list(palette.on_heat))
    small = len(targets) > 7
    layers = [
        drawn.mark_rect(cornerRadius=3).encode(fill=alt.Fill("step:O", scale=steps, legend=None)),
        drawn.transform_filter("datum.stays").mark_rect(
            cornerRadius=3, fill=palette.paper, fillOpacity=0, stroke=palette.second, strokeWidth=2
        ),
        drawn.mark_text(fontSize=10 if small and look.is_narrow else 12).encode(
            text="figure:N", color=alt.Color("step:O", scale=on_steps, legend=None)
        ),
    ]
    if look.is_narrow:
        names = alt.Chart(values([{"from_": name} for name in sources]))
        layers.append(
            names.mark_text(align="left", dy=-20, color=palette.ink, fontSize=12).encode(
                y=alt.Y("from_:N", sort=list(sources)), x=alt.value(0), text="from_:N"
            )
        )
    return layers
