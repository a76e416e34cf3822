"""A few sets of parameters that stand for what is uncertain about a fit.

Comes in: fitted models with the covariance of their log-parameters. Goes out: pairs of models, all equally likely, whose log-parameters
have the fit's mean and covariance exactly. The points are the same in every run, so all customers share them. Nothing here predicts.

The points are antithetic pairs of a low-discrepancy sequence, pressed through the normal distribution and scaled so that
their covariance is the identity.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from customer_genome.models.btyd.purchase_model import PurchaseModel
from customer_genome.models.btyd.spend import SMALLEST_EXCESS, GammaGamma
from customer_genome.models.estimator import Array

N_PAIRS = 8
NEGLIGIBLE = 0.05
"""Where parameters move the logarithm of what customers are expected to buy by less than this, they are taken as known."""
_FURTHEST = 4.0
"""No log-parameter moves by more than this (a factor of 55): beyond it the normal approximation says nothing."""
_BOUNDS = (1e-9, 1e9)

Models = tuple[PurchaseModel, GammaGamma]


def parameter_points(purchases: PurchaseModel, spend: GammaGamma) -> tuple[Models, ...]:
    """Return equally likely pairs of models; only the given pair where nothing is known about its uncertainty or it is negligible.

    Parameters
    ----------
    purchases, spend : fitted models
        A model without a covariance (given parameters, a simpler rung of the ladder) is taken as known.
    """
    own = [np.array(model.report_.covariance) for model in (purchases, spend)]
    sizes = [len(covariance) for covariance in own]
    if not sum(sizes):
        return ((purchases, spend),)
    steps = standard_points(sum(sizes))
    moves = [
        np.clip(part @ _root(covariance).T, -_FURTHEST, _FURTHEST) if len(covariance) else part
        for part, covariance in zip(np.split(steps, [sizes[0]], axis=1), own, strict=True)
    ]
    if max(_effect_on_orders(purchases, moves[0]), _effect_on_spend(spend, moves[1])) < NEGLIGIBLE:
        return ((purchases, spend),)
    return tuple(zip(_moved_purchases(purchases, moves[0]), _moved_spend(spend, moves[1]), strict=True))


@lru_cache(maxsize=16)
def standard_points(n_dimensions: int) -> Array:
    """Return points with mean 0 and covariance 1, shape (2 * N_PAIRS, n_dimensions); antithetic, always the same."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    halves = qmc.Halton(n_dimensions, scramble=True, rng=np.random.default_rng(20)).random(max(N_PAIRS, n_dimensions + 1))
    normal = ndtri(np.clip(halves, 1e-6, 1 - 1e-6))
    whitening = np.linalg.inv(np.linalg.cholesky(normal.T @ normal / len(normal)))
    upper = normal @ whitening.T
    points: Array = np.concatenate([upper, -upper])
    points.flags.writeable = False
    return points


def _root(covariance: Array) -> Array:
    """Return a matrix whose product with its transpose is the covariance, also where that is singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: Array = vectors * np.sqrt(np.maximum(values, 0.0))
    return root


def _moved_purchases(model: PurchaseModel, moves: Array) -> list[PurchaseModel]:
    """Return the model with its log-parameters moved; itself at every point where nothing moves."""
    if moves.shape[1] == 0:
        return [model] * len(moves)
    values = np.clip(np.array(model.parameters_) * np.exp(moves), *_BOUNDS)
    return [type(model).from_values(dict(zip(model.parameter_names, row.tolist(), strict=True))) for row in values]


def _moved_spend(model: GammaGamma, moves: Array) -> list[GammaGamma]:
    """Return the model with log p, log(q - 1) and log gamma moved; itself at every point where nothing moves."""
    if moves.shape[1] == 0:
        return [model] * len(moves)
    p, q, gamma = model.parameters_
    values = np.array([p, q - 1, gamma]) * np.exp(moves)
    return [
        GammaGamma.from_parameters(
            float(np.clip(p, *_BOUNDS)), 1 + float(np.clip(excess, SMALLEST_EXCESS, _BOUNDS[1])), float(gamma)
        )
        for p, excess, gamma in values
    ]


def _effect_on_orders(model: PurchaseModel, moves: Array) -> float:
    """Return the largest standard deviation of log expected orders over the points, for a few ordinary histories."""
    if moves.shape[1] == 0:
        return 0.0
    scale = model.report_.parameters.get("alpha", 1.0)
    x, age = (column.ravel() for column in np.meshgrid([0.0, 2.0, 10.0], scale * np.array([1.0, 4.0, 16.0])))
    seen = age * x / (x + 1)
    orders = [each.expected_orders(x, seen, age, 4 * scale) for each in _moved_purchases(model, moves)]
    return float(np.log(np.maximum(orders, 1e-300)).std(axis=0).max())


def _effect_on_spend(model: GammaGamma, moves: Array) -> float:
    """Return the same for expected spend."""
    mean = model.population_mean_
    if moves.shape[1] == 0 or mean <= 0:
        return 0.0
    spent = [each.expected_spend([0, 1, 5], [0.0, 0.5 * mean, 2 * mean]) for each in _moved_spend(model, moves)]
    return float(np.log(np.maximum(spent, 1e-300)).std(axis=0).max())
