"""The product from Python: frames in, results out, near names for what is not known."""

from __future__ import annotations

import datetime as dt

import pytest

import customer_genome
from customer_genome import Genome, run, simulate
from customer_genome.errors import ContractError, SettingsError, SourceError


@pytest.fixture(scope="module")
def lines():
    return simulate(n_lines=3_000, seed=5).order_lines().read_all()


def facts(workspace):
    with Genome.open(workspace) as genome:
        return genome.table("customers").to_pylist()


def test_a_pandas_frame_and_an_arrow_table_give_the_same(lines, tmp_path):
    run(lines, tmp_path / "arrow")
    run(lines.to_pandas(), tmp_path / "pandas")
    assert facts(tmp_path / "arrow") == facts(tmp_path / "pandas")


def test_settings_reach_the_run(lines, tmp_path):
    renamed = lines.rename_columns(["who" if name == "customer_id" else name for name in lines.column_names])
    settings = {
        "tables": {"order_lines": {"columns": {"customer_id": "who"}}},
        "prediction": {"horizon_days": 30},
        "shop": {"currency": "EUR"},
    }
    result = run(renamed, tmp_path, settings=settings)
    assert (result.horizon_days, result.currency) == (30, "EUR")
    with pytest.raises(SettingsError, match=r'horizn_days is not a setting\. Did you mean "horizon_days"\?'):
        run(renamed, tmp_path, settings={"prediction": {"horizn_days": 30}})


def test_row_order_changes_nothing(lines, tmp_path):
    run(lines, tmp_path / "forwards")
    run(lines.take(list(reversed(range(lines.num_rows)))), tmp_path / "backwards")
    assert facts(tmp_path / "forwards") == facts(tmp_path / "backwards")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_lines_still_gives_every_customer_a_result(n, tmp_path):
    import pyarrow as pa

    rows = [{"customer": f"c{number}", "date": dt.datetime(2024, 1, 1 + number), "amount": 5.0 + number} for number in range(n)]
    result = run(pa.Table.from_pylist(rows), tmp_path)
    assert result.customers == n
    for row in facts(tmp_path):
        assert row["clv_180d"] >= 0
        assert 0 <= row["churn_probability"] <= 1
        assert row["recommended_action"]


def test_one_customer_with_many_orders(tmp_path):
    import pyarrow as pa

    rows = [
        {"customer": "only", "date": dt.datetime(2024, 1, 1) + dt.timedelta(days=7 * week), "amount": 10.0} for week in range(30)
    ]
    run(pa.Table.from_pylist(rows), tmp_path)
    (row,) = facts(tmp_path)
    assert (row["n_orders"], row["mean_gap_days"], row["gap_cv"]) == (30, 7.0, 0.0)
    assert row["predicted_orders"] > 5


def test_all_customers_missing_says_where_to_look(tmp_path):
    import pyarrow as pa

    table = pa.table(
        {"customer": pa.array([None, None], pa.string()), "date": [dt.datetime(2024, 1, 1)] * 2, "amount": [1.0, 2.0]}
    )
    with pytest.raises((ContractError, SourceError), match=r"(?i)customer"):
        run(table, tmp_path)
    assert not (tmp_path / "published" / "CURRENT").exists()


def test_money_of_several_currencies_needs_rates(tmp_path):
    import pyarrow as pa

    rows = [
        {"customer": "a", "date": dt.datetime(2024, 1, day), "amount": 10.0, "currency": code}
        for day, code in ((1, "EUR"), (2, "GBP"))
    ]
    table = pa.Table.from_pylist(rows)
    with pytest.raises(SettingsError, match=r"2 currencies: EUR \(1 lines\), GBP \(1 lines\)"):
        run(table, tmp_path)
    result = run(table, tmp_path, settings={"shop": {"currency": "GBP", "exchange_rates": {"EUR": 0.8}}})
    assert result.revenue == pytest.approx(18.0)


def test_reject_stops_and_lists_what_is_refused(tmp_path):
    import pyarrow as pa

    rows = [
        {"customer": "a", "date": dt.datetime(2024, 1, 1), "amount": 10.0},
        {"customer": None, "date": dt.datetime(2024, 1, 2), "amount": 10.0},
    ]
    with pytest.raises(ContractError, match=r"1 rows are refused .* no_customer \(first: row 2\)"):
        run(pa.Table.from_pylist(rows), tmp_path, settings={"cleaning": {"on_bad_rows": "reject"}})


def test_a_failed_run_leaves_the_published_version(lines, tmp_path):
    run(lines, tmp_path)
    before = facts(tmp_path)
    with pytest.raises(SourceError):
        run(lines.select(["customer_id", "ordered_at"]), tmp_path)
    assert facts(tmp_path) == before


def test_public_names_exist_and_others_are_explained():
    assert all(getattr(customer_genome, name) for name in customer_genome.__all__)
    with pytest.raises(AttributeError, match="Public names: BetaGeometricNBD"):
        customer_genome.nothing_of_the_kind  # noqa: B018
