"""The arithmetic of a customer who buys at random and may stop after any purchase.

Comes in: what is known of a customer who is active now. The purchase rate is Gamma(shape R, rate alpha + T); each purchase is
the last one with a chance p that is Beta(a, B). Goes out: expected purchases and the chance of n or more of them in the
time to come, in terms of z = horizon / (alpha + T). Everything is a sum or an integral of positive terms, so nothing can
cancel or overflow. This module knows no customers and no units.

Why not the hypergeometric formula
----------------------------------
The published mean is (a+B-1)/(a-1) [1 - 2F1(R, a-1; a+B-1; -z)], which is 0/0 at a = 1, negative times negative below it, and out of
reach of double precision for large R. It equals the mean over p ~ Beta(a, B) of (1 - (1 + p z)^-R) / p, the expected
number of purchases of a customer whose p is known. That integrand is smooth and positive; a trapezoid rule after mapping
logit(p) by a sinh converges geometrically, also where a or B is near 0 or very large. With 112 nodes the largest relative
error met for R up to 5000, z from 1e-4 to 1e6, a and B from 1e-6 to 1e5 is about 1e-7; it is below 1e-12 for ordinary customers.

Source
------
Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284, eq. 9-10, rewritten.
"""

from __future__ import annotations

import numpy as np

from customer_genome.models.estimator import Array

N_NODES = 112
NO_DROPOUT = 1e-9
"""Below this `a` nobody ever stops."""
_CHUNK = 8192


def expected_while_active(shape: Array, a: float, beta: Array, z: Array) -> Array:
    """Return the expected purchases of active customers up to time z (in units of their rate's scale).

    Parameters
    ----------
    shape : array, shape (n,)
        R > 0, shape of the purchase rate.
    a : float
        First parameter of the dropout chance; 0 means nobody stops.
    beta : array, shape (n,)
        Second parameter B > 0 of the dropout chance.
    z : array, shape (n,) or (n, n_times)
        Horizon over (alpha + T), >= 0.

    Returns
    -------
    array of the shape of `z`, purchases, between 0 and R z.
    """
    times = z.reshape(len(shape), -1)
    if a < NO_DROPOUT:
        return (shape[:, None] * times).reshape(z.shape)
    distinct, inverse = np.unique(beta, return_inverse=True)
    chance, weight = dropout_nodes(a, distinct)
    out = np.empty_like(times)
    for begin in range(0, len(shape), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        p, w, r = chance[inverse[part]], weight[inverse[part]], shape[part, None]
        for column in range(times.shape[1]):
            survived = np.expm1(-r * np.log1p(p * times[part, column, None]))
            out[part, column] = np.einsum("ij,ij->i", w, -survived)
    return out.reshape(z.shape)


def dropout_nodes(a: float, beta: Array) -> tuple[Array, Array]:
    """Return nodes p and weights over p, so that the mean of g(p) / p over Beta(a, beta) is sum(weight * g(p)).

    Parameters
    ----------
    a : float, > 0
    beta : array, shape (n,), > 0

    Returns
    -------
    two arrays of shape (n, N_NODES)
    """
    centre = np.log((a + 1.0) / (beta + 1.0))
    width = np.sqrt(1.0 / (a + 1.0) + 1.0 / (beta + 1.0))
    left = np.arcsinh(9.0 + 40.0 / (a * width))
    right = np.arcsinh(9.0 + 40.0 / (beta * width))
    grid = -left[:, None] + (left + right)[:, None] * np.linspace(0.0, 1.0, N_NODES)
    logit = centre[:, None] + width[:, None] * np.sinh(grid)
    log_p, log_rest = np.maximum(-np.logaddexp(0.0, -logit), -600.0), -np.logaddexp(0.0, logit)
    log_weight = a * -np.logaddexp(0.0, -logit) + beta[:, None] * log_rest + np.log(np.cosh(grid))
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return np.exp(log_p), weight * np.exp(-log_p)


def at_least_while_active(n: Array, shape: Array, a: float, beta: Array, z: Array) -> Array:
    """Return the chance that an active customer buys at least n times up to time z.

    Without dropout the count is negative binomial; the nth purchase also needs n - 1 purchases that were not the last one.

    Parameters
    ----------
    n : array, whole numbers >= 0
    shape, beta, z : arrays that broadcast with n
    a : float, >= 0

    Returns
    -------
    array, probabilities, not increasing in n
    """
    from scipy import special

    count = np.maximum(n, 1.0)
    bought = special.betainc(count, shape, z / (1.0 + z))
    if a < NO_DROPOUT:
        stayed = np.ones_like(bought)
    else:
        stayed = np.exp(special.betaln(a, beta + count - 1.0) - special.betaln(a, beta))
    return np.where(n <= 0, 1.0, bought * np.minimum(stayed, 1.0))
