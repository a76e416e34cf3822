"""Which columns matter: how much they move predictions, checked by shuffling each one among customers held back.

Comes in: a comparison with what each training part gave. Goes out: for each column the mean size of what it adds, and how much worse the chosen way
predicts once the column is shuffled. A column that moves predictions but costs nothing when shuffled is noise the model believed in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from customer_genome.models.estimator import Array
from customer_genome.models.profiles.columns import Values
from customer_genome.models.profiles.comparing import Compared, Part
from customer_genome.models.profiles.explaining import scores
from customer_genome.models.profiles.leaks import auc
from customer_genome.models.profiles.learners import Rows
from customer_genome.models.profiles.model import LabelModel

N_SHUFFLES = 3
MOST_ROWS = 2_000


def importance(model: LabelModel, compared: Compared, values: Values, seed: int) -> list[dict[str, Any]]:
    """Return the columns from the most to the least important.

    Returns
    -------
    list of dict
        column; mean_size (mean absolute contribution: share of chance, or money); lost_if_shuffled (ROC-AUC lost, or growth of the root mean
        squared error, of customers held back), with its standard error over the five parts.
    """
    rng = np.random.default_rng([seed, 9])
    n = len(compared.y)
    rows = np.sort(rng.choice(n, min(n, MOST_ROWS), replace=False))
    sizes = np.abs(model.explain({name: values[name][rows] for name in values}).values).mean(axis=0)
    lost = np.array([_lost(part, compared, seed + number) for number, part in enumerate(compared.parts)])
    found = [
        {
            "column": column.name,
            "mean_size": float(sizes[place]),
            "lost_if_shuffled": float(lost[:, place].mean()),
            "error": float(lost[:, place].std(ddof=1) / np.sqrt(len(lost))),
        }
        for place, column in enumerate(model.columns)
    ]
    return sorted(found, key=lambda one: (-float(one["mean_size"]), str(one["column"])))


def _lost(part: Part, compared: Compared, seed: int) -> Array:
    """Return what shuffling each column costs in one part held back."""
    rng = np.random.default_rng([seed, 4])
    test, fitted = part.split.test, part.fitted[compared.choice.name]
    chosen = np.sort(rng.choice(len(test), min(len(test), MOST_ROWS), replace=False))
    values, y = {name: column[chosen] for name, column in test.values.items()}, test.y[chosen]
    rows = Rows(values, test.encoder, y)
    before = _quality(scores(fitted, rows), y, compared)
    lost = np.zeros(len(test.encoder.parts))
    for place, column in enumerate(test.encoder.parts):
        for _ in range(N_SHUFFLES):
            shuffled = {**values, column.name: values[column.name][rng.permutation(len(y))]}
            lost[place] += (
                before - _quality(scores(fitted, replace(rows, values=shuffled, _views={})), y, compared)
            ) / N_SHUFFLES
    return lost


def _quality(score: Array, y: Array, compared: Compared) -> float:
    """Return ROC-AUC, or minus the root mean squared error."""
    return auc(y, score) if compared.task == "churn" else -float(np.sqrt(np.mean((score - y) ** 2)))
