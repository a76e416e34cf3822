"""Cards of key figures, the same on every page: what it is called, how much, how that moved, a few words below, and what it means.

Comes in: words and figures as they are to be read. Goes out: a card. Not a page of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from customer_genome.interfaces.dashboard.markup import money_in_markdown


@dataclass(frozen=True)
class Card:
    """A key figure.

    Attributes
    ----------
    change : str or None
        How it moved, with its sign; shown beside an arrow.
    note : str
        Since when, over which time, of what: a few words below the figure, which wrap where the card is narrow.
    meaning : str
        What it is, in which unit and over which time: behind the question mark.
    trend : sequence of float
        Its course, oldest first; fewer than three points are none.
    """

    label: str
    value: str
    change: str | None = None
    note: str = ""
    meaning: str = ""
    trend: Sequence[float] = ()

    def show(self, place: Any) -> None:
        """Show it in a place, such as a grid."""
        place.metric(
            self.label,
            money_in_markdown(self.value),
            money_in_markdown(self.change) if self.change else None,
            delta_color="blue",
            delta_description=money_in_markdown(self.note) or None,
            help=money_in_markdown(self.meaning) or None,
            border=True,
            height="stretch",
            chart_data=list(self.trend) if len(self.trend) > 2 else None,
            chart_type="area",
        )


def show_cards(place: Any, cards: Sequence[tuple[str, str, str, str]]) -> None:
    """Show cards without change or trend.

    Parameters
    ----------
    cards : rows of label, value, note and meaning; see `Card`
    """
    for label, value, note, meaning in cards:
        Card(label, value, note=note, meaning=meaning).show(place)
