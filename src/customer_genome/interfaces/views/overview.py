"""The figures that both report and dashboard show, asked of a published version and already small enough to draw.

Comes in: an open `Genome` and which customers are meant. Goes out: Arrow tables of bounded size (at most some hundred
rows, however many customers there are) and plain records. All adding up happens in SQL; nothing here trains, writes or
words a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from customer_genome.genome import Genome
from customer_genome.interfaces.views import trends

COUNT_CLASSES: Sequence[tuple[int, int | None, str]] = (
    (1, 1, "1"),
    (2, 2, "2"),
    (3, 3, "3"),
    (4, 5, "4–5"),
    (6, 10, "6–10"),
    (11, 20, "11–20"),
    (21, 50, "21–50"),
    (51, 100, "51–100"),
    (101, None, "over 100"),
)
"""How numbers of orders are grouped: first, last, label."""
RECENCY_STEPS = (1, 7, 14, 30, 60, 90, 180, 365)
MOST_RECENCY_BINS = 14
MONEY_BINS_PER_DECADE = 3
MONEY_DECADES = 5
WORTH_REACHING = "not is_suppressed and clv_band in ('Medium', 'High')"
MOST_RETURNED = 0.4
"""Returned money over bought and returned money from which value is not worth acting on; all came back at one half."""


class Choice(Protocol):
    """Which customers are meant and how they are grouped; the dashboard's filters are one."""

    @property
    def segment_sql(self) -> str:
        """The SQL expression that names a customer's segment."""

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition on the table `customers` and its parameters, in order."""


class _Everybody:
    """Every customer, by named segment."""

    segment_sql = "segment_name"

    def where(self) -> tuple[str, list[Any]]:
        """Return a condition that always holds."""
        return "true", []


EVERYBODY: Choice = _Everybody()


def totals(genome: Genome, choice: Choice = EVERYBODY) -> dict[str, Any]:
    """Return the sums and means over the chosen customers.

    Returns
    -------
    dict
        customers, orders, revenue (money so far), mean_spend, mean_orders (per customer), mean_order_value, n_segments,
        one_order_share (0..1), clv, mean_clv (money over 180 days), value_at_risk (money), predicted_orders and
        predicted_spend (over the horizon), expected_active (customers expected to order within the horizon),
        first_order_on, last_order_on, n_countries. Sums over no customer are 0, means None.
    """
    where, parameters = choice.where()
    sql = f"""
        select
            count(*) as customers, coalesce(sum(n_orders), 0)::double as orders, coalesce(sum(total_spend), 0)::double as revenue,
            avg(total_spend) as mean_spend, avg(n_orders) as mean_orders, sum(total_spend) / nullif(sum(n_orders), 0) as mean_order_value,
            count(distinct {choice.segment_sql}) as n_segments, avg((n_orders = 1)::int) as one_order_share,
            coalesce(sum(clv_180d), 0)::double as clv, avg(clv_180d) as mean_clv,
            coalesce(sum(expected_value_loss), 0)::double as value_at_risk,
            coalesce(sum(predicted_orders), 0)::double as predicted_orders, coalesce(sum(predicted_spend), 0)::double as predicted_spend,
            coalesce(sum(1 - churn_probability), 0)::double as expected_active,
            min(first_order_on) as first_order_on, max(last_order_on) as last_order_on, count(distinct nullif(primary_country, 'Unknown')) as n_countries
        from customers where {where}"""
    row: dict[str, Any] = genome.query(sql, parameters).to_pylist()[0]
    return row


def over_time(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return revenue, orders and active customers per month, week or day; see `trends.over_time`."""
    return trends.over_time(genome, choice)


