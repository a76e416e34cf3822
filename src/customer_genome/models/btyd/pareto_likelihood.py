"""The likelihood of customers who may stop at any time, the Pareto/NBD, with gradient and simpler forms.

Comes in: distinct histories and how many customers have each. Goes out: a loss in log(r, alpha, s, beta) for the ladder, and what the
parameters mean. Nothing here predicts; the integrals are in `lapse`.

Source
------
Schmittlein, Morrison & Colombo (1987), Counting Your Customers, Management Science 33(1), 1-24; Fader & Hardie (2005), A Note on Deriving
the Pareto/NBD Model and Related Expressions, eq. 17-22, brucehardie.com. The form used here is derived in docs/models.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from customer_genome.models.btyd.dropout import NO_DROPOUT
from customer_genome.models.btyd.histories import Histories, code, dot, weigh
from customer_genome.models.btyd.ladder import Loss
from customer_genome.models.btyd.lapse import Stopping, stopping
from customer_genome.models.btyd.purchase_fit import PurchaseForm, Rung
from customer_genome.models.btyd.purchase_likelihood import common_rate_point, rate_boundaries, rate_only, rate_reading
from customer_genome.models.estimator import Array

PARAMETERS = ("r", "alpha", "s", "beta")
_STARTS = tuple(
    np.log(start) for start in ([0.5, 0.5, 0.5, 0.5], [0.25, 0.15, 0.3, 2.0], [1.5, 0.5, 0.1, 1.0], [1.0, 2.0, 2.0, 5.0])
)
_DAYS_PER_YEAR = 365.0


def pareto_form(model: str) -> PurchaseForm:
    """Return the Pareto/NBD as the ladder sees it."""
    return PurchaseForm(
        model=model,
        names=PARAMETERS,
        is_time=(False, True, False, True),
        lower=np.log([1e-6, 1e-5, 1e-6, 1e-5]),
        upper=np.log([1e4, 1e6, 1e4, 1e6]),
        centre=np.log([0.5, 1.0, 0.5, 1.0]),
        starts=_STARTS,
        loss=pareto_loss,
        simpler=_simpler,
        reading=reading,
        boundaries=_boundaries,
    )


def log_odds_stopped(
    r: float, alpha: float, s: float, beta: float, histories: Histories, unit: float = 1.0
) -> tuple[Array, Stopping]:
    """Return the log-odds of having stopped since the last purchase, and what their slopes need, per history.

    The odds are s (alpha+T)^(r+x) (beta+T)^s times the integral over t_x..T of (alpha+u)^-(r+x) (beta+u)^-(s+1) du: the chance to have
    stopped at u and not to have bought since, over the chance to have stayed and not to have bought since.
    """
    x, last, end = histories.frequency, histories.recency_days / unit, histories.age_days / unit
    silent = end - last
    buying, stop = alpha + last, beta + last
    found = stopping(r + x, np.full_like(x, s + 1.0), buying, stop, silent)
    waited = (r + x) * np.log1p(silent / buying) + s * np.log1p(silent / stop)
    return np.log(s) + waited - np.log(stop) + found.log_integral, found


def pareto_loss(histories: Histories, counts: Array, unit: float = 1.0) -> Loss:
    """Return the mean negative log-likelihood and its gradient as a function of log(r, alpha, s, beta), times measured in `unit`.

    With J the odds of having stopped, a history's log-likelihood is
    log Gamma(r+x) - log Gamma(r) - r log(1 + T/alpha) - x log(alpha + T) - s log(1 + T/beta) + log(1 + J).
    """
    from scipy.special import digamma, expit, gammaln

    weight, end = counts / counts.sum(), code(histories.age_days)
    x, place = np.unique(histories.frequency, return_inverse=True)
    of_x = np.bincount(place, weights=weight, minlength=len(x)).astype(np.float64)
    age, of_age, purchases = end.values / unit, weigh(end, weight), weigh(end, weight * histories.frequency)
    last = histories.recency_days / unit
    silent = histories.age_days / unit - last

    def loss(point: Array) -> tuple[float, Array]:
        r, alpha, s, beta = np.exp(point)
        odds, found = log_odds_stopped(r, alpha, s, beta, histories, unit)
        stopped = weight * expit(odds)
        buying, staying = dot(of_age, np.log1p(age / alpha)), dot(of_age, np.log1p(age / beta))
        gammas = dot(of_x, gammaln(r + x) - gammaln(r))
        total = gammas - r * buying - dot(purchases, np.log(alpha + age)) - s * staying + dot(weight, np.logaddexp(0.0, odds))
        shape = r + histories.frequency
        d_r = dot(of_x, digamma(r + x) - digamma(r)) - buying
        d_r += dot(stopped, np.log1p(silent / (alpha + last)) - found.log_buying)
        d_alpha = dot(r / alpha * of_age * age - purchases, 1.0 / (alpha + age))
        d_alpha += dot(stopped * shape, 1.0 / (alpha + last + silent) - found.per_buying)
        d_s = dot(stopped, 1.0 / s + np.log1p(silent / (beta + last)) - found.log_stopping) - staying
        d_beta = dot(s / beta * of_age * age, 1.0 / (beta + age))
        d_beta += dot(stopped, s / (beta + last + silent) - (s + 1.0) * found.per_stopping)
        return -float(total), -np.array([d_r * r, d_alpha * alpha, d_s * s, d_beta * beta])

    return loss


def _simpler(full: Loss, histories: Histories, counts: Array, unit: float) -> list[Rung]:
    """Return the rungs below the penalised fit: nobody stops, then one common rate (a formula)."""
    never, any_beta = np.log(NO_DROPOUT) - 10.0, 0.0

    def without_stopping() -> Array | None:
        def loss(point: Array) -> tuple[float, Array]:
            value, gradient = full(np.array([*point, never, any_beta]))
            return value, gradient[:2]

        return rate_only(loss, float(counts.sum()), [never, any_beta])

    def common_rate() -> Array:
        return np.array([*common_rate_point(histories, counts, unit), never, any_beta])

    return [("purchase model without dropout", without_stopping), ("one common purchase rate", common_rate)]


# --- what the fit says -----------------------------------------------------------------------------------------------


def reading(values: Mapping[str, float]) -> tuple[str, ...]:
    """Return what the parameters mean, in plain words."""
    gone = -np.expm1(-values["s"] * np.log1p(_DAYS_PER_YEAR / values["beta"]))
    return rate_reading(
        values
    ), f"Of new customers {gone:.1%} have stopped for good after a year, whether they bought again or not."


def _boundaries(values: Mapping[str, float]) -> tuple[str, ...]:
    s, gone = values["s"], values["s"] * _DAYS_PER_YEAR / values["beta"]
    said = rate_boundaries(values)
    if gone < 1e-3:
        said.append("The dropout rate is at its boundary: practically nobody stops.")
    if s > 100 and gone >= 1e-3:
        said.append("The dropout rate is at its boundary: it is practically the same for all customers.")
    if s < 1e-3 and gone >= 1e-3:
        said.append("The dropout rate is at its boundary: a few customers stop at once and the others practically never.")
    return tuple(said)
