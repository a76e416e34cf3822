"""Customers who are alike: cosine between their places in the standardised genome.

Every fact is put on a scale where customers are comparable: counts, days and money are divided by their median and logged, so
that doubling counts alike for everybody and no unit matters; then each fact is centred on its mean, divided by its spread and
held within four spreads. An unknown fact counts as average. Weights say how much each fact counts; the shares of spend by
category together count as much as two facts. Two customers are as alike as the directions of their places: 1 = the same,
0 = nothing in common, -1 = the opposite.

Only facts are used, no predictions: who is alike does not depend on a model, and the same can be measured as of an earlier day.

Comes in: NumPy arrays, one value per customer. Goes out: float32 matrices of unit vectors, places and cosines. This module must
not read files or settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from customer_genome.errors import SettingsError, did_you_mean

Array = npt.NDArray[np.float64]
Unit = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

LOGGED: tuple[str, ...] = ("recency_days", "n_orders", "total_spend", "mean_order_value", "tenure_days", "unique_products")
PLAIN: tuple[str, ...] = ("spend_trend", "discount_share", "return_share")
SHARE_PREFIX = "category_share_"
SHARES = "category_share"
"""What stands for the shares of all categories where weights are given."""
WEIGHT_OF_SHARES = 2.0
MOST_SPREADS = 4.0
ROWS_AT_ONCE = 65_536
SEEDS_AT_ONCE = 1_000


@dataclass(frozen=True)
class Space:
    """The scale of every fact, learned from customers.

    Attributes
    ----------
    columns : facts, in the order of the matrix
    units : what a logged fact is divided by; 0 = not logged
    centres, spreads : of the fact after that
    wanted : (fact, weight) that the shop has set, in place of the usual weights
    """

    columns: tuple[str, ...]
    units: tuple[float, ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    wanted: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, facts: Mapping[str, Array], wanted: Mapping[str, float] | None = None) -> Self:
        """Return the space of customers; facts that are unknown or the same for everybody are left out.

        Parameters
        ----------
        facts : name -> float array of shape (n_customers,); NaN = unknown
        wanted : fact -> weight in place of the usual one; those of facts that are left out here say nothing
        """
        found: list[tuple[str, float, float, float]] = []
        for name in wanted_columns(facts):
            values = facts[name]
            known = values[np.isfinite(values)]
            unit = 0.0
            if name not in PLAIN and not name.startswith(SHARE_PREFIX):
                unit = float(np.median(np.maximum(known, 0.0))) if len(known) else 0.0
                unit = unit if unit > 0 else 1.0
            scaled = _scaled(known, unit)
            spread = float(scaled.std()) if len(scaled) else 0.0
            if spread > 1e-9:
                found.append((name, unit, float(scaled.mean()), spread))
        columns, units, centres, spreads = zip(*found, strict=True) if found else ((), (), (), ())
        kept = tuple((name, float(value)) for name, value in (wanted or {}).items() if name in columns or name == SHARES)
        return cls(tuple(columns), tuple(units), tuple(centres), tuple(spreads), kept)

    def place(self, facts: Mapping[str, Array]) -> Unit:
        """Return unit vectors of customers under the default weights, float32, shape (n_customers, n_facts)."""
        n = len(next(iter(facts.values()))) if facts else 0
        placed = np.zeros((n, len(self.columns)))
        for number, name in enumerate(self.columns):
            z = (_scaled(facts[name], self.units[number]) - self.centres[number]) / self.spreads[number]
            placed[:, number] = np.clip(np.nan_to_num(z, nan=0.0), -MOST_SPREADS, MOST_SPREADS)
        return _units(placed * np.sqrt(self.weights()))

    def weights(self, given: Mapping[str, float] | None = None) -> Array:
        """Return how much each fact counts, float array of shape (n_facts,).

        Parameters
        ----------
        given : fact -> weight, where it shall not be the default; "category_share" means all shares, each

        Raises
        ------
        SettingsError
            When a fact is not known (near names), a weight is below zero, or nothing is left to compare.
        """
        n_shares = sum(name.startswith(SHARE_PREFIX) for name in self.columns)
        weight = {name: WEIGHT_OF_SHARES / n_shares if name.startswith(SHARE_PREFIX) else 1.0 for name in self.columns}
        for name, value in {**dict(self.wanted), **(given or {})}.items():
            meant = [name] if name in weight else [one for one in weight if one.startswith(SHARE_PREFIX) and name == SHARES]
            if not meant and name in dict(self.wanted):
                continue  # the shop weighs categories, and these data have none
            if not meant:
                raise SettingsError(
                    f"weight of {name}: these customers are not compared by that.{did_you_mean(name, weight)} Facts: {', '.join(weight)}."
                )
            if not 0 <= value < float("inf"):
                raise SettingsError(f"weight of {name} = {value:g}: wanted 0 (leave it out) or more, such as 2.")
            weight |= dict.fromkeys(meant, float(value))
        found = np.array([weight[name] for name in self.columns], dtype=np.float64)
        if (given or self.wanted) and not found.any():
            raise SettingsError("Every weight is 0, so nothing is left to compare customers by. Give one fact a weight above 0.")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the space as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return a stored space."""
        wanted = tuple((str(name), float(value)) for name, value in stored.get("wanted", ()))
        return cls(**{name: tuple(stored[name]) for name in ("columns", "units", "centres", "spreads")}, wanted=wanted)


