"""Every candidate, in the order of tables, the champion apart. A new one is a file with a class, and a line here.

What ships may become part of the champion of a run; the others are compared in backtests only.
"""

from __future__ import annotations

from customer_genome.models.candidates.boosted import LightGBMHurdle
from customer_genome.models.candidates.boosted_xgboost import XGBoostHurdle
from customer_genome.models.candidates.contract import Candidate, Fitted
from customer_genome.models.candidates.forest import HistogramBoosting, RandomForest
from customer_genome.models.candidates.formulas import (
    HistoricalRate,
    LastPeriod,
    MeanOfEverybody,
    RecencyFrequencyGrid,
    RecencyRule,
)
from customer_genome.models.candidates.linear import LinearHurdle
from customer_genome.models.candidates.network import NeuralNet
from customer_genome.models.candidates.purchase_models import OwnForecast, PlainPurchaseModel
from customer_genome.models.candidates.tuned import TunedLinearHurdle
from customer_genome.models.candidates.tweedie import TweedieLinear, TweedieTrees
from customer_genome.models.candidates.zero_inflated import ZeroInflatedLognormal

MEMBERS: tuple[Candidate, ...] = (
    OwnForecast(),
    PlainPurchaseModel(),
    LinearHurdle(),
    TunedLinearHurdle(),
    LightGBMHurdle(),
    XGBoostHurdle(),
    HistogramBoosting(),
    RandomForest(),
    NeuralNet(),
    TweedieTrees(),
    TweedieLinear(),
    ZeroInflatedLognormal(),
    LastPeriod(),
    HistoricalRate(),
    RecencyRule(),
    MeanOfEverybody(),
    RecencyFrequencyGrid(),
)
SHIPPED: tuple[Candidate, ...] = tuple(one for one in MEMBERS if one.ships)
NAIVE: tuple[Candidate, ...] = tuple(one for one in MEMBERS if one.kind == "naive")
FORMS: dict[str, type[Fitted]] = {one.name: one.form for one in MEMBERS}
OWN = OwnForecast.name
