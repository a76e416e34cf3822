"""Running from Python: what is asked wrongly is said in words, before anything is read."""

from __future__ import annotations

import datetime as dt

import pytest

from customer_genome import run
from customer_genome.errors import SettingsError
from customer_genome.library import _day


@pytest.mark.parametrize("given", ["01.06.2024", "soon", 20240601])
def test_what_is_no_day_is_refused(given, tmp_path) -> None:
    with pytest.raises(SettingsError, match="is not a day"):
        run("nothing.csv", tmp_path, as_of=given)


def test_days_may_be_text_dates_or_times() -> None:
    assert _day("2024-06-01") == _day(dt.date(2024, 6, 1)) == _day(dt.datetime(2024, 6, 1, 12)) == dt.date(2024, 6, 1)
    assert _day(None) is None


def test_an_unknown_level_is_refused_with_those_there_are(tmp_path) -> None:
    with pytest.raises(SettingsError, match="orders, customers, ratings"):
        run("nothing.csv", tmp_path, level="lines")  # type: ignore[arg-type]
