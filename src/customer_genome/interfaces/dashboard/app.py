"""The dashboard's entry: lets people in, names the pages, keeps the filters they share, and shows the page that was asked for.

Started by `interfaces.serving.server`. Filters are drawn here, not on the pages, because only then do they hold from page to page.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from customer_genome.errors import GenomeError
from customer_genome.interfaces.dashboard.drawing import give_colours
from customer_genome.interfaces.dashboard.filters import choose
from customer_genome.interfaces.dashboard.markup import plain
from customer_genome.interfaces.dashboard.session import offer_newer_version, role_of_visitor, visit, workspace_root
from customer_genome.interfaces.dashboard.sign_in import is_inside, say_who_looks, sign_in_of
from customer_genome.interfaces.dashboard.way_back import way_wanted

HERE = Path(__file__).parent
HOME = "home"  # names the first page inside; browsers find it at /

st.set_page_config(page_title="Customer Genome", page_icon=str(HERE / "static" / "icon.png"), layout="wide")
st.logo(str(HERE / "static" / "logo.png"), icon_image=str(HERE / "static" / "icon.png"), size="large")
home = st.Page("overview.py", title="Overview", url_path=HOME, default=True)
by_name = st.Page(lambda: st.switch_page(home), title="Overview", url_path="overview", visibility="hidden")
pages = {
    "": [home, by_name],
    "Customers": [
        st.Page("customers.py", title="Customers", url_path="customers"),
        st.Page("customer.py", title="Customer", url_path="customer", visibility="hidden"),
        st.Page("segments.py", title="Segments", url_path="segments"),
        st.Page("predict.py", title="Predict", url_path="predict"),
    ],
    "Actions": [
        st.Page("targets.py", title="Value at risk", url_path="targets"),
        st.Page("recommendations.py", title="Recommendations", url_path="recommendations"),
    ],
    "Proof": [
        st.Page("value.py", title="Value", url_path="value"),
        st.Page("quality.py", title="Model quality", url_path="quality"),
        st.Page("changes.py", title="Changes", url_path="changes"),
    ],
    "Data": [
        st.Page("data.py", title="Data", url_path="data"),
        st.Page("about.py", title="About", url_path="about"),
    ],
}
page = st.navigation(pages, position="top" if is_inside(workspace_root()) else "hidden")
give_colours()
st.html(HERE / "static" / "pages.css")
role_of_visitor()
came_in = page.url_path == home.url_path and sign_in_of(workspace_root()) is not None
if came_in and (wanted := way_wanted()) is not None:  # a link was followed, and signing in led here
    for one in (one for group in pages.values() for one in group if one.url_path == wanted[0] and one is not by_name):
        st.switch_page(one, query_params=dict(wanted[1]))
if page.url_path == by_name.url_path:  # the first page keeps one address, whatever it was called by
    st.switch_page(home, query_params={name: st.query_params.get_all(name) for name in st.query_params})
has_version = (workspace_root() / "published" / "CURRENT").exists()
try:
    if has_version:
        choose(visit())
        offer_newer_version()
    say_who_looks(workspace_root())
    if not has_version and page.url_path not in ("predict", "data"):  # a model of profiles and an upload need no version
        visit()
    page.run()
except GenomeError as err:
    st.error(plain(err))
