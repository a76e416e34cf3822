"""Tables of smooth functions: as exact as promised, and the same for a customer whoever else is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.btyd.active_future import ActiveFuture, Horizons, time_scale
from customer_genome.models.btyd.history_tables import HistoryTable
from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.spend import GammaGamma
from customer_genome.models.btyd.spend_outcomes import SpendOutcomes

MODELS: tuple[PurchaseModel, ...] = (
    BetaGeometricNBD.from_parameters(0.243, 31.0, 0.79, 2.43),
    BetaGeometricNBD.from_parameters(1.0, 1e-3, 1.0, 1.0),
    BetaGeometricNBD.from_parameters(50.0, 1000.0, 0.0, 1.0),
    BetaGeometricNBD.from_parameters(90.0, 1.0, 2.7, 1.0),
    ModifiedBetaGeometricNBD.from_values({"r": 0.5, "alpha": 6.0, "a": 0.9, "b": 1.6}),
    ParetoNBD.from_values({"r": 0.55, "alpha": 74.0, "s": 0.6, "beta": 82.0}),
    ParetoNBD.from_values({"r": 2.0, "alpha": 500.0, "s": 0.3, "beta": 2.0}),
)
AT = np.array([1.0, 30.0, 180.0, 730.0])


def some_histories(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.integers(0, 40, n), rng.integers(40, 5000, n // 8)]).astype(float)
    return x, np.where(np.arange(len(x)) % 9 == 0, 0.0, rng.uniform(0, 3000, len(x)))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.name} {model.parameters_}")
def test_what_is_read_is_what_would_have_been_computed(model):
    x, age = some_histories()
    orders, _, some = ActiveFuture(model, Horizons.of(AT)).rows(x, age)
    direct = model.expected_orders_if_active(x, age, AT)
    np.testing.assert_allclose(orders, direct, rtol=1e-6)
    chance = np.column_stack([model.at_least_if_active(np.ones(1), x, age, horizon)[:, 0] for horizon in AT])
    np.testing.assert_allclose(some, chance, rtol=1e-6)


def test_the_rounding_of_a_row_does_not_depend_on_its_company():
    table = HistoryTable(lambda x, age: np.column_stack([np.log(x + age + 3.0), np.sqrt(age + x + 1)]), 20.0)
    x, age = some_histories()
    whole = table.rows(x, age)
    for part in (slice(0, 1), slice(3, 17), slice(100, 301)):
        np.testing.assert_array_equal(table.rows(x[part], age[part]), whole[part])
    another = HistoryTable(table._compute, 20.0)
    np.testing.assert_array_equal(another.rows(x[::-1], age[::-1]), whole[::-1])


def test_edges_of_cells_belong_to_both_sides():
    table = HistoryTable(lambda x, age: (x + np.exp(-age / 90.0))[:, None], 30.0)
    x = np.array([15.0, 16.0, 31.0, 32.0, 64.0])
    age = np.array([0.0, 30.0, 90.0, np.nextafter(90.0, 0), 210.0])
    np.testing.assert_allclose(table.rows(x, age)[:, 0], x + np.exp(-age / 90.0), rtol=1e-9)


def test_the_scale_is_the_smallest_time_of_the_model():
    assert time_scale(MODELS[-1]) == 2.0
    assert time_scale(MODELS[0]) == 31.0


@pytest.mark.parametrize("model", [MODELS[0], MODELS[4], MODELS[5]], ids=lambda model: model.name)
@pytest.mark.parametrize("spend", [(6.25, 3.74, 15.44), (0.5, 1.2, 10.0)])
def test_quantiles_of_outcomes_are_those_of_simulated_ones(model, spend):
    """Within what a simulation of 60,000 outcomes can tell, by probabilities."""
    p, q, _ = spend
    rng = np.random.default_rng(1)
    outcomes = SpendOutcomes(model, GammaGamma.from_parameters(*spend), Horizons.of([180.0]), 0.05)
    for x, age in ((0.0, 50.0), (3.0, 300.0), (60.0, 400.0)):
        counts = model._draw_if_active(np.array([x]), np.array([age]), 180.0, 60_000, rng)[0]
        counts = counts[counts > 0]
        sums = rng.gamma(p * counts) / rng.gamma(p * (x + 1) + q, size=len(counts))
        rows = outcomes.rows(np.array([x]), np.array([age]), np.array([x + 1]))
        first = np.zeros(1, dtype=np.intp)
        for tail in (0.1, 0.5, 0.9):
            value = outcomes.read(rows, first, np.array([[tail]]))[0, 0]
            error = np.sqrt(tail * (1 - tail) / len(sums))
            assert abs((sums > value).mean() - tail) < 4 * error + 0.002
            assert outcomes.exceeded(rows, first, first, np.log([value]))[0] == pytest.approx(tail, abs=1e-6)
