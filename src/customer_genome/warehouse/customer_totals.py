"""Customers with totals, read once and classed row by row, and the facts they give.

Comes in: an engine and a described `customer_totals` table. Goes out: `totals` (every row, typed, with its class), `ledger`,
`quarantine`, and `customer_facts` with the columns that a run on order lines has, empty where such a table cannot know them.
The texts are plain SQL for every engine; nothing here chooses, fits or scores.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from customer_genome.contracts import CUSTOMER_FACTS, SUMS, SourceTable
from customer_genome.errors import ContractError
from customer_genome.warehouse.build import number_expression, sql_text, text_expression
from customer_genome.warehouse.checks import classes_in_words, refuse_rows, rows_by_class
from customer_genome.warehouse.engine import Engine, literal, quoted

NUMBERS = ("total_orders", "total_quantity", "total_spend", "avg_order_value", "recency_days", "unique_products")
REFUSED = ("no_customer", "bad_number", "negative", "no_totals", "no_orders")
ATTRIBUTE = "attribute_"
GIVEN = ATTRIBUTE + "cluster"
"""The fact that holds the grouping a table came with."""
MOST_GROUPS = 50
PROFILE_HEADERS: Mapping[str, tuple[str, ...]] = {
    "tenure_months": ("tenuremonths", "tenure", "monthsascustomer", "customermonths", "tenureinmonths", "tenuremonth"),
    "monthly_spend": (
        "avgmonthlyspend",
        "averagemonthlyspend",
        "monthlyspend",
        "monthlycharges",
        "monthlycharge",
        "monthlyrevenue",
        "monthlyfee",
    ),
    "support_tickets": (
        "supporttickets",
        "tickets",
        "complaints",
        "supportcalls",
        "servicecalls",
        "customerservicecalls",
        "numcomplaints",
    ),
}
"""Fact -> headers, in small letters and digits only, under which profiles tell it."""
_CENT = 0.01
_MOST_NAMED = 3
_SQL_TYPES = {"text": "string", "date": "date", "double": "double", "decimal": "double", "integer": "bigint"}
_GIVEN = {
    "n_orders": "cast(n_orders as bigint)",
    "total_quantity": "total_quantity",
    "total_spend": "total_spend",
    "mean_order_value": "mean_order_value",
    "recency_days": "cast(recency_days as int)",
    "unique_products": "cast(unique_products as bigint)",
    "primary_country": "country_name(country)",
}


@dataclass(frozen=True)
class Attribute:
    """A further column of the table: its header, the fact it becomes, and whether it holds numbers."""

    header: str
    name: str
    is_number: bool


def stage_totals(
    engine: Engine, source: SourceTable, *, leave_out: Sequence[str] = (), salt: str = "", forgotten: Sequence[str] = ()
) -> tuple[Attribute, ...]:
    """Read the table once; make `totals`, `ledger` and `quarantine`; return its further columns.

    Parameters
    ----------
    leave_out : headers that are no facts
    salt, forgotten : text, SHA-256 digests of salt + customer id
        Erased customers, whose rows keep nothing but their class.

    Raises
    ------
    ContractError
        One customer stands in several rows that differ.
    """
    engine.read(source, "totals_source")
    engine.create_table("raw_customer_totals", "select * from totals_source")  # Arrow batches can be read only once
    ids = ", ".join(literal(digest) for digest in forgotten)
    engine.define("is_forgotten", ("c",), f"digest({literal(salt)} || c) in ({ids})" if ids else "false")
    engine.define("needs_totals", (), "true" if sum(name in source.mapping for name in SUMS) >= 2 else "false")
    attributes = _attributes(engine, source, leave_out)
    engine.create_view("totals_to_read", _source_select(source, attributes))
    engine.create_table("totals_as_read", _erased_select(engine), keep=True)
    engine.write("unreadable_totals", engine.unreadable_rows(), keep=True)
    engine.number_rows("totals_as_read", "source_totals")
    engine.create_table("totals", _text("totals"))
    engine.create_table("ledger", _text("totals_ledger"), keep=True)
    engine.create_table("quarantine", _text("totals_quarantine"), keep=True)
    _refuse_repeated(engine, source)
    return attributes


def _text(name: str) -> str:
    """Return a text of this module."""
    return sql_text("customer_genome.warehouse", "sql/staging", name)


def _attributes(engine: Engine, source: SourceTable, leave_out: Sequence[str]) -> tuple[Attribute, ...]:
    """Return the further columns; text all of whose values are numbers, without a leading zero, counts as numbers."""
    used = {raw for raws in source.mapping.values() for raw in raws}
    extra = [c for c in source.columns if c.name not in used and c.name not in leave_out and c.type != "other"]
    texts = [column.name for column in extra if column.type == "text"]
    counts: dict[str, Any] = {}
    if texts:
        parts = []
        for place, header in enumerate(texts):
            text = f"clean_text({quoted(header)})"
            number = f"try_cast({text} as double)"
            coded = f"length({text}) > 1 and left({text}, 1) = '0' and left({text}, 2) not in ('0.', '0,')"
            parts.append(f"count({text}) as n{place}, count(case when not ({coded}) then {number} end) as k{place}")
        counts = engine.fetch(f"select {', '.join(parts)} from raw_customer_totals").to_pylist()[0]
    numeric = {header for place, header in enumerate(texts) if 0 < counts[f"n{place}"] == counts[f"k{place}"]}
    found: dict[str, Attribute] = {}
    for column in extra:
        plain = "".join(letter if letter.isalnum() else "_" for letter in column.name.lower()).strip("_")
        is_number = column.name in numeric or column.type in ("integer", "double", "decimal", "boolean")
        found.setdefault(ATTRIBUTE + plain, Attribute(column.name, ATTRIBUTE + plain, is_number))
    return tuple(found.values())


def _source_select(source: SourceTable, attributes: Sequence[Attribute]) -> str:
    """Return the select that renames and types the raw columns; numbers are doubles."""
    given = {"total_orders": "given_orders", "total_spend": "given_spend", "avg_order_value": "given_value"}
    number = {name: f"cast({number_expression(source, name)} as double)" for name in (*NUMBERS, "spend_label")}
    present = [name for name in NUMBERS if name in source.mapping]
    unreadable = [f"({number[name]} is null and {_is_filled(source, name)})" for name in present]
    negative = [f"coalesce({number[name]} < 0, false)" for name in present]
    headers = [*dict.fromkeys(raw for raws in source.mapping.values() for raw in raws), *(one.header for one in attributes)]
    row_text = " || ', ' || ".join(
        f"{literal(header + '=')} || coalesce(cast({quoted(header)} as string), '')" for header in headers
    )
    parts = [
        f"{text_expression(source, 'customer_id')} as customer_id",
        *(f"{number[name]} as {given.get(name, name)}" for name in (*NUMBERS, "spend_label")),
        *(f"{text_expression(source, name)} as {name}" for name in ("country", "cluster", "churn_label")),
        *(f"{_attribute_expression(source, one)} as {quoted(one.name)}" for one in attributes),
        f"{' or '.join(unreadable) or 'false'} as is_unreadable",
        f"{' or '.join(negative) or 'false'} as is_negative",
        f"{row_text} as row_text",
    ]
    return f"select {', '.join(parts)} from raw_customer_totals"


def _is_filled(source: SourceTable, name: str) -> str:
    """Return SQL for whether the raw column of a number holds anything."""
    raw = source.mapping[name][0]
    if source.raw_type(raw) == "text":
        return f"clean_id({quoted(raw)}) is not null"
    return f"{quoted(raw)} is not null and cast({quoted(raw)} as double) = cast({quoted(raw)} as double)"


def _attribute_expression(source: SourceTable, one: Attribute) -> str:
    """Return SQL of a further column."""
    is_text = source.raw_type(one.header) == "text"
    value = f"clean_text({quoted(one.header)})" if is_text else quoted(one.header)
    return f"try_cast({value} as double)" if is_text and one.is_number else value


def _erased_select(engine: Engine) -> str:
    """Return the rows with everything taken off those of erased customers."""
    names = engine.fetch("select * from totals_to_read limit 0").column_names
    erased = "(customer_id is not null and is_forgotten(customer_id))"
    kept = (f"case when not {erased} then {quoted(name)} end as {quoted(name)}" for name in names)
    return f"select {', '.join(kept)}, {erased} as is_erased from totals_to_read"


def _refuse_repeated(engine: Engine, source: SourceTable) -> None:
    """Refuse customers who stand in several rows that differ: which one holds, only the user can say."""
    repeated = engine.fetch(
        "select customer_id, count(*) as n, min(line_id) + 1 as first_row, max(line_id) + 1 as last_row from totals where row_class = 'kept' "
        f"group by customer_id having count(*) > 1 order by customer_id limit {_MOST_NAMED}"
    ).to_pylist()
    if not repeated:
        return
    counted = engine.fetch(
        "select count(*) as n from (select customer_id from totals where row_class = 'kept' group by customer_id having count(*) > 1) as r"
    ).column("n")[0]
    named = "; ".join(
        f"{row['customer_id']!r} in {row['n']} rows, from row {row['first_row']:,} to {row['last_row']:,}" for row in repeated
    )
    raise ContractError(
        f'{source.label}, column "{source.mapping["customer_id"][0]}": {counted.as_py():,} customers stand in several rows that differ ({named}). '
        "Wanted: one row per customer. Keep the row that holds or add the rows up; rows that are equal throughout are taken once by themselves. "
        "If each row is an order line, say so: `genome run FILE --level orders`."
    )


def refuse_unusable(engine: Engine, source: SourceTable, on_bad_rows: str) -> None:
    """Stop where no row is usable, or where the user wants bad rows to stop the run.

    Raises
    ------
    ContractError
        With the rows per class and the first of each.
    """
    counts = rows_by_class(engine, "totals")
    listed = classes_in_words(counts)
    if not any(row["row_class"] == "kept" for row in counts):
        raise ContractError(
            f"{source.label}: none of its rows is a usable customer. Found: {listed or 'no rows'}. Wanted: rows with a customer and at least two of "
            "total_orders, total_spend, avg_order_value above 0. Check the columns under [tables.customer_totals.columns] in genome.toml."
        )
    bad = [row for row in counts if row["row_class"] in REFUSED]
    if on_bad_rows == "reject":
        refuse_rows(source.label, bad, listed)


def profile_facts(attributes: Sequence[Attribute]) -> dict[str, Attribute]:
    """Return the further columns of numbers that mean something by themselves, by the fact they give.

    Examples
    --------
    >>> list(
    ...     profile_facts([Attribute("Tenure_Months", "attribute_tenure_months", True), Attribute("Age", "attribute_age", True)])
    ... )
    ['tenure_months']
    """
    found = {}
    for fact, headers in PROFILE_HEADERS.items():
        named = {one.name.removeprefix(ATTRIBUTE).replace("_", ""): one for one in attributes if one.is_number}
        header = next((name for name in headers if name in named), None)
        if header is not None:
            found[fact] = named[header]
    return found


def build_customer_facts(engine: Engine, as_of: dt.date, attributes: Sequence[Attribute]) -> None:
    """Make `customer_facts` and `cutoffs`: what the rows give, and every other fact of the contract empty."""
    columns = []
    for column in CUSTOMER_FACTS.columns:
        if column.name == "customer_id":
            columns.append("t.customer_id")
        elif column.name == "as_of":
            columns.append(f"date '{as_of.isoformat()}' as as_of")
        else:
            value = f"t.{column.name}" if column.name in _GIVEN else f"cast(null as {_SQL_TYPES[column.type]})"
            columns.append(f"{value} as {column.name}")
    columns += [f"r.{quoted(one.name)}" for one in attributes if one.name != GIVEN]
    columns += [f"cast(r.{quoted(one.name)} as double) as {fact}" for fact, one in profile_facts(attributes).items()]
    columns.append(f"r.cluster as {GIVEN}")
    given = ", ".join(f"{expression} as {name}" for name, expression in _GIVEN.items())
    engine.create_table(
        "customer_facts",
        f"select {', '.join(columns)} from (select line_id, customer_id, {given} from totals where row_class = 'kept') as t "
        "inner join source_totals as r on t.line_id = r.line_id",
    )


@dataclass(frozen=True)
class GivenGroups:
    """The grouping a table came with: each group's number, and what to say of it. Without numbers it is not used."""

    numbers: Mapping[str, int]
    sentence: str


