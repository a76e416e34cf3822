"""A labelled table made fit to learn from: one row per customer, labels read, what cannot be learned from refused in words.

Comes in: an Arrow table and the names of its columns. Goes out: tables, ids and labels, or a `ContractError` that says what would be needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.errors import ContractError, did_you_mean
from customer_genome.models.estimator import Array
from customer_genome.models.profiles.columns import Column, Values, cells_of
from customer_genome.models.profiles.labels import churn_of, spend_of, task_of
from customer_genome.models.profiles.learners import Task

FEWEST_OF_A_CLASS, FEWEST_CUSTOMERS = 20, 50
"""Fewer customers of either kind, or in all, teach nothing that could be checked."""
MOST_LEARNED = 50_000
BATCH = 50_000


def known(table: pa.Table, names: Sequence[str], what: str) -> None:
    """Refuse names that the table does not have, or has twice."""
    for name in names:
        if table.column_names.count(name) == 0:
            raise ContractError(
                f'There is no {what} "{name}" in the table.{did_you_mean(name, table.column_names)} It has: {", ".join(table.column_names[:30])}.'
            )
    doubled = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if doubled:
        raise ContractError(
            f"The table has several columns called {', '.join(repr(name) for name in doubled[:3])}. Rename all but one of each."
        )


def one_row_each(table: pa.Table, id_column: str | None) -> tuple[pa.Table, list[str]]:
    """Return the table in the order of its ids with repeated rows taken out.

    Raises
    ------
    ContractError
        A customer has several different rows, or none has an id.
    """
    if table.num_rows == 0:
        raise ContractError(f"The table has no rows. Wanted: at least {FEWEST_CUSTOMERS} customers with a label.")
    if id_column is None:
        known(table, (), "column")
        return table, [
            "No column names the customers, so rows are numbered; customers that stand in several rows cannot be noticed."
        ]
    known(table, (id_column,), "id column")
    ids = ids_of(table, id_column)
    nameless = int(pc.sum(pc.equal(ids, "")).as_py() or 0)
    if nameless:
        raise ContractError(
            f'{nameless:,} of {table.num_rows:,} rows have no "{id_column}". Wanted: an id in every row. Fill or remove them.'
        )
    notices: list[str] = []
    order = pc.sort_indices(
        pa.table({"id": ids, "row": np.arange(table.num_rows)}), sort_keys=[("id", "ascending"), ("row", "ascending")]
    )
    table, sorted_ids = table.take(order), ids.take(order)
    if pc.count_distinct(ids).as_py() < table.num_rows:
        table, notices = _without_repeats(table, sorted_ids, id_column)
    return table, notices


def _without_repeats(table: pa.Table, ids: pa.Array, id_column: str) -> tuple[pa.Table, list[str]]:
    """Return the table without rows that repeat an earlier one in every column; refuse a customer with different rows."""
    seen: dict[str, tuple[str, ...]] = {}
    kept, differing, repeated = [], [], 0
    columns = [pc.cast(column, pa.string(), safe=False).to_pylist() for column in table.columns]
    for row, customer in enumerate(ids.to_pylist()):
        content = tuple(str(column[row]) for column in columns)
        if customer not in seen:
            seen[customer] = content
            kept.append(row)
        elif seen[customer] == content:
            repeated += 1
        elif customer not in differing:
            differing.append(customer)
    if differing:
        raise ContractError(
            f'{len(differing):,} customers stand in several rows that differ (first: {", ".join(differing[:3])}). Wanted: one row per "{id_column}", as of one day. '
            "Keep one row of each, or name the column that tells customers apart with --id."
        )
    return table.take(kept), [f"{repeated:,} rows repeat an earlier one in every column and count once."]


def ids_of(table: pa.Table, id_column: str | None) -> pa.Array:
    """Return the customers' ids as text; row numbers where there is no such column."""
    if id_column is None or id_column not in table.column_names:
        return pa.array([str(number) for number in range(1, table.num_rows + 1)], pa.string())
    column = table.column(id_column).combine_chunks()
    if pa.types.is_floating(column.type):
        column = pa.array(
            [None if value is None else str(int(value)) if value.is_integer() else str(value) for value in column.to_pylist()],
            pa.string(),
        )
    return pc.utf8_trim_whitespace(pc.cast(column, pa.string()).fill_null(""))


