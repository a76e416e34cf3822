"""What the first rows of order lines tell of whole orders: values told once per order, and money that is the order's.

Comes in: a `Sample` that can be read again, and which headers mean what. Goes out: names. Rows are compared as text, within one order.

Many shops write what belongs to an order (who, where to, which status, the total) on its first line only, or repeat the total on every
line. Read line by line, the first loses customers and cancellations, the second counts the money several times.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from customer_genome.errors import SourceError
from customer_genome.sources.samples import Sample, sql_name

MOST_ROWS = 20_000
"""First rows that are looked at."""
_NEARLY_ALL = 0.9
ONCE_PER_ORDER = ("customer_id", "country", "currency", "status")
"""Text columns that belong to a whole order."""


def told_once(sample: Sample, mapping: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the contract columns whose value stands on one line of an order and is blank on its others."""
    if "order_id" not in mapping or sample.open_table is None:
        return ()
    blank = [name for name in ONCE_PER_ORDER if name in mapping and _has_blanks(sample, mapping[name][0])]
    if not blank:
        return ()
    counts = ", ".join(f"count({_text(mapping[name][0])})" for name in blank)
    orders = _orders(sample, mapping, f"select {counts} from lines group by order_text having count(*) > 1")
    found = []
    for place, name in enumerate(blank):
        filled = [order[place] for order in orders if order[place]]
        if filled and sum(1 for n_lines in filled if n_lines == 1) >= _NEARLY_ALL * len(filled):
            found.append(name)
    return tuple(found)


def is_total_of_order(sample: Sample, mapping: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether `amount` is the same on all lines of an order, or stands on one only, although price or quantity differ."""
    if not {"order_id", "amount", "price"} <= set(mapping) or sample.open_table is None:
        return False
    pieces = " || 'x' || ".join(f"coalesce({_text(mapping[name][0])}, '')" for name in ("price", "quantity") if name in mapping)
    orders = _orders(
        sample,
        mapping,
        f"select count(distinct {_text(mapping['amount'][0])}) from lines group by order_text having count(distinct {pieces}) > 1",
    )
    return bool(orders) and sum(1 for (n_amounts,) in orders if n_amounts <= 1) >= _NEARLY_ALL * len(orders)


def _has_blanks(sample: Sample, header: str) -> bool:
    """Return whether a column has fewer values in the sample than the fullest column."""
    return len(sample.values[header]) < max(len(values) for values in sample.values.values())


def _text(header: str) -> str:
    """Return SQL for a raw value as text, null where it is blank."""
    return f"nullif(trim(cast({sql_name(header)} as varchar)), '')"


def _orders(sample: Sample, mapping: Mapping[str, tuple[str, ...]], question: str) -> list[tuple[int, ...]]:
    """Return one row of counts per order among the first rows."""
    import duckdb

    assert sample.open_table is not None
    order = _text(mapping["order_id"][0])
    with closing(duckdb.connect()) as connection:
        try:
            table = sample.open_table(connection)
            return connection.execute(
                f"with lines as (select *, {order} as order_text from {table} where {order} is not null limit {MOST_ROWS}) {question}"
            ).fetchall()
        except duckdb.Error as err:
            raise SourceError(f"The rows could not be read: {str(err).splitlines()[0]}. Export the file again.") from err
