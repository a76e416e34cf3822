"""Where every input row went and why, adding up to the input, with what each class means and what to do about it.

Comes in: an open `Genome`, and for the refused rows themselves the workspace. Goes out: plain values and sentences. Nothing is classed
here; the classes are those of the run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from customer_genome.genome import Genome
from customer_genome.interfaces.views.figures import count, money, share
from customer_genome.interfaces.views.overview import ledger
from customer_genome.interfaces.views.row_classes import CLASS_WORDS, RATINGS_WORDS, TOTALS_WORDS
from customer_genome.snapshot import parquet_select, parquet_tables
from customer_genome.workspace import Workspace

ADVICE: Mapping[str, str] = {
    "kept": "Everything on the other pages is made of these rows.",
    "duplicate": "Nothing, where an export repeats lines. If equal lines are real sales: drop_duplicates = false under [cleaning].",
    "cancelled": 'Nothing: they never count as purchases. To let them reduce earlier ones: refunds = "net" under [cleaning].',
    "refunded": "Nothing: everything bought on them came back later.",
    "no_customer": "Ask for a customer number or loyalty card where these sales are made; guests appear in no forecast.",
    "bad_date": "Look at the refused rows below, and correct them in the source or say date_order under [tables.order_lines].",
    "bad_quantity": "Look at the refused rows below; stock corrections and fees belong out of a sales export.",
    "bad_price": "Look at the refused rows below; gifts and samples at 0 are no purchases and may stay refused.",
    "not_merchandise": "Nothing, while the list in not_merchandise.toml names only postage, fees and the like.",
    "unreadable": "Look at the refused rows below: mostly a quote or a line break too many. Export the file again.",
    "forgotten": "Nothing: these customers asked to be erased.",
    "bad_number": "Look at the refused rows below, and correct the numbers in the source.",
    "negative": "Look at the refused rows below: totals below 0 are mostly refunds of an earlier time.",
    "no_totals": "Give two of orders, spend and order value for these customers.",
    "no_orders": "Nothing: without an order there is nothing to learn from.",
}
"""Row class -> what to do about it."""
REFUSED = (
    "bad_date",
    "no_customer",
    "bad_quantity",
    "bad_price",
    "unreadable",
    "bad_number",
    "negative",
    "no_totals",
    "no_orders",
)
_MEMORY, _ONE_AT_A_TIME = "1GB", threading.Lock()


@dataclass(frozen=True)
class Balance:
    """Whether the classes add up to the input."""

    read: int
    classed: int
    revenue: float | None

    @property
    def holds(self) -> bool:
        """Whether not a row is missing or counted twice."""
        return self.read == self.classed

    def sentence(self, currency: str) -> str:
        """Return the balance in words."""
        if self.holds:
            signed = "" if self.revenue is None else f", and to {money(self.revenue, currency)} of signed money"
            return f"The classes add up to all {count(self.read)} rows that were read{signed}."
        return (
            f"{count(self.read)} rows were read and {count(self.classed)} were classed: {count(abs(self.read - self.classed))} do not add up. "
            "Please report this with the output of genome doctor."
        )


def class_words(genome: Genome) -> Mapping[str, str]:
    """Return what each class means, for rows of the kind that this version was made from."""
    return {"customers": TOTALS_WORDS, "ratings": RATINGS_WORDS}.get(genome.level, CLASS_WORDS)


def ledger_rows(genome: Genome) -> list[dict[str, Any]]:
    """Return the classes, rows that count first, then by rows: row_class, words, n_rows, row_share, revenue, advice."""
    words = class_words(genome)
    found = ledger(genome).to_pylist()
    rows = [
        {**row, "words": words.get(row["row_class"], ""), "advice": ADVICE.get(row["row_class"], "")}
        for row in sorted(found, key=lambda row: (row["row_class"] != "kept", -row["n_rows"]))
    ]
    return rows


def balance_of(genome: Genome) -> Balance:
    """Return whether the classes add up to the rows that all deliveries brought."""
    rows = ledger(genome).to_pylist()
    classed = sum(int(row["n_rows"]) for row in rows)
    known = [float(row["revenue"]) for row in rows if row["revenue"] is not None]
    revenue = sum(known) if known else None
    if "deliveries" in genome.tables():
        added = genome.query("select coalesce(sum(rows_added), 0) as n from deliveries").column("n")[0].as_py()
        return Balance(int(added), classed, revenue)
    return Balance(int(genome.manifest.get("rows_read") or classed), classed, revenue)


def refund_sentences(manifest: Mapping[str, Any], currency: str) -> tuple[str, ...]:
    """Return what was taken back, what the policy makes of it, and what the other policy would; nothing where nothing came back."""
    refunds = {} if manifest.get("level") == "ratings" else manifest.get("refunds") or {}
    if not refunds.get("returned_lines"):
        return ("No line of the data takes anything back, so both refund policies give the same revenue.",) if refunds else ()
    policy = str(refunds["policy"])
    dropped, netted = float(refunds["revenue_under_drop"]), float(refunds["revenue_under_net"])
    meaning = {
        "drop": "policy drop: purchases count in full, returns leave",
        "net": "policy net: returns reduce the purchases before them, newest first",
    }
    other = "net" if policy == "drop" else "drop"
    here, there = (dropped, netted) if policy == "drop" else (netted, dropped)
    less = share(abs(dropped - netted) / dropped) if dropped else "–"
    sentences = [
        f"{count(refunds['returned_lines'])} lines take back {money(float(refunds['returned_value']), currency)}.",
        f"Revenue is {money(here, currency)} under {meaning[policy]}. Under {meaning[other]}, it would be {money(there, currency)}; the two are "
        f"{money(abs(dropped - netted), currency)} or {less} apart.",
    ]
    if refunds["unmatched_lines"]:
        sentences.append(
            f"{count(refunds['unmatched_lines'])} returns worth {money(float(refunds['unmatched_value']), currency)} go beyond any purchase in the data; "
            "mostly what was bought before the data begin. They reduce nothing."
        )
    return tuple(sentences)


# --- the refused rows themselves -----------------------------------------------------------------------------------------


def refused_rows(genome: Genome, workspace: Workspace, row_class: str, most: int = 50) -> tuple[pa.Table | None, str]:
    """Return the first refused rows of a class, and why there are none where that is so.

    They lie in the warehouse, which holds the newest rows only; rows of a version on totals lie in the version.
    """
    order = "select * from {place} where reason = ? order by row_number limit " + str(int(most))
    if "quarantine" in genome.tables():
        return genome.query(order.format(place="quarantine"), [row_class]), ""
    gone = "The refused rows are kept for the newest version only, and this one is older. Show the newest version to see them."
    try:
        files = parquet_tables(workspace.tables).get("quarantine", [])
        with _ONE_AT_A_TIME, warehouse_of(workspace) if not files else duckdb.connect() as connection:
            if not files and not _is_of(connection, genome.manifest):
                return None, gone
            place = f"({parquet_select(files)})" if files else "quarantine"
            return connection.sql(order.format(place=place), params=[row_class]).to_arrow_table(), ""
    except duckdb.Error:
        return None, "The warehouse of this workspace is not there or is being replaced, so the rows themselves cannot be shown."


def warehouse_of(workspace: Workspace) -> duckdb.DuckDBPyConnection:
    """Return a connection to the warehouse that can only read, within a limit of memory; to be closed at once."""
    return duckdb.connect(str(workspace.warehouse), read_only=True, config={"memory_limit": _MEMORY, "threads": 2})


def _is_of(connection: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> bool:
    """Return whether the warehouse holds the rows that a version was made from."""
    found = connection.sql("select told from staging").fetchall()
    return bool(found) and json.loads(found[0][0])["warehouse"] == manifest.get("warehouse")


def filled_shares(genome: Genome, workspace: Workspace) -> dict[str, float]:
    """Return contract column -> share of all input rows that hold it; nothing where the warehouse is another or gone."""
    columns = (
        "customer_id",
        "ordered_at",
        "order_id",
        "product_id",
        "description",
        "quantity",
        "price",
        "discount",
        "category",
        "currency",
        "status",
    )
    counted = ", ".join(f"count({name}) as {name}" for name in columns)
    sql = f"select count(*) as n, {counted}, count(revenue) as amount, count(nullif(country, 'Unknown')) as country from lines"
    try:
        with _ONE_AT_A_TIME, warehouse_of(workspace) as connection:
            if not _is_of(connection, genome.manifest):
                return {}
            row = connection.sql(sql).to_arrow_table().to_pylist()[0]
    except duckdb.Error:
        return {}
    total = row.pop("n")
    return {name: found / total for name, found in row.items()} if total else {}
