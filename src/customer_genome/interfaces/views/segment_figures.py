"""Segments of every method as report and dashboard show them: who they are, how they were found, how far they can be relied on.

Comes in: an open `Genome`. Goes out: small tables and sentences; nothing here draws or writes.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from customer_genome.genome import Genome
from customer_genome.interfaces.views import overview
from customer_genome.interfaces.views.figures import count, share
from customer_genome.interfaces.views.overview import Choice
from customer_genome.interfaces.views.standing import worded

METHOD_WORDS: Mapping[str, str] = {"kmeans": "KMeans", "hierarchical": "Ward's tree", "gmm": "Gaussian mixture"}
METHOD_MEANING: Mapping[str, str] = {
    "kmeans": "each customer belongs to the nearest of k centres",
    "hierarchical": "a tree that joins what is nearest, cut where k branches remain; it stands on up to 400 micro-clusters of customers, "
    "and each customer goes with the nearest one",
    "gmm": "each customer belongs to the likeliest of k normal distributions, which may be long, narrow or tilted",
}
CLUSTER_COLUMNS: Mapping[str, str] = {
    "kmeans": "cluster_kmeans",
    "hierarchical": "cluster_hierarchical",
    "gmm": "cluster_gmm",
}
FACT_WORDS: Mapping[str, str] = {
    "recency_days": "Days of silence",
    "n_orders": "Orders",
    "n_purchase_days": "Purchase days",
    "total_spend": "Spend",
    "mean_order_value": "Order value",
    "tenure_days": "Days known",
    "unique_products": "Products",
    "total_quantity": "Pieces",
    "discount_share": "Bought at a discount",
    "return_share": "Given back",
}
MOST_SAMPLES = 10
FOUR_OF_FIVE = 1.2816
"""Standard deviations on either side of the mean that hold 80 % of a normal distribution."""
QUANTILES: Mapping[str, float] = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}


def fact_words(fact: str) -> str:
    """Return what a fact is called on a chart."""
    return FACT_WORDS.get(fact, fact.replace("_", " ").capitalize())


def methods(genome: Genome) -> list[str]:
    """Return the methods whose segments a version has, the one that names its segments first; empty for old versions."""
    if "segment_profiles" not in genome.tables():
        return []
    rows = genome.query("select method, max(is_naming) as naming from segment_profiles group by method").to_pylist()
    return sorted(
        (row["method"] for row in rows), key=lambda method: (not _is_naming(rows, method), list(METHOD_WORDS).index(method))
    )


def _is_naming(rows: Sequence[Mapping[str, Any]], method: str) -> bool:
    """Return whether a method names the segments."""
    return any(row["naming"] for row in rows if row["method"] == method)


def profiles(genome: Genome, method: str) -> list[dict[str, Any]]:
    """Return the segments of a method, the most valuable first, each with a letter for charts."""
    rows = genome.query(
        "select * from segment_profiles where method = ? order by total_spend desc nulls last, cluster", [method]
    ).to_pylist()
    return [row | {"letter": letter} for row, letter in zip(rows, letters(len(rows)), strict=True)]


def letters(n: int) -> list[str]:
    """Return a letter for each of n segments; two letters from the 27th on."""
    found = [*string.ascii_uppercase, *(f"{one}{other}" for one in string.ascii_uppercase for other in string.ascii_uppercase)]
    return found[:n]


def effects(genome: Genome, method: str) -> pa.Table:
    """Return how far each segment of a method lies from all other customers: letter, segment_name, fact, effect, typical, elsewhere."""
    order = {row["cluster"]: (place, row["letter"]) for place, row in enumerate(profiles(genome, method))}
    rows = genome.query("select * from segment_effects where method = ?", [method]).to_pylist()
    facts = list(FACT_WORDS)
    rows.sort(key=lambda row: (order[row["cluster"]][0], facts.index(row["fact"]) if row["fact"] in facts else len(facts)))
    told = [row | {"letter": order[row["cluster"]][1], "words": worded(genome.level, fact_words(row["fact"]))} for row in rows]
    return pa.Table.from_pylist(told) if told else pa.table({"letter": pa.array([], pa.string())})


def tried(genome: Genome) -> pa.Table:
    """Return every number of clusters that was tried, by method; without rows where nothing was to be chosen."""
    return genome.query("select * from cluster_counts order by method, k")


def steadiness(genome: Genome) -> list[dict[str, Any]]:
    """Return how far each method's segments can be relied on to stay."""
    rows: list[dict[str, Any]] = genome.table("cluster_stability").to_pylist()
    return rows


