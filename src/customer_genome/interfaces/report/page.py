"""`genome report`: a published version as one page that works offline, on a phone, on paper and for a screen reader.

Comes in: an open `Genome`. Goes out: one HTML file without script, font or picture from elsewhere. Texts from the data
(products, countries, customer ids) are escaped by the template; figures are worded by `interfaces.views.figures`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from customer_genome.contracts import ORDER_LINES
from customer_genome.errors import WorkspaceError
from customer_genome.genome import Genome
from customer_genome.interfaces.charts.look import DARK, LIGHT, Palette
from customer_genome.interfaces.report.change_section import change_section
from customer_genome.interfaces.report.pictures import pictures_of
from customer_genome.interfaces.report.quality_section import quality_section
from customer_genome.interfaces.report.recommendation_section import recommendation_section
from customer_genome.interfaces.report.segment_section import segment_section
from customer_genome.interfaces.report.totals import totals_page
from customer_genome.interfaces.report.value_section import value_section
from customer_genome.interfaces.views import overview
from customer_genome.interfaces.views.figures import count, day, estimate, money, quantity, share
from customer_genome.interfaces.views.row_classes import CLASS_WORDS
from customer_genome.workspace import write_atomically

CLV_DAYS = 180
MOST_ACTIONS, MOST_CUSTOMERS = 3, 10
NOTED_RETURN_SHARE = 0.25
"""Returned money over bought and returned money from which a customer's returns are mentioned."""


def write_report(genome: Genome, target: Path) -> None:
    """Write the page; a reader sees the old or the new page, never a part.

    Parameters
    ----------
    target : path
        The file to write; its folder is made when it is missing.

    Raises
    ------
    WorkspaceError
        When the file cannot be written.
    """
    page = render_report(genome)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, page)
    except OSError as err:
        raise WorkspaceError(
            f"The report cannot be written to {target}: {err.strerror or err}. Choose another place with --output, or free the disk."
        ) from err


