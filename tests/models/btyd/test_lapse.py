"""The integrals behind the Pareto/NBD, against adaptive quadrature, the hypergeometric function and closed forms."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from customer_genome.models.btyd.lapse import at_least_until_stop, expected_until_stop, log_integral, stopping


def logs(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(np.log(low), np.log(high)).map(lambda value: float(np.exp(value)))


def one(function, *values: float):
    return function(*(np.array([float(value)]) for value in values))


def adaptive_log_integral(p: float, q: float, buying: float, stop: float, length: float) -> float:
    """Adaptive quadrature in log(1 + y/m) over pieces, with the largest height taken out."""
    small = min(buying, stop)
    whole = np.log1p(length / small)

    def height(v: float) -> float:
        y = small * np.expm1(v)
        return v - p * np.log1p(y / buying) - q * np.log1p(y / stop)

    grid = np.concatenate([[0.0], whole * np.geomspace(1e-6, 1, 60)])
    heights = [height(v) for v in grid]
    top = max(heights)
    live = [i for i in range(60) if max(heights[i], heights[i + 1]) > top - 45]
    pieces = [integrate.quad(lambda v: np.exp(height(v) - top), grid[i], grid[i + 1], epsrel=1e-12, epsabs=0)[0] for i in live]
    return float(np.log(small) + top + np.log(sum(pieces)))


@settings(max_examples=60)
@given(logs(1e-6, 6000), logs(1e-6, 6000), logs(1e-5, 1e6), logs(1e-5, 1e6), logs(1e-3, 1e6))
def test_the_integral_equals_adaptive_quadrature_also_at_extremes(p, q, buying, stop, length):
    if p + q <= 1:
        p += 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)
        wanted = adaptive_log_integral(p, q, buying, stop, length)
    assert one(log_integral, p, q, buying, stop, length)[0] == pytest.approx(wanted, abs=1e-8)


def hypergeometric_integral(p: float, q: float, buying: float, stop: float, length: float) -> float:
    """The difference of two 2F1 as printed: one form for A >= B, the other for A < B."""

    def antiderivative(a: float, b: float) -> float:
        if a >= b:
            return special.hyp2f1(p + q - 1, q, p + q, (a - b) / a) / a ** (p + q - 1)
        return special.hyp2f1(p + q - 1, p, p + q, (b - a) / b) / b ** (p + q - 1)

    difference = antiderivative(buying, stop) - antiderivative(buying + length, stop + length)
    return float(buying**p * stop**q / (p + q - 1) * difference)


@settings(max_examples=60)
@given(st.floats(0.2, 12), st.floats(1.05, 6), logs(1, 50), logs(1, 50), logs(1, 100))
def test_the_integral_equals_the_printed_hypergeometric_difference(p, q, buying, stop, length):
    wanted = hypergeometric_integral(p, q, buying, stop, length)
    assert np.exp(one(log_integral, p, q, buying, stop, length)[0]) == pytest.approx(wanted, rel=1e-6)


def test_equal_scales_have_a_closed_form():
    """With A = B the integral is A / (p+q-1) (1 - (1 + L/A)^(1-p-q))."""
    for p, q, scale, length in (
        (0.3, 1.5, 7.0, 30.0),
        (5000.3, 1.5, 7.0, 30.0),
        (1e-6, 1.0 + 1e-3, 1e-5, 1e6),
        (4e3, 9e3, 1e6, 1e-3),
    ):
        wanted = np.log(scale / (p + q - 1)) + np.log(-np.expm1((1 - p - q) * np.log1p(length / scale)))
        assert one(log_integral, p, q, scale, scale, length)[0] == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("seed", range(30))
def test_the_means_are_the_slopes_of_the_logarithm(seed):
    """With A and B moved along with the start of the integral, as the gradient of the likelihood needs it."""
    rng = np.random.default_rng(seed)
    p, q, buying, stop, length = np.exp(rng.normal([0.5, 0.5, 1, 1, 1], 1.5))
    q += 1
    found = one(stopping, p, q, buying, stop, length)
    step = 1e-5

    def slope(of: int) -> float:
        up, down = [p, q, buying, stop, length], [p, q, buying, stop, length]
        up[of] += step
        down[of] -= step
        return float((one(log_integral, *up)[0] - one(log_integral, *down)[0]) / (2 * step))

    assert found.log_integral[0] == pytest.approx(one(log_integral, p, q, buying, stop, length)[0], abs=1e-12)
    assert -found.log_buying[0] == pytest.approx(slope(0), rel=1e-4, abs=1e-8)
    assert -found.log_stopping[0] == pytest.approx(slope(1), rel=1e-4, abs=1e-8)
    # d/dA of (1 + y/A)^-p = p y / (A (A + y)) = p (1/A - 1/(A + y)) times itself
    assert p * (1 / buying - found.per_buying[0]) == pytest.approx(slope(2), rel=1e-4, abs=1e-8)
    assert q * (1 / stop - found.per_stopping[0]) == pytest.approx(slope(3), rel=1e-4, abs=1e-8)


def test_nothing_can_happen_in_no_time():
    found = one(stopping, 2.0, 1.5, 3.0, 4.0, 0.0)
    assert found.log_integral[0] == -np.inf
    assert all(
        np.isfinite(values).all() for values in (found.log_buying, found.log_stopping, found.per_buying, found.per_stopping)
    )


def test_a_row_does_not_depend_on_its_company():
    rng = np.random.default_rng(3)
    columns = [np.exp(rng.normal(0, 4, 500)) for _ in range(5)]
    columns[1] += 1
    together, alone = log_integral(*columns), [log_integral(*(column[i : i + 1] for column in columns))[0] for i in range(500)]
    np.testing.assert_array_equal(together, alone)


def at_least(n: float, shape: float, s: float, buying: float, stop: float, horizon: float) -> float:
    return float(
        at_least_until_stop(
            np.array([float(n)]), np.array([shape]), s, np.array([buying]), np.array([stop]), np.array([horizon])
        )[0]
    )


def adaptive_tail(n: int, shape: float, s: float, buying: float, stop: float, horizon: float) -> float:
    """Adaptive quadrature over log(y/A), y the time of the nth purchase, in pieces around the peak."""
    end = np.log(horizon / buying)

    def height(place: float) -> float:
        return n * place - (n + shape) * np.logaddexp(0, place) - s * np.logaddexp(0, place + np.log(buying / stop))

    grid = end - np.append(0.0, np.geomspace(1e-4, 1e3, 400))
    heights = np.array([height(place) for place in grid])
    top = heights.max()
    live = [i for i in range(400) if max(heights[i], heights[i + 1]) > top - 45]
    pieces = [
        integrate.quad(lambda place: np.exp(height(place) - top), grid[i + 1], grid[i], epsrel=1e-11, epsabs=0)[0] for i in live
    ]
    return float(np.exp(top + np.log(sum(pieces)) - special.betaln(n, shape)))


@settings(max_examples=40)
@given(st.integers(1, 400), logs(1e-3, 5000), logs(1e-6, 1e3), logs(1e-3, 1e4), logs(1e-3, 1e4), logs(1e-3, 1e4))
def test_tails_equal_adaptive_quadrature(n, shape, s, buying, stop, horizon):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)
        wanted = adaptive_tail(n, shape, s, buying, stop, horizon)
    assert at_least(n, shape, s, buying, stop, horizon) == pytest.approx(wanted, rel=1e-7, abs=1e-300)


def test_tails_without_stopping_are_negative_binomial():
    n = np.array([1.0, 2.0, 7.0, 300.0])
    tails = at_least_until_stop(n, np.array(3.3), 0.0, np.array(20.0), np.array(50.0), np.array(90.0))
    np.testing.assert_allclose(tails, special.betainc(n, 3.3, 90 / 110))
    nearly = at_least_until_stop(n, np.array(3.3), 1e-9, np.array(20.0), np.array(50.0), np.array(90.0))
    np.testing.assert_allclose(nearly, tails, rtol=1e-7)


def test_the_mean_is_the_sum_of_the_tails():
    n = np.arange(1.0, 6000.0)
    for shape, s, buying, stop, horizon in (
        (0.5, 0.6, 10.0, 12.0, 40.0),
        (30.0, 1.0, 300.0, 80.0, 180.0),
        (2000.0, 4.0, 2000.0, 50.0, 400.0),
    ):
        tails = at_least_until_stop(n, np.array(shape), s, np.array(buying), np.array(stop), np.array(horizon))
        mean = expected_until_stop(np.array(shape), s, np.array(buying), np.array(stop), np.array(horizon))
        assert tails.sum() == pytest.approx(float(mean), rel=1e-8)


@pytest.mark.parametrize("s", [1 - 1e-9, 1.0, 1 + 1e-9, 1 + 1e-13])
def test_the_mean_is_smooth_where_its_printed_form_is_nought_over_nought(s):
    mean = expected_until_stop(np.array(2.0), s, np.array(10.0), np.array(5.0), np.array(30.0))
    assert float(mean) == pytest.approx(2.0 / 10 * 5 * np.log1p(6.0), rel=1e-7)


@pytest.mark.parametrize("n", [1, 2, 5, 1000, 10**9])
@pytest.mark.parametrize("shape", [1e-6, 0.5, 5000.0])
@pytest.mark.parametrize("s", [1e-9, 1.0, 1e4])
def test_tails_stay_chances_at_extremes(n, shape, s):
    for buying, stop, horizon in ((1e-5, 1e6, 1e6), (1e6, 1e-5, 1e6), (1e6, 1e6, 1e-3), (1.0, 1.0, 0.0)):
        assert 0 <= at_least(n, shape, s, buying, stop, horizon) <= 1
