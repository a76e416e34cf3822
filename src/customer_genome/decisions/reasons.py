"""Why a customer's risk is what it is: the three strongest reasons in business words, with sign and size.

Comes in: what every fact adds to the log-odds to order (exact Shapley values), and the facts. Goes out: points per theme, and
sentences such as "last order 143 days ago: +18 points". Nothing here knows the model. A reason says how the forecast came about:
what goes with a risk, not what causes it.

Points are percentage points of the probability not to order. A customer's whole difference from the average customer is shared out
in proportion to the log-odds: the points of all themes add up to it exactly. Facts that say nearly the same share a theme
(`reason_words`), so that three reasons are three different things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.reason_words import FactWords, rounded, said, words_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
N_REASONS = 3
LEAST_POINTS = 0.05
"""What rounds to 0.0 points is no reason."""
_SAME = 1e-9


@dataclass(frozen=True)
class Points:
    """What each theme adds to the risk of each customer.

    Attributes
    ----------
    themes : names, in the order in which their facts come
    values : array, shape (n_customers, n_themes), percentage points of the probability not to order
    average_risk, risk : 0..1, of the average customer, and of each
    """

    themes: tuple[str, ...]
    values: FloatArray
    average_risk: float
    risk: FloatArray


def points_of(names: Sequence[str], values: FloatArray, base: float) -> Points:
    """Return what each theme adds to the risk, in percentage points that add up to the difference from the average customer.

    Parameters
    ----------
    names : facts, in the order of the columns of `values`
    values : array, shape (n_customers, n_names), log-odds to order
    base : log-odds to order of the average customer

    Examples
    --------
    >>> found = points_of(["recency_days", "n_orders"], np.array([[-1.0, 0.5]]), 0.0)
    >>> found.themes, found.values.round(1).tolist(), found.risk.round(3).tolist()
    (('recency', 'frequency'), [[24.5, -12.2]], [0.622])
    """
    themes, place = _themes(names)
    by_theme = np.zeros((len(values), len(themes)))
    for theme in range(len(themes)):
        by_theme[:, theme] = values[:, place == theme].sum(axis=1)
    average, risk = _risk(np.array([base]))[0], _risk(base + values.sum(axis=1))
    return Points(themes, by_theme * _points_per_log_odds(values.sum(axis=1), risk, average)[:, None], float(average), risk)


def _risk(log_odds: FloatArray) -> FloatArray:
    """Return the probability not to order from the log-odds to order."""
    return np.asarray(1 / (1 + np.exp(np.clip(log_odds, -500, 500))), dtype=np.float64)


def _points_per_log_odds(difference: FloatArray, risk: FloatArray, average: float) -> FloatArray:
    """Return how many points of risk one unit of log-odds is worth to each customer; never positive."""
    apart = np.abs(difference) > _SAME
    slope = -average * (1 - average)
    return np.asarray(100 * np.where(apart, (risk - average) / np.where(apart, difference, 1.0), slope), dtype=np.float64)


def _themes(names: Sequence[str]) -> tuple[tuple[str, ...], IntArray]:
    """Return the themes, and for every fact the place of its theme."""
    found = [words_of(name).theme for name in names]
    themes = tuple(dict.fromkeys(found))
    return themes, np.array([themes.index(theme) for theme in found], dtype=np.int64)


@dataclass(frozen=True)
class Spoken:
    """The strongest reasons of customers.

    Attributes
    ----------
    texts : one text array of shape (n_customers,) per place, null where there is no further reason
    themes : array, shape (n_customers, n_reasons), the place of the theme in `points.themes`, -1 where there is none
    """

    points: Points
    texts: tuple[pa.StringArray, ...]
    themes: IntArray


def reasons(
    names: Sequence[str],
    values: FloatArray,
    base: float,
    facts: Mapping[str, FloatArray],
    *,
    horizon_days: int,
    currency: str = "",
    n_reasons: int = N_REASONS,
) -> Spoken:
    """Return the strongest reasons of every customer, strongest first, each from another theme.

    A theme speaks through that fact of it, known of the customer and meant for people, which moves the risk most in the direction of the
    whole theme. A theme without such a fact is passed over: nothing is said of what a customer does not have.

    Parameters
    ----------
    names, values, base : see `points_of`
    facts : name -> array, shape (n_customers,)
        NaN where a fact is empty.
    horizon_days : int, days
        For sentences about the last horizon.

    Examples
    --------
    >>> found = reasons(["recency_days"], np.array([[-0.8]]), 0.0, {"recency_days": np.array([143.0])}, horizon_days=180)
    >>> found.texts[0].to_pylist(), found.texts[1].to_pylist()
    (['last order 143 days ago: +19 points'], [None])
    """
    points = points_of(names, values, base)
    n, n_themes = points.values.shape
    _, place = _themes(names)
    words = [words_of(name) for name in names]
    speaker = np.full((n, n_themes), -1, dtype=np.int64)
    for theme in range(n_themes):
        columns = [
            column for column in np.flatnonzero(place == theme).tolist() if names[column] in facts and words[column].is_spoken
        ]
        speaker[:, theme] = _speaker(columns, values, points.values[:, theme], [facts[names[one]] for one in columns], words)
    speaks = (speaker >= 0) & (np.abs(points.values) >= LEAST_POINTS)
    strength = np.where(speaks, np.abs(points.values), -1.0)
    order = np.argsort(-strength, axis=1, kind="stable")[:, :n_reasons]
    chosen = np.where(np.take_along_axis(strength, order, axis=1) > 0, order, -1)
    if chosen.shape[1] < n_reasons:
        chosen = np.hstack([chosen, np.full((n, n_reasons - chosen.shape[1]), -1, dtype=np.int64)])
    texts = tuple(
        _texts(chosen[:, rank], speaker, points, names, words, facts, horizon_days, currency) for rank in range(n_reasons)
    )
    return Spoken(points, texts, chosen)


def _speaker(
    columns: Sequence[int], values: FloatArray, points: FloatArray, facts: Sequence[FloatArray], words: Sequence[FactWords]
) -> IntArray:
    """Return for every customer the fact that speaks for a theme, -1 where none can."""
    n = len(points)
    if not columns:
        return np.full(n, -1, dtype=np.int64)
    risk = np.where(points > 0, -1.0, 1.0)[:, None]  # the sign of log-odds that raise what the theme raises
    told = np.column_stack([~np.isnan(fact) | bool(words[column].unknown) for column, fact in zip(columns, facts, strict=True)])
    push = np.where(told, values[:, list(columns)] * risk, -np.inf)
    best = push.argmax(axis=1)
    return np.where(told.any(axis=1), np.asarray(columns, dtype=np.int64)[best], -1)


def _texts(
    themes: IntArray,
    speaker: IntArray,
    points: Points,
    names: Sequence[str],
    words: Sequence[FactWords],
    facts: Mapping[str, FloatArray],
    horizon_days: int,
    currency: str,
) -> pa.StringArray:
    """Return the sentences of one place; every different sentence is made once."""
    rows = np.flatnonzero(themes >= 0)
    column = speaker[rows, themes[rows]]
    size = _points_as_said(points.values[rows, themes[rows]])
    order = np.argsort(column, kind="stable")
    pieces, places = [], []
    for fact in np.unique(column):
        here = order[np.searchsorted(column[order], fact) : np.searchsorted(column[order], fact, side="right")]
        value = rounded(facts[names[fact]][rows[here]], words[fact].unit)
        pieces.append(_said(value, words[fact], horizon_days, currency))
        places.append(rows[here])
    if not pieces:
        return pa.nulls(len(themes), pa.string())
    place = np.concatenate(places)
    sentence = pa.concat_arrays(pieces)
    back = np.full(len(themes), -1, dtype=np.int64)
    back[place] = np.arange(len(place))
    size_of = np.full(len(themes), np.nan)
    size_of[rows] = size
    ends = _taken(
        size_of[place], lambda one: f"{one:+.0f} point{'' if abs(one) == 1 else 's'}" if abs(one) >= 1 else f"{one:+.1f} points"
    )
    joined = pc.binary_join_element_wise(sentence, ends, ": ")
    return joined.take(pa.array(back, mask=back < 0))


def _points_as_said(points: FloatArray) -> FloatArray:
    """Return points as finely as they are said: whole from 1 up, a decimal below."""
    return np.asarray(np.where(np.abs(points) >= 0.95, np.round(points), np.round(points, 1)), dtype=np.float64)


def _said(values: FloatArray, words: FactWords, horizon_days: int, currency: str) -> pa.StringArray:
    """Return a fact of many customers in words."""
    return _taken(values, lambda one: said(words, one, horizon_days, currency))


def _taken(values: FloatArray, text: Callable[[float], str]) -> pa.StringArray:
    """Return the text of each value, made once per different value."""
    different, place = np.unique(values, return_inverse=True)
    return pa.array([text(float(one)) for one in different], pa.string()).take(pa.array(place.reshape(-1)))