def wanted_columns(known: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return the facts to compare by, of those that are known, in a fixed order."""
    shares = sorted(name for name in known if name.startswith(SHARE_PREFIX))
    return [name for name in (*LOGGED, *PLAIN, *shares) if name in known]


def nearest(
    units: Unit, vector: Unit, most: int, *, weights: Array | None = None, default: Array | None = None, without: int = -1
) -> tuple[Places, Array]:
    """Return the places of the nearest customers and their cosines, nearest first; all customers are looked at.

    Parameters
    ----------
    units : float32, shape (n_customers, n_facts), from `Space.place`; may be memory-mapped
    vector : float32, shape (n_facts,), one such row
    weights, default : what facts shall count, and what `units` was made with; None = as made
    without : place to leave out, of the customer themselves
    """
    best_place, best = np.empty(0, dtype=np.int64), np.empty(0)
    for start, cosine in _cosines(units, vector[None, :], weights, default):
        values = cosine[:, 0]
        if start <= without < start + len(values):
            values[without - start] = -np.inf
        # Of equals the one that came first stays, so only what is better than the worst so far is looked at.
        few = np.flatnonzero(values > best[-1]) if len(best) == most else np.arange(len(values))
        if len(few) > most:
            few = np.sort(few[np.argpartition(-values[few], most - 1)[:most]]) if _no_ties(values[few], most) else few
        best_place = np.concatenate([best_place, few + start])
        best = np.concatenate([best, values[few].astype(np.float64)])
        keep = np.lexsort((best_place, -best))[:most]
        best_place, best = best_place[keep], best[keep]
    real = np.isfinite(best)
    return best_place[real], np.clip(best[real], -1.0, 1.0)


def _no_ties(values: Unit, most: int) -> bool:
    """Return whether the best so many are certain: the next one is strictly worse."""
    ordered = -np.partition(-values, (most - 1, most))[[most - 1, most]]
    return bool(ordered[0] > ordered[1])


def likeness(
    units: Unit, seeds: Unit, *, n_nearest: int = 5, weights: Array | None = None, default: Array | None = None
) -> Array:
    """Return how alike every customer is to a group: the mean cosine with the `n_nearest` members nearest to them.

    Not the cosine with the group's middle: a group of two kinds of customers has a middle like neither.

    Parameters
    ----------
    seeds : float32, shape (n_seeds, n_facts); beyond `SEEDS_AT_ONCE` evenly thinned

    Returns
    -------
    float array, shape (n_customers,), -1..1
    """
    if len(seeds) > SEEDS_AT_ONCE:
        seeds = seeds[np.linspace(0, len(seeds) - 1, SEEDS_AT_ONCE).astype(np.int64)]
    few, found = min(n_nearest, len(seeds)), np.empty(len(units))
    for start, cosine in _cosines(units, seeds, weights, default, rows=max(1024, ROWS_AT_ONCE * 16 // max(len(seeds), 16))):
        top = np.partition(cosine, len(seeds) - few, axis=1)[:, -few:] if few < len(seeds) else cosine
        found[start : start + len(cosine)] = top.mean(axis=1)
    return found


def all_nearest(units: Unit, most: int, *, n_jobs: int = -1) -> tuple[Places, Array]:
    """Return the nearest customers of every customer and their cosines, both of shape (n_customers, most), nearest first.

    Exact; of unit vectors the nearest by angle are the nearest by distance.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(units)
    most = min(most, n - 1)
    if most < 1:
        return np.empty((n, 0), dtype=np.int64), np.empty((n, 0))
    search = NearestNeighbors(n_neighbors=most + 1, algorithm="brute", metric="euclidean", n_jobs=n_jobs).fit(units)
    distance, place = search.kneighbors(units)
    # A customer's own row comes first, or somewhere among its equals; where it is not among them the last one goes.
    own = place == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    kept = place[~own].reshape(n, most)
    return kept.astype(np.int64), np.clip(1 - distance[~own].reshape(n, most).astype(np.float64) ** 2 / 2, -1.0, 1.0)


def shared_facts(space: Space, one: Unit, other: Unit, most: int = 2) -> list[tuple[str, bool]]:
    """Return the facts that make two customers alike: (fact, whether both are above average), strongest first."""
    parts = one.astype(np.float64) * other
    order = np.argsort(-parts, kind="stable")[:most]
    return [(space.columns[place], bool(one[place] > 0)) for place in order if parts[place] > 0]


def _cosines(
    units: Unit, vectors: Unit, weights: Array | None, default: Array | None, rows: int = ROWS_AT_ONCE
) -> Iterator[tuple[int, Unit]]:
    """Yield (first place, cosines of shape (n_rows, n_vectors)), a part of the customers at a time."""
    scale: Unit | None = None
    if weights is not None and default is not None and not np.array_equal(weights, default):
        scale = np.sqrt(np.divide(weights, default, out=np.zeros_like(weights), where=default > 0)).astype(np.float32)
        vectors = _units(vectors * scale)
    for start in range(0, len(units), rows):
        part = units[start : start + rows]
        yield start, (part if scale is None else _units(part * scale)) @ vectors.T


def require_weights(given: Mapping[str, float]) -> None:
    """Refuse weights of facts that customers are never compared by, before anything is computed.

    Raises
    ------
    SettingsError
        Naming every one of them, with near names.

    Examples
    --------
    >>> require_weights({"total_spend": 2.0, "category_share": 0.5})
    """
    possible = (*LOGGED, *PLAIN, SHARES)
    wrong = [name for name in given if name not in possible and not name.startswith(SHARE_PREFIX)]
    faults = [f"{name} is no fact that customers are compared by.{did_you_mean(name, possible)}" for name in wrong]
    faults += [
        f"{name} = {value:g}: wanted 0 (leave it out) or more, such as 2."
        for name, value in given.items()
        if not 0 <= value < float("inf")
    ]
    if faults:
        raise SettingsError(f"[similarity] weights: {' '.join(faults)} Facts: {', '.join(possible)}.")


def _scaled(values: Array, unit: float) -> Array:
    """Return a fact logged in its unit, or as it is."""
    return np.log1p(np.maximum(values, 0.0) / unit) if unit > 0 else np.asarray(values, dtype=np.float64)


def _units(placed: npt.NDArray[Any]) -> Unit:
    """Return rows of length 1; a row of zeros stays."""
    length = np.sqrt(np.einsum("ij,ij->i", placed, placed))[:, None]
    return np.asarray(np.divide(placed, length, out=np.zeros_like(placed), where=length > 0), dtype=np.float32)