def steady_sentence(row: Mapping[str, Any]) -> str:
    """Return in words how steady a method's segments are."""
    words = METHOD_WORDS[row["method"]]
    if row["stability"] is None:
        return f"{words}: one segment, so nothing can move."
    how = "nearly the same" if row["stability"] >= 0.8 else "much the same" if row["stability"] >= 0.6 else "rather different"
    sentence = f"{words}: found again in resampled customers, the segments are {how} (adjusted Rand index {row['stability']:.2f}, 1 = the same)."
    if row["kept_share"] is not None:
        sentence += f" Since the run before, the rules put {share(row['kept_share'])} of customers into the same segment."
    for numbers, what in ((row["new_clusters"], "New"), (row["gone_clusters"], "No longer there")):
        if numbers:
            sentence += f" {what}: number {numbers}."
    return sentence


@dataclass(frozen=True)
class ByCluster:
    """Customers grouped by the clusters of a method, filtered by another choice."""

    column: str
    condition: str = "true"
    parameters: tuple[Any, ...] = ()

    @classmethod
    def of(cls, method: str, choice: Choice | None = None) -> ByCluster:
        """Return the customers of a choice, by the clusters of a method."""
        condition, parameters = choice.where() if choice else ("true", [])
        return cls(CLUSTER_COLUMNS[method], condition, tuple(tuple(one) if isinstance(one, list) else one for one in parameters))

    @property
    def segment_sql(self) -> str:
        """The SQL expression of a customer's cluster."""
        return self.column

    def where(self) -> tuple[str, list[Any]]:
        """Return the condition on the table `customers` and its parameters."""
        return self.condition, [list(one) if isinstance(one, tuple) else one for one in self.parameters]


def _method_of(choice: Choice) -> str:
    """Return the method whose clusters group the customers of a choice."""
    return next(method for method, column in CLUSTER_COLUMNS.items() if column == choice.segment_sql)


def sizes(genome: Genome, choice: Choice) -> pa.Table:
    """Return `overview.segments` of a method's clusters under their names, with letters in front, and how far chance alone reaches.

    Returns
    -------
    Arrow table, one row per segment
        As `overview.segments`, with risk_lower, risk_upper (share of the segment that will not order) and mean_clv_lower,
        mean_clv_upper: 80 % ranges of what comes true if every customer's own figures are right and customers act apart. Null where
        customers have no ranges.
    """
    method = _method_of(choice)
    names = {str(row["cluster"]): f"{row['letter']} · {row['segment_name']}" for row in profiles(genome, method)}
    rows = overview.segments(genome, choice)
    reach = _reach(genome, choice)
    for name in ("risk_lower", "risk_upper", "mean_clv_lower", "mean_clv_upper"):
        found = [reach.get(str(cluster), {}).get(name) for cluster in rows.column("segment").to_pylist()]
        rows = rows.append_column(name, pa.array(found, pa.float64()))
    told = pa.array([names.get(str(name), "Unknown") for name in rows.column("segment").to_pylist()], pa.string())
    return rows.set_column(rows.schema.get_field_index("segment"), "segment", told)


