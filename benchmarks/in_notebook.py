"""One pass over a simulated shop with well-known libraries, as an analyst writes it: facts, value, churn, clusters, lists."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from in_pandas import results_of

HORIZON = 180
LEARNED: list[str] = [
    "n_orders",
    "total_spend",
    "recency_days",
    "tenure_days",
    "activity_days",
    "mean_order_value",
    "unique_products",
]
ROWS_TO_JUDGE = 2_000
LENGTH = 12


def value(facts: pd.DataFrame) -> pd.DataFrame:
    """Return orders and value over the horizon by BG/NBD and Gamma-Gamma, fitted by lifetimes."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    history = (facts["n_purchase_days"] - 1, facts["activity_days"], facts["tenure_days"] - 1)
    purchases = BetaGeoFitter(penalizer_coef=0.001).fit(*history)
    some = facts["n_purchase_days"] > 1
    spend = GammaGammaFitter(penalizer_coef=0.001).fit(history[0][some], facts["mean_spend_per_day"][some])
    return pd.DataFrame(
        {
            "p_alive": purchases.conditional_probability_alive(*history),
            "orders": purchases.conditional_expected_number_of_purchases_up_to_time(HORIZON, *history),
            "clv": spend.customer_lifetime_value(purchases, *history, facts["mean_spend_per_day"], time=6, discount_rate=0.008),
        }
    )


def churn(facts: pd.DataFrame, earlier: pd.DataFrame, bought_since: pd.Index) -> np.ndarray:
    """Return the chance of no order within the horizon, by trees that learned it one horizon ago."""
    from lightgbm import LGBMClassifier

    if len(earlier) < 50:
        return np.full(len(facts), np.nan)
    model = LGBMClassifier(n_estimators=120, num_leaves=15, learning_rate=0.05, verbose=-1, n_jobs=1)
    model.fit(earlier[LEARNED], ~earlier["customer_id"].isin(bought_since))
    return np.asarray(model.predict_proba(facts[LEARNED]))[:, 1]


def clusters(facts: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return customers parted in three ways; the number of groups by silhouette and BIC on some of them."""
    from sklearn.cluster import AgglomerativeClustering, KMeans
    from sklearn.metrics import silhouette_score
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import NearestCentroid
    from sklearn.preprocessing import StandardScaler

    points = StandardScaler().fit_transform(np.log1p(facts[LEARNED].to_numpy(dtype=np.float64)))
    some = points[np.linspace(0, len(points) - 1, min(len(points), ROWS_TO_JUDGE)).astype(int)]
    tried = {k: KMeans(k, n_init=4, random_state=7).fit(some) for k in range(3, 9)}
    k = max(tried, key=lambda k: silhouette_score(some, tried[k].labels_))
    mixtures = {k: GaussianMixture(k, reg_covar=0.03, random_state=7).fit(some) for k in range(3, 9)}
    trees = {k: AgglomerativeClustering(k).fit_predict(some) for k in range(3, 9)}
    n_trees = max(trees, key=lambda k: silhouette_score(some, trees[k]))
    return {
        "kmeans": KMeans(k, n_init=4, random_state=7).fit_predict(points),
        "gmm": min(mixtures.values(), key=lambda one: one.bic(some)).predict(points),
        "hierarchical": NearestCentroid().fit(some, trees[n_trees]).predict(points),
    }


def lists(kept: pd.DataFrame) -> pd.DataFrame:
    """Return for every customer the products that go best with what they bought."""
    from scipy.sparse import csr_matrix, diags

    customer, product = (pd.Categorical(kept[name]) for name in ("customer_id", "product_id"))
    bought = csr_matrix((np.ones(len(kept)), (customer.codes, product.codes)))
    bought.data[:] = 1.0
    size = np.sqrt(np.maximum(np.asarray(bought.sum(axis=0)).ravel(), 1.0))
    alike = diags(1 / size) @ (bought.T @ bought) @ diags(1 / size)
    found = []
    for start in range(0, bought.shape[0], 1_000):
        score = np.asarray((bought[start : start + 1_000] @ alike).todense())
        best = np.argsort(-score, axis=1)[:, :LENGTH]
        found.append(
            pd.DataFrame(
                {
                    "customer_id": np.repeat(customer.categories[start : start + len(best)], best.shape[1]),
                    "product_id": product.categories.to_numpy()[best.ravel()],
                    "score": np.take_along_axis(score, best, axis=1).ravel(),
                }
            )
        )
    return pd.concat(found)


def main(data: Path, folder: Path) -> None:
    """Write every table as Parquet."""
    warnings.simplefilter("ignore")
    results = results_of(data, folder / "rows.parquet")
    facts, rows = results["facts"], pd.read_parquet(folder / "rows.parquet")
    kept = rows[rows["row_class"] == "kept"]
    cut = kept["ordered_at"].max() - pd.Timedelta(days=HORIZON)
    kept[kept["ordered_at"] < cut].drop(columns=["money", "row_class"]).to_parquet(folder / "earlier.parquet")
    earlier = results_of(folder / "earlier.parquet", folder / "rows_earlier.parquet")["facts"]
    since = pd.Index(kept.loc[kept["ordered_at"] >= cut, "customer_id"].astype(np.int64).astype(str).unique())
    told = facts.join(value(facts)).assign(churn=churn(facts, earlier, since), **clusters(facts))
    told.to_parquet(folder / "customers.parquet")
    results["ledger"].to_parquet(folder / "ledger.parquet")
    lists(kept).to_parquet(folder / "recommendations.parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