def given_groups(engine: Engine, source: SourceTable) -> GivenGroups | None:
    """Return the grouping of the column `cluster`; None where the table has none.

    It is used where every customer has a group and there are at most `MOST_GROUPS` of them. Groups that are whole numbers keep them;
    others are numbered by mean spend, the highest first.
    """
    if "cluster" not in source.mapping:
        return None
    header = source.mapping["cluster"][0]
    row = engine.fetch(
        "select count(*) as n, count(cluster) as filled, count(distinct cluster) as k, min(case when cluster is null then line_id end) + 1 as first_empty "
        "from totals where row_class = 'kept'"
    ).to_pylist()[0]
    if row["filled"] < row["n"]:
        return GivenGroups(
            {},
            f"{header} is filled for {row['filled']:,} of {row['n']:,} customers (first empty: row {row['first_empty']:,}), so it is not used and clusters are "
            "made from the totals. Wanted: a group for every customer, or for none.",
        )
    if row["k"] > MOST_GROUPS:
        return GivenGroups(
            {},
            f"{header} has {row['k']:,} different values for {row['n']:,} customers, which is no grouping; clusters are made from the totals.",
        )
    names = engine.fetch(
        "select cluster, avg(total_spend) as spend from totals where row_class = 'kept' group by cluster order by spend desc nulls last, cluster"
    )["cluster"].to_pylist()
    whole = all(name.lstrip("-").isdigit() for name in names)
    found = {name: int(name) if whole else place for place, name in enumerate(names)}
    return GivenGroups(found, f'The column "{header}" of the table is used for the segments: {row["k"]:,} groups, complete.')


