"""What changed between two versions in words and small tables: the command line, the report and the dashboard say the same.

Comes in: a `Comparison`. Goes out: sentences and rows of figures that are still numbers. Nothing here asks a database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from customer_genome.answers.comparison import Comparison, Move
from customer_genome.interfaces.views.figures import count, day, estimate, money, quantity, share

NEW, GONE = "(new)", "(gone)"
"""Groups of those who are in one version only."""

MEASURE_WORDS: Mapping[str, str] = {
    "customers": "Customers",
    "n_orders": "Orders so far",
    "total_spend": "Spend so far",
    "clv_180d": "Value, next 180 days",
    "expected_value_loss": "Value at risk",
}
REASON_WORDS: Mapping[str, str] = {
    "new": "New customers",
    "gone": "No longer there",
    "ordered": "Ordered again",
    "fewer": "Fewer orders or less spend",
    "revised": "Other facts corrected",
    "quiet": "No order since",
    "same": "Same facts",
}
REASON_MEANING: Mapping[str, str] = {
    "new": "their first purchase lies between the two versions, or they were left out before",
    "gone": "none of their purchases counts any more: erased, taken back, corrected, or after an earlier cutoff",
    "ordered": "more orders than before",
    "fewer": "purchases were taken back or corrected, or the cutoff is earlier",
    "revised": "products, spend or returns differ without another order",
    "quiet": "nothing happened but time",
    "same": "nothing differs; the models or the settings do",
}
GROUP_WORDS: Mapping[str, str] = {
    "segment_name": "segment",
    "rfm_segment": "RFM segment",
    "clv_band": "value band",
    "churn_band": "risk band",
    "playbook": "playbook",
    "priority_segment": "priority segment",
}


@dataclass(frozen=True)
class Flow:
    """Customers who went from one group to another, with their value before and after."""

    source: str
    target: str
    customers: int
    clv_before: float
    clv_after: float

    @property
    def change(self) -> float:
        """By how much their value rose, negative where it fell."""
        return self.clv_after - self.clv_before


def flows(comparison: Comparison) -> list[Flow]:
    """Return every pair of groups with customers, the most customers first; new and gone customers have groups of their own."""
    found = [
        Flow(
            NEW if cell["group_before"] is None else cell["group_before"],
            GONE if cell["group_after"] is None else cell["group_after"],
            int(cell["customers"]),
            float(cell["clv_before"]),
            float(cell["clv_after"]),
        )
        for cell in comparison.migration
    ]
    return sorted(found, key=lambda flow: (-flow.customers, flow.source, flow.target))


def headline(comparison: Comparison) -> str:
    """Return the finding in one sentence, such as "1,021 customers are new, none is gone, 812 of the 3,317 who stayed moved to another segment"."""
    new, gone, moved, stayed = (comparison.customers(status) for status in ("new", "gone", "moved", "stayed"))
    group = GROUP_WORDS[comparison.group]
    came = f"{quantity(new, 'customers')} {'is' if new == 1 else 'are'} new" if new else "No customer is new"
    left = f"{count(gone)} {'is' if gone == 1 else 'are'} gone" if gone else "none is gone"
    went = f"{count(moved) if moved else 'none'} of the {count(stayed)} who stayed moved to another {group}"
    return f"{came}, {left}, {went}." if stayed else f"{came}, {left}."


def value_sentence(comparison: Comparison) -> str:
    """Return how the value of all customers changed, in one sentence."""
    line = comparison.total("clv_180d")
    before, after = float(line["before"]), float(line["after"])
    currency = comparison.currency
    if before == after:
        return f"Together they are worth {estimate(after, currency)} over 180 days, as before."
    part = f", {share(abs(after - before) / before)} {'more' if after > before else 'less'}" if before > 0 else ""
    return f"Together they are worth {estimate(after, currency)} over 180 days; before it was {estimate(before, currency)}{part}."


def cautions(comparison: Comparison) -> list[str]:
    """Return what makes figures move beside the data, one sentence each."""
    before, after = comparison.before, comparison.after
    found = []
    if after.as_of < before.as_of:
        found.append(
            f"{after.version} looks from an earlier day ({day(after.as_of)}) than {before.version} ({day(before.as_of)})."
        )
    if after.as_of == before.as_of:
        found.append(f"Both versions look from {day(after.as_of)}: no time passed between them.")
    for one in comparison.differences:
        if one.name == "horizon_days":
            found.append(
                f"Risk reaches {one.before} days in {before.version} and {one.after} days in {after.version}, so risk and value at risk are not alike; "
                "value always reaches 180 days."
            )
        elif one.name == "currency":
            found.append(
                f"Money is in {one.before or 'an unnamed currency'} in {before.version} and in {one.after or 'an unnamed currency'} in {after.version}: "
                "sums of money cannot be compared."
            )
        elif one.name == "product_version":
            found.append(f"{before.version} was made by Customer Genome {one.before}, {after.version} by {one.after}.")
        elif one.name.startswith("columns."):
            table, _, column = one.name.removeprefix("columns.").partition(".")
            found.append(f"{column} of {table} was read from {one.before or 'nothing'}, now from {one.after or 'nothing'}.")
        else:
            found.append(f"Setting {one.name} was {one.before or 'empty'} and is {one.after or 'empty'}.")
    if comparison.refitted:
        found.append(
            "The models were fitted anew in between, so figures also move for customers of whom nothing new is known"
            + (
                "; segments were found anew too, and a name may have come to mean other customers."
                if comparison.group == "segment_name"
                else "."
            )
        )
    if comparison.missing:
        found.append(f"Only one of the versions publishes {', '.join(comparison.missing)}; the other counts as empty.")
    return found


def facts_behind(move: Move, currency: str) -> str:
    """Return what happened to a customer between the versions, by their facts."""
    before, after = move.before, move.after
    orders, spend = move.change("n_orders"), move.change("total_spend")
    quiet = f"quiet for {quantity(after['recency_days'], 'days')}, before {quantity(before['recency_days'], 'days')}"
    if move.reason == "ordered":
        return f"{quantity(orders, 'orders')} more, {money(spend, currency)}; last on {day(after['last_order_on'])}, before {day(before['last_order_on'])}"
    if move.reason == "quiet":
        return f"no order since; {quiet}"
    if move.reason == "same":
        return "same facts; models or settings differ"
    parts = []
    if orders:
        parts.append(f"{quantity(abs(orders), 'orders')} {'more' if orders > 0 else 'fewer'}")
    if spend:
        parts.append(f"{money(abs(spend), currency)} {'more' if spend > 0 else 'less'} spent")
    returned = move.change("returned_value")
    if returned:
        parts.append(f"{money(abs(returned), currency)} {'more' if returned > 0 else 'less'} given back")
    if before["last_order_on"] != after["last_order_on"]:
        parts.append(f"last order {day(after['last_order_on'])}, before {day(before['last_order_on'])}")
    elif before["unique_products"] != after["unique_products"]:
        parts.append(f"{quantity(after['unique_products'], 'products')}, before {count(before['unique_products'])}")
    return "; ".join(parts) or quiet


def move_rows(moves: Sequence[Move], currency: str) -> list[dict[str, Any]]:
    """Return moves as rows of finished text: customer, value, risk, group, facts."""
    return [
        {
            "customer_id": move.customer_id,
            "value": _arrow(estimate(move.before["clv_180d"], currency), estimate(move.after["clv_180d"], currency)),
            "risk": _arrow(share(move.before["churn_probability"]), share(move.after["churn_probability"])),
            "group": _arrow(move.group_before, move.group_after),
            "facts": facts_behind(move, currency),
        }
        for move in moves
    ]


def total_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the totals as rows of finished text; they add up across."""
    rows = []
    for line in comparison.totals:
        is_money = line["measure"] in ("total_spend", "clv_180d", "expected_value_loss")
        written = {
            name: money(float(line[name]), comparison.currency) if is_money else count(float(line[name]))
            for name in ("before", "new", "gone", "rose", "fell", "after")
        }
        rows.append({"measure": MEASURE_WORDS[line["measure"]], **written})
    return rows


