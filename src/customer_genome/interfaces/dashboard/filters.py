"""Which customers a page speaks about: the filters in the side bar, kept in the address, and the SQL they mean.

Comes in: what the visitor chose. Goes out: a `Selection`, a plain value that pages hand to their queries. Values only ever
travel as parameters; column names come from the fixed list below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.figures import count

SEGMENT_METHODS: Mapping[str, str] = {
    "Behaviour": "segment_name",
    "RFM": "rfm_segment",
    "KMeans": "'Cluster ' || cluster_kmeans",
    "Hierarchical": "'Cluster ' || cluster_hierarchical",
    "Gaussian mixture": "'Cluster ' || cluster_gmm",
}
"""What a grouping is called (also in the address) -> the SQL that names a customer's segment."""

BY_BEHAVIOUR = "Behaviour"
_SELECTION = "selection"


@dataclass(frozen=True)
class Selection:
    """The customers a page speaks about; everybody by default."""

    method: str = BY_BEHAVIOUR
    segments: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    min_orders: int = 0
    min_clv: float = 0.0

    @property
    def segment_sql(self) -> str:
        """The SQL expression that names a customer's segment."""
        return SEGMENT_METHODS[self.method]

    @property
    def is_everybody(self) -> bool:
        """Whether no filter is set."""
        return not (self.segments or self.countries or self.min_orders > 1 or self.min_clv > 0)

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition on the table `customers` and its parameters, in order."""
        clauses: list[str] = ["true"]
        parameters: list[Any] = []
        if self.segments:
            clauses.append(f"list_contains(cast(? as varchar[]), {self.segment_sql})")
            parameters.append(list(self.segments))
        if self.countries:
            clauses.append("list_contains(cast(? as varchar[]), primary_country)")
            parameters.append(list(self.countries))
        if self.min_orders > 1:
            clauses.append("n_orders >= ?")
            parameters.append(self.min_orders)
        if self.min_clv > 0:
            clauses.append("clv_180d >= ?")
            parameters.append(self.min_clv)
        return " and ".join(clauses), parameters

    def in_words(self, money: Any) -> str:
        """Return what is chosen as one line, or an empty text for everybody."""
        parts = []
        if self.segments:
            parts.append(" or ".join(self.segments))
        if self.countries:
            parts.append(" or ".join(self.countries))
        if self.min_orders > 1:
            parts.append(f"{count(self.min_orders)} orders or more")
        if self.min_clv > 0:
            parts.append(f"value of {money(self.min_clv)} or more")
        return " · ".join(parts)


@st.cache_data(max_entries=20, show_spinner=False)
def _choices(_visit: Visit, key: str, method: str) -> tuple[list[str], list[str], list[str]]:
    """Return the segment methods, the segments and the countries of a version, the largest first."""
    genome = _visit.genome
    columns = set(genome.query("select * from customers limit 0").column_names)
    methods = [name for name, sql in SEGMENT_METHODS.items() if sql.rpartition(" ")[2] in columns]
    chosen = SEGMENT_METHODS[method]
    segments = (
        genome.query(f"select {chosen} as name from customers group by 1 order by sum(total_spend) desc, 1")
        .column("name")
        .to_pylist()
    )
    countries = (
        genome.query("select primary_country as name from customers group by 1 order by count(*) desc, 1")
        .column("name")
        .to_pylist()
    )
    return methods, [name for name in segments if name is not None], countries


def chosen() -> Selection:
    """Return what the side bar says."""
    selection: Selection = st.session_state.get(_SELECTION, Selection())
    return selection


def choose(visit: Visit) -> None:
    """Show the filters in the side bar; every choice lives in the address, and pages ask for it with `chosen`."""
    methods = _choices(visit, visit.key, BY_BEHAVIOUR)[0]
    with st.sidebar:
        st.markdown("**Customers shown**")
        method = BY_BEHAVIOUR
        if len(methods) > 1:
            method = st.selectbox(
                "Segments by",
                methods,
                key="method",
                bind="query-params",
                help="How customers are grouped wherever segments are shown: named by what they do, by recency, frequency and money (RFM), "
                "or by cluster number.",
            )
        _, segments, countries = _choices(visit, visit.key, method)
        wanted = st.multiselect("Segment", segments, placeholder="All segments", key="segment", bind="query-params")
        places: list[str] = []
        if len(countries) > 1:
            places = st.multiselect(
                "Country",
                countries,
                placeholder="All countries",
                key="country",
                bind="query-params",
                help="The country a customer spends most in.",
            )
        orders = st.number_input("Orders, at least", 1, None, 1, key="min_orders", bind="query-params", help="Orders so far.")
        value = (
            0
            if not _knows_value(visit)
            else st.number_input(
                "Value over 180 days, at least",
                0,
                None,
                0,
                step=50,
                key="min_clv",
                bind="query-params",
                help=f"Expected customer lifetime value{f' in {visit.genome.currency}' if visit.genome.currency else ''}.",
            )
        )
        selection = Selection(method, tuple(wanted), tuple(places), int(orders), float(value))
        if not selection.is_everybody:
            st.button("Show all customers", key="clear", on_click=_clear)
    st.session_state[_SELECTION] = selection


def _knows_value(visit: Visit) -> bool:
    """Return whether value is known in size: not in a version made from totals whose risk was borrowed or is not known."""
    return visit.genome.level == "orders" or visit.manifest.get("risk_basis") in ("label", "champion")


def _clear() -> None:
    """Take every filter off."""
    st.session_state["segment"] = []
    st.session_state["country"] = []
    st.session_state["min_orders"] = 1
    st.session_state["min_clv"] = 0
