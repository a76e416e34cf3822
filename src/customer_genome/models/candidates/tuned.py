"""Logistic and ridge regression whose penalties are found by a randomised search with five folds.

Comes in: lessons of earlier cutoffs. Goes out: two linear functions. The folds are of customers of the lesson; a search by folds cannot see
that seasons differ, which is why the fixed penalties of `linear` ship and these are compared.

Source
------
Bergstra & Bengio (2012), Random Search for Hyper-Parameter Optimization, JMLR 13.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from customer_genome.models.candidates.learned import SEED
from customer_genome.models.candidates.linear import LinearHurdle
from customer_genome.models.estimator import Array

N_TRIED = 8
N_FOLDS = 5
MOST_ROWS = 8_000
"""More customers than this are represented by about as many in the search; the model found is fitted to all."""


class TunedLinearHurdle(LinearHurdle):
    """Both halves with penalties from a randomised five-fold search."""

    name = "logistic + ridge, tuned"
    about = "as logistic + ridge, penalties and class weights found by a randomised search with five folds"
    ships = False

    def fitted_logistic(self, columns: Array, ordered: Array) -> Any:
        """Return the logistic regression with the smallest log loss over five folds."""
        from scipy.stats import loguniform
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(solver="newton-cholesky", max_iter=200)
        choices = {"C": loguniform(1e-3, 1e2), "class_weight": [None, "balanced"]}
        return _searched(model, choices, "neg_log_loss", columns, ordered)

    def fitted_ridge(self, columns: Array, log_money: Array) -> Any:
        """Return the ridge regression with the smallest squared error over five folds."""
        from scipy.stats import loguniform
        from sklearn.linear_model import Ridge

        return _searched(Ridge(), {"alpha": loguniform(1e-1, 1e3)}, "neg_mean_squared_error", columns, log_money)


def _searched(model: Any, choices: dict[str, Any], scoring: str, columns: Array, wanted: Array) -> Any:
    """Return the model with the best of a few random settings, fitted to all rows."""
    from sklearn.model_selection import RandomizedSearchCV

    step = -(-len(wanted) // MOST_ROWS)
    rows = np.arange(0, len(wanted), step)
    search = RandomizedSearchCV(
        model, choices, n_iter=N_TRIED, scoring=scoring, cv=N_FOLDS, random_state=SEED, refit=False, n_jobs=1
    )
    found = search.fit(columns[rows], wanted[rows])
    return model.set_params(**found.best_params_).fit(columns, wanted)
