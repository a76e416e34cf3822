"""`genome backtest`: cutoffs, population, candidates, and that nothing at or after a cutoff reaches its forecasts."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from customer_genome.errors import SettingsError
from customer_genome.features.past import training_cutoffs
from customer_genome.interfaces.cli import app
from customer_genome.models.candidates import CANDIDATES, CHAMPION, OWN, Candidate, Fitted, Known, Past, choose_champion
from customer_genome.models.candidates.formulas import MeanOfEverybody
from customer_genome.models.candidates.learned import LearnedHurdle
from customer_genome.models.candidates.tweedie import LearnedMoney
from customer_genome.proof.backtesting import FILE, Backtest, backtest
from customer_genome.settings import read_settings
from customer_genome.sources.catalog import describe_sources
from future_shops import TODAY, day_at, parted, shuffled_future, simulated_lines, written

HORIZON = 60
N_LINES = 6_000


class Noted(Candidate):
    """A candidate that keeps what it was shown, and says nothing much."""

    name, kind, about, form = "noted", "model", "keeps what it was shown", MeanOfEverybody.form

    def __init__(self) -> None:
        self.seen: list[tuple[Known, list[Past]]] = []

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted:
        self.seen.append((now, list(past)))
        return self.form(0.0, 0.5)  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def lines() -> pa.Table:
    return simulated_lines(N_LINES)


def run(lines: pa.Table, folder: Path, cutoffs: list[dt.date], candidates: Sequence[Candidate], n_draws: int = 5) -> Backtest:
    data = written(lines, folder / "lines.parquet")
    settings = read_settings(folder)
    return backtest(
        settings,
        lambda tmp: describe_sources(str(data), settings, tmp),
        cutoffs=cutoffs,
        horizon_days=HORIZON,
        candidates=candidates,
        today=TODAY,
        n_draws=n_draws,
    )


@pytest.fixture(scope="module")
def judged(lines: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> tuple[Backtest, Noted, list[dt.date]]:
    noted = Noted()
    days = [day_at(lines, 0.6), day_at(lines, 0.8)]
    return run(lines, tmp_path_factory.mktemp("shop"), days, (*CANDIDATES, noted)), noted, days


def test_every_candidate_stands_in_the_table(judged: tuple[Backtest, Noted, list[dt.date]]) -> None:
    found, _, days = judged
    assert [one.as_of for one in found.cutoffs] == days
    assert [one.name for one in found.candidates] == [one.name for one in CANDIDATES] + ["noted"]
    names = {row.candidate for row in found.scorecard.select()}
    assert names == {one.name for one in found.candidates}
    assert any(CHAMPION in sentence for sentence in found.words)
    assert {"noted", CHAMPION} <= found.curves.keys() and {"reliability", "deciles", "months"} <= found.curves[CHAMPION].keys()
    assert {one["name"] for one in found.as_json()["candidates"]} == names


def test_the_published_forecast_is_explained_and_judged_by_segment(judged: tuple[Backtest, Noted, list[dt.date]]) -> None:
    found, _, _ = judged
    assert all(one.choice for one in found.cutoffs)
    groups = {row.group for row in found.scorecard.rows if row.candidate == CHAMPION} - {"all", "new", "old"}
    assert groups and not any(row.group in groups for row in found.scorecard.rows if row.candidate != CHAMPION)


def test_the_row_of_the_champion_is_what_a_run_would_choose(judged: tuple[Backtest, Noted, list[dt.date]]) -> None:
    found, noted, _ = judged
    known, past = noted.seen[-1]
    expected = choose_champion(known, past).forecast(known)
    assert found.cutoffs[-1].choice == choose_champion(known, past).words
    assert expected.lower is not None and expected.spend is not None and expected.upper is not None
    assert (expected.lower <= expected.spend).all() and (expected.spend <= expected.upper).all()


def test_learned_from_ended_before_the_cutoff(judged: tuple[Backtest, Noted, list[dt.date]]) -> None:
    found, noted, _ = judged
    for (known, past), one in zip(noted.seen, found.cutoffs, strict=True):
        assert past and len(past) == len(one.learned_from)
        assert all(earlier.known.as_of + HORIZON <= known.as_of for earlier in past)
        assert all(day + dt.timedelta(days=HORIZON) <= one.as_of for day in one.learned_from)


def test_population_and_outcome_follow_the_protocol(lines: pa.Table, judged: tuple[Backtest, Noted, list[dt.date]]) -> None:
    found, noted, days = judged
    known, ahead = parted(lines, days[0])
    population = set(known["customer_id"].to_pylist())
    inside, _ = parted(ahead, days[0] + dt.timedelta(days=HORIZON))
    assert 0 < len(noted.seen[0][0]) == found.cutoffs[0].n_customers <= len(population)
    buyers = population & set(inside["customer_id"].to_pylist())
    assert found.cutoffs[0].share_ordered <= len(buyers) / found.cutoffs[0].n_customers


def test_the_future_reaches_no_forecast(lines: pa.Table, judged: tuple[Backtest, Noted, list[dt.date]], tmp_path: Path) -> None:
    """The first cutoff's facts, own forecast and lessons are the same whatever is made of the days from it on."""
    _, noted, days = judged
    again = Noted()
    other = shuffled_future(lines, days[0])
    own = next(one for one in CANDIDATES if one.name == OWN)
    run(other, tmp_path, days, (own, again), n_draws=0)
    (known, past), (other_known, other_past) = noted.seen[0], again.seen[0]
    assert known.facts.keys() == other_known.facts.keys()
    for name, values in known.facts.items():
        np.testing.assert_allclose(other_known.facts[name], values, rtol=1e-12, err_msg=name)
    assert known.own is not None and other_known.own is not None
    np.testing.assert_allclose(other_known.own.spend, known.own.spend, rtol=1e-9)
    np.testing.assert_allclose(other_known.own.chance, known.own.chance, rtol=1e-9)
    for one, another in zip(past, other_past, strict=True):
        np.testing.assert_allclose(another.spend, one.spend, rtol=1e-12)
    mine, others = (choose_champion(now, before).forecast(now) for now, before in ((known, past), (other_known, other_past)))
    for name in ("spend", "chance", "lower", "upper"):
        np.testing.assert_allclose(getattr(others, name), getattr(mine, name), rtol=1e-6, err_msg=name)
    assert not np.array_equal(noted.seen[1][0].facts["total_spend"], again.seen[1][0].facts["total_spend"])


