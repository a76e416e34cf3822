"""New rows into a warehouse that stands: only what it does not hold is added, and only what that touches is made anew.

Comes in: the engine of a copy of the warehouse and one described delivery. Goes out: `lines` and every table that knows no
cutoff, equal to what `stage_lines` and `build_orders` make of all rows at once, whatever the order in which they came. The
delivery is read and classed by the same staging text, and its rows are added up by the same texts of sql/marts, which
then see the new rows only; the texts of sql/increment join both. They are DuckDB's: other engines build anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from customer_genome.contracts import SourceTable
from customer_genome.errors import EngineError
from customer_genome.warehouse.build import LineRules, define_rules, mart_text, match_returns, read_lines, sql_text, staging_text
from customer_genome.warehouse.engine import Engine

_NO_LINES = "select cast(null as bigint) as line_id, cast(null as bigint) as copy_number, * from lines where false"


@dataclass(frozen=True)
class AddedLines:
    """What came of one delivery.

    Attributes
    ----------
    rows_read : rows of the delivery, unreadable ones included
    rows_added : those that the warehouse did not hold
    first_line : line number of the first added line; the others follow it
    rows_ripened : stored lines that lay too far ahead before and have another class now
    """

    rows_read: int = 0
    rows_added: int = 0
    first_line: int = 0
    rows_ripened: int = 0

    @property
    def rows_seen(self) -> int:
        """Rows that the warehouse held already."""
        return self.rows_read - self.rows_added


def add_lines(engine: Engine, delivery: SourceTable | None, rules: LineRules, *, finds_duplicates: bool) -> AddedLines:
    """Add the new rows of a delivery to `lines` and to every table that knows no cutoff.

    Parameters
    ----------
    delivery : SourceTable, optional
        None where nothing came: lines that lay too far ahead before may still have become believable.
    finds_duplicates : bool
        Whether equal lines are one line sent twice, as when the warehouse was built.

    Raises
    ------
    SourceError
        When customer, time or money is not mapped.
    EngineError
        When the warehouse does not keep lines where they were put.
    """
    define_rules(engine, rules)
    engine.create_table("fresh_lines", _NO_LINES)
    engine.create_table("fresh_return_events", "select * from return_events where false")
    n_ripened = _ripen(engine, finds_duplicates)
    added = _deliver(engine, delivery, rules, finds_duplicates) if delivery else AddedLines()
    if _count(engine, "fresh_lines"):
        _add_to_orders(engine)
        _add_to_returns(engine)
    engine.create_table("split_orders", mart_text("split_orders"))
    engine.create_view("order_days", mart_text("order_days"))
    return replace(added, rows_ripened=n_ripened)


def match_stale_returns(engine: Engine) -> None:
    """Match returns again where new lines or the way from the cutoff before to this one can have changed it.

    Of several cutoffs, before or now, everything is matched again.
    """
    if _count(engine, "cutoffs") != 1 or _count(engine, "matched_cutoffs") != 1:
        match_returns(engine)
        return
    for name in ("stale_returns", "stale_return_events"):
        engine.create_table(name, _text(name))
    engine.create_view("return_events", "select * from stale_return_events")
    engine.create_table("stale_return_matches", mart_text("return_matches"))
    engine.run("drop view temp.return_events")
    standing = _text("standing_return_matches")
    engine.create_table("return_matches", f"{standing}\nunion all by name\nselect * from stale_return_matches", keep=True)


def _ripen(engine: Engine, finds_duplicates: bool) -> int:
    """Class lines anew that were refused because their time lay too far ahead, and no longer does; return how many."""
    engine.create_table("ripe_lines", _text("ripe_lines"))
    n_ripe = _count(engine, "ripe_lines")
    if not n_ripe:
        return 0
    engine.create_view("source_lines", _text("source_of_ripe_lines"))
    engine.create_table("ripe_classes", staging_text())
    engine.run("drop view source_lines")
    engine.run(
        "update lines set row_class = c.row_class, raw_row = c.raw_row from ripe_classes as c inner join ripe_lines as p "
        "on c.rowid = p.rowid where lines.rowid = p.line_id"
    )
    engine.create_table("ripened_lines", _text("ripened_lines"))
    _take_over(engine, "ripened_lines", finds_duplicates)
    return n_ripe


def _deliver(engine: Engine, delivery: SourceTable, rules: LineRules, finds_duplicates: bool) -> AddedLines:
    """Stage a delivery and append what the warehouse does not hold."""
    engine.write("delivered_unreadable", read_lines(engine, delivery, rules, "delivered", keep=False))
    n_read = _count(engine, "delivered") + _count(engine, "delivered_unreadable")
    first_line = int(engine.fetch("select coalesce(max(rowid), -1) + 1 as n from lines").column("n")[0].as_py())
    _define_bounds(engine, first_line)
    for name in ("delivered_hashes", "near_lines", "stored_copies", "new_lines"):
        engine.create_table(name, _text(name))
    engine.run("insert into lines by name select * exclude (line_id, copy_number) from new_lines order by line_id")
    n_lines = _count(engine, "new_lines")
    _require_places(engine, n_lines)
    _take_over(engine, "new_lines", finds_duplicates)
    engine.create_table("new_unreadable", _text("new_unreadable"))
    engine.run("insert into unreadable_lines by name select * from new_unreadable order by row_number")
    n_added = n_lines + _count(engine, "new_unreadable")
    _drop(engine, ("delivered", "delivered_hashes", "near_lines", "stored_copies", "new_lines"))
    return AddedLines(n_read, n_added, first_line)


def _define_bounds(engine: Engine, first_line: int) -> None:
    """Tell the texts between which times lines were delivered, and which number the first new one gets."""
    times = engine.fetch(
        "select cast(min(ordered_at) as varchar) as earliest, cast(max(ordered_at) as varchar) as latest from delivered "
        "where row_class not in ('bad_date', 'forgotten')"
    ).to_pylist()[0]
    for name, value in times.items():
        engine.define(f"{name}_delivered", (), f"timestamp '{value}'" if value else "cast(null as timestamp)")
    engine.define("first_new_line", (), str(first_line))


def _require_places(engine: Engine, n_lines: int) -> None:
    """Prove that the new lines stand under the numbers that other tables know them by."""
    found = engine.fetch(
        "select count(*) as n from new_lines as n inner join lines as l on l.rowid = n.line_id where "
        "l.ordered_at is not distinct from n.ordered_at and l.customer_id is not distinct from n.customer_id "
        "and l.order_id is not distinct from n.order_id and l.revenue is not distinct from n.revenue"
    ).to_pylist()[0]["n"]
    if found != n_lines:
        raise EngineError(
            f"{n_lines - found:,} of {n_lines:,} new lines do not stand where they were put. Run `genome run` to build the warehouse anew."
        )


def _take_over(engine: Engine, table: str, finds_duplicates: bool) -> None:
    """Count lines among the fresh ones, and note those that are copies of another."""
    engine.run(f"insert into fresh_lines by name select * from {table}")
    if finds_duplicates:
        engine.run(
            f"insert into repeated_lines by name select line_id, customer_id, row_class, revenue from {table} "
            "where copy_number > 1 and row_class in ('kept', 'cancelled')"
        )


def _add_to_orders(engine: Engine) -> None:
    """Add fresh lines to the orders they belong to; other orders stay as they are."""
    engine.create_view("numbered_lines", "select * exclude (copy_number) from fresh_lines")
    engine.create_view("order_lines", mart_text("order_lines"))
    engine.create_table("fresh_order_lines", "select * from order_lines")
    engine.create_table("fresh_returned_lines", mart_text("returned_lines"))
    engine.create_table("split_orders", "select distinct customer_id, order_id from order_lines")
    engine.create_table("fresh_order_days", mart_text("split_order_days"))
    for name in ("order_lines", "numbered_lines"):
        engine.run(f"drop view temp.{name}")
    for name in ("touched_orders", "touched_order_days", "touched_order_totals"):
        engine.create_table(name, _text(name))
    engine.run("delete from order_totals where rowid in (select place from touched_orders where place is not null)")
    engine.run(
        "delete from split_order_days where rowid in (select o.rowid from split_order_days as o inner join touched_orders as t "
        "on o.customer_id = t.customer_id and o.order_id = t.order_id)"
    )
    engine.run("insert into order_totals by name select * from touched_order_totals order by ordered_on, customer_id, order_id")
    engine.run(
        "insert into split_order_days by name select d.* from touched_order_days as d inner join touched_order_totals as t "
        "on d.customer_id = t.customer_id and d.order_id = t.order_id where not t.is_single"
    )


def _add_to_returns(engine: Engine) -> None:
    """Add fresh returns, and the purchases that they and earlier ones may be matched with."""
    for name in ("newly_returned", "newly_returned_lines", "fresh_return_events"):
        engine.create_table(name, _text(name))
    engine.run("insert into return_events by name select * from fresh_return_events")
    engine.run("insert into returned_lines by name select * from fresh_returned_lines")


def _count(engine: Engine, table: str) -> int:
    """Return the number of rows."""
    return int(engine.fetch(f"select count(*) as n from {table}").column("n")[0].as_py())


def _drop(engine: Engine, tables: Sequence[str]) -> None:
    """Release work tables."""
    for name in tables:
        engine.run(f"drop table temp.{name}")


def _text(name: str) -> str:
    """Return one of the texts that join new rows with what stands."""
    return sql_text("customer_genome.warehouse", "sql/increment", name)
