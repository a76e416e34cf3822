"""Forecasts of earlier cutoffs made without their outcome: what a champion is chosen, weighted and calibrated by.

Comes in: earlier cutoffs with what came. Goes out: for the latest of them what every candidate said. Where cutoffs lie another horizon before it,
candidates learned from those; where none does, from four fifths of the customers of the cutoff itself, for the others. The
own forecast was made as of the cutoff in any case, and sets the level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from customer_genome.models.candidates.contract import Candidate, Expected, Known, Past
from customer_genome.models.candidates.learned import teaches
from customer_genome.models.estimator import Array

N_PARTS = 5
MOST_CUTOFFS = 2
MOST_CUSTOMERS = 12_000
"""More customers than this are represented by about as many."""


@dataclass(frozen=True)
class HeldOut:
    """What candidates said at one earlier cutoff without knowing what came.

    Attributes
    ----------
    known, spend, ordered : the customers with what came
    said : candidate -> forecast
    before : the latest cutoff whose horizon had ended by this one, if any
    is_earlier : whether candidates learned from earlier cutoffs, not from other customers of the same one
    """

    known: Known
    spend: Array
    ordered: Array
    said: Mapping[str, Expected]
    before: Past | None
    is_earlier: bool


def held_out(past: Sequence[Past], candidates: Sequence[Candidate]) -> list[HeldOut]:
    """Return held-out forecasts of the latest earlier cutoff, and of another at least half a horizon before it; oldest first."""
    found: list[HeldOut] = []
    for one in reversed(past):
        if found and found[-1].known.as_of - one.known.as_of < one.known.horizon_days / 2:
            continue
        if teaches([one]):
            found.append(_at(_thinned(one), past, candidates))
        if len(found) == MOST_CUTOFFS:
            break
    return found[::-1]


def _at(one: Past, past: Sequence[Past], candidates: Sequence[Candidate]) -> HeldOut:
    known = one.known
    before = [earlier for earlier in past if earlier.known.as_of + known.horizon_days <= known.as_of]
    is_earlier = teaches(before)
    said: dict[str, Expected] = {}
    for candidate in candidates:
        expected = candidate.forecast(known, before)
        if expected is None and not is_earlier:
            expected = _crossed(one, candidate)
        if expected is not None:
            said[candidate.name] = expected
    return HeldOut(known, one.spend, one.ordered, said, before[-1] if before else None, is_earlier)


def _crossed(one: Past, candidate: Candidate) -> Expected | None:
    """Return what a candidate says of each fifth of the customers after learning from the other four; None where it cannot."""
    n = len(one.ordered)
    part = np.arange(n) % N_PARTS
    columns: dict[str, Array] = {}
    for number in range(N_PARTS):
        here, rest = np.flatnonzero(part == number), np.flatnonzero(part != number)
        lesson = Past(one.known.take(rest), one.spend[rest], one.ordered[rest])
        found = candidate.forecast(one.known.take(here), [lesson]) if teaches([lesson]) else None
        if found is None:
            return None
        for name in ("spend", "chance", "lower", "upper"):
            values = getattr(found, name)
            if values is not None:
                columns.setdefault(name, np.zeros(n))[here] = values
    return Expected(**columns)


def _thinned(one: Past) -> Past:
    """Return every few of the customers where they are many."""
    step = -(-len(one.ordered) // MOST_CUSTOMERS)
    if step <= 1:
        return one
    rows = np.arange(0, len(one.ordered), step)
    return Past(one.known.take(rows), one.spend[rows], one.ordered[rows])
