"""What every purchase model can answer, whatever story of buying and stopping it tells.

Comes in: per customer the repeat purchase days (frequency, x in the papers), the days from first to last purchase (recency_days, t_x)
and from first purchase to the end of observation (age_days, T). Goes out: the chance that a customer is still active, expected
purchase days in any horizon, the chance of at least n of them, the days until the next one, and simulated counts.

The models here share one form: what a customer will do is P(active) times what an active customer will do, and the second
depends on x and T only. So a model states three things, `_alive`, `_expected_if_active` and `_at_least_if_active`, how to
draw, and how to fit; everything else is derived here. Nothing here knows money, files or settings.

The unit of time is the day by name only: give all three times and the horizon in weeks and every prediction is the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import ContractError, RegistryError
from customer_genome.models.btyd.histories import Histories, as_column, check_histories, collapse, dot, once_per_distinct
from customer_genome.models.btyd.purchase_fit import Seen, held_against
from customer_genome.models.estimator import Array, Arrays, FitReport, report_from_arrays, report_to_arrays, require_fitted

PURCHASE_MODELS: dict[str, tuple[str, str]] = {
    "BG/NBD": ("customer_genome.models.btyd.purchases", "BetaGeometricNBD"),
    "MBG/NBD": ("customer_genome.models.btyd.modified_beta_geometric", "ModifiedBetaGeometricNBD"),
    "Pareto/NBD": ("customer_genome.models.btyd.pareto", "ParetoNBD"),
}
"""Name of a model -> the module and the class that hold it. A new model adds a line."""

_MOST_AGES = 500
_DOUBLINGS = 60
_HALVINGS = 60


class PurchaseModel(ABC):
    """A model of repeat purchases by customers who may stop for good.

    A subclass sets `name`, `parameter_names` (the unit of time in the order of its paper) and `zero_allowed`, and defines the
    abstract methods. They are handed checked arrays.
    """

    name: ClassVar[str]
    parameter_names: ClassVar[tuple[str, ...]]
    zero_allowed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self._report: FitReport | None = None

    def __repr__(self) -> str:
        """Return the class with its parameters, as they may be given to `from_parameters`."""
        values = {} if self._report is None else self._report.parameters
        return f"{type(self).__name__}({', '.join(f'{name}={value:.6g}' for name, value in values.items())})"

    @classmethod
    def from_values(cls, values: Mapping[str, float]) -> Self:
        """Return a model with the given parameters by name, times in the unit that will be used."""
        given = {name: float(values[name]) for name in cls.parameter_names if name in values}
        wrong = [f"{name} = {value}" for name, value in given.items() if not cls._is_possible(name, value)]
        wrong += [f"no {name}" for name in cls.parameter_names if name not in values]
        wrong += [f"{name}, which is not one of its parameters" for name in values if name not in cls.parameter_names]
        if wrong:
            zero = "".join(f" ({name} may be 0)" for name in cls.parameter_names if name in cls.zero_allowed)
            raise ContractError(
                f"{cls.name} parameters: got {', '.join(wrong)}. Wanted: {', '.join(cls.parameter_names)}, "
                f"each finite and above 0{zero}."
            )
        model = cls()
        model._report = FitReport(cls.name, 0.0, 0, 0.0, given, True, "given parameters", {}, cls.reading_of(given))
        return model

    @classmethod
    def _is_possible(cls, name: str, value: float) -> bool:
        return bool(np.isfinite(value)) and (value > 0 or (value == 0 and name in cls.zero_allowed))

    # --- what a model defines ----------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def reading_of(cls, values: Mapping[str, float]) -> tuple[str, ...]:
        """Return what the parameters mean, in plain words."""

    @abstractmethod
    def _fit_distinct(self, histories: Histories, counts: Array) -> FitReport:
        """Return the report of a fit to distinct histories that `counts` customers have."""

    @abstractmethod
    def _alive(self, histories: Histories) -> Array:
        """Return P(active) of each history, shape (n,)."""

    @abstractmethod
    def _expected_if_active(self, frequency: Array, age_days: Array, horizons_days: Array) -> Array:
        """Return expected purchase days of active customers, shape (n, k), for horizons of shape (1, k) or (n, k)."""

    @abstractmethod
    def _at_least_if_active(self, n_orders: Array, frequency: Array, age_days: Array, horizon_days: Array) -> Array:
        """Return P(n or more) of active customers; all arguments are columns that broadcast with n_orders (1 or n, k)."""

    @abstractmethod
    def _draw_if_active(
        self, frequency: Array, age_days: Array, horizon_days: float, n_draws: int, rng: np.random.Generator
    ) -> Array:
        """Draw purchase days of active customers, shape (n, n_draws), whole numbers."""

    def _days_until_chance(self, frequency: Array, age_days: Array, chance: Array) -> Array:
        """Return the horizon at which an active customer's chance of a purchase reaches `chance`, infinite where it never does."""
        one, x, age = np.ones((1, 1)), frequency[:, None], age_days[:, None]

        def falls_short(days: Array) -> npt.NDArray[np.bool_]:
            return self._at_least_if_active(one, x, age, days[:, None])[:, 0] < chance

        high = np.maximum(age_days, 1.0)
        low = np.zeros_like(high)
        for _ in range(_DOUBLINGS):
            short = falls_short(high)
            if not short.any():
                break
            low, high = np.where(short, high, low), np.where(short, 4.0 * high, high)
        never = falls_short(high)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            short = falls_short(middle)
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.where(never, np.inf, high)

    # --- fit ---------------------------------------------------------------------------------------------------------

    def fit(
        self,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn the parameters by maximum likelihood over the distinct histories.

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
            ladder in `ladder` takes a weak penalty, then simpler models, and says so.
        """
        histories, counts = collapse(frequency, recency_days, age_days, weights)
        if len(histories) == 0:
            raise ContractError(
                f"{self.name} fit: got no customers. Wanted: at least one. Check the cutoff: nobody bought before it."
            )
        self._report = self._fit_distinct(histories, counts)
        self._report = held_against(self._report, *self._as_if_new(histories, counts))
        return self

    def _as_if_new(self, histories: Histories, counts: Array) -> tuple[Seen, Seen]:
        """Return what the model would have expected of these customers on the day of their first purchases, and what was seen."""
        ages, weights = histories.age_days, counts / counts.sum()
        points = np.unique(ages)
        if len(points) > _MOST_AGES:
            points = np.quantile(points, np.linspace(0.0, 1.0, _MOST_AGES))
        none, alive = np.zeros_like(points), float(self.probability_alive([0], [0], [0])[0])
        repeats = alive * self.expected_orders_if_active([0], [0], points)[0]
        once = 1 - alive * self.at_least_if_active(np.ones(1), none, none, points)[:, 0]
        expected = Seen(dot(weights, np.interp(ages, points, repeats)), dot(weights, np.interp(ages, points, once)))
        x = histories.frequency
        return expected, Seen(dot(weights, x), dot(weights, (x == 0).astype(np.float64)))

    @property
    def report_(self) -> FitReport:
        """Return the report of the fit."""
        return require_fitted(self._report, self.name)

    @property
    def parameters_(self) -> tuple[float, ...]:
        """Return the parameters in the order of `parameter_names`."""
        values = self.report_.parameters
        return tuple(values[name] for name in self.parameter_names)

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
        """Return the chance that each customer is still active, shape (n_customers,), 0..1."""
        require_fitted(self._report, self.name)
        return self._alive(check_histories(frequency, recency_days, age_days))

    def expected_orders(
        self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, horizon_days: float
    ) -> Array:
        """Return the expected purchase days of each customer in the next `horizon_days`.

        Returns
        -------
        array, shape (n_customers,), purchase days, >= 0, not decreasing in the horizon.
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
        horizons_days : array, shape (n_horizons,), or (n_customers, n_horizons) where each customer has horizons of their own, days

        Returns
        -------
        array, shape (n_customers, n_horizons), purchase days
        """
        require_fitted(self._report, self.name)
        x, age = as_column(frequency, "frequency"), as_column(age_days, "age_days")
        times = check_horizons(horizons_days, len(x))
        if len(x) == 0:
            return np.empty((0, times.shape[1]))
        if len(times) == 1:
            return once_per_distinct(lambda count, seen: self._expected_if_active(count, seen, times), x, age)
        return self._expected_if_active(x, age, times)

    def expected_orders_of_new_customer(self, horizons_days: npt.ArrayLike) -> Array:
        """Return the expected repeat purchase days of a customer within each horizon after the first purchase."""
        orders: Array = self.probability_alive([0], [0], [0]) * self.expected_orders_if_active([0], [0], horizons_days)[0]
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
        histories, horizon = check_histories(frequency, recency_days, age_days), check_horizon(horizon_days)
        if n_orders <= 0:
            return np.ones(len(histories))
        alive = self._alive(histories)
        active = once_per_distinct(
            lambda x, age: self.at_least_if_active(np.array([float(n_orders)]), x, age, horizon)[:, 0],
            histories.frequency,
            histories.age_days,
        )
        return alive * active

    def probability_of_exactly(
        self,
        n_orders: int,
        frequency: npt.ArrayLike,
        recency_days: npt.ArrayLike,
        age_days: npt.ArrayLike,
        horizon_days: float,
    ) -> Array:
        """Return the chance of exactly `n_orders` purchase days in the next `horizon_days`, shape (n_customers,); over n they sum to 1."""
        if n_orders < 0:
            return np.zeros(len(check_histories(frequency, recency_days, age_days)))
        at_least, more = (
            self.probability_of_at_least(n, frequency, recency_days, age_days, horizon_days) for n in (n_orders, n_orders + 1)
        )
        return np.maximum(at_least - more, 0.0)

    def at_least_if_active(self, n_orders: Array, frequency: Array, age_days: Array, horizon_days: float | Array) -> Array:
        """Return P(n or more purchase days) of active customers, shape (n_customers, k).

        `n_orders` has shape (k,), the same counts for everybody, or (n_customers, k). `horizon_days` is one number or one per customer.
        """
        require_fitted(self._report, self.name)
        horizon = np.reshape(np.asarray(horizon_days, dtype=np.float64), (-1, 1))
        check_horizons(horizon, len(horizon))
        counts = np.atleast_2d(np.asarray(n_orders, dtype=np.float64))
        return self._at_least_if_active(counts, frequency[:, None], age_days[:, None], horizon)

    def days_until_order(
        self, frequency: npt.ArrayLike, recency_days: npt.ArrayLike, age_days: npt.ArrayLike, probability: float | Array = 0.5
    ) -> Array:
        """Return the days after which each customer's chance of having bought again reaches `probability`.

        Parameters
        ----------
        probability : float, or array of shape (n_customers,), between 0 and 1, exclusive

        Returns
        -------
        array, shape (n_customers,), days; infinite where the chance never gets there because the customer may have stopped.
        """
        if not np.all((np.asarray(probability) > 0) & (np.asarray(probability) < 1)):
            raise ContractError(f"probability: got {probability}. Wanted: between 0 and 1, exclusive.")
        require_fitted(self._report, self.name)
        histories = check_histories(frequency, recency_days, age_days)
        alive = self._alive(histories)
        wanted = np.broadcast_to(probability, alive.shape)
        reachable = np.flatnonzero(alive > wanted)
        days = np.full(len(alive), np.inf)
        if len(reachable):
            x, age = histories.frequency[reachable], histories.age_days[reachable]
            days[reachable] = once_per_distinct(self._days_until_chance, x, age, wanted[reachable] / alive[reachable])
        return days

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

        Rates and being active are drawn from their exact posterior. For many customers call it with parts of them and one
        Generator: it needs about 40 bytes per customer and draw.

        Returns
        -------
        int array, shape (n_customers, n_draws)
        """
        require_fitted(self._report, self.name)
        histories = check_histories(frequency, recency_days, age_days)
        horizon, rng = check_horizon(horizon_days), np.random.default_rng(seed)
        is_alive = rng.random((len(histories), n_draws)) < self._alive(histories)[:, None]
        bought = self._draw_if_active(histories.frequency, histories.age_days, horizon, n_draws, rng)
        return np.where(is_alive, bought, 0.0).astype(np.int64)

    # --- storage -----------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the parameters and the report as arrays."""
        return report_to_arrays(self.report_)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Return the model that `to_arrays` described; RegistryError when it is another model's."""
        model = cls()
        model._report = report_from_arrays(arrays, cls.name, cls.parameter_names)
        return model


def purchase_model_from_arrays(arrays: Arrays) -> PurchaseModel:
    """Return the purchase model that `to_arrays` described, of the class that wrote it; RegistryError when there is no such class."""
    return purchase_model_class(str(arrays["model"]) if "model" in arrays else "").from_arrays(arrays)


def purchase_model_class(name: str) -> type[PurchaseModel]:
    """Return the class of the purchase model with this name, for example "BG/NBD"; RegistryError when there is none."""
    if name not in PURCHASE_MODELS:
        raise RegistryError(
            f"Stored purchase model: got {name or 'arrays without a model name'}. Wanted: one of {', '.join(PURCHASE_MODELS)}. "
            "Fit the model again with `genome run`."
        )
    module, class_name = PURCHASE_MODELS[name]
    found: type[PurchaseModel] = getattr(import_module(module), class_name)
    return found


def check_horizon(horizon_days: float) -> float:
    """Return the horizon as a float; ContractError when it is not a finite number >= 0."""
    horizon = float(horizon_days)
    if not (np.isfinite(horizon) and horizon >= 0):
        raise ContractError(f"horizon_days: got {horizon_days}. Wanted: a finite number of days >= 0, for example 180.")
    return horizon


def check_horizons(horizons_days: npt.ArrayLike, n_customers: int) -> Array:
    """Return horizons as a table of shape (1, n_horizons) or (n_customers, n_horizons); ContractError when they are none."""
    times = np.asarray(horizons_days, dtype=np.float64)
    if times.ndim == 2 and len(times) == n_customers:
        table = times
    else:
        table = as_column(horizons_days, "horizons_days")[None, :]
    wrong = ~(np.isfinite(table) & (table >= 0))
    if wrong.any():
        check_horizon(float(table[wrong][0]))
    return table