def label_columns_of(table: pa.Table, given: Mapping[Task, str] | Sequence[str]) -> dict[Task, str]:
    """Return which column is which label; kinds that were not given are told from the values."""
    if isinstance(given, Mapping):
        found: dict[Task, str] = {task: name for task, name in given.items() if name}
        for task in found:
            if task not in ("churn", "spend"):
                raise ContractError(f'"{task}" is no kind of label. Wanted: churn or spend.')
        known(table, tuple(found.values()), "label column")
    else:
        known(table, tuple(given), "label column")
        found = {}
        for name in given:
            task = task_of(cells_of(table, name), name)
            if task in found:
                raise ContractError(
                    f'Both "{found[task]}" and "{name}" look like {task} labels. Name one of them as churn and one as spend, or give one only.'
                )
            found[task] = name
    if not found:
        raise ContractError(
            f"No label column. Wanted: a column that says who churned or what they spent next. The table has: {', '.join(table.column_names[:30])}."
        )
    if len(set(found.values())) < len(found):
        raise ContractError(
            f'"{next(iter(found.values()))}" cannot be both churn and spend. Name another column for one of them.'
        )
    return found


def answer_of(table: pa.Table, task: Task, label: str, churn_value: str | None) -> Array:
    """Return a label as numbers, NaN where it is empty."""
    cells = cells_of(table, label)
    if not cells.words:
        raise ContractError(
            f'The label "{label}" is empty in every row. Wanted: who churned or what was spent, for at least {FEWEST_CUSTOMERS} customers.'
        )
    return churn_of(cells, label, churn_value) if task == "churn" else spend_of(cells, label)


def usable(task: Task, label: str, answer: Array, seed: int) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the rows to learn a label from, with what is to be said; refuse where they are too few or all alike."""
    rows, words = np.flatnonzero(np.isfinite(answer)), []
    if len(rows) < len(answer):
        words.append(
            f"{label} is empty for {len(answer) - len(rows):,} of {len(answer):,} customers: nothing is learned from these, but they can be predicted."
        )
    y = answer[rows]
    if len(rows) < FEWEST_CUSTOMERS:
        raise ContractError(
            f'Only {len(rows):,} customers have a "{label}". Wanted: at least {FEWEST_CUSTOMERS} to learn anything that can be checked, from about 500 figures '
            "are steady. Add customers, or older months."
        )
    if task == "churn":
        _both_classes(label, y)
    elif float(np.ptp(y)) == 0:
        raise ContractError(
            f'Every customer has the same "{label}" ({y[0]:g}). Wanted: money that differs between customers; there is nothing to predict.'
        )
    if len(rows) > MOST_LEARNED:
        rng = np.random.default_rng([seed, 2])
        words.append(f"{label}: learned from {MOST_LEARNED:,} of {len(rows):,} customers, drawn at random; all can be predicted.")
        rows = np.sort(rng.choice(rows, MOST_LEARNED, replace=False))
    return rows, words


def _both_classes(label: str, y: Array) -> None:
    n_yes, n_no = int(y.sum()), int(len(y) - y.sum())
    if min(n_yes, n_no) == 0:
        raise ContractError(
            f'Every one of {len(y):,} customers has the same "{label}" ({"churned" if n_yes else "stayed"}). Wanted: at least {FEWEST_OF_A_CLASS} who churned and '
            f"{FEWEST_OF_A_CLASS} who stayed. Export the customers that {'stayed' if n_yes else 'left'} too."
        )
    if min(n_yes, n_no) < FEWEST_OF_A_CLASS:
        fewer = "churned" if n_yes < n_no else "stayed"
        raise ContractError(
            f'Only {min(n_yes, n_no)} of {len(y):,} customers {fewer} by "{label}". Wanted: at least {FEWEST_OF_A_CLASS}; with fewer any figure would be chance. '
            "From about 100 figures are worth comparing. Add customers or a longer period."
        )


def differing(values: Values, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns that differ among the customers learned from."""
    return tuple(column for column in columns if len({str(value) for value in values[column.name]}) > 1)


def batches(table: pa.Table) -> Iterator[pa.Table]:
    """Yield parts of a table of a bounded size; an empty table once."""
    for start in range(0, max(table.num_rows, 1), BATCH):
        yield table.slice(start, BATCH)
