"""A drawing is kept while all that it is made of stays the same, and never where that cannot be told."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from customer_genome.interfaces import charts
from customer_genome.interfaces.charts.look import Look
from customer_genome.interfaces.dashboard.drawing import _finished, _mark

LOOK = Look("page", "GBP")


def rows(share: float = 0.5) -> pa.Table:
    """Two segments."""
    return pa.table({"segment": ["a", "b"], "customers": [3, 3], "customer_share": [share, 1 - share]})


def test_a_mark_follows_table_rows_words_chart_and_look():
    drawn = partial(charts.segment_sizes, rows())
    same = _mark(drawn, LOOK)
    assert same and same == _mark(partial(charts.segment_sizes, rows()), LOOK)
    others = [
        _mark(partial(charts.segment_sizes, rows(0.25)), LOOK),
        _mark(partial(charts.segment_spend, rows()), LOOK),
        _mark(partial(charts.segment_sizes, rows(), title="x"), LOOK),
        _mark(partial(charts.segment_sizes, [{"segment": "a"}]), LOOK),
        _mark(drawn, Look("page", "USD")),
    ]
    assert all(others) and len({same, *others}) == len(others) + 1


def test_what_cannot_tell_what_it_holds_has_no_mark():
    table = rows()
    assert _mark(lambda look: charts.segment_sizes(table, look), LOOK) == ""
    assert _mark(partial(charts.segment_sizes, object()), LOOK) == ""


def test_a_drawing_has_its_heading_beside_it_and_fills_its_place():
    found = _finished(partial(charts.segment_sizes, rows()), LOOK)
    assert found.title and found.said and '"width": "container"' in found.spec
    assert found.title not in found.spec
