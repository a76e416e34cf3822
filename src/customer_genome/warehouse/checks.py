"""Prove that a table keeps its contract, and that money adds up from table to table.

Comes in: an engine and contracts. Goes out: nothing, or one `ContractError` that lists every fault with its number of
rows and the first of them; and, for staging, how many rows have which class. The checks are SQL, so they run where the data are, at any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customer_genome.contracts import CUSTOMER_FACTS, ORDERS, STAGED_ORDER_LINES, Column, Contract
from customer_genome.errors import ContractError
from customer_genome.warehouse.engine import Engine, quoted

RELATIVE_TOLERANCE = 1e-9


def check_contract(engine: Engine, contract: Contract, table: str | None = None) -> None:
    """Raise when a table breaks its contract: nulls, values out of range, repeated keys.

    Raises
    ------
    ContractError
        Naming table, column, number of rows and the first offending key.
    """
    name = table or contract.name
    rules = [(column, rule, condition) for column in contract.columns for rule, condition in _rules(column)]
    counts = ", ".join(f"count(case when {condition} then 1 end) as c{number}" for number, (_, _, condition) in enumerate(rules))
    found = engine.fetch(f"select count(*) as n_rows, {counts} from {quoted(name)}").to_pylist()[0]
    faults = []
    for number, (column, rule, condition) in enumerate(rules):
        if found[f"c{number}"]:
            first = _first_key(engine, contract, name, condition)
            faults.append(f"{name}.{column.name}: {found[f'c{number}']:,} of {found['n_rows']:,} rows {rule} (first: {first}).")
    faults.extend(_key_faults(engine, contract, name))
    if faults:
        raise ContractError(
            "\n".join(faults)
            + f"\nWanted: {contract.grain}. This is a fault of the data or of the product; run again with --debug and report it."
        )


def _rules(column: Column) -> list[tuple[str, str]]:
    """Return (what is wrong, SQL condition) for one column."""
    name = quoted(column.name)
    rules = [] if column.nullable else [("are null", f"{name} is null")]
    if column.minimum is not None:
        rules.append((f"are below {column.minimum:g}", f"{name} < {column.minimum!r}"))
    if column.maximum is not None:
        rules.append((f"are above {column.maximum:g}", f"{name} > {column.maximum + 1e-12!r}"))
    return rules


def _first_key(engine: Engine, contract: Contract, table: str, condition: str) -> str:
    """Return the key of the first offending row."""
    keys = ", ".join(quoted(key) for key in contract.key)
    row = engine.fetch(f"select {keys} from {quoted(table)} where {condition} order by {keys} limit 1").to_pylist()[0]
    return ", ".join(f"{key} {value}" for key, value in row.items())


def _key_faults(engine: Engine, contract: Contract, table: str) -> list[str]:
    """Return a sentence when keys repeat."""
    if not contract.key or contract.key == ("line_id",):
        return []
    keys = ", ".join(quoted(key) for key in contract.key)
    repeated = engine.fetch(
        f"select {keys} from {quoted(table)} group by {keys} having count(*) > 1 order by {keys} limit 1"
    ).to_pylist()
    return [f"{table}: the key {', '.join(contract.key)} repeats (first: {repeated[0]})."] if repeated else []


def check_customer_facts(engine: Engine) -> None:
    """Prove the tables on the way from lines to facts."""
    check_contract(engine, STAGED_ORDER_LINES)
    check_contract(engine, ORDERS)
    check_contract(engine, CUSTOMER_FACTS)


def check_identities(engine: Engine) -> None:
    """Prove that revenue is the same in lines, orders and customers, and that the ledger holds every row.

    Raises
    ------
    ContractError
        With the sums that differ.
    """
    sums = engine.fetch(
        "select c.as_of, "
        "(select cast(sum(l.revenue) as double) from known_lines as l where l.as_of = c.as_of) as order_lines, "
        "(select cast(sum(o.revenue) as double) from known_orders as o where o.as_of = c.as_of) as orders, "
        "(select sum(f.total_spend) from customer_facts as f where f.as_of = c.as_of) as customers "
        "from cutoffs as c order by c.as_of"
    ).to_pylist()
    for row in sums:
        values = [row["order_lines"] or 0.0, row["orders"] or 0.0, row["customers"] or 0.0]
        if max(values) - min(values) > RELATIVE_TOLERANCE * max(1.0, *values):
            raise ContractError(
                f"Revenue before {row['as_of']} differs between order_lines {values[0]:.4f}, orders {values[1]:.4f} and customers {values[2]:.4f}. This is a fault of the product; report it."
            )
    rows = engine.fetch(
        "select (select sum(n_rows) from ledger) as ledger, (select count(*) from lines) + (select count(*) from unreadable_lines) as input"
    ).to_pylist()[0]
    if rows["ledger"] != rows["input"]:
        raise ContractError(
            f"The ledger holds {rows['ledger']} rows, the input {rows['input']}. This is a fault of the product; report it."
        )


def rows_by_class(engine: Engine, table: str) -> list[dict[str, Any]]:
    """Return class, number of rows `n` and number of the first row of each class of a classed table, the most frequent first."""
    counts: list[dict[str, Any]] = engine.fetch(
        f"select row_class, count(*) as n, min(line_id) + 1 as first_row from {table} group by row_class order by n desc, row_class"
    ).to_pylist()
    return counts


def classes_in_words(counts: Sequence[Mapping[str, Any]]) -> str:
    """Return how many rows each class has and where its first one stands."""
    return ", ".join(f"{row['n']:,} {row['row_class']} (first: row {row['first_row']:,})" for row in counts)


def refuse_rows(label: str, bad: Sequence[Mapping[str, Any]], found: str, *, of: str = "rows") -> None:
    """Stop where rows are bad and the user wants such rows to stop a run.

    Parameters
    ----------
    bad : counts of `rows_by_class` that are not taken; nothing happens where there are none
    found : what to list as found, in words

    Raises
    ------
    ContractError
        With the number of them, what was found, and what to do.
    """
    if bad:
        raise ContractError(
            f'{label}: {sum(row["n"] for row in bad):,} {of} are refused and on_bad_rows = "reject". Found: {found}. '
            'Correct them in the source, or set on_bad_rows = "quarantine" under [cleaning] in genome.toml.'
        )
