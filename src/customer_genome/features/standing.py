"""Facts drawn from every purchase line, kept in the warehouse and made again only for customers whose lines have changed.

Comes in: the engine of a run, or of a refresh that knows which lines are new. Goes out: a way to store such a theme, for
`build_features`. What depends on the cutoff through days and windows is not kept here: it moves for everybody.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from customer_genome.features.table import CategoryKey, feature_text
from customer_genome.settings import RefundPolicy
from customer_genome.warehouse.build import mart_text, sql_text
from customer_genome.warehouse.engine import Engine

Store = Callable[[str, str], None]


def recipe_of_lines(refunds: RefundPolicy, key: CategoryKey | None, rules: Sequence[Any]) -> str:
    """Return what facts of lines depend on beside the lines; never the same twice where a product table decides."""
    return json.dumps([refunds, key, rules, uuid.uuid4().hex if key == "product_id" else ""])


def keep_whole(engine: Engine) -> Store:
    """Return a way to store a theme for all customers, for good."""
    return lambda name, text: engine.create_table(name, text, keep=True)


def keep_standing(engine: Engine, recipe: str) -> Store:
    """Return a way to store a theme that makes it again for stale customers only, where the others can stand."""
    names = "('line_facts', 'stale_returns', 'basket')"
    found = engine.fetch(f"select distinct table_name from information_schema.tables where table_name in {names}")
    if found.num_rows < 3:
        return keep_whole(engine)
    told = engine.fetch("select recipe from line_facts").column("recipe").to_pylist()
    n_cutoffs = engine.fetch("select count(*) as n from cutoffs").column("n")[0].as_py()
    return _Standing(engine) if told == [recipe] and n_cutoffs == 1 else keep_whole(engine)


def remember_line_facts(engine: Engine, recipe: str) -> None:
    """Remember as of which cutoff, and how, facts of lines stand in the warehouse; of several cutoffs none can stand."""
    as_ofs: list[dt.date] = engine.fetch("select as_of from cutoffs").column("as_of").to_pylist()
    known = [recipe] if len(as_ofs) == 1 else []
    rows = {"as_of": pa.array(as_ofs[: len(known)], pa.date32()), "recipe": pa.array(known, pa.string())}
    engine.write("line_facts", pa.table(rows), keep=True)


@dataclass
class _Standing:
    """Stores a theme of stale customers beside what stands of the others."""

    engine: Engine
    is_ready: bool = False

    def __call__(self, name: str, text: str) -> None:
        """Store one theme; its text then sees the known lines of stale customers only."""
        engine = self.engine
        if not self.is_ready:
            self._gather()
            self.is_ready = True
        engine.create_view("known_lines", "select * from stale_known_lines")
        engine.create_table("stale_theme", text)
        engine.create_view("known_lines", feature_text("known_lines"))
        standing = (
            f"select m.* replace (c.as_of as as_of) from {name} as m cross join cutoffs as c "
            "left join stale_customers as s on m.customer_id = s.customer_id where s.customer_id is null"
        )
        engine.create_table(name, f"{standing} union all by name select * from stale_theme", keep=True)

    def _gather(self) -> None:
        """Store the known lines of stale customers: found by one column, so that the others are read for these lines only."""
        engine = self.engine
        engine.create_table("stale_customers", sql_text("customer_genome.warehouse", "sql/increment", "stale_customers"))
        engine.create_table(
            "stale_places",
            "select l.rowid as line_id from lines as l inner join stale_customers as s on l.customer_id = s.customer_id "
            "where l.row_class = 'kept'",
        )
        engine.create_table(
            "stale_lines",
            "select s.line_id, l.* exclude (raw_row, status, currency) from lines as l inner join stale_places as s on l.rowid = s.line_id",
        )
        engine.create_view("numbered_lines", "select * from stale_lines")
        engine.create_view("order_lines", mart_text("order_lines"))
        engine.create_table("stale_known_lines", "select * from known_lines")
        for name in ("order_lines", "numbered_lines"):
            engine.run(f"drop view temp.{name}")
        engine.run("drop table temp.stale_lines")
