"""The read hall: one published version, opened once, asked for customers, tables and exports.

Comes in: a workspace and, optionally, a version. Goes out: plain records and Arrow tables. Nothing here trains, scores or
writes; what a screen shows is what was published.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from customer_genome.errors import SnapshotError, UnknownCustomerError, did_you_mean
from customer_genome.snapshot import Snapshot, parquet_select, read_snapshot
from customer_genome.workspace import Workspace

BACKTEST_FORMATS = (1,)
"""Formats of `backtest.json` that can be read."""
UNITED_KINGDOM = frozenset({"united kingdom", "uk", "gb", "great britain"})
_EXPORT_NAMES: Sequence[tuple[str, str]] = (
    ("CustomerID", "customer_id"),
    ("Recency", "recency_days"),
    ("Frequency", "n_orders"),
    ("Monetary", "total_spend"),
    ("total_orders", "n_orders"),
    ("total_quantity", "total_quantity"),
    ("total_spend", "total_spend"),
    ("avg_order_value", "mean_order_value"),
    ("recency_days", "recency_days"),
    ("unique_products", "unique_products"),
    ("activity_days", "activity_days"),
    ("PrimaryCountry", "primary_country"),
    ("is_home_country", "is_home_country"),
)
_EXPORT_PREDICTIONS: Sequence[tuple[str, str]] = (
    ("p_alive", "p_alive"),
    ("predicted_orders", "predicted_orders"),
    ("predicted_value", "predicted_spend"),
    ("spend_lower", "spend_lower"),
    ("spend_upper", "spend_upper"),
    ("CLV_6m", "clv_180d"),
    ("clv_lower", "clv_lower"),
    ("clv_upper", "clv_upper"),
    ("clv_band", "clv_band"),
    ("risk_probability", "churn_probability"),
    ("churn_band", "churn_band"),
    ("confidence_score", "confidence_score"),
    ("reliability", "reliability"),
    ("risk_basis", "risk_basis"),
    ("risk_rank", "risk_rank"),
    ("value_rank", "value_rank"),
    ("expected_value_loss", "expected_value_loss"),
    ("priority_segment", "priority_segment"),
    ("next_order_on", "next_order_on"),
    ("next_order_lower", "next_order_lower"),
    ("next_order_upper", "next_order_upper"),
    ("Cluster_KMeans", "cluster_kmeans"),
    ("Cluster_Hierarchical", "cluster_hierarchical"),
    ("Cluster_GMM", "cluster_gmm"),
    ("rfm_segment", "rfm_segment"),
    ("segment_name", "segment_name"),
    ("playbook", "playbook"),
    ("recommended_action", "recommended_action"),
    ("reason_1", "reason_1"),
    ("reason_2", "reason_2"),
    ("reason_3", "reason_3"),
)
_NO_ORDERS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("order_id", pa.string()),
        ("ordered_at", pa.timestamp("us")),
        ("ordered_on", pa.date32()),
        ("n_lines", pa.int64()),
        ("quantity", pa.float64()),
        ("revenue", pa.float64()),
    ]
)


class Genome:
    """A published version, open for reading. Use it as a context manager, or call `close`.

    Examples
    --------
    >>> with Genome.open(Path("genome-workspace")) as genome:  # doctest: +SKIP
    ...     genome.customer("17850")["segment_name"]
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        try:
            self._connection = _opened(snapshot)
        except duckdb.Error as err:
            raise SnapshotError(
                f"Version {snapshot.version} cannot be opened: {str(err).splitlines()[0]}. Check it with `genome doctor`, or publish again with `genome run`."
            ) from err
        self._connection.execute("set TimeZone = 'UTC'")
        self._lock = threading.Lock()

    @classmethod
    def open(cls, workspace: str | Path | Workspace, version: str | None = None) -> Self:
        """Open a version, by default the current one; retries once when it was pruned in between.

        Raises
        ------
        SnapshotError
            When nothing is published or the version does not exist.
        """
        place = workspace if isinstance(workspace, Workspace) else Workspace(Path(workspace))
        try:
            return cls(read_snapshot(place, version))
        except SnapshotError:
            if version is not None:
                raise
            return cls(read_snapshot(place))

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the version is: data window, settings, ledger, models, checksums."""
        return self.snapshot.manifest

    @property
    def level(self) -> str:
        """What the version was made from: "orders"; "customers" where rows gave totals and no dates; "ratings", which have no money."""
        return str(self.manifest.get("level", "orders"))

    @property
    def is_borrowed(self) -> bool:
        """Whether risk and value were learned from other shops, so that ranks and bands hold and sizes do not."""
        return self.manifest.get("risk_basis") == "borrowed"

    @property
    def currency(self) -> str:
        """The code of the money, or an empty text where the user has not named it."""
        return str(self.manifest.get("currency", ""))

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Return the rows of a read-only query; values only ever travel as parameters.

        Raises
        ------
        SnapshotError
            When the file of the version is damaged.
        """
        with self._lock:
            cursor = self._connection.cursor()
        try:
            return cursor.sql(sql, params=list(parameters)).to_arrow_table() if parameters else cursor.sql(sql).to_arrow_table()
        except (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException) as err:
            raise SnapshotError(
                f"{self.snapshot.database} cannot be read: {str(err).splitlines()[0]}. The file is cut short or damaged: put it back from a copy, "
                "or publish again with `genome run`."
            ) from err
        finally:
            cursor.close()

    def batches(self, sql: str, parameters: Sequence[Any] = (), rows: int = 100_000) -> pa.RecordBatchReader:
        """Return the rows of a read-only query in batches of about `rows`, for tables too large to hold whole."""
        with self._lock:
            cursor = self._connection.cursor()
        found = cursor.sql(sql, params=list(parameters)) if parameters else cursor.sql(sql)
        return found.to_arrow_reader(rows)

    def tables(self) -> list[str]:
        """Return the names of the published tables."""
        return [
            row["table_name"]
            for row in self.query(
                "select table_name from information_schema.tables where table_catalog = current_database() order by table_name"
            ).to_pylist()
        ]

    def table(self, name: str) -> pa.Table:
        """Return a whole published table.

        Raises
        ------
        SnapshotError
            When the version has no such table.
        """
        known = self.tables()
        if name not in known:
            raise SnapshotError(
                f"Version {self.snapshot.version} has no table {name!r}.{did_you_mean(name, known)} Tables: {', '.join(known)}."
            )
        return self.query(f'select * from "{name}"')

    def customer(self, customer_id: str) -> dict[str, Any]:
        """Return everything published about one customer.

        Raises
        ------
        UnknownCustomerError
            With the nearest ids.
        """
        rows = self.query("select * from customers where customer_id = ?", [customer_id]).to_pylist()
        if not rows:
            near = self.query(
                "select customer_id from customers order by levenshtein(customer_id, ?), customer_id limit 3", [customer_id]
            )
            names = ", ".join(near.column("customer_id").to_pylist())
            raise UnknownCustomerError(
                f"Customer {customer_id!r} is not among the {self.manifest['customers']:,} customers of version {self.snapshot.version}. Nearest ids: {names}."
            )
        record: dict[str, Any] = rows[0]
        return record

    def orders_of(self, customer_id: str) -> pa.Table:
        """Return a customer's orders, oldest first; none where the version knows totals only."""
        if self.level == "customers":
            return _NO_ORDERS.empty_table()
        return self.query("select * from orders where customer_id = ? order by ordered_at, order_id", [customer_id])

    def backtest(self) -> dict[str, Any] | None:
        """Return what the latest `genome backtest` of the workspace stored, None where none was run.

        Raises
        ------
        SnapshotError
            When the file is no backtest that this version of the product can read.
        """
        path = Workspace(self.snapshot.folder.parent.parent).backtest
        try:
            found: Any = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as err:
            raise SnapshotError(f"{path} cannot be read: {err}. Make it anew with `genome backtest`.") from err
        if not isinstance(found, dict) or found.get("format") not in BACKTEST_FORMATS:
            raise SnapshotError(f"{path} is no backtest that this version can read. Make it anew with `genome backtest`.")
        return found

    def export(self) -> pa.RecordBatchReader:
        """Return one row per customer under the export names of the documentation, in batches."""
        columns = ", ".join(f'{source} as "{name}"' for name, source in self.export_columns())
        return self.batches(f"select {columns} from customers order by customer_id")

    def export_columns(self) -> list[tuple[str, str]]:
        """Return (export name, published column) for every column this version can give."""
        published = self.query("select * from customers limit 0").column_names
        known = self.manifest.get("columns_known", published)
        home = str(self.manifest.get("settings", {}).get("shop", {}).get("home_country", "")).lower()
        pairs = [
            ("IsUK" if name == "is_home_country" and home in UNITED_KINGDOM else name, column) for name, column in _EXPORT_NAMES
        ]
        pairs += [(share_name(item["category"]), item["column"]) for item in self.manifest.get("category_shares", [])]
        pairs += _EXPORT_PREDICTIONS
        if self.manifest.get("has_suppressions"):
            pairs.append(("is_suppressed", "is_suppressed"))
        taken = {name.lower() for name, _ in pairs}
        for name in published:
            if name.startswith("attribute_"):
                short = name.removeprefix("attribute_")
                pairs.append((name if short in taken else short, name))
        return [(name, f'"{column}"') for name, column in pairs if column in published and column in known]

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close."""
        self.close()


def _opened(snapshot: Snapshot) -> duckdb.DuckDBPyConnection:
    """Return a connection whose tables are the published ones: those of the file, or views of it and of Parquet files."""
    folders = snapshot.parquet
    if not folders:
        return duckdb.connect(str(snapshot.database), read_only=True)
    connection = duckdb.connect()
    path = str(snapshot.database).replace("'", "''")
    connection.execute(f"attach '{path}' as published (read_only)")
    connection.execute("set parquet_metadata_cache = true")  # checked against the file's time before it is believed
    inside = connection.execute("select table_name from duckdb_tables() where database_name = 'published'").fetchall()
    for (name,) in inside:
        connection.execute(f'create view "{name}" as select * from published.main."{name}"')
    for name, files in folders.items():
        connection.execute(f'create view "{name}" as {parquet_select(files)}')
    return connection


def share_name(category: str) -> str:
    """Return the export name of a category's share of spend.

    Examples
    --------
    >>> share_name("Home Decor")
    'CatShare_HomeDecor'
    """
    return "CatShare_" + "".join(letter for letter in category if letter.isalnum())
