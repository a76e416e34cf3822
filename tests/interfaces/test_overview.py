"""Figures of report and dashboard: they add up to what was published, under every filter, and stay small however many customers there are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pytest

from customer_genome import Genome, run, simulate
from customer_genome.interfaces.views import overview, trends


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory):
    """A simulated shop, published."""
    workspace = tmp_path_factory.mktemp("overview")
    run(simulate(n_lines=6_000, seed=11).order_lines().read_all(), workspace)
    with Genome.open(workspace) as opened:
        yield opened


class Big:
    """Customers with three orders or more, grouped by RFM segment."""

    segment_sql = "rfm_segment"

    def where(self) -> tuple[str, list[int]]:
        """The filter and its parameter."""
        return "n_orders >= ?", [3]


class Nobody(Big):
    """A filter that no customer passes."""

    def where(self) -> tuple[str, list[int]]:
        """The filter and its parameter."""
        return "n_orders < ?", [0]


@pytest.mark.parametrize("choice", [overview.EVERYBODY, Big()], ids=["everybody", "some"])
def test_every_table_adds_up_to_the_same_customers_and_money(genome, choice):
    where, parameters = choice.where()
    published = genome.query(f"select * from customers where {where}", parameters)
    customers, revenue = published.num_rows, sum(published.column("total_spend").to_pylist())
    assert 0 < customers <= genome.manifest["customers"]
    totals = overview.totals(genome, choice)
    assert totals["customers"] == customers and totals["revenue"] == pytest.approx(revenue)
    assert totals["orders"] == sum(published.column("n_orders").to_pylist())
    asked = (
        overview.segments,
        overview.order_counts,
        overview.countries,
        overview.recency_frequency,
        overview.spend_value,
        overview.value_at_risk,
    )
    for ask in asked:
        assert sum(ask(genome, choice).column("customers").to_pylist()) == customers, ask.__name__
    for ask in (
        overview.over_time,
        overview.segments,
        overview.order_counts,
        overview.countries,
        overview.categories,
        overview.spend_value,
    ):
        assert sum(ask(genome, choice).column("revenue").to_pylist()) == pytest.approx(revenue), ask.__name__
    at_risk = sum(published.column("expected_value_loss").to_pylist())
    for ask in (overview.segments, overview.value_at_risk, overview.recency_frequency):
        assert sum(ask(genome, choice).column("value_at_risk").to_pylist()) == pytest.approx(at_risk), ask.__name__


def test_shares_add_up_to_one(genome):
    for table, column in (
        (overview.segments(genome), "customer_share"), (overview.segments(genome), "revenue_share"), (overview.segments(genome), "clv_share"),
        (overview.order_counts(genome), "customer_share"), (overview.countries(genome), "revenue_share"),
        (overview.categories(genome), "revenue_share"), (overview.ledger(genome), "row_share"),
    ):  # fmt: skip
        assert sum(table.column(column).to_pylist()) == pytest.approx(1), column


def test_a_filter_nobody_passes_gives_empty_tables(genome):
    nobody = Nobody()
    totals = overview.totals(genome, nobody)
    assert totals["customers"] == 0 and totals["revenue"] == 0 and totals["mean_spend"] is None
    for ask in (
        overview.segments,
        overview.order_counts,
        overview.concentration,
        overview.recency_frequency,
        overview.spend_value,
        overview.countries,
    ):
        assert ask(genome, nobody).num_rows == 0, ask.__name__
    assert sum(overview.over_time(genome, nobody).column("revenue").to_pylist()) == 0
    assert overview.act_now(genome, nobody) == [] and overview.actions(genome, nobody) == []


def test_nothing_grows_with_the_customers(genome):
    assert overview.recency_frequency(genome).num_rows <= overview.MOST_RECENCY_BINS * len(overview.COUNT_CLASSES)
    assert overview.spend_value(genome).num_rows <= 17 * 17
    assert overview.concentration(genome).num_rows <= 101
    assert overview.countries(genome, most=2).num_rows <= 3
    assert len(overview.act_now(genome, most=4)) <= 4


def test_the_curve_of_concentration_starts_at_none_and_ends_at_all(genome):
    rows = overview.concentration(genome).to_pylist()
    assert rows[0] == {"customer_share": 0, "revenue_share": 0} and rows[-1]["customer_share"] == 1
    assert rows[-1]["revenue_share"] == pytest.approx(1)
    steps = [later["revenue_share"] - sooner["revenue_share"] for sooner, later in pairwise(rows)]
    assert all(step >= -1e-12 for step in steps) and rows[10]["revenue_share"] >= rows[10]["customer_share"]


def test_cells_hold_exactly_the_customers_they_name(genome):
    for cell in overview.recency_frequency(genome).to_pylist():
        first, last, _ = overview.COUNT_CLASSES[cell["place"]]
        found = genome.query(
            "select count(*) as n from customers where recency_days > ? and recency_days <= ? and n_orders >= ? and n_orders <= ?",
            [cell["recency_from"], cell["recency_to"], first, last or 10**9],
        )
        assert found.column("n")[0].as_py() == cell["customers"]


def shop(*orders: tuple[str, str, float]) -> pa.Table:
    """Order lines of (customer, day, money)."""
    return pa.table(
        {
            "customer": [customer for customer, _, _ in orders],
            "date": pa.array([dt.datetime.fromisoformat(day) for _, day, _ in orders], pa.timestamp("us")),
            "amount": [amount for _, _, amount in orders],
        }
    )


@pytest.mark.parametrize(
    ("first", "last", "period", "complete"),
    [
        ("2024-01-01", "2024-12-31", "month", [True] * 12),
        ("2024-01-05", "2024-08-10", "month", [False, *[True] * 6, False]),
        ("2024-01-01", "2024-02-18", "week", [True] * 7),
        ("2024-01-03", "2024-01-05", "day", [True] * 3),
        ("2024-01-03", "2024-01-03", "day", [True]),
    ],
)
def test_periods_fit_the_history_and_know_whether_they_are_whole(tmp_path, first, last, period, complete):
    run(shop(("a", first, 5.0), ("b", last, 7.0)), tmp_path)
    with Genome.open(tmp_path) as genome:
        rows = overview.over_time(genome).to_pylist()
    assert {row["period"] for row in rows} == {period}
    assert [row["is_complete"] for row in rows] == complete
    assert all(later["starts_on"] == sooner["ends_on"] for sooner, later in pairwise(rows))
    assert sum(row["days_known"] for row in rows) == (dt.date.fromisoformat(last) - dt.date.fromisoformat(first)).days + 1
    assert sum(row["new_customers"] for row in rows) == 2 and sum(row["revenue"] for row in rows) == 12


def returns_shop() -> pa.Table:
    """One customer who gives everything back, one who keeps everything; both buy twice."""
    rows = []
    for customer in ("keeps", "gives-back"):
        for number, day in enumerate(("2024-01-05", "2024-06-05")):
            rows.append((customer, f"{customer}{number}", day, 10, 50.0))
    rows.append(("gives-back", "C1", "2024-06-07", -20, 50.0))
    rows += [(f"other{place}", f"o{place}", "2024-07-01", 1, 9.0) for place in range(5)]
    names = ("CustomerID", "InvoiceNo", "InvoiceDate", "Quantity", "UnitPrice")
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    columns["InvoiceDate"] = [dt.datetime.fromisoformat(day) for day in columns["InvoiceDate"]]
    return pa.table(columns | {"StockCode": ["P"] * len(rows)})


def test_who_gave_everything_back_is_not_acted_on_first(tmp_path):
    run(returns_shop(), tmp_path)
    with Genome.open(tmp_path) as genome:
        ids = [row["customer_id"] for row in overview.act_now(genome)]
        assert "gives-back" not in ids and "keeps" in ids
        assert overview.given_back(genome) == 1


@dataclass(frozen=True)
class Days:
    """Customers with some orders or more, and the days to look at."""

    least: int = 0
    since: dt.date | None = None
    until: dt.date | None = None

    segment_sql = "segment_name"

    def where(self) -> tuple[str, list[int]]:
        """The filter and its parameter."""
        return ("n_orders >= ?", [self.least]) if self.least else ("true", [])


def days_of(genome: Genome, first_share: float, last_share: float, least: int = 0) -> Days:
    """A part of the history, by shares of its length."""
    known = trends.history(genome)
    return Days(
        least,
        known.first + dt.timedelta(days=int(first_share * known.days)),
        known.first + dt.timedelta(days=int(last_share * known.days)),
    )


def counted(genome: Genome, choice: Days, first: dt.date, end: dt.date) -> dict[str, float]:
    """What happened from a day to before another, counted the plain way."""
    row = genome.query(
        "select coalesce(sum(revenue), 0)::double as revenue, count(*) as orders, count(distinct customer_id) as customers from orders "
        "where ordered_on >= ? and ordered_on < ? and customer_id in (select customer_id from customers where n_orders >= ?)",
        [first, end, choice.least],
    ).to_pylist()[0]
    new = genome.query(
        "select count(*) as n from customers where first_order_on >= ? and first_order_on < ? and n_orders >= ?",
        [first, end, choice.least],
    )
    return row | {"new_customers": new.column("n")[0].as_py()}


@pytest.mark.parametrize("bits", [60, 5])
@pytest.mark.parametrize(("first", "last", "least"), [(0, 1, 0), (0.1, 0.95, 3), (0.55, 0.75, 0), (0.9, 0.93, 2)])
def test_every_period_of_the_days_wanted_equals_plain_sql(genome, monkeypatch, bits, first, last, least):
    monkeypatch.setattr(trends, "_BITS", bits)
    choice = days_of(genome, first, last, least)
    rows = trends.over_time(genome, choice).to_pylist()
    assert rows and sum(row["days_known"] for row in rows) == (choice.until - choice.since).days
    for row in rows:
        start, end = max(row["starts_on"], choice.since), min(row["ends_on"], choice.until)
        expected = counted(genome, choice, start, end)
        assert {name: row[name] for name in expected} == pytest.approx(expected)
        assert row["is_complete"] == ((start, end) == (row["starts_on"], row["ends_on"]))


@pytest.mark.parametrize(("first", "last", "least"), [(None, None, 0), (None, None, 4), (0.6, 0.8, 2), (0, 0.5, 0)])
def test_the_last_days_and_those_they_are_held_against_equal_plain_sql(genome, first, last, least):
    choice = Days(least) if first is None else days_of(genome, first, last, least)
    found, known = trends.recent(genome, choice), trends.history(genome)
    assert found["days"] == (90 if first is None else (choice.until - choice.since).days)
    end = choice.until or known.end
    start = end - dt.timedelta(days=found["days"])
    for name, back in (("now", 0), ("before", found["days"]), ("year_ago", 364)):
        begins, ends = (moment - dt.timedelta(days=back) for moment in (start, end))
        if begins < known.first:
            assert found[name] is None
            continue
        assert (found[name]["first_on"], found[name]["last_on"]) == (begins, ends - dt.timedelta(days=1))
        expected = counted(genome, choice, begins, ends)
        assert {key: found[name][key] for key in expected} == pytest.approx(expected)


def test_the_state_at_the_end_of_all_periods_is_the_total(genome):
    everybody, last = overview.totals(genome), trends.running(trends.over_time(genome, Days()).to_pylist())[-1]
    for name in ("customers", "revenue", "orders", "mean_spend", "mean_orders"):
        assert last[name] == pytest.approx(everybody[name]), name


def test_days_without_orders_and_a_short_history_give_nothing_to_hold_against(genome):
    known = trends.history(genome)
    beyond = Days(0, known.end + dt.timedelta(days=30), None)
    assert trends.over_time(genome, beyond).num_rows == 0 and trends.recent(genome, beyond)["now"] is None
    nobody = trends.recent(genome, Days(10**9))
    assert nobody["now"]["revenue"] == 0 and nobody["now"]["customers"] == 0
