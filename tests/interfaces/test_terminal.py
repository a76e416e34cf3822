"""What a run says in a terminal: the result in front, remarks on the fit kept for those who want them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from customer_genome.interfaces.commands.options import level_of
from customer_genome.interfaces.terminal import show_run
from customer_genome.stages.publishing import RunResult

RESULT = RunResult(
    version="v00001",
    as_of=dt.date(2024, 12, 3),
    horizon_days=180,
    currency="EUR",
    lines=4,
    orders=3,
    customers=2,
    revenue=50.0,
    lines_after_as_of=0,
    ledger={"kept": {"rows": 4, "revenue": 50.0}},
    refunds={
        "policy": "drop",
        "revenue_under_drop": 50.0,
        "revenue_under_net": 40.0,
        "matched_value": 10.0,
        "unmatched_lines": 0,
        "returned_lines": 1,
    },
    seconds={"total": 1.0},
    peak_memory_mb=100.0,
    notices=("ordered_at: taken as local.",),
    fit=("log-likelihood -14931.96", "adjusted Rand index 0.70"),
)


def said_of(result: RunResult, capsys: pytest.CaptureFixture[str]) -> str:
    show_run(result, Path("genome-workspace"))
    return " ".join(capsys.readouterr().out.split())


def test_notices_are_shown_and_remarks_on_the_fit_are_counted_and_placed(capsys) -> None:
    said = said_of(RESULT, capsys)
    assert "ordered_at: taken as local." in said
    assert "log-likelihood" not in said
    assert "2 remarks on how the models were fitted" in said
    assert "genome models show" in said


def test_refunds_are_told_only_where_something_was_returned(capsys) -> None:
    assert "€10.00 off purchases" in said_of(RESULT, capsys)
    none = replace(RESULT, refunds={**RESULT.refunds, "returned_lines": 0})
    said = said_of(none, capsys)
    assert "No line takes back an earlier purchase" in said
    assert "0 of 0" not in said


@pytest.mark.parametrize("level", ["orders", "customers", "ratings", None])
def test_every_level_of_the_documentation_is_known(level) -> None:
    assert level_of(level) == level
