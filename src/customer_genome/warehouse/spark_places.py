"""Whether Spark can start here: Java, and the master it is to work for.

Comes in: the address of a master. Goes out: nothing, or an error that says what is missing and how to get it. Asked
before Spark starts, because Spark itself says it in a stack trace, or waits for minutes. It knows nothing of SQL.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from os.path import expandvars
from pathlib import Path

from customer_genome.errors import EngineError, SettingsError

OLDEST_JAVA = 17
MASTERS = "local[2], local[*], spark://host:7077, yarn or k8s://https://host:port"
_LOCAL = re.compile(r"local(\[(\*|[1-9]\d*)(,\s*\d+)?\])?")
_STANDALONE = re.compile(r"spark://([\w.-]+|\[[0-9a-fA-F:]+\]):(\d+)(,([\w.-]+|\[[0-9a-fA-F:]+\]):(\d+))*")


def require_java() -> None:
    """Raise when Java is missing or too old for Spark.

    Raises
    ------
    SettingsError
        With the version that was found, and how to install another.
    """
    version = java_version()
    advice = f"Install it (Debian and Ubuntu: apt-get install openjdk-{OLDEST_JAVA}-jre-headless), or set JAVA_HOME to it, or use the DuckDB engine."
    if version is None:
        raise SettingsError(f"Spark needs Java {OLDEST_JAVA} or newer; none was found at JAVA_HOME or on the PATH. {advice}")
    if version < OLDEST_JAVA:
        raise SettingsError(f"Spark needs Java {OLDEST_JAVA} or newer; {_java()} is Java {version}. {advice}")


def java_version() -> int | None:
    """Return the major version of the Java that Spark would start, None where there is none."""
    try:
        ran = subprocess.run([_java(), "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', ran.stderr + ran.stdout)
    return int(found.group(1)) if found else None


def _java() -> str:
    """Return the Java command as Spark's own scripts choose it."""
    home = expandvars("$JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home and not home.startswith("$") else shutil.which("java") or "java"


def require_master(master: str, seconds: float = 5.0) -> None:
    """Raise when a master's address is none, or nobody answers there.

    Raises
    ------
    SettingsError
        When it is no address of a Spark master.
    EngineError
        When a standalone master cannot be reached.
    """
    if _LOCAL.fullmatch(master) or master == "yarn" or master.startswith("k8s://"):
        return
    if not _STANDALONE.fullmatch(master):
        raise SettingsError(f"{master!r} is not the address of a Spark master. Wanted: {MASTERS}.")
    faults = [fault for address in master.removeprefix("spark://").split(",") if (fault := _fault(address, seconds))]
    if len(faults) == master.count(",") + 1:
        raise EngineError(
            f"The Spark master {master} cannot be reached: {'; '.join(faults)}. Check that it runs, its port and the firewall; "
            "its address is the first line of the master's web page."
        )


def _fault(address: str, seconds: float) -> str:
    """Return why nobody answers at host:port, empty where somebody does."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds):
            return ""
    except (OSError, OverflowError) as err:
        return f"{address}: {err.strerror if isinstance(err, OSError) and err.strerror else err}"


def is_loopback(master: str) -> bool:
    """Return whether driver and workers all run on this machine."""
    return bool(_LOCAL.fullmatch(master)) or master.startswith(("spark://127.0.0.1:", "spark://localhost:", "spark://[::1]:"))


def java_size(size: str) -> str:
    """Return a size such as 4GB or 1.5 GiB as Java writes it, in megabytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mg])i?b?", size.strip(), re.IGNORECASE)
    if not found:
        raise SettingsError(f"memory_limit = {size!r}: wanted a size such as 4GB.")
    return f"{round(float(found[1]) * (1024 if found[2] in 'gG' else 1))}m"
