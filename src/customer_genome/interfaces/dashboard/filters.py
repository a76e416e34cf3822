"""Which customers a page speaks about: the filters in the side bar, kept in the address, and the SQL they mean.

Comes in: what the visitor chose. Goes out: a `Selection`, a plain value that pages hand to their queries. Values only ever
travel as parameters; column names come from the fixed list below.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import count, day

SEGMENT_METHODS: Mapping[str, str] = {
    "Behaviour": "segment_name",
    "RFM": "rfm_segment",
    "KMeans": "'Cluster ' || cluster_kmeans",
    "Hierarchical": "'Cluster ' || cluster_hierarchical",
    "Gaussian mixture": "'Cluster ' || cluster_gmm",
}
"""What a grouping is called (also in the address) -> the SQL that names a customer's segment."""

BY_BEHAVIOUR = "Behaviour"
ALL_TIME = "All time"
OWN_DATES = "Own dates"
PRESETS: Mapping[str, int] = {"Last 90 days": 90, "Last 180 days": 180, "Last 365 days": 365}
"""What a period is called (also in the address) -> its days before the cutoff."""
_SELECTION = "selection"
_ADDRESS = "address_looked_at"


@dataclass(frozen=True)
class Selection:
    """The customers a page speaks about, and the days its time charts show; everybody and all days by default.

    Attributes
    ----------
    since, until : date or None
        The period of time charts, `until` exclusive like the cutoff; None = from the first day, to the cutoff. Facts of customers
        (spend, value, risk) always are as of the cutoff, so the period never chooses customers.
    """

    method: str = BY_BEHAVIOUR
    segments: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    min_orders: int = 0
    min_clv: float = 0.0
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def segment_sql(self) -> str:
        """The SQL expression that names a customer's segment."""
        return SEGMENT_METHODS[self.method]

    @property
    def is_everybody(self) -> bool:
        """Whether no filter of customers is set; the period is none."""
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

    @property
    def of_customers(self) -> Selection:
        """The same customers at all times; ask with it what no period changes, and answers are kept once."""
        return replace(self, since=None, until=None)

    @property
    def has_period(self) -> bool:
        """Whether time charts show a part of the days only."""
        return self.since is not None or self.until is not None

    def period_in_words(self) -> str:
        """Return which days time charts show, both ends included, or an empty text for all.

        Examples
        --------
        >>> Selection(since=dt.date(2011, 3, 1), until=dt.date(2011, 6, 1)).period_in_words()
        '1 Mar 2011 to 31 May 2011'
        """
        last = None if self.until is None else day(self.until - dt.timedelta(days=1))
        if self.since is None:
            return "" if last is None else f"up to {last}"
        return f"from {day(self.since)}" if last is None else f"{day(self.since)} to {last}"

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
    asked = _asked_newly()  # read before widgets are drawn: they take out of the address what they do not know
    with st.sidebar:
        st.markdown("**Customers shown**")
        method = _ask_method(methods)
        _, segments, countries = _choices(visit, visit.key, method)
        faults = _faults(asked, visit, methods, segments, countries)
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
        since, until = _ask_period(visit)
        selection = Selection(method, tuple(wanted), tuple(places), int(orders), float(value), since, until)
        if not selection.is_everybody or selection.has_period:
            st.button("Clear all filters", key="clear", on_click=_clear)
    if faults:
        st.warning("Left out of the filters: " + "; ".join(plain(fault) for fault in faults) + ".")
    st.session_state[_SELECTION] = selection


def _ask_method(methods: list[str]) -> str:
    """Return how customers are grouped."""
    if len(methods) < 2:
        return BY_BEHAVIOUR
    return st.selectbox(
        "Segments by",
        methods,
        key="method",
        bind="query-params",
        help="How customers are grouped wherever segments are shown: named by what they do, by recency, frequency and money (RFM), "
        "or by cluster number.",
    )


def _days(visit: Visit) -> tuple[dt.date, dt.date] | None:
    """Return the first day with an order and the cutoff; None where customers come without dates."""
    if visit.genome.level != "orders":
        return None
    first = _first_day(visit, visit.key)
    as_of = dt.date.fromisoformat(visit.manifest["as_of"])
    return None if first is None or first >= as_of else (first, as_of)


