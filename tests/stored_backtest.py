"""A backtest as a workspace stores it, made of random forecasts judged by the real judge, for the tests of what people look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from customer_genome.evaluation.curves import curves
from customer_genome.evaluation.judging import Fold, judge
from customer_genome.models.candidates import Expected

DAYS = ("2024-03-01", "2024-06-01")


def stored(workspace: Path, data: str = "lines.parquet", horizon_days: int = 90, **more: Any) -> dict[str, Any]:
    """Write `backtest.json` with a champion, a model and a naive formula; return what was written."""
    draw = np.random.default_rng(3)
    folds = []
    for as_of in DAYS:
        rate = draw.gamma(0.8, 1.0, 400)
        ordered = (draw.random(400) < 1 - np.exp(-rate)).astype(float)
        spend = ordered * rate * 50 * draw.lognormal(0, 0.5, 400)
        guess = rate * draw.lognormal(0, 0.6, 400)
        forecasts = {
            "champion": Expected(rate * 55, 1 - np.exp(-rate), rate * 0, rate * 150),
            "blend": Expected(guess * 55, 1 - np.exp(-guess)),
            "last period": Expected(guess**2 * 40, (guess > 1).astype(float), guess * 0, guess * 300),
        }
        parts = {"Champions": rate > 1.5, "At risk": rate < 0.3}
        folds.append(Fold(as_of, np.arange(400), draw.random(400) < 0.3, spend, ordered, forecasts, parts))
    found = {
        "format": 1,
        "data": data,
        "currency": "GBP",
        "horizon_days": horizon_days,
        "cutoffs": [
            {"as_of": one.as_of, "n_customers": 400, "share_ordered": float(one.ordered.mean()), "spend": float(one.spend.sum()), "learned_from": [], "fit": []}
            for one in folds
        ],
        "candidates": [
            {"name": name, "kind": "naive" if name == "last period" else "model", "about": f"what {name} says"} for name in forecasts
        ],
        "rows": [row.as_json() for row in judge(folds, ["last period"], leading=["champion"], n_draws=20).rows],
        "words": ["A sentence <b>of</b> the backtest."],
        "notices": [],
        "seconds": {},
        "curves": {"champion": curves([f.spend for f in folds], [f.ordered for f in folds], [f.forecasts["champion"] for f in folds])},
        **more,
    }  # fmt: skip
    (workspace / "backtest.json").write_text(json.dumps(found), "utf-8")
    return found
