"""The choice among blends and formulas: spend is judged so that the mean wins, not what expects too little of everybody."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.candidates import OWN, Expected, Known
from customer_genome.models.candidates.choice import Chosen, choose
from customer_genome.models.candidates.held_out import HeldOut

N = 4_000
DRAW = np.random.default_rng(3)
CHANCE = DRAW.beta(0.5, 8.0, N)
MEAN = CHANCE * DRAW.gamma(4.0, 15.0, N)
ORDERED = (DRAW.random(N) < CHANCE).astype(np.float64)
SPEND = ORDERED * MEAN / CHANCE * DRAW.gamma(2.0, 0.5, N)
"""Most spend nothing, few spend far more than is expected of them."""


def chosen(formula: Expected) -> Chosen:
    """Return the choice between two members that both tell the truth and a formula."""
    known = Known(0, 90, {"n_purchase_days": np.ones(N)}, Expected(MEAN, CHANCE))
    members = {OWN: Expected(MEAN, CHANCE), "another": Expected(MEAN, CHANCE)}
    tried = HeldOut(known, SPEND, ORDERED, members, None, True)
    formulas = HeldOut(known, SPEND, ORDERED, {"formula": formula}, None, True)
    return choose([tried], [formulas], [OWN, "another"], [OWN, "another"], N)


@pytest.mark.parametrize("factor", [0.25, 0.5, 0.7, 1.5, 3.0])
def test_a_formula_on_a_wrong_level_never_replaces_the_truth(factor: float) -> None:
    found = chosen(Expected(MEAN * factor))
    assert not found.replaced and not found.keeps_level
    formula = next(one for one in found.compared if one.name == "formula" and one.target == "spend")
    assert formula.difference > 0


def test_expecting_nothing_or_the_same_of_everybody_never_replaces_the_truth() -> None:
    for spend in (np.zeros(N), np.full(N, MEAN.mean() / 2), np.full(N, MEAN.mean())):
        found = chosen(Expected(spend))
        assert not found.replaced
        assert all(np.isfinite(one.loss) and one.loss >= 0 for one in found.compared)


def test_a_formula_that_knows_what_comes_replaces_the_blend_and_keeps_its_level() -> None:
    found = chosen(Expected((SPEND + MEAN) / 2))
    assert found.replaced == {"spend": "formula"} and found.keeps_level
    assert found.spend == {"formula": 1.0} and found.odds.keys() == {OWN, "another"}
