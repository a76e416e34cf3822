"""Candidates that learn from earlier cutoffs what follows from facts: linear models on logarithms, and boosted trees.

Comes in: facts as of a cutoff, and facts with outcomes of earlier cutoffs that have ended. Goes out: chance times money given
an order (a hurdle), both learned from those cutoffs alone. What plain BG/NBD and Gamma-Gamma say, fitted as of each cutoff,
is among the facts. Everything is seeded: the same facts give the same forecast.

Source
------
Cragg (1971), Econometrica 39, for the hurdle; Duan (1983), Smearing Estimate, JASA 78, for the way back from logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_genome.models.candidates.contract import Candidate, Expected, Known, Past
from customer_genome.models.candidates.purchase_models import Plain
from customer_genome.models.estimator import Array

FEWEST_BUYERS = 20
"""Fewer buyers, or others, among all earlier cutoffs teach nothing."""
SEED = 7


def features_of(known: Known) -> Array:
    """Return the features of a cutoff's customers, shape (n_customers, n_features), NaN where a fact is empty.

    Every fact on a logarithmic scale, ratios of recency to rhythm, and what plain BG/NBD and Gamma-Gamma expect.
    """
    if "features" not in known.worked_out:
        known.worked_out["features"] = _worked_out(known)
    return known.worked_out["features"]


def _worked_out(known: Known) -> Array:
    """Return the features of a cutoff's customers."""
    facts = known.facts
    columns = [_log(values) for values in facts.values()]
    tenure, recency = np.maximum(facts["tenure_days"], 1.0), facts["recency_days"]
    per_day = facts["n_purchase_days"] / tenure
    columns += [
        recency / tenure,
        _log(recency * per_day),
        _log(1 / per_day),
        _log(facts["total_spend"] / tenure * known.horizon_days),
    ]
    plain = Plain.of(known).columns(known.horizon_days)
    chance = np.clip(plain["chance"], 1e-6, 1 - 1e-6)
    columns += [_log(values) for values in plain.values()]
    columns.append(np.log(chance) - np.log1p(-chance))
    return np.column_stack(columns)


def _log(values: Array) -> Array:
    """Return sign(x) * log(1 + |x|)."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)), dtype=np.float64)


def _differs(columns: Array) -> npt.NDArray[np.bool_]:
    """Return which columns hold at least two values: a constant or empty fact teaches nothing."""
    known = np.isfinite(columns)
    highest = np.where(known, columns, -np.inf).max(axis=0, initial=-np.inf)
    return np.asarray(highest > np.where(known, columns, np.inf).min(axis=0, initial=np.inf))


class _Hurdle(Candidate):
    """Chance to order times money given an order, each learned from all earlier cutoffs together."""

    kind = "model"

    def forecast(self, known: Known, past: Sequence[Past]) -> Expected | None:
        """Return the hurdle's forecast, None where earlier cutoffs have too few buyers or too few others."""
        from threadpoolctl import threadpool_limits

        ordered = np.concatenate([one.ordered for one in past]) if past else np.empty(0)
        spend = np.concatenate([one.spend for one in past]) if past else np.empty(0)
        pays = (ordered > 0) & (spend > 0)
        if min(pays.sum(), len(ordered) - ordered.sum()) < FEWEST_BUYERS:
            return None
        lesson = f"{self.name} {[one.known.as_of for one in past]}"
        if f"{lesson} spend" in known.worked_out:
            return Expected(known.worked_out[f"{lesson} spend"], known.worked_out[f"{lesson} chance"])
        learned, now = np.vstack([features_of(one.known) for one in past]), features_of(known)
        tells = _differs(learned) & _differs(learned[pays])
        learned, now = learned[:, tells], now[:, tells]
        with threadpool_limits(1):  # small tables: threads that wait for one another cost more than they bring
            chance = np.clip(self._chance(learned, ordered, now), 0.0, 1.0)
            money = self._money(learned[pays], spend[pays], now)
        expected = chance * money * (spend[ordered > 0].sum() / spend[pays].sum())
        known.worked_out.update({f"{lesson} spend": expected, f"{lesson} chance": chance})
        return Expected(expected, chance)

    def _chance(self, learned: Array, ordered: Array, now: Array) -> Array:
        """Return the chance to order of each customer."""
        raise NotImplementedError

    def _money(self, learned: Array, spend: Array, now: Array) -> Array:
        """Return the money of each customer given an order."""
        raise NotImplementedError


class LinearHurdle(_Hurdle):
    """Logistic regression for the order, ridge regression for the logarithm of money."""

    name = "logistic + ridge"
    about = "logistic regression of ordering and ridge regression of log money on log facts, learned from earlier cutoffs"

    def _chance(self, learned: Array, ordered: Array, now: Array) -> Array:
        from sklearn.linear_model import LogisticRegression

        model = _scaled(LogisticRegression(C=0.1, solver="newton-cholesky", max_iter=200)).fit(learned, ordered)
        return np.asarray(model.predict_proba(now)[:, 1], dtype=np.float64)

    def _money(self, learned: Array, spend: Array, now: Array) -> Array:
        from sklearn.linear_model import Ridge

        log_spend = np.log(spend)
        model = _scaled(Ridge(alpha=30.0)).fit(learned, log_spend)
        smearing = float(np.mean(np.exp(log_spend - model.predict(learned))))
        within = np.clip(model.predict(now), log_spend.min(), log_spend.max())
        return np.asarray(np.exp(within) * smearing, dtype=np.float64)


class BoostedHurdle(_Hurdle):
    """Gradient boosting on histograms for both halves."""

    name = "boosted trees"
    about = "gradient boosting (scikit-learn) of ordering and of money given an order, learned from earlier cutoffs"

    def _chance(self, learned: Array, ordered: Array, now: Array) -> Array:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(**_SMALL_TREES).fit(learned, ordered)
        return np.asarray(model.predict_proba(now)[:, 1], dtype=np.float64)

    def _money(self, learned: Array, spend: Array, now: Array) -> Array:
        from sklearn.ensemble import HistGradientBoostingRegressor

        scale = float(spend.mean())
        model = HistGradientBoostingRegressor(loss="gamma", **_SMALL_TREES).fit(learned, spend / scale)
        return np.asarray(model.predict(now) * scale, dtype=np.float64)


_SMALL_TREES: dict[str, Any] = {
    "learning_rate": 0.05,
    "max_iter": 120,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "early_stopping": False,
    "random_state": SEED,
}


def _scaled(model: Any) -> Any:
    """Return a pipeline that fills empty facts with the mean, scales, and fits; all learned from the training rows only."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), model)
