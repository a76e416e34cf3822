"""Purchase models whose customers differ in what is known about them: country, first basket, channel.

Comes in: purchase histories and, per customer, numbers that do not change (covariates). Goes out: one purchase model per distinct set of
covariates, learned together: what is common is shared, and each covariate moves the purchase rate and the inclination to stop by a
factor. It works for every purchase model: a covariate shifts two of its log-parameters, so likelihood and slopes are those of
the model, group by group, on collapsed counts. What varies over time, such as season, is no covariate but a clock (`season`).

With z the covariates of a customer, gamma and delta their coefficients,

    rate:      alpha becomes alpha exp(-gamma'z), so the purchase rate is exp(gamma'z) times as high, in all three models
    stopping:  BG/NBD, MBG/NBD  a becomes a exp(delta'z), so the odds of stopping after a purchase are exp(delta'z) times as high
               Pareto/NBD       beta becomes beta exp(-delta'z), so customers stop exp(delta'z) times as fast

Source
------
Fader & Hardie (2007), Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models, brucehardie.com. For BG/NBD they
move a and b together, which leaves the mean chance to stop as it is; here a alone is moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError, RegistryError
from customer_genome.models.btyd.histories import Indices, check_histories, check_weights, collapse
from customer_genome.models.btyd.ladder import Likelihood, climb
from customer_genome.models.btyd.pareto_likelihood import pareto_form
from customer_genome.models.btyd.purchase_fit import ASSUMED_AGE_DAYS, PurchaseForm
from customer_genome.models.btyd.purchase_likelihood import beta_geometric_form
from customer_genome.models.btyd.purchase_model import PurchaseModel, purchase_model_class
from customer_genome.models.estimator import (
    Array,
    Arrays,
    FitReport,
    as_rows,
    report_from_arrays,
    report_to_arrays,
)

MOST_GROUPS = 2_000
_LARGEST = 8.0
_STOPPING = {"BG/NBD": ("a", 1.0), "MBG/NBD": ("a", 1.0), "Pareto/NBD": ("beta", -1.0)}
"""Which log-parameter a coefficient of stopping moves, and which way."""


@dataclass(frozen=True)
class CovariatePurchases:
    """A purchase model with covariates.

    Attributes
    ----------
    model : str
        Name of the purchase model, such as "BG/NBD".
    names : tuple of str
        Names of the covariates, in the order of their columns.
    rate, stopping : arrays, shape (n_covariates,)
        Coefficients: the logarithm of the factor that one more of the covariate puts on the rate of buying, and of stopping.
    report : FitReport
        Its first parameters are those of a customer whose covariates are all 0.

    Examples
    --------
    >>> z = np.repeat([[0.0], [1.0]], 50, axis=0)
    >>> x = np.tile(np.arange(50.0) % 3, 2) * (1 + z[:, 0])
    >>> found = CovariatePurchases.fit("BG/NBD", x, 40 * (x > 0), np.full(100, 90.0), z, ["online"])
    >>> found.model_for([1.0]).expected_orders([1], [40], [90], 30) > found.model_for([0.0]).expected_orders([1], [40], [90], 30)
    array([ True])
    """

    model: str
    names: tuple[str, ...]
    rate: Array
    stopping: Array
    report: FitReport

    @classmethod
    def fit(
        cls,
        model: str,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        covariates: npt.ArrayLike,
        names: Sequence[str],
        weights: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn parameters and coefficients by maximum likelihood on the fallback ladder.

        Parameters
        ----------
        model : str
            Name of a purchase model.
        frequency, recency_days, age_days, weights : arrays, shape (n_customers,)
            See `PurchaseModel.fit`.
        covariates : array, shape (n_customers, n_covariates)
            Finite numbers with few distinct rows: put ages and amounts into bands, and a category into 0/1 columns, one fewer than it has
            values. Standard errors and penalty assume that one more is a sensible step.

        Raises
        ------
        ContractError
            Columns that do not fit together, are not finite, or do not differ between customers; too many distinct rows.
        """
        histories = check_histories(frequency, recency_days, age_days)
        table = check_covariates(covariates, names, len(histories))
        counts = check_weights(weights, len(histories))
        form, stopping = _form_of(model)
        rows, place = np.unique(table, axis=0, return_inverse=True)
        if len(rows) > MOST_GROUPS:
            raise ContractError(
                f"covariates: {len(rows):,} distinct rows. Wanted: at most {MOST_GROUPS:,}. Put numbers into bands and rare categories together."
            )
        groups = []
        for number in range(len(rows)):
            at = np.flatnonzero(place.ravel() == number)
            groups.append(collapse(histories.frequency[at], histories.recency_days[at], histories.age_days[at], counts[at]))
        problem = _Problem(form, stopping, rows, groups)
        return cls(model, tuple(names), *problem.solve(tuple(names)))

    def model_for(self, values: npt.ArrayLike) -> PurchaseModel:
        """Return the purchase model of customers with these covariates, shape (n_covariates,)."""
        z = np.asarray(values, dtype=np.float64)
        if z.shape != (len(self.names),) or not np.all(np.isfinite(z)):
            raise ContractError(
                f"covariates: got {z.tolist()}. Wanted: finite numbers for {', '.join(self.names)}, in this order."
            )
        model = purchase_model_class(self.model)
        parameters = {name: self.report.parameters[name] for name in model.parameter_names}
        moved, way = _STOPPING[self.model]
        parameters["alpha"] *= float(np.exp(-self.rate @ z))
        parameters[moved] *= float(np.exp(way * self.stopping @ z))
        return model.from_values(parameters)

    def groups(self, covariates: npt.ArrayLike) -> Iterator[tuple[Indices, PurchaseModel]]:
        """Yield, for every distinct row of covariates, where its customers stand and their model."""
        table = _as_table(covariates, len(self.names))
        rows, place = np.unique(table, axis=0, return_inverse=True)
        for number, row in enumerate(rows):
            yield np.flatnonzero(place.ravel() == number), self.model_for(row)

    def predict(
        self,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        covariates: npt.ArrayLike,
        horizon_days: float,
    ) -> dict[str, Array]:
        """Return p_alive, expected_orders and probability_of_order, each of shape (n_customers,)."""
        histories = check_histories(frequency, recency_days, age_days)
        table = _as_table(covariates, len(self.names))
        if len(table) != len(histories):
            raise ContractError(
                f"covariates: {len(table):,} rows for {len(histories):,} customers. Wanted: one row per customer."
            )
        found: dict[str, Array] = {
            name: np.zeros(len(histories)) for name in ("p_alive", "expected_orders", "probability_of_order")
        }
        for rows, model in self.groups(table):
            one = (histories.frequency[rows], histories.recency_days[rows], histories.age_days[rows])
            for name, values in model.predict(*one, horizon_days).items():
                found[name][rows] = values
        return found

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything that was learned as arrays of numbers and text."""
        return {
            **report_to_arrays(self.report),
            "covariate_names": np.array(self.names, dtype=np.str_),
            "covariate_rate": self.rate,
            "covariate_stopping": self.stopping,
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the model that `to_arrays` described; RegistryError when it is another or incomplete."""
        missing = [name for name in ("model", "covariate_names", "covariate_rate", "covariate_stopping") if name not in arrays]
        if missing:
            raise RegistryError(f"Stored model with covariates: arrays {', '.join(missing)} are missing. Fit the model again.")
        model, names = str(arrays["model"]), tuple(str(name) for name in arrays["covariate_names"])
        report = report_from_arrays(arrays, model, _parameter_names(purchase_model_class(model).parameter_names, names))
        rate, stopping = (np.asarray(arrays[f"covariate_{name}"], dtype=np.float64) for name in ("rate", "stopping"))
        return cls(model, names, rate, stopping, report)


