"""Hold the product's rating models against Surprise's SVD with its default settings, on the same splits of the same ratings.

    python benchmarks/bench_ratings.py ../shared/data/movielens_latest_small --peer /tmp/peer/bin/python

Surprise is no part of the product and wants an older NumPy, so it has an environment of its own:
`python -m venv /tmp/peer && /tmp/peer/bin/pip install "numpy<2" scikit-surprise`. Ratings go there and predictions come back as
files. Without `--peer` this interpreter is tried; where Surprise is missing there too, the rest is still shown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from customer_genome.models.recommend.ratings import (
    Ratings,
    best_size,
    fit_biases,
    fit_factors,
    later_rows,
    random_folds,
)
from customer_genome.settings import Settings
from customer_genome.stages.rating import ratings_at, read_ratings

PEER = """
import sys
import numpy as np
from surprise import SVD, Dataset, Reader
from pandas import DataFrame
train, test = (np.loadtxt(path, delimiter=",", ndmin=2) for path in sys.argv[1:3])
low, high = map(float, sys.argv[4:6])
frame = DataFrame({"user": train[:, 0].astype(int), "item": train[:, 1].astype(int), "rating": train[:, 2]})
model = SVD(random_state=7).fit(Dataset.load_from_df(frame, Reader(rating_scale=(low, high))).build_full_trainset())
np.savetxt(sys.argv[3], [model.predict(int(u), int(i)).est for u, i, _ in test])
"""


def peer_predictions(python: str, known: Ratings, asked: Ratings) -> np.ndarray | None:
    """Return what Surprise predicts, None where it is not there."""
    with tempfile.TemporaryDirectory() as name:
        files = [str(Path(name) / one) for one in ("known.csv", "asked.csv", "found.txt")]
        for path, part in zip(files, (known, asked), strict=False):
            np.savetxt(path, np.column_stack([part.customer, part.item, part.rating]), delimiter=",")
        command = [python, "-c", PEER, *files, *map(str, known.scale)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            print(
                f"  Surprise did not run ({ran.stderr.strip().splitlines()[-1]}); see the head of this file for its installation."
            )
            return None
        return np.loadtxt(files[2])


def main() -> None:
    """Print RMSE and MAE of every model over both splits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="a folder with ratings, as MovieLens ships them")
    parser.add_argument("--peer", default=sys.executable, help="a Python that has Surprise")
    given = parser.parse_args()
    settings = Settings(Path(tempfile.gettempdir()))
    places = ratings_at(given.data, settings)
    if places is None:
        parser.error(f"{given.data} holds no file called ratings")
    ratings = read_ratings(settings, places).ratings
    folds = list(random_folds(len(ratings), 5, 7))
    size, penalty = best_size(ratings.take(~folds[0]), 7)
    print(f"{len(ratings):,} ratings; tuned on the first fold's known ratings: {size} factors, penalty {penalty:g}")
    for split, held in (("random 5 folds", folds), ("last fifth by time", [later_rows(ratings)])):
        misses: dict[str, list[np.ndarray]] = {}
        seconds: dict[str, float] = {}
        for rows in held:
            known, asked = ratings.take(~rows), ratings.take(rows)
            for name in ("biases only", "biased factors, tuned", "Surprise SVD, default"):
                started = time.perf_counter()
                if name.startswith("Surprise"):
                    found = peer_predictions(given.peer, known, asked) if misses.get(name, [True]) else None
                else:
                    model = fit_biases(known) if name == "biases only" else fit_factors(known, size, penalty)
                    found = model.predict(asked.customer, asked.item)
                misses.setdefault(name, []).extend([] if found is None else [found - asked.rating])
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started
        for name, each in misses.items():
            if each:
                errors = np.concatenate(each)
                rmse, mae = float(np.sqrt(np.mean(errors**2))), float(np.abs(errors).mean())
                print(f"  {split:<20} {name:<24} RMSE {rmse:.4f}  MAE {mae:.4f}  n {len(errors):,}  {seconds[name]:.1f} s")


if __name__ == "__main__":
    main()
