"""`genome forecast`: one row per known customer, ordered intervals, and nothing at or after the cutoff changes it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from customer_genome.interfaces.cli import app
from customer_genome.proof.forecasting import FORECAST_COLUMNS
from future_shops import day_at, parted, shuffled_future, simulated_lines, written

HORIZON = 60


@pytest.fixture(scope="module")
def lines() -> pa.Table:
    return simulated_lines()


@pytest.fixture(scope="module")
def as_of(lines: pa.Table) -> dt.date:
    return day_at(lines, 0.7)


def forecast(data: Path, as_of: dt.date, output: Path, *more: str, horizon: int = HORIZON) -> tuple[int, str]:
    """Run the command; return its exit code and everything it said."""
    arguments = ["forecast", str(data), "--as-of", str(as_of), "--horizon-days", str(horizon), "--output", str(output)]
    ended = CliRunner().invoke(app, [*arguments, "--workspace", str(output.parent / "none"), "--progress", "none", *more])
    return ended.exit_code, ended.output + str(ended.exception or "")


def rows(data: Path, as_of: dt.date, output: Path) -> pa.Table:
    code, said = forecast(data, as_of, output)
    assert code == 0, said
    return pq.read_table(output)


@pytest.fixture(scope="module")
def full(lines: pa.Table, as_of: dt.date, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("full")
    return rows(written(lines, folder / "lines.parquet"), as_of, folder / "forecast.parquet")


def test_every_known_customer_once_in_the_named_columns(lines: pa.Table, as_of: dt.date, full: pa.Table) -> None:
    assert tuple(full.column_names) == FORECAST_COLUMNS
    ids = full["customer_id"].to_pylist()
    assert ids == sorted(set(ids)) and len(ids) > 100
    known, _ = parted(lines, as_of)
    assert set(ids) <= {str(one) for one in known["customer_id"].to_pylist()}
    assert all(full["segment"].to_pylist())


def test_ranges_hold(full: pa.Table) -> None:
    assert pc.all(pc.less_equal(full["spend_lower"], full["predicted_spend"])).as_py()
    assert pc.all(pc.less_equal(full["predicted_spend"], full["spend_upper"])).as_py()
    assert pc.min(full["spend_lower"]).as_py() >= 0 and pc.min(full["predicted_orders"]).as_py() >= 0
    for name in ("churn_probability", "p_alive"):
        assert 0 <= pc.min(full[name]).as_py() <= pc.max(full[name]).as_py() <= 1


@pytest.mark.parametrize("future", ["cut off", "shuffled"])
def test_no_future_changes_a_forecast(future: str, lines: pa.Table, as_of: dt.date, full: pa.Table, tmp_path: Path) -> None:
    other = parted(lines, as_of)[0] if future == "cut off" else shuffled_future(lines, as_of)
    assert not other.equals(lines)
    assert rows(written(other, tmp_path / "lines.parquet"), as_of, tmp_path / "forecast.parquet").equals(full)


def test_a_changed_past_changes_the_forecast(lines: pa.Table, as_of: dt.date, full: pa.Table, tmp_path: Path) -> None:
    known, ahead = parted(lines, as_of)
    other = pa.concat_tables([known.slice(0, known.num_rows - 200), ahead])
    assert not rows(written(other, tmp_path / "lines.parquet"), as_of, tmp_path / "forecast.parquet").equals(full)


def test_csv_holds_the_same_and_json_the_totals(lines: pa.Table, as_of: dt.date, full: pa.Table, tmp_path: Path) -> None:
    data = written(lines, tmp_path / "lines.parquet")
    code, said = forecast(data, as_of, tmp_path / "forecast.csv", "--json")
    assert code == 0, said
    typed = pa_csv.ConvertOptions(column_types={"customer_id": pa.string()})
    assert pa_csv.read_csv(tmp_path / "forecast.csv", convert_options=typed).equals(full)
    totals = json.loads(said)
    assert totals["rows"] == full.num_rows and totals["predicted_spend"] == pytest.approx(pc.sum(full["predicted_spend"]).as_py())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("days_before_the_data", "horizon", "name", "wanted"),
    [
        (0, 5_000, "f.csv", "Wanted: at most"),
        (0, 0, "f.csv", "1 or more days"),
        (9_000, 30, "f.csv", "nothing to learn from"),
        (0, 30, "f.txt", ".csv or .parquet"),
    ],
)
def test_what_cannot_be_is_said(
    days_before_the_data: int, horizon: int, name: str, wanted: str, lines: pa.Table, as_of: dt.date, tmp_path: Path
) -> None:
    data = written(lines, tmp_path / "lines.parquet")
    day = as_of - dt.timedelta(days=days_before_the_data)
    code, said = forecast(data, day, tmp_path / name, horizon=horizon)
    assert code == 2 and wanted in said
    assert not (tmp_path / name).exists()


@pytest.mark.slow
@pytest.mark.parametrize("refunds", ["drop", "net"])
def test_a_real_shop_cut_off_gives_the_same_file(refunds: str, genome_data: Path, tmp_path: Path) -> None:
    """Returns, duplicates and orders over midnight included: the files are equal byte for byte."""
    whole, day = pq.read_table(genome_data / "online_retail.parquet"), dt.date(2011, 8, 1)
    is_before = pc.less(whole["InvoiceDate"], pa.scalar(dt.datetime.combine(day, dt.time()), whole["InvoiceDate"].type))
    said = []
    for name, table in (("whole", whole), ("cut", whole.filter(is_before))):
        output = tmp_path / f"{name}.csv"
        code, text = forecast(written(table, tmp_path / f"{name}.parquet"), day, output, "--refunds", refunds, horizon=90)
        assert code == 0, text
        said.append(output.read_bytes())
    assert said[0] == said[1] and said[0].count(b"\n") > 3_000