def render_report(genome: Genome) -> str:
    """Return the page as text."""
    environment = Environment(
        loader=PackageLoader("customer_genome.interfaces.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    horizon_days = int(genome.manifest["horizon_days"])
    environment.filters |= {
        "money": lambda value: money(value, genome.currency),
        "short": lambda value: money(value, genome.currency, short=True),
        "estimate": lambda value: estimate(value, genome.currency),
        "count": count,
        "share": share,
        "day": day,
        "quantity": quantity,
    }
    template = environment.get_template("report.html.j2")
    if genome.level != "orders":
        return template.render(**_look_of(genome), **totals_page(genome), is_totals=True)
    totals = overview.totals(genome)
    change_pictures, changed = change_section(genome)
    value_pictures, outlook = value_section(genome)
    segment_pictures, chosen_segments = segment_section(genome)
    quality_pictures, quality = quality_section(genome)
    list_pictures, recommended = recommendation_section(genome)
    return template.render(
        **_look_of(genome),
        is_totals=False,
        head=_head(genome, totals),
        totals=totals,
        kpis=_kpis(genome, totals),
        pictures=pictures_of(genome) | change_pictures | value_pictures | segment_pictures | quality_pictures | list_pictures,
        changed=changed,
        outlook=outlook,
        chosen_segments=chosen_segments,
        quality=quality,
        recommended=recommended,
        actions=_actions(genome),
        customers=[row | {"returns": _returns(row, genome.currency)} for row in overview.act_now(genome, most=MOST_CUSTOMERS)],
        products=overview.products(genome),
        no_goods=overview.look_like_no_goods(overview.products(genome)),
        segments=_rows(genome, "segments", "total_spend desc, segment_name"),
        playbooks=_rows(genome, "playbooks", "priority, playbook"),
        findings=_rows(genome, "findings"),
        ledger=_ledger(genome),
        refunds=genome.manifest["refunds"],
        notices=genome.manifest["notices"],
        fit=genome.manifest["fit"],
        coverage=_coverage(genome),
        horizon_days=horizon_days,
        clv_days=CLV_DAYS,
        prediction=genome.manifest["settings"]["prediction"],
        given_back=overview.given_back(genome),
    )


def _look_of(genome: Genome) -> dict[str, Any]:
    """Return what every page asks for: colours, units, bands."""
    return {
        "light": _variables(LIGHT),
        "dark": _variables(DARK),
        "churn_bands": genome.manifest["settings"]["segments"]["churn_bands"],
        "has_currency": bool(genome.currency),
        "money_unit": genome.currency or "the shop's currency",
    }


def _variables(palette: Palette) -> dict[str, str]:
    """Return the colours as the style sheet names them."""
    return {name.replace("_", "-"): colour for name, colour in asdict(palette).items()}


def _head(genome: Genome, totals: Mapping[str, Any]) -> dict[str, str]:
    """Return what the page is about: whose data, which days, which version."""
    manifest = genome.manifest
    label = manifest["sources"]["order_lines"]["label"]
    made = dt.datetime.fromisoformat(manifest["created_at"])
    return {
        "shop": manifest["settings"]["shop"]["name"] or label,
        "source": label,
        "first_day": day(totals["first_order_on"]),
        "last_day": day(totals["last_order_on"]),
        "as_of": day(dt.date.fromisoformat(manifest["as_of"])),
        "version": genome.snapshot.version,
        "made": f"{day(made)}, {made:%H:%M %Z}",
        "product_version": manifest["product_version"],
    }


def _kpis(genome: Genome, totals: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the key figures, each with unit, period and what it means."""
    horizon, currency = int(genome.manifest["horizon_days"]), genome.currency
    return [*_known(totals, currency), *_expected(totals, currency, horizon, genome.manifest["settings"]["prediction"])]


def _known(totals: Mapping[str, Any], currency: str) -> list[dict[str, str]]:
    """Return the key figures of what has happened."""
    window = f"{day(totals['first_order_on'])} to {day(totals['last_order_on'])}"
    groups = _counted(totals["n_segments"], "segment", "segments")
    places = f", {_counted(totals['n_countries'], 'country', 'countries')}" if totals["n_countries"] else ""
    orders = f"{quantity(totals['mean_orders'], 'orders')} per customer"
    return [
        _kpi("Customers", count(totals["customers"]), groups + places, window, (
            "Everybody with at least one purchase that counts in these days.")),
        _kpi("Revenue", money(totals["revenue"], currency, short=True), "purchases that count", window, (
            "What was left out, and what returns would change, is under Data quality.")),
        _kpi("Orders", count(totals["orders"]), orders, window, (
            "An order is a customer and an order number; without order numbers, a customer and a time.")),
        _kpi("Average spend per customer", money(totals["mean_spend"], currency), f"{money(totals['mean_order_value'], currency)} per order", window, (
            "Revenue divided by customers, and by orders. A few large customers pull it up: see who brings the money.")),
    ]  # fmt: skip


def _expected(totals: Mapping[str, Any], currency: str, horizon: int, prediction: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the key figures of what is expected."""
    customers, clv = totals["customers"] or None, totals["clv"] or None
    discount, margin = share(prediction["annual_discount"]), share(prediction["margin"])
    again = share(totals["expected_active"] / customers if customers else None)
    part = share(totals["value_at_risk"] / clv if clv else None)
    return [
        _kpi("Expected revenue", estimate(totals["predicted_spend"], currency), f"{_about(totals['predicted_orders'])} orders", f"next {horizon} days", (
            "What today's customers are expected to spend if each keeps their own rhythm; customers yet to be won are not in it.")),
        _kpi("Customers expected to order", _about(totals["expected_active"]), f"{again} of customers", f"next {horizon} days", (
            "The sum of every customer's probability of at least one order.")),
        _kpi("Customer value", estimate(totals["clv"], currency), f"{estimate(totals['mean_clv'], currency)} per customer", f"next {CLV_DAYS} days", (
            f"Expected revenue, discounted by {discount} a year, times a margin of {margin}.")),
        _kpi("Value at risk", estimate(totals["value_at_risk"], currency), f"{part} of customer value", (
            f"next {CLV_DAYS} days" if horizon == CLV_DAYS else f"value {CLV_DAYS} days, risk {horizon} days"), (
            f"Each customer's value times their risk of not ordering within {horizon} days, added up.")),
    ]  # fmt: skip


def _kpi(name: str, figure: str, detail: str, period: str, meaning: str) -> dict[str, str]:
    """Return one key figure."""
    return {"name": name, "figure": figure, "detail": detail, "period": period, "meaning": meaning}


def _about(value: float) -> str:
    """Return an expected count with the digits a model can know.

    Examples
    --------
    >>> _about(10374.5), _about(2831.7), _about(0.4), _about(0.01)
    ('about 10,400', 'about 2,830', 'about 0.4', 'under 0.1')
    """
    if value < 0.1:
        return "under 0.1"
    if value < 10:
        return f"about {value:.1f}"
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return f"about {count(round(value / unit) * unit)}"


def _counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{count(number)} {one if number == 1 else many}"


def _actions(genome: Genome) -> list[dict[str, Any]]:
    """Return the playbooks with most money at risk, with what to do."""
    texts = {row["playbook"]: row for row in _rows(genome, "playbooks", "priority, playbook")}
    found = [row | texts[row["playbook"]] | row for row in overview.actions(genome) if row["playbook"] in texts]
    return found[:MOST_ACTIONS]


def _returns(row: Mapping[str, Any], currency: str) -> str:
    """Return a word of caution about a customer who gave much back."""
    if (row["return_share"] or 0) < NOTED_RETURN_SHARE:
        return ""
    return f"Caution: goods worth {money(row['returned_value'], currency)} came back."


def _rows(genome: Genome, table: str, order: str = "") -> list[dict[str, Any]]:
    """Return the rows of a small published table; none where this version has no such table."""
    if table not in genome.tables():
        return []
    found: list[dict[str, Any]] = genome.query(f'select * from "{table}"' + (f" order by {order}" if order else "")).to_pylist()
    return found


def _ledger(genome: Genome) -> dict[str, Any]:
    """Return the row ledger in words, with its totals."""
    rows = [row | {"words": CLASS_WORDS.get(row["row_class"], "")} for row in overview.ledger(genome).to_pylist()]
    return {"rows": rows, "n_rows": sum(row["n_rows"] for row in rows), "revenue": sum(row["revenue"] for row in rows)}


def _coverage(genome: Genome) -> dict[str, Any]:
    """Return which columns the source gave, under which names, and which of use it did not."""
    mapping: Mapping[str, Iterable[str]] = genome.manifest["sources"]["order_lines"]["mapping"]
    needless = {"quantity", "price"} if "amount" in mapping else {"amount"}
    return {
        "given": [(name, " + ".join(raws)) for name, raws in mapping.items()],
        "missing": [name for name in ORDER_LINES.names if name not in mapping and name not in needless],
    }
