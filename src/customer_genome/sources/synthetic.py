"""A shop whose customers are known: simulated order lines together with the truth behind them.

Comes in: parameters with a meaning (rates per day, shares, money). Goes out: a `Simulation` that streams order lines as
Arrow batches or into Parquet of any size, tells the truth about every customer, and counts what a row ledger of its lines
must say. It serves as public API, as test fixture and as load generator. The same seed and parameters give the same rows
whatever the batch size (for one version of NumPy: NumPy may change its random streams between versions).

    >>> shop = simulate(n_customers=200, days=180, seed=1)
    >>> lines = shop.order_lines().read_all()
    >>> lines.column_names[:4]
    ['order_id', 'product_id', 'description', 'quantity']
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer_genome.contracts import INPUT_TABLES, RawColumn, SourceTable
from customer_genome.errors import SettingsError, did_you_mean
from customer_genome.sources import simulated_orders as draws
from customer_genome.sources.simulated_orders import BLOCK_CUSTOMERS, SECONDS_PER_DAY, Lines, Lives
from customer_genome.sources.simulated_shop import EdgeCase, Promotion, PurchaseParameters, Shop, SpendParameters, shop_faults

__all__ = ["Promotion", "PurchaseParameters", "Simulation", "SpendParameters", "simulate"]

FIRST_CUSTOMER: Final = 10_001
FIRST_ORDER: Final = 100_001


@dataclass(frozen=True)
class Simulation(Shop):
    """A simulated shop with its lines and its truth; made by `simulate`, which explains the settings."""

    @property
    def schema(self) -> pa.Schema:
        """Return the schema of the order lines; numbers and times are text when the simulation has unreadable ones."""
        number, time = (pa.string(), pa.string()) if self._is_text else (pa.float64(), pa.timestamp("us"))
        return pa.schema([
            ("order_id", pa.string()), ("product_id", pa.string()), ("description", pa.string()),
            ("quantity", pa.string() if self._is_text else pa.int64()), ("price", number), ("ordered_at", time),
            ("customer_id", pa.string() if self.customer_ids == "text" else pa.int64()),
            ("country", pa.string()), ("category", pa.string()), ("discount", pa.float64()),
        ])  # fmt: skip

    @property
    def _is_text(self) -> bool:
        return self.as_text or self.unreadable_rate > 0.0

    def order_lines(self, batch_lines: int = 131_072, *, with_class: bool = False) -> pa.RecordBatchReader:
        """Stream the order lines.

        Parameters
        ----------
        batch_lines : int
            Rows per batch (the last may be shorter). Does not change the rows.
        with_class : bool
            Add `row_class`, the class a row ledger must give the row.

        Returns
        -------
        pa.RecordBatchReader
            In time order within each thousand customers; memory is bounded by a batch and a thousand customers.
        """
        schema = self.schema.append(pa.field("row_class", pa.string())) if with_class else self.schema
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema, batch_lines))

    def write_parquet(self, path: Path, *, lines: int | None = None, row_group_lines: int = 500_000) -> int:
        """Stream the order lines into a Parquet file, at most `lines` of them; return how many were written."""
        written = 0
        with pq.ParquetWriter(path, self.schema, compression="zstd", compression_level=1) as writer:
            for batch in self.order_lines(row_group_lines):
                part = batch if lines is None else batch.slice(0, lines - written)
                writer.write_batch(part)
                written += part.num_rows
                if lines is not None and written >= lines:
                    break
        return written

    def write_csv(self, path: Path) -> int:
        """Stream the order lines into a CSV file; return how many were written."""
        from pyarrow import csv

        written = 0
        with csv.CSVWriter(path, self.schema) as writer:
            for batch in self.order_lines():
                writer.write_batch(batch)
                written += batch.num_rows
        return written

    def ledger(self) -> dict[str, tuple[int, float]]:
        """Return per row class the rows and the money (quantity x price, signed; 0 where either cannot be read)."""
        counts: dict[str, tuple[int, float]] = {}
        for _, lines, inside, _ in self._blocks():
            unreadable = (lines.kind == draws.TEXT_QUANTITY) | (lines.kind == draws.TEXT_PRICE)
            money = np.where(unreadable, 0.0, lines.quantity * lines.cents / 100.0)
            for kind in np.unique(lines.kind[inside]):
                hit = inside & (lines.kind == kind)
                rows, revenue = counts.get(draws.ROW_CLASSES[kind], (0, 0.0))
                counts[draws.ROW_CLASSES[kind]] = (rows + int(hit.sum()), revenue + float(money[hit].sum()))
        return {name: (rows, round(revenue, 2)) for name, (rows, revenue) in sorted(counts.items())}

    def truth(self) -> pa.Table:
        """Return what nobody knows in a real shop, one row per customer (also those without an order in the data).

        Columns: customer_id; lambda_per_day (orders per day while alive, on a day with multiplier 1); p (probability of
        leaving after a repeat order); first_ordered_at; alive_until (the order after which the customer left; null =
        still there when the data end); mean_spend (expected money per order); n_orders (in the data); country;
        favourite_category; is_deal_seeker.
        """
        recipe = self.recipe()
        return pa.concat_tables(self._truth_of(block, draws.draw_block(recipe, block)[0]) for block in range(self._n_blocks))

    def products(self) -> pa.Table:
        """Return the product list: product_id, description, category, price (the list price)."""
        ids, descriptions, categories = self.product_names()
        return pa.table({
            "product_id": ids, "description": descriptions, "category": categories, "price": self.recipe().list_price,
        })  # fmt: skip

    def promotions_table(self) -> pa.Table:
        """Return the campaigns: promotion_id, starts_on, ends_on, discount (part of the price)."""
        return pa.table({
            "promotion_id": pa.array([each.promotion_id for each in self.promotions], pa.string()),
            "starts_on": pa.array([each.starts_on for each in self.promotions], pa.date32()),
            "ends_on": pa.array([each.ends_on for each in self.promotions], pa.date32()),
            "discount": pa.array([each.discount for each in self.promotions], pa.float64()),
        })  # fmt: skip

    def source_tables(self) -> dict[str, SourceTable]:
        """Return the simulation as sources: order_lines, products, and promotions where there are any."""
        tables = {"order_lines": _source("order_lines", self.schema, self.order_lines)}
        for name, table in (("products", self.products()), ("promotions", self.promotions_table())):
            if table.num_rows:
                tables[name] = _source(name, table.schema, table.to_reader)
        return tables

    @property
    def _n_blocks(self) -> int:
        return -(-self.n_customers // BLOCK_CUSTOMERS)

    def _blocks(self) -> Iterator[tuple[Lives, Lines, draws.Flags, int]]:
        """Yield each block's customers and lines, which of the lines belong to the simulation, and the block."""
        recipe = self.recipe()
        for block in range(self._n_blocks):
            lives, lines = draws.draw_block(recipe, block)
            yield lives, lines, lines.customer + block * BLOCK_CUSTOMERS < self.n_customers, block

    def _batches(self, schema: pa.Schema, batch_lines: int) -> Iterator[pa.RecordBatch]:
        """Yield batches of exactly `batch_lines` rows, the last one shorter."""
        names, waiting, n_waiting, next_order = self._names(), [], 0, FIRST_ORDER
        for lives, lines, inside, block in self._blocks():
            order_ids = _order_ids(lines.order_kind, next_order)
            waiting.append(self._record_batch(schema, names, lives, lines, inside, order_ids, block))
            next_order += len(lines.order_kind)
            n_waiting += waiting[-1].num_rows
            if n_waiting >= batch_lines:
                rows = pa.concat_batches(waiting)
                whole = n_waiting // batch_lines * batch_lines
                yield from (rows.slice(place, batch_lines) for place in range(0, whole, batch_lines))
                waiting, n_waiting = [rows.slice(whole)], n_waiting - whole
        if n_waiting:
            yield pa.concat_batches(waiting)

    def _record_batch(
        self, schema: pa.Schema, names: Mapping[str, pa.Array], lives: Lives, lines: Lines, inside: draws.Flags,
        order_ids: pa.Array, block: int,
    ) -> pa.RecordBatch:  # fmt: skip
        """Return the lines of one block as Arrow columns."""
        kept = slice(None) if inside.all() else inside
        kind, product, nulls, customer = lines.kind[kept], lines.product[kept], lines.nulls[kept], lines.customer[kept]
        columns = {
            "order_id": order_ids.take(pa.array(lines.order[kept])),
            "product_id": names["product_id"].take(pa.array(product)),
            "description": names["description"].take(pa.array(product, mask=nulls == 1)),
            "quantity": pa.array(lines.quantity[kept]),
            "price": pa.array(lines.cents[kept] / 100.0),
            "ordered_at": self._instants(lines.second[kept], kind == draws.NO_DATE),
            "customer_id": self._customer_ids(block * BLOCK_CUSTOMERS + customer, kind == draws.NO_CUSTOMER),
            "country": names["country"].take(pa.array(lives.country[customer], mask=nulls == 3)),
            "category": names["category"].take(pa.array(product, mask=nulls == 2)),
            "discount": pa.array(lines.discount_cents[kept] / 100.0),
        }
        if self._is_text:
            columns |= _as_text(columns, kind)
        if "row_class" in schema.names:
            columns["row_class"] = pa.array(draws.ROW_CLASSES).take(pa.array(kind))
        return pa.record_batch([columns[name] for name in schema.names], schema=schema)

    def _instants(self, second: Any, missing: Any = None) -> pa.Array:
        """Turn seconds since `start` into timestamps."""
        first = (self.start - dt.date(1970, 1, 1)).days * SECONDS_PER_DAY
        return pa.array(((second + first) * 1_000_000).astype(np.int64), pa.timestamp("us"), mask=missing)

    def _customer_ids(self, number: Any, missing: Any = None) -> pa.Array:
        """Return the ids of customers counted from 0."""
        numbers = pa.array(number + FIRST_CUSTOMER, mask=missing)
        if self.customer_ids == "integer":
            return numbers
        return pc.binary_join_element_wise("K", pc.utf8_lpad(numbers.cast(pa.string()), 9, "0"), "")

    def _names(self) -> dict[str, pa.Array]:
        """Return the texts that lines point at."""
        ids, descriptions, categories = self.product_names()
        return {
            "product_id": pa.array(ids), "description": pa.array(descriptions), "category": pa.array(categories),
            "country": pa.array(list(self.countries)),
        }  # fmt: skip

    def _truth_of(self, block: int, lives: Lives) -> pa.Table:
        """Return the truth of one block's customers."""
        n = min(BLOCK_CUSTOMERS, self.n_customers - block * BLOCK_CUSTOMERS)
        gone = lives.alive_until[:n]
        return pa.table({
            "customer_id": self._customer_ids(block * BLOCK_CUSTOMERS + np.arange(n)),
            "lambda_per_day": lives.rate_per_day[:n],
            "p": lives.dropout[:n],
            "first_ordered_at": self._instants(lives.first_ordered_at[:n]),
            "alive_until": self._instants(np.nan_to_num(gone), np.isnan(gone)),
            "mean_spend": lives.mean_spend[:n],
            "n_orders": lives.n_orders[:n],
            "country": pa.array(list(self.countries)).take(pa.array(lives.country[:n])),
            "favourite_category": pa.array(list(self.categories)).take(pa.array(lives.favourite[:n])),
            "is_deal_seeker": lives.is_deal_seeker[:n],
        })  # fmt: skip


