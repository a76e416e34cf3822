"""`genome golden` fits now: what it prints are the fitted figures, and they agree with the published ones to their printed digits."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from customer_genome.interfaces import cli
from customer_genome.interfaces.commands.golden import PUBLISHED


@pytest.fixture
def golden(monkeypatch, capsys):
    """Run `genome golden`; return exit code, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["genome", "golden", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_every_figure_agrees_with_its_source_to_the_printed_digits(golden, genome_data: Path):
    code, out, err = golden(str(genome_data / "cdnow"), "--json")
    assert (code, err) == (0, "")
    fitted = json.loads(out)
    assert set(fitted) == set(PUBLISHED)
    for name, published in PUBLISHED.items():
        for figure, printed in published.figures.items():
            last_digit = 10.0 ** -len(printed.partition(".")[2])
            assert fitted[name][figure] == pytest.approx(float(printed), abs=1.05 * last_digit), f"{name} {figure}"


def test_the_table_shows_both(golden, genome_data: Path, monkeypatch):
    monkeypatch.setenv("GENOME_DATA", str(genome_data))
    code, out, _ = golden()
    assert code == 0
    assert "fitted now" in out
    assert "BG/NBD" in out
    assert "-9582.4" in out
    assert "Fader, Hardie & Lee (2005)" in out


def test_the_archive_is_read_too(golden, genome_data: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "CDNOW_sample.zip", "w") as packed:
        packed.write(genome_data / "cdnow" / "CDNOW_sample.txt", "CDNOW_sample.txt")
    code, out, _ = golden(str(tmp_path), "--json")
    assert code == 0
    assert json.loads(out)["gamma_gamma"]["p"] == pytest.approx(6.25, abs=0.01)


def test_without_the_data_the_next_step_is_said(golden, monkeypatch, tmp_path: Path):
    monkeypatch.delenv("GENOME_DATA", raising=False)
    code, out, err = golden()
    assert (code, out) == (1, "")
    assert "The CDNOW sample was not found: the variable GENOME_DATA names no folder. Download CDNOW_sample.zip from" in err
    assert f"{tmp_path} holds no CDNOW_sample.txt" in golden(str(tmp_path))[2]


def test_another_file_is_refused(golden, tmp_path: Path):
    odd = tmp_path / "CDNOW_sample.txt"
    odd.write_text("customer;date\n")
    assert "line 1: got 'customer;date'. Wanted: five columns" in golden(str(odd))[2]
    odd.write_text("00004 0001 19970101  2   29.33\n")
    assert "got 1 customers up to 1997-09-30. Wanted: the 2,357 of the published sample" in golden(str(odd))[2]
