"""Ledger and customer facts of one known file with pandas, as a careful analyst writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = ("kept", "bad_date", "no_customer", "bad_quantity", "cancelled", "bad_price")


def ledger_and_facts(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the row ledger and the customer facts of a Parquet file."""
    lines = pd.read_parquet(path)
    lines["money"] = lines["quantity"] * lines["price"]
    cancelled = lines["order_id"].str.match(r"C\d") | ((lines["quantity"] < 0) & (lines["price"] > 0))
    tests = [
        lines["ordered_at"].isna(),
        lines["customer_id"].isna(),
        lines["quantity"].isna() | lines["price"].isna(),
        cancelled,
        lines["quantity"] <= 0,
        lines["price"] <= 0,
    ]
    kind = np.select(tests, [1, 2, 3, 4, 3, 5], 0)
    useful = lines[(kind == 0) | (kind == 4)]
    again = useful.duplicated()
    rows = pd.Series(kind).map(dict(enumerate(CLASSES)))
    repeated = again.index[again]
    rows.loc[repeated[kind[repeated] == 0]] = "duplicate"
    ledger = lines.groupby(rows.to_numpy())["money"].agg(["size", "sum"]).reset_index()
    ledger.columns = ["row_class", "n_rows", "revenue"]
    kinds = kind[useful.index]
    back = useful[~again & (kinds == 4) & (useful["quantity"] < 0)]
    kept = useful[~again & (kinds == 0)]
    return ledger, facts_of(kept, back)


def facts_of(kept: pd.DataFrame, back: pd.DataFrame) -> pd.DataFrame:
    """Return one row per customer from clean lines and returned lines."""
    kept = kept.assign(day=kept["ordered_at"].dt.normalize(), discounted=kept["money"].where(kept["discount"] > 0, 0.0))
    orders = (
        kept.groupby(["customer_id", "order_id"], sort=False)
        .agg(
            day=("day", "min"),
            n_lines=("money", "size"),
            quantity=("quantity", "sum"),
            money=("money", "sum"),
            discounted=("discounted", "sum"),
        )
        .reset_index()
    )
    as_of = orders["day"].max() + pd.Timedelta(days=1)
    last = orders["day"] >= as_of - pd.Timedelta(days=90)
    prior = ~last & (orders["day"] >= as_of - pd.Timedelta(days=180))
    orders = orders.assign(
        last=last.astype(np.int64),
        prior=prior.astype(np.int64),
        money_last=orders["money"].where(last, 0.0),
        money_prior=orders["money"].where(prior, 0.0),
    )
    facts = orders.groupby("customer_id").agg(
        n_orders=("money", "size"),
        n_lines=("n_lines", "sum"),
        total_quantity=("quantity", "sum"),
        total_spend=("money", "sum"),
        first_order_on=("day", "min"),
        last_order_on=("day", "max"),
        discounted=("discounted", "sum"),
        orders_last_90d=("last", "sum"),
        orders_prior_90d=("prior", "sum"),
        spend_last_90d=("money_last", "sum"),
        spend_prior_90d=("money_prior", "sum"),
    )
    facts["as_of"] = as_of
    facts["mean_order_value"] = facts["total_spend"] / facts["n_orders"]
    facts["recency_days"] = (as_of - facts["last_order_on"]).dt.days
    facts["tenure_days"] = (as_of - facts["first_order_on"]).dt.days
    facts["activity_days"] = (facts["last_order_on"] - facts["first_order_on"]).dt.days
    days = orders[["customer_id", "day"]].drop_duplicates().sort_values(["customer_id", "day"])
    days["gap"] = days.groupby("customer_id")["day"].diff().dt.days
    gaps = days.groupby("customer_id")["gap"].agg(["size", "mean", "std"])
    facts["n_purchase_days"], facts["mean_gap_days"], facts["gap_cv"] = gaps["size"], gaps["mean"], gaps["std"] / gaps["mean"]
    facts["mean_spend_per_day"] = facts["total_spend"] / facts["n_purchase_days"]
    facts["unique_products"] = kept.groupby("customer_id")["product_id"].nunique()
    facts["mean_lines_per_order"] = facts["n_lines"] / facts["n_orders"]
    countries = kept.groupby(["customer_id", "country"], as_index=False)["money"].sum()
    countries = countries.sort_values(["customer_id", "money", "country"], ascending=[True, False, True])
    facts["primary_country"] = countries.drop_duplicates("customer_id").set_index("customer_id")["country"]
    returned = back.groupby("customer_id")["money"].agg(["size", "sum"])
    facts["n_returned_lines"] = returned["size"].reindex(facts.index).fillna(0).astype(np.int64)
    facts["returned_value"] = -returned["sum"].reindex(facts.index).fillna(0.0)
    facts["return_share"] = facts["returned_value"] / (facts["returned_value"] + facts["total_spend"])
    both = (facts["spend_last_90d"] + facts["spend_prior_90d"]).replace(0.0, np.nan)
    facts["spend_trend"] = (facts["spend_last_90d"] - facts["spend_prior_90d"]) / both
    facts["discount_share"] = facts.pop("discounted") / facts["total_spend"]
    shares = kept.pivot_table(index="customer_id", columns="category", values="money", aggfunc="sum", fill_value=0.0)
    for name in shares.columns:
        facts["category_share_" + name.lower().replace(" ", "_")] = shares[name] / facts["total_spend"]
    facts.index = facts.index.astype(np.int64).astype(str)
    return facts.reset_index()