def simulate(
    n_customers: int | None = None, *, n_lines: int | None = None, edge_cases: Sequence[EdgeCase] | frozenset[EdgeCase] = (),
    **settings: Any,
) -> Simulation:  # fmt: skip
    """Return a simulated shop; nothing is drawn before it is asked for.

    Parameters
    ----------
    n_customers : int, optional
        How many customers (default 1,000); the first of them are the same however many there are.
    n_lines : int, optional
        Instead: about how many lines. The number of customers follows from a pilot of four thousand customers.
    edge_cases : of "ties", "nulls", "leap_days", "midnight"
        Equal times and equal amounts; missing descriptions, categories and countries; a rush on 29 February; a fifth of
        the orders at 00:00:00.
    **settings
        start : date; days : int, the days in the data. seed : int.
        purchases : PurchaseParameters; spend : SpendParameters; mean_lines : lines per order, >= 1.
        arrival_days : first orders fall within so many days from `start`; hidden_days : the shop is that much older than
        its data (customers who look new but are not).
        month_multipliers (12), weekday_multipliers (7, Monday first) : how busy, 1 = as usual.
        categories : name -> number of products; countries : name -> share; taste : share of lines from a customer's
        favourite category.
        promotions : Promotion, ...; deal_seeker_share, deal_seeker_lift : customers who come mostly in promotions.
        refund_rate : share of lines sent back later (order id "C...", negative quantity); refund_delay_days : mean.
        duplicate_rate, missing_customer_rate, zero_price_rate, zero_quantity_rate, missing_date_rate, unreadable_rate :
        share of lines of which a spoiled copy is added, so the clean lines stay what `truth` says. Unreadable ones make
        quantity, price and time text. null_rate : share of lines that lack a description, category or country.
        opening_hours : hours of the day; customer_ids : "integer" or "text"; as_text : numbers and times as text.

    Raises
    ------
    SettingsError
        With every setting that is unknown or impossible.
    """
    known = {each.name for each in fields(Simulation)} - {"n_customers", "edge_cases"}
    faults = [f"unknown setting {name!r}.{did_you_mean(name, known)}" for name in settings if name not in known]
    if n_customers is not None and n_lines is not None:
        faults.append("n_customers and n_lines exclude each other")
    if faults:
        raise SettingsError("simulate: " + "; ".join(faults))
    settings["promotions"] = tuple(settings.get("promotions", ()))
    shop = Simulation(n_customers=1_000 if n_customers is None else n_customers, edge_cases=frozenset(edge_cases), **settings)
    faults = shop_faults(shop) + (["n_lines must be at least 1"] if n_lines is not None and n_lines < 1 else [])
    if faults:
        raise SettingsError("simulate: " + "; ".join(faults))
    if n_lines is None:
        return shop
    pilot = replace(shop, n_customers=4 * BLOCK_CUSTOMERS)
    seen = sum(int(inside.sum()) for _, _, inside, _ in pilot._blocks())
    return replace(shop, n_customers=max(1, round(n_lines * pilot.n_customers / max(seen, 1))))


