"""How much customers spend per purchase: the Gamma-Gamma model.

Comes in: per customer the number of purchases with a value and their mean value. Goes out: the expected value of a future purchase,
shrunk towards the population where the customer has shown little, and draws from what is still uncertain about it. Nothing
here knows when customers buy, files or settings.

Source
------
Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value. Fader, Hardie & Lee (2005), RFM and CLV: Using Iso-Value
Curves for Customer Base Analysis, Journal of Marketing Research 42(4), 415-430.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.btyd.histories import as_column, check_weights, distinct_rows, report_faults
from customer_genome.models.btyd.ladder import Climb, Likelihood, Loss, climb_pooled, maximise
from customer_genome.models.btyd.prior import small_shop_prior
from customer_genome.models.estimator import (
    Array,
    Arrays,
    FitReport,
    as_rows,
    report_from_arrays,
    report_to_arrays,
    require_fitted,
)

PARAMETERS = ("p", "q", "gamma")
ANCHORED = "likelihood anchored at the observed mean"
SMALLEST_EXCESS = 0.05
"""q - 1 is never below this: at q = 1 the population's mean spend would be infinite, below it negative."""
MEAN_TOLERANCE = 1.5
"""A fit whose population mean is further from the observed mean than this factor is replaced by the anchored one."""

_LOWER = np.array([np.log(1e-3), np.log(SMALLEST_EXCESS), np.log(1e-7)])
_UPPER = np.array([np.log(1e5), np.log(1e4), np.log(1e8)])
_CENTRE = np.log([2.0, 2.0, 1.0])
_STARTS = tuple(np.log(start) for start in ([2.0, 2.0, 1.0], [6.0, 3.0, 0.5], [1.0, 1.0, 1.0], [10.0, 10.0, 1.0]))
_SCOUT_ROWS = 4000


@dataclass(frozen=True)
class _Spend:
    """The distinct (number of purchases, mean value) rows that are used in a fit, and their counts."""

    n: Array
    mean: Array
    counts: Array

    @property
    def observed_mean(self) -> float:
        return float(self.counts @ self.mean / self.counts.sum())


