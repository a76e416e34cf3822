"""Forecasts of simulated shops of different character: what a run publishes, beside the own forecast and the best naive formula.

    python benchmarks/bench_forecast_shops.py [--horizon-days 90] [--seed 7] [NAME ...]

Comes in: nothing; every shop is simulated with a seed. Each is forecast at one cutoff, its horizon just complete. Printed per shop: customers and the
share that ordered; Gini, MAE over the mean and Brier score of the champion / the own forecast / the best naive formula of that figure;
total predicted over actual and calibration error of the champion, and the tails of its 80 % ranges.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from customer_genome.models.candidates import CANDIDATES, CHAMPION, OWN
from customer_genome.proof.backtesting import backtest
from customer_genome.settings import read_settings
from customer_genome.sources.catalog import describe_sources
from customer_genome.sources.simulated_shop import Promotion, PurchaseParameters, SpendParameters
from customer_genome.sources.synthetic import simulate

START = dt.date(2022, 1, 3)
SEASON = (0.6, 0.6, 0.8, 0.8, 0.9, 0.8, 0.7, 0.7, 0.9, 1.2, 2.5, 4.0)
SPRING, AUTUMN = (
    Promotion(name, dt.date(2023, month, 1), dt.date(2023, month, 14), lift=5.0) for name, month in (("SPRING", 4), ("AUTUMN", 9))
)
SHOPS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {"n_customers": 60, "days": 500, "arrival_days": 400},
    "small": {"n_customers": 300, "days": 500, "arrival_days": 400},
    "young": {"n_customers": 1_500, "days": 160, "arrival_days": 160, "purchases": PurchaseParameters(alpha=20.0)},
    "plain": {"n_customers": 2_500, "days": 700, "arrival_days": 600},
    "season": {"n_customers": 2_500, "days": 1_000, "arrival_days": 1_000, "month_multipliers": SEASON},
    "promotions": {
        "n_customers": 2_500,
        "days": 700,
        "arrival_days": 700,
        "promotions": (SPRING, AUTUMN),
        "deal_seeker_share": 0.3,
    },
    "older than its data": {"n_customers": 2_500, "days": 600, "arrival_days": 500, "hidden_days": 500},
    "one-time buyers": {"n_customers": 4_000, "days": 600, "arrival_days": 600, "purchases": PurchaseParameters(a=6.0, b=1.0)},
    "regulars": {"n_customers": 800, "days": 500, "arrival_days": 200, "purchases": PurchaseParameters(2.0, 15.0, 0.3, 9.0)},
    "heavy spend": {"n_customers": 2_500, "days": 700, "arrival_days": 600, "spend": SpendParameters(6.0, 1.3, 6.0)},
    "returns": {"n_customers": 2_500, "days": 700, "arrival_days": 600, "refund_rate": 0.15},
}
FIGURES = (("spend", "gini"), ("spend", "mae_over_mean"), ("orders", "brier"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", metavar="NAME", help=f"any of {', '.join(SHOPS)}; by default all")
    parser.add_argument("--horizon-days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    unknown = [name for name in given.shops if name not in SHOPS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such shop. Wanted: {', '.join(SHOPS)}.")
    print(
        f"{'shop':20s} {'customers':>9s} {'ordered':>7s} {'Gini':>17s} {'MAE / mean':>17s} {'Brier':>20s} {'total':>5s} {'ECE':>5s}  tails"
    )
    for name in given.shops or SHOPS:
        print(f"{name:20s} {_line(SHOPS[name], given.horizon_days, given.seed)}", flush=True)


def _line(shop: Mapping[str, Any], horizon_days: int, seed: int) -> str:
    """Return what is printed of one shop."""
    candidates = [one for one in CANDIDATES if one.kind == "naive" or one.name in (CHAMPION, OWN)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.parquet"
        simulate(seed=seed, start=START, **shop).write_parquet(path)
        settings = read_settings(Path(folder))
        last = START + dt.timedelta(days=int(shop["days"]) - horizon_days - 2)
        found = backtest(
            settings,
            lambda tmp: describe_sources(str(path), settings, tmp),
            cutoffs=[last],
            horizon_days=horizon_days,
            candidates=candidates,
            n_draws=5,
        )
    figures: dict[tuple[str, str], Mapping[str, float]] = {
        (row.candidate, row.target): row.figures for row in found.scorecard.rows if row.group == "all" and row.as_of != "mean"
    }
    naive = [one.name for one in candidates if one.kind == "naive"]
    parts = []
    for target, figure in FIGURES:
        rivals = [value for one in naive if (value := figures.get((one, target), {}).get(figure)) is not None]
        best = max(rivals) if figure == "gini" else min(rivals)
        shown = [figures[one, target][figure] for one in (CHAMPION, OWN)] + [best]
        digits = 4 if figure == "brier" else 3
        parts.append(" / ".join(f"{value:.{digits}f}" for value in shown))
    money, orders, ends = (figures[CHAMPION, target] for target in ("spend", "orders", "interval"))
    one = found.cutoffs[0]
    return (
        f"{one.n_customers:9,d} {one.share_ordered:7.1%} {' '.join(parts)} {money['bias']:5.2f} {orders['ece']:5.3f}  "
        f"{ends['below']:.2f}, {ends['above']:.2f}"
    )


if __name__ == "__main__":
    main()
