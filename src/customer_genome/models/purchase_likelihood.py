"""Fitting the BG/NBD model: its likelihood with gradient, the simpler models below it, and what the parameters mean.

Comes in: distinct histories and how many customers have each. Goes out: a `FitReport` with r, alpha, a and b. `purchases` predicts
from them; this module predicts nothing.

Time is scaled so that the mean age of a customer is 1 while fitting. The optimum does not depend on the unit then, and bounds and
penalty mean the same for every shop.

Source
------
Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284, eq. 6 and Appendix. The gradient is derived in docs/models.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from customer_genome.models.dropout import NO_DROPOUT
from customer_genome.models.estimator import Array, FitReport, as_rows
from customer_genome.models.histories import Histories
from customer_genome.models.ladder import PENALTY_SD, Climb, Likelihood, Loss, climb, maximise

PARAMETERS = ("r", "alpha", "a", "b")
_LOWER = np.log([1e-6, 1e-5, 1e-6, 1e-5])
_UPPER = np.log([1e4, 1e6, 1e4, 1e5])
_CENTRE = np.log([0.5, 1.0, 0.5, 2.0])
_STARTS = tuple(
    np.log(start) for start in ([0.5, 1.0, 0.5, 2.0], [0.25, 0.15, 0.8, 2.5], [1.5, 0.5, 0.1, 2.0], [1.0, 2.0, 2.0, 10.0])
)
_SCOUT_ROWS = 4000
_ASSUMED_AGE_DAYS = 365.0


def fit_histories(model: str, histories: Histories, counts: Array) -> FitReport:
    """Return the report of the first acceptable fit on the ladder, for the distinct `histories` that `counts` customers have."""
    scale = float(counts @ histories.age_days / counts.sum())
    if scale <= 0:
        scale = _ASSUMED_AGE_DAYS
    scaled = Histories(histories.frequency, histories.recency_days / scale, histories.age_days / scale)
    found = climb(_likelihood(scaled, counts), _simpler(scaled, counts))
    return _report(model, found, histories, counts, scale, _data_notices(histories, counts))


# --- the likelihood ----------------------------------------------------------------------------------


def _likelihood(histories: Histories, counts: Array) -> Likelihood:
    scout = None
    if len(histories) > 2 * _SCOUT_ROWS:
        step = len(histories) // _SCOUT_ROWS
        part = Histories(histories.frequency[::step], histories.recency_days[::step], histories.age_days[::step])
        scout = _loss(part, counts[::step])
    return Likelihood(PARAMETERS, _loss(histories, counts), float(counts.sum()), _LOWER, _UPPER, _CENTRE, _STARTS, scout)


def _loss(histories: Histories, counts: Array) -> Loss:
    """Return the mean negative log-likelihood and its gradient as a function of log(r, alpha, a, b).

    With s = (r + x) log((alpha + T) / (alpha + t_x)) + log(a / (b + x - 1)), the log-odds of having stopped, a history's
    log-likelihood is G(x) - r log(1 + T/alpha) - x log(alpha + T) + [x > 0] log(1 + exp s), where G(x) collects the gamma
    functions and is needed once per distinct x.
    """
    from scipy.special import digamma, expit, gammaln

    x, t_x, age = histories.frequency, histories.recency_days, histories.age_days
    weight = counts / counts.sum()
    values, index = np.unique(x, return_inverse=True)
    weight_of_value = np.bincount(index, weights=weight)
    repeat = x > 0
    x_r, t_r, age_r, weight_r = x[repeat], t_x[repeat], age[repeat], weight[repeat]

    def loss(point: Array) -> tuple[float, Array]:
        r, alpha, a, b = np.exp(point)
        gammas = gammaln(r + values) - gammaln(r) + gammaln(a + b) - gammaln(a + b + values) + gammaln(b + values) - gammaln(b)
        until_end, until_last = alpha + age, alpha + t_r
        silence = np.log1p((age_r - t_r) / until_last)
        stopped = (r + x_r) * silence + np.log(a) - np.log(b + x_r - 1.0)
        dead = weight_r * expit(stopped)
        waited = np.log1p(age / alpha)
        total = weight_of_value @ gammas - weight @ (r * waited + x * np.log(until_end)) + weight_r @ np.logaddexp(0.0, stopped)
        drift = digamma(a + b) - digamma(a + b + values)
        d_r = weight_of_value @ (digamma(r + values) - digamma(r)) - weight @ waited + dead @ silence
        d_alpha = weight @ ((r * age / alpha - x) / until_end) - dead @ (
            (r + x_r) * (age_r - t_r) / (until_last * (alpha + age_r))
        )
        d_a = weight_of_value @ drift + dead.sum() / a
        d_b = weight_of_value @ (drift + digamma(b + values) - digamma(b)) - dead @ (1.0 / (b + x_r - 1.0))
        return -float(total), -np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])

    return loss


def _simpler(histories: Histories, counts: Array) -> list[tuple[str, Callable[[], Array | None]]]:
    """Return the rungs below the penalised fit: no dropout, then one common rate (a formula)."""
    never, any_b = np.log(NO_DROPOUT) - 10.0, 0.0
    full = _loss(histories, counts)

    def without_dropout() -> Array | None:
        def loss(point: Array) -> tuple[float, Array]:
            value, gradient = full(np.array([*point, never, any_b]))
            return value, gradient[:2]

        starts = tuple(start[:2] for start in _STARTS)
        problem = Likelihood(PARAMETERS[:2], loss, float(counts.sum()), _LOWER[:2], _UPPER[:2], _CENTRE[:2], starts)
        best = maximise(problem, penalty_sd=PENALTY_SD)
        return np.array([*best.point, never, any_b]) if best is not None and best.converged else None

    def common_rate() -> Array:
        rate = (counts @ histories.frequency + 0.5) / max(float(counts @ histories.age_days), 1.0)
        return np.array([_UPPER[0], _UPPER[0] - np.log(rate), never, any_b])

    return [("purchase model without dropout", without_dropout), ("one common purchase rate", common_rate)]


# --- what the fit says -----------------------------------------------------------------------------------------------


def _report(model: str, found: Climb, histories: Histories, counts: Array, scale: float, notices: list[str]) -> FitReport:
    unit = np.array([0.0, np.log(scale), 0.0, 0.0])
    values = dict(zip(PARAMETERS, np.exp(found.point + unit).tolist(), strict=True))
    errors = {} if found.standard_errors is None else {
        name: float(error * values[name]) for name, error in zip(PARAMETERS, found.standard_errors, strict=True)
    }  # fmt: skip
    log_likelihood = -_loss(histories, counts)(found.point + unit)[0] * float(counts.sum())
    return FitReport(
        model=model,
        n_customers=float(counts.sum()),
        n_distinct=len(histories),
        log_likelihood=log_likelihood,
        parameters=values,
        converged=found.converged,
        rung=found.rung,
        standard_errors=errors,
        reading=reading(values),
        notices=(*notices, *found.notices, *_boundary_notices(values)),
        covariance=as_rows(found.covariance),
    )


def reading(values: Mapping[str, float]) -> tuple[str, ...]:
    """Return what the parameters mean, in plain words."""
    r, alpha, a, b = (values[name] for name in PARAMETERS)
    spread = "differ widely" if r < 1 else "differ" if r < 20 else "hardly differ"
    stop = a / (a + b)
    return (
        f"An active customer buys on {365 * r / alpha:.2g} days a year on average, and customers {spread} in this "
        f"(coefficient of variation {1 / np.sqrt(r):.2g}).",
        f"After each repeat purchase {stop:.1%} stop for good on average.",
    )


def _data_notices(histories: Histories, counts: Array) -> list[str]:
    notices = []
    if not histories.frequency.any():
        notices.append(
            "Nobody has bought on a second day yet: nothing can be learned about stopping, and expected orders rest on the weak penalty."
        )
    if not histories.age_days.any():
        notices.append(
            "No time has passed since the first purchases: predictions rest on the weak penalty, which assumes about one purchase in two years."
        )
    if counts.sum() < 200:
        notices.append(f"Only {counts.sum():,.0f} customers: the parameters are rough.")
    return notices


def _boundary_notices(values: dict[str, float]) -> tuple[str, ...]:
    r, a, b = values["r"], values["a"], values["b"]
    said = []
    if r > 100:
        said.append("Purchase rates are at their boundary: all customers buy at practically the same rate.")
    if r < 1e-3:
        said.append("Purchase rates are at their boundary: almost nobody buys again.")
    if a / (a + b) < 1e-3:
        said.append("The dropout chance is at its boundary: practically nobody stops.")
    if a + b > 1000 and a / (a + b) >= 1e-3:
        said.append("The dropout chance is at its boundary: it is practically the same for all customers.")
    return tuple(said)