def oddities(engine: Engine, source: SourceTable) -> list[str]:
    """Return what looks wrong in usable rows, in words: columns that may be swapped, totals that disagree, parts of orders."""
    header = {name: raws[0] for name, raws in source.mapping.items()}
    pair = {"total_spend", "avg_order_value"} <= set(header)
    swapped = _swapped(engine, header) if pair else []
    disagreeing = _disagreeing(engine, header) if not swapped and all(name in header for name in SUMS) else []
    return [*swapped, *disagreeing, *(_parts_of_orders(engine, header) if "total_orders" in header else [])]


def _counted(engine: Engine, condition: str, known: Sequence[str]) -> tuple[int, int, int]:
    """Return among usable rows with the given columns known: how many, how many of them meet a condition, and the first of these."""
    row = engine.fetch(
        f"select count(*) as n, coalesce(sum(case when {condition} then 1 else 0 end), 0) as n_met, min(case when {condition} then line_id end) as first_met "
        f"from totals where row_class = 'kept' and {' and '.join(f'{name} is not null' for name in known)}"
    ).to_pylist()[0]
    return int(row["n"]), int(row["n_met"]), int(row["first_met"] or 0)


def _swapped(engine: Engine, header: Mapping[str, str]) -> list[str]:
    """Say where spend is below the order value for most customers."""
    n, below, _ = _counted(engine, "given_spend < 0.99e0 * given_value", ("given_spend", "given_value"))
    if 2 * below <= n:
        return []
    spend, value = header["total_spend"], header["avg_order_value"]
    return [
        f"{spend} is below {value} for {below:,} of {n:,} customers, which cannot be: the two columns look swapped. "
        f'If so, write total_spend = "{value}" and avg_order_value = "{spend}" under [tables.customer_totals.columns] in genome.toml.'
    ]


