"""The likelihood of customers who may stop after a purchase: BG/NBD and MBG/NBD, with gradient and simpler forms.

Comes in: distinct histories and how many customers have each. Goes out: a loss in log(r, alpha, a, b) for the ladder, and what
the parameters mean. The two models differ in one thing, `first_chance`: 0 when a customer may stop after each repeat purchase
(BG/NBD), 1 when the first purchase may be the last one too (MBG/NBD). Nothing here predicts.

Source
------
Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284, eq. 6 and Appendix; Batislam, Denizel & Filiztekin (2007), International
Journal of Research in Marketing 24(3), 201-209, appendix. The gradient is derived in docs/models.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from customer_genome.models.btyd.dropout import NO_DROPOUT
from customer_genome.models.btyd.histories import Coded, Histories, Indices, code, dot, weigh
from customer_genome.models.btyd.ladder import PENALTY_SD, Likelihood, Loss, maximise
from customer_genome.models.btyd.purchase_fit import PurchaseForm, Rung
from customer_genome.models.estimator import Array

PARAMETERS = ("r", "alpha", "a", "b")
_LOWER = np.log([1e-6, 1e-5, 1e-6, 1e-5])
_UPPER = np.log([1e4, 1e6, 1e4, 1e5])
_CENTRE = np.log([0.5, 1.0, 0.5, 2.0])
_STARTS = tuple(
    np.log(start) for start in ([0.5, 1.0, 0.5, 2.0], [0.25, 0.15, 0.8, 2.5], [1.5, 0.5, 0.1, 2.0], [1.0, 2.0, 2.0, 10.0])
)


def beta_geometric_form(model: str, first_chance: int) -> PurchaseForm:
    """Return the BG/NBD (first_chance 0) or the MBG/NBD (1) as the ladder sees it."""

    def loss(histories: Histories, counts: Array, unit: float) -> Loss:
        return purchase_loss(histories, counts, unit, first_chance)

    return PurchaseForm(
        model=model,
        names=PARAMETERS,
        is_time=(False, True, False, False),
        lower=_LOWER,
        upper=_UPPER,
        centre=_CENTRE,
        starts=_STARTS,
        loss=loss,
        simpler=_simpler,
        reading=lambda values: reading(values, first_chance),
        boundaries=_boundaries,
    )


# --- the likelihood ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """What a loss needs of the histories: sums per distinct value once, and the rows of customers who may have stopped.

    Logarithms are taken once per distinct x, t_x and T. Only the log-odds of having stopped are needed row by row.
    """

    x: Array
    weight_of_x: Array
    age: Array
    weight_of_age: Array
    purchases_of_age: Array
    last: Coded
    end: Coded
    weight: Array
    run_starts: Indices
    run_lengths: Indices
    n_without: int


def _sum_up(histories: Histories, counts: Array, unit: float, first_chance: int) -> _Sums:
    if np.any(np.diff(histories.frequency) < 0):
        order = np.argsort(histories.frequency, kind="stable")
        histories = Histories(histories.frequency[order], histories.recency_days[order], histories.age_days[order])
        counts = counts[order]
    weight, x = counts / counts.sum(), histories.frequency
    starts = np.flatnonzero(np.append(True, np.diff(x) != 0))
    end = code(histories.age_days)
    n_without = 0 if first_chance else int(np.searchsorted(x, 0.5))
    starts_r = starts[starts >= n_without] - n_without
    last = code(histories.recency_days[n_without:])
    return _Sums(
        x=x[starts],
        weight_of_x=np.add.reduceat(weight, starts),
        age=end.values / unit,
        weight_of_age=weigh(end, weight),
        purchases_of_age=weigh(end, weight * x),
        last=replace(last, values=last.values / unit),
        end=Coded(end.values / unit, end.place[n_without:]),
        weight=weight[n_without:],
        run_starts=starts_r,
        run_lengths=np.diff(np.append(starts_r, len(x) - n_without)),
        n_without=len(starts) - len(starts_r),
    )


def purchase_loss(histories: Histories, counts: Array, unit: float = 1.0, first_chance: int = 0) -> Loss:
    """Return the mean negative log-likelihood and its gradient as a function of log(r, alpha, a, b), times measured in `unit`.

    With B = b + first_chance and s = (r + x) log((alpha + T) / (alpha + t_x)) + log(a / (B + x - 1)), the log-odds of having
    stopped, a history's log-likelihood is G(x) - r log(1 + T/alpha) - x log(alpha + T) + log(1 + exp s), where G(x)
    collects the gamma functions. Where the customer had no occasion to stop (B = b and x = 0) the last term is missing.
    """
    from scipy.special import digamma, gammaln

    sums = _sum_up(histories, counts, unit, first_chance)
    x, of_x = sums.x, sums.weight_of_x
    x_r = x[sums.n_without :]

    def loss(point: Array) -> tuple[float, Array]:
        r, alpha, a, b = np.exp(point)
        beta = b + first_chance
        gammas = gammaln(r + x) - gammaln(r) + gammaln(a + b) - gammaln(a + beta + x) + gammaln(beta + x) - gammaln(b)
        log_end, log_last = np.log(alpha + sums.age), np.log(alpha + sums.last.values)
        per_end, per_last = 1.0 / (alpha + sums.age), 1.0 / (alpha + sums.last.values)
        waited = dot(sums.weight_of_age, np.log1p(sums.age / alpha))
        total = dot(of_x, gammas) - r * waited - dot(sums.purchases_of_age, log_end)
        d_r = dot(of_x, digamma(r + x) - digamma(r)) - waited
        d_alpha = dot(r / alpha * sums.weight_of_age * sums.age - sums.purchases_of_age, per_end)
        drift = digamma(a + b) - digamma(a + beta + x)
        d_a = dot(of_x, drift)
        d_b = d_a + dot(of_x, digamma(beta + x) - digamma(b))
        if len(sums.weight):
            shape = np.repeat(r + x_r, sums.run_lengths)
            silence = log_end[sums.end.place] - log_last[sums.last.place]
            stopped = shape * silence + np.repeat(np.log(a) - np.log(beta + x_r - 1.0), sums.run_lengths)
            small = np.exp(-np.abs(stopped))
            total += dot(sums.weight, np.maximum(stopped, 0.0) + np.log(1.0 + small))
            dead = sums.weight * np.where(stopped > 0, 1.0, small) / (1.0 + small)
            dead_of_x = np.add.reduceat(dead, sums.run_starts)
            d_r += dot(dead, silence)
            dead *= shape
            d_alpha += dot(dead, per_end[sums.end.place]) - dot(dead, per_last[sums.last.place])
            d_a += dead_of_x.sum() / a
            d_b -= dot(dead_of_x, 1.0 / (beta + x_r - 1.0))
        return -float(total), -np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])

    return loss


def _simpler(full: Loss, histories: Histories, counts: Array, unit: float) -> list[Rung]:
    """Return the rungs below the penalised fit: no dropout, then one common rate (a formula)."""
    never, any_b = np.log(NO_DROPOUT) - 10.0, 0.0

    def without_dropout() -> Array | None:
        def loss(point: Array) -> tuple[float, Array]:
            value, gradient = full(np.array([*point, never, any_b]))
            return value, gradient[:2]

        return rate_only(loss, float(counts.sum()), [never, any_b])

    def common_rate() -> Array:
        return np.array([*common_rate_point(histories, counts, unit), never, any_b])

    return [("purchase model without dropout", without_dropout), ("one common purchase rate", common_rate)]


def rate_only(loss: Loss, weight: float, rest: list[float]) -> Array | None:
    """Return the penalised optimum over log(r, alpha) followed by `rest`, or None where it does not settle."""
    starts = tuple(start[:2] for start in _STARTS)
    problem = Likelihood(PARAMETERS[:2], loss, weight, _LOWER[:2], _UPPER[:2], _CENTRE[:2], starts)
    best = maximise(problem, penalty_sd=PENALTY_SD)
    return np.array([*best.point, *rest]) if best is not None and best.converged else None


def common_rate_point(histories: Histories, counts: Array, unit: float) -> tuple[float, float]:
    """Return log(r, alpha) of customers who all buy at the observed mean rate."""
    rate = (counts @ histories.frequency + 0.5) / max(float(counts @ histories.age_days) / unit, 1.0)
    return float(_UPPER[0]), float(_UPPER[0] - np.log(rate))


# --- what the fit says -----------------------------------------------------------------------------------------------


def reading(values: Mapping[str, float], first_chance: int = 0) -> tuple[str, ...]:
    """Return what the parameters mean, in plain words."""
    stop = values["a"] / (values["a"] + values["b"])
    after = "purchase, the first one included," if first_chance else "repeat purchase"
    return rate_reading(values), f"After each {after} {stop:.1%} stop for good on average."


def rate_reading(values: Mapping[str, float]) -> str:
    """Return what r and alpha mean, in plain words."""
    r, alpha = values["r"], values["alpha"]
    spread = "differ widely" if r < 1 else "differ" if r < 20 else "hardly differ"
    return (
        f"An active customer buys on {365 * r / alpha:.2g} days a year on average, and customers {spread} in this "
        f"(coefficient of variation {1 / np.sqrt(r):.2g})."
    )


def rate_boundaries(values: Mapping[str, float]) -> list[str]:
    """Return what is to be said of r at a boundary."""
    said = []
    if values["r"] > 100:
        said.append("Purchase rates are at their boundary: all customers buy at practically the same rate.")
    if values["r"] < 1e-3:
        said.append("Purchase rates are at their boundary: almost nobody buys again.")
    return said


def _boundaries(values: Mapping[str, float]) -> tuple[str, ...]:
    a, b = values["a"], values["b"]
    said = rate_boundaries(values)
    if a / (a + b) < 1e-3:
        said.append("The dropout chance is at its boundary: practically nobody stops.")
    if a / (a + b) > 0.999:
        said.append("The dropout chance is at its boundary: practically everybody stops at the first occasion.")
    if a + b > 1000 and 1e-3 <= a / (a + b) <= 0.999:
        said.append("The dropout chance is at its boundary: it is practically the same for all customers.")
    return tuple(said)
