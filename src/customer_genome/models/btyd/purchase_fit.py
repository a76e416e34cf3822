"""Fitting a purchase model, whichever it is: the ladder in a shop's own unit of time, and what the fit says.

Comes in: distinct histories, how many customers have each, and a `PurchaseForm`, which is a purchase model as the ladder sees it.
Goes out: a `FitReport`. This module knows no formula of any model.

Time is scaled so that the mean age of a customer is 1 while fitting. The optimum does not depend on the unit then, and bounds and
penalty mean the same for every shop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from customer_genome.models.btyd.histories import Histories
from customer_genome.models.btyd.ladder import POOLED, Climb, Likelihood, Loss, climb
from customer_genome.models.btyd.prior import small_shop_prior
from customer_genome.models.estimator import Array, FitReport, as_rows

Rung = tuple[str, Callable[[], Array | None]]

SCOUT_ROWS = 4000
LARGE_ERROR = 0.10
"""A model that misses the repeat purchases, or the share of one-time buyers, of its own customers by more than this is doubtful."""

ASSUMED_AGE_DAYS = 365.0
"""Unit of time of a shop whose customers all came today."""


@dataclass(frozen=True)
class PurchaseForm:
    """A purchase model as the ladder sees it.

    Attributes
    ----------
    model : str
        Its name, for people.
    names : tuple of str
        Parameter names in order.
    is_time : tuple of bool
        Which parameters are times and change with the unit.
    lower, upper, centre, starts : arrays
        Bounds, what the weak penalty pulls to, and where to begin: log-parameters, times in units of the mean age.
    loss : (histories, weights, unit) -> Loss
        The likelihood with times measured in `unit`.
    simpler : (loss, histories, weights, unit) -> rungs
        Simpler forms below the penalised fit, in order; the last one is a formula.
    reading, boundaries : parameters by name -> sentences
        What they mean, and which of them lie at a boundary.
    """

    model: str
    names: tuple[str, ...]
    is_time: tuple[bool, ...]
    lower: Array
    upper: Array
    centre: Array
    starts: tuple[Array, ...]
    loss: Callable[[Histories, Array, float], Loss]
    simpler: Callable[[Loss, Histories, Array, float], list[Rung]]
    reading: Callable[[Mapping[str, float]], tuple[str, ...]]
    boundaries: Callable[[Mapping[str, float]], tuple[str, ...]]


def fit_purchases(form: PurchaseForm, histories: Histories, counts: Array) -> FitReport:
    """Return the report of the first acceptable fit on the ladder, for the distinct `histories` that `counts` customers have."""
    unit = float(counts @ histories.age_days / counts.sum())
    if unit <= 0:
        unit = ASSUMED_AGE_DAYS
    likelihood = as_likelihood(form, histories, counts, unit)
    found = climb(likelihood, form.simpler(likelihood.loss, histories, counts, unit))
    return _report(form, found, likelihood, histories, counts, unit)


def as_likelihood(form: PurchaseForm, histories: Histories, counts: Array, unit: float) -> Likelihood:
    """Return what the ladder climbs; with many histories a part of them chooses among the starts."""
    scout = None
    if len(histories) > 2 * SCOUT_ROWS:
        step = len(histories) // SCOUT_ROWS
        part = Histories(histories.frequency[::step], histories.recency_days[::step], histories.age_days[::step])
        scout = form.loss(part, counts[::step], unit)
    loss, weight = form.loss(histories, counts, unit), float(counts.sum())
    prior = small_shop_prior(form.model, weight)
    return Likelihood(form.names, loss, weight, form.lower, form.upper, form.centre, form.starts, scout, prior)


def _report(
    form: PurchaseForm, found: Climb, likelihood: Likelihood, histories: Histories, counts: Array, unit: float
) -> FitReport:
    def by_name(point: Array) -> dict[str, float]:
        return dict(zip(form.names, np.exp(point + np.log(unit) * np.array(form.is_time)).tolist(), strict=True))

    values = by_name(found.point)
    boundaries = () if found.plain is None else form.boundaries(by_name(found.plain))
    errors = {} if found.standard_errors is None else {
        name: float(error * values[name]) for name, error in zip(form.names, found.standard_errors, strict=True)
    }  # fmt: skip
    in_units = -likelihood.loss(found.point)[0] * likelihood.weight
    return FitReport(
        model=form.model,
        n_customers=float(counts.sum()),
        n_distinct=len(histories),
        log_likelihood=float(in_units - np.log(unit) * (counts @ histories.frequency)),
        parameters=values,
        converged=found.converged,
        rung=found.rung,
        standard_errors=errors,
        reading=form.reading(values),
        notices=tuple(
            dict.fromkeys((*_data_notices(histories, counts, found.rung), *found.notices, *boundaries, *form.boundaries(values)))
        ),
        covariance=as_rows(found.covariance),
    )


def _data_notices(histories: Histories, counts: Array, rung: str) -> list[str]:
    notices, basis = [], "what public shops are like" if rung == POOLED else "the weak penalty"
    if not histories.frequency.any():
        notices.append(
            f"Nobody has bought on a second day yet: nothing can be learned about stopping, and expected orders rest on {basis}."
        )
    if not histories.age_days.any():
        notices.append(f"No time has passed since the first purchases: predictions rest on {basis}.")
    return notices


@dataclass(frozen=True)
class Seen:
    """Repeat purchase days per customer, and the share of customers who bought on one day only."""

    repeats: float
    once: float


def held_against(report: FitReport, expected: Seen, seen: Seen) -> FitReport:
    """Return the report with a sentence on how well the model describes the customers it was fitted to, and a notice where it does not."""
    if seen.repeats == 0:
        return report
    said = (
        f"Told their ages only, the model expects {expected.repeats:.3g} repeat purchase days per customer and {expected.once:.1%} "
        f"who bought once; seen were {seen.repeats:.3g} and {seen.once:.1%}."
    )
    notices = report.notices
    noise = 4.0 / np.sqrt(report.n_customers)
    if abs(expected.repeats / seen.repeats - 1) > max(LARGE_ERROR, noise * 2) or abs(expected.once - seen.once) > max(
        LARGE_ERROR, noise / 2
    ):
        notices = (
            *notices,
            "The model describes these customers only roughly (see what it expects and what was seen); often many of them were not new "
            "when the data begin.",
        )
    return replace(report, reading=(*report.reading, said), notices=notices)
