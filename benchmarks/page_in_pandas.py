"""The figures of Overview as one writes them in an hour with pandas and Streamlit; `bench_dashboard.py` serves it as its peer.

Customers and orders are read from Parquet once and kept in memory without copies, the fastest way pandas offers.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import streamlit as st


@st.cache_resource
def table(name: str) -> pd.DataFrame:
    """Return a table, read once."""
    return pd.read_parquet(Path(os.environ["PAGE_IN_PANDAS"]) / f"{name}.parquet")


customers, orders = table("customers"), table("orders")
least = st.sidebar.number_input("Orders, at least", 1)
countries = st.sidebar.multiselect("Country", sorted(customers["primary_country"].unique()))
few = customers[customers["n_orders"] >= least]
if countries:
    few = few[few["primary_country"].isin(countries)]
st.title("Overview")
places = st.columns(6)
places[0].metric("Customers", f"{len(few):,}")
places[1].metric("Revenue", f"{few['total_spend'].sum():,.0f}")
places[2].metric("Orders", f"{few['n_orders'].sum():,}")
places[3].metric("Average CLV", f"{few['clv_180d'].mean():,.2f}")
places[4].metric("Expected churn", f"{few['churn_probability'].mean():.0%}")
places[5].metric("Value at risk", f"{(few['clv_180d'] * few['churn_probability']).sum():,.0f}")
theirs = orders if len(few) == len(customers) else orders[orders["customer_id"].isin(few["customer_id"])]
months = theirs["ordered_at"].dt.to_period("M").dt.to_timestamp()
st.line_chart(theirs.groupby(months)["revenue"].sum())
st.line_chart(theirs.groupby(months)["customer_id"].nunique())
st.bar_chart(few.groupby("segment_name").size())
st.bar_chart(few.groupby("segment_name")["total_spend"].sum())
st.dataframe(few.nlargest(1000, "total_spend"))