@st.cache_data(max_entries=20, show_spinner=False)
def _first_day(_visit: Visit, key: str) -> dt.date | None:
    """Return the first day with an order of a version."""
    day_of: dt.date | None = (
        _visit.genome.query("select min(first_order_on) as first_day from customers").column("first_day")[0].as_py()
    )
    return day_of


def _ask_period(visit: Visit) -> tuple[dt.date | None, dt.date | None]:
    """Return the days that time charts show, the end exclusive; None where they show all."""
    days = _days(visit)
    if days is None:
        return None, None
    first, as_of = days
    offered = [ALL_TIME, *(name for name, length in PRESETS.items() if length < (as_of - first).days), OWN_DATES]
    st.markdown("**Time charts show**")
    period = st.selectbox(
        "Period",
        offered,
        key="period",
        bind="query-params",
        help=f"Changes charts over time only. Spend, segments, value and risk of customers stay as of {day(as_of)}.",
    )
    since: dt.date | None = None
    until: dt.date | None = None
    if period == OWN_DATES:
        last = as_of - dt.timedelta(days=1)
        from_day = st.date_input("From", first, first, last, key="since", bind="query-params", format="YYYY-MM-DD")
        to_day = st.date_input("To, included", last, first, last, key="until", bind="query-params", format="YYYY-MM-DD")
        if from_day > to_day:
            st.warning("From lies after To, so charts show all days. Choose an earlier first day.")
        else:
            since = from_day if from_day > first else None
            until = to_day + dt.timedelta(days=1) if to_day < last else None
    elif period in PRESETS:
        since = as_of - dt.timedelta(days=PRESETS[period])
    if period != ALL_TIME:
        st.markdown(aside(f"Customer facts stay as of {day(as_of)}."))
    return since, until


def _asked_newly() -> Mapping[str, list[str]]:
    """Return what the address asks for, by filter; nothing where that was looked at before."""
    names = ("method", "segment", "country", "min_orders", "min_clv", "period", "since", "until")
    asked = {name: [value for value in st.query_params.get_all(name) if value] for name in names}
    if st.session_state.get(_ADDRESS) == asked:
        return {}
    st.session_state[_ADDRESS] = asked
    return asked


def _faults(
    asked: Mapping[str, list[str]], visit: Visit, methods: list[str], segments: list[str], countries: list[str]
) -> list[str]:
    """Return what the address asks for and this version cannot give, in words.

    Without this, an address of another shop or an older version would silently show everybody.
    """
    days = _days(visit)
    periods = [] if days is None else [ALL_TIME, *PRESETS, OWN_DATES]
    known = {"grouping": ("method", methods), "segment": ("segment", segments), "country": ("country", countries)}
    found = [
        f"{word} “{value[:60]}”, which is not in this version"
        for word, (name, values) in (known | {"period": ("period", periods)}).items()
        for value in asked.get(name, [])
        if value not in values
    ]
    for name, word in (("min_orders", "orders"), ("min_clv", "value")):
        found += [
            f"{word} of at least “{value[:60]}”, which is no number from 0 up"
            for value in asked.get(name, [])
            if not _is_amount(value)
        ]
    for name, word in (("since", "first day"), ("until", "last day")):
        found += [
            f"{word} “{value[:60]}”, which is no day of these data"
            for value in asked.get(name, [])
            if not _is_day_of(value, days)
        ]
    return found


def _is_day_of(text: str, days: tuple[dt.date, dt.date] | None) -> bool:
    """Return whether a text of the address is a day between the first order and the cutoff."""
    try:
        return days is not None and days[0] <= dt.date.fromisoformat(text) < days[1]
    except ValueError:
        return False


def _is_amount(text: str) -> bool:
    """Return whether a text of the address is a number from 0 up, or nothing."""
    try:
        return not text or 0 <= float(text) < float("inf")
    except ValueError:
        return False


def _knows_value(visit: Visit) -> bool:
    """Return whether value is known in size: not in a version made from totals whose risk was borrowed or is not known."""
    return visit.genome.level == "orders" or visit.manifest.get("risk_basis") in ("label", "champion")


def _clear() -> None:
    """Take every filter off."""
    st.session_state["segment"] = []
    st.session_state["country"] = []
    st.session_state["min_orders"] = 1
    st.session_state["min_clv"] = 0
    st.session_state["period"] = ALL_TIME
