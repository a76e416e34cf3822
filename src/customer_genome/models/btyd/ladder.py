"""A maximum-likelihood fit that does not fail: several starts, then a weak penalty, then a simpler model.

Comes in: a `Likelihood` (a mean negative log-likelihood with its gradient, in log-parameters). Goes out: a `Climb`: the
parameters, their standard errors, the rung that gave them, and notices in plain words for every rung that was left. This
module knows nothing about customers; the models say what their parameters mean.

The rungs
---------
0. "likelihood pooled with public shops": only where a prior is given, which is for few customers; see `prior`.
1. "maximum likelihood": bounded quasi-Newton from several starts, finished by Newton steps. Accepted when it converged in the
   interior and the curvature there leaves no direction less certain than the penalty below would.
2. "penalised likelihood": the same plus a quadratic penalty on the log-parameters, as weak as a normal distribution whose
   standard deviation is a factor of twenty. It has an optimum whatever the data.
3. the model's own simpler forms, in order; the last of them is a formula and cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ConvergenceError
from customer_genome.models.btyd.prior import NONE_FROM, Prior
from customer_genome.models.descent import descend
from customer_genome.models.estimator import Array

Loss = Callable[[Array], tuple[float, Array]]

POOLED = "likelihood pooled with public shops"

PENALTY_SD = 3.0
"""Standard deviation of the weak penalty, in log-parameters (a factor of 20)."""

BOUNDARY_MARGIN = 0.01
"""A log-parameter this near its bound counts as lying on it."""

TOLERANCE = 1e-4
"""Accepted Newton decrement: the likelihood still to be gained, in units of one customer's."""


@dataclass(frozen=True)
class Likelihood:
    """A likelihood to climb.

    Attributes
    ----------
    names : tuple of str
        Parameter names in order.
    loss : log-parameters -> (mean negative log-likelihood, gradient)
    weight : float
        Total weight, so that `loss * weight` is the negative log-likelihood.
    lower, upper : arrays
        Bounds of the log-parameters.
    centre : array
        Log-parameters the weak penalty pulls to.
    starts : tuple of arrays
        Where to begin.
    scout : Loss, optional
        A cheaper loss over a part of the data, used to choose among the starts.
    prior : Prior, optional
        What is known of such parameters beforehand; given for few customers only.
    """

    names: tuple[str, ...]
    loss: Loss
    weight: float
    lower: Array
    upper: Array
    centre: Array
    starts: tuple[Array, ...]
    scout: Loss | None = None
    prior: Prior | None = None


@dataclass(frozen=True)
class Optimum:
    """Where a climb ended; `covariance` is None where the curvature does not determine it."""

    point: Array
    loss: float
    converged: bool
    at_bound: tuple[str, ...]
    covariance: Array | None

    @property
    def is_sound(self) -> bool:
        """Whether it converged in the interior and the data determine every direction at least as well as the penalty would."""
        return self.converged and not self.at_bound and self.is_determined

    @property
    def is_determined(self) -> bool:
        """Whether no combination of log-parameters has a standard error above that of the weak penalty."""
        return self.covariance is not None and float(np.linalg.eigvalsh(self.covariance)[-1]) < PENALTY_SD**2


@dataclass(frozen=True)
class Climb:
    """What the ladder gave: log-parameters, their covariance (None: not determined), the rung, and what was tried and left.

    `plain` is where plain maximum likelihood went when it was left for lying at a bound.
    """

    point: Array
    covariance: Array | None
    converged: bool
    rung: str
    notices: tuple[str, ...]
    plain: Array | None = None

    @property
    def standard_errors(self) -> Array | None:
        """Return the standard errors of the log-parameters."""
        return None if self.covariance is None else np.sqrt(np.diag(self.covariance))


