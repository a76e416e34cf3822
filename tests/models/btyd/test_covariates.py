"""Static covariates: found again in simulated customers, the plain model where they say nothing, the same however they are coded."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.errors import ContractError, RegistryError
from customer_genome.models.btyd.covariates import CovariatePurchases, _form_of, _Problem
from customer_genome.models.btyd.histories import collapse
from customer_genome.models.btyd.purchase_model import purchase_model_class

MODELS = ("BG/NBD", "MBG/NBD", "Pareto/NBD")
Shop = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def shop(n: int = 6_000, rate: float = 0.7, stopping: float = -0.6, seed: int = 1) -> Shop:
    """Return x, t_x, T and one 0/1 covariate of customers who buy by BG/NBD in whole time."""
    rng = np.random.default_rng(seed)
    z = (np.arange(n) % 2).astype(float)
    age = rng.integers(100, 500, n).astype(float)
    buys = rng.gamma(0.9, 1 / 60, n) * np.exp(rate * z)
    stops = rng.beta(0.9 * np.exp(stopping * z), 3.0, n)
    x, last, active = np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    now = np.zeros(n)
    while active.any():
        now = now + rng.exponential(1.0, n) / buys
        bought = active & (now <= age)
        x[bought] += 1
        last[bought] = now[bought]
        active = bought & (rng.random(n) >= stops)
    return x, last, age, z


def test_coefficients_are_found_within_their_errors() -> None:
    x, last, age, z = shop()
    found = CovariatePurchases.fit("BG/NBD", x, last, age, z[:, None], ["online"])
    errors = found.report.standard_errors
    for name, truth in (("rate: online", 0.7), ("stopping: online", -0.6), ("r", 0.9), ("a", 0.9)):
        assert abs(found.report.parameters[name] - truth) < 3.5 * errors[name]
    assert errors["rate: online"] < 0.1
    assert "buy 2." in found.report.reading[0] or "buy 1.9" in found.report.reading[0]


@pytest.mark.parametrize("model", MODELS)
def test_the_slope_is_that_of_the_likelihood(model: str) -> None:
    x, last, age, z = shop(400)
    table = np.column_stack([z, np.arange(400) % 3])
    rows, place = np.unique(table, axis=0, return_inverse=True)
    groups = [collapse(x[place == k], last[place == k], age[place == k]) for k in range(len(rows))]
    problem = _Problem(*_form_of(model), rows, groups)
    point = np.array([-0.3, 0.2, -0.4, 0.5, 0.3, -0.2, 0.1, 0.4])
    slope = problem.loss(point)[1]
    for k, step in enumerate(np.eye(8) * 1e-5):
        assert slope[k] == pytest.approx(
            (problem.loss(point + step)[0] - problem.loss(point - step)[0]) / 2e-5, rel=1e-5, abs=1e-8
        )


@pytest.mark.parametrize("model", MODELS)
def test_a_covariate_that_says_nothing_leaves_the_plain_model(model: str) -> None:
    x, last, age, _ = shop(2_000, rate=0.0, stopping=0.0, seed=2)
    says_nothing = np.random.default_rng(3).integers(0, 2, len(x))[:, None]
    found = CovariatePurchases.fit(model, x, last, age, says_nothing, ["coin"])
    plain = purchase_model_class(model)().fit(x, last, age)
    assert found.report.log_likelihood >= plain.report_.log_likelihood - 1e-6
    assert found.report.log_likelihood - plain.report_.log_likelihood < 8  # twice this is chi-squared with two degrees
    both = [found.predict(x, last, age, says_nothing, 90)["expected_orders"].sum(), plain.expected_orders(x, last, age, 90).sum()]
    assert both[0] == pytest.approx(both[1], rel=0.02)


def test_it_does_not_matter_which_value_is_called_one() -> None:
    x, last, age, z = shop(3_000)
    one = CovariatePurchases.fit("BG/NBD", x, last, age, z[:, None], ["online"])
    other = CovariatePurchases.fit("BG/NBD", x, last, age, 1 - z[:, None], ["offline"])
    np.testing.assert_allclose([one.rate, one.stopping], [-other.rate, -other.stopping], atol=1e-4)
    assert one.report.log_likelihood == pytest.approx(other.report.log_likelihood, rel=1e-9)
    ours = one.predict(x, last, age, z[:, None], 90)
    for name, values in other.predict(x, last, age, 1 - z[:, None], 90).items():
        np.testing.assert_allclose(values, ours[name], rtol=1e-3)


def test_a_weight_counts_customers() -> None:
    x, last, age, z = shop(600)
    weights = 1 + np.arange(600) % 3
    weighed = CovariatePurchases.fit("BG/NBD", x, last, age, z[:, None], ["online"], weights)
    rows = np.repeat(np.arange(600), weights)
    repeated = CovariatePurchases.fit("BG/NBD", x[rows], last[rows], age[rows], z[rows, None], ["online"])
    np.testing.assert_allclose(weighed.rate, repeated.rate, rtol=1e-6)
    assert weighed.report.n_customers == repeated.report.n_customers == weights.sum()


def test_days_and_weeks_say_the_same() -> None:
    x, last, age, z = shop(3_000)
    days = CovariatePurchases.fit("MBG/NBD", x, last, age, z[:, None], ["online"])
    weeks = CovariatePurchases.fit("MBG/NBD", x, last / 7, age / 7, z[:, None], ["online"])
    np.testing.assert_allclose(days.rate, weeks.rate, rtol=1e-5)
    assert days.report.parameters["alpha"] == pytest.approx(7 * weeks.report.parameters["alpha"], rel=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_stored_model_predicts_identically(model: str) -> None:
    x, last, age, z = shop(600)
    table = np.column_stack([z, np.arange(600) % 2 == np.arange(600) % 3])
    found = CovariatePurchases.fit(model, x, last, age, table, ["online", "abroad"])
    again = CovariatePurchases.from_arrays(found.to_arrays())
    assert again.report.sentences() == found.report.sentences()
    ours, theirs = found.predict(x, last, age, table, 60), again.predict(x, last, age, table, 60)
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name])
    with pytest.raises(RegistryError, match="covariate_rate"):
        CovariatePurchases.from_arrays({key: value for key, value in found.to_arrays().items() if key != "covariate_rate"})


def test_every_fault_is_named_at_once() -> None:
    x, last, age, z = shop(60)
    table = np.column_stack([np.ones(60), np.where(z > 0, np.nan, 0.0)])
    with pytest.raises(ContractError, match="same is 1 for everybody; channel is not a finite number in 30 rows"):
        CovariatePurchases.fit("BG/NBD", x, last, age, table, ["same", "channel"])
    with pytest.raises(ContractError, match="59 rows for 60 customers"):
        CovariatePurchases.fit("BG/NBD", x, last, age, z[:59, None], ["channel"])
    many = shop(2_100)
    with pytest.raises(ContractError, match="Put numbers into bands"):
        CovariatePurchases.fit("BG/NBD", *many[:3], np.arange(2_100.0)[:, None], ["age"])
    with pytest.raises(RegistryError, match="BG/NBD"):
        CovariatePurchases.fit("BGNBD", x, last, age, z[:, None], ["channel"])
