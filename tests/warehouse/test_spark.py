"""What only Spark can get wrong: the order of split files, masters, workers, Java's memory."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_genome.contracts import CsvFormat, RawColumn, SourceTable
from customer_genome.errors import EngineError, SettingsError
from customer_genome.warehouse.engine import literal

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]
N_ROWS = 20_000


def source(kind, *paths):
    columns = tuple(RawColumn(name, "text") for name in ("n", "text"))
    return SourceTable("order_lines", "the file", kind, columns, {}, tuple(map(str, paths)), csv=CsvFormat())


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_keep_their_order_when_many_workers_read_parts_of_many_files(local_spark, tmp_path, kind):
    paths = [tmp_path / f"{name}.{kind}" for name in ("z", "a", "m")]
    for number, path in enumerate(paths):
        table = pa.table({"n": range(number * N_ROWS, (number + 1) * N_ROWS), "text": ["some text, quoted"] * N_ROWS})
        if kind == "parquet":
            pq.write_table(table, path, row_group_size=500, compression="none", use_dictionary=False)
        else:
            lines = "".join(f'{row["n"]},"{row["text"]}"\n' for row in table.to_pylist())
            path.write_text("n,text\n" + lines, encoding="utf-8")
    engine = local_spark()
    engine.run("set spark.sql.files.maxPartitionBytes = 60000")
    engine.read(source(kind, *paths), "raw")
    engine.create_table("lines", "select cast(n as bigint) as n from raw")
    engine.number_rows("lines", "numbered")
    found = engine.fetch("select count(*) as n, count(distinct line_id) as ids, sum(abs(n - line_id)) as apart from numbered")
    assert found.to_pylist() == [{"n": 3 * N_ROWS, "ids": 3 * N_ROWS, "apart": 0}]
    parts = engine.fetch("select distinct input_file_name() as part from lines").num_rows
    assert parts > 10
    engine.close()


def test_a_process_works_for_one_master_at_a_time(local_spark):
    from customer_genome.warehouse.spark import SparkEngine

    with pytest.raises(EngineError, match=r"already works for the Spark master local\[2\]; local\[1\] was asked for"):
        SparkEngine(master="local[1]")


def test_engines_do_not_see_each_other(local_spark):
    one, other = local_spark(), local_spark()
    one.write("mine", pa.table({"n": [1]}))
    with pytest.raises(EngineError, match="mine"):
        other.fetch("select * from mine")
    one.close()
    other.write("mine", pa.table({"n": [2]}))
    assert other.fetch("select n from mine").to_pylist() == [{"n": 2}]
    other.close()


def test_a_folder_given_keeps_its_tables_and_a_temporary_one_goes(local_spark, tmp_path):
    from customer_genome.warehouse.spark import SparkEngine

    kept = SparkEngine(tmp_path / "warehouse", master="local[2]")
    kept.write("rows", pa.table({"n": [1]}))
    kept.write("rows", pa.table({"n": [2]}))
    kept.close()
    [folder] = (tmp_path / "warehouse").glob("rows-*")
    assert pq.read_table(folder).to_pylist() == [{"n": 2}]


@pytest.mark.parametrize("module", ["duckdb", "customer_genome"])
def test_a_worker_without_the_packages_is_told(local_spark, tmp_path, module):
    """Times in text are read by DuckDB on the workers, customers are scored by this package; their Python may lack either."""
    engine = local_spark()
    python = tmp_path / "python"
    hide = (
        "import sys\nclass Hidden:\n    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n            raise ModuleNotFoundError(\"No module named '{module}'\")\n"
        "sys.meta_path.insert(0, Hidden())\n"
    )
    (tmp_path / "sitecustomize.py").write_text(hide, encoding="utf-8")
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}:$PYTHONPATH" exec "{sys.executable}" "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    context = engine._session.sparkContext
    usual, context.pythonExec = context.pythonExec, str(python)
    try:
        engine.write("texts", pa.table({"x": ["2024-01-01"]}))
        read = engine.time_expression('"x"', "text", "ymd", (), "UTC")
        told = rf"A Spark worker's Python has no module {module}\. Install customer-genome on every worker"
        asked = {
            "duckdb": lambda: engine.fetch(f"select {read} as day from texts"),
            "customer_genome": lambda: engine.map_rows("made", "select x from texts", literal, pa.schema([("x", pa.string())])),
        }
        with pytest.raises(EngineError, match=told):
            asked[module]()
    finally:
        context.pythonExec = usual
    engine.close()


def test_skewed_and_single_order_customers_come_out_right(local_spark):
    """One customer with a tenth of all lines, and thousands with one order each."""
    from shops import TODAY, line, source_of

    from customer_genome.features.table import build_features
    from customer_genome.settings import CleaningSettings, ShopSettings
    from customer_genome.warehouse.build import build_marts, stage_lines

    rows = [line("whale", f"w{n % 70}", f"2024-01-{1 + n % 28:02d}", f"P{n}") for n in range(300)]
    rows += [line(f"once {n}", f"o{n}", "2024-02-01", "P") for n in range(2_700)]
    engine = local_spark()
    stage_lines(engine, source_of(rows), CleaningSettings(), ShopSettings(), today=TODAY)
    cutoff = {"as_of": pa.array([dt.date(2024, 3, 1)]), "horizon_days": pa.array([30], pa.int32())}
    build_marts(engine, pa.table(cutoff), CleaningSettings())
    plain = {"category_key": None, "has_customers": False, "has_discounts": False, "most_categories": 5, "home_country": ""}
    build_features(engine, (), **plain)
    found = engine.fetch(
        "select n_orders, count(*) as n, sum(n_lines) as n_lines from customer_facts group by n_orders order by 1"
    )
    assert found.to_pylist() == [{"n_orders": 1, "n": 2_700, "n_lines": 2_700}, {"n_orders": 70, "n": 1, "n_lines": 300}]
    engine.close()


def test_settings_faults_come_before_java_starts():
    from customer_genome.warehouse.spark import SparkEngine

    script = (
        "from customer_genome.warehouse.spark import SparkEngine\n"
        "from customer_genome.errors import GenomeError\n"
        "try:\n    SparkEngine(master='sprak://host:7077')\n"
        "except GenomeError as err:\n    print(type(err).__name__, err)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert ran.stdout.startswith(SettingsError.__name__) and "sprak://host:7077" in ran.stdout
    assert "Spark" not in ran.stderr
    assert SparkEngine.name == "spark"


@pytest.mark.parametrize(("size", "java"), [("4GB", "4096m"), ("1.5 GiB", "1536m"), ("500MB", "500m"), ("2g", "2048m")])
def test_sizes_as_java_writes_them(size, java):
    from customer_genome.warehouse.spark_places import java_size

    assert java_size(size) == java


def test_a_size_that_is_none():
    from customer_genome.warehouse.spark_places import java_size

    with pytest.raises(SettingsError, match="wanted a size such as 4GB"):
        java_size("much")
