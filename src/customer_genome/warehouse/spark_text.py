"""Texts between us and Spark: SQL in its spelling, and its complaints in our words.

Comes in: SQL texts and exceptions. Goes out: SQL texts and `EngineError`s. Nothing of Spark is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from customer_genome.contracts import CsvFormat
from customer_genome.errors import EngineError
from customer_genome.warehouse.engine import literal, quoted

RAW_ROW = "raw__row"
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*""")


def standard(sql: str) -> str:
    """Return SQL whose text literals mean to Spark what they mean to everybody: a backslash is a backslash."""
    return _QUOTED.sub(lambda found: found[0].replace("\\", "\\\\") if found[0][0] == "'" else found[0], sql)


def is_readable(form: CsvFormat, names: Sequence[str]) -> str:
    """Return SQL that is true of rows of the right width or more; what is beyond the last column is left out."""
    text = RAW_ROW
    if form.quote:
        text = f"regexp_replace({text}, '{{0}}[^{{0}}]*{{0}}', '')".format(re.escape(form.quote).replace("'", "''"))
    n_delimiters = f"length({text}) - length(replace({text}, {literal(form.delimiter)}, ''))"
    always = f"length(coalesce({quoted(names[0])}, '')) >= 0"  # Spark refuses to look at raw rows alone
    return f"({always} and ({RAW_ROW} is null or {n_delimiters} >= {len(names)}))"


def engine_error(err: Exception, sql: str) -> EngineError:
    """Return Spark's complaint in our words, with the SQL kept for --debug."""
    text = str(err).strip()
    missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", text)
    if missing:
        return EngineError(
            f"A Spark worker's Python has no module {missing.group(1)}. Install customer-genome on every worker, "
            "or name a Python that has it as worker_python.",
            sql,
        )
    failed = _worker_failure(text)
    if failed:
        return EngineError(
            f"A step failed in the Python of a Spark worker: {failed}. Check that every worker has the same version of "
            "customer-genome as this process; run again with --debug to see the SQL.",
            sql,
        )
    reason = _reason(text) or type(err).__name__
    if "OutOfMemoryError" in text or "maxResultSize" in text:
        return EngineError(
            f"Spark ran out of memory: {reason}. Raise memory_limit under [engine] in genome.toml, or spark.executor.memory on a cluster.",
            sql,
        )
    if "No space left on device" in text:
        return EngineError(f"Spark ran out of disk: {reason}. Free space where the workspace and spark.local.dir lie.", sql)
    return EngineError(f"Spark refused a statement: {reason}. Run again with --debug to see the SQL.", sql)


def _worker_failure(text: str) -> str:
    """Return the exception that Python raised on a worker, empty where none did."""
    if "Traceback (most recent call last)" not in text:
        return ""
    raised = re.findall(
        r"^(?:[\w]+\.)*(\w*(?:Error|Exception|Interrupt): .*)$", text.split("Traceback (most recent call last)", 1)[1], re.M
    )
    return str(raised[0]).strip().rstrip(".") if raised else ""


def _reason(text: str) -> str:
    """Return the one line of a complaint that says why: the one with Spark's error class, else the last cause, else the first."""
    lines = text.splitlines()
    classed = [line for line in lines if re.search(r"\[[A-Z][A-Z0-9_.]+\] ", line)]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    line = (classed[:1] or causes[-1:] or lines[:1] or [""])[0]
    return re.sub(r"^(Caused by: )?[\w.$]*: (?=\S)", "", line).strip().rstrip(".;: ")
