"""Spark's complaints in our words, without starting Spark."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from customer_genome.warehouse.spark_text import engine_error, standard

WORKER = """An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "/usr/lib/python/pyspark/worker.py", line 3, in main
    process()
  File "/usr/lib/python/customer_genome/stages/scoring.py", line 1, in call
    raise ContractError("frequency: got -1. Wanted: 0 or more.")
{raised}

\tat org.apache.spark.api.python.BasePythonRunner (PythonRunner.scala:5)
Caused by: java.io.EOFException"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            WORKER.format(raised="customer_genome.errors.ContractError: frequency: got -1. Wanted: 0 or more."),
            "A step failed in the Python of a Spark worker: ContractError: frequency: got -1. Wanted: 0 or more. Check that every worker",
        ),
        (
            WORKER.format(raised="ModuleNotFoundError: No module named 'customer_genome'"),
            "A Spark worker's Python has no module customer_genome. Install customer-genome on every worker, or name a Python that has it as worker_python.",
        ),
        (
            "org.apache.spark.SparkException: [TABLE_OR_VIEW_NOT_FOUND] The table `x` cannot be found. SQLSTATE: 42P01",
            "Spark refused a statement: [TABLE_OR_VIEW_NOT_FOUND] The table `x` cannot be found",
        ),
        (
            "Job aborted: Total size of serialized results of 9 tasks (65.1 MiB) is bigger than spark.driver.maxResultSize (64.0 MiB)",
            "Spark ran out of memory: Job aborted",
        ),
        ("java.io.IOException: No space left on device", "Spark ran out of disk: No space left on device"),
    ],
)
def test_one_line_says_what_is_wrong_and_what_to_do(said, told):
    error = engine_error(RuntimeError(said), "select 1")
    assert str(error).startswith(told)
    assert "\n" not in str(error) and error.sql == "select 1"


def test_backslashes_stand_for_themselves_in_texts_only():
    assert standard(r"select 'a\d', \"b\c\" -- 'd\e'") == r"select 'a\\d', \"b\c\" -- 'd\e'"


def test_both_engines_know_the_same_names():
    """A macro that only DuckDB has would make a text fail on the cluster, and nowhere else."""
    known = {}
    for engine, made in (("duckdb", "macro"), ("spark", "temporary function")):
        text = files("customer_genome.warehouse").joinpath(f"prelude_{engine}.sql").read_text("utf-8")
        known[engine] = set(re.findall(rf"^create or replace {made} (\w+)\(", text, re.MULTILINE))
    assert len(known["duckdb"]) > 15
    assert known["duckdb"] - known["spark"] == {"row_json"}  # made anew for the columns of every source