def climb(likelihood: Likelihood, simpler: Sequence[tuple[str, Callable[[], Array | None]]] = ()) -> Climb:
    """Return the first acceptable fit on the ladder.

    Parameters
    ----------
    likelihood : Likelihood
    simpler : (rung name, fit) pairs
        Each fit returns log-parameters, or None when it fails too.

    Raises
    ------
    ConvergenceError
        Every rung failed (cannot happen when the last simpler form is a formula).
    """
    notices: list[str] = []
    if likelihood.prior is not None:
        pooled = climb_pooled(likelihood)
        if pooled is not None:
            return pooled
        notices.append("The fit pooled with public shops did not settle.")
    plain = maximise(likelihood)
    if plain is not None and plain.is_sound:
        return Climb(plain.point, plain.covariance, True, "maximum likelihood", tuple(notices))
    notices.append(_why_left(plain))
    weak = maximise(likelihood, penalty_sd=PENALTY_SD)
    if weak is not None and (weak.converged or weak.at_bound):
        if weak.at_bound:
            notices.append(f"Even so {_listed(weak.at_bound)} stayed at the bound of what is tried.")
        at_bound = plain.point if plain is not None and plain.at_bound else None
        return Climb(weak.point, weak.covariance, weak.converged, "penalised likelihood", tuple(notices), at_bound)
    notices.append("The penalised fit did not settle either.")
    for name, fit in simpler:
        point = fit()
        if point is not None and np.all(np.isfinite(point)):
            notices.append(f"A simpler model was used: {name}.")
            return Climb(point, None, True, name, tuple(notices))
        notices.append(f"The {name} failed too.")
    raise ConvergenceError(
        "No model could be fitted. " + " ".join(notices) + " Wanted: finite histories. Check the customer facts."
    )


def maximise(likelihood: Likelihood, penalty_sd: float | None = None) -> Optimum | None:
    """Return the best optimum over the starts (None when no start gives a finite value)."""
    loss = _penalised(likelihood.loss, likelihood, penalty_sd)
    scout = loss if likelihood.scout is None else _penalised(likelihood.scout, likelihood, penalty_sd)
    reached = [_descend(scout, start, likelihood) for start in likelihood.starts]
    finite = [(value, order, point) for order, (value, point) in enumerate(reached) if np.isfinite(value)]
    if not finite:
        return None
    point = min(finite)[2]
    if likelihood.scout is not None:
        point = _approach(loss, _curvature(scout, point), point, likelihood)
    return _finish(loss, point, likelihood)


def _descend(loss: Loss, start: Array, likelihood: Likelihood) -> tuple[float, Array]:
    lower, upper = likelihood.lower, likelihood.upper
    point, value = descend(loss, np.clip(start, lower, upper), lower, upper, maxiter=500, ftol=1e-13, gtol=1e-9)
    return value, point


def _approach(loss: Loss, curvature: Array, start: Array, likelihood: Likelihood) -> Array:
    """Return the optimum over all data from the one over a part of them, by steps that use the curvature of the part.

    Each step costs one look at the data. Where the part is no guide the usual descent takes over.
    """
    point = start
    value, gradient = loss(point)
    for _ in range(12):
        lower = _step_down(loss, curvature, point, value, gradient, likelihood)
        if lower is None:
            break
        point, value, gradient, moved = lower
        if moved < 1e-6:
            return point
    return _descend(loss, point, likelihood)[1]


def _step_down(
    loss: Loss, curvature: Array, point: Array, value: float, gradient: Array, likelihood: Likelihood
) -> tuple[Array, float, Array, float] | None:
    """Return (point, value, gradient, distance) after a Newton step within bounds; None where it leads too far or not down."""
    step = _newton_step(curvature, gradient, _is_free(point, gradient, likelihood))
    if step is None or np.max(np.abs(step)) > 1.0:
        return None
    trial = np.clip(point - step, likelihood.lower, likelihood.upper)
    trial_value, trial_gradient = loss(trial)
    if not trial_value <= value + 1e-14 * abs(value):
        return None
    return trial, trial_value, trial_gradient, float(np.max(np.abs(trial - point)))


def _finish(loss: Loss, point: Array, likelihood: Likelihood) -> Optimum | None:
    """Take Newton steps while they help, then judge the point. Parameters pressed against a bound stay there."""
    value, gradient = loss(point)
    curvature = _curvature(loss, point)
    for _ in range(6):
        lower = _step_down(loss, curvature, point, value, gradient, likelihood)
        if lower is None:
            break
        point, value, gradient, moved = lower
        if moved < 1e-10:
            break
        if moved > 1e-4:
            curvature = _curvature(loss, point)
    if not (np.isfinite(value) and np.all(np.isfinite(curvature))):
        return None
    near = (point - likelihood.lower < BOUNDARY_MARGIN) | (likelihood.upper - point < BOUNDARY_MARGIN)
    at_bound = tuple(name for name, is_near in zip(likelihood.names, near, strict=True) if is_near)
    step = _newton_step(curvature, gradient, _is_free(point, gradient, likelihood))
    converged = step is not None and float(gradient @ step) * likelihood.weight < TOLERANCE
    covariance = None if at_bound else _covariance(curvature, likelihood.weight)
    return Optimum(point, value, converged, at_bound, covariance)


