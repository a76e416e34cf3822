"""The same result with pandas, as a careful analyst writes it for one known file; money as double."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = ("kept", "bad_date", "no_customer", "bad_quantity", "cancelled", "bad_price")


def results_of(path: Path, rows_to: Path) -> dict[str, pd.DataFrame]:
    """Return ledger, customer facts and the effect of refunds of a Parquet file; keep the classed rows in another."""
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
    row_class = pd.Series(pd.Categorical.from_codes(kind, [*CLASSES, "duplicate"]), index=lines.index)
    repeated = again.index[again]
    row_class.loc[repeated[kind[repeated] == 0]] = "duplicate"
    lines["row_class"] = row_class
    ledger = lines.groupby("row_class", observed=True)["money"].agg(["size", "sum"]).reset_index()
    ledger.columns = ["row_class", "n_rows", "revenue"]
    ledger["row_class"] = ledger["row_class"].astype(str)
    lines.to_parquet(rows_to, compression="zstd")
    kinds = kind[useful.index]
    back = useful[~again & (kinds == 4) & (useful["quantity"] < 0)]
    kept = useful[~again & (kinds == 0)]
    return {"ledger": ledger, "facts": facts_of(kept, back), "refund_effect": refund_effect(kept, back)}


def refund_effect(kept: pd.DataFrame, back: pd.DataFrame) -> pd.DataFrame:
    """Return what matching returns to the newest purchases of the same customer and product makes of revenue."""
    keys = ["customer_id", "product_id"]
    wanted = pd.MultiIndex.from_frame(back[keys]).unique()
    touched = kept[pd.MultiIndex.from_frame(kept[keys]).isin(wanted)]
    events = pd.concat([touched.assign(is_return=False), back.assign(is_return=True)])
    events["row"] = events.index
    events = events.sort_values([*keys, "ordered_at", "is_return", "order_id", "quantity", "money", "row"], ignore_index=True)
    group = events.groupby(keys, sort=False).ngroup()
    running = events.groupby(group)["quantity"].cumsum()
    held = running - running.groupby(group).cummin().clip(upper=0)
    before = held.groupby(group).shift(1, fill_value=0)
    at_least = held[::-1].groupby(group[::-1]).cummin()[::-1]
    quantity, is_return = events["quantity"], events["is_return"]
    taken = quantity - np.minimum(quantity, np.maximum(0, at_least - before))
    matched = np.where(is_return, before - held, taken)
    money = np.where(matched == quantity, events["money"], matched * events["price"])
    open_part = events["money"] * (1 + matched / quantity)
    drop, net = kept["money"].sum(), money[~is_return].sum()
    return pd.DataFrame(
        {
            "revenue_under_drop": [drop],
            "revenue_under_net": [drop - net],
            "returned_lines": [len(back)],
            "returned_value": [-back["money"].sum()],
            "matched_value": [net],
            "unmatched_lines": [int((is_return & (matched < -quantity)).sum())],
            "unmatched_value": [-open_part[is_return].sum()],
        }
    )


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
