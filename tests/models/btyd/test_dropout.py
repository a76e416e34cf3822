"""The arithmetic of dropout at its extremes, against integrals and sums worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, special

from customer_genome.models.btyd.dropout import at_least_while_active, dropout_nodes, expected_while_active


def expected(shape: float, a: float, beta: float, z: float) -> float:
    return float(expected_while_active(np.array([shape]), a, np.array([beta]), np.array([z]))[0])


def summed_tails(shape: float, a: float, beta: float, z: float, most: int) -> float:
    n = np.arange(1.0, most)
    tails = at_least_while_active(n, np.array(shape), a, np.array(beta), np.array(z))
    assert tails[-1] < 1e-13 * tails[0], "the sum has to be complete"
    return float(tails.sum())


@pytest.mark.parametrize(
    ("shape", "a", "beta", "z", "most"),
    [
        (0.243, 0.793, 2.426, 0.9, 3000),
        (5000.2, 0.8, 5002.4, 0.3, 4000),
        (5000.2, 1.0, 5002.4, 2.0, 16000),
        (5000.2, 3000.0, 9000.0, 2.0, 16000),
        (5000.2, 1e-6, 5002.4, 0.05, 1000),
        (12.3, 1e4, 1e5, 1.0, 400),
        (3.2, 1.0, 0.01, 4.0, 400),
        (0.01, 0.5, 0.5, 5.0, 300),
    ],
)
def test_the_quadrature_equals_the_sum_of_tails(shape, a, beta, z, most):
    assert expected(shape, a, beta, z) == pytest.approx(summed_tails(shape, a, beta, z, most), rel=1e-9)


@pytest.mark.parametrize(("shape", "a", "beta", "z"), [(0.3, 1.7, 2.4, 0.8), (2.5, 0.4, 9.0, 3.0), (40.0, 2.2, 41.0, 0.5)])
def test_the_quadrature_equals_the_published_hypergeometric_formula(shape, a, beta, z):
    published = (a + beta - 1) / (a - 1) * (1 - (1 + z) ** -shape * special.hyp2f1(shape, beta, a + beta - 1, z / (1 + z)))
    assert expected(shape, a, beta, z) == pytest.approx(published, rel=1e-9)


@pytest.mark.parametrize(("a", "beta"), [(1e-6, 1e-6), (1e-6, 5000.0), (1e4, 1e-3), (1e5, 1e5), (0.5, 0.5), (1.0, 1.0)])
def test_nodes_reproduce_the_moments_of_the_beta_distribution(a, beta):
    p, weight = dropout_nodes(a, np.array([beta]))
    density = weight * p
    assert density.sum() == pytest.approx(1, rel=1e-12)
    assert (density * p).sum() == pytest.approx(a / (a + beta), rel=1e-8)
    assert (density * p * p).sum() == pytest.approx(a * (a + 1) / ((a + beta) * (a + beta + 1)), rel=1e-8)


def test_the_chance_of_one_or_more_against_an_integral_over_the_rate():
    shape, z = 2.7, 1.3
    silent, _ = integrate.quad(lambda rate: np.exp(-rate * z) * rate ** (shape - 1) * np.exp(-rate), 0, np.inf)
    exact = 1 - silent / special.gamma(shape)
    assert at_least_while_active(np.array([1.0]), np.array(shape), 0.4, np.array(3.0), np.array(z))[0] == pytest.approx(
        exact, rel=1e-9
    )


@pytest.mark.parametrize("shape", [1e-6, 0.2, 5000.0, 1e6])
@pytest.mark.parametrize("a", [0.0, 1e-6, 1.0, 1e5])
@pytest.mark.parametrize("beta", [1e-5, 1.0, 1e6])
@pytest.mark.parametrize("z", [0.0, 1e-9, 1.0, 1e6])
def test_extremes_stay_finite_and_below_the_mean_without_dropout(shape, a, beta, z):
    value = expected(shape, a, beta, z)
    assert np.isfinite(value)
    assert -np.expm1(-shape * np.log1p(z)) * (1 - 1e-5) <= value <= shape * z * (1 + 1e-9)


def test_without_dropout_the_mean_is_rate_times_time():
    assert expected(3.0, 0.0, 2.0, 0.5) == 1.5
    assert expected(3.0, 1e-8, 2.0, 0.5) == pytest.approx(1.5, rel=1e-7)


def test_several_times_at_once_equal_one_after_the_other():
    shape, beta = np.array([0.5, 30.2]), np.array([2.0, 31.0])
    times = np.array([[0.1, 0.7, 2.0], [0.2, 0.4, 1.0]])
    together = expected_while_active(shape, 0.6, beta, times)
    assert together.shape == (2, 3)
    for column in range(3):
        np.testing.assert_array_equal(together[:, column], expected_while_active(shape, 0.6, beta, times[:, column]))
