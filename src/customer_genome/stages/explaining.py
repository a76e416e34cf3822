"""Why each forecast is what it is, and how far to trust it: reasons and reliability of customers, row by row.

Comes in: the models a run scores with, and customers as the champion sees them. Goes out: what every fact adds to the log-odds to order,
`reason_1` to `reason_3` in business words, and a grade of reliability. Nothing is fitted, read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pyarrow as pa

from customer_genome.decisions.reason_words import RATED
from customer_genome.decisions.reasons import N_REASONS, Spoken, reasons
from customer_genome.models.candidates import Known
from customer_genome.models.candidates.champion import Champion
from customer_genome.models.candidates.contract import Contributions, Expected
from customer_genome.models.estimator import Array
from customer_genome.models.own_shares import FACTS, PurchaseChance, Typical, handed_to_facts, history_shares
from customer_genome.models.reliability import Reliability
from customer_genome.stages.fitting import Models

TYPICAL = "typical"
REASON_COLUMNS = tuple(f"reason_{number}" for number in range(1, N_REASONS + 1))
EXPLAINED_SCHEMA = pa.schema([("reliability", pa.string()), *((name, pa.string()) for name in REASON_COLUMNS)])
"""What is published of every customer."""


@dataclass(frozen=True)
class Explainer:
    """Explains forecasts of a champion, or of the purchase model alone where there is none for the horizon.

    Attributes
    ----------
    typical : the customer with whom all others are compared, as to what the purchase model says
    reliability : None where too few forecasts could be held against what came
    """

    champion: Champion | None
    chance: PurchaseChance
    typical: Typical
    reliability: Reliability | None
    currency: str
    has_money: bool = True

    @classmethod
    def of(cls, models: Models, as_of: int, horizon_days: int, currency: str, *, has_money: bool = True) -> Self:
        """Return the explainer of what stored or fitted models say at a cutoff."""
        champion = models.champion_for(horizon_days)
        chance = PurchaseChance(models.purchases, models.clock, as_of, horizon_days)
        reliability = Reliability.of(champion.held_out) if champion else None
        return cls(champion, chance, typical_of(models.champion, horizon_days), reliability, currency, has_money)

    def contributions(self, known: Known) -> Contributions:
        """Return what each fact adds to the log-odds to order of the published forecast; base + the sum of a row are its log-odds.

        Parameters
        ----------
        known : with `own` filled
        """
        assert known.own is not None and known.own.chance is not None  # whoever forecasts has it
        own = history_shares(self.chance, [known.facts[name] for name in FACTS], known.own.chance, self.typical)
        if self.champion is None:
            return own
        blended = self.champion.blended.contributions(known)
        return self.champion.calibrated(handed_to_facts(blended, own, self.champion.own_weight, known.own.chance))

    def called(self, names: Sequence[str]) -> list[str]:
        """Return facts under the names by which they are put into words: those of ratings have other words than those of orders."""
        return [name if self.has_money else f"{RATED}{name}" for name in names]

    def reasons(self, known: Known, n_reasons: int = N_REASONS) -> Spoken:
        """Return the strongest reasons of every customer, and the points of all themes."""
        found = self.contributions(known)
        return reasons(
            self.called(found.names),
            found.values,
            found.base,
            dict(zip(self.called(list(known.facts)), known.facts.values(), strict=True)),
            horizon_days=known.horizon_days,
            currency=self.currency,
            n_reasons=n_reasons,
        )

    def columns(self, known: Known, expected: Expected) -> dict[str, Any]:
        """Return the columns of `EXPLAINED_SCHEMA`; reliability is null where none could be measured.

        Parameters
        ----------
        expected : what is published of these customers
        """
        texts = dict(zip(REASON_COLUMNS, self.reasons(known).texts, strict=True))
        return {"reliability": self._grades(known, expected), **texts}

    def _grades(self, known: Known, expected: Expected) -> pa.Array:
        """Return the grade of every customer."""
        if self.reliability is None or expected.spend is None or expected.lower is None or expected.upper is None:
            return pa.nulls(len(known), pa.string())
        return pa.array(
            self.reliability.grades(expected.spend, expected.lower, expected.upper, known.facts["n_purchase_days"]), pa.string()
        )


def with_typical(champion: Champion, facts: Mapping[str, Array]) -> Champion:
    """Return a champion that remembers its typical customer: the medians of those it was chosen for."""
    typical = Typical.of(*(facts[name] for name in FACTS))
    return replace(champion, figures={**champion.figures, TYPICAL: dict(zip(FACTS, typical.as_tuple(), strict=True))})


def typical_of(champion: Champion | None, horizon_days: int) -> Typical:
    """Return the typical customer a champion remembers; one purchase, half a horizon ago, of one that remembers none."""
    found: Mapping[str, float] = champion.figures.get(TYPICAL, {}) if champion else {}
    if all(name in found for name in FACTS):
        return Typical(*(float(found[name]) for name in FACTS))
    half = float(max(1, horizon_days // 2))
    return Typical(1.0, half, half)
