"""The dashboard's entry: names the pages, keeps the filters they share, and shows the page that was asked for.

Started by `interfaces.server`. Filters are drawn here, not on the pages, because only then do they hold from page to page.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from customer_genome.errors import GenomeError
from customer_genome.interfaces.dashboard.drawing import give_colours
from customer_genome.interfaces.dashboard.filters import choose
from customer_genome.interfaces.dashboard.markup import plain
from customer_genome.interfaces.dashboard.session import offer_newer_version, visit, workspace_root

HERE = Path(__file__).parent

st.set_page_config(page_title="Customer Genome", page_icon=str(HERE / "static" / "icon.png"), layout="wide")
st.logo(str(HERE / "static" / "logo.png"), icon_image=str(HERE / "static" / "icon.png"), size="large")
page = st.navigation(
    [
        st.Page("overview.py", title="Overview", url_path="overview", default=True),
        st.Page("customers.py", title="Customers", url_path="customers"),
        st.Page("customer.py", title="Customer", url_path="customer", visibility="hidden"),
        st.Page("segments.py", title="Segments", url_path="segments"),
        st.Page("value.py", title="Value", url_path="value"),
        st.Page("targets.py", title="Value at risk", url_path="targets"),
        st.Page("recommendations.py", title="Recommendations", url_path="recommendations"),
        st.Page("quality.py", title="Model quality", url_path="quality"),
        st.Page("changes.py", title="Changes", url_path="changes"),
        st.Page("predict.py", title="Predict", url_path="predict"),
        st.Page("about.py", title="About", url_path="about"),
    ],
    position="top",
)
if page.url_path != "predict" or (workspace_root() / "published" / "CURRENT").exists():  # a model of profiles needs no version
    choose(visit())
    offer_newer_version()
give_colours()
try:
    page.run()
except GenomeError as err:
    st.error(plain(err))
