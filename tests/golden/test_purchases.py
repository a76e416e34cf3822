"""Published figures of the BG/NBD model on CDNOW, to the digits that were printed."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.purchases import BetaGeometricNBD

# Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), table 2 (weeks as the unit).
PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PUBLISHED_LOG_LIKELIHOOD = -9582.4


@pytest.fixture(scope="module")
def fitted(cdnow):
    return BetaGeometricNBD().fit(*cdnow.weeks)


def test_the_sample_is_the_published_one(cdnow):
    assert len(cdnow.frequency) == 2357
    assert int((cdnow.frequency > 0).sum()) == 946


def test_parameters_agree_with_the_paper_to_the_printed_digits(fitted):
    assert {name: round(value, 3) for name, value in fitted.report_.parameters.items()} == PUBLISHED


def test_log_likelihood_agrees_with_the_paper(fitted):
    assert round(fitted.report_.log_likelihood, 1) == PUBLISHED_LOG_LIKELIHOOD


def test_plain_maximum_likelihood_was_enough(fitted):
    assert fitted.report_.rung == "maximum likelihood"
    assert fitted.report_.converged
    assert fitted.report_.notices == ()


def test_fitting_in_days_finds_the_same_model(cdnow, fitted):
    in_days = BetaGeometricNBD().fit(cdnow.frequency, cdnow.recency_days, cdnow.age_days)
    r, alpha, a, b = in_days.parameters_
    np.testing.assert_allclose((r, alpha / 7, a, b), fitted.parameters_, rtol=1e-6)
    in_weeks = in_days.report_.log_likelihood + cdnow.frequency.sum() * np.log(7)
    assert in_weeks == pytest.approx(fitted.report_.log_likelihood, abs=1e-6)


# Fader, Hardie & Lee (2005), Implementing the BG/NBD Model for Customer Base Analysis in Excel: customer with x = 2, t_x = 30.43,
# T = 38.86 and the next 39 weeks; and the cumulative expected repeat purchases of a new customer by week.
def test_conditional_expectation_agrees_with_the_excel_note(fitted):
    assert fitted.expected_orders([2], [30.43], [38.86], 39)[0] == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize(("weeks", "printed"), [(1 / 7, 0.0078), (1, 0.0532), (3, 0.1506), (223 / 7, 1.0405), (32, 1.0437)])
def test_expected_purchases_of_a_new_customer_agree_with_the_excel_note(fitted, weeks, printed):
    assert round(fitted.expected_orders_of_new_customer([weeks])[0], 4) == printed


def test_at_78_weeks_the_note_stops_its_series_after_150_terms(fitted):
    """The note prints 1.8576, the sum of 150 terms of the hypergeometric series; the whole series gives 1.8580."""
    r, alpha, a, b = fitted.parameters_
    j = np.arange(1, 151)
    terms = np.cumprod((r + j - 1) * (b + j - 1) / ((a + b + j - 2) * j) * 78 / (alpha + 78))
    shortened = (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + 78)) ** r * (1 + terms.sum()))
    assert round(shortened, 4) == 1.8576
    assert round(fitted.expected_orders_of_new_customer([78])[0], 4) == 1.8580


# The trap named in the notes of this project: collapsing CDNOW to weeks is another data set with another fit.
def test_collapsing_to_weeks_would_give_other_parameters(cdnow, fitted):
    weeks = (cdnow.frequency, np.floor(cdnow.recency_days / 7), np.floor(cdnow.age_days / 7))
    usable = (weeks[0] == 0) | (weeks[1] > 0)
    other = BetaGeometricNBD().fit(*(column[usable] for column in weeks))
    assert abs(other.parameters_[0] - PUBLISHED["r"]) > 0.001