def _order_ids(order_kind: Any, first: int) -> pa.Array:
    """Return the id of every order of a block: a running number, with a C in front of cancellations."""
    plain = pa.array(np.arange(first, first + len(order_kind))).cast(pa.string())
    if not (order_kind == 1).any():
        return plain
    return pc.if_else(pa.array(order_kind == 1), pc.binary_join_element_wise("C", plain, ""), plain)


def _as_text(columns: Mapping[str, pa.Array], kind: Any) -> dict[str, pa.Array]:
    """Return quantity, price and time as text, with words where they are to be unreadable."""
    time = pc.strftime(columns["ordered_at"].cast(pa.timestamp("s")), format="%Y-%m-%d %H:%M:%S")
    texts = {"quantity": columns["quantity"].cast(pa.string()), "price": columns["price"].cast(pa.string()), "ordered_at": time}
    words = {
        "quantity": (draws.TEXT_QUANTITY, "many"),
        "price": (draws.TEXT_PRICE, "free"),
        "ordered_at": (draws.TEXT_DATE, "soon"),
    }
    return {name: pc.if_else(pa.array(kind == spoiled), word, texts[name]) for name, (spoiled, word) in words.items()}


def _source(name: str, schema: pa.Schema, batches: Any) -> SourceTable:
    """Describe one simulated table."""
    raw: dict[str, Any] = {"string": "text", "int64": "integer", "double": "double", "date32[day]": "date"}
    raw["timestamp[us]"] = "timestamp"
    columns = tuple(RawColumn(each.name, raw[str(each.type)]) for each in schema)
    contract = INPUT_TABLES[name]
    mapping = {each.name: (each.name,) for each in columns if each.name in contract.names}
    typed: dict[str, Any] = {"text": "ymd", "timestamp": "typed", "date": "typed"}
    dates = {
        column: typed[raw[str(schema.field(column).type)]]
        for column in mapping if contract.column(column).type in ("timestamp", "date")
    }  # fmt: skip
    return SourceTable(
        table=name,
        label=f"simulated {name}",
        format="arrow",
        columns=columns,
        mapping=mapping,
        batches=batches,
        date_orders=dates,
    )
