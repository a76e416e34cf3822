"""Every candidate of a backtest, in the order of its tables. A new one is a file with a class, and a line here."""

from __future__ import annotations

from customer_genome.models.candidates.boosted import LightGBMHurdle
from customer_genome.models.candidates.champion import ChampionForecast
from customer_genome.models.candidates.contract import Candidate
from customer_genome.models.candidates.formulas import (
    HistoricalRate,
    LastPeriod,
    MeanOfEverybody,
    RecencyFrequencyGrid,
    RecencyRule,
)
from customer_genome.models.candidates.linear import LinearHurdle
from customer_genome.models.candidates.purchase_models import OwnForecast, PlainPurchaseModel

CANDIDATES: tuple[Candidate, ...] = (
    ChampionForecast(),
    OwnForecast(),
    PlainPurchaseModel(),
    LinearHurdle(),
    LightGBMHurdle(),
    LastPeriod(),
    HistoricalRate(),
    RecencyRule(),
    MeanOfEverybody(),
    RecencyFrequencyGrid(),
)
OWN = OwnForecast.name
CHAMPION = ChampionForecast.name