def segments(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return what each segment is, has brought and is expected to bring, the most revenue first.

    Returns
    -------
    Arrow table, one row per segment
        segment, customers, customer_share, revenue, revenue_share, mean_spend, mean_orders, median_recency_days,
        churn_probability (mean), clv (sum over 180 days), mean_clv, median_clv, clv_share, value_at_risk.
    """
    where, parameters = choice.where()
    sql = f"""
        select
            cast({choice.segment_sql} as varchar) as segment, count(*) as customers, count(*) / sum(count(*)) over () as customer_share,
            sum(total_spend) as revenue, sum(total_spend) / nullif(sum(sum(total_spend)) over (), 0) as revenue_share,
            avg(total_spend) as mean_spend, avg(n_orders) as mean_orders, median(recency_days) as median_recency_days,
            avg(churn_probability) as churn_probability, sum(clv_180d) as clv, avg(clv_180d) as mean_clv, median(clv_180d) as median_clv,
            sum(clv_180d) / nullif(sum(sum(clv_180d)) over (), 0) as clv_share, sum(expected_value_loss) as value_at_risk
        from customers where {where} group by 1 order by revenue desc, segment"""
    return genome.query(sql, parameters)


def value_at_risk(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return customers and money per cell of value band x risk band (Low, Medium, High): clv_band, churn_band, customers, clv, value_at_risk."""
    where, parameters = choice.where()
    sql = f"""
        select
            clv_band, churn_band, count(*) as customers, sum(clv_180d) as clv, sum(expected_value_loss) as value_at_risk
        from customers where {where} group by all order by clv_band, churn_band"""
    return genome.query(sql, parameters)


def order_counts(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return how many customers ordered how often: place, orders (label of the class), customers, customer_share, revenue, revenue_share."""
    where, parameters = choice.where()
    sql = f"""
        with classed as (select {_count_class("n_orders")} as place, total_spend from customers where {where})
        select
            place, {_count_label("place")} as orders, count(*) as customers, count(*) / sum(count(*)) over () as customer_share,
            sum(total_spend) as revenue, sum(total_spend) / nullif(sum(sum(total_spend)) over (), 0) as revenue_share
        from classed group by place order by place"""
    return genome.query(sql, parameters)


def concentration(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return the Lorenz curve from the largest customer down, at most 101 points: customer_share and revenue_share, both 0..1."""
    where, parameters = choice.where()
    sql = f"""
        with ranked as (
            select row_number() over (order by total_spend desc) as place, count(*) over () as n, total_spend from customers where {where}
        ),
        steps as (
            select max(place) / max(n) as customer_share, coalesce(sum(total_spend), 0) as spend
            from ranked group by cast(ceil(100.0 * place / n) as int)
        ),
        points as (
            select
                customer_share,
                sum(spend) over (order by customer_share rows unbounded preceding) / nullif(sum(spend) over (), 0) as revenue_share
            from steps
            union all select 0.0, 0.0 where exists (select 1 from steps where spend > 0)
        )
        select customer_share::double as customer_share, least(revenue_share, 1)::double as revenue_share
        from points where revenue_share is not null order by customer_share"""
    return genome.query(sql, parameters)


def recency_frequency(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return customers by days since the last order and number of orders.

    Returns
    -------
    Arrow table, one row per filled cell, at most 14 x 9
        recency_from, recency_to (days, from exclusive to inclusive of the upper), place, orders (label), customers, revenue,
        value_at_risk.
    """
    where, parameters = choice.where()
    longest = (
        genome.query(f"select coalesce(max(recency_days), 1) as days from customers where {where}", parameters)
        .column("days")[0]
        .as_py()
    )
    step = next((days for days in RECENCY_STEPS if longest <= days * MOST_RECENCY_BINS), -(-longest // MOST_RECENCY_BINS))
    sql = f"""
        with classed as (
            select (greatest(recency_days, 1) - 1) // {step} as bin, {_count_class("n_orders")} as place, total_spend, expected_value_loss
            from customers where {where}
        )
        select
            cast(bin * {step} as bigint) as recency_from, cast((bin + 1) * {step} as bigint) as recency_to, place,
            {_count_label("place")} as orders, count(*) as customers, sum(total_spend) as revenue, sum(expected_value_loss) as value_at_risk
        from classed group by bin, place order by bin, place"""
    return genome.query(sql, parameters)


def spend_value(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return customers by money so far and expected value, both in steps of a third of a power of ten.

    Returns
    -------
    Arrow table, one row per filled cell, at most 16 x 16
        spend_from, spend_to, clv_from, clv_to (money), customers, n_as_much_again (of them, worth at least what they spent so far),
        revenue, clv. The lowest step also holds everything below it.
    """
    where, parameters = choice.where()
    sql = f"""
        with sizes as (select greatest(max(total_spend), 1) as spend, greatest(max(clv_180d), 1) as clv from customers where {where}),
        classed as (
            select {_money_class("c.total_spend", "s.spend")} as x, {_money_class("c.clv_180d", "s.clv")} as y, total_spend, clv_180d
            from customers as c cross join sizes as s where {where}
        )
        select
            {_money_edge("x")} as spend_from, {_money_edge("x + 1")} as spend_to, {_money_edge("y")} as clv_from, {_money_edge("y + 1")} as clv_to,
            count(*) as customers, count(case when clv_180d >= total_spend then 1 end) as n_as_much_again,
            sum(total_spend) as revenue, sum(clv_180d) as clv
        from classed where x is not null and y is not null group by x, y order by x, y"""
    return genome.query(sql, [*parameters, *parameters])


def countries(genome: Genome, choice: Choice = EVERYBODY, most: int = 10) -> pa.Table:
    """Return revenue by the customers' main country, the largest `most` and one row for the others.

    Returns
    -------
    Arrow table, largest first, the others last
        country, is_rest, n_countries (1, or how many the rest holds), customers, revenue, revenue_share.
    """
    where, parameters = choice.where()
    sql = f"""
        with per_country as (
            select primary_country as country, count(*) as customers, sum(total_spend) as revenue from customers where {where} group by 1
        ),
        placed as (select *, row_number() over (order by revenue desc, country) > {int(most)} as is_rest from per_country)
        select
            case when is_rest then 'Other countries' else country end as country, is_rest, count(*) as n_countries,
            sum(customers)::bigint as customers, sum(revenue) as revenue, sum(revenue) / nullif(sum(sum(revenue)) over (), 0) as revenue_share
        from placed group by 1, is_rest order by is_rest, revenue desc, 1"""
    return genome.query(sql, parameters)


def categories(genome: Genome, choice: Choice = EVERYBODY) -> pa.Table:
    """Return revenue per product category, largest first: category, revenue, revenue_share; no row where the data have none."""
    shares = genome.manifest.get("category_shares", [])
    where, parameters = choice.where()
    if not shares:
        return pa.table(
            {
                "category": pa.array([], pa.string()),
                "revenue": pa.array([], pa.float64()),
                "revenue_share": pa.array([], pa.float64()),
            }
        )
    sums = ", ".join(f'coalesce(sum("{item["column"]}" * total_spend), 0)::double as "{item["column"]}"' for item in shares)
    row = genome.query(f"select {sums} from customers where {where}", parameters).to_pylist()[0]
    total = sum(row.values())
    pairs = sorted(((item["category"], row[item["column"]]) for item in shares), key=lambda pair: (-pair[1], pair[0]))
    return pa.table(
        {
            "category": pa.array([name for name, _ in pairs], pa.string()),
            "revenue": pa.array([revenue for _, revenue in pairs], pa.float64()),
            "revenue_share": pa.array([revenue / total if total else None for _, revenue in pairs], pa.float64()),
        }
    )


def products(genome: Genome, most: int = 15) -> list[dict[str, Any]]:
    """Return the products that brought most revenue: product_id, description, revenue, revenue_share (of all revenue), n_lines, customers."""
    found: list[dict[str, Any]] = genome.query(
        "select product_id, description, revenue, revenue / nullif((select sum(total_spend) from customers), 0) as revenue_share, n_lines, customers "
        f"from products order by revenue desc, product_id limit {int(most)}"
    ).to_pylist()
    return found


_NO_GOODS = re.compile(
    r"\b(postage|post|manual|carriage|shipping|delivery|freight|bank charges|fees?|commission|adjust\w*|samples|bad debt)\b",
    re.IGNORECASE,
)


def look_like_no_goods(products: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names among products that read like postage, fees or manual entries.

    Examples
    --------
    >>> look_like_no_goods(
    ...     [{"description": "POSTAGE", "product_id": "POST"}, {"description": "POSTAGE STAMP TIN", "product_id": "7"}]
    ... )
    ['POSTAGE']
    """
    names = [str(row["description"] or row["product_id"]) for row in products]
    return [name for name in names if len(name.split()) <= 2 and _NO_GOODS.search(name)]


def ledger(genome: Genome) -> pa.Table:
    """Return where every input row went, most rows first: row_class, n_rows, row_share, revenue (signed money)."""
    return genome.query(
        "select row_class, n_rows::bigint as n_rows, n_rows / sum(n_rows) over () as row_share, revenue::double as revenue "
        "from ledger order by n_rows desc, row_class"
    )


def act_now(genome: Genome, choice: Choice = EVERYBODY, most: int = 10) -> list[dict[str, Any]]:
    """Return the customers with most value at risk.

    Left out are those who must not be contacted and, where returned purchases still count (policy `drop`), those who gave
    most of them back: what they are expected to spend rests on money that is gone.
    """
    where, parameters = choice.where()
    found: list[dict[str, Any]] = genome.query(
        "select customer_id, segment_name, playbook, recommended_action, last_order_on, recency_days, n_orders, total_spend, clv_180d, clv_lower, "
        f"clv_upper, churn_probability, expected_value_loss, returned_value, return_share from customers where not is_suppressed and {_not_given_back(genome)} and {where} "
        f"order by expected_value_loss desc, customer_id limit {int(most)}",
        parameters,
    ).to_pylist()
    return found


def given_back(genome: Genome, choice: Choice = EVERYBODY) -> int:
    """Return how many customers `act_now` leaves out because they gave back most of what they bought."""
    where, parameters = choice.where()
    rows = genome.query(
        f"select count(*) as n from customers where not ({_not_given_back(genome)}) and not is_suppressed and {where}", parameters
    )
    return int(rows.column("n")[0].as_py())


def actions(genome: Genome, choice: Choice = EVERYBODY) -> list[dict[str, Any]]:
    """Return the playbooks with most value at risk among customers worth reaching: playbook, customers, revenue, clv, value_at_risk.

    Worth reaching: a message may reach them and their expected value is above that of the lower half.
    """
    where, parameters = choice.where()
    found: list[dict[str, Any]] = genome.query(
        "select playbook, count(*) as customers, sum(total_spend) as revenue, sum(clv_180d) as clv, "
        f"sum(expected_value_loss) as value_at_risk from customers where {where} and {WORTH_REACHING} and playbook is not null "
        "group by 1 having sum(expected_value_loss) > 0 order by value_at_risk desc, playbook",
        parameters,
    ).to_pylist()
    return found


def order_days(genome: Genome, customer_id: str) -> pa.Table:
    """Return a customer's purchase days, oldest first: ordered_on, orders, revenue, n_lines."""
    return genome.query(
        "select ordered_on, count(*) as orders, sum(revenue) as revenue, sum(n_lines)::bigint as n_lines from orders "
        "where customer_id = ? group by 1 order by 1",
        [customer_id],
    )


def _not_given_back(genome: Genome) -> str:
    """Return SQL that holds for customers whose purchases stand."""
    return f"coalesce(return_share, 0) < {MOST_RETURNED}" if genome.manifest["refunds"].get("policy") == "drop" else "true"


def _count_class(column: str) -> str:
    """Return SQL for the place of a count in COUNT_CLASSES."""
    cases = " ".join(
        f"when {column} <= {last} then {place}" for place, (_, last, _) in enumerate(COUNT_CLASSES) if last is not None
    )
    return f"case {cases} else {len(COUNT_CLASSES) - 1} end"


def _count_label(place: str) -> str:
    """Return SQL for the label of a place in COUNT_CLASSES."""
    cases = " ".join(f"when {number} then '{label}'" for number, (_, _, label) in enumerate(COUNT_CLASSES))
    return f"case {place} {cases} end"


def _money_class(column: str, largest: str) -> str:
    """Return SQL for the step of a sum of money; at most MONEY_DECADES below the largest."""
    floor = f"{largest} / 1e{MONEY_DECADES}"
    return f"cast(floor({MONEY_BINS_PER_DECADE} * log10(greatest({column}, {floor})) + 1e-9) as int)"


def _money_edge(step: str) -> str:
    """Return SQL for the lower edge of a step."""
    return f"pow(10.0, ({step}) / {MONEY_BINS_PER_DECADE}.0)"
