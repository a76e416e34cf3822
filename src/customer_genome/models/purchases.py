"""How often customers will buy: the BG/NBD model.

Comes in: per customer the repeat purchase days (frequency, x in the paper), the days from first to last purchase (recency_days, t_x) and
from first purchase to the end of observation (age_days, T). Goes out: the chance that a customer is still active, expected
purchase days in any horizon, the chance of at least n of them, and simulated counts. A purchase day is one event, however many
orders fall on it. Nothing here knows money, files or settings.

The unit of time is the day by name only: give all three times and the horizon in weeks and every prediction is the same.

Source
------
Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError
from customer_genome.models.dropout import NO_DROPOUT, at_least_while_active, expected_while_active
from customer_genome.models.estimator import Array, Arrays, FitReport, report_from_arrays, report_to_arrays, require_fitted
from customer_genome.models.histories import Histories, as_column, check_histories, collapse, once_per_distinct
from customer_genome.models.purchase_likelihood import PARAMETERS, fit_histories, reading

__all__ = ["BetaGeometricNBD", "collapse"]


class BetaGeometricNBD:
    """The BG/NBD model of repeat purchases.

    While active, a customer buys at random with a rate of their own; after each repeat purchase they stop for good with a chance of
    their own. Rates vary over customers as Gamma(r, alpha), chances as Beta(a, b). A customer without a repeat purchase has had no
    occasion to stop and counts as active: read their `probability_of_order` rather than `probability_alive`.

    Examples
    --------
    >>> model = BetaGeometricNBD.from_parameters(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> model.expected_orders([2], [30.43], [38.86], horizon_days=39).round(3).tolist()
    [1.226]
    """

    name: ClassVar[str] = "BG/NBD"

    def __init__(self) -> None:
        self._report: FitReport | None = None

    @classmethod
    def from_parameters(cls, r: float, alpha: float, a: float, b: float) -> Self:
        """Return a model with the given parameters; `alpha` in the unit of time that will be used (a = 0: nobody stops)."""
        values = {"r": float(r), "alpha": float(alpha), "a": float(a), "b": float(b)}
        wrong = [
            f"{name} = {value}"
            for name, value in values.items()
            if not (np.isfinite(value) and (value > 0 or (name == "a" and value == 0)))
        ]
        if wrong:
            raise ContractError(f"BG/NBD parameters: got {', '.join(wrong)}. Wanted: finite and above 0 (a may be 0).")
        model = cls()
        model._report = FitReport(cls.name, 0.0, 0, 0.0, values, True, "given parameters", {}, reading(values))
        return model

    # --- fit ---------------------------------------------------------------------------------------------------------

    def fit(
        self,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn r, alpha, a and b by maximum likelihood over the distinct histories.

        Parameters
        ----------
        frequency : array, shape (n_customers,)
            Repeat purchase days (x): whole numbers; 0 = one purchase day only.
        recency_days, age_days : arrays, shape (n_customers,), days
            0 <= recency_days <= age_days.
        weights : array, shape (n_customers,), optional
            How often each customer counts.

        Raises
        ------
        ContractError
            The arrays are not histories, or no customer has weight. A likelihood without an optimum is no error: the
            ladder in `ladder` takes a weak penalty, then a model without dropout, then one common rate, and says so.

        Source
        ------
        Fader, Hardie & Lee (2005), eq. 6 and Appendix. Checked: tests/golden/test_purchases.py
        """
        histories, counts = collapse(frequency, recency_days, age_days, weights)
        if len(histories) == 0:
            raise ContractError("BG/NBD fit: got no customers. Wanted: at least one. Check the cutoff: nobody bought before it.")
        self._report = fit_histories(self.name, histories, counts)
        return self

    @property
    def report_(self) -> FitReport:
        """Return the report of the fit."""
        return require_fitted(self._report, self.name)

    @property
    def parameters_(self) -> tuple[float, float, float, float]:
        """Return r, alpha (in days), a and b."""
        values = self.report_.parameters
        return values["r"], values["alpha"], values["a"], values["b"]

    # --- predictions -------------------------------------------------------------------------------------------------

    def predict(
        self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, horizon_days: float
    ) -> dict[str, Array]:
        """Return p_alive, expected_orders and probability_of_order, each of shape (n_customers,)."""
        return {
            "p_alive": self.probability_alive(frequency, recency_days, age_days),
            "expected_orders": self.expected_orders(frequency, recency_days, age_days, horizon_days),
            "probability_of_order": self.probability_of_order(frequency, recency_days, age_days, horizon_days),
        }

    def probability_alive(self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike) -> Array:
        """Return the chance that each customer is still active.

        Returns
        -------
        array, shape (n_customers,), 0..1; exactly 1 where frequency is 0.

        Source
        ------
        Fader, Hardie & Lee (2008), Computing P(alive) Using the BG/NBD Model.
        """
        return self._alive(check_histories(frequency, recency_days, age_days))

    def expected_orders(
        self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, horizon_days: float
    ) -> Array:
        """Return the expected purchase days of each customer in the next `horizon_days`.

        Returns
        -------
        array, shape (n_customers,), purchase days, >= 0, not decreasing in the horizon.

        Source
        ------
        Fader, Hardie & Lee (2005), eq. 10, in the form of `dropout`. Checked: tests/golden/test_purchases.py
        """
        histories = check_histories(frequency, recency_days, age_days)
        active = self.expected_orders_if_active(histories.frequency, histories.age_days, [horizon_days])
        return self._alive(histories) * active[:, 0]

    def expected_orders_if_active(self, frequency: npt.ArrayLike, age_days: npt.ArrayLike, horizons_days: npt.ArrayLike) -> Array:
        """Return the expected purchase days up to each horizon for customers known to be active now.

        Parameters
        ----------
        frequency, age_days : arrays, shape (n_customers,)
            When a customer is known to be active, the day of the last purchase says nothing more.
        horizons_days : array, shape (n_horizons,), days

        Returns
        -------
        array, shape (n_customers, n_horizons), purchase days
        """
        times = as_column(horizons_days, "horizons_days")
        for time in times:
            check_horizon(time)
        x, age = as_column(frequency, "frequency"), as_column(age_days, "age_days")
        if len(x) == 0:
            return np.empty((0, len(times)))
        r, alpha, a, b = self.parameters_

        def compute(count: Array, seen: Array) -> Array:
            return expected_while_active(r + count, a, b + count, times[None, :] / (alpha + seen)[:, None])

        return once_per_distinct(compute, x, age)

    def expected_orders_of_new_customer(self, horizons_days: npt.ArrayLike) -> Array:
        """Return the expected repeat purchase days of a customer within each horizon after the first purchase.

        Source
        ------
        Fader, Hardie & Lee (2005), eq. 9. Checked: tests/golden/test_purchases.py
        """
        orders: Array = self.expected_orders_if_active([0], [0], horizons_days)[0]
        return orders

    def probability_of_order(
        self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, horizon_days: float
    ) -> Array:
        """Return the chance of at least one purchase day in the next `horizon_days`, shape (n_customers,), 0..1."""
        return self.probability_of_at_least(1, frequency, recency_days, age_days, horizon_days)

    def probability_of_at_least(
        self,
        n_orders: int,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        horizon_days: float,
    ) -> Array:
        """Return the chance of `n_orders` or more purchase days in the next `horizon_days`, shape (n_customers,), 0..1."""
        histories = check_histories(frequency, recency_days, age_days)
        if n_orders <= 0:
            return np.ones(len(histories))
        active = once_per_distinct(
            lambda x, age: self.at_least_if_active(np.array([float(n_orders)]), x, age, horizon_days)[:, 0],
            histories.frequency,
            histories.age_days,
        )
        return self._alive(histories) * active

    def at_least_if_active(self, n_orders: Array, frequency: Array, age_days: Array, horizon_days: float) -> Array:
        """Return P(n or more purchase days) of active customers, shape (n_customers, k).

        `n_orders` has shape (k,), the same counts for everybody, or (n_customers, k).
        """
        r, alpha, a, b = self.parameters_
        z = check_horizon(horizon_days) / (alpha + age_days)
        return at_least_while_active(np.atleast_2d(n_orders), (r + frequency)[:, None], a, (b + frequency)[:, None], z[:, None])

    def days_until_order(
        self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, probability: float = 0.5
    ) -> Array:
        """Return the days after which each customer's chance of having bought again reaches `probability`.

        Returns
        -------
        array, shape (n_customers,), days; infinite where the chance never gets there because the customer may have stopped.
        """
        if not 0 < probability < 1:
            raise ContractError(f"probability: got {probability}. Wanted: between 0 and 1, exclusive.")
        histories = check_histories(frequency, recency_days, age_days)
        r, alpha, _, _ = self.parameters_
        alive = self._alive(histories)
        reachable = alive > probability
        share = np.where(reachable, probability / np.where(reachable, alive, 1.0), 0.5)
        with np.errstate(over="ignore"):
            days = (alpha + histories.age_days) * np.expm1(-np.log1p(-share) / (r + histories.frequency))
        return np.where(reachable, days, np.inf)

    def simulate_orders(
        self,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        horizon_days: float,
        n_draws: int,
        seed: int | np.random.Generator,
    ) -> npt.NDArray[np.int64]:
        """Draw how many purchase days each customer will have, given the parameters and the customer's history.

        Rate, dropout chance and being active are drawn from their exact posterior. For many customers call it with parts of
        them and one Generator: it needs about 40 bytes per customer and draw.

        Returns
        -------
        int array, shape (n_customers, n_draws)
        """
        histories = check_histories(frequency, recency_days, age_days)
        horizon, rng = check_horizon(horizon_days), np.random.default_rng(seed)
        r, alpha, a, b = self.parameters_
        x, shape = histories.frequency[:, None], (len(histories), n_draws)
        is_alive = rng.random(shape) < self._alive(histories)[:, None]
        rate = rng.gamma(r + x, 1.0, shape) / (alpha + histories.age_days)[:, None]
        bought = rng.poisson(np.minimum(rate * horizon, 1e15)).astype(np.float64)
        if a >= NO_DROPOUT:
            stop = rng.beta(a, b + x, shape)
            tiny = np.finfo(np.float64).tiny
            last = np.ceil(np.log(np.maximum(rng.random(shape), tiny)) / np.log1p(-np.clip(stop, tiny, 1 - 1e-16)))
            bought = np.minimum(bought, np.maximum(last, 1.0))
        return np.where(is_alive, bought, 0.0).astype(np.int64)

    def _alive(self, histories: Histories) -> Array:
        from scipy.special import expit

        r, alpha, a, b = self.parameters_
        x = histories.frequency
        if a < NO_DROPOUT:
            return np.ones(len(x))
        silence = np.log1p((histories.age_days - histories.recency_days) / (alpha + histories.recency_days))
        stopped = np.log(a) - np.log(b + np.maximum(x, 1.0) - 1.0) + (r + x) * silence
        alive: Array = expit(-stopped)
        return np.where(x == 0, 1.0, alive)

    # --- storage -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the parameters and the report as arrays."""
        return report_to_arrays(self.report_)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the model that `to_arrays` described; RegistryError when it is another model's."""
        model = cls()
        model._report = report_from_arrays(arrays, cls.name, PARAMETERS)
        return model


def check_horizon(horizon_days: float) -> float:
    """Return the horizon as a float; ContractError when it is not a finite number >= 0."""
    horizon = float(horizon_days)
    if not (np.isfinite(horizon) and horizon >= 0):
        raise ContractError(f"horizon_days: got {horizon_days}. Wanted: a finite number of days >= 0, for example 180.")
    return horizon
