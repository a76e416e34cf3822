"""Every answer of every model is a number where double precision has none left for the printed formulas."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from customer_genome.models import BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD

# frequency, recency, age: nothing seen, next to nothing seen, thousands of years, thousands of purchases in no time and in all of it
CUSTOMERS = (
    (0, 0, 0), (0, 0, 1e-9), (0, 0, 1e7), (1, 1e-9, 1e-9), (1, 1e-9, 1e7), (5000, 1, 1), (5000, 1e-6, 1e7), (5000, 1e7, 1e7),
    (5000, 4999, 5000), (30, 3e3, 3e3),
)  # fmt: skip
SHAPES, SCALES = (1e-7, 1.0, 1e6), (1e-6, 1.0, 1e8)


@pytest.fixture(scope="module")
def customers() -> tuple[np.ndarray, ...]:
    return tuple(np.array(column, dtype=float) for column in zip(*CUSTOMERS, strict=True))


@pytest.mark.parametrize("kind", [BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD], ids=lambda kind: kind.name)
@pytest.mark.parametrize("r", SHAPES)
def test_answers_are_finite_whatever_the_parameters_and_the_history(kind, r, customers):
    for rest in itertools.product(SCALES, SHAPES, SCALES):
        model = kind.from_values(dict(zip(kind.parameter_names, (r, *rest), strict=True)))
        for horizon in (0.0, 1e-6, 180.0, 1e7):
            predicted = model.predict(*customers, horizon)
            assert all(np.isfinite(values).all() and (values >= 0).all() for values in predicted.values()), (rest, horizon)
            assert predicted["p_alive"].max() <= 1 and predicted["probability_of_order"].max() <= 1
            several = model.probability_of_at_least(7, *customers, horizon)
            assert (several <= predicted["probability_of_order"] * (1 + 1e-9)).all(), (rest, horizon)
        assert (model.days_until_order(*customers) > 0).all()
        assert (model.simulate_orders(*customers, 180.0, 2, seed=1) >= 0).all()