def _reach(genome: Genome, choice: Choice) -> dict[str, dict[str, float | None]]:
    """Return how far chance alone moves risk and mean value of each segment."""
    where, parameters = choice.where()
    rows = genome.query(
        f"""
        with summed as (
            select
                cast({choice.segment_sql} as varchar) as segment, avg(churn_probability) as risk, avg(clv_180d) as clv,
                sqrt(sum(churn_probability * (1 - churn_probability))) / count(churn_probability) as risk_error,
                sqrt(sum(pow((clv_upper - clv_lower) / (2 * {FOUR_OF_FIVE}), 2))) / count(clv_upper) as clv_error
            from customers where {where} group by 1
        )
        select
            segment, greatest(risk - {FOUR_OF_FIVE} * risk_error, 0) as risk_lower, least(risk + {FOUR_OF_FIVE} * risk_error, 1) as risk_upper,
            greatest(clv - {FOUR_OF_FIVE} * clv_error, 0) as mean_clv_lower, clv + {FOUR_OF_FIVE} * clv_error as mean_clv_upper
        from summed""",
        parameters,
    ).to_pylist()
    return {row.pop("segment"): row for row in rows}


def spread(genome: Genome, choice: Choice) -> pa.Table:
    """Return how expected value is spread within each segment: segment (letter and name), customers, and quantiles p10 to p90 (money).

    Customers without a value are left out; the segment with the highest median comes first.
    """
    method = _method_of(choice)
    names = {str(row["cluster"]): f"{row['letter']} · {row['segment_name']}" for row in profiles(genome, method)}
    where, parameters = choice.where()
    rows = genome.query(
        f"""
        with placed as (
            select cast({choice.segment_sql} as varchar) as segment, count(*) as customers,
                quantile_cont(clv_180d, [{", ".join(str(part) for part in QUANTILES.values())}]) as q
            from customers where {where} and clv_180d is not null group by 1
        )
        select segment, customers, {", ".join(f"q[{place}]::double as {name}" for place, name in enumerate(QUANTILES, start=1))}
        from placed order by q[3] desc, segment""",
        parameters,
    )
    told = pa.array([names.get(str(name), "Unknown") for name in rows.column("segment").to_pylist()], pa.string())
    return rows.set_column(0, "segment", told)


