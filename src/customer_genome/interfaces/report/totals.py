"""The report of a version that was made from one row per customer with totals: what it can show, and nothing that needs a date.

Comes in: an open `Genome` of level "customers". Goes out: pictures and plain values for the template report_totals.html.j2. Borrowed risk
and value are shown as bands and ranks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from customer_genome.contracts import CUSTOMER_TOTALS, LABELS, ORDER_LINES
from customer_genome.decisions.priority import BANDS
from customer_genome.genome import Genome
from customer_genome.interfaces.report.change_section import change_section
from customer_genome.interfaces.report.pictures import Picture, pictures_of_totals
from customer_genome.interfaces.report.recommendation_section import recommendation_section
from customer_genome.interfaces.report.segment_section import segment_section
from customer_genome.interfaces.views import overview
from customer_genome.interfaces.views.figures import count, day, money, quantity, share
from customer_genome.interfaces.views.row_classes import RATINGS_WORDS, TOTALS_WORDS
from customer_genome.interfaces.views.standing import CAUTION, no_risk_reason, rank_words, why_no_dates

MOST_ACTIONS, MOST_CUSTOMERS = 3, 10


def totals_page(genome: Genome) -> dict[str, Any]:
    """Return everything the template asks for."""
    totals = overview.totals(genome)
    change_pictures, changed = change_section(genome)
    segment_pictures, chosen_segments = segment_section(genome)
    list_pictures, recommended = recommendation_section(genome)
    pictures: dict[str, Picture] = pictures_of_totals(genome) | change_pictures | segment_pictures | list_pictures
    playbooks = genome.query('select * from "playbooks" order by priority, playbook').to_pylist()
    ledger = overview.ledger(genome).to_pylist()
    is_rated = genome.level == "ratings"
    words = RATINGS_WORDS if is_rated else TOTALS_WORDS
    mapping = genome.manifest["sources"][_source(genome)]["mapping"]
    return {
        "head": _head(genome),
        "totals": totals,
        "kpis": _kpis(genome, totals),
        "pictures": pictures,
        "changed": changed,
        "chosen_segments": chosen_segments,
        "recommended": recommended,
        "steps": _steps(genome, playbooks),
        "first_customers": _first_customers(genome),
        "known": _known(genome),
        "first_by": _first_by(_known(genome)),
        "segments": genome.query(
            'select * from "segments" order by total_spend desc nulls last, customers desc, segment_name'
        ).to_pylist(),
        "playbooks": playbooks,
        "findings": genome.query("select * from findings where value is not null").to_pylist(),
        "cells": _cells(genome),
        "bands": BANDS,
        "ledger": {
            "rows": [row | {"words": words.get(row["row_class"], "")} for row in ledger],
            "n_rows": sum(row["n_rows"] for row in ledger),
            "revenue": None if is_rated else sum(row["revenue"] for row in ledger),
        },
        "coverage": {
            "given": [(name, " + ".join(raws)) for name, raws in mapping.items()],
            "missing": []
            if is_rated
            else [name for name in CUSTOMER_TOTALS.names if name not in (*mapping, *LABELS, "cluster", "country")],
        },
        "notices": genome.manifest["notices"],
        "fit": genome.manifest["fit"],
        "no_dates": why_no_dates(genome.manifest),
        "no_risk": no_risk_reason(genome.manifest),
        "caution": CAUTION if genome.is_borrowed else "",
        "is_rated": is_rated,
        "is_borrowed": genome.is_borrowed,
        "horizon_days": int(genome.manifest["horizon_days"]),
        "clv_days": 180,
    }


def _source(genome: Genome) -> str:
    """Return the table that the version was made from."""
    return ORDER_LINES.name if genome.level == "ratings" else CUSTOMER_TOTALS.name


def _head(genome: Genome) -> dict[str, str]:
    """Return what the page is about."""
    manifest = genome.manifest
    label = manifest["sources"][_source(genome)]["label"]
    made = dt.datetime.fromisoformat(manifest["created_at"])
    return {
        "shop": manifest["settings"]["shop"]["name"] or label,
        "source": label,
        "as_of": day(dt.date.fromisoformat(manifest["as_of"])),
        "version": genome.snapshot.version,
        "made": f"{day(made)}, {made:%H:%M %Z}",
        "product_version": manifest["product_version"],
    }


def _kpis(genome: Genome, totals: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the key figures that the table can give."""
    currency, n, known = genome.currency, totals["customers"] or 1, _known(genome)
    high = genome.query(
        "select count(*) filter (where churn_band = 'High') as risk, count(*) filter (where churn_band = 'High' and clv_band = 'High') as both from customers"
    ).to_pylist()[0]
    both = f", {count(high['both'])} of high value" if "clv_180d" in known else ""
    order_value = f"{money(totals['mean_order_value'], currency)} an order" if "total_spend" in known else "as the table says"
    found = [
        (
            "customer_id",
            "Customers",
            count(totals["customers"]),
            f"{count(totals['n_segments'])} segments",
            "Everybody whose row could be used.",
        ),
        (
            "total_spend",
            "Average spend per customer",
            money(totals["mean_spend"], currency),
            f"{money(totals['revenue'], currency, short=True)} in all",
            "Spend so far divided by customers. A few large customers pull it up: see who brings the money.",
        ),
        (
            "n_orders",
            "Average orders per customer",
            quantity(totals["mean_orders"], "orders"),
            order_value,
            "Orders so far divided by customers.",
        ),
        (
            "churn_probability",
            "Customers at high risk",
            count(high["risk"]),
            f"{share(high['risk'] / n)} of customers{both}",
            "By the bands of risk. " + (CAUTION if genome.is_borrowed else "Risk is the probability of leaving."),
        ),
    ]
    return [dict(zip(("name", "figure", "detail", "meaning"), rest, strict=True)) for column, *rest in found if column in known]


