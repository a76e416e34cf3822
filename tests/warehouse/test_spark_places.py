"""What is missing for Spark is said in a sentence, before Spark starts."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from customer_genome.errors import EngineError, SettingsError
from customer_genome.warehouse.spark_places import is_loopback, java_version, require_java, require_master


@pytest.fixture
def java_home(tmp_path, monkeypatch):
    """Return a function that puts a Java of the given words at JAVA_HOME."""

    def put(says):
        java = tmp_path / "bin" / "java"
        java.parent.mkdir()
        java.write_text(f"#!{sys.executable}\nimport sys\nsys.stderr.write({says!r})\n", encoding="utf-8")
        java.chmod(0o755)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    return put


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ("?", None),
    ],
)
def test_the_version_is_read(java_home, says, version):
    java_home(says)
    assert java_version() == version


def test_an_old_java_is_named_with_the_one_that_is_needed(java_home):
    java_home('openjdk version "11.0.2" 2019-01-15')
    with pytest.raises(SettingsError, match=r"Java 17 or newer; .*bin.java is Java 11\. Install it"):
        require_java()


def test_no_java_at_all(monkeypatch, tmp_path):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="none was found at JAVA_HOME or on the PATH") as caught:
        require_java()
    assert "DuckDB" in str(caught.value)


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]", "local[4, 2]", "yarn", "k8s://https://10.0.0.1:6443"])
def test_masters_that_need_no_asking(master):
    require_master(master)


@pytest.mark.parametrize("master", ["", "locl[2]", "local[0]", "spark://host", "http://host:8080", "host:7077", "spark://a:1,b"])
def test_what_is_no_master(master):
    with pytest.raises(SettingsError, match=r"is not the address of a Spark master\. Wanted: local\[2\]"):
        require_master(master)


def test_a_master_that_nobody_answers_for():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        master = f"spark://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EngineError, match=r"cannot be reached: 127\.0\.0\.1:.*Check that it runs"):
            require_master(master)
    with pytest.raises(EngineError, match="cannot be reached"):
        require_master("spark://127.0.0.1:99999")


def test_one_answering_master_of_several_is_enough():
    with socket.socket() as listening, socket.socket() as taken:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        taken.bind(("127.0.0.1", 0))
        require_master(f"spark://127.0.0.1:{taken.getsockname()[1]},127.0.0.1:{listening.getsockname()[1]}")


def test_loopback_is_told_from_elsewhere():
    assert is_loopback("local[2]") and is_loopback("spark://127.0.0.1:7077")
    assert not is_loopback("spark://example.org:7077") and not is_loopback("yarn")


def test_nothing_of_spark_is_loaded_for_asking():
    script = "import sys, customer_genome.warehouse.spark_places; print('pyspark' in sys.modules)"
    import subprocess

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert ran.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("master", "java", "found"),
    [
        ("local[2]", 'openjdk version "17.0.15"', "Java 17, master local[2]"),
        ("sprak://host:7077", 'openjdk version "17.0.15"', "is not the address of a Spark master"),
        ("local[2]", 'java version "1.8.0_401"', "Java 17 or newer; "),
    ],
)
def test_the_doctor_looks_at_spark_where_the_settings_choose_it(java_home, tmp_path, master, java, found):
    from customer_genome.health import examine

    pytest.importorskip("pyspark")
    java_home(java)
    assert "Spark" not in {check.name for check in examine(tmp_path)}
    (tmp_path / "genome.toml").write_text(f'[engine]\nname = "spark"\nspark_master = "{master}"\n', "utf-8")
    [check] = [check for check in examine(tmp_path) if check.name == "Spark"]
    assert found in check.found
    assert check.ok == found.startswith("Java 17, ")


def test_spark_without_pyspark_is_told_with_what_to_install(monkeypatch, tmp_path):
    from customer_genome.settings import EngineSettings
    from customer_genome.warehouse import opening

    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'customer-genome\[spark\]'.*--engine duckdb"):
        opening.open_engine(EngineSettings(name="spark"), tmp_path / "building.duckdb", tmp_path)


def test_settings_of_spark(tmp_path):
    from customer_genome.settings import read_settings

    text = '[engine]\nname = "spark"\nspark_folder = "shared"\n[engine.spark_options]\n"spark.executor.memory" = "8g"\n'
    (tmp_path / "genome.toml").write_text(text, "utf-8")
    engine = read_settings(tmp_path).engine
    assert engine.spark_folder == str(tmp_path / "shared") and engine.spark_options == {"spark.executor.memory": "8g"}
    assert engine.spark_master == "local[*]" and not (tmp_path / "shared").exists()
    (tmp_path / "genome.toml").write_text(text.replace('"8g"', "8"), "utf-8")
    with pytest.raises(SettingsError, match=r"spark_options = .* wanted a table of name = a text"):
        read_settings(tmp_path)
