"""Every exception this product raises, in one tree.

    GenomeError
    ├── SettingsError          genome.toml, playbooks or an option says something impossible
    ├── SourceError            a file, folder, table or data set cannot be read or understood
    │   └── AskError           the data allow two readings; the user has to say which one is meant
    ├── ContractError          a table is not what its contract says (also a ValueError)
    ├── EngineError            the SQL engine refused a statement (carries the SQL)
    ├── NotFittedError         a model was asked before it was fitted
    ├── ConvergenceError       no model on the fallback ladder could be fitted
    ├── RegistryError          a stored model is missing, damaged or of another kind
    ├── WorkspaceError         the workspace is busy, of another format, or cannot be written
    ├── SnapshotError          nothing published yet, or a published version is damaged
    └── UnknownCustomerError   no such customer in the snapshot (also a KeyError)

A message says what is wrong, where, what was found, what was wanted, and the next step. Near names are offered
with `did_you_mean`. This module imports nothing of the product.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GenomeError(Exception):
    """Root of every error that Customer Genome raises on purpose."""

    def __str__(self) -> str:
        """Return the message as given (KeyError would otherwise quote it)."""
        return str(self.args[0]) if self.args else ""


class SettingsError(GenomeError):
    """A setting is unknown, of the wrong type, or contradicts another."""


class SourceError(GenomeError):
    """A source cannot be read: missing, empty, damaged, or without the columns that are needed."""


class AskError(SourceError):
    """The data allow two readings (day/month order, decimal mark); the user must say which."""


class ContractError(GenomeError, ValueError):
    """A table breaks its contract; the message lists every fault that was found."""


class EngineError(GenomeError):
    """The SQL engine refused a statement.

    Parameters
    ----------
    message : str
        What the engine said and what was being done.
    sql : str
        The statement, kept for `--debug`.
    """

    def __init__(self, message: str, sql: str = "") -> None:
        super().__init__(message)
        self.sql = sql


class NotFittedError(GenomeError):
    """A model was asked for predictions before `fit` or `from_arrays`."""


class ConvergenceError(GenomeError):
    """Every rung of the fallback ladder failed; the message says what was tried."""


class RegistryError(GenomeError):
    """A stored model is missing, damaged, or does not fit the features it is asked to read."""


class WorkspaceError(GenomeError):
    """The workspace is used by another run, has another format version, or cannot be written."""


class SnapshotError(GenomeError):
    """Nothing has been published yet, or the published version is incomplete."""


class UnknownCustomerError(GenomeError, KeyError):
    """The customer is not in the published snapshot."""


def did_you_mean(name: str, known: Iterable[str], *, most: int = 3) -> str:
    """Return ' Did you mean "a" or "b"?' for near names, or an empty string.

    Examples
    --------
    >>> did_you_mean("recencey_days", ["recency_days", "n_orders"])
    ' Did you mean "recency_days"?'
    >>> did_you_mean("zzz", ["recency_days"])
    ''
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    near = [by_lower[match] for match in get_close_matches(name.lower(), by_lower, n=most, cutoff=0.6)]
    if not near:
        return ""
    return " Did you mean " + " or ".join(f'"{candidate}"' for candidate in near) + "?"
