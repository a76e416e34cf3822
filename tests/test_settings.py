"""genome.toml: every fault at once, and nothing the engine would refuse later."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from customer_genome.errors import SettingsError
from customer_genome.settings import Settings, merged, read_settings, settings_from_mapping


def test_faults_of_value_and_of_type_come_together(tmp_path: Path) -> None:
    raw = {
        "shop": {"timezone": "Europe/Londn"},
        "prediction": {"seed": -1, "horizon_days": "many", "annual_discount": -1.0, "fit_sample": 99},
        "segments": {"k": 1, "churn_bands": [0.7, 0.4]},
        "engine": {"memory_limit": "lots", "threads": -1},
        "publish": {"keep_versions": 0},
    }
    with pytest.raises(SettingsError, match=r"10 fault\(s\)") as refused:
        settings_from_mapping(raw, tmp_path)
    for name in (
        "timezone", "seed", "horizon_days", "annual_discount", "fit_sample", "k =", "churn_bands", "memory_limit", "threads", "keep_versions",
    ):  # fmt: skip
        assert name in str(refused.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "genome.toml").write_text('[shop]\nname = "Müller"\n', encoding="utf-8-sig")
    assert read_settings(tmp_path).shop.name == "Müller"


def test_rule_files_hold_without_a_settings_file(tmp_path: Path) -> None:
    """Every file of a workspace is optional: rules put there are followed whether or not genome.toml stands beside them."""
    assert read_settings(tmp_path).segments.playbooks is None
    for name in ("playbooks.toml", "categories.toml", "not_merchandise.toml"):
        (tmp_path / name).touch()
    bare = read_settings(tmp_path)
    (tmp_path / "genome.toml").touch()
    assert bare == read_settings(tmp_path)
    assert bare.segments.playbooks == str(tmp_path / "playbooks.toml")
    assert bare.features.categories == str(tmp_path / "categories.toml")
    assert bare.cleaning.not_merchandise == str(tmp_path / "not_merchandise.toml")


@pytest.mark.parametrize("pattern", [r"^(?!C)\d", r"(?=C)", r"(?<=C)1", r"(?<!C)1", r"(C)\1", r"(?P<a>C)(?P=a)", r"C++"])
def test_patterns_the_engine_does_not_know_are_refused_by_name(pattern: str, tmp_path: Path) -> None:
    with duckdb.connect() as own, pytest.raises(duckdb.Error):
        own.execute("select regexp_matches('C1', $1)", [pattern]).fetchall()
    with pytest.raises(SettingsError, match="cancelled_order_pattern"):
        settings_from_mapping({"cleaning": {"cancelled_order_pattern": pattern}}, tmp_path)


@pytest.mark.parametrize(
    "pattern", [r"^C\d", r"^(?i:c)\d+$", r"(?P<kind>C)", r"C\\1", r"[(?=]x", r"^(?:RET|C)-\d{3,}", r"[*+]+", r"\*+"]
)
def test_patterns_the_engine_knows_are_taken(pattern: str, tmp_path: Path) -> None:
    with duckdb.connect() as own:
        own.execute("select regexp_matches('C1', $1)", [pattern]).fetchall()
    settings = settings_from_mapping({"cleaning": {"cancelled_order_pattern": pattern}}, tmp_path)
    assert settings.cleaning.cancelled_order_pattern == pattern


def test_an_override_that_is_no_table_is_a_fault_of_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="shop = 1: wanted a table"):
        merged(Settings(workspace=tmp_path), {"shop": 1})


def test_a_catalog_table_is_no_path_and_its_database_has_a_plain_name(tmp_path):
    raw = {"tables": {"order_lines": {"path": "spark-table:shop.order_lines"}}}
    assert settings_from_mapping(raw, tmp_path).tables["order_lines"].path == "spark-table:shop.order_lines"
    with pytest.raises(SettingsError, match=r"spark_database = 'a; drop table b'.*prod\.genome"):
        settings_from_mapping({"engine": {"spark_database": "a; drop table b"}}, tmp_path)
