"""The estimator contract: what every model of this product can do, and how it reports on its fit.

Comes in: numpy arrays, one entry per customer. Goes out: predictions as named arrays, parameters as named arrays that a
registry can store without pickle, and a `FitReport` in figures and in plain words. Nothing here reads a file, a database
or a setting, and nothing prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from customer_genome.errors import NotFittedError, RegistryError

Array = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class FitReport:
    """What a fit did, kept with the model.

    Attributes
    ----------
    model : str
        Name of the model, for people.
    n_customers : float
        Customers used, or the sum of their weights.
    n_distinct : int
        Distinct histories they collapse to; the work of the fit grows with this number only.
    log_likelihood : float
        At the parameters below, without any penalty, in the units of the data that were given.
    parameters, standard_errors : name -> value
        Standard errors come from the curvature at the optimum; empty where it does not determine them.
    covariance : rows of numbers
        Of the coordinates the model is fitted in: the logarithms of the parameters, in their order (Gamma-Gamma has log(q - 1) for
        log(q)). A standard error is the root of its diagonal entry times the slope of the parameter in its coordinate. Empty
        where the curvature does not determine it. No unit of time or money enters: changing one only moves the logarithms.
    converged : bool
        Whether the optimiser met its tolerance on the rung that was used.
    rung : str
        Which rung of the fallback ladder gave the parameters; "maximum likelihood" is the first.
    reading : tuple of str
        What the parameters mean, in plain words.
    notices : tuple of str
        What the user should know: rungs that were tried and left, parameters at a boundary, customers left out.
    """

    model: str
    n_customers: float
    n_distinct: int
    log_likelihood: float
    parameters: Mapping[str, float]
    converged: bool
    rung: str
    standard_errors: Mapping[str, float] = field(default_factory=dict)
    reading: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Return the report as sentences that need no statistics to be read.

        Examples
        --------
        >>> report = FitReport("BG/NBD", 1200, 800, -4321.5, {"r": 0.25}, True, "maximum likelihood", {"r": 0.01})
        >>> report.sentences()[0]
        'BG/NBD was fitted to 1,200 customers with 800 distinct histories by maximum likelihood.'
        >>> report.sentences()[1]
        'Parameters: r 0.25 (± 0.01); log-likelihood -4321.50.'
        """
        opening = (
            f"{self.model} was fitted to {_counted(self.n_customers, 'customer')} with {self.n_distinct:,} distinct "
            f"{'history' if self.n_distinct == 1 else 'histories'} by {self.rung}."
        )
        figures = ", ".join(self._figure(name) for name in self.parameters)
        lines = [opening, f"Parameters: {figures}; log-likelihood {self.log_likelihood:.2f}."]
        if not self.converged:
            lines.append("The optimiser stopped before its tolerance was met; treat the figures as approximate.")
        return (*lines, *self.reading, *self.notices)

    def _figure(self, name: str) -> str:
        error = self.standard_errors.get(name)
        return f"{name} {self.parameters[name]:.4g}" + ("" if error is None else f" (± {error:.2g})")


@runtime_checkable
class Estimator(Protocol):
    """What every model offers: fit, predict, to_arrays, from_arrays and a report.

    `fit` learns from arrays with one entry per customer and returns the model itself; it takes optional `weights`, and a
    weight of 3 means the same as the customer standing there three times. `predict` returns named arrays with one entry
    per customer. `to_arrays` and `from_arrays` are exact: the model that comes back predicts identically.
    """

    name: ClassVar[str]

    def fit(self, *args: Any, **kwargs: Any) -> Self:
        """Learn from customers and return the fitted model."""
        ...

    def predict(self, *args: Any, **kwargs: Any) -> dict[str, Array]:
        """Return the model's predictions by name, each of shape (n_customers,)."""
        ...

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything that was learned as arrays of numbers and text (never objects)."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the model that `to_arrays` described."""
        ...

    @property
    def report_(self) -> FitReport:
        """Return the report of the fit; NotFittedError before it."""
        ...


def require_fitted(report: FitReport | None, model: str) -> FitReport:
    """Return the report, or raise NotFittedError when there is none yet."""
    if report is None:
        raise NotFittedError(
            f"{model}: asked for results before it was fitted. Wanted: a fitted model. Call fit(...) or from_arrays(...) first."
        )
    return report


def report_to_arrays(report: FitReport) -> dict[str, npt.NDArray[Any]]:
    """Return a report as arrays of numbers and text, for `to_arrays`."""
    names = list(report.parameters)
    return {
        "model": np.array(report.model),
        "parameter_names": _text(names),
        "parameters": np.array([report.parameters[name] for name in names], dtype=np.float64),
        "standard_errors": np.array([report.standard_errors.get(name, np.nan) for name in names], dtype=np.float64),
        "n_customers": np.array(float(report.n_customers)),
        "n_distinct": np.array(report.n_distinct, dtype=np.int64),
        "log_likelihood": np.array(report.log_likelihood),
        "converged": np.array(report.converged),
        "rung": np.array(report.rung),
        "reading": _text(report.reading),
        "notices": _text(report.notices),
        "covariance": np.array(report.covariance, dtype=np.float64).reshape(len(report.covariance), len(report.covariance)),
    }


REPORT_ARRAYS = (
    "model", "parameter_names", "parameters", "standard_errors", "n_customers", "n_distinct", "log_likelihood", "converged", "rung",
    "reading", "notices",
)  # fmt: skip


def report_from_arrays(arrays: Arrays, model: str, parameter_names: tuple[str, ...]) -> FitReport:
    """Return the report that `report_to_arrays` wrote; RegistryError when it is another model's or incomplete."""
    missing = [name for name in REPORT_ARRAYS if name not in arrays]
    if missing:
        raise RegistryError(
            f"Stored {model}: arrays {', '.join(missing)} are missing. Got: {', '.join(arrays) or 'none'}. "
            "Wanted: what to_arrays() wrote. Fit the model again with `genome run`."
        )
    stored, names = str(arrays["model"]), tuple(str(name) for name in arrays["parameter_names"])
    if stored != model or names != parameter_names:
        raise RegistryError(
            f"Stored model: got {stored} with parameters {', '.join(names)}. Wanted: {model} with {', '.join(parameter_names)}. "
            "Load it with the class that wrote it."
        )
    errors = {name: float(error) for name, error in zip(names, arrays["standard_errors"], strict=True) if np.isfinite(error)}
    return FitReport(
        model=stored,
        n_customers=float(arrays["n_customers"]),
        n_distinct=int(arrays["n_distinct"]),
        log_likelihood=float(arrays["log_likelihood"]),
        parameters={name: float(value) for name, value in zip(names, arrays["parameters"], strict=True)},
        standard_errors=errors,
        converged=bool(arrays["converged"]),
        rung=str(arrays["rung"]),
        reading=tuple(str(line) for line in arrays["reading"]),
        notices=tuple(str(line) for line in arrays["notices"]),
        covariance=as_rows(arrays.get("covariance")),
    )


def as_rows(covariance: npt.NDArray[Any] | None) -> tuple[tuple[float, ...], ...]:
    """Return a covariance matrix as a report keeps it; empty for None."""
    return () if covariance is None else tuple(tuple(float(value) for value in row) for row in covariance)


def _text(lines: list[str] | tuple[str, ...]) -> npt.NDArray[np.str_]:
    return np.array(lines, dtype=np.str_) if lines else np.empty(0, dtype="<U1")


def _counted(n: float, noun: str) -> str:
    return f"{n:,.0f} {noun}" + ("" if n == 1 else "s")