def reason_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Return why value changed as rows: reason, meaning, customers, and numbers clv_before, clv_after, change."""
    return [
        {
            "reason": REASON_WORDS[row["reason"]],
            "meaning": REASON_MEANING[row["reason"]],
            "customers": int(row["customers"]),
            "clv_before": float(row["clv_before"]),
            "clv_after": float(row["clv_after"]),
            "change": float(row["clv_after"] - row["clv_before"]),
        }
        for row in comparison.reasons
    ]


def flow_table(comparison: Comparison) -> pa.Table:
    """Return the migration as `charts.migration` takes it: source, target, customers, clv_before, clv_after."""
    columns = [
        ("source", pa.string()),
        ("target", pa.string()),
        ("customers", pa.int64()),
        ("clv_before", pa.float64()),
        ("clv_after", pa.float64()),
    ]
    return pa.Table.from_pylist([asdict(flow) for flow in flows(comparison)], schema=pa.schema(columns))


def reason_table(comparison: Comparison) -> pa.Table:
    """Return why value moved as `charts.value_reasons` takes it: reason, meaning, customers, clv_before, clv_after, change."""
    columns = [("reason", pa.string()), ("meaning", pa.string()), ("customers", pa.int64())]
    columns += [(name, pa.float64()) for name in ("clv_before", "clv_after", "change")]
    return pa.Table.from_pylist(reason_rows(comparison), schema=pa.schema(columns))


def _arrow(before: str, after: str) -> str:
    """Return "before → after", or one of them where they are alike."""
    return after if before == after else f"{before} → {after}"
