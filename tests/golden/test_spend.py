"""Published figures of the Gamma-Gamma model on CDNOW, to the digits that were printed."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.btyd.spend import GammaGamma


@pytest.fixture(scope="module")
def fitted(cdnow):
    return GammaGamma().fit(cdnow.frequency, cdnow.mean_spend)


# Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value: 946 repeat buyers of the CDNOW sample, mean repeat spend 35.08.
def test_the_repeat_buyers_are_the_published_ones(cdnow, fitted):
    assert fitted.report_.n_customers == 946
    assert round(float(cdnow.mean_spend[cdnow.frequency > 0].mean()), 2) == 35.08


def test_parameters_agree_with_the_note_to_the_printed_digits(fitted):
    p, q, gamma = fitted.parameters_
    assert (round(p, 2), round(q, 2), round(gamma, 2)) == (6.25, 3.74, 15.44)
    assert fitted.report_.rung == "maximum likelihood"


# The spreadsheet that comes with the note: expected spend of the first ten customers of the sample.
def test_expected_spend_of_the_first_ten_customers_agrees_with_the_spreadsheet(cdnow, fitted):
    printed = [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17]
    expected = fitted.expected_spend(cdnow.frequency[:10], cdnow.mean_spend[:10])
    np.testing.assert_array_equal(np.round(expected, 2), printed)


def test_population_mean_is_what_an_unknown_customer_is_expected_to_spend(fitted):
    assert fitted.population_mean_ == pytest.approx(35.17, abs=5e-3)
    assert fitted.expected_spend([0], [0.0])[0] == pytest.approx(fitted.population_mean_)