def _is_free(point: Array, gradient: Array, likelihood: Likelihood) -> npt.NDArray[np.bool_]:
    pressed_down = (point <= likelihood.lower + 1e-9) & (gradient > 0)
    pressed_up = (point >= likelihood.upper - 1e-9) & (gradient < 0)
    return ~(pressed_down | pressed_up)


def _curvature(loss: Loss, point: Array) -> Array:
    """Return the Hessian by central differences of the analytic gradient."""
    step = 1e-4
    rows = [(loss(point + step * unit)[1] - loss(point - step * unit)[1]) / (2 * step) for unit in np.eye(len(point))]
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2


def _newton_step(curvature: Array, gradient: Array, free: npt.NDArray[np.bool_]) -> Array | None:
    """Return the Newton step of the free parameters (0 for the others), or None where the curvature gives none."""
    step = np.zeros(len(gradient))
    if not free.any():
        return step
    block = curvature[np.ix_(free, free)]
    if not np.all(np.isfinite(block)):
        return None
    values, vectors = np.linalg.eigh(block)
    if values[0] <= 1e-12 * max(values[-1], 1e-300):
        return None
    step[free] = vectors @ ((vectors.T @ gradient[free]) / values)
    return step


def _covariance(curvature: Array, weight: float) -> Array | None:
    values, vectors = np.linalg.eigh(curvature)
    if values[0] * weight < 1e-6 or values[0] <= 1e-10 * values[-1]:
        return None
    covariance: Array = (vectors / (values * weight)) @ vectors.T
    return covariance


def _penalised(loss: Loss, likelihood: Likelihood, penalty_sd: float | None) -> Loss:
    if penalty_sd is None:
        return loss
    strength = 1.0 / (penalty_sd**2 * likelihood.weight)

    def with_penalty(point: Array) -> tuple[float, Array]:
        value, gradient = loss(point)
        pull = point - likelihood.centre
        return value + 0.5 * strength * float(pull @ pull), gradient + strength * pull

    return with_penalty


def climb_pooled(likelihood: Likelihood) -> Climb | None:
    """Return the fit with the prior added, or None where there is no prior or no sound optimum."""
    prior = likelihood.prior
    if prior is None:
        return None
    plain, strength = likelihood.loss, prior.weight / (prior.spread**2 * likelihood.weight)

    def with_prior(point: Array) -> tuple[float, Array]:
        value, gradient = plain(point)
        pull = point - prior.centre
        return value + 0.5 * float(strength @ pull**2), gradient + strength * pull

    found = maximise(replace(likelihood, loss=with_prior, scout=None))
    if found is None or not found.is_sound:
        return None
    share = "" if prior.weight == 1 else f", at {prior.weight:.0%} of its weight"
    notice = (
        f"Only {likelihood.weight:,.0f} customer{'' if likelihood.weight == 1 else 's'}: the parameters are drawn towards those of documented public shops{share}; "
        f"from {NONE_FROM:,.0f} customers on the shop speaks for itself."
    )
    return Climb(found.point, found.covariance, True, POOLED, (notice,))


def _why_left(plain: Optimum | None) -> str:
    if plain is None:
        return "Plain maximum likelihood gave no finite value; a weak penalty was added."
    if plain.at_bound:
        verb = "lies" if len(plain.at_bound) == 1 else "lie"
        return (
            f"Plain maximum likelihood has no optimum inside its range: {_listed(plain.at_bound)} {verb} at a boundary, "
            "so a weak penalty was added."
        )
    if not plain.is_determined:
        return "The data do not determine every parameter (the likelihood is nearly flat in one direction); a weak penalty was added."
    return "Plain maximum likelihood did not settle; a weak penalty was added."


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
