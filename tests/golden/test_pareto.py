"""Published figures of the Pareto/NBD model, and of the BG/NBD beside it, on CDNOW and on the apparel data of CLVTools."""

from __future__ import annotations

import numpy as np
import pytest

from customer_genome.models.btyd.pareto import ParetoNBD
from customer_genome.models.btyd.purchases import BetaGeometricNBD

# Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), table 2 (CDNOW, weeks as the unit).
PUBLISHED = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
PUBLISHED_LOG_LIKELIHOOD = -9595.0

# CLVTools (R), github.com/bachmannpatrick/CLVTools, tests/testthat/test_correctness_pnbd_nocovstaticcov.R and test_correctness_bgnbd.R.
CLVTOOLS_CDNOW_ERRORS = {"r": 0.0476264, "alpha": 0.8427222, "s": 0.1872594, "beta": 6.2105448}
CLVTOOLS_CDNOW_BG_NBD = {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}

# CLVTools 0.12.1, the article "Walkthrough for the CLVTools Package" and the reference page of latentAttrition (clvtools.com): 600
# customers, the first 104 weeks, and all of them.
APPAREL_104_WEEKS = {"r": 1.4490, "alpha": 48.6361, "s": 0.5613, "beta": 46.8844}
APPAREL_104_WEEKS_ERRORS = {"r": 0.2434, "alpha": 7.4892, "s": 0.2710, "beta": 35.6114}
APPAREL_104_WEEKS_LOG_LIKELIHOOD = -5848.0978
APPAREL_WHOLE = {
    ParetoNBD: {"r": 1.3768, "alpha": 47.2937, "s": 0.6746, "beta": 62.8325},
    BetaGeometricNBD: {"r": 0.4447, "alpha": 14.2235, "a": 0.6653, "b": 3.2849},
}
# Customer -> P(alive) and expected purchases over the 207.1429 weeks from 2007-01-01, from the same article.
APPAREL_PREDICTED = {
    "1": (0.9468478, 7.3256573),
    "10": (0.9825606, 3.5198114),
    "100": (0.2784686, 0.4190901),
    "101": (0.4739762, 1.2056215),
    "102": (0.2784686, 0.4190901),
    "95": (0.8978209, 3.2162499),
    "98": (0.6024098, 1.5323094),
    "99": (0.9416701, 4.3513967),
}
HISTORIES = """
    select
        "Id",
        count(distinct "Date") - 1,
        date_diff('day', min("Date"), max("Date")) / 7,
        date_diff('day', min("Date"), any_value(last_day)) / 7
    from read_parquet(?), (select cast(? as date) as last_day)
    where "Date" <= last_day group by "Id" order by "Id"
"""


@pytest.fixture(scope="module")
def fitted(cdnow):
    return ParetoNBD().fit(*cdnow.weeks)


@pytest.fixture(scope="module")
def apparel(genome_data):
    """Return customers and histories in weeks up to a day."""
    duckdb = pytest.importorskip("duckdb")
    path = genome_data / "btyd" / "apparelTrans.parquet"
    if not path.is_file():
        pytest.skip("real data: the folder has no btyd/apparelTrans.parquet")

    def until(last_day: str) -> tuple[np.ndarray, ...]:
        with duckdb.connect() as connection:
            return tuple(connection.execute(HISTORIES, [str(path), last_day]).fetchnumpy().values())

    return until


def test_parameters_agree_with_the_paper_to_the_printed_digits(fitted):
    assert {name: round(value, 3) for name, value in fitted.report_.parameters.items()} == PUBLISHED


def test_log_likelihood_agrees_with_the_paper(fitted):
    assert round(fitted.report_.log_likelihood, 1) == PUBLISHED_LOG_LIKELIHOOD


def test_plain_maximum_likelihood_was_enough(fitted):
    assert fitted.report_.rung == "maximum likelihood"
    assert fitted.report_.converged
    assert fitted.report_.notices == ()


def test_standard_errors_agree_with_clvtools(fitted):
    errors = fitted.report_.standard_errors
    assert errors == pytest.approx(CLVTOOLS_CDNOW_ERRORS, rel=3e-4)


def test_bg_nbd_agrees_with_clvtools_to_six_digits(cdnow):
    assert BetaGeometricNBD().fit(*cdnow.weeks).report_.parameters == pytest.approx(CLVTOOLS_CDNOW_BG_NBD, rel=2e-5)


def test_fitting_in_days_and_hours_finds_the_same_model(cdnow, fitted):
    for per_week in (7.0, 168.0):
        x, t_x, age = cdnow.weeks
        r, alpha, s, beta = ParetoNBD().fit(x, t_x * per_week, age * per_week).parameters_
        np.testing.assert_allclose((r, alpha / per_week, s, beta / per_week), fitted.parameters_, rtol=1e-6)


def test_apparel_parameters_errors_and_log_likelihood_agree_with_clvtools(apparel):
    _, *weeks = apparel("2006-12-31")
    report = ParetoNBD().fit(*weeks).report_
    assert report.parameters == pytest.approx(APPAREL_104_WEEKS, rel=1e-4)
    assert report.standard_errors == pytest.approx(APPAREL_104_WEEKS_ERRORS, rel=1e-3)
    assert report.log_likelihood == pytest.approx(APPAREL_104_WEEKS_LOG_LIKELIHOOD, abs=1e-4)
    assert report.rung == "maximum likelihood"


@pytest.mark.parametrize("model", APPAREL_WHOLE, ids=lambda model: model.name)
def test_apparel_parameters_on_all_data_agree_with_clvtools(apparel, model):
    _, *weeks = apparel("2010-12-20")
    assert model().fit(*weeks).report_.parameters == pytest.approx(APPAREL_WHOLE[model], rel=3e-4)


def test_apparel_predictions_agree_with_clvtools(apparel):
    customers, *weeks = apparel("2006-12-31")
    model = ParetoNBD().fit(*weeks)
    alive, orders = model.probability_alive(*weeks), model.expected_orders(*weeks, 1450 / 7)
    place = {str(customer): index for index, customer in enumerate(customers)}
    for customer, (p_alive, expected) in APPAREL_PREDICTED.items():
        assert alive[place[customer]] == pytest.approx(p_alive, rel=1e-4)
        assert orders[place[customer]] == pytest.approx(expected, rel=2e-4)


def test_histories_on_which_an_older_implementation_gave_no_number():
    """CLVTools keeps these four in its tests because an earlier release of its own answered NaN."""
    model = ParetoNBD.from_parameters(r=0.5143, alpha=2.8845, s=0.2856, beta=14.1087)
    alive = model.probability_alive(
        [221, 254, 161, 204], [103.42857, 97.14286, 94.71429, 98.57143], [103.57143, 97.28571, 98, 99.42857]
    )
    assert (np.isfinite(alive) & (alive > 0) & (alive < 1)).all()
