"""A published version with very many customers, made from a small one in SQL: no model is fitted, so it costs seconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb


def multiply(source: Path, workspace: Path, customers: int) -> None:
    """Copy a published workspace and repeat its customers under further ids until there are `customers`.

    Money and days of the further customers are moved a little, so that figures spread as they do in a shop; their orders are those of
    the customer they repeat. Daily totals and recommendations stay those of the first ones.
    """
    shutil.copytree(source, workspace)
    version = workspace / "published" / (workspace / "published" / "CURRENT").read_text("utf-8").strip()
    with duckdb.connect(str(version / "snapshot.duckdb")) as connection:
        (n,) = connection.execute("select count(*) from customers").fetchone() or (0,)
        connection.execute(
            """
            insert into customers
            select few.* replace (
                few.customer_id || '-' || part.n as customer_id,
                few.total_spend * part.factor as total_spend,
                few.mean_order_value * part.factor as mean_order_value,
                few.clv_180d * part.factor as clv_180d,
                few.clv_lower * part.factor as clv_lower,
                few.clv_upper * part.factor as clv_upper,
                few.expected_value_loss * part.factor as expected_value_loss,
                few.recency_days + part.n % 7 as recency_days
            )
            from customers as few
            cross join (select range as n, 0.8 + (range * 7919 % 400) / 1000.0 as factor from range(1, ?)) as part
            limit ?
            """,
            [customers // n + 2, customers - n],
        )
        connection.execute(
            """
            insert into orders
            select few.* replace (few.customer_id || '-' || part.n as customer_id)
            from orders as few
            cross join (select range as n from range(1, ?)) as part
            semi join customers on customers.customer_id = few.customer_id || '-' || part.n
            """,
            [customers // n + 2],
        )
        connection.execute("checkpoint")
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    (version / "manifest.json").write_text(json.dumps({**manifest, "customers": customers}), "utf-8")
