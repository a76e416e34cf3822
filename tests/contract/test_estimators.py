"""One suite that every estimator has to pass. A new estimator adds a `Case`."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from customer_genome.errors import ContractError, NotFittedError, RegistryError
from customer_genome.models import BetaGeometricNBD, Estimator, FitReport, GammaGamma, ModifiedBetaGeometricNBD, ParetoNBD


@dataclass(frozen=True)
class Case:
    """An estimator, customers to fit it to (one array per input column), and what `predict` takes besides them."""

    make: Callable[[], Any]
    customers: tuple[np.ndarray, ...]
    one_customer: tuple[np.ndarray, ...]
    predict_options: dict[str, Any]

    def fitted(self) -> Any:
        return self.make().fit(*self.customers)

    def predict(self, model: Any, customers: tuple[np.ndarray, ...] | None = None) -> dict[str, np.ndarray]:
        return model.predict(*(self.customers if customers is None else customers), **self.predict_options)


def _purchase_histories() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(11)
    age = rng.integers(30, 400, 600)
    frequency = np.minimum(rng.poisson(rng.gamma(0.4, 5.0, 600)), age)
    recency = np.where(frequency > 0, np.maximum((age * rng.beta(2, 1, 600)).astype(int), frequency), 0)
    return frequency.astype(float), recency.astype(float), age.astype(float)


def _spenders() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(12)
    n = rng.integers(1, 12, 600)
    return n.astype(float), rng.gamma(6 * n) / n / rng.gamma(4.0, 1 / 15.0, 600)


CASES = {
    make.name: Case(make, _purchase_histories(), (np.array([2.0]), np.array([14.0]), np.array([60.0])), {"horizon_days": 180})
    for make in (BetaGeometricNBD, ModifiedBetaGeometricNBD, ParetoNBD)
} | {
    "spend": Case(GammaGamma, _spenders(), (np.array([3.0]), np.array([20.0])), {}),
}


@pytest.fixture(params=sorted(CASES), scope="module")
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def model(case) -> Any:
    return case.fitted()


def test_it_keeps_the_protocol(model):
    assert isinstance(model, Estimator)
    assert isinstance(model.report_, FitReport)


def test_fit_returns_the_model_itself(case):
    model = case.make()
    assert model.fit(*case.customers) is model


def test_nothing_can_be_asked_before_the_fit(case):
    model = case.make()
    for ask in (lambda: case.predict(model), lambda: model.report_, model.to_arrays):
        with pytest.raises(NotFittedError, match="before it was fitted"):
            ask()


def test_predictions_are_named_finite_and_one_per_customer(case, model):
    predicted = case.predict(model)
    assert predicted
    for name, values in predicted.items():
        assert name.islower()
        assert values.shape == case.customers[0].shape
        assert values.dtype == np.float64
        assert np.isfinite(values).all()


def test_no_customers_give_no_predictions(case, model):
    for values in case.predict(model, tuple(np.empty(0) for _ in case.customers)).values():
        assert values.shape == (0,)


def test_a_stored_model_predicts_identically(case, model):
    """Through a file of plain arrays that refuses pickled objects."""
    file = io.BytesIO()
    np.savez(file, **model.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        again = case.make().from_arrays({name: stored[name] for name in stored.files})
    assert again.report_ == model.report_
    for name, values in case.predict(model).items():
        np.testing.assert_array_equal(case.predict(again)[name], values)


def test_arrays_hold_numbers_and_text_only(model):
    assert all(values.dtype.kind in "fiubU" for values in model.to_arrays().values())


def test_incomplete_arrays_are_refused(case, model):
    arrays = model.to_arrays()
    arrays.pop("parameters")
    with pytest.raises(RegistryError, match="parameters are missing"):
        case.make().from_arrays(arrays)


def test_another_models_arrays_are_refused(case, model):
    arrays = model.to_arrays() | {"model": np.array("some other model")}
    with pytest.raises(RegistryError, match="got some other model"):
        case.make().from_arrays(arrays)


def test_weights_mean_repetition(case):
    times = np.random.default_rng(3).integers(1, 4, len(case.customers[0]))
    weighted = case.make().fit(*case.customers, weights=times)
    repeated = case.make().fit(*(np.repeat(column, times) for column in case.customers))
    assert weighted.report_ == repeated.report_


def test_row_order_does_not_matter(case, model):
    order = np.random.default_rng(4).permutation(len(case.customers[0]))
    assert case.make().fit(*(column[order] for column in case.customers)).report_ == model.report_


def test_a_fit_is_repeatable(case, model):
    assert case.fitted().report_ == model.report_


def test_inputs_are_left_as_they_were(case):
    copies = tuple(column.copy() for column in case.customers)
    case.predict(case.make().fit(*case.customers))
    for column, copy in zip(case.customers, copies, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_one_customer_is_enough(case):
    model = case.make().fit(*case.one_customer)
    for values in case.predict(model, case.one_customer).values():
        assert np.isfinite(values).all()


def test_whole_numbers_and_lists_are_as_good_as_float_arrays(case, model):
    as_lists = tuple(column[:20].tolist() for column in case.customers)
    as_arrays = tuple(column[:20] for column in case.customers)
    for name, values in case.predict(model, as_arrays).items():
        np.testing.assert_array_equal(case.predict(model, as_lists)[name], values)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_named_with_their_row(case, bad):
    for index in range(len(case.customers)):
        columns = [column.copy() for column in case.customers]
        columns[index][17] = bad
        with pytest.raises(ContractError, match="first: row 17"):
            case.make().fit(*columns)


def test_columns_of_unequal_length_are_refused(case):
    shorter = (*case.customers[:-1], case.customers[-1][:-1])
    with pytest.raises(ContractError, match="one"):
        case.make().fit(*shorter)


@pytest.mark.parametrize("weights", [[-1.0], [np.nan], [1.0, 1.0]])
def test_bad_weights_are_refused(case, weights):
    with pytest.raises(ContractError, match="weight"):
        case.make().fit(*case.one_customer, weights=weights)


def test_the_report_says_what_was_done(case, model):
    report = model.report_
    assert report.model == model.name
    assert report.n_customers == len(case.customers[0])
    assert 0 < report.n_distinct <= report.n_customers
    assert set(report.standard_errors) == set(report.parameters)
    assert all(error > 0 for error in report.standard_errors.values())
    text = " ".join(report.sentences())
    assert report.rung in text
    assert f"{report.n_customers:,.0f} customers" in text
    assert all(name in text for name in report.parameters)


def test_the_report_carries_its_notices_into_the_sentences(model):
    report = replace(model.report_, notices=("Something to know.",), converged=False)
    assert report.sentences()[-1] == "Something to know."
    assert any("stopped before" in line for line in report.sentences())


def test_standard_errors_come_from_the_covariance(model):
    report = model.report_
    spread = np.sqrt(np.diag(np.array(report.covariance)))
    slopes = np.array([value - (1.0 if name == "q" else 0.0) for name, value in report.parameters.items()])
    np.testing.assert_allclose(list(report.standard_errors.values()), spread * slopes, rtol=1e-12)
    assert np.linalg.eigvalsh(np.array(report.covariance))[0] > 0


def test_arrays_stored_before_there_was_a_covariance_are_read(case, model):
    arrays = model.to_arrays()
    arrays.pop("covariance")
    assert case.make().from_arrays(arrays).report_ == replace(model.report_, covariance=())
