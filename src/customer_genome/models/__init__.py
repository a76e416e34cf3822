"""Models: arrays in, arrays out. They know no database, file, setting or screen."""

from customer_genome.models.btyd.covariates import CovariatePurchases
from customer_genome.models.btyd.lifetime_value import ValueInterval, lifetime_value, lifetime_value_interval
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchase_model import PurchaseModel, purchase_model_from_arrays
from customer_genome.models.btyd.purchases import BetaGeometricNBD, collapse
from customer_genome.models.btyd.season import Clock
from customer_genome.models.btyd.season_fit import DatedHistories, fit_clock
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.totals import SharedHistories, TotalForecast, forecast_totals
from customer_genome.models.btyd.value_path import NextOrder, ValuePath, month_ends, month_offsets, next_order, value_path
from customer_genome.models.estimator import Estimator, FitReport

__all__ = [
    "BetaGeometricNBD",
    "Clock",
    "CovariatePurchases",
    "DatedHistories",
    "Estimator",
    "FitReport",
    "GammaGamma",
    "ModifiedBetaGeometricNBD",
    "NextOrder",
    "ParetoNBD",
    "PurchaseModel",
    "SharedHistories",
    "TotalForecast",
    "ValueInterval",
    "ValuePath",
    "collapse",
    "fit_clock",
    "forecast_totals",
    "lifetime_value",
    "lifetime_value_interval",
    "month_ends",
    "month_offsets",
    "next_order",
    "purchase_model_from_arrays",
    "value_path",
]