def by_recency(genome: Genome, choice: Choice) -> pa.Table:
    """Return customers by days of silence and orders: x, x_to, y (both cell bounds), letter of the commonest segment, its share, customers.

    At most 14 x 9 cells.
    """
    classes = "case when n_orders <= 3 then n_orders when n_orders <= 5 then 4 when n_orders <= 10 then 6 when n_orders <= 20 then 11 when n_orders <= 50 then 21 else 51 end"
    where, parameters = choice.where()
    longest = genome.query(f"select coalesce(max(recency_days), 1) as n from customers where {where}", parameters)
    step = max(7, -(-int(longest.column("n")[0].as_py()) // 14))
    return _cells(
        genome,
        choice,
        f"floor((greatest(recency_days, 1) - 1) / {step}) * {step}",
        classes,
        "recency_days is not null and n_orders is not null",
        {"step": step},
    )


def by_value(genome: Genome, choice: Choice) -> pa.Table:
    """Return customers by money so far and expected value, both in steps 1, 2, 5, 10, 20, ...; at most some 20 x 20 cells.

    x and y count the steps from 1 up (0: from 1, 1: from 2, 2: from 5, 3: from 10); the lowest also holds everything below it.
    """
    x, y = (_money_step(f"greatest({column}, 1)") for column in ("total_spend", "clv_180d"))
    return _cells(genome, choice, x, y, "total_spend is not null and clv_180d is not null", {"step": 1})


def _money_step(amount: str) -> str:
    """Return SQL for the number of the step 1, 2, 5, 10, ... that an amount from 1 up has reached."""
    power = f"floor(log10({amount}) + 1e-12)"
    first = f"({amount} / pow(10, {power}))"
    return f"(3 * {power} + case when {first} >= 5 then 2 when {first} >= 2 then 1 else 0 end)"


def _cells(genome: Genome, choice: Choice, x: str, y: str, known: str, extra: Mapping[str, Any]) -> pa.Table:
    """Return one row per filled cell."""
    method = _method_of(choice)
    names = {row["cluster"]: row for row in profiles(genome, method)}
    where, parameters = choice.where()
    rows = genome.query(
        f"""
        with placed as (select {x} as x, {y} as y, {choice.segment_sql} as cluster from customers where {where} and {known}),
        counted as (select x, y, cluster, count(*) as n from placed group by all)
        select
            cast(x as double) as x, cast(y as double) as y, cast(sum(n) as bigint) as customers, max(n) as most,
            arg_max(cluster, n * 1000 - cluster) as cluster
        from counted group by x, y order by x, y""",
        parameters,
    ).to_pylist()
    told = [
        row
        | {
            "letter": names[row["cluster"]]["letter"],
            "segment": names[row["cluster"]]["segment_name"],
            "part": row["most"] / row["customers"],
        }
        | dict(extra)
        for row in rows
    ]
    return pa.Table.from_pylist(told) if told else pa.table({"x": pa.array([], pa.float64())})


def readings(counts: pa.Table, method: str) -> dict[str, str]:
    """Return in words what each figure says of the number of segments chosen; takes `tried`.

    Returns
    -------
    dict
        By figure (silhouette, stability, wcss, bic), one sentence each; a figure that was not taken is left out.
    """
    rows = [row for row in counts.to_pylist() if row["method"] == method]
    by_k = {row["k"]: row for row in rows}
    chosen = next((row for row in rows if row["is_chosen"]), None)
    if chosen is None or len(rows) < 2:
        return {}
    k, said = chosen["k"], {}
    if chosen["silhouette"] is not None:
        value = chosen["silhouette"]
        how = (
            "clearly apart"
            if value >= 0.5
            else "apart, with edges that overlap"
            if value >= 0.25
            else "hardly apart: a matter of degree"
        )
        said["silhouette"] = f"At {k} it is {value:.2f}: segments lie {how} (0.25 and 0.5 are the usual marks)."
    if chosen["stability"] is not None:
        value = chosen["stability"]
        how = "nearly the same" if value >= 0.8 else "much the same" if value >= 0.6 else "rather different"
        said["stability"] = f"At {k} it is {value:.2f}: other customers drawn from the same shop give {how} segments."
    falls = [
        f"from {one} to {other} it falls by {share(1 - by_k[other]['wcss'] / by_k[one]['wcss'])}"
        for one, other in ((k - 1, k), (k, k + 1))
        if one in by_k and other in by_k and by_k[one]["wcss"]
    ]
    if falls:
        said["wcss"] = f"It always falls: {', '.join(falls)}. Where it starts to fall less, more segments tell little more."
    mixture = {row["k"]: row["bic"] for row in counts.to_pylist() if row["bic"] is not None}
    if len(mixture) > 1:
        best = min(mixture, key=lambda number: mixture[number])
        edge = ", the most that were tried: it would like still smaller groups" if best == max(mixture) else ""
        said["bic"] = (
            f"The mixture describes customers best with {best}{edge}. It weighs fit, not use: each segment needs its own action."
        )
    return said


def samples(genome: Genome, method: str, cluster: int) -> pa.Table:
    """Return some customers of a segment, drawn by the digest of their ids: the same ones every time, no favourites."""
    published = set(genome.query("select * from customers limit 0").column_names)
    wanted = (
        "customer_id",
        "n_orders",
        "total_spend",
        "recency_days",
        "mean_order_value",
        "clv_180d",
        "churn_probability",
        "playbook",
    )
    columns = ", ".join(name for name in wanted if name in published)
    return genome.query(
        f"select {columns} from customers where {CLUSTER_COLUMNS[method]} = ? order by md5(customer_id) limit {MOST_SAMPLES}",
        [cluster],
    )


def headline(genome: Genome, method: str) -> str:
    """Return in one sentence how customers fall into the segments of a method."""
    rows = profiles(genome, method)
    if len(rows) < 2 or rows[0]["total_spend"] is None:
        return f"{count(len(rows))} segment{'s' if len(rows) != 1 else ''} by {METHOD_WORDS[method]}."
    total = sum(row["total_spend"] or 0 for row in rows)
    first = rows[0]
    return (
        f"{count(len(rows))} segments by {METHOD_WORDS[method]}: {first['segment_name']} are {share(first['customer_share'])} of customers "
        f"and bring {share(first['total_spend'] / total if total else None)} of revenue."
    )
