"""Tables of Spark's catalog come in and go out; other engines say that they cannot."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from customer_genome import run
from customer_genome.errors import SourceError
from repository import ROOT


def test_a_catalog_table_needs_the_spark_engine(tmp_path):
    with pytest.raises(SourceError, match=r"spark-table:shop\.order_lines is a table of Spark's catalog.*--engine spark"):
        run("spark-table:shop.order_lines", tmp_path / "workspace")


@pytest.mark.spark
@pytest.mark.timeout(900)
def test_catalog_tables_come_in_and_go_out(tmp_path):
    script = ROOT / "tests" / "parity" / "through_catalog.py"
    ran = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=850, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert (found["lines"], found["customers"]) == (found["n_lines"], found["n_customers"])
    assert found["last_at"][:19] == found["wanted_last_at"][:19]
    assert 'no table order_line in shop. Did you mean "order_lines"?' in found["refused"]
