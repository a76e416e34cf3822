"""Fit a mixture of normal distributions by expectation and maximisation, in two matrix products a step.

Comes in: points and how far each belongs to each group to begin with. Goes out: means, factors of the precisions, shares and the mean
log-likelihood. A log-density is linear in the products of a point's coordinates, and so are the moments a group is made of: with
1, x and x xᵀ of every point written side by side once, both steps are a product with that table. It takes the steps of scikit-learn's
`GaussianMixture` in their order and stops where it stops, at a third of the time. This module must not read tables, files or settings.

Source
------
Dempster, Laird & Rubin (1977), JRSS B 39.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.models.segmentation.segments import FloatArray

_LEAST_SIZE = 10 * float(np.finfo(np.float64).eps)
"""Added to the customers of every group, so that one that lost all of them divides by something."""


@dataclass(frozen=True)
class NormalMixture:
    """Fitted groups.

    Attributes
    ----------
    means : float array, shape (k, n_features)
    factors : float array, shape (k, n_features, n_features)
        Upper triangular Cholesky factors of the precision matrices.
    shares : float array, shape (k,), adding up to 1
    score : mean log-likelihood of a point
    """

    means: FloatArray
    factors: FloatArray
    shares: FloatArray
    score: float

    def bic(self, n_points: int) -> float:
        """Return the Bayesian information criterion for so many points. Source: Schwarz (1978), Ann. Statist. 6."""
        k, width = self.means.shape
        n_parameters = float(k * width * (width + 1) // 2 + k * width + k - 1)
        return -2.0 * self.score * n_points + n_parameters * float(np.log(n_points))


def fit_normal_mixture(
    points: FloatArray, memberships: FloatArray, *, narrowest: float, steps: int, tolerance: float
) -> NormalMixture:
    """Fit a mixture with free covariances.

    Parameters
    ----------
    points : float array, shape (n, n_features)
        On scales that do not differ by many powers of ten: second moments are taken about the mean of all points.
    memberships : float array, shape (n, k), >= 0
        To begin with; no group without anybody.
    narrowest : added to the variance of every group in every direction
    steps : the most that are taken
    tolerance : a step that gains less in mean log-likelihood is the last
    """
    middle = points.mean(axis=0)
    table = _Table.of(points - middle)
    groups = table.groups(memberships, narrowest)
    before = -np.inf
    for _ in range(steps):
        likely = table.log_likely(groups)
        each = _log_sum(likely)
        groups = table.groups(np.exp(likely - each[:, None]), narrowest)
        now = float(each.mean())
        if abs(now - before) < tolerance:
            break
        before = now
    score = float(_log_sum(table.log_likely(groups)).mean())
    return NormalMixture(groups.means + middle, groups.factors, groups.shares, score)


@dataclass(frozen=True)
class _Groups:
    means: FloatArray
    factors: FloatArray
    shares: FloatArray


@dataclass(frozen=True)
class _Table:
    """1, x and the products x_i x_j with i <= j of every point, side by side: shape (n, 1 + d + d (d + 1) / 2)."""

    values: FloatArray
    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]

    @classmethod
    def of(cls, points: FloatArray) -> _Table:
        rows, columns = np.triu_indices(points.shape[1])
        products = points[:, rows] * points[:, columns]
        return cls(np.hstack([np.ones((len(points), 1)), points, products]), rows, columns)

    @property
    def width(self) -> int:
        return int(self.rows[-1]) + 1

    def groups(self, memberships: FloatArray, narrowest: float) -> _Groups:
        """Return the groups that these memberships make."""
        width, sums = self.width, memberships.T @ self.values
        sizes = sums[:, 0] + _LEAST_SIZE
        means = sums[:, 1 : 1 + width] / sizes[:, None]
        spread = np.empty((len(sizes), width, width))
        spread[:, self.rows, self.columns] = sums[:, 1 + width :] / sizes[:, None]
        spread[:, self.columns, self.rows] = spread[:, self.rows, self.columns]
        spread -= means[:, :, None] * means[:, None, :]
        spread += narrowest * np.eye(width)
        factors = np.triu(np.linalg.inv(np.linalg.cholesky(spread)).transpose(0, 2, 1))
        return _Groups(means, factors, sizes / sizes.sum())

    def log_likely(self, groups: _Groups) -> FloatArray:
        """Return the log of share times density, shape (n, k)."""
        width = self.width
        precision = groups.factors @ groups.factors.transpose(0, 2, 1)
        towards = np.einsum("kij,kj->ki", precision, groups.means)
        log_factor = np.log(np.diagonal(groups.factors, axis1=1, axis2=2)).sum(axis=1)
        squares = np.einsum("ki,ki->k", towards, groups.means) + width * np.log(2 * np.pi)
        constant = np.log(groups.shares) + log_factor - squares / 2
        twice = np.where(self.rows == self.columns, 0.5, 1.0)
        found: FloatArray = (
            self.values @ np.hstack([constant[:, None], towards, -twice * precision[:, self.rows, self.columns]]).T
        )
        return found


def _log_sum(likely: FloatArray) -> FloatArray:
    """Return the log of the sum of exponentials of every row."""
    highest = likely.max(axis=1)
    found: FloatArray = highest + np.log(np.exp(likely - highest[:, None]).sum(axis=1))
    return found
