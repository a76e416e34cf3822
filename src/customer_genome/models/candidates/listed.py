"""Every candidate of a backtest, in the order of its tables. A new one is a class and a line here."""

from __future__ import annotations

from customer_genome.models.candidates.blend import Blend
from customer_genome.models.candidates.contract import Candidate
from customer_genome.models.candidates.formulas import (
    HistoricalRate,
    LastPeriod,
    MeanOfEverybody,
    RecencyFrequencyGrid,
    RecencyRule,
)
from customer_genome.models.candidates.purchase_models import OwnForecast, PlainPurchaseModel
from customer_genome.models.candidates.tabular import BoostedHurdle, LinearHurdle

CANDIDATES: tuple[Candidate, ...] = (
    OwnForecast(),
    PlainPurchaseModel(),
    LinearHurdle(),
    BoostedHurdle(),
    Blend(),
    LastPeriod(),
    HistoricalRate(),
    RecencyRule(),
    MeanOfEverybody(),
    RecencyFrequencyGrid(),
)
OWN = OwnForecast.name