def _disagreeing(engine: Engine, header: Mapping[str, str]) -> list[str]:
    """Say where spend is not orders times order value, beyond rounding."""
    off = f"abs(given_spend - given_orders * given_value) > {_CENT} * given_orders + {_CENT} * given_spend"
    n, n_off, first = _counted(engine, off, ("given_orders", "given_spend", "given_value"))
    if not n_off:
        return []
    example = engine.fetch(f"select given_orders, given_spend, given_value from totals where line_id = {first}").to_pylist()[0]
    return [
        f"In {n_off:,} of {n:,} rows {header['total_spend']} is not {header['total_orders']} x {header['avg_order_value']} (first: row {first + 1:,}, "
        f"{example['given_spend']:,.2f} against {example['given_orders']:g} x {example['given_value']:,.2f}). Orders and spend hold, and the order value follows "
        "from them."
    ]


def _parts_of_orders(engine: Engine, header: Mapping[str, str]) -> list[str]:
    """Say where orders are no whole numbers."""
    n, n_parts, first = _counted(engine, "given_orders <> floor(given_orders)", ("given_orders",))
    if not n_parts:
        return []
    return [
        f"{header['total_orders']} is no whole number in {n_parts:,} of {n:,} rows (first: row {first + 1:,}); it is rounded. Check that the column counts orders."
    ]