class GammaGamma:
    """The Gamma-Gamma model of spend per purchase.

    The values of a customer's purchases vary as Gamma(p, nu); nu varies over customers as Gamma(q, gamma). A customer's expected
    value per purchase is a weighted mean of their own mean and the population's, p gamma / (q - 1).

    Examples
    --------
    >>> model = GammaGamma.from_parameters(p=6.25, q=3.74, gamma=15.44)
    >>> model.expected_spend([0, 2], [0.0, 22.35]).round(2).tolist()
    [35.22, 24.66]
    """

    name: ClassVar[str] = "Gamma-Gamma"

    def __init__(self) -> None:
        self._report: FitReport | None = None

    @classmethod
    def from_parameters(cls, p: float, q: float, gamma: float) -> Self:
        """Return a model with the given parameters; q must be above 1, else the population has no mean."""
        if not (np.isfinite([p, q, gamma]).all() and p > 0 and q > 1 and gamma >= 0):
            raise ContractError(
                f"Gamma-Gamma parameters: got p = {p}, q = {q}, gamma = {gamma}. Wanted: p > 0, q > 1, gamma >= 0, all finite."
            )
        values = {"p": float(p), "q": float(q), "gamma": float(gamma)}
        model = cls()
        model._report = FitReport(cls.name, 0.0, 0, 0.0, values, True, "given parameters", {}, _reading(values))
        return model

    def fit(self, n_purchases: npt.ArrayLike, mean_spend: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Learn p, q and gamma by maximum likelihood from the customers with a positive mean spend.

        Parameters
        ----------
        n_purchases : array, shape (n_customers,)
            Purchases that `mean_spend` is the mean of; 0 = none, the customer is left out.
        mean_spend : array, shape (n_customers,), money
            Customers at or below 0 are left out, and counted in a notice.
        weights : array, shape (n_customers,), optional
            How often each customer counts.

        Raises
        ------
        ContractError
            The arrays are not counts and money. A likelihood without a usable optimum is no error: the population's mean is then
            anchored at the observed mean, and failing that spend is taken as it was observed; the report says so.

        Source
        ------
        Fader & Hardie (2013), eq. 1a. Checked: tests/golden/test_spend.py
        """
        n, mean = check_spend(n_purchases, mean_spend)
        weight = check_weights(weights, len(n))
        usable = (n > 0) & (mean > 0) & (weight > 0)
        left_out = float(weight[(n > 0) & (mean <= 0)].sum())
        notices = [f"{left_out:,.0f} customers with a mean spend of zero or less were left out of the fit."] if left_out else []
        if not usable.any():
            notices.append("No customer has a positive mean spend: expected spend is 0 for everybody.")
            nothing = {"p": 1.0, "q": 2.0, "gamma": 0.0}
            self._report = FitReport(self.name, 0.0, 0, 0.0, nothing, True, "no spend observed", notices=tuple(notices))
            return self
        spend = _collapse(n[usable], mean[usable], weight[usable])
        scale = float(np.exp(spend.counts @ np.log(spend.mean) / spend.counts.sum()))
        found = _climb(_Spend(spend.n, spend.mean / scale, spend.counts))
        self._report = _report(found, spend, scale, notices)
        return self

    @property
    def report_(self) -> FitReport:
        """Return the report of the fit."""
        return require_fitted(self._report, self.name)

    @property
    def parameters_(self) -> tuple[float, float, float]:
        """Return p, q and gamma (gamma in money)."""
        values = self.report_.parameters
        return values["p"], values["q"], values["gamma"]

    @property
    def population_mean_(self) -> float:
        """Return the mean spend per purchase of a customer about whom nothing is known: p gamma / (q - 1)."""
        p, q, gamma = self.parameters_
        return p * gamma / (q - 1)

    def predict(self, n_purchases: npt.ArrayLike, mean_spend: npt.ArrayLike) -> dict[str, Array]:
        """Return expected_spend, shape (n_customers,)."""
        return {"expected_spend": self.expected_spend(n_purchases, mean_spend)}

    def expected_spend(self, n_purchases: npt.ArrayLike, mean_spend: npt.ArrayLike) -> Array:
        """Return the expected value of each customer's future purchases.

        A customer without purchases gets the population's mean; a mean spend below 0 counts as 0, so such a customer is
        pulled up towards the population by the same weights as everybody else.

        Returns
        -------
        array, shape (n_customers,), money, >= 0

        Source
        ------
        Fader & Hardie (2013), conditional expectation: p (gamma + n mean) / (p n + q - 1). Checked: tests/golden/test_spend.py
        """
        shape, rate = self.posterior(n_purchases, mean_spend)
        return self.parameters_[0] * rate / (shape - 1.0)

    def posterior(self, n_purchases: npt.ArrayLike, mean_spend: npt.ArrayLike) -> tuple[Array, Array]:
        """Return shape and rate of the Gamma distribution of nu given what each customer has spent."""
        n, mean = check_spend(n_purchases, mean_spend)
        p, q, gamma = self.parameters_
        return p * n + q, gamma + n * np.maximum(mean, 0.0)

    def simulate_spend(
        self, n_purchases: npt.ArrayLike, mean_spend: npt.ArrayLike, n_draws: int, seed: int | np.random.Generator
    ) -> Array:
        """Draw each customer's own long-run mean spend (p / nu) from what is still uncertain about it.

        Returns
        -------
        array, shape (n_customers, n_draws), money; its mean over many draws is `expected_spend`
        """
        shape, rate = self.posterior(n_purchases, mean_spend)
        nu = np.random.default_rng(seed).gamma(shape[:, None], 1.0, (len(shape), n_draws))
        return self.parameters_[0] * rate[:, None] / np.maximum(nu, np.finfo(np.float64).tiny)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the parameters and the report as arrays."""
        return report_to_arrays(self.report_)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the model that `to_arrays` described; RegistryError when it is another model's."""
        model = cls()
        model._report = report_from_arrays(arrays, cls.name, PARAMETERS)
        return model


def check_spend(n_purchases: npt.ArrayLike, mean_spend: npt.ArrayLike) -> tuple[Array, Array]:
    """Return counts and means as float arrays (the mean of no purchases is 0), or one ContractError with every fault."""
    n, mean = as_column(n_purchases, "n_purchases"), as_column(mean_spend, "mean_spend")
    if len(n) != len(mean):
        raise ContractError(
            f"spend: n_purchases has {len(n):,} entries, mean_spend {len(mean):,}. Wanted: one per customer in each."
        )
    report_faults(
        "spend",
        [
            ("n_purchases is not a whole number >= 0", ~(np.isfinite(n) & (n >= 0) & (n == np.floor(n)))),
            ("mean_spend is not a finite number", ~np.isfinite(mean) & (n > 0)),
        ],
        "Wanted: how many purchases, and their mean value. Rebuild the customer facts.",
    )
    return n, np.where(n > 0, mean, 0.0)


def _collapse(n: Array, mean: Array, weight: Array) -> _Spend:
    rows = distinct_rows(n, mean)
    distinct_n, distinct_mean = rows.columns
    return _Spend(distinct_n, distinct_mean, np.bincount(rows.inverse, weights=weight).astype(np.float64))


# --- the likelihood, in scaled money, over log(p), log(q - 1), log(gamma) ---------------------------------------------


def _climb(spend: _Spend) -> Climb:
    """Return the plain fit where it is sound and near the observed mean, else the anchored one, else the observed mean."""
    plain = _plain(spend)
    if plain is not None:
        return plain
    total, observed = float(spend.counts.sum()), spend.observed_mean
    anchored = Likelihood(
        PARAMETERS[:2],
        _anchored(_loss(spend), observed),
        total,
        _LOWER[:2],
        _UPPER[:2],
        _CENTRE[:2],
        tuple(s[:2] for s in _STARTS),
    )
    notice = (
        "The plain fit has no usable optimum (its mean spend per purchase is undetermined or far from what was observed), "
        "so the population's mean was anchored at the observed mean."
    )
    best = maximise(anchored, penalty_sd=3.0)
    if best is not None and (best.converged or best.at_bound):
        return Climb(_with_gamma(best.point, observed), None, best.converged, ANCHORED, (notice,))
    fixed = _with_gamma(_CENTRE[:2], observed)
    return Climb(fixed, None, True, "fixed shrinkage to the observed mean", (notice, "The anchored fit did not settle either."))


def _plain(spend: _Spend) -> Climb | None:
    """Return the maximum-likelihood fit, pooled where customers are few, or None where it is not usable."""
    scout, weight = None, float(spend.counts.sum())
    if len(spend.n) > 2 * _SCOUT_ROWS:
        step = len(spend.n) // _SCOUT_ROWS
        scout = _loss(_Spend(spend.n[::step], spend.mean[::step], spend.counts[::step]))
    prior = small_shop_prior(GammaGamma.name, weight)
    likelihood = Likelihood(PARAMETERS, _loss(spend), weight, _LOWER, _UPPER, _CENTRE, _STARTS, scout, prior)
    pooled = climb_pooled(likelihood)
    if pooled is not None and _is_near(spend, pooled.point):
        return pooled
    best = maximise(likelihood)
    if best is None or not best.is_sound or not _is_near(spend, best.point):
        return None
    return Climb(best.point, best.covariance, True, "maximum likelihood", ())


def _is_near(spend: _Spend, point: Array) -> bool:
    """Return whether the population's mean is near the observed one."""
    p, excess, gamma = np.exp(point)
    return bool(abs(np.log(p * gamma / excess / spend.observed_mean)) <= np.log(MEAN_TOLERANCE))


def _loss(spend: _Spend) -> Loss:
    """Return the mean negative log-likelihood and its gradient as a function of log(p), log(q - 1), log(gamma)."""
    from scipy.special import digamma, gammaln

    n, mean = spend.n, spend.mean
    weight = spend.counts / spend.counts.sum()
    values, index = np.unique(n, return_inverse=True)
    weight_of_value = np.bincount(index, weights=weight)
    fixed = float(weight @ np.log(mean))

    def loss(point: Array) -> tuple[float, Array]:
        p, excess, gamma = np.exp(point)
        q = 1.0 + excess
        shape = p * values + q
        gammas = gammaln(shape) - gammaln(p * values) - gammaln(q)
        behind = np.log1p(n * mean / gamma)  # log((gamma + n m) / gamma)
        ahead = np.log1p(gamma / (n * mean))  # log((gamma + n m) / (n m))
        total = weight_of_value @ gammas - weight @ (p * n * ahead + q * behind) - fixed
        d_p = weight_of_value @ (values * (digamma(shape) - digamma(p * values))) - weight @ (n * ahead)
        d_q = weight_of_value @ (digamma(shape) - digamma(q)) - weight @ behind
        d_gamma = weight @ ((q * n * mean - p * n * gamma) / (gamma + n * mean))
        return -float(total), -np.array([d_p * p, d_q * excess, d_gamma])

    return loss


def _anchored(loss: Loss, observed_mean: float) -> Loss:
    """Return the loss over log(p), log(q - 1) with gamma such that the population's mean is the observed one."""

    def anchored(point: Array) -> tuple[float, Array]:
        value, gradient = loss(_with_gamma(point, observed_mean))
        return value, np.array([gradient[0] - gradient[2], gradient[1] + gradient[2]])

    return anchored


def _with_gamma(point: Array, observed_mean: float) -> Array:
    return np.array([point[0], point[1], np.log(observed_mean) + point[1] - point[0]])


# --- what the fit says -----------------------------------------------------------------------------------------------


def _report(found: Climb, spend: _Spend, scale: float, notices: list[str]) -> FitReport:
    p, excess, gamma = np.exp(found.point)
    values = {"p": float(p), "q": float(1.0 + excess), "gamma": float(gamma * scale)}
    errors = {}
    if found.standard_errors is not None:
        steps = found.standard_errors * np.array([p, excess, gamma * scale])
        errors = dict(zip(PARAMETERS, steps.tolist(), strict=True))
    total = float(spend.counts.sum())
    return FitReport(
        model=GammaGamma.name,
        n_customers=total,
        n_distinct=len(spend.n),
        log_likelihood=-_loss(spend)(found.point + np.array([0.0, 0.0, np.log(scale)]))[0] * total,
        parameters=values,
        converged=found.converged,
        rung=found.rung,
        standard_errors=errors,
        reading=_reading(values),
        notices=(*notices, *found.notices, *_boundary_notices(values)),
        covariance=as_rows(found.covariance),
    )


def _reading(values: dict[str, float]) -> tuple[str, ...]:
    p, q, gamma = (values[name] for name in PARAMETERS)
    own = p / (p + q - 1)
    return (
        f"A customer about whom nothing is known is expected to spend {p * gamma / (q - 1):,.2f} per purchase.",
        f"After one purchase {own:.0%} of the expectation is the customer's own mean, after five {5 * p / (5 * p + q - 1):.0%}.",
    )


def _boundary_notices(values: dict[str, float]) -> tuple[str, ...]:
    p, q, _ = (values[name] for name in PARAMETERS)
    said = []
    if q - 1 < SMALLEST_EXCESS * 1.02:
        said.append(
            "q is at its boundary just above 1: spend differs so much between customers that its spread is not determined."
        )
    if q > 1000:
        said.append("q is at its boundary: all customers spend practically the same per purchase.")
    if p > 1000:
        said.append("p is at its boundary: a customer's purchases have practically all the same value.")
    return tuple(said)