def _known(genome: Genome) -> frozenset[str]:
    """Return the columns that say something about at least one customer."""
    return frozenset(genome.manifest.get("columns_known", ()))


def _steps(genome: Genome, playbooks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what to do first: the playbooks with most value at risk, or with most spend behind them where no risk is known."""
    texts = {row["playbook"]: row for row in playbooks}
    found = overview.actions(genome) or sorted(
        playbooks, key=lambda row: (-(row["total_spend"] or row["customers"]), row["playbook"])
    )
    kept = [texts[row["playbook"]] for row in found if texts.get(row["playbook"], {}).get("customers")]
    return kept[:MOST_ACTIONS]


def _first_customers(genome: Genome) -> list[dict[str, Any]]:
    """Return the customers to speak to first, with band and rank of risk and value."""
    rows = genome.query(
        "select * from customers where not is_suppressed order by expected_value_loss desc nulls last, "
        "churn_probability * coalesce(total_spend, 1) desc nulls last, total_spend desc nulls last, customer_id "
        f"limit {MOST_CUSTOMERS}"
    ).to_pylist()
    return [row | {"risk_words": _words(row, "risk", genome), "value_words": _words(row, "value", genome)} for row in rows]


def _first_by(known: frozenset[str]) -> str:
    """Return by what the customers to speak to first are ordered."""
    if "expected_value_loss" in known:
        return "Value times risk, the largest first"
    if "churn_probability" in known:
        return "Risk times spend so far, the largest first" if "total_spend" in known else "The highest risk first"
    return "Most spend so far first"


def _words(row: Mapping[str, Any], what: Any, genome: Genome) -> str:
    """Return risk or value of a customer as far as its size is known."""
    if genome.is_borrowed or row["churn_band"] is None:
        return rank_words(row, what)
    if what == "risk":
        return f"{share(row['churn_probability'])} ({row['churn_band']})"
    return "not known" if row["clv_180d"] is None else f"{money(row['clv_180d'], genome.currency)} ({row['clv_band']})"


def _cells(genome: Genome) -> dict[tuple[str, str], dict[str, Any]]:
    """Return customers and spend so far per band of value and band of risk."""
    rows = genome.query(
        "select clv_band, churn_band, count(*) as customers, sum(total_spend) as spend from customers "
        "where clv_band is not null and churn_band is not null group by all order by all"
    ).to_pylist()
    return {(row["clv_band"], row["churn_band"]): row for row in rows}