def test_candidates_forecast_in_range(judged: tuple[Backtest, Noted, list[dt.date]]) -> None:
    _, noted, _ = judged
    known, past = noted.seen[1]
    for candidate in CANDIDATES:
        expected = candidate.forecast(known, past)
        assert expected is not None, candidate.name
        for values in (expected.spend, expected.chance, expected.lower, expected.upper):
            assert values is None or (values.shape == (len(known),) and np.isfinite(values).all() and (values >= 0).all())
        if expected.chance is not None:
            assert expected.chance.max() <= 1
    for candidate in CANDIDATES:
        if isinstance(candidate, LearnedHurdle | LearnedMoney):
            assert candidate.forecast(known, []) is None
            lazy = [replace(one, ordered=np.zeros(len(one.ordered))) for one in past]
            assert candidate.forecast(known, lazy) is None


def test_stored_whole_and_as_json(judged: tuple[Backtest, Noted, list[dt.date]], tmp_path: Path) -> None:
    found, _, _ = judged
    path = found.store(tmp_path / "workspace")
    stored = json.loads(path.read_text("utf-8"))
    assert path.name == FILE and stored == json.loads(json.dumps(found.as_json()))
    assert {"figures", "errors", "versus"} <= stored["rows"][0].keys() and "NaN" not in path.read_text("utf-8")


def test_training_cutoffs_are_few_and_early_enough() -> None:
    first = dt.date(2020, 1, 1)
    judged = [dt.date(2021, 1, 1), dt.date(2021, 1, 3)]
    found = training_cutoffs(judged, first, 90)
    assert all(day + dt.timedelta(days=90) <= max(judged) for day in found)
    assert training_cutoffs([dt.date(2020, 2, 1)], first, 90) == []


@pytest.mark.parametrize(
    ("cutoffs", "horizon", "wanted"),
    [
        (["1990-01-01"], 30, "has no purchase before it"),
        (["2090-01-01"], 30, "days after it"),
        (None, 50_000, "Wanted: --horizon-days of at most"),
        (None, 0, "1 or more days"),
    ],
)
def test_what_cannot_be_judged_is_said(
    cutoffs: list[str] | None, horizon: int, wanted: str, lines: pa.Table, tmp_path: Path
) -> None:
    data = written(lines.slice(0, 1_000), tmp_path / "lines.parquet")
    settings = read_settings(tmp_path)
    days = [dt.date.fromisoformat(day) for day in cutoffs] if cutoffs else None
    with pytest.raises(SettingsError, match=wanted):
        backtest(
            settings, lambda tmp: describe_sources(str(data), settings, tmp), cutoffs=days, horizon_days=horizon, today=TODAY
        )


def test_the_command_shows_tables_and_stores_them(lines: pa.Table, tmp_path: Path) -> None:
    data = written(lines, tmp_path / "lines.parquet")
    day = day_at(lines, 0.6)
    arguments = ["backtest", str(data), "--cutoffs", str(day), "--horizon-days", str(HORIZON), "--workspace", str(tmp_path / "w")]
    ended = CliRunner().invoke(app, [*arguments, "--progress", "none"], env={"COLUMNS": "200"})
    assert ended.exit_code == 0, ended.output
    for said in ("champion", "last period", "Gini - best naive", "New customers", "RFM segment", "Why the champion", "Stored in"):
        assert said in ended.output
    assert (tmp_path / "w" / FILE).exists()


def test_several_horizons_stand_in_one_backtest(lines: pa.Table, tmp_path: Path) -> None:
    data, settings = written(lines, tmp_path / "lines.parquet"), read_settings(tmp_path)
    few = [one for one in CANDIDATES if one.name in (OWN, "last period")]
    found = backtest(
        settings,
        lambda tmp: describe_sources(str(data), settings, tmp),
        cutoffs=[day_at(lines, 0.6)],
        horizon_days=[60, 30],
        candidates=few,
        today=TODAY,
        n_draws=2,
    )
    assert [found.horizon_days, *(one.horizon_days for one in found.further)] == [60, 30]
    assert [one["horizon_days"] for one in found.as_json()["further"]] == [30]
    spends = [one.cutoffs[0].spend for one in (found, *found.further)]
    assert spends[0] > spends[1] > 0


def test_a_horizon_that_is_no_number_is_a_usage_error(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["backtest", "x.csv", "--horizon-days", "soon", "--workspace", str(tmp_path)])
    assert ended.exit_code == 2 and "soon" in ended.output


def test_days_that_are_none_are_a_usage_error(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["backtest", "x.csv", "--cutoffs", "2011-13-01,soon", "--workspace", str(tmp_path)])
    assert ended.exit_code == 2 and "2011-13-01, soon" in ended.output