def check_covariates(covariates: npt.ArrayLike, names: Sequence[str], n_customers: int) -> Array:
    """Return the covariates as a table, or raise one ContractError that lists every fault."""
    table = _as_table(covariates, len(names))
    faults = []
    if len(table) != n_customers:
        faults.append(f"{len(table):,} rows for {n_customers:,} customers")
    if len(set(names)) != len(names) or not names:
        faults.append(f"names {', '.join(names) or 'none'}")
    for name, column in zip(names, table.T, strict=True):
        bad = int((~np.isfinite(column)).sum())
        if bad:
            faults.append(f"{name} is not a finite number in {bad:,} rows")
        elif len(column) and column.min() == column.max():
            faults.append(f"{name} is {column[0]:g} for everybody")
    if faults:
        raise ContractError(
            f"covariates: {'; '.join(faults)}. Wanted: one row per customer, finite numbers that differ, distinct names."
        )
    return table


def _as_table(covariates: npt.ArrayLike, n_columns: int) -> Array:
    table = np.asarray(covariates, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != n_columns:
        raise ContractError(f"covariates: got shape {table.shape}. Wanted: one row per customer and {n_columns} columns.")
    return table


def _form_of(model: str) -> tuple[PurchaseForm, tuple[str, float]]:
    purchase_model_class(model)  # names the models there are when this is none
    form = pareto_form(model) if model == "Pareto/NBD" else beta_geometric_form(model, int(model == "MBG/NBD"))
    return form, _STOPPING[model]


def _parameter_names(of_model: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    return (*of_model, *(f"rate: {name}" for name in names), *(f"stopping: {name}" for name in names))


class _Problem:
    """The likelihood of all groups together, as a function of log-parameters followed by the coefficients."""

    def __init__(self, form: PurchaseForm, stopping: tuple[str, float], rows: Array, groups: list[tuple[Any, Array]]) -> None:
        self.form, self.rows = form, rows
        self.counts = np.array([float(counts.sum()) for _, counts in groups])
        self.n_distinct = sum(len(histories) for histories, _ in groups)
        self.purchases = sum(float(counts @ histories.frequency) for histories, counts in groups)
        ages = sum(float(counts @ histories.age_days) for histories, counts in groups)
        if self.counts.sum() == 0:
            raise ContractError(f"{form.model} with covariates: got no customers. Wanted: at least one.")
        self.unit = ages / float(self.counts.sum()) or ASSUMED_AGE_DAYS
        some = self.counts > 0
        self.rows, self.counts = rows[some], self.counts[some]
        self.losses = [form.loss(*group, self.unit) for group, is_used in zip(groups, some, strict=True) if is_used]
        n, k = len(form.names), rows.shape[1]
        self.n, self.k = n, k
        self.shift = np.zeros((n, 2 * k, k))
        for j in range(k):
            self.shift[form.names.index("alpha"), j, j] = -1.0
            self.shift[form.names.index(stopping[0]), k + j, j] = stopping[1]

    def loss(self, point: Array) -> tuple[float, Array]:
        """Return the mean negative log-likelihood and its gradient: the model's own, moved by each group's covariates."""
        base, coefficients = point[: self.n], point[self.n :]
        value, gradient = 0.0, np.zeros(len(point))
        weight = self.counts / self.counts.sum()
        for z, share, loss in zip(self.rows, weight, self.losses, strict=True):
            moves = self.shift @ z
            one, slope = loss(base + moves @ coefficients)
            value += share * one
            gradient[: self.n] += share * slope
            gradient[self.n :] += share * (slope @ moves)
        return value, gradient

    def solve(self, names: tuple[str, ...]) -> tuple[Array, Array, FitReport]:
        """Return the coefficients of the rate and of stopping, and the report."""
        form, nothing = self.form, np.zeros(2 * self.k)
        likelihood = Likelihood(
            _parameter_names(form.names, names),
            self.loss,
            float(self.counts.sum()),
            np.append(form.lower, nothing - _LARGEST),
            np.append(form.upper, nothing + _LARGEST),
            np.append(form.centre, nothing),
            tuple(np.append(start, nothing) for start in form.starts),
        )
        found = climb(likelihood, [("the middle of what is usual, without covariates", lambda: likelihood.centre)])
        base, coefficients = found.point[: self.n], found.point[self.n :]
        values = np.exp(base + np.log(self.unit) * np.array(form.is_time))
        parameters = dict(zip(likelihood.names, [*values.tolist(), *coefficients.tolist()], strict=True))
        errors = {}
        if found.covariance is not None:
            scale = np.append(values, np.ones(2 * self.k))
            spread = np.sqrt(np.diag(found.covariance)) * scale
            errors = dict(zip(likelihood.names, spread.tolist(), strict=True))
        log_likelihood = -self.loss(found.point)[0] * likelihood.weight - np.log(self.unit) * self.purchases
        rate, stopping = coefficients[: self.k], coefficients[self.k :]
        report = FitReport(
            model=form.model,
            n_customers=likelihood.weight,
            n_distinct=self.n_distinct,
            log_likelihood=float(log_likelihood),
            parameters=parameters,
            converged=found.converged,
            rung=found.rung,
            standard_errors=errors,
            reading=tuple(_reading(*one) for one in zip(names, rate.tolist(), stopping.tolist(), strict=True)),
            notices=found.notices,
            covariance=as_rows(found.covariance),
        )
        return rate, stopping, report


def _reading(name: str, rate: float, stopping: float) -> str:
    """Return what the two coefficients of a covariate mean, in plain words."""
    return f"One more of {name}: customers buy {np.exp(rate):.2f} times as often and are {np.exp(stopping):.2f} times as prone to stop."
