"""Whether a source holds order lines, one row per customer with totals, or ratings, and the description of totals.

Comes in: what the user named and the settings of its tables. Goes out: a described `customer_totals`, `order_lines` or `ratings`
table. Where the first two readings are possible the user is asked; where neither is, the message says what each lacks. Rows are read later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from customer_genome.contracts import CUSTOMER_TOTALS, LABELS, ORDER_LINES, RATINGS, SUMS, SourceTable
from customer_genome.errors import AskError, SourceError
from customer_genome.settings import TableSettings
from customer_genome.sources.files import Look, describe_look, look_at_arrow, look_at_path
from customer_genome.sources.headers import HeaderMatch, near_headers, normal_header
from customer_genome.sources.meaning import match_by_values

Level = Literal["orders", "customers", "ratings"]
LEVELS: tuple[Level, ...] = ("orders", "customers", "ratings")
TABLE_OF: Mapping[Level, str] = {"orders": "order_lines", "customers": "customer_totals", "ratings": "ratings"}
TOTALS = (*SUMS, "total_quantity", "recency_days", "unique_products")
"""What such a file says about buying; any of them tells that it is one."""
WITHOUT: Mapping[str, str] = {
    "total_quantity": "pieces bought stay unknown and clusters do without them",
    "recency_days": "nothing says how long a customer has been quiet, so RFM segments stay empty, and so do risk and value to come without a label",
    "unique_products": "different products stay unknown and clusters do without them",
}
"""What is switched off when a column is absent."""
OWN_EXPORTS = frozenset(
    normal_header(name)
    for name in (
        "Recency", "Frequency", "Monetary", "p_alive", "predicted_orders", "predicted_value", "CLV_6m", "clv_lower", "clv_upper", "clv_band",
        "spend_lower", "spend_upper", "risk_probability", "risk_rank", "value_rank", "risk_basis", "churn_band", "confidence_score", "reliability",
        "expected_value_loss", "priority_segment", "next_order_on", "next_order_lower", "next_order_upper", "Cluster_KMeans", "Cluster_Hierarchical",
        "Cluster_GMM", "rfm_segment", "segment_name", "playbook", "recommended_action", "reason_1", "reason_2", "reason_3", "activity_days",
        "PrimaryCountry", "IsUK", "is_home_country", "is_suppressed",
    )
)  # fmt: skip
"""Columns of our own export: they are results, and are no facts when such a file comes back."""


def describe_data(
    data: Any, tables: Mapping[str, TableSettings], tmp: Path, level: Level | None = None
) -> tuple[str, SourceTable]:
    """Return the table a file or Arrow data is taken for, and its description.

    Parameters
    ----------
    tables : settings by input table; columns mapped under one of the two say which it is
    level : what the user says it is

    Raises
    ------
    AskError
        When the columns can be read both ways.
    SourceError
        When the source cannot be read, or lacks what its reading needs.
    """
    level = level or _told(tables)
    if level is not None:
        return _described(_look(data, TABLE_OF[level], tables, tmp), TABLE_OF[level], tables)
    try:
        look = _look(data, "order_lines", tables, tmp)
    except SourceError:
        found = _totals_after_all(data, tables, tmp)
        if found is None:
            raise
        return _described(found, "customer_totals", tables)
    return _described(look, TABLE_OF[level_of(look, tables)], tables)


def _told(tables: Mapping[str, TableSettings]) -> Level | None:
    """Return the level that mapped columns in the settings tell."""
    both: tuple[Level, ...] = ("orders", "customers")  # ratings also stand beside order lines, and tell nothing then
    mapped = [level for level in both if TABLE_OF[level] in tables and tables[TABLE_OF[level]].columns]
    return mapped[0] if len(mapped) == 1 else None


def _look(data: Any, table: str, tables: Mapping[str, TableSettings], tmp: Path) -> Look:
    """Return a source found readable as a table."""
    if isinstance(data, (str, Path)):
        return look_at_path(data, table, tables.get(table, TableSettings()), tmp)
    return look_at_arrow(data, table, workspace_tmp=tmp)


def _totals_after_all(data: Any, tables: Mapping[str, TableSettings], tmp: Path) -> Look | None:
    """Return a look at a workbook none of whose sheets holds order lines, where one holds totals."""
    if not isinstance(data, (str, Path)):
        return None
    try:
        look = _look(data, "customer_totals", tables, tmp)
        return look if level_of(look, tables) == "customers" else None
    except SourceError:
        return None


def _described(look: Look, table: str, tables: Mapping[str, TableSettings]) -> tuple[str, SourceTable]:
    """Return the table with its description."""
    settings = tables.get(table, TableSettings())
    look = replace(look, table=replace(look.table, table=table))
    if table != "customer_totals":
        return table, describe_look(look, table, settings)
    return table, with_totals(look, settings)


# --- which of the two ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reading:
    """A source under one contract: what was matched, and whether a run could start from it."""

    match: HeaderMatch

    def has(self, *names: str) -> bool:
        """Return whether every one of the columns was found."""
        return all(name in self.match.mapping for name in names)

    def found(self, names: tuple[str, ...]) -> list[str]:
        """Return which of the columns were found, each with its header."""
        return [f'{name} from "{self.match.mapping[name][0]}"' for name in names if name in self.match.mapping]


def level_of(look: Look, tables: Mapping[str, TableSettings], today: date | None = None) -> Level:
    """Return whether a source holds order lines, customers or ratings.

    Raises
    ------
    AskError
        When both order lines and customers are complete readings.
    """
    latest_year = (today or date.today()).year + 1
    lines, totals, ratings = (
        _Reading(
            match_by_values(look.sample, contract, tables.get(contract.name, TableSettings()), look.table.label, latest_year, is_proposal=True)[0]
        )
        for contract in (ORDER_LINES, CUSTOMER_TOTALS, RATINGS)
    )  # fmt: skip
    is_lines = lines.has("customer_id", "ordered_at") and bool(lines.found(("amount", "price")))
    is_totals = totals.has("customer_id") and (len(totals.found(SUMS)) >= 2 or bool(totals.found(LABELS)))
    if is_lines and is_totals:
        raise AskError(_both(look.table.label, lines, totals))
    if is_lines or is_totals:
        return "orders" if is_lines else "customers"
    if ratings.has("customer_id", "item_id", "rating"):
        return "ratings"
    return "customers" if totals.found(TOTALS) and not lines.has("ordered_at") else "orders"


def _both(label: str, lines: _Reading, totals: _Reading) -> str:
    """Return the question that only the user can answer."""
    as_lines = ", ".join(lines.found(("customer_id", "ordered_at", "amount", "price")))
    as_totals = ", ".join(totals.found(("customer_id", *SUMS, *LABELS)))
    return (
        f"{label} can be read two ways. As order lines, one row per thing bought: {as_lines}. As customers, one row each with totals: "
        f"{as_totals}. Say which: `genome run FILE --level orders` or `--level customers`, or write its path under [tables.order_lines] or "
        "[tables.customer_totals] in genome.toml."
    )


# --- what a file of totals gives -----------------------------------------------------------------------------------


def with_totals(look: Look, settings: TableSettings) -> SourceTable:
    """Return the description of customers with totals: required columns proven, what is absent said.

    Raises
    ------
    SourceError
        When the customer, or two of orders, spend and order value, are missing and there are no labels either.
    """
    match, _ = match_by_values(look.sample, CUSTOMER_TOTALS, settings, look.table.label, date.today().year + 1, is_proposal=True)
    faults = _missing(match)
    if faults:
        shown = ", ".join(f'"{name}"' for name in look.sample.names[:30])
        raise SourceError(
            f"{look.table.label} was taken for customers with totals, one row each.\n"
            + "\n".join(f"- {fault}" for fault in faults)
            + f"\nIt has: {shown}.\nWanted: CustomerID and any two of total_orders, total_spend, avg_order_value (or a label such as Churn). "
            'Rename the column, or say which it is under [tables.customer_totals.columns] in genome.toml, e.g. total_spend = "your header". '
            "If these are order lines: `genome run FILE --level orders`."
        )
    table = describe_look(look, "customer_totals", settings)
    notices = [*table.notices, *_absent(table)]
    results = own_results(table)
    if results:
        notices.append(
            f"Not read as facts, because this product itself writes columns of that name as results: {', '.join(results)}."
        )
    return replace(table, notices=tuple(notices))


def own_results(table: SourceTable) -> tuple[str, ...]:
    """Return the headers that name results of this product and feed no contract column; they are no facts."""
    used = {raw for raws in table.mapping.values() for raw in raws}
    return tuple(column.name for column in table.columns if normal_header(column.name) in OWN_EXPORTS and column.name not in used)


def _missing(match: HeaderMatch) -> list[str]:
    """Return what a run would need and did not find, with the nearest headers."""
    faults = []
    if "customer_id" not in match.mapping:
        faults.append(f"customer_id (who bought) has no column.{_nearest(match, 'customer_id')}")
    have = [name for name in SUMS if name in match.mapping]
    if len(have) < 2 and not any(name in match.mapping for name in LABELS):
        wanted = [name for name in SUMS if name not in have]
        told = (
            f"of total_orders, total_spend and avg_order_value only {have[0]} was found"
            if have
            else "none of total_orders, total_spend and avg_order_value was found"
        )
        faults.append(
            f"{told}; two are needed, and the third follows from them." + "".join(_nearest(match, name) for name in wanted)
        )
    return faults  # fmt: skip


def _nearest(match: HeaderMatch, name: str) -> str:
    """Return the free headers that resemble a column, as a hint."""
    near = near_headers(CUSTOMER_TOTALS.column(name), match.unmapped)
    return f" Nearest to {name}: {', '.join(repr(header) for header in near)}." if near else ""


def _absent(table: SourceTable) -> list[str]:
    """Return what is derived and what is switched off, in words."""
    have = [name for name in SUMS if name in table.mapping]
    notices = []
    if len(have) == 2:
        formula = {
            "total_orders": "total_spend / avg_order_value, rounded to whole orders",
            "total_spend": "total_orders x avg_order_value",
            "avg_order_value": "total_spend / total_orders",
        }
        (missing,) = (name for name in SUMS if name not in have)
        notices.append(f"No {missing} column: it is {formula[missing]}.")
    elif len(have) < 2:
        notices.append(
            f"No {' and no '.join(name for name in SUMS if name not in have)} column: what needs {'it' if len(have) == 2 else 'them'} stays empty."
        )
    notices += [f"No {name} column: {effect}." for name, effect in WITHOUT.items() if name not in table.mapping]
    return notices  # fmt: skip
