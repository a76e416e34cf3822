"""Candidates: what was learned comes back from plain arrays identically, and any part of the customers gets the same forecast."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.candidates import CANDIDATES, Candidate, Expected, Past
from customer_genome.models.candidates.learned import LearnedHurdle
from customer_genome.models.candidates.listed import MEMBERS
from rehearsed_shop import shop

NOW, PAST = shop()
COLUMNS = ("spend", "chance", "lower", "upper")


def equal(one: Expected, other: Expected, rows: slice = slice(None)) -> None:
    for name in COLUMNS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_array_equal(theirs, mine[rows], err_msg=name)


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda one: one.name)
def test_stored_read_back_and_forecast_in_parts(candidate: Candidate) -> None:
    """To the last bit: a run scores in batches, on several machines, with what it read back."""
    if why := candidate.unavailable():
        pytest.skip(why)
    known = NOW.known
    fitted = candidate.fit(known, PAST)
    assert fitted is not None
    expected = fitted.forecast(known)
    arrays = fitted.to_arrays()
    assert all(values.dtype != object for values in arrays.values())
    equal(expected, candidate.form.from_arrays(arrays).forecast(known))
    equal(expected, fitted.forecast(known.take(np.arange(0, len(known), 3))), slice(None, None, 3))
    for name in COLUMNS:
        values = getattr(expected, name)
        assert values is None or (np.isfinite(values).all() and values.min() >= 0)
    assert expected.chance is None or expected.chance.max() <= 1


@pytest.mark.parametrize("candidate", [one for one in MEMBERS if one.explains and one.ships], ids=lambda one: one.name)
def test_contributions_add_up(candidate: Candidate) -> None:
    fitted = candidate.fit(NOW.known, PAST)
    assert fitted is not None
    found, chance = fitted.contributions(NOW.known), fitted.forecast(NOW.known).chance
    if found is None or chance is None:
        return
    assert len(set(found.names)) == len(found.names) == found.values.shape[1]
    np.testing.assert_allclose(1 / (1 + np.exp(-found.log_odds())), chance, rtol=1e-9)


def test_models_learn_something() -> None:
    """Who is expected to order more often did, by every learned candidate."""
    for candidate in MEMBERS:
        if isinstance(candidate, LearnedHurdle) and candidate.unavailable() is None:
            expected = candidate.forecast(NOW.known, PAST)
            assert expected is not None and expected.chance is not None
            high = expected.chance > np.median(expected.chance)
            assert NOW.ordered[high].mean() > NOW.ordered[~high].mean() + 0.1, candidate.name


def test_constant_and_empty_facts_are_survived() -> None:
    def spoilt(one: Past) -> Past:
        facts = {**one.known.facts, "nothing": np.full(len(one.known), np.nan), "same": np.ones(len(one.known))}
        return Past(type(one.known)(one.known.as_of, one.known.horizon_days, facts, one.known.own), one.spend, one.ordered)

    now, past = spoilt(NOW), [spoilt(one) for one in PAST]
    for candidate in MEMBERS:
        if candidate.kind == "model" and candidate.unavailable() is None:
            expected = candidate.forecast(now.known, past)
            assert expected is not None and (expected.spend is None or np.isfinite(expected.spend).all()), candidate.name
