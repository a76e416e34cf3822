"""Minimise a smooth function of a few parameters, on one thread.

Comes in: a function that gives its value and gradient, where to begin, bounds. Goes out: what SciPy found. The optimiser's own
matrices have a handful of rows: threads of the linear algebra library that wait for one another there take ten times as long as
the function itself, and far more where other work holds the cores.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from customer_genome.models.estimator import Array

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def descend(
    loss: Callable[[Array], tuple[float, Array]], start: Array, lower: Array, upper: Array, **options: float
) -> tuple[Array, float]:
    """Return the point where L-BFGS-B ends, and the value there.

    Parameters
    ----------
    loss : function of a point, shape (n,)
        Returns value and gradient.
    lower, upper : arrays, shape (n,)
    options : maxiter, ftol, gtol, ... as SciPy's L-BFGS-B names them

    Source
    ------
    Byrd, Lu, Nocedal & Zhu (1995), SIAM Journal on Scientific Computing 16(5).
    """
    from scipy.optimize import minimize

    with _libraries().limit(limits=1, user_api="blas"):
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=np.column_stack([lower, upper]), options=options)
    return np.asarray(found.x, dtype=np.float64), float(found.fun)


@cache
def _libraries() -> ThreadpoolController:
    """Return the linear algebra libraries of this process, those of NumPy and SciPy loaded; finding them takes longer than a small descent."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
