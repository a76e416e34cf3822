"""What shops are like: a prior on log-parameters from documented fits to public data, for shops with few customers.

Comes in: the name of a model and how many customers there are. Goes out: where log-parameters are drawn to and how firmly, or nothing
where the shop has customers enough to speak for itself. Times are in units of the mean age of a customer and money in units of
the customers' geometric mean spend, so that neither the calendar nor the currency of the public shops matters. Nothing here fits.

The fits are `PUBLIC_FITS`: each model on the public shops, up to the day that is named. A log-parameter is drawn to its mean
over the shops; its standard deviation over the shops, widened for their small number and never below `SMALLEST_SPREAD`, says
how firmly. A test refits them. The prior counts in full up to `FULL_UP_TO` customers, then fades, and is gone from `NONE_FROM` on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from customer_genome.models.estimator import Array

FULL_UP_TO, NONE_FROM = 250.0, 500.0
SMALLEST_SPREAD = 0.5


@dataclass(frozen=True)
class PublicFit:
    """Parameters fitted to a public shop: times over the mean age, money over the customers' geometric mean spend."""

    shop: str
    as_of: str
    values: tuple[float, ...]


PUBLIC_SHOPS: Mapping[str, str] = {
    "cdnow": "CDNOW, CDs, 1997: 23,570 customers (Fader & Hardie)",
    "online-retail-ii": "Online Retail II, gifts, 2009-2011: 4,606 customers (UCI)",
    "complete-journey": "Complete Journey, a grocer, 2017: 2,393 households (dunnhumby)",
    "grocery": "a grocer, 2006: 1,525 customers (R package BTYD)",
    "apparel": "an apparel retailer, 2005-2006: 600 customers (R package CLVTools)",
}

PUBLIC_FITS: Mapping[str, tuple[PublicFit, ...]] = {
    "BG/NBD": (  # r, alpha, a, b
        PublicFit("cdnow", "1997-10-01", (0.2516, 0.1463, 0.7234, 2.161)),
        PublicFit("online-retail-ii", "2011-03-12", (0.7257, 0.2298, 0.1374, 5.381)),
        PublicFit("complete-journey", "2017-07-01", (1.407, 0.05829, 0.0126, 7.689)),
        PublicFit("grocery", "2006-12-31", (0.3488, 0.05643, 0.4896, 3.500)),
        PublicFit("apparel", "2007-01-01", (0.6073, 0.2015, 1.276, 8.861)),
    ),
    "MBG/NBD": (  # r, alpha, a, b
        PublicFit("cdnow", "1997-10-01", (0.6371, 0.2234, 0.8075, 1.228)),
        PublicFit("online-retail-ii", "2011-03-12", (0.7525, 0.2368, 0.1992, 11.04)),
        PublicFit("complete-journey", "2017-07-01", (1.415, 0.05857, 0.01405, 8.974)),
        PublicFit("grocery", "2006-12-31", (1.264, 0.1327, 0.3667, 0.7102)),
        PublicFit("apparel", "2007-01-01", (1.891, 0.4406, 0.6024, 1.582)),
    ),
    "Pareto/NBD": (  # r, alpha, s, beta
        PublicFit("cdnow", "1997-10-01", (0.5974, 0.3540, 0.5222, 0.2697)),
        PublicFit("online-retail-ii", "2011-03-12", (0.7692, 0.2485, 0.9183, 13.13)),
        PublicFit("complete-journey", "2017-07-01", (1.417, 0.05879, 0.1638, 7.107)),
        PublicFit("grocery", "2006-12-31", (0.7941, 0.1250, 0.3783, 0.1186)),
        PublicFit("apparel", "2007-01-01", (1.449, 0.4676, 0.5613, 0.4508)),
    ),
    "Gamma-Gamma": (  # p, q - 1, gamma; the grocer of 2006 has no money
        PublicFit("cdnow", "1997-10-01", (10.83, 2.267, 0.2685)),
        PublicFit("online-retail-ii", "2011-03-12", (2.556, 2.407, 1.304)),
        PublicFit("complete-journey", "2017-07-01", (0.6408, 2.708, 5.502)),
        PublicFit("apparel", "2007-01-01", (4.076, 3.604, 1.086)),
    ),
}


@dataclass(frozen=True)
class Prior:
    """Independent normal distributions of log-parameters, counted with a weight.

    Attributes
    ----------
    centre, spread : arrays, shape (n_parameters,)
        Mean and standard deviation of each log-parameter.
    weight : float, above 0 and at most 1
        How much of the prior counts.
    """

    centre: Array
    spread: Array
    weight: float


def small_shop_prior(model: str, n_customers: float) -> Prior | None:
    """Return the prior of a model for a shop of this size; None for a large shop or a model without public fits."""
    weight = float(np.clip((NONE_FROM - n_customers) / (NONE_FROM - FULL_UP_TO), 0.0, 1.0))
    if model not in PUBLIC_FITS or weight == 0:
        return None
    centre, spread = pooled(tuple(fit.values for fit in PUBLIC_FITS[model]))
    return Prior(centre, spread, weight)


def pooled(fits: tuple[tuple[float, ...], ...]) -> tuple[Array, Array]:
    """Return mean and predictive standard deviation of log-parameters over several fits."""
    logs = np.log(np.array(fits))
    return logs.mean(axis=0), np.maximum(logs.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(logs)), SMALLEST_SPREAD)
