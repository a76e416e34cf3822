"""Tracking, histogram and conditional expectations of CDNOW as the paper reports them, and the histogram by an independent implementation.

Source: Fader, Hardie & Lee (2005), Marketing Science 24(2): section 4 and figures 1-4. Calibration to 30 September 1997 (39 weeks), the
39 weeks after it held back.
"""

from __future__ import annotations

import warnings
from collections import Counter
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from customer_genome.models.btyd.purchases import BetaGeometricNBD
from customer_genome.models.btyd.tracking import (
    elapsed_days,
    expected_after,
    expected_by_frequency,
    expected_histogram,
    expected_repeats,
)

BORN = date(1997, 1, 1)
WEEKS = 78


@pytest.fixture(scope="module")
def bought(genome_data: Path) -> dict[str, list[int]]:
    """The purchase days of every customer of the sample, counted from 1 January 1997, to the end of the 78 weeks."""
    days: dict[str, set[int]] = {}
    for line in (genome_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines():
        if line.strip():
            _, customer, day, _, _ = line.split()
            days.setdefault(customer, set()).add((datetime.strptime(day, "%Y%m%d").date() - BORN).days)
    return {customer: sorted(spent) for customer, spent in days.items()}


@pytest.fixture(scope="module")
def model() -> BetaGeometricNBD:
    """The parameters of the paper, brought from weeks to days."""
    return BetaGeometricNBD.from_parameters(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)


def repeats_up_to(bought: dict[str, list[int]], day: int) -> int:
    """Repeat purchase days up to and with a day."""
    return sum(sum(one <= day for one in days[1:]) for days in bought.values())


def test_cumulative_repeats_run_a_few_percent_low_at_the_end_as_in_the_paper(bought, model):
    first = Counter(days[0] for days in bought.values())
    born = sorted(first)
    edges = np.arange(0, 7 * WEEKS + 1, 7)
    expected = np.cumsum(expected_repeats(model, elapsed_days(born, edges), [first[day] for day in born]))
    off = expected[-1] / repeats_up_to(bought, 7 * WEEKS - 1) - 1
    assert off == pytest.approx(-0.04, abs=0.015), "the paper: under-forecasts by 4 % at week 78"
    middle = expected[38] / repeats_up_to(bought, 7 * 39 - 1) - 1
    assert abs(middle) < 0.03


def test_the_histogram_is_within_a_few_customers_of_the_actual_one(cdnow, model):
    expected = expected_histogram(model, cdnow.age_days, np.ones(len(cdnow.age_days)))
    actual = np.bincount(np.minimum(cdnow.frequency, 7).astype(int), minlength=8)
    assert expected.sum() == pytest.approx(2357) and actual[0] == 1411
    assert expected[0] == pytest.approx(1411, rel=0.02)
    assert np.abs(actual - expected).sum() / 2 / 2357 < 0.02


def test_the_histogram_equals_an_independent_implementation(cdnow, model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes import BetaGeoFitter

        peer = BetaGeoFitter()
        peer.params_ = {"r": 0.243, "alpha": 4.414 * 7, "a": 0.793, "b": 2.426}
        ages, counts = np.unique(cdnow.age_days, return_counts=True)
        wanted = [
            sum(n * float(peer.probability_of_n_purchases_up_to_time(age, x)) for age, n in zip(ages, counts, strict=True))
            for x in range(4)
        ]
    found = expected_histogram(model, ages, counts, most=4)
    np.testing.assert_allclose(found[:4], wanted, rtol=1e-8)


def test_conditional_expectations_rise_with_the_past_and_follow_what_came(cdnow, bought, model):
    calibrated = (date(1997, 9, 30) - BORN).days
    known = {customer: [day for day in days if day <= calibrated] for customer, days in sorted(bought.items())}
    after = np.array([sum(calibrated < day <= calibrated + 7 * 39 for day in bought[customer]) for customer in known])
    counts = np.bincount(np.minimum(cdnow.frequency, 7).astype(int), minlength=8)
    history = cdnow.frequency, cdnow.recency_days, cdnow.age_days
    each = expected_by_frequency(model, *history, np.ones(len(after)), 7 * 39) / counts
    came = np.bincount(np.minimum(cdnow.frequency, 7).astype(int), weights=after, minlength=8) / counts
    assert np.all(np.diff(each) > 0)
    np.testing.assert_allclose(each, came, atol=0.75)
    assert each[0] == pytest.approx(0.23, abs=0.03), "the paper's figure: about a fifth of a purchase without a repeat before"
    weekly = expected_after(model, *history, np.ones(len(after)), np.arange(7, 7 * 39 + 1, 7))
    assert weekly.sum() == pytest.approx((each * counts).sum())
    assert weekly.sum() / after.sum() == pytest.approx(0.88, abs=0.01), (
        "low mostly for those who bought most, as in the paper's figure"
    )
